"""Nagel-Schreckenberg: a road as a row of cells, and jams out of nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.drawing import GROUND, ramp
from pipelines.simulation.jit import compiled
from studio.api import Params, Picture, Preset, Series, Simulation, Source, ui

ROWS, COLUMNS = 240, 400  # seconds and cells that the picture shows
CELL = 7.5  # metres


class NaschParams(Params):
    density: float = Field(0.15, ge=0.001, le=0.99, title="Density", description="Share of cells with a car; 1 would be 133 cars a kilometre.", json_schema_extra=ui(live=True, step=0.005, unit="cars/cell"))
    slowing: float = Field(0.25, ge=0, le=1, title="Dawdling p", description="How likely a driver goes one slower than possible, each second.", json_schema_extra=ui(live=True, step=0.01))
    fastest: int = Field(5, ge=1, le=20, title="Speed limit", description="5 cells a second are 135 km/h.", json_schema_extra=ui(live=True, unit="cells/s"))
    length: int = Field(1000, ge=10, le=1_000_000, title="Road length", description="A ring of cells of 7.5 m.", json_schema_extra=ui(unit="cells"))
    start: Literal["Scattered", "Evenly spaced", "One jam"] = Field("Scattered", title="At the start", description="How the cars stand.", json_schema_extra=ui(advanced=True))


@dataclass
class Road:
    """Cars in the order of the ring: cell and speed of each. `diagram` keeps the last seconds of the first cells: speed + 1, 0 where empty."""

    cells: NDArray[np.int64]
    speeds: NDArray[np.int64]
    diagram: NDArray[np.int8]
    time: int = 0
    driven: int = 0  # cells by all cars together


@compiled
def drive(cells, speeds, length, fastest, slowing, steps, diagram, time, rng):  # type: ignore[no-untyped-def]
    """`steps` seconds in place; gives the cells driven by all cars together."""
    count, driven = cells.shape[0], 0
    rows, columns = diagram.shape
    for step in range(steps):
        first = cells[0]
        for i in range(count):
            ahead = cells[i + 1] if i + 1 < count else first
            gap = ahead - cells[i] - 1
            if gap < 0:
                gap += length
            speed = min(speeds[i] + 1, fastest, gap)
            if speed > 0 and rng.random() < slowing:
                speed -= 1
            speeds[i] = speed
            driven += speed
            cell = cells[i] + speed
            cells[i] = cell - length if cell >= length else cell
        if steps - step <= rows:
            row = (time + step) % rows
            for column in range(columns):
                diagram[row, column] = 0
            for i in range(count):
                if cells[i] < columns:
                    diagram[row, cells[i]] = speeds[i] + 1
    return driven


class Nasch(Simulation):
    """Each second, all cars at once: v ← min(v + 1, v_max), v ← min(v, gap), v ← v − 1 with probability p, x ← x + v, on a ring.

    Source: K. Nagel, M. Schreckenberg, A cellular automaton model for freeway traffic, J. Phys. I France 2 (1992) 2221–2229.
    """

    id: ClassVar[str] = "nasch"
    title: ClassVar[str] = "Jams out of nothing"
    domain: ClassVar[str] = "Traffic"
    about: ClassVar[str] = (
        "Cars on a ring speed up when they can, brake when they must, and now and then a driver dawdles. Beyond a certain density that is enough for jams that wander backwards though nobody caused them. "
        "The picture is the road from left to right and time from top to bottom: red cars stand."
    )
    Params: ClassVar[type[Params]] = NaschParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("flow", "Flow", "cars/s"),
        Series("speed", "Mean speed", "cells/s"),
        Series("standing", "Share of standing cars"),
        Series("passed", "Cars past a point", "cars", "total"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Jams out of nothing", {}, "A little too dense, a little too human."),
        Preset("Free flow", {"density": 0.06}, "Room for everybody."),
        Preset("Perfect drivers", {"slowing": 0.0, "density": 1 / 6}, "Nobody dawdles: the road carries five sixths of a car a second."),
        Preset("One jam dissolves", {"start": "One jam", "density": 0.1}, "Cars leave a jam one by one."),
        Preset("Slow town", {"fastest": 1, "slowing": 0.5, "density": 0.5}, "One cell a second: the case that is solved exactly."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("K. Nagel, M. Schreckenberg, A cellular automaton model for freeway traffic, J. Phys. I France 2 (1992) 2221–2229", "https://doi.org/10.1051/jp1:1992277"),
        Source("M. Schreckenberg, A. Schadschneider, K. Nagel, N. Ito, Discrete stochastic models for traffic flow, Phys. Rev. E 51 (1995) 2939–2949", "https://doi.org/10.1103/PhysRevE.51.2939"),
    )
    duration: ClassVar[float] = 600.0
    pace: ClassVar[float] = 30.0
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def init(self, params: NaschParams, rng: np.random.Generator) -> Road:
        count = cars(params)
        if params.start == "Scattered":
            cells = np.sort(rng.choice(params.length, count, replace=False))
        elif params.start == "One jam":
            cells = np.arange(count)
        else:
            cells = np.arange(count) * params.length // count
        road = Road(cells.astype(np.int64), np.zeros(count, dtype=np.int64), np.zeros((ROWS, min(COLUMNS, params.length)), dtype=np.int8))
        road.diagram[-1, cells[cells < road.diagram.shape[1]]] = 1
        return road

    def step(self, state: Road, params: NaschParams, rng: np.random.Generator) -> Road:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Road, params: NaschParams, rng: np.random.Generator, steps: int) -> Road:
        state.driven += int(drive(state.cells, state.speeds, params.length, params.fastest, params.slowing, steps, state.diagram, state.time, rng))
        state.time += steps
        return state

    def observe(self, state: Road, params: NaschParams) -> dict[str, float]:
        mean = float(state.speeds.mean())
        return {"flow": mean * len(state.cells) / params.length, "speed": mean, "standing": float((state.speeds == 0).mean()), "passed": state.driven / params.length}

    def changed(self, state: Road, before: NaschParams, params: NaschParams, rng: np.random.Generator) -> Road:
        """More cars come into free cells, some leave when there are fewer."""
        more = cars(params) - len(state.cells)
        if more < 0:
            keep = np.sort(rng.choice(len(state.cells), cars(params), replace=False))
            state.cells, state.speeds = state.cells[keep], state.speeds[keep]
        elif more > 0:
            free = np.setdiff1d(np.arange(params.length), state.cells)
            cells = np.concatenate([state.cells, rng.choice(free, more, replace=False)])
            order = np.argsort(cells)  # the first car may be anywhere on the ring: any rotation of the order will do
            state.cells, state.speeds = cells[order], np.concatenate([state.speeds, np.zeros(more, dtype=np.int64)])[order]
        return state

    def poke(self, state: Road, params: NaschParams, x: float, y: float, rng: np.random.Generator) -> Road:
        """The car nearest to that place stops."""
        away = np.abs(state.cells - int(x * state.diagram.shape[1]))
        nearest = np.argmin(np.minimum(away, params.length - away))
        state.speeds[nearest] = 0
        if (cell := state.cells[nearest]) < state.diagram.shape[1]:
            state.diagram[(state.time - 1) % ROWS, cell] = 1
        return state

    def render(self, state: Road, params: NaschParams) -> Picture:
        shown = np.roll(state.diagram, -(state.time % ROWS), axis=0)
        colours = np.array([GROUND, *(ramp("growth")[np.linspace(90, 235, params.fastest + 1).astype(int)])], dtype=np.uint8)
        colours[1] = (231, 80, 70)
        picture = colours[np.minimum(shown, params.fastest + 1)]
        wide = max(1, COLUMNS // picture.shape[1])
        return np.ascontiguousarray(picture.repeat(2, axis=0).repeat(2 * wide, axis=1))


def cars(params: NaschParams) -> int:
    return max(1, round(params.density * params.length))
