"""What is made of a network's depth: a grey picture, and normals. numpy and pillow alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from pipelines.image.edges import ROWS, sobel, with_border

Grey = np.ndarray
RELIEF = 0.5  # how far the nearest stands out over the farthest, in shorter sides of the picture
FARTHEST = 1e-3  # of all distances: what is nearer to 0 is no distance


def nearness(told: Grey, far: bool) -> Grey:
    """[h, w] to 0 (the farthest) … 1 (the nearest). `far`: what is told are distances, whose inverse is taken as the other networks tell it; a flat one is all far."""
    near = 1 / np.maximum(told, FARTHEST * max(float(told.max()), FARTHEST)) if far else told
    low, high = float(near.min()), float(near.max())
    return (near - low) / (high - low) if high - low > 1e-6 * max(1.0, abs(high)) else np.zeros_like(near)


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
