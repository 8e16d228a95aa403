"""What the families of image models are and want: size, steps, sampler, guidance. Read from headers; no torch.

Sources: the model cards of Stable Diffusion 1.5, 2.1, XL, 3.5, FLUX.1 dev and schnell, SDXL Turbo, LCM.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.image.samplers import Kind
from studio.api import ModelEntry


@dataclass(frozen=True)
class Family:
    """`size` is the side that the model was made for, in pixels; `factor` is pixels per latent; `weights` says whether its encoder takes weighted words."""

    key: str
    title: str
    size: int
    steps: int
    cfg_scale: float
    sampler: str
    schedule: str = "Automatic"
    factor: int = 8
    kind: Kind = "noise"
    weights: bool = True
    negative: bool = True
    upscale: float = 1.0  # how much the finished picture is enlarged unless the user says otherwise
    activation: float = 1.0  # working bytes, in units of Stable Diffusion 1.5 at the same size


FAMILIES = {
    family.key: family
    for family in (
        Family("sd1", "Stable Diffusion 1", 512, 20, 7.0, "DPM++ 2M"),
        Family("sd2", "Stable Diffusion 2", 768, 20, 7.0, "DPM++ 2M"),
        Family("sdxl", "Stable Diffusion XL", 1024, 25, 6.0, "DPM++ 2M", activation=1.2),
        Family("sdxl_refiner", "Stable Diffusion XL refiner", 1024, 25, 6.0, "DPM++ 2M", activation=1.2),
        Family("sd3", "Stable Diffusion 3", 1024, 28, 4.5, "Flow Euler", kind="flow", weights=False, activation=2.0),
        Family("flux", "FLUX", 1024, 28, 3.5, "Flow Euler", kind="flow", weights=False, negative=False, activation=2.6),
        Family("tiny", "Stickers", 128, 20, 4.0, "DPM++ 2M", "SGM Uniform", upscale=4.0),
        Family("other", "Other", 1024, 28, 4.5, "Flow Euler", kind="flow", weights=False, activation=2.6),
    )
}
CLASSES = {
    "StableDiffusionPipeline": "sd1", "StableDiffusionImg2ImgPipeline": "sd1", "StableDiffusionInpaintPipeline": "sd1", "LatentConsistencyModelPipeline": "sd1",
    "StableDiffusionXLPipeline": "sdxl", "StableDiffusionXLImg2ImgPipeline": "sdxl", "StableDiffusionXLInpaintPipeline": "sdxl",
    "StableDiffusion3Pipeline": "sd3", "FluxPipeline": "flux",
}  # fmt: skip
FAST = (("lightning", 4, 1.0), ("turbo", 4, 1.0), ("lcm", 6, 1.5), ("hyper", 8, 1.0), ("schnell", 4, 1.0))


def family_of(entry: ModelEntry) -> Family:
    """The family with this model's own size, and the few steps of the distilled ones by their names."""
    if entry.format == "diffusers":
        family = _folder_family(entry.path, Path(entry.path, "model_index.json").stat().st_mtime_ns)
    else:
        family = FAMILIES.get(entry.architecture, FAMILIES["other"])
    for word, steps, cfg_scale in FAST:
        if word in entry.key.lower():
            sampler = "LCM" if word == "lcm" and family.kind == "noise" else "Euler" if family.kind == "noise" else family.sampler
            schedule = "SGM Uniform" if sampler == "Euler" else "Automatic"
            return replace(family, steps=steps, cfg_scale=cfg_scale, sampler=sampler, schedule=schedule)
    return family


@lru_cache(maxsize=256)
def _folder_family(path: str, changed: int) -> Family:
    folder = Path(path)
    index = _json(folder / "model_index.json")
    family = FAMILIES[CLASSES.get(str(index.get("_class_name", "")), "other")]
    network = _json(folder / "unet" / "config.json") or _json(folder / "transformer" / "config.json")
    decoder = _json(folder / "vae" / "config.json")
    channels = decoder.get("block_out_channels") or decoder.get("encoder_block_out_channels") or ()
    factor = 2 ** (len(channels) - 1) if channels else family.factor
    side = network.get("sample_size")
    if family.key == "sd1" and network.get("cross_attention_dim") == 1024:
        family = FAMILIES["sd2"]
    if family.key == "sdxl" and not any(index.get("text_encoder") or ()):
        family = FAMILIES["sdxl_refiner"]
    size = int(side) * factor if isinstance(side, int) and side * factor >= 32 else family.size
    if size <= 256 and family.key in ("sd1", "sd2"):
        family = FAMILIES["tiny"]
    return replace(family, factor=factor, size=size)


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
