"""A style as the Style page knows it: one of the 26, a picture, or a blend of up to three of one sort, with weights. No gradio.

A mix is a list of {"style": …, "weight": …}; a style is "n:" and a name of the 26, or the key of a picture among the inputs.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from studio.api import BadInput

BLEND, ANY, FINE, MODEL, BATCH = "image.style_blend", "image.style_any", "image.style_optimise", "image.style_diffuse", "image.style_batch"
METHODS = {"Quick": (BLEND, ANY), "Fine": (FINE,), "With the image model": (MODEL,)}
QUICK = METHODS["Quick"]  # what is painted in a moment
MOST = 3
NAME = "n:"
SLOTS = ("style", "style2", "style3")
KEY = re.compile(r"[0-9a-f]{64}\.(png|jpg|webp|gif)")
Mix = list[dict[str, Any]]


def single(style: str) -> Mix:
    return [{"style": style, "weight": 1.0}]


def read_mix(given: Any) -> Mix:
    """What a page sent. Raises BadInput for what is no mix."""
    try:
        parts = json.loads(given) if isinstance(given, str) else given
        mix: Mix = [{"style": str(part["style"]), "weight": float(part["weight"])} for part in parts]
    except (ValueError, TypeError, KeyError) as error:
        raise BadInput("This is no style.", hint="Choose a painting.", field="style") from error
    if len({is_named(part) for part in mix}) > 1 or not all(is_named(part) or KEY.fullmatch(part["style"]) for part in mix):
        raise BadInput("This is no style.", hint="Choose a painting.", field="style")
    if len(mix) > MOST:
        raise BadInput(f"These are {len(mix)} styles; up to {MOST} are blended here.", hint="Take some out.", field="style")
    if not all(0 <= part["weight"] <= 1 for part in mix):
        raise BadInput("A weight is from 0 to 1.", hint="Move its slider.", field="style")
    return mix


def is_named(part: dict[str, Any]) -> bool:
    return str(part["style"]).startswith(NAME)


def tile(mix: Mix) -> str:
    """The same for the same mix: the name of its thumbnail."""
    total = sum(part["weight"] for part in mix) or 1.0
    plain = sorted((part["style"], round(part["weight"] / total, 3)) for part in mix)
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:16]


def method_of(mix: Mix, method: str) -> str:
    """The pipeline that paints it: the 26 have a network of their own and no picture that could be painted after; with the image model words tell the manner."""
    chosen = METHODS.get(method, QUICK)[-1]
    return BLEND if mix and is_named(mix[0]) and chosen != MODEL else chosen


def pictures(mix: Mix) -> Mix:
    """Those of its styles that are pictures."""
    return [part for part in mix if not is_named(part)]


def named_text(mix: Mix) -> str:
    """For image.style_blend: "Name" or "Name: 0.7, Other: 0.3"."""
    if len(mix) == 1:
        return str(mix[0]["style"]).removeprefix(NAME)
    return ", ".join(f"{part['style'].removeprefix(NAME)}: {part['weight']:g}" for part in mix)


def style_values(mix: Mix, fields: Any) -> dict[str, Any]:
    """The parameters that say the style, of those that a method has. Raises BadInput where it can't be told."""
    if "styles" in fields:
        return {"styles": named_text(mix)}
    if len(mix) > 1 and "style2" not in fields:
        raise BadInput("This method takes one style picture.", hint="Choose one, or another method.", field="style")
    values: dict[str, Any] = {}
    for slot, part in zip(SLOTS, mix, strict=False):
        values[slot] = part["style"]
        if f"{slot}_weight" in fields:
            values[f"{slot}_weight"] = part["weight"]
    return values


def mix_of(values: dict[str, Any]) -> Mix:
    """The reverse: from a job's parameters."""
    if text := str(values.get("styles") or ""):
        named = [_named(part) for part in text.split(",") if part.strip()]
        largest = max([1.0, *(part["weight"] for part in named)])  # weights are shares: a slider ends at 1
        return [part | {"weight": part["weight"] / largest} for part in named]
    return [{"style": str(values[slot]), "weight": float(values.get(f"{slot}_weight", 1.0))} for slot in SLOTS if values.get(slot)]


def _named(part: str) -> dict[str, Any]:
    name, colon, weight = part.rpartition(":")
    try:
        return {"style": NAME + name.strip(), "weight": float(weight)} if colon else {"style": NAME + part.strip(), "weight": 1.0}
    except ValueError:
        return {"style": NAME + part.strip(), "weight": 1.0}
