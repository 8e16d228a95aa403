"""Extensions: what is installed, what each hook costs, what failed; switch, install, remove."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import Studio, StudioError, Tab, hookimpl
from studio.installer import Candidate, discard, install, remove, stage

STATES = {"on": "on", "off": "off", "struck": "switched off after three errors", "broken": "could not be loaded"}


class ExtensionsTab:
    id: ClassVar[str] = "extensions"
    title: ClassVar[str] = "Extensions"
    order: ClassVar[int] = 80

    def build(self, studio: Studio) -> None:
        self.studio = studio
        w = studio.words
        self.staged: gr.State = gr.State("")
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                self.chosen = gr.Dropdown([], label=w("Extension"), allow_custom_value=True)
                with gr.Row():
                    self.on = gr.Button(w("Switch on"), min_width=80)
                    self.off = gr.Button(w("Switch off"), min_width=80)
                    self.remove = gr.Button(w("Remove"), min_width=80)
                self.source = gr.Textbox(label=w("Install from"), placeholder=w("A git address, a zip file or a folder"))
                self.look = gr.Button(w("Look at it first"))
                self.consent = gr.HTML("", elem_classes="studio-card", visible=False)
                with gr.Row(visible=False) as self.decide:
                    self.yes = gr.Button(w("Install it"), variant="primary", min_width=90)
                    self.no = gr.Button(w("Do not install"), min_width=90)
                self.told = gr.HTML("", elem_classes="studio-note")
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.table = gr.HTML("")
        self._listen()

    def _listen(self) -> None:
        view = [self.table, self.chosen]
        self.on.click(self.on_switch_on, [self.chosen], [*view, self.told], **ui.QUICK)
        self.off.click(self.on_switch_off, [self.chosen], [*view, self.told], **ui.QUICK)
        self.remove.click(self.on_remove, [self.chosen], [*view, self.told], **ui.QUIET)
        self.look.click(self.on_look, [self.source], [self.staged, self.consent, self.decide], api_visibility="private")
        self.yes.click(self.on_install, [self.staged], [*view, self.told, self.staged, self.consent, self.decide], **ui.QUIET)
        self.no.click(self.on_discard, [self.staged], [*view, self.told, self.staged, self.consent, self.decide], **ui.QUICK)
        context = gr.context.Context.root_block
        assert isinstance(context, gr.Blocks)
        context.load(self.on_load, [], view, **ui.QUICK)

    def on_load(self, request: gr.Request) -> list[Any]:
        known = self.studio.hooks.extensions()
        say, lang = self.studio.words.say, ui.lang(request)
        cards = "".join(self._card(info, say, lang) for info in known) or f"<p class='studio-empty'>{html.escape(say(lang, 'No extension is installed.'))}</p>"
        return [cards, gr.update(choices=[(info.title, info.name) for info in known])]

    def _card(self, info: Any, say: Any, lang: str) -> str:
        calls = sum(info.calls.values())
        spent = ", ".join(f"{hook} {1000 * seconds / info.calls[hook]:.1f} ms × {info.calls[hook]}" for hook, seconds in info.seconds.items())
        errors = "".join(f"<pre style='white-space:pre-wrap'>{html.escape(text)}</pre>" for text in info.errors)
        lines = [html.escape(info.description), html.escape(spent if calls else say(lang, "Not called yet."))]
        head = f"<b>{html.escape(info.title)}</b> {html.escape(info.version)} · {html.escape(say(lang, STATES[info.state]))}{' · ' + html.escape(say(lang, 'bundled')) if info.bundled else ''}"
        return f"<div class='studio-card' style='margin-bottom:10px'>{head}<br>{'<br>'.join(lines)}{errors}</div>"

    def _only_host(self, request: gr.Request) -> None:
        if not ui.is_host(request):
            raise StudioError("Only the studio's owner may change extensions.")

    def _switch(self, name: str, on: bool, request: gr.Request) -> list[Any]:
        try:
            self._only_host(request)
            self.studio.hooks.switch(name, on)
            off = [other for other in self.studio.settings.disabled_extensions if other != name]
            self.studio.change_settings({"disabled_extensions": off if on else [*off, name]})
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return [*self.on_load(request), self.studio.words.say(ui.lang(request), "Done. Its tabs and routes follow at the next start.")]

    def on_switch_on(self, name: str, request: gr.Request) -> list[Any]:
        return self._switch(name, True, request)

    def on_switch_off(self, name: str, request: gr.Request) -> list[Any]:
        return self._switch(name, False, request)

    def on_remove(self, name: str, request: gr.Request) -> list[Any]:
        try:
            self._only_host(request)
            info = self.studio.hooks.extension(name)
            if info.bundled:
                raise StudioError("Bundled extensions can be switched off, not removed.")
            remove(Path(info.folder), self.studio.settings.data)
            self.studio.hooks.forget(name)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return [*self.on_load(request), self.studio.words.say(ui.lang(request), "Removed. Its folder was kept in the trash folder of the data folder.")]

    def on_look(self, source: str, request: gr.Request) -> list[Any]:
        """Fetch it aside, and show what it is and asks for, before anything of it runs."""
        try:
            self._only_host(request)
            candidate = stage(source.strip(), self.studio.settings.data, offline=self.studio.settings.offline)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        shown = consent(candidate, self.studio.words.say, ui.lang(request))
        return [str(candidate.folder), gr.update(value=shown, visible=True), gr.update(visible=True)]

    def on_install(self, staged: str, request: gr.Request) -> list[Any]:
        try:
            self._only_host(request)
            folder = install(Path(staged), self.studio.settings.data)
            self.studio.hooks.load_extensions([(folder.parent, False)], [info.name for info in self.studio.hooks.extensions() if info.name != folder.name], safe=False)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        told = self.studio.words.say(ui.lang(request), "Installed. Its tabs and routes follow at the next start.")
        return [*self.on_load(request), told, "", gr.update(visible=False), gr.update(visible=False)]

    def on_discard(self, staged: str, request: gr.Request) -> list[Any]:
        if staged and ui.is_host(request):
            discard(Path(staged), self.studio.settings.data)
        return [*self.on_load(request), "", "", gr.update(visible=False), gr.update(visible=False)]


def consent(candidate: Candidate, say: Any, lang: str) -> str:
    """What the person agrees to: who it is, what it asks for, and that it runs with their rights."""
    about = candidate.manifest
    rows = [
        f"<b>{html.escape(about.title or about.name)}</b> {html.escape(about.version)}", html.escape(about.description),
        html.escape(say(lang, "Capabilities: {names}", names=", ".join(about.capabilities) or "–")),
        html.escape(say(lang, "Requirements: {names}", names=", ".join(about.requires) or "–")),
        html.escape(say(lang, "Licence: {name}", name=about.license or "?")),
        html.escape(say(lang, "An extension runs with all your rights. Install only what you trust.")),
    ]  # fmt: skip
    return "<br>".join(row for row in rows if row)


@hookimpl
def register_tabs(studio: Any) -> list[Tab]:
    return [ExtensionsTab()]
