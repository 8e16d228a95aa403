"""Stop is never lost: not before the page knows its chat, not before the job is queued, not in a worker that only talks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.events import Cancelled
from studio.host import Studio
from studio.jobs import JobQueue
from tabs.chats import Chat
from tabs.job_follow import Follower
from tabs.text_session import Open, Sessions
from tests.house import finish, make_queue, make_studio, process_executor
from tests.test_jobs import until


def asked(at: float, session: str = "page") -> Any:
    return SimpleNamespace(headers={"x-seisei-owner": "ann", "x-seisei-arrived": str(at)}, session_hash=session)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with make_studio(tmp_path) as studio:
        yield studio


@pytest.mark.parametrize(("pressed", "state"), [(2.0, "cancelled"), (0.5, "queued")], ids=["after it was asked", "before it was asked"])
def test_stop_ends_what_was_asked_before_it_even_if_it_is_queued_later(studio: Studio, pressed: float, state: str) -> None:
    follower = Follower(studio, "test.slot")
    follower.stop(asked(pressed), "cancel")  # overtakes a request that came at 1.0 and is still being read
    job = studio.submit("test.echo", {}, owner="ann")
    follower.begin(job, asked(1.0))
    assert job.state == state


def test_stop_after_the_job_began_ends_it_and_not_somebody_elses(studio: Studio) -> None:
    follower = Follower(studio, "test.slot")
    mine, other = studio.submit("test.echo", {}, owner="ann"), studio.submit("test.echo", {}, owner="bob")
    follower.begin(mine, asked(1.0))
    follower.stop(asked(2.0), "cancel")
    assert (mine.state, other.state) == ("cancelled", "queued")


def test_a_chat_is_stopped_by_what_its_page_follows_though_the_page_has_no_id_of_it_yet(studio: Studio) -> None:
    sessions = Sessions(studio)
    job = studio.submit("test.echo", {}, owner="ann")
    sessions.page("page").jobs.append(job.id)
    assert not sessions.stop(Open("", Chat(), "ann"), sessions.page("another page").jobs)
    assert sessions.stop(Open("", Chat(), "ann"), sessions.page("page").jobs)
    assert job.state == "cancelled"


def test_pages_are_forgotten_before_they_fill_the_memory(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabs.text_session.PAGES", 3)
    sessions = Sessions(studio)
    for number in range(5):
        sessions.page(str(number)).begun = True
    assert not sessions.page("0").begun and sessions.page("4").begun


def test_a_worker_that_talks_but_does_not_listen_is_ended(tmp_path: Path) -> None:
    executor = process_executor(tmp_path, grace=0.3)
    queue: JobQueue = make_queue(tmp_path, executor)
    queue.start()
    job = queue.submit("test.echo", {"deed": "deaf"}, owner="me")
    until(lambda: len(job.text) > 200)
    started = time.monotonic()
    assert queue.cancel(job.id, by="me")
    assert isinstance(list(job.events())[-1], Cancelled) and time.monotonic() - started < 30
    finish(queue)


def test_a_stop_between_two_moments_of_a_workers_start_is_not_lost(tmp_path: Path) -> None:
    """However the threads meet: each job is stopped while its worker takes it up."""
    queue = make_queue(tmp_path)
    worker: Any = queue.executors["device"].worker  # type: ignore[attr-defined]
    for number in range(200):
        ends: list[str] = []
        worker.jobs = SimpleNamespace(send=lambda ends=ends, **message: ends.append(message["end"]) if "end" in message else None)
        stop = threading.Thread(target=worker.control, args=({"op": "stop", "job": str(number), "mode": "cancel"},))
        stop.start()
        worker.run_job({"job": str(number), "pipeline": "test.echo", "params": {"steps": 1000, "pause": 0.001, "seed": 1}, "extras": {}})
        stop.join()
        assert ends == ["cancelled"]
    finish(queue)
