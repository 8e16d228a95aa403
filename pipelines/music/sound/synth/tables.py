"""Things that sound as long as they are played: one period of their spectrum, bright and dark, read at the note's pitch.

A period holds only harmonics that fit below half the sampling rate, so nothing folds down. Both periods are mixed over time: what is blown
harder is brighter. Source: wavetable synthesis, R. Bristow-Johnson, "Wavetable Synthesis 101", AES Convention 101, 1996.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from pipelines.music.sound.files import RATE

SIZE = 4096
BETWEEN = 20  # bits of a cycle's 32 that lie between two of its places
HIGHEST = 0.45 * RATE
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Spectrum:
    """Harmonic k of a tone of f Hz has the amplitude k^-slope, × `even` where k is even, × the formants' gains at its frequency; `drawbars` are amplitudes by number instead.

    `bright` and `dark` are the cut-off frequencies of the two periods, in Hz, or in multiples of f where below 100. `formants` are (Hz, width in Hz, gain); `floor` is the gain between them.
    """

    slope: float = 1.0
    even: float = 1.0
    bright: float = 6000.0
    dark: float = 1500.0
    formants: tuple[tuple[float, float, float], ...] = ()
    floor: float = 1.0
    drawbars: tuple[tuple[float, float], ...] = ()  # (number of the harmonic, amplitude)


Waves = tuple[Array, Array, Array, Array]


@lru_cache(maxsize=512)
def periods(spectrum: Spectrum, hertz: float) -> Waves:
    """(SIZE,) each: the dark period, what the bright one has besides, and of both the way to the next place. Both periods are equally loud."""
    count = max(1, min(int(HIGHEST / hertz), SIZE // 4))
    number = np.arange(1, count + 1)
    amplitude = _amplitudes(spectrum, number)
    shaped = amplitude * _formants(spectrum, number * hertz)
    cut = [shaped / np.sqrt(1 + (number * hertz / _cut(limit, hertz)) ** 4) for limit in (spectrum.dark, spectrum.bright)]
    phases = _phases(cut[1])  # the same for both: while one goes over into the other, no harmonic may go out
    dark, bright = (_period(amplitudes, phases) for amplitudes in cut)
    dark, more = dark.astype(np.float32), (bright - dark).astype(np.float32)
    return dark, more, np.roll(dark, -1) - dark, np.roll(more, -1) - more


def _amplitudes(spectrum: Spectrum, number: Array) -> Array:
    if not spectrum.drawbars:
        return number**-spectrum.slope * np.where(number % 2 == 0, spectrum.even, 1.0)
    found = np.zeros(len(number))
    for harmonic, amplitude in spectrum.drawbars:
        if harmonic <= len(number):
            found[int(harmonic) - 1] += amplitude
    return found


def _cut(cut: float, hertz: float) -> float:
    return cut * hertz if cut < 100 else cut


def _formants(spectrum: Spectrum, hertz: Array) -> Array:
    gain = np.full(len(hertz), spectrum.floor)
    for centre, width, height in spectrum.formants:
        gain = gain + height / (1 + ((hertz - centre) / (width / 2)) ** 2)
    return gain


def _phases(amplitude: Array) -> Array:
    """Those that keep a wave's peaks low. Source: M. R. Schroeder, "Synthesis of low-peak-factor signals", IEEE Trans. Information Theory 16, 1970."""
    power = amplitude**2 / max(1e-12, float((amplitude**2).sum()))
    return -2 * np.pi * np.cumsum(np.cumsum(power))


def _period(amplitude: Array, phases: Array) -> Array:
    bins = np.zeros(SIZE // 2 + 1, complex)
    bins[1 : len(amplitude) + 1] = amplitude * np.exp(1j * phases)
    wave = np.fft.irfft(bins, SIZE)
    wave /= max(1e-12, float(np.sqrt(np.mean(wave**2))))
    return wave


def read(waves: Waves, turn: float, ahead: Array, first: int = 0) -> tuple[Array, Array]:
    """(n,) each: the dark period and what the bright one has besides, from frame `first` on; `turn` cycles a frame and `ahead` (n,) more, fewer than 128. Between two places of a period it is a straight line.

    Cycles are counted by 32 bits of a whole number, which go round by themselves: the first say which place, the others how far behind it.
    """
    phase = np.arange(first, first + len(ahead), dtype=np.uint32)
    phase *= np.uint32(round(turn * 2**32) % 2**32)
    phase += (ahead * np.float32(2**24)).astype(np.int32).view(np.uint32) << np.uint32(8)
    index = (phase >> np.uint32(BETWEEN)).astype(np.intp)
    phase &= np.uint32(2**BETWEEN - 1)
    share = phase.astype(np.float32)
    share *= np.float32(2.0**-BETWEEN)
    dark, more, dark_on, more_on = (wave.take(index, mode="clip") for wave in waves)
    dark_on *= share
    more_on *= share
    dark += dark_on
    more += more_on
    return dark, more
