"""diffusers' tiny models written as single-file checkpoints in the original layout: the reverse of what the studio reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

UNET, VAE = "model.diffusion_model.", "first_stage_model."
RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3", "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection"}


def unet_name(name: str, layers: int, crossed: list[bool]) -> str:
    """`crossed` says of each up block whether it has attention."""
    fixed = {
        "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
        "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
    }  # fmt: skip
    for own, theirs in fixed.items():
        if name.startswith(own + "."):
            return UNET + theirs + name[len(own) :]
    if found := re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", name):
        place = 1 if found[1] == "attentions" else 2 * int(found[2])
        return f"{UNET}middle_block.{place}.{_resnet(found[3]) if found[1] == 'resnets' else found[3]}"
    found = re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", name)
    assert found, name
    side, block, kind, number, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
    if kind == "downsamplers":
        return f"{UNET}input_blocks.{(block + 1) * (layers + 1)}.0.op.{rest.removeprefix('conv.')}"
    if kind == "upsamplers":
        return f"{UNET}output_blocks.{block * (layers + 1) + layers}.{2 if crossed[block] else 1}.{rest}"
    place = 1 + block * (layers + 1) + number if side == "down" else block * (layers + 1) + number
    return f"{UNET}{'input' if side == 'down' else 'output'}_blocks.{place}.{0 if kind == 'resnets' else 1}.{_resnet(rest) if kind == 'resnets' else rest}"


def _resnet(rest: str) -> str:
    first, _, last = rest.partition(".")
    return f"{RESNET[first]}.{last}"


def vae_name(name: str, levels: int) -> str:
    for own, theirs in (("mid_block.resnets.0", "mid.block_1"), ("mid_block.resnets.1", "mid.block_2"), ("mid_block.attentions.0.group_norm", "mid.attn_1.norm"), ("conv_norm_out", "norm_out"), ("conv_shortcut", "nin_shortcut")):
        name = name.replace(own, theirs)
    for own, theirs in (("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")):
        name = name.replace(f"mid_block.attentions.0.{own}", f"mid.attn_1.{theirs}")
    name = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", name)
    name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d+)\.resnets\.(\d+)", lambda found: f"up.{levels - 1 - int(found[1])}.block.{found[2]}", name)
    return VAE + re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda found: f"up.{levels - 1 - int(found[1])}.upsample", name)


def clip_tensors(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {prefix + "text_model." + name.removeprefix("text_model."): value for name, value in state.items() if "position_ids" not in name}


def open_clip_tensors(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    import torch

    plain = {name.removeprefix("text_model."): value for name, value in state.items()}
    found = {
        "positional_embedding": plain["embeddings.position_embedding.weight"], "token_embedding.weight": plain["embeddings.token_embedding.weight"],
        "ln_final.weight": plain["final_layer_norm.weight"], "ln_final.bias": plain["final_layer_norm.bias"], "text_projection": plain["text_projection.weight"].T.contiguous(),
    }  # fmt: skip
    names = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj"}
    for layer in sorted({int(name.split(".")[2]) for name in plain if name.startswith("encoder.layers.")}):
        own, theirs = f"encoder.layers.{layer}.", f"transformer.resblocks.{layer}."
        for kind in ("weight", "bias"):
            found[f"{theirs}attn.in_proj_{kind}"] = torch.cat([plain[f"{own}self_attn.{part}_proj.{kind}"] for part in "qkv"])
            found |= {f"{theirs}{to}.{kind}": plain[f"{own}{part}.{kind}"] for part, to in names.items()}
    return {prefix + name: value for name, value in found.items()}


def write_checkpoint(pipe: Any, path: Path) -> Path:
    """One safetensors file of a StableDiffusionPipeline or StableDiffusionXLPipeline."""
    from safetensors.torch import save_file

    config = pipe.unet.config
    crossed = [kind.startswith("CrossAttn") for kind in config.up_block_types]
    tensors = {unet_name(name, config.layers_per_block, crossed): value for name, value in pipe.unet.state_dict().items()}
    levels = len(pipe.vae.config.block_out_channels)
    for name, value in pipe.vae.state_dict().items():
        named = vae_name(name, levels)
        tensors[named] = value[..., None, None] if "attn_1" in named and named.endswith("weight") and value.ndim == 2 else value
    if pipe.text_encoder is None:
        tensors |= open_clip_tensors(pipe.text_encoder_2.state_dict(), "conditioner.embedders.0.model.")
    elif hasattr(pipe, "text_encoder_2"):
        tensors |= clip_tensors(pipe.text_encoder.state_dict(), "conditioner.embedders.0.transformer.") | open_clip_tensors(pipe.text_encoder_2.state_dict(), "conditioner.embedders.1.model.")
    else:
        tensors |= clip_tensors(pipe.text_encoder.state_dict(), "cond_stage_model.transformer.")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, path)
    return path


def controlnet_tensors(net: Any) -> dict[str, Any]:
    """A ControlNetModel in the original layout, as lllyasviel published them."""
    found = {}
    blocks = len(net.controlnet_cond_embedding.blocks)
    for name, value in net.state_dict().items():
        if step := re.match(r"controlnet_down_blocks\.(\d+)\.(.*)", name):
            new = f"zero_convs.{step[1]}.0.{step[2]}"
        elif name.startswith("controlnet_mid_block."):
            new = name.replace("controlnet_mid_block", "middle_block_out.0")
        elif step := re.match(r"controlnet_cond_embedding\.(conv_in|conv_out|blocks\.(\d+))\.(.*)", name):
            place = 0 if step[1] == "conv_in" else 2 * (blocks + 1) if step[1] == "conv_out" else 2 * (int(step[2]) + 1)
            new = f"input_hint_block.{place}.{step[3]}"
        else:
            new = unet_name(name, net.config.layers_per_block, []).removeprefix(UNET)
        found["control_model." + new] = value.contiguous().clone()
    return found


def write_gguf(pipe: Any, path: Path, kind: str = "Q8_0") -> dict[str, Any]:
    """The network alone as community tools write it: the releases' names without a prefix, what can be laid in rows of 256 laid so, with its shape in the notes. Returns what is meant, by diffusers' names."""
    import gguf
    import numpy as np
    import torch

    config, form, meant = pipe.unet.config, gguf.GGMLQuantizationType[kind], {}
    crossed = [name.startswith("CrossAttn") for name in config.up_block_types]
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "sdxl" if hasattr(pipe, "text_encoder_2") else "sd1")
    for name, value in pipe.unet.state_dict().items():
        data, theirs = value.float().contiguous().numpy(), unet_name(name, config.layers_per_block, crossed).removeprefix(UNET)
        if data.ndim == 1 or data.size <= 1024:
            writer.add_tensor(theirs, data.astype(np.float32))
            meant[name] = value
            continue
        laid = data
        if data.size % 256 == 0 and data.shape[-1] % 256:
            laid = data.reshape(-1, 256)
            writer.add_array(f"comfy.gguf.orig_shape.{theirs}", tuple(int(side) for side in data.shape))
        if laid.ndim > 2 or laid.shape[-1] % 32:  # what can't be quantised stays at half precision
            writer.add_tensor(theirs, data.astype(np.float16))
            meant[name] = value.half().float()
            continue
        packed = gguf.quants.quantize(laid, form)
        writer.add_tensor(theirs, packed, raw_dtype=form)
        meant[name] = torch.from_numpy(gguf.quants.dequantize(packed, form).copy()).reshape(value.shape)
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    return meant
