"""Table: columns of numbers from a CSV file of any make (RFC 4180 and what programs write instead). Encoding, separator, decimal sign, header and dates are guessed and told."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipelines.simulation.learning.cells import GAPS, Ragged, dates, decimal_of, is_number, number, undated
from studio.api import BadInput, Fix, Numbers

LEAST_LEFT = 3  # rows, where some are put together
MOST_ROWS, KEPT_ROWS, MOST_COLUMNS, MOST_BYTES = 2_000_000, 5_000, 200, 200 * 2**20
MOST_CELLS = 8_000_000
SEPARATORS = (",", ";", "\t", "|")
SAMPLED, LOOKED_AT = 200, 200_000  # rows and letters that separator, decimal sign and kinds are guessed from
PADDED = 10  # spaces between two columns that stand under each other
MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True)
class Column:
    """`values` (rows,), gaps as NaN; those of a text column are all NaN and `wrong` says where its first text stands. Dates are days since 1970."""

    name: str
    kind: str  # "number" | "date" | "text"
    values: Numbers
    wrong: str = ""
    notes: tuple[str, ...] = ()
    sums: Numbers = field(default_factory=lambda: np.empty(0))  # of the rows that were put together, where they were
    first: float = float("nan")  # the first row's value, where rows were put together

    @property
    def gaps(self) -> int:
        return int(np.isnan(self.values).sum())


@dataclass(frozen=True)
class Table:
    """What was read, and how; `notes` are sentences about what was changed on the way."""

    columns: tuple[Column, ...]
    rows: int  # in the file
    every: int  # of how many of them one is here
    most: int  # rows that could be here
    encoding: str
    separator: str
    decimal: str
    notes: tuple[str, ...] = field(default=())

    def column(self, name: str, at: str) -> Column:
        """A column of numbers or dates. Raises BadInput at the field `at`."""
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            raise BadInput(f"The table has no column “{name}”.", hint=f"It has {', '.join(column.name for column in self.columns[:12])}.", field=at)
        if found.kind == "text":
            raise BadInput(f"Column “{name}” holds text: {found.wrong}.", hint="Choose a column of numbers, or mend that cell; gaps may be empty, NA or -.", field=at)
        return found


def read_table(data: bytes, together: int = 1, most: int = KEPT_ROWS) -> Table:
    """Of `together` rows the last one stands for all; `sums` add them up. Of more than `most` rows some are left out. Raises BadInput with line and column."""
    if len(data) > MOST_BYTES:
        raise BadInput(f"The table has {len(data) >> 20} MB; {MOST_BYTES >> 20} can be read.", hint="Take fewer rows.", field="table")
    text, encoding = decoded(data)
    if not text.strip():
        raise BadInput("The table is empty.", hint="Give a CSV file: a line of names, then rows of numbers.", field="table")
    separator = separator_of(text)
    first, rows, ragged = split(text, separator)
    decimal = decimal_of(_sample(rows), separator)
    names, start = header(first, rows, decimal, separator)
    notes: list[str] = list(ragged)
    body = rows[start:]
    if not body:
        raise BadInput("The table has names, but no rows below them.", hint="Give at least three rows of numbers.", field="table")
    every = together if together > 1 else -(-len(body) // most)
    if together > 1:
        _check_together(len(body), together, most)
        notes.append(f"Of {len(body):,} rows {together:,} each are put together.")
        columns = tuple(put_together(name, [cells[at] for _, cells in body], [line for line, _ in body], at, decimal, together) for at, name in enumerate(names))
    else:
        if every > 1:
            notes.append(f"Of {len(body):,} rows one in {every:,} is used.")
        kept = body[::every]
        lines = [line for line, _ in kept]
        columns = tuple(column(name, [cells[at] for _, cells in kept], lines, at, decimal) for at, name in enumerate(names))
    notes += [note for one in columns for note in one.notes]
    return Table(columns, len(body), every, most, encoding, separator, decimal, tuple(notes))


def _check_together(rows: int, together: int, most: int) -> None:
    """Raises BadInput where too few or too many rows would be left."""
    if rows // together < LEAST_LEFT:
        raise BadInput(f"Of {rows:,} rows {rows // together} would be left.", hint="Put fewer together.", field="together")
    if rows // together > most:
        fewest = -(-rows // most)
        raise BadInput(f"Of {rows:,} rows {rows // together:,} would be left; {most:,} can be used.", hint="Put more together.", field="together", fix=Fix.use("together", fewest, f"{fewest:,}"))


def put_together(name: str, cells: list[str], lines: list[int], at: int, decimal: str, together: int) -> Column:
    """The last of each group of rows and, of numbers, their sum; rows at the end that fill no group are left out."""
    last = slice(together - 1, None, together)
    try:
        values = np.array([number(cell, decimal) for cell in cells])
    except ValueError:
        found = column(name, [cells[0], *cells[last]], [lines[0], *lines[last]], at, decimal)
        return replace(found, values=found.values[1:], first=float(found.values[0]))
    groups = len(values) // together
    return Column(name, "number", values[last], sums=values[: groups * together].reshape(groups, together).sum(axis=1), first=float(values[0]))


def decoded(data: bytes) -> tuple[str, str]:
    """(text, encoding). Raises BadInput for what is no text."""
    for mark, name in MARKS:
        if data.startswith(mark):
            return _decode(data, name), name
    if data[:400].count(0) > len(data[:400]) // 4:  # UTF-16 without a mark: every other byte of plain numbers is 0
        name = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
        return _decode(data, name), name
    if b"\0" in data:
        raise BadInput(f"This is no text: byte {data.index(0) + 1:,} is zero.", hint="Save the table as CSV, not as a workbook.", field="table")
    for name in ("utf-8", "cp932"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if name == "utf-8" or _japanese(text):
            return text, "shift-jis" if name == "cp932" else name
    return data.decode("cp1252", errors="replace"), "cp1252"


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode(name)
    except UnicodeDecodeError as error:
        raise BadInput(f"The text breaks off at byte {error.start + 1:,}: it is not {name} in full.", hint="Save it again as CSV, UTF-8.", field="table") from error


def _japanese(text: str) -> bool:
    """Whether most signs beyond ASCII are kana or common kanji: cp1252 read as Shift-JIS gives half-width kana or rare ones."""
    beyond = [letter for letter in text[:100_000] if ord(letter) > 127]
    return bool(beyond) and sum("\u3000" <= letter <= "\u30ff" or "\u4e00" <= letter <= "\u9fff" or "\uff01" <= letter <= "\uff5e" for letter in beyond) > 0.7 * len(beyond)


def separator_of(text: str) -> str:
    """The sign that cuts the first rows into the same number of columns, the most of them; a space where none does."""
    begin = text.rfind("\n", 0, len(text) - len(text.lstrip())) + 1  # of the first line with something in it
    start, whole = text[begin : begin + LOOKED_AT], len(text) - begin <= LOOKED_AT
    head = [line for line in start.splitlines()[:SAMPLED] if line.strip()]
    if len(head) > 1 and not start.endswith("\n") and not whole:
        head = head[:-1]
    if not head:
        return ","

    def counted(separator: str) -> tuple[float, int]:
        try:
            widths = [len(cells) for cells in csv.reader(head, delimiter=separator)]
        except csv.Error:  # a cell without end
            return 0.0, 1
        usual = max(set(widths), key=widths.count)
        return (widths.count(usual) / len(widths), usual) if usual > 1 else (0.0, 1)

    told = {separator: counted(separator) for separator in SEPARATORS}
    if ";" in start and told[";"][0] > 0.8:
        return ";"  # then commas are decimal signs
    best = max(SEPARATORS, key=lambda separator: told[separator])
    if told[best][1] > 1:
        return best
    widths = {len(line.split()) for line in head}
    return " " if min(widths) > 1 and len(widths) <= 2 else ","


def split(text: str, separator: str) -> tuple[int, list[tuple[int, list[str]]], list[str]]:
    """(columns, [(line, cells)], notes). Short rows get gaps; raises BadInput where a row has more cells than the first ones."""
    rows: list[tuple[int, list[str]]] = []
    if text.count(separator) > MOST_CELLS * (PADDED if separator == " " else 1):
        raise BadInput(f"The table has more than {MOST_CELLS:,} cells.", hint="Take fewer rows or columns.", field="table")
    try:
        for line, cells in _cut(text, separator):
            if any(cells):
                rows.append((line, cells))
            if len(rows) > MOST_ROWS:
                raise BadInput(f"The table has more than {MOST_ROWS:,} rows.", hint="Take fewer rows.", field="table")
    except csv.Error as error:
        raise BadInput(f"The table can't be read: {error}.", hint="Look for a quotation mark that is never closed.", field="table") from error
    if not rows:
        raise BadInput("The table is empty.", hint="Give a CSV file: a line of names, then rows of numbers.", field="table")
    widths = [len(cells) for _, cells in rows[:SAMPLED]]
    width = max(set(widths), key=widths.count)
    while rows and len(rows[0][1]) < width and len(rows) > 1 and len(rows[0][1]) == 1:
        rows.pop(0)  # a title above the table
    ragged = Ragged(width, separator)
    rows = [(line, ragged.fitted(line, cells)) for line, cells in rows]
    if width > MOST_COLUMNS:
        raise BadInput(f"The table has {width} columns; {MOST_COLUMNS} can be read.", hint="Leave out those that are not needed.", field="table")
    return width, rows, ragged.notes


def _cut(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    if separator == " ":
        yield from ((at, line.split()) for at, line in enumerate(text.splitlines(), 1) if not line.lstrip().startswith("#"))
        return
    reader, line = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True), 1
    for cells in reader:
        if not (cells and cells[0].lstrip().startswith("#")):
            yield line, [cell.strip() for cell in cells]
        line = reader.line_num + 1  # where the next row begins: a quoted cell may go over lines


def _sample(rows: Sequence[tuple[int, list[str]]]) -> list[str]:
    return [cell for _, cells in rows[:SAMPLED] for cell in cells]


def header(width: int, rows: Sequence[tuple[int, list[str]]], decimal: str, separator: str) -> tuple[list[str], int]:
    """(names, rows of header). The first row is one unless it holds a number or a date."""
    first = rows[0][1]
    holds = any(is_number(cell, decimal) for cell in first) or dates([cell for cell in first if cell]) is not None
    if holds:
        return [f"column {at + 1}" for at in range(width)], 0
    names: list[str] = []
    for at, cell in enumerate(first):
        name = " ".join(cell.split())[:60] or f"column {at + 1}"
        names.append(name if name not in names else f"{name} ({at + 1})")
    return names, 1


def column(name: str, cells: list[str], lines: list[int], at: int, decimal: str) -> Column:
    """Numbers if all cells but gaps are numbers, else dates, else text."""
    try:
        return Column(name, "number", np.array([number(cell, decimal) for cell in cells]))
    except ValueError:
        pass
    dated = dates(cells)
    if dated is not None:
        return Column(name, "date", dated[0], notes=(f"The dates of “{name}” fit two ways of writing them: {dated[1]}",) if dated[1] else ())
    text = next(row for row, cell in enumerate(cells) if cell.lower() not in GAPS and not is_number(cell, decimal))
    wrong = max(text, undated(cells))  # of a column that begins with dates the one that is none
    return Column(name, "text", np.full(len(cells), np.nan), f"“{cells[wrong][:40]}” in line {lines[wrong]:,}, column {at + 1}")
