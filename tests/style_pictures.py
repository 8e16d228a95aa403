"""Pictures for the tests of styles: made by formulas, so that other programs can make the same."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipelines.image.style.blend import THUMBS


def waves(height: int, width: int) -> Any:
    """[height, width, 3] in 0 … 1: two waves and a chequered slope. The golden numbers of the style networks belong to it."""
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    squares = ((x * 8).astype(int) + (y * 6).astype(int)) % 2 * 0.6 + 0.2 * x
    return np.stack([0.5 + 0.5 * np.sin(9 * x + 4 * y), 0.5 + 0.5 * np.cos(7 * y * x * 3 + 1), squares], -1).astype(np.float32)


def picture(width: int, height: int) -> Image.Image:
    return Image.fromarray((waves(height, width) * 255).round().astype(np.uint8))


def painting(number: int = 12) -> Image.Image:
    """A small one with a photograph's shapes."""
    with Image.open(THUMBS / f"{number:02}.webp") as file:
        return Image.fromarray(np.asarray(file.convert("RGB")))


def encoded(image: Image.Image, kind: str = "PNG", **about: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **about)
    return file.getvalue()


def pixels(path: str | Path, mode: str = "RGB") -> Any:
    with Image.open(path) as file:
        return np.asarray(file.convert(mode)).astype(int)
