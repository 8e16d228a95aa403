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
    page.line = line
    page.slower = lambda times: line.send("Emulation.setCPUThrottlingRate", {"rate": times})
    by_storyteller(page)
    yield page
    page.slower(1)
    assert page.problems == []
    page.context.close()


DRAWN = """() => { window.drawn = 0; let before = ''; window.watching?.disconnect();
window.watching = new MutationObserver(() => { const now = [...document.querySelectorAll('#chat-view .bot.message')].at(-1)?.textContent || ''; if (now !== before) { before = now; window.drawn++; } });
window.watching.observe(document.querySelector('#chat-view'), { childList: true, subtree: true, characterData: true }); }"""


def told(page: Any, wish: str) -> int:
    """The whole answer, word by word as it was written; how many times it grew on the page."""
    from playwright.sync_api import expect

    page.evaluate(DRAWN)
    answers = page.locator("#chat-view .bot.message")
    before = answers.count()
    say(page, wish)
    expect(answers).to_have_count(before + 1)
    answer = answers.last
    expect(answer).to_contain_text(f"word{WORDS}", timeout=180_000)
    expect(page.locator("#chat-note")).to_contain_text("tokens/s")
    assert [int(number) for number in re.findall(r"word(\d+)", answer.inner_text())] == list(range(1, WORDS + 1))
    return int(page.evaluate("window.drawn"))


def states(line: Any) -> int:
    """How many times Gradio's script handed a control something since the last question."""
    scripts = line.send("Profiler.takePreciseCoverage")["result"]
    return sum(function["ranges"][0]["count"] for script in scripts for function in script["functions"] if function["functionName"] == "update_state")


def test_an_update_of_words_touches_the_few_controls_that_change_and_no_other(slow: Any) -> None:
    slow.line.send("Profiler.enable")
    slow.line.send("Profiler.startPreciseCoverage", {"callCount": True, "detailed": False})
    told(slow, f"First exactly {WORDS} words.")
    states(slow.line)
    drawn = told(slow, f"Then exactly {WORDS} words.")
    assert 0 < states(slow.line) < 40 * drawn + 1200, drawn  # of a few hundred that were inputs of some event; the events before the first word have a thousand together
    slow.line.send("Profiler.disable")


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
