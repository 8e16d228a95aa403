"""A piece of music note by note: what composing makes, the editor changes, sounding plays and MIDI files hold. No sound, no files."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

TICKS = 480  # of a quarter note
STEP = TICKS // 4  # the sixteenth grid


@dataclass(frozen=True, order=True)
class Note:
    """`start` and `length` in ticks, `pitch` 0 … 127 (60 is middle C), `velocity` 1 … 127."""

    start: int
    pitch: int
    length: int
    velocity: int = 80


@dataclass(frozen=True)
class Voice:
    """One line or instrument: `program` is General MIDI's, 0 … 127; of `drums` the pitches are General MIDI's drum keys."""

    name: str
    notes: tuple[Note, ...] = ()
    program: int = 0
    drums: bool = False


@dataclass(frozen=True)
class Piece:
    """`tempos` are (tick, quarters a minute), `metres` (tick, beats, beat's unit), `keys` (tick, "C", "F#m" …), `chords` (tick, name); each begins at tick 0 or is empty.

    `length` in ticks is the whole piece's, rests at its end included.
    """

    voices: tuple[Voice, ...]
    length: int
    tempos: tuple[tuple[int, float], ...] = ((0, 120.0),)
    metres: tuple[tuple[int, int, int], ...] = ((0, 4, 4),)
    keys: tuple[tuple[int, str], ...] = ()
    chords: tuple[tuple[int, str], ...] = ()
    title: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def seconds(self, tick: int) -> float:
        """When a tick sounds."""
        total = 0.0
        for (start, tempo), end in zip(self.tempos, [*(start for start, _ in self.tempos[1:]), tick], strict=True):
            total += max(0, min(end, tick) - start) / TICKS * 60 / tempo
        return total

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def piece_from_json(given: dict[str, Any]) -> Piece:
    """The reverse of `Piece.to_json`; lists become tuples. Raises KeyError, TypeError, ValueError for what is no piece."""
    voices = tuple(Voice(**{**voice, "notes": tuple(Note(**note) for note in voice["notes"])}) for voice in given["voices"])
    pairs = {name: tuple(tuple(item) for item in given[name]) for name in ("tempos", "metres", "keys", "chords") if name in given}
    rest: dict[str, Any] = given | pairs | {"voices": voices}
    return Piece(**rest)
