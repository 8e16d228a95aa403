"""A model's parameters as its form shows them: what the declaration says of each field, for pages and scripts alike; and a form's numbers."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from studio import ui
from studio.api import Simulation

IN_SIGHT = 4
SCRIPT = (Path(__file__).parent / "simulation_form.js").read_text(encoding="utf-8")  # sends what a form of HTML holds


@dataclass(frozen=True)
class ModelField:
    """One parameter. `low` and `high` are None where open; `advanced` ones are folded; `live` ones may change while it runs; `choices` where it is one of some."""

    name: str
    title: str
    description: str
    unit: str
    kind: str  # "number", "switch", "choice" or "text"
    low: float | None
    high: float | None
    step: float
    default: Any
    live: bool
    advanced: bool
    whole: bool
    choices: tuple[Any, ...] = ()


def fields_of(model: Simulation) -> list[ModelField]:
    """In the order of the declaration; those beyond the first four in sight are advanced as well."""
    found: list[ModelField] = []
    seen = 0
    for name, field in model.Params.model_fields.items():
        if ui.hint(field, "widget") == "hidden":
            continue
        advanced = bool(ui.hint(field, "advanced")) or seen >= IN_SIGHT
        seen += not advanced
        found.append(_field(name, field, advanced))
    return found


def numbers_of(model: Simulation) -> list[ModelField]:
    """Those that an experiment can vary and data can tell: numbers."""
    return [field for field in fields_of(model) if field.kind == "number"]


def _field(name: str, field: Any, advanced: bool) -> ModelField:
    kind, choices = _kind(field)
    low, high = ui.bounds(field)
    return ModelField(
        name, field.title or name, field.description or "", ui.hint(field, "unit"), kind, low, high, ui.hint(field, "step") or 0.0,
        field.get_default(call_default_factory=True), bool(ui.hint(field, "live")), advanced, field.annotation is int, choices,
    )  # fmt: skip


def _kind(field: Any) -> tuple[str, tuple[Any, ...]]:
    if get_origin(field.annotation) is not None and get_args(field.annotation) and str(get_origin(field.annotation)).endswith("Literal"):
        return "choice", get_args(field.annotation)
    if field.annotation is bool:
        return "switch", ()
    return ("number", ()) if field.annotation in (int, float) else ("text", ())


def number_input(name: str, value: Any, label: str = "") -> str:
    """HTML of a number in a form, with all its digits: the form sends them back."""
    about = f" aria-label='{html.escape(label)}'" if label else ""
    return f"<input type='number' step='any' inputmode='decimal' data-name='{html.escape(name)}' value='{html.escape(str(value).removesuffix('.0'))}'{about}>"


def read_number(value: Any) -> float | None:
    """What stands in it; None where that is no number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < float("inf") else None
