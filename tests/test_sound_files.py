"""Sounds that people give: every usual form is read as it is, everything else is told in a sentence."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipelines.music.sound.files import BITS, decode, encode, look, quantised, resampled
from studio.api import BadInput, Inputs, NotFound
from studio.inputs import suffix_of

TIME = np.arange(44_100) / 44_100
TONES = np.stack([0.5 * np.sin(2 * np.pi * 440 * TIME), 0.4 * np.sin(2 * np.pi * 660 * TIME)]).astype(np.float32)


def written(rate: int = 44_100, channels: int = 2, form: str = "WAV", subtype: str = "PCM_16", samples: Any = None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, (TONES[:channels] if samples is None else samples).T, rate, format=form, subtype=subtype)
    return buffer.getvalue()


GOOD = {
    "16 bit": (written(), ".wav", 4e-5), "24 bit": (written(subtype="PCM_24"), ".wav", 1e-6), "8 bit": (written(subtype="PCM_U8"), ".wav", 0.01), "float": (written(subtype="FLOAT"), ".wav", 1e-7), "double": (written(subtype="DOUBLE"), ".wav", 1e-7),
    "law of telephones": (written(subtype="ULAW"), ".wav", 0.02), "extensible": (written(form="WAVEX"), ".wav", 4e-5), "mono": (written(channels=1), ".wav", 4e-5), "odd rate": (written(rate=37_123), ".wav", 4e-5),
    "FLAC": (written(form="FLAC"), ".flac", 4e-5), "OGG": (written(form="OGG", subtype="VORBIS"), ".ogg", 0.05), "MP3": (written(form="MP3", subtype="MPEG_LAYER_III"), ".mp3", 0.05), "mono MP3": (written(form="MP3", subtype="MPEG_LAYER_III", channels=1, rate=22_050), ".mp3", 0.05),
}  # fmt: skip


@pytest.mark.parametrize("kind", GOOD)
def test_each_form_is_kept_by_its_content_and_read_as_it_was(tmp_path: Path, kind: str) -> None:
    data, suffix, near = GOOD[kind]
    inputs = Inputs(tmp_path)
    key = inputs.keep(data)
    assert key.endswith(suffix) and inputs.path(key).read_bytes() == data
    samples, rate = decode(inputs.path(key))
    channels = 1 if "mono" in kind else 2
    assert samples.shape[0] == channels and samples.dtype == np.float32 and rate == {"odd rate": 37_123, "mono MP3": 22_050}.get(kind, 44_100)
    middle = slice(4000, 40_000)
    assert np.abs(samples[:, middle] - TONES[:channels, middle]).max() < near


def damaged(kind: str) -> bytes:
    whole = GOOD["16 bit"][0]
    claimed = bytearray(whole)
    claimed[24:28] = struct.pack("<I", 0)
    return {
        "nothing": b"", "a text": b"hello, I am a text", "a header": whole[:20], "no samples": written(samples=np.zeros((2, 0), np.float32)), "no rate": bytes(claimed), "a FLAC cut in its head": GOOD["FLAC"][0][:30],
        "an OGG cut in its head": GOOD["OGG"][0][:70], "an MP3 of one frame's head": GOOD["MP3"][0][:40], "noise with a name": b"fLaC" + bytes(range(256)) * 40, "not a number": written(subtype="FLOAT", samples=np.full((1, 900), np.nan, np.float32)),
        "far too loud": written(subtype="FLOAT", samples=np.full((1, 900), 1e30, np.float32)), "a picture": b"\x89PNG\r\n\x1a\n" + bytes(40),
    }[kind]  # fmt: skip


@pytest.mark.parametrize(
    "kind", ["nothing", "a text", "a header", "no samples", "no rate", "a FLAC cut in its head", "an OGG cut in its head", "an MP3 of one frame's head", "noise with a name", "not a number", "far too loud", "a picture"]
)
def test_what_is_no_sound_is_refused_in_a_sentence_at_its_field(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "given.wav"
    path.write_bytes(damaged(kind))
    with pytest.raises(BadInput) as told:
        decode(path, "melody")
    assert told.value.field == "melody" and told.value.message.endswith(".") and told.value.hint


def test_an_hour_of_silence_is_refused_from_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "hour.flac"
    with soundfile.SoundFile(path, "w", 8000, 1) as file:
        for _ in range(60):
            file.write(np.zeros(8000 * 60, np.int16))
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("its samples were read"))
    with pytest.raises(BadInput, match="60:00 long; 10:00 can be taken"):
        decode(path)


def test_a_header_that_tells_too_little_does_not_let_more_in(tmp_path: Path) -> None:
    """An MP3's length is guessed by libsndfile; what is read is counted."""
    path = tmp_path / "long.mp3"
    path.write_bytes(written(form="MP3", subtype="MPEG_LAYER_III") * 4)
    samples, rate = decode(path, most_seconds=60)
    assert samples.shape[1] <= 60 * rate
    with pytest.raises(BadInput, match="can be taken"):
        decode(path, most_seconds=0.5)


def test_what_is_gone_or_unknown_is_told_by_its_kind(tmp_path: Path) -> None:
    inputs = Inputs(tmp_path)
    for suffix, word, field in ((".png", "picture", "image"), (".wav", "sound", "sound"), (".mid", "piece", "piece")):
        with pytest.raises(NotFound, match=f"The {word} that was given") as told:
            inputs.path("0" * 64 + suffix)
        assert told.value.field == field
    with pytest.raises(BadInput, match="no picture, sound or piece") as refused:
        inputs.keep(b"%PDF-1.4", "melody")
    assert refused.value.field == "melody"
    assert inputs.keep(b"MThd\0\0\0\6\0\0\0\1\1\xe0").endswith(".mid")


def test_kinds_are_told_apart_by_content_alone() -> None:
    mp3, flac = GOOD["MP3"][0], GOOD["FLAC"][0]
    tag = b"ID3\4\0\0\0\0\0\x0a" + b"x" * 10
    assert suffix_of(tag + flac) == ".flac" and suffix_of(tag + mp3) == ".mp3" and suffix_of(mp3) == ".mp3"
    assert suffix_of(b"\xff\xfe" + "text".encode("utf-16-le") * 400) == "" and suffix_of(b"\xff\xd8\xff\xe0") == ".jpg" and suffix_of(b"RIFF\0\0\0\0AVI LIST") == ""


@pytest.mark.parametrize(("suffix", "bits"), [(suffix, bits) for suffix, all_bits in BITS.items() for bits in all_bits])
def test_what_is_written_comes_back(tmp_path: Path, suffix: str, bits: int) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(encode(TONES, 44_100, suffix, bits))
    assert suffix_of(path.read_bytes()) == suffix
    about, (samples, rate) = look(path), decode(path)
    near = 0.02 if suffix in (".mp3", ".ogg") else {16: 1.6e-5, 24: 6e-8, 32: 0}[bits]
    assert rate == 44_100 and about.frames == samples.shape[1] == TONES.shape[1] and np.abs(samples - TONES)[:, 3000:-3000].max() <= near


def test_whole_numbers_are_the_nearest_ones_and_what_is_too_loud_is_cut() -> None:
    given = np.array([[0.0, 1 / 32768, 0.4 / 32768, -2.0, 2.0, 0.5]], np.float32)
    assert quantised(given, 16).tolist() == [[0, 1, 0, -32768, 32767, 16384]]
    with wave.open(io.BytesIO(encode(given, 8000, ".wav", 16))) as file:
        assert np.frombuffer(file.readframes(9), "<i2").tolist() == [0, 1, 0, -32768, 32767, 16384]


@pytest.mark.parametrize("rate", [22_050, 48_000, 16_000, 44_101])
def test_another_rate_keeps_length_and_pitch_and_lets_nothing_fold_down(rate: int) -> None:
    made = resampled(TONES, 44_100, rate)
    assert abs(made.shape[1] - rate) <= 3
    bins = np.abs(np.fft.rfft(made[0] * np.hanning(made.shape[1])))
    assert abs(np.argmax(bins) * rate / made.shape[1] - 440) < 1.5
    high = np.sin(2 * np.pi * 15_000 * TIME)[None].astype(np.float32)
    if rate < 30_000:
        assert np.sqrt(np.mean(resampled(high, 44_100, rate)[0, 500:-500] ** 2)) < 1e-3
