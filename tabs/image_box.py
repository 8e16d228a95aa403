"""A box for one picture whose file is handed on as it was given: what is no picture is refused by the page's own handlers, in a sentence at its field."""

from __future__ import annotations

from abc import ABCMeta
from typing import Any, ClassVar

import gradio as gr
from gradio.component_meta import ComponentMeta

from studio.api import Studio


class Quiet(ComponentMeta):
    """Gradio's own writes a stub file beside the source of every component class."""

    def __new__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]) -> Any:
        return ABCMeta.__new__(cls, name, bases, attributes)


class PictureBox(gr.Image, metaclass=Quiet):
    is_template: ClassVar[bool] = True  # drawn as what it is made from

    def preprocess(self, payload: Any) -> str | None:
        """The file's path, unread."""
        return payload.path if payload else None


def picture_box(studio: Studio, label: str, **about: Any) -> PictureBox:
    """`label` in English."""
    return PictureBox(type="filepath", image_mode=None, label=studio.words(label), sources=["upload", "clipboard"], buttons=[], **about)
