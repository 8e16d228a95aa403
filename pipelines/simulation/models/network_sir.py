"""SIR on a network: a disease that can only go along contacts, and so meets hubs, neighbourhoods and dead ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.contacts import Contacts, contacts_of
from pipelines.simulation.crowd import ILL, RECOVERED, WELL
from pipelines.simulation.drawing import canvas, picture_of
from pipelines.simulation.jit import compiled
from pipelines.simulation.outbreak import CASES, LEVELS
from studio.api import BadInput, Numbers, Params, Picture, Preset, Series, Simulation, Source, chance, steps_at, ui

STEP_DAYS = 0.1
MOST_EDGES_DRAWN = 6000


class NetworkSirParams(Params):
    network: Literal["random", "scale-free", "small world"] = Field("scale-free", title="Network", description="Who is in contact with whom: at random, with hubs, or mostly with neighbours.")
    transmission: float = Field(
        0.15, ge=0, le=5, title="Transmission per contact", description="Rate at which an ill person infects each contact.", json_schema_extra=ui(unit="per day", live=True, step=0.005)
    )
    infectious_days: float = Field(5.0, ge=0.5, le=60, title="Infectious period", description="Mean number of days during which an ill person infects others.", json_schema_extra=ui(unit="days", live=True))
    contacts: int = Field(4, ge=2, le=20, title="Contacts each", description="Mean number of contacts; scale-free and small-world networks have the even number at or below it.")
    people: int = Field(800, ge=20, le=5000, title="People", description="Knots of the network.", json_schema_extra=ui(advanced=True))
    infected: int = Field(5, ge=0, le=5000, title="Infected at the start", description="Chosen at random.", json_schema_extra=ui(unit="people", advanced=True))
    rewired: float = Field(0.1, ge=0, le=1, title="Far contacts", description="Share of a small world's contacts that lead anywhere instead of to a neighbour.", json_schema_extra=ui(advanced=True, step=0.01))


@compiled
def spread_on(rng, health, ill, counts, first, others, rates, most, dt, steps):  # type: ignore[no-untyped-def]
    """health (people,) is 0 well, 1 ill, 2 recovered; ill lists who is ill; counts is (ill, recovered, cases). `first` and `others` are the contacts by person, `most` the largest number of them.

    Exact: everybody ill has the same chance to be next, tries one of `most` places in the list of contacts or recovers; an empty place means that nothing happens.
    """
    each = rates[1] + rates[0] * most
    for _ in range(steps):
        left = dt
        while counts[0] > 0:
            left -= rng.standard_exponential() / (each * counts[0])
            if left < 0.0:
                break
            at = rng.integers(0, counts[0])
            person = ill[at]
            which = rng.random() * each
            if which < rates[1]:
                health[person] = 2
                counts[0] -= 1
                counts[1] += 1
                ill[at] = ill[counts[0]]
            else:
                place = first[person] + int((which - rates[1]) / rates[0])
                if place < first[person + 1] and health[others[place]] == 0:
                    health[others[place]] = 1
                    ill[counts[0]] = others[place]
                    counts[0] += 1
                    counts[2] += 1


@dataclass
class Infected:
    """health (people,) 0 well, 1 ill, 2 recovered; who is ill; (ill, recovered, cases)."""

    contacts: Contacts
    health: NDArray[np.int8]
    ill: NDArray[np.int64]
    counts: NDArray[np.int64]


class NetworkSir(Simulation):
    """Each ill person infects each susceptible contact at rate β and recovers at rate γ; the chance per contact is T = β/(β + γ). It spreads if T > ⟨k⟩/(⟨k²⟩ − ⟨k⟩).

    Source: M. E. J. Newman, Spread of epidemic disease on networks, Phys. Rev. E 66 (2002) 016128.
    """

    id: ClassVar[str] = "network_sir"
    title: ClassVar[str] = "Epidemic on a network"
    domain: ClassVar[str] = "Epidemic"
    about: ClassVar[str] = (
        "A disease can only pass along contacts, and some people have many more of them than others. On a network with hubs it spreads even where the average person infects less than one; among neighbours it creeps. "
        "Click into the picture to infect somebody: a hub or a hermit."
    )
    Params: ClassVar[type[Params]] = NetworkSirParams
    series: ClassVar[tuple[Series, ...]] = (*LEVELS, Series("recovered", "Recovered", "people"), CASES, Series("excess", "Further contacts of a contact"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Hubs", {}, "Reaches the hubs first and everybody through them."),
        Preset("At random", {"network": "random"}, "As in a well-mixed population."),
        Preset("Neighbours", {"network": "small world", "rewired": 0.01, "transmission": 0.3}, "A wave that creeps round the ring, and a few that jump."),
        Preset("Below the threshold", {"network": "random", "transmission": 0.04, "infected": 10}, "Ends by itself."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("M. E. J. Newman, Spread of epidemic disease on networks, Phys. Rev. E 66 (2002) 016128", "https://doi.org/10.1103/PhysRevE.66.016128"),
        Source("A.-L. Barabási and R. Albert, Emergence of scaling in random networks, Science 286 (1999) 509–512", "https://doi.org/10.1126/science.286.5439.509"),
        Source("D. J. Watts and S. H. Strogatz, Collective dynamics of small-world networks, Nature 393 (1998) 440–442", "https://doi.org/10.1038/30918"),
    )
    duration: ClassVar[float] = 60.0
    time_unit: ClassVar[str] = "days"
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def time_step(self, params: NetworkSirParams) -> float:
        return STEP_DAYS

    def check(self, params: NetworkSirParams) -> None:
        if params.infected > params.people:
            raise BadInput("More people are infected at the start than there are.", hint="Make the population larger, or infect fewer.", field="infected")
        if params.contacts >= params.people:
            raise BadInput("Nobody can have more contacts than there are other people.", hint="Make the population larger, or give each fewer contacts.", field="contacts")

    def init(self, params: NetworkSirParams, rng: np.random.Generator) -> Infected:
        contacts = contacts_of(params.network, params.people, params.contacts, params.rewired, rng)
        state = Infected(contacts, np.zeros(params.people, np.int8), np.zeros(params.people, np.int64), np.zeros(3, np.int64))
        for person in rng.permutation(params.people)[: params.infected]:
            infect(state, int(person))
        state.counts[2] = 0  # those who bring it in are no cases
        return state

    def step(self, state: Infected, params: NetworkSirParams, rng: np.random.Generator) -> Infected:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Infected, params: NetworkSirParams, rng: np.random.Generator, steps: int) -> Infected:
        rates = np.array([params.transmission, 1 / params.infectious_days])
        spread_on(rng, state.health, state.ill, state.counts, state.contacts.first, state.contacts.others, rates, int(state.contacts.degrees.max(initial=0)), STEP_DAYS, steps)
        return state

    def observe(self, state: Infected, params: NetworkSirParams) -> dict[str, float]:
        ill, recovered, cases = (float(count) for count in state.counts)
        return {"susceptible": len(state.health) - ill - recovered, "infectious": ill, "recovered": recovered, "cases": cases, "excess": state.contacts.excess}

    def observed(self, sets: Sequence[Any], times: Numbers, seeds: Sequence[int]) -> Numbers:
        found = np.empty((len(sets), len(times), len(self.series)))
        for number, (params, seed) in enumerate(zip(sets, seeds, strict=True)):
            rng, done = chance(seed), 0
            state = self.init(params, rng)
            excess = state.contacts.excess
            for row, target in enumerate(steps_at(self, params, times)):
                self.advance(state, params, rng, int(target) - done)
                done = int(target)
                ill, recovered, cases = state.counts
                found[number, row] = len(state.health) - ill - recovered, ill, recovered, cases, excess
        return found

    def poke(self, state: Infected, params: NetworkSirParams, x: float, y: float, rng: np.random.Generator) -> Infected:
        """Infects the susceptible person who is nearest."""
        away = ((on_canvas(state.contacts.laid_out()) - (480 * x, 360 * y)) ** 2).sum(axis=1)
        away[state.health != 0] = np.inf
        if np.isfinite(away).any():
            infect(state, int(away.argmin()))
        return state

    def render(self, state: Infected, params: NetworkSirParams) -> Picture:
        image, draw = canvas()
        places = on_canvas(state.contacts.laid_out())
        edges = state.contacts.edges[:: max(1, len(state.contacts.edges) // MOST_EDGES_DRAWN)]
        burning = (state.health[edges] == 1).any(axis=1) & (state.health[edges] == 0).any(axis=1)
        for marked in (False, True):  # contacts that may carry it next lie above the others
            for first, second in edges[burning == marked]:
                draw.line((*places[first], *places[second]), fill=(150, 84, 92) if marked else (52, 56, 66))
        size = np.clip(1.2 + 0.55 * np.sqrt(state.contacts.degrees), 1.5, 8) * min(1.0, np.sqrt(1200 / len(places)))
        for person in np.argsort(state.health == 1, kind="stable"):
            (x, y), radius = places[person], size[person]
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(WELL, ILL, RECOVERED)[state.health[person]])
        return picture_of(image)

    def pack(self, state: Infected) -> Numbers:
        raise BadInput("Who is ill and who is not are no numbers that have a mean: a filter can't correct them.", hint="Learn its parameters by simulation (ABC) instead.", field="model")


def infect(state: Infected, person: int) -> None:
    state.health[person] = 1
    state.ill[state.counts[0]] = person
    state.counts[0] += 1
    state.counts[2] += 1


def on_canvas(places: Numbers) -> Numbers:
    """(people, 2) pixels of a picture 480 wide and 360 high."""
    return places * (456, 336) + 12
