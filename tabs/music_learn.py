"""Learn: one's own MIDI files teach the composer a style. A view of music.learn: files and a name left, the loss as it falls right."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import BadInput, Event, Stats, Studio, StudioError, Taken
from studio.inputs import suffix_of
from tabs.job_follow import STEPS, Follower, Run, progress_html
from tabs.job_page import STREAMING, JobPage
from tabs.music_desk import GONE
from tabs.music_form import learnt_styles
from tabs.music_picture import loss_curve

LEARN = "music.learn"
FILES, NAME, RESUME = "pieces", "name", "resume"
NUMBERED = re.compile(r"File (\d+)(?=: | has )")  # how the pipeline, which knows no names, calls a file


class LearnFollower(Follower):
    """Keeps what runs measured that are at work: the queue passes on only the newest of a job's measurements, which hold the whole curve. What has ended has a summary."""

    def __init__(self, studio: Studio, slot: str) -> None:
        super().__init__(studio, slot)
        self.measured: dict[str, dict[str, Any]] = {}

    def _take(self, run: Run, event: Event, job: Any, lang: str) -> None:
        if isinstance(event, Stats):
            if job.id not in self.measured:
                self.measured = {known: told for known, told in list(self.measured.items()) if self._known(known, "state") in ("queued", "running")}
            self.measured[job.id] = self.measured.get(job.id, {}) | event.values
        super()._take(run, event, job, lang)

    def facts(self, job_id: str) -> dict[str, Any]:
        """Measurements and, once it is done, its summary."""
        return self.measured.get(job_id, {}) | dict(self._known(job_id, "summary") or {})

    def _known(self, job_id: str, what: str) -> Any:
        """None of a job that the queue does not know any more."""
        try:
            return getattr(self.studio.jobs.get(job_id), what)
        except StudioError:
            return None


class LearnPage(JobPage):
    """A style that was learnt is in the gallery at once; keeping it puts it among the models of Compose."""

    pipeline: ClassVar[str] = LEARN
    slot: ClassVar[str] = "music.learn.job"
    script: ClassVar[str] = ""
    look: ClassVar[str] = "learn-view"
    tab: gr.Tab  # the one that it stands in

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self.Params = studio.pipelines[LEARN].Params
        self.follower: LearnFollower = LearnFollower(studio, self.slot)

    def build(self) -> None:
        words = self.studio.words
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                self.files = gr.File(file_count="multiple", file_types=[".mid", ".midi"], type="filepath", label=words("MIDI files"), height=180, elem_id="learn-files")
                self.kept = gr.State([])  # keys of the pieces of settings that came back
                self.kept_note = gr.HTML("", elem_classes="studio-note", padding=False, elem_id="learn-kept")
                self.controls = ui.controls(self.Params, self.studio, only=[NAME])
                with gr.Accordion(words("Advanced"), open=False):
                    self.controls |= ui.controls(self.Params, self.studio, only=self._left())
                    field = self.Params.model_fields[RESUME]
                    self.controls[RESUME] = gr.Dropdown([(words("Nothing"), "")], value="", allow_custom_value=True, label=words(field.title), info=words(field.description), elem_id="learn-resume")
                with gr.Column(elem_classes="studio-foot"):
                    self.build_problem("learn-problem")
                    with gr.Row(equal_height=True):
                        self.build_go("Learn this style", "learn-go")
                    self.given = gr.UploadButton(words("Add a style file"), file_types=[".safetensors"], size="sm", elem_classes="studio-quiet", elem_id="learn-given")
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.build_view("learn-view")
                with gr.Row(visible=False, elem_classes=["studio-quiet", "image-actions"], elem_id="learn-actions") as self.actions:
                    self.keep = gr.Button(words("Keep it as a style"), size="sm", min_width=120, elem_id="learn-keep")
                    self.save = gr.DownloadButton(words("Download"), size="sm", min_width=90)
                    self.further = gr.Button(words("Go on learning"), size="sm", min_width=120, elem_id="learn-again")

    def _left(self) -> list[str]:
        return [name for name, field in self.Params.model_fields.items() if name not in (FILES, NAME, RESUME) and ui.hint(field, "widget") != "hidden"]

    @property
    def more(self) -> list[Any]:
        return [self.actions, self.save]

    def listen(self) -> None:
        given = {"files": self.files, "kept": self.kept} | self.controls
        self.listen_job([self.go.click], given, {FILES: self.files})
        self.further.click(self.on_again, inputs_kwargs=given, outputs=self.streamed, **STREAMING)
        self.keep.click(self.on_keep, [], [self.keep], **ui.QUICK)
        self.given.upload(self.on_given, [self.given], [], **ui.QUIET)  # in the queue: elsewhere Gradio shows no messages
        self.files.upload(lambda: ([], ""), [], [self.kept, self.kept_note], **ui.QUICK)
        self.tab.select(self.on_open, [], [self.controls[RESUME]], **ui.QUICK)
        ui.on_restore(self.studio, LEARN, ["music", "learn"], self.on_restore, [*self.controls.values(), self.kept, self.kept_note])
        self.studio.takers[LEARN] = self.take

    # -- events ----------------------------------------------------------------------------------------------

    def asked(self, owner: str, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        inputs = self.studio.inputs(owner)
        files, kept = [Path(path) for path in given["files"] or []], list(given["kept"])
        if not files and not kept:
            raise BadInput("There are no pieces to learn from.", hint="Give some MIDI files, five or more work well.", field=FILES)
        pieces = [(path.name, path.read_bytes()) for path in files]
        if wrong := next((name for name, data in pieces if suffix_of(data) != ".mid"), ""):
            raise BadInput(f"“{wrong}” is no MIDI file.", hint="Take it out of the list.", field=FILES)
        return self._values(given) | {FILES: [inputs.keep(data, FILES) for _, data in pieces] or kept}, {}

    def _values(self, given: dict[str, Any]) -> dict[str, Any]:
        """What the controls hold; no choice of a style is none. Raises BadInput."""
        return ui.read_values(self.Params, {name: given[name] or "" if name == RESUME else given[name] for name in self.controls})

    def told(self, error: StudioError, given: dict[str, Any], lang: str) -> str:
        """A file by its name, where it was given here."""
        found, files = NUMBERED.match(error.message) if error.field == FILES else None, given["files"] or []
        if found and int(found[1]) <= len(files):
            error.message = f"“{Path(files[int(found[1]) - 1]).name}”{error.message[found.end() :]}"
        return super().told(error, given, lang)

    def on_open(self, request: gr.Request) -> Any:
        """Styles that learning can go on from: those that were kept, and one's own in the gallery."""
        own = self.studio.store.outputs(owner=ui.owner(request), kind="model", pipeline=LEARN)
        found = [(f"{style.title}, {time.strftime('%Y-%m-%d %H:%M', time.localtime(style.created))}", self._key(Path(style.path))) for style in own]
        return gr.update(choices=[(self.studio.words("Nothing"), ""), *learnt_styles(self.studio), *found])

    def on_again(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        """From where the last run stopped, with the same pieces."""
        job = self.follower.job(ui.owner(request))
        style = self._style(job.outputs) if job is not None else None
        if job is None or style is None:
            yield ui.as_it_is(len(self.streamed))
            return
        before = job.params.model_dump()
        values = self._values(given) | {FILES: before[FILES], NAME: before[NAME], RESUME: self._key(Path(style.path))}
        try:
            started = self.studio.submit(LEARN, values, owner=ui.owner(request))
        except StudioError as error:
            yield [gr.skip(), self.told(error, given, ui.lang(request)), *[gr.skip()] * len(self.more)]
            return
        yield from self.follow(started, request)

    def _key(self, path: Path) -> str:
        return str(self.studio.pipelines[LEARN].key(path))  # type: ignore[attr-defined]

    def _style(self, outputs: list[str]) -> Any | None:
        """The learnt network among a job's outputs."""
        found = [self.studio.store.output(one) for one in outputs]
        return next((one for one in found if one.kind == "model" and Path(one.path).is_file()), None)

    def on_keep(self, request: gr.Request) -> Any:
        """Among the models of Compose from now on."""
        try:
            ui.only_host(request)
            job = self.follower.job(ui.owner(request))
            style = self._style(job.outputs) if job is not None else None
            if style is None:
                raise BadInput("There is no style to keep.", hint="Learn one first.")
            self.studio.pipelines[LEARN].keep(Path(style.path), self.studio.settings.models_path)  # type: ignore[attr-defined]
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        self.studio.catalog.refresh()
        return gr.update(value=self.studio.words.say(ui.lang(request), "Kept: choose it as the model in Compose"), interactive=False)

    def on_given(self, path: str, request: gr.Request) -> None:
        """A style that somebody passed on, among the models of Compose from now on."""
        try:
            ui.only_host(request)
            kept = self.studio.pipelines[LEARN].keep(Path(path), self.studio.settings.models_path)  # type: ignore[attr-defined]
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        self.studio.catalog.refresh()
        gr.Info(html.escape(self.studio.words.say(ui.lang(request), "“{name}” is now a model in Compose.", name=kept.stem)), duration=6)

    def on_restore(self, request: gr.Request) -> list[Any]:
        owner, store = ui.owner(request), self.studio.store
        given = dict(store.recall(owner, f"restore:{LEARN}") or {})
        values, pieces = ui.show_values(self.Params, given), list(given.get(FILES) or [])
        store.remember(owner, f"restore:{LEARN}", None)
        keys = self._there(pieces)
        note = self.studio.words.say(ui.lang(request), "{n} pieces came back with the settings: they are learnt from, unless you give others.", n=len(keys)) if keys else ""
        return [*(values.get(name, gr.skip()) for name in self.controls), keys, html.escape(note)]

    def take(self, owner: str, values: dict[str, Any], file: Path | None) -> Taken:
        """What of a run's settings is not on this computer any more."""
        left = {FILES: GONE} if len(self._there(values.get(FILES) or [])) < len(values.get(FILES) or []) else {}
        return Taken(left=left | ({RESUME: GONE} if values.get(RESUME) and not self._style_there(values[RESUME]) else {}))

    def _there(self, keys: list[str]) -> list[str]:
        inputs = self.studio.jobs.desk.inputs
        return [key for key in keys if (inputs.folder / Path(key).name).is_file()]

    def _style_there(self, key: str) -> bool:
        try:
            return bool(self.studio.catalog.find(key))
        except StudioError:
            return False

    # -- a job -----------------------------------------------------------------------------------------------

    def shown(self, run: Run, request: gr.Request) -> list[Any]:
        style = self._style(run.outputs) if not run.running else None
        return [gr.update(visible=style is not None), gr.update(value=style.path) if style else gr.skip()]

    def stage(self, run: Run, owner: str, lang: str) -> str:
        if run.problem:
            return f'<div class="learn-stage"><p class="studio-error" role="alert">{html.escape(run.problem)}</p></div>'
        if not run.job:
            return f'<div class="learn-stage">{self.hello(owner, lang)}</div>'
        facts = self.follower.facts(run.job)
        return f'<div class="learn-stage"{" aria-busy=true" if run.running else ""}>{self._progress(run, lang)}{self._curve(facts, lang)}{self._told(run, facts, lang)}</div>'

    def _progress(self, run: Run, lang: str) -> str:
        return f'<div class="music-busy">{progress_html(run, partial(self.studio.words.say, lang), step=STEPS)}</div>' if run.running else ""

    def _curve(self, facts: dict[str, Any], lang: str) -> str:
        say = self.studio.words.say
        curve, held = facts.get("curve") or [], facts.get("held_out") or []
        if len(curve) < 2:
            return ""
        names = f'<p class="curve-names"><span class="own">{html.escape(say(lang, "Loss on your pieces"))}</span><span class="held">{html.escape(say(lang, "Loss on pieces it does not learn from"))}</span></p>'
        return f'<figure class="curve">{loss_curve(curve, held, say(lang, "Loss by step"))}<figcaption>{names}</figcaption></figure>'

    def _told(self, run: Run, facts: dict[str, Any], lang: str) -> str:
        """What came of it, in words."""
        say = self.studio.words.say
        lines = [say(lang, note) for note in run.notes]
        before, after = facts.get("held_out_before"), facts.get("held_out_after")
        if before and after and not run.running:
            change = round(100 * (1 - after / before))
            key = (
                "On pieces that were held out the loss fell from {before} to {after}: {n} % lower."
                if change >= 1
                else "On pieces that were held out the loss went from {before} to {after}: no better. More or more similar pieces may help."
            )
            lines.append(say(lang, key, before=f"{before:.3f}", after=f"{after:.3f}", n=change))
        if (copied := facts.get("copied_quarters")) is not None and not run.running:
            lines.append(say(lang, "Imitation check: the longest run it took over from your pieces is {n} quarter notes.", n=f"{copied:g}"))
        if run.stopped:
            lines.append(say(lang, "Stopped. What was learnt until then is kept." if run.outputs else "Stopped before anything was finished."))
        return "".join(f"<p>{html.escape(line)}</p>" for line in lines)

    def hello(self, owner: str, lang: str) -> str:
        say = self.studio.words.say
        first = html.escape(say(lang, "Give MIDI files of one kind of music and press Learn: the composer is trained on them here, in minutes."))
        rest = html.escape(say(lang, "Some of them are held out to check what was learnt. The style is then a model in Compose, and a small file that you can pass on."))
        return f'<div class="studio-empty"><b lang="ja">生成</b><br>{first}<br>{rest}</div>'
