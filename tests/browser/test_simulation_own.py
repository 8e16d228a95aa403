"""A model of one's own in the browser: a mistake is pointed at while it is typed, mended, run, and kept by name."""

from __future__ import annotations

from typing import Any

from tests.browser.driving import needs_browser, open_page, settled, tab

pytestmark = needs_browser
SHARED = True
MOST_MS = 90_000


def opened(chrome: Any, studio: Any) -> Any:
    page = open_page(chrome, studio.url)
    page.set_default_timeout(MOST_MS)
    tab(page, "Simulation")
    tab(page, "Own")
    page.wait_for_selector("#own-check .own-fine")
    return page


def test_a_mistake_is_pointed_at_and_the_mended_model_runs(chrome: Any, studio: Any) -> None:
    page = opened(chrome, studio)
    page.fill("#own-text textarea", "dx/dt = -kk*x\nk = 0.5 [0, 2] per day # how fast\nx(0) = 8 [0, 20]")
    page.wait_for_selector("#own-check .own-line mark >> text=k")
    page.wait_for_selector("#own-check >> text=Line 1, column 10: unknown name “kk”")
    page.fill("#own-text textarea", "dx/dt = -k*x\nk = 0.5 [0, 2] per day # how fast\nx(0) = 8 [0, 20]")
    page.wait_for_selector("#own-check td >> text=how fast")
    page.click("#own-run")
    page.wait_for_selector("#sim-field-k >> visible=true")
    tab(page, "Own")
    assert page.input_value("#own-text textarea").startswith("dx/dt = -k*x")
    assert not page.problems


def test_a_list_that_is_only_looked_into_takes_nothing_back_and_a_choice_is_undone_at_once(chrome: Any, studio: Any) -> None:
    """Gradio tells of a choice whenever a list is left."""
    page = opened(chrome, studio)
    typed, box, text = "dx/dt = -x\nx(0) = 8 [0, 20]", page.locator("#own-example input"), page.locator("#own-text textarea")
    text.fill(typed)
    settled(page)
    for key in ("Escape", "Tab"):
        box.click()
        page.locator("[role=option]").first.wait_for()
        page.keyboard.press(key)
        text.click()
        assert settled(page) and text.input_value() == typed, key
    for _ in range(2):  # the same once more is a choice as well
        box.click()
        page.get_by_role("option", name="Predators and prey", exact=True).click()
        page.wait_for_function("() => document.querySelector('#own-title input, #own-title textarea').value === 'Predators and prey'")
        assert settled(page) and text.input_value() != typed
        page.click("#own-undo")
        page.wait_for_function("(typed) => document.querySelector('#own-text textarea').value === typed", arg=typed)
    assert not page.problems
