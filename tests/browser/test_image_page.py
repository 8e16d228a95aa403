"""The Image page as somebody uses it who knows other studios: what is written is kept, grids are taken apart, pictures are told and compared, models come while it is open."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from tests.browser.driving import needs_browser, open_page, paint, painted_share, settled, tab
from tests.image_models import make_sd1
from tests.running import Running, running

pytestmark = needs_browser
WAIT = 45_000


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With a tiny Stable Diffusion beside the shipped model."""
    data = tmp_path_factory.mktemp("image")
    make_sd1(data / "models" / "image" / "tiny")
    make_sd1(data / "models" / "image" / "photographer", sample_size=136)  # large enough to be taken for one that draws photos
    with running(data) as studio:
        yield studio


@pytest.fixture(scope="module")
def page(chrome: Any, studio: Running) -> Iterator[Any]:
    """One page for the whole file, with the shipped model and quick settings."""
    remember(studio, "image.form", {"prompt": "a red heart", "model": "stickers", "steps": 3, "upscale": 1.0, "written": True})
    page = open_page(chrome, studio.url, ready=False)
    page.set_default_timeout(WAIT)
    tab(page, "Image")
    page.wait_for_function("() => document.querySelector('#image-prompt textarea')?.value === 'a red heart'")
    yield page
    assert page.problems == []
    page.context.close()


@pytest.fixture
def opened(page: Any, studio: Running) -> Iterator[Any]:
    tab(page, "Create")
    prompt(page).fill("a red heart")
    yield page
    page.unroute_all(behavior="ignoreErrors")
    page.keyboard.press("Escape")
    for job in studio.get("/api/v1/jobs"):
        studio.post(f"/api/v1/jobs/{job['id']}/cancel")
    if page.locator("#image-editor").get_by_role("button", name="Take the picture away").is_visible():
        page.locator("#image-editor").get_by_role("button", name="Take the picture away").click()


def remember(studio: Running, key: str, value: Any) -> None:
    with closing(sqlite3.connect(studio.data / "studio.db", timeout=30)) as db, db:
        db.execute("INSERT OR REPLACE INTO remembered VALUES ('local', ?, ?)", (key, json.dumps(value)))


def remembered(studio: Running, key: str) -> Any:
    with closing(sqlite3.connect(studio.data / "studio.db", timeout=30)) as db:
        row = db.execute("SELECT value FROM remembered WHERE owner = 'local' AND key = ?", (key,)).fetchone()
    return json.loads(row[0]) if row else {}


def until(there: Callable[[], Any], told: str) -> Any:
    """What it gives once it is something."""
    deadline = time.monotonic() + WAIT / 1000
    while not (found := there()):
        assert time.monotonic() < deadline, told
        time.sleep(0.1)
    return found


def prompt(page: Any) -> Any:
    return page.locator("#image-prompt textarea")


def draw(page: Any, studio: Running, count: int = 1) -> list[str]:
    """So many pictures; their ids in the sheet's order."""
    page.get_by_label("Pictures", exact=True).first.fill(str(count))
    page.keyboard.press("Enter")
    before = {output["id"] for output in studio.get("/api/v1/outputs?kind=image&limit=200")}
    page.click("#image-generate")
    until(lambda: len({output["id"] for output in studio.get("/api/v1/outputs?kind=image&limit=200")} - before) >= count and not studio.get("/api/v1/jobs"), "no picture came")
    page.wait_for_selector("#image-actions >> visible=true")
    return list(page.locator("#image-view button[data-output]").evaluate_all("(all) => all.map((one) => one.dataset.output)"))


def test_what_is_written_and_set_is_there_again_though_nothing_was_drawn(opened: Any, studio: Running) -> None:
    prompt(opened).fill("a green owl")
    opened.locator("#image-negative textarea").fill("text")
    opened.get_by_label("Pictures", exact=True).first.fill("6")
    opened.keyboard.press("Tab")
    until(lambda: remembered(studio, "image.form").get("count") == 6, "the form was not kept")
    tab(opened, "Grid")
    axis(opened, "X", "Seed")
    opened.get_by_label("X values").fill("1-3")
    until(lambda: remembered(studio, "image.grid.axes").get("x_values") == "1-3", "the axes were not kept")
    opened.reload()
    opened.wait_for_selector("#chat-input textarea")
    tab(opened, "Image")
    opened.wait_for_function("() => document.querySelector('#image-prompt textarea')?.value === 'a green owl'")
    assert opened.locator("#image-negative textarea").input_value() == "text" and opened.get_by_label("Pictures", exact=True).first.input_value() == "6"
    tab(opened, "Grid")
    opened.wait_for_function("() => document.querySelector('#image-x-values textarea')?.value === '1-3'")
    opened.locator("#image-grid-basis", has_text="a green owl").wait_for()
    assert opened.get_by_label("X axis").input_value() == "Seed"


def axis(page: Any, which: str, title: str) -> None:
    page.get_by_label(f"{which} axis").click()
    page.get_by_role("option", name=title, exact=True).click()


def test_a_grid_s_values_go_over_lines_and_its_sheet_is_taken_apart_and_downloaded(opened: Any, studio: Running) -> None:
    tab(opened, "Grid")
    axis(opened, "X", "Prompt S/R")
    opened.locator("#image-x-fill").click()
    opened.wait_for_function("() => document.querySelector('#image-x-values textarea').value.startsWith('heart, ')")
    axis(opened, "X", "Prompts")
    values = opened.get_by_label("X values")
    values.fill("a red heart")
    values.press("End")
    values.press("Enter")
    values.press_sequentially("a blue star")
    assert values.input_value() == "a red heart\na blue star"
    opened.wait_for_function("() => document.querySelector('#image-grid-told').innerText.includes('2 pictures')")
    opened.click("#image-grid")
    opened.wait_for_selector("#image-grid-save >> visible=true")
    with opened.expect_download() as coming:
        opened.click("#image-grid-save")
    with Image.open(coming.value.path()) as sheet:
        wide = sheet.width
    opened.click("#image-grid-parts")
    opened.wait_for_function("() => document.querySelectorAll('#image-grid-view .image-sheet img').length === 2")
    opened.locator("#image-grid-view button[data-output]").first.click()
    with opened.expect_download() as coming:
        opened.click("#image-grid-save")
    with Image.open(coming.value.path()) as cell:
        assert 2 * cell.width <= wide
    opened.locator("#image-grid-parts", has_text="Show the sheet").click()
    opened.wait_for_function("() => document.querySelectorAll('#image-grid-view .image-sheet img').length === 1")


def test_a_picture_stays_large_and_chosen_while_others_are_drawn_and_escape_ends_that_and_not_the_job(opened: Any, studio: Running) -> None:
    opened.get_by_label("Pictures", exact=True).first.fill("90")
    opened.keyboard.press("Enter")
    opened.click("#image-generate")
    opened.locator("#image-view button[data-output]").nth(1).click()
    chosen = opened.locator("#image-view button[aria-current]").get_attribute("data-output")
    count = opened.locator("#image-view button[data-output]").count()
    opened.wait_for_function("(count) => document.querySelectorAll('#image-view button[data-output]').length > count + 2", arg=count)
    assert opened.locator("#image-view .image-sheet[data-large] button[aria-current]").get_attribute("data-output") == chosen
    opened.keyboard.press("Escape")
    assert opened.locator("#image-view .image-sheet[data-large]").count() == 0 and opened.locator("#image-view button[aria-current]").get_attribute("data-output") == chosen
    assert [job for job in studio.get("/api/v1/jobs") if job["state"] == "running"], "Escape left the large picture and stopped nothing"
    opened.get_by_role("button", name="Finish with what is there").first.click()
    opened.wait_for_selector("#image-actions >> visible=true")
    seed = studio.get(f"/api/v1/outputs/{chosen}")["metadata"]["facts"]["seed"]
    opened.locator("#image-about", has_text=f"Seed {seed}").wait_for()
    opened.get_by_role("button", name="Its seed").click()
    opened.locator("#seisei-told", has_text=str(seed)).wait_for()


OPEN = "() => [...document.querySelectorAll('ul[role=listbox]')].filter((list) => list.checkVisibility()).length"


def test_lists_are_left_by_tab_taken_by_their_whole_name_and_escape_closes_them_and_stops_nothing(opened: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    if not (sampler := opened.get_by_label("Sampler", exact=True).first).is_visible():
        opened.click("#image-advanced > button")
    for typed in ("Euler", "DDIM"):  # “Euler a” and “DDIM CFG++” have these letters, too
        sampler.click()
        sampler.press("Control+a")
        opened.keyboard.type(typed, delay=30)
        expect(opened.get_by_role("option").locator("visible=true")).not_to_have_count(1)
        opened.keyboard.press("Enter")
        expect(sampler).to_have_value(typed)
    opened.locator("#image-model input").first.focus()
    for _ in range(4):
        opened.keyboard.press("Tab")
        opened.wait_for_timeout(300)  # a list is drawn a frame later
    assert opened.evaluate(OPEN) == 0
    opened.get_by_label("Pictures", exact=True).first.fill("90")
    opened.keyboard.press("Enter")
    opened.click("#image-generate")
    opened.wait_for_selector("#image-view [aria-busy]")
    sampler.click()
    opened.wait_for_function(f"({OPEN})() === 1")
    opened.keyboard.press("Escape")
    opened.wait_for_function(f"({OPEN})() === 0")
    assert studio.get("/api/v1/jobs"), "Escape closed the list"
    opened.keyboard.press("Escape")
    until(lambda: not studio.get("/api/v1/jobs"), "the next Escape stops")
    opened.get_by_label("Pictures", exact=True).first.fill("1")
    opened.keyboard.press("Enter")
    opened.click("#image-advanced > button")


def test_the_picture_that_the_buttons_mean_is_marked_and_told_also_after_the_trash(opened: Any, studio: Running) -> None:
    ids = draw(opened, studio, 3)
    seeds = [studio.get(f"/api/v1/outputs/{one}")["metadata"]["facts"]["seed"] for one in ids]
    opened.locator(f"#image-view button[aria-current][data-output='{ids[2]}']").wait_for()
    opened.locator("#image-about", has_text=f"Seed {seeds[2]}").wait_for()
    opened.click("#image-trash")
    opened.locator(f"#image-view button[aria-current][data-output='{ids[1]}']").wait_for()
    opened.locator("#image-about", has_text=f"Seed {seeds[1]}").wait_for()
    opened.click("#image-star")
    until(lambda: studio.get(f"/api/v1/outputs/{ids[1]}")["favourite"], "the star is not that of the marked picture")


def test_the_line_between_two_pictures_is_taken_hold_of_anywhere(opened: Any, studio: Running) -> None:
    draw(opened, studio, 2)
    opened.click("#image-compare")
    box = opened.locator("dialog .image-compare")
    box.locator("input").wait_for()
    opened.wait_for_function("() => [...document.querySelectorAll('dialog .image-compare img')].every((img) => img.naturalWidth)")
    where = box.bounding_box()
    for share, high in ((0.25, 0.2), (0.9, 0.6)):
        opened.mouse.move(where["x"] + where["width"] / 2, where["y"] + where["height"] * high)
        opened.mouse.down()
        opened.mouse.move(where["x"] + where["width"] * share, where["y"] + where["height"] * high, steps=5)
        opened.mouse.up()
        assert abs(float(box.evaluate("(box) => parseFloat(box.style.getPropertyValue('--at'))")) - 100 * share) <= 1.5
    opened.keyboard.press("Escape")


def photo(path: Path, size: tuple[int, int] = (96, 64)) -> Path:
    ramp = np.linspace(0, 255, size[0], dtype=np.uint8)
    Image.fromarray(np.stack([np.tile(ramp, (size[1], 1))] * 3, -1)).save(path)
    return path


def test_ctrl_enter_waits_for_the_mask_that_was_just_painted(opened: Any, studio: Running, tmp_path: Path) -> None:
    if not opened.locator("#image-editor .painter").is_visible():
        opened.click("#image-from > button")
    opened.set_input_files("#image-editor input[type=file]", photo(tmp_path / "own.png"))
    opened.locator("#image-editor .painter:not([aria-busy]) canvas").wait_for()
    waiting: list[Any] = []
    opened.route("**/api/v1/inputs", lambda route: waiting.append(route))
    paint(opened, "#image-editor")
    until(lambda: opened.wait_for_timeout(20) or waiting, "the mask was not sent")
    opened.keyboard.press("Control+Enter")
    opened.wait_for_timeout(300)
    assert studio.get("/api/v1/jobs") == [] and not opened.locator(".studio-problem:visible").count()
    before = {output["id"] for output in studio.get("/api/v1/outputs?kind=image&limit=200")}
    waiting[0].continue_()
    made = until(lambda: [output for output in studio.get("/api/v1/outputs?kind=image&limit=200") if output["id"] not in before], "nothing was drawn")
    assert made[0]["metadata"]["params"]["mask"] and painted_share(opened, "#image-editor") > 0


def drop(page: Any, path: Path, kind: str = "image/png") -> None:
    """A file falls on the page beside all controls."""
    settled(page)
    script = """([bytes, name, kind]) => { const held = new DataTransfer(); held.items.add(new File([new Uint8Array(bytes)], name, { type: kind }));
      document.querySelector('#image-view').dispatchEvent(new DragEvent('drop', { dataTransfer: held, bubbles: true, cancelable: true })); }"""
    page.evaluate(script, [list(path.read_bytes()), path.name, kind])


def test_a_dropped_picture_brings_its_settings_back_at_once_and_a_photo_can_be_begun_from(opened: Any, studio: Running, tmp_path: Path) -> None:
    made = draw(opened, studio)[0]
    file = next((studio.data / "outputs").rglob(f"*{made[:8]}.png"))
    prompt(opened).fill("something else")
    drop(opened, file)
    opened.wait_for_function("() => document.querySelector('#image-prompt textarea').value === 'a red heart'")
    assert opened.locator("dialog[open]").count() == 0
    drop(opened, photo(tmp_path / "holiday.png"))
    opened.locator("#seisei-told").get_by_role("button", name="Begin from it").click()
    opened.locator("#image-editor .painter:not([aria-busy]) canvas").wait_for()
    assert opened.locator("#image-editor canvas").evaluate("(canvas) => [canvas.width, canvas.height]") == [96, 64]


def test_a_picture_that_is_taken_away_leaves_nothing_to_extend(opened: Any, studio: Running, tmp_path: Path) -> None:
    drop(opened, photo(tmp_path / "own.png"))
    opened.locator("#seisei-told").get_by_role("button", name="Begin from it").click()
    opened.locator("#image-editor .painter:not([aria-busy]) canvas").wait_for()
    settled(opened)
    opened.locator("button.label-wrap:visible", has_text="Extend").click()
    wider = opened.get_by_label("Extend right").locator("visible=true").first
    wider.fill("64")
    opened.keyboard.press("Tab")
    opened.locator("#image-editor").get_by_role("button", name="Take the picture away").click()
    opened.wait_for_function("() => document.querySelector('#image-shape input').value === 'Square 1:1'")
    assert wider.input_value() == "0"
    draw(opened, studio)
    opened.locator("button.label-wrap:visible", has_text="Extend").click()


def choose(page: Any, name: str) -> None:
    page.get_by_label("Model", exact=True).locator("visible=true").first.click()
    page.get_by_role("option", name=name).locator("visible=true").first.click()
    settled(page)


def restyle(page: Any) -> Any:
    button = page.locator("[data-task=restyle] >> visible=true")
    settled(page)
    if not button.count():
        page.get_by_role("button", name="Examples and tasks").click()
    return button


def test_a_photo_is_restyled_by_the_style_page_or_by_a_model_that_can_in_one_click(opened: Any, studio: Running, tmp_path: Path) -> None:
    draw(opened, studio)
    opened.get_by_role("button", name="Examples and tasks").click()
    opened.locator("[data-task=pixel]").click()
    until(lambda: len(studio.get("/api/v1/jobs")) or None, "the task did not begin")
    until(lambda: not studio.get("/api/v1/jobs"), "the task did not end")
    settled(opened)
    assert not opened.locator("#seisei-told", has_text="Give your picture").count(), "it needs none"
    restyle(opened).click()
    opened.wait_for_selector("#image-style-go >> visible=true")
    tab(opened, "Create")
    choose(opened, "photographer")
    restyle(opened).click()
    opened.locator("#seisei-told", has_text="Give your picture").wait_for()  # the form is filled, which takes a picture away that is given while it is
    settled(opened)
    opened.set_input_files("#image-editor input[type=file]", photo(tmp_path / "own.png"))
    opened.locator("#image-editor .painter:not([aria-busy]) canvas").wait_for()
    before = {output["id"] for output in studio.get("/api/v1/outputs?kind=image&limit=200")}
    restyle(opened).click()
    made = until(lambda: [output for output in studio.get("/api/v1/outputs?kind=image&limit=200") if output["id"] not in before], "nothing was drawn")
    assert made[0]["metadata"]["params"]["image"] and made[0]["metadata"]["params"]["denoising_strength"] == 0.55
    choose(opened, "Stickers")


def test_models_that_come_while_the_page_is_open_are_found_and_get_a_thumbnail(opened: Any, studio: Running) -> None:
    draw(opened, studio)
    path = studio.data / "models" / "lora" / "late.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"lora_unet_x.lora_down.weight": np.zeros((4, 8), np.float32)}, path)
    opened.click("#image-cards-fold > button")
    opened.click("#image-cards-again")
    opened.locator(".card[data-key='lora/late']").click()
    assert "<lora:late:1>" in prompt(opened).input_value()
    opened.locator("#image-thumb", has_text="late").click()
    opened.wait_for_function("() => document.querySelector(\".card[data-key='lora/late'] img\")?.naturalWidth")
    assert path.with_name("late.preview.png").is_file() and opened.locator(".card[data-key='lora/late']").get_attribute("aria-pressed") == "true"


def test_an_example_can_be_taken_back_for_what_was_written(opened: Any, studio: Running) -> None:
    draw(opened, studio)
    prompt(opened).fill("my own long words")
    opened.get_by_role("button", name="Examples and tasks").click()
    opened.locator("[data-example]").first.click()
    opened.wait_for_function("() => document.querySelector('#image-prompt textarea').value !== 'my own long words'")
    opened.click("#image-back")
    opened.wait_for_function("() => document.querySelector('#image-prompt textarea').value === 'my own long words'")


def test_a_view_that_missed_the_end_of_its_job_shows_it_by_itself(opened: Any, studio: Running) -> None:
    """As after the computer slept: the view says that a job is at work which has ended meanwhile."""
    draw(opened, studio)
    job = studio.wait(studio.post("/api/v1/pipelines/image.generate", prompt="a red heart", model="stickers", steps=3, upscale=1.0)["id"])
    remember(studio, "image.job", job["id"])
    opened.evaluate("(job) => { const mark = document.createElement('i'); mark.hidden = true; mark.dataset.follows = job; document.querySelector('#image-view .image-stage').append(mark); }", job["id"])
    opened.locator(f'#image-view button[data-output="{job["outputs"][0]}"]').wait_for()
    assert not opened.locator("[data-follows]").count()
