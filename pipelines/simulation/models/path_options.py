"""Options whose worth depends on the way: barriers that end or begin them, and means of the price."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from pipelines.simulation.drawing import KINDS, canvas
from pipelines.simulation.jit import compiled
from pipelines.simulation.models.options import DAYS, TRAIL, BlackScholes, below, fan, shown
from studio.api import Numbers, Params, Picture, Preset, Series, Simulation, Source, caption, chance, steps_at, ui

SHIFT = 0.5825971579390106  # −ζ(1/2)/√(2π): by how many daily deviations a barrier that is watched once a day seems farther away
MOST_EXPONENT = 700.0
Kind = Literal["Down and out", "Down and in", "Up and out", "Up and in", "Mean of the price"]
Side = Literal["Call", "Put"]


@dataclass(frozen=True)
class Barrier:
    """European options that end (out) or begin (in) where the price touches `barrier`, watched all the time. `rebate` is paid at the touch of an out, at the end of an in that was not touched.

    Sources: E. Reiner and M. Rubinstein, Breaking down the barriers, Risk 4 (1991) 28–35; as in E. G. Haug, The Complete Guide to Option Pricing Formulas, 2nd ed., section 4.17.1.
    """

    side: Side
    down: bool
    out: bool
    price: float
    strike: float
    barrier: float
    years: float
    rate: float
    volatility: float
    dividends: float = 0.0
    rebate: float = 0.0

    @property
    def worth(self) -> float:
        plain = BlackScholes(self.price, self.strike, self.years, self.rate, self.volatility, self.dividends)
        european = plain.call if self.side == "Call" else plain.put
        if self.price <= self.barrier if self.down else self.price >= self.barrier:
            return self.rebate if self.out else european
        if self.years == 0:
            return european if self.out else self.rebate
        touched = self._touched()
        return european - touched + self._paid_at_touch() if self.out else touched + self._paid_at_end()

    @property
    def spread(self) -> float:
        return self.volatility * math.sqrt(self.years)

    @property
    def slope(self) -> float:
        """μ of the sources."""
        return (self.rate - self.dividends) / self.volatility**2 - 0.5

    def _touched(self) -> float:
        """The in without rebate: which of A, B, C and D of the sources it is made of."""
        call, beyond = self.side == "Call", self.strike > self.barrier
        a, b, c, d = (self._part(level, mirrored) for mirrored in (False, True) for level in (self.strike, self.barrier))
        if call == self.down:  # the barrier lies where the option is worth little
            return c if beyond == call else a - b + d
        return a if beyond == call else b - c + d

    def _part(self, level: float, mirrored: bool) -> float:
        """A and B, mirrored in the barrier C and D: what is worth something beyond `level`."""
        phi, eta = (1 if self.side == "Call" else -1), (1 if self.down else -1)
        sign, ratio = (eta, self.barrier**2 / self.price / level) if mirrored else (phi, self.price / level)
        x = math.log(ratio) / self.spread + (1 + self.slope) * self.spread
        power = 2 * self.slope * math.log(self.barrier / self.price) if mirrored else 0.0
        square = 2 * math.log(self.barrier / self.price) if mirrored else 0.0
        share = self.price * weighed(power + square - self.dividends * self.years, sign * x)
        return phi * (share - self.strike * weighed(power - self.rate * self.years, sign * (x - self.spread)))

    def _paid_at_end(self) -> float:
        """E."""
        eta, log = (1 if self.down else -1), math.log(self.barrier / self.price)
        free, back = (sign * log / self.spread + self.slope * self.spread for sign in (-1, 1))
        return self.rebate * (weighed(-self.rate * self.years, eta * free) - weighed(2 * self.slope * log - self.rate * self.years, eta * back))

    def _paid_at_touch(self) -> float:
        """F."""
        eta, log = (1 if self.down else -1), math.log(self.barrier / self.price)
        steep = math.sqrt(self.slope**2 + 2 * self.rate / self.volatility**2)
        z = log / self.spread + steep * self.spread
        return self.rebate * (weighed((self.slope + steep) * log, eta * z) + weighed((self.slope - steep) * log, eta * (z - 2 * steep * self.spread)))


def weighed(exponent: float, z: float) -> float:
    """exp(exponent) N(z); a probability of 0 is nothing, whatever stands before it."""
    chances = below(z)
    return math.exp(min(exponent, MOST_EXPONENT)) * chances if chances else 0.0


@dataclass(frozen=True)
class Mean:
    """Options on the mean of the prices at `times` (years): exact for the geometric mean, by two moments for the arithmetic one.

    Sources: A. G. Z. Kemna and A. C. F. Vorst, J. Bank. Finance 14 (1990) 113–129; E. Levy, J. Int. Money Finance 11 (1992) 474–491; S. M. Turnbull and L. M. Wakeman, J. Financ. Quant. Anal. 26 (1991) 377–389.
    """

    side: Side
    price: float
    strike: float
    times: Numbers
    years: float
    rate: float
    volatility: float
    dividends: float = 0.0

    @property
    def geometric(self) -> float:
        count = len(self.times)
        later = np.arange(2 * count - 1, 0, -2)  # the weight of each time in the variance: Σᵢⱼ min(tᵢ, tⱼ) = Σᵢ (2(n − i) + 1) tᵢ
        variance = self.volatility**2 * float(later @ self.times) / count**2
        mean = math.log(self.price) + (self.rate - self.dividends - self.volatility**2 / 2) * float(self.times.mean())
        return self._black(math.exp(mean + variance / 2), variance)

    @property
    def arithmetic(self) -> float:
        forward = self.price * np.exp((self.rate - self.dividends) * self.times)
        after = np.append(np.cumsum(forward[::-1])[::-1][1:], 0.0)
        first = float(forward.mean())
        second = float((forward * np.exp(self.volatility**2 * self.times) * (forward + 2 * after)).sum()) / len(forward) ** 2
        return self._black(first, max(math.log(second / first**2), 0.0))

    def _black(self, forward: float, variance: float) -> float:
        """Of a number that is lognormal at the end."""
        alone = BlackScholes(forward, self.strike, 1.0, 0.0, math.sqrt(variance))
        return math.exp(-self.rate * self.years) * (alone.call if self.side == "Call" else alone.put)


def helped(pays: Numbers, known: Numbers, mean: float) -> tuple[float, float]:
    """(mean, its standard error) of `pays` (n,), with `known` (n,), whose true mean is told, as a control variate."""
    apart = known - known.mean()
    spread = float(apart @ apart)
    weight = float(apart @ pays) / spread if spread > 0 else 0.0
    left = pays - weight * (known - mean)
    return float(left.mean()), float(left.std() / math.sqrt(len(left)))


class PathOptionsParams(Params):
    kind: Kind = Field("Down and out", title="Kind", description="Out ends at the barrier, in begins there; the mean is over all days.", json_schema_extra=ui())
    barrier: float = Field(90.0, ge=0.01, le=1e6, title="Barrier", description="Of those with one: the price whose touch counts.", json_schema_extra=ui(step=0.5))
    strike: float = Field(100.0, ge=0.01, le=1e6, title="Strike", description="Price at which the option buys or sells.", json_schema_extra=ui(live=True, step=0.5))
    volatility: float = Field(0.2, ge=0.05, le=2, title="Volatility", description="Standard deviation of a year's return: 0.2 is 20 %.", json_schema_extra=ui(unit="per √year", step=0.01))
    side: Side = Field("Call", title="Side", description="A call buys, a put sells.", json_schema_extra=ui(advanced=True))
    watched: Literal["all the time", "once a day"] = Field("all the time", title="Barrier is watched", description="Once a day it is touched less often.", json_schema_extra=ui(advanced=True))
    rebate: float = Field(0.0, ge=0, le=1e5, title="Rebate", description="What an out pays at the touch, and an in at the end if it was never touched.", json_schema_extra=ui(live=True, advanced=True, step=0.5))
    rate: float = Field(0.05, ge=0, le=0.5, title="Interest rate", description="Of money without risk: 0.05 is 5 %.", json_schema_extra=ui(unit="per year", advanced=True, step=0.005))
    dividends: float = Field(0.0, ge=0, le=0.5, title="Dividends", description="Paid continuously: 0.02 is 2 %.", json_schema_extra=ui(unit="per year", advanced=True, step=0.005))
    price: float = Field(100.0, ge=0.01, le=1e6, title="Price today", description="Of one share.", json_schema_extra=ui(advanced=True, step=0.5))
    paths: int = Field(500, ge=1, le=200_000, title="Paths", description="Shares that run at once: the option's value is a mean over them.", json_schema_extra=ui(advanced=True))


@compiled
def walk(rng, values, alive, early, sums, logs, law, day, steps):  # type: ignore[no-untyped-def]
    """All (paths,), in place; law is drift and spread of a day's logarithm, barrier, whether it lies below, whether it is watched within the day, and the rate.

    Between two prices the logarithm is a Brownian bridge, which touches with probability exp(−2 ln(S₀/H) ln(S₁/H)/(σ²dt)): what is left of `alive` is exact at any step.
    """
    drift, spread, barrier, below, within, rate = law
    for step in range(steps):
        worth = np.exp(-rate * (day + step + 0.5) / 252.0)
        for path in range(values.shape[0]):
            before = values[path]
            after = before * np.exp(drift + spread * rng.standard_normal())
            keep = 1.0
            if (below > 0.0 and after <= barrier) or (below == 0.0 and after >= barrier):
                keep = 0.0
            elif within > 0.0 and alive[path] > 0.0:
                keep = 1.0 - np.exp(-2.0 * np.log(before / barrier) * np.log(after / barrier) / spread**2)
            early[path] += alive[path] * (1.0 - keep) * worth
            alive[path] *= keep
            values[path] = after
            sums[path] += after
            logs[path] += np.log(after)


@dataclass
class Ways:
    """By path (paths,): the price, the probability that the barrier was not touched, what a rebate of 1 is worth today, sums of prices and of their logarithms; the trail as of Options."""

    values: Numbers
    alive: Numbers
    early: Numbers
    sums: Numbers
    logs: Numbers
    day: int = 0
    trail: list[Numbers] = field(default_factory=list)


class PathOptions(Simulation):
    """dS = (r − q)S dt + σS dW. An out pays e^−rT max(±(S_T − K), 0) where the barrier was never touched, an in where it was; the third kind pays for the mean of all days instead of S_T.

    Barriers meet the formulas of Reiner and Rubinstein (watched once a day: with the barrier moved by 0.5826 daily deviations); the mean of prices is estimated with the geometric mean
    as a control variate, whose option is known exactly, and is shown beside Levy's two moments.
    Sources: E. Reiner and M. Rubinstein, Risk 4 (1991) 28–35; M. Broadie, P. Glasserman and S. Kou, Math. Finance 7 (1997) 325–349; A. G. Z. Kemna and A. C. F. Vorst, J. Bank. Finance 14 (1990) 113–129.
    """

    id: ClassVar[str] = "path_options"
    title: ClassVar[str] = "Barriers and means"
    domain: ClassVar[str] = "Finance"
    about: ClassVar[str] = (
        "Some options look at the whole way of a price: they end or begin where it touches a barrier, or pay for its mean. "
        "They are cheaper than plain ones, and a barrier that is watched all the time is touched more often than one that is looked at once a day. "
        "Paths and formulas meet here, and the mean borrows its accuracy from a mean of another kind."
    )
    Params: ClassVar[type[Params]] = PathOptionsParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("price", "Price of one share"),
        Series("worth", "Option by the paths"),
        Series("formula", "Option by the formula"),
        Series("error", "Standard error", quiet=True),
        Series("touched", "Have touched the barrier", "of the paths"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Ends at the barrier", {}, "A call that is lost once the price falls to 90."),
        Preset("Begins at the barrier", {"kind": "Down and in"}, "Both together are the plain call."),
        Preset("Watched once a day", {"watched": "once a day"}, "What happens between two days is not seen."),
        Preset("Capped", {"kind": "Up and out", "barrier": 130.0}, "Lost where it would be worth most."),
        Preset("Mean of a year", {"kind": "Mean of the price"}, "A mean is calmer than its last day, and so is its option."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("E. Reiner and M. Rubinstein, Breaking down the barriers, Risk 4 (1991) 28–35"),
        Source("E. G. Haug, The Complete Guide to Option Pricing Formulas, 2nd ed., McGraw-Hill 2007"),
        Source("M. Broadie, P. Glasserman and S. Kou, A continuity correction for discrete barrier options, Math. Finance 7 (1997) 325–349", "https://doi.org/10.1111/1467-9965.00035"),
        Source("A. G. Z. Kemna and A. C. F. Vorst, A pricing method for options based on average asset values, J. Bank. Finance 14 (1990) 113–129", "https://doi.org/10.1016/0378-4266(90)90039-5"),
        Source("E. Levy, Pricing European average rate currency options, J. Int. Money Finance 11 (1992) 474–491", "https://doi.org/10.1016/0261-5606(92)90013-N"),
    )
    duration: ClassVar[float] = DAYS
    time_unit: ClassVar[str] = "days"
    trading: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True

    def init(self, params: PathOptionsParams, rng: np.random.Generator) -> Ways:
        state = begun(params)
        state.trail.append(shown(0, state.values))
        return state

    def step(self, state: Ways, params: PathOptionsParams, rng: np.random.Generator) -> Ways:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Ways, params: PathOptionsParams, rng: np.random.Generator, steps: int) -> Ways:
        gone(state, params, rng, steps)
        state.trail.append(shown(state.day, state.values))
        del state.trail[:-TRAIL]
        return state

    def observe(self, state: Ways, params: PathOptionsParams) -> dict[str, float]:
        worth, error = self.estimated(state, params)
        return {"price": float(state.values[0]), "worth": worth, "formula": self.formula(params, state.day), "error": error, "touched": float(1 - state.alive.mean())}

    def estimated(self, state: Ways, params: PathOptionsParams) -> tuple[float, float]:
        """(worth, its standard error) of the option that ends today, as of the first day."""
        sign, worth = (1 if params.side == "Call" else -1), math.exp(-params.rate * state.day / DAYS)
        if params.kind == "Mean of the price" and state.day:
            pays, known = (worth * np.maximum(sign * (mean - params.strike), 0) for mean in (state.sums / state.day, np.exp(state.logs / state.day)))
            return helped(pays, known, self.mean(params, state.day).geometric)
        pays = worth * np.maximum(sign * (state.values - params.strike), 0)
        if params.kind.endswith("out"):
            pays = pays * state.alive + params.rebate * state.early
        elif params.kind.endswith("in"):
            pays = pays * (1 - state.alive) + worth * params.rebate * state.alive
        return float(pays.mean()), float(pays.std() / math.sqrt(len(pays)))

    def formula(self, params: PathOptionsParams, day: int) -> float:
        if params.kind == "Mean of the price":
            return self.mean(params, day).arithmetic
        down, barrier = params.kind.startswith("Down"), params.barrier
        if params.watched == "once a day" and day and not touched_at_once(params):
            barrier *= math.exp((-1 if down else 1) * SHIFT * params.volatility / math.sqrt(DAYS))
        return Barrier(params.side, down, params.kind.endswith("out"), params.price, params.strike, barrier, day / DAYS, params.rate, params.volatility, params.dividends, params.rebate).worth

    def mean(self, params: PathOptionsParams, day: int) -> Mean:
        times = np.arange(1, day + 1) / DAYS if day else np.zeros(1)
        return Mean(params.side, params.price, params.strike, times, day / DAYS, params.rate, params.volatility, params.dividends)

    def observed(self, sets: Sequence[Any], times: Numbers, seeds: Sequence[int]) -> Numbers:
        found = np.empty((len(sets), len(times), len(self.series)))
        for number, (params, seed) in enumerate(zip(sets, seeds, strict=True)):
            rng, state = chance(seed), begun(params)
            for row, target in enumerate(steps_at(self, params, times)):
                gone(state, params, rng, int(target) - state.day)
                found[number, row] = list(self.observe(state, params).values())
        return found

    def pack(self, state: Ways) -> Numbers:
        return state.values.copy()

    def unpack(self, state: Ways, vector: Numbers) -> Ways:
        return Ways(np.maximum(vector, 1e-12), state.alive.copy(), state.early.copy(), state.sums.copy(), state.logs.copy(), state.day, list(state.trail))

    def render(self, state: Ways, params: PathOptionsParams) -> Picture:
        image, draw = canvas()
        seen = self.observe(state, params)
        told = [caption("option {paths:.3f}, by the formula {formula:.3f}", paths=seen["worth"], formula=seen["formula"])]
        levels = []
        if params.kind != "Mean of the price":
            told.append(caption("{share:.0%} have touched the barrier", share=seen["touched"]))
            levels.append((params.barrier, KINDS[3]))
        return fan(image, draw, np.array(state.trail), state.values, params.strike, told, DAYS, levels)


def touched_at_once(params: PathOptionsParams) -> bool:
    return params.price <= params.barrier if params.kind.startswith("Down") else params.kind.startswith("Up") and params.price >= params.barrier


def begun(params: PathOptionsParams) -> Ways:
    count, touched = params.paths, touched_at_once(params)
    return Ways(np.full(count, params.price), np.full(count, float(not touched)), np.full(count, float(touched)), np.zeros(count), np.zeros(count))


def gone(state: Ways, params: PathOptionsParams, rng: np.random.Generator, steps: int) -> None:
    """So many days on, in place."""
    drift = (params.rate - params.dividends - params.volatility**2 / 2) / DAYS
    barrier, within = (math.inf, False) if params.kind == "Mean of the price" else (params.barrier, params.watched == "all the time")
    law = np.array([drift, params.volatility / math.sqrt(DAYS), barrier, params.kind.startswith("Down"), within, params.rate])
    walk(rng, state.values, state.alive, state.early, state.sums, state.logs, law, state.day, steps)
    state.day += steps
