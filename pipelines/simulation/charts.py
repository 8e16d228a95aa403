"""Charts inside a model's picture: lines, areas, dots and bars between two axes, by Pillow. Numbers on the axes are round ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from PIL import ImageDraw

from pipelines.simulation.drawing import INK
from studio.api import Numbers, caption, font_for, is_latin

Colour = tuple[int, int, int]
FAINT: Colour = (62, 66, 76)
QUIET: Colour = (150, 154, 164)


def written(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, colour: Colour = QUIET, size: int = 11, anchor: str = "la") -> None:
    """Words in the language of the picture; those with values come from `caption` as they are to stand."""
    said = caption(text)
    draw.text(at, said, fill=colour, font=font_for([said], size), anchor=anchor)


def room_of(text: str, letter: float, size: int = 11) -> float:
    """Pixels that a text takes across: so many a Latin letter, others as they are."""
    return letter * len(text) if is_latin(text) else float(font_for([text], size).getlength(text))


def mixed(colour: Colour, ground: Colour, share: float) -> Colour:
    """`share` of the colour over the ground."""
    return tuple(round(share * over + (1 - share) * under) for over, under in zip(colour, ground, strict=True))  # type: ignore[return-value]


def round_numbers(low: float, high: float, most: int = 5) -> list[float]:
    """At most that many multiples of 1, 2 or 5 times a power of ten within the range."""
    span = max(high - low, 1e-12)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * times for times in (1, 2, 5, 10, 20) if span / (power * times) <= most)
    return [step * number for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def short(value: float) -> str:
    """12, 0.5, 20k, 3M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size or (abs(value) >= size and value % size == 0):
            return f"{value / size:g}{letter}"
    return f"{value:.4g}"


@dataclass(frozen=True)
class Chart:
    """`place` is (left, top, right, bottom) in pixels, `box` is (left, right, bottom, top) in the data's numbers."""

    draw: ImageDraw.ImageDraw
    place: tuple[float, float, float, float]
    box: tuple[float, float, float, float]

    def x(self, values: ArrayLike) -> Numbers:
        left, _, right, _ = self.place
        return left + (np.asarray(values, dtype=np.float64) - self.box[0]) / max(self.box[1] - self.box[0], 1e-12) * (right - left)

    def y(self, values: ArrayLike) -> Numbers:
        _, top, _, bottom = self.place
        kept = np.clip(np.asarray(values, dtype=np.float64), self.box[2], self.box[3])
        return bottom - (kept - self.box[2]) / max(self.box[3] - self.box[2], 1e-12) * (bottom - top)

    def axes(self, across: str = "", up: str = "", ticks: int = 5) -> Chart:
        left, top, right, bottom = self.place
        for value in round_numbers(self.box[2], self.box[3], max(2, int(bottom - top) // 36)):
            at = float(self.y(value))
            self.draw.line((left, at, right, at), fill=(40, 43, 51))
            written(self.draw, (left - 4, at), short(value), anchor="rm")
        for value in round_numbers(self.box[0], self.box[1], ticks):
            at = float(self.x(value))
            self.draw.line((at, bottom, at, bottom + 3), fill=FAINT)
            written(self.draw, (at, bottom + 4), short(value), anchor="ma")
        self.draw.line((left, bottom, right, bottom), fill=FAINT)
        written(self.draw, (right, bottom + 17), across, anchor="ra")
        written(self.draw, (left, top - 4), up, anchor="ls")
        return self

    def points(self, across: ArrayLike, up: ArrayLike) -> list[tuple[float, float]]:
        return list(zip(self.x(across).tolist(), self.y(up).tolist(), strict=True))

    def line(self, across: ArrayLike, up: ArrayLike, colour: Colour = INK, width: int = 2) -> Chart:
        if len(at := self.points(across, up)) > 1:
            self.draw.line(at, fill=colour, width=width, joint="curve" if width > 1 else None)
        return self

    def stairs(self, across: Sequence[float] | Numbers, up: Sequence[float] | Numbers, colour: Colour = INK, width: int = 2) -> Chart:
        """Each value holds until the next."""
        return self.line(np.repeat(across, 2)[1:], np.repeat(up, 2)[:-1], colour, width)

    def area(self, across: ArrayLike, low: ArrayLike, high: ArrayLike, colour: Colour) -> Chart:
        if len(at := [*self.points(across, high), *self.points(across, low)[::-1]]) > 3:
            self.draw.polygon(at, fill=colour)
        return self

    def dots(self, across: ArrayLike, up: ArrayLike, colour: Colour, radius: float = 2) -> Chart:
        for x, y in self.points(across, up):
            self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        return self

    def bars(self, across: ArrayLike, up: ArrayLike, colour: Colour, width: float) -> Chart:
        """`width` in the data's numbers."""
        base = float(self.y(max(0.0, self.box[2])))
        for x, left, right, y in zip(self.x(across), self.x(np.asarray(across) - width / 2), self.x(np.asarray(across) + width / 2), self.y(up), strict=True):
            if abs(base - y) >= 0.5 and x == x:
                self.draw.rectangle((left, min(y, base), max(right - 1, left), max(y, base)), fill=colour)
        return self

    def across(self, value: float, colour: Colour = QUIET, dash: float = 5) -> Chart:
        """A dashed level from left to right."""
        at, left, right = float(self.y(value)), self.place[0], self.place[2]
        for start in np.arange(left, right, 2 * dash):
            self.draw.line((start, at, min(start + dash, right), at), fill=colour)
        return self


def thinned(values: Numbers, most: int = 400) -> Numbers:
    """At most that many rows, first and last kept: what a picture can show."""
    return values if len(values) <= most else values[np.linspace(0, len(values) - 1, most).round().astype(int)]
