"""image.style_grid: one picture in many ways of one method: a picture for each combination of two or three of its settings, and all as a sheet with a legend."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from PIL import Image
from pydantic import Field

from pipelines.axes import Axes, at_axis, axis, axis_values, cells_of, fields_of, read_axes, seeded
from pipelines.image.grid import draw_sheet, shrunk
from pipelines.image.pictures import open_picture
from pipelines.image.style.batch import Method, method_of, part_of
from pipelines.image.style.content import png
from pipelines.image.style.diffuse import Given
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, Params, Pipeline, Places, Result, RunContext, StudioError, ui

NO_AXIS = ("image", "mask", "more", "guide", "style", "style2", "style3")
AXIS_TOLD = "What changes along it: the title of one of the method's settings."
VALUES_TOLD = "With commas between, and quotes around what has commas in it; numbers also as 1-5, 1-10 (+3) or 1-10 [4]."


class StyleGridParams(Params):
    method: Method = Field("image.style_blend", title="Method", description="How the pictures are painted.")
    settings: dict[str, Any] = Field({}, title="Its settings", description="Those of the method, with the picture: what no axis changes.", json_schema_extra=ui(widget="json"))
    x_axis: str = axis("x", AXIS_TOLD)
    x_values: str = axis_values("x", VALUES_TOLD)
    y_axis: str = axis("y", AXIS_TOLD)
    y_values: str = axis_values("y", VALUES_TOLD)
    z_axis: str = axis("z", AXIS_TOLD)
    z_values: str = axis_values("z", VALUES_TOLD)


class StyleGrid:
    """Each cell is kept as soon as it is painted, with the settings it was painted with; a grid that was broken off goes on after the last one."""

    id: ClassVar[str] = "image.style_grid"
    title: ClassVar[str] = "Style grid"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = StyleGridParams

    def axes(self, method: str) -> list[str]:
        """What can change with a method: for the page."""
        return list(_fields(StyleGridParams(method=method)))  # type: ignore[arg-type]

    def need(self, params: StyleGridParams, catalog: Catalog) -> Need:
        return self.place(params, catalog, "cpu", sys.maxsize)

    def place(self, params: StyleGridParams, catalog: Catalog, device: str, room: int) -> Need:
        """What the cell takes that takes most; as a fact how many cells there are."""
        try:
            method = method_of(params.method)
            found = []
            for _, values in cells(params):
                one = method.Params.parse(values)
                found.append(method.place(one, catalog, device, room) if isinstance(method, Places) else method.need(one, catalog))
        except StudioError as error:
            return Need(missing=error.message)
        if missing := next((one.missing for one in found if one.missing), ""):
            return Need(missing=missing)
        largest = max(found, key=lambda one: one.weight_bytes + one.working_bytes)
        return replace(largest, facts=largest.facts | {"cells": len(found)})

    def pace_key(self, params: StyleGridParams, catalog: Catalog) -> str:
        return f"{self.id} {params.method}"

    def seconds(self, params: StyleGridParams, catalog: Catalog, pace: dict[str, float]) -> float:
        return pace["cell"] * len(list(cells(params)))

    def settle(self, params: StyleGridParams, desk: Desk) -> StyleGridParams:
        """Every cell is checked before the first is painted. Raises StudioErrors at "settings", or at the axis whose value is wrong."""
        method = method_of(params.method)
        try:
            first = seeded(method.Params.parse(params.settings))
        except BadInput as error:
            error.field = "settings"
            raise
        whole = params.model_copy(update={"settings": first.model_dump(mode="json")})
        for _, values in cells(whole):
            try:
                _settled(method, values, desk)
            except StudioError as error:
                raise at_axis(error, params, _fields(params), "settings") from error
        return whole

    def run(self, params: StyleGridParams, ctx: RunContext) -> Result:
        todo, method = list(cells(params)), method_of(params.method)
        desk = Desk(ctx.catalog, Given(ctx))  # type: ignore[arg-type]  # inside a job, where inputs are only read
        pictures = [shrunk(open_picture(path), len(todo)) for path in ctx.kept]
        started, before = time.monotonic(), len(pictures)
        for number, (labels, values) in enumerate(todo[before:], before):
            ctx.progress(number, len(todo), f"Cell {number + 1} of {len(todo)}: {', '.join(label for label in labels if label)}")
            settled = _settled(method, values, desk).model_dump(mode="json")
            for made in part_of(params.method, settled, number, len(todo), ctx).artifacts[:1]:
                ctx.output(replace(made, origin={"pipeline": params.method, "params": settled}))
                with Image.open(io.BytesIO(made.data)) as file:
                    pictures.append(shrunk(file.convert("RGB"), len(todo)))
            if len(pictures) <= number or ctx.stopping == "finish":
                break
        if not pictures:
            return Result([], {"cells": 0, "of": len(todo)})
        pace = {"pace": {"cell": (time.monotonic() - started) / (len(pictures) - before)}} if len(pictures) > before else {}
        ctx.progress(len(todo), len(todo), "Saving")
        sheet = draw_sheet(dict(enumerate(pictures)), values_of(params), ctx.check)
        return Result([Artifact("image", png(sheet, ctx.check), ".png", "Grid", {"cells": len(pictures)})], {"cells": len(pictures), "of": len(todo)} | pace)


def _settled(method: Pipeline, values: dict[str, Any], desk: Desk) -> Params:
    """One cell's. Raises StudioErrors at their fields."""
    found: Params = method.settle(method.Params.parse(values), desk)  # type: ignore[attr-defined]  # all methods that a sheet can have do settle
    return found


def _fields(params: StyleGridParams) -> dict[str, str]:
    return fields_of(method_of(params.method).Params, NO_AXIS)


def values_of(params: StyleGridParams) -> Axes:
    """Raises BadInput."""
    return read_axes(params, method_of(params.method).Params, _fields(params))


def cells(params: StyleGridParams) -> Iterator[tuple[tuple[str, str, str], dict[str, Any]]]:
    """(labels, the method's parameters) in the order they are painted: x quickest, z slowest. Raises BadInput."""
    return cells_of(values_of(params), method_of(params.method).Params, _fields(params), params.settings)
