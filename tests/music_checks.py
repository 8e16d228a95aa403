"""What a composition was asked for, checked note by note by other means than those that wrote it; and settings at random."""

from __future__ import annotations

import random
from typing import Any

from pipelines.music.chords import NO_CHORD, parse_chord
from pipelines.music.params import ComposeParams
from pipelines.music.plan import Plan
from pipelines.music.presets import PRESETS
from pipelines.music.score import Note, Piece, Voice
from pipelines.music.theory import parse_key

BEATS = {"4/4": [480] * 4, "3/4": [480] * 3, "2/4": [480] * 2, "6/8": [720] * 2, "9/8": [720] * 3, "12/8": [720] * 4, "5/4": [480] * 5, "7/8": [480, 480, 720]}
CHORDS = ("C | Am F | G7 | C", "Dm7 G7 | Cmaj7 | Fmaj7 | Bm7b5 E7", "I | vi | IV | V7", "Bb/D | Ebmaj7 | F#dim | C5", "C | % | F", "Am | N.C. | E | Am")
KEYS = (
    "C major",
    "A minor",
    "Eb major",
    "D dorian",
    "G mixolydian",
    "B locrian",
    "E phrygian",
    "F lydian",
    "A harmonic minor",
    "C blues",
    "D in",
    "F# minor pentatonic",
    "Ab major pentatonic",
    "C chromatic",
    "D whole tone",
)


def beat_starts(metre: str, bars: int) -> list[int]:
    found, tick = [], 0
    for _ in range(bars):
        for beat in BEATS[metre]:
            found.append(tick)
            tick += beat
    return found


def chord_name(piece: Piece, tick: int) -> str:
    return next((name for start, name in reversed(piece.chords) if start <= tick), NO_CHORD)


def wrong(plan: Plan, piece: Piece, fresh: dict[int, list[Note]] | None = None) -> list[str]:
    """What does not hold: tempo, length, metre, scale, chords, ranges, number of voices. `fresh` are the notes by voice that were written (all)."""
    params, found = plan.params, []
    metre = f"{plan.metre[0]}/{plan.metre[1]}"
    bar = sum(BEATS[metre])
    if params.tempo and (piece.tempos != ((0, round(params.tempo, 2)),)):
        found.append(f"tempo {piece.tempos}")
    if params.mode == "New" and (piece.length != bar * (params.bars or PRESETS[params.preset].bars) or piece.metres != ((0, *plan.metre),)):
        found.append(f"length {piece.length} in {piece.metres}")
    if params.mode == "New" and params.voices and len(piece.voices) != params.voices:
        found.append(f"{len(piece.voices)} voices")
    notes = fresh if fresh is not None else {number: list(voice.notes) for number, voice in enumerate(piece.voices)}
    scale = set(parse_key(plan.key.name).classes)
    for number, some in notes.items():
        if piece.voices[number].drums:
            continue
        low, high = plan.parts[number].low, plan.parts[number].high
        for note in some:
            if note.start + note.length > piece.length:
                found.append(f"{note} sounds behind the end")
            if not low <= note.pitch <= high:
                found.append(f"{note} out of {low}-{high}")
            if plan.locked and note.pitch % 12 not in scale:
                found.append(f"{note} out of {plan.key.name}")
            if plan.typed:
                found += _against_chords(note, piece, metre, params.chord_lock == "Every note")
    return found


def _against_chords(note: Note, piece: Piece, metre: str, every: bool) -> list[str]:
    bars = piece.length // sum(BEATS[metre]) + 1
    ticks = [tick for tick in beat_starts(metre, bars) if note.start <= tick < note.start + note.length]
    if every:
        ticks += [note.start, *(tick for tick, _ in piece.chords if note.start <= tick < note.start + note.length)]
    names = {chord_name(piece, tick) for tick in ticks} - {NO_CHORD}
    return [f"{note} not in {name}" for name in names if note.pitch % 12 not in parse_chord(name).classes]


def some_values(rng: random.Random, **fixed: Any) -> dict[str, Any]:
    """Settings that fit each other."""
    preset = rng.choice(list(PRESETS))
    metre = rng.choice(list(BEATS))
    four = PRESETS[preset].model != "Melody and band (Markov)"
    values: dict[str, Any] = {
        "preset": preset, "bars": rng.randint(1, 12), "tempo": rng.choice([0, 20, 61.37, 97, 133.33, 400]), "metre": metre, "key": rng.choice(KEYS), "scale_lock": rng.choice(["On", "Off", "Automatic"]),
        "voices": rng.randint(0, 4 if four else 8), "chord_lock": rng.choice(["On the beats", "Every note"]), "density": rng.choice([0, 0.1, 0.5, 1.0]), "temperature": rng.choice([0.1, 0.7, 1.0, 2.0]),
        "swing": rng.choice([-1, 0, 0.5, 1]), "loop": rng.random() < 0.5, "seed": rng.randrange(10**6), "ranges": rng.choice(["", "C5-C6", "G3-D5, A3-E4", ", E2-E3"]),
    }  # fmt: skip
    if rng.random() < 0.6 and values["scale_lock"] != "On":
        values["chords"] = rng.choice(CHORDS)
    if values["voices"] == 1 and values["ranges"].count(","):
        values["ranges"] = ""
    return values | fixed


def a_piece(seed: int, metre: str = "4/4", voices: int = 3) -> Piece:
    """Somebody's piece: off the grid, with chords, drums and velocities of its own."""
    rng = random.Random(seed)
    length = sum(BEATS[metre]) * 6
    made = []
    for number in range(voices):
        notes, tick = [], rng.randint(0, 100)
        while tick < length - 300:
            size = rng.choice([115, 240, 333, 480, 960])
            for pitch in sorted(rng.sample(range(48 + 8 * number, 66 + 8 * number), 3 if number == 1 else 1)):
                notes.append(Note(tick, pitch, min(size, length - tick), rng.randint(1, 127)))
            tick += size + rng.choice([0, 0, 5, 240])
        made.append(Voice(f"Hand {number + 1}", tuple(sorted(notes)), 40 + number))
    made.append(Voice("Kit", tuple(Note(tick, rng.choice([36, 38, 42]), 60, 90) for tick in range(0, length, 240)), 0, True))
    return Piece(tuple(made), length, ((0, 88.5),), ((0, *(int(part) for part in metre.split("/"))),), ((0, "F"),))


def params_of(values: dict[str, Any]) -> ComposeParams:
    return ComposeParams.parse(values)
