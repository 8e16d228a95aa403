"""The seam between the two processes: JSON messages over a local connection, never pickle."""

from __future__ import annotations

import json
import threading
from multiprocessing.connection import Connection
from typing import Any


class Line:
    """One end of a connection. `send` is thread-safe; `receive` raises EOFError once the other side is gone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    def send(self, **message: Any) -> None:
        raw = json.dumps(message, ensure_ascii=False).encode()
        with self._sending:
            self._connection.send_bytes(raw)

    def receive(self) -> dict[str, Any]:
        raw = self._connection.recv_bytes()
        message = json.loads(raw)
        assert isinstance(message, dict)
        return message

    def poll(self, seconds: float) -> bool:
        return self._connection.poll(seconds)

    def close(self) -> None:
        self._connection.close()
