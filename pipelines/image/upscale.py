"""image.upscale: a picture enlarged, nothing drawn anew."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from pipelines.image.enlarge import enlarged
from pipelines.image.params import MOST_PIXELS, PICTURE, Upscaler
from pipelines.image.pictures import open_picture, png
from pipelines.image.settle import check_picture
from studio.api import Artifact, BadInput, Catalog, Desk, Fix, Lane, Need, Params, Result, RunContext, ui


class UpscaleParams(Params):
    image: str = Field("", pattern=PICTURE, title="Picture", description="The picture to enlarge.", json_schema_extra=ui(widget="hidden"))
    scale: float = Field(4.0, ge=1.0, le=4.0, title="Enlarge", description="How many times as wide and as high.", json_schema_extra=ui(step=0.5))
    upscaler: Upscaler = Field("Real-ESRGAN", title="Upscaler", description="What enlarges: a network that draws sharp edges, plain resizing, or whole pixels, for pixel art.")


class Upscale:
    """One picture; Stop acts between tiles."""

    id: ClassVar[str] = "image.upscale"
    title: ClassVar[str] = "Enlarge"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = UpscaleParams

    def need(self, params: UpscaleParams, catalog: Catalog) -> Need:
        return Need(2_500_000, 400_000_000, missing="" if params.image else "There is no picture to enlarge.")

    def settle(self, params: UpscaleParams, desk: Desk) -> UpscaleParams:
        width, height = check_picture(params.image, "image", desk)
        if (pixels := width * height * params.scale**2) > MOST_PIXELS * 4:
            largest = max(1.0, int(2 * (MOST_PIXELS * 4 / (width * height)) ** 0.5) / 2)  # in steps of a half
            fix = Fix.use("scale", largest, f"{largest:g}")
            raise BadInput(f"The finished picture would have {pixels / 1e6:.0f} megapixels; {MOST_PIXELS * 4 / 1e6:.0f} can be made.", hint="Choose a smaller size.", field="scale", fix=fix)
        return params

    def run(self, params: UpscaleParams, ctx: RunContext) -> Result:
        picture = enlarged(open_picture(ctx.input(params.image)), params.upscaler, params.scale, ctx)
        return Result([Artifact("image", png(picture), ".png", "Enlarged", {"width": picture.width, "height": picture.height})], {})
