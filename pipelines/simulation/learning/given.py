"""Given: the table of a job, uploaded or shipped; what its columns may be; what a first question could look like."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.simulation.learning.params import RATE, SPREAD, DataParams
from pipelines.simulation.learning.tables import KEPT_ROWS, Column, Table, read_table
from studio.api import Artifact, BadInput, Result, Simulation, Simulations

SAMPLES = Path(__file__).parent / "samples"
TIMES = ("time", "date", "day", "week", "month", "year", "hour", "t", "datum", "tag", "jahr", "日", "年", "月", "時間", "日付", "時刻")
SHOWN = 6  # rows of a table that a page shows
KEPT_TABLES = 4  # that were read last
MOST_OWN_ROWS = 20_000  # where a model is not run for each set, as it has a likelihood of its own


@lru_cache(maxsize=1)
def samples() -> dict[str, dict[str, Any]]:
    """By name: title, source, licence, and the settings of a question that fits."""
    found: dict[str, dict[str, Any]] = json.loads((SAMPLES / "samples.json").read_text(encoding="utf-8"))
    return found


def named(model: Simulation, made: Artifact) -> Artifact:
    """Among the results of all models one sees whose it is."""
    return replace(made, title=f"{made.title} · {model.title}")


def named_all(model: Simulation, result: Result) -> Result:
    return Result([named(model, made) for made in result.artifacts], result.summary)


class Given:
    """What a page may ask about data before a job is queued."""

    def __init__(self, simulations: Simulations) -> None:
        self.simulations = simulations
        self._tables: dict[tuple[str, int, int], Table] = {}  # by the file's sum, so that the files themselves are not kept

    def data(self, params: DataParams, path: Callable[[str, str], Path]) -> bytes:
        """Raises BadInput, NotFound."""
        if params.table:
            return path(params.table, "table").read_bytes()
        if not params.sample:
            raise BadInput("There is no data to learn from.", hint="Give a CSV file, or take one of the samples.", field="table")
        if params.sample not in samples():
            raise BadInput(f"There is no sample “{params.sample}”.", hint=f"There are {', '.join(samples())}.", field="sample")
        return (SAMPLES / f"{params.sample}.csv").read_bytes()

    def table(self, data: bytes, together: int = 1, most: int = KEPT_ROWS) -> Table:
        """Raises BadInput."""
        key = (hashlib.sha256(data).hexdigest(), together, most)
        found = self._tables.get(key)
        if found is None:
            found = read_table(data, together, most)
            self._tables = dict([*self._tables.items()][1 - KEPT_TABLES :]) | {key: found}
        return found

    def samples(self) -> dict[str, dict[str, Any]]:
        """Those whose model is here."""
        there = {model.id for model in self.simulations.all()}
        return {name: sample for name, sample in samples().items() if sample["settings"]["model"] in there}

    def seen(self, data: bytes, model: Simulation) -> dict[str, Any]:
        """A table as a page shows it, with the rows that the model takes: {"columns": [{name, kind, gaps, low, high, wrong}], "rows", "shown", "notes", "time", "read"}."""
        table = self.table(data, most=most_rows(model))
        columns = [_about(column) for column in table.columns]
        first = zip(*(column.values[:SHOWN] for column in table.columns), strict=True)
        rows = [["" if value != value else _cell(column, value) for column, value in zip(table.columns, row, strict=True)] for row in first]
        separator = {"\t": "tab", " ": "space"}.get(table.separator, table.separator)
        read = {"encoding": table.encoding, "separator": separator, "decimal": table.decimal}
        return {"columns": columns, "rows": table.rows, "shown": rows, "notes": list(table.notes), "time": _time(table), "read": read}

    def first_links(self, model: Simulation, data: bytes) -> list[dict[str, Any]]:
        """Columns and observables by name, else in their order: one guess to begin with."""
        table = self.table(data)
        time = _time(table)
        columns = [column for column in table.columns if column.kind == "number" and column.name != time and not np.isnan(column.values).all()]
        by_name = [(column, series.name) for column in columns for series in model.series if column.name.lower() in (series.name.lower(), series.title.lower())]
        pairs = by_name or list(zip(columns[:1], [series.name for series in model.series], strict=False))
        own = hasattr(model, "log_likelihood")
        return [{"column": column.name, "series": series, "measure": _measure(column, model, series), "rate": 1.0, "noise": "none" if own else _noise(column), "spread": _spread(column)} for column, series in pairs]

    def first_prior(self, model: Simulation, values: dict[str, Any], name: str, links: list[dict[str, Any]]) -> dict[str, Any]:
        """Between the field's bounds; wide around a link's own spread or rate."""
        if name.startswith((SPREAD, RATE)):
            link = next((link for link in links if name in (f"{SPREAD}{link['column']}", f"{RATE}{link['column']}")), {"spread": 1.0, "rate": 1.0})
            around = float(link["spread"] if name.startswith(SPREAD) else link["rate"])
            low, high = (around / 100, around * 10) if name.startswith(SPREAD) else (around / 20, around * 2)
            return {"name": name, "kind": "log-uniform", "low": low, "high": high, "middle": around, "width": around / 2}
        low, high = bounds_of(model, name)
        middle = float(values.get(name, (low + high) / 2))
        width = (high - low) / 4
        return {"name": name, "kind": "uniform", "low": low, "high": high, "middle": middle, "width": width if width > 0 else 1.0}


def most_rows(model: Simulation) -> int:
    """Of a table that this model learns from."""
    return MOST_OWN_ROWS if hasattr(model, "log_likelihood") else KEPT_ROWS


def bounds_of(model: Simulation, name: str) -> tuple[float, float]:
    """A field's own; ±1e6 where it declares none."""
    marks = model.Params.model_fields[name].metadata
    low = next((float(getattr(mark, sign)) for mark in marks for sign in ("ge", "gt") if hasattr(mark, sign)), -1e6)
    high = next((float(getattr(mark, sign)) for mark in marks for sign in ("le", "lt") if hasattr(mark, sign)), 1e6)
    return low, high


def _about(column: Column) -> dict[str, Any]:
    there = column.values[~np.isnan(column.values)]
    ends = ("", "") if not there.size else (_cell(column, there.min()), _cell(column, there.max()))
    return {"name": column.name, "kind": column.kind, "gaps": column.gaps if column.kind != "text" else 0, "low": ends[0], "high": ends[1], "wrong": column.wrong}


def _cell(column: Column, value: float) -> str:
    if column.kind == "date":
        return str(np.datetime64(round(value * 86_400), "s")).replace("T00:00:00", "")
    return f"{value:.6g}"


def _time(table: Table) -> str:
    """The column that is likely the time: dates, a usual name, else the first if it rises; "" if none."""
    rising = [column for column in table.columns if column.kind != "text" and not column.gaps and (np.diff(column.values) > 0).all()]
    named = [column for column in rising if column.kind == "date"] + [column for column in rising if column.name.lower().split(" ")[0].strip("()") in TIMES]
    return named[0].name if named else rising[0].name if rising and rising[0] is table.columns[0] else ""


def _counts(column: Column) -> bool:
    there = column.values[~np.isnan(column.values)]
    return bool((there >= 0).all() and (there == np.rint(there)).all())


def _noise(column: Column) -> str:
    return "negative binomial" if _counts(column) else "normal"


def _spread(column: Column) -> float:
    there = column.values[~np.isnan(column.values)]
    return 0.1 if _counts(column) else float(f"{max(there.std() / 4, 1e-6):.2g}")


def _measure(column: Column, model: Simulation, name: str) -> str:
    """Of a total, rising columns are cumulative, others new."""
    if next(series.kind for series in model.series if series.name == name) == "level":
        return "level"
    there = column.values[~np.isnan(column.values)]
    return "cumulative" if (np.diff(there) >= 0).all() else "new"
