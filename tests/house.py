"""A small house for tests: tiny pipelines, a queue over either executor, a temporary data folder."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from studio.api import Artifact, Catalog, Need, Params, Progress, Result, RunContext, StudioError, hookimpl
from studio.executor import Executor, InlineExecutor, ProcessExecutor
from studio.host import Studio
from studio.jobs import JobQueue
from studio.plugins import Hooks
from studio.settings import Settings
from studio.simulation import Simulations
from studio.store import Store


class EchoParams(Params):
    prompt: str = Field("hello", title="Prompt", description="Text to repeat.")
    steps: int = Field(3, ge=1, le=1000, title="Steps", description="How often.")
    pause: float = Field(0.0, ge=0, le=60, title="Pause", description="Seconds between steps.")
    seed: int = Field(-1, ge=-1, title="Seed", description="-1 is random.")
    deed: str = Field("", title="Deed", description="fail, bug, die, litter, hang, deaf or parts.")


class Echo:
    """Repeats its prompt; on request it fails in each way a pipeline can."""

    id: ClassVar[str] = "test.echo"
    title: ClassVar[str] = "Echo"
    lane: ClassVar[Any] = "device"
    Params: ClassVar[type[Params]] = EchoParams

    def need(self, params: EchoParams, catalog: Catalog) -> Need:
        return Need()

    def run(self, params: EchoParams, ctx: RunContext) -> Result:
        while params.deed == "deaf":
            ctx.text("word ")
            time.sleep(0.001)
        for step in range(params.steps):
            ctx.progress(step, params.steps)
            ctx.text(f"{params.prompt} ")
            if params.deed == "parts":
                ctx.output(Artifact("text", f"part {step}".encode(), ".md"))
            if params.deed == "litter":
                ctx.output(Artifact("text", tempfile.mkdtemp(prefix="half-a-film-").encode(), ".md"))
                os.kill(os.getpid(), signal.SIGKILL)
            if params.deed == "hang":
                while True:
                    time.sleep(1)
            if params.deed == "die" and step == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            if params.deed == "fail":
                raise StudioError("It did not work.", hint="Try the other one.")
            if params.deed == "bug":
                raise ZeroDivisionError("one over nothing")
            time.sleep(params.pause)
        text = params.prompt * params.steps
        return Result([Artifact("text", text.encode(), ".md", title=params.prompt)], {"seed": ctx.seed})


@hookimpl
def register_pipelines() -> list[Any]:
    return [Echo()]


def worker_config(data: Path) -> dict[str, Any]:
    return {
        "builtins": ["tests.house"], "roots": [], "device": "cpu", "threads": 1, "budget": 2**30, "spool": str(data / "spool"), "inputs": str(data / "inputs"), "hashes": str(data / "hashes.json"),
        "extensions": [], "disabled": [], "safe": True, "keep_loaded": True,
    }  # fmt: skip


def make_queue(data: Path, executor: Executor | None = None, hooks: Hooks | None = None, **settings: Any) -> JobQueue:
    if hooks is None:
        hooks = Hooks()
        hooks.load_builtin("tests.house")
    executor = executor or InlineExecutor(worker_config(data))
    pipelines = {item.id: item for item in hooks.collect("register_pipelines", simulations=Simulations(hooks.collect("register_simulations")))}
    return JobQueue(
        pipelines=pipelines, executors={"device": executor}, store=Store(data), hooks=hooks, catalog=Catalog([]),
        settings=Settings(data_dir=str(data), **settings), spool=data / "spool", budget=lambda settings: 2**30,
    )  # fmt: skip


def process_executor(data: Path, **options: Any) -> ProcessExecutor:
    return ProcessExecutor(worker_config(data), **options)


def finish(queue: JobQueue) -> None:
    queue.close()
    queue.store.close()


@contextmanager
def make_studio(data: Path) -> Iterator[Studio]:
    """A whole Studio over the small house: all but the page and the worker."""
    from studio.downloads import Downloads
    from studio.i18n import Words

    queue = make_queue(data)
    queue.catalog.roots = [queue.settings.models_path]
    downloads = Downloads(lambda: queue.settings, queue.catalog.refresh)
    yield Studio(queue.settings, queue.hooks, queue.pipelines, queue.catalog, queue, queue.store, Words(), downloads)
    finish(queue)


def progress_of(queue: JobQueue, monkeypatch: Any) -> list[Progress]:
    """All that the queue's jobs tell of their progress from now on; it grows."""
    told: list[Progress] = []
    notify = queue.hooks.notify

    def hear(name: str, **args: Any) -> None:
        told.extend([args["event"]] if isinstance(args.get("event"), Progress) else [])
        notify(name, **args)

    monkeypatch.setattr(queue.hooks, "notify", hear)
    return told
