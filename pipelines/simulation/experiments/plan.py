"""Plan: what all experiments have in common: which series is measured how, runs in batches over processes, those that blew up counted and left out."""

from __future__ import annotations

import csv
import importlib
import importlib.util
import io
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from pydantic import Field

from pipelines.simulation.experiments.effort import seconds_of_run, stretch_of
from pipelines.simulation.figures import named
from pipelines.simulation.params import DrawnParams
from pipelines.simulation.spread import Heed, spread
from studio.api import Artifact, BadInput, Diverged, Numbers, RunContext, Series, Simulation, observations, seeds_of, steps_at, ui

Measure = Literal["At the end", "Mean", "Largest", "Smallest", "Time of the largest", "Total"]
BATCHES = 64  # at least, so that progress goes evenly; how many does not depend on the computer
LARGEST_BATCH = 256
BATCH_SECONDS = 0.5  # at most, by the table of how long models take: whoever presses Stop keeps all batches that are finished
KEEP_SECONDS = 120.0  # a long experiment keeps what is finished this often
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class ExperimentParams(DrawnParams):
    """Base of all experiments: what is observed, and for how long."""

    series: str = Field("", max_length=80, title="What is measured", description="The name of one of the model's series; empty takes its first.", json_schema_extra=ui())
    measure: Measure = Field("At the end", title="Measured as", description="One number for each run. The total of a level is its integral over time.", json_schema_extra=ui())
    duration: float = Field(0.0, ge=0, le=1e9, title="How long", description="In the model's own time; 0 takes its usual length.", json_schema_extra=ui(advanced=True))
    points: int = Field(200, ge=2, le=5000, title="Observations", description="How often each run is observed, evenly from its start to its end.", json_schema_extra=ui(advanced=True))


@dataclass(frozen=True)
class Reference:
    """How another process finds a model: its class by module, or by file where that can't be imported by name; one's own by its declaration."""

    module: str
    name: str
    file: str
    own: str = ""

    @staticmethod
    def to(model: Simulation, own: str = "") -> Reference:
        kind = type(model)
        return Reference(kind.__module__, kind.__qualname__, str(getattr(sys.modules.get(kind.__module__), "__file__", "")), own)

    def model(self) -> Simulation:
        return _referred(self)


@lru_cache(maxsize=8)
def _referred(reference: Reference) -> Simulation:
    if reference.own:
        from pipelines.simulation.own import read_model

        return read_model(reference.own)
    module = sys.modules.get(reference.module) or _imported(reference)
    found: Any = module
    for part in reference.name.split("."):
        found = getattr(found, part)
    model: Simulation = found()
    return model


def _imported(reference: Reference) -> Any:
    try:
        return importlib.import_module(reference.module)
    except ImportError:
        spec = importlib.util.spec_from_file_location(reference.module, reference.file)
        assert spec and spec.loader
        module = sys.modules[reference.module] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


@dataclass(frozen=True)
class Batch:
    """Runs that are made together. Without a `measure` whole courses are wanted."""

    model: Reference
    sets: tuple[dict[str, Any], ...]
    seeds: tuple[int, ...]
    times: tuple[float, ...]
    series: int
    measure: str


@dataclass(frozen=True)
class Made:
    """(runs,) or (runs, times) values, NaN where the run blew up, and why those did."""

    values: Numbers
    failed: tuple[str, ...]
    unfit: tuple[str, ...] = ()  # why values did not go together


def fitting(model: Simulation, values: dict[str, Any]) -> Any:
    """The model's Params. Raises BadInput where values don't go together."""
    params = model.Params.parse(values)
    model.check(params)
    return params


def make(batch: Batch, heed: Heed | None = None) -> Made:
    """In whichever process. One run that blows up, or whose values don't go together, does not take the others with it. What `heed` raises, between runs and within long ones, ends the work."""
    model, times = batch.model.model(), np.array(batch.times)
    params: dict[int, Any] = {}
    failed: list[str] = []
    unfit: list[str] = []
    for at, values in enumerate(batch.sets):
        try:
            params[at] = fitting(model, values)
        except BadInput as error:
            unfit.append(error.message)
    found = np.full((len(batch.sets), len(times)), np.nan)
    try:
        if heed is not None:
            for at, one in params.items():
                found[at] = _heeded(model, one, times, batch.seeds[at], heed)[:, batch.series]
        elif params:
            found[list(params)] = model.observed([*params.values()], times, [batch.seeds[at] for at in params])[:, :, batch.series]
    except Diverged:
        found[list(params)] = [_alone(model, one, times, batch.seeds[at], batch.series, failed) for at, one in params.items()]
    broken = sum(not np.isfinite(found[at]).all() for at in params)
    failed += ["A series is no number any more."] * (broken - len(failed))
    told = found if not batch.measure else np.array([measured(course, times, batch.measure, model.series[batch.series]) for course in found])
    return Made(told, tuple(failed), tuple(unfit))


def _heeded(model: Simulation, params: Any, times: Numbers, seed: int, heed: Heed) -> Numbers:
    """(times, series) of one run, the same that `observed` gives. Models with a way of their own to observe many are quick: they are asked between runs only."""
    heed()
    if type(model).observed is not Simulation.observed:
        return np.array(model.observed([params], times, [seed])[0])
    looks = observations(model, params, times, seed, heed=lambda _: heed(), stretch=stretch_of(model, params))
    return np.array([list(seen.values.values()) for seen in looks])


def _alone(model: Simulation, params: Any, times: Numbers, seed: int, series: int, failed: list[str]) -> Numbers:
    try:
        return np.array(model.observed([params], times, [seed])[0, :, series])
    except Diverged as error:
        failed.append(error.message)
        return np.full(len(times), np.nan)


def measured(course: Numbers, times: Numbers, measure: str, series: Series) -> float:
    """One number of a run's course (times,); NaN where it blew up."""
    if not np.isfinite(course).all():
        return np.nan
    match measure:
        case "Mean":
            return float(course.mean())
        case "Largest":
            return float(course.max())
        case "Smallest":
            return float(course.min())
        case "Time of the largest":
            return float(times[int(course.argmax())])
        case "Total" if series.kind == "level":
            return float(np.trapezoid(course, times))
        case "Total":
            return float(course[-1] - course[0])
    return float(course[-1])


@dataclass
class Outcome:
    """All runs' values in their order, NaN where there are none; how many blew up, or had values that don't go together, and why; how many were done before Stop."""

    values: Numbers
    failed: Counter[str] = field(default_factory=Counter)
    unfit: Counter[str] = field(default_factory=Counter)
    made: int = 0
    pace: dict[str, float] = field(default_factory=dict)

    @property
    def blown(self) -> int:
        return sum(self.failed.values())

    def notes(self) -> list[str]:
        found = []
        if self.made < len(self.values):
            found.append(f"Stopped after {self.made:,} of {len(self.values):,} runs: only these are told.")
        if self.unfit:
            why = max(self.unfit, key=lambda reason: self.unfit[reason])
            found.append(f"{sum(self.unfit.values()):,} of {self.made:,} runs are left out: their values don't go together. {why}")
        if self.blown:
            why = max(self.failed, key=lambda reason: self.failed[reason])
            found.append(f"{self.blown:,} of {self.made:,} runs blew up and are left out. {why}")
        return found

    def summary(self) -> dict[str, Any]:
        return {"runs": self.made, "of": len(self.values), "blown": self.blown, "notes": self.notes(), "pace": self.pace}


@dataclass(frozen=True)
class Runs:
    """All runs of an experiment: values and seed of each, observed at `times`."""

    model: Simulation
    own: str
    sets: Sequence[dict[str, Any]]
    seeds: Sequence[int]
    times: Numbers
    series: int
    measure: str = ""
    title: str = ""  # of what they are for

    def batches(self) -> list[Batch]:
        run = seconds_of_run(self.model, int(steps_at(self.model, self.model.Params.parse(self.sets[0]), self.times)[-1]))
        size = max(1, min(LARGEST_BATCH, -(-len(self.sets) // BATCHES), int(BATCH_SECONDS / run) if run > 0 else LARGEST_BATCH))
        reference = Reference.to(self.model, self.own)
        times = tuple(float(time) for time in self.times)
        return [Batch(reference, tuple(self.sets[at : at + size]), tuple(self.seeds[at : at + size]), times, self.series, self.measure) for at in range(0, len(self.sets), size)]

    def done(self, ctx: RunContext, note: str) -> Outcome:
        """What is finished is kept now and then, and when the job is stopped. Raises Stopped, and Diverged where no run is left."""
        shape = (len(self.sets),) if self.measure else (len(self.sets), len(self.times))
        kept = _Kept(ctx, Outcome(np.full(shape, np.nan)), self)
        batches = self.batches()
        todo = [number for number in range(len(batches)) if number not in kept.earlier]
        times: list[float] = []
        with kept:
            for at, made in spread(ctx, make, [batches[number] for number in todo], note, lambda: ctx.stopping == "finish", make):
                kept.take(todo[at], made)
                times.append(time.monotonic())
        outcome = kept.outcome
        steps = int(steps_at(self.model, self.model.Params.parse(self.sets[0]), self.times)[-1]) * kept.size * (len(times) - 1)
        outcome.pace = {"step": (times[-1] - times[0]) / steps} if steps > 0 else {}  # without the first batch, which may have compiled
        if outcome.made and sum(outcome.unfit.values()) == outcome.made:
            raise BadInput(f"Of all {outcome.made:,} runs the values don't go together. {next(iter(outcome.unfit))}", hint="Choose other ranges, or other values for the rest.", field="values")
        if outcome.made and outcome.blown + sum(outcome.unfit.values()) == outcome.made:
            raise Diverged(f"All {outcome.blown:,} runs blew up. {next(iter(outcome.failed))}", hint=self.model.likely_cause(self.model.Params.parse(self.sets[0])))
        return outcome


class _Kept:
    """What is finished: put together, and for long experiments of measured runs kept as parts, from which a broken job goes on."""

    def __init__(self, ctx: RunContext, outcome: Outcome, runs: Runs) -> None:
        self.ctx, self.outcome, self.runs = ctx, outcome, runs
        self.size = len(runs.batches()[0].sets)
        self.earlier: set[int] = set()
        self.new: list[tuple[int, Made]] = []
        self.last = time.monotonic()
        for path in ctx.kept if runs.measure else []:
            if path.suffix == ".csv":
                self._read(path.read_text(encoding="utf-8"))

    def __enter__(self) -> _Kept:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind is not None:  # stopped, or another process died: nothing finished is lost
            self._keep()

    def take(self, number: int, made: Made) -> None:
        self._put(number, made)
        self.new.append((number, made))
        if time.monotonic() - self.last > KEEP_SECONDS:
            self._keep()

    def _put(self, number: int, made: Made) -> None:
        self.outcome.values[number * self.size : number * self.size + len(made.values)] = made.values
        self.outcome.failed.update(made.failed)
        self.outcome.unfit.update(made.unfit)
        self.outcome.made += len(made.values)

    def _keep(self) -> None:
        self.last = time.monotonic()
        if self.new and self.runs.measure:
            rows = [[number, json.dumps([None if np.isnan(value) else value for value in made.values.tolist()]), json.dumps(made.failed), json.dumps(made.unfit)] for number, made in self.new]
            self.ctx.output(Artifact("table", table(["batch", "values", "failed", "unfit"], rows), ".csv", f"{self.runs.title}, so far", {"runs": sum(len(made.values) for _, made in self.new)}))
            self.new = []

    def _read(self, text: str) -> None:
        for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
            number, values = int(row["batch"]), np.array([np.nan if value is None else value for value in json.loads(row["values"])], dtype=np.float64)
            if len(values) != len(self.runs.sets[number * self.size : (number + 1) * self.size]):  # of a studio that made other batches
                continue
            self.earlier.add(number)
            self._put(number, Made(values, tuple(json.loads(row["failed"])), tuple(json.loads(row.get("unfit") or "[]"))))


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """CSV; numbers with as many digits as tell them apart, empty where there is none."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([["" if isinstance(cell, float) and np.isnan(cell) else repr(float(cell)) if isinstance(cell, (float, np.floating)) else cell for cell in row] for row in rows])
    return out.getvalue().encode()


def find_series(model: Simulation, name: str) -> int:
    """Its place; the first where none is named. Raises BadInput."""
    names = [series.name for series in model.series]
    if name and name not in names:
        raise BadInput(f"“{model.title}” has no series “{name}”.", hint=f"Use one of: {', '.join(names)}.", field="series")
    return names.index(name) if name else 0


def times_of(params: ExperimentParams, model: Simulation) -> Numbers:
    return np.linspace(0.0, params.duration or model.duration, params.points)


def numbers_of(model: Simulation) -> dict[str, Any]:
    """Fields that can be varied, those in sight first."""
    found = {name: field for name, field in model.Params.model_fields.items() if field.annotation in (int, float)}
    return dict(sorted(found.items(), key=lambda item: bool(_hint(item[1], "advanced"))))


def _hint(field: Any, name: str) -> Any:
    return (field.json_schema_extra or {}).get("ui", {}).get(name)


def title_of(model: Simulation, name: str) -> str:
    """A parameter as an axis says it."""
    field = model.Params.model_fields[name]
    return named(str(field.title or name), _hint(field, "unit"))


def usual_range(model: Simulation, name: str, values: dict[str, Any], share: float = 0.5) -> tuple[float, float]:
    """Around its value, as far as its limits allow; all it may be where its value is 0."""
    field = model.Params.model_fields[name]
    low, high = bounds(field)
    value = float(values.get(name, field.get_default(call_default_factory=True)))
    wide = abs(value) * share
    if not wide:
        return (low if np.isfinite(low) else -1.0), (high if np.isfinite(high) else 1.0)
    return max(low, value - wide), min(high, value + wide)


def bounds(field: Any) -> tuple[float, float]:
    low = next((float(getattr(item, name)) for item in field.metadata for name in ("ge", "gt") if hasattr(item, name)), -np.inf)
    high = next((float(getattr(item, name)) for item in field.metadata for name in ("le", "lt") if hasattr(item, name)), np.inf)
    return low, high


def replicates_of(wanted: int, model: Simulation, usual: int) -> int:
    """As wanted; if that is 0, one where nothing is left to chance."""
    return wanted or (usual if model.stochastic else 1)


def repeated(sets: Sequence[dict[str, Any]], seed: int, replicates: int) -> tuple[list[dict[str, Any]], list[int]]:
    """Each set with the same seeds: differences between sets are then not those of luck."""
    seeds = seeds_of(seed, replicates)
    return [values for values in sets for _ in seeds], seeds * len(sets)
