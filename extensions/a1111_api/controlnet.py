"""The routes of sd-webui-controlnet: what modules and models there are, and a module's work on pictures alone, over image.annotate."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from studio.api import BadInput, Studio

from .asking import Asked, body, owner, text, whole, yes
from .control import UNITS, control_types, models, modules, process_of
from .here import ANNOTATE, look
from .mapping import MOST
from .pictures import as_sent, encoded, opened, png, read
from .tasks import Tasks

VERSION = 3  # of the API whose fields are read here


class ControlNet:
    def __init__(self, studio: Studio, tasks: Tasks) -> None:
        self.studio, self.tasks = studio, tasks

    def version(self, request: Request) -> Any:
        return {"version": VERSION}

    def settings(self, request: Request) -> Any:
        return {"control_net_unit_count": len(UNITS)}

    def model_list(self, request: Request) -> Any:
        if yes(dict(request.query_params), "update"):
            self.studio.catalog.refresh()
        return {"model_list": models(look(self.studio, owner(request)))}

    def module_list(self, request: Request) -> Any:
        names = modules(look(self.studio, owner(request)))
        return {"module_list": names, "module_details": {name: {"model_free": False, "sliders": []} for name in names}}

    def control_types(self, request: Request) -> Any:
        return {"control_types": control_types(look(self.studio, owner(request)))}

    async def detect(self, request: Request) -> Any:
        asked = await body(request, self.studio)
        field = "controlnet_images" if "controlnet_images" in asked else "controlnet_input_images"  # as Forge calls it, and the extension itself
        images = asked.get(field)
        if not isinstance(images, list) or not images:
            raise BadInput(f"{field} must be a list of pictures.", field=field)
        if len(images) > MOST:
            raise BadInput(f"{len(images)} pictures are too many for one request; it can have {MOST}.", field=field)
        process = process_of(text(asked, "controlnet_module") or "none", look(self.studio, owner(request)))
        jobs = [await run_in_threadpool(self._job, owner(request), process, image, asked) for image in images]
        if process == "None":
            return {"images": images, "info": "Success"}
        if ANNOTATE not in self.studio.pipelines:
            raise BadInput("Pictures are prepared while they guide a drawing only.", hint="Send the module with the unit instead.", field="controlnet_module")
        task = await self.tasks.run(request, ANNOTATE, jobs, pictures=len(jobs))
        return await run_in_threadpool(self._made, task)

    def _job(self, who: str, process: str, image: Any, asked: Asked) -> dict[str, Any]:
        """The shorter side gets the resolution that is asked for; Canny its thresholds, where they can be set."""
        picture = as_sent(opened(image))
        job = {"image": self.studio.inputs(who).keep(png(picture)), "method": process}
        side = whole(asked, "controlnet_processor_res") if "controlnet_processor_res" in asked else 0
        if side > 0:
            job["width" if picture.width <= picture.height else "height"] = side
        if process == "Canny":
            job |= {ours: limit for ours, theirs in (("low", "controlnet_threshold_a"), ("high", "controlnet_threshold_b")) if theirs in asked and (limit := whole(asked, theirs)) > 0}
        return job

    def _made(self, task: Any) -> dict[str, Any]:
        found = [encoded(data) for output in self.tasks.outputs(task) if output.kind == "image" and (data := read(output.path))]
        self.tasks.forget(task)
        return {"images": found, "info": "Success"}
