"""What stands beside the cells of a grid's sheet: values by the name of their setting, in letters that the computer has."""

from __future__ import annotations

from typing import Any

from pipelines.image.axes import FIELDS, MATRIX, MATRIX_FIRST
from pipelines.image.params import ImageParams

MOST_LINES = 3  # of a label; what is longer is cut
NOTHING_ADDED = "(prompt alone)"


def label(axis: str, value: str) -> str:
    """A value as it stands beside its cells: "CFG scale: 7"; words and names of samplers and models speak for themselves, and what a matrix adds nothing to is told."""
    if axis in (MATRIX, MATRIX_FIRST) and not value:
        return NOTHING_ADDED
    field = FIELDS.get(axis, "")
    if not field or (ImageParams.model_fields[field].annotation is str):
        return value
    return f"{axis}: {value}"


def wrapped(text: str, width: float, font: Any) -> list[str]:
    """A label over a few lines of that many pixels, broken at blanks where there are some; the last line says where words are left out. [] for nothing."""
    lines: list[str] = []
    rest = text.strip()
    while rest and len(lines) < MOST_LINES - 1 and font.getlength(rest) > width:
        fits = next((end for end in range(len(rest) - 1, 1, -1) if font.getlength(rest[:end]) <= width), 1)
        blank = rest.rfind(" ", 1, fits + 1)
        cut = blank if blank > 0 else fits
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    while font.getlength(rest) > width and len(rest) > 1:
        rest = rest[:-2] + "…"
    return [*lines, rest] if rest else lines


def write(pen: Any, corner: tuple[int, int], lines: list[str], height: int, font: Any) -> None:
    """Lines below each other, each that many pixels high."""
    for number, line in enumerate(lines):
        pen.text((corner[0], corner[1] + number * height), line, font=font, fill="black")
