"""Control networks beside the transformers of Stable Diffusion 3 and FLUX: their pictures go through the decoder's own encoder first.

diffusers draws the encoded picture from its distribution; here its mean is taken, so that a seed's noise is not moved by a guide.
Source: diffusers' pipelines for both, whose order of reckoning this keeps.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from PIL import Image

from pipelines.image.nets.control import Guide
from pipelines.image.nets.handover import replaced

SHARED = ("hidden_states", "timestep", "pooled_projections", "encoder_hidden_states", "joint_attention_kwargs")


@contextlib.contextmanager
def controlled_flow(pipe: Any, guides: list[tuple[Guide, Image.Image]], step: Callable[[], int], steps: Callable[[], int], guidance: float) -> Iterator[None]:
    """While open, each answer of the pipeline's transformer is guided. Pictures are as large as what is drawn."""
    flux = hasattr(pipe, "_pack_latents")
    hints = [(guide, (_flux_hint if flux else _sd3_hint)(pipe, guide.net, image)) for guide, image in guides]

    def make(forward: Callable[..., Any]) -> Callable[..., Any]:
        def guided(**named: Any) -> Any:
            now = (step(), max(1, steps()))
            active = [(guide, hint) for guide, hint in hints if guide.holds(*now)]
            if not active:
                return forward(**named)
            return forward(**named, **(_flux(active, named, guidance) if flux else _sd3(active, named)))

        return guided

    with replaced(pipe.transformer, make):
        yield


def _sd3(active: list[tuple[Guide, Any]], named: dict[str, Any]) -> dict[str, Any]:
    total: list[Any] = []
    for guide, hint in active:
        given = {name: named[name] for name in SHARED}
        if guide.net.config.force_zeros_for_pooled_projection:
            given["pooled_projections"] = torch.zeros_like(given["pooled_projections"])
        if guide.net.config.joint_attention_dim is None:
            given["encoder_hidden_states"] = None
        (blocks,) = guide.net(**given, controlnet_cond=_rows(hint, named), conditioning_scale=guide.unit.weight, return_dict=False)
        total = _sum(total, list(blocks))
    return {"block_controlnet_hidden_states": total}


def _flux(active: list[tuple[Guide, Any]], named: dict[str, Any], guidance: float) -> dict[str, Any]:
    blocks: list[Any] = []
    singles: list[Any] = []
    for guide, hint in active:
        given = {name: named[name] for name in (*SHARED, "txt_ids", "img_ids")}
        rows = len(named["hidden_states"])
        told = torch.tensor([guidance], device=hint.device).expand(rows) if guide.net.config.guidance_embeds else None
        mode = torch.full((rows, 1), guide.unit.number, device=hint.device) if guide.net.union else None
        found, single = guide.net(**given, guidance=told, controlnet_cond=_rows(hint, named), controlnet_mode=mode, conditioning_scale=guide.unit.weight, return_dict=False)
        blocks, singles = _sum(blocks, list(found or [])), _sum(singles, list(single or []))
    repeats = active[0][0].net.input_hint_block is not None
    return {"controlnet_block_samples": blocks or None, "controlnet_single_block_samples": singles or None, "controlnet_blocks_repeat": repeats}


def _rows(hint: Any, named: dict[str, Any]) -> Any:
    return hint.repeat(len(named["hidden_states"]), *[1] * (hint.ndim - 1))


def _sum(total: list[Any], more: list[Any]) -> list[Any]:
    return [one + other for one, other in zip(total, more, strict=True)] if total and more else total or more


def _encoded(pipe: Any, image: Image.Image, shift: float) -> Any:
    pixels = pipe.image_processor.preprocess(image, height=image.height, width=image.width).to(pipe.vae.device, pipe.vae.dtype)
    return (pipe.vae.encode(pixels).latent_dist.mode() - shift) * pipe.vae.config.scaling_factor


def _sd3_hint(pipe: Any, net: Any, image: Image.Image) -> Any:
    return _encoded(pipe, image, 0.0 if net.config.force_zeros_for_pooled_projection else pipe.vae.config.shift_factor)  # the nets without a pooled prompt were trained without the shift


def _flux_hint(pipe: Any, net: Any, image: Image.Image) -> Any:
    if net.input_hint_block is not None:
        pixels = pipe.image_processor.preprocess(image, height=image.height, width=image.width)
        return pixels.to(net.device, net.dtype)
    latents = _encoded(pipe, image, pipe.vae.config.shift_factor)
    return pipe._pack_latents(latents, *latents.shape)
