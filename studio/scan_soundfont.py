"""What a SoundFont file tells of itself, and whether all it points at is there: read before any program's own code may see the file.

A SoundFont comes from anywhere and is read by a native library that believes what it is told: every list must be whole, every index in range,
every sample inside the data. Sources: SoundFont Technical Specification 2.04 (Creative 2006), chapters 4-7; SF3 as MuseScore writes it (samples are
OGG Vorbis streams, their places in bytes, their loops in frames from their own beginning); the Vorbis I specification, 4.2.2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, BinaryIO

from studio.sound_tags import ogg_pages

MOST_BYTES = 2**31
MOST_RECORDS = 65_536 * 8
MOST_SHARED = 4  # times that the data of all pressed samples are read, where some use the same
MOST_FRAMES = 2**29  # of all samples, decoded: 2 GB in floating point
RECORDS = {b"phdr": 38, b"pbag": 4, b"pmod": 10, b"pgen": 4, b"inst": 22, b"ibag": 4, b"imod": 10, b"igen": 4, b"shdr": 46}
INSTRUMENT, SAMPLE = 41, 53  # generators that name one
LOOP_ENDS = {3: 1, 50: 32_768}  # generators that move a loop's end, by how many frames
RISE, FORCES = 26, 44  # generators: how long the modulation envelope rises, in timecents; the lowest and the highest force
ALL_FORCES, NO_RISE = 127 << 8, -12_000  # 0 to 127; a thousandth of a second
ROM, PRESSED = 0x8000, 0x10  # kinds of samples: in a sound card's memory; as OGG
Records = dict[bytes, bytes]


@dataclass(frozen=True)
class Sample:
    start: int
    end: int
    loop_end: int
    kind: int


def about_soundfont(file: BinaryIO, size: int) -> dict[str, Any]:
    """{"name", "presets", "samples", "frames"}. Raises ValueError or struct.error with the reason where the file is damaged or no SoundFont."""
    if size > MOST_BYTES:
        raise ValueError(f"it has {size / 2**30:.1f} GB, 2 can be read")
    kind, length, form = struct.unpack("<4sI4s", file.read(12))
    if kind != b"RIFF" or form != b"sfbk":
        raise ValueError("it does not begin as a SoundFont")
    if length + 8 > size:
        raise ValueError(f"it has {size:,} bytes, its header says {length + 8:,}: the download was cut off")
    lists = _chunks(file, 12, length + 8, lists=True)
    if not {b"sdta", b"pdta"} <= set(lists):
        raise ValueError("its sounds or its presets are missing")
    sounds, records = _chunks(file, *lists[b"sdta"]), _read(file, _chunks(file, *lists[b"pdta"]))
    if b"smpl" not in sounds:
        raise ValueError("its sounds are missing")
    samples = [_sample(records[b"shdr"], place) for place in range(0, len(records[b"shdr"]) - 46, 46)]
    _check_indices(records, len(samples))
    counts = _frames(file, samples, *sounds[b"smpl"])
    _check_loops(records, samples, counts, (sounds[b"smpl"][1] - sounds[b"smpl"][0]) // 2)
    info = _chunks(file, *lists[b"INFO"]) if b"INFO" in lists else {}
    return {"name": _text(file, info.get(b"INAM")), "presets": len(records[b"phdr"]) // 38 - 1, "samples": len(samples), "frames": sum(counts)}


def one_sound(file: BinaryIO) -> dict[tuple[int, int], bool]:
    """(bank, program) of presets without ranges of force: to a player that knows no modulators a note of theirs is one sound, louder or softer. And
    whether a modulation envelope of theirs takes its time to rise. Of a file that `about_soundfont` accepted."""
    records = _read(file, _chunks(file, *_chunks(file, 12, struct.unpack("<I", _at(file, 4, 4))[0] + 8, lists=True)[b"pdta"]))
    instruments = [_about_force(zones, NO_RISE) for zones in _zones(records, b"inst", 20, b"ibag", b"igen")]
    presets: dict[tuple[int, int], list[dict[int, int]]] = {}
    for number, zones in enumerate(_zones(records, b"phdr", 24, b"pbag", b"pgen")):
        program, bank = struct.unpack_from("<HH", records[b"phdr"], number * 38 + 20)
        presets.setdefault((bank, program), zones)  # of two in one place the first is played
    told = {place: [_about_force(zones, 0), *(instruments[zone[INSTRUMENT] & 0xFFFF] for zone in zones if INSTRUMENT in zone)] for place, zones in presets.items()}
    return {place: any(rises for _, rises in about) for place, about in told.items() if all(one for one, _ in about)}


def _about_force(zones: list[dict[int, int]], usual: int) -> tuple[bool, bool]:
    """Whether all are for every force, and whether a modulation envelope takes more time than `usual`: an instrument's zone tells its time, a preset's adds to it."""
    return all(zone.get(FORCES, ALL_FORCES) == ALL_FORCES for zone in zones), any(zone.get(RISE, usual) > usual for zone in zones)


def _at(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def _zones(records: Records, heads: bytes, place: int, bags: bytes, generators: bytes) -> list[list[dict[int, int]]]:
    """The generators of each zone of each preset or instrument."""
    width, values = RECORDS[heads], list(struct.iter_unpack("<Hh", records[generators]))
    begins = [bag for bag, _ in struct.iter_unpack("<HH", records[bags])]
    zones = [dict(values[first:last]) for first, last in pairwise(begins)]
    firsts = [struct.unpack_from("<H", records[heads], at + place)[0] for at in range(0, len(records[heads]), width)]
    return [zones[first:last] for first, last in pairwise(firsts)]


def _sample(records: bytes, place: int) -> Sample:
    """Start, end, the loop's start and end, rate; two bytes of pitch, two of a link, two of the kind."""
    start, end, _, loop_end = struct.unpack_from("<IIII", records, place + 20)
    return Sample(start, end, loop_end, struct.unpack_from("<H", records, place + 44)[0])


def _chunks(file: BinaryIO, start: int, end: int, lists: bool = False) -> dict[bytes, tuple[int, int]]:
    """Name: first byte and the one after the last, of chunks or, in a `lists`, of lists by their form."""
    found: dict[bytes, tuple[int, int]] = {}
    while start + 8 <= end and len(found) < 64:
        file.seek(start)
        name, length = struct.unpack("<4sI", file.read(8))
        if start + 8 + length > end:
            raise ValueError("a part of it is cut off")
        if lists and name == b"LIST":
            found[file.read(4)] = (start + 12, start + 8 + length)
        elif not lists:
            found[name] = (start + 8, start + 8 + length)
        start += 8 + length + length % 2
    return found


def _read(file: BinaryIO, places: dict[bytes, tuple[int, int]]) -> Records:
    records: Records = {}
    for name, width in RECORDS.items():
        if name not in places:
            raise ValueError(f"its list “{name.decode()}” is missing")
        start, end = places[name]
        if (end - start) % width or end - start > width * MOST_RECORDS or end - start < width:
            raise ValueError(f"its list “{name.decode()}” has an odd length")
        file.seek(start)
        records[name] = file.read(end - start)
    return records


def _check_indices(records: Records, samples: int) -> None:
    """Each list points into the next one, forwards only; what generators name is there."""
    for name, place, width, into in ((b"phdr", 24, 38, b"pbag"), (b"pbag", 0, 4, b"pgen"), (b"pbag", 2, 4, b"pmod"), (b"inst", 20, 22, b"ibag"), (b"ibag", 0, 4, b"igen"), (b"ibag", 2, 4, b"imod")):
        told = [struct.unpack_from("<H", records[name], at + place)[0] for at in range(0, len(records[name]), width)]
        if any(later < earlier for earlier, later in pairwise(told)) or told[-1] * RECORDS[into] > len(records[into]) or (width != 4 and told[-1] * 4 >= len(records[into])):
            raise ValueError(f"its list “{name.decode()}” points beyond “{into.decode()}”")
    for name, wanted, count in ((b"pgen", INSTRUMENT, len(records[b"inst"]) // 22 - 1), (b"igen", SAMPLE, samples)):
        for kind, amount in struct.iter_unpack("<HH", records[name]):
            if kind == wanted and amount >= count:
                raise ValueError(f"its list “{name.decode()}” names what is not there")


def _frames(file: BinaryIO, samples: list[Sample], start: int, end: int) -> list[int]:
    """Of each sample. Raises ValueError where one lies outside the data or they are too many."""
    found, total, read = list[int](), 0, 0
    for sample in samples:
        pressed = bool(sample.kind & PRESSED)
        width = 1 if pressed else 2
        if sample.kind & ROM:
            raise ValueError("its samples are in a sound card's memory")
        if sample.start > sample.end or start + sample.end * width > end:
            raise ValueError("a sample lies outside its data")
        count = sample.end - sample.start
        if pressed and count:
            read += count
            if read > MOST_SHARED * (end - start):
                raise ValueError("its samples lie over each other")
            file.seek(start + sample.start)
            count = _pressed(file.read(count))
        total += count
        if total > MOST_FRAMES:
            raise ValueError("its samples are too long")
        found.append(count)
    return found


def _pressed(data: bytes) -> int:
    """The most frames that an OGG stream can become: its packets times half its longer block. It must be mono Vorbis."""
    if len(data) < 58 or data[28:35] != b"\x01vorbis" or data[39] != 1:
        raise ValueError("a sample is no mono Vorbis stream")
    half = 1 << (data[56] >> 4) >> 1
    if not 32 <= half <= 4096:
        raise ValueError("a sample is no mono Vorbis stream")
    return half * sum(1 for page, _ in ogg_pages(data) for lace in page.laces if lace < 255)


def _check_loops(records: Records, samples: list[Sample], counts: list[int], whole: int) -> None:
    """No loop ends behind its data, wherever a zone's generators move it; those of presets may add to any."""
    most = sum(max([0, *(struct.unpack("<h", struct.pack("<H", amount))[0] * step for kind, amount in struct.iter_unpack("<HH", records[b"pgen"]) if kind == number)]) for number, step in LOOP_ENDS.items())
    generators = list(struct.iter_unpack("<Hh", records[b"igen"]))
    bags = [bag for bag, _ in struct.iter_unpack("<HH", records[b"ibag"])]
    firsts = [struct.unpack_from("<H", records[b"inst"], at + 20)[0] for at in range(0, len(records[b"inst"]), 22)]
    for first, last in pairwise(firsts):
        common = 0
        for zone, (begin, end) in enumerate(pairwise(bags[first : last + 1])):
            own = dict(generators[begin:end])
            moved = sum(own[number] * step for number, step in LOOP_ENDS.items() if number in own)
            if SAMPLE not in own:
                common = max(common, moved) if zone == 0 else common
                continue
            sample, count = samples[own[SAMPLE] & 0xFFFF], counts[own[SAMPLE] & 0xFFFF]
            room = count + 4096 if sample.kind & PRESSED else whole
            if sample.loop_end + max(moved, common) + most > room:
                raise ValueError("a loop ends behind its data")


def _text(file: BinaryIO, place: tuple[int, int] | None) -> str:
    if place is None:
        return ""
    file.seek(place[0])
    return file.read(min(256, place[1] - place[0])).split(b"\0")[0].decode("latin-1").strip()
