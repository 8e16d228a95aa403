"""A crowd: people as dots in shares of a whole, and below it how the shares went."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from pipelines.simulation.charts import Chart, Colour, mixed, room_of, thinned, written
from pipelines.simulation.drawing import GROUND, canvas, picture_of
from studio.api import Numbers, Picture, caption

COLUMNS, ROWS = 60, 26
WELL: Colour = (86, 156, 214)
EXPOSED: Colour = (233, 196, 106)
ILL: Colour = (231, 111, 121)
RECOVERED: Colour = (110, 176, 128)


@lru_cache(maxsize=2)
def places(columns: int = COLUMNS, rows: int = ROWS) -> Numbers:
    """(columns · rows, 2) pixels and, as the order, who falls ill first: neighbours at random, the same in every picture."""
    chance = np.random.default_rng(7)
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2).astype(np.float64)
    return chance.permutation(grid * (460 / columns, 206 / rows) + (14, 14) + chance.uniform(-1.2, 1.2, grid.shape))


def crowd(shares: Sequence[float], colours: Sequence[Colour], names: Sequence[str], history: Numbers, across: str = "days") -> Picture:
    """`shares` (kinds,) sum to 1; `history` (count, 1 + kinds) holds time and shares. Kinds that are there at all have at least one dot."""
    image, draw = canvas()
    spots = places()
    counts = np.array([max(round(share * len(spots)), int(share > 0)) for share in shares])
    counts[counts.argmax()] += len(spots) - counts.sum()
    for (x, y), kind in zip(spots.tolist(), np.repeat(np.arange(len(counts)), counts).tolist(), strict=True):
        size = 2.9 if colours[kind] == ILL else 2.2
        draw.ellipse((x - size, y - size, x + size, y + size), fill=colours[kind])
    shown = thinned(history)
    chart = Chart(draw, (40, 246, 466, 322), (float(history[0, 0]), max(float(history[-1, 0]), 1.0), 0, 1)).axes(across)
    edges = np.concatenate([np.zeros((len(shown), 1)), np.cumsum(shown[:, 1:], axis=1)], axis=1)
    for number, colour in enumerate(colours):
        chart.area(shown[:, 0], edges[:, number], edges[:, number + 1], mixed(colour, GROUND, 0.85))
    at = 40.0
    for name, colour in zip(map(caption, names), colours, strict=True):
        draw.ellipse((at, 344, at + 8, 352), fill=colour)
        written(draw, (at + 13, 348), name, anchor="lm")
        at += 24 + room_of(name, 6.4)
    return picture_of(image)
