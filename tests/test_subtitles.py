"""Subtitles: their times are those of the sound, their form is that of SRT and WebVTT."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pipelines.music.speech.engine import Phrase, Piece
from pipelines.music.speech.frontend import nodes_of
from pipelines.music.speech.hibari import Hibari
from pipelines.music.speech.htsvoice import lengths_of
from pipelines.music.speech.kokoro import model_of
from pipelines.music.speech.subtitles import Cue, cues_of, srt, vtt, wrapped
from pipelines.music.speech.words import Word, aligned, found_in, moved, without
from tests.speaking import Context, catalog, silences, speak


def test_an_srt_file_is_numbered_and_timed_to_the_millisecond() -> None:
    assert srt([Cue(0.0, 1.5, "Hello."), Cue(3661.0625, 3662.0, "Bye.", "Anna")]) == "1\n00:00:00,000 --> 00:00:01,500\nHello.\n\n2\n01:01:01,062 --> 01:01:02,000\nAnna: Bye.\n"


def test_a_vtt_file_names_its_speakers_and_escapes_marks() -> None:
    text = vtt([Cue(0.0, 1.0, "a < b --> c & d", "An<na>")], "Voice --> Mei")
    assert text == "WEBVTT\n\nNOTE Voice → Mei\n\n00:00:00.000 --> 00:00:01.000\n<v Anna>a &lt; b --&gt; c &amp; d\n"


def test_cues_never_overlap_and_short_ones_can_be_read() -> None:
    cues = cues_of([[0.0, 0.1, "Oh.", "", 0, 3], [0.2, 1.0, "Yes  \n indeed.", "", 4, 9], [1.2, 1.25, "No.", "", 10, 12]])
    assert [(cue.start, cue.end) for cue in cues] == [(0.0, 0.2), (0.2, 1.0), (1.2, 1.5)] and cues[1].text == "Yes indeed."


@pytest.mark.parametrize("text", ["The quick brown fox jumps over the lazy dog and then it sleeps for a while in the sun.", "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。", "x" * 100])
def test_long_lines_are_broken_at_good_places(text: str) -> None:
    lines = wrapped(text).split("\n")
    assert len(lines) > 1 and re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text)
    assert max(map(len, lines)) <= (42 if text.isascii() else 21) * 1.5
    assert not any(line[0] in "、。，ーっゃ" for line in lines)


def test_times_are_those_of_the_sound() -> None:
    """Each cue begins where speech begins in the file and ends where it ends, within 20 ms."""
    result, samples, rate = speak("One is here. Two comes now. こんにちは。", subtitles="Both", japanese_voice="mei", pause_sentence=0.6)
    sound, first, second = result.artifacts
    assert (first.suffix, second.suffix, first.kind) == (".srt", ".vtt", "text")
    rests = [(begin, end) for begin, end in silences(samples, rate, 0.45)]
    starts = [0.0, *(end for _, end in rests)]
    ends = [*(begin for begin, _ in rests), len(samples) / rate]
    timing = sound.facts["timing"]
    assert len(timing) == 3
    for (start, end, *_), heard_start, heard_end in zip(timing, starts, ends, strict=True):
        assert start == pytest.approx(heard_start, abs=0.02) and end == pytest.approx(heard_end, abs=0.02)
    assert [row[2] for row in timing] == ["One is here.", "Two comes now.", "こんにちは。"]
    assert first.data.decode().count("-->") == 3 and "Nagoya Institute of Technology" in second.data.decode()
    assert speak("One is here.", subtitles="VTT")[0].artifacts[1].suffix == ".vtt" and len(speak("One is here.")[0].artifacts) == 1


LONG = "We paid little for the old brown suitcase, which had been standing in the corner of the shop for years, and nobody knew what was inside it."


def stamps(text: str) -> list[float]:
    return [60 * int(minutes) + float(seconds) for minutes, seconds in re.findall(r"<\d\d:(\d\d):(\d\d\.\d{3})>", text)]


def test_the_engine_s_words_are_laid_against_the_written_ones() -> None:
    spoken = [("We", 0.0, 0.1), ("paid", 0.1, 0.3), ("five", 0.3, 0.5), ("dollars", 0.5, 0.9), ("now", 0.9, 1.2)]
    assert aligned("We paid $5, now!", spoken) == [Word(0, 2, 0.0, 0.1), Word(3, 7, 0.1, 0.3), Word(8, 11, 0.3, pytest.approx(0.9)), Word(12, 16, 0.9, 1.2)]
    assert aligned("ab cd", [("xyz", 1.0, 2.0)]) == [Word(0, 2, 1.0, 1.5), Word(3, 5, 1.5, 2.0)] and aligned("", spoken) == aligned("a", []) == []


def test_times_move_with_what_is_cut_and_stretched() -> None:
    assert moved([Word(0, 1, 0.5, 1.0)], -0.7, 2.0) == [Word(0, 1, 0.0, pytest.approx(0.6))]
    assert without([Word(0, 1, 0.0, 1.0), Word(2, 3, 2.0, 3.0)], [(0.5, 0.7), (1.5, 1.9)]) == [Word(0, 1, 0.0, pytest.approx(0.8)), Word(2, 3, pytest.approx(1.4), pytest.approx(2.4))]


def test_a_long_cue_is_parted_after_a_mark_where_its_words_were_heard() -> None:
    text = "one two three four five six seven eight nine ten, eleven twelve thirteen fourteen fifteen sixteen seventeen"
    words = [(word, float(number), number + 0.9) for number, word in enumerate(text.split())]
    first, second = cues_of([[0.0, 17.0, text, "Anna", 0, 0]], [words])
    assert (first.text[-4:], first.start, first.end) == ("ten,", 0.0, 9.9) and (second.text[:6], second.start, second.end, second.speaker) == ("eleven", 10.0, 17.0, "Anna")
    assert [cue.text for cue in cues_of([[0.0, 17.0, text, "", 0, 0]])] == [text], "whole where nobody tells"


def test_stamps_lie_inside_their_cue_in_order() -> None:
    cue = Cue(1.0, 2.0, "a <b> c d", "", (("a", 1.0, 1.2), ("<b>", 1.25, 1.5), ("c", 1.2, 1.6), ("d", 2.5, 2.6)))
    assert "\na <00:00:01.250>&lt;b&gt; c d\n" in vtt([cue], stamps=True) and "<0" not in vtt([cue])


@pytest.mark.parametrize("changed", [{}, {"speed": 1.4}, {"pitch": 3.0}, {"speed": 0.7}])
def test_words_begin_when_they_are_heard(changed: dict[str, float]) -> None:
    """Behind each rest in the sound some word begins, within 60 ms; words of long sentences are all told, in parts of two lines."""
    result, samples, rate = speak("We sang, then ate, drank, rested; at noon, Peter left. " + LONG, subtitles="Both", word_times=True, pause_sentence=0.5, **changed)
    subtitles = result.artifacts[2].data.decode()
    starts = [60 * int(minutes) + float(seconds) for minutes, seconds in re.findall(r"^\d\d:(\d\d):(\d\d\.\d{3}) -->", subtitles, re.M)]
    told = np.array(sorted(starts + stamps(subtitles)))
    heard = [end for _, end in silences(samples, rate, 0.12)]  # shorter ones are those before a t or p
    assert len(told) == 37 and len(heard) >= 3 and max(abs(told - end).min() for end in heard) < 0.06
    assert len(starts) == 3 and all(len(line) <= 50 for line in result.artifacts[1].data.decode().splitlines())
    assert not stamps(speak("One, two.", subtitles="VTT")[0].artifacts[1].data.decode())


def test_a_file_without_lengths_speaks_and_tells_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.music.speech.hibari.LENGTHS", "/Nothing_output_0")
    maker = Hibari()
    (voice,) = maker.voices(catalog())
    engine = maker.load(voice, catalog(), 1, "cpu", lambda note, share: None)
    assert engine.say(Phrase((Piece("Hello there."),), "en"), voice, speed=1.0, semitones=0.0, seed=1, check=lambda: None).size and engine.words() == []


def test_japanese_words_are_found_in_the_text_whatever_their_width() -> None:
    spoken = [("Ａ", 0.0, 0.2), ("の", 0.2, 0.3), ("じんかん", 0.3, 0.8), ("です", 0.8, 1.0)]
    assert found_in("Aの人間です。", spoken) == [Word(0, 1, 0.0, 0.2), Word(1, 2, 0.2, 0.8), Word(4, 6, 0.8, 1.0)] and found_in("x", spoken[1:]) == []


@pytest.mark.parametrize("text", ["今日は、いい天気です。", "東京特許許可局の電話番号は、０３の１２３４です。", "切手を三枚ください。"])
def test_the_lengths_of_japanese_sounds_sum_to_the_sound(text: str) -> None:
    """To the sample: so every one of them is the engine's own."""
    import pyopenjtalk

    labels = pyopenjtalk.make_label(nodes_of(Phrase((Piece(text),), "ja")))
    lengths = lengths_of(Path(pyopenjtalk.DEFAULT_HTS_VOICE.decode()))
    wave, rate = pyopenjtalk.synthesize(labels)
    assert round(sum(lengths.seconds(label) for label in labels) * rate) == len(wave)


@pytest.mark.parametrize("speed", [1.0, 1.4])
def test_japanese_words_begin_when_they_are_heard(speed: float) -> None:
    text = "むかしむかし、あるところに、おじいさんとおばあさんが、なかよく暮らしていました。"
    result, samples, rate = speak(text, subtitles="VTT", word_times=True, japanese_voice="mei", pause_sentence=0.5, speed=speed)
    subtitles = result.artifacts[1].data.decode()
    starts = [60 * int(minutes) + float(seconds) for minutes, seconds in re.findall(r"^\d\d:(\d\d):(\d\d\.\d{3}) -->", subtitles, re.M)]
    told = np.array(starts + stamps(subtitles))
    heard = [end for _, end in silences(samples, rate, 0.15)]
    assert len(told) >= 10 and len(heard) >= 2 and max(abs(told - end).min() for end in heard) < 0.06
    assert re.sub(r"<[^>]*>|\s", "", subtitles).endswith(text[-8:])


def test_the_better_voices_tell_the_lengths_of_their_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that says one sample a token and lengths of 4 units, of the silence before and behind 10: a word's time is that of its letters. A file without lengths tells none."""
    from pipelines.music.speech import kokoro

    class Session:
        def __init__(self, model: object, *options: object, **more: object) -> None:
            self.timed = isinstance(model, bytes) and model.count(kokoro.LENGTHS.encode()) == 2  # Open JTalk's own networks are files

        def run(self, names: object, feed: dict[str, np.ndarray], options: object) -> list[np.ndarray]:
            count = feed["tokens"].size - 2
            return [np.ones(count, np.float32), *([np.array([[10, *[4] * count, 10]])] if self.timed else [])]

    monkeypatch.setattr("onnxruntime.InferenceSession", Session)
    monkeypatch.setattr(kokoro, "sums_are_exact", lambda: True)
    (path := tmp_path / "model.onnx").write_bytes(bytes([10, len(kokoro.LENGTHS)]) + kokoro.LENGTHS.encode())  # a part of that name
    phrase, voice = Phrase((Piece("今日は、良い天気です。"),), "ja"), next(one for one in kokoro.Kokoro().voices(catalog()) if one.id == "alpha")
    engine = kokoro.KokoroEngine(path, 1)
    assert engine.sounds(phrase) == "kʲoː βa, joi teŋkʲi desɨ."
    engine.say(phrase, voice, speed=1.0, semitones=0.0, seed=0, check=lambda: None)
    unit = 600 / 24000
    told = [(phrase.text[word.begin : word.end], round((word.start + kokoro.EARLY) / unit), round((word.stop + kokoro.EARLY) / unit)) for word in engine.words()]
    assert told[1:] == [("は", 30, 38), ("良い", 46, 58), ("天気", 62, 86), ("です", 90, 106)] and told[0][2] == 26
    path.write_bytes(b"\x0a\x0fanother network")
    silent = kokoro.KokoroEngine(path, 1)
    assert silent.say(phrase, voice, speed=1.0, semitones=0.0, seed=0, check=lambda: None).size and silent.words() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alpha", "kumo"])
def test_words_of_the_better_voices_begin_when_they_are_heard(name: str) -> None:
    from studio.settings import load_settings

    whole = catalog(load_settings({})[0].models_path)
    if model_of(whole) is None:
        pytest.skip("their model comes on wish: fetch it in the Models tab")
    text = "山の上に、古い寺があり、鐘が鳴る。"
    result, samples, rate = speak(text, Context(whole), subtitles="VTT", word_times=True, japanese_voice=name, pause_sentence=0.5)
    subtitles = result.artifacts[1].data.decode()
    starts = [60 * int(minutes) + float(seconds) for minutes, seconds in re.findall(r"^\d\d:(\d\d):(\d\d\.\d{3}) -->", subtitles, re.M)]
    told = np.array(starts + stamps(subtitles))
    heard = [end for _, end in silences(samples, rate, 0.12)]
    assert len(told) >= 7 and heard and max(abs(told - end).min() for end in heard) < 0.1
