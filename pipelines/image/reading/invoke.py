"""InvokeAI: the JSON in the PNG text "invokeai_metadata" (version 3 and later), and the older "sd-metadata".

Source: the metadata that InvokeAI's documentation and its own viewer show.
"""

from __future__ import annotations

from typing import Any

from pipelines.image.reading.values import entries, kept, number, text, whole
from pipelines.image.samplers import recognise

TAKEN = {
    "app_version", "generation_mode", "positive_prompt", "negative_prompt", "width", "height", "seed", "rand_device", "cfg_scale", "cfg_rescale_multiplier", "steps", "scheduler", "clip_skip", "model", "vae", "loras",
    "strength", "init_image", "seamless_x", "seamless_y", "positive_style_prompt", "negative_style_prompt", "canvas_v2_metadata", "refiner_model", "refiner_start",
    "guidance", "qwen3_encoder", "t5_encoder", "clip_embed_model",
}  # fmt: skip


def read(about: dict[str, Any]) -> dict[str, Any]:
    """Values of ImageParams; what has no field here under its own name."""
    skip = whole(about.get("clip_skip"))
    values = kept(
        prompt=text(about.get("positive_prompt")), negative_prompt=text(about.get("negative_prompt")), width=whole(about.get("width")), height=whole(about.get("height")),
        seed=whole(about.get("seed")), steps=whole(about.get("steps")), cfg_scale=number(about.get("cfg_scale", about.get("guidance"))),
        guidance_rescale=number(about.get("cfg_rescale_multiplier")), clip_skip=None if skip is None else skip + 1,
        model=_named(about.get("model")), vae=_named(about.get("vae")), denoising_strength=number(about.get("strength")),
    )  # fmt: skip
    if refiner := _named(about.get("refiner_model")):
        values |= {"refiner": refiner} | kept(refiner_switch=number(about.get("refiner_start")))
    if about.get("seamless_x") and about.get("seamless_y"):
        values["tiling"] = True
    values |= _sampler(text(about.get("scheduler")))
    loras = [f"<lora:{_named(lora.get('model', lora.get('lora')))}:{number(lora.get('weight')) or 0:g}>" for lora in entries(about.get("loras"))]
    if loras:
        values["prompt"] = " ".join([values.get("prompt", ""), *loras]).strip()
    off = () if about.get("hrf_enabled") else ("hrf_strength", "hrf_method")
    left = {name: value for name, value in about.items() if name not in (*TAKEN, *off) and value not in (None, "", [], {}, False)}
    return {"prompt": "", "negative_prompt": ""} | values | left


def read_old(about: dict[str, Any]) -> dict[str, Any]:
    """{"model_weights": …, "image": {"prompt": [{"prompt": …, "weight": 1}], "steps": …, "cfg_scale": …, "sampler": "k_euler", …}}; words in [ ] are unwanted there."""
    image = about.get("image")
    image = image if isinstance(image, dict) else {}
    told = image.get("prompt")
    prompt = text(told) or " ".join(text(part.get("prompt")) for part in entries(told))
    values = kept(
        width=whole(image.get("width")), height=whole(image.get("height")), seed=whole(image.get("seed")), steps=whole(image.get("steps")), cfg_scale=number(image.get("cfg_scale")),
        denoising_strength=number(image.get("strength")), model=text(about.get("model_weights")), model_hash=text(about.get("model_hash")),
    )  # fmt: skip
    wanted, unwanted = _unwanted(prompt)
    return {"prompt": wanted, "negative_prompt": unwanted} | values | _sampler(text(image.get("sampler")))


def _unwanted(prompt: str) -> tuple[str, str]:
    """Old InvokeAI wrote the negative prompt in square brackets."""
    wanted, unwanted, depth = "", [], 0
    for sign in prompt:
        if sign == "[":
            unwanted += [""] if not depth else []
            depth += 1
        elif sign == "]" and depth:
            depth -= 1
        elif depth:
            unwanted[-1] += sign
        else:
            wanted += sign
    return " ".join(wanted.split()), ", ".join(unwanted)


def _named(value: Any) -> str:
    """A model's name, however its reference is written."""
    if isinstance(value, dict):
        return text(value.get("name")) or text(value.get("model_name")) or text(value.get("key"))
    return text(value)


def _sampler(name: str) -> dict[str, str]:
    if not name:
        return {}
    karras = name.endswith("_k")
    sampler, schedule, unknown = recognise(name.removesuffix("_k"), "Karras" if karras else "")
    return {"sampler": sampler, "schedule": schedule} | unknown
