"""Create: the form on the left, what comes of it on the right. A view of image.generate."""

from __future__ import annotations

import contextlib
import html
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import Studio, StudioError
from tabs import image_advice as advice
from tabs.image_actions import Actions, kept_output, own_output, own_words
from tabs.image_earlier import BEFORE, EarlierPanel, keep_before, remember_prompt
from tabs.image_form import EXTEND, Form
from tabs.image_page import PicturePage
from tabs.image_tasks import examples, ideas, task
from tabs.image_verdict import verdict
from tabs.image_view import stage
from tabs.job_follow import Run
from tabs.job_page import STREAMING

PIPELINE = advice.PIPELINE
FORM = "image.form"  # under which it is kept
MOST_SEED = 2**31
WANTED = "(waits) => { if (waits.picture) window.seisei.image.wanted(); return []; }"  # a task that waits for a picture


class CreatePage(PicturePage):
    """Everything about one picture or a sheet of them."""

    pipeline: ClassVar[str] = PIPELINE
    slot: ClassVar[str] = "image.job"

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self.form, self.earlier, self.actions = Form(studio), EarlierPanel(studio), Actions(studio)

    def build(self) -> None:
        words = self.studio.words
        self.chosen, self.next, self.blank = gr.State(""), gr.State({}), gr.State(False)
        self.waits = gr.JSON({}, visible="hidden")  # a State's value never reaches a script
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left", elem_id="image-form"):
                self.form.build(self.earlier.build)
                self.keep = gr.Button("", visible="hidden", elem_id="image-keep")
                with gr.Column(elem_classes="studio-foot", elem_id="image-foot"):
                    self.build_problem("image-problem")
                    self.verdict = gr.HTML("", elem_classes="studio-note", padding=False, elem_id="image-verdict")
                    with gr.Row(equal_height=True):
                        self.go = self.go_button("Generate", "image-generate")
                        self.nine = gr.Button("3 × 3", min_width=64, scale=1, elem_id="image-nine")
                        self.stop = self.stop_button()
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.build_view("image-view")
                self.actions.build()
                with gr.Row(visible=False, elem_classes="studio-quiet", elem_id="image-working") as self.working:
                    self.skip = gr.Button(words("Skip this picture"), size="sm", min_width=120)
                    self.finish = gr.Button(words("Finish with what is there"), size="sm", min_width=170)
                ui.last_results("image.")

    @property
    def more(self) -> list[Any]:
        return [self.actions.row, self.working, self.chosen, self.blank, *self.actions.told]

    def listen(self, upscale: Any) -> None:
        form, given = self.form, self.form.given
        light = form.measured
        self.listen_job([self.go.click, form.prompt_box.prompt.submit], given, form.named).then(self.on_measure, inputs_kwargs=light, outputs=[self.verdict], **ui.QUICK)
        self.nine.click(self.on_nine, inputs_kwargs=given, outputs=self.streamed, **STREAMING)
        for button, mode in ((self.skip, "skip"), (self.finish, "finish")):
            button.click(self.stopper(mode), [], [], **ui.QUICK)
        self.view.select(self.on_select, [], [self.chosen, *self.actions.told], **ui.EACH)
        self.view.input(self.on_words, inputs_kwargs=given, outputs=[form.prompt_box.prompt, self.earlier.back], **ui.QUICK).then(self.on_go, inputs_kwargs=given, outputs=self.streamed, **STREAMING)
        taken = [self.next, self.earlier.back, *form.filled]
        told = self.view.apply(self.on_task, inputs_kwargs=given, outputs=[self.waits, *taken], **ui.QUICK).then(None, [self.waits], [], js=WANTED)
        told.then(self.on_next, inputs_kwargs=given | {"next": self.next}, outputs=self.streamed, **STREAMING)
        self.actions.listen(self, upscale)
        self.keep.click(self.on_keep, inputs_kwargs=given, outputs=[], **ui.QUICK)
        form.listen()
        self._listen_earlier(taken)
        gr.on([component.change for component in light.values()], self.on_measure, inputs_kwargs=light, outputs=[self.verdict], trigger_mode="always_last", **ui.QUICK)
        gr.on([form.prompt_box.prompt.change, form.model.change], form.prompt_box.on_read, [form.prompt_box.prompt, form.model], form.prompt_box.answers, trigger_mode="always_last", **ui.QUICK)
        form.model.change(self.on_ideas, [form.model, self.blank], [self.view], **ui.QUICK)
        form.cards.thumb.click(form.cards.on_thumb, [form.cards.chosen, self.chosen, form.model], [form.cards.view], **ui.QUICK)
        page = gr.context.Context.root_block
        assert isinstance(page, gr.Blocks)
        page.load(self.on_load, [], form.filled, **ui.QUICK).then(self.on_measure, inputs_kwargs=light, outputs=[self.verdict], **ui.QUICK)
        ui.on_restore(self.studio, PIPELINE, ["image", "create"], self.on_load, form.filled)

    def _listen_earlier(self, taken: list[Any]) -> None:
        form, earlier = self.form, self.earlier
        earlier.listen()
        earlier.view.select(self.on_words, inputs_kwargs=form.given, outputs=[form.prompt_box.prompt, earlier.back], **ui.QUICK)
        earlier.back.click(self.on_back, inputs_kwargs=form.given, outputs=taken, **ui.QUICK)

    # -- generating ------------------------------------------------------------------------------------------

    def on_nine(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        yield from self.submit(request, given, {"count": 9})

    def on_next(self, request: gr.Request, next: dict[str, Any], **given: Any) -> Iterator[list[Any]]:
        """What a task goes on with, after it filled the form: nothing, pictures, or a grid."""
        if next:
            yield from self.submit(request, given, next["more"], next["pipeline"])
        else:
            yield ui.as_it_is(len(self.streamed))

    def asked(self, owner: str, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        values, extras = self.form.values(owner, given), self.form.read_extras(owner, given)
        self.studio.store.remember(owner, FORM, values | {"extras": extras, "written": True})
        return values, extras

    def on_keep(self, request: gr.Request, **given: Any) -> None:
        """A moment after something was changed: it is there when the page is opened again. What can't be read is kept once it can."""
        with contextlib.suppress(StudioError):
            self.asked(ui.owner(request), given)

    def accepted(self, owner: str, given: dict[str, Any]) -> None:
        remember_prompt(self.studio, owner, str(given["prompt"] or ""))

    def told(self, error: StudioError, given: dict[str, Any], lang: str) -> str:
        return self.problem.told(error, lang, self.form.prompt_box.place(error, str(given["prompt"] or ""), lang) if error.field == "prompt" else "")

    def hello(self, owner: str, lang: str) -> str:
        return self._ideas(self._last_model(owner), lang)

    def _drawn(self, run: Run, request: gr.Request) -> list[Any]:
        """Of a task's grid the pictures, each to be gone on with; its sheet is in the gallery."""
        return super()._drawn(replace(run, outputs=run.parts, wanted=len(run.parts)) if run.parts else run, request)

    def shown(self, run: Run, request: gr.Request) -> list[Any]:
        chosen = run.outputs[-1] if run.outputs else ""
        return [gr.update(visible=bool(run.outputs) and not run.running), gr.update(visible=run.running), chosen, not run.outputs and not run.running, *self.actions.of(chosen, ui.lang(request))]

    # -- filling ---------------------------------------------------------------------------------------------

    def _ideas(self, model: str, lang: str) -> str:
        return ideas(advice.traits(self.studio, model or advice.default_model(self.studio)), self.studio.words, lang)

    def _last_model(self, owner: str) -> str:
        return str((self.studio.store.recall(owner, FORM) or {}).get("model", ""))

    def on_ideas(self, model: str, blank: bool, request: gr.Request) -> Any:
        """An empty page offers what the newly chosen model can draw."""
        return stage(Run(), self.studio.words, ui.lang(request), self._ideas(model, ui.lang(request))) if blank else gr.skip()

    def on_words(self, event: gr.EventData, request: gr.Request, **given: Any) -> list[Any]:
        """An example or an earlier prompt in place of what was written, which can be brought back."""
        self._keep(ui.owner(request), given)
        return [str(event._data["value"]), gr.update(visible=True)]

    def on_task(self, event: gr.EventData, request: gr.Request, **given: Any) -> list[Any]:
        """The task's settings over the model's own; the form as it was is kept for the way back."""
        owner, lang = ui.owner(request), ui.lang(request)
        self._keep(owner, given)
        chosen = task(str(event._data["value"]))
        traits = advice.traits(self.studio, given["model"])
        values, axes = chosen.values_for(traits, lang) | {"model": given["model"]}, chosen.axes_for(traits, lang)
        if chosen.picture:
            values["image"] = self._picture(owner, given)
        shown = self.form.shown(owner, values)
        if chosen.picture and not values["image"]:
            shown[self.form.filled.index(self.form.from_picture)] = gr.update(open=True)
            return [{"picture": True}, {}, gr.update(visible=True), *shown]
        go = {"pipeline": advice.GRID, "more": axes | {"count": 1}} if axes else {"pipeline": PIPELINE, "more": {}}
        return [{}, go, gr.update(visible=True), *shown]

    def on_back(self, request: gr.Request, **given: Any) -> list[Any]:
        """The form as it was before; once more comes back to now."""
        owner = ui.owner(request)
        before = self.studio.store.recall(owner, BEFORE, {})
        self._keep(owner, given)
        return [{}, gr.update(visible=True), *self.form.shown(owner, before)]

    def _picture(self, owner: str, given: dict[str, Any]) -> str:
        """The key of the picture that is given already; "" where there is none."""
        try:
            return self.form.picture.keys(owner, given["editor"])[0]
        except StudioError:
            return ""

    def _keep(self, owner: str, given: dict[str, Any]) -> None:
        try:
            keep_before(self.studio, owner, self.form.values(owner, given) | {"written": True, "extras": self.form.read_extras(owner, given)})
        except StudioError:
            return  # a form that can't be read has no way back

    def on_load(self, request: gr.Request) -> list[Any]:
        """The form as it was left, or as a file or an output gave it back; at a first visit a prompt that works."""
        owner, store = ui.owner(request), self.studio.store
        given = store.recall(owner, f"restore:{PIPELINE}")
        values = dict(given or store.recall(owner, FORM) or {})
        store.remember(owner, f"restore:{PIPELINE}", None)
        if given:
            store.remember(owner, FORM, values)
        if not values:
            values = {"prompt": examples(advice.traits(self.studio, advice.default_model(self.studio)), ui.lang(request))[0]}
        return self.form.shown(owner, values)

    def on_measure(self, request: gr.Request, **given: Any) -> str:
        """Whether it fits, and how long it will take by the pace of the last pictures, beside Generate."""
        lang = ui.lang(request)
        try:
            return verdict(self.studio, PIPELINE, self.form.read_measured(given), lang)
        except StudioError as error:
            return html.escape(ui.error_text(self.studio, error, lang))

    # -- results ---------------------------------------------------------------------------------------------

    def on_select(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        chosen = str(event._data["value"])
        own_output(self.studio, chosen, request)
        return [chosen, *self.actions.of(chosen, ui.lang(request))]

    def on_vary(self, request: gr.Request, chosen: str) -> Iterator[list[Any]]:
        """A picture near the chosen one: its own settings, its seed moved a little towards another; where seeds can't be moved, begun from the picture, or for models that only look at pictures, from another seed."""
        output = own_output(self.studio, chosen, request)
        params: dict[str, Any] = {name: value for name, value in output.metadata.get("params", {}).items() if name in self.form.fields}
        facts, known = output.metadata.get("facts", {}), self.studio.jobs.extension_fields(PIPELINE)
        seed = int(facts.get("seed", params.get("seed", 0)))
        given = {name: fields for name, fields in output.metadata.get("extras", {}).items() if name in known}
        params, extras = self.form.styles.again(params | own_words(params, facts), given)
        other = (seed * 7919 + int(time.time() * 1000)) % MOST_SEED
        traits = advice.traits(self.studio, str(params.get("model", "")))
        if traits.get("variation") and not params.get("image"):
            params |= {"seed": seed, "variation_strength": 0.3, "variation_seed": other}
        elif not traits.get("begins", True):  # it looks at its picture, and gives another one from another seed
            params |= {"seed": other}
        else:
            params |= {"seed": other, "image": kept_output(self.studio, output, request), "mask": "", "denoising_strength": 0.45, "width": 0, "height": 0, "upscale": 1.0, "hires_scale": 1.0} | dict.fromkeys(EXTEND, 0)
        try:
            job = self.studio.submit(PIPELINE, params | {"count": 1}, owner=ui.owner(request), extras=extras)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        yield from self.follow(job, request)

    def on_begin(self, chosen: str, request: gr.Request) -> list[Any]:
        key = kept_output(self.studio, own_output(self.studio, chosen, request), request)
        return [self.form.picture.shown(key), gr.update(open=True), advice.AS_PICTURE]
