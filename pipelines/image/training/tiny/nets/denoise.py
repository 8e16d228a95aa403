"""Training the text encoder's warm start and the denoising network.

Two findings decide whether the caption steers the picture: the loss on v is not weighted (min-SNR weights silence the noisy steps,
where the caption matters most), and the text encoder learns to foretell latents from captions before the network needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor

from pipelines.image.training.tiny.nets.networks import WIDTH, scheduler, text_encoder, unet
from pipelines.image.training.tiny.nets.run import Run, start_from, train, train_together
from pipelines.image.training.tiny.tokens import load_tokenizer

TEXT_BATCH, BATCH, DROPPED = 96, 24, 0.1


def load(folder: Path) -> tuple[Any, Any, Any]:
    """(latents, token numbers [2, n, tokens] in English and Japanese, those of the empty caption)."""
    return np.load(folder / "latents.npy", mmap_mode="r"), np.load(folder / "tokens.npy"), torch.from_numpy(np.load(folder / "empty.npy").astype(np.int64))


def captions(tokens: Any, rows: Any, random: np.random.Generator) -> Any:
    """Each picture's caption in one of the two languages."""
    return torch.from_numpy(tokens[random.integers(0, 2, len(rows)), rows].astype(np.int64))


def train_text(folder: Path, budget: int) -> None:
    """The warm start: a caption's mean state foretells the picture's latents."""
    latents, tokens, _ = load(folder)
    torch.manual_seed(1)
    text, head = text_encoder(len(load_tokenizer(folder))), torch.nn.Linear(WIDTH, 1024)
    middle = torch.from_numpy(latents.astype(np.float32).mean(0).ravel())
    spread = float(latents.astype(np.float32).var(0).mean())
    run = Run(folder, "text", {"text": text, "head": head}, budget, 1.5e-3)
    random = np.random.default_rng(run.steps)

    def batch() -> tuple[Any, int]:
        rows = np.sort(random.integers(0, len(latents), TEXT_BATCH))
        ids = captions(tokens, rows, random)
        wanted = torch.from_numpy(latents[rows].astype(np.float32)).flatten(1) - middle
        with torch.autocast("cpu", dtype=torch.bfloat16):
            states = text(ids)[0]
            ended = (ids == ids[0, -1]).float()[..., None]
            told = head((states * ended).sum(1) / ended.sum(1)).float()
        return (told - wanted).pow(2).mean() / spread, TEXT_BATCH

    train(run, batch, [lambda: torch.save(text.state_dict(), folder / "text.pt")])


def train_unet(folder: Path, budget: int, workers: int) -> None:
    """Network and text encoder together; a tenth of the captions is left out, so that guidance has something to compare with.

    Written-out attention and the usual memory layout are half as fast again here as the fused ones (41 against 27 pictures a CPU second).
    """
    torch.manual_seed(2)
    network, text = unet(), text_encoder(len(load_tokenizer(folder)))
    network.set_attn_processor(AttnProcessor())
    start_from(text, torch.load(folder / "text.pt", weights_only=True))
    network.train()
    text.train()
    run = Run(folder, "unet", {"unet": network, "text": text}, budget, 8e-4, scales={"text": 0.4})
    train_together(run, denoising, workers)


def denoising(run: Run, worker: int) -> Callable[[], tuple[Any, int]]:
    """Batches for one worker: the squared error of v, not weighted."""
    latents, tokens, empty = load(run.folder)
    network, text = run.modules["unet"], run.modules["text"]
    kept = scheduler().alphas_cumprod
    random = np.random.default_rng([run.steps, worker])
    torch.manual_seed(run.steps * 64 + worker + 7)

    def batch() -> tuple[Any, int]:
        rows = np.sort(random.integers(0, len(latents), BATCH))
        x = torch.from_numpy(latents[rows].astype(np.float32))
        ids = torch.where(torch.rand(BATCH, 1) < DROPPED, empty[None], captions(tokens, rows, random))
        times = torch.randint(0, 1000, (BATCH,))
        signal = kept[times][:, None, None, None]
        noise = torch.randn_like(x)
        noisy = signal.sqrt() * x + (1 - signal).sqrt() * noise
        with torch.autocast("cpu", dtype=torch.bfloat16):
            told = network(noisy, times, text(ids)[0]).sample.float()
        return (told - (signal.sqrt() * noise - (1 - signal).sqrt() * x)).pow(2).mean(), BATCH

    return batch
