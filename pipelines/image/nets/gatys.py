"""What a picture that is painted by optimisation should become: the features of VGG16 are to correlate as those of the style do.

Source: Gatys, Ecker, Bethge, Image Style Transfer Using Convolutional Neural Networks, 2016.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from pipelines.image.nets.trunk import Trunk

STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1")  # the paper's without conv5_1, which costs a quarter more and adds little with this trunk
CONTENT_LAYER = "conv4_1"
PULL = 0.1  # of values outside 0 … 1 back into it
Going = Callable[[float], None]


@dataclass(frozen=True)
class Weights:
    """Of the content and of smoothness, beside a style of 1."""

    content: float
    smooth: float


@dataclass(frozen=True)
class Losses:
    """Each 0 where nothing differs, about 1 between two unlike pictures; `smooth` is the mean squared difference of neighbours."""

    style: float
    content: float
    smooth: float
    total: float


def gram(features: Any) -> Any:
    """[1, C, h, w] to [C, C] in float32 or better: the mean over all places of the product of two channels."""
    flat = features.flatten(2)[0]
    flat = flat if flat.dtype == torch.float64 else flat.float()
    return flat @ flat.T / flat.shape[1]


class Goal:
    """What a picture of one size should become."""

    def __init__(self, trunk: Trunk, content: Any, style: dict[str, Any], weights: Weights) -> None:
        self.trunk, self.style, self.weights = trunk, style, weights
        with torch.no_grad():
            self.content = trunk(content, {CONTENT_LAYER}, edges=False)[CONTENT_LAYER]

    def losses(self, picture: Any, each: Callable[[], None] | None = None) -> tuple[Any, Any, Any]:
        """Style, content and smoothness of [1, 3, h, w], as scalars with gradients."""
        found = self.trunk(picture, {*self.style, CONTENT_LAYER}, edges=False, each=each)
        style = sum(((gram(found[name]) - wanted) ** 2).sum() / (wanted**2).sum() for name, wanted in self.style.items()) / len(self.style)
        content = relative(found[CONTENT_LAYER], self.content)
        smooth = ((picture[..., 1:] - picture[..., :-1]) ** 2).mean() + ((picture[..., 1:, :] - picture[..., :-1, :]) ** 2).mean()
        return style, content, smooth

    def gradient(self, picture: Any, going: Going = lambda share: None) -> tuple[Losses, Any]:
        """What the picture loses, and in which direction it would lose more. `going` is called between layers, with the share that is surely done, and may raise to stop."""
        with torch.enable_grad():
            picture = picture.detach().requires_grad_(True)
            style, content, smooth = self.losses(picture, lambda: going(0.0))
            total = style + self.weights.content * content + self.weights.smooth * smooth + PULL * ((picture - picture.detach().clamp(0, 1)) ** 2).mean()
            (gradient,) = torch.autograd.grad(total, picture)
        return Losses(*(float(part.detach()) for part in (style, content, smooth, total))), gradient.contiguous()


def relative(features: Any, wanted: Any) -> Any:
    """The squared distance in units of the squared length."""
    wide = torch.float64 if features.dtype == torch.float64 else torch.float32
    return ((features.to(wide) - wanted.to(wide)) ** 2).sum() / (wanted.to(wide) ** 2).sum().clamp(min=1e-12)
