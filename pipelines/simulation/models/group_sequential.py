"""Group-sequential trial: two arms compared several times before the end, with boundaries that keep chance findings at α altogether."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.charts import FAINT, QUIET, Chart, mixed, written
from pipelines.simulation.drawing import GROUND, INK, KINDS, canvas, picture_of
from pipelines.simulation.jit import compiled
from pipelines.simulation.trials import Trial
from studio.api import Numbers, Params, Picture, Preset, Series, Source, caption, ui

GOOD, BAD = KINDS[2], KINDS[3]
SHOWN = 40
POINTS = 141  # of the density between the boundaries


class GroupSequentialParams(Params):
    boundary: Literal["O'Brien-Fleming", "Pocock", "once at the end"] = Field(
        "O'Brien-Fleming", title="Boundary", description="Hard to cross at first and easy at last, always the same, or only one look at the end."
    )
    effect: float = Field(0.3, ge=-2, le=2, title="True effect", description="Difference between the arms in standard deviations: what nobody knows in a real trial.", json_schema_extra=ui(live=True, step=0.01))
    looks: int = Field(5, ge=2, le=10, title="Looks", description="How often the arms are compared, the end included.")
    pairs_per_look: int = Field(50, ge=2, le=2000, title="Pairs per look", description="Patients in each arm between two looks.", json_schema_extra=ui(unit="pairs"))
    alpha: float = Field(0.05, ge=0.001, le=0.2, title="Error α", description="Chance to find a difference, either way, where there is none.", json_schema_extra=ui(advanced=True, step=0.005))


@lru_cache(maxsize=256)
def bounds(boundary: str, looks: int, alpha: float) -> tuple[float, ...]:
    """Critical |Z| at each look, from the exact chance to cross."""
    from scipy.optimize import brentq

    return shape(boundary, looks, brentq(lambda constant: 2 * sum(crossings(shape(boundary, looks, constant), 0.0)) - alpha, 0.5, 6.0, xtol=1e-10))


def shape(boundary: str, looks: int, constant: float) -> tuple[float, ...]:
    """|Z| by look: C for Pocock, C·√(K/k) for O'Brien and Fleming; nothing before the end where there is one look."""
    if boundary == "Pocock":
        return (constant,) * looks
    if boundary == "once at the end":
        return (math.inf,) * (looks - 1) + (constant,)
    return tuple(constant * math.sqrt(looks / look) for look in range(1, looks + 1))


@lru_cache(maxsize=1024)
def crossings(critical: tuple[float, ...], drift: float) -> tuple[float, ...]:
    """Chance to cross the upper boundary at each look where the Z of a single group has mean `drift`.

    The density of the sum of groups between the boundaries is carried from look to look (Armitage, McPherson and Rowe 1969).
    """
    from scipy.special import ndtr

    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    found, points, density = [], np.zeros(1), np.ones(1)
    for look, bound in enumerate(critical, start=1):
        edge = min(bound * math.sqrt(look), abs(drift) * look + 9 * math.sqrt(look))
        beyond = bound * math.sqrt(look)
        found.append(float(density @ ndtr(points + drift - beyond)))
        after = nodes * edge
        density = (np.exp(-0.5 * (after[:, None] - points[None, :] - drift) ** 2) / math.sqrt(2 * math.pi)) @ density * weights * edge
        points = after
    return tuple(found)


@compiled
def compare(rng, counts, sums, former, effect, critical, per_look, steps):  # type: ignore[no-untyped-def]
    """One pair of patients a step, in place. counts is (pairs, ended?, trials, treatment better, control better, stopped before the end, pairs of ended trials); sums is (differences, Z).

    former (rows, 3) has how the last ones ended: look, Z, found?
    """
    looks = critical.shape[0]
    for _ in range(steps):
        if counts[1] == 1:
            counts[0] = counts[1] = 0
            sums[0] = sums[1] = 0.0
        counts[0] += 1
        sums[0] += effect + np.sqrt(2.0) * rng.standard_normal()
        sums[1] = sums[0] / np.sqrt(2.0 * counts[0])
        if counts[0] % per_look != 0:
            continue
        look = counts[0] // per_look
        crossed = abs(sums[1]) >= critical[look - 1]
        if crossed or look == looks:
            row = counts[2] % former.shape[0]
            former[row, 0], former[row, 1], former[row, 2] = look, sums[1], 1.0 if crossed else 0.0
            counts[1] = 1
            counts[2] += 1
            counts[3] += crossed and sums[1] > 0.0
            counts[4] += crossed and sums[1] < 0.0
            counts[5] += look < looks
            counts[6] += counts[0]


@dataclass
class Comparison:
    """Counts, sums, looks and former trials as in `compare`; `way` has (look, Z) since this trial began."""

    counts: NDArray[np.int64]
    sums: Numbers
    former: Numbers
    way: list[tuple[float, float]] = field(default_factory=list)


class GroupSequential(Trial):
    """Z_k = Σd/√(2n_k) of n_k pairs with standard deviation 1 in each arm; stop where |Z_k| ≥ c_k. Pocock: c_k = C_P; O'Brien and Fleming: c_k = C_B √(K/k). A step is a pair.

    Sources: S. J. Pocock, Biometrika 64 (1977) 191–199; P. C. O'Brien and T. R. Fleming, Biometrics 35 (1979) 549–556; C. Jennison and B. W. Turnbull, Group Sequential Methods (2000).
    """

    id: ClassVar[str] = "group_sequential"
    title: ClassVar[str] = "Group-sequential trial"
    domain: ClassVar[str] = "Clinical trial"
    about: ClassVar[str] = (
        "Two treatments are compared while the trial goes on, so that it can end as soon as one is clearly better. Who looks five times with the usual limit finds something by chance in one of seven trials. "
        "The boundaries ask for more at each look, so that all looks together err as rarely as one."
    )
    Params: ClassVar[type[Params]] = GroupSequentialParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("pairs", "Pairs in this trial", "pairs"),
        Series("z", "Z of this trial"),
        Series("trials", "Trials ended", "", "total"),
        Series("better", "Treatment found better", "", "total"),
        Series("worse", "Treatment found worse", "", "total"),
        Series("stopped_early", "Stopped before the end", "", "total"),
        Series("mean_pairs", "Pairs per trial", "pairs"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("It works", {}, "Nine of ten trials find it, most before the end."),
        Preset("No difference", {"effect": 0.0}, "One in twenty errs, however often it looks."),
        Preset("Pocock", {"boundary": "Pocock"}, "Ends sooner where the effect is large, and costs more where it isn't."),
        Preset("Harm", {"effect": -0.4}, "Found out early."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("S. J. Pocock, Group sequential methods in the design and analysis of clinical trials, Biometrika 64 (1977) 191–199", "https://doi.org/10.1093/biomet/64.2.191"),
        Source("P. C. O'Brien and T. R. Fleming, A multiple testing procedure for clinical trials, Biometrics 35 (1979) 549–556", "https://doi.org/10.2307/2530245"),
        Source("C. Jennison and B. W. Turnbull, Group Sequential Methods with Applications to Clinical Trials, Chapman & Hall/CRC 2000"),
    )
    duration: ClassVar[float] = 2500.0
    time_unit: ClassVar[str] = "pairs"
    stochastic: ClassVar[bool] = True

    def init(self, params: GroupSequentialParams, rng: np.random.Generator) -> Comparison:
        return Comparison(np.zeros(7, np.int64), np.zeros(2), np.zeros((SHOWN, 3)), [(0.0, 0.0)])

    def step(self, state: Comparison, params: GroupSequentialParams, rng: np.random.Generator) -> Comparison:
        run(rng, state, params, 1)
        if state.counts[0] == 1:
            state.way = [(0.0, 0.0)]
        state.way.append((state.counts[0] / params.pairs_per_look, float(state.sums[1])))
        return state

    def observe(self, state: Comparison, params: GroupSequentialParams) -> dict[str, float]:
        pairs, _, trials, better, worse, early, all_pairs = (float(count) for count in state.counts)
        return {"pairs": pairs, "z": float(state.sums[1]), "trials": trials, "better": better, "worse": worse, "stopped_early": early, "mean_pairs": all_pairs / max(trials, 1)}

    def leap(self, state: Any, params: Any, rng: np.random.Generator, steps: int) -> None:
        run(rng, state, params, steps)

    def pack(self, state: Comparison) -> Numbers:
        return state.sums[:1].copy()

    def unpack(self, state: Comparison, vector: Numbers) -> Comparison:
        total, pairs = float(vector[0]), max(int(state.counts[0]), 1)
        return Comparison(state.counts.copy(), np.array([total, total / math.sqrt(2 * pairs)]), state.former.copy(), list(state.way))

    def power(self, params: GroupSequentialParams) -> float:
        """Chance to find a difference, either way: α where there is none."""
        return sum(self._stops(params))

    def expected_pairs(self, params: GroupSequentialParams) -> float:
        stops = self._stops(params)
        looks = sum(look * stop for look, stop in enumerate(stops, start=1)) + params.looks * (1 - sum(stops))
        return looks * params.pairs_per_look

    def _stops(self, params: GroupSequentialParams) -> list[float]:
        critical, drift = bounds(params.boundary, params.looks, params.alpha), params.effect * math.sqrt(params.pairs_per_look / 2)
        return [better + worse for better, worse in zip(crossings(critical, drift), crossings(critical, -drift), strict=True)]

    def render(self, state: Comparison, params: GroupSequentialParams) -> Picture:
        """Z of the trial in progress between its boundaries; where former ones ended; how often so far, and as computed."""
        image, draw = canvas()
        critical = np.array(bounds(params.boundary, params.looks, params.alpha))
        looks = np.arange(1, params.looks + 1)
        chart = Chart(draw, (40, 28, 466, 268), (0, params.looks + 0.3, -6, 6)).axes("looks", "Z", params.looks + 1)
        for sign in (1, -1):
            seen = np.isfinite(critical)
            chart.line(looks[seen], sign * critical[seen], QUIET, 1).dots(looks[seen], sign * critical[seen], GOOD if sign > 0 else BAD, 4)
        chart.line([0, params.looks], [0, 0], FAINT, 1)
        shift = np.random.default_rng(3).uniform(-0.12, 0.12, SHOWN)
        for number in range(min(int(state.counts[2]), SHOWN)):
            look, z, different = state.former[number]
            colour = (GOOD if z > 0 else BAD) if different else KINDS[7]
            chart.dots([look + shift[number]], [z], mixed(colour, GROUND, 0.55), 2.5)
        way = np.array(state.way)
        chart.line(way[:, 0], way[:, 1], INK, 1).dots(way[-1:, 0], way[-1:, 1], INK, 4)
        trials = max(int(state.counts[2]), 1)
        found = caption("difference found: {seen:.1%} of {trials} trials, computed {computed:.1%}", seen=(state.counts[3] + state.counts[4]) / trials, trials=state.counts[2], computed=self.power(params))
        pairs = caption("pairs of patients: {seen:.1f}, computed {computed:.1f}, at most {most}", seen=state.counts[6] / trials, computed=self.expected_pairs(params), most=params.looks * params.pairs_per_look)
        written(draw, (40, 312), found, INK, 12, "lm")
        written(draw, (40, 334), pairs, INK, 12, "lm")
        return picture_of(image)


def run(rng: np.random.Generator, state: Comparison, params: GroupSequentialParams, steps: int) -> None:
    critical = np.array(bounds(params.boundary, params.looks, params.alpha))
    compare(rng, state.counts, state.sums, state.former, params.effect, critical, params.pairs_per_look, steps)
