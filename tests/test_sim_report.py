"""Reports: one file that loads nothing, whatever people wrote; and series as music."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipelines.music.midi import read
from pipelines.simulation.figures import figure
from studio.api import Artifact, BadInput, Desk, Inputs, NotFound, Result
from tests.experimenting import PIPELINES, Context, done, settled

REPORT, SONIFY = "simulation.report", "simulation.sonify"
EVIL = "<script>alert('x')</script>\"'&"


class Reader(HTMLParser):
    """Texts by element, attributes of all elements, and whether all that was opened was closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: dict[str, list[str]] = {}
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    return Inputs(tmp_path)


def made(inputs: Inputs, **values: Any) -> tuple[Reader, str]:
    pipeline = PIPELINES[REPORT]
    params = pipeline.settle(pipeline.Params.parse({"model": "growth", "seed": 7} | values), Desk(catalog=None, inputs=inputs))  # type: ignore[arg-type]
    context = Context(files={part.key: inputs.path(part.key) for part in params.parts})
    (artifact,) = pipeline.run(params, context).artifacts
    assert artifact.suffix == ".html"
    text = artifact.data.decode()
    return Reader(text), text


def experiment(inputs: Inputs) -> dict[str, Any]:
    """A report's params for a finished sweep."""
    params = settled("simulation.sweep", model="growth", x_count=60, replicates=2)
    found = PIPELINES["simulation.sweep"].run(params, Context())
    keep = {".svg": inputs.keep_drawing, ".csv": inputs.keep_table}
    parts = [{"key": keep[one.suffix](one.data), "title": one.title} for one in found.artifacts if one.suffix in keep]
    return {"method": "simulation.sweep", "settings": params.model_dump(mode="json"), "summary": found.summary, "parts": parts, "values": params.values}


def test_a_report_tells_model_settings_figures_tables_and_seed(inputs: Inputs) -> None:
    reader, text = made(inputs, **experiment(inputs))
    assert reader.texts["h2"] == ["Figures", "Tables", "Diagnostics", "Parameters of the model", "Settings", "Equations", "Made with"]
    assert not reader.open and reader.texts["h1"] == ["Growth"] and "start · exp(rate · t)" in "".join(reader.texts["pre"])
    told = dict(zip(reader.texts["dt"], reader.texts["dd"], strict=True))
    assert told["seed"] == "5" and told["x_count"] == "60" and told["runs"] == "120" and told["Python"].startswith("3.")
    assert "40 of 60 rows, evenly chosen." in reader.texts["p"] and {"rate", "mean", "q95"} <= set(reader.texts["th"])
    (picture,) = [value for tag, name, value in reader.attributes if (tag, name) == ("img", "src")]
    assert b"<svg" in base64.b64decode(picture.removeprefix("data:image/svg+xml;base64,"))
    assert {"Rate", "Start", "Noise", "Breaks", "1/d"} <= set(reader.texts["td"])


def test_a_report_is_in_the_pages_language_with_the_same_numbers(inputs: Inputs) -> None:
    given = experiment(inputs)
    (english, _), (reader, text) = (made(inputs, **given, language=language) for language in ("en", "ja"))
    assert "<html lang='ja'>" in text and reader.texts["h2"] == ["図", "表", "診断", "モデルのパラメーター", "設定", "方程式", "使用したソフトウェア"]
    assert "Growth, 掃引" in reader.texts["figcaption"] and "全 60 行から均等に 40 行" in reader.texts["p"]
    for kind in ("dd", "td"):
        assert [cell for cell in reader.texts[kind] if cell.replace(".", "").isdigit()] == [cell for cell in english.texts[kind] if cell.replace(".", "").isdigit()]
    assert "等間隔" in reader.texts["dd"] and "Linear" in english.texts["dd"]


def test_a_report_loads_nothing(inputs: Inputs) -> None:
    reader, text = made(inputs, **experiment(inputs))
    for tag, name, value in reader.attributes:
        assert name not in ("onload", "onclick", "onerror", "srcset") and (name != "src" or value.startswith("data:")) and tag not in ("link", "iframe", "object", "base")
    policy = next(value for tag, name, value in reader.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'; img-src data:") and text.count("<script>") == 1 and "@import" not in text and "url(" not in text
    assert "prefers-color-scheme: dark" in text and "@media print" in text


def test_whatever_people_wrote_is_text(inputs: Inputs) -> None:
    table = inputs.keep_table(f'"{EVIL.replace(chr(34), chr(34) * 2)}",b\n<img src=x onerror=alert(1)>,2\n'.encode())
    evil = {"title": EVIL, "method": EVIL, "settings": {EVIL: EVIL, "in": {"deep": [EVIL]}}, "summary": {"notes": [EVIL]}, "parts": [{"key": table, "title": EVIL}], "own": EVIL}
    reader, text = made(inputs, **evil)
    assert text.count("<script>") == 1 and "<img" not in text and reader.texts["h1"] == [EVIL] and reader.texts["title"] == [EVIL] and EVIL in reader.texts["th"] and EVIL in reader.texts["pre"]
    assert all("alert(" not in value for _, name, value in reader.attributes if name not in ("content", "href"))


def test_an_svg_with_a_script_is_only_a_picture(inputs: Inputs) -> None:
    key = inputs.keep_drawing(b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    _, text = made(inputs, parts=[{"key": key, "title": "Evil"}])
    assert "alert(1)" not in text and "data:image/svg+xml;base64," in text


def test_the_link_opens_the_studio_at_model_and_setting(inputs: Inputs) -> None:
    reader, _ = made(inputs, values={"rate": 0.25}, settings={"seed": 11}, address="http://localhost:7860/")
    link = next(value for tag, name, value in reader.attributes if (tag, name) == ("a", "href"))
    head, _, code = link.partition("?simulation=")
    wish = json.loads(base64.urlsafe_b64decode(code + "=" * (-len(code) % 4)))
    assert head == "http://localhost:7860/" and wish["model"] == "growth" and wish["seed"] == 11 and wish["values"]["rate"] == 0.25


def test_sources_are_cited(inputs: Inputs) -> None:
    reader, _ = made(inputs, model="walk")
    assert "K. Pearson, The problem of the random walk, Nature 72 (1905) 294" in reader.texts["li"]


def test_an_address_can_be_nothing_but_an_address(inputs: Inputs) -> None:
    with pytest.raises(BadInput):
        made(inputs, address="javascript:alert(1)")


def test_a_file_that_is_gone_is_told(inputs: Inputs) -> None:
    with pytest.raises(NotFound) as gone:
        made(inputs, parts=[{"key": "0" * 64 + ".svg", "title": ""}])
    assert gone.value.field == "parts"


def test_what_is_no_drawing_is_refused(inputs: Inputs) -> None:
    for data in (b"", b"hello", b"\x89PNG....", b"<?xml version='1.0'?><html></html>"):
        with pytest.raises(BadInput, match="no SVG"):
            inputs.keep_drawing(data)
    assert inputs.keep_drawing(b"\n<svg></svg>").endswith(".svg")


def test_figures_are_the_same_bytes_each_time_and_take_any_script() -> None:
    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], label="$x_1$ 人口 <b>")
        axes.set_xlabel("$ 5, 時間")

    assert [one.data for one in figure(draw, "A")] == [one.data for one in figure(draw, "A")]


class Player(Context):
    """Plays by asking what was sent to music.render."""

    asked: dict[str, Any]

    def call(self, pipeline_id: str, params: dict[str, Any]) -> Result:
        assert pipeline_id == "music.render"
        self.asked = params
        return Result([Artifact("audio", b"RIFF", ".wav", "")])


def sonified(**values: Any) -> tuple[Any, Player]:
    player = Player()
    done(SONIFY, player, **{"model": "growth", "values": {"rate": 1.0}, "voices": ["count"], "notes": 32} | values)
    return read(player.outputs[0].data), player


def test_a_rising_series_is_a_rising_line_of_the_scale() -> None:
    piece, player = sonified()
    pitches = [note.pitch for note in piece.voices[0].notes]
    assert pitches == sorted(pitches) and pitches[0] == 48 and pitches[-1] == 84 and {pitch % 12 for pitch in pitches} <= {0, 2, 4, 7, 9}
    assert [one.suffix for one in player.outputs] == [".mid", ".wav"] and read(base64.b64decode(player.asked["midi"])).voices == piece.voices


def test_what_stays_is_held() -> None:
    piece, _ = sonified(values={"rate": 0.0})
    assert len(piece.voices[0].notes) == 1 and piece.voices[0].notes[0].length == 32 * 240


@pytest.mark.parametrize("change", [{"voices": ["born"]}, {"duration": 1.0}, {"notes": 16}, {"scale": "Blues"}, {"lowest": 50}, {"octaves": 2}, {"tempo": 90}, {"values": {"rate": 0.2}}])
def test_every_setting_is_heard(change: dict[str, Any]) -> None:
    assert sonified()[1].outputs[0].data != sonified(**change)[1].outputs[0].data


def test_without_sound_there_is_the_piece_alone() -> None:
    assert [one.suffix for one in sonified(sound=False)[1].outputs] == [".mid"]


def test_several_series_are_several_instruments() -> None:
    piece, _ = sonified(voices=[], model="walk", values={})
    assert len({voice.program for voice in piece.voices}) == 2 and all(voice.notes for voice in piece.voices)


def test_what_can_not_be_played_is_refused() -> None:
    for values, field in (({"voices": ["nobody"]}, "voices"), ({"lowest": 100, "octaves": 3}, "octaves"), ({"tempo": 10}, "tempo")):
        with pytest.raises(BadInput) as refused:
            settled(SONIFY, model="growth", **values)
        assert refused.value.field == field
