"""simulation.replicate: the same again and again: bands of 50 and 90 %, the mean, and some runs as examples."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.simulation import figures
from pipelines.simulation.experiments.base import Experiment
from pipelines.simulation.experiments.plan import QUANTILES, ExperimentParams, Runs, bounds, measured, numbers_of, table, times_of
from pipelines.simulation.experiments.sweep import spread_of
from pipelines.simulation.params import captioned
from studio.api import Artifact, BadInput, Fix, Numbers, Params, Result, RunContext, Simulation, chance, seeds_of, ui


class ReplicateParams(ExperimentParams):
    replicates: int = Field(100, ge=2, le=10_000, title="Repetitions", description="Runs, each with its own seed.", json_schema_extra=ui())
    uncertainty: float = Field(0.0, ge=0, le=100, title="Uncertainty of the values", description="By how much all numbers vary evenly to either side, within their limits.", json_schema_extra=ui(unit="%"))
    varied: list[str] = Field([], max_length=100, title="Uncertain parameters", description="Their names; none takes all that are no whole numbers.", json_schema_extra=ui(advanced=True))
    examples: int = Field(3, ge=0, le=20, title="Examples", description="Runs that are drawn and kept beside the bands.", json_schema_extra=ui(advanced=True))


class Replicate(Experiment):
    """The same plan and seed give the same tables, over however many processes."""

    id: ClassVar[str] = "simulation.replicate"
    title: ClassVar[str] = "Repetitions of a simulation"
    Params: ClassVar[type[Params]] = ReplicateParams
    short: ClassVar[str] = "repetitions"
    counted: ClassVar[str] = "replicates"
    whole: ClassVar[bool] = True

    def planned(self, params: ReplicateParams, model: Simulation) -> ReplicateParams:
        there = numbers_of(model)
        if not model.stochastic and not params.uncertainty:
            raise BadInput("Nothing in this model is left to chance: every run would be the same.", hint="Let its values be uncertain.", field="uncertainty", fix=Fix.use("uncertainty", 5.0, "5 %"))
        if unknown := next((name for name in params.varied if name not in there), ""):
            raise BadInput(f"“{model.title}” has no number “{unknown}”.", hint=f"Use one of: {', '.join(there)}.", field="varied")
        return params

    def runs(self, params: ReplicateParams, model: Simulation) -> int:
        return params.replicates

    def sets(self, params: ReplicateParams, model: Simulation) -> list[dict[str, Any]]:
        """One for each run."""
        if not params.uncertainty:
            return [params.values] * params.replicates
        fields = numbers_of(model)
        names = params.varied or [name for name, field in fields.items() if field.annotation is float]
        rng, found = chance(params.seed), []
        for _ in range(params.replicates):
            values = dict(params.values)
            for name, share in zip(names, rng.uniform(-1, 1, len(names)) * params.uncertainty / 100, strict=True):
                low, high = bounds(fields[name])
                value = min(max(float(params.values[name]) * (1 + share), low), high)
                values[name] = round(value) if fields[name].annotation is int else value
            found.append(values)
        return found

    @captioned
    def run(self, params: ReplicateParams, ctx: RunContext) -> Result:
        model, series, label = self.subject(params)
        times, sets, seeds = times_of(params, model), self.sets(params, model), seeds_of(params.seed, params.replicates)
        outcome = Runs(model, params.own, sets, seeds, times, series).done(ctx, "Runs")
        mean, _, quantiles, count = spread_of(outcome.values.T)
        examples = outcome.values[np.isfinite(outcome.values).all(axis=1)][: params.examples]

        def draw(axes: Any) -> None:
            axes.plot(times, examples.T, color=figures.INK, alpha=0.55, linewidth=0.8)
            figures.bands(axes, times, quantiles, mean=mean)
            axes.set_xlabel(figures.named("Time", model.time_unit))
            axes.set_ylabel(label)

        facts = {"runs": outcome.made, "series": params.series, "measure": params.measure}
        numbers = [measured(course, times, params.measure, model.series[series]) for course in outcome.values]
        varied = [name for name in sets[0] if any(one[name] != params.values[name] for one in sets)]
        each = table(["run", "seed", *varied, "value"], [[at + 1, seeds[at], *(sets[at][name] for name in varied), numbers[at]] for at in range(len(sets))])
        csv = Artifact("table", _table(times, mean, quantiles, count, examples), ".csv", self.named(model), facts)
        return Result([*figures.figure(draw, self.named(model), facts=facts), csv, Artifact("table", each, ".csv", f"{self.named(model)}: runs", facts)], outcome.summary())


def _table(times: Numbers, mean: Numbers, quantiles: Numbers, count: Numbers, examples: Numbers) -> bytes:
    head = ["time", "mean", *(f"q{round(100 * q):02}" for q in QUANTILES), "runs", *(f"run {number + 1}" for number in range(len(examples)))]
    return table(head, [[times[at], mean[at], *quantiles[:, at], int(count[at]), *examples[:, at]] for at in range(len(times))])
