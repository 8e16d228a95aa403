"""Grids: axes read as the ecosystem writes them, every cell the picture it would be alone, one sheet, goes on where it broke off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFont

from pipelines.axes import NOTHING
from pipelines.image.axes import MATRIX, PROMPTS, REPLACE, read
from pipelines.image.grid import GridParams, cells, draw_sheet
from pipelines.image.legend import label, wrapped
from pipelines.image.pictures import open_picture
from studio.api import BadInput, StudioError, font_for
from studio.jobs import Job, JobQueue
from tests.image_models import drawing, make_sd1

SIDE = 32


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    with drawing(tmp_path_factory.mktemp("grid"), {"tiny": make_sd1}) as made:
        yield made


BASE: dict[str, Any] = {"prompt": "a red cat", "width": SIDE, "height": SIDE, "steps": 3, "seed": 5, "cfg_scale": 5.0, "sampler": "Euler", "upscale": 1.0}


def run(queue: JobQueue, pipeline: str = "image.grid", **values: Any) -> Job:
    job = queue.submit(pipeline, BASE | values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return job


@pytest.mark.parametrize(
    ("axis", "text", "values"),
    [
        ("Steps", "1-5", ["1", "2", "3", "4", "5"]), ("Steps", "1-10 (+3)", ["1", "4", "7", "10"]), ("Steps", "10-1 (-4)", ["10", "6", "2"]), ("Steps", "1-10 [4]", ["1", "4", "7", "10"]), ("Steps", "4, 8", ["4", "8"]),
        ("CFG scale", "1-2 (+0.5)", ["1", "1.5", "2"]), ("CFG scale", "3.5, 7", ["3.5", "7"]), ("Seed", "-1", ["-1"]), ("Sampler", "Euler, DPM++ 2M", ["Euler", "DPM++ 2M"]), (REPLACE, 'red, "dark, blue"', ["red", "dark, blue"]),
        (PROMPTS, "a cat, red\n\na dog", ["a cat, red", "a dog"]), (MATRIX, "fog, snow", ["", "fog", "snow", "fog, snow"]),
    ],
)  # fmt: skip
def test_values_are_read_as_people_write_them(axis: str, text: str, values: list[str]) -> None:
    assert read(axis, text, "x") == values


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "x_axis"), ({"x_axis": "Colour", "x_values": "1"}, "x_axis"), ({"x_axis": "Steps"}, "x_values"), ({"x_axis": "Steps", "x_values": "few"}, "x_values"), ({"x_axis": REPLACE, "x_values": "dog, fox"}, "x_values"),
        ({"x_axis": "Steps", "x_values": "1-150", "y_axis": "Seed", "y_values": "1-150"}, "x_values"), ({"x_axis": "Sampler", "x_values": "Euler, Eular"}, "sampler"), ({"x_axis": "Steps", "x_values": "1, 500"}, "steps"),
        ({"x_axis": "Width", "x_values": "32, 33"}, "width"),
    ],
)  # fmt: skip
def test_what_can_not_be_drawn_is_refused_before_the_first_cell(queue: JobQueue, values: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as told:
        queue.submit("image.grid", BASE | values, owner="local")
    assert told.value.field == field


def test_whole_prompts_need_none_beside_them(queue: JobQueue) -> None:
    job = run(queue, prompt="", x_axis=PROMPTS, x_values="a cat\na dog", steps=1)
    assert len(job.outputs) == 3
    with pytest.raises(BadInput, match="prompt is empty"):
        run(queue, prompt="", x_axis="Steps", x_values="1, 2")


def test_the_legend_names_its_settings_and_has_letters_for_what_was_written() -> None:
    assert [label("CFG scale", "7"), label("Seamless", "on"), label("Resize", "Fit"), label("Sampler", "Euler a"), label(REPLACE, "dog"), label(MATRIX, ""), label(MATRIX, "fog"), label("", "")] == [
        "CFG scale: 7",
        "Seamless: on",
        "Resize: Fit",
        "Euler a",
        "dog",
        "(prompt alone)",
        "fog",
        "",
    ]
    plain, wide = font_for(["CFG scale: 7"], 16), font_for(["キツネ", "犬"], 16)
    assert plain.getname()[0] == ImageFont.load_default(16).getname()[0]
    if wide.getname() == plain.getname():
        pytest.skip("no font with Japanese letters is installed")
    assert wide.getmask("犬").getbbox() != wide.getmask("\uffff").getbbox() and bytes(wide.getmask("犬")) != bytes(wide.getmask("猫"))


def test_long_labels_go_over_lines_so_that_those_that_begin_alike_stay_apart() -> None:
    font = ImageFont.load_default(12)
    width = font.getlength("on a yellow backg")
    one, other = wrapped("on a yellow background", width, font), wrapped("on a yellow background, small", width, font)
    assert one == ["on a yellow", "background"] and other[0] == "on a yellow" and " ".join(other).endswith("small")
    assert wrapped("", width, font) == [] and wrapped("cat", width, font) == ["cat"]
    long = wrapped("word " * 60, width, font)
    assert len(long) == 3 and long[-1].endswith("…") and all(font.getlength(line) <= width for line in long)
    assert "".join(wrapped("a" * 30, width, font)) == "a" * 30, "letters without blanks are broken anywhere"


def test_the_sheet_grows_by_the_lines_of_its_labels() -> None:
    pictures = [Image.new("RGB", (64, 64), "teal")] * 2
    short, long = (draw_sheet(pictures, {"x": (MATRIX, ["", words]), "y": (NOTHING, [""]), "z": (NOTHING, [""])}) for words in ("fog", "fog over the hills of a far country"))
    assert long.height > short.height and long.width == short.width and (np.asarray(long)[-70:-6, :64] == np.asarray(pictures[0])).all()


def test_axes_work_on_each_others_prompts() -> None:
    params = GridParams(**(BASE | {"x_axis": REPLACE, "x_values": "cat, dog", "y_axis": MATRIX, "y_values": "fog", "z_axis": PROMPTS, "z_values": "one cat\ntwo cat"}))
    assert [values["prompt"] for _, values in cells(params)] == ["one cat", "one dog", "one cat, fog", "one dog, fog", "two cat", "two dog", "two cat, fog", "two dog, fog"]


def test_every_cell_is_the_picture_it_would_be_alone(queue: JobQueue) -> None:
    job = run(queue, x_axis="CFG scale", x_values="2, 6", y_axis=REPLACE, y_values="cat, dog")
    outputs = [queue.store.output(output) for output in job.outputs]
    assert [output.pipeline for output in outputs] == ["image.generate"] * 4 + ["image.grid"]
    for output, (cfg_scale, prompt) in zip(outputs, ((2, "a red cat"), (6, "a red cat"), (2, "a red dog"), (6, "a red dog")), strict=False):
        params = output.metadata["params"]
        assert (params["cfg_scale"], params["prompt"]) == (cfg_scale, prompt)
        alone = queue.store.output(run(queue, "image.generate", cfg_scale=cfg_scale, prompt=prompt).outputs[0])
        assert (np.asarray(open_picture(Path(output.path))) == np.asarray(open_picture(Path(alone.path)))).all()
    sheet = open_picture(Path(outputs[-1].path))
    first = np.asarray(open_picture(Path(outputs[0].path)))
    left, top = sheet.width - 2 * (SIDE + 6), sheet.height - 2 * (SIDE + 6)
    assert left > 0 and top > 0 and (np.asarray(sheet)[top : top + SIDE, left : left + SIDE] == first).all(), "the legend has room, the cells are not scaled"


def test_a_random_seed_is_one_seed_for_all_cells(queue: JobQueue) -> None:
    job = run(queue, seed=-1, x_axis="Steps", x_values="2, 3")
    seeds = {queue.store.output(output).metadata["params"]["seed"] for output in job.outputs[:2]}
    assert len(seeds) == 1 and seeds != {-1}


def test_a_broken_off_grid_goes_on_after_the_cells_it_kept(queue: JobQueue) -> None:
    from pipelines.image.grid import Grid
    from studio.worker import WorkerContext

    job = run(queue, x_axis="Seed", x_values="1, 2, 3")
    worker = queue.executors["device"].worker  # type: ignore[attr-defined]
    kept = [queue.store.output(output).path for output in job.outputs[:2]]
    context = WorkerContext(worker, {"job": "again", "params": {}, "kept": kept})
    made: list[Any] = []
    context.output = made.append  # type: ignore[method-assign]
    result = Grid().run(job.params, context)
    assert len(made) == 1 and made[0].origin["params"]["seed"] == 3
    assert (np.asarray(open_picture(Path(queue.store.output(job.outputs[-1]).path))) == _decoded(result.artifacts[0].data)).all()


def test_a_stopped_grid_goes_on_with_the_pictures_of_its_first_cells(queue: JobQueue) -> None:
    whole = run(queue, x_axis="Seed", x_values="1, 2, 3")
    first = [queue.desk.inputs.keep(Path(queue.store.output(output).path).read_bytes()) for output in whole.outputs[:2]]
    again = run(queue, x_axis="Seed", x_values="1, 2, 3", done=first)
    assert [queue.store.output(output).metadata["params"]["seed"] for output in again.outputs[:1]] == [3] and len(again.outputs) == 2
    sheets = [np.asarray(open_picture(Path(queue.store.output(job.outputs[-1]).path))) for job in (whole, again)]
    assert (sheets[0] == sheets[1]).all() and (again.summary["cells"], again.summary["of"]) == (3, 3)
    for key in ("../studio.db", "0" * 64 + ".png"):
        with pytest.raises(StudioError):
            queue.submit("image.grid", BASE | {"x_axis": "Seed", "x_values": "1, 2", "done": [key]}, owner="local")


def _decoded(data: bytes) -> np.ndarray:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(data)) as file:
        return np.asarray(file.convert("RGB"))
