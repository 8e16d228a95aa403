"""simulation.filter: an ensemble Kalman filter finds states, initial values and parameters while data come in; as a twin experiment, the data are the model's own (Evensen 2009)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.simulation.figures import named
from pipelines.simulation.learning.ensemble import Ensemble, Filter, check_filter
from pipelines.simulation.learning.evidence import evidence
from pipelines.simulation.learning.figures import called, several
from pipelines.simulation.learning.given import Given, named_all
from pipelines.simulation.learning.noise import variance
from pipelines.simulation.learning.params import RATE, SPREAD, DataParams, LearnParams, Link, Prior
from pipelines.simulation.learning.priors import Beliefs, check_field
from pipelines.simulation.params import captioned, check_length, chosen, lettered
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, Numbers, Params, Result, RunContext, Simulation, Simulations, caption, chance, look, ui

MOST_TIMES = 20_000
MOST_KEPT = 50_000_000  # numbers of a twin's states
MOST_PERTURBED = 4_000  # that are measured at once: their covariance has as many squared
FREE_RUN = 200  # looks at a free run, for how far its state wanders
SHOWN_SERIES = 4


class FilterParams(DataParams):
    twin: bool = Field(True, title="Twin experiment", description="Data from a run of the model itself, so that the error is known; off: from the table.")
    links: list[Link] = Field([], max_length=20, title="Map", description="Which observables are measured, with normal errors; a twin needs no columns.", json_schema_extra=ui(widget="json"))
    whole: bool = Field(False, title="Measure the whole state", description="Twin: every number of the state is measured, with the spread below.")
    error: float = Field(1.0, gt=0, le=1e9, title="Error of the whole state", description="Standard deviation, where the whole state is measured.", json_schema_extra=ui(widget="number"))
    free: list[Prior] = Field([], max_length=20, title="Free parameters", description="They are corrected together with the state.", json_schema_extra=ui(widget="json"))
    method: Filter = Field("ETKF", title="Filter", description="ETKF takes data without chance; EnKF perturbs them for each member.")
    members: int = Field(24, ge=3, le=500, title="Members", description="States that run side by side.")
    inflation: float = Field(1.02, ge=1.0, le=2.0, title="Inflation", description="How far members are moved from their mean after each correction.", json_schema_extra=ui(step=0.005))
    rotate: bool = Field(True, title="Rotate the members", description="ETKF: mix them without changing mean and spread.", json_schema_extra=ui(advanced=True))
    start: float = Field(0.3, ge=0, le=5, title="Spread at the start", description="In standard deviations of a free run.", json_schema_extra=ui(advanced=True, step=0.05))
    every: float = Field(0.25, gt=0, le=1e6, title="Time between data", description="Twin: in the model's time.", json_schema_extra=ui(widget="number"))
    count: int = Field(200, ge=3, le=MOST_TIMES, title="Data", description="Twin: how many times are measured.", json_schema_extra=ui(widget="number"))
    left_out: float = Field(0.2, ge=0, le=0.9, title="Left out of the score", description="Twin: that share of the time, at the start, while the filter finds its way.", json_schema_extra=ui(advanced=True))


@dataclass
class Course:
    """How it went, by time: the ensemble's mean and deviation of every series, of free parameters, and the errors."""

    times: list[float] = field(default_factory=list)
    data: list[Numbers] = field(default_factory=list)
    truth: list[Numbers] = field(default_factory=list)
    mean: list[Numbers] = field(default_factory=list)
    spread: list[Numbers] = field(default_factory=list)
    free: list[Numbers] = field(default_factory=list)  # (members, free) each
    error: list[float] = field(default_factory=list)
    deviation: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Measured:
    """What comes in: at which steps, which values (times, p), of which series or the whole state, with which variances (times, p)."""

    steps: Any  # (times,) whole numbers
    data: Numbers
    variance: Numbers
    series: tuple[int, ...]  # () for the whole state
    truth: Numbers  # (times, n) states of the twin; (0, 0) otherwise
    shown: Numbers  # (times, series) of the twin
    notes: tuple[str, ...] = ()


class Filtering:
    """Same settings and seed give the same course."""

    id: ClassVar[str] = "simulation.filter"
    title: ClassVar[str] = "Filter states"
    lane: ClassVar[Lane] = "cpu"
    Params: ClassVar[type[Params]] = FilterParams

    def __init__(self, simulations: Simulations) -> None:
        self.simulations = simulations
        self.given = Given(simulations)

    def need(self, params: FilterParams, catalog: Catalog) -> Need:
        if not params.links and not params.whole:
            return Need(missing="Nothing is measured yet.")
        return Need(working_bytes=200 * 2**20)

    def settle(self, params: FilterParams, desk: Desk) -> FilterParams:
        """Raises StudioErrors with the field."""
        model, own = chosen(params, self.simulations)
        self._check(params, model, own)
        if not params.twin:
            self._from_table(params, model, own, self.given.data(params, desk.inputs.path))
        return lettered(params)

    def _check(self, params: FilterParams, model: Simulation, own: Any) -> None:
        size = check_filter(model, own)
        names = [series.name for series in model.series]
        if not params.links and not (params.whole and params.twin):
            raise BadInput("Nothing is measured yet.", hint="Tie a column to an observable, or measure the whole state of a twin.", field="links")
        if wrong := next((link.series for link in params.links if link.series not in names), ""):
            raise BadInput(f"The model has no observable “{wrong}”.", hint=f"It has {', '.join(names)}.", field="links")
        if params.twin and params.every < model.time_step(own) * 0.999:
            raise BadInput(f"Data can't come more often than every step of {model.time_step(own):g} {model.time_unit}.", hint="Give a longer time between data.", field="every")
        if params.twin:
            check_length(model, own, params.every * params.count, runs=params.members, field="count")
            if size * params.count > MOST_KEPT:
                raise BadInput(f"A state of {size:,} numbers at {params.count:,} times is more than can be kept.", hint="Give fewer data, or a smaller model.", field="count")
            if params.whole and params.method == "EnKF" and size > MOST_PERTURBED:
                raise BadInput(f"EnKF can't be told {size:,} numbers at once; {MOST_PERTURBED:,} is the most.", hint="Take ETKF, or measure fewer.", field="method")
        for prior in _free(params):
            check_field(prior, model, own.model_dump())
        _beliefs(params, model)

    @captioned
    def run(self, params: FilterParams, ctx: RunContext) -> Result:
        model, own = chosen(params, self.simulations)
        self._check(params, model, own)
        if params.twin:
            measured = twin(params, model, own, ctx)
        else:
            measured = self._from_table(params, model, own, self.given.data(params, lambda key, at: ctx.input(key)))
        ensemble = Ensemble(model, own.model_dump(), _beliefs(params, model), params.members, ctx.seed)
        if params.start:
            ensemble.scatter(params.start * wander(model, own, measured, ctx))
        return named_all(model, _result(params, model, follow(params, ensemble, measured, ctx), measured))

    def _from_table(self, params: FilterParams, model: Simulation, own: Any, data: bytes) -> Measured:
        asked = LearnParams(model=params.model, time=params.time, unit=params.unit, begin=params.begin, together=params.together, links=params.links)
        if any(link.measure == "new" for link in params.links):
            raise BadInput("A filter corrects states: what is new since the row before is none.", hint="Choose “level” or “cumulative”.", field="links")
        found = evidence(self.given.table(data, params.together), asked, model, own)
        steps = np.rint(found.times / model.time_step(own)).astype(np.int64)
        values = np.stack([column / link.rate for column, link in zip(found.data, found.links, strict=True)], axis=1)
        spread = np.stack([variance(link.noise, column, link.spread) / link.rate**2 for column, link in zip(found.data, found.links, strict=True)], axis=1)
        return Measured(steps, values, spread, found.at, np.zeros((0, 0)), np.zeros((0, 0)), found.notes)


def _free(params: FilterParams) -> list[Prior]:
    """Those of the model: a spread or a scale is none of its states."""
    return [prior for prior in params.free if not prior.name.startswith((SPREAD, RATE))]


def _beliefs(params: FilterParams, model: Simulation) -> Beliefs:
    free = _free(params)
    return Beliefs(free, [model.Params.model_fields[prior.name].annotation is int for prior in free])


def wander(model: Simulation, own: Any, measured: Measured, ctx: RunContext) -> Numbers:
    """(n,) standard deviation of each number of the state over a free run. Raises Stopped."""
    rng = chance(ctx.seed + 1)
    state, found = model.init(own, rng), []
    for number in range(FREE_RUN):
        ctx.progress(number, FREE_RUN, "Looking how far states wander")
        state = model.advance(state, own, rng, max(1, int(measured.steps[-1]) // FREE_RUN))
        found.append(model.pack(state).copy())
    return np.asarray(np.std(found, axis=0))


def twin(params: FilterParams, model: Simulation, own: Any, ctx: RunContext) -> Measured:
    """A run of the model from its own start, and errors added to what is measured. Raises Stopped."""
    rng, noise = chance(ctx.seed + 2), np.random.default_rng([ctx.seed, 9])
    every = round(params.every / model.time_step(own))
    state = model.init(own, rng)
    truth, shown = [], []
    for number in range(params.count):
        ctx.progress(number, params.count, "Running the twin")
        state = model.advance(state, own, rng, every)
        truth.append(model.pack(state).copy())
        shown.append(list(look(model, state, own, (number + 1) * every).values()))
    series = () if params.whole else tuple([one.name for one in model.series].index(link.series) for link in params.links)
    exact = np.array(truth) if params.whole else np.array(shown)[:, list(series)]
    deviation = np.full(exact.shape[1], params.error) if params.whole else np.array([link.spread for link in params.links])
    return Measured(every * np.arange(1, params.count + 1), exact + deviation * noise.standard_normal(exact.shape), np.tile(deviation**2, (params.count, 1)), series, np.array(truth), np.array(shown))


def follow(params: FilterParams, ensemble: Ensemble, measured: Measured, ctx: RunContext) -> Course:
    """Forecast and correct, from one row of data to the next. Raises Diverged, Stopped."""
    course = Course()
    for number, (step, data) in enumerate(zip(measured.steps, measured.data, strict=True)):
        ctx.progress(number, len(measured.steps), "Following the data")
        ensemble.run_to(int(step), ctx.check)
        there = ~np.isnan(data)
        middle = None
        if there.any():
            seen = ensemble.observed()[:, list(measured.series)] if measured.series else ensemble.packed()
            middle = ensemble.correct(seen[:, there], data[there], measured.variance[number][there], params.method, params.inflation, params.rotate and params.method == "ETKF")
        _note(course, ensemble, measured, number, middle)
    return course


def _note(course: Course, ensemble: Ensemble, measured: Measured, number: int, middle: Numbers | None) -> None:
    shown = ensemble.observed()
    course.times.append(float(measured.steps[number]) * ensemble.model.time_step(ensemble.params[0]))
    course.mean.append(shown.mean(axis=0))
    course.spread.append(shown.std(axis=0, ddof=1))
    course.free.append(ensemble.beliefs.values(ensemble.z) if len(ensemble.beliefs) else ensemble.z)
    packed = ensemble.packed()
    course.deviation.append(float(np.sqrt(packed.var(axis=0, ddof=1).mean())))
    if len(measured.truth):
        middle = packed.mean(axis=0) if middle is None else middle
        course.error.append(float(np.sqrt(((middle - measured.truth[number]) ** 2).mean())))


def score(course: Course, left_out: float) -> dict[str, float]:
    """Mean error of the analysis (root of the mean over the state) and mean spread, after the start."""
    begin = int(left_out * len(course.times))
    return {"rmse": float(np.mean(course.error[begin:])), "spread": float(np.mean(course.deviation[begin:]))}


def _result(params: FilterParams, model: Simulation, course: Course, measured: Measured) -> Result:
    scores = score(course, params.left_out) if course.error else {}
    names = [prior.name for prior in _free(params)]
    last = course.free[-1]
    found = [{"name": name, "mean": float(last[:, at].mean()), "low": float(np.quantile(last[:, at], 0.05)), "high": float(np.quantile(last[:, at], 0.95))} for at, name in enumerate(names)]
    state = {series.name: {"mean": float(course.mean[-1][at]), "sd": float(course.spread[-1][at])} for at, series in enumerate(model.series)}
    summary = {"method": params.method, **scores, "parameters": found, "state": state, "warnings": _doubts(scores), "notes": [*measured.notes, *_notes(params)]}
    artifacts = [*_figure(params, model, course, measured), Artifact("table", _table(model, names, course), ".csv", "Filtered states")]
    settings = {"settings": params.model_dump(mode="json"), **summary}
    return Result([*artifacts, Artifact("json", json.dumps(settings, indent=1, ensure_ascii=False).encode(), ".json", "Filter")], summary)


def _notes(params: FilterParams) -> list[str]:
    skewed = not params.twin and any(link.noise not in ("normal", "none") for link in params.links)
    fixed = [prior.name for prior in params.free if prior.name.startswith((SPREAD, RATE))]
    left = [f"A filter takes spreads and scales as they are set: “{name}” stayed fixed." for name in fixed]
    return [*(["The filter takes noise as normal, as wide as it is at each measured value."] if skewed else []), *left]


def _doubts(scores: dict[str, float]) -> list[str]:
    if scores and scores["rmse"] > 2 * scores["spread"]:
        return [f"The filter is too sure: its error is {scores['rmse']:.3g}, its own spread {scores['spread']:.3g}. More inflation or members help."]
    return []


def _table(model: Simulation, names: list[str], course: Course) -> bytes:
    head = ["time", *(f"{series.name} {what}" for series in model.series for what in ("mean", "sd")), *(f"{name} {what}" for name in names for what in ("mean", "sd"))]
    head += ["rmse"] if course.error else []
    rows = []
    for number, time in enumerate(course.times):
        free = course.free[number]
        values = [time, *np.stack([course.mean[number], course.spread[number]], axis=1).ravel(), *np.stack([free.mean(axis=0), free.std(axis=0, ddof=1)], axis=1).ravel()]
        rows.append(",".join(f"{value:.8g}" for value in values + course.error[number : number + 1]))
    return ("\n".join([",".join(head), *rows]) + "\n").encode()


def _figure(params: FilterParams, model: Simulation, course: Course, measured: Measured) -> list[Artifact]:
    times, mean, spread = np.array(course.times), np.array(course.mean), np.array(course.spread)
    shown = list(measured.series)[:SHOWN_SERIES] or list(range(min(SHOWN_SERIES, len(model.series))))
    names = called(model, [prior.name for prior in _free(params)])

    def draw(axes: Any) -> None:
        from pipelines.simulation.figures import COLOURS, INK

        for at, series in enumerate(shown):
            one = axes[at, 0]
            one.fill_between(times, mean[:, series] - 1.645 * spread[:, series], mean[:, series] + 1.645 * spread[:, series], color=COLOURS[0], alpha=0.25, linewidth=0, label="90 %")
            one.plot(times, mean[:, series], color=COLOURS[0], label=caption("mean"))
            if len(measured.shown):
                one.plot(times, measured.shown[:, series], color=INK, linewidth=0.9, label=caption("truth"))
            if measured.series:
                one.plot(times, measured.data[:, list(measured.series).index(series)], ".", color=COLOURS[1], markersize=3, label=caption("data"))
            one.set_ylabel(caption(model.series[series].title))
        axes[0, 0].legend(ncols=4, loc="upper left", bbox_to_anchor=(0, 1.2), borderaxespad=0)
        free = np.array(course.free)
        for at, name in enumerate(names):
            one = axes[len(shown) + at, 0]
            ends = np.quantile(free[:, :, at], [0.05, 0.5, 0.95], axis=1)
            one.fill_between(times, ends[0], ends[2], color=COLOURS[2], alpha=0.25, linewidth=0)
            one.plot(times, ends[1], color=COLOURS[2])
            one.set_ylabel(name)
        axes[-1, 0].set_xlabel(named("time", model.time_unit))

    rows = len(shown) + len(names)
    return several(rows, 1, draw, "States that follow the data", (5.6, 0.8 + 1.7 * rows))
