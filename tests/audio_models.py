"""Tiny random audio models in the real formats: folders as `save_pretrained` writes them. Few layers, small codecs, a word-level tokenizer; what they say is noise, how they are read is real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WORDS = ["<pad>", "</s>", "<unk>", "a", "calm", "piano", "drum", "beat", "with", "rain", "slow", "fast", "loud", "soft", "noise", "song", "love", "verse", "chorus", "night", "#", "Instruction", "Caption", "Metas"]


def tokenizer() -> Any:
    """T5's, of whole words."""
    from transformers import T5Tokenizer

    fixed = WORDS[:3]
    return T5Tokenizer(vocab=[(word, 0.0) for word in fixed] + [("▁" + word, -1.0 - number / 10) for number, word in enumerate(WORDS[3:])], extra_ids=0, model_max_length=64)


def letters() -> Any:
    """RoBERTa's, of single letters: 32 of them with its marks."""
    from transformers import RobertaTokenizer

    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    return RobertaTokenizer(vocab={letter: number for number, letter in enumerate([*marks, *"abcdefghijklmnopqrstuvwxyzĠ"])}, merges=[], model_max_length=16)


def plain_letters() -> Any:
    """Letters in the form that Qwen's comes in, a fast tokenizer of no class of its own."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate([*WORDS[:3], *map(chr, range(32, 127))])}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")  # type: ignore[assignment]
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512)


def t5() -> Any:
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(t5_config(T5Config)).eval()


def t5_config(kind: Any) -> Any:
    return kind(vocab_size=len(WORDS), d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2, decoder_start_token_id=0, is_encoder_decoder=False, use_cache=False)


def musicgen(folder: Path, *, melody: bool = False, channels: int = 1, seed: int = 0) -> Path:
    """A codec of 320 samples a frame at 16 kHz: 50 frames a second, as the real ones have. Two codebooks a channel; its positions reach 30 s."""
    import torch
    import transformers

    torch.manual_seed(seed)
    name = "MusicgenMelody" if melody else "Musicgen"
    codec = transformers.EncodecConfig(
        sampling_rate=16000, target_bandwidths=[0.6], audio_channels=1, hidden_size=8, num_filters=2, num_residual_layers=1, upsampling_ratios=[8, 5, 4, 2], codebook_size=64, codebook_dim=8,
        num_lstm_layers=1, normalize=False, chunk_length_s=None, norm_type="weight_norm", use_causal_conv=False,
    )  # fmt: skip
    decoder = getattr(transformers, f"{name}DecoderConfig")(
        vocab_size=64, hidden_size=16, ffn_dim=24, num_hidden_layers=2, num_attention_heads=2, num_codebooks=2 * channels, audio_channels=channels, max_position_embeddings=2048, pad_token_id=64, bos_token_id=64, decoder_start_token_id=64, initializer_factor=0.8,
    )  # fmt: skip
    parts = {"text_encoder": t5_config(transformers.T5Config).to_dict(), "audio_encoder": codec.to_dict(), "decoder": decoder.to_dict()}
    more = {"num_chroma": 12, "chroma_length": 235} if melody else {}
    config = getattr(transformers, f"{name}Config")(**parts, **more)
    model = getattr(transformers, f"{name}ForConditionalGeneration")(config).eval()
    _wake(model.audio_encoder)
    settings = model.generation_config
    settings.guidance_scale, settings.do_sample, settings.max_length, settings.pad_token_id, settings.decoder_start_token_id, settings.bos_token_id = 3.0, True, 1500, 64, 64, 64
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    features: dict[str, Any] = {"sampling_rate": 16000, "feature_size": 12 if melody else channels, "padding_value": 0.0}
    features |= {"feature_extractor_type": f"{name}FeatureExtractor", "n_fft": 16384, "hop_length": 4096, "num_chroma": 12, "chunk_length": 30} if melody else {"feature_extractor_type": "EncodecFeatureExtractor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(features), encoding="utf-8")
    return folder


def _wake(codec: Any) -> None:
    """transformers leaves codebooks at 0 and random encoders hear little: without biases, at unit size, with entries from what it hears of noises and tones, as k-means begins them."""
    import torch

    with torch.no_grad():
        for name, value in codec.encoder.named_parameters():
            if name.endswith("bias") or ".bias" in name:
                value.zero_()
        time = torch.arange(32000) / 16000
        sounds = torch.cat([torch.sin(6.283 * (100 + 900 * time) * time) * 0.3, torch.randn(32000) * 0.2])[None, None]
        codec.encoder.layers[-1].conv.parametrizations.weight.original0 /= codec.encoder(sounds).std()
        heard = codec.encoder(sounds)[0].T
        for layer in codec.quantizer.layers:
            entries = heard[torch.randperm(len(heard))[: layer.codebook.embed.shape[0]]]
            layer.codebook.embed.copy_(entries)
            heard = heard - entries[torch.cdist(heard, entries).argmin(1)]


def oobleck(ratios: list[int], channels: int = 8) -> Any:
    """At 8 kHz."""
    import diffusers

    return diffusers.AutoencoderOobleck(
        encoder_hidden_size=2 * channels, downsampling_ratios=ratios, channel_multiples=[1, 2, 2], decoder_channels=4, decoder_input_channels=channels, audio_channels=2, sampling_rate=8000
    ).eval()


def stable_audio(folder: Path, seed: int = 0) -> Path:
    """At most 8.19 s: 1,024 latents of 64 samples at 8 kHz."""
    import diffusers
    import torch
    from diffusers.pipelines.stable_audio import StableAudioProjectionModel

    torch.manual_seed(seed)
    network = diffusers.StableAudioDiTModel(
        sample_size=1024,
        in_channels=8,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        num_key_value_attention_heads=1,
        out_channels=8,
        cross_attention_dim=16,
        time_proj_dim=8,
        global_states_input_dim=32,
        cross_attention_input_dim=16,
    ).eval()
    parts = {
        "vae": oobleck([2, 4, 8]), "text_encoder": t5(), "tokenizer": tokenizer(), "transformer": network,
        "projection_model": StableAudioProjectionModel(text_encoder_dim=16, conditioning_dim=16, min_value=0, max_value=512).eval(),
        "scheduler": diffusers.CosineDPMSolverMultistepScheduler(solver_order=2, prediction_type="v_prediction", sigma_data=1.0, sigma_schedule="exponential"),
    }  # fmt: skip
    diffusers.StableAudioPipeline(**parts).save_pretrained(folder)
    return folder


def ace_step(folder: Path, *, turbo: bool = False, seed: int = 0) -> Path:
    """25 latents a second, as the real ones have; base models are guided, turbo ones are not."""
    import diffusers
    import torch
    import transformers
    from diffusers.pipelines.ace_step.modeling_ace_step import AceStepConditionEncoder

    torch.manual_seed(seed)
    small = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8}
    network = diffusers.AceStepTransformer1DModel(**small, num_hidden_layers=2, in_channels=24, audio_acoustic_hidden_dim=8, sliding_window=16, is_turbo=turbo, model_version="turbo" if turbo else "base").eval()
    condition = AceStepConditionEncoder(**small, text_hidden_dim=16, timbre_hidden_dim=8, num_lyric_encoder_hidden_layers=1, num_timbre_encoder_hidden_layers=1).eval()
    with torch.no_grad():
        condition.silence_latent.copy_(torch.randn(condition.silence_latent.shape) * 0.1)
    text = transformers.Qwen3Model(
        transformers.Qwen3Config(vocab_size=98, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, head_dim=8, max_position_embeddings=512)
    ).eval()
    diffusers.AceStepPipeline(
        vae=oobleck([4, 8, 10]), text_encoder=text, tokenizer=plain_letters(), transformer=network, condition_encoder=condition, scheduler=diffusers.FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0)
    ).save_pretrained(folder)
    return folder


def audioldm2(folder: Path, seed: int = 0) -> Path:
    """10 mel frames of 10 ms, say: a vocoder of 160 samples a frame at 16 kHz."""
    import diffusers
    import torch
    import transformers
    from diffusers.pipelines.audioldm2 import AudioLDM2ProjectionModel

    torch.manual_seed(seed)
    vae = diffusers.AutoencoderKL(
        block_out_channels=[8, 16], in_channels=1, out_channels=1, norm_num_groups=4, down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2, latent_channels=4, sample_size=16
    )
    network = diffusers.AudioLDM2UNet2DConditionModel(
        block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=8, sample_size=16, in_channels=4, out_channels=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=([None, 8, 16], [None, 8, 16]),  # itself, GPT 2, T5
    )  # fmt: skip
    text = {
        "hidden_size": 8,
        "intermediate_size": 16,
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "vocab_size": 32,
        "max_position_embeddings": 80,
        "projection_dim": 8,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }
    audio = {
        "spec_size": 64,
        "window_size": 4,
        "num_mel_bins": 64,
        "hidden_size": 16,
        "depths": [1, 1],
        "num_attention_heads": [1, 1],
        "num_hidden_layers": 2,
        "patch_embeds_hidden_size": 8,
        "patch_size": 4,
        "patch_stride": [4, 4],
        "projection_dim": 8,
        "num_classes": 2,
    }
    clap = transformers.ClapModel(transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=8)).eval()
    gpt = transformers.GPT2Model(transformers.GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=len(WORDS), n_positions=200, bos_token_id=1, eos_token_id=1, max_new_tokens=8)).eval()
    vocoder = transformers.SpeechT5HifiGan(
        transformers.SpeechT5HifiGanConfig(
            model_in_dim=16,
            sampling_rate=16000,
            upsample_initial_channel=8,
            upsample_rates=[10, 16],
            upsample_kernel_sizes=[20, 32],
            resblock_kernel_sizes=[3],
            resblock_dilation_sizes=[[1, 3]],
            normalize_before=False,
            initializer_range=0.25,
        )
    ).eval()
    diffusers.AudioLDM2Pipeline(
        vae=vae.eval(), text_encoder=clap, text_encoder_2=t5(), projection_model=AudioLDM2ProjectionModel(text_encoder_dim=8, text_encoder_1_dim=16, langauge_model_dim=8).eval(), language_model=gpt, tokenizer=letters(), tokenizer_2=tokenizer(),
        feature_extractor=transformers.ClapFeatureExtractor(), unet=network.eval(), vocoder=vocoder, scheduler=diffusers.DDIMScheduler(beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False),
    ).save_pretrained(folder)  # fmt: skip
    return folder
