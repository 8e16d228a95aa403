"""What a control network will see, shown beside its settings before anything is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.browser.driving import needs_browser, tab
from tests.running import Running

pytestmark = needs_browser
SHARED = True
WAIT = 90_000


def test_a_prepared_picture_is_shown_at_the_size_that_is_drawn(page: Any, studio: Running, tmp_path: Path) -> None:
    page.set_default_timeout(WAIT)
    tab(page, "Image")
    page.wait_for_selector("#image-view .image-stage")
    page.click("#image-advanced > button")
    page.locator("#image-advanced .label-wrap", has_text="Control").first.click()
    page.locator("#image-advanced .label-wrap", has_text="Control 1").click()
    page.click("#image-control-show")
    page.locator("#image-control-seen .studio-error", has_text="sees the picture as it is").wait_for()
    page.get_by_label("Control 1 preparation").click()
    page.get_by_role("option", name="Lines", exact=True).click()
    page.click("#image-control-show")
    page.locator("#image-control-seen .studio-error", has_text="no picture that guides").wait_for()
    ground = np.full((90, 160, 3), 230, np.uint8)
    ground[20:70, 60:100] = 30
    Image.fromarray(ground).save(tmp_path / "box.png")
    page.locator(".block", has=page.get_by_text("Control 1 picture")).last.locator("input[type=file]").set_input_files(tmp_path / "box.png")
    page.locator(".block", has=page.get_by_text("Control 1 picture")).last.locator("img").first.wait_for()
    page.click("#image-control-show")
    seen = page.locator("#image-control-seen img")
    seen.wait_for()
    made = studio.get("/api/v1/outputs?pipeline=image.annotate&limit=1")[0]["metadata"]
    assert seen.evaluate("(img) => img.decode().then(() => [img.naturalWidth, img.naturalHeight])") == [made["params"]["width"], made["params"]["height"]]
    assert made["params"]["method"] == "Lines" and made["params"]["width"] == made["params"]["height"] > 0
    page.locator("#image-control-stop").wait_for(state="hidden")
