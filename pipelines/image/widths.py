"""How wide the text states of an image model are, and how deep its encoders, from its configs or its file's header: what is put on it must fit them. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.image.checkpoint import CLIP, OPEN_CLIP, UNET, numbered, read_shapes
from studio.api import ModelEntry, StudioError

INWARDS = ("joint_blocks.0.x_block.attn.proj.weight", "double_blocks.0.img_attn.proj.weight")  # as wide as the network
ENCODERS = ("text_encoder", "text_encoder_2")


@dataclass(frozen=True)
class Widths:
    """`text`: the widths of the CLIP encoders' words, in their order. `context`: the width that the network's cross attention reads.

    () and 0 where that is not told. `second` says that only the second encoder is there, as in a refiner.
    """

    text: tuple[int, ...] = ()
    context: int = 0
    second: bool = False
    inner: int = 0  # of a transformer's own states
    layers: tuple[int, ...] = ()  # of the CLIP encoders, in their order

    @property
    def most_skipped(self) -> int:
        """The highest CLIP skip that leaves each encoder a layer to be read; 0 where that is not told. Models with a second encoder begin at the layer before the last."""
        return min(self.layers, default=0) - (len(self.layers) > 1 or self.second)


def widths_of(entry: ModelEntry) -> Widths:
    """Never raises: a model that can't be read is refused elsewhere."""
    path = Path(entry.path)
    try:
        changed = (path / "model_index.json" if path.is_dir() else path).stat().st_mtime_ns
        return _folder(path, changed) if path.is_dir() else _file(path, entry.architecture, changed)
    except (OSError, StudioError):
        return Widths()


@lru_cache(maxsize=256)
def _folder(folder: Path, changed: int) -> Widths:
    encoders = [_config(folder / name) for name in ENCODERS]
    told = [config for config in encoders if str(config.get("model_type", "")).startswith("clip") and "hidden_size" in config]
    text, layers = tuple(int(config["hidden_size"]) for config in told), tuple(int(config.get("num_hidden_layers", 12)) for config in told)
    context = _config(folder / "unet").get("cross_attention_dim", 0)
    network = _config(folder / "transformer")
    heads, wide = network.get("num_attention_heads"), network.get("attention_head_dim")
    inner = heads * wide if isinstance(heads, int) and isinstance(wide, int) else 0
    return Widths(text, context if isinstance(context, int) else 0, not encoders[0] and bool(encoders[1]), inner, layers)


@lru_cache(maxsize=64)
def _file(path: Path, family: str, changed: int) -> Widths:
    shapes = read_shapes(path)
    names = [f"{prefix}embeddings.token_embedding.weight" for prefix in CLIP.get(family, ())] + ([f"{OPEN_CLIP[family]}token_embedding.weight"] if family in OPEN_CLIP else [])
    rows = [numbered(shapes, f"{prefix}encoder.layers.") for prefix in CLIP.get(family, ())]
    rows += [numbered(shapes, f"{OPEN_CLIP[family]}transformer.resblocks.") - (family == "sd2")] if family in OPEN_CLIP else []  # whose last one is left out
    context = next((shape[1] for name, shape in shapes.items() if name.startswith(UNET) and name.endswith("attn2.to_k.weight")), 0)
    inner = next((shape[0] for name, shape in shapes.items() if name.endswith(INWARDS)), 0)
    return Widths(tuple(shapes[name][1] for name in names if name in shapes), context, family == "sdxl_refiner", inner, tuple(row for row in rows if row > 0))


def _config(folder: Path) -> dict[str, Any]:
    try:
        value = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
