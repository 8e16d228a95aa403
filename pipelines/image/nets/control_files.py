"""Control networks and adapters in one file, of the forms beside the plain ControlNet: their sizes are read from the header.

Sources: diffusers' layouts of its ControlNets for FLUX, Stable Diffusion 3 and of several kinds; the layout in which the T2I-Adapters were released (Mou et al., 2023).
"""

from __future__ import annotations

import math
import re
from typing import Any

from pipelines.image.checkpoint import Shapes, numbered

Tensors = dict[str, Any]
ADAPTER = "adapter."
OLD_BLOCKS = 2  # to a level, in all released adapters


def flux_control_config(shapes: Shapes) -> dict[str, Any]:
    """Its rotary positions take 1/8 of a head for the index and the rest for height and width."""
    inner = shapes["x_embedder.weight"][0]
    head = shapes["transformer_blocks.0.attn.norm_q.weight"][0]
    place = 2 * (head // 16)
    config: dict[str, Any] = {
        "patch_size": 1, "in_channels": shapes["x_embedder.weight"][1], "num_layers": numbered(shapes, "transformer_blocks."), "num_single_layers": numbered(shapes, "single_transformer_blocks."),
        "attention_head_dim": head, "num_attention_heads": inner // head, "joint_attention_dim": shapes["context_embedder.weight"][1],
        "pooled_projection_dim": shapes["time_text_embed.text_embedder.linear_1.weight"][1], "guidance_embeds": "time_text_embed.guidance_embedder.linear_1.weight" in shapes,
        "axes_dims_rope": [place, (head - place) // 2, (head - place) // 2],
    }  # fmt: skip
    if "controlnet_mode_embedder.weight" in shapes:
        config["num_mode"] = shapes["controlnet_mode_embedder.weight"][0]
    if "input_hint_block.conv_out.weight" in shapes:
        config["conditioning_embedding_channels"] = shapes["input_hint_block.conv_out.weight"][0]
    return config


def sd3_control_config(shapes: Shapes) -> dict[str, Any]:
    """With words of its own or, as those of 3.5 large, without words and positions."""
    inner, channels, patch = shapes["pos_embed_input.proj.weight"][:3]
    placed, worded = "pos_embed.pos_embed" in shapes, "context_embedder.weight" in shapes
    norm = shapes.get("transformer_blocks.0.attn.norm_q.weight")
    head = norm[0] if norm else 64
    layers = numbered(shapes, "transformer_blocks.")
    config: dict[str, Any] = {
        "patch_size": patch, "in_channels": channels, "out_channels": channels, "num_layers": layers, "attention_head_dim": head, "num_attention_heads": inner // head, "caption_projection_dim": inner,
        "joint_attention_dim": shapes["context_embedder.weight"][1] if worded else None, "pooled_projection_dim": shapes["time_text_embed.text_embedder.linear_1.weight"][1], "qk_norm": "rms_norm" if norm else None,
        "use_pos_embed": placed, "pos_embed_type": "sincos" if placed else None, "force_zeros_for_pooled_projection": worded,
        "dual_attention_layers": tuple(layer for layer in range(layers) if f"transformer_blocks.{layer}.attn2.to_q.weight" in shapes),
    }  # fmt: skip
    return config | ({"pos_embed_max_size": math.isqrt(shapes["pos_embed.pos_embed"][1])} if placed else {})


def union_config(shapes: Shapes, plain: dict[str, Any]) -> dict[str, Any]:
    """`plain` is the config of the ControlNet that it is besides."""
    kinds, width = shapes["task_embedding"]
    return plain | {"num_control_type": kinds, "num_trans_channel": width, "num_trans_layer": numbered(shapes, "transformer_layes."), "num_proj_channel": shapes["spatial_ch_projs.weight"][0]}


def adapter_config(tensors_or_shapes: dict[str, Any]) -> dict[str, Any]:
    """Of a T2I-Adapter, by diffusers' names. Pixels are folded by 8, for Stable Diffusion XL by 16; each of them is one number or three."""
    shapes = {name.removeprefix(ADAPTER): tuple(getattr(value, "shape", value)) for name, value in tensors_or_shapes.items()}
    first, folded = shapes["conv_in.weight"][:2]
    colours = next(colours for colours in (3, 1) if folded % colours == 0 and math.isqrt(folded // colours) ** 2 == folded // colours)
    levels = numbered(shapes, "body.")
    channels = [first]
    for level in range(levels):
        width = shapes[f"body.{level}.resnets.0.block1.weight"][0]
        channels = [*channels[:level], width]
    fold = math.isqrt(folded // colours)
    kind = "full_adapter_xl" if fold == 16 else "full_adapter"
    return {"in_channels": colours, "channels": channels, "num_res_blocks": numbered(shapes, "body.0.resnets."), "downscale_factor": fold, "adapter_type": kind}


def adapter_names(tensors: Tensors) -> Tensors:
    """A T2I-Adapter's tensors by diffusers' names: released ones count all blocks in one row. Raises KeyError for another form."""
    if any(name.startswith(ADAPTER) for name in tensors):
        return tensors
    found: Tensors = {}
    for name, value in tensors.items():
        block = re.fullmatch(r"body\.(\d+)\.(in_conv|block1|block2)\.(weight|bias)", name)
        if block:
            level, place = divmod(int(block[1]), OLD_BLOCKS)
            inner = "in_conv" if block[2] == "in_conv" else f"resnets.{place}.{block[2]}"
            found[f"{ADAPTER}body.{level}.{inner}.{block[3]}"] = value
        elif name in ("conv_in.weight", "conv_in.bias"):
            found[ADAPTER + name] = value
        else:
            raise KeyError(name)
    return found


def load_special(kind: str, shapes: Shapes, tensors: Tensors, plain: Any) -> Any:
    """The network of a class that is no plain ControlNet; `plain(shapes)` reads what a union shares with one. Raises KeyError, RuntimeError."""
    import diffusers

    if kind == "T2IAdapter":
        named = adapter_names(tensors)
        net = diffusers.T2IAdapter(**adapter_config(named))
        net.load_state_dict(named)
        return net
    if kind == "ControlNetUnionModel":
        made: Any = diffusers.ControlNetUnionModel(**union_config(shapes, plain(shapes)))
    elif kind == "SD3ControlNetModel":
        made = diffusers.SD3ControlNetModel(**sd3_control_config(shapes))
    else:
        made = diffusers.FluxControlNetModel(**flux_control_config(shapes))
    made.load_state_dict(tensors)
    return made
