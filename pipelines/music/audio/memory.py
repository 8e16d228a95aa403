"""Where an audio model and its work go. Weights are counted exactly from the headers of its files; what is needed besides is one estimate a family. No torch.

The ladder is short: all on the device; on a graphics card also each part moved in when it is needed. Decoding goes in windows on every rung.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipelines.music.audio.families import Family
from pipelines.music.audio.params import AudioParams
from studio.api import ModelEntry

DECODED = 30.0  # seconds of sound that a codec decodes at once, a window and what is heard around it
PARTS_WORDS = "each part moved in when it is needed"
HALF_DEVICES = ("cuda", "mps")
CODEC_LAYERS = 6  # widest activations of a codec that are there at once


@dataclass(frozen=True)
class Placement:
    """Bytes at the worst moment; `parts`: only the part that works is on the device."""

    parts: bool = False
    weights: int = 0
    working: int = 0

    @property
    def bytes(self) -> int:
        return self.weights + self.working


def item_bytes(device: str, precision: str) -> int:
    """Of one weight where it runs."""
    return {"Full": 4, "Half": 2}.get(precision, 2 if device in HALF_DEVICES else 4)


def numbers_of(entry: ModelEntry) -> dict[str, int]:
    """How many numbers each part of a model has, by its folder; of transformers' one folder by the first name of its tensors."""
    root = Path(entry.path)
    files = sorted(path for path in root.rglob("*.safetensors"))
    return _count(tuple((str(path), path.stat().st_mtime_ns, "" if path.parent == root else path.parent.name) for path in files))


@lru_cache(maxsize=64)
def _count(files: tuple[tuple[str, int, str], ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, _, part in files:
        with Path(name).open("rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        for tensor, about in header.items():
            if tensor != "__metadata__":
                whose = part or tensor.partition(".")[0]
                found[whose] = found.get(whose, 0) + math.prod(about["shape"])
    return found


def working_bytes(params: AudioParams, family: Family, size: int) -> int:
    """The larger of the loop and of decoding, an estimate; `size` is the bytes of a number."""
    told = family.facts
    codec = int(min(DECODED * 1.2, max(params.seconds, 1.0)) * family.rate * told["filters"] * size * CODEC_LAYERS)
    if family.kind == "tokens":
        tokens = family.window * family.rate / told["hop"] + told["chroma"] + 64
        return max(codec, int(2 * 2 * told["layers"] * told["width"] * tokens * size + 8 * tokens * told["width"] * size))  # keys and values of a guided pair
    if family.key == "audioldm2":
        mels = max(params.seconds, 1.0) * family.rate / told["hop"] * told["mels"]
        return max(codec, int(mels * told["filters"] * size * 4))
    frames = told.get("frames", max(params.seconds, 1.0) * family.rate / told["hop"])
    return max(codec, int(2 * frames * told["width"] * size * 40))


def ladder(numbers: dict[str, int], working: int, device: str, size: int) -> list[Placement]:
    """Fastest first."""
    rungs = [Placement(False, sum(numbers.values()) * size, working)]
    if device == "cuda":
        rungs.append(Placement(True, max(numbers.values(), default=0) * size, working))
    return rungs


def choose(rungs: list[Placement], room: int) -> Placement:
    """The first that fits, else the smallest, which is then refused with its size."""
    return next((rung for rung in rungs if rung.bytes <= room), min(rungs, key=lambda rung: rung.bytes))


def plan(params: AudioParams, entry: ModelEntry, family: Family, device: str, room: int) -> Placement:
    size = item_bytes(device, params.precision)
    return choose(ladder(numbers_of(entry), working_bytes(params, family, size), device if family.kind == "denoise" else "cpu", size), room)
