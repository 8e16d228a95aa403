"""One picture, or a batch: diffusers' own pipeline object is called, so that its pixels are the pixels; this adds Stop, preview, and what its call has no words for."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from pipelines.image.nets import preview
from pipelines.image.nets.conditioning import Conditioning, condition, guided
from pipelines.image.nets.model import ImageModel
from pipelines.image.nets.noise import Noise, drawn_from, generator, has_own_noise, starts_otherwise
from pipelines.image.nets.tables import give_table
from pipelines.image.params import ImageParams
from pipelines.image.prompt.grammar import parse
from pipelines.image.prompt.schedule import plain
from pipelines.image.samplers import choose, wants_table
from pipelines.image.sigmas import table
from studio.api import RunContext


class Skipped(Exception):
    """The user went on to the next picture."""


@dataclass(frozen=True)
class Drawing:
    """One call of the pipeline: seeds of its pictures, the picture and the mask it begins from, and which part of the progress it is."""

    seeds: tuple[int, ...]
    width: int
    height: int
    steps: int
    strength: float = 1.0
    image: Image.Image | None = None
    mask: Image.Image | None = None
    first: int = 0
    total: int = 0
    note: str = ""
    counted: int = 0  # as how many steps the progress counts it; 0 is all of them
    before: int = 0  # steps of the first pass, where this is the second


class Watch:
    """Follows a run of the loop: progress, preview, Stop, Skip, Finish early."""

    def __init__(self, model: ImageModel, pipe: Any, drawing: Drawing, ctx: RunContext) -> None:
        self.model, self.pipe, self.drawing, self.ctx = model, pipe, drawing, ctx
        self.step = 0
        self.clean: Any = None

    def scheduler_step(self, step: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(step)  # diffusers looks at its signature
        def watched(output: Any, timestep: Any, sample: Any, *args: Any, **named: Any) -> Any:
            self.clean = (output, timestep, sample, getattr(self.pipe.scheduler, "step_index", None))
            return step(output, timestep, sample, *args, **named)

        return watched

    def foretold(self) -> Any:
        output, timestep, sample, _ = self.clean
        return preview.foretold(self.pipe.scheduler, output, timestep, sample)

    def check(self) -> None:
        self.ctx.check()
        if self.ctx.stopping == "skip":
            raise Skipped

    def after_step(self, pipe: Any, number: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        self.step = number + 1
        self.check()
        count = max(1, int(getattr(pipe, "num_timesteps", 0) or self.drawing.steps))
        done = self.drawing.first + round((number + 1) / count * (self.drawing.counted or self.drawing.steps))
        self.ctx.progress(done, self.drawing.total, self.drawing.note)
        if self.ctx.stopping == "finish" and self.clean is not None and number + 1 < count:
            pipe._interrupt = True
            return {"latents": self.foretold().to(tensors["latents"].dtype)}
        self.ctx.preview(lambda: self.picture(tensors["latents"]))
        return {}

    def picture(self, latents: Any) -> Image.Image:
        clean = (self.foretold() if self.clean is not None else latents)[:1]
        factor = self.model.family.factor
        if clean.ndim == 3:  # packed two by two, as FLUX has them
            clean = self.pipe._unpack_latents(clean, self.drawing.height, self.drawing.width, self.pipe.vae_scale_factor)
        if self.model.colours is None:
            self.model.colours = preview.fit_colours(self.pipe.vae, factor)
        return preview.picture(clean[0], self.model.colours, factor)


def draw(model: ImageModel, params: ImageParams, drawing: Drawing, ctx: RunContext) -> list[Image.Image]:
    """Raises Stopped, Skipped."""
    kind = "inpaint" if drawing.mask is not None else "image" if drawing.image is not None else "text"
    pipe = model.mode(kind)
    sampler, schedule = choose(params.sampler, params.schedule, model.family.kind)
    tabled = wants_table(sampler, schedule, params.conventions, params.discard_next_to_last_sigma)
    model.set_sampler(pipe, sampler, "Uniform" if tabled else schedule)  # a table takes the first noise as large as its first level, which diffusers does with even steps
    if tabled:
        discard = params.discard_next_to_last_sigma or (sampler.discards and params.conventions == "AUTOMATIC1111")
        give_table(pipe.scheduler, functools.partial(table, schedule, family=model.family.key, discard=discard))
    noise = Noise(params, drawing.seeds, factor=model.family.factor) if has_own_noise(params) else None
    watch = Watch(model, pipe, drawing, ctx)
    pipe.scheduler.step = watch.scheduler_step(pipe.scheduler.step)
    guides = params.cfg_scale > 1.0
    with model.watched(watch.check), seamless(model, params.tiling), torch.inference_mode():
        words, conditioning = _words(model, params, drawing, guides)
        call = words | _picture(model, params, drawing, kind, noise) | {
            "num_inference_steps": drawing.steps, "guidance_scale": params.cfg_scale, "callback_on_step_end": watch.after_step,
            "generator": [generator(seed) for seed in drawing.seeds] if len(drawing.seeds) > 1 else generator(drawing.seeds[0]),
        }  # fmt: skip
        if params.guidance_rescale and model.family.weights:
            call["guidance_rescale"] = params.guidance_rescale
        around = guided(_network(pipe), conditioning, lambda: watch.step // sampler.evaluations, guides) if conditioning else contextlib.nullcontext()
        with around, drawn_from(noise, pipe) if noise else contextlib.nullcontext():
            images: list[Image.Image] = pipe(**call).images
    return images


def _network(pipe: Any) -> Any:
    return getattr(pipe, "unet", None) or pipe.transformer


def _words(model: ImageModel, params: ImageParams, drawing: Drawing, guides: bool) -> tuple[dict[str, Any], Conditioning | None]:
    """The prompt as states where the family's encoder is CLIP, else as plain words."""
    if not model.family.weights:
        more = {"negative_prompt": [plain(parse(params.negative_prompt))] * len(drawing.seeds)} if model.family.negative and guides else {}
        return {"prompt": [plain(parse(params.prompt))] * len(drawing.seeds)} | more, None
    loops = max(1, int(drawing.steps * drawing.strength)) if drawing.image is not None else drawing.steps
    conditioning = condition(model, params.prompt, params.negative_prompt, loops, params.clip_skip, drawing.before, params.emphasis)
    rows = len(drawing.seeds)
    first, base = conditioning.positive_at(0)[0][0], conditioning.negative_at(0)
    call = {"prompt_embeds": first.states.repeat(rows, 1, 1)} | ({"negative_prompt_embeds": base.states.repeat(rows, 1, 1)} if guides else {})
    if first.pooled is not None:
        call |= {"pooled_prompt_embeds": first.pooled.repeat(rows, 1)} | ({"negative_pooled_prompt_embeds": base.pooled.repeat(rows, 1)} if guides else {})
    return call, conditioning


def _picture(model: ImageModel, params: ImageParams, drawing: Drawing, kind: str, noise: Noise | None) -> dict[str, Any]:
    """Size and starting noise, or the picture to begin from."""
    if kind == "text":
        call: dict[str, Any] = {"width": drawing.width, "height": drawing.height}
        if noise and model.family.kind == "noise" and starts_otherwise(params):
            shape = (int(_network(model.pipe).config.in_channels), drawing.height // model.family.factor, drawing.width // model.family.factor)
            call["latents"] = noise.first(shape).to(model.device, model.pipe.dtype)
        return call
    rows = len(drawing.seeds)
    call = {"image": [drawing.image] * rows, "strength": drawing.strength}
    if kind == "inpaint":
        call["mask_image"] = [drawing.mask] * rows
    if "height" in inspect.signature(type(model.mode(kind)).__call__).parameters:  # some families take the picture's own size instead
        call |= {"width": drawing.width, "height": drawing.height}
    return call


@contextlib.contextmanager
def seamless(model: ImageModel, on: bool) -> Iterator[None]:
    """Convolutions of network and decoder wrap around: the edges fit together."""
    layers = [layer for part in (_network(model.pipe), model.pipe.vae) for layer in part.modules() if isinstance(layer, torch.nn.Conv2d) and any(layer._reversed_padding_repeated_twice)] if on else []
    for layer in layers:
        layer.padding_mode = "circular"
    try:
        yield
    finally:
        for layer in layers:
            layer.padding_mode = "zeros"


