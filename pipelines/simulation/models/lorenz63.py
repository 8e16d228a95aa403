"""Lorenz 1963: three numbers left over from convection in a fluid, and the first strange attractor."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.simulation.drawing import way
from pipelines.simulation.jit import compiled
from pipelines.simulation.ode import Point, Traced
from studio.api import Numbers, Params, Picture, Preset, Series, Source, ui


class Lorenz63Params(Params):
    sigma: float = Field(10.0, ge=0, le=50, title="Prandtl number σ", description="How fast the flow follows the temperature.", json_schema_extra=ui(live=True))
    rho: float = Field(28.0, ge=0, le=350, title="Rayleigh number ρ", description="How strongly it is heated from below; 1 is where convection begins.", json_schema_extra=ui(live=True))
    beta: float = Field(8 / 3, ge=0, le=10, title="Aspect β", description="How flat the rolls are.", json_schema_extra=ui(live=True, step=0.001))
    x0: float = Field(1.0, ge=-50, le=50, title="x at the start", description="Speed of the roll.", json_schema_extra=ui(advanced=True))
    y0: float = Field(1.0, ge=-50, le=50, title="y at the start", description="Temperature between rising and sinking fluid.", json_schema_extra=ui(advanced=True))
    z0: float = Field(1.0, ge=-50, le=100, title="z at the start", description="How far the profile is from a straight line.", json_schema_extra=ui(advanced=True))


@compiled
def rates(time, y, a, out):  # type: ignore[no-untyped-def]
    out[0] = a[0] * (y[1] - y[0])
    out[1] = y[0] * (a[1] - y[2]) - y[1]
    out[2] = y[0] * y[1] - a[2] * y[2]


class Lorenz63(Traced):
    """x' = σ(y − x), y' = x(ρ − z) − y, z' = xy − βz.

    Source: E. N. Lorenz, Deterministic nonperiodic flow, J. Atmos. Sci. 20 (1963) 130–141.
    """

    id: ClassVar[str] = "lorenz63"
    title: ClassVar[str] = "Lorenz 1963"
    domain: ClassVar[str] = "Weather and climate"
    about: ClassVar[str] = (
        "A fluid heated from below turns in rolls that now and then change their direction. Three equations are left of it, and two starts that differ in the sixth digit soon go different ways. "
        "That is why weather can't be foretold for long, however good the equations."
    )
    Params: ClassVar[type[Params]] = Lorenz63Params
    series: ClassVar[tuple[Series, ...]] = (Series("x", "Roll speed x"), Series("y", "Temperature y"), Series("z", "Profile z"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Chaos", {}, "The classical butterfly."),
        Preset("Rest", {"rho": 0.5}, "Too little heat: all motion dies."),
        Preset("Steady roll", {"rho": 14.0}, "It turns one way for ever."),
        Preset("Periodic window", {"rho": 160.0}, "Order again, in the midst of chaos."),
    )
    sources: ClassVar[tuple[Source, ...]] = (Source("E. N. Lorenz, Deterministic nonperiodic flow, J. Atmos. Sci. 20 (1963) 130–141", "https://doi.org/10.1175/1520-0469(1963)020<0130:DNF>2.0.CO;2"),)
    duration: ClassVar[float] = 50.0
    pace: ClassVar[float] = 25.0
    time_unit: ClassVar[str] = ""
    rates: ClassVar[Any] = rates

    def start(self, params: Lorenz63Params, rng: np.random.Generator) -> Numbers:
        return np.array([params.x0, params.y0, params.z0])

    def coefficients(self, params: Lorenz63Params) -> Numbers:
        return np.array([params.sigma, params.rho, params.beta])

    def render(self, state: Point, params: Lorenz63Params) -> Picture:
        size = max(10.0, params.rho)
        return way(np.array(state.trail)[:, [0, 2]], (-0.9 * size, 0.9 * size, -2, 1.8 * size))
