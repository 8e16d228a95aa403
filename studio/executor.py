"""Executors: who runs a job. `process` supervises a worker program; `inline` runs in this thread (tests)."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from studio.errors import StudioError, WorkerDied
from studio.seam import Line, start_program, temporary_folder

Message = dict[str, Any]
Report = Callable[[Message], None]
START_SECONDS = 60.0
STOP_GRACE_SECONDS = 10.0
IDLE_SECONDS = 120.0


class Executor(Protocol):
    """Runs as many jobs at once as it has slots. `report` gets event, artifact and loaded messages; `run` returns the end message."""

    slots: int

    def run(self, message: Message, report: Report) -> Message: ...

    def stop(self, job_id: str, mode: str) -> None: ...

    def update(self, job_id: str, field: str, value: Any) -> None: ...

    def ask(self, op: str, **values: Any) -> Message: ...

    def configure(self, values: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


@dataclass
class _Child:
    process: subprocess.Popen[bytes]
    jobs: Line
    control: Line
    answers: dict[int, Message] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)


class ProcessExecutor:
    """A supervised worker program: started on demand, restarted after it died, killed when it ignores Stop."""

    slots = 1

    def __init__(self, config: dict[str, Any], *, grace: float = STOP_GRACE_SECONDS) -> None:
        self.config = config
        self.grace = grace
        self._child: _Child | None = None
        self._lock = threading.Lock()
        self._asked = 0
        self._stops: dict[str, float] = {}

    @property
    def pid(self) -> int:
        return self._child.process.pid if self._child else 0

    def start(self) -> None:
        """Raises WorkerDied with the worker's last words where it can't start."""
        with self._lock:
            if self._child is None or self._child.process.poll() is not None:
                self._child = self._spawn()

    def run(self, message: Message, report: Report) -> Message:
        self.start()
        child = self._child
        assert child is not None
        job_id = message["job"]
        try:
            if job_id in self._stops:
                return {"end": "cancelled", "summary": {}}
            child.jobs.send(op="run", **message)
            while True:
                while not child.jobs.poll(0.25):
                    if self._ignored(job_id):
                        return self._ended()
                answer = child.jobs.receive()
                if "end" in answer:
                    return answer
                report(answer)
                if self._ignored(job_id):  # it talks, but does not listen
                    return self._ended()
        except (EOFError, OSError):
            return self._died(child)
        finally:
            self._stops.pop(job_id, None)

    def _ignored(self, job_id: str) -> bool:
        return time.monotonic() > self._stops.get(job_id, float("inf"))

    def _ended(self) -> Message:
        self.kill()
        return {"end": "cancelled", "summary": {}, "killed": True}

    def stop(self, job_id: str, mode: str) -> None:
        if mode == "cancel":
            self._stops.setdefault(job_id, time.monotonic() + self.grace)
        self._tell(op="stop", job=job_id, mode=mode)

    def update(self, job_id: str, field: str, value: Any) -> None:
        self._tell(op="update", job=job_id, field=field, value=value)

    def ask(self, op: str, *, seconds: float = 1.0, **values: Any) -> Message:
        """An answer of the control thread, or {} where the worker is not up or too busy to answer in time."""
        child = self._child
        if child is None or child.process.poll() is not None:
            return {}
        with self._lock:
            self._asked += 1
            number = self._asked
        if not self._tell(op=op, id=number, **values):
            return {}
        with child.changed:
            child.changed.wait_for(lambda: number in child.answers, timeout=seconds)
            return child.answers.pop(number, {})

    def configure(self, values: dict[str, Any]) -> None:
        self.config |= values
        self._tell(op="configure", values=values)

    def kill(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        if child:
            child.process.kill()
            child.process.wait(timeout=10)
            child.jobs.close()
            child.control.close()
            shutil.rmtree(temporary_folder(self.config["spool"], child.process.pid), ignore_errors=True)  # a killed worker tidies nothing

    def close(self) -> None:
        self.kill()

    def _tell(self, **message: Any) -> bool:
        child = self._child
        if child is None:
            return False
        try:
            child.control.send(**message)
        except OSError:
            return False
        return True

    def _died(self, child: _Child) -> Message:
        try:
            code = child.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            child.process.kill()
            code = child.process.wait(timeout=5)
        if self._child is child:
            self.kill()
        why = "was ended by the system (out of memory?)" if code == -9 else f"ended unexpectedly (code {code})"
        error = WorkerDied(f"The model process {why}.", hint="What was finished is kept; the next job starts a new one.")
        return {"end": "failed", "error": error.wire(), "died": True}

    def _spawn(self) -> _Child:
        try:
            process, (jobs, control) = start_program("studio.worker", self.config, lines=2, seconds=START_SECONDS, env=worker_environment())
        except OSError as error:
            raise WorkerDied("The model process did not start.", hint="Start the studio again; `python launch.py doctor` tells more.") from error
        child = _Child(process, jobs, control)
        hello: Message = jobs.receive() if jobs.poll(START_SECONDS) else {}
        if not hello.get("hello"):
            process.kill()
            raise StudioError.from_wire(hello["error"]) if "error" in hello else WorkerDied(
                "The model process did not start.", hint="Start the studio again; `python launch.py doctor` tells more."
            )
        threading.Thread(target=self._hear, args=(child,), daemon=True, name="worker-control").start()
        return child

    def _hear(self, child: _Child) -> None:
        try:
            while True:
                answer = child.control.receive()
                with child.changed:
                    child.answers[answer["reply"]] = answer
                    child.changed.notify_all()
        except (EOFError, OSError, TypeError):
            return  # the worker is gone; `run` tells the job


class PoolExecutor:
    """Several jobs at once, each in a worker of its own: one that dies takes no other with it. A worker is started when none is free and ended when it had nothing to do for a while."""

    def __init__(self, config: dict[str, Any], *, slots: int, idle_seconds: float = IDLE_SECONDS, grace: float = STOP_GRACE_SECONDS) -> None:
        self.config, self.slots, self.idle_seconds, self.grace = config, slots, idle_seconds, grace
        self._free: list[tuple[ProcessExecutor, threading.Timer]] = []
        self._busy: dict[str, ProcessExecutor] = {}
        self._early: set[str] = set()  # stopped before a worker had it
        self._lock = threading.Lock()

    @property
    def pids(self) -> dict[str, int]:
        """The worker's process by job."""
        with self._lock:
            return {job_id: worker.pid for job_id, worker in self._busy.items()}

    def run(self, message: Message, report: Report) -> Message:
        worker = self._take(message["job"])
        try:
            if message["job"] in self._early:
                return {"end": "cancelled", "summary": {}}
            return worker.run(message, report)
        finally:
            self._give_back(message["job"], worker)

    def stop(self, job_id: str, mode: str) -> None:
        with self._lock:
            worker = self._busy.get(job_id)
            if worker is None and mode == "cancel":
                self._early.add(job_id)
        if worker:
            worker.stop(job_id, mode)

    def update(self, job_id: str, field: str, value: Any) -> None:
        if worker := self._busy.get(job_id):
            worker.update(job_id, field, value)

    def ask(self, op: str, **values: Any) -> Message:
        return {}  # what is asked of workers is about models in memory: these hold none

    def configure(self, values: dict[str, Any]) -> None:
        self.config |= values
        for worker in self._all():
            worker.configure(values)

    def close(self) -> None:
        for worker in self._all():
            worker.close()

    def _all(self) -> list[ProcessExecutor]:
        with self._lock:
            return [*self._busy.values(), *(worker for worker, _ in self._free)]

    def _take(self, job_id: str) -> ProcessExecutor:
        with self._lock:
            worker, timer = self._free.pop() if self._free else (ProcessExecutor(dict(self.config), grace=self.grace), None)
            self._busy[job_id] = worker
        if timer:
            timer.cancel()
        return worker

    def _give_back(self, job_id: str, worker: ProcessExecutor) -> None:
        timer = threading.Timer(self.idle_seconds, self._end, [worker])
        timer.daemon = True
        with self._lock:
            del self._busy[job_id]
            self._early.discard(job_id)
            self._free.append((worker, timer))
        timer.start()

    def _end(self, worker: ProcessExecutor) -> None:
        with self._lock:
            idle = any(other is worker for other, _ in self._free)
            self._free = [(other, timer) for other, timer in self._free if other is not worker]
        if idle:
            worker.close()


class InlineExecutor:
    """Runs jobs in the calling thread: unit tests and debugging. A crash of a model is a crash of the caller."""

    slots = 1

    def __init__(self, config: dict[str, Any]) -> None:
        from studio.worker import Worker

        self.config = config
        self.worker = Worker(config, self)
        self._report: Report = lambda message: None
        self._end: Message = {}

    def send(self, **message: Any) -> None:
        if "end" in message:
            self._end = message
        else:
            self._report(message)

    def run(self, message: Message, report: Report) -> Message:
        self._report = report
        self.worker.run_job(message)
        return self._end

    def stop(self, job_id: str, mode: str) -> None:
        self.worker.control({"op": "stop", "job": job_id, "mode": mode})

    def update(self, job_id: str, field: str, value: Any) -> None:
        self.worker.control({"op": "update", "job": job_id, "field": field, "value": value})

    def ask(self, op: str, **values: Any) -> Message:
        return self.worker.control({"op": op, **values}) or {}

    def configure(self, values: dict[str, Any]) -> None:
        self.worker.control({"op": "configure", "values": values})

    def close(self) -> None:
        self.worker.models.unload()


def worker_environment() -> dict[str, str]:
    """The worker's environment: no thread pools that spin on busy machines, no network surprises; large tensors in large pages, where the system has
    them: a network's layers come and go, and a fifth of a painting's time went into handing out small ones (torch's own switch, without effect elsewhere)."""
    ours = {"OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONUNBUFFERED": "1", "THP_MEM_ALLOC_ENABLE": "1"}
    return os.environ | ours
