"""Opening a tab has the libraries imported that its first job waits for; a job that comes meanwhile waits for them."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from studio.api import Lane, Need, Params, Result, WorkerDied
from studio.app import PIPELINES
from studio.executor import ProcessExecutor
from studio.jobs import JobQueue
from studio.pipeline import WarmsUp
from studio.plugins import Hooks
from studio.simulation import Simulations
from studio.worker import Worker
from tests.house import worker_config


class Heavy:
    """Its libraries take as long as the test says."""

    id: ClassVar[str] = "test.heavy"
    title: ClassVar[str] = "Heavy"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = Params

    def __init__(self, told: list[str]) -> None:
        self.told, self.go, self.begun = told, threading.Event(), threading.Event()

    def need(self, params: Params, catalog: Any) -> Need:
        return Need()

    def warm_up(self) -> None:
        self.begun.set()
        assert self.go.wait(30)
        self.told.append("warm")

    def run(self, params: Params, ctx: Any) -> Result:
        self.told.append("run")
        return Result([])


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(worker_config(tmp_path) | {"builtins": []}, SimpleNamespace(send=lambda **message: None))


def test_a_job_that_comes_meanwhile_waits(worker: Worker) -> None:
    told: list[str] = []
    heavy = Heavy(told)
    worker.pipelines[heavy.id] = heavy
    worker.control({"op": "warm", "pipeline": heavy.id})
    assert heavy.begun.wait(30)
    worker.control({"op": "warm", "pipeline": heavy.id})  # a second look at the tab begins nothing new
    job = threading.Thread(target=worker.run_job, args=({"job": "one", "pipeline": heavy.id, "params": {}},))
    job.start()
    job.join(0.2)
    assert job.is_alive() and told == []
    heavy.go.set()
    job.join(30)
    assert told == ["warm", "run"]


def test_what_fails_is_left_to_the_job(worker: Worker) -> None:
    class Broken(Heavy):
        def warm_up(self) -> None:
            raise ImportError("no such library")

    told: list[str] = []
    worker.pipelines[Broken.id] = Broken(told)
    worker.control({"op": "warm", "pipeline": Broken.id})
    worker.run_job({"job": "one", "pipeline": Broken.id, "params": {}})
    assert told == ["run"]


def test_a_worker_that_does_not_start_is_told_by_the_next_job() -> None:
    asked: list[str] = []

    def warm(pipeline_id: str) -> None:
        asked.append(pipeline_id)
        raise WorkerDied("The model process did not start.")

    queue: Any = SimpleNamespace(executors={"device": SimpleNamespace(warm=warm)})
    JobQueue._warm(queue, "device", Heavy.id)
    assert asked == [Heavy.id]


OPENED = """
import gradio as gr
from types import SimpleNamespace
from studio.i18n import Words
from studio.shell import build_page

class Heavy:
    def warm_up(self): ...

class Page:
    id, title, order, warms = "heavy", "Heavy", 1, ("test.heavy", "test.light", "no.such")
    def build(self, studio):
        gr.Markdown("Heavy")

warmed = []
studio = SimpleNamespace(words=Words(), pipelines={"test.heavy": Heavy(), "test.light": object()}, jobs=SimpleNamespace(warm_up=warmed.append))
page = build_page(studio, [Page()])
tab = next(item for item in page.blocks.values() if isinstance(item, gr.Tab) and item.id == "heavy")
[opened] = [fn.fn for fn in page.fns.values() if (tab._id, "select") in fn.targets]
opened()
print(warmed)
"""


def test_the_tab_that_says_so_warms_up_when_it_is_opened() -> None:
    said = subprocess.run([sys.executable, "-c", OPENED], capture_output=True, text=True, check=False)
    assert said.stdout == "['test.heavy']\n", said.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("built_in", "pipeline"), [("pipelines.image", "image.generate"), ("pipelines.music", "music.compose")])
def test_a_worker_has_the_libraries_before_its_first_job(tmp_path: Path, built_in: str, pipeline: str) -> None:
    import time

    executor = ProcessExecutor(worker_config(tmp_path) | {"builtins": [built_in]})
    try:
        executor.warm(pipeline)
        end = time.monotonic() + 120
        while not executor.ask("status", seconds=30).get("torch") and time.monotonic() < end:
            time.sleep(0.2)
        assert executor.ask("status", seconds=30)["torch"]
    finally:
        executor.close()


def test_the_first_jobs_that_wait_for_most_say_so() -> None:
    hooks = Hooks()
    for name in PIPELINES:
        hooks.load_builtin(name)
    found = hooks.collect("register_pipelines", simulations=Simulations([]))
    assert {one.id for one in found if isinstance(one, WarmsUp)} == {"image.generate", "music.compose"}
