"""Job and JobQueue: durable, fair (round-robin by owner), as many jobs at a time per lane as its executor has slots: one, but for live views.

Closing the page does not end a job; coming back finds it. Only its owner's Stop ends it.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import studio
from studio.artifacts import Artifact
from studio.catalog import Catalog
from studio.errors import BadInput, InternalError, NotFound, QueueFull, StudioError
from studio.events import FINAL, LOSSY, Cancelled, Done, Event, Failed, Loading, Progress, Queued, Saved, Text, event_from_wire
from studio.executor import Executor
from studio.inputs import Inputs
from studio.params import ExtensionParams, Params, resolve_seed
from studio.pipeline import Desk, ExpandsPrompts, Looks, Need, Paced, Pipeline, Places, ReadsText, Settles
from studio.seam import temporary_folder
from studio.settings import Settings
from studio.storage import Storage

if TYPE_CHECKING:
    from studio.plugins import Hooks
    from studio.store import Store

MAX_ATTEMPTS = 2
KEEP_ENDED = 200
MERGE_SECONDS = 0.03


class Job:
    """One job. Any number of listeners may follow `events()`, from the start or after a reload."""

    def __init__(self, *, id: str, pipeline: Pipeline, params: Params, owner: str, source: str, extras: dict[str, Any], created: float = 0.0) -> None:
        self.id = id
        self.pipeline = pipeline
        self.params = params
        self.owner = owner
        self.source = source
        self.extras = extras
        self.created = created or time.time()
        self.started = 0.0
        self.attempts = 0
        self.state = "queued"
        self.text = ""
        self.summary: dict[str, Any] = {}
        self.outputs: list[str] = []
        self.error: StudioError | None = None
        self.wanted_stop = ""
        self._log: list[Event] = []
        self._latest: dict[type[Event], tuple[int, Event]] = {}
        self._version = 0
        self._changed = threading.Condition()

    def tell(self, event: Event) -> None:
        with self._changed:
            self._version += 1
            if isinstance(event, (*LOSSY, Queued)):
                self._latest[type(event)] = (self._version, event)
            else:
                self._log.append(event)
                if isinstance(event, Text) and event.channel == "answer":
                    self.text += event.delta
            self._changed.notify_all()

    def latest(self, kind: type[Event]) -> Event | None:
        with self._changed:
            return self._latest.get(kind, (0, None))[1]

    def note(self) -> str:
        """What the last progress or loading said: a note of loading is no longer true once steps are told."""
        with self._changed:
            told = [self._latest[kind] for kind in (Progress, Loading) if kind in self._latest]
        return str(getattr(max(told, key=lambda entry: entry[0])[1], "note", "")) if told else ""

    def far(self) -> dict[str, Any]:
        """How far it is; of a waiting one the seconds until its turn."""
        progress, queued = self.latest(Progress), self.latest(Queued)
        left = getattr(progress, "eta_seconds", -1.0) if self.state == "running" else getattr(queued, "eta_seconds", 0.0)
        return {"eta_seconds": left, "step": getattr(progress, "step", 0), "total": getattr(progress, "total", 0)}

    def events(self) -> Iterator[Event]:
        """Everything from the start, neighbouring texts merged; ends after Done, Failed or Cancelled."""
        for batch in self.batches():
            yield from batch

    def batches(self, pause: Callable[[], float] = lambda: MERGE_SECONDS) -> Iterator[list[Event]]:
        """The same, together what came at once or in the `pause` (seconds) since the batch before; the end waits for no pause."""
        position, version = 0, 0
        while True:
            with self._changed:
                while position == len(self._log) and version == self._version:
                    self._changed.wait()
                fresh, position = self._log[position:], len(self._log)
                lossy = sorted((entry for entry in self._latest.values() if entry[0] > version), key=lambda entry: entry[0])
                version = self._version
            ended = bool(fresh) and isinstance(fresh[-1], FINAL)
            yield [*([] if ended else [event for _, event in lossy]), *merge_texts(fresh)]
            if ended:
                return
            with self._changed:
                self._changed.wait_for(lambda: self._log and isinstance(self._log[-1], FINAL), timeout=pause())

    def wait(self) -> Job:
        for _ in self.events():
            pass
        return self


def merge_texts(events: list[Event]) -> Iterator[Event]:
    """Neighbouring Text events of one channel become one."""
    held: Text | None = None
    for event in events:
        if isinstance(event, Text) and held and held.channel == event.channel:
            held = Text(held.delta + event.delta, held.channel)
            continue
        if held:
            yield held
        held = event if isinstance(event, Text) else None
        if held is None:
            yield event
    if held:
        yield held


class JobQueue:
    """Lanes of jobs. `executors[lane]` runs them; the store keeps them over a restart."""

    def __init__(
        self,
        *,
        pipelines: dict[str, Pipeline],
        executors: dict[str, Executor],
        store: Store,
        hooks: Hooks,
        catalog: Catalog,
        settings: Settings,
        spool: Path,
        budget: Callable[[Settings], int],
    ) -> None:
        self.pipelines, self.executors, self.store, self.hooks, self.catalog = pipelines, executors, store, hooks, catalog
        self.settings = settings
        self.spool = spool
        self.desk = Desk(catalog, Inputs(store.data / "inputs"))
        self.storage = Storage(store, lambda: self.settings.visitor_storage)
        self._budget = budget
        self._jobs: dict[str, Job] = {}
        self._waiting: dict[str, list[Job]] = {lane: [] for lane in executors}
        self._running: dict[str, list[Job]] = defaultdict(list)
        self._last_owner: dict[str, str] = {}
        self._seconds: dict[str, float] = {}
        self._changed = threading.Condition()
        self._closing = False

    def start(self) -> None:
        """Adopt what an earlier run left, requeue its jobs, start the lanes."""
        self._recover()
        for lane, executor in self.executors.items():
            for number in range(executor.slots):
                threading.Thread(target=self._serve, args=(lane,), daemon=True, name=f"lane-{lane}-{number}").start()

    def submit(self, pipeline_id: str, values: dict[str, Any], *, owner: str, source: str = "page", extras: dict[str, Any] | None = None) -> Job:
        if pipeline_id not in self.pipelines:
            raise NotFound(f"There is no method “{pipeline_id}”.", hint="Install the extension that brings it.")
        pipeline = self.pipelines[pipeline_id]
        extras = self._read_extras(pipeline_id, extras or {})
        params = self._prepare(pipeline, values, extras)
        if isinstance(pipeline, Settles):
            params = pipeline.settle(params, self.desk)
        if problem := pipeline.need(params, self.catalog).missing:
            raise BadInput(problem, hint="Choose a model, or add one in the Models tab.", field="model")
        job = Job(id=uuid.uuid4().hex, pipeline=pipeline, params=params, owner=owner, source=source, extras=extras)
        self.storage.named(owner, params.model_dump(mode="json"), self.desk.inputs)
        self.storage.admit(owner)
        with self._changed:
            mine = sum(waiting.owner == owner for lane in self._waiting.values() for waiting in lane)
            if mine >= self.settings.queue_limit:
                raise QueueFull(f"You already have {mine} jobs waiting.", hint="Wait for one to finish, or cancel some in the queue.")
            self.store.put_job(self._row(job))
            self._admit(job)
        return job

    def get(self, job_id: str) -> Job:
        with self._changed:
            job = self._jobs.get(job_id)
        if job is None:
            raise NotFound("That job is not known any more.", hint="Its outputs are in the gallery.")
        return job

    def cancel(self, job_id: str, *, by: str, mode: str = "cancel") -> bool:
        """Stop one's own job; False where it is not one's own or has ended."""
        with self._changed:
            job = self._jobs.get(job_id)
            if job is None or job.owner != by or job.state not in ("queued", "running"):
                return False
            lane = job.pipeline.lane
            job.wanted_stop = mode
            if job in self._waiting[lane]:
                self._waiting[lane].remove(job)
                queued = True
            else:
                queued = False
        if queued:
            self._end(job, "cancelled", Cancelled())
            self._tell_positions(lane)
        else:
            self.executors[lane].stop(job.id, mode)
        return True

    def move(self, job_id: str, *, by: str, earlier: bool) -> bool:
        """Swap one's own waiting job with one's own before or after it; others keep their turns. False at the end of the line."""
        with self._changed:
            job = self._jobs.get(job_id)
            if job is None or job.owner != by or job.state != "queued":
                return False
            line = self._waiting[job.pipeline.lane]
            mine = [other for other in line if other.owner == by]
            if job not in mine:
                return False
            place = mine.index(job) + (-1 if earlier else 1)
            if not 0 <= place < len(mine):
                return False
            other = mine[place]
            here, there = line.index(job), line.index(other)
            line[here], line[there] = other, job
            first, second = (self.store.job_row(one.id)["ordinal"] for one in (job, other))
            self.store.update_job(job.id, ordinal=second)
            self.store.update_job(other.id, ordinal=first)
        self._tell_positions(job.pipeline.lane)
        return True

    def update(self, job_id: str, field: str, value: Any, *, by: str) -> bool:
        job = self.get(job_id)
        if job.owner != by or job.state != "running":
            return False
        self.executors[job.pipeline.lane].update(job_id, field, value)
        return True

    def listing(self, owner: str = "") -> list[dict[str, Any]]:
        """Running first, then the queue in order; other people's jobs without their content."""
        with self._changed:
            lanes = [[(0, job) for job in self._running[lane]] + list(enumerate(self._order(lane), start=self._first_place(lane))) for lane in self.executors]
        return [self._line(job, place, owner) for lane in lanes for place, job in lane]

    def worker_status(self) -> dict[str, Any]:
        answer = self.executors["device"].ask("status")
        loaded = answer.get("loaded", [])
        busy = bool(self._running["device"])
        state = "busy" if busy else ("idle" if answer else "not started")
        used = sum(model["bytes"] for model in loaded)
        return {"device": self.executor_device(), "state": state, "loaded": loaded, "used_bytes": used, "budget_bytes": self._budget(self.settings)}

    def verdict(self, pipeline: Pipeline, params: Params) -> Need:
        """What a job takes here: on this device, within the memory for models, at the pace of earlier jobs."""
        params = pipeline.look(params, self.desk) if isinstance(pipeline, Looks) else params
        need = pipeline.place(params, self.catalog, self.executor_device(), self._budget(self.settings)) if isinstance(pipeline, Places) else pipeline.need(params, self.catalog)
        if need.missing or not isinstance(pipeline, Paced) or not (pace := self.store.recall("", self._pace_key(pipeline, params))):
            return need
        return replace(need, seconds=pipeline.seconds(params, self.catalog, pace))

    def _pace_key(self, pipeline: Paced, params: Params) -> str:
        return f"pace:{self.executor_device()}:{pipeline.pace_key(params, self.catalog)}"

    def executor_device(self) -> str:
        return str(getattr(self.executors["device"], "config", {}).get("device", "cpu"))

    def unload(self, key: str = "") -> list[str]:
        unloaded: list[str] = self.executors["device"].ask("unload", key=key).get("unloaded", [])
        return unloaded

    def apply(self, settings: Settings) -> None:
        self.settings = settings
        self.catalog.roots = [settings.models_path, *(Path(folder) for folder in settings.models_dir)]
        values = {"roots": [str(root) for root in self.catalog.roots], "budget": self._budget(settings), "keep_loaded": settings.keep_loaded}
        for executor in self.executors.values():
            executor.configure(values)

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for executor in self.executors.values():
            executor.close()

    def extension_fields(self, pipeline_id: str) -> dict[str, type[ExtensionParams]]:
        """What extensions add to a method's form, by extension."""
        return {name: kind for name, kind in self.hooks.collect_by("register_settings") if kind.applies(pipeline_id)}

    # -- submitting ------------------------------------------------------------------------------------------

    def _read_extras(self, pipeline_id: str, given: dict[str, Any]) -> dict[str, Any]:
        """Each extension's fields, whole and valid. Raises BadInput."""
        known = self.extension_fields(pipeline_id)
        if other := next((name for name in given if name not in known), ""):
            raise BadInput(f"The extension “{other}” adds nothing to this method.", hint="Leave it out, or switch the extension on.", field="extras")
        return {name: kind.parse(given.get(name, {})).model_dump(mode="json") for name, kind in known.items()}

    def _prepare(self, pipeline: Pipeline, values: dict[str, Any], extras: dict[str, Any]) -> Params:
        values = self.hooks.chain("before_run", "values", dict(values), pipeline_id=pipeline.id, extras=extras)
        params = resolve_seed(pipeline.Params.parse(values))

        def expanded(prompt: str, seed: int) -> str:
            changed: str = self.hooks.chain("on_prompt", "prompt", prompt, pipeline_id=pipeline.id, seed=seed, extras=extras, user_data=str(self.settings.data))
            return changed

        if isinstance(pipeline, ExpandsPrompts):
            params = pipeline.Params.parse(pipeline.expand_prompts(params, expanded).model_dump())
        elif "prompt" in pipeline.Params.model_fields and isinstance(prompt := getattr(params, "prompt", None), str):
            params = pipeline.Params.parse(params.model_dump() | {"prompt": expanded(prompt, getattr(params, "seed", 0))})
        if not isinstance(pipeline, ReadsText):
            return params

        def changed(text: str, accept: Callable[[str], object] = lambda text: None) -> str:
            made: str = self.hooks.chain("on_text_input", "text", text, accept, pipeline_id=pipeline.id, extras=extras)
            return made

        mapped: Params = pipeline.map_text(params, changed)
        return mapped

    def _row(self, job: Job) -> dict[str, Any]:
        return {
            "id": job.id, "pipeline": job.pipeline.id, "params": job.params.model_dump(mode="json"), "extras": job.extras, "owner": job.owner,
            "source": job.source, "lane": job.pipeline.lane, "state": "queued", "created": job.created, "ordinal": time.time_ns(), "attempts": 0,
        }  # fmt: skip

    def _admit(self, job: Job) -> None:
        self._jobs[job.id] = job
        self._waiting[job.pipeline.lane].append(job)
        self._forget_old()
        self._tell_positions(job.pipeline.lane)
        self._changed.notify_all()

    def _forget_old(self) -> None:
        ended = [job.id for job in self._jobs.values() if job.state not in ("queued", "running")]
        for job_id in ended[: max(0, len(ended) - KEEP_ENDED)]:
            del self._jobs[job_id]

    def _recover(self) -> None:
        shutil.rmtree(temporary_folder(self.spool), ignore_errors=True)  # of workers that ended with the studio
        for row in self.store.job_rows(["queued", "running"]):
            pipeline = self.pipelines.get(row["pipeline"])
            self._adopt_spool(row)
            if pipeline is None or row["attempts"] >= MAX_ATTEMPTS:
                why = "ended the studio twice" if pipeline else "needs an extension that is gone"
                self.store.update_job(row["id"], state="failed", error=StudioError(f"This job {why} and was not tried again.").wire())
                continue
            job = Job(id=row["id"], pipeline=pipeline, params=pipeline.Params.parse(row["params"]), owner=row["owner"], source=row["source"], extras=row["extras"] or {}, created=row["created"])
            job.attempts = row["attempts"]
            for output in self.store.outputs_of(job.id):  # finished before the studio ended
                job.outputs.append(output.id)
                job.tell(Saved(output.id))
            with self._changed:
                self._admit(job)

    def _adopt_spool(self, row: dict[str, Any]) -> None:
        for described in sorted((self.spool / row["id"]).glob("*.artifact")):
            artifact = read_artifact(described)
            made = {"params": row["params"], "pipeline": row["pipeline"]} | artifact.origin
            self.store.save(job_id=row["id"], owner=row["owner"], pipeline_id=made["pipeline"], artifacts=[artifact], metadata=made)
            described.unlink()
        shutil.rmtree(self.spool / row["id"], ignore_errors=True)

    # -- running ---------------------------------------------------------------------------------------------

    def _order(self, lane: str) -> list[Job]:
        """Round-robin by owner, beginning after the owner served last; each owner's jobs in their order."""
        queues: dict[str, list[Job]] = {}
        for job in self._waiting[lane]:
            queues.setdefault(job.owner, []).append(job)
        owners = list(queues)
        if (last := self._last_owner.get(lane)) in owners:
            owners = owners[owners.index(last) + 1 :] + owners[: owners.index(last) + 1]
        ordered: list[Job] = []
        while any(queues.values()):
            ordered += [queues[owner].pop(0) for owner in owners if queues[owner]]
        return ordered

    def _serve(self, lane: str) -> None:
        while True:
            with self._changed:
                while not self._waiting[lane] and not self._closing:
                    self._changed.wait()
                if self._closing:
                    return
                job = self._order(lane)[0]
                self._waiting[lane].remove(job)
                self._running[lane].append(job)
                self._last_owner[lane] = job.owner
                job.state, job.started = "running", time.time()
                job.attempts += 1
            self._tell_positions(lane)
            try:
                self._run(lane, job)
            except Exception as error:  # a bug in the host: the job is told, the lane goes on
                if self._closing:
                    return  # the store may be closed by now; the row stays "running", and the next start takes the job up again
                self._end(job, "failed", Failed(InternalError(f"Something went wrong inside the studio ({type(error).__name__}: {error}).").wire()))
            finally:
                with self._changed:
                    self._running[lane] = [other for other in self._running[lane] if other is not job]

    def _run(self, lane: str, job: Job) -> None:
        self.store.update_job(job.id, state="running", started=job.started, attempts=job.attempts)
        message = {
            "job": job.id, "pipeline": job.pipeline.id, "params": job.params.model_dump(mode="json"), "extras": job.extras, "catalog": self.catalog.version,
            "entries": [asdict(entry) for entry in self.catalog.entries() if entry.source != "models"],
            "kept": [output.path for output in self.store.outputs_of(job.id)] if job.attempts > 1 else [],
            "secrets": {"remote_key": self.settings.remote_key, "remote_url": self.settings.remote_url},
        }  # fmt: skip
        executor = self.executors[lane]
        try:
            self.storage.admit(job.owner)  # the jobs before it may have filled it
            end = executor.run(message, lambda report: self._report(job, report))
        except StudioError as error:
            end = {"end": "failed", "error": error.wire()}
        if self._closing:
            return  # the row stays "running": the next start takes it up again
        try:
            self._finish(job, end)
        except StudioError as error:
            self._end(job, "failed", Failed(error.wire()))
        shutil.rmtree(self.spool / job.id, ignore_errors=True)

    def _report(self, job: Job, report: dict[str, Any]) -> None:
        if "event" in report:
            event = event_from_wire(report["event"])
            job.tell(event)
            if isinstance(event, Text) and len(job.text) % 64 < len(event.delta):
                self.store.update_job(job.id, text=job.text)
            self.hooks.notify("on_event", job_id=job.id, event=event)
        elif "artifact" in report:
            self._keep(job, Path(report["artifact"]))
        elif "loaded" in report:
            self.hooks.notify("on_model_loaded", key=report["loaded"], bytes=report["bytes"])

    def _keep(self, job: Job, described: Path) -> None:
        """One finished artifact: through the transforms, into the store, told to the listeners."""
        values = job.params.model_dump(mode="json")
        artifacts = [read_artifact(described)]
        artifacts = self.hooks.chain("after_run", "artifacts", artifacts, pipeline_id=job.pipeline.id, values=values, extras=job.extras)
        artifacts = [self._transform_text(job, artifact) for artifact in artifacts]
        origin = artifacts[0].origin if artifacts else {}
        about = self._metadata(job, values) | ({"params": origin["params"]} if origin else {})
        saved = self.store.save(job_id=job.id, owner=job.owner, pipeline_id=origin.get("pipeline", job.pipeline.id), artifacts=artifacts, metadata=about)
        described.unlink()
        for output in saved:
            job.outputs.append(output.id)
            job.tell(Saved(output.id))
            self.hooks.notify("on_saved", output=output)

    def _transform_text(self, job: Job, artifact: Artifact) -> Artifact:
        if artifact.kind != "text" or artifact.suffix != ".md":
            return artifact
        text = self.hooks.chain("on_text_output", "text", artifact.data.decode(), pipeline_id=job.pipeline.id, extras=job.extras)
        job.text = text
        return replace(artifact, data=text.encode())

    def _metadata(self, job: Job, values: dict[str, Any]) -> dict[str, Any]:
        model = str(values.get("model", ""))
        return {
            "studio": studio.__version__, "schema": 1, "pipeline": job.pipeline.id, "params": values, "params_version": job.pipeline.Params.schema_version,
            "extras": job.extras, "model": {"key": model, "sha256": self._sha256(model)}, "seconds": round(time.time() - job.started, 3),
            "device": self.executor_device(), "extensions": self.hooks.implementers("after_run"), "created": time.time(),
        }  # fmt: skip

    def _sha256(self, key: str) -> str:
        return next((str(entry.details.get("sha256", "")) for entry in self.catalog.entries() if entry.key == key), "")

    def _finish(self, job: Job, end: dict[str, Any]) -> None:
        job.summary = end.get("summary", {})
        seconds = time.time() - job.started
        if end["end"] == "done" and isinstance(job.pipeline, Paced) and (pace := end["summary"].get("pace")):
            self.store.remember("", self._pace_key(job.pipeline, job.params), pace)
        if end["end"] == "done":
            self._seconds[job.pipeline.id] = 0.7 * self._seconds.get(job.pipeline.id, seconds) + 0.3 * seconds
            self._end(job, "done", Done(list(job.outputs), job.summary, seconds))
        elif end["end"] == "cancelled":
            self._end(job, "cancelled", Cancelled(list(job.outputs), job.summary))
        else:
            job.error = StudioError.from_wire(end["error"])
            self._end(job, "failed", Failed(end["error"]))

    def _end(self, job: Job, state: str, event: Event) -> None:
        job.state = state
        if isinstance(event, Failed):
            job.error = StudioError.from_wire(event.error)
        error: Any = job.error.wire() if job.error else {}
        self.store.update_job(job.id, state=state, finished=time.time(), text=job.text, summary=job.summary, outputs=job.outputs, error=error)
        job.tell(event)
        self.hooks.notify("on_event", job_id=job.id, event=event)

    # -- telling ---------------------------------------------------------------------------------------------

    def _tell_positions(self, lane: str) -> None:
        with self._changed:
            first = self._first_place(lane)
            wait = min(self._left(job) for job in self._running[lane]) if first else 0.0
            for place, job in enumerate(self._order(lane), start=first):
                job.tell(Queued(place, wait))
                wait += self._seconds.get(job.pipeline.id, 0.0)

    def _first_place(self, lane: str) -> int:
        """Of the first that waits: 0 where its turn comes at once."""
        return int(len(self._running[lane]) >= self.executors[lane].slots)

    def _left(self, job: Job) -> float:
        return max(0.0, self._seconds.get(job.pipeline.id, 0.0) - (time.time() - job.started))

    def _line(self, job: Job, place: int, owner: str) -> dict[str, Any]:
        mine = job.owner == owner
        about = {"id": job.id if mine else "", "pipeline": job.pipeline.id, "title": job.pipeline.title, "state": job.state, "position": place, "mine": mine}
        return about | job.far() | {"note": job.note() if mine else ""}


def read_artifact(described: Path) -> Artifact:
    about = json.loads(described.read_text(encoding="utf-8"))
    data = (described.parent / about["file"]).read_bytes()
    return Artifact(about["kind"], data, about["suffix"], about["title"], about["facts"], about.get("origin", {}))
