"""Pages that draw late are sent fewer updates, each with all there is; the end waits for nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio import ui
from studio.errors import BadInput
from studio.events import Done, Progress, Text
from studio.host import Studio
from studio.jobs import Job
from studio.pace import PAGES, QUICKEST, SLOWEST, Paces
from tests.house import make_studio


def job(studio: Studio) -> Job:
    pipeline = studio.pipelines["test.echo"]
    return Job(id="one", pipeline=pipeline, params=pipeline.Params(), owner="ann", source="page", extras={})


def test_a_pace_is_kept_by_page_and_person_within_bounds() -> None:
    paces = Paces()
    assert paces.of("ann", "page") == QUICKEST
    assert paces.tell("ann", "page", 0.5) == paces.of("ann", "page") == 0.5
    assert (paces.of("bob", "page"), paces.of("ann", "other")) == (QUICKEST, QUICKEST)
    assert (paces.tell("ann", "page", 99), paces.tell("ann", "page", 0.0001)) == (SLOWEST, QUICKEST)


@pytest.mark.parametrize(("page", "seconds"), [("", 1.0), ("page", 0.0), ("page", -1.0), ("page", float("nan")), ("page", float("inf"))])
def test_what_is_no_pace_is_refused(page: str, seconds: float) -> None:
    with pytest.raises(BadInput, match="A pace is"):
        Paces().tell("ann", page, seconds)


def test_pages_that_told_longest_ago_are_forgotten() -> None:
    paces = Paces()
    for number in range(PAGES + 5):
        paces.tell("ann", f"page{number}", 1.0)
        paces.tell("ann", "page0", 1.0)
    assert paces.of("ann", "page1") == QUICKEST and paces.of("ann", "page0") == paces.of("ann", f"page{PAGES + 4}") == 1.0


def test_a_stream_asks_for_its_page_s_pace_again_and_again(tmp_path: Path) -> None:
    with make_studio(tmp_path) as studio:
        request: Any = SimpleNamespace(headers={"x-seisei-owner": "ann"}, session_hash="page")
        pace, seldom = ui.pace(studio, request), ui.pace(studio, request, 0.1)
        assert (pace(), seldom()) == (QUICKEST, 0.1)
        studio.paces.tell("ann", "page", 0.7)
        assert (pace(), seldom()) == (0.7, 0.7)


def test_what_comes_during_a_pause_comes_together_and_whole(tmp_path: Path) -> None:
    with make_studio(tmp_path) as studio:
        one, waiting = job(studio), threading.Event()

        def pause() -> float:
            """While the page draws, five words and three steps come."""
            if waiting.is_set():
                one.tell(Done([], {}, 0.0))
                return 600.0
            waiting.set()
            for number in range(5):
                one.tell(Text(f"word{number} ", "answer"))
                one.tell(Progress(number, 5))
            return 0.0

        one.tell(Text("begun ", "answer"))
        batches: list[Any] = []
        follower = threading.Thread(target=lambda: batches.extend(one.batches(pause)), daemon=True)
        follower.start()
        follower.join(60)
        first, second, end = batches  # the end is there: nobody waited ten minutes for it
        assert first == [Text("begun ", "answer")]
        assert second == [Progress(4, 5), Text("word0 word1 word2 word3 word4 ", "answer")]
        assert end == [Done([], {}, 0.0)]


def test_a_page_tells_its_pace_over_http_for_its_own_person_only(tmp_path: Path) -> None:
    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    from studio.rest import Api, mount

    with make_studio(tmp_path) as studio:
        app = Starlette(routes=[mount(route, studio.words) for route in Api(studio, list, lambda: None).routes()])
        asked = {"x-seisei-owner": "ann", "x-seisei-host": "1"}
        with TestClient(app) as client:
            assert client.post("/api/v1/pace", json={"page": "page", "seconds": 0.6}, headers=asked).json() == {"seconds": 0.6}
            assert (studio.paces.of("ann", "page"), studio.paces.of("bob", "page")) == (0.6, QUICKEST)
            for wrong in ({}, {"page": "page"}, {"page": "page", "seconds": "soon"}, {"page": "page", "seconds": None}, {"page": "", "seconds": 1}):
                answer = client.post("/api/v1/pace", json=wrong, headers=asked)
                assert answer.status_code == 422 and answer.json()["error"]["message"].startswith("A pace is") and answer.json()["error"]["hint"]
            assert studio.paces.of("ann", "page") == 0.6
