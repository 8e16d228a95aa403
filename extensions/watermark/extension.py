"""A visible mark on each finished PNG picture."""

from __future__ import annotations

import io
from typing import Any, ClassVar

from pydantic import Field

from studio.api import Artifact, ExtensionParams, hookimpl


class WatermarkParams(ExtensionParams):
    title: ClassVar[str] = "Watermark"
    pipelines: ClassVar[tuple[str, ...]] = ("image.",)

    text: str = Field("made with Seisei Studio", max_length=80, title="Mark", description="What is written into the corner; empty writes nothing.")


@hookimpl
def register_settings() -> list[type[ExtensionParams]]:
    return [WatermarkParams]


@hookimpl
def after_run(artifacts: list[Any], extras: dict[str, Any]) -> list[Any]:
    text = extras.get("watermark", {}).get("text", WatermarkParams().text)
    return [marked(artifact, text) if text and artifact.kind == "image" and artifact.suffix == ".png" else artifact for artifact in artifacts]


def marked(artifact: Artifact, text: str) -> Artifact:
    """The picture with the mark, a fortieth of its height, in the lower right corner."""
    from PIL import Image, ImageDraw, ImageFont

    with Image.open(io.BytesIO(artifact.data)) as source:
        picture = source.convert("RGBA")
    size = max(8, picture.height // 40)
    layer = Image.new("RGBA", picture.size)
    draw = ImageDraw.Draw(layer)
    place = (picture.width - size // 2, picture.height - size // 2)
    draw.text(place, text, font=ImageFont.load_default(size), anchor="rd", fill=(255, 255, 255, 200), stroke_width=max(1, size // 12), stroke_fill=(0, 0, 0, 160))
    buffer = io.BytesIO()
    Image.alpha_composite(picture, layer).convert(source.mode if source.mode in ("RGB", "RGBA") else "RGB").save(buffer, "PNG")
    return Artifact(artifact.kind, buffer.getvalue(), artifact.suffix, artifact.title, artifact.facts)
