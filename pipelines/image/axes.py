"""Axes of a grid: any field of image.generate, words searched and replaced, whole prompts, or all combinations of additions. Values as the ecosystem writes them.

Lists are separated by commas ("a, b" in quotes keeps its comma); whole numbers also as 1-5, 1-10 (+3), 1-10 [4].
"""

from __future__ import annotations

import csv
import difflib
import io
import itertools
import re
from typing import Any, get_args, get_origin

from pipelines.image.params import PER_PICTURE, ImageParams
from studio.api import BadInput, Fix

REPLACE, PROMPTS, MATRIX = "Prompt S/R", "Prompts", "Prompt matrix"
NOTHING = ""
NO_AXIS = ("prompt", *PER_PICTURE.values(), "image", "mask", "count", "together", "control_image", "control2_image", "control3_image", "reference_image")
FIELDS = {str(field.title): name for name, field in ImageParams.model_fields.items() if name not in NO_AXIS}
AXES = (NOTHING, REPLACE, PROMPTS, MATRIX, *FIELDS)
MOST_CELLS = 400
_RANGE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*-\s*(-?\d+(?:\.\d+)?)\s*(?:\(\s*([+-]?\d+(?:\.\d+)?)\s*\)|\[\s*(\d+)\s*\])?\s*")


def split(text: str) -> list[str]:
    """Values between commas, quotes respected; one per line for prompts."""
    rows = csv.reader(io.StringIO(text.replace("\n", " ")), skipinitialspace=True)
    return [value.strip() for row in rows for value in row if value.strip()]


def read(axis: str, text: str, which: str) -> list[str]:
    """The values of an axis as texts. Raises BadInput at its field."""
    if axis == NOTHING:
        return [""]
    if axis not in AXES:
        near = difflib.get_close_matches(axis, AXES[1:], 1)
        fix = Fix.use(f"{which}_axis", near[0]) if near else None
        raise BadInput(f"There is no axis “{axis}”.", hint=f"Use one of: {', '.join(AXES[1:])}.", field=f"{which}_axis", fix=fix)
    found = [line.strip() for line in text.splitlines() if line.strip()] if axis == PROMPTS else split(text)
    if axis in FIELDS and ImageParams.model_fields[FIELDS[axis]].annotation in (int, float):
        found = [value for item in found for value in _numbers(item, ImageParams.model_fields[FIELDS[axis]].annotation is int)]
    if axis == MATRIX:
        found = [", ".join(some) for size in range(len(found) + 1) for some in itertools.combinations(found, size)]
    if not found:
        raise BadInput(f"The axis “{axis}” has no values.", hint="Write some, with commas between.", field=f"{which}_values")
    return found


def _numbers(item: str, whole: bool) -> list[str]:
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


def change(axis: str, value: str, values: dict[str, Any], all_values: list[str], which: str) -> dict[str, Any]:
    """The parameters with one value of an axis. Raises BadInput where the value is not of the field's kind."""
    if axis == NOTHING:
        return values
    if axis == PROMPTS:
        return values | {"prompt": value}
    if axis == MATRIX:
        return values | {"prompt": ", ".join(part for part in (values["prompt"], value) if part)}
    if axis == REPLACE:
        first = all_values[0]
        if first not in values["prompt"] and first not in values["negative_prompt"]:
            raise BadInput(f"“{first}” is not in the prompt.", hint="The first value is what is searched for.", field=f"{which}_values")
        return values | {name: values[name].replace(first, value) for name in ("prompt", "negative_prompt")}
    name = FIELDS[axis]
    return values | {name: _typed(name, value, which)}


def _typed(name: str, value: str, which: str) -> Any:
    return typed(ImageParams.model_fields[name], value, which)


def typed(field: Any, value: str, which: str) -> Any:
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
