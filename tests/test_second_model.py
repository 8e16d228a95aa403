"""A second model goes on where the first stops: diffusers' ensemble of expert denoisers with a refiner, two checkpoints alike; and a reference picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image.families import family_of
from pipelines.image.generate import Generate
from pipelines.image.params import ImageParams
from pipelines.image.pictures import open_picture, png
from pipelines.image.samplers import choose, scheduler_config
from studio.api import BadInput, StudioError
from studio.jobs import JobQueue
from tests.house import finish
from tests.image_models import WIDTH, image_queue, make_flux, make_refiner, make_sd1, make_sdxl

SIDE = 32


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("second")
    for name, make in (("sd1", make_sd1), ("sdxl", make_sdxl), ("refiner", make_refiner), ("flux", make_flux)):
        make(root / "models" / name)
    make_sd1(root / "models" / "other", seed=31)
    make_instructed(root / "models" / "edit")
    write_ip_adapter(root / "models")
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


def make_instructed(folder: Path) -> None:
    """Instruct-pix2pix of Stable Diffusion 1."""
    index = make_sd1(folder, channels=8) / "model_index.json"
    index.write_text(index.read_text(encoding="utf-8").replace('"StableDiffusionPipeline"', '"StableDiffusionInstructPix2PixPipeline"'), encoding="utf-8")


def write_ip_adapter(models: Path) -> None:
    """For make_sd1, in the form of the published ones, with its picture encoder beside it."""
    import torch
    from diffusers import UNet2DConditionModel
    from safetensors.torch import save_file
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(41)
    folder = models / "ip-adapter"
    config = CLIPVisionConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=8, projection_dim=24)
    CLIPVisionModelWithProjection(config).save_pretrained(folder / "image_encoder")
    unet = UNet2DConditionModel.from_pretrained(models / "sd1" / "unet")
    tensors = {"image_proj.proj.weight": torch.randn(4 * WIDTH, 24), "image_proj.proj.bias": torch.zeros(4 * WIDTH), "image_proj.norm.weight": torch.ones(WIDTH), "image_proj.norm.bias": torch.zeros(WIDTH)}
    number = 1
    for name in unet.attn_processors:
        if name.endswith("attn2.processor"):
            width = unet.get_submodule(name.removesuffix(".processor")).to_q.in_features
            tensors |= {f"ip_adapter.{number}.to_{part}_ip.weight": torch.randn(width, WIDTH) for part in "kv"}
        number += name.endswith("attn2.processor") * 2
    save_file(tensors, folder / "ip-adapter_tiny.safetensors")


def drawn(queue: JobQueue, **values: Any) -> np.ndarray:
    given = {"prompt": "a red cat", "width": SIDE, "height": SIDE, "steps": 5, "seed": 5, "cfg_scale": 4.0, "upscale": 1.0, "model": "sd1", "sampler": "Euler", "schedule": "Uniform"} | values
    job = queue.submit("image.generate", given, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.hint, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one == other).all())


def bare(queue: JobQueue, kind: str, model: str) -> Any:
    import diffusers
    import torch

    torch.set_num_threads(1)
    pipe = getattr(diffusers, kind).from_pretrained(queue.catalog.roots[0] / model, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    found, named = choose("Euler", "Uniform", family_of(queue.catalog.find(model)).kind)
    pipe.scheduler = getattr(diffusers, found.scheduler).from_config(scheduler_config(dict(pipe.scheduler.config), found, named))
    return pipe


def test_with_a_refiner_it_is_diffusers_ensemble_of_experts(queue: JobQueue) -> None:
    import torch

    base, refiner = bare(queue, "StableDiffusionXLPipeline", "sdxl"), bare(queue, "StableDiffusionXLImg2ImgPipeline", "refiner")
    shared: dict[str, Any] = {"prompt": "a red cat", "negative_prompt": "fog", "num_inference_steps": 5, "guidance_scale": 4.0}
    latents = base(**shared, denoising_end=0.6, output_type="latent", width=SIDE, height=SIDE, generator=torch.Generator().manual_seed(5)).images
    theirs = np.asarray(refiner(**shared, denoising_start=0.6, image=latents, original_size=(SIDE, SIDE), target_size=(SIDE, SIDE)).images[0])
    values = {"model": "sdxl", "negative_prompt": "fog"}
    mine = drawn(queue, **values, refiner="refiner", refiner_switch=0.6)
    plain = drawn(queue, **values)
    assert same(mine, theirs) and not same(mine, plain)
    assert same(drawn(queue, **values, refiner="refiner", refiner_switch=1.0), plain) and not same(drawn(queue, **values, refiner="refiner", refiner_switch=0.2), mine)


@pytest.mark.slow
def test_two_checkpoints_share_the_steps_in_every_mode(queue: JobQueue) -> None:
    first, second = drawn(queue), drawn(queue, model="other")
    assert same(drawn(queue, refiner="other", refiner_switch=0.0), second), "from the first step on it is the other model's picture"
    mixed = drawn(queue, refiner="other", refiner_switch=0.6)
    assert not same(mixed, first) and not same(mixed, second)
    ground = queue.desk.inputs.keep(png(Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB")))
    mask = queue.desk.inputs.keep(png(Image.new("L", (SIDE, SIDE), 255)))
    for begun in ({"image": ground}, {"image": ground, "mask": mask}):
        assert same(drawn(queue, **begun, refiner="other", refiner_switch=0.0), drawn(queue, **begun, model="other"))
    for prompt in ("a red cat AND a blue dog:0.5", "[a red cat:a blue dog:0.5]"):
        assert np.abs(drawn(queue, prompt=prompt, refiner="other", refiner_switch=0.0).astype(int) - drawn(queue, prompt=prompt, model="other")).max() <= 1
    assert same(drawn(queue, cfg_scale=1.0, refiner="other", refiner_switch=0.0), drawn(queue, cfg_scale=1.0, model="other"))
    assert same(drawn(queue), first), "nothing is left of it"


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["Heun", "DPM2", "PLMS"])
def test_samplers_that_look_twice_or_once_more_hand_over_at_the_same_share(queue: JobQueue, sampler: str) -> None:
    values: dict[str, Any] = {"sampler": sampler, "schedule": "Automatic", "refiner": "other"}
    early, late = (drawn(queue, **values, refiner_switch=share) for share in (0.6, 0.8))
    alone = drawn(queue, sampler=sampler, schedule="Automatic")
    assert not same(early, late) and not same(late, alone) and same(drawn(queue, **values, refiner_switch=1.0), alone)
    assert np.abs(drawn(queue, **values, refiner_switch=0.0, prompt="a (red:1.3) cat", emphasis="No norm").astype(int) - drawn(queue, sampler=sampler, schedule="Automatic", model="other", prompt="a (red:1.3) cat", emphasis="No norm")).max() <= 1


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"model": "refiner"}, "model", "none from text alone"), ({"refiner": "sd2"}, "refiner", "not on this computer"), ({"refiner": "sdxl"}, "refiner", "can't go on with what"), ({"refiner": "sd1"}, "refiner", "is the first one"),
        ({"refiner": "refiner"}, "refiner", "can't go on with what"), ({"refiner": "sd1", "model": "flux", "sampler": "Flow Euler", "schedule": "Uniform"}, "refiner", "can't go on with FLUX"),
        ({"reference_model": "ip-adapter_tiny"}, "reference_image", "no reference picture"), ({"reference_image": "guide"}, "reference_model", "has no model"), ({"reference_model": "ip-adaptr_tiny"}, "reference_model", "not on this computer"),
        ({"reference_model": "ip-adapter_tiny", "reference_image": "guide", "model": "sdxl"}, "reference_model", "reads text 32 wide"),
        ({"reference_model": "ip-adapter_tiny", "reference_image": "guide", "model": "flux", "sampler": "Flow Euler", "schedule": "Uniform"}, "reference_model", "can't be used with FLUX"),
    ],
)  # fmt: skip
def test_what_can_not_go_on_or_be_followed_is_refused_at_its_field(queue: JobQueue, values: dict[str, Any], field: str, words: str) -> None:
    guide = queue.desk.inputs.keep(png(Image.new("RGB", (8, 8))))
    with pytest.raises(StudioError) as told:
        drawn(queue, **{name: guide if value == "guide" else value for name, value in values.items()})
    assert told.value.field == field and words in told.value.message and told.value.hint


def test_models_that_follow_instructions_follow_no_picture(queue: JobQueue) -> None:
    """diffusers' pipeline of Stable Diffusion XL has no adapters; that of Stable Diffusion 1 does not hand on what they say."""
    guide, ground = (queue.desk.inputs.keep(png(Image.new("RGB", (SIDE, SIDE), colour))) for colour in ("red", "teal"))
    with pytest.raises(BadInput, match="that follow instructions") as told:
        drawn(queue, model="edit", image=ground, reference_model="ip-adapter_tiny", reference_image=guide)
    assert told.value.field == "reference_model" and told.value.fix and told.value.fix.values == {"reference_model": ""}


def test_their_guidance_is_rescaled_by_the_answer_to_the_instruction(queue: JobQueue) -> None:
    ground = queue.desk.inputs.keep(png(Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB")))
    assert not same(drawn(queue, model="edit", image=ground, guidance_rescale=0.7), drawn(queue, model="edit", image=ground))


def test_all_models_are_counted_before_they_are_loaded(queue: JobQueue) -> None:
    def size(key: str) -> int:
        return queue.catalog.find(key).bytes

    def need(**values: Any) -> int:
        return Generate().need(ImageParams(**values), queue.catalog).weight_bytes

    assert need(model="sdxl", refiner="refiner") == need(model="sdxl") + size("refiner")
    assert need(model="sd1", reference_model="ip-adapter_tiny") == need(model="sd1") + size("ip-adapter/ip-adapter_tiny") + size("ip-adapter/image_encoder")


def test_a_reference_picture_is_followed_as_bare_diffusers_does_and_leaves_nothing(queue: JobQueue) -> None:
    import torch
    from transformers import CLIPVisionModelWithProjection

    picture, plain = Image.radial_gradient("L").resize((48, 40)).convert("RGB"), drawn(queue)
    key = queue.desk.inputs.keep(png(picture))
    pipe, folder = bare(queue, "StableDiffusionPipeline", "sd1"), queue.catalog.roots[0] / "ip-adapter"
    pipe.register_modules(image_encoder=CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder"))
    pipe.load_ip_adapter(str(folder), subfolder="", weight_name="ip-adapter_tiny.safetensors")
    pipe.set_ip_adapter_scale(0.7)
    theirs = np.asarray(pipe(prompt="a red cat", ip_adapter_image=picture, num_inference_steps=5, guidance_scale=4.0, width=SIDE, height=SIDE, generator=torch.Generator().manual_seed(5)).images[0])
    values = {"reference_model": "ip-adapter_tiny", "reference_image": key, "reference_weight": 0.7}
    mine = drawn(queue, **values)
    assert same(mine, theirs) and not same(mine, plain)
    assert not same(drawn(queue, **(values | {"reference_weight": 0.2})), mine)
    other = queue.desk.inputs.keep(png(Image.linear_gradient("L").convert("RGB")))
    assert not same(drawn(queue, **(values | {"reference_image": other})), mine)
    begun = {"image": key, "denoising_strength": 0.5, "resize": "Stretch"}
    assert not same(drawn(queue, **begun, **values), drawn(queue, **begun))
    twice, once = (drawn(queue, prompt=prompt, cfg_scale=scale, **values).astype(int) for prompt, scale in (("a red cat AND a red cat", 3.0), ("a red cat", 6.0)))
    assert np.abs(twice - once).max() <= 1, "prompts side by side too"
    assert not same(drawn(queue, **values, refiner="other", refiner_switch=0.6), mine), "the second model goes on without it"
    assert same(drawn(queue), plain), "nothing is left of it"
