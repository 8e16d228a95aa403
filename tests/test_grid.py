"""Grids: axes read as the ecosystem writes them, every cell the picture it would be alone, one sheet, goes on where it broke off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor, ImageFont
from PIL.PngImagePlugin import PngImageFile

from pipelines.axes import NOTHING
from pipelines.image import grid, settle
from pipelines.image.axes import MATRIX, MATRIX_FIRST, ORDER, PROMPTS, REPLACE, SIZE, STYLES, read
from pipelines.image.generate import Generate
from pipelines.image.grid import MISSING, GridParams, cells, draw_sheet
from pipelines.image.legend import label, wrapped
from pipelines.image.pictures import open_picture, png
from studio.api import BadInput, StudioError, font_for
from studio.jobs import Job, JobQueue
from tests.house import progress_of
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
        ({"x_axis": "Width", "x_values": "32, 33"}, "width"), ({"x_axis": SIZE, "x_values": "512"}, "x_values"), ({"x_axis": SIZE, "x_values": "33x32"}, "width"), ({"x_axis": ORDER, "x_values": "red, dog"}, "x_values"),
        ({"x_axis": ORDER, "x_values": "a, r, e, d, c, t"}, "x_values"),
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


@pytest.mark.parametrize(
    ("values", "prompts"),
    [
        ({"x_axis": MATRIX_FIRST, "x_values": "fog, snow"}, ["a red cat", "fog, a red cat", "snow, a red cat", "fog, snow, a red cat"]), ({"x_axis": ORDER, "x_values": "red, cat"}, ["a red cat", "a cat red"]),
        ({"x_axis": ORDER, "x_values": "cat, red"}, ["a cat red", "a red cat"]), ({"prompt": "cat, cat food, b", "x_axis": ORDER, "x_values": "cat food, cat"}, ["cat food, cat, b", "cat, cat food, b"]),
        ({"prompt": "a, b; c", "x_axis": ORDER, "x_values": '"a, b", c'}, ["a, b; c", "c; a, b"]),
    ],
)  # fmt: skip
def test_words_are_put_before_the_prompt_or_in_every_order(values: dict[str, Any], prompts: list[str]) -> None:
    found = [made["prompt"] for _, made in cells(GridParams(**(BASE | values)))]
    assert found == prompts


def test_an_axis_of_styles_joins_their_words_last_of_all(queue: JobQueue) -> None:
    styles = [{"name": "Ink", "prompt": "ink drawing of {prompt}", "negative_prompt": "photo"}, {"name": "Dusk", "prompt": "at dusk, red light", "negative_prompt": ""}]
    values = BASE | {"negative_prompt": "fog", "styles": styles, "x_axis": STYLES, "x_values": 'None, Ink, Dusk, "Dusk, Ink"', "y_axis": REPLACE, "y_values": "red, blue"}
    found = [made for _, made in cells(GridParams.parse(values))]
    assert [made["prompt"] for made in found[4:]] == ["a blue cat", "ink drawing of a blue cat", "a blue cat, at dusk, red light", "ink drawing of a blue cat, at dusk, red light"]
    assert [made["negative_prompt"] for made in found[:4]] == ["fog", "fog, photo", "fog", "fog, photo"]
    with pytest.raises(BadInput, match="There is no style “Oil”") as told:
        queue.submit("image.grid", values | {"x_values": "Ink, Oil"}, owner="local")
    assert told.value.field == "x_values"
    job = run(queue, styles=styles, x_axis=STYLES, x_values="None, Ink")
    plain, inked = (queue.store.output(key) for key in job.outputs[:2])
    assert (plain.metadata["params"]["prompt"], inked.metadata["params"]["prompt"]) == ("a red cat", "ink drawing of a red cat")


def test_a_size_is_both_sides_and_seeds_differ_along_the_axes_that_were_asked_for() -> None:
    params = GridParams(**(BASE | {"x_axis": SIZE, "x_values": "64x32, 32 × 64", "y_axis": "Steps", "y_values": "1, 2", "z_axis": "CLIP skip", "z_values": "1, 2", "seed": 2**32 - 1}))
    assert [(values["width"], values["height"]) for _, values in cells(params)][:2] == [(64, 32), (32, 64)]
    for along, seeds in (("", [-1] * 8), ("x", [-1, 0] * 4), ("z", [-1] * 4 + [0] * 4), ("xyz", list(range(-1, 7))), ("xz", [-1, 0, -1, 0, 1, 2, 1, 2])):
        assert [values["seed"] for _, values in cells(params.model_copy(update={"other_seeds": along}))] == [seed % 2**32 for seed in seeds], along


def test_the_sheet_keeps_proportions_and_shows_what_is_missing() -> None:
    wide, high = Image.new("RGB", (64, 32), "teal"), Image.new("RGB", (32, 64), "navy")
    sheet = draw_sheet({0: wide, 2: high}, {"x": ("Seed", ["1", "2", "3"]), "y": (NOTHING, [""]), "z": (NOTHING, [""])})
    top = sheet.height - 70
    across = [[sheet.getpixel((column * 70 + x, top + 32)) for x in (4, 32, 60)] for column in range(3)]
    assert across == [[(0, 128, 128)] * 3, [ImageColor.getrgb(MISSING)] * 3, [(255, 255, 255), (0, 0, 128), (255, 255, 255)]]


def test_the_sheet_grows_by_the_lines_of_its_labels() -> None:
    pictures = dict.fromkeys(range(2), Image.new("RGB", (64, 64), "teal"))
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


def press_at(queue: JobQueue, monkeypatch: pytest.MonkeyPatch, seed: int, mode: str) -> None:
    """That button, while the cell with that seed is drawn."""
    worker, draw = queue.executors["device"].worker, Generate.draw  # type: ignore[attr-defined]

    def drawn(self: Generate, params: Any, *given: Any, **more: Any) -> Any:
        if params.seed == seed:
            worker.context.stop(mode)
        return draw(self, params, *given, **more)

    monkeypatch.setattr(Generate, "draw", drawn)


def test_skip_leaves_one_cell_out_and_it_can_be_drawn_later(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"x_axis": "Seed", "x_values": "1, 2", "y_axis": "Steps", "y_values": "2, 3"}
    whole = run(queue, **values)
    with monkeypatch.context() as pressed:
        press_at(queue, pressed, 2, "skip")
        short = run(queue, **values)
    made = [queue.store.output(output).metadata for output in short.outputs]
    assert [one["params"]["seed"] for one in made[:-1]] == [1, 1] and [one["facts"]["cell"] for one in made[:-1]] == [0, 2] and (short.summary["cells"], short.summary["of"]) == (2, 4)
    again = run(queue, **values, done=[queue.desk.inputs.keep(Path(queue.store.output(output).path).read_bytes()) for output in short.outputs[:-1]])
    assert [queue.store.output(output).metadata["facts"].get("cell") for output in again.outputs] == [1, 3, None], "only what was left out, each in its place"
    sheets = [np.asarray(open_picture(Path(queue.store.output(job.outputs[-1]).path))) for job in (whole, short, again)]
    assert (sheets[0] == sheets[2]).all() and (sheets[0] != sheets[1]).any() and sheets[0].shape == sheets[1].shape


def test_progress_is_that_of_the_whole_grid(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    told = progress_of(queue, monkeypatch)
    run(queue, x_axis="Steps", x_values="2, 4, 3", prompt="a new blue dog")
    assert list(dict.fromkeys(event.note for event in told)) == ["Cell 1 of 3: Steps: 2", "Cell 2 of 3: Steps: 4", "Cell 3 of 3: Steps: 3", "Saving"]
    done = [event.step / event.total for event in told]
    assert done == sorted(done) and done[-1] == 1 and {0, 1 / 3, 2 / 3} <= set(done), "each cell begins where the one before ended"
    assert any(event.total == 3 * 4 and 4 < event.step < 8 for event in told) or len(told) <= 7, "steps inside a cell count"


def test_the_time_left_knows_that_cells_take_more_or_less_steps() -> None:
    told: list[tuple[Any, ...]] = []
    ctx: Any = SimpleNamespace(progress=lambda *given: told.append(given))
    for number in range(3):
        grid.Cell(ctx, number, [10.0, 20.0, 70.0], "x").progress(1, 2)
    assert told == [(1, 6, "x", 0.05), (3, 6, "x", 0.2), (5, 6, "x", 0.65)]


def test_cells_are_held_no_larger_than_the_sheet_shows_them(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[dict[int, Image.Image]] = []
    monkeypatch.setattr(grid, "MOST_SHEET_PIXELS", 3 * 20 * 20)
    monkeypatch.setattr(grid, "draw_sheet", lambda pictures, *given: (held.append(pictures), draw_sheet(pictures, *given))[1])
    whole = run(queue, x_axis="Seed", x_values="1, 2, 3")
    run(queue, x_axis="Seed", x_values="1, 2, 3", done=[queue.desk.inputs.keep(Path(queue.store.output(output).path).read_bytes()) for output in whole.outputs[:2]])
    assert [{number: picture.size for number, picture in pictures.items()} for pictures in held] == [dict.fromkeys(range(3), (20, 20))] * 2


def test_stop_acts_while_the_sheet_is_drawn_and_keeps_the_cells(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = queue.executors["device"].worker  # type: ignore[attr-defined]
    monkeypatch.setattr(grid, "draw_sheet", lambda *given: (worker.context.stop("cancel"), draw_sheet(*given))[1])
    job = queue.submit("image.grid", BASE | {"x_axis": "Seed", "x_values": "1, 2"}, owner="local").wait()
    assert job.state == "cancelled" and len(job.outputs) == 2


def test_a_given_picture_is_looked_at_once_for_all_cells(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    looked, load = [], PngImageFile.load
    key = queue.desk.inputs.keep(png(Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB")))
    settle._looked_at.cache_clear()
    monkeypatch.setattr(PngImageFile, "load", lambda self: (looked.append(self), load(self))[1])
    queue.pipelines["image.grid"].settle(GridParams(**(BASE | {"image": key, "x_axis": "Seed", "x_values": "1-9"})), queue.desk)  # type: ignore[attr-defined]
    assert len({id(one) for one in looked}) == 1


def _decoded(data: bytes) -> np.ndarray:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(data)) as file:
        return np.asarray(file.convert("RGB"))
