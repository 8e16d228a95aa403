"""What a client sent: the body as JSON within bounds, its values read one by one, and errors in the form that AUTOMATIC1111's clients expect."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from studio.api import BadInput, Studio, StudioError, language

Asked = dict[str, Any]
Endpoint = Callable[[Request], Any]


def owner(request: Request) -> str:
    return unquote(request.headers["x-seisei-owner"])


def is_host(request: Request) -> bool:
    return request.headers["x-seisei-host"] == "1"


async def body(request: Request, studio: Studio) -> Asked:
    """The JSON object that was sent; fields that are null count as not given. Raises BadInput."""
    most = studio.settings.max_upload_mb * 2**20
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > most:
            raise BadInput(f"The request is larger than {studio.settings.max_upload_mb} MB.", hint="Send fewer or smaller pictures.")
    try:
        values = json.loads(data, parse_constant=_no_number)
        if b"\\ud" in data.lower():  # half a letter, which no file and no answer can hold
            json.dumps(values, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadInput("The body is not JSON.", hint="Send the parameters as one JSON object.") from error
    if not isinstance(values, dict):
        raise BadInput("The body is not a JSON object.", hint="Send the parameters as one JSON object.")
    return {name: value for name, value in values.items() if value is not None}


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def whole(asked: Asked, name: str) -> int:
    """Raises BadInput. 7.0 and "7" are taken for 7."""
    value = number(asked, name)
    if value != int(value):
        raise BadInput(f"{name} must be a whole number.", field=name)
    return int(value)


def number(asked: Asked, name: str) -> float:
    """Raises BadInput for what is no finite number."""
    try:
        value = float(asked[name])
    except (TypeError, ValueError) as error:
        raise BadInput(f"{name} must be a number.", field=name) from error
    if value != value or value in (float("inf"), float("-inf")):
        raise BadInput(f"{name} must be a number.", field=name)
    return value


def yes(asked: Asked, name: str) -> bool:
    value = asked.get(name)
    return value.strip().lower() in ("true", "1", "on", "yes") if isinstance(value, str) else bool(value)


def text(asked: Asked, name: str) -> str:
    """Raises BadInput."""
    value = asked.get(name, "")
    if not isinstance(value, str):
        raise BadInput(f"{name} must be text.", field=name)
    return value


def names(asked: Asked, name: str) -> list[str]:
    """A list of texts. Raises BadInput."""
    value = asked.get(name) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadInput(f"{name} must be a list.", field=name)
    return value


def table(asked: Asked, name: str) -> dict[str, Any]:
    """Names with values; null counts as not given. Raises BadInput."""
    value = asked.get(name) or {}
    if not isinstance(value, dict):
        raise BadInput(f"{name} must be names with values.", field=name)
    return {key: item for key, item in value.items() if item is not None}


def say(request: Request, studio: Studio, english: str) -> str:
    """In the asker's language."""
    return studio.words.say(language(request.headers, request.cookies), english)


def answered(studio: Studio, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint with its answer as JSON; what it raises is told in the original's form and the asker's language."""
    is_async = inspect.iscoroutinefunction(endpoint)

    @wraps(endpoint)
    async def told(request: Request) -> Response:
        try:
            answer = await endpoint(request) if is_async else await run_in_threadpool(endpoint, request)
        except StudioError as error:
            return failure(error, lambda english: say(request, studio, english))
        return answer if isinstance(answer, Response) else JSONResponse(answer)

    return told


def failure(error: StudioError, said: Callable[[str], str]) -> Response:
    """An unknown sampler is 400 there, whatever it is here."""
    words = [said(sentence) for sentence in (error.message, error.hint) if sentence]
    status = error.status
    if error.field in ("sampler", "hires_sampler"):
        status, words = 400, [said("Sampler not found."), *words]
    told = " ".join(words)
    return JSONResponse({"error": type(error).__name__, "detail": told, "body": "", "errors": told}, status_code=status)
