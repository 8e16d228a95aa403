"""Instruments that die away by themselves: pianos, bars, bells and plucked strings. Each builder makes one note that is held for ever; letting go is the player's.

A builder is a function of (hertz, frames, velocity 0 … 1, rng) to (frames,) or (2, frames).
Sources: N. Fletcher and T. Rossing, "The Physics of Musical Instruments", 2nd ed., Springer 1998 (partials of bars, bells and stiff strings);
J. Chowning, "The Synthesis of Complex Audio Spectra by Means of Frequency Modulation", J. Audio Eng. Soc. 21 (7), 1973.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipelines.music.sound.files import RATE, Samples
from pipelines.music.sound.synth.modal import coloured, falling, ringing
from pipelines.music.sound.synth.pluck import plucked

Builder = Callable[[float, int, float, np.random.Generator], Samples]


@dataclass(frozen=True)
class Struck:
    """`seconds` it rings at middle C at most; `release` until a note that is let go is silent, 0 where it rings on; `level` in dB beside the others."""

    build: Builder
    seconds: float
    release: float = 0.25
    level: float = 0.0
    pitched: bool = True

    def longest(self, hertz: float) -> float:
        """Low notes ring longer, high ones shorter."""
        return float(np.clip(self.seconds * (261.6 / hertz) ** 0.35, 0.3 * self.seconds, 1.8 * self.seconds))


@dataclass(frozen=True)
class Strings:
    """A piano's: stiff strings, two or three to a note, a hammer. `stiff` at middle C, `bright` the hammer's hardness, `apart` cents between the strings of a note."""

    stiff: float = 4e-4
    bright: float = 1.0
    apart: float = 0.7
    seconds: float = 9.0
    slope: float = 1.0
    point: float = 1 / 7.3
    knock: float = 0.25

    def __call__(self, hertz: float, frames: int, velocity: float, rng: np.random.Generator) -> Samples:
        number = np.arange(1, min(60, int(0.45 * RATE / hertz)) + 1)
        stiff = self.stiff * (hertz / 261.6) ** 1.4 + 1e-4
        partials = hertz * number * np.sqrt((1 + stiff * number**2) / (1 + stiff))
        soft = self.bright * (700 + 4200 * velocity**1.5) * (hertz / 261.6) ** 0.25
        amplitude = number**-self.slope * (0.12 + np.abs(np.sin(np.pi * number * self.point))) / (1 + (partials / soft) ** 2)
        lasts = np.clip(self.seconds * (261.6 / hertz) ** 0.55, 0.35, 22) / (1 + 0.10 * (number - 1) + (partials / 5200) ** 1.3)
        slow = 6.9078 / lasts
        apart = 2 ** (self.apart / 1200)
        sides = []
        for side in (-1, 1):
            turn = 2 * np.pi * rng.random(len(number)) * 0.35
            both = (np.concatenate([partials, partials * apart**side]), np.concatenate([slow * 3.2, slow]), np.concatenate([amplitude * 0.72, amplitude * 0.28]))
            sides.append(ringing(*both, np.concatenate([turn, turn + 0.4]), frames))
        made = np.stack(sides)
        length = min(frames, int(0.09 * RATE))
        tap = coloured(length, 60, 400 + 2200 * velocity, rng, -4) * falling(length, 0.07)
        made[:, :length] += self.knock * (0.3 + velocity) * float(np.abs(made[:, : RATE // 10]).max()) * 0.25 * tap
        return made


@dataclass(frozen=True)
class Bars:
    """Partials given by their ratios: (times the note's pitch, amplitude, seconds to fall by 60 dB). A softer stroke leaves the higher ones out. `tap` is the noise of the mallet."""

    partials: tuple[tuple[float, float, float], ...]
    tap: float = 0.1
    tap_hertz: float = 2500.0
    fall: float = 0.5  # how much faster high notes die: times per octave as a power
    tremolo: tuple[float, float] = (0.0, 0.0)  # times a second, depth
    wide: float = 0.0  # cents between the ears

    def __call__(self, hertz: float, frames: int, velocity: float, rng: np.random.Generator) -> Samples:
        ratio, amplitude, lasts = (np.array(column) for column in zip(*self.partials, strict=True))
        shorter = (261.6 / hertz) ** self.fall
        amplitude = amplitude * np.where(ratio > 1, velocity ** (0.35 * np.log2(np.maximum(ratio, 1.0)) + 0.01), 1)
        sides = [ringing(hertz * ratio * 2 ** (cents / 1200), 6.9078 / (lasts * shorter), amplitude, np.zeros(len(ratio)), frames) for cents in ((-self.wide, self.wide) if self.wide else (0.0,))]
        made = np.stack(sides) if self.wide else sides[0]
        length = min(frames, int(0.06 * RATE))
        made[..., :length] += self.tap * (0.4 + velocity) * coloured(length, self.tap_hertz / 3, self.tap_hertz, rng) * falling(length, 0.035)
        if self.tremolo[1]:
            made = made * (1 - self.tremolo[1] * (0.5 - 0.5 * np.cos(2 * np.pi * self.tremolo[0] * np.arange(frames, dtype=np.float32) / RATE)))
        return made


@dataclass(frozen=True)
class Modulated:
    """Two sines, one moving the other's phase: (ratio of the carrier, ratio of the mover, how far at first, how far at last, seconds of that, amplitude, seconds to fall by 60 dB)."""

    pairs: tuple[tuple[float, float, float, float, float, float, float], ...]
    wide: float = 2.0

    def __call__(self, hertz: float, frames: int, velocity: float, rng: np.random.Generator) -> Samples:
        time = np.arange(frames) / RATE
        made = np.zeros((2, frames), np.float32)
        for carrier, mover, first, last, soon, amplitude, lasts in self.pairs:
            room = max(0.0, (0.42 * RATE - carrier * hertz) / (mover * hertz) - 1)  # sidebands beyond fold down
            far = np.minimum((last + (first - last) * np.exp(-time / soon)) * (0.35 + 0.65 * velocity), room)
            envelope = amplitude * np.exp(-6.9078 * time / (lasts * (261.6 / hertz) ** 0.4))
            moved = far * np.sin(2 * np.pi * mover * hertz * time)
            for side, cents in enumerate((-self.wide, self.wide)):
                made[side] += envelope * np.sin(2 * np.pi * carrier * hertz * 2 ** (cents / 1200) * time + moved)
        return made


@dataclass(frozen=True)
class Plucked:
    """A string over a body. `body` are the resonances (Hz, amplitude) that a stroke wakes; `rattle` the share of the sitar's and the shamisen's buzz."""

    seconds: float = 5.0
    brightness: float = 0.5
    point: float = 0.18
    damping: float = 0.35
    body: tuple[tuple[float, float], ...] = ((105, 0.4), (205, 0.3), (390, 0.15))
    twins: float = 0.0  # cents to a second string
    rattle: float = 0.0

    def __call__(self, hertz: float, frames: int, velocity: float, rng: np.random.Generator) -> Samples:
        lasts = self.seconds * (261.6 / hertz) ** 0.5
        bright = self.brightness * (0.25 + 0.75 * velocity)
        made = plucked(hertz, frames, lasts, bright, self.point, rng, self.damping)
        made /= max(1e-6, float(np.sqrt(np.mean(made[: RATE // 4] ** 2)))) * 4
        if self.rattle:
            made += self.rattle * np.tanh(np.diff(made, prepend=np.float32(0)) * 6)
        if self.body:
            tone, size = (np.array(column, float) for column in zip(*self.body, strict=True))
            made += 0.12 * (0.3 + velocity) * ringing(tone, np.full(len(tone), 22.0), size, np.zeros(len(tone)), frames)
        if not self.twins:
            return made
        other = plucked(hertz * 2 ** (self.twins / 1200), frames, lasts, bright, self.point * 1.2, rng, self.damping)
        other /= max(1e-6, float(np.sqrt(np.mean(other[: RATE // 4] ** 2)))) * 4
        return np.stack([made + 0.5 * other, 0.5 * made + other])
