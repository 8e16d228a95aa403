"""Epidemics: conserved people, exact chances, thresholds on networks, a click that infects."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
import pytest

from pipelines.simulation.contacts import contacts_of
from pipelines.simulation.models.network_sir import NetworkSir, on_canvas
from pipelines.simulation.models.seir import Seir
from pipelines.simulation.models.sir import Sir
from pipelines.simulation.models.stochastic_sir import StochasticSir
from studio.api import BadInput, Simulation, chance, seeds_of


def sizes(model: Simulation, runs: int, time: float, **values: Any) -> np.ndarray:
    """Cases of that many runs."""
    at = [series.name for series in model.series].index("cases")
    return model.observed([model.Params.parse(values)] * runs, np.array([time]), seeds_of(1, runs))[:, 0, at]


@pytest.mark.parametrize("model", [Sir(), Seir(), StochasticSir()])
def test_people_are_conserved(model: Simulation) -> None:
    params = model.Params.parse({"r0": 3.0, "infected": 40, "immune": 0.1})
    seen = model.observed([params], np.linspace(0, 200, 50), [3])[0]
    np.testing.assert_allclose(seen[:, :-1].sum(axis=1), params.population, rtol=1e-9)
    assert (np.diff(seen[:, -1]) >= 0).all() and seen[0, -1] == 0
    np.testing.assert_allclose(seen[0, 0] - seen[:, 0], seen[:, -1], atol=1e-6)


def test_herd_immunity_keeps_it_from_growing() -> None:
    model = Sir()
    params = model.Params.parse({"r0": 2.0, "immune": 0.55, "infected": 50})
    infectious = model.observed([params], np.linspace(0, 100, 50), [1])[0, :, 1]
    assert (np.diff(infectious) < 0).all()


def test_more_infected_than_people_is_refused() -> None:
    for model in (Sir(), Seir(), StochasticSir()):
        with pytest.raises(BadInput) as refused:
            model.check(model.Params.parse({"infected": 20, "population": 10}))
        assert refused.value.field == "infected"


def exact_sizes(people: int, r0: float) -> np.ndarray:
    """Chances of 0 … people cases from one more who brings it in: the triangular equations of Bailey for exponential periods, rate β = R₀γ/(people + 1) for each pair."""
    found = np.zeros(people + 1)
    for size in range(people + 1):
        factor = lambda left: 1 / (1 + r0 / (people + 1) * left)  # noqa: E731  chance that one ill person spares `left` people
        earlier = sum(comb(people - k, size - k) * found[k] / factor(people - size) ** (k + 1) for k in range(size))
        found[size] = (comb(people, size) - earlier) * factor(people - size) ** (size + 1)
    return found


@pytest.mark.parametrize("method", ["every event", "steps"])
def test_final_sizes_of_a_household_have_their_exact_chances(method: str) -> None:
    runs = 20_000
    found = np.bincount(sizes(StochasticSir(), runs, 400.0, r0=2.0, population=7, infected=1, method=method).astype(int), minlength=7) / runs
    exact = exact_sizes(6, 2.0)
    assert exact.sum() == pytest.approx(1.0)
    allowed = 0.0 if method == "every event" else 0.012  # of steps of 0.1 days where people are ill for 5
    assert (np.abs(found - exact) < 4 * np.sqrt(exact * (1 - exact) / runs) + allowed).all()


def test_exposed_people_break_out_where_the_latent_period_is_taken_away() -> None:
    model, rng = StochasticSir(), chance(1)
    before, after = model.Params.parse({"latent_days": 20.0, "infected": 500, "r0": 5.0}), model.Params.parse({"infected": 500, "r0": 5.0})
    state = model.advance(model.init(before, rng), before, rng, 30)
    exposed, ill = state.people[1], state.people[2]
    assert exposed > 0
    state = model.changed(state, before, after, rng)
    assert state.people[1] == 0 and state.people[2] == ill + exposed


def test_networks_are_what_they_are_called() -> None:
    rng = chance(2)
    random, ring, hubs = (contacts_of(kind, 2000, 6, 0.1, rng) for kind in ("random", "small world", "scale-free"))
    for network in (random, ring, hubs):
        pairs = np.sort(network.edges, axis=1)
        assert len(np.unique(pairs, axis=0)) == len(pairs) and (pairs[:, 0] != pairs[:, 1]).all()
        assert network.degrees.sum() == 2 * len(pairs)
        for person in (0, 1000, 1999):
            there = set(network.others[network.first[person] : network.first[person + 1]])
            assert there == {int(b if a == person else a) for a, b in pairs if person in (a, b)}
    assert random.degrees.mean() == 6 and ring.degrees.mean() == pytest.approx(6, abs=0.1) and hubs.degrees.mean() == pytest.approx(6, abs=0.05)
    assert hubs.degrees.max() > 3 * random.degrees.max() and ring.degrees.max() < random.degrees.max()
    assert hubs.excess > 2 * random.excess


def test_an_epidemic_needs_the_chance_per_contact_that_newman_says() -> None:
    """T = β/(β + γ) = 1/11 at a mean degree of 8: below 1/8 of a random network, above the threshold of one with hubs."""
    below = sizes(NetworkSir(), 40, 200.0, network="random", contacts=8, transmission=0.02, people=3000, infected=3)
    hubs = sizes(NetworkSir(), 40, 200.0, network="scale-free", contacts=8, transmission=0.02, people=3000, infected=3)
    above = sizes(NetworkSir(), 40, 200.0, network="random", contacts=8, transmission=0.1, people=3000, infected=3)
    assert below.max() < 300 < 1500 < above.max()
    assert hubs.mean() > 3 * below.mean()


def test_a_click_infects_the_nearest_susceptible_person() -> None:
    model, rng = NetworkSir(), chance(3)
    params = model.Params.parse({"people": 200, "infected": 0})
    state = model.init(params, rng)
    place = on_canvas(state.contacts.laid_out())[17] / (480, 360)
    state = model.poke(state, params, float(place[0]), float(place[1]), rng)
    assert state.health[17] == 1 and model.observe(state, params)["infectious"] == 1
    state = model.poke(state, params, float(place[0]), float(place[1]), rng)
    assert state.health.sum() == 2
    for _ in range(300):
        state = model.poke(state, params, 0.5, 0.5, rng)
    assert (state.health == 1).all()


def test_more_contacts_than_people_are_refused() -> None:
    with pytest.raises(BadInput) as refused:
        NetworkSir().check(NetworkSir.Params.parse({"people": 20, "contacts": 20}))
    assert refused.value.field == "contacts"
    with pytest.raises(BadInput) as refused:
        NetworkSir().check(NetworkSir.Params.parse({"people": 20, "infected": 21}))
    assert refused.value.field == "infected"
