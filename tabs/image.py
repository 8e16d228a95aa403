"""The Image tab. A view of image.generate: left what is wanted, right what comes."""

from __future__ import annotations

import html
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import FINAL, Cancelled, Done, Failed, Loading, Preview, Progress, Queued, Saved, Studio, StudioError, Tab, hookimpl
from tabs.image_picture import editor_pictures, editor_value
from tabs.image_view import CSS, Run, stage

PIPELINE = "image.generate"
GRID = "image.grid"
SHEET = (Path(__file__).parent / "image.js").read_text(encoding="utf-8")
EXAMPLES: dict[str, dict[str, tuple[str, ...]]] = {
    "stickers": {"en": ("a red heart", "a panda on a yellow background", "two green apples", "a happy dog face", "a small blue star", "a cat and a sunflower"),
                 "ja": ("赤いハート", "黄色い背景のパンダ", "緑のりんご二つ", "うれしそうな犬の顔", "小さな青い星", "猫とひまわり")},
    "": {"en": ("a lighthouse on a cliff at dusk, oil painting", "portrait of an old fisherman, soft window light, 85mm", "a tiny house inside a glass jar, macro photo", "isometric game room, cozy, pixel art"),
         "ja": ("a lighthouse on a cliff at dusk, oil painting", "portrait of an old fisherman, soft window light, 85mm", "a tiny house inside a glass jar, macro photo", "isometric game room, cozy, pixel art")},
}  # fmt: skip
SHAPES = {"Square 1:1": (1, 1), "Portrait 3:4": (3, 4), "Portrait 2:3": (2, 3), "Portrait 9:16": (9, 16), "Landscape 4:3": (4, 3), "Landscape 3:2": (3, 2), "Landscape 16:9": (16, 9)}
OWN_SHAPE = "Own size"
GROUPS = {
    "Sampling": ("steps", "cfg_scale", "seed", "sampler", "schedule", "clip_skip", "guidance_rescale", "precision", "step_cache"),
    "Size": ("width", "height", "tiling", "together"),
    "High resolution": ("hires_scale", "hires_steps", "hires_strength", "upscale", "upscaler"),
    "Variation": ("variation_strength", "variation_seed", "seed_width", "seed_height"),
    "Exactness": ("conventions", "noise_source", "eta_seed_delta", "discard_next_to_last_sigma", "emphasis"),
}
MEASURED = ("width", "height", "steps", "hires_scale", "hires_steps", "upscale", "together", "precision")
PICTURE = ("denoising_strength", "resize")
MASK = ("invert_mask", "mask_blur", "fill", "only_masked", "padding")
EXTEND = ("extend_left", "extend_right", "extend_top", "extend_bottom")
UPDATE_SECONDS = 0.1
DOWNLOAD = """(id) => { if (id) { const link = document.createElement('a'); link.href = '/api/v1/outputs/' + id + '/file?download'; link.download = ''; link.click(); } return []; }"""


class ImageTab:
    id: ClassVar[str] = "image"
    title: ClassVar[str] = "Image"
    order: ClassVar[int] = 20

    def build(self, studio: Studio) -> None:
        if PIPELINE not in studio.pipelines:
            gr.Markdown(studio.words("The image pipelines are not installed."))
            return
        with gr.Tabs(elem_id="image-modes"):
            with gr.Tab(studio.words("Create"), id="create"):
                CreatePage(studio).build()
        ui.last_results("image.")


class CreatePage:
    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.Params = studio.pipelines[PIPELINE].Params
        self.fields = self.Params.model_fields

    # -- drawing ---------------------------------------------------------------------------------------------

    def build(self) -> None:
        self.chosen, self.defaults, self.kept = gr.State(""), gr.State({}), gr.State({})
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                self._build_left(self.studio.words)
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self._build_right(self.studio.words)
        self._listen()

    def _build_left(self, words: Any) -> None:
        self.prompt = gr.Textbox(label=words("Prompt"), lines=3, max_lines=12, placeholder=words("What the picture shows"), elem_id="image-prompt")
        self.told = gr.HTML("", elem_classes="studio-note", elem_id="image-told", padding=False)
        self.model = gr.Dropdown([], label=words("Model"), allow_custom_value=True, elem_id="image-model")
        with gr.Row():
            shapes = [(words(name), name) for name in (*SHAPES, OWN_SHAPE)]
            self.shape = gr.Dropdown(shapes, value="Square 1:1", label=words("Shape"), min_width=130)
            self.count = gr.Dropdown([1, 2, 3, 4, 6, 9, 12, 16], value=1, label=words("Pictures"), min_width=90, allow_custom_value=True)
        with gr.Accordion(words("From a picture"), open=False) as self.from_picture:
            self.editor = gr.ImageEditor(
                type="pil", label=words("Picture"), show_label=False, sources=["upload", "clipboard"], height=300, layers=False, transforms=[], elem_id="image-editor",
                brush=gr.Brush(default_size=24, colors=["#ffffff"], default_color="#ffffff", color_mode="fixed"), placeholder=words("Drop a picture here. Paint over what is to be made anew."),
            )  # fmt: skip
            self.controls = ui.controls(self.Params, self.studio, only=PICTURE)
            with gr.Accordion(words("Mask"), open=False):
                self.controls |= ui.controls(self.Params, self.studio, only=MASK)
            with gr.Accordion(words("Extend"), open=False):
                with gr.Row():
                    self.controls |= ui.controls(self.Params, self.studio, only=EXTEND[:2])
                with gr.Row():
                    self.controls |= ui.controls(self.Params, self.studio, only=EXTEND[2:])
        with gr.Accordion(words("Advanced"), open=False):
            self.negative = gr.Textbox(label=words("Negative prompt"), lines=2, max_lines=8, placeholder=words("What it should not show"))
            for group, names in GROUPS.items():
                with gr.Accordion(words(group), open=group == "Sampling"):
                    self.controls |= ui.controls(self.Params, self.studio, only=names)
        with gr.Accordion(words("Grid"), open=False):
            gr.HTML(f"<span class='studio-note'>{html.escape(words('One picture for each combination. Choose what changes, and its values.'))}</span>", padding=False)
            self.axes: dict[str, Any] = {}
            for which in "xyz":
                with gr.Row():
                    self.axes |= ui.controls(self.studio.pipelines[GRID].Params, self.studio, only=(f"{which}_axis", f"{which}_values"))
            self.draw_grid = gr.Button(words("Draw the grid"), size="sm", elem_classes="studio-quiet", elem_id="image-grid")
        self.controls |= ui.extras(self.studio, PIPELINE)
        with gr.Column(elem_classes="studio-foot", elem_id="image-foot"):
            self.verdict = gr.HTML("", elem_classes="studio-note", padding=False, elem_id="image-verdict")
            with gr.Row(equal_height=True):
                self.generate = gr.Button(words("Generate"), variant="primary", elem_classes="primary-action", min_width=110, scale=3)
                self.nine = gr.Button("3 × 3", min_width=64, scale=1, elem_id="image-nine")
                self.stop = gr.Button(words("Stop"), elem_classes="stop-action", min_width=70, scale=1)

    def _build_right(self, words: Any) -> None:
        self.view = gr.HTML("", js_on_load=SHEET, css_template=CSS, padding=False, elem_id="image-view")
        with gr.Row(visible=False, elem_classes="studio-quiet", elem_id="image-actions") as self.actions:
            self.download = gr.Button(words("Download"), size="sm", min_width=90)
            self.vary = gr.Button(words("Vary"), size="sm", min_width=70)
            self.begin = gr.Button(words("Begin from it"), size="sm", min_width=110)
            self.again = gr.Button(words("Its seed"), size="sm", min_width=80)
            self.trash = gr.Button(words("Move to trash"), size="sm", min_width=110)
        with gr.Row(visible=False, elem_classes="studio-quiet", elem_id="image-working") as self.working:
            self.skip = gr.Button(words("Skip this picture"), size="sm", min_width=120)
            self.finish = gr.Button(words("Finish with what is there"), size="sm", min_width=170)

    def _listen(self) -> None:
        given = {"prompt": self.prompt, "negative_prompt": self.negative, "model": self.model, "shape": self.shape, "count": self.count, "editor": self.editor} | self.controls
        streamed = [self.view, self.actions, self.working, self.chosen, self.told]
        streaming: dict[str, Any] = ui.QUIET | {"concurrency_limit": None, "trigger_mode": "multiple"}
        gr.on([self.generate.click, self.prompt.submit], self.on_generate, inputs_kwargs=given, outputs=streamed, **streaming)
        self.nine.click(self.on_nine, inputs_kwargs=given, outputs=streamed, **streaming)
        self.draw_grid.click(self.on_grid, inputs_kwargs=given | self.axes, outputs=streamed, **streaming)
        self.vary.click(self.on_vary, inputs_kwargs=given | {"chosen": self.chosen}, outputs=streamed, **streaming)
        for button, mode in ((self.stop, "cancel"), (self.skip, "skip"), (self.finish, "finish")):
            button.click(self._stopper(mode), [], [], **ui.QUICK)
        self.view.select(self.on_select, [], [self.chosen], **ui.QUICK)
        self.view.input(self.on_example, [], [self.prompt], **ui.QUICK)
        self.download.click(None, [self.chosen], [], js=DOWNLOAD)
        self.begin.click(self.on_begin, [self.chosen], [self.editor, self.from_picture], **ui.QUICK)
        self.again.click(self.on_again, [self.chosen], [self.controls["seed"]], **ui.QUICK)
        self.trash.click(self.on_trash, [self.chosen], [self.view, self.actions, self.chosen], **ui.QUICK)
        followed = [self.controls[name] for name in ("steps", "cfg_scale", "sampler", "schedule", "width", "height")]
        self.model.change(self.on_model, [self.model, self.shape, self.defaults, *followed], [self.defaults, *followed], **ui.QUICK)
        self.shape.input(self.on_shape, [self.model, self.shape], followed[-2:], **ui.QUICK)
        gr.on([self.controls["width"].input, self.controls["height"].input], self.on_own_size, [], [self.shape], **ui.QUICK)
        measured = [self.prompt.change, self.model.change, self.count.change, *(self.controls[name].change for name in MEASURED)]
        gr.on(measured, self.on_measure, inputs_kwargs=given, outputs=[self.verdict, self.told], trigger_mode="always_last", **ui.QUICK)
        context = gr.context.Context.root_block
        assert isinstance(context, gr.Blocks)
        restored = [self.prompt, self.negative, self.model, self.shape, self.count, self.editor, self.from_picture, *self.controls.values()]
        context.load(self.on_load, [], restored, **ui.QUICK)
        context.load(self.on_follow, [], streamed, **streaming)
        ui.on_restore(self.studio, PIPELINE, ["image", "create"], self.on_load, restored)

    # -- generating ------------------------------------------------------------------------------------------

    def on_generate(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        yield from self._submit(request, given, {})

    def on_nine(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        yield from self._submit(request, given, {"count": 9})

    def on_grid(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        axes = {name: given[name] or "" for name in self.axes}
        yield from self._submit(request, given, axes | {"count": 1}, GRID)

    def on_vary(self, request: gr.Request, chosen: str, **given: Any) -> Iterator[list[Any]]:
        """A picture near the chosen one: its seed, moved a little towards another."""
        seed = int(self.studio.store.output(chosen).metadata["facts"]["seed"])
        yield from self._submit(request, given, {"seed": seed, "count": 1, "variation_strength": 0.3, "variation_seed": (seed * 7919 + int(time.time())) % 2**31})

    def _submit(self, request: gr.Request, given: dict[str, Any], more: dict[str, Any], pipeline: str = PIPELINE) -> Iterator[list[Any]]:
        owner, lang = ui.owner(request), ui.lang(request)
        try:
            values = self._values(given) | more
            self.studio.store.remember(owner, "image.form", {name: value for name, value in values.items() if name in self.fields})
            job = self.studio.submit(pipeline, values, owner=owner, extras=ui.read_extras(self.studio, pipeline, given))
        except StudioError as error:
            told = f"<span class='studio-error' role='alert'>{html.escape(ui.error_text(self.studio, error, lang))}</span>"
            if error.field in ("prompt", "negative_prompt"):
                yield [gr.skip(), gr.skip(), gr.skip(), gr.skip(), told]
                return
            raise ui.toast(self.studio, error, request) from error
        self.studio.store.remember(owner, "image.job", job.id)
        yield from self._follow(job, lang)

    def _values(self, given: dict[str, Any]) -> dict[str, Any]:
        """The form as ImageParams want it. Raises BadInput."""
        image, mask = editor_pictures(self.studio, given["editor"])
        values = ui.read_values(self.Params, {name: given[name] for name in self.controls if name in self.fields})
        if given["shape"] != OWN_SHAPE and not values.get("width"):
            values["width"], values["height"] = self._shape_size(given["model"], given["shape"])
        if image and given["shape"] == "Square 1:1":
            values |= {"width": 0, "height": 0}  # the picture's own shape
        return values | {name: given[name] or "" for name in ("prompt", "negative_prompt", "model")} | {"count": given["count"], "image": image, "mask": mask}

    def _follow(self, job: Any, lang: str) -> Iterator[list[Any]]:
        run = Run(job.id, running=True, wanted=16 if job.pipeline.id == GRID else int(job.params.model_dump().get("count", 1)))
        shown = 0.0
        for event in job.events():
            if isinstance(event, Progress):
                run.step, run.total, run.eta, run.note = event.step, event.total, event.eta_seconds, event.note
            elif isinstance(event, Loading):
                run.note, run.total = event.note, 0
            elif isinstance(event, Queued):
                run.note = "Waiting" if event.position else ""
            elif isinstance(event, Preview):
                run.previews += 1
            elif isinstance(event, Saved):
                run.outputs.append(event.output_id)
                run.previews = 0
            elif isinstance(event, Failed):
                run.problem = ui.error_text(self.studio, StudioError.from_wire(event.error), lang)
            elif isinstance(event, Done):
                run.notes = list(event.summary.get("notes", []))
            if isinstance(event, FINAL):
                run.running, run.stopped = False, isinstance(event, Cancelled)
                if job.pipeline.id == GRID and not run.stopped and run.outputs:
                    run.outputs, run.wanted = run.outputs[-1:], 1  # the sheet; its cells are in the gallery
            elif time.monotonic() - shown < UPDATE_SECONDS:
                continue
            shown = time.monotonic()
            yield self._show(run, lang)

    def _show(self, run: Run, lang: str) -> list[Any]:
        chosen = run.outputs[-1] if run.outputs else ""
        return [stage(run, self.studio.words, lang, self._examples("", lang)), gr.update(visible=bool(run.outputs) and not run.running), gr.update(visible=run.running), chosen, ""]

    def on_follow(self, request: gr.Request) -> Iterator[list[Any]]:
        """At a page load: the job that is still running, or the last one's pictures, or an invitation."""
        owner, lang = ui.owner(request), ui.lang(request)
        try:
            job = self.studio.jobs.get(self.studio.store.recall(owner, "image.job", ""))
        except StudioError:
            job = None
        if job is not None and job.owner == owner:
            yield from self._follow(job, lang)
        else:
            model = self._models()[0][1] if self._models() else ""
            yield [stage(Run(), self.studio.words, lang, self._examples(model, lang)), gr.update(visible=False), gr.update(visible=False), "", ""]

    def _stopper(self, mode: str) -> Any:
        def stop(request: gr.Request) -> None:
            owner = ui.owner(request)
            self.studio.jobs.cancel(self.studio.store.recall(owner, "image.job", ""), by=owner, mode=mode)

        return stop

    # -- the form --------------------------------------------------------------------------------------------

    def _need(self, values: dict[str, Any]) -> Any:
        pipeline = self.studio.pipelines[PIPELINE]
        return pipeline.need(pipeline.Params.parse(values), self.studio.catalog)

    def _models(self) -> list[tuple[str, str]]:
        """One's own first, the one that comes with the studio last."""
        usable = [entry for entry in self.studio.catalog.entries("image") if not entry.problem]
        return [(entry.title, entry.key) for entry in sorted(usable, key=lambda entry: entry.source == "built-in")]

    def _examples(self, model: str, lang: str) -> tuple[str, ...]:
        model = model or next((key for _, key in self._models()), "")
        return EXAMPLES["stickers" if model == "stickers" else ""][lang]

    def _advice(self, model: str) -> dict[str, Any]:
        """What the model's makers advise, by the pipeline's own account."""
        return dict(self._need({"model": model or ""}).facts.get("advice", {}))

    def _shape_size(self, model: str, shape: str) -> tuple[int, int]:
        """About as many pixels as the model was made for, in that shape, in steps that it takes."""
        advice = self._advice(model)
        size, unit = int(advice.get("width", 512)), int(advice.get("unit", 8))
        across, down = SHAPES.get(shape, (1, 1))
        scale = (size * size / (across * down)) ** 0.5
        width, height = (max(unit, round(side * scale / unit) * unit) for side in (across, down))
        return width, height

    def on_model(self, model: str, shape: str, before: dict[str, Any], *values: Any) -> list[Any]:
        """The advised values, but for what the person changed."""
        advice = self._advice(model)
        if not advice:
            return [gr.skip()] * (1 + len(values))
        size = dict(zip(("width", "height"), self._shape_size(model, shape), strict=True)) if shape != OWN_SHAPE else {}
        wanted = advice | size
        names = ("steps", "cfg_scale", "sampler", "schedule", "width", "height")
        kept = [value if before and value != before.get(name) else wanted.get(name, value) for name, value in zip(names, values, strict=True)]
        return [{name: wanted.get(name) for name in names}, *kept]

    def on_shape(self, model: str, shape: str) -> list[Any]:
        return list(self._shape_size(model, shape)) if shape != OWN_SHAPE else [gr.skip(), gr.skip()]

    def on_own_size(self) -> str:
        return OWN_SHAPE

    def on_measure(self, request: gr.Request, **given: Any) -> list[Any]:
        """Whether it fits, beside Generate; a fault of the prompt below it while it is written."""
        lang = ui.lang(request)
        say = self.studio.words.say
        try:
            values = ui.read_values(self.Params, {name: given[name] for name in MEASURED}) | {"model": given["model"] or "", "count": given["count"] or 1}
            pipeline: Any = self.studio.pipelines[PIPELINE]
            need = self.studio.jobs.verdict(pipeline, pipeline.Params.parse(values))
        except StudioError as error:
            return [html.escape(ui.error_text(self.studio, error, lang)), gr.skip()]
        problem = pipeline.prompt_problem(given["prompt"] or "")
        fault = f"<span class='studio-error'>{html.escape(ui.error_text(self.studio, problem, lang))}</span>" if problem else ""
        if need.missing:
            return [html.escape(say(lang, need.missing)), fault]
        status = self.studio.jobs.worker_status()
        used, budget = need.weight_bytes + need.working_bytes, status["budget_bytes"]
        sentence = "Fits: {used} of {all}" if used <= budget else "Too large: {used} of {all}"
        told = [say(lang, sentence, used=size(used), all=size(budget)), *(say(lang, word) for word in need.facts.get("placement", []))]
        if need.seconds >= 0:
            told.append(say(lang, "about {n} s", n=f"{max(1, need.seconds):.0f}"))
        return [html.escape(" · ".join(told + [say(lang, note) for note in need.notes])), fault]

    def on_select(self, event: gr.EventData) -> str:
        return str(event._data["value"])

    def on_example(self, event: gr.EventData) -> str:
        return str(event._data["value"])

    def on_begin(self, chosen: str) -> list[Any]:
        return [editor_value(Path(self.studio.store.output(chosen).path)), gr.update(open=True)]

    def on_again(self, chosen: str) -> int:
        return int(self.studio.store.output(chosen).metadata["facts"]["seed"])

    def on_trash(self, request: gr.Request, chosen: str) -> list[Any]:
        self.studio.store.trash([chosen], owner=ui.owner(request))
        return [stage(Run(), self.studio.words, ui.lang(request), self._examples("", ui.lang(request))), gr.update(visible=False), ""]

    def on_load(self, request: gr.Request) -> list[Any]:
        """The form as it was left, or as a file or an output gave it back."""
        owner = ui.owner(request)
        store = self.studio.store
        values = store.recall(owner, f"restore:{PIPELINE}") or store.recall(owner, "image.form") or {}
        store.remember(owner, f"restore:{PIPELINE}", None)
        extras = values.pop("extras", {}) if isinstance(values.get("extras"), dict) else {}
        models = self._models()
        model = values.get("model") or (models[0][1] if models else "")
        prompt = values.get("prompt") or self._examples(model, ui.lang(request))[0]
        shown = {name: ui.show_value(values[name]) if name in values else gr.skip() for name in self.controls if name in self.fields} | ui.show_extras(self.studio, PIPELINE, extras)
        picture = self.studio.jobs.desk.inputs.path(values["image"]) if values.get("image") else None
        editor = editor_value(picture) if picture else gr.skip()
        shape = OWN_SHAPE if values.get("width") else "Square 1:1"
        controls = [shown.get(name, gr.skip()) for name in self.controls]
        return [prompt, values.get("negative_prompt", ""), gr.update(choices=models, value=model), shape, values.get("count", 1), editor, gr.update(open=bool(picture)), *controls]


def size(number: int) -> str:
    return f"{number / 2**30:.1f} GB" if number >= 2**30 else f"{number / 2**20:.0f} MB"


@hookimpl
def register_tabs(studio: Any) -> list[Tab]:
    return [ImageTab()]
