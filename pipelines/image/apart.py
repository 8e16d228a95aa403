"""Networks of Stable Diffusion 1 and XL in a file of their own, GGUF above all: what they are put together with. No torch.

Sources: the layouts of the releases (`checkpoint`); the way in which community tools write such networks as GGUF (names of the releases, without a prefix; matrices and kernels
reshaped to rows of 256, with the shape that they had in the file's notes).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.image.checkpoint import UNET, VAE, Shapes, read_shapes, unet_config
from studio.api import ModelBroken, ModelEntry

if TYPE_CHECKING:
    from pipelines.image.parts import Part

FAMILIES = ("sd1", "sdxl")
NAMED = {"sd1": "a VAE (the file vae-ft-mse-840000-ema-pruned.safetensors, say)", "sdxl": "a VAE with “xl” in its name (the file sdxl_vae.safetensors, say)"}
SPREAD = "The weights of this GGUF file are spread out while they are loaded: it takes as much memory as the model that is not quantised."


def is_apart(entry: ModelEntry, family: str) -> bool:
    """Whether a single file holds the network alone. Raises ModelBroken for a damaged one."""
    if family not in FAMILIES or entry.format == "diffusers":
        return False
    return entry.format == "gguf" or not any(name.startswith((VAE, "cond_stage_model.", "conditioner.")) for name in read_shapes(Path(entry.path)))


def network_config(path: Path, family: str) -> tuple[str, dict[str, Any]]:
    """What stands before its tensors' names, and its config. Raises ModelBroken for what is no such network."""
    shapes: Shapes = read_shapes(path)
    prefix = UNET if any(name.startswith(UNET) for name in shapes) else ""
    try:
        config = unet_config(shapes if prefix else {UNET + name: shape for name, shape in shapes.items()})
    except (KeyError, IndexError, StopIteration) as error:
        hint = "Get it in the layout of the releases, or as a whole checkpoint."
        raise ModelBroken(f"“{path.name}” holds no network of Stable Diffusion in a layout that is read.", hint=hint, field="model") from error
    if config["in_channels"] != 4:
        raise ModelBroken(f"“{path.name}” holds a network for one purpose only (inpainting, or instructions).", hint="Get it as a whole checkpoint in safetensors.", field="model")
    if ("addition_embed_type" in config) != (family == "sdxl"):
        raise ModelBroken(f"“{path.name}” is not of the family that it says it is.", hint="Download it again, or choose another model.", field="model")
    return prefix, config


def fits(vae: ModelEntry, family: str) -> bool:
    """Both families' decoders look alike from outside: the name tells."""
    return ("xl" in vae.key.lower()) == (family == "sdxl")


def found_clips(clips: list[Part], config: dict[str, Any], family: str) -> dict[str, Part | None]:
    """The text encoders whose widths together are what the network reads."""
    from pipelines.image.parts import pair

    width = config["cross_attention_dim"]
    if family == "sd1":
        return {"clip_l": next((clip for clip in clips if clip.config["hidden_size"] == width and clip.config["hidden_act"] == "quick_gelu"), None)}
    low, high = pair(clips, width)
    return {"clip_l": low, "clip_g": high}
