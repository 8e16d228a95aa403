"""Several people at once: own histories, own jobs, own Stop; nobody's words on somebody else's page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.driving import WRITING, needs_browser, open_page, say, settled, tab
from tests.browser.storyteller import by_storyteller, storyteller
from tests.running import Running, running

pytestmark = needs_browser


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with storyteller() as teller, running(tmp_path_factory.mktemp("people"), "--auth", "ann:secret,bob:other", env={"SEISEI_REMOTE_URL": teller.url}) as studio:
        yield studio


def test_two_people_write_at_once_and_stop_their_own(chrome: Any, shared: Running) -> None:
    from playwright.sync_api import expect

    ann, bob = open_page(chrome, shared.url, user=("ann", "secret")), open_page(chrome, shared.url, user=("bob", "other"))
    for page in (ann, bob):
        by_storyteller(page)
    say(ann, "Write a very long story about a purple whale.")
    expect(ann.locator("#chat-view .bot.message").last).to_contain_text(WRITING)
    say(bob, "Say hi to the green frog.")
    expect(bob.locator("#seisei-line")).to_contain_text("Queue 2")
    bob.locator("#seisei-line button", has_text="Queue").click()
    expect(bob.locator("#seisei-queue")).to_contain_text("somebody else")
    expect(bob.locator("#seisei-queue").get_by_role("button", name="Cancel")).to_have_count(1)  # only one's own can be cancelled
    ann.get_by_role("button", name="Stop", exact=True).first.dispatch_event("click")  # at once: a click waits until the page rests
    expect(ann.locator("#chat-note")).to_contain_text("Stopped")
    expect(bob.locator("#chat-note")).to_contain_text("tokens/s")
    for page in (ann, bob):
        page.reload()
        page.wait_for_selector("#chat-view .message")
    for page, mine, others in ((ann, "purple whale", "green frog"), (bob, "green frog", "purple whale")):
        expect(page.locator("#chat-view")).to_contain_text(mine)
        settled(page)
        assert others not in page.inner_text("body")
    tab(bob, "Gallery")
    expect(bob.locator("#gallery-grid [data-output]")).to_have_count(1)
    tab(bob, "Extensions")
    bob.locator("#extension-list [data-extension] >> visible=true").first.wait_for()
    settled(bob)
    assert bob.locator("#extension-list button").count() == 0, "switching extensions is the owner's alone"
    for page in (ann, bob):
        assert page.problems == []
        page.context.close()
