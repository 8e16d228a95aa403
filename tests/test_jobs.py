"""The queue and its executors: fair, durable, stoppable, and alive after a worker's death."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.errors import BadInput, NotFound, QueueFull
from studio.events import Cancelled, Done, Failed, Loading, Progress, Queued, Saved, Text
from studio.executor import ProcessExecutor
from studio.jobs import Job, JobQueue, merge_texts
from studio.metadata import body
from tests.house import finish, make_queue, process_executor


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    queue = make_queue(tmp_path)
    yield queue
    finish(queue)


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[JobQueue]:
    queue = make_queue(tmp_path, process_executor(tmp_path, grace=0.5))
    queue.start()
    yield queue
    finish(queue)


def until(condition: object, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def test_a_job_tells_its_story_and_leaves_an_output(queue: JobQueue) -> None:
    queue.start()
    job = queue.submit("test.echo", {"prompt": "ab", "steps": 3}, owner="me")
    events = list(job.events())
    assert "".join(event.delta for event in events if isinstance(event, Text)) == "ab ab ab "
    assert isinstance(events[-1], Done) and any(isinstance(event, Saved) for event in events)
    output = queue.store.output(job.outputs[0])
    assert Path(output.path).read_text(encoding="utf-8").startswith("ababab")
    assert output.metadata["params"]["seed"] == job.params.seed >= 0  # type: ignore[attr-defined]


def test_a_late_listener_hears_everything_merged(queue: JobQueue) -> None:
    queue.start()
    job = queue.submit("test.echo", {"prompt": "x", "steps": 50}, owner="me").wait()
    texts = [event for event in job.events() if isinstance(event, Text)]
    assert [event.delta for event in texts] == ["x " * 50]


def test_merging_keeps_the_order_of_channels() -> None:
    merged = list(merge_texts([Text("a"), Text("b"), Text("t", "reasoning"), Text("c"), Done()]))
    assert merged == [Text("ab"), Text("t", "reasoning"), Text("c"), Done()]


def test_owners_take_turns(queue: JobQueue) -> None:
    for owner in ["ann", "ann", "ann", "bob", "cy"]:
        queue.submit("test.echo", {"prompt": owner}, owner=owner)
    order = [job.owner for job in queue._order("device")]
    assert order == ["ann", "bob", "cy", "ann", "ann"]
    queue._last_owner["device"] = "ann"
    assert [job.owner for job in queue._order("device")] == ["bob", "cy", "ann", "ann", "ann"]


def test_a_waiting_job_knows_its_place_and_can_be_cancelled(queue: JobQueue) -> None:
    jobs = [queue.submit("test.echo", {}, owner="me") for _ in range(3)]
    assert [getattr(job.latest(Queued), "position", None) for job in jobs] == [0, 1, 2]
    assert queue.cancel(jobs[0].id, by="me")
    assert isinstance(list(jobs[0].events())[-1], Cancelled)
    assert [getattr(job.latest(Queued), "position", None) for job in jobs[1:]] == [0, 1]


def test_only_the_owner_stops_a_job(queue: JobQueue) -> None:
    job = queue.submit("test.echo", {}, owner="me")
    assert not queue.cancel(job.id, by="you")
    assert job.state == "queued"
    assert queue.listing("you")[0]["id"] == "" and queue.listing("me")[0]["id"] == job.id


def test_bad_values_are_refused_at_the_door(queue: JobQueue) -> None:
    with pytest.raises(BadInput) as refused:
        queue.submit("test.echo", {"steps": 0}, owner="me")
    assert refused.value.field == "steps" and "Steps" in refused.value.message
    with pytest.raises(NotFound):
        queue.submit("test.nothing", {}, owner="me")
    assert queue.listing() == []


def test_a_full_queue_refuses_in_a_sentence(tmp_path: Path) -> None:
    queue = make_queue(tmp_path, queue_limit=2)
    for _ in range(2):
        queue.submit("test.echo", {}, owner="me")
    with pytest.raises(QueueFull):
        queue.submit("test.echo", {}, owner="me")
    queue.submit("test.echo", {}, owner="you")
    finish(queue)


@pytest.mark.parametrize(("deed", "code"), [("fail", "error"), ("bug", "internal")])
def test_a_failure_is_told_and_the_queue_goes_on(queue: JobQueue, deed: str, code: str) -> None:
    queue.start()
    failed = queue.submit("test.echo", {"deed": deed}, owner="me").wait()
    assert failed.state == "failed" and failed.error is not None and failed.error.code == code
    assert ("Traceback" in failed.error.traceback) == (deed == "bug")
    assert queue.submit("test.echo", {}, owner="me").wait().state == "done"


def test_the_worker_runs_a_job_in_its_own_process(supervised: JobQueue) -> None:
    job = supervised.submit("test.echo", {"prompt": "über 生成"}, owner="me").wait()
    executor = supervised.executors["device"]
    assert isinstance(executor, ProcessExecutor) and executor.pid not in (0, os.getpid())
    assert job.state == "done" and job.text == "über 生成über 生成über 生成"


def test_stop_reaches_a_running_job(supervised: JobQueue) -> None:
    job = supervised.submit("test.echo", {"steps": 1000, "pause": 0.02}, owner="me")
    until(lambda: job.text)
    assert supervised.cancel(job.id, by="me")
    job.wait()
    assert job.state == "cancelled" and job.text and len(job.text) < 900 * len("hello ")


def test_a_job_stopped_before_its_worker_is_up_never_runs(supervised: JobQueue) -> None:
    job = supervised.submit("test.echo", {"steps": 1000, "pause": 0.05}, owner="me")
    supervised.cancel(job.id, by="me")
    assert job.wait().state == "cancelled"


def test_a_worker_that_ignores_stop_is_killed(supervised: JobQueue) -> None:
    job = supervised.submit("test.echo", {"deed": "hang"}, owner="me")
    until(lambda: job.text)
    supervised.cancel(job.id, by="me")
    assert job.wait().state == "cancelled"
    assert supervised.submit("test.echo", {}, owner="me").wait().state == "done"


def test_what_a_killed_worker_left_half_done_is_taken_away(supervised: JobQueue) -> None:
    job = supervised.submit("test.echo", {"deed": "litter"}, owner="me").wait()
    assert job.state == "failed"
    left = Path(body(Path(supervised.store.output(job.outputs[0]).path)).decode())
    assert left.name.startswith("half-a-film-") and left.is_relative_to(supervised.spool)
    assert not left.exists() and not left.parent.exists()


def test_what_workers_left_when_the_studio_was_killed_is_taken_away_at_its_start(tmp_path: Path) -> None:
    half = tmp_path / "spool" / "temporary" / "4321" / "half-a-film" / "film.wav"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"RIFF")
    queue = make_queue(tmp_path)
    queue.start()
    assert not half.exists() and not half.parent.parent.exists()
    finish(queue)


def test_a_killed_worker_fails_its_job_keeps_its_text_and_is_replaced(supervised: JobQueue) -> None:
    job = supervised.submit("test.echo", {"steps": 1000, "pause": 0.02, "prompt": "kept"}, owner="me")
    until(lambda: job.text.count("kept") > 2)
    executor = supervised.executors["device"]
    assert isinstance(executor, ProcessExecutor)
    os.kill(executor.pid, signal.SIGKILL)
    assert isinstance(list(job.events())[-1], Failed)
    assert job.error is not None and job.error.code == "worker_died" and job.error.hint
    assert "kept" in supervised.store.job_row(job.id)["text"]
    assert supervised.submit("test.echo", {}, owner="me").wait().state == "done"


def test_what_was_finished_before_a_death_is_in_the_gallery(supervised: JobQueue) -> None:
    job = supervised.submit("test.echo", {"deed": "parts", "steps": 1000, "pause": 0.02}, owner="me")
    until(lambda: len(job.outputs) > 1)
    supervised.executors["device"].kill()  # type: ignore[attr-defined]
    job.wait()
    assert len(supervised.store.outputs(owner="me")) == len(job.outputs) >= 2


def test_jobs_and_finished_parts_survive_the_studio(tmp_path: Path) -> None:
    first = make_queue(tmp_path)
    waiting = first.submit("test.echo", {"prompt": "later"}, owner="me")
    spool = tmp_path / "spool" / waiting.id
    spool.mkdir(parents=True)
    (spool / "0001.md").write_bytes(b"half a job")
    (spool / "0001.md.artifact").write_text('{"kind":"text","suffix":".md","title":"","facts":{},"file":"0001.md"}')
    finish(first)
    second = make_queue(tmp_path)
    second.start()
    until(lambda: second.store.count(owner="me") == 2)
    until(lambda: second.store.job_row(waiting.id)["state"] == "done")
    all_of_it = [output.id for output in second.store.outputs_of(waiting.id)]
    assert second.get(waiting.id).outputs == second.store.job_row(waiting.id)["outputs"] == all_of_it, "also what it kept before"
    finish(second)


def test_a_job_that_ended_two_studios_is_not_tried_again(tmp_path: Path) -> None:
    first = make_queue(tmp_path)
    job = first.submit("test.echo", {}, owner="me")
    first.store.update_job(job.id, state="running", attempts=2)
    finish(first)
    second = make_queue(tmp_path)
    second.start()
    row = second.store.job_row(job.id)
    assert row["state"] == "failed" and "twice" in row["error"]["message"]
    finish(second)




def test_waiting_jobs_change_places_and_others_keep_their_turns(queue: JobQueue) -> None:
    first, second, third = (queue.submit("test.echo", {"prompt": name}, owner="ann") for name in ("a", "b", "c"))
    queue.submit("test.echo", {}, owner="bob")
    assert [line["id"] for line in queue.listing("ann")] == [first.id, "", second.id, third.id]
    assert queue.move(third.id, by="ann", earlier=True)
    assert not queue.move(third.id, by="bob", earlier=True), "only one's own"
    assert not queue.move(first.id, by="ann", earlier=True), "the first stays the first"
    assert [line["id"] for line in queue.listing("ann")] == [first.id, "", third.id, second.id]
    rows = [row["id"] for row in queue.store.job_rows(["queued"])]
    assert rows.index(third.id) < rows.index(second.id), "the order outlives a restart"


def test_the_note_of_loading_ends_when_steps_are_told(tmp_path: Path) -> None:
    queue = make_queue(tmp_path)
    job = Job(id="x", pipeline=queue.pipelines["test.echo"], params=queue.pipelines["test.echo"].Params(), owner="local", source="page", extras={})
    assert job.note() == ""
    job.tell(Loading("Moving it to the device"))
    assert job.note() == "Moving it to the device"
    job.tell(Progress(1, 4))
    assert job.note() == ""
    finish(queue)
