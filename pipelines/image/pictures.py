"""Preparing pictures and masks with pillow and numpy: upright, to size, extended, the masked part cut out and set back in."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps

from pipelines.image.params import ImageParams

ON_WHITE = "The transparent parts of the picture were taken as white."
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Ground:
    """What a drawing begins from. `whole` and `box` are kept where only the masked part is drawn."""

    image: Image.Image
    mask: Image.Image | None = None
    whole: Image.Image | None = None
    box: Box = (0, 0, 0, 0)
    soft: Image.Image | None = None


def open_picture(path: Path, mode: str = "RGB") -> Image.Image:
    """Upright; transparency on white."""
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)
        if "A" in image.getbands() or "transparency" in image.info:
            over = image.convert("RGBA")
            ground = Image.new("RGBA", over.size, "white" if mode == "RGB" else "black")
            image = Image.alpha_composite(ground, over)
        if image.mode in ("I", "I;16", "I;16B", "F"):
            image = image.point(lambda value: value / 256).convert("L") if image.mode.startswith("I") else image.convert("L")
        return image.convert(mode)


def open_whole(path: Path) -> Image.Image:
    """RGB, or RGBA where something can be seen through; upright, with the colour profile of pictures on screens."""
    with Image.open(path) as image:
        ImageOps.exif_transpose(image, in_place=True)
        image.load()
        profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA", "P") else None  # those of print and of greys do not fit what comes out
        clear = "A" in image.getbands() or "transparency" in image.info
        if image.mode.startswith("I") or image.mode == "F":
            return (image.point(lambda value: value / 256) if image.mode.startswith("I") else image).convert("L").convert("RGB")
        wanted = "RGBA" if clear else "RGB"
        whole: Image.Image = image if image.mode == wanted else image.convert(wanted)  # a large picture is not copied
        whole.info = {"icc_profile": profile} if profile else {}
        return whole


def open_clear(path: Path) -> Image.Image:
    """RGBA, upright: what can be seen through stays so."""
    return open_whole(path).convert("RGBA")


def is_transparent(path: Path) -> bool:
    """Whether any of it can be seen through."""
    with Image.open(path) as image:
        if "A" not in image.getbands() and "transparency" not in image.info:
            return False
        lowest, _ = image.convert("RGBA").getchannel("A").getextrema()
    return int(lowest) < 255  # type: ignore[arg-type]


def to_size(image: Image.Image, width: int, height: int, resize: str) -> Image.Image:
    """Stretched, cropped from the middle, or fitted with its blurred edges around it."""
    if image.size == (width, height):
        return image
    if resize == "Stretch":
        return image.resize((width, height), Image.Resampling.LANCZOS)
    if resize == "Crop":
        return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)
    fitted = ImageOps.contain(image, (width, height), Image.Resampling.LANCZOS)
    ground = ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(max(width, height) / 24))
    ground.paste(fitted, ((width - fitted.width) // 2, (height - fitted.height) // 2))
    return ground


def ground_of(params: ImageParams, image: Image.Image, mask: Image.Image | None, seed: int = 0) -> Ground:
    """The picture and the mask as the network will see them; the seed is that of noise under the mask."""
    mask = ImageOps.invert(mask) if mask is not None and params.invert_mask else mask  # the user's own: what is added is always made anew
    extends = (params.extend_left, params.extend_top, params.extend_right, params.extend_bottom)
    if any(extends):
        image, mask = extended(to_size(image, params.width, params.height, params.resize), extends, mask)
    elif mask is not None and params.only_masked:
        return cut_out(params, image, _softened(params, mask), seed)
    else:
        image = to_size(image, params.width, params.height, params.resize)
        mask = to_size(mask, params.width, params.height, params.resize) if mask is not None else None
    if mask is None:
        return Ground(image)
    soft = _softened(params, mask)
    return Ground(filled(image, soft, params.fill, seed), soft, whole=image, soft=soft)


def _softened(params: ImageParams, mask: Image.Image) -> Image.Image:
    return mask.filter(ImageFilter.GaussianBlur(params.mask_blur)) if params.mask_blur else mask


def extended(image: Image.Image, extends: Box, mask: Image.Image | None) -> tuple[Image.Image, Image.Image]:
    """The picture on a larger canvas whose new part mirrors and blurs its edges; the mask covers the new part and a seam of the old."""
    left, top, right, bottom = extends
    width, height = image.width + left + right, image.height + top + bottom
    ground = image.resize((width, height), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(max(width, height) / 32))
    ground.paste(image, (left, top))
    covered = Image.new("L", (width, height), 255)
    seam = 8
    inner = (left + seam * bool(left), top + seam * bool(top), left + image.width - seam * bool(right), top + image.height - seam * bool(bottom))
    covered.paste(0, inner)
    if mask is not None:
        old = Image.new("L", (width, height), 0)
        old.paste(to_size(mask, image.width, image.height, "Stretch"), (left, top))
        covered = ImageChops.lighter(covered, old)
    return ground, covered


def filled(image: Image.Image, mask: Image.Image, fill: str, seed: int = 0) -> Image.Image:
    """What stands under the mask at the beginning."""
    if fill == "Original":
        return image
    if fill == "Blurred":
        under = image.filter(ImageFilter.GaussianBlur(max(image.size) / 16))
    elif fill == "Noise":
        under = Image.fromarray(np.random.default_rng(seed).normal(128, 80, (image.height, image.width, 3)).clip(0, 255).astype(np.uint8))
    else:
        under = Image.new("RGB", image.size, (127, 127, 127))
    return Image.composite(under, image, mask)


def cut_out(params: ImageParams, image: Image.Image, mask: Image.Image, seed: int = 0) -> Ground:
    """The masked part with its padding, in the proportions of the size, at that size."""
    found = mask.point(lambda value: 255 if value > 8 else 0).getbbox()
    if found is None:
        return Ground(to_size(image, params.width, params.height, "Stretch"), Image.new("L", (params.width, params.height), 0), whole=image, soft=mask)
    box = _proportioned(_padded(found, params.padding, image.size), params.width / params.height, image.size)
    part = image.crop(box).resize((params.width, params.height), Image.Resampling.LANCZOS)
    part_mask = mask.crop(box).resize((params.width, params.height), Image.Resampling.BILINEAR)
    return Ground(filled(part, part_mask, params.fill, seed), part_mask, whole=image, box=box, soft=mask)


def set_back(ground: Ground, drawn: Image.Image) -> Image.Image:
    """The drawn picture with everything outside the mask exactly as it was."""
    if ground.whole is None or ground.soft is None:
        return drawn
    if ground.box == (0, 0, 0, 0):
        return Image.composite(drawn.resize(ground.whole.size, Image.Resampling.LANCZOS), ground.whole, ground.soft)
    left, top, right, bottom = ground.box
    over = ground.whole.copy()
    over.paste(drawn.resize((right - left, bottom - top), Image.Resampling.LANCZOS), (left, top))
    return Image.composite(over, ground.whole, ground.soft)


def kept(ground: Ground | None, before: Image.Image, drawn: Image.Image, resize: str) -> Image.Image:
    """The larger picture as it was drawn again, with everything outside the mask as it was before that."""
    if ground is None or ground.soft is None:
        return drawn
    return Image.composite(drawn, to_size(before, *drawn.size, resize), to_size(ground.soft, *drawn.size, resize))


def _padded(box: Box, padding: int, size: tuple[int, int]) -> Box:
    left, top, right, bottom = box
    return max(0, left - padding), max(0, top - padding), min(size[0], right + padding), min(size[1], bottom + padding)


def _proportioned(box: Box, ratio: float, size: tuple[int, int]) -> Box:
    """Widened to the ratio around its middle, moved inside the picture, and as far as the picture goes."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    if width / height < ratio:
        width = min(size[0], round(height * ratio))
    else:
        height = min(size[1], round(width / ratio))
    left = min(max(0, (left + right - width) // 2), size[0] - width)
    top = min(max(0, (top + bottom - height) // 2), size[1] - height)
    return left, top, left + width, top + height


class Watched(io.BytesIO):
    """A file in memory that calls `check` with each piece that is written; it may raise to stop."""

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__()
        self._check = check

    def write(self, data: Any) -> int:
        self._check()
        return super().write(data)


def png(image: Image.Image, check: Callable[[], None] = lambda: None, profile: bytes | None = None) -> bytes:
    """`check` is called often, for large pictures take seconds, and may raise to stop."""
    buffer = Watched(check)
    image.save(buffer, "PNG", compress_level=2, icc_profile=profile)
    return buffer.getvalue()
