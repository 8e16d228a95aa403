"""The OpenAI-compatible API, as a plain extension: it submits jobs and reads their events like any other caller.

Source: OpenAI's API reference for models, chat completions and completions (request and response shapes).
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from array import array
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from studio.api import BadInput, Cancelled, Done, Failed, Route, Studio, StudioError, Text, body, hookimpl

# OpenAI's name to ours; llama.cpp's and text-generation-webui's extra samplers are taken by their own names
NAMES = {
    "temperature": "temperature", "top_p": "top_p", "seed": "seed", "frequency_penalty": "frequency_penalty", "presence_penalty": "presence_penalty",
    "logit_bias": "logit_bias", "max_tokens": "max_tokens", "max_completion_tokens": "max_tokens", "repeat_penalty": "repetition_penalty", "grammar": "grammar",
}  # fmt: skip
IGNORED = {"user", "stream", "stream_options", "stop", "model", "messages", "prompt", "n", "response_format", "store", "metadata", "parallel_tool_calls", "service_tier"}
REFUSED = {"tools": "tools", "functions": "functions", "logprobs": "log probabilities", "top_logprobs": "log probabilities", "audio": "audio", "best_of": "best_of", "suffix": "suffix", "echo": "echo"}


class OpenAiApi:
    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    @property
    def _most(self) -> int:
        """Bytes of a body: pictures come inside."""
        return self.studio.settings.max_upload_mb * 2**20

    def models(self, request: Request) -> Any:
        entries = self.studio.catalog.entries("llm")
        return {"object": "list", "data": [{"id": entry.key, "object": "model", "created": 0, "owned_by": entry.source} for entry in entries]}

    def model(self, request: Request) -> Response:
        key = request.path_params["id"]
        found = next((entry for entry in self.studio.catalog.entries("llm") if entry.key == key), None)
        if found is None:
            return failure(StudioError(f"The model “{key}” does not exist."), 404, "model_not_found")
        return JSONResponse({"id": found.key, "object": "model", "created": 0, "owned_by": found.source})

    async def chat(self, request: Request) -> Response:
        return await self._answer(request, "text.chat", self._chat_values)

    async def complete(self, request: Request) -> Response:
        return await self._answer(request, "text.complete", self._complete_values)

    async def embed(self, request: Request) -> Response:
        try:
            asked = await body(request, self._most)
            texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
            if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
                raise BadInput("input is a text or a list of texts.", field="input")
            if asked.get("encoding_format", "float") not in ("float", "base64"):
                raise BadInput("encoding_format is float or base64.", field="encoding_format")
            values = {"model": self._model(asked.get("model")), "texts": texts}
            job = await run_in_threadpool(self.studio.submit, "text.embed", values, owner=unquote(request.headers["x-seisei-owner"]), source="api")
        except (ValueError, KeyError, TypeError):
            return failure(BadInput("The body is not a JSON object with input and model."), 400)
        except StudioError as error:
            return failure(error, 404 if error.field == "model" else 400)
        await run_in_threadpool(job.wait)
        if job.error or not job.outputs:
            return failure(job.error or StudioError("It was stopped."), 400)
        made = json.loads(Path(self.studio.store.output(job.outputs[0]).path).read_text(encoding="utf-8"))
        vectors = [base64.b64encode(array("f", vector).tobytes()).decode() if asked.get("encoding_format") == "base64" else vector for vector in made["embeddings"]]
        rows = [{"object": "embedding", "index": number, "embedding": vector} for number, vector in enumerate(vectors)]
        tokens = int(job.summary.get("prompt_tokens", job.summary.get("tokens", 0)))
        return JSONResponse({"object": "list", "model": values["model"], "data": rows, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})

    async def _answer(self, request: Request, pipeline: str, read: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
        try:
            asked = await body(request, self._most)
            values = self._common(asked, pipeline) | read(asked)
            job = await run_in_threadpool(self.studio.submit, pipeline, values, owner=unquote(request.headers["x-seisei-owner"]), source="api")
        except StudioError as error:
            return failure(error, 404 if error.field == "model" else 400)
        about = {"id": f"chatcmpl-{job.id}" if pipeline == "text.chat" else f"cmpl-{job.id}", "created": int(time.time()), "model": values["model"]}
        if asked.get("stream"):
            usage = bool((asked.get("stream_options") or {}).get("include_usage"))
            return StreamingResponse(self._stream(job, about, pipeline, usage), media_type="text/event-stream", headers={"cache-control": "no-store"})
        return await self._whole(request, job, about, pipeline)

    def _common(self, asked: dict[str, Any], pipeline: str) -> dict[str, Any]:
        """Sampling fields and the form of the answer. Raises BadInput for what can't be done."""
        for name, title in REFUSED.items():
            if asked.get(name):
                raise BadInput(f"This server does not do {title}.", field=name)
        if asked.get("n") not in (None, 1):
            raise BadInput("n must be 1: ask several times for several answers.", field="n")
        known = self.studio.pipelines[pipeline].Params.model_fields
        values: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0, "min_p": 0.0, "max_tokens": 0 if pipeline == "text.chat" else 16}
        for name, value in asked.items():
            if value is None or name in IGNORED:
                continue
            ours = NAMES.get(name, name)
            if ours not in known:
                raise BadInput(f"Unknown field “{name}”.", field=name)
            values[ours] = value
        stop = asked.get("stop")
        values["stop"] = [stop] if isinstance(stop, str) else (stop or [])
        values["model"] = self._model(asked.get("model"))
        return values | self._form(asked.get("response_format"))

    def _model(self, wanted: Any) -> str:
        entries = self.studio.catalog.entries("llm")
        if not isinstance(wanted, str) or not any(entry.key == wanted for entry in entries):
            raise BadInput(f"The model “{wanted}” does not exist.", hint="GET /v1/models lists them.", field="model")
        return wanted

    def _form(self, wanted: Any) -> dict[str, Any]:
        match wanted:
            case None | {"type": "text"}:
                return {}
            case {"type": "json_object"}:
                return {"json_schema": '{"type": "object"}'}
            case {"type": "json_schema", "json_schema": {"schema": dict() as schema}}:
                return {"json_schema": json.dumps(schema)}
        raise BadInput("response_format is text, json_object or json_schema with a schema.", field="response_format")

    def _chat_values(self, asked: dict[str, Any]) -> dict[str, Any]:
        messages = asked.get("messages")
        if not isinstance(messages, list) or not messages:
            raise BadInput("messages is missing.", field="messages")
        return {"messages": [{"role": read_role(item), "content": read_content(item)} for item in messages]}

    def _complete_values(self, asked: dict[str, Any]) -> dict[str, Any]:
        prompt = asked.get("prompt")
        if isinstance(prompt, list) and len(prompt) == 1:
            prompt = prompt[0]
        if not isinstance(prompt, str):
            raise BadInput("prompt must be one text.", field="prompt")
        return {"prompt": prompt}

    async def _whole(self, request: Request, job: Any, about: dict[str, Any], pipeline: str) -> Response:
        waiting = asyncio.ensure_future(run_in_threadpool(job.wait))
        while not waiting.done():
            if await request.is_disconnected():
                self.studio.jobs.cancel(job.id, by=job.owner)
            await asyncio.wait([waiting], timeout=0.25)
        if job.error:
            return failure(job.error, 500 if job.error.code == "internal" else 400)
        shape = {"message": {"role": "assistant", "content": job.text}} if pipeline == "text.chat" else {"text": job.text}
        choice = {"index": 0, "finish_reason": finish(job.summary), "logprobs": None, **shape}
        kind = "chat.completion" if pipeline == "text.chat" else "text_completion"
        return JSONResponse(about | {"object": kind, "choices": [choice], "usage": usage_of(job.summary)})

    async def _stream(self, job: Any, about: dict[str, Any], pipeline: str, usage: bool) -> AsyncIterator[str]:
        """Held back and sent as one delta where an extension changes the whole text."""
        chat = pipeline == "text.chat"
        about = about | {"object": "chat.completion.chunk" if chat else "text_completion"}
        held = bool(self.studio.hooks.implementers("on_text_output"))
        if chat:
            yield chunk(about, {"delta": {"role": "assistant", "content": ""}})
        events, ended = job.events(), object()
        try:
            while (event := await run_in_threadpool(next, events, ended)) is not ended:
                if isinstance(event, Text) and event.channel == "answer" and not held:
                    yield chunk(about, {"delta": {"content": event.delta}} if chat else {"text": event.delta})
                elif isinstance(event, Failed):
                    error = StudioError.from_wire(event.error)
                    yield f"data: {json.dumps({'error': describe(error, 'server_error')})}\n\n"
                elif isinstance(event, (Done, Cancelled)):
                    if held and job.text:
                        yield chunk(about, {"delta": {"content": job.text}} if chat else {"text": job.text})
                    yield chunk(about, {"delta": {}} if chat else {"text": ""}, finish(job.summary))
            if usage:
                yield f"data: {json.dumps(about | {'choices': [], 'usage': usage_of(job.summary)})}\n\n"
            yield "data: [DONE]\n\n"
        finally:
            self.studio.jobs.cancel(job.id, by=job.owner)  # the client is gone; an ended job is not touched


def read_role(item: Any) -> str:
    role = item.get("role") if isinstance(item, dict) else None
    if role not in ("system", "developer", "user", "assistant"):
        raise BadInput(f"The role “{role}” is not known here.", hint="Use system, user or assistant.", field="messages")
    return "system" if role == "developer" else str(role)


def read_content(item: dict[str, Any]) -> str:
    content = item.get("content")
    if isinstance(content, list):
        if any(not isinstance(part, dict) or part.get("type") != "text" for part in content):
            raise BadInput("Only text parts are read.", field="messages")
        content = "".join(str(part["text"]) for part in content)
    if not isinstance(content, str):
        raise BadInput("A message has no content.", field="messages")
    return content


def finish(summary: dict[str, Any]) -> str:
    return "length" if summary.get("finish_reason") == "length" else "stop"


def usage_of(summary: dict[str, Any]) -> dict[str, Any]:
    prompt, written = int(summary.get("prompt_tokens", 0)), int(summary.get("tokens", 0))
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written, "prompt_tokens_details": {"cached_tokens": int(summary.get("cached_tokens", 0))}}


def chunk(about: dict[str, Any], what: dict[str, Any], finish_reason: str | None = None) -> str:
    return f"data: {json.dumps(about | {'choices': [{'index': 0, 'finish_reason': finish_reason, 'logprobs': None, **what}]}, ensure_ascii=False)}\n\n"


def describe(error: StudioError, kind: str) -> dict[str, Any]:
    return {"message": f"{error.message} {error.hint}".strip(), "type": kind, "param": error.field or None, "code": error.code}


def failure(error: StudioError, status: int, code: str = "") -> Response:
    about = describe(error, "invalid_request_error" if status < 500 else "server_error")
    return JSONResponse({"error": about | ({"code": code} if code else {})}, status_code=status)


@hookimpl
def register_routes(studio: Studio) -> list[Route]:
    api = OpenAiApi(studio)
    return [
        Route("/v1/models", ["GET"], api.models, "Language models"),
        Route("/v1/models/{id:path}", ["GET"], api.model, "One language model"),
        Route("/v1/chat/completions", ["POST"], api.chat, "Chat"),
        Route("/v1/embeddings", ["POST"], api.embed, "Embeddings"),
        Route("/v1/completions", ["POST"], api.complete, "Completion"),
    ]
