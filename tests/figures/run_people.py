"""Figures of traffic, disease, hospitals, trials, finance and games, by runs as the pages and the API start them."""

from __future__ import annotations

import json
import math
from statistics import fmean
from typing import Any

import numpy as np

from tests.figures import Figure
from tests.tabled import tabled

EXACT = "computed: "
LEWIS = "A. L. Lewis's reference prices, as in QuantLib's test suite (r = 1 %, q = 2 %, κ = 4, θ = 0.25, ξ = 1, ρ = −0.5, v₀ = 0.04, one year)"
HULL = "Hull, Options, Futures, and Other Derivatives, chapter 19: S = 49, K = 50, 5 %, 20 %, 20 weeks"
SIMON = "Simon 1989, Control. Clin. Trials 10: n₁ + (1 − PET)(n − n₁); 3 s.e."
WEBSTER = "Webster, Road Research Technical Paper 39 (1958): r²/2C with the effective red r = C/2 + 2 s, two of them lost by starting; 5 %"
CELLS = "Johnston, Greene, Conway's Game of Life (2022)"


def flow(warm: float = 3000.0, **values: Any) -> float:
    """Cars past a point each second, over 20,000 s on 10,000 cells."""
    seen = tabled("nasch", length=10_000, duration=warm + 20_000, every=1000.0, **values)
    first = int(np.searchsorted(seen["time"], warm))
    return float((seen["passed"][-1] - seen["passed"][first]) / (seen["time"][-1] - seen["time"][first]))


def light_delay(cycle: int) -> float:
    """Seconds that nearly empty streets lose at a light, where lights follow one another at random."""
    found = []
    for seed in (1, 2):
        seen = tabled("streets", seed=seed, streets=30, block=100, density=0.001, cycle=cycle, lost=0, slowing=0.0, plan="At random", duration=12_000.0, every=2000.0)
        cells = 30 * 30 * 100 * 2
        speed = (seen["passed"][-1] - seen["passed"][1]) / 10_000 * cells / round(0.001 * (cells - 900))
        found.append(100 / speed - 100 / 5)
    return fmean(found)


def webster(cycle: int) -> float:
    """The uniform delay r²/2C where hardly anybody comes. The effective red r is half the cycle and the two seconds that a car loses by starting: it drives 1, 2, 3, 4 cells where it would drive 5."""
    return (cycle / 2 + 2) ** 2 / (2 * cycle)


def peak_susceptible() -> float:
    seen = tabled("sir", r0=2.5, infected=1, duration=200.0, every=0.05)
    return float(seen["susceptible"][np.argmax(seen["infectious"])] / 10_000)


def doubling(model: str, **values: Any) -> float:
    """Days in which the infectious double, early."""
    seen = tabled(model, infected=1, population=100_000_000, duration=30.0, every=1.0, **values)
    return math.log(2) * 10 / math.log(seen["infectious"][30] / seen["infectious"][20])


def minor(r0: float, runs: int = 600) -> float:
    """Share of outbreaks by one ill person that stay below a tenth of 2,000 people."""
    return sum(tabled("stochastic_sir", r0=r0, infected=1, population=2000, seed=seed, duration=120.0, every=120.0)["cases"][-1] < 200 for seed in range(runs)) / runs


def reached(transmission: float) -> float:
    """Share of a random network of mean degree 4 that falls ill, those who bring it in among them: mean of forty."""
    shares = (tabled("network_sir", network="random", transmission=transmission, people=5000, infected=25, seed=seed, duration=400.0, every=400.0)["recovered"][-1] / 5000 for seed in range(40))
    return fmean(shares)


def poisson_size(reproduction: float) -> float:
    """Newman's size where 25 of 5,000 bring it in: z = 1 − 0.995 exp(−R z)."""
    share = 0.5
    for _ in range(1000):
        share = 1 - 0.995 * math.exp(-reproduction * share)
    return share


def wait(**values: Any) -> float:
    """Mean wait in hours over 200,000 hours."""
    return float(tabled("mmc", duration=200_000.0, every=200_000.0, **values)["mean_wait"][-1] / 60)


def turned_away(arrivals: float, beds: int) -> float:
    seen = tabled("ward", arrivals_per_day=arrivals, stay_days=5.0, beds=beds, need_place=0.0, duration=100_000.0, every=20_000.0)
    return float((seen["turned_away"][-1] - seen["turned_away"][1]) / (seen["wanted"][-1] - seen["wanted"][1]))


def erlang_b(load: float, beds: int) -> float:
    share = 1.0
    for bed in range(1, beds + 1):
        share = load * share / (bed + load * share)
    return share


def trial_size(**values: Any) -> float:
    return float(tabled("simon", design="own", duration=400_000.0, every=400_000.0, **values)["mean_patients"][-1])


def lewis(strike: float, name: str = "call_exact") -> float:
    return float(tabled("heston", volatility=0.2, long_volatility=0.5, restlessness=1.0, correlation=-0.5, reversion=4.0, rate=0.01, dividends=0.02, strike=strike, paths=1, every=252.0)[name][-1])


def hull(name: str) -> float:
    return float(tabled("options", price=49.0, strike=50.0, volatility=0.2, rate=0.05, duration=97.0, every=97.0, paths=1)[name][-1])


def alive(generation: int, **values: Any) -> float:
    return float(tabled("life", duration=float(generation), every=float(generation), **values)["alive"][-1])


def typed(text: str, kind: str = "ode", duration: float = 60.0, dt: float = 0.01, every: float = 0.01, **more: Any) -> dict[str, Any]:
    own = json.dumps({"title": "Typed", "kind": kind, "text": text, "duration": duration, "dt": dt} | more)
    return tabled("own", own=own, duration=duration, every=every)


def typed_period(text: str, duration: float = 60.0) -> float:
    """Between upward passages of 0."""
    seen = typed(text, duration=duration)
    x, t = seen["x"], seen["time"]
    at = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))[2:]
    passed = t[at] - x[at] / (x[at + 1] - x[at]) * 0.01
    return float((passed[-1] - passed[0]) / (len(passed) - 1))


def sierpinski(row: int) -> float:
    """Black cells of rule 90 in that row, from a single one."""
    seen = typed("rule 90", "automaton", duration=float(row), dt=1.0, every=float(row), size=256)
    return round(float(seen["black"][-1]) * 256)


FIGURES: tuple[Figure, ...] = (
    Figure("nasch", "Largest flow, v_max 5, p 0.5, at density 0.086", 0.318, 0.003, "Nagel, Schreckenberg, J. Phys. I France 2 (1992) 2221 (0.318)", lambda: flow(slowing=0.5, density=0.086), slow=True),
    Figure("nasch", "Speed of free cars, v_max 5, p 0.5: v_max − p", 4.5, 0.01, EXACT + "mean of the rule", lambda: flow(slowing=0.5, density=0.001) / 0.001),
    Figure(
        "nasch",
        "Largest flow of perfect drivers, v_max 5: v_max/(v_max + 1)",
        5 / 6,
        0.001,
        "Nagel, Schreckenberg, J. Phys. I France 2 (1992) 2221: J = min(ρ v_max, 1 − ρ)",
        lambda: float(tabled("nasch", "Perfect drivers", duration=3000.0, every=1000.0)["flow"][-1]),
    ),
    Figure("streets", "Delay at a light of 60 s, half green, hardly any traffic (s)", webster(60), 0.05 * webster(60), WEBSTER, lambda: light_delay(60), slow=True),
    Figure(
        "streets", "Delay at a light of 100 s, half green, hardly any traffic (s)", webster(100), 0.05 * webster(100), WEBSTER, lambda: light_delay(100), slow=True
    ),
    Figure("sir", "share still susceptible when most are ill, 1/R₀ at R₀ = 2.5", 0.4, 0.002, "Kermack and McKendrick 1927: herd immunity at 1 − 1/R₀", peak_susceptible),
    Figure("sir", "days in which the ill double, R₀ = 2, 5 days: ln 2/(γ(R₀ − 1))", 5 * math.log(2), 0.01, EXACT + "early growth β − γ", lambda: doubling("sir")),
    Figure(
        "seir",
        "days in which the ill double, R₀ = 2, 5 and 3 days",
        math.log(2) / ((math.sqrt((1 / 3 + 1 / 5) ** 2 + 4 / 15) - 8 / 15) / 2),
        0.03,
        "Wallinga and Lipsitch 2007: (r + σ)(r + γ) = βσ",
        lambda: doubling("seir", latent_days=3.0),
    ),
    Figure("stochastic_sir", "chance of a minor outbreak, R₀ = 3, I₀ = 1", 1 / 3, 0.058, "Whittle 1955: R₀^−I₀; 3 s.e. of 600", lambda: minor(3.0)),
    Figure(
        "network_sir",
        "final size at one and a half times the threshold ⟨k⟩/(⟨k²⟩ − ⟨k⟩), Poisson of mean 4",
        poisson_size(1.5),
        0.01,
        "Newman 2002, Phys. Rev. E 66, 016128: S = 1 − exp(−zTS); 3 s.e. of 40",
        lambda: reached(0.12),
    ),
    Figure(
        "network_sir", "final size at eight tenths of the threshold, 25 of 5,000 ill at the start", poisson_size(0.8), 0.005, "Newman 2002, Phys. Rev. E 66, 016128: S = 1 − exp(−zTS); 3 s.e. of 40", lambda: reached(0.05)
    ),
    Figure("mmc", "mean wait in hours, M/M/1, ρ = 0.8, μ = 1: ρ/(μ − λ)", 4.0, 0.16, "Erlang 1917; 4 %", lambda: wait(arrivals_per_hour=0.8, served_per_hour=1.0, doctors=1)),
    Figure("mmc", "mean wait in hours, M/M/2, ρ = 0.75, μ = 1: ρ²/(1 − ρ²)", 9 / 7, 0.04, "Erlang 1917; 3 %", lambda: wait(arrivals_per_hour=1.5, served_per_hour=1.0, doctors=2)),
    Figure("ward", "share turned away, 25 beds, 20 erlang", erlang_b(20, 25), 0.003, "Erlang 1917: B(25, 20)", lambda: turned_away(4.0, 25)),
    Figure("ward", "share turned away, 30 beds, 30 erlang", erlang_b(30, 30), 0.005, "Erlang 1917: B(30, 30)", lambda: turned_away(6.0, 30)),
    Figure("simon", "patients on average in a long run, 5/25 % optimal (0/9, 2/17)", 12.0, 0.08, SIMON, lambda: trial_size(response=0.05, few=0, first=9, enough=2, all=17)),
    Figure("simon", "patients on average in a long run, 30/50 % optimal (5/15, 18/46)", 23.6, 0.34, SIMON, lambda: trial_size(response=0.3, few=5, first=15, enough=18, all=46)),
    Figure("heston", "call, strike 80, with dividends", 26.774758744, 1e-8, LEWIS, lambda: lewis(80.0)),
    Figure("heston", "call, strike 100, with dividends", 16.070154917, 1e-8, LEWIS, lambda: lewis(100.0)),
    Figure("heston", "put, strike 100, with dividends", 17.055270961, 1e-8, LEWIS, lambda: lewis(100.0, "put_exact")),
    Figure("heston", "call, strike 120, with dividends", 9.024913483, 1e-8, LEWIS, lambda: lewis(120.0)),
    Figure("options", "delta as it is observed", 0.522, 0.001, HULL, lambda: hull("delta")),
    Figure("options", "gamma as it is observed", 0.066, 0.001, HULL, lambda: hull("gamma")),
    Figure("options", "vega as it is observed", 12.1, 0.05, HULL, lambda: hull("vega")),
    Figure("options", "theta as it is observed", -4.31, 0.01, HULL, lambda: hull("theta")),
    Figure("options", "rho as it is observed", 8.91, 0.01, HULL, lambda: hull("rho")),
    Figure("life", "Diehard: living cells after 129 generations", 2, 0.5, CELLS + ": it is gone after 130", lambda: alive(129, start="Diehard", size=128, edge="Dead")),
    Figure("life", "Diehard: living cells after 130 generations", 0, 0.5, CELLS + ": it is gone after 130", lambda: alive(130, start="Diehard", size=128, edge="Dead")),
    Figure("life", "Pulsar: living cells after 1, 2 and 3 generations, together", 56 + 72 + 48, 0.5, CELLS + ": 48, 56 and 72", lambda: sum(alive(steps, start="Pulsar", size=32) for steps in (1, 2, 3))),
    Figure(
        "own",
        "typed van der Pol oscillator, μ = 1: period",
        6.6632868593,
        1e-4,
        "computed: an integrator of eighth order (DOP853: Hairer, Nørsett & Wanner, Solving Ordinary Differential Equations I)",
        lambda: typed_period("dx/dt = y\ndy/dt = (1 - x^2)*y - x\nx(0) = 2\ny(0) = 0"),
    ),
    Figure("own", "typed pendulum let go at 90°: period over that of small swings", 1.1803405990, 1e-6, EXACT + "2K(sin 45°)/π", lambda: typed_period("dx/dt = y\ndy/dt = -sin(x)\nx(0) = pi/2\ny(0) = 0") / (2 * math.pi)),
    Figure("own", "typed rule 90: black cells in row 15", 16, 0, "S. Wolfram, Rev. Mod. Phys. 55 (1983) 601–644: 2 to the number of ones of the row in binary", lambda: sierpinski(15)),
    Figure("own", "typed rule 90: black cells in row 64", 2, 0, "S. Wolfram, Rev. Mod. Phys. 55 (1983) 601–644: 2 to the number of ones of the row in binary", lambda: sierpinski(64)),
    Figure(
        "own",
        "typed draw between two bounds, 0 < noise() < 1: how often",
        0.341345,
        0.0045,
        EXACT + "normal distribution; 3 s.e. of 100,000",
        lambda: float(typed("hits' = hits + if(0 < noise() < 1, 1, 0)\nhits(0) = 0", "map", duration=100_000.0, dt=1.0, every=100_000.0)["hits"][-1] / 100_000),
    ),
)
