"""Audio models in memory: transformers' or diffusers' own objects."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipelines.music.audio.families import Family


@dataclass
class AudioModel:
    """`net` is a MusicGen or a diffusers pipeline; `words` the tokenizer of the first, `heard` what its feature extractor is set to."""

    net: Any
    family: Family
    device: str
    words: Any = None
    heard: dict[str, Any] | None = None
    scheduler: Any = None  # as it was saved

    @contextlib.contextmanager
    def watched(self, check: Callable[[], None]) -> Iterator[None]:
        """`check` runs before each layer, so that Stop acts within a step."""
        hooks = [layer.register_forward_pre_hook(lambda *_: check()) for layer in _layers(self.net)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _layers(net: Any) -> list[Any]:
    """The members of every row of layers."""
    parts = [net] if isinstance(net, torch.nn.Module) else [part for part in net.components.values() if isinstance(part, torch.nn.Module)]
    rows = [row for part in parts for row in part.modules() if isinstance(row, (torch.nn.ModuleList, torch.nn.Sequential))]
    return list({id(layer): layer for row in rows for layer in row}.values()) + parts


def load(folder: Path, family: Family, *, device: str, half: bool, parts: bool, report: Callable[[str, float], None]) -> AudioModel:
    """Raises OSError, ValueError, KeyError and the like for what is no such model."""
    report("Reading the weights", 0.1)
    dtype = torch.float32 if not half else torch.float16 if device == "cuda" and family.key != "ace_step" else torch.bfloat16
    return _tokens(folder, family, device, dtype, report) if family.kind == "tokens" else _denoise(folder, family, device, dtype, parts, report)


def _tokens(folder: Path, family: Family, device: str, dtype: Any, report: Callable[[str, float], None]) -> AudioModel:
    import transformers

    name = "MusicgenMelodyForConditionalGeneration" if family.key == "melody" else "MusicgenForConditionalGeneration"
    net = getattr(transformers, name).from_pretrained(folder, dtype=dtype, local_files_only=True, use_safetensors=True).eval()
    report("Moving it to the device", 0.9)
    net.to(device).requires_grad_(False)
    heard = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8")) if (folder / "preprocessor_config.json").exists() else {}
    return AudioModel(net, family, device, transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True), heard)


def _denoise(folder: Path, family: Family, device: str, dtype: Any, parts: bool, report: Callable[[str, float], None]) -> AudioModel:
    import diffusers
    import transformers

    more: dict[str, Any] = {}
    if family.key == "audioldm2" and (folder / "language_model").is_dir():  # older folders name the class without the head, which diffusers no longer runs
        more["language_model"] = transformers.GPT2LMHeadModel.from_pretrained(folder / "language_model", dtype=dtype, local_files_only=True, use_safetensors=True)
    pipe = getattr(diffusers, _class_of(folder)).from_pretrained(folder, dtype=dtype, local_files_only=True, use_safetensors=True, **more)
    pipe.set_progress_bar_config(disable=True)
    report("Moving it to the device", 0.9)
    if parts:
        pipe.enable_model_cpu_offload(device=device)
    else:
        pipe.to(device)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False)
    return AudioModel(pipe, family, device, scheduler=pipe.scheduler)


def _class_of(folder: Path) -> str:
    return str(json.loads((folder / "model_index.json").read_text(encoding="utf-8"))["_class_name"])
