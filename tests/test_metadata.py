"""Settings inside files: there and back for each kind, and hostile files refused in a sentence."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import pytest
from PIL import Image

from studio.api import BadInput
from studio.metadata import embed, extract

ABOUT = {"pipeline": "test.echo", "params": {"prompt": "生成 -- <b>\"quoted\"</b> " * 40, "seed": 1}, "facts": {"parameters": "a cat\nSteps: 20"}}


def picture(form: str, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((33, 21)).convert(mode).save(buffer, form)
    return buffer.getvalue()


def pressed(suffix: str) -> bytes:
    """Two seconds of three tones, as FLAC, OGG or MP3."""
    import numpy as np
    import soundfile

    buffer, time = io.BytesIO(), np.arange(88_200) / 44_100
    tones = sum(np.sin(2 * np.pi * hertz * time) for hertz in (220, 554.4, 1318.5)) / 4
    soundfile.write(buffer, tones, 44_100, format=suffix[1:].upper(), subtype={".mp3": "MPEG_LAYER_III", ".ogg": "VORBIS"}.get(suffix, "PCM_16"))
    return buffer.getvalue()


def sound() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"\1\2" * 801)
    return buffer.getvalue()


MIDI = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk" + struct.pack(">I", 4) + b"\0\xff\x2f\0"
FILES = {
    ".png": picture("PNG"), ".webp": picture("WEBP"), ".jpg": picture("JPEG"), ".gif": picture("GIF", "P"), ".wav": sound(), ".mid": MIDI,
    ".flac": pressed(".flac"), ".ogg": pressed(".ogg"), ".mp3": pressed(".mp3"),
    ".mp4": struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 512, b"isom") + struct.pack(">I4sQ", 1, b"mdat", 20) + b"data",
    ".md": b"# Title\n\ntext --> more", ".json": b'{"value": [1, 2]}',
}  # fmt: skip


@pytest.mark.parametrize("suffix", FILES)
def test_settings_come_back_from_each_kind(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(embed(FILES[suffix], suffix, ABOUT))
    assert extract(path) == ABOUT


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg", ".gif"])
def test_pictures_keep_every_pixel(tmp_path: Path, suffix: str) -> None:
    with Image.open(io.BytesIO(FILES[suffix])) as before, Image.open(io.BytesIO(embed(FILES[suffix], suffix, ABOUT))) as after:
        assert before.convert("RGB").tobytes() == after.convert("RGB").tobytes()


def test_transparent_webp_stays_transparent() -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (8, 8), (255, 0, 0, 90)).save(buffer, "WEBP", lossless=True)
    with Image.open(io.BytesIO(embed(buffer.getvalue(), ".webp", ABOUT))) as after:
        assert after.convert("RGBA").getpixel((3, 3)) == (255, 0, 0, 90)


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".mp3"])
@pytest.mark.parametrize("size", [10, 70_000, 200_000])
def test_other_programs_read_the_same_samples_with_small_and_large_texts_and_a_text_takes_an_older_ones_place(tmp_path: Path, suffix: str, size: int) -> None:
    """200,000 letters take more pages of an OGG file than before: all later ones are numbered anew."""
    import numpy as np
    import soundfile

    about, path = ABOUT | {"facts": {"long": "x" * size}}, tmp_path / f"file{suffix}"
    once = embed(FILES[suffix], suffix, ABOUT)
    path.write_bytes(embed(once, suffix, about))
    assert extract(path) == about and path.read_bytes().lower().count(b"test.echo") == 1
    before, after = soundfile.read(io.BytesIO(FILES[suffix]))[0], soundfile.read(path)[0]
    assert before.shape == after.shape and np.array_equal(before, after) and np.abs(after).max() > 0.3


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".mp3"])
def test_sounds_cut_off_anywhere_in_their_tags_are_refused_in_a_sentence(tmp_path: Path, suffix: str) -> None:
    whole = embed(FILES[suffix], suffix, ABOUT)
    for end in (0, 3, 9, 11, 30, 60, 200, 900):
        path = tmp_path / f"{end}{suffix}"
        path.write_bytes(whole[:end])
        with pytest.raises(BadInput, match="carries no settings"):
            extract(path)


def test_an_ogg_page_is_written_as_its_own_writer_did() -> None:
    """The checksum of each page of a file that libsndfile wrote comes out again."""
    from studio.sound_tags import ogg_pages

    assert b"".join(page.written() for page, _ in ogg_pages(FILES[".ogg"])) == FILES[".ogg"]


def test_sound_keeps_every_sample() -> None:
    with wave.open(io.BytesIO(embed(FILES[".wav"], ".wav", ABOUT))) as file:
        assert file.readframes(2000) == b"\1\2" * 801


def test_the_community_text_is_beside_it() -> None:
    with Image.open(io.BytesIO(embed(FILES[".png"], ".png", ABOUT))) as image:
        assert image.info["parameters"] == "a cat\nSteps: 20"


@pytest.mark.parametrize("suffix", FILES)
def test_files_of_others_and_broken_ones_are_refused(tmp_path: Path, suffix: str) -> None:
    whole = embed(FILES[suffix], suffix, ABOUT)
    for name, data in {"plain": FILES[suffix], "empty": b"", "noise": bytes(range(256)) * 9, "cut": whole[: min(len(whole) // 2, 400)]}.items():
        path = tmp_path / f"{name}{suffix}"
        path.write_bytes(data)
        with pytest.raises(BadInput) as told:
            extract(path)
        assert told.value.hint


@pytest.mark.parametrize("text", ["[1, 2]", '{"pipeline": "x"}', '{"pipeline": "x", "params": 3}', "[" * 100_000])
def test_settings_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.md"
    path.write_text(f"hello\n\n<!-- seisei {text} -->\n")
    with pytest.raises(BadInput):
        extract(path)


@pytest.mark.parametrize("data", [struct.pack(">I4s4s", 12, b"ftyp", b"isom") + struct.pack(">I4s", 0, b"mdat") + b"to the end", struct.pack(">I4s", 900, b"mdat") + b"cut", b"\0\0", b""])
def test_a_film_without_room_is_left_as_it_is(data: bytes) -> None:
    assert embed(data, ".mp4", ABOUT) is data


def test_a_film_of_another_beginning_has_room(tmp_path: Path) -> None:
    (path := tmp_path / "film.mp4").write_bytes(embed(struct.pack(">I4s", 8, b"wide") + struct.pack(">I4s4s", 12, b"mdat", b"data"), ".mp4", ABOUT))
    assert extract(path) == ABOUT
