"""simulation.sobol: how much each parameter, alone and with others, makes of the variance of what is measured, by SALib.

Source: I. M. Sobol', Math. Comput. Simul. 55 (2001) 271-280; A. Saltelli et al., Comput. Phys. Commun. 181 (2010) 259-270.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from pipelines.simulation import figures
from pipelines.simulation.experiments.base import Experiment, some_fit
from pipelines.simulation.experiments.plan import ExperimentParams, Runs, bounds, fitting, numbers_of, repeated, replicates_of, table, times_of, usual_range
from pipelines.simulation.experiments.sweep import spread_of
from pipelines.simulation.params import captioned
from studio.api import Artifact, BadInput, Numbers, Params, Result, RunContext, Simulation, caption, chance, ui

USUAL = 4  # parameters, if nobody says which
REPEATED = 5
LEAST_BLOCKS = 16
TRIED = 256  # places of the box before it is said that nowhere values go together
DRAWN = 8  # times the base samples, at most, where some are left out because their values don't go together
Samples = Literal[32, 64, 128, 256, 512, 1024, 2048, 4096, 8192]


class SobolParams(ExperimentParams):
    names: list[str] = Field([], max_length=30, title="Parameters", description="Names of those that are varied; none takes the first four.", json_schema_extra=ui())
    ranges: dict[str, list[float]] = Field({}, title="Ranges", description="Lowest and highest value by name; what is left out goes from half to one and a half times its value.", json_schema_extra=ui(widget="json"))
    samples: Samples = Field(256, title="Base samples", description="A power of two. Each takes one run for every parameter and two more; twice that with pairs.", json_schema_extra=ui())
    pairs: bool = Field(True, title="Pairs as well", description="How much two parameters make together beyond what each makes alone.", json_schema_extra=ui(advanced=True))
    replicates: int = Field(0, ge=0, le=1000, title="Repetitions", description="Runs of each sample, whose mean is taken; 0 takes 5 where chance plays a part, else 1.", json_schema_extra=ui(advanced=True))


@dataclass(frozen=True)
class Indices:
    """Of each parameter (parameters,) and pair (parameters, parameters); `_conf` are half widths of 95 % intervals by bootstrap."""

    first: Numbers
    first_conf: Numbers
    total: Numbers
    total_conf: Numbers
    second: Numbers
    second_conf: Numbers
    blocks: int


class Sobol(Experiment):
    """The same plan and seed give the same table, over however many processes."""

    id: ClassVar[str] = "simulation.sobol"
    title: ClassVar[str] = "Sensitivity of a simulation"
    Params: ClassVar[type[Params]] = SobolParams
    short: ClassVar[str] = "sensitivity"
    counted: ClassVar[str] = "samples"

    def planned(self, params: SobolParams, model: Simulation) -> SobolParams:
        there = numbers_of(model)
        names = params.names or [name for name in there if usual_range(model, name, params.values)[0] < usual_range(model, name, params.values)[1]][:USUAL]
        if len(names) < 2:
            raise BadInput("Sensitivity compares two parameters at least.", hint="Name more of them.", field="names")
        for name in (*names, *params.ranges):
            if name not in there:
                raise BadInput(f"“{model.title}” has no number “{name}”.", hint=f"Use one of: {', '.join(there)}.", field="names" if name in names else "ranges")
        if len(set(names)) < len(names):
            raise BadInput("A parameter is named twice.", hint="Name each once.", field="names")
        ranges = {name: _range(params, name, model) for name in names}
        return params.model_copy(update={"names": names, "ranges": ranges, "replicates": replicates_of(params.replicates, model, REPEATED)})

    def check(self, params: Any, model: Simulation, values: Any) -> None:
        """Somewhere in the box values must go together."""
        super().check(params, model, values)
        low, high = np.array([params.ranges[name] for name in params.names]).T
        some_fit(model, (self.values(params, model, point) for point in chance(0).uniform(low, high, (TRIED, len(low)))))

    def values(self, params: SobolParams, model: Simulation, point: Numbers) -> dict[str, Any]:
        """The model's, at a place (parameters,) of the box."""
        fields = numbers_of(model)
        return params.values | {name: round(value) if fields[name].annotation is int else float(value) for name, value in zip(params.names, point, strict=True)}

    def fitted(self, params: SobolParams, model: Simulation, ctx: RunContext) -> tuple[list[dict[str, Any]], int]:
        """(sets of the first base samples that are whole, how many before the last of them are not). A block of which some values don't go together is left out whole, and one more is drawn."""
        for often in (1, 2, 4, DRAWN):
            points = sampled(params.names, params.ranges, often * params.samples, params.pairs, params.seed)
            blocks: list[list[dict[str, Any]]] = []
            left = 0
            for block_of in points.reshape(-1, block(params.names, params.pairs), len(params.names)):
                ctx.check()
                sets = [self.values(params, model, point) for point in block_of]
                if all(fits(model, values) for values in sets):
                    blocks.append(sets)
                else:
                    left += 1
                if len(blocks) == params.samples:
                    return [values for sets in blocks for values in sets], left
        if len(blocks) < LEAST_BLOCKS:
            raise BadInput(f"In only {len(blocks)} of {often * params.samples:,} samples do the values go together; that is too few to tell anything.", hint="Narrow the ranges, or leave a parameter out.", field="ranges")
        return [values for sets in blocks for values in sets], left

    def runs(self, params: SobolParams, model: Simulation) -> int:
        return params.samples * block(params.names, params.pairs) * params.replicates

    @captioned
    def run(self, params: SobolParams, ctx: RunContext) -> Result:
        model, series, _ = self.subject(params)
        params = self.settled(params, model, model.Params.parse(params.values))
        fields = numbers_of(model)
        fitted, left = self.fitted(params, model, ctx)
        sets, seeds = repeated(fitted, params.seed, params.replicates)
        outcome = Runs(model, params.own, sets, seeds, times_of(params, model), series, params.measure, self.named(model)).done(ctx, "Runs")
        means, _, _, count = spread_of(outcome.values.reshape(-1, params.replicates))
        found = analysed(np.where(count > 0, means, np.nan), params.names, params.ranges, params.pairs, params.seed)
        facts = {"runs": outcome.made, "series": params.series, "measure": params.measure}
        titles = [str(fields[name].title or name) for name in params.names]
        drawn = figures.figure(_drawing(titles, found), self.named(model), facts=facts, size=(5.6, 1.5 + 0.6 * len(titles)))
        tables = [Artifact("table", _table(params.names, found), ".csv", self.named(model), facts)]
        if params.pairs:
            tables.append(Artifact("table", _pairs(params.names, found), ".csv", f"{self.named(model)}: pairs", facts))
        summary = outcome.summary()
        return Result([*drawn, *tables], summary | {"notes": [*summary["notes"], *_left_out(left), *_doubts(found, params, titles)]})


def _range(params: SobolParams, name: str, model: Simulation) -> list[float]:
    """Raises BadInput where it is none, or goes beyond the parameter's limits."""
    field = model.Params.model_fields[name]
    given = params.ranges.get(name) or usual_range(model, name, params.values)
    if len(given) != 2:
        raise BadInput(f"{field.title or name}: a range is two numbers.", hint="Give its lowest and its highest value.", field="ranges")
    low, high = given
    least, most = bounds(field)
    if not low < high:
        raise BadInput(f"{field.title or name}: the range ends where it begins, or before.", hint="Its first value must be the smaller one.", field="ranges")
    if low < least or high > most:
        raise BadInput(f"{field.title or name} goes from {least:g} to {most:g}; {low if low < least else high:g} is outside.", hint="Change the value and try again.", field="ranges")
    return [float(low), float(high)]


def block(names: list[str], pairs: bool) -> int:
    """Runs of one base sample."""
    return 2 * len(names) + 2 if pairs else len(names) + 2


def _problem(names: list[str], ranges: dict[str, list[float]]) -> dict[str, Any]:
    return {"num_vars": len(names), "names": list(names), "bounds": [list(ranges[name]) for name in names]}


def sampled(names: list[str], ranges: dict[str, list[float]], samples: int, pairs: bool, seed: int) -> Numbers:
    """(samples × block, parameters): Saltelli's scheme over a scrambled Sobol' sequence."""
    from SALib.sample import sobol

    found: Numbers = sobol.sample(_problem(names, ranges), samples, calc_second_order=pairs, seed=seed)
    return found


def analysed(values: Numbers, names: list[str], ranges: dict[str, list[float]], pairs: bool, seed: int) -> Indices:
    """A block of which one run is missing (NaN) is left out whole. Raises BadInput where too few are left, or nothing varies."""
    from SALib.analyze import sobol

    blocks = values.reshape(-1, block(names, pairs))
    blocks = blocks[np.isfinite(blocks).all(axis=1)]
    if len(blocks) < LEAST_BLOCKS:
        raise BadInput(f"Only {len(blocks)} samples are whole; that is too few to tell anything.", hint="Let it run longer, or narrow the ranges so that fewer runs blow up.", field="ranges")
    if np.ptp(blocks) <= 1e-12 * np.abs(blocks).max():
        raise BadInput("What is measured does not change at all within these ranges.", hint="Measure something else, or widen the ranges.", field="measure")
    found = sobol.analyze(_problem(names, ranges), blocks.ravel(), calc_second_order=pairs, seed=seed)
    second, second_conf = (np.array(found[key]) if pairs else np.full((len(names),) * 2, np.nan) for key in ("S2", "S2_conf"))
    return Indices(found["S1"], found["S1_conf"], found["ST"], found["ST_conf"], second, second_conf, len(blocks))


def fits(model: Simulation, values: dict[str, Any]) -> bool:
    try:
        fitting(model, values)
    except BadInput:
        return False
    return True


def _left_out(blocks: int) -> list[str]:
    return [f"{blocks:,} base samples were left out and others drawn, as their values don't go together: the shares are those of the part of the box where they do."] if blocks else []


def _doubts(found: Indices, params: SobolParams, titles: list[str]) -> list[str]:
    """What must be said of the result."""
    notes = [] if found.blocks == params.samples else [f"{found.blocks:,} of {params.samples:,} base samples are whole and used."]
    wide = [title for title, conf in zip(titles, found.total_conf, strict=True) if conf > 0.1]
    if wide:
        notes.append(f"The intervals are still wide ({', '.join(wide)}): take more base samples.")
    return notes


def _drawing(titles: list[str], found: Indices) -> Callable[[Any], None]:
    shown = [caption(title) for title in titles]

    def draw(axes: Any) -> None:
        figures.bars(axes, shown, {caption("Alone (S1)"): (found.first, found.first_conf), caption("With others (ST)"): (found.total, found.total_conf)})
        axes.set_xlabel(caption("Share of the variance"))
        axes.set_xlim(left=min(0.0, float(np.min(found.first - found.first_conf))))

    return draw


def _table(names: list[str], found: Indices) -> bytes:
    return table(["parameter", "S1", "S1_conf95", "ST", "ST_conf95"], [list(row) for row in zip(names, found.first, found.first_conf, found.total, found.total_conf, strict=True)])


def _pairs(names: list[str], found: Indices) -> bytes:
    rows = [[names[a], names[b], found.second[a, b], found.second_conf[a, b]] for a in range(len(names)) for b in range(a + 1, len(names))]
    return table(["parameter", "with", "S2", "S2_conf95"], rows)
