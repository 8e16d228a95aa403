"""A killable process for one community extension's transforms and observers: hanging code can't hang the page or a job.

Hooks that take and return plain data (studio.hooks.PLAIN) run there. Those that give objects (pipelines, tabs, routes, models) or get the
Studio itself stay in the page's process. The extension's module is imported in both; they share no variables.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import threading
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio.artifacts import Artifact
from studio.errors import StudioError
from studio.events import Event, event_from_wire
from studio.host import Output
from studio.plugins import HookError, Hooks
from studio.seam import Line, call_back, start_program

START_SECONDS = 30.0  # its imports


class Late(HookError):
    """A call went over its deadline; its process was ended."""


class Gone(HookError):
    """The process ended by itself during a call, or did not start."""


class HookFailed(HookError):
    """The extension's own exception, as "Type: message"."""


class ExtensionProcess:
    """Started at the first call, started again after it was ended. Calls wait for each other."""

    def __init__(self, name: str, folder: Path, *, seconds: float) -> None:
        self._config = {"name": name, "folder": str(folder)}
        self.seconds = seconds
        self._line: Line | None = None
        self._process: Any = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def call(self, hook: str, args: dict[str, Any]) -> Any:
        """What the hook returned. Raises Late, Gone, HookFailed, and StudioErrors of the extension."""
        with self._lock:
            line = self._line or self._start()
            try:
                line.send(hook=hook, args=plain(args))
                if not line.poll(self.seconds):
                    self._end()
                    raise Late(f"took longer than {self.seconds:g} s")
                answer = line.receive()
            except (EOFError, OSError) as error:
                self._end()
                raise Gone("its process ended") from error
        if "wire" in answer:
            raise StudioError.from_wire(answer["wire"])
        if "error" in answer:
            raise HookFailed(answer["error"])
        return rich(answer["value"])

    def close(self) -> None:
        with self._lock:
            self._end()

    def _start(self) -> Line:
        try:
            self._process, (line,) = start_program("studio.extension_process", self._config, lines=1, seconds=START_SECONDS, env=dict(os.environ))
            hello = line.receive() if line.poll(START_SECONDS) else {"error": "its import took too long"}
        except (EOFError, OSError) as error:
            self._end()
            raise Gone("its process did not start") from error
        if "error" in hello:
            self._end()
            raise Gone(hello["error"])
        self._line = line
        return line

    def _end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(timeout=10)
        if self._line:
            self._line.close()
        self._process = self._line = None


def plain(value: Any) -> Any:
    """As JSON; Artifacts, Outputs and Events are named."""
    if isinstance(value, Artifact):
        return {"$artifact": asdict(value) | {"data": base64.b64encode(value.data).decode("ascii")}}
    if isinstance(value, Output):
        return {"$output": asdict(value)}
    if isinstance(value, Event):
        return {"$event": value.wire()}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def rich(value: Any) -> Any:
    """The reverse of `plain`."""
    if isinstance(value, list):
        return [rich(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"$artifact"}:
        about = value["$artifact"]
        return Artifact(**about | {"data": base64.b64decode(about["data"])})
    if set(value) == {"$output"}:
        return Output(**value["$output"])
    if set(value) == {"$event"}:
        return event_from_wire(value["$event"])
    return {key: rich(item) for key, item in value.items()}


def main() -> None:
    """The process itself: answers calls one by one, and ends with its studio even in the middle of a loop."""
    config, (line,) = call_back(1)
    calls: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def listen() -> None:
        try:
            while True:
                calls.put(line.receive())
        except (EOFError, OSError):
            os._exit(0)

    try:
        hooks = Hooks()
        hooks.load_folder(Path(config["folder"]))
    except Exception as error:  # anything may stand in a community module
        line.send(error=f"{type(error).__name__}: {error}")
        return
    line.send(hello=True)
    threading.Thread(target=listen, daemon=True).start()
    while True:
        line.send(**answer(hooks, config["name"], calls.get()))


def answer(hooks: Any, name: str, message: dict[str, Any]) -> dict[str, Any]:
    """One call's reply: value, wire (a StudioError) or error."""
    try:
        value = plain(hooks.call(name, message["hook"], rich(message["args"])))
        json.dumps(value)
    except StudioError as error:
        return {"wire": error.wire()}
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return {"error": f"{type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})"}
    return {"value": value}


if __name__ == "__main__":
    main()
