"""Upscale: a picture enlarged, with before and after under one slider. A view of image.upscale."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import BadInput, Studio, StudioError
from tabs.image_actions import kept_output, own_output
from tabs.image_box import picture_box
from tabs.image_many import Compare, restored
from tabs.image_page import PicturePage
from tabs.image_picture import picture_value, shown_picture
from tabs.image_style_mix import BATCH
from tabs.image_style_sheet import SHEET
from tabs.image_upscalers import moves, pictures_given, upscaler_choices
from tabs.image_verdict import verdict
from tabs.job_follow import Run

UPSCALE = "image.upscale"


class UpscalePage(PicturePage):
    """Left the picture and how much larger, right the comparison."""

    pipeline: ClassVar[str] = UPSCALE
    slot: ClassVar[str] = "image.upscale.job"
    finishing: ClassVar[tuple[str, ...]] = (SHEET,)

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self.Params = studio.pipelines[UPSCALE].Params
        self.compare = Compare(studio, self)

    def build(self) -> None:
        words = self.studio.words
        self.source = gr.State("")  # the key of a picture that the studio put there, with all that its file tells
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                self.picture = picture_box(self.studio, "Picture", format="png", height=260, placeholder=words("Drop a picture here."), elem_id="image-upscale-picture")
                with gr.Accordion(words("Several pictures"), open=False, elem_id="image-upscale-fold"):
                    self.others = gr.File(file_count="multiple", file_types=["image"], label=words("More pictures"), height=140, elem_id="image-upscale-others")
                self.controls = ui.controls(self.Params, self.studio, only=[name for name, field in self.Params.model_fields.items() if ui.hint(field, "widget") != "hidden"])
                if self.compare.there:
                    self.compare.build("image-upscale")
                with gr.Column(elem_classes="studio-foot"):
                    self.build_problem("image-upscale-told")
                    self.verdict = gr.HTML("", elem_classes="studio-note", padding=False, elem_id="image-upscale-verdict")
                    with gr.Row(equal_height=True):
                        self.build_go("Enlarge", "image-upscale-go")
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.build_view("image-upscale-view")
                with gr.Row(visible=False, elem_classes=["studio-quiet", "image-actions"]) as self.actions:
                    self.save = gr.Button(words("Download"), size="sm", min_width=90)
                self.build_working("image-upscale-working")
                ui.last_results("image.")

    @property
    def more(self) -> list[Any]:
        return [self.actions, self.working]

    @property
    def taken(self) -> list[Any]:
        """What `on_take` fills."""
        return [self.picture, self.source, self.others]

    def listen(self) -> None:
        given = {"picture": self.picture, "source": self.source, "others": self.others} | self.controls
        self.listen_working()
        if self.compare.there:
            self.compare.listen(given)
        for changed in (self.picture.upload, self.picture.clear):
            changed(lambda: "", [], [self.source], **ui.QUICK)
        started = self.listen_job([self.go.click], given, {"image": self.picture, "more": self.others} | self.compare.named)
        measure: dict[str, Any] = {"fn": self.on_measure, "inputs_kwargs": given, "outputs": [self.verdict], **ui.QUICK}
        started.then(**measure)
        gr.on([component.change for component in (self.picture, self.others, *self.controls.values())], **measure, trigger_mode="always_last")
        page = gr.context.Context.root_block
        assert isinstance(page, gr.Blocks)
        page.load(self.on_choices, [], [self.controls["upscaler"]], **ui.QUICK)
        self.save.click(None, [], [], js="() => { window.seisei.image.act('save', '#image-upscale-view'); return []; }")
        for pipeline, method in ((UPSCALE, ""), (BATCH, UPSCALE), (SHEET, UPSCALE)):
            ui.on_restore(self.studio, pipeline, ["image", "upscale"], self._restorer(pipeline), [*self.taken, *self.controls.values(), *self.compare.axes.values()], method=method)

    def on_take(self, chosen: str, request: gr.Request) -> list[Any]:
        """That picture alone."""
        output = own_output(self.studio, chosen, request)
        if moves(Path(output.path).read_bytes()):
            raise ui.toast(self.studio, BadInput("This picture moves.", hint="Give a still picture."), request)
        return [picture_value(output.path), kept_output(self.studio, output, request), None]

    def on_measure(self, request: gr.Request, **given: Any) -> str:
        """What is wrong is told when it is asked for."""
        try:
            return verdict(self.studio, UPSCALE, self.asked(ui.owner(request), given)[0], ui.lang(request))
        except StudioError:
            return ""

    def on_choices(self, request: gr.Request) -> Any:
        return gr.update(choices=upscaler_choices(self.studio, ui.lang(request)))

    def asked(self, owner: str, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        return ui.read_values(self.Params, given) | pictures_given(self.studio.inputs(owner), given["picture"], given["others"], given["source"]), {}

    def stage(self, run: Run, owner: str, lang: str) -> str:
        """Finished: what it was and what came of it under one slider, with what there is to say of it; several as a sheet."""
        asked = self.follower.asked(run.job)
        before = "" if asked.get("more") else str(asked.get("image", ""))
        if run.outputs and before and not run.running and not run.problem:
            return self.beside(before, run, lang)
        return super().stage(run, owner, lang)

    def shown(self, run: Run, request: gr.Request) -> list[Any]:
        return [gr.update(visible=bool(run.outputs) and not run.running and not run.problem), self.at_work(run)]

    def hello(self, owner: str, lang: str) -> str:
        told = self.studio.words.say(lang, "Give a picture, or choose “Enlarge” below one of yours.")
        return f'<div class="studio-empty"><b lang="ja">生成</b><br>{html.escape(told)}</div>'

    def _restorer(self, pipeline: str) -> Any:
        def restore(request: gr.Request) -> list[Any]:
            values, given = restored(self.studio, ui.owner(request), pipeline)
            key = str(values.get("image", ""))
            path = shown_picture(self.studio, key)
            return [picture_value(path), key if path else "", None, *(values.get(name, gr.skip()) for name in self.controls), *self.compare.shown(given if pipeline == SHEET else {})]

        return restore
