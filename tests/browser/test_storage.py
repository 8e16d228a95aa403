"""A visitor with little room: an upload and a message are refused in a sentence on the page; a chat is given out without a file on the disk."""

from __future__ import annotations

import base64
import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser.driving import any_tab, needs_browser, open_page, say, settled
from tests.running import Running, running

pytestmark = needs_browser


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """1 MB for each visitor."""
    with running(tmp_path_factory.mktemp("storage"), "--auth", "ann:secret,bob:other", env={"SEISEI_VISITOR_STORAGE": str(1 / 1024)}) as studio:
        yield studio


def as_bob(studio: Running, path: str, data: bytes) -> Any:
    basic = base64.b64encode(b"bob:other").decode()
    with urllib.request.urlopen(urllib.request.Request(studio.url + path, data, {"authorization": f"Basic {basic}"}), timeout=60) as answer:
        return json.load(answer)


def noise(path: Path, side: int) -> Path:
    """A picture that no format makes smaller."""
    Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(path)
    return path


def test_a_visitor_is_told_that_there_is_no_room(chrome: Any, shared: Running, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    bob = open_page(chrome, shared.url, user=("bob", "other"))
    any_tab(bob, "Music")
    any_tab(bob, "Image")
    any_tab(bob, "Style")
    settled(bob)
    bob.set_input_files("#image-style-picture input[type=file]", noise(tmp_path / "large.png", 800))
    expect(bob.locator("body")).to_contain_text("GB that you may keep here are used.")
    as_bob(shared, "/api/v1/inputs", noise(tmp_path / "fills.png", 590).read_bytes())
    any_tab(bob, "Text")
    for _ in range(2):  # what little room is left may take the first answer
        say(bob, "Say hi.")
        settled(bob)
    expect(bob.locator("body")).to_contain_text("Your storage here is full")
    bob.context.close()


def test_a_chat_is_given_out_and_no_file_lies_about(chrome: Any, shared: Running) -> None:
    from playwright.sync_api import expect

    ann = open_page(chrome, shared.url, user=("ann", "secret"))
    say(ann, "Say the word otter.")
    expect(ann.locator("#chat-note")).to_contain_text("tokens/s")
    ann.get_by_role("button", name="This chat").click()
    for name, suffix in (("Export as Markdown", ".md"), ("Export as JSON", ".json"), ("Export as JSON", ".json")):
        with ann.expect_download() as coming:
            ann.get_by_role("button", name=name).click()
        assert coming.value.suggested_filename.endswith(suffix)
        assert "Say the word otter." in Path(coming.value.path()).read_text(encoding="utf-8")
    assert [path for path in (shared.data / "uploads").rglob("*") if path.suffix in (".md", ".json")] == []
    assert ann.problems == []
    ann.context.close()
