"""One voice of a piece, played by the studio's own instruments: each note begins at its own sample."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipelines.music.sound.files import RATE, Samples
from pipelines.music.sound.loudness import weight
from pipelines.music.sound.synth.drums import CHOKED_BY, drum, nearest
from pipelines.music.sound.synth.patches import PROGRAMS, Patch
from pipelines.music.sound.synth.struck import Struck

LAYERS = 8  # velocities that a struck instrument's colour is made for
MOST_HELD = 2**27  # bytes of notes that are kept to be played again
EVEN = 0.1  # weighted RMS of each instrument's loudest 0.4 s at velocity 80
LOW = {**dict.fromkeys(range(32, 40), 40), 42: 48, 43: 36, 47: 45, 58: 40, 70: 48}  # where an instrument is at home, elsewhere than at middle C


@dataclass(frozen=True, order=True)
class Sounding:
    """A note in frames: when it begins, how long it is held."""

    start: int
    frames: int
    pitch: int
    velocity: int


def hertz_of(pitch: int) -> float:
    """Equal temperament, A4 (69) at 440 Hz."""
    return 440.0 * 2 ** ((pitch - 69) / 12)


def voice(notes: Sequence[Sounding], program: int, drums: bool, check: Callable[[], None]) -> Samples:
    """(2, frames) as long as it sounds. Deterministic: noise begins with the same seed each time. Raises what `check` raises, between two notes."""
    made = _drums(notes, check) if drums else _pitched(notes, program, check)
    return made if made.shape[1] else np.zeros((2, 1), np.float32)


def _pitched(notes: Sequence[Sounding], program: int, check: Callable[[], None]) -> Samples:
    patch, ground = PROGRAMS[program], loudness_of(program)
    longest: dict[tuple[int, int], int] = {}
    for note in notes:
        key = (note.pitch, _layer(note.velocity))
        longest[key] = max(longest.get(key, 0), note.frames)
    held: dict[tuple[int, int], Samples] = {}
    out = np.zeros((2, max((note.start + note.frames + _after(patch, note.pitch) for note in notes), default=0)), np.float32)
    for number, note in enumerate(notes):
        check()
        gain = np.float32(ground * (note.velocity / 127) ** 1.5 / (80 / 127) ** 1.5)
        if isinstance(patch, Struck):
            key = (note.pitch, _layer(note.velocity))
            if key not in held:
                if sum(one.nbytes for one in held.values()) > MOST_HELD:
                    held.clear()
                held[key] = _struck(patch, program, note.pitch, _layer(note.velocity), longest[key])
            one = _let_go(held[key], note.frames, patch.release)
        else:
            one = patch.note(hertz_of(note.pitch), max(1, note.frames), note.velocity / 127, np.random.default_rng([program, note.pitch, number]))
        end = min(out.shape[1], note.start + one.shape[-1])
        out[:, note.start : end] += gain * one[..., : end - note.start]
    return out


def _layer(velocity: int) -> int:
    return velocity * (LAYERS - 1) // 127


def _after(patch: Patch, pitch: int) -> int:
    """Frames that it sounds at most after it was let go."""
    rings = isinstance(patch, Struck) and not patch.release
    return int((patch.longest(hertz_of(pitch)) if rings and isinstance(patch, Struck) else patch.release) * RATE) + 1


def _struck(patch: Struck, program: int, pitch: int, layer: int, frames: int) -> Samples:
    """As long as it rings, or as it is held and let go; ends and begins without a click."""
    hertz = hertz_of(pitch)
    rings = int(patch.longest(hertz) * RATE)
    frames = rings if not patch.release else min(rings, frames + int(patch.release * RATE) + 1)
    made = patch.build(hertz, frames, (layer + 0.5) / LAYERS, np.random.default_rng(zlib.crc32(b"%d %d" % (program, pitch))))
    edge, end = min(frames, 66), min(frames, 2205)  # 1.5 and 50 ms
    made[..., :edge] *= np.sin(np.linspace(0, np.pi / 2, edge, dtype=np.float32)) ** 2
    if frames == rings:
        made[..., -end:] *= np.linspace(1, 0, end, dtype=np.float32)
    return made.astype(np.float32)


def _let_go(made: Samples, frames: int, release: float) -> Samples:
    if not release or frames >= made.shape[-1]:
        return made
    rest = min(int(release * RATE), made.shape[-1] - frames)
    one = made[..., : frames + rest].copy()
    gone = np.arange(rest, dtype=np.float32) / np.float32(release * RATE)
    one[..., frames:] *= np.exp(-4 * gone) * (1 - gone)
    return one


@lru_cache(maxsize=256)
def loudness_of(program: int) -> float:
    """What a program's notes are multiplied by, so that all are equally loud but for their patch's level."""
    patch, pitch = PROGRAMS[program], LOW.get(program, 60)
    rng = np.random.default_rng(program)
    if isinstance(patch, Struck):
        one = _struck(patch, program, pitch, _layer(80), RATE)
    else:
        one = patch.note(hertz_of(pitch), RATE, 80 / 127, rng)
    one = np.atleast_2d(one)
    size = int(0.4 * RATE)
    best = 0.0
    for start in range(0, max(1, one.shape[1] - size), size // 2):
        bins = np.fft.rfft(one[:, start : start + size], size, axis=1)
        power = (np.abs(bins) ** 2).mean(axis=0) * weight(np.fft.rfftfreq(size, 1 / RATE))
        best = max(best, float(np.sqrt(2 * power.sum())) / size)
    return EVEN * 10 ** (patch.level / 20) / max(best, 1e-6)


def _drums(notes: Sequence[Sounding], check: Callable[[], None]) -> Samples:
    held: dict[tuple[int, int], Samples] = {}
    strokes: list[tuple[Sounding, int, Samples]] = []
    for note in notes:
        check()
        key = (nearest(note.pitch), _layer(note.velocity))
        if key not in held:
            held[key] = drum(key[0], (key[1] + 0.5) / LAYERS)
        strokes.append((note, key[0], held[key]))
    out = np.zeros((2, max((note.start + one.shape[1] for note, _, one in strokes), default=0)), np.float32)
    following: dict[int, int] = {}  # when each drum is struck next, going backwards
    for note, struck, one in reversed(strokes):
        gain = np.float32(0.55 * (note.velocity / 127) ** 1.5)
        until = min((following[other] for other in CHOKED_BY.get(struck, ()) if other in following), default=-1)
        if until > note.start:
            one = _let_go(one, until - note.start, 0.03)
        following[struck] = note.start
        out[:, note.start : note.start + one.shape[1]] += gain * one
    return out
