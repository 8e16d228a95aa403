"""simulation.sweep: what comes of one or two parameters over ranges: a line with bands over repetitions, or a heat map."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from pipelines.simulation import figures
from pipelines.simulation.experiments.base import Experiment, some_fit
from pipelines.simulation.experiments.plan import QUANTILES, ExperimentParams, Runs, bounds, numbers_of, repeated, replicates_of, table, times_of, title_of, usual_range
from pipelines.simulation.params import captioned
from studio.api import Artifact, BadInput, Numbers, Params, Result, RunContext, Simulation, ui

Scale = Literal["Linear", "Logarithmic"]
REPEATED = 20  # where chance is in the model and nobody said how often


def _from(which: str) -> Any:
    return Field(0.0, ge=-1e12, le=1e12, title=f"{which}: from", description="Where both ends are 0, half to one and a half times its value.", json_schema_extra=ui(group=which, widget="number"))


def _to(which: str) -> Any:
    return Field(0.0, ge=-1e12, le=1e12, title=f"{which}: to", description="The last value.", json_schema_extra=ui(group=which, widget="number"))


def _count(which: str, usual: int) -> Any:
    return Field(usual, ge=2, le=1000, title=f"{which}: values", description="How many, both ends included.", json_schema_extra=ui(group=which))


def _scale(which: str) -> Any:
    return Field("Linear", title=f"{which}: spacing", description="Logarithmic: each value is a constant times the one before.", json_schema_extra=ui(group=which, advanced=True))


def _listed(which: str) -> Any:
    return Field([], max_length=1000, title=f"{which}: own list", description="Exactly these values, instead of the range.", json_schema_extra=ui(group=which, advanced=True))


class SweepParams(ExperimentParams):
    """A parameter along x, if wanted another along y."""

    x: str = Field("", max_length=80, title="First parameter", description="Its name; empty takes the model's first.", json_schema_extra=ui(group="First parameter"))
    x_from: float = _from("First parameter")
    x_to: float = _to("First parameter")
    x_count: int = _count("First parameter", 31)
    x_scale: Scale = _scale("First parameter")
    x_list: list[float] = _listed("First parameter")
    y: str = Field("", max_length=80, title="Second parameter", description="Its name; empty varies one only.", json_schema_extra=ui(group="Second parameter"))
    y_from: float = _from("Second parameter")
    y_to: float = _to("Second parameter")
    y_count: int = _count("Second parameter", 21)
    y_scale: Scale = _scale("Second parameter")
    y_list: list[float] = _listed("Second parameter")
    replicates: int = Field(0, ge=0, le=10_000, title="Repetitions", description="Runs at each value, with the same seeds everywhere; 0 takes 20 where chance plays a part, else 1.", json_schema_extra=ui())


class Sweep(Experiment):
    """The same plan and seed give the same table, over however many processes."""

    id: ClassVar[str] = "simulation.sweep"
    title: ClassVar[str] = "Sweep of a simulation"
    Params: ClassVar[type[Params]] = SweepParams
    short: ClassVar[str] = "sweep"
    counted: ClassVar[str] = "x_count"

    def planned(self, params: SweepParams, model: Simulation) -> SweepParams:
        there = numbers_of(model)
        if not there:
            raise BadInput(f"“{model.title}” has no number that could be varied.", hint="Choose another model.", field="x")
        filled: dict[str, Any] = {"x": params.x or next(iter(there)), "replicates": replicates_of(params.replicates, model, REPEATED)}
        if filled["x"] == params.y:
            raise BadInput("Both parameters are the same.", hint="Choose another one, or none.", field="y")
        for which in ("x", "y") if params.y else ("x",):
            name = filled.get(which, params.y)
            if name not in there:
                raise BadInput(f"“{model.title}” has no number “{name}”.", hint=f"Use one of: {', '.join(there)}.", field=which)
            if not getattr(params, f"{which}_list") and getattr(params, f"{which}_from") == getattr(params, f"{which}_to") == 0:
                filled |= dict(zip((f"{which}_from", f"{which}_to"), usual_range(model, name, params.values), strict=True))
        return params.model_copy(update=filled)

    def check(self, params: Any, model: Simulation, values: Any) -> None:
        """Some values must go together; a cell whose values do not stays empty."""
        super().check(params, model, values)
        some_fit(model, self.sets(params, model))

    def runs(self, params: SweepParams, model: Simulation) -> int:
        return len(axis(params, model, "x")) * (len(axis(params, model, "y")) if params.y else 1) * params.replicates

    def sets(self, params: SweepParams, model: Simulation) -> list[dict[str, Any]]:
        """x quickest. Raises BadInput at the axis."""
        columns, rows = axis(params, model, "x"), axis(params, model, "y") if params.y else [None]
        return [params.values | {params.x: x} | ({params.y: y} if params.y else {}) for y in rows for x in columns]

    @captioned
    def run(self, params: SweepParams, ctx: RunContext) -> Result:
        model, series, label = self.subject(params)
        params = self.settled(params, model, model.Params.parse(params.values))
        columns, rows = axis(params, model, "x"), axis(params, model, "y") if params.y else [None]
        sets, seeds = repeated(self.sets(params, model), params.seed, params.replicates)
        outcome = Runs(model, params.own, sets, seeds, times_of(params, model), series, params.measure, self.named(model)).done(ctx, "Runs")
        values = outcome.values.reshape(len(rows), len(columns), params.replicates)
        facts = {"runs": outcome.made, "series": params.series, "measure": params.measure}
        drawn = figures.figure(lambda axes: self.draw(axes, params, model, values, label), self.named(model), facts=facts)
        csv = Artifact("table", _table(params, columns, rows, values), ".csv", self.named(model), facts)
        return Result([*drawn, csv], outcome.summary())

    def draw(self, axes: Any, params: SweepParams, model: Simulation, values: Numbers, label: str) -> None:
        """`values` (y, x, repetitions)."""
        x = np.array(axis(params, model, "x"), dtype=np.float64)
        axes.set_xlabel(title_of(model, params.x))
        if params.x_scale == "Logarithmic" and not params.x_list:
            figures.logarithmic(axes, "x")
        if params.y:
            if params.y_scale == "Logarithmic" and not params.y_list:
                figures.logarithmic(axes, "y")
            axes.set_ylabel(title_of(model, params.y))
            figures.heat(axes, x, np.array(axis(params, model, "y"), dtype=np.float64), spread_of(values)[0], label)
            return
        mean, _, quantiles, _ = spread_of(values[0])
        if params.replicates > 1:
            figures.bands(axes, x, quantiles, mean=mean)
        else:
            axes.plot(x, mean, marker="o" if len(x) <= 60 else "", markersize=3.5)
        axes.set_ylabel(label)


def axis(params: SweepParams, model: Simulation, which: str) -> list[float | int]:
    """Its values, rising; whole numbers where the parameter is one. Raises BadInput."""
    name = getattr(params, which)
    field = model.Params.model_fields[name]
    listed = sorted(set(getattr(params, f"{which}_list")))
    found = np.array(listed) if listed else _ranged(params, which)
    low, high = bounds(field)
    for at, value in ((f"{which}_from", found[0]), (f"{which}_to", found[-1])):
        if not low <= value <= high:
            where = f"{which}_list" if listed else at
            raise BadInput(f"{field.title or name} goes from {low:g} to {high:g}; {value:g} is outside.", hint="Change the value and try again.", field=where)
    return sorted({round(float(value)) for value in found}) if field.annotation is int else [float(value) for value in found]


def _ranged(params: SweepParams, which: str) -> Numbers:
    low, high, count = (getattr(params, f"{which}_{part}") for part in ("from", "to", "count"))
    if low >= high:
        raise BadInput("The range ends where it begins, or before.", hint="Its first value must be the smaller one.", field=f"{which}_to")
    if getattr(params, f"{which}_scale") == "Linear":
        return np.linspace(low, high, count)
    if low <= 0:
        raise BadInput("A logarithmic range begins above 0.", hint="Give a first value above 0, or space it linearly.", field=f"{which}_from")
    found = np.geomspace(low, high, count)
    found[[0, -1]] = low, high
    return found


def spread_of(values: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Mean, standard deviation, quantiles (5, …) and number of the runs there are along the last axis (…, repetitions)."""
    there = np.isfinite(values)
    count = there.sum(axis=-1)
    mean = np.where(count > 0, np.where(there, values, 0).sum(axis=-1) / np.maximum(count, 1), np.nan)
    deviation = np.where(there, values - mean[..., None], 0)
    sd = np.where(count > 1, np.sqrt((deviation**2).sum(axis=-1) / np.maximum(count - 1, 1)), np.nan)
    quantiles = np.full((len(QUANTILES), *mean.shape), np.nan)
    filled = count > 0
    if filled.any():
        quantiles[:, filled] = np.nanquantile(values[filled], QUANTILES, axis=-1)
    return mean, sd, quantiles, count


def _table(params: SweepParams, columns: list[Any], rows: list[Any], values: Numbers) -> bytes:
    """One line for each combination."""
    mean, sd, quantiles, count = spread_of(values)
    head = [params.x, *([params.y] if params.y else []), "mean", "sd", *(f"q{round(100 * q):02}" for q in QUANTILES), "runs"]
    lines = [
        [x, *([y] if params.y else []), mean[row, column], sd[row, column], *quantiles[:, row, column], int(count[row, column])]
        for row, y in enumerate(rows)
        for column, x in enumerate(columns)
    ]
    return table(head, lines)
