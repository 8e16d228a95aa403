"""The painting network: a picture in, the same picture in a style out, in one pass. One shape serves both sets of weights.

Sources: Dumoulin, Shlens, Kudlur, A Learned Representation for Artistic Style, 2017 (26 styles, conditional instance norm: a style is the scales and shifts behind
each convolution); Ghiasi, Lee, Kudlur, Dumoulin, Shlens, Exploring the Structure of a Real-time, Arbitrary Neural Artistic Stylization Network, 2017 (the scales and
shifts are maps of 100 numbers that another network reads from any picture).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-5
FACTOR = 4  # sides are a multiple of it inside the network


@dataclass(frozen=True)
class Layer:
    """One convolution. `enlarges`: its input is doubled before; `last`: ends in a sigmoid; `second`: the end of a residual block, added to the block's beginning."""

    name: str
    weight: Tensor
    bias: Tensor | None
    scale: tuple[Tensor, Tensor | None] | None  # the map from a style's vector, [channels, numbers] and [channels]
    shift: tuple[Tensor, Tensor | None] | None
    stride: int = 1
    enlarges: bool = False
    first: bool = False  # of a residual block
    second: bool = False
    last: bool = False

    @property
    def reach(self) -> int:
        """Pixels that it sees on each side."""
        return int(self.weight.shape[-1]) // 2

    @property
    def relu(self) -> bool:
        return not self.second and not self.last

    def norm(self, style: Tensor) -> tuple[Tensor, Tensor] | None:
        """What its normed output is multiplied by and what is added, one number a channel; None where nothing is normed."""
        if self.scale is None or self.shift is None:
            return None
        return F.linear(style, *self.scale), F.linear(style, *self.shift)


class Painter:
    """The layers in the order they are run; the weights are fp32 (fp16 on a GPU)."""

    def __init__(self, layers: list[Layer], styles: int) -> None:
        self.layers = layers
        self.styles = styles  # numbers of a style's vector

    @property
    def device(self) -> torch.device:
        return self.layers[0].weight.device

    @torch.inference_mode()
    def paint(self, x: Tensor, style: Tensor, each: Callable[[float], None] = lambda share: None) -> Tensor:
        """[1, 3, h, w] in 0 … 1 with sides that are multiples of 4, and [numbers], to [1, 3, h, w]. `each(share)` is called between layers and may raise."""
        x = begun = x.contiguous(memory_format=torch.channels_last)
        for number, layer in enumerate(self.layers):
            each(number / len(self.layers))
            if layer.first:
                begun = x
            x = normed(convolved(x, layer), layer, style)
            if layer.second:
                x = x.add_(begun)
        return x


@torch.inference_mode()
def paint_bytes(painter: Painter, pixels: Any, style: Tensor, each: Callable[[float], None]) -> Any:
    """[height, width, 3] of bytes to the same; sides are filled up to multiples of 4 by mirroring."""
    height, width = pixels.shape[:2]
    whole = np.pad(pixels, ((0, -height % FACTOR), (0, -width % FACTOR), (0, 0)), mode="reflect")  # bytes: four times as quick as torch's own numbers
    x = torch.from_numpy(whole).to(painter.device).permute(2, 0, 1)[None].float().div_(255)
    return painter.paint(x, style, each)[0, :, :height, :width].mul_(255).round_().to(torch.uint8).permute(1, 2, 0).cpu().numpy()


def convolved(x: Tensor, layer: Layer) -> Tensor:
    """An enlarging layer doubles each pixel and then convolves; done on the small picture with one set of weights for each of the four new pixels, that is quicker."""
    if layer.enlarges:
        return F.pixel_shuffle(F.conv2d(F.pad(x, (1,) * 4, mode="replicate"), layer.weight, layer.bias), 2)
    return F.conv2d(F.pad(x, (layer.reach,) * 4, mode="reflect"), layer.weight, layer.bias, stride=layer.stride)


def normed(x: Tensor, layer: Layer, style: Tensor) -> Tensor:
    """Each channel to the mean and spread that the style has for it; then what is below 0 is cut, or all squeezed into 0 … 1 at the end. In place where it can be."""
    if told := layer.norm(style):
        flat = x.permute(0, 2, 3, 1).flatten(0, 2)  # [pixels, channels]; a view where the channels lie together
        flat = flat.sub_(flat.mean(0))
        spread = torch.mm(flat.t(), flat).diagonal() / flat.shape[0]  # three times as fast as torch's own variance
        torch.addcmul(told[1], flat, told[0] * (spread + EPSILON).rsqrt(), out=flat)
        x = flat.view(x.shape[0], *x.shape[2:], x.shape[1]).permute(0, 3, 1, 2)
    return ended(x, layer)


def ended(x: Tensor, layer: Layer) -> Tensor:
    if layer.last:
        return x.sigmoid_()
    return x.relu_() if layer.relu else x


def load(path: Path, device: str) -> Painter:
    """Raises OSError or KeyError where the file is not whole."""
    from safetensors.torch import load_file

    tensors = {name: value.float().to(device) for name, value in load_file(path).items()}
    blocks = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("residual."))
    names = [f"contract.{n}" for n in range(3)] + [f"residual.{n}.{k}" for n in range(blocks) for k in range(2)] + [f"expand.{n}" for n in range(3)]
    layers = [_layer(name, tensors) for name in names]
    return Painter(layers, int(tensors["expand.0.scale.weight"].shape[1]))


def _layer(name: str, tensors: dict[str, Tensor]) -> Layer:
    stage, *numbers = name.split(".")
    ways: dict[str, dict[str, Any]] = {
        "contract": {"stride": 1 if numbers[0] == "0" else 2},
        "residual": {"first": numbers[-1] == "0", "second": numbers[-1] == "1"},
        "expand": {"enlarges": numbers[0] != "2", "last": numbers[0] == "2"},
    }
    way = ways[stage]
    maps = [(tensors[f"{name}.{part}.weight"], tensors.get(f"{name}.{part}.bias")) if f"{name}.{part}.weight" in tensors else None for part in ("scale", "shift")]
    weight = enlarging(tensors[f"{name}.weight"]) if way.get("enlarges") else tensors[f"{name}.weight"]
    return Layer(name, weight.contiguous(memory_format=torch.channels_last), tensors.get(f"{name}.bias"), maps[0], maps[1], **way)


def enlarging(weight: Tensor) -> Tensor:
    """[out, in, 3, 3] for doubled pixels to [4 out, in, 3, 3] for single ones: of the three doubled pixels that a weight row sees, two are one pixel."""
    sums = torch.tensor([[[1.0, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 1]]]).to(weight)  # [phase, single pixel, doubled pixel]
    made = torch.einsum("pia,qjb,ocab->opqcij", sums, sums, weight)
    return made.reshape(-1, *weight.shape[1:])
