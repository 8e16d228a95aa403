"""Large pictures: the painting network layer by layer in strips, with the same result as in one piece and without seams.

Each layer's mean and spread are those of the whole picture, so no strip can differ from its neighbour: they are gathered strip by strip before anything uses them
(Chan, Golub, LeVeque, Updating Formulae, 1979). What a layer gives at the picture's full size is not kept but computed again where it is needed; the rest, at half and
a quarter of the size, is kept: 28 or 40 bytes a pixel instead of 400.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipelines.image.nets.style import EPSILON, FACTOR, Layer, Painter, convolved, ended


class Source(Protocol):
    """A layer's finished output, or the picture: [1, channels, rows, width] of any of its rows."""

    channels: int
    height: int
    width: int

    def rows(self, top: int, bottom: int) -> Tensor: ...


class Picture:
    """[height, width, 3] of bytes; its sides are filled up to multiples of 4 by mirroring."""

    def __init__(self, pixels: Any, device: torch.device) -> None:
        self.pixels, self._device = pixels, device
        self.channels = 3
        self.height, self.width = (-(-side // FACTOR) * FACTOR for side in pixels.shape[:2])

    def rows(self, top: int, bottom: int) -> Tensor:
        height, width = self.pixels.shape[:2]
        known = self.pixels[np.abs((height - 1) - np.abs((height - 1) - np.arange(top, bottom)))]
        told = torch.from_numpy(known).to(self._device).permute(2, 0, 1)[None].float() / 255
        told = F.pad(told, (0, self.width - width, 0, 0), mode="reflect") if self.width > width else told
        return told.contiguous(memory_format=torch.channels_last)


@dataclass
class Norm:
    """What is done to each channel: times `times`, plus `plus`."""

    times: Tensor
    plus: Tensor

    def applied(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.plus.view(1, -1, 1, 1), x, self.times.view(1, -1, 1, 1))


class Computed:
    """A layer's output, computed anew each time it is asked for."""

    def __init__(self, source: Source, layer: Layer) -> None:
        self.source, self.layer = source, layer
        self.norm: Norm | None = None
        self.channels = layer.weight.shape[0] // (4 if layer.enlarges else 1)
        self.height, self.width = (side * 2 if layer.enlarges else side // layer.stride for side in (source.height, source.width))

    def raw(self, top: int, bottom: int) -> Tensor:
        """Before it is normed."""
        if self.layer.enlarges:
            above, below = top // 2, -(-bottom // 2)
            return enlarged(self.source, self.layer, above, below)[:, :, top - 2 * above : bottom - 2 * above]
        reach = self.layer.reach
        above, below = top * self.layer.stride - reach, (bottom - 1) * self.layer.stride + reach + 1
        x = self.source.rows(max(0, above), min(self.source.height, below))
        x = F.pad(x, (reach, reach, max(0, -above), max(0, below - self.source.height)), mode="reflect")
        return F.conv2d(x, self.layer.weight, self.layer.bias, stride=self.layer.stride)

    def rows(self, top: int, bottom: int) -> Tensor:
        x = self.raw(top, bottom)
        return ended(self.norm.applied(x) if self.norm else x, self.layer)


def enlarged(source: Source, layer: Layer, above: int, below: int) -> Tensor:
    """The doubled rows of `source` from `above` to `below`, convolved; beyond the picture's edge its last row is taken again."""
    x = source.rows(max(0, above - 1), min(source.height, below + 1))
    x = F.pad(x, (0, 0, int(above == 0), int(below == source.height)), mode="replicate")
    made = convolved(x, layer)
    return made[:, :, 2:-2]


class Kept:
    """The same, kept: [rows, width, channels]; of a residual block what it began with is added."""

    def __init__(self, computed: Computed, strip: int, each: Callable[[], None]) -> None:
        self.layer = computed.layer
        self.norm: Norm | None = None
        self.channels, self.height, self.width = computed.channels, computed.height, computed.width
        self.whole = torch.empty((self.height, self.width, self.channels), device=computed.layer.weight.device)
        self.gathered = Gathered()
        for top in range(0, self.height, strip):
            each()
            made = computed.raw(top, min(self.height, top + strip))
            self.whole[top : top + strip] = made[0].permute(1, 2, 0)
            self.gathered.add(made)

    def rows(self, top: int, bottom: int) -> Tensor:
        x = self.whole[top:bottom].permute(2, 0, 1)[None]
        return ended(self.norm.applied(x) if self.norm else x.clone(memory_format=torch.channels_last), self.layer)

    def added(self, to: Kept, strip: int, each: Callable[[], None]) -> None:
        """This block's end is added to what it began with, in place."""
        for top in range(0, self.height, strip):
            each()
            bottom = min(self.height, top + strip)
            to.whole[top:bottom] = (to.rows(top, bottom) + self.rows(top, bottom))[0].permute(1, 2, 0)


class Gathered:
    """Mean and spread of each channel over strips, in double precision."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, torch.zeros(1), torch.zeros(1)

    def add(self, x: Tensor) -> None:
        """[1, channels, rows, width]"""
        flat = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
        mean = flat.mean(0)
        flat = flat - mean
        squares, mean, count = torch.mm(flat.t(), flat).diagonal().cpu().double(), mean.cpu().double(), flat.shape[0]
        whole = self.count + count
        apart = mean - self.mean
        self.squares = self.squares + squares + apart**2 * (self.count * count / whole)
        self.mean = self.mean + apart * (count / whole)
        self.count = whole

    def norm(self, layer: Layer, style: Tensor) -> Norm | None:
        if not (told := layer.norm(style)):
            return None
        times = told[0] / (self.squares / self.count + EPSILON).sqrt().float().to(told[0])
        return Norm(times, told[1] - self.mean.float().to(times) * times)


@torch.inference_mode()
def paint(painter: Painter, pixels: Any, style: Tensor, each: Callable[[float], None], *, strip: int) -> Any:
    """[height, width, 3] of bytes to the same, in strips of about `strip` pixels. `each(share)` is called before every one and may raise to stop."""
    source: Source = Picture(pixels, painter.device)
    work = Work(source, painter, strip, each)
    begun: Kept | None = None
    for layer in painter.layers:
        if layer.first:
            assert isinstance(source, Kept)
            begun = source
        source = work.layer(source, layer, style)
        if layer.second:
            assert isinstance(source, Kept) and begun is not None
            source.added(begun, work.strip(begun), work.tell)
            begun.norm, begun.layer = None, layer
            source = begun
    return work.bytes(source, pixels.shape[0], pixels.shape[1])


class Work:
    """Runs layers and tells how much is done: work is counted in multiplications."""

    def __init__(self, source: Source, painter: Painter, pixels: int, each: Callable[[float], None]) -> None:
        self._pixels, self._full, self._each = pixels, source.width * source.height, each
        self._done = 0.0
        self._whole = sum(weight_of(layer) for layer in painter.layers)

    def strip(self, source: Any) -> int:
        """How many rows of a layer are done at a time."""
        small = self._full // (source.width * source.height)
        return max(4, self._pixels // (source.width * small))

    def layer(self, source: Source, layer: Layer, style: Tensor) -> Source:
        computed = Computed(source, layer)
        strips, weight = -(-computed.height // self.strip(computed)), weight_of(layer)

        def each() -> None:
            self.tell()
            self._done += weight / strips

        if layer.last or computed.width * computed.height < self._full:
            kept = Kept(computed, self.strip(computed), each)
            kept.norm = kept.gathered.norm(layer, style)
            return kept
        if layer.scale is not None:
            gathered = Gathered()
            for top in range(0, computed.height, self.strip(computed)):
                each()
                gathered.add(computed.raw(top, min(computed.height, top + self.strip(computed))))
            computed.norm = gathered.norm(layer, style)
        else:
            self._done += weight
        return computed

    def tell(self) -> None:
        self._each(min(1.0, self._done / self._whole))

    def bytes(self, source: Source, height: int, width: int) -> Any:
        made = np.empty((height, width, 3), np.uint8)
        rows = self.strip(source)
        for top in range(0, height, rows):
            self.tell()
            bottom = min(height, top + rows)
            made[top:bottom] = source.rows(top, bottom)[0, :, :, :width].mul(255).round_().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        return made


def weight_of(layer: Layer) -> float:
    """Its share of the work, in multiplications a pixel of the picture; what is at full size and not kept is computed where it is used, and once more for its norm."""
    stage, number = layer.name.split(".")[:2]
    small = {"contract": 4 ** int(number), "residual": 16, "expand": 4 ** (2 - int(number))}[stage]
    return layer.weight.numel() / small * (0.25 if layer.enlarges else 1.0)
