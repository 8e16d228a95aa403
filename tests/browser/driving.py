"""How tests use the page, as a person does."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest

from studio.testing import browser as chromium

no_browser = pytest.mark.skipif(not chromium() and not os.environ.get("CI"), reason="no Chromium on this machine; in CI its absence fails")
needs_browser = [pytest.mark.browser, no_browser]

WRITING = re.compile(r"\w")  # an answer has begun: before, there are three dots
OPEN_MILLISECONDS = 120_000  # a busy machine draws the page slowly


def open_page(chrome: Any, url: str, *, width: int = 1440, locale: str = "en-US", user: tuple[str, str] = ("", ""), ready: bool = True) -> Any:
    """A browser of somebody's own, on the page; `problems` collects its script errors. Not `ready`: as soon as it can be written in."""
    page = chrome.new_context(viewport={"width": width, "height": 900}, locale=locale).new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
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


def new_chat(page: Any) -> None:
    page.get_by_role("button", name="New chat").click()
    page.wait_for_selector("#chat-examples >> visible=true")


def tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).first.click()


def paint(page: Any, where: str, right: float = 0, down: float = 0, *, across: float = 12) -> None:
    """A stroke over the picture of that painter, so many pixels from its middle."""
    canvas = page.locator(f"{where} .painter:not([aria-busy]) .stage canvas")
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
