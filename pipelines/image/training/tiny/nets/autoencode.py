"""Training the autoencoder on crops, then turning the drawn pictures into latents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from diffusers import AutoencoderTiny

from pipelines.image.training.tiny.nets.networks import autoencoder
from pipelines.image.training.tiny.nets.run import Budget, Run, start_from, train

CROP, BATCH, NOISE = 64, 16, 0.08


def prepare(pictures: Any) -> Any:
    """uint8 [n, h, w, 3] to float32 [n, 3, h, w] in -1 to 1."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)


def loss_of(model: Any, x: Any, wanted: Any | None = None) -> Any:
    """L1, its gradient, squares; noise on the latents makes the decoder forgiving.

    The latents are kept small or, where an earlier model's are wanted, like those: then the decoder learns from exactly these.
    """
    latents = model.encoder(x)
    own = latents if wanted is None else wanted
    y = model.decoder(own + torch.randn_like(own) * NOISE)
    across = ((y[..., 1:] - y[..., :-1]) - (x[..., 1:] - x[..., :-1])).abs().mean()
    down = ((y[:, :, 1:] - y[:, :, :-1]) - (x[:, :, 1:] - x[:, :, :-1])).abs().mean()
    kept = 2e-3 * latents.pow(2).mean() if wanted is None else functional.mse_loss(latents, wanted)
    return (y - x).abs().mean() + 0.7 * (across + down) + functional.mse_loss(y, x) + kept


def train_autoencoder(folder: Path, budget: Budget, first: Path | None = None) -> None:
    """Crops on the latent grid of the drawn pictures; every fourth batch is whole pictures, which have borders.

    With a first model (whose latents `encode` has written) the encoder learns to give those, so that its network goes on to understand them.
    """
    pictures = np.load(folder / "pictures.npy", mmap_mode="r")
    torch.manual_seed(0)
    model = autoencoder().to(memory_format=torch.channels_last)
    model.encoder.layers[-1].weight.data.mul_(4)
    wanted, size = None, 1.0
    if first:
        earlier = AutoencoderTiny.from_pretrained(first / "vae")
        wanted, size = np.load(folder / "latents.npy", mmap_mode="r"), float(earlier.config.scaling_factor)
        by = len(model.encoder.layers) - len(earlier.encoder.layers)
        start_from(model, moved(earlier.state_dict(), by))
        for layer in model.encoder.layers[1 : 1 + by]:
            halve(layer)
    run = Run(folder, "autoencoder", {"autoencoder": model}, budget, 2e-3)
    random = np.random.default_rng(run.steps)

    def batch() -> tuple[Any, int]:
        whole = run.steps % 4 == 3
        rows = np.sort(random.integers(0, len(pictures), BATCH // 4 if whole else BATCH))
        top, left = (0, 0) if whole else random.integers(0, 9, 2)
        side = 16 if whole else CROP // 8
        x = prepare(pictures[rows, 8 * top : 8 * (top + side), 8 * left : 8 * (left + side)])
        given = None if wanted is None else torch.from_numpy(wanted[rows, :, top : top + side, left : left + side].astype(np.float32)) / size
        return loss_of(model, x, given), BATCH

    train(run, batch, [lambda: torch.save(run.averaged()["autoencoder"], folder / "autoencoder.pt")])


def halve(layer: Any) -> None:
    """Let a convolution with stride 2 begin as the mean of each two by two."""
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[:, :, 1:, 1:] = 0.25 * torch.eye(layer.weight.shape[0])[..., None, None]


def moved(weights: dict[str, Any], by: int) -> dict[str, Any]:
    """An earlier autoencoder's weights by the names that they have in one with `by` more layers before its encoder's second one."""
    found = {}
    for name, value in weights.items():
        part, _, number, *rest = name.split(".")
        if part == "encoder" and number != "0":
            name = ".".join((part, "layers", str(int(number) + by), *rest))
        found[name] = value
    return found


def encode(folder: Path, first: Path | None = None) -> None:
    """latents.npy: float16 [n, 4, 16, 16] of unit size, and the scaling factor; prints how well pictures come back.

    With a first model: its latents and its scaling factor, of pictures made as small as its own were.
    """
    pictures = np.load(folder / "pictures.npy", mmap_mode="r")
    if first:
        model = AutoencoderTiny.from_pretrained(first / "vae").eval()
    else:
        model = autoencoder().eval()
        model.load_state_dict(torch.load(folder / "autoencoder.pt", weights_only=True))
    factor = 16 * 2 ** (len(model.config.num_encoder_blocks) - 1)  # the side of its pictures
    rows = []
    with torch.no_grad():
        for start in range(0, len(pictures), 64):
            rows.append(model.encoder(fitting(prepare(pictures[start : start + 64]), factor)).numpy())
    latents = np.concatenate(rows)
    scale = float(model.config.scaling_factor) if first else float(1 / np.sqrt((latents**2).mean()))
    np.save(folder / "latents.npy", (latents * scale).astype(np.float16))
    with torch.no_grad():
        x = fitting(prepare(pictures[:64]), factor)
        noise = decibels(model.decoder(model.encoder(x)).clamp(-1, 1), x)
    (folder / "scale.json").write_text(json.dumps({"scaling_factor": scale, "psnr_db": round(noise, 2)}), encoding="utf-8")
    print(f"{len(latents):,} latents, scaling factor {scale:.4f}, pictures of {factor} pixels come back at {noise:.2f} dB")


def fitting(x: Any, side: int) -> Any:
    return x if x.shape[-1] == side else functional.avg_pool2d(x, x.shape[-1] // side)


def decibels(y: Any, x: Any) -> float:
    return float(10 * torch.log10(4 / ((y - x) ** 2).mean()))
