"""Reads the header of a GGUF file: metadata and tensor sizes, never weights. A broken file is refused here,
before native code sees it. Source: the GGUF specification, ggml docs/gguf.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from studio.api import ModelBroken

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
# ggml type: (weights per block, bytes per block)
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip
_LIMIT = 1 << 26


@dataclass(frozen=True)
class GgufHeader:
    """`values` holds all metadata; arrays are lists. `tensors` maps a name to (shape, ggml type)."""

    values: dict[str, Any]
    tensors: dict[str, tuple[tuple[int, ...], int]]
    end: int

    @property
    def architecture(self) -> str:
        return str(self.values.get("general.architecture", ""))

    def of_architecture(self, name: str, default: Any = 0) -> Any:
        return self.values.get(f"{self.architecture}.{name}", default)

    @property
    def context_length(self) -> int:
        return int(self.of_architecture("context_length"))

    def cache_bytes(self, tokens: int) -> int:
        """The key/value cache in fp16."""
        layers = int(self.of_architecture("block_count"))
        heads = self.of_architecture("attention.head_count") or 1
        kv_heads = self.of_architecture("attention.head_count_kv") or heads
        total = sum(kv_heads) if isinstance(kv_heads, list) else int(kv_heads) * layers
        widest = max(heads) if isinstance(heads, list) else int(heads)
        size = int(self.of_architecture("embedding_length")) // max(1, widest)
        key = int(self.of_architecture("attention.key_length", size))
        value = int(self.of_architecture("attention.value_length", size))
        return int(tokens * total * (key + value) * 2)


def read_header(path: str | Path) -> GgufHeader:
    """Cached by size and time. Raises ModelBroken if it is no GGUF file, is cut short, or claims nonsense."""
    file = Path(path)
    try:
        stat = file.stat()
    except OSError as error:
        raise _broken(file, f"it can't be opened ({error.strerror})") from error
    return _read(str(file), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: str, size: int, _changed: int) -> GgufHeader:
    file = Path(path)
    try:
        with file.open("rb") as stream:
            header = _Reader(stream, size).header()
    except (struct.error, UnicodeDecodeError, ValueError, KeyError, OverflowError) as error:
        raise _broken(file, str(error) or "its header is damaged") from error
    if size < header.end:
        raise _broken(file, f"it is cut short: {size:,} of {header.end:,} bytes are there")
    return header


def _broken(file: Path, why: str) -> ModelBroken:
    return ModelBroken(f"“{file.name}” can't be used: {why}.", hint="Download it again, or choose another model.", field="model")


class _Reader:
    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._size = size

    def header(self) -> GgufHeader:
        if self._take(4) != b"GGUF":
            raise ValueError("it is no GGUF file")
        version = self._number("<I")
        if version not in (2, 3):
            raise ValueError(f"GGUF version {version} is not known")
        tensors, entries = self._count(), self._count()
        values = {}
        for _ in range(entries):
            name = self._string()
            values[name] = self._value(self._number("<I"))
        shapes, data = self._tensors(tensors)
        alignment = int(values.get("general.alignment", 32)) or 32
        start = -(-self._stream.tell() // alignment) * alignment
        return GgufHeader(values, shapes, start + data if tensors else self._stream.tell())

    def _tensors(self, count: int) -> tuple[dict[str, tuple[tuple[int, ...], int]], int]:
        shapes: dict[str, tuple[tuple[int, ...], int]] = {}
        end = 0
        for _ in range(count):
            name = self._string()
            rank = self._number("<I")
            if rank > 8:
                raise ValueError("a tensor has too many dimensions")
            shape = tuple(self._number("<Q") for _ in range(rank))
            kind, offset = self._number("<I"), self._number("<Q")
            shapes[name] = (shape, kind)
            end = max(end, offset + _tensor_bytes(shape, kind))
        return shapes, end

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            inner, count = self._number("<I"), self._count()
            if inner in (_STRING, _ARRAY):
                return [self._value(inner) for _ in range(count)]
            code = _SCALARS[inner]
            return list(struct.unpack(f"<{count}{code[1]}", self._take(count * struct.calcsize(code))))
        if kind not in _SCALARS:
            raise ValueError("its header is damaged")
        return self._number(_SCALARS[kind])

    def _count(self) -> int:
        count = self._number("<Q")
        if count > min(_LIMIT, self._size):
            raise ValueError("its header is damaged")
        return int(count)

    def _string(self) -> str:
        return self._take(self._count()).decode("utf-8", errors="replace")

    def _number(self, code: str) -> Any:
        return struct.unpack(code, self._take(struct.calcsize(code)))[0]

    def _take(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) != count:
            raise ValueError("it is cut short inside its header")
        return data


def _tensor_bytes(shape: tuple[int, ...], kind: int) -> int:
    weights = 1
    for length in shape:
        weights *= length
    block, size = _BLOCKS.get(kind, (256, 0))
    return weights // block * size
