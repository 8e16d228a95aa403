"""Reading a models folder: headers only. Broken files are listed with the sentence that says why; pickles are never opened.

Sources: the safetensors format (8-byte length, JSON header, data offsets), GGUF 3, transformers' config.json, diffusers' model_index.json,
the HDF5 superblock (HDF5 File Format Specification 3.0, section II.A).
"""

from __future__ import annotations

import json
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from studio.entries import ModelEntry, ModelFormat, ModelKind
from studio.scan_network import SIGNS, is_of_folder, network_of
from studio.scan_soundfont import about_soundfont
from studio.scan_upscaler import about_upscaler
from studio.scan_upscaler import architecture as upscaler_of

MAX_HEADER_BYTES = 100 * 2**20
MAX_STRINGS = 2_000_000
MAX_DEPTH = 8
MAX_COMPANY_BYTES = 2**20
OPTIONAL_PARTS = ("safety_checker", "feature_extractor", "image_encoder", "watermark")  # of a diffusers folder: it draws without them
PREVIEWS = (".preview.png", ".preview.jpg", ".preview.jpeg", ".preview.webp", ".png", ".jpg", ".jpeg", ".webp")
PICKLES = {".ckpt", ".pt", ".pth", ".bin"}
SOUNDFONTS = {".sf2", ".sf3"}
FOLDER_KINDS: dict[str, ModelKind] = {
    "lora": "lora", "loras": "lora", "lycoris": "lora", "vae": "vae", "controlnet": "controlnet", "embeddings": "embedding", "textual_inversion": "embedding",
    "t2i-adapter": "controlnet", "t2i_adapter": "controlnet", "ip-adapter": "ip_adapter", "ip_adapter": "ip_adapter", "ipadapter": "ip_adapter",
    **dict.fromkeys(("upscale_models", "upscaler", "upscalers", "esrgan", "realesrgan", "swinir", "scunet", "dat", "hat"), "upscaler"), "stable-diffusion": "image", "checkpoints": "image",
    "unet": "image", "diffusion_models": "image", "text_encoder": "text_encoder", "text_encoders": "text_encoder", "clip": "text_encoder", "vae_approx": "vae", "vae-approx": "vae",
    "vision": "vision",
}  # fmt: skip
DIFFUSERS_KINDS: dict[str, ModelKind] = {
    "ControlNetModel": "controlnet", "ControlNetUnionModel": "controlnet", "SD3ControlNetModel": "controlnet", "FluxControlNetModel": "controlnet", "T2IAdapter": "controlnet",
}  # fmt: skip
OF_FOLDER = "This is the network of a diffusers folder by itself, which does not say what it is. Get the whole folder, or the network as one file in the layout of its release."
WEIGHT_CHANGES = ("hada_", "lokr_", "oft_", "on_input", ".diff", "_norm", "dora_", "lora_magnitude")  # forms of small networks that are no path beside a layer
ENCODERS = ("clip_l", "clip_g", "t5xxl", "t5")  # the names by which an embedding for several encoders calls their parts
EMBEDDING_FAMILIES = {(768,): "sd1", (1024,): "sd2", (768, 1280): "sdxl", (1280,): "sdxl_refiner", (768, 1280, 4096): "sd3", (768, 4096): "flux", (4096,): "t5"}
LANGUAGES = {"smollm": ["en"], "qwen": ["en", "zh", "ja", "ko", "ru", "ar", "th", "fr", "de", "es"], "sarashina": ["ja", "en"], "gemma": ["multilingual"]}
GGUF_TYPES: dict[int, tuple[str, int, int]] = {  # ggml type: name, values per block, bytes per block
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 30: ("BF16", 1, 2),
}  # fmt: skip
SCALED = {"flux", "sd3", "sd1", "sd2", "sdxl", "sdxl_refiner", *SIGNS}  # families whose scaled 8-bit weights are read
GGUF_IMAGE = {"flux", "sd3", "sd1", "sdxl"}  # networks whose GGUF files can be drawn with
T5_GGUF = {"t5": "t5", "t5encoder": "t5"}
GGUF_OTHER_IMAGE = {"aura", "lumina2", "qwen_image", "sana", "cosmos", "hidream"}  # where their tensors are none that are known
PARTS: dict[str, ModelKind] = {"Autoencoder": "vae", "ControlNet": "controlnet", "T2IAdapter": "controlnet"}  # how the classes of diffusers' single parts begin
SEEING: dict[str, ModelKind] = {  # transformers' classes that annotate pictures; they need no torchvision
    "DPTForDepthEstimation": "depth", "DepthAnythingForDepthEstimation": "depth", "ZoeDepthForDepthEstimation": "depth", "GLPNForDepthEstimation": "depth", "VitPoseForPoseEstimation": "pose",
    "RTDetrForObjectDetection": "detector", "RTDetrV2ForObjectDetection": "detector", "DetrForObjectDetection": "detector", "YolosForObjectDetection": "detector",
}  # fmt: skip
SPEAKING = (  # transformers' classes that speak a text; which of them are spoken with is the pipeline's to say
    "VitsModel", "SpeechT5ForTextToSpeech", "BarkModel", "FastSpeech2ConformerWithHifiGan", "FastSpeech2ConformerModel", "CsmForConditionalGeneration", "SeamlessM4TModel", "SeamlessM4TForTextToSpeech",
    "SeamlessM4Tv2Model", "SeamlessM4Tv2ForTextToSpeech", "DiaForConditionalGeneration", "GradiumPhononTTSForConditionalGeneration", "HiggsAudioV2ForConditionalGeneration", "PocketTTSForConditionalGeneration",
    "VibeVoiceForConditionalGeneration",
)  # fmt: skip
HDF5_END = {0: 40, 1: 44, 2: 28, 3: 28}  # version of the superblock: where it tells the file's length
Shapes = dict[str, list[int]]
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}


def scan(root: Path) -> Iterator[ModelEntry]:
    """All models below `root`, folders of weights as one entry. Links are followed, loops and special files are not."""
    seen: set[str] = set()
    for folder, names, files in os.walk(root, followlinks=True):
        here = Path(folder)
        if os.path.realpath(folder) in seen or len(here.relative_to(root).parts) > MAX_DEPTH:
            names.clear()
            continue
        seen.add(os.path.realpath(folder))
        names[:] = sorted(name for name in names if not name.startswith("."))
        if "model_index.json" in files:
            names.clear()
            yield _diffusers(root, here)
        elif "config.json" in files and any(name.endswith(".safetensors") for name in files):
            names.clear()
            yield _transformers(root, here)
        else:
            yield from _files(root, here, sorted(files))


def _files(root: Path, folder: Path, files: list[str]) -> Iterator[ModelEntry]:
    for name in files:
        path = folder / name
        suffix = path.suffix.lower()
        if suffix not in (".gguf", ".safetensors", *SOUNDFONTS, *PICKLES) and not (suffix == ".h5" and folder_kind(root, path) == "vision"):
            continue
        try:
            about = path.stat()
        except OSError:
            continue
        if stat.S_ISREG(about.st_mode):
            entry = _file(root, str(path), suffix, about.st_size, about.st_mtime_ns)
            yield with_company(replace(entry, details=entry.details | {"changed": about.st_mtime_ns}), path, set(files))


def with_company(entry: ModelEntry, path: Path, files: set[str]) -> ModelEntry:
    """The entry with the preview picture and the trigger words that other studios keep beside a model."""
    stem = path.stem
    preview = next((name for ending in PREVIEWS if (name := stem + ending) in files), "")
    words = next((found for name in (f"{stem}.json", f"{stem}.civitai.info") if name in files and (found := trigger_words(path.with_name(name)))), [])
    more = ({"preview": str(path.with_name(preview))} if preview else {}) | ({"trigger_words": words} if words else {})
    return replace(entry, details=entry.details | more) if more else entry


def trigger_words(path: Path) -> list[str]:
    """From A1111's "activation text" or Civitai's "trainedWords"; [] where there are none."""
    try:
        value = json.loads(path.read_bytes()[:MAX_COMPANY_BYTES])
    except (OSError, ValueError, RecursionError):
        return []
    if not isinstance(value, dict):
        return []
    words = value.get("trainedWords") or str(value.get("activation text") or "").split(",")
    return [word.strip()[:200] for word in words if isinstance(word, str) and word.strip()][:50] if isinstance(words, list) else []


@lru_cache(maxsize=4096)
def _file(root: Path, name: str, suffix: str, size: int, changed: int) -> ModelEntry:
    path = Path(name)
    key = key_of(root, path)
    if suffix in PICKLES:
        sentence = "This is a pickle file, which can run code when it is opened. Use a safetensors version of it, or have it converted."
        return ModelEntry(key, name, folder_kind(root, path) or "other", "pickle", size, path.stem, problem=sentence)
    try:
        with path.open("rb") as file:
            if suffix == ".h5":
                return _hdf5(key, path, file, size)
            if suffix in SOUNDFONTS:
                about = about_soundfont(file, size)
                return ModelEntry(key, name, "soundfont", "soundfont", size, about["name"] or path.stem, suffix[1:].upper(), details=about)
            return _gguf(key, path, file, size) if suffix == ".gguf" else _safetensors(root, key, path, file, size)
    except OSError as error:
        problem = f"The file can't be read ({error.strerror})."
    except (ValueError, struct.error, KeyError, TypeError, RecursionError, OverflowError, MemoryError) as error:
        problem = f"The file is damaged or no model ({error}). Download it again."
    told: dict[str, tuple[ModelKind, ModelFormat]] = {".gguf": ("llm", "gguf"), ".h5": ("vision", "hdf5"), **dict.fromkeys(SOUNDFONTS, ("soundfont", "soundfont"))}
    kind, form = told.get(suffix, ("other", "safetensors"))
    return ModelEntry(key, name, kind, form, size, path.stem, problem=problem)


def key_of(root: Path, path: Path) -> str:
    """Stable and readable: the file's stem below text/ and the like, else its path below the root without suffix."""
    relative = path.relative_to(root)
    short = relative.with_suffix("") if path.suffix.lower() in (".gguf", ".safetensors", ".h5", *PICKLES) else relative
    return short.name if len(short.parts) <= 2 and short.parts[0] in ("text", short.name) else short.as_posix()


def folder_kind(root: Path, path: Path) -> ModelKind | None:
    return next((FOLDER_KINDS[part.lower()] for part in reversed(path.relative_to(root).parts[:-1]) if part.lower() in FOLDER_KINDS), None)


def read_safetensors(file: BinaryIO, size: int) -> dict[str, Any]:
    """The header. Raises ValueError where it is no such file or the file is cut off."""
    (length,) = struct.unpack("<Q", file.read(8))
    if length > min(MAX_HEADER_BYTES, size):
        raise ValueError("its header is longer than the file")
    header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    end = max((about["data_offsets"][1] for name, about in header.items() if name != "__metadata__"), default=0)
    if size != 8 + length + end:
        raise ValueError(f"it has {size:,} bytes, its header says {8 + length + end:,}")
    return header


def _safetensors(root: Path, key: str, path: Path, file: BinaryIO, size: int) -> ModelEntry:
    header = read_safetensors(file, size)
    tensors = {name: about for name, about in header.items() if name != "__metadata__"}
    types: dict[str, int] = {}
    for about in tensors.values():
        types[about["dtype"]] = types.get(about["dtype"], 0) + about["data_offsets"][1] - about["data_offsets"][0]
    shapes: Shapes = {name: about["shape"] for name, about in tensors.items()}
    family = family_of(shapes)
    kind = folder_kind(root, path) or kind_of(set(tensors), family)
    details: dict[str, Any] = {"tensors": len(tensors)} | ({"channels": shapes[first][1]} if (first := first_layer(shapes)) else {}) | ({"factor": factor} if (factor := decoder_factor(shapes)) else {})
    kind = "ip_adapter" if kind in ("controlnet", "other") and any(name.startswith("image_proj.") for name in tensors) else kind
    taken_out = kind in ("other", "image") and not family and is_of_folder(set(tensors))
    kind = "image" if taken_out else kind
    kind = "upscaler" if kind == "other" and upscaler_of(shapes) else kind
    details |= _about(kind, shapes) if kind != "upscaler" else about_upscaler(shapes, path.stem)
    if kind == "upscaler":
        family = upscaler_of(shapes)
    elif kind in ("lora", "text_encoder"):
        family = (family or lora_family(shapes)) if kind == "lora" else encoder_of(shapes)
    family = family or EMBEDDING_FAMILIES.get(tuple(details.get("widths", ())), "")
    problem = small_weights(shapes, kind, family) or ("This is no embedding that can be read." if kind == "embedding" and "widths" not in details else "")
    problem = problem or (OF_FOLDER if taken_out else "")
    if {"ahead.weight_hh_l0", "heads.3.outer.weight"} <= set(tensors):  # a style that music.learn made
        told = str(header.get("__metadata__", {}).get("title", ""))[:60] or path.stem
        return ModelEntry(key, str(path), "composer", "safetensors", size, told, dtype="F16", details=details)
    return ModelEntry(key, str(path), kind, "safetensors", size, path.stem, family, max(types, key=lambda name: types[name], default=""), problem=problem, details=details)


def small_weights(shapes: Shapes, kind: ModelKind, family: str) -> str:
    """The sentence about weights of a form that is not read; "" for all others. Scaled 8-bit ones have their scale beside them, one for all of a matrix or one for each row."""
    scales = [shape for name, shape in shapes.items() if name.endswith((".scale_weight", ".weight_scale"))]
    if any(name.endswith((".qweight", ".weight_scale_2")) or ".quant_state." in name for name in shapes) or any(len(shape) > 1 and shape[-1] > 1 for shape in scales):
        return "Its weights are packed 4-bit ones or scaled in blocks, which is not read here. Get it as fp16, bf16, fp8 or GGUF."
    if scales and kind != "text_encoder" and family not in SCALED:
        return "Scaled 8-bit weights are not read of this kind of model. Get it as fp16, bf16 or plain fp8."
    return ""


def _about(kind: ModelKind, shapes: Shapes) -> dict[str, Any]:
    """What a file that is put on a model tells of itself."""
    if kind == "lora":
        told: dict[str, Any] = {"context": context} if (context := context_width(shapes)) else {}
        return told | ({"changes_weights": True} if any(sign in name for name in shapes for sign in WEIGHT_CHANGES) else {})
    readers: dict[str, Any] = {"embedding": about_embedding, "controlnet": about_control, "ip_adapter": about_ip_adapter}
    return readers[kind](shapes) if kind in readers else {}


def about_embedding(shapes: dict[str, list[int]]) -> dict[str, Any]:
    """How many tokens it stands for, how wide they are for each encoder, and the word that trainers of diffusers name it by; {} for what is no embedding."""
    named = [name for name in ENCODERS if name in shapes]
    parts = [shapes[name] for name in named or shapes]
    rows = {shape[0] if len(shape) == 2 else 1 for shape in parts}
    if len(rows) != 1 or (len(parts) > 1 and not named) or any(len(shape) not in (1, 2) for shape in parts):
        return {}
    token = next((name for name in shapes if name.startswith("<") and name.endswith(">")), "")
    return {"vectors": rows.pop(), "widths": [shape[-1] for shape in parts]} | ({"token": token} if token and token != "<*>" else {})


def about_control(shapes: dict[str, list[int]]) -> dict[str, Any]:
    """Of what guides in one file, in diffusers' layout or the original one: its class, how wide the text is that it reads, how many kinds of pictures it takes; {} for other forms."""
    context = next((shape[1] for name, shape in shapes.items() if name.endswith("attn2.to_k.weight")), 0)
    if "task_embedding" in shapes:
        return {"class": "ControlNetUnionModel", "context": context, "kinds": shapes["task_embedding"][0]}
    if any("controlnet_cond_embedding." in name or "input_hint_block.0." in name for name in shapes):
        return {"class": "ControlNetModel", "context": context}
    if "controlnet_blocks.0.weight" in shapes:
        return _about_flow_control(shapes)
    if is_adapter(set(shapes)):
        folded = next((shapes[name][1] for name in ("adapter.conv_in.weight", "conv_in.weight") if name in shapes), 0)
        return {"class": "T2IAdapter", "xl": folded in (256, 768)}
    return {}


def _about_flow_control(shapes: dict[str, list[int]]) -> dict[str, Any]:
    """Of Stable Diffusion 3 and FLUX, in diffusers' layout; those that take a mask besides the picture are another form."""
    wide = {"wide": shapes["controlnet_blocks.0.weight"][0]}
    if "controlnet_x_embedder.weight" in shapes:
        kinds = shapes.get("controlnet_mode_embedder.weight", [0])[0]
        return wide | ({"class": "FluxControlNetUnionModel", "kinds": kinds} if kinds else {"class": "FluxControlNetModel"})
    into, own = shapes.get("pos_embed_input.proj.weight", [0, 0]), shapes.get("pos_embed.proj.weight", [0, 0])
    return wide | {"class": "SD3ControlNetModel"} if into[1] and own[1] in (0, into[1]) else {}


def is_adapter(names: set[str]) -> bool:
    """A T2I-Adapter, by diffusers' names or those of its release."""
    return bool(names & {"adapter.body.0.resnets.0.block1.weight", "body.0.block1.weight"})


def about_ip_adapter(shapes: dict[str, list[int]]) -> dict[str, Any]:
    """How wide the text is beside which it is read, and how wide the picture encoder's answer must be: its projection, or for the finer ones its last states."""
    context = next((shape[1] for name, shape in shapes.items() if name.startswith("ip_adapter.") and name.endswith("to_k_ip.weight")), 0)
    finer = next((shapes[name][1] for name in ("image_proj.proj_in.weight", "image_proj.proj.0.weight") if name in shapes), 0)
    return {"context": context, "clip": finer or shapes.get("image_proj.proj.weight", [0, 0])[1], "clip_states": bool(finer)}


def decoder_factor(shapes: Shapes) -> int:
    """Pixels per latent of the decoder inside a checkpoint, each of its levels but the last doubling them; 0 where there is none."""
    levels = {int(level) for name in shapes for prefix in ("first_stage_model.encoder.down.", "vae.encoder.down.") if name.startswith(prefix) and (level := name[len(prefix) :].partition(".")[0]).isdigit()}
    return 2 ** max(levels) if levels else 0


def first_layer(shapes: Shapes) -> str:
    """The name of a UNet's first layer: it tells how many channels go in."""
    return next((name for name in ("model.diffusion_model.input_blocks.0.0.weight", "input_blocks.0.0.weight") if len(shapes.get(name, [])) > 1), "")


def family_of(shapes: Shapes) -> str:
    """The family of an image checkpoint by its parts' names, of a network alone by the width of the text states that its attention reads; "" for anything else."""
    names = set(shapes)
    if any("lora" in name.lower() or name.startswith(("controlnet_", "control_model")) for name in names):
        return ""
    if network := network_of(names):
        return network
    if any(name.startswith("conditioner.embedders.1") for name in names):
        return "sdxl"
    if any(name.startswith("conditioner.embedders.0.model.") for name in names):
        return "sdxl_refiner"
    if any("double_blocks.0.img_attn" in name for name in names):
        return "flux"
    if any("joint_blocks.0.context_block" in name for name in names):
        return "sd3"
    if any(name.startswith("cond_stage_model.model.") for name in names):
        return "sd2"
    if any(name.startswith("cond_stage_model.transformer.") for name in names):
        return "sd1"
    widths = {shapes[name][1] for name in names if name.endswith("attn2.to_k.weight") and len(shapes[name]) > 1} if first_layer(shapes) else set()
    return next((family for width, family in ((768, "sd1"), (1024, "sd2"), (2048, "sdxl"), (1280, "sdxl_refiner")) if width in widths), "")


def encoder_of(shapes: Shapes) -> str:
    """Which text encoder a file is; "" for none that is known."""
    if "encoder.block.0.layer.0.SelfAttention.q.weight" in shapes:
        return "t5"
    return "clip" if any(name.endswith("text_model.embeddings.token_embedding.weight") for name in shapes) else ""


DOUBLE_WIDTH = 3072  # of what the double blocks of FLUX and Qwen-Image read; those of Stable Diffusion 3 have 1536 or 2432


def lora_family(shapes: dict[str, list[int]]) -> str:
    """The family that a LoRA was made for: by the width of the text states its attention reads, or by its network's parts; "" where that is not told."""
    if any(word in name for name in shapes for word in ("double_blocks", "single_transformer_blocks", "single_blocks")):
        return "flux"
    if any("joint_blocks" in name for name in shapes):
        return "sd3"
    if any("transformer.transformer_blocks" in name for name in shapes):  # as FLUX and Qwen-Image name their double blocks too
        wide = any(".attn.to_" in name and shape[-1:] == [DOUBLE_WIDTH] for name, shape in shapes.items())
        return "" if wide else "sd3"
    if any(name.startswith(("lora_te2_", "text_encoder_2.")) for name in shapes):
        return "sdxl"
    return {768: "sd1", 1024: "sd2", 2048: "sdxl"}.get(context_width(shapes), "")


def context_width(shapes: dict[str, list[int]]) -> int:
    """How wide the text is that the attention of a small network reads, in whichever form it is; 0 where that is not told."""
    for name in shapes:
        layer, sign, _ = name.partition("attn2_to_k.") if "attn2_to_k." in name else name.partition("attn2.to_k.")
        if not sign:
            continue
        own = {other[len(layer) + len(sign) :]: shape for other, shape in shapes.items() if other.startswith(layer + sign) and len(shape) > 1}
        width = next((own[slot][1] for slot in ("lora_down.weight", "lora_A.weight", "lora.down.weight", "hada_w1_b", "diff") if slot in own), 0)
        factors = [next((own[slot][1] for slot in (whole, part) if slot in own), 0) for whole, part in (("lokr_w1", "lokr_w1_b"), ("lokr_w2", "lokr_w2_b"))]
        if found := width or factors[0] * factors[1] or max(own.get("a1.weight", [0])[:2]):  # GLoRA's factor of the inputs, by whichever side
            return found
    return 0


def kind_of(names: set[str], family: str) -> ModelKind:
    if family:
        return "image"
    if encoder_of(dict.fromkeys(names, [])):
        return "text_encoder"
    if any("lora_" in name or ".lora" in name or "hada_" in name or "lokr_" in name or "oft_blocks" in name or "oft_diag" in name or name.endswith(".on_input") or name.startswith("lycoris_") for name in names):
        return "lora"
    if any("control_model" in name or "controlnet" in name for name in names) or "task_embedding" in names or is_adapter(names):
        return "controlnet"
    if any(name.startswith(("decoder.up", "encoder.down")) for name in names):
        return "vae"
    if names & set(ENCODERS) or (len(names) <= 3 and any(name == "emb_params" or name.startswith(("<", "string_to_param")) for name in names)):
        return "embedding"
    return "other"


def _hdf5(key: str, path: Path, file: BinaryIO, size: int) -> ModelEntry:
    """Layers in an HDF5 file, as Keras saves them: whether it is one, and whole. Its numbers are of eight bytes in every version that is written today."""
    head = file.read(64)
    if not head.startswith(b"\x89HDF\r\n\x1a\n"):
        raise ValueError("it does not begin as an HDF5 file")
    if (version := head[8]) not in HDF5_END:
        raise ValueError(f"HDF5 version {version} is not known")
    (need,) = struct.unpack_from("<Q", head, HDF5_END[version])
    if size < need:
        raise ValueError(f"it has {size:,} bytes, its header says {need:,}: the download was cut off")
    return ModelEntry(key, str(path), "vision", "hdf5", size, path.stem, details={"version": version})


def _gguf(key: str, path: Path, file: BinaryIO, size: int) -> ModelEntry:
    if file.read(4) != b"GGUF":
        raise ValueError("it does not begin as a GGUF file")
    version, tensors, pairs = struct.unpack("<IQQ", file.read(20))
    if version not in (2, 3) or tensors > 1_000_000 or pairs > 1_000_000:
        raise ValueError(f"GGUF version {version} is not known")
    values = {_string(file): _value(file, *struct.unpack("<I", file.read(4))) for _ in range(pairs)}
    types, need, names = _gguf_tensors(file, tensors, int(values.get("general.alignment", 32)))
    if size < need:
        raise ValueError(f"it has {size:,} bytes, its header says {need:,}: the download was cut off")
    network = network_of(set(names))  # before what the file says: tools write one name for several networks
    architecture = network or str(values.get("general.architecture", "")) or family_of(dict.fromkeys(names, []))
    context = int(values.get(f"{architecture}.context_length", 0))
    languages = values.get("general.languages") or guess_languages(path.name + str(values.get("general.name", "")))
    details = {"tensors": tensors, "chat_template": "tokenizer.chat_template" in values, "name": str(values.get("general.name", ""))}
    dtype = max(types, key=lambda name: types[name], default="")
    if network or architecture in GGUF_IMAGE | GGUF_OTHER_IMAGE:
        problem = "" if network or architecture in GGUF_IMAGE else "GGUF files of this family are not read yet. Use the diffusers folder or the safetensors file of this model."
        return ModelEntry(key, str(path), "image", "gguf", size, path.stem, architecture, dtype, problem=problem, details={"tensors": tensors})
    kind: ModelKind = "text_encoder" if architecture in T5_GGUF else "other" if architecture == "clip" else "llm"
    architecture = T5_GGUF.get(architecture, architecture)
    return ModelEntry(key, str(path), kind, "gguf", size, path.stem, architecture, dtype, context, list(languages), details=details)


def _gguf_tensors(file: BinaryIO, count: int, alignment: int) -> tuple[dict[str, int], int, list[str]]:
    """Bytes by type, how long the file must be, and the tensors' names."""
    types: dict[str, int] = {}
    names: list[str] = []
    end = 0
    for _ in range(count):
        names.append(_string(file))
        (dimensions,) = struct.unpack("<I", file.read(4))
        if dimensions > 8:
            raise ValueError("a tensor has too many dimensions")
        shape = struct.unpack(f"<{dimensions}Q", file.read(8 * dimensions))
        kind, offset = struct.unpack("<IQ", file.read(12))
        name, values, block = GGUF_TYPES.get(kind, (f"type {kind}", 1, 0))
        number = 1
        for length in shape:
            number *= length
        used = number // values * block
        types[name] = types.get(name, 0) + used
        end = max(end, offset + used)
    start = (file.tell() + alignment - 1) // alignment * alignment
    return types, start + end, names


def _string(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > MAX_HEADER_BYTES:
        raise ValueError("a text in its header is too long")
    raw = file.read(length)
    if len(raw) < length:
        raise ValueError("its header is cut off")
    return raw.decode("utf-8", "replace")


def _value(file: BinaryIO, kind: int) -> Any:
    """One metadata value; of long arrays only the length is kept."""
    if kind == 8:
        return _string(file)
    if kind != 9:
        form = _SCALARS[kind]
        return struct.unpack(form, file.read(struct.calcsize(form)))[0]
    inner, count = struct.unpack("<IQ", file.read(12))
    if count > MAX_STRINGS:
        raise ValueError("a list in its header is too long")
    if inner in _SCALARS and count > 64:
        file.seek(struct.calcsize(_SCALARS[inner]) * count, os.SEEK_CUR)
        return count
    found = [_value(file, inner) for _ in range(count)]
    return found if count <= 64 else count


def guess_languages(name: str) -> list[str]:
    return next((languages for word, languages in LANGUAGES.items() if word in name.lower()), [])


def _folder_bytes(folder: Path) -> tuple[int, str]:
    """Bytes of all weights below a folder, and the first broken file's sentence."""
    total, problem = 0, ""
    for path in sorted(folder.rglob("*.safetensors")):
        size = path.stat().st_size
        total += size
        try:
            with path.open("rb") as file:
                read_safetensors(file, size)
        except (OSError, ValueError, struct.error, KeyError, TypeError) as error:
            problem = problem or f"{path.name} is damaged ({error}). Download it again."
    return total, problem


def _transformers(root: Path, folder: Path) -> ModelEntry:
    total, problem = _folder_bytes(folder)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        names = config.get("architectures") or [""]
        context, dtype = int(config.get("max_position_embeddings", 0)), str(config.get("dtype") or config.get("torch_dtype") or "")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        return ModelEntry(key_of(root, folder), str(folder), "other", "transformers", total, folder.name, problem=f"config.json can't be read ({error}).")
    if str(config.get("_class_name", "")) in DIFFUSERS_KINDS:
        return _part(root, folder, config, total, problem)
    if part := str(config.get("_class_name", "")):
        found = next((kind for start, kind in PARTS.items() if part.startswith(start)), None)
        return ModelEntry(key_of(root, folder), str(folder), folder_kind(root, folder) or found or "other", "diffusers", total, folder.name, part, problem=problem)
    details = _about_folder(str(names[0]), config)
    if seeing := seeing_kind(str(names[0]), config):
        return ModelEntry(key_of(root, folder), str(folder), seeing, "transformers", total, folder.name, str(names[0]), dtype, problem=problem, details=details)
    kind: ModelKind = "llm" if str(names[0]).endswith("ForCausalLM") else "audio" if "Musicgen" in str(names[0]) else "speech" if names[0] in SPEAKING else "other"
    return ModelEntry(key_of(root, folder), str(folder), kind, "transformers", total, folder.name, str(names[0]), dtype, context, guess_languages(folder.name), problem=problem, details=details)


def _about_folder(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """What a folder of transformers tells of itself by its config."""
    if name == "CLIPVisionModelWithProjection":
        return {"widths": [int(config.get(part, 0)) for part in ("projection_dim", "hidden_size")]}
    labels = config.get("id2label")
    return {"joints": len(labels)} if SEEING.get(name) == "pose" and isinstance(labels, dict) else {}


def seeing_kind(name: str, config: dict[str, Any]) -> ModelKind | None:
    """What a class of transformers sees in pictures: depth, joints, or persons; detectors that know no persons are none."""
    kind = SEEING.get(name)
    labels = config.get("id2label")
    persons = isinstance(labels, dict) and any(str(label).lower() == "person" for label in labels.values())
    return kind if kind != "detector" or persons else None


def _part(root: Path, folder: Path, config: dict[str, Any], total: int, problem: str) -> ModelEntry:
    """A folder of diffusers that holds one network: something that is put on a model, or a part of one."""
    name = str(config["_class_name"])
    shown = "FluxControlNetUnionModel" if config.get("num_mode") else "" if config.get("extra_conditioning_channels") else name
    context = config.get("cross_attention_dim", 0)
    details = {"class": shown, "context": context if isinstance(context, int) else 0, "xl": "xl" in str(config.get("adapter_type", ""))}
    wide = config.get("attention_head_dim"), config.get("num_attention_heads")
    details |= {"wide": wide[0] * wide[1]} if isinstance(wide[0], int) and isinstance(wide[1], int) else {}
    details |= {"kinds": int(kinds)} if (kinds := config.get("num_mode") or config.get("num_control_type")) else {}
    return ModelEntry(key_of(root, folder), str(folder), DIFFUSERS_KINDS[name], "diffusers", total, folder.name, name, str(config.get("dtype") or config.get("torch_dtype") or ""), problem=problem, details=details)


def _lacking(folder: Path, index: dict[str, Any]) -> str:
    """The sentence about a part that the index names and that is not there, or there as a pickle only; "" where all are."""
    for part, value in index.items():
        if not isinstance(value, list) or len(value) != 2 or not isinstance(value[1], str) or part in OPTIONAL_PARTS:  # other rows are settings
            continue
        files = [path.name for path in (folder / part).iterdir()] if (folder / part).is_dir() else []
        if not files:
            return f"Its part “{part}” is missing. Download it again."
        if any(name.endswith(tuple(PICKLES)) for name in files) and not any(name.endswith(".safetensors") for name in files):
            return f"The weights of its part “{part}” are a pickle. Get a version of it in safetensors."
    return ""


def _diffusers(root: Path, folder: Path) -> ModelEntry:
    total, problem = _folder_bytes(folder)
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        name = str(index.get("_class_name", ""))
        problem = problem or _lacking(folder, index)
    except (OSError, ValueError, AttributeError) as error:
        name, problem = "", f"model_index.json can't be read ({error})."
    kind: ModelKind = "audio" if any(word in name for word in ("Audio", "Music", "AceStep")) else "image"
    return ModelEntry(key_of(root, folder), str(folder), kind, "diffusers", total, folder.name, name, problem=problem)
