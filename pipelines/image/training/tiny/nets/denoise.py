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
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextModel, CLIPTokenizer

from pipelines.image.training.tiny.nets.networks import WIDTH, scheduler, text_encoder, unet
from pipelines.image.training.tiny.nets.run import Budget, Losses, Run, start_from, train, train_together
from pipelines.image.training.tiny.tokens import load_tokenizer

TEXT_BATCH, BATCH, DROPPED, ALIGNED = 64, 16, 0.1, 32
LOOKED_AT = 5000
HALFWAY = 0.5  # all the way, other names are right more often, but colours less
NOISY = 0.75  # under 1: noisy steps, where the caption decides, are a little more frequent than the others


def load(folder: Path) -> tuple[Any, Any, Any]:
    """(latents, token numbers [3, n, tokens] in English, Japanese and the set's own words, those of the empty caption)."""
    return np.load(folder / "latents.npy", mmap_mode="r"), np.load(folder / "tokens.npy"), torch.from_numpy(np.load(folder / "empty.npy").astype(np.int64))


def captions(tokens: Any, rows: Any, random: np.random.Generator) -> Any:
    """Each picture's caption in one of the two languages."""
    return torch.from_numpy(tokens[random.integers(0, 2, len(rows)), rows].astype(np.int64))


def train_text(folder: Path, budget: Budget, first: Path | None = None) -> None:
    """The warm start: a caption's mean state foretells the picture's latents; or, with a first model, its states are like those of that one's text encoder."""
    torch.manual_seed(1)
    text = grown(first, folder) if first else text_encoder(len(load_tokenizer(folder)))
    run, batch = _likening(folder, budget, text, first) if first else _foretelling(folder, budget, text)
    train(run, batch, [lambda: torch.save(text.state_dict(), folder / "text.pt")])


def _foretelling(folder: Path, budget: Budget, text: Any) -> tuple[Run, Losses]:
    latents, tokens, _ = load(folder)
    head = torch.nn.Linear(WIDTH, 1024)
    middle = torch.from_numpy(latents.astype(np.float32).mean(0).ravel())
    spread = float(latents.astype(np.float32).var(0).mean())
    run = Run(folder, "text", {"text": text, "head": head}, budget, 1.5e-3)
    random = np.random.default_rng(run.steps)

    def batch() -> tuple[Any, int]:
        rows = np.sort(random.integers(0, len(latents), TEXT_BATCH))
        ids = captions(tokens, rows, random)
        wanted = torch.from_numpy(latents[rows].astype(np.float32)).flatten(1) - middle
        states = text(ids)[0]
        ended = (ids == ids[0, -1]).float()[..., None]
        told = head((states * ended).sum(1) / ended.sum(1))
        return (told - wanted).pow(2).mean() / spread, TEXT_BATCH

    return run, batch


def grown(first: Path, folder: Path) -> Any:
    """An earlier run's text encoder with this run's tokens: those that it knows keep their vectors, new ones start near the middle of all."""
    earlier, tokenizer = CLIPTextModel.from_pretrained(first / "text_encoder", dtype=torch.float32), load_tokenizer(folder)
    text = text_encoder(len(tokenizer))
    old, names = CLIPTokenizer.from_pretrained(first / "tokenizer").get_vocab(), tokenizer.get_vocab()
    weights = earlier.state_dict()
    key = next(name for name in weights if name.endswith("token_embedding.weight"))
    vectors = weights[key]
    rows = vectors.mean(0) + torch.randn(len(names), vectors.shape[1]) * vectors.std()
    for name, number in names.items():
        if name in old:
            rows[number] = vectors[old[name]]
    text.load_state_dict(weights | {key: rows})
    return text


def _likening(folder: Path, budget: Budget, text: Any, first: Path) -> tuple[Run, Losses]:
    """Both languages' states after a caption's end are what the earlier encoder gives for the same in its own words; before it they are so roughly.

    The network sees a caption's whole content in the states after its end, because attention only looks back.
    """
    tokens = np.load(folder / "tokens.npy")
    teacher = grown(first, folder).eval().requires_grad_(False)
    run = Run(folder, "text", {"text": text}, budget, 1e-3)
    random = np.random.default_rng(run.steps)

    def batch() -> tuple[Any, int]:
        rows = np.sort(random.integers(0, tokens.shape[1], TEXT_BATCH))
        which = random.choice(3, TEXT_BATCH, p=(0.3, 0.5, 0.2))
        ids, known = (torch.from_numpy(tokens[kind, rows].astype(np.int64)) for kind in (which, 2))
        end = ids[0, -1]
        both = ((ids == end) & (known == end)) | torch.from_numpy(which == 2)[:, None]
        off = (text(ids)[0] - teacher(known)[0]).pow(2).mean(-1)
        return (off * (both * 0.85 + 0.15)).mean(), TEXT_BATCH

    return run, batch


def train_unet(folder: Path, budget: Budget, workers: int, first: Path | None = None) -> None:
    """Network and text encoder together; a tenth of the captions is left out, so that guidance has something to compare with.

    In fp32: half precision is fifty times slower on a processor without instructions for it (AVX2: 1.3 against 63 GFLOP/s).
    """
    torch.manual_seed(2)
    network, text = unet(), text_encoder(len(load_tokenizer(folder)))
    network.set_attn_processor(AttnProcessor())
    if first:
        network.load_state_dict(UNet2DConditionModel.from_pretrained(first / "unet").float().state_dict())
    start_from(text, torch.load(folder / "text.pt", weights_only=True))
    network.train()
    text.train()
    run = Run(folder, "unet", {"unet": network, "text": text}, budget, 3e-4 if first else 8e-4, scales={"text": 0.4}, decay=0.998)
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
        times = (1000 * torch.rand(BATCH) ** NOISY).long()
        signal = kept[times][:, None, None, None]
        noise = torch.randn_like(x)
        noisy = signal.sqrt() * x + (1 - signal).sqrt() * noise
        told = network(noisy, times, text(ids)[0]).sample
        return (told - (signal.sqrt() * noise - (1 - signal).sqrt() * x)).pow(2).mean(), BATCH

    return batch


def align(folder: Path, budget: Budget) -> None:
    """After the network: a thing's other names and Japanese captions give the states of the same in the set's own words, the ones that the network knows best.

    All captions of a sample are looked at once; half of each batch is from the quarter that is farthest off, because most are right already.
    """
    text = text_encoder(len(load_tokenizer(folder)))
    before = {name: value.clone() for name, value in Run(folder, "unet", {"unet": unet(), "text": text}, Budget(1), 0.0).averaged()["text"].items()}
    text.load_state_dict(before)
    run = Run(folder, "align", {"text": text}, budget, 4e-4, decay=0.98, warm_up=40)
    random = np.random.default_rng([5, run.steps])
    tokens = np.load(folder / "tokens.npy").astype(np.int64)
    tokens = torch.from_numpy(tokens[:, random.permutation(tokens.shape[1])[:LOOKED_AT]])
    own, wanted = tokens[2], _states(text, tokens[2])
    end = own[0, -1]

    def off(kind: int, rows: Any) -> Any:
        """How far these captions' states are from the wanted ones, [n]: after the end, and a little before it."""
        ids = tokens[kind, rows]
        both = ((ids == end) & (own[rows] == end)) * 0.85 + 0.15
        return ((text(ids)[0] - wanted[rows]).pow(2).mean(-1) * both).mean(1)

    worst = []
    with torch.no_grad():
        for kind in (0, 1):
            far = torch.cat([off(kind, rows) for rows in torch.arange(len(own)).split(128)])
            worst.append(far.topk(max(1, len(own) // 4)).indices)
            print(f"captions in {('English', 'Japanese')[kind]} are off by {float(far.mean()):.4f}, the worst quarter by {float(far[worst[-1]].mean()):.4f}")

    def batch() -> tuple[Any, int]:
        kind = run.steps % 2
        rows = torch.from_numpy(random.integers(0, len(own), ALIGNED // 2))
        return off(kind, torch.cat([rows, worst[kind][torch.from_numpy(random.integers(0, len(worst[kind]), ALIGNED // 2))]])).mean(), ALIGNED

    train(run, batch, [lambda: torch.save({name: value.lerp(before[name], HALFWAY) for name, value in run.averaged()["text"].items()}, folder / "aligned.pt")])


def _states(text: Any, ids: Any) -> Any:
    with torch.no_grad():
        return torch.cat([text(part)[0] for part in ids.split(128)])
