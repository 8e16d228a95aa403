"""Compare: the picture once for each value of one to three settings, and all as a sheet. A view of image.style_grid, folded into the Style page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import Studio
from tabs.grid_axes import GridAxes, quoted
from tabs.image_style_mix import BLEND, METHODS, method_of

SHEET = "image.style_grid"
STYLES = "styles"  # the parameter whose values are names
MOST_FILLED = 6
EXAMPLES = {  # of numbers whose whole range would be too much for a picture, or take hours
    "Longer side": "256, 384, 512", "Painted at": "256, 384, 512", "Style size": "256, 512, 1024", "Width": "256, 384, 512", "Height": "256, 384, 512", "Enlarge": "2, 3, 4",
    "Steps": "10, 20, 40", "Sizes": "1, 2", "Content": "0.2, 1, 5", "Smoothness": "0, 1, 2", "CFG scale": "2, 4, 7", "Seed": "1-4", "Channel": "-1, 0, 50, 100", "Frames": "1, 8", "Octaves": "1, 2, 4",
}  # fmt: skip


class StyleSheet(GridAxes):
    """Picture, style and all other settings are those of the form."""

    examples: ClassVar[Mapping[str, str]] = EXAMPLES

    def __init__(self, studio: Studio, form: Any) -> None:
        self.studio, self.form = studio, form
        self.fields = {str(field.title): field for kind in form.kinds.values() for field in kind.model_fields.values()}

    def build(self) -> None:
        words = self.studio.words
        with gr.Accordion(words("Compare settings"), open=False, elem_id="image-style-sheet"):
            self.build_axes(self.studio.pipelines[SHEET].Params, "image-style", self._choices([], self.form.methods[0]))
            with gr.Row(elem_classes="studio-quiet"):
                self.go = gr.Button(words("Paint a sheet"), size="sm", min_width=110, elem_id="image-style-sheet-go")

    def listen(self, form: Any) -> None:
        axes = [component for name, component in self.axes.items() if name.endswith("axis")]
        gr.on([form.mix.change, form.method.change], self.on_method, [form.mix, form.method, *axes], axes, **ui.QUICK)
        self.listen_axes(form.method)

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

    def values_of(self, axis: str, model: str) -> list[str]:
        """Also names of painted styles."""
        pipeline: Any = self.studio.pipelines.get(BLEND)
        if pipeline and self.fields.get(axis) is pipeline.Params.model_fields[STYLES]:
            return [quoted(str(one["name"])) for one in pipeline.styles()[:MOST_FILLED]]
        return super().values_of(axis, model)

    def values(self, owner: str, given: dict[str, Any]) -> dict[str, Any]:
        """Of the job. Raises BadInput."""
        return {"method": self.form.pipeline(given), "settings": self.form.values(owner, given)} | {name: given[name] or "" for name in self.axes}

    def shown(self, values: dict[str, Any]) -> list[Any]:
        """For the axes: those of a job, none for another one's."""
        pipeline = str(values.get("method", ""))
        title = next((title for title, ids in METHODS.items() if pipeline in ids), self.form.methods[0])
        choices = self._choices([{"style": "n:"}] if pipeline == METHODS["Quick"][0] else [], title)
        return [gr.update(choices=choices, value=values.get(name, "")) if name.endswith("axis") else values.get(name, "") for name in self.axes]
