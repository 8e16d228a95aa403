"""The chat page: left the controls, right the conversation. It draws and passes on; tabs/text_session.py acts."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from studio import ui
from studio.api import Need, Studio, StudioError
from tabs.characters import Character
from tabs.chats import Chat, Message, from_turns
from tabs.speech_aloud import SPEECH, Aloud
from tabs.stops import Stops
from tabs.text_presets import SHIPPED, delete_preset, preset_names, preset_values, save_preset
from tabs.text_session import PIPELINE, Open, Sessions

EXAMPLES = ("What is the capital of Japan?", "Write a short story about a lighthouse cat.", "List three tips for better sleep.", "Explain gravity to a child.")
PAGE = 9  # outputs of what shows a chat
WAYS = 3  # offers beside "Send anyway": models that are here, downloads that would do
LATEX = [{"left": "$$", "right": "$$", "display": True}, {"left": "\\(", "right": "\\)", "display": False}, {"left": "\\[", "right": "\\]", "display": True}]
NOT_SHOWN = ("model", "messages", "continue_last", "reuse_prefix")
SAMPLER_GROUP = "Sampling"
NO_CHARACTER = ""
WRITING = "<i data-writing hidden></i>"  # for scripts: the last answer has not ended (speech_aloud.js)
DEFAULT_SYSTEM = "You are a helpful assistant."  # small models answer better with it than with none


def rows(chat: Chat) -> tuple[list[dict[str, Any]], list[str]]:
    """Chatbot messages, and for each the id of its message: thoughts take a row of their own."""
    shown: list[dict[str, Any]] = []
    ids: list[str] = []
    for message in chat.path():
        if message.reasoning:
            shown.append({"role": "assistant", "content": message.reasoning, "metadata": {"title": "💭"}})
            ids.append(message.id)
        if message.text or not message.reasoning or message.state != "running":
            shown.append({"role": message.role, "content": message.text or ("…" if message.state == "running" else "—")})
            ids.append(message.id)
    return shown, ids


class ChatPage:
    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.sessions = Sessions(studio)
        self.stops = Stops(studio)
        self.aloud = Aloud(studio)
        self.Params = studio.pipelines["text.chat"].Params
        self.fields = [name for name in self.Params.model_fields if name not in NOT_SHOWN]
        self.samplers = [name for name in self.fields if ui.hint(self.Params.model_fields[name], "group") == SAMPLER_GROUP and name != "seed"]

    # -- drawing ---------------------------------------------------------------------------------------------

    def build(self) -> None:
        words = self.studio.words
        self.chat_id, self.picked, self.before = gr.State(""), gr.State(-1), gr.State("")
        with gr.Row(elem_classes="studio-two studio-fill"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                self._build_left(words)
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self._build_right(words)
        self._listen()

    def _build_left(self, words: Any) -> None:
        self.model = gr.Dropdown([], label=words("Model"), allow_custom_value=True, elem_id="chat-model")
        with gr.Row():
            self.character = gr.Dropdown([(words("No character"), NO_CHARACTER)], value=NO_CHARACTER, label=words("Character"), allow_custom_value=True, min_width=120)
            self.preset = gr.Dropdown([(words(name), name) for name in SHIPPED], value="Balanced", label=words("Creativity"), allow_custom_value=True, min_width=120)
        with gr.Accordion(words("Chats"), open=True):
            self.new = gr.Button(words("New chat"), elem_classes="studio-quiet")
            self.search = gr.Textbox(show_label=False, label=words("Search chats"), placeholder=words("Search chats"), elem_classes="search-action", container=False)
            self.chats = gr.Radio([], label=words("Your chats"), show_label=False, elem_id="chat-list", container=False)
            self.undelete = gr.Button(words("Undo delete"), size="sm", visible=False, elem_classes="studio-quiet")
            self.deleted = gr.State("")
        with gr.Accordion(words("This chat"), open=False):
            with gr.Row():
                self.title = gr.Textbox(label=words("Name of this chat"), scale=3, min_width=140)
                self.rename = gr.Button(words("Rename"), size="sm", scale=1, min_width=70, elem_classes="studio-quiet")
            with gr.Row(elem_classes="studio-quiet"):
                self.export_json = gr.Button(words("Export as JSON"), size="sm", min_width=120)
                self.export_md = gr.Button(words("Export as Markdown"), size="sm", min_width=150)
                self.delete = gr.Button(words("Delete"), size="sm", min_width=60)
        self.upload = gr.UploadButton(words("Import a chat or a character"), file_types=[".json", ".png", ".yaml", ".yml"], size="sm", elem_classes="studio-quiet")
        with gr.Accordion(words("Advanced"), open=False):
            with gr.Row():
                self.preset_name = gr.Textbox(label=words("Name of a preset"), scale=2)
                self.preset_save = gr.Button(words("Save"), size="sm", min_width=60)
                self.preset_delete = gr.Button(words("Delete"), size="sm", min_width=60)
            self.controls = ui.controls(self.Params, self.studio, only=self.fields, values=SHIPPED["Balanced"] | {"system": DEFAULT_SYSTEM})
        self.controls |= ui.extras(self.studio, PIPELINE)

    def _build_right(self, words: Any) -> None:
        empty = f"<div class='studio-empty'><b>生成</b><br>{html.escape(self.studio.words.say('en', 'Ask something, or click an example.'))}</div>"
        self.view = gr.Chatbot(
            [], label=words("Conversation"), show_label=False, height=400, editable="all", buttons=["copy", "copy_all"], feedback_options=None, elem_classes="studio-result",
            latex_delimiters=LATEX, group_consecutive_messages=False, layout="bubble", elem_id="chat-view", placeholder=empty, allow_tags=False,
        )  # fmt: skip
        if SPEECH in self.studio.pipelines:
            self.aloud.build()
        self.warning = gr.HTML("", elem_classes="studio-error", visible=False, elem_id="chat-warning")
        with gr.Row(visible=False, elem_classes="studio-quiet", elem_id="chat-ways") as self.ways:
            self.anyway = gr.Button(words("Send anyway"), size="sm", min_width=110)
            self.ways_out = [gr.Button("", size="sm", visible=False, min_width=160) for _ in range(WAYS)]
        self.way_values = gr.State([])
        with gr.Row(elem_id="chat-examples", elem_classes="studio-quiet") as self.examples:
            self.example_buttons = [gr.Button(words(text), size="sm", min_width=140) for text in EXAMPLES]
        with gr.Row(elem_id="chat-composer", equal_height=True):
            self.text = gr.Textbox(
                label=words("Message"), show_label=False, container=False, lines=1,
                placeholder=words("Write a message. Enter sends, Shift+Enter makes a new line."), max_lines=8, elem_id="chat-input", scale=8,
            )  # fmt: skip
            with gr.Column(min_width=84, scale=1, elem_id="chat-go"):
                self.send = gr.Button(words("Send"), variant="primary", elem_classes="primary-action", min_width=84)
                self.stop = gr.Button(words("Stop"), elem_classes="stop-action", min_width=84)
        with gr.Row(elem_id="chat-actions", elem_classes="studio-quiet"):
            self.again = gr.Button(words("Regenerate"), size="sm", min_width=90)
            self.go_on = gr.Button(words("Continue"), size="sm", min_width=80)
            self.branch = gr.Button(words("Branch"), size="sm", min_width=80)
            self.remove = gr.Button(words("Delete message"), size="sm", min_width=110)
            self.unremove = gr.Button(words("Undo"), size="sm", min_width=60, visible=False, elem_id="chat-undo")
            self.older = gr.Button("‹", size="sm", min_width=36, scale=0, elem_id="chat-older")
            self.newer = gr.Button("›", size="sm", min_width=36, scale=0, elem_id="chat-newer")
        self.note = gr.HTML("", elem_classes="studio-note", elem_id="chat-note", padding=False)

    def _listen(self) -> None:
        page = [self.chat_id, self.view, self.note, self.warning, self.ways, self.examples, self.text, self.chats, self.title]
        assert len(page) == PAGE
        given = {"chat_id": self.chat_id, "text": self.text, "model": self.model, "character": self.character, "preset": self.preset} | self.controls
        streaming: dict[str, Any] = ui.QUIET | {"concurrency_limit": None, "trigger_mode": "multiple"}
        ways = [*self.ways_out, self.way_values]
        gr.on([self.send.click, self.text.submit], self.on_send, inputs_kwargs=given, outputs=[*page, *ways], **streaming)
        self.anyway.click(self.on_send_anyway, inputs_kwargs=given, outputs=page, **streaming)
        for button, text in zip(self.example_buttons, EXAMPLES, strict=True):
            button.click(self._example(text), inputs_kwargs=given, outputs=page, **streaming)
        self.again.click(self.on_again, inputs_kwargs=given, outputs=page, **streaming)
        self.go_on.click(self.on_continue, inputs_kwargs=given, outputs=page, **streaming)
        self.view.edit(self.on_edit, inputs_kwargs=given, outputs=page, **streaming)
        self.stop.click(self.on_stop, [self.chat_id], [], **ui.QUICK)
        for number, button in enumerate(self.ways_out):
            button.click(self._way(number), [self.way_values], [self.model, self.ways, self.warning], **ui.QUIET)  # in the queue: elsewhere Gradio shows no messages
        gr.on([self.text.change, self.model.change, self.chat_id.change], self.on_measure, inputs_kwargs=given, outputs=[self.note], trigger_mode="always_last", **ui.QUICK)
        self.view.select(self.on_pick, [self.chat_id], [self.picked, self.note], **ui.QUICK)
        self.remove.click(self.on_remove, [self.chat_id, self.picked], [*page, self.picked, self.before, self.unremove], **ui.QUICK)
        self.unremove.click(self.on_unremove, [self.chat_id, self.before], [*page, self.picked, self.before, self.unremove], **ui.QUICK)
        self.older.click(self.on_older, [self.chat_id, self.picked], page, **ui.QUICK)
        self.newer.click(self.on_newer, [self.chat_id, self.picked], page, **ui.QUICK)
        self.new.click(self.on_new, [], page, **ui.QUICK)
        self.chats.input(self.on_open, [self.chats], page, **streaming)
        self.branch.click(self.on_branch, [self.chat_id, self.picked], page, **ui.QUICK)
        self.rename.click(self.on_rename, [self.chat_id, self.title], page, **ui.QUICK)
        self.delete.click(self.on_delete, [self.chat_id], [*page, self.deleted, self.undelete], **ui.QUICK)
        self.undelete.click(self.on_undelete, [self.deleted], [*page, self.deleted, self.undelete], **ui.QUICK)
        self.search.change(self.on_search, [self.search, self.chat_id], [self.chats], trigger_mode="always_last", **ui.QUICK)
        ui.gives_file(self.export_json, self.on_export_json, [self.chat_id])
        ui.gives_file(self.export_md, self.on_export_md, [self.chat_id])
        self.upload.upload(self.on_upload, [self.upload], [*page, self.character], **ui.QUICK)
        ui.on_choice(self.character, self.on_character, [self.character], [*page, self.controls["system"]])
        samplers = [self.controls[name] for name in self.samplers]
        ui.on_choice(self.preset, self.on_preset, [self.preset], samplers)
        self.preset_save.click(self.on_save_preset, inputs_kwargs={"name": self.preset_name} | {name: self.controls[name] for name in self.samplers}, outputs=[self.preset], **ui.QUICK)
        self.preset_delete.click(self.on_delete_preset, [self.preset], [self.preset], **ui.QUICK)
        if SPEECH in self.studio.pipelines:
            self.aloud.listen(self.chat_id, self.answer_of)
        restored = [self.model, self.character, self.preset, *self.controls.values()]
        context = gr.context.Context.root_block
        assert isinstance(context, gr.Blocks)
        context.load(self.on_load_controls, [], restored, **ui.QUICK).then(self.on_load, [], page, **streaming)
        ui.on_restore(self.studio, "text.chat", ["text", "chat"], self.on_restore, [*restored, *page])

    # -- showing ---------------------------------------------------------------------------------------------

    def _show(self, opened: Open, lang: str, *, facts: dict[str, Any] | None = None, text: Any = None, warning: str | None = None, full: bool = True, writing: bool = False) -> list[Any]:
        """What the page shows of a chat. `text` and `warning` belong to the draft, not to the chat: None leaves them alone. `writing`: its last answer has not ended."""
        shown, _ = rows(opened.chat)
        note = self._note(opened.chat, facts or {}, lang) + (WRITING if writing else "")
        skip = gr.skip()
        if not full:
            return [skip, shown, note, *[skip] * 6]
        return [
            opened.id, shown, note, *([skip, skip] if warning is None else [gr.update(value=html.escape(self.studio.words.say(lang, warning)), visible=bool(warning)), gr.update(visible=bool(warning))]),
            gr.update(visible=not shown and not warning),
            skip if text is None else text, gr.update(choices=self.sessions.listing(opened.owner), value=opened.id or None), opened.chat.title,
        ]  # fmt: skip

    def _note(self, chat: Chat, facts: dict[str, Any], lang: str, picked: int = -1) -> str:
        say = self.studio.words.say
        parts = []
        if facts.get("context_length"):
            used, size = int(facts.get("context_used", 0)), int(facts["context_length"])
            state = " class='studio-over'" if used > size else ""
            meter = f"<meter min='0' max='{size}' value='{min(used, size)}' aria-label='{html.escape(say(lang, 'Context'))}'></meter>"
            parts.append(f"{meter} <span{state}>" + say(lang, "{used} of {size} tokens in mind", used=f"{used:,}", size=f"{size:,}") + "</span>")
        if speed := facts.get("tokens_per_second"):
            parts.append(say(lang, "{n} tokens/s", n=f"{speed:.1f}"))
        if verdict := facts.get("verdict"):
            parts.append(html.escape(verdict))
        if names := facts.get("unsupported"):
            parts.append(html.escape(say(lang, "Left out by this engine: {names}", names=", ".join(names))))
        path = chat.path()
        if 0 <= picked < len(path):
            parts.append(say(lang, "Message {n} picked", n=picked + 1))
        if many := self._with_versions(chat, picked):
            versions = chat.versions(many.id)
            parts.append(say(lang, "Version {n} of {all}", n=versions.index(many.id) + 1, all=len(versions)))
        if path and path[-1].state == "failed":
            parts.append(f"<span class='studio-error'>{html.escape(say(lang, path[-1].note))}</span>")
        elif path and path[-1].state == "stopped":
            parts.append(say(lang, "Stopped"))
        return " · ".join(parts)

    @staticmethod
    def _with_versions(chat: Chat, picked: int) -> Message | None:
        """The picked message where it has versions, else the last that has."""
        path = chat.path()
        found = [message for message in path if len(chat.versions(message.id)) > 1]
        if 0 <= picked < len(path) and path[picked] in found:
            return path[picked]
        return found[-1] if found else None

    def _facts(self, need: Need, lang: str) -> dict[str, Any]:
        """The verdict before sending: tokens, memory, what is left out."""
        status = self.studio.jobs.worker_status()
        budget, wanted = int(status["budget_bytes"]), need.weight_bytes + need.working_bytes
        values = {"need": f"{wanted / 2**30:.1f}", "budget": f"{budget / 2**30:.1f}"}
        verdict = self.studio.words.say(lang, "fits: {need} of {budget} GB" if wanted <= budget else "too large: {need} of {budget} GB", **values) if wanted else ""
        return {"context_used": need.facts.get("tokens", 0), "context_length": need.facts.get("context_length", 0), "verdict": verdict}

    def _values(self, given: dict[str, Any]) -> dict[str, Any]:
        named = {name: value for name, value in given.items() if name in self.Params.model_fields}
        return ui.read_values(self.Params, named)

    def _extras(self, given: dict[str, Any]) -> dict[str, Any]:
        return ui.read_extras(self.studio, PIPELINE, given)

    def _follow(self, opened: Open, message: Message, request: gr.Request, *, text: str | None = None) -> Iterator[list[Any]]:
        """`text` empties the composer after its content was sent; a draft is left alone otherwise."""
        followed, job = self.sessions.page(str(request.session_hash)).jobs, message.job
        followed.append(job)
        self.stops.admit(str(request.session_hash), request, job)
        try:
            yield from self._written(opened, message, request, text)
        finally:
            followed.remove(job)

    def _written(self, opened: Open, message: Message, request: gr.Request, text: str | None) -> Iterator[list[Any]]:
        lang = ui.lang(request)
        yield self._show(opened, lang, text=text, warning=None if text is None else "", writing=True)
        facts: dict[str, Any] = {}
        for facts in self.sessions.follow(opened, message, ui.pace(self.studio, request)):
            yield self._show(opened, lang, facts=facts, full=False, writing=True)
        yield self._show(opened, lang, facts=facts)

    # -- acting ----------------------------------------------------------------------------------------------

    def on_send(self, request: gr.Request, chat_id: str, text: str, **given: Any) -> Iterator[list[Any]]:
        """Ask, unless the model can't write the text's language: then say so, with ways out that are one click away."""
        lang = ui.lang(request)
        given = self._begin(request, given)
        opened = self.sessions.open(chat_id, ui.owner(request))
        try:
            need = self.sessions.need(opened, text, self._values(given)) if text.strip() else Need()
            warning = self.sessions.warning(need)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        if warning:
            yield [*self._show(opened, lang, text=text, warning=warning), *self._ways(need, lang)]
            return
        hidden = [gr.update(visible=False)] * WAYS
        for shown in self._send(request, chat_id, text, given):
            yield [*shown, *hidden, []]

    def _begin(self, request: gr.Request, given: dict[str, Any]) -> dict[str, Any]:
        """What the controls hold; for whoever was faster than a page that is still loading, what they are about to hold."""
        page = self.sessions.page(str(request.session_hash))
        page.begun = True
        return given if ui.arrived(request) >= page.filled else given | self._kept(ui.owner(request))

    def _ways(self, need: Need, lang: str) -> list[Any]:
        say = self.studio.words.say
        offers = [{"use": key} for key in need.facts.get("installed", [])] + [{"get": item} for item in need.facts.get("downloads", []) if item["fits"] is not False]
        buttons = []
        for offer in offers[:WAYS]:
            item: Any = offer.get("get")
            label = say(lang, "Get {title} ({gb} GB, {licence})", title=item["title"], gb=f"{item['bytes'] / 1e9:.1f}", licence=item["licence"]) if item else say(lang, "Use {title}", title=offer["use"])
            buttons.append(gr.update(value=label, visible=True))
        return [*buttons, *[gr.update(visible=False)] * (WAYS - len(buttons)), offers[:WAYS]]

    def _way(self, number: int) -> Any:
        def take(offers: list[dict[str, Any]], request: gr.Request) -> list[Any]:
            offer = offers[number]
            if "use" in offer:
                return [offer["use"], gr.update(visible=False), gr.update(visible=False)]
            try:
                ui.only_host(request)
                self.studio.downloads.from_hub(offer["get"]["hub_id"], offer["get"]["file"])
            except StudioError as error:
                raise ui.toast(self.studio, error, request) from error
            gr.Info(self.studio.words.say(ui.lang(request), "The download has begun; the line below shows how far it is."), duration=6)
            return [gr.skip()] * 3

        return take

    def on_measure(self, request: gr.Request, chat_id: str, text: str, **given: Any) -> str:
        """While the message is being written: how much of the model's memory it will take."""
        opened, lang = self.sessions.open(chat_id, ui.owner(request)), ui.lang(request)
        if self.sessions.running(opened):
            return gr.skip()
        try:
            need = self.sessions.need(opened, text, self._values(given))
        except StudioError as error:
            return f"<span class='studio-error'>{html.escape(ui.error_text(self.studio, error, lang))}</span>"
        return self._note(opened.chat, self._facts(need, lang), lang)

    def on_pick(self, event: gr.SelectData, chat_id: str, request: gr.Request) -> list[Any]:
        """A click on a message picks it for Branch, Delete and the versions."""
        opened = self.sessions.open(chat_id, ui.owner(request))
        _, ids = rows(opened.chat)
        row = event.index[0] if isinstance(event.index, (list, tuple)) else event.index
        picked = [message.id for message in opened.chat.path()].index(ids[row]) if 0 <= row < len(ids) else -1
        return [picked, self._note(opened.chat, {}, ui.lang(request), picked)]

    def on_remove(self, chat_id: str, picked: int, request: gr.Request) -> list[Any]:
        """Take the picked (or last) message and what follows it away; Undo brings it back."""
        opened, lang = self.sessions.open(chat_id, ui.owner(request)), ui.lang(request)
        path = opened.chat.path()
        if not path or self.sessions.running(opened):
            return [gr.skip()] * 12
        before = json.dumps(opened.chat.to_json(), ensure_ascii=False)
        opened.chat.remove(path[picked if 0 <= picked < len(path) else -1].id)
        self.sessions.keep(opened)
        return [*self._show(opened, lang), -1, before, gr.update(visible=True)]

    def on_unremove(self, chat_id: str, before: str, request: gr.Request) -> list[Any]:
        opened = self.sessions.open(chat_id, ui.owner(request))
        if before:
            opened.chat = Chat.from_json(json.loads(before))
            self.sessions.keep(opened)
        return [*self._show(opened, ui.lang(request)), -1, "", gr.update(visible=False)]

    def on_send_anyway(self, request: gr.Request, chat_id: str, text: str, **given: Any) -> Iterator[list[Any]]:
        yield from self._send(request, chat_id, text, given)

    def _example(self, english: str) -> Any:
        def send(request: gr.Request, chat_id: str, text: str, **given: Any) -> Iterator[list[Any]]:
            yield from self._send(request, chat_id, english, given)

        return send

    def _send(self, request: gr.Request, chat_id: str, text: str, given: dict[str, Any]) -> Iterator[list[Any]]:
        owner = ui.owner(request)
        given = self._begin(request, given)
        if not text.strip():
            yield ui.as_it_is(PAGE)
            return
        opened = self.sessions.open(chat_id, owner)
        try:
            values = self._values(given)
            self._remember(owner, given)
            opened.chat.add("user", text)
            message = self.sessions.answer(opened, values, extras=self._extras(given))
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        yield from self._follow(opened, message, request, text="")

    def on_again(self, request: gr.Request, chat_id: str, text: str, **given: Any) -> Iterator[list[Any]]:
        """Another version of the last answer; the old one stays."""
        opened = self.sessions.open(chat_id, ui.owner(request))
        path = opened.chat.path()
        if not path:
            yield ui.as_it_is(PAGE)
            return
        question = path[-1].id if path[-1].role == "user" else path[-1].parent
        yield from self._act(request, opened, given, parent=question)

    def on_continue(self, request: gr.Request, chat_id: str, text: str, **given: Any) -> Iterator[list[Any]]:
        opened = self.sessions.open(chat_id, ui.owner(request))
        path = opened.chat.path()
        if path and path[-1].role == "assistant":
            yield from self._act(request, opened, given, continued=path[-1].id)
        else:
            yield ui.as_it_is(PAGE)

    def on_edit(self, event: gr.EditData, request: gr.Request, chat_id: str, text: str, **given: Any) -> Iterator[list[Any]]:
        """A changed question is answered anew; a changed answer keeps what followed."""
        opened = self.sessions.open(chat_id, ui.owner(request))
        _, ids = rows(opened.chat)
        index = event.index[0] if isinstance(event.index, (list, tuple)) else event.index
        changed = opened.chat.edit(ids[index], str(event.value))
        if changed.role == "user":
            yield from self._act(request, opened, given, parent=changed.id)
        else:
            self.sessions.keep(opened)
            yield self._show(opened, ui.lang(request))

    def _act(self, request: gr.Request, opened: Open, given: dict[str, Any], **how: Any) -> Iterator[list[Any]]:
        try:
            message = self.sessions.answer(opened, self._values(given), extras=self._extras(given), **how)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        yield from self._follow(opened, message, request)

    def on_stop(self, chat_id: str, request: gr.Request) -> None:
        """What this page shows being written, wherever its chat's id is on its way; and what it has asked that is no job yet."""
        owner, page = ui.owner(request), str(request.session_hash)
        self.stops.press(page, request)
        self.sessions.stop(self.sessions.open(chat_id or self.studio.store.recall(owner, "text.chat.open", ""), owner), [*self.sessions.page(page).jobs])

    def on_older(self, chat_id: str, picked: int, request: gr.Request) -> list[Any]:
        return self._version(chat_id, picked, request, -1)

    def on_newer(self, chat_id: str, picked: int, request: gr.Request) -> list[Any]:
        return self._version(chat_id, picked, request, 1)

    def _version(self, chat_id: str, picked: int, request: gr.Request, step: int) -> list[Any]:
        opened = self.sessions.open(chat_id, ui.owner(request))
        if many := self._with_versions(opened.chat, picked):
            opened.chat.choose(many.id, step)
            self.sessions.keep(opened)
        return self._show(opened, ui.lang(request))

    def answer_of(self, chat_id: str, row: int, request: gr.Request) -> str:
        """The answer that a row of the conversation shows; "" for a question, a thought or none."""
        shown, _ = rows(self.sessions.open(chat_id, ui.owner(request)).chat)
        found = shown[row] if 0 <= row < len(shown) else {}
        return str(found["content"]) if found.get("role") == "assistant" and "metadata" not in found else ""

    # -- chats -----------------------------------------------------------------------------------------------

    def on_new(self, request: gr.Request) -> list[Any]:
        owner = ui.owner(request)
        self.studio.store.remember(owner, "text.chat.open", "")
        return self._show(Open("", Chat(), owner), ui.lang(request))

    def on_open(self, chosen: str, request: gr.Request) -> Iterator[list[Any]]:
        """Open a chat; where its answer is still being written, go on showing it."""
        owner, lang = ui.owner(request), ui.lang(request)
        opened = self.sessions.open(chosen, owner)
        self.studio.store.remember(owner, "text.chat.open", opened.id)
        if message := self.sessions.running(opened):
            yield from self._follow(opened, message, request)
        else:
            yield self._show(opened, lang)

    def on_branch(self, chat_id: str, picked: int, request: gr.Request) -> list[Any]:
        """A new chat that goes up to the picked (or last) message."""
        opened = self.sessions.open(chat_id, ui.owner(request))
        path = opened.chat.path()
        if not path:
            return self._show(opened, ui.lang(request))
        twin = Open("", opened.chat.branch(path[picked if 0 <= picked < len(path) else -1].id), opened.owner)
        self.sessions.keep(twin)
        return self._show(twin, ui.lang(request))

    def on_rename(self, chat_id: str, title: str, request: gr.Request) -> list[Any]:
        opened = self.sessions.open(chat_id, ui.owner(request))
        if opened.id and title.strip():
            opened.chat.title = title.strip()[:120]
            self.sessions.keep(opened)
        return self._show(opened, ui.lang(request))

    def on_delete(self, chat_id: str, request: gr.Request) -> list[Any]:
        owner = ui.owner(request)
        if chat_id:
            self.sessions.stop(self.sessions.open(chat_id, owner))
            self.studio.store.delete_document(chat_id, owner=owner)
        return [*self.on_new(request), chat_id, gr.update(visible=bool(chat_id))]

    def on_undelete(self, chat_id: str, request: gr.Request) -> list[Any]:
        owner = ui.owner(request)
        self.studio.store.undelete_document(chat_id, owner=owner)
        return [*self._show(self.sessions.open(chat_id, owner), ui.lang(request)), "", gr.update(visible=False)]

    def on_search(self, query: str, chat_id: str, request: gr.Request) -> Any:
        found = self.sessions.listing(ui.owner(request), query)
        return gr.update(choices=found, value=chat_id if any(chat_id == one for _, one in found) else None)

    def on_export_json(self, chat_id: str, request: gr.Request) -> dict[str, str]:
        chat = self.sessions.open(chat_id, ui.owner(request)).chat
        return as_file(chat.title, ".json", json.dumps(chat.to_json(), ensure_ascii=False, indent=1))

    def on_export_md(self, chat_id: str, request: gr.Request) -> dict[str, str]:
        chat = self.sessions.open(chat_id, ui.owner(request)).chat
        return as_file(chat.title, ".md", chat.to_markdown())

    def on_upload(self, path: str, request: gr.Request) -> list[Any]:
        owner, lang = ui.owner(request), ui.lang(request)
        try:
            opened = self.sessions.take(Path(path), owner)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return [*self._show(opened, lang), gr.update(choices=self._characters(owner, lang), value=opened.chat.character)]

    # -- characters, presets, restoring ----------------------------------------------------------------------

    def _characters(self, owner: str, lang: str) -> list[tuple[str, str]]:
        own = [document.title for document in self.studio.store.documents("character", owner=owner)]
        return [(self.studio.words.say(lang, "No character"), NO_CHARACTER), *((name, name) for name in own)]

    def on_character(self, name: str, request: gr.Request) -> list[Any]:
        """A new chat with this character; its description becomes the system prompt of that chat."""
        owner = ui.owner(request)
        body = next((document.body for document in self.studio.store.documents("character", owner=owner) if document.title == name), None)
        if body is None:
            return [*self.on_new(request), ""]
        opened = self.sessions.greet(Character(**body), owner)
        return [*self._show(opened, ui.lang(request)), opened.chat.system]

    def on_preset(self, name: str, request: gr.Request) -> list[Any]:
        """All sampler controls: those that the preset does not name go back to their defaults."""
        values = preset_values(self.studio, ui.owner(request), name)
        defaults = {field: self.Params.model_fields[field].get_default(call_default_factory=True) for field in self.samplers}
        shown = ui.show_values(self.Params, defaults | values)
        return [shown[field] for field in self.samplers] if values else [gr.skip()] * len(self.samplers)

    def on_save_preset(self, request: gr.Request, name: str, **given: Any) -> Any:
        owner = ui.owner(request)
        try:
            if not name.strip() or name.strip() in SHIPPED:
                raise StudioError("Give the preset a name of its own.", hint="The shipped names are taken.")
            save_preset(self.studio, owner, name.strip(), ui.read_values(self.Params, given))
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return gr.update(choices=preset_names(self.studio, owner), value=name.strip())

    def on_delete_preset(self, name: str, request: gr.Request) -> Any:
        owner = ui.owner(request)
        delete_preset(self.studio, owner, name)
        return gr.update(choices=preset_names(self.studio, owner), value="Balanced")

    def _remember(self, owner: str, given: dict[str, Any]) -> None:
        self.studio.store.remember(owner, "text.chat.controls", {name: value for name, value in given.items() if name not in ("chat_id", "text")})

    def on_load_controls(self, request: gr.Request) -> list[Any]:
        """Every control as it was when this person last sent; or as a dropped file says."""
        owner, lang = ui.owner(request), ui.lang(request)
        kept = self._kept(owner)
        models = [(entry.title, entry.key) for entry in self.studio.catalog.entries("llm")]
        updates = [
            gr.update(choices=models, value=kept["model"]), gr.update(choices=self._characters(owner, lang), value=kept.get("character", NO_CHARACTER)),
            gr.update(choices=preset_names(self.studio, owner), value=kept.get("preset", "Balanced")),
        ]  # fmt: skip
        return [*updates, *(kept[name] if name in kept else gr.skip() for name in self.controls)]

    def _kept(self, owner: str) -> dict[str, Any]:
        kept = dict(self.studio.store.recall(owner, "text.chat.controls", {}))
        if dropped := self.studio.store.recall(owner, "restore:text.chat"):
            kept |= ui.show_values(self.Params, dropped) | ui.show_extras(self.studio, PIPELINE, dropped.get("extras", {}))
        known = [entry.key for entry in self.studio.catalog.entries("llm")]
        return kept | {"model": kept["model"] if kept.get("model") in known else (known[0] if known else "")}

    def on_load(self, request: gr.Request) -> Iterator[list[Any]]:
        """The chat that was open; not over one that was begun while the page was still loading."""
        owner, page = ui.owner(request), self.sessions.page(str(request.session_hash))
        page.filled = ui.arrived(request)  # this event comes from a page that has what the one before it gave
        if page.begun:
            yield ui.as_it_is(PAGE)
            return
        if self.studio.store.recall(owner, "restore:text.chat"):
            yield self._restored(request)
            return
        yield from self.on_open(self.studio.store.recall(owner, "text.chat.open", ""), request)

    def on_restore(self, request: gr.Request) -> list[Any]:
        return [*self.on_load_controls(request), *self._restored(request)]

    def _restored(self, request: gr.Request) -> list[Any]:
        """A file's or an output's conversation opens as a new chat."""
        owner = ui.owner(request)
        dropped = self.studio.store.recall(owner, "restore:text.chat")
        self.studio.store.remember(owner, "restore:text.chat", None)
        opened = Open("", from_turns(dropped.get("messages", []), dropped.get("system", "")), owner)
        self.sessions.keep(opened)
        return self._show(opened, ui.lang(request))


def as_file(title: str, suffix: str, text: str) -> dict[str, str]:
    """A file for the browser to download, named after the chat."""
    name = "".join(letter for letter in title if letter.isalnum() or letter in " -_").strip()[:60] or "chat"
    return {"name": f"{name}-{time.strftime('%Y%m%d')}{suffix}", "text": text}
