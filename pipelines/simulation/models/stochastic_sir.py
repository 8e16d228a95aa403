"""Stochastic SIR and SEIR: whole people who meet by chance, so that an epidemic can die out before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.counting import seen, seen_at
from pipelines.simulation.crowd import EXPOSED, ILL, RECOVERED, WELL, crowd
from pipelines.simulation.jit import compiled
from pipelines.simulation.outbreak import CASES, LEVELS, OutbreakParams, check_people
from studio.api import Numbers, Params, Picture, Preset, Series, Simulation, Source, chance, steps_at, ui

STEP_DAYS = 0.1
TRAIL = 3000


class StochasticSirParams(OutbreakParams):
    latent_days: float = Field(
        0.0, ge=0, le=60, title="Latent period", description="Mean number of days from infection until infecting others; 0 leaves it out (SIR).", json_schema_extra=ui(unit="days", live=True, step=0.1)
    )
    method: Literal["every event", "steps"] = Field(
        "every event", title="Method", description="Every event one by one is exact; steps of 0.1 days draw how many events fall into each, faster for millions of people.", json_schema_extra=ui(advanced=True)
    )


@compiled
def every_event(rng, people, rates, dt, steps):  # type: ignore[no-untyped-def]
    """Gillespie's direct method on people (S, E, I, R, cases) whole numbers in place; `rates` is (β/N, σ, γ), σ = 0 leaves out E.

    What is left of a waiting time at the end of a step is drawn anew, which changes nothing: it has no memory.
    """
    for _ in range(steps):
        left = dt
        while people[1] + people[2] > 0:
            catch = rates[0] * people[0] * people[2]
            break_out = rates[1] * people[1]
            total = catch + break_out + rates[2] * people[2]
            if total <= 0.0:
                break
            left -= rng.standard_exponential() / total
            if left < 0.0:
                break
            which = rng.random() * total
            if which < catch:
                people[0] -= 1
                people[4] += 1
                if rates[1] > 0.0:
                    people[1] += 1
                else:
                    people[2] += 1
            elif which < catch + break_out:
                people[1] -= 1
                people[2] += 1
            else:
                people[2] -= 1
                people[3] += 1


@compiled
def by_steps(rng, people, rates, dt, steps):  # type: ignore[no-untyped-def]
    """Chain binomial: in a step everybody has the chance that their rate at its beginning gives."""
    for _ in range(steps):
        if people[1] + people[2] == 0:
            break
        caught = rng.binomial(people[0], 1.0 - np.exp(-rates[0] * people[2] * dt))
        recovered = rng.binomial(people[2], 1.0 - np.exp(-rates[2] * dt))
        broken_out = caught
        if rates[1] > 0.0:
            broken_out = rng.binomial(people[1], 1.0 - np.exp(-rates[1] * dt))
            people[1] += caught - broken_out
        people[0] -= caught
        people[2] += broken_out - recovered
        people[3] += recovered
        people[4] += caught


EVENTS_AT, STEPS_AT = seen_at.having(stretch=every_event), seen_at.having(stretch=by_steps)


@dataclass
class Outbreaks:
    """One run: people (S, E, I, R, cases) and the way it came, (time, S, E, I, R)."""

    people: NDArray[np.int64]
    time: float = 0.0
    trail: list[Numbers] = field(default_factory=list)


class StochasticSir(Simulation):
    """S + I → 2 I at rate βSI/N (→ E + I with a latent period, E → I at rate σ), I → R at rate γ: a Markov chain. An outbreak of I₀ ill dies out early with chance R₀^−I₀.

    Sources: D. T. Gillespie, J. Phys. Chem. 81 (1977) 2340–2361; P. Whittle, Biometrika 42 (1955) 116–122.
    """

    id: ClassVar[str] = "stochastic_sir"
    title: ClassVar[str] = "Stochastic epidemic"
    domain: ClassVar[str] = "Epidemic"
    about: ClassVar[str] = (
        "The same disease, but people come whole and meet by chance. One ill person may recover before infecting anybody: with a reproduction number of 2 every other outbreak ends by itself. "
        "Run it again and again: either hardly anybody falls ill, or four fifths do, and nothing between."
    )
    Params: ClassVar[type[Params]] = StochasticSirParams
    series: ClassVar[tuple[Series, ...]] = (*LEVELS, Series("exposed", "Exposed", "people"), Series("recovered", "Recovered", "people"), CASES)
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("One traveller", {"infected": 1}, "Every other time nothing comes of it."),
        Preset("A village", {"population": 300, "infected": 2}, "Few people: chance rules."),
        Preset("At the threshold", {"r0": 1.0, "infected": 5}, "Outbreaks of every size."),
        Preset("With a latent period", {"r0": 2.5, "latent_days": 4.0, "infected": 5}, "SEIR, event by event."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("D. T. Gillespie, Exact stochastic simulation of coupled chemical reactions, J. Phys. Chem. 81 (1977) 2340–2361", "https://doi.org/10.1021/j100540a008"),
        Source("P. Whittle, The outcome of a stochastic epidemic, Biometrika 42 (1955) 116–122", "https://doi.org/10.1093/biomet/42.1-2.116"),
        Source("H. Andersson and T. Britton, Stochastic Epidemic Models and Their Statistical Analysis, Springer 2000"),
    )
    duration: ClassVar[float] = 120.0
    time_unit: ClassVar[str] = "days"
    stochastic: ClassVar[bool] = True

    def time_step(self, params: StochasticSirParams) -> float:
        return STEP_DAYS

    def check(self, params: StochasticSirParams) -> None:
        check_people(params)

    def init(self, params: StochasticSirParams, rng: np.random.Generator) -> Outbreaks:
        people = people_at_start(params)
        return Outbreaks(people, 0.0, [np.append(0.0, people[:4])])

    def step(self, state: Outbreaks, params: StochasticSirParams, rng: np.random.Generator) -> Outbreaks:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Outbreaks, params: StochasticSirParams, rng: np.random.Generator, steps: int) -> Outbreaks:
        loop(params)(rng, state.people, rates_of(params), STEP_DAYS, steps)
        state.time += steps * STEP_DAYS
        state.trail.append(np.append(state.time, state.people[:4]))
        del state.trail[:-TRAIL]
        return state

    def changed(self, state: Outbreaks, before: StochasticSirParams, params: StochasticSirParams, rng: np.random.Generator) -> Outbreaks:
        if params.latent_days == 0:  # nobody can carry it unknowingly any more
            state.people[2] += state.people[1]
            state.people[1] = 0
        return state

    def observe(self, state: Outbreaks, params: StochasticSirParams) -> dict[str, float]:
        susceptible, exposed, infectious, recovered, cases = (float(count) for count in state.people)
        return {"susceptible": susceptible, "infectious": infectious, "exposed": exposed, "recovered": recovered, "cases": cases}

    def observed(self, sets: Sequence[Any], times: Numbers, seeds: Sequence[int]) -> Numbers:
        found = np.empty((len(sets), len(times), 5))
        for number, (params, seed) in enumerate(zip(sets, seeds, strict=True)):
            looked = EVENTS_AT if loop(params) is every_event else STEPS_AT
            found[number] = seen(looked, chance(seed), people_at_start(params), rates_of(params), STEP_DAYS, steps_at(self, params, times), (0, 2, 1, 3, 4))
        return found

    def pack(self, state: Outbreaks) -> Numbers:
        return state.people.astype(np.float64)

    def unpack(self, state: Outbreaks, vector: Numbers) -> Outbreaks:
        """Whole people again, none of them negative."""
        return Outbreaks(np.rint(np.maximum(vector, 0)).astype(np.int64), state.time, list(state.trail))

    def render(self, state: Outbreaks, params: StochasticSirParams) -> Picture:
        way = np.array(state.trail)
        shares = way[:, [3, 2, 1, 4]] / max(way[-1, 1:].sum(), 1)
        return crowd(shares[-1], (ILL, EXPOSED, WELL, RECOVERED), ("infectious", "exposed", "susceptible", "recovered"), np.column_stack([way[:, 0], shares]))


def people_at_start(params: StochasticSirParams) -> NDArray[np.int64]:
    susceptible = int(params.susceptible)
    return np.array([susceptible, 0, params.infected, params.population - susceptible - params.infected, 0], dtype=np.int64)


def rates_of(params: StochasticSirParams) -> Numbers:
    return np.array([params.beta / params.population, 1 / params.latent_days if params.latent_days > 0 else 0.0, 1 / params.infectious_days])


def loop(params: StochasticSirParams) -> Any:
    return every_event if params.method == "every event" else by_steps
