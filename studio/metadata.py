"""Metadata inside every file kind, and a sidecar where a format has no room.

One JSON object under the name "seisei". Readers take hostile files: sizes are bounded, nothing is executed.
Source: PNG 1.2 (tEXt/iTXt), RIFF INFO, Standard MIDI Files 1.0 (meta event 1), GIF89a comment extension, EXIF 2.3, ISO/IEC 14496-12 (box "uuid"); those of sound files are in studio/sound_tags.py.
"""

from __future__ import annotations

import base64
import io
import json
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio import sound_tags
from studio.errors import BadInput

KEY = "seisei"
MAX_FILE_BYTES = 512 * 2**20
MAX_METADATA_BYTES = 8 * 2**20
OWN_BOX = bytes.fromhex("6f0c5d2a94b14c0e8d7be2f4a1c35b68")  # names our box in an MP4
EXIF_USER_COMMENT = 0x9286
EXIF_IFD = 0x8769
EXIF_TEXTS = (0x010E, 0x010F, 0x0110)  # description, make, model: where ComfyUI's WebP files have "workflow:…" and "prompt:…"
_LAST_LINE = re.compile(rb"\n# seisei ([\w=-]+)\s*\Z")
_MARK, _MARK_END = b"<!-- seisei {", b"} -->"


def embed(data: bytes, suffix: str, metadata: dict[str, Any]) -> bytes:
    """The file's bytes with the metadata inside; the same object where the format has no room (then a sidecar is due)."""
    raw = json.dumps(metadata, ensure_ascii=True, separators=(",", ":"))
    match suffix.lower():
        case ".png":
            return _png_embed(data, raw, metadata)
        case ".wav":
            return _wav_embed(data, raw.encode())
        case ".flac":
            return sound_tags.flac_embed(data, raw.encode())
        case ".ogg":
            return sound_tags.ogg_embed(data, raw.encode())
        case ".mp3":
            return sound_tags.mp3_embed(data, raw.encode())
        case ".mid":
            return _midi_embed(data, raw.encode())
        case ".gif":
            return _gif_embed(data, raw.encode())
        case ".webp" | ".jpg" | ".jpeg":
            return _exif_embed(data, suffix.lower(), raw)
        case ".mp4":
            return _mp4_embed(data, raw.encode())
        case ".md" | ".txt":
            return data.rstrip(b"\n") + b"\n\n<!-- seisei " + raw.replace("--", "-\\u002d").encode() + b" -->\n"
        case ".csv":  # a comment at the end, without commas: no column more, and most readers leave it out
            return data.rstrip(b"\n") + b"\n# seisei " + base64.urlsafe_b64encode(raw.encode()) + b"\n"
        case ".json":
            return json.dumps(json.loads(data) | {KEY: metadata}, ensure_ascii=False, indent=1).encode()
    return data


def sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".seisei.json")


def extract(path: Path) -> dict[str, Any]:
    """The metadata of a file of the studio. Raises BadInput where it carries none or can't be read."""
    nothing = BadInput(f"“{path.name}” carries no settings of this studio.", hint="Drop a file that the studio made.")
    try:
        if not path.is_file():
            raise nothing
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadInput(f"“{path.name}” is larger than {MAX_FILE_BYTES >> 20} MB.", hint="Use a smaller file.")
        raw = _read(path)
        if raw is None and sidecar(path).is_file():
            raw = sidecar(path).read_bytes()
        if raw is None or len(raw) > MAX_METADATA_BYTES:
            raise nothing
        found = json.loads(raw)
    except (OSError, ValueError, struct.error, zlib.error, RecursionError, SyntaxError) as error:
        raise nothing from error
    if not isinstance(found, dict) or "pipeline" not in found or not isinstance(found.get("params"), dict):
        raise nothing
    return found


def texts_of(path: Path) -> dict[str, str]:
    """The texts that other programs write into pictures: those of a PNG by their names, the user comment of JPEG and WebP as "parameters"; {} where there are none."""
    from PIL import Image

    found: dict[str, str] = {}
    try:
        with Image.open(path) as image:
            found = {str(name): str(text)[:MAX_METADATA_BYTES] for name, text in image.info.items() if isinstance(text, str)}
            exif = image.getexif()
            comment = exif.get_ifd(EXIF_IFD).get(EXIF_USER_COMMENT) or exif.get(EXIF_USER_COMMENT, b"")  # Fooocus writes it beside the folder where it belongs
            named = [str(exif.get(tag, "")).partition(":") for tag in EXIF_TEXTS]
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError):
        return found
    for name, _, text in named:
        if text and name.lower() in ("prompt", "workflow", "parameters"):
            found.setdefault(name.lower(), text.strip("\0"))
    if told := user_comment(comment if isinstance(comment, bytes) else str(comment).encode()):
        found.setdefault("parameters", told)
    return found


def parameters_text(path: Path) -> str:
    """The text of settings that AUTOMATIC1111's programs write: PNG "parameters", JPEG and WebP EXIF user comment; "" where there is none."""
    return texts_of(path).get("parameters", "")


def user_comment(raw: bytes) -> str:
    """EXIF's user comment: eight bytes name its letters. Source: EXIF 2.3, 4.6.5. "" for our own."""
    kind, text = raw[:8], raw[8:]
    if kind == b"UNICODE\0":
        order = text[:2] if text[:2] in (b"\xff\xfe", b"\xfe\xff") else b""
        big = order == b"\xfe\xff" or (not order and text[::2].count(0) >= text[1::2].count(0))  # letters of Latin have their zero first then
        told = text[len(order) :].decode("utf-16-be" if big else "utf-16-le", "replace")
    elif kind == b"JIS\0\0\0\0\0":
        told = text.decode("iso2022_jp", "replace")
    else:
        told = (text if kind in (b"ASCII\0\0\0", b"\0" * 8) else raw).decode("utf-8", "replace")
    return "" if told.startswith(f"{KEY} ") else told.strip("\0")


def body(path: Path) -> bytes:
    """A text or a table without its metadata."""
    return _LAST_LINE.sub(b"\n", path.read_bytes()) if path.suffix == ".csv" else _unmarked(path.read_bytes())[0]


def _read(path: Path) -> bytes | None:
    data = path.read_bytes()
    match path.suffix.lower():
        case ".png":
            return _png_extract(data)
        case ".wav":
            return _wav_extract(data)
        case ".flac":
            return sound_tags.flac_extract(data)
        case ".ogg":
            return sound_tags.ogg_extract(data)
        case ".mp3":
            return sound_tags.mp3_extract(data)
        case ".mid":
            return _midi_extract(data)
        case ".gif":
            return _gif_extract(data)
        case ".webp" | ".jpg" | ".jpeg":
            return _exif_extract(data)
        case ".mp4":
            return _mp4_extract(data)
        case ".md" | ".txt":
            return _unmarked(data)[1]
        case ".csv":
            line = _LAST_LINE.search(data)
            return base64.urlsafe_b64decode(line.group(1)) if line else None
        case ".json":
            value = json.loads(data)
            return json.dumps(value[KEY]).encode() if isinstance(value, dict) and KEY in value else None
    return None


def _unmarked(data: bytes) -> tuple[bytes, bytes | None]:
    """A text, and what our mark at its end holds. Not by a pattern: many lines or marks would be gone through again for each."""
    whole, start = data.rstrip(), data.rfind(_MARK)
    if start < 0 or not whole.endswith(_MARK_END):
        return data, None
    return data[:start].rstrip(b"\n"), whole[start + len(_MARK) - 1 : -len(_MARK_END) + 1]


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("not a PNG")
    place = 8
    while place + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[place : place + 8])
        if place + 12 + size > len(data):
            raise ValueError("truncated PNG")
        yield kind, data[place + 8 : place + 8 + size]
        place += 12 + size


def _png_embed(data: bytes, raw: str, metadata: dict[str, Any]) -> bytes:
    texts = {KEY: raw}
    if parameters := metadata.get("facts", {}).get("parameters"):
        texts["parameters"] = str(parameters)
    extra = b"".join(_png_text(key, text) for key, text in texts.items())
    end = 8 + 4 + 4 + 13 + 4  # behind the header chunk, which comes first
    return data[:end] + extra + data[end:]


def _png_text(key: str, text: str) -> bytes:
    content = key.encode() + b"\0\0\0\0\0" + text.encode()
    return struct.pack(">I", len(content)) + b"iTXt" + content + struct.pack(">I", zlib.crc32(b"iTXt" + content))


def _png_extract(data: bytes) -> bytes | None:
    prefix = KEY.encode() + b"\0\0\0\0\0"
    return next((content[len(prefix) :] for kind, content in _png_chunks(data) if kind == b"iTXt" and content.startswith(prefix)), None)


def _wav_embed(data: bytes, raw: bytes) -> bytes:
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("not a WAV")
    text = raw + b"\0" * (2 - len(raw) % 2)
    info = b"INFOICMT" + struct.pack("<I", len(text)) + text
    whole = data + b"\0" * (len(data) % 2) + b"LIST" + struct.pack("<I", len(info)) + info
    return b"RIFF" + struct.pack("<I", len(whole) - 8) + whole[8:]


def _wav_extract(data: bytes) -> bytes | None:
    if data[:4] != b"RIFF":
        return None
    place = 12
    while place + 8 <= len(data):
        kind, size = struct.unpack("<4sI", data[place : place + 8])
        content = data[place + 8 : place + 8 + size]
        if kind == b"LIST" and content[:8] == b"INFOICMT":
            (length,) = struct.unpack("<I", content[8:12])
            return content[12 : 12 + length].rstrip(b"\0")
        place += 8 + size + size % 2
    return None


def _midi_embed(data: bytes, raw: bytes) -> bytes:
    if data[:4] != b"MThd" or data[14:18] != b"MTrk":
        raise ValueError("not a MIDI file")
    (size,) = struct.unpack(">I", data[18:22])
    text = b"seisei " + raw
    event = b"\0\xff\x01" + _varint(len(text)) + text
    return data[:18] + struct.pack(">I", size + len(event)) + event + data[22:]


def _varint(number: int) -> bytes:
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(0x80 | (number & 0x7F))
    return bytes(reversed(groups))


def _midi_extract(data: bytes) -> bytes | None:
    if data[:4] != b"MThd" or data[22:25] != b"\0\xff\x01":
        return None
    length = 0
    for place in range(25, min(29, len(data))):  # a number has one to four bytes
        length = length << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            text = data[place + 1 : place + 1 + length]
            return text[7:] if text.startswith(b"seisei ") else None
    return None


def _gif_embed(data: bytes, raw: bytes) -> bytes:
    if data[:3] != b"GIF" or not data.endswith(b";"):
        raise ValueError("not a GIF")
    text = b"seisei " + raw
    blocks = b"".join(bytes([len(part)]) + part for part in (text[n : n + 255] for n in range(0, len(text), 255)))
    return data[:-1] + b"\x21\xfe" + blocks + b"\0;"


def _gif_extract(data: bytes) -> bytes | None:
    start = data.rfind(b"\x21\xfe" + b"", 0)
    while start >= 0:
        if data.startswith(b"seisei ", start + 3):
            place, parts = start + 2, []
            while place < len(data) and data[place]:
                parts.append(data[place + 1 : place + 1 + data[place]])
                place += 1 + data[place]
            return b"".join(parts)[7:]
        start = data.rfind(b"\x21\xfe", 0, start)
    return None


def _mp4_embed(data: bytes, raw: bytes) -> bytes:
    """A box of our own behind all others: players pass over it, and no place in the lists moves. Unchanged where the last box goes on to the file's end."""
    ends = [end for _, _, end in _mp4_boxes(data)]
    return data + struct.pack(">I4s", len(raw) + 24, b"uuid") + OWN_BOX + raw if ends and ends[-1] == len(data) else data


def _mp4_extract(data: bytes) -> bytes | None:
    return next((data[begin + 24 : end] for kind, begin, end in _mp4_boxes(data) if kind == b"uuid" and data[begin + 8 : begin + 24] == OWN_BOX), None)


def _mp4_boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The whole ones with a size: kind, first byte, the one after the last."""
    place = 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        if size == 1 and place + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, place + 8)
        if size < 8 or place + size > len(data):
            return
        yield kind, place, place + size
        place += size


def _exif_embed(data: bytes, suffix: str, raw: str) -> bytes:
    """Lossless is not possible through Pillow for JPEG: quality "keep" leaves its coefficients as they are."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        exif = image.getexif()
        exif.get_ifd(EXIF_IFD)[EXIF_USER_COMMENT] = b"ASCII\0\0\0seisei " + raw.encode("ascii")
        if suffix == ".webp":
            return _webp_with_exif(data, exif.tobytes(), image.size, "A" in image.getbands())
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality="keep", exif=exif)
    return buffer.getvalue()


def _webp_with_exif(data: bytes, exif: bytes, size: tuple[int, int], alpha: bool) -> bytes:
    chunks, place = [], 12
    while place + 8 <= len(data):
        kind, length = struct.unpack("<4sI", data[place : place + 8])
        chunks.append((kind, data[place + 8 : place + 8 + length]))
        place += 8 + length + length % 2
    flags = next((content[0] for kind, content in chunks if kind == b"VP8X"), 0x10 if alpha else 0) | 0x08
    canvas = struct.pack("<I", size[0] - 1)[:3] + struct.pack("<I", size[1] - 1)[:3]
    kept = [(kind, content) for kind, content in chunks if kind not in (b"VP8X", b"EXIF")]
    whole = [(b"VP8X", bytes([flags, 0, 0, 0]) + canvas), *kept, (b"EXIF", exif.removeprefix(b"Exif\0\0"))]
    written = b"".join(kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2) for kind, content in whole)
    return b"RIFF" + struct.pack("<I", len(written) + 4) + b"WEBP" + written


def _exif_extract(data: bytes) -> bytes | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:
            comment = image.getexif().get_ifd(EXIF_IFD).get(EXIF_USER_COMMENT, b"")
    except UnidentifiedImageError as error:
        raise ValueError("not an image") from error
    mark = b"ASCII\0\0\0seisei "
    return comment[len(mark) :] if isinstance(comment, bytes) and comment.startswith(mark) else None
