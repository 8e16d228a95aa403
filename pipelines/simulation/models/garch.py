"""GARCH(1,1): returns whose unrest comes in clusters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.simulation.charts import Chart, mixed, written
from pipelines.simulation.drawing import GROUND, INK, KINDS, canvas, picture_of
from pipelines.simulation.jit import compiled
from studio.api import BadInput, Numbers, Params, Picture, Preset, Series, Simulation, Source, caption, chance, steps_at, ui

TRAIL = 3000
MOST = 0.9999  # α + β


class GarchParams(Params):
    omega: float = Field(0.02, ge=0.000001, le=10, title="Constant ω", description="What the variance never falls below.", json_schema_extra=ui(unit="%²", live=True, step=0.001))
    alpha: float = Field(0.1, ge=0, le=1, title="Shock α", description="Share of yesterday's surprise, squared, in today's variance.", json_schema_extra=ui(live=True, step=0.005))
    beta: float = Field(0.88, ge=0, le=1, title="Memory β", description="Share of yesterday's variance that stays.", json_schema_extra=ui(live=True, step=0.005))
    mean: float = Field(0.03, ge=-5, le=5, title="Mean return μ", description="Per day.", json_schema_extra=ui(unit="%", live=True, step=0.005))

    @property
    def variance(self) -> float:
        """In the long run, ω/(1 − α − β), in %²."""
        return self.omega / (1 - self.alpha - self.beta)

    @property
    def kurtosis(self) -> float:
        """3(1 − (α + β)²)/(1 − (α + β)² − 2α²) (Bollerslev 1986); infinite where the fourth moment is."""
        left = 1 - (self.alpha + self.beta) ** 2 - 2 * self.alpha**2
        return 3 * (1 - (self.alpha + self.beta) ** 2) / left if left > 0 else math.inf

    def square_correlation(self, lag: int) -> float:
        """Autocorrelation of squared surprises (Bollerslev 1988), where the fourth moment exists."""
        first = self.alpha * (1 - self.alpha * self.beta - self.beta**2) / (1 - 2 * self.alpha * self.beta - self.beta**2)
        return first * (self.alpha + self.beta) ** (lag - 1)


@compiled
def go_on(rng, now, a, days, returns, variances):  # type: ignore[no-untyped-def]
    """now is (variance, surprise) of today, in place; a is (ω, α, β, μ). Fills returns and variances (days,)."""
    for day in range(days):
        now[0] = a[0] + a[1] * now[1] * now[1] + a[2] * now[0]
        now[1] = np.sqrt(now[0]) * rng.standard_normal()
        returns[day] = a[3] + now[1]
        variances[day] = now[0]


@compiled
def gaussian(returns, days, a, variance):  # type: ignore[no-untyped-def]
    """Log likelihood of returns seen on these days (whole numbers, rising) from the `variance` of the first; where one is missing its square is what is expected of it."""
    total = 0.0
    for row in range(returns.shape[0]):
        if row > 0:
            surprise = returns[row - 1] - a[3]
            square = variance if np.isnan(surprise) else surprise * surprise
            variance = a[0] + a[1] * square + a[2] * variance
            for _ in range(days[row] - days[row - 1] - 1):
                variance = a[0] + (a[1] + a[2]) * variance
        if not np.isnan(returns[row]):
            total -= 0.5 * (np.log(2.0 * np.pi * variance) + (returns[row] - a[3]) ** 2 / variance)
    return total


@dataclass
class Returns:
    """now (2,) has today's variance and surprise; the trail (day, return, variance)."""

    now: Numbers
    day: int
    price: float
    trail: list[tuple[float, float, float]] = field(default_factory=list)


class Garch(Simulation):
    """r_t = μ + √h_t z_t with z_t normal, h_t = ω + α(r_{t−1} − μ)² + βh_{t−1}; the first day's h is the long-run variance ω/(1 − α − β). Returns in per cent.

    Source: T. Bollerslev, Generalized autoregressive conditional heteroskedasticity, J. Econometrics 31 (1986) 307–327.
    """

    id: ClassVar[str] = "garch"
    title: ClassVar[str] = "GARCH returns"
    domain: ClassVar[str] = "Finance"
    about: ClassVar[str] = (
        "A day of large moves, up or down, is followed by more of them; calm days follow calm days. One line says it: today's variance is a part of yesterday's and a part of yesterday's surprise. "
        "So large losses come more often than the bell curve allows, though each day by itself is drawn from one."
    )
    Params: ClassVar[type[Params]] = GarchParams
    series: ClassVar[tuple[Series, ...]] = (Series("return_percent", "Return", "%"), Series("volatility", "Volatility", "% per √day"), Series("price", "Price, from 100 on"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("A stock index", {}, "Persistent unrest, about 1 % a day."),
        Preset("Mark and pound 1984–1991", {"omega": 0.0107613, "alpha": 0.153134, "beta": 0.805974, "mean": -0.00619041}, "Bollerslev and Ghysels' benchmark estimates."),
        Preset("No clusters", {"omega": 1.0, "alpha": 0.0, "beta": 0.0}, "Every day by itself: a bell curve."),
        Preset("Nervous", {"omega": 0.1, "alpha": 0.35, "beta": 0.6}, "Each shock is answered at once and soon forgotten."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("T. Bollerslev, Generalized autoregressive conditional heteroskedasticity, J. Econometrics 31 (1986) 307–327", "https://doi.org/10.1016/0304-4076(86)90063-1"),
        Source("T. Bollerslev and E. Ghysels, Periodic autoregressive conditional heteroscedasticity, J. Bus. Econ. Stat. 14 (1996) 139–151", "https://doi.org/10.1080/07350015.1996.10524640"),
        Source("G. Fiorentini, G. Calzolari and L. Panattoni, Analytic derivatives and the computation of GARCH estimates, J. Appl. Econometrics 11 (1996) 399–417"),
    )
    duration: ClassVar[float] = 1000.0
    time_unit: ClassVar[str] = "days"
    trading: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True

    def check(self, params: GarchParams) -> None:
        if params.alpha + params.beta > MOST:
            raise BadInput("Shock and memory together must stay below 1: the variance would grow without end.", hint="Lower α or β.", field="beta")

    def init(self, params: GarchParams, rng: np.random.Generator) -> Returns:
        now = first_day(params, rng)
        return Returns(now, 0, 100.0, [(0.0, params.mean + now[1], now[0])])

    def step(self, state: Returns, params: GarchParams, rng: np.random.Generator) -> Returns:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Returns, params: GarchParams, rng: np.random.Generator, steps: int) -> Returns:
        returns, variances = np.empty(steps), np.empty(steps)
        go_on(rng, state.now, law_of(params), steps, returns, variances)
        state.trail += zip(range(state.day + 1, state.day + steps + 1), returns.tolist(), variances.tolist(), strict=True)
        del state.trail[:-TRAIL]
        for percent in returns:
            state.price *= math.exp(percent / 100)
        state.day += steps
        return state

    def observe(self, state: Returns, params: GarchParams) -> dict[str, float]:
        return {"return_percent": state.trail[-1][1], "volatility": math.sqrt(state.trail[-1][2]), "price": state.price}

    def observed(self, sets: Sequence[Any], times: Numbers, seeds: Sequence[int]) -> Numbers:
        days = steps_at(self, sets[0], times) if sets else np.zeros(0, np.int64)
        found = np.empty((len(sets), len(times), len(self.series)))
        for number, (params, seed) in enumerate(zip(sets, seeds, strict=True)):
            rng, last = chance(seed), int(days.max(initial=0))
            now, returns, variances = first_day(params, rng), np.empty(last + 1), np.empty(last + 1)
            returns[0], variances[0] = params.mean + now[1], now[0]
            go_on(rng, now, law_of(params), last, returns[1:], variances[1:])
            price = 100 * np.cumprod(np.exp(np.append(0.0, returns[1:]) / 100))
            found[number] = np.stack([returns[days], np.sqrt(variances[days]), price[days]], axis=1)
        return found

    def log_likelihood(self, data: Mapping[str, Numbers], times: Numbers, params: GarchParams) -> float:
        """Gaussian, of `return_percent` on the days `times`, from the long-run variance on. A day left out, or NaN, counts as what is expected of it: exact where there are no gaps.

        Raises BadInput where returns are not among the data.
        """
        if "return_percent" not in data:
            raise BadInput("The likelihood of GARCH needs “return_percent”.", hint="Map a column to it (of prices take the returns), or learn by simulation (ABC).", field="columns")
        if params.alpha + params.beta > MOST:
            return -math.inf
        days = np.rint(np.asarray(times, dtype=np.float64)).astype(np.int64)
        return float(gaussian(np.asarray(data["return_percent"], dtype=np.float64), days, law_of(params), params.variance))

    def pack(self, state: Returns) -> Numbers:
        return state.now.copy()

    def unpack(self, state: Returns, vector: Numbers) -> Returns:
        return Returns(np.array([max(float(vector[0]), 1e-12), float(vector[1])]), state.day, state.price, list(state.trail))

    def render(self, state: Returns, params: GarchParams) -> Picture:
        """Returns with twice their volatility; below, how they are spread against a bell curve of the same variance, on a logarithmic scale."""
        image, draw = canvas()
        way = np.array(state.trail)
        shown = way[-500:]
        band = 2 * np.sqrt(shown[:, 2])
        reach = max(float(np.abs(shown[:, 1]).max()), float(band.max())) * 1.1
        chart = Chart(draw, (40, 22, 466, 196), (shown[0, 0] - 0.5, max(shown[-1, 0], shown[0, 0] + 60) + 0.5, -reach, reach)).axes("days", "return, %")
        chart.area(shown[:, 0], -band + params.mean, band + params.mean, mixed(KINDS[1], GROUND, 0.35))
        chart.bars(shown[:, 0], np.maximum(shown[:, 1], 0), KINDS[2], 0.9)
        for x, y in chart.points(shown[:, 0], np.minimum(shown[:, 1], 0)):
            draw.line((x, float(chart.y(0)), x, y), fill=KINDS[3])
        deviation = math.sqrt(params.variance)
        counts, edges = np.histogram((way[:, 1] - params.mean) / deviation, bins=61, range=(-6.1, 6.1))
        middle, expected = (edges[:-1] + edges[1:]) / 2, len(way) * 0.2
        bell = np.exp(-0.5 * middle**2) / math.sqrt(2 * math.pi)
        chart = Chart(draw, (40, 240, 466, 328), (-6.1, 6.1, math.log10(0.4 / max(expected, 1)), 0)).axes("standard deviations", "how often, logarithmic", 12)
        for x, count in zip(middle, counts, strict=True):
            if count:
                left, right, top = float(chart.x(x - 0.09)), float(chart.x(x + 0.09)), float(chart.y(math.log10(count / expected)))
                draw.rectangle((left, top, right, chart.place[3]), fill=KINDS[0])
        seen = bell > 10 ** chart.box[2]
        chart.line(middle[seen], np.log10(bell[seen]), INK, 2)
        if len(way) > 50:
            centred = way[:, 1] - way[:, 1].mean()
            long_run = f"{params.kurtosis:.2f}" if math.isfinite(params.kurtosis) else caption("unbounded")
            written(draw, (466, 242), caption("kurtosis {seen:.2f}, in the long run {long_run}", seen=np.mean(centred**4) / np.mean(centred**2) ** 2, long_run=long_run), INK, 11, "ra")
        return picture_of(image)


def law_of(params: GarchParams) -> Numbers:
    return np.array([params.omega, params.alpha, params.beta, params.mean])


def first_day(params: GarchParams, rng: np.random.Generator) -> Numbers:
    """(variance, surprise)."""
    return np.array([params.variance, math.sqrt(params.variance) * rng.standard_normal()])
