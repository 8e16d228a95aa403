"""Typed: base of the simulations that come from typed equations, and how their Params class is made."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from itertools import chain, count
from typing import Any, ClassVar, TypeVar

import numpy as np
from pydantic import ConfigDict, Field, create_model

from pipelines.simulation.drawing import way
from pipelines.simulation.ode import Ode, Point
from pipelines.simulation.own import machine
from pipelines.simulation.own.declaration import Declaration
from pipelines.simulation.own.expressions import Tree
from pipelines.simulation.own.program import Program, program_of
from pipelines.simulation.own.sheet import Named, Quantity, Sheet
from pipelines.simulation.own.tokens import refused
from studio.api import Diverged, Numbers, Params, Picture, Series, steps_at, ui

IN_SIGHT = 4
T = TypeVar("T")


class Values(Params):
    """Base of the Params of typed models, whose names are anybody's."""

    model_config = ConfigDict(protected_namespaces=())


def start_fields(sheet: Sheet) -> dict[str, str]:
    """By state that starts with a number: the name of its field, x0 for x."""
    taken = {*sheet.parameters, *sheet.named, *sheet.laws}
    fields: dict[str, str] = {}
    for name, start in sheet.starts.items():
        if isinstance(start, Quantity):
            fields[name] = free_name((f"{name}0", f"{name}_0", f"{name}_start", f"{name}_at_start"), taken)
            taken.add(fields[name])
    return fields


def free_name(wanted: Sequence[str], taken: Container[str]) -> str:
    """The first that is free; else the last with a number."""
    numbered = (f"{wanted[-1]}_{number}" for number in count(2))
    return next(one for one in chain(wanted, numbered) if one not in taken and not hasattr(Params, one))


def field_of(quantity: Quantity, title: str, about: str, *, live: bool, advanced: bool) -> tuple[Any, Any]:
    """A field of the Params class."""
    hints = ui(unit=quantity.unit, live=live, advanced=advanced, step=float(f"{quantity.high / 1000 - quantity.low / 1000:.1g}"))
    return float, Field(quantity.value, ge=quantity.low, le=quantity.high, title=title, description=quantity.about[:300] or about, allow_inf_nan=False, json_schema_extra=hints)


def params_class(sheet: Sheet, more: Mapping[str, tuple[Any, Any]] | None = None) -> type[Params]:
    """Parameters as typed, then `more`, then values at the start."""
    fields = {
        name: field_of(quantity, name, "A parameter of your model.", live=True, advanced=number >= IN_SIGHT) for number, (name, quantity) in enumerate(sheet.parameters.items())
    } | dict(more or {})
    for state, field in start_fields(sheet).items():
        start = sheet.starts[state]
        assert isinstance(start, Quantity)
        fields[field] = field_of(start, f"{state}(0)", f"The value of {state} at the start.", live=False, advanced=True)
    return create_model("OwnParams", __base__=Values, **fields)  # type: ignore[call-overload, no-any-return]


def made(kind: type[T], declaration: Declaration, **more: Any) -> T:
    """One object of its own subclass of `kind`."""
    common = {
        "title": declaration.title, "about": declaration.about, "duration": declaration.duration, "dt": declaration.dt, "time_unit": declaration.time_unit, "declaration": declaration, "__module__": __name__,
    }  # fmt: skip
    return type("Own", (kind,), common | more)()


class Typed(Ode):
    """`program` gives what the states become from (t, states, parameters), `extra` the named expressions, `starting` the values at the start that are expressions."""

    id: ClassVar[str] = "own"
    domain: ClassVar[str] = "Your own"
    rates: ClassVar[Any] = machine.rates
    declaration: ClassVar[Declaration]
    sheet: ClassVar[Sheet]
    program: ClassVar[Program]
    extra: ClassVar[Program]
    starting: ClassVar[Program]
    fields: ClassVar[dict[str, str]]
    labels: ClassVar[tuple[str, ...]]  # how each result of `program` is called in a sentence

    def start(self, params: Any, rng: np.random.Generator) -> Numbers:
        values = params.__dict__
        found = self.starting.numbers(values)
        if not np.isfinite(found).all():
            raise no_start(self.starting, [name for name in self.sheet.laws if name not in self.fields], values)
        told = iter(found)
        return np.array([values[self.fields[name]] if name in self.fields else next(told) for name in self.sheet.laws])

    def coefficients(self, params: Any) -> Any:
        return self.program.code, self.program.ready(params.__dict__), self.program.outputs

    def seen(self, times: Any, states: Numbers, params: Any) -> Numbers:
        """(times, series): states (times, n), then the named expressions. Raises Diverged at the first of these that is no number."""
        if not len(self.extra.outputs):
            return states
        values = params.__dict__ | {"t": times} | {name: states[:, number] for number, name in enumerate(self.sheet.laws)}
        found = np.column_stack([states, *(np.broadcast_to(one, times.shape) for one in self.extra.fields(values))])
        if not np.isfinite(found).all():
            row = int(np.argmin(np.isfinite(found).all(axis=1)))
            raise self.broken(float(times[row]), states[row], params)
        return found

    def observe(self, state: Point, params: Any) -> dict[str, float]:
        row = self.seen(np.array([state.time]), state.y[None, :], params)[0]
        return {series.name: float(value) for series, value in zip(self.series, row, strict=True)}

    def observed(self, sets: Sequence[Any], times: Numbers, seeds: Sequence[int]) -> Numbers:
        found = np.empty((len(sets), len(times), len(self.series)))
        for number, (params, seed) in enumerate(zip(sets, seeds, strict=True)):
            counts = steps_at(self, params, times)
            found[number] = self.seen(counts * self.time_step(params), self.states_at(params, counts, seed), params)
        return found

    def states_at(self, params: Any, counts: Any, seed: int) -> Numbers:
        """(times, n): the states after so many steps. Raises Diverged."""
        raise NotImplementedError

    def viewed(self, state: Point) -> Numbers:
        """(points, 2): the way through the first two states, or those that `view` names."""
        names = [token.text for token in self.sheet.view if token.text in self.sheet.laws] or self.sheet.states
        return np.array(state.trail)[:, [self.sheet.states.index(name) for name in (names * 2)[:2]]]

    def render(self, state: Point, params: Any) -> Picture | None:
        """None where there is but one state: its series says all."""
        if len(self.sheet.laws) < 2:
            return None
        points = self.viewed(state)
        low, high = points.min(axis=0), points.max(axis=0)
        spare = np.maximum(0.05 * (high - low), 1e-9 + 1e-9 * np.abs(high))
        return way(points, (low[0] - spare[0], high[0] + spare[0], low[1] - spare[1], high[1] + spare[1]))

    def broken(self, time: float, y: Numbers, params: Any) -> Diverged:
        """Which equation or named expression has no value from the state y, and why."""
        values = params.__dict__ | {"t": time} | dict(zip(self.sheet.laws, y, strict=True))
        for program, labels in ((self.program, self.labels), (self.extra, tuple(self.sheet.named))):
            for number, label in enumerate(labels):
                if found := program.culprit(values, number):
                    return Diverged(f"The run broke off at time {time:g}, in {label} (line {found[0].token.line}): {found[1]}.", hint=self.likely_cause(params))
        largest = self.sheet.states[int(np.argmax(np.abs(np.nan_to_num(y))))]
        return Diverged(f"The run broke off at time {time:g}: {largest} grew beyond all numbers.", hint=self.likely_cause(params))

    def likely_cause(self, params: Any) -> str:
        return "A smaller time step often helps, or other values of the parameters."


def no_start(starting: Program, told: Sequence[str], values: Mapping[str, Any]) -> Diverged:
    """Which value at the start is no number, and why. `told` are the states, in the order of the program's results."""
    found = ((name, starting.culprit(values, number)) for number, name in enumerate(told))
    name, (tree, reason) = next((name, culprit) for name, culprit in found if culprit)
    return Diverged(f"The run can't begin: in {name}(0) (line {tree.token.line}), {reason}.", hint="Other values of the parameters often help.")


def on_step(time: float, dt: float) -> float:
    """The time of a whole number of steps: sums of steps would drift away from it, and switches at a time would come late."""
    return round(time / dt) * dt


def series_of(sheet: Sheet) -> tuple[Series, ...]:
    """States first, then named expressions; a state's unit is that of its value at the start."""
    units = {name: start.unit for name, start in sheet.starts.items() if isinstance(start, Quantity)}
    found = [Series(name, _title(name, law.about), units.get(name, "")) for name, law in sheet.laws.items()]
    return (*found, *(Series(name, _title(name, named.about)) for name, named in sheet.named.items()))


def _title(name: str, about: str) -> str:
    return f"{name}: {about[:60]}" if about else name


def parts_of(sheet: Sheet, named: Mapping[str, Named], laws: Sequence[Tree] = (), more: Sequence[str] = ()) -> dict[str, Any]:
    """Programs and names that every kind with numbers as states has. Raises Misread where a state has no value at the start."""
    for name, law in sheet.laws.items():
        if name not in sheet.starts:
            raise refused(f"“{name}” has no value at the start", law.token, f"Add a line {name}(0) = …")
    inputs = ["t", *sheet.laws, *sheet.parameters, *more]
    trees = {name: one.tree for name, one in named.items()}
    told = [sheet.starts[name] for name in sheet.laws]
    return {
        "sheet": sheet, "fields": start_fields(sheet), "series": series_of(sheet), "Params": params_class(sheet),
        "program": program_of(inputs, trees, laws or [law.tree for law in sheet.laws.values()]),
        "extra": program_of(inputs, trees, [trees[name] for name in sheet.named]),
        "starting": program_of([*sheet.parameters], {}, [start.tree for start in told if isinstance(start, Named)]),
    }  # fmt: skip
