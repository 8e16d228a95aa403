"""A page on a slow machine is sent fewer updates, loses no word of them, and hears Stop; once it is quick again it is sent more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.driving import WRITING, eventually, needs_browser, open_page, say
from tests.browser.storyteller import by_storyteller, storyteller
from tests.running import Running, running

pytestmark = needs_browser
WORDS = 400  # eight seconds
SLOWER = 20  # times, as an old phone beside a computer


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with storyteller() as teller, running(tmp_path_factory.mktemp("pace"), env={"SEISEI_REMOTE_URL": teller.url}) as studio:
        yield studio


@pytest.fixture
def slow(chrome: Any, studio: Running) -> Iterator[Any]:
    """A page whose processor can be slowed down, and the `paces` that it told."""
    page = open_page(chrome, studio.url)
    page.paces = []
    page.on("request", lambda request: page.paces.append(json.loads(request.post_data)["seconds"]) if request.url.endswith("/api/v1/pace") else None)
    line = page.context.new_cdp_session(page)
    page.slower = lambda times: line.send("Emulation.setCPUThrottlingRate", {"rate": times})
    by_storyteller(page)
    yield page
    page.slower(1)
    assert page.problems == []
    page.context.close()


DRAWN = """() => { window.drawn = 0; let before = '';
new MutationObserver(() => { const now = [...document.querySelectorAll('#chat-view .bot.message')].at(-1)?.textContent || ''; if (now !== before) { before = now; window.drawn++; } })
  .observe(document.querySelector('#chat-view'), { childList: true, subtree: true, characterData: true }); }"""


def told(page: Any, wish: str) -> int:
    """The whole answer, word by word as it was written; how many times it grew on the page."""
    from playwright.sync_api import expect

    page.evaluate(DRAWN)
    say(page, wish)
    answer = page.locator("#chat-view .bot.message").last
    expect(answer).to_contain_text(f"word{WORDS}", timeout=180_000)
    expect(page.locator("#chat-note")).to_contain_text("tokens/s")
    assert [int(number) for number in re.findall(r"word(\d+)", answer.inner_text())] == list(range(1, WORDS + 1))
    return int(page.evaluate("window.drawn"))


def test_a_slow_page_is_sent_fewer_updates_and_every_word_and_stop_lands(slow: Any) -> None:
    from playwright.sync_api import expect

    often = told(slow, f"Say exactly {WORDS} words.")
    slow.slower(SLOWER)
    told(slow, f"Now say exactly {WORDS} words.")  # it finds its pace
    seldom = told(slow, f"Once more exactly {WORDS} words.")
    assert seldom < often and seldom < WORDS / 10, (seldom, often)
    assert max(slow.paces) > 0.2, slow.paces
    say(slow, "Tell a very long story.")
    expect(slow.locator("#chat-view .bot.message").last).to_contain_text(WRITING)
    slow.locator("#chat-go").get_by_role("button", name="Stop").click()
    expect(slow.locator("#chat-note")).to_contain_text("Stopped")
    slow.slower(1)
    assert eventually(slow, lambda: slow.paces[-1], lambda seconds: seconds < 0.1) < 0.1, "it is quick again"
