"""Qwen-Image-Layered: a picture taken apart into layers as bare diffusers does it, each kept with its alpha and its place; refused where layers can't be worked with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image import generate
from pipelines.image.families import family_of
from pipelines.image.generate import Generate
from pipelines.image.infotext import read
from pipelines.image.nets.captions import shortened
from pipelines.image.nets.processors import loaded
from pipelines.image.params import ImageParams
from pipelines.image.pictures import png
from pipelines.image.prompt.grammar import parse
from pipelines.image.prompt.schedule import plain, written
from pipelines.image.settle import default_model, unit_of
from pipelines.image.style.diffuse import DiffuseParams, check_family
from pipelines.image.track import pieces
from studio.api import BadInput
from studio.host import Output
from studio.jobs import JobQueue
from tests.house import progress_of
from tests.image_models import drawing, make_sd1
from tests.more_models import layered

WIDTH, HEIGHT = 96, 64


def make_layered(folder: Path) -> Path:
    import torch

    torch.manual_seed(1)
    layered(None, folder.parent).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    with drawing(tmp_path_factory.mktemp("layers"), {"layered": make_layered, "sd1": make_sd1}) as going:
        going.catalog.refresh()
        yield going


def picture(*, alpha: bool = True) -> Image.Image:
    """Ramps, of which the right half can be seen through."""
    across, down = np.meshgrid(np.linspace(0, 255, WIDTH), np.linspace(0, 255, HEIGHT))
    cover = np.where(np.arange(WIDTH)[None] < WIDTH // 2, 255, 90 if alpha else 255) * np.ones((HEIGHT, 1))
    return Image.fromarray(np.stack([across, down, across[:, ::-1], cover], -1).astype(np.uint8))


def asked(queue: JobQueue, **more: Any) -> dict[str, Any]:
    values = {"prompt": "a red cat", "negative_prompt": "fog", "steps": 3, "seed": 5, "upscale": 1.0, "cfg_scale": 4.0, "layers": 3, "model": "layered", "width": WIDTH, "height": HEIGHT}
    return values | {"image": queue.desk.inputs.keep(png(picture()))} | more


def apart(queue: JobQueue, **more: Any) -> list[Output]:
    job = queue.submit("image.generate", asked(queue, **more), owner="local").wait()
    assert job.error is None, (job.error.message, job.error.hint, job.error.traceback)
    return [queue.store.output(key) for key in job.outputs]


def pixels(outputs: list[Output]) -> np.ndarray:
    """[layers, height, width, 4] as the files hold them."""
    found = [Image.open(output.path) for output in outputs]
    assert {image.mode for image in found} == {"RGBA"} and {image.format for image in found} == {"PNG"}
    return np.stack([np.asarray(image) for image in found])


def bare(queue: JobQueue, monkeypatch: pytest.MonkeyPatch, **call: Any) -> np.ndarray:
    """diffusers alone, called as the model's makers do."""
    import torch
    from diffusers import DiffusionPipeline
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_layered

    torch.set_num_threads(1)
    pipe = loaded(DiffusionPipeline, queue.catalog.roots[0] / "layered", dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    told = {"image": picture(), "prompt": "a red cat", "negative_prompt": "fog", "true_cfg_scale": 4.0, "num_inference_steps": 3, "layers": 3, "cfg_normalize": True, "use_en_prompt": True}
    with monkeypatch.context() as patch:  # it knows two sizes, of which the smaller is 640
        patch.setattr(pipeline_qwenimage_layered, "calculate_dimensions", lambda area, ratio: (WIDTH, HEIGHT))
        return np.stack([np.asarray(image) for image in pipe(**told | {"generator": torch.Generator().manual_seed(5)} | call).images[0]])


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and int(np.abs(one.astype(int) - other).max()) <= 1


def test_a_picture_is_taken_apart_as_bare_diffusers_does_it(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_layered

    before = pipeline_qwenimage_layered.calculate_dimensions
    made = pixels(apart(queue))
    assert made.shape == (3, HEIGHT, WIDTH, 4) and alike(made, bare(queue, monkeypatch)) and made.std() > 1
    assert (made[0] != made[1]).any() and (made[..., 3] < 255).any(), "the layers differ, and can be seen through"
    assert pipeline_qwenimage_layered.calculate_dimensions is before
    assert alike(pixels(apart(queue, steps=1)), bare(queue, monkeypatch, num_inference_steps=1))
    for more in ({"prompt": "a blue dog"}, {"negative_prompt": "rain"}, {"cfg_scale": 1.0}, {"image": queue.desk.inputs.keep(png(picture(alpha=False)))}):
        assert (pixels(apart(queue, **more)) != made).any(), more


def test_each_layer_tells_its_place_and_what_it_was_made_with(queue: JobQueue) -> None:
    outputs = apart(queue, layers=0, count=2)
    facts = [output.metadata["facts"] for output in outputs]
    assert [(fact["seed"], fact["layer"], fact["layers"]) for fact in facts] == [(seed, layer, 4) for seed in (5, 6) for layer in (1, 2, 3, 4)], "as many as its makers advise, the lowest first"
    assert [output.title for output in outputs[:4]] == [f"a red cat {layer}/4" for layer in (1, 2, 3, 4)]
    assert {output.metadata["params"]["layers"] for output in outputs} == {4} and read(facts[0]["parameters"])["layers"] == 4
    assert (pixels(outputs[4:]) == pixels(apart(queue, layers=4, seed=6))).all(), "the second picture is the one of its seed"


def test_without_words_the_model_says_what_it_sees(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import QwenImageLayeredPipeline
    from transformers import Qwen2_5_VLForConditionalGeneration

    said: list[str] = []
    say, generate = QwenImageLayeredPipeline.get_image_caption, Qwen2_5_VLForConditionalGeneration.generate

    def heard(pipe: Any, *args: Any, **named: Any) -> str:
        said.append(say(pipe, *args, **named))
        return said[-1]

    monkeypatch.setattr(Qwen2_5_VLForConditionalGeneration, "generate", lambda encoder, **told: generate(encoder, **told | {"max_new_tokens": 12}))
    monkeypatch.setattr(QwenImageLayeredPipeline, "get_image_caption", heard)
    told = progress_of(queue, monkeypatch)
    job = queue.submit("image.generate", asked(queue, prompt=""), owner="local").wait()
    notes, outputs = [event.note for event in told], [queue.store.output(key) for key in job.outputs]
    made = pixels(outputs)
    assert alike(made, bare(queue, monkeypatch, prompt=None)) and len(said) == 2 and said[0] == said[1]
    looking = [note for note in notes if note.startswith("Looking at the picture")]
    assert looking[0] == "Looking at the picture" and looking[-1].startswith("Looking at the picture: ") and notes[notes.index(looking[-1]) + 1] == "Reading the prompt", notes
    kept = {output.metadata["facts"]["prompt"] for output in outputs}
    assert kept == {written(said[0])} and {read(output.metadata["facts"]["parameters"])["prompt"] for output in outputs} == kept
    assert (pixels(apart(queue, prompt=kept.pop())) == made).all() and len(said) == 2, "its own words draw the same again, without another look"


def test_what_a_model_says_is_kept_to_the_letter_or_not_at_all() -> None:
    for words in ("a cat (grey) [old] {x|y} # 5 \\ a:1.2", "猫と犬", "two\nlines"):
        assert plain(parse(written(words)), 1) == words
    assert written("ROCK AND ROLL") == written("<lora:x:1> a") == written("") == ""
    assert [shortened(words) for words in ("a  red\ncat", "")] == ["a red cat", ""] and len(shortened("many words " * 30)) <= 61 and shortened("many words " * 30).startswith("…")


def test_a_job_that_was_broken_off_goes_on_with_the_layer_that_is_missing(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, draw = pixels(apart(queue, layers=2, count=2)), Generate.draw
    monkeypatch.setattr(generate.Generate, "draw", lambda self, params, ctx, keep, done: draw(self, params, ctx, keep, done=3))
    assert (pixels(apart(queue, layers=2, count=2)) == whole[3:]).all()


def test_it_shows_all_layers_in_a_row_and_stops_between_steps(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.image.nets import draw, preview

    shown: list[Image.Image] = []
    plain, after, steps = preview.picture, draw.Watch.after_step, []

    def seen(*given: Any) -> Image.Image:
        shown.append(plain(*given))
        return shown[-1]

    def stopping(watch: Any, pipe: Any, number: int, *rest: Any) -> Any:
        steps.append(number)
        queue.cancel(job.id, by="local")
        return after(watch, pipe, number, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(preview, "picture", seen)
        apart(queue)
    assert shown and all(abs(image.width / image.height - 3 * WIDTH / HEIGHT) < 0.1 for image in shown), [image.size for image in shown]
    monkeypatch.setattr(draw.Watch, "after_step", stopping)
    job = queue.submit("image.generate", asked(queue, steps=9), owner="local")
    job.wait()
    assert job.state == "cancelled" and steps == [0]


def test_what_does_not_go_with_layers_is_refused_at_its_field(queue: JobQueue) -> None:
    key, mask = queue.desk.inputs.keep(png(picture())), queue.desk.inputs.keep(png(Image.new("L", (WIDTH, HEIGHT), 255)))
    unit = unit_of(family_of(queue.catalog.find("layered")))
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"image": ""}, "image", "takes a picture apart"), ({"mask": mask}, "mask", "fill no masks"), ({"extend_right": 64}, "extend_right", "extend no pictures"), ({"model": "sd1", "width": 32, "height": 32}, "layers", "makes no layers"), ({"hires_scale": 2.0}, "hires_scale", "not drawn a second time"),
        ({"together": True, "count": 2}, "together", "one by one"), ({"denoising_strength": 0.5}, "denoising_strength", "through all steps"), ({"width": WIDTH + unit // 2}, "width", f"multiple of {unit}"),
    ]  # fmt: skip
    for values, field, words in cases:
        with pytest.raises(BadInput, match=words) as told:
            queue.submit("image.generate", asked(queue) | {"image": key} | values, owner="local")
        assert told.value.field == field and told.value.hint, values
    with pytest.raises(BadInput, match="several layers") as told:
        queue.submit("image.grid", asked(queue) | {"x_axis": "Steps", "x_values": "2, 3"}, owner="local")
    assert told.value.field == "model"
    entry = queue.catalog.find("layered")
    with pytest.raises(BadInput, match="apart into layers"):
        check_family(DiffuseParams(image=key, prompt="x", model="layered"), entry, family_of(entry))


def test_the_form_shows_the_number_where_there_are_layers_and_memory_counts_them(queue: JobQueue) -> None:
    def told(**values: Any) -> Any:
        return Generate().need(ImageParams.parse({"prompt": "x", "image": "0" * 64 + ".png"} | values), queue.catalog)

    assert [told(model=name).facts["traits"][trait] for name in ("layered", "sd1") for trait in ("layers", "begins")] == [True, False, False, True]
    assert told(model="layered", layers=2).working_bytes < told(model="layered").working_bytes == told(model="layered", layers=4).working_bytes
    assert told(model="layered").facts["advice"]["width"] == 640 and default_model(queue.catalog) == "sd1"
    assert told(model="sd1", layers=9) == told(model="sd1") and Generate().seconds(ImageParams(model="sd1", layers=9), queue.catalog, {}) == Generate().seconds(ImageParams(model="sd1"), queue.catalog, {})
    given = {"prompt": "x", "width": 64, "height": 64, "steps": 2}
    assert [piece.pixels for piece in pieces(ImageParams.parse(given | {"layers": 3}), 1)] == [5 * piece.pixels for piece in pieces(ImageParams.parse(given), 1)]
