"""The tab: a view of `NameParams`. It draws, submits, follows; it computes nothing."""

from __future__ import annotations

from typing import Any, ClassVar

import gradio as gr

import studio.ui as ui
from studio.api import Failed, Studio, StudioError

from .names import NameParams


class NamesTab:
    """Runs in the page's process: it draws, submits and shows; it computes nothing."""

    id: ClassVar[str] = "hello"
    title: ClassVar[str] = "Name maker"
    order: ClassVar[int] = 45

    def build(self, studio: Studio) -> None:
        self.studio = studio
        w = studio.words
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                self.controls = ui.controls(NameParams, studio)
                self.problem = ui.Problem(studio)
                self.problem.build()
            with gr.Column(scale=2, min_width=300, elem_classes="studio-right"):
                result = gr.Textbox(label=w("New names"), lines=12, interactive=False, elem_id="new-names")
                make = gr.Button(w("Make names"), variant="primary", elem_classes="primary-action")
                ui.last_results("hello.")
        make.click(self.on_make, inputs_kwargs=self.controls, outputs=[result, self.problem.view], **ui.QUIET)
        self.problem.listen(self.controls)
        ui.on_restore(studio, "hello.names", ["hello"], self.on_restore, list(self.controls.values()))

    def on_make(self, request: gr.Request, **given: Any) -> list[Any]:
        try:
            job = self.studio.submit("hello.names", ui.read_values(NameParams, given), owner=ui.owner(request)).wait()
        except StudioError as error:
            return [gr.skip(), self.problem.told(error, ui.lang(request))]
        if failed := job.latest(Failed):
            return [gr.skip(), self.problem.told(StudioError.from_wire(failed.error), ui.lang(request))]
        return [job.text, ""]

    def on_restore(self, request: gr.Request) -> list[Any]:
        owner = ui.owner(request)
        shown = ui.show_values(NameParams, self.studio.store.recall(owner, "restore:hello.names"))
        self.studio.store.remember(owner, "restore:hello.names", None)
        return [shown.get(name, gr.skip()) for name in self.controls]
