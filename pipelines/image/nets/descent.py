"""A picture painted by optimisation: its pixels go down the slope of the losses, from coarse to fine.

Sources: Gatys et al., Controlling Perceptual Factors in Neural Style Transfer, 2017 (from coarse to fine); Gatys et al., Preserving Color in Neural Artistic Style Transfer,
2016 (the linear map between colours); Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.4 (two loops); Kingma and Ba, Adam, 2015.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import nn

from pipelines.image.nets.gatys import Goal, Going, Losses, Weights
from pipelines.image.nets.gatys_tiles import TiledGoal, grams
from pipelines.image.nets.trunk import Trunk
from pipelines.image.style.scales import REMEMBERED, TILE, WHOLE

LONGEST = 0.1  # step of L-BFGS, the mean change of a value
FIRST = 0.02  # its first step, before it knows how curved the loss is
PART = 2**20  # pixels whose colours are changed at a time


class Optimiser(Protocol):
    def step(self, picture: Any, gradient: Any) -> Any:
        """The next picture."""

    def anew(self) -> Optimiser:
        """As it was at the beginning."""


class Lbfgs:
    """Follows the curvature that the last steps have shown; without a search along the line, as each look costs as much as a step."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
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

    def anew(self) -> Lbfgs:
        return Lbfgs(self.remembered)

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

    def anew(self) -> Adam:
        return Adam(self.rate)


def optimiser_of(name: str, remembered: int) -> Optimiser:
    return Lbfgs(remembered) if name == "L-BFGS" else Adam()


@dataclass
class Best:
    """The best picture of a scale; `step` and `steps` of it, `scale` counts from 0."""

    picture: Any
    losses: Losses
    scale: int
    step: int


class Ended(Exception):
    """Raised by a watcher: the best picture so far is enough."""


class Watcher(Protocol):
    def looked(self, best: Best) -> bool:
        """After every look; False ends the painting."""

    def going(self, scale: int, step: int, share: float) -> None:
        """Within the look after `step` of a scale; -1 is what comes before its first one. May raise Ended."""


@dataclass(frozen=True)
class Plan:
    """`scales` are (height, width, steps) from coarse to fine. Pictures of more than `limit` pixels are taken in tiles of `tile`; L-BFGS remembers so many steps."""

    scales: list[tuple[int, int, int]]
    limit: int = WHOLE
    tile: int = TILE
    remembered: int = REMEMBERED


@dataclass(frozen=True)
class Style:
    """A style picture, [1, 3, h, w]. At the plan's last size its longer side is `side`, at smaller ones in proportion, but never more than it has: blurred, it would blur what is painted."""

    picture: Any
    weight: float
    side: int

    def at(self, share: float) -> tuple[Any, float]:
        scale = min(1.0, self.side * share / max(self.picture.shape[2:]))
        height, width = (max(16, round(side * scale)) for side in self.picture.shape[2:])
        return resized(self.picture, height, width), self.weight


def paint(trunk: Trunk, content: Any, styles: list[Style], begin: Any, plan: Plan, weights: Weights, optimiser: str, watcher: Watcher) -> Best | None:
    """Pictures are [1, 3, h, w], all of the plan's last size but for the styles. The same numbers in tiles as in one piece, to rounding. None where it was ended before the first look."""
    picture, best = begin, None
    try:
        for scale, (height, width, steps) in enumerate(plan.scales):
            share, going = height / plan.scales[-1][0], partial(watcher.going, scale, -1)
            goal = goal_of(trunk, resized(content, height, width), [style.at(share) for style in styles], plan, weights, going)
            picture = resized(picture, height, width) if best is None else larger(best.picture, begin, height, width)
            start = None if best is None else Best(picture, best.losses, scale, 0)
            best, on = descend(goal, picture, scale, steps, optimiser_of(optimiser, plan.remembered), watcher, start)
            if not on:
                break
    except Ended:
        pass
    return best


def goal_of(trunk: Trunk, content: Any, styles: list[tuple[Any, float]], plan: Plan, weights: Weights, going: Going) -> Goal | TiledGoal:
    style = style_of(trunk, styles, plan, lambda share: going(share / 2))
    if content.shape[2] * content.shape[3] <= plan.limit:
        return Goal(trunk, content, style, weights)
    return TiledGoal(trunk, content, style, weights, plan.tile, lambda share: going(0.5 + share / 2))


@torch.no_grad()
def style_of(trunk: Trunk, pictures: list[tuple[Any, float]], plan: Plan | None = None, going: Going = lambda share: None) -> dict[str, Any]:
    """Gram matrices by layer of ([1, 3, h, w], weight): the distance to their mean differs from the mean distance by a constant only."""
    plan = plan or Plan([])
    found: dict[str, Any] = {}
    for number, (picture, weight) in enumerate(pictures):
        tile = plan.tile if picture.shape[2] * picture.shape[3] > plan.limit else max(picture.shape[2:])

        def told(share: float, number: int = number) -> None:
            going((number + share) / len(pictures))

        for name, one in grams(trunk, picture, tile, told).items():
            found[name] = found.get(name, 0) + weight * one
    return found


def descend(goal: Any, picture: Any, scale: int, steps: int, optimiser: Optimiser, watcher: Watcher, best: Best | None = None) -> tuple[Best | None, bool]:
    """`steps` looks at one size; where a step went wrong it goes on from the best. Ended within its first look it gives the `best` that it was given."""
    found: Best | None = None
    try:
        for step in range(1, steps + 1):
            going = partial(watcher.going, scale, step - 1)
            losses, gradient = goal.gradient(picture, going)
            if found is None or losses.total < found.losses.total:
                found = best = Best(picture, losses, scale, step)
            found.step = step
            if not watcher.looked(found):
                return found, False
            if step == steps:
                break
            if not losses.total < 4 * found.losses.total + 1:  # also where it is no number
                optimiser, picture = optimiser.anew(), found.picture
                losses, gradient = goal.gradient(picture, going)
            picture = optimiser.step(picture, gradient)
    except Ended:
        return best, False
    return found, True


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
    made = torch.empty_like(picture)
    for into, part in zip(_parts(made), _parts(picture), strict=True):
        into.copy_((matrix @ (part.cpu().double() - own) + mean).clamp(0, 1))
    return made


def _parts(picture: Any) -> Any:
    """[3, n] of a picture's pixels, not too many at a time: they are counted in double precision."""
    return picture[0].flatten(1).split(PART, 1)


def _spread(picture: Any) -> tuple[Any, Any]:
    """Mean [3, 1] and covariance [3, 3] of a picture's colours."""
    count = picture.shape[2] * picture.shape[3]
    mean = sum(part.cpu().double().sum(1, keepdim=True) for part in _parts(picture)) / count
    centred = (part.cpu().double() - mean for part in _parts(picture))
    return mean, sum(part @ part.T for part in centred) / count + 1e-5 * torch.eye(3, dtype=torch.float64)


def _power(matrix: Any, exponent: float) -> Any:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp(min=1e-8) ** exponent) @ vectors.T
