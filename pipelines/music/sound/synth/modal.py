"""Things that are struck: sums of sinusoids that die away, all partials of a note in one product of matrices.

A partial is the real part of a·exp(s·n) with a complex s. Written as n = m·B + b it is exp(s·m·B)·exp(s·b): a column times a row. Summed over
partials that is a matrix product, so a hundred partials cost hardly more than ten.
Source: modal synthesis, J.-M. Adrien, "The Missing Link: Modal Synthesis", in Representations of Musical Signals, MIT Press 1991.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.music.sound.files import RATE, Samples

BLOCK = 512
HIGHEST = 0.45 * RATE  # partials above are left out: they would fold down
FAINTEST = 2e-5  # of the strongest partial
Array = np.ndarray[Any, np.dtype[Any]]


def ringing(hertz: Array, decay: Array, amplitude: Array, phase: Array, frames: int) -> Samples:
    """(frames,): the sum of partials, each a sine of `hertz` that begins with `phase` and falls by e every 1/decay seconds."""
    kept = (hertz < HIGHEST) & (hertz > 0) & (np.abs(amplitude) > FAINTEST * np.abs(amplitude).max())
    hertz, decay, amplitude, phase = hertz[kept], decay[kept], amplitude[kept], phase[kept]
    speed = (-decay + 2j * np.pi * hertz) / RATE
    left = _powers(speed * BLOCK, -(-frames // BLOCK)) * (-1j * amplitude * np.exp(1j * phase))[:, None]
    right = _powers(speed, BLOCK)
    one = np.concatenate([left.real, -left.imag]).astype(np.float32)
    two = np.concatenate([right.real, right.imag]).astype(np.float32)
    return (one.T @ two).reshape(-1)[:frames]


def _powers(speed: np.ndarray[Any, np.dtype[Any]], count: int) -> np.ndarray[Any, np.dtype[Any]]:
    """(partials, count): exp(speed · n), each half from the one before it: a product costs a twentieth of an exponential."""
    made = np.ones((len(speed), count), np.complex128)
    done = 1
    while done < count:
        size = min(done, count - done)
        made[:, done : done + size] = made[:, :size] * np.exp(speed * done)[:, None]
        done += size
    return made


def coloured(frames: int, low: float, high: float, rng: np.random.Generator, slope: float = 0.0) -> Samples:
    """(frames,): noise between two frequencies, with soft edges, `slope` dB an octave steeper; its RMS is 1. Deterministic by its generator."""
    size = 1 << max(4, (frames - 1).bit_length())
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    hertz[0] = hertz[1]
    gain = 1 / np.sqrt((1 + (low / hertz) ** 6) * (1 + (hertz / high) ** 6)) * (hertz / 1000) ** (slope / 6.02)
    gain[0] = 0
    spectrum = gain * np.exp(2j * np.pi * rng.random(len(hertz)))
    made = np.fft.irfft(spectrum, size)[:frames]
    return (made / max(1e-9, float(np.sqrt(np.mean(made**2))))).astype(np.float32)


def falling(frames: int, seconds: float) -> Samples:
    """(frames,): from 1, by 60 dB in `seconds`."""
    return np.exp(np.arange(frames, dtype=np.float32) * np.float32(-6.9078 / (seconds * RATE)))
