"""Finance: option prices and Greeks, Heston's reference prices, GARCH's moments, first digits and a detector."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from pipelines.simulation.models.fraud import Fraud, Stream, benford_misfit, quality
from pipelines.simulation.models.garch import Garch, GarchParams
from pipelines.simulation.models.heston import Heston, call_price
from pipelines.simulation.models.options import BlackScholes, Options
from pipelines.simulation.models.path_options import Barrier, Mean, PathOptions
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


HAUG = "Haug, The Complete Guide to Option Pricing Formulas, table of standard barrier options: S = 100, rebate 3, 8 %, dividends 4 %, 25 %, half a year"
TURNBULL = "Levy 1997, in Clewlow and Strickland, Exotic Options: S = 90, K = 87, 2.5 %, dividends 6 %, 13 %, 11 months"
CLEWLOW = "Clewlow and Strickland, Implementing Derivatives Models: S = K = 100, 6 %, dividends 3 %, 20 %, a year"


BARRIERS = (
    ("Call", "down and out", 95, 90, 9.0246), ("Call", "down and out", 95, 100, 6.7924), ("Call", "down and out", 95, 110, 4.8759), ("Call", "up and out", 105, 90, 2.6789), ("Call", "up and out", 105, 110, 2.3453),
    ("Call", "down and in", 95, 90, 7.7627), ("Call", "down and in", 95, 110, 2.0576), ("Call", "up and in", 105, 90, 14.1112), ("Call", "up and in", 105, 110, 4.5910),
    ("Put", "down and out", 95, 90, 2.2798), ("Put", "down and out", 95, 110, 2.6252), ("Put", "up and out", 105, 90, 3.7760), ("Put", "up and out", 105, 110, 7.5187),
    ("Put", "down and in", 95, 90, 2.9586), ("Put", "down and in", 95, 110, 11.9752), ("Put", "up and in", 105, 90, 1.4653), ("Put", "up and in", 105, 110, 7.0846),
)  # fmt: skip


def barrier(side: Any, kind: str, level: float, strike: float) -> float:
    down, out = kind.split(" and ")
    return Barrier(side, down == "down", out == "out", 100, strike, level, 0.5, 0.08, 0.25, 0.04, 3.0).worth


def barrier_by_paths(kind: str, level: float) -> float:
    """126 days are half a year."""
    return last(PathOptions(), 126.0, kind=kind, barrier=level, strike=100.0, volatility=0.25, rate=0.08, dividends=0.04, rebate=3.0, paths=100_000)["worth"]


def daily_mean() -> float:
    """231 days are 11 months; the source's mean has the first day too: (S + 231 A)/232 is below K where A is below (232 K − S)/231."""
    strike = (232 * 87.0 - 90.0) / 231
    return 231 / 232 * last(PathOptions(), 231.0, kind="Mean of the price", side="Put", price=90.0, strike=strike, volatility=0.13, rate=0.025, dividends=0.06, paths=100_000)["worth"]


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
    *(
        Figure("path_options", f"{kind} {side.lower()}, K = {strike}, barrier {level}", worth, 1e-4, HAUG, lambda side=side, kind=kind, level=level, strike=strike: barrier(side, kind, level, strike))
        for side, kind, level, strike, worth in BARRIERS
    ),
    Figure("path_options", "down and out call by 100,000 paths, K = 100, barrier 95", 6.7924, 0.12, HAUG + "; 3 s.e.", lambda: barrier_by_paths("Down and out", 95.0)),
    Figure("path_options", "up and in call by 100,000 paths, K = 100, barrier 105", 8.4482, 0.12, HAUG + "; 3 s.e.", lambda: barrier_by_paths("Up and in", 105.0)),
    Figure("path_options", "call on the geometric mean of 10 days", 5.3425606635, 1e-9, CLEWLOW, lambda: Mean("Call", 100, 100, np.arange(1, 11) / 10, 1.0, 0.06, 0.2, 0.03).geometric),
    Figure("path_options", "put on the arithmetic mean of 231 days by 100,000 paths", 1.7490, 0.0012, TURNBULL + "; as of 250 days, which is so far from 100 days", daily_mean),
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
