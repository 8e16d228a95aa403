"""The chorale network as a writer of plans: what is given becomes tokens that stay, keys, chords and ranges become pitches that may sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.music.composer.grid import FREE, HOLD, REST, Frame
from pipelines.music.metre import Line
from pipelines.music.models.parts import Play
from pipelines.music.plan import Plan
from pipelines.music.score import STEP, Note

PHRASE_BARS = 2
CADENCE = 8  # steps
NEAR = ((3, 3, 3, 5), (7, 7, 7, 12))  # semitones from a loop's first notes at most, by voice: in its last beat, in the one before


def write_chorale(plan: Plan, line: Line, free: Any, given: Sequence[Sequence[Note]], chords: bool, seed: int, weights: Path | None, check: Callable[[float], None]) -> list[list[Play]]:
    """The plays of four voices that begin in the free places. `free` (4, steps) bool; `given` are the voices' known notes (none: empty), from which the rest is read. `chords`: the line's hold.

    Of a loop the opening is drawn first and then stands behind the end too, so that the end leads there.
    """
    from pipelines.music.composer import sample

    steps = plan.bars[-1].end
    fixed = np.full((4, steps), FREE)
    for row, notes in enumerate(given):
        tokens = tokens_of(notes, steps)
        fixed[row] = np.where(free[row], FREE, tokens)
    frame, may = frame_of(plan), allowed(plan, line, chords, steps)
    density = plan.params.density * 2 - 1 if plan.params.density else 0.0

    def drawn(fixed: Any, check: Callable[[float], None], until: int | None = None) -> Any:
        return sample.sample(frame, fixed, may, sounding(plan), plan.params.temperature, density=density, seed=seed, weights=weights, check=check, until=until)

    if plan.params.loop and free[:, plan.bars[-1].start :].any():
        opening = opening_of(plan)
        frame, may = looped(frame, opening), np.pad(may, ((0, 0), (0, opening), (0, 0)))
        fixed = np.pad(fixed, ((0, 0), (0, opening)), constant_values=FREE)
        if (fixed[:, :opening] == FREE).any():
            fixed[:, :opening] = drawn(fixed, lambda share: check(0.0), opening)[:, :opening]
        fixed[:, steps:] = fixed[:, :opening]
        _lead(plan, fixed[:, :opening], may, chords)
    tokens = drawn(fixed, check)[:, :steps]
    return [plays_of(tokens[row], free[row]) for row in range(4)]


def opening_of(plan: Plan) -> int:
    """The steps of a loop that the network hears behind its end: the first phrase, one bar less than all at most; of a single bar its first beat."""
    count = min(PHRASE_BARS, len(plan.bars) - 1)
    return plan.bars[count - 1].end if count else plan.bars[0].beats[0]


def looped(frame: Frame, opening: int) -> Frame:
    """A loop's frame: behind the end its first steps once more."""
    place, bar, ends = (np.concatenate([column, column[:opening]]) for column in (frame.place, frame.bar, frame.ends))
    return Frame(place, bar, ends, frame.tonic, frame.minor)


def _lead(plan: Plan, opening: Any, may: Any, chords: bool) -> None:
    """The last two beats of a loop come nearer to the notes on which it begins, as far as what is asked for leaves them a way; the bass of the last one is not there yet, unless chords say so."""
    last = plan.bars[-1]
    for reach, start, size in zip(NEAR, reversed(last.beat_starts), reversed(last.beats), strict=False):
        for row, tokens in enumerate(opening):
            if (first := next((int(token) for token in tokens if token < REST), -1)) < 0:
                continue
            near = np.abs(np.arange(128) - first) <= reach[row]
            if row == 3 and start == last.beat_starts[-1] and not chords:
                near &= np.arange(128) % 12 != first % 12
            within = may[row, start : start + size] & near
            may[row, start : start + size] = np.where(within.any(axis=1, keepdims=True), within, may[row, start : start + size])


def sounding(plan: Plan) -> tuple[bool, ...]:
    """Which of soprano, alto, tenor and bass there are: of two the outer ones."""
    count = len(plan.parts)
    return {1: (True, False, False, False), 2: (True, False, False, True), 3: (True, True, False, True)}.get(count, (True,) * 4)


def rows_of(plan: Plan) -> list[int]:
    """Of each voice of the plan the network's row."""
    return [row for row, there in enumerate(sounding(plan)) if there]


def frame_of(plan: Plan) -> Frame:
    """Phrases of two bars, each closed by a held chord; none at the end of a loop."""
    steps = plan.bars[-1].end
    place, bar, ends = np.zeros(steps, int), np.zeros(steps, int), np.zeros(steps, bool)
    for number, one in enumerate(plan.bars):
        place[one.start : one.end] = np.arange(one.steps)
        bar[one.start : one.end] = one.steps
        if (number + 1) % PHRASE_BARS == 0 or number + 1 == len(plan.bars):
            ends[max(one.start, one.end - min(CADENCE, one.steps // 2)) : one.end] = not (plan.params.loop and number + 1 == len(plan.bars))
    return Frame(place, bar, ends, plan.key.tonic, plan.key.minor)


def allowed(plan: Plan, line: Line, chords: bool, steps: int) -> Any:
    """(4, steps, 128): pitches that may sound, by range, scale and chord; a note over a beat belongs to that beat's chord too."""
    found = np.zeros((4, steps, 128), bool)
    for row, part in zip(rows_of(plan), plan.parts, strict=True):
        found[row, :, part.low : part.high + 1] = True
    if plan.locked:
        found &= np.isin(np.arange(128) % 12, plan.key.classes)
    if chords:
        beats = set(line.beat_steps())
        for first, then, chord in line.spans():
            if chord is None:
                continue
            tones = np.isin(np.arange(128) % 12, list(chord.classes))
            for step in range(first, then):
                if plan.params.chord_lock == "Every note" or step in beats:
                    found[:, step] &= tones
    return found


def tokens_of(notes: Sequence[Note], steps: int) -> Any:
    """One voice on the grid; what lies off it moves to the nearest step."""
    found = np.full(steps, REST)
    for note in notes:
        start = round(note.start / STEP)
        end = max(start + 1, round((note.start + note.length) / STEP))
        if start < steps:
            found[start] = note.pitch
            found[start + 1 : min(end, steps)] = HOLD
    return found


def plays_of(tokens: Any, free: Any) -> list[Play]:
    """Notes that begin in free places; one that would go on from a note that is not theirs begins anew."""
    found: list[Play] = []
    pitch, own = REST, False
    for step, token in enumerate(int(token) for token in tokens):
        if token == REST:
            pitch, own = REST, False
        elif token != HOLD:
            pitch, own = token, bool(free[step])
            if own:
                found.append((step, 1, pitch, 80))
        elif pitch != REST and not free[step] and own:
            found[-1] = (found[-1][0], found[-1][1] + 1, pitch, 80)
        elif pitch != REST and free[step]:
            if own:
                found[-1] = (found[-1][0], found[-1][1] + 1, pitch, 80)
            else:
                found.append((step, 1, pitch, 80))
                own = True
    return found
