"""The picture to begin from, with the mask painted over it; and both as a job gives them back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gradio as gr

from studio import ui
from studio.api import Studio
from tabs.image_picture import editor_pictures, given_value

PAINTED = (Path(__file__).parent / "image_painted.js").read_text(encoding="utf-8")


class PictureEditor:
    """`keys` reads it, `shown` gives values for `filled`. What a job gave back is remembered: left as it is, it keeps its keys."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def build(self) -> None:
        words = self.studio.words
        self.given, self.masked = gr.State({}), gr.State(0.0)  # keys of the picture and mask that a job gave back; when there was a mask
        self.view = gr.ImageEditor(
            type="pil", format="png", label=words("Picture"), show_label=False, sources=["upload", "clipboard"], height=320, layers=False, transforms=[], elem_id="image-editor",
            brush=gr.Brush(default_size="auto", colors=["#ffffff"], default_color="#ffffff", color_mode="fixed"), placeholder=words("Drop a picture here. Paint over what is to be made anew."),
        )  # fmt: skip
        self.again = gr.Button("", elem_id="image-mask-again", elem_classes="seisei-unseen")

    @property
    def filled(self) -> list[Any]:
        return [self.view, self.given, self.masked]

    def keys(self, value: dict[str, Any] | None, given: dict[str, str]) -> tuple[str, str]:
        """Of the picture and of the mask among the inputs; "" for what is not there."""
        return editor_pictures(self.studio, value, given)

    def shown(self, image: str, mask: str) -> list[Any]:
        """For `filled`: the picture and mask of a job; nothing where the picture is gone."""
        value = given_value(self.studio, image, mask)
        return [value, {"image": image, "mask": mask} if value else {}, time.time() if value and value["layers"] else gr.skip()]

    def listen(self, shape: Any, as_picture: str) -> None:
        """`shape` becomes `as_picture` with somebody's new picture; one that a job gave back comes with the job's own."""
        self.masked.change(None, [], [], js=PAINTED)
        self.again.click(self.on_again, [self.given], [self.view], **ui.QUICK)
        self.view.upload(lambda value, given: gr.skip() if given and self.keys(value, given)[0] == given["image"] else as_picture, [self.view, self.given], [shape], **ui.QUICK)

    def on_again(self, given: dict[str, str]) -> Any:
        """The picture and its mask once more, for the page's script."""
        return given_value(self.studio, **given) if given else gr.skip()
