"""Which network alone a file holds, by what its tensors are called: those of the later families, as their makers and ComfyUI's users share them. From names only.

Sources: the layouts of the releases of Qwen-Image (Alibaba), Z-Image (Tongyi), FLUX.2 (Black Forest Labs), Chroma (Lodestone), Lumina 2 (Alpha-VLLM), AuraFlow (fal), Sana (NVIDIA), Krea 2 (Krea),
as diffusers reads them.
"""

from __future__ import annotations

from collections.abc import Collection

PREFIXES = ("model.diffusion_model.", "model.", "")
# what all must be there, and what none may be; the first that fits is taken
SIGNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "qwen_image_layered": (("transformer_blocks.0.img_mod.1.weight", "txt_norm.weight", "time_text_embed.addition_t_embedding.weight"), ()),
    "qwen_image": (("transformer_blocks.0.img_mod.1.weight", "txt_norm.weight"), ()),
    "qwen_image_21": (("txt_in.text_norm.weight", "txt_in.in_layer.weight", "transformer_blocks.0.img_mlp.out.weight"), ()),
    "z_image": (("cap_pad_token", "x_embedder.weight", "layers.0.attention.qkv.weight"), ("siglip_pad_token",)),
    "lumina2": (("cap_embedder.1.weight", "noise_refiner.0.attention.qkv.weight", "x_embedder.weight"), ("cap_pad_token", "ref_image_refiner.0.attention.qkv.weight")),
    "flux2": (("double_stream_modulation_img.lin.weight", "guidance_in.in_layer.weight"), ()),
    "flux2_klein": (("double_stream_modulation_img.lin.weight",), ()),
    "chroma": (("distilled_guidance_layer.in_proj.weight", "double_blocks.0.img_attn.qkv.weight", "img_in.weight"), ()),
    "auraflow": (("double_layers.0.attn.w1q.weight", "positional_encoding"), ()),
    "sana": (("blocks.0.cross_attn.kv_linear.weight", "attention_y_norm.weight"), ("blocks.0.attn.q_norm.weight",)),
    "krea2": (("txtmlp.1.weight", "tproj.1.weight", "blocks.0.attn.qknorm.qnorm.scale"), ()),
}

OF_FOLDERS = (  # the networks of diffusers' folders, whose names say too little of their family
    ("conv_in.weight", "time_embedding.linear_1.weight", "conv_out.weight"), ("transformer_blocks.0.attn.to_q.weight", "proj_out.weight"), ("transformer_blocks.0.attn1.to_q.weight", "proj_out.weight"),
    ("layers.0.attention.to_q.weight",), ("layers.0.attn.to_q.weight",), ("joint_transformer_blocks.0.attn.to_q.weight",),
)  # fmt: skip


def is_of_folder(names: Collection[str]) -> bool:
    """Whether a file is the network of a diffusers folder, taken out of it."""
    return not network_of(names) and any(all(name in names for name in signs) for signs in OF_FOLDERS)


def network_of(names: Collection[str]) -> str:
    """The family of a network; "" for none of these."""
    for prefix in PREFIXES:
        for family, (all_of, none_of) in SIGNS.items():
            if all(prefix + name in names for name in all_of) and not any(prefix + name in names for name in none_of):
                return family
    return ""
