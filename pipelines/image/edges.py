"""How a control picture is prepared: as it is, its edges, inverted, or its lightness. numpy and pillow alone."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter, ImageOps

LOW, HIGH = 100.0, 200.0  # of the gradient by Sobel's operator, as they are usual for canny ControlNets
BLUR = 1.0
Grey = np.ndarray


def prepared(image: Image.Image, process: str) -> Image.Image:
    """RGB, of the same size."""
    if process == "Canny":
        return Image.fromarray(canny(np.asarray(image.convert("L").filter(ImageFilter.GaussianBlur(BLUR)), np.float32))).convert("RGB")
    if process == "Invert":
        return ImageOps.invert(image.convert("RGB"))
    return image.convert("L").convert("RGB") if process == "Luminance" else image.convert("RGB")


def canny(grey: Grey, low: float = LOW, high: float = HIGH) -> Grey:
    """[H, W] with 255 on edges one pixel wide: along the gradient only its crest is kept, and of weak crests those that touch a strong one.

    Source: Canny, A computational approach to edge detection, 1986.
    """
    across, down = _sobel(grey)
    strength = np.hypot(across, down)
    crest = _crest(strength, across, down)
    return np.where(_joined(crest & (strength >= high), crest & (strength >= low)), 255, 0).astype(np.uint8)


def _sobel(grey: Grey) -> tuple[Grey, Grey]:
    wide = np.pad(grey, 1, mode="edge")
    top, middle, bottom = wide[:-2], wide[1:-1], wide[2:]
    smooth = top + 2 * middle + bottom
    return smooth[:, 2:] - smooth[:, :-2], (bottom[:, :-2] + 2 * bottom[:, 1:-1] + bottom[:, 2:]) - (top[:, :-2] + 2 * top[:, 1:-1] + top[:, 2:])


def _crest(strength: Grey, across: Grey, down: Grey) -> Grey:
    """Where the gradient is larger than before it and not smaller than behind it, in the nearest of four directions."""
    wide = np.pad(strength, 1)
    height, width = strength.shape
    turn = np.round(np.arctan2(down, across) / (np.pi / 4)).astype(int) % 4

    def at(rows: int, columns: int) -> Grey:
        return wide[1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]

    found = np.zeros(strength.shape, bool)
    for number, (rows, columns) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        found |= (turn == number) & (strength > at(-rows, -columns)) & (strength >= at(rows, columns))
    return found


def _joined(strong: Grey, weak: Grey) -> Grey:
    """The strong ones, and the weak ones that a chain of weak ones joins to them."""
    while True:
        wide = np.pad(strong, 1)
        grown = np.zeros_like(strong)
        for rows in (0, 1, 2):
            for columns in (0, 1, 2):
                grown |= wide[rows : rows + strong.shape[0], columns : columns + strong.shape[1]]
        grown = strong | (grown & weak)
        if (grown == strong).all():
            return grown
        strong = grown
