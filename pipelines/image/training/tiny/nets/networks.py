"""The networks of the small Stable Diffusion, in diffusers' and transformers' own classes: 128-pixel pictures, 16 × 16 × 4 latents."""

from __future__ import annotations

from typing import Any

from diffusers import AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

WIDTH, TOKENS = 192, 24


def autoencoder(scaling_factor: float = 1.0) -> Any:
    """Eight-fold, four channels, less than half a million weights; the decoder is the larger half."""
    return AutoencoderTiny(
        encoder_block_out_channels=(32,) * 4, decoder_block_out_channels=(32,) * 4, num_encoder_blocks=(0, 0, 2, 3), num_decoder_blocks=(5, 3, 1, 1),
        latent_channels=4, scaling_factor=scaling_factor,
    )  # fmt: skip


def unet() -> Any:
    return UNet2DConditionModel(
        sample_size=16, in_channels=4, out_channels=4, block_out_channels=(64, 128, 160), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH, attention_head_dim=(2, 4, 5), norm_num_groups=16,
    )  # fmt: skip


def text_encoder(vocabulary: int) -> Any:
    """The last two numbers of the vocabulary begin and end a text, as CLIP's do."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary, hidden_size=WIDTH, intermediate_size=WIDTH * 3, projection_dim=WIDTH, num_hidden_layers=3, num_attention_heads=6,
            max_position_embeddings=TOKENS, hidden_act="quick_gelu", bos_token_id=vocabulary - 2, eos_token_id=vocabulary - 1, pad_token_id=vocabulary - 1,
        )
    )  # fmt: skip


def scheduler() -> Any:
    """v-prediction, linear betas; offset 1 and trailing spacing as the pipelines expect."""
    return DDIMScheduler(
        num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear", prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=True,
        steps_offset=1, timestep_spacing="trailing",
    )  # fmt: skip
