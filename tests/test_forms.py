"""Checkpoints for one purpose (inpainting, instruct-pix2pix, refiner), v-prediction and other VAEs: each draws what bare diffusers' own pipeline draws."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image.families import family_of
from pipelines.image.pictures import open_picture
from pipelines.image.widths import widths_of
from studio.api import BadInput, ModelBroken, ModelMissing
from studio.jobs import JobQueue
from tests.house import finish
from tests.image_models import UNET, VAE, WIDTH, ground_keys, image_queue, scheduler
from tests.ldm import write_checkpoint
from tests.test_single_file import make

pytestmark = pytest.mark.slow
SIDE = 32
PROMPT, NEGATIVE = "a red cat", "fog"


def unet(family: str, channels: int) -> Any:
    import torch
    from diffusers import UNet2DConditionModel

    torch.manual_seed(2)
    base = UNET | {"norm_num_groups": 32, "in_channels": channels}
    if family == "sd1":
        return UNet2DConditionModel(**base, cross_attention_dim=WIDTH)
    width, sizes = (2 * WIDTH, 5) if family == "refiner" else (3 * WIDTH, 6)
    return UNet2DConditionModel(
        **(base | {"block_out_channels": (32, 128), "attention_head_dim": (1, 2)}), cross_attention_dim=width, addition_embed_type="text_time", addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=sizes * 256 + 2 * WIDTH, use_linear_projection=True, transformer_layers_per_block=(1, 2),
    )  # fmt: skip


def special(root: Path, family: str, channels: int) -> Any:
    """diffusers' own pipeline for that network."""
    import diffusers

    plain = make(root, "sd1" if family == "sd1" else "sdxl")
    parts = {name: part for name, part in plain.components.items() if name not in ("image_encoder", "feature_extractor")} | {"unet": unet(family, channels)}
    if family == "refiner":
        return diffusers.StableDiffusionXLImg2ImgPipeline(**(parts | {"text_encoder": None, "tokenizer": None}), requires_aesthetics_score=True, force_zeros_for_empty_prompt=False)
    name = ("StableDiffusionXL" if family == "sdxl" else "StableDiffusion") + ("InpaintPipeline" if channels == 9 else "InstructPix2PixPipeline")
    more = {"feature_extractor": None, "requires_safety_checker": False} if family == "sd1" else {}
    return getattr(diffusers, name)(**parts, **more)


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    import torch
    from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
    from safetensors.torch import load_file, save_file

    root = tmp_path_factory.mktemp("forms")
    models = root / "models"
    for family, channels, name in (("sd1", 9, "sd1-inpaint"), ("sd1", 8, "sd1-edit"), ("sdxl", 9, "sdxl-inpaint"), ("sdxl", 8, "sdxl-edit"), ("refiner", 4, "refiner")):
        pipe = special(root, family, channels)
        pipe.save_pretrained(models / f"{name}-folder")
        write_checkpoint(pipe, models / "stable-diffusion" / f"{name}.safetensors")
    pipe = make(root, "sd1")
    write_checkpoint(pipe, plain := models / "stable-diffusion" / "plain.safetensors")
    save_file(load_file(plain) | {"v_pred": torch.zeros(1)}, models / "stable-diffusion" / "velocity.safetensors")
    save_file({name: value for name, value in load_file(plain).items() if not name.startswith("first_stage_model.")}, models / "stable-diffusion" / "no decoder.safetensors")
    pipe.unet = UNet2DConditionModel(**(UNET | {"norm_num_groups": 32}), cross_attention_dim=768)
    whole = load_file(write_checkpoint(pipe, root / "wide.safetensors"))
    save_file({name: value for name, value in whole.items() if not name.startswith("cond_stage_model.")}, models / "stable-diffusion" / "no encoder.safetensors")
    pipe = make(root, "sd1")
    pipe.scheduler = scheduler().from_config(scheduler().config, prediction_type="v_prediction")
    pipe.save_pretrained(models / "velocity-folder")
    torch.manual_seed(11)
    other = AutoencoderKL(**VAE, scaling_factor=0.18215)
    other.save_pretrained(models / "vae" / "other folder")
    from tests.dit import save, vae_tensors

    save(vae_tensors(other, ""), models / "vae" / "other file.safetensors")
    save(vae_tensors(AutoencoderKL(**(VAE | {"latent_channels": 16})), ""), models / "vae" / "sixteen.safetensors")
    AutoencoderTiny(encoder_block_out_channels=(16, 16), decoder_block_out_channels=(16, 16), num_encoder_blocks=(1, 1), num_decoder_blocks=(1, 1)).save_pretrained(models / "vae" / "small")
    made = image_queue(root / "data", models)
    made.start()
    yield made
    finish(made)


@pytest.fixture
def ground(queue: JobQueue) -> tuple[str, str]:
    return ground_keys(queue, SIDE)


def drawn(queue: JobQueue, model: str, **more: Any) -> np.ndarray:
    values = {"prompt": PROMPT, "negative_prompt": NEGATIVE, "width": SIDE, "height": SIDE, "steps": 4, "seed": 5, "upscale": 1.0, "cfg_scale": 4.0, "sampler": "Euler", "schedule": "Uniform", "model": model} | more
    job = queue.submit("image.generate", values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.hint, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))


def bare(queue: JobQueue, model: str, **call: Any) -> np.ndarray:
    import diffusers
    import torch

    torch.set_num_threads(1)
    pipe = diffusers.DiffusionPipeline.from_pretrained(queue.catalog.roots[0] / f"{model}-folder", dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = diffusers.EulerDiscreteScheduler.from_config(pipe.scheduler.config, timestep_spacing="linspace")
    return np.asarray(pipe(prompt=PROMPT, negative_prompt=NEGATIVE, num_inference_steps=4, guidance_scale=4.0, generator=torch.Generator().manual_seed(5), **call).images[0])


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and int(np.abs(one.astype(int) - other).max()) <= 1


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_inpainting_checkpoints_draw_in_every_mode(queue: JobQueue, family: str, ground: tuple[str, str]) -> None:
    picture, mask = (open_picture(queue.desk.inputs.path(key), mode) for key, mode in zip(ground, ("RGB", "L"), strict=True))
    file = f"stable-diffusion/{family}-inpaint"
    assert family_of(queue.catalog.find(file)).form == family_of(queue.catalog.find(f"{family}-inpaint-folder")).form == "inpaint"
    size = {"width": SIDE, "height": SIDE}
    white, grey = Image.new("L", (SIDE, SIDE), 255), Image.new("RGB", (SIDE, SIDE), (127, 127, 127))
    from_text = drawn(queue, file)
    assert alike(from_text, bare(queue, f"{family}-inpaint", image=grey, mask_image=white, strength=1.0, **size)) and from_text.std() > 1
    assert alike(from_text, drawn(queue, f"{family}-inpaint-folder"))
    assert alike(drawn(queue, file, image=ground[0], denoising_strength=0.5), bare(queue, f"{family}-inpaint", image=picture, mask_image=white, strength=0.5, **size))
    inside = np.asarray(mask) > 127
    masked = drawn(queue, file, image=ground[0], mask=ground[1], mask_blur=0, denoising_strength=1.0)
    assert alike(masked[inside], bare(queue, f"{family}-inpaint", image=picture, mask_image=mask, strength=1.0, **size)[inside]) and (masked[~inside] == np.asarray(picture)[~inside]).all()
    assert (drawn(queue, file, variation_strength=0.5) != from_text).any() and alike(drawn(queue, file, seed_width=SIDE, seed_height=SIDE), from_text)


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_instruct_pix2pix_changes_a_picture(queue: JobQueue, family: str, ground: tuple[str, str]) -> None:
    picture = open_picture(queue.desk.inputs.path(ground[0]))
    file = f"stable-diffusion/{family}-edit"
    size = {"width": SIDE, "height": SIDE} if family == "sdxl" else {}
    mine = drawn(queue, file, image=ground[0])
    assert alike(mine, bare(queue, f"{family}-edit", image=picture, image_guidance_scale=1.5, **size)) and mine.std() > 1
    assert alike(mine, drawn(queue, f"{family}-edit-folder", image=ground[0]))
    assert (drawn(queue, file, image=ground[0], image_cfg_scale=3.0) != mine).any()
    for values, field in (
        ({}, "image"), ({"image": ground[0], "mask": ground[1]}, "mask"), ({"image": ground[0], "hires_scale": 2.0}, "hires_scale"), ({"image": ground[0], "denoising_strength": 0.5}, "denoising_strength"), ({"image": ground[0], "image_cfg_scale": 0.5}, "image_cfg_scale"),
        ({"image": ground[0], "prompt": "[a:b:0.5]"}, "prompt"), ({"image": ground[0], "prompt": "a AND b"}, "prompt"),
    ):  # fmt: skip
        with pytest.raises(BadInput) as told:
            drawn(queue, file, **values)
        assert told.value.field == field and told.value.hint
    with pytest.raises(BadInput) as told:
        drawn(queue, "stable-diffusion/plain", image_cfg_scale=2.0)
    assert told.value.field == "image_cfg_scale"


def test_a_single_file_tells_how_deep_its_encoders_are(queue: JobQueue) -> None:
    """As its folder does; of two encoders the one with fewer layers counts, and they are read from the layer before the last."""
    for file, folder in (("sd1-inpaint", "sd1-inpaint-folder"), ("sdxl-inpaint", "sdxl-inpaint-folder"), ("refiner", "refiner-folder")):
        one, other = (widths_of(queue.catalog.find(key)) for key in (f"stable-diffusion/{file}", folder))
        assert one.layers == other.layers and one.most_skipped == other.most_skipped == min(one.layers) - (file != "sd1-inpaint") > 0
    assert (drawn(queue, "sd1-inpaint-folder", clip_skip=2) != drawn(queue, "sd1-inpaint-folder")).any()
    for model, most in (("sd1-inpaint-folder", 2), ("stable-diffusion/sd1-inpaint", 2), ("sdxl-inpaint-folder", 1), ("stable-diffusion/sdxl-inpaint", 1)):
        with pytest.raises(BadInput, match=f"CLIP skip goes to {most} ") as told:
            drawn(queue, model, clip_skip=most + 1)
        assert told.value.field == "clip_skip" and told.value.fix and told.value.fix.values == {"clip_skip": most}


def test_the_refiner_goes_over_a_picture(queue: JobQueue, ground: tuple[str, str]) -> None:
    picture = open_picture(queue.desk.inputs.path(ground[0]))
    entry = queue.catalog.find("stable-diffusion/refiner")
    assert entry.architecture == "sdxl_refiner" and family_of(queue.catalog.find("refiner-folder")).key == "sdxl_refiner"
    mine = drawn(queue, entry.key, image=ground[0], denoising_strength=0.5)
    assert alike(mine, bare(queue, "refiner", image=picture, strength=0.5)) and (mine != np.asarray(picture)).any()
    assert alike(mine, drawn(queue, "refiner-folder", image=ground[0], denoising_strength=0.5))
    with pytest.raises(BadInput, match="only finishes pictures") as told:
        drawn(queue, entry.key)
    assert told.value.field == "model"


def test_v_prediction_is_read_from_the_file(queue: JobQueue) -> None:
    mine = drawn(queue, "stable-diffusion/velocity")
    assert alike(mine, bare(queue, "velocity", width=SIDE, height=SIDE)) and (mine != drawn(queue, "stable-diffusion/plain")).any()


def test_another_vae_decodes_as_folder_as_file_and_as_tiny_one(queue: JobQueue) -> None:
    plain = drawn(queue, "stable-diffusion/plain")
    folder, file, tiny = (drawn(queue, "stable-diffusion/plain", vae=name) for name in ("vae/other folder", "vae/other file", "vae/small"))
    assert alike(folder, file) and (folder != plain).any() and (tiny != plain).any() and (tiny != folder).any() and tiny.shape == plain.shape
    assert alike(drawn(queue, "stable-diffusion/no decoder", vae="vae/other file"), file), "a checkpoint without a decoder draws with another one"


@pytest.mark.parametrize(
    ("values", "kind", "field", "words"),
    [
        ({"model": "stable-diffusion/no decoder"}, ModelBroken, "model", "the decoder"), ({"model": "stable-diffusion/no encoder"}, ModelBroken, "model", "the text encoder"),
        ({"vae": "vae/othr file"}, ModelMissing, "vae", "no VAE"), ({"vae": "vae/sixteen"}, BadInput, "vae", "16 latent channels"), ({"vae": "stable-diffusion/plain"}, ModelMissing, "vae", "no VAE"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_at_its_field_before_anything_is_loaded(queue: JobQueue, values: dict[str, Any], kind: type[Exception], field: str, words: str) -> None:
    worker = queue.executors["device"].worker  # type: ignore[attr-defined]
    before = list(worker.models._leases)
    with pytest.raises(kind, match=words) as told:
        queue.submit("image.generate", {"prompt": "x", "model": "stable-diffusion/plain"} | values, owner="local")
    assert told.value.field == field and told.value.hint and list(worker.models._leases) == before  # type: ignore[attr-defined]
