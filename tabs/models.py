"""Models: what is on disk, what is loaded, and how more get here."""

from __future__ import annotations

import html
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import gradio as gr

from studio import ui
from studio.api import BadInput, ModelEntry, Studio, StudioError, Tab, hookimpl
from studio.downloads import HALF
from studio.hub import HubFile, hub_files
from studio.oldstudio import OldStudio, look
from studio.starter import is_present, starter_models
from tabs.job_follow import bar_html
from tabs.models_old import bring

KINDS = {"llm": "Language", "image": "Image", "lora": "LoRA", "embedding": "Embedding", "vae": "VAE", "controlnet": "ControlNet", "ip_adapter": "IP-Adapter", "text_encoder": "Text encoder"}
KINDS |= {"upscaler": "Upscaler", "vision": "Vision", "depth": "Depth", "pose": "Pose", "detector": "Person detector", "audio": "Sound", "soundfont": "SoundFont", "other": "Other"}
KINDS |= {"speech": "Speech", "composer": "Composer's style"}
COUNTED = {"models": "{n} models", "styles": "{n} styles", "presets": "{n} presets", "characters": "{n} characters", "pictures": "{n} pictures"}
CLICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-act]');
  if (button && button.dataset.act === 'fetch') fetch('/api/v1/provision/retry?model=' + encodeURIComponent(button.dataset.key), { method: 'POST' });
  else if (button) trigger('select', { value: button.dataset.act + ' ' + button.dataset.key });
});
"""
CSS = """
.model-grid { display:grid; grid-template-columns:repeat(auto-fill,minmax(260px,1fr)); gap:10px; }
.model-grid .studio-card { display:flex; flex-direction:column; gap:6px; overflow-wrap:anywhere; }
.model-grid img { width:100%; max-height:180px; object-fit:cover; border-radius:8px; }
.model-grid .facts { color:var(--seisei-soft); font-size:13px; line-height:1.45; }
.model-grid .acts { margin-top:auto; display:flex; gap:6px; flex-wrap:wrap; }
.model-grid button, #models-downloads button { border:1px solid var(--seisei-line); background:transparent; color:var(--seisei-ink); border-radius:8px; padding:3px 10px; min-height:30px; cursor:pointer; font-size:13px; }
.model-grid button:hover, #models-downloads button:hover { border-color:var(--seisei-accent); }
.model-grid .here { color:var(--seisei-accent); font-weight:600; }
h3.models { font-size:14px; font-weight:600; margin:14px 0 6px; color:var(--seisei-ink); }
#models-downloads ul { list-style:none; margin:0; padding:0; } #models-downloads li { display:flex; gap:10px; align-items:center; padding:4px 0; flex-wrap:wrap; }
"""


class ModelsTab:
    id: ClassVar[str] = "models"
    title: ClassVar[str] = "Models"
    order: ClassVar[int] = 60

    def build(self, studio: Studio) -> None:
        self.studio = studio
        self._stops: dict[str, threading.Event] = {}
        w = studio.words
        self.trashed, self.asked = gr.State(""), gr.State("")
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                with gr.Accordion(w("Add a model"), open=True):
                    self.source = gr.Textbox(label=w("Hub id or address"), info=w("owner/name on the model hub, or the address of a safetensors or GGUF file."), placeholder="Qwen/Qwen2.5-0.5B-Instruct-GGUF")
                    self.find = gr.Button(w("Look"), variant="primary", elem_classes="primary-action")
                    self.files = gr.CheckboxGroup([], label=w("Files"), visible=False, elem_id="hub-files")
                    self.get = gr.Button(w("Download"), variant="primary", visible=False)
                with gr.Accordion(w("Bring my old studio"), open=True):
                    self.folder = gr.Textbox(label=w("Folder"), placeholder="/home/me/stable-diffusion-webui", info=w(
                        "AUTOMATIC1111, Forge, ComfyUI or text-generation-webui, or any folder with models. Nothing in it is changed."
                    ))  # fmt: skip
                    self.look = gr.Button(w("Look"))
                    self.found = gr.HTML("", elem_classes="studio-note", elem_id="old-found")
                    with gr.Row():
                        self.bring = gr.Button(w("Bring it here"), variant="primary", visible=False, min_width=90)
                        self.stop = gr.Button(w("Stop"), elem_classes="stop-action", visible=False, min_width=70)
                    self.only_models = gr.Button(w("Use this folder's models"), visible=False)
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                with gr.Row():
                    gr.HTML('<div id="models-memory"></div><div id="models-downloads"></div>', padding=False, min_width=240, elem_classes="models-memory")
                    self.unload = gr.Button(w("Unload all"), min_width=90, scale=0, size="sm")
                    self.again = gr.Button(w("Look again"), min_width=90, scale=0, size="sm")
                    self.undo = gr.Button(w("Undo delete"), min_width=90, scale=0, size="sm", visible=False)
                self.told = gr.HTML("", elem_classes="studio-note", padding=False)
                with gr.Row(visible=False, elem_id="models-convert") as self.asking:
                    self.convert = gr.Button(w("Convert it"), variant="primary", min_width=110, scale=0, size="sm")
                    self.leave = gr.Button(w("Leave it"), min_width=90, scale=0, size="sm")
                self.table = gr.HTML("", js_on_load=CLICK, css_template=CSS, padding=False, elem_id="models-list")
        self._listen()

    def _listen(self) -> None:
        view = [self.table]
        self.again.click(self.on_again, [], view, **ui.QUIET)
        self.unload.click(self.on_unload, [], [*view, self.told], **ui.QUIET)
        asking = [self.told, self.asked, self.asking]
        self.table.select(self.on_act, [], [*view, self.told, self.trashed, self.undo, self.asked, self.asking], **ui.QUIET)
        self.convert.click(self.on_convert, [self.asked], asking, **ui.QUICK)
        self.leave.click(self.on_leave, [], asking, **ui.QUICK)
        self.undo.click(self.on_undo, [self.trashed], [*view, self.told, self.trashed, self.undo], **ui.QUICK)
        gr.on([self.find.click, self.source.submit], self.on_find, [self.source], [self.files, self.get, self.told], **ui.QUIET)
        self.get.click(self.on_get, [self.source, self.files], [self.files, self.get, self.told], **ui.QUICK)
        old = [self.found, self.bring, self.only_models]
        gr.on([self.look.click, self.folder.submit], self.on_look, [self.folder], old, **ui.QUICK)
        self.bring.click(self.on_bring, [self.folder], [*view, *old, self.stop], concurrency_limit=None, **ui.QUIET)
        self.stop.click(self.on_stop, [], [], **ui.QUICK)
        self.only_models.click(self.on_add, [self.folder], [*view, *old], **ui.QUICK)
        context = gr.context.Context.root_block
        assert isinstance(context, gr.Blocks)
        context.load(self.on_load, [], view, **ui.QUICK)
        tab = gr.context.Context.block
        if isinstance(tab, gr.Tab):
            tab.select(self.on_load, [], view, **ui.QUICK)

    # -- showing ---------------------------------------------------------------------------------------------

    def on_load(self, request: gr.Request) -> list[Any]:
        say, lang = self.studio.words.say, ui.lang(request)
        loaded = {model["key"].split(" @")[0] for model in self.studio.jobs.worker_status()["loaded"]}
        starters = starter_models()
        licences = {str(self.studio.settings.models_path / model.file): model.license for model in starters}
        cards = "".join(self._card(entry, entry.key in loaded, licences.get(entry.path, ""), lang) for entry in self.studio.catalog.entries())
        empty = f"<p class='studio-empty'>{html.escape(say(lang, 'No model yet. The starter model arrives by itself; add others on the left.'))}</p>"
        rows = "".join(self._starter(model, lang) for model in starters)
        here, start = html.escape(say(lang, "On this computer")), html.escape(say(lang, "Starter models"))
        return [f"<h3 class='models'>{here}</h3><div class='model-grid'>{cards}</div>{'' if cards else empty}<h3 class='models'>{start}</h3><div class='model-grid'>{rows}</div>"]

    def _card(self, entry: ModelEntry, is_loaded: bool, licence: str, lang: str) -> str:
        say = self.studio.words.say
        facts = [say(lang, KINDS[entry.kind]), entry.architecture, f"{entry.bytes / 2**20:,.0f} MB" if entry.bytes else "", entry.dtype, licence]
        if entry.context_length:
            facts.append(say(lang, "{n} tokens of context", n=f"{entry.context_length:,}"))
        if entry.languages:
            facts.append(", ".join(entry.languages))
        if sha256 := str(entry.details.get("sha256", "")):
            facts.append(say(lang, "Hash {name}", name=sha256[:10]) + (f" / {autov3[:12]}" if (autov3 := str(entry.details.get("autov3", ""))) else ""))
        words = entry.details.get("trigger_words", [])
        parts = [f"<img loading='lazy' alt='' src='/api/v1/models/{quote(entry.key)}/preview'>" if entry.details.get("preview") else ""]
        parts.append(f"<b>{html.escape(entry.title)}</b>" + (f" <span class='here'>● {html.escape(say(lang, 'loaded'))}</span>" if is_loaded else ""))
        parts.append(f"<div class='facts'>{html.escape(' · '.join(fact for fact in facts if fact))}</div>")
        if words:
            parts.append(f"<div class='facts'>{html.escape(say(lang, 'Trigger words: {words}', words=', '.join(words)))}</div>")
        if entry.problem:
            parts.append(f"<div class='studio-error'>{html.escape(say(lang, entry.problem))}</div>")
        parts.append(f"<div class='acts'>{self._acts(entry, is_loaded, lang)}</div>")
        return f"<div class='studio-card'>{''.join(parts)}</div>"

    def _acts(self, entry: ModelEntry, is_loaded: bool, lang: str) -> str:
        words = self.studio.words
        acts = {"unload": words("Unload")} if is_loaded else {"load": words("Load")} if entry.kind == "llm" and not entry.problem and "text.load" in self.studio.pipelines else {}
        if entry.format == "pickle":
            acts |= {"convert": words("Convert …")}
        if self._is_own(entry):
            acts |= {"delete": words("Delete")}
        key = html.escape(entry.key, quote=True)
        return "".join(f"<button type='button' data-act='{act}' data-key=\"{key}\">{html.escape(words.say(lang, label))}</button>" for act, label in acts.items())

    def _starter(self, model: Any, lang: str) -> str:
        say = self.studio.words.say
        here = is_present(model, self.studio.settings.models_path)
        facts = [say(lang, KINDS[model.kind]), f"{model.bytes / 2**20:,.0f} MB", model.license, ", ".join(model.languages)]
        state = f"<span class='here'>✓ {html.escape(say(lang, 'here'))}</span>" if here else f"<button type='button' data-act='fetch' data-key='{html.escape(model.id)}'>{html.escape(say(lang, 'Fetch'))}</button>"
        return f"<div class='studio-card'><b>{html.escape(model.title)}</b><div class='facts'>{html.escape(' · '.join(fact for fact in facts if fact))}</div><div class='acts'>{state}</div></div>"

    def _is_own(self, entry: ModelEntry) -> bool:
        return entry.format != "remote" and Path(entry.path).resolve().is_relative_to(self.studio.settings.models_path.resolve())

    # -- what is here ----------------------------------------------------------------------------------------

    def on_again(self, request: gr.Request) -> list[Any]:
        self.studio.catalog.refresh()
        return self.on_load(request)

    def on_unload(self, request: gr.Request) -> list[Any]:
        gone = self.studio.jobs.unload()
        told = self.studio.words.say(ui.lang(request), "Unloaded: {names}", names=", ".join(gone) or "–")
        return [*self.on_load(request), html.escape(told)]

    def on_act(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        """A button on a card: load, unload or delete, and which model."""
        act, _, key = str(event._data["value"]).partition(" ")
        say, lang = self.studio.words.say, ui.lang(request)
        rest = ["", gr.update(visible=False)]  # a question that was open is taken back
        keep = ["", gr.skip(), gr.skip(), *rest]
        try:
            if act == "load":
                job = self.studio.submit("text.load", {"model": key}, owner=ui.owner(request))
                for _ in job.events():
                    pass
                if job.error:
                    raise job.error
                return [*self.on_load(request), html.escape(say(lang, "{name} is loaded.", name=key)), *keep[1:]]
            if act == "unload":
                self.studio.jobs.unload(key)
                return [*self.on_load(request), html.escape(say(lang, "Unloaded: {names}", names=key)), *keep[1:]]
            ui.only_host(request)
            if act == "delete":
                return [*self._delete(key, request), *rest]
            if act == "convert":
                return [*self.on_load(request), self._warning(key, lang), gr.skip(), gr.skip(), key, gr.update(visible=True)]
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return [*self.on_load(request), *keep]

    def _warning(self, key: str, lang: str) -> str:
        say, entry = self.studio.words.say, self.studio.catalog.find(key)
        told = say(
            lang,
            "“{name}” is a pickle: such a file can hold programs. Its weights are read in a separate program that runs nothing of it, and written anew as safetensors ({gb} GB); "
            "the file itself stays as it is. Convert only what comes from a place you trust.",
            name=entry.title, gb=f"{entry.bytes / 2**30:.1f}",
        )  # fmt: skip
        return f"<b>{html.escape(told)}</b>"

    def on_convert(self, key: str, request: gr.Request) -> list[Any]:
        try:
            ui.only_host(request)
            self.studio.downloads.from_pickle(self.studio.catalog.find(key))
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        told = self.studio.words.say(ui.lang(request), "It is being converted; the line below shows how far it is.")
        return [html.escape(told), "", gr.update(visible=False)]

    def on_leave(self) -> list[Any]:
        return ["", "", gr.update(visible=False)]

    def _delete(self, key: str, request: gr.Request) -> list[Any]:
        """Into the data folder's trash, with undo; folders of other programs are never touched."""
        entry = self.studio.catalog.find(key)
        if not self._is_own(entry):
            raise StudioError("That model belongs to another program's folder and is not touched.", hint="Delete it there.")
        path, models = Path(entry.path), self.studio.settings.models_path.resolve()
        self.studio.jobs.unload(key)
        target = self.studio.settings.data / "trash" / "models" / f"{time.time_ns()}" / path.resolve().relative_to(models)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
        told = html.escape(self.studio.words.say(ui.lang(request), "Moved to the trash."))
        return [*self.on_again(request), told, str(target), gr.update(visible=True)]

    def on_undo(self, trashed: str, request: gr.Request) -> list[Any]:
        try:
            ui.only_host(request)
            trash = (self.studio.settings.data / "trash" / "models").resolve()
            source = Path(trashed).resolve()
            if not trashed or not source.is_relative_to(trash):
                raise StudioError("There is nothing to take back.")
            target = self.studio.settings.models_path / Path(*source.relative_to(trash).parts[1:])
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source, target)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return [*self.on_again(request), "", "", gr.update(visible=False)]

    # -- more of them ----------------------------------------------------------------------------------------

    def on_find(self, source: str, request: gr.Request) -> list[Any]:
        """An address is fetched at once; a hub id shows its files first."""
        say, lang = self.studio.words.say, ui.lang(request)
        try:
            ui.only_host(request)
            if source.strip().startswith(("http://", "https://")) and source.strip().lower().endswith((".gguf", ".safetensors")):
                self.studio.downloads.from_address(source.strip())
                return [gr.update(visible=False), gr.update(visible=False), html.escape(say(lang, "The download has begun; the line below shows how far it is."))]
            if self.studio.settings.offline:
                raise StudioError("The studio is offline.", hint="Switch Offline off in Settings.")
            model = hub_files(source, self.studio.settings.hub_token)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        choices = [(f"{file.name} · {file.bytes / 2**20:,.0f} MB", file.name) for file in model.alone]
        if model.halves and not model.pickled:
            choices.insert(0, (say(lang, "The whole model at half precision · {mb} MB", mb=f"{megabytes(model.halves):,.0f}"), HALF))
        if any(file.name.endswith(".safetensors") for file in model.whole) and not model.pickled:
            choices.insert(0, (say(lang, "The whole model · {mb} MB", mb=f"{megabytes(model.whole):,.0f}"), ""))
        if not choices and model.pickled:
            raise ui.toast(self.studio, BadInput(f"The part “{model.pickled}” of this model is there as a pickle only.", hint="Look for a version of it in safetensors."), request)
        if not choices:
            raise ui.toast(self.studio, BadInput("This repository has no safetensors and no GGUF file.", hint="Look for a version of it that has; pickles are not opened here."), request)
        told = say(lang, "Licence: {name}", name=model.licence or say(lang, "not stated"))
        return [gr.update(choices=choices, value=[choices[0][1]], visible=True), gr.update(visible=True), html.escape(told)]

    def on_get(self, source: str, chosen: list[str], request: gr.Request) -> list[Any]:
        try:
            ui.only_host(request)
            if not chosen:
                raise BadInput("No file is chosen.", hint="Tick at least one.")
            for name in chosen:
                self.studio.downloads.from_hub(source.strip(), name)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        told = self.studio.words.say(ui.lang(request), "The download has begun; the line below shows how far it is.")
        return [gr.update(visible=False), gr.update(visible=False), html.escape(told)]

    # -- an old studio ---------------------------------------------------------------------------------------

    def _look(self, folder: str, request: gr.Request) -> OldStudio:
        ui.only_host(request)
        if not folder.strip():
            raise BadInput("No folder is given.", hint="Give the full path of the other studio's folder.")
        return look(Path(folder.strip()))

    def on_look(self, folder: str, request: gr.Request) -> list[Any]:
        say, lang = self.studio.words.say, ui.lang(request)
        try:
            old = self._look(folder, request)
        except BadInput as error:
            models_only = Path(folder.strip() or ".").expanduser().is_dir() and bool(folder.strip())
            return [html.escape(ui.error_text(self.studio, error, lang)), gr.update(visible=False), gr.update(visible=models_only)]
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        counts = {"styles": len(old.styles), "presets": len(old.presets), "characters": len(old.characters), "pictures": len(old.outputs)}
        parts = [say(lang, "{n} model folders", n=len(old.models)), *(say(lang, COUNTED[name], n=n) for name, n in counts.items() if n)]
        return [f"<b>{html.escape(old.kind)}</b>: {html.escape(', '.join(parts))}", gr.update(visible=True), gr.update(visible=False)]

    def on_bring(self, folder: str, request: gr.Request) -> Iterator[list[Any]]:
        """In a thread of its own; the page shows how far it is. What came before Stop stays."""
        owner, lang, say = ui.owner(request), ui.lang(request), self.studio.words.say
        state: dict[str, Any] = {"have": 0, "total": 0, "came": {}, "error": None}
        stop = self._stops[owner] = threading.Event()
        try:
            old = self._look(folder, request)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error

        def work() -> None:
            try:
                state["came"] = bring(old, self.studio, owner, lambda have, total: state.update(have=have, total=total), stop)
            except StudioError as error:
                state["error"] = error

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(0.3)
            counted = f"{state['have']:,} / {state['total']:,}"
            bar = f"{bar_html(counted, state['have'], state['total'])} {counted}" if state["total"] else "…"
            yield [gr.skip(), bar, gr.update(visible=False), gr.update(visible=False), gr.update(visible=True)]
        if state["error"]:
            raise ui.toast(self.studio, state["error"], request)
        parts = [say(lang, COUNTED[name], n=n) for name, n in state["came"].items()]
        told = html.escape(say(lang, "Here now: {what}", what=", ".join(parts)))
        problems = "".join(f"<li>{html.escape(say(lang, problem))}</li>" for problem in old.problems[:20])
        yield [*self.on_load(request), told + (f"<ul>{problems}</ul>" if problems else ""), gr.update(visible=False), gr.update(visible=False), gr.update(visible=False)]

    def on_stop(self, request: gr.Request) -> None:
        if stop := self._stops.get(ui.owner(request)):
            stop.set()

    def on_add(self, folder: str, request: gr.Request) -> list[Any]:
        try:
            ui.only_host(request)
            path = str(Path(folder.strip()).expanduser().resolve())
            known = self.studio.settings.models_dir
            before = len(self.studio.catalog.entries())
            self.studio.change_settings({"models_dir": [*known, path] if path not in known else known})
            now = len(self.studio.catalog.entries())
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        told = self.studio.words.say(ui.lang(request), "{n} models were found there.", n=now - before)
        return [*self.on_load(request), html.escape(told), gr.update(visible=False), gr.update(visible=False)]


def megabytes(files: list[HubFile]) -> float:
    return sum(file.bytes for file in files) / 2**20


@hookimpl
def register_tabs(studio: Any) -> list[Tab]:
    return [ModelsTab()]
