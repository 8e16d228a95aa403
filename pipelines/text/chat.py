"""text.chat: answers a conversation with the model's own chat template, or continues its last answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.text.engine import Request
from pipelines.text.languages import advice, language_note, room
from pipelines.text.params import TextParams
from pipelines.text.running import need_of, request_of, run_request
from pipelines.text.tokens import count_chat
from studio.api import BadInput, Catalog, Lane, Need, Params, Result, RunContext, ui


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Literal["system", "user", "assistant"]
    content: str = Field(max_length=4_000_000)


class ChatParams(TextParams):
    messages: list[Message] = Field([], max_length=10_000, title="Messages", description="The conversation so far, oldest first.", json_schema_extra=ui(widget="hidden"))
    system: str = Field("", max_length=1_000_000, title="System prompt", description="What the model should know and how it should behave.", json_schema_extra=ui(widget="textarea", lines=4))
    continue_last: bool = Field(False, title="Continue", description="Go on with the last answer instead of writing a new one.", json_schema_extra=ui(widget="hidden"))
    thinking: bool = Field(True, title="Let it think", description="Models that can reason do so before they answer; off asks them not to.", json_schema_extra=ui(group="Form", advanced=True))


class Chat:
    """The answer streams as text; what the model thinks goes to the channel "reasoning"."""

    id: ClassVar[str] = "text.chat"
    title: ClassVar[str] = "Chat"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = ChatParams

    def need(self, params: ChatParams, catalog: Catalog) -> Need:
        told = advice(params.model, conversation_text(params), catalog, room())
        note = language_note(told)
        missing = "" if params.messages else "Write a message first."
        facts = {"tokens": tokens_of(params, catalog), "downloads": told.get("downloads", []), "installed": told.get("installed", [])}
        return need_of(params, catalog, missing, [note] if note else [], facts)

    def map_text(self, params: ChatParams, change: Callable[[str], str]) -> ChatParams:
        """What the user wrote, in every turn: a turn that was changed once stays the same, so its place in the cache does too."""
        messages = [turn.model_copy(update={"content": change(turn.content)}) if turn.role == "user" else turn for turn in params.messages]
        return params.model_copy(update={"messages": messages})

    def run(self, params: ChatParams, ctx: RunContext) -> Result:
        return run_request(params, request_of_chat(params, ctx.seed), ctx)


def tokens_of(params: ChatParams, catalog: Catalog) -> int:
    """How many tokens the conversation takes before the answer; 0 while no model is chosen."""
    if not any(entry.key == params.model for entry in catalog.entries("llm")):
        return 0
    said = [message.model_dump() for message in params.messages]
    system = [{"role": "system", "content": params.system}] if params.system else []
    return count_chat(catalog.find(params.model), [*system, *said])


def conversation_text(params: ChatParams) -> str:
    """What the user wrote last: its language is the one the model should write."""
    said = [message.content for message in params.messages if message.role == "user"]
    return said[-1] if said else ""


def request_of_chat(params: ChatParams, seed: int) -> Request:
    """Raises BadInput if there is nothing to answer or to continue."""
    messages = [message.model_dump() for message in params.messages]
    if not messages:
        raise BadInput("There is no message to answer.", hint="Write a message first.", field="messages")
    if params.continue_last and messages[-1]["role"] != "assistant":
        raise BadInput("There is no answer to continue.", hint="Send a message first.", field="continue_last")
    if params.system and messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": params.system})
    return request_of(params, seed, messages=messages, continue_last=params.continue_last, thinking=params.thinking)
