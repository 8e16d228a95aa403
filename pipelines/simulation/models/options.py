"""Geometric Brownian motion: a share's price by chance, and what options on it are worth (Black, Scholes and Merton)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.simulation.charts import Chart, Colour, mixed, thinned, written
from pipelines.simulation.drawing import GROUND, INK, KINDS, canvas, picture_of
from pipelines.simulation.jit import compiled
from studio.api import BadInput, Numbers, Params, Picture, Preset, Series, Simulation, Source, caption, chance, steps_at, ui

DAYS = 252.0  # of trading in a year
GREEKS = ("delta", "gamma", "vega", "theta", "rho")  # per unit, not per cent; theta per year
SHOWN = 60
TRAIL = 1500


@dataclass(frozen=True)
class BlackScholes:
    """European options: prices and Greeks in closed form. Years and shares per year; `dividends` are continuous."""

    price: float
    strike: float
    years: float
    rate: float
    volatility: float
    dividends: float = 0.0

    @property
    def d1(self) -> float:
        """How far the price is above the strike, in standard deviations; infinite where nothing is left to chance."""
        moneyness, spread = math.log(self.price / self.strike) + (self.rate - self.dividends) * self.years, self.spread
        if spread == 0:
            return math.copysign(math.inf, moneyness) if moneyness else 0.0
        return moneyness / spread + spread / 2

    @property
    def spread(self) -> float:
        """Standard deviation of the logarithm at the end."""
        return self.volatility * math.sqrt(self.years)

    @property
    def share(self) -> float:
        """What the share is worth today without its dividends."""
        return self.price * grown(-self.dividends * self.years)

    @property
    def owed(self) -> float:
        """What the strike is worth today."""
        return self.strike * grown(-self.rate * self.years)

    @property
    def d2(self) -> float:
        return self.d1 - self.spread

    @property
    def call(self) -> float:
        return self.share * below(self.d1) - self.owed * below(self.d2)

    @property
    def put(self) -> float:
        return self.owed * below(-self.d2) - self.share * below(-self.d1)

    @property
    def delta(self) -> float:
        """Change of the call per change of the price."""
        return grown(-self.dividends * self.years) * below(self.d1)

    @property
    def gamma(self) -> float:
        """Change of delta per change of the price; 0 where nothing is left to chance."""
        return grown(-self.dividends * self.years) * density(self.d1) / (self.price * self.spread) if self.spread else 0.0

    @property
    def vega(self) -> float:
        """Change of either option per change of the volatility (1, not 1 %)."""
        return self.share * density(self.d1) * math.sqrt(self.years)

    @property
    def theta(self) -> float:
        """Change of the call per year that passes."""
        decay = -self.share * density(self.d1) * self.volatility / (2 * math.sqrt(self.years)) if self.years else 0.0
        return decay - self.rate * self.owed * below(self.d2) + self.dividends * self.share * below(self.d1)

    @property
    def rho(self) -> float:
        """Change of the call per change of the rate (1, not 1 %)."""
        return self.years * self.owed * below(self.d2)


def grown(exponent: float) -> float:
    """Its exponential, infinite beyond all numbers: what is observed then ends the run with a sentence."""
    return math.exp(exponent) if exponent < 709 else math.inf


def below(value: float) -> float:
    """The normal distribution function."""
    return 0.5 * math.erfc(-value / math.sqrt(2))


def density(value: float) -> float:
    return math.exp(-0.5 * value * value) / math.sqrt(2 * math.pi)


class OptionsParams(Params):
    volatility: float = Field(0.2, ge=0, le=3, title="Volatility", description="Standard deviation of a year's return: 0.2 is 20 %.", json_schema_extra=ui(unit="per √year", live=True, step=0.01))
    rate: float = Field(0.05, ge=-0.5, le=1, title="Interest rate", description="Of money without risk: 0.05 is 5 %.", json_schema_extra=ui(unit="per year", live=True, step=0.005))
    price: float = Field(100.0, ge=0.01, le=1e6, title="Price today", description="Of one share.", json_schema_extra=ui(step=0.5))
    strike: float = Field(100.0, ge=0.01, le=1e6, title="Strike", description="Price at which the options buy or sell.", json_schema_extra=ui(live=True, step=0.5))
    dividends: float = Field(0.0, ge=0, le=1, title="Dividends", description="Paid continuously: 0.02 is 2 %.", json_schema_extra=ui(unit="per year", live=True, advanced=True, step=0.005))
    premium: float = Field(
        0.0, ge=-1, le=2, title="Risk premium", description="Yearly growth beyond the interest rate. Options are priced without it; a real share may have it.",
        json_schema_extra=ui(unit="per year", live=True, advanced=True, step=0.01),
    )
    paths: int = Field(500, ge=1, le=200_000, title="Paths", description="Shares that run at once: the options' values are means over them.", json_schema_extra=ui(advanced=True))


@compiled
def walk(rng, prices, drift, spread, steps):  # type: ignore[no-untyped-def]
    """prices (paths,) in place: each step multiplies by exp(drift + spread·Z), which is exact for steps of any length."""
    for _ in range(steps):
        for path in range(prices.shape[0]):
            prices[path] *= np.exp(drift + spread * rng.standard_normal())


@dataclass
class Prices:
    """Prices of all paths (paths,) after `day` days; the trail has (day, mean, the prices shown…)."""

    values: Numbers
    day: int = 0
    trail: list[Numbers] = field(default_factory=list)


class Options(Simulation):
    """dS = (r − q + premium)S dt + σS dW, whose logarithm is normal. A call is worth e^−rT E[max(S_T − K, 0)] = S e^−qT N(d₁) − K e^−rT N(d₂) where there is no premium.

    Sources: F. Black and M. Scholes, J. Polit. Econ. 81 (1973) 637–654; R. C. Merton, Bell J. Econ. 4 (1973) 141–183.
    """

    id: ClassVar[str] = "options"
    title: ClassVar[str] = "Shares and options"
    domain: ClassVar[str] = "Finance"
    about: ClassVar[str] = (
        "A share's price goes up and down by chance, in shares of itself. An option to buy it later at a fixed price is worth the mean of what it will bring, and half a century ago that mean was found in closed form. "
        "Here hundreds of paths run to the day on which the option ends, and their mean meets the formula."
    )
    Params: ClassVar[type[Params]] = OptionsParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("price", "Price of one share"),
        Series("mean", "Mean of all paths"),
        Series("call", "Call by the paths"),
        Series("call_exact", "Call by the formula"),
        Series("put", "Put by the paths"),
        Series("put_exact", "Put by the formula"),
        Series("delta", "Delta of the call", "shares", quiet=True),
        Series("gamma", "Gamma", "shares by price", quiet=True),
        Series("vega", "Vega", "by volatility", quiet=True),
        Series("theta", "Theta of the call", "per year", quiet=True),
        Series("rho", "Rho of the call", "by interest", quiet=True),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("At the money", {}, "The textbook option: 10.45 after a year."),
        Preset("Out of the money", {"strike": 110.0}, "Needs luck: 6.04."),
        Preset("A calm share", {"volatility": 0.08}, "Little risk, little worth."),
        Preset("A wild share", {"volatility": 0.8}, "The option's worth is the share's restlessness."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("F. Black and M. Scholes, The pricing of options and corporate liabilities, J. Polit. Econ. 81 (1973) 637–654", "https://doi.org/10.1086/260062"),
        Source("R. C. Merton, Theory of rational option pricing, Bell J. Econ. Manag. Sci. 4 (1973) 141–183", "https://doi.org/10.2307/3003143"),
        Source("J. C. Hull, Options, Futures, and Other Derivatives, Pearson"),
    )
    duration: ClassVar[float] = DAYS
    time_unit: ClassVar[str] = "days"
    trading: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True

    def init(self, params: OptionsParams, rng: np.random.Generator) -> Prices:
        values = np.full(params.paths, params.price)
        return Prices(values, 0, [shown(0, values)])

    def step(self, state: Prices, params: OptionsParams, rng: np.random.Generator) -> Prices:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Prices, params: OptionsParams, rng: np.random.Generator, steps: int) -> Prices:
        walk(rng, state.values, *law_of(params), steps)
        state.day += steps
        state.trail.append(shown(state.day, state.values))
        del state.trail[:-TRAIL]
        return state

    def observe(self, state: Prices, params: OptionsParams) -> dict[str, float]:
        exact = self.exact(params, state.day)
        worth = grown(-params.rate * exact.years)
        return {
            "price": float(state.values[0]),
            "mean": float(state.values.mean()),
            "call": worth * float(np.maximum(state.values - params.strike, 0).mean()),
            "call_exact": exact.call,
            "put": worth * float(np.maximum(params.strike - state.values, 0).mean()),
            "put_exact": exact.put,
        } | {name: getattr(exact, name) for name in GREEKS}

    def exact(self, params: OptionsParams, day: float) -> BlackScholes:
        """The options that end on that day, as of the first day."""
        return BlackScholes(params.price, params.strike, day / DAYS, params.rate, params.volatility, params.dividends)

    def observed(self, sets: Sequence[Any], times: Numbers, seeds: Sequence[int]) -> Numbers:
        found = np.empty((len(sets), len(times), len(self.series)))
        for number, (params, seed) in enumerate(zip(sets, seeds, strict=True)):
            rng, state = chance(seed), Prices(np.full(params.paths, params.price))
            for row, target in enumerate(steps_at(self, params, times)):
                walk(rng, state.values, *law_of(params), int(target) - state.day)
                state.day = int(target)
                found[number, row] = list(self.observe(state, params).values())
        return found

    def log_likelihood(self, data: Mapping[str, Numbers], times: Numbers, params: OptionsParams) -> float:
        """Exact, of prices `price` at `times` (days): logarithms of their ratios are normal. The first price seen is given; NaN is a gap. Raises BadInput where it is not among the data."""
        if "price" not in data:
            raise BadInput("The likelihood of a share needs its “price”.", hint="Map a column to it, or learn by simulation (ABC).", field="columns")
        prices, days = np.asarray(data["price"], dtype=np.float64), np.asarray(times, dtype=np.float64)
        there = np.isfinite(prices)
        returns, gaps = np.diff(np.log(prices[there])), np.diff(days[there])
        drift, spread = law_of(params)
        if spread == 0 or (prices[there] <= 0).any():
            return -math.inf
        return float(-0.5 * np.sum(np.log(2 * math.pi * spread**2 * gaps) + (returns - drift * gaps) ** 2 / (spread**2 * gaps)))

    def pack(self, state: Prices) -> Numbers:
        return state.values.copy()

    def unpack(self, state: Prices, vector: Numbers) -> Prices:
        return Prices(np.maximum(vector, 1e-12), state.day, list(state.trail))

    def render(self, state: Prices, params: OptionsParams) -> Picture:
        image, draw = canvas()
        return fan(image, draw, np.array(state.trail), state.values, params.strike, both_ways(self.observe(state, params)), DAYS)


def both_ways(seen: Mapping[str, float]) -> list[str]:
    """The options' values by paths and by formula, as they stand below a fan."""
    return [
        caption("call {paths:.3f}, by the formula {formula:.3f}", paths=seen["call"], formula=seen["call_exact"]),
        caption("put {paths:.3f}, by the formula {formula:.3f}", paths=seen["put"], formula=seen["put_exact"]),
    ]


def fan(image: Any, draw: Any, trail: Numbers, values: Numbers, strike: float, told: Sequence[str], days: float, levels: Sequence[tuple[float, Colour]] = ()) -> Picture:
    """Paths so far, the strike and other levels, how all prices are spread now, and what is told of the options."""
    way = thinned(trail)
    last = max(days, float(way[-1, 0]))
    marked = [strike, *(level for level, _ in levels)]
    low, high = min(float(np.quantile(way[:, 2:], 0.002)), *marked), max(float(np.quantile(way[:, 2:], 0.998)), *marked)
    margin = max(0.06 * (high - low), 0.02 * strike)
    box = (0.0, last, low - margin, high + margin)
    chart = Chart(draw, (44, 16, 390, 296), box).axes("trading days")
    for path in range(way.shape[1] - 1, 1, -1):
        over = way[-1, path] > strike
        chart.line(way[:, 0], way[:, path], INK if path == 2 else mixed(KINDS[2] if over else KINDS[0], GROUND, 0.42), 2 if path == 2 else 1)
    chart.line(way[:, 0], way[:, 1], KINDS[5], 2).across(strike)
    for level, colour in levels:
        chart.across(level, colour)
    counts, edges = np.histogram(values, bins=44, range=(box[2], box[3]))
    side = Chart(draw, (396, 16, 470, 296), (0, max(int(counts.max()), 1), box[2], box[3]))
    for count, lower, upper in zip(counts, edges[:-1], edges[1:], strict=True):
        draw.rectangle((396, float(side.y(upper)), float(side.x(count)), float(side.y(lower)) - 1), fill=KINDS[2] if lower >= strike else KINDS[0])
    for at, words in zip((44, 262), told, strict=False):
        written(draw, (at, 338), words, INK, 12, "lm")
    return picture_of(image)


def shown(day: int, values: Numbers) -> Numbers:
    return np.concatenate([[day, values.mean()], values[:SHOWN]])


def law_of(params: OptionsParams) -> tuple[float, float]:
    """Drift and spread of the logarithm in one day."""
    return (params.rate - params.dividends + params.premium - params.volatility**2 / 2) / DAYS, params.volatility / math.sqrt(DAYS)
