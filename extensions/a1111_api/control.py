"""ControlNet units as clients of sd-webui-controlnet send them in alwayson_scripts, as the control and reference fields of image.generate; and what its own routes tell.

Source: the units' fields, names of modules and answers as that extension's clients use them; no code of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from studio.api import BadInput, ModelEntry

from .asking import Asked, number, table, text, yes
from .here import HASHED, Here, find, sha256, titles

UNITS = ("control", "control2", "control3")
SCRIPT = "controlnet"
FOLLOWS = "ip-adapter"
# What our preparations are called there
OFFERED = {
    "None": "none", "Canny": "canny", "Soft edges": "softedge_hed", "Scribble": "scribble_hed", "Lines": "lineart_standard", "Depth": "depth_anything_v2", "Normal": "normal_midas", "Pose": "openpose",
    "Blur": "blur_gaussian", "Invert": "invert", "Luminance": "recolor_luminance",
}  # fmt: skip
# How other modules' names begin, and which of ours does what they do or comes nearest
KINDRED = {
    "canny": "Canny", "invert": "Invert", "luminance": "Luminance", "recolor_luminance": "Luminance", "scribble_xdog": "Lines", "lineart": "Lines", "scribble": "Scribble", "softedge": "Soft edges", "hed": "Soft edges",
    "pidinet": "Soft edges", "depth": "Depth", "normal": "Normal", "openpose": "Pose", "dw_openpose": "Pose", "blur": "Blur", "tile_resample": "Blur",
}  # fmt: skip
RESIZES = {
    "just resize": "Stretch", "crop and resize": "Crop", "resize and fill": "Fit", "0": "Stretch", "1": "Crop", "2": "Fit", "inner fit (scale to fit)": "Crop", "scale to fit (inner fit)": "Crop",
    "outer fit (shrink to fit)": "Fit", "envelope (outer fit)": "Fit",
}  # fmt: skip
# Fields that change nothing here, with the values that ask for nothing or for what is done anyway
WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "control_mode": (0, "0", "Balanced"), "mask": ("",), "mask_image": ("",), "effective_region_mask": ("",), "hr_option": ("Both", "HiResFixOption.BOTH", 0), "advanced_weighting": ([],),
    "union_control_type": ("Unknown",), "inpaint_crop_input_image": (True, False), "guessmode": (False, 0),
}  # fmt: skip
OF_CANNY: dict[str, tuple[Any, ...]] = {"threshold_a": (-1, 64, 100), "threshold_b": (-1, 64, 200)}
# The types by which its pages sort modules and models: how both names begin or what they hold
TYPES = {
    "All": "", "Canny": "canny", "Depth": "depth", "IP-Adapter": FOLLOWS, "Lineart": "lineart", "NormalMap": "normal", "OpenPose": "openpose", "Recolor": "recolor", "Scribble": "scribble", "SoftEdge": "softedge",
    "Tile": "blur",
}  # fmt: skip


@dataclass(frozen=True)
class Unit:
    """One that is on; `image` as it was sent, "" for the picture to begin from. `follows`: an IP-Adapter, whose picture is followed."""

    sent: Asked
    process: str
    model: ModelEntry
    image: str
    follows: bool


def units_of(asked: Asked, here: Here) -> list[Unit]:
    """Raises BadInput for what is no unit, and for modules and models that are not here."""
    found = [unit_of(sent, here) for sent in sent_units(asked, here) if (yes(sent, "enabled") if "enabled" in sent else True) and _asks(sent)]
    for count, most in ((sum(not unit.follows for unit in found), len(UNITS)), (sum(unit.follows for unit in found), 1)):
        if count > most:
            raise BadInput(f"{count} ControlNet units of a kind are too many; there can be {len(UNITS)} control networks and one IP-Adapter.", hint="Switch some off.", field="alwayson_scripts")
    return found


def sent_units(asked: Asked, here: Here) -> list[Asked]:
    """All of them, on or off; [] where the image pipeline has no fields for them. What is null counts as not given."""
    if "control_model" not in here.fields:
        return []
    about = next((value for name, value in table(asked, "alwayson_scripts").items() if name.lower() == SCRIPT), {})
    listed = about.get("args") if isinstance(about, dict) else about
    if listed and not (isinstance(listed, list) and all(isinstance(unit, dict) for unit in listed)):
        raise BadInput("alwayson_scripts.controlnet.args must be a list of units.", field="alwayson_scripts")
    return [{name: value for name, value in unit.items() if value is not None} for unit in listed or []]


def _asks(sent: Asked) -> bool:
    """A unit with neither model nor module asks for nothing."""
    return any(text(sent, name).lower() not in ("", "none") for name in ("model", "module"))


def unit_of(sent: Asked, here: Here) -> Unit:
    name, module = text(sent, "model"), text(sent, "module")
    follows = FOLLOWS in module.lower() or (FOLLOWS in name.lower() and find(name, here.controls) is None)
    if name.lower() in ("", "none"):
        raise BadInput(f"The ControlNet unit with the module “{module}” has no model.", hint="Choose one of /controlnet/model_list, or switch the unit off.", field="alwayson_scripts")
    entry = find(name, here.references if follows else here.controls)
    if entry is None:
        raise BadInput(f"The ControlNet model “{name}” is not on this computer.", hint="Choose one of /controlnet/model_list.", field="alwayson_scripts")
    return Unit(sent, "None" if follows else process_of(module, here), entry, picture_of(sent), follows)


def process_of(module: str, here: Here) -> str:
    """Our preparation for a module's name. Raises BadInput where there is none."""
    wanted = module.lower().partition(" (")[0].strip()
    if wanted in ("", "none"):
        return "None"
    found = next((ours for ours, theirs in OFFERED.items() if wanted == theirs), "") or next((ours for theirs, ours in KINDRED.items() if wanted.startswith(theirs)), "")
    if found not in here.processes:
        raise BadInput(f"The ControlNet module “{module}” is not here.", hint=f"Use one of: {', '.join(modules(here))}.", field="alwayson_scripts")
    return found


def picture_of(sent: Asked) -> str:
    """Newer clients send image, older ones input_image; as base64, or with its mask beside it."""
    value = next((sent[name] for name in ("image", "input_image") if sent.get(name)), "")
    if isinstance(value, list):
        value = value[0] if value else ""
    value = value.get("image") or "" if isinstance(value, dict) else value
    if not isinstance(value, str):
        raise BadInput("Invalid encoded image.", hint="Send it as base64.", field="image")
    return value


def control_values(units: list[Unit], keep: Callable[[str], str]) -> dict[str, Any]:
    """Of image.generate; `keep` takes a picture in and gives its key."""
    found: dict[str, Any] = {}
    prefixes = iter(UNITS)
    for unit in units:
        image = keep(unit.image) if unit.image else ""
        if unit.follows:
            found |= {"reference_model": unit.model.key, "reference_image": image, "reference_weight": number({"weight": 1.0} | unit.sent, "weight")}
            continue
        ends = {"weight": 1.0, "guidance_start": 0.0, "guidance_end": unit.sent.get("guidance", 1.0)} | unit.sent
        about = {"model": unit.model.key, "image": image, "process": unit.process, "weight": number(ends, "weight"), "start": number(ends, "guidance_start"), "end": number(ends, "guidance_end")}
        found |= {f"{prefix}_{name}": value for prefix in (next(prefixes),) for name, value in about.items()}
    return found


def control_resize(units: list[Unit]) -> str:
    """How their pictures are brought to the size where there is no picture to begin from: as the first of them wants it."""
    return next((RESIZES.get(str(unit.sent.get("resize_mode", "")).lower(), "Crop") for unit in units), "Crop")


def control_ignored(units: list[Unit], resize: str) -> list[str]:
    """Names of what was asked of the units and has no effect; `resize` is how all pictures are brought to the size."""
    found: list[str] = []
    for unit in units:
        nothing = WITHOUT_EFFECT | (OF_CANNY if unit.process == "Canny" else {})
        found += [name for name, values in nothing.items() if name in unit.sent and unit.sent[name] not in values]
        if isinstance(unit.sent.get("image"), dict) and unit.sent["image"].get("mask"):
            found.append("image.mask")
        if "resize_mode" in unit.sent and control_resize([unit]) != resize and unit.image:
            found.append("resize_mode")
        if unit.follows:
            found += [name for name, usual in (("guidance_start", 0), ("guidance_end", 1)) if unit.sent.get(name, usual) != usual]
    return [f"alwayson_scripts.{SCRIPT}.{name}" for name in dict.fromkeys(found)]


def modules(here: Here) -> list[str]:
    return [OFFERED[ours] for ours in here.processes if ours in OFFERED]


def models(here: Here) -> list[str]:
    """As “name [hash]”, by which they are found again."""
    return [f"{title} [{sha256(entry)[:8]}]" if sha256(entry) else title for entries in (here.controls, here.references) for title, entry in titles(entries).items()]


def control_types(here: Here) -> dict[str, Any]:
    """Those that there is a module or a model for."""
    found = {}
    for title, word in TYPES.items():
        named = [name for name in modules(here) if name == "none" or word in name]
        fitting = [name for name in models(here) if word in HASHED.sub(r"\1", name).lower()]
        if not word or len(named) > 1 or fitting:
            found[title] = {"module_list": named, "model_list": ["None", *fitting], "default_option": named[1] if word and len(named) > 1 else "none", "default_model": fitting[0] if word and fitting else "None"}
    return found
