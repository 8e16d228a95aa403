"""A placement made real on diffusers' pipeline object: where its weights lie, whether it decodes in tiles, whether attention is sliced."""

from __future__ import annotations

from typing import Any

import torch

from pipelines.image.memory import TILE, Held

SHARED = ("_all_hooks", "_offload_gpu_id", "_offload_device")  # what an offloaded pipeline object remembers besides its parts


def place_weights(pipe: Any, held: Held, device: str) -> None:
    """`all` on the device, or moved there by parts, blocks or layers when they are needed."""
    if held == "parts":
        pipe.enable_model_cpu_offload(device=device)
    elif held == "blocks":
        # decode and encode are called by name, past the hooks of the whole decoder: it stays on the device
        pipe.enable_group_offload(onload_device=torch.device(device), offload_type="block_level", num_blocks_per_group=1, use_stream=device == "cuda", exclude_modules=["vae"])
    elif held == "layers":  # as sequential offloading does it, and each layer can come while the one before computes
        pipe.enable_group_offload(onload_device=torch.device(device), offload_type="leaf_level", use_stream=device == "cuda")
    else:
        pipe.to(device)
    if device == "cuda" and hasattr(pipe, "unet"):  # quicker convolutions there; on processors it gains nothing (benchmarks/image.py layouts)
        pipe.unet.to(memory_format=torch.channels_last)
        if hasattr(pipe, "vae"):
            pipe.vae.to(memory_format=torch.channels_last)


def decoder_of(pipe: Any) -> Any:
    """What makes pictures of latents; Kandinsky calls it movq, Stable Cascade vqgan. None where a network draws in pixels."""
    return getattr(pipe, "vae", None) or getattr(pipe, "movq", None) or getattr(pipe, "vqgan", None)


def share_hooks(pipe: Any, other: Any) -> None:
    """Another pipeline object over the same parts lets them go in the same way."""
    for name in SHARED:
        if hasattr(pipe, name):
            setattr(other, name, getattr(pipe, name))


def can_tile(vae: Any) -> bool:
    return hasattr(vae, "enable_tiling")


def set_tiling(vae: Any, factor: int, on: bool) -> None:
    """Decoding and encoding in overlapping tiles of TILE pixels. `factor` is pixels per latent."""
    if not can_tile(vae):
        return
    if not on:
        vae.disable_tiling()
        return
    vae.enable_tiling()
    if hasattr(vae, "tile_latent_min_size") and hasattr(vae, "tile_sample_min_size"):
        vae.tile_sample_min_size, vae.tile_latent_min_size = TILE, TILE // factor
        if hasattr(vae, "spatial_scale_factor"):
            vae.spatial_scale_factor = factor


def set_slicing(pipe: Any, on: bool) -> None:
    """One head at a time, where attention is written out."""
    if on:
        pipe.enable_attention_slicing("max")
    else:
        pipe.disable_attention_slicing()
