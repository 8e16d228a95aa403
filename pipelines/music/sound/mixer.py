"""Voices to one sound: volume, place and room of each, a loudness for all, a limiter, and stems that sum to the mix.

All that is done after a voice is made is linear or one gain for everything, so a stem is that voice's share of the mix, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

from pipelines.music.sound.files import RATE, Samples, loudest
from pipelines.music.sound.limiter import CEILING, gain_for
from pipelines.music.sound.loudness import SILENT, integrated
from pipelines.music.sound.reverb import reverberated

T = TypeVar("T")
AUTOMATIC = -2.0  # a place that is spread by itself
SPREAD = 0.45
QUIET = 10 ** (-66 / 20)  # below it the end is cut
POLE = 1 - 2 * np.pi * 8 / RATE  # of the filter that takes pressure out
PRESSURE = RATE // 2 + 1  # frames in which its response falls to 10^-11
ROW, ROWS = 1024, 64  # frames of a running sum, in which the curve falls to a third; rows that a processor holds near itself
FALL = float(POLE**ROW)
STILL = 1e-20  # what is carried on below it would end in numbers that processors are slow with
FADE = int(0.03 * RATE)
MOST_LIMITED = 8.0  # dB that the limiter may take from the highest peaks: a loudness that needs more is not reached


@dataclass(frozen=True)
class Mix:
    """By voice, missing ones are as they are: `programs` (-1 the piece's own, 128 the drum kit), `volumes` in dB, `pans` -1 … 1 or AUTOMATIC.

    `reverb` 0 … 1, `loudness` in LUFS; in a `loop` the end sounds into the beginning.
    """

    programs: tuple[int, ...] = ()
    volumes: tuple[float, ...] = ()
    pans: tuple[float, ...] = ()
    mutes: tuple[bool, ...] = ()
    solos: tuple[bool, ...] = ()
    reverb: float = 0.25
    loudness: float = -16.0
    loop: bool = False

    def sounds(self, number: int) -> bool:
        solo = any(self.solos)
        return not at(self.mutes, number, False) and (not solo or at(self.solos, number, False))

    def pan(self, number: int, count: int) -> float:
        """The first voices in the middle of few, the others alternating outwards."""
        told = at(self.pans, number, AUTOMATIC)
        if told != AUTOMATIC:
            return told
        return SPREAD * (2 * number / (count - 1) - 1) if count > 1 else 0.0


def at(values: Sequence[T], number: int, usual: T) -> T:
    return values[number] if number < len(values) else usual


def placed(samples: Samples, decibels: float, pan: float) -> Samples:
    """A stereo sound somewhere else: the side it moves away from gets quieter, what is there comes along. In the middle it is as it was."""
    volume = 10 ** (decibels / 20)
    angle = (pan + 1) * np.pi / 4
    left, right = np.sqrt(2) * np.cos(angle) * volume, np.sqrt(2) * np.sin(angle) * volume
    if pan == 0:
        return np.multiply(samples, np.float32(volume), order="C")
    kept, shared = 1 - abs(pan) / 2, abs(pan) / 2  # of its own width
    return np.array([[kept * left, shared * left], [shared * right, kept * right]], np.float32) @ samples


def without_pressure(samples: Samples) -> Samples:
    """Recorded samples often stand off zero, most of all short loops: what is below 8 Hz is taken out, by one pole. Half a second longer: so long it takes to be still.

    Recursion without a loop over frames: within a row of ROW frames it is a running sum of the signal over a falling curve, from row to row a single number.
    """
    rising, falling = _curves()
    frames = samples.shape[1] + PRESSURE - 1
    rows = -(-frames // ROW)
    made = np.zeros((len(samples), rows * ROW), np.float32)
    made[:, : samples.shape[1]] = samples
    below = np.zeros((ROWS, ROW + 1), np.float32)  # what lies below 8 Hz, before each frame, without what came from earlier rows
    for side in made:
        left = 0.0
        for first in range(0, rows, ROWS):
            part = side[first * ROW : (first + ROWS) * ROW].reshape(-1, ROW)
            low = below[: len(part)]
            np.cumsum(np.multiply(part, rising), axis=1, out=low[:, 1:])
            carried = np.empty((len(part), 1), np.float32)
            for number, total in enumerate(low[:, -1].tolist()):
                carried[number] = left
                left = (left + total) * FALL if abs(left) > STILL or total else 0.0
            part -= (low[:, :-1] + carried) * falling
    return made[:, :frames]


@lru_cache(maxsize=1)
def _curves() -> tuple[np.ndarray, np.ndarray]:
    """(ROW,) each: (1 - pole) · pole^-(n+1), and pole^n."""
    frame = np.arange(ROW)
    return ((1 - POLE) * POLE ** (-frame - 1.0)).astype(np.float32), (POLE**frame).astype(np.float32)


def roomed(samples: Samples, amount: float, check: Callable[[], None]) -> Samples:
    if not amount:
        return samples
    made = reverberated(samples, check, amount * 1.1)
    made[:, : samples.shape[1]] += samples
    return made


def folded(samples: Samples, frames: int) -> Samples:
    """A loop of `frames`: what sounds beyond its end sounds in its beginning, as often as it must."""
    if samples.shape[1] <= frames:
        return np.pad(samples, ((0, 0), (0, frames - samples.shape[1])))
    rounds = -(-samples.shape[1] // frames)
    whole = np.pad(samples, ((0, 0), (0, rounds * frames - samples.shape[1])))
    return np.asarray(whole.reshape(len(samples), rounds, frames).sum(axis=1), np.float32)


def end_of(samples: Samples, least: int) -> int:
    """Where nothing is heard any more, not before `least` frames."""
    frames, quiet = samples.shape[1], QUIET * max(1e-9, loudest(samples))
    for start in range(frames - frames % RATE, -1, -RATE):  # from the end: most of a piece need not be gone through
        heard = np.flatnonzero(np.abs(samples[:, start : start + RATE]).max(axis=0, initial=0.0) > quiet)
        if len(heard):
            return min(frames, max(least, start + int(heard[-1]) + FADE))
    return min(frames, least)


def fade(gain: Samples, least: int) -> None:
    """(frames,) goes out to nothing at its end, in place; before `least` only where nothing is left behind it."""
    rest = min(FADE, max(0, len(gain) - least)) or min(FADE, len(gain))
    gain[len(gain) - rest :] *= np.linspace(1, 0, rest, dtype=np.float32)


def master(mix: Samples, wanted: float, loop: bool) -> tuple[Samples, float]:
    """(frames,): the gain of each moment for mix and stems, and the mix's loudness with it. Silence stays silence."""
    level = integrated(mix)
    if level <= SILENT:
        return np.ones(mix.shape[1], np.float32), SILENT
    peak = loudest(mix)
    volume = min(10 ** ((wanted - level) / 20), CEILING / peak * 10 ** (MOST_LIMITED / 20))
    gain = gain_for(mix, CEILING / volume, around=loop)
    gain *= np.float32(volume)
    return gain, float(level + 20 * np.log10(volume))


def summed_whole(stems: Sequence[Samples], bits: int) -> list[np.ndarray]:
    """Stems in whole numbers that sum to the mix: what rounding takes from one is given to the next, so the sum is as exact as one of them."""
    most, left, made = 2 ** (bits - 1), np.zeros(stems[0].shape), []
    for stem in stems:
        exact = stem.astype(np.float64) * most + left
        whole = np.clip(np.rint(exact), -most, most - 1)
        left = exact - whole
        made.append(whole.astype(np.int32))
    return made
