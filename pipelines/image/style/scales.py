"""At which sizes a picture is painted by optimisation and in which tiles, how much work and memory that takes, and what is too much. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipelines.image.style.content import LEAST_SIDE, Facts, result_size
from studio.api import ModelTooLarge

USUAL_SIDE, USUAL_STEPS = 640, 50
COARSEST = 128  # the longer side at which the first scale stays
MOST_SCALES = 7
BEFORE = 0.7  # of a look, what a size takes before its first one
FEWEST = 4  # looks at a size that count, where there are enough of them: the first one only shows how curved the loss is
UNIT, SEEN, AROUND = 16, 32, 64  # pixels: tiles begin at multiples of the first; around its own, a tile's features see so far, and its pixels are seen from so far
WHOLE, TILE = 1_100_000, 768  # pixels that are painted in one piece; the side of tiles
RUNGS = ((WHOLE, TILE), *(((side + 2 * AROUND) ** 2, side) for side in (TILE, 512, 384, 256, 128)))  # the quickest first
FEATURE_BYTES = 3_600  # a pixel, of features and their slopes in full precision
HELD_BYTES, PAIR_BYTES, STYLE_BYTES = 210, 24, 12  # a pixel: the pictures in and out, the content's features; each step that L-BFGS remembers; a style picture
REMEMBERED, REMEMBERED_LARGE = 16, 4  # steps


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
    """From coarse to fine, each size twice the one before, with half as many looks: a look costs four times as much. None has fewer than FEWEST where there are enough."""
    usual = max(1, min(most_scales(height, width), int(max(height, width) / COARSEST).bit_length()))
    count = scales or usual
    total = max(steps or USUAL_STEPS, count)
    least = FEWEST if total >= 2 * FEWEST * count else 1
    parts = [2 ** (count - 1 - number) for number in range(count)]
    looks = [max(least, round(total * part / sum(parts))) for part in parts]
    while (more := sum(looks[1:]) + least - total) > 0 and max(looks[1:]) > least:
        looks[looks.index(max(looks[1:]), 1)] -= min(more, max(looks[1:]) - least)
    looks[0] = max(1, total - sum(looks[1:]))
    return [Scale(max(LEAST_SIDE, round(height / part)), max(LEAST_SIDE, round(width / part)), look) for part, look in zip(parts, looks, strict=True)]


@dataclass(frozen=True)
class Way:
    """Pictures of more than `limit` pixels are taken in tiles of `tile`; `working` bytes are the most that takes."""

    limit: int
    tile: int
    working: int

    def tiled(self, scale: Scale) -> bool:
        return scale.height * scale.width > self.limit

    def work(self, plan: list[Scale]) -> float:
        """In pixels that are looked at; each scale begins with a look at the content and at the style. Tiles are looked at twice, with what is around them."""
        return float(sum(scale.height * scale.width * (scale.steps + BEFORE) * self.more(scale) for scale in plan))

    def more(self, scale: Scale) -> float:
        if not self.tiled(scale):
            return 1.0
        seen, back = (_given(scale.height, self.tile, around) * _given(scale.width, self.tile, around) for around in (SEEN, AROUND))
        return (seen / 3 + back) / (scale.height * scale.width)


def _given(side: int, tile: int, around: int) -> int:
    """Pixels along a side that all tiles see together."""
    return side + 2 * around * (-(-side // tile) - 1)


def remembered(pixels: int) -> int:
    """Steps that L-BFGS remembers: large pictures take few, and memory is short."""
    return REMEMBERED if pixels <= WHOLE else REMEMBERED_LARGE


def way_of(plan: list[Scale], styles: int, device: str, room: int) -> Way:
    """The quickest way that fits into `room` bytes for a plan and so many pixels of style pictures; the smallest tiles where none does. The numbers are the same in each, to rounding."""
    last = plan[-1]
    pixels = last.height * last.width
    pairs = min(remembered(pixels), max(0, last.steps - 2))
    held = pixels * (HELD_BYTES + PAIR_BYTES * pairs) + styles * STYLE_BYTES
    each = FEATURE_BYTES // (2 if device.startswith("cuda") else 1)
    for limit, tile in RUNGS:
        painted = pixels if pixels <= limit else (tile + 2 * AROUND) ** 2
        looked = min(styles, limit)  # takes half, for nothing goes back
        way = Way(limit, tile, held + each * max(painted, looked // 2))
        if way.working <= room:
            break
    return way


def check_room(plan: list[Scale], styles: int, room: int, device: str) -> None:
    """Raises ModelTooLarge at the field that is too large, with the size that fits."""
    last, need = plan[-1], way_of(plan, styles, device, room).working
    if need <= room:
        return
    own = need - styles * STYLE_BYTES >= styles * STYLE_BYTES
    told = f"Painting at {last.width} × {last.height} pixels" if own else "Style pictures as large as that"
    side = _fitting(plan, styles, room, device) if own else 0
    hint = f"{side} pixels would fit. Or raise the memory limit in Settings." if side else "Raise the memory limit in Settings." if own else "Choose a smaller style size, or raise the memory limit in Settings."
    raise ModelTooLarge(f"{told} takes {need / 2**30:.1f} GB; {max(0, room) / 2**30:.1f} GB are free.", hint=hint, field="paint_size" if own else "style_size")


def _fitting(plan: list[Scale], styles: int, room: int, device: str) -> int:
    """The longer side, in steps of 16, at which it could be painted; 0 where that is none."""
    last = plan[-1]
    longer = max(last.height, last.width)
    for side in range(longer // 16 * 16, 31, -16):
        part = side / longer
        smaller = Scale(max(LEAST_SIDE, round(last.height * part)), max(LEAST_SIDE, round(last.width * part)), last.steps)
        if way_of([smaller], round(styles * part**2), device, room).working <= room:
            return side
    return 0
