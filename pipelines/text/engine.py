"""The Engine protocol: what a text model can be asked, whichever library runs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from pipelines.text.reasoning import ReasoningSplitter
from pipelines.text.sampling import Sampling
from studio.api import ModelEntry, ModelSpec, RunContext, Stopped

Report = Callable[[str, float], None]


@dataclass(frozen=True)
class Request:
    """One generation: chat if `messages` is given, else completion of `prompt`. max_tokens 0 runs to the context's end."""

    sampling: Sampling
    messages: list[dict[str, str]] = field(default_factory=list)
    prompt: str = ""
    continue_last: bool = False
    thinking: bool = True
    stop: list[str] = field(default_factory=list)
    max_tokens: int = 512
    seed: int = 0
    grammar: str = ""
    json_schema: str = ""
    logit_bias: dict[str, float] = field(default_factory=dict)
    reuse_prefix: bool = True


@dataclass(frozen=True)
class Finish:
    """How a generation ended: reason is "stop", "length" or "stopped" (by the user)."""

    reason: str
    tokens: int
    prompt_tokens: int
    cached_tokens: int


@dataclass(frozen=True)
class Setup:
    """How a model is opened. context_length 0 lets the engine choose."""

    threads: int = 1
    device: str = "cpu"
    context_length: int = 0
    key: str = ""
    embedding: bool = False


class Loaded(Protocol):
    """A model in memory, used by one job at a time."""

    context_length: int

    def generate(self, request: Request, sink: Sink) -> Finish:
        """Stream text into the sink; returns early once `sink.stopping` says so. Raises ContextOverflow, BadInput."""
        ...

    def embed(self, texts: list[str]) -> list[list[float]]:
        """One unit-length vector per text. Raises BadInput where the model can't."""
        ...

    def count(self, text: str) -> int: ...


class Engine(Protocol):
    """A library that runs text models; `supports` names the Params fields that it honours."""

    name: ClassVar[str]
    title: ClassVar[str]
    supports: ClassVar[frozenset[str]]

    def working_bytes(self, entry: ModelEntry, context_length: int) -> int:
        """Memory besides the weights: key/value cache and buffers."""
        ...

    def problem(self, entry: ModelEntry) -> str:
        """A sentence if the file can't be run, from its header; "" otherwise."""
        ...

    def spec(self, entry: ModelEntry, setup: Setup) -> ModelSpec[Any]:
        """How to load it as a `Loaded`. Raises ModelBroken on load."""
        ...


class Sink:
    """Where an engine puts what it makes: splits off reasoning, measures, reports; never raises."""

    def __init__(self, ctx: RunContext, context_length: int) -> None:
        self._ctx = ctx
        self._context_length = context_length
        self._split = ReasoningSplitter()
        self._start = time.monotonic()
        self._first = 0.0
        self._reported = 0.0
        self._stopped = False
        self._pieces: dict[str, list[str]] = {"answer": [], "reasoning": []}
        self.tokens = self.prompt_tokens = self.cached_tokens = 0

    @property
    def answer(self) -> str:
        return "".join(self._pieces["answer"])

    @property
    def reasoning(self) -> str:
        return "".join(self._pieces["reasoning"])

    @property
    def stopping(self) -> bool:
        return self._stopped or self._ctx.stopping != "none"

    def prefill(self, done: int, total: int, cached: int = 0) -> None:
        """Tokens of the prompt that were read so far."""
        self.prompt_tokens, self.cached_tokens = total, cached
        self._say("Reading the text so far", done, total)

    def _say(self, note: str, done: int = 0, total: int = 0) -> None:
        try:
            self._ctx.progress(done, total, note)
        except Stopped:  # what was streamed is kept: the pipeline returns instead
            self._stopped = True

    def starts_thinking(self) -> None:
        """The prompt itself ended with the opening tag."""
        self._split = ReasoningSplitter(inside=True)

    def text(self, delta: str, channel: str = "answer") -> None:
        for part, where in self._split.feed(delta) if channel == "answer" else [(delta, channel)]:
            self._put(part, where)

    def token(self, count: int = 1) -> None:
        """Count generated tokens; the first one stops the clock of the prompt."""
        now = time.monotonic()
        self.tokens += count
        if not self._first:
            self._first = now
            self.report()
            self._say("Writing")
        elif now - self._reported > 0.5:
            self.report()

    def close(self, finish: Finish) -> dict[str, Any]:
        """Flush what the splitter held back, report once more, return the facts of the run."""
        for part, where in self._split.flush():
            self._put(part, where)
        self.tokens, self.prompt_tokens, self.cached_tokens = finish.tokens, finish.prompt_tokens, finish.cached_tokens
        self.report()
        return self.facts() | {"finish_reason": finish.reason}

    def facts(self) -> dict[str, Any]:
        now = time.monotonic()
        decoding = now - self._first if self._first else 0.0
        return {
            "tokens": self.tokens,
            "prompt_tokens": self.prompt_tokens,
            "cached_tokens": self.cached_tokens,
            "tokens_per_second": round((self.tokens - 1) / decoding, 2) if self.tokens > 1 and decoding > 0 else 0.0,
            "first_token_seconds": round(self._first - self._start, 4) if self._first else -1.0,
            "context_used": self.prompt_tokens + self.tokens,
            "context_length": self._context_length,
        }

    def report(self) -> None:
        self._reported = time.monotonic()
        self._ctx.stats(**self.facts())

    def _put(self, text: str, channel: str) -> None:
        if text:
            self._pieces[channel].append(text)
            self._ctx.text(text, channel)
