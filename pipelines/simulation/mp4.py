"""MP4 files with AV1: Pillow's AVIF encoder makes the pictures (libavif and aom, BSD), this puts them into the boxes that players know.

An AVIF sequence is itself a file of boxes with one AV1 track, but of a kind that players of films leave alone. Its samples and the decoder's
configuration go unchanged into a new file. Sources: ISO/IEC 14496-12 (boxes), AV1 Codec ISO Media File Format Binding 1.3, AVIF 1.1, chapter 3.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from PIL import Image

GROUP = 30  # pictures at most from one that stands alone to the next: a player can jump there, and Stop is heard
GROUP_PIXELS = 4_000_000  # of them together: about a second of work
SPEED, QUALITY = 8, 80  # Pillow's: 10 is fastest, 100 is best
TIMESCALE = 12_000  # units a second
ENTRY = 86  # bytes of a visual sample entry before its boxes
IDENTITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


@dataclass(frozen=True)
class Track:
    """What one AVIF sequence holds."""

    configuration: bytes  # the boxes "av1C" and, where there is one, "colr"
    samples: list[bytes]


@cache
def mp4_here() -> bool:
    """Tried: some builds of Pillow have no AVIF (its wheel for Windows on ARM), others only read it."""
    try:
        return len(track_of(_sequence([Image.new("RGB", (16, 16))] * 2)).samples) == 2
    except (OSError, KeyError, ValueError, RuntimeError):
        return False


def mp4(frames: list[Image.Image], frame_rate: float, side: int, heard: Callable[[int], None]) -> bytes:
    """A film of two or more pictures of one size, small ones enlarged to at most `side`. `heard` is called between groups with the number of
    pictures that are done and may raise."""
    width, height = larger(frames[0], side).size
    tracks = []
    for group in groups(len(frames), width * height):
        heard(group.start)
        tracks.append(track_of(_sequence([larger(frame, side) for frame in frames[group]])))
    return _film((width, height), frame_rate, tracks[0].configuration, [track.samples for track in tracks])


def larger(image: Image.Image, side: int) -> Image.Image:
    """A whole number of times as large, its longer side at most `side`: a film's colours stand for two by two pixels."""
    times = max(side // max(image.size), 1)
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def groups(count: int, pixels: int) -> Iterator[slice]:
    """Of pictures of so many pixels; the last one has one more where a single one would be left, which is no sequence."""
    starts = list(range(0, max(count - 1, 1), min(max(GROUP_PIXELS // pixels, 2), GROUP)))
    yield from (slice(start, end) for start, end in zip(starts, [*starts[1:], count], strict=True))


def _sequence(frames: list[Image.Image]) -> bytes:
    buffer = io.BytesIO()
    first, *rest = (frame.convert("RGB") for frame in frames)
    first.save(buffer, "AVIF", save_all=True, append_images=rest, duration=40, quality=QUALITY, speed=SPEED, subsampling="4:2:0", range="limited", max_threads=1)
    return buffer.getvalue()


def boxes(data: bytes, start: int = 0) -> dict[bytes, bytes]:
    """The contents of the boxes that follow each other, by their kinds. Raises ValueError where one is cut off."""
    found: dict[bytes, bytes] = {}
    while start + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, start)
        if size < 8 or start + size > len(data):
            raise ValueError(f"the box “{kind.decode('latin-1')}” is cut off")
        found[kind] = data[start + 8 : start + size]
        start += size
    return found


def track_of(sequence: bytes) -> Track:
    """Of an AVIF sequence, all of whose samples follow each other. Raises ValueError, KeyError where it is none."""
    table = boxes(boxes(boxes(boxes(boxes(sequence)[b"moov"])[b"trak"])[b"mdia"])[b"minf"])
    lists = boxes(table[b"stbl"])
    entry = boxes(lists[b"stsd"], 8 + ENTRY)
    configuration = b"".join(_box(kind, entry[kind]) for kind in (b"av1C", b"colr") if kind in entry)
    one_size, count = struct.unpack_from(">II", lists[b"stsz"], 4)
    sizes = [one_size] * count if one_size else list(struct.unpack_from(f">{count}I", lists[b"stsz"], 12))
    chunks, place = struct.unpack_from(">II", lists[b"stco"], 4)
    if chunks != 1:
        raise ValueError("its samples lie apart")
    samples = []
    for size in sizes:
        samples.append(sequence[place : place + size])
        place += size
    return Track(configuration, samples)


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", len(content) + 8, kind) + content


def _full(kind: bytes, *parts: bytes, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", flags), *parts)


def _film(size: tuple[int, int], frame_rate: float, configuration: bytes, grouped: list[list[bytes]]) -> bytes:
    """The samples stand behind the lists, all in one chunk, so that a player can begin before it has the whole file."""
    width, height = size
    samples = [sample for group in grouped for sample in group]
    each = round(TIMESCALE / frame_rate)
    length = each * len(samples)
    alone, number = [], 1
    for group in grouped:
        alone.append(number)
        number += len(group)
    entry = _box(b"av01", bytes(6), struct.pack(">H16xHHIIIH32xHh", 1, width, height, 0x480000, 0x480000, 0, 1, 24, -1), configuration)
    kind = _box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso6av01mp41")

    def head(place: int) -> bytes:
        lists = _box(
            b"stbl",
            _full(b"stsd", struct.pack(">I", 1), entry),
            _full(b"stts", struct.pack(">III", 1, len(samples), each)),
            _full(b"stss", struct.pack(f">I{len(alone)}I", len(alone), *alone)),
            _full(b"stsc", struct.pack(">IIII", 1, 1, len(samples), 1)),
            _full(b"stsz", struct.pack(f">II{len(samples)}I", 0, len(samples), *map(len, samples))),
            _full(b"stco", struct.pack(">II", 1, place)),
        )
        here = _box(b"dinf", _full(b"dref", struct.pack(">I", 1), _full(b"url ", flags=1)))
        media = _box(
            b"mdia",
            _full(b"mdhd", struct.pack(">IIIIHH", 0, 0, TIMESCALE, length, 0x55C4, 0)),
            _full(b"hdlr", struct.pack(">I4s12x", 0, b"vide"), b"Video\0"),
            _box(b"minf", _full(b"vmhd", bytes(8), flags=1), here, lists),
        )
        track = _box(b"trak", _full(b"tkhd", struct.pack(">IIIII8xhhhH", 0, 0, 1, 0, length, 0, 0, 0, 0), IDENTITY, struct.pack(">II", width << 16, height << 16), flags=3), media)
        film = _full(b"mvhd", struct.pack(">IIIIIHH8x", 0, 0, TIMESCALE, length, 0x10000, 0x100, 0), IDENTITY, bytes(24), struct.pack(">I", 2))
        return kind + _box(b"moov", film, track)

    return head(len(head(0)) + 8) + _box(b"mdat", *samples)
