"""Axes of a grid: any field of image.generate, both sides at once, words searched and replaced or in another order, whole prompts, saved styles, or all combinations of additions."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.axes import MOST_CELLS, NOTHING, fields_of, no_values, spelt, split, typed
from pipelines.image.params import PER_PICTURE, ImageParams
from studio.api import BadInput, Fix, joined

REPLACE, PROMPTS, ORDER, SIZE, STYLES = "Prompt S/R", "Prompts", "Prompt order", "Size", "Styles"
MATRIX, MATRIX_FIRST = "Prompt matrix", "Prompt matrix at the start"
NO_AXIS = ("prompt", "hires_prompt", "hires_negative_prompt", *PER_PICTURE.values(), "image", "more_images", "mask", "count", "together", "layers", "control_image", "control2_image", "control3_image", "reference_image")
FIELDS = fields_of(ImageParams, NO_AXIS)
AXES = (NOTHING, REPLACE, PROMPTS, MATRIX, MATRIX_FIRST, ORDER, SIZE, STYLES, *FIELDS)
NO_STYLE = "none"
_SIZE = re.compile(r"(\d{1,4}) ?[x×] ?(\d{1,4})", re.IGNORECASE)


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
    if axis == ORDER:
        found = [", ".join(map(quoted, some)) for some in itertools.islice(itertools.permutations(found), MOST_CELLS + 1)]
    if axis in (MATRIX, MATRIX_FIRST):
        found = [", ".join(some) for size in range(len(found) + 1) for some in itertools.combinations(found, size)]
    if not found:
        raise no_values(axis, which)
    return found


def change(axis: str, value: str, values: dict[str, Any], all_values: list[str], which: str, styles: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    """The parameters with one value of an axis; `styles` are those that an axis can name. Raises BadInput where the value is not of the field's kind."""
    if axis == NOTHING:
        return values
    if axis == PROMPTS:
        return values | {"prompt": value}
    if axis in (MATRIX, MATRIX_FIRST):
        parts = (values["prompt"], value) if axis == MATRIX else (value, values["prompt"])
        return values | {"prompt": ", ".join(part for part in parts if part)}
    if axis == ORDER:
        return values | {"prompt": reordered(values["prompt"], split(value), which)}
    if axis == STYLES:
        return styled(values, value, styles, which)
    if axis == SIZE:
        if not (sides := _SIZE.fullmatch(value)):
            raise BadInput(f"“{value}” is no size.", hint="Write width and height as 512x768.", field=f"{which}_values")
        return values | {"width": int(sides[1]), "height": int(sides[2])}
    if axis == REPLACE:
        first = all_values[0]
        if first not in values["prompt"] and first not in values["negative_prompt"]:
            raise BadInput(f"“{first}” is not in the prompt.", hint="The first value is what is searched for.", field=f"{which}_values")
        return values | {name: values[name].replace(first, value) for name in ("prompt", "negative_prompt")}
    name = FIELDS[axis]
    return values | {name: typed(ImageParams.model_fields[name], value, which)}


def styled(values: dict[str, Any], value: str, styles: Sequence[Mapping[str, str]], which: str) -> dict[str, Any]:
    """Both prompts joined with a style, or with several whose names stand in one value; “None” is none. Raises BadInput."""
    known = {style.get("name", ""): style for style in styles}
    for name in [value] if value in known else split(value):
        if name not in known and name.lower() != NO_STYLE:
            raise BadInput(f"There is no style “{name}”.", hint="Write names of saved styles, or None.", field=f"{which}_values")
        values = values | {part: joined(values[part], known.get(name, {}).get(part, "")) for part in ("prompt", "negative_prompt")}
    return values


def reordered(prompt: str, words: list[str], which: str) -> str:
    """The prompt with these words of it in this order, in the places where they stand first. Raises BadInput."""
    if missing := next((word for word in words if word not in prompt), ""):
        raise BadInput(f"“{missing}” is not in the prompt.", hint="Write words of the prompt, in any order.", field=f"{which}_values")
    longest_first = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    following, seen = iter(words), set[str]()

    def next_one(found: re.Match[str]) -> str:
        if found[0] in seen:
            return found[0]
        seen.add(found[0])
        return next(following)

    return re.sub(longest_first, next_one, prompt)


def quoted(value: str) -> str:
    """As `split` reads it back."""
    return f'"{value}"' if "," in value else value
