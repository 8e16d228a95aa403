"""Cells of a table: numbers with either decimal sign, gaps, dates (ISO 8601 and the usual national ways)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from studio.api import BadInput, Numbers

GAPS = {"", "na", "n/a", "nan", "-", "–", "—", "null", "none", ".", "?", "..."}
PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
THOUSANDS = {".": re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?"), ",": re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?")}
COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE)
FORMS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M",
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d %b %Y", "%b %d, %Y", "%Y年%m月%d日", "%Y-%m",
)  # fmt: skip
# What is said of dates that could be either
TAKEN = {"%d/%m/%Y": "day/month/year is taken, as they come more evenly so.", "%m/%d/%Y": "month/day/year is taken, as they come more evenly so."}
FULL = str.maketrans("０１２３４５６７８９．，－", "0123456789.,-")


def number(cell: str, decimal: str) -> float:
    """NaN for a gap. Raises ValueError for what is no number."""
    try:
        value = float(cell) if decimal == "." and "_" not in cell else float("nan")
        if value == value and abs(value) != float("inf"):
            return value
    except ValueError:
        pass
    if cell.lower() in GAPS:
        return float("nan")
    text = cell.translate(FULL).replace("\u2212", "-").replace("\u00a0", "").replace("'", "")
    if THOUSANDS[decimal].fullmatch(text):
        text = text.replace("," if decimal == "." else ".", "")
    if decimal == ",":
        text = text.replace(",", ".")
    if not PLAIN.fullmatch(text) or abs(value := float(text)) == float("inf"):
        raise ValueError(cell)
    return value


def is_number(cell: str, decimal: str) -> bool:
    try:
        return number(cell, decimal) == number(cell, decimal)
    except ValueError:
        return False


def decimal_of(cells: Sequence[str], separator: str) -> str:
    """A comma where it stands between digits and no point does, in more cells than the other way round."""
    if separator == ",":  # then a quoted "1,5" may still be one
        points = sum(bool(PLAIN.fullmatch(cell)) and "." in cell for cell in cells)
        return "," if sum(bool(COMMA.fullmatch(cell)) and not THOUSANDS["."].fullmatch(cell) for cell in cells) > points else "."
    commas = sum(bool(COMMA.fullmatch(cell)) for cell in cells)
    return "," if commas > sum("." in cell and bool(PLAIN.fullmatch(cell)) for cell in cells) else "."


def dates(cells: Sequence[str]) -> tuple[Numbers, str] | None:
    """(days since 1970, what is to be said) by the form that all cells but gaps have; None if there is none. Of two the one in which the rows come more evenly, then the one over the longer time."""
    full = [cell for cell in cells if cell.lower() not in GAPS]
    if not full or not any(letter.isdigit() for letter in full[0]):
        return None
    fits = {}
    for form in FORMS:
        try:
            # a day above 12 far down decides between day/month and month/day, so all are tried
            fits[form] = np.array([np.nan if cell.lower() in GAPS else _days(cell.removesuffix("Z"), form) for cell in cells])
        except ValueError:
            continue
    if len(fits) < 2:
        return next(((days, "") for days in fits.values()), None)
    taken = min(fits, key=lambda form: (_uneven(fits[form]), -float(np.ptp(fits[form][~np.isnan(fits[form])]))))
    either = any(not np.array_equal(days, fits[taken], equal_nan=True) for days in fits.values())
    return fits[taken], TAKEN[taken] if either else ""


def undated(cells: Sequence[str]) -> int:
    """Where dates break off: the first row that a form which reads all before it can't read."""

    def reach(form: str) -> int:
        for row, cell in enumerate(cells):
            try:
                if cell.lower() not in GAPS:
                    _days(cell.removesuffix("Z"), form)
            except ValueError:
                return row
        return len(cells)

    return max(reach(form) for form in FORMS)


def _uneven(days: Numbers) -> float:
    """How much the steps between dates differ, as a share of their mean; months are one long where all dates are of the same day of a month."""
    there = np.floor(days[~np.isnan(days)]).astype(np.int64).astype("datetime64[D]")
    months = there.astype("datetime64[M]")
    monthly = np.unique(there - months.astype("datetime64[D]")).size == 1
    steps = np.diff((months if monthly else there).astype(np.int64))
    if not steps.any():
        return float("inf") if steps.size else 0.0
    return float(steps.std() / max(abs(steps.mean()), 1e-9))


def _days(cell: str, form: str) -> float:
    return (datetime.strptime(cell, form) - datetime(1970, 1, 1)).total_seconds() / 86_400


class Ragged:
    """Brings rows to one width: short ones get gaps, which is told once; a row that is too long is refused."""

    def __init__(self, width: int, separator: str) -> None:
        self.width, self.separator = width, separator
        self.notes: list[str] = []

    def fitted(self, line: int, cells: list[str]) -> list[str]:
        missing = self.width - len(cells)
        if missing < 0 and any(cells[self.width :]):
            told = {"\t": "tab", " ": "space"}.get(self.separator, self.separator)
            problem = f"Line {line:,} has {len(cells)} columns where the others have {self.width} (separator “{told}”)."
            raise BadInput(problem, hint="Look for a separator inside a text or a number, and put that cell in quotation marks.", field="table")
        if missing > 0 and not self.notes:
            self.notes.append(f"Line {line:,} has {len(cells)} of {self.width} columns: the rest counts as gaps.")
        return cells[: self.width] if missing < 0 else cells + [""] * missing
