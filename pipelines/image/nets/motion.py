"""How things have moved from one frame to the next, and a painted frame carried along with them.

Sources: Lucas and Kanade, An Iterative Image Registration Technique, 1981, in every pixel, from coarse to fine (Bouguet 2000); Sundaram, Brox, Keutzer, Dense Point
Trajectories, 2010 (flow there and back must meet), as Ruder, Dosovitskiy, Brox, Artistic style transfer for videos, 2016, tell what is hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

LOOKED = 320  # pixels of the longer side at which motion is looked for
COARSEST = 12  # pixels of the shorter side of the smallest level
REACH = 4  # pixels to each side whose motion is taken as one
ROUNDS = 3  # at each level
NOISE = 2e-4  # squared slope (of brightness 0 … 1, a pixel) below which nothing is known
BELIEVED, DOUBTED = 0.06, 0.2  # brightness that differs after moving: up to the one all is believed, from the other on nothing
UNMOVED = 0.3  # pixels
TORN = 0.1  # squared change of the motion from one pixel to the next, from which on it is a thing's edge
BAND = 2**18  # pixels that are carried at a time


@dataclass(frozen=True)
class Motion:
    """From each place of a frame to where it was in the one before: [2, h, w], in shares of the width and of the height, x first.

    `believed` [h, w] is 0 … 1, `still` whether it is known that a place does not move, `camera` whether most of what is known moves.
    """

    flow: Any
    believed: Any
    still: Any
    camera: bool


def motion(now: Image.Image, before: Image.Image) -> Motion:
    """Of two RGB frames of one size."""
    one, other = _greys(now), _greys(before)
    there, back = _flow(one, other), _flow(other, one)
    height, width = one.shape[2:]
    returned = _sampled(back, there)
    lost = ((there + returned) ** 2).sum(1) > 0.01 * ((there**2).sum(1) + (returned**2).sum(1)) + 0.5
    torn = sum((part**2).sum(1) for part in _slopes(there)) > 0.01 * (there**2).sum(1) + TORN
    moved, unmoved = (functional.max_pool2d((there_is - one).abs(), 3, 1, 1)[:, 0] for there_is in (_sampled(other, there), other))
    believed = ((DOUBTED - moved) / (DOUBTED - BELIEVED)).clamp(0, 1) * ~(lost | torn)
    slope = sum(_mean(part**2) for part in _slopes(one))
    known, lengths = slope[0, 0] > 2 * NOISE, (there[0] ** 2).sum(0).sqrt()
    moves = (lengths > UNMOVED) & (moved[0] < unmoved[0] / 2)  # and explains what is seen
    camera = bool(known.any()) and float(moves[known].float().mean()) > 0.5
    return Motion(there[0] / torch.tensor([width, height]).view(2, 1, 1), _softened(believed[0]), known & (lengths < UNMOVED), camera)


def carried(painted: Image.Image, moved: Motion) -> Image.Image:
    """A painted frame, RGB, moved to where things are now; in bands of rows, sharp (cubic)."""
    pixels = torch.from_numpy(np.asarray(painted).copy()).permute(2, 0, 1)[None].float()
    height, width = pixels.shape[2:]
    made, rows = np.empty((height, width, 3), np.uint8), max(1, BAND // width)
    for top in range(0, height, rows):
        grid = _grid(height, width, top, min(height, top + rows))
        shift = functional.grid_sample(moved.flow[None], grid, mode="bilinear", padding_mode="border", align_corners=False)
        there = grid + 2 * shift.permute(0, 2, 3, 1)
        part = functional.grid_sample(pixels, there, mode="bicubic", padding_mode="border", align_corners=False)
        made[top : top + rows] = part[0].clamp(0, 255).round().byte().permute(1, 2, 0).numpy()
    return Image.fromarray(made)


def spread(values: Any, size: tuple[int, int]) -> Any:
    """[h, w] in 0 … 1 as an array of bytes of a frame's width and height."""
    return np.asarray(Image.fromarray((values.float().numpy() * 255).round().astype(np.uint8)).resize(size, Image.Resampling.BILINEAR))


def _greys(frame: Image.Image) -> Any:
    """[1, 1, h, w] in 0 … 1, small."""
    scale = min(1.0, LOOKED / max(frame.size))
    small = frame.convert("L").resize((max(1, round(frame.width * scale)), max(1, round(frame.height * scale))), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(small, np.float32) / 255)[None, None]


def _flow(one: Any, other: Any) -> Any:
    """[1, 2, h, w] in pixels: what is at a place of `one` is that far from it in `other`."""
    levels = [(one, other)]
    while min(levels[-1][0].shape[2:]) >= 2 * COARSEST:
        levels.append(tuple(functional.avg_pool2d(picture, 2, ceil_mode=True, count_include_pad=False) for picture in levels[-1]))
    flow = torch.zeros(1, 2, *levels[-1][0].shape[2:])
    for first, second in reversed(levels):
        if flow.shape[2:] != first.shape[2:]:
            flow = 2 * functional.interpolate(flow, size=first.shape[2:], mode="bilinear", align_corners=False)
        for _ in range(ROUNDS):
            flow = flow + _step(first, _sampled(second, flow))
        flow = _median(flow)
    return flow


def _step(one: Any, other: Any) -> Any:
    """The least-squares motion of each neighbourhood, a pixel at most."""
    x, y = _slopes((one + other) / 2)
    change = other - one
    xx, xy, yy = _mean(x * x) + NOISE, _mean(x * y), _mean(y * y) + NOISE
    xt, yt = _mean(x * change), _mean(y * change)
    whole = xx * yy - xy * xy
    return torch.cat([(xy * yt - yy * xt) / whole, (xy * xt - xx * yt) / whole], 1).clamp(-1, 1)


def _slopes(picture: Any) -> tuple[Any, Any]:
    wide = functional.pad(picture, (1, 1, 1, 1), mode="replicate")
    return (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / 2, (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / 2


def _mean(values: Any) -> Any:
    """Of the neighbourhood, its middle counting most."""
    once = functional.avg_pool2d(values, 2 * (REACH // 2) + 1, 1, REACH // 2, count_include_pad=False)
    return functional.avg_pool2d(once, 2 * (REACH // 2) + 1, 1, REACH // 2, count_include_pad=False)


def _median(flow: Any) -> Any:
    """Of nine places: lone errors go."""
    wide = functional.pad(flow, (1, 1, 1, 1), mode="replicate")
    height, width = flow.shape[2:]
    return torch.stack([wide[:, :, top : top + height, left : left + width] for top in range(3) for left in range(3)]).median(0).values


def _softened(values: Any) -> Any:
    """What is doubted takes its neighbours with it, and ends softly."""
    least = -functional.max_pool2d(-values[None, None], 3, 1, 1)
    return functional.avg_pool2d(least, 3, 1, 1, count_include_pad=False)[0, 0]


def _grid(height: int, width: int, top: int, bottom: int) -> Any:
    """[1, rows, width, 2] of the middles of pixels in -1 … 1, as grid_sample counts."""
    y, x = (torch.arange(top, bottom) + 0.5) / height * 2 - 1, (torch.arange(width) + 0.5) / width * 2 - 1
    return torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)[None].float()


def _sampled(values: Any, flow: Any) -> Any:
    """[1, C, h, w] at places that far away, in pixels."""
    height, width = values.shape[2:]
    shift = flow.permute(0, 2, 3, 1) * torch.tensor([2 / width, 2 / height])
    return functional.grid_sample(values, _grid(height, width, 0, height) + shift, mode="bilinear", padding_mode="border", align_corners=False)
