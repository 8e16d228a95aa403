"""Measures inside the worker, on the models that the studio holds there: diffusers alone, a job without previews, what is still alive."""

from __future__ import annotations

import hashlib
import sys
import time
import weakref
from typing import Any, ClassVar

from pydantic import Field

from studio.api import Artifact, Lane, Need, Params, Result, RunContext, hookimpl

MODELS: list[weakref.ref[Any]] = []  # every one that was ever looked at
PARTS: list[weakref.ref[Any]] = []
CALLS: list[int] = []
BLOCKS: list[int] = []


def held(ctx: RunContext) -> dict[str, Any]:
    """The image models in memory, by key."""
    found = [lease.model for lease in ctx.models._leases.values()]  # type: ignore[attr-defined]
    return {model.key: model for model in found if type(model).__name__ == "ImageModel"}


class BareParams(Params):
    prompt: str = Field("", title="Prompt", description="As for image.generate.")
    model: str = Field("", title="Model", description="A model that is in memory.")
    side: int = Field(64, title="Side", description="In pixels.")
    steps: int = Field(20, title="Steps", description="Of the loop.")
    cfg_scale: float = Field(4.0, title="CFG scale", description="As for image.generate.")
    sampler: str = Field("Euler", title="Sampler", description="As for image.generate.")
    seed: int = Field(1, title="Seed", description="Of the noise.")


class Bare:
    """diffusers' own call on the studio's own object: nothing of the studio around it."""

    id: ClassVar[str] = "probe.bare"
    title: ClassVar[str] = "Bare diffusers"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = BareParams

    def need(self, params: BareParams, catalog: Any) -> Need:
        return Need()

    def run(self, params: BareParams, ctx: RunContext) -> Result:
        import torch

        from pipelines.image.samplers import choose

        model = held(ctx)[params.model]
        pipe = model.mode("text")
        model.set_sampler(pipe, *choose(params.sampler, "Automatic", "noise"))
        wall, cpu = time.perf_counter(), time.process_time()
        image = pipe(
            params.prompt, width=params.side, height=params.side, num_inference_steps=params.steps, guidance_scale=params.cfg_scale, generator=torch.Generator().manual_seed(params.seed)
        ).images[0]
        return Result([], {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu, "sha256": hashlib.sha256(image.tobytes()).hexdigest()})


class WithParams(Params):
    values: dict[str, Any] = Field({}, title="Values", description="Parameters of image.generate.")
    previews: bool = Field(True, title="Previews", description="Whether they are made.")


class With:
    """A job of the studio's, with or without previews, timed around the pipeline alone."""

    id: ClassVar[str] = "probe.generate"
    title: ClassVar[str] = "Generate, measured"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = WithParams

    def need(self, params: WithParams, catalog: Any) -> Need:
        return Need()

    def run(self, params: WithParams, ctx: RunContext) -> Result:
        shown: list[float] = []
        whole = ctx.preview

        def counted(image: Any) -> None:
            whole(lambda: (shown.append(time.perf_counter()), image())[1])

        ctx.preview = counted if params.previews else lambda image: None  # type: ignore[method-assign]
        kept: list[Artifact] = []
        ctx.output = kept.append  # type: ignore[method-assign]
        wall, cpu = time.perf_counter(), time.process_time()
        ctx.call("image.generate", params.values)
        return Result([], {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu, "previews": len(shown), "sha256": hashlib.sha256(kept[0].data).hexdigest()})


class LookParams(Params):
    count: bool = Field(False, title="Count", description="Begin to count the calls of the text encoder, or of a transformer's last block.")


class Look:
    """How many parts of models that were let go are still alive, and how often a text encoder, or a transformer's last block, ran since it was asked to count."""

    id: ClassVar[str] = "probe.look"
    title: ClassVar[str] = "Look"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = LookParams

    def need(self, params: LookParams, catalog: Any) -> Need:
        return Need()

    def run(self, params: LookParams, ctx: RunContext) -> Result:
        present = held(ctx)
        mine: set[int] = set()
        for model in present.values():
            parts = [model, model.pipe, *(part for whole in model.pipe.components.values() if hasattr(whole, "modules") for part in whole.modules())]
            mine |= {id(part) for part in parts}
            if not any(known() is model for known in MODELS):
                MODELS.append(weakref.ref(model))
                PARTS.extend(weakref.ref(part) for part in parts)
            if params.count:
                model.pipe.text_encoder.register_forward_hook(lambda *_: CALLS.append(1))
                if transformer := model.pipe.components.get("transformer"):  # what is left out is the work inside of a block
                    transformer.single_transformer_blocks[-1].attn.register_forward_hook(lambda *_: BLOCKS.append(1))
        stale = sum(1 for ref in PARTS if (part := ref()) is not None and id(part) not in mine)
        return Result([], {"loaded": sorted(present), "seen": len(MODELS), "stale": stale, "encoder_calls": len(CALLS), "block_calls": len(BLOCKS), "torch": "torch" in sys.modules})


@hookimpl
def register_pipelines() -> list[Any]:
    return [Bare(), With(), Look()]
