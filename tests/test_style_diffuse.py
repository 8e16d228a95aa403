"""Style by diffusion: image.generate under the style controls; what a model's family can't follow is refused at its field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image import enlarge, register_models
from pipelines.image.style.diffuse import Diffuse, DiffuseParams
from pipelines.image.style.presets import PRESETS, worded
from studio.api import Catalog, ModelTooLarge, StudioError
from studio.jobs import JobQueue
from studio.metadata import extract
from tests.house import finish
from tests.image_models import image_queue, make_sd1
from tests.style_pictures import encoded, painting, pixels
from tests.test_second_model import write_ip_adapter

DIFFUSE = "image.style_diffuse"
WIDTH, HEIGHT = 48, 32


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("diffuse")
    make_sd1(root / "models" / "sd1")
    follows = make_sd1(root / "models" / "pix2pix", channels=8) / "model_index.json"
    follows.write_text(follows.read_text().replace('"StableDiffusionPipeline"', '"StableDiffusionInstructPix2PixPipeline"'))
    write_ip_adapter(root / "models")
    made = image_queue(root / "data", root / "models")
    made.catalog._extra = lambda: register_models(made.settings)
    made.start()
    yield made
    finish(made)


@pytest.fixture(scope="module")
def content(queue: JobQueue) -> str:
    return queue.desk.inputs.keep(encoded(painting(23).resize((WIDTH, HEIGHT))))


def made(queue: JobQueue, **values: Any) -> Path:
    given = {"prompt": "a red cat", "model": "sd1", "steps": 4, "seed": 5, "cfg_scale": 4.0} | values
    job = queue.submit(DIFFUSE, given, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    assert len(job.outputs) == 1, "the drawing itself is no result of its own"
    return Path(queue.store.output(job.outputs[0]).path)


def test_each_control_changes_the_picture(queue: JobQueue, content: str) -> None:
    styles = [queue.desk.inputs.keep(encoded(painting(number))) for number in (3, 14)]
    mask = queue.desk.inputs.keep(encoded(Image.fromarray(np.uint8(np.arange(WIDTH)[None].repeat(HEIGHT, 0) < WIDTH // 2) * 255)))
    plain = pixels(made(queue, image=content))
    assert plain.shape == (HEIGHT, WIDTH, 3) and (plain == pixels(made(queue, image=content))).all(), "the same settings give the same bytes"
    seen = [plain]
    for values in (
        {"prompt": "a blue dog"}, {"preset": "Watercolour"}, {"preset": "Ink drawing"}, {"style": styles[0]}, {"style": styles[1]}, {"style": styles[0], "reference_weight": 1.2}, {"change": 0.9}, {"steps": 6}, {"cfg_scale": 8.0},
        {"seed": 6}, {"strength": 0.5}, {"colours": "Matched"}, {"mask": mask}, {"mask": mask, "mask_blur": 0}, {"size": 64}, {"upscale": 2.0, "upscaler": "Nearest"},
    ):  # fmt: skip
        picture = pixels(made(queue, image=content, **values))
        assert not any(picture.shape == other.shape and (picture == other).all() for other in seen), values
        seen.append(picture)
    before = pixels(queue.desk.inputs.path(content))
    assert (pixels(made(queue, image=content, mask=mask, mask_blur=0))[:, WIDTH // 2 :] == before[:, WIDTH // 2 :]).all()
    assert (pixels(made(queue, image=content, strength=0.0)) == before).all()


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"image": ""}, "image", "no picture"), ({"preset": "Rembrandt"}, "preset", "no manner"), ({"model": "gone"}, "model", "not on this computer"), ({"model": "pix2pix"}, "model", "by an instruction"),
        ({"model": "stickers", "preset": "Comic"}, "preset", "one manner only"), ({"model": "stickers", "style": "+"}, "style", "no IP-Adapter"), ({"reference_weight": 1.0}, "reference_weight", "no style picture"),
        ({"prompt": "a (cat"}, "prompt", "never closed"), ({"change": 0.01}, "change", "at least 0.05"), ({"image": "moving"}, "image", "moves"), ({"size": 16384}, "size", "megapixels"),
    ],
)  # fmt: skip
def test_what_can_not_be_done_is_refused_at_its_field(queue: JobQueue, content: str, values: dict[str, Any], field: str, words: str) -> None:
    frames = [painting(number).resize((32, 32)) for number in (1, 2)]
    moving = queue.desk.inputs.keep(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    keys = {"+": content, "moving": moving}
    given = {"image": content, "model": "sd1"} | {name: keys.get(value, value) if isinstance(value, str) else value for name, value in values.items()}
    with pytest.raises(StudioError) as told:
        queue.submit(DIFFUSE, given, owner="local")
    assert told.value.field == field and words in told.value.message and told.value.hint


def test_the_file_carries_its_settings_and_they_make_it_again(queue: JobQueue, content: str) -> None:
    path = made(queue, image=content, preset="Comic", seed=-1)
    params, refused = DiffuseParams.restore(extract(path)["params"], 1)
    assert not refused and params.seed >= 0 and params.model == "sd1" and params.preset == "Comic"
    assert (pixels(made(queue, **params.model_dump())) == pixels(path)).all()


def test_the_adapter_is_the_first_that_fits_or_the_one_that_is_chosen(queue: JobQueue, content: str) -> None:
    method: Any = queue.pipelines[DIFFUSE]
    fitting = method.adapters("sd1", queue.catalog)
    assert fitting and method.adapters("stickers", queue.catalog) == [] == method.adapters("gone", queue.catalog)
    first = extract(made(queue, image=content, style=content))["params"]["reference_model"]
    assert first == fitting[0] and extract(made(queue, image=content, style=content, reference_model=fitting[0]))["params"]["reference_model"] == first
    for values, field in (({"reference_model": first}, "reference_model"), ({"reference_model": "nowhere", "style": content}, "reference_model")):
        with pytest.raises(StudioError) as told:
            queue.submit(DIFFUSE, {"image": content, "model": "sd1"} | values, owner="local")
        assert told.value.field == field


def test_a_drawn_picture_is_not_lost_where_enlarging_it_fails(queue: JobQueue, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any, **more: Any) -> Any:
        raise ModelTooLarge("Too large.")

    monkeypatch.setattr(enlarge, "enlarged", fails)
    job = queue.submit(DIFFUSE, {"image": content, "model": "sd1", "steps": 2, "upscale": 2.0, "upscaler": "Nearest"}, owner="local").wait()
    assert job.state == "done" and pixels(queue.store.output(job.outputs[0]).path).shape == (HEIGHT, WIDTH, 3) and job.summary["notes"][-2:] == [enlarge.NOT_ENLARGED, "Too large."]


def test_a_preset_adds_its_words_and_keeps_others_out() -> None:
    assert worded(" a cat ", "") == ("a cat", "") and worded("", "Comic")[0] == PRESETS["Comic"][0]
    assert worded("a cat", "Comic") == (f"a cat, {PRESETS['Comic'][0]}", PRESETS["Comic"][1])
    assert Diffuse().presets() == list(PRESETS)


def test_need_and_time_are_those_of_the_drawing(queue: JobQueue, content: str) -> None:
    diffuse = Diffuse()
    assert "no picture" in diffuse.need(DiffuseParams(), Catalog([])).missing and "no image model" in diffuse.need(DiffuseParams(image=content), Catalog([])).missing
    need = diffuse.need(DiffuseParams(image=content, model="sd1"), queue.catalog)
    assert need.weight_bytes > 100_000 and not need.missing
    made(queue, image=content)
    assert queue.verdict(queue.pipelines[DIFFUSE], DiffuseParams(image=content, model="sd1", steps=4)).seconds > 0


@pytest.mark.slow
def test_the_model_that_comes_along_draws_a_picture_anew(queue: JobQueue) -> None:
    key = queue.desk.inputs.keep(encoded(painting(12)))
    values = {"image": key, "model": "stickers", "prompt": "a cat", "steps": 0}
    before = pixels(queue.desk.inputs.path(key))
    little, much = (pixels(made(queue, **values, change=change)) for change in (0.15, 0.9))
    assert little.shape == much.shape == before.shape and 4 < np.abs(little - before).mean() < 0.8 * np.abs(much - before).mean()
