"""Ensemble Kalman filters: analysis steps against the exact Kalman filter, twin experiments, joint estimation, what is refused; surrogates over a box."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.filter import TWINS, rmse
from pipelines.simulation.learning import assimilation
from pipelines.simulation.learning.emulators import Basis, learnt
from pipelines.simulation.learning.filtering import Filtering, FilterParams
from pipelines.simulation.learning.params import Link, Prior
from pipelines.simulation.learning.priors import Beliefs
from pipelines.simulation.learning.surrogate import build, design
from pipelines.simulation.learning.surrogating import SurrogateParams, Surrogating
from pipelines.simulation.models.gray_scott import GrayScott
from pipelines.simulation.models.lorenz63 import Lorenz63
from pipelines.simulation.models.network_sir import NetworkSir
from studio.api import BadInput, Result, Simulations, Stopped
from studio.inputs import Inputs
from tabs.simulation_learn_form import map_html, taken
from tests.learning_models import Arrivals, Ctx, Line

SIMULATIONS = Simulations([Lorenz63(), Line(), Arrivals(), NetworkSir(), GrayScott()])
GRID = json.dumps({"kind": "agents", "text": "states: well, ill\nstart ill = 0.1\nwell -> ill at 0.1*count(ill)", "size": 16})


def filtered(ctx: Ctx | None = None, **values: Any) -> Result:
    asked: dict[str, Any] = {"model": "lorenz63", "whole": True, "count": 40, "members": 10}
    return Filtering(SIMULATIONS).run(FilterParams(**(asked | values)), ctx or Ctx())  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["transformed", "perturbed"])
def test_an_analysis_is_the_kalman_filters(how: str) -> None:
    rng = np.random.default_rng(4)
    members = 40 if how == "transformed" else 20_000
    ensemble = rng.standard_normal((members, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.3], [0, 0, 2]]) + [1, 2, 3]
    observe, data, variance = np.array([[1.0, 0, 0], [0, 1, 1]]), np.array([2.0, 4.0]), np.array([0.5, 1.5])
    seen = ensemble @ observe.T
    if how == "transformed":
        found = assimilation.transformed(ensemble, seen, data, variance)
    else:
        found = assimilation.perturbed(ensemble, seen, data, variance, rng)
    prior = np.cov(ensemble.T)
    gain = prior @ observe.T @ np.linalg.inv(observe @ prior @ observe.T + np.diag(variance))
    mean, covariance = ensemble.mean(axis=0) + gain @ (data - observe @ ensemble.mean(axis=0)), (np.eye(3) - gain @ observe) @ prior
    exactly = 1e-9 if how == "transformed" else 0.05
    assert found.mean(axis=0) == pytest.approx(mean, abs=exactly)
    assert np.cov(found.T) == pytest.approx(covariance, abs=exactly)


def test_without_a_table_a_twin_measures_what_is_ticked() -> None:
    """The page's map: a line for each observable; a tick and its spread become a link without a column, which the filter follows."""
    state: dict[str, Any] = {"columns": [], "links": {}, "free": [], "priors": {}, "values": {}}
    form = {f"twin|{name}|{part}": value for name in "xyz" for part, value in (("on", False), ("spread", "1"))}
    after = taken(state, form | {"twin|x|on": True, "twin|x|spread": "0.5"}, lambda name: {})
    assert after["links"] == {"x": {"column": "", "series": "x", "measure": "level", "rate": 1.0, "noise": "normal", "spread": 0.5}}
    drawn = map_html(lambda text, **more: text.format(**more), after, Lorenz63().series, [], False)
    assert drawn.count("data-name='twin|") == 6 and re.findall(r"data-name='twin\|(.)\|on' checked", drawn) == ["x"]
    assert taken(after, form, lambda name: {})["links"] == {}
    found = filtered(whole=False, count=60, every=0.05, members=20, links=[Link(**after["links"]["x"])])
    assert found.summary["rmse"] < 2.0, "one of three numbers, and the others are found"


def test_rotation_keeps_mean_and_covariance_and_inflation_widens() -> None:
    rng = np.random.default_rng(5)
    ensemble = rng.standard_normal((12, 4)) + 3
    turned = assimilation.rotated(ensemble, rng)
    assert not np.allclose(turned, ensemble)
    assert turned.mean(axis=0) == pytest.approx(ensemble.mean(axis=0)) and np.cov(turned.T) == pytest.approx(np.cov(ensemble.T))
    wider = assimilation.inflated(ensemble, 1.1)
    assert wider.std(axis=0) == pytest.approx(1.1 * ensemble.std(axis=0)) and wider.mean(axis=0) == pytest.approx(ensemble.mean(axis=0))


@pytest.mark.slow
@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: f"{twin.model}-{twin.method}-{twin.members}")
def test_twin_experiments_reach_the_published_error(twin: Any) -> None:
    found = float(np.mean([rmse(twin, seed) for seed in range(twin.seeds)]))
    assert found == pytest.approx(twin.published, rel=0.10)


def test_a_parameter_is_found_while_data_come_in() -> None:
    free = [Prior(name="rho", low=20, high=40)]
    summary = filtered(whole=False, links=[Link(series="x", spread=1.0)], free=free, members=40, count=120, inflation=1.01).summary
    found = summary["parameters"][0]
    assert found["low"] < 28 < found["high"] and found["high"] - found["low"] < 6
    assert summary["warnings"] == []


def test_a_table_is_followed(tmp_path: Path) -> None:
    times = np.arange(1, 11.0)
    data = ("t,y\n" + "\n".join(f"{time:g},{2 + 0.7 * time if time != 4 else 'NA'}" for time in times)).encode()
    key = Inputs(tmp_path).keep_table(data)
    ctx = Ctx()
    ctx.files = {key: tmp_path / key}
    asked: dict[str, Any] = {"model": "line", "twin": False, "whole": False, "table": key, "time": "t", "begin": 1.0, "links": [Link(column="y", series="value", spread=0.1)]}
    result = filtered(ctx, values={"slope": 0.7}, start=3.0, members=30, inflation=1.0, **asked)
    assert result.summary["state"]["value"]["mean"] == pytest.approx(9, abs=0.2)
    assert len(next(artifact.data for artifact in result.artifacts if artifact.suffix == ".csv").splitlines()) == 11
    with pytest.raises(BadInput, match="new since the row before"):
        filtered(ctx, **(asked | {"links": [Link(column="y", series="sum", measure="new")]}))


@pytest.mark.parametrize(
    ("values", "said", "field"),
    [
        ({"whole": False}, "Nothing is measured", "links"), ({"links": [Link(series="q")]}, "no observable", "links"), ({"every": 0.001}, "more often than every step", "every"),
        ({"free": [Prior(name="nope")]}, "no parameter", "free"), ({"free": [Prior(name="rho", low=3, high=2)]}, "less than", "free"), ({"twin": False, "links": [Link(series="x")]}, "no data", "table"),
        ({"free": [Prior(name="rho", low=20, high=1e6)]}, "at most", "free"), ({"free": [Prior(name="rho", low=20, high=40)] * 2}, "free twice", "free"), ({"count": 20_000, "every": 1e5}, "is the most", "count"),
        ({"model": "network_sir"}, "no numbers that have a mean", "model"), ({"model": "own", "own": GRID}, "no numbers that have a mean", "model"),
        ({"model": "gray_scott", "every": 1.0, "count": 20_000}, "more than can be kept", "count"), ({"model": "gray_scott", "every": 1.0, "method": "EnKF"}, "EnKF can't be told", "method"),
    ],
)  # fmt: skip
def test_what_cannot_be_filtered_is_refused(values: dict[str, Any], said: str, field: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        filtered(**values)
    assert refused.value.field == field


def test_a_filter_says_that_spreads_and_scales_stay_fixed() -> None:
    free = [Prior(name="rho", low=20, high=40), Prior(name="spread: x", low=0.1, high=3), Prior(name="rate: x", low=0.1, high=3)]
    summary = filtered(whole=False, links=[Link(column="x", series="x", spread=1.0)], free=free).summary
    assert [row["name"] for row in summary["parameters"]] == ["rho"]
    assert summary["notes"] == [f"A filter takes spreads and scales as they are set: “{name}” stayed fixed." for name in ("spread: x", "rate: x")]


def test_stop_is_heard_while_the_twin_runs_and_before_each_member() -> None:
    for note in ("Running the twin", "Looking how far states wander", "Following the data"):
        ctx = Ctx(stop_at=3, stop_in=note)
        with pytest.raises(Stopped):
            filtered(ctx)
        assert [step for step, _, said in ctx.steps if said == note] == [0, 1, 2]
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1

    ctx = Ctx()
    ctx.check = check  # type: ignore[method-assign]
    filtered(ctx, count=5, members=7)
    assert asked == 5 * 7


@pytest.mark.parametrize(
    "change",
    [{"error": 2.0}, {"method": "EnKF"}, {"members": 12}, {"inflation": 1.2}, {"rotate": False}, {"start": 1.0}, {"every": 0.5}, {"count": 30}, {"whole": False, "links": [Link(series="y", spread=0.5)]}, {"free": [Prior(name="rho", low=20, high=40)]}],
    ids=lambda change: next(iter(change)),
)
def test_every_field_of_the_filter_acts(change: dict[str, Any]) -> None:
    def table(**values: Any) -> bytes:
        return next(artifact.data for artifact in filtered(**values).artifacts if artifact.suffix == ".csv")

    assert table() == table()
    assert table() != table(**change)
    assert filtered(left_out=0.0).summary["rmse"] != filtered(left_out=0.8).summary["rmse"]


# -- surrogates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "most"), [("Gaussian process", 0.002), ("Network", 0.05)])
def test_an_emulator_learns_a_smooth_surface(kind: Any, most: float) -> None:
    shares = design(120, 2, 3)
    runs = np.stack([np.sin(3 * shares[:, 0]) + shares[:, 1] ** 2, np.exp(shares[:, 0] * shares[:, 1])], axis=1)
    basis = Basis.of(runs[:100])
    curve = learnt(kind, shares[:100], basis.components(runs[:100]), 1)
    off = basis.runs(curve(shares[100:])) - runs[100:]
    assert np.sqrt((off**2).mean()) < most


def test_a_surrogate_does_not_extrapolate_and_fills_its_box() -> None:
    box = Beliefs([Prior(name="start", low=0, high=2), Prior(name="slope", low=0, high=1)])
    model = Line()
    surrogate = build(model, lambda x: model.Params(start=x[0], slope=x[1]), box, np.arange(1, 6.0), "Gaussian process", 40, Ctx())  # type: ignore[arg-type]
    assert surrogate.seen(np.array([[1.0, 0.5]]))[0, :, 0] == pytest.approx(1 + 0.5 * np.arange(1, 6), abs=1e-3)
    assert surrogate.error.max() < 1e-3
    with pytest.raises(BadInput, match="knows slope between 0 and 1 only"):
        surrogate.seen(np.array([[1.0, 1.5]]))
    assert np.sort((design(20, 2, 0) * 20).astype(int), axis=0)[:, 0].tolist() == list(range(20))


def test_every_field_of_the_surrogate_acts_or_is_refused() -> None:
    base: dict[str, Any] = {"model": "line", "free": [Prior(name="start", low=0, high=2), Prior(name="slope", low=0, high=1)], "runs": 30, "times": 5, "until": 5.0, "ask": {"start": 1.0, "slope": 0.5}}

    def told(**change: Any) -> bytes:
        result = Surrogating(SIMULATIONS).run(SurrogateParams(**(base | change)), Ctx())  # type: ignore[arg-type]
        return next(artifact.data for artifact in result.artifacts if artifact.suffix == ".csv")

    plain = told()
    assert plain == told()
    for change in ({"kind": "Network"}, {"until": 0.0}, {"times": 6}, {"ask": {"start": 1.5, "slope": 0.5}}):
        assert told(**change) != plain
    assert [Surrogating(SIMULATIONS).run(SurrogateParams(**(base | {"runs": runs})), Ctx()).summary["surrogate"]["held_out"] for runs in (30, 40)] == [6, 8]  # type: ignore[arg-type]
    for refused, said in (({"free": []}, "No parameter"), ({"free": [Prior(name="q")]}, "no parameter"), ({"ask": {"start": 1.0}}, "all parameters"), ({"until": 1e9}, "is the most"), ({"free": [Prior(name="start", low=0, high=1e6)], "ask": {}}, "at most 100"), ({"free": [Prior(name="start", low=0, high=2)] * 2, "ask": {}}, "free twice"), ({"ask": {"start": 9.0, "slope": 0.5}}, "knows start"), ({"model": "arrivals", "free": [Prior(name="rate", low=1, high=2)], "ask": {}}, "has chance")):
        with pytest.raises(BadInput, match=said):
            told(**refused)
