"""Reads a style out of any picture: 100 numbers that tell the painting network its scales and shifts.

Sources: Ghiasi et al., 2017 (style prediction); Sandler et al., MobileNetV2, 2018 (the network; its batch norms are folded into the convolutions).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 256  # of the square picture that it was trained on
STRIDES = {1: 2, 3: 2, 6: 2, 13: 2}  # of the blocks that halve the picture


class Reader:
    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors
        self.blocks = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("blocks."))

    @torch.inference_mode()
    def read(self, x: Tensor) -> Tensor:
        """[1, 3, 256, 256] in 0 … 1 to [100]."""
        x = self._conv(x, "first", stride=2).clamp_(0, 6)
        for number in range(self.blocks):
            x = self._block(x, number)
        x = self._conv(x, "last").clamp_(0, 6).mean((2, 3), keepdim=True)
        return self._conv(x, "vector").flatten()

    def _block(self, x: Tensor, number: int) -> Tensor:
        """Wide, through one filter a channel, narrow again; added to what came in where the shape is the same."""
        name, stride = f"blocks.{number}", STRIDES.get(number, 1)
        wide = self._conv(x, f"{name}.expand").clamp_(0, 6) if f"{name}.expand.weight" in self.tensors else x
        wide = self._conv(wide, f"{name}.depthwise", stride=stride, groups=wide.shape[1]).clamp_(0, 6)
        y = self._conv(wide, f"{name}.project")
        return y.add_(x) if y.shape == x.shape else y

    def _conv(self, x: Tensor, name: str, *, stride: int = 1, groups: int = 1) -> Tensor:
        """Padded as TensorFlow does: where the picture is halved, at its right and lower edges only."""
        weight = self.tensors[f"{name}.weight"]
        edge = weight.shape[-1] // 2
        x = F.pad(x, (0, edge, 0, edge) if stride == 2 else (edge,) * 4) if edge else x
        return F.conv2d(x, weight, self.tensors[f"{name}.bias"], stride=stride, groups=groups)


def load(path: Path, device: str) -> Reader:
    from safetensors.torch import load_file

    return Reader({name: value.float().to(device) for name, value in load_file(path).items()})
