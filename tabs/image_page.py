"""A page whose jobs make pictures: one, a sheet of what is compared, or many in the same way."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import StudioError
from tabs.image_view import compared, said, stage
from tabs.job_follow import Run
from tabs.job_page import JobPage


class PicturePage(JobPage):
    script: ClassVar[str] = (Path(__file__).parent / "image.js").read_text(encoding="utf-8")
    look: ClassVar[str] = "image-view"
    finishing: ClassVar[tuple[str, ...]] = ()  # pipelines that can end early with what is there

    # -- a job at work ---------------------------------------------------------------------------------------

    def build_working(self, elem_id: str) -> None:
        """The row below the view while a job can be finished early: one of `more`, for which `at_work` gives the value."""
        with gr.Row(visible=False, elem_classes="studio-quiet", elem_id=elem_id) as self.working:
            self.finish = gr.Button(self.studio.words("Finish with what is there"), size="sm", min_width=170)

    def listen_working(self) -> None:
        self.finish.click(self.stopper("finish"), [], [], **ui.QUICK)

    def at_work(self, run: Run) -> Any:
        return gr.update(visible=run.running and self.follower.pipeline(run.job) in self.finishing)

    def run(self, request: gr.Request, given: dict[str, Any], submit: Callable[[], Any], told: Callable[[Any], str] = lambda job: "") -> Iterator[list[Any]]:
        """Queue what `submit` asks for and follow it, with what is `told` of the job (HTML); a refusal stands at its field."""
        owner, lang = ui.owner(request), ui.lang(request)
        before = self.follower.job(owner)
        try:
            job = submit()
        except StudioError as error:
            yield [gr.skip(), self.told(error, given, lang), *ui.as_it_is(len(self.more))]
            return
        waits = self._made_way(before, owner, lang)
        self.accepted(owner, given)
        for drawn in self.follow(job, request):
            yield [drawn[0], waits + told(job), *drawn[2:]] if isinstance(drawn[0], str) else drawn

    def makes_way(self, job: Any) -> bool:
        """Whether a job that has not ended is ended by a newer one."""
        return False

    def _made_way(self, before: Any, owner: str, lang: str) -> str:
        """What becomes of the job that was the page's newest when another one was asked for: it `makes_way`, or goes on, and that is told."""
        if before is None or before.state not in ("queued", "running"):
            return ""
        if self.makes_way(before):
            self.studio.jobs.cancel(before.id, by=owner)
            return ""
        return f"<div class='studio-note' role='status'>{html.escape(self.studio.words.say(lang, 'What was begun before goes on; this is made after it.'))}</div>"

    # -- what comes of it ------------------------------------------------------------------------------------

    def on_follow(self, request: gr.Request) -> Iterator[list[Any]]:
        """Also what came of a job from before the studio was started again."""
        owner = ui.owner(request)
        if self.follower.job(owner) is not None:
            yield from super().on_follow(request)
        else:
            yield self._drawn(self.follower.earlier(owner, ui.lang(request)), request)

    def stage(self, run: Run, owner: str, lang: str) -> str:
        return stage(run, self.studio.words, lang, "" if run.outputs or run.running else self.hello(owner, lang))

    def beside(self, before: str, run: Run, lang: str) -> str:
        """A finished picture and the input it was made from under one slider, with what there is to say of it."""
        notes = "".join(f"<p class='studio-note'>{html.escape(note)}</p>" for note in said(run, self.studio.words, lang))
        return compared(f"/api/v1/image/inputs/{before}", run.outputs[-1], self.studio.words, lang) + notes

    def left_out(self, refused: list[dict[str, str]], lang: str) -> str:
        """The files that are no pictures, each with its reason."""
        say = self.studio.words.say
        reasons = [(one["name"], one["why"]) for one in refused]
        lines = "".join(f"<li>{html.escape(name)}: {html.escape(say(lang, why))}</li>" for name, why in reasons)
        return f"<div class='studio-note' role='status'>{html.escape(say(lang, 'Left out:'))}<ul>{lines}</ul></div>" if lines else ""
