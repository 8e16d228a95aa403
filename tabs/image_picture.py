"""Between the page's pictures and the pipeline's inputs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, get_args

from PIL import Image, ImageOps
from pydantic.fields import FieldInfo

from studio.api import BadInput, Inputs, NotFound, Studio

KINDS = (".png", ".jpg", ".webp", ".gif")
OTHERS = ("AVIF", "BMP", "JPEG2000", "PPM", "TGA", "TIFF")  # kinds of still pictures that are kept as PNG
KEY = "^([0-9a-f]{64}"  # how the pattern of such parameters begins
ORIENTATION, TURNED = 0x0112, 5  # Exif: from 5 on width and height are exchanged


def known_size(studio: Studio, key: str) -> tuple[int, int] | None:
    """Of an input, upright; None where it is gone or can't be read."""
    path = shown_picture(studio, key)
    try:
        with Image.open(path or "") as image:
            turned = image.getexif().get(ORIENTATION, 1) >= TURNED
            return (image.height, image.width) if turned else image.size
    except (OSError, Image.DecompressionBombError):
        return None


def holds_picture(field: FieldInfo) -> bool:
    """Whether a parameter is the key of a given picture."""
    return any(str(getattr(rule, "pattern", "")).startswith(KEY) for rule in field.metadata)


def holds_pictures(field: FieldInfo) -> bool:
    """Whether it is a list of them."""
    return any(isinstance(about, FieldInfo) and holds_picture(about) for item in get_args(field.annotation) for about in get_args(item))


def kept_picture(inputs: Inputs, field: FieldInfo, value: Any, name: str = "image") -> Any:
    """A picture control's file, or files, as keys among the inputs; other controls' values as they are. Raises BadInput, at the field's `name`, for what is no picture."""
    if holds_pictures(field):
        return [inputs.keep(Path(path).read_bytes()) for path, _ in value or []]
    if not holds_picture(field):
        return value
    return keep_data(inputs, Path(value).read_bytes(), name) if value else ""


def keep_data(inputs: Inputs, data: bytes, name: str = "image") -> str:
    """The key of a file's content among the inputs. Raises BadInput, at the field of that name, for what is no picture."""
    try:
        key = inputs.keep(data)
    except BadInput:
        key = inputs.keep(converted) if (converted := as_png(data)) else ""
    if not key.endswith(KINDS):  # nothing, or a sound
        raise BadInput("This is no picture that can be read.", hint="Give a PNG, JPEG, WebP or GIF file.", field=name)
    return key


def as_png(data: bytes) -> bytes:
    """A still picture of one of the OTHERS as PNG; nothing where it is none. Its colours' profile goes where it is one of print."""
    buffer = io.BytesIO()
    try:
        with Image.open(io.BytesIO(data), formats=OTHERS) as image:
            if getattr(image, "n_frames", 1) > 1:
                return b""
            plain = image.mode in ("L", "RGB", "RGBA", "I;16")
            shown = image if plain else image.convert("RGBA" if image.has_transparency_data else "RGB")
            shown.save(buffer, "PNG", exif=image.getexif(), icc_profile=image.info.get("icc_profile") if plain else None)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return b""
    return buffer.getvalue()


def shown_picture(studio: Studio, key: str) -> str | None:
    """The reverse: the file for a picture control; None where it is gone."""
    try:
        return str(studio.jobs.desk.inputs.path(key)) if key else None
    except NotFound:
        return None


def picture_value(path: Path | str | None) -> Image.Image | None:
    """A picture for a control, upright: Gradio takes no paths from outside its own folders."""
    if not path:
        return None
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGBA" if "A" in image.getbands() else "RGB")


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
