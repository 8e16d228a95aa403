"""At which sizes a picture is painted by optimisation, how much work and memory that takes, and what is too much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipelines.image.style.content import LEAST_SIDE, Facts, result_size
from studio.api import ModelTooLarge

USUAL_SIDE, USUAL_STEPS = 640, 50
COARSEST = 128  # the longer side at which the first scale stays
MOST_SCALES = 6
MOST_PAINTED = 2048 * 2048
BYTES_A_PIXEL = 3_900  # of features and gradients while a look is taken in full precision, and of what L-BFGS remembers


@dataclass(frozen=True)
class Scale:
    """`steps` looks at the picture at one size."""

    height: int
    width: int
    steps: int


def painted_size(params: Any, facts: Facts) -> tuple[int, int]:
    """Height and width."""
    width, height = result_size(facts, params.size)
    side = params.paint_size or min(max(width, height), USUAL_SIDE)
    scale = side / max(width, height)
    return max(LEAST_SIDE, round(height * scale)), max(LEAST_SIDE, round(width * scale))


def most_scales(height: int, width: int) -> int:
    """How often the picture can be halved and still show something."""
    return max(1, min(MOST_SCALES, (min(height, width) // LEAST_SIDE).bit_length()))


def plan_of(height: int, width: int, steps: int, scales: int) -> list[Scale]:
    """From coarse to fine, each size twice the one before, with half as many looks: a look costs four times as much."""
    usual = max(1, min(most_scales(height, width), int(max(height, width) / COARSEST).bit_length()))
    count = scales or usual
    total = max(steps or USUAL_STEPS, count)
    parts = [2 ** (count - 1 - number) for number in range(count)]
    looks = [max(1, round(total * part / sum(parts))) for part in parts]
    looks[0] = max(1, total - sum(looks[1:]))
    return [Scale(max(LEAST_SIDE, round(height / part)), max(LEAST_SIDE, round(width / part)), look) for part, look in zip(parts, looks, strict=True)]


def work_of(plan: list[Scale]) -> float:
    """In pixels that are looked at; each scale begins with a look at the content and at the style."""
    return float(sum(scale.height * scale.width * (scale.steps + 0.7) for scale in plan))


def working_bytes(pixels: int, device: str, style_side: int = 0) -> int:
    """The style pictures are only looked at, which takes half as much."""
    return max(pixels, style_side**2 // 2) * (BYTES_A_PIXEL if device != "cuda" else BYTES_A_PIXEL // 2)


def check_room(height: int, width: int, style_side: int, room: int, device: str) -> None:
    """Raises ModelTooLarge at the field that is too large, with the size that fits."""
    pixels = height * width
    need = working_bytes(pixels, device, style_side)
    if need <= room:
        return
    own = working_bytes(pixels, device) == need
    side = int((max(height, width) if own else style_side) * (max(0, room) / need) ** 0.5) // 16 * 16
    told = f"Painting at {width} × {height} pixels" if own else f"A style of {style_side} pixels"
    hint = f"{side} pixels would fit. Or raise the memory limit in Settings." if side >= 32 else "Raise the memory limit in Settings."
    raise ModelTooLarge(f"{told} takes {need / 2**30:.1f} GB; {max(0, room) / 2**30:.1f} GB are free.", hint=hint, field="paint_size" if own else "style_size")
