"""Plucked strings: a burst of noise that runs round a loop of one period and loses its highs at each turn.

Source: K. Karplus and A. Strong, "Digital Synthesis of Plucked-String and Drum Timbres", and D. Jaffe and J. Smith, "Extensions of the
Karplus-Strong Plucked-String Algorithm", both Computer Music Journal 7 (2), 1983: the tuned loop, the loss that fits a decay time, the comb of the plucking point.
"""

from __future__ import annotations

import math

import numpy as np

from pipelines.music.sound.files import RATE, Samples


def plucked(hertz: float, frames: int, seconds: float, brightness: float, point: float, rng: np.random.Generator, damping: float = 0.35) -> Samples:
    """(frames,): a string that falls by 60 dB in `seconds`; `brightness` 0 … 1 of the burst, `point` is where it is plucked as a share of its length, `damping` 0 … 0.5 of its highs at each turn.

    The loop is y[n] = g·(d·y[n-N+1] + (1-2d)·y[n-N] + d·y[n-N-1]), its delay brought to the period by a straight line between neighbours:
    both together are one filter of four taps, so a whole period is computed at once.
    """
    period = RATE / hertz
    whole = int(period)
    part = period - whole
    turned = 2 * math.pi * hertz / RATE
    loss = 10 ** (-3 / (seconds * hertz))  # at each turn, of the fundamental
    damping = min(damping, 0.05 + 0.004 * period, 0.9 * (1 - loss) / (1 - math.cos(turned))) / 2  # short strings would die at once
    smooth = np.array([damping, 1 - 2 * damping, damping])
    taps = np.convolve(smooth, [1 - part, part])  # of delays whole-1 … whole+2
    delays = np.arange(whole - 1, whole + 3)
    answer = complex((taps * np.exp(-1j * turned * delays)).sum())
    taps = taps * (loss / abs(answer))
    if abs(taps).sum() > 0.99999:  # no frequency may grow: the loop's gain is largest at 0 Hz, so the highest strings fall sooner than they are told
        taps *= 0.99999 / abs(taps).sum()
    made = np.zeros(frames + whole + 3, np.float64)
    start = whole + 3
    burst = _burst(whole, brightness, point, rng)
    made[start : start + len(burst)] = burst[: frames + whole + 3 - start]
    step = whole - 1
    for place in range(start, len(made), step):
        end = min(place + step, len(made))
        for tap, delay in zip(taps, delays, strict=True):
            made[place:end] += tap * made[place - delay : end - delay]
    return made[start : start + frames].astype(np.float32) if start + frames <= len(made) else np.pad(made[start:], (0, start + frames - len(made))).astype(np.float32)


def _burst(period: int, brightness: float, point: float, rng: np.random.Generator) -> np.ndarray:
    """One period of noise, softened, without what has a node where the string is plucked, and without a mean."""
    noise = rng.uniform(-1, 1, period)
    bins = np.fft.rfft(noise)
    number = np.arange(len(bins))
    flat = np.exp(1j * np.angle(bins))
    soft = 1 / (1 + (number / (1.5 + brightness * 26)) ** 2)
    bins = flat * soft * np.abs(np.sin(np.pi * number * point))
    bins[0] = 0
    made = np.fft.irfft(bins, period)
    return made / max(1e-9, float(np.abs(made).max()))
