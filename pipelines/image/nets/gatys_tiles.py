"""Painting by optimisation in the large: the losses and the gradient of nets/gatys.py, taken in tiles.

A style loss looks at the whole picture, through its Gram matrices. A first round over the tiles sums these up, and with them it is known how each feature pulls; a second
round takes that to the pixels. Each tile sees as much around it as its pixels are seen with: the numbers are those of one piece, whatever the tiles, so that there are no seams.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch

from pipelines.image.nets.gatys import CONTENT_LAYER, PULL, STYLE_LAYERS, Losses, Weights
from pipelines.image.nets.trunk import Trunk
from pipelines.image.style.scales import AROUND, SEEN, UNIT

FIRST_ROUND = 0.25  # of the time of a look
Going = Callable[[float], None]
Box = tuple[int, int, int, int]  # top, left, bottom, right


def places(picture: Any, tile: int) -> list[Box]:
    """Tiles of nearly the same size, at most so large, that begin at multiples of UNIT."""
    rows, columns = (_cuts(side, tile) for side in picture.shape[2:])
    return [(top, left, bottom, right) for top, bottom in rows for left, right in columns]


def _cuts(side: int, tile: int) -> list[tuple[int, int]]:
    each = -(-side // -(-side // tile) // UNIT) * UNIT
    return [(begin, min(side, begin + each)) for begin in range(0, side, each)]


def widened(box: Box, around: int, picture: Any) -> Box:
    top, left, bottom, right = box
    return max(0, top - around), max(0, left - around), min(picture.shape[2], bottom + around), min(picture.shape[3], right + around)


def stride_of(layer: str) -> int:
    """Pixels from one place of a layer to the next."""
    return int(2 ** (int(layer[4]) - 1))


def cut(features: Any, box: Box, given: Box, stride: int) -> Any:
    """Those of `box` from the features of `given`."""
    top, left, bottom, right = (side // stride if number < 2 else -(-side // stride) for number, side in enumerate(box))
    above, before = given[0] // stride, given[1] // stride
    return features[:, :, top - above : bottom - above, left - before : right - before]


@torch.no_grad()
def features(trunk: Trunk, picture: Any, layers: Collection[str], tile: int, going: Going) -> Iterator[tuple[Box, dict[str, Any]]]:
    """Each tile of [1, 3, h, w] with its own features, [1, C, h / stride, w / stride]. `going` hears the share that is done, also between layers, and may raise to stop."""
    boxes = places(picture, tile)
    for number, box in enumerate(boxes):
        share, given = number / len(boxes), widened(box, SEEN, picture)
        found = trunk(picture[:, :, given[0] : given[2], given[1] : given[3]], layers, edges=False, each=lambda share=share: going(share))
        yield box, {name: cut(value, box, given, stride_of(name)) for name, value in found.items()}


def wide(values: Any) -> Any:
    return values if values.dtype == torch.float64 else values.float()


class Sums:
    """Gram matrices that are gathered tile by tile."""

    def __init__(self) -> None:
        self._sums: dict[str, Any] = {}
        self.counts: dict[str, int] = {}

    def add(self, found: dict[str, Any]) -> None:
        for name in STYLE_LAYERS:
            flat = wide(found[name].flatten(2)[0])
            self._sums[name] = self._sums.get(name, 0) + flat @ flat.T
            self.counts[name] = self.counts.get(name, 0) + flat.shape[1]

    def grams(self) -> dict[str, Any]:
        return {name: value / self.counts[name] for name, value in self._sums.items()}


def grams(trunk: Trunk, picture: Any, tile: int, going: Going) -> dict[str, Any]:
    """[C, C] by layer, of a picture of any size."""
    sums = Sums()
    for _, found in features(trunk, picture, STYLE_LAYERS, tile, going):
        sums.add(found)
    return sums.grams()


class TiledGoal:
    """What a large picture should become; as nets/gatys.py's `Goal`. The content's features are kept in the network's own type."""

    def __init__(self, trunk: Trunk, content: Any, style: dict[str, Any], weights: Weights, tile: int, going: Going) -> None:
        self.trunk, self.style, self.weights, self.tile = trunk, style, weights, tile
        self.layers, stride = {*STYLE_LAYERS, CONTENT_LAYER}, stride_of(CONTENT_LAYER)
        height, width = (-(-side // stride) for side in content.shape[2:])
        weight = getattr(trunk, CONTENT_LAYER).weight
        self.content = torch.empty(1, weight.shape[0], height, width, dtype=weight.dtype, device=content.device)
        self.length = torch.zeros((), dtype=torch.float64)
        for box, found in features(trunk, content, {CONTENT_LAYER}, tile, going):
            self._kept(box).copy_(found[CONTENT_LAYER])
            self.length += float((wide(found[CONTENT_LAYER]) ** 2).sum())
        self.length = self.length.clamp(min=1e-12)

    def gradient(self, picture: Any, going: Going = lambda share: None) -> tuple[Losses, Any]:
        """What the picture loses, and in which direction it would lose more."""
        sums, missed = Sums(), 0.0
        for box, found in features(self.trunk, picture, self.layers, self.tile, lambda share: going(share * FIRST_ROUND)):
            sums.add(found)
            missed += float(((wide(found[CONTENT_LAYER]) - wide(self._kept(box))) ** 2).sum())
        grams, lengths = sums.grams(), {name: (wanted**2).sum() for name, wanted in self.style.items()}
        style = sum(float(((grams[name] - wanted) ** 2).sum() / lengths[name]) for name, wanted in self.style.items()) / len(self.style)
        pulls = {name: 4 * (grams[name] - wanted) / (lengths[name] * len(self.style) * sums.counts[name]) for name, wanted in self.style.items()}
        smooth, outside, gradient = self._surface(picture)
        self._add(gradient, picture, pulls, lambda share: going(FIRST_ROUND + share * (1 - FIRST_ROUND)))
        content = missed / float(self.length)
        return Losses(style, content, smooth, style + self.weights.content * content + self.weights.smooth * smooth + PULL * outside), gradient

    def _kept(self, box: Box) -> Any:
        return cut(self.content, box, (0, 0, 0, 0), stride_of(CONTENT_LAYER))

    def _add(self, gradient: Any, picture: Any, pulls: dict[str, Any], going: Going) -> None:
        """Of style and content, tile by tile: the derivative by the features is known, the network takes it back to the pixels."""
        boxes = places(picture, self.tile)
        for number, box in enumerate(boxes):
            given = widened(box, AROUND, picture)
            part = self._back(picture, given, pulls, lambda share=number / len(boxes): going(share))
            top, left, bottom, right = box
            gradient[:, :, top:bottom, left:right] += part[:, :, top - given[0] : bottom - given[0], left - given[1] : right - given[1]]

    @torch.enable_grad()
    def _back(self, picture: Any, given: Box, pulls: dict[str, Any], each: Callable[[], None]) -> Any:
        part = picture[:, :, given[0] : given[2], given[1] : given[3]].detach().clone().requires_grad_(True)
        found = self.trunk(part, self.layers, edges=False, each=each)
        names, slopes = list(found), []
        for name in names:
            flat = wide(found[name].detach().flatten(2)[0])
            slope = (pulls[name] @ flat).view(found[name].shape) if name in pulls else torch.zeros_like(found[name])
            if name == CONTENT_LAYER:
                slope = slope + 2 * self.weights.content / float(self.length) * (wide(found[name].detach()) - wide(self._kept(given)))
            slopes.append(slope.to(found[name].dtype))
        return torch.autograd.grad([found[name] for name in names], part, slopes)[0]

    def _surface(self, picture: Any) -> tuple[float, float, Any]:
        """Smoothness, what is outside 0 … 1, and the weighted gradient of both."""
        over = picture - picture.clamp(0, 1)
        outside = float((over**2).mean())
        gradient, smooth = over.mul_(2 * PULL / over.numel()), 0.0
        for side in (3, 2):
            change = picture.diff(dim=side)
            smooth += float((change**2).mean())
            change *= 2 * self.weights.smooth / change.numel()
            gradient.narrow(side, 1, change.shape[side]).add_(change)
            gradient.narrow(side, 0, change.shape[side]).sub_(change)
        return smooth, outside, gradient
