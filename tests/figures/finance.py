"""Finance: option prices and Greeks, Heston's reference prices, GARCH's moments, first digits and a detector."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from pipelines.simulation.models.fraud import Fraud, Stream, benford_misfit, quality
from pipelines.simulation.models.garch import Garch, GarchParams
from pipelines.simulation.models.heston import Heston, call_price
from pipelines.simulation.models.options import BlackScholes, Options
from studio.api import chance
from tests.figures import Figure

BLACK = "Black and Scholes 1973"
HULL = "Hull, Options, Futures, and Other Derivatives"
FANG = "Fang and Oosterlee 2008, SIAM J. Sci. Comput. 31, section 5"
BROADIE = "Broadie and Kaya 2006, Oper. Res. 54, tables 1 and 2"
BOLLERSLEV = "Bollerslev 1986, J. Econometrics 31, theorem 2"
GHYSELS = GarchParams(omega=0.0107613, alpha=0.153134, beta=0.805974, mean=-0.00619041)
USUAL, GREEKS = BlackScholes(100, 100, 1, 0.05, 0.2), BlackScholes(49, 50, 20 / 52, 0.05, 0.2)
FANG_SET = {"volatility": 0.0175**0.5, "long_volatility": 0.0398**0.5, "restlessness": 0.5751, "correlation": -0.5711, "reversion": 1.5768, "rate": 0.0}


def last(model: Any, time: float, **values: Any) -> dict[str, float]:
    seen = model.observed([model.Params.parse(values)], np.array([time]), [7])[0, 0]
    return {series.name: float(value) for series, value in zip(model.series, seen, strict=True)}


@lru_cache(maxsize=1)
def returns() -> np.ndarray:
    """Surprises of 500,000 days with variance 1."""
    params = GarchParams(omega=0.1, alpha=0.1, beta=0.8, mean=0.0)
    return Garch().observed([params], np.arange(500_000.0), [3])[0, :, 0]


def kurtosis() -> float:
    return float((returns() ** 4).mean() / (returns() ** 2).mean() ** 2)


def square_correlation() -> float:
    squares = returns() ** 2
    return float(np.corrcoef(squares[1:], squares[:-1])[0, 1])


@lru_cache(maxsize=2)
def stream(days: int = 30, **values: Any) -> Stream:
    model, rng = Fraud(), chance(9)
    params = model.Params.parse(values)
    return model.advance(model.init(params, rng), params, rng, 24 * days)


def honest_digits() -> np.ndarray:
    return stream(fraud_share=0.0, customers=5000).counts[4:13]


def area() -> float:
    """Two standard deviations apart, customers well known, hours that tell nothing."""
    seen = stream(60, greed=2.0, night_share=0.0, customers=50, threshold=40.0, fraud_share=0.02).payments
    return quality(seen[20_000:, 1], seen[20_000:, 2])[0]


FIGURES: tuple[Figure, ...] = (
    Figure("options", "call, S = K = 100, 5 %, 20 %, a year", 10.450584, 1e-6, BLACK, lambda: USUAL.call),
    Figure("options", "put, S = K = 100, 5 %, 20 %, a year", 5.573526, 1e-6, BLACK, lambda: USUAL.put),
    Figure("options", "call, K = 110", 6.040088, 1e-6, BLACK, lambda: BlackScholes(100, 110, 1, 0.05, 0.2).call),
    Figure("options", "call by 200,000 paths", 10.450584, 0.099, BLACK + "; 3 s.e.", lambda: last(Options(), 252.0, paths=200_000)["call"]),
    Figure("options", "put by 200,000 paths", 5.573526, 0.059, BLACK + "; 3 s.e.", lambda: last(Options(), 252.0, paths=200_000)["put"]),
    Figure("options", "call, S = 42, K = 40, 10 %, 20 %, half a year", 4.76, 0.005, HULL + ", example 15.6", lambda: BlackScholes(42, 40, 0.5, 0.1, 0.2).call),
    Figure("options", "put of the same", 0.81, 0.005, HULL + ", example 15.6", lambda: BlackScholes(42, 40, 0.5, 0.1, 0.2).put),
    Figure("options", "delta, S = 49, K = 50, 5 %, 20 %, 20 weeks", 0.522, 5e-4, HULL + ", chapter 19", lambda: GREEKS.delta),
    Figure("options", "gamma of the same", 0.066, 5e-4, HULL + ", chapter 19", lambda: GREEKS.gamma),
    Figure("options", "vega of the same", 12.1, 0.05, HULL + ", chapter 19", lambda: GREEKS.vega),
    Figure("options", "theta of the same", -4.31, 0.005, HULL + ", chapter 19", lambda: GREEKS.theta),
    Figure("options", "rho of the same", 8.91, 0.005, HULL + ", chapter 19", lambda: GREEKS.rho),
    Figure("heston", "call, Fang and Oosterlee's set, one year", 5.785155450, 1e-6, FANG, lambda: call_price(100, 100, 1, 0, 0.0175, 0.0398, 0.5751, -0.5711, 1.5768)),
    Figure("heston", "call, Fang and Oosterlee's set, ten years", 22.318945791, 1e-6, FANG, lambda: call_price(100, 100, 10, 0, 0.0175, 0.0398, 0.5751, -0.5711, 1.5768)),
    Figure("heston", "call, Broadie and Kaya's first set", 6.8061, 5e-5, BROADIE, lambda: call_price(100, 100, 1, 0.0319, 0.010201, 0.019, 0.61, -0.7, 6.21)),
    Figure("heston", "call, Broadie and Kaya's second set", 34.9998, 5e-5, BROADIE, lambda: call_price(100, 100, 5, 0.05, 0.09, 0.09, 1.0, -0.3, 2.0)),
    Figure("heston", "call by 100,000 paths, Fang and Oosterlee's set", 5.785155, 0.07, FANG + "; 3 s.e.", lambda: last(Heston(), 252.0, paths=100_000, **FANG_SET)["call"]),
    Figure("garch", "variance in the long run, Bollerslev and Ghysels' estimates", 0.263164, 5e-6, "Bollerslev and Ghysels 1996; ω/(1 − α − β)", lambda: GHYSELS.variance),
    Figure("garch", "kurtosis, the same", 7.2363, 5e-3, BOLLERSLEV, lambda: GHYSELS.kurtosis),
    Figure("garch", "variance of 500,000 days, ω = 0.1, α = 0.1, β = 0.8", 1.0, 0.02, BOLLERSLEV, lambda: float(returns().var())),
    Figure("garch", "kurtosis of the same", 3.352941, 0.12, BOLLERSLEV, kurtosis),
    Figure("garch", "autocorrelation of squares of the same", 0.14, 0.015, "Bollerslev 1988, J. Time Ser. Anal. 9", square_correlation),
    Figure("fraud", "share of first digit 1, no thieves", 0.301030, 0.0058, "Benford 1938; 3 s.e. of 60,000", lambda: float(honest_digits()[0] / honest_digits().sum())),
    Figure("fraud", "share of first digit 9, no thieves", 0.045757, 0.0026, "Benford 1938; 3 s.e. of 60,000", lambda: float(honest_digits()[8] / honest_digits().sum())),
    Figure("fraud", "χ² of all first digits, no thieves: 0 to the 1 % limit of 20.09", 10.045, 10.045, "Benford 1938; χ² with 8 degrees of freedom", lambda: benford_misfit(honest_digits())),
    Figure("fraud", "area under the curve, thieves two deviations above", 0.921350, 0.015, "Green and Swets 1966: Φ(d′/√2)", area),
)
