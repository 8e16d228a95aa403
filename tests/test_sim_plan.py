"""First plans of experiments: as large as is done in a quarter of a minute, for every model of the gallery."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.simulation import register_simulations
from pipelines.simulation.experiments.effort import SECONDS as EFFORT
from pipelines.simulation.experiments.effort import seconds_of
from studio.i18n import Words
from tabs.job_follow import Run
from tabs.simulation_experiment_view import stage
from tabs.simulation_plan import SECONDS, SIZES, fitting, rounded_down, sizes


def test_every_model_of_the_gallery_has_been_measured() -> None:
    assert sorted(EFFORT) == sorted(model.id for model in register_simulations())


def test_twice_the_steps_take_twice_as_long_and_an_unmeasured_model_is_unknown() -> None:
    model = register_simulations()[0]
    assert seconds_of(model, 5_000) > 0 and seconds_of(model, 10_000) == pytest.approx(2 * seconds_of(model, 5_000))

    class Other(type(model)):  # type: ignore[misc]
        id = "other"

    assert seconds_of(Other(), 5_000) == -1


def test_the_largest_size_that_fits_is_taken() -> None:
    found = sizes("Sweep", stochastic=True)
    assert fitting(found, lambda size: 0.01 * size["x_count"] * size["replicates"], 100) == {"x_count": 31, "replicates": 20, "duration": 0}
    assert fitting(found, lambda size: 0.1 * size["x_count"] * size["replicates"], 100) == {"x_count": 11, "replicates": 10, "duration": 0}


def test_where_none_fits_the_smallest_has_shorter_runs() -> None:
    found = fitting(sizes("Sweep", stochastic=True), lambda size: 1.0 * size["x_count"] * size["replicates"], 10_000)
    assert found == {"x_count": 11, "replicates": 3, "duration": 4_000} and SECONDS >= 33 * 0.4


def test_where_nobody_knows_few_runs_are_made() -> None:
    assert fitting(sizes("Sweep", stochastic=True), lambda size: -1, 100) == {"x_count": 11, "replicates": 5, "duration": 0}


@pytest.mark.parametrize("kind", [kind for kind in SIZES if kind != "Repetitions"])
def test_a_model_without_chance_is_run_once(kind: str) -> None:
    assert {size.get("replicates") for size in sizes(kind, stochastic=False)} == {1}


@pytest.mark.parametrize(("number", "told"), [(4545.0, 4000.0), (0.3, 0.3), (99.0, 90.0), (1.0, 1.0), (0.07, 0.07)])
def test_a_shorter_run_has_a_plain_length(number: float, told: float) -> None:
    assert rounded_down(number) == told


def test_a_tables_heads_are_titles_in_the_pages_language(tmp_path: Path) -> None:
    """The file keeps its names; a word like “mean” stands for itself where nobody translated it."""
    path = tmp_path / "sweep.csv"
    path.write_text("rate,mean,q05,runs\n0.5,1.25,1,3\n", encoding="utf-8")
    output: Any = SimpleNamespace(path=str(path), title="Growth, sweep", id="1", kind="table")
    studio: Any = SimpleNamespace(words=Words(), store=SimpleNamespace(output=lambda _: output))
    heads = {lang: re.findall(r"<th title=\"(\w+)\">([^<]+)</th>", stage(studio, Run(job="j", outputs=["1"]), {"values": {}}, {"rate": "Volatility"}, lang)) for lang in ("en", "ja")}
    assert heads["en"] == [("rate", "Volatility"), ("mean", "mean"), ("q05", "q05"), ("runs", "runs")]
    assert heads["ja"] == [("rate", "ボラティリティ"), ("mean", "平均"), ("q05", "q05"), ("runs", "実行")]


def test_names_of_parameters_in_a_tables_cells_are_titles(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("parameter,with,S2\nrate,drift,0.25\n", encoding="utf-8")
    output: Any = SimpleNamespace(path=str(path), title="Growth, sensitivity: pairs", id="1", kind="table")
    studio: Any = SimpleNamespace(words=Words(), store=SimpleNamespace(output=lambda _: output))
    shown = {lang: stage(studio, Run(job="j", outputs=["1"]), {"values": {}}, {"rate": "Volatility"}, lang) for lang in ("en", "ja")}
    assert "<td>Volatility</td><td>drift</td><td>0.25</td>" in shown["en"] and "<td>ボラティリティ</td>" in shown["ja"]
