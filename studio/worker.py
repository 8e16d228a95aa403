"""The process that owns a device: models and torch live here and only here.

Run as `python -m studio.worker`; it connects back to the studio, takes jobs on one line and answers
control messages on another, from a thread, while a job runs. It ends itself when a line closes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from studio.artifacts import Artifact, Result
from studio.catalog import Catalog
from studio.entries import ModelEntry
from studio.errors import InternalError, Stopped, StudioError
from studio.events import FRAME_FILE, Event, Frame, Loading, Preview, Progress, Stats, Text
from studio.hashes import HashBook
from studio.inputs import Inputs
from studio.memory.manager import LeasedModels
from studio.params import Params
from studio.pipeline import Pipeline, Stopping
from studio.plugins import Hooks
from studio.runcontext import Eta, RateLimit, Share
from studio.seam import Line, call_back, temporary_folder
from studio.simulation import Simulation, Simulations

WORDS_SECONDS = 0.02
PREVIEW_SHARE, PREVIEW_SECONDS = 0.015, 0.1  # previews may take this share of the time, and come this far apart; what they push out of near memory, and the page that fetches them, cost as much again


class Outbox(Protocol):
    def send(self, **message: Any) -> None: ...


class WorkerContext:
    """RunContext as a pipeline sees it inside the worker."""

    def __init__(self, worker: Worker, job: dict[str, Any]) -> None:
        self.job_id: str = job["job"]
        self.seed: int = int(job["params"].get("seed", 0))
        self.device: str = worker.config["device"]
        self.threads: int = worker.config["threads"]
        self.processes: int = worker.config.get("processes", 1)
        self._worker = worker
        self.kept = [Path(path) for path in job.get("kept", [])]
        self._secrets: dict[str, str] = job.get("secrets", {})
        self._stopping: Stopping = "none"
        self._updates: list[tuple[str, Any]] = []
        self._count = 0
        self._eta = Eta()
        self._previews = Share(PREVIEW_SHARE, PREVIEW_SECONDS)
        self._progress = RateLimit(0.05)
        self._note = ""
        self._words: tuple[str, str] | None = None  # channel and text that wait for the next moment
        self._sent = 0.0

    @property
    def models(self) -> LeasedModels:
        return self._worker.models

    @property
    def catalog(self) -> Catalog:
        return self._worker.catalog

    @property
    def stopping(self) -> Stopping:
        return self._stopping

    def stop(self, mode: Stopping) -> None:
        self._stopping = mode

    def skipped(self) -> None:
        if self._stopping == "skip":
            self._stopping = "none"

    def update(self, field: str, value: Any) -> None:
        self._updates.append((field, value))

    def emit(self, event: Event) -> None:
        if not isinstance(event, Text):
            self.flush()
        self._worker.jobs.send(job=self.job_id, event=event.wire())

    def check(self) -> None:
        if self._stopping == "cancel":
            raise Stopped

    def progress(self, step: int, total: int, note: str = "", share: float = -1.0) -> None:
        self.check()
        eta = self._eta.after(share if share >= 0 else step / max(1, total))
        if step >= total or note != self._note or self._progress.ready():
            self._note = note
            self.emit(Progress(step, total, note, eta))

    def loading(self, note: str, fraction: float = -1.0) -> None:
        self.emit(Loading(note, fraction))

    def text(self, delta: str, channel: str = "answer") -> None:
        """Sent at once unless the last words just left: fast models would spend more on messages than on words."""
        if not delta:
            return
        if self._words and self._words[0] != channel:
            self.flush()
        self._words = (channel, (self._words[1] if self._words else "") + delta)
        if time.monotonic() - self._sent >= WORDS_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Send the words that were held back."""
        if self._words:
            (channel, text), self._words = self._words, None
            self._sent = time.monotonic()
            self.emit(Text(text, channel))

    def stats(self, **values: Any) -> None:
        self.emit(Stats(values))

    def preview(self, image: Any) -> None:
        if not self._previews.due():
            return
        started = time.monotonic()
        if callable(image):
            image = image()
        path = self._spool() / "preview.png"
        part = path.with_suffix(".part")
        if isinstance(image, bytes):
            part.write_bytes(image)
        else:
            image.save(part, format="PNG", compress_level=1)
        part.replace(path)
        self.emit(Preview(str(path)))
        self._previews.took(time.monotonic() - started)

    def frame(self, pixels: Any, rows: Any, **told: Any) -> None:
        """One file: four bytes with the length of a JSON head, the head, rows as 64-bit floats, pixels as bytes. Whoever fetches it takes it as it is."""
        shape = list(pixels.shape[:2]) if pixels is not None else [0, 0]
        head = json.dumps(told | {"height": shape[0], "width": shape[1], "rows": len(rows)}).encode()
        head += b" " * (-(4 + len(head)) % 8)
        path = self._spool() / FRAME_FILE
        part = path.with_suffix(".part")
        part.write_bytes(len(head).to_bytes(4, "little") + head + rows.tobytes() + (pixels.tobytes() if pixels is not None else b""))
        part.replace(path)
        self.emit(Frame(str(path), shape, int(told.get("frame", 0))))

    def output(self, artifact: Artifact) -> None:
        """Spooled file first, description second: a description without its file never exists."""
        self._count += 1
        path = self._spool() / f"{self._count:04}{artifact.suffix}"
        path.write_bytes(artifact.data)
        about = {"kind": artifact.kind, "suffix": artifact.suffix, "title": artifact.title, "facts": artifact.facts, "origin": artifact.origin, "file": path.name}
        described = path.with_name(f"{path.name}.artifact")
        part = described.with_name(described.name + ".part")
        part.write_text(json.dumps(about), encoding="utf-8")
        part.replace(described)
        self._worker.jobs.send(job=self.job_id, artifact=str(described))

    def call(self, pipeline_id: str, params: dict[str, Any]) -> Result:
        pipeline = self._worker.pipeline(pipeline_id)
        return pipeline.run(pipeline.Params.parse(params), self)

    def updates(self) -> Iterator[tuple[str, Any]]:
        while self._updates:
            yield self._updates.pop(0)

    def model(self, key: str) -> ModelEntry:
        return self._worker.catalog.find(key)

    def input(self, key: str) -> Path:
        return Inputs(Path(self._worker.config["inputs"])).path(key)

    def secret(self, name: str) -> str:
        return self._secrets.get(name, "")

    def _spool(self) -> Path:
        folder = Path(self._worker.config["spool"]) / self.job_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder


class Worker:
    """Takes jobs one at a time; a control thread listens meanwhile."""

    def __init__(self, config: dict[str, Any], jobs: Outbox) -> None:
        self.config = config
        self.jobs = jobs
        self.remote: list[ModelEntry] = []
        self.catalog = Catalog([Path(root) for root in config["roots"]], extra=lambda: self.remote, known=HashBook(Path(config["hashes"])).of)
        self._seen = 0  # which look of the studio at its folders this catalogue holds
        self.models = LeasedModels(config["budget"], self._loading, self._loaded)
        self.pipelines: dict[str, Pipeline] = {}
        self.context: WorkerContext | None = None
        self._early_stop: dict[str, Stopping] = {}
        self._stop_lock = threading.Lock()  # a Stop comes to the job that runs or to the next, never between them
        self.load_pipelines()

    def load_pipelines(self, *, extensions: bool = False) -> None:
        """The built-ins' at the start; those of extensions, which may import anything, when the first of theirs is asked for."""
        hooks = Hooks()
        for name in self.config["builtins"]:
            hooks.load_builtin(name)
        if extensions:
            hooks.load_extensions([(Path(path), bundled) for path, bundled in self.config["extensions"]], self.config["disabled"], self.config["safe"])
        simulations = Simulations(hooks.collect("register_simulations"), more=None if extensions else self._more_simulations)
        self.pipelines = {pipeline.id: pipeline for pipeline in hooks.collect("register_pipelines", simulations=simulations)}

    def _more_simulations(self) -> list[Simulation]:
        """Those of extensions, which may import anything, when the first of theirs is asked for."""
        hooks = Hooks()
        hooks.load_extensions([(Path(path), bundled) for path, bundled in self.config["extensions"]], self.config["disabled"], self.config["safe"])
        return hooks.collect("register_simulations")

    def pipeline(self, pipeline_id: str) -> Pipeline:
        if pipeline_id not in self.pipelines:
            self.load_pipelines(extensions=True)
        if pipeline_id not in self.pipelines:
            raise StudioError(f"The method “{pipeline_id}” is not installed.", hint="Install the extension that brings it.")
        return self.pipelines[pipeline_id]

    def serve(self, jobs: Line, control: Line) -> None:
        threading.Thread(target=self._listen, args=(control,), daemon=True, name="control").start()
        while True:
            message = jobs.receive()
            if message["op"] == "exit":
                return
            self.run_job(message)

    def run_job(self, message: dict[str, Any]) -> None:
        self.remote = [ModelEntry(**entry) for entry in message.get("entries", [])]
        self._look_again(message.get("catalog", 0))
        context = WorkerContext(self, message)
        with self._stop_lock:
            self.context = context
            if mode := self._early_stop.pop(context.job_id, None):
                context.stop(mode)
        try:
            context.check()
            pipeline = self.pipeline(message["pipeline"])
            params: Params = pipeline.Params.parse(message["params"])
            try:
                result = pipeline.run(params, context)
            finally:
                context.flush()
            for artifact in result.artifacts:
                context.output(artifact)
            self.jobs.send(job=context.job_id, end="cancelled" if context.stopping == "cancel" else "done", summary=result.summary)
        except Stopped:
            self.jobs.send(job=context.job_id, end="cancelled", summary={})
        except StudioError as error:
            self.jobs.send(job=context.job_id, end="failed", error=error.wire())
        except MemoryError:
            wire = StudioError("The computer ran out of memory.", hint="Choose a smaller model or a shorter context.").wire()
            self.jobs.send(job=context.job_id, end="failed", error=wire)
        except Exception as error:  # a bug: told as such, with its traceback
            wire = InternalError(
                f"Something went wrong inside the studio ({type(error).__name__}: {error}).",
                hint="Try again; if it stays, send the report from Settings.",
                traceback=traceback.format_exc(),
            ).wire()
            self.jobs.send(job=context.job_id, end="failed", error=wire)
        finally:
            self.context = None
            if not self.config["keep_loaded"]:
                self.models.unload()

    def _look_again(self, version: int) -> None:
        """The catalogue as new as the studio's; a loaded model whose file was replaced is not used any more."""
        if version == self._seen:
            return
        self._seen = version
        before = {entry.key: entry.details.get("changed") for entry in self.catalog.entries()} if self.catalog.version else {}
        for entry in self.catalog.refresh():
            if entry.key in before and entry.details.get("changed") != before[entry.key]:
                self.models.unload(entry.key)

    def _loading(self, note: str, fraction: float) -> None:
        if self.context:
            self.context.loading(note, fraction)

    def _loaded(self, key: str, size: int) -> None:
        self.jobs.send(loaded=key, bytes=size)

    def _listen(self, control: Line) -> None:
        try:
            while True:
                message = control.receive()
                answer = self.control(message)
                if answer is not None:
                    control.send(reply=message["id"], **answer)
        except (EOFError, OSError):
            os._exit(0)  # the studio is gone: no orphans, even inside a native call

    def control(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Act on one control message; returns the answer of those that have one."""
        context = self.context
        match message["op"]:
            case "stop":
                self._stop(message["job"], message["mode"])
            case "update" if context and context.job_id == message["job"]:
                context.update(message["field"], message["value"])
            case "configure":
                self.config |= message["values"]
                self.models.budget = self.config["budget"]
            case "unload":
                return {"unloaded": self.models.unload(message["key"])}
            case "status":
                return {"loaded": self.models.status(), "torch": "torch" in sys.modules}
        return None

    def _stop(self, job_id: str, mode: Stopping) -> None:
        """Of the job that runs, or of the one that comes next."""
        with self._stop_lock:
            if self.context and self.context.job_id == job_id:
                self.context.stop(mode)
            else:
                self._early_stop = {job_id: mode}


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    config, (jobs, control) = call_back(2)
    tempfile.tempdir = str(temporary_folder(config["spool"], os.getpid()))
    Path(tempfile.tempdir).mkdir(parents=True, exist_ok=True)
    try:
        worker = Worker(config, jobs)
    except StudioError as error:
        jobs.send(hello=False, error=error.wire())
        return
    jobs.send(hello=True, pid=os.getpid(), pipelines=sorted(worker.pipelines))
    try:
        worker.serve(jobs, control)
    except (EOFError, OSError):
        return


if __name__ == "__main__":
    main()
