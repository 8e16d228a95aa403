"""Ink lines of a picture, and scribbles from soft edges. numpy and pillow alone, a strip at a time.

Sources: Winnemöller, Kyprianidis, Olsen, XDoG: an extended difference-of-Gaussians compendium, 2012; for the ridges of soft edges
Steger, An unbiased detector of curvilinear structures, 1998 (the direction across a line is the one in which it is most curved).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from pipelines.image.edges import ROWS, crest_of, joined, with_border

Grey = np.ndarray
Check = Callable[[], None]
SIDE = 512  # for a picture whose shorter side is so long the widths below are meant; they grow with it
INK, WIDER, KEPT, SLOPE = 1.0, 1.6, 0.995, 90.0  # XDoG's sigma, k, tau and phi
LEAST_INK = 0.7
RIDGE, STROKE = 1.6, 3  # sigma under which ridges are looked for, and how thick they are drawn


def ink(grey: Grey, threshold: float, check: Check = lambda: None) -> Grey:
    """[H, W] of 0 … 255 to how much ink is there, 0 … 1: where it is darker than its surroundings by more than `threshold`, and softly around that."""
    sigma = max(LEAST_INK, INK * min(grey.shape) / SIDE)
    border = _reach(WIDER * sigma)
    made = np.empty(grey.shape, np.float32)
    for top in range(0, len(grey), ROWS):
        check()
        wide = with_border(grey, top, border) / 255
        narrow, broad = blurred(wide, sigma, border), blurred(wide, WIDER * sigma, border)
        apart = narrow - KEPT * broad + threshold
        made[top : top + ROWS] = np.where(apart >= 0, 0, np.tanh(-SLOPE * apart))
    return made


def blurred(wide: Grey, sigma: float, border: int) -> Grey:
    """By a Gaussian; `wide` has so much border, which it loses."""
    reach = _reach(sigma)
    kernel = np.exp(-(np.arange(-reach, reach + 1, dtype=np.float32) ** 2) / (2 * sigma * sigma))
    kernel /= kernel.sum()
    height, width = (side - 2 * border for side in wide.shape)
    down = _weighted(lambda place: wide[border - reach + place : border - reach + place + height], kernel)
    return _weighted(lambda place: down[:, border - reach + place : border - reach + place + width], kernel)


def _weighted(part: Callable[[int], Grey], kernel: Grey) -> Grey:
    total = kernel[0] * part(0)
    for place, weight in enumerate(kernel[1:], 1):
        total += weight * part(place)
    return total


def _reach(sigma: float) -> int:
    return int(np.ceil(3 * sigma))


def scribble(soft: Grey, low: float, high: float, check: Check = lambda: None) -> Image.Image:
    """Soft edges [H, W] of 0 … 1 as strokes of one width, white on black: their ridges of at least `low` that a chain joins to one of at least `high`."""
    scale = min(soft.shape) / SIDE
    sigma = max(LEAST_INK, RIDGE * scale)
    strong, weak = np.zeros(soft.shape, bool), np.zeros(soft.shape, bool)
    border = _reach(sigma) + 1
    for top in range(0, len(soft), ROWS):
        check()
        smooth = blurred(with_border(soft, top, border), sigma, border - 1)  # with one pixel of border for the slopes
        ridge = _ridges(smooth)
        rows = slice(top, top + ROWS)
        strong[rows], weak[rows] = ridge & (smooth[1:-1, 1:-1] >= high), ridge & (smooth[1:-1, 1:-1] >= low)
    return _thick(joined(strong, weak, check), max(1, round(STROKE * scale)))


def _ridges(smooth: Grey) -> Grey:
    """Where it is at its highest in the direction in which it is most curved downwards, and all in all so curved: on the flank of a line that direction lies along it. One pixel less on each side."""
    middle = smooth[1:-1, 1:-1]
    across = smooth[1:-1, 2:] - 2 * middle + smooth[1:-1, :-2]
    down = smooth[2:, 1:-1] - 2 * middle + smooth[:-2, 1:-1]
    both = (smooth[2:, 2:] - smooth[2:, :-2] - smooth[:-2, 2:] + smooth[:-2, :-2]) / 4
    along = np.arctan2(2 * both, across - down) / 2  # of the larger curvature: the ridge's own direction
    return crest_of(smooth, -np.sin(along), np.cos(along)) & (across + down < 0)


def _thick(thin: Grey, width: int) -> Image.Image:
    """Round strokes of that width."""
    made = Image.fromarray(np.where(thin, np.uint8(255), np.uint8(0)))
    for _ in range(width // 2):
        made = made.filter(ImageFilter.MaxFilter(3))
    return made.filter(ImageFilter.GaussianBlur(width / 3)).point(lambda value: 255 if value > 96 else 0)
