"""The page as a person uses it, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.driving import WRITING, choose_model, needs_browser, new_chat, open_page, say, settled, tab
from tests.browser.storyteller import by_storyteller, storyteller
from tests.running import MODEL, Running, running

pytestmark = needs_browser


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With the storyteller beside the model that comes along: its answers do not end before Stop is pressed."""
    with storyteller() as teller, running(tmp_path_factory.mktemp("page"), env={"SEISEI_REMOTE_URL": teller.url}) as studio:
        yield studio


def test_chat_stop_regenerate_reload_and_gallery(page: Any) -> None:
    from playwright.sync_api import expect

    by_storyteller(page)
    new_chat(page)
    say(page, "Write a long story about a lighthouse cat.")
    expect(page.locator("#chat-view .bot.message").last).to_contain_text(WRITING)
    page.get_by_role("button", name="Stop", exact=True).first.dispatch_event("click")  # at once: a click waits until the page rests
    expect(page.locator("#chat-note")).to_contain_text("Stopped")
    page.get_by_role("button", name="Regenerate").click()
    expect(page.locator("#chat-note")).to_contain_text("tokens/s")
    expect(page.locator("#chat-note")).to_contain_text("Version 2 of 2")
    expect(page.locator("#seisei-line")).to_contain_text("Ready")
    page.reload()
    expect(page.locator("#chat-view")).to_contain_text("lighthouse cat")
    tab(page, "Gallery")
    page.locator("[data-output]").first.click()
    expect(page.locator("#gallery-large")).to_contain_text("Download")


def test_a_slow_press_of_stop_in_the_status_line_counts_though_the_line_is_drawn_anew(page: Any) -> None:
    from playwright.sync_api import expect

    by_storyteller(page)
    new_chat(page)
    say(page, "Write a very long story about a patient snail.")
    page.locator("#seisei-line").get_by_role("button", name="Stop").hover()
    page.mouse.down()
    page.wait_for_timeout(2_500)
    page.mouse.up()
    expect(page.locator("#chat-note")).to_contain_text("Stopped")


def test_stop_pressed_at_once_ends_what_was_just_asked_on_a_page_that_is_still_loading(chrome: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    before = open_page(chrome, studio.url)
    by_storyteller(before)
    say(before, "Say hi.")  # whoever comes back has the model that was asked last
    expect(before.locator("#chat-note")).to_contain_text("tokens/s")
    before.context.close()
    for _ in range(3):
        page = open_page(chrome, studio.url, ready=False)
        say(page, "Write a very long story about an impatient turtle.")
        page.locator("#chat-go").get_by_role("button", name="Stop").click()
        expect(page.locator("#chat-note")).to_contain_text("Stopped")
        expect(page.locator("#seisei-line")).to_contain_text("Ready")
        expect(page.locator("#chat-view")).to_contain_text("impatient turtle")
        page.context.close()


def test_text_in_a_language_the_model_lacks_is_noticed_before_sending(page: Any) -> None:
    from playwright.sync_api import expect

    choose_model(page, MODEL)
    new_chat(page)
    say(page, "日本語で自己紹介してください。")
    expect(page.locator("#chat-warning")).to_contain_text("Japanese")
    expect(page.get_by_role("button", name="Send anyway")).to_be_visible()
    assert page.input_value("#chat-input textarea").startswith("日本語")


def test_the_page_speaks_japanese(page: Any) -> None:
    from playwright.sync_api import expect

    page.click("#seisei-lang")
    expect(page.get_by_role("button", name="送信")).to_be_visible(timeout=45_000)
    expect(page.get_by_role("tab", name="ギャラリー")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "ja"


def test_nothing_is_wider_than_the_screen_in_either_look(page: Any) -> None:
    for dark in (False, True):
        if page.evaluate("document.body.classList.contains('dark')") != dark:
            page.click("#seisei-dark")
        page.wait_for_function("(dark) => document.body.classList.contains('dark') === dark", arg=dark)
        for width in (390, 768, 1440):
            page.set_viewport_size({"width": width, "height": 844})
            settled(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (width, dark)
            page.locator(".primary-action >> visible=true").first.wait_for()


def test_the_queue_stays_in_reach_of_a_phone_beside_stop_and_try_again(page: Any) -> None:
    def busy(route: Any) -> None:
        status = route.fetch().json()
        job = {"id": "a", "title": "Chat", "state": "running", "mine": True, "note": "", "step": 0, "total": 0, "eta_seconds": 0, "position": 0}
        route.fulfill(json=status | {"provision": [{"title": "Starter model", "state": "failed", "note": "no connection", "fraction": 0}], "jobs": [job]})

    page.set_viewport_size({"width": 390, "height": 844})
    page.route("**/api/v1/status", busy)
    page.wait_for_function("() => document.querySelectorAll('#seisei-line button').length === 3")
    assert page.locator("#seisei-line button").last.evaluate("(button) => button.getBoundingClientRect().right") <= 390
    page.unroute_all(behavior="ignoreErrors")


def test_no_label_lies_over_the_button_that_saves_the_settings(page: Any) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    tab(page, "Settings")
    button = page.get_by_role("button", name="Save settings")
    button.wait_for()
    covered = """(button) => { const { left, top, height } = button.getBoundingClientRect(); const points = [...Array(Math.floor(height / 2)).keys()].map((i) => top + 1 + 2 * i);
        return points.filter((y) => !button.contains(document.elementFromPoint(left + 60, y))).length; }"""
    for down in range(0, 240, 24):  # labels pass beneath it
        page.evaluate("(y) => window.scrollTo(0, y)", down)
        assert button.evaluate(covered) == 0, down


def test_every_tab_opens_and_the_keyboard_switches_them(page: Any) -> None:
    from playwright.sync_api import expect

    for name, sign in (("Gallery", "Search"), ("Models", "SmolLM2"), ("Extensions", "OpenAI-compatible API"), ("Settings", "Save settings")):
        tab(page, name)
        expect(page.get_by_text(sign).locator("visible=true").first).to_be_visible(timeout=45_000)
    places = page.locator("#seisei-tabs > .tab-wrapper [role=tab]").evaluate_all("(tabs) => tabs.map((tab) => tab.dataset.tabId)")
    settled(page)
    page.keyboard.press(f"Alt+{places.index('gallery') + 1}")
    page.keyboard.press("/")
    page.wait_for_function("() => document.activeElement.closest('.search-action') !== null")  # the search of the open tab
    page.keyboard.press("Alt+1")
    expect(page.locator("#chat-input")).to_be_visible(timeout=45_000)
    page.locator("#seisei-help").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Switch tab")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_text_file_dropped_on_a_text_goes_in_at_the_cursor(page: Any) -> None:
    from playwright.sync_api import expect

    page.fill("#chat-input textarea", "Read this: ")
    page.evaluate(
        """() => { const data = new DataTransfer(); data.items.add(new File(['the boat sails'], 'note.txt', { type: 'text/plain' }));
        document.querySelector('#chat-input textarea').dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: data })); }"""
    )
    expect(page.locator("#chat-input textarea")).to_have_value("Read this: the boat sails")


def test_the_notebook_goes_on_at_the_cursor(page: Any) -> None:
    from playwright.sync_api import expect

    tab(page, "Notebook")
    settled(page)
    page.get_by_label("Model", exact=True).locator("visible=true").first.click()
    page.get_by_role("option", name=MODEL).locator("visible=true").first.click()
    box = page.locator("#notebook-text textarea")
    box.fill("Once upon a time THE END")
    box.evaluate("(box) => { box.focus(); box.setSelectionRange(16, 16); }")
    page.get_by_role("button", name="Generate").click()
    page.wait_for_function("() => document.querySelector('#notebook-text textarea').value.length > 'Once upon a time THE END'.length")
    page.locator("button.stop-action >> visible=true").click()
    page.wait_for_selector("#seisei-line >> text=Ready")
    assert box.input_value().startswith("Once upon a time") and box.input_value().endswith(" THE END")
    page.get_by_role("button", name="Undo", exact=True).locator("visible=true").first.click()
    expect(box).to_have_value("Once upon a time THE END")


def test_a_refused_setting_is_told_beside_its_field_and_nothing_is_saved(page: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    tab(page, "Settings")
    page.get_by_label("Port", exact=True).fill("99999999")
    page.get_by_role("button", name="Save settings").click()
    expect(page.locator(".studio-faulty")).to_contain_text("Port must be at most 65535")
    assert not (studio.data / "settings.toml").exists()
    page.fill("#settings-search textarea", "memory")
    expect(page.get_by_label("Memory limit (GB)")).to_be_visible()
    expect(page.get_by_label("Port", exact=True)).to_be_hidden(timeout=45_000)
    page.fill("#settings-search textarea", "no such thing")
    expect(page.get_by_text("No setting is called that.", exact=True)).to_be_visible(timeout=45_000)
