"""What the chat page does, without drawing: opening, sending, streaming, editing one person's chats."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.api import BadInput, Cancelled, Done, Failed, Need, NotFound, Stats, Studio, StudioError, Text
from tabs.characters import Character, fill_names, read_character
from tabs.chats import Chat, Message, import_chat

KIND = "chat"
PIPELINE = "text.chat"
LANGUAGE_NOTE = "language: "
PAGES = 1000  # that are remembered


@dataclass
class Open:
    """A chat that is open in somebody's page."""

    id: str
    chat: Chat
    owner: str


@dataclass
class Shown:
    """What one page follows: the jobs of its answers. `begun` once somebody asked something there, `filled` is when its controls were as they had been left."""

    jobs: list[str] = field(default_factory=list)
    begun: bool = False
    filled: float = float("inf")


class Sessions:
    """Chats of all people; every call names the owner."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._pages: dict[str, Shown] = {}

    def page(self, session: str) -> Shown:
        """A page by its session with Gradio."""
        shown = self._pages.setdefault(session, Shown())
        while len(self._pages) > PAGES:
            self._pages.pop(next(iter(self._pages)))
        return shown

    def open(self, chat_id: str, owner: str) -> Open:
        """The chat, or a new one where it is gone."""
        try:
            document = self.studio.store.document(chat_id, owner=owner)
        except NotFound:
            return Open("", Chat(), owner)
        return Open(document.id, Chat.from_json(document.body), owner)

    def keep(self, opened: Open) -> None:
        title = opened.chat.title or "New chat"
        document = self.studio.store.put_document(kind=KIND, owner=opened.owner, title=title, body=opened.chat.to_json(), id=opened.id)
        opened.id = document.id
        self.studio.store.remember(opened.owner, "text.chat.open", opened.id)

    def listing(self, owner: str, query: str = "") -> list[tuple[str, str]]:
        return [(document.title, document.id) for document in self.studio.store.documents(KIND, owner=owner, query=query, limit=100)]

    def take(self, path: Path, owner: str) -> Open:
        """An exported chat, or a character, whose greeting begins a new chat. Raises BadInput."""
        try:
            if path.suffix.lower() == ".json":
                value = json.loads(path.read_bytes())
                if isinstance(value, list) or "messages" in value:
                    opened = Open("", import_chat(path.read_bytes()), owner)
                    self.keep(opened)
                    return opened
            character = read_character(path)
        except (ValueError, AttributeError, TypeError) as error:
            raise BadInput("This file is neither a chat nor a character.", hint="Import a file that Export made, or a character card.") from error
        self.studio.store.put_document(kind="character", owner=owner, title=character.name, body=dict(character.to_json()))
        return self.greet(character, owner)

    def greet(self, character: Character, owner: str) -> Open:
        """A new chat that the character's greeting begins."""

        def fill(text: str) -> str:
            return fill_names(text, character=character.name, user="You")

        chat = Chat(title=character.name, system=fill(character.context), character=character.name)
        if character.greeting:
            chat.add("assistant", fill(character.greeting))
        opened = Open("", chat, owner)
        self.keep(opened)
        return opened

    def need(self, opened: Open, text: str, values: dict[str, Any]) -> Need:
        """What sending this text would take. Raises BadInput."""
        pipeline = self.studio.pipelines[PIPELINE]
        turns = [*opened.chat.turns(), *([{"role": "user", "content": text}] if text.strip() else [])]
        return pipeline.need(pipeline.Params.parse(values | {"messages": turns}), self.studio.catalog)

    def warning(self, need: Need) -> str:
        """A sentence where the model can't write the language of the text; "" otherwise. Raises BadInput."""
        if need.missing:
            raise BadInput(need.missing, hint="Choose another model, or add one in the Models tab.", field="model")
        note = next((note.removeprefix(LANGUAGE_NOTE) for note in need.notes if note.startswith(LANGUAGE_NOTE)), "")
        return note.partition(" You could ")[0]  # the page offers the ways out as buttons

    def answer(self, opened: Open, values: dict[str, Any], *, extras: dict[str, Any], parent: str | None = None, continued: str = "") -> Message:
        """Queue a job for the next answer (or go on with `continued`); the running message is kept at once."""
        chat = opened.chat
        turns = chat.turns()
        if parent is not None:
            turns = turns[: [message.id for message in chat.path()].index(parent) + 1]
        system = values.get("system") or chat.system
        asked = values | {"messages": turns, "system": system, "continue_last": bool(continued)}
        job = self.studio.submit(PIPELINE, asked, owner=opened.owner, extras=extras)
        if continued:
            message = chat.messages[continued]
            message.note = f"+{len(message.text)}"
        else:
            message = chat.add("assistant", "", parent=parent)
        message.state, message.job = "running", job.id
        self.keep(opened)
        return message

    def follow(self, opened: Open, message: Message, pace: Callable[[], float]) -> Iterator[dict[str, Any]]:
        """Apply a running job's events to its message; yields measured facts after each batch of them, `pace` seconds apart."""
        try:
            job = self.studio.jobs.get(message.job)
        except NotFound:
            message.state = "failed"
            message.note = "The studio was restarted while this was written."
            self.keep(opened)
            return
        before = message.text[: int(message.note[1:])] if message.note.startswith("+") else ""
        message.text, message.reasoning, message.note = before, "", ""
        facts: dict[str, Any] = {}
        for batch in job.batches(pace):
            for event in batch:
                if isinstance(event, Text) and event.channel == "reasoning":
                    message.reasoning += event.delta
                elif isinstance(event, Text):
                    message.text += event.delta
                elif isinstance(event, Stats):
                    facts |= event.values
                elif isinstance(event, (Done, Cancelled, Failed)):
                    self._end(opened, message, job, event, before)
                    facts |= job.summary
            yield facts

    def _end(self, opened: Open, message: Message, job: Any, event: Any, before: str) -> None:
        message.job = ""
        if isinstance(event, Failed):
            error = StudioError.from_wire(event.error)
            message.state, message.note = "failed", f"{error.message} {error.hint}".strip()
        else:
            message.state = "stopped" if isinstance(event, Cancelled) else "done"
            if job.text and not before:
                message.text = job.text  # as the extensions left it
        try:
            self._keep_only(opened, message)
        except NotFound:
            return  # its chat was deleted meanwhile

    def _keep_only(self, opened: Open, message: Message) -> None:
        """Keep this message in the chat as it now is: other turns may have been added by another page meanwhile."""
        document = self.studio.store.document(opened.id, owner=opened.owner)
        chat = Chat.from_json(document.body)
        if message.id in chat.messages:
            chat.messages[message.id] = message
            self.studio.store.put_document(kind=KIND, owner=opened.owner, title=document.title, body=chat.to_json(), id=opened.id)

    def stop(self, opened: Open, followed: list[str] | None = None) -> bool:
        """Stop the answers that are being written in a chat, and those that a page follows; False where none is."""
        running = [message.job for message in opened.chat.messages.values() if message.state == "running" and message.job]
        stopped = [self.studio.jobs.cancel(job, by=opened.owner) for job in {*running, *(followed or [])}]
        return any(stopped)

    def running(self, opened: Open) -> Message | None:
        return next((message for message in opened.chat.path() if message.state == "running"), None)
