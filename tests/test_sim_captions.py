"""Words in the pictures of simulations: the page's language, letters for it, and English that is the same on every computer."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.simulation import register_pipelines, register_simulations
from pipelines.simulation.live import LiveParams, View
from studio import captions
from studio.api import Simulations, caption, captions_in, chance, drawable, wide_font
from tests.experimenting import Context
from tests.experimenting import done as experimented
from tests.simulating import Context as LiveContext

WORDED = ("ekman", "stommel", "sir", "mmc", "ward", "emergency", "simon", "group_sequential", "adaptive_trial", "options", "garch", "fraud")
MODELS = {model.id: model for model in register_simulations()}
PIPELINES: dict[str, Any] = {pipeline.id: pipeline for pipeline in register_pipelines(Simulations(list(MODELS.values())))}
japanese = pytest.mark.skipif(not wide_font(), reason="no font with Japanese letters is installed")


def pictured(name: str, language: str) -> Any:
    model = MODELS[name]
    params, rng = model.Params(), chance(1)
    state = model.advance(model.init(params, rng), params, rng, 3)
    with captions_in(language):
        return model.render(state, params)


@pytest.fixture
def no_font(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(captions, "FONTS", ("there-is-no-such-font.ttf",))
    captions.wide_font.cache_clear()
    yield
    captions.wide_font.cache_clear()


@japanese
@pytest.mark.parametrize("name", WORDED)
def test_pictures_with_words_are_in_the_language_asked_for(name: str) -> None:
    assert (pictured(name, "ja") != pictured(name, "en")).any()


@pytest.mark.parametrize("name", MODELS)
def test_english_pictures_ask_for_no_font_of_the_computer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked() -> str:
        raise AssertionError("the bytes would depend on the computer")

    monkeypatch.setattr(captions, "wide_font", asked)
    assert pictured(name, "en") is None or pictured(name, "en").any()


def test_words_with_values_and_words_that_nobody_translated() -> None:
    assert caption("{n} in treatment", n=3) == "3 in treatment" and caption("salt") == "salt"
    with captions_in("ja"):
        assert caption("{n} in treatment", n=3) == "治療中 3 人" and caption("wolpertinger") == "wolpertinger"
        with captions_in("en"):
            assert caption("salt") == "salt"
        assert caption("salt") == "塩分"
    assert caption("salt") == "salt"


def ran(**values: Any) -> tuple[Any, list[Any]]:
    pipeline, context = PIPELINES["simulation.run"], Context()
    params = pipeline.settle(pipeline.Params.parse({"model": "ward", "seed": 5, "duration": 20.0, "every": 5.0} | values), None)
    pipeline.run(params, context)
    return params, context.outputs


@japanese
def test_a_runs_picture_is_in_its_language_and_its_table_is_not() -> None:
    (english, (table, picture)), (asked, (same, other)) = ran(), ran(language="ja")
    assert (english.language, asked.language) == ("en", "ja") and table.data == same.data
    assert (np.asarray(Image.open(io.BytesIO(picture.data))) != np.asarray(Image.open(io.BytesIO(other.data)))).any()
    assert caption("salt") == "salt", "the next job begins in English"


def test_without_a_font_the_picture_is_english_and_its_settings_say_so(no_font: None) -> None:
    assert wide_font() == "" and drawable("ja") == "en"
    (_, (_, picture)), (asked, (_, other)) = ran(), ran(language="ja")
    assert asked.language == "en" and picture.data == other.data


@japanese
@pytest.mark.parametrize(
    ("pipeline", "values"),
    [
        ("simulation.sweep", {"x_count": 4, "replicates": 2}),
        ("simulation.sweep", {"x": "rate", "y": "start", "x_count": 3, "y_count": 3, "replicates": 1}),
        ("simulation.replicate", {"replicates": 4, "uncertainty": 5.0}),
        ("simulation.compare", {"replicates": 2}),
        ("simulation.sobol", {"samples": 32, "replicates": 1, "measure": "Mean"}),
    ],
)
def test_figures_of_experiments_are_in_the_jobs_language_and_tables_are_not(pipeline: str, values: dict[str, Any]) -> None:
    english, other = (experimented(pipeline, model="growth", language=language, **values) for language in ("en", "ja"))
    drawn = [one.data != two.data for one, two in zip(english.artifacts, other.artifacts, strict=True) if one.suffix in (".svg", ".png")]
    assert drawn and all(drawn)
    assert all(one.data == two.data for one, two in zip(english.artifacts, other.artifacts, strict=True) if one.suffix == ".csv")


@japanese
def test_a_filters_figure_is_in_the_jobs_language() -> None:
    pipeline = PIPELINES["simulation.filter"]

    def filtered(language: str) -> list[Any]:
        given = {"model": "lorenz63", "seed": 1, "links": [{"series": "x", "spread": 1.0}], "count": 5, "members": 5, "language": language}
        context: Any = Context()
        context.seed = 1
        return list(pipeline.run(pipeline.settle(pipeline.Params.parse(given), None), context).artifacts)

    english, other = filtered("en"), filtered("ja")
    assert [one.data != two.data for one, two in zip(english, other, strict=True) if one.suffix == ".svg"] == [True]


@japanese
def test_a_live_view_follows_the_page_into_another_language() -> None:
    ctx = LiveContext()
    view = View(MODELS["ward"], LiveParams(model="ward", seed=3), ctx)  # type: ignore[arg-type]

    def shown() -> bytes:
        view.show()
        return bytes(ctx.frames[-1]["pixels"].tobytes())

    english = shown()
    view.ask("language", "ja")
    assert view.fresh and shown() != english
    view.ask("language", "klingon")
    assert shown() == english
