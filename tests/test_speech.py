"""Speech as it is heard: measured in the samples. A recogniser is not at hand; what is checked is length, loudness, pitch, silence and clicks."""

from __future__ import annotations

import io
import re
import socket
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines.music.speech import sound, voices
from pipelines.music.speech.cast import settled
from pipelines.music.speech.engine import Phrase, Piece
from pipelines.music.speech.frontend import marked, nodes_of
from pipelines.music.speech.params import SpeechParams
from pipelines.music.speech.speech import Speech
from studio.api import BadInput, Desk, ExtensionFailed, Inputs, ModelMissing, Stopped
from studio.i18n import Words
from studio.plugins import Hooks
from tests.house import finish, make_queue
from tests.speaking import Context, Tones, TonesMaker, catalog, silences, speak
from tests.test_plugins import make

ENGLISH = "The quick brown fox jumps over the lazy dog, and then it sleeps for a while."
JAPANESE = "今日はとても良い天気ですね、散歩に行きましょう。"
RATE = 24000


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    """With overtones that fade, as a voice has."""
    time = np.arange(round(RATE * seconds)) / RATE
    return (0.3 * sum(np.sin(2 * np.pi * hertz * number * time) / number for number in range(1, 15))).astype(np.float32)


def hertz(samples: np.ndarray, rate: int = RATE) -> float:
    periods, _ = sound.pitch_of(samples, rate)
    return float(rate / np.median(periods[periods > 0]))


@pytest.fixture
def tones(monkeypatch: pytest.MonkeyPatch) -> Tones:
    """The only voices there are make tones."""
    maker = TonesMaker()
    monkeypatch.setattr(voices, "MAKERS", [maker])
    monkeypatch.setattr(voices, "FIRST", {})
    assert isinstance(maker.engine, Tones)
    return maker.engine


# -- what is done to sound ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("faster", [0.5, 0.8, 1.25, 2.0])
def test_another_speed_keeps_the_pitch(faster: float) -> None:
    made = sound.stretched(tone(180), RATE, faster)
    assert len(made) == pytest.approx(RATE / faster, abs=2) and hertz(made) == pytest.approx(180, rel=0.01)
    inner = made[2000:-2000]
    assert np.sqrt((inner**2).mean()) == pytest.approx(np.sqrt((tone(180) ** 2).mean()), rel=0.1) and np.abs(np.diff(inner)).max() < 1.6 * np.abs(np.diff(tone(180))).max()


@pytest.mark.parametrize("semitones", [-7.0, -2.0, 3.0, 7.0])
def test_another_pitch_keeps_the_length_and_the_loudness(semitones: float) -> None:
    made = sound.pitched(tone(180), RATE, semitones)
    assert len(made) == RATE and hertz(made) == pytest.approx(180 * 2 ** (semitones / 12), rel=0.02)
    assert np.sqrt((made**2).mean()) == pytest.approx(np.sqrt((tone(180) ** 2).mean()), rel=0.02)


def test_the_pitch_of_low_and_high_voices_is_found() -> None:
    assert [hertz(tone(one)) for one in (75.0, 120.0, 220.0, 400.0)] == pytest.approx([75, 120, 220, 400], rel=0.01)
    noise = np.random.default_rng(1).normal(0, 0.1, RATE).astype(np.float32)
    assert (sound.pitch_of(noise, RATE)[0] == 0).mean() > 0.9
    assert np.isfinite(sound.pitched(noise, RATE, 4)).all() and sound.pitched(np.zeros(5000, np.float32), RATE, 4).max() == 0


def test_speech_is_cut_out_of_its_silence_without_a_click() -> None:
    quiet = np.full(9000, 0.0005, np.float32)
    made = sound.trimmed(np.concatenate([quiet, tone(200) + 0.01, quiet]), RATE)
    assert len(made) == pytest.approx(RATE, abs=0.02 * RATE) and made[0] == made[-1] == 0 and abs(made.mean()) < 1e-3
    assert sound.trimmed(np.zeros(5000, np.float32), RATE).size == 0 and sound.trimmed(np.zeros(0, np.float32), RATE).size == 0


def test_long_rests_inside_are_shortened_and_others_stay() -> None:
    rests = np.concatenate([tone(200, 0.3), np.zeros(RATE, np.float32), tone(200, 0.3), np.zeros(RATE // 5, np.float32), tone(200, 0.3)])
    made = sound.cut_out(rests, RATE, sound.spare_rests(rests, RATE, 0.4))
    assert [end - begin for begin, end in silences(made, RATE)] == pytest.approx([0.4, 0.2], abs=0.02)
    assert np.abs(np.diff(made)).max() <= np.abs(np.diff(rests)).max() * 1.01


def test_nothing_clips_however_loud() -> None:
    for decibels in (0, 12, 30):
        assert np.abs(sound.louder(tone(200), decibels)).max() <= sound.CEILING + 1e-6
    assert sound.louder(tone(200) * 0.5, -6.0206) == pytest.approx(tone(200) * 0.25, rel=1e-3)


# -- the engines -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "values"), [(ENGLISH, {}), (JAPANESE, {"japanese_voice": "mei"})])
def test_speech_is_plausible(text: str, values: dict[str, str]) -> None:
    """As long as people take, neither silent nor clipped, without an offset, changing in loudness as speech does."""
    result, samples, rate = speak(text, **values)
    seconds, letters = len(samples) / rate, len(text) / (7 if values else 15)
    assert 0.6 * letters < seconds < 1.8 * letters and result.summary["seconds"] == pytest.approx(seconds, abs=0.001)
    loud = sound.envelope(samples, rate)
    assert 0.05 < np.sqrt((samples**2).mean()) < 0.3 and 0.2 < np.abs(samples).max() < 0.98 and abs(samples.mean()) < 1e-3
    assert np.percentile(loud, 90) > 4 * np.percentile(loud, 10) and 100 < hertz(samples, rate) < 450
    below = np.abs(np.fft.rfft(samples)) ** 2
    assert below[: round(50 * seconds)].sum() < 0.02 * below.sum(), "no rumble"


@pytest.mark.parametrize(("text", "values"), [(ENGLISH, {}), (JAPANESE, {"japanese_voice": "mei"}), ("はい。", {"japanese_voice": "mei"}), ("Yes.", {})])
def test_speed_is_exact(text: str, values: dict[str, str]) -> None:
    usual = len(speak(text, **values)[1])
    for speed in (0.5, 0.8, 1.25, 2.0):
        heard = speak(text, speed=speed, **values)
        assert len(heard[1]) == pytest.approx(usual / speed, rel=0.05, abs=0.015 * heard[2])


def test_speed_is_exact_for_voices_that_have_none(tones: Tones) -> None:
    usual = len(speak("hello there")[1])
    assert [usual / len(speak("hello there", speed=speed)[1]) for speed in (0.5, 1.5, 2.0)] == pytest.approx([0.5, 1.5, 2.0], rel=0.01)


@pytest.mark.parametrize(("text", "values"), [(ENGLISH, {}), (JAPANESE, {"japanese_voice": "mei"})])
def test_pitch_moves_by_the_semitones_asked_for(text: str, values: dict[str, str]) -> None:
    usual = hertz(*speak(text, **values)[1:])
    for semitones in (-4.0, 4.0):
        moved = hertz(*speak(text, pitch=semitones, **values)[1:])
        assert 12 * np.log2(moved / usual) == pytest.approx(semitones, abs=0.8)


def test_pitch_of_a_voice_that_has_none(tones: Tones) -> None:
    moved = [hertz(*speak("hello there", pitch=semitones)[1:]) for semitones in (0.0, -5.0, 5.0)]
    assert moved == pytest.approx([200, 149.8, 267], rel=0.02)


def test_the_same_seed_gives_the_same_sound() -> None:
    assert speak("Hello.")[0].artifacts[0].data == speak("Hello.")[0].artifacts[0].data
    other = Context(catalog(), seed=2)
    assert speak("Hello.", other)[0].artifacts[0].data != speak("Hello.")[0].artifacts[0].data


def test_voices_speak_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.text_fakes import FakeModels

    def refuse(*_: object) -> None:
        raise AssertionError("a voice wanted the network")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    result, samples, _ = speak("Hello. 今日は。", Context(catalog(), models=FakeModels()), japanese_voice="mei")
    assert samples.any() and result.artifacts[0].facts["voices"] == ["heart", "mei"]


# -- readings ----------------------------------------------------------------------------------------------------


def test_a_reading_of_kanji_reaches_the_voice_with_its_accent() -> None:
    phrase = Phrase((Piece("この"), Piece("人間", "ジンカ'ン", "kana"), Piece("は元気。")), "ja")
    words = {node["string"]: (node["pron"], node["acc"]) for node in nodes_of(phrase)}
    assert words["ジンカン"] == ("ジンカン", 3) and words["は"][0] == "ワ", "the particle after it is read as a particle"
    plain = {node["string"]: node["pron"] for node in nodes_of(Phrase((Piece("この人間は元気。"),), "ja"))}
    assert plain["人間"] == "ニンゲン"
    assert [marked("キョー", 1), marked("ハシ", 2), marked("ハシ", 0), marked("チョコ", 1)] == ["キョ'ー", "ハシ'", "ハシ", "チョ'コ"]


@pytest.mark.parametrize(("text", "entry", "values"), [("Read the SQL now.", "SQL = squeal", {}), ("I say tomato.", "tomato = /təˈmɑːtoʊ/", {}), ("橋を渡る。", "橋 = はし", {"japanese_voice": "mei"}), ("この人間は。", "人間 = じんかん", {"japanese_voice": "mei"})])
def test_the_dictionary_is_heard_on_every_engine(text: str, entry: str, values: dict[str, str]) -> None:
    usual, other = speak(text, **values)[1], speak(text, dictionary=[entry], **values)[1]
    assert len(usual) != len(other) or not np.allclose(usual, other)
    assert np.array_equal(usual, speak(text, dictionary=["nowhere = 無い" if values else "nowhere = none"], **values)[1])


def test_an_accent_is_heard_as_another_melody() -> None:
    """橋 and 箸 sound alike but for their pitch: high to low against low to high."""

    def begins(text: str, *dictionary: str) -> float:
        _, samples, rate = speak(text, japanese_voice="mei", dictionary=list(dictionary))
        return hertz(samples[: rate * 12 // 100], rate)

    high, low = begins("箸が見える"), begins("橋が見える")
    assert high > 1.2 * low, "as the voice itself knows them"
    assert begins("橋が見える", "橋 = ハ'シ") == pytest.approx(high, rel=0.05) and begins("箸が見える", "箸 = ハシ'") == pytest.approx(low, rel=0.05)


def test_engines_without_sounds_are_given_words(tones: Tones) -> None:
    speak("The WHO 人間.", dictionary=["WHO = World Health Organization", "人間 = じんかん'"], voice="tone", japanese_voice="tone")
    assert [phrase.spoken.strip() for phrase in tones.phrases] == ["The World Health Organization", "ジンカン."]


def test_readings_are_told_for_correction_in_place() -> None:
    """By a process of its own: this one loads no dictionary for it."""
    text = "今日は東京へ。 Hello Dr. Smith."
    found = Speech().readings(text, dictionary=("東京 = とうけい",))
    told = {one["surface"]: (one["reading"], one["own"]) for one in found}
    assert told["今日"] == ("キョ'ー", False) and told["へ"] == ("エ", False) and told["東京"] == ("トウケー".replace("ウ", "ー"), True) and re.fullmatch("/həlˈoʊ/", told["Hello"][0])
    assert all(text[one["from"] : one["to"]] == one["surface"] for one in found)
    corrected = [f"{one['surface']} = {one['reading']}" for one in found if one["surface"] == "Hello"]
    assert np.array_equal(speak("Hello.", dictionary=corrected)[1], speak("Hello.")[1]), "a reading goes into the dictionary as it is shown"
    with pytest.raises(BadInput, match="4,000"):
        Speech().readings("a" * 4001)


def test_words_that_are_passed_over_have_no_reading() -> None:
    assert [one["surface"] for one in Speech().readings("Yes Привет then 🙂.")] == ["Yes", "then"]


# -- the pipeline ------------------------------------------------------------------------------------------------


def test_ten_thousand_characters_without_a_gap(tones: Tones) -> None:
    """No rest is longer than the pauses asked for, and nothing jumps where two sentences meet."""
    text = "".join(f"Sentence number {number} goes on, a little longer than the one before it. " + ("\n\n" if number % 9 == 8 else "") for number in range(147))
    assert len(text) >= 10_000
    tones.seconds = 0.01
    context = Context(catalog())
    result, samples, rate = speak(text, context, pause_sentence=0.2, pause_paragraph=0.6)
    rests = [end - begin for begin, end in silences(samples, rate)]
    assert len(rests) == 146 and max(rests) < 0.63 and min(rests) > 0.17
    inside = np.abs(np.diff(tones.say(Phrase((Piece("hello there"),), "en"), None, speed=1, semitones=0, seed=1, check=lambda: None))).max()  # type: ignore[arg-type]
    for begin, end in silences(samples, rate):
        for joint in (begin, end):
            around = samples[max(0, round((joint - 0.02) * rate)) : round((joint + 0.02) * rate)]
            assert np.abs(np.diff(around)).max() <= inside + 2 / 32768
    timing = result.artifacts[0].facts["timing"]
    assert len(timing) == 147 and timing[-1][1] == pytest.approx(len(samples) / rate, abs=0.01) and [row[0] for row in timing] == sorted(row[0] for row in timing)
    assert [text[row[4] : row[5]] for row in timing] == [row[2] for row in timing], "where each sentence stands in the text"
    assert len(context.steps) == 147 and context.steps[100][3] == pytest.approx(100 / 147, abs=0.01) and context.steps[0][2] == "Sentence 1 of 147"


def test_stop_keeps_what_was_spoken(tones: Tones) -> None:
    context = Context(catalog(), stop_at=2)
    with pytest.raises(Stopped):
        speak("One here. Two here. Three here. Four here.", context, subtitles="SRT")
    kept, subtitles = context.artifacts
    samples, rate = soundfile.read(io.BytesIO(kept.data))
    assert kept.facts["seconds"] == pytest.approx(len(samples) / rate, abs=0.01) and [row[2] for row in kept.facts["timing"]] == ["One here.", "Two here."] and subtitles.data.count(b"-->") == 2
    early = Context(catalog(), stop_at=0)
    with pytest.raises(Stopped):
        speak("One. Two.", early)
    assert early.artifacts == []
    done, _, _ = speak("One here. Two here. Three here.", Context(catalog(), stop_at=1, stop_mode="finish"))
    assert len(done.artifacts[0].facts["timing"]) == 1


def test_each_line_can_be_a_file_of_its_own(tones: Tones) -> None:
    text = "Anna: One here. Two here.\nBob: Three here.\nAnna: Four."
    context = Context(catalog())
    result, samples, rate = speak(text, context, each_line=True, pause_sentence=0.5, pause_line=1.0)
    lines = [soundfile.read(io.BytesIO(artifact.data))[0] for artifact in context.artifacts]
    assert [artifact.title for artifact in context.artifacts] == ["One here. Two here.", "Three here.", "Four."]
    assert len(samples) == sum(map(len, lines)) + 2 * rate, "the whole is the lines with a second between them"
    assert context.artifacts[1].facts["timing"][0][0] == 0 and [row[3] for row in result.artifacts[0].facts["timing"]] == ["Anna", "Anna", "Bob", "Anna"]
    again = Context(catalog(), kept=[Path("0001.wav"), Path("0002.wav")])
    speak(text, again, each_line=True)
    assert [artifact.title for artifact in again.artifacts] == ["Four."], "what an earlier, broken run gave is not given twice"
    speak("One here.", alone := Context(catalog()), each_line=True)
    assert alone.artifacts == []


def test_each_sentence_can_be_a_file_of_its_own_and_begins_where_the_whole_says_it(tones: Tones, tmp_path: Path) -> None:
    context = Context(catalog())
    result, samples, rate = speak("One here. Two here.\n\nThree.", context, each_sentence=True, pause_sentence=0.5, pause_paragraph=1.0)
    parts, begins = [soundfile.read(io.BytesIO(artifact.data), dtype="float32")[0] for artifact in context.artifacts], result.artifacts[0].facts["begins"]
    assert [artifact.facts["part"] for artifact in context.artifacts] == [1, 2, 3] and "part" not in result.artifacts[0].facts
    for begin, part in zip(begins, parts, strict=True):
        first = round(begin * rate)  # told in thousandths of a second
        assert any(np.array_equal(part, samples[at : at + len(part)]) for at in range(max(0, first - 10), first + 11))
    with pytest.raises(BadInput, match="at once") as refused:
        Speech().settle(SpeechParams(text="Hi", each_line=True, each_sentence=True), Desk(catalog(), Inputs(tmp_path)))
    assert refused.value.field == "each_sentence" and refused.value.fix is not None


@pytest.mark.parametrize(("form", "bits", "suffix", "subtype"), [("WAV", 16, ".wav", "PCM_16"), ("WAV", 24, ".wav", "PCM_24"), ("FLAC", 24, ".flac", "PCM_24"), ("MP3", 16, ".mp3", "MPEG_LAYER_III"), ("OGG", 16, ".ogg", "VORBIS")])
def test_formats(tones: Tones, form: str, bits: int, suffix: str, subtype: str) -> None:
    result, samples, rate = speak("Hello there.", format=form, bits=bits)
    info = soundfile.info(io.BytesIO(result.artifacts[0].data))
    assert (result.artifacts[0].suffix, info.subtype, info.samplerate, info.channels) == (suffix, subtype, 16000, 1)
    assert len(samples) / rate == pytest.approx(1.2, abs=0.1) and hertz(samples, rate) == pytest.approx(200, rel=0.02)


def test_who_lent_the_voice_stands_in_the_file(tmp_path: Path) -> None:
    from studio.metadata import embed, extract

    for form in ("WAV", "FLAC", "MP3", "OGG"):
        artifact = speak("今日は。", japanese_voice="mei", format=form)[0].artifacts[0]
        (tmp_path / f"a{artifact.suffix}").write_bytes(embed(artifact.data, artifact.suffix, {"pipeline": "music.speech", "params": {}, "facts": artifact.facts}))
        kept = extract(tmp_path / f"a{artifact.suffix}")["facts"]
        assert "Nagoya Institute of Technology, CC-BY 3.0" in kept["credits"][0] and kept["licences"] == ["CC-BY-3.0"] and kept["voices"] == ["mei"]


def test_voices_of_several_rates_meet_at_the_highest() -> None:
    _, samples, rate = speak("Hello. 今日は。", japanese_voice="mei")
    assert rate == 48000 and speak("Hello.")[2] == 24000
    assert np.sqrt((samples[:24000] ** 2).mean()) == pytest.approx(np.sqrt((samples[-24000:] ** 2).mean()), rel=0.6), "about equally loud"


def test_a_rate_that_mp3_lacks_is_raised(tones: Tones, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tones, "rate", 20000)
    result, samples, rate = speak("Hello there.", format="MP3")
    assert rate == 22050 and hertz(samples, rate) == pytest.approx(200, rel=0.02) and result.artifacts[0].facts["rate"] == 22050


def test_letters_that_nobody_reads_are_told_and_make_no_rest(tones: Tones) -> None:
    speak("Hello 😀, world 今日は😀。")
    assert [phrase.spoken for phrase in tones.phrases] == ["Hello , world ", "今日は。"] and tones.phrases[0].text == "Hello 😀, world "


def test_letters_that_nobody_reads_are_told() -> None:
    result = speak("Hello Привет 😀 world.")[0]
    assert result.artifacts[0].facts["skipped"] == "Привет😀" and result.summary["notes"][0] == "These letters can't be read aloud and are skipped: Привет😀", "true before it is spoken, too"


def test_a_speaker_s_voice_that_does_not_speak_the_language_is_told() -> None:
    """A line of its own language lets it be heard, and nothing is told."""
    told = ["The voice “mei” does not speak the language of its words; another one says them."]
    script = "Anna: Good day.\nBen: Hello there."
    notes = [Speech().need(SpeechParams(text=text, speakers=["Ben = mei"]), catalog()).notes for text in (script, f"{script}\nBen: こんにちは。", "Anna: Good day.\nBen: 今日は。")]
    assert notes == [told, [], []]
    assert Speech().need(SpeechParams(text='<speak><voice name="Mei">Hello there.</voice></speak>'), catalog()).notes == told


def test_a_voice_without_a_sound_for_it_is_told(tones: Tones, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = tones.say
    monkeypatch.setattr(tones, "say", lambda phrase, voice, **more: np.zeros(0, np.float32) if "Two" in phrase.text else usual(phrase, voice, **more))
    result = speak("One here. Two here.")[0]
    assert len(result.artifacts[0].facts["timing"]) == 1 and "Two here." in result.summary["notes"][0]
    with pytest.raises(BadInput, match="Nothing came"):
        speak("Two.")


CHANGES = [
    {"text": "Good night, my dear."}, {"kind": "Script"}, {"language": "Japanese"}, {"voice": "mei"}, {"japanese_voice": "heart"}, {"speed": 1.3}, {"pitch": 3}, {"volume": -6}, {"pause_sentence": 1.0}, {"pause_paragraph": 2.0},
    {"pause_line": 2.0}, {"speakers": ["A = heart, pitch 3"]}, {"dictionary": ["day = night"]}, {"format": "FLAC"}, {"bits": 24}, {"subtitles": "SRT"}, {"word_times": True}, {"each_line": True}, {"each_sentence": True}, {"seed": 5},
]  # fmt: skip


def test_the_list_of_changes_names_every_field() -> None:
    assert {name for change in CHANGES for name in change} == set(SpeechParams.model_fields)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_every_field_changes_the_result(change: dict[str, object]) -> None:
    name = next(iter(change))
    text = {"pause_paragraph": "Good day.\n\nMy dear.", "each_line": "Good day.\n\nMy dear.", "pause_line": "A: Good day.\nB: My dear.", "speakers": "A: Good day.\nB: My dear.", "japanese_voice": "Good day. TシャツとAI。", "kind": "A: Good day."}.get(name, "Good day. My dear.")
    usual = {"japanese_voice": "mei", "subtitles": "VTT" if name == "word_times" else "None"}
    values = {"text": text} | usual | change
    first, second = Context(catalog(), seed=1), Context(catalog(), seed=int(str(change.get("seed", 1))))
    if name == "japanese_voice":
        with pytest.raises(BadInput):  # an English voice reads no kanji
            speak("日本。", second, japanese_voice="heart")
        return
    before, after = speak(text, first, **usual)[0], speak(str(values.pop("text")), second, **values)[0]  # type: ignore[arg-type]
    assert [artifact.data for artifact in [*first.artifacts, *before.artifacts]] != [artifact.data for artifact in [*second.artifacts, *after.artifacts]]


def test_what_a_job_takes_is_told_without_loading_anything() -> None:
    need = Speech().need(SpeechParams(text="Hello there. 今日は。", japanese_voice="mei"), catalog())
    assert need.facts["sentences"] == 2 and need.facts["voices"] == ["heart", "mei"] and need.weight_bytes > 10**8 and need.facts["length"] > 1
    assert "no text" in Speech().need(SpeechParams(), catalog()).missing and "Line 1" in Speech().need(SpeechParams(text="<speak>"), catalog()).missing
    speech, params = Speech(), SpeechParams(text="Hello there. 今日は。", japanese_voice="mei")
    assert speech.pace_key(params, catalog()) == "hibari+openjtalk"
    pace = speak("Hello there. 今日は。", japanese_voice="mei")[0].summary["pace"]
    assert set(pace) == {"hibari", "openjtalk"} and speech.seconds(params, catalog(), {"hibari": 0.1, "openjtalk": 0.2}) == pytest.approx(12 * 0.1 + 5 * 0.2)


def test_bits_are_refused_where_there_are_none(tmp_path: Path) -> None:
    desk = Desk(catalog(), Inputs(tmp_path))
    with pytest.raises(BadInput, match="no bits") as refused:
        Speech().settle(SpeechParams(text="Hi", format="MP3", bits=24), desk)
    assert refused.value.field == "bits"
    assert Speech().settle(SpeechParams(text="Hi 今日は"), desk).japanese_voice == "mei"


def test_the_page_is_told_of_voices_that_are_missing_something(tmp_path: Path) -> None:
    told = {voice["id"]: voice for voice in Speech().voices(catalog(tmp_path))}
    assert not told["heart"]["missing"] and not told["mei"]["missing"] and told["mei"]["credit"] and "is not on this computer" in told["alpha"]["missing"] and told["alpha"]["starter"] == "kokoro-ja"
    with pytest.raises(ModelMissing) as refused:
        settled(SpeechParams(text="今日は", japanese_voice="alpha"), catalog(tmp_path))
    assert refused.value.fix is not None and (refused.value.fix.values, refused.value.fix.label) == ({"japanese_voice": ""}, "Use Automatic")
    (tmp_path / "speech").mkdir()
    (tmp_path / "speech" / "kokoro-v1.0-ja.int8.onnx").write_bytes(b"no model")
    whole = catalog(tmp_path)
    assert not {voice["id"]: voice for voice in Speech().voices(whole)}["alpha"]["missing"]
    assert settled(SpeechParams(text="今日は"), whole).japanese_voice == "alpha"
    with pytest.raises(Exception, match="damaged"):
        speak("今日は", Context(whole))


def test_the_better_voices_read_numbers_latin_words_and_marks(tmp_path: Path) -> None:
    """Their letters without their model: the session is the only part that is not real."""
    from unittest import mock

    from pipelines.music.speech.kokoro import KokoroEngine

    (path := tmp_path / "model.onnx").write_bytes(b"\x0a\x00")  # a model of one empty part
    with mock.patch("onnxruntime.InferenceSession"), mock.patch("pipelines.music.speech.kokoro.sums_are_exact", lambda: True):
        engine = KokoroEngine(path, 1)
    sounds = engine.sounds(Phrase((Piece("AIを3匹、"), Piece("人間", "ジンカ'ン", "kana"), Piece("と！")), "ja"))
    assert sounds == "eːai o saɴ bʲikʲi, ʥiŋkaɴ to!"
    assert all(letter in engine._letters for letter in sounds)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alpha", "gongitsune", "nezumi", "tebukuro", "kumo"])
def test_the_better_voices_speak(name: str) -> None:
    from studio.settings import load_settings

    whole = catalog(load_settings({})[0].models_path)
    voice = next(one for one in Speech().voices(whole) if one["id"] == name)
    if voice["missing"]:
        pytest.skip("their model comes on wish: fetch it in the Models tab")
    _, samples, rate = speak("今日は良い天気です。明日も晴れます。", Context(whole), japanese_voice=name)
    faster = speak("今日は良い天気です。明日も晴れます。", Context(whole), japanese_voice=name, speed=1.25)[1]
    assert 2 < len(samples) / rate < 6 and 0.05 < np.sqrt((samples**2).mean()) < 0.3 and np.abs(samples).max() < 0.98 and len(samples) / len(faster) == pytest.approx(1.25, rel=0.02)
    assert (hertz(samples, rate) < 130) == (name == "kumo")


def test_stop_ends_a_sentence_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime is told to end its run as soon as somebody stops the job."""
    import time

    from pipelines.music.speech.kokoro import watched

    begun = time.monotonic()

    def check() -> None:
        if time.monotonic() - begun > 0.1:
            raise Stopped

    with pytest.raises(Stopped), watched(check) as options:
        while not options.terminate:
            time.sleep(0.01)
            assert time.monotonic() - begun < 60
        raise RuntimeError("Exiting due to terminate flag being set to true.")
    with pytest.raises(ZeroDivisionError), watched(lambda: None):
        raise ZeroDivisionError


def test_a_voice_is_found_by_its_title_too() -> None:
    assert voices.find("Mei", catalog(), "voice").id == voices.find("mei", catalog(), "voice").id == "mei"


def test_words_whose_sounds_the_voice_does_not_know_are_told(tones: Tones) -> None:
    """Before the job, for the page, and in what comes of it; a voice that knows sounds says nothing of it."""
    marked, dictionary = '<speak>A <phoneme ph="təˈmɑːtoʊ">tomato</phoneme> and data.</speak>', ["data = /ˈdeɪtə/"]
    told = ["Said as written, for the voice knows no sounds: tomato, data"]
    assert Speech().need(SpeechParams(text=marked, dictionary=dictionary, voice="tone"), catalog()).notes == told
    assert speak(marked, dictionary=dictionary, voice="tone")[0].summary["notes"] == told
    assert Speech().need(SpeechParams(text=marked, dictionary=dictionary, voice="second"), catalog()).notes == []
    assert Words().say("ja", told[0]) == "この声は発音記号を読めないため、書かれたとおりに読みます：tomato, data"


def test_extensions_change_what_is_spoken_and_broken_marks_are_refused_with_their_name(tones: Tones, tmp_path: Path) -> None:
    make(tmp_path / "extensions", "louder", "@hookimpl\ndef on_text_input(text):\n    return text.replace('COUNTRY', 'Japan').replace('BREAK', '<break>')\n")
    hooks = Hooks()
    hooks.load_extensions([(tmp_path / "extensions", False)], [], False)
    queue = make_queue(tmp_path, hooks=hooks)

    def prepared(text: str) -> str:
        return str(queue._prepare(Speech(), {"text": text}, {}).model_dump()["text"])

    try:
        assert prepared("Hello COUNTRY.") == "Hello Japan." and prepared("<speak>Hello COUNTRY.</speak>") == "<speak>Hello Japan.</speak>"
        with pytest.raises(ExtensionFailed, match="“louder” made of the text can't be used: Line 1, column"):
            prepared("<speak>Hello BREAK.</speak>")
        wrong = "<speak>COUNTRY <nothing/></speak>"
        assert prepared(wrong) == wrong, "what was wrong before is refused as it was written"
        assert hooks.extension("louder").strikes == 0
    finally:
        finish(queue)
