"""A piece to sound: which instrument plays what and when, each voice by an engine, all by the mixer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipelines.music.score import TICKS, Piece
from pipelines.music.sound.files import RATE, Samples
from pipelines.music.sound.mixer import Mix, at, end_of, fade, folded, master, placed, roomed, without_pressure
from pipelines.music.sound.programs import DRUM_KIT, name_of
from pipelines.music.sound.synth.player import Sounding, voice

Check = Callable[[], None]
Tell = Callable[[float], None]


@dataclass(frozen=True)
class Part:
    """One voice as it is to sound: `number` is its place in the piece."""

    number: int
    name: str
    program: int
    drums: bool
    notes: tuple[Sounding, ...]


Engine = Callable[[Part, Check], Samples]  # (2, frames): the part alone, dry


@dataclass(frozen=True)
class Sounded:
    """`mix` (2, frames) and, where they were wanted, `stems` of the same length that sum to it, by voice; `loudness` in LUFS."""

    mix: Samples
    stems: tuple[tuple[str, Samples], ...]
    loudness: float


def own_engine(part: Part, check: Check) -> Samples:
    return voice(part.notes, part.program, part.drums, check)


def frames_of(piece: Piece, ticks: list[int]) -> np.ndarray:
    """The nearest frame of each tick."""
    starts = np.array([start for start, _ in piece.tempos] or [0], float)
    tempos = np.array([tempo for _, tempo in piece.tempos] or [120.0])
    seconds = np.concatenate([[0.0], np.cumsum(np.diff(starts) * 60 / (tempos[:-1] * TICKS))])
    place = np.maximum(np.searchsorted(starts, ticks, "right") - 1, 0)
    told = seconds[place] + (np.asarray(ticks, float) - starts[place]) * 60 / (tempos[place] * TICKS)
    return np.rint(told * RATE).astype(np.int64)


def parts_of(piece: Piece, mix: Mix) -> list[Part]:
    """The voices that sound, none for those without notes."""
    found = []
    for number, one in enumerate(piece.voices):
        if not one.notes or not mix.sounds(number):
            continue
        told = at(mix.programs, number, -1)
        drums = one.drums if told < 0 else told == DRUM_KIT
        program = one.program if told < 0 or drums else told
        starts = frames_of(piece, [note.start for note in one.notes])
        ends = frames_of(piece, [note.start + note.length for note in one.notes])
        notes = sorted(Sounding(int(start), max(1, int(end - start)), note.pitch, note.velocity) for start, end, note in zip(starts, ends, one.notes, strict=True))
        found.append(Part(number, one.name or name_of(program, drums), program, drums, tuple(notes)))
    return found


def played(piece: Piece, mix: Mix, engine: Engine, check: Check, tell: Tell = lambda share: None, stems: bool = False) -> Sounded:
    """The mastered mix, with its stems where they are wanted. The mix is the same with and without. Raises what `check` raises."""
    parts, frames = parts_of(piece, mix), max(1, int(frames_of(piece, [piece.length])[0]))
    alone: list[Samples] = []
    whole = np.zeros((2, frames), np.float32)
    for count, part in enumerate(parts):
        tell(0.85 * count / len(parts))
        made = placed(engine(part, check), at(mix.volumes, part.number, 0.0), mix.pan(part.number, len(piece.voices)) if not part.drums else _drum_pan(mix, part.number))
        check()
        if stems:
            alone.append(made)
        whole = _added(whole, made.copy() if stems else made)
    tell(0.85)
    whole = _finished(whole, mix, frames, check)
    end = frames if mix.loop else end_of(whole, frames)
    whole = whole[:, :end]
    gain, loudness = master(whole, mix.loudness, mix.loop)
    check()
    if not mix.loop:
        fade(gain, frames)
    shares = []
    for number, made in enumerate(alone):
        tell(0.9 + 0.1 * number / len(alone))
        one = _finished(made, mix, frames, check)[:, :end]
        shares.append((parts[number].name, np.pad(one, ((0, 0), (0, end - one.shape[1]))) * gain))
    whole *= gain
    return Sounded(whole, tuple(shares), loudness)


def _added(one: Samples, two: Samples) -> Samples:
    """The sum, in the place of the longer one."""
    longer, shorter = (one, two) if one.shape[1] >= two.shape[1] else (two, one)
    longer[:, : shorter.shape[1]] += shorter
    return longer


def _drum_pan(mix: Mix, number: int) -> float:
    """A kit has its own places: it stays in the middle unless it is told."""
    told = at(mix.pans, number, -2.0)
    return told if told >= -1 else 0.0


def _finished(samples: Samples, mix: Mix, frames: int, check: Check) -> Samples:
    samples = roomed(without_pressure(samples), mix.reverb, check)
    return folded(samples, frames) if mix.loop else samples


def render(piece: Piece, mix: Mix | None = None, check: Check = lambda: None) -> Samples:
    """(2, frames) at 44,100 Hz by the studio's own instruments, mastered."""
    return played(piece, mix or Mix(), own_engine, check).mix
