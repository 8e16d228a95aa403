"""Speech: a text on the left, on the right how it sounds, with its words lit up while they are heard and their readings to be corrected. A view of music.speech."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import BadInput, Studio, StudioError
from studio.starter import starter_models
from tabs.job_follow import Run, duration, memory_words
from tabs.music_speech_words import SPEECH, Words, imported, pairs_of, text_of
from tabs.sound_view import Sound, SoundPage, address

SCRIPT = (Path(__file__).parent / "music_speech.js").read_text(encoding="utf-8")
FORM = "speech.form"
SERVED = "speech.speakers"  # lines under "Speakers" that an earlier text was spoken by
VOICES = ("voice", "japanese_voice")
SEEN = (*VOICES, "speed", "pitch")
FILE = ("format", "bits", "subtitles", "word_times", "each_line", "each_sentence")
SPEAKERS = 6  # that get a list of voices of their own; more are named under "Speakers"
LARGEST_DICTIONARY = 2**20
SAMPLES = {
    "en": "Good evening! The train to Kyoto leaves at 18:45 from platform 3. Have a pleasant journey.",
    "ja": "こんばんは。京都行きの電車は、3番線から18時45分に発車します。どうぞ良い旅を。",
}
EXAMPLES = {
    "en": (
        ("A short story", "There once was a lighthouse cat who counted the waves.\n\nOne night, she counted 1,000 of them; then she fell asleep. In the morning, the sea was perfectly still."),
        ("Two speakers", "Anna: Did you hear that?\nBen: I did. It came from the attic!\nAnna: After you, then."),
        ("With marks (SSML)", '<speak>Ready? <break time="700ms"/>\n<prosody rate="80%" pitch="-2st">Slow and deep,</prosody>\nspelled out: <say-as interpret-as="characters">NASA</say-as>.</speak>'),
    ),
    "ja": (
        ("A short story", "むかしむかし、灯台に一匹の猫が住んでいました。\n\nある晩、猫は波を千まで数えて、眠ってしまいました。朝になると、海はとても静かでした。"),
        ("Two speakers", "春子: 今の音、聞こえた？\n太郎: うん、屋根裏からだよ。\n春子: じゃあ、先に行ってね。"),
        ("With marks (SSML)", '<speak>用意はいい？<break time="700ms"/><prosody rate="80%" pitch="-2st">ゆっくり低く、</prosody>\n<prosody rate="130%">今度は速く！</prosody><sub alias="にほん">日本</sub></speak>'),
    ),
}  # fmt: skip
LANGUAGES = {"en": "English", "ja": "Japanese"}
PLACE = re.compile(r"^Line (\d+), column (\d+): ")


class SpeechPage(SoundPage):
    """What is said is kept as a draft; the dictionary belongs to the person, not to the text."""

    pipeline: ClassVar[str] = SPEECH
    slot: ClassVar[str] = "music.speech.job"

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self.method: Any = studio.pipelines[SPEECH]
        self.Params = self.method.Params
        self.words = Words(studio)
        left = [name for name in self.Params.model_fields if name not in ("text", "dictionary", *SEEN, *FILE)]
        self.names = {"seen": SEEN[2:], "file": FILE, "advanced": tuple(left)}

    # -- drawing ---------------------------------------------------------------------------------------------

    def build(self) -> None:
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                self._build_left(self.studio.words)
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self._build_right(self.studio.words)

    def _build_left(self, words: Any) -> None:
        about = {"label": words("Text"), "placeholder": words("Write what is to be spoken, or drop a text file here.")}
        self.text = gr.Textbox(lines=7, max_lines=18, elem_id="speech-text", **about)
        self.cast, self.awake = gr.State([]), gr.State(False)
        with gr.Row(visible=False, elem_id="speech-cast") as self.cast_row:
            self.cast_voices = [gr.Dropdown([], label=str(number + 1), visible=False, allow_custom_value=True, min_width=120) for number in range(SPEAKERS)]
        with gr.Row():
            fields = self.Params.model_fields
            self.voices = {name: gr.Dropdown([(words("Automatic"), "")], value="", label=words(fields[name].title), allow_custom_value=True, min_width=130, elem_id=f"speech-{name}") for name in VOICES}
        self.voice_note = gr.HTML("", js_on_load=SCRIPT, padding=False, elem_id="speech-voice-note", elem_classes="speech-panel")
        self.controls = ui.controls(self.Params, self.studio, only=self.names["seen"])
        with gr.Accordion(words("File and subtitles"), open=False):
            self.controls |= ui.controls(self.Params, self.studio, only=self.names["file"])
        with gr.Accordion(words("Advanced"), open=False):
            self.controls |= ui.controls(self.Params, self.studio, only=self.names["advanced"])
        self.extras = ui.extras(self.studio, SPEECH)
        with gr.Column(elem_classes="studio-foot"):
            self.build_problem("speech-problem")
            self.verdict = gr.HTML("", elem_classes="studio-note", padding=False, elem_id="speech-verdict")
            with gr.Row(equal_height=True):
                self.build_go("Generate", "speech-go")
                self.go.interactive = False  # until the text is there: who presses it at once would be told that there is none

    def _build_right(self, words: Any) -> None:
        self.build_view("speech-view")
        ui.last_results("music.")
        with gr.Accordion(words("Readings – click a word to correct it"), open=True, elem_id="speech-readings-fold"):
            self.readings = gr.HTML("", js_on_load=SCRIPT, padding=False, elem_id="speech-readings", elem_classes="speech-panel")
        with gr.Accordion(words("My pronunciations"), open=False, elem_id="speech-dictionary-fold"):
            self.table = gr.HTML("", js_on_load=SCRIPT, padding=False, elem_id="speech-dictionary", elem_classes="speech-panel")
            with gr.Row(elem_classes="studio-quiet"):
                self.taken_in = gr.UploadButton(words("Import"), file_types=[".txt", ".csv", ".tsv"], size="sm", min_width=80)
                self.given_out = gr.Button(words("Export"), size="sm", min_width=80)

    @property
    def given(self) -> dict[str, Any]:
        """What a job is asked from, by parameter; the voices of a script's speakers as "cast"."""
        cast = {f"cast_{number}": voice for number, voice in enumerate(self.cast_voices)}
        return {"text": self.text, "cast": self.cast} | cast | self.voices | self.controls | self.extras

    @property
    def filled(self) -> list[Any]:
        return [self.text, *self.voices.values(), *self.controls.values()]

    @property
    def restored(self) -> list[Any]:
        """What `on_load` and `on_restore` give values for."""
        return [*self.filled, self.voice_note, self.readings, self.table, *self.casting]

    @property
    def casting(self) -> list[Any]:
        """A script's speakers: their names, the row and its lists."""
        return [self.cast, self.cast_row, *self.cast_voices]

    def on_restore(self, request: gr.Request) -> list[Any]:
        return self.on_load(request)

    def listen(self) -> None:
        given, follow = self.given, {"trigger_mode": "always_last"} | ui.QUICK
        fields = {"text": self.text} | self.voices | self.controls
        self.listen_job([self.go.click], given, fields).then(self.on_readings, [self.text], [self.readings], **ui.QUICK)
        measured = [self.text, *self.voices.values(), self.controls["speed"], self.controls["kind"], self.controls["language"], self.controls["format"]]
        gr.on([one.change for one in measured], self.on_measure, inputs_kwargs=given, outputs=[self.verdict], **follow)
        gr.on([self.text.change, self.controls["kind"].change], self.on_cast, [self.text, self.controls["kind"], self.cast], self.casting, **follow)
        gr.on([voice.change for voice in self.voices.values()], self.on_voice, list(self.voices.values()), [self.voice_note], **ui.QUICK)
        self.text.focus(lambda: True, [], [self.awake], **ui.QUICK).then(self.on_readings, [self.text], [self.readings], **ui.QUICK)  # looked up once somebody writes, not for all who open the studio
        self.text.change(self.on_changed, [self.text, self.awake], [self.readings], **follow)
        self.view.input(self.on_example, [], [self.text], **ui.QUICK).then(self.on_readings, [self.text], [self.readings], **ui.QUICK)
        self.readings.input(self.on_correct, [self.text], [self.readings, self.table], **ui.EACH)
        self.table.select(self.on_table, [self.text], [self.readings, self.table], **ui.EACH)
        self.taken_in.upload(self.on_import, [self.taken_in, self.text], [self.readings, self.table], **ui.QUICK)
        ui.gives_file(self.given_out, self.on_export, [])
        self.voice_note.apply(self.on_fetched, [*self.voices.values()], [*self.voices.values(), self.voice_note], **ui.QUICK)
        page = gr.context.Context.root_block
        assert isinstance(page, gr.Blocks)
        page.load(self.on_load, [], self.restored, **ui.QUICK).then(lambda: gr.update(interactive=True), [], [self.go], **ui.QUICK)
        ui.on_restore(self.studio, SPEECH, ["music", "speech"], self.on_restore, self.restored)

    # -- a job -----------------------------------------------------------------------------------------------

    def asked(self, owner: str, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """The job with the person's dictionary. The draft keeps the voices of the lists apart from what stands under "Speakers"."""
        written = self._written(given)
        self.studio.store.remember(owner, FORM, written | {"cast": self._chosen(given)})
        return self._values(owner, written, given), ui.read_extras(self.studio, SPEECH, given)

    def accepted(self, owner: str, given: dict[str, Any]) -> None:
        """Under "Speakers" stands what was spoken by: in another text it says nothing."""
        self.studio.store.remember(owner, SERVED, self._written(given)["speakers"])

    def _values(self, owner: str, written: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        """With the person's dictionary and the speakers that were given a voice in the lists, unless their line names another; an earlier text's are left. Raises BadInput."""
        names = self._cast(str(written["text"]), str(written["kind"]))
        lines = self.method.serving(written["speakers"], self.studio.store.recall(owner, SERVED) or [], names)
        return written | {"speakers": self.method.joined(lines, self._chosen(given, names)), "dictionary": self.words.lines(owner)}

    def _written(self, given: dict[str, Any]) -> dict[str, Any]:
        return ui.read_values(self.Params, given | {name: given[name] or "" for name in ("text", *VOICES)})

    def _chosen(self, given: dict[str, Any], names: list[str] | None = None) -> dict[str, str]:
        """The voices of the lists, by speaker, where wanted only of those named: the lists follow the text a moment later."""
        return {name: voice for number, name in enumerate(given["cast"]) if (voice := given.get(f"cast_{number}") or "") and (names is None or name in names)}

    def told(self, error: StudioError, given: dict[str, Any], lang: str) -> str:
        """With the line where a mark is wrong and a sign below the place."""
        return self.problem.told(error, lang, marked_place(error, str(given["text"] or "")))

    def on_measure(self, request: gr.Request, **given: Any) -> str:
        """What the text is taken for, how long it will sound and take; what is wrong with it."""
        lang, say = ui.lang(request), self.studio.words.say
        if not str(given["text"] or "").strip():
            return ""
        try:
            written = self._written(given)
            values = self._values(ui.owner(request), written, given)
            need = self.studio.jobs.verdict(self.method, self.Params.parse(values))
        except StudioError as error:
            return html.escape(ui.error_text(self.studio, error, lang))
        if need.missing:
            return f"<span class='studio-error'>{html.escape(say(lang, need.missing))}</span>"
        kind = values["kind"] if values["kind"] != "Automatic" else self.method.kind_of(values["text"])
        count = int(need.facts["sentences"])
        told = [say(lang, kind), say(lang, "{n} sentences" if count != 1 else "1 sentence", n=str(count)), say(lang, "about {n} s of speech", n=f"{need.facts['length']:.0f}")]
        told += memory_words(self.studio, need, lang)
        if need.seconds >= 0:
            key, number = duration(need.seconds)
            told.append(say(lang, "ready in {time}", time=say(lang, key, n=number)))
        told += [say(lang, note) for note in need.notes]
        asked, named = ([line.partition("=")[0].strip() for line in lines] for lines in (written["speakers"], values["speakers"]))
        if left := [name for name in asked if name not in named]:
            told.append(say(lang, "not in this text and left out: {names}", names=", ".join(left)))
        return html.escape(" · ".join(told))

    # -- what comes of it ------------------------------------------------------------------------------------

    def sounds(self, run: Run, owner: str, lang: str) -> list[Sound]:
        """The whole with its lines; while it is at work, what is finished of it."""
        found = [output for output in self._outputs(run) if output.kind == "audio"]
        shown = found if run.running else found[-1:]
        return [Sound(address(output.id), output.id, output.title, float(output.metadata["facts"].get("seconds", 0)), lines_of(output.metadata["facts"])) for output in shown]

    def below(self, run: Run, owner: str, lang: str) -> str:
        outputs, say = self._outputs(run), self.studio.words.say
        if not outputs or run.running:
            return ""
        sounds = [output for output in outputs if output.kind == "audio"]
        named = [*((output, "Sound") for output in sounds[-1:]), *((output, "Subtitles") for output in outputs if output.kind == "text")]
        links = [self._link(output, say(lang, name)) for output, name in named] + [self._link(output, f"{number}. {output.title}") for number, output in enumerate(sounds[:-1], 1)]
        credits = list(dict.fromkeys(str(credit) for output in sounds for credit in output.metadata["facts"].get("credits", [])))
        told = f'<p class="studio-note">{html.escape(" · ".join(credits))}</p>' if credits else ""
        return f'<nav class="speech-files" aria-label="{html.escape(say(lang, "Files"))}">{"".join(links)}</nav>{told}'

    def _link(self, output: Any, name: str) -> str:
        suffix = Path(output.path).suffix.lstrip(".").upper()
        return f'<a href="{address(output.id)}?download=1" download>↓ {html.escape(name)} <small>{html.escape(suffix)}</small></a>'

    def _outputs(self, run: Run) -> list[Any]:
        found = []
        for output in run.outputs:
            try:
                found.append(self.studio.store.output(output))
            except StudioError:
                continue
        return found

    def hello(self, owner: str, lang: str) -> str:
        say = self.studio.words.say
        ideas = "".join(f'<button type="button" data-example="{html.escape(text)}">{html.escape(say(lang, name))}</button>' for name, text in EXAMPLES[lang])
        return f'<div class="studio-empty"><b lang="ja">生成</b><br>{html.escape(say(lang, "Press Generate to hear the text, or begin with one of these."))}<div class="speech-ideas">{ideas}</div></div>'

    # -- filling ---------------------------------------------------------------------------------------------

    def on_load(self, request: gr.Request) -> list[Any]:
        """What a file or an output gives back, else the draft, else a sentence in the page's language."""
        owner, lang, store = ui.owner(request), ui.lang(request), self.studio.store
        restored = store.recall(owner, f"restore:{SPEECH}")
        store.remember(owner, f"restore:{SPEECH}", None)
        values = dict(restored or store.recall(owner, FORM) or {})
        if restored and restored.get("dictionary"):
            own = dict(pairs_of(self.words.lines(owner)))
            self.words.put(owner, list((own | dict(pairs_of(list(restored["dictionary"])))).items()))
        text = str(values.get("text") or SAMPLES[lang])
        cast = self._cast(text, str(values.get("kind") or "Automatic"))
        told, values["speakers"] = self._parted(cast, list(values.get("speakers") or []))
        if restored:
            store.remember(owner, SERVED, values["speakers"])
        voices = [gr.update(choices=self.choices(name, lang), value=str(values.get(name, ""))) for name in VOICES]
        shown = ui.show_values(self.Params, values)
        readings = self.words.readings(owner, text if restored else "", lang)
        about = self._about_voices([str(values.get(name, "")) for name in VOICES], lang, request)
        return [text, *voices, *(shown.get(name, gr.skip()) for name in self.controls), about, readings, self.words.table(owner, lang), *self._casting(cast, [], dict(values.get("cast") or {}) | told, lang)]

    def _parted(self, cast: list[str], lines: list[str]) -> tuple[dict[str, str], list[str]]:
        """What the lists of the speakers show, and what stays under "Speakers"; lines that can't be read stay, for their sentence."""
        try:
            found: tuple[dict[str, str], list[str]] = self.method.parted(cast, lines, SPEAKERS)
        except StudioError:
            return {}, lines
        return found

    def choices(self, field: str, lang: str) -> list[tuple[str, str]]:
        """(label, id): those that can speak first."""
        japanese = field == "japanese_voice"
        fitting = [voice for voice in self.method.voices(self.studio.catalog) if ("ja" in voice["languages"] if japanese else tuple(voice["languages"]) != ("ja",))]
        return [(self.studio.words.say(lang, "Automatic"), ""), *((self._label(voice, lang), voice["id"]) for voice in sorted(fitting, key=lambda voice: bool(voice["missing"])))]

    def _label(self, voice: dict[str, Any], lang: str) -> str:
        say = self.studio.words.say
        named = [say(lang, LANGUAGES[code]) if code in LANGUAGES else code for code in voice["languages"]]
        return " · ".join([str(voice["title"]), *named, *([str(voice["licence"])] if voice["licence"] else []), *([say(lang, "not here yet")] if voice["missing"] else [])])

    def _about_voices(self, chosen: list[str], lang: str, request: gr.Request) -> str:
        """Licences and credits of the chosen voices, what one of them lacks, and what can be fetched."""
        say, every = self.studio.words.say, self.method.voices(self.studio.catalog)
        parts = []
        for voice in (voice for voice in every if voice["id"] in chosen):
            about = " ".join(word for word in (voice["licence"], voice["credit"]) if word)
            parts += [say(lang, voice["missing"])] if voice["missing"] else [f"{voice['title']}: {about}"] if about else []
        told = f'<p class="studio-note">{html.escape(" · ".join(parts))}</p>' if parts else ""
        wished = {voice["starter"] for voice in every if voice["missing"] and voice["starter"]} if ui.is_host(request) else set()
        buttons = [self._fetch(model, sum(voice["starter"] == model.id for voice in every), lang) for model in starter_models() if model.id in wished]
        return told + "".join(buttons)

    def _fetch(self, model: Any, voices: int, lang: str) -> str:
        """What comes of it is said, not only what it is called."""
        say = self.studio.words.say
        for_whom = " ".join(say(lang, LANGUAGES[language]) for language in model.languages if language in LANGUAGES)
        label = say(lang, "Get {n} better voices, {language}: {title} ({mb} MB)", n=str(voices), language=for_whom, title=model.title, mb=f"{model.bytes / 1e6:.0f}")
        return f'<button type="button" class="fetch" data-fetch="{html.escape(model.id)}">{html.escape(label)}</button>'

    def on_voice(self, voice: str, japanese_voice: str, request: gr.Request) -> str:
        return self._about_voices([voice or "", japanese_voice or ""], ui.lang(request), request)

    def on_fetched(self, voice: str, japanese_voice: str, request: gr.Request) -> list[Any]:
        lang = ui.lang(request)
        self.studio.catalog.refresh()
        return [*(gr.update(choices=self.choices(name, lang)) for name in VOICES), self._about_voices([voice or "", japanese_voice or ""], lang, request)]

    def on_cast(self, text: str, kind: str, before: list[str], request: gr.Request) -> list[Any]:
        """A list of voices for each speaker of a script."""
        names = self._cast(text or "", kind)
        return [gr.skip()] * (2 + SPEAKERS) if names[:SPEAKERS] == before else self._casting(names, before, {}, ui.lang(request))

    def _cast(self, text: str, kind: str) -> list[str]:
        try:
            names: list[str] = self.method.speakers(text, kind)
        except StudioError:
            return []  # a table that is still being written
        return names

    def _casting(self, names: list[str], before: list[str], chosen: dict[str, str], lang: str) -> list[Any]:
        """For `casting`: who was there in the same place keeps what the list shows."""
        names = names[:SPEAKERS]
        every = [(self._label(voice, lang), voice["id"]) for voice in self.method.voices(self.studio.catalog) if not voice["missing"]]
        choices = [(self.studio.words.say(lang, "By turns"), ""), *every]
        boxes = [gr.update(visible=True, label=name, choices=choices, **({} if before[number : number + 1] == [name] else {"value": chosen.get(name, "")})) for number, name in enumerate(names)]
        return [names, gr.update(visible=bool(names)), *boxes, *[gr.update(visible=False, value="")] * (SPEAKERS - len(names))]

    def on_example(self, event: gr.EventData) -> str:
        return str(event._data["value"])

    # -- readings and the dictionary ---------------------------------------------------------------------------

    def on_readings(self, text: str, request: gr.Request) -> str:
        return self.words.readings(ui.owner(request), text or "", ui.lang(request))

    def on_changed(self, text: str, awake: bool, request: gr.Request) -> Any:
        return self.on_readings(text, request) if awake else gr.skip()

    def on_correct(self, event: gr.EventData, text: str, request: gr.Request) -> list[str]:
        """A word's reading was corrected in its place."""
        value = dict(event._data["value"])
        return self._kept(request, text, lambda owner: self.words.correct(owner, str(value["word"]), str(value["reading"])))

    def on_table(self, event: gr.EventData, text: str, request: gr.Request) -> list[str]:
        rows = [(str(word), str(reading)) for word, reading in json.loads(str(event._data["value"]))]
        return self._kept(request, text, lambda owner: self.words.put(owner, rows))

    def on_import(self, path: str, text: str, request: gr.Request) -> list[str]:
        """A file's words beside those that are there; of one word its reading counts."""
        def take(owner: str) -> None:
            data = Path(path).read_bytes()
            if len(data) > LARGEST_DICTIONARY:
                raise BadInput("This file is too large for a dictionary.", hint="Give one with fewer words.", field="dictionary")
            self.words.put(owner, [*pairs_of(self.words.lines(owner)), *imported(text_of(data))])

        return self._kept(request, text, take)

    def _kept(self, request: gr.Request, text: str, change: Any) -> list[str]:
        """The readings and the table after a change; what was refused stands above the table, or above the readings."""
        owner, lang = ui.owner(request), ui.lang(request)
        try:
            change(owner)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return [self.words.readings(owner, text or "", lang), self.words.table(owner, lang)]

    def on_export(self, request: gr.Request) -> dict[str, str]:
        return {"name": "pronunciations.txt", "text": "\n".join(self.words.lines(ui.owner(request))) + "\n"}


def lines_of(facts: dict[str, Any]) -> tuple[tuple[float, float, str], ...]:
    """What is lit up while it is heard, from the sound's timing."""
    return tuple((float(row[0]), float(row[1]), f"{row[3]}: {row[2]}" if row[3] else str(row[2])) for row in facts.get("timing", []))


def marked_place(error: StudioError, text: str) -> str:
    """HTML: the line of the text that an error names, and a sign below the column."""
    found = PLACE.match(error.message) if error.field == "text" else None
    lines = text.split("\n")
    if not found or int(found[1]) > len(lines):
        return ""
    line, column = lines[int(found[1]) - 1], int(found[2])
    first = max(0, column - 30)
    return f"<pre class='speech-place'>{html.escape(line[first : column + 30])}\n{' ' * (column - 1 - first)}▲</pre>"
