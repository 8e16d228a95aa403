"""Extensions by point and click: looked at, agreed to, at work, off, removed; a failing one is switched off and every page says so."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

from tests.browser.driving import needs_browser, new_chat, say, settled, tab
from tests.running import Running
from tests.test_plugins import make

pytestmark = needs_browser


def pack(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"{folder.name}/{path.name}")
    return target


def test_one_is_installed_used_and_removed(page: Any, studio: Running, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    code = "@hookimpl\ndef on_text_output(text):\n    return text + ' THE END'\n"
    archive = pack(make(tmp_path, "the_end", code), tmp_path / "the_end.zip")
    tab(page, "Extensions")
    page.fill("#extension-source textarea, #extension-source input", str(archive))
    page.get_by_role("button", name="Look at it first").click()
    expect(page.locator("#extension-consent")).to_contain_text("runs with all your rights")
    assert not (studio.data / "extensions").exists(), "nothing is in place before consent"
    page.get_by_role("button", name="Install it").click()
    card = page.locator("[data-extension=the_end]")
    expect(card.get_by_role("button", name="Switch off")).to_be_visible()
    tab(page, "Text")
    new_chat(page)
    say(page, "Say hi.")
    expect(page.locator("#chat-view .bot.message").last).to_contain_text("THE END")
    tab(page, "Extensions")
    settled(page)  # opening the tab draws the list anew, with its folds shut
    card.get_by_text("Time of each hook").click()
    expect(card).to_contain_text("on_text_output")
    card.get_by_role("button", name="Switch off").click()
    expect(card.get_by_role("button", name="Switch on")).to_be_visible()
    card.get_by_role("button", name="Remove").click()
    expect(card).to_have_count(0)
    assert not (studio.data / "extensions" / "the_end").exists() and list((studio.data / "trash" / "extensions").iterdir())


def test_a_failing_one_is_switched_off_and_the_page_says_so(page: Any, studio: Running, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    code = "@hookimpl\ndef on_event(job_id, event):\n    return 1 / 0\n"
    tab(page, "Extensions")
    page.fill("#extension-source textarea, #extension-source input", str(make(tmp_path, "breaker", code)))
    page.get_by_role("button", name="Look at it first").click()
    page.get_by_role("button", name="Install it").click()
    expect(page.locator("[data-extension=breaker]").get_by_role("button", name="Switch off")).to_be_visible()
    studio.wait(studio.ask("Say hi.", max_tokens=8))
    expect(page.locator("#seisei-notices")).to_contain_text("“breaker” was switched off after three errors")
    page.reload()
    tab(page, "Extensions")
    card = page.locator("[data-extension=breaker]")
    expect(card).to_contain_text("switched off after three errors")
    expect(card).to_contain_text("ZeroDivisionError")
    assert "breaker" in studio.data.joinpath("settings.toml").read_text()
    card.get_by_role("button", name="Switch on").click()
    expect(page.locator("#seisei-notices")).not_to_contain_text("breaker")
    card.get_by_role("button", name="Remove").click()
    expect(card).to_have_count(0)


def test_the_example_s_tab_makes_names(page: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    tab(page, "Name maker")
    page.get_by_role("button", name="Make names").click()
    expect(page.locator("#new-names textarea")).to_have_value(re.compile(r"\w+\n\w+\n"))
    assert studio.get("/api/v1/outputs?pipeline=hello.")[0]["metadata"]["params"]["count"] == 10


def test_an_extension_s_field_is_in_the_notebook(page: Any) -> None:
    from playwright.sync_api import expect

    tab(page, "Notebook")
    page.get_by_role("button", name="Wildcards").click()
    expect(page.get_by_label("Expand {a|b}")).to_be_checked()
