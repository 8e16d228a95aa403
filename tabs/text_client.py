"""The chat as an endpoint of Gradio's own clients: `Client(url).predict("Hello", api_name="/chat")`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gradio as gr

from studio import ui
from studio.api import Failed, Studio, StudioError, Text


def chat_endpoint(studio: Studio) -> Callable[..., Iterator[str]]:
    """One question, one answer that grows; no history is kept."""

    def chat(message: str, request: gr.Request, model: str = "", system: str = "") -> Iterator[str]:
        """Ask a language model. Gives the answer so far, again and again until it is whole. An empty model takes the first there is."""
        answer = ""
        try:
            key = model or next((entry.key for entry in studio.catalog.entries("llm") if not entry.problem), "")
            values = {"model": key, "system": system, "messages": [{"role": "user", "content": message}] if message.strip() else []}
            job = studio.submit("text.chat", values, owner=ui.owner(request), source="gradio")
            for event in job.events():
                if isinstance(event, Text) and event.channel == "answer":
                    answer += event.delta
                    yield answer
                elif isinstance(event, Failed):
                    raise StudioError.from_wire(event.error)
        except StudioError as error:
            raise ui.toast(studio, error, request) from error
        yield job.text or answer

    return chat
