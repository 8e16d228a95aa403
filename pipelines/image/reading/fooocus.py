"""Fooocus: the JSON in the PNG text "parameters" (its scheme "fooocus").

Source: the metadata that Fooocus's documentation shows.
"""

from __future__ import annotations

import re
from typing import Any

from pipelines.image.reading.values import kept, number, stem, text, whole
from pipelines.image.samplers import recognise

TAKEN = {
    "prompt", "negative_prompt", "full_prompt", "full_negative_prompt", "resolution", "seed", "steps", "guidance_scale", "sampler", "scheduler", "base_model",
    "base_model_hash", "vae", "clip_skip", "version", "metadata_scheme", "created_by", "refiner_model", "refiner_switch",
}  # fmt: skip


def is_own(about: dict[str, Any]) -> bool:
    return "guidance_scale" in about and "base_model" in about


def read(about: dict[str, Any]) -> dict[str, Any]:
    """The whole prompts, styles included; LoRAs behind them; what has no field here under its own name."""
    sides = re.findall(r"\d+", str(about.get("resolution", "")))[:2]
    loras = [value for name, value in about.items() if name.startswith("lora_combined_") and isinstance(value, str)]
    tags = [f"<lora:{stem(name.strip())}:{weight.strip()}>" for name, _, weight in (lora.rpartition(":") for lora in loras)]
    values = kept(
        prompt=" ".join([_whole(about, "prompt"), *tags]).strip(), negative_prompt=_whole(about, "negative_prompt"),
        width=int(sides[0]) if len(sides) == 2 else None, height=int(sides[1]) if len(sides) == 2 else None, seed=whole(about.get("seed")), steps=whole(about.get("steps")), cfg_scale=number(about.get("guidance_scale")),
        model=text(about.get("base_model")), model_hash=text(about.get("base_model_hash")), clip_skip=whole(about.get("clip_skip")),
    )  # fmt: skip
    if (vae := text(about.get("vae"))) and vae.lower() != "default (model)":
        values["vae"] = vae
    if (refiner := text(about.get("refiner_model"))) and refiner.lower() != "none":
        values |= {"refiner": refiner} | kept(refiner_switch=number(about.get("refiner_switch")))
    sampler, schedule, unknown = recognise(text(about.get("sampler")) or "Automatic", text(about.get("scheduler")))
    left = {name: value for name, value in about.items() if name not in TAKEN and not name.startswith("lora") and value not in (None, "", [], {}, False)}
    return {"prompt": "", "negative_prompt": ""} | values | {"sampler": sampler, "schedule": schedule} | unknown | left


def _whole(about: dict[str, Any], name: str) -> str:
    """With its styles, which are a list of texts; else what was typed."""
    full = about.get(f"full_{name}")
    if isinstance(full, list) and full:
        return ", ".join(dict.fromkeys(text(part) for part in full if text(part)))
    return text(about.get(name))
