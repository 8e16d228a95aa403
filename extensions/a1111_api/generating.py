"""txt2img and img2img: a request becomes jobs of image.generate, their pictures become the answer that AUTOMATIC1111's clients read."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from studio.api import BadInput, NotFound, Output, Studio

from .asking import Asked, body, owner, table, text, whole, yes
from .control import control_ignored, control_resize, control_values, units_of
from .here import GENERATE, GRID, Here, look, set_options, sha256
from .mapping import MOST, Kind, applied_styles, at_own_size, complete, fitting, ignored, jobs_of, values_of
from .pictures import encoded, keep, keep_mask, opened, sheet
from .pictures import read as read_file
from .scripts import Script, script_of
from .tasks import Task, Tasks, pictures_of

PICTURES = ("init_images", "mask")


@dataclass(frozen=True)
class Read:
    """What was asked for, the jobs that do it, and the names of what is asked for in vain. `cells` of a grid."""

    asked: Asked
    here: Here
    pipeline: str
    jobs: list[dict[str, Any]]
    left: list[str]
    script: Script
    cells: int = 0


class Generating:
    def __init__(self, studio: Studio, tasks: Tasks) -> None:
        self.studio, self.tasks = studio, tasks

    async def from_text(self, request: Request) -> Any:
        return await self._answer(request, "txt2img")

    async def from_picture(self, request: Request) -> Any:
        return await self._answer(request, "img2img")

    async def _answer(self, request: Request, kind: Kind) -> Any:
        sent, who = await body(request, self.studio), owner(request)
        read = await run_in_threadpool(self._read, kind, sent, who)
        pictures = sum(values["count"] for values in read.jobs) if read.script.grid is None else read.cells
        task = await self.tasks.run(request, read.pipeline, read.jobs, pictures=pictures, id=text(read.asked, "force_task_id"))
        return await run_in_threadpool(self._told, kind, read, task)

    def _read(self, kind: Kind, sent: Asked, who: str) -> Read:
        """Raises StudioErrors."""
        here = look(self.studio, who)
        asked = complete(kind, sent, here)
        values = values_of(kind, asked, here)
        images, masks = self._pictures(asked, who) if kind == "img2img" else ([], [])
        values |= self._more(asked, here, who) if kind == "img2img" else {}
        units = units_of(asked, here)
        values |= control_values(units, lambda image: keep(image, self.studio.inputs(who))) | ({"resize": control_resize(units)} if units and kind == "txt2img" else {})
        if not yes(asked, "override_settings_restore_afterwards"):
            set_options(self.studio, who, table(asked, "override_settings"))
        pipeline: Any = self.studio.pipelines[GENERATE]
        values, left = fitting(values | ({"image": images[0]} if images else {}), lambda tried: pipeline.settle(pipeline.Params.parse(tried), self.studio.jobs.desk))
        script = script_of(asked, kind, values, here)
        left += [*control_ignored(units, values.get("resize", "Crop")), *script.ignored]
        if script.grid is not None:
            job = at_own_size(values | script.grid | ({"mask": masks[0]} if masks else {}), here)
            grid: Any = self.studio.pipelines[GRID]
            return Read(asked, here, GRID, [job], left, script, pictures_of(grid, grid.Params.parse(job), self.studio.catalog))
        jobs = [at_own_size(job, here) for change in script.changes for job in jobs_of(values | change, images, masks, whole(asked, "n_iter"))]
        if (count := sum(job["count"] for job in jobs)) > MOST:
            raise BadInput(f"{count} pictures are too many for one request; it can have {MOST}.", field="batch_size")
        return Read(asked, here, GENERATE, jobs, left, script)

    def _pictures(self, asked: Asked, who: str) -> tuple[list[str], list[str]]:
        """Keys of the pictures to begin from, and of the mask at the size of each. Raises NotFound, BadInput."""
        images = asked.get("init_images")
        if not isinstance(images, list) or not images:
            raise NotFound("Init image not found.", hint="Send at least one picture in init_images.", field="init_images")
        inputs = self.studio.inputs(who)
        keys = [keep(image, inputs) for image in images]
        if not asked.get("mask"):
            return keys, []
        rounded = yes(asked, "mask_round") if "mask_round" in asked else True
        return keys, [keep_mask(asked["mask"], opened(image).size, rounded, inputs) for image in images]

    def _more(self, asked: Asked, here: Here, who: str) -> dict[str, Any]:
        """A field of this studio: further pictures, for models that look at several. Raises BadInput."""
        sent = asked.get("more_images") or []
        if "more_images" not in here.fields or not sent:
            return {}
        if not isinstance(sent, list):
            raise BadInput("more_images must be a list.", field="more_images")
        return {"more_images": [keep(image, self.studio.inputs(who)) for image in sent]}

    def _told(self, kind: Kind, read: Read, task: Task) -> dict[str, Any]:
        asked, script = read.asked, read.script
        made = [(output, data) for output in self.tasks.outputs(task) if output.kind == "image" and (data := read_file(output.path))]
        if script.grid is not None:  # its sheet is kept last, and comes first there
            sheets = [pair for pair in made if "cells" in pair[0].metadata["facts"]]
            made = [*sheets, *([pair for pair in made if pair not in sheets] if script.with_parts or not sheets else [])]
        files = [data for _, data in made]
        about = information(asked, read.here, task, [output for output, _ in made])
        about["ignored"] += read.left
        wanted = script.sheet or (read.here.options["return_grid"] and script.grid is None and not yes(asked, "do_not_save_grid"))
        if wanted and len(files) > 1:
            files.insert(0, sheet(files))
            about |= {"infotexts": [about["infotexts"][0], *about["infotexts"]]}
        about["index_of_first_image"] = int(len(files) > 1 and bool(wanted or script.grid))
        if not yes(asked, "save_images"):
            self.tasks.forget(task)
        hidden = dict.fromkeys((*PICTURES, *({"more_images"} & set(asked)))) if kind == "img2img" and not yes(asked, "include_init_images") else {}
        return {"images": [encoded(data) for data in files] if yes(asked, "send_images") else [], "parameters": asked | hidden, "info": json.dumps(about, ensure_ascii=False)}


def information(asked: Asked, here: Here, task: Task, outputs: list[Output]) -> dict[str, Any]:
    """The answer's `info`: what was really done, read from the settled parameters and from what each picture carries."""
    params = task.jobs[0].params
    model = next((entry for entry in here.models if entry.key == params.model), None)
    facts, done = [output.metadata["facts"] for output in outputs], [output.metadata["params"] for output in outputs]
    infotexts, seeds = [str(one.get("parameters", "")) for one in facts], [int(one.get("seed", params.seed)) for one in facts]
    prompts, negatives = [one.get("prompt") or values["prompt"] for one, values in zip(facts, done, strict=True)], [values["negative_prompt"] for values in done]
    subseeds = [int(one.get("variation_seed", seed)) for one, seed in zip(facts, seeds, strict=True)]
    first: dict[str, list[Any]] = {"prompt": prompts, "negative_prompt": negatives, "seed": seeds, "subseed": subseeds}
    nothing: dict[str, Any] = {"prompt": params.prompt, "negative_prompt": params.negative_prompt, "seed": params.seed, "subseed": params.variation_seed}
    more: dict[str, Any] = {"Schedule type": params.schedule} | ({"Postprocess upscale by": params.upscale} if params.upscale > 1 else {})
    strength = params.denoising_strength if params.image else params.hires_strength if params.hires_scale > 1 else None
    return {
        **{name: found[0] if found else nothing[name] for name, found in first.items()}, **{f"all_{name}s": found for name, found in first.items()},
        "subseed_strength": params.variation_strength, "width": round(params.width * params.upscale), "height": round(params.height * params.upscale), "sampler_name": params.sampler, "cfg_scale": params.cfg_scale,
        "steps": params.steps, "batch_size": whole(asked, "batch_size"), "restore_faces": False, "face_restoration_model": None, "sd_model_name": model.title if model else params.model,
        "sd_model_hash": (sha256(model)[:10] or None) if model else None, "sd_vae_name": params.vae or None, "sd_vae_hash": None, "seed_resize_from_w": params.seed_width, "seed_resize_from_h": params.seed_height,
        "denoising_strength": strength, "extra_generation_params": more, "index_of_first_image": 0, "infotexts": infotexts, "styles": applied_styles(asked, here),
        "job_timestamp": time.strftime("%Y%m%d%H%M%S", time.localtime(task.began)), "clip_skip": params.clip_skip, "is_using_inpainting_conditioning": False, "version": "Seisei Studio", "ignored": ignored(asked, here),
    }  # fmt: skip
