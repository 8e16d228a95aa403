"""Weights that are kept smaller than they are computed with, spread out while they are read: scaled 8-bit floats, and T5 in GGUF's names.

A scaled matrix has its scale beside it, one for all of it or one for each row: "layer.scale_weight", or "layer.weight_scale" with a note of its form. Scales of a layer's input only
serve processors that multiply in 8 bits and are left out.
Sources: Micikevicius et al., FP8 formats for deep learning, 2022; the names that ComfyUI's users and tools give such tensors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from pipelines.image.checkpoint import read_shapes
from pipelines.image.parts import t5_name

SCALES = (".scale_weight", ".weight_scale")
FORMS = ("float8_e4m3fn", "float8_e5m2")
NOTE = ".comfy_quant"
LEFT_OUT = (*SCALES, ".scale_input", ".input_scale", NOTE)


def read_tensors(path: Path, prefix: str, dtype: Any) -> dict[str, Any]:
    """The tensors behind a prefix, without it; scaled ones as `dtype`. Raises ValueError for a form of scaling that is not read."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        names = {name[len(prefix) :]: name for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118 - no dictionary
        for note in (name for name in names if name.endswith(NOTE)):
            check_form(file.get_tensor(names[note]))
        return {name: _spread(file, names, name, dtype) for name in names if not name.endswith(LEFT_OUT) and name.rpartition(".")[2] != "scaled_fp8"}


def _spread(file: Any, names: dict[str, str], name: str, dtype: Any) -> Any:
    tensor = file.get_tensor(names[name])
    layer = name.removesuffix(".weight")
    scale = next((layer + ending for ending in SCALES if layer != name and layer + ending in names), "")
    return scaled(tensor, file.get_tensor(names[scale]), dtype) if scale else tensor


def scaled(weight: Any, scale: Any, dtype: Any) -> Any:
    """weight · scale, reckoned in float32. Raises ValueError for a scale that is neither of the whole nor of each row."""
    scale = scale.float()
    if scale.numel() not in (1, weight.shape[0]):
        raise ValueError(f"scales of the shape {tuple(scale.shape)} are not read")
    return (weight.float() * scale.reshape(-1, *[1] * (weight.ndim - 1))).to(dtype)


def check_form(note: Any) -> None:
    """`note` is JSON as bytes. Raises ValueError for another form than 8-bit floats."""
    form = str(json.loads(bytes(note.tolist())).get("format", ""))
    if form not in FORMS:
        raise ValueError(f"weights of the form {form} are not read")


def read_t5_gguf(path: Path, dtype: Any) -> dict[str, Any]:
    """T5's encoder under transformers' names, spread out tensor by tensor."""
    return {t5_name(name): tensor for name, tensor in read_gguf(path, dtype).items()}


def read_gguf(path: Path, dtype: Any) -> dict[str, Any]:
    """All tensors spread out one by one, in the shapes that they had before they were quantised. Raises NotImplementedError for a form of quantising that is not read."""
    from gguf import GGUFReader
    from gguf.quants import dequantize

    shapes = read_shapes(path)
    return {tensor.name: torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()).to(dtype).reshape(shapes[tensor.name]) for tensor in GGUFReader(path).tensors}


def load_gguf(path: Path, prefix: str, dtype: Any) -> dict[str, Any]:
    """A network's tensors without the prefix. Matrices stay quantised: they are spread out layer by layer while drawing; what is not multiplied as a matrix is spread out here."""
    from diffusers.models.model_loading_utils import load_gguf_checkpoint
    from diffusers.quantizers.gguf.utils import dequantize_gguf_tensor

    shapes, found = read_shapes(path), {}
    for name, tensor in load_gguf_checkpoint(str(path)).items():
        stays = len(shapes[name]) == 2 and name.endswith(".weight") and not name.endswith("embedding.weight")
        found[name.removeprefix(prefix)] = tensor if stays or not hasattr(tensor, "quant_type") else dequantize_gguf_tensor(tensor).to(dtype).reshape(shapes[name])
    return found


def is_scaled(path: Path) -> bool:
    """Whether a safetensors file holds matrices with a scale beside each."""
    return any(name.endswith(SCALES) for name in read_shapes(path))
