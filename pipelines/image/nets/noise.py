"""Where a picture begins: noise of a seed, moved towards another seed, or placed as at another size.

Noise is drawn on the CPU and then moved, so that a seed gives the same noise on every device.
"""

from __future__ import annotations

from typing import Any

import torch

from pipelines.image.params import ImageParams


def generator(seed: int) -> Any:
    return torch.Generator("cpu").manual_seed(seed)


def starting_noise(params: ImageParams, seed: int, shape: tuple[int, int, int], factor: int) -> Any:
    """[1, C, h, w] for one seed. Shape is (channels, height, width) in latents."""
    channels, height, width = shape
    drawn = (channels, params.seed_height // factor or height, params.seed_width // factor or width)
    noise = torch.randn((1, *drawn), generator=generator(seed))
    if params.variation_strength:
        noise = slerp(params.variation_strength, noise, torch.randn((1, *drawn), generator=generator(params.variation_seed)))
    if drawn == shape:
        return noise
    return place(noise, torch.randn((1, *shape), generator=generator(seed)))


def slerp(share: float, low: Any, high: Any) -> Any:
    """Along the sphere, per picture; a straight line where the two are nearly parallel. Source: Shoemake, 1985."""
    one, other = low.flatten(1), high.flatten(1)
    cosine = (one / one.norm(dim=1, keepdim=True) * (other / other.norm(dim=1, keepdim=True))).sum(1)
    if float(cosine.abs().max()) > 0.9995:
        return low * (1 - share) + high * share
    angle = torch.acos(cosine)
    first, second = torch.sin((1 - share) * angle) / torch.sin(angle), torch.sin(share * angle) / torch.sin(angle)
    return first[:, None, None, None] * low + second[:, None, None, None] * high


def place(small: Any, large: Any) -> Any:
    """`small` in the middle of `large`, cut where it is larger."""
    height, width = min(small.shape[2], large.shape[2]), min(small.shape[3], large.shape[3])
    to_y, to_x = (large.shape[2] - height) // 2, (large.shape[3] - width) // 2
    of_y, of_x = (small.shape[2] - height) // 2, (small.shape[3] - width) // 2
    placed = large.clone()
    placed[:, :, to_y : to_y + height, to_x : to_x + width] = small[:, :, of_y : of_y + height, of_x : of_x + width]
    return placed
