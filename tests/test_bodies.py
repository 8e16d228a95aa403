"""What comes in as a request's body and what goes out as JSON: sizes at the door, nothing that could not be said again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

from extensions.openai_api import extension as openai_api
from studio.bodies import MOST_BYTES, body, raw
from studio.host import Route
from studio.i18n import Words
from studio.rest import mount


def app() -> TestClient:
    async def take(request: Request) -> Any:
        return {"names": sorted(await body(request))}

    async def sized(request: Request) -> Any:
        return {"bytes": len(await raw(request, 2**20))}

    def give(request: Request) -> Any:
        return {"r_hat": float("nan"), "rows": [1.5, float("-inf"), {"deep": (float("inf"),)}], "name": "half \ud800 a letter", "whole": 3}

    routes = [Route("/take", ["POST"], take, ""), Route("/sized", ["POST"], sized, ""), Route("/give", ["GET"], give, "")]
    return TestClient(Starlette(routes=[mount(route, Words()) for route in routes]), headers={"x-seisei-owner": "me", "x-seisei-host": "0"})


UNSAYABLE = ['{"a": NaN}', '{"a": [Infinity]}', '{"a": 1e999}', '{"a": "\\ud800"}', '{"\\udfff": 1}', '{"a":' * 50_000 + "1" + "}" * 50_000, '{"a":' * 3_000 + "1" + "}" * 3_000, "[" * 200_000, '{"a": ' + "9" * 5000 + "}", "", "nothing"]


@pytest.mark.parametrize("given", UNSAYABLE, ids=[one[:18] for one in UNSAYABLE])
def test_what_could_not_be_said_again_is_refused_in_a_sentence(given: str) -> None:
    answer = app().post("/take", content=given)
    assert answer.status_code == 422 and answer.json()["error"]["message"] == "The body is not JSON."


def test_a_body_is_an_object() -> None:
    assert app().post("/take", content='{"b": 1.5, "a": "ü"}').json() == {"names": ["a", "b"]}
    assert app().post("/take", content="[1]").json()["error"]["message"] == "The body is not a JSON object."


def test_a_body_without_end_is_refused_before_it_is_in_memory() -> None:
    taken = 0

    async def endless() -> AsyncIterator[dict[str, Any]]:
        nonlocal taken
        while True:
            taken += 2**20
            yield {"type": "http.request", "body": b" " * 2**20, "more_body": True}

    source = endless()
    request = Request({"type": "http", "method": "POST", "headers": []}, receive=source.__anext__)
    with pytest.raises(Exception, match="larger than 24 MB"):
        from asyncio import run

        run(body(request))
    assert taken <= MOST_BYTES + 2**20
    assert app().post("/sized", content=b"x" * (2**20 + 1)).json()["error"]["message"] == "The file is larger than 1 MB."
    assert app().post("/sized", content=b"x" * 2**20).json() == {"bytes": 2**20}


def test_one_number_that_is_none_costs_no_answer() -> None:
    answer = app().get("/give")
    assert answer.status_code == 200
    assert json.loads(answer.content) == {"r_hat": None, "rows": [1.5, None, {"deep": [None]}], "name": "half ? a letter", "whole": 3}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"])
@pytest.mark.parametrize("given", [b'{"model": "x", "temperature": NaN}', b"[" * 100_000, b"[1]", b"x" * (2**20 + 1)], ids=["number", "nested", "list", "large"])
def test_the_openai_api_refuses_such_bodies_before_a_job(path: str, given: bytes) -> None:
    studio: Any = SimpleNamespace(settings=SimpleNamespace(max_upload_mb=1), submit=lambda *told, **more: pytest.fail("a job was asked"))
    client = TestClient(Starlette(routes=[mount(route, Words()) for route in openai_api.register_routes(studio)]), headers={"x-seisei-owner": "me", "x-seisei-host": "0"})
    answer = client.post(path, content=given)
    assert answer.status_code == 400 and answer.json()["error"]["message"].endswith(".")
