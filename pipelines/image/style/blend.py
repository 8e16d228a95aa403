"""image.style_blend: one of 26 styles that come along, or several of them mixed, in one pass of a network.

Source: Dumoulin, Shlens, Kudlur, A Learned Representation for Artistic Style, 2017: all styles share their convolutions; each has its own scales and shifts, and
means of these are styles between them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from pipelines.image.style.flow import Model, Painting, steady_field, stroke_field
from pipelines.image.style.names import STYLES, read_styles
from pipelines.image.style.params import StyleParams
from studio.api import Desk, NotFound, Params, RunContext, ui

THUMBS = Path(__file__).resolve().parent / "thumbs"


class BlendParams(StyleParams):
    styles: str = Field(STYLES[19], max_length=2000, title="Styles", description="One by its name, or several with their weights: “Dusk: 0.7, Copper etching: 0.3”.", json_schema_extra=ui(group="Style"))
    stroke: float = stroke_field()
    steady: float = steady_field()


class Blend(Painting[BlendParams]):
    """One artifact; the same parameters give the same pixels."""

    id: ClassVar[str] = "image.style_blend"
    title: ClassVar[str] = "Painted styles"
    Params: ClassVar[type[Params]] = BlendParams
    paint_weights: ClassVar[str] = "multistyle26"

    def check_style(self, params: BlendParams, desk: Desk) -> None:
        read_styles(params.styles)

    def style(self, model: Model, params: BlendParams, ctx: RunContext) -> Any:
        import torch

        vector = torch.zeros(model.painter.styles, device=model.painter.device)
        for number, weight in read_styles(params.styles):
            vector[number] = weight
        return vector

    def name(self, params: BlendParams) -> str:
        return " + ".join(STYLES[number] for number, _ in sorted(read_styles(params.styles), key=lambda pair: -pair[1])[:3])

    def styles(self) -> list[dict[str, Any]]:
        """For the page: of each style its number and name."""
        return [{"number": number, "name": name} for number, name in enumerate(STYLES)]

    def thumb(self, number: int) -> bytes:
        """WebP: the sample picture in this style. Raises NotFound."""
        if not 0 <= number < len(STYLES):
            raise NotFound(f"There is no style “{number}”.")
        return (THUMBS / f"{number:02}.webp").read_bytes()
