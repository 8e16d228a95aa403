"""Which layer of a model a tensor of a small network belongs to: names as kohya's and LyCORIS's trainers, diffusers and peft write them.

kohya's names are paths with underscores, of diffusers' layout or of the original one; both are looked up in tables made from the model's own layers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch

SLOTS = {
    "down": r"lora_down\.weight|lora_A(?:\.default)?\.weight|lora(?:_linear_layer)?\.down\.weight", "up": r"lora_up\.weight|lora_B(?:\.default)?\.weight|lora(?:_linear_layer)?\.up\.weight",
    "mid": r"lora_mid\.weight", "alpha": r"alpha", "dora": r"dora_scale|lora_magnitude_vector(?:\.default)?(?:\.weight)?", "hada": r"hada_(?:w[12]_[ab]|t[12])", "lokr": r"lokr_(?:w[12](?:_[ab])?|t2)",
    "oft": r"oft_blocks|oft_diag|rescale", "diff": r"diff_b|diff", "norm": r"[wb]_norm", "input": r"on_input", "glora": r"[ab][12]\.weight", "weight": r"weight",
}  # fmt: skip
OWN_NAMES = ("hada", "lokr", "oft", "diff", "norm", "input", "glora")  # where the slot is called as in the file
_KEY = re.compile(r"(.+?)\.(?:" + "|".join(f"(?P<{slot}>{pattern})" for slot, pattern in SLOTS.items()) + ")")
PREFIXES = {
    "text_encoder_2": ("lora_te2_", "text_encoder_2_", "lycoris_te2_"), "text_encoder": ("lora_te1_", "lora_te_", "text_encoder_", "lycoris_te1_", "lycoris_te_"),
    "": ("lora_unet_", "lora_transformer_", "lycoris_unet_", "lycoris_transformer_", "lycoris_", "oft_unet_", "base_model_model_", "diffusion_model_", "unet_", "transformer_"),
}  # fmt: skip
_OLD = {  # diffusers before peft: the network's attention processors, the encoders' attention
    "processor.to_out_lora.": "to_out.0.lora.", "processor.to_q_lora.": "to_q.lora.", "processor.to_k_lora.": "to_k.lora.", "processor.to_v_lora.": "to_v.lora.",
    "self_attn.to_out_lora.": "self_attn.out_proj.lora.", "self_attn.to_q_lora.": "self_attn.q_proj.lora.", "self_attn.to_k_lora.": "self_attn.k_proj.lora.", "self_attn.to_v_lora.": "self_attn.v_proj.lora.",
}  # fmt: skip
_RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
_OUTER = {
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2", "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1", "mid_block.resnets.1": "middle_block.2",
}  # fmt: skip


@dataclass
class Part:
    """One layer and what a file says of it. `of_text` tells the encoders' weight from the network's."""

    name: str
    layer: Any
    of_text: bool
    slots: dict[str, Any]


class UnknownForm(Exception):
    """A tensor whose name is of no form that is read; its name."""


class UnknownPart(Exception):
    """A layer that the model does not have; its name in the file."""


def parts_of(pipe: Any, tensors: dict[str, Any]) -> list[Part]:
    """Raises UnknownForm, UnknownPart."""
    tables = {side: table(pipe, side) for side in PREFIXES}
    found: dict[int, Part] = {}
    for key, tensor in tensors.items():
        name, slot = read_key(key)
        side, layer = _layer(name, tables)
        part = found.setdefault(id(layer), Part(name, layer, side != "", {}))
        part.slots[slot] = tensor
    for part in found.values():
        if "weight" in part.slots and "on_input" not in part.slots:
            raise UnknownForm(f"{part.name}.weight")
    return list(found.values())


def read_key(key: str) -> tuple[str, str]:
    """(layer's name in the file, slot). Raises UnknownForm."""
    for old, new in _OLD.items():
        key = key.replace(old, new)
    found = _KEY.fullmatch(key)
    if not found or not found.lastgroup:
        raise UnknownForm(key)
    slot = found.lastgroup
    return found[1], found[slot] if slot in OWN_NAMES else slot


def _layer(name: str, tables: dict[str, dict[str, Any]]) -> tuple[str, Any]:
    flat = name.replace(".", "_").removeprefix("base_model_model_")
    for side, prefixes in PREFIXES.items():
        for prefix in prefixes:
            if flat.startswith(prefix) and (layer := tables[side].get(flat[len(prefix) :].removeprefix("text_model_" if side else ""))) is not None:
                return side, layer
    if (layer := tables[""].get(flat)) is not None:
        return "", layer
    raise UnknownPart(name)


def table(pipe: Any, side: str) -> dict[str, Any]:
    """Layers that have weights, by their flattened paths; those of Stable Diffusion's network by their original ones too."""
    network = getattr(pipe, side, None) if side else getattr(pipe, "unet", None) or getattr(pipe, "transformer", None)
    if network is None:
        return {}
    layers = {path: layer for path, layer in network.named_modules() if isinstance(getattr(layer, "weight", None), torch.Tensor)}
    found = {path.replace(".", "_").removeprefix("text_model_"): layer for path, layer in layers.items()}
    if not side and hasattr(network, "up_blocks"):
        found |= {original_path(network.config, path).replace(".", "_"): layer for path, layer in layers.items()}
    return found


def original_path(config: Any, path: str) -> str:
    """A layer's path in the layout of the Stable Diffusion releases, by diffusers' path."""
    for own, theirs in _OUTER.items():
        if path == own or path.startswith(own + "."):
            return theirs + _inner(path[len(own) :])
    found = re.fullmatch(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)(.*)", path)
    if not found:
        return path
    block, kind, number, rest = int(found[2]), found[3], int(found[4]), found[5]
    layers = config.layers_per_block if isinstance(config.layers_per_block, int) else config.layers_per_block[0]
    if kind == "downsamplers":
        return f"input_blocks.{(block + 1) * (layers + 1)}.0.op{rest.removeprefix('.conv')}"
    if kind == "upsamplers":
        return f"output_blocks.{block * (layers + 1) + layers}.{2 if 'Attn' in config.up_block_types[block] else 1}{rest}"
    place = 1 + block * (layers + 1) + number if found[1] == "down" else block * (layers + 1) + number
    return f"{'input' if found[1] == 'down' else 'output'}_blocks.{place}.{'0' if kind == 'resnets' else '1'}{_inner(rest)}"


def _inner(rest: str) -> str:
    first = rest.removeprefix(".").partition(".")[0]
    return f".{_RESNET[first]}{rest[len(first) + 1 :]}" if first in _RESNET else rest
