"""General MIDI's sounds that are no instruments: the sea, a bird, a telephone … Each is made of noise and sines; the pitch only colours it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.music.sound.files import RATE, Samples
from pipelines.music.sound.synth.modal import coloured, falling, ringing

LONGEST = 6.0


@dataclass(frozen=True)
class Effect:
    """`name` is one of MAKERS."""

    name: str
    level: float = -3.0
    release: float = 0.4
    pitched: bool = False

    def note(self, hertz: float, frames: int, velocity: float, rng: np.random.Generator) -> Samples:
        """(n,) or (2, n): held for `frames`, LONGEST seconds at most, then let go."""
        rest = int(self.release * RATE)
        frames = min(frames, int(LONGEST * RATE))
        made = MAKERS[self.name](frames + rest, float(np.clip(hertz / 261.6, 0.25, 4)), rng)
        edge = min(frames, 64)
        made[..., :edge] *= np.linspace(0, 1, edge, dtype=np.float32)
        made[..., frames:] *= np.linspace(1, 0, rest, dtype=np.float32) ** 2
        return made


def _swept(frames: int, hertz: Samples) -> Samples:
    return np.sin(2 * np.pi * np.cumsum(hertz, dtype=np.float64)[:frames] / RATE).astype(np.float32)


def _cymbal(frames: int, pitch: float, rng: np.random.Generator) -> Samples:
    """A cymbal played backwards."""
    size = min(frames, int(1.6 * RATE))
    made = np.zeros(frames, np.float32)
    made[:size] = (coloured(size, 1800 * pitch, 12_000, rng) * falling(size, 1.8))[::-1]
    made[size - 256 : size] *= np.linspace(1, 0, 256, dtype=np.float32)
    return made


def _fret(frames: int, pitch: float, rng: np.random.Generator) -> Samples:
    """A finger slides along a wound string."""
    time = np.arange(frames, dtype=np.float32) / RATE
    tone = 900 * pitch * (1 + 1.2 * np.minimum(time / 0.16, 1.5))
    return (0.5 * _swept(frames, tone) + 0.5 * coloured(frames, 1200 * pitch, 6000, rng)) * np.exp(-time * 16) * np.minimum(1, time / 0.02)


def _breath(frames: int, pitch: float, rng: np.random.Generator) -> Samples:
    time = np.arange(frames, dtype=np.float32) / RATE
    return coloured(frames, 500 * pitch, 5000, rng) * np.minimum(1, time / 0.12) * np.exp(-time * 1.6)


def _sea(frames: int, pitch: float, rng: np.random.Generator) -> Samples:
    time = np.arange(frames, dtype=np.float32) / RATE
    wave = 0.12 + np.sin(np.pi * time / 4.2) ** 2
    return np.stack([coloured(frames, 120, 3800 * pitch, rng, -3) * wave, coloured(frames, 120, 3800 * pitch, rng, -3) * np.roll(wave, 4000)])


def _bird(frames: int, pitch: float, rng: np.random.Generator) -> Samples:
    time = np.arange(frames, dtype=np.float32) / RATE
    part = (time % 0.42) / 0.42
    tone = 2600 * pitch * (1 + 0.25 * np.sin(2 * np.pi * part * 2) + 0.06 * np.sin(2 * np.pi * 28 * time))
    return _swept(frames, tone) * np.clip(np.sin(np.pi * np.minimum(part * 1.6, 1)), 0, 1)


def _telephone(frames: int, pitch: float, rng: np.random.Generator) -> Samples:
    """Two bells, struck twenty times a second, two seconds of three."""
    time = np.arange(frames, dtype=np.float32) / RATE
    bells = sum(np.sin(2 * np.pi * hertz * pitch * time) for hertz in (1180.0, 1475.0, 2600.0))
    return np.asarray(bells * (0.3 + 0.7 * np.exp(-(time % 0.05) * 40)) * np.clip((1.3 - np.abs(time % 3 - 1)) * 20 - 6, 0, 1) / 3, np.float32)


def _helicopter(frames: int, pitch: float, rng: np.random.Generator) -> Samples:
    time = np.arange(frames, dtype=np.float32) / RATE
    beat = np.exp(-((time * 11 * pitch) % 1) * 5) * np.minimum(1, ((time * 11 * pitch) % 1) * 30)
    return coloured(frames, 60, 1500, rng, -4) * (0.15 + beat) + 0.3 * np.sin(2 * np.pi * 88 * pitch * time).astype(np.float32)


def _applause(frames: int, pitch: float, rng: np.random.Generator) -> Samples:
    """Some hundred claps a second, each a short burst, different for both ears."""
    size = int(0.02 * RATE)
    clap = coloured(size, 700 * pitch, 4500, rng) * falling(size, 0.03)
    sides = np.zeros((2, frames + size), np.float32)
    for start in rng.integers(0, max(1, frames - size), max(1, frames * 260 // RATE)):
        sides[:, start : start + size] += clap * rng.random((2, 1)).astype(np.float32)
    return sides[:, :frames]


def _shot(frames: int, pitch: float, rng: np.random.Generator) -> Samples:
    time = np.arange(frames, dtype=np.float32) / RATE
    thump = ringing(np.array([70.0, 110.0]) * pitch, np.array([14.0, 20.0]), np.array([1.0, 0.7]), np.zeros(2), frames)
    return coloured(frames, 60, 7000, rng, -3) * (0.8 * np.exp(-time * 30) + 0.2 * np.exp(-time * 5)) + thump


MAKERS = {"cymbal": _cymbal, "fret": _fret, "breath": _breath, "sea": _sea, "bird": _bird, "telephone": _telephone, "helicopter": _helicopter, "applause": _applause, "shot": _shot}
