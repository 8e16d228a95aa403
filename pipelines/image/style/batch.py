"""image.style_batch: many pictures, a folder's say, in one style by one of the methods. What is no picture is told by its name; the others are painted."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from pydantic import Field

from pipelines.axes import Part, seeded
from pipelines.image.params import PICTURE
from pipelines.image.style.content import read_facts
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, ModelTooLarge, Need, NotFound, Params, Pipeline, Places, Result, RunContext, StudioError, ui

MOST_FILES = 2000
MOST_BYTES = 200 * 2**20  # of a file: a film among the pictures is not read
Method = Literal["image.style_blend", "image.style_any", "image.style_optimise", "image.style_diffuse", "image.dream", "image.annotate", "image.upscale"]
OF_THE_SYSTEM = ("Thumbs.db", "desktop.ini")  # as all that begins with a point, nobody means them when giving a folder
OWN = ("image", "mask")  # settings of a method that belong to one picture
OF_A_PICTURE = ("image", "size", "stroke", "upscale", "paint_size", "scales", "scale", "width")  # fields where it may be the picture that does not fit


class BatchParams(Params):
    method: Method = Field("image.style_blend", title="Method", description="How the pictures are painted.")
    settings: dict[str, Any] = Field({}, title="Its settings", description="Those of the method, without the picture and its mask.", json_schema_extra=ui(widget="json"))
    images: list[str] = Field([], max_length=MOST_FILES, title="Pictures", description="The pictures to paint.", json_schema_extra=ui(widget="hidden"))
    names: list[str] = Field([], max_length=MOST_FILES, title="Their names", description="The files' names, in the same order; the results are called after them.", json_schema_extra=ui(widget="hidden"))


class Batch:
    """Each picture is kept as soon as it is painted, with the settings to paint it alone; a batch that was broken off goes on after the last one."""

    id: ClassVar[str] = "image.style_batch"
    title: ClassVar[str] = "Many pictures in one style"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = BatchParams

    def gather(self, paths: Iterable[Path], keep: Callable[[bytes], str]) -> tuple[list[str], list[str], list[dict[str, str]]]:
        """Of files, or folders with all below them: keys as `keep` gives them, names, and [{"name", "why"}] of what is no picture."""
        keys, names, refused = [], [], []
        for path in sorted(file for given in paths for file in (given.rglob("*") if given.is_dir() else [given]) if file.is_file()):
            if path.name.startswith(".") or path.name in OF_THE_SYSTEM:
                continue
            try:
                if path.stat().st_size > MOST_BYTES:
                    raise BadInput(f"The file is larger than {MOST_BYTES >> 20} MB.", hint="Use a smaller file.")
                if not re.fullmatch(PICTURE, key := keep(path.read_bytes())):
                    raise BadInput("This is no picture that can be read.", hint="Give a PNG, JPEG, WebP or GIF file.")
                keys.append(key)
                names.append(path.name)
            except (StudioError, OSError) as error:
                refused.append({"name": path.name, "why": error.message if isinstance(error, StudioError) else "It can't be read."})
        return keys, names, refused

    def need(self, params: BatchParams, catalog: Catalog) -> Need:
        return self.place(params, catalog, "cpu", sys.maxsize)

    def place(self, params: BatchParams, catalog: Catalog, device: str, room: int) -> Need:
        if not params.images:
            return Need(missing="There are no pictures.")
        try:
            method = method_of(params.method)
            values = method.Params.parse(values_of(params, 0))
            need = method.place(values, catalog, device, room) if isinstance(method, Places) else method.need(values, catalog)
        except StudioError as error:
            return Need(missing=error.message)
        return replace(need, facts=need.facts | {"pictures": len(params.images)})

    def pace_key(self, params: BatchParams, catalog: Catalog) -> str:
        return f"{self.id} {params.method}"

    def seconds(self, params: BatchParams, catalog: Catalog, pace: dict[str, float]) -> float:
        return pace["picture"] * len(params.images)

    def settle(self, params: BatchParams, desk: Desk) -> BatchParams:
        """Refuses what no picture could be painted with; pictures that can't be read are found out one by one, later."""
        if not params.images:
            raise BadInput("There are no pictures.", hint="Give some.", field="images")
        if params.names and len(params.names) != len(params.images):
            raise BadInput(f"There are {len(params.names)} names for {len(params.images)} pictures.", hint="Give one for each, or none.", field="names")
        if foreign := next((key for key in params.images if not key or not re.fullmatch(PICTURE, key)), None):
            raise BadInput(f"“{foreign[:80]}” is no picture's key.", hint="Hand the pictures in first: their keys are the answer.", field="images")
        if own := next((name for name in OWN if params.settings.get(name)), ""):
            raise BadInput(f"“{own}” is set for all pictures.", hint="Leave it out: it belongs to one picture.", field="settings")
        return params.model_copy(update={"settings": self._settled(params, desk)})

    def _settled(self, params: BatchParams, desk: Desk) -> dict[str, Any]:
        """The method's settings, by the first picture that can be painted with them. Raises what is wrong with them, or with the last picture where none can."""
        method = method_of(params.method)
        told = BadInput("There are no pictures.")
        for number in range(len(params.images)):
            try:
                settled = method.settle(seeded(method.Params.parse(values_of(params, number))), desk)  # type: ignore[attr-defined]
                return {name: value for name, value in settled.model_dump(mode="json").items() if name not in OWN}
            except (BadInput, NotFound) as error:
                if error.field not in OF_A_PICTURE:
                    error.field = "settings"
                    raise
                told = BadInput(error.message, hint=error.hint, field="images" if error.field == "image" else "settings")
        raise told

    def run(self, params: BatchParams, ctx: RunContext) -> Result:
        refused: list[dict[str, str]] = []
        started, done = time.monotonic(), 0
        skipped = len(ctx.kept)  # painted by an earlier run of this job, without those that it could not paint
        for number in range(len(params.images)):
            ctx.progress(number, len(params.images), f"Picture {number + 1} of {len(params.images)}")
            try:
                read_facts(ctx.input(params.images[number]))  # one that is broken costs nothing else
                if number - len(refused) < skipped:
                    continue
                self._one(params, number, ctx)
                done += 1
            except (BadInput, NotFound, ModelTooLarge) as error:
                refused.append({"name": name_of(params, number), "why": error.message})
            if ctx.stopping == "finish":
                break
            if ctx.stopping == "skip":
                ctx.skipped()
        if not done and not skipped and refused:
            raise BadInput(f"None of the pictures could be used. {refused[0]['name']}: {refused[0]['why']}", hint="Give PNG, JPEG, WebP or GIF files.", field="images")
        pace = {"pace": {"picture": (time.monotonic() - started) / done}} if done else {}
        return Result([], {"painted": done + skipped, "refused": refused} | pace)

    def _one(self, params: BatchParams, number: int, ctx: RunContext) -> None:
        values = values_of(params, number)
        for made in part_of(params.method, values, number, len(params.images), ctx).artifacts:
            title = f"{Path(name_of(params, number)).stem} · {made.title}" if params.names else made.title
            ctx.output(Artifact(made.kind, made.data, made.suffix, title, made.facts | {"file": name_of(params, number)}, {"pipeline": params.method, "params": values}))


def method_of(name: str) -> Pipeline:
    """Raises BadInput where it is not here."""
    from pipelines.image import register_pipelines

    found = next((method for method in register_pipelines() if method.id == name), None)
    if found is None:
        raise BadInput(f"The method “{name}” is not installed.", hint="Choose another one.", field="method")
    return found


class Gathering(Part):
    """What the method keeps at once is gathered: whoever asked for the part tells where it is from. The files of an earlier run are the whole job's."""

    kept: tuple[Path, ...] = ()

    def __init__(self, ctx: RunContext, number: int, of: int) -> None:
        super().__init__(ctx, number, of, f"Picture {number + 1} of {of}")
        self.made: list[Artifact] = []

    def output(self, artifact: Artifact) -> None:
        self.made.append(artifact)


def part_of(method: str, values: dict[str, Any], number: int, of: int, ctx: RunContext) -> Result:
    """One picture of many, by a method."""
    pipeline, part = method_of(method), Gathering(ctx, number, of)
    result = pipeline.run(pipeline.Params.parse(values), cast(RunContext, part))
    return replace(result, artifacts=[*part.made, *result.artifacts])


def values_of(params: BatchParams, number: int) -> dict[str, Any]:
    return params.settings | {"image": params.images[number]}


def name_of(params: BatchParams, number: int) -> str:
    return params.names[number] if params.names else params.images[number][:12]
