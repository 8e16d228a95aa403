"""Compare: the picture once for each value of one or two settings, and all as a sheet. A view of image.style_grid, folded into the Style page."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio import ui
from studio.api import Studio
from tabs.image_style_mix import METHODS, method_of

SHEET = "image.style_grid"
AXES = ("x", "y")


class StyleSheet:
    """Picture, style and all other settings are those of the form."""

    def __init__(self, studio: Studio, form: Any) -> None:
        self.studio, self.form = studio, form
        self.controls: dict[str, Any] = {}

    def build(self) -> None:
        words, fields = self.studio.words, self.studio.pipelines[SHEET].Params.model_fields
        with gr.Accordion(words("Compare settings"), open=False, elem_id="image-style-sheet"):
            for which in AXES:
                axis, values = (fields[f"{which}_{part}"] for part in ("axis", "values"))
                title, about, choices = str(values.title), str(values.description), self._choices([], self.form.methods[0])
                self.controls[f"{which}_axis"] = gr.Dropdown(choices, value="", allow_custom_value=True, label=words(str(axis.title)), elem_id=f"image-style-{which}-axis")
                self.controls[f"{which}_values"] = gr.Textbox(label=words(title), info=words(about), lines=1, max_lines=4, elem_id=f"image-style-{which}-values")
            with gr.Row(elem_classes="studio-quiet"):
                self.go = gr.Button(words("Paint a sheet"), size="sm", min_width=110, elem_id="image-style-sheet-go")

    def listen(self, form: Any) -> None:
        axes = [self.controls[f"{which}_axis"] for which in AXES]
        gr.on([form.mix.change, form.method.change], self.on_method, [form.mix, form.method, *axes], axes, **ui.QUICK)

    def _choices(self, mix: list[dict[str, Any]], method: str) -> list[tuple[str, str]]:
        """The settings of the method that would paint it."""
        words = self.studio.words
        pipeline: Any = self.studio.pipelines[SHEET]
        return [(words("Nothing"), ""), *((words(title), title) for title in pipeline.axes(method_of(mix, method)))]

    def on_method(self, mix: list[dict[str, Any]], method: str, *chosen: str) -> list[Any]:
        """What another method has not is taken back."""
        choices = self._choices(mix or [], method)
        known = {title for _, title in choices}
        return [gr.update(choices=choices, value=axis if axis in known else "") for axis in chosen]

    def values(self, given: dict[str, Any]) -> dict[str, Any]:
        """Of the job. Raises BadInput."""
        return {"method": self.form.pipeline(given), "settings": self.form.values(given)} | {name: given[name] or "" for name in self.controls}

    def shown(self, values: dict[str, Any]) -> list[Any]:
        """For the controls: the axes of a job, none for another one's."""
        pipeline = str(values.get("method", ""))
        title = next((title for title, ids in METHODS.items() if pipeline in ids), self.form.methods[0])
        choices = self._choices([{"style": "n:"}] if pipeline == METHODS["Quick"][0] else [], title)
        return [gr.update(choices=choices, value=values.get(name, "")) if name.endswith("axis") else values.get(name, "") for name in self.controls]
