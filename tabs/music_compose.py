"""Compose: left the mood, length and instruments, right the piece to hear, see and change. A view of music.compose over the desk."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import BadInput, NotFound, Studio, StudioError
from tabs.job_follow import Run, progress_html, verdict_html
from tabs.job_page import STREAMING, JobPage
from tabs.music_desk import COMPOSE, ENGINES, EXPORT, RENDER, Desk, version
from tabs.music_form import MusicForm

VIEW = """
// A finished job's piece goes to the desk, once; the desk may not be there yet.
const hand = () => { const told = element.querySelector('[data-made]')?.dataset.made; if (told) window.seisei.music?.made(JSON.parse(told)); };
watch('value', () => setTimeout(hand));
document.addEventListener('seisei-music-ready', hand);
hand();
"""
DESK = "import('/api/v1/music/desk.js?{version}').then((desk) => desk.start(element, trigger));"


class ComposePage(JobPage):
    """Generate makes a new piece; the desk's buttons go on from the one that is there, as it was changed."""

    pipeline: ClassVar[str] = COMPOSE
    slot: ClassVar[str] = "music.compose.job"
    script: ClassVar[str] = VIEW
    look: ClassVar[str] = "music-view"
    tab: gr.Tab  # the one that it stands in

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self.form, self.desk = MusicForm(studio), Desk(studio)

    # -- drawing ---------------------------------------------------------------------------------------------

    def build(self) -> None:
        words = self.studio.words
        with gr.Row(elem_classes=["studio-two", "music-two"]):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                self.form.build()
                with gr.Column(elem_classes="studio-foot"):
                    self.build_problem("music-problem")
                    self.verdict = gr.HTML("", elem_classes="studio-note", padding=False, elem_id="music-verdict")
                    with gr.Row(equal_height=True):
                        self.build_go("Generate", "music-go")
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.build_view("music-view")
                waiting = html.escape(words("The piece is being opened …"))
                self.roll = gr.HTML(f'<div class="music-desk"><p class="studio-empty">{waiting}</p></div>', js_on_load=DESK.format(version=version()), padding=False, elem_id="music-roll")
                ui.last_results("music.")

    @property
    def given(self) -> dict[str, Any]:
        """What a job is asked from, by parameter."""
        return self.form.given

    @property
    def restored(self) -> list[Any]:
        """What `on_restore` gives values for."""
        return self.form.filled

    def listen(self) -> None:
        form = self.form
        self.listen_job([self.go.click], form.given)
        self.roll.apply(self.on_act, inputs_kwargs=form.given, outputs=self.streamed, **STREAMING)
        form.cards.select(self.on_mood, [], [form.cards, *form.chosen], **ui.EACH)
        if "chords" in form.controls:
            ui.on_choice(form.progression, lambda chords: chords or gr.skip(), [form.progression], [form.controls["chords"]])
        measured = [form.preset, *(form.controls[name] for name in ("bars", "model") if name in form.controls)]
        gr.on([component.change for component in measured], self.on_measure, inputs_kwargs=form.given, outputs=[self.verdict], trigger_mode="always_last", **ui.QUICK)
        page = gr.context.Context.root_block
        assert isinstance(page, gr.Blocks)
        seen = {"preset": form.preset} | ({"model": form.controls["model"]} if "model" in form.controls else {})
        gr.on([page.load, self.tab.select], self.on_open, inputs_kwargs=seen, outputs=self._opened, **ui.QUICK)
        page.load(self.on_measure, inputs_kwargs=form.given, outputs=[self.verdict], **ui.QUICK)
        ui.on_restore(self.studio, COMPOSE, ["music", "compose"], self.on_restore, self.restored)
        for pipeline, take in {COMPOSE: self.desk.take, RENDER: self.desk.take_sound, EXPORT: self.desk.take_export}.items():
            self.studio.places[pipeline], self.studio.takers[pipeline] = ["music", "compose"], take

    @property
    def _opened(self) -> list[Any]:
        return [self.form.cards, *([self.form.controls["model"]] if "model" in self.form.controls else [])]

    # -- events ----------------------------------------------------------------------------------------------

    def on_open(self, request: gr.Request, **given: Any) -> list[Any]:
        """Cards in the page's language, models that were learnt in the meantime."""
        return [self.form.drawn(given["preset"], ui.lang(request)), *([gr.update(choices=self.form.models())] if "model" in given else [])]

    def on_mood(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        name = str(event._data["value"])
        if name not in self.form.moods:
            return [gr.skip()] * (1 + len(self.form.chosen))
        return [self.form.drawn(name, ui.lang(request)), *self.form.mood(name)]

    def on_act(self, request: gr.Request, event: gr.EventData, **given: Any) -> Iterator[list[Any]]:
        """Go on from the piece on the desk: continue it, vary it, harmonise a voice, repaint bars, begin anew with its melody; or what came back with a file, once more."""
        try:
            more = self.acted(ui.owner(request), dict(event._data["value"]))
        except StudioError as error:
            yield [gr.skip(), self.told(error, given, ui.lang(request)), *[gr.skip()] * len(self.more)]
            return
        yield from self.submit(request, given, more)

    def acted(self, owner: str, wish: dict[str, Any]) -> dict[str, Any]:
        """A wish of the page's script as parameters. Raises BadInput."""
        desk, mode = self.desk.recall(owner), str(wish.get("mode", ""))
        if mode == "Again":
            return self.desk.again(desk)
        piece = dict(desk["piece"] or {})
        voices = list(piece.get("voices", []))
        if mode in ("Harmonise", "New"):
            piece["voices"] = [voices[min(int(wish.get("voice", 0)), len(voices) - 1)]] if voices else []
        if not any(voice["notes"] for voice in piece.get("voices", [])):
            raise BadInput("There are no notes in this voice.", hint="Draw a melody, or choose a voice that has one.")
        values: dict[str, Any] = {"mode": "Repaint" if mode == "Loop" else mode, "piece": self.desk.key(owner, piece)}
        if mode == "Loop":
            values |= {"loop": True, "repaint_bars": str(wish.get("bars", ""))}
        if mode == "Repaint":
            numbers = [int(number) for number in wish.get("voices", [])]
            values |= {"repaint_bars": str(wish.get("bars", "")), "repaint_voices": ", ".join(str(number + 1) for number in numbers)}
        return values

    def asked(self, owner: str, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        return self.form.values(given), ui.read_extras(self.studio, COMPOSE, given)

    def on_measure(self, request: gr.Request, **given: Any) -> str:
        """Whether it fits, and how long it will take where that is known."""
        try:
            need = self.studio.jobs.verdict(self.form.pipeline, self.form.Params.parse(self.form.values(given)))
        except StudioError:
            return ""
        return verdict_html(self.studio, need, ui.lang(request))

    def on_restore(self, request: gr.Request) -> list[Any]:
        owner, store = ui.owner(request), self.studio.store
        values = dict(store.recall(owner, f"restore:{COMPOSE}") or {})
        store.remember(owner, f"restore:{COMPOSE}", None)
        return self.form.shown(values, ui.lang(request))

    # -- a job -----------------------------------------------------------------------------------------------

    def stage(self, run: Run, owner: str, lang: str) -> str:
        """Slim above the desk: at work, what went wrong, or unseen what was made."""
        say = self.studio.words.say
        if run.problem:
            return f'<p class="studio-error" role="alert">{html.escape(run.problem)}</p>'
        if run.running:
            return f'<div class="music-busy" aria-busy="true">{progress_html(run, partial(say, lang), waiting="Composing")}</div>'
        told = [say(lang, note) for note in run.notes] + ([say(lang, "Stopped. What was finished is kept.")] if run.stopped and run.outputs else [])
        line = f'<p class="studio-note">{html.escape(" ".join(told))}</p>' if told else ""
        return f"{line}{self.made(run)}"

    def made(self, run: Run) -> str:
        """For the script: the job's piece and its sound."""
        kinds: dict[str, str] = {}
        for output in run.outputs:
            try:
                kinds.setdefault(self.studio.store.output(output).kind, output)
            except NotFound:
                continue
        if "midi" not in kinds:
            return ""
        asked = self.follower.asked(run.job)
        about = {"job": run.job, "midi": kinds["midi"], "audio": kinds.get("audio", ""), "keep": asked.get("mode", "New") != "New", "loop": bool(asked.get("loop"))}
        about |= {"engine": asked["sound"]} if asked.get("sound") in ENGINES else {}
        return f'<div hidden data-made="{html.escape(json.dumps(about))}"></div>'
