"""Single-file checkpoints through diffusers' own conversion, with configs made from the file's header: nothing is asked of a model hub."""

from __future__ import annotations

import contextlib
import inspect
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.loaders import single_file

from pipelines.image.checkpoint import END, PIPELINES, UNET, read_shapes, scheduler_config, vae_config, write_configs, write_tokenizer
from pipelines.image.families import Family
from pipelines.image.nets.layouts import prepared
from pipelines.image.nets.model import variant_of
from pipelines.image.nets.processors import loaded
from pipelines.image.nets.spread import is_scaled, load_gguf, read_gguf, read_t5_gguf, read_tensors
from pipelines.image.parts import ASSEMBLED, DECODERS, Part, flow_scheduler, write_t5_tokenizer
from studio.api import ModelBroken


def load_single(path: Path, family: Family, dtype: Any, more: dict[str, Any]) -> Any:
    """A checkpoint that holds all its parts. Raises ModelBroken for a family whose single files are not read."""
    if family.key not in PIPELINES:
        raise ModelBroken(f"Single files of {family.title} are not read yet.", hint="Use the diffusers folder of this model.", field="model")
    with tempfile.TemporaryDirectory(prefix="seisei-config-") as folder, handed(path, dtype):
        kind = getattr(diffusers, write_configs(path, family.key, Path(folder), own_vae="vae" not in more))
        return kind.from_single_file(str(path), config=folder, dtype=dtype, local_files_only=True, **more)


@contextlib.contextmanager
def handed(path: Path, dtype: Any) -> Iterator[None]:
    """While open, diffusers gets the tensors of a file with scaled weights spread out: it would leave the scales beside them unread."""
    if not is_scaled(path):
        yield
        return
    tensors = read_tensors(path, "", dtype)
    before = single_file.load_single_file_checkpoint
    single_file.load_single_file_checkpoint = lambda *_, **__: tensors
    try:
        yield
    finally:
        single_file.load_single_file_checkpoint = before


def load_apart(parts: dict[str, Part], family: Family, dtype: Any, more: dict[str, Any]) -> Any:
    """Stable Diffusion 1 or XL around a network of its own file."""
    network = parts["network"]
    vae = more.get("vae") or load_vae_part(parts["vae"], family, dtype)
    about = scheduler_config(family.key, network.path.stem, read_shapes(network.path))
    scheduler = diffusers.EulerDiscreteScheduler(**{name: value for name, value in about.items() if name != "_class_name"})
    encoders = {name: load_encoder(part, dtype, projected=name == "clip_g") for name, part in parts.items() if name in ("clip_l", "clip_g")}
    with tempfile.TemporaryDirectory(prefix="seisei-tokens-") as folder:
        tokens = {name: load_tokenizer(Path(folder) / name, name, parts[name]) for name in encoders}
    named = {"vae": vae, "unet": load_unet(network, dtype), "scheduler": scheduler, "text_encoder": encoders["clip_l"], "tokenizer": tokens["clip_l"]}
    if family.key == "sdxl":
        return diffusers.StableDiffusionXLPipeline(**named, text_encoder_2=encoders["clip_g"], tokenizer_2=tokens["clip_g"])
    return diffusers.StableDiffusionPipeline(**named, safety_checker=None, feature_extractor=None, requires_safety_checker=False)


def load_unet(part: Part, dtype: Any) -> Any:
    """The network in the releases' layout; GGUF and scaled weights are spread out: diffusers keeps matrices quantised only, no kernels."""
    found = read_gguf(part.path, dtype) if part.path.suffix.lower() == ".gguf" else read_tensors(part.path, "", dtype)
    tensors = {name if name.startswith(UNET) else UNET + name: tensor for name, tensor in found.items()}
    with tempfile.TemporaryDirectory(prefix="seisei-config-") as folder:
        (Path(folder) / "config.json").write_text(json.dumps(part.config), encoding="utf-8")
        return diffusers.UNet2DConditionModel.from_single_file(tensors, config=folder, dtype=dtype, local_files_only=True)


def load_parts(parts: dict[str, Part], family: Family, dtype: Any, more: dict[str, Any]) -> Any:
    """A pipeline put together from what `parts_of` found."""
    if family.pipeline:
        return load_lent(parts, family, dtype)
    if family.key not in ASSEMBLED:
        return load_apart(parts, family, dtype, more)
    vae = more.get("vae") or load_vae_part(parts["vae"], family, dtype)
    network = load_network(parts["network"], dtype)
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(**flow_scheduler(family.key, parts["network"].config))
    encoders = {name: load_encoder(part, dtype, projected=family.key == "sd3") for name, part in parts.items() if name in ("clip_l", "clip_g", "t5")}
    with tempfile.TemporaryDirectory(prefix="seisei-tokens-") as folder:
        tokens = {name: load_tokenizer(Path(folder) / name, name, parts[name]) for name in encoders}
    if family.key == "flux":
        return diffusers.FluxPipeline(scheduler, vae, encoders["clip_l"], tokens["clip_l"], encoders["t5"], tokens["t5"], network)
    return diffusers.StableDiffusion3Pipeline(network, scheduler, vae, encoders["clip_l"], tokens["clip_l"], encoders["clip_g"], tokens["clip_g"], encoders.get("t5"), tokens.get("t5"))


def load_lent(parts: dict[str, Part], family: Family, dtype: Any) -> Any:
    """A network of its own file among the parts that a folder lends."""
    folder, network = parts["vae"].path.parent, load_network(parts["network"], dtype)
    kind = getattr(diffusers, family.pipeline)
    more = {"is_distilled": family.distilled} if "is_distilled" in inspect.signature(kind.__init__).parameters else {}
    return loaded(kind, folder, transformer=network, dtype=dtype, local_files_only=True, use_safetensors=True, variant=variant_of(folder), **more)


def load_network(part: Part, dtype: Any) -> Any:
    """The transformer. GGUF weights stay quantised and are spread out layer by layer while drawing."""
    kind = getattr(diffusers, part.config["_class_name"])
    quantised = part.path.suffix.lower() == ".gguf"
    tensors = prepared(load_gguf(part.path, part.prefix, dtype) if quantised else read_tensors(part.path, part.prefix, dtype), part.config)
    more = {"quantization_config": diffusers.GGUFQuantizationConfig(compute_dtype=dtype)} if quantised else {}
    with tempfile.TemporaryDirectory(prefix="seisei-config-") as folder:
        (Path(folder) / "config.json").write_text(json.dumps(part.config), encoding="utf-8")
        return kind.from_single_file(tensors, config=folder, dtype=dtype, local_files_only=True, **more)


def load_encoder(part: Part, dtype: Any, *, projected: bool) -> Any:
    """T5's encoder, or CLIP's with or without its projection."""
    tensors = read_t5_gguf(part.path, dtype) if part.path.suffix.lower() == ".gguf" else read_tensors(part.path, part.prefix, dtype)
    if part.config["model_type"] == "t5":
        tensors = {name: tensor for name, tensor in tensors.items() if name.startswith(("encoder.", "shared."))}
        kind, config = transformers.T5EncoderModel, transformers.T5Config(**part.config)
    else:
        tensors = {name: tensor for name, tensor in tensors.items() if name.startswith(("text_model.", "text_projection.")) and "position_ids" not in name}
        kind, config = transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel, transformers.CLIPTextConfig(**part.config)
        if projected and part.config["hidden_act"] == "quick_gelu":  # Stable Diffusion 3 takes what CLIP L says as it is
            tensors["text_projection.weight"] = torch.eye(part.config["hidden_size"])
        elif not projected:
            tensors.pop("text_projection.weight", None)
    return kind.from_pretrained(None, config=config, state_dict={name: tensor.to(dtype) for name, tensor in tensors.items()}, dtype=dtype).eval()


def load_tokenizer(folder: Path, name: str, part: Part) -> Any:
    if name == "t5":
        write_t5_tokenizer(folder)
        return transformers.T5TokenizerFast.from_pretrained(folder)
    write_tokenizer(folder, part.config["max_position_embeddings"], "!" if name == "clip_g" else END)
    return transformers.CLIPTokenizer.from_pretrained(folder)


def load_vae_part(part: Part, family: Family, dtype: Any) -> Any:
    if part.path.is_dir():
        return load_vae_folder(part.path, dtype)
    return load_single_vae(part.path, family.key, dtype) if not part.config else vae_of(read_tensors(part.path, part.prefix, dtype), part.config, dtype)


def load_vae_folder(path: Path, dtype: Any) -> Any:
    """Any of diffusers' decoders, by the class that its config names."""
    name = json.loads((path / "config.json").read_text(encoding="utf-8")).get("_class_name", "AutoencoderKL")
    return getattr(diffusers, name if name.startswith("Autoencoder") else "AutoencoderKL").from_pretrained(path, dtype=dtype, local_files_only=True)


def load_single_vae(path: Path, family: str, dtype: Any) -> Any:
    """A decoder in the releases' layout or in diffusers', with or without the checkpoint's prefix; its latents are scaled as the family's."""
    shapes = read_shapes(path)
    prefix = next(prefix for prefix in DECODERS if prefix == "" or f"{prefix}decoder.conv_in.weight" in shapes)
    return vae_of(read_tensors(path, prefix, dtype), vae_config(shapes, family, prefix), dtype)


def vae_of(tensors: dict[str, Any], config: dict[str, Any], dtype: Any) -> Any:
    with tempfile.TemporaryDirectory(prefix="seisei-config-") as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf-8")
        return diffusers.AutoencoderKL.from_single_file(tensors, config=folder, dtype=dtype, local_files_only=True)
