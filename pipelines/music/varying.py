"""Variations: some notes of a piece are drawn anew where they stand, the others stay bit for bit. Works for any piece, on the grid or off it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pipelines.music.metre import Line
from pipelines.music.models.melody import draw
from pipelines.music.models.parts import pitches_in
from pipelines.music.plan import Plan, monophonic
from pipelines.music.score import STEP, Note, Piece, Voice

DRUM_SWAPS = {42: (46, 44), 46: (42,), 38: (40, 37), 51: (53, 42), 36: (36,), 44: (42,), 49: (57,)}
STRETCH = 256  # notes drawn at once


def varied(plan: Plan, piece: Piece, line: Line, rng: Any, check: Callable[[float], None]) -> Piece:
    voices = []
    for number, voice in enumerate(piece.voices):
        check(number / len(piece.voices))
        change = {place for place in range(len(voice.notes)) if rng.random() < plan.params.amount}
        if voice.drums:
            notes: Sequence[Note] = _drums(voice.notes, change, rng)
        elif monophonic(voice):
            notes = _melody(plan, voice, change, line, plan.parts[number].low, plan.parts[number].high, rng)
        else:
            notes = _chords(plan, voice, change, line, plan.parts[number].low, plan.parts[number].high, rng)
        voices.append(replace(voice, notes=tuple(notes)))
    return replace(piece, voices=tuple(voices))


def _drums(given: Sequence[Note], change: set[int], rng: Any) -> list[Note]:
    """Other drums of the same kind, where nothing strikes them at that time."""
    notes = list(given)
    for place in sorted(change):
        other = _other_drum(notes[place], rng)
        near = [note for number, note in enumerate(notes[max(0, place - 40) : place + 40], max(0, place - 40)) if number != place]
        if not any(note.pitch == other.pitch and note.start < other.start + other.length and other.start < note.start + note.length for note in near):
            notes[place] = other
    return notes


def _other_drum(note: Note, rng: Any) -> Note:
    others = DRUM_SWAPS.get(note.pitch, ())
    louder = int(np.clip(note.velocity + rng.integers(-15, 16), 1, 127))
    return replace(note, pitch=int(rng.choice(others)) if others else note.pitch, velocity=louder)


def span(note: Note) -> tuple[int, int]:
    """The steps that a note touches."""
    return note.start // STEP, max(note.start // STEP + 1, -(-(note.start + note.length) // STEP))


def _melody(plan: Plan, voice: Voice, change: set[int], line: Line, low: int, high: int, rng: Any) -> list[Note]:
    """The changed notes drawn together, given those between them."""
    found: list[Note] = []
    for first in range(0, len(voice.notes), STRETCH):
        notes = voice.notes[first : first + STRETCH]
        own = [pitches_in(low, high, line.allowed(*span(note))) if first + place in change else [] for place, note in enumerate(notes)]
        pitches = sorted({note.pitch for note in notes} | {pitch for some in own for pitch in some})
        rows = np.zeros((len(notes), len(pitches)))
        for place, (note, some) in enumerate(zip(notes, own, strict=True)):
            for pitch in some or [note.pitch]:
                rows[place, pitches.index(pitch)] = 0.4 if pitch == note.pitch and len(some) > 1 else np.exp(-abs(pitch - note.pitch) / 5.0) if some else 1.0
        drawn = draw(rows, pitches, line.key.tonic, rng, before=[note.pitch for note in found[-2:]], temperature=plan.params.temperature)
        found += [replace(note, pitch=pitch) for note, pitch in zip(notes, drawn, strict=True)]
    return found


def _chords(plan: Plan, voice: Voice, change: set[int], line: Line, low: int, high: int, rng: Any) -> list[Note]:
    """A changed note moves to a near tone that nothing of its voice sounds at that time."""
    notes = list(voice.notes)
    for place in sorted(change):
        note = notes[place]
        near = [other for other in notes[max(0, place - 40) : place + 40] if other.start < note.start + note.length and note.start < other.start + other.length]
        taken = {other.pitch for other in near}
        chord = line.chord_at(note.start // STEP)
        classes = line.allowed(*span(note)) & (chord.classes if chord else frozenset(range(12)))
        free = [pitch for pitch in pitches_in(low, high, classes) if pitch not in taken and abs(pitch - note.pitch) <= 9]
        if free:
            chances = np.exp(-np.abs(np.array(free) - note.pitch) / (4.0 * plan.params.temperature))
            notes[place] = replace(note, pitch=free[int(rng.choice(len(free), p=chances / chances.sum()))])
    return notes
