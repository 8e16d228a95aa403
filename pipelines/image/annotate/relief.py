"""What is made of a network's depth: a grey picture, and normals. numpy and pillow alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from pipelines.image.edges import ROWS, sobel, with_border

Grey = np.ndarray
RELIEF = 0.5  # how far the nearest stands out over the farthest, in shorter sides of the picture
FLAT = 1e-6  # rounding makes such differences


def nearness(told: Grey) -> Grey:
    """[H, W], large where it is near, to 0 (the farthest) … 1 (the nearest); what is all the same is all far."""
    low, high = float(told.min()), float(told.max())
    return (told - low) / (high - low) if high - low > FLAT * max(1.0, abs(high)) else np.zeros_like(told)


def grey_of(near: Grey) -> Image.Image:
    """Near is white, as depth ControlNets learned it."""
    return Image.fromarray(np.round(near * 255).astype(np.uint8)).convert("RGB")


def normals(near: Grey, relief: float, check: Callable[[], None] = lambda: None) -> Image.Image:
    """Which way each place faces, as ControlNets learned it: red to the left, green up, blue to the front; each from 0 (away) over 128 to 255.

    `relief` is how far the nearest stands out, in shorter sides of the picture.
    """
    made = np.empty((*near.shape, 3), np.uint8)
    height = relief * min(near.shape) / 8  # Sobel's operator gives eight times the slope
    for top in range(0, len(near), ROWS):
        check()
        across, down = sobel(with_border(near, top, 1) * height)
        length = np.sqrt(across**2 + down**2 + 1)
        made[top : top + ROWS] = np.round(127.5 + 127.5 * np.stack([across, down, np.ones_like(across)], -1) / length[..., None])
    return Image.fromarray(made)
