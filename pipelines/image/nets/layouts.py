"""What diffusers' own conversion of a network's file leaves to be done, by the network's class: it knows some layouts at the releases' size only, and asks for tensors that not every file has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipelines.image.nets.flux_layout import to_diffusers

Tensors = dict[str, Any]


def prepared(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    """The tensors as `from_single_file` takes them. Raises KeyError for one that is none of the layout's."""
    prepare = PREPARED.get(config["_class_name"])
    return prepare(tensors, config) if prepare else tensors


def _flux(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    return to_diffusers(tensors, config["attention_head_dim"] * config["num_attention_heads"])


def _lumina2(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    """The rows of queries, keys and values apart."""
    keys = config["hidden_size"] // config["num_attention_heads"] * config["num_kv_heads"]
    found: Tensors = {}
    for name, tensor in tensors.items():
        if name.endswith(".attention.qkv.weight"):
            found |= {name.replace(".qkv.", f".to_{part}."): rows for part, rows in zip("qkv", tensor.split((config["hidden_size"], keys, keys)), strict=True)}
        else:
            found[name] = tensor
    return found


def _sana(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    """It drops both unread."""
    return {"pos_embed": None, "y_embedder.y_embedding": None} | tensors


def _qwen(tensors: Tensors, config: dict[str, Any]) -> Tensors:
    """Without the mark by which other programs tell the editor of November 2025."""
    return {name: tensor for name, tensor in tensors.items() if name != "__index_timestep_zero__"}


PREPARED: dict[str, Callable[[Tensors, dict[str, Any]], Tensors]] = {
    "FluxTransformer2DModel": _flux, "ChromaTransformer2DModel": _flux, "Lumina2Transformer2DModel": _lumina2, "SanaTransformer2DModel": _sana, "QwenImageTransformer2DModel": _qwen,
}  # fmt: skip
