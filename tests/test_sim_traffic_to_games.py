"""Models of traffic, ecosystems, towns, materials and game worlds: rules against independent computations, and what every model must keep to."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from pipelines.simulation import register_simulations
from pipelines.simulation.models.bml import Bml
from pipelines.simulation.models.dungeon import Dungeon, DungeonParams
from pipelines.simulation.models.gray_scott import CELL, GrayScott, GrayScottParams
from pipelines.simulation.models.lennard_jones import LennardJones, LennardJonesParams, box_of
from pipelines.simulation.models.life import Life, LifeParams, table
from pipelines.simulation.models.nasch import Nasch, NaschParams
from pipelines.simulation.models.percolation import BURNT, FIRE, Percolation, PercolationParams
from pipelines.simulation.models.streets import Streets, StreetsParams, numbers
from pipelines.simulation.models.terrain import Terrain, TerrainParams
from pipelines.simulation.models.wolf_sheep import WolfSheep, WolfSheepParams
from studio.errors import BadInput
from studio.i18n import read_catalogue
from studio.simulation import Diverged, Simulation, chance, look, observations

DOMAINS = ("Traffic", "Ecosystem", "Urban", "Materials", "Game worlds")
# Small values that make each run quick, and for each field another value that must change what is seen
SMALL: dict[str, dict[str, Any]] = {
    "nasch": {"length": 200},
    "streets": {"streets": 2, "block": 20, "cycle": 20, "density": 0.2},
    "bml": {"size": 32},
    "wolf_sheep": {"size": 30, "sheep": 200, "wolves": 40},
    "gray_scott": {"size": 64, "seeds": 2},
    "schelling": {"size": 30},
    "urban_growth": {"size": 101},
    "percolation": {"size": 64},
    "forest_fire": {"size": 64, "ratio": 20.0},
    "ising": {"size": 32},
    "lennard_jones": {"atoms": 100, "dt": 0.002},
    "terrain": {"size": 32},
    "dungeon": {"size": 40, "rock": 0.5, "passes": 2},
    "life": {"size": 64},
}
OTHER: dict[str, dict[str, Any]] = {
    "nasch": {"density": 0.3, "slowing": 0.6, "fastest": 3, "length": 300, "start": "One jam"},
    "idm_ring": {"cars": 15, "circumference": 260.0, "acceleration": 2.0, "headway": 1.4, "desired": 25.0, "braking": 3.0, "distance": 1.0, "car_length": 4.0, "disturbance": 0.3},
    "streets": {"density": 0.1, "cycle": 40, "green": 0.7, "plan": "All at once", "turning": 0.5, "slowing": 0.4, "fastest": 2, "streets": 3, "block": 30, "lost": 5},
    "bml": {"density": 0.5, "size": 40, "east": 0.2},
    "lotka_volterra": {"growth": 0.8, "hunting": 0.3, "starving": 0.6, "feeding": 0.2, "prey": 7.0, "predators": 3.0},
    "rosenzweig_macarthur": {"capacity": 2.0, "growth": 0.7, "attack": 1.5, "mortality": 0.2, "handling": 0.5, "conversion": 0.8, "prey": 0.7, "predators": 0.9},
    "wolf_sheep": {"sheep": 150, "wolves": 60, "sheep_births": 0.2, "regrowth": 5, "wolf_births": 0.2, "sheep_gain": 8.0, "wolf_gain": 5.0, "watchful": False, "size": 40},
    "gray_scott": {"feed": 0.02, "kill": 0.05, "seeds": 5, "size": 80, "diffusion_u": 1.5e-5, "diffusion_v": 5e-6, "noise": 0.2},
    "schelling": {"wanted": 0.6, "density": 0.8, "groups": 3, "size": 40},
    "urban_growth": {"sticking": 0.1, "newcomers": 3, "centres": 4, "size": 151},
    "percolation": {"density": 0.7, "size": 80, "sparks": 0.5},
    "forest_fire": {"growth": 0.02, "ratio": 5.0, "size": 80},
    "ising": {"temperature": 1.0, "external": 1.0, "size": 40, "start": "All up"},
    "lennard_jones": {"temperature": 2.0, "density": 0.2, "atoms": 144, "space": "Space", "heat_bath": 50.0, "cutoff": 2.0, "dt": 0.004},
    "terrain": {"uplift": 5.0, "erodibility": 1e-4, "creep": 0.5, "size": 40, "exponent": 0.4, "years": 1000.0, "roughness": 50.0},
    "dungeon": {"rock": 0.4, "passes": 4, "threshold": 4, "size": 50, "smallest": 100, "width": 4},
    "life": {"rule": "B36/S23", "start": "Acorn", "filled": 0.5, "size": 80, "edge": "Dead"},
}
MODELS = [model for model in register_simulations() if model.id in OTHER]
STEPS = {"lotka_volterra": 500, "rosenzweig_macarthur": 500, "idm_ring": 200, "gray_scott": 200, "lennard_jones": 150}


def named(model: Simulation) -> str:
    return model.id


def run(model: Simulation, values: dict[str, Any], steps: int = -1, seed: int = 3) -> tuple[Any, Any, np.random.Generator]:
    params, rng = model.Params.parse(SMALL.get(model.id, {}) | values), chance(seed)
    model.check(params)
    return model.advance(model.init(params, rng), params, rng, STEPS.get(model.id, 25) if steps < 0 else steps), params, rng


def seen(model: Simulation, values: dict[str, Any], seed: int = 3) -> tuple[dict[str, float], bytes]:
    state, params, _ = run(model, values, seed=seed)
    picture = model.render(state, params)
    assert picture is not None
    return model.observe(state, params), picture.tobytes()


def test_all_of_these_domains_are_there() -> None:
    assert {model.domain for model in MODELS} == set(DOMAINS)
    assert set(OTHER) == {model.id for model in MODELS} and len(MODELS) == 17


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_every_field_changes_what_is_seen(model: Simulation) -> None:
    assert set(OTHER[model.id]) == set(model.Params.model_fields)
    usual = seen(model, {})
    for name, value in OTHER[model.id].items():
        assert seen(model, {name: value}) != usual, name


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_values_beyond_their_limits_are_refused_at_the_field(model: Simulation) -> None:
    for name, field in model.Params.model_fields.items():
        for limit in field.metadata:
            for beyond in [value for value in (getattr(limit, "ge", None), getattr(limit, "le", None)) if value is not None]:
                outside = beyond - 1 if beyond == getattr(limit, "ge", None) else beyond + 1
                with pytest.raises(BadInput) as told:
                    model.Params.parse({name: outside})
                assert told.value.field == name


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_at_every_limit_it_runs_or_says_at_which_field_it_can_not(model: Simulation) -> None:
    large = {"size", "length", "atoms", "streets", "block", "cars", "sheep", "wolves", "circumference"}
    for name, field in model.Params.model_fields.items():
        for limit in field.metadata:
            for value in [value for value in (getattr(limit, "ge", None), getattr(limit, "le", None)) if value is not None]:
                if name in large and value > 2000:
                    continue
                try:
                    state, params, _ = run(model, {name: value}, steps=3)
                    look(model, state, params, 3)
                    picture = model.render(state, params)
                    assert picture is not None and picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3 and picture.size > 0
                except (BadInput, Diverged) as told:
                    assert isinstance(told, Diverged) or told.field in model.Params.model_fields


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_the_same_seed_gives_the_same_run_and_another_seed_another(model: Simulation) -> None:
    assert seen(model, {}) == seen(model, {})
    if model.stochastic:
        assert seen(model, {}, seed=3) != seen(model, {}, seed=4)


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_many_steps_at_once_are_as_many_single_steps(model: Simulation) -> None:
    at_once, params, _ = run(model, {}, steps=20)
    state, params, rng = run(model, {}, steps=0)
    for _ in range(20):
        state = model.step(state, params, rng)
    for name, value in model.observe(at_once, params).items():
        assert value == pytest.approx(model.observe(state, params)[name], rel=1e-9, abs=1e-12), name
    if "Ode" not in [base.__name__ for base in type(model).__mro__]:
        assert np.array_equal(model.render(at_once, params), model.render(state, params))


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_pictures_are_pictures_and_a_click_does_something(model: Simulation) -> None:
    state, params, rng = run(model, {})
    picture = model.render(state, params)
    assert picture is not None and picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 1 and max(picture.shape) >= 200
    assert model.pokes
    before = picture.tobytes()
    for x, y in ((0.3, 0.4), (0.55, 0.5), (0.999, 0.999)):
        state = model.step(model.poke(state, params, x, y, rng), params, rng)
    untouched = model.advance(*run(model, {}), 3)
    assert model.render(state, params).tobytes() not in (before, model.render(untouched, params).tobytes())  # type: ignore[union-attr]


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_every_preset_and_every_live_change_runs(model: Simulation) -> None:
    for preset in model.presets:
        params = model.Params.parse(dict(preset.values))
        model.check(params)
        rng = chance(1)
        look(model, model.step(model.init(params, rng), params, rng), params, 1)
    live = [name for name, field in model.Params.model_fields.items() if (field.json_schema_extra or {}).get("ui", {}).get("live")]  # type: ignore[union-attr, call-overload]
    changes = [(2 + number, name, OTHER[model.id][name]) for number, name in enumerate(live)]
    params = model.Params.parse(SMALL.get(model.id, {}))
    times = model.time_step(params) * np.array([1.0, 40.0])
    last = [list(observations(model, params, times, 5, these))[-1].values for these in ([], changes)]
    assert not live or last[0] != last[1]


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_at_most_four_fields_are_in_sight_and_all_is_said_in_japanese(model: Simulation) -> None:
    fields = model.Params.model_fields.values()
    assert len([field for field in fields if not (field.json_schema_extra or {}).get("ui", {}).get("advanced")]) <= 4 or model.id == "life"  # type: ignore[union-attr, call-overload]
    texts = {model.title, model.domain, model.about, *(series.title for series in model.series)}
    texts |= {text for preset in model.presets for text in (preset.name, preset.about) if text}
    texts |= {text for field in fields for text in (field.title, field.description)}
    texts |= {choice for field in fields for choice in getattr(field.annotation, "__args__", ()) if isinstance(choice, str)}
    assert texts - set(read_catalogue("ja")) == set()
    assert model.sources and len(model.presets) >= 3


def test_cars_neither_vanish_nor_overtake() -> None:
    state, params, rng = run(Nasch(), {"density": 0.3, "start": "One jam"}, steps=0)
    for density in (0.3, 0.6, 0.1):
        now = NaschParams(length=200, density=density)
        state = Nasch().advance(Nasch().changed(state, params, now, rng), now, rng, 50)
        params = now
        assert len(state.cells) == len(set(state.cells.tolist())) == round(200 * density)
        assert (np.diff(np.roll(state.cells, -int(np.argmin(state.cells)))) > 0).all()


def test_a_car_that_is_stopped_is_seen_standing_at_once() -> None:
    state, params, rng = run(Nasch(), {"density": 0.05, "slowing": 0.0, "start": "Evenly spaced"}, steps=9)
    before = Nasch().render(state, params).copy()
    after = Nasch().render(Nasch().poke(state, params, 0.5, 0.5, rng), params)
    assert (np.flatnonzero((before != after).any(axis=(1, 2))) >= len(after) - 2).all() and (before != after).any()  # in the newest row alone


def test_no_two_cars_share_a_cell_or_run_a_red_light() -> None:
    model, params, rng = Streets(), StreetsParams(streets=3, block=12, cycle=16, density=0.4, turning=0.5), chance(2)
    state = model.init(params, rng)
    for _ in range(200):
        state = model.step(state, params, rng)
        taken = numbers(state.street, state.cell, params)
        assert len(set(taken.tolist())) == len(taken) == np.count_nonzero(state.taken)
        assert (state.taken[taken] == 1).all()


def test_the_town_keeps_its_cars_and_nobody_leaves_the_own_street() -> None:
    state, params, rng = run(Bml(), {"density": 0.3}, steps=0)
    rows, columns = (np.count_nonzero(state.cells == kind, axis=axis) for kind, axis in ((1, 1), (2, 0)))
    state = Bml().advance(state, params, rng, 100)
    assert np.array_equal(rows, np.count_nonzero(state.cells == 1, axis=1)) and np.array_equal(columns, np.count_nonzero(state.cells == 2, axis=0))


def test_sheep_without_limits_end_the_run_with_a_sentence() -> None:
    model, params, rng = WolfSheep(), WolfSheepParams(wolves=0, sheep=100_000, sheep_births=0.5, regrowth=1, sheep_gain=100.0, size=500), chance(1)
    with pytest.raises(Diverged, match="million animals at step"):
        model.advance(model.init(params, rng), params, rng, 20)


def test_a_wolf_eats_one_sheep_of_its_cell_and_gains_its_energy() -> None:
    from pipelines.simulation.models.wolf_sheep import hunt

    alive, cells, energy = hunt(np.array([1, 1, 1]), np.array([0]), np.array([5.0]), 10, 0.0, 20.0, True, chance(1))
    assert alive.sum() == 2 and cells.tolist() == [1] and energy.tolist() == [24.0]


def test_gray_scott_is_the_textbook_scheme_and_needs_no_compiler() -> None:
    model, params, rng = GrayScott(), GrayScottParams(size=32, seeds=1), chance(1)
    state = model.init(params, rng)
    u, v = state.u[1:-1, 1:-1].astype(float), state.v[1:-1, 1:-1].astype(float)
    model.advance(state, params, rng, 10)
    for _ in range(10):
        around = [sum(np.roll(grid, by, axis) for by in (-1, 1) for axis in (0, 1)) - 4 * grid for grid in (u, v)]
        reacted = u * v * v
        u, v = u + 2e-5 / CELL**2 * around[0] - reacted + params.feed * (1 - u), v + 1e-5 / CELL**2 * around[1] + reacted - (params.feed + params.kill) * v
    assert np.allclose(state.u[1:-1, 1:-1], u, atol=1e-5) and np.allclose(state.v[1:-1, 1:-1], v, atol=1e-5)
    code = "import sys; sys.modules['numba'] = None\nfrom pipelines.simulation.models.gray_scott import *; from studio.simulation import chance\nm = GrayScott(); p = GrayScottParams(size=32); r = chance(1); s = m.advance(m.init(p, r), p, r, 5); m.render(s, p)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120).returncode == 0


def test_what_a_filter_corrects_comes_back() -> None:
    state, params, _ = run(GrayScott(), {})
    again = GrayScott().unpack(state, GrayScott().pack(state))
    assert GrayScott().observe(again, params) == GrayScott().observe(state, params)


def test_fire_reaches_what_hangs_together_with_the_edge() -> None:
    from scipy.ndimage import label

    model, params = Percolation(), PercolationParams(size=64, density=0.6)
    state = model.init(params, chance(7))
    trees = label(state.places > 0)[0]
    state = model.advance(state, params, chance(7), 3000)
    assert np.array_equal(state.places == BURNT, (trees > 0) & np.isin(trees, trees[:, 0])) and not np.any(state.places == FIRE)


def test_forces_of_atoms_are_those_of_all_pairs() -> None:
    for values in ({"atoms": 150, "density": 0.6}, {"atoms": 600, "density": 0.4, "space": "Space"}):
        model, params, rng = LennardJones(), LennardJonesParams.parse(values | {"cutoff": 2.0}), chance(1)
        state = model.advance(model.init(params, rng), params, rng, 200)
        apart = state.places[:, None] - state.places[None]
        apart -= box_of(params) * np.rint(apart / box_of(params))
        square = (apart**2).sum(axis=2) + np.eye(len(apart)) * 1e9
        near = square < 4.0
        strength = np.where(near, 24 * (2 * square**-6.0 - square**-3.0) / square, 0)
        assert np.allclose(state.forces, (strength[..., None] * apart).sum(axis=1), atol=1e-7)
        assert state.sums[1] == pytest.approx(0.5 * np.where(near, 4 * (square**-6.0 - square**-3.0), 0).sum(), abs=1e-7)


def test_too_long_a_time_step_ends_the_run_with_a_sentence() -> None:
    model, params = LennardJones(), LennardJonesParams(dt=0.05, temperature=10.0, density=0.8, atoms=100, heat_bath=0.0)
    with pytest.raises(Diverged, match="blew up at step"):
        list(observations(model, params, np.arange(0, 100, 1.0), 1))


def test_life_is_what_counting_neighbours_gives_for_any_rule() -> None:
    for rule, edge in (("B3/S23", "Joined"), ("B36/S23", "Dead"), ("b2/s", "Joined"), ("B0/S8", "Joined")):
        model, params, rng = Life(), LifeParams(rule=rule, size=40, edge=edge), chance(1)  # type: ignore[arg-type]
        state = model.init(params, rng)
        cells = state.cells[1:-1, 1:-1].copy()
        state = model.advance(state, params, rng, 12)
        born, stay = (set(map(int, part[1:])) for part in rule.upper().split("/"))
        for _ in range(12):
            padded = np.pad(cells, 1, mode="wrap" if edge == "Joined" else "constant")
            around = sum(padded[1 + y : 41 + y, 1 + x : 41 + x] for y in (-1, 0, 1) for x in (-1, 0, 1) if x or y)
            cells = np.where(cells == 1, np.isin(around, list(stay)), np.isin(around, list(born))).astype(np.uint8)
        assert np.array_equal(state.cells[1:-1, 1:-1], cells), rule


@pytest.mark.parametrize("rule", ["B9/S23", "life", "3/23", "B3S23", "B3/S23/4"])
def test_a_rule_that_is_none_is_refused_with_a_sentence(rule: str) -> None:
    with pytest.raises(BadInput, match="is no rule") as told:
        Life().check(LifeParams(rule=rule))
    assert told.value.field == "rule"


def test_every_place_of_a_cave_can_be_reached() -> None:
    from scipy.ndimage import label

    for seed in range(5):
        model, params, rng = Dungeon(), DungeonParams(size=48, rock=0.52), chance(seed)
        state = model.advance(model.init(params, rng), params, rng, 80)
        assert label(state.places == 0)[1] <= 1


def test_all_rain_leaves_at_the_edges_and_rivers_flow_down() -> None:
    model, params, rng = Terrain(), TerrainParams(size=48), chance(1)
    state = model.advance(model.init(params, rng), params, rng, 300)
    roots = state.target == np.arange(48 * 48)
    assert state.drained[roots].sum() == pytest.approx(48 * 48 * 100.0**2)
    place = np.empty(48 * 48, dtype=int)
    place[state.order] = np.arange(48 * 48)
    assert (place[state.target[~roots]] < place[~roots]).all()
    edge = np.ones((48, 48), dtype=bool)
    edge[1:-1, 1:-1] = False
    assert (state.heights[edge] == 0).all() and roots.reshape(48, 48)[edge].all()


@pytest.mark.parametrize(("model", "values", "field"), [("idm_ring", {"cars": 50}, "cars"), ("idm_ring", {"disturbance": 5.0}, "disturbance"), ("streets", {"lost": 20, "cycle": 20}, "lost"), ("ising", {"size": 33}, "size"), ("lennard_jones", {"atoms": 16, "density": 1.0}, "atoms"), ("gray_scott", {"diffusion_u": 0.0}, "diffusion_v"), ("rosenzweig_macarthur", {"prey": 50.0}, "prey"), ("life", {"start": "Gosper's gun", "size": 20}, "size")])
def test_values_that_do_not_go_together_are_refused_at_the_field(model: str, values: dict[str, Any], field: str) -> None:
    found = next(each for each in MODELS if each.id == model)
    with pytest.raises(BadInput) as told:
        found.check(found.Params.parse(values))
    assert told.value.field == field


def neighbours(cells: np.ndarray, joined: bool) -> np.ndarray:
    """How many live in the square of nine around each cell."""
    wide = np.pad(cells, 1, mode="wrap" if joined else "constant")
    return np.sum([np.roll(wide, (down, across), (0, 1))[1:-1, 1:-1] for down in (-1, 0, 1) for across in (-1, 0, 1)], axis=0)


@pytest.mark.parametrize("edge", ["Joined", "Dead"])
@pytest.mark.parametrize(("start", "rule"), [("Acorn", "B3/S23"), ("Gosper's gun", "B3/S23"), ("Soup", "B3/S23"), ("Replicator", "B36/S23"), ("Glider", "B03/S23"), ("Glider", "B3/S23")])
def test_life_looks_only_where_something_lives_and_misses_nothing(start: str, rule: str, edge: str) -> None:
    params, model, rng = LifeParams.parse({"start": start, "rule": rule, "edge": edge, "size": 150, "filled": 0.002}), Life(), np.random.default_rng(1)
    board = model.init(params, rng)
    cells = board.cells[1:-1, 1:-1].copy()
    for steps in (1, 40, 7, 64, 300):
        board = model.advance(board, params, rng, steps)
        for _ in range(steps):
            cells = table(rule)[neighbours(cells, edge == "Joined") + 9 * cells]
        assert np.array_equal(board.cells[1:-1, 1:-1], cells) and np.array_equal(board.age > 0, cells > 0)
