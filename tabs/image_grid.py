"""Grid: one picture for each combination of two or three axes, with what stands in Create; the sheet large. A view of image.grid."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import gradio as gr

from studio import ui
from studio.api import Studio, StudioError
from tabs import image_advice as advice
from tabs.image_create import SHEET, STREAMING
from tabs.image_follow import GRID, Follower, duration, estimate
from tabs.image_view import Run, stage

EXAMPLES = {
    "Prompt S/R": "cat, dog, fox", "Prompts": "a red heart\na blue star", "Prompt matrix": "on a beach, at night", "Steps": "10, 20, 30", "CFG scale": "2, 4, 7, 10", "Seed": "1-4",
    "Variation": "0.1, 0.2, 0.3", "Variation seed": "1-4", "CLIP skip": "1, 2", "Denoising strength": "0.3, 0.5, 0.7, 0.9", "High resolution": "1, 1.5, 2", "Enlarge": "1, 2, 4",
}  # fmt: skip
HINTS = {
    "Prompt S/R": "The first is searched in the prompt, the others take its place.", "Prompts": "Whole prompts, one on each line.",
    "Prompt matrix": "Added to the prompt in all combinations, with commas between.", "Model": "Names of models, with commas between.",
}  # fmt: skip
NUMBERS = "Numbers with commas between; also 1-5, 1-10 (+3) or 1-10 [4]."
CHOICES = "Values with commas between."


class GridPage:
    """Left the axes with hints and the count of cells, right the sheet. A grid that was broken off can go on."""

    def __init__(self, studio: Studio, create: Any) -> None:
        self.studio, self.create = studio, create
        self.Params = studio.pipelines[GRID].Params
        self.fields = {str(field.title): field for field in studio.pipelines[advice.PIPELINE].Params.model_fields.values()}
        self.follower = Follower(studio, "image.grid.job")

    def build(self) -> None:
        words = self.studio.words
        self.axes: dict[str, Any] = {}
        self.hints: dict[str, Any] = {}
        self.fill: dict[str, Any] = {}
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                gr.HTML(f"<p class='studio-note'>{html.escape(words('One picture for each combination. Prompt, model and settings are those of Create.'))}</p>", padding=False)
                for which in "xyz":
                    self._axis(which, words)
                with gr.Column(elem_classes="studio-foot"):
                    self.told = gr.HTML("", elem_classes="studio-note", padding=False, elem_id="image-grid-told")
                    with gr.Row(equal_height=True):
                        self.draw = gr.Button(words("Draw the grid"), variant="primary", elem_classes="primary-action", min_width=120, scale=3, elem_id="image-grid")
                        self.stop = gr.Button(words("Stop"), elem_classes="stop-action", min_width=70, scale=1)
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.view = gr.HTML("", js_on_load=SHEET, padding=False, elem_id="image-grid-view")
                with gr.Row(visible=False, elem_classes="studio-quiet") as self.working:
                    self.finish = gr.Button(words("Finish with what is there"), size="sm", min_width=170)
                with gr.Row(visible=False, elem_classes="studio-quiet") as self.broken:
                    self.go_on = gr.Button(words("Go on with this grid"), size="sm", min_width=150, elem_id="image-grid-on")

    def _axis(self, which: str, words: Any) -> None:
        with gr.Group(elem_classes="image-axis"):
            self.axes |= ui.controls(self.Params, self.studio, only=(f"{which}_axis",))
            title = str(self.Params.model_fields[f"{which}_values"].title)
            self.axes |= {f"{which}_values": gr.Textbox(label=words(title), lines=1, max_lines=6, elem_id=f"image-{which}-values")}
            with gr.Row():
                self.hints[which] = gr.HTML("", elem_classes="studio-note", padding=False)
                self.fill[which] = gr.Button(words("Fill in"), size="sm", min_width=70, scale=0, visible=False, elem_classes="studio-quiet", elem_id=f"image-{which}-fill")

    @property
    def streamed(self) -> list[Any]:
        return [self.view, self.working, self.broken, self.told]

    def listen(self) -> None:
        form = self.create.form
        given = form.given | self.axes
        self.draw.click(self.on_draw, inputs_kwargs=given, outputs=self.streamed, **STREAMING)
        self.go_on.click(self.on_go_on, [], self.streamed, **STREAMING)
        self.stop.click(self.on_stop, [], [], **ui.QUICK)
        self.finish.click(self.on_finish, [], [], **ui.QUICK)
        for which in "xyz":
            axis, values = self.axes[f"{which}_axis"], self.axes[f"{which}_values"]
            axis.change(self.on_axis, [axis], [self.hints[which], self.fill[which]], **ui.QUICK)
            self.fill[which].click(self.on_fill, [axis, form.model], [values], **ui.QUICK)
        light = {name: form.given[name] for name in ("prompt", "negative_prompt", "model", "steps", "width", "height")} | self.axes
        gr.on([component.change for component in (*self.axes.values(), form.model)], self.on_count, inputs_kwargs=light, outputs=[self.told], trigger_mode="always_last", **ui.QUICK)
        page = gr.context.Context.root_block
        assert isinstance(page, gr.Blocks)
        page.load(self.on_follow, [], self.streamed, **STREAMING)
        ui.on_restore(self.studio, GRID, ["image", "grid"], self.on_restore, [*self.axes.values(), *form.filled])

    # -- drawing ---------------------------------------------------------------------------------------------

    def on_draw(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        owner = ui.owner(request)
        try:
            values = self.create.form.values(given) | {name: given[name] or "" for name in self.axes} | {"count": 1}
            job = self.studio.submit(GRID, values, owner=owner, extras=self.create.form.read_extras(owner, given))
        except StudioError as error:
            yield [gr.skip(), gr.skip(), gr.skip(), problem(self.studio, error, ui.lang(request))]
            return
        yield from self._follow(job, request)

    def on_go_on(self, request: gr.Request) -> Iterator[list[Any]]:
        """The cells that are there go along as pictures; only the others are drawn."""
        owner = ui.owner(request)
        try:
            row = self.studio.store.job_row(self.studio.store.recall(owner, self.follower.slot, ""))
            values = row["params"] | {"done": [*row["params"].get("done", []), *self._cells(row)]}
            job = self.studio.submit(GRID, values, owner=owner)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        yield from self._follow(job, request)

    def _cells(self, row: dict[str, Any]) -> list[str]:
        """Keys of its finished cells, up to the first that is gone; a sheet that it ended with is none of them."""
        found: list[str] = []
        for output_id in row["outputs"][: row["summary"].get("cells", len(row["outputs"]))]:
            try:
                output = self.studio.store.output(output_id)
                found.append(self.studio.jobs.desk.inputs.keep(Path(output.path).read_bytes()))
            except (StudioError, OSError):
                break
        return found

    def _follow(self, job: Any, request: gr.Request) -> Iterator[list[Any]]:
        self.follower.begin(job)
        for run in self.follower.follow(job, ui.lang(request)):
            yield self._show(run, request)

    def _show(self, run: Run, request: gr.Request) -> list[Any]:
        lang = ui.lang(request)
        return [stage(run, self.studio.words, lang, self._hello(lang)), gr.update(visible=run.running), gr.update(visible=not run.running and self._is_broken(ui.owner(request))), gr.skip() if run.job else ""]

    def _is_broken(self, owner: str) -> bool:
        """Whether the newest grid ended before its last cell."""
        try:
            row = self.studio.store.job_row(self.studio.store.recall(owner, self.follower.slot, ""))
        except StudioError:
            return False
        short = row["summary"].get("cells", 0) < row["summary"].get("of", 0)
        return row["owner"] == owner and bool(row["outputs"]) and (row["state"] in ("cancelled", "failed") or (row["state"] == "done" and short))

    def _hello(self, lang: str) -> str:
        told = self.studio.words.say(lang, "Choose what changes along X, then draw: samplers, steps, words of the prompt, models.")
        return f'<div class="studio-empty"><b lang="ja">生成</b><br>{html.escape(told)}</div>'

    def on_follow(self, request: gr.Request) -> Iterator[list[Any]]:
        job = self.follower.job(ui.owner(request))
        if job is not None:
            yield from self._follow(job, request)
        else:
            yield self._show(Run(), request)

    def on_stop(self, request: gr.Request) -> None:
        self.follower.stop(ui.owner(request), "cancel")

    def on_finish(self, request: gr.Request) -> None:
        self.follower.stop(ui.owner(request), "finish")

    # -- the axes --------------------------------------------------------------------------------------------

    def on_axis(self, axis: str, request: gr.Request) -> list[Any]:
        hint = HINTS.get(axis) or (NUMBERS if self._is_number(axis) else CHOICES if axis else "")
        return [html.escape(self.studio.words.say(ui.lang(request), hint)) if hint else "", gr.update(visible=bool(axis))]

    def on_fill(self, axis: str, model: str) -> str:
        return ", ".join(self.values_of(axis, model)) if axis not in EXAMPLES else EXAMPLES[axis]

    def _is_number(self, axis: str) -> bool:
        return axis in self.fields and self.fields[axis].annotation in (int, float)

    def values_of(self, axis: str, model: str) -> list[str]:
        """All that the axis can take with this model; of numbers a few from the lowest to the highest."""
        field = self.fields.get(axis)
        if field is None:
            return []
        traits = advice.traits(self.studio, model)
        if axis in ("Sampler", "Schedule"):
            return list(traits.get(f"{axis.lower()}s", []))
        if kind := ui.hint(field, "model_kind"):
            named = [str(name) for name in ui.hint(field, "choices") or []]
            return [quoted(name) for name in dict.fromkeys((*named, *(entry.key for entry in self.studio.catalog.entries(kind) if not entry.problem)))]
        if get_origin(field.annotation) is not None:
            return [quoted(str(choice)) for choice in get_args(field.annotation)]
        if field.annotation is bool:
            return ["off", "on"]
        low, high = ui.bounds(field)
        if not self._is_number(axis) or low is None or high is None:
            return [quoted(str(choice)) for choice in ui.hint(field, "choices") or []]
        steps = [low + (high - low) * part / 3 for part in range(4)]
        return [f"{round(value)}" if field.annotation is int else f"{value:.2g}" for value in steps]

    def on_count(self, request: gr.Request, **given: Any) -> str:
        """How many cells, and how long by the pace of one's last pictures."""
        lang, say = ui.lang(request), self.studio.words.say
        if not any(given[f"{which}_axis"] for which in "xyz"):
            return ""
        try:
            values = {name: given[name] or "" for name in (*self.axes, "prompt", "negative_prompt", "model")} | {name: int(given[name] or 0) for name in ("steps", "width", "height")}
            need = self.studio.pipelines[GRID].need(self.Params.parse(values), self.studio.catalog)
        except StudioError as error:
            return html.escape(ui.error_text(self.studio, error, lang))
        if "cells" not in need.facts:
            return html.escape(say(lang, (need.notes or [need.missing])[0]))
        told = say(lang, "{n} pictures", n=need.facts["cells"])
        seconds = estimate(self.studio, ui.owner(request), given["model"], need.facts["work"])
        key, number = duration(seconds)
        return html.escape(f"{told}, {say(lang, key, n=number)}" if seconds > 0 else told)

    def on_restore(self, request: gr.Request) -> list[Any]:
        owner, store = ui.owner(request), self.studio.store
        values = store.recall(owner, f"restore:{GRID}") or {}
        store.remember(owner, f"restore:{GRID}", None)
        return [*(values.get(name, "") for name in self.axes), *self.create.form.shown(owner, values)]


def quoted(value: str) -> str:
    return f'"{value}"' if "," in value else value


def problem(studio: Studio, error: StudioError, lang: str) -> str:
    return f"<p class='studio-error' role='alert'>{html.escape(ui.error_text(studio, error, lang))}</p>"
