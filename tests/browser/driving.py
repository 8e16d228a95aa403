"""How tests use the page, as a person does."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from studio.testing import browser as chromium

no_browser = pytest.mark.skipif(not chromium() and not os.environ.get("CI"), reason="no Chromium on this machine; in CI its absence fails")
needs_browser = [pytest.mark.browser, no_browser]

WRITING = re.compile(r"\w")  # an answer has begun: before, there are three dots
PATIENCE = 90_000  # milliseconds that a busy machine may take for what a quiet one does at once
OPEN_MILLISECONDS = 180_000  # it draws the page slowly
ALWAYS_OPEN = ("/queue/data", "/heartbeat/", "/api/v1/status", "/simulation/live", "/simulation/page.js", "/events", "/api/v1/pace")  # requests that say nothing about whether the page has come to rest
REST = """async (rest) => {
  let last = performance.now();
  const own = (node) => (node.nodeType === 1 ? node : node.parentElement)?.closest('#seisei-bar, .sim-stage');  // what moves by itself
  const watch = new MutationObserver((changes) => { if (changes.some((change) => !own(change.target))) last = performance.now(); });
  watch.observe(document.documentElement, { childList: true, subtree: true, attributes: true, characterData: true });
  for (let begun = last; performance.now() - last < rest && performance.now() - begun < 20000;) await new Promise((done) => setTimeout(done, 40));
  const rests = performance.now() - last >= rest;
  const moving = document.getAnimations().filter((one) => Number.isFinite(one.effect?.getComputedTiming().endTime ?? Infinity)).map((one) => one.finished.catch(() => 0));
  await Promise.race([Promise.all(moving), new Promise((done) => setTimeout(done, 3000))]);
  watch.disconnect();
  return rests;
}"""


def watched(page: Any) -> Any:
    """The page with its script errors in `problems` and its unanswered requests in `asked`."""
    page.problems, page.asked = [], set()
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("request", lambda request: page.asked.add(request) if request.resource_type in ("fetch", "xhr", "script", "image") and not any(part in request.url for part in ALWAYS_OPEN) else None)
    for end in ("requestfinished", "requestfailed"):
        page.on(end, lambda request: page.asked.discard(request))
    page.on("framenavigated", lambda frame: page.asked.clear())
    page.set_default_timeout(PATIENCE)
    return page


def settled(page: Any, rest: int = 300) -> bool:
    """The page has come to rest: all it asked for is answered and nothing was drawn for so many milliseconds. False where it never stops drawing."""
    deadline = time.monotonic() + PATIENCE / 1000
    while True:
        rests = bool(page.evaluate(REST, rest))
        if not page.asked:
            return rests
        assert time.monotonic() < deadline, [request.url for request in page.asked]
        page.wait_for_timeout(50)


def eventually(page: Any, read: Callable[[], Any], fits: Callable[[Any], Any] = bool) -> Any:
    """The first value read that fits, however late the page draws it; the last one where none does, for the test to say so."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not fits(found := read()) and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    return found


def open_page(chrome: Any, url: str, *, width: int = 1440, locale: str = "en-US", user: tuple[str, str] = ("", ""), ready: bool = True) -> Any:
    """A browser of somebody's own, on the page; `problems` collects its script errors. Not `ready`: as soon as it can be written in."""
    page = watched(chrome.new_context(viewport={"width": width, "height": 900}, locale=locale).new_page())
    page.goto(url)
    if user[0]:
        page.fill("#user", user[0])
        page.fill("#password", user[1])
        page.click("form button")
    page.wait_for_selector("#chat-input textarea", timeout=OPEN_MILLISECONDS)
    if ready:
        page.wait_for_selector("#seisei-line >> text=CPU", timeout=OPEN_MILLISECONDS)
    return page


def say(page: Any, text: str) -> None:
    page.fill("#chat-input textarea", text)
    page.press("#chat-input textarea", "Enter")


def choose_model(page: Any, title: str) -> None:
    """The one that answers on the chat page. The list is filled while the page loads."""
    from playwright.sync_api import expect

    settled(page)
    box = page.locator("#chat-model input").first
    box.click()
    page.get_by_role("option", name=title).locator("visible=true").first.click()
    expect(box).to_have_value(re.compile(re.escape(title)))
    settled(page)


def new_chat(page: Any) -> None:
    page.get_by_role("button", name="New chat").click()
    page.wait_for_selector("#chat-examples >> visible=true")


def tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).first.click()


def any_tab(page: Any, name: str) -> None:
    """By its title, out of the menu of those that have no room if need be: which they are is known once the page rests."""
    settled(page)
    if page.get_by_role("tab", name=name, exact=True).locator("visible=true").count():
        tab(page, name)
    else:
        page.locator(".overflow-menu > button >> visible=true").first.click()
        page.locator(".overflow-dropdown button", has_text=name).locator("visible=true").first.click()


def paint(page: Any, where: str, right: float = 0, down: float = 0, *, across: float = 12) -> None:
    """A stroke over the picture of that painter, so many pixels from its middle."""
    canvas = page.locator(f"{where} .painter:not([aria-busy]) .stage canvas")
    settled(page)  # what opens above it moves it
    canvas.evaluate("(canvas) => canvas.scrollIntoView({ block: 'center' })")  # not below the foot that sticks
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2 + right, box["y"] + box["height"] / 2 + down
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + across, y, steps=4)
    page.mouse.up()


def painted_share(page: Any, where: str) -> float:
    """How much of the picture is painted over, 0 to 1."""
    return float(
        page.locator(f"{where} .painter canvas").evaluate(
            "(canvas) => { const all = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data; let there = 0; for (let at = 3; at < all.length; at += 4) there += all[at] > 128; return there / (all.length / 4); }"
        )
    )
