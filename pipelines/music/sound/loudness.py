"""How loud something is: ITU-R BS.1770-4's measure in LUFS, for stereo at 44,100 Hz.

Source: Recommendation ITU-R BS.1770-4 (10/2015): K-weighting, blocks of 400 ms every 100 ms, gates at -70 LUFS and 10 LU below the mean. Its filters are given
for 48 kHz; here they are designed anew for this rate from their analogue values (a shelf of 4 dB at 1,682 Hz, Q 0.7072; a high-pass at 38.1 Hz, Q 0.5003).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from pipelines.music.sound.files import RATE, Samples
from pipelines.music.sound.filters import convolved

Array = np.ndarray[Any, np.dtype[Any]]
SILENT = -70.0
SIZE = 2**14  # of the filters' transform
TAPS = RATE // 20  # what rings longer in them changes no loudness by 10^-8


def _filters() -> Array:
    """(2, 6) second-order sections, by the bilinear transform with the corner kept."""
    tangent, quality, gain = np.tan(np.pi * 1681.9745 / RATE), 0.7071752, 10 ** (3.9998439 / 20)
    shelf, root = 1 + tangent / quality + tangent**2, gain**0.4996667741545416
    first = [
        (gain + root * tangent / quality + tangent**2) / shelf, 2 * (tangent**2 - gain) / shelf, (gain - root * tangent / quality + tangent**2) / shelf,
        1, 2 * (tangent**2 - 1) / shelf, (1 - tangent / quality + tangent**2) / shelf,
    ]  # fmt: skip
    tangent, quality = np.tan(np.pi * 38.1354709 / RATE), 0.5003270
    whole = 1 + tangent / quality + tangent**2
    return np.array([first, [1, -2, 1, 1, 2 * (tangent**2 - 1) / whole, (1 - tangent / quality + tangent**2) / whole]])


FILTERS = _filters()


def weight(hertz: Array) -> Array:
    """The power that K-weighting lets through at each frequency."""
    return np.asarray(np.abs(_weighed(hertz)) ** 2)


def _weighed(hertz: Array) -> Array:
    turn = np.exp(-2j * np.pi * hertz / RATE)
    made = np.ones(len(hertz), complex)
    for section in FILTERS:
        made *= np.polyval(section[2::-1], turn) / np.polyval(section[:2:-1], turn)
    return made


@lru_cache(maxsize=1)
def _spectrum() -> Array:
    return _weighed(np.fft.rfftfreq(SIZE, 1 / RATE)).astype(np.complex64)


def integrated(samples: Samples) -> float:
    """LUFS of all of (channels, frames); SILENT where nothing passes the gate."""
    hop = RATE // 10
    blocks = samples.shape[1] // hop
    if blocks < 4:  # shorter than one block: taken as one
        samples = np.pad(samples, ((0, 0), (0, max(0, 4 * hop - samples.shape[1]))))
        blocks = 4
    power = np.zeros(blocks)
    for channel in samples:
        for start in range(0, blocks, 600):  # a minute at a time
            end = min(start + 600, blocks)
            lead = min(start, 1) * hop
            weighed = convolved(channel[start * hop - lead : end * hop], _spectrum(), TAPS)[lead : lead + (end - start) * hop].reshape(-1, hop)
            power[start:end] += np.einsum("ij,ij->i", weighed, weighed, dtype=np.float64) / hop
    power = np.convolve(power, np.full(4, 0.25), "valid")
    loud = power[power > 10 ** ((SILENT + 0.691) / 10)]
    if not len(loud):
        return SILENT
    loud = loud[loud > loud.mean() / 10]
    return float(-0.691 + 10 * np.log10(loud.mean()))
