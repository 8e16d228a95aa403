"""Training the autoencoder on crops, then turning the drawn pictures into latents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional

from pipelines.image.training.tiny.nets.networks import autoencoder
from pipelines.image.training.tiny.nets.run import Run, train

CROP, BATCH, NOISE = 64, 16, 0.08


def prepare(pictures: Any) -> Any:
    """uint8 [n, h, w, 3] to float32 [n, 3, h, w] in -1 to 1."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)


def loss_of(model: Any, x: Any) -> Any:
    """L1, its gradient, squares, a little weight on small latents; noise on the latents makes the decoder forgiving."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        latents = model.encoder(x).float()
        y = model.decoder(latents + torch.randn_like(latents) * NOISE).float()
    across = ((y[..., 1:] - y[..., :-1]) - (x[..., 1:] - x[..., :-1])).abs().mean()
    down = ((y[:, :, 1:] - y[:, :, :-1]) - (x[:, :, 1:] - x[:, :, :-1])).abs().mean()
    return (y - x).abs().mean() + 0.7 * (across + down) + functional.mse_loss(y, x) + 2e-3 * latents.pow(2).mean()


def train_autoencoder(folder: Path, budget: int) -> None:
    """Crops on the latent grid of the drawn pictures; every fourth batch is whole pictures, which have borders."""
    pictures = np.load(folder / "pictures.npy", mmap_mode="r")
    torch.manual_seed(0)
    model = autoencoder().to(memory_format=torch.channels_last)
    model.encoder.layers[-1].weight.data.mul_(4)
    run = Run(folder, "autoencoder", {"autoencoder": model}, budget, 2e-3)
    random = np.random.default_rng(run.steps)

    def batch() -> tuple[Any, int]:
        if run.steps % 4 == 3:
            return loss_of(model, prepare(pictures[np.sort(random.integers(0, len(pictures), BATCH // 4))])), BATCH
        top, left = 8 * random.integers(0, 9, 2)
        rows = pictures[np.sort(random.integers(0, len(pictures), BATCH))]
        return loss_of(model, prepare(rows[:, top : top + CROP, left : left + CROP])), BATCH

    train(run, batch, [lambda: torch.save(run.averaged()["autoencoder"], folder / "autoencoder.pt")])


def encode(folder: Path) -> None:
    """latents.npy: float16 [n, 4, 16, 16] of unit size, and the scaling factor; prints how well pictures come back."""
    pictures = np.load(folder / "pictures.npy", mmap_mode="r")
    model = autoencoder().to(memory_format=torch.channels_last).eval()
    model.load_state_dict(torch.load(folder / "autoencoder.pt", weights_only=True))
    rows = []
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        for start in range(0, len(pictures), 64):
            rows.append(model.encoder(prepare(pictures[start : start + 64])).float().numpy())
    latents = np.concatenate(rows)
    size = float(np.sqrt((latents**2).mean()))
    np.save(folder / "latents.npy", (latents / size).astype(np.float16))
    with torch.no_grad():
        x = prepare(pictures[:64])
        back = model.decoder(model.encoder(x)).clamp(-1, 1)
        noise = float(10 * torch.log10(4 / ((back - x) ** 2).mean()))
    (folder / "scale.json").write_text(json.dumps({"scaling_factor": 1 / size, "psnr_db": round(noise, 2)}), encoding="utf-8")
    print(f"{len(latents):,} latents, scaling factor {1 / size:.4f}, pictures come back at {noise:.2f} dB")
