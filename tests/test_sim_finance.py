"""Finance: parity, Greeks against differences, Heston against Black and Scholes, GARCH's likelihood by hand, a detector against counting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize

from pipelines.simulation.models.fraud import Fraud, benford_misfit, first_digit, quality
from pipelines.simulation.models.garch import Garch
from pipelines.simulation.models.heston import Heston, call_price
from pipelines.simulation.models.options import DAYS, BlackScholes, Options
from studio.api import BadInput, Simulation, chance

TERMS = {"price": 95.0, "strike": 105.0, "years": 0.7, "rate": 0.03, "volatility": 0.25, "dividends": 0.02}


def last(model: Simulation, time: float, **values: Any) -> dict[str, float]:
    seen = model.observed([model.Params.parse(values)], np.array([time]), [9])[0, 0]
    return {series.name: float(value) for series, value in zip(model.series, seen, strict=True)}


def test_put_and_call_are_in_parity() -> None:
    option = BlackScholes(**TERMS)
    assert option.call - option.put == pytest.approx(95 * math.exp(-0.014) - 105 * math.exp(-0.021), abs=1e-12)
    seen = last(Options(), 100.0, strike=105.0, paths=2000)
    assert seen["call"] - seen["put"] == pytest.approx(math.exp(-0.05 * 100 / DAYS) * (seen["mean"] - 105.0), abs=1e-9)


@pytest.mark.parametrize(("greek", "field", "sign"), [("delta", "price", 1), ("vega", "volatility", 1), ("theta", "years", -1), ("rho", "rate", 1)])
def test_greeks_are_derivatives_of_the_call(greek: str, field: str, sign: int) -> None:
    up, down = (BlackScholes(**TERMS | {field: TERMS[field] + shift}).call for shift in (1e-4, -1e-4))
    assert getattr(BlackScholes(**TERMS), greek) == pytest.approx(sign * (up - down) / 2e-4, rel=1e-5)


def test_gamma_is_the_derivative_of_delta() -> None:
    up, down = (BlackScholes(**TERMS | {"price": 95 + shift}).delta for shift in (1e-3, -1e-3))
    assert BlackScholes(**TERMS).gamma == pytest.approx((up - down) / 2e-3, rel=1e-5)


def test_a_share_without_chance_is_worth_its_forward() -> None:
    seen = last(Options(), DAYS, volatility=0.0, rate=0.1, strike=100.0, paths=3)
    assert seen["price"] == pytest.approx(100 * math.exp(0.1)) and seen["call"] == pytest.approx(seen["call_exact"]) == pytest.approx(100 - 100 * math.exp(-0.1))


def test_the_likelihood_of_prices_is_that_of_normal_returns() -> None:
    model, times = Options(), np.array([0.0, 1.0, 2.0, 3.0, 6.0])
    prices, params = np.array([100.0, 101.0, np.nan, 99.0, 103.0]), model.Params.parse({"premium": 0.04})
    drift, spread = (0.05 + 0.04 - 0.02) / DAYS, 0.2 / math.sqrt(DAYS)
    expected = sum(stats.norm.logpdf(math.log(after / before), drift * gap, spread * math.sqrt(gap)) for before, after, gap in ((100, 101, 1), (101, 99, 2), (99, 103, 3)))
    assert model.log_likelihood({"price": prices}, times, params) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(BadInput):
        model.log_likelihood({"call": prices}, times, params)
    assert model.log_likelihood({"price": prices}, times, model.Params.parse({"volatility": 0.0})) == -math.inf


@pytest.mark.parametrize("strike", [60.0, 100.0, 170.0])
def test_heston_with_a_variance_that_keeps_still_is_black_and_scholes(strike: float) -> None:
    found = call_price(100.0, strike, 1.5, 0.03, 0.04, 0.04, 0.01, 0.0, 2.0)
    assert found == pytest.approx(BlackScholes(100.0, strike, 1.5, 0.03, 0.2).call, abs=2e-3)


@pytest.mark.parametrize("values", [{}, {"correlation": 0.5, "restlessness": 1.0}, {"volatility": 0.6, "reversion": 6.0, "rate": 0.05, "strike": 120.0}])
def test_hestons_paths_meet_his_integral(values: dict[str, Any]) -> None:
    seen = last(Heston(), DAYS, paths=40_000, **values)
    assert seen["call"] == pytest.approx(seen["call_exact"], abs=0.5) and seen["put"] == pytest.approx(seen["put_exact"], abs=0.4)
    assert seen["mean"] == pytest.approx(100 * math.exp(values.get("rate", 0.02)), abs=0.7)


def test_hestons_prices_are_numbers_at_all_limits() -> None:
    for volatility in (0.01, 2.0):
        for restlessness in (0.01, 3.0):
            for correlation in (-0.99, 0.99):
                for years in (1 / DAYS, 20.0):
                    found = call_price(100.0, 100.0, years, 0.0, volatility**2, 0.04, restlessness, correlation, 2.0)
                    assert -0.05 < found < 100.0, (volatility, restlessness, correlation, years)


def by_hand(returns: list[float], omega: float, alpha: float, beta: float, mean: float) -> float:
    total, variance = 0.0, omega / (1 - alpha - beta)
    for value in returns:
        total += stats.norm.logpdf(value, mean, math.sqrt(variance))
        variance = omega + alpha * (value - mean) ** 2 + beta * variance
    return total


def test_the_likelihood_of_garch_is_as_by_hand() -> None:
    model = Garch()
    params, returns = model.Params.parse({"omega": 0.1, "alpha": 0.2, "beta": 0.7, "mean": 0.05}), [0.3, -1.2, 2.0, 0.1, -0.4]
    assert model.log_likelihood({"return_percent": np.array(returns)}, np.arange(5.0), params) == pytest.approx(by_hand(returns, 0.1, 0.2, 0.7, 0.05), rel=1e-12)
    with pytest.raises(BadInput):
        model.log_likelihood({"price": np.ones(3)}, np.arange(3.0), params)


def test_a_missing_day_counts_as_what_is_expected_of_it() -> None:
    model, params = Garch(), Garch.Params.parse({"omega": 0.1, "alpha": 0.2, "beta": 0.7, "mean": 0.05})
    left_out = model.log_likelihood({"return_percent": np.array([0.3, 2.0])}, np.array([0.0, 2.0]), params)
    empty = model.log_likelihood({"return_percent": np.array([0.3, np.nan, 2.0])}, np.arange(3.0), params)
    after = 0.1 + 0.9 * (0.1 + 0.2 * 0.25**2 + 0.7 * 1.0)
    assert left_out == pytest.approx(empty) == pytest.approx(stats.norm.logpdf(0.3, 0.05, 1.0) + stats.norm.logpdf(2.0, 0.05, math.sqrt(after)))


def test_garch_finds_its_own_parameters_again() -> None:
    model, times = Garch(), np.arange(4000.0)
    truth = {"omega": 0.05, "alpha": 0.12, "beta": 0.8, "mean": 0.1}
    data = {"return_percent": model.observed([model.Params.parse(truth)], times, [21])[0, :, 0]}

    def depth(x: np.ndarray) -> float:
        try:
            return -model.log_likelihood(data, times, model.Params.parse(dict(zip(truth, x.tolist(), strict=True))))
        except BadInput:
            return 1e9

    found = minimize(lambda x: min(depth(x), 1e9), [0.1, 0.05, 0.7, 0.0], method="Nelder-Mead", options={"maxiter": 1500, "xatol": 1e-5, "fatol": 1e-5}).x
    assert np.abs(found - list(truth.values())).max() < 0.06 and abs(found[1] - 0.12) < 0.04


def test_a_variance_that_grows_without_end_is_refused() -> None:
    model = Garch()
    with pytest.raises(BadInput) as refused:
        model.check(model.Params.parse({"alpha": 0.3, "beta": 0.7}))
    assert refused.value.field == "beta"
    assert model.Params.parse({"alpha": 0.6, "beta": 0.3}).kurtosis == math.inf


def test_a_detectors_quality_is_as_counted() -> None:
    rng = np.random.default_rng(3)
    scores, fraud = rng.integers(0, 12, 400).astype(float), rng.random(400) < 0.1
    pairs = [1.0 if bad > good else 0.5 if bad == good else 0.0 for bad in scores[fraud] for good in scores[~fraud]]
    assert quality(scores, fraud)[0] == pytest.approx(np.mean(pairs), abs=1e-12)
    assert quality(np.arange(200.0), np.arange(200) >= 196, 0.01)[1] == pytest.approx(0.5)
    assert all(math.isnan(value) for value in quality(scores, np.zeros(400)))


def stream(days: int = 20, **values: Any) -> Any:
    model, rng = Fraud(), chance(2)
    params = model.Params.parse(values)
    return model.advance(model.init(params, rng), params, rng, 24 * days)


def test_the_planted_share_of_fraud_is_there() -> None:
    state = stream(fraud_share=0.02)
    payments, frauds = state.counts[:2]
    assert abs(frauds / payments - 0.02) < 4 * math.sqrt(0.02 * 0.98 / payments)
    assert state.payments[:, 2].sum() == frauds and len(state.payments) == payments


def test_the_detector_is_better_the_greedier_thieves_are() -> None:
    areas = []
    for greed in (0.0, 1.0, 3.0):
        seen = stream(greed=greed, night_share=0.0, fraud_share=0.02).payments
        areas.append(quality(seen[10_000:, 1], seen[10_000:, 2]))
    assert abs(areas[0][0] - 0.5) < 0.03 and areas[0][0] < areas[1][0] - 0.1 < areas[2][0] - 0.2
    assert areas[2][0] > 0.95 and areas[2][1] > 10 * 0.01


def test_invented_amounts_do_not_follow_benford_and_honest_ones_do() -> None:
    limit = stats.chi2.ppf(0.999, 8)
    state = stream(30, fraud_share=0.3, invented=1.0, customers=5000, greed=0.0)
    assert benford_misfit(state.counts[4:13]) < limit
    made_up = np.bincount([first_digit(math.exp(amount)) for amount in state.payments[state.payments[:, 2] > 0.5, 0]], minlength=10)[1:]
    assert benford_misfit(made_up) > 20 * limit


@pytest.mark.parametrize(("amount", "digit"), [(1.0, 1), (9.99, 9), (10.0, 1), (0.072, 7), (99999.0, 9), (300.0, 3)])
def test_first_digits_are_read(amount: float, digit: int) -> None:
    assert first_digit(amount) == digit


def test_the_log_keeps_the_newest_payments_in_order() -> None:
    model, rng = Fraud(), chance(1)
    params = model.Params.parse({"payments_per_day": 2000.0})
    state = model.init(params, rng)
    state.log = state.log[:500]
    state = model.advance(state, params, rng, 48)
    assert state.counts[0] > 500 and len(state.payments) == 500 and (np.diff(state.payments[:, 3]) >= 0).all()
