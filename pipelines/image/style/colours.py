"""Keeping a picture's own colours under a style, and how far apart two colours look.

Sources: Gatys, Bethge, Hertzmann, Shechtman, Preserving Color in Neural Artistic Style Transfer, 2016 (lightness only; matched statistics); CIE 15:2004 (L*a*b* of
sRGB's white D65); Sharma, Wu, Dalal, The CIEDE2000 Color-Difference Formula, 2005.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

Array = Any  # of floats
WHITE = np.array([0.95047, 1.0, 1.08883], np.float32)
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]], np.float32)
TO_RGB = np.linalg.inv(TO_XYZ.astype(np.float64)).astype(np.float32)
BEND = 6 / 29


@cache
def _linear() -> Array:
    """Of each byte of sRGB the light, 0 … 1."""
    told = np.arange(256) / 255
    return np.where(told <= 0.04045, told / 12.92, ((told + 0.055) / 1.055) ** 2.4).astype(np.float32)


@cache
def _bytes() -> Array:
    """Of light in steps of 1/16384 the byte of sRGB."""
    light = np.arange(16385) / 16384
    told = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(told * 255).astype(np.uint8)


def to_lab(pixels: Array) -> Array:
    """[…, 3] bytes of sRGB to L* a* b*."""
    xyz = _linear()[pixels] @ (TO_XYZ.T / WHITE)
    bent = np.where(xyz > BEND**3, np.cbrt(xyz), xyz / (3 * BEND**2) + np.float32(4 / 29))
    x, y, z = np.moveaxis(bent, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1).astype(np.float32)


def to_rgb(lab: Array) -> Array:
    """L* a* b* to bytes of sRGB; colours outside are moved towards their grey until they fit."""
    rgb = _light(lab)
    if (outside := ((rgb < -0.001) | (rgb > 1.001)).any(-1)).any():
        rgb[outside] = _light(_fitted(lab[outside]))
    return _bytes()[np.rint(rgb.clip(0, 1) * 16384).astype(np.int32)]


def _light(lab: Array) -> Array:
    y = (lab[..., 0] + 16) / 116
    bent = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], -1)
    return np.where(bent > BEND, bent**3, 3 * BEND**2 * (bent - np.float32(4 / 29))) @ (TO_RGB * WHITE).T


def _fitted(lab: Array) -> Array:
    """The most colour that sRGB has at this lightness and hue, by halving."""
    least, most = np.zeros(len(lab), np.float32), np.ones(len(lab), np.float32)
    keep = np.array([1, 0, 0], np.float32) + np.array([0, 1, 1], np.float32) * np.zeros((len(lab), 1), np.float32)
    for _ in range(6):
        middle = (least + most) / 2
        keep[:, 1:] = middle[:, None]
        rgb = _light(lab * keep)
        fits = ((rgb >= -0.001) & (rgb <= 1.001)).all(-1)
        least, most = np.where(fits, middle, least), np.where(fits, most, middle)
    keep[:, 1:] = least[:, None]
    return lab * keep


def difference(one: Array, other: Array) -> Array:
    """CIEDE2000 of […, 3] L* a* b*: about 1 is just seen, 5 is seen at a glance."""
    (l1, a1, b1), (l2, a2, b2) = (np.moveaxis(np.asarray(lab, np.float64), -1, 0) for lab in (one, other))
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    more = 1 + 0.5 * (1 - np.sqrt(chroma**7 / (chroma**7 + 25.0**7)))
    c1, c2 = np.hypot(a1 * more, b1), np.hypot(a2 * more, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1 * more)) % 360, np.degrees(np.arctan2(b2, a2 * more)) % 360
    grey = c1 * c2 == 0
    turn = np.where(grey, 0, (h2 - h1 + 180) % 360 - 180)
    turn = np.where((turn == -180) & (h2 > h1), 180, turn)
    hue = np.where(grey, h1 + h2, np.where(abs(h1 - h2) <= 180, (h1 + h2) / 2, (h1 + h2 + np.where(h1 + h2 < 360, 360, -360)) / 2))
    light, c = (l1 + l2) / 2, (c1 + c2) / 2
    weight = 1 - 0.17 * _cos(hue - 30) + 0.24 * _cos(2 * hue) + 0.32 * _cos(3 * hue + 6) - 0.20 * _cos(4 * hue - 63)
    in_light = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    in_chroma = (c2 - c1) / (1 + 0.045 * c)
    in_hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * c * weight)
    twist = -2 * np.sqrt(c**7 / (c**7 + 25.0**7)) * np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    return np.sqrt(in_light**2 + in_chroma**2 + in_hue**2 + twist * in_chroma * in_hue)


def _cos(degrees: Array) -> Array:
    return np.cos(np.radians(degrees))


LIGHTNESS, MATCHED = "Lightness only", "Matched"
SAMPLES = 300_000  # pixels that statistics are taken from
CELLS = 27  # along the longer side, whose mean colours become those of the picture
STEPS = np.linspace(0, 1, 257)
BAND = 60_000  # pixels that are changed at a time


def kept(content: Array, styled: Array, way: str, check: Callable[[], None] = lambda: None) -> Array:
    """`styled` with the colours of `content`, both [height, width, 3] of bytes.

    "Lightness only" takes hue and colourfulness from the content and spreads the style's lightness as the content's is spread; "Matched" spreads all three so. In both
    the mean colour of each neighbourhood becomes the content's: what the style adds is its strokes.
    """
    stride = math.ceil((styled.shape[0] * styled.shape[1] / SAMPLES) ** 0.5)
    own, new = to_lab(content[::stride, ::stride]), to_lab(styled[::stride, ::stride])
    curves = [_curve(new[..., part], own[..., part]) for part in range(1 if way == LIGHTNESS else 3)]
    shifts = [_means(own[..., part] - np.interp(new[..., part], *curve)) for part, curve in enumerate(curves)]
    made = np.empty_like(styled)
    rows = max(1, BAND // styled.shape[1])
    for top in range(0, len(styled), rows):
        check()
        made[top : top + rows] = to_rgb(_changed(content, styled, curves, shifts, slice(top, min(len(styled), top + rows))))
    return made


def _changed(content: Array, styled: Array, curves: list[tuple[Array, Array]], shifts: list[Image.Image], band: slice) -> Array:
    """L* a* b* of some rows."""
    new = to_lab(styled[band])
    height, width = styled.shape[:2]
    lab = to_lab(content[band]) if len(curves) == 1 else new.copy()
    for part, (curve, shift) in enumerate(zip(curves, shifts, strict=True)):
        box = (0, band.start * shift.height / height, shift.width, band.stop * shift.height / height)
        near = np.asarray(shift.resize((width, band.stop - band.start), Image.Resampling.BICUBIC, box=box))
        lab[..., part] = np.interp(new[..., part], *curve) + near
    lab[..., 0] = lab[..., 0].clip(0, 100)
    return lab


def _curve(values: Array, wanted: Array) -> tuple[Array, Array]:
    """Which value becomes which, so that both are spread alike: quantile for quantile."""
    known = np.quantile(values, STEPS) + np.arange(len(STEPS)) * 1e-6  # rising, for many may be the same
    return known, np.quantile(wanted, STEPS)


def _means(values: Array) -> Image.Image:
    """Of cells of the picture, as a small picture of floats."""
    height, width = values.shape
    cell = max(1, max(height, width) / CELLS)
    return Image.fromarray(values.astype(np.float32)).resize((max(1, round(width / cell)), max(1, round(height / cell))), Image.Resampling.BOX)
