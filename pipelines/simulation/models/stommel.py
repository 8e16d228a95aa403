"""Stommel's two boxes: an overturning ocean with two climates, driven by warmth and held back by salt (Stommel 1961)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.simulation.charts import written
from pipelines.simulation.drawing import INK, canvas, halved, picture_of, ramp
from pipelines.simulation.jit import compiled
from pipelines.simulation.ode import Point, Traced
from studio.api import Numbers, Params, Picture, Preset, Series, Source, ui


class StommelParams(Params):
    salt_effect: float = Field(2.0, ge=0, le=10, title="Salt against warmth, R", description="How much the contrast in salt weighs against that in temperature.", json_schema_extra=ui(live=True, step=0.01))
    salt_rate: float = Field(1 / 6, gt=0, le=2, title="Slowness of salt, δ", description="How slowly salt is restored by rain and drying, against temperature.", json_schema_extra=ui(live=True, step=0.001))
    resistance: float = Field(0.2, ge=0.02, le=5, title="Resistance λ", description="Of the pipe between the boxes: less lets more water through.", json_schema_extra=ui(live=True, step=0.01))
    fresh: float = Field(
        0.0,
        ge=-1,
        le=1,
        title="Fresh water",
        description="More rain or melting ice at the pole: above 0 the contrast of salt towards which both are driven is wider.",
        json_schema_extra=ui(live=True, step=0.01),
    )
    warmth: float = Field(1.0, ge=0, le=2, title="Temperature contrast at the start", description="As a part of that which the air asks for.", json_schema_extra=ui(advanced=True, step=0.01))
    salt: float = Field(0.2, ge=0, le=2, title="Salt contrast at the start", description="As a part of that which rain and drying ask for.", json_schema_extra=ui(advanced=True, step=0.01))


@compiled
def rates(time, y, a, out):  # type: ignore[no-untyped-def]
    flow = (a[0] * y[1] - y[0]) / a[2]
    out[0] = 1.0 - y[0] - abs(flow) * y[0]
    out[1] = a[1] * (1.0 + a[3] - y[1]) - abs(flow) * y[1]


class Stommel(Traced):
    """T' = 1 − T − |f|T, S' = δ(1 + F − S) − |f|S, λf = RS − T: contrasts of warm and cold box; f < 0 sinks at the pole.

    Source: H. Stommel, Thermohaline convection with two stable regimes of flow, Tellus 13 (1961) 224–230 (there F = 0).
    """

    id: ClassVar[str] = "stommel"
    title: ClassVar[str] = "Overturning ocean (Stommel)"
    domain: ClassVar[str] = "Ocean and heat"
    about: ClassVar[str] = (
        "Two basins, one warm and salty, one cold and fresh, are joined at the surface and at the ground. "
        "Cold makes the water of the pole sink, fresh water keeps it up: the stronger of the two decides which way the ocean turns. "
        "The same weather allows both, and a pulse of melt water can tip one into the other."
    )
    Params: ClassVar[type[Params]] = StommelParams
    series: ClassVar[tuple[Series, ...]] = (Series("flow", "Overturning, sinking at the pole"), Series("warmth", "Temperature contrast"), Series("salt", "Salt contrast"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Driven by cold", {}, "The pole sinks, fast."),
        Preset("Driven by salt", {"warmth": 0.6, "salt": 0.7}, "Same weather, other start: slow and reversed."),
        Preset("Melting ice", {"fresh": 0.5}, "Too much fresh water: only the reversed one is left."),
        Preset("Only warmth", {"salt_effect": 0.0}, "Without salt there is one climate."),
    )
    sources: ClassVar[tuple[Source, ...]] = (Source("H. Stommel, Thermohaline convection with two stable regimes of flow, Tellus 13 (1961) 224–230", "https://doi.org/10.3402/tellusa.v13i2.9491"),)
    duration: ClassVar[float] = 40.0
    pace: ClassVar[float] = 15.0
    time_unit: ClassVar[str] = ""
    dt: ClassVar[float] = 0.02
    rates: ClassVar[Any] = rates

    def parts(self, params: StommelParams) -> int:
        """By the quickest overturning that these values allow."""
        quickest = (params.salt_effect * max(params.salt, 1 + abs(params.fresh)) + max(params.warmth, 1.0)) / params.resistance
        return math.ceil(self.dt * (1 + quickest))

    def start(self, params: StommelParams, rng: np.random.Generator) -> Numbers:
        return np.array([params.warmth, params.salt])

    def coefficients(self, params: StommelParams) -> Numbers:
        return np.array([params.salt_effect, params.salt_rate, params.resistance, params.fresh])

    def measured(self, y: Numbers, params: StommelParams) -> Numbers:
        return np.stack([(y[..., 0] - params.salt_effect * y[..., 1]) / params.resistance, y[..., 0], y[..., 1]], axis=-1)

    def render(self, state: Point, params: StommelParams) -> Picture:
        """The boxes in their temperatures with their salt in grains, drops that run as the water does; below the way in the plane of both contrasts."""
        image, draw = canvas(960, 960)
        warmth, salt = state.y
        flow = float(self.measured(state.y, params)[0])
        table = ramp("balance")
        grains = np.random.Generator(np.random.PCG64(7)).random((400, 2))
        for left, sign in ((60, 1), (520, -1)):
            colour = tuple(int(value) for value in table[int(np.clip(128 + 110 * sign * warmth, 0, 255))])
            draw.rounded_rectangle((left, 60, left + 380, 430), 24, fill=colour)
            for x, y in grains[: int(np.clip(110 + 100 * sign * salt, 0, 400))]:
                draw.ellipse((left + 14 + 346 * x, 74 + 336 * y, left + 20 + 346 * x, 80 + 336 * y), fill=(250, 250, 250))
        for height, way in ((120, 1), (370, -1)):
            draw.rectangle((430, height - 26, 530, height + 26), fill=(60, 96, 130))
            phase = (0.12 * state.time * flow * way) % 1
            width = 6 + 10 * min(abs(flow), 2.0)
            for number in range(4):
                x = 430 + 100 * ((number / 4 + phase) % 1)
                ahead = x + width * (1 if flow * way > 0 else -1)
                draw.polygon([(ahead, height), (x, height - width), (x, height + width)], fill=(210, 235, 250))
        written(draw, (250, 16), "warm", INK, 30, "ma")
        written(draw, (710, 16), "cold", INK, 30, "ma")
        self._plane(draw, state, params)
        return picture_of(halved(image))

    def _plane(self, draw: Any, state: Point, params: StommelParams) -> None:
        """Salt contrast to the right, temperature contrast upwards; along the line neither wins."""
        left, right, bottom, top = 90, 900, 920, 500
        draw.rectangle((left, top, right, bottom), outline=(70, 74, 84), width=2)
        end = min(1.1, 1.1 / max(params.salt_effect, 1e-9))
        draw.line((left, bottom, left + (right - left) * end / 1.1, bottom - (bottom - top) * end * params.salt_effect / 1.1), fill=(110, 114, 124), width=3)
        trail = np.array(state.trail)
        points = [(left + (right - left) * float(np.clip(s, 0, 1.1)) / 1.1, bottom - (bottom - top) * float(np.clip(t, 0, 1.1)) / 1.1) for t, s in trail]
        if len(points) > 1:
            draw.line(points, fill=(244, 162, 97), width=5, joint="curve")
        x, y = points[-1]
        draw.ellipse((x - 12, y - 12, x + 12, y + 12), fill=INK)
        written(draw, (right - 8, bottom - 8), "salt", (170, 174, 184), 26, "rb")
        written(draw, (left + 10, top + 6), "temperature", (170, 174, 184), 26)
