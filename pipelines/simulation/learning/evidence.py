"""Evidence: a table's numbers at the model's times, tied to its observables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.simulation.learning.noise import check_data
from pipelines.simulation.learning.params import DataParams, LearnParams, Link
from pipelines.simulation.learning.tables import Table
from studio.api import BadInput, Fix, Numbers, Simulation

LEAST_VALUES = 3
MOST_STEPS = 20_000_000


@dataclass(frozen=True)
class Evidence:
    """`times` (times,) rising; `data` one (times,) for each link, gaps as NaN; `at` the series of each."""

    times: Numbers
    links: tuple[Link, ...]
    data: tuple[Numbers, ...]
    at: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def means(self, seen: Numbers, rates: Numbers) -> list[Numbers]:
        """For each link (sets, times): what the column should show, from observables (sets, times, series) and rates (sets, links)."""
        return [_measured(link, seen[:, :, at]) * rates[:, number, None] for number, (link, at) in enumerate(zip(self.links, self.at, strict=True))]


def _measured(link: Link, values: Numbers) -> Numbers:
    return np.diff(values, axis=1, prepend=0.0) if link.measure == "new" else values


def model_times(table: Table, params: DataParams) -> tuple[Numbers, Any]:
    """(times of the model, the order that sorts the rows). Raises BadInput."""
    values, first = np.arange(len(table.columns[0].values), dtype=np.float64) * table.every, 0.0
    if params.together > 1:
        values = values + params.together - 1
    if params.time:
        column = table.column(params.time, "time")
        values, first = column.values, column.first
    if np.isnan(values).any():
        raise BadInput(f"The time is missing in row {int(np.argmax(np.isnan(values))) + 1}.", hint="Fill it in, or take the rows as one unit apart.", field="time")
    order = np.argsort(values, kind="stable")
    if params.together > 1 and not ((np.diff(values) > 0).all() and first <= values[0]):
        raise BadInput("The rows are not in the order of time: they can't be put together.", hint="Sort the table, or give 1.", field="together")
    values = values[order]
    if (same := np.diff(values) <= 0).any():
        raise BadInput(f"The time {values[1:][same][0]:g} is there twice.", hint="Each row needs its own time: another column may be the time.", field="time")
    return params.begin + (values - (first if params.together > 1 else values[0])) * params.unit, order


def evidence(table: Table, params: LearnParams, model: Simulation) -> Evidence:
    """Raises BadInput at the field."""
    if not params.links:
        raise BadInput("No column is tied to an observable yet.", hint="Choose at least one in “Map”.", field="links")
    times, order = model_times(table, params)
    steps = times[-1] / model.time_step(_declared(model))
    if steps > MOST_STEPS:
        raise BadInput(f"The table spans {times[-1]:g} {model.time_unit} of the model's time: that is {steps:.3g} steps.", hint="Check “Model time per unit”.", field="unit")
    taken = [_taken(link, table, order, times, model) for link in params.links]
    notes = [note for _, _, note in taken if note]
    return Evidence(times, tuple(params.links), tuple(data for data, _, _ in taken), tuple(at for _, at, _ in taken), tuple(notes))


def _declared(model: Simulation) -> object:
    return model.Params()


def _taken(link: Link, table: Table, order: Any, times: Numbers, model: Simulation) -> tuple[Numbers, int, str]:
    """(data, which series, a note)."""
    names = [series.name for series in model.series]
    if link.series not in names:
        raise BadInput(f"The model has no observable “{link.series}”.", hint=f"It has {', '.join(names)}.", field="links")
    at, note = names.index(link.series), ""
    series = model.series[at]
    column = table.column(link.column, "links")
    data = (column.sums if link.measure == "new" and len(column.sums) else column.values)[order].copy()
    if link.measure != "level" and series.kind != "total":
        hint = "Choose “level”, or an observable that counts from the start."
        raise BadInput(f"“{series.title}” is a level: it has no new or cumulative values.", hint=hint, field="links")
    if link.measure == "new" and table.every > 1 and not len(column.sums):
        hint = "Put rows together: then they are added up. 5,000 rows are used in full."
        raise BadInput(f"New values can't be read from every {table.every}th row.", hint=hint, field="together", fix=Fix.use("together", table.every, f"{table.every:,}"))
    if link.measure == "new" and times[0] == 0 and not np.isnan(data[0]):
        data[0], note = np.nan, f"The first row of “{link.column}” is left out: nothing is new at the start."
    if (~np.isnan(data)).sum() < LEAST_VALUES:
        raise BadInput(f"Column “{link.column}” has fewer than {LEAST_VALUES} values.", hint="Choose another column, or give more rows.", field="links")
    check_data(link.noise, data, link.column)
    return data, at, note
