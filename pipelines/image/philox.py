"""Normal random numbers as a CUDA device makes them for `torch.randn(shape, device="cuda")`, on any computer: the noise of pictures that were made on NVIDIA's.

Philox 4×32 with ten rounds: the key is the seed, the counter (call, 0, element, 0); its first two numbers become one normal number by Box and Muller.
Alike for pictures whose latents have fewer elements than the device runs threads at once (all of Stable Diffusion's usual sizes).
Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011; Box and Muller, 1958, as cuRAND's documentation describes its use.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Words = np.ndarray[Any, np.dtype[np.uint32]]
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
LOW = np.uint64(0xFFFFFFFF)
SCALE = np.float32(2.0**-32)
TURN = np.float32(2.0**-32) * np.float32(2 * math.pi)


def philox(counter: Words, key: tuple[int, int]) -> Words:
    """Four numbers of 32 bits for each counter: [4, n] to [4, n]."""
    first, second, third, fourth = (counter[row].astype(np.uint64) for row in range(4))
    one, other = key
    for _ in range(ROUNDS):
        left, right = first * np.uint64(MULTIPLIERS[0]), third * np.uint64(MULTIPLIERS[1])
        first, third = (right >> np.uint64(32)) ^ second ^ np.uint64(one), (left >> np.uint64(32)) ^ fourth ^ np.uint64(other)
        second, fourth = right & LOW, left & LOW
        one, other = (one + WEYL[0]) & 0xFFFFFFFF, (other + WEYL[1]) & 0xFFFFFFFF
    return np.stack([first, second, third, fourth]).astype(np.uint32)


class Philox:
    """A generator of its own place in the sequence: each call goes on where the last one ended."""

    def __init__(self, seed: int) -> None:
        self.key = (seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF)
        self.calls = 0

    def normal(self, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """float32 of mean 0 and variance 1."""
        count = math.prod(shape)
        counter = np.zeros((4, count), np.uint32)
        counter[0] = self.calls
        counter[2] = np.arange(count, dtype=np.uint32)
        self.calls += 1
        words = philox(counter, self.key).astype(np.float32)
        radius = np.sqrt(np.float32(-2.0) * np.log(words[0] * SCALE + SCALE / 2))
        made = radius * np.sin(words[1] * TURN + TURN / 2)
        return made.reshape(shape).astype(np.float32)
