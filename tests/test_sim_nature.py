"""Models of weather, climate, ocean, heat, species, stars and oscillators: every field acts, limits hold, runs repeat, pictures show something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from pipelines.simulation.models.ekman import Ekman
from pipelines.simulation.models.energy_balance import EnergyBalance
from pipelines.simulation.models.heat import Heat
from pipelines.simulation.models.kuramoto import Kuramoto
from pipelines.simulation.models.lorenz63 import Lorenz63
from pipelines.simulation.models.lorenz96 import Lorenz96
from pipelines.simulation.models.lotka_volterra import NONE, LotkaVolterra
from pipelines.simulation.models.moving_optimum import MovingOptimum, critical_pace
from pipelines.simulation.models.n_body import MOST_BODIES, NBody
from pipelines.simulation.models.shallow_water import ShallowWater
from pipelines.simulation.models.stommel import Stommel
from studio.api import BadInput, Diverged, Numbers, Simulation, chance, changed_params, look, observations, read_model_values
from tests.experimenting import Growth
from tests.figures.climate import ICE_LINE, TIPPING
from tests.north import ice_line, sun_for_ice_at

MODELS: tuple[Simulation, ...] = (Lorenz63(), Lorenz96(), ShallowWater(), EnergyBalance(), Heat(), Ekman(), Stommel(), MovingOptimum(), NBody(), Kuramoto())
SMALL: dict[str, dict[str, Any]] = {"shallow_water": {"cells": 24}, "heat": {"cells": 24}, "kuramoto": {"oscillators": 60}, "moving_optimum": {"room": 100}, "n_body": {"bodies": 20}}
# Where a field acts only together with others: what they must be, and to what it is changed
BESIDE: dict[tuple[str, str], dict[str, Any]] = {
    ("shallow_water", "walls"): {"start": "Drop"},
    ("energy_balance", "tilt"): {"tilt": 0.0},
    ("moving_optimum", "jump"): {"quiet": 5},
    ("n_body", "eccentricity"): {"system": "Two bodies"},
    ("n_body", "companion"): {"system": "Two bodies"},
    ("n_body", "bodies"): {"system": "Star cluster"},
}
OTHER: dict[tuple[str, str], Any] = {
    ("lorenz96", "pushed"): 3,
    ("shallow_water", "coriolis"): 0.05,
    ("shallow_water", "gravity"): 3.7,
    ("energy_balance", "tilt"): 0.2,
    ("ekman", "density"): 1000.0,
    ("n_body", "gravity"): 0.5,
    ("n_body", "bodies"): 40,
    ("n_body", "closeness"): 0.001,
    ("moving_optimum", "room"): 50,
}
BY_CLICK = {("heat", "touch")}  # what only a click shows


def named(model: Simulation) -> str:
    return model.id


def fields() -> Iterator[tuple[Simulation, str]]:
    for model in MODELS:
        yield from ((model, name) for name in model.Params.model_fields)


def bounds(model: Simulation, name: str) -> tuple[float, float, bool, bool]:
    """Lowest and highest, and whether they themselves are allowed."""
    found = {type(rule).__name__: rule for rule in model.Params.model_fields[name].metadata}
    low = found.get("Ge") or found["Gt"]
    high = found.get("Le") or found["Lt"]
    return getattr(low, "ge", None) if "Ge" in found else low.gt, high.le if "Le" in found else high.lt, "Ge" in found, "Le" in found


def small(model: Simulation, **values: Any) -> Any:
    return read_model_values(model, SMALL.get(model.id, {}) | values)


def seen(model: Simulation, params: Any, seed: int = 1, steps: int = 60) -> Numbers:
    dt = model.time_step(params)
    return np.array([list(one.values.values()) for one in observations(model, params, np.arange(0, steps + 1, 10) * dt, seed)])


def other(model: Simulation, name: str) -> Any:
    field = model.Params.model_fields[name]
    if (model.id, name) in OTHER:
        return OTHER[model.id, name]
    if get_origin(field.annotation) is Literal:
        return next(choice for choice in get_args(field.annotation) if choice != field.default)
    low, high, _, _ = bounds(model, name)
    value = 1.3 * field.default if field.default else low + 0.3 * (high - low)
    return round(min(value, high)) if field.annotation is int else min(value, high)


@pytest.mark.parametrize(("model", "name"), list(fields()), ids=lambda one: one if isinstance(one, str) else one.id)
def test_every_field_changes_the_run(model: Simulation, name: str) -> None:
    if (model.id, name) in BY_CLICK:
        return
    beside = BESIDE.get((model.id, name), {})
    before, after = small(model, **beside), small(model, **beside | {name: other(model, name)})
    assert not np.array_equal(seen(model, before), seen(model, after))


def test_a_touch_is_as_hot_as_said() -> None:
    model = Heat()
    cool, hot = model.Params(touch=10.0), model.Params(touch=60.0)
    warmest = [model.observe(model.poke(model.init(params, chance(1)), params, 0.8, 0.8, chance(1)), params)["mean"] for params in (cool, hot)]
    rest = model.observe(model.init(cool, chance(1)), cool)["mean"]
    assert warmest[1] - rest == pytest.approx(6 * (warmest[0] - rest))


@pytest.mark.parametrize(("model", "name"), [(model, name) for model, name in fields() if get_origin(model.Params.model_fields[name].annotation) is not Literal], ids=lambda one: one if isinstance(one, str) else one.id)
def test_beyond_its_limits_a_field_is_refused_by_name(model: Simulation, name: str) -> None:
    low, high, low_allowed, high_allowed = bounds(model, name)
    for value in ([low - 1] if low_allowed else [low, low - 1]) + ([high + 1] if high_allowed else [high, high + 1]) + [float("nan"), "many"]:
        with pytest.raises(BadInput) as refused:
            read_model_values(model, {name: value})
        assert refused.value.field == f"values.{name}"


@pytest.mark.parametrize(("model", "name"), [(model, name) for model, name in fields() if get_origin(model.Params.model_fields[name].annotation) is not Literal], ids=lambda one: one if isinstance(one, str) else one.id)
def test_at_its_limits_a_field_runs_or_the_blow_up_is_told(model: Simulation, name: str) -> None:
    low, high, low_allowed, high_allowed = bounds(model, name)
    whole = model.Params.model_fields[name].annotation is int
    for value, allowed in ((low, low_allowed), (high, high_allowed)):
        if not allowed:
            continue
        try:
            params = small(model, **BESIDE.get((model.id, name), {}) | {name: value})
            with np.errstate(all="ignore"):
                found = seen(model, params, steps=10 if whole else 20)
        except (Diverged, BadInput) as told:
            assert told.message and told.hint
            continue
        assert np.isfinite(found).all()


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_a_seed_gives_the_same_run_and_many_steps_are_as_many_single_ones(model: Simulation) -> None:
    params = small(model, **{"kuramoto": {"noise": 0.2}, "n_body": {"system": "Star cluster"}}.get(model.id, {}))
    first, again, rng = model.init(params, chance(5)), model.init(params, chance(5)), chance(6)
    first = model.advance(first, params, chance(6), 25)
    for _ in range(25):
        again = model.step(again, params, rng)
    assert np.array_equal(model.pack(first), model.pack(again))
    assert look(model, first, params, 25) == look(model, again, params, 25)
    if model.stochastic:
        assert not np.array_equal(seen(model, params, 5), seen(model, params, 6))


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_many_sets_at_once_are_seen_as_one_by_one(model: Simulation) -> None:
    sets, times = [small(model), small(model, **{name_of_first(model): other(model, name_of_first(model))})], np.array([0.0, 10.0, 50.0]) * model.time_step(small(model))
    assert np.array_equal(model.observed(sets, times, [3, 4]), Simulation.observed(model, sets, times, [3, 4]))


def name_of_first(model: Simulation) -> str:
    return {"n_body": "gravity", "shallow_water": "height", "heat": "diffusivity"}.get(model.id, next(iter(model.Params.model_fields)))


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_what_a_filter_corrects_is_a_new_state(model: Simulation) -> None:
    params = small(model)
    state = model.advance(model.init(params, chance(1)), params, chance(2), 10)
    vector = model.pack(state)
    same = model.unpack(state, vector)
    assert look(model, same, params, 10) == pytest.approx(look(model, state, params, 10), abs=1e-9)
    moved = model.unpack(state, vector + 0.01)
    assert np.array_equal(model.pack(state), vector), "the state itself stays"
    if model.id != "kuramoto":  # where only the angle of what was corrected counts
        assert model.pack(moved) == pytest.approx(vector + 0.01)
    model.advance(moved, params, chance(2), 5)
    assert np.array_equal(model.pack(state), vector)


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_presets_are_shown_by_pictures_that_change(model: Simulation) -> None:
    for preset in model.presets:
        params = read_model_values(model, SMALL.get(model.id, {}) | dict(preset.values))
        state = model.init(params, chance(1))
        first = model.render(state, params)
        state = model.advance(state, params, chance(2), 40)
        later = model.render(state, params)
        assert first is not None and later is not None and first.dtype == np.uint8 and first.shape == later.shape and first.ndim == 3 and first.shape[2] == 3
        assert 256 <= max(first.shape) <= 480
        assert later.std() > 3 and not np.array_equal(first, later), preset.name


@pytest.mark.parametrize("model", [model for model in MODELS if model.pokes], ids=named)
def test_a_click_changes_the_state_and_leaves_the_old_one(model: Simulation) -> None:
    params = small(model)
    state = model.advance(model.init(params, chance(1)), params, chance(2), 5)
    before = model.pack(state)
    for x, y in ((0.0, 0.0), (0.3, 0.6), (1.0, 1.0)):
        after = model.poke(state, params, x, y, chance(3))
        assert not np.array_equal(model.pack(after), before) and np.array_equal(model.pack(state), before)
        assert all(np.isfinite(value) for value in look(model, model.advance(after, params, chance(4), 5), params, 10).values())


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_live_fields_act_while_it_runs(model: Simulation) -> None:
    live = [name for name, field in model.Params.model_fields.items() if field.json_schema_extra["ui"]["live"]]  # type: ignore[index,call-overload]
    assert live
    for name in live:
        if (model.id, name) in BY_CLICK | {("shallow_water", "height")}:
            continue
        params = small(model, **BESIDE.get((model.id, name), {}))
        changed_params(params, (0, name, other(model, name)))
        times = np.array([10.0, 60.0]) * model.time_step(params)
        as_it_was = [one.values for one in observations(model, params, times, 1)]
        changed = [one.values for one in observations(model, params, times, 1, [(20, name, other(model, name))])]
        assert changed[0] == as_it_was[0] and changed[1] != as_it_was[1], name


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_a_model_says_what_it_is(model: Simulation) -> None:
    assert len(re.findall(r"[.?!](?: |$)", model.about)) == 3, "three sentences"
    assert model.sources and len(model.presets) >= 3 and model.series
    assert sum(not field.json_schema_extra["ui"]["advanced"] for field in model.Params.model_fields.values()) <= 4  # type: ignore[index,call-overload,misc]


# What is true of one model only --------------------------------------------------------------------------


def test_a_lake_at_rest_stays_at_rest_around_an_island() -> None:
    model = ShallowWater()
    for island in (4.0, 14.0):
        params = model.Params(start="Still", island=island, cells=32)
        state = model.advance(model.init(params, chance(1)), params, chance(1), 100)
        assert np.abs(state.flow[1:]).max() < 1e-9
        assert model.observe(state, params)["quickest"] < 1e-9


def test_a_flood_keeps_depths_positive_and_every_drop() -> None:
    model = ShallowWater()
    params = model.Params(start="Flood", cells=48, island=12.0, friction=0.03)
    state = model.advance(model.init(params, chance(1)), params, chance(1), 200)
    assert state.flow[0, 2:-2, 2:-2].min() >= -1e-12 and abs(model.observe(state, params)["loss"]) < 1e-10


def test_both_axes_of_the_water_are_alike() -> None:
    model = ShallowWater()
    params = model.Params(start="Still", cells=32, height=3.0)
    state = model.poke(model.init(params, chance(1)), params, 0.5, 0.5, chance(1))
    flow = model.advance(state, params, chance(1), 60).flow[:, 2:-2, 2:-2]
    assert flow[0] == pytest.approx(flow[0].T, abs=1e-10) and flow[1] == pytest.approx(flow[2].T, abs=1e-10)


def test_flow_turns_to_the_right_in_the_north() -> None:
    model = ShallowWater()
    params = model.Params(cells=48, coriolis=0.01)
    state = model.advance(model.init(params, chance(1)), params, chance(1), 30)
    inner = state.flow[:, 2:-2, 2:-2]
    assert inner[1].sum() > 0 and inner[2].sum() > 0, "to the right on the map, so downwards in rows"


def test_a_standing_wave_deeper_than_the_water_is_refused() -> None:
    with pytest.raises(BadInput) as refused:
        read_model_values(ShallowWater(), {"start": "Standing wave", "height": 10.0})
    assert refused.value.field == "values.height"


def test_there_is_no_spiral_on_the_equator() -> None:
    with pytest.raises(BadInput) as refused:
        read_model_values(Ekman(), {"latitude": 0.5})
    assert refused.value.field == "values.latitude"


def test_expected_ice_lines_follow_from_norths_series() -> None:
    assert ice_line(1361.0) == pytest.approx(ICE_LINE, abs=0.01)
    lowest = [sun_for_ice_at(x) for x in (0.52, 0.54, 0.56)]
    assert lowest[1] == pytest.approx(TIPPING, abs=0.05) and lowest[1] < min(lowest[0], lowest[2])


def test_the_same_sun_has_two_climates() -> None:
    model = EnergyBalance()
    means = [list(observations(model, model.Params(start=start), np.array([300.0]), 1))[0].values["mean"] for start in ("Warm", "Frozen")]
    assert means[0] > 10 and means[1] < -35


def test_a_species_is_lost_beyond_the_critical_pace_and_lasts_below() -> None:
    model = MovingOptimum()
    critical = critical_pace(model.Params())
    for share, lasts in ((0.8, True), (1.3, False)):
        adults = list(observations(model, model.Params(pace=share * critical), np.array([400.0]), 2))[0].values["adults"]
        assert (adults > 0) == lasts


def test_the_figure_eight_comes_back_by_either_method() -> None:
    model = NBody()
    for method, gap in (("Leapfrog", 1e-3), ("Yoshida", 1e-5)):
        params = model.Params(method=method, interval=6.32591398 / 6000)
        state = model.init(params, chance(1))
        start = state.place.copy()
        assert np.abs(model.advance(state, params, chance(1), 6000).place - start).max() < gap


def test_a_crowd_of_bodies_is_refused() -> None:
    model = NBody()
    params = model.Params(system="Star cluster", bodies=MOST_BODIES)
    with pytest.raises(BadInput):
        model.poke(model.init(params, chance(1)), params, 0.1, 0.1, chance(1))


def test_a_blow_up_is_told_with_its_step_and_cause() -> None:
    model = Growth()
    with pytest.raises(Diverged) as told:
        list(observations(model, model.Params.parse({"rate": 1.0, "breaks": 0.5}), np.arange(0.0, 2.0, 0.5), 1))
    assert "blew up at step 50 " in told.value.message and told.value.hint == model.likely_cause(None)


@pytest.mark.parametrize("values", [{"prey": 10_000.0}, {"prey": 10_000.0, "predators": 10_000.0}, {"prey": 10_000.0, "predators": 10_000.0, "hunting": 10.0, "feeding": 10.0}])
def test_ten_thousand_animals_go_round_as_the_equations_say(values: dict[str, float]) -> None:
    """Against logarithms of both numbers by another method: a curve of constant V is closed, and goes beyond no number."""
    model, times = LotkaVolterra(), np.linspace(0.0, 60.0, 61)
    params = model.Params.parse(values)
    seen = model.observed([params], times, [1])[0]
    begin = np.log([params.prey, params.predators])
    with np.errstate(all="ignore"):  # its first tries may be too long
        exact = solve_ivp(lambda t, u: [params.growth - params.hunting * np.exp(u[1]), params.feeding * np.exp(u[0]) - params.starving], (0.0, 60.0), begin, method="DOP853", rtol=1e-11, atol=1e-11, t_eval=times).y
    np.testing.assert_allclose(np.log(seen[:, 1]), exact[1], atol=1e-5)
    there = exact[0] > np.log(NONE)
    np.testing.assert_allclose(np.log(seen[there, 0]), exact[0][there], atol=0.02)
    assert (seen[~there, 0] < 1e-250).all()
    looks = list(observations(model, params, times, 1, stretch=7))
    assert [list(look.values.values()) for look in looks] == seen.tolist(), "however it is divided into stretches"


def test_a_click_scatters_only_those_near_it() -> None:
    model = Kuramoto()
    params = model.Params(coupling=3.0)
    state = model.advance(model.init(params, chance(1)), params, chance(1), 600)
    after = model.poke(state, params, 0.5 + 0.4 * np.cos(1.0), 0.5 - 0.4 * np.sin(1.0), chance(2))
    moved = state.phase != after.phase
    assert 0 < moved.sum() < moved.size and np.all(np.cos(state.phase[moved] - 1.0) > np.cos(np.pi / 4) - 1e-12)
