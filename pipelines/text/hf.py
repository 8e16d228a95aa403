"""Language models through transformers: safetensors folders, and GGUF files where llama.cpp is missing."""

from __future__ import annotations

import warnings
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar

from pipelines.text.engine import Finish, Report, Request, Setup, Sink
from pipelines.text.folder import FolderHeader, read_folder
from pipelines.text.gguf_header import read_header
from pipelines.text.llama_cpp import chosen_context, overflow
from pipelines.text.sampling import ALL_FIELDS
from pipelines.text.stops import StopFinder
from studio.api import BadInput, ModelBroken, ModelEntry, ModelSpec, StudioError

PLAIN_STOPS = ("\nUser:", "\nSystem:")
UNREADABLE = "�"
LONGEST_CHARACTER = 8  # tokens; what is still unreadable then is garbage


class TransformersEngine:
    """Samplers are the studio's own, in llama.cpp's order; no grammars."""

    name: ClassVar[str] = "transformers"
    title: ClassVar[str] = "transformers"
    supports: ClassVar[frozenset[str]] = ALL_FIELDS | {"logit_bias", "thinking", "reuse_prefix"}

    def working_bytes(self, entry: ModelEntry, context_length: int) -> int:
        if entry.format == "gguf":
            header = read_header(entry.path)
            unpacked = sum(_product(shape) for shape, _ in header.tensors.values()) * 2
            return header.cache_bytes(chosen_context(header, context_length)) + max(0, unpacked - entry.bytes)
        folder = read_folder(entry.path)
        return folder.cache_bytes(folder.chosen_context(context_length))

    def problem(self, entry: ModelEntry) -> str:
        try:
            read_header(entry.path) if entry.format == "gguf" else read_folder(entry.path)
        except ModelBroken as error:
            return error.message
        return ""

    def spec(self, entry: ModelEntry, setup: Setup) -> ModelSpec[TransformersModel]:
        def load(report: Report) -> TransformersModel:
            return TransformersModel(entry, setup, report)

        size = entry.bytes + self.working_bytes(entry, setup.context_length)
        return ModelSpec(entry.key + (f" @{setup.context_length}" if setup.context_length else ""), size, load, TransformersModel.close)


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total


class TransformersModel:
    """One loaded model with its tokenizer."""

    def __init__(self, entry: ModelEntry, setup: Setup, report: Report) -> None:
        import torch

        from pipelines.text.nets.generator import Generator

        torch.set_num_threads(setup.threads)
        self.entry = entry
        report(f"Loading {entry.title}", 0.1)
        self._tokenizer, model = _load(entry, setup.device)
        self.context_length = _context_of(entry, setup.context_length)
        self._generator = Generator(model)
        report(f"Loading {entry.title}", 1.0)

    def close(self) -> None:
        del self._generator

    def count(self, text: str) -> int:
        return len(self._encode(text, special=True))

    def embed(self, texts: list[str]) -> list[list[float]]:
        rows = [self._encode(text, special=True) or [0] for text in texts]
        if (longest := max(map(len, rows))) > self.context_length:
            raise overflow(longest, self.context_length)
        return [self._generator.mean_state(row) for row in rows]

    def generate(self, request: Request, sink: Sink) -> Finish:
        prompt = self._prompt(request)
        tokens = self._encode(prompt, special=not request.messages) or [self._first_token()]
        if len(tokens) >= self.context_length:
            raise overflow(len(tokens), self.context_length)
        if request.messages and not request.continue_last and prompt.rstrip().endswith("<think>"):
            sink.starts_thinking()
        cached = 0

        def progress(done: int, total: int, reused: int) -> bool:
            nonlocal cached
            cached = reused
            sink.prefill(done, total, reused)
            return sink.stopping

        scores = self._generator.read(tokens, request.reuse_prefix, progress)
        if scores is None:
            return Finish("stopped", 0, len(tokens), cached)
        reason, count = self._write(request, scores, sink, len(tokens))
        return Finish(reason, count, len(tokens), cached)

    def _write(self, request: Request, scores: Any, sink: Sink, used: int) -> tuple[str, int]:
        sampler = self._sampler(request)
        stops = StopFinder([*request.stop, *(PLAIN_STOPS if request.messages and not self._tokenizer.chat_template else ())])
        text = _Detokenizer(self._tokenizer)
        room = self.context_length - used
        limit = min(request.max_tokens or room, room)
        reason, count = "length", 0
        while count < limit:
            if sink.stopping:
                reason = "stopped"
                break
            token = self._generator.draw(sampler, scores)
            count += 1
            if token in self._ends:
                reason = "stop"
                sink.token()
                break
            sink.text(stops.feed(text.add(token)))
            sink.token()
            if stops.found:
                reason = "stop"
                break
            if count < limit:
                scores = self._generator.step(token)
        sink.text(stops.feed(text.rest()) + ("" if stops.found else stops.flush()))
        return reason, count

    def _sampler(self, request: Request) -> Any:
        from pipelines.text.nets.samplers import Sampler

        breakers = tuple(request.sampling.dry_sequence_breakers)

        @cache
        def breaks(token: int) -> bool:
            piece = self._tokenizer.decode([token])
            return any(breaker in piece for breaker in breakers)

        return Sampler(request.sampling, request.seed, self._biases(request.logit_bias), breaks)

    def _biases(self, wanted: dict[str, float]) -> dict[int, float]:
        found: dict[int, float] = {}
        for key, value in wanted.items():
            tokens = [int(key)] if key.isdigit() else self._encode(key, special=False)
            if any(token >= len(self._tokenizer) for token in tokens):
                raise BadInput(f"This model has no token {key}.", hint="Its vocabulary is smaller.", field="logit_bias")
            found |= dict.fromkeys(tokens, value)
        return found

    def _prompt(self, request: Request) -> str:
        if not request.messages:
            return request.prompt
        if not self._tokenizer.chat_template:
            return plain_prompt(request.messages, request.continue_last)
        from jinja2 import TemplateError

        options: dict[str, Any] = {"tokenize": False, "enable_thinking": request.thinking}
        options |= {"continue_final_message": True} if request.continue_last else {"add_generation_prompt": True}
        try:
            return str(self._tokenizer.apply_chat_template(request.messages, **options))
        except TemplateError as error:
            merged = _without_system(request.messages)
            if merged == request.messages:
                raise BadInput(f"The model's chat template refuses this conversation: {error}.", hint="User and assistant must take turns.", field="messages") from error
            return str(self._tokenizer.apply_chat_template(merged, **options))

    def _encode(self, text: str, special: bool) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=special)["input_ids"])

    def _first_token(self) -> int:
        first = self._tokenizer.bos_token_id
        return int(first if first is not None else next(iter(self._ends), 0))

    @cached_property
    def _ends(self) -> frozenset[int]:
        ends = self._generator.model.generation_config.eos_token_id
        known = ends if isinstance(ends, list) else [ends]
        return frozenset(token for token in [*known, self._tokenizer.eos_token_id] if token is not None)


class _Detokenizer:
    """Text of a growing list of tokens; a character cut in two waits for its rest."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._shown = 0
        self._start = 0

    def add(self, token: int) -> str:
        self._tokens.append(token)
        return self._new(final=False)

    def rest(self) -> str:
        return self._new(final=True)

    def _new(self, final: bool) -> str:
        before = self._decode(self._tokens[self._start : self._shown])
        now = self._decode(self._tokens[self._start :])
        waiting = len(self._tokens) - self._shown
        if now.endswith(UNREADABLE) and not final and waiting < LONGEST_CHARACTER:
            return ""
        self._start, self._shown = self._shown, len(self._tokens)
        return now[len(before) :]

    def _decode(self, tokens: list[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def plain_prompt(messages: list[dict[str, str]], continue_last: bool) -> str:
    """For models without a chat template."""
    lines = "\n".join(f"{message['role'].capitalize()}: {message['content']}" for message in messages)
    return lines if continue_last else f"{lines}\nAssistant:"


def _without_system(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """Templates without a system role get it at the head of the first message."""
    if len(messages) < 2 or messages[0]["role"] != "system" or messages[1]["role"] != "user":
        return messages
    first = {"role": "user", "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
    return [first, *messages[2:]]


def _context_of(entry: ModelEntry, wanted: int) -> int:
    if entry.format == "gguf":
        return chosen_context(read_header(entry.path), wanted)
    return read_folder(entry.path).chosen_context(wanted)


def _load(entry: ModelEntry, device: str) -> tuple[Any, Any]:
    import transformers

    transformers.utils.logging.disable_progress_bar()

    path = Path(entry.path)
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    where = path
    if entry.format == "gguf":
        options["gguf_file"] = path.name
        where = path.parent
    elif path.is_file():
        where = path.parent
    folder = None if entry.format == "gguf" else read_folder(entry.path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tokenizer = transformers.AutoTokenizer.from_pretrained(where, **options)
            model = transformers.AutoModelForCausalLM.from_pretrained(where, dtype=_dtype(folder, device), **options)
    except (StudioError, MemoryError):
        raise
    except Exception as error:  # transformers and safetensors raise every kind for a bad folder
        reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise ModelBroken(
            f"transformers can't load “{entry.title}”: {reason}".rstrip(".") + ".",
            hint="Download it again, or choose another model.",
            field="model",
        ) from error
    return tokenizer, model.to(device).eval()


def _dtype(folder: FolderHeader | None, device: str) -> Any:
    """Half precision stays half; on the CPU as bfloat16, which is faster there than float16."""
    import torch

    if folder is None:
        return torch.bfloat16
    if folder.dtype == "F16" and device != "cpu":
        return torch.float16
    return torch.float32 if folder.dtype == "F32" else torch.bfloat16
