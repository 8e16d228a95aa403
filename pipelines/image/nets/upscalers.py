"""Networks that enlarge pictures: the compact one that comes with the studio, and all that spandrel knows, out of safetensors files.

spandrel (MIT) finds a network's form by its tensors' names. It asks for torchvision for two of its forty networks, of which neither enlarges (LaMa fills holes, RestoreFormer
mends faces): where torchvision is missing, as it is here, those two names are empty while spandrel is imported.

Source: Wang et al., Real-ESRGAN, 2021, for the compact network.
"""

from __future__ import annotations

import importlib.util
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

EXACT, SOFT = 2, 16
DEEP, DEEPER, DEEPER_FROM = 40, 62, 200
NEAR = ("SwinIR", "Swin2SR", "HAT", "DAT")  # their tiles and the whole are one picture, whatever is said of them: measured, tests/test_upscale.py
POOLING = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.GroupNorm, nn.InstanceNorm2d)  # what is reckoned over all there is: RealPLKSR's norms of groups, say
WHOLE = ("RealCUGAN", "GRL", "CRAFT")  # no layer tells it of them: the first reckons means by itself; tiles of the others and the whole are up to 14 of 255 apart, whatever is around a tile
CONVOLVING = ("RRDBNet", "SRVGGNetCompact", "SPAN")  # nothing in them looks at a whole tile
LOOKED = WINDOW = 32  # around a tile of a network that looks at the whole of it; its windows are 8, 16 or 32 wide and lie in every tile as in the whole picture
MISSING = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")


class Compact(nn.Module):
    """Convolutions at the picture's own size, then one shuffle to the large one; what it adds to the enlarged picture."""

    def __init__(self, layers: int, width: int, scale: int = 4) -> None:
        super().__init__()
        self.scale = scale
        body: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.PReLU(width)]
        for _ in range(layers):
            body += [nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width)]
        self.body = nn.Sequential(*body, nn.Conv2d(width, 3 * scale * scale, 3, padding=1))

    def forward(self, x: Any) -> Any:
        """[B, 3, h, w] in 0 … 1 to [B, 3, scale h, scale w]."""
        detail = nn.functional.pixel_shuffle(self.body(x), self.scale)
        return detail + nn.functional.interpolate(x, scale_factor=self.scale, mode="nearest")


@dataclass
class Upscaler:
    """A network on its device. `call` takes [1, channels, h, w] in 0 … 1 of any size and gives [1, channels, scale h, scale w]; `seen` is how far it looks around
    a pixel to a difference that counts, `blend` over how many pixels at each side of a border two tiles go into each other: more where `seen` is not all. Tiles begin and end at
    multiples of `unit`."""

    module: nn.Module
    call: Callable[[Any], Any]
    scale: int
    seen: int
    channels: int = 3
    blend: int = EXACT
    unit: int = 1
    whole: bool = False  # whether all it is given counts at every pixel: the more of the picture that is, the better
    half: bool = True  # whether it keeps its colours in half precision

    @property
    def weight(self) -> Any:
        """Tells device and type."""
        return next(self.module.parameters())

    @contextmanager
    def watched(self, each: Callable[[], None]) -> Iterator[int]:
        """`each` is called before every layer, and may raise to stop; gives how many layers there are."""
        layers = [part for part in self.module.modules() if isinstance(part, (nn.Conv2d, nn.Linear))]
        handles = [layer.register_forward_pre_hook(lambda *_: each()) for layer in layers]
        try:
            yield len(layers)
        finally:
            for handle in handles:
                handle.remove()


def load_upscaler(path: Path, device: str) -> Upscaler:
    """Raises ValueError for what is no network that enlarges or cleans pictures, else what reading a broken file raises. On CUDA in half precision where the network can."""
    from safetensors.torch import load_file

    tensors = {name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()}
    made = _compact(tensors) or _known(tensors)
    made.module.to(device, dtype_for(device, made.half)).eval().requires_grad_(False)
    return made


def dtype_for(device: str, half: bool) -> Any:
    """Half precision where it is quicker and known to work."""
    return torch.float16 if device == "cuda" and half else torch.float32


def _compact(tensors: dict[str, Any]) -> Upscaler | None:
    """The form of the network that comes along; None for any other."""
    numbers = {int(name.split(".")[1]) for name in tensors if name.startswith("body.") and name.count(".") == 2}
    if not numbers or {name.split(".")[0] for name in tensors} != {"body"} or tensors.get("body.1.weight", torch.zeros(1, 1)).dim() != 1:
        return None
    last = max(numbers)
    out = tensors[f"body.{last}.weight"].shape[0]
    scale = round((out / 3) ** 0.5)
    if 3 * scale * scale != out or tensors["body.0.weight"].shape[1] != 3:
        return None
    network = Compact((last - 2) // 2, tensors["body.0.weight"].shape[0], scale)
    network.load_state_dict(tensors)
    return Upscaler(network, network, scale, last // 2 + 1)


def _known(tensors: dict[str, Any]) -> Upscaler:
    spandrel = import_spandrel()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of words in spandrel's code that a later torch will want otherwise
            found = spandrel.MAIN_REGISTRY.load(tensors)
    except spandrel.UnsupportedModelError as error:
        raise ValueError("its form is not known") from error
    if not isinstance(found, spandrel.ImageModelDescriptor) or found.purpose not in ("SR", "Restoration"):
        raise ValueError("it is not made to enlarge pictures")
    if found.input_channels not in (1, 3) or found.output_channels != found.input_channels:
        raise ValueError(f"it takes pictures of {found.input_channels} channels and gives {found.output_channels}")
    form = type(found.model).__name__
    convolves = form in CONVOLVING
    pools = found.tiling is spandrel.ModelTiling.DISCOURAGED or found.architecture.id in WHOLE or any(isinstance(part, POOLING) for part in found.model.modules())
    seen, unit = (seen_by(found.model), 1) if convolves else (LOOKED, WINDOW)
    return Upscaler(found.model, found, found.scale, seen, found.input_channels, SOFT, math.lcm(unit, max(1, found.size_requirements.multiple_of)), pools and form not in NEAR, found.supports_half)


def seen_by(module: nn.Module) -> int:
    """How far a network of convolutions looks, in pixels. In deep ones what is far away counts for a few steps of a colour, which going softly from tile to tile leaves
    one of: measured on Real-ESRGAN's with 6 and 23 blocks.

    A network that begins by folding the picture smaller looks further by as much.
    """
    convolutions = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    reach = sum((part.kernel_size[0] - 1) // 2 * part.dilation[0] for part in convolutions)
    folded = {12: 2, 48: 4}.get(convolutions[0].in_channels, 1)
    return min(reach, DEEP if reach < DEEPER_FROM else DEEPER) * folded


def import_spandrel() -> Any:
    with standing_in() if importlib.util.find_spec("torchvision") is None else _nothing():
        import spandrel
    return spandrel


@contextmanager
def standing_in() -> Iterator[None]:
    """Empty modules under torchvision's names while spandrel is imported; gone afterwards, so that nobody takes them for the real ones."""
    if "spandrel" in sys.modules:
        yield
        return
    found = {name: ModuleType(name) for name in MISSING}
    functions: Any = found[MISSING[-1]]
    functions.rotate = functions.normalize = functions.InterpolationMode = None
    sys.modules |= found
    try:
        yield
    finally:
        for name in MISSING:
            sys.modules.pop(name, None)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
