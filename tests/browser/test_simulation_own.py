"""A model of one's own in the browser: a mistake is pointed at while it is typed, mended, run, and kept by name."""

from __future__ import annotations

from typing import Any

from tests.browser.driving import needs_browser, open_page, tab

pytestmark = needs_browser
SHARED = True
MOST_MS = 90_000


def test_a_mistake_is_pointed_at_and_the_mended_model_runs(chrome: Any, studio: Any) -> None:
    page = open_page(chrome, studio.url)
    page.set_default_timeout(MOST_MS)
    tab(page, "Simulation")
    tab(page, "Own")
    page.wait_for_selector("#own-check .own-fine")
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
