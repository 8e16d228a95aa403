"""The Learn page as a person uses it: a sample, the four steps, an estimate, its best values on the desk, one's own table, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.driving import needs_browser, open_page, settled, tab
from tests.running import Running

pytestmark = needs_browser
SHARED = True
WAIT = 180_000


@pytest.fixture(scope="module")
def opened(chrome: Any, studio: Running) -> Iterator[Any]:
    page = open_page(chrome, studio.url)
    page.set_default_timeout(WAIT)
    tab(page, "Simulation")
    page.locator("#simulation-modes [data-tab-id=learn]").first.click()
    page.wait_for_selector("#learn-sample-influenza >> visible=true")
    yield page
    assert page.problems == []
    page.context.close()


def step(page: Any, name: str) -> None:
    page.locator(f"#learn-steps [data-tab-id={name}]").first.click()


def test_one_click_on_a_sample_and_one_on_estimate_give_a_result(opened: Any) -> None:
    opened.click("#learn-sample-influenza")
    opened.wait_for_selector("#learn-seen >> text=British Medical Journal")
    settled(opened)
    step(opened, "result")
    opened.get_by_label("Maximum likelihood").check()
    settled(opened)
    opened.click("#sim-learn-go")
    opened.wait_for_selector("#sim-learn-view .learn-table")
    told = opened.inner_text("#sim-learn-view .learn-table")
    assert "Reproduction number" in told and "Infectious period" in told
    assert opened.locator("#sim-learn-view img").count() >= 3
    assert opened.locator("#sim-learn-view .learn-files a", has_text="Posterior (CSV)").count() == 1


def test_what_is_free_gets_a_prior(opened: Any) -> None:
    step(opened, "map")
    opened.locator("#learn-map [data-name='free|immune']").check()
    settled(opened)
    step(opened, "priors")
    opened.wait_for_selector("#learn-priors >> text=Immune at the start")
    step(opened, "map")
    opened.locator("#learn-map [data-name='free|immune']").uncheck()
    settled(opened)
    step(opened, "priors")
    opened.wait_for_selector("#learn-priors >> text=Immune at the start", state="detached")


def test_a_prior_that_is_none_is_refused_at_its_step(opened: Any) -> None:
    low = opened.locator("#learn-priors [data-name='prior|0|low']")
    before = low.input_value()
    low.fill("20")
    low.blur()
    settled(opened)  # the server has what the form holds
    opened.click("#learn-look")
    opened.wait_for_selector(".studio-problem >> text=must be less than the upper bound")
    low.fill(before)
    low.blur()
    settled(opened)


def test_the_best_values_go_on_the_desk(opened: Any) -> None:
    opened.click("#learn-use")
    opened.wait_for_selector("#simulation-run >> visible=true")
    opened.locator("#simulation-modes [data-tab-id=learn]").first.click()


def test_ones_own_table_is_read_and_text_is_named(opened: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    table = tmp_path / "mine.csv"
    table.write_text("day;infectious;who\n1;3,5;a\n2;8,25;b\n3;NA;c\n4;76,5;d\n", encoding="utf-8")
    step(opened, "data")
    opened.locator("#learn-table input[type=file]").set_input_files(str(table))
    opened.wait_for_selector("#learn-seen >> text=in line 2, column 3")
    told = opened.inner_text("#learn-seen")
    assert "separator “;”, decimal “,”" in told and "“a” in line 2, column 3" in told and "1 gaps" in told
    step(opened, "map")
    expect(opened.locator("#learn-map select[data-name='link|0|series']")).to_have_value("infectious")
    assert opened.locator("#learn-map select").first.evaluate("(menu) => getComputedStyle(menu).appearance") == "auto"  # its arrow tells that it opens


def estimated(page: Any, sample: str, method: str, **fields: int) -> str:
    """A sample, a method and its fields, Estimate pressed; what the page says then."""
    step(page, "data")
    page.click(f"#learn-sample-{sample}")
    page.wait_for_selector("#learn-seen table >> visible=true")
    settled(page)  # a sample brings its method, which must not come over the one that is chosen now
    step(page, "result")
    page.locator("#learn-method").get_by_label(method).check()
    more = page.locator("#learn-more .label-wrap")
    if "open" not in (more.get_attribute("class") or ""):
        more.click()
    for title, value in fields.items():
        box = page.locator("#learn-more").get_by_label(title.replace("_", " ")).locator("visible=true").first
        box.fill(str(value))
        box.blur()
    settled(page)
    before = page.inner_html("#sim-learn-view")
    page.click("#sim-learn-go")
    page.wait_for_function("(was) => { const view = document.querySelector('#sim-learn-view'); return view.querySelector('.learn-files') && view.innerHTML !== was; }", arg=before)
    return str(page.inner_text("#sim-learn-view"))


@pytest.mark.slow
def test_abc_gives_a_posterior(opened: Any) -> None:
    told = estimated(opened, "influenza", "ABC", Particles=50, Simulations_at_most=800)
    assert "Effective particles" in told and "Reproduction number" in told and "90 % interval" in told
    assert opened.locator("#sim-learn-view img").count() == 3
    assert not opened.locator("#learn-more").get_by_label("Walkers").locator("visible=true").count()  # MCMC's


@pytest.mark.slow
def test_mcmc_asks_a_surrogate_and_tells_its_error(opened: Any) -> None:
    step(opened, "result")
    opened.locator("#learn-method").get_by_label("MCMC").check()
    if "open" not in (opened.locator("#learn-more .label-wrap").get_attribute("class") or ""):
        opened.locator("#learn-more .label-wrap").click()
    opened.locator("#learn-more").get_by_label("Surrogate", exact=True).locator("visible=true").first.click()
    opened.get_by_role("option", name="Gaussian process").click()
    told = estimated(opened, "influenza", "MCMC", Steps_at_most=200, Runs_for_the_surrogate=40)
    assert "R-hat" in told and "Surrogate:" in told and "times faster" in told
    assert opened.locator("#sim-learn-view figcaption", has_text="Surrogate and held-out runs").count() == 1


@pytest.mark.slow
def test_a_filter_follows_a_table_and_a_twin(opened: Any) -> None:
    told = estimated(opened, "lynx-hare", "Kalman filter")
    assert "Prey at the end" in told and "Growth" in told and "as wide as it is at each measured value" in told
    opened.locator("#learn-filter > .label-wrap, #learn-filter > * > .label-wrap").click()
    opened.locator("#learn-filter-more .label-wrap").click()
    opened.locator("#learn-filter").get_by_label("Twin experiment").check()
    opened.locator("#learn-filter-more").get_by_label("Measure the whole state").check()
    told = estimated(opened, "lynx-hare", "Kalman filter")
    assert "Error of the state (RMSE)" in told


def test_a_kept_surrogate_leads_back_to_this_page(opened: Any, studio: Running) -> None:
    prior = {"name": "rho", "kind": "uniform", "low": 20.0, "high": 24.0, "middle": 22.0, "width": 1.0}
    job = studio.post("/api/v1/pipelines/simulation.surrogate", model="lorenz63", free=[prior], runs=20, times=5, until=0.5, kind="Network")["id"]
    output = studio.wait(job)["outputs"][-1]
    tab(opened, "Gallery")
    opened.evaluate("(id) => window.seisei.use('/api/v1/outputs/' + id + '/restore')", output["id"] if isinstance(output, dict) else output)
    opened.wait_for_selector("#learn-steps >> visible=true")
    step(opened, "priors")
    opened.wait_for_selector("#learn-priors >> text=Rayleigh number")
    assert opened.locator("#learn-priors [data-name='prior|0|high']").input_value() == "24"


def test_many_rows_are_put_together_by_one_click(opened: Any, tmp_path: Path) -> None:
    table = tmp_path / "many.csv"
    table.write_text("day,new\n" + "".join(f"{at / 100},1\n" for at in range(2000)), encoding="utf-8")
    step(opened, "data")
    opened.locator("#learn-table [aria-label='Clear'], #learn-table [aria-label='Remove']").first.click()
    opened.locator("#learn-table input[type=file]").set_input_files(str(table))
    opened.click("#learn-fewer >> text=Put 4 rows each together")
    opened.wait_for_function("() => document.querySelector('#learn-together input').value === '4'")
