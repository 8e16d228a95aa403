"""How well the model does what a prompt says, in English and in Japanese.

What is drawn is judged by a small network that learned the 240 suggested pictures themselves (turned, moved, coloured otherwise, blurred; no captions, no scenes
of the training); colour, background and number are judged by rules (judges.py).
"""

from __future__ import annotations

import hashlib
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from PIL import Image, ImageFilter

from pipelines.image.training.tiny.captions import COLOURS, COUNTS, plural
from pipelines.image.training.tiny.judges import HUES, background_of, colour_of, count_of
from pipelines.image.training.tiny.names import Concept
from pipelines.image.training.tiny.pictures import BACKGROUNDS, ENOUGH_COLOUR, SIDE, cut_out, paste, recolour, shade

CONCEPTS, SEEDS, SEEN = 60, 4, 64
LESSONS, LESSON = 800, 64
"""Batches of the judging network, pictures in each."""


def judge() -> Any:
    """64 × 64 pictures to 240 concepts."""
    layers: list[Any] = []
    for inside, outside in ((3, 32), (32, 64), (64, 128), (128, 192)):
        layers += [torch.nn.Conv2d(inside, outside, 3, stride=2, padding=1, bias=False), torch.nn.BatchNorm2d(outside), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Dropout(0.2), torch.nn.Linear(192 * 16, 240))


def shown(concept: Concept, pick: random.Random) -> Any:
    """The concept's own picture as someone else might show it: uint8 [64, 64, 3]."""
    picture = cut_out(str(concept.file))
    if pick.random() < 0.3:
        picture = recolour(picture, pick.choice(HUES))[0]
    if pick.random() < 0.15:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    picture = picture.rotate(pick.uniform(-12, 12), Image.Resampling.BILINEAR, expand=True)
    colour = shade(pick.choice(BACKGROUNDS), pick) if pick.random() < 0.25 else (255, 255, 255)
    canvas = Image.new("RGBA", (SIDE, SIDE), (*colour, 255))
    paste(canvas, picture, pick.uniform(0.7, 1.0), (pick.uniform(0.42, 0.58), pick.uniform(0.42, 0.58)))
    seen = canvas.convert("RGB").filter(ImageFilter.GaussianBlur(pick.uniform(0, 2.5))).resize((SEEN, SEEN), Image.Resampling.BOX)
    rough = np.asarray(seen).astype(np.float32) + np.random.default_rng(pick.getrandbits(32)).normal(0, pick.uniform(0, 12), (SEEN, SEEN, 3))
    return rough.clip(0, 255).astype(np.uint8)


def ready(pictures: Any) -> Any:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def train_judge(folder: Path, concepts: list[Concept]) -> tuple[Any, float]:
    """The network, from folder/judge.pt where it was trained before, and its share of right answers on showings that it never saw."""
    path, network = folder / "judge.pt", judge()
    if path.exists():
        network.load_state_dict(torch.load(path, weights_only=True))
    else:
        torch.manual_seed(3)
        optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.02)
        for step in range(LESSONS):
            for group in optimizer.param_groups:
                group["lr"] = 2e-3 * min(1, (step + 1) / 100) * (0.5 * (1 + math.cos(math.pi * step / LESSONS)) + 0.01)
            pick = random.Random(step)
            numbers = [pick.randrange(len(concepts)) for _ in range(LESSON)]
            told = network(ready([shown(concepts[number], pick) for number in numbers]))
            functional.cross_entropy(told, torch.tensor(numbers), label_smoothing=0.05).backward()
            optimizer.step()
            optimizer.zero_grad()
        torch.save(network.state_dict(), path)
    network.eval()
    right = 0
    for start in range(0, len(concepts), 60):
        some = concepts[start : start + 60]
        told = network(ready([shown(concept, random.Random(f"held out {number} {concept.code}")) for concept in some for number in range(4)]))
        right += int((told.argmax(1) == torch.arange(start, start + len(some)).repeat_interleave(4)).sum())
    return network, right / (4 * len(concepts))


class Drawing:
    """The model, drawing with one seed for each picture."""

    def __init__(self, model: Path, sampler: str, steps: int, guidance: float) -> None:
        self.pipe = StableDiffusionPipeline.from_pretrained(model, safety_checker=None)
        self.pipe.set_progress_bar_config(disable=True)
        self.steps, self.guidance = steps, guidance
        if sampler == "DPM++ 2M":
            self.pipe.scheduler = DPMSolverMultistepScheduler.from_config(self.pipe.scheduler.config)

    def __call__(self, prompts: list[str], seed: int = 1) -> list[Any]:
        """uint8 [128, 128, 3] for each prompt."""
        made: list[Any] = []
        for start in range(0, len(prompts), 12):
            some = prompts[start : start + 12]
            seeds = [torch.Generator().manual_seed(seed + start + number) for number in range(len(some))]
            made += [np.asarray(picture) for picture in self.pipe(some, num_inference_steps=self.steps, guidance_scale=self.guidance, generator=seeds).images]
        return made


def chosen(concepts: list[Concept], number: int = CONCEPTS) -> list[Concept]:
    """The first ones by the SHA-256 of their English name: no one's choice."""
    return sorted(concepts, key=lambda concept: hashlib.sha256(concept.english[0].encode()).hexdigest())[:number]


def colourful(concepts: list[Concept], number: int) -> list[Concept]:
    """Those of them whose picture can show a colour word."""
    return [concept for concept in chosen(concepts, len(concepts)) if recolour(cut_out(str(concept.file)), "blue")[1] > max(0.5, ENOUGH_COLOUR)][:number]


def single(concepts: list[Concept], number: int) -> list[Concept]:
    """Those of them whose own picture counts as one thing, alone and as two."""
    found = []
    for concept in chosen(concepts, len(concepts)):
        canvas = Image.new("RGBA", (SIDE, SIDE), "white")
        for point in ((0.26, 0.5), (0.74, 0.5)):
            paste(canvas, cut_out(str(concept.file)), 0.44, point)
        if count_of(np.asarray(canvas.convert("RGB"))) == 2:
            found.append(concept)
    return found[:number]


def share(right: list[bool]) -> float:
    return round(sum(right) / len(right), 4)


def measure(folder: Path, model: Path, every: list[Concept], *, japanese: bool, sampler: str = "DPM++ 2M", steps: int = 20, guidance: float = 4.0) -> dict[str, Any]:
    """The whole table for one language, also for each concept."""
    concepts = [concept for concept in every if concept.suggested]
    network, own = train_judge(folder, concepts)
    draw = Drawing(model, sampler, steps, guidance)

    def name(concept: Concept) -> str:
        return (concept.japanese if japanese else concept.english)[0]

    some = chosen(concepts)
    prompts = [name(concept) for concept in some for _ in range(SEEDS)]
    pictures = [np.asarray(Image.fromarray(picture).resize((SEEN, SEEN), Image.Resampling.BOX)) for picture in draw(prompts)]
    with torch.no_grad():
        best = network(ready(pictures)).topk(5).indices.tolist()
    wanted = [concepts.index(concept) for concept in some for _ in range(SEEDS)]
    first, among = [top[0] == right for top, right in zip(best, wanted, strict=True)], [right in top for top, right in zip(best, wanted, strict=True)]
    table: dict[str, Any] = {"judge on held-out showings": round(own, 4), "top-1": share(first), "top-5": share(among)}
    print(table, flush=True)
    table |= scenes(draw, concepts, japanese)
    table["settings"] = {"sampler": sampler, "steps": steps, "CFG": guidance, "concepts": len(some), "seeds": SEEDS}
    table["by concept"] = {name(concept): [sum(first[k * SEEDS : (k + 1) * SEEDS]), sum(among[k * SEEDS : (k + 1) * SEEDS])] for k, concept in enumerate(some)}
    return table


def counted(number: int, concept: Concept, japanese: bool) -> str:
    name = concept.japanese[0] if japanese else concept.english[0]
    if number == 1:
        return name
    return f"{COUNTS[number][1]}の{name}" if japanese else f"{COUNTS[number][0]} {plural(name)}"


def scenes(draw: Drawing, concepts: list[Concept], japanese: bool) -> dict[str, float]:
    """Colour words, backgrounds and numbers that were obeyed (0 to 1)."""
    table = {}
    pairs = [(word, concept) for concept in colourful(concepts, 6) for word in HUES]
    said = [COLOURS[word][0] + concept.japanese[0] if japanese else f"{word} {concept.english[0]}" for word, concept in pairs]
    table["colour"] = share([colour_of(picture) == word for picture, (word, _) in zip(draw(said), pairs, strict=True)])
    pairs = [(word, concept) for concept in chosen(concepts, 5) for word in BACKGROUNDS]
    said = [f"{COLOURS[word][1]}の背景に{concept.japanese[0]}" if japanese else f"{concept.english[0]} on a {word} background" for word, concept in pairs]
    table["background"] = share([background_of(picture) == word for picture, (word, _) in zip(draw(said), pairs, strict=True)])
    numbers = [(number, concept) for concept in single(concepts, 14) for number in (1, 2, 3)]
    said = [counted(number, concept, japanese) for number, concept in numbers]
    obeyed = [count_of(picture) == number for picture, (number, _) in zip(draw(said), numbers, strict=True)]
    for number in (1, 2, 3):
        table[f"count {number}"] = share([right for right, (wanted, _) in zip(obeyed, numbers, strict=True) if wanted == number])
    return table | {"count": share(obeyed)}
