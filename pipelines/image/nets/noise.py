"""Where a picture's noise comes from: the first, moved towards another seed or placed as at another size, and that of each step after it.

Noise is drawn on the CPU and then moved, so that a seed gives the same noise on every device. A picture has one generator, which goes on from step to step.
Source of the rules: AUTOMATIC1111's documentation of seeds, variations, seed resize and ENSD.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import torch

from pipelines.image.params import SEEDS, ImageParams
from pipelines.image.philox import Philox


def generator(seed: int) -> Any:
    return torch.Generator("cpu").manual_seed(seed)


class Noise:
    """The noise of some pictures, a generator each; of those that vary a seed, each moves towards the next variation seed. After the first draw they begin anew where an ENSD is set."""

    def __init__(self, params: ImageParams, seeds: tuple[int, ...], *, factor: int = 8) -> None:
        self.params, self.seeds, self.factor = params, seeds, factor
        self.generators = [self._generator(seed) for seed in seeds]
        self.begun = False

    def _generator(self, seed: int) -> Any:
        return Philox(seed) if self.params.noise_source == "NV" else generator(seed)

    def first(self, shape: tuple[int, ...]) -> Any:
        """[B, C, h, w]; the shape is (C, h, w) in latents."""
        made = torch.cat([self._begun(number, seed, source, shape) for number, (seed, source) in enumerate(zip(self.seeds, self.generators, strict=True))])
        if self.params.eta_seed_delta:
            self.generators = [self._generator((seed + self.params.eta_seed_delta) % SEEDS) for seed in self.seeds]
        self.begun = True
        return made

    def next(self, shape: tuple[int, ...]) -> Any:
        """[B, *shape]: the first one, and after that what the steps add."""
        return torch.cat([_normal(source, shape) for source in self.generators]) if self.begun else self.first(shape)

    def _begun(self, number: int, seed: int, source: Any, shape: tuple[int, ...]) -> Any:
        """[1, *shape]. At another size the placed noise is of the seed alone, and what is around it of the generator that goes on."""
        params = self.params
        drawn = (shape[0], params.seed_height // self.factor or shape[1], params.seed_width // self.factor or shape[2]) if len(shape) == 3 else shape
        noise = _normal(source if drawn == shape else self._generator(seed), drawn)
        if params.variation_strength:
            noise = slerp(params.variation_strength, noise, _normal(self._generator((params.variation_seed + number) % SEEDS), drawn))
        return noise if drawn == shape else place(noise, _normal(source, shape))


def _normal(source: Any, shape: tuple[int, ...]) -> Any:
    return torch.from_numpy(source.normal(shape))[None] if isinstance(source, Philox) else torch.randn((1, *shape), generator=source)


def starts_otherwise(params: ImageParams) -> bool:
    return bool(params.variation_strength or params.seed_width or params.seed_height)


def has_own_noise(params: ImageParams) -> bool:
    """Whether diffusers' own draws are replaced."""
    return starts_otherwise(params) or params.noise_source != "CPU" or params.eta_seed_delta > 0 or params.conventions != "diffusers"


@contextlib.contextmanager
def drawn_from(noise: Noise, pipe: Any) -> Iterator[None]:
    """While open, the pipeline's and the scheduler's modules draw from `noise`: their calls have no words for a generator of our own."""
    modules: list[Any] = [module for part in _drawing(pipe) if hasattr(module := sys.modules[type(part).__module__], "randn_tensor")]
    before = [module.randn_tensor for module in modules]

    def draw(shape: Any, *args: Any, generator: Any = None, device: Any = None, dtype: Any = None, **named: Any) -> Any:
        return noise.next(tuple(shape[1:])).to(device, dtype)

    for module in modules:
        module.randn_tensor = draw
    try:
        yield
    finally:
        for module, one in zip(modules, before, strict=True):
            module.randn_tensor = one


def _drawing(pipe: Any) -> list[Any]:
    """What draws noise: the pipeline and its scheduler, both halves where it has two."""
    halves = [half for name in ("prior_pipe", "decoder_pipe") if (half := getattr(pipe, name, None)) is not None]
    return [part for whole in (pipe, *halves) for part in (whole, whole.scheduler)]


def slerp(share: float, low: Any, high: Any) -> Any:
    """Along the sphere, per picture; a straight line where the two are nearly parallel. Source: Shoemake, 1985."""
    one, other = low.flatten(1), high.flatten(1)
    cosine = (one / one.norm(dim=1, keepdim=True) * (other / other.norm(dim=1, keepdim=True))).sum(1)
    if float(cosine.abs().max()) > 0.9995:
        return low * (1 - share) + high * share
    angle = torch.acos(cosine)
    first, second = torch.sin((1 - share) * angle) / torch.sin(angle), torch.sin(share * angle) / torch.sin(angle)
    return first[:, None, None, None] * low + second[:, None, None, None] * high


def place(small: Any, large: Any) -> Any:
    """`small` in the middle of `large`, cut where it is larger."""
    height, width = min(small.shape[2], large.shape[2]), min(small.shape[3], large.shape[3])
    to_y, to_x = (large.shape[2] - height) // 2, (large.shape[3] - width) // 2
    of_y, of_x = (small.shape[2] - height) // 2, (small.shape[3] - width) // 2
    placed = large.clone()
    placed[:, :, to_y : to_y + height, to_x : to_x + width] = small[:, :, of_y : of_y + height, of_x : of_x + width]
    return placed
