"""One's own models run: each kind by its rules, each field acts, and what has no value is told with its equation and time."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from pipelines.simulation.own import read_model
from pipelines.simulation.own.automata import OwnAutomaton
from studio.api import BadInput, Diverged, Misread, Simulation, chance, observations, read_model_values
from tabs.simulation_own_examples import EXAMPLES

TITLES = [example["title"] for example in EXAMPLES]


def model(text: str, kind: str = "ode", **more: Any) -> Any:
    return read_model(json.dumps({"text": text, "kind": kind, **more}))


def example(name: str, **more: Any) -> Simulation:
    return read_model(json.dumps(next(one for one in EXAMPLES if one["title"] == name) | more))


def times_of(model: Simulation) -> np.ndarray:
    """A few, and not many steps."""
    return np.linspace(0, 60 * model.time_step(model.Params()), 7)


@pytest.mark.parametrize("title", TITLES)
def test_an_example_runs_and_its_quick_way_is_that_of_its_steps(title: str) -> None:
    made = example(title)
    times, params = times_of(made), made.Params()
    looked = np.array([list(seen.values.values()) for seen in observations(made, params, times, 3)])
    assert made.observed([params, params], times, [3, 3])[1] == pytest.approx(looked, rel=1e-12, abs=1e-12)
    state = made.init(params, chance(3))
    rng = chance(3)
    state = made.init(params, rng)
    for _ in range(60):
        state = made.step(state, params, rng)
    assert list(made.observe(state, params).values()) == pytest.approx(looked[-1], rel=1e-9, abs=1e-9)
    picture = made.render(state, params)
    if picture is not None:
        assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3 and picture.std() > 0


@pytest.mark.parametrize("title", TITLES)
def test_every_parameter_of_an_example_acts(title: str) -> None:
    made = example(title)
    steps = {"Pushed oscillator": 3000, "Bathtub": 400}.get(title, 200)
    times = np.linspace(0, steps * made.time_step(made.Params()), 5)
    plain = made.observed([made.Params()], times, [5])
    for name, field in made.Params.model_fields.items():
        low, high = (next(getattr(item, bound) for item in field.metadata if hasattr(item, bound)) for bound in ("ge", "le"))
        other = type(field.default)(field.default + 0.2 * (high - field.default) if high > field.default else field.default - 0.2 * (field.default - low))
        changed = made.observed([made.Params.parse({name: other})], times, [5])
        assert not np.array_equal(changed, plain), name
        for beyond in (low - 1, high + 1, math.nan, math.inf):
            with pytest.raises(BadInput) as raised:
                read_model_values(made, {name: beyond})
            assert raised.value.field == f"values.{name}"


def test_one_seed_one_run_and_another_seed_another() -> None:
    for title in ("Pulled noise", "Share price", "Rumour", "Infection among neighbours", "Forest fire", "Game of Life", "Spots and stripes"):
        made = example(title)
        times = np.array([0.0, 100 * made.time_step(made.Params())])
        one, same, other = (made.observed([made.Params()], times, [seed])[0] for seed in (1, 1, 2))
        assert np.array_equal(one, same) and not np.array_equal(one, other), title
        assert made.stochastic


@pytest.mark.parametrize(("text", "kind", "told"), [
    ("dx/dt = 1/(t - 1)\nx(0) = 0", "ode", "time 1, in dx/dt (line 1): division by zero in 1 / (t - 1)"),
    ("dx/dt = a\na = 1/x\nx(0) = 0", "ode", "time 0, in dx/dt (line 2): division by zero in 1 / x"),
    ("dx/dt = -1/sqrt(x)\nx(0) = 1", "ode", "in dx/dt (line 1): sqrt(x) has no value there"),
    ("dx/dt = x^2\nx(0) = 1", "ode", "in dx/dt (line 1): x^2 grew beyond all numbers"),
    ("x' = x^2\nx(0) = 10", "map", "time 8, in x' (line 1): x^2 grew beyond all numbers"),
    ("x' = log(x)\nx(0) = 2", "map", "in x' (line 1): log(x) has no value there"),
    ("dX = X*dt + dW/(t - 0.5)\nX(0) = 1", "sde", "time 0.5, in dX (line 1): division by zero in 1 / (t - 0.5)"),
    ("stock A = 1\nflow f: A -> outside = 1/(A - 1)", "stock", "(line 2): division by zero in 1 / (A - 1)"),
    ("states: a, b\nagents 10\nstart b = 0.5\na -> b at 1/(count(b) - 5)", "agents", "time 0, in line 4: division by zero"),
    ("states: a, b\na -> b at -1", "agents", "time 0, in line 2: a chance is less than nothing"),
    ("states: a, b\nagents 10\na -> b with p\np = 1.5", "agents", "time 0, in line 3: a probability is more than 1"),
    ("states: a, b, c\nagents 10\na -> b with p\na -> c with 0.6\np = 0.5", "agents", "time 0, in line 4: the probabilities of leaving a state are more than 1 together"),
    ("states: a, b, c\na -> b with p\na -> c with 0.6\np = 0.5", "agents", "time 0, in line 3: the probabilities of leaving a state are more than 1 together"),
    ("states: a, b\na -> b if 1/(count(b)) > 1", "automaton", "time 0, in line 2: division by zero"),
    ("du/dt = 1/(u - 1)\nu(0) = 1", "pde", "time 0, in du/dt (line 1): division by zero"),
    ("du/dt = u^3\nu(0) = 5", "pde", "u grew beyond all numbers"),
])  # fmt: skip
def test_what_has_no_value_is_told_with_equation_and_time(text: str, kind: str, told: str) -> None:
    made = model(text, kind, dt=0.125, size=8)
    for run in (lambda: made.observed([made.Params()], np.arange(0, 20.0), [1]), lambda: list(observations(made, made.Params(), np.arange(0, 20.0), 1))):
        with pytest.raises(Diverged) as raised:
            run()
        assert told in raised.value.message and raised.value.hint


@pytest.mark.parametrize(("text", "kind", "column", "told"), [
    ("dX = X*dt*dt\nX(0) = 1", "sde", 10, "dt and dW can be multiplied by something and added, no more"),
    ("dX = X*dt + X\nX(0) = 1", "sde", 13, "each term needs dt or a dW"),
    ("dX = sin(dW)\nX(0) = 1", "sde", 6, "dt and dW can be multiplied by something and added, no more"),
    ("x[n+2] = x\nx(0) = 1", "map", 5, "expected “1” instead of “2”"),
    ("rule 256", "automaton", 6, "elementary rules go from 0 to 255, not 256"),
    ("rule B3/S9", "automaton", 9, "expected S and numbers of neighbours from 0 to 8 instead of “S9”"),
    ("states: a, b\na -> c if 1", "automaton", 6, "unknown state “c”"),
    ("states: alive, dead\nalive -> dead if count(alve) > 1", "automaton", 24, "unknown state “alve” — did you mean “alive”?"),
    ("states: a, b\na -> b if count(1) > 1", "automaton", 11, "“count” takes the name of one state"),
    ("states: a, b\na -> b of 1", "agents", 8, "expected “at” or “with” instead of “of”"),
    ("states: a, b\nagents 10\na -> b with 1.5", "agents", 1, "a probability is more than 1"),
    ("states: a, b, c\na -> b with 0.5\na -> c with 1 - 0.4", "agents", 1, "the probabilities of leaving a state are more than 1 together"),
    ("stock outside = 1\nstock A = 1\nflow f: A -> outside = 1", "stock", 7, "“outside” has a meaning of its own"),
    ("agents 0\nstates: a, b", "agents", 8, "there can be 1 to 10,000,000 agents, not 0"),
    ("stock A = 1\nflow f: B -> A = 1", "stock", 9, "unknown name “B”"),
    ("du/dt = laplace(u, u)\nu(0) = 1", "pde", 9, "“laplace” takes one argument, not 2"),
    ("du/dt = u\nu(0) = laplace(x)", "pde", 8, "“laplace” has no place here"),
])  # fmt: skip
def test_each_kind_refuses_at_the_character(text: str, kind: str, column: int, told: str) -> None:
    with pytest.raises(Misread) as raised:
        model(text, kind)
    assert (raised.value.column, raised.value.sentence) == (column, told)


@pytest.mark.parametrize(("method", "text", "longest"), [
    ("euler", "du/dt = D*laplace(u)\nD = 0.5\nu(0) = x", 0.5), ("", "du/dt = D*laplace(u)\nD = 0.5\nu(0) = x", 0.696),
    ("euler", "du/dt = -laplace(laplace(u))\nu(0) = x", 2 / 64), ("euler", "du/dt = (1 + u)*laplace(u)\nu(0) = if(x < 3, 1, 0)", 0.125), ("euler", "du/dt = laplace(v)\ndv/dt = laplace(v) - 5*v\nu(0) = 0\nv(0) = 1", 0.25),
])  # fmt: skip
def test_a_step_beyond_the_diffusion_limit_is_refused_with_the_longest(method: str, text: str, longest: float) -> None:
    model(text, "pde", method=method, dt=longest * 0.999, size=16)
    with pytest.raises(Misread) as raised:
        model(text, "pde", method=method, dt=longest * 1.01, size=16)
    assert f"{longest:.3g} is the longest" in raised.value.sentence.replace("0.0312 ", f"{2 / 64:.3g} ") and raised.value.column == text.index("laplace") + 1


def test_the_limit_is_that_of_the_values_chosen_later() -> None:
    made = model("du/dt = D*laplace(u)\nD = 0.5 [0, 2]\nu(0) = x", "pde", method="euler", dt=0.4, size=16)
    with pytest.raises(BadInput) as raised:
        read_model_values(made, {"D": 1.0})
    assert raised.value.field == "values.D" and "0.25 is the longest" in raised.value.message


def test_life_is_the_same_by_rule_and_by_conditions() -> None:
    rule = example("Game of Life", size=32)
    told = model("states: dead, alive\nalive -> dead if count(alive) < 2 or count(alive) > 3\ndead -> alive if count(alive) == 3\nstart alive = 0.3", "automaton", size=32)
    for made in (rule, told):
        assert made.observed([made.Params()], np.arange(0, 40.0), [4])[0, -1, 1] > 0
    assert np.array_equal(rule.observed([rule.Params()], np.arange(0, 40.0), [4]), told.observed([told.Params()], np.arange(0, 40.0), [4]))


@pytest.mark.parametrize(("border", "corner"), [("periodic", 8), ("closed", 8), ("fixed", 3)])
def test_borders_of_automata_are_as_told(border: str, corner: int) -> None:
    from pipelines.simulation.own.automata import EIGHT, counted

    assert counted(np.ones((4, 4), dtype=bool), EIGHT, border)[0, 0] == corner


def test_a_fixed_border_keeps_its_values_and_a_closed_one_keeps_what_is_inside() -> None:
    text = "du/dt = laplace(u)\nu(0) = if(x < 4, 1, 0)"
    for border in ("fixed", "closed", "periodic"):
        made = model(text, "pde", border=border, dt=0.2, size=16)
        start = made.init(made.Params(), chance(0)).fields["u"]
        state = next(seen.state for seen in observations(made, made.Params(), np.array([20.0]), 0))
        end = state.fields["u"]
        assert np.array_equal(end[:, 0], start[:, 0]) == (border == "fixed")
        assert math.isclose(end.mean(), start.mean(), abs_tol=1e-12) == (border != "fixed")


def test_strong_order_of_milstein_is_one_and_of_euler_a_half() -> None:
    """Kloeden & Platen (1992), ch. 10: errors at time 1 of geometric Brownian motion against its exact path, halved steps."""
    errors: dict[str, list[float]] = {"": [], "milstein": []}
    for method, found in errors.items():
        for steps in (16, 64):
            made = model("dX = mu*X*dt + sigma*X*dW\nmu = 0.5\nsigma = 1\nX(0) = 1", "sde", method=method, dt=1 / steps)
            off = []
            for seed in range(400):
                noise = chance(seed).standard_normal(steps).sum() / math.sqrt(steps)
                off.append(abs(made.observed([made.Params()], np.array([1.0]), [seed])[0, 0, 0] - math.exp(noise)))
            found.append(float(np.mean(off)))
    orders = {method: math.log(found[0] / found[1]) / math.log(4) for method, found in errors.items()}
    assert orders[""] == pytest.approx(0.5, abs=0.15) and orders["milstein"] == pytest.approx(1.0, abs=0.15)


def test_milstein_is_refused_where_noise_is_shared() -> None:
    with pytest.raises(Misread, match="Milstein's method needs noise"):
        model("dX = Y*dW1\ndY = X*dW1\nX(0) = 1\nY(0) = 1", "sde", method="milstein")
    made = model("dX = dW1\ndY = dW1\ndZ = dW\nX(0) = 0\nY(0) = 0\nZ(0) = 0", "sde", dt=0.1)
    x, y, z = made.observed([made.Params()], np.array([5.0]), [1])[0, 0]
    assert x == y != z


def test_agents_that_all_meet_keep_their_number_and_decay_exactly() -> None:
    made = model("states: a, b, c\nagents 100000\na -> b at 0.3\na -> c at 0.1", "agents", dt=5)
    a, b, c = made.observed([made.Params()], np.array([5.0]), [1])[0, 0]
    assert a + b + c == 100_000 and a / 1e5 == pytest.approx(math.exp(-2), abs=0.005) and b / (b + c) == pytest.approx(0.75, abs=0.01)
    grid = model("states: a, b, c\na -> b at 0.3\na -> c at 0.1", "agents", dt=5, size=300)
    a, b, c = grid.observed([grid.Params()], np.array([5.0]), [1])[0, 0]
    assert a + b + c == 90_000 and a / 9e4 == pytest.approx(math.exp(-2), abs=0.005) and b / (b + c) == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("agents", ["agents 90000\n", ""])
def test_probabilities_of_two_exits_are_taken_as_they_are_written(agents: str) -> None:
    """Half go each way and nobody stays; beside probabilities, rates act on those that stay."""
    both = model(f"states: a, b, c\n{agents}a -> b with 0.5\na -> c with 0.5", "agents", size=300, dt=1)
    a, b, c = both.observed([both.Params()], np.array([1.0]), [1])[0, 0]
    assert a == 0 and b + c == 90_000 and b / 9e4 == pytest.approx(0.5, abs=0.01)
    some = model(f"states: a, b, c, d\n{agents}a -> b with 0.5\na -> c with 0.3\na -> d at 0.4", "agents", size=300, dt=0.5)
    a, b, c, d = some.observed([some.Params()], np.array([0.5]), [1])[0, 0] / 9e4
    assert [b, c, d] == pytest.approx([0.5, 0.3, 0.2 * (1 - math.exp(-0.2))], abs=0.006) and a + b + c + d == pytest.approx(1)


def test_a_stock_and_flow_model_is_its_equation() -> None:
    flows = model("stock A = 10\nstock B = 0\nflow f: A -> B = k*A\nflow g: B -> outside = m*B\nk = 0.3\nm = 0.1", "stock", dt=0.1)
    typed = model("dA/dt = -k*A\ndB/dt = k*A - m*B\nA(0) = 10\nB(0) = 0\nk = 0.3\nm = 0.1", dt=0.1)
    times = np.arange(0, 20.0)
    assert flows.observed([flows.Params()], times, [0])[0, :, :2] == pytest.approx(typed.observed([typed.Params()], times, [0])[0], abs=1e-12)
    assert [series.name for series in flows.series] == ["A", "B", "f", "g"]


def test_a_click_changes_automata_and_fields() -> None:
    for title in ("Game of Life", "Rule 110", "Forest fire", "Spots and stripes"):
        made = example(title)
        state = made.init(made.Params(), chance(1))
        poked = made.poke(state, made.Params(), 0.9, 0.1, chance(2))
        assert made.observe(poked, made.Params()) != made.observe(state, made.Params()), title
        assert not np.array_equal(made.render(poked, made.Params()), made.render(state, made.Params())), title


@pytest.mark.parametrize("title", TITLES)
def test_what_a_filter_takes_out_goes_back(title: str) -> None:
    made = example(title)
    if isinstance(made, OwnAutomaton):  # whose states are no numbers
        return
    state = made.init(made.Params(), chance(1))
    again = made.unpack(state, made.pack(state))
    assert made.observe(again, made.Params()) == pytest.approx(made.observe(state, made.Params()))


def test_settings_beside_the_text_act() -> None:
    spots = example("Spots and stripes", size=32)
    times = np.array([0.0, 40.0])
    plain = spots.observed([spots.Params()], times, [1])
    for change in ({"size": 40}, {"spacing": 1.2}, {"border": "fixed"}, {"method": "euler"}, {"dt": 0.5}):
        other = example("Spots and stripes", **{"size": 32} | change)
        assert not np.array_equal(other.observed([other.Params()], times, [1]), plain), change
    told = example("Epidemic", title="Mine", about="What it is.", duration=7, time_unit="weeks")
    assert (told.title, told.about, told.duration, told.time_unit, told.id) == ("Mine", "What it is.", 7, "weeks", "own")


def test_parameters_carry_range_unit_and_words() -> None:
    made = example("Epidemic")
    field = made.Params.model_fields["beta"]
    assert (field.default, field.description, field.json_schema_extra["ui"]["unit"], field.json_schema_extra["ui"]["live"]) == (0.5, "how easily it spreads", "per day", True)
    free = model("dx/dt = -a*x + b + c\na = 2\nb = -3 litres\nc = 0\nx(0) = 1").Params.model_fields
    assert [[item.ge if hasattr(item, "ge") else item.le for item in free[name].metadata if hasattr(item, "ge") or hasattr(item, "le")] for name in "abc"] == [[0, 20], [-30, 0], [-1, 1]]


def test_every_line_of_the_help_is_understood() -> None:
    from tabs.simulation_own_help import CARDS

    typed = {title: [line for line, _ in lines] for title, lines in CARDS}
    everywhere = model("dx/dt = rate\ndy/dt = " + " + ".join(["if(t > 5, k, x)", "(k if t > 5 else x)", "step(t - 5)", "pulse(t, 5, 2)", "pi", "e", *(f"{name}(x)" for name in typed["Everywhere"][6].split() if name not in ("min", "max"))]) + "\ny(0) = 1\n" + "\n".join(typed["Everywhere"][:4]))
    assert everywhere.Params().k == 0.5
    model(typed["Differential equations"][0] + "\nbeta = 1\nI = 2\nS(0) = 1")
    model(typed["Map"][0] + "\nr = 3\nx(0) = .1", "map")
    for rule in typed["Cellular automaton"][:2]:
        model(rule, "automaton", size=16)
    model("\n".join([typed["Cellular automaton"][2], typed["Cellular automaton"][3], *typed["Cellular automaton"][4].split("   ")]), "automaton")
    model(typed["Stochastic equations"][0] + "\nmu = 1\nsigma = 1\nX(0) = 1", "sde")
    model("\n".join([*typed["Stocks and flows"], "k = 1"]), "stock")
    agents = typed["Agents with states"]
    model("\n".join([*agents[0].split("   "), agents[1], agents[2], "beta = 1"]), "agents")
    model("\n".join([*typed["Fields on a grid"], "D = 1"]), "pde", dt=0.1)


def test_a_run_of_the_pipeline_takes_a_typed_model_with_values_of_its_own() -> None:
    from pathlib import Path

    from pipelines.simulation.run import RunParams, SimulationRun
    from studio.api import Desk, Inputs, Simulations
    from studio.catalog import Catalog
    from tests.simulating import Context

    text = json.dumps(next(one for one in EXAMPLES if one["title"] == "Epidemic"))
    pipeline, ctx = SimulationRun(Simulations([])), Context()
    asked = RunParams.parse({"model": "own", "own": text, "values": {"beta": 1.0}, "seed": 1, "duration": 20, "every": 5})
    pipeline.run(pipeline.settle(asked, Desk(Catalog([]), Inputs(Path("/nowhere")))), ctx)  # type: ignore[arg-type]
    rows = np.genfromtxt(next(one for one in ctx.kept if one.kind == "table").data.decode().splitlines(), delimiter=",", names=True)
    made = read_model(text)
    wanted = made.observed([made.Params.parse({"beta": 1.0})], np.array([0, 5, 10, 15, 20.0]), [1])[0]
    np.testing.assert_allclose(np.stack([rows[name] for name in rows.dtype.names[1:]], axis=1), wanted, rtol=1e-9)
    with pytest.raises(BadInput) as raised:
        pipeline.settle(RunParams.parse({"model": "own", "own": text, "values": {"beta": 3.0}}), Desk(Catalog([]), Inputs(Path("/nowhere"))))
    assert raised.value.field == "values.beta"


def test_a_large_grid_of_many_fields_is_read_quickly_and_too_many_are_refused() -> None:
    import time

    def text(count: int) -> str:
        return "\n".join(f"du{number}/dt = laplace(u{number}) - u{number}^3 + {'+'.join(f'0.01*u{other}' for other in range(count))}\nu{number}(0) = sin(x) + 0.1*noise()" for number in range(count))

    started = time.process_time()
    model(text(6), "pde", dt=0.1, size=512)
    assert time.process_time() - started < 3
    with pytest.raises(Misread, match="more than 6 fields"):
        model(text(7), "pde", dt=0.1)


def test_the_limit_sees_where_diffusion_is_strong_on_a_large_grid() -> None:
    with pytest.raises(Misread, match="is the longest"):
        model("du/dt = (0.1 + (x > 380)*(y > 380))*laplace(u)\nu(0) = sin(x)", "pde", dt=0.3, size=512, method="euler")
