"""The Text tab: Chat and Notebook. A view of text.chat and text.complete."""

from __future__ import annotations

from typing import Any, ClassVar

import gradio as gr

from studio.api import Studio, Tab, hookimpl
from tabs.text_chat import ChatPage
from tabs.text_notebook import NotebookPage


class TextTab:
    id: ClassVar[str] = "text"
    title: ClassVar[str] = "Text"
    order: ClassVar[int] = 10

    def build(self, studio: Studio) -> None:
        words = studio.words
        if "text.chat" not in studio.pipelines:
            gr.Markdown(words("The text pipelines are not installed."))
            return
        with gr.Tabs(elem_id="text-modes"):
            with gr.Tab(words("Chat"), id="chat"):
                ChatPage(studio).build()
            with gr.Tab(words("Notebook"), id="notebook"):
                NotebookPage(studio).build()


@hookimpl
def register_tabs(studio: Any) -> list[Tab]:
    return [TextTab()]
