"""From the header of a single-file checkpoint to the configs of its parts: sizes are read from the tensors' shapes, so that small and distilled ones load too.

Source: the layouts of the Stable Diffusion 1, 2 and XL releases (CompVis and Stability AI); diffusers' configs of the same models.
"""

from __future__ import annotations

import gzip
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio.api import ModelBroken

UNET = "model.diffusion_model."
VAE = "first_stage_model."
CLIP = {"sd1": ("cond_stage_model.transformer.text_model.",), "sdxl": ("conditioner.embedders.0.transformer.text_model.",)}
OPEN_CLIP = {"sd2": "cond_stage_model.model.", "sdxl": "conditioner.embedders.1.model.", "sdxl_refiner": "conditioner.embedders.0.model."}
SCALING = {"sd1": 0.18215, "sd2": 0.18215, "sdxl": 0.13025, "sdxl_refiner": 0.13025, "sd3": 1.5305, "flux": 0.3611}
SHIFT = {"sd3": 0.0609, "flux": 0.1159}
PIPELINES = {"sd1": "StableDiffusionPipeline", "sd2": "StableDiffusionPipeline", "sdxl": "StableDiffusionXLPipeline", "sdxl_refiner": "StableDiffusionXLImg2ImgPipeline"}
INPAINT = {"sd1": "StableDiffusionInpaintPipeline", "sd2": "StableDiffusionInpaintPipeline", "sdxl": "StableDiffusionXLInpaintPipeline"}
EDIT = {"sd1": "StableDiffusionInstructPix2PixPipeline", "sd2": "StableDiffusionInstructPix2PixPipeline", "sdxl": "StableDiffusionXLInstructPix2PixPipeline"}
MERGES = Path(__file__).parent / "clip" / "merges.txt.gz"
START, END = "<|startoftext|>", "<|endoftext|>"
Shapes = dict[str, tuple[int, ...]]


def read_json(path: Path) -> dict[str, Any]:
    """An object in a file; {} where there is none that can be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def read_shapes(path: Path) -> Shapes:
    """Each tensor's shape, from the header of a safetensors or GGUF file. Raises ModelBroken."""
    try:
        about = path.stat()
        return _read_shapes(path, about.st_size, about.st_mtime_ns)
    except OSError as error:
        raise ModelBroken(f"“{path.name}” is damaged or no model.", hint="Download it again.", field="model") from error


@lru_cache(maxsize=64)
def _read_shapes(path: Path, size: int, changed: int) -> Shapes:
    if path.suffix.lower() == ".gguf":
        return _gguf_shapes(path)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > 100 * 2**20:
                raise ValueError("its header is too long")
            header = json.loads(file.read(length))
        return {name: tuple(about["shape"]) for name, about in header.items() if name != "__metadata__"}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelBroken(f"“{path.name}” is damaged or no model.", hint="Download it again.", field="model") from error


def _gguf_shapes(path: Path) -> Shapes:
    """GGUF counts dimensions from the last one."""
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise ModelBroken(f"“{path.name}” can't be read while the engines are being installed.", hint="Try again in a moment.", field="model") from error
    try:
        reader = GGUFReader(path)
        return {tensor.name: _shape_before(reader, tensor.name) or tuple(int(side) for side in reversed(tensor.shape)) for tensor in reader.tensors}
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ModelBroken(f"“{path.name}” is damaged or no model.", hint="Download it again.", field="model") from error


def _shape_before(reader: Any, name: str) -> tuple[int, ...]:
    """The shape that a tensor had before a tool reshaped it to rows that can be quantised; () where it was not."""
    told = reader.get_field(f"comfy.gguf.orig_shape.{name}")
    return tuple(int(side) for side in told.contents()) if told else ()


def unet_config(shapes: Shapes) -> dict[str, Any]:
    """The network, block by block: channels, layers, where attention stands and how deep."""
    blocks = numbered(shapes, UNET + "input_blocks.")
    channels: list[int] = [shapes[f"{UNET}input_blocks.0.0.weight"][0]]
    levels: list[list[dict[str, Any]]] = [[]]
    for number in range(1, blocks):
        prefix = f"{UNET}input_blocks.{number}."
        if f"{prefix}0.op.weight" in shapes:
            levels.append([])
            continue
        depth = numbered(shapes, f"{prefix}1.transformer_blocks.")
        levels[-1].append({"channels": shapes[f"{prefix}0.out_layers.3.weight"][0], "depth": depth, "prefix": prefix})
    channels = [level[0]["channels"] for level in levels]
    crossed = [any(layer["depth"] for layer in level) for level in levels]
    attention = next(layer["prefix"] for level in levels for layer in level if layer["depth"])
    linear = len(shapes[f"{attention}1.proj_in.weight"]) == 2
    config: dict[str, Any] = {
        "_class_name": "UNet2DConditionModel", "sample_size": 64, "in_channels": shapes[f"{UNET}input_blocks.0.0.weight"][1], "out_channels": shapes[f"{UNET}out.2.weight"][0],
        "block_out_channels": channels, "layers_per_block": len(levels[0]), "cross_attention_dim": shapes[f"{attention}1.transformer_blocks.0.attn2.to_k.weight"][1],
        "down_block_types": ["CrossAttnDownBlock2D" if cross else "DownBlock2D" for cross in crossed], "up_block_types": ["CrossAttnUpBlock2D" if cross else "UpBlock2D" for cross in reversed(crossed)],
        "attention_head_dim": [max(1, number // 64) for number in channels] if linear else 8, "use_linear_projection": linear,
        "transformer_layers_per_block": [max((layer["depth"] for layer in level), default=1) or 1 for level in levels], "norm_num_groups": 32 if channels[0] % 32 == 0 else 8,
    }  # fmt: skip
    if f"{UNET}label_emb.0.0.weight" in shapes:
        config |= {"addition_embed_type": "text_time", "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": shapes[f"{UNET}label_emb.0.0.weight"][1]}
    return config


def vae_config(shapes: Shapes, family: str, prefix: str = VAE) -> dict[str, Any]:
    """The decoder, in the releases' layout or in diffusers' own."""
    down, first = (f"{prefix}encoder.down.", "block.0.conv1.weight") if f"{prefix}encoder.down.0.block.0.conv1.weight" in shapes else (f"{prefix}encoder.down_blocks.", "resnets.0.conv1.weight")
    levels = numbered(shapes, down)
    channels = [shapes[f"{down}{level}.{first}"][0] for level in range(levels)]
    quantised = f"{prefix}quant_conv.weight" in shapes
    return {
        "_class_name": "AutoencoderKL", "block_out_channels": channels, "layers_per_block": numbered(shapes, f"{down}0.{first.partition('.')[0]}."), "latent_channels": shapes[f"{prefix}decoder.conv_in.weight"][1],
        "down_block_types": ["DownEncoderBlock2D"] * levels, "up_block_types": ["UpDecoderBlock2D"] * levels, "scaling_factor": SCALING.get(family, 0.18215), "shift_factor": SHIFT.get(family),
        "norm_num_groups": 32 if channels[0] % 32 == 0 else 8, "sample_size": 1024 if family in ("sdxl", "sdxl_refiner", "sd3", "flux") else 512, "force_upcast": family not in ("sd1", "sd2"),
        "use_quant_conv": quantised, "use_post_quant_conv": quantised,
    }  # fmt: skip


def clip_config(shapes: Shapes, prefix: str) -> dict[str, Any]:
    """OpenAI's text encoder."""
    words, width = shapes[f"{prefix}embeddings.token_embedding.weight"]
    layers, length = numbered(shapes, f"{prefix}encoder.layers."), shapes[f"{prefix}embeddings.position_embedding.weight"][0]
    return _text(words, width, layers, shapes[f"{prefix}encoder.layers.0.mlp.fc1.weight"][0], length, "quick_gelu", "CLIPTextModel")


def open_clip_config(shapes: Shapes, prefix: str, *, projected: bool) -> dict[str, Any]:
    """OpenCLIP's text encoder; Stable Diffusion 2 leaves its last layer out."""
    words, width = shapes[f"{prefix}token_embedding.weight"]
    layers = numbered(shapes, f"{prefix}transformer.resblocks.") - (0 if projected else 1)
    config = _text(words, width, layers, shapes[f"{prefix}transformer.resblocks.0.mlp.c_fc.weight"][0], shapes[f"{prefix}positional_embedding"][0], "gelu", "CLIPTextModelWithProjection" if projected else "CLIPTextModel")
    return config | ({"projection_dim": shapes[f"{prefix}text_projection"][1]} if projected else {})


def _text(words: int, width: int, layers: int, inner: int, length: int, activation: str, kind: str) -> dict[str, Any]:
    return {
        "architectures": [kind], "model_type": "clip_text_model", "vocab_size": words, "hidden_size": width, "intermediate_size": inner, "num_hidden_layers": layers, "projection_dim": width,
        "num_attention_heads": max(1, width // 64), "max_position_embeddings": length, "hidden_act": activation, "bos_token_id": words - 2, "eos_token_id": words - 1, "pad_token_id": 1 if words > 40_000 else words - 1,
    }  # fmt: skip


def scheduler_config(family: str, name: str, shapes: Shapes) -> dict[str, Any]:
    """Euler with the release's noise table; v-prediction where the file or its name says so."""
    wants_v = "v_pred" in shapes or (family == "sd2" and "base" not in name.lower() and "512" not in name) or "vpred" in name.lower().replace("-", "").replace("_", "")
    return {
        "_class_name": "EulerDiscreteScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "steps_offset": 1, "timestep_spacing": "leading",
        "prediction_type": "v_prediction" if wants_v else "epsilon", "rescale_betas_zero_snr": "ztsnr" in shapes,
    }  # fmt: skip


def configs_of(path: Path, family: str, *, own_vae: bool = True) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The config of each part, and the index that names them. Raises ModelBroken where a part is missing; the decoder is not asked for where another one is used."""
    shapes = read_shapes(path)
    try:
        parts: dict[str, dict[str, Any]] = {"unet": unet_config(shapes)} | ({"vae": vae_config(shapes, family)} if own_vae else {})
        index: dict[str, Any] = {"_class_name": pipeline_class(family, parts["unet"]["in_channels"])}
        index |= {"unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"], "scheduler": ["diffusers", "EulerDiscreteScheduler"]}
        if family == "sd2":
            parts["text_encoder"] = open_clip_config(shapes, OPEN_CLIP["sd2"], projected=False)
        elif family != "sdxl_refiner":
            parts["text_encoder"] = clip_config(shapes, CLIP[family][0])
        if family in ("sdxl", "sdxl_refiner"):
            parts["text_encoder_2"] = open_clip_config(shapes, OPEN_CLIP[family], projected=True)
    except (KeyError, IndexError, StopIteration) as error:
        raise ModelBroken(f"“{path.name}” is no whole checkpoint: {missing_part(str(error))} is missing in it.", hint="Get the file that holds network, decoder and text encoder.", field="model") from error
    parts["scheduler"] = scheduler_config(family, path.stem, shapes)
    first, second = "text_encoder" in parts, "text_encoder_2" in parts
    index |= {"text_encoder": ["transformers", "CLIPTextModel"] if first else [None, None], "tokenizer": ["transformers", "CLIPTokenizer"] if first else [None, None]}
    if second:
        index |= {"text_encoder_2": ["transformers", "CLIPTextModelWithProjection"], "tokenizer_2": ["transformers", "CLIPTokenizer"], "force_zeros_for_empty_prompt": first}
        index |= {} if first else {"requires_aesthetics_score": True}
    else:
        index |= {"safety_checker": [None, None], "feature_extractor": [None, None], "image_encoder": [None, None], "requires_safety_checker": False}
    return parts, index


def missing_part(name: str) -> str:
    """What a missing tensor belongs to, in words."""
    if VAE in name or "decoder" in name:
        return "the decoder (VAE)"
    return "the text encoder" if "cond_stage" in name or "conditioner" in name else "the network"


def pipeline_class(family: str, channels: int) -> str:
    """diffusers' class for the channels that go into the network: 9 with mask and picture, 8 with a picture to be changed by an instruction."""
    return {9: INPAINT, 8: EDIT}.get(channels, PIPELINES).get(family, PIPELINES[family])


def write_configs(path: Path, family: str, target: Path, *, own_vae: bool = True) -> str:
    """A folder that diffusers takes as `config=` for this file; returns the pipeline's class. Raises ModelBroken where a part is missing."""
    parts, index = configs_of(path, family, own_vae=own_vae)
    for name, config in parts.items():
        _write(target / name / ("scheduler_config.json" if name == "scheduler" else "config.json"), config)
    _write(target / "model_index.json", index)
    for name, encoder in (("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2")):
        if encoder in parts:
            write_tokenizer(target / name, parts[encoder]["max_position_embeddings"], "!" if name == "tokenizer_2" or family == "sd2" else END)
    return str(index["_class_name"])


def write_tokenizer(folder: Path, length: int, padding: str) -> None:
    """CLIP's byte-pair encoding (OpenAI, MIT): bytes, bytes that end a word, merges, two marks."""
    _write(folder / "vocab.json", {word: number for number, word in enumerate(clip_words())})
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(clip_merges()) + "\n", encoding="utf-8")
    marks = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": padding}
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer", "model_max_length": length, "do_lower_case": True, "errors": "replace", "add_prefix_space": False} | marks)
    _write(folder / "special_tokens_map.json", marks)


def clip_merges() -> list[str]:
    """Pairs with a blank between, the most frequent first."""
    return gzip.decompress(MERGES.read_bytes()).decode().strip().split("\n")


def clip_words() -> list[str]:
    """The vocabulary in the order of its numbers."""
    letters = _byte_letters()
    return [*letters, *(letter + "</w>" for letter in letters), *("".join(pair.split()) for pair in clip_merges()), START, END]


def _byte_letters() -> list[str]:
    """The 256 bytes as letters, printable ones first. Source: Radford et al., GPT-2, whose alphabet CLIP took over."""
    own = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [number for number in range(256) if number not in own]
    return [chr(number) for number in own] + [chr(256 + place) for place in range(len(others))]


def numbered(shapes: Shapes, prefix: str) -> int:
    """How many parts are numbered behind a prefix."""
    found = {int(match[1]) for name in shapes if name.startswith(prefix) and (match := re.match(r"(\d+)\.", name[len(prefix) :]))}
    return max(found, default=-1) + 1


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
