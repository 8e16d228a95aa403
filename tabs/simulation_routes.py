"""What the Simulation page's script asks for: models as data, their pictures, live views, a run to keep. No gradio."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool as apart
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from studio.api import FRAME_FILE, BadInput, Frame, NotFound, Params, QueueFull, Route, Simulation, Studio, StudioError, chance, language
from studio.bodies import body
from tabs.simulation_desk import LIVE, RUN, Desk, script
from tabs.simulation_form import fields_of

PICTURES = Path(__file__).parent / "samples" / "simulation"
SLOT = "simulation.live.job"
ASKED = ("set", "pause", "step", "speed", "poke", "reset", "record")
WAIT_SECONDS, SEEN_SECONDS = 1.0, 1.0
OWN_VIEWS, UNSEEN_SECONDS = 2, 4.0  # of a person, beyond which those end that no page looks at; so long not looked at
MOST_SHARED = 2  # views of one person in a shared studio: the others want to watch, too
MOST_ASKED = 1_000  # updates at once
CHEAP_STEPS = 200  # that a picture of an extension's model may take
AT = "/api/v1/simulation/"


def card(model: Simulation) -> dict[str, Any]:
    """For the gallery."""
    return {"id": model.id, "title": model.title, "domain": model.domain, "about": model.about, "presets": [preset.name for preset in model.presets], "pokes": model.pokes}


def declared(model: Simulation) -> dict[str, Any]:
    """All that the page shows of a model."""
    return card(model) | {
        "series": [asdict(series) for series in model.series],
        "presets": [{"name": preset.name, "about": preset.about, "values": dict(preset.values)} for preset in model.presets],
        "sources": [asdict(source) for source in model.sources],
        "fields": [asdict(field) for field in fields_of(model)],
        "duration": model.duration, "time_unit": model.time_unit, "stochastic": model.stochastic, "values": plain(model.Params()),
    }  # fmt: skip


def plain(params: Params) -> dict[str, Any]:
    return params.model_dump(mode="json")


def described(model: Simulation) -> dict[str, Any]:
    """For programs: what simulation.run's `values` may hold."""
    return {
        "id": model.id, "title": model.title, "domain": model.domain, "about": model.about, "series": [asdict(series) for series in model.series], "duration": model.duration, "time_unit": model.time_unit,
        "presets": [{"name": preset.name, "about": preset.about, "values": dict(preset.values)} for preset in model.presets], "sources": [asdict(source) for source in model.sources],
        "values": model.Params.model_json_schema(),
    }  # fmt: skip


class Views:
    """Live views of one studio, by their jobs."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.desk = studio, Desk(studio)
        self._seen: dict[str, float] = {}
        self._lock = threading.Lock()

    def own_job(self, owner: str, job_id: str) -> Any:
        """Raises NotFound."""
        job = self.studio.jobs.get(job_id)
        if job.owner != owner or job.pipeline.id != LIVE:
            raise NotFound("That job is not known any more.")
        return job

    def begin(self, owner: str, given: dict[str, Any], lang: str) -> dict[str, Any]:
        """A new view; the one it replaces ends. Raises BadInput."""
        values: dict[str, Any] = {name: given[name] for name in ("model", "own", "values", "seed", "speed", "steps", "changes") if name in given} | {"language": lang}
        self._check_share(owner, str(given.get("replaces", "")))
        job = self.studio.submit(LIVE, values, owner=owner)
        with self._lock:
            self._seen[job.id] = time.monotonic()
        self._make_room(owner)
        if old := str(given.get("replaces", "")):
            self.studio.jobs.cancel(old, by=owner)
        self.studio.store.remember(owner, SLOT, job.id)
        return self.told(job)

    def _check_share(self, owner: str, replaces: str) -> None:
        """Raises QueueFull where others would be left without a place: that are more views than one's share, and all of them are looked at."""
        mine = [line["id"] for line in self.studio.jobs.listing(owner) if line["mine"] and line["pipeline"] == LIVE and line["id"] != replaces]
        seen = [name for name in mine if time.monotonic() - self._seen.get(name, 0.0) <= UNSEEN_SECONDS]
        if (self.studio.settings.exposed or self.studio.settings.auth) and len(seen) >= MOST_SHARED:
            raise QueueFull(f"You are watching {len(seen)} simulations already: others share this studio.", hint="Close one of them, then try again.")

    def _make_room(self, owner: str) -> None:
        """A person's views that no page looks at give their place to newer ones; a page that comes back goes on from where its view was."""
        going = []
        with self._lock:
            seen = dict(self._seen)
        for name in seen:
            try:
                job = self.own_job(owner, name)
            except NotFound:
                continue
            if job.state in ("queued", "running"):
                going.append(name)
        unseen = sorted((name for name in going if time.monotonic() - seen[name] > UNSEEN_SECONDS), key=seen.__getitem__)
        for name in unseen[: max(0, len(going) - OWN_VIEWS)]:
            self.studio.jobs.cancel(name, by=owner, mode="finish")

    def told(self, job: Any) -> dict[str, Any]:
        params = job.params
        return {"job": job.id, "model": declared(self.desk.find(params.model, params.own)), "own": params.own, "values": params.values, "seed": params.seed, "state": job.state}

    def current(self, owner: str, lang: str) -> dict[str, Any]:
        """The view that goes on since the page was left, now in the page's language; {} where there is none."""
        try:
            job = self.own_job(owner, self.studio.store.recall(owner, SLOT, ""))
        except StudioError:
            return {}
        if job.state not in ("queued", "running"):
            return {}
        self.studio.jobs.update(job.id, "language", lang, by=owner)
        return self.told(job)

    def resume(self, owner: str, job_id: str, lang: str) -> dict[str, Any]:
        """A view that ended because nobody looked, from where it was. Raises NotFound."""
        job = self.own_job(owner, job_id)
        kept = job.summary.get("checkpoint")
        if not kept:
            raise NotFound("This view can't go on.", hint="Start it again.")
        return self.begin(owner, {"model": job.params.model, "own": job.params.own} | kept, lang)

    def see(self, job: Any, fresh: bool) -> None:
        """Tells the view that somebody looks; `fresh` where the page has no frame yet."""
        now = time.monotonic()
        if fresh or now - self._seen.get(job.id, 0.0) > SEEN_SECONDS:
            with self._lock:
                self._seen = {name: at for name, at in self._seen.items() if now - at < 600} | {job.id: now}
            self.studio.jobs.update(job.id, "seen", fresh, by=job.owner)

    def ask(self, job: Any, asked: Any) -> bool:
        """Whether the view hears it: one that has not begun, or has ended, does not. Raises BadInput."""
        if not isinstance(asked, list) or not all(isinstance(one, list) and len(one) == 2 and one[0] in ASKED for one in asked):
            raise BadInput("Updates are a list of [name, value].", hint=f"Names are {', '.join(ASKED)}.")
        if len(asked) > MOST_ASKED:
            raise BadInput(f"These are {len(asked):,} updates; {MOST_ASKED:,} can be taken at once.", hint="Send fewer at a time.")
        for name, value in asked:
            check_update(name, value)
        heard = [self.studio.jobs.update(job.id, name, value, by=job.owner) for name, value in asked]
        return all(heard)

    def frame(self, job: Any) -> bytes:
        """b"" where it is gone: a view that ends takes its frames along."""
        try:
            return (self.studio.jobs.spool / job.id / FRAME_FILE).read_bytes()
        except OSError:
            return b""

    def checkpoint(self, job: Any) -> dict[str, Any]:
        """Of the newest frame, or as it ended. Raises NotFound."""
        if kept := job.summary.get("checkpoint"):
            return dict(kept)
        if not (raw := self.frame(job)):
            raise NotFound("There is no frame yet.", hint="Let it run for a moment.")
        return dict(json.loads(raw[4 : 4 + int.from_bytes(raw[:4], "little")])["checkpoint"])

    def keep(self, owner: str, job: Any, given: dict[str, Any], lang: str) -> dict[str, Any]:
        """A simulation.run that gives the same numbers. Raises BadInput."""
        kept = self.checkpoint(job)
        model = self.desk.find(job.params.model, job.params.own)
        step = model.time_step(model.Params.parse(kept["values"]))
        if not kept["steps"]:
            raise BadInput("Nothing has happened yet.", hint="Let it run for a moment.")
        values = {"model": job.params.model, "own": job.params.own, "values": kept["values"], "seed": kept["seed"], "changes": kept["changes"], "duration": kept["steps"] * step, "language": lang}
        made = self.studio.submit(RUN, values | {name: given[name] for name in ("moving", "frames", "every") if name in given}, owner=owner)
        return {"job": made.id}


def check_update(name: str, value: Any) -> None:
    """Raises BadInput for what a view could not read."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    fits = {
        "set": lambda: isinstance(value, list) and len(value) == 2 and isinstance(value[0], str), "pause": lambda: isinstance(value, bool), "step": lambda: number, "speed": lambda: number,
        "poke": lambda: isinstance(value, list) and len(value) == 2 and all(isinstance(part, (int, float)) for part in value), "record": lambda: isinstance(value, str),
        "reset": lambda: isinstance(value, dict) and isinstance(value.get("values", {}), dict) and whole_seed(value.get("seed", 0)),
    }[name]  # fmt: skip
    if not fits():
        raise BadInput(f"“{name}” can't be {json.dumps(value)[:60]}.", hint="Reload the page.")


def whole_seed(value: Any) -> bool:
    """As the method takes it: what a view could be started with, and what its run can be made again with."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def drawn(model: Simulation) -> bytes:
    """A picture of an extension's model after a few steps, as WebP; b"" where it draws none."""
    from PIL import Image

    params, rng = model.Params(), chance(1)
    state = model.advance(model.init(params, rng), params, rng, min(CHEAP_STEPS, round(model.duration / model.time_step(params))))
    picture = model.render(state, params)
    if picture is None:
        return b""
    buffer = io.BytesIO()
    image = Image.fromarray(picture)
    image.thumbnail((320, 320))
    image.save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


def routes(studio: Studio) -> list[Route]:
    views = Views(studio)
    made: dict[str, bytes] = {}

    def owner(request: Request) -> str:
        return unquote(request.headers["x-seisei-owner"])

    def lang(request: Request) -> str:
        return language(request.headers, request.cookies)

    def job(request: Request) -> Any:
        return views.own_job(owner(request), request.path_params["job"])

    def module(request: Request) -> Response:
        return Response(script(), media_type="text/javascript", headers={"cache-control": "private, max-age=86400"})

    def models(request: Request) -> Any:
        return [described(model) for model in studio.simulations.all()]

    def cards(request: Request) -> Any:
        shipped = {path.stem for path in PICTURES.glob("*.webp")}
        run: Any = studio.pipelines[RUN]
        return {"models": [card(model) | {"picture": model.id in shipped} for model in studio.simulations.all()], "moving": run.movings(), "first": views.desk.first().id}

    async def one(request: Request) -> Any:
        """A model, of the gallery or of one's own."""
        given = await body(request)
        return declared(await apart(views.desk.find, str(given.get("model", "")), str(given.get("own", ""))))

    def picture(request: Request) -> Response:
        """Shipped, or drawn at the first wish."""
        name = request.path_params["name"]
        model = studio.simulations.find(name.removesuffix(".webp"))
        if (path := PICTURES / f"{model.id}.webp").is_file():
            return FileResponse(path, headers={"x-content-type-options": "nosniff", "cache-control": "private, max-age=3600"})
        if model.id not in made:
            made[model.id] = drawn(model) if not type(model).__module__.startswith("pipelines.") else b""
        if not made[model.id]:
            raise NotFound("This model has no picture.")
        return Response(made[model.id], media_type="image/webp", headers={"cache-control": "private, max-age=3600"})

    async def begin(request: Request) -> Any:
        return await apart(views.begin, owner(request), await body(request), lang(request))

    def current(request: Request) -> Any:
        return views.current(owner(request), lang(request))

    def resume(request: Request) -> Any:
        return views.resume(owner(request), request.path_params["job"], lang(request))

    async def frame(request: Request) -> Response:
        """Waits a moment for one that is newer than ?after=; 204 where none came, 410 where the view has ended."""
        view, asked = job(request), request.query_params.get("after") or "0"
        if not asked.isdecimal() or len(asked) > 15:
            raise BadInput("after is the number of a frame.", hint="Leave it out for the newest.", field="after")
        after = int(asked)
        views.see(view, after == 0)
        deadline = time.monotonic() + WAIT_SECONDS
        while view.state in ("queued", "running") and time.monotonic() < deadline:
            told = view.latest(Frame)
            if isinstance(told, Frame) and told.frame > after and (drawing := await apart(views.frame, view)):
                return Response(drawing, media_type="application/octet-stream", headers={"cache-control": "no-store"})
            await asyncio.sleep(0.008)
        if view.state in ("queued", "running"):
            return Response(status_code=204, headers={"x-state": view.state})
        error = view.error.wire() if view.error else {"message": "", "hint": ""}
        told_words = {name: studio.words.say(lang(request), str(error[name])) for name in ("message", "hint")}  # type: ignore[literal-required]
        return Response(json.dumps({"state": view.state, "checkpoint": bool(view.summary.get("checkpoint")), **told_words}), status_code=410, media_type="application/json")

    async def ask(request: Request) -> Any:
        given = await body(request)
        return {"told": await apart(views.ask, job(request), given.get("updates"))}

    async def keep(request: Request) -> Any:
        return await apart(views.keep, owner(request), job(request), await body(request), lang(request))

    return [
        Route(AT + "page.js", ["GET"], module, "The script of the Simulation pages"),
        Route(AT + "models", ["GET"], models, "All models: titles, series, presets, sources and the JSON schema of their values"),
        Route(AT + "cards", ["GET"], cards, "What the gallery's cards show"),
        Route(AT + "model", ["POST"], one, 'A model as the page shows it: {"model", "own"}'),
        Route(AT + "pictures/{name}", ["GET"], picture, "A model's picture"),
        Route(AT + "live", ["GET"], current, "Your live view that goes on"),
        Route(AT + "live", ["POST"], begin, 'Begin a live view: {"model", "own", "values", "seed", "speed", "replaces"}'),
        Route(AT + "live/{job}", ["GET"], frame, "Its newest frame after ?after=: four bytes, a JSON head, rows as doubles, pixels as bytes"),
        Route(AT + "live/{job}", ["POST"], ask, 'Tell it: {"updates": [["set", [field, value]], ["pause", true], …]}'),
        Route(AT + "live/{job}/resume", ["POST"], resume, "Go on with one that ended because nobody looked"),
        Route(AT + "live/{job}/keep", ["POST"], keep, "The same run as a table and a picture: a simulation.run job"),
    ]


