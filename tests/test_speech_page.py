"""The Speech page's words and files, and answers as one would say them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.api import BadInput, Studio
from tabs.music_speech import lines_of, marked_place
from tabs.music_speech_words import Words, imported, pairs_of, same, words_of
from tabs.speech_aloud import LEFT_OUT, language_of, speakable
from tests.house import make_studio


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    from pipelines.music.speech.speech import Speech

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
