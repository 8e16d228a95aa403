"""The Image tab as a person uses it: from the first click to a sheet, a mask, a style, a grid, an enlarged picture."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from studio.testing import browser as chromium
from tests.browser.conftest import FLAGS
from tests.browser.driving import eventually, needs_browser, open_page, paint, painted_share, settled, tab, watched
from tests.running import Running, running, until

pytestmark = needs_browser
WAIT = 90_000


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
        told = page.locator(".studio-problem:visible").all_inner_texts()
        assert not told and time.monotonic() < deadline, told or "no picture came"
        time.sleep(0.2)
    page.wait_for_selector("#image-actions >> visible=true")
    return newest(studio)[0]


def prompt(page: Any) -> Any:
    return page.locator("#image-prompt textarea")


def generate(page: Any) -> Any:
    return lambda: page.click("#image-foot .primary-action")


def test_one_click_gives_the_first_picture_enlarged_and_nine_more_fill_a_sheet(opened: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    expect(prompt(opened)).to_have_value("a red heart")
    first = drawn(opened, studio, lambda: opened.locator("[data-example]").nth(1).click())
    params, facts = first["metadata"]["params"], first["metadata"]["facts"]
    expect(prompt(opened)).to_have_value("a panda on a yellow background")
    assert params["prompt"] == "a panda on a yellow background" and facts["width"] == 4 * params["width"]
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
    assert last["metadata"]["params"]["steps"] == 3
    expect(opened.locator("#image-view .image-stage:not([aria-busy]) .image-sheet img")).to_have_count(9)
    settled(opened)  # the last one's picture takes the place of its preview
    opened.locator("#image-view button[data-output]").nth(4).click()
    expect(opened.locator("#image-view .image-sheet[data-large]")).to_have_count(1)
    opened.keyboard.press("Escape")


def test_stop_ends_a_long_sheet(opened: Any, studio: Running) -> None:
    opened.get_by_label("Pictures", exact=True).first.fill("60")
    opened.keyboard.press("Enter")
    generate(opened)()
    opened.wait_for_selector("#image-view [aria-busy]")
    opened.click("#image-foot .stop-action")
    opened.wait_for_function("() => document.querySelector('#image-view').innerText.includes('Stopped')")
    until(lambda: not studio.get("/api/v1/jobs"), "the sheet's job goes on")
    opened.get_by_label("Pictures", exact=True).first.fill("1")
    opened.keyboard.press("Enter")


def test_a_card_puts_its_network_in_and_takes_it_out(opened: Any) -> None:
    from playwright.sync_api import expect

    prompt(opened).fill("a cat at night")
    opened.click("#image-cards-fold > button")
    settled(opened)  # opening it asks for the cards anew
    card = opened.locator(".card[data-key='lora/ink']")
    card.wait_for()
    assert card.locator("img").evaluate("(img) => img.decode().then(() => img.naturalWidth)") == 64
    prompt(opened).evaluate("(box) => { box.focus(); box.setSelectionRange(5, 5); }")
    card.click()
    expect(prompt(opened)).to_have_value("a cat <lora:ink:1> ink wash, paper at night")
    expect(card).to_have_attribute("aria-pressed", "true")
    opened.locator(".card[data-key='embeddings/soft']").click()
    expect(prompt(opened)).to_have_value(re.compile("soft"))
    opened.fill("#image-cards input[type=search]", "paper")
    expect(opened.locator("#image-cards .card:visible")).to_have_count(1)
    card.click()
    expect(card).to_have_attribute("aria-pressed", "false")
    assert "<lora" not in prompt(opened).input_value() and "ink wash" not in prompt(opened).input_value()
    opened.fill("#image-cards input[type=search]", "")
    opened.click("#image-cards-fold > button")


def test_names_are_suggested_while_one_writes_and_the_keys_choose_and_weigh(opened: Any) -> None:
    from playwright.sync_api import expect

    box = prompt(opened)
    box.fill("")
    box.press_sequentially("a fox <lo")
    opened.locator("#image-suggestions li[role=option]").first.wait_for()
    expect(box).to_have_attribute("aria-activedescendant", "image-suggestion-0")
    box.press("Enter")
    expect(box).to_have_value("a fox <lora:ink:1> ink wash, paper")
    box.fill("")
    box.press_sequentially("__co")
    opened.locator("#image-suggestions li").first.wait_for()
    box.press("Escape")
    expect(opened.locator("#image-suggestions")).to_have_count(0)
    assert box.input_value() == "__co"
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


def mask_of(studio: Running, output: dict[str, Any]) -> np.ndarray:
    with Image.open(studio.data / "inputs" / output["metadata"]["params"]["mask"]) as painted:
        return np.asarray(painted.convert("L")) > 128


def test_a_mask_that_is_painted_changes_that_part_only(opened: Any, studio: Running) -> None:
    before = newest(studio)[0]
    opened.get_by_role("button", name="Begin from it").click()
    paint(opened, "#image-editor")
    made = drawn(opened, studio, generate(opened))
    assert made["metadata"]["params"]["image"]
    with Image.fromarray(mask_of(studio, made)) as painted:
        inside = np.asarray(painted.resize((64, 64)))
    old, new = (pixels(next((studio.data / "outputs").rglob(f"*{output['id'][:8]}.png"))) for output in (before, made))
    moved = np.abs(old - new).mean(-1)
    corners = max(moved[rows, columns].mean() for rows in (slice(3), slice(-3, None)) for columns in (slice(3), slice(-3, None)))
    assert moved[inside].mean() > max(3, 3 * corners) and 0 < inside.mean() < 0.3, (moved[inside].mean(), corners)


def test_a_picture_comes_back_with_its_mask_and_gives_the_same_job_and_more_can_be_painted(opened: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    first = newest(studio)[0]
    assert first["metadata"]["params"]["mask"], "the picture that the test before drew"
    opened.reload()
    opened.wait_for_selector("#chat-input textarea")
    tab(opened, "Image")
    opened.wait_for_selector("#image-view .image-stage")
    settled(opened)  # the form as it was kept is there
    prompt(opened).fill("something else")
    opened.evaluate("(id) => window.seisei.use('/api/v1/outputs/' + id + '/restore')", first["id"])
    expect(prompt(opened)).to_have_value(first["metadata"]["params"]["prompt"])
    settled(opened)
    opened.locator("#image-editor .painter:not([aria-busy]) canvas").wait_for()
    assert eventually(opened, lambda: painted_share(opened, "#image-editor")) > 0
    again = drawn(opened, studio, generate(opened))
    kept = ("image", "mask", "seed", "prompt", "width", "height", "denoising_strength")
    assert [again["metadata"]["params"].get(name) for name in kept] == [first["metadata"]["params"].get(name) for name in kept]
    files = [next((studio.data / "outputs").rglob(f"*{output['id'][:8]}.png")) for output in (first, again)]
    assert (pixels(files[0]) == pixels(files[1])).all()
    paint(opened, "#image-editor", 40, 40)
    more = drawn(opened, studio, generate(opened))
    before, after = mask_of(studio, first), mask_of(studio, more)
    assert not (before & ~after).any() and after.sum() > 1.3 * before.sum(), (before.sum(), after.sum())


def test_strokes_are_undone_erased_cleared_and_painted_by_keys(opened: Any, studio: Running) -> None:
    def button(name: str) -> Any:
        return opened.locator("#image-editor").get_by_role("button", name=name, exact=True)

    before = painted_share(opened, "#image-editor")
    paint(opened, "#image-editor", -50, -50)
    more = painted_share(opened, "#image-editor")
    button("Undo").click()
    assert painted_share(opened, "#image-editor") == before < more
    button("Redo").click()
    assert painted_share(opened, "#image-editor") == more
    button("Eraser").click()
    paint(opened, "#image-editor", -50, -50, across=16)
    assert painted_share(opened, "#image-editor") < more
    button("Clear the mask").click()
    assert painted_share(opened, "#image-editor") == 0
    button("Brush").click()
    opened.keyboard.press("Tab")
    canvas = opened.locator("#image-editor canvas")
    canvas.focus()
    for key in ("ArrowLeft", "Space", "Shift+ArrowDown", "Shift+ArrowDown"):
        canvas.press(key)
    dabs = painted_share(opened, "#image-editor")
    canvas.press("Control+z")
    assert 0 < painted_share(opened, "#image-editor") < dabs
    made = drawn(opened, studio, generate(opened))
    assert abs(mask_of(studio, made).mean() - painted_share(opened, "#image-editor")) < 0.01


def test_a_mask_is_painted_by_touch_without_webgl_on_a_picture_of_ones_own_and_taken_away_again(chrome: Any, studio: Running, tmp_path: Path) -> None:
    bare = chrome.browser_type.launch(executable_path=chromium(), args=[*FLAGS, "--disable-webgl", "--disable-3d-apis"])
    page = watched(bare.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).new_page())
    page.goto(studio.url)
    page.wait_for_selector("#chat-input textarea", timeout=2 * WAIT)
    assert page.evaluate("document.createElement('canvas').getContext('webgl2')") is None
    tab(page, "Image")
    page.wait_for_function("() => document.querySelector('#image-prompt textarea')?.value")  # the form as it was left: the fold may be open
    settled(page)
    if not page.locator("#image-editor .painter").is_visible():
        page.locator("#image-from > button").click()
    Image.linear_gradient("L").resize((300, 200)).convert("RGB").save(tmp_path / "own.png")
    page.set_input_files("#image-editor input[type=file]", tmp_path / "own.png")
    canvas = page.locator("#image-editor .painter:not([aria-busy]) canvas")
    canvas.wait_for()
    settled(page)
    canvas.evaluate("(canvas) => canvas.scrollIntoView({ block: 'center' })")
    box = canvas.bounding_box()
    touch = page.context.new_cdp_session(page)
    for kind, share in (("touchStart", 0.3), ("touchMove", 0.4), ("touchMove", 0.7), ("touchEnd", None)):
        points = [] if share is None else [{"x": box["x"] + share * box["width"], "y": box["y"] + box["height"] / 2}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert eventually(page, lambda: painted_share(page, "#image-editor"), lambda share: share > 0.04) > 0.04
    page.locator("#image-editor").get_by_role("button", name="Take the picture away").click()
    page.locator("#image-editor .choose").wait_for()
    bare.close()


def test_what_is_pressed_waits_for_a_mask_that_is_on_its_way_and_a_lost_one_is_told(opened: Any, studio: Running) -> None:
    opened.route("**/api/v1/inputs", lambda route: route.abort())
    paint(opened, "#image-editor", 30, -40)
    opened.locator("#seisei-told", has_text="does not answer").wait_for()
    told = refused(opened, generate(opened))
    assert "not reached the studio" in told.inner_text()
    opened.unroute("**/api/v1/inputs")
    waiting: list[Any] = []
    opened.route("**/api/v1/inputs", lambda route: waiting.append(route))
    generate(opened)()
    assert eventually(opened, lambda: waiting), "the mask was not sent"
    assert studio.get("/api/v1/jobs") == []

    def let_through() -> None:
        waiting[0].continue_()
        told.wait_for(state="hidden")

    made = drawn(opened, studio, let_through)
    opened.unroute("**/api/v1/inputs")
    assert abs(mask_of(studio, made).mean() - painted_share(opened, "#image-editor")) < 0.01
    opened.locator("#image-editor").get_by_role("button", name="Take the picture away").click()


def refused(page: Any, act: Any) -> Any:
    """Do it; the sentence at the control that it concerns."""
    act()
    told = page.locator(".studio-problem[role=alert]:visible")
    told.wait_for()
    return told


def test_what_is_refused_stands_at_its_control_and_one_click_mends_it(opened: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    prompt(opened).fill("a red car <lora:inc:0.8>")
    told = refused(opened, generate(opened))
    expect(prompt(opened)).to_have_attribute("aria-invalid", "true")
    assert "no LoRA “inc”" in told.inner_text() and prompt(opened).get_attribute("aria-invalid") == "true" and told.get_attribute("id") == prompt(opened).get_attribute("aria-describedby")
    told.get_by_role("button", name="Use ink").click()
    opened.wait_for_function("() => document.querySelector('#image-prompt textarea').value === 'a red car <lora:ink:0.8>'")
    prompt(opened).fill("a red car")
    advanced = opened.locator("#image-advanced > button")
    advanced.click()
    for fold in ("Sampling", "Size", "Model"):
        opened.locator("#image-advanced .label-wrap", has_text=re.compile(f"^{fold}")).last.click()
    settled(opened)
    if not opened.get_by_label("Sampler").first.is_visible():
        opened.locator("#image-advanced .label-wrap", has_text="Sampling").click()
    cases = (
        ("Width", "130", "multiple of 8", "Use 128", "128"),
        ("Sampler", "Eular", "no sampler", "Use Euler", "Euler"),
        ("VAE", "sharp", "no VAE", "Leave it out", ""),
        ("Second model", "stickerz", "not on this computer", "Use Stickers", "Stickers (works offline)"),
    )
    for label, wrong, words, fix, right in cases:
        box = opened.get_by_label(label, exact=True).first
        box.fill(wrong)
        box.press("Enter")
        box.press("Tab")
        advanced.click()
        told = refused(opened, generate(opened))
        expect(told).to_contain_text(words)
        expect(box).to_have_attribute("aria-invalid", "true")
        expect(box).to_be_visible()
        opened.wait_for_function("document.activeElement.closest('.studio-faulty') !== null")
        told.get_by_role("button", name=fix).click()
        told.wait_for(state="hidden")
        expect(box).not_to_have_attribute("aria-invalid", "true")
        opened.wait_for_function("([box, right]) => box.value === right", arg=[box.element_handle(), right])
    told = refused(opened, generate(opened))
    assert "second model is the first one" in told.inner_text().lower()
    told.get_by_role("button", name="Leave it out").click()
    told.wait_for(state="hidden")


def test_a_field_of_another_page_is_found_from_the_grid_and_a_picture_control_is_marked(opened: Any) -> None:

    box = opened.get_by_label("Width", exact=True).first
    box.fill("130")
    box.press("Tab")
    tab(opened, "Grid")
    opened.get_by_label("X axis").click()
    opened.get_by_role("option", name="Seed", exact=True).click()
    opened.get_by_label("X values").fill("1-2")
    told = refused(opened, lambda: opened.click("#image-grid"))
    told.get_by_role("button", name="Go to the setting").click()
    opened.wait_for_function("() => document.querySelector('.studio-faulty input[aria-invalid=true]')?.value === '130' && document.querySelector('.studio-faulty').offsetParent")
    box.fill("128")
    opened.wait_for_function("() => !document.querySelector('.studio-faulty')")
    tab(opened, "Upscale")
    opened.wait_for_selector("#image-upscale-go")
    told = refused(opened, lambda: opened.click("#image-upscale-go"))
    assert "no picture to enlarge" in told.inner_text()
    opened.locator("#image-upscale-picture.studio-faulty").wait_for()
    tab(opened, "Create")


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
    opened.wait_for_function("document.querySelector('dialog .image-compare').style.getPropertyValue('--at') === '20%'")
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
    opened.get_by_label("X values").fill("1-40")
    opened.wait_for_function("() => document.querySelector('#image-grid-told').innerText.includes('40 pictures')")
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
    assert sheet["metadata"]["facts"]["cells"] == 40 and len(studio.get("/api/v1/outputs?pipeline=image.generate&limit=200")) < kept + 40
    tab(opened, "Create")


def test_settings_of_a_picture_come_back_with_its_style(opened: Any, studio: Running) -> None:
    chosen = next(output for output in newest(studio, 200) if output["metadata"]["params"].get("prompt") == "a dog, glossy")
    prompt(opened).fill("something else")
    opened.evaluate(f"window.seisei.use('/api/v1/outputs/{chosen['id']}/restore')")
    opened.wait_for_function("() => document.querySelector('#image-prompt textarea').value === 'a dog'")
    opened.locator("#image-style-choice").get_by_text("Gloss").first.wait_for()
