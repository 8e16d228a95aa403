"""A chat as a tree of messages: edits, regenerated versions and branches lose nothing. No gradio here."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from studio.api import BadInput

Role = Literal["user", "assistant"]
MAX_IMPORT_BYTES = 32 * 2**20
ROOT = ""


@dataclass
class Message:
    """One turn. Siblings (same parent) are its versions. state: done, running, stopped, failed."""

    id: str
    parent: str
    role: Role
    text: str
    reasoning: str = ""
    state: str = "done"
    job: str = ""
    note: str = ""


@dataclass
class Chat:
    """All messages, and which child is shown under each parent."""

    title: str = ""
    system: str = ""
    character: str = ""
    messages: dict[str, Message] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)

    def path(self) -> list[Message]:
        """The shown conversation, from the first turn to the last."""
        shown, parent = [], ROOT
        while child := self.chosen.get(parent):
            shown.append(self.messages[child])
            parent = child
        return shown

    def leaf(self) -> str:
        path = self.path()
        return path[-1].id if path else ROOT

    def add(self, role: Role, text: str, *, parent: str | None = None, **more: Any) -> Message:
        """A new message under `parent` (the last shown one by default); it becomes the shown version."""
        above = self.leaf() if parent is None else parent
        message = Message(uuid.uuid4().hex[:12], above, role, text, **more)
        self.messages[message.id] = message
        self.chosen[above] = message.id
        if not self.title and role == "user":
            self.title = title_of(text)
        return message

    def versions(self, message_id: str) -> list[str]:
        parent = self.messages[message_id].parent
        return [other.id for other in self.messages.values() if other.parent == parent]

    def choose(self, message_id: str, step: int) -> None:
        """Show the version before (-1) or after (+1), round the end."""
        versions = self.versions(message_id)
        place = (versions.index(message_id) + step) % len(versions)
        self.chosen[self.messages[message_id].parent] = versions[place]

    def edit(self, message_id: str, text: str) -> Message:
        """A new version beside the old one. An answer keeps what followed; a question starts anew from here."""
        old = self.messages[message_id]
        following = self.chosen.get(message_id)
        new = self.add(old.role, text, parent=old.parent)
        if old.role == "assistant" and following:
            self._copy_below(message_id, new.id)
        return new

    def remove(self, message_id: str) -> None:
        """Take a message and all below it away; another version is shown where there is one."""
        parent = self.messages[message_id].parent
        rest = [other for other in self.versions(message_id) if other != message_id]
        for gone in self._below(message_id):
            self.messages.pop(gone, None)
            self.chosen.pop(gone, None)
        if rest:
            self.chosen[parent] = rest[-1]
        else:
            self.chosen.pop(parent, None)

    def branch(self, message_id: str) -> Chat:
        """A new chat with the shown turns up to this one."""
        twin = Chat(title=f"{self.title} ⑂", system=self.system, character=self.character)
        for message in self.path():
            twin.add(message.role, message.text, reasoning=message.reasoning, note=message.note)
            if message.id == message_id:
                break
        return twin

    def turns(self, until: str = "") -> list[dict[str, str]]:
        """The shown turns as the model gets them, up to (not with) the message `until`."""
        turns = []
        for message in self.path():
            if message.id == until:
                break
            turns.append({"role": message.role, "content": message.text})
        return turns

    def _below(self, message_id: str) -> list[str]:
        found = [message_id]
        for message in found:
            found.extend(other.id for other in self.messages.values() if other.parent == message)
        return found

    def _copy_below(self, source: str, target: str) -> None:
        while child := self.chosen.get(source):
            message = self.messages[child]
            target = self.add(message.role, message.text, parent=target, reasoning=message.reasoning, note=message.note).id
            source = child

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Chat:
        """Raises BadInput for anything that is not a chat of ours."""
        try:
            messages = {key: Message(**item) for key, item in value["messages"].items()}
            chat = cls(str(value["title"]), str(value["system"]), str(value.get("character", "")), messages, dict(value["chosen"]))
            if any(message.role not in ("user", "assistant") or not isinstance(message.text, str) for message in messages.values()):
                raise ValueError("a message is neither a question nor an answer")
            if any(child not in messages for child in chat.chosen.values()) or len({m.id for m in chat.path()}) != len(chat.path()):
                raise ValueError("its messages do not hang together")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInput(f"This file is not a chat of the studio ({error}).", hint="Import a file that Export made.") from error
        return chat

    def to_markdown(self) -> str:
        names = {"user": "You", "assistant": self.character or "Assistant"}
        return f"# {self.title}\n\n" + "\n\n".join(f"**{names[message.role]}**\n\n{message.text}" for message in self.path()) + "\n"


def import_chat(raw: bytes) -> Chat:
    """From an exported file. Raises BadInput."""
    if len(raw) > MAX_IMPORT_BYTES:
        raise BadInput("This file is too large for a chat.", hint="Import a file that Export made.")
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadInput("This file is not JSON.", hint="Import a file that Export made.") from error
    if isinstance(value, list):
        return from_turns(value)
    return Chat.from_json(value if isinstance(value, dict) else {})


def from_turns(turns: list[Any], system: str = "") -> Chat:
    """From a plain list of {"role", "content"}. Raises BadInput."""
    chat = Chat(system=system)
    for turn in turns:
        if not isinstance(turn, dict) or turn.get("role") not in ("system", "user", "assistant") or not isinstance(turn.get("content"), str):
            raise BadInput("This list is not a conversation.", hint='Each turn needs a "role" and a "content".')
        if turn["role"] == "system":
            chat.system = turn["content"]
        else:
            chat.add(turn["role"], turn["content"])
    return chat


def title_of(text: str, limit: int = 48) -> str:
    """The first line, cut at a word."""
    line = " ".join(text.strip().splitlines()[:1])
    if len(line) <= limit:
        return line
    return line[:limit].rsplit(" ", 1)[0] + " …"
