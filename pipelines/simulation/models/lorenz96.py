"""Lorenz 1996: a ring of weather stations at one latitude, driven, damped and stirred; the standard small world of forecasting."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from pydantic import Field

from pipelines.simulation.drawing import GROUND, INK, canvas, picture_of, ramp
from pipelines.simulation.jit import compiled
from pipelines.simulation.ode import Point, Traced
from studio.api import Numbers, Params, Picture, Preset, Series, Source, ui

CALM = 12.0  # the forcing up to which a step is not divided
ROWS = 240  # steps of the past that the picture shows


class Lorenz96Params(Params):
    forcing: float = Field(8.0, ge=-20, le=40, title="Forcing F", description="How strongly every place is driven; chaos from about 4 on.", json_schema_extra=ui(live=True, step=0.1))
    places: int = Field(40, ge=4, le=500, title="Places N", description="How many there are around the circle of latitude.", json_schema_extra=ui())
    push: float = Field(0.01, ge=-5, le=5, title="Push", description="By how much one place differs at the start from the state of rest.", json_schema_extra=ui(step=0.001))
    pushed: int = Field(20, ge=1, le=500, title="Place pushed", description="Which place that is.", json_schema_extra=ui(advanced=True))


@compiled
def rates(time, y, a, out):  # type: ignore[no-untyped-def]
    n = y.shape[0]
    for i in range(n):
        out[i] = (y[(i + 1) % n] - y[i - 2]) * y[i - 1] - y[i] + a[0]


class Lorenz96(Traced):
    """x_i' = (x_{i+1} − x_{i−2}) x_{i−1} − x_i + F around a circle; a unit of time is five days.

    Source: E. N. Lorenz & K. A. Emanuel, Optimal sites for supplementary weather observations, J. Atmos. Sci. 55 (1998) 399–414.
    """

    id: ClassVar[str] = "lorenz96"
    title: ClassVar[str] = "Lorenz 1996"
    domain: ClassVar[str] = "Weather and climate"
    about: ClassVar[str] = (
        "One quantity, say temperature, at places around a circle of latitude: it is driven everywhere, damped, and carried along by its neighbours. "
        "Waves form, travel and break up in ways that can't be foretold for long. "
        "Methods of weather forecasting are tried on it before they are trusted with the atmosphere."
    )
    Params: ClassVar[type[Params]] = Lorenz96Params
    series: ClassVar[tuple[Series, ...]] = (Series("first", "Value at the first place"), Series("mean", "Mean of all places"), Series("spread", "Standard deviation of all places"), Series("energy", "Energy per place"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Weather", {}, "Chaos: errors double in about two days."),
        Preset("Rest", {"forcing": 0.8, "push": 2.0}, "Too weak a forcing: every wave dies out."),
        Preset("Regular waves", {"forcing": 3.0}, "A train of waves that goes round for ever."),
        Preset("Storm", {"forcing": 16.0}, "Driven twice as hard."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("E. N. Lorenz & K. A. Emanuel, Optimal sites for supplementary weather observations: simulation with a small model, J. Atmos. Sci. 55 (1998) 399–414"),
        Source("A. Karimi & M. R. Paul, Extensive chaos in the Lorenz-96 model, Chaos 20 (2010) 043105", "https://doi.org/10.1063/1.3496397"),
    )
    duration: ClassVar[float] = 40.0
    pace: ClassVar[float] = 40.0
    time_unit: ClassVar[str] = ""
    dt: ClassVar[float] = 0.05  # six hours, as in the source
    pokes: ClassVar[bool] = True
    rates: ClassVar[Any] = rates

    def parts(self, params: Lorenz96Params) -> int:
        """Twice the forcing makes storms that are twice as quick: steps of six hours follow them up to F = 12."""
        return max(1, math.ceil(abs(params.forcing) / CALM))

    def start(self, params: Lorenz96Params, rng: np.random.Generator) -> Numbers:
        y = np.full(params.places, params.forcing)
        y[(params.pushed - 1) % params.places] += params.push
        return y

    def coefficients(self, params: Lorenz96Params) -> Numbers:
        return np.array([params.forcing])

    def measured(self, y: Numbers, params: Lorenz96Params) -> Numbers:
        return np.stack([y[..., 0], y.mean(axis=-1), y.std(axis=-1), (y**2).mean(axis=-1) / 2], axis=-1)

    def poke(self, state: Point, params: Lorenz96Params, x: float, y: float, rng: np.random.Generator) -> Point:
        """A warm push at the place above which was clicked."""
        vector = state.y.copy()
        vector[min(int(x * params.places), params.places - 1)] += 3.0
        return self.unpack(state, vector)

    def render(self, state: Point, params: Lorenz96Params) -> Picture:
        """Above the values as they stand around the circle, below how they came: time runs downwards."""
        reach = max(4.0, 1.6 * abs(params.forcing))
        image, draw = canvas(480, 480)
        past = np.array(state.trail[-ROWS:])
        rows = ramp("balance")[(np.clip((past + reach * 0.6) / (1.6 * reach), 0, 1) * 255).astype(np.uint8)]
        image.paste(Image.fromarray(rows).resize((480, round(340 * len(past) / ROWS) or 1), Image.Resampling.BICUBIC), (0, 140))
        draw.rectangle((0, 0, 480, 139), fill=GROUND)
        ring = np.append(state.y, state.y[0])
        across, up = np.linspace(0, 480, ring.size), 84 - 64 * np.clip(ring / reach, -0.85, 1.25)
        draw.line((0, 84, 480, 84), fill=(70, 74, 84))
        draw.line([(float(x), float(y)) for x, y in zip(across, up, strict=True)], fill=INK, width=2, joint="curve")
        return picture_of(image)
