"""Where the parts of FLUX, of Stable Diffusion 3 and of networks alone come from: network, text encoders and decoder, each from the checkpoint itself, from a file or from a folder beside it. No torch.

Parts are told apart by what their tensors are called and fitted together by their widths, read from headers.
Sources: the layouts of the FLUX.1 (Black Forest Labs), Stable Diffusion 3 (Stability AI) and T5 v1.1 (Google) releases; GGUF's names of T5 (llama.cpp); the folders that ComfyUI's documentation names.
"""

from __future__ import annotations

import gzip
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.image import apart
from pipelines.image.checkpoint import Shapes, clip_config, numbered, read_shapes, vae_config
from pipelines.image.families import family_of
from pipelines.image.lent import borrowed, lent_of, lent_parts
from studio.api import Catalog, ModelBroken, ModelEntry, StudioError

ASSEMBLED = ("flux", "sd3")  # families whose single files may hold the network alone
NETWORKS = ("model.diffusion_model.", "")
DECODERS = ("first_stage_model.", "vae.", "")
ENCODERS = {"clip_l": "text_encoders.clip_l.transformer.", "clip_g": "text_encoders.clip_g.transformer.", "t5": "text_encoders.t5xxl.transformer."}
T5_TOKENS = Path(__file__).parent / "t5" / "tokenizer.json.gz"
T5_LENGTH = 512
PLACES = {"vae": "models/vae", "t5": "models/text_encoder", "clip_l": "models/text_encoder", "clip_g": "models/text_encoder"}
T5_GGUF = {
    "attn_q": "0.SelfAttention.q", "attn_k": "0.SelfAttention.k", "attn_v": "0.SelfAttention.v", "attn_o": "0.SelfAttention.o", "attn_rel_b": "0.SelfAttention.relative_attention_bias",
    "attn_norm": "0.layer_norm", "ffn_gate": "1.DenseReluDense.wi_0", "ffn_up": "1.DenseReluDense.wi_1", "ffn_down": "1.DenseReluDense.wo", "ffn_norm": "1.layer_norm",
}  # fmt: skip
WORDS = {"vae": "a VAE (the file ae.safetensors, say)", "t5": "the text encoder T5 (t5xxl)", "clip_l": "the text encoder CLIP L (clip_l)", "clip_g": "the text encoder CLIP G (clip_g)"}


@dataclass(frozen=True)
class Part:
    """A part's file or folder, what stands before its tensors' names there, and its config."""

    path: Path
    prefix: str
    config: dict[str, Any]


def parts_of(entry: ModelEntry, family: str, catalog: Catalog, vae: ModelEntry | None = None) -> dict[str, Part]:
    """All that the pipeline is built of, by "network", "vae", "clip_l", "clip_g", "t5"; by their own names where a folder lends them. Raises ModelBroken with what is missing, at the field "model"."""
    if lent := lent_of(entry):
        folder, prefix, config = borrowed(entry, lent, family_of(entry).title, catalog)
        return {"network": Part(Path(entry.path), prefix, config)} | {path.name: Part(path, "", {}) for path in lent_parts(folder)}
    if family in apart.FAMILIES:
        return whole(entry, _apart(entry, family, catalog, vae), WORDS | {"vae": apart.NAMED[family]})
    path = Path(entry.path)
    shapes = read_shapes(path)
    prefix = next((start for start in NETWORKS if f"{start}img_in.weight" in shapes or f"{start}joint_blocks.0.context_block.attn.qkv.weight" in shapes), "")
    try:
        network = flux_config(shapes, prefix) if family == "flux" else sd3_config(shapes, prefix)
    except (KeyError, IndexError) as error:
        raise ModelBroken(f"“{path.name}” is no whole checkpoint: {error} is missing in it.", hint="Get the file that holds network, decoder and text encoder.", field="model") from error
    found: dict[str, Part | None] = {"network": Part(path, prefix, network)}
    found["vae"] = Part(Path(vae.path), "", {}) if vae else decoder_of(entry, shapes, family, network["in_channels"] // (4 if family == "flux" else 1), catalog)
    encoders = list(encoders_of(entry, shapes, catalog))
    found["t5"] = next((part for kind, part in encoders if kind == "t5" and part.config["d_model"] == network["joint_attention_dim"]), None)
    clips = [part for kind, part in encoders if kind == "clip"]
    if family == "flux":
        found["clip_l"] = next((part for part in clips if part.config["hidden_size"] == network["pooled_projection_dim"]), None)
    else:
        found["clip_l"], found["clip_g"] = pair(clips, network["pooled_projection_dim"])
        found = {name: part for name, part in found.items() if part or name != "t5"}  # it draws without T5, less to the letter
    return whole(entry, found, WORDS)


def whole(entry: ModelEntry, found: dict[str, Part | None], words: dict[str, str]) -> dict[str, Part]:
    """Raises ModelBroken with the first one that is missing, in `words`."""
    missing = [name for name, part in found.items() if part is None]
    if missing:
        raise ModelBroken(f"“{entry.title}” holds not all of the model: it needs {words[missing[0]]}.", hint=f"Put it into the folder {PLACES[missing[0]]}.", field="model")
    return {name: part for name, part in found.items() if part}


def _apart(entry: ModelEntry, family: str, catalog: Catalog, vae: ModelEntry | None) -> dict[str, Part | None]:
    """A network of Stable Diffusion 1 or XL, and what it is put together with."""
    path = Path(entry.path)
    prefix, config = apart.network_config(path, family)
    decoders = (other for other in catalog.entries("vae") if not other.problem and "approx" not in other.key.lower() and latent_channels(other) == 4 and apart.fits(other, family))
    decoder = vae or next(decoders, None)
    clips = [part for kind, part in encoders_of(entry, {}, catalog) if kind == "clip"]
    return {"network": Part(path, prefix, config), "vae": Part(Path(decoder.path), "", {}) if decoder else None, **apart.found_clips(clips, config, family)}


def is_assembled(entry: ModelEntry, family: str) -> bool:
    """Whether a model is put together from several files, or may be. Raises ModelBroken for a damaged one."""
    return entry.format != "diffusers" and (family in ASSEMBLED or lent_of(entry) is not None or apart.is_apart(entry, family))


def pair(clips: list[Part], width: int) -> tuple[Part | None, Part | None]:
    """CLIP L and CLIP G, whose outputs stand side by side."""
    for low in clips:
        for high in clips:
            if low is not high and low.config["hidden_act"] == "quick_gelu" and low.config["hidden_size"] + high.config["projection_dim"] == width:
                return low, high
    return next((clip for clip in clips if clip.config["hidden_act"] == "quick_gelu"), None), None


def encoders_of(entry: ModelEntry, shapes: Shapes, catalog: Catalog) -> Iterator[tuple[str, Part]]:
    """Text encoders in the checkpoint, then those beside it."""
    path = Path(entry.path)
    for kind, prefix in ENCODERS.items():
        if any(name.startswith(prefix) for name in shapes):
            yield "t5" if kind == "t5" else "clip", Part(path, prefix, encoder_config(shapes, prefix, kind))
    for other in catalog.entries("text_encoder"):
        if other.problem or other.architecture not in ("t5", "clip"):
            continue
        try:
            found = read_shapes(Path(other.path))
            found = {t5_name(name): shape for name, shape in found.items()} if other.format == "gguf" else found
            yield other.architecture, Part(Path(other.path), "", encoder_config(found, "", other.title.lower()))
        except (KeyError, IndexError, StudioError):
            continue  # of another layout: as if it were not there


def encoder_config(shapes: Shapes, prefix: str, name: str) -> dict[str, Any]:
    if f"{prefix}encoder.block.0.layer.0.SelfAttention.q.weight" in shapes:
        return t5_config(shapes, prefix)
    config = clip_config(shapes, f"{prefix}text_model.")
    large = "clip_g" in name or config["hidden_size"] >= 1024
    projection = shapes.get(f"{prefix}text_projection.weight")
    return config | {"hidden_act": "gelu" if large else "quick_gelu"} | ({"projection_dim": projection[0]} if projection else {})


def decoder_of(entry: ModelEntry, shapes: Shapes, family: str, channels: int, catalog: Catalog) -> Part | None:
    """In the checkpoint, else the first VAE with as many latent channels; one that is named after the family goes first."""
    path = Path(entry.path)
    for prefix in DECODERS[:2]:
        if f"{prefix}decoder.conv_in.weight" in shapes:
            return Part(path, prefix, vae_config(shapes, family, prefix))
    others = sorted(catalog.entries("vae"), key=lambda other: (("sd3" in other.key.lower()) != (family == "sd3"), "approx" in other.key.lower(), other.key))
    for other in others:
        if not other.problem and latent_channels(other) == channels and "approx" not in other.key.lower():
            return Part(Path(other.path), "", {})
    return None


def latent_channels(entry: ModelEntry) -> int:
    """Of a VAE, from its header or config; 0 where that is not told."""
    path = Path(entry.path)
    try:
        if path.is_dir():
            return int(json.loads((path / "config.json").read_text(encoding="utf-8")).get("latent_channels", 4))
        shapes = read_shapes(path)
    except (OSError, ValueError, TypeError, AttributeError, StudioError):
        return 0
    name = next((name for name in (f"{prefix}decoder.conv_in.weight" for prefix in DECODERS) if len(shapes.get(name, ())) > 1), "")
    return shapes[name][1] if name else 0


TINY = {"sd1": "taesd", "sd2": "taesd", "sdxl": "taesdxl", "sdxl_refiner": "taesdxl", "sd3": "taesd3", "flux": "taef1"}  # the tiny autoencoders by the latents that they decode


def preview_decoder(family: str, catalog: Catalog) -> ModelEntry | None:
    """The tiny autoencoder for previews, by its name in models/vae_approx: files and folders are named after the family, with "_decoder" behind it or not."""
    wanted = TINY.get(family, "")
    for entry in catalog.entries("vae") if wanted else []:
        folder, _, name = entry.key.lower().rpartition("/")
        if not entry.problem and folder.endswith(("vae_approx", "vae-approx")) and name.removesuffix("_decoder") == wanted:
            return entry
    return None


def flux_config(shapes: Shapes, prefix: str) -> dict[str, Any]:
    """FLUX.1's network; its rotary positions take 1/8 of a head for the index and the rest for height and width."""
    inner, channels = shapes[f"{prefix}img_in.weight"]
    head = shapes[f"{prefix}double_blocks.0.img_attn.norm.query_norm.scale"][0]
    place = 2 * (head // 16)
    return {
        "_class_name": "FluxTransformer2DModel", "patch_size": 1, "in_channels": channels, "out_channels": shapes[f"{prefix}final_layer.linear.weight"][0], "num_layers": numbered(shapes, f"{prefix}double_blocks."),
        "num_single_layers": numbered(shapes, f"{prefix}single_blocks."), "attention_head_dim": head, "num_attention_heads": inner // head, "joint_attention_dim": shapes[f"{prefix}txt_in.weight"][1],
        "pooled_projection_dim": shapes[f"{prefix}vector_in.in_layer.weight"][1], "guidance_embeds": f"{prefix}guidance_in.in_layer.weight" in shapes, "axes_dims_rope": [place, (head - place) // 2, (head - place) // 2],
    }  # fmt: skip


def sd3_config(shapes: Shapes, prefix: str) -> dict[str, Any]:
    """Stable Diffusion 3 and 3.5: with or without normalised queries, with or without a second attention in some blocks."""
    inner, channels, patch = shapes[f"{prefix}x_embedder.proj.weight"][:3]
    layers = numbered(shapes, f"{prefix}joint_blocks.")
    norm = shapes.get(f"{prefix}joint_blocks.0.x_block.attn.ln_q.weight")
    head = norm[0] if norm else 64
    return {
        "_class_name": "SD3Transformer2DModel", "sample_size": 128, "patch_size": patch, "in_channels": channels, "out_channels": shapes[f"{prefix}final_layer.linear.weight"][0] // patch**2, "num_layers": layers,
        "attention_head_dim": head, "num_attention_heads": inner // head, "joint_attention_dim": shapes[f"{prefix}context_embedder.weight"][1], "caption_projection_dim": shapes[f"{prefix}context_embedder.weight"][0],
        "pooled_projection_dim": shapes[f"{prefix}y_embedder.mlp.0.weight"][1], "pos_embed_max_size": math.isqrt(shapes[f"{prefix}pos_embed"][1]), "qk_norm": "rms_norm" if norm else None,
        "dual_attention_layers": [layer for layer in range(layers) if f"{prefix}joint_blocks.{layer}.x_block.attn2.qkv.weight" in shapes],
    }  # fmt: skip


def t5_config(shapes: Shapes, prefix: str) -> dict[str, Any]:
    """T5 v1.1's encoder."""
    first = f"{prefix}encoder.block.0.layer."
    words, width = shapes.get(f"{prefix}shared.weight") or shapes[f"{prefix}encoder.embed_tokens.weight"]
    buckets, heads = shapes[f"{first}0.SelfAttention.relative_attention_bias.weight"]
    gated = f"{first}1.DenseReluDense.wi_0.weight" in shapes
    return {
        "architectures": ["T5EncoderModel"], "model_type": "t5", "vocab_size": words, "d_model": width, "num_layers": numbered(shapes, f"{prefix}encoder.block."), "num_heads": heads,
        "d_kv": shapes[f"{first}0.SelfAttention.q.weight"][0] // heads, "d_ff": shapes[f"{first}1.DenseReluDense.{'wi_0' if gated else 'wi'}.weight"][0], "relative_attention_num_buckets": buckets,
        "feed_forward_proj": "gated-gelu" if gated else "relu", "layer_norm_epsilon": 1e-6, "tie_word_embeddings": False, "is_encoder_decoder": False, "use_cache": False,
    }  # fmt: skip


def t5_name(name: str) -> str:
    """transformers' name of an encoder's tensor, by GGUF's. Raises KeyError for a tensor of something else."""
    fixed = {"token_embd.weight": "shared.weight", "enc.output_norm.weight": "encoder.final_layer_norm.weight"}
    if name in fixed:
        return fixed[name]
    found = re.fullmatch(r"enc\.blk\.(\d+)\.(\w+)\.weight", name)
    if not found:
        raise KeyError(name)
    return f"encoder.block.{found[1]}.layer.{T5_GGUF[found[2]]}.weight"


def write_t5_tokenizer(folder: Path, length: int = T5_LENGTH) -> None:
    """T5's word pieces (Google, Apache-2.0)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_bytes(gzip.decompress(T5_TOKENS.read_bytes()))
    marks: dict[str, Any] = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "extra_ids": 100}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "T5TokenizerFast", "model_max_length": length} | marks), encoding="utf-8")


def flow_scheduler(family: str, network: dict[str, Any]) -> dict[str, Any]:
    """As the makers ship it: FLUX dev moves its noise with the picture's size, schnell not at all, Stable Diffusion 3 by 3."""
    moving = {"use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15, "base_image_seq_len": 256, "max_image_seq_len": 4096} if network.get("guidance_embeds") else {}
    return {"num_train_timesteps": 1000, "shift": 3.0 if family == "sd3" or moving else 1.0} | moving
