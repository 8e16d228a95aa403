"""Values out of hostile JSON: only what has the right kind is taken."""

from __future__ import annotations

import json
import math
from typing import Any

ENDINGS = (".safetensors", ".ckpt", ".pt", ".pth", ".gguf", ".bin")


def as_json(text: str) -> dict[str, Any]:
    """{} for what is no JSON object."""
    if not text.lstrip().startswith("{"):
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def whole(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = number(value)
    return int(found) if found is not None and found == int(found) else None


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def entries(value: Any) -> list[dict[str, Any]]:
    """The objects in a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def kept(**values: Any) -> dict[str, Any]:
    """Those that there are."""
    return {name: value for name, value in values.items() if value is not None and value != ""}


def stem(path: str) -> str:
    """A model file's name without folders and ending; a point in a name is no ending."""
    last = path.replace("\\", "/").rpartition("/")[2]
    return next((last[: -len(ending)] for ending in ENDINGS if last.lower().endswith(ending)), last)
