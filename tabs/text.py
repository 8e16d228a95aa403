"""The Text tab: Chat and Notebook. A view of text.chat and text.complete."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import gradio as gr
from starlette.requests import Request

from studio import ui
from studio.api import BadInput, Route, Studio, Tab, hookimpl
from tabs.chats import MAX_IMPORT_BYTES
from tabs.text_chat import ChatPage
from tabs.text_client import chat_endpoint
from tabs.text_notebook import NotebookPage
from tabs.text_session import Sessions


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
        ui.last_results("text.")
        gr.api(chat_endpoint(studio), api_name="chat", concurrency_limit=None)


@hookimpl
def register_routes(studio: Studio) -> list[Route]:
    """Importing a dropped chat or character: the body is the file, ?name= its name."""

    async def take(request: Request) -> Any:
        with tempfile.TemporaryDirectory(prefix="seisei-import-") as folder:
            path = Path(folder) / f"dropped{Path(request.query_params.get('name', '')).suffix[:10]}"
            with path.open("wb") as file:
                async for piece in request.stream():
                    if file.tell() + len(piece) > MAX_IMPORT_BYTES:
                        raise BadInput("This file is too large for a chat.", hint="Import a file that Export made.")
                    file.write(piece)
            opened = Sessions(studio).take(path, unquote(request.headers["x-seisei-owner"]))
        return {"chat": opened.id}

    return [Route("/api/v1/text/import", ["POST"], take, "Import a chat or a character")]


@hookimpl
def register_tabs(studio: Any) -> list[Tab]:
    return [TextTab()]
