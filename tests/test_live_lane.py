"""The lane of live views: several jobs at once, each in a process of its own, beside the other lanes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.api import hookimpl
from studio.catalog import Catalog
from studio.events import Cancelled, Done, Failed, Queued
from studio.executor import PoolExecutor
from studio.jobs import JobQueue
from studio.plugins import Hooks
from studio.settings import Settings
from studio.store import Store
from tests.house import Echo, finish, process_executor, worker_config
from tests.test_jobs import until


class Live(Echo):
    id = "test.live"
    lane: Any = "live"


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    config = worker_config(tmp_path) | {"builtins": ["tests.house", "tests.test_live_lane"]}
    queue = JobQueue(
        pipelines={"test.echo": Echo(), "test.live": Live()}, executors={"device": process_executor(tmp_path), "live": PoolExecutor(config, slots=2, idle_seconds=0.5, grace=0.5)},
        store=Store(tmp_path), hooks=Hooks(), catalog=Catalog([]), settings=Settings(data_dir=str(tmp_path)), spool=tmp_path / "spool", budget=lambda settings: 2**30,
    )  # fmt: skip
    queue.start()
    yield queue
    finish(queue)


def pool(queue: JobQueue) -> PoolExecutor:
    found = queue.executors["live"]
    assert isinstance(found, PoolExecutor)
    return found


def begin(queue: JobQueue, *owners: str) -> list[Any]:
    jobs = [queue.submit("test.live", {"steps": 1000, "pause": 0.05}, owner=owner) for owner in owners]
    until(lambda: all(job.text for job in jobs), 30)
    return jobs


def test_two_run_at_once_each_in_its_own_process(queue: JobQueue) -> None:
    ann, bob = begin(queue, "ann", "bob")
    pids = pool(queue).pids
    assert len(set(pids.values())) == 2 and os.getpid() not in pids.values()
    assert [line["state"] for line in queue.listing("ann")] == ["running", "running"]


def test_a_live_view_does_not_keep_other_lanes_waiting(queue: JobQueue) -> None:
    begin(queue, "ann", "ann")
    job = queue.submit("test.echo", {}, owner="ann").wait()
    assert job.state == "done"


def test_the_third_waits_in_line_and_comes_when_one_stops(queue: JobQueue) -> None:
    first, _ = begin(queue, "ann", "bob")
    third = queue.submit("test.live", {"steps": 2}, owner="cy")
    assert third.latest(Queued) == Queued(1, 0.0)
    assert [(line["state"], line["position"]) for line in queue.listing("cy")] == [("running", 0), ("running", 0), ("queued", 1)]
    assert queue.cancel(first.id, by="ann")
    assert isinstance(list(first.events())[-1], Cancelled)
    assert isinstance(list(third.events())[-1], Done)


def test_one_that_is_killed_takes_no_other_with_it(queue: JobQueue) -> None:
    ann, bob = begin(queue, "ann", "bob")
    os.kill(pool(queue).pids[ann.id], signal.SIGKILL)
    end = list(ann.events())[-1]
    assert isinstance(end, Failed) and end.error["code"] == "worker_died"
    told = len(bob.text)
    until(lambda: len(bob.text) > told)
    assert bob.state == "running"
    assert begin(queue, "ann")[0].state == "running"


def test_updates_reach_their_own_job_only(queue: JobQueue) -> None:
    ann, bob = begin(queue, "ann", "bob")
    assert not queue.update(ann.id, "speed", 2, by="bob")
    assert queue.update(ann.id, "speed", 2, by="ann")
    assert queue.cancel(bob.id, by="bob") and queue.cancel(ann.id, by="ann")
    assert ann.wait().state == bob.wait().state == "cancelled"


def test_idle_workers_end(queue: JobQueue) -> None:
    jobs = begin(queue, "ann", "bob")
    pids = set(pool(queue).pids.values())
    for job in jobs:
        queue.cancel(job.id, by=job.owner)
        job.wait()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 20)


def test_a_stop_before_a_worker_has_it_is_heeded(tmp_path: Path) -> None:
    executor = PoolExecutor(worker_config(tmp_path), slots=1)
    executor.stop("one", "cancel")
    assert executor.run({"job": "one", "pipeline": "test.echo", "params": {}}, lambda report: None)["end"] == "cancelled"
    executor.close()


@hookimpl
def register_pipelines() -> list[Any]:
    return [Live()]
