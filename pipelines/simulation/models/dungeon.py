"""Caves by a cellular automaton, joined so that every place can be reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.drawing import enlarged, ramp
from pipelines.simulation.jit import compiled
from studio.api import Params, Picture, Preset, Series, Simulation, Source, ui

ROCK, FLOOR = 1, 0


class DungeonParams(Params):
    rock: float = Field(0.48, ge=0.05, le=0.9, title="Rock at the start", description="Share of places that begin as rock, at random.", json_schema_extra=ui(step=0.01))
    passes: int = Field(4, ge=0, le=30, title="Passes", description="How often the rock is smoothed.")
    threshold: int = Field(5, ge=1, le=9, title="Rock where", description="So many of the nine places, its own and its neighbours', at least are rock.", json_schema_extra=ui(unit="places"))
    size: int = Field(80, ge=16, le=400, title="Size of the map", description="Places in each direction.", json_schema_extra=ui(unit="places"))
    smallest: int = Field(12, ge=1, le=500, title="Smallest cave", description="Smaller ones are filled.", json_schema_extra=ui(advanced=True, unit="places"))
    width: int = Field(1, ge=1, le=5, title="Width of tunnels", description="Of those that join the caves.", json_schema_extra=ui(advanced=True, unit="places"))


@dataclass
class Cave:
    places: NDArray[np.uint8]  # (size, size)
    time: int = 0
    tunnels: int = 0


@compiled
def label(places, labels):  # type: ignore[no-untyped-def]
    """Numbers each cave (four neighbours) from 1 on; gives how many there are."""
    size, count = places.shape[0], 0
    stack = np.empty(size * size, dtype=np.int64)
    labels[:] = 0
    for start in range(size * size):
        if places[start // size, start % size] != 0 or labels[start // size, start % size] != 0:
            continue
        count += 1
        labels[start // size, start % size] = count
        stack[0], top = start, 1
        while top > 0:
            top -= 1
            row, column = stack[top] // size, stack[top] % size
            for way in range(4):
                r, c = row + (way == 0) - (way == 1), column + (way == 2) - (way == 3)
                if 0 <= r < size and 0 <= c < size and places[r, c] == 0 and labels[r, c] == 0:
                    labels[r, c] = count
                    stack[top] = r * size + c
                    top += 1
    return count


@compiled
def nearest(mine, others):  # type: ignore[no-untyped-def]
    """Which two of the places (n, 2) and (m, 2) are nearest to each other."""
    best, here, there = 1 << 60, 0, 0
    for i in range(mine.shape[0]):
        for j in range(others.shape[0]):
            apart = (mine[i, 0] - others[j, 0]) ** 2 + (mine[i, 1] - others[j, 1]) ** 2
            if apart < best:
                best, here, there = apart, i, j
    return here, there


class Dungeon(Simulation):
    """Rock at random; each pass a place becomes rock where at least the threshold of nine places, its own and its neighbours', are rock (beyond the edge all is).
    Then small caves are filled and each step one tunnel joins the smallest cave to its nearest.

    Source: L. Johnson, G. N. Yannakakis, J. Togelius, Cellular automata for real-time generation of infinite cave levels, Proc. PCGames (2010).
    """

    id: ClassVar[str] = "dungeon"
    title: ClassVar[str] = "Caves to explore"
    domain: ClassVar[str] = "Game worlds"
    about: ClassVar[str] = (
        "Chance strews rock, and a few rounds of a simple rule smooth it to caves. What is too small is filled, and tunnels are dug until every place can be "
        "reached from every other, so that no game made on it can get stuck. "
        "Each seed is another map; click to dig."
    )
    Params: ClassVar[type[Params]] = DungeonParams
    series: ClassVar[tuple[Series, ...]] = (Series("rock", "Share of rock"), Series("caves", "Caves apart", "caves"), Series("floor", "Floor", "places"), Series("tunnels", "Tunnels", "tunnels", "total"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Caves", {}, "Winding rooms with tunnels between."),
        Preset("Johnson's", {"rock": 0.5}, "Half rock, four passes, a threshold of five: as published."),
        Preset("Open land", {"rock": 0.4}, "One wide cave with pillars."),
        Preset("Many chambers", {"rock": 0.53, "passes": 3, "size": 120}, "Small rooms, long tunnels."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("L. Johnson, G. N. Yannakakis, J. Togelius, Cellular automata for real-time generation of infinite cave levels, Proc. 2010 Workshop on Procedural Content Generation in Games", "https://doi.org/10.1145/1814256.1814266"),
    )
    duration: ClassVar[float] = 60.0
    time_unit: ClassVar[str] = "passes"
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def init(self, params: DungeonParams, rng: np.random.Generator) -> Cave:
        return Cave((rng.random((params.size, params.size)) < params.rock).astype(np.uint8))

    def step(self, state: Cave, params: DungeonParams, rng: np.random.Generator) -> Cave:
        state.time += 1
        if state.time <= params.passes:
            state.places = (rocks_around(state.places) + state.places >= params.threshold).astype(np.uint8)
        else:
            join(state, params)
        return state

    def observe(self, state: Cave, params: DungeonParams) -> dict[str, float]:
        floor = int(np.count_nonzero(state.places == FLOOR))
        return {"rock": 1 - floor / state.places.size, "caves": float(label(state.places, np.empty(state.places.shape, dtype=np.int64))), "floor": floor, "tunnels": state.tunnels}

    def poke(self, state: Cave, params: DungeonParams, x: float, y: float, rng: np.random.Generator) -> Cave:
        """A room is dug there; if it is apart, the next steps join it."""
        dig(state.places, y * params.size, x * params.size, params.size / 30)
        return state

    def render(self, state: Cave, params: DungeonParams) -> Picture:
        """Caves each in a shade, rock the darker the deeper."""
        labels = np.empty(state.places.shape, dtype=np.int64)
        count = label(state.places, labels)
        around = rocks_around(state.places)
        walls = ramp("grey")[np.where(around == 8, 12, 60 + 6 * (8 - around))]
        floor = ramp("heat")[(215 - 70 * (labels - 1) / max(count - 1, 1)).astype(np.uint8)] * np.array([0.92, 0.85, 0.8])
        return enlarged(np.where((state.places == ROCK)[..., None], walls, floor).astype(np.uint8), 400)


def rocks_around(places: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of the eight neighbours, how many are rock."""
    padded, size = np.pad(places, 1, constant_values=ROCK), places.shape[0]
    square = sum((padded[down : down + size, across : across + size] for down in range(3) for across in range(3)), np.zeros_like(places))
    return (square - places).astype(np.uint8)


def join(state: Cave, params: DungeonParams) -> None:
    """Fills caves that are too small, except the largest; then one tunnel from the smallest to the place nearest to it."""
    labels = np.empty(state.places.shape, dtype=np.int64)
    count = label(state.places, labels)
    if count < 2:
        return
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    small = np.flatnonzero(sizes < params.smallest) + 1
    small = small[small != np.argmax(sizes) + 1]
    state.places[np.isin(labels, small)] = ROCK
    kept = np.setdiff1d(np.arange(1, count + 1), small)
    if len(kept) < 2:
        return
    least = kept[np.argmin(sizes[kept - 1])]
    mine, others = np.argwhere(labels == least), np.argwhere((labels > 0) & (labels != least) & (state.places == FLOOR))
    here, there = nearest(mine, others)
    for share in np.linspace(0, 1, 4 * state.places.shape[0]):
        row, column = (1 - share) * mine[here] + share * others[there] + 0.5
        dig(state.places, row, column, 0.5 * params.width + 0.3)
    state.tunnels += 1


def dig(places: NDArray[np.uint8], row: float, column: float, radius: float) -> None:
    rows, columns = np.ogrid[: places.shape[0], : places.shape[1]]
    places[(rows + 0.5 - row) ** 2 + (columns + 0.5 - column) ** 2 <= radius**2] = FLOOR
