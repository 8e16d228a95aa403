"""How tests use the page, as a person does."""

from __future__ import annotations

import os
from typing import Any

import pytest

from studio.testing import browser as chromium

no_browser = pytest.mark.skipif(not chromium() and not os.environ.get("CI"), reason="no Chromium on this machine; in CI its absence fails")
needs_browser = [pytest.mark.browser, no_browser]


def open_page(chrome: Any, url: str, *, width: int = 1440, locale: str = "en-US", user: tuple[str, str] = ("", "")) -> Any:
    """A browser of somebody's own, on the page; `problems` collects its script errors."""
    page = chrome.new_context(viewport={"width": width, "height": 900}, locale=locale).new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(url)
    if user[0]:
        page.fill("#user", user[0])
        page.fill("#password", user[1])
        page.click("form button")
    page.wait_for_selector("#chat-input textarea")
    page.wait_for_selector("#seisei-line >> text=CPU")
    return page


def say(page: Any, text: str) -> None:
    page.fill("#chat-input textarea", text)
    page.press("#chat-input textarea", "Enter")


def new_chat(page: Any) -> None:
    page.get_by_role("button", name="New chat").click()
    page.wait_for_selector("#chat-examples >> visible=true")


def tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).first.click()
