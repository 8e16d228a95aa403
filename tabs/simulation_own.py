"""The Own page of the Simulation tab: a model that one types, checked while it is typed, kept by name, and shared as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr

from studio import ui
from studio.api import BadInput, Studio, StudioError
from tabs.simulation_desk import OWN, Desk
from tabs.simulation_own_check import refused, settings_of, understood
from tabs.simulation_own_examples import BORDERS, EXAMPLES, KINDS, METHODS, example_of
from tabs.simulation_own_help import HELP
from tabs.text_chat import as_file

DOCUMENT = "simulation"  # the kind of documents that models are kept as
DRAFT = "simulation.own"  # what each person was typing
MOST_BYTES = 200_000
MOST_UNDO = 20
NAMES = ("kind", "title", "text", "duration", "dt", "time_unit", "method", "size", "spacing", "border", "about")


class OwnPage:
    """`tab` is the gr.Tab it stands in, set before `listen`."""

    tab: Any

    def __init__(self, studio: Studio, desk: Desk) -> None:
        self.studio = studio
        self.desk = desk

    # -- drawing ---------------------------------------------------------------------------------------------

    def build(self) -> None:
        self.undone = gr.State([])
        self.seen = gr.State("")  # the model of one's own that the desk had when this page last looked
        with gr.Row(elem_classes="studio-two", elem_id="simulation-own"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                self._build_choice()
                self._build_settings()
                self._build_kept()
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self._build_text()

    def _build_choice(self) -> None:
        words, first = self.studio.words, EXAMPLES[0]
        self.example = gr.Dropdown([one["title"] for one in EXAMPLES], value=first["title"], label=words("Start from an example"), elem_id="own-example")
        self.kind = gr.Dropdown([(words(kind.title), kind.id) for kind in KINDS], value=first["kind"], label=words("Kind of model"), info=words(KINDS[0].about), elem_id="own-kind")
        self.title = gr.Textbox(first["title"], label=words("Name"), max_lines=1, max_length=80, elem_id="own-title")

    def _build_settings(self) -> None:
        words, first = self.studio.words, EXAMPLES[0]
        with gr.Row():
            self.duration = gr.Number(first["duration"], label=words("Length of a run"), min_width=110)
            self.dt = gr.Number(first["dt"], label=words("Time step"), min_width=110)
        with gr.Accordion(words("More settings"), open=False):
            self.time_unit = gr.Textbox(first.get("time_unit", ""), label=words("Unit of time"), max_lines=1, max_length=20)
            self.method = gr.Dropdown([("", "")], value="", label=words("Method"), visible=False)
            with gr.Row():
                self.size = gr.Slider(8, 512, 96, step=1, label=words("Cells on a side"), visible=False, min_width=110)
                self.spacing = gr.Number(1.0, label=words("Distance of cells"), visible=False, min_width=110)
            self.border = gr.Dropdown([(words(title), name) for title, name in BORDERS.items()], value="periodic", label=words("Border"), visible=False)
            self.about = gr.Textbox(first["about"], label=words("About"), lines=3, max_lines=6, max_length=2000)

    def _build_kept(self) -> None:
        words = self.studio.words
        with gr.Accordion(words("My models"), open=False) as self.fold:
            self.kept = gr.Dropdown([], value=None, label=words("My models"), show_label=False, elem_id="own-kept")
            with gr.Row(elem_classes="studio-quiet"):
                self.save = gr.Button(words("Save"), size="sm", min_width=70, elem_id="own-save")
                self.delete = gr.Button(words("Delete"), size="sm", min_width=70, interactive=False)
                self.undelete = gr.Button(words("Undo"), size="sm", min_width=60, visible=False)
            self.deleted = gr.State("")
            with gr.Row(elem_classes="studio-quiet"):
                self.given = gr.Button(words("Export"), size="sm", min_width=70, elem_id="own-export")
                self.taken = gr.UploadButton(words("Import"), file_types=[".json"], size="sm", min_width=70, elem_id="own-import")

    def _build_text(self) -> None:
        words = self.studio.words
        self.text = gr.Textbox(EXAMPLES[0]["text"], label=words("Your model"), lines=16, max_lines=30, elem_id="own-text", elem_classes="own-code")
        with gr.Row(elem_classes="own-go"):
            self.run = gr.Button(words("Run this model"), variant="primary", elem_classes="primary-action", elem_id="own-run", min_width=140)
            self.undo = gr.Button(words("Undo"), interactive=False, min_width=120, scale=0, elem_id="own-undo")
        self.check = gr.HTML("", padding=False, elem_id="own-check")
        with gr.Accordion(words("How to write it"), open=False, elem_id="own-help"):
            self.help = gr.HTML(HELP, padding=False)

    # -- events ----------------------------------------------------------------------------------------------

    @property
    def fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in NAMES}

    @property
    def filled(self) -> list[Any]:
        """What `shown` gives values for."""
        return [*self.fields.values(), self.check, self.undone, self.undo]

    def listen(self) -> None:
        fields, values = self.fields, list(self.fields.values())
        gr.on([component.change for component in values], self.on_typed, values, [self.check], trigger_mode="always_last", **ui.QUICK)
        self.text.blur(self.on_left, values, [], **ui.QUICK)
        ui.on_choice(self.example, self.on_example, [self.example, self.undone, *values], self.filled)
        ui.on_choice(self.kind, self.on_kind, [self.undone, *values], self.filled)
        self.undo.click(self.on_undo, [self.undone, *values], self.filled, **ui.QUICK)
        self.run.click(self.on_run, values, [*self.desk.picked, self.seen, self.desk.bridge, self.desk.tabs, self.check], **ui.QUICK)
        kept = [self.kept, self.delete, self.undelete, self.deleted]
        self.save.click(self.on_save, values, [*kept, self.check], **ui.QUICK)
        ui.on_choice(self.kept, self.on_open, [self.kept, self.undone, *values], [*self.filled, self.delete])
        self.delete.click(self.on_delete, [self.kept], kept, **ui.QUICK)
        self.undelete.click(self.on_undelete, [self.deleted], kept, **ui.QUICK)
        ui.gives_file(self.given, self.on_export, list(fields.values()))
        self.taken.upload(self.on_import, [self.taken, self.undone, *values], self.filled, **ui.QUICK)
        self.tab.select(self.on_desk, [self.desk.own, self.seen, self.undone, *values], [*self.filled, self.seen], **ui.QUICK)
        page = gr.context.Context.root_block
        assert isinstance(page, gr.Blocks)
        page.load(self.on_load, values, [*self.filled, *kept], **ui.QUICK)

    # -- a declaration, in and out ---------------------------------------------------------------------------

    def declaration(self, values: tuple[Any, ...]) -> dict[str, Any]:
        return settings_of(dict(zip(NAMES, values, strict=True)))

    def checked(self, declaration: dict[str, Any], lang: str) -> str:
        """HTML under the text."""
        try:
            return understood(self.studio, self.read(declaration), lang)
        except StudioError as error:
            return refused(self.studio, error, str(declaration.get("text", "")), lang)

    def read(self, declaration: dict[str, Any]) -> Any:
        """Raises BadInput, Misread."""
        return self.desk.find(OWN, json.dumps(declaration, ensure_ascii=False))

    def shown(self, declaration: dict[str, Any], undone: list[Any], lang: str) -> list[Any]:
        """Values for `filled`: the controls that this kind has, and what is said of it."""
        kind = next((one for one in KINDS if one.id == declaration.get("kind")), KINDS[0])
        methods = METHODS.get(kind.id, {})
        method = declaration.get("method", "") if declaration.get("method", "") in methods.values() else ""
        found = {
            "kind": gr.update(value=kind.id, info=self.studio.words.say(lang, kind.about)), "title": declaration.get("title", ""), "text": declaration.get("text", ""),
            "duration": declaration.get("duration", 100.0), "dt": gr.update(value=declaration.get("dt", 0.01), visible="dt" in kind.needs), "time_unit": declaration.get("time_unit", ""),
            "method": gr.update(choices=[(title, name) for title, name in methods.items()] or [("", "")], value=method, visible=bool(methods)),
            "size": gr.update(value=declaration.get("size", 96), visible="size" in kind.needs), "spacing": gr.update(value=declaration.get("spacing", 1.0), visible="spacing" in kind.needs),
            "border": gr.update(value=declaration.get("border", "periodic"), visible="border" in kind.needs), "about": declaration.get("about", ""),
        }  # fmt: skip
        return [*(found[name] for name in NAMES), self.checked(declaration, lang), undone[-MOST_UNDO:], gr.update(interactive=bool(undone))]

    def replaced(self, declaration: dict[str, Any], undone: list[Any], values: tuple[Any, ...], request: gr.Request) -> list[Any]:
        """What was there can be had again by Undo."""
        before = self.declaration(values)
        return self.shown(declaration, undone if before == declaration else [*undone, before], ui.lang(request))

    # -- typing ----------------------------------------------------------------------------------------------

    def on_typed(self, request: gr.Request, *values: Any) -> str:
        return self.checked(self.declaration(values), ui.lang(request))

    def on_left(self, request: gr.Request, *values: Any) -> None:
        """The draft is there again when the page is opened again."""
        declaration = self.declaration(values)
        if len(declaration["text"]) <= MOST_BYTES:
            self.studio.store.remember(ui.owner(request), DRAFT, declaration)

    def on_example(self, request: gr.Request, title: str, undone: list[Any], *values: Any) -> list[Any]:
        return self.replaced(next((one for one in EXAMPLES if one["title"] == title), EXAMPLES[0]), undone, values, request)

    def on_kind(self, request: gr.Request, undone: list[Any], *values: Any) -> list[Any]:
        """Another kind brings its example, unless something of one's own is typed."""
        declaration = self.declaration(values)
        if declaration["text"].strip() in {"", *(one["text"] for one in EXAMPLES)}:
            return self.replaced(example_of(declaration["kind"]), undone, values, request)
        return self.shown(declaration, undone, ui.lang(request))

    def on_undo(self, request: gr.Request, undone: list[Any], *values: Any) -> list[Any]:
        if not undone:
            return [gr.skip()] * len(self.filled)
        return self.shown(undone[-1], undone[:-1], ui.lang(request))

    def on_run(self, request: gr.Request, *values: Any) -> list[Any]:
        """On the desk with it, and to the Run page."""
        declaration, lang = self.declaration(values), ui.lang(request)
        try:
            picked = self.desk.pick(OWN, json.dumps(declaration, ensure_ascii=False))
        except StudioError as error:
            return [*[gr.skip()] * (len(self.desk.picked) + 3), refused(self.studio, error, declaration["text"], lang)]
        self.studio.store.remember(ui.owner(request), DRAFT, declaration)
        return [*picked, picked[1], self.desk.put(*picked), gr.Tabs(selected="run"), self.checked(declaration, lang)]

    def on_desk(self, request: gr.Request, own: str, seen: str, undone: list[Any], *values: Any) -> list[Any]:
        """A link or a dropped file brought a model of one's own: it can be worked on here. What was put on the desk from here is not taken back."""
        if not own or own == seen or json.loads(own) == self.declaration(values):
            return [*[gr.skip()] * len(self.filled), own]
        return [*self.replaced(json.loads(own), undone, values, request), own]

    def on_load(self, request: gr.Request, *values: Any) -> list[Any]:
        owner, lang = ui.owner(request), ui.lang(request)
        draft = self.studio.store.recall(owner, DRAFT)
        return [*self.shown(draft if isinstance(draft, dict) else EXAMPLES[0], [], lang), *self._kept(owner, None)]

    # -- kept, given and taken -------------------------------------------------------------------------------

    def _kept(self, owner: str, chosen: str | None, deleted: str = "") -> list[Any]:
        """Values for the choice of kept models and its buttons."""
        choices = [(one.title, one.id) for one in self.studio.store.documents(DOCUMENT, owner=owner, limit=500)]
        return [gr.update(choices=choices, value=chosen), gr.update(interactive=bool(chosen)), gr.update(visible=bool(deleted)), deleted]

    def on_save(self, request: gr.Request, *values: Any) -> list[Any]:
        """Under its name; what had that name is replaced. An unfinished model is kept as it is."""
        owner, declaration, lang = ui.owner(request), self.declaration(values), ui.lang(request)
        try:
            if len(json.dumps(declaration)) > MOST_BYTES:
                raise BadInput("The model is too long to be kept.", hint="Make it shorter.", field=OWN)
            same = next((one.id for one in self.studio.store.documents(DOCUMENT, owner=owner, limit=500) if one.title == declaration["title"]), "")
            saved = self.studio.store.put_document(kind=DOCUMENT, owner=owner, title=declaration["title"], body=declaration, id=same)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return [*self._kept(owner, saved.id), self.checked(declaration, lang)]

    def on_open(self, request: gr.Request, document: str | None, undone: list[Any], *values: Any) -> list[Any]:
        if not document:
            return [*[gr.skip()] * len(self.filled), gr.update(interactive=False)]
        try:
            body = self.studio.store.document(document, owner=ui.owner(request)).body
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return [*self.replaced(body, undone, values, request), gr.update(interactive=True)]

    def on_delete(self, document: str | None, request: gr.Request) -> list[Any]:
        owner = ui.owner(request)
        if document:
            self.studio.store.delete_document(document, owner=owner)
        return self._kept(owner, None, document or "")

    def on_undelete(self, document: str, request: gr.Request) -> list[Any]:
        owner = ui.owner(request)
        if document:
            self.studio.store.undelete_document(document, owner=owner)
        return self._kept(owner, document or None)

    def on_export(self, *values: Any) -> dict[str, str]:
        declaration = self.declaration(values)
        return as_file(declaration["title"], ".json", json.dumps(declaration, ensure_ascii=False, indent=1))

    def on_import(self, request: gr.Request, path: str, undone: list[Any], *values: Any) -> list[Any]:
        """A file of anybody's: it has to be a model that is understood before anything of it is shown."""
        try:
            raw = Path(path).read_bytes()[: MOST_BYTES + 1]
            if len(raw) > MOST_BYTES:
                raise BadInput("The file is too large for a model.", hint="Choose a file that was saved on the page “Own”.", field=OWN)
            text = raw.decode("utf-8-sig", errors="replace")
            self.desk.find(OWN, text)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return self.replaced(json.loads(text), undone, values, request)
