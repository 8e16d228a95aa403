"""What is done to every styled picture, whatever the method: its colours, its strength, where it applies, what can be seen through; enlarged at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageFilter

from pipelines.image.enlarge import Finishing, enlarged, enlarged_last
from pipelines.image.pictures import open_picture
from pipelines.image.style.colours import kept
from pipelines.image.style.content import Frame, resized
from pipelines.image.style.params import StyleParams
from pipelines.image.upscalers import settled as settled_upscaler
from pipelines.image.upscalers import upscaler_bytes
from studio.api import Catalog, RunContext

P = TypeVar("P", bound=StyleParams)


@dataclass(frozen=True)
class Where:
    """How much of the style there is at each pixel: L, of the result's size; None is everywhere."""

    mask: Image.Image | None

    def laid(self, content: Image.Image, styled: Image.Image, strength: float) -> Image.Image:
        if self.mask is None:
            return styled if strength >= 1 else Image.blend(content, styled, strength)
        return Image.composite(styled, content, self.mask.point(lambda value: round(value * strength)))


def with_upscaler(params: P, catalog: Catalog) -> P:
    """The upscaler by its key, where one is used. Raises ModelMissing or ModelBroken at its field."""
    return params.model_copy(update={"upscaler": settled_upscaler(params.upscaler, params.upscale, catalog)}) if params.upscale > 1 else params


def enlarging_bytes(params: StyleParams, catalog: Catalog, device: str) -> int:
    """Of the upscaler's weights. Raises as `with_upscaler`."""
    return upscaler_bytes(params.upscaler, (params.upscale,), catalog, device)


def where_of(params: StyleParams, size: tuple[int, int], ctx: RunContext) -> Where:
    """The mask, soft at its edge: the blur is told in pixels of the picture that it was drawn on."""
    if not params.mask:
        return Where(None)
    mask = open_picture(ctx.input(params.mask), "L")
    if params.mask_blur:
        mask = mask.filter(ImageFilter.GaussianBlur(params.mask_blur))
    return Where(resized(mask, size, ctx.check))


def finished(frame: Frame, styled: Image.Image, params: StyleParams, where: Where, ctx: RunContext) -> Image.Image:
    """RGB, or RGBA where the picture has something to see through. `frame` and `styled` have the result's size. Raises Stopped."""
    made = _laid(frame, styled, params, where, ctx)
    return _clear(enlarged(made, params.upscaler, params.upscale, ctx) if params.upscale > 1 else made, frame, ctx)


def last_touches(frame: Frame, styled: Image.Image, params: StyleParams, ctx: RunContext, notes: list[str], told: Callable[[float], None] | None = None) -> Image.Image:
    """The same for a picture that took long: Stop breaks nothing off but its enlarging, and where that fails it is kept without, which `notes` say."""
    quiet: Any = Finishing(ctx)
    made = _laid(frame, styled, params, where_of(params, styled.size, quiet), quiet)
    return _clear(enlarged_last(made, params.upscaler, params.upscale, ctx, told, notes) if params.upscale > 1 else made, frame, quiet)


def _laid(frame: Frame, styled: Image.Image, params: StyleParams, where: Where, ctx: RunContext) -> Image.Image:
    if params.colours != "Style":
        styled = Image.fromarray(kept(np.asarray(frame.picture), np.asarray(styled), params.colours, ctx.check))
    return where.laid(frame.picture, styled, params.strength)


def _clear(made: Image.Image, frame: Frame, ctx: RunContext) -> Image.Image:
    """With what can be seen through."""
    if frame.alpha is None:
        return made
    made = made.copy()  # the next frame may begin from it
    made.putalpha(resized(frame.alpha, made.size, ctx.check))
    return made
