"""Queues and wards: likelihoods against matrix exponentials, a ward against its Markov chain, an emergency department that loses nobody."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

from pipelines.simulation.models.emergency import Emergency
from pipelines.simulation.models.mg1 import Mg1
from pipelines.simulation.models.mmc import Mmc
from pipelines.simulation.models.ward import Ward
from studio.api import BadInput, chance

MODEL = Mmc()
PARAMS = MODEL.Params.parse({"arrivals_per_hour": 3.0, "served_per_hour": 1.5, "doctors": 3, "at_start": 2})


def carried(hours: float, room: int = 80) -> np.ndarray:
    """(room + 1, room + 1) chances to go from n to m."""
    rates = np.zeros((room + 1, room + 1))
    for n in range(room + 1):
        if n < room:
            rates[n, n + 1] = 3.0
        if n > 0:
            rates[n, n - 1] = 1.5 * min(n, 3)
        rates[n, n] = -rates[n].sum()
    return expm(rates * hours)


def test_the_likelihood_of_the_number_in_the_system_is_that_of_its_markov_chain() -> None:
    times, seen = np.array([0.5, 1.0, 3.0, 3.25]), np.array([3.0, 2.0, 6.0, 5.0])
    expected = sum(math.log(carried(gap)[int(before), int(after)]) for before, after, gap in zip([2, 3, 2, 6], seen, [0.5, 0.5, 2.0, 0.25], strict=True))
    assert MODEL.log_likelihood({"in_system": seen}, times, PARAMS) == pytest.approx(expected, rel=1e-9)


def test_gaps_and_hidden_numbers_are_summed_over() -> None:
    times = np.array([1.0, 2.0, 3.0])
    first = carried(1.0)[2]
    seen_none_waiting = np.where(np.arange(81) <= 3, first, 0) @ carried(2.0)
    expected = math.log(seen_none_waiting[3 + 2])
    found = MODEL.log_likelihood({"waiting": np.array([0.0, np.nan, 2.0])}, times, PARAMS)
    assert found == pytest.approx(expected, rel=1e-9)
    assert MODEL.log_likelihood({"waiting": np.array([0.0]), "in_system": np.array([5.0])}, times[:1], PARAMS) == -math.inf


def test_the_likelihood_of_arrivals_and_departures_is_theirs_together() -> None:
    """Summed over all departures that go with them, arrivals are Poisson; summed over all arrivals, the number in the system is the Markov chain."""
    at = np.array([0.7])
    together = {(k, d): math.exp(MODEL.log_likelihood({"arrived": np.array([float(k)]), "served": np.array([float(d)])}, at, PARAMS)) for k in range(20) for d in range(k + 3)}
    poisson = [math.exp(-2.1) * 2.1**k / math.factorial(k) for k in range(5)]
    assert [sum(chance for (k, _), chance in together.items() if k == came) for came in range(5)] == pytest.approx(poisson, rel=1e-9)
    there = [sum(chance for (k, d), chance in together.items() if 2 + k - d == n) for n in range(6)]
    assert there == pytest.approx(carried(0.7)[2, :6], rel=1e-9)


def test_likelihoods_of_many_hours_are_numbers() -> None:
    found = MODEL.log_likelihood({"in_system": np.array([2.0, 4.0])}, np.array([1000.0, 5000.0]), PARAMS)
    assert found == pytest.approx(math.log(carried(1000.0)[2, 2]) + math.log(carried(1000.0)[2, 4]), rel=1e-6)
    assert math.isfinite(MODEL.log_likelihood({"arrived": np.array([600.0]), "served": np.array([598.0])}, np.array([200.0]), PARAMS))


def test_the_truth_is_found_in_what_a_queue_shows() -> None:
    times = np.arange(0.5, 300, 0.5)
    truth = MODEL.Params.parse({"arrivals_per_hour": 4.0, "served_per_hour": 1.8, "doctors": 3})
    seen = dict(zip([series.name for series in MODEL.series], MODEL.observed([truth], times, [4])[0].T, strict=True))
    for names in (("arrived", "served"), ("in_system",), ("waiting",)):
        data = {name: seen[name] for name in names}

        def height(arrivals: float, served: float, data: dict[str, Any] = data) -> float:
            return MODEL.log_likelihood(data, times, MODEL.Params.parse({"arrivals_per_hour": arrivals, "served_per_hour": served, "doctors": 3}))

        best = height(4.0, 1.8)
        assert best > height(5.0, 1.8) + 2 and best > height(3.2, 1.8) + 2 and best > height(4.0, 2.4) + 2 and best > height(4.0, 1.45) + 2, names


def test_what_the_likelihood_can_not_use_is_told() -> None:
    with pytest.raises(BadInput):
        MODEL.log_likelihood({"mean_wait": np.zeros(2)}, np.arange(2.0), PARAMS)
    backwards = {"arrived": np.array([5.0, 3.0]), "served": np.array([1.0, 2.0])}
    assert MODEL.log_likelihood(backwards, np.array([1.0, 2.0]), PARAMS) == -math.inf


def test_a_line_that_outgrows_its_room_stays_in_order() -> None:
    """One doctor who serves nobody: all arrivals wait, and those who came first go first when more doctors come."""
    slow = MODEL.Params.parse({"arrivals_per_hour": 200.0, "served_per_hour": 0.05, "doctors": 1})
    rng = chance(8)
    state = MODEL.advance(MODEL.init(slow, rng), slow, rng, 120)
    waiting = int(state.counts[0])
    line = state.ring[(state.counts[6] + np.arange(waiting)) % len(state.ring)]
    assert waiting > 128 and (np.diff(line) > 0).all()
    more = MODEL.Params.parse(slow.model_dump() | {"doctors": 100, "arrivals_per_hour": 0.0})
    state = MODEL.advance(MODEL.changed(state, slow, more, rng), more, rng, 1)
    assert state.counts[1] >= 99 and state.counts[0] < waiting - 90


def test_nobody_is_lost_in_a_queue() -> None:
    for model in (Mmc(), Mg1()):
        params = model.Params.parse({"at_start": 100})
        seen = model.observed([params], np.linspace(0, 80, 33), [2])[0]
        np.testing.assert_array_equal(100 + seen[:, 2] - seen[:, 3], seen[:, 1])


def test_waits_that_never_end_have_no_mean_in_the_long_run() -> None:
    assert MODEL.expected_wait(MODEL.Params.parse({"arrivals_per_hour": 6.0})) == math.inf
    assert Mg1().expected_wait(Mg1.Params.parse({"arrivals_per_hour": 3.0})) == math.inf


def stationary(beds: int, places: int, law: tuple[float, float, float, float]) -> dict[tuple[int, int, int], float]:
    """Chances of (in treatment, blocked, in places), solved as a linear system; law is (arrivals, treatment rate, share, place rate)."""
    arrivals, healed, share, left = law
    states = [(a, b, p) for a in range(beds + 1) for b in range(beds + 1 - a) for p in range(places + 1) if b == 0 or p == places]
    index = {state: number for number, state in enumerate(states)}
    rates = np.zeros((len(states), len(states)))
    for a, b, p in states:
        here = index[a, b, p]
        if a + b < beds:
            rates[here, index[a + 1, b, p]] += arrivals
        if a:
            rates[here, index[a - 1, b, p]] += healed * a * (1 - share)
            rates[here, index[(a - 1, b, p + 1) if p < places else (a - 1, b + 1, p)]] += healed * a * share
        if p:
            rates[here, index[(a, b - 1, p) if b else (a, b, p - 1)]] += left * p
    rates -= np.diag(rates.sum(axis=1))
    solved = np.linalg.lstsq(np.vstack([rates.T, np.ones(len(states))]), np.append(np.zeros(len(states)), 1.0), rcond=None)[0]
    return dict(zip(states, solved, strict=True))


def test_a_ward_with_blocking_is_its_markov_chain() -> None:
    exact = stationary(4, 3, (2.0, 1.0, 0.5, 0.3))
    model = Ward()
    params = model.Params.parse({"arrivals_per_day": 2.0, "stay_days": 1.0, "beds": 4, "places": 3, "need_place": 0.5, "place_days": 1 / 0.3})
    seen = model.observed([params], np.arange(1.0, 40_001.0), [6])[0]
    assert seen[:, 1].mean() == pytest.approx(sum(b * share for (_, b, _), share in exact.items()), rel=0.03)
    assert seen[-1, 5] / seen[-1, 3] == pytest.approx(sum(share for (a, b, _), share in exact.items() if a + b == 4), rel=0.03)


def test_new_places_empty_blocked_beds() -> None:
    model, rng = Ward(), chance(2)
    before = model.Params.parse({"places": 10, "need_place": 1.0})
    state = model.advance(model.init(before, rng), before, rng, 24 * 60)
    blocked = int(state.people[1])
    assert blocked > 10
    state = model.changed(state, before, model.Params.parse({"places": 15, "need_place": 1.0}), rng)
    assert state.people[1] == blocked - 5 and state.people[2] == 15


def department(days: int, **values: Any) -> Any:
    model, rng = Emergency(), chance(5)
    params = model.Params.parse(values)
    state = model.init(params, rng)
    for _ in range(days * 240):
        state = model.step(state, params, rng)
        assert state.arrived - state.served == sum(state.where.values())
        assert state.where["with the doctor"] <= params.doctors and state.beds.count <= params.beds
    return state


def test_an_emergency_department_loses_nobody_and_takes_the_urgent_first() -> None:
    state = department(6, doctors=3)
    assert state.urgent_waits / state.urgent_seen < 0.5 * state.waits / state.seen
    assert abs(state.arrived - 6 * 144) < 4 * math.sqrt(6 * 144)


def test_more_come_by_day_than_by_night() -> None:
    model = Emergency()
    seen = model.observed([model.Params.parse({"daily_swing": 1.0})], np.arange(0.0, 24 * 20 + 1), [3])[0, :, 2]
    by_hour = np.diff(seen).reshape(20, 24).sum(axis=0)
    expected = 20 * 6 * (1 + np.cos(2 * np.pi * (np.arange(24) + 0.5 - 15) / 24))
    assert (np.abs(by_hour - expected) < 4 * np.sqrt(expected) + 4).all()


def test_an_emergency_department_tells_a_filter_that_it_can_not_be_corrected() -> None:
    model, rng = Emergency(), chance(1)
    with pytest.raises(BadInput):
        model.pack(model.init(model.Params(), rng))
