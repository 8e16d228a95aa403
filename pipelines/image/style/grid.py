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

from pipelines.image.axes import NOTHING, _numbers, split, typed
from pipelines.image.grid import SIZES, check_axes, draw_sheet
from pipelines.image.pictures import open_picture
from pipelines.image.style.batch import Method, method_of, part_of, seeded
from pipelines.image.style.content import png
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, Params, Places, Result, RunContext, StudioError, ui

NO_AXIS = ("image", "mask", "style", "style2", "style3")
AXIS_TOLD = "What changes along it: the title of one of the method's settings."
VALUES_TOLD = "With commas between, and quotes around what has commas in it; numbers also as 1-5, 1-10 (+3) or 1-10 [4]."


def _axis(which: str) -> Any:
    return Field(NOTHING, max_length=60, title=f"{which.upper()} axis", description=AXIS_TOLD, json_schema_extra=ui(group="Grid"))


def _values(which: str) -> Any:
    return Field("", max_length=20_000, title=f"{which.upper()} values", description=VALUES_TOLD, json_schema_extra=ui(group="Grid", widget="textarea", lines=2))


class StyleGridParams(Params):
    method: Method = Field("image.style_blend", title="Method", description="How the pictures are painted.")
    settings: dict[str, Any] = Field({}, title="Its settings", description="Those of the method, with the picture: what no axis changes.", json_schema_extra=ui(widget="json"))
    x_axis: str = _axis("x")
    x_values: str = _values("x")
    y_axis: str = _axis("y")
    y_values: str = _values("y")
    z_axis: str = _axis("z")
    z_values: str = _values("z")


class StyleGrid:
    """Each cell is kept as soon as it is painted, with its own settings; a grid that was broken off goes on after the last one."""

    id: ClassVar[str] = "image.style_grid"
    title: ClassVar[str] = "Style grid"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = StyleGridParams

    def axes(self, method: str) -> list[str]:
        """What can change with a method: for the page."""
        return list(fields_of(StyleGridParams(method=method)))  # type: ignore[arg-type]

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
        by_name = {fields_of(params).get(getattr(params, f"{which}_axis"), ""): f"{which}_values" for which in SIZES}
        for _, values in cells(whole):
            try:
                method.settle(method.Params.parse(values), desk)  # type: ignore[attr-defined]
            except StudioError as error:
                error.field = by_name.get(error.field, "settings")
                raise
        return whole

    def run(self, params: StyleGridParams, ctx: RunContext) -> Result:
        pictures, todo = [open_picture(path) for path in ctx.kept], list(cells(params))
        started, before = time.monotonic(), len(pictures)
        for number, (labels, values) in enumerate(todo[before:], before):
            ctx.progress(number, len(todo), f"Cell {number + 1} of {len(todo)}: {', '.join(label for label in labels if label)}")
            for made in part_of(params.method, values, number, len(todo), ctx).artifacts[:1]:
                ctx.output(replace(made, origin={"pipeline": params.method, "params": values}))
                with Image.open(io.BytesIO(made.data)) as file:
                    pictures.append(file.convert("RGB"))
            if len(pictures) <= number or ctx.stopping == "finish":
                break
        if not pictures:
            return Result([], {"cells": 0, "of": len(todo)})
        pace = {"pace": {"cell": (time.monotonic() - started) / (len(pictures) - before)}} if len(pictures) > before else {}
        sheet = draw_sheet(pictures, values_of(params))
        return Result([Artifact("image", png(sheet, ctx.check), ".png", "Grid", {"cells": len(pictures)})], {"cells": len(pictures), "of": len(todo)} | pace)


def fields_of(params: StyleGridParams) -> dict[str, str]:
    """Of each title the field's name."""
    return {str(field.title): name for name, field in method_of(params.method).Params.model_fields.items() if name not in NO_AXIS}


def values_of(params: StyleGridParams) -> dict[str, tuple[str, list[str]]]:
    """Of each axis its title and values. Raises BadInput."""
    found = {which: (getattr(params, f"{which}_axis"), _read(params, which)) for which in SIZES}
    check_axes(found)
    return found


def _read(params: StyleGridParams, which: str) -> list[str]:
    axis, text, fields = getattr(params, f"{which}_axis"), getattr(params, f"{which}_values"), fields_of(params)
    if axis == NOTHING:
        return [""]
    if axis not in fields:
        raise BadInput(f"There is no axis “{axis}”.", hint=f"Use one of: {', '.join(fields)}.", field=f"{which}_axis")
    kind = method_of(params.method).Params.model_fields[fields[axis]].annotation
    found = [value for item in split(text) for value in (_numbers(item, kind is int) if kind in (int, float) else [item])]
    if not found:
        raise BadInput(f"The axis “{axis}” has no values.", hint="Write some, with commas between.", field=f"{which}_values")
    return found


def cells(params: StyleGridParams) -> Iterator[tuple[tuple[str, str, str], dict[str, Any]]]:
    """(labels, the method's parameters) in the order they are painted: x quickest, z slowest. Raises BadInput."""
    axes, fields, known = values_of(params), fields_of(params), method_of(params.method).Params.model_fields

    def chosen(which: str, value: str) -> dict[str, Any]:
        name = fields.get(axes[which][0], "")
        return {name: typed(known[name], value, which)} if name else {}

    for z in axes["z"][1]:
        for y in axes["y"][1]:
            for x in axes["x"][1]:
                yield (x, y, z), params.settings | chosen("z", z) | chosen("y", y) | chosen("x", x)
