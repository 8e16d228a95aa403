"""Terrain: land that rises and is cut by its rivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.drawing import enlarged
from pipelines.simulation.jit import compiled
from studio.api import Numbers, Params, Picture, Preset, Series, Simulation, Source, ui

CELL = 100.0  # metres
# Height as a share of the highest, and colour
SHADES = ((0.0, (88, 128, 96)), (0.25, (122, 150, 96)), (0.5, (170, 160, 112)), (0.75, (150, 128, 108)), (0.95, (220, 218, 214)), (1.0, (248, 248, 248)))


class TerrainParams(Params):
    uplift: float = Field(1.0, ge=0, le=20, title="Uplift", description="How fast the land rises.", json_schema_extra=ui(live=True, step=0.1, unit="mm/year"))
    erodibility: float = Field(2e-5, ge=1e-7, le=1e-3, title="Erodibility K", description="How easily rivers cut the rock.", json_schema_extra=ui(live=True, step=1e-6, unit="m¹⁻²ᵐ/year"))
    creep: float = Field(0.01, ge=0, le=1, title="Creep", description="How fast soil smooths the slopes.", json_schema_extra=ui(live=True, step=0.01, unit="m²/year"))
    size: int = Field(160, ge=16, le=512, title="Size", description="Cells of 100 m in each direction.", json_schema_extra=ui(unit="cells"))
    exponent: float = Field(0.5, ge=0.2, le=0.8, title="Area exponent m", description="How much more a river with more land behind it cuts.", json_schema_extra=ui(live=True, advanced=True, step=0.01))
    years: float = Field(5000.0, ge=100, le=50_000, title="Time step", description="How much time a step takes.", json_schema_extra=ui(advanced=True, unit="years"))
    roughness: float = Field(10.0, ge=0.01, le=500, title="Roughness", description="Of the plain at the start.", json_schema_extra=ui(advanced=True, unit="m"))


@dataclass
class Land:
    """Heights in m, land drained through each cell in m², and the cell that water goes to (itself at the edges and in pits)."""

    heights: Numbers  # (size, size)
    drained: Numbers  # (size · size,)
    target: NDArray[np.int64]
    apart: Numbers  # how far the target is, in m
    order: NDArray[np.int64]  # downstream first
    time: float = 0.0


@compiled
def route(flat, size, cell, target, apart, order, drained):  # type: ignore[no-untyped-def]
    """Water goes to the steepest of eight neighbours; the order has each cell after its target."""
    count = size * size
    given, after, done = np.full(count, -1, dtype=np.int64), np.empty(count, dtype=np.int64), 0
    stack = np.empty(count, dtype=np.int64)
    for at in range(count):
        row, column = at // size, at % size
        target[at], apart[at] = at, cell
        if row == 0 or column == 0 or row == size - 1 or column == size - 1:
            continue
        steepest = 0.0
        for down in range(-1, 2):
            for across in range(-1, 2):
                if down == 0 and across == 0:
                    continue
                way = cell * (np.sqrt(2.0) if down != 0 and across != 0 else 1.0)
                slope = (flat[at] - flat[at + down * size + across]) / way
                if slope > steepest:
                    steepest, target[at], apart[at] = slope, at + down * size + across, way
    for at in range(count):
        if target[at] != at:
            after[at] = given[target[at]]
            given[target[at]] = at
    for root in range(count):
        if target[root] != root:
            continue
        stack[0], top = root, 1
        while top > 0:
            top -= 1
            at = stack[top]
            order[done] = at
            done += 1
            child = given[at]
            while child >= 0:
                stack[top] = child
                top += 1
                child = after[child]
    drained[:] = cell * cell
    for place in range(count - 1, -1, -1):
        at = order[place]
        if target[at] != at:
            drained[target[at]] += drained[at]


@compiled
def erode(heights, cell, uplift, erodibility, exponent, creep, dt, steps, target, apart, order, drained):  # type: ignore[no-untyped-def]
    """`steps` in place: uplift, then rivers (implicit, downstream first), then creep (explicit, in as many parts as it needs). The edges stay at 0."""
    size = heights.shape[0]
    flat, before = heights.ravel(), np.empty((size, size))
    for _ in range(steps):
        route(flat, size, cell, target, apart, order, drained)
        for place in range(size * size):
            at = order[place]
            row, column = at // size, at % size
            if row == 0 or column == 0 or row == size - 1 or column == size - 1:
                continue
            flat[at] += uplift * dt
            if target[at] != at:
                share = erodibility * drained[at] ** exponent * dt / apart[at]
                flat[at] = (flat[at] + share * flat[target[at]]) / (1.0 + share)
        parts = int(np.ceil(creep * dt / (cell * cell) / 0.2))
        for _part in range(parts):
            before[:] = heights
            rate = creep * dt / parts / (cell * cell)
            for row in range(1, size - 1):
                for column in range(1, size - 1):
                    around = before[row - 1, column] + before[row + 1, column] + before[row, column - 1] + before[row, column + 1]
                    heights[row, column] += rate * (around - 4.0 * before[row, column])


class Terrain(Simulation):
    """∂h/∂t = U − K Aᵐ S + D ∇²h, A the land drained and S the slope, edges at 0, by the implicit scheme that takes cells from the mouth upstream. In balance, without creep, S = (U/K) A⁻ᵐ.

    Sources: K. X. Whipple, G. E. Tucker, J. Geophys. Res. 104 (1999) 17661–17674; J. Braun, S. D. Willett, Geomorphology 180–181 (2013) 170–179.
    """

    id: ClassVar[str] = "terrain"
    title: ClassVar[str] = "Mountains and rivers"
    domain: ClassVar[str] = "Game worlds"
    about: ClassVar[str] = (
        "The land rises a millimetre a year, rain gathers in rivers, and rivers cut the deeper the more land drains into them. After some hundred thousand "
        "years there are ridges and valleys as on a real map, fit for a game world. "
        "Stop the uplift and all wears away; click to raise a mountain."
    )
    Params: ClassVar[type[Params]] = TerrainParams
    series: ClassVar[tuple[Series, ...]] = (Series("mean", "Mean height", "m"), Series("highest", "Highest peak", "m"), Series("river", "Largest river basin", "km²"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("A young range", {}, "Ridges, valleys, one pattern of rivers."),
        Preset("Soft hills", {"creep": 0.5, "uplift": 0.5}, "Soil creeps and rounds all."),
        Preset("Hard rock", {"erodibility": 1e-5}, "High and steep."),
        Preset("Wearing away", {"uplift": 0.0, "roughness": 500.0}, "No uplift: all goes to the sea."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("K. X. Whipple, G. E. Tucker, Dynamics of the stream-power river incision model, J. Geophys. Res. 104 (1999) 17661–17674", "https://doi.org/10.1029/1999JB900120"),
        Source("J. Braun, S. D. Willett, A very efficient O(n), implicit and parallel method to solve the stream power equation, Geomorphology 180–181 (2013) 170–179", "https://doi.org/10.1016/j.geomorph.2012.10.008"),
        Source("J. T. Hack, Studies of longitudinal stream profiles in Virginia and Maryland, U.S. Geol. Surv. Prof. Pap. 294-B (1957)", "https://doi.org/10.3133/pp294B"),
    )
    duration: ClassVar[float] = 1_000_000.0
    time_unit: ClassVar[str] = "years"
    pace: ClassVar[float] = 20.0
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def time_step(self, params: TerrainParams) -> float:
        return params.years

    def init(self, params: TerrainParams, rng: np.random.Generator) -> Land:
        heights = np.zeros((params.size, params.size))
        heights[1:-1, 1:-1] = params.roughness * rng.random((params.size - 2, params.size - 2))
        count = params.size**2
        land = Land(heights, np.empty(count), np.empty(count, dtype=np.int64), np.empty(count), np.empty(count, dtype=np.int64))
        route(heights.ravel(), params.size, CELL, land.target, land.apart, land.order, land.drained)
        return land

    def step(self, state: Land, params: TerrainParams, rng: np.random.Generator) -> Land:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Land, params: TerrainParams, rng: np.random.Generator, steps: int) -> Land:
        ways = (state.target, state.apart, state.order, state.drained)
        erode(state.heights, CELL, params.uplift / 1000, params.erodibility, params.exponent, params.creep, params.years, steps, *ways)
        state.time += steps * params.years
        return state

    def observe(self, state: Land, params: TerrainParams) -> dict[str, float]:
        return {"mean": float(state.heights.mean()), "highest": float(state.heights.max()), "river": float(state.drained.max()) / 1e6}

    def poke(self, state: Land, params: TerrainParams, x: float, y: float, rng: np.random.Generator) -> Land:
        """A mountain as high as the highest, or 300 m."""
        rows, columns = np.ogrid[: params.size, : params.size]
        away = ((rows - y * params.size) ** 2 + (columns - x * params.size) ** 2) / (params.size / 14) ** 2
        state.heights[1:-1, 1:-1] += (max(300.0, float(state.heights.max())) * np.exp(-away))[1:-1, 1:-1]
        return state

    def render(self, state: Land, params: TerrainParams) -> Picture:
        """Colours by height, light from the upper left, rivers by the land they drain."""
        highest = max(float(state.heights.max()), 1.0)
        share = state.heights / highest
        at, colours = np.array([step for step, _ in SHADES]), np.array([colour for _, colour in SHADES], dtype=np.float64)
        picture = np.stack([np.interp(share, at, colours[:, channel]) for channel in range(3)], axis=-1)
        down, across = np.gradient(state.heights, CELL)
        steep = 2.5 * highest / (CELL * params.size) * 8
        light = (1 + (down + across) / max(steep / 8, 1e-6) * 0.35).clip(0.45, 1.35)
        picture = (picture * light[..., None]).clip(0, 255)
        drained = state.drained.reshape(share.shape) / CELL**2
        water = (np.log(np.maximum(drained, 1)) / np.log(params.size**2) - 0.42).clip(0, 0.3)[..., None] / 0.3
        return enlarged((picture * (1 - water) + water * np.array([58, 118, 170])).astype(np.uint8), 400)
