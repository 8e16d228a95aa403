"""Audio: words to sound. A view of music.audio; what the chosen model can't be told is not shown."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import BadInput, Studio, StudioError
from tabs.job_follow import Run, verdict_html
from tabs.job_page import STREAMING
from tabs.sound_view import Sound, SoundPage, sound_of

AUDIO = "music.audio"
EXAMPLES = (  # in English: the models read nothing else
    "Calm piano and soft rain, slow, late at night", "Lo-fi hip hop beat with a warm bass and vinyl crackle", "Big band swing, brass and walking bass, 160 bpm", "Waves on a stony beach, seagulls far away",
    "Folk song with acoustic guitar and a fiddle", "8-bit game music, fast and cheerful",
)  # fmt: skip
SEEN = ("prompt", "model", "seconds", "count")
GIVEN = ("mode", "sound")
MODELS = (  # (name, hub id, about how large on the disk, licence as its page says, what for)
    ("MusicGen small", "facebook/musicgen-small", "2.4 GB", "CC-BY-NC 4.0: not for commercial use", "Music from words; runs on a processor, slowly"),
    ("MusicGen melody", "facebook/musicgen-melody", "6 GB", "CC-BY-NC 4.0: not for commercial use", "Music from words over a melody of yours"),
    ("Stable Audio Open", "stabilityai/stable-audio-open-1.0", "5 GB", "Stability AI Community License; it must be accepted on its page", "Sounds and loops of up to 47 s, stereo"),
    ("AudioLDM 2", "cvssp/audioldm2", "5 GB", "CC-BY-NC-SA 4.0: not for commercial use", "Sounds and music of about 10 s"),
    ("ACE-Step 1.5", "ACE-Step/acestep-v15-xl-turbo-diffusers", "12 GB", "Open (Apache-2.0 or MIT, by version)", "Songs with lyrics, minutes long; wants a graphics card"),
)
NEW, MELODY, CONTINUE = "New", "Melody", "Continue"
MEASURED = ("model", "mode", "seconds", "count", "steps", "precision")


class AudioPage(SoundPage):
    """Left the words and the few controls, right what comes of them."""

    pipeline: ClassVar[str] = AUDIO
    slot: ClassVar[str] = "music.audio.job"

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self.audio: Any = studio.pipelines[AUDIO]
        self.Params = self.audio.Params
        self.fields = self.Params.model_fields

    # -- drawing ---------------------------------------------------------------------------------------------

    def build(self) -> None:
        words = self.studio.words
        with gr.Row(elem_classes="studio-two", elem_id="music-audio"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                self.controls = ui.controls(self.Params, self.studio, only=SEEN)
                with gr.Accordion(words("Begin from a sound"), open=False, elem_id="music-audio-fold"):
                    self.controls |= ui.controls(self.Params, self.studio, only=["mode"])
                    self.sound = gr.Audio(type="filepath", sources=["upload"], label=words("Sound"), buttons=[], elem_id="music-audio-sound")
                with gr.Accordion(words("Advanced"), open=False, elem_id="music-audio-advanced"):
                    self.controls |= ui.controls(self.Params, self.studio, only=[name for name in self.fields if name not in (*SEEN, *GIVEN)])
                self.extras = ui.extras(self.studio, AUDIO)
                with gr.Column(elem_classes="studio-foot"):
                    self.build_problem("music-audio-told")
                    self.verdict = gr.HTML("", elem_classes="studio-note", padding=False, elem_id="music-audio-verdict")
                    with gr.Row(equal_height=True):
                        self.build_go("Generate", "music-audio-go")
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.build_view("music-audio-view")
                self.early = gr.Button(words("Finish now"), size="sm", visible=False, elem_classes="studio-quiet", elem_id="music-audio-early")
                with gr.Row(visible=False, elem_classes=["studio-quiet", "image-actions"], elem_id="music-audio-actions") as self.actions:
                    self.longer = gr.Button(words("Make it longer"), size="sm", min_width=90)
                    self.vary = gr.Button(words("Vary"), size="sm", min_width=60)
                    self.melody = gr.Button(words("Use as melody"), size="sm", min_width=90)
                    self.trash = gr.Button(words("Move to trash"), size="sm", min_width=90)
                ui.last_results("music.")
                self.chosen = gr.State("")
                self.empty = gr.State(False)  # there was no model when the page was last looked at

    @property
    def more(self) -> list[Any]:
        return [self.early, self.actions]

    def shown(self, run: Run, request: gr.Request) -> list[Any]:
        family = self._family(str(self.follower.asked(run.job).get("model", ""))) if run.job else {}
        return [gr.update(visible=run.running and family.get("kind") == "tokens"), gr.update(visible=bool(run.outputs) and not run.running)]

    @property
    def given(self) -> dict[str, Any]:
        """What a job is asked from, by parameter; the sound as "audio"."""
        return {"audio": self.sound} | self.controls | self.extras

    @property
    def restored(self) -> list[Any]:
        """What `on_restore` gives values for."""
        return [self.sound, *self.controls.values(), *self.extras.values()]

    def listen(self) -> None:
        given = self.given
        light = {name: self.controls[name] for name in MEASURED}
        self.listen_job([self.go.click], given, {"sound": self.sound}).then(self.on_measure, inputs_kwargs=light, outputs=[self.verdict], **ui.QUICK)
        gr.on([control.change for control in light.values()], self.on_measure, inputs_kwargs=light, outputs=[self.verdict], trigger_mode="always_last", **ui.QUICK)
        self.sound.upload(self.on_sound, [self.controls["model"], self.controls["mode"]], [self.controls["mode"]], **ui.QUICK)
        page = gr.context.Context.root_block
        assert isinstance(page, gr.Blocks)
        fitted = [*(self.controls[name] for name in self._fitted()), self.longer, self.melody]
        chosen = [self.controls[name] for name in ("model", "mode", "scheduler")]
        models = [self.empty, self.controls["model"], *fitted]
        page.load(self.on_models, chosen, models, **ui.QUICK).then(self.on_measure, inputs_kwargs=light, outputs=[self.verdict], **ui.QUICK)
        for tab in ui.around(self.view, gr.Tab):
            tab.select(self.on_back, [self.empty, *chosen], [self.view, *models], **ui.QUICK)
        self.controls["model"].change(self.on_model, chosen, fitted, **ui.QUICK)
        self.view.input(self.on_example, [], [self.controls["prompt"]], **ui.QUICK)
        self.view.select(self.on_select, [], [self.chosen], **ui.EACH)
        self.early.click(self.stopper("finish"), [], [], **ui.QUICK)
        self.longer.click(self.on_longer, inputs_kwargs=given | {"chosen": self.chosen}, outputs=self.streamed, **STREAMING)
        self.vary.click(self.on_vary, inputs_kwargs={"chosen": self.chosen}, outputs=self.streamed, **STREAMING)
        self.melody.click(self.on_melody, [self.chosen], [self.sound, self.controls["mode"]], **ui.QUICK)
        self.trash.click(None, [], [], js="() => { window.seisei.sound.trash('#music-audio-view'); return []; }")
        ui.on_restore(self.studio, AUDIO, ["music", "audio"], self.on_restore, self.restored)

    # -- what the model has ----------------------------------------------------------------------------------

    def _family(self, model: str) -> dict[str, Any]:
        """What the chosen model, or the first, can be told; {} where there is none."""
        found = self.audio.families(self.studio.catalog)
        return found.get(model) or ({} if model else next(iter(found.values()), {}))

    def _fitted(self) -> list[str]:
        """Controls that not every family has."""
        return ["seconds", "mode", *self.audio.some]

    def on_models(self, model: str, mode: str, scheduler: str, request: gr.Request) -> list[Any]:
        say, lang = self.studio.words.say, ui.lang(request)
        entries = [(entry.title, entry.key) for entry in self.studio.catalog.entries("audio") if entry.key in self.audio.families(self.studio.catalog)]
        return [not entries, gr.update(choices=[(say(lang, "The first there is"), ""), *entries]), *self.on_model(model, mode, scheduler, request)]

    def on_back(self, empty: bool, model: str, mode: str, scheduler: str, request: gr.Request) -> list[Any]:
        """From the Models tab, where one was fetched perhaps."""
        if not empty or not self._family(""):
            return [gr.skip()] * (len(self._fitted()) + 5)
        return [self.stage(Run(), ui.owner(request), ui.lang(request)), *self.on_models(model, mode, scheduler, request)]

    def on_model(self, model: str, mode: str, scheduler: str, request: gr.Request) -> list[Any]:
        """What it can be told is shown. A choice that it has, too, stays: settings that were given back come in the same moment as their model."""
        family, say, lang = self._family(model), self.studio.words.say, ui.lang(request)
        if not family:
            return [gr.skip()] * (len(self._fitted()) + 2)

        def listed(names: Any, now: str) -> dict[str, Any]:
            return {"choices": [(say(lang, name), name) for name in names], "value": now if now in names else names[0]}

        updates: dict[str, Any] = {name: gr.update(visible=name in family["fields"]) for name in self.audio.some}
        updates |= {"seconds": gr.update(maximum=family["longest"]), "mode": gr.update(**listed(family["modes"], mode))}
        if family["schedulers"]:
            updates["scheduler"] = gr.update(visible=True, **listed(family["schedulers"], scheduler))
        return [*(updates[name] for name in self._fitted()), *(gr.update(visible=what in family["modes"]) for what in (CONTINUE, MELODY))]

    # -- a job -----------------------------------------------------------------------------------------------

    def asked(self, owner: str, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """A sound that is there is asked for in every mode: one that listens to none is refused."""
        values = self._values(given)
        if given.get("audio"):
            values["sound"] = self.studio.inputs(owner).keep(Path(given["audio"]).read_bytes(), "sound")
        return values, ui.read_extras(self.studio, AUDIO, given)

    def _values(self, given: dict[str, Any]) -> dict[str, Any]:
        """What is not shown for the model is not asked for. Raises BadInput."""
        family = self._family(str(given.get("model") or ""))
        hidden = set(self.audio.some) - set(family.get("fields", self.audio.some))
        return ui.read_values(self.Params, {name: value for name, value in given.items() if name in self.controls and name not in hidden})

    def on_measure(self, request: gr.Request, **given: Any) -> str:
        """Whether the model fits, and how long it will take by the pace of earlier sounds, beside Generate."""
        lang = ui.lang(request)
        if not self._family(""):
            return ""  # the page itself says what to get
        try:
            need = self.studio.jobs.verdict(self.audio, self.Params.parse(self._values(given)))
        except StudioError as error:
            return html.escape(ui.error_text(self.studio, error, lang))
        return verdict_html(self.studio, need, lang)

    def on_sound(self, model: str, mode: str) -> Any:
        """A sound was given while nothing listens to one: its melody is played where the model can, else it is gone on with, else what else the model makes of sounds."""
        modes = self._family(model).get("modes", [])
        listening = [name for name in (MELODY, CONTINUE, *modes) if name in modes and name != NEW]
        return listening[0] if mode == NEW and listening else gr.skip()

    def sounds(self, run: Run, owner: str, lang: str) -> list[Sound]:
        """Beside each what it was made from."""
        given = str(self.follower.asked(run.job).get("sound", "")) if run.job else ""
        found = [sound for output in run.outputs if (sound := sound_of(self.studio, output))]
        if not given or run.running:
            return found
        say = self.studio.words.say
        return [Sound(one.src, one.output, one.title, one.seconds, one.segments, f"/api/v1/image/inputs/{given}", say(lang, "The sound that was given")) for one in found]

    def on_select(self, event: gr.EventData) -> str:
        return str(event._data["value"])

    def on_example(self, event: gr.EventData) -> str:
        return str(event._data["value"])

    def _meant(self, chosen: str, request: gr.Request) -> Any:
        """The sound that was played last, else the newest of the page. Raises BadInput."""
        owner = ui.owner(request)
        job = self.follower.job(owner)
        here = [output for output in (job.outputs if job else []) if (sound := sound_of(self.studio, output)) and sound]
        if not here:
            raise BadInput("There is no sound to go on with.", hint="Make one first.")
        return self.studio.store.output(chosen if chosen in here else here[-1])

    def _kept(self, output: Any, owner: str) -> str:
        return self.studio.inputs(owner).keep(Path(output.path).read_bytes(), "sound")

    def on_longer(self, request: gr.Request, chosen: str, **given: Any) -> Iterator[list[Any]]:
        """With the words and the length of the form, behind what is there."""
        try:
            more = {"mode": CONTINUE, "sound": self._kept(self._meant(chosen, request), ui.owner(request))}
        except StudioError as error:
            yield [gr.skip(), self.told(error, given, ui.lang(request)), *[gr.skip()] * len(self.more)]
            return
        yield from self.submit(request, given | {"mode": NEW, "audio": None}, more)

    def on_vary(self, request: gr.Request, chosen: str) -> Iterator[list[Any]]:
        """The same with another seed."""
        try:
            output = self._meant(chosen, request)
            values = dict(output.metadata.get("params", {})) | {"seed": -1, "count": 1}
            job = self.studio.submit(AUDIO, values, owner=ui.owner(request), extras=dict(output.metadata.get("extras", {})))
        except StudioError as error:
            yield [gr.skip(), self.told(error, {}, ui.lang(request)), *[gr.skip()] * len(self.more)]
            return
        yield from self.follow(job, request)

    def on_melody(self, chosen: str, request: gr.Request) -> list[Any]:
        """The sound goes into the form."""
        try:
            output = self._meant(chosen, request)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return [samples_of(Path(output.path)), MELODY]

    # -- an empty page ---------------------------------------------------------------------------------------

    def hello(self, owner: str, lang: str) -> str:
        say = lambda text, **values: html.escape(self.studio.words.say(lang, text, **values))  # noqa: E731
        if self._family(""):
            chips = "".join(f'<button type="button" data-example="{html.escape(text)}">{html.escape(text)}</button>' for text in EXAMPLES)
            return f'<div class="studio-empty"><b lang="ja">生成</b><p>{say("Describe a sound, or try one of these.")}</p></div><div class="image-examples">{chips}</div>'
        rows = "".join(f"<li><b>{html.escape(name)}</b> <code>{html.escape(hub)}</code><br>{say(use)}<br><small>{say('about {size}', size=size)} · {say(licence)}</small></li>" for name, hub, size, licence, use in MODELS)
        told = say("There is no audio model on this computer yet, and none comes along: they are large and have licences of their own. Get one in the Models tab by its name on the hub.")
        note = say("Sizes and licences as their makers last told them; read the model's page before you use what it makes.")
        return f'<div class="sound-empty"><p>{told}</p><ul>{rows}</ul><p class="studio-note">{note}</p><button type="button" data-tab="models">{say("Go to the Models tab")}</button></div>'

    def on_restore(self, request: gr.Request) -> list[Any]:
        owner, store = ui.owner(request), self.studio.store
        values = dict(store.recall(owner, f"restore:{AUDIO}") or {})
        store.remember(owner, f"restore:{AUDIO}", None)
        try:
            sound = samples_of(self.studio.jobs.desk.inputs.path(str(values["sound"]))) if values.get("sound") else None
        except StudioError:
            sound = None
        shown = ui.show_values(self.Params, values) | ui.show_extras(self.studio, AUDIO, values.get("extras", {}))
        return [sound, *(shown.get(name, gr.skip()) for name in (*self.controls, *self.extras))]


def samples_of(path: Path) -> tuple[int, Any] | None:
    """A sound for Gradio's control, which takes no paths from outside its own folders: (rate, 16-bit samples); None for what can't be read."""
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="int16")
    except (soundfile.LibsndfileError, OSError):
        return None
    return rate, samples
