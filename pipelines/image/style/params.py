"""What all methods of style transfer ask for."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, PrivateAttr, field_validator

from pipelines.image.params import PICTURE, UPSCALER_TOLD, never_smaller
from pipelines.image.upscalers import CHOICES as UPSCALERS
from studio.api import Params, ui

Colours = Literal["Style", "Lightness only", "Matched"]
MOST_SIDE = 16384


def upscale_field() -> Any:
    return Field(1.0, ge=0.0, le=4.0, title="Enlarge", description="The finished picture this much larger; 1 is off.", json_schema_extra=ui(group="Size", step=0.5, advanced=True))


def upscaler_field() -> Any:
    return Field(UPSCALERS[0], max_length=200, title="Upscaler", description=UPSCALER_TOLD, json_schema_extra=ui(group="Size", widget="model", model_kind="upscaler", choices=UPSCALERS, advanced=True))


class StyleParams(Params):
    """The picture that is painted anew, and how much of it."""

    _seen: tuple[int, ...] = PrivateAttr(())  # width, height and frames of the picture, once it was looked at
    image: str = Field("", pattern=PICTURE, title="Picture", description="The picture that is painted anew; one that moves is painted frame by frame.", json_schema_extra=ui(widget="hidden"))
    strength: float = Field(1.0, ge=0.0, le=1.0, title="Strength", description="How much of the style there is: 0 leaves the picture as it was.", json_schema_extra=ui(step=0.05))
    colours: Colours = Field("Style", title="Colours", description="The style's own, or those of the picture: only the style's lightness is taken, or its colours are spread as the picture's are.")
    mask: str = Field("", pattern=PICTURE, title="Mask", description="White is painted, black stays as it was; none paints everything.", json_schema_extra=ui(group="Mask", widget="hidden"))
    mask_blur: int = Field(8, ge=0, le=256, title="Mask blur", description="Softens the mask's edge by this many pixels.", json_schema_extra=ui(group="Mask", advanced=True))
    size: int = Field(0, ge=0, le=MOST_SIDE, title="Longer side", description="Of the result in pixels; 0 keeps the picture's own size.", json_schema_extra=ui(group="Size", widget="number"))
    upscale: float = upscale_field()
    upscaler: str = upscaler_field()

    _enlarges = field_validator("upscale")(never_smaller)

    @field_validator("size")
    @classmethod
    def _not_tiny(cls, value: int) -> int:
        if 0 < value < 16:
            raise ValueError("It must be 0, or at least 16")
        return value


def _picture(number: str) -> Any:
    told, hint = "Its manner of painting is taken: strokes, shapes and colours.", ui(group="Style", widget="picture" if number else "hidden", advanced=bool(number))
    return Field("", pattern=PICTURE, title=f"Style picture {number}".strip(), description=told, json_schema_extra=hint)


def _weight(number: str) -> Any:
    told = "How much of this style there is beside the others."
    return Field(1.0, ge=0.0, le=1.0, title=f"Weight of style {number}", description=told, json_schema_extra=ui(group="Style", step=0.05, advanced=True))


class PictureStyleParams(StyleParams):
    """Styles taken from up to three pictures."""

    style: str = _picture("")
    style_weight: float = _weight("1")
    style2: str = _picture("2")
    style2_weight: float = _weight("2")
    style3: str = _picture("3")
    style3_weight: float = _weight("3")

    def pairs(self) -> list[tuple[str, float]]:
        """(key, weight) of the pictures that are there, with weights whose sum is 1."""
        given = [(self.style, self.style_weight), (self.style2, self.style2_weight), (self.style3, self.style3_weight)]
        found = [(key, weight) for key, weight in given if key and weight > 0]
        whole = sum(weight for _, weight in found)
        return [(key, weight / whole) for key, weight in found]
