"""Epidemics, hospitals, trials, finance: every field acts, limits hold, a seed is a run, many at once are as one by one, pictures show something."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from studio.api import BadInput, Simulation, chance, observations, seeds_of

# By model: values to begin with, and another value of each field
OUTBREAK: dict[str, Any] = {"r0": 3.0, "infectious_days": 7.0, "infected": 50, "population": 9000, "immune": 0.2, "contacts": 0.5}
QUEUE: dict[str, Any] = {"arrivals_per_hour": 4.0, "at_start": 9}
OWN = {"design": "own"}
CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "sir": ({}, OUTBREAK),
    "seir": ({}, OUTBREAK | {"latent_days": 6.0}),
    "stochastic_sir": ({"infected": 30, "latent_days": 1.0}, OUTBREAK | {"latent_days": 6.0, "method": "steps"}),
    "network_sir": ({"network": "small world", "infected": 30}, {"network": "random", "transmission": 0.3, "infectious_days": 9.0, "contacts": 6, "people": 500, "infected": 9, "rewired": 0.5}),
    "mmc": ({}, QUEUE | {"served_per_hour": 3.0, "doctors": 2}),
    "mg1": ({}, QUEUE | {"service_minutes": 30.0, "variation": 1.5}),
    "ward": ({"places": 20}, {"arrivals_per_day": 8.0, "stay_days": 9.0, "beds": 15, "places": 5, "need_place": 0.9, "place_days": 90.0}),
    "emergency": (
        {},
        {"arrivals_per_hour": 8.0, "doctors": 2, "beds": 6, "daily_swing": 0.1, "nurses": 1, "triage_minutes": 12.0, "examination_minutes": 40.0, "tested": 0.9, "test_minutes": 100.0, "urgent": 0.7},
    ),
    "simon": (OWN, {"design": "20 % or 40 %, optimal", "response": 0.5, "few": 4, "first": 14, "enough": 2, "all": 40}),
    "group_sequential": ({}, {"boundary": "Pocock", "effect": 0.0, "looks": 3, "pairs_per_look": 20, "alpha": 0.2}),
    "adaptive_trial": (
        {},
        {"control": 0.1, "treatment": 0.9, "allocation": "equal", "patients": 60, "certainty": 0.8, "burn_in": 100, "prior_successes": 30, "prior_failures": 30},
    ),
    "options": ({}, {"volatility": 0.5, "rate": 0.1, "price": 90.0, "strike": 120.0, "dividends": 0.1, "premium": 0.3, "paths": 300}),
    "path_options": (
        {},
        {"kind": "Down and in", "barrier": 80.0, "strike": 120.0, "volatility": 0.5, "side": "Put", "watched": "once a day", "rebate": 5.0, "rate": 0.1, "dividends": 0.1, "price": 95.0, "paths": 300},
    ),
    "heston": ({}, {"volatility": 0.5, "long_volatility": 0.6, "restlessness": 1.5, "correlation": 0.5, "reversion": 9.0, "rate": 0.1, "dividends": 0.1, "price": 90.0, "strike": 120.0, "paths": 300}),
    "garch": ({}, {"omega": 0.5, "alpha": 0.05, "beta": 0.5, "mean": 1.0}),
    "fraud": ({}, {"payments_per_day": 900.0, "fraud_share": 0.1, "greed": 0.0, "threshold": 1.0, "night_share": 0.0, "customers": 40, "invented": 1.0}),
}
MODELS = {model.id: model for model in importlib.import_module("pipelines.simulation").register_simulations() if model.id in CHANGES}
FIELDS = [(name, field) for name, model in MODELS.items() for field in model.Params.model_fields]


def run(model: Simulation, values: dict[str, Any], seed: int = 5) -> np.ndarray:
    params = model.Params.parse(values)
    model.check(params)
    return model.observed([params], np.linspace(0, model.duration, 25), [seed])[0]


def test_all_models_are_there() -> None:
    assert set(MODELS) == set(CHANGES)


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_every_field_changes_what_is_observed(name: str, field: str) -> None:
    start, others = CHANGES[name]
    assert not np.array_equal(run(MODELS[name], start), run(MODELS[name], start | {field: others[field]}))


def limits(model: Simulation, field: str) -> tuple[list[float], list[float]]:
    """Values at the bounds, and beyond."""
    bounds = {kind: getattr(rule, kind) for rule in model.Params.model_fields[field].metadata for kind in ("ge", "le") if hasattr(rule, kind)}
    return list(bounds.values()), [bounds["ge"] - 1, bounds["le"] + 1] if bounds else []


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_limits_run_and_beyond_is_refused_at_the_field(name: str, field: str) -> None:
    model = MODELS[name]
    inside, beyond = limits(model, field)
    for value in inside:
        try:
            params = model.Params.parse({field: value})
            model.check(params)
        except BadInput as refused:  # it doesn't go with the others
            assert refused.field in model.Params.model_fields and refused.hint
            continue
        rng = chance(1)
        state = model.advance(model.init(params, rng), params, rng, 10)
        assert np.isfinite(list(model.observe(state, params).values())).all()
    for value in beyond or ["no such choice"]:
        with pytest.raises(BadInput) as refused:
            model.Params.parse({field: value})
        assert refused.value.field == field


@pytest.mark.parametrize("name", MODELS)
def test_many_at_once_are_as_one_by_one(name: str) -> None:
    model, (start, others) = MODELS[name], CHANGES[name]
    first = next(iter(others))
    sets = [model.Params.parse(start), model.Params.parse(start | {first: others[first]}), model.Params.parse(start)]
    times, seeds = np.array([0, 0.2, 0.4, 0.41, 0.8]) * model.duration, seeds_of(3, 3)
    found = model.observed(sets, times, seeds)
    for number, (params, seed) in enumerate(zip(sets, seeds, strict=True)):
        stepped = [list(seen.values.values()) for seen in observations(model, params, times, seed)]
        np.testing.assert_allclose(found[number], stepped, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(found, model.observed(sets, times, seeds))
    assert not model.stochastic or not np.array_equal(found[0], found[2])


@pytest.mark.parametrize("name", MODELS)
def test_steps_one_by_one_are_an_advance(name: str) -> None:
    model, params = MODELS[name], MODELS[name].Params.parse(CHANGES[name][0])
    one, many = chance(2), chance(2)
    stepped, advanced = model.init(params, one), model.init(params, many)
    for _ in range(40):
        stepped = model.step(stepped, params, one)
    advanced = model.advance(advanced, params, many, 40)
    assert list(model.observe(stepped, params).values()) == pytest.approx(list(model.observe(advanced, params).values()), rel=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_every_preset_has_a_picture_that_is_not_flat(name: str) -> None:
    model = MODELS[name]
    for preset in model.presets:
        params, rng = model.Params.parse(dict(preset.values)), chance(4)
        model.check(params)
        state = model.init(params, rng)
        assert model.render(state, params).shape == (360, 480, 3)
        for _ in range(20):
            state = model.advance(state, params, rng, max(1, round(model.duration / model.time_step(params) / 60)))
        picture = model.render(state, params)
        assert picture.dtype == np.uint8 and picture.shape == (360, 480, 3) and len(np.unique(picture.reshape(-1, 3), axis=0)) >= 4


@pytest.mark.parametrize("name", MODELS)
def test_live_fields_act_while_it_runs(name: str) -> None:
    model, (start, others) = MODELS[name], CHANGES[name]
    params = model.Params.parse(start)
    live = [field for field, info in model.Params.model_fields.items() if (info.json_schema_extra or {}).get("ui", {}).get("live")]  # type: ignore[union-attr]
    assert live
    times = np.linspace(0, model.duration / 2, 9)
    middle = round(times[4] / model.time_step(params) * 0.4)
    plain = [list(seen.values.values()) for seen in observations(model, params, times, 6)]
    for field in live:
        changed = [list(seen.values.values()) for seen in observations(model, params, times, 6, [(middle, field, others[field])])]
        assert np.isfinite(changed).all()
        assert changed[:2] == plain[:2] and changed != plain, field


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"emergency", "network_sir"}))
def test_a_corrected_state_runs_on(name: str) -> None:
    model, params, rng = MODELS[name], MODELS[name].Params.parse(CHANGES[name][0]), chance(4)
    state = model.advance(model.init(params, rng), params, rng, 30)
    vector = model.pack(state)
    again = model.unpack(state, vector)
    np.testing.assert_allclose(model.pack(again), vector)
    corrected = model.unpack(state, vector * 1.3 + 0.7)
    np.testing.assert_array_equal(model.pack(state), vector)
    assert np.isfinite(list(model.observe(model.advance(corrected, params, rng, 30), params).values())).all()
