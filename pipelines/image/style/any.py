"""image.style_any: the style of any picture, read by one network and painted by another in one pass.

Source: Ghiasi, Lee, Kudlur, Dumoulin, Shlens, Exploring the Structure of a Real-time, Arbitrary Neural Artistic Stylization Network, 2017: a style is 100 numbers;
means of these are styles between them.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from PIL import ImageOps

from pipelines.image.pictures import open_picture
from pipelines.image.settle import check_picture
from pipelines.image.style.flow import REMEMBERED, Model, Painting, steady_field, stroke_field
from pipelines.image.style.params import PictureStyleParams
from studio.api import BadInput, Desk, Params, RunContext


class AnyParams(PictureStyleParams):
    stroke: float = stroke_field()
    steady: float = steady_field()


class AnyStyle(Painting[AnyParams]):
    """One artifact; the same parameters give the same pixels."""

    id: ClassVar[str] = "image.style_any"
    title: ClassVar[str] = "Style from a picture"
    Params: ClassVar[type[Params]] = AnyParams
    paint_weights: ClassVar[str] = "arbitrary-paint"
    read_weights: ClassVar[str] = "arbitrary-read"

    def missing(self, params: AnyParams) -> str:
        return super().missing(params) or missing_styles(params)

    def check_style(self, params: AnyParams, desk: Desk) -> None:
        check_styles(params)
        check_style_pictures(params, desk)

    def style(self, model: Model, params: AnyParams, ctx: RunContext) -> Any:
        import torch

        vectors = [weight * self._read(model, key, ctx) for key, weight in params.pairs()]
        return torch.stack(vectors).sum(0)

    def name(self, params: AnyParams) -> str:
        return "Styled"

    def _read(self, model: Model, key: str, ctx: RunContext) -> Any:
        """Of the picture's middle square; remembered, for one style is often used again."""
        if key not in model.read:
            import torch

            from pipelines.image.nets.style_reader import SIDE

            square = np.asarray(ImageOps.fit(open_picture(ctx.input(key)), (SIDE, SIDE)))
            told = torch.from_numpy(square.copy()).to(model.painter.device).permute(2, 0, 1)[None].float() / 255
            while len(model.read) >= REMEMBERED:
                model.read.pop(next(iter(model.read)))
            model.read[key] = model.reader.read(told)
        return model.read[key]


def missing_styles(params: PictureStyleParams) -> str:
    if params.pairs():
        return ""
    return "Every style picture has the weight 0." if params.style or params.style2 or params.style3 else "There is no style picture."


def check_styles(params: PictureStyleParams) -> None:
    """Raises BadInput where no style counts."""
    if missing := missing_styles(params):
        given = next((name for name in ("style", "style2", "style3") if getattr(params, name)), "")
        raise BadInput(missing, hint="Give one of them a weight above 0." if given else "Give one.", field=f"{given}_weight" if given else "style")


def check_style_pictures(params: PictureStyleParams, desk: Desk) -> None:
    """Raises BadInput at the field of a style picture that can't be read, or of a weight that changes nothing."""
    for name in ("style", "style2", "style3"):
        if key := getattr(params, name):
            check_picture(key, name, desk)
        elif name != "style" and getattr(params, f"{name}_weight") != 1:
            raise BadInput("This weight has no style picture.", hint="Give one, or leave the weight at 1.", field=f"{name}_weight")
