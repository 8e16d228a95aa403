"""What becomes of a text before a voice sees it: sentences, languages, figures, readings, speakers."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest

from pipelines.music.speech import english, japanese, ssml
from pipelines.music.speech.cast import planned, settled
from pipelines.music.speech.dictionary import parse, replaced
from pipelines.music.speech.params import SpeechParams
from pipelines.music.speech.script import cast, joined, kind_of, parse_speakers, parted, read_table, speakers_of
from pipelines.music.speech.sounds import check_ipa, from_voice, to_voice
from pipelines.music.speech.text import breaths, language_of, parts_by_language, sentences, unreadable
from studio.api import BadInput, ModelMissing
from studio.i18n import read_catalogue
from tests.sentences import templates
from tests.speaking import catalog


def plan(text: str, **values: object) -> list[tuple[str, str, str, float]]:
    """(words, language, voice, pause) of each utterance."""
    made = planned(SpeechParams.parse({"text": text, "japanese_voice": "mei", **values}), catalog())
    return [(one.phrase.text.strip(), one.phrase.language, one.voice.id, one.pause) for one in made.utterances]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("He met Dr. Smith at 3.14 p.m. yesterday. It rained.", 2), ("J. K. Rowling wrote it, e.g. this one. Really?! “Yes.”", 3), ("Is it so? I think so. No. 5 is alive.", 3),
        ("今日は。明日は！「そうだ。」と言った。3.5％です", 5), ("www.example.com is a site. Go.", 2), ("Wait… what? And so on etc. and so forth.", 2), ("U.S. troops left. Mr. and Mrs. Jones stayed.", 2), ("", 0), ("no end", 1),
    ],
)  # fmt: skip
def test_sentences_end_where_people_end_them(text: str, count: int) -> None:
    spans = list(sentences(text))
    assert len(spans) == count and "".join(text[begin:end] for begin, end in spans) == text


def test_no_letter_is_lost_between_sentences_and_breaths() -> None:
    chance = random.Random(3)
    for _ in range(300):
        text = "".join(chance.choice(["word ", "Dr. ", "3.5", ". ", "! ", "、", "。", "漢字", "かな", ", ", "…", "\"", "a" * 50, " "]) for _ in range(chance.randrange(1, 60)))
        assert "".join(text[begin:end] for begin, end in sentences(text)) == text
        spans = breaths(text, 40)
        assert "".join(text[begin:end] for begin, end in spans) == text and max(end - begin for begin, end in spans) <= 40


def test_a_line_broken_by_the_width_of_a_page_goes_on() -> None:
    assert [words for words, *_ in plan("It was the best of times and it was the worst\nof times indeed.\n\nA new one")] == ["It was the best of times and it was the worst of times indeed.", "A new one"]
    assert len(plan("First line\nSecond line")) == 2


def test_each_part_is_spoken_by_its_languages_voice() -> None:
    assert plan("私はmachine learningが好きです。") == [("私は", "ja", "mei", 0.04), ("machine learning", "en", "heart", 0.04), ("が好きです。", "ja", "mei", 0.35)]
    assert [(words, voice) for words, _, voice, _ in plan("AIとTシャツの話。")] == [("AIとTシャツの話。", "mei")]
    assert [(words, voice) for words, _, voice, _ in plan("The word 日本語 means Japanese.")] == [("The word", "heart"), ("日本語", "mei"), ("means Japanese.", "heart")]
    assert [voice for _, _, voice, _ in plan("今日は良い日です。42。")] == ["mei", "mei"] and [voice for _, _, voice, _ in plan("It is a good day. 42.")] == ["heart", "heart"]
    assert language_of("12", "ja") == "ja" and parts_by_language("漢字とかな") == [("ja", 0, 5)] and unreadable("日本 abc", ("en",)) == "日本"


def test_a_language_that_is_chosen_holds_everywhere() -> None:
    assert {language for _, language, _, _ in plan("AI and 日本。", language="Japanese")} == {"ja"}
    with pytest.raises(BadInput, match="No voice here can read these letters: 今日は"):
        plan("今日は。", language="English")


def test_pauses_come_from_the_settings_and_breaks_take_their_place() -> None:
    values = {"pause_sentence": 0.2, "pause_paragraph": 1.5, "pause_line": 0.7}
    assert [pause for *_, pause in plan("One. Two.\n\nThree.", **values)] == [0.2, 1.5, 0.2]
    assert [pause for *_, pause in plan("A: One. Two.\nB: Three.", **values)] == [0.2, 0.7, 0.2]
    assert [pause for *_, pause in plan('<speak>One.<break time="3s"/> Two.<break time="1s"/><break time="1s"/><p>Three.</p></speak>', **values)] == [3, 2, 1.5]


def test_a_long_sentence_is_cut_at_its_commas() -> None:
    words = "and then the very long story went on and on, " * 20
    spoken = plan(words + "end.")
    assert len(spoken) > 3 and all(len(text) <= 240 for text, *_ in spoken) and {pause for *_, pause in spoken[:-1]} == {0.15}
    assert max(len(text) for text, *_ in plan("とても長い話がどこまでも続いてゆくのであって、" * 20)) <= 102


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Call (555) 123-4567.", "Call five five five, one two three, four five six seven."), ("see https://www.example.com/a_b", "see W.W.W. dot example dot com slash a underscore b"), ("to a.b@example.com", "to a dot b at example dot com"),
        ("at 2024-03-05T14:30", "at March fifth, twenty twenty four, fourteen thirty"), ("open 24/7", "open twenty four seven"), ("3 3/4 cups", "three and three quarters cups"), ("v2.10", "version two point ten"), ("10k people", "10 thousand people"),
        ("on 5.3.2024", "on March fifth, twenty twenty four"), ("and so on, etc. and more", "and so on, et cetera and more"), ("nothing of that kind", "nothing of that kind"), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_figures_are_put_into_words_where_the_voice_is_weak(text: str, said: str) -> None:
    assert english.spelled(text) == said


def test_numbers_in_words() -> None:
    assert [english.cardinal(value) for value in (0, 19, 80, 101, 1_000_000, 2_345_678, -7)] == ["zero", "nineteen", "eighty", "one hundred one", "one million", "two million three hundred forty five thousand six hundred seventy eight", "minus seven"]
    assert [english.ordinal(value) for value in (1, 2, 3, 5, 8, 9, 12, 20, 21, 100, 112)] == ["first", "second", "third", "fifth", "eighth", "ninth", "twelfth", "twentieth", "twenty first", "one hundredth", "one hundred twelfth"]
    assert [english.year(value) for value in (1984, 2000, 2005, 2024, 1900, 1066, 476)] == ["nineteen eighty four", "two thousand", "two thousand five", "twenty twenty four", "nineteen hundred", "ten sixty six", "four hundred seventy six"]
    seen = {english.cardinal(value) for value in range(5000)}
    assert len(seen) == 5000, "no two numbers sound alike"


@pytest.mark.parametrize(
    ("written", "sound"),
    [
        ("tōkyō", "トーキョー"), ("toukyou", "トーキョー"), ("shimbun", "シンブン"), ("kitte", "キッテ"), ("matcha", "マッチャ"), ("shin'ya", "シンヤ"), ("gakkou", "ガッコー"), ("hashi'", "ハシ'"), ("fuji", "フジ"), ("jūdō", "ジュードー"), ("konnichiwa", "コンニチワ"), ("kya", "キャ"), ("123", ""), ("xq", ""),
    ],
)  # fmt: skip
def test_romaji_becomes_kana(written: str, sound: str) -> None:
    assert japanese.romaji_to_kana(written) == sound


def test_kana_as_it_is_spelled_and_as_it_sounds() -> None:
    assert [japanese.sound_of(kana) for kana in ("とうきょう", "せんせい", "おおきい", "くうき", "トウキョウ", "はし'", "にんげん")] == ["トーキョー", "センセー", "オオキイ", "クーキ", "トウキョウ", "ハシ'", "ニンゲン"]
    assert japanese.fall_of("ハ'シ") == ("ハシ", 1) and japanese.fall_of("ハシ'") == ("ハシ", 2) and japanese.fall_of("ハシ") == ("ハシ", -1)


def test_ipa_becomes_the_voices_letters_and_back() -> None:
    assert [to_voice(ipa) for ipa in ("/təˈmeɪtoʊ/", "ˈtʃɜːtʃ", "ɡoʊ", "ˈbɔɪ", "haʊs", "ðɪs")] == ["təmˈAtO", "ʧˈɜɹʧ", "ɡˈO", "bˈY", "hˈWs", "ðˈɪs"]
    for sounds in ("təmˈAtO", "ʧˈɜɹʧ", "wˈɜɹld", "ʤˈʌmps", "sˈIəns"):
        assert to_voice(from_voice(sounds)) == sounds
    assert check_ipa("həˈloʊ") == "" and check_ipa("ø") == "ø" and check_ipa("日本") == "日" and check_ipa("ˈ.") and check_ipa("a" * 300)


def test_the_dictionary_knows_words_as_people_write_them() -> None:
    entries = parse(["SQL = sequel", "# a remark", "", "tomato = /təˈmɑːtoʊ/", "人間 = じんかん", "橋 = ハシ'", "New York = the Big Apple"])
    found = replaced("My SQL tomato, Tomatoes, sql, 人間の橋 in New York.", entries)
    assert "".join(piece.text for piece, _, _ in found) == "My SQL tomato, Tomatoes, sql, 人間の橋 in New York."
    assert [(piece.text, piece.reading, piece.alphabet) for piece, _, _ in found if piece.alphabet] == [
        ("SQL", "sequel", "text"), ("tomato", "təˈmɑːtoʊ", "ipa"), ("人間", "ジンカン", "kana"), ("橋", "ハシ'", "kana"), ("New York", "the Big Apple", "text"),
    ]  # fmt: skip
    for begin, end, piece in [(begin, end, piece) for piece, begin, end in found]:
        assert end - begin == len(piece.text)


@pytest.mark.parametrize("line", ["word", "= x", "word =", "word = /øø/"])
def test_a_line_that_is_no_entry_is_refused(line: str) -> None:
    with pytest.raises(BadInput, match="Line 2 of the dictionary") as refused:
        parse(["ok = fine", line])
    assert refused.value.field == "dictionary"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Anna: Hello.\nBob: Hi.", "Script"), ("アンナ：こんにちは。\nボブ：やあ。", "Script"), ("Note: one line only", "Plain text"), ("Hello.\nAnna: Hi.", "Plain text"), ("At 10:30 we left.\nAt 11:45 we came.", "Plain text"),
        ("speaker,text\nA,Hello", "Table"), ("text;speaker;pause\nHello;A;1", "Table"), ("<speak>a</speak>", "SSML"), ("  <?xml version='1.0'?><speak>a</speak>", "SSML"), ("http://a.example\nhttp://b.example", "Plain text"), ("a < b", "Plain text"),
    ],
)  # fmt: skip
def test_the_kind_of_a_text_is_told_by_it(text: str, kind: str) -> None:
    assert kind_of(text) == kind


def test_speakers_keep_their_voices() -> None:
    text = "Anna: Hello.\nBob: Hi there.\nOh yes.\n\nAnna: 今日は。"
    params = settled(SpeechParams(text=text, kind="Script", japanese_voice="mei", speakers=["Bob = heart, speed 1.2, pitch -4, volume -3"]), catalog())
    assert params.speakers == ["Anna = automatic", "Bob = heart, speed 1.2, pitch -4, volume -3"] and params.voice == "heart"
    said = planned(params, catalog()).utterances
    assert [(one.style.speaker, one.phrase.text, one.voice.id, one.style.pitch, one.style.rate) for one in said] == [
        ("Anna", "Hello.", "heart", 0, 1), ("Bob", "Hi there.", "heart", -4, 1.2), ("Bob", "Oh yes.", "heart", -4, 1.2), ("Anna", "今日は。", "mei", 0, 1),
    ]  # fmt: skip
    assert settled(params, catalog()) == params, "settled again it stays"
    assert all(text[one.at : one.to] == one.phrase.text for one in said)


def test_many_speakers_of_one_voice_are_told_apart_by_pitch() -> None:
    text = "\n".join(f"S{number}: Hello." for number in range(5))
    pitches = [speaker.pitch for speaker in parse_speakers(settled(SpeechParams(text=text), catalog()).speakers).values()]
    assert len(set(pitches)) == 5 and pitches[0] == 0


def test_a_table_says_more_of_each_line() -> None:
    text = 'speaker,text,voice,speed,pitch,volume,pause\nAnna,"Hello, you.",,1.5,2,-3,2\nBob,今日は,mei,,,,\n'
    said = planned(SpeechParams(text=text), catalog()).utterances
    assert [(one.phrase.text, one.voice.id, one.style.rate, one.style.pitch, one.style.volume, one.pause, one.exact, one.unit) for one in said] == [("Hello, you.", "heart", 1.5, 2, -3, 2, True, 0), ("今日は", "mei", 1, 0, 0, 0, False, 1)]
    assert speakers_of(text, "Automatic") == ["Anna", "Bob"] and text[said[1].at : said[1].to] == "今日は"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("speaker;words\nA;b", "needs the columns"), ("speaker,text,colour\nA,b,red", "“colour” is not known"), ("speaker,text\nA,b,c,d", "Row 1"), ('speaker,text\nA,"b', "can be read"), ("speaker,text,speed\nA,b,fast", "“fast” is no speed"),
        ("speaker,text,pause\nA,b,99", "“99” is no pause"), ("", "needs the columns"), ("speaker,text,pitch\nA,b,nan", "“nan” is no pitch"),
    ],
)  # fmt: skip
def test_a_broken_table_is_refused_with_its_row(text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as refused:
        read_table(text, {})
    assert refused.value.field == "text"


@pytest.mark.parametrize(
    ("lines", "voices", "rest"),
    [
        (["A = automatic", "B = automatic, pitch -3", "C = automatic, pitch +3"], {}, []),  # as a job keeps them where nobody was given a voice
        (["A = automatic", "B = heart", "C = automatic, pitch -3"], {"B": "heart"}, []), (["A = automatic, speed 2", "B = automatic", "C = automatic, pitch -3"], {}, ["A = automatic, speed 2"]),
        (["A = heart", "B = automatic", "C = mei"], {"A": "heart"}, ["C = mei"]), (["A = heart, speed 1.1", "C = automatic, volume -3"], {"A": "heart"}, ["A = automatic, speed 1.1", "C = automatic, volume -3"]),
        (["A = automatic"], {}, ["A = automatic"]), (["D = heart", "A = automatic, pitch -3"], {}, ["D = heart", "A = automatic, pitch -3"]), ([], {}, []),
    ],
)  # fmt: skip
def test_lines_of_speakers_and_lists_of_their_voices_say_the_same(lines: list[str], voices: dict[str, str], rest: list[str]) -> None:
    names = ["A", "B", "C"]
    assert parted(names, lines, 2) == (voices, rest)
    assert cast(names, parse_speakers(joined(rest, voices))) == cast(names, parse_speakers(lines))


def test_a_line_that_names_a_voice_stands_over_the_list() -> None:
    assert joined(["A = heart", "B = automatic, pitch +2"], {"A": "mei", "B": "mei", "C": ""}) == ["A = heart", "B = mei, pitch +2"]
    with pytest.raises(BadInput, match="does not say"):
        joined(["A heart"], {})


@pytest.mark.parametrize(
    ("values", "field", "told"),
    [
        ({"speed": 2.0, "text": "<speak>Hi.\n<prosody rate='250%'>you</prosody></speak>"}, "speed", r"Line 2, column 22: with the mark there .* at 500% of the usual speed; 25% to 400%"),
        ({"pitch": 12, "text": "<speak><prosody pitch='+13st'>you</prosody></speak>"}, "pitch", r"Line 1, column 31: .* \+25 semitones"),
    ],
)
def test_what_can_not_be_spoken_so_fast_or_high_is_refused(values: dict[str, object], field: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as refused:
        settled(SpeechParams.parse(values), catalog())
    assert refused.value.field == field and refused.value.hint
    settled(SpeechParams.parse({"speed": 2.0, "text": "A: Hi\nB: Ho", "speakers": ["A = heart, speed 2, pitch 12"], "pitch": 12}), catalog())  # the ends of every control together


@pytest.mark.parametrize(
    ("values", "field", "told"),
    [
        ({"text": ""}, "text", "no text"), ({"text": " \n\t"}, "text", "no text"), ({"text": "... !? —"}, "text", "only marks"), ({"text": "Здравствуйте"}, "text", "No voice here can read these letters: Здравст"), ({"text": "😀"}, "text", "No voice"),
        ({"text": "Hi", "voice": "hart"}, "voice", "no voice “hart”"), ({"text": "今日は", "japanese_voice": "nobody"}, "japanese_voice", "no voice"), ({"text": "Hi", "speakers": ["Anna = heart"]}, "speakers", "no speakers"),
        ({"text": "A: Hi\nB: Ho", "speakers": ["C = heart"]}, "speakers", "Nobody in this text is called “C”"), ({"text": "A: Hi\nB: Ho", "speakers": ["A = nobody"]}, "speakers", "no voice “nobody”"),
        ({"text": "A: Hi\nB: Ho", "speakers": ["A heart"]}, "speakers", "does not say"), ({"text": "A: Hi\nB: Ho", "speakers": ["A = heart, speed 9"]}, "speakers", "does not say"), ({"text": "Hi", "dictionary": ["x"]}, "dictionary", "Line 1"),
        ({"text": "<speak></speak>"}, "text", "only marks"), ({"text": '<speak><lang xml:lang="de">Hallo</lang></speak>'}, "text", "No voice here speaks “de”"), ({"text": "<speak>a", "kind": "SSML"}, "text", "Line 1"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_at_its_field(values: dict[str, object], field: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as refused:
        settled(SpeechParams.parse(values), catalog())
    assert refused.value.field == field and refused.value.hint


def test_a_voice_whose_model_is_not_here_says_so() -> None:
    with pytest.raises(ModelMissing, match="is not on this computer") as refused:
        settled(SpeechParams(text="今日は", japanese_voice="alpha"), catalog())
    assert refused.value.field == "japanese_voice" and "Fetch" in refused.value.hint


def test_every_reason_of_a_wrong_mark_has_its_japanese() -> None:
    known, tree = read_catalogue("ja"), ast.parse(Path(ssml.__file__).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "_wrong"]
    told = [text for call in calls for text in templates(call.args[0])]
    assert len(told) > 25 and not [text for text in told if text not in known]
    assert all(text in known for field in SpeechParams.model_fields.values() for text in (field.title, field.description))
