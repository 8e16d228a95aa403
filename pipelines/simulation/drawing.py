"""Pictures of states by numpy and Pillow: fields in colours, ways, points. Colours are told from their numbers, for light and dark pages alike."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from studio.api import Numbers, Picture

GROUND = (24, 26, 32)
INK = (236, 238, 242)
# Distinct hues of like lightness, for kinds of things (cars, species, states)
KINDS = ((86, 156, 214), (244, 162, 97), (120, 190, 120), (231, 111, 121), (186, 140, 220), (233, 196, 106), (110, 200, 200), (180, 180, 180))
# Corner colours; between them straight lines in RGB
RAMPS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "heat": ((10, 8, 30), (80, 20, 90), (170, 40, 80), (235, 105, 50), (250, 190, 80), (255, 250, 220)),
    "sea": ((8, 16, 40), (14, 60, 110), (30, 120, 170), (90, 185, 200), (200, 235, 220), (255, 255, 245)),
    "growth": ((20, 20, 28), (30, 60, 50), (40, 120, 70), (120, 180, 80), (220, 220, 130), (255, 252, 220)),
    "balance": ((30, 70, 160), (120, 170, 220), (240, 240, 240), (230, 150, 110), (160, 40, 40)),
    "grey": ((16, 17, 20), (240, 240, 238)),
}


@lru_cache(maxsize=16)
def ramp(name: str) -> NDArray[np.uint8]:
    """(256, 3) colours from low to high."""
    corners = np.array(RAMPS[name], dtype=np.float64)
    at = np.linspace(0, len(corners) - 1, 256)
    return np.stack([np.interp(at, np.arange(len(corners)), corners[:, channel]) for channel in range(3)], axis=1).round().astype(np.uint8)


def field(values: NDArray, low: float, high: float, colours: str = "sea", least: int = 256) -> Picture:
    """(rows, columns) numbers in colours; each cell grows by whole pixels until the longer side has `least`."""
    scaled = np.clip((np.asarray(values, dtype=np.float32) - low) / max(high - low, 1e-12), 0, 1)
    return enlarged(ramp(colours)[(scaled * 255).astype(np.uint8)], least)


def kinds(cells: NDArray, colours: Sequence[tuple[int, int, int]], least: int = 256) -> Picture:
    """(rows, columns) whole numbers, each in its colour."""
    return enlarged(np.array(colours, dtype=np.uint8)[np.asarray(cells)], least)


def enlarged(picture: Picture, least: int) -> Picture:
    """By whole pixels."""
    times = max(1, -(-least // max(picture.shape[:2])))
    return np.ascontiguousarray(picture.repeat(times, axis=0).repeat(times, axis=1)) if times > 1 else picture


def smooth(picture: Picture, size: int = 480) -> Picture:
    """Enlarged between its pixels until the longer side has `size`: for fields that are smooth themselves."""
    height, width = picture.shape[:2]
    times = size / max(height, width)
    return np.asarray(Image.fromarray(picture).resize((round(width * times), round(height * times)), Image.Resampling.BICUBIC)) if times > 1 else picture


def canvas(width: int = 480, height: int = 360, colour: tuple[int, int, int] = GROUND) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A Pillow picture to draw on; `picture_of` gives it back."""
    image = Image.new("RGB", (width, height), colour)
    return image, ImageDraw.Draw(image)


def picture_of(image: Image.Image) -> Picture:
    return np.asarray(image, dtype=np.uint8)


def halved(image: Image.Image) -> Image.Image:
    """A drawing of twice the size, made smooth by the mean of every four pixels."""
    return image.reduce(2)


def way(points: Numbers, box: tuple[float, float, float, float], width: int = 480, height: int = 360, colours: str = "heat") -> Picture:
    """The way through (count, 2) points, older parts darker; `box` is (left, right, bottom, top) in the points' own numbers."""
    left, right, bottom, top = box
    x = (points[:, 0] - left) / (right - left) * (width - 20) + 10
    y = height - 10 - (points[:, 1] - bottom) / (top - bottom) * (height - 20)
    picture = np.full((height, width, 3), GROUND, dtype=np.uint8)
    if len(points):
        strokes(picture, np.column_stack([x, y]), ramp(colours)[60 + 170 * np.arange(1, len(points)) // len(points)])
        disc(picture, x[-1], y[-1], 3, INK)
    return picture


def strokes(picture: Picture, points: Numbers, colours: NDArray[np.uint8]) -> None:
    """Draws lines between (count, 2) pixel places into the picture, each (count − 1, 3) in its colour, later ones above; all at once, as Pillow takes ten times as long one by one.

    What is outside is left out, and so are places that are no numbers.
    """
    height, width = picture.shape[:2]
    start, end, kept = _within(points[:-1], points[1:], width - 1, height - 1)
    counts = np.abs(end - start).max(axis=1).astype(np.int64) + 1  # pixels of each line
    line = np.repeat(np.arange(len(counts)), counts)
    share = (np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)) / np.maximum(counts - 1, 1)[line]
    at = np.rint(start[line] + (end - start)[line] * share[:, None]).astype(np.int64)
    picture[at[:, 1], at[:, 0]] = colours[kept][line]


def _within(start: Numbers, end: Numbers, right: int, bottom: int) -> tuple[Numbers, Numbers, NDArray[np.int64]]:
    """(starts, ends, which) of the parts of lines between 0 and (right, bottom), in whole pixels. Source: Y.-D. Liang, B. A. Barsky, ACM Trans. Graph. 3 (1984) 1–22."""
    kept = np.flatnonzero(np.isfinite(start).all(axis=1) & np.isfinite(end).all(axis=1))
    start, end = start[kept], end[kept]
    across = end - start
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = -start / across, (np.array([right, bottom]) - start) / across
    enter, leave = np.minimum(low, high), np.maximum(low, high)
    still = across == 0
    inside = (start >= 0) & (start <= (right, bottom))
    enter = np.where(still, np.where(inside, 0.0, 2.0), enter).max(axis=1).clip(0, None)
    leave = np.where(still, 1.0, leave).min(axis=1).clip(None, 1)
    seen = enter <= leave
    start, across = start[seen], across[seen]
    return np.rint(start + across * enter[seen, None]), np.rint(start + across * leave[seen, None]), kept[seen]


def disc(picture: Picture, x: float, y: float, radius: float, colour: tuple[int, int, int]) -> None:
    """A filled circle around a pixel place, as much of it as is inside."""
    height, width = picture.shape[:2]
    if not (-radius - 1 < x < width + radius and -radius - 1 < y < height + radius):  # no number is not inside either
        return
    left, top = max(0, int(x - radius)), max(0, int(y - radius))
    part = picture[top : max(top, int(y + radius) + 2), left : max(left, int(x + radius) + 2)]
    down, across = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
    part[(across - x) ** 2 + (down - y) ** 2 <= (radius + 0.5) ** 2] = colour
