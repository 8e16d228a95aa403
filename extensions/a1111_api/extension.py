"""The HTTP API of AUTOMATIC1111's program, /sdapi/v1, and of its ControlNet extension, over the studio's own methods, queue and sign-in. This file only registers.

generating.py draws, extras.py enlarges and reads pictures, lists.py and controlnet.py answer questions, tasks.py follows the work; mapping.py reads the fields,
control.py the ControlNet units, scripts.py the scripts.
Source: the API's routes, fields and answers as its clients use them (version 1.10); no code of the original.
"""

from __future__ import annotations

from studio.api import Route, Studio, hookimpl

from .asking import answered
from .controlnet import ControlNet
from .extras import Extras
from .generating import Generating
from .here import GENERATE, UPSCALE
from .lists import Lists, Running
from .tasks import Tasks

API = "/sdapi/v1"


@hookimpl
def register_routes(studio: Studio) -> list[Route]:
    if not {GENERATE, UPSCALE} <= set(studio.pipelines):
        return []
    tasks = Tasks(studio)
    lists, running, generating, extras = Lists(studio), Running(studio, tasks), Generating(studio, tasks), Extras(studio, tasks)
    control = ControlNet(studio, tasks)
    gets = {
        "progress": running.progress, "options": lists.options, "cmd-flags": lists.flags, "samplers": lists.samplers, "schedulers": lists.schedulers, "upscalers": lists.upscalers,
        "latent-upscale-modes": lists.nothing, "sd-models": lists.checkpoints, "sd-vae": lists.vaes, "sd-modules": lists.vaes, "hypernetworks": lists.nothing, "face-restorers": lists.nothing,
        "realesrgan-models": lists.networks_that_enlarge, "prompt-styles": lists.styles, "embeddings": lists.embeddings, "memory": lists.memory, "scripts": lists.scripts, "script-info": lists.script_info,
        "extensions": lists.extensions, "loras": lists.loras, "artists": lists.nothing, "artist-categories": lists.nothing,
    }  # fmt: skip
    posts = {
        "txt2img": generating.from_text, "img2img": generating.from_picture, "extra-single-image": extras.single, "extra-batch-images": extras.batch, "png-info": extras.png_info,
        "interrogate": lists.interrogate, "interrupt": running.interrupt, "skip": running.skip, "options": lists.change_options, "refresh-checkpoints": lists.refresh, "refresh-vae": lists.refresh,
        "refresh-embeddings": lists.refresh, "refresh-loras": lists.refresh, "unload-checkpoint": lists.unload, "reload-checkpoint": lists.done, "create/embedding": lists.not_made,
        "create/hypernetwork": lists.not_made, "train/embedding": lists.not_made, "train/hypernetwork": lists.not_made,
    }  # fmt: skip
    routes = [Route(f"{API}/{name}", [method], answered(studio, endpoint)) for method, table in (("GET", gets), ("POST", posts)) for name, endpoint in table.items()]
    inner = (("GET", "ping", lists.done), ("GET", "pending-tasks", running.waiting), ("POST", "progress", running.of_task))
    shown = {"version": control.version, "settings": control.settings, "model_list": control.model_list, "module_list": control.module_list, "control_types": control.control_types}
    routes += [Route(f"/controlnet/{name}", ["GET"], answered(studio, endpoint)) for name, endpoint in shown.items()]
    routes.append(Route("/controlnet/detect", ["POST"], answered(studio, control.detect)))
    return routes + [Route(f"/internal/{name}", [method], answered(studio, endpoint)) for method, name, endpoint in inner]
