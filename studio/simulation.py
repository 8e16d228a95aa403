"""Simulation: one declaration a model, from which come controls, live view, plots, experiments, learning from data, API and docs.

A model is a state, a step and what can be observed of it. It draws itself by numpy and knows neither page nor file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from studio.errors import BadInput, NotFound, StudioError
from studio.params import REFUSALS, Params

Numbers = NDArray[np.float64]
Picture = NDArray[np.uint8]  # (height, width, 3)
State = Any  # what a model's own init gives and its step takes
P = TypeVar("P", bound=Params)


class Diverged(StudioError):
    """A run left the numbers: it is ended at that step, what was before is kept."""

    code = "diverged"
    status = 422


@dataclass(frozen=True)
class Series:
    """One observable. A `total` counts from the start on: what came new between two observations is their difference; a `level` is as it stands.

    A `quiet` one is drawn only when somebody asks for it: its key stands beside the plot.
    """

    name: str
    title: str
    unit: str = ""
    kind: Literal["level", "total"] = "level"
    quiet: bool = False


@dataclass(frozen=True)
class Source:
    """Where equations and figures are from."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class Preset:
    """A known regime: values by field, the rest as declared."""

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""


class Simulation:
    """Base of every model. `init`, `step` and `observe` are what a model must have.

    Params fields carry their unit, whether they may change while it runs (`live`) and whether they stand under Advanced by `ui(…)`;
    the first four others are in sight. A run is a pure function of (params, seed): all chance comes from `rng`.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    domain: ClassVar[str]
    about: ClassVar[str]  # three sentences for somebody who never saw it
    Params: ClassVar[type[Params]]
    series: ClassVar[tuple[Series, ...]]
    presets: ClassVar[tuple[Preset, ...]] = ()
    sources: ClassVar[tuple[Source, ...]] = ()
    duration: ClassVar[float] = 100.0  # how long a run is if nobody says, in `time_unit`
    time_unit: ClassVar[str] = "s"
    stochastic: ClassVar[bool] = False
    pokes: ClassVar[bool] = False  # whether a click in the picture does something
    pace: ClassVar[float] = 10.0  # seconds of watching that `duration` should take at normal speed
    trading: ClassVar[bool] = False  # whether its days are those on which markets are open: dates of data then count row by row

    def time_step(self, params: Any) -> float:
        """How much time a step takes, in `time_unit`."""
        return 1.0

    def check(self, params: Any) -> None:
        """Raise BadInput with the field where values don't go together."""

    def init(self, params: Any, rng: np.random.Generator) -> State:
        raise NotImplementedError

    def step(self, state: State, params: Any, rng: np.random.Generator) -> State:
        """The state one step later; it may be the same object, changed."""
        raise NotImplementedError

    def advance(self, state: State, params: Any, rng: np.random.Generator, steps: int) -> State:
        """Many steps. A model with a compiled loop has its own; the result must be that of as many `step`s."""
        for _ in range(steps):
            state = self.step(state, params, rng)
        return state

    def observe(self, state: State, params: Any) -> dict[str, float]:
        """A value for each of `series`."""
        raise NotImplementedError

    def render(self, state: State, params: Any) -> Picture | None:
        """The state as a picture; None where its series say all."""
        return None

    def poke(self, state: State, params: Any, x: float, y: float, rng: np.random.Generator) -> State:
        """The state after a click at (x, y), 0 … 1 from the picture's upper left."""
        return state

    def changed(self, state: State, before: Any, params: Any, rng: np.random.Generator) -> State:
        """The state after live fields changed from `before` to `params`: for what the state holds of them (how many cars, say)."""
        return state

    def pack(self, state: State) -> Numbers:
        """What a filter may correct, as one vector."""
        return np.asarray(state, dtype=np.float64).ravel()

    def unpack(self, state: State, vector: Numbers) -> State:
        """`state` with the corrected vector in it; a new object."""
        return np.asarray(vector, dtype=np.float64).reshape(np.shape(state)).copy()

    def observed(self, sets: Sequence[Any], times: Numbers, seeds: Sequence[int]) -> Numbers:
        """(sets, times, series): each parameter set run with its seed, observed at these times. A model that can do many at once has its own."""
        return np.stack([np.array([list(seen.values.values()) for seen in observations(self, params, times, seed)]) for params, seed in zip(sets, seeds, strict=True)])

    def check_data(self, data: Mapping[str, Numbers], times: Numbers, params: Any) -> None:
        """Of a model with a `log_likelihood` of its own: raise BadInput where that would take too long, or too much room, for these data."""

    def likely_cause(self, params: Any) -> str:
        """Why numbers may have blown up, a sentence; told with Diverged."""
        return "Values nearer to those of a preset often help, or a shorter run."


@dataclass(frozen=True)
class Seen:
    """One look at a run: `time` in the model's unit, `values` in the order of its series."""

    step: int
    time: float
    values: dict[str, float]
    state: State


Change = tuple[int, str, Any]  # at which step, which field, which value: a live run is replayed from these
POKE = "@poke"  # as a field: a click, whose value is [x, y]


def chance(seed: int) -> np.random.Generator:
    """All chance of a run with that seed."""
    return np.random.Generator(np.random.PCG64(seed))


def seeds_of(seed: int, count: int) -> list[int]:
    """Seeds for that many independent runs; the first ones stay when there are more."""
    return [int(child.generate_state(1)[0] >> 1) for child in np.random.SeedSequence(seed).spawn(count)]


def steps_at(model: Simulation, params: Any, times: Numbers) -> NDArray[np.int64]:
    """After how many steps each time is reached, to the nearest."""
    return np.rint(np.asarray(times, dtype=np.float64) / model.time_step(params)).astype(np.int64)


def observations(model: Simulation, params: Any, times: Numbers, seed: int, changes: Sequence[Change] = (), heed: Callable[[int], None] | None = None, stretch: int = sys.maxsize) -> Iterator[Seen]:
    """One look at each of `times` (rising, from 0 on). Raises Diverged.

    `heed` is told the steps that are done, after `stretch` of them at most; what it raises ends the run.
    """
    rng = chance(seed)
    state = model.init(params, rng)
    waiting, done = sorted(changes, key=lambda change: change[0]), 0
    for target in steps_at(model, params, times):
        while done < target:
            while waiting and waiting[0][0] <= done:
                state, params = take_change(model, state, params, waiting.pop(0), rng)
            stop = min(int(target), done + stretch, waiting[0][0] if waiting else int(target))
            state = model.advance(state, params, rng, stop - done)
            done = stop
            if heed is not None:
                heed(done)
        yield Seen(done, done * model.time_step(params), look(model, state, params, done), state)


def take_change(model: Simulation, state: State, params: P, change: Change, rng: np.random.Generator) -> tuple[State, P]:
    """State and parameters after it. Raises BadInput where a value is out of bounds or doesn't go with the others."""
    if change[1] == POKE:
        return model.poke(state, params, float(change[2][0]), float(change[2][1]), rng), params
    after = changed_params(params, change)
    model.check(after)
    return model.changed(state, params, after, rng), after


def changed_params(params: P, change: Change) -> P:
    """Raises BadInput where the value is out of bounds."""
    return values_of(type(params), params.model_dump() | {change[1]: change[2]})


def values_of(kind: type[P], values: Mapping[str, Any]) -> P:
    """Params of that kind. Raises BadInput at the field; true and false are no numbers."""
    for name, value in values.items():
        if isinstance(value, bool) and name in kind.model_fields and (found := kind.model_fields[name]).annotation in (int, float):
            raise BadInput(REFUSALS["int_type" if found.annotation is int else "float_type"].format(found.title or name), hint="Change the value and try again.", field=name)
    return kind.parse(dict(values))


def look(model: Simulation, state: State, params: Any, step: int) -> dict[str, float]:
    """What is observed, in the order of the series. Raises Diverged at the first value that is no number."""
    with np.errstate(all="ignore"):  # what became of the numbers is looked at here
        seen = model.observe(state, params)
    values = {series.name: float(seen[series.name]) for series in model.series}
    for series in model.series:
        if not np.isfinite(values[series.name]):
            time = step * model.time_step(params)
            at = f"{time:g} {model.time_unit}".strip()
            raise Diverged(f"The run blew up at step {step:,} (time {at}): {series.title} is no number any more.", hint=model.likely_cause(params))
    return values


class Simulations:
    """The models that are there, by id. `more` is asked once for those of extensions when an id is unknown."""

    def __init__(self, models: Sequence[Simulation] = (), more: Any = None) -> None:
        self._models = {model.id: model for model in models}
        self._more = more

    def all(self) -> list[Simulation]:
        return list(self._models.values())

    def find(self, model_id: str) -> Simulation:
        """Raises NotFound."""
        if model_id not in self._models and self._more is not None:
            more, self._more = self._more, None
            self._models |= {model.id: model for model in more()}
        if model_id not in self._models:
            raise NotFound(f"There is no simulation “{model_id}”.", hint="Choose one of the gallery, or install the extension that brings it.", field="model")
        return self._models[model_id]


def read_model_values(model: Simulation, values: Mapping[str, Any]) -> Any:
    """The model's Params. Raises BadInput at the field, as `values.<name>`."""
    try:
        params = values_of(model.Params, values)
        model.check(params)
    except BadInput as error:
        raise BadInput(error.message, hint=error.hint, field=f"values.{error.field}", fix=error.fix) from error
    return params
