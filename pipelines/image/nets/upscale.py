"""Enlarging tile by tile, so that memory does not grow with the picture, and without seams: each tile sees as far around it as its network looks, and goes over into its neighbours.

Every tile is brought to the wished size by itself (pillow's resize takes parts of pixels), so that nothing as large as the network's own result is ever held.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from pipelines.image.nets.upscalers import Upscaler

LANCZOS = 2  # what resizing looks at around a tile, in pixels of the picture
NEARLY = 0.012  # a network's nothing and all are off by so much
BLED = 8  # how far colours are spread into what can't be seen
Box = tuple[int, int, int, int]
Share = Callable[[float], None]


@dataclass(frozen=True)
class Tile:
    """In pixels of the picture: the part that is a tile's own, and what is given to the network."""

    own: Box
    given: Box


def border(network: Upscaler) -> tuple[int, int]:
    """(pixels around a tile that are thrown away, pixels that are mixed with the neighbours)."""
    return network.seen + LANCZOS, network.blend


def tiles(width: int, height: int, tile: int, around: int, unit: int = 1) -> Iterator[Tile]:
    """Of nearly the same size, row by row; what is given begins and ends at multiples of `unit`, or with the picture. What fits into one tile with its surroundings is not parted."""
    across, down = (1 if side <= tile + 2 * around else math.ceil(side / tile) for side in (width, height))
    columns, rows = [round(width * n / across) for n in range(across + 1)], [round(height * n / down) for n in range(down + 1)]
    for top, bottom in zip(rows, rows[1:], strict=False):
        for left, right in zip(columns, columns[1:], strict=False):
            begin = [max(0, side - around) // unit * unit for side in (left, top)]
            end = [min(whole, math.ceil((side + around) / unit) * unit) for side, whole in ((right, width), (bottom, height))]
            yield Tile((left, top, right, bottom), (*begin, *end))  # type: ignore[arg-type]


def parted(network: Upscaler, image: Image.Image, tile: int) -> bool:
    """Whether a picture is enlarged in more than one tile."""
    return len(list(tiles(*image.size, tile, sum(border(network)), network.unit))) > 1


@torch.inference_mode()
def enlarge(network: Upscaler, image: Image.Image, scale: float, told: Share, check: Callable[[], None], *, tile: int) -> Image.Image:
    """RGB or RGBA to the same, `scale` times as wide and high. `told` hears the share that is done; `check` is called before every layer, and may raise to stop."""
    width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    made = Image.new(image.mode, (width, height))
    cut, blend = border(network)
    places = list(tiles(*image.size, tile, cut + blend, network.unit))
    done = [0, 0]  # tiles, layers of the present one

    def each() -> None:
        check()
        done[1] += 1
        told(min(1.0, (done[0] + min(done[1], layers) / (layers + 1)) / len(places)))

    with network.watched(each) as layers:
        for number, place in enumerate(places):
            done[:] = [number, 0]
            told(number / len(places))
            check()
            _set(made, place, draw(network, image.crop(place.given)), (width / image.width, height / image.height), blend)
    return made


def _set(made: Image.Image, place: Tile, drawn: Image.Image, ratio: tuple[float, float], blend: int) -> None:
    """The drawn tile at its place in the whole, over the edge of those that are there."""
    left, top, right, bottom = place.own
    before, above = (blend if left else 0), (blend if top else 0)
    box = (left - before, top - above, min(place.given[2], right + blend), min(place.given[3], bottom + blend))
    into: Any = tuple(round(value * ratio[number % 2]) for number, value in enumerate(box))
    factor = (drawn.width / (place.given[2] - place.given[0]), drawn.height / (place.given[3] - place.given[1]))
    corner = (place.given[0], place.given[1]) * 2
    part: Any = tuple((value / ratio[number % 2] - corner[number]) * factor[number % 2] for number, value in enumerate(into))
    size = (into[2] - into[0], into[3] - into[1])
    if size[0] < 1 or size[1] < 1:
        return
    if size == (round(part[2] - part[0]), round(part[3] - part[1])) and all(abs(value - round(value)) < 1e-6 for value in part):
        shown = drawn.crop(tuple(map(round, part)))
    else:
        inside: Any = tuple(min(max(value, 0.0), side) for value, side in zip(part, drawn.size * 2, strict=True))
        shown = drawn.resize(size, Image.Resampling.LANCZOS, box=inside)
    over = [round((own + mixed) * factor) - begin if mixed else 0 for own, mixed, factor, begin in zip((left, top), (before, above), ratio, into, strict=False)]  # how far the earlier tiles go into this one
    made.paste(shown, into[:2], _ramp(size, *over))


def _ramp(size: tuple[int, int], before: int, above: int) -> Image.Image:
    """How much of a tile is seen where: from nothing at the left and upper edge to all after so many pixels."""
    sides = [np.clip((np.arange(length) + 0.5) / begin, 0, 1) if begin else np.ones(length) for length, begin in zip(size, (before, above), strict=True)]
    return Image.fromarray((np.outer(sides[1], sides[0]) * 255).round().astype(np.uint8))


def draw(network: Upscaler, image: Image.Image) -> Image.Image:
    """One tile by the network, at its own scale. What can be seen through is enlarged in the same way, and colours do not darken at its edge."""
    pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None].to(network.weight.device, network.weight.dtype) / 255
    if image.mode == "RGB":
        return Image.fromarray(_numbers(_called(network, pixels)))
    alpha = pixels[:, 3:]
    low, high = float(alpha.min()), float(alpha.max())
    colours = _numbers(_called(network, pixels[:, :3] if low == high else bled(pixels[:, :3], alpha)))
    if low == high:
        seen = np.full((*colours.shape[:2], 1), round(low * 255), np.uint8)
    else:
        seen = _numbers(_called(network, alpha.expand(-1, 3, -1, -1)).mean(1, keepdim=True) * (1 + 2 * NEARLY) - NEARLY)
    return Image.fromarray(np.concatenate([colours, seen], 2))


def bled(colours: Any, alpha: Any) -> Any:
    """With the colours of what is near spread under what can't be seen."""
    near, weight = (functional.avg_pool2d(what, 2 * BLED + 1, 1, BLED) for what in (colours * alpha, alpha))
    return torch.where(alpha > 0, colours, near / weight.clamp(min=1e-3))


def _called(network: Upscaler, pixels: Any) -> Any:
    """[1, 3, h, w] to the same, larger; a network for greys is called for each colour."""
    if network.channels == 3:
        return network.call(pixels)
    return torch.cat([network.call(pixels[:, colour : colour + 1]) for colour in range(3)], 1)


def _numbers(pixels: Any) -> Any:
    """[1, c, h, w] in 0 … 1 to [h, w, c] of bytes."""
    return pixels[0].float().clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
