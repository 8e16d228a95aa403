"""Packed: the page itself goes compressed to browsers that take it: Gradio compresses only what has a file's suffix. Nothing else is touched, streams least of all."""

from __future__ import annotations

from typing import Any

from starlette.middleware.gzip import GZipMiddleware

PAGES = ("/", "/config")


class Packed:
    def __init__(self, app: Any) -> None:
        self.app = app
        self.packed = GZipMiddleware(app, minimum_size=1000, compresslevel=5)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        chosen = self.packed if scope["type"] == "http" and scope["path"] in PAGES else self.app
        await chosen(scope, receive, send)
