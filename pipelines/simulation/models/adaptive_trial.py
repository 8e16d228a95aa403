"""Bayesian adaptive trial: what was learnt from patients so far decides how likely the next one gets the better treatment, and when to stop."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.charts import Chart, mixed, written
from pipelines.simulation.drawing import GROUND, INK, KINDS, canvas, picture_of
from pipelines.simulation.jit import compiled
from pipelines.simulation.trials import Trial
from studio.api import Numbers, Params, Picture, Preset, Series, Source, caption, ui

TREATED, CONTROL = KINDS[2], KINDS[0]


class AdaptiveTrialParams(Params):
    control: float = Field(0.3, ge=0, le=1, title="Response to control", description="True chance that a patient of the control arm responds.", json_schema_extra=ui(live=True, step=0.01))
    treatment: float = Field(0.5, ge=0, le=1, title="Response to treatment", description="True chance that a patient of the treatment arm responds.", json_schema_extra=ui(live=True, step=0.01))
    allocation: Literal["adaptive", "equal"] = Field("adaptive", title="Allocation", description="By the chance that an arm is the better one, or always half and half.")
    patients: int = Field(200, ge=4, le=2000, title="Patients at most", description="Both arms together.", json_schema_extra=ui(unit="people"))
    certainty: float = Field(
        0.99, ge=0.5, le=1, title="Stop when sure", description="The trial ends when one arm is the better one with this probability; 1 never ends it early.", json_schema_extra=ui(advanced=True, step=0.005)
    )
    burn_in: int = Field(20, ge=2, le=1000, title="Equal at first", description="That many patients are allocated half and half, and none ends the trial.", json_schema_extra=ui(unit="people", advanced=True))
    prior_successes: int = Field(1, ge=1, le=100, title="Prior successes", description="What was believed before, as patients who responded in each arm: a of Beta(a, b).", json_schema_extra=ui(advanced=True))
    prior_failures: int = Field(1, ge=1, le=100, title="Prior failures", description="What was believed before, as patients who did not respond in each arm: b of Beta(a, b).", json_schema_extra=ui(advanced=True))


@compiled
def log_beta(a, b):  # type: ignore[no-untyped-def]
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


@compiled
def chance_better(a, b, c, d):  # type: ignore[no-untyped-def]
    """P(x > y) for x ~ Beta(a, b), y ~ Beta(c, d), whole numbers: the exact sum of Σ B(c + i, d + b)/((b + i) B(1 + i, b) B(c, d)) over i < a, with x and y in their places."""
    total = 0.0
    for i in range(a):
        total += math.exp(log_beta(c + i, d + b) - math.log(b + i) - log_beta(1 + i, b) - log_beta(c, d))
    return min(max(total, 0.0), 1.0)


@compiled
def allot(rng, counts, chances, law, adaptive, most, burn_in, prior_a, prior_b, steps):  # type: ignore[no-untyped-def]
    """One patient a step, in place. counts is (treatment: responses, failures; control: responses, failures; ended?, trials, treatment won, control won, patients of ended trials, of them on treatment).

    chances is (P(treatment better), share allotted to it); law is (control, treatment, certainty).
    """
    for _ in range(steps):
        if counts[4] == 1:
            counts[:5] = 0
            chances[0] = chances[1] = 0.5
        seen = counts[0] + counts[1] + counts[2] + counts[3]
        chances[1] = 0.5
        if adaptive and seen >= burn_in:
            power = seen / (2.0 * most)
            up = chances[0] ** power
            chances[1] = up / (up + (1.0 - chances[0]) ** power)
        treated = rng.random() < chances[1]
        responds = rng.random() < (law[1] if treated else law[0])
        counts[(0 if treated else 2) + (0 if responds else 1)] += 1
        seen += 1
        chances[0] = chance_better(prior_a + counts[0], prior_b + counts[1], prior_a + counts[2], prior_b + counts[3])
        sure = seen >= burn_in and law[2] < 1.0
        won, lost = sure and chances[0] >= law[2], sure and 1.0 - chances[0] >= law[2]
        if won or lost or seen >= most:
            counts[4] = 1
            counts[5] += 1
            counts[6] += won
            counts[7] += lost
            counts[8] += seen
            counts[9] += counts[0] + counts[1]


@dataclass
class Arms:
    """Counts and chances as in `allot`; the way has (patients, P(treatment better), share allotted to it) in this trial."""

    counts: NDArray[np.int64]
    chances: Numbers
    way: list[tuple[float, float, float]] = field(default_factory=list)


class AdaptiveTrial(Trial):
    """Each arm's response rate is Beta(a + responses, b + failures). With π = P(treatment better), the next patient gets it with chance π^c/(π^c + (1 − π)^c), c = n/(2N). A step is a patient.

    Sources: P. F. Thall and R. Simon, Biometrics 50 (1994) 337–349; P. F. Thall and J. K. Wathen, Eur. J. Cancer 43 (2007) 859–866.
    """

    id: ClassVar[str] = "adaptive_trial"
    title: ClassVar[str] = "Bayesian adaptive trial"
    domain: ClassVar[str] = "Clinical trial"
    about: ClassVar[str] = (
        "Each response makes one arm a little more believable, and the next patients are more likely to get it. More of them are helped while the trial runs, and it ends as soon as it is sure enough. "
        "The price: unequal arms take a few more patients to tell apart."
    )
    Params: ClassVar[type[Params]] = AdaptiveTrialParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("enrolled", "Patients in this trial", "people"),
        Series("probability", "Probability that the treatment is better"),
        Series("share", "Share on treatment in this trial"),
        Series("trials", "Trials ended", "", "total"),
        Series("treatment_won", "Treatment found better", "", "total"),
        Series("control_won", "Control found better", "", "total"),
        Series("mean_patients", "Patients per trial", "people"),
        Series("mean_share", "Share on treatment in all trials"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("It works", {}, "Most patients end up with the better treatment."),
        Preset("Half and half", {"allocation": "equal"}, "The same, as trials usually are."),
        Preset("No difference", {"treatment": 0.3}, "How often is it fooled?"),
        Preset("Doubters", {"prior_successes": 15, "prior_failures": 35}, "As if fifty patients of each arm had been seen before."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("P. F. Thall and R. Simon, Practical Bayesian guidelines for phase IIB clinical trials, Biometrics 50 (1994) 337–349", "https://doi.org/10.2307/2533377"),
        Source("P. F. Thall and J. K. Wathen, Practical Bayesian adaptive randomisation in clinical trials, Eur. J. Cancer 43 (2007) 859–866", "https://doi.org/10.1016/j.ejca.2007.01.006"),
    )
    duration: ClassVar[float] = 600.0
    time_unit: ClassVar[str] = "patients"
    stochastic: ClassVar[bool] = True

    def init(self, params: AdaptiveTrialParams, rng: np.random.Generator) -> Arms:
        return Arms(np.zeros(10, np.int64), np.full(2, 0.5), [(0.0, 0.5, 0.5)])

    def step(self, state: Arms, params: AdaptiveTrialParams, rng: np.random.Generator) -> Arms:
        run(rng, state, params, 1)
        seen = int(state.counts[:4].sum())
        if seen == 1:
            state.way = [(0.0, 0.5, 0.5)]
        state.way.append((seen, float(state.chances[0]), float(state.chances[1])))
        return state

    def observe(self, state: Arms, params: AdaptiveTrialParams) -> dict[str, float]:
        seen, on_treatment = int(state.counts[:4].sum()), int(state.counts[:2].sum())
        trials, won, lost, patients, treated = (float(count) for count in state.counts[5:])
        return {
            "enrolled": seen,
            "probability": float(state.chances[0]),
            "share": on_treatment / max(seen, 1),
            "trials": trials,
            "treatment_won": won,
            "control_won": lost,
            "mean_patients": patients / max(trials, 1),
            "mean_share": treated / max(patients, 1),
        }

    def leap(self, state: Any, params: Any, rng: np.random.Generator, steps: int) -> None:
        run(rng, state, params, steps)

    def pack(self, state: Arms) -> Numbers:
        return state.counts[:4].astype(np.float64)

    def unpack(self, state: Arms, vector: Numbers) -> Arms:
        """Whole patients again, as many in each arm as there were."""
        counts = state.counts.copy()
        for arm in (0, 2):
            patients = counts[arm] + counts[arm + 1]
            counts[arm] = round(float(np.clip(vector[arm], 0, patients)))
            counts[arm + 1] = patients - counts[arm]
        return Arms(counts, state.chances.copy(), list(state.way))

    def render(self, state: Arms, params: AdaptiveTrialParams) -> Picture:
        """What is believed of both arms' response rates, with the true ones; below, how sure it is and how many get the treatment."""
        image, draw = canvas()
        rates = np.linspace(0.001, 0.999, 300)
        beliefs = [(*posterior(params, int(state.counts[arm]), int(state.counts[arm + 1])), colour, truth) for arm, colour, truth in ((2, CONTROL, params.control), (0, TREATED, params.treatment))]
        curves = [np.exp((a - 1) * np.log(rates) + (b - 1) * np.log(1 - rates) - log_beta(float(a), float(b))) for a, b, _, _ in beliefs]
        chart = Chart(draw, (40, 44, 466, 168), (0, 1, 0, max(float(np.max(curves)) * 1.05, 2))).axes("response rate")
        for curve, (_, _, colour, truth) in zip(curves, beliefs, strict=True):
            chart.area(rates, 0 * rates, curve, mixed(colour, GROUND, 0.35)).line([truth, truth], [0, chart.box[3]], mixed(colour, GROUND, 0.7), 1)
        for curve, (_, _, colour, _) in zip(curves, beliefs, strict=True):
            chart.line(rates, curve, colour, 2)
        at = 40.0
        for name, colour, arm in ((caption("control"), CONTROL, 2), (caption("treatment"), TREATED, 0)):
            patients = int(state.counts[arm] + state.counts[arm + 1])
            words = caption("{arm}: {n} of {patients} respond", arm=name, n=state.counts[arm], patients=patients)
            draw.ellipse((at, 12, at + 8, 20), fill=colour)
            written(draw, (at + 13, 16), words, INK, 12, "lm")
            at += 214
        way = np.array(state.way)
        chart = Chart(draw, (40, 222, 466, 318), (0, params.patients, 0, 1)).axes("patients", "probability that the treatment is better, share that gets it (dim)")
        chart.line(way[:, 0], way[:, 2], mixed(TREATED, GROUND, 0.5), 1).line(way[:, 0], way[:, 1], INK, 2).dots(way[-1:, 0], way[-1:, 1], INK, 4)
        for level in (params.certainty, 1 - params.certainty):
            chart.across(level)
        won = state.counts[6] / max(int(state.counts[5]), 1)
        written(draw, (40, 346), caption("{trials} trials before, {won:.0%} found the treatment better", trials=state.counts[5], won=won), anchor="lm")
        return picture_of(image)


def posterior(params: AdaptiveTrialParams, responses: int, failures: int) -> tuple[int, int]:
    """(a, b) of the Beta distribution after these patients."""
    return params.prior_successes + responses, params.prior_failures + failures


def run(rng: np.random.Generator, state: Arms, params: AdaptiveTrialParams, steps: int) -> None:
    law = np.array([params.control, params.treatment, params.certainty])
    allot(rng, state.counts, state.chances, law, params.allocation == "adaptive", params.patients, params.burn_in, params.prior_successes, params.prior_failures, steps)
