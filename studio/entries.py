"""ModelEntry: what the studio knows of one model without loading it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

ModelKind = Literal[
    "llm", "image", "lora", "embedding", "vae", "controlnet", "ip_adapter", "text_encoder", "upscaler", "vision", "depth", "pose", "detector", "audio", "speech", "soundfont", "composer", "other"
]  # fmt: skip
ModelFormat = Literal["gguf", "transformers", "diffusers", "safetensors", "hdf5", "pickle", "soundfont", "remote"]


@dataclass(frozen=True)
class ModelEntry:
    """One model. `bytes` is exact (weights on disk); `problem` is a sentence where the file can't be used."""

    key: str
    path: str
    kind: ModelKind
    format: ModelFormat
    bytes: int
    title: str
    architecture: str = ""
    dtype: str = ""
    context_length: int = 0
    languages: list[str] = field(default_factory=list)
    source: str = "models"
    problem: str = ""
    details: dict[str, Any] = field(default_factory=dict)
