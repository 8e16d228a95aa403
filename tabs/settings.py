"""Settings: all choices about the studio itself, searchable; and the report for a bug ticket."""

from __future__ import annotations

import html
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import Studio, StudioError, Tab, hookimpl
from studio.doctor import report
from studio.settings import Settings

NOT_HERE = ("data_dir",)


def about(name: str, key: str) -> Any:
    extra: Any = Settings.model_fields[name].json_schema_extra
    return extra["setting"][key]


class SettingsTab:
    id: ClassVar[str] = "settings"
    title: ClassVar[str] = "Settings"
    order: ClassVar[int] = 90

    def build(self, studio: Studio) -> None:
        self.studio = studio
        w = studio.words
        self.names = [name for name in Settings.model_fields if name not in NOT_HERE]
        self.search = gr.Textbox(label=w("Search settings"), placeholder=w("Port, memory, language …"), elem_id="settings-search", elem_classes="search-action")
        self.fields: dict[str, Any] = {}
        self.groups: dict[str, Any] = {}
        members: dict[str, list[str]] = {}
        for name in self.names:
            members.setdefault(about(name, "group"), []).append(name)
        for group, names in members.items():
            with gr.Column(elem_classes="studio-settings") as self.groups[group]:
                gr.HTML(f"<h2>{html.escape(w(group))}</h2>", padding=False)
                for name in names:
                    self.fields[name] = self._field(name)
        self.none = gr.HTML(f"<p class='studio-empty'>{html.escape(w('No setting is called that.'))}</p>", visible=False)
        self.problem = ui.Problem(studio)
        self.problem.build()
        with gr.Row(elem_classes="studio-save"):
            self.save = gr.Button(w("Save settings"), variant="primary", elem_classes="primary-action", scale=0, min_width=160)
            self.told = gr.HTML("", elem_classes="studio-note")
        with gr.Accordion(w("Report for a bug ticket"), open=False):
            self.report = gr.Textbox(label=w("Report"), lines=14, buttons=["copy"])
            self.make = gr.Button(w("Make the report"))
        self._listen()

    def _field(self, name: str) -> Any:
        field, value = Settings.model_fields[name], getattr(self.studio.settings, name)
        if about(name, "secret"):
            label, info = self.studio.words(field.title or name), self.studio.words(field.description)
            return gr.Textbox(value="", label=label, info=info, type="password", placeholder="••••••" if value else "")
        if field.annotation in (int, float):  # exact values, no sliders over wide ranges
            return gr.Number(value=value, precision=0 if field.annotation is int else None, label=self.studio.words(field.title or name), info=self.studio.words(field.description))
        return ui.control(field, self.studio, value=value)

    def _listen(self) -> None:
        self.save.click(self.on_save, inputs_kwargs=self.fields, outputs=[self.told, self.problem.view], **ui.QUICK)
        self.problem.listen(self.fields)
        shown = [self.none, *self.groups.values(), *self.fields.values()]
        self.search.change(self.on_search, [self.search], shown, trigger_mode="always_last", **ui.QUICK)
        self.make.click(self.on_report, [], [self.report], **ui.QUICK)
        context = gr.context.Context.root_block
        assert isinstance(context, gr.Blocks)
        context.load(self.on_load, [], list(self.fields.values()), **ui.QUICK)

    def on_load(self, request: gr.Request) -> list[Any]:
        """As they now are; nothing for guests, nothing of secrets."""
        shown = ui.is_host(request)
        values = [gr.skip() if about(name, "secret") or not shown else ui.show_value(getattr(self.studio.settings, name)) for name in self.fields]
        return values if len(values) > 1 else values[0]

    def on_save(self, request: gr.Request, **given: Any) -> list[Any]:
        """What was saved, and when it applies; a refused value is told beside its field, and nothing is saved."""
        say, lang = self.studio.words.say, ui.lang(request)
        try:
            ui.only_host(request)
            values = {name: ui.read_value(name, Settings.model_fields[name], value) for name, value in given.items() if not (about(name, "secret") and not value)}
            now = self.studio.settings
            changes = {name: value for name, value in values.items() if value != getattr(now, name)}
            self.studio.change_settings(changes)
        except StudioError as error:
            if error.field not in self.fields:
                raise ui.toast(self.studio, error, request) from error
            return ["", self.problem.told(error, lang)]
        later = [say(lang, Settings.model_fields[name].title or name) for name in changes if about(name, "restart")]
        told = say(lang, "Saved.") + (" " + say(lang, "These apply at the next start: {names}", names=", ".join(later)) if later else "")
        return [html.escape(told if changes else say(lang, "Nothing was changed.")), ""]

    def on_search(self, query: str, request: gr.Request) -> list[Any]:
        say, lang = self.studio.words.say, ui.lang(request)
        words = query.lower().split()

        def text(name: str) -> str:
            field = Settings.model_fields[name]
            told = (about(name, "group"), field.title or "", field.description or "")
            return " ".join([name, *told, *(say(lang, part) for part in told)]).lower()

        found = {name for name in self.fields if all(word in text(name) for word in words)}
        groups = {about(name, "group") for name in found}
        return [gr.update(visible=not found), *(gr.update(visible=group in groups) for group in self.groups), *(gr.update(visible=name in found) for name in self.fields)]

    def on_report(self, request: gr.Request) -> str:
        if not ui.is_host(request):
            raise ui.toast(self.studio, StudioError("Only the studio's owner may see the report."), request)
        return report(self.studio.settings, self.studio.notices)


@hookimpl
def register_tabs(studio: Any) -> list[Tab]:
    return [SettingsTab()]
