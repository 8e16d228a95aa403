"""One picture, or a batch: diffusers' own pipeline object is called, so that its pixels are the pixels; this adds Stop, preview, and what its call has no words for."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from diffusers import FirstBlockCacheConfig
from PIL import Image

from pipelines.image.embeddings import Vocabulary
from pipelines.image.families import Family
from pipelines.image.memory import IN_TILES, ran_out
from pipelines.image.nets import preview
from pipelines.image.nets.captions import said_of, shortened
from pipelines.image.nets.company import alone, beside, followed_by
from pipelines.image.nets.conditioning import Conditioning, condition, guided
from pipelines.image.nets.handover import replaced_method
from pipelines.image.nets.looped import AdaptiveScheduler, overheard
from pipelines.image.nets.model import ImageModel
from pipelines.image.nets.noise import Noise, drawn_from, generator, has_own_noise, starts_otherwise
from pipelines.image.nets.placing import can_tile, decoder_of, set_tiling
from pipelines.image.nets.rescaling import rescaled
from pipelines.image.nets.sound import decoded
from pipelines.image.nets.spoken import recited, spoken
from pipelines.image.nets.tables import give_table
from pipelines.image.params import ImageParams
from pipelines.image.pictures import Ground
from pipelines.image.prompt.grammar import parse
from pipelines.image.prompt.schedule import emphasised, plain
from pipelines.image.prompt.view import left_out
from pipelines.image.samplers import UNGUIDED, choose, wants_table
from pipelines.image.sigmas import table
from pipelines.image.track import Pace, Track
from pipelines.image.widths import widths_of
from studio.api import BadInput, RunContext, give_back

PREVIEWED = ("AutoencoderKL", "AutoencoderTiny", "AutoencoderDC", "ConsistencyDecoderVAE", "VQModel", "AutoencoderKLQwenImage", "AutoencoderKLQwenImage21", "AutoencoderKLFlux2")


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
    others: tuple[Image.Image, ...] = ()  # looked at beside `image`
    first: int = 0
    total: int = 0
    note: str = ""
    counted: int = 0  # as how many steps the progress counts it; 0 is all of them
    before: int = 0  # steps of the first pass, where this is the second
    fresh: bool = False  # nothing of `image` is to be seen
    ground: Ground | None = None
    track: Track = field(default_factory=lambda: Track([], Pace()))
    notes: list[str] = field(default_factory=list)  # what the user should know of how it went
    said: list[str] = field(default_factory=list)  # by the model, of a picture whose words were left to it
    seamless: bool = False

    @property
    def last(self) -> int:
        """The step of the job's progress at which this call is over."""
        return self.first + (self.counted or self.steps)

    @property
    def loops(self) -> int:
        """How often the network is asked: fewer times where it begins from a picture."""
        return max(1, int(self.steps * self.strength)) if self.image is not None else self.steps


class Watch:
    """Follows a run of the loop: progress, preview, Stop, Skip, Finish early."""

    def __init__(self, model: ImageModel, pipe: Any, drawing: Drawing, ctx: RunContext) -> None:
        self.model, self.pipe, self.drawing, self.ctx = model, pipe, drawing, ctx
        self.step = 0
        self.steps = 0  # of the loop, which are fewer where it begins from a picture
        self.clean: Any = None
        self.decodes = False
        self.shown, self.is_sharp = time.monotonic(), False

    def scheduler_step(self, step: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(step)  # diffusers looks at its signature
        def watched(output: Any, timestep: Any, sample: Any, *args: Any, **named: Any) -> Any:
            self.clean = (output, timestep, sample, getattr(self.pipe.scheduler, "step_index", None))
            return step(output, timestep, sample, *args, **named)

        return watched

    def counted(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """The same, told as one of the loop's steps."""
        watched = self.scheduler_step(step)

        @functools.wraps(step)
        def told(output: Any, timestep: Any, sample: Any, *args: Any, **named: Any) -> Any:
            answer = watched(output, timestep, sample, *args, **named)
            self.after_step(self.pipe, self.step, timestep, {"latents": answer[0] if isinstance(answer, tuple) else answer.prev_sample})
            return answer

        return told

    def foretold(self) -> Any:
        return preview.foretold(self.pipe.scheduler, *self.clean)

    @property
    def is_adaptive(self) -> bool:
        return isinstance(self.pipe.scheduler, AdaptiveScheduler)

    @property
    def share(self) -> float:
        """How much of the loop is done, 0 … 1."""
        return float(self.pipe.scheduler.share) if self.is_adaptive else self.step / self.steps

    def after_step(self, pipe: Any, number: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        self.step = number + 1
        self.ctx.check()
        count = self.steps = max(1, int(getattr(pipe, "num_timesteps", 0) or self.drawing.steps))
        if number == 0:  # the words and the picture to begin from were read before
            self.drawing.track.mark(self.share)
        self.tell(self.share, self.drawing.note)
        if self.is_adaptive and pipe.scheduler.is_done:
            pipe._interrupt = True
            return {}
        if self.ctx.stopping == "finish" and self.clean is not None and number + 1 < count and hasattr(pipe, "_interrupt"):
            pipe._interrupt = True
            return {"latents": self.foretold().to(tensors["latents"].dtype)}
        self.show(tensors["latents"])
        return {}

    def show(self, latents: Any) -> None:
        """By the tiny autoencoder where there is one and the time for it, else by colours; a sharp preview is not followed by a soft one."""
        sketch = self.model.sketch
        if sketch is not None and sketch.due(self.whole(latents)[0], time.monotonic() - self.shown):
            self.ctx.preview(lambda: self.sketched(latents))
        elif not self.is_sharp and self.model.colours is not None:
            self.ctx.preview(lambda: self.picture(latents))

    def sketched(self, latents: Any) -> Image.Image:
        made: Image.Image = self.model.sketch.picture(self.whole(self.foretold() if self.clean is not None else latents)[0])
        self.shown, self.is_sharp = time.monotonic(), True
        return made

    def whole(self, latents: Any) -> Any:
        """The first picture's latents, [1, C, h, w]."""
        return preview.unpacked(self.pipe, latents[:1], self.drawing.height, self.drawing.width)

    def tell(self, share: float, note: str) -> None:
        """`share` of the loop is done."""
        done = self.drawing.first + round(share * (self.drawing.counted or self.drawing.steps))
        self.ctx.progress(done, self.drawing.total, note, self.drawing.track.share(share))

    def looks(self, words: str) -> None:
        """The model says what it sees in a picture: its words so far."""
        self.ctx.check()
        self.ctx.progress(self.drawing.first, self.drawing.total, f"Looking at the picture: {shortened(words)}" if words.strip() else "Looking at the picture", self.drawing.track.share())

    def says(self, words: str) -> None:
        """All of them, which are the prompt from now on."""
        self.drawing.said.append(words)
        self.tell(0.0, "Reading the prompt")

    def decoding(self, decode: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(decode)
        def watched(*args: Any, **named: Any) -> Any:
            self.before_decoding()
            try:
                return decoded(decoder_of(self.pipe), decode, self.drawing.notes, *args, **named)
            except Exception as error:
                if not ran_out(error) or not self.can_tile():
                    raise
            self.decode_in_tiles()  # outside of the handler: what the failed attempt held is gone
            return decoded(decoder_of(self.pipe), decode, self.drawing.notes, *args, **named)

        return watched

    def can_tile(self) -> bool:
        decoder = decoder_of(self.pipe)
        return can_tile(decoder) and not decoder.use_tiling and not self.drawing.seamless

    def decode_in_tiles(self) -> None:
        """The steps are not lost: only the decoding is done again."""
        set_tiling(decoder_of(self.pipe), self.model.family.factor, True)
        give_back()
        self.drawing.notes.append(IN_TILES)
        self.ctx.progress(self.drawing.last, self.drawing.total, "There was not enough memory: decoding in tiles", self.drawing.track.share())

    def after_loop(self, pipe: Any, number: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        """A step of the half that makes latents of what the counted loop told."""
        self.ctx.check()
        if number == 0:
            self.before_decoding()
        return {}

    def before_decoding(self) -> None:
        """The loop is over: what a step took is known now."""
        if self.decodes:
            return
        self.decodes = True
        if self.step:
            self.drawing.track.learn(self.share)
        self.drawing.track.begin("decode")
        self.ctx.progress(self.drawing.last, self.drawing.total, "Decoding", self.drawing.track.share())

    def picture(self, latents: Any) -> Image.Image:
        factor = self.model.family.factor
        clean = self.whole(self.foretold() if self.clean is not None else latents)
        return preview.picture(clean[0], self.model.colours, factor)


def draw(model: ImageModel, params: ImageParams, drawing: Drawing, ctx: RunContext) -> list[Image.Image]:
    """Raises Stopped, and what else `ctx.check` raises."""
    kind, drawing = purposed(model.family, drawing)
    pipe = model.mode(kind, perturbed=params.pag_scale > 0)
    sampler, schedule = choose(params.sampler, params.schedule, model.family.kind)
    tabled = wants_table(sampler, schedule, params.conventions, params.discard_next_to_last_sigma)
    model.set_sampler(pipe, sampler, "Uniform" if tabled else schedule)  # a table takes the first noise as large as its first level, which diffusers does with even steps
    if tabled:
        discard = params.discard_next_to_last_sigma or (sampler.discards and params.conventions == "AUTOMATIC1111")
        give_table(pipe.scheduler, functools.partial(table, schedule, family=model.family.key, discard=discard))
    noise = Noise(params, drawing.seeds, factor=model.family.factor) if has_own_noise(params) else None
    watch = Watch(model, pipe, drawing, ctx)
    guides = params.cfg_scale > 1.0
    known = inspect.signature(type(pipe).__call__).parameters
    follow = watch.scheduler_step if "callback_on_step_end" in known else watch.counted  # some families' pipelines tell nothing: their scheduler is listened to
    drawing.track.begin("step")
    watch.tell(0.0, "Reading the prompt")
    decoder, loop = decoder_of(pipe), model.family.loop
    vocabulary = Vocabulary(ctx.catalog, widths_of(ctx.model(model.key)))

    def step() -> int:
        return min(drawing.loops - 1, int(watch.share * drawing.loops)) if watch.is_adaptive else watch.step // sampler.evaluations

    listened: list[tuple[Any, str, Callable[[Any], Any]]] = [(pipe.scheduler, "step", follow)] * (not loop) + [(decoder, "decode", watch.decoding)] * (decoder is not None)
    if params.layers:
        listened.append((pipe, "get_image_caption", functools.partial(said_of, pipe, drawing.seeds[0], watch.looks, watch.says)))
    if "siglip" in pipe.components:
        listened.append((decoder, "encode", functools.partial(in_own_numbers, decoder)))
    with model.watched(ctx.check), replaced_all(listened), attention_kept(_network(pipe), params.pag_scale > 0), seamless(model, params.tiling), torch.inference_mode():
        if not model.fitted:
            model.fitted = True
            by_channel = "vision_language_encoder" in pipe.components  # GLM-Image, whose decoder is of a kind that mostly is scaled by one number
            fitting = type(decoder).__name__ in PREVIEWED
            model.colours = preview.PIXELS if decoder is None else preview.fit_colours(decoder, model.family.factor, model.device, by_channel=by_channel) if fitting else None
        words, conditioning = _words(model, params, drawing, guides, vocabulary)
        call = words | _picture(model, params, drawing, kind, noise) | {
            f"{loop}num_inference_steps": drawing.steps, model.family.guidance: model.family.guidance_of(params.cfg_scale), f"{loop}callback_on_step_end": watch.after_step,
            "generator": [generator(seed) for seed in drawing.seeds] if len(drawing.seeds) > 1 else generator(drawing.seeds[0]),
        }  # fmt: skip
        if drawing.fresh and "latents" in call:  # the empty picture is encoded with what comes after the starting noise
            for drawn in call["generator"] if isinstance(call["generator"], list) else [call["generator"]]:
                torch.randn((1, *call["latents"].shape[1:]), generator=drawn)
        call |= {"callback_on_step_end": watch.after_loop} if loop else {}
        call |= followed_by(model.company, guides)
        call |= {"pag_scale": params.pag_scale} if params.pag_scale else {}
        call = {name: value for name, value in call.items() if name in known or name not in ("callback_on_step_end", "negative_prompt", "strength")}
        if "use_resolution_binning" in known:  # the size that was asked for, not the nearest of a list
            call["use_resolution_binning"] = False
        if "clean_caption" in known:  # else the words would depend on packages that may be installed or not
            call["clean_caption"] = False
        if "max_area" in known:  # else FLUX Kontext brings every size to a megapixel
            call["max_area"] = drawing.width * drawing.height
        if "layers" in known:  # as the makers of Qwen-Image-Layered call it
            call |= {"layers": params.layers, "cfg_normalize": True, "use_en_prompt": True}
        if "guidance_schedule" in known:  # Ideogram 4 takes one scale, or one for each of its makers' steps
            call["guidance_schedule"] = None
        if hasattr(pipe, "decoder_pipe") and hasattr(pipe, "movq"):  # both halves of Kandinsky in one hand this on, and their own half warns of it
            call["callback_steps"] = None
        size = (drawing.width, drawing.height)
        with alone(model, pipe, params, drawing.ground, size, drawing.loops, step), contextlib.ExitStack() as around:
            if conditioning:
                reading = guided if model.family.weights else recited
                around.enter_context(reading(_network(pipe), conditioning, step, guides and model.family.negative, perturbed=params.pag_scale > 0))
            around.enter_context(beside(model, pipe, params, drawing.ground, size, drawing.loops, step, ctx, drawing.before))
            if sampler.loop == UNGUIDED:
                around.enter_context(overheard(_network(pipe), pipe.scheduler))
            if params.guidance_rescale and guides and model.family.weights:
                around.enter_context(rescaled(_network(pipe), pipe.scheduler, params.guidance_rescale, 0 if kind == "edit" else 1))
            around.enter_context(cached_steps(_network(pipe), params.step_cache))
            if params.freeu:
                second = model.company.second if model.company else None
                around.enter_context(stages_weighed([_network(part.pipe) for part in (model, second) if part], params.freeu))
            if noise:
                around.enter_context(drawn_from(noise, pipe))
            if "layers" in known:
                around.enter_context(replaced_method(sys.modules[type(pipe).__module__], "calculate_dimensions", lambda _: lambda *_: size))  # the size that was asked for, not one of two
            images: list[Any] = pipe(**call).images
        drawing.track.learn()
    return images[0] if params.layers else images


def purposed(family: Family, drawing: Drawing) -> tuple[str, Drawing]:
    """The mode to draw in, and the drawing as a network for one purpose wants it: with a whole mask on an empty picture where it must have both, all steps where it follows an instruction."""
    if family.only_again:
        return "again", drawing
    if family.form == "edit" or (family.form == "refer" and drawing.image is not None and drawing.mask is None):
        return family.form, replace(drawing, strength=1.0)
    if family.form != "inpaint" or drawing.mask is not None:
        return "inpaint" if drawing.mask is not None else "image" if drawing.image is not None else "text", drawing
    size = (drawing.width, drawing.height)
    image, strength = (drawing.image, drawing.strength) if drawing.image is not None else (Image.new("RGB", size, (127, 127, 127)), 1.0)
    return "inpaint", replace(drawing, image=image, mask=Image.new("L", size, 255), strength=strength, fresh=drawing.image is None)


def _network(pipe: Any) -> Any:
    return getattr(pipe, "unet", None) or getattr(pipe, "transformer", None) or pipe.decoder


def _words(model: ImageModel, params: ImageParams, drawing: Drawing, guides: bool, vocabulary: Vocabulary) -> tuple[dict[str, Any], Conditioning | None]:
    """The prompt as states where the family's encoder is CLIP, or where its words weigh or change; else as plain words."""
    guides = guides and model.family.negative
    drawing.notes.extend(note for text in (params.prompt, params.negative_prompt if guides else "") if (note := left_out(text, model.family, drawing.loops, drawing.before)))
    if model.family.loop:  # words for each of a batch would be multiplied once more in the second half
        call: dict[str, Any] = {"prompt": plain(parse(params.prompt), drawing.loops, drawing.before), "num_images_per_prompt": len(drawing.seeds)}
        return call | ({"negative_prompt": plain(parse(params.negative_prompt), drawing.loops, drawing.before)} if guides else {}), None
    if model.family.layers:  # one text: where it is empty, the model says itself what it sees
        said: dict[str, Any] = {"prompt": plain(parse(params.prompt), drawing.loops, drawing.before)}
        return said | ({"negative_prompt": plain(parse(params.negative_prompt), drawing.loops, drawing.before)} if guides else {}), None
    how: dict[str, Any] = {"before": drawing.before, "emphasis": params.emphasis}
    conditioning: Conditioning | None = None
    if model.family.weights:
        conditioning = condition(model, params.prompt, params.negative_prompt, drawing.loops, params.clip_skip, vocabulary, **how)
    elif model.family.weighs:
        conditioning = spoken(model, params.prompt, params.negative_prompt if guides else None, drawing.loops, **how)
    rows = len(drawing.seeds)
    if conditioning is None:
        words, unwanted = (plain(emphasised(parse(text), params.emphasis), drawing.loops, drawing.before) for text in (params.prompt, params.negative_prompt))
        return {"prompt": [words] * rows} | ({"negative_prompt": [unwanted] * rows} if guides else {}), None
    first = conditioning.positive_at(0)[0][0]
    call = {"prompt_embeds": first.states.repeat(rows, 1, 1)} | ({"pooled_prompt_embeds": first.pooled.repeat(rows, 1)} if first.pooled is not None else {})
    if guides:
        base = conditioning.negative_at(0)
        call |= {"negative_prompt_embeds": base.states.repeat(rows, 1, 1)} | ({"negative_pooled_prompt_embeds": base.pooled.repeat(rows, 1)} if base.pooled is not None else {})
    return call, conditioning


def _picture(model: ImageModel, params: ImageParams, drawing: Drawing, kind: str, noise: Noise | None) -> dict[str, Any]:
    """Size and starting noise, or the picture to begin from."""
    call: dict[str, Any] = {}
    if (kind == "text" or drawing.fresh) and noise and model.family.kind == "noise" and starts_otherwise(params):
        channels = int(model.pipe.vae.config.latent_channels if drawing.fresh else _network(model.pipe).config.in_channels)
        call["latents"] = noise.first((channels, drawing.height // model.family.factor, drawing.width // model.family.factor)).to(model.device, model.pipe.dtype)
    if kind == "text":
        return call | {"width": drawing.width, "height": drawing.height}
    if kind == "refer":
        size = {} if model.family.layers else {"width": drawing.width, "height": drawing.height}
        return call | {"image": [drawing.image, *drawing.others] if drawing.others else drawing.image} | size
    if kind == "again":  # how much noise the small picture is given first, of as many levels as its scheduler has
        level = round(params.hires_strength * (model.pipe.image_noising_scheduler.config.num_train_timesteps - 1))
        return call | {"image": drawing.image, "noise_level": level, "width": drawing.width, "height": drawing.height}
    rows = len(drawing.seeds)
    call["image"] = [drawing.image] * rows if model.family.form != "refer" else drawing.image
    call |= {"image_guidance_scale": params.image_cfg_scale} if kind == "edit" else {"strength": drawing.strength}
    if kind == "inpaint":
        call["mask_image"] = [drawing.mask] * rows if model.family.form != "refer" else drawing.mask
    if "height" in inspect.signature(type(model.mode(kind)).__call__).parameters:  # some families take the picture's own size instead
        call |= {"width": drawing.width, "height": drawing.height}
    return call


@contextlib.contextmanager
def cached_steps(network: Any, threshold: float) -> Iterator[None]:
    """Where the first block answers nearly as in the step before, the others' work of then is taken again. Raises BadInput for a network without blocks of that kind.

    Source: First Block Cache (ParaAttention), after Liu et al., Timestep embedding tells, 2024; through diffusers' own hooks.
    """
    if not threshold:
        yield
        return
    if not hasattr(network, "enable_cache"):
        raise BadInput("Step caching is not for this model.", hint="Set it to 0: it is for FLUX and its kin.", field="step_cache")
    network.enable_cache(FirstBlockCacheConfig(threshold=threshold))
    try:
        with network.cache_context("cond"):  # for the pipelines that open none themselves
            yield
    finally:
        network.disable_cache()


@contextlib.contextmanager
def stages_weighed(networks: list[Any], scales: dict[str, float]) -> Iterator[None]:
    """FreeU on UNets while open, as diffusers does it: what a stage draws times `b`, the low frequencies of what skips to it times `s`. Source: Si et al., FreeU, 2023."""
    try:
        for network in networks:
            network.enable_freeu(**scales)
        yield
    finally:
        for network in networks:
            network.disable_freeu()


@contextlib.contextmanager
def attention_kept(network: Any, perturbed: bool) -> Iterator[None]:
    """diffusers gives layers another attention while it perturbs it, and takes it back at the end of a call: after Stop, which ends none, this does."""
    before = network.attn_processors if perturbed else None
    try:
        yield
    finally:
        if before is not None:
            network.set_attn_processor(before)


def in_own_numbers(decoder: Any, encode: Callable[..., Any]) -> Callable[..., Any]:
    """Z-Image Omni hands over half precision, whichever its decoder's is."""

    @functools.wraps(encode)
    def exact(pixels: Any, *args: Any, **named: Any) -> Any:
        return encode(pixels.to(decoder.dtype), *args, **named)

    return exact


@contextlib.contextmanager
def replaced_all(methods: list[tuple[Any, str, Callable[[Any], Any]]]) -> Iterator[None]:
    with contextlib.ExitStack() as around:
        for method in methods:
            around.enter_context(replaced_method(*method))
        yield


@contextlib.contextmanager
def seamless(model: ImageModel, on: bool) -> Iterator[None]:
    """Convolutions of network and decoder wrap around: the edges fit together."""
    parts = (_network(model.pipe), decoder_of(model.pipe))
    layers = [layer for part in parts if part for layer in part.modules() if isinstance(layer, torch.nn.Conv2d) and any(layer._reversed_padding_repeated_twice)] if on else []
    for layer in layers:
        layer.padding_mode = "circular"
    try:
        yield
    finally:
        for layer in layers:
            layer.padding_mode = "zeros"
