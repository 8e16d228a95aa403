"""SEIR: who is infected carries it for a while before infecting others."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.simulation.crowd import EXPOSED, ILL, RECOVERED, WELL, crowd
from pipelines.simulation.jit import compiled
from pipelines.simulation.ode import Point
from pipelines.simulation.outbreak import CASES, LEVELS, Outbreak, OutbreakParams
from studio.api import Numbers, Params, Picture, Preset, Series, Source, ui


class SeirParams(OutbreakParams):
    latent_days: float = Field(
        3.0, ge=0.5, le=60, title="Latent period", description="Mean number of days from infection until infecting others.", json_schema_extra=ui(unit="days", live=True, step=0.1)
    )


@compiled
def rates(time, y, a, out):  # type: ignore[no-untyped-def]
    caught = a[0] * y[0] * y[2] / a[3]
    out[0] = -caught
    out[1] = caught - a[1] * y[1]
    out[2] = a[1] * y[1] - a[2] * y[2]
    out[3] = caught


class Seir(Outbreak):
    """S' = −βSI/N, E' = βSI/N − σE, I' = σE − γI, R' = γI, with 1/σ latent and 1/γ infectious days; early growth r obeys (r + σ)(r + γ) = βσ.

    Source: R. M. Anderson and R. M. May, Infectious Diseases of Humans (Oxford 1991); growth: J. Wallinga and M. Lipsitch, Proc. R. Soc. B 274 (2007) 599–604.
    """

    id: ClassVar[str] = "seir"
    title: ClassVar[str] = "SEIR epidemic"
    about: ClassVar[str] = (
        "Like SIR, but whoever catches the disease first carries it unknowingly for some days. The delay slows the wave without making it smaller: the same number falls ill, only later. "
        "That is why the early growth alone does not tell the reproduction number: one must know both periods."
    )
    Params: ClassVar[type[Params]] = SeirParams
    series: ClassVar[tuple[Series, ...]] = (*LEVELS, Series("exposed", "Exposed", "people"), Series("recovered", "Recovered", "people"), CASES)
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("COVID-19, early 2020", {"r0": 2.5, "latent_days": 3.5, "infectious_days": 4.0}, "About what was estimated before anybody kept distance."),
        Preset("Ebola", {"r0": 1.8, "latent_days": 11.4, "infectious_days": 7.0}, "Slow, for its long incubation."),
        Preset("Measles", {"r0": 15.0, "latent_days": 10.0, "infectious_days": 8.0}, "Hardly anybody escapes."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("R. M. Anderson and R. M. May, Infectious Diseases of Humans, Oxford University Press 1991"),
        Source("J. Wallinga and M. Lipsitch, How generation intervals shape the relationship between growth rates and reproductive numbers, Proc. R. Soc. B 274 (2007) 599–604", "https://doi.org/10.1098/rspb.2006.3754"),
    )
    duration: ClassVar[float] = 200.0
    rates: ClassVar[Any] = rates

    def start(self, params: SeirParams, rng: np.random.Generator) -> Numbers:
        return np.array([params.susceptible, 0.0, params.infected, 0.0])

    def coefficients(self, params: SeirParams) -> Numbers:
        return np.array([params.beta, 1 / params.latent_days, 1 / params.infectious_days, params.population])

    def measured(self, y: Numbers, params: SeirParams) -> Numbers:
        return np.stack([y[..., 0], y[..., 2], y[..., 1], params.population - y[..., :3].sum(axis=-1), y[..., 3]], axis=-1)

    def render(self, state: Point, params: SeirParams) -> Picture:
        way = np.array(state.trail)
        kinds = way[:, [3, 2, 1]] / params.population
        shares = np.column_stack([kinds, 1 - kinds.sum(axis=1)])
        return crowd(shares[-1].clip(0, 1), (ILL, EXPOSED, WELL, RECOVERED), ("infectious", "exposed", "susceptible", "recovered"), np.column_stack([way[:, 0], shares]))
