"""The Simulation tab as a person uses it: it runs when it is opened, is changed while it runs, poked, kept and handed on."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.browser.driving import eventually, needs_browser, open_page, settled, tab
from tests.running import Running

pytestmark = needs_browser

WAIT = 90_000
RUN, HERO = "#simulation-run", "#simulation-gallery"


def rests(page: Any, read: Any) -> bool:
    """Whether what is read stays the same for a second and a half."""
    before = read()
    page.wait_for_timeout(1500)
    return bool(read() == before)


def steps(page: Any, place: str = RUN) -> int:
    """As the clock tells them."""
    return int(page.evaluate("(place) => { const told = /step ([\\d,]+)/.exec(document.querySelector(place + ' .sim-clock').textContent); return told ? told[1].replaceAll(',', '') : 0; }", place))


def until(page: Any, script: str, given: Any = None) -> None:
    page.wait_for_function(script, arg=given, timeout=WAIT)


def runs(page: Any, place: str = RUN) -> None:
    """New pictures come."""
    page.locator(f"{place} canvas.sim-canvas[data-frames]").wait_for(state="attached", timeout=WAIT)
    before = int(page.get_attribute(f"{place} canvas.sim-canvas", "data-frames"))
    until(page, "([place, before]) => +document.querySelector(place + ' canvas.sim-canvas').dataset.frames > before + 3", [place, before])


def pressed(page: Any, label: str) -> None:
    page.locator(f"{RUN} .sim-bar [data-do='{label}']").click()


def opened(page: Any, model: str, **more: Any) -> None:
    """By a link."""
    wish = base64.urlsafe_b64encode(json.dumps({"model": model, "values": {}, "seed": 3} | more).encode()).decode().rstrip("=")
    page.goto(f"{page.url.partition('?')[0]}?simulation={wish}")
    until(page, "(model) => document.querySelector('#simulation-run .sim-model')?.value === model", model)
    runs(page)


def picture(page: Any) -> str:
    return str(page.evaluate(f"() => document.querySelector('{RUN} canvas.sim-canvas').toDataURL()"))


def test_it_runs_when_the_tab_is_opened_and_not_before(page: Any, studio: Running) -> None:
    page.wait_for_timeout(500)
    assert not [job for job in studio.get("/api/v1/jobs") if job["pipeline"] == "simulation.live"]
    tab(page, "Simulation")
    runs(page, HERO)
    page.locator(f"{HERO} .sim-card").nth(1).wait_for()
    page.locator(f"{HERO} .sim-legend button").nth(1).wait_for()
    tab(page, "Text")
    until(page, "() => fetch('/api/v1/simulation/live').then((answer) => answer.json()).then((told) => !!told.job)")
    paused = studio.get("/api/v1/simulation/live")["job"]
    assert eventually(page, lambda: rests(page, lambda: frames_of(studio, paused))), "it goes on though nobody sees it"
    tab(page, "Simulation")
    runs(page, HERO)


def frames_of(studio: Running, job: str) -> float:
    """When the newest frame was written."""
    return (studio.data / "spool" / job / "frame.bin").stat().st_mtime


def test_a_card_opens_its_model_and_search_finds_it(page: Any) -> None:
    tab(page, "Simulation")
    page.locator(f"{HERO} .sim-card").first.wait_for(timeout=WAIT)
    page.fill(f"{HERO} input[type=search]", "butterfly weather lorenz chaos")
    page.locator(f"{HERO} .studio-empty").wait_for(timeout=WAIT)
    page.fill(f"{HERO} input[type=search]", "lorenz 1963")
    until(page, "() => [...document.querySelectorAll('#simulation-gallery .sim-card')].filter((card) => !card.hidden).length === 1")
    page.locator(f"{HERO} .sim-card >> visible=true").click()
    until(page, "() => document.querySelector('#simulation-run .sim-model')?.value === 'lorenz63'")
    runs(page)
    assert page.locator(f"{RUN} .sim-form .sim-field >> visible=true").count() <= 4


def test_pause_step_reset_by_mouse_and_keyboard(page: Any) -> None:
    opened(page, "lorenz63")
    pressed(page, "Pause")
    page.locator(f"{RUN} .sim-still >> visible=true").wait_for(timeout=WAIT)
    assert eventually(page, lambda: rests(page, lambda: steps(page))), "it goes on though it was paused"
    before = steps(page)
    pressed(page, "Step")
    until(page, "(wanted) => document.querySelector('#simulation-run .sim-clock').textContent.includes('step ' + wanted.toLocaleString('en'))", before + 1)
    page.locator(f"{RUN} .sim-picture").focus()
    page.keyboard.press("ArrowRight")
    until(page, "(wanted) => document.querySelector('#simulation-run .sim-clock').textContent.includes('step ' + wanted.toLocaleString('en'))", before + 2)
    page.keyboard.press("Space")
    page.locator(f"{RUN} .sim-bar [data-do='Pause']").wait_for(timeout=WAIT)
    until(page, "(before) => +/step ([\\d,]+)/.exec(document.querySelector('#simulation-run .sim-clock').textContent)[1].replaceAll(',', '') > before + 50", before)
    pressed(page, "Pause")
    assert eventually(page, lambda: rests(page, lambda: steps(page)))
    page.evaluate("""() => { window.least = Infinity; const clock = document.querySelector('#simulation-run .sim-clock');
    new MutationObserver(() => { const told = /step ([\\d,]+)/.exec(clock.textContent); if (told) window.least = Math.min(window.least, +told[1].replaceAll(',', '')); }).observe(clock, { childList: true, characterData: true, subtree: true }); }""")
    now = steps(page)
    pressed(page, "Reset")
    until(page, "(now) => window.least < now", now)


def test_a_slider_acts_while_it_runs_and_another_waits_for_reset(page: Any) -> None:
    opened(page, "lorenz63")
    page.fill("#sim-field-rho", "0.5")
    page.keyboard.press("Tab")
    until(page, "() => Math.abs(+document.querySelectorAll('#simulation-run .sim-legend b')[2].textContent) < 0.2")  # too little heat: all dies
    page.locator(f"{RUN} .sim-advanced summary").click()
    page.fill("#sim-field-x0", "9")
    page.keyboard.press("Tab")
    page.locator(f"{RUN} [data-field=x0] .sim-note >> visible=true").wait_for(timeout=WAIT)
    page.locator(f"{RUN} [data-field=x0] .sim-note", has_text="Reset").wait_for(timeout=WAIT)
    pressed(page, "Reset")
    page.locator(f"{RUN} [data-field=x0] .sim-note").wait_for(state="hidden", timeout=WAIT)
    page.fill("#sim-field-rho", "999")
    page.keyboard.press("Tab")
    until(page, "() => document.querySelector('#simulation-run [data-field=rho] .sim-note').textContent.includes('at most 350')")


def test_the_speed_is_told_wherever_it_is_set(page: Any) -> None:
    opened(page, "lorenz63")
    page.locator(f"{RUN} .sim-speed input").focus()
    page.keyboard.press("ArrowRight")
    page.locator(f"{RUN} .sim-speed output", has_text="2×").wait_for()
    page.locator("#simulation-modes [role=tab][data-tab-id=gallery] >> visible=true").first.click()
    page.locator(f"{HERO} .sim-speed output", has_text="2×").wait_for()
    assert page.input_value(f"{HERO} .sim-speed input") == "1"


REPLACED = """() => { const real = window.fetch; let begun = false; window.resumed = 0;
  const rest = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  window.fetch = async (address, options) => {
    if (String(address).endsWith('/resume')) window.resumed++;
    if (String(address).endsWith('/simulation/live') && options?.method === 'POST') { begun = true; const answer = await real(address, options); await rest(500); return answer; }
    if (begun || !String(address).includes('?after=')) return real(address, options);
    while (!begun) await rest(10);
    return new Response(JSON.stringify({ message: 'It has ended.', checkpoint: {} }), { status: 410 });
  }; }"""


def test_a_view_that_another_replaces_is_not_brought_back(page: Any) -> None:
    """Its end is told while the other one is being started."""
    tab(page, "Simulation")
    runs(page, HERO)
    page.locator("#simulation-modes [role=tab][data-tab-id=run] >> visible=true").first.click()
    page.evaluate(REPLACED)
    page.select_option(f"{RUN} .sim-model", "lorenz63")
    until(page, "() => document.querySelector('#sim-field-rho')")
    runs(page)
    assert page.evaluate("() => window.resumed") == 0 and page.input_value(f"{RUN} .sim-model") == "lorenz63"


def test_a_view_that_goes_on_after_a_reload_is_shown_as_it_is_now_even_while_it_is_paused(page: Any) -> None:
    """Values and speed that were changed on the way, not those it began with; and on the page where it was not seen before."""
    tab(page, "Simulation")
    runs(page, HERO)
    page.locator("#simulation-modes [role=tab][data-tab-id=run] >> visible=true").first.click()
    page.select_option(f"{RUN} .sim-model", "lorenz63")
    page.fill("#sim-field-rho", "24")
    page.keyboard.press("Tab")
    page.locator(f"{RUN} .sim-speed input").focus()
    page.keyboard.press("ArrowRight")
    runs(page)
    pressed(page, "Pause")
    page.locator(f"{RUN} .sim-still >> visible=true").wait_for()
    assert eventually(page, lambda: rests(page, lambda: steps(page)))
    before, speed = steps(page), page.locator(f"{RUN} .sim-speed output").text_content()
    assert page.input_value("#sim-field-rho") == "24"
    page.reload()
    tab(page, "Simulation")
    page.locator(f"{HERO} .sim-still >> visible=true").wait_for()
    page.locator("#simulation-modes [role=tab][data-tab-id=run] >> visible=true").first.click()
    page.locator(f"{RUN} .sim-bar [data-do='Run']").wait_for()
    assert steps(page) == before and page.input_value("#sim-field-rho") == "24"
    assert page.locator(f"{RUN} .sim-speed output").text_content() == speed != "1×" and not page.locator(f"{RUN} .sim-wait").is_visible()
    page.fill("#sim-field-rho", "")
    page.keyboard.press("Tab")
    assert page.input_value("#sim-field-rho") == "24"  # emptied, it stays what it was


def test_a_preset_is_a_click_and_stands_in_the_form(page: Any) -> None:
    opened(page, "lorenz63")
    page.locator(f"{RUN} [data-preset='Rest']").click()
    until(page, "() => document.querySelector('#sim-field-rho').value === '0.5' && document.querySelector('#simulation-run [data-preset=Rest]').ariaPressed === 'true'")
    runs(page)


def test_a_click_in_the_picture_pokes_it(page: Any) -> None:
    opened(page, "gray_scott")
    pressed(page, "Pause")
    page.locator(f"{RUN} .sim-still >> visible=true").wait_for(timeout=WAIT)
    assert eventually(page, lambda: rests(page, lambda: picture(page))), "it goes on though it was paused"
    before = picture(page)
    page.locator(f"{RUN} canvas.sim-canvas").click(position={"x": 40, "y": 40})
    page.wait_for_function(f"(before) => document.querySelector('{RUN} canvas.sim-canvas').toDataURL() !== before", arg=before, timeout=WAIT)


def test_a_link_opens_the_model_with_its_values_and_is_copied(page: Any) -> None:
    opened(page, "lorenz63", values={"rho": 160.0})
    until(page, "() => document.querySelector('#sim-field-rho').value === '160' && document.querySelector('#sim-seed').value === '3'")
    page.locator(f"{RUN} [data-do='Copy link']").click()
    page.locator(f"{RUN} .sim-made[data-link]").wait_for(state="attached")
    link = page.get_attribute(f"{RUN} .sim-made", "data-link")
    told = json.loads(base64.urlsafe_b64decode(link.partition("simulation=")[2] + "=="))
    assert told["model"] == "lorenz63" and told["values"]["rho"] == 160 and told["seed"] == 3


PLAYED = """(address) => new Promise((done) => { const film = Object.assign(document.createElement('video'), { muted: true, src: address });
  film.onerror = () => done(''); film.onended = () => done(film.duration > 0.3 && film.videoWidth > 100); film.play(); })"""


def test_a_run_is_kept_recorded_and_restored(page: Any, studio: Running) -> None:
    opened(page, "lorenz63", values={"rho": 24.0})
    until(page, "() => +/step ([\\d,]+)/.exec(document.querySelector('#simulation-run .sim-clock').textContent)?.[1].replaceAll(',', '') > 20")
    page.select_option(f"{RUN} select[aria-label='Kind of recording']", "MP4")
    page.locator(f"{RUN} [data-do='Record pictures']").click()
    link = page.locator(f"{RUN} .sim-made a", has_text="Moving picture")
    link.wait_for(timeout=WAIT)
    assert page.evaluate(PLAYED, link.get_attribute("href"))
    page.locator(f"{RUN} [data-do='Keep this run']").click()
    page.locator(f"{RUN} .sim-made a", has_text="Table").wait_for(timeout=WAIT)
    page.locator(f"{RUN} .sim-made a").nth(1).wait_for()
    found = studio.get("/api/v1/outputs?pipeline=simulation.")
    assert sorted(output["kind"] for output in found) == ["image", "table", "video"]
    page.select_option(f"{RUN} .sim-model", "gray_scott")
    until(page, "() => document.querySelector('#sim-field-rho') === null")
    assert page.locator(f"{RUN} .sim-made").text_content() == ""  # what was kept of another model
    page.evaluate("(id) => window.seisei.use('/api/v1/outputs/' + id + '/restore')", next(output["id"] for output in found if output["kind"] == "table"))
    until(page, "() => document.querySelector('#simulation-run .sim-model').value === 'lorenz63' && document.querySelector('#sim-field-rho')?.value === '24'")


def test_on_a_phone_all_is_there_and_nothing_sticks_out(chrome: Any, studio: Running) -> None:
    page = open_page(chrome, studio.url, width=390)
    opened(page, "lorenz63")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    settled(page)
    assert page.locator(f"{RUN} .sim-go").is_visible() and page.locator(f"{RUN} .sim-side").is_visible()
    assert page.locator(f"{RUN} .sim-main").bounding_box()["y"] < page.locator(f"{RUN} .sim-side").bounding_box()["y"]
    page.locator("#simulation-modes [role=tab][data-tab-id=gallery] >> visible=true").first.click()
    page.locator(f"{HERO} .sim-card").first.wait_for(timeout=WAIT)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth") and page.problems == []
