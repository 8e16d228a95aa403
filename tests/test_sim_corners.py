"""Corners of the ranges, through simulation.run: models run there with the right numbers, or say at which step they end and why."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from pipelines.simulation.models.heston import call_price
from pipelines.simulation.models.lorenz96 import Lorenz96
from pipelines.simulation.models.options import BlackScholes
from studio.api import BadInput, Diverged
from tests.tabled import tabled

QUICK: dict[str, dict[str, tuple[float, ...]]] = {
    "lorenz96": {"forcing": (-20.0, 16.0, 40.0), "push": (-5.0, 0.01, 5.0), "places": (4, 40)},
    "stommel": {"salt_effect": (0.0, 10.0), "salt_rate": (0.01, 2.0), "resistance": (0.02, 5.0), "fresh": (-1.0, 1.0), "warmth": (0.0, 2.0), "salt": (0.0, 2.0)},
    "rosenzweig_macarthur": {"capacity": (3.0, 100.0), "growth": (0.01, 10.0), "attack": (0.01, 20.0), "mortality": (0.001, 5.0), "handling": (0.001, 20.0), "conversion": (0.01, 5.0), "predators": (0.0, 100.0)},
}


@pytest.mark.parametrize("model", QUICK)
def test_a_model_that_gets_quick_is_followed_in_every_corner(model: str) -> None:
    for values in itertools.product(*QUICK[model].values()):
        seen = tabled(model, duration=10.0, every=1.0, **dict(zip(QUICK[model], values, strict=True)))
        least = min(float(column.min()) for name, column in seen.items() if name in ("prey", "predators")) if model == "rosenzweig_macarthur" else 0.0
        assert least >= 0.0, values


def test_the_steps_of_the_source_are_left_as_they_are() -> None:
    """Six hours, at which filters are compared."""
    model = Lorenz96()
    assert model.parts(model.Params(forcing=8.0)) == 1 and model.parts(model.Params(forcing=40.0)) > 1


def test_a_quick_run_is_the_same_observed_at_once_and_step_by_step() -> None:
    model = Lorenz96()
    params = model.Params(forcing=40.0)
    once = model.observed([params], np.array([1.0, 2.0]), [1])[0]
    state = model.init(params, np.random.default_rng(1))
    for row in range(2):
        for _ in range(20):
            state = model.step(state, params, np.random.default_rng(1))
        assert list(model.observe(state, params).values()) == pytest.approx(once[row].tolist(), rel=1e-9)


@pytest.mark.parametrize("terms", list(itertools.product((0.01, 0.5, 3.0), (-0.99, 0.0, 0.99), (1e-4, 0.04, 4.0), (1 / 252, 1.0, 30.0))))
def test_a_price_far_from_the_money_lies_between_its_bounds_and_falls_with_the_strike(terms: tuple[float, ...]) -> None:
    restlessness, correlation, variance, years = terms
    strikes = np.exp(np.linspace(np.log(0.01), np.log(1e6), 25))
    calls = np.array([call_price(100.0, float(strike), years, 0.02, variance, variance, restlessness, correlation, 2.0) for strike in strikes])
    assert (calls >= np.maximum(100 - strikes * np.exp(-0.02 * years), 0) - 1e-9).all() and (calls <= 100 + 1e-9).all()
    assert (np.diff(calls) < 1e-9 * strikes[1:]).all()


@pytest.mark.parametrize("strike", [0.01, 60.0, 100.0, 140.0, 400.0, 1e6])
@pytest.mark.parametrize("variance", [1e-4, 0.04])
def test_a_calm_and_steady_market_is_black_and_scholes_at_any_strike(strike: float, variance: float) -> None:
    """As far as it is calm: what is left of its restlessness moves the variance by a hundredth of itself."""
    found = call_price(100.0, strike, 1.0, 0.03, variance, variance, 0.01 * variance**0.5, 0.0, 5.0)
    assert found == pytest.approx(BlackScholes(100.0, strike, 1.0, 0.03, variance**0.5).call, abs=2e-5)


@pytest.mark.parametrize("model", ["options", "heston"])
def test_money_that_grows_beyond_all_numbers_ends_the_run_with_its_step(model: str) -> None:
    with pytest.raises(Diverged, match=r"blew up at step [\d,]+ .*no number any more") as told:
        tabled(model, rate=1.0, duration=252 * 800.0, every=252 * 40.0, paths=1)
    assert told.value.hint


def test_v_that_hardly_spreads_is_named_as_the_cause() -> None:
    with pytest.raises(Diverged, match="blew up at step") as told:
        tabled("gray_scott", diffusion_v=0.0, size=64, duration=500.0, every=10.0)
    assert "give it more diffusion" in told.value.hint


@pytest.mark.parametrize("values", [{"rho": 351.0}, {"rho": float("nan")}, {"rho": float("inf")}, {"rho": "hot"}, {"rho": None}, {"rho": 10**400}, {"rho": [1]}, {"heat": 1.0}])
def test_what_is_beyond_a_limit_is_refused_at_its_field(values: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as told:
        tabled("lorenz63", **values)
    assert told.value.field == f"values.{next(iter(values))}" and told.value.message
