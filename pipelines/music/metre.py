"""Bars and beats on the sixteenth grid, and a time-line of bars with a chord for each step."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.music.chords import NO_CHORD, Chord, parse_chord
from pipelines.music.score import STEP, TICKS, Piece
from pipelines.music.theory import Key


def beats_of(count: int, unit: int) -> tuple[int, ...]:
    """The lengths of a bar's beats in steps: dotted quarters in 6/8, 9/8, 12/8; 7/8 is 2 + 2 + 3 eighths. Raises ValueError off the grid."""
    if unit <= 4:
        return (16 // unit,) * count
    if unit == 8 and count % 3 == 0:
        return (6,) * (count // 3)
    if unit == 8:
        return (4,) * (count // 2 - count % 2) + (6,) * (count % 2) if count > 1 else (2,)
    if unit == 16:
        return (4,) * (count // 4) if count % 4 == 0 else (count,)
    raise ValueError(unit)


def parse_metre(text: str) -> tuple[int, int]:
    count, unit = text.split("/")
    return int(count), int(unit)


@dataclass(frozen=True)
class Bar:
    """`start` in steps; `beats` are lengths in steps."""

    start: int
    beats: tuple[int, ...]

    @property
    def steps(self) -> int:
        return sum(self.beats)

    @property
    def end(self) -> int:
        return self.start + self.steps

    @property
    def beat_starts(self) -> list[int]:
        return [self.start + sum(self.beats[:number]) for number in range(len(self.beats))]


def bars_like(count: int, metre: tuple[int, int], start: int = 0) -> list[Bar]:
    beats = beats_of(*metre)
    return [Bar(start + number * sum(beats), beats) for number in range(count)]


def bars_of(piece: Piece) -> list[Bar]:
    """Whole bars up to its end, by its metres; a bar in which the metre changes ends there. Raises ValueError where bars do not begin on the sixteenth grid."""
    found: list[Bar] = []
    changes = [*(tick for tick, *_ in piece.metres[1:]), None]
    for (start, count, unit), change in zip(piece.metres, changes, strict=True):
        if start % STEP:
            raise ValueError(start)
        beats, at = beats_of(count, unit), start // STEP
        while at * STEP < min(piece.length, piece.length if change is None else change):
            found.append(Bar(at, beats if change is None else _until(beats, change // STEP - at)))
            at += sum(beats)
    return found or [Bar(0, beats_of(*piece.metres[0][1:]))]


def _until(beats: tuple[int, ...], steps: int) -> tuple[int, ...]:
    """What lies of a bar's beats in its first steps."""
    found, left = [], steps
    for beat in beats:
        if left > 0:
            found.append(min(beat, left))
        left -= beat
    return tuple(found)


@dataclass(frozen=True)
class Line:
    """A stretch of bars with its key and, for each chord, the step where it begins: what parts are written over."""

    bars: tuple[Bar, ...]
    key: Key
    chords: tuple[tuple[int, str], ...]
    locked: bool = False  # to the scale: no note outside
    every_note: bool = False  # chords hold for every note, not only on beats

    @property
    def start(self) -> int:
        return self.bars[0].start

    @property
    def end(self) -> int:
        return self.bars[-1].end

    def bar_at(self, step: int) -> Bar:
        return next(bar for bar in reversed(self.bars) if bar.start <= step)

    def chord_at(self, step: int) -> Chord | None:
        name = next((name for start, name in reversed(self.chords) if start <= step), NO_CHORD)
        return None if name == NO_CHORD else parse_chord(name)

    def beat_steps(self) -> list[int]:
        return [start for bar in self.bars for start in bar.beat_starts]

    def spans(self) -> list[tuple[int, int, Chord | None]]:
        """(start, end, chord) of each chord inside the stretch, in steps."""
        starts = sorted({self.start, *(step for step, _ in self.chords if self.start < step < self.end)})
        return [(first, then, self.chord_at(first)) for first, then in zip(starts, [*starts[1:], self.end], strict=True)]

    def allowed(self, start: int, end: int) -> frozenset[int]:
        """Pitch classes that a note from `start` to `end` may have: where it is checked (on beats; under `every_note` always), tones of each chord it meets."""
        classes = frozenset(self.key.classes) if self.locked else frozenset(range(12))
        for first, then, chord in self.spans_within(start, end):
            if chord is None:
                continue
            if self.every_note or any(first <= beat < then for beat in self._beats_within(start, end)):
                classes &= chord.classes
        return classes

    def spans_within(self, start: int, end: int) -> list[tuple[int, int, Chord | None]]:
        return [(max(first, start), min(then, end), chord) for first, then, chord in self.spans() if first < end and then > start]

    def _beats_within(self, start: int, end: int) -> list[int]:
        return [step for step in self.beat_steps() if start <= step < end]


def ticks_of_bar(metre: tuple[int, int]) -> int:
    return 4 * TICKS * metre[0] // metre[1]
