"""The gallery as a person uses it: pick some, trash, undo, empty the trash, walk with the keys, read the settings."""

from __future__ import annotations

import io
import urllib.error
import urllib.request
import zipfile
from typing import Any

import pytest

from tests.browser.driving import needs_browser, settled, tab
from tests.running import Running

pytestmark = needs_browser


@pytest.fixture(scope="module")
def made(studio: Running) -> list[str]:
    """Four outputs of one model, the newest first."""
    jobs = [studio.ask(f"Say {word}.", max_tokens=6, temperature=0.25) for word in ("one", "two", "three", "four")]
    outputs: list[str] = [output for job in jobs for output in studio.wait(job)["outputs"]]
    return outputs[::-1]


def pick(page: Any, output: str) -> Any:
    return page.locator(f"input[data-pick='{output}']")


def test_some_are_picked_trashed_brought_back_and_deleted_for_good(page: Any, studio: Running, made: list[str]) -> None:
    from playwright.sync_api import expect

    tab(page, "Gallery")
    settled(page)  # opening the tab draws the grid once more
    expect(page.locator("#gallery-grid [data-output]")).to_have_count(4)
    pick(page, made[0]).check(force=True)
    pick(page, made[2]).click(modifiers=["Shift"], force=True)
    expect(page.locator("#gallery-picked")).to_contain_text("3 picked")
    page.locator("#gallery-picked").get_by_role("button", name="Move to trash").click()
    expect(page.locator("#gallery-grid [data-output]")).to_have_count(1)
    page.locator("#seisei-told").get_by_role("button", name="Undo").click()
    expect(page.locator("#gallery-grid [data-output]")).to_have_count(4)
    page.locator(f"[data-output='{made[3]}']").focus()
    page.evaluate("document.getElementById('gallery-fresh').click()")  # as when somebody else's picture comes: what was focused stays so
    settled(page)
    page.keyboard.press("Delete")
    expect(page.locator("#gallery-grid [data-output]")).to_have_count(3)
    page.get_by_label("Shelf").click()
    page.get_by_role("option", name="Trash").click()
    expect(page.locator("#gallery-grid [data-output]")).to_have_count(1)
    page.get_by_role("button", name="Empty the trash").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("#gallery-grid")).to_contain_text("Nothing here matches")
    with pytest.raises(urllib.error.HTTPError) as gone:
        studio.get(f"/api/v1/outputs/{made[3]}")
    gone.value.close()
    assert len(list((studio.data / "outputs").rglob("*.md"))) == 3


def test_the_keys_walk_and_the_settings_are_readable(page: Any, made: list[str]) -> None:
    from playwright.sync_api import expect

    tab(page, "Gallery")
    settled(page)
    page.locator(f"[data-output='{made[0]}']").click()
    about = page.locator("#gallery-about")
    expect(about).to_contain_text("Say four.")
    expect(about.get_by_text("Temperature", exact=True)).to_be_visible()
    expect(about.get_by_text("Top-k", exact=True)).to_be_hidden()
    about.get_by_text("All of them").click()
    expect(about.get_by_text("Top-k", exact=True)).to_be_visible()
    page.locator(f"[data-output='{made[0]}']").focus()
    page.keyboard.press("ArrowRight")
    expect(about).to_contain_text("Say three.")


def test_several_are_downloaded_as_one_zip(studio: Running, made: list[str]) -> None:
    with urllib.request.urlopen(f"{studio.url}/api/v1/outputs/zip?ids={made[0]},{made[1]}", timeout=60) as answer:
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    assert len(archive.namelist()) == 2 and archive.testzip() is None
    with pytest.raises(urllib.error.HTTPError) as told:
        studio.get("/api/v1/outputs/zip?ids=nothing")
    told.value.close()
    for path, body in (("/api/v1/outputs/burn", {"ids": made[:1]}), ("/api/v1/outputs/trash", {"ids": "all"})):
        with pytest.raises(urllib.error.HTTPError) as told:
            studio.post(path, **body)
        assert told.value.code in (404, 422)
        told.value.close()


def test_its_settings_go_back_to_their_tab_and_a_dropped_file_too(page: Any, studio: Running, made: list[str]) -> None:
    from playwright.sync_api import expect

    tab(page, "Gallery")
    settled(page)
    page.locator(f"[data-output='{made[0]}']").click()
    page.get_by_role("button", name="Use its settings").locator("visible=true").first.click()
    expect(page.locator("#chat-view")).to_contain_text("Say four.")
    expect(page.locator("#seisei-told")).to_contain_text("in their tab again")
    file = next(path for path in (studio.data / "outputs").rglob("*.md") if "three" in path.read_text())
    page.evaluate(
        """([name, text]) => { const data = new DataTransfer(); data.items.add(new File([text], name));
        document.getElementById('seisei-head').dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: data })); }""",
        [file.name, file.read_text()],
    )
    expect(page.locator("#chat-view")).to_contain_text("Say three.")
