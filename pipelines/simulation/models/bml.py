"""Biham-Middleton-Levine: a town of one-way streets whose lights change each second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.drawing import kinds
from studio.api import Params, Picture, Preset, Series, Simulation, Source, ui

EAST, NORTH = 1, 2
COLOURS = ((28, 30, 36), (86, 156, 214), (231, 111, 121))


class BmlParams(Params):
    density: float = Field(0.33, ge=0.01, le=0.95, title="Density", description="Share of crossings with a car.", json_schema_extra=ui(step=0.005, live=True))
    size: int = Field(128, ge=8, le=1024, title="Town size", description="Streets in each direction; those that leave at one edge come back at the other.", json_schema_extra=ui(unit="streets"))
    east: float = Field(0.5, ge=0, le=1, title="Share going east", description="The others go north.", json_schema_extra=ui(step=0.05))


@dataclass
class Town:
    cells: NDArray[np.uint8]  # (size, size): 0, EAST or NORTH
    moved: float = 0.0  # share of cars that went in the last two half steps


class Bml(Simulation):
    """Cars going east try in even half steps, cars going north in odd ones: one cell on where it is free, all at once, on a torus. A step is both halves.

    Source: O. Biham, A. A. Middleton, D. Levine, Self-organization and a dynamical transition in traffic-flow models, Phys. Rev. A 46 (1992) R6124–R6127.
    """

    id: ClassVar[str] = "bml"
    title: ClassVar[str] = "Gridlock"
    domain: ClassVar[str] = "Traffic"
    about: ClassVar[str] = (
        "Blue cars go east and red cars go north, in turns as the lights allow. Below about a third of the crossings taken they sort themselves in stripes "
        "until nobody waits; a little above, a single jam grows across the town and all stand for ever. "
        "It is the simplest picture of how a street network breaks down at once."
    )
    Params: ClassVar[type[Params]] = BmlParams
    series: ClassVar[tuple[Series, ...]] = (Series("speed", "Mean speed", "cells/step"), Series("waiting", "Share of waiting cars"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Near the edge", {}, "Free flow or gridlock: which of both is up to chance."),
        Preset("Free flow", {"density": 0.25}, "Stripes in which nobody waits."),
        Preset("Gridlock", {"density": 0.55}, "One jam from corner to corner."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("O. Biham, A. A. Middleton, D. Levine, Self-organization and a dynamical transition in traffic-flow models, Phys. Rev. A 46 (1992) R6124–R6127", "https://doi.org/10.1103/PhysRevA.46.R6124"),
        Source("R. M. D'Souza, Coexisting phases and lattice dependence of a cellular automaton model for traffic flow, Phys. Rev. E 71 (2005) 066112", "https://doi.org/10.1103/PhysRevE.71.066112"),
    )
    duration: ClassVar[float] = 2000.0
    time_unit: ClassVar[str] = "steps"
    pace: ClassVar[float] = 30.0
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def init(self, params: BmlParams, rng: np.random.Generator) -> Town:
        cells = np.zeros(params.size**2, dtype=np.uint8)
        places = rng.permutation(cells.size)[: cars(params)]
        cells[places] = NORTH
        cells[places[: round(params.east * len(places))]] = EAST
        return Town(cells.reshape(params.size, params.size))

    def step(self, state: Town, params: BmlParams, rng: np.random.Generator) -> Town:
        count = np.count_nonzero(state.cells)
        gone = go(state.cells, EAST, axis=1, by=1) + go(state.cells, NORTH, axis=0, by=-1)
        state.moved = gone / count if count else 0.0
        return state

    def observe(self, state: Town, params: BmlParams) -> dict[str, float]:
        return {"speed": state.moved, "waiting": 1 - state.moved}

    def changed(self, state: Town, before: BmlParams, params: BmlParams, rng: np.random.Generator) -> Town:
        flat = state.cells.ravel()
        more = cars(params) - np.count_nonzero(flat)
        if more < 0:
            flat[rng.choice(np.flatnonzero(flat), -more, replace=False)] = 0
        elif more > 0:
            flat[rng.choice(np.flatnonzero(flat == 0), more, replace=False)] = np.where(rng.random(more) < params.east, EAST, NORTH)
        return state

    def poke(self, state: Town, params: BmlParams, x: float, y: float, rng: np.random.Generator) -> Town:
        """The cars near that place leave the town."""
        rows, columns = np.ogrid[: params.size, : params.size]
        state.cells[(rows - y * params.size) ** 2 + (columns - x * params.size) ** 2 < (params.size / 12) ** 2] = 0
        return state

    def render(self, state: Town, params: BmlParams) -> Picture:
        return kinds(state.cells, COLOURS, 384)


def go(cells: NDArray[np.uint8], who: int, *, axis: int, by: int) -> int:
    """All of that direction one on where the next cell is free, in place; gives how many."""
    going = (cells == who) & (np.roll(cells, -by, axis) == 0)
    cells[going] = 0
    cells[np.roll(going, by, axis)] = who
    return int(np.count_nonzero(going))


def cars(params: BmlParams) -> int:
    return max(1, round(params.density * params.size**2))
