"""Skeletons of persons, drawn as the pose ControlNets learned them: eighteen joints in OpenPose's order and colours. numpy and pillow alone.

Sources: Cao et al., OpenPose, 2019, for the order of joints (COCO's seventeen and a neck between the shoulders); Zhang et al., ControlNet, 2023,
for limbs as ellipses at 60 % of a joint's brightness, 4 pixels to each side in pictures of 512.
"""

from __future__ import annotations

import colorsys

import numpy as np
from PIL import Image, ImageDraw

Points = np.ndarray
JOINTS = ("nose", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow", "left wrist", "right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle",
          "right eye", "left eye", "right ear", "left ear")  # fmt: skip
FROM_COCO = (0, -1, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)  # which of COCO's seventeen each is; the neck is none
SHOULDERS = (5, 6)  # of COCO's
LIMBS = ((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17))
COLOURS = tuple(tuple(round(255 * part) for part in colorsys.hsv_to_rgb(number / 18, 1, 1)) for number in range(18))  # round the circle of hues, red first
DIM, THICK, SIDE = 0.6, 4, 512


def eighteen(person: Points) -> Points:
    """[17, 3] of COCO's x, y, sureness to [18, 3]; the neck is as sure as the less sure shoulder."""
    made = person[list(FROM_COCO)].astype(float)
    one, other = person[list(SHOULDERS)]
    made[1] = [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2, min(one[2], other[2])]
    return made


def drawn(persons: list[Points], size: tuple[int, int], least: float) -> Image.Image:
    """On black, `size` is (width, height). Joints [18, 3] of x, y in pixels and sureness; those under `least` are left out, with their limbs."""
    image = Image.new("RGB", size)
    draw = ImageDraw.Draw(image)
    thick = THICK * max(1.0, min(size) / SIDE)
    for person in persons:
        for (one, other), colour in zip(LIMBS, COLOURS, strict=False):
            if person[one, 2] >= least and person[other, 2] >= least:
                draw.polygon(_limb(person[one, :2], person[other, :2], thick), fill=_dimmed(colour))
    for person in persons:
        for (x, y, sure), colour in zip(person, COLOURS, strict=True):
            if sure >= least:
                draw.ellipse((x - thick, y - thick, x + thick, y + thick), fill=colour)
    return image


def _limb(one: Points, other: Points, thick: float) -> list[tuple[float, float]]:
    """An ellipse from joint to joint."""
    middle, along = (one + other) / 2, (other - one) / 2
    length = max(float(np.hypot(*along)), 1e-6)
    across = np.array([-along[1], along[0]]) / length * thick
    turns = np.linspace(0, 2 * np.pi, 48, endpoint=False)[:, None]
    return [(float(x), float(y)) for x, y in middle + np.cos(turns) * along + np.sin(turns) * across]


def _dimmed(colour: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(part * DIM) for part in colour)
