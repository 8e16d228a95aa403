"""Between the page's pictures and the pipeline's inputs: what was uploaded, and what was painted over it as a mask."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageOps
from pydantic.fields import FieldInfo

from studio.api import NotFound, Studio

KEY = "^([0-9a-f]{64}"  # how the pattern of such parameters begins
PAINTED = 16  # alpha from which a stroke counts


def editor_pictures(studio: Studio, value: dict[str, Any] | None, given: dict[str, str] | None = None) -> tuple[str, str]:
    """Keys of the picture and of the mask; "" for what is not there. What still is as it was `given` to the editor keeps its key, soft masks and all."""
    picture = (value or {}).get("background")
    if picture is None:
        return "", ""
    known = given or {}
    picture = picture.convert("RGBA" if "A" in picture.getbands() else "RGB")
    image = known["image"] if same_pixels(picture, known_picture(studio, known.get("image", ""))) else studio.jobs.desk.inputs.keep(_png(picture))
    painted = [layer.getchannel("A") for layer in (value or {}).get("layers", []) if layer is not None]
    mask = functools.reduce(ImageChops.lighter, painted) if painted else None
    if mask is None or not mask.getbbox():
        return image, ""
    if same_pixels(mask, known_picture(studio, known.get("mask", ""), "L")):
        return image, known["mask"]
    return image, studio.jobs.desk.inputs.keep(_png(mask.point(lambda alpha: 255 if alpha > PAINTED else 0)))


def known_picture(studio: Studio, key: str, mode: str = "RGBA") -> Image.Image | None:
    """An input as the editor gets it: upright, in that mode; None where it is gone."""
    path = shown_picture(studio, key)
    if not path:
        return None
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert(mode)


def same_pixels(one: Image.Image, other: Image.Image | None) -> bool:
    return other is not None and one.size == other.size and one.convert(other.mode).tobytes() == other.tobytes()


def editor_value(picture: Image.Image, mask: Image.Image | None = None) -> dict[str, Any]:
    """For the editor: nothing painted, or the mask as a white layer. No composite: the editor would take it for the picture, with the mask painted in."""
    layers = []
    if mask is not None and mask.size == picture.size:
        layers = [Image.new("RGBA", mask.size, "white")]
        layers[0].putalpha(mask)
    return {"background": picture, "layers": layers, "composite": None}


def given_value(studio: Studio, image: str, mask: str) -> dict[str, Any] | None:
    """The same from the keys of a job; None where the picture is gone."""
    picture = known_picture(studio, image)
    return editor_value(picture, known_picture(studio, mask, "L")) if picture else None


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
