"""image.dream: what a network sees in a picture, brought out until everybody sees it.

Source: Mordvintsev, Olah, Tyka, Inceptionism: Going Deeper into Neural Networks, 2015.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar, Literal

from PIL import Image
from pydantic import Field, field_validator

from pipelines.image.enlarge import enlarged_last
from pipelines.image.memory import check_fits
from pipelines.image.params import PICTURE, never_smaller
from pipelines.image.settle import check_picture
from pipelines.image.style.content import MOST_STYLED, Facts, Moving, facts_of, moved, opened, png, resized, result_size
from pipelines.image.style.optimise import picture_of, tensor_of, thumbnail
from pipelines.image.style.params import upscale_field, upscaler_field
from pipelines.image.upscalers import settled, upscaler_bytes
from pipelines.image.vision import trunk_bytes, trunk_entry, trunk_spec
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, Params, Result, RunContext, StudioError, ui

Layer = Literal["conv2_2", "conv3_1", "conv3_2", "conv3_3", "conv4_1", "conv4_2", "conv4_3", "conv5_1", "conv5_2", "conv5_3"]
CHANNELS = {"conv2": 128, "conv3": 256, "conv4": 512, "conv5": 512}
USUAL_SIDE = 640
MOST_DREAMT = 24_000_000  # pixels of a picture
MOST_FRAMES = 100_000_000  # pixels of all frames
AROUND = 1_450_000  # pixels of the largest tile with what is around it
BYTES_A_PIXEL, BYTES_KEPT = 3_400, 200  # of features and gradients; of a picture and its gradient
STRENGTH = 0.008  # what 1 means in the form
LEAST = 64  # the shorter side of the smallest octave
FRAME_MILLISECONDS = 80
PARTS = 1000  # that progress is told in
AT_ONCE = 8_000_000  # pixels: of a longer journey that is stopped the last frame is kept first, for writing the film may take longer than is waited


class DreamParams(Params):
    """A picture, and what there should be more of."""

    image: str = Field("", pattern=PICTURE, title="Picture", description="What it dreams about.", json_schema_extra=ui(widget="hidden"))
    layer: Layer = Field("conv5_1", title="Layer", description="What is brought out: lines and grain in the first, fur, spots and curls in the last.")
    channel: int = Field(-1, ge=-1, le=511, title="Channel", description="One of the layer's features alone; -1 is all of them.", json_schema_extra=ui(widget="number"))
    guide: str = Field("", pattern=PICTURE, title="Guide", description="A picture whose features are brought out instead.", json_schema_extra=ui(widget="picture"))
    strength: float = Field(1.0, ge=0.05, le=10.0, title="Strength", description="How far each step goes.", json_schema_extra=ui(step=0.05))
    steps: int = Field(8, ge=1, le=200, title="Steps", description="At each size of the picture.")
    octaves: int = Field(4, ge=1, le=12, title="Octaves", description="How many sizes of the picture it dreams at; more give larger shapes.")
    octave_scale: float = Field(1.4, ge=1.1, le=2.5, title="Octave scale", description="How much larger each size is than the one before; only with more than one.", json_schema_extra=ui(step=0.05))
    jitter: int = Field(32, ge=0, le=256, title="Jitter", description="By how many pixels at most the picture is moved before each step, against patterns of the grid.", json_schema_extra=ui(advanced=True))
    smooth: float = Field(1.6, ge=0.0, le=3.0, title="Smoothness", description="Below 1 there is more grain, above 1 there are broader shapes.", json_schema_extra=ui(step=0.1, advanced=True))
    colour: float = Field(0.2, ge=0.0, le=1.0, title="Colours", description="0 keeps to the picture's own, 1 takes any.", json_schema_extra=ui(step=0.05))
    size: int = Field(0, ge=0, le=16384, title="Longer side", description=f"Of the result in pixels; 0 is the picture's own, up to {USUAL_SIDE}.", json_schema_extra=ui(group="Size", widget="number"))
    frames: int = Field(1, ge=1, le=300, title="Frames", description="Of a journey into the dream, a moving picture; 1 is a still one.", json_schema_extra=ui(group="Journey"))
    zoom: float = Field(1.04, ge=1.0, le=1.5, title="Zoom", description="How much nearer each frame is; only with more than one.", json_schema_extra=ui(group="Journey", step=0.01))
    upscale: float = upscale_field()
    upscaler: str = upscaler_field()
    seed: int = Field(-1, ge=-1, le=2**31 - 1, title="Seed", description="Of the jitter; the same seed gives the same picture, -1 is random.", json_schema_extra=ui(widget="number", advanced=True))

    _enlarges = field_validator("upscale")(never_smaller)


class Dream:
    """One artifact. Stop, and “Finish with what is there”, keep what is dreamt so far."""

    id: ClassVar[str] = "image.dream"
    title: ClassVar[str] = "Dream"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = DreamParams

    def need(self, params: DreamParams, catalog: Catalog) -> Need:
        return self.place(params, catalog, "cpu", 2**62)

    def place(self, params: DreamParams, catalog: Catalog, device: str, room: int) -> Need:
        missing, weights = "" if params.image else "There is no picture to dream about.", trunk_bytes(device)
        try:
            trunk_entry(catalog)
            weights += upscaler_bytes(params.upscaler, (params.upscale,), catalog, device)
        except StudioError as error:
            missing = missing or error.message
        side = params.size or USUAL_SIDE
        return Need(weights, working_bytes(round(side * side * 0.75), device), missing=missing)

    def pace_key(self, params: DreamParams, catalog: Catalog) -> str:
        return f"{self.id} {params.layer[:5]}"

    def seconds(self, params: DreamParams, catalog: Catalog, pace: dict[str, float]) -> float:
        """As if the picture were three by four."""
        side = params.size or USUAL_SIDE
        return pace["pixel"] * sum(work_of(params, number, round(side * 0.75), side) for number in range(params.frames))

    def settle(self, params: DreamParams, desk: Desk) -> DreamParams:
        if not params.image:
            raise BadInput("There is no picture to dream about.", hint="Give one.", field="image")
        trunk_entry(desk.catalog)
        check(params, facts_of(params.image, "image", desk))
        if params.guide:
            check_picture(params.guide, "guide", desk)
        if params.guide and params.channel >= 0:
            raise BadInput("A guide chooses the features itself.", hint="Set the channel to -1, or take the guide away.", field="channel")
        if params.channel >= (most := CHANNELS[params.layer[:5]]):
            raise BadInput(f"{params.layer} has the channels 0 to {most - 1}.", hint="Choose one of them, or -1 for all.", field="channel")
        for one, other, told in (("octaves", "octave_scale", "There is only one octave."), ("frames", "zoom", "There is only one frame.")):
            if getattr(params, one) == 1 and getattr(params, other) != DreamParams.model_fields[other].default:
                raise BadInput(told, hint=f"Leave this at {DreamParams.model_fields[other].default:g}, or ask for more.", field=other)
        return params.model_copy(update={"upscaler": settled(params.upscaler, params.upscale, desk.catalog)}) if params.upscale > 1 else params

    def run(self, params: DreamParams, ctx: RunContext) -> Result:
        path = ctx.input(params.image)
        facts, about, frames = opened(path)
        check(params, facts)
        frame, size = next(frames), dreamt_size(params, facts)
        alpha, working, notes = resized(frame.alpha, size) if frame.alpha else None, working_bytes(size[0] * size[1], ctx.device), list[str]()
        check_fits(trunk_bytes(ctx.device) + working, ctx.models.room, "size")
        with ctx.models.use(trunk_spec(ctx), working=working) as trunk:
            sleeper = Sleeper(trunk, params, ctx, size)
            pictures = sleeper.dream(resized(frame.picture, size))
        if params.upscale > 1:
            pictures = [enlarged_last(pictures[0], params.upscaler, params.upscale, ctx, lambda share: ctx.progress(PARTS - 1, PARTS, "Enlarging"), notes)]
        pictures = seen_through(pictures, alpha, params.zoom) if alpha else pictures
        if ctx.stopping == "cancel" and len(pictures) * size[0] * size[1] > AT_ONCE:
            ctx.output(artifact_of(pictures[-1:], about.profile))
        return Result([artifact_of(pictures, about.profile)], {"frames": len(pictures), "pace": sleeper.pace, "notes": notes})


class Sleeper:
    """The dream, told to a context: progress, previews, Stop."""

    def __init__(self, trunk: Any, params: DreamParams, ctx: RunContext, size: tuple[int, int]) -> None:
        self.trunk, self.params, self.ctx, self.size = trunk, params, ctx, size
        self.pace: dict[str, float] = {}
        self._frame, self._ended = 0, False
        self._begun = time.monotonic()
        self._all = sum(work_of(params, number, size[1], size[0]) for number in range(params.frames))
        self._done = 0.0

    def dream(self, picture: Image.Image) -> list[Image.Image]:
        """A frame after the other, each beginning from the last one, seen from nearer."""
        from pipelines.image.nets.dream import Aim, guide_of
        from pipelines.image.pictures import open_picture

        x = tensor_of(picture, next(self.trunk.parameters()).device)
        guide = None
        if self.params.guide:
            told = open_picture(self.ctx.input(self.params.guide))
            told.thumbnail((USUAL_SIDE, USUAL_SIDE))
            guide = guide_of(self.trunk, tensor_of(told, x.device), self.params.layer)
        aim = Aim(self.params.layer, self.params.channel, guide)
        found: list[Image.Image] = []
        for number in range(self.params.frames):
            self._frame = number
            x = self._once(x if not found else nearer(x, self.params.zoom), aim)
            found.append(picture_of(x))
            if self._ended:
                break
        return found

    def _once(self, x: Any, aim: Any) -> Any:
        from pipelines.image.nets.dream import Manner, dream

        steps, octaves = share_of(self.params, self._frame)
        told, sizes = self.params, octaves_of(x.shape[2], x.shape[3], octaves, self.params.octave_scale)
        manner = Manner(steps, sizes, STRENGTH * told.strength, told.jitter, told.smooth, told.colour, told.seed + self._frame)
        return dream(self.trunk, x, aim, manner, self._going)

    def _going(self, x: Any, share: float) -> bool:
        """Before each layer and after each step. False ends the dream with `x`."""
        pixels = float(x.shape[2] * x.shape[3])
        if share >= 1:
            self._done += pixels
            self.pace = {"pixel": (time.monotonic() - self._begun) / self._done}
        if self.ctx.stopping != "none":
            self.ctx.skipped()
            self._ended = True
            return False
        done = (self._done + pixels * (share % 1)) / self._all
        note = f"Frame {self._frame + 1} of {self.params.frames}" if self.params.frames > 1 else f"{x.shape[3]} × {x.shape[2]} pixels"
        self.ctx.progress(min(int(done * PARTS), PARTS - 1), PARTS, note, min(done, 1.0))
        if share >= 1:
            self.ctx.preview(lambda: thumbnail(x))
        return True


def dreamt_size(params: DreamParams, facts: Facts) -> tuple[int, int]:
    """Width and height."""
    return result_size(facts, params.size or min(USUAL_SIDE, max(facts.width, facts.height)))


def check(params: DreamParams, facts: Facts) -> None:
    """Raises BadInput."""
    if facts.frames > 1:
        raise BadInput("This picture moves.", hint="Give a still picture.", field="image")
    if params.upscale > 1 and params.frames > 1:
        raise BadInput("Moving pictures are not enlarged.", hint="Set it to 1, or give a longer side.", field="upscale")
    width, height = dreamt_size(params, facts)
    if width * height > MOST_DREAMT:
        raise BadInput(f"The result would have {width * height / 1e6:.0f} megapixels; {MOST_DREAMT / 1e6:.0f} can be dreamt.", hint="Choose a smaller size.", field="size")
    if (pixels := width * height * max(1.0, params.upscale) ** 2) > MOST_STYLED:
        raise BadInput(f"The result would have {pixels / 1e6:.0f} megapixels; {MOST_STYLED / 1e6:.0f} can be painted.", hint="Choose a smaller size.", field="upscale")
    if width * height * params.frames > MOST_FRAMES:
        raise BadInput(f"The frames would have {width * height * params.frames / 1e6:.0f} megapixels in all; {MOST_FRAMES / 1e6:.0f} can be dreamt.", hint="Choose fewer frames, or a smaller size.", field="frames")


def share_of(params: DreamParams, frame: int) -> tuple[int, int]:
    """Steps and octaves of a frame: those after the first go on from a dream."""
    return (params.steps, params.octaves) if frame == 0 else (max(1, params.steps // 4), min(2, params.octaves))


def work_of(params: DreamParams, frame: int, height: int, width: int) -> float:
    """In pixels whose gradient is taken."""
    steps, octaves = share_of(params, frame)
    return steps * sum(float(high * wide) for high, wide in octaves_of(height, width, octaves, params.octave_scale))


def octaves_of(height: int, width: int, count: int, ratio: float) -> list[tuple[int, int]]:
    """Heights and widths from the smallest to the picture's own; such as would show nothing are left out."""
    found = [(round(height / ratio**number), round(width / ratio**number)) for number in range(count)]
    return [size for size in reversed(found) if min(size) >= LEAST] or [(height, width)]


def working_bytes(pixels: int, device: str) -> int:
    """A large picture's features are never there all at once."""
    return min(pixels, AROUND) * (BYTES_A_PIXEL if device != "cuda" else BYTES_A_PIXEL // 2) + pixels * BYTES_KEPT


def middle(width: int, height: int, zoom: float) -> tuple[int, int, int, int]:
    """The box that a zoom shows: left, top, right, bottom."""
    wide, high = max(2, round(width / zoom)), max(2, round(height / zoom))
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + wide, top + high


def nearer(x: Any, zoom: float) -> Any:
    """The middle of [1, 3, h, w], as large as the whole was."""
    from torch.nn.functional import interpolate

    height, width = x.shape[2:]
    left, top, right, bottom = middle(width, height, zoom)
    return interpolate(x[:, :, top:bottom, left:right], size=(height, width), mode="bicubic", align_corners=False).clamp(0, 1)


def seen_through(pictures: list[Image.Image], alpha: Image.Image, zoom: float) -> list[Image.Image]:
    """Frames with what can be seen through, which comes nearer as they do."""
    made = []
    for picture in pictures:
        made.append(picture.copy())
        made[-1].putalpha(resized(alpha, picture.size))
        alpha = alpha.resize(alpha.size, Image.Resampling.BICUBIC, box=middle(*alpha.size, zoom))
    return made


def artifact_of(pictures: list[Image.Image], profile: bytes | None) -> Artifact:
    """A PNG, or a moving WebP."""
    last = pictures[-1]
    facts: dict[str, Any] = {"width": last.width, "height": last.height}
    if len(pictures) > 1:
        return Artifact("image", moved(pictures, Moving(len(pictures), [FRAME_MILLISECONDS] * len(pictures), 0, profile), ".webp"), ".webp", "Dream", facts | {"frames": len(pictures)})
    return Artifact("image", png(last, lambda: None, profile), ".png", "Dream", facts)
