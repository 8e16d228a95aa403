"""The Style and Lab pages as a person uses them: a styled photo at the first look, a painting clicked, one's own picture, a style kept, a mask, many files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser.driving import needs_browser, open_page, paint, settled, tab
from tests.running import Running, until

pytestmark = needs_browser
WAIT = 90_000
VIEW = "#image-style-view"
CARDS = "#image-style-cards"
CLICKS = """async (names) => { for (const name of names) {
  [...document.querySelectorAll('#image-style-cards .card')].filter((card) => card.textContent.includes(name)).at(-1).click(); await new Promise((done) => setTimeout(done, 60)); } }"""  # as fast as a hand, also where each step of a driven mouse takes a second


@pytest.fixture(scope="module")
def opened(chrome: Any, studio: Running) -> Iterator[Any]:
    """One page for the whole file, as a person keeps it open."""
    page = open_page(chrome, studio.url)
    page.set_default_timeout(WAIT)
    style(page)
    yield page
    assert page.problems == []
    page.context.close()


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture that nobody has seen before: a sun over water."""
    rows, columns = np.mgrid[0:240, 0:360]
    sun = ((rows - 80) ** 2 + (columns - 250) ** 2 < 45**2)[..., None]
    water = (rows > 150)[..., None]
    sky = np.stack([120 + columns / 3, 160 + rows / 4, 240 - rows / 3], -1)
    picture = np.where(sun, [250, 220, 90], np.where(water, [20, 90 + 40 * 1, 120], sky)) + 12 * np.sin(rows / 3 + columns / 9)[..., None]
    path = tmp_path_factory.mktemp("mine") / "sunset.png"
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path)
    return path


def style(page: Any) -> None:
    tab(page, "Image")
    tab(page, "Style")
    page.locator(f"{CARDS} .card[aria-pressed=true]").first.wait_for()
    page.locator("#image-style-picture img").wait_for()


def newest(studio: Running, count: int = 1, pipeline: str = "image.style_") -> list[dict[str, Any]]:
    found = studio.get("/api/v1/outputs?kind=image&limit=200")
    return [output for output in found if output["pipeline"].startswith(pipeline)][:count]


def painted(studio: Running, act: Any, *, more: int = 1, seconds: float = 240) -> dict[str, Any]:
    """Do it, wait for so many new pictures; the newest."""
    before = {output["id"] for output in newest(studio, 200)}
    act()
    deadline = time.monotonic() + seconds
    while len([output for output in newest(studio, 200) if output["id"] not in before]) < more:
        assert time.monotonic() < deadline, "no picture came"
        time.sleep(0.1)
    return newest(studio)[0]


def pixels(studio: Running, output: dict[str, Any], size: tuple[int, int] = (90, 60)) -> np.ndarray:
    with Image.open(next((studio.data / "outputs").rglob(f"*{output['id'][:8]}.*"))) as picture:
        return np.asarray(picture.convert("RGB").resize(size), float)


def card(page: Any, name: str) -> Any:
    return page.locator(f"{CARDS} .card", has_text=name).last


def follow(page: Any, output: dict[str, Any]) -> None:
    page.wait_for_selector(f"{VIEW} .image-compare[data-after='{output['id']}']")


def test_a_first_visit_sees_a_photo_that_is_styled_and_thumbnails_in_every_style(opened: Any, studio: Running) -> None:
    sizes = opened.locator(f"{VIEW} .image-compare img").evaluate_all("(all) => Promise.all(all.map((img) => img.decode().then(() => img.naturalWidth)))")
    assert sizes == [640, 640]
    shown = opened.locator(f"{CARDS} .card img").evaluate_all("(all) => Promise.all(all.map((img) => { img.loading = 'eager'; return img.decode().then(() => img.naturalWidth); }))")
    assert len(shown) >= 30 and min(shown) >= 200
    assert newest(studio) == [], "nothing was computed for it"
    assert opened.locator("#image-style-go").locator("xpath=ancestor::*[contains(@class, 'studio-left')]").locator("[data-testid=block-info] >> visible=true").count() <= 3, "no wall of controls"


def test_a_click_on_a_painting_paints_at_once_and_another_one_differs(opened: Any, studio: Running) -> None:
    painted(studio, lambda: card(opened, "Scales in indigo").click())  # the first one loads the network
    one = painted(studio, lambda: card(opened, "The Starry Night").click())
    follow(opened, one)
    other = painted(studio, lambda: card(opened, "Blue and yellow strokes").click())
    follow(opened, other)
    assert one["pipeline"] == "image.style_any" and other["pipeline"] == "image.style_blend" and other["metadata"]["params"]["styles"] == "Blue and yellow strokes"
    assert np.abs(pixels(studio, one) - pixels(studio, other)).mean() > 10
    opened.locator(f"{CARDS} section", has_text="Used before").locator(".card").nth(1).wait_for()


def longer_side(page: Any, pixels: int) -> None:
    page.locator("#image-style-advanced > button").click()
    page.get_by_label("Longer side").locator("visible=true").first.fill(str(pixels))
    page.keyboard.press("Tab")
    page.locator("#image-style-advanced > button").click()


def test_a_newer_click_takes_the_place_of_one_that_is_not_finished(opened: Any, studio: Running) -> None:
    names = ["Dusk", "Red glow", "Cut paper", "Japanese print"]
    before = len(newest(studio, 200))
    longer_side(opened, 2400)  # so that each takes seconds
    settled(opened)
    opened.evaluate(CLICKS, names)
    opened.wait_for_function(
        "(name) => document.querySelector('#image-style-view .image-compare[data-after]') && document.querySelector('#image-style-cards .card[aria-pressed=true]')?.textContent.includes(name)", arg=names[-1]
    )
    deadline = time.monotonic() + 240
    while studio.get("/api/v1/jobs") or newest(studio)[0]["metadata"]["params"]["styles"] != names[-1]:  # the last click's job may not be there yet
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(newest(studio, 200)) - before < len(names), "those in between were not all painted to the end"
    follow(opened, newest(studio)[0])
    longer_side(opened, 0)


def test_one_s_own_picture_is_painted_and_stands_in_every_card(opened: Any, studio: Running, mine: Path) -> None:
    opened.locator("#image-style-picture button[aria-label='Clear'], #image-style-picture button[aria-label='Remove Image']").first.click()
    made = painted(studio, lambda: opened.set_input_files("#image-style-picture input[type=file]", mine))
    key = made["metadata"]["params"]["image"]
    assert (studio.data / "inputs" / key).read_bytes() == mine.read_bytes(), "the original as it is"
    opened.wait_for_function(
        "(key) => { const all = [...document.querySelectorAll('#image-style-cards img[data-tile]')]; return all.length > 30 && all.every((img) => img.getAttribute('src').includes('/styles/' + key)); }",
        arg=key,
        timeout=3 * WAIT,
    )
    kept = list((studio.data / "cache" / "styles" / key).glob("*.webp"))
    assert len(kept) >= 30
    with Image.open(kept[0]) as small, Image.open(mine) as whole:
        assert abs(small.width / small.height - whole.width / whole.height) < 0.02
    assert newest(studio, 200, "image.style_strip") == [], "thumbnails are not for the gallery"


def test_styles_are_blended_by_weight_and_kept_under_a_name_over_a_reload(opened: Any, studio: Running) -> None:
    painted(studio, lambda: card(opened, "Cubes in plum").click())
    opened.check("[data-blend]")
    made = painted(studio, lambda: card(opened, "The Starry Night").click())
    params = made["metadata"]["params"]
    assert params["style"] and params["style2"] and params["style_weight"] == params["style2_weight"] == 0.5
    range_ = opened.locator(f"{CARDS} [data-weights] input").first
    moved = painted(studio, lambda: range_.evaluate("(range) => { range.value = 1; range.dispatchEvent(new Event('change', { bubbles: true })); }"))
    assert moved["metadata"]["params"]["style_weight"] == 1 and moved["metadata"]["params"]["style2_weight"] == 0.5
    follow(opened, moved)
    opened.click("#image-style-keep")
    opened.locator("#image-style-own-name :is(input, textarea)").fill("Plum night")
    opened.click("#image-style-save")
    card(opened, "Plum night").wait_for()
    opened.reload()
    style(opened)
    made = painted(studio, lambda: card(opened, "Plum night").click())
    assert {name: made["metadata"]["params"][name] for name in ("style", "style2", "style_weight")} == {name: moved["metadata"]["params"][name] for name in ("style", "style2", "style_weight")}
    opened.locator(f"{CARDS} [data-delete]").click()
    card(opened, "Plum night").wait_for(state="detached")
    opened.locator("#seisei-told").get_by_role("button", name="Undo").click()
    card(opened, "Plum night").wait_for()


def test_a_mask_that_is_painted_keeps_the_rest_as_it_was(opened: Any, studio: Running) -> None:
    opened.click("#image-style-brush > button")
    paint(opened, "#image-style-editor", across=30)
    made = painted(studio, lambda: card(opened, "Red glow").click())
    params = made["metadata"]["params"]
    with Image.open(studio.data / "inputs" / params["image"]) as picture, Image.open(studio.data / "inputs" / params["mask"]) as mask:
        before, inside = np.asarray(picture.convert("RGB").resize((90, 60)), float), np.asarray(mask.convert("L").resize((90, 60))) > 128
    moved = np.abs(pixels(studio, made) - before).mean(-1)
    corners = max(moved[rows, columns].max() for rows in (slice(3), slice(-3, None)) for columns in (slice(3), slice(-3, None)))
    assert 0 < inside.mean() < 0.5 and moved[inside].mean() > 10 and corners < 3, (inside.mean(), moved[inside].mean(), corners)
    opened.click("#image-style-brush > button")


def test_many_files_are_painted_and_what_is_no_picture_is_named(opened: Any, studio: Running, mine: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one.png", "two.png", "notes.png", "half.png")]
    Image.open(mine).save(files[0])
    Image.open(mine).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(files[1])
    files[2].write_text("this is no picture")
    files[3].write_bytes(files[0].read_bytes()[:2000])
    opened.click("#image-style-batch > button")
    opened.set_input_files("#image-style-files input[type=file]", files)
    opened.locator("#image-style-files").get_by_text("notes").first.wait_for()
    opened.click("#image-style-all")
    opened.locator("#tab-image", has_text="The brush is for one picture.").wait_for()
    opened.get_by_role("button", name="Clear the mask").locator("visible=true").first.click()
    settled(opened)
    last = painted(studio, lambda: opened.click("#image-style-all"), more=2)
    assert last["pipeline"] == "image.style_blend" and last["metadata"]["params"]["styles"] == "Red glow"
    opened.locator("#image-style-problem").get_by_text("notes.png").wait_for()  # in sight
    opened.wait_for_function("() => document.querySelectorAll('#image-style-view .image-sheet img').length === 2")
    for name in ("notes.png", "half.png"):
        opened.locator("#image-style-problem").get_by_text(name).wait_for()
    opened.click("#image-style-batch > button")


def test_a_setting_is_compared_on_a_sheet_that_comes_back_with_its_axes(opened: Any, studio: Running) -> None:
    opened.click("#image-style-sheet > button")
    opened.fill("#image-style-x-axis input", "Strength")
    opened.keyboard.press("Enter")
    opened.fill("#image-style-x-values textarea", "0, 0.5, 1")
    sheet = painted(studio, lambda: opened.click("#image-style-sheet-go"), more=4)
    cells = newest(studio, 4)[1:]
    assert sheet["pipeline"] == "image.style_grid" and {cell["metadata"]["params"]["strength"] for cell in cells} == {0.0, 0.5, 1.0}
    by_strength = {cell["metadata"]["params"]["strength"]: pixels(studio, cell) for cell in cells}
    assert np.abs(by_strength[0.0] - by_strength[1.0]).mean() > 2 * np.abs(by_strength[0.0] - by_strength[0.5]).mean() * 0.9
    opened.wait_for_function("() => document.querySelectorAll('#image-style-view .image-sheet img').length === 4")
    opened.fill("#image-style-x-values textarea", "much")
    opened.click("#image-style-sheet-go")
    opened.locator("#tab-image", has_text="much").wait_for()
    opened.fill("#image-style-x-values textarea", "")
    opened.evaluate(f"window.seisei.use('/api/v1/outputs/{sheet['id']}/restore')")
    opened.wait_for_function("() => document.querySelector('#image-style-x-values textarea').value === '0, 0.5, 1'")
    assert opened.input_value("#image-style-x-axis input") == "Strength"
    opened.click("#image-style-sheet > button")


def test_settings_come_back_from_a_result(opened: Any, studio: Running) -> None:
    chosen = next(output for output in newest(studio, 200) if output["metadata"]["params"].get("styles") == "Blue and yellow strokes")
    opened.evaluate(f"window.seisei.use('/api/v1/outputs/{chosen['id']}/restore')")
    opened.locator(f"{CARDS} .card[aria-pressed=true]", has_text="Blue and yellow strokes").first.wait_for()
    again = painted(studio, lambda: opened.click("#image-style-go"))
    assert again["metadata"]["params"] == chosen["metadata"]["params"]
    assert np.abs(pixels(studio, again) - pixels(studio, chosen)).max() == 0


def test_nothing_chosen_is_refused_at_its_field(opened: Any) -> None:
    opened.locator("#image-style-picture button[aria-label='Clear'], #image-style-picture button[aria-label='Remove Image']").first.click()
    opened.locator("#image-style-picture img").wait_for(state="detached")
    opened.click("#image-style-go")
    opened.locator("#tab-image", has_text="There is no picture to paint.").wait_for()


def test_a_file_that_is_no_picture_is_refused_in_a_sentence(opened: Any, studio: Running, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_text("no picture")
    opened.set_input_files("#image-style-picture input[type=file]", tmp_path / "photo.png")
    opened.locator("#tab-image", has_text="This is no picture that can be read.").wait_for()
    assert str(studio.data) not in opened.inner_text("body")


def test_what_an_event_outside_gradio_s_queue_refuses_is_told(opened: Any, tmp_path: Path) -> None:
    """Gradio shows nothing of it."""
    opened.click("#image-style-keep")
    opened.locator("#image-style-own-name :is(input, textarea)").fill("")
    opened.click("#image-style-save")
    opened.locator("#seisei-told").get_by_text("A style of one's own needs a name and a painting.").wait_for()
    (tmp_path / "style.png").write_text("no picture")
    opened.set_input_files("#image-style-own input[type=file]", tmp_path / "style.png")
    opened.locator("#seisei-told").get_by_text("This is no picture that can be read.").wait_for()
    opened.locator("#image-style-own button[aria-label='Clear'], #image-style-own button[aria-label='Remove Image']").first.click()


def test_no_painting_paints_nothing_by_itself_and_the_verdict_follows(opened: Any, studio: Running) -> None:
    opened.locator("#image-style-samples [data-sample=castle]").click()
    opened.locator("#image-style-verdict", has_text="Fits: ").wait_for()
    settled(opened)
    before = newest(studio)[0]["id"]
    opened.click(f"{CARDS} [data-none]")
    opened.locator(f"{CARDS} .card[aria-pressed=true]").first.wait_for(state="detached")
    settled(opened)
    assert newest(studio)[0]["id"] == before
    opened.click("#image-style-go")
    opened.locator("#tab-image", has_text="There is no style.").wait_for()
    painted(studio, lambda: card(opened, "Dusk").click())


def test_stop_ends_a_long_painting_and_says_so(opened: Any, studio: Running) -> None:
    opened.locator("#image-style-samples [data-sample=castle]").click()
    opened.locator("#image-style-picture img").wait_for()
    longer_side(opened, 6000)
    opened.click("#image-style-go")
    opened.wait_for_selector(f"{VIEW} [aria-busy]")
    opened.wait_for_function("() => document.querySelector('#image-style-view progress[value]')")
    opened.locator("#tab-image .stop-action >> visible=true").first.click()
    opened.wait_for_function("() => document.querySelector('#image-style-view').innerText.includes('Stopped')")
    until(lambda: not studio.get("/api/v1/jobs"), "the painting goes on")


def test_the_lab_draws_edges_and_hands_them_to_create_as_a_control_picture(opened: Any, studio: Running) -> None:
    tab(opened, "Lab")
    tab(opened, "Annotate")
    opened.locator("#image-annotate-samples [data-sample=cup]").click()
    opened.locator("#image-annotate-samples [data-sample=cup][aria-pressed=true]").wait_for()
    opened.click("#image-annotate-go")
    opened.locator("#image-annotate-view .image-compare[data-after]").wait_for(timeout=2 * WAIT)
    made = newest(studio, 1, "image.annotate")[0]
    found = pixels(studio, made)
    assert found.min() < 40 and found.max() > 100 and made["metadata"]["params"]["method"] == "Lines"
    opened.click("#image-annotate-guide")
    opened.locator("#image-advanced img").first.wait_for()
    tab(opened, "Lab")
    opened.evaluate(f"window.seisei.use('/api/v1/outputs/{made['id']}/restore')")
    opened.wait_for_function("() => document.querySelector('#seisei-told').innerText.includes('settings')")


def test_the_lab_dreams_into_a_photo(opened: Any, studio: Running) -> None:
    tab(opened, "Lab")
    tab(opened, "Dream")
    opened.locator("#image-dream-picture img").wait_for()
    opened.get_by_label("Octaves").locator("visible=true").first.fill("2")
    opened.locator("#image-dream-advanced > button").click()
    opened.locator("#image-dream-advanced").get_by_label("Steps").locator("visible=true").first.fill("3")  # with both, a fifth of the usual work
    opened.keyboard.press("Tab")
    settled(opened)
    opened.click("#image-dream-go")
    opened.locator("#image-dream-view .image-compare[data-after]").wait_for(timeout=6 * WAIT)
    made = newest(studio, 1, "image.dream")[0]
    with Image.open(studio.data / "inputs" / made["metadata"]["params"]["image"]) as picture:
        before = np.asarray(picture.convert("RGB").resize((90, 60)), float)
    assert 2 < np.abs(pixels(studio, made) - before).mean() < 80


def compare(page: Any, prefix: str, axis: str, values: str) -> None:
    """Open the fold and say what changes along X."""
    page.click(f"#{prefix}-sheet > button")
    settled(page)
    page.fill(f"#{prefix}-x-axis input", axis)
    page.keyboard.press("Enter")
    page.fill(f"#{prefix}-x-values textarea", values)
    page.keyboard.press("Tab")
    settled(page)


def comes_back(page: Any, studio: Running, prefix: str, axis: str, values: list[str]) -> None:
    """A sheet of these values is made there, and its settings come from another page to the one it was made on."""
    told, pipeline = ", ".join(values), prefix.replace("-", ".")
    compare(page, prefix, axis, told)
    page.click(f"#{prefix}-sheet-go")
    page.wait_for_function("([prefix, count]) => document.querySelectorAll(`#${prefix}-view .image-sheet img`).length === count", arg=[prefix, len(values) + 1])
    sheet = newest(studio, 1, "image.style_grid")[0]
    assert {cell["metadata"]["params"][axis.lower()] for cell in newest(studio, len(values), pipeline)} == set(values)
    page.fill(f"#{prefix}-x-values textarea", "")
    tab(page, "Style")
    page.evaluate(f"window.seisei.use('/api/v1/outputs/{sheet['id']}/restore')")
    page.locator(f"#{prefix}-x-values textarea").wait_for()
    page.wait_for_function("([prefix, values]) => document.querySelector(`#${prefix}-x-values textarea`).value === values", arg=[prefix, told])


def test_the_lab_compares_settings_and_a_sheet_comes_back_to_it(opened: Any, studio: Running, mine: Path) -> None:
    tab(opened, "Lab")
    tab(opened, "Annotate")
    opened.locator("#image-annotate-samples [data-sample=castle]").click()
    opened.locator("#image-annotate-samples [data-sample=castle][aria-pressed=true]").wait_for()
    comes_back(opened, studio, "image-annotate", "Method", ["Lines", "Canny"])
    opened.click("#image-annotate-several > button")
    files = [mine, mine.with_name("notes.png")]
    files[1].write_text("this is no picture")
    opened.set_input_files("#image-annotate-files input[type=file]", files)
    opened.locator("#image-annotate-files").get_by_text("notes").first.wait_for()
    before = len(newest(studio, 200, "image.annotate"))
    opened.click("#image-annotate-all")
    opened.locator("#image-annotate-problem").get_by_text("notes.png").wait_for()
    until(lambda: len(newest(studio, 200, "image.annotate")) > before, "nothing was annotated")


def test_an_annotated_picture_is_enlarged_and_sizes_are_compared(opened: Any, studio: Running) -> None:
    opened.locator("#image-annotate-view button[data-output], #image-annotate-view [data-after]").first.wait_for()
    opened.click("#image-annotate-enlarge")
    opened.locator("#image-upscale-picture img").wait_for()
    comes_back(opened, studio, "image-upscale", "Upscaler", ["Nearest", "Lanczos"])


def test_a_sheet_of_dreams_is_finished_with_what_is_there(opened: Any, studio: Running) -> None:
    tab(opened, "Lab")
    tab(opened, "Dream")
    compare(opened, "image-dream", "Strength", "0.5, 1, 1.5")
    opened.click("#image-dream-sheet-go")
    before = len(newest(studio, 200, "image.dream"))
    until(lambda: len(newest(studio, 200, "image.dream")) > before, "no cell came", 4 * WAIT / 1000)
    opened.click("#image-dream-working button")
    until(lambda: newest(studio, 1, "image.style_grid")[0]["metadata"]["params"]["method"] == "image.dream", "no sheet came", 4 * WAIT / 1000)
    assert newest(studio, 1, "image.style_grid")[0]["metadata"]["facts"]["cells"] in (1, 2)
