"""Our text inside FLAC, OGG and MP3 files, where players keep title and artist: sound stays as it is, byte for byte. Readers take hostile files.

Sources: RFC 9639 (FLAC, metadata blocks), the Vorbis I specification (comment header), RFC 3533 (Ogg pages and their checksum), ID3 2.3.0 (TXXX).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from studio.inputs import tag_length

KEY = b"seisei"
FLAC_COMMENT, MOST_BLOCK = 4, 2**24 - 1
MOST_PARTS = 4_096  # blocks or frames of tags, of which usual files have some ten
MOST_COMMENTS = 100_000
MOST_LACED = 255  # segments of an Ogg page, of up to 255 bytes each
REVERSED = bytes(int(f"{number:08b}"[::-1], 2) for number in range(256))
OGG_VORBIS = (b"\x01vorbis", b"\x03vorbis", b"\x05vorbis")


# -- Vorbis comments, of FLAC and OGG --------------------------------------------------------------------------


def comments_of(data: bytes) -> tuple[bytes, list[bytes]]:
    """The writer's name and all comments, "NAME=text". Raises ValueError, struct.error."""
    (length,) = struct.unpack_from("<I", data)
    vendor, place = data[4 : 4 + length], 4 + length
    (count,) = struct.unpack_from("<I", data, place)
    if count > MOST_COMMENTS:
        raise ValueError("too many comments")
    found, place = [], place + 4
    for _ in range(count):
        (length,) = struct.unpack_from("<I", data, place)
        if place + 4 + length > len(data):
            raise ValueError("truncated comments")
        found.append(data[place + 4 : place + 4 + length])
        place += 4 + length
    return vendor, found


def with_comment(data: bytes, raw: bytes) -> bytes:
    """The comments `data` with ours, which takes an older one's place."""
    vendor, found = comments_of(data) if data else (KEY, [])
    kept = [one for one in found if not is_ours(one)] + [KEY + b"=" + raw]
    return struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", len(kept)) + b"".join(struct.pack("<I", len(one)) + one for one in kept)


def is_ours(comment: bytes) -> bool:
    return comment[: len(KEY) + 1].lower() == KEY + b"="  # names of comments know no case


def our_comment(data: bytes) -> bytes | None:
    return next((one[len(KEY) + 1 :] for one in comments_of(data)[1] if is_ours(one)), None)


# -- FLAC ------------------------------------------------------------------------------------------------------


def flac_embed(data: bytes, raw: bytes) -> bytes:
    """Raises ValueError where it is no FLAC file or the text has no room in it."""
    blocks, place = flac_blocks(data)
    old = next((content for kind, content in blocks if kind == FLAC_COMMENT), b"")
    ours = with_comment(old, raw)
    if len(ours) > MOST_BLOCK:
        raise ValueError("too much for a FLAC file")
    kept = [(kind, content) for kind, content in blocks if kind != FLAC_COMMENT]
    kept.insert(1, (FLAC_COMMENT, ours))  # behind the stream's own, which comes first
    heads = [bytes([kind | (0x80 if number == len(kept) - 1 else 0)]) + struct.pack(">I", len(content))[1:] + content for number, (kind, content) in enumerate(kept)]
    return b"fLaC" + b"".join(heads) + data[place:]


def flac_extract(data: bytes) -> bytes | None:
    comment = next((content for kind, content in flac_blocks(data)[0] if kind == FLAC_COMMENT), None)
    return our_comment(comment) if comment is not None else None


def flac_blocks(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """The blocks before the sound, as kind and content, and where the sound begins."""
    place = tag_length(data)
    if data[place : place + 4] != b"fLaC":
        raise ValueError("not a FLAC file")
    blocks, place, last = list[tuple[int, bytes]](), place + 4, False
    while not last:
        (head,) = struct.unpack_from(">I", data, place)
        last, kind, length = bool(head >> 31), head >> 24 & 0x7F, head & 0xFFFFFF
        if place + 4 + length > len(data) or len(blocks) >= MOST_PARTS:
            raise ValueError("truncated FLAC file")
        blocks.append((kind, data[place + 4 : place + 4 + length]))
        place += 4 + length
    return blocks, place


# -- OGG -------------------------------------------------------------------------------------------------------


@dataclass
class Page:
    """`flags`: 1 goes on with a packet, 2 begins, 4 ends the stream. `laces` are the segments' lengths."""

    flags: int
    position: int
    serial: int
    number: int
    laces: bytes
    content: bytes

    def written(self) -> bytes:
        head = struct.pack("<4sBBqIIIB", b"OggS", 0, self.flags, self.position, self.serial, self.number, 0, len(self.laces))
        whole = head + self.laces + self.content
        return whole[:22] + struct.pack("<I", ogg_checksum(whole)) + whole[26:]


def ogg_checksum(page: bytes) -> int:
    """Of a page whose checksum is 0. Ogg's CRC goes through the bits from the highest, zlib's from the lowest, and begins with 0 where zlib's begins with ones."""
    mirrored = zlib.crc32(page.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(struct.pack("<I", mirrored).translate(REVERSED), "big")


def ogg_pages(data: bytes) -> Iterator[tuple[Page, int]]:
    """Each page and where it ends."""
    place = 0
    while place + 27 <= len(data):
        mark, version, flags, position, serial, number, _, count = struct.unpack_from("<4sBBqIIIB", data, place)
        laces = data[place + 27 : place + 27 + count]
        end = place + 27 + count + sum(laces)
        if mark != b"OggS" or version or end > len(data):
            raise ValueError("not an OGG file")
        yield Page(flags, position, serial, number, laces, data[place + 27 + count : end]), end
        place = end


def ogg_headers(data: bytes) -> tuple[list[bytes], Page, int, int]:
    """The three packets that a Vorbis stream begins with, its first page, how many pages they take and where the sound begins."""
    packets, part, first, used = list[bytes](), bytearray(), None, 0
    for page, end in ogg_pages(data):
        first, used, place = first or page, used + 1, 0
        for lace in page.laces:
            part += page.content[place : place + lace]
            place += lace
            if lace < 255:
                packets.append(bytes(part))
                part = bytearray()
        if len(packets) >= 3:
            if len(packets) > 3 or part or any(not packet.startswith(start) for packet, start in zip(packets, OGG_VORBIS, strict=True)):
                break
            return packets, first, used, end
        if used > 2000 or len(part) > MOST_BLOCK or not page.content:
            break
    raise ValueError("not an OGG file with Vorbis in it")


def ogg_embed(data: bytes, raw: bytes) -> bytes:
    """Raises ValueError where it is no OGG file with Vorbis in it."""
    packets, first, used, place = ogg_headers(data)
    comment = OGG_VORBIS[1] + with_comment(packets[1][7:], raw) + b"\x01"
    laces, content = b"", comment + packets[2]
    for packet in (comment, packets[2]):
        laces += b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
    pages = [first]
    while laces:
        part, laces = laces[:MOST_LACED], laces[MOST_LACED:]
        begun = pages[-1] is not first and pages[-1].laces[-1] == 255
        ends = any(lace < 255 for lace in part)
        pages.append(Page(int(begun), 0 if ends else -1, first.serial, len(pages), part, content[: sum(part)]))
        content = content[sum(part) :]
    head = b"".join(page.written() for page in pages)
    if (moved := len(pages) - used) == 0:
        return head + data[place:]
    rest = []
    for page, _ in ogg_pages(data[place:]):
        page.number += moved if page.serial == first.serial else 0
        rest.append(page.written())
    return head + b"".join(rest)


def ogg_extract(data: bytes) -> bytes | None:
    return our_comment(ogg_headers(data)[0][1][7:])


# -- MP3 -------------------------------------------------------------------------------------------------------


def mp3_embed(data: bytes, raw: bytes) -> bytes:
    """A tag before the sound; other programs' frames of the same version are kept. Players go past what they don't know."""
    old = b"".join(frame for frame in id3_frames(data) if not frame[10:].startswith(b"\0" + KEY + b"\0"))
    content = b"\0" + KEY + b"\0" + raw  # Latin letters, a name, the text
    frames = b"TXXX" + struct.pack(">IH", len(content), 0) + content + old
    size = bytes(len(frames) >> shift & 0x7F for shift in (21, 14, 7, 0))
    if len(frames) >= 2**28:
        raise ValueError("too much for an MP3 file")
    return b"ID3\3\0\0" + size + frames + data[tag_length(data) :]


def mp3_extract(data: bytes) -> bytes | None:
    mark = b"\0" + KEY + b"\0"
    return next((frame[10 + len(mark) :] for frame in id3_frames(data) if frame.startswith(b"TXXX") and frame[10:].startswith(mark)), None)


def id3_frames(data: bytes) -> list[bytes]:
    """The frames of an ID3 2.3 tag without extras, heads included; [] of other versions."""
    if data[:4] != b"ID3\3" or data[5]:
        return []
    found, place, end = list[bytes](), 10, min(len(data), tag_length(data))
    while place + 10 <= end and data[place] and len(found) < MOST_PARTS:
        (length,) = struct.unpack_from(">I", data, place + 4)
        if place + 10 + length > end:
            break
        found.append(data[place : place + 10 + length])
        place += 10 + length
    return found
