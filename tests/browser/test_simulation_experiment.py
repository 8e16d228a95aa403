"""The Experiment page as a person uses it: one click, a figure and a table, values of a row on the desk, and results handed on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.driving import needs_browser, settled, tab, watched
from tests.running import Running

pytestmark = needs_browser
WAIT = 120_000
LORENZ = "eyJtb2RlbCI6ImxvcmVuejYzIiwidmFsdWVzIjp7InJobyI6MjB9LCJzZWVkIjo1fQ"  # {"model": "lorenz63", "values": {"rho": 20}, "seed": 5}


@pytest.fixture(scope="module")
def opened(chrome: Any, studio: Running) -> Iterator[Any]:
    """One page for the whole file, with Lorenz on the desk and a finished sweep."""
    page = watched(chrome.new_context(viewport={"width": 1440, "height": 900}, locale="en-US").new_page())
    page.set_default_timeout(WAIT)
    page.goto(f"{studio.url}/?simulation={LORENZ}")
    page.get_by_role("tab", name="Experiment", exact=True).wait_for()
    page.wait_for_function("() => document.querySelector('#simulation-run .sim-model')?.value === 'lorenz63'")
    settled(page)  # the pages follow the desk
    tab(page, "Experiment")
    page.locator(".experiment-subject", has_text="Lorenz 1963").wait_for()
    run(page)
    yield page
    assert page.problems == []
    page.context.close()


FIGURE = "document.querySelector('.experiment-stage:not([aria-busy]) figure img')?.src || ''"


def run(page: Any) -> None:
    """To a figure that was not there before; a quick experiment is never seen at work."""
    before = page.evaluate(f"() => {FIGURE}")
    page.click("#experiment-go")
    page.wait_for_function(f"(before) => {{ const now = {FIGURE}; return now && now !== before; }}", arg=before, timeout=2 * WAIT)


def told(page: Any) -> Any:
    return page.locator(".experiment-told")


def test_one_click_gives_a_figure_and_a_table(opened: Any) -> None:
    from playwright.sync_api import expect

    assert opened.locator(".experiment-stage img").first.evaluate("(img) => img.decode().then(() => img.naturalWidth)") == 1120
    expect(opened.locator(".experiment-stage details[open] tbody tr")).to_have_count(31)
    assert opened.locator(".experiment-stage").inner_text().count("# seisei") == 0


def test_values_of_a_row_come_on_the_desk(opened: Any) -> None:
    opened.locator("[data-use]").first.click()
    opened.locator(".toast-body").get_by_text("These values are on the desk now.").wait_for()
    opened.wait_for_function("() => JSON.parse(document.querySelector('#simulation-desk [data-desk]').dataset.desk).values.sigma === 5")


def test_a_report_is_downloaded(opened: Any, tmp_path: Path) -> None:
    with opened.expect_download() as download:
        opened.click("[data-act=report]")
    download.value.save_as(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "Lorenz 1963" in text and "data:image/svg+xml;base64," in text and "?simulation=" in text
    page = opened.context.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    assert page.evaluate("() => Promise.all([...document.images].map((image) => image.decode().then(() => image.naturalWidth))).then((all) => all.length > 0 && all.every((width) => width > 0))") and page.locator("#copy").count() == 1
    page.close()


def test_the_figure_goes_to_the_image_tab(opened: Any) -> None:
    opened.click("[data-act=picture]")
    opened.locator("#tab-image, [role=tab][data-tab-id=image][aria-selected=true]").first.wait_for()
    tab(opened, "Simulation")


def test_series_that_are_chosen_become_a_piece(opened: Any, studio: Running) -> None:
    """Pressed again the form goes; the piece opens in the Music tab with the voices, and its file tells what was chosen."""
    tab(opened, "Experiment")
    form = opened.locator(".sim-music")
    opened.locator("[data-act=music]:visible").click()
    form.wait_for()
    opened.locator("[data-act=music]:visible").click()
    form.wait_for(state="detached")
    opened.locator("[data-act=music]:visible").click()
    form.get_by_label("Roll speed x").uncheck()
    form.get_by_label("Musical scale").select_option("Blues")
    form.get_by_label("Tempo").fill("90")
    form.get_by_role("button", name="Make music").click()
    opened.locator(".music-desk", has_text="Profile z").first.wait_for()
    made = studio.get("/api/v1/outputs?kind=midi")[0]["metadata"]["params"]
    assert (made["voices"], made["scale"], made["tempo"]) == (["y", "z"], "Blues", 90)
    tab(opened, "Simulation")


def test_other_experiments_show_their_fields(opened: Any) -> None:
    tab(opened, "Experiment")
    for kind, field in (("Repetitions", "#experiment-runs"), ("Compare", "#experiment-scenarios"), ("Sensitivity", "#experiment-names")):
        opened.locator("#experiment-kind label", has_text=kind).click()
        opened.locator(field).wait_for()


def test_without_chance_repetitions_vary_the_values(opened: Any) -> None:
    from playwright.sync_api import expect

    opened.locator("#experiment-kind label", has_text="Repetitions").click()
    settled(opened)
    run(opened)
    expect(opened.locator(".experiment-stage summary")).to_have_count(2)
