"""Lab: what networks see in a picture. Dream lets one show it, Annotate draws its edges, depth or pose, also for a ControlNet. Views of image.dream and image.annotate."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import gradio as gr

from studio import ui
from studio.api import BadInput, Studio, StudioError
from tabs.image_actions import own_output
from tabs.image_box import picture_box
from tabs.image_many import Compare, Several, restored
from tabs.image_page import PicturePage
from tabs.image_picture import holds_picture, keep_data, kept_picture, picture_value, shown_picture
from tabs.image_samples import keep_samples, photo, photo_strip, samples
from tabs.image_style_form import SAMPLES
from tabs.image_style_mix import BATCH
from tabs.image_style_sheet import SHEET
from tabs.image_verdict import verdict
from tabs.job_follow import Run

DREAM, ANNOTATE = "image.dream", "image.annotate"
GUIDE = "() => { window.seisei.image.go('create'); setTimeout(() => (document.querySelector('#image-advanced img') || document.querySelector('#image-advanced'))?.scrollIntoView({ block: 'center' }), 900); return []; }"
VIEWS = {  # pipeline: its page's name, the button, the parameters in sight, what an empty page says
    DREAM: ("Dream", "Dream", ("layer", "strength", "octaves"), "Click a photo, or drop one: the network draws into it what it believes to see."),
    ANNOTATE: ("Annotate", "Annotate", ("method", "detail", "on_white"), "Click a photo, or drop one: its edges, depth or pose are drawn, to look at or to guide a ControlNet."),
}


class LabView(PicturePage):
    """One pipeline: left a picture and its controls, right what came of it."""

    def __init__(self, studio: Studio, pipeline: str) -> None:
        self.pipeline, self.slot, self.finishing = pipeline, f"{pipeline}.job", (DREAM, BATCH, SHEET)  # type: ignore[misc]
        super().__init__(studio)
        self.Params = studio.pipelines[pipeline].Params
        self.name = pipeline.rpartition(".")[2]
        self.title, self.label, self.seen, self.about = VIEWS[pipeline]
        self.controls: dict[str, Any] = {}
        self.compare = Compare(studio, self)
        self.folds = [fold for fold in (Several(studio, self), self.compare) if fold.there]

    def build(self) -> None:
        words = self.studio.words
        self.source, self.chosen, self.opened = gr.State(""), gr.State(""), gr.State(False)
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                self.picture = picture_box(self.studio, "Picture", height=230, placeholder=words("Drop a picture here."), elem_id=f"image-{self.name}-picture")
                self.samples = gr.HTML("", js_on_load=SAMPLES, padding=False, elem_id=f"image-{self.name}-samples")
                for fold in self.folds:
                    fold.build(f"image-{self.name}")
                self._build_controls(words)
                with gr.Column(elem_classes="studio-foot"):
                    self.build_problem(f"image-{self.name}-problem")
                    self.verdict = gr.HTML("", elem_classes="studio-note", padding=False)
                    with gr.Row(equal_height=True):
                        self.build_go(self.label, f"image-{self.name}-go")
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.build_view(f"image-{self.name}-view")
                with gr.Row(visible=False, elem_classes=["studio-quiet", "image-actions"]) as self.actions:
                    self.save = gr.Button(words("Download"), size="sm", min_width=90)
                    self.enlarge = gr.Button(words("Enlarge"), size="sm", min_width=80, elem_id=f"image-{self.name}-enlarge")
                    self.begin = gr.Button(words("Begin from it"), size="sm", min_width=100)
                    self.guide = gr.Button(words("Use as control picture"), size="sm", min_width=150, elem_id=f"image-{self.name}-guide")
                    self.copy = gr.Button(words("Copy settings"), size="sm", min_width=100)
                self.build_working(f"image-{self.name}-working")
                ui.last_results("image.")

    def _build_controls(self, words: Any) -> None:
        fields = self.Params.model_fields
        names = [name for name, field in fields.items() if name not in ("image", "mask") and (holds_picture(field) or ui.hint(field, "widget") != "hidden")]
        self._draw([name for name in self.seen if name in names])
        if left := [name for name in names if name not in self.controls]:
            with gr.Accordion(words("Advanced"), open=False, elem_id=f"image-{self.name}-advanced"):
                self._draw(left)

    def _draw(self, names: list[str]) -> None:
        for name in names:
            field = self.Params.model_fields[name]
            if holds_picture(field):
                self.controls[name] = picture_box(self.studio, str(field.title), format="png", height=160)
            else:
                self.controls |= ui.controls(self.Params, self.studio, only=[name])

    @property
    def more(self) -> list[Any]:
        return [self.actions, self.chosen, self.working]

    def shown(self, run: Run, request: gr.Request) -> list[Any]:
        done = bool(run.outputs) and not run.running and not run.problem
        return [gr.update(visible=done), run.outputs[-1] if run.outputs else "", self.at_work(run)]

    @property
    def pictured(self) -> list[Any]:
        return [self.picture, self.source, self.samples]

    @property
    def filled(self) -> list[Any]:
        """What `with_values` fills."""
        return [self.opened, *self.pictured, *self.controls.values()]

    def listen(self, tab: Any, create: Any, upscale: Any) -> None:
        given = {"picture": self.picture, "source": self.source} | self.controls
        form = create.form
        named = {name: component for fold in self.folds for name, component in fold.named.items()}
        started = self.listen_job([self.go.click], given, fields={"image": self.picture} | named)
        self.listen_working()
        for fold in self.folds:
            fold.listen(given)
        self.picture.upload(self.on_upload, [], self.pictured, **ui.QUICK)
        self.picture.clear(self.on_upload, [], self.pictured, **ui.QUICK)
        self.samples.select(self.on_sample, [], self.pictured, **ui.EACH)
        tab.select(self.on_open, [self.opened], self.filled, **ui.QUICK)
        measure: dict[str, Any] = {"fn": self.on_measure, "inputs_kwargs": given, "outputs": [self.verdict, *self.controls.values()], **ui.QUICK}
        started.then(**measure)
        gr.on([component.change for component in (self.picture, *self.controls.values())], **measure, trigger_mode="always_last")
        for button, act in ((self.save, "save"), (self.copy, "settings")):
            button.click(None, [], [], js=f"() => {{ window.seisei.image.act('{act}', '#image-{self.name}-view'); return []; }}")
        self.enlarge.click(upscale.on_take, [self.chosen], upscale.taken, **ui.QUICK).success(None, [], [], js="() => { window.seisei.image.go('upscale'); return []; }")
        go = "() => { window.seisei.image.go('create'); return []; }"
        self.begin.click(create.on_begin, [self.chosen], [form.picture.view, form.from_picture, form.shape], **ui.QUICK).success(None, [], [], js=go)
        opened = [form.advanced, form.groups["Control"], form.parts["Control 1"]]
        self.guide.click(self.on_guide, [self.chosen], [form.controls["control_image"], form.controls["control_process"], *opened], **ui.QUICK).then(None, [], [], js=GUIDE)
        for pipeline, method in ((self.pipeline, ""), (BATCH, self.pipeline), (SHEET, self.pipeline)):
            ui.on_restore(self.studio, pipeline, ["image", "lab", self.name], self._restorer(pipeline), [*self.filled, *self.compare.axes.values()], method=method)

    # -- a job -----------------------------------------------------------------------------------------------

    def asked(self, owner: str, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        if not given["picture"]:
            raise BadInput("There is no picture.", hint="Drop one, or click a sample photo.", field="image")
        keep_samples(self.studio.jobs.desk.inputs, [given["source"]])
        image = given["source"] or keep_data(self.studio.inputs(owner), Path(given["picture"]).read_bytes())
        return self.settings(owner, given) | {"image": image}, {}

    def settings(self, owner: str, given: dict[str, Any]) -> dict[str, Any]:
        """Everything but the picture. Raises BadInput."""
        fields, inputs = self.Params.model_fields, self.studio.inputs(owner)
        values = ui.read_values(self.Params, {name: kept_picture(inputs, fields[name], given[name], name) for name in self.controls})
        used = self._used(values)
        return {name: value for name, value in values.items() if used is None or name in used}

    def _used(self, values: dict[str, Any]) -> set[str] | None:
        """Parameters that do something with these values, as the pipeline tells; None where all do."""
        try:
            facts = self.studio.pipelines[self.pipeline].need(self.Params.parse(values), self.studio.catalog).facts
        except StudioError:
            return None
        return {*facts["fields"], "method"} if "fields" in facts else None

    def stage(self, run: Run, owner: str, lang: str) -> str:
        before = str(self.follower.asked(run.job).get("image", ""))
        if len(run.outputs) == 1 and before and not run.running and not run.problem:
            return self.beside(before, run, lang)
        return super().stage(run, owner, lang)

    def hello(self, owner: str, lang: str) -> str:
        return f'<div class="studio-empty"><b lang="ja">生成</b><br>{html.escape(self.studio.words.say(lang, self.about))}</div>'

    # -- filling ---------------------------------------------------------------------------------------------

    def with_picture(self, key: str, lang: str) -> list[Any]:
        found = next((one for one in samples("photos") if one.key == key), None)
        path = str(found.path) if found else shown_picture(self.studio, key)
        return [picture_value(path), key if path else "", photo_strip(self.studio.words, lang, found.id if found else "")]

    def with_values(self, values: dict[str, Any], lang: str) -> list[Any]:
        """A job's parameters as the page shows them."""
        fields = self.Params.model_fields
        shown = [picture_value(shown_picture(self.studio, str(values.get(name, "")))) if holds_picture(fields[name]) else values.get(name, gr.skip()) for name in self.controls]
        return [True, *self.with_picture(str(values.get("image", "")), lang), *shown]

    def on_open(self, opened: bool, request: gr.Request) -> list[Any]:
        """At the first look: the page as it was left, or a sample photo."""
        if opened:
            return ui.as_it_is(len(self.filled))
        return self.with_values(self.studio.store.recall(ui.owner(request), self.left) or {"image": samples("photos")[0].key}, ui.lang(request))

    @property
    def left(self) -> str:
        """The name under which it is kept how a person left the page."""
        return f"{self.pipeline}.form"

    def on_upload(self, request: gr.Request) -> list[Any]:
        return [gr.skip(), "", photo_strip(self.studio.words, ui.lang(request))]

    def on_sample(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        found = photo(str(event._data["value"]))
        return self.with_picture(found.key if found else "", ui.lang(request))

    def on_guide(self, chosen: str, request: gr.Request) -> list[Any]:
        """It is annotated already: the ControlNet takes it as it is."""
        return [picture_value(own_output(self.studio, chosen, request).path), "None", *[gr.update(open=True)] * 3]

    def on_measure(self, request: gr.Request, **given: Any) -> list[Any]:
        """Memory, time and what is missing; what the chosen method has no use for goes out of sight."""
        values = {name: given[name] for name in self.controls if not holds_picture(self.Params.model_fields[name]) and given[name] is not None}
        used = self._used(ui.read_values(self.Params, values))
        return [self._verdict(ui.owner(request), given, ui.lang(request)), *(gr.update(visible=used is None or name in used) for name in self.controls)]

    def _verdict(self, owner: str, given: dict[str, Any], lang: str) -> str:
        """What can be read is kept, for when the page is opened again."""
        try:
            values = self.asked(owner, given)[0]
            told = verdict(self.studio, self.pipeline, values, lang)
        except StudioError:
            return ""  # what is wrong is told when it is asked for
        self.studio.store.remember(owner, self.left, values)
        return told

    def _restorer(self, pipeline: str) -> Any:
        def restore(request: gr.Request) -> list[Any]:
            owner = ui.owner(request)
            values, given = restored(self.studio, owner, pipeline)
            self.studio.store.remember(owner, self.left, values)  # the page may be opened for the first time by this
            return [*self.with_values(values, ui.lang(request)), *self.compare.shown(given if pipeline == SHEET else {})]

        return restore


class LabPage:
    """The pipelines of the Lab that are there, each a page."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.views = [LabView(studio, pipeline) for pipeline in VIEWS if pipeline in studio.pipelines]
        self.tabs: list[Any] = []

    def build(self) -> None:
        with gr.Tabs(elem_id="image-lab-modes"):
            for view in self.views:
                with gr.Tab(self.studio.words(view.title), id=view.name) as tab:
                    view.build()
                self.tabs.append(tab)

    def listen(self, lab: Any, create: Any, upscale: Any) -> None:
        for view, tab in zip(self.views, self.tabs, strict=True):
            view.listen(tab if view is not self.views[0] else lab, create, upscale)
