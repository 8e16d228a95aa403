"""Films of runs: MP4 with AV1, whose pictures are those of Pillow's AVIF, in order; every list of the file agrees with its data. The browser plays one in tests/browser/test_simulation.py."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.simulation.moving import Moving
from pipelines.simulation.mp4 import GROUP, GROUP_PIXELS, TIMESCALE, boxes, groups, larger, mp4, mp4_here, track_of
from studio.errors import Stopped

pytestmark = pytest.mark.skipif(not mp4_here(), reason="this computer's Pillow writes no AVIF")


def frames(count: int, size: tuple[int, int] = (64, 48)) -> list[Image.Image]:
    """A bright column that goes from left to right."""
    made = []
    for number in range(count):
        pixels = np.full((size[1], size[0], 3), 30, np.uint8)
        pixels[:, (number * 4) % size[0] :][:, :4] = (240, 160, 20)
        made.append(Image.fromarray(pixels))
    return made


def inner(data: bytes, *kinds: bytes) -> dict[bytes, bytes]:
    """The boxes in the one at the end of the path."""
    for kind in kinds:
        data = boxes(data)[kind]
    return boxes(data)


def numbers(data: bytes, skipped: int) -> list[int]:
    return [number for (number,) in struct.iter_unpack(">I", data[skipped:])]


@pytest.mark.parametrize("count", [2, 3, GROUP, GROUP + 1, GROUP + 2, 3 * GROUP + 1])
def test_groups_are_all_pictures_in_turn_and_none_is_alone(count: int) -> None:
    for pixels in (100, GROUP_PIXELS // 7, 10 * GROUP_PIXELS):
        taken = [list(range(count))[group] for group in groups(count, pixels)]
        assert sum(taken, []) == list(range(count)) and all(2 <= len(group) <= GROUP + 1 for group in taken)
        assert all(len(group) * pixels <= GROUP_PIXELS or len(group) <= 3 for group in taken[:-1])


@pytest.mark.parametrize(("count", "rate"), [(2, 15.0), (GROUP + 5, 24.0), (2 * GROUP + 1, 7.0)])
def test_every_list_of_the_film_agrees_with_its_data(count: int, rate: float) -> None:
    film = mp4(frames(count), rate, 64, lambda done: None)
    movie, table = inner(film, b"moov"), inner(film, b"moov", b"trak", b"mdia", b"minf", b"stbl")
    sizes, data = numbers(table[b"stsz"], 12), boxes(film)[b"mdat"]
    place = numbers(table[b"stco"], 8)
    assert len(sizes) == count == numbers(table[b"stsz"], 8)[0] and sum(sizes) == len(data) and place == [film.index(data)]
    assert numbers(table[b"stsc"], 4) == [1, 1, count, 1]
    each, length = numbers(table[b"stts"], 8)[1], struct.unpack_from(">I", movie[b"mvhd"], 16)[0]
    assert each == round(TIMESCALE / rate) and length == each * count
    assert numbers(table[b"stss"], 8) == [group.start + 1 for group in groups(count, 64 * 48)]
    assert inner(film, b"moov", b"trak", b"mdia")[b"hdlr"][8:12] == b"vide" and film[4:12] == b"ftypisom"
    assert struct.unpack(">II", inner(film, b"moov", b"trak")[b"tkhd"][-8:]) == (64 << 16, 48 << 16)


def test_a_groups_samples_are_those_of_an_avif_whose_pictures_are_the_frames() -> None:
    shown = frames(GROUP + 5)
    film = mp4(shown, 15.0, 64, lambda done: None)
    buffer = io.BytesIO()
    shown[0].save(buffer, "AVIF", save_all=True, append_images=shown[1:GROUP], duration=40, quality=80, speed=8, subsampling="4:2:0", range="limited", max_threads=1)
    assert boxes(film)[b"mdat"].startswith(b"".join(track_of(buffer.getvalue()).samples))
    with Image.open(buffer) as read:
        for number in (0, 7, GROUP - 1):
            read.seek(number)
            assert np.abs(np.asarray(read.convert("RGB"), float) - np.asarray(shown[number], float)).mean() < 6


def test_stop_is_heard_between_two_groups() -> None:
    heard: list[int] = []

    def stop(done: int) -> None:
        heard.append(done)
        if len(heard) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        mp4(frames(4 * GROUP), 15.0, 64, stop)
    assert heard == [0, GROUP]


def test_what_is_cut_off_or_no_sequence_is_refused() -> None:
    buffer = io.BytesIO()
    frames(1)[0].save(buffer, "AVIF")
    for data in (buffer.getvalue(), buffer.getvalue()[:100]):
        with pytest.raises((KeyError, ValueError)):
            track_of(data)


@pytest.mark.parametrize(("size", "side", "wanted"), [((64, 48), 480, (448, 336)), ((300, 200), 480, (300, 200)), ((480, 480), 480, (480, 480))])
def test_small_pictures_become_whole_times_as_large_in_a_film(size: tuple[int, int], side: int, wanted: tuple[int, int]) -> None:
    image = frames(1, size)[0]
    grown = larger(image, side)
    times = wanted[0] // size[0]
    assert grown.size == wanted and np.array_equal(np.asarray(grown)[::times, ::times], np.asarray(image))


def test_a_film_is_a_video_with_its_count_and_gif_stays_as_it_was() -> None:
    def made(kind: str) -> Any:
        moving = Moving(kind, 15, 320)
        for frame in frames(5):
            moving.add(np.asarray(frame))
        return moving.artifact("Title", lambda done: None)

    film, gif = made("MP4"), made("GIF")
    assert (film.kind, film.suffix, film.facts) == ("video", ".mp4", {"frames": 5}) and (gif.kind, gif.suffix) == ("image", ".gif")
    with Image.open(io.BytesIO(gif.data)) as read:
        assert read.size == (64, 48) and read.n_frames == 5


def test_a_picture_of_another_size_becomes_as_large_as_the_first() -> None:
    moving = Moving("GIF", 15, 320)
    for size in ((64, 48), (30, 90), (64, 48)):
        moving.add(np.asarray(frames(1, size)[0]))
    with Image.open(io.BytesIO(moving.artifact("Title", lambda done: None).data)) as read:
        assert read.size == (64, 48)
