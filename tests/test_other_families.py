"""Families beside Stable Diffusion and FLUX: known by the index of their folder, drawn as bare diffusers draws them, refused with a sentence where they can't be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image.families import CLASSES, family_of
from pipelines.image.others import ALL, OTHERS, PICTURE, TEXT, refusal
from pipelines.image.pictures import open_picture, png
from studio.api import BadInput, ModelBroken
from studio.jobs import JobQueue
from tests.house import finish
from tests.image_models import VAE, WIDTH, image_queue, t5, tokenizer

SIDE = 32
pytestmark = pytest.mark.filterwarnings("ignore:.*FluxPosEmbed.*:FutureWarning")  # diffusers' own import in its Chroma


def pixart(words: Any) -> Any:
    from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, PixArtSigmaPipeline, PixArtTransformer2DModel

    network = PixArtTransformer2DModel(
        sample_size=16, num_layers=2, patch_size=2, attention_head_dim=8, num_attention_heads=3, caption_channels=WIDTH, in_channels=4, cross_attention_dim=24, out_channels=8, attention_bias=True,
        activation_fn="gelu-approximate", num_embeds_ada_norm=1000, norm_type="ada_norm_single", norm_elementwise_affine=False, norm_eps=1e-6,
    )  # fmt: skip
    return PixArtSigmaPipeline(words, t5(len(words)), AutoencoderKL(**VAE), network, DPMSolverMultistepScheduler(algorithm_type="dpmsolver++"))


def auraflow(words: Any) -> Any:
    from diffusers import AuraFlowPipeline, AuraFlowTransformer2DModel, AutoencoderKL, FlowMatchEulerDiscreteScheduler
    from transformers import UMT5Config, UMT5EncoderModel

    network = AuraFlowTransformer2DModel(
        sample_size=16, patch_size=2, in_channels=4, num_mmdit_layers=1, num_single_dit_layers=1, attention_head_dim=8, num_attention_heads=4, caption_projection_dim=32, joint_attention_dim=WIDTH, out_channels=4,
        pos_embed_max_size=256,
    )  # fmt: skip
    encoder = UMT5EncoderModel(UMT5Config(vocab_size=len(words), d_model=WIDTH, d_ff=64, d_kv=8, num_heads=4, num_layers=1)).eval()
    return AuraFlowPipeline(words, encoder, AutoencoderKL(**VAE), network, FlowMatchEulerDiscreteScheduler(shift=1.73))


def kandinsky3(words: Any) -> Any:
    from diffusers import DDPMScheduler, Kandinsky3Pipeline, Kandinsky3UNet, VQModel

    network = Kandinsky3UNet(in_channels=4, time_embedding_dim=4, groups=2, attention_head_dim=4, layers_per_block=3, block_out_channels=(32, 64), cross_attention_dim=4, encoder_hid_dim=WIDTH)
    movq = VQModel(
        block_out_channels=[32, 64], down_block_types=["DownEncoderBlock2D", "AttnDownEncoderBlock2D"], latent_channels=4, layers_per_block=1, norm_num_groups=8, norm_type="spatial", num_vq_embeddings=12,
        up_block_types=["AttnUpDecoderBlock2D", "UpDecoderBlock2D"], vq_embed_dim=4,
    )  # fmt: skip
    return Kandinsky3Pipeline(words, t5(len(words)), network, DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="squaredcos_cap_v2", clip_sample=True, thresholding=False), movq)


def chroma(words: Any) -> Any:
    from diffusers import AutoencoderKL, ChromaPipeline, ChromaTransformer2DModel, FlowMatchEulerDiscreteScheduler

    network = ChromaTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=WIDTH, axes_dims_rope=[4, 4, 8], approximator_hidden_dim=32, approximator_layers=1,
        approximator_num_channels=16,
    )  # fmt: skip
    return ChromaPipeline(FlowMatchEulerDiscreteScheduler(), AutoencoderKL(**(VAE | {"shift_factor": 0.1, "scaling_factor": 0.4})), t5(len(words)), words, network)


MAKERS: dict[str, Callable[[Any], Any]] = {"pixart": pixart, "auraflow": auraflow, "kandinsky3": kandinsky3, "chroma": chroma}


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    import torch

    root = tmp_path_factory.mktemp("others")
    words = tokenizer(root / "words")
    for name, make in MAKERS.items():
        torch.manual_seed(1)
        make(words).save_pretrained(root / "models" / name)
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


def drawn(queue: JobQueue, model: str, **more: Any) -> np.ndarray:
    values = {"prompt": "a red cat", "negative_prompt": "fog", "width": SIDE, "height": SIDE, "steps": 3, "seed": 5, "upscale": 1.0, "cfg_scale": 4.0, "model": model} | more
    job = queue.submit("image.generate", values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.hint, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))


def bare(queue: JobQueue, model: str, mode: str = "text", **call: Any) -> np.ndarray:
    import diffusers
    import torch

    torch.set_num_threads(1)
    kind = diffusers.AutoPipelineForText2Image if mode == "text" else diffusers.AutoPipelineForImage2Image
    pipe = kind.from_pretrained(queue.catalog.roots[0] / model, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    more = {"use_resolution_binning": False} if model == "pixart" else {}
    size = {"width": SIDE, "height": SIDE} if mode == "text" else {}
    return np.asarray(pipe(prompt="a red cat", negative_prompt="fog", num_inference_steps=3, guidance_scale=4.0, generator=torch.Generator().manual_seed(5), **size, **call, **more).images[0])


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and int(np.abs(one.astype(int) - other).max()) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("model", MAKERS)
def test_each_draws_what_bare_diffusers_draws_with_its_own_scheduler(queue: JobQueue, model: str) -> None:
    mine = drawn(queue, model)
    assert alike(mine, bare(queue, model)) and mine.std() > 1


@pytest.mark.slow
def test_kandinsky_shows_its_work(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its decoder takes latents as they are: the colours foretell them so."""
    from pipelines.image.nets import preview

    shown: list[Image.Image] = []
    plain = preview.picture
    monkeypatch.setattr(preview, "picture", lambda *given: shown.append(plain(*given)) or shown[-1])
    drawn(queue, "kandinsky3", seed=6)
    assert shown and all(picture.size[0] == picture.size[1] for picture in shown)


def test_a_decoder_made_for_films_gives_colours_for_previews() -> None:
    """As Qwen-Image has it: five dimensions, and a mean and spread for each channel."""
    import torch
    from diffusers import AutoencoderKLQwenImage

    from pipelines.image.nets import preview
    from pipelines.image.nets.draw import PREVIEWED

    torch.manual_seed(3)
    vae = AutoencoderKLQwenImage(base_dim=8, z_dim=4, dim_mult=[1, 2], num_res_blocks=1, temperal_downsample=[False], latents_mean=[0.1] * 4, latents_std=[2.0] * 4).eval()
    colours = preview.fit_colours(vae, 2)
    assert type(vae).__name__ in PREVIEWED and colours.shape == (5, 3) and bool(torch.isfinite(colours).all())
    told = preview._scaled(vae, torch.ones(1, 4, 2, 2), True)
    assert torch.allclose(told, torch.full((1, 4, 2, 2), (1 - 0.1) / 2.0)), "as diffusers' own pipeline scales them"
    assert preview.picture(told[0], colours, 2).size == (4, 4)


def test_a_picture_is_gone_over_where_the_family_can(queue: JobQueue) -> None:
    ramp = np.linspace(0, 255, SIDE, dtype=np.uint8)
    picture = Image.fromarray(np.stack([np.tile(ramp, (SIDE, 1))] * 3, -1))
    key = queue.desk.inputs.keep(png(picture))
    assert alike(drawn(queue, "kandinsky3", image=key, denoising_strength=0.7), bare(queue, "kandinsky3", "image", image=picture, strength=0.7))
    for model, values, field in (("pixart", {"image": key}, "image"), ("kandinsky3", {"image": key, "mask": key}, "mask"), ("auraflow", {"hires_scale": 2.0}, "hires_scale")):
        with pytest.raises(BadInput, match="Models of this family") as told:
            queue.submit("image.generate", {"prompt": "x", "model": model} | values, owner="local")
        assert told.value.field == field and told.value.hint


@pytest.mark.slow
def test_their_advice_is_their_makers(queue: JobQueue) -> None:
    found = {name: family_of(queue.catalog.find(name)) for name in MAKERS}
    assert [(family.title, family.kind, family.size, family.factor, family.steps, family.cfg_scale) for family in found.values()] == [
        ("PixArt-Σ", "noise", 32, 2, 20, 4.5), ("AuraFlow", "flow", 32, 2, 50, 3.5), ("Kandinsky 3", "noise", 1024, 2, 25, 3.0), ("Chroma", "flow", 1024, 2, 35, 5.0),
    ]  # fmt: skip
    job = queue.submit("image.generate", {"prompt": "x", "model": "pixart", "width": 32, "height": 32, "steps": 1, "upscale": 1.0}, owner="local").wait()
    assert job.params.model_dump()["sampler"] == "Model's own" and job.params.model_dump()["cfg_scale"] == 4.5
    assert (drawn(queue, "pixart", sampler="Euler") != drawn(queue, "pixart")).any(), "another sampler draws another picture"


def test_every_class_that_diffusers_draws_with_is_known_with_what_it_can_do() -> None:
    from diffusers.pipelines import auto_pipeline

    texts, pictures, masks = (getattr(auto_pipeline, f"AUTO_{name}_PIPELINES_MAPPING") for name in ("TEXT2IMAGE", "IMAGE2IMAGE", "INPAINT"))
    for key, kind in texts.items():
        name = kind.__name__
        assert name in CLASSES or name in OTHERS or refusal(name), name
        if name in OTHERS:
            assert OTHERS[name].modes == (ALL if key in pictures and key in masks else PICTURE if key in pictures else TEXT), name
            known = set(__import__("inspect").signature(kind.__call__).parameters)
            assert {"prompt", "width", "height", "num_inference_steps", "generator", OTHERS[name].guidance} <= known and (OTHERS[name].negative <= ("negative_prompt" in known)), name


@pytest.mark.slow
@pytest.mark.parametrize(("index", "words"), [({"_class_name": "KandinskyV22Pipeline"}, "one half"), ({"_class_name": "StableCascadeCombinedPipeline"}, "several stages"), ({"_class_name": "FluxControlPipeline"}, "guides it"), ({"_class_name": "WanPipeline"}, "kind WanPipeline")])
def test_folders_that_can_not_be_drawn_with_say_why(queue: JobQueue, index: dict[str, str], words: str) -> None:
    folder = queue.catalog.roots[0] / "strange"
    folder.mkdir(exist_ok=True)
    (folder / "model_index.json").write_text(json.dumps(index))
    queue.catalog.refresh()
    with pytest.raises(ModelBroken, match=words) as told:
        queue.submit("image.generate", {"prompt": "x", "model": "strange"}, owner="local")
    assert told.value.field == "model" and told.value.hint


@pytest.mark.slow
def test_quantised_folders_name_the_package_that_they_need(queue: JobQueue) -> None:
    config = queue.catalog.roots[0] / "chroma" / "transformer" / "config.json"
    before = config.read_text()
    config.write_text(json.dumps(json.loads(before) | {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}))
    with pytest.raises(ModelBroken, match="needs the package bitsandbytes") as told:
        queue.submit("image.generate", {"prompt": "x", "model": "chroma"}, owner="local")
    assert told.value.field == "model" and "pip install bitsandbytes" in told.value.hint
    config.write_text(before)


def test_a_folder_without_a_part_or_with_a_pickle_says_which(tmp_path: Path) -> None:
    from studio.scan import scan

    folder = tmp_path / "sd"
    (folder / "unet").mkdir(parents=True)
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"x")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"], "safety_checker": ["x", "y"]}))
    assert "part “unet” are a pickle" in next(scan(tmp_path)).problem
    (folder / "unet" / "diffusion_pytorch_model.bin").rename(folder / "unet" / "config.json")
    assert "part “vae” is missing" in next(scan(tmp_path)).problem


@pytest.mark.slow
def test_a_folder_at_half_precision_only_is_loaded_as_such(tmp_path: Path) -> None:
    import torch
    from diffusers import DiffusionPipeline

    from pipelines.image.nets.model import load, variant_of
    from tests.image_models import make_sd1

    make_sd1(tmp_path / "whole")
    pipe = DiffusionPipeline.from_pretrained(tmp_path / "whole", dtype=torch.float16)
    pipe.save_pretrained(tmp_path / "half", variant="fp16")
    assert variant_of(tmp_path / "half") == "fp16" and variant_of(tmp_path / "whole") is None
    from studio.scan import scan

    entry = next(entry for entry in scan(tmp_path) if entry.key == "half")
    model = load(tmp_path / "half", family_of(entry), "half", device="cpu", dtype=torch.float32, report=lambda note, share: None)
    assert entry.problem == "" and torch.equal(model.pipe.unet.conv_in.weight, pipe.unet.conv_in.weight.float())
