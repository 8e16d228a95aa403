"""Several people at once: own histories, own jobs, own Stop; nobody's words on somebody else's page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.driving import WRITING, needs_browser, open_page, say, tab
from tests.running import Running, running

pytestmark = needs_browser


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("people"), "--auth", "ann:secret,bob:other") as studio:
        yield studio


def test_two_people_write_at_once_and_stop_their_own(chrome: Any, shared: Running) -> None:
    from playwright.sync_api import expect

    ann, bob = open_page(chrome, shared.url, user=("ann", "secret")), open_page(chrome, shared.url, user=("bob", "other"))
    say(ann, "Write a very long story about a purple whale.")
    expect(ann.locator("#chat-view .bot.message").last).to_contain_text(WRITING, timeout=60_000)
    say(bob, "Say hi to the green frog.")
    expect(bob.locator("#seisei-line")).to_contain_text("Queue 2", timeout=45_000)
    bob.locator("#seisei-line button", has_text="Queue").click()
    expect(bob.locator("#seisei-queue")).to_contain_text("somebody else")
    assert bob.locator("#seisei-queue").get_by_role("button", name="Cancel").count() == 1, "only one's own can be cancelled"
    ann.get_by_role("button", name="Stop", exact=True).first.dispatch_event("click")  # at once: a click waits until the page rests
    expect(ann.locator("#chat-note")).to_contain_text("Stopped", timeout=60_000)
    expect(bob.locator("#chat-note")).to_contain_text("tokens/s", timeout=60_000)
    for page in (ann, bob):
        page.reload()
        page.wait_for_selector("#chat-view .message", timeout=45_000)
    assert "purple whale" in ann.inner_text("body") and "green frog" not in ann.inner_text("body")
    assert "green frog" in bob.inner_text("body") and "purple whale" not in bob.inner_text("body")
    tab(bob, "Gallery")
    bob.wait_for_selector("#gallery-grid [data-output] >> visible=true", timeout=45_000)
    assert bob.locator("#gallery-grid [data-output]").count() == 1
    tab(bob, "Extensions")
    time.sleep(1)
    assert bob.locator("#extension-list button").count() == 0, "switching extensions is the owner's alone"
    for page in (ann, bob):
        assert page.problems == []
        page.context.close()
