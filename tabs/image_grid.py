"""Grid: one picture for each combination of two or three axes, with what stands in Create; the sheet large. A view of image.grid."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import StorageFull, Studio, StudioError
from tabs import image_advice as advice
from tabs.grid_axes import WHICH, GridAxes, quoted
from tabs.image_actions import listen_scripted, scripted
from tabs.image_page import PicturePage
from tabs.image_styles import styles_of
from tabs.image_view import stage
from tabs.job_follow import Run, duration
from tabs.job_page import STREAMING

EXAMPLES = {
    "Prompt S/R": "cat, dog, fox", "Prompts": "a red heart\na blue star", "Prompt matrix": "on a beach, at night", "Prompt matrix at the start": "oil painting, watercolour", "Prompt order": "cat, dog",
    "Size": "512x512, 512x768, 768x512", "Steps": "10, 20, 30", "CFG scale": "2, 4, 7, 10", "Seed": "1-4",
    "Variation": "0.1, 0.2, 0.3", "Variation seed": "1-4", "CLIP skip": "1, 2", "Denoising strength": "0.3, 0.5, 0.7, 0.9", "High resolution": "1, 1.5, 2", "Enlarge": "1, 2, 4",
}  # fmt: skip
HINTS = {
    "Prompt S/R": "The first is searched in the prompt, the others take its place.", "Prompts": "Whole prompts, one on each line.",
    "Prompt matrix": "Added to the prompt in all combinations, with commas between.", "Prompt matrix at the start": "The same, before the prompt.",
    "Prompt order": "Words of the prompt, with commas between: all their orders, in the places where they stand.", "Size": "Width and height as 512x768, with commas between.",
    "Styles": "Names of your styles, with commas between; several in one pair of quotation marks are joined, None is none.",
    "Model": "Names of models, with commas between.",
}  # fmt: skip
STYLES = "Styles"
SEEDS = {"": "The same in all cells", "x": "Others along X", "y": "Others along Y", "z": "Others along Z", "xyz": "Another in each cell"}
KEPT = "image.grid.axes"
CELLS, SHEET = "Show its pictures", "Show the sheet"
WORD, NETWORK = re.compile(r"[^\W\d_]{2,}|[^\x00-\x7f]"), re.compile(r"<[^>]*>")


class GridPage(GridAxes, PicturePage):
    """Left the axes with hints and the count of cells, right the sheet. A grid that was broken off can go on."""

    pipeline: ClassVar[str] = advice.GRID
    slot: ClassVar[str] = "image.grid.job"
    examples: ClassVar[Mapping[str, str]] = EXAMPLES
    hints: ClassVar[Mapping[str, str]] = HINTS

    def __init__(self, studio: Studio, create: Any) -> None:
        super().__init__(studio)
        self.create = create
        self.Params = studio.pipelines[advice.GRID].Params
        self.fields = {str(field.title): field for field in studio.pipelines[advice.PIPELINE].Params.model_fields.values()}

    def build(self) -> None:
        words = self.studio.words
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                gr.HTML(f"<p class='studio-note'>{html.escape(words('One picture for each combination. Prompt, model and settings are those of Create.'))}</p>", padding=False)
                self.basis = gr.HTML("", padding=False, elem_id="image-grid-basis")
                self.build_axes(self.Params, "image")
                told = self.Params.model_fields["other_seeds"]
                self.axes["other_seeds"] = gr.Dropdown([(words(text), value) for value, text in SEEDS.items()], value="", label=words(str(told.title)), elem_id="image-grid-seeds")
                with gr.Column(elem_classes="studio-foot"):
                    self.build_problem("image-grid-problem")
                    self.counted = gr.HTML("", elem_classes="studio-note", padding=False, elem_id="image-grid-told")
                    with gr.Row(equal_height=True):
                        self.build_go("Draw the grid", "image-grid")
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.build_view("image-grid-view")
                with gr.Row(visible=False, elem_classes="studio-quiet image-actions", elem_id="image-grid-actions") as self.finished:
                    self.parts = gr.Button(words(CELLS), size="sm", min_width=120, elem_id="image-grid-parts")
                    self.scripted = scripted(words, "image-grid")
                with gr.Row(visible=False, elem_classes="studio-quiet image-actions") as self.working:
                    self.skip = gr.Button(words("Skip this picture"), size="sm", min_width=120, elem_id="image-grid-skip")
                    self.finish = gr.Button(words("Finish with what is there"), size="sm", min_width=170)
                with gr.Row(visible=False, elem_classes="studio-quiet image-actions") as self.broken:
                    self.go_on = gr.Button(words("Go on with this grid"), size="sm", min_width=150, elem_id="image-grid-on")
                ui.last_results("image.")

    @property
    def more(self) -> list[Any]:
        return [self.working, self.broken, self.finished, self.parts]

    def listen(self, opened: Any) -> None:
        """`opened` is the event of the page being looked at: its count follows what was changed in Create."""
        form = self.create.form
        self.listen_job([self.go.click], form.given | self.axes, form.named)
        self.go_on.click(self.on_go_on, [], self.streamed, **STREAMING)
        for button, mode in ((self.skip, "skip"), (self.finish, "finish")):
            button.click(self.stopper(mode), [], [], **ui.QUICK)
        self.listen_axes(form.model, form.prompt_box.prompt)
        self.parts.click(self.on_parts, [self.parts], [self.view, self.parts], **ui.QUICK)
        listen_scripted(self.scripted, "#image-grid-view")
        gr.on([opened, form.model.change], self.on_basis, [form.prompt_box.prompt, form.model], [self.basis], trigger_mode="always_last", **ui.QUICK)
        light = form.measured | self.axes
        gr.on([opened, *(component.change for component in (*self.axes.values(), form.model))], self.on_count, inputs_kwargs=light, outputs=[self.counted], trigger_mode="always_last", **ui.QUICK)
        page = gr.context.Context.root_block
        assert isinstance(page, gr.Blocks)
        page.load(self.on_load, [], list(self.axes.values()), **ui.QUICK)
        gr.on([component.change for component in self.axes.values()], self.on_keep, inputs_kwargs=self.axes, outputs=[], trigger_mode="always_last", **ui.QUICK)
        ui.on_restore(self.studio, advice.GRID, ["image", "grid"], self.on_restore, [*self.axes.values(), *form.filled])

    # -- drawing ---------------------------------------------------------------------------------------------

    def asked(self, owner: str, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        form = self.create.form
        return form.values(owner, given) | self._axes(owner, given), form.read_extras(owner, given)

    def _axes(self, owner: str, given: dict[str, Any]) -> dict[str, Any]:
        """The axes' values, with one's styles where an axis names some: the cells are made without a look at what is saved."""
        axes = {name: given[name] or "" for name in self.axes}
        named = STYLES in (axes[f"{which}_axis"] for which in WHICH)
        words = " ".join(axes[f"{which}_values"] for which in WHICH)
        return axes | {"count": 1} | ({"styles": [style.text() for style in styles_of(self.studio, owner) if style.name in words]} if named else {})

    def on_go_on(self, request: gr.Request) -> Iterator[list[Any]]:
        """The cells that are there go along as pictures, which tell their places; only the others are drawn."""
        owner = ui.owner(request)
        try:
            row = self.studio.store.job_row(self.studio.store.recall(owner, self.follower.slot, ""))
            values = row["params"] | {"done": [*row["params"].get("done", []), *self._cells(owner, row)]}
            job = self.studio.submit(advice.GRID, values, owner=owner)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        yield from self.follow(job, request)

    def _cells(self, owner: str, row: dict[str, Any]) -> list[str]:
        """Keys of its finished cells, up to the first that is gone; a sheet that it ended with is none of them."""
        found: list[str] = []
        for output_id in row["outputs"]:
            try:
                output = self.studio.store.output(output_id)
                if "cells" not in output.metadata.get("facts", {}):
                    found.append(self.studio.inputs(owner).keep(Path(output.path).read_bytes()))
            except StorageFull:
                raise  # to draw them again would be worse
            except (StudioError, OSError):
                break
        return found

    def shown(self, run: Run, request: gr.Request) -> list[Any]:
        broken = not run.running and self._is_broken(ui.owner(request))
        parts = gr.update(visible=not run.running and bool(self._parts(ui.owner(request))), value=CELLS)
        return [gr.update(visible=run.running), gr.update(visible=broken), gr.update(visible=bool(run.outputs) and not run.running), parts]

    def _newest(self, owner: str) -> dict[str, Any]:
        """The job of the newest grid; {} where there is none."""
        try:
            row = self.studio.store.job_row(self.studio.store.recall(owner, self.follower.slot, ""))
        except StudioError:
            return {}
        return row if row["owner"] == owner else {}

    def _parts(self, owner: str) -> list[str]:
        """Of a finished grid the pictures that its sheet is made of, and last the sheet; [] for another one."""
        row = self._newest(owner)
        return list(row["outputs"]) if row and row["summary"].get("sheet") and len(row["outputs"]) > 1 else []

    def on_parts(self, label: str, request: gr.Request) -> list[Any]:
        """The pictures one by one in the place of the sheet, each to be looked at and taken; once more the sheet."""
        owner, lang, each = ui.owner(request), ui.lang(request), label == CELLS
        outputs = [output for output in self._parts(owner) if self.follower.is_there(output)]
        shown = outputs[:-1] if each else outputs[-1:]
        return [stage(Run(outputs=shown, wanted=len(shown)), self.studio.words, lang), gr.update(value=SHEET if each else CELLS)]

    def _is_broken(self, owner: str) -> bool:
        """Whether the newest grid ended before its last cell."""
        if not (row := self._newest(owner)):
            return False
        short = row["summary"].get("cells", 0) < row["summary"].get("of", 0)
        return bool(row["outputs"]) and (row["state"] in ("cancelled", "failed") or (row["state"] == "done" and short))

    def hello(self, owner: str, lang: str) -> str:
        told = self.studio.words.say(lang, "Choose what changes along X, then draw: samplers, steps, words of the prompt, models.")
        return f'<div class="studio-empty"><b lang="ja">生成</b><br>{html.escape(told)}</div>'

    # -- the axes --------------------------------------------------------------------------------------------

    def values_of(self, axis: str, model: str) -> list[str]:
        """Samplers and schedules are the model's."""
        return list(advice.traits(self.studio, model).get(f"{axis.lower()}s", [])) if axis in ("Sampler", "Schedule") else super().values_of(axis, model)

    def on_fill(self, axis: str, model: str, prompt: str = "", request: gr.Request | None = None) -> str:
        """One's styles. What is searched for has to stand in the prompt: its last word, which mostly names what is shown; what is put in another order, its last three."""
        if axis == STYLES:
            return ", ".join(["None", *(quoted(style.name) for style in styles_of(self.studio, ui.owner(request)))] if request else [])
        found = WORD.findall(NETWORK.sub("", prompt or "")) if axis in ("Prompt S/R", "Prompt order") else []
        if not found:
            return super().on_fill(axis, model)
        if axis == "Prompt order":
            return ", ".join(dict.fromkeys(found[-3:]))
        others = [word for word in self.examples[axis].split(", ") if word != found[-1]]
        return ", ".join([found[-1], *others])

    def on_basis(self, prompt: str, model: str, request: gr.Request) -> str:
        """What the cells begin from: it stands on another page."""
        lang = ui.lang(request)
        title = next((title for title, key in advice.usable_models(self.studio) if key == model), model or "")
        told = " · ".join(part for part in ((prompt or "").strip(), self.studio.words.say(lang, title)) if part)
        return f"<p class='grid-basis' title='{html.escape(told)}'>{html.escape(told)}</p>"

    def on_count(self, request: gr.Request, **given: Any) -> str:
        """How many cells, and how long by the pace of earlier pictures."""
        lang, say = ui.lang(request), self.studio.words.say
        if not any(given[f"{which}_axis"] for which in WHICH):
            return ""
        try:
            values = self.create.form.read_measured(given) | self._axes(ui.owner(request), given)
            need = self.studio.jobs.verdict(self.studio.pipelines[advice.GRID], self.Params.parse(values))
        except StudioError as error:
            return html.escape(ui.error_text(self.studio, error, lang))
        if "cells" not in need.facts:
            return html.escape(say(lang, (need.notes or [need.missing])[0]))
        told = say(lang, "{n} pictures", n=need.facts["cells"])
        if need.seconds < 0:
            return html.escape(told)
        key, number = duration(need.seconds)
        return html.escape(f"{told}, {say(lang, key, n=number)}")

    def on_keep(self, request: gr.Request, **axes: Any) -> None:
        self.studio.store.remember(ui.owner(request), KEPT, {name: value or "" for name, value in axes.items()})

    def on_load(self, request: gr.Request) -> list[Any]:
        """The axes as they were left."""
        kept = self.studio.store.recall(ui.owner(request), KEPT, {})
        return [kept.get(name, "") for name in self.axes]

    def on_restore(self, request: gr.Request) -> list[Any]:
        owner, store = ui.owner(request), self.studio.store
        values = store.recall(owner, f"restore:{advice.GRID}") or {}
        store.remember(owner, f"restore:{advice.GRID}", None)
        return [*(values.get(name, "") for name in self.axes), *self.create.form.shown(owner, values)]
