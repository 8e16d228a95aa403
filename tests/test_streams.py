"""Handlers that stream have something to yield, come what may: Gradio empties what a stream fills that yields nothing at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from studio.api import Studio
from studio.downloads import Downloads
from studio.i18n import Words
from tabs.image_create import CreatePage
from tabs.image_style import StylePage
from tabs.job_page import JobPage
from tabs.text_chat import PAGE, ChatPage
from tabs.text_session import Sessions
from tests.house import finish
from tests.image_models import image_queue


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    queue = image_queue(tmp_path / "data", tmp_path / "none")
    yield Studio(queue.settings, queue.hooks, queue.pipelines, queue.catalog, queue, queue.store, Words(), Downloads(lambda: queue.settings, queue.catalog.refresh))
    finish(queue)


def request() -> Any:
    return SimpleNamespace(headers={"x-seisei-owner": "local", "x-seisei-arrived": "1"}, session_hash="page", cookies={}, query_params={})


def untouched(answers: Any) -> int:
    """How many outputs its only answer leaves alone."""
    (only,) = answers
    assert only == [gr.skip()] * len(only)
    return len(only)


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> int:
    """So many are filled, without the page being drawn."""
    monkeypatch.setattr(JobPage, "streamed", [None] * 7)
    return 7


def test_a_task_that_waits_for_a_picture_leaves_what_is_shown(studio: Studio, outputs: int) -> None:
    assert untouched(CreatePage(studio).on_next(request(), {})) == outputs


def test_a_control_that_paints_nothing_leaves_what_is_shown(studio: Studio, outputs: int) -> None:
    assert untouched(StylePage(studio).on_tweak(request(), mix=[], picture=None, method="")) == outputs


def test_a_painting_whose_place_a_newer_one_took_leaves_what_is_shown(studio: Studio, outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JobPage, "follow", lambda self, job, request: iter([["older"] * outputs]))
    page = StylePage(studio)
    studio.store.remember("local", page.slot, "newer")
    assert untouched(page.follow(SimpleNamespace(id="older", owner="local"), request())) == outputs


@pytest.fixture
def chat(studio: Studio) -> ChatPage:
    """Without its controls: there is no text model here."""
    page = ChatPage.__new__(ChatPage)
    page.studio, page.sessions = studio, Sessions(studio)
    return page


def test_a_chat_that_was_begun_while_the_page_was_loading_stays(chat: ChatPage) -> None:
    chat.sessions.page("page").begun = True
    assert untouched(chat.on_load(request())) == PAGE


def test_a_chat_stays_where_there_is_nothing_to_send_to_repeat_or_to_continue(chat: ChatPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChatPage, "_begin", lambda self, request, given: given)
    assert untouched(chat._send(request(), "", "  ", {})) == PAGE
    assert untouched(chat.on_again(request(), "", "a draft")) == PAGE
    assert untouched(chat.on_continue(request(), "", "a draft")) == PAGE
