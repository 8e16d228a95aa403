"""Weather: Lorenz 1963 and Lorenz 1996."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipelines.simulation.models.lorenz63 import Lorenz63
from pipelines.simulation.models.lorenz96 import Lorenz96
from studio.api import Numbers
from tests.figures import Figure
from tests.lyapunov import exponents, kaplan_yorke

SPROTT = "J. C. Sprott, Chaos and Time-Series Analysis, Oxford 2003, and his page on the Lorenz attractor (0.9056, 0, −14.5723)"
LORENZ = "Lorenz, J. Atmos. Sci. 20 (1963) 130–141"


@lru_cache
def lorenz63_spectrum() -> Numbers:
    model = Lorenz63()
    return exponents(model, model.Params(), 3, settle=50.0, measure=4000.0, between=10)


def settled(rho: float, x0: float, y0: float, z0: float, time: float = 100.0) -> Numbers:
    model = Lorenz63()
    return model.observed([model.Params(rho=rho, x0=x0, y0=y0, z0=z0)], np.array([time]), [1])[0, 0]


def rest_is_left(rho: float) -> bool:
    """Whether a small push away from a steady roll has grown after a while."""
    place = np.sqrt(8 / 3 * (rho - 1))
    model = Lorenz63()
    times = np.arange(0.0, 60.0, 0.01)
    seen = model.observed([model.Params(rho=rho, x0=place + 0.01, y0=place, z0=rho - 1)], times, [1])[0, :, 0]
    return float(np.ptp(seen[-500:])) > float(np.ptp(seen[500:1000]))


def threshold(low: float, high: float, beyond, exact: float = 0.005) -> float:  # type: ignore[no-untyped-def]
    """Where `beyond` turns from false to true."""
    while high - low > exact:
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return (low + high) / 2


def crosses_over(rho: float) -> bool:
    """Whether the way out of the state of rest, along its growing direction, ends on the other side at its first turn."""
    growth = (-11 + np.sqrt(81 + 40 * rho)) / 2
    model = Lorenz63()
    start = 1e-4 * np.array([10.0, growth + 10.0, 0.0])
    seen = model.observed([model.Params(rho=rho, x0=start[0], y0=start[1], z0=0.0)], np.arange(0.0, 12.0, 0.01), [1])[0, :, 0]
    return bool(seen.min() < -0.1)


def shrinking() -> float:
    """Trace of the Jacobian of the rates, by differences, at a place of the attractor."""
    model = Lorenz63()
    a, at, trace = model.coefficients(model.Params()), np.array([3.0, 5.0, 20.0]), 0.0
    for axis in range(3):
        high, low, push = np.empty(3), np.empty(3), np.eye(3)[axis] * 1e-3
        model.rates(0.0, at + push, a, high)
        model.rates(0.0, at - push, a, low)
        trace += (high[axis] - low[axis]) / 2e-3
    return float(trace)


@lru_cache
def lorenz96_spectrum(count: int, measure: float) -> Numbers:
    model = Lorenz96()
    return exponents(model, model.Params(), count, settle=50.0, measure=measure, between=4)


@lru_cache
def lorenz96_weather() -> Numbers:
    """Mean, standard deviation and energy of long weather (3,)."""
    model = Lorenz96()
    seen = model.observed([model.Params()], np.arange(50.0, 2050.0, 0.5), [1])[0]
    mean, square = seen[:, 1].mean(), 2 * seen[:, 3].mean()
    return np.array([mean, np.sqrt(square - mean**2), square])


def waves_grow(forcing: float, places: int) -> bool:
    model = Lorenz96()
    seen = model.observed([model.Params(forcing=forcing, places=places, push=1e-3)], np.array([600.0, 1200.0]), [1])[0, :, 2]
    return bool(seen[1] > seen[0])


L96 = "Lorenz & Emanuel, J. Atmos. Sci. 55 (1998) 399–414"
FIGURES: tuple[Figure, ...] = (
    Figure("lorenz63", "largest Lyapunov exponent at σ=10, ρ=28, β=8/3", 0.9056, 0.0091, SPROTT, lambda: float(lorenz63_spectrum()[0]), slow=True),
    Figure("lorenz63", "middle Lyapunov exponent, along the way itself", 0.0, 0.005, SPROTT, lambda: float(lorenz63_spectrum()[1]), slow=True),
    Figure("lorenz63", "sum of the Lyapunov exponents, −(σ + 1 + β)", -13.6667, 2e-3, LORENZ, lambda: float(lorenz63_spectrum().sum()), slow=True),
    Figure("lorenz63", "rate at which volumes of states shrink", -41 / 3, 1e-6, LORENZ, shrinking),
    Figure("lorenz63", "Kaplan–Yorke dimension of the attractor", 2.062, 0.001, SPROTT, lambda: kaplan_yorke(lorenz63_spectrum()), slow=True),
    Figure("lorenz63", "steady roll at ρ=14: x = √(β(ρ−1))", 5.887841, 1e-4, LORENZ, lambda: float(settled(14.0, 1.0, 1.0, 1.0)[0])),
    Figure("lorenz63", "steady roll at ρ=14: z = ρ−1", 13.0, 1e-4, LORENZ, lambda: float(settled(14.0, 1.0, 1.0, 1.0)[2])),
    Figure("lorenz63", "ρ where steady rolls lose stability, σ(σ+β+3)/(σ−β−1) = 24.74", 24.7368, 0.02, LORENZ, lambda: threshold(24.0, 25.5, rest_is_left)),
    Figure("lorenz63", "ρ of the homoclinic orbit", 13.926, 0.01, "Sparrow, The Lorenz Equations, Springer 1982 (13.926)", lambda: threshold(13.0, 15.0, crosses_over, 0.001)),
    Figure("lorenz96", "largest Lyapunov exponent at N=40, F=8", 1.69, 0.03, "Karimi & Paul, Chaos 20 (2010) 043105 (1.68–1.70)", lambda: float(lorenz96_spectrum(1, 5000.0)[0]), slow=True),
    Figure("lorenz96", "Kaplan–Yorke dimension at N=40, F=8", 27.1, 0.3, L96 + " (27.1)", lambda: kaplan_yorke(lorenz96_spectrum(40, 1000.0)), slow=True),
    Figure("lorenz96", "number of positive Lyapunov exponents at N=40, F=8: those before the one that vanishes", 13, 0.5, L96 + " (13)", lambda: float(np.argmin(np.abs(lorenz96_spectrum(40, 1000.0)))), slow=True),
    Figure("lorenz96", "sum of the Lyapunov exponents, −N", -40.0, 0.04, L96, lambda: float(lorenz96_spectrum(40, 1000.0).sum()), slow=True),
    Figure("lorenz96", "mean of the weather at N=40, F=8", 2.3, 0.05, L96 + " (2.3)", lambda: float(lorenz96_weather()[0])),
    Figure("lorenz96", "standard deviation of the weather at N=40, F=8", 3.6, 0.05, L96 + " (3.6)", lambda: float(lorenz96_weather()[1])),
    Figure("lorenz96", "balance of energy: mean square over F times mean", 1.0, 0.005, L96, lambda: float(lorenz96_weather()[2] / (8 * lorenz96_weather()[0]))),
    Figure("lorenz96", "F where rest loses stability at N=40", 0.8944, 0.001, "Karimi & Paul, Chaos 20 (2010) 043105: 1/max(cos θ − cos 2θ)", lambda: threshold(0.85, 0.95, lambda forcing: waves_grow(forcing, 40), 0.0005)),
    Figure("lorenz96", "F where rest loses stability on a long ring (N=143)", 8 / 9, 0.001, "Karimi & Paul, Chaos 20 (2010) 043105", lambda: threshold(0.85, 0.95, lambda forcing: waves_grow(forcing, 143), 0.0005)),
)
