"""DeepDream: a picture changed so that a network sees more of what it already sees in it, from coarse to fine.

Sources: Mordvintsev, Olah, Tyka, Inceptionism: Going Deeper into Neural Networks, 2015, and their notebook of the same year (octaves, jitter, the normalised step,
the guide: each place follows the guide's feature that fits it best); Simonyan and Zisserman 2015 (the network).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pipelines.image.nets.descent import Ended
from pipelines.image.nets.trunk import BLOCKS, LAYERS, Trunk

UNIT = 16  # pixels of a place after four poolings: tiles begin at multiples of it
WHOLE = 1_100_000  # pixels whose gradient is computed in one go
TILE = 768
NEARLY = 0.999  # of a tile, of a step
BLURS = (1.0, 2.0, 4.0, 8.0)  # in pixels: between them lie the gradient's bands; what is broader only shifts colours


def reach(layer: str) -> int:
    """How many pixels wide a layer's feature sees: 3 for conv1_1, 196 for conv5_3."""
    wide, stride = 1, 1
    for block, count in enumerate(BLOCKS, start=1):
        for number in range(1, count + 1):
            wide += 2 * stride
            if layer == f"conv{block}_{number}":
                return wide
        wide += stride
        stride *= 2
    raise KeyError(layer)


@dataclass(frozen=True)
class Aim:
    """What there should be more of: all of a layer, one of its channels, or what a guide has in it."""

    layer: str
    channel: int = -1
    guide: Any = None  # [places, C], rows of length 1

    def value(self, features: Any) -> Any:
        """A sum over places, so that tiles add up to the whole."""
        features = features.float() if features.dtype != torch.float64 else features
        if self.guide is not None:
            return _likeness(features, self.guide)
        if self.channel >= 0:
            return features[:, self.channel].sum()
        return 0.5 * (features**2).sum()


def _likeness(features: Any, guide: Any) -> Any:
    """The product of each place with the guide's feature that fits it best."""
    flat = features.flatten(2)[0].T
    with torch.no_grad():
        best = torch.cat([(part @ guide.T).argmax(1) for part in flat.split(4096)])
    return (flat * guide[best]).sum()


@torch.no_grad()
def guide_of(trunk: Trunk, picture: Any, layer: str, most: int = 4096) -> Any:
    """Features of [1, 3, h, w] as directions, at most so many places of them, evenly chosen."""
    flat = trunk(picture, {layer}, edges=False)[layer].float().flatten(2)[0].T
    flat = flat[torch.linspace(0, len(flat) - 1, min(most, len(flat)), device=flat.device).long()]
    return nn.functional.normalize(flat, dim=1)


@dataclass(frozen=True)
class Manner:
    """How it dreams: so many steps at each of the sizes (height, width), the last of which is the picture's.

    `size` is the mean change of a value by one step; each band of the gradient has `smooth` times the weight of the finer one;
    `colour` 0 keeps to the colours in which the picture varies, 1 takes any.
    """

    steps: int
    sizes: list[tuple[int, int]]
    size: float
    jitter: int
    smooth: float
    colour: float
    seed: int


def dream(trunk: Trunk, picture: Any, aim: Aim, manner: Manner, going: Callable[[Any, float], bool]) -> Any:
    """[1, 3, h, w] to the same. `going(picture so far, share of this step)` is asked before every layer and, with 1, after every step; False ends it with what is there.

    Each octave begins with the picture at its size and what was dreamt into the smaller one.
    """
    generator = torch.Generator("cpu").manual_seed(manner.seed)
    mixing = mixing_of(picture, manner.colour)
    x = ground = _resized(picture, manner.sizes[0])
    for size in manner.sizes:
        dreamt, ground = x - ground, _resized(picture, size)
        x = (ground + _resized(dreamt, size)).clamp(0, 1)
        for _ in range(manner.steps):
            after = _step(trunk, x, aim, manner, mixing, generator, going)
            x = x if after is None else after
            if after is None or not going(x, 1.0):
                return (picture + _resized(x - ground, picture.shape[2:])).clamp(0, 1)
    return x


def _step(trunk: Trunk, x: Any, aim: Aim, manner: Manner, mixing: Any, generator: Any, going: Callable[[Any, float], bool]) -> Any:
    """The next picture; None where it was ended."""
    shifts = [int(torch.randint(-manner.jitter, manner.jitter + 1, (1,), generator=generator)) for _ in range(2)] if manner.jitter else [0, 0]
    gradient = gradient_of(trunk, torch.roll(x, shifts, (2, 3)), aim, lambda share: going(x, share))
    if gradient is None:
        return None
    try:
        gradient = balanced(torch.roll(gradient, [-shift for shift in shifts], (2, 3)), manner.smooth, _watched(lambda share: going(x, share), itertools.repeat(NEARLY)))
    except Ended:
        return None
    gradient = torch.einsum("ij,bjhw->bihw", mixing, gradient)
    return (x + manner.size * gradient / gradient.abs().mean().clamp(min=1e-20)).clamp(0, 1)


def mixing_of(picture: Any, colour: float) -> Any:
    """[3, 3] from the gradient's colours to those it steps in: by the covariance of the picture's own, as if its colours were independent numbers of equal weight."""
    spread = torch.cov(picture[0].flatten(1).cpu().double())
    spread = spread / spread.diagonal().sum().clamp(min=1e-6) * 3
    return ((1 - colour) * spread + colour * torch.eye(3, dtype=torch.float64)).to(picture)


def _watched(going: Callable[[float], bool], shares: Iterator[float]) -> Callable[[], None]:
    """Raises Ended where it should not go on."""

    def each() -> None:
        if not going(next(shares)):
            raise Ended

    return each


def _shares(tile: int, tiles: int, layer: str) -> Iterator[float]:
    """What is done before each layer of a tile, to the aim and back."""
    for passed in itertools.count():
        yield (tile + min(passed / (2 * LAYERS.index(layer) + 2), NEARLY)) / tiles


def balanced(gradient: Any, smooth: float, each: Callable[[], None] = lambda: None) -> Any:
    """Bands of the gradient from fine to broad, each brought to the same strength, then weighted: alone, the finest would be all one sees. `each` is called before every band."""
    found, before = 0, gradient
    for number, blur in enumerate(BLURS):
        each()
        after = _blurred(gradient, blur)
        band = before - after
        found = found + smooth**number * band / band.square().mean().sqrt().clamp(min=1e-20)
        before = after
    return found


def gradient_of(trunk: Trunk, picture: Any, aim: Aim, going: Callable[[float], bool] = lambda share: True, *, whole: int = WHOLE, tile: int = TILE) -> Any:
    """Of the aim by the picture; None where `going`, asked before every layer, ended it. A large one is taken in tiles with as much around each as its pixels are seen with: the same numbers, no seams."""
    height, width = picture.shape[2:]
    tile = max(height, width) if height * width <= whole else tile
    around = -(-reach(aim.layer) // UNIT) * UNIT
    places = [(top, left) for top in range(0, height, tile) for left in range(0, width, tile)]
    found = torch.empty_like(picture)
    for number, (top, left) in enumerate(places):
        above, before = max(0, top - around), max(0, left - around)
        try:
            part = _gradient(trunk, picture[:, :, above : top + tile + around, before : left + tile + around], aim, _watched(going, _shares(number, len(places), aim.layer)))
        except Ended:
            return None
        below, behind = min(height, top + tile), min(width, left + tile)
        found[:, :, top:below, left:behind] = part[:, :, top - above : below - above, left - before : behind - before]
    return found


def _gradient(trunk: Trunk, picture: Any, aim: Aim, each: Callable[[], None]) -> Any:
    with torch.enable_grad():
        picture = picture.detach().clone().requires_grad_(True)
        (found,) = torch.autograd.grad(aim.value(trunk(picture, {aim.layer}, edges=False, each=each)[aim.layer]), picture)
    return found.contiguous()


def _blurred(picture: Any, sigma: float) -> Any:
    """By a Gaussian, along one side and then the other."""
    radius = min(max(1, round(3 * sigma)), min(picture.shape[2:]) - 1)
    line = torch.arange(-radius, radius + 1, device=picture.device, dtype=picture.dtype)
    kernel = torch.exp(-(line**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, -1)
    wide = nn.functional.pad(picture, (radius, radius, radius, radius), mode="reflect")
    return nn.functional.conv2d(nn.functional.conv2d(wide, kernel[:, :, None, :], groups=3), kernel[:, :, :, None], groups=3)


def _resized(picture: Any, size: Sequence[int]) -> Any:
    if tuple(picture.shape[2:]) == tuple(size):
        return picture
    where = picture.cpu() if picture.device.type == "mps" else picture  # not every version can do it there
    return nn.functional.interpolate(where, size=tuple(size), mode="bicubic", antialias=True, align_corners=False).to(picture.device)
