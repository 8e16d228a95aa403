"""Work over several processes: every result once, Stop at once, nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from pipelines.simulation import spread as spreading
from pipelines.simulation.spread import Helpers, spread
from studio.api import BadInput, InternalError, Stopped, WorkerDied

ROOT = Path(__file__).resolve().parent.parent


class Context:
    """What spread asks of a run; stops when `stop_at` reports came."""

    def __init__(self, processes: int, stop_at: int = 10**9) -> None:
        self.processes, self.stop_at = processes, stop_at
        self.told: list[tuple[int, int, str]] = []

    def progress(self, step: int, total: int, note: str = "", share: float = -1.0) -> None:
        self.told.append((step, total, note))
        if len(self.told) >= self.stop_at:
            raise Stopped


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "START_SECONDS", 0.0)


def squared(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def slept(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def refuses(number: int) -> int:
    if number == 3:
        raise BadInput("Three is refused.", hint="Take four.", field="values.number")
    if number == 5:
        raise ZeroDivisionError("by five")
    return number


def dies_once(task: tuple[str, int]) -> int:
    """The process of task 2 kills itself, the first time only."""
    mark, number = Path(task[0]), task[1]
    if number == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def dies(number: int) -> int:
    if number:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def threads(number: int) -> list[str | None]:
    return [os.environ.get(name) for name in spreading.THREADS]


def children() -> list[int]:
    return [child.pid for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


def test_every_result_comes_once_under_its_number_and_the_work_is_shared() -> None:
    found = dict(spread(Context(3), squared, list(range(40))))  # type: ignore[arg-type]
    assert {number: value for number, (value, _) in found.items()} == {number: number**2 for number in range(40)}
    pids = {pid for _, pid in found.values()}
    assert os.getpid() in pids and 2 <= len(pids) <= 4
    assert not children()


def test_one_process_works_here_in_order() -> None:
    context = Context(1)
    found = list(spread(context, squared, list(range(5)), "Runs"))  # type: ignore[arg-type]
    assert [number for number, _ in found] == list(range(5)) and {pid for _, (_, pid) in found} == {os.getpid()}
    assert context.told == [(step, 5, "Runs") for step in range(6)]


def test_little_work_stays_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "START_SECONDS", 3.0)
    assert {pid for _, (_, pid) in spread(Context(4), squared, list(range(50)))} == {os.getpid()}  # type: ignore[arg-type]


@pytest.mark.parametrize(("processes", "left", "taken", "goes"), [
    (2, 10, [0.5], False), (2, 10, [9.0, 0.5], False), (2, 10, [9.0, 0.7], True), (2, 5, [11.0], True), (2, 10, [0.7, 9.0], True), (2, 10, [0.5, 0.5], False), (4, 10, [0.5, 0.5], True), (4, 2, [2.9, 2.9], False), (1, 90, [9.0, 9.0], False),
])  # fmt: skip
def test_work_goes_elsewhere_where_that_is_sooner(monkeypatch: pytest.MonkeyPatch, processes: int, left: int, taken: list[float], goes: bool) -> None:
    """A start takes 3 s, in which nothing is done: two processes must save more than that, by the quickest task so far. The first may have compiled."""
    monkeypatch.setattr(spreading, "START_SECONDS", 3.0)
    assert spreading.worthwhile(processes, left, taken) is goes


def test_progress_rises_to_all() -> None:
    context = Context(2)
    list(spread(context, squared, list(range(9))))  # type: ignore[arg-type]
    steps = [step for step, _, _ in context.told]
    assert steps == sorted(steps) and steps[0] == 0 and steps[-1] == 9


def test_enough_ends_it_without_an_error() -> None:
    seen: list[int] = []
    for number, _ in spread(Context(2), slept, [0.01, 0.01, 0.01, 60.0, 60.0], enough=lambda: len(seen) >= 3):  # type: ignore[arg-type]
        seen.append(number)
    assert seen == [0, 1, 2] and not children()


def test_no_tasks_give_nothing() -> None:
    assert list(spread(Context(2), squared, [])) == []  # type: ignore[arg-type]


def test_stop_ends_the_processes_within_a_second() -> None:
    started = time.monotonic()
    with pytest.raises(Stopped):
        list(spread(Context(2, stop_at=8), slept, [0.01, 0.01, *[600.0] * 4]))  # type: ignore[arg-type]
    assert time.monotonic() - started < 300 and not children()


def test_leaving_the_loop_ends_the_processes() -> None:
    results = spread(Context(2), slept, [0.01, 0.01, 0.01, 60.0, 60.0])  # type: ignore[arg-type]
    for _ in range(3):
        next(results)
    assert children()
    results.close()  # type: ignore[attr-defined]
    assert not children()


def test_a_process_that_dies_is_replaced_and_its_task_done_again(tmp_path: Path) -> None:
    tasks = [(str(tmp_path / "mark"), number) for number in range(8)]
    assert sorted(spread(Context(2), dies_once, tasks)) == [(number, number) for number in range(8)]  # type: ignore[arg-type]


def test_a_task_that_ends_two_processes_fails_with_a_sentence() -> None:
    with pytest.raises(WorkerDied, match="twice at the same part"):
        list(spread(Context(2), dies, [0, 0, 1, 0]))  # type: ignore[arg-type]
    assert not children()


def test_what_the_work_refuses_arrives_whole() -> None:
    with pytest.raises(BadInput) as refused:
        list(spread(Context(2), refuses, [0, 1, 3, 4]))  # type: ignore[arg-type]
    assert (refused.value.message, refused.value.hint, refused.value.field) == ("Three is refused.", "Take four.", "values.number")


def test_a_bug_in_the_work_arrives_with_its_traceback() -> None:
    with pytest.raises(InternalError) as bug:
        list(spread(Context(2), refuses, [0, 1, 5, 4]))  # type: ignore[arg-type]
    assert "ZeroDivisionError: by five" in bug.value.message and "refuses" in bug.value.traceback


def test_processes_have_one_thread_and_leave_this_one_as_it_was() -> None:
    before = threads(0)
    found = dict(spread(Context(2), threads, [0, 1, 2, 3]))  # type: ignore[arg-type]
    assert found[3] == ["1"] * len(spreading.THREADS) and threads(0) == before


def test_processes_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom tests.test_spread import Context, slept\nfrom pipelines.simulation import spread\nspread.START_SECONDS = 0.0\n"
        "if __name__ == '__main__':\n    list(spread.spread(Context(2), slept, [0.01, 0.01, 0.01, 600.0, 600.0]))\n"
    )
    (tmp_path / "parent.py").write_text(code)
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py")], env=os.environ | {"PYTHONPATH": str(ROOT)})
    crew: list[psutil.Process] = []
    deadline = time.monotonic() + 60
    while len(crew) < 2 and time.monotonic() < deadline:
        crew = [child for child in psutil.Process(parent.pid).children() if "spawn_main" in " ".join(child.cmdline())]
        time.sleep(0.1)
    parent.kill()
    parent.wait()
    assert len(crew) == 2
    _, alive = psutil.wait_procs(crew, timeout=120)
    assert not alive


def test_numbers_cross_unchanged() -> None:
    found: dict[int, Any] = dict(spread(Context(2), np.sqrt, [np.arange(4.0)] * 3))  # type: ignore[arg-type]
    assert all((found[number] == np.sqrt(np.arange(4.0))).all() for number in range(3))


class Checked(Context):
    """Stops at the check that follows `stop_at` others."""

    def check(self) -> None:
        self.progress(0, 0)


def test_helpers_stay_for_many_rounds_and_end() -> None:
    with Helpers(Checked(2), squared) as helpers:  # type: ignore[arg-type]
        first, second = helpers.map([1, 2, 3]), helpers.map(list(range(40)))
        processes = {process for _, process in [*first, *second]}
        assert [number for number, _ in second] == [number * number for number in range(40)]
        assert 1 <= len(processes) <= 2 and os.getpid() not in processes
        assert helpers.map([]) == []
    assert not any(psutil.pid_exists(process) for process in processes)


def test_a_round_that_was_left_says_nothing_in_the_next() -> None:
    with Helpers(Checked(2), slept) as helpers:  # type: ignore[arg-type]
        for number, _ in helpers.each([0.0, 60.0, 60.0]):
            assert number == 0
            break
        assert helpers.map([0.25, 0.125]) == [0.25, 0.125]
        helpers.ctx.stop_at = 0  # type: ignore[attr-defined]
        with pytest.raises(Stopped):
            helpers.map([60.0, 60.0])


def test_a_refusal_leaves_no_answers_behind() -> None:
    with Helpers(Checked(2), refuses) as helpers:  # type: ignore[arg-type]
        with pytest.raises(BadInput, match="Three is refused"):
            helpers.map([1, 2, 3, 4])
        assert helpers.map([7, 8]) == [7, 8]
