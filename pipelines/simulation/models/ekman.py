"""Ekman's spiral: how wind drags the upper ocean on a turning Earth, and why the water goes to the side (Ekman 1905)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.charts import written
from pipelines.simulation.drawing import GROUND, INK, canvas, halved, picture_of, ramp
from pipelines.simulation.jit import compiled
from studio.api import BadInput, Numbers, Params, Picture, Preset, Series, Simulation, Source, ui

EARTH = 7.292115e-5  # rad/s
INTERVAL = 600.0  # s
SMALL_LATITUDE = 1.0


class EkmanParams(Params):
    stress: float = Field(0.1, ge=0, le=2, title="Wind stress", description="With which the wind pulls at the surface; 0.1 is a wind of 8 m/s.", json_schema_extra=ui(unit="N/m²", live=True, step=0.01))
    latitude: float = Field(45.0, ge=-90, le=90, title="Latitude", description="Negative in the south, where all goes to the left.", json_schema_extra=ui(unit="°", live=True, step=0.5))
    viscosity: float = Field(0.01, ge=1e-4, le=1, title="Eddy viscosity ν", description="How strongly turbulence couples one layer to the next.", json_schema_extra=ui(unit="m²/s", live=True, step=0.0001))
    depth: float = Field(150.0, ge=2, le=2000, title="Depth of the sea", description="The water is at rest on the ground.", json_schema_extra=ui(unit="m"))
    wind: float = Field(90.0, ge=0, le=360, title="Wind blows towards", description="0 is north, 90 east.", json_schema_extra=ui(unit="°", live=True, advanced=True, step=1))
    density: float = Field(1025.0, ge=900, le=1100, title="Density", description="Of the water.", json_schema_extra=ui(unit="kg/m³", advanced=True))
    layers: int = Field(150, ge=20, le=1000, title="Layers", description="Of equal thickness.", json_schema_extra=ui(advanced=True))


@dataclass
class Column:
    """Current (layers,) from the surface down: eastward + i northward, in m/s. `mean` is its running mean over half a day or so; `way` the surface current as it went."""

    current: NDArray[np.complex128]
    mean: NDArray[np.complex128]
    time: float = 0.0
    way: list[complex] = field(default_factory=list)


@compiled
def stir(current, mean, coriolis, viscosity, thickness, pull, dt, steps, memory):  # type: ignore[no-untyped-def]
    """Crank-Nicolson in time, second order in depth: the turning and the friction together, by Thomas' algorithm. `pull` is stress over density, complex."""
    n = current.shape[0]
    lower, right = np.empty(n, dtype=np.complex128), np.empty(n, dtype=np.complex128)
    share = 0.5 * dt * viscosity / (thickness * thickness)
    turn = 0.5j * dt * coriolis
    for _step in range(steps):
        for i in range(n):
            above = share if i > 0 else 0.0
            below = share if i < n - 1 else 2.0 * share  # half a layer to the ground, where it is at rest
            whole = 1.0 + turn + above + below
            known = (1.0 - turn - above - below) * current[i]
            if i > 0:
                known += above * current[i - 1]
                whole -= above * lower[i - 1]
            else:
                known += dt * pull / thickness
            if i < n - 1:
                known += below * current[i + 1]
            lower[i] = (share if i < n - 1 else 0.0) / whole
            right[i] = (known + (above * right[i - 1] if i > 0 else 0.0)) / whole
        current[n - 1] = right[n - 1]
        for i in range(n - 2, -1, -1):
            current[i] = right[i] + lower[i] * current[i + 1]
        for i in range(n):
            mean[i] += (current[i] - mean[i]) * memory


class Ekman(Simulation):
    """∂w/∂t + i f w = ∂/∂z(ν ∂w/∂z) for w = u + iv, ν ∂w/∂z = τ/ρ at the surface, w = 0 on the ground; f = 2Ω sin(latitude).

    Source: V. W. Ekman, On the influence of the Earth's rotation on ocean-currents, Ark. Mat. Astron. Fys. 2 (1905) No. 11.
    """

    id: ClassVar[str] = "ekman"
    title: ClassVar[str] = "Ekman spiral"
    domain: ClassVar[str] = "Ocean and heat"
    about: ClassVar[str] = (
        "Wind pulls the surface of the sea, every layer pulls the one below, and the turning Earth bends each a little further to the side. "
        "The arrows wind down in a spiral, and the water as a whole goes at a right angle to the wind. "
        "A sudden wind also sets the sea swinging, once in about seventeen hours at this latitude."
    )
    Params: ClassVar[type[Params]] = EkmanParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("surface", "Surface current", "m/s"),
        Series("angle", "Surface current right of the wind", "°"),
        Series("transport", "Transport right of the wind", "m²/s"),
        Series("along", "Transport along the wind", "m²/s"),
        Series("steady", "Surface current, mean of swings", "m/s"),
        Series("steady_angle", "Angle, mean of swings", "°"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Trade wind", {}, "Spiral in a deep sea."),
        Preset("Southern storm", {"latitude": -50.0, "stress": 0.6, "viscosity": 0.03}, "Everything goes to the left."),
        Preset("Shallow sea", {"depth": 11.0, "latitude": 45.0}, "The ground holds: the current follows the wind more closely."),
        Preset("Near the equator", {"latitude": 8.0, "depth": 400.0}, "Weak turning: a deep and slow spiral."),
    )
    sources: ClassVar[tuple[Source, ...]] = (Source("V. W. Ekman, On the influence of the Earth's rotation on ocean-currents, Arkiv för matematik, astronomi och fysik 2 (1905) No. 11, 1–52"),)
    duration: ClassVar[float] = 240.0
    pace: ClassVar[float] = 20.0
    time_unit: ClassVar[str] = "h"

    def time_step(self, params: EkmanParams) -> float:
        return INTERVAL / 3600

    def check(self, params: EkmanParams) -> None:
        if abs(params.latitude) < SMALL_LATITUDE:
            raise BadInput("On the equator the ground does not turn under the water: there is no spiral.", hint="Choose a latitude of at least 1°, north or south.", field="latitude")

    def init(self, params: EkmanParams, rng: np.random.Generator) -> Column:
        return Column(np.zeros(params.layers, dtype=np.complex128), np.zeros(params.layers, dtype=np.complex128), 0.0, [0j])

    def step(self, state: Column, params: EkmanParams, rng: np.random.Generator) -> Column:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Column, params: EkmanParams, rng: np.random.Generator, steps: int) -> Column:
        swing = 2 * np.pi / max(abs(coriolis(params)), 1e-7)
        stir(state.current, state.mean, coriolis(params), params.viscosity, params.depth / params.layers, pull(params), INTERVAL, steps, min(1.0, INTERVAL / swing))
        state.time += steps * self.time_step(params)
        state.way.append(surface(state.current, params))
        del state.way[:-400]
        return state

    def observe(self, state: Column, params: EkmanParams) -> dict[str, float]:
        ahead = np.exp(1j * np.radians(90 - params.wind))
        now, mean = surface(state.current, params) / ahead, surface(state.mean, params) / ahead
        moved = state.current.sum() * params.depth / params.layers / ahead
        return {
            "surface": abs(now), "angle": -float(np.degrees(np.angle(now))), "transport": -float(moved.imag), "along": float(moved.real),
            "steady": abs(mean), "steady_angle": -float(np.degrees(np.angle(mean))),
        }  # fmt: skip

    def pack(self, state: Column) -> Numbers:
        return np.concatenate([state.current.real, state.current.imag])

    def unpack(self, state: Column, vector: Numbers) -> Column:
        half = state.current.size
        return replace(state, current=np.array(vector[:half]) + 1j * np.array(vector[half:]), mean=state.mean.copy(), way=list(state.way))

    def render(self, state: Column, params: EkmanParams) -> Picture:
        """The arrows at their depths, seen from the side and above; the way of the surface current lies on top."""
        image, draw = canvas(960, 960)
        f = max(abs(coriolis(params)), 1e-7)
        shown = min(params.depth, 1.6 * np.pi * (2 * params.viscosity / f) ** 0.5)
        reach = 330 / max(abs(pull(params)) / (params.viscosity * f) ** 0.5, 1e-9)
        for ring in (1 / 3, 2 / 3, 1.0):
            draw.ellipse((480 - 330 * ring, 230 - 132 * ring, 480 + 330 * ring, 230 + 132 * ring), outline=(48, 52, 62), width=2)
        draw.line((480, 230, 480, 930), fill=(70, 74, 84), width=3)
        count = int(min(params.layers, np.ceil(params.layers * shown / params.depth)))
        table, tips = ramp("sea"), []
        for number in np.unique(np.linspace(0, count - 1, min(count, 34)).round().astype(int))[::-1]:
            deep = number / max(count - 1, 1)
            foot = 230 + 680 * deep
            tip = (480 + reach * state.current[number].real, foot - 0.4 * reach * state.current[number].imag)
            colour = tuple(int(value) for value in table[int(235 - 150 * deep)])
            draw.line((480, foot, *tip), fill=colour, width=7)
            draw.ellipse((tip[0] - 8, tip[1] - 8, tip[0] + 8, tip[1] + 8), fill=colour)
            tips.append(tip)
        draw.line(tips, fill=(120, 150, 180), width=3, joint="curve")
        draw.line([(480 + reach * value.real, 230 - 0.4 * reach * value.imag) for value in state.way], fill=(231, 111, 121), width=3)
        ahead = np.exp(1j * np.radians(90 - params.wind))
        arrow(draw, 480, 70, 150 * ahead.real, -60 * ahead.imag)
        written(draw, (480, 16), "wind", INK, 26, "ma")
        draw.text((500, 900), f"{shown:.0f} m", fill=(170, 174, 184), font_size=26)
        return picture_of(halved(image))


def coriolis(params: EkmanParams) -> float:
    """1/s."""
    return 2 * EARTH * float(np.sin(np.radians(params.latitude)))


def pull(params: EkmanParams) -> complex:
    """Stress over density, eastward + i northward, in m²/s²."""
    return complex(params.stress / params.density * np.exp(1j * np.radians(90 - params.wind)))


def surface(current: NDArray[np.complex128], params: EkmanParams) -> complex:
    """At the surface itself, half a layer above the middle of the first."""
    return complex(current[0] + 0.5 * params.depth / params.layers * pull(params) / params.viscosity)


def arrow(draw: Any, x: float, y: float, dx: float, dy: float) -> None:
    """White, its middle at (x, y)."""
    start, end = (x - dx / 2, y - dy / 2), (x + dx / 2, y + dy / 2)
    draw.line((*start, *end), fill=INK, width=6)
    length = max((dx * dx + dy * dy) ** 0.5, 1e-9)
    ux, uy = dx / length, dy / length
    draw.polygon([end, (end[0] - 22 * ux - 12 * uy, end[1] - 22 * uy + 12 * ux), (end[0] - 22 * ux + 12 * uy, end[1] - 22 * uy - 12 * ux)], fill=INK, outline=GROUND)
