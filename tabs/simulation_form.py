"""A model's parameters as its form shows them: what the declaration says of each field, for pages and scripts alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args, get_origin

from studio import ui
from studio.api import Simulation

IN_SIGHT = 4


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
