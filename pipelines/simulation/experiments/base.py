"""Experiment: base of sweeps, replicates, comparisons and sensitivity: what they need, how long they take, what is refused before they are queued."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

import numpy as np

from pipelines.simulation.experiments.effort import seconds_of
from pipelines.simulation.experiments.plan import ExperimentParams, find_series, fitting, usual_range
from pipelines.simulation.figures import named
from pipelines.simulation.params import OWN, chosen, lettered, model_of
from studio.api import BadInput, Catalog, Desk, Lane, Need, Simulation, Simulations, StudioError, caption, steps_at

P = TypeVar("P", bound=ExperimentParams)
MOST_RUNS = 100_000
MOST_VALUES = 20_000_000  # of courses that are kept whole
MOST_STEPS = 10**12  # a compiled model makes some ten million a second


class Experiment:
    """One says how its plan is completed (`planned`) and how many runs it has (`runs`)."""

    lane: ClassVar[Lane] = "cpu"
    short: ClassVar[str]  # what its results are called, after the model's name
    counted: ClassVar[str]  # the field that is told when there are too many runs
    whole: ClassVar[bool] = False  # whether courses are kept, not one number of each

    def __init__(self, simulations: Simulations) -> None:
        self.simulations = simulations

    def planned(self, params: Any, model: Simulation) -> Any:
        """The params with what was left open filled in. Raises BadInput."""
        return params

    def runs(self, params: Any, model: Simulation) -> int:
        """Of params that are planned. Raises BadInput."""
        raise NotImplementedError

    def settled(self, params: P, model: Simulation, values: Any) -> P:
        """Raises BadInput."""
        filled = {"values": values.model_dump(mode="json"), "duration": params.duration or model.duration, "series": model.series[find_series(model, params.series)].name}
        found: P = self.planned(params.model_copy(update=filled), model)
        return found

    def settle(self, params: P, desk: Desk) -> P:
        model, values = chosen(params, self.simulations)
        params = self.settled(params, model, values)
        self.check(params, model, values)
        return lettered(params)

    def check(self, params: ExperimentParams, model: Simulation, values: Any) -> None:
        """Raises BadInput where it is too much to wait for, or to keep."""
        runs = self.runs(params, model)
        if runs > MOST_RUNS:
            raise BadInput(f"This plan has {runs:,} runs; {MOST_RUNS:,} can be made.", hint="Give fewer values or fewer repetitions.", field=self.counted)
        if self.whole and runs * params.points > MOST_VALUES:
            raise BadInput(f"{runs:,} runs with {params.points:,} observations each are more than can be kept.", hint="Give fewer repetitions or fewer observations.", field="points")
        if (steps := runs * steps_of(params, model, values)) > MOST_STEPS:
            raise BadInput(f"This plan has {runs:,} runs, together {steps:,} steps: it would take days.", hint="Make it shorter, or give fewer values.", field="duration")

    def need(self, params: Any, catalog: Catalog) -> Need:
        try:
            model, values = chosen(params, self.simulations)
            params = self.settled(params, model, values)
            runs = self.runs(params, model)
            self.check(params, model, values)
        except StudioError as error:
            return Need(missing=error.message)
        steps = runs * steps_of(params, model, values)
        return Need(working_bytes=runs * (params.points if self.whole else 1) * 8 * 4 + 300 * 2**20, seconds=seconds_of(model, steps), facts={"runs": runs, "steps": steps})

    def place(self, params: Any, catalog: Catalog, device: str, room: int) -> Need:
        """The same everywhere."""
        return self.need(params, catalog)

    def usual_range(self, model: Simulation, name: str, values: dict[str, Any]) -> tuple[float, float]:
        """Between which values a parameter is varied if nobody says."""
        return usual_range(model, name, values)

    def pace_key(self, params: ExperimentParams, catalog: Catalog) -> str:
        """The model's: one experiment tells the pace of the others."""
        own = hashlib.sha256(params.own.encode()).hexdigest()[:12] if params.model == OWN else ""
        return f"simulation {params.model} {own}".strip()

    def seconds(self, params: ExperimentParams, catalog: Catalog, pace: dict[str, float]) -> float:
        return float(self.need(params, catalog).facts.get("steps", 0)) * pace.get("step", 0.0)

    def named(self, model: Simulation) -> str:
        """The title of its results."""
        return f"{model.title}, {self.short}"

    def subject(self, params: ExperimentParams) -> tuple[Simulation, int, str]:
        """The model, which series, and how an axis says what is measured."""
        model = model_of(params, self.simulations)
        place = find_series(model, params.series)
        series = model.series[place]
        unit = model.time_unit if params.measure == "Time of the largest" else f"{caption(series.unit)} · {caption(model.time_unit)}".strip(" ·") if params.measure == "Total" and series.kind == "level" else series.unit
        return model, place, named(f"{caption(series.title)}, {caption(params.measure).lower()}" if not self.whole else series.title, unit)


def steps_of(params: ExperimentParams, model: Simulation, values: Any) -> int:
    """Of one run."""
    return int(steps_at(model, values, np.array([params.duration or model.duration]))[0])


def some_fit(model: Simulation, sets: Iterable[dict[str, Any]]) -> None:
    """Raises BadInput, in the model's words, where none of these values go together."""
    refused: BadInput | None = None
    for values in sets:
        try:
            fitting(model, values)
        except BadInput as error:
            refused = refused or error
        else:
            return
    if refused is not None:
        raise BadInput(refused.message, hint=refused.hint, field=f"values.{refused.field}")
