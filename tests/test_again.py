"""The second pass at high resolution: with words, sampler, size and model of its own it is the picture that image to image makes of the enlarged first one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from pipelines.image.again import larger_size, sampling_again, scaled
from pipelines.image.families import FAMILIES
from pipelines.image.params import ImageParams
from pipelines.image.pictures import open_picture, png
from studio.api import StudioError
from studio.jobs import JobQueue
from tests.house import finish
from tests.image_models import image_queue, make_controlnet, make_flux, make_sd1, make_sdxl, shake

SIDE = 32
BASE = {"model": "large", "prompt": "a red cat", "negative_prompt": "fog", "width": SIDE, "height": SIDE, "steps": 2, "seed": 5, "cfg_scale": 5.0, "sampler": "Euler", "upscale": 1.0, "upscaler": "Lanczos"}
AGAIN = {"hires_scale": 1.5, "hires_steps": 4, "hires_strength": 0.5}


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("again")
    make_sdxl(root / "models" / "large")
    make_twin(make_sdxl(root / "models" / "twin"))
    make_sd1(root / "models" / "tiny")
    make_flux(root / "models" / "flow")
    make_controlnet(root / "models" / "controlnet" / "edges", xl=True)
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


def make_twin(folder: Path) -> None:
    """Another checkpoint over the same latents."""
    import torch
    from diffusers import UNet2DConditionModel

    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    torch.manual_seed(2)
    shake(unet, ("down_blocks", "mid_block", "up_blocks"), 0.1)
    unet.save_pretrained(folder / "unet")


def picture(queue: JobQueue, **values: Any) -> Image.Image:
    job = queue.submit("image.generate", BASE | values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return open_picture(Path(queue.store.output(job.outputs[0]).path))


def drawn(queue: JobQueue, **values: Any) -> np.ndarray:
    return np.asarray(picture(queue, **values)).astype(int)


OWN: dict[str, Any] = {
    "hires_prompt": "a dog", "hires_negative_prompt": "snow", "hires_sampler": "DPM++ 2M", "hires_schedule": "Karras", "hires_model": "twin", "hires_scale": 2.0, "hires_steps": 6, "hires_strength": 0.9,
    "hires_width": 64, "hires_height": 64,
}  # fmt: skip


@pytest.mark.parametrize("field", OWN)
def test_each_of_its_fields_changes_the_picture(queue: JobQueue, field: str) -> None:
    before, after = drawn(queue, **AGAIN), drawn(queue, **AGAIN, **{field: OWN[field]}) if field not in AGAIN else drawn(queue, **(AGAIN | {field: OWN[field]}))
    assert before.shape != after.shape or (before != after).any()


@pytest.mark.parametrize(
    ("own", "same"),
    [
        ({}, {}),
        ({"hires_prompt": "a dog", "hires_negative_prompt": "snow", "hires_sampler": "DPM++ 2M", "hires_schedule": "Karras"}, {"prompt": "a dog", "negative_prompt": "snow", "sampler": "DPM++ 2M", "schedule": "Karras"}),
        ({"hires_model": "twin", "hires_prompt": "a dog"}, {"model": "twin", "prompt": "a dog"}),
        ({"hires_sampler": "DPM++ 2S a"}, {"sampler": "DPM++ 2S a", "schedule": "Uniform"}),
        ({"hires_model": "flow"}, {"model": "flow", "sampler": "Automatic"}),
    ],
    ids=str,
)  # fmt: skip
def test_it_is_image_to_image_of_the_enlarged_first_picture(queue: JobQueue, own: dict[str, Any], same: dict[str, Any]) -> None:
    first = picture(queue)
    large = queue.desk.inputs.keep(png(first.resize((48, 48), Image.Resampling.LANCZOS)))
    wanted = drawn(queue, **{"image": large, "width": 48, "height": 48, "denoising_strength": 0.5, "steps": 4, **same})
    assert (drawn(queue, **AGAIN, **own) == wanted).all()
    assert (np.asarray(picture(queue)) == np.asarray(first)).all(), "the first model is as it was"


def test_a_size_of_other_proportions_is_cut_from_the_middle(queue: JobQueue) -> None:
    first = picture(queue)
    large = queue.desk.inputs.keep(png(ImageOps.fit(first.resize((64, 64), Image.Resampling.LANCZOS), (48, 64), Image.Resampling.LANCZOS)))
    wanted = drawn(queue, image=large, width=48, height=64, denoising_strength=0.5, steps=4)
    assert (drawn(queue, **(AGAIN | {"hires_scale": 1.0}), hires_width=48, hires_height=64) == wanted).all()
    assert drawn(queue, **AGAIN, hires_width=64).shape == (64, 64, 3)


def test_what_the_mask_keeps_is_kept_through_the_second_pass(queue: JobQueue) -> None:
    """As the upscaler made it, to the bit; within the mask it is drawn again."""
    ground, mask = Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB"), Image.new("L", (SIDE, SIDE), 0)
    mask.paste(255, (8, 8, 24, 24))
    given = {"image": queue.desk.inputs.keep(png(ground)), "mask": queue.desk.inputs.keep(png(mask)), "mask_blur": 0, "width": SIDE, "height": SIDE}
    large = np.asarray(picture(queue, **given).resize((48, 48), Image.Resampling.LANCZOS)).astype(int)
    hard = np.asarray(mask.resize((48, 48), Image.Resampling.LANCZOS))
    for sides in ({}, {"hires_width": 48, "hires_height": 48}):
        again = drawn(queue, **given, **AGAIN, **sides)
        assert (again[hard == 0] == large[hard == 0]).all() and (again[hard == 255] != large[hard == 255]).any()
    moved = drawn(queue, **given, only_masked=True, padding=0, **AGAIN)
    assert (moved[:4] == np.asarray(picture(queue, **given, only_masked=True, padding=0).resize((48, 48), Image.Resampling.LANCZOS))[:4]).all()


def test_words_of_the_second_pass_are_expanded_for_each_picture(queue: JobQueue) -> None:
    generate: Any = queue.pipelines["image.generate"]
    asked = ImageParams.parse(BASE | AGAIN | {"count": 2, "hires_prompt": "a {dog}", "hires_negative_prompt": "{snow}"})
    told = generate.expand_prompts(asked, lambda words, seed: words.replace("{dog}", f"dog{seed % 10}").replace("{snow}", f"snow{seed // 2**32}"))
    assert told.hires_prompts == ["a dog5", "a dog6"] and told.hires_negative_prompts == ["snow1", "snow1"] and told.prompts == []
    assert [told.of_picture(number).hires_prompt for number in (0, 1)] == told.hires_prompts and told.of_picture(1).hires_prompts == []


def test_what_guides_the_first_pass_guides_the_second_by_a_model_of_its_family(queue: JobQueue) -> None:
    guided = {"control_model": "edges", "control_image": queue.desk.inputs.keep(png(Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB"))), "control_process": "None"}
    first = picture(queue, **guided)
    large = queue.desk.inputs.keep(png(first.resize((48, 48), Image.Resampling.LANCZOS)))
    wanted = drawn(queue, **guided, image=large, width=48, height=48, denoising_strength=0.5, steps=4, model="twin")
    assert (drawn(queue, **AGAIN, **guided, hires_model="twin") == wanted).all()


def test_each_pass_wears_the_networks_of_its_own_words(queue: JobQueue) -> None:
    """Also in a batch: the second picture's first pass is drawn without what the second pass of the first picture wore."""
    import torch
    from safetensors.torch import load_file, save_file

    layer = "mid_block.resnets.0.time_emb_proj"
    weight = load_file(queue.catalog.roots[0] / "large" / "unet" / "diffusion_pytorch_model.safetensors")[f"{layer}.weight"]
    path = queue.catalog.roots[0] / "lora" / "strong.safetensors"
    path.parent.mkdir()
    name = f"lora_unet_{layer.replace('.', '_')}"
    save_file({f"{name}.lora_down.weight": weight.new_ones(1, weight.shape[1]), f"{name}.lora_up.weight": torch.linspace(-3, 3, weight.shape[0])[:, None].contiguous(), f"{name}.alpha": weight.new_ones(())}, path)
    queue.catalog.refresh()
    queue.executors["device"].worker.catalog.refresh()  # type: ignore[attr-defined]
    worn = {"hires_prompt": "a dog <lora:strong:1>"}
    large = queue.desk.inputs.keep(png(picture(queue).resize((48, 48), Image.Resampling.LANCZOS)))
    again = drawn(queue, **AGAIN, **worn)
    assert (again == drawn(queue, image=large, width=48, height=48, denoising_strength=0.5, steps=4, prompt=worn["hires_prompt"])).all() and (again != drawn(queue, **AGAIN, hires_prompt="a dog")).any()
    job = queue.submit("image.generate", BASE | AGAIN | worn | {"seed": 4, "count": 2}, owner="local").wait()
    assert (np.asarray(open_picture(Path(queue.store.output(job.outputs[1]).path))) == again).all()


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"hires_sampler": "Nothing"}, "hires_sampler", "no sampler"), ({"hires_sampler": "Flow Euler"}, "hires_sampler", "does not go with"), ({"hires_sampler": "LCM", "hires_schedule": "Karras"}, "hires_schedule", "knows no schedule"),
        ({"hires_sampler": "LCM", "conventions": "AUTOMATIC1111"}, "hires_sampler", "conventions"), ({"hires_model": "gone"}, "hires_model", "gone"), ({"hires_prompt": "(a"}, "hires_prompt", "never closed"),
        ({"hires_prompt": "<lora:gone:1>"}, "hires_prompt", "gone"), ({"hires_negative_prompt": "<lora:gone:1>"}, "hires_negative_prompt", "negative prompt"), ({"hires_width": 24}, "hires_width", "larger"),
        ({"hires_width": 50}, "hires_width", "multiple of 8"), ({"hires_height": 256}, "hires_height", "up to 4 times"), ({"hires_model": "tiny"}, "hires_model", "small model"), ({"hires_model": "twin", "refiner": "twin"}, "hires_model", "go on with another model"), ({"hires_prompts": ["a", "b"]}, "hires_prompts", "2 prompts"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_at_its_field(queue: JobQueue, values: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(StudioError, match=words) as told:
        queue.submit("image.generate", BASE | AGAIN | values, owner="local")
    assert told.value.field == field


def test_sizes_and_samplers_of_the_second_pass() -> None:
    sd1, flux = (next(family for family in FAMILIES.values() if family.key == key) for key in ("sd1", "flux"))
    params = ImageParams(width=64, height=32, sampler="Euler", schedule="Karras")
    assert scaled(params.model_copy(update={"hires_width": 128, "hires_height": 96})).hires_scale == 3.0
    assert larger_size(params.model_copy(update={"hires_scale": 1.3}), (64, 32), 8) == (80, 40) and larger_size(params.model_copy(update={"hires_scale": 3.0, "hires_width": 128, "hires_height": 96}), (64, 32), 8) == (128, 96)
    assert sampling_again(params, sd1, sd1) == {} and sampling_again(params, sd1, flux)["hires_sampler"] == "Flow Euler"
    assert sampling_again(params.model_copy(update={"hires_sampler": "DPM++ 2M"}), sd1, sd1) == {"hires_sampler": "DPM++ 2M", "hires_schedule": "Karras"}
    assert sampling_again(params.model_copy(update={"hires_sampler": "LCM"}), sd1, sd1) == {"hires_sampler": "LCM", "hires_schedule": "DDIM"}
    assert sampling_again(params.model_copy(update={"hires_schedule": "Beta"}), sd1, sd1) == {"hires_sampler": "Euler", "hires_schedule": "Beta"}
