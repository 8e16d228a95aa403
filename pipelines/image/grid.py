"""image.grid: one picture for each combination of two or three axes, in one job; each picture kept on its own, and all as a sheet with a legend."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, cast

from PIL import Image, ImageDraw, ImageOps
from pydantic import Field

from pipelines.axes import MOST_CELLS, NOTHING, WHICH, Part, axis, axis_values, check_axes
from pipelines.image.axes import AXES, PROMPTS, REPLACE, STYLES, change, read
from pipelines.image.generate import SEEDS as MOST_SEEDS
from pipelines.image.generate import Generate, expanded, plan_of
from pipelines.image.legend import label, wrapped, write
from pipelines.image.params import PER_PICTURE, PICTURE, ImageParams
from pipelines.image.pictures import open_picture, png
from pipelines.image.settle import check_picture
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, Params, Result, RunContext, StudioError, extract, font_for, ui

MOST_SHEET_PIXELS = 60_000_000
MISSING = "#e4e4e7"  # a cell that was skipped, or not reached
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
    other_seeds: str = Field("", pattern="^x?y?z?$", title="Other seeds", description="Along these axes, x, y and z, each value has the next seed; empty: all cells have the same.", json_schema_extra=ui(group="Grid"))
    styles: list[dict[str, str]] = Field([], max_length=MOST_CELLS, title="Styles of the axis", description="Each with name, prompt and negative_prompt.", json_schema_extra=ui(widget="hidden"))
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


class Cell(Part):
    """What a cell tells of its work, as steps of the whole grid; `costs` are how long each cell takes, in any unit."""

    def __init__(self, ctx: RunContext, number: int, costs: list[float], note: str) -> None:
        super().__init__(ctx, number, len(costs), note)
        self._before, self._own, self._all = sum(costs[:number]), costs[number], sum(costs)

    def counted(self, step: int, total: int) -> tuple[int, int]:
        return self._number * total + step, self._of * total

    def shared(self, done: float) -> float:
        return (self._before + self._own * done) / self._all


class Grid:
    """The cells are image.generate jobs inside this one; a grid that was broken off goes on with the cells that are missing."""

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
        axes, todo, told = values_of(params), cells(params), Told()
        pictures, costs = there(params, ctx, len(todo)), [Generate().seconds(ImageParams.parse(values), ctx.catalog, {}) for _, values in todo]
        for number, (labels, values) in enumerate(todo):
            if number in pictures:
                continue
            named = " · ".join(text for which, value in zip(WHICH, labels, strict=True) if (text := label(axes[which][0], value)))
            try:
                picture = self._cell(values, number, Cell(ctx, number, costs, f"Cell {number + 1} of {len(todo)}: {named}"), told)
            except StudioError as error:
                error.message = f"{named}: {error.message}"
                raise
            if picture is not None:
                pictures[number] = shrunk(picture, len(todo))
            if ctx.stopping == "finish":
                break
        if not pictures:
            return Result([], {"cells": 0, "of": len(todo)})
        summary = {"sheet": True, "cells": len(pictures), "of": len(todo), "notes": told.notes(len(todo))} | ({"pace": told.pace} if self.pace_key(params, ctx.catalog) != MIXED else {})
        ctx.progress(len(todo), len(todo), "Saving", 1.0)
        sheet = Artifact("image", png(draw_sheet(pictures, axes, ctx.check), ctx.check), ".png", "Grid", {"cells": len(pictures)})
        return Result([sheet], summary)

    def _cell(self, values: dict[str, Any], number: int, part: Cell, told: Told) -> Image.Image | None:
        """The picture, kept; None where it was skipped."""
        params, made = ImageParams.parse(values), list[Artifact]()
        part.progress(0, plan_of(params).total)
        told.take(Generate().draw(params, cast(RunContext, part), made.append))
        if not made:
            return None
        part.output(replace(made[0], facts=made[0].facts | {"cell": number}, origin={"pipeline": Generate.id, "params": values}))
        part.skipped()  # one that came while it was kept is not meant for the next cell
        with Image.open(io.BytesIO(made[0].data)) as file:
            return file.convert("RGB")


def there(params: GridParams, ctx: RunContext, of: int) -> dict[int, Image.Image]:
    """The pictures of an earlier run by the numbers of their cells, which they tell themselves; those that do not are the first."""
    found: dict[int, Image.Image] = {}
    for path in (*(ctx.input(key) for key in params.done), *ctx.kept):
        number = _number_of(path)
        found[number if 0 <= number < of else len(found)] = shrunk(open_picture(path), of)
    return found


def _number_of(path: Path) -> int:
    """-1 where it does not tell."""
    try:
        number = extract(path).get("facts", {}).get("cell", -1)
    except (StudioError, AttributeError):
        return -1
    return number if isinstance(number, int) else -1


def shrunk(picture: Image.Image, of: int) -> Image.Image:
    """No larger than a sheet of that many cells shows it: a large grid's pictures would fill the memory."""
    scale = (MOST_SHEET_PIXELS / (picture.width * picture.height * of)) ** 0.5
    return picture if scale >= 1 else picture.resize((max(16, int(picture.width * scale)), max(16, int(picture.height * scale))), Image.Resampling.LANCZOS)


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
    order = sorted(WHICH, key=lambda which: {PROMPTS: 0, REPLACE: 2, STYLES: 3}.get(axes[which][0], 1))  # whole prompts first, then what is replaced in them, last what they are joined with
    for z in range(len(axes["z"][1])):
        for y in range(len(axes["y"][1])):
            for x in range(len(axes["x"][1])):
                places = {"x": x, "y": y, "z": z}
                chosen = {which: axes[which][1][place] for which, place in places.items()}
                values = base
                for which in order:
                    values = change(axes[which][0], chosen[which], values, axes[which][1], which, params.styles)
                own = {name: [getattr(params, name)[len(found)]] for name in PER_PICTURE.values() if len(getattr(params, name)) > len(found)}
                if params.other_seeds and values["seed"] >= 0:
                    own["seed"] = (values["seed"] + _seeds_on(params.other_seeds, places, axes)) % MOST_SEEDS
                found.append(((chosen["x"], chosen["y"], chosen["z"]), values | own))
    return found


def _seeds_on(along: str, places: dict[str, int], axes: dict[str, tuple[str, list[str]]]) -> int:
    """By how much a cell's seed lies behind the first one's; where no axis has its own, cells share theirs along it."""
    on, stride = 0, 1
    for which in along:
        on, stride = on + places[which] * stride, stride * len(axes[which][1])
    return on


def draw_sheet(pictures: dict[int, Image.Image], axes: dict[str, tuple[str, list[str]]], check: Callable[[], None] = lambda: None) -> Image.Image:
    """Columns are x, rows are y, blocks below each other are z, whose values stand above them; a cell that is missing is an empty place. `check` may raise to stop."""
    across, down, blocks = (len(axes[which][1]) for which in WHICH)
    width, height = max(picture.width for picture in pictures.values()), max(picture.height for picture in pictures.values())
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
    for number in range(across * down * blocks):
        check()
        x, y, z = number % across, number // across % down, number // (across * down)
        corner = (left + x * (width + gap), z * block + block - down * (height + gap) + y * (height + gap))
        if number in pictures:
            shown = ImageOps.contain(pictures[number], (width, height), Image.Resampling.LANCZOS)
            sheet.paste(shown, (corner[0] + (width - shown.width) // 2, corner[1] + (height - shown.height) // 2))
        else:
            sheet.paste(MISSING, (*corner, corner[0] + width, corner[1] + height))
        if x == y == 0:
            write(pen, (corner[0] + 2, z * block + letters // 2), heads[z], line, font)
        if y == 0:
            write(pen, (corner[0] + 2, z * block + letters // 2 + line * head), told[x], line, font)
        if x == 0 and axes["y"][0] != NOTHING:
            beside = wrapped(labels["y"][y], left - 12, font)
            write(pen, (6, corner[1] + (height - line * len(beside)) // 2), beside, line, font)
    return sheet

