"""Models: what is on disk, what is loaded, and how more get here."""

from __future__ import annotations

import html
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import ModelEntry, Stopped, Studio, StudioError, Tab, hookimpl
from studio.download import download
from studio.starter import starter_models

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
KINDS = {"llm": "Language", "image": "Image", "lora": "LoRA", "embedding": "Embedding", "vae": "VAE", "controlnet": "ControlNet", "upscaler": "Upscaler", "audio": "Sound", "other": "Other"}


class ModelsTab:
    id: ClassVar[str] = "models"
    title: ClassVar[str] = "Models"
    order: ClassVar[int] = 60

    def build(self, studio: Studio) -> None:
        self.studio = studio
        self._stop = threading.Event()
        w = studio.words
        self.trashed = gr.State("")
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                self.chosen = gr.Dropdown([], label=w("Model"), allow_custom_value=True)
                with gr.Row():
                    self.unload = gr.Button(w("Unload all"), min_width=80)
                    self.delete = gr.Button(w("Delete"), min_width=80)
                    self.undo = gr.Button(w("Undo delete"), min_width=80, visible=False)
                self.again = gr.Button(w("Look for models again"))
                with gr.Accordion(w("Add a model by its address"), open=True):
                    self.url = gr.Textbox(label=w("Address of a safetensors or GGUF file"), placeholder="https://…")
                    with gr.Row():
                        self.fetch = gr.Button(w("Download"), variant="primary", elem_classes="primary-action", min_width=90)
                        self.stop = gr.Button(w("Stop"), elem_classes="stop-action", min_width=90)
                with gr.Accordion(w("Use a folder of another program"), open=True):
                    self.folder = gr.Textbox(label=w("Folder with models"), info=w("Its models are used in place; nothing is copied or changed."))
                    self.add = gr.Button(w("Use this folder"))
                self.told = gr.HTML("", elem_classes="studio-note")
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.table = gr.HTML("")
        self._listen()

    def _listen(self) -> None:
        view = [self.table, self.chosen]
        self.again.click(self.on_again, [], view, **PRIVATE)
        self.unload.click(self.on_unload, [], [*view, self.told], **PRIVATE)
        self.delete.click(self.on_delete, [self.chosen], [*view, self.told, self.trashed, self.undo], **PRIVATE)
        self.undo.click(self.on_undo, [self.trashed], [*view, self.told, self.trashed, self.undo], **PRIVATE)
        self.fetch.click(self.on_fetch, [self.url], [*view, self.told], concurrency_limit=None, **PRIVATE)
        self.stop.click(self.on_stop, [], [], queue=False, **PRIVATE)
        self.add.click(self.on_add, [self.folder], [*view, self.told], **PRIVATE)
        context = gr.context.Context.root_block
        assert isinstance(context, gr.Blocks)
        context.load(self.on_load, [], view, **PRIVATE)
        tab = gr.context.Context.block
        if isinstance(tab, gr.Tab):
            tab.select(self.on_load, [], view, **PRIVATE)

    def on_load(self, request: gr.Request) -> list[Any]:
        entries = self.studio.catalog.entries()
        say, lang = self.studio.words.say, ui.lang(request)
        loaded = {model["key"].split(" @")[0] for model in self.studio.jobs.worker_status()["loaded"]}
        licences = {Path(model.file).stem: model.license for model in starter_models()}
        cards = "".join(self._card(entry, entry.key in loaded, licences.get(entry.key, ""), say, lang) for entry in entries)
        empty = f"<p class='studio-empty'>{html.escape(say(lang, 'No model yet. The starter model arrives by itself; add others on the left.'))}</p>"
        return [cards or empty, gr.update(choices=[(entry.title, entry.key) for entry in entries])]

    def _card(self, entry: ModelEntry, is_loaded: bool, licence: str, say: Any, lang: str) -> str:
        facts = [say(lang, KINDS[entry.kind]), entry.architecture, f"{entry.bytes / 2**20:,.0f} MB", entry.dtype, licence]
        if entry.context_length:
            facts.append(say(lang, "{n} tokens of context", n=f"{entry.context_length:,}"))
        if entry.languages:
            facts.append(", ".join(entry.languages))
        if is_loaded:
            facts.append(say(lang, "loaded"))
        problem = f"<div class='studio-error'>{html.escape(say(lang, entry.problem))}</div>" if entry.problem else ""
        return f"<div class='studio-card' style='margin-bottom:10px'><b>{html.escape(entry.title)}</b><br>{html.escape(' · '.join(fact for fact in facts if fact))}{problem}</div>"

    def _only_host(self, request: gr.Request) -> None:
        if not ui.is_host(request):
            raise StudioError("Only the studio's owner may change models.")

    def on_again(self, request: gr.Request) -> list[Any]:
        self.studio.catalog.refresh()
        return self.on_load(request)

    def on_unload(self, request: gr.Request) -> list[Any]:
        gone = self.studio.jobs.unload()
        told = self.studio.words.say(ui.lang(request), "Unloaded: {names}", names=", ".join(gone) or "–")
        return [*self.on_load(request), html.escape(told)]

    def on_delete(self, key: str, request: gr.Request) -> list[Any]:
        """Into the data folder's trash, with undo; folders of other programs are never touched."""
        try:
            self._only_host(request)
            path = Path(self.studio.catalog.find(key).path)
            data = self.studio.settings.data
            if not path.resolve().is_relative_to(self.studio.settings.models_path.resolve()):
                raise StudioError("That model belongs to another program's folder and is not touched.", hint="Delete it there.")
            self.studio.jobs.unload(key)
            target = data / "trash" / "models" / f"{time.time_ns()}" / path.relative_to(self.studio.settings.models_path.resolve())
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return [*self.on_again(request), self.studio.words.say(ui.lang(request), "Moved to the trash."), str(target), gr.update(visible=True)]

    def on_undo(self, trashed: str, request: gr.Request) -> list[Any]:
        try:
            self._only_host(request)
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

    def on_fetch(self, url: str, request: gr.Request) -> Iterator[list[Any]]:
        """Download in a thread of its own; the page shows how far it is."""
        say, lang = self.studio.words.say, ui.lang(request)
        state: dict[str, Any] = {"have": 0, "total": 0, "error": None}
        self._stop = threading.Event()

        def work() -> None:
            try:
                if self.studio.settings.offline:
                    raise StudioError("The studio is offline.", hint="Switch Offline off in Settings.")
                download(url.strip(), self.studio.settings.models_path, lambda have, total: state.update(have=have, total=total), self._stop)
            except StudioError as error:
                state["error"] = error
            except Stopped:
                state["error"] = StudioError("Stopped. What arrived is kept; Download goes on from there.")

        try:
            self._only_host(request)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        started = time.monotonic()
        while thread.is_alive():
            thread.join(0.5)
            yield [gr.skip(), gr.skip(), progress_text(state, time.monotonic() - started)]
        if state["error"]:
            raise ui.toast(self.studio, state["error"], request)
        yield [*self.on_again(request), say(lang, "The model is here.")]

    def on_stop(self) -> None:
        self._stop.set()

    def on_add(self, folder: str, request: gr.Request) -> list[Any]:
        try:
            self._only_host(request)
            path = Path(folder.strip()).expanduser()
            if not folder.strip() or not path.is_dir():
                raise StudioError("There is no such folder on this computer.", hint="Give the full path of a folder with models.")
            known = self.studio.settings.models_dir
            self.studio.change_settings({"models_dir": [*known, str(path.resolve())] if str(path.resolve()) not in known else known})
            before = len(self.studio.catalog.entries())
            now = len(self.studio.catalog.refresh())
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return [*self.on_load(request), self.studio.words.say(ui.lang(request), "{n} models were found there.", n=now - before)]


def progress_text(state: dict[str, Any], seconds: float) -> str:
    """How far, how fast, how long still."""
    have, total = state["have"], state["total"]
    if not total:
        return "…"
    left = (total - have) / (have / seconds) if have else 0
    return f"<progress max='{total}' value='{have}'></progress> {have / 2**20:,.0f} / {total / 2**20:,.0f} MB, {left:,.0f} s"


@hookimpl
def register_tabs(studio: Any) -> list[Tab]:
    return [ModelsTab()]
