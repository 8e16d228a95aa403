"""A whole studio as its users start it: its own processes, the real starter model, a data folder of its own."""

from __future__ import annotations

import json
import os
import random
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.settings import load_settings
from studio.starter import starter_models

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 300  # a busy machine imports slowly
ANSWER_SECONDS = 60  # and answers slowly
OUTGOING = 32768  # from here on the system itself takes ports, for connections that go out: a port chosen there may be gone before the studio listens
MODEL = "SmolLM2-135M-Instruct.Q4_1"
NO_END = {"0": -100.0, "2": -100.0}  # a word bias against the starter's two tokens that end an answer: it goes on to its length limit, whatever it tells


@dataclass
class Running:
    url: str
    process: subprocess.Popen[bytes]
    data: Path

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)

    def post(self, path: str, **body: Any) -> Any:
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)

    def ask(self, text: str, **more: Any) -> str:
        messages = [{"role": "user", "content": text}]
        return str(self.post("/api/v1/pipelines/text.chat", model=MODEL, messages=messages, **more)["id"])

    def wait(self, job: str, seconds: float = 240) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while (found := self.get(f"/api/v1/jobs/{job}"))["state"] in ("queued", "running"):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return dict(found)

    def workers(self) -> list[int]:
        import psutil

        return [child.pid for child in psutil.Process(self.process.pid).children() if "studio.worker" in " ".join(child.cmdline())]


def until(wanted: Callable[[], Any], what: str = "", seconds: float = 120) -> Any:
    """The first value that counts as true; what was waited for is told where none comes."""
    deadline = time.monotonic() + seconds
    while not (found := wanted()):
        assert time.monotonic() < deadline, what or "what was waited for did not come"
        time.sleep(0.05)
    return found


def alive(pid: int) -> bool:
    """Whether a program still runs; one that ended and was not fetched yet does not."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    """One that no connection takes meanwhile. Another run beside this one draws its own; the studio goes on to the next free one and says which."""
    while True:
        port = random.SystemRandom().randrange(10_000, OUTGOING)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def lend_starter_model(data: Path) -> None:
    """The model that the test run fetched, linked instead of copied."""
    models = load_settings({})[0].models_path
    for model in starter_models():
        target = data / "models" / model.file
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() and (models / model.file).exists():
            target.symlink_to(models / model.file)


@contextmanager
def running(data: Path, *flags: str, env: dict[str, str] | None = None) -> Iterator[Running]:
    lend_starter_model(data)
    port = free_port()
    command = [sys.executable, "-m", "studio", "--no-browser", "--port", str(port), "--data-dir", str(data), *flags]
    with (data / "studio.log").open("ab") as log:
        before = log.tell()
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=os.environ | {"SEISEI_OFFLINE": "1"} | (env or {}))
    studio = Running(f"http://127.0.0.1:{port}", process, data)
    try:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None:
            said = (data / "studio.log").read_bytes()[before:].decode("utf-8", "replace")
            assert time.monotonic() < deadline, said
            if found := re.search(r"Seisei Studio is open at (http://\S+)\n", said):
                studio.url = found[1]
                break
            time.sleep(0.1)
        assert process.poll() is None, (data / "studio.log").read_text()
        yield studio
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
