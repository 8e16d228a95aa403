"""Judging pictures without a network: which colour a thing has, which colour is behind it, how many things there are. numpy and scipy only."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from pipelines.image.training.tiny.captions import COLOURS

HUES = ("red", "orange", "yellow", "green", "blue", "purple", "pink")
FRAME = 5  # pixels at the border that show what is behind
APART = 40.0  # how far, of 441, a pixel's colour is from the background's to be part of a thing
LEAST_SHARE = 0.012  # of the picture's area: smaller spots are no things


def behind(picture: Any) -> Any:
    """The middle colour of the frame, float [3]. `picture` is uint8 [h, w, 3]."""
    inner = np.ones(picture.shape[:2], bool)
    inner[FRAME:-FRAME, FRAME:-FRAME] = False
    return np.median(picture[inner].astype(np.float32), axis=0)


def thing(picture: Any) -> Any:
    """bool [h, w]: the pixels that are not background."""
    return np.linalg.norm(picture.astype(np.float32) - behind(picture), axis=-1) > APART


def colour_of(picture: Any) -> str:
    """The colour word whose hue is nearest to the thing's own mean hue; "" where it has none."""
    hsv = np.asarray(Image.fromarray(picture).convert("HSV")).astype(np.float32) / 255
    weight = hsv[..., 1] * hsv[..., 2] * (hsv[..., 1] > 0.25) * thing(picture)
    if weight.sum() < 0.01 * weight.size:
        return ""
    hue = float(np.angle((weight * np.exp(2j * np.pi * hsv[..., 0])).sum()) / (2 * np.pi))
    return min(HUES, key=lambda word: abs((hue - COLOURS[word][2][0] + 0.5) % 1 - 0.5))


def background_of(picture: Any) -> str:
    """The colour word nearest to what is behind, white among them."""
    found = behind(picture)
    centres = {word: np.array(colorsys.hsv_to_rgb(*about[2])) * 255 for word, about in COLOURS.items()}
    return min(centres, key=lambda word: float(np.linalg.norm(centres[word] - found)))


def count_of(picture: Any) -> int:
    """Connected things, small gaps closed; spots are left out."""
    closed = ndimage.binary_closing(thing(picture), iterations=2)
    labels, found = ndimage.label(closed, structure=np.ones((3, 3)))
    return sum(int(size) >= LEAST_SHARE * closed.size for size in ndimage.sum_labels(closed, labels, range(1, found + 1))) if found else 0
