"""Heat in a plate: how warmth spreads, evens out and is lost at the rim (Fourier 1822)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from pipelines.simulation.drawing import ramp, smooth
from pipelines.simulation.jit import compiled
from studio.api import BadInput, Numbers, Params, Picture, Preset, Series, Simulation, Source, ui

MOST_WORK = 300_000_000  # cells that are worked on in a time step: about a second
MOST = 0.2  # diffusivity × time / cell², at most: no new extremes, and errors fall with the square of the cell
RIMS = {"Cold": 0, "Insulated": 1, "Endless": 2}


class HeatParams(Params):
    diffusivity: float = Field(117.0, ge=0.01, le=2000, title="Diffusivity α", description="How fast heat spreads: copper 117, iron 23, glass 0.34, air 19.", json_schema_extra=ui(unit="mm²/s", live=True, step=0.1))
    start: Literal["Hot spot", "Hot half", "All hot", "Sine wave", "Random"] = Field("Hot spot", title="Start", description="Where it is warm at the beginning.", json_schema_extra=ui())
    warmth: float = Field(100.0, ge=-250, le=2000, title="Temperature of the warm part", description="The rest, and a cold rim, are at 0.", json_schema_extra=ui(unit="°C"))
    rim: Literal["Cold", "Insulated", "Endless"] = Field("Cold", title="Rim", description="Kept at 0 °C, letting no heat through, or joined to the opposite side.", json_schema_extra=ui(live=True))
    size: float = Field(200.0, ge=1, le=10000, title="Length of a side", description="Of the plate.", json_schema_extra=ui(unit="mm", advanced=True))
    cells: int = Field(128, ge=8, le=512, title="Cells along a side", description="More are finer and take longer.", json_schema_extra=ui(advanced=True))
    interval: float = Field(0.1, ge=0.001, le=10, title="Time step", description="It is divided further where the method needs it.", json_schema_extra=ui(unit="s", advanced=True, step=0.001))
    touch: float = Field(100.0, ge=-2000, le=2000, title="Warmth of a touch", description="By how much a click heats; below 0 it cools.", json_schema_extra=ui(unit="°C", live=True, advanced=True))


@dataclass
class Plate:
    """Temperatures (n, n) of the middles of the cells, in °C."""

    warm: Numbers
    time: float = 0.0


@compiled
def parts_of(diffusivity, cell, dt):  # type: ignore[no-untyped-def]
    """How many parts a time step is divided into."""
    return max(1, int(np.ceil(diffusivity * dt / (MOST * cell * cell))))


@compiled
def spread(warm, diffusivity, cell, dt, steps, rim):  # type: ignore[no-untyped-def]
    """Central differences in space, small steps forward in time; `rim` 0 cold, 1 insulated, 2 endless."""
    n = warm.shape[0]
    parts = parts_of(diffusivity, cell, dt)
    share = diffusivity * dt / parts / (cell * cell)
    wide = np.zeros((n + 2, n + 2))
    for _part in range(parts * steps):
        wide[1:-1, 1:-1] = warm
        if rim == 0:
            wide[0, 1:-1], wide[-1, 1:-1], wide[1:-1, 0], wide[1:-1, -1] = -warm[0], -warm[-1], -warm[:, 0], -warm[:, -1]
        elif rim == 1:
            wide[0, 1:-1], wide[-1, 1:-1], wide[1:-1, 0], wide[1:-1, -1] = warm[0], warm[-1], warm[:, 0], warm[:, -1]
        else:
            wide[0, 1:-1], wide[-1, 1:-1], wide[1:-1, 0], wide[1:-1, -1] = warm[-1], warm[0], warm[:, -1], warm[:, 0]
        for i in range(n):
            for j in range(n):
                warm[i, j] += share * (wide[i, j + 1] + wide[i + 2, j + 1] + wide[i + 1, j] + wide[i + 1, j + 2] - 4.0 * wide[i + 1, j + 1])


class Heat(Simulation):
    """∂T/∂t = α (∂²T/∂x² + ∂²T/∂y²); finite volumes of second order.

    Source: J. Fourier, Théorie analytique de la chaleur, Paris 1822; H. S. Carslaw & J. C. Jaeger, Conduction of Heat in Solids, Oxford 1959.
    """

    id: ClassVar[str] = "heat"
    title: ClassVar[str] = "Heat in a plate"
    domain: ClassVar[str] = "Ocean and heat"
    about: ClassVar[str] = (
        "A metal plate is warm in places, and the warmth spreads to where it is colder. Sharp differences go first: a pattern half as wide is gone in a quarter of the time. Click to touch the plate with something hot."
    )
    Params: ClassVar[type[Params]] = HeatParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("middle", "Temperature in the middle", "°C"),
        Series("mean", "Mean temperature", "°C"),
        Series("warmest", "Highest temperature", "°C"),
        Series("contrast", "Standard deviation", "°C"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Hot spot on copper", {}, "It spreads in seconds."),
        Preset("Iron quenched", {"start": "All hot", "diffusivity": 23.0, "warmth": 800.0}, "A glowing plate with a cold rim."),
        Preset("Two halves", {"start": "Hot half", "rim": "Insulated"}, "No heat is lost: all ends at the mean."),
        Preset("Random", {"start": "Random", "rim": "Endless", "diffusivity": 5.0}, "Small differences vanish first."),
    )
    sources: ClassVar[tuple[Source, ...]] = (Source("J. Fourier, Théorie analytique de la chaleur, Firmin Didot, Paris 1822"), Source("H. S. Carslaw & J. C. Jaeger, Conduction of Heat in Solids, 2nd ed., Oxford 1959"))
    duration: ClassVar[float] = 60.0
    pace: ClassVar[float] = 20.0
    pokes: ClassVar[bool] = True

    def time_step(self, params: HeatParams) -> float:
        return params.interval

    def check(self, params: HeatParams) -> None:
        parts = int(parts_of.function(params.diffusivity, params.size / params.cells, params.interval))
        if parts * params.cells**2 > MOST_WORK:
            raise BadInput(f"A time step would be divided into {parts:,} parts: cells so small even out too quickly.", hint="Take a shorter time step, fewer cells or a larger plate.", field="interval")

    def init(self, params: HeatParams, rng: np.random.Generator) -> Plate:
        along = (np.arange(params.cells) + 0.5) / params.cells
        x, y = along[None, :], along[:, None]
        shape = {
            "Hot spot": np.exp(-((x - 0.4) ** 2 + (y - 0.45) ** 2) / (2 * 0.08**2)),
            "Hot half": np.where(x < 0.5, 1.0, 0.0) + 0 * y,
            "All hot": np.ones((params.cells, params.cells)),
            "Sine wave": np.sin(np.pi * x) * np.sin(np.pi * y) if params.rim == "Cold" else np.cos(2 * np.pi * x) + 0 * y,
            "Random": rng.random((params.cells, params.cells)),
        }[params.start]
        return Plate(params.warmth * np.ascontiguousarray(shape))

    def step(self, state: Plate, params: HeatParams, rng: np.random.Generator) -> Plate:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Plate, params: HeatParams, rng: np.random.Generator, steps: int) -> Plate:
        spread(state.warm, params.diffusivity, params.size / params.cells, params.interval, steps, RIMS[params.rim])
        state.time += steps * params.interval
        return state

    def observe(self, state: Plate, params: HeatParams) -> dict[str, float]:
        low, high = (params.cells - 1) // 2, params.cells // 2 + 1
        return {"middle": float(state.warm[low:high, low:high].mean()), "mean": float(state.warm.mean()), "warmest": float(state.warm.max()), "contrast": float(state.warm.std())}

    def poke(self, state: Plate, params: HeatParams, x: float, y: float, rng: np.random.Generator) -> Plate:
        along = (np.arange(params.cells) + 0.5) / params.cells
        return Plate(state.warm + params.touch * np.exp(-((along[None, :] - x) ** 2 + (along[:, None] - y) ** 2) / (2 * 0.04**2)), state.time)

    def pack(self, state: Plate) -> Numbers:
        return state.warm.ravel().copy()

    def unpack(self, state: Plate, vector: Numbers) -> Plate:
        return Plate(np.array(vector, dtype=np.float64).reshape(state.warm.shape), state.time)

    def render(self, state: Plate, params: HeatParams) -> Picture:
        """Colours from cold to hot, with a line at every tenth of the way."""
        top = max(abs(params.warmth), 1.0)
        low = -top if state.warm.min() < -0.02 * top else 0.0
        grey = smooth((np.clip((state.warm - low) / (top - low), 0, 1)[..., None].repeat(3, axis=2) * 255).astype(np.uint8))[..., 0]
        picture, band = ramp("heat" if low == 0 else "balance")[grey].astype(np.float32), grey // 25
        edge = np.zeros(grey.shape, dtype=bool)
        edge[:, 1:] |= band[:, 1:] != band[:, :-1]
        edge[1:] |= band[1:] != band[:-1]
        picture[edge] *= 0.72
        return picture.astype(np.uint8)
