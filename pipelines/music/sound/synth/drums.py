"""General MIDI's drum keys, 27 … 87: skins and sticks of ringing partials, brushes and metal of noise. Nothing is sampled.

Sources: General MIDI System Level 1, percussion key map; N. Fletcher and T. Rossing, "The Physics of Musical Instruments" (partials of a
round membrane: 1, 1.59, 2.14, 2.30, 2.65, 2.92).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial

import numpy as np

from pipelines.music.sound.files import RATE, Samples
from pipelines.music.sound.synth.modal import coloured, falling, ringing

Drum = Callable[[float, np.random.Generator], Samples]
SKIN = np.array([1.0, 1.59, 2.14, 2.30, 2.65, 2.92])


def _frames(seconds: float) -> int:
    return int(seconds * RATE)


def _noise(seconds: float, low: float, high: float, fall: float, rng: np.random.Generator, slope: float = 0.0) -> Samples:
    frames = _frames(seconds)
    return coloured(frames, low, high, rng, slope) * falling(frames, fall)


def _sum(*parts: Samples) -> Samples:
    made = np.zeros(max(len(part) for part in parts), np.float32)
    for part in parts:
        made[: len(part)] += part
    return made


def _tone(start: float, end: float, bend: float, fall: float, amplitude: float = 1.0) -> Samples:
    """A sine that bends from one pitch to another in about `bend` seconds and falls by 60 dB in `fall`."""
    time = np.arange(_frames(fall), dtype=np.float64) / RATE
    phase = end * time + (start - end) * bend * (1 - np.exp(-time / bend))
    return (amplitude * np.sin(2 * np.pi * phase)).astype(np.float32) * falling(len(time), fall)


def kick(velocity: float, rng: np.random.Generator, deep: float = 50.0) -> Samples:
    return _sum(_tone(deep * (2.6 + 1.6 * velocity), deep, 0.022, 0.42), 0.30 * velocity * _noise(0.03, 900, 5000, 0.02, rng), _tone(deep * 9, deep * 3, 0.006, 0.04, 0.35 * velocity))


def snare(velocity: float, rng: np.random.Generator, pitch: float = 185.0, wires: float = 0.19) -> Samples:
    skin = ringing(pitch * SKIN, 6.9 / (0.22 / SKIN**0.7), np.array([1, 0.7, 0.45, 0.3, 0.25, 0.2]), np.zeros(6), _frames(0.3))
    return _sum(0.42 * skin, _tone(pitch * 1.7, pitch, 0.01, 0.12, 0.5), (0.16 + 0.20 * velocity) * _noise(0.42, 1200, 6500 + 5000 * velocity, wires, rng), 0.22 * velocity * _noise(0.02, 2500, 12_000, 0.012, rng))


def stick(velocity: float, rng: np.random.Generator, pitch: float = 1700.0, fall: float = 0.06) -> Samples:
    return _sum(ringing(pitch * np.array([1, 1.47, 2.21]), np.full(3, 6.9 / fall), np.array([0.8, 0.5, 0.3]), np.zeros(3), _frames(2 * fall)), 0.25 * _noise(0.02, 1500, 8000, 0.01, rng))


def clap(velocity: float, rng: np.random.Generator) -> Samples:
    made = np.zeros(_frames(0.4), np.float32)
    for start, size, fall in ((0, 0.02, 0.014), (0.011, 0.02, 0.014), (0.022, 0.02, 0.014), (0.032, 0.34, 0.24)):
        part = _noise(size, 800, 3500 + 2000 * velocity, fall, rng)
        made[_frames(start) : _frames(start) + len(part)] += 0.4 * part
    return made


def tom(velocity: float, rng: np.random.Generator, pitch: float = 110.0) -> Samples:
    fall = 0.75 * (110 / pitch) ** 0.4
    skin = ringing(pitch * SKIN, 6.9 / (fall * 0.6 / SKIN), np.array([0, 0.35, 0.25, 0.12, 0.12, 0.1]) * (0.4 + velocity), np.zeros(6), _frames(fall))
    return _sum(_tone(pitch * (1.3 + 0.5 * velocity), pitch, 0.04, fall, 0.75), skin, 0.12 * velocity * _noise(0.03, 600, 4000, 0.02, rng))


def metal(velocity: float, rng: np.random.Generator, low: float = 330.0, high: float = 11_000.0, fall: float = 1.0, count: int = 90, noise: float = 0.5, ping: float = 0.0) -> Samples:
    """A plate: many partials crowded towards the top, the higher ones dying sooner, over noise."""
    frames = _frames(fall * 1.15)
    hertz = np.sort(low * (high / low) ** rng.random(count) ** 0.6)
    lasts = fall * (0.35 + 0.65 * rng.random(count)) / (1 + hertz / 9000)
    amplitude = (0.35 + rng.random(count)) * (0.5 + 0.5 * velocity * (hertz / high) ** 0.4) / np.sqrt(count)
    rings = ringing(hertz, 6.9 / lasts, amplitude, 2 * np.pi * rng.random(count), frames)
    hiss = noise * 0.45 * (0.4 + 0.6 * velocity) * _noise(fall * 1.15, 2500, 14_000, fall * 0.8, rng)
    bow = ping * ringing(np.array([low * 9.7, low * 14.1]), np.full(2, 6.9 / (fall * 0.5)), np.array([0.5, 0.3]), np.zeros(2), frames)
    return _sum(rings, hiss, bow)


def bell(velocity: float, rng: np.random.Generator, ratios: tuple[float, ...] = (1.0, 1.48), pitch: float = 560.0, fall: float = 0.35) -> Samples:
    partials = pitch * np.array(ratios)
    return _sum(ringing(partials, np.full(len(ratios), 6.9 / fall), 0.7 / np.arange(1, len(ratios) + 1), np.zeros(len(ratios)), _frames(fall * 1.1)), 0.1 * velocity * _noise(0.02, 2000, 9000, 0.01, rng))


def shaken(velocity: float, rng: np.random.Generator, low: float = 4000.0, high: float = 12_000.0, seconds: float = 0.09, rise: float = 0.02) -> Samples:
    made = _noise(seconds * 1.4, low, high, seconds, rng)
    edge = _frames(rise)
    made[:edge] *= np.sin(np.linspace(0, np.pi / 2, edge, dtype=np.float32)) ** 2
    return 0.5 * made


def jingled(velocity: float, rng: np.random.Generator, fall: float = 0.25) -> Samples:
    return metal(velocity, rng, 3800, 13_000, fall, 40, 0.7)


def hand(velocity: float, rng: np.random.Generator, pitch: float = 300.0, fall: float = 0.2, slap: float = 0.2) -> Samples:
    skin = ringing(pitch * SKIN, 6.9 / (fall / SKIN), np.array([1, 0.45, 0.3, 0.15, 0.12, 0.1]), np.zeros(6), _frames(fall * 1.1))
    return _sum(0.8 * skin, slap * (0.3 + velocity) * _noise(0.03, 900, 6000, 0.018, rng))


def bent(velocity: float, rng: np.random.Generator, start: float, end: float, fall: float) -> Samples:
    return _tone(start, end, fall / 3, fall, 0.7) * np.minimum(1, np.arange(_frames(fall), dtype=np.float32) / _frames(0.012))


def scraped(velocity: float, rng: np.random.Generator, seconds: float = 0.12, often: float = 90.0) -> Samples:
    noise = _noise(seconds, 1800, 7000, seconds * 2.5, rng)
    time = np.arange(len(noise), dtype=np.float32) / RATE
    return 0.6 * noise * np.exp(-((time * often) % 1) * 4) * np.clip((seconds - time) * 60, 0, 1)


KEYS: dict[int, tuple[Drum, float, float]] = {  # key: how it is made, place -1 … 1, loudness
    27: (partial(bent, start=1800, end=300, fall=0.12), 0.0, 0.6),
    28: (partial(stick, pitch=900, fall=0.05), 0.0, 0.7),
    29: (partial(scraped, seconds=0.10, often=60), 0.2, 0.6),
    30: (partial(scraped, seconds=0.14, often=50), 0.2, 0.6),
    31: (partial(stick, pitch=2400, fall=0.03), 0.0, 0.6),
    32: (partial(stick, pitch=1900, fall=0.025), 0.0, 0.6),
    33: (partial(stick, pitch=1500, fall=0.03), 0.0, 0.6),
    34: (partial(bell, ratios=(1.0, 2.7), pitch=1500, fall=0.2), 0.0, 0.5),
    35: (partial(kick, deep=44), 0.0, 1.15),
    36: (kick, 0.0, 1.15),
    37: (stick, -0.05, 0.6),
    38: (snare, 0.05, 0.95),
    39: (clap, 0.1, 0.8),
    40: (partial(snare, pitch=215, wires=0.13), 0.05, 0.9),
    41: (partial(tom, pitch=72), 0.45, 1.0),
    43: (partial(tom, pitch=88), 0.3, 1.0),
    45: (partial(tom, pitch=108), 0.12, 0.95),
    47: (partial(tom, pitch=132), -0.05, 0.95),
    48: (partial(tom, pitch=162), -0.2, 0.9),
    50: (partial(tom, pitch=196), -0.35, 0.9),
    42: (partial(metal, low=1800, high=13_000, fall=0.085, count=50, noise=1.3), -0.3, 0.5),
    44: (partial(metal, low=1600, high=11_000, fall=0.06, count=50, noise=1.0), -0.3, 0.45),
    46: (partial(metal, low=1700, high=13_000, fall=0.75, count=60, noise=1.1), -0.3, 0.5),
    49: (partial(metal, low=420, fall=2.2), -0.5, 0.75),
    57: (partial(metal, low=360, fall=2.5), 0.5, 0.75),
    52: (partial(metal, low=300, high=9000, fall=1.6, noise=0.9), 0.45, 0.75),
    55: (partial(metal, low=700, high=13_000, fall=0.9), -0.2, 0.65),
    51: (partial(metal, low=480, fall=1.7, noise=0.18, ping=0.5), 0.4, 0.5),
    59: (partial(metal, low=430, fall=1.8, noise=0.2, ping=0.45), 0.45, 0.5),
    53: (partial(metal, low=620, fall=1.3, noise=0.08, ping=1.4, count=40), 0.4, 0.5),
    54: (jingled, 0.2, 0.5),
    56: (bell, 0.15, 0.55),
    58: (partial(scraped, seconds=0.35, often=28), 0.1, 0.6),
    60: (partial(hand, pitch=420, fall=0.14), 0.35, 0.8),
    61: (partial(hand, pitch=300, fall=0.18), 0.35, 0.85),
    62: (partial(hand, pitch=330, fall=0.07, slap=0.4), -0.35, 0.8),
    63: (partial(hand, pitch=260, fall=0.3), -0.35, 0.85),
    64: (partial(hand, pitch=190, fall=0.38), -0.35, 0.9),
    65: (partial(hand, pitch=360, fall=0.4, slap=0.35), 0.2, 0.8),
    66: (partial(hand, pitch=260, fall=0.45, slap=0.35), 0.2, 0.8),
    67: (partial(bell, ratios=(1.0, 1.51, 2.7), pitch=950, fall=0.3), 0.4, 0.5),
    68: (partial(bell, ratios=(1.0, 1.51, 2.7), pitch=640, fall=0.34), 0.4, 0.5),
    69: (partial(shaken, low=3500, seconds=0.10, rise=0.03), -0.3, 0.55),
    70: (partial(shaken, low=5000, seconds=0.05, rise=0.008), -0.4, 0.5),
    71: (partial(bent, start=2300, end=2450, fall=0.16), 0.3, 0.4),
    72: (partial(bent, start=2250, end=2100, fall=0.45), 0.3, 0.4),
    73: (partial(scraped, seconds=0.07, often=110), 0.25, 0.6),
    74: (partial(scraped, seconds=0.30, often=75), 0.25, 0.6),
    75: (partial(stick, pitch=2500, fall=0.07), 0.25, 0.6),
    76: (partial(stick, pitch=1150, fall=0.08), -0.25, 0.65),
    77: (partial(stick, pitch=800, fall=0.09), -0.25, 0.65),
    78: (partial(bent, start=480, end=640, fall=0.14), 0.3, 0.6),
    79: (partial(bent, start=560, end=360, fall=0.26), 0.3, 0.6),
    80: (partial(bell, ratios=(1.0, 1.61, 2.4, 3.1), pitch=2300, fall=0.12), -0.4, 0.4),
    81: (partial(bell, ratios=(1.0, 1.61, 2.4, 3.1), pitch=2300, fall=1.6), -0.4, 0.4),
    82: (partial(shaken, low=4500, seconds=0.08, rise=0.015), -0.2, 0.55),
    83: (partial(jingled, fall=0.5), 0.2, 0.45),
    84: (partial(metal, low=2500, high=12_000, fall=2.0, count=36, noise=0.05), 0.1, 0.5),
    85: (partial(stick, pitch=1300, fall=0.05), 0.1, 0.6),
    86: (partial(tom, pitch=82), 0.1, 0.7),
    87: (partial(tom, pitch=74), 0.1, 0.95),
}
CHOKED_BY = {46: (42, 44, 46), 81: (80,), 79: (78,), 72: (71,), 74: (73,)}  # the left one is cut short by any of the right ones


def nearest(key: int) -> int:
    """The drum that a key without one is played by."""
    return key if key in KEYS else min(KEYS, key=lambda other: (abs(other - key), other))


def drum(key: int, velocity: float) -> Samples:
    """(2, frames): one stroke, `velocity` 0 … 1."""
    make, place, loudness = KEYS[key]
    made = make(velocity, np.random.default_rng(zlib.crc32(b"drum %d" % key)))
    edge = min(len(made), 24)  # half a millisecond: a stroke may begin at once, but not with a click of the reckoning
    made[:edge] *= np.sin(np.linspace(0, np.pi / 2, edge, dtype=np.float32)) ** 2
    end = min(len(made), 600)
    made[-end:] *= np.linspace(1, 0, end, dtype=np.float32)
    hill = np.hanning(len(made) + 2)[1:-1].astype(np.float32)
    made -= hill * (made.sum() / hill.sum())  # what a bent tone leaves of pressure
    angle = (place * 0.8 + 1) * np.pi / 4
    return np.stack([np.cos(angle) * made, np.sin(angle) * made]).astype(np.float32) * np.float32(loudness * 1.4142)
