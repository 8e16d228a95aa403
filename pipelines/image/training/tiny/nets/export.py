"""The trained weights as a StableDiffusionPipeline folder in fp16, which plain diffusers loads; and sheets of what it draws."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from PIL import Image, ImageDraw

from pipelines.image.training.tiny.nets.networks import autoencoder, scheduler, text_encoder, unet
from pipelines.image.training.tiny.nets.run import Budget, Run
from pipelines.image.training.tiny.tokens import load_tokenizer

MOST_BYTES = 30_000_000
PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")


def export(folder: Path, target: Path) -> None:
    """Averaged weights; what else lies in the folder (card, licences, table) stays. Raises ValueError where it would be larger than what may be shipped."""
    tokenizer = load_tokenizer(folder)
    network, text = unet(), text_encoder(len(tokenizer))
    averaged = Run(folder, "unet", {"unet": network, "text": text}, Budget(1), 0.0).averaged()
    network.load_state_dict(averaged["unet"])
    aligned = folder / "aligned.pt"
    text.load_state_dict(torch.load(aligned, weights_only=True) if aligned.exists() else averaged["text"])
    pictures = autoencoder(json.loads((folder / "scale.json").read_text(encoding="utf-8"))["scaling_factor"])
    pictures.load_state_dict(torch.load(folder / "autoencoder.pt", weights_only=True))
    pipe = StableDiffusionPipeline(vae=pictures, text_encoder=text, tokenizer=tokenizer, unet=network, scheduler=scheduler(), safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    for part in PARTS:
        shutil.rmtree(target / part, ignore_errors=True)
    pipe.to(torch.float16).save_pretrained(target, safe_serialization=True)
    _amend(target / "text_encoder" / "config.json", dtype="float32")  # transformers loads the stored type unless told
    _amend(target / "vae" / "config.json", block_out_channels=None)  # written by diffusers, which then warns of it
    _amend(target / "tokenizer" / "tokenizer_config.json", is_local=None, local_files_only=None)  # how this one was loaded
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    if size > MOST_BYTES:
        raise ValueError(f"{target} has {size / 1e6:.1f} MB")
    print(f"{target}: {size / 1e6:.1f} MB")


def _amend(path: Path, **values: Any) -> None:
    """Values set, or taken out where they are None."""
    told = json.loads(path.read_text(encoding="utf-8")) | values
    path.write_text(json.dumps({key: value for key, value in told.items() if value is not None or key not in values}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def sheet(model: Path, prompts: list[str], target: Path, *, steps: int = 20, guidance: float = 4.0, columns: int = 8, seed: int = 0) -> None:
    """Prompts with what they give, one seed each, by the sampler that the studio takes for this model."""
    torch.set_num_threads(1)
    pipe = StableDiffusionPipeline.from_pretrained(model, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config)
    rows = (len(prompts) + columns - 1) // columns
    page = Image.new("RGB", (columns * 136, rows * 152), "white")
    pen = ImageDraw.Draw(page)
    for start in range(0, len(prompts), 16):
        some = prompts[start : start + 16]
        seeds = [torch.Generator().manual_seed(seed + start + number) for number in range(len(some))]
        for number, picture in enumerate(pipe(some, num_inference_steps=steps, guidance_scale=guidance, generator=seeds).images, start):
            place = (number % columns * 136 + 4, number // columns * 152 + 18)
            page.paste(picture.resize((128, 128)), place)
            pen.text((place[0], place[1] - 14), prompts[number].encode("ascii", "replace").decode()[:22], fill="black")
    page.save(target, quality=85)
