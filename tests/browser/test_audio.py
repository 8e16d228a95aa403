"""Words to sound as a person uses it: the page without a model, an example made and heard, made longer, compared, its settings given back."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.audio_models import musicgen
from tests.browser.driving import needs_browser, settled, tab
from tests.running import Running

pytestmark = [*needs_browser, pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm`:FutureWarning")]  # of the tiny model's codec
WAIT = 120_000
EXAMPLE = "Calm piano and soft rain, slow, late at night"
PLAYER = "#music-audio-view .sound-player"
DROP = """([name, data]) => { const files = new DataTransfer(); files.items.add(new File([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], name, { type: 'audio/wav' }));
document.getElementById('seisei-head').dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: files })); }"""
LASTS = "(least) => [...document.querySelectorAll('#music-audio-view .sound-player .face')].some((face) => +face.getAttribute('aria-valuemax') > least)"


def open_audio(page: Any) -> None:
    page.set_default_timeout(WAIT)
    tab(page, "Music")
    page.locator("[role=tab][data-tab-id=audio]").first.click()
    page.wait_for_selector("#music-audio-go >> visible=true")


def prompt(page: Any) -> Any:
    return page.locator("#music-audio textarea >> visible=true").first


def made(studio: Running) -> list[dict[str, Any]]:
    return list(studio.get("/api/v1/outputs?pipeline=music.audio"))


def test_without_a_model_the_page_says_what_to_get_and_where(page: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    open_audio(page)
    shown = page.locator("#music-audio-view .sound-empty")
    expect(shown).to_contain_text("facebook/musicgen-small", timeout=WAIT)
    expect(shown).to_contain_text("not for commercial use")
    prompt(page).fill("calm piano")
    page.click("#music-audio-go")
    expect(page.locator("#music-audio-told")).to_contain_text("no audio model", timeout=WAIT)
    assert made(studio) == []
    shown.get_by_role("button").click()
    expect(page.locator("#models-list")).to_be_visible(timeout=WAIT)


def test_an_example_is_made_heard_made_longer_and_compared(page: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    musicgen(studio.data / "models" / "audio" / "tiny")
    tab(page, "Models")
    page.get_by_role("button", name="Look again").click()
    page.locator("#models-list [data-key='audio/tiny']").first.wait_for(timeout=WAIT)
    open_audio(page)
    page.locator("#music-audio-view .image-examples button").first.click()
    expect(prompt(page)).to_have_value(EXAMPLE, timeout=WAIT)
    page.get_by_label("number input for Length in seconds").locator("visible=true").fill("2")
    expect(page.locator("#music-audio-verdict")).to_contain_text("Fits: ", timeout=WAIT)
    page.click("#music-audio-go")
    page.wait_for_function(LASTS, arg=1.9)
    expect(page.locator(PLAYER)).to_have_count(1)
    expect(page.get_by_role("button", name="Use as melody").locator("visible=true")).to_have_count(0)  # this model plays no melody
    page.get_by_role("button", name="Make it longer").click()
    page.wait_for_function(LASTS, arg=3.9)
    sides = page.locator(f"{PLAYER} .sides button")
    expect(sides).to_have_count(2, timeout=WAIT)
    sides.nth(1).click()
    expect(sides.nth(1)).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("() => +document.querySelector('#music-audio-view .face').getAttribute('aria-valuemax') < 2.1")  # the one that was given
    longer, first = made(studio)
    about = [studio.get(f"/api/v1/outputs/{one['id']}")["metadata"]["params"] for one in (first, longer)]
    assert [one["mode"] for one in about] == ["New", "Continue"] and about[1]["prompt"] == EXAMPLE


def test_a_dropped_sound_brings_its_settings_back(page: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    longer = made(studio)[0]
    path = next(path for path in (studio.data / "outputs").rglob("*.wav") if longer["id"][:8] in path.name)
    open_audio(page)
    prompt(page).fill("something else")
    tab(page, "Gallery")
    page.evaluate(DROP, [path.name, base64.b64encode(path.read_bytes()).decode()])
    expect(prompt(page)).to_have_value(EXAMPLE, timeout=WAIT)
    settled(page)  # what follows the model's own change has come
    page.locator("#music-audio-fold button").first.click()
    expect(page.locator("#music-audio-fold input[role=combobox]").first).to_have_value("Continue", timeout=WAIT)
    expect(page.locator("#music-audio-sound")).to_contain_text("0:02", timeout=WAIT)


def test_a_sound_of_one_s_own_is_not_dropped(page: Any, studio: Running) -> None:
    """Once it is uploaded, something is made of it; a person who wants a new sound all the same is told."""
    from playwright.sync_api import expect

    path = next((studio.data / "outputs").rglob("*.wav"))
    open_audio(page)
    prompt(page).fill("calm piano")
    page.locator("#music-audio-fold button").first.click()
    mode = page.locator("#music-audio-fold input[role=combobox]").first
    expect(mode).to_have_value("New", timeout=WAIT)
    page.locator("#music-audio-sound input[type=file]").set_input_files(str(path))
    expect(mode).to_have_value("Continue", timeout=WAIT)
    mode.click()
    page.get_by_role("option", name="New", exact=True).click()
    page.click("#music-audio-go")
    expect(page.locator("#music-audio-fold")).to_contain_text("“New” listens to none", timeout=WAIT)
