"""Text: chat, completion and embeddings on llama.cpp, transformers or a remote server."""

from __future__ import annotations

from studio.api import Pipeline, hookimpl


@hookimpl
def register_pipelines() -> list[Pipeline]:
    from pipelines.text.chat import Chat
    from pipelines.text.complete import Complete
    from pipelines.text.embed import Embed

    return [Chat(), Complete(), Embed()]
