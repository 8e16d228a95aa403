"""The picture to begin from with the mask painted over it, as two keys of inputs; the painting is the page's script's."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from studio import ui
from studio.api import BadInput, Studio
from tabs.image_picture import known_size, png, shown_picture

PAINTER = (Path(__file__).parent / "image_painter.js").read_text(encoding="utf-8")
ON_ITS_WAY = "?"  # the page's word for a mask that the studio has not got yet


class PictureEditor:
    """`keys` reads it, `shown` gives its value. `fixed`: the picture is given elsewhere, only the mask is painted here."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def build(self, elem_id: str, empty: str, *, fixed: bool = False) -> None:
        mark = " data-fixed" if fixed else ""
        self.view = gr.HTML("", html_template=f'<div class="painter" data-empty="{html.escape(empty)}"{mark}></div>', js_on_load=PAINTER, padding=False, elem_id=elem_id)

    def key(self, value: str | None) -> str:
        """Of the picture alone, as the page tells it; "" where there is none."""
        return str(json.loads(value).get("image", "")) if value else ""

    def keys(self, owner: str, value: str | None) -> tuple[str, str]:
        """Of the picture and of the mask among the inputs; "" for what is not there, and for a mask with nothing painted. Raises BadInput, NotFound."""
        held = json.loads(value) if value else {}
        image, mask = str(held.get("image", "")), str(held.get("mask", ""))
        if not image:
            return "", ""
        if mask == ON_ITS_WAY:
            raise BadInput("The mask that was painted has not reached the studio.", hint="Look whether the studio still answers, and press the button again.", field="mask")
        desk = self.studio.jobs.desk.inputs
        desk.path(image, "image")
        return image, self._fitted(owner, image, mask) if mask else ""

    def _fitted(self, owner: str, image: str, mask: str) -> str:
        """The page paints on large pictures with fewer pixels than they have."""
        with Image.open(self.studio.jobs.desk.inputs.path(mask, "mask")) as file:
            grey = file.convert("L")
        if not grey.getbbox():
            return ""
        size = known_size(self.studio, image)
        return mask if size in (grey.size, None) else self.studio.inputs(owner).keep(png(grey.resize(size, Image.Resampling.BILINEAR)))

    def shown(self, image: str, mask: str = "") -> str:
        """The value that shows them; "" where the picture is gone, no mask where it is gone or of another size."""
        if not shown_picture(self.studio, image):
            return ""
        fits = (size := known_size(self.studio, mask)) and size == known_size(self.studio, image)
        return json.dumps({"image": image, "mask": mask if fits else ""})

    def listen(self, shape: Any, as_picture: str) -> None:
        """`shape` becomes `as_picture` with somebody's new picture."""
        self.view.upload(lambda: as_picture, [], [shape], **ui.QUICK)
