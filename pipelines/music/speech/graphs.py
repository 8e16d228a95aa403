"""ONNX networks changed where they are loaded: an inner value becomes an output, convolutions of bytes take the processor's quicker way.

Read and written in protobuf's wire format, by ONNX's schema (onnx.proto3): no library is needed. Parts of a message that come later are added to it.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

GRAPH, NODE, INITIALIZER, INPUT, OUTPUT = 7, 1, 5, 11, 12  # ModelProto.graph and GraphProto's
TAKES, GIVES, OPERATION = 1, 2, 4  # NodeProto's
INT8, INT32, UINT8 = 3, 6, 2  # TensorProto.DataType
MIDDLE = "studio_128"
Field = tuple[int, memoryview, memoryview]  # number, content, the whole with its head


def with_output(path: Path, name: str) -> bytes | None:
    """The model in this file with one more output, its last; None where its graph holds no value of that name. Raises OSError, ValueError for an empty file."""
    output = _field(GRAPH, _field(OUTPUT, _field(1, name.encode())))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as model:
        return b"".join((model, output)) if model.find(name.encode()) >= 0 else None


def signed(model: bytes) -> bytes:
    """The same network, whose convolutions of bytes get their signals as -128 … 127 instead of 0 … 255: processors with instructions for dot products
    multiply bytes without a sign only by bytes with one. Every sum is the same to the bit, where `sums_are_exact`. Raises ValueError for what is no model."""
    made = list[bytes | memoryview]()
    for number, content, whole in _fields(memoryview(model)):
        if number == GRAPH:
            graph = _signed_graph(content)
            made += [_written(GRAPH << 3 | 2), _written(sum(map(len, graph))), *graph]
        else:
            made.append(whole)
    return b"".join(made)  # once: these networks are large


def sums_are_exact() -> bool:
    """Whether this processor sums products of bytes without and with a sign in full: older ones stop at 32,767. Tried with the largest there are;
    no where onnxruntime can't."""
    import numpy as np
    import onnxruntime

    weights, signal = np.full((16, 8, 3), 255, np.uint8), np.full((1, 8, 64), -128, np.int8)
    graph = _node("ConvInteger", ["x", "w"], ["y"]) + _tensor("w", UINT8, weights.shape, weights.tobytes()) + _field(INPUT, _value("x", INT8)) + _field(OUTPUT, _value("y", INT32))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    try:
        session = onnxruntime.InferenceSession(_number(1, 8) + _field(8, _number(2, 13)) + _field(GRAPH, graph), options, providers=["CPUExecutionProvider"])
        (sums,) = session.run(None, {"x": signal})
    except Exception:  # its errors have no base of their own
        return False
    return bool((np.asarray(sums) == -128 * 255 * 24).all())


def _signed_graph(graph: memoryview) -> list[bytes | memoryview]:
    made, quantised = list[bytes | memoryview](), dict[bytes, tuple[bytes, bytes, bytes]]()
    turned = set[bytes]()
    for number, content, whole in _fields(graph):
        kind, takes, gives = _about(content) if number == NODE else (b"", [], [])
        if kind == b"DynamicQuantizeLinear" and len(takes) == 1 and len(gives) == 3:
            quantised[gives[0]] = takes[0], gives[1], gives[2]
        if kind != b"ConvInteger" or len(takes) < 3 or quantised.get(takes[0], (b"", b"", b""))[2] != takes[2]:
            made.append(whole)
            continue
        signal, zero = takes[0], takes[2]
        if signal not in turned:
            turned.add(signal)
            source, scale, _ = quantised[signal]
            made.append(_quantised_signed(*(name.decode() for name in (signal, zero, source, scale))))
        made.append(_field(NODE, b"".join(_field(TAKES, bytes(part) + b"_signed") if field == TAKES and part in (signal, zero) else same for field, part, same in _fields(content))))
    if turned:
        made.append(_tensor(MIDDLE, INT32, (), struct.pack("<i", 128)))
    return made


def _quantised_signed(signal: str, zero: str, source: str, scale: str) -> bytes:
    """Nodes that quantise it again, about a zero that lies 128 lower."""
    wide, lower, narrow = f"{zero}_wide", f"{zero}_lower", f"{zero}_signed"
    return (
        _node("Cast", [zero], [wide], to=INT32)
        + _node("Sub", [wide, MIDDLE], [lower])
        + _node("Cast", [lower], [narrow], to=INT8)
        + _node("QuantizeLinear", [source, scale, narrow], [f"{signal}_signed"])
    )


def _about(node: memoryview) -> tuple[bytes, list[bytes], list[bytes]]:
    """Its operation, what it takes and what it gives."""
    found: dict[int, list[bytes]] = {TAKES: [], GIVES: [], OPERATION: [b""]}
    for number, content, _ in _fields(node):
        if number in found:
            found[number].append(bytes(content))
    return found[OPERATION][-1], found[TAKES], found[GIVES]


def _fields(message: memoryview) -> Iterator[Field]:
    """Raises ValueError where one is cut off or of an unknown kind."""
    place = 0
    while place < len(message):
        begin = place
        head, place = _read(message, place)
        match head & 7:
            case 0:
                _, end = _read(message, place)
            case 1:
                end = place + 8
            case 2:
                length, place = _read(message, place)
                end = place + length
            case 5:
                end = place + 4
            case kind:
                raise ValueError(f"a field of kind {kind}")
        if end > len(message):
            raise ValueError("a field is cut off")
        yield head >> 3, message[place:end], message[begin:end]
        place = end


def _read(message: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value, shift = 0, 0
    while place < len(message) and shift < 70:
        value |= (message[place] & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if message[place - 1] < 0x80:
            return value, place
    raise ValueError("a number is cut off")


def _written(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def _number(number: int, value: int) -> bytes:
    return _written(number << 3) + _written(value)


def _field(number: int, data: bytes) -> bytes:
    return b"".join((_written(number << 3 | 2), _written(len(data)), data))


def _node(operation: str, takes: list[str], gives: list[str], to: int = 0) -> bytes:
    parts = [_field(TAKES, name.encode()) for name in takes] + [_field(GIVES, name.encode()) for name in gives] + [_field(OPERATION, operation.encode())]
    return _field(NODE, b"".join([*parts, *([_field(5, _field(1, b"to") + _number(3, to) + _number(20, 2))] if to else [])]))


def _tensor(name: str, kind: int, shape: tuple[int, ...], data: bytes) -> bytes:
    return _field(INITIALIZER, b"".join([*(_number(1, size) for size in shape), _number(2, kind), _field(8, name.encode()), _field(9, data)]))


def _value(name: str, kind: int) -> bytes:
    """A tensor of three dimensions of any size."""
    shape = b"".join(_field(1, b"") for _ in range(3))
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, kind) + _field(2, shape)))
