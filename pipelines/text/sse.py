"""Server-sent events, read in a thread of their own: Stop waits for no server."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Refused:
    """The server answered with an error instead of a stream."""

    status: int
    text: str


class EventStream:
    """One POST. Iterating gives each event's JSON until the end, or until `stopping()`: then the line is cut.

    Yields a single Refused for an HTTP error. Raises httpx.HTTPError, ValueError.
    """

    def __init__(self, url: str, headers: dict[str, str], body: dict[str, Any], timeout: Any, stopping: Callable[[], bool]) -> None:
        self._asked = (url, headers, body, timeout)
        self._stopping = stopping
        self._found: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._line: socket.socket | None = None
        self._cut = False

    def __iter__(self) -> Iterator[dict[str, Any] | Refused]:
        threading.Thread(target=self._read, daemon=True, name="remote answer").start()
        try:
            while not self._stopping():
                try:
                    item = self._found.get(timeout=LOOK_SECONDS)
                except queue.Empty:
                    continue
                if item is None:
                    return
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self._close()

    def _close(self) -> None:
        self._cut = True
        if self._line:
            try:
                self._line.shutdown(socket.SHUT_RDWR)  # wakes the reading thread, and tells the server
            except OSError:
                return  # it is closed already

    def _read(self) -> None:
        import httpx

        url, headers, body, timeout = self._asked
        try:
            with httpx.Client(headers=headers, timeout=timeout) as client:
                with client.stream("POST", url, json=body, extensions={"trace": self._trace}) as answer:
                    if answer.status_code >= 400:
                        self._found.put(Refused(answer.status_code, answer.read().decode(errors="replace")))
                        return
                    for chunk in chunks(answer.iter_lines()):
                        self._found.put(chunk)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            self._found.put(error)
        finally:
            self._found.put(None)

    def _trace(self, event: str, about: dict[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._line = about["return_value"].get_extra_info("socket")
            if self._cut:
                self._close()


def chunks(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The JSON of each server-sent event, up to [DONE]."""
    for line in lines:
        if not line.startswith("data:"):
            continue
        data = line[5:].strip()
        if data == "[DONE]":
            return
        chunk = json.loads(data)
        if isinstance(chunk, dict):
            yield chunk
