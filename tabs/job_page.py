"""What every page has that starts jobs and shows what comes of them: the view, what was refused, Stop, and the job that still runs when the page is opened again."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import Studio, StudioError
from tabs.job_follow import UPDATE_SECONDS, Follower, Run

STREAMING: dict[str, Any] = ui.QUIET | {"concurrency_limit": None, "trigger_mode": "multiple"}


class JobPage:
    """A page says what its job is asked (`asked`) and what it shows besides the pictures (`more`, `shown`); the rest is here.

    `build_view` and `build_go` draw, `listen_job` connects, `submit` can be called by other events.
    """

    pipeline: ClassVar[str]
    script: ClassVar[str]  # what the view's own script does once it is there
    look: ClassVar[str]  # its class in page.css
    slot: ClassVar[str]  # the name under which each person's newest job of this page is remembered

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.follower = Follower(studio, self.slot)
        self.problem = ui.Problem(studio)

    # -- what a page says ------------------------------------------------------------------------------------

    def asked(self, owner: str, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """(parameters, extras) of the job, from what the controls hold. Raises StudioErrors at their fields."""
        raise NotImplementedError

    def accepted(self, owner: str, given: dict[str, Any]) -> None:
        """The job is queued: what the page remembers of it."""

    def told(self, error: StudioError, given: dict[str, Any], lang: str) -> str:
        """HTML for the problem."""
        return self.problem.told(error, lang)

    def hello(self, owner: str, lang: str) -> str:
        """HTML of an empty page: what to do."""
        return ""

    @property
    def more(self) -> list[Any]:
        """Components that follow a job besides the view and the problem."""
        return []

    def shown(self, run: Run, request: gr.Request) -> list[Any]:
        """Values for `more`."""
        return []

    def stage(self, run: Run, owner: str, lang: str) -> str:
        """HTML of the view."""
        raise NotImplementedError

    # -- drawing ---------------------------------------------------------------------------------------------

    def build_view(self, elem_id: str) -> None:
        self.view = gr.HTML("", js_on_load=self.script, padding=False, elem_id=elem_id, elem_classes=self.look)
        self.again = gr.Button("", elem_id=f"{elem_id}-again", elem_classes="seisei-unseen")

    def build_problem(self, elem_id: str) -> None:
        self.problem.build(elem_id)

    def build_go(self, label: str, elem_id: str) -> None:
        """The button that starts, and Stop; inside a row."""
        self.go, self.stop = self.go_button(label, elem_id), self.stop_button()

    def go_button(self, label: str, elem_id: str) -> Any:
        return gr.Button(self.studio.words(label), variant="primary", elem_classes="primary-action", min_width=110, scale=3, elem_id=elem_id)

    def stop_button(self) -> Any:
        return gr.Button(self.studio.words("Stop"), elem_classes="stop-action", min_width=70, scale=1)

    @property
    def streamed(self) -> list[Any]:
        """What a job's events give values for."""
        return [self.view, self.problem.view, *self.more]

    def listen_job(self, triggers: list[Any], given: dict[str, Any], fields: dict[str, Any] | None = None) -> Any:
        """Start at these events with what `given` holds, stop, and go on showing at a page load. The first event's dependency, for `.then`.

        `fields` names the components of parameters that `given` has under other names.
        """
        self.problem.listen(given | (fields or {}))
        started = gr.on(triggers, self.on_go, inputs_kwargs=given, outputs=self.streamed, **STREAMING)
        self.stop.click(self.stopper("cancel"), [], [], **ui.QUICK)
        page = gr.context.Context.root_block
        assert isinstance(page, gr.Blocks)
        page.load(self.on_follow, [], self.streamed, **STREAMING)
        self.again.click(self.on_follow, [], self.streamed, **STREAMING)
        return started

    # -- a job -----------------------------------------------------------------------------------------------

    def on_go(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        yield from self.submit(request, given)

    def submit(self, request: gr.Request, given: dict[str, Any], more: dict[str, Any] | None = None, pipeline: str = "") -> Iterator[list[Any]]:
        """Queue it, with `more` over what was asked, and follow it; a refusal stands at its field."""
        owner = ui.owner(request)
        try:
            values, extras = self.asked(owner, given)
            job = self.studio.submit(pipeline or self.pipeline, values | (more or {}), owner=owner, extras=extras)
        except StudioError as error:
            yield [gr.skip(), self.told(error, given, ui.lang(request)), *[gr.skip()] * len(self.more)]
            return
        self.accepted(owner, given)
        yield from self.follow(job, request)

    def follow(self, job: Any, request: gr.Request) -> Iterator[list[Any]]:
        """What the page shows of a job of this page, now its newest, until it ends."""
        self.follower.begin(job, request)
        for run in self.follower.follow(job, ui.lang(request), ui.pace(self.studio, request, UPDATE_SECONDS)):
            yield self._drawn(run, request)

    def on_follow(self, request: gr.Request) -> Iterator[list[Any]]:
        """At a page load, and when the page missed a job's end: the job that is still running, or the last one's pictures, or an invitation."""
        job = self.follower.job(ui.owner(request))
        if job is not None:
            yield from self.follow(job, request)
        else:
            yield self._drawn(Run(), request)

    def _drawn(self, run: Run, request: gr.Request) -> list[Any]:
        followed = f'<i hidden data-follows="{html.escape(run.job)}"></i>' if run.running else ""
        return [self.stage(run, ui.owner(request), ui.lang(request)) + followed, "", *self.shown(run, request)]

    def stopper(self, mode: str) -> Any:
        """A handler for a button that stops the page's newest job: "cancel", "skip" or "finish"."""

        def stop(request: gr.Request) -> None:
            self.follower.stop(request, mode)

        return stop
