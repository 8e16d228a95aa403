"""The native API, /api/v1: made from the registered pipelines. The gate stands before it."""

from __future__ import annotations

import io
import json
import math
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route as StarletteRoute

import studio as package
from studio.bodies import body, raw
from studio.errors import BadInput, NotAllowed, NotFound, StudioError
from studio.host import Output, Route, Studio, Taken
from studio.i18n import Words, language
from studio.metadata import sidecar
from studio.restore import Restored, hand_over, restore, restore_metadata

THUMB_PIXELS = 256
MOST_ZIPPED = 500
TYPES = {".wav": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".mid": "audio/midi"}  # said here: what a computer's own table says differs, and browsers may not guess
INLINE = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".wav", ".mp3", ".flac", ".ogg", ".mp4", ".mid"}


def owner(request: Request) -> str:
    return unquote(request.headers["x-seisei-owner"])


def is_host(request: Request) -> bool:
    return request.headers["x-seisei-host"] == "1"


class Api:
    """Endpoints over one Studio; each answers JSON, errors as {"error": {code, message, hint, field}}."""

    def __init__(self, studio: Studio, provision: Callable[[], list[dict[str, Any]]], retry: Callable[[str], None]) -> None:
        self.studio = studio
        self.provision = provision
        self.retry_provision = retry

    def routes(self) -> list[Route]:
        return [
            Route("/api/v1/status", ["GET"], self.status, "Device, memory, queue and set-up steps"),
            Route("/api/v1/openapi.json", ["GET"], self.openapi, "This description"),
            Route("/api/v1/pipelines", ["GET"], self.pipelines, "All methods"),
            Route("/api/v1/pipelines/{id}", ["GET"], self.pipeline, "One method and the schema of its parameters"),
            Route("/api/v1/pipelines/{id}", ["POST"], self.submit, "Start a job: the body is its parameters"),
            Route("/api/v1/pipelines/{id}/need", ["POST"], self.need, "What a job would take"),
            Route("/api/v1/jobs", ["GET"], self.jobs, "Running and waiting jobs"),
            Route("/api/v1/jobs/{id}", ["GET"], self.job, "One job of yours: its state, how far it is, what came of it"),
            Route("/api/v1/jobs/{id}/events", ["GET"], self.events, "Its events as server-sent events"),
            Route("/api/v1/jobs/{id}/preview", ["GET"], self.job_preview, "The picture of its work so far"),
            Route("/api/v1/jobs/{id}/cancel", ["POST"], self.cancel, "Stop it"),
            Route("/api/v1/jobs/{id}/move", ["POST"], self.move, "Earlier or later among your waiting jobs: ?to=earlier|later"),
            Route("/api/v1/pace", ["POST"], self.pace, 'How often a page is sent what is being written: {"page": its session with Gradio, "seconds"}'),
            Route("/api/v1/inputs", ["POST"], self.keep_input, "Keep a picture, a sound or a MIDI file for a job, or with ?as=table a CSV file, ?as=drawing an SVG: the body is the file, the answer its key"),
            Route("/api/v1/outputs", ["GET"], self.outputs, "Your outputs: ?kind= &query= &pipeline= &shelf=trash &limit= &offset="),
            Route("/api/v1/outputs/zip", ["GET"], self.zip, "Some of your outputs as one zip file: ?ids=a,b,c"),
            Route("/api/v1/outputs/{act}", ["POST"], self.change_outputs, 'act: trash, untrash, or purge (trashed ones, for good); {"ids": […]}'),
            Route("/api/v1/outputs/{id}/restore", ["POST"], self.restore_output, "Give its settings back to their tab"),
            Route("/api/v1/outputs/{id}", ["GET"], self.output, "One output with its metadata"),
            Route("/api/v1/outputs/{id}/file", ["GET"], self.file, "Its file"),
            Route("/api/v1/outputs/{id}/thumb", ["GET"], self.thumb, "A picture of at most 256 pixels"),
            Route("/api/v1/restore", ["POST"], self.restore, "Give the settings inside an output file back to their tab: the body is the file, ?name= its name"),
            Route("/api/v1/provision/retry", ["POST"], self.retry, "Try failed set-up steps again", owner_only=True),
            Route("/api/v1/models", ["GET"], self.models, "Models on this computer"),
            Route("/api/v1/models/{key:path}/preview", ["GET"], self.preview, "The picture beside a model"),
            Route("/api/v1/downloads", ["GET"], self.downloads, "Models on their way", owner_only=True),
            Route("/api/v1/downloads", ["POST"], self.download, 'Fetch a model: {"url"} or {"hub_id", "files"}; or {"convert": key} a pickle to safetensors', owner_only=True),
            Route("/api/v1/downloads/{id}/{action}", ["POST"], self.change_download, "action: cancel, again or forget", owner_only=True),
        ]

    def status(self, request: Request) -> Any:
        """Sentences are in the asker's language: the page shows them as they are."""
        jobs = self.studio.jobs
        return {
            "version": package.__version__, "device": jobs.executor_device(), "worker": jobs.worker_status(), "jobs": self._said(request, jobs.listing(owner(request)), "note"),
            "provision": self._said(request, self.provision(), "note"), "notices": [item["text"] for item in self._said(request, [{"text": text} for text in self.studio.notices], "text")],
            "downloads": self._said(request, self.studio.downloads.listing(), "note") if is_host(request) else [], "outputs": self.studio.store.changes,
            "share": dict(self.studio.shared) if is_host(request) else {}, "torch_imported": "torch" in sys.modules, "host": is_host(request),
        }  # fmt: skip

    def _said(self, request: Request, rows: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
        lang = language(request.headers, request.cookies)
        return [row | {name: self.studio.words.say(lang, row[name])} if row.get(name) else row for row in rows]

    def pipelines(self, request: Request) -> Any:
        return [{"id": item.id, "title": item.title, "lane": item.lane} for item in self.studio.pipelines.values()]

    def pipeline(self, request: Request) -> Any:
        item = self._pipeline(request)
        return {"id": item.id, "title": item.title, "lane": item.lane, "params": item.Params.model_json_schema()}

    async def submit(self, request: Request) -> Response:
        values = await body(request)
        extras = values.pop("extras", {})
        job = await run_in_threadpool(self.studio.submit, request.path_params["id"], values, owner=owner(request), source="api", extras=extras)
        return JSONResponse({"id": job.id, "state": job.state, "events": f"/api/v1/jobs/{job.id}/events"}, status_code=202)

    async def need(self, request: Request) -> Any:
        item = self._pipeline(request)
        return asdict(self.studio.jobs.verdict(item, item.Params.parse(await body(request))))

    def jobs(self, request: Request) -> Any:
        return self.studio.jobs.listing(owner(request))

    def job(self, request: Request) -> Any:
        job = self._job(request)
        error = job.error.wire() if job.error else None
        about = {"id": job.id, "pipeline": job.pipeline.id, "state": job.state, "text": job.text, "summary": job.summary, "outputs": job.outputs, "error": error}
        return about | job.far() | {"note": job.note()}

    def events(self, request: Request) -> Response:
        job = self._job(request)

        def lines() -> Iterator[str]:
            for event in job.events():
                yield f"event: {type(event).__name__.lower()}\ndata: {json.dumps(event.wire(), ensure_ascii=False)}\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"})

    def job_preview(self, request: Request) -> Response:
        path = self.studio.jobs.spool / self._job(request).id / "preview.png"
        try:
            return Response(path.read_bytes(), media_type="image/png", headers={"cache-control": "no-store"})
        except OSError as error:
            raise NotFound("There is no preview of this job.") from error

    async def pace(self, request: Request) -> Any:
        told = await body(request)
        try:
            return {"seconds": self.studio.paces.tell(owner(request), str(told.get("page", "")), float(told.get("seconds", 0)))}
        except (TypeError, ValueError) as error:
            raise BadInput("A pace is the name of a page and seconds above 0.", hint='Send {"page": "…", "seconds": 0.5}.', field="seconds") from error

    async def keep_input(self, request: Request) -> Any:
        data = await raw(request, self.studio.settings.max_upload_mb * 2**20)
        inputs = self.studio.inputs(owner(request))
        keep = {"table": inputs.keep_table, "drawing": inputs.keep_drawing}.get(request.query_params.get("as", ""), inputs.keep)
        return {"key": await run_in_threadpool(keep, data, "")}  # which setting it is for is known to who sends it

    def cancel(self, request: Request) -> Any:
        self._job(request)
        mode = request.query_params.get("mode", "cancel")
        if mode not in ("cancel", "finish", "skip"):
            raise BadInput("mode is one of cancel, finish, skip.", field="mode")
        return {"stopped": self.studio.jobs.cancel(request.path_params["id"], by=owner(request), mode=mode)}

    def move(self, request: Request) -> Any:
        to = request.query_params.get("to", "")
        if to not in ("earlier", "later"):
            raise BadInput("to is one of earlier, later.", field="to")
        return {"moved": self.studio.jobs.move(self._job(request).id, by=owner(request), earlier=to == "earlier")}

    def outputs(self, request: Request) -> Any:
        query = request.query_params
        try:
            limit, offset = min(200, int(query.get("limit", "60"))), int(query.get("offset", "0"))
        except ValueError as error:
            raise BadInput("limit and offset are whole numbers.") from error
        wanted = {name: query.get(name, "") for name in ("kind", "query", "pipeline")}
        found = self.studio.store.outputs(owner=owner(request), **wanted, trashed=query.get("shelf") == "trash", limit=limit, offset=offset)  # type: ignore[arg-type]
        return [describe(output) for output in found]

    async def change_outputs(self, request: Request) -> Any:
        store, act = self.studio.store, request.path_params["act"]
        acts: dict[str, Callable[..., int]] = {"trash": store.trash, "untrash": store.untrash, "purge": store.purge}
        if act not in acts:
            raise NotFound(f"There is no action “{act}”.", hint="It is one of trash, untrash, purge.")
        ids = (await body(request)).get("ids")
        if not isinstance(ids, list) or not ids or not all(isinstance(one, str) for one in ids):
            raise BadInput("ids is a list of output ids.", field="ids")
        return {"count": await run_in_threadpool(acts[act], ids, owner=owner(request))}

    def zip(self, request: Request) -> Response:
        """Names are made unique by the output's id where two files share one."""
        ids = [one for one in request.query_params.get("ids", "").split(",") if one][:MOST_ZIPPED]
        mine = [output for output in map(self.studio.store.output, ids) if output.owner == owner(request)]
        if not mine:
            raise NotFound("That output is not in your gallery.")
        file = tempfile.TemporaryFile()  # noqa: SIM115 (without a name, so that nothing is left of it however the answer ends)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for output in mine:
                path = Path(output.path)
                if path.is_file():
                    archive.write(path, path.name)
                    if sidecar(path).is_file():
                        archive.write(sidecar(path), sidecar(path).name)
        size = file.tell()
        file.seek(0)

        def pieces() -> Iterator[bytes]:
            with file:
                yield from iter(lambda: file.read(2**20), b"")

        headers = {"content-disposition": f'attachment; filename="seisei-{len(mine)}-outputs.zip"', "content-length": str(size)}
        return StreamingResponse(pieces(), media_type="application/zip", headers=headers)

    def output(self, request: Request) -> Any:
        return describe(self._output(request))

    def file(self, request: Request) -> Response:
        path = Path(self._output(request).path)
        if not path.is_file():
            raise NotFound("The file of this output is gone.", hint="It was moved or deleted outside the studio.")
        inline = path.suffix.lower() in INLINE and "download" not in request.query_params
        media = TYPES.get(path.suffix.lower()) if path.suffix.lower() in INLINE else "text/plain; charset=utf-8"
        headers = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox; default-src 'none'; img-src 'self'; media-src 'self'"}
        kind = "inline" if inline else "attachment"
        return FileResponse(path, media_type=media, filename=path.name, content_disposition_type=kind, headers=headers)

    def thumb(self, request: Request) -> Response:
        output = self._output(request)
        if output.kind != "image":
            raise NotFound("This output has no picture.")
        return small_picture(Path(output.path))

    async def restore(self, request: Request) -> Any:
        """The file is read in a folder of its own, which goes away; its name is for sentences, and its suffix."""
        limit = self.studio.settings.max_upload_mb * 2**20
        with tempfile.TemporaryDirectory(prefix="seisei-restore-") as folder:
            path = Path(folder) / (re.sub(r"[^\w .()-]", "_", Path(request.query_params.get("name", "")).name)[-80:].lstrip(". ") or "dropped")
            with path.open("wb") as file:
                async for piece in request.stream():
                    if file.tell() + len(piece) > limit:
                        raise BadInput(f"The file is larger than {self.studio.settings.max_upload_mb} MB.", hint="Use a smaller file.")
                    file.write(piece)
            return await run_in_threadpool(lambda: self._hand_over(restore(path, self.studio), request, path))

    def restore_output(self, request: Request) -> Any:
        return self._hand_over(restore_metadata(self._output(request).metadata, self.studio), request)

    def _hand_over(self, restored: Restored, request: Request, file: Path | None = None) -> Any:
        """The sentences are in the page's language: the page shows them as they are."""
        say, lang = self.studio.words.say, language(request.headers, request.cookies)
        take = self.studio.takers.get(restored.pipeline_id)
        taken = take(owner(request), restored.params, file) if take else Taken()
        hand_over(restored, self.studio, owner(request))
        refused, place = restored.refused | taken.left, self.studio.place(restored.pipeline_id, restored.params)
        told = [say(lang, "The settings are in their tab again.") if place else say(lang, "No page shows the settings of “{title}”.", title=say(lang, restored.title))]
        if restored.model_missing:
            told.append(say(lang, "The model {key} is not on this computer.", key=restored.model_missing))
        if refused:
            fields = self.studio.pipelines[restored.pipeline_id].Params.model_fields
            names = {name: say(lang, fields[name].title or name) if name in fields else name for name in refused}
            told.append(say(lang, "Not taken: {names}", names=", ".join(f"{names[name]} ({say(lang, why)})" for name, why in refused.items())))
        about = {"pipeline": restored.pipeline_id, "title": restored.title, "refused": refused, "model_missing": restored.model_missing}
        return about | {"place": place, "told": " ".join(told), "changed": taken.changed}

    def retry(self, request: Request) -> Any:
        """`?model=<id>` also fetches a starter model that only comes on wish."""
        self.retry_provision(request.query_params.get("model", ""))
        return {"started": True}

    def models(self, request: Request) -> Any:
        hidden = {} if is_host(request) else {"path": ""}
        return [asdict(entry) | hidden for entry in self.studio.catalog.entries()]

    def preview(self, request: Request) -> Response:
        entry = self.studio.catalog.find(request.path_params["key"])
        path = Path(str(entry.details.get("preview", "")))
        if path.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp") or not path.is_file():
            raise NotFound("This model has no picture.")
        return small_picture(path)

    def downloads(self, request: Request) -> Any:
        return self.studio.downloads.listing()

    async def download(self, request: Request) -> Any:
        wanted = await body(request)
        if wanted.get("hub_id"):
            item = await run_in_threadpool(self.studio.downloads.from_hub, str(wanted["hub_id"]), files=[str(name) for name in wanted.get("files", [])])
        elif wanted.get("convert"):
            item = await run_in_threadpool(self.studio.downloads.from_pickle, self.studio.catalog.find(str(wanted["convert"])))
        else:
            item = await run_in_threadpool(self.studio.downloads.from_address, str(wanted.get("url", "")))
        return asdict(item)

    def change_download(self, request: Request) -> Any:
        downloads = self.studio.downloads
        actions = {"cancel": downloads.cancel, "again": downloads.again, "forget": downloads.forget}
        action = request.path_params["action"]
        if action not in actions:
            raise NotFound(f"There is no action “{action}”.", hint="It is one of cancel, again, forget.")
        actions[action](request.path_params["id"])
        return {"done": True}

    def openapi(self, request: Request) -> Any:
        return openapi(self.routes(), self.studio)

    def _pipeline(self, request: Request) -> Any:
        found = self.studio.pipelines.get(request.path_params["id"])
        if found is None:
            raise NotFound(f"There is no method “{request.path_params['id']}”.", hint="GET /api/v1/pipelines lists them.")
        return found

    def _job(self, request: Request) -> Any:
        job = self.studio.jobs.get(request.path_params["id"])
        if job.owner != owner(request):
            raise NotFound("That job is not known any more.")
        return job

    def _output(self, request: Request) -> Output:
        output = self.studio.store.output(request.path_params["id"])
        if output.owner != owner(request):
            raise NotFound("That output is not in your gallery.")
        return output


def small_picture(path: Path) -> Response:
    """At most THUMB_PIXELS on a side, as WebP. Raises NotFound for what is no picture."""
    from PIL import Image

    buffer = io.BytesIO()
    try:
        with Image.open(path) as image:
            image.thumbnail((THUMB_PIXELS, THUMB_PIXELS))
            image.convert("RGBA" if "A" in image.getbands() else "RGB").save(buffer, "WEBP", quality=80)
    except (OSError, Image.DecompressionBombError) as error:
        raise NotFound("This picture can't be read.") from error
    return Response(buffer.getvalue(), media_type="image/webp", headers={"cache-control": "private, max-age=86400"})


class Answer(JSONResponse):
    """JSON has no infinity and no half letters: the first is null, the second a mark. One such number must not cost a whole answer."""

    def render(self, content: Any) -> bytes:
        try:
            return super().render(content)
        except ValueError:
            return json.dumps(_finite(content), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def describe(output: Output) -> dict[str, Any]:
    about = asdict(output) | {"file": f"/api/v1/outputs/{output.id}/file"}
    del about["path"], about["owner"]
    return about


def mount(route: Route, words: Words) -> StarletteRoute:
    """A registered route as Starlette's: owner-only checked, StudioErrors answered as JSON in the asker's language, JSON made of plain values."""
    import inspect

    is_async = inspect.iscoroutinefunction(route.endpoint)

    @wraps(route.endpoint)
    async def endpoint(request: Request) -> Response:
        try:
            if route.owner_only and not is_host(request):
                raise NotAllowed("Only the studio's owner may do that.")
            answer = await route.endpoint(request) if is_async else await run_in_threadpool(route.endpoint, request)
        except StudioError as error:
            lang = language(request.headers, request.cookies)
            wire = error.wire()
            told = {name: words.say(lang, str(value)) if name in ("message", "hint") else value for name, value in wire.items()}
            if error.fix:
                told["fix"] = wire["fix"] | {"label": words.say(lang, error.fix.label)}
            return JSONResponse({"error": told}, status_code=error.status)
        return answer if isinstance(answer, Response) else Answer(answer)

    return StarletteRoute(route.path, endpoint, methods=route.methods, name=f"{route.methods[0]} {route.path}")


def openapi(routes: list[Route], studio: Studio) -> dict[str, Any]:
    """OpenAPI 3.1 of the native API; every pipeline's own POST with its parameter schema."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
        parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
        for method in route.methods:
            operation = {"summary": route.title, "parameters": parameters, "responses": {"200": {"description": "OK"}}}
            paths.setdefault(route.path, {})[method.lower()] = operation
    schemas = {}
    for item in studio.pipelines.values():
        name = item.id.replace(".", "_")
        schemas[name] = item.Params.model_json_schema()
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        operation = {"summary": item.title, "requestBody": {"content": content}, "responses": {"202": {"description": "Queued"}}}
        paths[f"/api/v1/pipelines/{item.id}"] = {"post": operation}
    about = {"title": "Seisei Studio", "version": package.__version__}
    return {"openapi": "3.1.0", "info": about, "paths": paths, "components": {"schemas": schemas}}
