"""A request's work as jobs of the queue: followed until it ends or the client is gone, and found again by its owner for progress, interrupt and skip."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from studio.api import Catalog, Loading, NotFound, Output, Preview, Progress, Queued, Studio

from .asking import owner
from .here import GENERATE, GRID
from .pictures import encoded, read

LOOKS = 0.03  # seconds between looks whether a job has ended and its client is still there
REMEMBERED = 200  # ended tasks that /internal/progress still knows
GOING = ("queued", "running")


@dataclass(eq=False)
class Task:
    """`parts` jobs, one after the other, each making `pictures / parts` pictures. `stopped` by its owner, or because the client is `gone`."""

    id: str
    owner: str
    parts: int
    pictures: int
    jobs: list[Any] = field(default_factory=list)
    stopped: bool = False
    gone: bool = False
    began: float = field(default_factory=time.time)

    @property
    def job(self) -> Any:
        """The one that runs or waits, else the one that ended last."""
        return self.jobs[-1] if self.jobs else None

    @property
    def running(self) -> bool:
        return self.job is not None and self.job.state == "running"

    @property
    def over(self) -> bool:
        """Nothing of it will be drawn any more, though its request may not have noticed yet: it looks now and then only."""
        if self.job is None or self.job.state in GOING:
            return False
        return self.stopped or self.job.state != "done" or len(self.jobs) == self.parts


class Tasks:
    """Thread-safe. Everybody sees and stops only what is their own."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._tasks: list[Task] = []
        self._ended: deque[tuple[str, str]] = deque(maxlen=REMEMBERED)
        self._lock = threading.Lock()
        self._page = ("", 0)  # the job of the page that was asked for last, and how many pictures it makes

    async def run(self, request: Request, pipeline: str, jobs: list[dict[str, Any]], *, pictures: int, id: str = "") -> Task:
        """Raises what the queue or a job raises. An interrupted task comes back with what it has; a client that is gone ends it."""
        task = Task(id or uuid.uuid4().hex, owner(request), len(jobs), pictures)
        with self._lock:
            self._tasks.append(task)
        try:
            for values in jobs:
                if task.stopped and task.jobs:
                    break
                task.jobs.append(await run_in_threadpool(self.studio.submit, pipeline, values, owner=task.owner, source="api"))
                if task.stopped:  # before it had a job that could be told
                    self._finish(task)
                await self._end_of(request, task)
                if task.job.error:
                    raise task.job.error
            task.gone = task.gone or await request.is_disconnected()
        finally:
            with self._lock:
                self._tasks.remove(task)
                self._ended.append((task.owner, task.id))
            if task.job is not None:
                self.studio.jobs.cancel(task.job.id, by=task.owner)  # an ended job is not touched
        return task

    async def _end_of(self, request: Request, task: Task) -> None:
        """Looks now and then instead of keeping a thread: many may wait, and their progress and interrupt need threads too."""
        while task.job.state in GOING:
            if not task.gone and await request.is_disconnected():
                task.stopped = task.gone = True
                self.studio.jobs.cancel(task.job.id, by=task.owner)
            await asyncio.sleep(LOOKS)
        await run_in_threadpool(task.job.wait)  # until its end is told, with its error

    def outputs(self, task: Task) -> list[Output]:
        return [output for job in task.jobs for output in self.studio.store.outputs_of(job.id)]

    def forget(self, task: Task) -> None:
        """What its client is given and did not ask to be kept does not stay in the gallery; what nobody is there to take stays."""
        if task.gone:
            return
        for output in self.outputs(task):
            with suppress(NotFound):  # its owner deleted it meanwhile
                self.studio.store.trash([output.id], owner=task.owner)
                self.studio.store.purge([output.id], owner=task.owner)

    def current(self, who: str) -> Task | None:
        """Of the caller's own: what runs, else what was asked for first; else a picture that the page makes for the same person."""
        mine = [task for task in self._going() if task.owner == who]
        return next((task for task in mine if task.running), mine[0] if mine else self._of_the_page(who))

    def _going(self) -> list[Task]:
        """Everybody's; a task is gone from here as soon as its last job has ended."""
        with self._lock:
            return [task for task in self._tasks if not task.over]

    def _of_the_page(self, who: str) -> Task | None:
        for row in self.studio.jobs.listing(who):
            if row["mine"] and row["state"] == "running" and row["pipeline"].startswith("image."):
                job = self.studio.jobs.get(row["id"])
                if self._page[0] != job.id:  # a grid's cells take a moment to be counted
                    self._page = job.id, pictures_of(job.pipeline, job.params, self.studio.catalog)
                return Task(job.id, who, 1, self._page[1], [job], began=job.started)
        return None

    def stop(self, who: str) -> None:
        """End the caller's current work with the picture as far as it is."""
        if task := self.current(who):
            task.stopped = True
            if task.job is not None:
                self._finish(task)

    def _finish(self, task: Task) -> None:
        """A job that waits is taken from the queue."""
        self.studio.jobs.cancel(task.job.id, by=task.owner, mode="finish" if task.job.pipeline.id in (GENERATE, GRID) else "cancel")

    def skip(self, who: str) -> None:
        """Go on with the next picture, or a grid's next cell; the last one is finished as far as it is."""
        if (task := self.current(who)) and task.running:
            done = place_of(task)
            more = done["job_no"] + 1 < max(1, task.pictures // task.parts)
            self.studio.jobs.cancel(task.job.id, by=who, mode="skip" if more else "finish")

    def progress(self, who: str, *, picture: bool) -> dict[str, Any]:
        task = self.current(who)
        if task is None:
            return {"progress": 0.0, "eta_relative": 0.0, "state": state_of(None), "current_image": None, "textinfo": None}
        return {"progress": fraction_of(task), "eta_relative": eta_of(task), "state": state_of(task), "current_image": preview_of(task) if picture else None, "textinfo": note_of(task)}

    def named(self, who: str, id: str) -> Task | None:
        return next((task for task in self._going() if task.owner == who and task.id == id), None)

    def ended(self, who: str, id: str) -> bool:
        with self._lock:
            return (who, id) in self._ended or any(task.over for task in self._tasks if (task.owner, task.id) == (who, id))

    def waiting(self, who: str) -> list[str]:
        return [task.id for task in self._going() if task.owner == who and not task.running]


def pictures_of(pipeline: Any, params: Any, catalog: Catalog) -> int:
    """How many a job makes: of a grid its cells."""
    return int(pipeline.need(params, catalog).facts.get("cells", 1)) if pipeline.id == GRID else int(getattr(params, "count", 1))


def place_of(task: Task) -> dict[str, int]:
    """Which picture of the running job, and which step of it."""
    told = task.job.latest(Progress) if task.running else None
    each = max(1, task.pictures // task.parts)
    steps = int(getattr(task.job.params, "steps", 0)) if task.job is not None else 0
    if told is None or told.total < 1:
        return {"job_no": 0, "sampling_step": 0, "sampling_steps": steps}
    steps = max(1, told.total // each)
    number = min(each - 1, told.step // steps)
    return {"job_no": number, "sampling_step": told.step - number * steps, "sampling_steps": steps}


def fraction_of(task: Task) -> float:
    """0 while it waits; less than 1 as long as it is not answered."""
    done, part = max(0, len(task.jobs) - 1), 0.0
    if task.running:
        steps, loading = task.job.latest(Progress), task.job.latest(Loading)
        part = steps.step / steps.total if steps and steps.total else max(0.0, loading.fraction) if loading and task.job.pipeline.id not in (GENERATE, GRID) else 0.0
        part = max(0.01, part)
    return min(0.99, (done + part) / task.parts)


def eta_of(task: Task) -> float:
    told = task.job.latest(Progress if task.running else Queued) if task.job is not None else None
    return max(0.0, told.eta_seconds) if told else 0.0


def note_of(task: Task) -> str | None:
    told = (task.job.latest(Progress) or task.job.latest(Loading)) if task.job is not None else None
    return (told.note or None) if told else None


def preview_of(task: Task) -> str | None:
    """The picture of the work so far, as base64."""
    shown = task.job.latest(Preview) if task.running else None
    data = read(shown.path) if shown else None
    return encoded(data) if data else None


def state_of(task: Task | None) -> dict[str, Any]:
    if task is None:
        nothing = {"job": "", "job_count": 0, "job_timestamp": "0", "job_no": 0, "sampling_step": 0, "sampling_steps": 0}
        return {"skipped": False, "interrupted": False, "stopping_generation": False, **nothing}
    wanted, place = task.job.wanted_stop if task.job is not None else "", place_of(task)
    done = max(0, len(task.jobs) - 1) * (task.pictures // task.parts)
    return {
        "skipped": wanted == "skip", "interrupted": task.stopped or wanted in ("finish", "cancel"), "stopping_generation": False, "job": task.id, "job_count": task.pictures,
        "job_timestamp": time.strftime("%Y%m%d%H%M%S", time.localtime(task.began)), **place, "job_no": done + place["job_no"],
    }  # fmt: skip
