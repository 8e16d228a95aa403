"""Enlarging by Real-ESRGAN's compact network, tile by tile, so that memory does not grow with the picture.

Source: Wang et al., Real-ESRGAN, 2021; weights realesr-animevideov3 (BSD-3-Clause).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

TILE, OVERLAP = 192, 20  # the network sees 18 pixels around each
SCALE = 4


class Compact(nn.Module):
    """Convolutions at the picture's own size, then one shuffle to the large one; what it adds to the enlarged picture."""

    def __init__(self, layers: int, width: int) -> None:
        super().__init__()
        body: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.PReLU(width)]
        for _ in range(layers):
            body += [nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width)]
        self.body = nn.Sequential(*body, nn.Conv2d(width, 3 * SCALE * SCALE, 3, padding=1))

    def forward(self, x: Any) -> Any:
        """[B, 3, h, w] in 0 … 1 to [B, 3, 4h, 4w]."""
        detail = nn.functional.pixel_shuffle(self.body(x), SCALE)
        return detail + nn.functional.interpolate(x, scale_factor=SCALE, mode="nearest")


def load(path: Path, device: str) -> Compact:
    from safetensors.torch import load_file

    tensors = load_file(path)
    width = tensors["body.0.bias"].shape[0]
    network = Compact((len({name.split(".")[1] for name in tensors}) - 3) // 2, width)
    network.load_state_dict({name: value.float() for name, value in tensors.items()})
    return network.to(device).eval()


@torch.inference_mode()
def enlarge(network: Compact, image: Image.Image, scale: float, each: Callable[[int, int], None], *, tile: int = TILE) -> Image.Image:
    """`each(done, total)` is called before every tile, and may raise to stop. Scales other than 4 are resized from it."""
    pixels = torch.from_numpy(np.asarray(image.convert("RGB")).copy()).permute(2, 0, 1)[None]
    height, width = pixels.shape[2:]
    large = np.empty((height * SCALE, width * SCALE, 3), np.uint8)
    places = [(top, left) for top in range(0, height, tile) for left in range(0, width, tile)]
    device = next(network.parameters()).device
    for number, (top, left) in enumerate(places):
        each(number, len(places))
        above, before = max(0, top - OVERLAP), max(0, left - OVERLAP)
        below, behind = min(height, top + tile + OVERLAP), min(width, left + tile + OVERLAP)
        told = network(pixels[:, :, above:below, before:behind].to(device).float() / 255)[0].clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        bottom, right = min(height, top + tile), min(width, left + tile)
        inner = told[(top - above) * SCALE : (bottom - above) * SCALE, (left - before) * SCALE : (right - before) * SCALE]
        large[top * SCALE : bottom * SCALE, left * SCALE : right * SCALE] = inner
    made = Image.fromarray(large)
    size = (round(width * scale), round(height * scale))
    return made if size == made.size else made.resize(size, Image.Resampling.LANCZOS)
