"""Real image architectures with tiny random weights, saved in the real formats, and a queue that draws with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.image.pictures import png
from studio.entries import ModelEntry
from studio.executor import InlineExecutor
from studio.jobs import JobQueue
from studio.plugins import Hooks
from tests.house import finish, make_queue, worker_config

WIDTH, TOKENS = 32, 77
UNET: dict[str, Any] = {
    "sample_size": 16, "in_channels": 4, "out_channels": 4, "block_out_channels": (32, 64), "layers_per_block": 1, "norm_num_groups": 8,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"), "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"), "attention_head_dim": 8,
}  # fmt: skip
VAE: dict[str, Any] = {
    "block_out_channels": (16, 32), "down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2, "norm_num_groups": 8, "latent_channels": 4,
}  # fmt: skip


def tokenizer(folder: Path) -> Any:
    """A CLIP tokenizer of a few hundred entries, 77 tokens long."""
    from pipelines.image.training.tiny.tokens import load_tokenizer, train_tokenizer

    folder.mkdir(parents=True, exist_ok=True)
    train_tokenizer(["a red cat, a blue dog on a green meadow", "one two three (word)", "猫と犬"] * 3, folder)
    made = load_tokenizer(folder)
    made.model_max_length = TOKENS
    return made


def clip(vocabulary: int, *, projected: bool = False) -> Any:
    import torch
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    from pipelines.image.nets.conditioning import final_norm

    torch.manual_seed(3)
    config = CLIPTextConfig(
        vocab_size=vocabulary, hidden_size=WIDTH, intermediate_size=64, projection_dim=WIDTH, num_hidden_layers=3, num_attention_heads=4, max_position_embeddings=TOKENS,
        bos_token_id=vocabulary - 2, eos_token_id=vocabulary - 1, pad_token_id=vocabulary - 1,
    )  # fmt: skip
    made = (CLIPTextModelWithProjection if projected else CLIPTextModel)(config).eval()
    final_norm(made).bias.data.normal_(0.3, 0.2)  # a trained encoder's states have a mean that is not 0, which weights keep
    return made


def scheduler() -> Any:
    from diffusers import EulerDiscreteScheduler

    return EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, timestep_spacing="leading")


def make_sd1(folder: Path, *, channels: int = 4, seed: int = 1, **network: Any) -> Path:
    import torch
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel

    words = tokenizer(folder.parent / "words")
    torch.manual_seed(1)
    unet = UNet2DConditionModel(**(UNET | {"in_channels": channels} | network), cross_attention_dim=WIDTH)
    pipe = StableDiffusionPipeline(
        vae=AutoencoderKL(**VAE), text_encoder=clip(len(words)), tokenizer=words, unet=unet, scheduler=scheduler(), safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )
    if seed != 1:  # another checkpoint over the same latents: only its network differs
        torch.manual_seed(seed)
        shake(pipe.unet, ("down_blocks", "mid_block", "up_blocks"), 0.1)
    pipe.save_pretrained(folder)
    return folder


def make_sdxl(folder: Path) -> Path:
    import torch
    from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel

    words = tokenizer(folder.parent / "words")
    torch.manual_seed(1)
    unet = UNet2DConditionModel(
        **UNET, cross_attention_dim=2 * WIDTH, addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=6 * 8 + WIDTH, use_linear_projection=True,
        transformer_layers_per_block=(1, 2),
    )  # fmt: skip
    pipe = StableDiffusionXLPipeline(
        vae=AutoencoderKL(**VAE), text_encoder=clip(len(words)), text_encoder_2=clip(len(words), projected=True), tokenizer=words, tokenizer_2=words, unet=unet, scheduler=scheduler()
    )
    pipe.save_pretrained(folder)
    return folder


def t5(vocabulary: int, width: int = WIDTH) -> Any:
    import torch
    from transformers import T5Config, T5EncoderModel

    torch.manual_seed(4)
    return T5EncoderModel(T5Config(vocab_size=vocabulary, d_model=width, d_ff=64, d_kv=8, num_heads=4, num_layers=2, is_gated_act=True, dense_act_fn="gelu_new")).eval()


def make_flux(folder: Path, *, layers: int = 1) -> Path:
    import torch
    from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    words = tokenizer(folder.parent / "words")
    torch.manual_seed(1)
    network = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=layers, num_single_layers=layers, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH, axes_dims_rope=[4, 4, 8]
    )
    pipe = FluxPipeline(
        vae=AutoencoderKL(**(VAE | {"latent_channels": 4, "shift_factor": 0.1, "scaling_factor": 0.4})), text_encoder=clip(len(words)), tokenizer=words, text_encoder_2=t5(len(words)), tokenizer_2=words,
        transformer=network, scheduler=FlowMatchEulerDiscreteScheduler(),
    )  # fmt: skip
    pipe.save_pretrained(folder)
    return folder


def make_sd3(folder: Path, *, layers: int = 1) -> Path:
    import torch
    from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    words = tokenizer(folder.parent / "words")
    torch.manual_seed(1)
    network = SD3Transformer2DModel(
        sample_size=16, patch_size=2, in_channels=16, num_layers=layers, attention_head_dim=8, num_attention_heads=4, caption_projection_dim=32, joint_attention_dim=4 * WIDTH, pooled_projection_dim=2 * WIDTH, out_channels=16
    )
    encoders = {"text_encoder": clip(len(words), projected=True), "text_encoder_2": clip(len(words), projected=True), "text_encoder_3": t5(len(words), 4 * WIDTH)}
    pipe = StableDiffusion3Pipeline(
        vae=AutoencoderKL(**(VAE | {"latent_channels": 16, "shift_factor": 0.1})), **encoders, tokenizer=words, tokenizer_2=words, tokenizer_3=words, transformer=network, scheduler=FlowMatchEulerDiscreteScheduler()
    )
    pipe.save_pretrained(folder)
    return folder


MAKERS = {"sd1": make_sd1, "sdxl": make_sdxl, "sd3": make_sd3, "flux": make_flux}


def image_queue(data: Path, models: Path) -> JobQueue:
    """The image pipelines over an inline worker: what a studio has, without processes."""
    hooks = Hooks()
    hooks.load_builtin("pipelines.image")
    config = worker_config(data) | {"builtins": ["pipelines.image"], "roots": [str(models)], "budget": 2**34}
    queue = make_queue(data, InlineExecutor(config), hooks)
    queue.catalog.roots = [models]
    return queue


def make_controlnet(folder: Path, seed: int = 11, *, xl: bool = False, groups: int = 8) -> Any:
    """Beside the network of make_sd1 or make_sdxl, its closing convolutions no longer zero."""
    import torch
    from diffusers import ControlNetModel

    torch.manual_seed(seed)
    more: dict[str, Any] = {"cross_attention_dim": WIDTH}
    if xl:
        more = {
            "cross_attention_dim": 2 * WIDTH, "addition_embed_type": "text_time", "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 6 * 8 + WIDTH, "use_linear_projection": True, "transformer_layers_per_block": (1, 2),
        }  # fmt: skip
    net = ControlNetModel(
        block_out_channels=(32, 64), layers_per_block=1, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), norm_num_groups=groups, attention_head_dim=8, conditioning_embedding_out_channels=(16, 32), **more
    )
    shake(net, ("controlnet_down_blocks", "controlnet_mid_block", "controlnet_cond_embedding.conv_out"))
    net.save_pretrained(folder)
    return net


def shake(net: Any, names: tuple[str, ...], size: float = 0.3) -> None:
    """What trainers begin with zeros gets small random values, so that it does something."""
    import torch

    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.startswith(names):
                parameter.copy_(torch.randn(parameter.shape) * size)


def make_refiner(folder: Path) -> Path:
    """The second half of Stable Diffusion XL: the second encoder alone, and a beauty score in the place of the target size."""
    import torch
    from diffusers import AutoencoderKL, StableDiffusionXLImg2ImgPipeline, UNet2DConditionModel

    words = tokenizer(folder.parent / "words")
    torch.manual_seed(6)
    unet = UNet2DConditionModel(
        **UNET, cross_attention_dim=WIDTH, addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=5 * 8 + WIDTH, use_linear_projection=True, transformer_layers_per_block=(1, 2),
    )  # fmt: skip
    torch.manual_seed(1)
    UNet2DConditionModel(**UNET, cross_attention_dim=2 * WIDTH, addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=6 * 8 + WIDTH, use_linear_projection=True, transformer_layers_per_block=(1, 2))
    vae = AutoencoderKL(**VAE)  # as make_sdxl draws it: the two share their latents
    pipe = StableDiffusionXLImg2ImgPipeline(
        vae=vae, text_encoder=None, text_encoder_2=clip(len(words), projected=True), tokenizer=None, tokenizer_2=words, unet=unet, scheduler=scheduler(), requires_aesthetics_score=True, force_zeros_for_empty_prompt=False
    )
    pipe.save_pretrained(folder)
    return folder


def make_flow_controlnets(models: Path) -> None:
    """Beside the transformers of make_sd3 and make_flux."""
    import torch
    from diffusers import FluxControlNetModel, SD3ControlNetModel

    torch.manual_seed(51)
    sd3 = SD3ControlNetModel(
        sample_size=16, patch_size=2, in_channels=16, num_layers=1, attention_head_dim=8, num_attention_heads=4, caption_projection_dim=32, joint_attention_dim=4 * WIDTH, pooled_projection_dim=2 * WIDTH, out_channels=16
    )
    flux = FluxControlNetModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH, axes_dims_rope=[4, 4, 8]
    )
    for name, net in (("sd3", sd3), ("flux", flux)):
        shake(net, ("controlnet_blocks", "controlnet_single_blocks", "controlnet_x_embedder", "pos_embed_input"))
        net.save_pretrained(models / "controlnet" / f"{name}-edges")


def headers(root: Path, name: str, kind: str, side: int, *, levels: int = 4) -> ModelEntry:
    """A model of which only the headers are there."""
    path = root / name
    for part, values in (("model_index.json", {"_class_name": kind}), ("unet/config.json", {"sample_size": side}), ("vae/config.json", {"block_out_channels": [8] * levels})):
        (path / part).parent.mkdir(parents=True, exist_ok=True)
        (path / part).write_text(json.dumps(values))
    return ModelEntry(name, str(path), "image", "diffusers", 1000, name.title(), kind)


@contextmanager
def drawing(root: Path, makers: Mapping[str, Callable[[Path], Path]]) -> Iterator[JobQueue]:
    """A started queue over models that are made below `root`, each by its name."""
    for name, make in makers.items():
        make(root / "models" / name)
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


def ground_keys(queue: JobQueue, side: int) -> tuple[str, str]:
    """Keys of a picture of slow ramps and of a mask that has its middle half."""
    import numpy as np
    from PIL import Image

    ramp = np.linspace(0, 255, side, dtype=np.uint8)
    picture = np.stack([np.tile(ramp, (side, 1)), np.tile(ramp[:, None], (1, side)), np.full((side, side), 90, np.uint8)], -1)
    mask = np.zeros((side, side), np.uint8)
    mask[side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = 255
    return queue.desk.inputs.keep(png(Image.fromarray(picture))), queue.desk.inputs.keep(png(Image.fromarray(mask)))
