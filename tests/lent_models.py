"""The later families' networks written in the layouts of their releases: the reverse of what diffusers reads. Their decoders have as many pixels a latent as the real ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import more_models, test_other_families
from tests.dit import flux_tensors, spread
from tests.more_models import EIGHTH, deep_vae, eighth_vae, film_vae, norm_vae

Tensors = dict[str, Any]
LEVELS = (1, 1, 1, 1)


def renamed(state: Tensors, names: dict[str, str]) -> Tensors:
    """Each name with what is found in it replaced, in this order."""
    found = {}
    for name, value in state.items():
        for own, theirs in names.items():
            name = re.sub(own, theirs, name)
        found[name] = value
    return found


def joined(state: Tensors, parts: tuple[str, ...], whole: str) -> Tensors:
    """Matrices that the release keeps as one, by what stands in their names."""
    import torch

    found = {name: value for name, value in state.items() if not any(part in name for part in parts)}
    for name in (name for name in state if parts[0] in name):
        found[name.replace(parts[0], whole)] = torch.cat([state[name.replace(parts[0], part)] for part in parts])
    return found


def turned(value: Any) -> Any:
    """Scale and shift in the other order."""
    import torch

    first, second = value.chunk(2)
    return torch.cat([second, first])


def same(network: Any) -> Tensors:
    return dict(network.state_dict())


def qwen_image_21(network: Any) -> Tensors:
    return joined(same(network), (".img_mlp.gate_layer.", ".img_mlp.proj."), ".img_mlp.gate_up.")


def z_image(network: Any) -> Tensors:
    import torch

    state = joined(same(network), (".to_q.", ".to_k.", ".to_v."), ".qkv.")
    names = {r"all_final_layer\.2-1\.": "final_layer.", r"all_x_embedder\.2-1\.": "x_embedder.", r"to_out\.0": "out", "norm_k": "k_norm", "norm_q": "q_norm"}
    return renamed(state, names) | {"norm_final.weight": torch.ones(network.config.dim)}


def flux2(network: Any) -> Tensors:
    state = joined(joined(same(network), (".to_q.", ".to_k.", ".to_v."), ".img_qkv."), (".add_q_proj.", ".add_k_proj.", ".add_v_proj."), ".txt_qkv.")
    state["final_layer.adaLN_modulation.1.weight"] = turned(state.pop("norm_out.linear.weight"))
    return renamed(state, {
        r"^x_embedder": "img_in", "^context_embedder": "txt_in", r"time_guidance_embed\.timestep_embedder\.linear_1": "time_in.in_layer", r"time_guidance_embed\.timestep_embedder\.linear_2": "time_in.out_layer",
        r"time_guidance_embed\.guidance_embedder\.linear_1": "guidance_in.in_layer", r"time_guidance_embed\.guidance_embedder\.linear_2": "guidance_in.out_layer", r"(modulation\w*)\.linear": r"\1.lin", "^proj_out": "final_layer.linear",
        r"^single_transformer_blocks": "single_blocks", r"^transformer_blocks": "double_blocks", r"attn\.to_qkv_mlp_proj": "linear1", r"(single_blocks\.\d+\.)attn\.to_out": r"\1linear2",
        r"(single_blocks\.\d+\.)attn\.norm_q\.weight": r"\1norm.query_norm.scale", r"(single_blocks\.\d+\.)attn\.norm_k\.weight": r"\1norm.key_norm.scale", r"attn\.(img|txt)_qkv": r"\1_attn.qkv", r"attn\.to_out\.0": "img_attn.proj",
        r"attn\.to_add_out": "txt_attn.proj", r"attn\.norm_added_q\.weight": "txt_attn.norm.query_norm.scale", r"attn\.norm_added_k\.weight": "txt_attn.norm.key_norm.scale", r"attn\.norm_q\.weight": "img_attn.norm.query_norm.scale",
        r"attn\.norm_k\.weight": "img_attn.norm.key_norm.scale", r"ff\.linear_in": "img_mlp.0", r"ff\.linear_out": "img_mlp.2", r"ff_context\.linear_in": "txt_mlp.0", r"ff_context\.linear_out": "txt_mlp.2",
    })  # fmt: skip


def chroma(network: Any) -> Tensors:
    guides = {name: value for name, value in same(network).items() if name.startswith("distilled_guidance_layer.")}
    return flux_tensors(network) | renamed(guides, {"linear_1": "in_layer", "linear_2": "out_layer", r"(norms\.\d+)\.weight": r"\1.scale"})


def lumina2(network: Any) -> Tensors:
    import torch

    state = joined(same(network), (".to_q.", ".to_k.", ".to_v."), ".qkv.")
    names = {
        r"time_caption_embed\.caption_embedder": "cap_embedder", r"time_caption_embed\.timestep_embedder\.linear_1": "t_embedder.mlp.0", r"time_caption_embed\.timestep_embedder\.linear_2": "t_embedder.mlp.2",
        r"norm_out\.linear_1": "final_layer.adaLN_modulation.1", r"norm_out\.linear_2": "final_layer.linear", r"norm1\.linear": "adaLN_modulation.1", r"\.attn\.": ".attention.", r"to_out\.0": "out", "norm_k": "k_norm", "norm_q": "q_norm",
        r"(feed_forward)\.linear_(\d)": r"\1.w\2", r"\.norm1\.norm\.": ".attention_norm1.", r"\.norm1\.": ".attention_norm1.", r"\.norm2\.": ".attention_norm2.",
    }  # fmt: skip
    return renamed(state, names) | {"norm_final.weight": torch.ones(network.config.hidden_size)}


def auraflow(network: Any) -> Tensors:
    state = same(network)
    state["modF.1.weight"] = turned(state.pop("norm_out.linear.weight"))
    return renamed(state, {
        r"time_step_proj\.linear_1": "t_embedder.mlp.0", r"time_step_proj\.linear_2": "t_embedder.mlp.2", "^context_embedder": "cond_seq_linear", "^proj_out": "final_linear", r"pos_embed\.pos_embed": "positional_encoding",
        r"pos_embed\.proj": "init_x_linear", r"(joint_transformer_blocks\.\d+)\.ff_context": r"\1.mlpC", r"(joint_transformer_blocks\.\d+)\.ff": r"\1.mlpX", r"(single_transformer_blocks\.\d+)\.ff": r"\1.mlp",
        r"(mlp[XC]?)\.linear_1": r"\1.c_fc1", r"(mlp[XC]?)\.linear_2": r"\1.c_fc2", r"(mlp[XC]?)\.out_projection": r"\1.c_proj", r"norm1_context\.linear": "modC.1", r"(joint_transformer_blocks\.\d+)\.norm1\.linear": r"\1.modX.1",
        r"(single_transformer_blocks\.\d+)\.norm1\.linear": r"\1.modCX.1", r"(joint.*)\.to_([qkv])\.": r"\1.w2\2.", r"(joint.*)\.to_out\.0": r"\1.w2o", r"\.add_([qkv])_proj": r".w1\1", r"\.to_add_out": ".w1o",
        r"(single.*)\.to_([qkv])\.": r"\1.w1\2.", r"(single.*)\.to_out\.0": r"\1.w1o", "^joint_transformer_blocks": "double_layers", "^single_transformer_blocks": "single_layers",
    })  # fmt: skip


def sana(network: Any) -> Tensors:
    import torch

    state = joined(joined(same(network), ("attn1.to_q.", "attn1.to_k.", "attn1.to_v."), "attn.qkv."), ("attn2.to_k.", "attn2.to_v."), "cross_attn.kv_linear.")
    return {"y_embedder.y_embedding": torch.zeros(300, network.config.caption_channels)} | renamed(state, {
        r"^patch_embed": "x_embedder", r"time_embed\.emb\.timestep_embedder\.linear_1": "t_embedder.mlp.0", r"time_embed\.emb\.timestep_embedder\.linear_2": "t_embedder.mlp.2", r"time_embed\.linear": "t_block.1",
        r"caption_projection\.linear_(\d)": r"y_embedder.y_proj.fc\1", "caption_norm": "attention_y_norm", "^proj_out": "final_layer.linear", "^scale_shift_table": "final_layer.scale_shift_table", "^transformer_blocks": "blocks",
        r"attn1\.to_out\.0": "attn.proj", r"attn2\.to_q": "cross_attn.q_linear", r"attn2\.to_out\.0": "cross_attn.proj", r"ff\.conv_inverted": "mlp.inverted_conv.conv", r"ff\.conv_depth": "mlp.depth_conv.conv",
        r"ff\.conv_point": "mlp.point_conv.conv",
    })  # fmt: skip


def krea2(network: Any) -> Tensors:
    state = {name: value.flatten() if name.startswith("transformer_blocks.") and name.endswith("scale_shift_table") else value for name, value in same(network).items()}
    return renamed(state, {
        r"final_layer\.norm\.weight": "last.norm.scale", r"final_layer\.scale_shift_table": "last.modulation.lin", r"final_layer\.linear": "last.linear", r"\.scale_shift_table": ".mod.lin", r"\.norm1\.weight": ".prenorm.scale",
        r"\.norm2\.weight": ".postnorm.scale", r"\.ff\.": ".mlp.", r"\.attn\.norm_q\.weight": ".attn.qknorm.qnorm.scale", r"\.attn\.norm_k\.weight": ".attn.qknorm.knorm.scale", r"\.attn\.to_gate\.": ".attn.gate.",
        r"\.attn\.to_out\.0\.": ".attn.wo.", r"\.attn\.to_([qkv])\.": r".attn.w\1.", "^transformer_blocks": "blocks", "^text_fusion": "txtfusion", r"txt_in\.norm\.weight": "txtmlp.0.scale", r"txt_in\.linear_1": "txtmlp.1",
        r"txt_in\.linear_2": "txtmlp.3", "time_mod_proj": "tproj.1", r"time_embed\.linear_1": "tmlp.0", r"time_embed\.linear_2": "tmlp.2", "^img_in": "first",
    })  # fmt: skip


# by the family that the file's header tells: the layout, how the whole is made, and its decoder where that is another one
NETWORKS: dict[str, tuple[Callable[[Any], Tensors], Callable[[Any, Path], Any], Callable[[], Any] | None]] = {
    "qwen_image": (same, more_models.qwenimage, lambda: film_vae(levels=LEVELS)),
    "qwen_image_layered": (same, more_models.layered, lambda: film_vae(4, 8, LEVELS)),
    "qwen_image_21": (qwen_image_21, more_models.qwenimage21, None),
    "z_image": (z_image, more_models.zimage, eighth_vae),
    "flux2": (flux2, more_models.flux2_dev, lambda: norm_vae(**EIGHTH)),
    "flux2_klein": (flux2, lambda words, root: test_other_families.flux2(words), lambda: norm_vae(**EIGHTH)),
    "chroma": (chroma, lambda words, root: test_other_families.chroma(words), eighth_vae),
    "lumina2": (lumina2, more_models.lumina2, eighth_vae),
    "auraflow": (auraflow, lambda words, root: test_other_families.auraflow(words), lambda: eighth_vae(shift_factor=None)),
    "sana": (sana, more_models.sana, lambda: deep_vae(6)),
    "krea2": (krea2, more_models.krea2, lambda: film_vae(levels=LEVELS)),
}


def make(family: str, words: Any, root: Path) -> Any:
    """diffusers' pipeline, each part of its network moving the picture."""
    import torch

    torch.manual_seed(1)
    _, whole, decoder = NETWORKS[family]
    pipe = whole(words, root)
    spread(pipe.transformer)
    if decoder:
        pipe.register_modules(vae=decoder())
    return pipe


def tensors(family: str, pipe: Any) -> Tensors:
    """The network's, in the layout of its release."""
    return NETWORKS[family][0](pipe.transformer)
