"""Shallow water: waves, floods and a turning ocean in a basin seen from above, by finite volumes that lose no drop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from pipelines.simulation.drawing import ramp, smooth
from pipelines.simulation.shallow_flow import COURANT, DRY, flow_on
from studio.api import BadInput, Numbers, Params, Picture, Preset, Series, Simulation, Source, ui


class ShallowWaterParams(Params):
    start: Literal["Dam break", "Drop", "Standing wave", "Flood", "Still"] = Field("Dam break", title="Start", description="How the water stands before it is let go.", json_schema_extra=ui())
    depth: float = Field(10.0, ge=0.01, le=6000, title="Water depth", description="Of the water at rest.", json_schema_extra=ui(unit="m", step=0.1))
    height: float = Field(
        5.0,
        ge=0,
        le=6000,
        title="Height of the step",
        description="How much higher the dammed water, the drop or the wave stands; a click pours water of this height too.",
        json_schema_extra=ui(unit="m", live=True, step=0.01),
    )
    coriolis: float = Field(0.0, ge=-1, le=1, title="Coriolis parameter f", description="How fast the ground turns, twice over; 0.0001 at 43° north.", json_schema_extra=ui(unit="1/s", live=True, step=0.0001))
    size: float = Field(1000.0, ge=1, le=1e7, title="Length of a side", description="Of the basin, which is square.", json_schema_extra=ui(unit="m", advanced=True))
    cells: int = Field(128, ge=8, le=512, title="Cells along a side", description="More show finer waves and take longer.", json_schema_extra=ui(advanced=True))
    gravity: float = Field(9.81, gt=0, le=30, title="Gravity", description="Of the planet.", json_schema_extra=ui(unit="m/s²", advanced=True, step=0.01))
    friction: float = Field(0.0, ge=0, le=0.2, title="Roughness of the ground", description="Manning's n: 0 is smooth, 0.03 a natural river.", json_schema_extra=ui(unit="s/m^⅓", advanced=True, live=True, step=0.001))
    island: float = Field(0.0, ge=0, le=10000, title="Height of an island", description="Above the ground, in the middle; higher than the depth it stands out of the water.", json_schema_extra=ui(unit="m", advanced=True))
    walls: Literal["All around", "None"] = Field("All around", title="Walls", description="Without them what leaves on one side comes in on the other.", json_schema_extra=ui(advanced=True))


@dataclass
class Water:
    """`flow` is (3, n + 4, n + 4): height of the column, its momentum to the right and downwards, within two rings of outer cells."""

    flow: Numbers
    ground: Numbers  # (n + 4, n + 4)
    poured: float  # m³ that should be there
    time: float = 0.0


class ShallowWater(Simulation):
    """∂h/∂t + ∇·(hu) = 0, ∂(hu)/∂t + ∇·(hu⊗u) + gh∇(h + b) = −f k×hu − friction; second-order finite volumes.

    Sources: E. Audusse et al., A fast and stable well-balanced scheme with hydrostatic reconstruction for shallow water flows, SIAM J. Sci. Comput. 25 (2004) 2050–2065;
    J. J. Stoker, Water Waves, Interscience 1957 (dam break).
    """

    id: ClassVar[str] = "shallow_water"
    title: ClassVar[str] = "Shallow water"
    domain: ClassVar[str] = "Weather and climate"
    about: ClassVar[str] = (
        "Water that is much wider than deep, seen from above: a dam that breaks, a drop in a basin, waves around an island, a sea on the turning Earth. "
        "Waves run at the square root of gravity times depth, so deep oceans carry a tsunami as fast as an aeroplane. Click into it to pour water."
    )
    Params: ClassVar[type[Params]] = ShallowWaterParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("gauge", "Level at the gauge", "m"),
        Series("highest", "Highest level", "m"),
        Series("quickest", "Quickest flow", "m/s"),
        Series("energy", "Energy", "J/m²"),
        Series("loss", "Water lost by rounding"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Dam break", {}, "A wall of water five metres high is let go."),
        Preset("Drop in a basin", {"start": "Drop", "height": 4.0}, "Rings that come back from the walls."),
        Preset("Island in a tsunami", {"start": "Dam break", "depth": 10.0, "height": 2.0, "island": 14.0}, "The wave bends around it and meets itself behind."),
        Preset("Turning basin", {"start": "Drop", "coriolis": 0.2, "walls": "None"}, "A part of the hill stays for ever, held by the turning ground."),
        Preset("Flood on dry land", {"start": "Flood", "depth": 8.0, "height": 2.0, "friction": 0.02}, "Water runs out over dry ground."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("E. Audusse et al., A fast and stable well-balanced scheme with hydrostatic reconstruction for shallow water flows, SIAM J. Sci. Comput. 25 (2004) 2050–2065", "https://doi.org/10.1137/S1064827503431090"),
        Source("J. J. Stoker, Water Waves, Interscience, New York 1957"),
        Source("A. E. Gill, Atmosphere–Ocean Dynamics, Academic Press 1982"),
    )
    duration: ClassVar[float] = 200.0
    pace: ClassVar[float] = 20.0
    pokes: ClassVar[bool] = True

    def time_step(self, params: ShallowWaterParams) -> float:
        """Half a cell at the speed of long waves."""
        return 0.5 * params.size / params.cells / (params.gravity * params.depth) ** 0.5

    def check(self, params: ShallowWaterParams) -> None:
        if params.start == "Standing wave" and params.height >= params.depth:
            raise BadInput("The wave's trough would lie below the ground.", hint="Height must be less than depth for a standing wave.", field="height")

    def init(self, params: ShallowWaterParams, rng: np.random.Generator) -> Water:
        n = params.cells
        x, y = places(n)
        ground = np.zeros((n + 4, n + 4))
        ground[2:-2, 2:-2] = params.island * np.exp(-((x - 0.55) ** 2 + (y - 0.5) ** 2) / (2 * 0.08**2))
        level = {
            "Dam break": params.depth + params.height * (x < 0.5),
            "Drop": params.depth + params.height * np.exp(-((x - 0.35) ** 2 + (y - 0.4) ** 2) / (2 * 0.04**2)),
            "Standing wave": params.depth + params.height * np.cos(2 * np.pi * x) + 0 * y,
            "Flood": params.depth * (x < 0.5),
            "Still": np.full((n, n), params.depth),
        }[params.start] + 0 * y
        flow = np.zeros((3, n + 4, n + 4))
        flow[0, 2:-2, 2:-2] = np.maximum(level - ground[2:-2, 2:-2], 0)
        return Water(flow, ground, volume(flow, params))

    def step(self, state: Water, params: ShallowWaterParams, rng: np.random.Generator) -> Water:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Water, params: ShallowWaterParams, rng: np.random.Generator, steps: int) -> Water:
        dt = self.time_step(params)
        flow_on(state.flow, state.ground, params.gravity, params.coriolis, params.friction, params.size / params.cells, dt, steps, params.walls == "None", COURANT)
        state.time += steps * dt
        return state

    def observe(self, state: Water, params: ShallowWaterParams) -> dict[str, float]:
        h, mx, my = state.flow[:, 2:-2, 2:-2]
        wet = h > DRY
        level = np.where(wet, h + state.ground[2:-2, 2:-2] - params.depth, 0.0)
        still = 1.0 / np.where(wet, h, 1.0)
        speed = np.where(wet, np.hypot(mx, my) * still, 0.0)
        energy = 500.0 * (h * speed**2 + params.gravity * level**2)  # half a m³ of water weighs 500 kg
        n = params.cells
        return {
            "gauge": level[n // 2, (3 * n) // 4],
            "highest": level[wet].max() if wet.any() else 0.0,
            "quickest": speed.max(),
            "energy": energy.mean(),
            "loss": 1.0 - volume(state.flow, params) / state.poured,
        }

    def poke(self, state: Water, params: ShallowWaterParams, x: float, y: float, rng: np.random.Generator) -> Water:
        """A drop falls in."""
        flow, (across_, down) = state.flow.copy(), places(params.cells)
        flow[0, 2:-2, 2:-2] += params.height * np.exp(-((across_ - x) ** 2 + (down - y) ** 2) / (2 * 0.03**2))
        return replace(state, flow=flow, poured=state.poured + volume(flow, params) - volume(state.flow, params))

    def pack(self, state: Water) -> Numbers:
        return state.flow[:, 2:-2, 2:-2].ravel()

    def unpack(self, state: Water, vector: Numbers) -> Water:
        """What was corrected below the ground is dry; the volume counts from here on."""
        flow, n = state.flow.copy(), state.flow.shape[1] - 4
        flow[:, 2:-2, 2:-2] = np.asarray(vector, dtype=np.float64).reshape(3, n, n)
        before = float(state.flow[0, 2:-2, 2:-2].sum())
        flow[0] = np.maximum(flow[0], 0.0)
        return replace(state, flow=flow, poured=state.poured * float(flow[0, 2:-2, 2:-2].sum()) / max(before, 1e-12))

    def render(self, state: Water, params: ShallowWaterParams) -> Picture:
        """Height in colours, lit from the upper left; land in sand and green."""
        h, ground = state.flow[0, 2:-2, 2:-2], state.ground[2:-2, 2:-2]
        wet = h > 1e-3 * params.depth
        level = h + ground
        scale = max(params.height, 0.01 * params.depth) * (0.35 if params.start == "Drop" else 1.0)
        lowest, reach = (0.0, 1.1 * params.depth) if params.start == "Flood" else (params.depth - 0.6 * scale, 1.8 * scale)
        colours = ramp("sea")[(np.clip((level - lowest) / reach, 0, 1) * 215).astype(np.uint8)].astype(np.float32)
        land = np.array([206, 186, 140]) - np.clip(ground / max(params.island, 1e-9), 0, 1)[..., None] * np.array([110, 60, 80])
        colours = np.where(wet[..., None], colours, land)
        down, across_ = np.gradient(level / reach * params.cells / 12)
        light = np.clip(1 + 0.55 * np.arctan(-(down + across_)), 0.5, 1.6)[..., None]
        return smooth(np.clip(colours * light, 0, 255).astype(np.uint8))

    def likely_cause(self, params: ShallowWaterParams) -> str:
        return "A height far above the depth makes bores that need more cells, or less height."


def places(n: int) -> tuple[Numbers, Numbers]:
    """Middles of the cells, 0 … 1, as a row and a column."""
    along = (np.arange(n) + 0.5) / n
    return along[None, :], along[:, None]


def volume(flow: Numbers, params: ShallowWaterParams) -> float:
    """m³ of water."""
    return float(flow[0, 2:-2, 2:-2].sum()) * (params.size / params.cells) ** 2
