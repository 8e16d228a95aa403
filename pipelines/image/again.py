"""The second pass at high resolution: its size, and the parameters that it is drawn by. Pure; no torch."""

from __future__ import annotations

from pipelines.image.families import Family
from pipelines.image.params import ImageParams
from pipelines.image.samplers import AUTOMATIC, choose, find, split
from studio.api import BadInput

MOST = 4.0


def scaled(params: ImageParams) -> ImageParams:
    """With the factor that its own width or height asks for: the finished picture covers both. Raises BadInput."""
    if not params.hires_width and not params.hires_height:
        return params
    width, height = drawn_size(params)
    factor = max(params.hires_width / width, params.hires_height / height)
    field = "hires_width" if params.hires_width else "hires_height"
    if factor <= 1:
        raise BadInput(f"The second pass makes pictures larger; the first one draws {width} × {height} pixels.", hint="Ask for more pixels, or set it to 0.", field=field)
    if factor > MOST:
        raise BadInput(f"The second pass makes pictures up to {MOST:g} times as large; this would be {factor:.1f} times.", hint="Ask for fewer pixels, or draw the first pass larger.", field=field)
    return params.model_copy(update={"hires_scale": factor})


def drawn_size(params: ImageParams) -> tuple[int, int]:
    """Of the first pass."""
    return params.width + params.extend_left + params.extend_right, params.height + params.extend_top + params.extend_bottom


def larger_size(params: ImageParams, size: tuple[int, int], unit: int) -> tuple[int, int]:
    """Of the second pass over a picture of that size, in steps of `unit`."""
    wanted = (params.hires_width, params.hires_height) if params.hires_width and params.hires_height else (side * params.hires_scale for side in size)
    width, height = (max(unit, round(side / unit) * unit) for side in wanted)
    return width, height


def sampling_again(params: ImageParams, family: Family, other: Family) -> dict[str, str]:
    """Sampler and schedule of the second pass, which `other` draws; both stay Automatic where they are the first pass's. Raises BadInput at its fields."""
    if params.hires_sampler == params.hires_schedule == AUTOMATIC and other.kind == family.kind:
        return {}
    named, spread = params.hires_sampler, params.hires_schedule
    if named == AUTOMATIC:
        named = params.sampler if other.kind == family.kind else other.sampler
    try:
        if spread == AUTOMATIC and not split(named)[1] and other.kind == family.kind and params.schedule in find(named, other.kind).accepted:
            spread = params.schedule
        sampler, schedule = choose(named, spread, other.kind)
    except BadInput as error:
        error.field = f"hires_{error.field}" if error.field in ("sampler", "schedule") else error.field
        raise
    if params.conventions != "diffusers" and not sampler.tabled:
        raise BadInput(f"“{sampler.name}” does not follow AUTOMATIC1111's conventions.", hint="Choose another sampler for the second pass.", field="hires_sampler")
    return {"hires_sampler": sampler.name, "hires_schedule": schedule}


def words_again(params: ImageParams) -> ImageParams:
    """As the second pass reads it: its own words where there are some."""
    return params.model_copy(update={"prompt": params.hires_prompt or params.prompt, "negative_prompt": params.hires_negative_prompt or params.negative_prompt})


def second_pass(params: ImageParams) -> ImageParams:
    """By what the second pass is drawn, of settled parameters of one picture."""
    told = words_again(params)
    if params.hires_sampler == AUTOMATIC:
        return told
    return told.model_copy(update={"sampler": params.hires_sampler, "schedule": params.hires_schedule})
