"""Pictures as clients send them, base64 with or without a data: address, and back; masks brought to their picture's size."""

from __future__ import annotations

import base64
import binascii
import io
import math
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from studio.api import BadInput, Inputs

HALF = 128


def decoded(value: Any) -> bytes:
    """Raises BadInput. Addresses are not fetched: a request could then make this computer look into its own network."""
    if not isinstance(value, str) or not value:
        raise BadInput("Invalid encoded image.", hint="Send it as base64.", field="image")
    raw = value.partition(",")[2] if value.startswith("data:") else value
    try:
        return base64.b64decode("".join(raw.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput("Invalid encoded image.", hint="Send it as base64.", field="image") from error


def encoded(data: bytes) -> str:
    """Without a data: address, as clients decode it."""
    return base64.b64encode(data).decode("ascii")


def opened(value: Any) -> Image.Image:
    """Upright. Raises BadInput for what is no picture."""
    try:
        with Image.open(io.BytesIO(decoded(value))) as file:
            return ImageOps.exif_transpose(file)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadInput("Invalid encoded image.", hint="Give a PNG, JPEG or WebP file.", field="image") from error


def keep(value: Any, inputs: Inputs) -> str:
    """The picture's key for a job. Raises BadInput."""
    data = decoded(value)
    try:
        return inputs.keep(data)
    except BadInput as error:
        raise BadInput("Invalid encoded image.", hint=error.message, field="image") from error


def keep_mask(value: Any, size: tuple[int, int], rounded: bool, inputs: Inputs) -> str:
    """White is made anew; of a picture with transparency its opaque part. `rounded` makes that black or white only."""
    return inputs.keep(png(mask_of(opened(value), rounded).resize(size, Image.Resampling.LANCZOS)))


def mask_of(picture: Image.Image, rounded: bool) -> Image.Image:
    if "A" in picture.getbands() or "transparency" in picture.info:
        alpha = picture.convert("RGBA").getchannel("A")
        if alpha.getextrema() != (255, 255):
            return alpha.point(lambda value: 255 if value > HALF else 0) if rounded else alpha
    return picture.convert("L")


def png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def as_sent(picture: Image.Image) -> Image.Image:
    """In a mode that PNG has; of 16 bits the upper 8."""
    if picture.mode.startswith("I"):
        picture = picture.point(lambda value: value / 256).convert("L")
    return picture if picture.mode in ("RGB", "RGBA", "L") else picture.convert("RGBA" if "A" in picture.getbands() or "transparency" in picture.info else "RGB")


def sheet(files: list[bytes]) -> bytes:
    """All in one picture, as near to a square as their number allows."""
    pictures = [Image.open(io.BytesIO(data)).convert("RGB") for data in files]
    columns = math.ceil(math.sqrt(len(pictures)))
    width, height = pictures[0].size
    whole = Image.new("RGB", (columns * width, math.ceil(len(pictures) / columns) * height))
    for place, picture in enumerate(pictures):
        whole.paste(picture, (place % columns * width, place // columns * height))
    return png(whole)


def read(path: str) -> bytes | None:
    """None where the file is gone meanwhile."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return None
