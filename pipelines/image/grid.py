"""image.grid: one picture for each combination of two or three axes, in one job; each picture kept on its own, and all as a sheet with a legend."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from PIL import Image, ImageDraw
from pydantic import Field

from pipelines.axes import MOST_CELLS, NOTHING, WHICH, axis, axis_values, check_axes
from pipelines.image.axes import AXES, PROMPTS, REPLACE, change, read
from pipelines.image.generate import Generate, expanded
from pipelines.image.legend import label, wrapped, write
from pipelines.image.params import PER_PICTURE, PICTURE, ImageParams
from pipelines.image.pictures import open_picture, png
from pipelines.image.settle import check_picture
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, Params, Result, RunContext, StudioError, font_for, ui

MOST_SHEET_PIXELS = 60_000_000
SEEDS = ("seed", "variation_seed")
MIXED = "several models"


AXIS_TOLD, VALUES_TOLD = "What changes along it.", "With commas between; numbers also as 1-5, 1-10 (+3) or 1-10 [4]; whole prompts one per line."


class GridParams(ImageParams):
    """A picture's parameters and the axes along which they change."""

    x_axis: str = axis("x", AXIS_TOLD, AXES)
    x_values: str = axis_values("x", VALUES_TOLD)
    y_axis: str = axis("y", AXIS_TOLD, AXES)
    y_values: str = axis_values("y", VALUES_TOLD)
    z_axis: str = axis("z", AXIS_TOLD, AXES)
    z_values: str = axis_values("z", VALUES_TOLD)
    done: list[str] = Field([], max_length=MOST_CELLS, title="Finished cells", description="Pictures of the first cells, from a grid that was broken off: they are not drawn again.", json_schema_extra=ui(widget="hidden"))


@dataclass
class Told:
    """What the cells had to say: for each remark how many cells, and the newest pace."""

    counts: dict[str, int] = field(default_factory=dict)
    pace: dict[str, float] = field(default_factory=dict)

    def take(self, summary: dict[str, Any]) -> None:
        for note in summary["notes"]:
            self.counts[note] = self.counts.get(note, 0) + 1
        self.pace = summary["pace"] or self.pace

    def notes(self, of: int) -> list[str]:
        return [f"{count} of {of} pictures: {note}" for note, count in self.counts.items()]


class Grid:
    """The cells are image.generate jobs inside this one; a grid that was broken off goes on after the last cell that was kept."""

    id: ClassVar[str] = "image.grid"
    title: ClassVar[str] = "Image grid"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = GridParams

    def need(self, params: GridParams, catalog: Catalog) -> Need:
        return self.place(params, catalog, "cpu", sys.maxsize)

    def place(self, params: GridParams, catalog: Catalog, device: str, room: int) -> Need:
        """What the cell takes that takes most; as a fact how many cells there are, as a note what is wrong with the axes."""
        need = Generate().place(_base(params), catalog, device, room)
        if need.missing:
            return need
        try:
            found = [Generate().place(cell, catalog, device, room) for cell in _distinct(params)]
            count = len(cells(params))
        except StudioError as error:
            return replace(need, notes=[error.message])
        if missing := next((one.missing for one in found if one.missing), ""):
            return replace(need, missing=missing)
        largest = max(found, key=lambda one: one.weight_bytes + one.working_bytes)
        return replace(largest, notes=list(dict.fromkeys(note for one in found for note in one.notes)), facts=need.facts | {"cells": count, "placement": largest.facts["placement"]})

    def pace_key(self, params: GridParams, catalog: Catalog) -> str:
        """That of its pictures; where the cells have several, one that nothing else has: no pace is learned from them."""
        try:
            found = {Generate().pace_key(cell, catalog) for cell in _distinct(params)}
        except StudioError:
            return MIXED
        return found.pop() if len(found) == 1 else MIXED

    def seconds(self, params: GridParams, catalog: Catalog, pace: dict[str, float]) -> float:
        """Of the cells that are still to be drawn."""
        todo = cells(params)[len(params.done) :]
        return sum(Generate().seconds(ImageParams.parse(values), catalog, pace) for _, values in todo)

    def expand_prompts(self, params: GridParams, expand: Callable[[str, int], str]) -> GridParams:
        """One for each cell, from the words that its axes made."""
        params = params.model_copy(update=dict.fromkeys(PER_PICTURE.values(), []))
        found = cells(params)
        return expanded(params, [values for _, values in found], expand)

    def settle(self, params: GridParams, desk: Desk) -> GridParams:
        """Every cell is checked, before the first is drawn."""
        settled = Generate().settle(_base(params).model_copy(update={"prompt": params.prompt or "#"}), desk)  # a remark: whole prompts may come from an axis, and are checked below
        whole = params.model_copy(update=settled.model_dump(exclude={"prompt", *PER_PICTURE.values()}) | {"count": 1})
        for _, values in cells(params.model_copy(update={"seed": settled.seed})):
            if Generate().settle(ImageParams.parse(values), desk).layers:
                raise BadInput("A cell of a grid holds one picture, and this model makes several layers.", hint="Choose another model.", field="model")
        for key in params.done:
            if not re.fullmatch(PICTURE, key):
                raise BadInput("This is no picture that can be read.", hint="Give a PNG, JPEG or WebP file.", field="done")
            check_picture(key, "done", desk)
        return whole

    def run(self, params: GridParams, ctx: RunContext) -> Result:
        axes = values_of(params)
        pictures: list[Image.Image] = [open_picture(path) for path in (*(ctx.input(key) for key in params.done), *ctx.kept)]
        todo = cells(params)
        told = Told()
        for number, (labels, values) in enumerate(todo):
            if number < len(pictures):
                continue
            named = " · ".join(text for which, value in zip(WHICH, labels, strict=True) if (text := label(axes[which][0], value)))
            try:
                picture = self._cell(values, f"Cell {number + 1} of {len(todo)}: {named}", told, ctx)
            except StudioError as error:
                error.message = f"{named}: {error.message}"
                raise
            if picture is None:
                break  # skipped: cells are told by their place, so none can be left out in the middle
            pictures.append(picture)
            if ctx.stopping == "finish":
                break
        if not pictures:
            return Result([], {"cells": 0, "of": len(todo)})
        summary = {"sheet": True, "cells": len(pictures), "of": len(todo), "notes": told.notes(len(todo))} | ({"pace": told.pace} if self.pace_key(params, ctx.catalog) != MIXED else {})
        sheet = Artifact("image", png(draw_sheet(pictures, axes)), ".png", "Grid", {"cells": len(pictures)})
        return Result([sheet], summary)

    def _cell(self, values: dict[str, Any], note: str, told: Told, ctx: RunContext) -> Image.Image | None:
        """The picture, kept; None where it was skipped."""
        ctx.loading(note)
        made: list[Artifact] = []
        told.take(Generate().draw(ImageParams.parse(values), ctx, made.append))
        if not made:
            return None
        artifact = made[0]
        ctx.output(Artifact(artifact.kind, artifact.data, artifact.suffix, artifact.title, artifact.facts, {"pipeline": Generate.id, "params": values}))
        with Image.open(io.BytesIO(artifact.data)) as file:
            return file.convert("RGB")


def _base(params: GridParams) -> ImageParams:
    """The parameters of image.generate; the prompts are the cells' and not those of pictures of one cell."""
    return ImageParams(**{name: getattr(params, name) for name in ImageParams.model_fields if name not in PER_PICTURE.values()})


def _distinct(params: GridParams) -> list[ImageParams]:
    """The cells without those that differ in their seeds only: these take the same."""
    found = {tuple(sorted((name, str(value)) for name, value in values.items() if name not in SEEDS)): values for _, values in cells(params)}
    return [ImageParams.parse(values) for values in found.values()]


def values_of(params: GridParams) -> dict[str, tuple[str, list[str]]]:
    """Of each axis its name and values. Raises BadInput."""
    found = {which: (getattr(params, f"{which}_axis"), read(getattr(params, f"{which}_axis"), getattr(params, f"{which}_values"), which)) for which in WHICH}
    check_axes(found)
    return found


def cells(params: GridParams) -> list[tuple[tuple[str, str, str], dict[str, Any]]]:
    """(labels, parameters of image.generate) in the order they are drawn: x quickest, z slowest. Words are searched in the prompt as it was before any axis."""
    axes = values_of(params)
    base = _base(params).model_dump() | {"count": 1, "together": False}
    found: list[tuple[tuple[str, str, str], dict[str, Any]]] = []
    order = sorted(WHICH, key=lambda which: {PROMPTS: 0, REPLACE: 2}.get(axes[which][0], 1))  # whole prompts first, last what is replaced in them
    for z in axes["z"][1]:
        for y in axes["y"][1]:
            for x in axes["x"][1]:
                chosen = {"x": x, "y": y, "z": z}
                values = base
                for which in order:
                    values = change(axes[which][0], chosen[which], values, axes[which][1], which)
                own = {name: [getattr(params, name)[len(found)]] for name in PER_PICTURE.values() if len(getattr(params, name)) > len(found)}
                found.append(((x, y, z), values | own))
    return found


def draw_sheet(pictures: list[Image.Image], axes: dict[str, tuple[str, list[str]]]) -> Image.Image:
    """Columns are x, rows are y, blocks below each other are z, whose values stand above them; what is missing stays empty."""
    across, down, blocks = (len(axes[which][1]) for which in WHICH)
    width, height = max(picture.width for picture in pictures), max(picture.height for picture in pictures)
    scale = min(1.0, (MOST_SHEET_PIXELS / (width * height * across * down * blocks)) ** 0.5)
    width, height = max(16, int(width * scale)), max(16, int(height * scale))
    letters = max(12, min(28, width // 16))
    labels = {which: [label(axis, value) for value in values] for which, (axis, values) in axes.items()}
    font = font_for((text for texts in labels.values() for text in texts), letters)
    gap, line = 6, int(letters * 1.25)
    left = 0 if axes["y"][0] == NOTHING else min(240, max(80, int(max(font.getlength(text) for text in labels["y"])) + 16))
    told = [wrapped(text, width, font) for text in labels["x"]]
    heads = [wrapped(text, across * (width + gap), font) for text in labels["z"]]
    head, lines = max(map(len, heads)), max(map(len, told))
    top = letters + line * (head + lines) if head + lines else 0
    block = top + down * (height + gap)
    sheet = Image.new("RGB", (left + across * (width + gap), block * blocks), "white")
    pen = ImageDraw.Draw(sheet)
    for number, picture in enumerate(pictures):
        x, y, z = number % across, number // across % down, number // (across * down)
        corner = (left + x * (width + gap), z * block + block - down * (height + gap) + y * (height + gap))
        sheet.paste(picture.resize((width, height), Image.Resampling.LANCZOS) if picture.size != (width, height) else picture, corner)
        if x == y == 0:
            write(pen, (corner[0] + 2, z * block + letters // 2), heads[z], line, font)
        if y == 0:
            write(pen, (corner[0] + 2, z * block + letters // 2 + line * head), told[x], line, font)
        if x == 0 and axes["y"][0] != NOTHING:
            beside = wrapped(labels["y"][y], left - 12, font)
            write(pen, (6, corner[1] + (height - line * len(beside)) // 2), beside, line, font)
    return sheet

