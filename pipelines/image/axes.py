"""Axes of a grid: any field of image.generate, words searched and replaced, whole prompts, or all combinations of additions."""

from __future__ import annotations

import difflib
import itertools
from typing import Any

from pipelines.axes import NOTHING, fields_of, no_values, spelt, split, typed
from pipelines.image.params import PER_PICTURE, ImageParams
from studio.api import BadInput, Fix

REPLACE, PROMPTS, MATRIX = "Prompt S/R", "Prompts", "Prompt matrix"
NO_AXIS = ("prompt", "hires_prompt", "hires_negative_prompt", *PER_PICTURE.values(), "image", "more_images", "mask", "count", "together", "layers", "control_image", "control2_image", "control3_image", "reference_image")
FIELDS = fields_of(ImageParams, NO_AXIS)
AXES = (NOTHING, REPLACE, PROMPTS, MATRIX, *FIELDS)


def read(axis: str, text: str, which: str) -> list[str]:
    """The values of an axis as texts. Raises BadInput at its field."""
    if axis == NOTHING:
        return [""]
    if axis not in AXES:
        near = difflib.get_close_matches(axis, AXES[1:], 1)
        fix = Fix.use(f"{which}_axis", near[0]) if near else None
        raise BadInput(f"There is no axis “{axis}”.", hint=f"Use one of: {', '.join(AXES[1:])}.", field=f"{which}_axis", fix=fix)
    found = [line.strip() for line in text.splitlines() if line.strip()] if axis == PROMPTS else split(text)
    if axis in FIELDS:
        found = spelt(ImageParams.model_fields[FIELDS[axis]], text)
    if axis == MATRIX:
        found = [", ".join(some) for size in range(len(found) + 1) for some in itertools.combinations(found, size)]
    if not found:
        raise no_values(axis, which)
    return found


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
    return values | {name: typed(ImageParams.model_fields[name], value, which)}
