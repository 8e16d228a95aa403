"""A whole studio as its users start it: its own processes, the real starter model, a data folder of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.settings import load_settings
from studio.starter import starter_models

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 180  # a busy machine imports slowly
MODEL = "SmolLM2-135M-Instruct.Q4_1"


@dataclass
class Running:
    url: str
    process: subprocess.Popen[bytes]
    data: Path

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def post(self, path: str, **body: Any) -> Any:
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def ask(self, text: str, **more: Any) -> str:
        messages = [{"role": "user", "content": text}]
        return str(self.post("/api/v1/pipelines/text.chat", model=MODEL, messages=messages, **more)["id"])

    def wait(self, job: str, seconds: float = 60) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while (found := self.get(f"/api/v1/jobs/{job}"))["state"] in ("queued", "running"):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return dict(found)

    def workers(self) -> list[int]:
        import psutil

        return [child.pid for child in psutil.Process(self.process.pid).children() if "studio.worker" in " ".join(child.cmdline())]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=os.environ | {"SEISEI_OFFLINE": "1"} | (env or {}))
    studio = Running(f"http://127.0.0.1:{port}", process, data)
    try:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None:
            assert time.monotonic() < deadline, (data / "studio.log").read_text()
            try:
                urllib.request.urlopen(studio.url + "/", timeout=5).close()
                break
            except urllib.error.HTTPError as asked_to_sign_in:
                asked_to_sign_in.close()
                break
            except OSError:
                time.sleep(0.1)
        assert process.poll() is None, (data / "studio.log").read_text()
        yield studio
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
