"""Enlarging a finished picture, as a pipeline of its own or as the last stage of another one: by a network, tile by tile, or by plain resizing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from pipelines.image.memory import ran_out
from pipelines.image.upscalers import PLAIN, Enlarging, does_nothing, enlarging, find
from studio.api import ModelBroken, ModelEntry, ModelSpec, ModelTooLarge, RunContext, Stopped, StudioError, give_back

FILTERS = {"Lanczos": Image.Resampling.LANCZOS, "Nearest": Image.Resampling.NEAREST}
BAND = 2_000_000  # pixels that are resized between two looks at Stop
SUPPORT = 4  # pixels that resizing looks at around each
TELL_SECONDS = 0.2
NOT_ENLARGED = "The picture was kept as large as it was made: it was not enlarged."
IN_SMALLER_TILES = "There was not enough memory for the quickest way: it was enlarged in smaller tiles."
IN_PARTS = "This upscaler looks at the whole picture at once, and this one was too large for that here: it was enlarged in parts, whose shades can differ a little."
Told = Callable[[float], None]


def enlarged(picture: Image.Image, upscaler: str, scale: float, ctx: RunContext, told: Told | None = None, notes: list[str] | None = None, at: str = "upscale") -> Image.Image:
    """RGB or RGBA to the same, `scale` times as wide and high. `upscaler` is a name as `upscalers.settled` gives it; `at` is the field of the scale.

    Stop acts between layers. `told` hears the share that is done, else the job is told of a loading; `notes` gets a sentence where memory ran out once, or did not suffice for a network that looks at the whole picture.
    Raises Stopped, ModelMissing, ModelBroken, ModelTooLarge.
    """
    tell = _seldom(told or (lambda share: ctx.loading("Enlarging", share)))
    if does_nothing(upscaler, scale, ctx.catalog):
        return picture
    picture = picture if picture.mode in ("RGB", "RGBA") else picture.convert("RGB")
    if upscaler in PLAIN:
        return resized(picture, scale, upscaler, tell, ctx.check)
    entry = find(upscaler, ctx.catalog)
    pixels = picture.width * picture.height
    for smaller in (False, True):
        plan = enlarging(entry, pixels, scale, ctx.device, ctx.models.room, smaller=smaller)
        said = [IN_SMALLER_TILES] if smaller else []
        made = _tried(picture, entry, scale, plan, tell, ctx, smaller, said)
        if made is not None:
            if notes is not None:
                notes += [note for note in said if note not in notes]
            return made
        give_back()
    raise ModelTooLarge("There was not enough memory to enlarge this picture, also in small tiles.", hint="Choose a smaller size or another upscaler.", field=at)


class Enough(Exception):
    """Stop was pressed in the last stage of a picture that is kept without it."""


class Finishing:
    """A context for the last stages of a picture that is kept even though Stop was pressed: they take a moment, and must not be broken off."""

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx

    def __getattr__(self, name: str) -> Any:
        return (lambda *_, **__: None) if name in ("check", "progress", "loading") else getattr(self._ctx, name)


class Leaving(Finishing):
    """The same for a stage that a finished picture can do without: Stop ends it, and Skip where the context heeds it."""

    def check(self) -> None:
        if self._ctx.stopping == "cancel":
            raise Enough
        self._ctx.check()


def enlarged_last(picture: Image.Image, upscaler: str, scale: float, ctx: RunContext, told: Told | None, notes: list[str]) -> Image.Image:
    """As `enlarged`, for a picture that took long: where that fails, or once Stop was pressed, it comes back as it is, and `notes` say why."""
    leaving: Any = Leaving(ctx)
    try:
        leaving.check()
        return enlarged(picture, upscaler, scale, leaving, told or (lambda share: ctx.loading("Enlarging", share)), notes)
    except (Enough, Stopped):
        notes.append(NOT_ENLARGED)
    except StudioError as error:
        notes += [NOT_ENLARGED, error.message]
    return picture


def _tried(picture: Image.Image, entry: ModelEntry, scale: float, plan: Enlarging, tell: Told, ctx: RunContext, smaller: bool, said: list[str]) -> Image.Image | None:
    """None where memory ran out; the error and the frames that it held are gone then. `said` gets a sentence where a network that needs the whole picture did not get it."""
    from pipelines.image.nets.upscale import enlarge, parted

    try:
        with ctx.models.use(upscaler_spec(entry, plan, ctx), working=plan.working) as network:
            if network.whole and not smaller:
                plan = enlarging(entry, picture.width * picture.height, scale, ctx.device, ctx.models.room + plan.weights, undivided=True)
            if network.whole and parted(network, picture, plan.tile):
                said[:] = [IN_PARTS]
            return enlarge(network, picture, scale, tell, ctx.check, tile=plan.tile)
    except Exception as error:
        if isinstance(error, StudioError) or not ran_out(error):
            raise
    return None


def upscaler_spec(entry: ModelEntry, plan: Enlarging, ctx: RunContext) -> ModelSpec[Any]:
    """How the worker loads it."""

    def load(report: Any) -> Any:
        import torch

        from pipelines.image.nets.upscalers import load_upscaler

        torch.set_num_threads(ctx.threads)
        try:
            return load_upscaler(Path(entry.path), ctx.device)
        except Exception as error:  # whatever the code of forty networks says to a file that is not quite one of theirs
            if ran_out(error):
                raise
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise ModelBroken(f"The upscaler “{entry.title}” can't be used: {reason}.", hint="Choose another one.", field="upscaler") from error

    return ModelSpec(entry.key, plan.weights, load)


def resized(picture: Image.Image, scale: float, how: str, tell: Told, check: Callable[[], None]) -> Image.Image:
    """By one of FILTERS, in bands of rows, so that Stop need not wait for a large picture; the result is that of resizing it at once. Whole pixels take no time."""
    width, height = (max(1, round(side * scale)) for side in picture.size)
    rows = max(1, BAND // width)
    if height <= rows or how == "Nearest":
        return picture.resize((width, height), FILTERS[how])
    made, ratio = Image.new(picture.mode, (width, height)), picture.height / height
    for top in range(0, height, rows):
        check()
        tell(top / height)
        bottom = min(height, top + rows)
        above, below = max(0, math.floor(top * ratio) - SUPPORT), min(picture.height, math.ceil(bottom * ratio) + SUPPORT)
        part = picture.crop((0, above, picture.width, below))
        made.paste(part.resize((width, bottom - top), FILTERS[how], box=(0, top * ratio - above, part.width, bottom * ratio - above)), (0, top))
    return made


def _seldom(told: Told) -> Told:
    """The first and the last word, and between them one now and then."""
    last = [-math.inf]

    def tell(share: float) -> None:
        if share >= 1 or time.monotonic() - last[0] >= TELL_SECONDS:
            last[0] = time.monotonic()
            told(share)

    return tell
