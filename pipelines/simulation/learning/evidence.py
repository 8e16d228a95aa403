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
    changes: tuple[bool, ...] = ()  # of each link: whether its column shows how a level changed, () for none

    def means(self, seen: Numbers, rates: Numbers) -> list[Numbers]:
        """For each link (sets, times): what the column should show, from observables (sets, times, series) and rates (sets, links)."""
        changes = self.changes or (False,) * len(self.links)
        return [_measured(link, seen[:, :, at], change) * rates[:, number, None] for number, (link, at, change) in enumerate(zip(self.links, self.at, changes, strict=True))]


def _measured(link: Link, values: Numbers, change: bool) -> Numbers:
    """(sets, times). A total counts from 0 on; what a level was before the first row is not known."""
    if link.measure != "new":
        return values
    return np.diff(values, axis=1, prepend=values[:, :1]) if change else np.diff(values, axis=1, prepend=0.0)


def model_times(table: Table, params: DataParams, trading: bool) -> tuple[Numbers, Any, tuple[str, ...]]:
    """(times of the model, the order that sorts the rows, notes). `trading`: dates count row by row. Raises BadInput."""
    values, first = np.arange(len(table.columns[0].values), dtype=np.float64) * table.every, 0.0
    if params.together > 1:
        values = values + params.together - 1
    notes: tuple[str, ...] = ()
    if params.time:
        column = table.column(params.time, "time")
        values, first, notes = column.values, column.first, column.notes
        trading = trading and column.kind == "date"
    if np.isnan(values).any():
        raise BadInput(f"The time is missing in row {int(np.argmax(np.isnan(values))) + 1}.", hint="Fill it in, or take the rows as one unit apart.", field="time")
    order = np.argsort(values, kind="stable")
    if params.together > 1 and not ((np.diff(values) > 0).all() and first <= values[0]):
        raise BadInput("The rows are not in the order of time: they can't be put together.", hint="Sort the table, or give 1.", field="together")
    values = values[order]
    if (same := np.diff(values) <= 0).any():
        raise BadInput(f"The time {values[1:][same][0]:g} is there twice.", hint="Each row needs its own time: another column may be the time.", field="time")
    if trading and params.time:
        rows = np.arange(len(values), dtype=np.float64) * table.every + params.together - 1.0
        return params.begin + rows * params.unit, order, (*notes, f"The dates of “{params.time}” count row by row, as days on which markets are open: weekends and holidays are no gaps.")
    return params.begin + (values - (first if params.together > 1 else values[0])) * params.unit, order, notes


def evidence(table: Table, params: LearnParams, model: Simulation, own: Any) -> Evidence:
    """`own` are the model's values. Raises BadInput at the field."""
    if not params.links:
        raise BadInput("No column is tied to an observable yet.", hint="Choose at least one in “Map”.", field="links")
    times, order, notes = model_times(table, params, model.trading)
    steps = times[-1] / model.time_step(own)
    if steps > MOST_STEPS:
        raise BadInput(f"The table spans {times[-1]:g} {model.time_unit} of the model's time: that is {steps:.3g} steps.", hint="Check “Model time per unit”.", field="unit")
    taken = [_taken(link, table, order, times, model) for link in params.links]
    notes += tuple(note for _, _, note in taken if note)
    changes = tuple(link.measure == "new" and model.series[at].kind == "level" for link, (_, at, _) in zip(params.links, taken, strict=True))
    return Evidence(times, tuple(params.links), tuple(data for data, _, _ in taken), tuple(at for _, at, _ in taken), notes, changes)


def _taken(link: Link, table: Table, order: Any, times: Numbers, model: Simulation) -> tuple[Numbers, int, str]:
    """(data, which series, a note)."""
    names = [series.name for series in model.series]
    if link.series not in names:
        raise BadInput(f"The model has no observable “{link.series}”.", hint=f"It has {', '.join(names)}.", field="links")
    at, note = names.index(link.series), ""
    series = model.series[at]
    column = table.column(link.column, "links")
    data = (column.sums if link.measure == "new" and len(column.sums) else column.values)[order].copy()
    counts = any(one.kind == "total" for one in model.series)  # where nothing does, as in typed models, what is new is the change of a level
    if series.kind != "total" and (link.measure == "cumulative" or link.measure == "new" and counts):
        hint = "Choose “level”, or an observable that counts from the start."
        raise BadInput(f"“{series.title}” is a level: it has no new or cumulative values.", hint=hint, field="links")
    if link.measure == "new" and table.every > 1 and not len(column.sums):
        hint = "Put rows together: then they are added up. 5,000 rows are used in full."
        raise BadInput(f"New values can't be read where one row in {table.every:,} is used.", hint=hint, field="together", fix=Fix.use("together", table.every, f"{table.every:,}"))
    if link.measure == "returns" and table.every > 1:
        raise BadInput(f"Returns go from one row to the next: they can't be read where one row in {table.every:,} is used.", hint=f"Give {table.most:,} rows at most, and put none together.", field="together")
    if not np.isnan(data[0]) and (link.measure == "returns" or link.measure == "new" and (times[0] == 0 or series.kind == "level")):
        nothing = link.measure == "new" and times[0] == 0
        note = f"The first row of “{link.column}” is left out: nothing is new at the start." if nothing else f"The first row of “{link.column}” is left out: what was before it is not known."
    if link.measure == "returns":
        data = _returns(data, link.column)
    elif note:
        data[0] = np.nan
    if (~np.isnan(data)).sum() < LEAST_VALUES:
        raise BadInput(f"Column “{link.column}” has fewer than {LEAST_VALUES} values.", hint="Choose another column, or give more rows.", field="links")
    check_data(link.noise, data, link.column)
    return data, at, note


def _returns(prices: Numbers, column: str) -> Numbers:
    """In per cent, as logarithms; of the first price, and beside a gap, there is none. Raises BadInput."""
    if (low := prices <= 0).any():
        raise BadInput(f"Column “{column}”, row {int(np.argmax(low)) + 1}: {prices[low][0]:g} is no price.", hint="Mend that cell, or choose “level” where the column holds returns already.", field="links")
    return 100 * np.diff(np.log(prices), prepend=np.nan)
