"""ModelParams: which model a run, an experiment or a calibration is of, with which values."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np
from pydantic import Field

from pipelines.simulation.experiments.effort import seconds_of_run
from studio.api import BadInput, Language, Params, Result, RunContext, Simulation, Simulations, captions_in, drawable, read_model_values, steps_at, ui

MOST_HOURS = 24  # of one core, at the usual size: an experiment may go on over night
MOST_STEPS = 10**10  # of one run: the quickest models make some thirty million a second
OWN = "own"  # the id that stands for a model of one's own, declared in `own`


class ModelParams(Params):
    """Base of all Params that name a model."""

    model: str = Field("lorenz63", max_length=80, title="Model", description="An id of the gallery, or “own”.", json_schema_extra=ui(widget="hidden"))
    own: str = Field("", max_length=200_000, title="Your own model", description="Its declaration as JSON, where the model is “own”.", json_schema_extra=ui(widget="hidden"))
    values: dict[str, Any] = Field({}, title="Parameters", description="The model's own, by name; what is left out is as declared.", json_schema_extra=ui(widget="hidden"))
    seed: int = Field(-1, ge=-1, le=2**31 - 1, title="Seed", description="-1 takes a new one each time.", json_schema_extra=ui(advanced=True, widget="number"))


class DrawnParams(ModelParams):
    """Base of those whose results hold pictures."""

    language: Language = Field("en", title="Language of pictures", description="In which words stand in them; English where no font has the letters.", json_schema_extra=ui(widget="hidden"))


D = TypeVar("D", bound=DrawnParams)


def lettered(params: D) -> D:
    """With the language that its pictures can have here."""
    return params.model_copy(update={"language": drawable(params.language)})


def captioned(run: Callable[[Any, Any, RunContext], Result]) -> Callable[[Any, Any, RunContext], Result]:
    """A pipeline's `run` whose pictures are in the language of its params."""

    @wraps(run)
    def labelled(self: Any, params: DrawnParams, ctx: RunContext) -> Result:
        with captions_in(params.language):
            return run(self, params, ctx)

    return labelled


def model_of(params: ModelParams, simulations: Simulations) -> Simulation:
    """Raises NotFound, BadInput."""
    if params.model != OWN:
        return simulations.find(params.model)
    if not params.own.strip():
        raise BadInput("There is no model of your own yet.", hint="Write its equations on the page “Own”.", field="own")
    from pipelines.simulation.own import read_model

    return read_model(params.own)


def own_of(params: ModelParams) -> str:
    """The declaration, where the model is one's own; "" for one of the gallery."""
    return params.own if params.model == OWN else ""


def chosen(params: ModelParams, simulations: Simulations) -> tuple[Simulation, Any]:
    """The model and its parameters. Raises NotFound, BadInput at `values.<name>`."""
    model = model_of(params, simulations)
    return model, read_model_values(model, params.values)


def check_length(model: Simulation, values: Any, duration: float, *, runs: int = 1, field: str = "duration") -> None:
    """Raises BadInput where nobody would wait for the end of so many runs."""
    if (steps := runs * int(steps_at(model, values, np.array([duration]))[0])) > MOST_STEPS:
        raise BadInput(f"This would be {steps:,} steps; {MOST_STEPS:,} is the most.", hint="Make it shorter.", field=field)
    if (hours := seconds_of_run(model, steps) / 3600) > MOST_HOURS:
        raise BadInput(f"This would take about {hours:,.1f} hours; {MOST_HOURS} is the most.", hint="Make it shorter.", field=field)
