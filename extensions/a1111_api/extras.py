"""Enlarging finished pictures over image.upscale, and reading what a picture carries."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from studio.api import BadInput, Studio, StudioError, parameters_text

from .asking import Asked, body, number, owner, say, text, whole, yes
from .here import UPSCALE, look
from .pictures import as_sent, decoded, encoded, opened, png, read
from .tasks import Task, Tasks

DEFAULTS: dict[str, Any] = {
    "resize_mode": 0, "gfpgan_visibility": 0, "codeformer_visibility": 0, "upscaling_resize": 2, "upscaling_resize_w": 512, "upscaling_resize_h": 512, "upscaling_crop": True,
    "upscaler_1": "None", "upscaler_2": "None", "extras_upscaler_2_visibility": 0,
}  # fmt: skip
# What a picture's text holds, by the names that its own lines have there
LABELS = {
    "prompt": "Prompt", "negative_prompt": "Negative prompt", "steps": "Steps", "sampler": "Sampler", "schedule": "Schedule type", "cfg_scale": "CFG scale", "seed": "Seed", "width": "Size-1", "height": "Size-2",
    "model": "Model", "clip_skip": "Clip skip", "denoising_strength": "Denoising strength", "variation_seed": "Variation seed", "variation_strength": "Variation seed strength", "seed_width": "Seed resize from-1",
    "seed_height": "Seed resize from-2", "mask_blur": "Mask blur", "hires_scale": "Hires upscale", "hires_steps": "Hires steps", "hires_prompt": "Hires prompt",
    "hires_negative_prompt": "Hires negative prompt", "hires_sampler": "Hires sampler", "hires_schedule": "Hires schedule type", "hires_width": "Hires resize-1", "hires_height": "Hires resize-2",
    "upscaler": "Hires upscaler", "tiling": "Tiling",
}  # fmt: skip


@dataclass(frozen=True)
class Enlarging:
    """How each picture is enlarged: by a factor, or to a size; the second upscaler's result is laid over the first's by `share`."""

    upscalers: tuple[str, ...]
    share: float
    factor: float
    size: tuple[int, int] | None
    crop: bool

    def scale(self, picture: Image.Image) -> float:
        """To a size: so that it covers it."""
        return max(self.size[0] / picture.width, self.size[1] / picture.height) if self.size else self.factor

    def finished(self, picture: Image.Image, before: Image.Image) -> Image.Image:
        """To the very size: cut from the middle where it is to be cropped, else in its own proportions."""
        if self.size is None:
            return picture
        if self.crop:
            return ImageOps.fit(picture, self.size, Image.Resampling.LANCZOS)
        scale = self.scale(before)
        return picture.resize((max(1, round(before.width * scale)), max(1, round(before.height * scale))), Image.Resampling.LANCZOS)


class Extras:
    def __init__(self, studio: Studio, tasks: Tasks) -> None:
        self.studio, self.tasks = studio, tasks

    async def single(self, request: Request) -> Any:
        asked = DEFAULTS | await body(request, self.studio)
        made = await self._enlarged(request, asked, [asked.get("image")])
        if not made:
            raise StudioError("It was stopped.")
        return {"html_info": self._told(request, asked), "image": made[0]}

    async def batch(self, request: Request) -> Any:
        asked = DEFAULTS | await body(request, self.studio)
        listed = asked.get("imageList")
        if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
            raise BadInput("imageList must be a list.", field="imageList")
        return {"html_info": self._told(request, asked), "images": await self._enlarged(request, asked, [item.get("data") for item in listed])}

    def _told(self, request: Request, asked: Asked) -> str:
        """What was asked for and is not done."""
        return f"<p>{say(request, self.studio, 'Faces are not restored here.')}</p>" if faces(asked) else ""

    async def _enlarged(self, request: Request, asked: Asked, images: list[Any]) -> list[str]:
        """As base64; of an interrupted request those that were finished."""
        how = await run_in_threadpool(self._how, asked, owner(request))
        pictures = [await run_in_threadpool(opened, image) for image in images]
        jobs, owned = [], []
        for place, picture in enumerate(pictures):
            if how.upscalers and how.scale(picture) > 1:
                key = await run_in_threadpool(self.studio.inputs(owner(request)).keep, png(as_sent(picture)))
                jobs += [{"image": key, "scale": how.scale(picture), "upscaler": upscaler} for upscaler in how.upscalers]
                owned += [place] * len(how.upscalers)
        task = await self.tasks.run(request, UPSCALE, jobs, pictures=len(jobs)) if jobs else None
        return await run_in_threadpool(self._put_together, how, pictures, owned, task)

    def _how(self, asked: Asked, who: str) -> Enlarging:
        here = look(self.studio, who)
        share = number(asked, "extras_upscaler_2_visibility")
        if not 0 <= share <= 1:
            raise BadInput("extras_upscaler_2_visibility is from 0 to 1.", field="extras_upscaler_2_visibility")
        named = [text(asked, "upscaler_1"), *([text(asked, "upscaler_2")] if share else [])]
        mode, factor = whole(asked, "resize_mode"), number(asked, "upscaling_resize")
        size = (whole(asked, "upscaling_resize_w"), whole(asked, "upscaling_resize_h")) if mode == 1 else None
        if mode not in (0, 1):
            raise BadInput("resize_mode is 0, by a factor, or 1, to a size.", field="resize_mode")
        if size and not all(1 <= side <= 16384 for side in size):
            raise BadInput("upscaling_resize_w and upscaling_resize_h are from 1 to 16384.", field="upscaling_resize_w")
        if not 1 <= factor <= 4:
            raise BadInput("upscaling_resize is from 1 to 4.", field="upscaling_resize")
        upscalers = tuple(here.upscaler(name) for name in named if name.lower() not in ("", "none"))
        return Enlarging(upscalers, share if len(upscalers) == 2 else 0.0, factor, size, yes(asked, "upscaling_crop"))

    def _put_together(self, how: Enlarging, pictures: list[Image.Image], owned: list[int], task: Task | None) -> list[str]:
        """A picture without an upscaler stays as large as it is."""
        parts: dict[int, list[Image.Image]] = {}
        for place, job in zip(owned, task.jobs if task else [], strict=False):
            for output in self.studio.store.outputs_of(job.id):
                if data := read(output.path):
                    parts.setdefault(place, []).append(as_sent(Image.open(io.BytesIO(data))))
        if task:
            self.tasks.forget(task)
        made = []
        for place, picture in enumerate(pictures):
            if owned.count(place) == len(found := parts.get(place, [])):
                large = Image.blend(found[0], found[1], how.share) if len(found) == 2 else found[0] if found else as_sent(picture)
                made.append(encoded(png(how.finished(large, picture) if how.upscalers else large)))
        return made

    async def png_info(self, request: Request) -> Any:
        asked = await body(request, self.studio)
        return await run_in_threadpool(self._info, asked.get("image"), owner(request))

    def _info(self, image: Any, who: str) -> dict[str, Any]:
        """A picture without settings answers with empty values."""
        picture = opened(image)
        with tempfile.TemporaryDirectory(prefix="seisei-png-info-") as folder:
            path = Path(folder) / "picture"
            path.write_bytes(decoded(image))
            written = parameters_text(path)
        texts = {str(name): value for name, value in picture.info.items() if isinstance(value, str)}
        values = look(self.studio, who).read(written)
        labelled = {LABELS[name]: str(value) for name, value in values.items() if name in LABELS}
        return {"info": written, "items": texts | ({"parameters": written} if written else {}), "parameters": labelled | values}


def faces(asked: Asked) -> bool:
    return any(number(asked, name) > 0 for name in ("gfpgan_visibility", "codeformer_visibility"))
