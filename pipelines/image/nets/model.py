"""An image model in memory: diffusers' pipeline object, what was read from it once, and what is remembered between pictures."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import torch

from pipelines.image.families import Family
from pipelines.image.samplers import Sampler, scheduler_config

REMEMBERED = 32
MODES = {"text": diffusers.AutoPipelineForText2Image, "image": diffusers.AutoPipelineForImage2Image, "inpaint": diffusers.AutoPipelineForInpainting}
STAGES = {"text_encoder": "Reading the prompt", "text_encoder_2": "Reading the prompt", "text_encoder_3": "Reading the prompt", "vae": "Decoding"}


@dataclass
class ImageModel:
    """`pipe` is the pipeline for text to image; others share its parts. `encoded` keeps what the text encoders said."""

    pipe: Any
    family: Family
    key: str
    device: str
    scheduler_base: dict[str, Any] = field(default_factory=dict)
    encoded: OrderedDict[Any, Any] = field(default_factory=OrderedDict)
    pipes: dict[str, Any] = field(default_factory=dict)
    colours: Any = None  # [channels + 1, 3]: latents to RGB, fitted at the first preview
    adapters: dict[str, str] = field(default_factory=dict)  # what small networks it wears, with their weights
    worn: list[Callable[[], None]] = field(default_factory=list)  # how each change of them is undone, in their order
    company: Any = None  # what stands beside it while a job draws

    def __post_init__(self) -> None:
        self.scheduler_base = dict(self.pipe.scheduler.config)
        self.pipes["text"] = self.pipe
        if not self.family.weights:
            remember_prompts(self)

    def mode(self, mode: str) -> Any:
        """The pipeline object of a mode, with the same parts."""
        if mode not in self.pipes:
            self.pipes[mode] = MODES[mode].from_pipe(self.pipe)
            self.pipes[mode].set_progress_bar_config(disable=True)
        return self.pipes[mode]

    def set_sampler(self, pipe: Any, sampler: Sampler, schedule: str) -> Any:
        """A fresh scheduler for this job: nothing of an earlier one is left in it."""
        kind = getattr(diffusers, sampler.scheduler)
        pipe.scheduler = kind.from_config(scheduler_config(self.scheduler_base, sampler, schedule))
        return pipe.scheduler

    def recall(self, key: Any, make: Callable[[], Any]) -> Any:
        """What was encoded before, or is now."""
        if key in self.encoded:
            self.encoded.move_to_end(key)
            return self.encoded[key]
        self.encoded[key] = made = make()
        while len(self.encoded) > REMEMBERED:
            self.encoded.popitem(last=False)
        return made

    @contextlib.contextmanager
    def watched(self, check: Callable[[], None]) -> Iterator[None]:
        """`check` runs before each of the networks' blocks, so that Stop acts within a step, a tile or an encoder's layer group."""
        hooks = [part.register_forward_pre_hook(lambda *_: check()) for part in _parts(self.pipe)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _parts(pipe: Any) -> list[Any]:
    """The modules between which a job may stop: whole networks, and the blocks of decoder and encoder."""
    found: list[Any] = []
    for module in pipe.components.values():
        if not isinstance(module, torch.nn.Module):
            continue
        found.append(module)
        for name in ("decoder", "encoder"):
            inner = getattr(module, name, None)
            if isinstance(inner, torch.nn.Module):
                found += [inner, *(part for part in inner.modules() if type(part).__name__ in ("ResnetBlock2D", "AutoencoderTinyBlock"))]
        found += [part for part in module.modules() if type(part).__name__ in ("BasicTransformerBlock", "ResnetBlock2D", "JointTransformerBlock", "FluxTransformerBlock", "FluxSingleTransformerBlock")]
    return list({id(part): part for part in found}.values())


def load(path: Path, family: Family, key: str, *, device: str, dtype: Any, report: Callable[[str, float], None], vae: Path | None = None) -> ImageModel:
    """A diffusers folder, or a single file of a known family. Raises OSError, ValueError, KeyError for what is no such model."""
    report("Reading the weights", 0.1)
    more: dict[str, Any] = {"vae": load_vae(vae, dtype)} if vae else {}
    if path.is_dir():
        if (path / "model_index.json").read_text(encoding="utf-8").find('"safety_checker"') >= 0:
            more |= {"safety_checker": None}
        pipe = diffusers.DiffusionPipeline.from_pretrained(path, dtype=dtype, local_files_only=True, use_safetensors=True, **more)
    else:
        from pipelines.image.nets.single_file import load_single

        pipe = load_single(path, family, dtype, more)
    pipe.set_progress_bar_config(disable=True)
    report("Moving it to the device", 0.9)
    pipe.to(device)
    for module in pipe.components.values():
        if isinstance(module, torch.nn.Module):
            module.requires_grad_(False)
    return ImageModel(pipe, family, key, device)


def load_vae(path: Path, dtype: Any) -> Any:
    """A decoder of its own: a folder, or a single file."""
    if path.is_dir():
        return diffusers.AutoencoderKL.from_pretrained(path, dtype=dtype, local_files_only=True)
    from pipelines.image.nets.single_file import load_single_vae

    return load_single_vae(path, dtype)


def remember_prompts(model: ImageModel) -> None:
    """Families whose own pipelines encode the prompt: the same words are encoded once."""
    pipe = model.pipe
    encode = pipe.encode_prompt

    def remembered(*args: Any, **named: Any) -> Any:
        values = (*args, *named.values())
        if any(isinstance(value, torch.Tensor) for value in values):
            return encode(*args, **named)
        return model.recall((repr(args), repr(sorted(named.items(), key=lambda item: item[0])), repr(model.adapters)), lambda: encode(*args, **named))

    pipe.encode_prompt = remembered
