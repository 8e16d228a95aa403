"""The Speech page's words and files, and answers as one would say them."""

from __future__ import annotations

import html
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from pipelines.music.speech import voices
from pipelines.music.speech.speech import Speech
from studio import ui
from studio.api import Artifact, BadInput, Studio
from studio.catalog import Catalog
from studio.downloads import Downloads
from studio.executor import InlineExecutor
from studio.i18n import Words as Catalogue
from studio.jobs import JobQueue
from studio.plugins import Hooks
from studio.settings import Settings
from studio.store import Store
from tabs.music_speech import FORM, SPEAKERS, VOICES, SpeechPage, lines_of, marked_place
from tabs.music_speech_words import Words, imported, pairs_of, same, text_of, words_of
from tabs.speech_aloud import LEFT_OUT, Aloud, language_of, speakable
from tests.house import finish, make_studio, worker_config
from tests.speaking import TonesMaker


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with make_studio(tmp_path) as made:
        made.pipelines["music.speech"] = Speech()
        yield made


def test_a_correction_goes_into_the_dictionary_of_its_person(studio: Studio) -> None:
    words = Words(studio)
    words.correct("anna", "SQL", "sequel")
    words.correct("anna", "人間", "ジンカン")
    words.correct("anna", "SQL", "S Q L")
    assert words.lines("anna") == ["人間 = ジンカン", "SQL = S Q L"] and words.lines("ben") == []
    words.correct("anna", "SQL", "")
    assert words.lines("anna") == ["人間 = ジンカン"]


def test_what_can_not_be_spoken_is_refused_and_nothing_is_lost(studio: Studio) -> None:
    words = Words(studio)
    words.put("anna", [("SQL", "sequel")])
    for word, reading in (("bad", "/漢/"), ("a=b", "c"), ("# x", "y")):
        with pytest.raises(BadInput):
            words.correct("anna", word, reading)
    assert words.lines("anna") == ["SQL = sequel"]


def test_dictionaries_are_read_from_lines_and_tables() -> None:
    assert imported("\ufeffSQL = sequel\n# a remark\n人間 = ジンカン\n") == [("SQL", "sequel"), ("人間", "ジンカン")]
    assert imported("word,reading\nSQL,sequel\n") == [("SQL", "sequel")]
    assert imported("SQL\tsequel\n") == [("SQL", "sequel")]
    with pytest.raises(BadInput, match="no words"):
        imported("nothing here")
    assert pairs_of(["a = b", "c =", "# d = e"]) == [("a", "b")]
    assert text_of("人間 = ジンカン".encode()) == "人間 = ジンカン"
    for data in ("人間 = ジンカン".encode("shift_jis"), "SQL = sequel".encode("utf-16"), b"\0SQL = sequel"):
        with pytest.raises(BadInput, match="no text in UTF-8"):
            text_of(data)


def test_every_word_can_be_clicked_and_nothing_of_the_text_is_lost() -> None:
    found = [{"surface": "猫", "reading": "ネコ", "language": "ja", "from": 0, "to": 1, "own": True}]
    drawn = words_of("猫 & <SQL> 18:45", found, "fix")
    assert 'class="word own" data-word="猫" data-reading="ネコ" lang="ja"' in drawn and "<rt>ネコ</rt>" in drawn
    assert 'data-word="SQL" data-reading=""' in drawn and 'data-word="18:45"' in drawn and "&amp; &lt;" in drawn


def test_kana_that_is_read_as_it_stands_has_no_reading_over_it() -> None:
    assert same("ねこ", "ネ'コ") and same("ネコ", "ネコ") and not same("は", "ワ")


def test_a_wrong_mark_is_shown_in_its_line() -> None:
    text = "<speak>\nHello <brake/>\n</speak>"
    drawn = marked_place(BadInput("Line 2, column 7: the tag <brake> is not known here.", hint="", field="text"), text)
    line, sign = drawn.removeprefix("<pre class='speech-place'>").removesuffix("</pre>").split("\n")
    assert line == "Hello &lt;brake/&gt;" and sign == " " * 6 + "▲"
    assert marked_place(BadInput("Line 9, column 7: lost", hint="", field="text"), text) == marked_place(BadInput("Else.", hint="", field="text"), text) == ""


def test_lines_are_lit_up_with_who_says_them() -> None:
    assert lines_of({"timing": [[0.0, 1.5, "Hi.", "Anna", 6, 9], [1.5, 2, "Yes.", "", 10, 14]]}) == ((0.0, 1.5, "Anna: Hi."), (1.5, 2.0, "Yes."))
    assert lines_of({}) == ()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("# Title\n\nSome **bold** and *soft* words, `code` too.", "Title.\n\nSome bold and soft words, code too."),
        ("- one\n- two\n\n1. three", "one.\ntwo.\n\n1. three."),
        ("See [the guide](https://example.org/a?b=1) or https://www.example.org/x/y.", "See the guide or example.org"),
        ("Before\n```python\nprint(1)\n```\nafter", f"Before\n\n{LEFT_OUT['en']}\n\nafter"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a, b.\n\n1, 2."),
        ("2 * 3 * 4 and snake_case_name stay", "2 * 3 * 4 and snake_case_name stay"),
        ("> quoted\n\n---\n\nend", "quoted.\n\nend"),
        ("![a cat](cat.png) sits", "a cat sits"),
    ],
)
def test_markdown_is_read_as_one_would_say_it(written: str, said: str) -> None:
    assert speakable(written) == said


def test_left_out_code_is_named_in_the_answers_language() -> None:
    japanese = "これは例です。\n```\nx = 1\n```"
    assert speakable(japanese, language_of(japanese)).endswith(LEFT_OUT["ja"])
    assert speakable("## 見出し", "ja") == "見出し。" and speakable("```\nopen", "en") == LEFT_OUT["en"]


def test_what_can_be_fetched_says_what_comes_of_it(studio: Studio) -> None:
    from studio.starter import starter_models
    from tabs.music_speech import SpeechPage

    model = next(one for one in starter_models() if one.id == "kokoro-ja")
    page = SpeechPage(studio)
    assert ">Get 5 better voices, Japanese: Kokoro 82M (92 MB)<" in page._fetch(model, 5, "en") and ">より良い声を 5 種類入手（日本語）：Kokoro 82M（92 MB）<" in page._fetch(model, 5, "ja")


def request() -> Any:
    return SimpleNamespace(headers={"x-seisei-owner": "anna", "x-seisei-arrived": "1", "x-seisei-host": "1"}, session_hash="page", cookies={}, query_params={})


@pytest.fixture
def page(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> SpeechPage:
    """With a stand-in for each component; words are looked up by nobody."""
    monkeypatch.setattr(Words, "readings", lambda self, owner, text, lang: "")
    made = SpeechPage(studio)
    made.text, made.cast, made.cast_row, made.voice_note, made.readings, made.table, made.extras = (*(SimpleNamespace() for _ in range(6)), {})
    made.voices, made.cast_voices = {name: SimpleNamespace() for name in VOICES}, [SimpleNamespace() for _ in range(SPEAKERS)]
    made.controls = {name: SimpleNamespace() for names in made.names.values() for name in names}
    return made


def loaded(page: SpeechPage) -> dict[int, Any]:
    """What stands in each component after a load, by its id; lists by their value."""
    values = page.on_load(request())
    return {id(place): value.get("value") if isinstance(value, dict) else value for place, value in zip(page.restored, values, strict=True)}


def given(page: SpeechPage, shown: dict[int, Any]) -> dict[str, Any]:
    """What the page would ask a job with after that, the defaults where it left a control alone."""
    usual = {name: ui.show_value(field.get_default(call_default_factory=True)) for name, field in page.Params.model_fields.items()}
    found = {name: shown[id(place)] for name, place in page.given.items() if id(place) in shown}
    return {name: usual[name] if value is None and name in usual else value for name, value in found.items()}


SCRIPT = "Anna: Hello.\nBen: Good evening.\nAnna: Bye."


def test_the_voices_of_a_script_are_in_their_lists_after_a_reload_and_can_be_changed(page: SpeechPage, studio: Studio) -> None:
    first = given(page, loaded(page)) | {"text": SCRIPT, "cast": ["Anna", "Ben"], "cast_0": "heart", "cast_1": "", "speakers": "Ben = automatic, speed 1.2"}
    assert page.asked("anna", first)[0]["speakers"] == ["Ben = automatic, speed 1.2", "Anna = heart"]
    again = given(page, loaded(page))
    assert (again["cast"], again["cast_0"], again["cast_1"], again["speakers"]) == (["Anna", "Ben"], "heart", "", "Ben = automatic, speed 1.2")
    changed = page.asked("anna", again | {"cast_0": "", "cast_1": "heart"})[0]
    assert changed["speakers"] == ["Ben = heart, speed 1.2"]
    assert page.on_cast(SCRIPT, "Automatic", again["cast"], request()) == [gr.skip()] * (2 + SPEAKERS), "the event that follows a load leaves them alone"
    plain = page.asked("anna", given(page, loaded(page)) | {"text": "No script.", "cast": [], "speakers": ""})[0]
    assert plain["speakers"] == [] and studio.jobs.verdict(page.method, page.Params.parse(plain)).missing == ""


def test_a_script_that_is_given_back_has_its_voices_in_the_lists(page: SpeechPage, studio: Studio) -> None:
    """A job keeps a line for everybody."""
    params = page.method.settle(page.Params.parse({"text": SCRIPT, "speakers": ["Ben = heart, volume -3"]}), studio.jobs.desk).model_dump()
    assert params["speakers"] == ["Anna = automatic", "Ben = heart, volume -3"]
    studio.store.remember("anna", "restore:music.speech", params)
    shown = given(page, loaded(page))
    assert (shown["cast_0"], shown["cast_1"], shown["speakers"]) == ("", "heart", "Ben = automatic, volume -3")
    assert page.method.settle(page.Params.parse(page.asked("anna", shown)[0]), studio.jobs.desk).model_dump() == params
    assert page.asked("anna", shown | {"cast_0": "heart", "cast_1": ""})[0]["speakers"] == ["Ben = automatic, volume -3", "Anna = heart"]
    assert studio.store.recall("anna", FORM)["cast"] == {"Anna": "heart"}


def test_speakers_of_an_earlier_text_are_left_out_of_another_and_mistyped_ones_are_refused(page: SpeechPage, studio: Studio) -> None:
    script = given(page, loaded(page)) | {"text": SCRIPT, "cast": ["Anna", "Ben"], "cast_0": "heart", "cast_1": "", "speakers": "Ben = automatic, speed 1.2"}
    plain = script | {"text": "No script."}
    assert page.asked("anna", plain)[0]["speakers"] == ["Ben = automatic, speed 1.2"], "never heard: for a refusal at its field"
    page.accepted("anna", script)
    assert page.asked("anna", plain)[0]["speakers"] == [] and studio.store.recall("anna", FORM)["speakers"] == ["Ben = automatic, speed 1.2"]
    assert page.on_measure(request(), **plain).endswith("not in this text and left out: Ben")
    page.accepted("anna", plain)
    others = script | {"text": "Carl: Hello.", "speakers": "Ben = automatic, speed 1.2\nKarl = heart"}
    assert page.asked("anna", others)[0]["speakers"] == ["Karl = heart"]
    assert page.asked("anna", script)[0]["speakers"] == ["Ben = automatic, speed 1.2", "Anna = heart"]
    studio.store.remember("anna", "restore:music.speech", {"text": SCRIPT, "speakers": ["Ben = automatic, volume -3"]})
    assert page.asked("anna", given(page, loaded(page)) | {"text": "No script."})[0]["speakers"] == [], "a file's, too"


def test_memory_stands_beside_the_time(page: SpeechPage) -> None:
    shown = given(page, loaded(page))
    assert "Fits: " in page.on_measure(request(), **shown | {"text": "Hello there."})


# -- an answer read aloud ------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """Speech runs here, with voices that make tones."""
    hooks = Hooks()
    hooks.load_builtin("pipelines.music")
    monkeypatch.setattr(voices, "MAKERS", [TonesMaker()])
    monkeypatch.setattr(voices, "FIRST", {})
    data = tmp_path / "data"
    config = worker_config(data) | {"builtins": ["pipelines.music"]}
    queue = JobQueue(
        pipelines={"music.speech": Speech()}, executors={"cpu": InlineExecutor(config), "device": InlineExecutor(config)}, store=Store(data), hooks=hooks, catalog=Catalog([]), settings=Settings(data_dir=str(data)), spool=data / "spool", budget=lambda settings: 2**30,
    )  # fmt: skip
    queue.start()
    yield Studio(queue.settings, queue.hooks, queue.pipelines, queue.catalog, queue, queue.store, Catalogue(), Downloads(lambda: queue.settings, queue.catalog.refresh))
    finish(queue)


ANSWER = "One here. Two here.\n\n- Three"


class Reading:
    """Of one answer, whose second sentence is not spoken before `gate` opens."""

    def __init__(self, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate, self.jobs, self.aloud = threading.Event(), list[Any](), Aloud(studio)
        monkeypatch.setattr(self.aloud, "_tidy", self.jobs.append)  # later, by the test
        monkeypatch.setattr(self.aloud, "_answer_of", lambda chat, row, request: ANSWER, raising=False)
        engine = voices.MAKERS[0].engine  # type: ignore[attr-defined]
        usual = engine.say

        def say(phrase: Any, voice: Any, **more: Any) -> Any:
            assert "Two" not in phrase.text or self.gate.wait(60)
            return usual(phrase, voice, **more)

        monkeypatch.setattr(engine, "say", say)
        self.stream = self.aloud.on_speak(SimpleNamespace(_data={"value": [0, 7]}), "chat", request())  # type: ignore[arg-type]

    def told(self, answer: str) -> dict[str, Any]:
        found = re.search(r'<i data-play="([^"]*)" data-turn="7">', answer)
        return dict(json.loads(html.unescape(found[1]))) if found else {}


def test_the_first_sentence_of_an_answer_is_heard_while_the_next_is_made(house: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = Reading(house, monkeypatch)
    first = reading.told(next(reading.stream))
    assert len(first["sentences"]) == 1 and not first["whole"] and reading.jobs[0].state == "running"
    reading.gate.set()
    rest = [reading.told(answer) for answer in reading.stream]
    assert [len(one["sentences"]) for one in rest] == [2, 3, 3] and [bool(one["whole"]) for one in rest] == [False, False, True]
    assert len(rest[-1]["begins"]) == 3 and rest[-1]["begins"] == sorted(rest[-1]["begins"])
    (job,) = reading.jobs
    assert len(house.store.outputs_of(job.id)) == 4 and job.params.model_dump()["text"] == "One here. Two here.\n\nThree."
    Aloud._tidy(reading.aloud, job)
    (whole,) = house.store.outputs_of(job.id)
    assert rest[-1]["whole"] == f"/api/v1/outputs/{whole.id}/file" and house.store.count(owner="anna") == 1


def test_stop_ends_a_reading_and_keeps_what_was_spoken(house: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = Reading(house, monkeypatch)
    assert reading.told(next(reading.stream))["sentences"]
    reading.aloud.on_stop(request())
    reading.gate.set()
    *_, last = list(reading.stream)
    assert last == '<i data-turn="7" data-ended></i>' and reading.jobs[0].wait().state == "cancelled"
    Aloud._tidy(reading.aloud, reading.jobs[0])
    assert [output.metadata["facts"]["timing"][0][2] for output in house.store.outputs_of(reading.jobs[0].id)] == ["One here."]


def test_sentences_of_a_reading_that_the_studio_ended_in_go_at_the_next_start(house: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the job is taken up again or is not known any more."""
    reading = Reading(house, monkeypatch)
    reading.gate.set()
    assert list(reading.stream)
    (job,) = reading.jobs
    (gone,) = house.store.save(job_id="gone", owner="anna", pipeline_id="music.speech", artifacts=[Artifact("audio", b"RIFF\0\0\0\0WAVE", ".wav", facts={"part": 1})], metadata={"params": {}})
    reading.aloud._note("gone", "anna")
    assert len(house.store.outputs_of(job.id)) == 4 and Path(gone.path).is_file()
    Aloud(house)
    deadline = time.monotonic() + 60
    while house.store.recall("", Aloud.untidied) and time.monotonic() < deadline:
        time.sleep(0.01)
    (whole,) = house.store.outputs_of(job.id)
    assert "part" not in whole.metadata["facts"] and not house.store.outputs_of("gone") and not Path(gone.path).exists()
