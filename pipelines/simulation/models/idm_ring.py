"""Intelligent drivers on a ring road: the jam of Sugiyama's 22 cars."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.simulation.drawing import canvas, picture_of, ramp
from pipelines.simulation.jit import compiled
from pipelines.simulation.ode import Ode, Point
from studio.api import BadInput, Numbers, Params, Picture, Preset, Series, Source, ui


class IdmRingParams(Params):
    cars: int = Field(22, ge=2, le=200, title="Cars", description="How many drive on the ring.")
    circumference: float = Field(230.0, ge=20, le=10_000, title="Circumference", description="Length of the ring.", json_schema_extra=ui(unit="m"))
    acceleration: float = Field(1.0, ge=0.1, le=5, title="Acceleration a", description="What a driver takes at most; agile drivers keep the flow stable.", json_schema_extra=ui(live=True, step=0.05, unit="m/s²"))
    headway: float = Field(1.0, ge=0.1, le=5, title="Time gap T", description="How long behind the car ahead a driver wants to be.", json_schema_extra=ui(live=True, step=0.05, unit="s"))
    desired: float = Field(15.0, ge=1, le=60, title="Desired speed", description="On an empty road.", json_schema_extra=ui(live=True, advanced=True, unit="m/s"))
    braking: float = Field(1.5, ge=0.1, le=9, title="Comfortable braking b", description="What a driver likes to brake at most.", json_schema_extra=ui(live=True, advanced=True, step=0.05, unit="m/s²"))
    distance: float = Field(2.0, ge=0.1, le=20, title="Smallest gap", description="Bumper to bumper, standing.", json_schema_extra=ui(live=True, advanced=True, unit="m"))
    car_length: float = Field(5.0, ge=1, le=20, title="Car length", description="Bumper to bumper of one car.", json_schema_extra=ui(advanced=True, unit="m"))
    disturbance: float = Field(1.0, ge=0, le=5, title="Disturbance", description="How far a car stands from its even place at the start, at random.", json_schema_extra=ui(advanced=True, step=0.05, unit="m"))


@compiled
def rates(time, y, a, out):  # type: ignore[no-untyped-def]
    """y: places (n), then speeds (n). Cars don't drive backwards."""
    n = y.shape[0] // 2
    for i in range(n):
        speed = y[n + i]
        ahead = (i + 1) % n
        gap = y[ahead] - y[i] - a[5]
        if ahead == 0:
            gap += a[6]
        gap = max(gap, 1e-3)
        wanted = a[4] + max(0.0, speed * a[2] + speed * (speed - y[n + ahead]) / (2.0 * np.sqrt(a[0] * a[3])))
        push = a[0] * (1.0 - (speed / a[1]) ** 4 - (wanted / gap) ** 2)
        out[i] = max(speed, 0.0)
        out[n + i] = push if speed > 0.0 or push > 0.0 else -speed


class IdmRing(Ode):
    """v' = a[1 − (v/v₀)⁴ − (s*/s)²], s* = s₀ + max(0, vT + vΔv/(2√(ab))), s the gap to the car ahead, Δv how much faster one is than it.

    Source: M. Treiber, A. Hennecke, D. Helbing, Congested traffic states in empirical observations and microscopic simulations, Phys. Rev. E 62 (2000) 1805–1824.
    """

    id: ClassVar[str] = "idm_ring"
    title: ClassVar[str] = "Drivers on a ring"
    domain: ClassVar[str] = "Traffic"
    about: ClassVar[str] = (
        "In 2008 twenty-two people were asked to drive around a circle of 230 metres at one speed, and soon there was a jam. Each driver here keeps a gap that "
        "grows with speed and brakes the harder the faster it shrinks. "
        "With lazy acceleration the smallest unevenness grows from car to car; agile drivers smooth it out."
    )
    Params: ClassVar[type[Params]] = IdmRingParams
    series: ClassVar[tuple[Series, ...]] = (Series("speed", "Mean speed", "m/s"), Series("slowest", "Slowest car", "m/s"), Series("spread", "Spread of speeds", "m/s"), Series("flow", "Flow", "cars/h"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("The jam of 22 cars", {}, "An even start, then a wave that goes backwards."),
        Preset("Agile drivers", {"acceleration": 2.0}, "The same ring, stable: the wave dies out."),
        Preset("Fewer cars", {"cars": 12}, "With room to spare nothing jams."),
        Preset("A long ring", {"cars": 100, "circumference": 1500.0, "acceleration": 0.6, "desired": 30.0}, "Several waves that wander and merge."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("M. Treiber, A. Hennecke, D. Helbing, Congested traffic states in empirical observations and microscopic simulations, Phys. Rev. E 62 (2000) 1805–1824", "https://doi.org/10.1103/PhysRevE.62.1805"),
        Source("Y. Sugiyama et al., Traffic jams without bottlenecks, New J. Phys. 10 (2008) 033001", "https://doi.org/10.1088/1367-2630/10/3/033001"),
        Source("R. E. Wilson, J. A. Ward, Car-following models: fifty years of linear stability analysis, Transp. Plan. Technol. 34 (2011) 3–18", "https://doi.org/10.1080/03081060.2011.530826"),
    )
    duration: ClassVar[float] = 300.0
    pace: ClassVar[float] = 30.0
    pokes: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True
    dt: ClassVar[float] = 0.05
    rates: ClassVar[Any] = rates

    def check(self, params: IdmRingParams) -> None:
        room = params.cars * (params.car_length + params.distance)
        if room > params.circumference:
            raise BadInput(f"{params.cars} cars need {room:g} m even when they stand.", hint="Take fewer cars or a longer ring.", field="cars")
        if 2 * params.disturbance > params.circumference / params.cars - params.car_length:
            raise BadInput("The cars would overlap at the start.", hint="Take a smaller disturbance.", field="disturbance")

    def start(self, params: IdmRingParams, rng: np.random.Generator) -> Numbers:
        places = np.arange(params.cars) * params.circumference / params.cars + params.disturbance * rng.uniform(-1, 1, params.cars)
        return np.concatenate([places, np.full(params.cars, even_speed(params))])

    def coefficients(self, params: IdmRingParams) -> Numbers:
        return np.array([params.acceleration, params.desired, params.headway, params.braking, params.distance, params.car_length, params.circumference])

    def measured(self, y: Numbers, params: IdmRingParams) -> Numbers:
        speeds = np.maximum(y[..., params.cars :], 0.0)
        mean = speeds.mean(axis=-1)
        return np.stack([mean, speeds.min(axis=-1), speeds.std(axis=-1), mean * params.cars / params.circumference * 3600], axis=-1)

    def poke(self, state: Point, params: IdmRingParams, x: float, y: float, rng: np.random.Generator) -> Point:
        """The car nearest to that direction brakes to a stand."""
        angle = np.arctan2(0.5 - y, x - 0.5)
        cars = state.y[: params.cars] / params.circumference * 2 * np.pi
        state.y[params.cars + int(np.argmax(np.cos(cars - angle)))] = 0.0
        return state

    def render(self, state: Point, params: IdmRingParams) -> Picture:
        side, middle, radius = 420, 210, 165
        image, draw = canvas(side, side)
        draw.ellipse((middle - radius - 16, middle - radius - 16, middle + radius + 16, middle + radius + 16), fill=(52, 55, 64))
        draw.ellipse((middle - radius + 16, middle - radius + 16, middle + radius - 16, middle + radius - 16), fill=(24, 26, 32))
        angles = state.y[: params.cars] / params.circumference * 2 * np.pi
        half = max(0.5 * params.car_length / params.circumference * 2 * np.pi, 0.008)
        top = max(1.5 * even_speed(params), 1.0)
        for angle, speed in zip(angles, state.y[params.cars :], strict=True):
            colour = tuple(int(value) for value in ramp("balance")[255 - int(255 * np.clip(speed / top, 0, 1))])
            box = [(middle + r * np.cos(t), middle - r * np.sin(t)) for r, t in ((radius - 7, angle - 2 * half), (radius + 7, angle - 2 * half), (radius + 7, angle), (radius - 7, angle))]
            draw.polygon(box, fill=colour)
        return picture_of(image)


def even_speed(params: IdmRingParams) -> float:
    """The speed at which nobody speeds up or brakes when all gaps are the same, by bisection."""
    gap = params.circumference / params.cars - params.car_length
    low, high = 0.0, params.desired
    for _ in range(60):
        speed = 0.5 * (low + high)
        low, high = (speed, high) if 1 - (speed / params.desired) ** 4 - ((params.distance + speed * params.headway) / gap) ** 2 > 0 else (low, speed)
    return low
