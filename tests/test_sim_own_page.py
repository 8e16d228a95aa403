"""The Own page: what is typed is checked, kept for its owner, shared and taken back, and put on the desk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from pipelines.simulation.own import read_model
from studio.api import BadInput, read_model_values
from studio.i18n import Words
from studio.store import Store
from tabs.simulation_own import NAMES, OwnPage
from tabs.simulation_own_check import refused, settings_of, understood
from tabs.simulation_own_examples import EXAMPLES, KINDS, example_of
from tabs.simulation_own_help import CARDS

WORDS = Words()
VALUES = tuple(EXAMPLES[0].get(name, {"method": "", "size": 96, "spacing": 1.0, "border": "periodic"}.get(name)) for name in NAMES)


class FakeDesk:
    picked = ("model", "own", "values")

    def find(self, model_id: str, own: str) -> Any:
        assert model_id == "own"
        return read_model(own)

    def pick(self, model_id: str, own: str, values: dict[str, Any] | None = None) -> tuple[str, str, dict[str, Any]]:
        return model_id, own, read_model_values(self.find(model_id, own), values or {}).model_dump(mode="json")

    def put(self, *picked: Any) -> str:
        return f"put {picked[0]}"


class FakePage(OwnPage):
    @property
    def filled(self) -> list[Any]:
        return [None] * (len(NAMES) + 3)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[OwnPage]:
    studio: Any = SimpleNamespace(words=WORDS, store=Store(tmp_path))
    yield FakePage(studio, FakeDesk())  # type: ignore[arg-type]
    studio.store.close()


def asker(owner: str = "me", lang: str = "en") -> Any:
    return SimpleNamespace(headers={"x-seisei-owner": owner, "accept-language": lang}, cookies={})


def changed(**values: Any) -> tuple[Any, ...]:
    return tuple(values.get(name, value) for name, value in zip(NAMES, VALUES, strict=True))


def test_what_is_understood_is_told_with_its_parameters(page: OwnPage) -> None:
    told = page.on_typed(asker(), *VALUES)
    assert "All fine." in told and "<td>beta</td><td>0.5 per day</td><td>0 – 2</td><td>how easily it spreads</td>" in told and "own-chip'>S</span>" in told


def test_an_error_stands_with_its_line_and_a_caret(page: OwnPage) -> None:
    told = page.on_typed(asker(), *changed(text="dx/dt = -betta*x\nbeta = 1\nx(0) = 1"))
    assert "Line 1, column 10: unknown name “betta” — did you mean “beta”?" in told
    assert "<mark>b</mark>etta*x\n<span class='own-under' aria-hidden='true'>1 | dx/dt = -</span>^</pre>" in told


def test_an_error_is_told_in_japanese(page: OwnPage) -> None:
    told = page.on_typed(asker(lang="ja"), *changed(text="dx/dt = -betta*x\nbeta = 1\nx(0) = 1"))
    assert "1行10文字目" in told and "不明な名前「betta」 — 「beta」のことですか?" in told


def test_what_is_typed_is_never_html(page: OwnPage) -> None:
    for text in ("dx/dt = <img src=x onerror=1>\nx(0) = 1", "dx/dt = -k*x\nk = 1 # <script>alert(1)</script>\nx(0) = 1", "dx/dt = k\nk = 1 [0, 2] <b>\nx(0) = 1"):
        told = page.on_typed(asker(), *changed(text=text))
        assert "<img" not in told and "<script" not in told and "<b>" not in told


def test_run_puts_the_model_on_the_desk_and_opens_run(page: OwnPage) -> None:
    model, own, values, seen, bridge, tabs, told = page.on_run(asker(), *VALUES)
    assert model == "own" and values["beta"] == 0.5 and json.loads(own)["text"] == EXAMPLES[0]["text"] and bridge == "put own" and seen == own
    assert isinstance(tabs, gr.Tabs) and tabs.selected == "run" and "All fine." in told
    *skipped, told = page.on_run(asker(), *changed(text="dx/dt = y"))
    assert len(skipped) == 6 and "unknown name “y”" in told and all(one == gr.skip() for one in skipped)


def test_a_model_is_kept_for_its_owner_replaced_by_name_opened_deleted_and_brought_back(page: OwnPage) -> None:
    page.on_save(asker(), *VALUES)
    page.on_save(asker(), *changed(text="unfinished"))
    kept = page.studio.store.documents("simulation", owner="me")
    assert [one.title for one in kept] == ["Epidemic"] and kept[0].body["text"] == "unfinished"
    assert not page.studio.store.documents("simulation", owner="you")
    shown = page.on_open(asker(), kept[0].id, [], *VALUES)
    assert shown[NAMES.index("text")] == "unfinished" and shown[len(NAMES) + 1][0]["text"] == EXAMPLES[0]["text"]
    with pytest.raises(gr.Error):
        page.on_open(asker("you"), kept[0].id, [], *VALUES)
    page.on_delete(kept[0].id, asker("you"))
    assert page.studio.store.documents("simulation", owner="me")
    choice, _, undo, deleted = page.on_delete(kept[0].id, asker())
    assert choice["choices"] == [] and undo["visible"] and deleted == kept[0].id
    assert page.on_undelete(deleted, asker())[0]["choices"] == [("Epidemic", kept[0].id)]


def test_export_and_import_give_the_same_model_and_undo_gives_the_old_one(page: OwnPage, tmp_path: Path) -> None:
    file = page.on_export(*changed(title="Mine / ../x", text="dx/dt = -x\nx(0) = 1"))
    assert file["name"].startswith("Mine") and "/" not in file["name"]
    (tmp_path / file["name"]).write_text(file["text"], encoding="utf-8")
    shown = page.on_import(asker(), str(tmp_path / file["name"]), [], *VALUES)
    assert shown[NAMES.index("text")] == "dx/dt = -x\nx(0) = 1"
    back = page.on_undo(asker(), shown[len(NAMES) + 1], *VALUES)
    assert back[NAMES.index("text")] == EXAMPLES[0]["text"] and back[len(NAMES) + 1] == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[]", b'{"schema": 9}', b'{"text": "dx/dt = y"}', b'{"kind": "ode", "evil": 1}', b"[" * 200_000, b'{"text": "' + b"x" * 300_000 + b'"}'])
def test_a_hostile_file_is_refused_and_nothing_changes(page: OwnPage, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(gr.Error):
        page.on_import(asker(), str(tmp_path / "model.json"), [], *VALUES)


def test_another_kind_brings_its_example_but_never_takes_what_one_typed(page: OwnPage) -> None:
    shown = page.on_kind(asker(), [], *changed(kind="pde"))
    assert shown[NAMES.index("text")] == example_of("pde")["text"] and shown[NAMES.index("size")]["visible"]
    shown = page.on_kind(asker(), [], *changed(kind="map", text="dx/dt = -x\nx(0) = 1"))
    assert shown[NAMES.index("text")] == "dx/dt = -x\nx(0) = 1" and not shown[NAMES.index("size")]["visible"] and not shown[NAMES.index("dt")]["visible"]


def test_the_draft_is_there_again(page: OwnPage) -> None:
    page.on_left(asker(), *changed(text="half a mo"))
    assert page.on_load(asker(), *VALUES)[NAMES.index("text")] == "half a mo"
    assert page.on_load(asker("you"), *VALUES)[NAMES.index("text")] == EXAMPLES[0]["text"]


def test_an_empty_number_is_told(page: OwnPage) -> None:
    assert settings_of({"title": " ", "dt": None})["title"] == "My model"
    told = page.on_typed(asker(), *changed(duration=0))
    assert "studio-error" in told and "greater than 0" in told


def test_every_kind_has_an_example_and_every_example_its_japanese() -> None:
    known = WORDS.tables["ja"]
    assert {one["kind"] for one in EXAMPLES} == {kind.id for kind in KINDS}
    for one in EXAMPLES:
        assert one["title"] in known and one["about"] in known
        for field in read_model(json.dumps(one)).Params.model_fields.values():
            assert WORDS.say("ja", field.description) != field.description or field.description in ("", field.title), field.description
    for kind in KINDS:
        assert kind.title in known and kind.about in known
    for title, lines in CARDS:
        assert title in known and all(meaning in known for _, meaning in lines), title


def test_a_refusal_without_a_place_is_told_without_one(page: OwnPage) -> None:
    told = refused(page.studio, BadInput("There is no equation yet.", hint="Write one."), "", "en")
    assert "own-line" not in told and "There is no equation yet. Write one." in told
    assert "nothing to move by sliders" in understood(page.studio, read_model('{"text": "rule 110", "kind": "automaton", "size": 8}'), "en")


def test_a_model_that_a_link_brought_is_taken_into_the_editor_once(page: OwnPage) -> None:
    linked = json.dumps({"schema": 1, "kind": "ode", "text": "dx/dt = -x\nx(0) = 1"})
    *shown, seen = page.on_desk(asker(), linked, "", [], *VALUES)
    assert shown[NAMES.index("text")] == "dx/dt = -x\nx(0) = 1" and seen == linked and shown[len(NAMES) + 1]
    *shown, seen = page.on_desk(asker(), linked, linked, [], *VALUES)
    assert all(one == gr.skip() for one in shown) and seen == linked
