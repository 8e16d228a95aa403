"""A remote OpenAI-compatible server as an engine. The key comes from the settings and goes into no log or metadata."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from pipelines.text.engine import Finish, Report, Request, Setup, Sink
from pipelines.text.sampling import Sampling
from pipelines.text.sse import EventStream, Refused
from studio.api import BadInput, ContextOverflow, ModelEntry, ModelMissing, ModelSpec, StudioError

SPOKEN = frozenset({"temperature", "top_p", "frequency_penalty", "presence_penalty"})
CONNECT_SECONDS, READ_SECONDS = 10.0, 300.0


class RemoteEngine:
    """Only what the OpenAI API knows: other samplers are shown as left out."""

    name: ClassVar[str] = "remote"
    title: ClassVar[str] = "A remote server"
    supports: ClassVar[frozenset[str]] = SPOKEN | {"json_schema", "logit_bias"}

    def working_bytes(self, entry: ModelEntry, context_length: int) -> int:
        return 0

    def problem(self, entry: ModelEntry) -> str:
        return "" if entry.path.startswith(("http://", "https://")) else "The remote server's address must begin with http:// or https://."

    def spec(self, entry: ModelEntry, setup: Setup) -> ModelSpec[RemoteModel]:
        version = hash((entry.path, setup.key)) & 0xFFFF  # salted by Python: a changed address or key is a new connection
        return ModelSpec(f"{entry.key} #{version:04x}", 0, lambda report: _open(entry, setup, report), RemoteModel.close)


def _open(entry: ModelEntry, setup: Setup, report: Report) -> RemoteModel:
    report(f"Connecting to {entry.path}", -1.0)
    return RemoteModel(entry, setup.key)


def list_remote(url: str, key: str, timeout: float = 3.0) -> list[ModelEntry]:
    """The server's models as catalog entries. Raises ModelMissing if it does not answer."""
    import httpx

    base = url.rstrip("/")
    try:
        answer = httpx.get(f"{base}/models", headers=_headers(key), timeout=timeout)
        answer.raise_for_status()
        rows = answer.json()["data"]
        names = [str(row["id"]) for row in rows]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        raise _unreachable(base, error) from error
    return [
        ModelEntry(key=f"remote/{name}", path=base, kind="llm", format="remote", bytes=0, title=name, source="remote", details={"id": name})
        for name in names
    ]


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _unreachable(base: str, error: Exception) -> ModelMissing:
    return ModelMissing(
        f"The remote server {base} can't be used ({type(error).__name__}).",
        hint="See that it runs, and check its address and key in Settings.",
        field="model",
    )


class RemoteModel:
    """A connection to one model on the server."""

    def __init__(self, entry: ModelEntry, key: str) -> None:
        import httpx

        self.entry = entry
        self.context_length = entry.context_length
        self._id = entry.details.get("id") or entry.key.removeprefix("remote/")
        self._headers = _headers(key)
        self._timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)

    def close(self) -> None:
        self._headers = {}

    def count(self, text: str) -> int:
        """No such call in the API: about four letters to a token."""
        return math.ceil(len(text.encode()) / 4)

    def embed(self, texts: list[str]) -> list[list[float]]:
        import httpx

        with self._errors():
            body = {"model": self._id, "input": texts}
            answer = httpx.post(f"{self.entry.path.rstrip('/')}/embeddings", json=body, headers=self._headers, timeout=self._timeout)
            self._check(answer.status_code, answer.text)
            return [row["embedding"] for row in sorted(answer.json()["data"], key=lambda row: row["index"])]

    def generate(self, request: Request, sink: Sink) -> Finish:
        path = "/chat/completions" if request.messages else "/completions"
        reason = "stopped"
        usage: dict[str, Any] = {}
        address = self.entry.path.rstrip("/") + path
        with self._errors():
            for chunk in EventStream(address, self._headers, self._body(request), self._timeout, lambda: sink.stopping):
                if isinstance(chunk, Refused):
                    self._check(chunk.status, chunk.text)
                    break
                if "error" in chunk:
                    self._check(400, json.dumps(chunk))
                usage = chunk.get("usage") or usage
                reason = _take(chunk, sink) or reason
        if reason == "stopped" and not sink.stopping:
            raise StudioError(f"The remote server {self.entry.path} broke off in the middle of its answer.", hint="What came is kept: press Continue, or try again.")
        details = usage.get("prompt_tokens_details") or {}
        count = usage.get("completion_tokens", sink.tokens)
        return Finish(reason, count, usage.get("prompt_tokens", 0), details.get("cached_tokens") or 0)

    def _body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._id, "stream": True, "stream_options": {"include_usage": True}, "seed": request.seed, **_spoken(request.sampling),
        }  # fmt: skip
        body |= {"messages": request.messages} if request.messages else {"prompt": request.prompt}
        if request.max_tokens:
            body["max_tokens"] = request.max_tokens
        if request.stop:
            body["stop"] = request.stop
        if request.logit_bias:
            body["logit_bias"] = _biases(request.logit_bias)
        if request.json_schema:
            schema = {"name": "answer", "schema": json.loads(request.json_schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, OSError) as error:
            raise _unreachable(self.entry.path, error) from error

    def _check(self, status: int, text: str) -> None:
        if status < 400:
            return
        message = _message(text)
        if status in (401, 403):
            raise StudioError("The remote server refused the key.", hint="Check the remote key in Settings.", field="model")
        if "context" in message.lower() and ("length" in message.lower() or "size" in message.lower()):
            raise ContextOverflow(f"The remote server says: {message}", hint="Shorten or delete older messages, or start a new chat.", field="messages")
        raise BadInput(f"The remote server refused this ({status}): {message}", hint="Change the settings and try again.")


def _spoken(sampling: Sampling) -> dict[str, float]:
    return sampling.model_dump(include=set(SPOKEN))


def _biases(wanted: dict[str, float]) -> dict[str, float]:
    texts = [key for key in wanted if not key.isdigit()]
    if texts:
        raise BadInput(f"A remote server knows tokens by number only, not “{texts[0]}”.", hint="Give token numbers.", field="logit_bias")
    return wanted


def _message(text: str) -> str:
    try:
        found = json.loads(text)["error"]
        return str(found["message"] if isinstance(found, dict) else found)[:500]
    except (ValueError, KeyError, TypeError):
        return text.strip()[:500] or "no reason given"


def _take(chunk: dict[str, Any], sink: Sink) -> str:
    """Put one chunk's text into the sink; the finish reason once it comes."""
    reason = ""
    for choice in chunk.get("choices") or []:
        delta = choice.get("delta") or {}
        thought = delta.get("reasoning_content") or delta.get("reasoning") or ""
        said = delta.get("content") or choice.get("text") or ""
        sink.text(thought, "reasoning")
        sink.text(said)
        if thought or said:
            sink.token()
        reason = choice.get("finish_reason") or reason
    return reason
