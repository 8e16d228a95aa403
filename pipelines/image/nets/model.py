"""An image model in memory: diffusers' pipeline object, what was read from it once, and what is remembered between pictures."""

from __future__ import annotations

import contextlib
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import torch

from pipelines.image.families import Family
from pipelines.image.memory import Held, Placement
from pipelines.image.nets.heun import FlowMatchHeunScheduler
from pipelines.image.nets.looped import AdaptiveScheduler, LoopedScheduler, UnguidedNoiseScheduler
from pipelines.image.nets.placing import decoder_of, place_weights, set_slicing, set_tiling, share_hooks
from pipelines.image.nets.processors import loaded
from pipelines.image.others import PRIORS
from pipelines.image.parts import Part
from pipelines.image.samplers import ADAPTIVE, UNGUIDED, Sampler, scheduler_config
from pipelines.image.track import Pace

REMEMBERED, MOST_BYTES = 32, 2**26  # answers of the encoders, and how large one may be that is kept
FLOW_HEUN = "FlowMatchHeunDiscreteScheduler"  # diffusers' own takes no noise levels from a pipeline
MODES = {"text": "AutoPipelineForText2Image", "image": "AutoPipelineForImage2Image", "inpaint": "AutoPipelineForInpainting"}  # by name: each brings diffusers' pipelines of all families


@dataclass
class ImageModel:
    """`pipe` is the pipeline as it was saved, mostly for text to image; others share its parts. `encoded` keeps what the text encoders said."""

    pipe: Any
    family: Family
    key: str
    device: str
    scheduler_base: dict[str, Any] = field(default_factory=dict)
    scheduler_kind: Any = None
    encoded: OrderedDict[Any, Any] = field(default_factory=OrderedDict)
    pipes: dict[str, Any] = field(default_factory=dict)
    colours: Any = None  # [channels + 1, 3]: latents to RGB, fitted before the first picture; None where that can't be done
    fitted: bool = False
    sketch: Any = None  # a tiny autoencoder for previews
    adapters: dict[str, str] = field(default_factory=dict)  # what small networks it wears, with their weights
    worn: list[Callable[[], None]] = field(default_factory=list)  # how each change of them is undone, in their order
    company: Any = None  # what stands beside it while a job draws
    pace: Pace = field(default_factory=Pace)
    sliced: bool = False

    def __post_init__(self) -> None:
        self.scheduler_base, self.scheduler_kind = dict(self.pipe.scheduler.config), type(self.pipe.scheduler)
        self.pipes[own_mode(type(self.pipe).__name__)] = self.pipe
        if not self.family.weights and hasattr(self.pipe, "encode_prompt"):
            remember_prompts(self)

    def mode(self, mode: str, *, perturbed: bool = False) -> Any:
        """The pipeline object of a mode, with the same parts; `perturbed`: the one with perturbed-attention guidance."""
        if mode in ("refer", "again"):  # what looks at a picture, or enlarges one, is called as it was saved
            return self.pipe
        name = f"{mode} perturbed" if perturbed else mode
        if name not in self.pipes:
            self.pipes[name] = getattr(diffusers, MODES[mode]).from_pipe(self.pipe, **({"enable_pag": True} if perturbed else {}))
            self.pipes[name].set_progress_bar_config(disable=True)
            share_hooks(self.pipe, self.pipes[name])
        return self.pipes[name]

    def place(self, placement: Placement) -> None:
        """How the next picture is made; where the weights lie was settled when they were loaded."""
        set_tiling(decoder_of(self.pipe), self.family.factor, placement.tiled)
        if placement.sliced != self.sliced:
            set_slicing(self.pipe, placement.sliced)
            self.sliced = placement.sliced

    def set_sampler(self, pipe: Any, sampler: Sampler, schedule: str) -> Any:
        """A fresh scheduler for this job: nothing of an earlier one is left in it."""
        looped = {UNGUIDED: UnguidedNoiseScheduler, ADAPTIVE: AdaptiveScheduler}.get(sampler.loop, LoopedScheduler)
        named = FlowMatchHeunScheduler if sampler.scheduler == FLOW_HEUN else getattr(diffusers, sampler.scheduler) if sampler.scheduler else self.scheduler_kind
        kind = looped if sampler.loop else named
        pipe.scheduler = kind.from_config(scheduler_config(self.scheduler_base, sampler, schedule))
        if sampler.loop:
            pipe.scheduler.loop, pipe.scheduler.order = sampler.loop, sampler.evaluations
        if hasattr(pipe, "decoder_pipe"):  # the half that draws is an object of its own
            pipe.decoder_pipe.scheduler = pipe.scheduler
        return pipe.scheduler

    def recall(self, key: Any, make: Callable[[], Any]) -> Any:
        """What was encoded before, or is now."""
        if key in self.encoded:
            self.encoded.move_to_end(key)
            return self.encoded[key]
        made = make()
        if bytes_of(made) > MOST_BYTES:
            return made
        self.encoded[key] = made
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


def own_mode(name: str) -> str:
    """What a pipeline of that class is called for."""
    return next((mode for word, mode in (("Inpaint", "inpaint"), ("InstructPix2Pix", "edit"), ("Img2Img", "image")) if word in name), "text")


def _parts(pipe: Any) -> list[Any]:
    """The modules between which a job may stop: whole networks, and the blocks and layers that each is a row of."""
    found: list[Any] = []
    for module in pipe.components.values():
        if not isinstance(module, torch.nn.Module):
            continue
        found.append(module)
        found += [part for name in ("decoder", "encoder") if isinstance(part := getattr(module, name, None), torch.nn.Module)]
        for row in module.modules():
            if isinstance(row, (torch.nn.ModuleList, torch.nn.Sequential)):
                found += [part for part in row if _is_block(type(part).__name__)]
    return list({id(part): part for part in found}.values())


def _is_block(name: str) -> bool:
    return ("Block" in name or "Layer" in name) and not name.endswith("Norm")


def load(
    path: Path, family: Family, key: str, *, device: str, dtype: Any, report: Callable[[str, float], None], vae: Path | None = None, parts: dict[str, Part] | None = None, held: Held = "all",
    prior: Path | None = None,
) -> ImageModel:  # fmt: skip
    """A diffusers folder, with its other half in the folder `prior` where it comes in two, a single file of a known family, or one with `parts` beside it.

    Raises OSError, ValueError, KeyError for what is no such model.
    """
    report("Reading the weights", 0.1)
    more: dict[str, Any] = {"vae": load_vae(vae, dtype, family)} if vae else {}
    if path.is_dir():
        index = (path / "model_index.json").read_text(encoding="utf-8")
        if "wuerstchen" in index:
            give_old_names()
        if '"PRXPipeline"' in index:
            give_plain_words()
        if '"safety_checker"' in index:
            more |= {"safety_checker": None}
        pipe = loaded(diffusers.DiffusionPipeline, path, dtype=dtype, local_files_only=True, use_safetensors=True, variant=variant_of(path), **more)
        pipe = joined(pipe, prior, dtype) if prior else pipe
        if "PAG" in type(pipe).__name__:  # the same parts: guidance is perturbed where it is asked for
            pipe = diffusers.AutoPipelineForText2Image.from_pipe(pipe, enable_pag=False)
    else:
        from pipelines.image.nets.single_file import load_parts, load_single

        pipe = load_parts(parts, family, dtype, more) if parts else load_single(path, family, dtype, more)
    pipe.set_progress_bar_config(disable=True)
    report("Moving it to the device", 0.9)
    place_weights(pipe, held, device)
    for module in pipe.components.values():
        if isinstance(module, torch.nn.Module):
            module.requires_grad_(False)
    return ImageModel(pipe, family, key, device)


def give_old_names() -> None:
    """Folders of Würstchen and Stable Cascade name a module of diffusers by where it was before."""
    from diffusers import pipelines
    from diffusers.pipelines.deprecated import wuerstchen

    if not hasattr(pipelines, "wuerstchen"):
        pipelines.wuerstchen = wuerstchen


def give_plain_words() -> None:
    """PRX mends wrongly decoded letters by a package that is not installed, and fails: it takes the words as they are."""
    from diffusers.pipelines.prx import pipeline_prx

    if not hasattr(pipeline_prx, "ftfy"):
        pipeline_prx.ftfy = types.SimpleNamespace(fix_text=str)  # type: ignore[attr-defined]


def joined(pipe: Any, prior: Path, dtype: Any) -> Any:
    """Both halves as one of diffusers' pipelines, which takes words."""
    other = diffusers.DiffusionPipeline.from_pretrained(prior, dtype=dtype, local_files_only=True, use_safetensors=True, variant=variant_of(prior))
    whole = getattr(diffusers, PRIORS[type(pipe).__name__][1])
    return whole(**pipe.components, **{f"prior_{name}": part for name, part in other.components.items()})


def variant_of(folder: Path) -> str | None:
    """"fp16" or "bf16" where a part's weights are there at half precision only, by the name that the hub gives such files."""
    for part in sorted({path.parent for path in folder.glob("*/*.safetensors")}):
        names = [path.name for path in part.glob("*.safetensors")]
        found = [half for half in ("fp16", "bf16") if any(f".{half}." in name or f".{half}-" in name for name in names)]
        if found and all(f".{half}" in name for half in found for name in names):
            return found[0]
    return None


def load_vae(path: Path, dtype: Any, family: Family) -> Any:
    """A decoder of its own: a folder, or a single file."""
    from pipelines.image.nets.single_file import load_single_vae, load_vae_folder

    return load_vae_folder(path, dtype) if path.is_dir() else load_single_vae(path, family.key, dtype)


def remember_prompts(model: ImageModel) -> None:
    """Families whose own pipelines encode the prompt: the same words are encoded once."""
    pipe = model.pipe
    encode = pipe.encode_prompt

    def remembered(*args: Any, **named: Any) -> Any:
        if not all(map(is_plain, (*args, *named.values()))):  # a picture that is seen with the words has no name to be known by again
            return encode(*args, **named)
        return model.recall((repr(args), repr(sorted(named.items(), key=lambda item: item[0])), repr(model.adapters)), lambda: encode(*args, **named))

    pipe.encode_prompt = remembered


def is_plain(value: Any) -> bool:
    """Whether its text says all of it."""
    return all(map(is_plain, value)) if isinstance(value, (list, tuple)) else isinstance(value, (str, int, float, torch.device, torch.dtype, type(None)))


def bytes_of(made: Any) -> int:
    """Of the tensors in it."""
    if isinstance(made, torch.Tensor):
        return made.nbytes
    if isinstance(made, (list, tuple)):
        return sum(map(bytes_of, made))
    return sum(map(bytes_of, vars(made).values())) if hasattr(made, "__dict__") else 0
