"""simulation.compare: two to six scenarios with the same seeds; their differences with confidence intervals by paired runs.

Source: A. M. Law, Simulation Modeling and Analysis, 5th ed. (2015), chapters 10 and 11 (paired-t intervals, common random numbers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.simulation import figures
from pipelines.simulation.experiments.base import Experiment
from pipelines.simulation.experiments.plan import ExperimentParams, Runs, measured, repeated, replicates_of, table, times_of
from pipelines.simulation.experiments.sweep import spread_of
from pipelines.simulation.params import captioned
from studio.api import Artifact, BadInput, Numbers, Params, Result, RunContext, Simulation, caption, ui

MOST, LEAST = 6, 2
USUAL = 4  # presets that are compared if nobody says
REPEATED = 50
CONFIDENCE = 0.95
NOW = "As set"
TOLD = "Each with a name and values over those that are set; none compares what is set with the model's presets."


class CompareParams(ExperimentParams):
    scenarios: list[dict[str, Any]] = Field([], max_length=MOST, title="Scenarios", description=TOLD, json_schema_extra=ui(widget="json"))
    replicates: int = Field(0, ge=0, le=10_000, title="Repetitions", description="Runs of each scenario, with the same seeds; 0 takes 50 where chance plays a part, else 1.", json_schema_extra=ui())


class Compare(Experiment):
    """The same plan and seed give the same tables, over however many processes."""

    id: ClassVar[str] = "simulation.compare"
    title: ClassVar[str] = "Comparison of scenarios"
    Params: ClassVar[type[Params]] = CompareParams
    short: ClassVar[str] = "comparison"
    counted: ClassVar[str] = "replicates"
    whole: ClassVar[bool] = True

    def planned(self, params: CompareParams, model: Simulation) -> CompareParams:
        given = params.scenarios or _usual(params, model)
        if len(given) < LEAST:
            raise BadInput("One scenario alone can't be compared.", hint="Give two to six, each with a name and its values.", field="scenarios")
        found = [_scenario(one, params.values, model) for one in given]
        if len({one["name"] for one in found}) < len(found):
            raise BadInput("Two scenarios have the same name.", hint="Give each its own.", field="scenarios")
        return params.model_copy(update={"scenarios": found, "replicates": replicates_of(params.replicates, model, REPEATED)})

    def runs(self, params: CompareParams, model: Simulation) -> int:
        return len(params.scenarios) * params.replicates

    @captioned
    def run(self, params: CompareParams, ctx: RunContext) -> Result:
        model, place, label = self.subject(params)
        params = self.settled(params, model, model.Params.parse(params.values))
        times, series = times_of(params, model), model.series[place]
        sets, seeds = repeated([one["values"] for one in params.scenarios], params.seed, params.replicates)
        outcome = Runs(model, params.own, sets, seeds, times, place).done(ctx, "Runs")
        courses = outcome.values.reshape(len(params.scenarios), params.replicates, len(times))
        numbers = np.array([[measured(course, times, params.measure, series) for course in one] for one in courses])
        found = Compared([str(one["name"]) for one in params.scenarios], times, courses, numbers, figures.named("Time", model.time_unit), figures.named(series.title, series.unit), label)
        facts = {"runs": outcome.made, "series": params.series, "measure": params.measure}
        drawn = [*figures.figure(found.over_time, self.named(model), facts=facts), *figures.figure(found.differences, f"{self.named(model)}: differences", facts=facts, size=(5.6, 1.3 + 0.45 * len(found.names)))]
        tables = [Artifact("table", found.table(), ".csv", self.named(model), facts), Artifact("table", found.whole(), ".csv", f"{self.named(model)}: courses", facts)]
        exact = ["Nothing in this model is left to chance: the differences are exact."] if params.replicates == 1 and not model.stochastic else []
        return Result([*drawn, *tables], outcome.summary() | {"notes": [*outcome.notes(), *exact]})


@dataclass(frozen=True)
class Compared:
    """`courses` (scenarios, repetitions, times) and what is measured of them (scenarios, repetitions), NaN where a run blew up; and how axes are named."""

    names: list[str]
    times: Numbers
    courses: Numbers
    numbers: Numbers
    time_label: str
    series_label: str
    label: str

    @property
    def against(self) -> list[tuple[float, float, float, int]]:
        """All but the first against the first."""
        return [paired(one, self.numbers[0]) for one in self.numbers[1:]]

    def over_time(self, axes: Any) -> None:
        """Means, and where there are several runs what 90 % of them keep within."""
        for name, course, colour in zip(self.names, self.courses, figures.COLOURS, strict=False):
            mean, _, quantiles, _ = spread_of(course.T)
            axes.plot(self.times, mean, color=colour, label=figures.short(name))
            if course.shape[0] > 1:
                axes.fill_between(self.times, quantiles[0], quantiles[4], color=colour, alpha=0.13, linewidth=0)
        axes.set_xlabel(self.time_label)
        axes.set_ylabel(self.series_label)
        figures.legend(axes, len(self.names))

    def differences(self, axes: Any) -> None:
        middle, halves = (np.array(values) for values in zip(*((mean, (high - low) / 2) for mean, low, high, _ in self.against), strict=True))
        figures.bars(axes, self.names[1:], {"": (middle, halves)})
        axes.set_title(caption("Difference to “{first}”", first=figures.short(self.names[0])), fontsize=10.5, loc="left")
        axes.set_xlabel(self.label)

    def table(self) -> bytes:
        mean, sd, _, count = spread_of(self.numbers)
        against = [(0.0, 0.0, 0.0, int(count[0])), *self.against]
        return table(["scenario", "mean", "sd", "runs", "difference", "low95", "high95", "pairs"], [[name, mean[at], sd[at], int(count[at]), *against[at]] for at, name in enumerate(self.names)])

    def whole(self) -> bytes:
        told = [spread_of(course.T) for course in self.courses]
        head = ["time", *(f"{name}: {part}" for name in self.names for part in ("mean", "q05", "q95"))]
        return table(head, [[time, *(value for mean, _, quantiles, _ in told for value in (mean[at], quantiles[0, at], quantiles[4, at]))] for at, time in enumerate(self.times)])


def _usual(params: CompareParams, model: Simulation) -> list[dict[str, Any]]:
    """What is set, and the presets that differ from it."""
    whole = [(preset.name, model.Params(**preset.values).model_dump(mode="json")) for preset in model.presets]
    others = [{"name": name, "values": values} for name, values in whole if values != params.values]
    return [{"name": NOW, "values": {}}, *others[: USUAL - 1]]


def _scenario(given: dict[str, Any], values: dict[str, Any], model: Simulation) -> dict[str, Any]:
    """With all its values. Raises BadInput."""
    name = str(given.get("name", "")).strip()[:60]
    if not name or not isinstance(given.get("values", {}), dict) or set(given) - {"name", "values"}:
        raise BadInput("A scenario is a name with values.", hint='Write it as {"name": "Later", "values": {"start": 30}}.', field="scenarios")
    try:
        params = model.Params.parse(values | given.get("values", {}))
        model.check(params)
    except BadInput as error:
        raise BadInput(f"{name}: {error.message}", hint=error.hint, field="scenarios") from error
    return {"name": name, "values": params.model_dump(mode="json")}


def paired(numbers: Numbers, first: Numbers) -> tuple[float, float, float, int]:
    """Mean difference, its confidence interval and how many pairs there are: only runs that both have."""
    both = np.isfinite(numbers) & np.isfinite(first)
    apart = numbers[both] - first[both]
    if not len(apart):
        return np.nan, np.nan, np.nan, 0
    mean = float(apart.mean())
    if len(apart) < 2:
        return mean, mean, mean, len(apart)
    from scipy.stats import t

    half = float(t.ppf(0.5 + CONFIDENCE / 2, len(apart) - 1) * apart.std(ddof=1) / np.sqrt(len(apart)))
    return mean, mean - half, mean + half, len(apart)
