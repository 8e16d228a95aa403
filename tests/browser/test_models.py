"""The Models tab as a person uses it: load, unload, delete with undo, an old studio brought in, addresses that are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.driving import eventually, needs_browser, open_page, settled, tab
from tests.running import MODEL, Running
from tests.test_download import weights
from tests.test_oldstudio import webui

pytestmark = needs_browser


@pytest.fixture(scope="module")
def page(chrome: Any, studio: Running) -> Iterator[Any]:
    """One for the whole file, as a person keeps it open."""
    page = open_page(chrome, studio.url)
    yield page
    assert page.problems == []
    page.context.close()


def card(page: Any, key: str) -> Any:
    return page.locator("#models-list .studio-card", has=page.locator(f"[data-key='{key}']"))


def test_a_model_is_loaded_and_unloaded(page: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    tab(page, "Models")
    card(page, MODEL).get_by_role("button", name="Load", exact=True).click()
    expect(card(page, MODEL)).to_contain_text("loaded")
    expect(page.locator("#models-memory")).to_contain_text(MODEL)
    assert studio.get("/api/v1/status")["worker"]["used_bytes"] > 50e6
    card(page, MODEL).get_by_role("button", name="Unload").click()
    expect(page.locator("#models-memory")).to_contain_text("No model loaded")


def test_a_model_goes_to_the_trash_and_comes_back(page: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    path = studio.data / "models" / "lora" / "mine.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(weights(10))
    tab(page, "Models")
    page.get_by_role("button", name="Look again").click()
    settled(page)
    card(page, "lora/mine").get_by_role("button", name="Delete").click()
    expect(card(page, "lora/mine")).to_have_count(0)
    assert not path.exists()
    page.get_by_role("button", name="Undo delete").locator("visible=true").click()
    expect(card(page, "lora/mine")).to_have_count(1)
    assert path.read_bytes() == weights(10)


def test_a_pickle_is_converted_after_a_word_of_warning(page: Any, studio: Running) -> None:
    import torch
    from playwright.sync_api import expect

    path = studio.data / "models" / "lora" / "old.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"lora_unet_down.lora_up.weight": torch.ones(4, 4)}, path)
    tab(page, "Models")
    page.get_by_role("button", name="Look again").click()
    expect(card(page, "lora/old")).to_contain_text("pickle")
    settled(page)
    card(page, "lora/old").get_by_role("button", name="Convert …").click()
    expect(page.get_by_text("such a file can hold programs").locator("visible=true")).to_be_visible(timeout=45_000)
    assert not path.with_suffix(".safetensors").exists()
    page.get_by_role("button", name="Convert it").click()
    expect(page.locator("#models-downloads")).to_contain_text("old.pt")
    assert eventually(page, path.with_suffix(".safetensors").exists), "it was not converted"
    page.get_by_role("button", name="Look again").click()
    expect(card(page, "lora/old")).not_to_contain_text("pickle")
    assert path.exists()


def test_an_old_studio_is_brought_in_by_its_folder(page: Any, studio: Running, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    old = webui(tmp_path / "stable-diffusion-webui")
    tab(page, "Models")
    box = page.get_by_placeholder("/home/me/stable-diffusion-webui")
    box.fill(str(tmp_path / "nowhere"))
    page.get_by_role("button", name="Look", exact=True).last.click()
    expect(page.locator("#old-found")).to_contain_text("no such folder on this computer")
    box.fill(str(old))
    page.get_by_role("button", name="Look", exact=True).last.click()
    expect(page.locator("#old-found")).to_contain_text("AUTOMATIC1111")
    page.get_by_role("button", name="Bring it here").click()
    expect(page.locator("#old-found")).to_contain_text("Here now")
    expect(page.locator("#models-list")).to_contain_text("catstyle")
    expect(page.locator("#models-list img").first).to_be_visible()
    assert any(output["kind"] == "image" for output in studio.get("/api/v1/outputs"))


def test_addresses_that_can_not_be_are_refused_in_a_sentence(page: Any) -> None:
    from playwright.sync_api import expect

    tab(page, "Models")
    box = page.get_by_placeholder("Qwen/Qwen2.5-0.5B-Instruct-GGUF")
    box.fill("https://example.org/model.safetensors")
    page.get_by_role("button", name="Look", exact=True).first.click()
    expect(page.get_by_text("The studio is offline").locator("visible=true").first).to_be_visible(timeout=45_000)
