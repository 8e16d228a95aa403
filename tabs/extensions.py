"""Extensions: what is installed, what each hook costs, what failed; switch, install, remove."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import NotAllowed, Studio, StudioError, Tab, hookimpl
from studio.installer import Candidate, discard, install, remove, stage
from studio.plugins import ExtensionInfo

# What an extension says it brings, in words
CAPABILITIES = {"tab": "a tab", "pipeline": "a method", "routes": "an API", "prompt": "changes prompts", "text": "changes texts", "result": "changes results", "models": "models", "settings": "settings"}
STATES = {"on": "on", "off": "off", "struck": "switched off after three errors", "broken": "could not be loaded"}
SIGNS = {"on": "●", "off": "○", "struck": "⚠", "broken": "⚠"}
CLICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-act]');
  if (button) trigger('select', { index: 0, value: button.dataset.act + ' ' + button.dataset.name });
});
"""
CSS = """
.ext-grid { display:grid; grid-template-columns:repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap:10px; align-items:start; }
.ext-grid .studio-card { display:flex; flex-direction:column; gap:6px; }
.ext-grid .head { display:flex; gap:8px; align-items:baseline; flex-wrap:wrap; } .ext-grid .head b { font-size:15px; }
.ext-grid .soft { color:var(--seisei-soft); font-size:13px; }
.ext-grid .is-on { color:var(--seisei-accent); font-weight:600; } .ext-grid .is-bad { color:var(--seisei-bad); font-weight:600; }
.ext-grid p { margin:0; } .ext-grid table { font-size:13px; border-collapse:collapse; width:100%; } .ext-grid td { padding:2px 8px 2px 0; } .ext-grid td + td { text-align:right; white-space:nowrap; }
.ext-grid pre { white-space:pre-wrap; overflow-wrap:anywhere; font-size:12px; max-height:180px; overflow:auto; margin:6px 0 0; }
.ext-grid summary { cursor:pointer; color:var(--seisei-soft); font-size:13px; min-height:24px; }
.ext-grid .acts { display:flex; gap:8px; }
.ext-grid button { border:1px solid var(--seisei-line); background:transparent; color:var(--seisei-ink); border-radius:8px; padding:4px 12px; min-height:34px; cursor:pointer; font-size:14px; }
.ext-grid button:hover { border-color:var(--seisei-accent); }
h3.extensions { font-size:14px; font-weight:600; margin:14px 0 6px; color:var(--seisei-ink); }
"""


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
                with gr.Accordion(w("Install an extension"), open=True):
                    self.source = gr.Textbox(label=w("From"), placeholder=w("A git address, a zip file or a folder"), elem_id="extension-source")
                    self.upload = gr.UploadButton(w("Choose a zip file"), file_types=[".zip"], size="sm", elem_classes="studio-quiet")
                    self.look = gr.Button(w("Look at it first"), variant="primary", elem_classes="primary-action")
                    self.consent = gr.HTML("", visible=False, elem_id="extension-consent")
                    with gr.Row(visible=False) as self.decide:
                        self.yes = gr.Button(w("Install it"), variant="primary", min_width=90)
                        self.no = gr.Button(w("Do not install"), min_width=90)
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.told = gr.HTML("", elem_classes="studio-note", padding=False)
                self.table = gr.HTML("", js_on_load=CLICK, css_template=CSS, padding=False, elem_id="extension-list")
        self._listen()

    def _listen(self) -> None:
        view = [self.table]
        decided = [*view, self.told, self.staged, self.consent, self.decide]
        self.table.select(self.on_act, [], [*view, self.told], **ui.EACH)
        gr.on([self.look.click, self.source.submit], self.on_look, [self.source], [self.staged, self.consent, self.decide], api_visibility="private")
        self.upload.upload(self.on_look, [self.upload], [self.staged, self.consent, self.decide], api_visibility="private")
        self.yes.click(self.on_install, [self.staged], [*decided, self.source], **ui.QUIET)
        self.no.click(self.on_discard, [self.staged], decided, **ui.QUICK)
        context = gr.context.Context.root_block
        assert isinstance(context, gr.Blocks)
        context.load(self.on_load, [], view, **ui.QUICK)
        tab = gr.context.Context.block
        if isinstance(tab, gr.Tab):
            tab.select(self.on_load, [], view, **ui.QUICK)

    # -- showing ---------------------------------------------------------------------------------------------

    def on_load(self, request: gr.Request) -> list[Any]:
        say, lang = self.studio.words.say, ui.lang(request)
        known = self.studio.hooks.extensions()
        parts = []
        for title, bundled, empty in (("Installed", False, "None yet. Install one on the left, or copy the folder of a bundled one and change it: docs/extensions.md shows how."), ("Bundled", True, "")):
            cards = "".join(self._card(info, lang, ui.is_host(request)) for info in known if info.bundled == bundled)
            shown = f"<div class='ext-grid'>{cards}</div>" if cards else f"<p class='studio-empty'>{html.escape(say(lang, empty))}</p>"
            parts.append(f"<h3 class='extensions'>{html.escape(say(lang, title))}</h3>{shown}")
        return ["".join(parts)]

    def _card(self, info: ExtensionInfo, lang: str, host: bool) -> str:
        say = self.studio.words.say
        kind = {"on": "is-on", "off": "soft"}.get(info.state, "is-bad")
        parts = [
            f"<div class='head'><b>{html.escape(say(lang, info.title))}</b><span class='soft'>{html.escape(info.version)}</span>"
            f"<span class='{kind}'>{SIGNS[info.state]} {html.escape(say(lang, STATES[info.state]))}</span></div>",
            f"<p>{html.escape(say(lang, info.description))}</p>",
        ]
        if about := " · ".join(part for part in (*(say(lang, CAPABILITIES.get(name, name)) for name in info.capabilities), info.license) if part):
            parts.append(f"<p class='soft'>{html.escape(about)}</p>")
        if info.calls:
            rows = "".join(f"<tr><td>{html.escape(hook)}</td><td>{count:,} ×</td><td>{1000 * info.seconds[hook] / count:.1f} ms</td></tr>" for hook, count in info.calls.items())
            parts.append(f"<details><summary>{html.escape(say(lang, 'Time of each hook'))}</summary><table>{rows}</table></details>")
        if info.errors:
            shown = "".join(f"<pre>{html.escape(say(lang, text))}</pre>" for text in reversed(info.errors))
            opened = " open" if info.state in ("struck", "broken") else ""
            parts.append(f"<details{opened}><summary>{html.escape(say(lang, 'Last errors'))}: {len(info.errors)}</summary>{shown}</details>")
        if host:
            acts = {"off": "Switch off"} if info.state == "on" else {"on": "Switch on"}
            acts |= {} if info.bundled else {"remove": "Remove"}
            parts.append(f"<div class='acts'>{''.join(self._button(act, label, info, lang) for act, label in acts.items())}</div>")
        return f"<div class='studio-card' data-extension='{html.escape(info.name)}'>{''.join(parts)}</div>"

    def _button(self, act: str, label: str, info: ExtensionInfo, lang: str) -> str:
        said = html.escape(self.studio.words.say(lang, label))
        return f"<button type='button' data-act='{act}' data-name='{html.escape(info.name)}' aria-label='{said}: {html.escape(info.title)}'>{said}</button>"

    # -- acting ----------------------------------------------------------------------------------------------

    def on_act(self, event: gr.SelectData, request: gr.Request) -> list[Any]:
        """A card's button: on, off or remove."""
        act, _, name = str(event.value).partition(" ")
        say, lang = self.studio.words.say, ui.lang(request)
        try:
            ui.only_host(request)
            if act == "remove":
                self._remove(name)
                told = say(lang, "Removed. Its folder was kept in the trash folder of the data folder.")
            else:
                self.studio.switch_extension(name, act == "on")
                told = say(lang, "Done. Its tabs and routes follow at the next start.")
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return [*self.on_load(request), told]

    def _remove(self, name: str) -> None:
        info = self.studio.hooks.extension(name)
        if info.bundled:
            raise NotAllowed("Bundled extensions can be switched off, not removed.")
        remove(Path(info.folder), self.studio.settings.data)
        self.studio.hooks.forget(name)

    def on_look(self, source: str, request: gr.Request) -> list[Any]:
        """Fetch it aside, and show what it is and asks for, before anything of it runs."""
        try:
            ui.only_host(request)
            candidate = stage(source.strip(), self.studio.settings.data, offline=self.studio.settings.offline)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        shown = consent(candidate, self.studio.words.say, ui.lang(request))
        return [str(candidate.folder), gr.update(value=shown, visible=True), gr.update(visible=True)]

    def on_install(self, staged: str, request: gr.Request) -> list[Any]:
        try:
            ui.only_host(request)
            folder = install(Path(staged), self.studio.settings.data)
            self.studio.hooks.load_extensions([(folder.parent, False)], [info.name for info in self.studio.hooks.extensions() if info.name != folder.name], safe=False)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        told = self.studio.words.say(ui.lang(request), "Installed. Its tabs and routes follow at the next start.")
        return [*self.on_load(request), told, "", gr.update(visible=False), gr.update(visible=False), ""]

    def on_discard(self, staged: str, request: gr.Request) -> list[Any]:
        if staged and ui.is_host(request):
            discard(Path(staged), self.studio.settings.data)
        return [*self.on_load(request), "", "", gr.update(visible=False), gr.update(visible=False)]


def consent(candidate: Candidate, say: Any, lang: str) -> str:
    """What the person agrees to: who it is, what it asks for, and that it runs with their rights."""
    about = candidate.manifest
    named = {
        "Capabilities": ", ".join(say(lang, CAPABILITIES.get(name, name)) for name in about.capabilities), "Requirements": ", ".join(about.requires),
        "Licence": about.license, "Homepage": about.homepage,
    }  # fmt: skip
    rows = "".join(f"<dt>{html.escape(say(lang, name))}</dt><dd>{html.escape(text or '–')}</dd>" for name, text in named.items())
    return (
        f"<div class='studio-card'><b>{html.escape(about.title or about.name)}</b> {html.escape(about.version)}<p>{html.escape(about.description)}</p>"
        f"<dl class='manifest'>{rows}</dl><p><b>{html.escape(say(lang, 'An extension runs with all your rights. Install only what you trust.'))}</b></p></div>"
    )


@hookimpl
def register_tabs(studio: Any) -> list[Tab]:
    return [ExtensionsTab()]
