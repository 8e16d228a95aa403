"""image.annotate: the edges, lines, depth, normals or poses of a picture, as control networks see them."""

from __future__ import annotations

import time
from typing import ClassVar

from PIL import Image
from pydantic import Field, PrivateAttr, field_validator

from pipelines.image.annotate.methods import LINES, USUAL, Method, Preparation, fields_of
from pipelines.image.annotate.models import KINDS, bytes_of, check_detail, settle_models, work_of
from pipelines.image.annotate.prepare import Annotated, annotated
from pipelines.image.enlarge import enlarged
from pipelines.image.memory import ran_out
from pipelines.image.params import MOST_PIXELS, PICTURE, Resize, model_field, never_smaller
from pipelines.image.pictures import open_picture, png, to_size
from pipelines.image.settle import check_picture
from pipelines.image.style.content import size_of as seen_size
from pipelines.image.style.params import upscale_field, upscaler_field
from pipelines.image.upscalers import settled, upscaler_bytes
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, ModelTooLarge, Need, Params, Result, RunContext, StudioError, ui

MOST = 2 * MOST_PIXELS  # of a finished picture
USUAL_PIXELS = 1024 * 1024  # of a picture whose size is not known yet
STEPS = 100


class AnnotateParams(Params):
    image: str = Field("", pattern=PICTURE, title="Picture", description="The picture to look at.", json_schema_extra=ui(widget="hidden"))
    method: Method = Field("Lines", title="Method", description="What is made of it: soft edges or scribbles by a network, thin edges, ink lines, how far things are, which way they face, or the skeletons of persons.")
    detail: float = Field(USUAL, ge=0.0, le=1.0, title="Detail", description="How much of the faint and the small is kept; 0.5 is usual. Depth, Invert and Luminance have none.", json_schema_extra=ui(step=0.05))
    low: int = Field(
        0, ge=0, le=1500, title="Weak edges from", description="Canny's lower threshold: they are kept where they go on from strong ones; 0 goes by the detail.", json_schema_extra=ui(widget="number", advanced=True)
    )
    high: int = Field(0, ge=0, le=1500, title="Strong edges from", description="Canny's upper threshold; 0 goes by the detail.", json_schema_extra=ui(widget="number", advanced=True))
    on_white: bool = Field(False, title="Dark on white", description="Dark lines on white paper; control networks want light ones on black.")
    width: int = Field(0, ge=0, le=8192, title="Width", description="In pixels; 0 goes by the height, or is the picture's own.", json_schema_extra=ui(widget="number", advanced=True))
    height: int = Field(0, ge=0, le=8192, title="Height", description="In pixels; 0 goes by the width, or is the picture's own.", json_schema_extra=ui(widget="number", advanced=True))
    resize: Resize = Field("Crop", title="Resize", description="How the picture is brought to the size: stretched, cropped, or fitted with its edges filled.", json_schema_extra=ui(advanced=True))
    depth_model: str = model_field("depth_model")
    pose_model: str = model_field("pose_model")
    person_model: str = model_field("person_model")
    upscale: float = upscale_field()
    upscaler: str = upscaler_field()
    _own: tuple[int, ...] = PrivateAttr((0, 0))  # width and height of the picture, once it was looked at

    _enlarges = field_validator("upscale")(never_smaller)

    @property
    def preparation(self) -> Preparation:
        return Preparation(self.method, self.detail, self.low, self.high, self.on_white, self.depth_model, self.pose_model, self.person_model)


class Annotate:
    """One picture; Stop acts between tiles, between a network's layers and between persons."""

    id: ClassVar[str] = "image.annotate"
    title: ClassVar[str] = "Annotate"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = AnnotateParams

    def need(self, params: AnnotateParams, catalog: Catalog) -> Need:
        facts = {"fields": fields_of(params.method)}
        if not params.image:
            return Need(missing="There is no picture to look at.", facts=facts)
        try:
            wanted = _with_models(params, catalog)
        except StudioError as error:
            return Need(missing=error.message, facts=facts)
        weights, enlarging = bytes_of([wanted.preparation], catalog), upscaler_bytes(wanted.upscaler, (wanted.upscale,), catalog, "cpu")
        return Need(weights + enlarging, work_of(params.method, pixels_of(params), weights), facts=facts)

    def place(self, params: AnnotateParams, catalog: Catalog, device: str, room: int) -> Need:
        """The same everywhere: what is large goes through in tiles or strips."""
        return self.need(params, catalog)

    def pace_key(self, params: AnnotateParams, catalog: Catalog) -> str:
        return " ".join([self.id, params.method, *(getattr(params, name) for name in KINDS)])

    def seconds(self, params: AnnotateParams, catalog: Catalog, pace: dict[str, float]) -> float:
        return pixels_of(params) * pace["pixel"]

    def look(self, params: AnnotateParams, desk: Desk) -> AnnotateParams:
        """The size of the picture, for what a job takes and how long; what can't be read has none."""
        looked = params.model_copy()
        looked._own = (seen_size(params.image, desk) or (0, 0))[:2]
        return looked

    def settle(self, params: AnnotateParams, desk: Desk) -> AnnotateParams:
        own = check_picture(params.image, "image", desk)
        width, height = size_of(params, own)
        for pixels, field in ((width * height, "width"), (width * height * max(1.0, params.upscale) ** 2, "upscale")):
            if pixels > MOST:
                raise BadInput(f"The finished picture would have {pixels / 1e6:.0f} megapixels; {MOST / 1e6:.0f} can be made.", hint="Choose a smaller size.", field=field)
        _check_fields(params)
        return _with_models(params, desk.catalog)

    def run(self, params: AnnotateParams, ctx: RunContext) -> Result:
        whole = open_picture(ctx.input(params.image))
        picture = to_size(whole, *size_of(params, whole.size), params.resize if params.width and params.height else "Stretch")
        started = time.monotonic()
        made = self._made(picture, params, ctx)
        pace = {"pixel": max(0.0, time.monotonic() - started - made.loading) / (picture.width * picture.height)}
        large = enlarged(made.image, params.upscaler, params.upscale, ctx, notes=made.notes) if params.upscale > 1 else made.image
        return Result([Artifact("image", png(large, ctx.check), ".png", params.method, {"width": large.width, "height": large.height} | made.facts)], {"notes": made.notes, "pace": pace})

    def _made(self, picture: Image.Image, params: AnnotateParams, ctx: RunContext) -> Annotated:
        """Raises ModelTooLarge where memory ends."""
        try:
            return annotated(picture, params.preparation, ctx, lambda share: ctx.progress(round(share * STEPS), STEPS, "Looking at the picture", share))
        except (MemoryError, RuntimeError) as error:
            if not ran_out(error):
                raise
        except ModelTooLarge as error:  # in the words for a model that a person chose
            raise ModelTooLarge(error.message, hint="Choose a smaller size, or raise the memory limit in Settings.", field="width") from error
        raise ModelTooLarge("There was not enough memory for this picture.", hint="Choose a smaller size.", field="width")


def pixels_of(params: AnnotateParams) -> int:
    """Of the finished picture; of a usual one where it was not looked at."""
    if not any(params._own):
        return params.width * params.height or USUAL_PIXELS
    width, height = size_of(params, (params._own[0], params._own[1]))
    return width * height


def size_of(params: AnnotateParams, own: tuple[int, int]) -> tuple[int, int]:
    """Of the finished picture: a side that is 0 keeps the proportions."""
    if params.width and params.height:
        return params.width, params.height
    scale = params.width / own[0] if params.width else params.height / own[1] if params.height else 1.0
    return max(1, round(own[0] * scale)), max(1, round(own[1] * scale))


def _with_models(params: AnnotateParams, catalog: Catalog) -> AnnotateParams:
    """Raises ModelMissing, ModelBroken."""
    found = settle_models({"method": params.method}, {name: getattr(params, name) for name in KINDS}, catalog)
    return params.model_copy(update=found | ({"upscaler": settled(params.upscaler, params.upscale, catalog)} if params.upscale > 1 else {}))


def _check_fields(params: AnnotateParams) -> None:
    """Raises BadInput for what would do nothing."""
    check_detail(params.method, params.detail, "detail")
    for name in ("low", "high"):
        if getattr(params, name) and params.method != "Canny":
            raise BadInput("Thresholds are for Canny.", hint="Set it to 0.", field=name)
    if params.low and params.low > params.preparation.thresholds[1]:
        raise BadInput(f"Weak edges begin above strong ones, {params.preparation.thresholds[1]:g}.", hint="Set the first threshold lower.", field="low")
    if params.on_white and params.method not in LINES:
        raise BadInput(f"“{params.method}” has no lines to turn dark.", hint="Switch it off.", field="on_white")
