"""Bodies of requests that pages and programs send, read up to a limit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from studio.errors import BadInput

if TYPE_CHECKING:
    from starlette.requests import Request

MOST_BYTES = 24 * 2**20  # a piece of 100,000 notes has room


async def body(request: Request, limit: int = MOST_BYTES, *, optional: bool = False) -> dict[str, Any]:
    """A JSON object of at most `limit` bytes; an `optional` one may be left out. Raises BadInput."""
    data = await raw(request, limit)
    if optional and not data:
        return {}
    try:
        found = json.loads(data)
        # what can't be said again could be neither kept nor shown: no number, half a letter, nested without end
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadInput("The body is not JSON.", hint="Send the parameters as one JSON object.") from error
    if not isinstance(found, dict):
        raise BadInput("The body is not a JSON object.", hint="Send the parameters as one JSON object.")
    return found


async def raw(request: Request, limit: int) -> bytes:
    """Raises BadInput as soon as more than `limit` bytes have come."""
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > limit:
            raise BadInput(f"The file is larger than {limit // 2**20} MB.", hint="Use a smaller file.")
    return bytes(data)
