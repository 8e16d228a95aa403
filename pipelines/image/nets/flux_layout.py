"""FLUX.1's network, and Chroma's, from the layout of the release to that of diffusers, for any size. Rows of joined matrices are cut apart; quantised ones stay quantised.

Source: the layout of Black Forest Labs' release; diffusers' names for the same layers.
"""

from __future__ import annotations

import re
from typing import Any

import torch

FIXED = {
    "time_in.in_layer": "time_text_embed.timestep_embedder.linear_1", "time_in.out_layer": "time_text_embed.timestep_embedder.linear_2", "vector_in.in_layer": "time_text_embed.text_embedder.linear_1",
    "vector_in.out_layer": "time_text_embed.text_embedder.linear_2", "guidance_in.in_layer": "time_text_embed.guidance_embedder.linear_1", "guidance_in.out_layer": "time_text_embed.guidance_embedder.linear_2",
    "txt_in": "context_embedder", "img_in": "x_embedder", "final_layer.linear": "proj_out",
}  # fmt: skip
DOUBLE = {
    "img_mod.lin": "norm1.linear", "txt_mod.lin": "norm1_context.linear", "img_attn.norm.query_norm": "attn.norm_q", "img_attn.norm.key_norm": "attn.norm_k", "txt_attn.norm.query_norm": "attn.norm_added_q",
    "txt_attn.norm.key_norm": "attn.norm_added_k", "img_mlp.0": "ff.net.0.proj", "img_mlp.2": "ff.net.2", "txt_mlp.0": "ff_context.net.0.proj", "txt_mlp.2": "ff_context.net.2", "img_attn.proj": "attn.to_out.0",
    "txt_attn.proj": "attn.to_add_out",
}  # fmt: skip
SINGLE = {"modulation.lin": "norm.linear", "norm.query_norm": "attn.norm_q", "norm.key_norm": "attn.norm_k", "linear2": "proj_out"}
JOINED = {"img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"), "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"), "linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")}
APPROXIMATOR = "distilled_guidance_layer."  # Chroma's, in place of a modulation in each block


def to_diffusers(tensors: dict[str, Any], inner: int) -> dict[str, Any]:
    """`inner` is the network's width. Raises KeyError for a tensor that is none of the layout's."""
    found: dict[str, Any] = {}
    for name, tensor in tensors.items():
        layer, _, kind = name.rpartition(".")
        kind = "weight" if kind == "scale" else kind
        block = re.fullmatch(r"(double|single)_blocks\.(\d+)\.(.+)", layer)
        start = f"{'' if block and block[1] == 'double' else 'single_'}transformer_blocks.{block[2]}." if block else ""
        inside = block[3] if block else layer
        if layer.startswith(APPROXIMATOR):
            found[f"{layer.replace('.in_layer', '.linear_1').replace('.out_layer', '.linear_2')}.{kind}"] = tensor
        elif inside in JOINED:
            targets = JOINED[inside]
            rows = tensor.split([inner] * 3 + ([tensor.shape[0] - 3 * inner] if len(targets) == 4 else []), dim=0) if not hasattr(tensor, "quant_type") else _split(tensor, inner, len(targets))
            found |= {f"{start}{target}.{kind}": part for target, part in zip(targets, rows, strict=True)}
        elif layer == "final_layer.adaLN_modulation.1":
            shift, scale = tensor.chunk(2, dim=0)  # diffusers has the scale first
            found[f"norm_out.linear.{kind}"] = torch.cat([scale, shift], dim=0)
        else:
            found[f"{start}{(DOUBLE if block and block[1] == 'double' else SINGLE if block else FIXED)[inside]}.{kind}"] = tensor
    return found


def _split(tensor: Any, inner: int, count: int) -> list[Any]:
    """Whole rows of a quantised matrix: blocks never reach over a row."""
    ends = [inner * place for place in range(4)] + ([tensor.shape[0]] if count == 4 else [])
    return [torch.cat([tensor[begin:end]]) for begin, end in zip(ends, ends[1:], strict=False)]
