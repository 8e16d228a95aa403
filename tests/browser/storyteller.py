"""A language model at another address that tells stories at one pace, as long as wanted: what a test of Stop or of the page's pace needs is a text that does not end by chance."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.browser.driving import choose_model

KEY = "remote/storyteller"
WORD_SECONDS = 0.02  # fifty words a second
SHORT = 30  # words of an answer that is no story
ENDLESS = 100_000


@dataclass
class Storyteller:
    """A "very long" story never ends; a "long" one not at its first telling; "exactly 400 words" are 400 words."""

    url: str = ""
    told: dict[str, int] = field(default_factory=dict)

    def length(self, wish: str) -> int:
        self.told[wish] = self.told.get(wish, 0) + 1
        if "exactly" in wish:
            return int(wish.partition("exactly ")[2].split()[0])
        return ENDLESS if "very long" in wish or ("long" in wish and self.told[wish] == 1) else SHORT


def words(count: int) -> Iterator[str]:
    """Numbered, in the forms that a page has to draw: bold, code, lists, paragraphs."""
    for number in range(1, count + 1):
        word = f"word{number}" if number % 7 else f"**word{number}**" if number % 2 else f"`word{number}`"
        yield word + ("\n\n" if number % 60 == 0 else "\n- " if number % 20 == 0 else " ")


class Handler(BaseHTTPRequestHandler):
    teller: Storyteller

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_GET(self) -> None:
        data = json.dumps({"data": [{"id": "storyteller"}]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        count = self.teller.length(asked["messages"][-1]["content"])
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        try:
            due = time.monotonic()
            for word in words(count):
                self._send(json.dumps({"choices": [{"index": 0, "delta": {"content": word}}]}))
                due += WORD_SECONDS
                time.sleep(max(0.0, due - time.monotonic()))
            self._send(json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
            self._send(json.dumps({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": count}}))
            self._send("[DONE]")
        except OSError:
            return  # nobody listens any more: Stop was pressed

    def _send(self, data: str) -> None:
        self.wfile.write(f"data: {data}\n\n".encode())
        self.wfile.flush()


@contextmanager
def storyteller() -> Iterator[Storyteller]:
    teller = Storyteller()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"teller": teller}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    teller.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield teller
    finally:
        server.shutdown()
        server.server_close()


def by_storyteller(page: Any) -> None:
    """Have it write on this page."""
    choose_model(page, KEY)
