"""Files that people give to a job, kept by their content in user_data/inputs: a job can be run again after a restart, the original is never touched.

Sources of the signatures: PNG 1.2, JFIF 1.02, RIFF (Microsoft 1991), GIF89a, RFC 9639 (FLAC), RFC 3533 (Ogg), ISO 11172-3 (MP3), ID3 2.4.0, Standard MIDI Files 1.0.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from pathlib import Path

from studio.errors import BadInput, NotFound

PICTURES, SOUNDS, PIECES = (".png", ".jpg", ".webp", ".gif"), (".wav", ".flac", ".mp3", ".ogg"), (".mid",)
TABLE, DRAWING = ".csv", ".svg"
STARTS = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"fLaC": ".flac", b"OggS": ".ogg", b"MThd": ".mid"}
RIFFS = {b"WEBP": ".webp", b"WAVE": ".wav"}
RATES = (44_100, 48_000, 32_000)
BITRATES = {True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320), False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)}  # thousands a second of MPEG 1, of 2 and 2.5
GONE = {
    **dict.fromkeys(PICTURES, ("The picture that was given is not here any more.", "image")), **dict.fromkeys(SOUNDS, ("The sound that was given is not here any more.", "sound")),
    **dict.fromkeys(PIECES, ("The piece that was given is not here any more.", "piece")),
    DRAWING: ("The drawing that was given is not here any more.", "image"),
    TABLE: ("The table that was given is not here any more.", "table"),
}  # fmt: skip


class Inputs:
    """Keys are "<sha256><suffix>"; the suffix comes from the content, never from a name."""

    def __init__(self, folder: Path, given: Callable[[str, int], None] = lambda key, size: None) -> None:
        """`given(key, bytes)` is told before a file is kept, and may refuse it."""
        self.folder = Path(folder)
        self._given = given

    def keep(self, data: bytes, field: str = "image") -> str:
        """Raises BadInput at the field for what is no picture, sound or piece. Whether it can be read in full is told by who reads it."""
        suffix = suffix_of(data)
        if not suffix:
            hint = "Give a PNG, JPEG, WebP or GIF picture, a WAV, FLAC, MP3 or OGG sound, or a MIDI file."
            raise BadInput("This is no picture, sound or piece that can be read.", hint=hint, field=field)
        return self._kept(data, suffix)

    def keep_table(self, data: bytes, field: str = "table") -> str:
        """Any text: whether it is a table is told by who reads it. Raises BadInput at the field for what is empty or a file of another kind."""
        if not data.strip() or suffix_of(data):
            raise BadInput("This file is empty." if not data.strip() else "This is a picture, a sound or a piece, no table.", hint="Give a CSV file: rows of numbers with a separator between them.", field=field)
        return self._kept(data, TABLE)

    def keep_drawing(self, data: bytes, field: str = "image") -> str:
        """An SVG drawing. Raises BadInput at the field for what is none; what it holds besides drawing must do nothing where it is shown."""
        head = data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n")
        if not head.startswith((b"<?xml", b"<svg", b"<!DOCTYPE svg")) or b"<svg" not in data[:4000]:
            raise BadInput("This is no SVG drawing.", hint="Give a file that ends in .svg.", field=field)
        return self._kept(data, DRAWING)

    def _kept(self, data: bytes, suffix: str) -> str:
        key = hashlib.sha256(data).hexdigest() + suffix
        self._given(key, len(data))
        path = self.folder / key
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{key}.{uuid.uuid4().hex}.part")  # two people may give the same file at once
            part.write_bytes(data)
            part.replace(path)
        return key

    def path(self, key: str, field: str = "") -> Path:
        """Raises NotFound, at the field or the usual one of its kind, where it is gone; a key is a name, never a path."""
        path = self.folder / Path(key).name
        if not key or not path.is_file():
            told, usual = GONE.get(path.suffix, GONE[".png"])
            raise NotFound(told, hint="Give it again.", field=field or usual)
        return path


def suffix_of(data: bytes) -> str:
    """What the content is, as the suffix that its files have; "" for anything else."""
    if data.startswith((b"RIFF", b"RF64")):
        return RIFFS.get(data[8:12], "") if len(data) > 12 else ""
    if data.startswith(b"GIF8") and not (data[6:8].strip(b"\0") and data[8:10].strip(b"\0")):  # no width or no height
        return ""
    if data.startswith(b"ID3"):
        return ".flac" if data.startswith(b"fLaC", tag_length(data)) else ".mp3"
    return next((suffix for start, suffix in STARTS.items() if data.startswith(start)), "") or (".mp3" if is_mp3(data) else "")


def tag_length(data: bytes) -> int:
    """Bytes of the ID3 2 tag that the file begins with; 0 where it has none."""
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    return 10 + (data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9]) + (10 if data[5] & 0x10 else 0)


def is_mp3(data: bytes) -> bool:
    """Whether two frames of MPEG audio layer III follow each other, or one is all there is."""
    length = frame_length(data[:4])
    return bool(length) and (len(data) <= length or frame_length(data[length : length + 4]) > 0)


def frame_length(head: bytes) -> int:
    """Bytes of the MPEG layer III frame with this header of four bytes; 0 where it is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0 or head[1] & 0x06 != 0x02:
        return 0
    version, bitrate, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or bitrate in (0, 15) or rate == 3:
        return 0
    first = version == 3
    hertz = RATES[rate] // {3: 1, 2: 2, 0: 4}[version]
    return (144 if first else 72) * BITRATES[first][bitrate - 1] * 1000 // hertz + (head[2] >> 1 & 1)
