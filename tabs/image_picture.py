"""Between the page's pictures and the pipeline's inputs: what was uploaded, and what was painted over it as a mask."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps
from pydantic.fields import FieldInfo

from studio.api import NotFound, Studio

KEY = "^([0-9a-f]{64}"  # how the pattern of such parameters begins
PAINTED = 16  # alpha from which a stroke counts


def editor_pictures(studio: Studio, value: dict[str, Any] | None) -> tuple[str, str]:
    """Keys of the picture and of the mask; "" for what is not there."""
    picture = (value or {}).get("background")
    if picture is None:
        return "", ""
    inputs = studio.jobs.desk.inputs
    painted = next((layer for layer in (value or {}).get("layers", []) if layer is not None and layer.getchannel("A").getbbox()), None)
    mask = painted.getchannel("A").point(lambda alpha: 255 if alpha > PAINTED else 0) if painted is not None else None
    return inputs.keep(_png(picture.convert("RGBA" if "A" in picture.getbands() else "RGB"))), inputs.keep(_png(mask)) if mask is not None else ""


def editor_value(path: Path) -> dict[str, Any]:
    """A picture for the editor, upright, nothing painted."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    return {"background": upright, "layers": [], "composite": upright}


def holds_picture(field: FieldInfo) -> bool:
    """Whether a parameter is the key of a given picture."""
    return any(str(getattr(rule, "pattern", "")).startswith(KEY) for rule in field.metadata)


def kept_picture(studio: Studio, field: FieldInfo, value: Any) -> Any:
    """A picture control's file as its key among the inputs; other controls' values as they are. Raises BadInput for what is no picture."""
    if not holds_picture(field):
        return value
    return studio.jobs.desk.inputs.keep(Path(value).read_bytes()) if value else ""


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


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
