"""Upscale: a picture enlarged, with before and after under one slider. A view of image.upscale."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from studio import ui
from studio.api import Studio, StudioError
from tabs.image_actions import own_output
from tabs.image_create import SHEET, STREAMING
from tabs.image_follow import Follower
from tabs.image_picture import picture_value, shown_picture
from tabs.image_upscalers import pictures_given, upscaler_choices
from tabs.image_view import Run, compared, stage

UPSCALE = "image.upscale"


class UpscalePage:
    """Left the picture and how much larger, right the comparison."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.Params = studio.pipelines[UPSCALE].Params
        self.follower = Follower(studio, "image.upscale.job")

    def build(self) -> None:
        words = self.studio.words
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                self.picture = gr.Image(
                    type="filepath", format="png", image_mode=None, label=words("Picture"), sources=["upload", "clipboard"], buttons=[], height=260, placeholder=words("Drop a picture here."),
                    elem_id="image-upscale-picture",
                )  # fmt: skip
                with gr.Accordion(words("Several pictures"), open=False, elem_id="image-upscale-fold"):
                    self.others = gr.File(file_count="multiple", file_types=["image"], label=words("More pictures"), height=140, elem_id="image-upscale-others")
                self.controls = ui.controls(self.Params, self.studio, only=[name for name, field in self.Params.model_fields.items() if ui.hint(field, "widget") != "hidden"])
                with gr.Column(elem_classes="studio-foot"):
                    self.told = gr.HTML("", padding=False, elem_id="image-upscale-told")
                    with gr.Row(equal_height=True):
                        self.go = gr.Button(words("Enlarge"), variant="primary", elem_classes="primary-action", min_width=120, scale=3, elem_id="image-upscale-go")
                        self.stop = gr.Button(words("Stop"), elem_classes="stop-action", min_width=70, scale=1)
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.view = gr.HTML("", js_on_load=SHEET, padding=False, elem_id="image-upscale-view")
                with gr.Row(visible=False, elem_classes="studio-quiet") as self.actions:
                    self.save = gr.Button(words("Download"), size="sm", min_width=90)

    @property
    def streamed(self) -> list[Any]:
        return [self.view, self.actions, self.told]

    @property
    def taken(self) -> list[Any]:
        """What `on_take` fills."""
        return [self.picture]

    def listen(self) -> None:
        self.go.click(self.on_go, inputs_kwargs={"picture": self.picture, "others": self.others} | self.controls, outputs=self.streamed, **STREAMING)
        self.stop.click(self.on_stop, [], [], **ui.QUICK)
        self.save.click(None, [], [], js="() => { window.seisei.image.act('save', '#image-upscale-view'); return []; }")
        page = gr.context.Context.root_block
        assert isinstance(page, gr.Blocks)
        page.load(self.on_follow, [], self.streamed, **STREAMING)
        page.load(self.on_choices, [], [self.controls["upscaler"]], **ui.QUICK)
        ui.on_restore(self.studio, UPSCALE, ["image", "upscale"], self.on_restore, [self.picture, *self.controls.values()])

    def on_take(self, chosen: str, request: gr.Request) -> Any:
        return picture_value(own_output(self.studio, chosen, request).path)

    def on_choices(self, request: gr.Request) -> Any:
        return gr.update(choices=upscaler_choices(self.studio, ui.lang(request)))

    def on_go(self, request: gr.Request, picture: str | None, others: list[str] | None, **given: Any) -> Iterator[list[Any]]:
        owner, lang = ui.owner(request), ui.lang(request)
        try:
            values = ui.read_values(self.Params, given) | pictures_given(self.studio, picture, others)
            job = self.studio.submit(UPSCALE, values, owner=owner)
        except StudioError as error:
            yield [gr.skip(), gr.skip(), f"<p class='studio-error' role='alert'>{html.escape(ui.error_text(self.studio, error, lang))}</p>"]
            return
        yield from self._follow(job, request)

    def _follow(self, job: Any, request: gr.Request) -> Iterator[list[Any]]:
        self.follower.begin(job)
        for run in self.follower.follow(job, ui.lang(request)):
            values = job.params.model_dump()
            yield self._show(run, request, "" if values["more"] else str(values["image"]))

    def _show(self, run: Run, request: gr.Request, before: str = "") -> list[Any]:
        lang, words = ui.lang(request), self.studio.words
        finished = run.outputs and not run.running and not run.problem
        notes = "".join(f"<p class='studio-note'>{html.escape(words.say(lang, note))}</p>" for note in run.notes) if finished and before else ""  # the sheet of several tells its own
        shown = compared(f"/api/v1/image/inputs/{before}", run.outputs[-1], words, lang) if finished and before else stage(run, words, lang, self._hello(lang))
        return [shown, gr.update(visible=bool(finished)), notes]

    def _hello(self, lang: str) -> str:
        told = self.studio.words.say(lang, "Drop a picture on the left, or choose “Enlarge” below one of yours.")
        return f'<div class="studio-empty"><b lang="ja">生成</b><br>{html.escape(told)}</div>'

    def on_follow(self, request: gr.Request) -> Iterator[list[Any]]:
        job = self.follower.job(ui.owner(request))
        if job is not None:
            yield from self._follow(job, request)
        else:
            yield self._show(Run(), request)

    def on_stop(self, request: gr.Request) -> None:
        self.follower.stop(ui.owner(request), "cancel")

    def on_restore(self, request: gr.Request) -> list[Any]:
        owner, store = ui.owner(request), self.studio.store
        values = store.recall(owner, f"restore:{UPSCALE}") or {}
        store.remember(owner, f"restore:{UPSCALE}", None)
        return [picture_value(shown_picture(self.studio, str(values.get("image", "")))), *(values.get(name, gr.skip()) for name in self.controls)]
