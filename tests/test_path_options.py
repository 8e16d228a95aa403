"""Barrier options and options on means: limits in which the worth is known otherwise, parities, the control variate, the picture."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from pipelines.simulation.models.options import BlackScholes
from pipelines.simulation.models.path_options import Barrier, Kind, Mean, PathOptions, Side, helped
from studio.api import chance

DAY = 252.0
BARRIERS = [kind for kind in get_args(Kind) if " and " in kind]


def seen(seed: int = 4, time: float = DAY, **values: Any) -> dict[str, float]:
    model = PathOptions()
    found = model.observed([model.Params.parse({"paths": 20_000} | values)], np.array([time]), [seed])[0, 0]
    return {series.name: float(value) for series, value in zip(model.series, found, strict=True)}


def exact(side: Any, kind: str, barrier: float, **more: Any) -> float:
    given = {"price": 100.0, "strike": 105.0, "years": 0.7, "rate": 0.06, "volatility": 0.3, "dividends": 0.02} | more
    return Barrier(side, kind.startswith("Down"), kind.endswith("out"), barrier=barrier, **given).worth


@pytest.mark.parametrize("side", get_args(Side))
@pytest.mark.parametrize("barrier", [60.0, 95.0, 104.0, 106.0, 150.0])
def test_an_out_and_an_in_are_the_plain_option(side: Any, barrier: float) -> None:
    plain = BlackScholes(100.0, 105.0, 0.7, 0.06, 0.3, 0.02)
    for way in ("Down", "Up"):
        both = exact(side, f"{way} and out", barrier) + exact(side, f"{way} and in", barrier)
        assert both == pytest.approx(plain.call if side == "Call" else plain.put, abs=1e-9)


@pytest.mark.parametrize("kind", BARRIERS)
@pytest.mark.parametrize("side", get_args(Side))
def test_a_barrier_far_away_is_none_and_one_that_is_touched_pays_at_once(kind: str, side: Any) -> None:
    plain = BlackScholes(100.0, 105.0, 0.7, 0.06, 0.3, 0.02)
    european, down, out = plain.call if side == "Call" else plain.put, kind.startswith("Down"), kind.endswith("out")
    far, touched = (0.02, 1e5) if down else (1e5, 0.02)
    assert exact(side, kind, far) == pytest.approx(european if out else 0.0, abs=1e-9)
    assert exact(side, kind, touched, rebate=3.0) == pytest.approx(3.0 if out else european, abs=1e-9)
    assert exact(side, kind, far, rebate=3.0, years=0.0) == (0.0 if side == "Call" and out else 5.0 if out else 3.0)


@pytest.mark.parametrize("side", get_args(Side))
@pytest.mark.parametrize("kind", BARRIERS)
def test_paths_meet_the_formula(kind: str, side: str) -> None:
    """Watched all the time it is exact; once a day Broadie, Glasserman and Kou's shift is right to a thousandth of the share's price."""
    barrier = 92.0 if kind.startswith("Down") else 112.0
    for watched, more in (("all the time", 0.0), ("once a day", 0.1)):
        found = seen(kind=kind, side=side, barrier=barrier, watched=watched, rebate=2.0, time=126.0)
        assert found["worth"] == pytest.approx(found["formula"], abs=4 * found["error"] + more)


def test_a_barrier_watched_once_a_day_is_touched_less_often() -> None:
    assert seen(watched="once a day")["touched"] < seen()["touched"] - 0.01
    assert seen(kind="Mean of the price")["touched"] == 0


def test_the_mean_of_one_day_is_the_plain_option_and_two_means_agree_without_chance() -> None:
    plain = BlackScholes(100.0, 95.0, 1.0, 0.05, 0.2)
    last_day = Mean("Call", 100.0, 95.0, np.ones(1), 1.0, 0.05, 0.2)
    assert last_day.geometric == pytest.approx(plain.call, abs=1e-10) and last_day.arithmetic == pytest.approx(plain.call, abs=1e-10)
    calm = Mean("Put", 100.0, 105.0, np.arange(1, 13) / 12, 1.0, 0.0, 1e-4)
    assert calm.geometric == pytest.approx(calm.arithmetic, abs=1e-5) == pytest.approx(5.0, abs=1e-5)


def test_the_geometric_mean_makes_the_arithmetic_one_many_times_surer() -> None:
    found = seen(kind="Mean of the price")
    others = [seen(seed, kind="Mean of the price", paths=500)["worth"] for seed in range(30)]
    assert np.std(others) == pytest.approx(seen(5, kind="Mean of the price", paths=500)["error"], rel=0.6)
    plain = seen(volatility=0.2, barrier=0.02)["error"]  # of the call without a barrier, by as many paths
    assert found["error"] < plain / 30 and found["worth"] == pytest.approx(found["formula"], abs=0.03)


def test_a_control_variate_keeps_the_mean_and_needs_no_spread() -> None:
    known = chance(1).standard_normal(1000)
    mean, error = helped(3 + 2 * known, known, 0.0)
    assert mean == pytest.approx(3.0, abs=1e-12) and error == pytest.approx(0.0, abs=1e-12)
    assert helped(np.array([4.0]), np.array([1.0]), 1.0) == (4.0, 0.0)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_its_picture_shows_the_barrier_where_there_is_one(kind: str) -> None:
    model = PathOptions()
    params = model.Params.parse({"kind": kind, "barrier": 90.0 if kind.startswith("Down") else 120.0})
    rng = chance(2)
    picture = model.render(model.advance(model.init(params, rng), params, rng, 20), params)
    reds = int((picture == (231, 111, 121)).all(axis=2).sum())
    assert (reds > 50) is (" and " in kind)
