"""image.upscale: pictures enlarged, nothing drawn anew."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from PIL import Image
from pydantic import Field, PrivateAttr

from pipelines.image.enlarge import enlarged
from pipelines.image.infotext import enlarged_later
from pipelines.image.params import PICTURE, UPSCALER_TOLD
from pipelines.image.pictures import open_whole, png
from pipelines.image.settle import check_file, check_picture
from pipelines.image.upscalers import AUTOMATIC, CHOICES, PICTURE_BYTES, PLAIN, does_nothing, enlarging, find, settled
from studio.api import Artifact, BadInput, Catalog, Desk, Fix, Lane, Need, Params, Result, RunContext, StudioError, parameters_text, ui

MOST_PIXELS = 178_000_000  # of a finished picture: larger ones are refused by what shows them
USUAL_PIXELS = 1_000_000  # of a picture that was not looked at
MOST_PICTURES = 400


class UpscaleParams(Params):
    image: str = Field("", pattern=PICTURE, title="Picture", description="The picture to enlarge.", json_schema_extra=ui(widget="hidden"))
    more: list[str] = Field([], max_length=MOST_PICTURES - 1, title="More pictures", description="Enlarged in the same way; what can't be read is left out and told.", json_schema_extra=ui(widget="hidden"))
    scale: float = Field(4.0, ge=1.0, le=4.0, title="Enlarge", description="How many times as wide and as high; 1 only cleans, by networks made for that.", json_schema_extra=ui(step=0.5))
    upscaler: str = Field(AUTOMATIC, max_length=200, title="Upscaler", description=UPSCALER_TOLD, json_schema_extra=ui(widget="model", model_kind="upscaler", choices=CHOICES))
    _pixels: tuple[int, ...] = PrivateAttr(())  # of the pictures, once they were looked at

    @property
    def pictures(self) -> list[str]:
        return [key for key in (self.image, *self.more) if key]


class Upscale:
    """Each picture is kept as soon as it is finished; Stop acts between layers and while a picture is saved."""

    id: ClassVar[str] = "image.upscale"
    title: ClassVar[str] = "Enlarge"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = UpscaleParams

    def need(self, params: UpscaleParams, catalog: Catalog) -> Need:
        return self.place(params, catalog, "cpu", sys.maxsize)

    def place(self, params: UpscaleParams, catalog: Catalog, device: str, room: int) -> Need:
        """Also, as facts, the network's name, its own scale and how large the tiles are."""
        if not params.pictures:
            return Need(missing="There is no picture to enlarge.")
        pixels = max(params._pixels, default=USUAL_PIXELS)
        saved = int(pixels * params.scale**2 * 3)  # the finished file, at worst
        try:
            name = settled(params.upscaler, params.scale, catalog)
            if name in PLAIN:
                return Need(0, int(pixels * (1 + params.scale**2) * PICTURE_BYTES) + saved, facts={"upscaler": name})
            entry = find(name, catalog)
        except StudioError as error:
            return Need(missing=error.message)
        plan = enlarging(entry, pixels, params.scale, device, room - saved)
        return Need(plan.weights, plan.working + saved, facts={"upscaler": name, "tile": plan.tile, "scale": entry.details.get("scale", 0)})

    def pace_key(self, params: UpscaleParams, catalog: Catalog) -> str:
        try:
            return settled(params.upscaler, params.scale, catalog)
        except StudioError:
            return params.upscaler  # its file is gone meanwhile

    def seconds(self, params: UpscaleParams, catalog: Catalog, pace: dict[str, float]) -> float:
        pixels = sum(params._pixels) or USUAL_PIXELS * len(params.pictures)
        return pixels * pace.get("pixel", 0.0) + pixels * params.scale**2 * pace.get("saved", 0.0)

    def look(self, params: UpscaleParams, desk: Desk) -> UpscaleParams:
        """With the sizes of its pictures; what can't be read is not counted."""
        found = []
        for key in params.pictures:
            try:
                with Image.open(desk.inputs.path(key)) as image:
                    found.append(image.width * image.height)
            except (StudioError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
                continue
        seen = params.model_copy()
        seen._pixels = tuple(found)
        return seen

    def settle(self, params: UpscaleParams, desk: Desk) -> UpscaleParams:
        name = settled(params.upscaler, params.scale, desk.catalog)
        if not params.image:
            raise BadInput("There is no picture to enlarge.", hint="Give a picture first.", field="image")
        for key in params.more:
            if not re.fullmatch(PICTURE, key):
                raise BadInput("This is no picture that can be read.", hint="Give a PNG, JPEG or WebP file.", field="more")
        check_result(check_picture(params.image, "image", desk), params.scale)
        if does_nothing(name, params.scale, desk.catalog):
            raise BadInput("At its own size this upscaler changes nothing.", hint="Choose a larger size, or a network that cleans pictures.", field="scale")
        return self.look(params.model_copy(update={"upscaler": name}), desk)

    def run(self, params: UpscaleParams, ctx: RunContext) -> Result:
        """Of several pictures those that can't be read are told in the summary's notes; where none can, that is the job's error."""
        notes: list[str] = []
        refused: list[StudioError] = []
        spent, keys, done = Spent(), params.pictures, len(ctx.kept)
        for number, key in enumerate(keys):
            told = partial(self._tell, ctx, number, len(keys))
            try:
                check_result(check_file(ctx.input(key), "image"), params.scale)
                if done:  # by an earlier run of this job that was broken off
                    done -= 1
                    continue
                artifact = self._one(params.model_copy(update={"image": key, "more": []}), told, spent, notes, ctx)
            except StudioError as error:
                refused.append(error)
                notes += [f"Picture {number + 1}: {error.message}"]
            else:
                ctx.output(replace(artifact, origin={}) if len(keys) == 1 else artifact)
        if len(refused) == len(keys):
            raise refused[0]
        return Result([], {"notes": list(dict.fromkeys(notes)), "pace": spent.pace})

    def _tell(self, ctx: RunContext, number: int, count: int, share: float, note: str = "") -> None:
        """Steps are hundredths of all the pictures."""
        note = note or (f"Picture {number + 1} of {count}" if count > 1 else "Enlarging")
        ctx.progress(round((number + min(share, 0.99)) * 100), count * 100, note, (number + share) / count)

    def _one(self, params: UpscaleParams, told: Callable[..., None], spent: Spent, notes: list[str], ctx: RunContext) -> Artifact:
        picture = open_whole(ctx.input(params.image))
        told(0.0)
        large = enlarged(picture, params.upscaler, params.scale, ctx, spent.heard(told), notes, at="scale")
        spent.drawn(picture.width * picture.height)
        told(1.0, "Saving")
        data = png(large, ctx.check, picture.info.get("icc_profile"))
        spent.saved(large.width * large.height)
        facts: dict[str, Any] = {"width": large.width, "height": large.height}
        if text := enlarged_later(parameters_text(ctx.input(params.image)), params.scale, params.upscaler):
            facts["parameters"] = text
        return Artifact("image", data, ".png", "Enlarged", facts, {"pipeline": self.id, "params": params.model_dump()})


class Spent:
    """Seconds a pixel: of enlarging, from the first word of it, for before that the network is loaded; and of saving."""

    def __init__(self) -> None:
        self.pace: dict[str, float] = {}
        self._begun = 0.0

    def heard(self, told: Callable[[float], None]) -> Callable[[float], None]:
        self._begun = 0.0

        def tell(share: float) -> None:
            self._begun = self._begun or time.monotonic()
            told(share)

        return tell

    def drawn(self, pixels: int) -> None:
        if self._begun:
            self.pace["pixel"] = (time.monotonic() - self._begun) / pixels
        self._begun = time.monotonic()

    def saved(self, pixels: int) -> None:
        self.pace["saved"] = (time.monotonic() - self._begun) / pixels


def check_result(size: tuple[int, int], scale: float) -> None:
    """Raises BadInput."""
    if (pixels := size[0] * size[1] * scale**2) > MOST_PIXELS:
        largest = max(1.0, int(2 * (MOST_PIXELS / (size[0] * size[1])) ** 0.5) / 2)  # in steps of a half
        fix = Fix.use("scale", largest, f"{largest:g}")
        raise BadInput(f"The finished picture would have {pixels / 1e6:.0f} megapixels; {MOST_PIXELS / 1e6:.0f} can be made.", hint="Choose a smaller size.", field="scale", fix=fix)
