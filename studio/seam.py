"""The seam between processes: JSON messages over a local connection, never pickle; and how the other program is started."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def temporary_folder(spool: str | Path, pid: int = 0) -> Path:
    """Where a worker keeps what is no result yet, or all of them do: whoever ends it takes that away."""
    return Path(spool) / "temporary" / (str(pid) if pid else "")


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


def start_program(module: str, config: dict[str, Any], *, lines: int, seconds: float, env: dict[str, str]) -> tuple[subprocess.Popen[bytes], list[Line]]:
    """Start `python -m module` and wait until it has called back `lines` times. Raises OSError where it does not in time.

    A fresh program, never a fork; the connection's key goes through its standard input, not its command line.
    """
    key = secrets.token_bytes(32)
    with tempfile.TemporaryDirectory(prefix="seisei-") as folder:
        address = None if os.name == "nt" else str(Path(folder) / "line")
        with Listener(address, family="AF_PIPE" if os.name == "nt" else "AF_UNIX", backlog=lines, authkey=key) as listener:
            process = subprocess.Popen([sys.executable, "-m", module], stdin=subprocess.PIPE, cwd=ROOT, env=env)
            assert process.stdin is not None
            process.stdin.write(json.dumps(config | {"address": listener.address, "key": key.hex()}).encode() + b"\n")
            process.stdin.close()
            return process, _accept(listener, process, lines, seconds)


def _accept(listener: Listener, process: subprocess.Popen[bytes], wanted: int, seconds: float) -> list[Line]:
    found: list[Line] = []

    def accept() -> None:
        found.extend(Line(listener.accept()) for _ in range(wanted))

    waiting = threading.Thread(target=accept, daemon=True)
    waiting.start()
    deadline = time.monotonic() + seconds
    while waiting.is_alive() and process.poll() is None and time.monotonic() < deadline:
        waiting.join(0.05)
    if len(found) < wanted:
        process.kill()
        raise OSError("the program did not call back")
    return found


def call_back(lines: int) -> tuple[dict[str, Any], list[Line]]:
    """The started program's side: its config, and its lines."""
    config = json.loads(sys.stdin.readline())
    key = bytes.fromhex(config.pop("key"))
    address = config.pop("address")
    return config, [Line(Client(address, authkey=key)) for _ in range(lines)]
