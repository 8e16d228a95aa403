"""Grids of styles: every cell the picture it would be alone, one sheet, and axes that are wrong refused at their fields."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.image.style.grid import StyleGrid, StyleGridParams, cells
from studio.api import Catalog, StudioError
from studio.jobs import JobQueue
from studio.metadata import extract
from studio.worker import WorkerContext
from tests.house import finish
from tests.image_models import image_queue
from tests.style_pictures import encoded, painting, pixels

GRID = "image.style_grid"


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("grid")
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


@pytest.fixture(scope="module")
def content(queue: JobQueue) -> str:
    return queue.desk.inputs.keep(encoded(painting(23).resize((48, 32))))


AXES = {"x_axis": "Styles", "x_values": '7, "Dusk: 0.5, Night dots: 0.5"', "y_axis": "Strength", "y_values": "0.4-0.8 (+0.4)", "z_axis": "Colours", "z_values": "style, matched"}


def test_every_cell_is_the_picture_it_would_be_alone_and_all_make_a_sheet(queue: JobQueue, content: str) -> None:
    job = queue.submit(GRID, {"settings": {"image": content, "size": 32}} | AXES, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    outputs = [queue.store.output(one) for one in job.outputs]
    assert len(outputs) == 9 and job.summary["cells"] == job.summary["of"] == 8
    told = [extract(Path(output.path)) for output in outputs]
    assert [(one["params"]["styles"], one["params"]["strength"], one["params"]["colours"]) for one in told[:3]] == [("7", 0.4, "Style"), ("Dusk: 0.5, Night dots: 0.5", 0.4, "Style"), ("7", 0.8, "Style")]
    assert told[-2]["params"]["colours"] == "Matched" and told[-1]["pipeline"] == GRID
    for number in (1, 6):
        alone = queue.submit(told[number]["pipeline"], told[number]["params"], owner="local").wait()
        assert (pixels(queue.store.output(alone.outputs[0]).path) == pixels(outputs[number].path)).all()
    seen = [pixels(output.path) for output in outputs[:8]]
    assert len({picture.tobytes() for picture in seen}) == 8
    sheet = pixels(outputs[8].path)
    assert sheet.shape[0] > 4 * 21 and sheet.shape[1] > 2 * 32
    assert job.summary["pace"]["cell"] > 0 and StyleGrid().seconds(StyleGridParams(settings={"image": content}, **AXES), Catalog([]), {"cell": 2.0}) == 16


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"x_axis": ""}, "x_axis", "no axis"), ({"x_axis": "Steps"}, "x_axis", "no axis “Steps”"), ({"x_values": " "}, "x_values", "no values"), ({"x_values": "Dusk, Nothing"}, "x_values", "no style “Nothing”"),
        ({"x_axis": "Strength", "x_values": "a"}, "x_values", "no number"), ({"x_axis": "Strength", "x_values": "0.5, 2"}, "x_values", "at most 1"), ({"x_values": "7, 8", "y_axis": "Longer side", "y_values": "16-600"}, "x_values", "802 cells"),
        ({"settings": {"strength": 3}}, "settings", "at most 1"), ({"settings": {}}, "settings", "no picture"), ({"settings": {"imgae": ""}}, "settings", "no setting"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_at_its_field_before_the_first_cell(queue: JobQueue, content: str, values: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(StudioError) as told:
        queue.submit(GRID, {"settings": {"image": content}, "x_axis": "Styles", "x_values": "Dusk, Red glow"} | values, owner="local")
    assert told.value.field == field and words in told.value.message and told.value.hint


def test_enlarging_and_annotating_are_compared_and_done_for_many(queue: JobQueue, content: str) -> None:
    for method, settings, axes, key in (
        ("image.upscale", {"scale": 2.0}, {"x_axis": "Upscaler", "x_values": "Nearest, Lanczos", "y_axis": "Enlarge", "y_values": "2, 3"}, "scale"),
        ("image.annotate", {}, {"x_axis": "Method", "x_values": "Lines, Canny", "y_axis": "Detail", "y_values": "0.2, 0.8"}, "method"),
    ):  # fmt: skip
        job = queue.submit(GRID, {"method": method, "settings": settings | {"image": content}} | axes, owner="local").wait()
        assert job.error is None and len(job.outputs) == 5, job.error
        told = [extract(Path(queue.store.output(one).path)) for one in job.outputs]
        assert [one["pipeline"] for one in told] == [method] * 4 + [GRID] and len({one["params"][key] for one in told[:4]}) == 2
        alone = queue.submit(method, told[1]["params"], owner="local").wait()
        assert (pixels(queue.store.output(alone.outputs[0]).path) == pixels(queue.store.output(job.outputs[1]).path)).all()
        many = queue.submit("image.style_batch", {"method": method, "settings": settings, "images": [content] * 2, "names": ["a.png", "b.png"]}, owner="local").wait()
        assert many.error is None and [queue.store.output(one).title.partition(" ")[0] for one in many.outputs] == ["a", "b"]
        assert not {"Picture", "More pictures"} & set(StyleGrid().axes(method))


@pytest.mark.parametrize(("method", "field"), [("image.style_blend", "upscale"), ("image.upscale", "scale")])
def test_what_is_left_to_the_studio_is_settled_for_each_cell(queue: JobQueue, content: str, method: str, field: str) -> None:
    """The upscaler that fits depends on the size, which an axis changes."""
    axes = {"x_axis": "Enlarge", "x_values": "2, 3", "y_axis": "Upscaler", "y_values": "Automatic, Nearest"}
    job = queue.submit(GRID, {"method": method, "settings": {"image": content}} | axes, owner="local").wait()
    assert job.error is None and len(job.outputs) == 5, job.error
    told = [extract(Path(queue.store.output(one).path))["params"] for one in job.outputs[:4]]
    assert [(one[field], one["upscaler"]) for one in told] == [(2, "Real-ESRGAN"), (3, "Real-ESRGAN"), (2, "Nearest"), (3, "Nearest")]
    assert [pixels(queue.store.output(one).path).shape[:2] for one in job.outputs[:2]] == [(64, 96), (96, 144)]


def test_axes_are_the_settings_of_the_method() -> None:
    grid = StyleGrid()
    assert "Stroke size" in grid.axes("image.style_blend") and "Change" in grid.axes("image.style_diffuse") and "Weight of style 2" in grid.axes("image.style_any")
    assert not {"Picture", "Mask", "Style picture"} & set(grid.axes("image.style_any"))


def test_a_grid_that_was_broken_off_goes_on_after_the_last_cell(queue: JobQueue, content: str, tmp_path: Path) -> None:
    params = StyleGridParams(settings={"image": content}, x_axis="Styles", x_values="7, 8, 9")
    kept = [tmp_path / f"{number}.png" for number in range(2)]
    for path in kept:
        path.write_bytes(encoded(painting(1).resize((48, 32))))
    context = WorkerContext(queue.executors["device"].worker, {"job": "again", "params": {}, "kept": [str(path) for path in kept]})  # type: ignore[attr-defined]
    made: list[dict[str, Any]] = []
    context.output = lambda artifact: made.append(artifact.origin["params"])  # type: ignore[method-assign]
    result = StyleGrid().run(params, context)
    assert [values["styles"] for values in made] == ["9"] and result.summary["cells"] == 3 and len(result.artifacts) == 1
    need = StyleGrid().need(params, queue.catalog)
    assert need.facts["cells"] == 3 and not need.missing and "no picture" in StyleGrid().need(StyleGridParams(x_axis="Styles", x_values="7"), queue.catalog).missing
    assert np.shape([labels for labels, _ in cells(params)]) == (3, 3)
