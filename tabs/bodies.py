"""Bodies of requests that pages send, read up to a limit. No gradio."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from studio.api import BadInput

MOST_BYTES = 24 * 2**20  # a piece of 100,000 notes has room


async def body(request: Request) -> dict[str, Any]:
    """A JSON object of at most MOST_BYTES. Raises BadInput."""
    data = await raw(request, MOST_BYTES)
    try:
        found = json.loads(data)
    except ValueError as error:
        raise BadInput("The body is not JSON.") from error
    if not isinstance(found, dict):
        raise BadInput("The body is not a JSON object.")
    return found


async def raw(request: Request, limit: int) -> bytes:
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > limit:
            raise BadInput(f"The file is larger than {limit // 2**20} MB.", hint="Use a smaller file.")
    return data
