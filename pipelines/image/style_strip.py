"""image.style_strip: one picture small in many styles, for a page to choose from. Nothing is saved: each thumbnail is told as an event when it is painted."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from pydantic import Field

from pipelines.image.params import PICTURE
from pipelines.image.pictures import open_picture
from pipelines.image.style.any import AnyParams, AnyStyle
from pipelines.image.style.blend import Blend, BlendParams
from pipelines.image.style.content import LEAST_SIDE, facts_of, resized
from pipelines.image.style.flow import Model
from studio.api import BadInput, Catalog, Desk, Lane, ModelSpec, Need, Params, Result, RunContext, ui

PAINTED, SAVED = 320, 216  # longer sides: the network's strokes are fine enough at the first, cards need no more than the second
SLOTS = ("style", "style2", "style3")
MOST = 200


class StripParams(Params):
    image: str = Field("", pattern=PICTURE, title="Picture", description="The picture that is painted small.", json_schema_extra=ui(widget="hidden"))
    styles: list[str] = Field([], max_length=MOST, title="Styles", description="Each a name or a style picture, or several with their weights.", json_schema_extra=ui(widget="hidden"))


class SmallBlend(Blend):
    def spec(self, ctx: RunContext) -> ModelSpec[Model]:
        return self._spec(ctx)


class SmallAny(AnyStyle):
    def spec(self, ctx: RunContext) -> ModelSpec[Model]:
        return self._spec(ctx)


class StyleStrip:
    """Each thumbnail is an event Stats: "style" as it was asked, "picture" a WebP in base64; of a picture that moves its first frame. Stop acts between two of them."""

    id: ClassVar[str] = "image.style_strip"
    title: ClassVar[str] = "Style thumbnails"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = StripParams

    def need(self, params: StripParams, catalog: Catalog) -> Need:
        missing = "" if params.image and params.styles else "There is no picture, or no style."
        return Need(11_000_000, 330 * PAINTED * PAINTED, missing=missing)

    def settle(self, params: StripParams, desk: Desk) -> StripParams:
        facts_of(params.image, "image", desk)
        for text in params.styles:
            method, values = read(text)
            method.check_style(values, desk)
        return params

    def run(self, params: StripParams, ctx: RunContext) -> Result:
        picture = open_picture(ctx.input(params.image))
        picture.thumbnail((PAINTED, PAINTED), Image.Resampling.LANCZOS)
        picture = resized(picture, (max(LEAST_SIDE, picture.width), max(LEAST_SIDE, picture.height)))  # a slim one is stretched to what the network can see
        for number, (text, small) in enumerate(painted(np.asarray(picture), params.styles, ctx), 1):
            ctx.stats(style=text, picture=base64.b64encode(webp(small)).decode())
            ctx.progress(number, len(params.styles), "Thumbnails")
        return Result([], {"thumbnails": len(params.styles)})


def read(text: str) -> tuple[SmallBlend | SmallAny, Any]:
    """The method and its parameters for a style's text. Raises BadInput for what is neither names nor keys."""
    parts = [part.rpartition(":") for part in text.split(",")]
    keys = [(key or weight).strip() for key, _, weight in parts]
    if "." not in keys[0]:  # names have none, keys end with the kind of picture
        return SmallBlend(), BlendParams.parse({"styles": text})
    if len(parts) > len(SLOTS):
        raise BadInput("This is no style.", hint="Choose a painting.", field="styles")
    values: dict[str, Any] = {}
    for slot, key, (first, _, weight) in zip(SLOTS, keys, parts, strict=False):
        values |= {slot: key} | ({f"{slot}_weight": weight.strip()} if first else {})
    return SmallAny(), AnyParams.parse(values)


def painted(pixels: Any, styles: list[str], ctx: RunContext) -> Iterator[tuple[str, Image.Image]]:
    """Those of one network after the other, so that each is loaded once."""
    from pipelines.image.nets.style import paint_bytes

    wanted = [(text, *read(text)) for text in styles]
    for kind in (SmallAny, SmallBlend):
        mine = [(text, method, values) for text, method, values in wanted if isinstance(method, kind)]
        if not mine:
            continue
        with ctx.models.use(mine[0][1].spec(ctx), working=330 * PAINTED * PAINTED) as model:
            for text, method, values in mine:
                ctx.check()
                yield text, Image.fromarray(paint_bytes(model.painter, pixels, method.style(model, values, ctx), lambda share: ctx.check()))


def webp(picture: Image.Image) -> bytes:
    picture.thumbnail((SAVED, SAVED), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=80, method=4)
    return buffer.getvalue()
