"""A picture painted by optimisation: its pixels are changed until the features of VGG16 correlate as those of the style do.

Sources: Gatys, Ecker, Bethge, Image Style Transfer Using Convolutional Neural Networks, 2016 (the losses, L-BFGS); Gatys et al., Controlling Perceptual Factors in Neural
Style Transfer, 2017 (from coarse to fine); Gatys et al., Preserving Color in Neural Artistic Style Transfer, 2016 (the linear map between colours);
Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.4 (two loops); Kingma and Ba, Adam, 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from pipelines.image.nets.trunk import Trunk

STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1")  # the paper's without conv5_1, which costs a quarter more and adds little with this trunk
CONTENT_LAYER = "conv4_1"
PULL = 0.1  # of values outside 0 … 1 back into it
LONGEST = 0.1  # step of L-BFGS, the mean change of a value
FIRST = 0.02  # its first step, before it knows how curved the loss is


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


@torch.no_grad()
def style_of(trunk: Trunk, pictures: list[tuple[Any, float]]) -> dict[str, Any]:
    """Gram matrices by layer of ([1, 3, h, w], weight): the distance to their mean differs from the mean distance by a constant only."""
    found: dict[str, Any] = {}
    for picture, weight in pictures:
        for name, features in trunk(picture, STYLE_LAYERS, edges=False).items():
            found[name] = found.get(name, 0) + weight * gram(features)
    return found


class Goal:
    """What a picture of one size should become."""

    def __init__(self, trunk: Trunk, content: Any, style: dict[str, Any], weights: Weights) -> None:
        self.trunk, self.style, self.weights = trunk, style, weights
        with torch.no_grad():
            self.content = trunk(content, {CONTENT_LAYER}, edges=False)[CONTENT_LAYER]

    def losses(self, picture: Any) -> tuple[Any, Any, Any]:
        """Style, content and smoothness of [1, 3, h, w], as scalars with gradients."""
        found = self.trunk(picture, {*self.style, CONTENT_LAYER}, edges=False)
        style = sum(((gram(found[name]) - wanted) ** 2).sum() / (wanted**2).sum() for name, wanted in self.style.items()) / len(self.style)
        content = relative(found[CONTENT_LAYER], self.content)
        smooth = ((picture[..., 1:] - picture[..., :-1]) ** 2).mean() + ((picture[..., 1:, :] - picture[..., :-1, :]) ** 2).mean()
        return style, content, smooth

    def gradient(self, picture: Any) -> tuple[Losses, Any]:
        """What the picture loses, and in which direction it would lose more."""
        with torch.enable_grad():
            picture = picture.detach().requires_grad_(True)
            style, content, smooth = self.losses(picture)
            total = style + self.weights.content * content + self.weights.smooth * smooth + PULL * ((picture - picture.detach().clamp(0, 1)) ** 2).mean()
            (gradient,) = torch.autograd.grad(total, picture)
        return Losses(*(float(part.detach()) for part in (style, content, smooth, total))), gradient.contiguous()


def relative(features: Any, wanted: Any) -> Any:
    """The squared distance in units of the squared length."""
    wide = torch.float64 if features.dtype == torch.float64 else torch.float32
    return ((features.to(wide) - wanted.to(wide)) ** 2).sum() / (wanted.to(wide) ** 2).sum().clamp(min=1e-12)


class Optimiser(Protocol):
    def step(self, picture: Any, gradient: Any) -> Any:
        """The next picture."""


class Lbfgs:
    """Follows the curvature that the last steps have shown; without a search along the line, as each look costs as much as a step."""

    def __init__(self, remembered: int = 16) -> None:
        self.remembered = remembered
        self.pairs: list[tuple[Any, Any, Any]] = []
        self.before: tuple[Any, Any] | None = None

    def step(self, picture: Any, gradient: Any) -> Any:
        if self.before is not None:
            moved, turned = picture - self.before[0], gradient - self.before[1]
            if (product := (moved * turned).sum()) > 1e-10 * (turned * turned).sum():  # a pair of a hollow; others would turn the direction round
                self.pairs = [*self.pairs, (moved, turned, product)][-self.remembered :]
        self.before = (picture, gradient)
        change = self._direction(gradient)
        mean = change.abs().mean()
        if mean > LONGEST:
            change = change * (LONGEST / mean)
        return picture - change

    def _direction(self, gradient: Any) -> Any:
        """The inverse curvature times the gradient."""
        if not self.pairs:
            return gradient * (FIRST / gradient.abs().mean().clamp(min=1e-30))
        left, shares = gradient.clone(), []
        for moved, turned, product in reversed(self.pairs):
            shares.append((moved * left).sum() / product)
            left -= shares[-1] * turned
        _, turned, product = self.pairs[-1]
        left *= product / (turned * turned).sum()
        for (moved, turned, product), share in zip(self.pairs, reversed(shares), strict=True):
            left += (share - (turned * left).sum() / product) * moved
        return left


class Adam:
    """Each value by its own mean gradient in units of its usual size."""

    def __init__(self, rate: float = 0.03) -> None:
        self.rate, self.count = rate, 0
        self.mean = self.square = torch.zeros(())

    def step(self, picture: Any, gradient: Any) -> Any:
        self.count += 1
        self.mean = 0.9 * self.mean + 0.1 * gradient
        self.square = 0.99 * self.square + 0.01 * gradient**2
        change = (self.mean / (1 - 0.9**self.count)) / ((self.square / (1 - 0.99**self.count)).sqrt() + 1e-12)
        return (picture - self.rate * change).clamp(0, 1)


OPTIMISERS: dict[str, Callable[[], Optimiser]] = {"L-BFGS": Lbfgs, "Adam": Adam}


@dataclass
class Best:
    """The best picture of a scale; `step` and `steps` of it, `scale` counts from 0."""

    picture: Any
    losses: Losses
    scale: int
    step: int


def paint(trunk: Trunk, content: Any, styles: list[tuple[Any, float]], begin: Any, plan: list[tuple[int, int, int]], weights: Weights, optimiser: str, each: Callable[[Best], bool]) -> Best:
    """`plan` is (height, width, steps) from coarse to fine; all pictures are of its last size, [1, 3, h, w], styles of any. `each` is asked after every look, and ends it with False."""
    picture, best = begin, None
    for scale, (height, width, steps) in enumerate(plan):
        small = resized(content, height, width)
        share = height / plan[-1][0]
        told = [(resized(style, max(16, round(style.shape[2] * share)), max(16, round(style.shape[3] * share))), weight) for style, weight in styles]
        goal = Goal(trunk, small, style_of(trunk, told), weights)
        picture = resized(picture, height, width) if best is None else larger(best.picture, begin, height, width)
        best, going = descend(goal, picture, scale, steps, OPTIMISERS[optimiser](), each)
        if not going:
            break
    assert best is not None
    return best


def descend(goal: Goal, picture: Any, scale: int, steps: int, optimiser: Optimiser, each: Callable[[Best], bool]) -> tuple[Best, bool]:
    """`steps` looks at one size; where a step went wrong it goes on from the best."""
    best: Best | None = None
    for step in range(1, steps + 1):
        losses, gradient = goal.gradient(picture)
        if best is None or losses.total < best.losses.total:
            best = Best(picture, losses, scale, step)
        best.step = step
        if not each(best):
            return best, False
        if not losses.total < 4 * best.losses.total + 1:  # also where it is no number
            optimiser, picture = type(optimiser)(), best.picture
            losses, gradient = goal.gradient(picture)
        picture = optimiser.step(picture, gradient)
    assert best is not None
    return best, True


def larger(picture: Any, begin: Any, height: int, width: int) -> Any:
    """The next scale begins with what is painted and, finer than that could hold, the detail of what it all began with."""
    fine = resized(begin, height, width)
    blurred = resized(resized(begin, *picture.shape[2:]), height, width)
    return (resized(picture, height, width) + fine - blurred).clamp(0, 1)


def resized(picture: Any, height: int, width: int) -> Any:
    if tuple(picture.shape[2:]) == (height, width):
        return picture
    where = picture.cpu() if picture.device.type == "mps" else picture  # not every version can do it there
    return nn.functional.interpolate(where, size=(height, width), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1).to(picture.device)


def recoloured(picture: Any, styles: list[tuple[Any, float]]) -> Any:
    """The picture by the linear map of colours that gives it the styles' mean and covariance, and changes it least (Monge's)."""
    told = [_spread(style) for style, _ in styles]
    mean = sum(weight * one for (one, _), (_, weight) in zip(told, styles, strict=True))
    wanted = sum(weight * covariance for (_, covariance), (_, weight) in zip(told, styles, strict=True))
    own, spread = _spread(picture)
    root = _power(spread, 0.5)
    matrix = _power(spread, -0.5) @ _power(root @ wanted @ root, 0.5) @ _power(spread, -0.5)
    flat = picture[0].cpu().double().flatten(1) - own
    return (matrix @ flat + mean).view(picture.shape).to(picture).clamp(0, 1)


def _spread(picture: Any) -> tuple[Any, Any]:
    """Mean [3, 1] and covariance [3, 3] of a picture's colours."""
    flat = picture[0].cpu().double().flatten(1)
    mean = flat.mean(1, keepdim=True)
    return mean, (flat - mean) @ (flat - mean).T / flat.shape[1] + 1e-5 * torch.eye(3, dtype=torch.float64)


def _power(matrix: Any, exponent: float) -> Any:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp(min=1e-8) ** exponent) @ vectors.T
