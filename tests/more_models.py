"""The families of pictures that came later, each with its real architecture, tiny and of random weights, saved as diffusers saves it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.dit import spread
from tests.image_models import VAE, WIDTH, clip, scheduler, t5

MARKS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}{{ c['text'] }}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SEEN = {"hidden_size": 16, "intermediate_size": 16, "depth": 2, "num_heads": 2, "out_hidden_size": 16}
READS = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 4096}

EIGHTH: dict[str, Any] = {"block_out_channels": (8, 8, 16, 16), "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}  # of a decoder


def letters() -> Any:
    """Qwen's tokenizer with its bytes and its marks only."""
    from transformers import Qwen2Tokenizer

    from pipelines.image.checkpoint import _byte_letters

    known = {letter: number for number, letter in enumerate((*_byte_letters(), *MARKS))}
    made = Qwen2Tokenizer(vocab=known, merges=[])
    made.add_special_tokens({"additional_special_tokens": list(MARKS[1:])})
    made.chat_template, made.model_max_length = TEMPLATE, 4096
    return made


def reader(words: Any, layers: int = 3) -> Any:
    import torch
    from transformers import Qwen3Config, Qwen3Model

    torch.manual_seed(4)
    return Qwen3Model(Qwen3Config(vocab_size=len(words), num_hidden_layers=layers, **READS)).eval()


def seer(words: Any, *, third: bool = False, layers: int = 2, whole: bool = True) -> Any:
    """Qwen2.5-VL, or Qwen3-VL: an encoder that reads words and sees pictures."""
    import torch
    import transformers

    torch.manual_seed(4)
    number = {mark: words.convert_tokens_to_ids(mark) for mark in MARKS}
    ids = {"image_token_id": number["<|image_pad|>"], "video_token_id": number["<|video_pad|>"], "vision_start_token_id": number["<|vision_start|>"], "vision_end_token_id": number["<|vision_end|>"]}
    turns = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}
    text = READS | {"vocab_size": len(words), "num_hidden_layers": layers, "rope_parameters": turns}
    if not third:
        config: Any = transformers.Qwen2_5_VLConfig(text_config=text, vision_config=SEEN | {"fullatt_block_indexes": [1], "window_size": 56}, **ids)
        return transformers.Qwen2_5_VLForConditionalGeneration(config).eval()
    config = transformers.Qwen3VLConfig(text_config=text, vision_config=SEEN | {"deepstack_visual_indexes": [0], "num_position_embeddings": 16}, **ids)
    return (transformers.Qwen3VLForConditionalGeneration if whole else transformers.Qwen3VLModel)(config).eval()


def prepares(words: Any, *, third: bool = False) -> Any:
    import transformers

    from pipelines.image.nets.processors import of_stills

    patch = 16 if third else 14
    pictures = transformers.Qwen2VLImageProcessorPil(patch_size=patch, min_pixels=4 * patch**2, max_pixels=16 * patch**2)
    return of_stills(transformers.Qwen3VLProcessor if third else transformers.Qwen2VLProcessor)(pictures, words, chat_template=TEMPLATE)


def film_vae(channels: int = 3, latents: int = 4, levels: tuple[int, ...] = (1, 2)) -> Any:
    import torch
    from diffusers import AutoencoderKLQwenImage

    torch.manual_seed(3)
    return AutoencoderKLQwenImage(input_channels=channels, base_dim=16, z_dim=latents, dim_mult=list(levels), num_res_blocks=1, temperal_downsample=[False] * (len(levels) - 1), latents_mean=[0.1] * latents, latents_std=[2.0] * latents).eval()


def still_vae(channels: int = 4, **more: Any) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(**(VAE | {"latent_channels": channels, "shift_factor": 0.1, "scaling_factor": 0.4} | more))


def eighth_vae(**more: Any) -> Any:
    """Of eight pixels a latent, which some pipelines take for granted."""
    return still_vae(**EIGHTH, **more)


def flow() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler()


def kolors(words: Any, root: Path) -> Any:
    """Stable Diffusion XL's network after ChatGLM's words."""
    import torch
    from diffusers import AutoencoderKL, KolorsPipeline, UNet2DConditionModel
    from diffusers.pipelines.kolors import ChatGLMModel, ChatGLMTokenizer
    from diffusers.pipelines.kolors.text_encoder import ChatGLMConfig

    unet = UNet2DConditionModel(
        sample_size=16, in_channels=4, out_channels=4, block_out_channels=(32, 64), layers_per_block=1, norm_num_groups=8, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), attention_head_dim=8, cross_attention_dim=WIDTH, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + WIDTH, use_linear_projection=True, transformer_layers_per_block=(1, 1), encoder_hid_dim=WIDTH, encoder_hid_dim_type="text_proj",
    )  # fmt: skip
    torch.manual_seed(4)
    config = ChatGLMConfig(
        hidden_size=WIDTH, ffn_hidden_size=WIDTH, kv_channels=8, num_attention_heads=4, multi_query_attention=True, multi_query_group_num=2, num_layers=2, padded_vocab_size=96, seq_length=64, add_qkv_bias=True,
        original_rope=True, hidden_dropout=0.0, attention_dropout=0.0,
    )  # fmt: skip
    encoder = ChatGLMModel(config).eval()
    with torch.no_grad():  # it leaves its weights as they lie in memory
        for name, value in encoder.named_parameters():
            value.fill_(1.0) if "norm" in name else value.normal_(0, 0.2)
    return KolorsPipeline(AutoencoderKL(**VAE), encoder, ChatGLMTokenizer(str(pieces(root))), unet, scheduler())


def pieces(root: Path) -> Path:
    """A sentencepiece model of a few words."""
    import sentencepiece

    text = root / "words.txt"
    text.write_text("a red cat on a green meadow\na blue dog\none two three\nfog and rain\n猫と犬\n" * 20, encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(input=str(text), model_prefix=str(root / "pieces"), vocab_size=60, model_type="bpe", bos_id=1, eos_id=2, unk_id=0, character_coverage=1.0, minloglevel=2)
    return root / "pieces.model"


def z_network(words: Any, **more: Any) -> Any:
    import torch
    from diffusers import ZImageTransformer2DModel

    network = ZImageTransformer2DModel(in_channels=4, dim=32, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=16, axes_dims=[8, 4, 4], axes_lens=[512, 64, 64], **more)
    with torch.no_grad():  # what pads is nothing until it is trained, and may be anything
        for name, value in network.named_parameters():
            if "pad_token" in name:
                value.normal_(0, 0.02)
    return network


def zimage(words: Any, root: Path) -> Any:
    from diffusers import ZImagePipeline

    return ZImagePipeline(flow(), still_vae(), reader(letters()), letters(), z_network(words))


def zimage_omni(words: Any, root: Path) -> Any:
    import torch
    from diffusers import ZImageOmniPipeline
    from transformers import Siglip2ImageProcessorPil, Siglip2VisionConfig, Siglip2VisionModel

    torch.manual_seed(5)
    sees = Siglip2VisionModel(Siglip2VisionConfig(hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, num_patches=16, patch_size=8)).eval()
    return ZImageOmniPipeline(flow(), still_vae(), reader(letters()), letters(), z_network(words, siglip_feat_dim=16), sees, Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16))


def qwen_network(latents: int = 4, **more: Any) -> Any:
    from diffusers import QwenImageTransformer2DModel

    return QwenImageTransformer2DModel(in_channels=4 * latents, out_channels=latents, num_layers=2, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=16, axes_dims_rope=(8, 4, 4), **more)


def qwenimage(words: Any, root: Path) -> Any:
    from diffusers import QwenImagePipeline

    return QwenImagePipeline(flow(), film_vae(), seer(letters()), letters(), qwen_network())


def qwenedit(words: Any, root: Path) -> Any:
    from diffusers import QwenImageEditPipeline

    return QwenImageEditPipeline(flow(), film_vae(), seer(letters()), letters(), prepares(letters()), qwen_network())


def qwenedit_plus(words: Any, root: Path) -> Any:
    from diffusers import QwenImageEditPlusPipeline

    return QwenImageEditPlusPipeline(flow(), film_vae(), seer(letters()), letters(), prepares(letters()), qwen_network())


def layered(words: Any, root: Path) -> Any:
    from diffusers import QwenImageLayeredPipeline

    network = qwen_network(8, use_additional_t_cond=True, use_layer3d_rope=True)
    return QwenImageLayeredPipeline(flow(), film_vae(4, 8), seer(letters()), letters(), prepares(letters()), network)  # of as many latents as channels, it takes a picture for its latents


def kontext(words: Any, root: Path) -> Any:
    from diffusers import FluxKontextPipeline, FluxTransformer2DModel

    network = FluxTransformer2DModel(patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH, axes_dims_rope=[4, 4, 8], guidance_embeds=True)
    return FluxKontextPipeline(flow(), still_vae(), clip(len(words)), words, t5(len(words)), words, network)


def gemma(words: Any) -> Any:
    import torch
    from transformers import Gemma2Config, Gemma2Model

    torch.manual_seed(4)
    return Gemma2Model(Gemma2Config(vocab_size=len(words), num_hidden_layers=2, **READS)).eval()


def deep_vae(levels: int = 2) -> Any:
    """Of as many halvings less one; Sana's has six levels."""
    from diffusers import AutoencoderDC

    blocks, scales = ("ResBlock",) * (levels - 1) + ("EfficientViTBlock",), ((),) * (levels - 1) + ((5,),)
    return AutoencoderDC(
        latent_channels=4, attention_head_dim=2, encoder_block_types=blocks, decoder_block_types=blocks, encoder_block_out_channels=(8,) * levels, decoder_block_out_channels=(8,) * levels,
        encoder_qkv_multiscales=scales, decoder_qkv_multiscales=scales, encoder_layers_per_block=(1,) * levels, decoder_layers_per_block=[1] * levels, downsample_block_type="conv", upsample_block_type="interpolate",
        decoder_norm_types="rms_norm", decoder_act_fns="silu", scaling_factor=0.41407,
    )  # fmt: skip


def sana(words: Any, root: Path) -> Any:
    from diffusers import DPMSolverMultistepScheduler, SanaPipeline, SanaTransformer2DModel

    network = SanaTransformer2DModel(in_channels=4, out_channels=4, num_layers=2, num_attention_heads=2, attention_head_dim=4, num_cross_attention_heads=2, cross_attention_head_dim=4, cross_attention_dim=8, caption_channels=16, sample_size=16)
    steps = DPMSolverMultistepScheduler(algorithm_type="dpmsolver++", prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
    said = letters()
    said.padding_side = "right"
    return SanaPipeline(said, gemma(said), deep_vae(), network, steps)


def hunyuan(words: Any, root: Path) -> Any:
    import torch
    from diffusers import DDPMScheduler, HunyuanDiT2DModel, HunyuanDiTPipeline
    from transformers import BertConfig, BertModel

    network = HunyuanDiT2DModel(
        sample_size=16, num_layers=2, patch_size=2, attention_head_dim=8, num_attention_heads=4, in_channels=4, cross_attention_dim=WIDTH, cross_attention_dim_t5=WIDTH, pooled_projection_dim=16, hidden_size=32, text_len=77,
        text_len_t5=256, activation_fn="gelu-approximate",
    )  # fmt: skip
    torch.manual_seed(4)
    bert = BertModel(BertConfig(vocab_size=len(words), hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, max_position_embeddings=77)).eval()
    return HunyuanDiTPipeline(eighth_vae(shift_factor=None), bert, words, network, DDPMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.018, prediction_type="v_prediction"), None, None, False, t5(len(words)), words)


def lumina(words: Any, root: Path) -> Any:
    import torch
    from diffusers import LuminaNextDiT2DModel, LuminaPipeline
    from transformers import GemmaConfig, GemmaModel

    network = LuminaNextDiT2DModel(sample_size=4, patch_size=2, in_channels=4, hidden_size=32, num_layers=2, num_attention_heads=2, num_kv_heads=1, multiple_of=16, ffn_dim_multiplier=None, learn_sigma=True, cross_attention_dim=16)
    torch.manual_seed(4)
    return LuminaPipeline(network, flow(), eighth_vae(shift_factor=None), GemmaModel(GemmaConfig(vocab_size=len(letters()), num_hidden_layers=2, **READS)).eval(), letters())


def lumina2(words: Any, root: Path) -> Any:
    from diffusers import Lumina2Pipeline, Lumina2Transformer2DModel

    network = Lumina2Transformer2DModel(
        sample_size=4, patch_size=2, in_channels=4, hidden_size=32, num_layers=2, num_refiner_layers=1, num_attention_heads=2, num_kv_heads=1, multiple_of=2, axes_dim_rope=(4, 8, 4), axes_lens=(512, 64, 64), cap_feat_dim=16
    )
    return Lumina2Pipeline(network, flow(), eighth_vae(), gemma(letters()), letters())


def cogview3(words: Any, root: Path) -> Any:
    from diffusers import CogVideoXDDIMScheduler, CogView3PlusPipeline, CogView3PlusTransformer2DModel

    network = CogView3PlusTransformer2DModel(patch_size=2, in_channels=4, num_layers=2, attention_head_dim=4, num_attention_heads=2, out_channels=4, text_embed_dim=WIDTH, time_embed_dim=8, condition_dim=2, pos_embed_max_size=32, sample_size=8)
    return CogView3PlusPipeline(words, t5(len(words)), still_vae(shift_factor=None), network, CogVideoXDDIMScheduler(prediction_type="v_prediction"))


def cogview4(words: Any, root: Path) -> Any:
    import torch
    from diffusers import CogView4Pipeline, CogView4Transformer2DModel, FlowMatchEulerDiscreteScheduler
    from transformers import GlmConfig, GlmModel

    network = CogView4Transformer2DModel(patch_size=2, in_channels=4, num_layers=2, attention_head_dim=8, num_attention_heads=2, out_channels=4, text_embed_dim=16, time_embed_dim=8, condition_dim=4, sample_size=16)
    torch.manual_seed(4)
    glm = GlmModel(GlmConfig(vocab_size=len(words), num_hidden_layers=2, pad_token_id=0, **READS)).eval()
    steps = FlowMatchEulerDiscreteScheduler(base_shift=0.25, max_shift=0.75, base_image_seq_len=256, use_dynamic_shifting=True, time_shift_type="linear")
    return CogView4Pipeline(words, glm, still_vae(shift_factor=None), network, steps)


def ovis(words: Any, root: Path) -> Any:
    from diffusers import OvisImagePipeline, OvisImageTransformer2DModel

    network = OvisImageTransformer2DModel(patch_size=1, in_channels=16, out_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=16, axes_dims_rope=(4, 4, 8))
    return OvisImagePipeline(flow(), still_vae(), reader(letters()), letters(), network)


def prx(words: Any, root: Path) -> Any:
    import torch
    from diffusers import PRXPipeline, PRXTransformer2DModel
    from transformers import T5GemmaModuleConfig
    from transformers.models.t5gemma.modeling_t5gemma import T5GemmaEncoder

    network = PRXTransformer2DModel(in_channels=4, patch_size=2, context_in_dim=16, hidden_size=16, mlp_ratio=2.0, num_heads=2, depth=2, axes_dim=[4, 4])
    spread(network)
    said = letters()
    said.model_max_length = 32
    half = T5GemmaModuleConfig(vocab_size=len(said), num_hidden_layers=2, dropout_rate=0.0, **READS)
    torch.manual_seed(4)
    encoder = T5GemmaEncoder(half).eval()
    return PRXPipeline(network, flow(), encoder, said, still_vae(), default_sample_size=512)


def krea2(words: Any, root: Path) -> Any:
    from diffusers import Krea2Pipeline, Krea2Transformer2DModel

    network = Krea2Transformer2DModel(
        in_channels=16, num_layers=2, attention_head_dim=16, num_attention_heads=2, num_key_value_heads=1, intermediate_size=32, timestep_embed_dim=8, text_hidden_dim=16, num_text_layers=2, text_num_attention_heads=2,
        text_num_key_value_heads=2, text_intermediate_size=16, num_layerwise_text_blocks=1, num_refiner_text_blocks=1, axes_dims_rope=(8, 4, 4),
    )  # fmt: skip
    return Krea2Pipeline(flow(), film_vae(), seer(letters(), third=True, layers=3, whole=False), letters(), network, text_encoder_select_layers=(1, 2))


def nucleus(words: Any, root: Path) -> Any:
    from diffusers import NucleusMoEImagePipeline, NucleusMoEImageTransformer2DModel

    network = NucleusMoEImageTransformer2DModel(
        patch_size=2, in_channels=16, out_channels=4, num_layers=4, attention_head_dim=16, num_attention_heads=2, num_key_value_heads=2, joint_attention_dim=16, axes_dims_rope=(8, 4, 4), mlp_ratio=8.0, num_experts=2, moe_intermediate_dim=16,
        capacity_factors=[8.0] * 4,
    )  # fmt: skip
    return NucleusMoEImagePipeline(network, flow(), film_vae(), seer(letters(), third=True, layers=9), prepares(letters(), third=True))


def norm_vae(**more: Any) -> Any:
    import torch
    from diffusers import AutoencoderKLFlux2

    vae = AutoencoderKLFlux2(**({name: value for name, value in VAE.items() if name != "scaling_factor"} | more))
    with torch.no_grad():
        vae.bn.running_mean.uniform_(-0.5, 0.5)
        vae.bn.running_var.uniform_(0.5, 2.0)
    return vae


def ideogram4(words: Any, root: Path) -> Any:
    from diffusers import Ideogram4Pipeline, Ideogram4Transformer2DModel

    def network() -> Any:
        return Ideogram4Transformer2DModel(in_channels=16, num_layers=2, attention_head_dim=16, num_attention_heads=2, intermediate_size=32, adaln_dim=8, llm_features_dim=16 * 13, mrope_section=(4, 2, 2))

    return Ideogram4Pipeline(flow(), norm_vae(), seer(letters(), third=True, layers=36, whole=False), letters(), network(), network())


def flux2_dev(words: Any, root: Path) -> Any:
    """FLUX.2 after Mistral's words; it is told its guidance."""
    import torch
    from diffusers import Flux2Pipeline, Flux2Transformer2DModel
    from transformers import Mistral3Config, Mistral3ForConditionalGeneration

    said = letters()
    said.add_special_tokens({"additional_special_tokens": ["[IMG]", "[IMG_BREAK]", "[IMG_END]"]})
    said.pad_token = "<|endoftext|>"
    torch.manual_seed(4)
    text = READS | {"model_type": "mistral", "vocab_size": len(said), "num_hidden_layers": 30, "sliding_window": None}
    sees = {"model_type": "pixtral", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32, "patch_size": 8}
    encoder = Mistral3ForConditionalGeneration(Mistral3Config(text_config=text, vision_config=sees, image_token_index=said.convert_tokens_to_ids("[IMG]"))).eval()
    network = Flux2Transformer2DModel(in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=48, timestep_guidance_channels=32, axes_dims_rope=(4, 4, 4, 4), guidance_embeds=True)
    return Flux2Pipeline(flow(), norm_vae(), encoder, said, network)


def qwenimage21(words: Any, root: Path) -> Any:
    import torch
    from diffusers import AutoencoderKLQwenImage21, QwenImage21Pipeline, QwenImage21Transformer2DModel

    torch.manual_seed(3)
    vae = AutoencoderKLQwenImage21(
        base_dim=8, decoder_base_dim=8, z_dim=4, dim_mult=[1, 1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True, True], latents_mean=[0.1] * 4, latents_std=[2.0] * 4, is_residual=True
    ).eval()
    network = QwenImage21Transformer2DModel(in_channels=4, out_channels=4, num_layers=2, attention_head_dim=16, num_attention_heads=2, context_in_dim=16, axes_dims_rope=(8, 4, 4))
    return QwenImage21Pipeline(flow(), vae, seer(letters(), third=True), prepares(letters(), third=True), network)


CODES = 34  # what GLM-Image's first half may say: codes of pictures, and where one begins and ends


def codes() -> Any:
    """A tokenizer whose first entries are codes of pictures, then bytes and marks, as GLM-Image has it."""
    from transformers import Qwen2Tokenizer

    from pipelines.image.checkpoint import _byte_letters

    marks = {"image_token": "<|image|>", "grid_bos_token": "<|grid_start|>", "grid_eos_token": "<|grid_end|>"}
    names = (*(f"<|code_{number}|>" for number in range(CODES - 2)), "<|picture_start|>", "<|picture_end|>", *_byte_letters(), *MARKS[:3], *marks.values())
    made = Qwen2Tokenizer(vocab={name: number for number, name in enumerate(names)}, merges=[], bos_token="<|picture_start|>", extra_special_tokens=marks)
    made.chat_template = TEMPLATE
    return made


def glm(words: Any, root: Path) -> Any:
    """A language model says the picture's codes, a transformer draws after them."""
    import torch
    import transformers
    from diffusers import GlmImagePipeline, GlmImageTransformer2DModel

    said = codes()
    number = said.convert_tokens_to_ids
    nothing = number("<|endoftext|>")
    text = {name: value for name, value in READS.items() if name != "head_dim"} | {"vocab_size": len(said), "vision_vocab_size": CODES, "num_hidden_layers": 2, "pad_token_id": nothing, "eos_token_id": nothing}
    text["rope_parameters"] = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1], "partial_rotary_factor": 1.0}
    sees = {"depth": 1, "hidden_size": 16, "num_heads": 2, "intermediate_size": 16, "image_size": 64, "patch_size": 16}
    ids = {"image_token_id": number("<|image|>"), "image_start_token_id": number("<|picture_start|>"), "image_end_token_id": number("<|picture_end|>")}
    torch.manual_seed(4)
    config = transformers.GlmImageConfig(text_config=text, vision_config=sees, vq_config={"embed_dim": 8, "num_embeddings": CODES - 2, "latent_channels": 16}, **ids)
    speaks = transformers.GlmImageForConditionalGeneration(config).eval()
    speaks.lm_head.weight.data.mul_(100)  # else all codes are as likely, whatever the words are
    prepares_both = transformers.GlmImageProcessor(transformers.GlmImageImageProcessorPil(patch_size=16, merge_size=1, temporal_patch_size=1), said, chat_template=TEMPLATE)
    network = GlmImageTransformer2DModel(
        in_channels=4, out_channels=4, num_layers=2, attention_head_dim=16, num_attention_heads=2, text_embed_dim=WIDTH, time_embed_dim=16, condition_dim=8, prior_vq_quantizer_codebook_size=CODES
    )
    vae = eighth_vae(latents_mean=[0.5, -1.0, 0.1, 2.0], latents_std=[2.0, 0.5, 3.0, 1.0], shift_factor=None, scaling_factor=1.0)
    return GlmImagePipeline(transformers.ByT5Tokenizer(), prepares_both, t5(384), speaks, vae, network, flow())


MAKERS: dict[str, Callable[[Any, Path], Any]] = {
    made.__name__: made for made in (kolors, zimage, zimage_omni, qwenimage, qwenedit, qwenedit_plus, kontext, sana, hunyuan, lumina, lumina2, cogview3, cogview4, ovis, prx, krea2, nucleus, ideogram4, flux2_dev, qwenimage21, glm)
}
