"""Rosenzweig-MacArthur: predators that can be full, and the paradox of enrichment."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from PIL import Image, ImageDraw
from pydantic import Field

from pipelines.simulation.drawing import picture_of, way
from pipelines.simulation.jit import compiled
from pipelines.simulation.ode import Ode, Point
from studio.api import BadInput, Numbers, Params, Picture, Preset, Series, Source, ui


class RosenzweigParams(Params):
    capacity: float = Field(3.0, ge=0.1, le=100, title="Capacity K", description="How many prey the land feeds.", json_schema_extra=ui(live=True, step=0.05))
    growth: float = Field(1.0, ge=0.01, le=10, title="Growth r", description="How fast few prey multiply.", json_schema_extra=ui(live=True, unit="1/time", step=0.01))
    attack: float = Field(1.0, ge=0.01, le=20, title="Attack rate a", description="How much of the prey a hungry predator finds.", json_schema_extra=ui(live=True, unit="1/time", step=0.01))
    mortality: float = Field(0.3, ge=0.001, le=5, title="Mortality m", description="How fast predators die.", json_schema_extra=ui(live=True, unit="1/time", step=0.005))
    handling: float = Field(1.0, ge=0.001, le=20, title="Handling time h", description="How long one prey keeps a predator busy.", json_schema_extra=ui(live=True, advanced=True, unit="time", step=0.01))
    conversion: float = Field(1.0, ge=0.01, le=5, title="Conversion e", description="Predators born for one prey eaten.", json_schema_extra=ui(live=True, advanced=True, step=0.01))
    prey: float = Field(1.0, ge=0.001, le=100, title="Prey at the start", description="In the unit of the capacity.", json_schema_extra=ui(advanced=True))
    predators: float = Field(0.5, ge=0, le=100, title="Predators at the start", description="In the unit of the capacity.", json_schema_extra=ui(advanced=True))


@compiled
def rates(time, y, a, out):  # type: ignore[no-untyped-def]
    eaten = a[2] * y[0] * y[1] / (1.0 + a[2] * a[4] * y[0])
    out[0] = a[0] * y[0] * (1.0 - y[0] / a[1]) - eaten
    out[1] = a[5] * eaten - a[3] * y[1]


class RosenzweigMacArthur(Ode):
    """R' = rR(1 − R/K) − aRC/(1 + ahR), C' = eaRC/(1 + ahR) − mC. Both rest at R* = m/(a(e − mh)) until K = (e + mh)/(ah(e − mh)), from there on they cycle.

    Source: M. L. Rosenzweig, R. H. MacArthur, Graphical representation and stability conditions of predator-prey interactions, Am. Nat. 97 (1963) 209–223.
    """

    id: ClassVar[str] = "rosenzweig_macarthur"
    title: ClassVar[str] = "Paradox of enrichment"
    domain: ClassVar[str] = "Ecosystem"
    about: ClassVar[str] = (
        "The land feeds only so many prey and a predator is full at some time. Feed the prey better, by a larger capacity, and past a point the balance breaks "
        "into cycles that nearly wipe both out: that is the paradox of enrichment. "
        "The lines in the picture are where prey or predators stand still; left of the hump of the first there is no peace."
    )
    Params: ClassVar[type[Params]] = RosenzweigParams
    series: ClassVar[tuple[Series, ...]] = (Series("prey", "Prey"), Series("predators", "Predators"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Cycles", {}, "A rich land: both swing."),
        Preset("Balance", {"capacity": 1.5}, "A poor land: both come to rest."),
        Preset("At the edge", {"capacity": 1.8571428571428572}, "The Hopf point, where resting takes for ever."),
        Preset("Too rich", {"capacity": 8.0}, "In the troughs hardly anybody is left."),
        Preset("No predators", {"capacity": 0.4}, "Too little prey to live on."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("M. L. Rosenzweig, R. H. MacArthur, Graphical representation and stability conditions of predator-prey interactions, Am. Nat. 97 (1963) 209–223", "https://doi.org/10.1086/282272"),
        Source("M. L. Rosenzweig, Paradox of enrichment, Science 171 (1971) 385–387", "https://doi.org/10.1126/science.171.3969.385"),
    )
    duration: ClassVar[float] = 200.0
    time_unit: ClassVar[str] = "years"
    pokes: ClassVar[bool] = True
    dt: ClassVar[float] = 0.02
    rates: ClassVar[Any] = rates

    def check(self, params: RosenzweigParams) -> None:
        if params.prey > 4 * params.capacity:
            raise BadInput("So many prey at the start are far more than the land feeds.", hint=f"Take at most {4 * params.capacity:g}, or a larger capacity.", field="prey")

    def parts(self, params: RosenzweigParams) -> int:
        """By how fast as many predators as all prey could feed would eat the last prey."""
        most = params.predators + params.conversion * max(params.capacity, params.prey)
        return math.ceil(self.dt * (params.growth + params.attack * most))

    def start(self, params: RosenzweigParams, rng: np.random.Generator) -> Numbers:
        return np.array([params.prey, params.predators])

    def coefficients(self, params: RosenzweigParams) -> Numbers:
        return np.array([params.growth, params.capacity, params.attack, params.mortality, params.handling, params.conversion])

    def poke(self, state: Point, params: RosenzweigParams, x: float, y: float, rng: np.random.Generator) -> Point:
        left, right, bottom, top = box(state, params)
        return Point(state.time, (now := np.array([left + x * (right - left), top - y * (top - bottom)]).clip(1e-3)), [now.copy()])

    def render(self, state: Point, params: RosenzweigParams) -> Picture:
        _, right, _, top = box(state, params)
        image = Image.fromarray(way(np.array(state.trail), box(state, params)))
        draw = ImageDraw.Draw(image)
        wide, high = image.width - 20, image.height - 20

        def at(prey: float, predators: float) -> tuple[float, float]:
            return 10 + prey / right * wide, image.height - 10 - predators / top * high

        prey = np.linspace(0, params.capacity, 60)
        still = params.growth / params.attack * (1 - prey / params.capacity) * (1 + params.attack * params.handling * prey)
        draw.line([at(a, b) for a, b in zip(prey, still, strict=True)], fill=(86, 156, 214), width=2)
        if (resting := resting_prey(params)) < right:
            draw.line([at(resting, 0), at(resting, top)], fill=(231, 111, 121), width=2)
        return picture_of(image)


def resting_prey(params: RosenzweigParams) -> float:
    """R*, infinite where predators can't live."""
    spare = params.conversion - params.mortality * params.handling
    return params.mortality / (params.attack * spare) if spare > 0 else float("inf")


def box(state: Point, params: RosenzweigParams) -> tuple[float, float, float, float]:
    """What the picture spans: the capacity, and the way or twice the hump of the line where prey stand still, in steps so that it doesn't tremble."""
    hump = np.clip(0.5 * (params.capacity - 1 / (params.attack * params.handling)), 0, params.capacity)
    still = params.growth / params.attack * (1 - hump / params.capacity) * (1 + params.attack * params.handling * hump)
    most = max(2 * still, 1.05 * max(y[1] for y in state.trail), 1e-3)
    return 0.0, max(1.1 * params.capacity, state.trail[0][0]), 0.0, float(2 ** (np.ceil(4 * np.log2(most)) / 4))
