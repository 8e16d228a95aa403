"""Work over several processes, each with one thread: results come as they are ready and do not depend on how many processes there are."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from studio.api import InternalError, RunContext, StudioError, WorkerDied

T = TypeVar("T")
R = TypeVar("R")
Heed = Callable[[], None]
START_SECONDS = 3.0  # until other processes work
LONG_SECONDS = 10.0  # longer than a loop takes to compile
LOOK_SECONDS = 0.1  # between two looks at Stop
NICE = 5  # the page goes first
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def spread(ctx: RunContext, work: Callable[[T], R], tasks: Sequence[T], note: str = "", enough: Callable[[], bool] = lambda: False, here: Callable[[T, Heed], R] | None = None) -> Iterator[tuple[int, R]]:
    """(number of the task, work(task)) in the order in which they are ready; `work` is a function of a module, tasks and results can be pickled.

    The first tasks are done here: they fill caches, and tell whether other processes are worth it. `here` is the same work, which asks within a task whether to go on.
    Leaving the loop ends the processes, and so does `enough`, which is asked all the while.
    Raises Stopped, WorkerDied where a task ended two processes, and what `work` raises.
    """

    def heed() -> None:
        ctx.check()
        if enough():
            raise _Enough

    taken: list[float] = []
    while (done := len(taken)) < len(tasks) and not worthwhile(ctx.processes, len(tasks) - done, taken):
        ctx.progress(done, len(tasks), note)
        if enough():
            return
        started = time.monotonic()
        try:
            result = here(tasks[done], heed) if here else work(tasks[done])
        except _Enough:
            return
        taken.append(time.monotonic() - started)
        yield done, result
    if done < len(tasks):
        with _Crew(work, min(ctx.processes, len(tasks) - done)) as crew:
            yield from crew.results(dict(enumerate(tasks[done:], start=done)), lambda left: ctx.progress(len(tasks) - left, len(tasks), note), enough)
    if not enough():
        ctx.progress(len(tasks), len(tasks), note)


def worthwhile(processes: int, left: int, taken: Sequence[float]) -> bool:
    """Whether `left` tasks are ready sooner in other processes, when those before took so many seconds. The first one may have compiled, so two are asked unless it was very long."""
    if processes < 2 or left < 2 or not taken or (len(taken) < 2 and taken[0] < LONG_SECONDS):
        return False
    here = left * min(taken)
    return START_SECONDS + here / min(processes, left) < here


class _Enough(Exception):
    """In the middle of a task it was enough."""


class Helpers:
    """Processes that stay for many rounds of tasks; they are started at the first round and end with the `with`. `work` is sent to each once."""

    def __init__(self, ctx: RunContext, work: Callable[[Any], Any]) -> None:
        self.ctx, self.count = ctx, ctx.processes
        self._crew = _Crew(work, self.count)

    def __enter__(self) -> Helpers:
        return self

    def __exit__(self, *why: object) -> None:
        self._crew.__exit__(*why)

    def each(self, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """(number of the task, its result) as they are ready. Raises Stopped, WorkerDied, and what `work` raises."""
        return self._crew.results(dict(enumerate(tasks)), lambda left: self.ctx.check(), lambda: False)

    def map(self, tasks: Sequence[Any]) -> list[Any]:
        """Results in the order of the tasks."""
        found = dict(self.each(tasks))
        return [found[number] for number in range(len(tasks))]


class _Crew:
    """Processes that work for this one; a task that ended its process is given once more to a new one."""

    def __init__(self, work: Callable[[Any], Any], count: int) -> None:
        self.work = work
        self.count = count
        self.members: dict[Connection, BaseProcess] = {}
        self.at: dict[Connection, int] = {}  # which task each has
        self.failed: set[int] = set()

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for line, process in self.members.items():
            self._end(line, process)

    @staticmethod
    def _end(line: Connection, process: BaseProcess) -> None:
        process.kill()
        process.join()
        process.close()
        line.close()

    def results(self, tasks: dict[int, Any], report: Callable[[int], None], enough: Callable[[], bool]) -> Iterator[tuple[int, Any]]:
        """`report` is told all the while how many tasks are left."""
        waiting, left = list(tasks), len(tasks)
        self.failed.clear()
        try:
            while left and not enough():
                while waiting and len(self.at) < self.count:
                    self._give(waiting.pop(0), tasks)
                report(left)
                for line in wait(list(self.at), LOOK_SECONDS):
                    assert isinstance(line, Connection)
                    number = self.at.pop(line)
                    try:
                        answer = _answer(line.recv())
                    except (EOFError, ConnectionError):
                        self._bury(line, number)
                        waiting.insert(0, number)
                        continue
                    left -= 1
                    yield number, answer
        finally:
            for line in list(self.at):  # left in the middle: what they would still say belongs to no later round
                del self.at[line]
                self._end(line, self.members.pop(line))

    def _give(self, number: int, tasks: dict[int, Any]) -> None:
        """To one that is free, or to a new one. One that ended meanwhile is noticed where its answer is awaited."""
        line = next((line for line in self.members if line not in self.at), None) or self._hire()
        with contextlib.suppress(ConnectionError):
            line.send(tasks[number])
        self.at[line] = number

    def _hire(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        line, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self.work), daemon=True)
        with _one_thread():
            process.start()
        theirs.close()
        self.members[line] = process
        return line

    def _bury(self, line: Connection, number: int) -> None:
        process = self.members.pop(line)
        process.join(LOOK_SECONDS)
        code = process.exitcode
        process.kill()
        process.join()
        line.close()
        if number in self.failed:
            why = "the system ended it, perhaps because memory ran out" if code == -signal.SIGKILL else f"code {code}"
            raise WorkerDied(f"A process that did part of the work ended unexpectedly, twice at the same part ({why}).", hint="Try fewer or smaller runs, or other values.")
        self.failed.add(number)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """A process started meanwhile uses one thread: the libraries read that when they are loaded."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _answer(message: tuple[bool, Any]) -> Any:
    """Raises what `work` raised."""
    good, value = message
    if good:
        return value
    raise value


def _serve(line: Connection, work: Callable[[Any], Any]) -> None:
    """Another process: work until the line closes or the parent is gone, even within compiled code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(NICE)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            line.send(_worked(work, line.recv()))


def _worked(work: Callable[[Any], Any], task: Any) -> tuple[bool, Any]:
    try:
        return True, work(task)
    except StudioError as error:
        return False, error
    except Exception as error:  # a bug: told with its traceback, whatever it holds
        return False, InternalError(f"Something went wrong inside the studio ({type(error).__name__}: {error}).", hint="Try again; if it stays, send the report from Settings.", traceback=traceback.format_exc())


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
