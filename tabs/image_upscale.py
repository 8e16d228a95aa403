"""Upscale: a picture enlarged, with before and after under one slider. A view of image.upscale."""

from __future__ import annotations

import html
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import Studio
from tabs.image_actions import own_output
from tabs.image_page import PicturePage
from tabs.image_picture import picture_value, shown_picture
from tabs.image_upscalers import pictures_given, upscaler_choices
from tabs.image_view import compared
from tabs.job_follow import Run

UPSCALE = "image.upscale"


class UpscalePage(PicturePage):
    """Left the picture and how much larger, right the comparison."""

    pipeline: ClassVar[str] = UPSCALE
    slot: ClassVar[str] = "image.upscale.job"

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self.Params = studio.pipelines[UPSCALE].Params

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
                    self.build_problem("image-upscale-told")
                    with gr.Row(equal_height=True):
                        self.build_go("Enlarge", "image-upscale-go")
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.build_view("image-upscale-view")
                with gr.Row(visible=False, elem_classes="studio-quiet") as self.actions:
                    self.save = gr.Button(words("Download"), size="sm", min_width=90)
                ui.last_results("image.")

    @property
    def more(self) -> list[Any]:
        return [self.actions]

    @property
    def taken(self) -> list[Any]:
        """What `on_take` fills."""
        return [self.picture]

    def listen(self) -> None:
        self.listen_job([self.go.click], {"picture": self.picture, "others": self.others} | self.controls, {"image": self.picture, "more": self.others})
        page = gr.context.Context.root_block
        assert isinstance(page, gr.Blocks)
        page.load(self.on_choices, [], [self.controls["upscaler"]], **ui.QUICK)
        self.save.click(None, [], [], js="() => { window.seisei.image.act('save', '#image-upscale-view'); return []; }")
        ui.on_restore(self.studio, UPSCALE, ["image", "upscale"], self.on_restore, [self.picture, *self.controls.values()])

    def on_take(self, chosen: str, request: gr.Request) -> Any:
        return picture_value(own_output(self.studio, chosen, request).path)

    def on_choices(self, request: gr.Request) -> Any:
        return gr.update(choices=upscaler_choices(self.studio, ui.lang(request)))

    def asked(self, owner: str, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        return ui.read_values(self.Params, given) | pictures_given(self.studio.inputs(owner), given["picture"], given["others"]), {}

    def stage(self, run: Run, owner: str, lang: str) -> str:
        """Finished: what it was and what came of it under one slider, with what there is to say of it; several as a sheet."""
        asked = self.follower.asked(run.job)
        before = "" if asked.get("more") else str(asked.get("image", ""))
        if run.outputs and before and not run.running and not run.problem:
            notes = "".join(f"<p class='studio-note'>{html.escape(self.studio.words.say(lang, note))}</p>" for note in run.notes)
            return compared(f"/api/v1/image/inputs/{before}", run.outputs[-1], self.studio.words, lang) + notes
        return super().stage(run, owner, lang)

    def shown(self, run: Run, request: gr.Request) -> list[Any]:
        return [gr.update(visible=bool(run.outputs) and not run.running and not run.problem)]

    def hello(self, owner: str, lang: str) -> str:
        told = self.studio.words.say(lang, "Give a picture, or choose “Enlarge” below one of yours.")
        return f'<div class="studio-empty"><b lang="ja">生成</b><br>{html.escape(told)}</div>'

    def on_restore(self, request: gr.Request) -> list[Any]:
        owner, store = ui.owner(request), self.studio.store
        values = store.recall(owner, f"restore:{UPSCALE}") or {}
        store.remember(owner, f"restore:{UPSCALE}", None)
        return [picture_value(shown_picture(self.studio, str(values.get("image", "")))), *(values.get(name, gr.skip()) for name in self.controls)]
