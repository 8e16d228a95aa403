"""What stands beside a model while a job draws: control networks, the picture that is followed, a second model. It is lent for the job and leaves nothing behind."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from pipelines.image.annotate.prepare import annotated
from pipelines.image.control import Unit, image_encoder, units
from pipelines.image.embeddings import Vocabulary
from pipelines.image.lookup import named
from pipelines.image.nets.conditioning import condition, guided
from pipelines.image.nets.control import Guide, controlled, load_unit, picture_of
from pipelines.image.nets.control_flow import controlled_flow
from pipelines.image.nets.model import ImageModel
from pipelines.image.nets.second import handed_over
from pipelines.image.params import ImageParams
from pipelines.image.pictures import Ground, open_picture
from pipelines.image.samplers import ADAPTIVE, find
from pipelines.image.widths import widths_of
from studio.api import BadInput, ModelBroken, ModelEntry, ModelSpec, RunContext, StudioError

UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, StopIteration)


@dataclass
class Company:
    """`followed` [rows, pictures, tokens, width] is what the reference picture says, for both halves of guidance."""

    guides: list[Guide] = field(default_factory=list)
    followed: Any = None
    second: ImageModel | None = None


@contextlib.contextmanager
def accompanied(model: ImageModel, params: ImageParams, ctx: RunContext, second: Callable[[], contextlib.AbstractContextManager[ImageModel]] | None = None, notes: list[str] | None = None) -> Iterator[None]:
    """Loads and lends what the parameters name; what is to be told of it is added to `notes`. Raises ModelBroken, BadInput at its field."""
    notes = [] if notes is None else notes
    with contextlib.ExitStack() as lent:
        guides = [Guide(unit, lent.enter_context(ctx.models.use(_spec(unit, model, ctx))), open_picture(ctx.input(unit.image or params.image)), _preparer(unit, ctx, notes)) for unit in units(params, ctx.catalog)]
        followed = lent.enter_context(following(model, params, ctx)) if params.reference_model else None
        other = lent.enter_context(second()) if second else None
        if other is not None:
            check_second(model, other)
        model.company = Company(guides, followed, other)
        try:
            yield
        finally:
            model.company = None


def _preparer(unit: Unit, ctx: RunContext, notes: list[str]) -> Callable[[Image.Image], Image.Image]:
    """Networks are lent for the moment they look; Stop acts between their layers."""

    def prepare(image: Image.Image) -> Image.Image:
        try:
            made = annotated(image, unit.preparation, ctx, lambda share: ctx.check())
        except StudioError as error:
            error.field = f"{unit.prefix}_process" if error.field == "method" else error.field
            raise
        notes.extend(made.notes)
        return made.image

    return prepare


def _spec(unit: Unit, model: ImageModel, ctx: RunContext) -> ModelSpec[Any]:
    entry = unit.entry

    def load(report: Any) -> Any:
        try:
            return load_unit(Path(entry.path), str(entry.details["class"]), model.pipe.dtype, model.device)
        except UNREADABLE as error:
            raise _broken(entry, error, f"{unit.prefix}_model") from error

    half = entry.dtype in ("F16", "BF16", "float16", "bfloat16")
    return ModelSpec(f"{entry.key} @ control {model.pipe.dtype}", entry.bytes * (2 if half and model.device == "cpu" else 1), load)


def _broken(entry: ModelEntry, error: Exception, at: str) -> ModelBroken:
    return ModelBroken(f"“{entry.title}” can't be loaded: {str(error).splitlines()[0][:200] if str(error) else type(error).__name__}.", hint="Download it again, or choose another model.", field=at)


@contextlib.contextmanager
def following(model: ImageModel, params: ImageParams, ctx: RunContext) -> Iterator[Any]:
    """IP-Adapter on the network's attention while open; gives what its encoder says of the picture. Source: Ye et al., IP-Adapter, 2023."""
    pipe, unet = model.pipe, model.pipe.unet
    picture = open_picture(ctx.input(params.reference_image))
    adapter = named(params.reference_model, "ip_adapter", "reference_model", ctx.catalog)
    encoder = image_encoder(adapter, ctx.catalog)
    before, extractor, size = unet.attn_processors, pipe.feature_extractor, unet.config.encoder_hid_dim_type
    try:
        try:
            said = _followed(model, Path(adapter.path), encoder.path, picture, params.reference_weight)
        except UNREADABLE as error:
            raise _broken(adapter, error, "reference_model") from error
        yield said
    finally:
        unet.set_attn_processor(before)
        unet.encoder_hid_proj, unet.config.encoder_hid_dim_type = None, size
        pipe.register_modules(image_encoder=None, feature_extractor=extractor)


def _followed(model: ImageModel, adapter: Path, encoder: str, picture: Any, weight: float) -> Any:
    """Puts the adapter on; the picture encoder is needed for this one answer only."""
    import transformers

    pipe = model.pipe
    seer = transformers.CLIPVisionModelWithProjection.from_pretrained(encoder, dtype=pipe.dtype, local_files_only=True).to(model.device)
    pipe.register_modules(image_encoder=seer, feature_extractor=transformers.CLIPImageProcessor(size=seer.config.image_size, crop_size=seer.config.image_size))
    pipe.load_ip_adapter(str(adapter.parent), subfolder="", weight_name=adapter.name, local_files_only=True)
    pipe.set_ip_adapter_scale(weight)
    with torch.no_grad():
        said = pipe.prepare_ip_adapter_image_embeds([picture], None, torch.device(model.device), 1, True)
    pipe.register_modules(image_encoder=None)
    return said


def followed_by(company: Company | None, guides: bool) -> dict[str, Any]:
    """What a pipeline's call is given of the reference picture."""
    if company is None or company.followed is None:
        return {}
    return {"ip_adapter_image_embeds": company.followed if guides else [part.chunk(2)[1] for part in company.followed]}


def check_second(model: ImageModel, other: ImageModel) -> None:
    """Raises BadInput where the second network can't go on with what the first began."""
    first, second = (getattr(each.pipe.scheduler.config, "prediction_type", "epsilon") for each in (model, other))
    if first != second:
        raise BadInput(f"The second model foretells another thing ({second}) than the first ({first}).", hint="Choose another second model.", field="refiner")
    if other.pipe.unet.config.in_channels > model.pipe.unet.config.in_channels:
        raise BadInput("The second model is for inpainting alone.", hint="Choose another second model.", field="refiner")


@contextlib.contextmanager
def alone(model: ImageModel, pipe: Any, params: ImageParams, ground: Ground | None, size: tuple[int, int], loops: int, step: Callable[[], int]) -> Iterator[None]:
    """The control networks, next to the network itself: inside of what `guided` asks of it."""
    company: Company | None = model.company
    if company is None or not company.guides:
        yield
        return
    shown = pictures(company, params, ground, size)
    if getattr(pipe, "unet", None) is None:
        around = controlled_flow(pipe, shown, step, lambda: steps_of(pipe, params, loops), params.cfg_scale)
    else:
        around = controlled(pipe.unet, shown, step, lambda: steps_of(pipe, params, loops))
    with around:
        yield


def steps_of(pipe: Any, params: ImageParams, loops: int) -> int:
    """How many steps the loop takes, counted as `step` is: samplers that look twice count once, for one that finds its own number the way is told in the form's steps."""
    if find(params.sampler).loop == ADAPTIVE:
        return max(1, loops)
    return max(1, math.ceil(int(getattr(pipe, "num_timesteps", 0) or loops) / find(params.sampler).evaluations))


@contextlib.contextmanager
def beside(model: ImageModel, pipe: Any, params: ImageParams, ground: Ground | None, size: tuple[int, int], loops: int, step: Callable[[], int], ctx: RunContext, before: int = 0) -> Iterator[None]:
    """The second model, outside of all that is done for the first; the control networks go on with one of the same family."""
    company: Company | None = model.company
    if company is None or (second := company.second) is None:
        yield
        return
    guides = params.cfg_scale > 1.0
    vocabulary = Vocabulary(ctx.catalog, widths_of(ctx.model(second.key)))
    conditioning = condition(second, params.prompt, params.negative_prompt, loops, params.clip_skip, vocabulary, before=before, emphasis=params.emphasis)
    shown = pictures(company, params, ground, size) if second.family.key == model.family.key else []
    with (
        controlled(second.pipe.unet, shown, step, lambda: steps_of(pipe, params, loops)),
        guided(second.pipe.unet, conditioning, step, guides),
        handed_over(pipe.unet, second.pipe.unet, conditioning, lambda: step() >= round(params.refiner_switch * steps_of(pipe, params, loops)), guides),
    ):
        yield


def pictures(company: Company, params: ImageParams, ground: Ground | None, size: tuple[int, int]) -> list[tuple[Guide, Any]]:
    return [(guide, picture_of(guide, params, ground, size)) for guide in company.guides]
