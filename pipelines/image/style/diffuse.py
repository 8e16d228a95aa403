"""image.style_diffuse: a picture drawn anew by a diffusion model, in a manner that words or a reference picture tell.

Sources: Meng et al., SDEdit, 2021 (from the picture with noise added); Ye et al., IP-Adapter, 2023 (a reference picture beside the words). The drawing is image.generate's.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from PIL import Image
from pydantic import Field

from pipelines.image.families import Family, family_of
from pipelines.image.generate import Generate
from pipelines.image.params import PICTURE, ImageParams
from pipelines.image.settle import check_picture, image_model
from pipelines.image.style.content import Facts, facts_of, opened, png, resized, result_size
from pipelines.image.style.finish import enlarging_bytes, last_touches, with_upscaler
from pipelines.image.style.flow import check_size
from pipelines.image.style.params import StyleParams
from pipelines.image.style.presets import PRESETS, worded
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, ModelEntry, Need, Params, Result, RunContext, StudioError, ui

ADAPTER_TOLD = "The IP-Adapter that follows the style picture; empty takes the first that fits the model."
CFG_TOLD = str(ImageParams.model_fields["cfg_scale"].description)


class DiffuseParams(StyleParams):
    prompt: str = Field("", max_length=20_000, title="Prompt", description="What is in the picture; may be empty.", json_schema_extra=ui(group="Style", widget="textarea", lines=2))
    preset: str = Field("", max_length=60, title="Manner", description="Words for a manner of painting, added to the prompt.", json_schema_extra=ui(group="Style", choices=("", *PRESETS)))
    style: str = Field("", pattern=PICTURE, title="Style picture", description="A picture whose manner is taken; needs an IP-Adapter for the model.", json_schema_extra=ui(group="Style", widget="hidden"))
    reference_model: str = Field("", title="Reference model", description=ADAPTER_TOLD, json_schema_extra=ui(group="Style", widget="model", model_kind="ip_adapter", advanced=True))
    reference_weight: float = Field(0.6, ge=0.0, le=2.0, title="Reference weight", description="How closely the style picture is followed.", json_schema_extra=ui(group="Style", step=0.05, advanced=True))
    change: float = Field(0.5, ge=0.05, le=1.0, title="Change", description="How much of the picture is drawn anew: little keeps its shapes.", json_schema_extra=ui(group="Style", step=0.05))
    model: str = Field("", title="Model", description="The image model; empty takes the first of yours, else the one that comes with the studio.", json_schema_extra=ui(group="Style", widget="model", model_kind="image"))
    steps: int = Field(0, ge=0, le=150, title="Steps", description="More is finer and slower; 0 is what the model's makers advise.", json_schema_extra=ui(group="Sampling", advanced=True))
    cfg_scale: float = Field(-1.0, ge=-1.0, le=30.0, title="CFG scale", description=CFG_TOLD, json_schema_extra=ui(group="Sampling", step=0.1, advanced=True))
    seed: int = Field(-1, ge=-1, le=2**31 - 1, title="Seed", description="The same seed gives the same picture; -1 is random.", json_schema_extra=ui(group="Sampling", widget="number", advanced=True))


class Diffuse:
    """One artifact. Only still pictures: frames drawn one by one would flicker."""

    id: ClassVar[str] = "image.style_diffuse"
    title: ClassVar[str] = "Style by diffusion"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = DiffuseParams

    def presets(self) -> list[str]:
        return list(PRESETS)

    def adapters(self, model: str, catalog: Catalog) -> list[str]:
        """Keys of those that can follow a style picture with a model, for the page."""
        try:
            entry = image_model(model, catalog)
        except StudioError:
            return []
        return [one.key for one in fitting(entry, family_of(entry), catalog)]

    def expand_prompts(self, params: DiffuseParams, expand: Callable[[str, int], str]) -> DiffuseParams:
        """Wildcards and styles of one's own, by the extensions that bring them."""
        return params.model_copy(update={"prompt": expand(params.prompt, params.seed)})

    def need(self, params: DiffuseParams, catalog: Catalog) -> Need:
        return self.place(params, catalog, "cpu", sys.maxsize)

    def place(self, params: DiffuseParams, catalog: Catalog, device: str, room: int) -> Need:
        if not params.image:
            return Need(missing="There is no picture to paint anew.")
        try:
            need = Generate().place(self._drawing(params, catalog), catalog, device, room)
            return replace(need, weight_bytes=need.weight_bytes + enlarging_bytes(params, catalog, device))
        except StudioError as error:
            return Need(missing=error.message)

    def pace_key(self, params: DiffuseParams, catalog: Catalog) -> str:
        return f"{self.id} {image_model(params.model, catalog).key}"

    def seconds(self, params: DiffuseParams, catalog: Catalog, pace: dict[str, float]) -> float:
        return Generate().seconds(self._drawing(params, catalog), catalog, pace)

    def settle(self, params: DiffuseParams, desk: Desk) -> DiffuseParams:
        if not params.image:
            raise BadInput("There is no picture to paint anew.", hint="Give one.", field="image")
        facts = facts_of(params.image, "image", desk)
        check_still(params, facts)
        if params.mask and (mask := check_picture(params.mask, "mask", desk)) != (facts.width, facts.height):
            raise BadInput(f"The mask is {mask[0]} × {mask[1]} pixels, the picture {facts.width} × {facts.height}.", hint="Draw the mask on this picture.", field="mask")
        if params.style:
            check_picture(params.style, "style", desk)
        elif params.reference_model:
            raise BadInput("There is no style picture.", hint="Give one, or leave the reference model empty.", field="reference_model")
        elif params.reference_weight != DiffuseParams.model_fields["reference_weight"].default:
            raise BadInput("There is no style picture.", hint="Give one, or leave the reference weight as it is.", field="reference_weight")
        settled = self._settled(params, desk)
        return with_upscaler(params.model_copy(update={name: getattr(settled, name) for name in ("model", "steps", "cfg_scale", "reference_model")}), desk.catalog)

    def _settled(self, params: DiffuseParams, desk: Desk) -> ImageParams:
        """image.generate's own parameters, checked. Raises StudioErrors at the fields of this form."""
        try:
            return Generate().settle(self._drawing(params, desk.catalog), desk)
        except StudioError as error:
            adapter = "reference_model" if params.reference_model else "style"
            error.field = {"denoising_strength": "change", "reference_model": adapter, "reference_image": "style", "negative_prompt": "preset"}.get(error.field, error.field)
            raise

    def _drawing(self, params: DiffuseParams, catalog: Catalog) -> ImageParams:
        """Raises BadInput where the model's family can't do what is asked."""
        entry = image_model(params.model, catalog)
        family = family_of(entry)
        prompt, negative = worded(params.prompt, params.preset)
        check_family(params, entry, family)
        values: dict[str, Any] = {
            "image": params.image, "prompt": prompt, "negative_prompt": negative if family.negative else "", "model": entry.key, "denoising_strength": params.change,
            "steps": params.steps, "cfg_scale": params.cfg_scale, "seed": params.seed, "resize": "Stretch",
        }  # fmt: skip
        if params.style:
            values |= {"reference_model": params.reference_model or adapter_for(entry, family, catalog).key, "reference_image": params.style, "reference_weight": params.reference_weight}
        return ImageParams.parse(values)

    def run(self, params: DiffuseParams, ctx: RunContext) -> Result:
        facts, about, frames = opened(ctx.input(params.image))
        check_still(params, facts)
        size = result_size(facts, params.size)
        frame = next(frames).resized(size, ctx.check)
        drawing = self._settled(params, Desk(ctx.catalog, Given(ctx)))  # type: ignore[arg-type]
        made: list[Artifact] = []
        told = Generate().draw(drawing, ctx, made.append)
        if not made:  # skipped
            return Result([], told)
        with Image.open(io.BytesIO(made[0].data)) as file:
            drawn = resized(file.convert("RGB"), size)
        notes: list[str] = []
        picture = last_touches(frame, drawn, params, ctx, notes)
        facts_told = {"width": picture.width, "height": picture.height, "seed": params.seed, "prompt": drawing.prompt}
        artifact = Artifact("image", png(picture, lambda: None, about.profile), ".png", params.preset or params.prompt[:60] or "Styled", facts_told)
        return Result([artifact], told | {"notes": [*told.get("notes", []), *notes]})


def check_still(params: DiffuseParams, facts: Facts) -> None:
    """Raises BadInput."""
    if facts.frames > 1:
        raise BadInput("This picture moves.", hint="Give a still picture.", field="image")
    check_size(params, facts)


class Given:
    """The inputs as a job sees them."""

    def __init__(self, ctx: RunContext) -> None:
        self.path = ctx.input


def check_family(params: DiffuseParams, entry: ModelEntry, family: Family) -> None:
    """Raises BadInput at the field that the family can't follow."""
    if params.preset and params.preset not in PRESETS:
        raise BadInput(f"There is no manner “{params.preset}”.", hint=f"It is one of: {', '.join(PRESETS)}.", field="preset")
    if "image" not in family.modes:
        raise BadInput(f"“{entry.title}” draws from text only.", hint="Choose another model, or another method.", field="model")
    if family.form == "edit":
        raise BadInput(f"“{entry.title}” changes pictures by an instruction.", hint="Use it in Create, or choose another model here.", field="model")
    if family.layers:
        raise BadInput(f"“{entry.title}” takes pictures apart into layers.", hint="Use it in Create, or choose another model here.", field="model")
    if params.preset and family.key == "tiny" and entry.source == "built-in":
        raise BadInput(f"“{entry.title}” knows one manner only, its own.", hint="Leave the manner empty, or choose another model.", field="preset")


def fitting(entry: ModelEntry, family: Family, catalog: Catalog) -> list[ModelEntry]:
    """The IP-Adapters that read what this model reads."""
    from pipelines.image.control import REFERENCED
    from pipelines.image.widths import widths_of

    adapters = [one for one in catalog.entries("ip_adapter") if not one.problem] if family.key in REFERENCED else []
    return [one for one in adapters if int(one.details.get("context", 0)) in (0, widths_of(entry).context)]


def adapter_for(entry: ModelEntry, family: Family, catalog: Catalog) -> ModelEntry:
    """The first of them. Raises BadInput at "style" where there is none."""
    found = fitting(entry, family, catalog)
    if not found:
        raise BadInput(f"There is no IP-Adapter for “{entry.title}” ({family.title}) on this computer.", hint="Take the style picture away, or use “Style from a picture”, which needs none.", field="style")
    return found[0]
