"""Writes parts over a line of bars and chords: the melody from its Markov model, the other parts from theirs. Only pitches that the line allows; where none is, a rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pipelines.music.metre import Bar, Line
from pipelines.music.models import drums as drum_models
from pipelines.music.models import melody as melody_model
from pipelines.music.models.parts import Play, arpeggio_part, bass_part, chords_part, lay, pitches_in
from pipelines.music.presets import Part

PHRASE = 4  # bars
LONGEST = 8  # steps of a melody note outside of cadences
FORM = "AABA"


@dataclass
class Around:
    """What stands before and behind the stretch in a voice, and the melody's notes that are given."""

    before: tuple[int, ...] = ()  # pitches, the last one last
    after: int = -1  # behind the end of a loop stands its beginning; -1 there: the stretch itself begins it
    given: tuple[Play, ...] = ()
    blocked: int = 0  # the step up to which an untouched note still sounds


@dataclass
class Writing:
    """One piece of work: the parts' settings that all share."""

    line: Line
    rng: Any
    temperature: float = 1.0
    loop: bool = False
    final: bool = True  # the stretch ends the piece
    check: Callable[[float], None] = lambda share: None
    around: dict[int, Around] = field(default_factory=dict)

    def of(self, number: int) -> Around:
        return self.around.get(number, Around())

    @property
    def loops(self) -> bool:
        """The end of the stretch leads to the piece's beginning."""
        return self.loop and self.final


def write_parts(parts: Sequence[Part], work: Writing, wanted: Sequence[int] | None = None) -> dict[int, list[Play]]:
    """The plays of each wanted part by its number (None: all). Voices below a melody are led after it."""
    numbers = list(range(len(parts))) if wanted is None else list(wanted)
    order = sorted(numbers, key=lambda number: ("melody", "counter", "arpeggio", "chords", "bass", "drums", "thirds", "lay").index(parts[number].role))
    made: dict[int, list[Play]] = {}
    top: list[Play] = next((list(work.of(number).given) for number, part in enumerate(parts) if part.role == "melody" and number not in numbers), [])
    laid = [number for number in order if parts[number].role == "lay"]
    for place, number in enumerate(order):
        work.check(place / len(order))
        part = parts[number]
        if part.role == "lay":
            continue
        plays = _part(part, number, work, top)
        if part.role == "melody" and not top:
            top = plays
        made[number] = plays
    if laid:
        above = next((work.of(number).after for number, part in enumerate(parts) if part.role == "melody"), -1)
        made |= laid_voices([parts[number] for number in laid], laid, work, top, above if above >= 0 else None)
    return {number: [_louder(play, parts[number].loud) for play in plays if play[0] >= work.of(number).blocked] for number, plays in made.items()}


def _part(part: Part, number: int, work: Writing, top: list[Play]) -> list[Play]:
    line, rng, around = work.line, work.rng, work.of(number)
    if part.role == "melody":
        return melody_part(part, work, around)
    if part.role == "counter":
        return melody_part(part, work, around, against=top)
    if part.role == "thirds":
        return thirds_part(part, line, top)
    if part.role == "drums":
        return _drums(part, work)
    body, end = _ending(work)
    if part.role == "chords":
        plays = chords_part(part.style, body, part.low, part.high, part.density, rng) if body else []
        return plays + (chords_part("pad", end, part.low, part.high, part.density, rng, [pitch for *_, pitch, _ in plays[-3:]]) if end else [])
    if part.role == "bass":
        plays = bass_part(part.style, body, part.low, part.high, part.density, rng, around.before[-1] if around.before else -1, around.after, work.loops) if body else []
        return plays + (bass_part("drone", end, part.low, part.high, part.density, rng) if end else [])
    plays = arpeggio_part(part.style, body, part.low, part.high, part.density, rng) if body else []
    return plays + (chords_part("pad", end, part.low, part.high, 0.2, rng) if end else [])


def _ending(work: Writing) -> tuple[Line | None, Line | None]:
    """The last bar of a piece that is no loop is held."""
    line = work.line
    if work.loop or not work.final or len(line.bars) < 2:
        return line, None
    return replace(line, bars=line.bars[:-1]), replace(line, bars=line.bars[-1:])


def _louder(play: Play, by: int) -> Play:
    start, length, pitch, velocity = play
    return start, length, pitch, max(1, min(127, velocity + by))


# -- melodies --------------------------------------------------------------------------------------------------


def melody_part(part: Part, work: Writing, around: Around, against: Sequence[Play] = ()) -> list[Play]:
    """Rhythm bar by bar, then all pitches in one draw; phrases that come again lean on their notes. What is given stays as it is."""
    line, rng = work.line, work.rng
    given = sorted(around.given)
    free = max([line.start, around.blocked, *(start + length for start, length, *_ in given)])
    stretches = [piece for stretch in _rhythm(part, work, free) for piece in _playable(stretch, line, part)]
    candidates = sorted({pitch for start, end in stretches for pitch in pitches_in(part.low, part.high, line.allowed(start, end))})
    before = tuple(pitch for *_, pitch, _ in given[-2:]) or around.before
    if not stretches:
        return given
    rows = _Rows(part, work, candidates, stretches, against).all()
    after = around.after
    if work.loops and after < 0:
        after = given[0][2] if given else melody_model.draw(rows, candidates, line.key.tonic, rng, before=before, temperature=work.temperature)[0]
        if not given:
            rows[0] *= np.array(candidates) == after
    drawn = melody_model.draw(rows, candidates, line.key.tonic, rng, before=before, after=after, temperature=work.temperature)
    return given + [(start, end - start, pitch, _loudness(start, line, rng)) for (start, end), pitch in zip(stretches, drawn, strict=True)]


def _rhythm(part: Part, work: Writing, free: int) -> list[tuple[int, int]]:
    """Stretches (start, end) of the notes, from step `free` on. Bars of phrases that come again have the same rhythm."""
    line, known = work.line, {}
    begun: list[int] = []
    for number, bar in enumerate(line.bars):
        phrase, inside = divmod(number, PHRASE)
        last = inside == PHRASE - 1 or number == len(line.bars) - 1
        name = (FORM[phrase % len(FORM)], inside if not last else -1 - phrase, bar.beats)
        if name not in known:
            known[name] = _bar_rhythm(bar, part.density, last and not work.loop, work)
        begun += [bar.start + step for step in known[name]]
    begun = [step for step in begun if step >= free]
    if free == line.start and line.start not in begun[:1]:
        begun.insert(0, line.start)
    if not begun:
        return []
    ends = [*begun[1:], line.end]
    closing = work.final and not work.loop
    return [(start, end if closing and end == line.end else min(end, start + LONGEST, max(line.bar_at(start).end, start + 1))) for start, end in zip(begun, ends, strict=True)]


def _bar_rhythm(bar: Bar, density: float, last: bool, work: Writing) -> list[int]:
    found = melody_model.rhythm(bar.beats, density * (0.6 if last else 1.0), work.rng, work.temperature)
    if last:
        found = [step for step in found if step < max(bar.beats[0], bar.steps - bar.beats[-1])] or [0]
    return found


def _playable(stretch: tuple[int, int], line: Line, part: Part) -> list[tuple[int, int]]:
    """The stretch, cut at chords where no pitch fits all of it; without what fits no pitch at all."""
    start, end = stretch
    if pitches_in(part.low, part.high, line.allowed(start, end)):
        return [stretch]
    cut = [(first, then) for first, then, _ in line.spans_within(start, end)]
    return [piece for piece in cut if pitches_in(part.low, part.high, line.allowed(*piece))]


class _Rows:
    """For each note how welcome each pitch is, before the model has its say."""

    def __init__(self, part: Part, work: Writing, pitches: list[int], stretches: list[tuple[int, int]], against: Sequence[Play]) -> None:
        self.part, self.work, self.line, self.stretches, self.against = part, work, work.line, stretches, against
        self.pitches = np.array(pitches)
        self.spread = np.exp(-(((self.pitches - (part.low + part.high) / 2) / max(4.0, (part.high - part.low) / 2.6)) ** 2) / 2)
        self.phrases = {bar.start: number // PHRASE for number, bar in enumerate(self.line.bars)}
        self.begins = [bar.start for bar in self.line.bars[::PHRASE]]

    def all(self) -> Any:
        return np.array([self._row(start, end) for start, end in self.stretches])

    def _row(self, start: int, end: int) -> Any:
        classes, chord = self.line.allowed(start, end), self.line.chord_at(start)
        row = np.array([float(pitch % 12 in classes) for pitch in self.pitches])
        scale = np.isin(self.pitches % 12, self.line.key.classes)
        tones = np.isin(self.pitches % 12, list(chord.classes)) if chord else scale
        row *= np.where(tones, 1.8, np.where(scale, 1.0, 0.03)) * self.spread
        if self.work.final and not self.work.loop and (start, end) == self.stretches[-1]:
            row *= np.where(self.pitches % 12 == self.line.key.tonic, 12.0, 1.0)
        if heard := next((pitch for begun, length, pitch, _ in self.against if begun <= start < begun + length), 0):
            row *= np.where(np.isin(np.abs(self.pitches - heard) % 12, (3, 4, 8, 9)), 2.0, np.where(np.abs(self.pitches - heard) % 12 == 0, 0.3, 1.0))
        return row * self._arch(start)

    def _arch(self, start: int) -> Any:
        """Phrases rise to their third quarter and fall."""
        phrase = self.phrases[self.line.bar_at(start).start]
        first = self.begins[phrase]
        length = max(1, min(self.line.end, first + PHRASE * self.line.bars[0].steps) - first)
        goal = (self.part.low + self.part.high) / 2 + (self.part.high - self.part.low) * 0.22 * np.sin(np.pi * min(1.0, (start - first) / length))
        return np.exp(-np.abs(self.pitches - goal) / 9.0)


def thirds_part(part: Part, line: Line, top: Sequence[Play]) -> list[Play]:
    """Below each note of the melody the nearest allowed pitch, a third to a sixth away."""
    found: list[Play] = []
    for start, length, pitch, velocity in top:
        if not line.start <= start < line.end:
            continue
        for first, then, _ in line.spans_within(start, min(line.end, start + length)):
            below = [other for other in pitches_in(part.low, part.high, line.allowed(first, then) & frozenset(line.key.classes)) if 3 <= pitch - other <= 9]
            if below:
                found.append((first, then - first, below[-1], max(1, velocity - 12)))
    return found


def _loudness(step: int, line: Line, rng: Any) -> int:
    bar = line.bar_at(step)
    accent = 10 if step == bar.start else 4 if step in bar.beat_starts else 0
    return int(82 + accent + rng.integers(-5, 6))


def _drums(part: Part, work: Writing) -> list[Play]:
    found: list[Play] = []
    for number, bar in enumerate(work.line.bars):
        fill = (number + 1) % PHRASE == 0 and number + 1 < len(work.line.bars)
        struck = drum_models.draw_bar(part.style, bar.beats, part.density, work.rng, fill=fill, temperature=work.temperature)
        found += [(bar.start + step, 1, drum, velocity) for step, drum, velocity in struck]
    return found


# -- voices below a melody -------------------------------------------------------------------------------------


def laid_voices(parts: Sequence[Part], numbers: Sequence[int], work: Writing, top: Sequence[Play], above: int | None = None) -> dict[int, list[Play]]:
    """A chord for each beat, led by its costs; equal pitches are tied, and steps of the scale fill some thirds. `above` is the pitch over those that stand behind the stretch."""
    line = work.line
    slots = [(first, then) for bar in line.bars for start, size in zip(bar.beat_starts, bar.beats, strict=True) for first, then, chord in line.spans_within(start, start + size) if chord]

    def soprano(step: int) -> int | None:
        return next((pitch for begun, length, pitch, _ in top if begun <= step < begun + length), None)

    playable = [slot for slot in slots if all(pitches_in(part.low, part.high, line.allowed(*slot)) for part in parts)]
    if not playable:
        return {number: [] for number in numbers}
    after = tuple(work.of(number).after for number in numbers)
    ways = lay(line, soprano, [(part.low, part.high) for part in parts], playable, work.rng, work.temperature, (after, above) if min(after) >= 0 else None, work.loops)
    made: dict[int, list[Play]] = {}
    for place, number in enumerate(numbers):
        plain = [(start, end - start, way[place], _loudness(start, line, work.rng) - 8) for (start, end), way in zip(playable, ways, strict=True)]
        made[number] = _passing(_tied(plain, line), parts[place], work)
    return made


def _tied(plays: list[Play], line: Line) -> list[Play]:
    found: list[Play] = []
    for play in plays:
        start, length, pitch, _ = play
        if found and found[-1][2] == pitch and sum(found[-1][:2]) == start and start not in {bar.start for bar in line.bars} and pitch % 12 in line.allowed(found[-1][0], start + length):
            found[-1] = (found[-1][0], found[-1][1] + length, pitch, found[-1][3])
        else:
            found.append(play)
    return found


def _passing(plays: list[Play], part: Part, work: Writing) -> list[Play]:
    """Between notes a third apart, half of the time, the scale's step between them on the second half of the beat."""
    found: list[Play] = []
    for play, then in zip(plays, [*plays[1:], None], strict=True):
        start, length, pitch, velocity = play
        found.append(play)
        if then is None or length < 4 or length % 2 or abs(then[2] - pitch) not in (3, 4) or then[0] != start + length or work.rng.random() > 0.45:
            continue
        half = min(2, length // 2)
        between = [step for step in range(min(pitch, then[2]) + 1, max(pitch, then[2])) if step % 12 in work.line.allowed(start + length - half, start + length) & frozenset(work.line.key.classes)]
        if between and part.low <= between[0] <= part.high:
            found[-1] = (start, length - half, pitch, velocity)
            found.append((start + length - half, half, between[0], max(1, velocity - 6)))
    return found
