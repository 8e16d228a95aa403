"""What a control network will see: its picture prepared as the form says, by a job of image.annotate, shown beside its settings."""

from __future__ import annotations

import html
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from studio import ui
from studio.api import BadInput, Failed, Progress, Saved, Studio, StudioError
from tabs import image_advice as advice
from tabs.job_follow import bar_html

ANNOTATE = "image.annotate"
SIZED = ("model", "width", "height", "image")  # what the drawn size goes by
SHARED = ("resize", "depth_model", "pose_model", "person_model")  # parameters of the same name in both
UPDATE_SECONDS = 0.2
NOTHING = "None"


class ControlPreview:
    """A button below the settings of one control unit (`prefix` is "control", "control2" …), and the picture that it brings."""

    def __init__(self, studio: Studio, form: Any, prefix: str) -> None:
        self.studio, self.form, self.prefix = studio, form, prefix

    def build(self) -> None:
        words = self.studio.words
        with gr.Row(elem_classes="studio-quiet"):
            self.go = gr.Button(words("Show what it will see"), size="sm", min_width=150, elem_id=f"image-{self.prefix}-show")
            self.stop = gr.Button(words("Stop"), size="sm", min_width=60, scale=0, visible=False, elem_id=f"image-{self.prefix}-stop")
        self.view = gr.HTML("", padding=False, elem_id=f"image-{self.prefix}-seen")

    def listen(self) -> None:
        self.go.click(self.on_show, inputs_kwargs=self.form.given, outputs=[self.view, self.stop], **ui.QUIET, concurrency_limit=None, trigger_mode="once")
        self.stop.click(self.on_stop, [], [], **ui.QUICK)

    def on_show(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        owner, lang = ui.owner(request), ui.lang(request)
        try:
            job = self.studio.submit(ANNOTATE, self.asked(owner, given), owner=owner)
        except StudioError as error:
            yield [self._told(ui.error_text(self.studio, error, lang), wrong=True), gr.update(visible=False)]
            return
        self.studio.store.remember(owner, self._slot, job.id)
        yield from self._follow(job, lang)

    def asked(self, owner: str, given: dict[str, Any]) -> dict[str, Any]:
        """For image.annotate: what the form says of this unit, at the size that will be drawn. Raises StudioErrors."""
        values = self.form.values(owner, given)
        if values[f"{self.prefix}_process"] == NOTHING:
            raise BadInput("Without a preparation it sees the picture as it is.", hint="Choose one to see what it makes.", field=f"{self.prefix}_process")
        image = values[f"{self.prefix}_image"] or values["image"]
        if not image:
            raise BadInput("There is no picture that guides the drawing.", hint="Give a control picture, or leave its model out.", field=f"{self.prefix}_image")
        pipeline: Any = self.studio.pipelines[advice.PIPELINE]
        drawn = pipeline.settle(pipeline.Params.parse({name: values[name] for name in SIZED} | {"prompt": "#"}), self.studio.jobs.desk)
        own = {"image": image, "method": values[f"{self.prefix}_process"], "detail": values[f"{self.prefix}_detail"], "width": drawn.width, "height": drawn.height}
        return own | {name: values[name] for name in SHARED}

    def on_stop(self, request: gr.Request) -> None:
        owner = ui.owner(request)
        self.studio.jobs.cancel(self.studio.store.recall(owner, self._slot, ""), by=owner, mode="cancel")

    @property
    def _slot(self) -> str:
        return f"image.{self.prefix}.preview"

    def _follow(self, job: Any, lang: str) -> Iterator[list[Any]]:
        say, shown, seen = self.studio.words.say, 0.0, ""
        yield [self._told(say(lang, "Looking at the picture")), gr.update(visible=True)]
        for event in job.events():
            if isinstance(event, Progress) and time.monotonic() - shown > UPDATE_SECONDS:
                shown = time.monotonic()
                yield [bar_html(say(lang, "Looking at the picture"), event.step, event.total), gr.skip()]
            elif isinstance(event, Saved):
                label = html.escape(say(lang, "What the control network will see"))
                seen = f"<img src='/api/v1/outputs/{html.escape(event.output_id)}/file' alt='{label}' style='max-width:100%'>"
            elif isinstance(event, Failed):
                seen = self._told(ui.error_text(self.studio, StudioError.from_wire(event.error), lang), wrong=True)
        notes = [say(lang, note) for note in job.summary.get("notes", [])] if job.summary else []
        yield [seen + (self._told(" ".join(notes)) if notes else ""), gr.update(visible=False)]

    def _told(self, text: str, *, wrong: bool = False) -> str:
        return f"<p class='studio-error' role='alert'>{html.escape(text)}</p>" if wrong else f"<p class='studio-note'>{html.escape(text)}</p>"
