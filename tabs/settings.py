"""Settings: all choices about the studio itself, searchable; and the report for a bug ticket."""

from __future__ import annotations

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
        self.search = gr.Textbox(label=w("Search settings"), placeholder=w("Port, memory, language …"), elem_classes="search-action")
        self.told = gr.HTML("", elem_classes="studio-note")
        self.fields: dict[str, Any] = {}
        groups: dict[str, list[str]] = {}
        for name in self.names:
            groups.setdefault(about(name, "group"), []).append(name)
        for group, names in groups.items():
            with gr.Accordion(w(group), open=True):
                for name in names:
                    self.fields[name] = self._field(name)
        self.save = gr.Button(w("Save settings"), variant="primary", elem_classes="primary-action")
        with gr.Accordion(w("Report for a bug ticket"), open=False):
            self.report = gr.Textbox(label=w("Report"), lines=14, buttons=["copy"])
            self.make = gr.Button(w("Make the report"))
        self._listen()

    def _field(self, name: str) -> Any:
        field, value = Settings.model_fields[name], getattr(self.studio.settings, name)
        if about(name, "secret"):
            label, info = self.studio.words(field.title or name), self.studio.words(field.description)
            return gr.Textbox(value="", label=label, info=info, type="password", placeholder="••••••" if value else "")
        return ui.control(field, self.studio, value=value)

    def _listen(self) -> None:
        self.save.click(self.on_save, inputs_kwargs=self.fields, outputs=[self.told], **ui.QUICK)
        self.search.change(self.on_search, [self.search], list(self.fields.values()), trigger_mode="always_last", **ui.QUICK)
        self.make.click(self.on_report, [], [self.report], **ui.QUICK)
        context = gr.context.Context.root_block
        assert isinstance(context, gr.Blocks)
        context.load(self.on_load, [], list(self.fields.values()), **ui.QUICK)

    def on_load(self, request: gr.Request) -> list[Any]:
        """As they now are; nothing for guests, nothing of secrets."""
        shown = ui.is_host(request)
        values = [gr.skip() if about(name, "secret") or not shown else ui.show_value(getattr(self.studio.settings, name)) for name in self.fields]
        return values if len(values) > 1 else values[0]

    def on_save(self, request: gr.Request, **given: Any) -> str:
        try:
            if not ui.is_host(request):
                raise StudioError("Only the studio's owner may change settings.")
            values = {name: ui.read_value(name, Settings.model_fields[name], value) for name, value in given.items() if not (about(name, "secret") and not value)}
            now = self.studio.settings
            changes = {name: value for name, value in values.items() if value != getattr(now, name)}
            self.studio.change_settings(changes)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        say, lang = self.studio.words.say, ui.lang(request)
        later = [say(lang, Settings.model_fields[name].title or name) for name in changes if about(name, "restart")]
        if not changes:
            return say(lang, "Nothing was changed.")
        return say(lang, "Saved.") + (" " + say(lang, "These apply at the next start: {names}", names=", ".join(later)) if later else "")

    def on_search(self, query: str, request: gr.Request) -> list[Any]:
        say, lang = self.studio.words.say, ui.lang(request)
        words = query.lower().split()

        def text(name: str) -> str:
            field = Settings.model_fields[name]
            return " ".join([name, field.title or "", field.description or "", say(lang, field.title or ""), say(lang, field.description or "")]).lower()

        return [gr.update(visible=all(word in text(name) for word in words)) for name in self.fields]

    def on_report(self, request: gr.Request) -> str:
        if not ui.is_host(request):
            raise ui.toast(self.studio, StudioError("Only the studio's owner may see the report."), request)
        return report(self.studio.settings, self.studio.notices)


@hookimpl
def register_tabs(studio: Any) -> list[Tab]:
    return [SettingsTab()]
