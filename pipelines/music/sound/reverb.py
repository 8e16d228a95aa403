"""A room: convolution with a response that is made, not recorded. It is linear, so that each voice's share of it is that voice's alone.

The response is a few early reflections and noise that dies away, highs sooner than lows, different for both ears.
Sources: J. Moorer, "About This Reverberation Business", Computer Music Journal 3 (2), 1979 (noise that falls exponentially is what a hall's response sounds like);
block convolution by overlap-add, T. Stockham, AFIPS 1966.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from pipelines.music.sound.files import RATE, Samples
from pipelines.music.sound.filters import TOGETHER
from pipelines.music.sound.synth.modal import coloured

SECONDS = 1.8  # by 60 dB, at 500 Hz
LENGTH = int(1.5 * RATE)
BEFORE = int(0.014 * RATE)  # until the first reflection
BANDS = ((120.0, 350.0, 1.05), (350.0, 1200.0, 1.0), (1200.0, 3500.0, 0.72), (3500.0, 11_000.0, 0.42))  # lowest, highest, share of SECONDS
SIZE = 3 * 2**16  # of the blocks' transforms: the fastest for this length


@lru_cache(maxsize=1)
def response() -> Samples:
    """(2, LENGTH) for left and right. Its energy is 1 on each side."""
    rng = np.random.default_rng(11)
    time = np.arange(LENGTH, dtype=np.float32) / RATE
    made = np.zeros((2, LENGTH), np.float32)
    for low, high, share in BANDS:
        for side in made:
            side += coloured(LENGTH, low, high, rng) * np.exp(time * np.float32(-6.9078 / (SECONDS * share))) * np.float32(np.sqrt(1000 / (low + high)))
    made *= np.minimum(1, time / 0.03) ** 0.7  # it thickens
    for number in range(9):
        for side in made:
            place = BEFORE + int(rng.integers(int(0.055 * RATE)))
            side[place] += float(np.abs(side).max()) * 3.0 * 0.8**number * (1 if rng.random() < 0.5 else -1)
    made[:, :BEFORE] = 0
    made[:, -4410:] *= np.linspace(1, 0, 4410, dtype=np.float32)
    made -= made.mean(axis=1, keepdims=True) * np.linspace(2, 0, LENGTH, dtype=np.float32)  # no pressure is left standing
    made[:, :BEFORE] = 0
    return np.asarray(made / np.sqrt((made**2).sum(axis=1, keepdims=True)), np.float32)


@lru_cache(maxsize=1)
def _transformed() -> np.ndarray:
    from scipy.fft import rfft

    return np.asarray(rfft(response(), SIZE, axis=1))


def reverberated(samples: Samples, check: Callable[[], None], amount: float = 1.0) -> Samples:
    """(2, frames) to (2, frames + LENGTH - 1): what comes back from the room, `amount` times, without the sound itself. Both sides go into it together."""
    from scipy.fft import irfft, rfft

    made = np.zeros((2, samples.shape[1] + LENGTH - 1), np.float32)
    step = SIZE - LENGTH + 1
    starts = [start for start in range(0, samples.shape[1], step) if samples[:, start : start + step].any()]
    for group in (starts[first : first + TOGETHER] for first in range(0, len(starts), TOGETHER)):
        parts = np.zeros((len(group), step), np.float32)
        for part, start in zip(parts, group, strict=True):
            mono = samples[0, start : start + step] + samples[1, start : start + step]
            np.multiply(mono, np.float32(0.5 * amount), out=part[: len(mono)])
        spectra = rfft(parts, SIZE, axis=1)
        for side, answer in zip(made, _transformed(), strict=True):
            check()
            for wet, start in zip(irfft(spectra * answer, SIZE, axis=1, overwrite_x=True), group, strict=True):
                end = min(len(side), start + SIZE)
                side[start:end] += wet[: end - start]
    return made
