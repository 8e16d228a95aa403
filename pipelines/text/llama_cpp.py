"""GGUF models through llama.cpp (the xllamacpp binding), with one slot that keeps the conversation's cache.

The binding opens a local port: it gets a random key, so that nobody else on the machine can use it.
"""

from __future__ import annotations

import importlib.util
import json
import secrets
from collections.abc import Callable
from typing import Any, ClassVar

from pipelines.text.engine import Finish, Report, Request, Setup, Sink
from pipelines.text.gguf_header import GgufHeader, read_header
from pipelines.text.sampling import ALL_FIELDS, Sampling, active
from studio.api import BadInput, ContextOverflow, ModelBroken, ModelEntry, ModelSpec, Stopped, StudioError

AUTO_CONTEXT = 8192
BATCH = 64  # Stop waits for one prompt batch at most
COMPUTE_BYTES = 64 << 20
MIB = 1 << 20


def available() -> bool:
    return importlib.util.find_spec("xllamacpp") is not None


class LlamaCppEngine:
    """All samplers are llama.cpp's own."""

    name: ClassVar[str] = "llama.cpp"
    title: ClassVar[str] = "llama.cpp"
    supports: ClassVar[frozenset[str]] = ALL_FIELDS | {"grammar", "json_schema", "logit_bias", "thinking", "reuse_prefix"}

    def working_bytes(self, entry: ModelEntry, context_length: int) -> int:
        header = read_header(entry.path)
        cache = header.cache_bytes(chosen_context(header, context_length))
        return cache + _spare_cache_mib(cache) * MIB + COMPUTE_BYTES

    def problem(self, entry: ModelEntry) -> str:
        try:
            _check(read_header(entry.path), entry)
        except ModelBroken as error:
            return error.message
        return ""

    def spec(self, entry: ModelEntry, setup: Setup) -> ModelSpec[LlamaCppModel]:
        def load(report: Report) -> LlamaCppModel:
            return LlamaCppModel(entry, setup, report)

        size = entry.bytes + self.working_bytes(entry, setup.context_length)
        key = entry.key + (f" @{setup.context_length}" if setup.context_length else "") + (" embedding" if setup.embedding else "")
        return ModelSpec(key, size, load, LlamaCppModel.close)


def chosen_context(header: GgufHeader, wanted: int) -> int:
    """As asked; else what the model was trained on, up to 8,192. Never more than it was trained on."""
    trained = header.context_length or AUTO_CONTEXT
    return min(wanted or AUTO_CONTEXT, trained)


def _spare_cache_mib(cache_bytes: int) -> int:
    """Memory for the caches of other branches: as much again as the slot's, 16 to 256 MiB."""
    return max(16, min(256, cache_bytes // MIB))


def _check(header: GgufHeader, entry: ModelEntry) -> None:
    if not header.tensors or not header.of_architecture("block_count") or "tokenizer.ggml.tokens" not in header.values:
        raise ModelBroken(
            f"“{entry.title}” is no language model that llama.cpp can read (architecture “{header.architecture or 'unknown'}”).",
            hint="Choose a GGUF file of a language model.",
            field="model",
        )


class LlamaCppModel:
    """One loaded GGUF file."""

    def __init__(self, entry: ModelEntry, setup: Setup, report: Report) -> None:
        header = read_header(entry.path)
        _check(header, entry)
        report(f"Loading {entry.title}", 0.1)
        self.entry = entry
        self.context_length = chosen_context(header, setup.context_length)
        self._key = secrets.token_urlsafe(24)
        self._server: Any = self._open(header, setup)
        report(f"Loading {entry.title}", 1.0)

    def _open(self, header: GgufHeader, setup: Setup) -> Any:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = self.entry.path
        params.n_ctx = self.context_length
        params.n_parallel = 1
        params.n_batch = params.n_ubatch = self.context_length if setup.embedding else BATCH
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = setup.threads
        params.n_gpu_layers = 0 if setup.device == "cpu" else 999
        params.cache_ram_mib = _spare_cache_mib(header.cache_bytes(self.context_length))
        params.api_keys = [self._key]
        params.warmup = params.ui = params.endpoint_slots = False
        params.fit_params = False
        params.verbosity = 0
        params.embedding = setup.embedding
        if setup.embedding and not header.of_architecture("pooling_type"):
            params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        try:
            return xllamacpp.Server(params)
        except Exception as error:  # the binding raises bare RuntimeError for every load failure
            raise ModelBroken(
                f"llama.cpp can't load “{self.entry.title}” (architecture “{header.architecture}”): {error}".rstrip(".") + ".",
                hint="Its architecture may be newer than this studio, or the file damaged. Choose another model.",
                field="model",
            ) from error

    def close(self) -> None:
        self._server = None

    def generate(self, request: Request, sink: Sink) -> Finish:
        stream = _Stream(sink)
        body = request_body(request, self.context_length)
        call: Callable[..., Any] = self._server.handle_completions
        if request.messages:
            call = self._server.handle_chat_completions
        answer = call(body, stream.chunk)
        stream.raise_failure(answer, self.context_length)
        return stream.finish()

    def embed(self, texts: list[str]) -> list[list[float]]:
        answer = self._server.handle_embeddings({"input": texts})
        if "error" in answer:
            raise _refused(answer["error"], self.context_length)
        return [row["embedding"] for row in sorted(answer["data"], key=lambda row: row["index"])]

    def count(self, text: str) -> int:
        import httpx

        answer = httpx.post(
            f"{self._server.listening_address}/tokenize",
            json={"content": text},
            headers={"Authorization": f"Bearer {self._key}"},
            timeout=30,
        )
        answer.raise_for_status()
        return len(answer.json()["tokens"])


CHAIN = {"dry": "dry_multiplier", "top_n_sigma": "top_n_sigma", "top_k": "top_k", "typ_p": "typical_p", "top_p": "top_p", "min_p": "min_p", "xtc": "xtc_probability"}
CUTS = {"top_n_sigma", "top_k", "top_p", "min_p"}


def request_body(request: Request, context_length: int) -> dict[str, Any]:
    """The request in llama.cpp's words."""
    body: dict[str, Any] = sampling_body(request.sampling, context_length) | {
        "seed": request.seed, "stop": list(request.stop), "stream": True, "return_progress": True,
        "timings_per_token": True, "cache_prompt": request.reuse_prefix, "n_predict": request.max_tokens or -1,
    }  # fmt: skip
    if request.messages:
        body |= {"messages": request.messages, "max_tokens": request.max_tokens or -1, "reasoning_format": "auto"}
        body["add_generation_prompt"] = not request.continue_last
        body["chat_template_kwargs"] = {"enable_thinking": request.thinking}  # left to itself, llama.cpp may decide against it
    else:
        body["prompt"] = request.prompt
    if request.grammar:
        body["grammar"] = request.grammar
    if request.json_schema:
        body["json_schema"] = json.loads(request.json_schema)
    if request.logit_bias:
        body["logit_bias"] = [[int(key) if key.isdigit() else key, value] for key, value in request.logit_bias.items()]
    return body


def sampling_body(sampling: Sampling, context_length: int) -> dict[str, Any]:
    values = sampling.model_dump(include=set(ALL_FIELDS))
    values["repeat_penalty"] = values.pop("repetition_penalty")
    values["repeat_last_n"] = values.pop("repetition_last_n")
    values["mirostat"] = values.pop("mirostat_mode")
    values["top_n_sigma"] = values["top_n_sigma"] or -1.0
    for name in ("repeat_last_n", "dry_penalty_last_n"):
        values[name] = context_length if values[name] < 0 else values[name]
    return values | {"samplers": chain(sampling)}


def chain(sampling: Sampling) -> list[str]:
    """llama.cpp's samplers in its own order, only those with an effect: each one walks the whole vocabulary for every token.

    At temperature 0 the likeliest word is taken, which top-k, top-p, min-p and top-n-sigma never remove.
    """
    on = set(active(sampling))
    greedy = sampling.temperature == 0 and not on & {"typical_p", "xtc_probability"}
    wanted = {sampler for sampler, field in CHAIN.items() if field in on and not (greedy and sampler in CUTS)}
    if on & {"repetition_penalty", "frequency_penalty", "presence_penalty"}:
        wanted.add("penalties")
    return [*(sampler for sampler in ("penalties", *CHAIN) if sampler in wanted), "temperature"]


class _Stream:
    """Takes llama.cpp's chunks. Nothing may be raised through native frames: it is kept and raised afterwards."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._reason = ""
        self._failure: Exception | None = None
        self._error: dict[str, Any] = {}
        self._timings: dict[str, Any] = {}

    def chunk(self, chunk: dict[str, Any]) -> bool:
        """True asks llama.cpp to stop."""
        try:
            self._take(chunk)
        except Stopped:
            return True
        except Exception as failure:
            self._failure = failure
            return True
        return self._sink.stopping

    def _take(self, chunk: dict[str, Any]) -> None:
        if "error" in chunk:
            self._error = chunk["error"]
            return
        timings = self._timings = chunk.get("timings") or self._timings
        if progress := chunk.get("prompt_progress"):
            self._sink.prefill(progress["processed"], progress["total"], progress["cache"])
            return
        for choice in chunk.get("choices", []):
            delta = choice.get("delta") or {}
            self._sink.text(delta.get("reasoning_content") or "", "reasoning")
            self._sink.text(delta.get("content") or choice.get("text") or "")
            self._reason = choice.get("finish_reason") or self._reason
        new = timings.get("predicted_n", 0) - self._sink.tokens
        if new > 0:
            self._sink.token(new)

    def raise_failure(self, answer: Any, context_length: int) -> None:
        error = self._error or (answer.get("error", {}) if isinstance(answer, dict) else {})
        if self._failure:
            raise self._failure
        if error:
            raise _refused(error, context_length)

    def finish(self) -> Finish:
        timings = self._timings
        cached = timings.get("cache_n", 0)
        return Finish(self._reason or "stopped", timings.get("predicted_n", 0), cached + timings.get("prompt_n", 0), cached)


def _refused(error: dict[str, Any], context_length: int) -> StudioError:
    if error.get("type") == "exceed_context_size_error":
        return overflow(int(error.get("n_prompt_tokens", 0)), int(error.get("n_ctx", context_length)))
    return BadInput(f"llama.cpp refused this: {error.get('message', 'no reason given')}.", hint="Change the settings and try again.")


def overflow(tokens: int, context_length: int) -> ContextOverflow:
    return ContextOverflow(
        f"The text has {tokens:,} tokens; this model can keep {context_length:,} in mind.",
        hint="Shorten or delete older messages, start a new chat, or raise the context length if the model allows it.",
        field="messages",
    )
