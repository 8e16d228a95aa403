"""What AUTOMATIC1111's clients ask about the program: lists, options, memory, and the calls that have no meaning here, answered validly and empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from studio.api import ModelEntry, NotAllowed, Studio

from .alwayson import SCRIPTS as ALWAYS_ON
from .asking import body, is_host, owner, say, text, whole, yes
from .control import SCRIPT
from .here import FIXED, GENERATE, choices, first, look, networks, options, scale_of, set_options, sha256, titles, upscalers, usable
from .pictures import opened
from .scripts import SCRIPTS
from .tasks import Tasks, eta_of, fraction_of, note_of, preview_of


class Lists:
    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def options(self, request: Request) -> Any:
        mine, known = options(self.studio, owner(request)), titles(usable(self.studio, "image"))
        default = "" if mine["sd_model_checkpoint"] else first(self.studio)
        chosen = mine["sd_model_checkpoint"] or next((title for title, entry in known.items() if entry.key == default), "")
        digest = sha256(known[chosen]) if chosen in known else ""
        return FIXED | mine | {"sd_model_checkpoint": chosen, "sd_checkpoint_hash": digest}

    async def change_options(self, request: Request) -> Any:
        await run_in_threadpool(set_options, self.studio, owner(request), await body(request, self.studio))
        return None

    def flags(self, request: Request) -> Any:
        """How the studio was started; nothing secret, and paths for its owner only."""
        settings = self.studio.settings
        folders = {"data_dir": str(settings.data), "ckpt_dir": str(settings.models_path)} if is_host(request) else {"data_dir": "", "ckpt_dir": ""}
        device = self.studio.jobs.executor_device()
        return {"api": True, "nowebui": False, "port": settings.port, "listen": settings.exposed, "share": settings.share, "use_cpu": ["all"] if device == "cpu" else [], **folders}

    def samplers(self, request: Request) -> Any:
        return [{"name": name, "aliases": [], "options": {}} for name in choices(self.studio, GENERATE, "sampler")]

    def schedulers(self, request: Request) -> Any:
        names = choices(self.studio, GENERATE, "schedule")
        return [{"name": name.lower().replace(" ", "_"), "label": name, "aliases": None, "default_rho": 7.0 if name == "Karras" else -1, "need_inner_model": False} for name in names]

    def upscalers(self, request: Request) -> Any:
        """Those that are always there, then the files; each with its own scale."""
        files = networks(self.studio)
        found = [(name, files.get(name)) for name in ("None", *upscalers(self.studio))]
        return [{"name": name, "model_name": entry and entry.title, "model_path": entry and place(entry, request), "model_url": None, "scale": scale_of(entry)} for name, entry in found]

    def networks_that_enlarge(self, request: Request) -> Any:
        return [{"name": name, "path": place(entry, request), "scale": scale_of(entry)} for name, entry in networks(self.studio).items() if entry.architecture in ("ESRGAN", "Compact")]

    def checkpoints(self, request: Request) -> Any:
        return [
            {"title": title, "model_name": title, "hash": sha256(entry)[:10] or None, "sha256": sha256(entry) or None, "filename": place(entry, request), "config": None}
            for title, entry in titles(usable(self.studio, "image")).items()
        ]

    def vaes(self, request: Request) -> Any:
        return [{"model_name": title, "filename": place(entry, request)} for title, entry in titles(usable(self.studio, "vae")).items()]

    def loras(self, request: Request) -> Any:
        """`name` is what stands in <lora:name:1>."""
        return [{"name": entry.key.rpartition("/")[2], "alias": entry.title, "path": place(entry, request), "metadata": {"trigger_words": entry.details.get("trigger_words", [])}} for entry in usable(self.studio, "lora")]

    def embeddings(self, request: Request) -> Any:
        def about(entry: ModelEntry) -> dict[str, Any]:
            return {"step": None, "sd_checkpoint": None, "sd_checkpoint_name": None, "shape": (entry.details.get("widths") or [None])[0], "vectors": entry.details.get("vectors")}

        entries = self.studio.catalog.entries("embedding")
        good, bad = ({entry.key.rpartition("/")[2]: about(entry) for entry in entries if bool(entry.problem) is broken} for broken in (False, True))
        return {"loaded": good, "skipped": bad}

    def styles(self, request: Request) -> Any:
        found = self.studio.store.documents("style", owner=owner(request), limit=100_000)
        return [{"name": style.title, "prompt": style.body.get("prompt", ""), "negative_prompt": style.body.get("negative_prompt", "")} for style in found]

    def extensions(self, request: Request) -> Any:
        return [{"name": info.name, "remote": info.homepage, "branch": "", "commit_hash": "", "version": info.version, "commit_date": 0, "enabled": info.state == "on"} for info in self.studio.hooks.extensions()]

    def memory(self, request: Request) -> Any:
        """Bytes. On a GPU: what models may take of it and take now; peaks are not measured and told as what is taken now."""
        ram, worker = psutil.virtual_memory(), self.studio.jobs.worker_status()
        cuda: dict[str, Any] = {"error": "unavailable"}
        if worker["device"] == "cuda":
            used, total = worker["used_bytes"], worker["budget_bytes"]
            counted = {"current": used, "peak": used}
            cuda = {"system": {"free": max(0, total - used), "used": used, "total": total}, "active": counted, "allocated": counted, "reserved": counted}
            cuda |= {"inactive": {"current": 0, "peak": 0}, "events": {"retries": 0, "oom": 0}}
        return {"ram": {"free": ram.available, "used": ram.total - ram.available, "total": ram.total}, "cuda": cuda}

    def unload(self, request: Request) -> Any:
        if not is_host(request):
            raise NotAllowed("Only the studio's owner may do that.")
        self.studio.jobs.unload()
        return {}

    def refresh(self, request: Request) -> Any:
        self.studio.catalog.refresh()
        return None

    def scripts(self, request: Request) -> Any:
        names = self._scripts(request)
        return {"txt2img": names, "img2img": names}

    def script_info(self, request: Request) -> Any:
        """Their arguments are read by their places, not told one by one."""
        names = self._scripts(request)
        return [{"name": name, "is_alwayson": name not in SCRIPTS, "is_img2img": of_picture, "args": []} for of_picture in (False, True) for name in names]

    def _scripts(self, request: Request) -> list[str]:
        here = look(self.studio, owner(request))
        always = [*([SCRIPT] if "control_model" in here.fields else []), *(name for name, script in ALWAYS_ON.items() if script.is_in(here))]
        return [*(SCRIPTS if "x_axis" in here.grid_fields else ()), *always]

    def nothing(self, request: Request) -> Any:
        return []

    def done(self, request: Request) -> Any:
        return {}

    def not_made(self, request: Request) -> Any:
        return {"info": say(request, self.studio, "Embeddings and hypernetworks are not made here.")}

    async def interrogate(self, request: Request) -> Any:
        """No model here describes pictures: a picture gets an empty caption, what is none its refusal."""
        await run_in_threadpool(opened, (await body(request, self.studio)).get("image"))
        return {"caption": ""}


class Running:
    """Progress, interrupt and skip: of the caller's own work."""

    def __init__(self, studio: Studio, tasks: Tasks) -> None:
        self.studio, self.tasks = studio, tasks

    def progress(self, request: Request) -> Any:
        return self.tasks.progress(owner(request), picture=not yes(dict(request.query_params), "skip_current_image"))

    def interrupt(self, request: Request) -> Any:
        self.tasks.stop(owner(request))
        return {}

    def skip(self, request: Request) -> Any:
        self.tasks.skip(owner(request))
        return {}

    async def of_task(self, request: Request) -> Any:
        """Of one request, by the id that it was given as force_task_id."""
        asked = {"id_live_preview": -1, "live_preview": True} | await body(request, self.studio)
        who, id = owner(request), text(asked, "id_task")
        task = self.tasks.named(who, id)
        if task is None:
            ended = self.tasks.ended(who, id)
            about = {"progress": 1.0 if ended else None, "textinfo": None if ended else "Waiting..."}
            return {"active": False, "queued": False, "completed": ended, "eta": None, "live_preview": None, "id_live_preview": whole(asked, "id_live_preview"), **about}
        picture = preview_of(task) if yes(asked, "live_preview") else None
        return {
            "active": task.running, "queued": not task.running, "completed": False, "progress": fraction_of(task), "eta": eta_of(task) or None, "textinfo": note_of(task),
            "live_preview": f"data:image/png;base64,{picture}" if picture else None, "id_live_preview": whole(asked, "id_live_preview") + bool(picture),
        }  # fmt: skip

    def waiting(self, request: Request) -> Any:
        ids = self.tasks.waiting(owner(request))
        return {"size": len(ids), "tasks": ids}


def place(entry: ModelEntry, request: Request) -> str:
    """The whole path for the studio's owner, the file's name for others."""
    return entry.path if is_host(request) else Path(entry.path).name
