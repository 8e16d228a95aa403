"""Following a job: its events become what the page shows of it. No gradio."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio import ui
from studio.api import FINAL, Cancelled, Done, Event, Failed, Loading, Need, Preview, Progress, Queued, Saved, Studio, StudioError
from tabs.stops import Stops

UPDATE_SECONDS = 0.1
LAYERED = "image.generate"  # its pictures may come apart in layers, an output each
STEPS, PERCENT = "Step {step} of {total}", "{percent} %"  # how far a job is


@dataclass
class Run:
    """What the page knows of a job."""

    job: str = ""
    outputs: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)  # of a finished sheet: the outputs that it was made of
    step: int = 0
    total: int = 0
    eta: float = -1.0
    note: str = ""
    previews: int = 0
    problem: str = ""
    running: bool = False
    stopped: bool = False
    wanted: int = 1
    notes: list[str] = field(default_factory=list)


class Follower:
    """The newest job of one page; `slot` is the name under which each person's is remembered."""

    def __init__(self, studio: Studio, slot: str) -> None:
        self.studio = studio
        self.slot = slot
        self.stops = Stops(studio)

    def begin(self, job: Any, request: Any) -> None:
        """From now on `stop` ends this job; where it was pressed since the request came, at once."""
        self.studio.store.remember(job.owner, self.slot, job.id)
        self.stops.admit(job.owner, request, job.id)

    def job(self, owner: str) -> Any | None:
        """The remembered job, while the studio knows it."""
        try:
            job = self.studio.jobs.get(self.studio.store.recall(owner, self.slot, ""))
        except StudioError:
            return None
        return job if job.owner == owner else None

    def earlier(self, owner: str, lang: str) -> Run:
        """What came of the remembered job where the queue forgot it, as after a restart of the studio; an empty one where there is none."""
        try:
            row = self.studio.store.job_row(self.studio.store.recall(owner, self.slot, ""))
        except StudioError:
            return Run()
        if row["owner"] != owner:
            return Run()
        run = Run(row["id"], row["outputs"] or [output.id for output in self.studio.store.outputs_of(row["id"])], stopped=row["state"] == "cancelled", notes=list(row["summary"].get("notes", [])))
        if row["error"]:
            run.problem = ui.error_text(self.studio, StudioError.from_wire(row["error"]), lang)
        self._kept(run, bool(row["summary"].get("sheet")))
        return run

    def asked(self, job_id: str) -> dict[str, Any]:
        """A job's parameters, also of one from before a restart; {} where it is gone."""
        with contextlib.suppress(StudioError):
            return dict(self.studio.jobs.get(job_id).params.model_dump())
        with contextlib.suppress(StudioError):
            return dict(self.studio.store.job_row(job_id)["params"])
        return {}

    def pipeline(self, job_id: str) -> str:
        """By what a job is made; "" where it is gone."""
        try:
            return str(self.studio.jobs.get(job_id).pipeline.id)
        except StudioError:
            return ""

    def stop(self, request: Any, mode: str) -> None:
        """What a person's click ends: also a job that was asked but is not queued yet."""
        self.stops.press(ui.owner(request), request, mode)
        self.end(ui.owner(request), mode)

    def end(self, owner: str, mode: str) -> None:
        self.studio.jobs.cancel(self.studio.store.recall(owner, self.slot, ""), by=owner, mode=mode)

    def follow(self, job: Any, lang: str, pace: Callable[[], float] = lambda: UPDATE_SECONDS) -> Iterator[Run]:
        """After each batch of its events, `pace` seconds apart; of a job that has ended only how it did."""
        asked = job.params.model_dump()
        layers = asked.get("layers", 0) if job.pipeline.id == LAYERED else 0
        run = Run(job.id, running=True, wanted=int(asked.get("count", 1)) * max(1, layers))
        for batch in job.batches(pace):
            for event in batch:
                self._take(run, event, job, lang)
            yield run

    def _take(self, run: Run, event: Event, job: Any, lang: str) -> None:
        if isinstance(event, Progress):
            run.step, run.total, run.eta, run.note = event.step, event.total, event.eta_seconds, event.note
        elif isinstance(event, Loading):
            run.note, run.total = event.note, 0
        elif isinstance(event, Queued):
            run.note = "Waiting" if event.position else ""
        elif isinstance(event, Preview):
            run.previews += 1
        elif isinstance(event, Saved):
            run.outputs.append(event.output_id)
            run.previews = 0
        elif isinstance(event, Failed):
            run.problem = ui.error_text(self.studio, StudioError.from_wire(event.error), lang)
        elif isinstance(event, Done):
            run.notes = list(event.summary.get("notes", []))
        if isinstance(event, FINAL):
            self._end(run, event, job)

    def _end(self, run: Run, event: Event, job: Any) -> None:
        run.running, run.stopped = False, isinstance(event, Cancelled)
        self._kept(run, isinstance(event, Done) and bool(event.summary.get("sheet")))

    def _kept(self, run: Run, sheet: bool) -> None:
        """Of what an ended job kept only what is there."""
        if sheet and run.outputs:
            run.parts = [output for output in run.outputs[:-1] if self.is_there(output)]
            run.outputs = run.outputs[-1:]  # its cells are in the gallery
        run.outputs = [output for output in run.outputs if self.is_there(output)]
        run.wanted = len(run.outputs) or 1

    def is_there(self, output: str) -> bool:
        """Neither deleted nor in the trash."""
        try:
            return not self.studio.store.output(output).trashed
        except StudioError:
            return False


def progress_html(run: Run, say: Callable[..., str], *, waiting: str = "", step: str = "", more: Sequence[str] = ()) -> str:
    """The bar and its sentence: the note (`waiting` where there is none), how far it is in the words of `step`, the time left, and `more`, what was measured. `say(english, **values)` is in the page's language."""
    parts = [say(run.note or waiting) if run.note or waiting else ""]
    if run.total and step:
        parts.append(say(step, step=str(run.step), total=str(run.total), percent=str(100 * run.step // run.total)))
    if run.eta >= 1:
        key, number = duration(run.eta)
        parts.append(say("{time} left", time=say(key, n=number)))
    told = " · ".join(part for part in (*parts, *more) if part)
    return f'{bar_html(told, run.step, run.total)}<span class="told">{html.escape(told)}</span>'


def bar_html(told: str, step: int, total: int) -> str:
    """A bar alone, `told` to who can't see it; without a total it only moves."""
    value = f' value="{step}" max="{total}"' if total else ""
    return f'<progress{value} aria-label="{html.escape(told)}"></progress>'


def duration(seconds: float) -> tuple[str, str]:
    """(a sentence's key, its number): seconds, minutes or hours, rounded as one would say it."""
    if seconds < 90:
        return "about {n} s", f"{max(1, round(seconds))}"
    if seconds < 5400:
        return "about {n} min", f"{round(seconds / 60)}"
    return "about {n} h", f"{seconds / 3600:.1f}"


def size(number: int) -> str:
    return f"{number / 2**30:.1f} GB" if number >= 2**30 else f"{number / 2**20:.0f} MB"


def memory_words(studio: Studio, need: Need, lang: str) -> list[str]:
    """Whether a job fits into the memory for models, and what is slower so that it does."""
    say = studio.words.say
    used, budget = need.weight_bytes + need.working_bytes, studio.jobs.worker_status()["budget_bytes"]
    told = say(lang, "Fits: {used} of {all}" if used <= budget else "Too large: {used} of {all}", used=size(used), all=size(budget))
    return [told, *(say(lang, word) for word in need.facts.get("placement", []))]


def verdict_html(studio: Studio, need: Need, lang: str, notes: Sequence[str] = ()) -> str:
    """What stands beside the button of a job that takes memory: how much of it, time, warnings; `notes` are the page's own."""
    say = studio.words.say
    if need.missing:
        return html.escape(say(lang, need.missing))
    told = memory_words(studio, need, lang)
    if need.seconds >= 0:
        key, number = duration(need.seconds)
        told.append(say(lang, key, n=number))
    return html.escape(" · ".join(told + [say(lang, note) for note in (*notes, *need.notes)]))
