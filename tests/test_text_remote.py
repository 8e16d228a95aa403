"""A remote OpenAI-compatible server as a model: what is sent, what comes back, every way it can fail, and the key that stays secret."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pipelines.text.chat import Chat, ChatParams
from pipelines.text.complete import Complete, CompleteParams
from pipelines.text.embed import Embed, EmbedParams
from pipelines.text.remote import list_remote
from studio.api import BadInput, Catalog, ContextOverflow, ModelEntry, ModelMissing, StudioError
from tests.text_fakes import FakeContext

KEY = "sk-very-secret-1234"


@dataclass
class Far:
    """The server's side: what was asked, and how it behaves."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    error: str = ""
    mood: str = ""
    gone: threading.Event = field(default_factory=threading.Event)


def delta(**values: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": values}]}


class Handler(BaseHTTPRequestHandler):
    far: Far

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_GET(self) -> None:
        self._json({"data": [{"id": "big-model"}, {"id": "small/model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.far.asked.append({"path": self.path, "key": self.headers.get("authorization", ""), "body": body})
        if self.far.status != 200:
            return self._json({"error": {"message": self.far.error}}, self.far.status)
        if self.path.endswith("/embeddings"):
            rows = [{"index": n, "embedding": [1.0, float(n)]} for n in range(len(body["input"]))]
            return self._json({"data": rows[::-1]})
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self._stream("messages" in body)

    def _stream(self, chat: bool) -> None:
        if self.far.mood == "noise":
            return self._send("this is no JSON")
        if self.far.mood == "endless":
            try:
                for number in range(10_000):
                    self._send(json.dumps(delta(content=f"{number} ")))
                    time.sleep(0.01)
            except OSError:
                self.far.gone.set()
            return
        if self.far.mood == "error":
            return self._send(json.dumps({"error": {"message": "the model fell over"}}))
        self._send(json.dumps(delta(reasoning_content="Hm.")))
        for piece in ("Tok", "yo", "."):
            self._send(json.dumps(delta(content=piece) if chat else {"choices": [{"index": 0, "text": piece}]}))
        if self.far.mood == "broken":
            return
        self._send(json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        usage = {"prompt_tokens": 11, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5}}
        self._send(json.dumps({"choices": [], "usage": usage}))
        self._send("[DONE]")

    def _send(self, data: str) -> None:
        self.wfile.write(f"data: {data}\n\n".encode())
        self.wfile.flush()

    def _json(self, value: Any, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def far() -> Iterator[Far]:
    far = Far()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"far": far}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    far.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield far
    server.shutdown()
    server.server_close()


def remote(far: Far) -> ModelEntry:
    return list_remote(far.url, KEY)[0]


def ask(far: Far, context: FakeContext | None = None, **values: Any) -> tuple[str, dict[str, Any], FakeContext]:
    entry = remote(far) if far.status == 200 else ModelEntry("remote/big-model", far.url, "llm", "remote", 0, "big-model", details={"id": "big-model"})
    context = context or FakeContext([entry])
    context.catalog = Catalog([], extra=lambda: [entry])
    context.secrets = {"remote_key": KEY}
    messages = [{"role": "user", "content": "What is the capital of Japan?"}]
    result = Chat().run(ChatParams.parse({"model": entry.key, "messages": messages} | values), context)
    return (result.artifacts[0].data.decode() if result.artifacts else ""), result.summary, context


def test_its_models_are_listed(far: Far) -> None:
    assert [(entry.key, entry.format, entry.bytes) for entry in list_remote(far.url, KEY)] == [("remote/big-model", "remote", 0), ("remote/small/model", "remote", 0)]
    with pytest.raises(ModelMissing, match=r"can't be used \(ConnectError\)"):
        list_remote("http://127.0.0.1:9/v1", "")


def test_offline_a_server_on_this_computer_is_asked_and_no_other(far: Far) -> None:
    from pipelines.text import register_models
    from studio.settings import Settings

    here = register_models(settings=Settings(remote_url=far.url, remote_key=KEY, offline=True))
    assert [entry.key for entry in here] == ["remote/big-model", "remote/small/model"]
    assert register_models(settings=Settings(remote_url="http://192.0.2.1/v1", offline=True)) == []


def test_an_answer_streams_with_thoughts_usage_and_reason(far: Far) -> None:
    answer, summary, context = ask(far)
    assert answer == context.said() == "Tokyo." and context.said("reasoning") == "Hm."
    assert (summary["tokens"], summary["prompt_tokens"], summary["cached_tokens"], summary["finish_reason"]) == (4, 11, 5, "stop")


def test_what_the_api_knows_is_sent_and_the_rest_is_named(far: Far) -> None:
    schema = json.dumps({"type": "object"})
    _, summary, _ = ask(far, temperature=0.25, top_p=0.5, frequency_penalty=0.5, presence_penalty=0.25, seed=7, max_tokens=9, stop=["END"], json_schema=schema, logit_bias={"42": -5.0}, top_k=3, dry_multiplier=0.8)
    sent = far.asked[0]
    assert sent["path"] == "/v1/chat/completions" and sent["key"] == f"Bearer {KEY}"
    body = sent["body"]
    assert {name: body[name] for name in ("model", "stream", "temperature", "top_p", "frequency_penalty", "presence_penalty", "max_tokens", "stop", "logit_bias")} == {
        "model": "big-model", "stream": True, "temperature": 0.25, "top_p": 0.5, "frequency_penalty": 0.5, "presence_penalty": 0.25, "max_tokens": 9, "stop": ["END"], "logit_bias": {"42": -5.0},
    }  # fmt: skip
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"} and "top_k" not in body
    assert summary["unsupported"] == ["top_k", "dry_multiplier"]


def test_the_verdict_names_what_is_left_out_before_sending(far: Far) -> None:
    entry = remote(far)
    params = ChatParams.parse({"model": entry.key, "messages": [{"role": "user", "content": "x"}], "top_k": 3, "xtc_probability": 0.5})
    need = Chat().need(params, Catalog([], extra=lambda: [entry]))
    assert not need.missing and any("Top-k" in note and "XTC" in note for note in need.notes) and need.weight_bytes == 0


def test_a_grammar_or_a_bias_by_text_is_refused(far: Far) -> None:
    with pytest.raises(BadInput, match="Grammar is not possible"):
        ask(far, grammar='root ::= "a"')
    with pytest.raises(BadInput, match="tokens by number only"):
        ask(far, logit_bias={"word": 1.0})


def test_completions_and_embeddings_work_too(far: Far) -> None:
    entry = remote(far)
    context = FakeContext([entry])
    context.secrets = {"remote_key": KEY}
    result = Complete().run(CompleteParams.parse({"model": entry.key, "prompt": "The capital is "}), context)
    assert result.artifacts[0].data == b"Tokyo." and far.asked[0]["path"] == "/v1/completions" and far.asked[0]["body"]["prompt"] == "The capital is "
    result = Embed().run(EmbedParams.parse({"model": entry.key, "texts": ["a"]}), context)
    assert json.loads(result.artifacts[0].data)["embeddings"] == [[1.0, 0.0]]


@pytest.mark.parametrize(
    ("status", "error", "kind", "words"),
    [
        (401, "bad key", StudioError, "refused the key"), (403, "no", StudioError, "refused the key"), (404, "no such model", BadInput, r"\(404\): no such model"),
        (429, "slow down", BadInput, r"\(429\): slow down"), (500, "oops", BadInput, r"\(500\): oops"), (400, "maximum context length is 4096 tokens", ContextOverflow, "4096"),
    ],
)  # fmt: skip
def test_each_refusal_is_a_sentence_with_a_next_step(far: Far, status: int, error: str, kind: type[StudioError], words: str) -> None:
    far.status, far.error = status, error
    with pytest.raises(kind, match=words) as told:
        ask(far)
    assert told.value.hint and KEY not in str(told.value) + told.value.traceback


def test_noise_an_error_inside_the_stream_and_a_dead_server_are_told(far: Far) -> None:
    far.mood = "noise"
    with pytest.raises(ModelMissing, match="can't be used"):
        ask(far)
    far.mood = "error"
    with pytest.raises(BadInput, match="the model fell over"):
        ask(far)
    dead = Far(url="http://127.0.0.1:9/v1", status=0)
    with pytest.raises(ModelMissing, match="ConnectError"):
        ask(dead)


def test_a_stream_that_breaks_off_is_told_and_what_came_is_there(far: Far) -> None:
    far.mood = "broken"
    context = FakeContext([])
    with pytest.raises(StudioError, match="broke off in the middle") as told:
        ask(far, context)
    assert context.said() == "Tokyo." and "Continue" in told.value.hint


def test_stop_cuts_the_line_at_once_and_the_server_knows(far: Far) -> None:
    far.mood = "endless"
    context = FakeContext([])
    pressed: list[float] = []

    def stop() -> None:
        while len(context.texts) < 5:
            time.sleep(0.005)
        context.stopping = "cancel"
        pressed.append(time.monotonic())

    threading.Thread(target=stop, daemon=True).start()
    answer, summary, _ = ask(far, context)
    assert time.monotonic() - pressed[0] < 30 and answer.startswith("0 1 2") and summary["finish_reason"] == "stopped"
    assert far.gone.wait(5), "the server sees the line cut"


def test_the_key_is_in_no_result_no_entry_and_no_spec(far: Far) -> None:
    from pipelines.text.engine import Setup
    from pipelines.text.engines import engine_for

    _, summary, context = ask(far)
    entry = remote(far)
    spec = engine_for(entry).spec(entry, Setup(key=KEY))
    assert KEY not in json.dumps([summary, context.all_stats]) + repr(entry) + spec.key
