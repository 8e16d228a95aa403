"""Heston: a share whose volatility is itself restless, with option prices in semi-closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.simulation.drawing import canvas
from pipelines.simulation.jit import compiled
from pipelines.simulation.models.options import DAYS, TRAIL, both_ways, fan, grown, shown
from studio.api import Numbers, Params, Picture, Preset, Series, Simulation, Source, chance, steps_at, ui

NODES = 16  # of each panel
FINEST = 1e-13  # below that the rest of the integral is left out
TURNS = 2e4  # radians of the wave in it at most: beyond, the options are thousands of standard deviations from the money


class HestonParams(Params):
    volatility: float = Field(0.2, ge=0.01, le=2, title="Volatility today", description="Standard deviation of a year's return as it is on the first day.", json_schema_extra=ui(unit="per √year", step=0.01))
    long_volatility: float = Field(0.2, ge=0.01, le=2, title="Volatility in the long run", description="What it returns to.", json_schema_extra=ui(unit="per √year", live=True, step=0.01))
    restlessness: float = Field(0.5, ge=0.01, le=3, title="Volatility of the variance", description="How strongly the variance itself goes up and down.", json_schema_extra=ui(live=True, step=0.01))
    correlation: float = Field(-0.6, ge=-0.99, le=0.99, title="Correlation", description="Of price and variance: negative where falling prices bring unrest.", json_schema_extra=ui(live=True, step=0.01))
    reversion: float = Field(2.0, ge=0.01, le=20, title="Reversion", description="How fast the variance returns.", json_schema_extra=ui(unit="per year", live=True, advanced=True, step=0.01))
    rate: float = Field(0.02, ge=-0.5, le=1, title="Interest rate", description="Of money without risk: 0.05 is 5 %.", json_schema_extra=ui(unit="per year", live=True, advanced=True, step=0.005))
    dividends: float = Field(0.0, ge=0, le=1, title="Dividends", description="Paid continuously: 0.02 is 2 %.", json_schema_extra=ui(unit="per year", live=True, advanced=True, step=0.005))
    price: float = Field(100.0, ge=0.01, le=1e6, title="Price today", description="Of one share.", json_schema_extra=ui(advanced=True, step=0.5))
    strike: float = Field(100.0, ge=0.01, le=1e6, title="Strike", description="Price at which the options buy or sell.", json_schema_extra=ui(live=True, advanced=True, step=0.5))
    paths: int = Field(500, ge=1, le=200_000, title="Paths", description="Shares that run at once: the options' values are means over them.", json_schema_extra=ui(advanced=True))


@lru_cache(maxsize=1)
def panel() -> tuple[Numbers, Numbers]:
    """Gauss-Legendre nodes and weights on 0 … 1."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return (nodes + 1) / 2, weights / 2


def frequencies(first: float, reach: float, moneyness: float) -> tuple[Numbers, Numbers]:
    """Nodes and weights on 0 … reach: panels that double from `first` on, each cut so that exp(iu·moneyness) turns by a few radians in it."""
    edges = [0.0, *(first * 2.0 ** np.arange(max(1, math.ceil(math.log2(reach / first)))))]
    cuts = [np.linspace(low, high, 1 + math.ceil((high - low) * abs(moneyness) / 6) + 1)[:-1] for low, high in zip(edges, [*edges[1:], reach], strict=True)]
    all_edges = np.append(np.concatenate(cuts), reach)
    at, weights = panel()
    wide = np.diff(all_edges)[:, None]
    return (all_edges[:-1, None] + wide * at).ravel(), (wide * weights).ravel()


@lru_cache(maxsize=4096)
def call_price(
    price: float, strike: float, years: float, rate: float, variance: float, long_variance: float, restlessness: float, correlation: float, reversion: float, dividends: float = 0.0
) -> float:
    """A European call by one integral over the characteristic function (Lewis 2001), this in the form without jumps of the logarithm (Albrecher et al. 2007)."""
    if years <= 0:
        return max(price - strike, 0.0)

    def characteristic(at: Numbers) -> Any:
        u = at - 0.5j
        b = reversion - 1j * correlation * restlessness * u
        d = np.sqrt(b * b + restlessness**2 * (u * u + 1j * u))
        g, decay = (b - d) / (b + d), np.exp(-d * years)
        c = reversion * long_variance / restlessness**2 * ((b - d) * years - 2 * np.log((1 - g * decay) / (1 - g)))
        return np.exp(c + variance / restlessness**2 * (b - d) * (1 - decay) / (1 - g * decay))

    spread = math.sqrt(years * max(variance, long_variance))
    first = 0.25 / max(1.0, spread)
    moneyness = math.log(price / strike) + (rate - dividends) * years
    tried = np.asarray(first * 2.0 ** np.arange(2, 30), dtype=np.float64)
    small = np.abs(characteristic(tried)) / tried < FINEST
    reach = min(float(tried[int(np.argmax(small)) if small.any() else -1]), max(TURNS / max(abs(moneyness), 1e-12), 4 * first))
    u, weights = frequencies(first, reach, moneyness)
    integral = float(np.sum(weights * np.real(np.exp(1j * u * moneyness) * characteristic(u)) / (u**2 + 0.25)))
    share, owed = price * grown(-dividends * years), strike * grown(-rate * years)
    found = share - math.sqrt(share * owed) / math.pi * integral
    return min(max(found, share - owed, 0.0), share)  # what rounding leaves outside of the bounds that no price can pass


@compiled
def walk(rng, prices, variances, law, dt, steps):  # type: ignore[no-untyped-def]
    """Andersen's QE scheme on prices and variances (paths,) in place. law is (reversion, long variance, restlessness, correlation, drift)."""
    kappa, theta, xi, rho, drift = law
    keep = np.exp(-kappa * dt)
    k1 = 0.5 * dt * (kappa * rho / xi - 0.5) - rho / xi
    k2 = 0.5 * dt * (kappa * rho / xi - 0.5) + rho / xi
    k3 = 0.5 * dt * (1.0 - rho * rho)
    constant = drift * dt - rho * kappa * theta * dt / xi
    for _ in range(steps):
        for path in range(prices.shape[0]):
            v = variances[path]
            mean = theta + (v - theta) * keep
            spread = v * xi * xi * keep / kappa * (1.0 - keep) + theta * xi * xi / (2.0 * kappa) * (1.0 - keep) ** 2
            psi = spread / (mean * mean)
            if psi <= 1.5:  # a squared normal with the same two moments
                inverse = 2.0 / psi
                b2 = inverse - 1.0 + np.sqrt(inverse) * np.sqrt(inverse - 1.0)
                after = mean / (1.0 + b2) * (np.sqrt(b2) + rng.standard_normal()) ** 2
            else:  # a lump at zero and an exponential tail
                lump = (psi - 1.0) / (psi + 1.0)
                uniform = rng.random()
                after = 0.0 if uniform <= lump else np.log((1.0 - lump) / (1.0 - uniform)) * mean / (1.0 - lump)
            prices[path] *= np.exp(constant + k1 * v + k2 * after + np.sqrt(k3 * (v + after)) * rng.standard_normal())
            variances[path] = after


@dataclass
class Market:
    """Prices and variances of all paths (paths,) after `day` days; the trail has (day, mean, the prices shown…)."""

    values: Numbers
    variances: Numbers
    day: int = 0
    trail: list[Numbers] = field(default_factory=list)


class Heston(Simulation):
    """dS = (r − q)S dt + √v S dW₁, dv = κ(θ − v) dt + ξ√v dW₂, with correlation ρ of both. Simulated by Andersen's quadratic-exponential scheme, priced by Fourier integral.

    Sources: S. L. Heston, Rev. Financ. Stud. 6 (1993) 327–343; L. Andersen, J. Comput. Finance 11 (2008) 1–42; H. Albrecher, P. Mayer, W. Schoutens and J. Tistaert, Wilmott (Jan. 2007) 83–92.
    """

    id: ClassVar[str] = "heston"
    title: ClassVar[str] = "Heston's restless market"
    domain: ClassVar[str] = "Finance"
    about: ClassVar[str] = (
        "Markets have calm and stormy times: here the volatility is a quantity of its own that is driven about and returns. Where it rises as prices fall, large losses are likelier than large gains. "
        "That is why options against a crash cost more than the simple formula says."
    )
    Params: ClassVar[type[Params]] = HestonParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("price", "Price of one share"),
        Series("volatility", "Volatility of that share", "per √year"),
        Series("mean", "Mean of all paths"),
        Series("call", "Call by the paths"),
        Series("call_exact", "Call by the integral"),
        Series("put", "Put by the paths"),
        Series("put_exact", "Put by the integral"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("A stock index", {}, "Falling prices bring unrest."),
        Preset("After a crash", {"volatility": 0.6}, "Stormy now, calm in a year."),
        Preset("No correlation", {"correlation": 0.0}, "Fat tails on both sides."),
        Preset(
            "Fang and Oosterlee 2008",
            {"volatility": 0.0175**0.5, "long_volatility": 0.0398**0.5, "restlessness": 0.5751, "correlation": -0.5711, "reversion": 1.5768, "rate": 0.0},
            "A set that methods are compared on: the call is 5.785.",
        ),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("S. L. Heston, A closed-form solution for options with stochastic volatility, Rev. Financ. Stud. 6 (1993) 327–343", "https://doi.org/10.1093/rfs/6.2.327"),
        Source("L. Andersen, Simple and efficient simulation of the Heston stochastic volatility model, J. Comput. Finance 11 (2008) 1–42", "https://doi.org/10.21314/JCF.2008.189"),
        Source("F. Fang and C. W. Oosterlee, A novel pricing method for European options based on Fourier-cosine series expansions, SIAM J. Sci. Comput. 31 (2008) 826–848", "https://doi.org/10.1137/080718061"),
    )
    duration: ClassVar[float] = DAYS
    time_unit: ClassVar[str] = "days"
    trading: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True

    def init(self, params: HestonParams, rng: np.random.Generator) -> Market:
        values = np.full(params.paths, params.price)
        return Market(values, np.full(params.paths, params.volatility**2), 0, [shown(0, values)])

    def step(self, state: Market, params: HestonParams, rng: np.random.Generator) -> Market:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Market, params: HestonParams, rng: np.random.Generator, steps: int) -> Market:
        walk(rng, state.values, state.variances, law_of(params), 1 / DAYS, steps)
        state.day += steps
        state.trail.append(shown(state.day, state.values))
        del state.trail[:-TRAIL]
        return state

    def observe(self, state: Market, params: HestonParams) -> dict[str, float]:
        years = state.day / DAYS
        worth, exact = grown(-params.rate * years), self.exact_call(params, state.day)
        return {
            "price": float(state.values[0]),
            "volatility": math.sqrt(float(state.variances[0])),
            "mean": float(state.values.mean()),
            "call": worth * float(np.maximum(state.values - params.strike, 0).mean()),
            "call_exact": exact,
            "put": worth * float(np.maximum(params.strike - state.values, 0).mean()),
            "put_exact": max(0.0, exact - params.price * grown(-params.dividends * years) + params.strike * worth),
        }

    def exact_call(self, params: HestonParams, day: float) -> float:
        """The call that ends on that day, as of the first day."""
        terms = (params.volatility**2, params.long_volatility**2, params.restlessness, params.correlation, params.reversion)
        return call_price(params.price, params.strike, day / DAYS, params.rate, *terms, params.dividends)

    def observed(self, sets: Sequence[Any], times: Numbers, seeds: Sequence[int]) -> Numbers:
        found = np.empty((len(sets), len(times), len(self.series)))
        for number, (params, seed) in enumerate(zip(sets, seeds, strict=True)):
            rng = chance(seed)
            state = Market(np.full(params.paths, params.price), np.full(params.paths, params.volatility**2))
            for row, target in enumerate(steps_at(self, params, times)):
                walk(rng, state.values, state.variances, law_of(params), 1 / DAYS, int(target) - state.day)
                state.day = int(target)
                found[number, row] = list(self.observe(state, params).values())
        return found

    def pack(self, state: Market) -> Numbers:
        """Prices and variances of all paths."""
        return np.concatenate([state.values, state.variances])

    def unpack(self, state: Market, vector: Numbers) -> Market:
        paths = len(state.values)
        return Market(np.maximum(vector[:paths], 1e-12), np.maximum(vector[paths:], 0.0), state.day, list(state.trail))

    def render(self, state: Market, params: HestonParams) -> Picture:
        image, draw = canvas()
        return fan(image, draw, np.array(state.trail), state.values, params.strike, both_ways(self.observe(state, params)), DAYS)


def law_of(params: HestonParams) -> Numbers:
    return np.array([params.reversion, params.long_volatility**2, params.restlessness, params.correlation, params.rate - params.dividends])
