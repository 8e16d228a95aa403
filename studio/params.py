"""Params: what the user chose, as a frozen pydantic model.

The same class makes the controls, the REST body, the metadata in the file and sweep axes.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from studio.errors import BadInput, Fix

Widget = Literal["auto", "textarea", "slider", "number", "checkbox", "choice", "model", "json", "hidden", "lines", "picture"]
SEED_LIMIT = 2**31 - 1


def ui(
    *, group: str = "", widget: Widget = "auto", advanced: bool = False, model_kind: str = "", step: float = 0, lines: int = 3, choices: Sequence[str] = (), unit: str = "", live: bool = False
) -> dict[str, Any]:
    """Hints for the control of a field, kept in its JSON schema under "ui". `choices` are names that the method itself checks; `live` fields may change while a simulation runs."""
    return {
        "ui": {
            "group": group,
            "widget": widget,
            "advanced": advanced,
            "model_kind": model_kind,
            "step": step,
            "lines": lines,
            "choices": list(choices),
            "unit": unit,
            "live": live,
        }
    }


class Params(BaseModel):
    """Base of every pipeline's parameters. No field defaults to None; seed -1 means random."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    schema_version: ClassVar[int] = 1

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Bring values written by an older schema_version up to date."""
        return values

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        """Validate; raise BadInput with a sentence that names the first field and its range."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise bad_input(cls, error) from error

    @classmethod
    def restore(cls, values: dict[str, Any], version: int) -> tuple[Self, dict[str, str]]:
        """Keep every value that validates; return the rest as {field: reason}."""
        values = cls.migrate(dict(values), version)
        refused = {name: "not known here" for name in values if name not in cls.model_fields}
        kept = {name: value for name, value in values.items() if name in cls.model_fields}
        while True:
            try:
                return cls.model_validate(kept), refused
            except ValidationError as error:
                broken = {str(item["loc"][0]): refusal(item, str(cls.model_fields[str(item["loc"][0])].title)) for item in error.errors() if item["loc"] and item["loc"][0] in kept}
                if not broken:
                    raise bad_input(cls, error) from error
                refused |= broken
                kept = {name: value for name, value in kept.items() if name not in broken}


class ExtensionParams(Params):
    """Fields that an extension adds to other people's methods: drawn under its title, validated, kept in the metadata, restored."""

    title: ClassVar[str] = ""
    pipelines: ClassVar[tuple[str, ...]] = ("",)  # beginnings of the ids of the methods they belong to

    @classmethod
    def applies(cls, pipeline_id: str) -> bool:
        return pipeline_id.startswith(cls.pipelines)


# Why a value is refused, by pydantic's type of error: {0} is the field's title, {1} the bound
REFUSALS: dict[str, str] = {
    "greater_than_equal": "{0} must be at least {1}.", "less_than_equal": "{0} must be at most {1}.",
    "greater_than": "{0} must be more than {1}.", "less_than": "{0} must be less than {1}.",
    "int_parsing": "{0} must be a whole number.", "int_from_float": "{0} must be a whole number.", "int_type": "{0} must be a whole number.",
    "float_parsing": "{0} must be a number.", "float_type": "{0} must be a number.", "finite_number": "{0} must be a number.",
    "bool_parsing": "{0} must be on or off.", "bool_type": "{0} must be on or off.", "literal_error": "{0} must be one of {1}.",
    "string_type": "{0} must be text.", "list_type": "{0} must be a list.", "dict_type": "{0} must be names with values.",
    "string_too_long": "{0} can have {1} letters at most.", "too_long": "{0} can have {1} entries at most.",
    "not_its_kind": "{0} can't be used here: it is a file of another kind.", "missing": "{0} is missing.", "extra_forbidden": "There is no setting “{0}” here.",
}  # fmt: skip
KEPT = "[0-9a-f]{64}"  # in the pattern of a field that holds the key of a file somebody gave
BOUNDS = ("ge", "le", "gt", "lt", "expected", "max_length")


def bad_input(cls: type[BaseModel], error: ValidationError) -> BadInput:
    """The first refused field as a sentence."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    field = cls.model_fields.get(name)
    title = (field.title if field else None) or name or "These settings"
    return BadInput(refusal(first, title), hint="Change the value and try again.", field=name, fix=_mended(name, field, first))


def _mended(name: str, field: Any, item: Any) -> Fix | None:
    """The bound that was crossed, or the nearest choice; None where the value says nothing about what was meant."""
    context = item.get("ctx", {})
    bound = next((context[key] for key in ("ge", "le") if key in context), None)
    if bound is not None and len(item["loc"]) == 1:
        return Fix.use(name, bound)
    if item["type"] == "literal_error" and isinstance(item["input"], str):
        near = difflib.get_close_matches(item["input"], [str(choice) for choice in get_args(field.annotation)], 1)
        return Fix.use(name, near[0]) if near else None
    return None


def refusal(item: Any, title: str) -> str:
    """One of pydantic's errors in the words of REFUSALS; a validator's own words after the field's title."""
    context = item.get("ctx", {})
    bound = next((str(context[name]) for name in BOUNDS if name in context), "")
    own = str(item["msg"]).removeprefix("Value error, ")
    kind = "not_its_kind" if KEPT in context.get("pattern", "") else item["type"]
    return REFUSALS[kind].format(title, bound) if kind in REFUSALS else f"{title}: {own[0].lower()}{own[1:]}."


def resolve_seed(params: Params) -> Params:
    """Replace seed -1 by a random one, so that the result can be repeated."""
    if getattr(params, "seed", 0) != -1:
        return params
    return params.model_copy(update={"seed": random.SystemRandom().randrange(SEED_LIMIT)})
