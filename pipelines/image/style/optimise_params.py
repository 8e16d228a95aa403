"""What image.style_optimise asks for."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from pipelines.image.style.params import MOST_SIDE, PictureStyleParams
from pipelines.image.style.scales import MOST_SCALES, USUAL_SIDE, USUAL_STEPS
from studio.api import ui

Begin = Literal["Recoloured picture", "Picture", "Noise", "Style from a picture"]
Method = Literal["L-BFGS", "Adam"]


def _field(value: Any, title: str, description: str, *, step: float = 0, widget: Any = "auto", advanced: bool = False, **bounds: Any) -> Any:
    return Field(value, title=title, description=description, json_schema_extra=ui(group="Painting", step=step, widget=widget, advanced=advanced), **bounds)


class OptimiseParams(PictureStyleParams):
    content: float = _field(1.0, "Content", "How much the picture's shapes count beside the style.", step=0.1, ge=0.0, le=50.0)
    smooth: float = _field(1.0, "Smoothness", "How much even surfaces count; more has less grain.", step=0.1, ge=0.0, le=50.0)
    steps: int = _field(0, "Steps", f"More is closer to the style and slower; most of them are taken at small sizes. 0 is {USUAL_STEPS}.", ge=0, le=2000)
    paint_size: int = _field(0, "Painted at", f"Longer side in pixels at which it is painted; the result is brought to its size. 0 is the result's own, up to {USUAL_SIDE}.", widget="number", ge=0, le=MOST_SIDE)
    style_size: int = _field(0, "Style size", "Longer side of the style pictures while painting: larger ones give larger strokes. 0 is as large as the picture, up to twice their own.", widget="number", ge=0, le=4096)
    begin: Begin = _field("Recoloured picture", "Begin from", "The picture in the style's colours, as it is, noise, or what “Style from a picture” makes of it.", advanced=True)
    noise_seed: int = _field(0, "Noise seed", "Other noise gives another painting; only where it begins from noise.", widget="number", advanced=True, ge=0, le=2**31 - 1)
    scales: int = _field(0, "Sizes", "Through how many sizes it is painted, each twice the one before; 0 begins near 128 pixels, 1 paints at full size only.", advanced=True, ge=0, le=MOST_SCALES)
    optimiser: Method = _field("L-BFGS", "Optimiser", "L-BFGS gets closer; Adam is livelier.", advanced=True)

    @field_validator("paint_size", "style_size")
    @classmethod
    def _not_tiny_either(cls, value: int) -> int:
        if 0 < value < 32:
            raise ValueError("It must be 0, or at least 32")
        return value
