"""The last stage: nothing is louder than the ceiling, and quiet places are not touched.

A limiter that looks ahead: the gain that each moment needs is held over the time around it, comes back slowly, and is smoothed by an average as
long as what it was held for, so it is there before the peak is. Source: D. Giannoulis, M. Massberg, J. Reiss, "Digital Dynamic Range Compressor
Design", J. Audio Eng. Soc. 60 (6), 2012.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.music.sound.files import RATE, Samples, loudest

Array = np.ndarray[Any, np.dtype[Any]]
CEILING = 10 ** (-1 / 20)  # -1 dB: what encoders make of it stays below full scale
BLOCK = 32  # frames of one value of the gain before it is smoothed
AHEAD = 7  # blocks on each side, about 5 ms
NOTHING = 1e-5  # of the gain, too little to be taken
RELEASE = 0.12  # seconds in which it comes back by e


def gain_for(samples: Samples, ceiling: float = CEILING, around: bool = False) -> Samples:
    """(frames,): what to multiply all channels of (channels, frames) by. `around`: the end is followed by the beginning, as in a loop."""
    frames = samples.shape[1]
    if loudest(samples) <= ceiling:
        return np.ones(frames, np.float32)
    peaks = np.maximum(samples.max(axis=0), -samples.min(axis=0))
    lead = min(frames, int(1.5 * RATE)) if around else 0
    if around:
        peaks = np.concatenate([peaks[-lead:], peaks, peaks[:lead]])
    blocks = -(-len(peaks) // BLOCK)
    highest = np.pad(peaks, (0, blocks * BLOCK - len(peaks))).reshape(blocks, BLOCK).max(axis=1)
    wanted = np.minimum(1.0, ceiling / np.maximum(highest.astype(np.float64), 1e-9))
    smooth = _smoothed(_released(_lowest(wanted, AHEAD + 1)), AHEAD)
    return _between(smooth.astype(np.float32))[lead : lead + frames]


def _between(values: Samples) -> Samples:
    """(BLOCK · n,): straight lines from the middle of each block to the middle of the next, level at both ends."""
    share = (np.arange(BLOCK, dtype=np.float32) + np.float32(0.5)) / np.float32(BLOCK)
    lines = values[:-1, None] + np.diff(values)[:, None] * share
    return np.concatenate([np.full(BLOCK // 2, values[0]), lines.ravel(), np.full(BLOCK // 2, values[-1])])


def _lowest(values: Array, reach: int) -> Array:
    """The least of each value and its neighbours on both sides."""
    padded = np.pad(values, reach, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).min(axis=1)


def _released(values: Array) -> Array:
    """It may fall at once and rises slowly: what is taken falls by e every RELEASE, or is what must be taken now, if that is more.

    Divided by the falling curve that is a running maximum, which needs no loop; in logarithms, for the curve gets very small.
    """
    curve = np.arange(len(values)) * (-BLOCK / (RELEASE * RATE))
    taken = np.exp(np.maximum.accumulate(np.log(np.maximum(1 - values, 1e-12)) - curve) + curve)
    return np.minimum(values, np.where(taken > NOTHING, 1 - taken, 1.0))


def _smoothed(values: Array, reach: int) -> Array:
    padded = np.pad(values, reach, mode="edge")
    return np.convolve(padded, np.full(2 * reach + 1, 1 / (2 * reach + 1)), "valid")
