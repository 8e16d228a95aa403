"""The three axes of a grid's page: what changes, its values, a hint how they are written, and a button that fills some in."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, get_args, get_origin

import gradio as gr
from pydantic.fields import FieldInfo

from studio import ui
from studio.api import Params, Studio

WHICH = ("x", "y", "z")
OWN = "Its "  # begins titles of fields that belong to what stands above them
NUMBERS = "Numbers with commas between; also 1-5, 1-10 (+3) or 1-10 [4]."
CHOICES = "Values with commas between."


class GridAxes:
    """A page names what its axes can be: `fields`, and of some `examples` and `hints` of their own. `axes` are the components by parameter."""

    examples: ClassVar[Mapping[str, str]] = {}
    hints: ClassVar[Mapping[str, str]] = {}
    studio: Studio
    fields: dict[str, FieldInfo]  # by title
    axes: dict[str, Any]

    def build_axes(self, grid: type[Params], prefix: str, choices: Sequence[tuple[str, str]] = ()) -> None:
        """`prefix` begins the elements' ids; `choices` are (label, title) where the axes' own fields name none."""
        self.axes = {}
        self.told_of: dict[str, Any] = {}
        self.fill: dict[str, Any] = {}
        for which in WHICH:
            self._axis(which, grid, prefix, choices)
        self.swap = gr.Button(self.studio.words("Exchange X and Y"), size="sm", elem_classes="studio-quiet", elem_id=f"{prefix}-swap")

    def _axis(self, which: str, grid: type[Params], prefix: str, choices: Sequence[tuple[str, str]]) -> None:
        words, field = self.studio.words, grid.model_fields[f"{which}_axis"]
        with gr.Group(elem_classes="image-axis"):
            if choices:
                self.axes[f"{which}_axis"] = gr.Dropdown(list(choices), value="", allow_custom_value=True, label=words(str(field.title)), info=words(str(field.description)), elem_id=f"{prefix}-{which}-axis")
            else:
                listed: Any = ui.control(field, self.studio)
                listed.choices = [(words(self._called(value)) if value else words("Nothing"), value) for _, value in listed.choices]
                self.axes[f"{which}_axis"] = listed
            title = str(grid.model_fields[f"{which}_values"].title)
            self.axes |= {f"{which}_values": gr.Textbox(label=words(title), lines=2, max_lines=6, elem_id=f"{prefix}-{which}-values")}
            with gr.Row():
                self.told_of[which] = gr.HTML("", elem_classes="studio-note", padding=False)
                self.fill[which] = gr.Button(words("Fill in"), size="sm", min_width=70, scale=0, visible=False, elem_classes="studio-quiet", elem_id=f"{prefix}-{which}-fill")

    def _called(self, axis: str) -> str:
        """Beside its group's other fields “Its steps” is clear; here the group is named."""
        field = self.fields.get(axis)
        return f"{ui.hint(field, 'group')}: {axis.removeprefix(OWN)}" if field is not None and axis.startswith(OWN) else axis

    def listen_axes(self, *about: Any) -> None:
        """`about` are components that say what is filled in; the first is the model whose values they are."""
        one, other = ([self.axes[f"{which}_axis"], self.axes[f"{which}_values"]] for which in "xy")
        self.swap.click(lambda *values: [*values[2:], *values[:2]], [*one, *other], [*one, *other], **ui.QUICK)
        for which in WHICH:
            axis = self.axes[f"{which}_axis"]
            axis.change(self.on_axis, [axis], [self.told_of[which], self.fill[which]], **ui.QUICK)
            self.fill[which].click(self.on_fill, [axis, *about], [self.axes[f"{which}_values"]], **ui.QUICK)

    def on_axis(self, axis: str, request: gr.Request) -> list[Any]:
        hint = self.hints.get(axis) or (NUMBERS if self._is_number(axis) else CHOICES if axis else "")
        return [html.escape(self.studio.words.say(ui.lang(request), hint)) if hint else "", gr.update(visible=bool(axis))]

    def on_fill(self, axis: str, model: str) -> str:
        return self.examples.get(axis) or ", ".join(self.values_of(axis, model))

    def _is_number(self, axis: str) -> bool:
        return axis in self.fields and self.fields[axis].annotation in (int, float)

    def values_of(self, axis: str, model: str) -> list[str]:
        """All that the axis can take with this model; of numbers a few from the lowest to the highest."""
        field = self.fields.get(axis)
        if field is None:
            return []
        if kind := ui.hint(field, "model_kind"):
            named = [str(name) for name in ui.hint(field, "choices") or []]
            return [quoted(name) for name in dict.fromkeys((*named, *(entry.key for entry in self.studio.catalog.entries(kind) if not entry.problem)))]
        if get_origin(field.annotation) is not None:
            return [quoted(str(choice)) for choice in get_args(field.annotation) if str(choice)]
        if field.annotation is bool:
            return ["off", "on"]
        low, high = ui.bounds(field)
        if not self._is_number(axis) or low is None or high is None:
            return [quoted(str(choice)) for choice in ui.hint(field, "choices") or [] if str(choice)]
        steps = [low + (high - low) * part / 3 for part in range(4)]
        return [f"{round(value)}" if field.annotation is int else f"{value:.2g}" for value in steps]


def quoted(value: str) -> str:
    return f'"{value}"' if "," in value else value
