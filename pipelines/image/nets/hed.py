"""Soft edges by holistically nested edge detection: maps from the last features of each block of VGG16, all brought to the picture's size and weighed together.

Large pictures go through in tiles whose surroundings are as wide as the network sees, so that no seam can be told. Sides are brought to multiples of sixteen
beforehand: then the maps of all blocks are enlarged by whole numbers, in a tile as in the whole.

Source: Xie and Tu, Holistically-Nested Edge Detection, 2015.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from pipelines.image.nets.trunk import WIDTHS, Trunk, read

LAST = ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3")
UNIT = 16  # pixels a place of the last block
TILE, AROUND = 512, 128  # the last block sees 98 pixels around each of its places, which lie 16 apart


class Edges(nn.Module):
    """From pictures to logits of edges."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.trunk = Trunk(widths)
        self.sides = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in widths)
        self.fuse = nn.Conv2d(len(widths), 1, 1)

    def forward(self, pictures: Any) -> Any:
        """[B, 3, h, w] RGB in 0 … 1, sides multiples of 16, to [B, 1, h, w]."""
        found = self.trunk(pictures, LAST)
        maps = [nn.functional.interpolate(side(found.pop(name)), scale_factor=2**block, mode="bilinear") if block else side(found.pop(name)) for block, (side, name) in enumerate(zip(self.sides, LAST, strict=True))]
        return self.fuse(torch.cat(maps, 1))


def load(path: Path, device: str) -> Edges:
    """Raises OSError, KeyError, RuntimeError for a file that is no such network."""
    network = Edges()
    places = {"side": lambda name: f"sides.{int(name[4]) - 1}{name[5:]}", "conv": lambda name: f"trunk.{name}", "fuse": lambda name: name}
    network.load_state_dict({places[name[:4]](name): value for name, value in read(path).items()})
    network.requires_grad_(False)
    return network.to(device, memory_format=torch.channels_last).eval()


@torch.inference_mode()
def soft_edges(network: Edges, picture: Image.Image, shift: float, each: Callable[[float], None], *, tile: int = TILE) -> np.ndarray:
    """[H, W] of 0 … 1. `shift` is added to the logits: faint edges come out above 0. `each` hears the share that is done before every tile and every layer, and may raise to stop."""
    pixels = _to_unit(np.asarray(picture.convert("RGB")))
    height, width = pixels.shape[:2]
    made = np.empty((height, width), np.float32)
    places = tiles(height, width, tile)
    for number, (top, left) in enumerate(places):
        bottom, right = (height, width) if len(places) == 1 else (min(height, top + tile), min(width, left + tile))
        above, before = max(0, top - AROUND), max(0, left - AROUND)
        part = torch.from_numpy(pixels[above : bottom + AROUND, before : right + AROUND].copy()).to(network.fuse.weight.device)
        with heard(network.trunk, each, number / len(places), 1 / len(places)):
            told = network(part.permute(2, 0, 1)[None].float() / 255)[0, 0]
        made[top:bottom, left:right] = torch.sigmoid(told + shift)[top - above : bottom - above, left - before : right - before].cpu().numpy()
    return made[: picture.height, : picture.width]


def tiles(height: int, width: int, tile: int = TILE) -> list[tuple[int, int]]:
    """(top, left) of each; one where the whole is no more than a tile with its surroundings."""
    if height * width <= (tile + 2 * AROUND) ** 2:
        return [(0, 0)]
    return [(top, left) for top in range(0, height, tile) for left in range(0, width, tile)]


def _to_unit(pixels: np.ndarray) -> np.ndarray:
    """Sides made multiples of 16 by repeating the last row and column."""
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, -height % UNIT), (0, -width % UNIT), (0, 0)), mode="edge")


@contextlib.contextmanager
def heard(network: nn.Module, each: Callable[[float], None], begun: float = 0.0, share: float = 1.0) -> Iterator[None]:
    """While open, `each` is told before every layer of the network how far the whole is: it began at `begun` and is `share` of it."""
    layers = [module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]

    def hook(number: int) -> Callable[..., None]:
        return lambda *_: each(begun + share * number / len(layers))

    hooks = [module.register_forward_pre_hook(hook(number)) for number, module in enumerate(layers)]
    try:
        yield
    finally:
        for each_hook in hooks:
            each_hook.remove()
