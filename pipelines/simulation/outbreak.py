"""Outbreak: base of epidemics as ordinary differential equations, with the fields and series that all have."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.simulation.ode import TRAIL, Ode, Point
from studio.api import BadInput, Params, Series, ui

CASES = Series("cases", "Cases", "people", "total")
LEVELS = (Series("susceptible", "Susceptible", "people"), Series("infectious", "Infectious", "people"))

APART = 10  # steps between two points of the way at most


class OutbreakParams(Params):
    """What every epidemic of a well-mixed population has."""

    r0: float = Field(2.0, ge=0, le=20, title="Reproduction number R₀", description="How many people one ill person infects where everybody is susceptible.", json_schema_extra=ui(live=True, step=0.01))
    infectious_days: float = Field(
        5.0, ge=1, le=60, title="Infectious period", description="Mean number of days during which an ill person infects others.", json_schema_extra=ui(unit="days", live=True, step=0.1)
    )
    infected: int = Field(10, ge=0, le=1_000_000, title="Infected at the start", description="People who bring it in.", json_schema_extra=ui(unit="people"))
    population: int = Field(10_000, ge=1, le=100_000_000, title="Population", description="All people, at the start and for ever.", json_schema_extra=ui(unit="people", advanced=True))
    immune: float = Field(0.0, ge=0, le=1, title="Immune at the start", description="Share of the population that can't fall ill.", json_schema_extra=ui(advanced=True, step=0.01))
    contacts: float = Field(
        1.0, ge=0, le=2, title="Contacts kept", description="Share of the usual contacts that still take place: 0.5 halves them.", json_schema_extra=ui(live=True, advanced=True, step=0.01)
    )

    @property
    def beta(self) -> float:
        """New cases per ill person and day where everybody is susceptible."""
        return self.contacts * self.r0 / self.infectious_days

    @property
    def susceptible(self) -> float:
        """How many can fall ill at the start."""
        return min(self.population - self.infected, self.population * (1 - self.immune))


def check_people(params: OutbreakParams) -> None:
    """Raises BadInput where more are ill than there are."""
    if params.infected > params.population:
        raise BadInput("More people are infected at the start than there are.", hint="Make the population larger, or infect fewer.", field="infected")


class Outbreak(Ode):
    """States are people by kind, and last the cases so far; the way keeps the time with them."""

    dt: ClassVar[float] = 0.05
    time_unit: ClassVar[str] = "days"
    domain: ClassVar[str] = "Epidemic"

    def check(self, params: Any) -> None:
        check_people(params)

    def init(self, params: Any, rng: np.random.Generator) -> Point:
        state = super().init(params, rng)
        state.trail[0] = np.append(0.0, state.y)
        return state

    def advance(self, state: Point, params: Any, rng: np.random.Generator, steps: int) -> Point:
        a = self.coefficients(params)
        for done in range(0, steps, APART):
            part = min(APART, steps - done)
            self._advance(state.time, state.y, a, self.dt, part)
            state.time += part * self.dt
            state.trail.append(np.append(state.time, state.y))
        del state.trail[:-TRAIL]
        return state
