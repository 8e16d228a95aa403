"""Declaration: a typed model as it is saved and shared, one JSON object."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.simulation.own.tokens import FIELD
from studio.api import BadInput

VERSION = 1
MOST_JSON = 200_000
MOST_STEPS = 10_000_000
Kind = Literal["ode", "map", "automaton", "sde", "stock", "agents", "pde"]


class Declaration(BaseModel):
    """`method` is of the kind: Milstein or Euler–Maruyama, Runge–Kutta or Euler. `size` cells on a side, `spacing` apart, for what lives on a grid."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    version: int = Field(VERSION, ge=1, le=VERSION, alias="schema", title="Schema")
    title: str = Field("My model", min_length=1, max_length=80, title="Title")
    kind: Kind = Field("ode", title="Kind")
    text: str = Field("", title="Model")
    duration: float = Field(100.0, gt=0, le=1e9, allow_inf_nan=False, title="Duration")
    dt: float = Field(0.01, gt=0, le=1e6, allow_inf_nan=False, title="Time step")
    time_unit: str = Field("", max_length=20, title="Unit of time")
    about: str = Field("", max_length=2000, title="About")
    method: Literal["", "euler", "milstein"] = Field("", title="Method")
    size: int = Field(96, ge=8, le=512, title="Cells on a side")
    spacing: float = Field(1.0, gt=0, le=1e6, allow_inf_nan=False, title="Distance of cells")
    border: Literal["periodic", "fixed", "closed"] = Field("periodic", title="Border")


def read_declaration(text: str) -> Declaration:
    """Raises BadInput: files come from anybody."""
    if len(text) > MOST_JSON:
        raise BadInput(f"The model is {len(text):,} letters long; {MOST_JSON:,} can be read.", hint="Make it shorter.", field=FIELD)
    try:
        found = json.loads(text.removeprefix("\ufeff"))  # a mark that some editors put before what they save
        if not isinstance(found, dict):
            raise BadInput("This is no model: its file has to be one JSON object.", hint="Choose a file that was saved on the page “Own”.", field=FIELD)
        json.dumps(found, ensure_ascii=False).encode("utf-8")  # halves of letters could be neither shown nor kept
        declaration = Declaration.model_validate(found)
    except ValidationError as error:
        raise _refused(error) from error
    except (ValueError, RecursionError) as error:
        raise BadInput("This is no model: the file is not JSON.", hint="Choose a file that was saved on the page “Own”.", field=FIELD) from error
    if declaration.duration / declaration.dt > MOST_STEPS:
        raise BadInput(f"These are more than {MOST_STEPS:,} steps.", hint="Make the time step larger or the duration shorter.", field=FIELD)
    if declaration.kind not in ("map", "automaton") and declaration.dt > declaration.duration:
        raise BadInput(f"The time step of {declaration.dt:g} is longer than the run of {declaration.duration:g}.", hint="Make the time step shorter or the duration longer.", field=FIELD)
    return declaration


def _refused(error: ValidationError) -> BadInput:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        return BadInput(f"The model's file has “{name[:40]}”, which is not known here.", hint="It may be from a newer studio.", field=FIELD)
    if name == "schema":
        return BadInput("The model's file is from a newer studio.", hint="Update the studio.", field=FIELD)
    return BadInput(f"The model's “{name[:40]}” can't be used: {str(first['msg'])[0].lower()}{str(first['msg'])[1:]}.", hint="Change the value and try again.", field=FIELD)
