"""The `parameters` text inside pictures that the community reads: written from our params, read from anybody's.

prompt ⏎ Negative prompt: … ⏎ Steps: 20, Sampler: …, Seed: …, Size: 512x512, … . The last line with three pairs or more holds the settings.
Our own files also carry the params as JSON, which is read first; the text is for others.
Source: the format as AUTOMATIC1111's, Forge's and SD.Next's users and tools know it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pipelines.image.credits import read_credits
from pipelines.image.params import FREEU, ImageParams
from pipelines.image.samplers import AUTOMATIC, SAMPLERS, recognise
from studio.api import BadInput

_NAME = re.compile(r"\s*(\w[\w \-/]*):\s*")
_QUOTED = re.compile(r'"(?:\\.|[^\\"])*"')
NEGATIVE = "Negative prompt:"
LETTERS = "Prompt letters"  # how long the prompt is, where its own lines look like what follows it
FEWEST = 3
Table = tuple[tuple[str, str, type], ...]
ALWAYS: Table = (("Steps", "steps", int), ("CFG scale", "cfg_scale", float))
WHERE_SET: Table = (
    ("Conventions", "conventions", str), ("ENSD", "eta_seed_delta", int), ("Discard penultimate sigma", "discard_next_to_last_sigma", bool), ("Emphasis", "emphasis", str),
    ("CFG rescale", "guidance_rescale", float), ("PAG scale", "pag_scale", float),
    ("Image CFG scale", "image_cfg_scale", float), ("VAE", "vae", str), ("Variation seed", "variation_seed", int), ("Variation seed strength", "variation_strength", float),
    ("Clip skip", "clip_skip", int), ("Tiling", "tiling", bool), ("Layers", "layers", int),
    ("Hires upscale", "hires_scale", float), ("Hires steps", "hires_steps", int), ("Postprocess upscale by", "upscale", float),
    ("Extend left", "extend_left", int), ("Extend right", "extend_right", int), ("Extend up", "extend_top", int), ("Extend down", "extend_bottom", int),
)  # fmt: skip
WITH_PICTURE: Table = (("Denoising strength", "denoising_strength", float), ("Resize mode", "resize", str))
WITH_HIRES: Table = (
    ("Hires prompt", "hires_prompt", str), ("Hires negative prompt", "hires_negative_prompt", str), ("Hires sampler", "hires_sampler", str), ("Hires schedule type", "hires_schedule", str),
    ("Hires checkpoint", "hires_model", str),
)  # fmt: skip
WITH_MASK: Table = (("Mask blur", "mask_blur", int), ("Masked area padding", "padding", int))
ALL: Table = (*ALWAYS, ("Seed", "seed", int), *WHERE_SET, *((name, name, float) for name in FREEU), *WITH_PICTURE, *WITH_MASK, ("Hires denoising strength", "hires_strength", float))
# Other programs' names of the same fields, and how they say that they are off
ALIASES = {
    "Variation strength": "Variation seed strength", "Sampler ENSD": "ENSD", "Sampler eta delta": "ENSD", "Sampler sigma": "Schedule type", "Scheduler": "Schedule type",
    "Refiner start": "Refiner switch at", "pagi_scale": "PAG scale", "Hires scale": "Hires upscale", "Hires strength": "Hires denoising strength", "Hires fixed": "Hires resize",
}  # fmt: skip
SWITCHES: dict[tuple[str, ...], tuple[str, ...]] = {("PAG scale",): ("PAG Active", "pagi_enabled"), FREEU: ("freeu_enabled",)}
FREEU_PAIR = re.compile(r"\b([bs][12])=([0-9.]+)")  # SD.Next: all four scales in one
# What they say beside them where nothing is asked for that is not done here
UNTOUCHED = {
    "pagi_attenuation": (0.0,), "pagi_start_step": (0.0,), "pagi_end_step": (1.0,), "pagi_apply_to": ("Both",), "PAG Start Step": (0.0,), "PAG End Step": (150.0, 2048.0), "PAG SANF": ("False",), "PAG adaptive": (0.0,),
    "freeu_start": (0.0,), "freeu_end": (1.0,), "Hires resize": ("0x0",), "Hires force": ("False",),
}  # fmt: skip
CHOICES: dict[str, tuple[str, dict[str, Any]]] = {
    "Mask mode": ("invert_mask", {"Inpaint masked": False, "Inpaint not masked": True}), "Inpaint area": ("only_masked", {"Whole picture": False, "Only masked": True}),
    "Masked content": ("fill", {"original": "Original", "fill": "Blurred", "latent noise": "Noise", "latent nothing": "Empty"}),
}  # fmt: skip
HASHED = re.compile(r"\s*\[[0-9a-fA-F]+\]\s*$")
SIDES = {"Size": ("width", "height"), "Seed resize from": ("seed_width", "seed_height"), "Hires resize": ("hires_width", "hires_height")}
UPSCALERS = ("Hires upscaler", "Postprocess upscaler")
OTHER_WORDS = {"Just resize": "Stretch", "Crop and resize": "Crop", "Resize and fill": "Fit"}
# What needs no telling: it is used in another way, or says nothing about the picture
PASSED_OVER = {
    "Sampler", "Schedule type", "Model", "Model hash", "VAE hash", "Version", "App", "Template", "Negative Template", "Lora hashes", "TI hashes", "Hashes", "Civitai resources", "Backend", "Pipeline", "Operations",
    "Parser", "Created", "Batch", "Index", "Time", "RNG", "Second pass", "Refine", "Hires size", "Refiner hash", "Raw prompt", "Raw negative prompt", LETTERS,
}  # fmt: skip


def write(
    params: ImageParams, seed: int, *, size: tuple[int, int], model_title: str, model_hash: str = "", version: str = "", written: ImageParams | None = None, credits: dict[str, Any] | None = None
) -> str:
    """For the picture of that seed; `size` is what the network drew, `written` holds the prompts before choices and wildcards were expanded, `credits` what else it was made with."""
    pairs: dict[str, Any] = {"Steps": params.steps, "Sampler": params.sampler, "Schedule type": params.schedule, "CFG scale": params.cfg_scale, "Seed": seed, "Size": f"{size[0]}x{size[1]}"}
    pairs |= {"Model hash": model_hash[:10]} if model_hash else {}
    pairs["Model"] = model_title
    pairs |= {label: getattr(params, field) for label, field, _ in WHERE_SET if getattr(params, field) != ImageParams.model_fields[field].default and (field != "upscale" or params.upscale > 1)}
    pairs |= {"freeu_enabled": True} | {name: getattr(params, name) for name in FREEU} if params.freeu else {}
    if params.seed_width or params.seed_height:
        pairs["Seed resize from"] = f"{params.seed_width}x{params.seed_height}"
    if params.image:
        pairs |= {label: getattr(params, field) for label, field, _ in WITH_PICTURE}
    if params.hires_scale > 1:
        pairs["Hires denoising strength" if params.image else "Denoising strength"] = params.hires_strength
        pairs |= {label: value for label, field, _ in WITH_HIRES if (value := getattr(params, field)) not in ("", AUTOMATIC)}
    if params.hires_width or params.hires_height:
        pairs["Hires resize"] = f"{params.hires_width}x{params.hires_height}"
    if params.mask:
        pairs |= {label: getattr(params, field) for label, field, _ in WITH_MASK}
        pairs |= {label: next(theirs for theirs, ours in words.items() if ours == getattr(params, field)) for label, (field, words) in CHOICES.items()}
    pairs |= {label: params.upscaler for label, on in zip(UPSCALERS, (params.hires_scale > 1, params.upscale > 1), strict=True) if on}
    for label, field in (("Template", "prompt"), ("Negative Template", "negative_prompt")):
        if written and getattr(written, field) != getattr(params, field):
            pairs[label] = getattr(written, field)
    pairs |= credits or {}
    pairs |= {"RNG": params.noise_source, "Version": version}
    return _joined(params.prompt, params.negative_prompt, pairs)


def enlarged_later(text: str, scale: float, upscaler: str) -> str:
    """A picture's text once it was enlarged by itself, as AUTOMATIC1111's last stage is written; nothing where it has none."""
    return f"{text}, Postprocess upscale by: {scale:g}, Postprocess upscaler: {_quoted(upscaler)}" if text else ""


def _joined(prompt: str, negative: str, pairs: dict[str, Any]) -> str:
    """The text; where it would be read back differently, with the prompt's length."""

    def text(pairs: dict[str, Any]) -> str:
        settings = ", ".join(f"{name}: {_quoted(value)}" for name, value in pairs.items() if value != "")
        return "\n".join([prompt, *([f"{NEGATIVE} {negative}"] if negative else []), settings])

    told = text(pairs)
    return told if split_text(told)[:2] == (prompt, negative) else text(pairs | {LETTERS: len(prompt)})


def read(text: str) -> dict[str, Any]:
    """Values of ImageParams as far as they map; what has no field here under its own label. Raises BadInput where the text holds no settings."""
    prompt, negative, pairs = split_text(text)
    if not pairs:
        raise BadInput("This text holds no settings.", hint="Give the text that a picture carries as “parameters”.")
    pairs = _renamed(pairs)
    left = {label: value for label, value in pairs.items() if label not in PASSED_OVER}
    values: dict[str, Any] = {"prompt": " ".join([prompt, *_loras(left.pop("Lora weights", ""))]), "negative_prompt": negative}
    for label, field, kind in ALL:
        if label in pairs and (value := _read(kind, pairs[label])) is not None:
            values[field] = value
            left.pop(label, None)
    for label, (field, words) in CHOICES.items():
        if pairs.get(label) in words:
            values[field] = words[left.pop(label)]
    values |= _sizes(pairs, left) | _sampler(pairs, left) | _upscaler(pairs, left) | _hires(pairs, left)
    values |= _conventions(pairs, values) | _credits(pairs, left) | _distilled(pairs, left)
    if {"hires_scale", "hires_width", "hires_height"} & set(values) and "hires_strength" not in values and "denoising_strength" in values:
        values["hires_strength"] = values.pop("denoising_strength")
    return values | {name: pairs[label] for name, label in (("model", "Model"), ("model_hash", "Model hash")) if label in pairs} | left


def _loras(weights: str) -> list[str]:
    """As the prompt language writes them: Fooocus names them beside its prompt, "one: 0.1, other: 0.5"."""
    return [f"<lora:{name.strip()}:{weight.strip()}>" for name, _, weight in (part.rpartition(":") for part in weights.split(",")) if _read(float, weight) is not None and not set(":<>") & set(name)]


def _renamed(pairs: dict[str, str]) -> dict[str, str]:
    """By our labels, whichever letters are large; without fields that are off, and without what asks for nothing."""
    labels = {label.lower(): label for label, *_ in (*ALL, *WITH_HIRES)} | {theirs.lower(): ours for theirs, ours in ALIASES.items()}
    found: dict[str, str] = {}
    for label, value in pairs.items():
        if _number_or_word(value) not in UNTOUCHED.get(label, ()):
            found.setdefault(labels.get(label.lower(), label), value)
    found |= {f"freeu_{part}": value for part, value in FREEU_PAIR.findall(found.pop("FreeU", ""))}
    for own, switches in SWITCHES.items():
        told = [found.pop(switch) for switch in switches if switch in found]
        if "False" in told:
            found = {label: value for label, value in found.items() if label not in own}
    return found


def _number_or_word(text: str) -> float | str:
    value = _read(float, text)
    return text if value is None else float(value)


def _distilled(pairs: dict[str, str], left: dict[str, str]) -> dict[str, float]:
    """Forge's second scale, of models that were taught their guidance: here it is their CFG scale, unless the first one guided too."""
    distilled, scale = _read(float, pairs.get("Distilled CFG Scale", "")), _read(float, pairs.get("CFG scale", ""))
    if distilled is None or scale is None or scale > 1:
        return {}
    left.pop("Distilled CFG Scale")
    return {"cfg_scale": distilled}


def split_text(text: str) -> tuple[str, str, dict[str, str]]:
    """Prompt, negative prompt, settings. What follows the settings' line (a template, say) is left out."""
    lines = text.split("\n")
    number = _settings_line(lines)
    pairs = dict(read_pairs(lines[number])) if number >= 0 else {}
    whole = "\n".join(lines[:number] if number >= 0 else lines)
    told = pairs.get(LETTERS, "")
    if re.fullmatch(r"[0-9]{1,7}", told) and int(told) <= len(whole):
        rest = whole[int(told) :].removeprefix("\n")
        return whole[: int(told)], rest.removeprefix(NEGATIVE).removeprefix(" "), pairs
    whole = whole.replace("\r\n", "\n").strip("\n")
    prompt, sign, negative = whole.partition(f"\n{NEGATIVE}") if not whole.startswith(NEGATIVE) else ("", NEGATIVE, whole[len(NEGATIVE) :])
    return prompt, negative.removeprefix(" ") if sign else "", pairs


def _settings_line(lines: list[str]) -> int:
    """The last line that begins with the steps; else the last one of all, where it holds enough pairs; else -1."""
    last = max((number for number, line in enumerate(lines) if line.strip()), default=-1)
    for number in range(last, -1, -1):
        if (number == last or lines[number].startswith("Steps: ")) and len(read_pairs(lines[number])) >= FEWEST:
            return number
    return -1


def read_pairs(line: str) -> list[tuple[str, str]]:
    """`name: value` between commas; values may be quoted, or JSON."""
    found, place = [], 0
    while name := _NAME.match(line, place):
        value, place = _value(line, name.end())
        found.append((name[1], value))
        comma = line.find(",", place)
        if comma < 0:
            break
        place = comma + 1
    return found


def _value(line: str, place: int) -> tuple[str, int]:
    """A value and where it ends."""
    if quoted := _QUOTED.match(line, place):
        return _unquoted(quoted.group()), quoted.end()
    if line[place : place + 1] in ("{", "["):
        try:
            return line[place : (end := json.JSONDecoder().raw_decode(line, place)[1])], end
        except (ValueError, RecursionError):
            pass
    end = line.find(",", place)
    end = len(line) if end < 0 else end
    return line[place:end].rstrip(), end


def _sizes(pairs: dict[str, str], left: dict[str, str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for label, names in SIDES.items():
        sides = re.fullmatch(r"(-?\d{1,6})x(-?\d{1,6})", pairs.get(label, ""))
        if sides:
            left.pop(label, None)
            found |= {name: int(side) for name, side in zip(names, sides.groups(), strict=True) if int(side) > 0}
    return found


def _sampler(pairs: dict[str, str], left: dict[str, str]) -> dict[str, str]:
    """Names that are not known here are left to the user."""
    if "Sampler" not in pairs:
        return {}
    sampler, schedule, unknown = recognise(pairs["Sampler"], pairs.get("Schedule type", ""))
    left |= unknown
    return {"sampler": sampler, "schedule": schedule}


def _hires(pairs: dict[str, str], left: dict[str, str]) -> dict[str, str]:
    """Words, sampler and model of the second pass; names that are not known here are left to the user."""
    found: dict[str, str] = {field: pairs[label] for label, field, _ in WITH_HIRES[:2] if label in pairs}
    if name := pairs.get("Hires checkpoint"):
        found["hires_model"] = HASHED.sub("", name)
    for label, _, _ in WITH_HIRES:
        left.pop(label, None)
    sampler, schedule, unknown = recognise(pairs.get("Hires sampler", "Euler"), pairs.get("Hires schedule type", ""))
    known = {"hires_sampler": sampler if "Hires sampler" in pairs else AUTOMATIC, "hires_schedule": schedule}
    left |= {f"Hires {label.lower()}": value for label, value in unknown.items()}
    return found | {field: value for field, value in known.items() if value != AUTOMATIC}


def _conventions(pairs: dict[str, str], values: dict[str, Any]) -> dict[str, str]:
    """AUTOMATIC1111 and Forge name their version v… or f…, older ones none; without a word about it their noise is the GPU's."""
    sampler = next((item for item in SAMPLERS if item.name == values.get("sampler")), None)
    if sampler is None or not sampler.tabled or "App" in pairs or "Distilled CFG Scale" in pairs or pairs.get("Version", "v")[:1] not in ("v", "f"):
        return {"noise_source": "NV"} if pairs.get("RNG") in ("NV", "GPU") else {}
    return {"conventions": "AUTOMATIC1111", "noise_source": "CPU" if pairs.get("RNG") == "CPU" else "NV"}


def _credits(pairs: dict[str, str], left: dict[str, str]) -> dict[str, Any]:
    """Second model, control units and reference picture; a unit that names no model is nothing that was left out."""
    found = read_credits(pairs)
    for label in [label for label in left if label in ("Refiner", "Refiner switch at") or label.startswith("ControlNet")]:
        left.pop(label)
    return found


def _upscaler(pairs: dict[str, str], left: dict[str, str]) -> dict[str, str]:
    """Its name as it stands there; which upscaler here that is, the catalogue tells."""
    found: dict[str, str] = {}
    for label in UPSCALERS:
        if name := pairs.get(label, ""):
            left.pop(label, None)
            found.setdefault("upscaler", name)
    return found


def _read(kind: type, text: str) -> Any:
    """None for what is not of the kind; whole numbers may be written with a point."""
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower())
    if kind is str:
        return OTHER_WORDS.get(text, text)
    try:
        value = float(text)
        return (int(text) if text.lstrip("-").isdigit() else int(value) if value == int(value) else None) if kind is int else value
    except (ValueError, OverflowError):
        return None


def _quoted(value: Any) -> str:
    if isinstance(value, float):
        return str(int(value)) if value == int(value) else repr(value)
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if text != text.strip() or any(sign in ',:"' or not sign.isprintable() for sign in text) or text[:1] in ("{", "[") else text


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return text
