"""Simon's two-stage trial: few patients first, and more only if enough of them responded."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.charts import FAINT, Chart, mixed, written
from pipelines.simulation.drawing import GROUND, INK, KINDS, canvas, picture_of
from pipelines.simulation.jit import compiled
from pipelines.simulation.trials import Trial
from studio.api import BadInput, Numbers, Params, Picture, Preset, Series, Source, caption, ui

GOOD, BAD = KINDS[2], KINDS[3]
SHOWN = 40  # former trials in the picture


@dataclass(frozen=True)
class TwoStage:
    """Stop after `first` patients with at most `few` responses; of `all`, more than `enough` make it promising."""

    few: int
    first: int
    enough: int
    all: int

    def early(self, response: float) -> float:
        """Chance to stop after the first stage (PET)."""
        return float(binomial(self.first, response)[: self.few + 1].sum())

    def expected(self, response: float) -> float:
        """Mean number of patients (EN)."""
        return self.first + (1 - self.early(response)) * (self.all - self.first)

    def promising(self, response: float) -> float:
        """Chance that the treatment is found promising: α where it is useless, power where it works."""
        first, second = binomial(self.first, response), binomial(self.all - self.first, response)
        return float(sum(first[x] * second[max(0, self.enough + 1 - x) :].sum() for x in range(self.few + 1, self.first + 1)))


DESIGNS = {
    "10 % or 30 %, optimal": TwoStage(1, 10, 5, 29),
    "10 % or 30 %, minimax": TwoStage(1, 15, 5, 25),
    "20 % or 40 %, optimal": TwoStage(3, 13, 12, 43),
    "20 % or 40 %, minimax": TwoStage(4, 18, 10, 33),
}


class SimonParams(Params):
    design: Literal["10 % or 30 %, optimal", "10 % or 30 %, minimax", "20 % or 40 %, optimal", "20 % or 40 %, minimax", "own"] = Field(
        "10 % or 30 %, optimal", title="Design", description="Uninteresting and hoped-for response rate; optimal has the fewest patients on average, minimax at most. Own: the numbers under Advanced."
    )
    response: float = Field(0.1, ge=0, le=1, title="True response rate", description="Chance that a patient responds to the treatment: what nobody knows in a real trial.", json_schema_extra=ui(live=True, step=0.01))
    few: int = Field(1, ge=0, le=199, title="Too few in stage 1", description="Own design: with at most that many responses it ends after stage 1.", json_schema_extra=ui(advanced=True))
    first: int = Field(10, ge=1, le=200, title="Patients in stage 1", description="Own design.", json_schema_extra=ui(unit="people", advanced=True))
    enough: int = Field(5, ge=0, le=399, title="Too few in all", description="Own design: more responses than that make it promising.", json_schema_extra=ui(advanced=True))
    all: int = Field(29, ge=2, le=400, title="Patients in all", description="Own design: both stages together.", json_schema_extra=ui(unit="people", advanced=True))


def binomial(count: int, chance_of_each: float) -> Numbers:
    """(count + 1,) chances of 0 … count successes."""
    return np.array([math.comb(count, k) * chance_of_each**k * (1 - chance_of_each) ** (count - k) for k in range(count + 1)])


@compiled
def treat(rng, counts, former, response, few, first, enough, everyone, steps):  # type: ignore[no-untyped-def]
    """One patient a step, in place. counts is (patients and responses of this trial, ended?, trials, promising, stopped early, patients of ended trials); `former` (rows, 2) has how the last trials ended."""
    for _ in range(steps):
        if counts[2] == 1:  # the next trial begins
            counts[0] = counts[1] = counts[2] = 0
        counts[0] += 1
        if rng.random() < response:
            counts[1] += 1
        early = counts[0] == first and counts[1] <= few
        if early or counts[0] == everyone:
            former[counts[3] % former.shape[0], 0] = counts[0]
            former[counts[3] % former.shape[0], 1] = counts[1]
            counts[2] = 1
            counts[3] += 1
            counts[4] += not early and counts[1] > enough
            counts[5] += early
            counts[6] += counts[0]


@dataclass
class Trials:
    """Counts and former trials as in `treat`, and the way of this one: responses after each patient."""

    counts: NDArray[np.int64]
    former: NDArray[np.int64]
    way: list[tuple[int, int]] = field(default_factory=list)


class Simon(Trial):
    """Of n₁ patients at most r₁ respond: stop; of n altogether more than r: promising. PET = B(r₁; n₁, p), EN = n₁ + (1 − PET)(n − n₁). A step is a patient; trial follows trial.

    Source: R. Simon, Optimal two-stage designs for phase II clinical trials, Control. Clin. Trials 10 (1989) 1–10.
    """

    id: ClassVar[str] = "simon"
    title: ClassVar[str] = "Two-stage trial"
    domain: ClassVar[str] = "Clinical trial"
    about: ClassVar[str] = (
        "Does a new treatment deserve a large trial? A few patients try it first; only if enough respond are more treated, so that few suffer from a useless one. "
        "Trial follows trial here, and the shares that end early or well come to what was computed before the first patient."
    )
    Params: ClassVar[type[Params]] = SimonParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("enrolled", "Patients in this trial", "people"),
        Series("responses", "Responses in this trial", "people"),
        Series("trials", "Trials ended", "", "total"),
        Series("promising", "Found promising", "", "total"),
        Series("stopped_early", "Stopped after stage 1", "", "total"),
        Series("mean_patients", "Patients per trial", "people"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("A useless treatment", {}, "74 of 100 trials end after ten patients."),
        Preset("One that works", {"response": 0.3}, "80 of 100 trials find it."),
        Preset("Fewest at most", {"design": "10 % or 30 %, minimax"}, "Never more than 25 patients, but more on average."),
        Preset("Higher hopes", {"design": "20 % or 40 %, optimal", "response": 0.4}, "For a treatment that has to beat one in five."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("R. Simon, Optimal two-stage designs for phase II clinical trials, Control. Clin. Trials 10 (1989) 1–10", "https://doi.org/10.1016/0197-2456(89)90015-9"),
    )
    duration: ClassVar[float] = 600.0
    time_unit: ClassVar[str] = "patients"
    stochastic: ClassVar[bool] = True

    def check(self, params: SimonParams) -> None:
        own = design_of(params)
        if own.first >= own.all:
            raise BadInput("The second stage has no patients.", hint="Let there be more patients in all than in stage 1.", field="all")
        if own.few > own.first:
            raise BadInput("Stage 1 can't have so many responses: every trial would end there.", hint="Let it be below the number of patients in stage 1.", field="few")
        if not own.few <= own.enough < own.all:
            raise BadInput("What is too few in all lies between what is too few in stage 1 and the number of patients.", hint="Take a number between these two.", field="enough")

    def init(self, params: SimonParams, rng: np.random.Generator) -> Trials:
        return Trials(np.zeros(7, np.int64), np.zeros((SHOWN, 2), np.int64), [(0, 0)])

    def step(self, state: Trials, params: SimonParams, rng: np.random.Generator) -> Trials:
        run(rng, state, params, 1)
        enrolled = int(state.counts[0])
        if enrolled == 1:
            state.way = [(0, 0)]
        state.way.append((enrolled, int(state.counts[1])))
        return state

    def observe(self, state: Trials, params: SimonParams) -> dict[str, float]:
        enrolled, responses, _, trials, promising, early, patients = (float(count) for count in state.counts)
        return {"enrolled": enrolled, "responses": responses, "trials": trials, "promising": promising, "stopped_early": early, "mean_patients": patients / max(trials, 1)}

    def leap(self, state: Any, params: Any, rng: np.random.Generator, steps: int) -> None:
        run(rng, state, params, steps)

    def pack(self, state: Trials) -> Numbers:
        return state.counts[:2].astype(np.float64)

    def unpack(self, state: Trials, vector: Numbers) -> Trials:
        """The patients of this trial stay; how many responded is corrected."""
        counts = state.counts.copy()
        counts[1] = round(float(np.clip(vector[1], 0, counts[0])))
        return Trials(counts, state.former.copy(), list(state.way))

    def render(self, state: Trials, params: SimonParams) -> Picture:
        """Responses against patients, with both boundaries; where former trials ended; how often so far, and as computed."""
        image, draw = canvas()
        own = design_of(params)
        high = min(own.all, max(own.enough + 4, round(own.all * max(params.response, 0.1) * 1.7)))
        chart = Chart(draw, (40, 28, 466, 264), (0, own.all + 0.5, -0.4, high)).axes("patients", "responses")
        chart.line([own.first, own.first], [-0.4, own.few + 0.4], BAD, 5).line([own.all, own.all], [-0.4, own.enough + 0.4], BAD, 5).line([own.all, own.all], [own.enough + 0.6, high], GOOD, 5)
        chart.line([0, own.all], [0, own.all * params.response], FAINT, 1)
        shift = np.random.default_rng(3).uniform(-0.28, 0.28, (SHOWN, 2))
        for number in range(min(int(state.counts[3]), SHOWN)):
            patients, responses = state.former[number]
            well = patients == own.all and responses > own.enough
            chart.dots([patients + shift[number, 0]], [responses + shift[number, 1]], mixed(GOOD if well else BAD, GROUND, 0.6), 2.5)
        way = np.array(state.way)
        chart.stairs(way[:, 0], way[:, 1], INK, 2).dots(way[-1:, 0], way[-1:, 1], INK, 4)
        trials = max(int(state.counts[3]), 1)
        rows = (
            caption("stopped early: {seen:.1%} of {trials} trials, computed {computed:.1%}", seen=state.counts[5] / trials, trials=state.counts[3], computed=own.early(params.response)),
            caption("promising: {seen:.1%}, computed {computed:.1%}", seen=state.counts[4] / trials, computed=own.promising(params.response)),
            caption("patients per trial: {seen:.1f}, computed {computed:.1f}", seen=state.counts[6] / trials, computed=own.expected(params.response)),
        )
        for row, words in enumerate(rows):
            written(draw, (40, 304 + 19 * row), words, INK, 12, "lm")
        return picture_of(image)


def design_of(params: SimonParams) -> TwoStage:
    return DESIGNS[params.design] if params.design in DESIGNS else TwoStage(params.few, params.first, params.enough, params.all)


def run(rng: np.random.Generator, state: Trials, params: SimonParams, steps: int) -> None:
    own = design_of(params)
    treat(rng, state.counts, state.former, params.response, own.few, own.first, own.enough, own.all, steps)
