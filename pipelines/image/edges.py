"""Canny's edges: thin, closed where they can be, of a picture of any size. numpy and pillow alone.

Source: Canny, A computational approach to edge detection, 1986.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

LOW, HIGH = 100.0, 200.0  # of the gradient by Sobel's operator, as they are usual for canny ControlNets
BLUR = 1.0
ROWS = 512  # looked at together, so that memory does not grow with the picture
Grey = np.ndarray


def canny_picture(image: Image.Image, low: float = LOW, high: float = HIGH, check: Callable[[], None] = lambda: None) -> Grey:
    """[H, W] with 255 on the edges of the picture's lightness. `check` is called between pieces of work, and may raise to stop."""
    grey = image.convert("L").filter(ImageFilter.GaussianBlur(BLUR))
    return canny(np.asarray(grey), low, high, check)


def canny(grey: Grey, low: float = LOW, high: float = HIGH, check: Callable[[], None] = lambda: None) -> Grey:
    """[H, W] with 255 on edges one pixel wide: along the gradient only its crest is kept, and of weak crests those that touch a strong one."""
    strong, weak = np.zeros(grey.shape, bool), np.zeros(grey.shape, bool)
    for top in range(0, len(grey), ROWS):
        check()
        rows = slice(top, top + ROWS)
        strong[rows], weak[rows] = _crests(with_border(grey, top, 2), low, high, top == 0, top + ROWS >= len(grey))
    return np.where(joined(strong, weak, check), np.uint8(255), np.uint8(0))


def with_border(grey: Grey, top: int, border: int) -> Grey:
    """The rows from `top` with `border` more on all sides, the picture's last ones repeated."""
    first, last = max(0, top - border), min(len(grey), top + ROWS + border)
    above, below = border - (top - first), max(0, min(top + ROWS, len(grey)) + border - last)
    return np.pad(grey[first:last].astype(np.float32), ((above, below), (border, border)), mode="edge")


def _crests(wide: Grey, low: float, high: float, first: bool, last: bool) -> tuple[Grey, Grey]:
    """Where the gradient is at its highest and at least `high`, and where at least `low`; `wide` has two pixels of border, beyond the picture there is no gradient."""
    across, down = sobel(wide)
    strength = np.hypot(across, down)
    strength[:, [0, -1]] = 0
    strength[[row for row, outside in ((0, first), (-1, last)) if outside]] = 0
    inner = (slice(1, -1), slice(1, -1))
    crest = crest_of(strength, across[inner], down[inner])
    return crest & (strength[inner] >= high), crest & (strength[inner] >= low)


def sobel(wide: Grey) -> tuple[Grey, Grey]:
    """The gradient to the right and down, one pixel less on each side."""
    top, middle, bottom = wide[:-2], wide[1:-1], wide[2:]
    smooth = top + 2 * middle + bottom
    return smooth[:, 2:] - smooth[:, :-2], (bottom[:, :-2] + 2 * bottom[:, 1:-1] + bottom[:, 2:]) - (top[:, :-2] + 2 * top[:, 1:-1] + top[:, 2:])


def crest_of(wide: Grey, across: Grey, down: Grey) -> Grey:
    """Where `wide` is larger than before it and not smaller than behind it, in the nearest of four directions to (across, down); it has one pixel of border more."""
    height, width = across.shape
    middle = wide[1:-1, 1:-1]
    turn = np.round(np.arctan2(down, across) / np.float32(np.pi / 4)).astype(np.int8) % 4
    found = np.zeros(across.shape, bool)
    for number, (rows, columns) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        before, behind = (wide[1 + sign * rows : 1 + sign * rows + height, 1 + sign * columns : 1 + sign * columns + width] for sign in (-1, 1))
        found |= (turn == number) & (middle > before) & (middle >= behind)
    return found


def joined(strong: Grey, weak: Grey, check: Callable[[], None] = lambda: None) -> Grey:
    """The strong ones, and the weak ones that a chain of weak ones joins to them: from each newly found one to its eight neighbours."""
    wide = np.pad(weak & ~strong, 1)
    left, found = wide.ravel(), np.pad(strong, 1)
    flat, row = found.ravel(), wide.shape[1]
    steps = np.array([-row - 1, -row, -row + 1, -1, 1, row - 1, row, row + 1])
    front = np.flatnonzero(flat)
    while front.size:
        check()
        near = (front[:, None] + steps).ravel()
        front = np.unique(near[left[near]])
        flat[front], left[front] = True, False
    return found[1:-1, 1:-1]
