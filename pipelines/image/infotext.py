"""The `parameters` text inside pictures that the community reads: written from our params, read from anybody's.

prompt ⏎ Negative prompt: … ⏎ Steps: 20, Sampler: …, Seed: …, Size: 512x512, … . The last line counts as settings where it has three pairs or more.
Our own files also carry the params as JSON, which is read first; the text is for others.
Source: the format as AUTOMATIC1111's users and tools know it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pipelines.image.credits import read_credits
from pipelines.image.params import ImageParams
from pipelines.image.samplers import SAMPLERS, schedule_name, split
from studio.api import BadInput

_PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
NEGATIVE = "Negative prompt:"
FEWEST = 3


def write(params: ImageParams, seed: int, *, size: tuple[int, int], model_title: str, model_hash: str = "", version: str = "", credits: dict[str, Any] | None = None) -> str:
    """For the picture of that seed; `size` is what the network drew, `credits` what else it was made with."""
    pairs: dict[str, Any] = {"Steps": params.steps, "Sampler": params.sampler, "Schedule type": params.schedule, "CFG scale": _number(params.cfg_scale), "Seed": seed, "Size": f"{size[0]}x{size[1]}"}
    pairs |= {"Model hash": model_hash[:10]} if model_hash else {}
    pairs["Model"] = model_title
    if params.vae:
        pairs["VAE"] = params.vae
    if params.variation_strength:
        pairs |= {"Variation seed": params.variation_seed, "Variation seed strength": _number(params.variation_strength)}
    if params.seed_width or params.seed_height:
        pairs["Seed resize from"] = f"{params.seed_width}x{params.seed_height}"
    if params.image or params.hires_scale > 1:
        pairs["Denoising strength"] = _number(params.denoising_strength if params.image else params.hires_strength)
    if params.clip_skip > 1:
        pairs["Clip skip"] = params.clip_skip
    if params.mask:
        pairs |= {"Mask blur": params.mask_blur, "Masked content": params.fill, "Inpaint area": "Only masked" if params.only_masked else "Whole picture"}
    if params.tiling:
        pairs["Tiling"] = True
    if params.hires_scale > 1:
        pairs |= {"Hires upscale": _number(params.hires_scale), "Hires steps": params.hires_steps or params.steps, "Hires upscaler": params.upscaler}
    if params.upscale > 1:
        pairs |= {"Postprocess upscale by": _number(params.upscale), "Postprocess upscaler": params.upscaler}
    pairs |= credits or {}
    pairs["RNG"] = "CPU"
    pairs["Version"] = version
    settings = ", ".join(f"{name}: {_quoted(value)}" for name, value in pairs.items() if value != "")
    return "\n".join([params.prompt, *([f"{NEGATIVE} {params.negative_prompt}"] if params.negative_prompt else []), settings])


def read(text: str) -> dict[str, Any]:
    """Values of ImageParams as far as they map. Raises BadInput where the text holds no settings."""
    prompt, negative, pairs = split_text(text)
    if not pairs:
        raise BadInput("This text holds no settings.", hint="Give the text that a picture carries as “parameters”.")
    values: dict[str, Any] = {"prompt": prompt, "negative_prompt": negative}
    for name, field, kind in (
        ("Steps", "steps", int), ("CFG scale", "cfg_scale", float), ("Seed", "seed", int), ("Clip skip", "clip_skip", int), ("Denoising strength", "denoising_strength", float),
        ("Variation seed", "variation_seed", int), ("Variation seed strength", "variation_strength", float), ("Mask blur", "mask_blur", int), ("Hires upscale", "hires_scale", float),
        ("Hires steps", "hires_steps", int), ("Postprocess upscale by", "upscale", float),
    ):  # fmt: skip
        if name in pairs and (value := _read(kind, pairs[name])) is not None:
            values[field] = value
    values |= _sizes(pairs) | _sampler(pairs) | read_credits(pairs)
    if pairs.get("Tiling") == "True":
        values["tiling"] = True
    if "Hires upscale" in pairs and "denoising_strength" in values:
        values["hires_strength"] = values.pop("denoising_strength")
    return values | {name: pairs[label] for name, label in (("model", "Model"), ("model_hash", "Model hash")) if label in pairs}


def split_text(text: str) -> tuple[str, str, dict[str, str]]:
    """Prompt, negative prompt, settings; a last line with fewer than three pairs belongs to the prompt."""
    lines = text.replace("\r\n", "\n").strip("\n").split("\n")
    pairs = {name: _unquoted(value) for name, value in _PAIR.findall(lines[-1])}
    if len(pairs) < FEWEST:
        pairs = {}
    else:
        lines = lines[:-1]
    whole = "\n".join(lines)
    prompt, sign, negative = whole.partition(f"\n{NEGATIVE}") if not whole.startswith(NEGATIVE) else ("", NEGATIVE, whole[len(NEGATIVE) :])
    return prompt, negative.removeprefix(" ") if sign else "", pairs


def _sizes(pairs: dict[str, str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for label, names in (("Size", ("width", "height")), ("Seed resize from", ("seed_width", "seed_height"))):
        sides = re.fullmatch(r"(-?\d+)x(-?\d+)", pairs.get(label, ""))
        if sides and int(sides[1]) > 0 and int(sides[2]) > 0:
            found |= {names[0]: int(sides[1]), names[1]: int(sides[2])}
    return found


def _sampler(pairs: dict[str, str]) -> dict[str, str]:
    if "Sampler" not in pairs:
        return {}
    name, joined = split(pairs["Sampler"])
    known = next((item.name for item in SAMPLERS if name.lower() in (item.name.lower(), *(alias.lower() for alias in item.aliases))), "")
    try:
        wanted = schedule_name(pairs.get("Schedule type") or joined or "Automatic")
    except BadInput:
        wanted = "Automatic"
    return {"sampler": known or pairs["Sampler"], "schedule": wanted}


def _read(kind: type, text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        return None


def _number(value: float) -> str:
    return f"{value:g}"


def _quoted(value: Any) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(sign in text for sign in ',:\n"') else text


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text
