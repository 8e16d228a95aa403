"""A network that tells one thing more than it was exported to tell: an inner value of its graph becomes an output.

Source: ONNX's protobuf schema (onnx.proto3). In protobuf's wire format parts of a message that come later are added to it, so no library is needed.
"""

from __future__ import annotations

import mmap
from pathlib import Path


def with_output(path: Path, name: str) -> bytes | None:
    """The model in this file with one more output, its last; None where its graph holds no value of that name. Raises OSError, ValueError for an empty file."""
    output = _field(7, _field(12, _field(1, name.encode())))  # ModelProto.graph, GraphProto.output, ValueInfoProto.name
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as model:
        return b"".join((model, output)) if model.find(name.encode()) >= 0 else None


def _field(number: int, data: bytes) -> bytes:
    """A part of a message, of fewer than 128 bytes."""
    return bytes([number << 3 | 2, len(data)]) + data
