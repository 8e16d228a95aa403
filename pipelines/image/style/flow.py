"""What the two painting networks have in common: what is refused, the frames one after the other, the pace, the result."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from PIL import Image
from pydantic import Field

from pipelines.image.memory import check_fits
from pipelines.image.settle import check_picture
from pipelines.image.style.content import LEAST_SIDE, MOST_MOVING, MOST_STYLED, Facts, Moving, facts_of, moved, opened, png, resized, result_size, size_of
from pipelines.image.style.finish import enlarging_bytes, finished, where_of, with_upscaler
from pipelines.image.style.params import StyleParams
from pipelines.image.style.steady import Steady
from pipelines.image.style.tiles import way_of
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, ModelSpec, Need, Params, Result, RunContext, StudioError, ui

WEIGHTS = Path(__file__).resolve().parent.parent / "weights" / "style"
FRAME_BYTES = 4  # a pixel, of each frame until all are saved
USUAL_PIXELS = 1_500_000  # of a picture whose size is not known yet
REMEMBERED = 64  # styles that were read from pictures
P = TypeVar("P", bound=StyleParams)


def stroke_field() -> Any:
    told = "How large strokes and shapes are: 1 is as the network paints; larger ones are coarser and quicker."
    return Field(1.0, ge=0.25, le=4.0, title="Stroke size", description=told, json_schema_extra=ui(group="Style", step=0.25))


def steady_field() -> Any:
    told = "Of pictures that move: how much of the frame before stays where nothing has changed, so that strokes do not flicker."
    return Field(0.8, ge=0.0, le=1.0, title="Steadiness", description=told, json_schema_extra=ui(group="Style", step=0.05, advanced=True))


@dataclass
class Model:
    """The network that paints, the one that reads styles (if any), and the styles it has read, by their pictures' keys."""

    painter: Any
    reader: Any = None
    read: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Brush:
    """A network with a style; `seen` is the size at which it sees pictures, `strip` how many pixels are done at a time, 0 all."""

    model: Model
    style: Any
    seen: tuple[int, int]
    strip: int

    def paint(self, picture: Image.Image, told: Callable[[float], None], check: Callable[[], None]) -> Image.Image:
        """RGB of the same size. `told` hears the share that is done, and may raise to stop as `check` may."""
        from pipelines.image.nets.style import paint_bytes
        from pipelines.image.nets.style_strips import paint

        pixels = np.asarray(resized(picture, self.seen, check))
        if self.strip:
            made = paint(self.model.painter, pixels, self.style, told, strip=self.strip)
        else:
            made = paint_bytes(self.model.painter, pixels, self.style, told)
        return resized(Image.fromarray(made), picture.size, check)


class Painting(Generic[P]):
    """A method that paints in one pass."""

    id: ClassVar[str]
    title: ClassVar[str]
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]]
    paint_weights: ClassVar[str]
    read_weights: ClassVar[str] = ""

    def style(self, model: Model, params: P, ctx: RunContext) -> Any:
        """The style's vector for the painter, a tensor."""
        raise NotImplementedError

    def name(self, params: P) -> str:
        """Of the style, for the gallery."""
        raise NotImplementedError

    def check_style(self, params: P, desk: Desk) -> None:
        """Raises BadInput at the field that is wrong."""

    def missing(self, params: P) -> str:
        return "" if params.image else "There is no picture to paint anew."

    def look(self, params: P, desk: Desk) -> P:
        """The size of the picture, for what a job takes and how long."""
        looked = params.model_copy()
        looked._seen = size_of(params.image, desk) or looked._seen
        return looked

    def need(self, params: P, catalog: Catalog) -> Need:
        return self.place(params, catalog, "cpu", sys.maxsize)

    def place(self, params: P, catalog: Catalog, device: str, room: int) -> Need:
        pixels = pixels_of(params, USUAL_PIXELS)
        try:
            weights = self._bytes() + enlarging_bytes(params, catalog, device)
        except StudioError as error:
            return Need(missing=error.message)
        held = round(FRAME_BYTES * pixels * (params._seen[2] if params._seen else 1))
        return Need(weights, way_of(round(pixels / stroke_of(params) ** 2), device, room - weights).working + held, missing=self.missing(params))

    def pace_key(self, params: P, catalog: Catalog) -> str:
        return self.id

    def seconds(self, params: P, catalog: Catalog, pace: dict[str, float]) -> float:
        """Of a picture as large as the last one, where it was not looked at."""
        frames = params._seen[2] if params._seen else 1
        return pace["pixel"] * frames * pixels_of(params, pace["pixels"]) / stroke_of(params) ** 2

    def settle(self, params: P, desk: Desk) -> P:
        if not params.image:
            raise BadInput(self.missing(params), hint="Give one.", field="image")
        facts = facts_of(params.image, "image", desk)
        self.check_style(params, desk)
        check_size(params, facts)
        if params.mask and (mask := check_picture(params.mask, "mask", desk)) != (facts.width, facts.height):
            raise BadInput(f"The mask is {mask[0]} × {mask[1]} pixels, the picture {facts.width} × {facts.height}.", hint="Draw the mask on this picture.", field="mask")
        return with_upscaler(params, desk.catalog)

    def run(self, params: P, ctx: RunContext) -> Result:
        path = ctx.input(params.image)
        facts, moving, frames = opened(path)
        check_size(params, facts)
        size, seen = result_size(facts, params.size), network_size(facts, params)
        way = way_of(seen[0] * seen[1], ctx.device, ctx.models.room - self._bytes())
        working = way.working + FRAME_BYTES * size[0] * size[1] * facts.frames
        check_fits(self._bytes() + working, ctx.models.room, "size")
        with ctx.models.use(self._spec(ctx), working=working) as model:
            brush, where = Brush(model, self.style(model, params, ctx), seen, way.strip), where_of(params, size, ctx)
            pictures, started, steady = [], time.monotonic(), Steady(steady_of(params))
            for number, frame in enumerate(frames):
                frame = frame.resized(size, ctx.check)
                styled = brush.paint(frame.picture, partial(_tell, ctx, number, facts.frames), ctx.check)
                styled = steady.laid(frame.picture, styled) if facts.frames > 1 else styled
                pictures.append(finished(frame, styled, params, where, ctx))
        pace = {"pixels": float(size[0] * size[1] * facts.frames), "pixel": (time.monotonic() - started) / (seen[0] * seen[1] * facts.frames)}
        ctx.progress(facts.frames, facts.frames, "Saving", 1.0)
        return Result([artifact_of(pictures, moving, path, self.name(params), ctx.check)], {"pace": pace, "strips": way.strip > 0})

    def _spec(self, ctx: RunContext) -> ModelSpec[Model]:
        def load(report: Any) -> Model:
            import torch

            from pipelines.image.nets.style import load as load_painter
            from pipelines.image.nets.style_reader import load as load_reader

            torch.set_num_threads(ctx.threads)
            painter = load_painter(WEIGHTS / f"{self.paint_weights}.safetensors", ctx.device)
            return Model(painter, load_reader(WEIGHTS / f"{self.read_weights}.safetensors", ctx.device) if self.read_weights else None)

        return ModelSpec(self.title, self._bytes(), load)

    def _bytes(self) -> int:
        """In memory: the files hold half as much."""
        return 2 * sum((WEIGHTS / f"{name}.safetensors").stat().st_size for name in (self.paint_weights, self.read_weights) if name)


def _tell(ctx: RunContext, number: int, frames: int, share: float) -> None:
    """`share` of a frame is painted."""
    ctx.progress(number, frames, "Painting", (number + share) / frames)


def steady_of(params: Any) -> float:
    return float(params.steady)


def stroke_of(params: Any) -> float:
    return float(params.stroke)


def network_size(facts: Facts, params: Any) -> tuple[int, int]:
    """At which the network sees the picture: the larger the strokes, the smaller."""
    return tuple(max(LEAST_SIDE, round(side / stroke_of(params))) for side in result_size(facts, params.size))  # type: ignore[return-value]


def check_size(params: Any, facts: Facts) -> None:
    """Raises BadInput where the result, or what the network would see, is too large; or a moving one is to be enlarged."""
    width, height = result_size(facts, params.size)
    seen = network_size(facts, params) if hasattr(params, "stroke") else (width, height)
    most = MOST_MOVING if facts.frames > 1 else MOST_STYLED
    if facts.frames > 1 and params.upscale > 1:
        raise BadInput("Moving pictures are not enlarged.", hint="Set it to 1, or give a longer side.", field="upscale")
    for pixels, name in ((width * height, "size"), (seen[0] * seen[1], "stroke"), (width * height * max(1.0, params.upscale) ** 2, "upscale")):
        if pixels * facts.frames > most:
            told, can = f"{pixels * facts.frames / 1e6:.0f}", f"{most / 1e6:.0f}"
            hint = "Choose a smaller size, or larger strokes." if name == "stroke" else "Choose a smaller size."
            if facts.frames > 1:
                raise BadInput(f"The {facts.frames} frames would have {told} megapixels together; {can} can be painted.", hint=hint, field=name)
            raise BadInput(f"The result would have {told} megapixels; {can} can be painted.", hint=hint, field=name)


def artifact_of(pictures: list[Image.Image], moving: Moving, path: Path, title: str, check: Callable[[], None]) -> Artifact:
    """A PNG, or an animated file."""
    facts = {"width": pictures[0].width, "height": pictures[0].height}
    if len(pictures) == 1:
        return Artifact("image", png(pictures[0], check, moving.profile), ".png", title, facts)
    suffix = ".gif" if path.suffix == ".gif" else ".webp"
    return Artifact("image", moved(pictures, moving, suffix, exact=path.suffix == ".png"), suffix, title, facts | {"frames": len(pictures)})


def pixels_of(params: StyleParams, usual: float) -> float:
    """Of one frame of the result; `usual` where nothing is known."""
    if params._seen:
        width, height = result_size(Facts(*params._seen), params.size)
        return float(width * height)
    return params.size**2 * 0.75 if params.size else usual
