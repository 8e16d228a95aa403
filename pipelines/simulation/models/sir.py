"""SIR: people are susceptible, infectious, recovered. The oldest model of an epidemic."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from pipelines.simulation.crowd import ILL, RECOVERED, WELL, crowd
from pipelines.simulation.jit import compiled
from pipelines.simulation.ode import Point
from pipelines.simulation.outbreak import CASES, LEVELS, Outbreak, OutbreakParams
from studio.api import Numbers, Params, Picture, Preset, Series, Source


class SirParams(OutbreakParams):
    """Nothing beyond what every outbreak has."""


@compiled
def rates(time, y, a, out):  # type: ignore[no-untyped-def]
    caught = a[0] * y[0] * y[1] / a[2]
    out[0] = -caught
    out[1] = caught - a[1] * y[1]
    out[2] = caught


class Sir(Outbreak):
    """S' = −βSI/N, I' = βSI/N − γI, R' = γI, with β = contacts·R₀γ and 1/γ days of illness.

    Source: W. O. Kermack and A. G. McKendrick, A contribution to the mathematical theory of epidemics, Proc. R. Soc. A 115 (1927) 700–721.
    """

    id: ClassVar[str] = "sir"
    title: ClassVar[str] = "SIR epidemic"
    about: ClassVar[str] = (
        "Everybody meets everybody: the susceptible fall ill, the ill recover and stay immune. If each ill person infects more than one other, an epidemic runs until too few are left to catch it. "
        "Some always escape it, and how many depends on the reproduction number alone."
    )
    Params: ClassVar[type[Params]] = SirParams
    series: ClassVar[tuple[Series, ...]] = (*LEVELS, Series("recovered", "Recovered", "people"), CASES)
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Influenza", {"r0": 1.5, "infectious_days": 4.0}, "A seasonal wave: 58 of 100 fall ill."),
        Preset("Measles", {"r0": 15.0, "infectious_days": 8.0}, "Hardly anybody escapes."),
        Preset("Herd immunity", {"r0": 2.0, "immune": 0.55, "infected": 50}, "More than half are immune: it can't take hold."),
        Preset("Half the contacts", {"r0": 2.5, "contacts": 0.5}, "The same disease among people who meet half as often."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("W. O. Kermack and A. G. McKendrick, A contribution to the mathematical theory of epidemics, Proc. R. Soc. A 115 (1927) 700–721", "https://doi.org/10.1098/rspa.1927.0118"),
    )
    duration: ClassVar[float] = 120.0
    rates: ClassVar[Any] = rates

    def start(self, params: SirParams, rng: np.random.Generator) -> Numbers:
        return np.array([params.susceptible, params.infected, 0.0])

    def coefficients(self, params: SirParams) -> Numbers:
        return np.array([params.beta, 1 / params.infectious_days, params.population])

    def measured(self, y: Numbers, params: SirParams) -> Numbers:
        return np.stack([y[..., 0], y[..., 1], params.population - y[..., 0] - y[..., 1], y[..., 2]], axis=-1)

    def render(self, state: Point, params: SirParams) -> Picture:
        way = np.array(state.trail)
        kinds = way[:, [2, 1]] / params.population
        shares = np.column_stack([kinds, 1 - kinds.sum(axis=1)])
        return crowd(shares[-1].clip(0, 1), (ILL, WELL, RECOVERED), ("infectious", "susceptible", "recovered"), np.column_stack([way[:, 0], shares]))
