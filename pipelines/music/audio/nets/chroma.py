"""Which of the twelve pitch classes is loudest at each moment: what MusicGen Melody hears of a sound. Without torchaudio.

Source: Ellis, Chroma feature analysis and synthesis (2007), whose filters are a Gaussian bump a pitch class, octaves weighted around the fifth; settings of the MusicGen paper (2023), section 2.3.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

CENTRE_OCTAVE, OCTAVE_WIDTH = 5.0, 2.0
A440 = 440.0


def filters(rate: int, size: int, classes: int = 12) -> np.ndarray[Any, np.dtype[np.float64]]:
    """[classes, size / 2 + 1]: how much each bin of a transform of `size` samples counts for each pitch class, C first."""
    hertz = np.linspace(0, rate, size, endpoint=False)[1:]
    place = classes * np.log2(hertz / (A440 / 16))  # in pitch classes above the lowest A
    place = np.concatenate(([place[0] - 1.5 * classes], place))  # the constant part, an octave and a half below the first bin
    width = np.concatenate((np.maximum(np.diff(place), 1.0), [1.0]))
    half = round(classes / 2)
    distance = np.remainder(place[None] - np.arange(classes)[:, None] + half + 10 * classes, classes) - half
    bumps = np.exp(-0.5 * (2 * distance / width) ** 2)
    bumps /= np.maximum(np.sqrt((bumps**2).sum(0, keepdims=True)), 1e-12)
    bumps *= np.exp(-0.5 * ((place / classes - CENTRE_OCTAVE) / OCTAVE_WIDTH) ** 2)
    return np.roll(bumps, -3 * (classes // 12), axis=0)[:, : size // 2 + 1]


def loudest(samples: np.ndarray[Any, Any], rate: int, size: int = 16384, hop: int = 4096, classes: int = 12) -> torch.Tensor:
    """[1, frames, classes]: 1 at the loudest class of each frame, 0 elsewhere. `samples` are of one channel."""
    wave = torch.as_tensor(np.ascontiguousarray(samples), dtype=torch.float32)
    if (lack := size - len(wave)) > 0:
        wave = torch.nn.functional.pad(wave, (lack // 2, lack - lack // 2))
    window = torch.hann_window(size)
    spectrum = torch.stft(wave, size, hop, window=window, center=True, pad_mode="reflect", return_complex=True).abs() ** 2 / float((window**2).sum())
    bank = torch.from_numpy(filters(rate, size, classes)).float()
    chroma = bank @ spectrum
    return torch.nn.functional.one_hot((chroma / chroma.amax(0).clamp(min=1e-6)).argmax(0), classes).float()[None]


def part_from(samples: np.ndarray[Any, Any], rate: int, seconds: float, length: float) -> np.ndarray[Any, Any]:
    """`length` seconds from `seconds` on; a melody that ends begins again."""
    first, count = round(seconds * rate), math.ceil(length * rate)
    return np.take(samples, np.arange(first, first + count), mode="wrap") if first + count > len(samples) else samples[first : first + count]
