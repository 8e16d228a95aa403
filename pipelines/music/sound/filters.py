"""Filters as convolutions by blocks: linear, without a memory that could drift, and ready without scipy.signal, which takes most of a second to import.

Source: block convolution by overlap-add, T. Stockham, AFIPS 1966.
"""

from __future__ import annotations

import numpy as np

from pipelines.music.sound.files import Samples

TOGETHER = 4  # blocks: a processor's wide registers transform four as fast as two


def convolved(signal: Samples, spectrum: np.ndarray, taps: int) -> Samples:
    """(frames,) to (frames + taps - 1,). `spectrum` is a response's transform in single precision; what it holds beyond `taps` must be nothing."""
    from scipy.fft import irfft, rfft

    size = 2 * (len(spectrum) - 1)
    step = size - taps + 1
    made = np.zeros(len(signal) + taps - 1, np.float32)
    for first in range(0, len(signal), TOGETHER * step):
        given = signal[first : first + TOGETHER * step]
        parts = np.zeros((-(-len(given) // step), step), np.float32)
        parts.reshape(-1)[: len(given)] = given
        wet = irfft(rfft(parts, size, axis=1) * spectrum, size, axis=1, overwrite_x=True)
        for start, one in zip(range(first, len(signal), step), wet, strict=False):
            end = min(len(made), start + size)
            made[start:end] += one[: end - start]
    return made
