"""Previews by a tiny autoencoder where there is one for the model's latents (models/vae_approx): sharp, and never more than 3 % of the time.

Source: Bohan, TAESD, whose decoder is a plain row of layers; diffusers has the same network under other numbers.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderTiny
from diffusers.models.autoencoders.vae import DecoderTiny
from PIL import Image
from safetensors import SafetensorError

from pipelines.image.nets.model import ImageModel
from studio.api import ModelEntry

SHARE = 0.03
UNKNOWN_SECONDS = 3.0  # before the first picture, whose cost nobody knows yet
MOST_SIDE = 512


class Sketch:
    """The decoder alone. `seconds_per_latent` is what the last picture took for each latent pixel; 0 before the first."""

    def __init__(self, path: Path, changed: int, device: str, dtype: Any) -> None:
        self.path, self.changed = path, changed
        self.decoder = load_decoder(path).to(device, dtype).requires_grad_(False)
        self.seconds_per_latent = 0.0

    def due(self, latents: Any, elapsed: float) -> bool:
        return affordable(self.seconds_per_latent * latents.shape[-1] * latents.shape[-2], elapsed)

    @torch.no_grad()
    def picture(self, latents: Any) -> Image.Image:
        """[C, h, w], scaled as the network has them, as a picture; larger ones a little smaller."""
        begun = time.perf_counter()
        first = next(self.decoder.parameters())
        told = self.decoder(latents[None].to(first.device, first.dtype))[0]  # [3, H, W] in -1 … 1
        values = ((told.float() + 1) / 2).clamp(0, 1).mul(255).round().to("cpu", torch.uint8).permute(1, 2, 0).numpy()
        image = Image.fromarray(values)
        image.thumbnail((MOST_SIDE, MOST_SIDE))
        self.seconds_per_latent = (time.perf_counter() - begun) / (latents.shape[-1] * latents.shape[-2])
        return image


def affordable(cost: float, elapsed: float) -> bool:
    """Whether a preview of that many seconds may be made, so long after the last one (or the beginning)."""
    return elapsed >= (cost / SHARE if cost else UNKNOWN_SECONDS)


def attach(model: ImageModel, entry: ModelEntry | None) -> None:
    """Give the model the decoder for its previews, or none; loaded once for each file."""
    if entry is None:
        model.sketch = None
        return
    path = Path(entry.path)
    changed = path.stat().st_mtime_ns
    if model.sketch is None or (model.sketch.path, model.sketch.changed) != (path, changed):
        try:
            model.sketch = Sketch(path, changed, model.device, model.pipe.dtype)
        except (OSError, ValueError, KeyError, IndexError, RuntimeError, SafetensorError):
            model.sketch = None  # a spoilt preview decoder: colours show the picture then


def load_decoder(path: Path) -> Any:
    """Of a folder of diffusers, or of a file in TAESD's own numbers, with or without its encoder. Raises OSError, KeyError, RuntimeError for others."""
    if path.is_dir():
        return AutoencoderTiny.from_pretrained(path, local_files_only=True).decoder.eval()
    from safetensors.torch import load_file

    tensors = load_file(path)
    if any(name.startswith("decoder.layers.") for name in tensors):
        tensors = {name.removeprefix("decoder."): value for name, value in tensors.items() if name.startswith("decoder.")}
    else:
        start = "decoder." if any(name.startswith("decoder.") for name in tensors) else ""
        tensors = {renumbered(name[len(start) :]): value for name, value in tensors.items() if name.startswith(start) and re.match(r"\d+\.", name[len(start) :])}
    blocks = block_counts(tensors)
    width = tensors["layers.0.weight"].shape[0]
    decoder = DecoderTiny(tensors["layers.0.weight"].shape[1], 3, tuple(blocks), (width,) * len(blocks), 2, "relu", "nearest")
    decoder.load_state_dict(tensors)
    return decoder.eval()


def renumbered(name: str) -> str:
    """TAESD counts the squashing of its input as a layer."""
    number, _, rest = name.partition(".")
    return f"layers.{int(number) - 1}.{rest}"


def block_counts(tensors: dict[str, Any]) -> list[int]:
    """How many blocks stand between the enlargements, each of which ends in a layer without bias."""
    counts = [0]
    for number in sorted({int(name.split(".")[1]) for name in tensors}):
        if f"layers.{number}.conv.0.weight" in tensors:
            counts[-1] += 1
        elif f"layers.{number}.bias" not in tensors:
            counts.append(0)
    return counts
