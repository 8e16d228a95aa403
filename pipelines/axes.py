"""Axes of grids: how their values are written, and what they are of a method's settings.

Lists are separated by commas ("a, b" in quotes keeps its comma); whole numbers also as 1-5, 1-10 (+3), 1-10 [4].
"""

from __future__ import annotations

import csv
import io
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any, get_args, get_origin

from pydantic import Field
from pydantic.fields import FieldInfo

from studio.api import BadInput, Params, RunContext, StudioError, ui

NOTHING = ""
WHICH = ("x", "y", "z")
MOST_CELLS = 400
Axes = dict[str, tuple[str, list[str]]]  # of each axis its title and values
_RANGE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*-\s*(-?\d+(?:\.\d+)?)\s*(?:\(\s*([+-]?\d+(?:\.\d+)?)\s*\)|\[\s*(\d+)\s*\])?\s*")


def axis(which: str, told: str, choices: Sequence[str] = ()) -> Any:
    """The field of an axis."""
    return Field(NOTHING, max_length=60, title=f"{which.upper()} axis", description=told, json_schema_extra=ui(group="Grid", choices=tuple(choices)) if choices else ui(group="Grid"))


def axis_values(which: str, told: str) -> Any:
    """The field of its values."""
    return Field("", max_length=20_000, title=f"{which.upper()} values", description=told, json_schema_extra=ui(group="Grid", widget="textarea", lines=2))


def split(text: str) -> list[str]:
    """Values between commas, quotes respected."""
    rows = csv.reader(io.StringIO(text.replace("\n", " ")), skipinitialspace=True)
    return [value.strip() for row in rows for value in row if value.strip()]


def numbers(item: str, whole: bool) -> list[str]:
    """A range written out; anything else as it is."""
    found = _RANGE.fullmatch(item)
    if not found:
        return [item]
    first, last = float(found[1]), float(found[2])
    if found[4]:
        count = int(found[4])
        values = [first + (last - first) * number / max(1, count - 1) for number in range(min(count, MOST_CELLS + 1))]
    else:
        step = float(found[3] or 1) or 1.0
        step = step if (last - first) * step >= 0 else -step
        values = [first + number * step for number in range(min(int((last - first) / step + 1e-9) + 1, MOST_CELLS + 1))]
    return [f"{round(value):d}" if whole else f"{value:g}" for value in values]


def spelt(field: FieldInfo, text: str) -> list[str]:
    """The values that a text names of a field."""
    found = split(text)
    return [value for item in found for value in numbers(item, field.annotation is int)] if field.annotation in (int, float) else found


def typed(field: FieldInfo, value: str, which: str) -> Any:
    """The value as a field of a method's parameters has it. Raises BadInput where it is not of its kind."""
    if field.annotation is bool:
        return value.lower() in ("1", "true", "yes", "on")
    if get_origin(field.annotation) is not None:
        return next((choice for choice in get_args(field.annotation) if str(choice).lower() == value.lower()), value)
    if field.annotation in (int, float):
        try:
            return int(value) if field.annotation is int else float(value)
        except ValueError as error:
            raise BadInput(f"“{value}” is no number for {field.title}.", hint="Write numbers with commas between.", field=f"{which}_values") from error
    return value


def fields_of(kind: type[Params], left_out: Sequence[str]) -> dict[str, str]:
    """Of each title the field's name: what can be an axis."""
    return {str(field.title): name for name, field in kind.model_fields.items() if name not in left_out}


def read_axes(params: Params, kind: type[Params], fields: dict[str, str]) -> Axes:
    """Of the three axes in `params`, which change settings of `kind`. Raises BadInput at their fields."""
    found = {which: (getattr(params, f"{which}_axis"), _read(params, which, kind, fields)) for which in WHICH}
    check_axes(found)
    return found


def _read(params: Params, which: str, kind: type[Params], fields: dict[str, str]) -> list[str]:
    title, text = getattr(params, f"{which}_axis"), getattr(params, f"{which}_values")
    if title == NOTHING:
        return [""]
    if title not in fields:
        raise BadInput(f"There is no axis “{title}”.", hint=f"Use one of: {', '.join(fields)}.", field=f"{which}_axis")
    found = spelt(kind.model_fields[fields[title]], text)
    if not found:
        raise no_values(title, which)
    return found


def no_values(title: str, which: str) -> BadInput:
    return BadInput(f"The axis “{title}” has no values.", hint="Write some, with commas between.", field=f"{which}_values")


def check_axes(found: Axes) -> None:
    """Raises BadInput where there is none, or where they make too many cells."""
    if all(title == NOTHING for title, _ in found.values()):
        raise BadInput("The grid has no axis.", hint="Choose what changes along X.", field="x_axis")
    count = 1
    for _, values in found.values():
        count *= len(values)
    if count > MOST_CELLS:
        raise BadInput(f"The grid would have {count:,} cells; {MOST_CELLS} can be made.", hint="Give fewer values.", field="x_values")


def cells_of(axes: Axes, kind: type[Params], fields: dict[str, str], base: dict[str, Any]) -> Iterator[tuple[tuple[str, str, str], dict[str, Any]]]:
    """(labels, settings of `kind`): x quickest, z slowest. Raises BadInput."""

    def chosen(which: str, value: str) -> dict[str, Any]:
        name = fields.get(axes[which][0], "")
        return {name: typed(kind.model_fields[name], value, which)} if name else {}

    for z in axes["z"][1]:
        for y in axes["y"][1]:
            for x in axes["x"][1]:
                yield (x, y, z), base | chosen("z", z) | chosen("y", y) | chosen("x", x)


def at_axis(error: StudioError, params: Params, fields: dict[str, str], otherwise: str) -> StudioError:
    """The error at the values of the axis that changes its field; else at `otherwise`."""
    places = {fields.get(getattr(params, f"{which}_axis"), ""): f"{which}_values" for which in WHICH}
    error.field = places.get(error.field, otherwise)
    return error


def seeded(params: Params) -> Params:
    """One random seed for all parts of a job, so that each can be made again."""
    return params.model_copy(update={"seed": random.randrange(2**31)}) if getattr(params, "seed", 0) == -1 else params


class Part:
    """A job's context for one of its `of` parts: what the part tells of its work is that much less of the whole."""

    def __init__(self, ctx: RunContext, number: int, of: int, note: str) -> None:
        self._ctx, self._number, self._of, self._note = ctx, number, of, note

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    def progress(self, step: int, total: int, note: str = "", share: float = -1.0) -> None:
        done = share if share >= 0 else step / max(1, total)
        self._ctx.progress(*self.counted(step, total), self._note, self.shared(done))

    def counted(self, step: int, total: int) -> tuple[int, int]:
        """As which step of how many the job counts it: here every part is one."""
        return self._number, self._of

    def shared(self, done: float) -> float:
        """How much of the whole is done when so much of this part is: here all parts are alike."""
        return (self._number + done) / self._of
