"""Text: chat, completion and embeddings on llama.cpp, transformers or a remote server."""

from __future__ import annotations

from urllib.parse import urlsplit

from studio.api import ModelEntry, Pipeline, StudioError, hookimpl
from studio.api import Settings as StudioSettings

HERE = ("localhost", "127.0.0.1", "::1")  # a server on this computer is no network: it is asked offline, too


@hookimpl
def register_pipelines() -> list[Pipeline]:
    from pipelines.text.chat import Chat
    from pipelines.text.complete import Complete
    from pipelines.text.embed import Embed
    from pipelines.text.load import Load

    return [Chat(), Complete(), Embed(), Load()]


@hookimpl
def register_models(settings: StudioSettings) -> list[ModelEntry]:
    """The remote server's models; one that does not answer is listed with its reason."""
    if not settings.remote_url or (settings.offline and urlsplit(settings.remote_url).hostname not in HERE):
        return []
    from pipelines.text.remote import list_remote

    try:
        return list_remote(settings.remote_url, settings.remote_key, timeout=2.0)
    except StudioError as error:
        return [ModelEntry("remote", settings.remote_url, "llm", "remote", 0, settings.remote_url, source="remote", problem=f"{error.message} {error.hint}".strip())]
