"""Lotka-Volterra: predators and prey that chase each other for ever."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.simulation.drawing import way
from pipelines.simulation.jit import compiled
from pipelines.simulation.ode import Ode, Point
from studio.api import Numbers, Params, Picture, Preset, Series, Source, ui


class LotkaVolterraParams(Params):
    growth: float = Field(1.1, ge=0.01, le=10, title="Growth α", description="How fast prey multiply when nobody eats them.", json_schema_extra=ui(live=True, unit="1/time", step=0.01))
    hunting: float = Field(0.4, ge=0.001, le=10, title="Hunting β", description="Share of the prey that one predator takes.", json_schema_extra=ui(live=True, unit="1/time", step=0.01))
    starving: float = Field(0.4, ge=0.01, le=10, title="Starving γ", description="How fast predators die without prey.", json_schema_extra=ui(live=True, unit="1/time", step=0.01))
    feeding: float = Field(0.1, ge=0.001, le=10, title="Feeding δ", description="How much one prey lets predators multiply.", json_schema_extra=ui(live=True, unit="1/time", step=0.01))
    prey: float = Field(10.0, ge=0, le=10_000, title="Prey at the start", description="In any unit: thousands, say.", json_schema_extra=ui(advanced=True))
    predators: float = Field(5.0, ge=0, le=10_000, title="Predators at the start", description="In any unit: thousands, say.", json_schema_extra=ui(advanced=True))


NONE = 1e-300  # fewer prey count as none: what is left would soon be too small for a number


@compiled
def rates(time, y, a, out):  # type: ignore[no-untyped-def]
    out[0] = a[0] * y[0] - a[1] * y[0] * y[1] if y[0] >= NONE else 0.0
    out[1] = a[3] * y[0] * y[1] - a[2] * y[1]


@compiled
def swiftness(y, a):  # type: ignore[no-untyped-def]
    """Where both are many, prey are eaten and predators multiply thousands of times a year."""
    return a[2] + a[3] * abs(y[0]) + (a[0] + a[1] * abs(y[1]) if y[0] >= NONE else 0.0)


class LotkaVolterra(Ode):
    """x' = αx − βxy, y' = δxy − γy. V = δx − γ ln x + βy − α ln y never changes.

    Every course is a closed curve: none grows beyond all numbers. A start with thousands of animals leaves fewer than 1e-300 prey: they count as none from then on.

    Sources: A. J. Lotka, Elements of Physical Biology (1925); V. Volterra, Fluctuations in the abundance of a species considered mathematically, Nature 118 (1926) 558–560.
    """

    id: ClassVar[str] = "lotka_volterra"
    title: ClassVar[str] = "Predators and prey"
    domain: ClassVar[str] = "Ecosystem"
    about: ClassVar[str] = (
        "Many prey let predators multiply, many predators leave few prey, and few prey let predators starve: the two go round in a circle that never closes in. "
        "Volterra explained with it why sharks became more frequent when war kept the fishermen at home. Click in the picture to set both numbers anew."
    )
    Params: ClassVar[type[Params]] = LotkaVolterraParams
    series: ClassVar[tuple[Series, ...]] = (Series("prey", "Prey"), Series("predators", "Predators"), Series("invariant", "Invariant V"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Round and round", {}, "Peaks of predators follow those of prey."),
        Preset("Near the balance", {"prey": 4.4, "predators": 2.75}, "A small circle, with the period 2π/√(αγ)."),
        Preset("Boom and bust", {"prey": 25.0, "predators": 10.0}, "Long quiet, then a flood."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("A. J. Lotka, Elements of Physical Biology, Williams & Wilkins 1925"),
        Source("V. Volterra, Fluctuations in the abundance of a species considered mathematically, Nature 118 (1926) 558–560", "https://doi.org/10.1038/118558a0"),
    )
    duration: ClassVar[float] = 60.0
    time_unit: ClassVar[str] = "years"
    pokes: ClassVar[bool] = True
    rates: ClassVar[Any] = rates
    swiftness: ClassVar[Any] = swiftness

    def start(self, params: LotkaVolterraParams, rng: np.random.Generator) -> Numbers:
        return np.array([params.prey, params.predators])

    def coefficients(self, params: LotkaVolterraParams) -> Numbers:
        return np.array([params.growth, params.hunting, params.starving, params.feeding])

    def measured(self, y: Numbers, params: LotkaVolterraParams) -> Numbers:
        prey, predators = y[..., 0], y[..., 1]
        logs = params.starving * np.log(np.maximum(prey, NONE)) + params.growth * np.log(np.maximum(predators, NONE))
        return np.stack([prey, predators, params.feeding * prey + params.hunting * predators - logs], axis=-1)

    def poke(self, state: Point, params: LotkaVolterraParams, x: float, y: float, rng: np.random.Generator) -> Point:
        left, right, bottom, top = box(state)
        return Point(state.time, (now := np.array([left + x * (right - left), top - y * (top - bottom)]).clip(1e-3)), [now.copy()])

    def render(self, state: Point, params: LotkaVolterraParams) -> Picture:
        return way(np.array(state.trail), box(state))


def box(state: Point) -> tuple[float, float, float, float]:
    """What the picture spans: from nothing to a little more than the most that was, in steps so that it doesn't tremble."""
    most = np.max(np.array(state.trail), axis=0)
    right, top = (2 ** (np.ceil(2 * np.log2(max(1.05 * value, 1e-3))) / 2) for value in most)
    return 0.0, float(right), 0.0, float(top)
