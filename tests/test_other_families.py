"""Families beside Stable Diffusion and FLUX: known by the index of their folder, drawn as bare diffusers draws them, refused with a sentence where they can't be."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image.families import CLASSES, family_of
from pipelines.image.generate import Generate
from pipelines.image.nets.model import give_old_names
from pipelines.image.others import ALL, OTHERS, PICTURE, PRIORS, PUBLISHED, TEXT, prior_of, refusal
from pipelines.image.params import ImageParams
from pipelines.image.pictures import open_picture, png
from pipelines.image.settle import draws_alone
from studio.api import BadInput, Catalog, Fix, ModelBroken, ModelMissing
from studio.events import Progress
from studio.jobs import JobQueue
from tests.house import finish
from tests.image_models import VAE, WIDTH, clip, image_queue, shake, t5, tokenizer

SIDE = 32
STAGED = ("cascade", "wuerstchen")  # their makers count in larger squares, and two kinds of steps
pytestmark = [  # diffusers' own: an import in its Chroma; what its Kandinsky hands to its own half
    pytest.mark.filterwarnings("ignore:.*FluxPosEmbed.*:FutureWarning"), pytest.mark.filterwarnings("ignore:.*callback_steps.*:FutureWarning"),
]  # fmt: skip


def pixart(words: Any) -> Any:
    from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, PixArtSigmaPipeline

    return PixArtSigmaPipeline(words, t5(len(words)), AutoencoderKL(**VAE), pixart_network(16), DPMSolverMultistepScheduler(algorithm_type="dpmsolver++"))


def pixart_network(side: int) -> Any:
    from diffusers import PixArtTransformer2DModel

    return PixArtTransformer2DModel(
        sample_size=side, num_layers=2, patch_size=2, attention_head_dim=8, num_attention_heads=3, caption_channels=WIDTH, in_channels=4, cross_attention_dim=24, out_channels=8, attention_bias=True,
        activation_fn="gelu-approximate", num_embeds_ada_norm=1000, norm_type="ada_norm_single", norm_elementwise_affine=False, norm_eps=1e-6,
    )  # fmt: skip


def pixart_alpha(words: Any) -> Any:
    """At its makers' side of 128 latents the network is told size and proportions too."""
    from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, PixArtAlphaPipeline

    return PixArtAlphaPipeline(words, t5(len(words)), AutoencoderKL(**VAE), pixart_network(128), DPMSolverMultistepScheduler(algorithm_type="dpmsolver++"))


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
    from diffusers import DDPMScheduler, Kandinsky3Pipeline, Kandinsky3UNet

    network = Kandinsky3UNet(in_channels=4, time_embedding_dim=4, groups=2, attention_head_dim=4, layers_per_block=3, block_out_channels=(32, 64), cross_attention_dim=4, encoder_hid_dim=WIDTH)
    return Kandinsky3Pipeline(words, t5(len(words)), network, DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="squaredcos_cap_v2", clip_sample=True, thresholding=False), movq())


def kandinsky22(words: Any) -> Any:
    """Both halves in one: the prior reads the prompt into what a picture's encoder would say, the other half draws from that."""
    from diffusers import DDPMScheduler, KandinskyV22CombinedPipeline, UNet2DConditionModel

    network = UNet2DConditionModel(
        sample_size=16, in_channels=4, out_channels=8, addition_embed_type="image", encoder_hid_dim=WIDTH, encoder_hid_dim_type="image_proj", cross_attention_dim=16, attention_head_dim=4, layers_per_block=1,
        block_out_channels=(32, 64), norm_num_groups=8, down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"), up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn", resnet_time_scale_shift="scale_shift",
    )  # fmt: skip
    prior, reads, seeing, processor = reading_half()
    draws = DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear", beta_start=0.00085, beta_end=0.012, clip_sample=False, variance_type="learned_range", prediction_type="epsilon")
    return KandinskyV22CombinedPipeline(network, draws, movq(), prior, seeing, clip(len(words), projected=True), words, reads, processor)


def movq() -> Any:
    from diffusers import VQModel

    return VQModel(
        block_out_channels=[32, 64], down_block_types=["DownEncoderBlock2D", "AttnDownEncoderBlock2D"], latent_channels=4, layers_per_block=1, norm_num_groups=8, norm_type="spatial", num_vq_embeddings=12,
        up_block_types=["AttnUpDecoderBlock2D", "UpDecoderBlock2D"], vq_embed_dim=4,
    )  # fmt: skip


def reading_half() -> tuple[Any, Any, Any, Any]:
    """Of Kandinsky: the network, its scheduler, and what sees a picture."""
    from diffusers import PriorTransformer, UnCLIPScheduler
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    seeing = CLIPVisionModelWithProjection(CLIPVisionConfig(hidden_size=32, image_size=32, patch_size=8, projection_dim=WIDTH, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37)).eval()
    prior = PriorTransformer(num_attention_heads=2, attention_head_dim=12, embedding_dim=WIDTH, num_layers=1)
    prior.clip_std.data.fill_(1.0)  # a trained one has the spread of what it tells; without, it tells nothing
    reads = UnCLIPScheduler(variance_type="fixed_small_log", prediction_type="sample", num_train_timesteps=1000, clip_sample=True, clip_sample_range=10.0)
    return prior, reads, seeing, CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)


def kandinsky21(words: Any) -> Any:
    """Its half that draws reads the words as well, by an encoder of many languages."""
    from diffusers import DDIMScheduler, KandinskyCombinedPipeline, UNet2DConditionModel
    from diffusers.pipelines.kandinsky.text_encoder import MCLIPConfig, MultilingualCLIP

    network = UNet2DConditionModel(
        sample_size=16, in_channels=4, out_channels=8, addition_embed_type="text_image", encoder_hid_dim=WIDTH, encoder_hid_dim_type="text_image_proj", cross_attention_dim=WIDTH, attention_head_dim=4, layers_per_block=1,
        block_out_channels=(32, 64), norm_num_groups=8, down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"), up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn", resnet_time_scale_shift="scale_shift",
    )  # fmt: skip
    config = MCLIPConfig(numDims=WIDTH, transformerDimensions=WIDTH, hidden_size=WIDTH, intermediate_size=37, num_attention_heads=4, num_hidden_layers=2, vocab_size=len(words))
    draws = DDIMScheduler(num_train_timesteps=1000, beta_schedule="linear", beta_start=0.00085, beta_end=0.012, clip_sample=False, set_alpha_to_one=False, steps_offset=1, prediction_type="epsilon", thresholding=False)
    prior, reads, seeing, processor = reading_half()
    return KandinskyCombinedPipeline(MultilingualCLIP(config).eval(), words, network, draws, movq(), prior, seeing, clip(len(words), projected=True), words, reads, processor)


def cascade(words: Any) -> Any:
    from diffusers import DDPMWuerstchenScheduler, StableCascadeCombinedPipeline, StableCascadeUNet

    prior = StableCascadeUNet(
        conditioning_dim=64, block_out_channels=(64, 64), num_attention_heads=(2, 2), down_num_layers_per_block=(1, 1), up_num_layers_per_block=(1, 1), clip_image_in_channels=768, clip_text_in_channels=WIDTH,
        clip_text_pooled_in_channels=WIDTH, switch_level=(False,), dropout=(0.1, 0.1),
    )  # fmt: skip
    decoder = StableCascadeUNet(
        in_channels=4, out_channels=4, conditioning_dim=64, block_out_channels=(32, 64), num_attention_heads=(-1, 2), down_num_layers_per_block=(1, 1), up_num_layers_per_block=(1, 1), down_blocks_repeat_mappers=(1, 1),
        up_blocks_repeat_mappers=(3, 3), block_types_per_layer=(("SDCascadeResBlock", "SDCascadeTimestepBlock"), ("SDCascadeResBlock", "SDCascadeTimestepBlock", "SDCascadeAttnBlock")), clip_text_pooled_in_channels=WIDTH,
        effnet_in_channels=16, patch_size=2, kernel_size=3, dropout=(0.1, 0.1), timestep_conditioning_type=("sca",), switch_level=None,
    )  # fmt: skip
    stages = DDPMWuerstchenScheduler(), DDPMWuerstchenScheduler()
    return StableCascadeCombinedPipeline(words, clip(len(words), projected=True), decoder, stages[0], paella(), prior, clip(len(words), projected=True), words, stages[1])


def wuerstchen(words: Any) -> Any:
    from diffusers import DDPMWuerstchenScheduler, WuerstchenCombinedPipeline
    from diffusers.pipelines.deprecated.wuerstchen.modeling_wuerstchen_diffnext import WuerstchenDiffNeXt
    from diffusers.pipelines.deprecated.wuerstchen.modeling_wuerstchen_prior import WuerstchenPrior

    prior = WuerstchenPrior(c_in=16, c=32, c_cond=WIDTH, c_r=64, depth=2, nhead=2, dropout=0.1)
    decoder = WuerstchenDiffNeXt(c_cond=WIDTH, c_hidden=[32, 64], nhead=[-1, 2], blocks=[1, 1], level_config=["CT", "CTA"], inject_effnet=[False, True], effnet_embd=16, clip_embd=WIDTH)
    shake(decoder, ("clf", "down_blocks", "up_blocks"))
    return WuerstchenCombinedPipeline(words, clip(len(words)), decoder, DDPMWuerstchenScheduler(), paella(), words, clip(len(words)), prior, DDPMWuerstchenScheduler())


def paella() -> Any:
    from diffusers.pipelines.deprecated.wuerstchen.modeling_paella_vq_model import PaellaVQModel

    return PaellaVQModel(levels=2, bottleneck_blocks=1, embed_dim=16, num_vq_embeddings=16)


def deepfloyd(words: Any) -> Any:
    from diffusers import DDPMScheduler, IFPipeline, UNet2DConditionModel
    from diffusers.pipelines.deepfloyd_if import IFWatermarker

    network = UNet2DConditionModel(
        sample_size=SIDE, layers_per_block=1, block_out_channels=(32, 64), down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"), mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"), in_channels=3, out_channels=6, cross_attention_dim=WIDTH, encoder_hid_dim=WIDTH, attention_head_dim=8, addition_embed_type="text",
        addition_embed_type_num_heads=2, cross_attention_norm="group_norm", resnet_time_scale_shift="scale_shift", act_fn="gelu",
    )  # fmt: skip
    noise = DDPMScheduler(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2", thresholding=True, dynamic_thresholding_ratio=0.95, sample_max_value=1.5, prediction_type="epsilon", variance_type="learned_range")
    return IFPipeline(words, t5(len(words)), network, noise, None, None, IFWatermarker(), requires_safety_checker=False)


def deepfloyd2(words: Any) -> Any:
    """The second stage, which makes a picture larger."""
    from diffusers import DDPMScheduler, IFSuperResolutionPipeline, UNet2DConditionModel
    from diffusers.pipelines.deepfloyd_if import IFWatermarker

    network = UNet2DConditionModel(
        sample_size=4 * SIDE, layers_per_block=1, block_out_channels=(32, 64), down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"), mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"), in_channels=6, out_channels=6, cross_attention_dim=WIDTH, encoder_hid_dim=WIDTH, attention_head_dim=8, addition_embed_type="text",
        addition_embed_type_num_heads=2, cross_attention_norm="group_norm", resnet_time_scale_shift="scale_shift", act_fn="gelu", class_embed_type="timestep",
    )  # fmt: skip
    noise = DDPMScheduler(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2", thresholding=True, dynamic_thresholding_ratio=0.95, sample_max_value=1.5, prediction_type="epsilon", variance_type="learned_range")
    return IFSuperResolutionPipeline(words, t5(len(words)), network, noise, DDPMScheduler(beta_schedule="squaredcos_cap_v2"), None, None, IFWatermarker(), requires_safety_checker=False)


def chroma(words: Any) -> Any:
    from diffusers import AutoencoderKL, ChromaPipeline, ChromaTransformer2DModel, FlowMatchEulerDiscreteScheduler

    network = ChromaTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=WIDTH, axes_dims_rope=[4, 4, 8], approximator_hidden_dim=32, approximator_layers=1,
        approximator_num_channels=16,
    )  # fmt: skip
    return ChromaPipeline(FlowMatchEulerDiscreteScheduler(), AutoencoderKL(**(VAE | {"shift_factor": 0.1, "scaling_factor": 0.4})), t5(len(words)), words, network)


def flux2(words: Any) -> Any:
    import torch
    from diffusers import AutoencoderKLFlux2, FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline, Flux2Transformer2DModel
    from transformers import Qwen3Config, Qwen3ForCausalLM

    said = copy.deepcopy(words)
    said.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    encoder = Qwen3ForCausalLM(Qwen3Config(vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=28, num_attention_heads=2, num_key_value_heads=2, head_dim=8, max_position_embeddings=512)).eval()
    network = Flux2Transformer2DModel(in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=48, timestep_guidance_channels=32, axes_dims_rope=(4, 4, 4, 4), guidance_embeds=False)
    vae = AutoencoderKLFlux2(**{name: value for name, value in VAE.items() if name != "scaling_factor"})
    with torch.no_grad():
        vae.bn.running_mean.uniform_(-0.5, 0.5)
        vae.bn.running_var.uniform_(0.5, 2.0)
    return Flux2KleinPipeline(FlowMatchEulerDiscreteScheduler(), vae, encoder, said, network)


MAKERS: dict[str, Callable[[Any], Any]] = {"pixart": pixart, "auraflow": auraflow, "kandinsky3": kandinsky3, "kandinsky22": kandinsky22, "chroma": chroma, "kandinsky21": kandinsky21, "cascade": cascade, "wuerstchen": wuerstchen, "deepfloyd": deepfloyd, "flux2": flux2, "pixart_alpha": pixart_alpha}


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    import torch

    root = tmp_path_factory.mktemp("others")
    words = tokenizer(root / "words")
    give_old_names()
    for name, make in MAKERS.items():
        torch.manual_seed(1)
        pipe = make(words)
        pipe.save_pretrained(root / "models" / name)
        if hasattr(pipe, "prior_pipe"):
            pipe.decoder_pipe.save_pretrained(root / "models" / f"{name}-decoder")
            pipe.prior_pipe.save_pretrained(root / "models" / f"{name}-prior")
    torch.manual_seed(1)
    deepfloyd2(words).save_pretrained(root / "models" / "deepfloyd2")
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


def side_of(model: str) -> int:
    return 4 * SIDE if model.startswith(STAGED) else SIDE


def drawn(queue: JobQueue, model: str, **more: Any) -> np.ndarray:
    values = {"prompt": "a red cat", "negative_prompt": "fog", "width": side_of(model), "height": side_of(model), "steps": 3, "seed": 5, "upscale": 1.0, "cfg_scale": 4.0, "model": model} | more
    job = queue.submit("image.generate", values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.hint, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))


def bare(queue: JobQueue, model: str, mode: str = "text", prompt: str = "a red cat", **call: Any) -> np.ndarray:
    import diffusers
    import torch

    torch.set_num_threads(1)
    kind = {"text": diffusers.AutoPipelineForText2Image, "image": diffusers.AutoPipelineForImage2Image, "inpaint": diffusers.AutoPipelineForInpainting}[mode]
    pipe = kind.from_pretrained(queue.catalog.roots[0] / model, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    more = {"use_resolution_binning": False} if model.startswith("pixart") else {}
    side = side_of(model)
    size = {"width": side, "height": side} if mode == "text" or model.startswith("kandinsky2") else {}
    loop = "prior_" if model in STAGED else ""
    return np.asarray(pipe(prompt=prompt, **({"negative_prompt": "fog"} if model != "flux2" else {}), **{f"{loop}num_inference_steps": 3, f"{loop}guidance_scale": 4.0}, generator=torch.Generator().manual_seed(5), **size, **call, **more).images[0])


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and int(np.abs(one.astype(int) - other).max()) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("model", MAKERS)
def test_each_draws_what_bare_diffusers_draws_with_its_own_scheduler(queue: JobQueue, model: str) -> None:
    mine = drawn(queue, model)
    assert alike(mine, bare(queue, model)) and mine.std() > 1
    other = drawn(queue, model, prompt="a blue dog")
    assert alike(other, bare(queue, model, prompt="a blue dog"))
    assert model == "auraflow" or (other != mine).any(), "the words are heard; the tiny random AuraFlow is too deaf to them"


def test_two_halves_of_a_model_are_put_together(queue: JobQueue) -> None:
    """As they are published: the half that draws is chosen, the one that reads is found beside it; previews, pictures to begin from and the need are those of the whole."""
    both, needed = drawn(queue, "kandinsky22"), [Generate().need(ImageParams(prompt="x", model=f"kandinsky22{end}"), queue.catalog).weight_bytes for end in ("", "-decoder")]
    assert alike(both, bare(queue, "kandinsky22")) and both.std() > 1
    assert (drawn(queue, "kandinsky22-decoder") == both).all() and needed[0] == needed[1] > 0
    assert (drawn(queue, "kandinsky22-decoder", prompt="a blue dog") != both).any()
    key = queue.desk.inputs.keep(png(Image.fromarray(both)))
    again = drawn(queue, "kandinsky22-decoder", image=key, denoising_strength=0.7)
    assert alike(again, bare(queue, "kandinsky22", "image", image=Image.fromarray(both), strength=0.7))
    with pytest.raises(BadInput, match="Models of this family"):
        queue.submit("image.generate", {"prompt": "x", "model": "kandinsky22-decoder", "image": key, "mask": key}, owner="local")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["kandinsky21", "cascade", "wuerstchen"])
def test_halves_in_folders_of_their_own_draw_as_the_whole(queue: JobQueue, model: str) -> None:
    """The index of Stable Cascade names a module where it was in older versions of diffusers."""
    from diffusers import pipelines

    with contextlib.suppress(AttributeError):
        del pipelines.wuerstchen
    needed = [Generate().need(ImageParams(prompt="x", model=f"{model}{end}"), queue.catalog).weight_bytes for end in ("", "-decoder")]
    assert needed[0] == needed[1] > 0
    assert (drawn(queue, f"{model}-decoder") == drawn(queue, model)).all()
    index = json.loads((queue.catalog.roots[0] / f"{model}-decoder" / "model_index.json").read_text())
    assert model == "kandinsky21" or index["vqgan"] == ["wuerstchen", "PaellaVQModel"]


@pytest.mark.slow
@pytest.mark.parametrize("model", STAGED)
def test_steps_are_those_of_the_half_that_reads(queue: JobQueue, model: str) -> None:
    """They are counted and guided, of a batch together too, and a GPU's noise reaches them."""
    job = queue.submit("image.generate", {"prompt": "a red cat", "width": 128, "height": 128, "steps": 5, "upscale": 1.0, "model": model, "count": 2, "together": True}, owner="local")
    told = [(event.step, event.total) for event in job.events() if isinstance(event, Progress)]
    assert job.error is None and len(job.outputs) == 2 and {total for _, total in told} == {10} and told[-1] == (10, 10), told
    assert (drawn(queue, model, cfg_scale=1.0) != drawn(queue, model)).any() and (drawn(queue, model, steps=4) != drawn(queue, model)).any()
    assert (drawn(queue, model, noise_source="NV") != drawn(queue, model)).any()


@pytest.mark.slow
def test_the_first_stage_of_deepfloyd_goes_over_pictures_and_masks_and_shows_its_work(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """It draws in pixels: they are the preview."""
    from pipelines.image.nets import preview

    shown: list[Image.Image] = []
    plain = preview.picture
    monkeypatch.setattr(preview, "picture", lambda *given: shown.append(plain(*given)) or shown[-1])
    ramp = np.linspace(0, 255, SIDE, dtype=np.uint8)
    picture, mask = Image.fromarray(np.stack([np.tile(ramp, (SIDE, 1))] * 3, -1)), Image.fromarray(np.tile(np.where(ramp > 127, 255, 0).astype(np.uint8), (SIDE, 1)))
    key, masked = queue.desk.inputs.keep(png(picture)), queue.desk.inputs.keep(png(mask))
    assert alike(drawn(queue, "deepfloyd", image=key, denoising_strength=0.7), bare(queue, "deepfloyd", "image", image=picture, strength=0.7))
    filled = drawn(queue, "deepfloyd", image=key, mask=masked, denoising_strength=1.0, mask_blur=0)
    wanted = bare(queue, "deepfloyd", "inpaint", image=picture, mask_image=mask, strength=1.0)
    assert alike(filled[:, SIDE // 2 + 4 :], wanted[:, SIDE // 2 + 4 :]) and alike(filled[:, : SIDE // 2 - 4], np.asarray(picture)[:, : SIDE // 2 - 4])
    assert shown and shown[0].size == (SIDE, SIDE)
    with pytest.raises(BadInput, match="goes over pictures whose shorter side is 32") as told:
        queue.submit("image.generate", {"prompt": "x", "model": "deepfloyd", "image": key, "width": 64, "height": 64}, owner="local")
    assert told.value.field == "width" and told.value.fix is not None
    assert drawn(queue, "deepfloyd", image=key, width=48, denoising_strength=0.7).shape == (SIDE, 48, 3)
    assert preview.picture(__import__("torch").full((3, 2, 2), -1.0), preview.PIXELS, 1).getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.slow
def test_the_second_stage_of_deepfloyd_makes_a_picture_larger_in_the_second_pass(queue: JobQueue) -> None:
    import diffusers
    import torch

    again = {"hires_model": "deepfloyd2", "hires_scale": 4.0, "hires_steps": 2}
    small, mine = drawn(queue, "deepfloyd"), drawn(queue, "deepfloyd", **again, hires_strength=0.25)
    pipe = diffusers.DiffusionPipeline.from_pretrained(queue.catalog.roots[0] / "deepfloyd2", dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    call = {"prompt": "a red cat", "negative_prompt": "fog", "num_inference_steps": 2, "guidance_scale": 4.0, "noise_level": 250, "width": 4 * SIDE, "height": 4 * SIDE, "clean_caption": False}
    wanted = np.asarray(pipe(image=Image.fromarray(small), generator=torch.Generator().manual_seed(5), **call).images[0])
    assert alike(mine, wanted) and mine.shape == (4 * SIDE, 4 * SIDE, 3)
    for values in ({"hires_strength": 0.6}, {"hires_steps": 3}, {"hires_prompt": "a blue dog"}, {"cfg_scale": 1.0}):
        assert (drawn(queue, "deepfloyd", **{**again, "hires_strength": 0.25, **values}) != mine).any(), values
    assert drawn(queue, "pixart", **again).shape == (4 * SIDE, 4 * SIDE, 3), "whatever drew the small one"


def test_the_second_stage_of_deepfloyd_draws_nothing_by_itself(queue: JobQueue) -> None:
    assert not draws_alone(queue.catalog.find("deepfloyd2"), queue.catalog) and draws_alone(queue.catalog.find("deepfloyd"), queue.catalog)
    again = {"model": "deepfloyd", "width": SIDE, "height": SIDE, "hires_model": "deepfloyd2"}
    for values, field, words in (({"model": "deepfloyd2"}, "model", "enlarges what another model drew"), (again | {"hires_scale": 2.0}, "hires_scale", f"whose shorter side is {4 * SIDE}; this would be {2 * SIDE}"), (again | {"hires_scale": 4.0, "hires_sampler": "Euler"}, "hires_sampler", "does not go with")):
        with pytest.raises(BadInput, match=words) as told:
            queue.submit("image.generate", {"prompt": "x"} | values, owner="local")
        assert told.value.field == field and told.value.hint
        assert field != "hires_scale" or told.value.fix == Fix({"hires_scale": 4.0, "hires_width": 0, "hires_height": 0}, "Use 4")


@pytest.mark.slow
@pytest.mark.parametrize("model", [*STAGED, "deepfloyd"])
def test_models_that_only_their_own_scheduler_goes_with_refuse_others(queue: JobQueue, model: str) -> None:
    assert Generate().place(ImageParams(prompt="x", model=model), queue.catalog, "cpu", 2**40).facts["traits"]["samplers"] == ["Model's own"]
    for values, field in (({"sampler": "Euler"}, "sampler"), ({"variation_strength": 0.5}, "variation_strength")):
        with pytest.raises(BadInput) as told:
            queue.submit("image.generate", {"prompt": "x", "model": model} | values, owner="local")
        assert told.value.field == field and told.value.hint


def test_a_half_without_its_other_half_says_which_is_missing(tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "model_index.json").write_text(json.dumps({"_class_name": "KandinskyV22Pipeline"}))
    catalog = Catalog([tmp_path])
    catalog.refresh()
    with pytest.raises(ModelMissing, match="the half that reads the prompt is missing") as told:
        prior_of(catalog.find("half"), catalog)
    assert told.value.field == "model" and "kandinsky-2-2-prior" in told.value.hint
    assert set(PRIORS) == set(PUBLISHED) and all(kind in OTHERS and both in OTHERS for kind, (_, both) in PRIORS.items())


@pytest.mark.slow
def test_kandinsky_shows_its_work(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its decoder takes latents as they are: the colours foretell them so."""
    from pipelines.image.nets import preview

    shown: list[Image.Image] = []
    plain = preview.picture
    monkeypatch.setattr(preview, "picture", lambda *given: shown.append(plain(*given)) or shown[-1])
    drawn(queue, "kandinsky3", seed=6)
    assert shown and all(picture.size[0] == picture.size[1] for picture in shown)


@pytest.mark.slow
def test_flux_2_shows_the_latents_that_its_decoder_will_get(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its loop has normalised tokens: with one step the preview's latents are those that are decoded."""
    import torch
    from diffusers import AutoencoderKLFlux2

    from pipelines.image.nets import preview

    shown: list[Any] = []
    decoded: list[Any] = []
    plain, decode = preview.of_tokens, AutoencoderKLFlux2.decode
    monkeypatch.setattr(preview, "of_tokens", lambda *given: shown.append(plain(*given)) or shown[-1])
    monkeypatch.setattr(AutoencoderKLFlux2, "decode", lambda self, latents, **named: decoded.append(latents) or decode(self, latents, **named))
    drawn(queue, "flux2", seed=7, width=64, steps=1)
    assert shown and shown[-1].shape == (1, 4, SIDE // 2, 32) and torch.allclose(shown[-1], decoded[-1], atol=1e-4)


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
    assert alike(drawn(queue, "kandinsky21", image=key, denoising_strength=0.7), bare(queue, "kandinsky21", "image", image=picture, strength=0.7))
    for model, values, field in (("cascade", {"image": key}, "image"), ("deepfloyd", {"hires_scale": 2.0}, "hires_scale"), ("kandinsky21", {"image": key, "mask": key}, "mask"), ("pixart", {"image": key}, "image"), ("kandinsky3", {"image": key, "mask": key}, "mask"), ("auraflow", {"hires_scale": 2.0}, "hires_scale")):
        with pytest.raises(BadInput, match="Models of this family") as told:
            queue.submit("image.generate", {"prompt": "x", "model": model} | values, owner="local")
        assert told.value.field == field and told.value.hint


@pytest.mark.slow
@pytest.mark.parametrize("model", MAKERS)
def test_edges_are_joined_where_the_network_is_of_convolutions(queue: JobQueue, model: str) -> None:
    if model.startswith(("kandinsky", "deepfloyd")):
        assert (drawn(queue, model, tiling=True) != drawn(queue, model)).any()
        return
    with pytest.raises(BadInput, match="draws no seamless pictures") as told:
        queue.submit("image.generate", {"prompt": "x", "model": model, "tiling": True}, owner="local")
    assert told.value.field == "tiling" and told.value.fix is not None


@pytest.mark.slow
def test_their_advice_is_their_makers(queue: JobQueue) -> None:
    found = {name: family_of(queue.catalog.find(name)) for name in MAKERS}
    assert [(family.title, family.kind, family.size, family.factor, family.steps, family.cfg_scale) for family in found.values()] == [
        ("PixArt-Σ", "noise", 32, 2, 20, 4.5), ("AuraFlow", "flow", 32, 2, 50, 3.5), ("Kandinsky 3", "noise", 1024, 2, 25, 3.0), ("Kandinsky 2.2", "noise", 512, 2, 50, 4.0), ("Chroma", "flow", 1024, 2, 35, 5.0),
        ("Kandinsky 2.1", "noise", 512, 2, 50, 4.0), ("Stable Cascade", "own", 1024, 4, 20, 4.0), ("Würstchen", "own", 1024, 4, 60, 4.0), ("DeepFloyd IF", "own", 32, 1, 100, 7.0), ("FLUX.2 klein", "flow", 1024, 2, 50, 4.0), ("PixArt-α", "noise", 256, 2, 20, 4.5),
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
            if "PAG" in name:
                assert OTHERS[name] == OTHERS[name.replace("PAG", "")] and OTHERS[name].pag == (PICTURE if key in pictures else TEXT)
                continue
            if OTHERS[name].refers:
                assert OTHERS[name].modes == PICTURE and "image" in __import__("inspect").signature(kind.__call__).parameters
                continue
            if name in ("KandinskyCombinedPipeline", "KandinskyV22CombinedPipeline"):
                assert OTHERS[name].modes == PICTURE  # masks are filled by a network of their own
                continue
            assert OTHERS[name].modes == (ALL if key in pictures and key in masks else PICTURE if key in pictures else TEXT), name
            known = set(__import__("inspect").signature(kind.__call__).parameters)
            assert {"prompt", "width", "height", f"{OTHERS[name].loop}num_inference_steps", "generator", OTHERS[name].guidance} <= known and (OTHERS[name].negative <= ("negative_prompt" in known)), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("index", "words"),
    [
        ({"_class_name": "HeliosPipeline"}, "makes films"),
        ({"_class_name": "KandinskyV22PriorPipeline"}, "this one is used with it"),
        ({"_class_name": "StableCascadePriorPipeline"}, "this one is used with it"),
        ({"_class_name": "IFImg2ImgSuperResolutionPipeline"}, "Choose the first stage"),
        ({"_class_name": "FluxControlPipeline"}, "guides it"),
        ({"_class_name": "WanPipeline"}, "kind WanPipeline"),
    ],
)
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
