"""Standard MIDI files to pieces and back: formats 0, 1 and 2, running status, any resolution. What can't be read is refused in a sentence.

Files are written by mido. They are read here: one odd event must not lose a whole file, and a hostile file must cost neither minutes nor memory.
Source: Standard MIDI Files 1.0 (MIDI Manufacturers Association, 1996).
"""

from __future__ import annotations

import io
import json
import struct
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipelines.music.chords import NO_CHORD, is_chord
from pipelines.music.score import TICKS, Note, Piece, Voice
from studio.api import BadInput

MOST_BYTES = 4 * 2**20
MOST_NOTES = 100_000
MOST_VOICES = 128
MOST_SECONDS = 3600.0
MOST_TICKS = 2**27
TEMPOS = (4.0, 900.0)  # quarters a minute that a piece may have; MIDI keeps hundredths of them exactly
DEEPEST = 16  # facts in facts
MARK = "seisei-piece "  # what the format has no event for: facts of a piece, as a text event in its first track
DRUM_CHANNEL = 9
SUSTAIN, RESET = 64, 121  # controllers
DOWN = 64  # from this value on a pedal is pressed
LEFT_OUT = {  # of `facts["left_out"]`
    "controllers": "Controllers, such as changes of loudness, were left out of this MIDI file; the sustain pedal is in the notes' lengths.",
    "bends": "Bends of pitch were left out of this MIDI file.",
    "system messages": "Messages to one make of instrument were left out of this MIDI file.",
    "tempos": f"Tempos below {TEMPOS[0]:g} or above {TEMPOS[1]:g} quarters a minute were brought to the nearest of these.",
}
MAJORS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")  # seven flats … seven sharps
MINORS = ("Abm", "Ebm", "Bbm", "Fm", "Cm", "Gm", "Dm", "Am", "Em", "Bm", "F#m", "C#m", "G#m", "D#m", "A#m")
TEMPO, METRE, KEY, TEXT, NAME, MARKER, END = 0x51, 0x58, 0x59, 0x01, 0x03, 0x06, 0x2F  # kinds of meta events
HINT = "Give a Standard MIDI file (.mid)."


# -- reading ---------------------------------------------------------------------------------------------------


def read_file(path: Path, place: str = "piece") -> Piece:
    """As `read`, of a file; its size is looked at first."""
    if (size := path.stat().st_size) > MOST_BYTES:
        raise too_large(size, place)
    return read(path.read_bytes(), place)


def read(data: bytes, place: str = "piece") -> Piece:
    """The piece in a MIDI file, its times in ticks of 1/480 quarter. `read(write(piece)) == tidy(piece)`.

    Notes under the sustain pedal last until it is lifted. `facts["left_out"]` tells what notes alone do not hold (controllers, bends). Raises BadInput at the field `place`.
    """
    if len(data) > MOST_BYTES:
        raise too_large(len(data), place)
    try:
        kind, division, tracks = _tracks(data)
        taken = _Taken(division, place)
        offset = 0
        for number, (start, end) in enumerate(tracks):
            last = taken.track(number, offset, _events(data, start, end))
            offset = last if kind == 2 else 0  # patterns of their own: one after the other
    except _Damaged as error:
        raise BadInput(f"This MIDI file is damaged: {error}.", hint="Export it again from the program that made it.", field=place) from error
    return taken.piece()


def lost(piece: Piece) -> list[str]:
    """Sentences: what a file of another program held besides the notes of this piece."""
    found = piece.facts.get("left_out")
    return [LEFT_OUT[kind] for kind in found if kind in LEFT_OUT] if isinstance(found, list) and all(isinstance(kind, str) for kind in found) else []


def too_large(size: int, place: str) -> BadInput:
    return BadInput(f"This MIDI file has {size / 2**20:.1f} MB; {MOST_BYTES >> 20} MB can be read.", hint="Give a shorter piece.", field=place)


class _Damaged(Exception):
    """The message ends a sentence."""


def _tracks(data: bytes) -> tuple[int, int, list[tuple[int, int]]]:
    """Format, division, and of each track the first byte and the one after its last."""
    if not data:
        raise _Damaged("it is empty")
    if data[:4] != b"MThd" or len(data) < 14:
        raise _Damaged("it does not begin as one")
    size, kind, count, division = struct.unpack(">IHHH", data[4:14])
    if kind > 2:
        raise _Damaged(f"there is no format {kind}")
    if not division:
        raise _Damaged("it does not tell how long a quarter is")
    found: list[tuple[int, int]] = []
    place = 8 + size
    while place + 8 <= len(data) and len(found) < count:
        name, size = struct.unpack(">4sI", data[place : place + 8])
        if name == b"MTrk":
            if place + 8 + size > len(data):
                raise _Damaged(f"track {len(found) + 1} ends too early")
            found.append((place + 8, place + 8 + size))
        place += 8 + size
    if len(found) < count or not found:
        raise _Damaged(f"it holds {len(found)} of {count} tracks")
    return kind, division, found


def _events(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, bytes]]:
    """(tick, status, first byte or kind of meta event, the rest) of one track; the end of the track last, also where the file leaves it out."""
    tick, running = 0, 0
    try:
        while at < end:
            delta, at = _number(data, at, end)
            tick += delta
            status = data[at]
            if status >= 0xF0:
                meta = status == 0xFF
                kind = data[at + 1] if meta else 0
                size, at = _number(data, at + 2 if meta else at + 1, end)
                if at + size > end:
                    raise _Damaged("an event is longer than its track")
                if meta and kind == END:
                    break
                yield tick, status, kind, data[at : at + size]
                at += size
                continue
            if status >= 0x80:
                running, at = status, at + 1
            elif not running:
                raise _Damaged("a track begins in the middle of an event")
            size = 1 if 0xC0 <= running < 0xE0 else 2
            body = data[at : at + size]
            if at + size > end or max(body) > 0x7F:
                raise _Damaged("an event breaks off")
            yield tick, running, body[0], body[1:]
            at += size
    except IndexError as error:
        raise _Damaged("a track ends in the middle of an event") from error
    yield tick, 0xFF, END, b""


def _number(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number of one to four bytes, and the place behind it."""
    number = 0
    for place in range(at, min(at + 4, end)):
        number = number << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return number, place + 1
    raise _Damaged("a time can't be read")


@dataclass
class _Line:
    """What one channel of one track plays."""

    notes: list[Note] = field(default_factory=list)
    programs: list[tuple[int, int]] = field(default_factory=list)
    sounding: dict[int, deque[tuple[int, int]]] = field(default_factory=dict)  # of each pitch where notes began, and how loud


class _Taken:
    """Gathers the events of all tracks."""

    def __init__(self, division: int, place: str) -> None:
        self.place = place
        self.seconds_based = bool(division & 0x8000)
        if self.seconds_based:  # frames a second, ticks a frame: read at 120 quarters a minute
            per_second = (256 - (division >> 8)) * (division & 0xFF)
            if not per_second:
                raise _Damaged("it does not tell how long a quarter is")
            self.scale = 2 * TICKS / per_second
        else:
            self.scale = TICKS / division
        self.lines: dict[tuple[int, int], _Line] = {}
        self.names: dict[int, str] = {}
        self.tempos: dict[int, float] = {}
        self.metres: dict[int, tuple[int, int]] = {}
        self.keys: dict[int, str] = {}
        self.chords: dict[int, str] = {}
        self.facts: dict[str, Any] | None = None
        self.pedals: dict[int, list[tuple[int, bool]]] = {}  # of each channel, for all tracks share it: (tick, pressed)
        self.moves = 0  # of pedals
        self.left_out: set[str] = set()
        self.count = 0
        self.ends: list[int] = []

    def track(self, number: int, offset: int, events: Iterator[tuple[int, int, int, bytes]]) -> int:
        """Returns where it ends, in ticks of the piece."""
        tick = offset
        for raw, status, first, rest in events:
            tick = offset + round(raw * self.scale)
            if tick > MOST_TICKS:
                raise self._long()
            if status == 0xFF:
                self._meta(number, tick, first, rest)
            elif status < 0xF0:
                self._play(number, tick, status, first, rest)
            else:
                self.left_out.add("system messages")
        for (owner, _), line in self.lines.items():
            if owner == number:
                self._silence(line, tick)
        self.ends.append(tick)
        return tick

    def _play(self, number: int, tick: int, status: int, first: int, rest: bytes) -> None:
        line = self.lines.setdefault((number, status & 15), _Line())
        kind = status & 0xF0
        if kind == 0x90 and rest[0]:
            self.count += 1
            if self.count > MOST_NOTES:
                raise BadInput(f"This MIDI file has more than {MOST_NOTES:,} notes.", hint="Give a shorter piece.", field=self.place)
            line.sounding.setdefault(first, deque()).append((tick, rest[0]))
        elif kind in (0x80, 0x90):
            if begun := line.sounding.get(first):
                start, velocity = begun.popleft()
                line.notes.append(Note(start, first, max(1, tick - start), velocity))
        elif kind == 0xC0:
            line.programs.append((tick, first))
        elif kind == 0xB0 and first in (SUSTAIN, RESET) and self.moves < MOST_NOTES:
            self.moves += 1
            self.pedals.setdefault(status & 15, []).append((tick, first == SUSTAIN and rest[0] >= DOWN))
        else:
            self.left_out.add("bends" if kind == 0xE0 else "controllers")

    def _silence(self, line: _Line, tick: int) -> None:
        for pitch, begun in line.sounding.items():
            line.notes += [Note(start, pitch, max(1, tick - start), velocity) for start, velocity in begun]
        line.sounding.clear()

    def _meta(self, number: int, tick: int, kind: int, body: bytes) -> None:
        """What can't be read is left out, as the format asks for."""
        if kind == TEMPO and len(body) == 3 and any(body) and not self.seconds_based:
            tempo = round(60e6 / int.from_bytes(body, "big"), 2)
            self.tempos[tick] = min(TEMPOS[1], max(TEMPOS[0], tempo))
            if self.tempos[tick] != tempo:
                self.left_out.add("tempos")
        elif kind == METRE and len(body) >= 2 and body[0] and body[1] <= 6:
            self.metres[tick] = (body[0], 2 ** body[1])
        elif kind == KEY and len(body) == 2 and body[1] <= 1 and (body[0] + 7) % 256 <= 14:
            self.keys[tick] = (MINORS if body[1] else MAJORS)[(body[0] + 7) % 256]
        elif kind == NAME:
            self.names.setdefault(number, _words(body))
        elif kind == MARKER and len(body) < 32 and is_chord(name := _words(body)):
            self.chords[tick] = name
        elif kind == TEXT and body.startswith(MARK.encode()):
            self.facts = _facts(body[len(MARK) :])

    def _long(self) -> BadInput:
        return BadInput(f"This MIDI file lasts longer than {MOST_SECONDS / 60:.0f} minutes.", hint="Give a shorter piece.", field=self.place)

    def piece(self) -> Piece:
        if not self.count:
            raise BadInput("This MIDI file holds no notes.", hint="Give a file with notes in it.", field=self.place)
        own = self.facts is not None
        lines = {place: line for place, line in sorted(self.lines.items()) if line.notes or (own and line.programs)}
        if len(lines) > MOST_VOICES:
            raise BadInput(f"This MIDI file has {len(lines)} voices; {MOST_VOICES} can be read.", hint="Give a file with fewer voices.", field=self.place)
        voices = tuple(self._voice(number, place, line, lines) for number, (place, line) in enumerate(lines.items(), 1))
        conductor = self.names.get(0, "")
        facts = dict(self.facts or {})
        if not own and self.left_out:
            facts["left_out"] = sorted(self.left_out)
        found = Piece(
            voices, max(self.ends), _begun(self.tempos, 120.0), tuple((tick, *metre) for tick, metre in _begun(self.metres, (4, 4))),
            _begun(self.keys, ""), _begun(self.chords, NO_CHORD), conductor, facts,
        )  # fmt: skip
        if found.seconds(found.length) > MOST_SECONDS:
            raise self._long()
        return tidy(found)

    def _voice(self, number: int, place: tuple[int, int], line: _Line, lines: dict[tuple[int, int], _Line]) -> Voice:
        track, channel = place
        first = min((note.start for note in line.notes), default=0)
        programs = [program for tick, program in line.programs if tick <= first] or [program for _, program in line.programs[:1]] or [0]
        drums = channel == DRUM_CHANNEL
        notes = line.notes if drums else self._sustained(channel, line.notes)
        name = self.names.get(track, "")
        alone = sum(owner == track for owner, _ in lines) == 1
        if not alone or (not name and self.facts is None):
            name = " ".join(part for part in (name, "Drums" if drums else f"Voice {number}") if part)
        return Voice(name, tuple(notes), programs[-1], drums)

    def _sustained(self, channel: int, notes: list[Note]) -> list[Note]:
        """Those that end while the pedal is down last until it is lifted, at the latest with the piece."""
        moved = sorted(self.pedals.get(channel, ()), key=lambda one: one[0])
        if not any(pressed for _, pressed in moved):
            return notes
        ticks = [tick for tick, _ in moved]
        lifted = [max(self.ends)]  # of each movement, the last one first: the next tick at which the pedal is up
        for tick, pressed in reversed(moved):
            lifted.append(lifted[-1] if pressed else tick)
        lifted.reverse()
        found = []
        for note in notes:
            place = bisect_left(ticks, end := note.start + note.length) - 1
            held = place >= 0 and moved[place][1]
            found.append(replace(note, length=lifted[place] - note.start) if held and lifted[place] > end else note)
        return found


def _begun(found: dict[int, Any], before: Any) -> tuple[tuple[int, Any], ...]:
    """In order, from tick 0 on; of keys the first one also stands for what is before it."""
    ordered = sorted(found.items())
    if not ordered:
        return () if before in ("", NO_CHORD) else ((0, before),)
    return tuple(ordered) if ordered[0][0] == 0 else ((0, before or ordered[0][1]), *ordered)


def _words(body: bytes) -> str:
    """UTF-8; else Shift JIS where that gives Japanese letters; else Latin."""
    for code in ("utf-8", "cp932"):
        try:
            text = body.decode(code)
        except UnicodeDecodeError:
            continue
        if code == "utf-8" or all(letter < "\x80" or letter > "\u2fff" for letter in text):
            return text.strip("\0 ")[:200]
    return body.decode("latin-1").strip("\0 ")[:200]


def _facts(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and _sayable(found) else {}


def _sayable(facts: dict[str, Any]) -> bool:
    """Whether a page and a file can hold them: JSON has no infinity and no half letters, and facts are not nested without end."""
    try:
        json.dumps(facts, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError):
        return False
    return _shallow(facts)


def _shallow(value: Any, room: int = DEEPEST) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return room > 0 and all(_shallow(one, room - 1) for one in inside)


# -- pieces that a file can hold -------------------------------------------------------------------------------


def tidy(piece: Piece) -> Piece:
    """The piece as a file holds it: notes in order, a note struck again ends the one before, tempos in hundredths of a quarter a minute."""
    voices = tuple(replace(voice, notes=_struck(voice.notes)) for voice in piece.voices)
    length = max([piece.length, *(note.start + note.length for voice in voices for note in voice.notes)])
    return replace(piece, voices=voices, length=length, tempos=tuple((tick, round(float(tempo), 2)) for tick, tempo in piece.tempos))


def _struck(notes: tuple[Note, ...]) -> tuple[Note, ...]:
    """Of notes that begin together at one pitch the longest stays."""
    by_pitch: dict[int, list[Note]] = {}
    for note in sorted(notes):
        line = by_pitch.setdefault(note.pitch, [])
        if line and line[-1].start == note.start:
            line.pop()
        elif line and line[-1].start + line[-1].length > note.start:
            line[-1] = replace(line[-1], length=note.start - line[-1].start)
        line.append(note)
    return tuple(sorted(note for line in by_pitch.values() for note in line))


def check(piece: Piece, place: str = "piece") -> Piece:
    """The piece, tidied. Raises BadInput where no MIDI file could hold it."""
    notes = [note for voice in piece.voices for note in voice.notes]
    told = (
        (len(notes) > MOST_NOTES, f"The piece has more than {MOST_NOTES:,} notes."),
        (len(piece.voices) > MOST_VOICES, f"The piece has more than {MOST_VOICES} voices."),
        (not all(0 <= note.pitch <= 127 and 1 <= note.velocity <= 127 for note in notes), "A note of the piece is too high, too low or not of a loudness from 1 to 127."),
        (not all(note.start >= 0 and note.length >= 1 for note in notes) or piece.length < 0, "A note of the piece has no length, or begins before the piece."),
        (max([piece.length, *(note.start + note.length for note in notes)]) > MOST_TICKS, f"The piece lasts longer than {MOST_SECONDS / 60:.0f} minutes."),
        (not all(0 <= voice.program <= 127 for voice in piece.voices), "A voice of the piece has no instrument from 0 to 127."),
        (not all(TEMPOS[0] <= tempo <= TEMPOS[1] for _, tempo in piece.tempos), f"A tempo of the piece is not between {TEMPOS[0]:g} and {TEMPOS[1]:g}."),
        (not all(1 <= beats <= 255 and unit in (1, 2, 4, 8, 16, 32, 64) for _, beats, unit in piece.metres), "A metre of the piece can't be written."),
        (not all(name in (*MAJORS, *MINORS) for _, name in piece.keys), "A key of the piece can't be written."),
        (not all(is_chord(name) for _, name in piece.chords), "A chord of the piece can't be read."),
        (not isinstance(piece.facts, dict) or not _sayable(piece.facts), "What is told beside the piece can't be written."),
        (not all(_from_the_start(changes) for changes in (piece.tempos, piece.metres, piece.keys, piece.chords)), "The piece's tempos, metres, keys or chords are not in order from its beginning."),
    )
    for wrong, message in told:
        if wrong:
            raise BadInput(message, hint="Change the piece, then try again.", field=place)
    found = tidy(piece)
    if found.seconds(found.length) > MOST_SECONDS:
        raise BadInput(f"The piece lasts longer than {MOST_SECONDS / 60:.0f} minutes.", hint="Change the piece, then try again.", field=place)
    return found


def _from_the_start(changes: tuple[tuple[Any, ...], ...]) -> bool:
    ticks = [change[0] for change in changes]
    return not ticks or (ticks[0] == 0 and all(first < then for first, then in zip(ticks, ticks[1:], strict=False)))


# -- writing ---------------------------------------------------------------------------------------------------


def write(piece: Piece) -> bytes:
    """A file of format 1, 480 ticks a quarter: a track of tempos, metres, keys, chord names (markers) and facts, then a track for each voice. Raises BadInput as `check` does."""
    import mido

    piece = check(piece)
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS, charset="utf-8")
    meta = mido.MetaMessage
    found: list[tuple[int, Any]] = [(0, meta("track_name", name=piece.title))] if piece.title else []
    found.append((0, meta("text", text=MARK + json.dumps(piece.facts))))
    found += [(tick, meta("set_tempo", tempo=round(60e6 / tempo))) for tick, tempo in piece.tempos]
    found += [(tick, meta("time_signature", numerator=beats, denominator=unit)) for tick, beats, unit in piece.metres]
    found += [(tick, meta("key_signature", key=name)) for tick, name in piece.keys]
    found += [(tick, meta("marker", text=name)) for tick, name in piece.chords]
    file.tracks.append(_track(found, piece.length))
    melodic = 0
    for voice in piece.voices:
        channel = DRUM_CHANNEL if voice.drums else (melodic % 15 + (melodic % 15 >= DRUM_CHANNEL))
        melodic += not voice.drums
        file.tracks.append(_track(_played(voice, channel), piece.length))
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def _played(voice: Voice, channel: int) -> list[tuple[int, Any]]:
    import mido

    found: list[tuple[int, Any]] = [(0, mido.MetaMessage("track_name", name=voice.name)), (0, mido.Message("program_change", channel=channel, program=voice.program))]
    ends = [(note.start + note.length, 0, note.pitch, 0) for note in voice.notes]
    begins = [(note.start, 1, note.pitch, note.velocity) for note in voice.notes]
    for tick, on, pitch, velocity in sorted(ends + begins):  # of one moment what ends comes first
        found.append((tick, mido.Message("note_on" if on else "note_off", channel=channel, note=pitch, velocity=velocity)))
    return found


def _track(timed: list[tuple[int, Any]], length: int) -> Any:
    """Times since the piece's beginning become times since the event before."""
    import mido

    track, before = mido.MidiTrack(), 0
    for tick, message in sorted(timed, key=lambda item: item[0]):
        track.append(message.copy(time=tick - before))
        before = tick
    track.append(mido.MetaMessage("end_of_track", time=max(0, length - before)))
    return track
