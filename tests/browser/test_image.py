"""The Image tab as a person uses it: from the first click to a sheet, a mask, a style, a grid, an enlarged picture."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from tests.browser.driving import needs_browser, open_page, tab
from tests.running import Running, running

pytestmark = needs_browser
WAIT = 60_000


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With a LoRA and an embedding, of which the page needs only names, a picture and trigger words."""
    data = tmp_path_factory.mktemp("image")
    for kind, name, tensors in (("lora", "ink", {"lora_unet_x.lora_down.weight": np.zeros((4, 8), np.float32)}), ("embeddings", "soft", {"emb_params": np.zeros((2, 8), np.float32)})):
        path = data / "models" / kind / f"{name}.safetensors"
        path.parent.mkdir(parents=True)
        save_file(tensors, path)
    (data / "models" / "lora" / "ink.json").write_text(json.dumps({"activation text": "ink wash, paper"}))
    Image.new("RGB", (64, 64), "teal").save(data / "models" / "lora" / "ink.preview.png")
    (data / "wildcards").mkdir()
    (data / "wildcards" / "colours.txt").write_text("red\nblue\n")
    with running(data) as studio:
        yield studio


@pytest.fixture(scope="module")
def opened(chrome: Any, studio: Running) -> Iterator[Any]:
    """One page for the whole file, as a person keeps it open."""
    page = open_page(chrome, studio.url)
    page.set_default_timeout(WAIT)
    tab(page, "Image")
    page.wait_for_selector("#image-view .image-stage")
    yield page
    assert page.problems == []
    page.context.close()


def newest(studio: Running, count: int = 1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = studio.get(f"/api/v1/outputs?kind=image&limit={count}")
    return found


def drawn(page: Any, studio: Running, act: Any, *, more: int = 1) -> dict[str, Any]:
    """Do it, wait for the end and for so many new pictures; the newest."""
    before = {output["id"] for output in newest(studio, 200)}
    act()
    deadline = time.monotonic() + 4 * WAIT / 1000
    while len([output for output in newest(studio, 200) if output["id"] not in before]) < more or studio.get("/api/v1/jobs"):
        told = page.locator("#image-problem").inner_text() if page.locator("#image-problem").is_visible() else ""
        assert not told and time.monotonic() < deadline, told or "no picture came"
        time.sleep(0.2)
    page.wait_for_selector("#image-actions >> visible=true")
    return newest(studio)[0]


def prompt(page: Any) -> Any:
    return page.locator("#image-prompt textarea")


def generate(page: Any) -> Any:
    return lambda: page.click("#image-foot .primary-action")


def test_one_click_gives_the_first_picture_enlarged_and_nine_more_fill_a_sheet(opened: Any, studio: Running) -> None:
    assert prompt(opened).input_value() == "a red heart"
    first = drawn(opened, studio, lambda: opened.locator("[data-example]").nth(1).click())
    params, facts = first["metadata"]["params"], first["metadata"]["facts"]
    assert prompt(opened).input_value() == params["prompt"] == "a panda on a yellow background" and facts["width"] == 4 * params["width"]
    opened.locator("#image-advanced > button").click()
    steps = opened.get_by_label("number input for Steps").first
    opened.wait_for_function("() => document.querySelector('[aria-label=\"number input for Steps\"]')?.value === '20'")
    steps.fill("3")
    opened.locator("#image-advanced .label-wrap", has_text="Enlarge").click()
    opened.get_by_label("number input for Enlarge").first.fill("1")
    opened.keyboard.press("Tab")
    assert steps.input_value() == "3", "what was typed stays"
    opened.locator("#image-advanced > button").click()
    last = drawn(opened, studio, lambda: opened.click("#image-nine"), more=9)
    assert last["metadata"]["params"]["steps"] == 3 and opened.locator("#image-view .image-sheet img").count() == 9
    opened.locator("#image-view button[data-output]").nth(4).click()
    assert opened.locator("#image-view .image-sheet[data-large]").count() == 1
    opened.keyboard.press("Escape")


def test_stop_ends_a_long_sheet(opened: Any, studio: Running) -> None:
    opened.get_by_label("Pictures", exact=True).first.fill("60")
    opened.keyboard.press("Enter")
    generate(opened)()
    opened.wait_for_selector("#image-view [aria-busy]")
    opened.click("#image-foot .stop-action")
    opened.wait_for_function("() => document.querySelector('#image-view').innerText.includes('Stopped')")
    assert studio.get("/api/v1/jobs") == []
    opened.get_by_label("Pictures", exact=True).first.fill("1")
    opened.keyboard.press("Enter")


def test_a_card_puts_its_network_in_and_takes_it_out(opened: Any) -> None:
    prompt(opened).fill("a cat at night")
    opened.click("#image-cards-fold > button")
    card = opened.locator(".card[data-key='lora/ink']")
    card.wait_for()
    assert card.locator("img").evaluate("(img) => img.decode().then(() => img.naturalWidth)") == 64
    prompt(opened).evaluate("(box) => { box.focus(); box.setSelectionRange(5, 5); }")
    card.click()
    assert prompt(opened).input_value() == "a cat <lora:ink:1> ink wash, paper at night" and card.get_attribute("aria-pressed") == "true"
    opened.locator(".card[data-key='embeddings/soft']").click()
    assert "soft" in prompt(opened).input_value()
    opened.fill("#image-cards input[type=search]", "paper")
    assert opened.locator("#image-cards .card:visible").count() == 1
    card.click()
    assert "<lora" not in prompt(opened).input_value() and "ink wash" not in prompt(opened).input_value() and card.get_attribute("aria-pressed") == "false"
    opened.fill("#image-cards input[type=search]", "")
    opened.click("#image-cards-fold > button")


def test_names_are_suggested_while_one_writes_and_the_keys_choose_and_weigh(opened: Any) -> None:
    box = prompt(opened)
    box.fill("")
    box.press_sequentially("a fox <lo")
    opened.locator("#image-suggestions li[role=option]").first.wait_for()
    assert box.get_attribute("aria-activedescendant") == "image-suggestion-0"
    box.press("Enter")
    assert box.input_value() == "a fox <lora:ink:1> ink wash, paper"
    box.fill("")
    box.press_sequentially("__co")
    opened.locator("#image-suggestions li").first.wait_for()
    box.press("Escape")
    assert opened.locator("#image-suggestions").count() == 0 and box.input_value() == "__co"
    box.press_sequentially("l")
    opened.locator("#image-suggestions li").first.wait_for()
    box.press("Tab")
    assert box.input_value() == "__colours__"
    box.fill("a red cat")
    box.evaluate("(box) => box.setSelectionRange(2, 5)")
    for key, text in (("ArrowUp", "a (red:1.1) cat"), ("ArrowUp", "a (red:1.2) cat"), ("ArrowDown", "a (red:1.1) cat"), ("ArrowDown", "a red cat"), ("ArrowDown", "a (red:0.9) cat")):
        box.press(f"Control+{key}")
        assert box.input_value() == text
    box.fill("a (red cat")
    opened.locator("#image-told [data-place]").click()
    assert box.evaluate("(box) => [box.selectionStart, box.selectionEnd]") == [2, 3]


def test_a_style_is_saved_joined_kept_and_deleted_with_a_way_back(opened: Any, studio: Running) -> None:
    prompt(opened).fill("glossy")
    opened.click("#image-styles > button")
    opened.get_by_role("button", name="Save the prompt as a style").click()
    opened.locator("#image-style-name :is(input, textarea)").fill("Gloss")
    opened.get_by_role("button", name="Save style").click()
    opened.locator("#image-style-choice").get_by_text("Gloss").first.wait_for()
    prompt(opened).fill("a dog")
    made = drawn(opened, studio, generate(opened))
    assert made["metadata"]["params"].get("prompt") == "a dog, glossy" and made["metadata"]["extras"]["styles"]["styles"][0]["name"] == "Gloss"
    opened.locator("#image-styles").get_by_role("button", name="Change").click()
    opened.locator("#image-styles").get_by_role("button", name="Delete").click()
    opened.locator("#image-styles").get_by_role("button", name="Undo").click()
    opened.locator("#image-styles").get_by_role("button", name="Undo").wait_for(state="hidden")
    opened.click("#image-styles > button")
    opened.click("#image-earlier-open")
    opened.locator("#image-earlier [data-prompt='a panda on a yellow background']").click()
    opened.wait_for_function("() => document.querySelector('#image-prompt textarea').value.startsWith('a panda')")
    opened.click("#image-back")
    opened.wait_for_function("() => document.querySelector('#image-prompt textarea').value === 'a dog'")
    opened.click("#image-earlier-open")


def test_a_mask_that_is_painted_changes_that_part_only(opened: Any, studio: Running) -> None:
    before = newest(studio)[0]
    opened.get_by_role("button", name="Begin from it").click()
    canvas = opened.locator("#image-editor canvas").first
    canvas.wait_for()
    opened.wait_for_timeout(1500)
    canvas.scroll_into_view_if_needed()
    opened.mouse.wheel(0, 200)
    opened.wait_for_timeout(300)
    where = canvas.bounding_box()
    opened.mouse.move(where["x"] + where["width"] / 2, where["y"] + where["height"] / 2)
    opened.mouse.down()
    opened.mouse.move(where["x"] + where["width"] / 2 + 6, where["y"] + where["height"] / 2, steps=3)
    opened.mouse.up()
    opened.wait_for_timeout(800)
    made = drawn(opened, studio, generate(opened))
    params = made["metadata"]["params"]
    assert params["image"] and params["mask"]
    with Image.open(studio.data / "inputs" / params["mask"]) as painted:
        inside = np.asarray(painted.convert("L").resize((64, 64))) > 128
    old, new = (pixels(next((studio.data / "outputs").rglob(f"*{output['id'][:8]}.png"))) for output in (before, made))
    moved = np.abs(old - new).mean(-1)
    corners = max(moved[rows, columns].max() for rows in (slice(3), slice(-3, None)) for columns in (slice(3), slice(-3, None)))
    assert moved[inside].mean() > 3 and corners < 6 and not inside.all(), (moved[inside].mean(), corners)


def pixels(file: Path) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB").resize((64, 64)), float)


def test_a_picture_is_starred_compared_trashed_and_brought_back(opened: Any, studio: Running) -> None:
    chosen = newest(studio)[0]["id"]
    opened.click("#image-star")
    opened.wait_for_function("() => document.querySelector('#image-star').innerText === '★'")
    assert studio.get(f"/api/v1/outputs/{chosen}")["favourite"]
    opened.click("#image-compare")
    opened.locator("dialog .image-compare input").wait_for()
    opened.locator("dialog .image-compare input").fill("20")
    assert opened.locator("dialog .image-compare").evaluate("(box) => box.style.getPropertyValue('--at')") == "20%"
    opened.keyboard.press("Escape")
    opened.click("#image-trash")
    opened.locator("#seisei-told").get_by_role("button", name="Undo").wait_for()
    assert newest(studio)[0]["id"] != chosen
    opened.locator("#seisei-told").get_by_role("button", name="Undo").click()
    opened.wait_for_selector(f"#image-view button[data-output='{chosen}'] >> visible=true")
    assert newest(studio)[0]["id"] == chosen


def test_a_picture_is_enlarged_and_shown_beside_what_it_was(opened: Any, studio: Running) -> None:
    opened.locator("#image-actions").get_by_role("button", name="Enlarge").click()
    opened.locator("#image-upscale-picture img").wait_for()
    opened.click("#image-upscale-go")
    opened.locator("#image-upscale-view .image-compare").wait_for(timeout=4 * WAIT)
    sizes = opened.locator("#image-upscale-view .image-compare img").evaluate_all("(all) => Promise.all(all.map((img) => img.decode().then(() => img.naturalWidth)))")
    assert sizes[0] == 4 * sizes[1]
    tab(opened, "Create")


def test_a_grid_counts_its_cells_draws_them_and_goes_on_after_stop(opened: Any, studio: Running) -> None:
    tab(opened, "Grid")
    opened.get_by_label("X axis").click()
    opened.get_by_role("option", name="Seed", exact=True).click()
    opened.locator("#image-x-fill").click()
    opened.wait_for_function("() => document.querySelector('#image-grid-told').innerText.includes('4 pictures')")
    opened.get_by_label("X values").fill("1-12")
    opened.wait_for_function("() => document.querySelector('#image-grid-told').innerText.includes('12 pictures')")
    opened.click("#image-grid")
    opened.locator("#image-grid-view .image-sheet img").first.wait_for()
    opened.locator("#tab-image .stop-action >> visible=true").click()
    opened.wait_for_selector("#image-grid-on >> visible=true")
    kept = len(studio.get("/api/v1/outputs?pipeline=image.generate&limit=200"))
    opened.click("#image-grid-on")
    deadline = time.monotonic() + 4 * WAIT / 1000
    while not (sheets := studio.get("/api/v1/outputs?pipeline=image.grid&limit=1")):
        assert time.monotonic() < deadline, "the grid went on and was not finished"
        time.sleep(0.2)
    opened.wait_for_function("() => document.querySelectorAll('#image-grid-view .image-sheet img').length === 1 && !document.querySelector('#image-grid-view [aria-busy]')")
    sheet = sheets[0]
    assert sheet["metadata"]["facts"]["cells"] == 12 and len(studio.get("/api/v1/outputs?pipeline=image.generate&limit=200")) < kept + 12
    tab(opened, "Create")


def test_settings_of_a_picture_come_back_with_its_style(opened: Any, studio: Running) -> None:
    chosen = next(output for output in newest(studio, 50) if output["metadata"]["params"].get("prompt") == "a dog, glossy")
    prompt(opened).fill("something else")
    opened.evaluate(f"window.seisei.use('/api/v1/outputs/{chosen['id']}/restore')")
    opened.wait_for_function("() => document.querySelector('#image-prompt textarea').value === 'a dog'")
    opened.locator("#image-style-choice").get_by_text("Gloss").first.wait_for()

