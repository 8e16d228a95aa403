"""Uploads to the page: counted at the door, and taken away after a week. Gradio keeps each, and a copy of every file that it shows, for ever."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from studio.errors import BadInput, StudioError
from studio.i18n import Words, language

if TYPE_CHECKING:
    from studio.storage import Storage

PATH = "/gradio_api/upload"
SWEEP_SECONDS = 600
KEPT_SECONDS = 7 * 24 * 3600


class UploadDoor:
    """ASGI middleware behind the gate: a visitor whose storage has no room for an upload is told so before it is read.

    One that breaks off counts with what came of it, which Gradio leaves in its folder; one that is refused is taken away by Gradio.
    """

    def __init__(self, app: Any, storage: Storage, words: Words) -> None:
        self.app, self.storage, self.words = app, storage, words

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answer: Any = self.app
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].rstrip("/") == PATH:
            headers = Headers(scope=scope)
            owner = unquote(headers["x-seisei-owner"])
            try:
                if key := await run_in_threadpool(self._admit, owner, headers):
                    await self._watched(owner, key, scope, receive, send)
                    return
            except StudioError as error:
                lang = language(headers, Request(scope).cookies)
                told = " ".join(self.words.say(lang, part) for part in (error.message, error.hint) if part)
                answer = PlainTextResponse(told, status_code=error.status)
        await answer(scope, receive, send)

    def _admit(self, owner: str, headers: Headers) -> str:
        """What the upload is counted by; "" where it need not be. Raises StorageFull, BadInput."""
        size = headers.get("content-length", "")
        if not self.storage.limits(owner):
            return ""
        if not size.isdecimal():
            raise BadInput("The upload does not say how large it is.", hint="Send it with its length.")
        return self.storage.uploaded(owner, int(size))

    async def _watched(self, owner: str, key: str, scope: Any, receive: Any, send: Any) -> None:
        came, status = 0, 0

        async def counted() -> Any:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            return message

        async def answered(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, counted, answered)
        finally:
            if not 200 <= status < 300:
                await run_in_threadpool(self.storage.broken_off, owner, key, 0 if 400 <= status < 500 else came)


def sweep(folder: Path, kept: Iterable[str] = (), now: float = 0.0) -> int:
    """How many files of more than a week ago went: a page may stay open for days; `kept` are those that the page was built with."""
    last, spared, gone = (now or time.time()) - KEPT_SECONDS, set(kept), 0
    for place, folders, files in os.walk(folder, topdown=False):
        for path in (Path(place) / name for name in files):
            with contextlib.suppress(OSError):  # moved or taken away meanwhile, or held open
                if str(path) not in spared and path.stat().st_ctime <= last:
                    path.unlink()
                    gone += 1
        for empty in (Path(place) / name for name in folders):
            with contextlib.suppress(OSError):
                if empty.stat().st_ctime <= last:
                    empty.rmdir()  # which it refuses where something is in it
    return gone


def built_with(page: Any) -> set[str]:
    """Files that the page showed from its first moment."""
    return {path for part in page.blocks.values() for path in getattr(part, "keep_in_cache", ())}
