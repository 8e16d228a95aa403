"""diffusers' tiny FLUX and Stable Diffusion 3 written in the layouts of their releases: all in one file, or network, encoders and decoder apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.image_models import VAE, WIDTH
from tests.ldm import vae_name
from tests.test_single_file import clip, words

WIDE = 2 * WIDTH


def t5() -> Any:
    import torch
    from transformers import T5Config, T5EncoderModel

    torch.manual_seed(4)
    return T5EncoderModel(T5Config(vocab_size=32128, d_model=WIDTH, d_ff=64, d_kv=8, num_heads=4, num_layers=2, feed_forward_proj="gated-gelu", tie_word_embeddings=False)).eval()


def t5_words(folder: Path) -> Any:
    from transformers import T5TokenizerFast

    from pipelines.image.parts import write_t5_tokenizer

    write_t5_tokenizer(folder)
    return T5TokenizerFast.from_pretrained(folder)


def vae(family: str) -> Any:
    import torch
    from diffusers import AutoencoderKL

    torch.manual_seed(6)
    scale = {"flux": (0.3611, 0.1159), "sd3": (1.5305, 0.0609)}[family]
    return AutoencoderKL(**(VAE | {"latent_channels": 16}), scaling_factor=scale[0], shift_factor=scale[1], use_quant_conv=False, use_post_quant_conv=False, force_upcast=True).eval()


def make_flux(root: Path, *, guidance: bool = True) -> Any:
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    torch.manual_seed(2)
    network = FluxTransformer2DModel(
        in_channels=64, num_layers=2, num_single_layers=2, attention_head_dim=32, num_attention_heads=2, joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH, axes_dims_rope=[4, 14, 14], guidance_embeds=guidance
    )
    spread(network)
    moved = {"shift": 3.0, "use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15, "base_image_seq_len": 256, "max_image_seq_len": 4096} if guidance else {"shift": 1.0}
    return FluxPipeline(FlowMatchEulerDiscreteScheduler(**moved), vae("flux"), clip(), words(root / "words"), t5(), t5_words(root / "t5"), network)


def make_sd3(root: Path, *, later: bool = True, with_t5: bool = True) -> Any:
    """`later`: as 3.5 medium has it, with normalised queries and a second attention in its first block."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    torch.manual_seed(2)
    more = {"qk_norm": "rms_norm", "dual_attention_layers": (0,), "attention_head_dim": 16, "num_attention_heads": 4} if later else {"attention_head_dim": 64, "num_attention_heads": 1}
    network = SD3Transformer2DModel(sample_size=128, patch_size=2, in_channels=16, num_layers=2, caption_projection_dim=64, joint_attention_dim=WIDTH + WIDE if not with_t5 else WIDTH, pooled_projection_dim=WIDTH + WIDE, pos_embed_max_size=12, out_channels=16, **more)
    spread(network)
    low = clip_projected()
    return StableDiffusion3Pipeline(
        network, FlowMatchEulerDiscreteScheduler(shift=3.0), vae("sd3"), low, words(root / "words"), clip(projected=True), words(root / "words2", "!"), t5() if with_t5 else None, t5_words(root / "t5") if with_t5 else None
    )


def clip_projected() -> Any:
    """CLIP L as Stable Diffusion 3 has it: its projection changes nothing."""
    import torch
    from transformers import CLIPTextModelWithProjection

    plain = clip()
    made = CLIPTextModelWithProjection(plain.config).eval()
    state = {f"text_model.{name.removeprefix('text_model.')}": value for name, value in plain.state_dict().items()}
    made.load_state_dict(state | {"text_projection.weight": torch.eye(WIDTH)})
    return made


def spread(network: Any) -> None:
    """Larger random weights, so that every part of the network moves the picture."""
    import torch

    with torch.no_grad():
        for value in network.parameters():
            if value.ndim > 1:
                value.copy_(torch.randn_like(value) * (1.0 / value.shape[-1] ** 0.5))
            else:
                value.add_(torch.randn_like(value) * 0.1)


def flux_tensors(network: Any) -> dict[str, Any]:
    import torch

    state, found = dict(network.state_dict()), {}
    names = {
        "x_embedder": "img_in", "context_embedder": "txt_in", "proj_out": "final_layer.linear", "time_text_embed.timestep_embedder.linear_1": "time_in.in_layer", "time_text_embed.timestep_embedder.linear_2": "time_in.out_layer",
        "time_text_embed.guidance_embedder.linear_1": "guidance_in.in_layer", "time_text_embed.guidance_embedder.linear_2": "guidance_in.out_layer", "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
        "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
    }  # fmt: skip
    double = {
        "norm1.linear": "img_mod.lin", "norm1_context.linear": "txt_mod.lin", "attn.norm_q": "img_attn.norm.query_norm", "attn.norm_k": "img_attn.norm.key_norm", "attn.norm_added_q": "txt_attn.norm.query_norm",
        "attn.norm_added_k": "txt_attn.norm.key_norm", "attn.to_out.0": "img_attn.proj", "attn.to_add_out": "txt_attn.proj", "ff.net.0.proj": "img_mlp.0", "ff.net.2": "img_mlp.2", "ff_context.net.0.proj": "txt_mlp.0", "ff_context.net.2": "txt_mlp.2",
    }  # fmt: skip
    single = {"norm.linear": "modulation.lin", "attn.norm_q": "norm.query_norm", "attn.norm_k": "norm.key_norm", "proj_out": "linear2"}
    for kind in ("weight", "bias"):
        if f"norm_out.linear.{kind}" in state:  # not in Chroma
            scale, shift = state[f"norm_out.linear.{kind}"].chunk(2)
            found[f"final_layer.adaLN_modulation.1.{kind}"] = torch.cat([shift, scale])
        for own, theirs in names.items():
            if f"{own}.{kind}" in state:
                found[f"{theirs}.{kind}"] = state[f"{own}.{kind}"]
        for number in range(len(network.transformer_blocks)):
            own, theirs = f"transformer_blocks.{number}.", f"double_blocks.{number}."
            found[f"{theirs}img_attn.qkv.{kind}"] = torch.cat([state[f"{own}attn.to_{part}.{kind}"] for part in "qkv"])
            found[f"{theirs}txt_attn.qkv.{kind}"] = torch.cat([state[f"{own}attn.add_{part}_proj.{kind}"] for part in "qkv"])
            found |= {f"{theirs}{to}.{'scale' if '_norm' in to else kind}": state[f"{own}{part}.{kind}"] for part, to in double.items() if f"{own}{part}.{kind}" in state}
        for number in range(len(network.single_transformer_blocks)):
            own, theirs = f"single_transformer_blocks.{number}.", f"single_blocks.{number}."
            found[f"{theirs}linear1.{kind}"] = torch.cat([*(state[f"{own}attn.to_{part}.{kind}"] for part in "qkv"), state[f"{own}proj_mlp.{kind}"]])
            found |= {f"{theirs}{to}.{'scale' if '_norm' in to else kind}": state[f"{own}{part}.{kind}"] for part, to in single.items() if f"{own}{part}.{kind}" in state}
    return found


def sd3_tensors(network: Any) -> dict[str, Any]:
    import torch

    state, last = dict(network.state_dict()), len(network.transformer_blocks) - 1
    found = {"pos_embed": state["pos_embed.pos_embed"]}
    names = {
        "pos_embed.proj": "x_embedder.proj", "context_embedder": "context_embedder", "proj_out": "final_layer.linear", "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
        "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2", "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0", "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2",
    }  # fmt: skip
    inner = {
        "attn.norm_q": "x_block.attn.ln_q", "attn.norm_k": "x_block.attn.ln_k", "attn.norm_added_q": "context_block.attn.ln_q", "attn.norm_added_k": "context_block.attn.ln_k", "attn.to_out.0": "x_block.attn.proj",
        "attn.to_add_out": "context_block.attn.proj", "attn2.norm_q": "x_block.attn2.ln_q", "attn2.norm_k": "x_block.attn2.ln_k", "attn2.to_out.0": "x_block.attn2.proj", "norm1.linear": "x_block.adaLN_modulation.1",
        "ff.net.0.proj": "x_block.mlp.fc1", "ff.net.2": "x_block.mlp.fc2", "ff_context.net.0.proj": "context_block.mlp.fc1", "ff_context.net.2": "context_block.mlp.fc2",
    }  # fmt: skip
    for kind in ("weight", "bias"):
        found |= {f"{theirs}.{kind}": state[f"{own}.{kind}"] for own, theirs in names.items()}
        scale, shift = state[f"norm_out.linear.{kind}"].chunk(2)
        found[f"final_layer.adaLN_modulation.1.{kind}"] = torch.cat([shift, scale])
        for number in range(last + 1):
            own, theirs = f"transformer_blocks.{number}.", f"joint_blocks.{number}."
            for attention in ("attn", "attn2"):
                if f"{own}{attention}.to_q.{kind}" in state:
                    found[f"{theirs}x_block.{attention}.qkv.{kind}"] = torch.cat([state[f"{own}{attention}.to_{part}.{kind}"] for part in "qkv"])
            found[f"{theirs}context_block.attn.qkv.{kind}"] = torch.cat([state[f"{own}attn.add_{part}_proj.{kind}"] for part in "qkv"])
            found |= {f"{theirs}{to}.{kind}": state[f"{own}{part}.{kind}"] for part, to in inner.items() if f"{own}{part}.{kind}" in state}
            context = state[f"{own}norm1_context.linear.{kind}"]
            if number == last:
                scale, shift = context.chunk(2)
                context = torch.cat([shift, scale])
            found[f"{theirs}context_block.adaLN_modulation.1.{kind}"] = context
    return found


def vae_tensors(model: Any, prefix: str) -> dict[str, Any]:
    found = {}
    for name, value in model.state_dict().items():
        named = vae_name(name, len(model.config.block_out_channels)).removeprefix("first_stage_model.")
        found[prefix + named] = value[..., None, None] if re.search(r"attn_1\.\w+\.weight", named) and value.ndim == 2 else value
    return found


def clip_tensors(model: Any, prefix: str) -> dict[str, Any]:
    found = {}
    for name, value in model.state_dict().items():
        found[prefix + (name if name.startswith("text_projection") else f"text_model.{name.removeprefix('text_model.')}")] = value
    return found


def save(tensors: dict[str, Any], path: Path) -> Path:
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, path)
    return path


def write_whole(pipe: Any, path: Path) -> Path:
    """All in one file, as ComfyUI's checkpoints are."""
    flux = hasattr(pipe.transformer, "single_transformer_blocks")
    tensors = {f"model.diffusion_model.{name}": value for name, value in (flux_tensors if flux else sd3_tensors)(pipe.transformer).items()}
    tensors |= vae_tensors(pipe.vae, "vae." if flux else "first_stage_model.") | clip_tensors(pipe.text_encoder, "text_encoders.clip_l.transformer.")
    if not flux:
        tensors |= clip_tensors(pipe.text_encoder_2, "text_encoders.clip_g.transformer.")
    t5_model = pipe.text_encoder_2 if flux else pipe.text_encoder_3
    if t5_model is not None:
        tensors |= {f"text_encoders.t5xxl.transformer.{name}": value for name, value in t5_model.state_dict().items() if "embed_tokens" not in name}
    return save(tensors, path)


def write_apart(pipe: Any, models: Path, name: str) -> Path:
    """The network in one file, its encoders and its decoder beside it, as ComfyUI's users have them. Returns the network's."""
    flux = hasattr(pipe.transformer, "single_transformer_blocks")
    save(clip_tensors(pipe.text_encoder, ""), models / "text_encoder" / "clip_l.safetensors")
    if not flux:
        save(clip_tensors(pipe.text_encoder_2, ""), models / "text_encoder" / "clip_g.safetensors")
    t5_model = pipe.text_encoder_2 if flux else pipe.text_encoder_3
    save({key: value for key, value in t5_model.state_dict().items() if "embed_tokens" not in key}, models / "text_encoder" / "t5xxl.safetensors")
    save(vae_tensors(pipe.vae, ""), models / "vae" / ("ae.safetensors" if flux else "sd3_vae.safetensors"))
    return save((flux_tensors if flux else sd3_tensors)(pipe.transformer), models / "diffusion_models" / f"{name}.safetensors")


def write_gguf(pipe: Any, path: Path, kind: str = "Q8_0", architecture: str = "") -> Path:
    """The network alone as community tools write it: matrices quantised, the rest in full."""
    flux = hasattr(pipe.transformer, "single_transformer_blocks")
    write_packed((flux_tensors if flux else sd3_tensors)(pipe.transformer), path, kind, architecture or ("flux" if flux else "sd3"))
    return path


def write_packed(tensors: dict[str, Any], path: Path, kind: str, architecture: str, rest: str = "F32") -> dict[str, Any]:
    """Matrices quantised, the rest in another form; returns what they stand for."""
    import gguf
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    writer, meant = gguf.GGUFWriter(path, architecture), {}
    for name, value in tensors.items():
        data = value.float().contiguous().numpy()
        form = gguf.GGMLQuantizationType[kind if data.ndim == 2 and data.shape[1] % 32 == 0 else rest]
        packed = gguf.quants.quantize(data, form)
        writer.add_tensor(name, packed, raw_dtype=form)
        meant[name] = torch.from_numpy(gguf.quants.dequantize(packed, form).copy())
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    return meant


def write_scaled(tensors: dict[str, Any], path: Path, *, later: bool = False) -> dict[str, Any]:
    """Matrices as 8-bit floats with a scale beside each, as ComfyUI's users have them (`later`: with a note of the form, and one scale a row); returns what they stand for."""
    import json

    import torch

    written, meant = {} if later else {"scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn)}, {}
    for name, value in tensors.items():
        layer = name.removesuffix(".weight")
        if value.ndim != 2 or layer == name or "embed" in name or "shared" in name or "relative" in name:
            written[name] = meant[name] = value
            continue
        scale = (value.abs().amax(1, keepdim=True) if later else value.abs().amax()) / 448
        written[name] = (value / scale).to(torch.float8_e4m3fn)
        meant[name] = written[name].float() * scale
        written |= {f"{layer}.weight_scale" if later else f"{layer}.scale_weight": scale, f"{layer}.input_scale" if later else f"{layer}.scale_input": torch.ones(())}
        if later:
            written[f"{layer}.comfy_quant"] = torch.tensor(list(json.dumps({"format": "float8_e4m3fn"}).encode()), dtype=torch.uint8)
    save(written, path)
    return meant


def write_t5_gguf(model: Any, path: Path) -> dict[str, Any]:
    """T5's encoder as llama.cpp's tools write it; returns what its quantised matrices stand for, under transformers' names."""
    import gguf
    import numpy as np
    import torch

    names = {
        "SelfAttention.q": "attn_q", "SelfAttention.k": "attn_k", "SelfAttention.v": "attn_v", "SelfAttention.o": "attn_o", "SelfAttention.relative_attention_bias": "attn_rel_b", "DenseReluDense.wi_0": "ffn_gate",
        "DenseReluDense.wi_1": "ffn_up", "DenseReluDense.wo": "ffn_down",
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    writer, meant = gguf.GGUFWriter(path, "t5encoder"), {}
    for name, value in model.state_dict().items():
        if "embed_tokens" in name:
            continue
        new = {"shared.weight": "token_embd.weight", "encoder.final_layer_norm.weight": "enc.output_norm.weight"}.get(name, "")
        if found := re.fullmatch(r"encoder\.block\.(\d+)\.layer\.(\d)\.(.+)\.weight", name):
            new = f"enc.blk.{found[1]}.{names.get(found[3]) or ('attn_norm', 'ffn_norm')[int(found[2])]}.weight"
        data = value.float().contiguous().numpy()
        if data.ndim == 2 and data.shape[1] % 32 == 0 and "rel_b" not in new:
            packed = gguf.quants.quantize(data, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(new, packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
            meant[name] = torch.from_numpy(gguf.quants.dequantize(packed, gguf.GGMLQuantizationType.Q8_0).copy())
        else:
            writer.add_tensor(new, data.astype(np.float32))
            meant[name] = value
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    return meant
