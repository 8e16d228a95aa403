"""Reads the headers of a transformers folder: config.json and the safetensors headers, never weights."""

from __future__ import annotations

import json
import struct
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio.api import ModelBroken

AUTO_CONTEXT = 8192
_LARGEST_HEADER = 100 << 20
_WRITERS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")


@dataclass(frozen=True)
class FolderHeader:
    config: dict[str, Any]
    dtype: str

    def chosen_context(self, wanted: int) -> int:
        trained = int(self._value("max_position_embeddings", "n_positions", "n_ctx") or AUTO_CONTEXT)
        return min(wanted or AUTO_CONTEXT, trained)

    def cache_bytes(self, tokens: int) -> int:
        heads = int(self._value("num_attention_heads", "n_head") or 1)
        kv_heads = int(self._value("num_key_value_heads") or heads)
        size = int(self._value("head_dim") or int(self._value("hidden_size", "n_embd") or 0) // heads)
        layers = int(self._value("num_hidden_layers", "n_layer") or 0)
        return tokens * layers * kv_heads * size * 2 * (4 if self.dtype == "F32" else 2)

    def _value(self, *names: str) -> Any:
        inner = self.config.get("text_config")
        config = self.config | inner if isinstance(inner, dict) else self.config
        return next((config[name] for name in names if config.get(name) is not None), 0)


def read_folder(path: str | Path) -> FolderHeader:
    """A folder, or a safetensors file in it. Raises ModelBroken if it is no language model, damaged or cut short."""
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    files = sorted(folder.glob("*.safetensors"))
    stamp = tuple((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in [*files, *folder.glob("config.json")])
    return _read(str(folder), stamp)


@lru_cache(maxsize=8)
def _read(path: str, stamp: tuple[tuple[str, int, int], ...]) -> FolderHeader:
    folder = Path(path)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(folder.name, "its config.json is missing or damaged") from error
    if not isinstance(config, dict):
        raise _broken(folder.name, "its config.json is damaged")
    kinds = [str(name) for name in config.get("architectures") or []]
    if kinds and not any(kind.endswith(_WRITERS) for kind in kinds):
        raise _broken(folder.name, f"it is no model that writes text ({kinds[0]})", "Choose a language model.")
    weights = [name for name, _, _ in stamp if name.endswith(".safetensors")]
    if not weights:
        raise _broken(folder.name, "it has no safetensors weights", "Pickle files are not loaded: get the safetensors files.")
    dtypes: Counter[str] = Counter()
    for name in _listed(folder, weights):
        dtypes += check_safetensors(folder / name)
    return FolderHeader(config, dtypes.most_common(1)[0][0] if dtypes else "F32")


def _listed(folder: Path, weights: list[str]) -> list[str]:
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return weights
    try:
        named = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError) as error:
        raise _broken(folder.name, "its index of weights is damaged") from error
    lost = [name for name in named if name not in weights]
    if lost:
        raise _broken(folder.name, f"{lost[0]} is missing")
    return named


def check_safetensors(file: Path) -> Counter[str]:
    """How many weights there are of each dtype. Raises ModelBroken if the file is damaged or cut short."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        head = stream.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else _LARGEST_HEADER + 1
        if length > min(_LARGEST_HEADER, size - 8):
            raise _broken(file.name, "its header is damaged or cut short")
        try:
            header = json.loads(stream.read(length))
            tensors = [about for name, about in header.items() if name != "__metadata__"]
            end = 8 + length + max((about["data_offsets"][1] for about in tensors), default=0)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _broken(file.name, "its header is damaged") from error
    if size < end:
        raise _broken(file.name, f"it is cut short: {size:,} of {end:,} bytes are there")
    found: Counter[str] = Counter()
    for about in tensors:
        found[about["dtype"]] += about["data_offsets"][1] - about["data_offsets"][0]
    return found


def _broken(name: str, why: str, hint: str = "Download it again, or choose another model.") -> ModelBroken:
    return ModelBroken(f"“{name}” can't be used: {why}.", hint=hint, field="model")
