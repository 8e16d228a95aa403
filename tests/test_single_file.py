"""Single-file checkpoints in the original layout: family and sizes from the header, the same pixels as the folder they came from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.image.checkpoint import read_shapes, unet_config, write_tokenizer
from studio.api import ModelBroken
from studio.jobs import JobQueue
from tests.house import finish
from tests.image_models import UNET, VAE, WIDTH, image_queue, scheduler
from tests.ldm import write_checkpoint
from tests.test_image_families import open_picture

WORDS = 49408


def clip(*, projected: bool = False) -> Any:
    import torch
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(5)
    width = 2 * WIDTH if projected else WIDTH
    config = CLIPTextConfig(
        vocab_size=WORDS, hidden_size=width, intermediate_size=64, projection_dim=width, num_hidden_layers=2, num_attention_heads=1, max_position_embeddings=77, hidden_act="gelu" if projected else "quick_gelu",
        bos_token_id=WORDS - 2, eos_token_id=WORDS - 1, pad_token_id=1,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config).eval()


def words(folder: Path, padding: str = "<|endoftext|>") -> Any:
    from transformers import CLIPTokenizer

    write_tokenizer(folder, 77, padding)
    return CLIPTokenizer.from_pretrained(folder)


def make(root: Path, family: str) -> Any:
    import torch
    from diffusers import AutoencoderKL, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel

    torch.manual_seed(2)
    vae = AutoencoderKL(**VAE, scaling_factor=0.13025 if family == "sdxl" else 0.18215, force_upcast=family == "sdxl")
    if family == "sd1":
        unet = UNet2DConditionModel(**(UNET | {"norm_num_groups": 32}), cross_attention_dim=WIDTH)
        return StableDiffusionPipeline(vae=vae, text_encoder=clip(), tokenizer=words(root / "words"), unet=unet, scheduler=scheduler(), safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    unet = UNet2DConditionModel(
        **(UNET | {"block_out_channels": (32, 128), "attention_head_dim": (1, 2), "norm_num_groups": 32}), cross_attention_dim=3 * WIDTH, addition_embed_type="text_time", addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=6 * 256 + 2 * WIDTH, use_linear_projection=True, transformer_layers_per_block=(1, 2),
    )  # fmt: skip
    return StableDiffusionXLPipeline(
        vae=vae, text_encoder=clip(), text_encoder_2=clip(projected=True), tokenizer=words(root / "words"), tokenizer_2=words(root / "words2", "!"), unet=unet, scheduler=scheduler()
    )


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("single")
    for family in ("sd1", "sdxl"):
        pipe = make(root, family)
        pipe.save_pretrained(root / "models" / f"{family}-folder")
        write_checkpoint(pipe, root / "models" / "stable-diffusion" / f"{family}-file.safetensors")
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


def drawn(queue: JobQueue, model: str) -> np.ndarray:
    values = {"prompt": "a red cat", "negative_prompt": "fog", "width": 32, "height": 32, "steps": 3, "seed": 5, "upscale": 1.0, "cfg_scale": 5.0, "sampler": "Euler", "schedule": "Uniform", "model": model}
    job = queue.submit("image.generate", values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_a_single_file_draws_what_its_folder_draws(queue: JobQueue, family: str) -> None:
    entry = queue.catalog.find(f"stable-diffusion/{family}-file")
    assert (entry.kind, entry.architecture) == ("image", family)
    file, folder = drawn(queue, entry.key), drawn(queue, f"{family}-folder")
    assert (file == folder).all() and file.std() > 1


def test_a_second_pass_draws_the_larger_picture_again(queue: JobQueue) -> None:
    def again(**values: Any) -> np.ndarray:
        given = {"prompt": "a red cat", "width": 32, "height": 32, "steps": 4, "seed": 5, "upscale": 1.0, "model": "stable-diffusion/sd1-file", "hires_scale": 1.5} | values
        job = queue.submit("image.generate", given, owner="local").wait()
        assert job.error is None, (job.error.message, job.error.traceback)
        return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))

    first = again()
    assert first.shape == (48, 48, 3)
    for values in ({"hires_steps": 8}, {"hires_strength": 0.9}, {"upscaler": "Lanczos"}, {"hires_strength": 0.0}):
        assert (again(**values) != first).any(), values


def test_the_networks_sizes_are_read_from_the_header(queue: JobQueue) -> None:
    config = unet_config(read_shapes(Path(queue.catalog.find("stable-diffusion/sdxl-file").path)))
    assert config["block_out_channels"] == [32, 128] and config["transformer_layers_per_block"] == [1, 2] and config["addition_embed_type"] == "text_time" and config["layers_per_block"] == 1
    assert config["down_block_types"] == ["DownBlock2D", "CrossAttnDownBlock2D"] and config["cross_attention_dim"] == 3 * WIDTH and config["attention_head_dim"] == [1, 2]


def test_clips_tokenizer_is_openais(tmp_path: Path) -> None:
    """Token numbers as OpenAI's CLIP gives them. Source: the example in its README and the marks' numbers."""
    tokenizer = words(tmp_path)
    assert len(tokenizer) == WORDS and tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]


def test_half_a_checkpoint_is_refused_with_what_is_missing(tmp_path: Path, queue: JobQueue) -> None:
    from safetensors.torch import load_file, save_file

    from pipelines.image.checkpoint import write_configs

    tensors = load_file(queue.catalog.find("stable-diffusion/sd1-file").path)
    half = tmp_path / "half.safetensors"
    save_file({name: value for name, value in tensors.items() if not name.startswith("first_stage_model.")}, half)
    with pytest.raises(ModelBroken, match="no whole checkpoint"):
        write_configs(half, "sd1", tmp_path / "config")
    half.write_bytes(half.read_bytes()[:100])
    with pytest.raises(ModelBroken, match="damaged"):
        read_shapes(half)
