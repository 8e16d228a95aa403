"""Drossel-Schwabl: woods that grow, are struck by lightning, and burn at all sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.drawing import enlarged, ramp
from pipelines.simulation.jit import compiled
from studio.api import Params, Picture, Preset, Series, Simulation, Source, ui


class ForestFireParams(Params):
    growth: float = Field(2e-3, ge=1e-6, le=0.5, title="Growth p", description="How likely a tree grows at an empty place, each step.", json_schema_extra=ui(live=True, step=0.0001))
    ratio: float = Field(200.0, ge=1, le=100_000, title="Trees for a lightning", description="How many trees grow for one stroke: p/f. The larger, the larger the fires.", json_schema_extra=ui(live=True, step=1))
    size: int = Field(256, ge=16, le=1024, title="Size of the wood", description="Places in each direction; one edge borders on the other.", json_schema_extra=ui(unit="places"))


@dataclass
class Wood:
    """`grown` is when the tree of a place grew, −1 where none is; `burnt` when it last burnt."""

    grown: NDArray[np.int64]  # (size, size)
    burnt: NDArray[np.int64]
    time: int = 0
    fires: int = 0
    last: int = 0  # trees of the latest fire
    lost: int = 0  # trees of all fires


@compiled
def burn(grown, burnt, row, column, time, stack):  # type: ignore[no-untyped-def]
    """The whole cluster of that tree; gives its size."""
    size, count, top = grown.shape[0], 0, 1
    stack[0] = row * size + column
    grown[row, column] = -1
    while top > 0:
        top -= 1
        r, c = stack[top] // size, stack[top] % size
        burnt[r, c] = time
        count += 1
        for way in range(4):
            rr, cc = (r + (way == 0) - (way == 1)) % size, (c + (way == 2) - (way == 3)) % size
            if grown[rr, cc] >= 0:
                grown[rr, cc] = -1
                stack[top] = rr * size + cc
                top += 1
    return count


@compiled
def live(grown, burnt, growth, strokes, time, steps, rng):  # type: ignore[no-untyped-def]
    """`steps` steps in place: seeds and strokes fall on random places, as many as chance gives. Gives (fires, trees of the last, trees of all)."""
    size = grown.shape[0]
    places, stack = size * size, np.empty(size * size, dtype=np.int64)
    fires = last = lost = 0
    for step in range(steps):
        for _ in range(rng.poisson(growth * places)):
            row, column = int(rng.random() * size), int(rng.random() * size)
            if grown[row, column] < 0:
                grown[row, column] = time + step
        for _ in range(rng.poisson(strokes * places)):
            row, column = int(rng.random() * size), int(rng.random() * size)
            if grown[row, column] >= 0:
                last = burn(grown, burnt, row, column, time + step, stack)
                lost += last
                fires += 1
    return fires, last, lost


class ForestFire(Simulation):
    """Each step a tree grows at an empty place with probability p; lightning strikes a tree with probability f and all that hang together with it (four neighbours, torus) burn at once.

    Sources: B. Drossel, F. Schwabl, Self-organized critical forest-fire model, Phys. Rev. Lett. 69 (1992) 1629–1632; P. Grassberger, New J. Phys. 4 (2002) 17.
    """

    id: ClassVar[str] = "forest_fire"
    title: ClassVar[str] = "Forest fires of all sizes"
    domain: ClassVar[str] = "Urban"
    about: ClassVar[str] = (
        "Trees grow slowly, lightning is rare, and one stroke burns all trees that hang together. The wood keeps itself at about four tenths covered, with patches and fires of all sizes. "
        "It is a model of disasters that nobody set up: the rarer the sparks, the larger the fire. Click to light one."
    )
    Params: ClassVar[type[Params]] = ForestFireParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("cover", "Covered by trees", "%"),
        Series("fires", "Fires", "fires", "total"),
        Series("last", "Trees of the latest fire", "trees"),
        Series("lost", "Trees burnt", "trees", "total"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Patches", {}, "Fires of all sizes."),
        Preset("Rare lightning", {"ratio": 4000.0}, "Long growth, huge fires."),
        Preset("Frequent lightning", {"ratio": 10.0}, "Small fires keep the wood open."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("B. Drossel, F. Schwabl, Self-organized critical forest-fire model, Phys. Rev. Lett. 69 (1992) 1629–1632", "https://doi.org/10.1103/PhysRevLett.69.1629"),
        Source("P. Grassberger, Critical behaviour of the Drossel-Schwabl forest fire model, New J. Phys. 4 (2002) 17", "https://doi.org/10.1088/1367-2630/4/1/317"),
        Source("S. Clar, B. Drossel, F. Schwabl, Scaling laws and simulation results for the self-organized critical forest-fire model, Phys. Rev. E 50 (1994) 1009–1018", "https://doi.org/10.1103/PhysRevE.50.1009"),
    )
    duration: ClassVar[float] = 4000.0
    time_unit: ClassVar[str] = "steps"
    pace: ClassVar[float] = 60.0
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def init(self, params: ForestFireParams, rng: np.random.Generator) -> Wood:
        """Already as dense as it will be, at random."""
        return Wood(np.where(rng.random((params.size, params.size)) < 0.39, 0, -1), np.full((params.size, params.size), -(10**6)))

    def step(self, state: Wood, params: ForestFireParams, rng: np.random.Generator) -> Wood:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Wood, params: ForestFireParams, rng: np.random.Generator, steps: int) -> Wood:
        fires, last, lost = live(state.grown, state.burnt, params.growth, params.growth / params.ratio, state.time, steps, rng)
        state.time, state.fires, state.last, state.lost = state.time + steps, state.fires + int(fires), int(last) or state.last, state.lost + int(lost)
        return state

    def observe(self, state: Wood, params: ForestFireParams) -> dict[str, float]:
        return {"cover": 100 * float((state.grown >= 0).mean()), "fires": state.fires, "last": state.last, "lost": state.lost}

    def poke(self, state: Wood, params: ForestFireParams, x: float, y: float, rng: np.random.Generator) -> Wood:
        """What hangs together with the tree nearest to that place burns."""
        trees = np.argwhere(state.grown >= 0)
        if len(trees):
            row, column = trees[np.argmin(((trees - np.array([y, x]) * params.size) ** 2).sum(axis=1))]
            state.last = int(burn(state.grown, state.burnt, row, column, state.time, np.empty(state.grown.size, dtype=np.int64)))
            state.fires, state.lost = state.fires + 1, state.lost + state.last
        return state

    def render(self, state: Wood, params: ForestFireParams) -> Picture:
        """Trees the lighter the older, ground that burnt lately glows."""
        age = np.clip((state.time - state.grown) * params.growth / 2, 0, 1)
        picture = ramp("growth")[(80 + 110 * age).astype(np.uint8)]
        heat = ramp("heat")[(170 * np.exp(-(state.time - state.burnt) * params.growth * 10)).astype(np.uint8)]
        return enlarged(np.where((state.grown >= 0)[..., None], picture, heat), 400)
