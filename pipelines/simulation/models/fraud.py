"""Fraud: a stream of card payments into which thieves mix, and a detector that knows each customer's habits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.charts import Chart, written
from pipelines.simulation.drawing import INK, KINDS, canvas, picture_of
from pipelines.simulation.jit import compiled
from studio.api import Numbers, Params, Picture, Preset, Series, Simulation, Source, caption, chance, steps_at, ui

KEPT = 200_000  # payments in the log: the newest
AMONG = 1.0  # spread of customers' mean logarithms of amounts
WITHIN = 0.8  # spread of one customer's
PEAK_HOUR, WIDTH_HOURS = 14.0, 4.0  # of honest customers' days
MEMORY = 0.05  # weight of the newest payment in what the detector holds for a habit
BELIEF = 5.0  # payments' worth of what holds for everybody, before a customer is known


class FraudParams(Params):
    payments_per_day: float = Field(2000.0, ge=0, le=100_000, title="Payments", description="Mean number of honest payments in a day.", json_schema_extra=ui(unit="per day", live=True, step=100))
    fraud_share: float = Field(0.005, ge=0, le=0.5, title="Fraud", description="Share of all payments that thieves make.", json_schema_extra=ui(live=True, step=0.001))
    greed: float = Field(
        3.0, ge=-3, le=8, title="Greed", description="How far thieves' amounts lie above what the customer usually pays, in that customer's standard deviations.", json_schema_extra=ui(live=True, step=0.1)
    )
    threshold: float = Field(3.0, ge=-10, le=40, title="Alarm above", description="Score from which on a payment raises an alarm.", json_schema_extra=ui(live=True, step=0.1))
    night_share: float = Field(
        0.5, ge=0, le=1, title="By night", description="Share of thieves' payments made at any hour, instead of at the hours of honest people.", json_schema_extra=ui(live=True, advanced=True, step=0.05)
    )
    customers: int = Field(500, ge=1, le=20_000, title="Customers", description="Each with habits of their own.", json_schema_extra=ui(unit="people", advanced=True))
    invented: float = Field(
        0.0, ge=0, le=1, title="Invented amounts", description="Share of thieves' amounts that are made up, every first digit alike: what Benford's law finds.", json_schema_extra=ui(live=True, advanced=True, step=0.05)
    )


@compiled
def surprise_of_hour(hour):  # type: ignore[no-untyped-def]
    """−log of how likely an honest payment comes at that hour, against the likeliest."""
    away = abs(hour - PEAK_HOUR)
    away = min(away, 24.0 - away)
    return 0.5 * (away / WIDTH_HOURS) ** 2


@compiled
def score_of(amount, hour, habit):  # type: ignore[no-untyped-def]
    """How far the logarithm of the amount lies above the customer's mean, in standard deviations, and half the surprise of the hour beyond one standard deviation of it. habit is (mean, variance)."""
    return (amount - habit[0]) / np.sqrt(habit[1]) + 0.5 * max(surprise_of_hour(hour) - 0.5, 0.0)


@compiled
def learn(amount, habit):  # type: ignore[no-untyped-def]
    """habit is (mean, variance, payments) in place: means at first, then the newest weighs MEMORY."""
    habit[2] += 1.0
    weight = max(1.0 / (habit[2] + BELIEF), MEMORY)
    away = amount - habit[0]
    habit[0] += weight * away
    habit[1] += weight * (away * away - habit[1])


@compiled
def first_digit(amount):  # type: ignore[no-untyped-def]
    power = np.floor(np.log10(amount))
    return min(9, max(1, int(amount / 10.0**power + 1e-12)))


@compiled
def pay(rng, means, habits, counts, sums, log, law, first_hour, steps):  # type: ignore[no-untyped-def]
    """An hour a step, in place. means (customers,) and habits (customers, 3); counts is (payments, frauds, alarms, caught, digits 1 … 9 of honest amounts); sums is (lost, of it caught).

    log (rows, 4) has logarithm of the amount, score, fraud?, time in hours. law is (payments per day, fraud share, greed, threshold, night share, invented share).
    """
    for step in range(steps):
        start = first_hour + step
        away = abs(start % 24 + 0.5 - PEAK_HOUR)
        away = min(away, 24.0 - away)
        busy = np.exp(-0.5 * (away / WIDTH_HOURS) ** 2) / (WIDTH_HOURS * np.sqrt(2.0 * np.pi))
        honest = rng.poisson(law[0] * busy)
        stolen_a_day = law[0] * law[1] / (1.0 - law[1])
        stolen = rng.poisson(stolen_a_day * (law[4] / 24.0 + (1.0 - law[4]) * busy))
        for number in range(honest + stolen):
            fraud = rng.random() * (honest + stolen - number) < stolen - (counts[1] - counts[13])
            person = rng.integers(0, means.shape[0])
            amount = means[person] + WITHIN * rng.standard_normal()
            if fraud:
                amount += law[2] * WITHIN
                if law[5] > 0.0 and rng.random() < law[5]:  # any first digit, in the same power of ten
                    power = np.floor(amount / np.log(10.0))
                    amount = np.log((1.0 + 9.0 * rng.random()) * 10.0**power)
            hour = start + (number + 0.5) / (honest + stolen)
            score = score_of(amount, hour % 24, habits[person])
            alarm = score > law[3]
            row = counts[0] % log.shape[0]
            log[row, 0], log[row, 1], log[row, 2], log[row, 3] = amount, score, 1.0 if fraud else 0.0, hour
            counts[0] += 1
            counts[2] += alarm
            if fraud:
                counts[1] += 1
                counts[3] += alarm
                sums[0] += np.exp(amount)
                if alarm:
                    sums[1] += np.exp(amount)
            else:
                counts[3 + first_digit(np.exp(amount))] += 1
            if not alarm:  # what raised an alarm is looked into first
                learn(amount, habits[person])
        counts[13] = counts[1]


@dataclass
class Stream:
    """As in `pay`; a customer's habit is begun as everybody's."""

    means: Numbers
    habits: Numbers
    log: Numbers
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(14, np.int64))
    sums: Numbers = field(default_factory=lambda: np.zeros(2))
    hour: int = 0

    @property
    def payments(self) -> Numbers:
        """(count, 4) as logged, the oldest first."""
        count = int(self.counts[0])
        return self.log[:count] if count <= len(self.log) else np.roll(self.log, -(count % len(self.log)), axis=0)


def quality(scores: Numbers, fraud: Numbers, share: float = 0.01) -> tuple[float, float]:
    """(AUC, recall@share): chance that a fraud scores above an honest payment, ties half; share of frauds among the highest `share` of all. NaN where one kind is missing."""
    wrong = np.asarray(fraud) > 0.5
    many, few = int((~wrong).sum()), int(wrong.sum())
    if not many or not few:
        return math.nan, math.nan
    _, place, times = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2)[place]
    area = (ranks[wrong].sum() - few * (few + 1) / 2) / (few * many)
    top = np.argsort(-np.asarray(scores), kind="stable")[: max(1, math.ceil(share * len(scores)))]
    return float(area), float(wrong[top].sum() / few)


def benford_misfit(digits: NDArray[np.int64]) -> float:
    """χ² with 8 degrees of freedom of counts of first digits 1 … 9 against log₁₀(1 + 1/d)."""
    expected = digits.sum() * np.log10(1 + 1 / np.arange(1, 10))
    return float(((digits - expected) ** 2 / np.maximum(expected, 1e-12)).sum())


class Fraud(Simulation):
    """Customer i pays exp(m_i + 0.8 Z), m_i normal with spread 1; thieves pay exp(m_i + 0.8(Z + greed)). Score: (log amount − learnt mean)/learnt deviation + what is odd about the hour.

    Sources: F. Benford, Proc. Am. Philos. Soc. 78 (1938) 551–572; R. J. Bolton and D. J. Hand, Statistical fraud detection: a review, Stat. Sci. 17 (2002) 235–255.
    """

    id: ClassVar[str] = "fraud"
    title: ClassVar[str] = "Payments with fraud"
    domain: ClassVar[str] = "Finance"
    about: ClassVar[str] = (
        "Customers pay as they are used to, and thieves with stolen cards pay among them. A detector learns what each customer usually spends and sounds an alarm where an amount or an hour is odd. "
        "Fraud is rare: lower the threshold and see how many honest customers are bothered for each thief that is caught."
    )
    Params: ClassVar[type[Params]] = FraudParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("payments", "Payments", "", "total"),
        Series("frauds", "Frauds", "", "total"),
        Series("alarms", "Alarms", "", "total"),
        Series("caught", "Frauds caught", "", "total"),
        Series("lost", "Lost to thieves", "", "total"),
        Series("recall", "Share of frauds caught"),
        Series("precision", "Share of alarms that are right"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Careless thieves", {"greed": 4.5, "night_share": 1.0}, "They take much, at any hour."),
        Preset("Modest thieves", {"greed": 0.5, "night_share": 0.0}, "Hardly to be told from the customers."),
        Preset("A nervous detector", {"threshold": 2.0}, "Catches four fifths, and bothers ten for one."),
        Preset("No thieves", {"fraud_share": 0.0}, "Every alarm is a false one; first digits follow Benford."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("F. Benford, The law of anomalous numbers, Proc. Am. Philos. Soc. 78 (1938) 551–572"),
        Source("R. J. Bolton and D. J. Hand, Statistical fraud detection: a review, Stat. Sci. 17 (2002) 235–255", "https://doi.org/10.1214/ss/1042727940"),
    )
    duration: ClassVar[float] = 720.0
    time_unit: ClassVar[str] = "h"
    stochastic: ClassVar[bool] = True

    def init(self, params: FraudParams, rng: np.random.Generator) -> Stream:
        means = math.log(30) + AMONG * rng.standard_normal(params.customers)
        habits = np.tile([math.log(30), AMONG**2 + WITHIN**2, 0.0], (params.customers, 1))
        rows = min(KEPT, max(4000, round(60 * params.payments_per_day / (1 - params.fraud_share))))
        return Stream(means, habits, np.zeros((rows, 4)))

    def step(self, state: Stream, params: FraudParams, rng: np.random.Generator) -> Stream:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Stream, params: FraudParams, rng: np.random.Generator, steps: int) -> Stream:
        law = np.array([params.payments_per_day, params.fraud_share, params.greed, params.threshold, params.night_share, params.invented])
        pay(rng, state.means, state.habits, state.counts, state.sums, state.log, law, state.hour, steps)
        state.hour += steps
        return state

    def observe(self, state: Stream, params: FraudParams) -> dict[str, float]:
        payments, frauds, alarms, caught = (float(count) for count in state.counts[:4])
        return {
            "payments": payments,
            "frauds": frauds,
            "alarms": alarms,
            "caught": caught,
            "lost": float(state.sums[0] - state.sums[1]),
            "recall": caught / max(frauds, 1),
            "precision": caught / max(alarms, 1),
        }

    def observed(self, sets: Sequence[Any], times: Numbers, seeds: Sequence[int]) -> Numbers:
        found = np.empty((len(sets), len(times), len(self.series)))
        for number, (params, seed) in enumerate(zip(sets, seeds, strict=True)):
            rng = chance(seed)
            state = self.init(params, rng)
            for row, target in enumerate(steps_at(self, params, times)):
                self.advance(state, params, rng, int(target) - state.hour)
                found[number, row] = list(self.observe(state, params).values())
        return found

    def pack(self, state: Stream) -> Numbers:
        """What the detector holds for the customers' habits: means and variances."""
        return state.habits[:, :2].ravel().copy()

    def unpack(self, state: Stream, vector: Numbers) -> Stream:
        habits = state.habits.copy()
        habits[:, :2] = np.asarray(vector).reshape(-1, 2)
        habits[:, 1] = np.maximum(habits[:, 1], 1e-6)
        return Stream(state.means, habits, state.log.copy(), state.counts.copy(), state.sums.copy(), state.hour)

    def render(self, state: Stream, params: FraudParams) -> Picture:
        """The newest payments by time and score, frauds in red; below, how good the detector is and how first digits of honest amounts are spread."""
        image, draw = canvas()
        newest = state.payments[-1500:]
        span = (float(newest[0, 3]) / 24, max(float(newest[-1, 3]), float(newest[0, 3]) + 1) / 24) if len(newest) else (0.0, 1.0)
        chart = Chart(draw, (40, 20, 466, 208), (*span, -4, max(9.0, params.threshold + 3))).axes("days", "score")
        wrong = newest[:, 2] > 0.5
        chart.dots(newest[~wrong, 3] / 24, newest[~wrong, 1], (70, 104, 138), 1).dots(newest[wrong, 3] / 24, newest[wrong, 1], KINDS[3], 3).across(params.threshold, KINDS[5])
        area, recall = quality(state.payments[:, 1], state.payments[:, 2])
        told = [caption("{alarms} alarms, {right} of them right", alarms=state.counts[2], right=state.counts[3]), caption("{right} of {all} frauds caught", right=state.counts[3], all=state.counts[1])]
        if math.isfinite(area):
            told += [f"AUC {area:.3f}", caption("recall among the highest 1 %: {recall:.2f}", recall=recall)]
        for row, words in enumerate(told):
            written(draw, (252, 252 + 20 * row), words, INK, 12, "lm")
        digits = state.counts[4:13]
        chart = Chart(draw, (40, 240, 226, 326), (0.4, 9.6, 0, 0.36)).axes("first digit", "", 9)
        chart.bars(np.arange(1, 10), digits / max(digits.sum(), 1), KINDS[0], 0.8).dots(np.arange(1, 10), np.log10(1 + 1 / np.arange(1, 10)), KINDS[5], 3)
        return picture_of(image)
