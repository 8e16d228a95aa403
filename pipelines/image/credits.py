"""What else a picture was made with, in the words that the community's files use: hashes of LoRAs and embeddings, the refiner, ControlNet units; written and read.

Source: the formats as AUTOMATIC1111's users and its ControlNet extension know them.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.image.again import words_again
from pipelines.image.control import units
from pipelines.image.embeddings import Vocabulary
from pipelines.image.families import family_of
from pipelines.image.lookup import named
from pipelines.image.params import CONTROLS, ImageParams
from pipelines.image.prompt.grammar import networks, parse
from pipelines.image.prompt.schedule import schedule
from pipelines.image.settle import find_lora
from pipelines.image.widths import widths_of
from studio.api import Catalog, ModelEntry

SHORT = 12
MODULES = {
    "None": "none", "Canny": "canny", "Soft edges": "softedge_hed", "Scribble": "scribble_hed", "Lines": "lineart_standard (from white bg & black line)", "Depth": "depth_anything_v2",
    "Normal": "normal_midas", "Pose": "openpose", "Blur": "blur_gaussian", "Invert": "invert (from white bg & black line)", "Luminance": "luminance",
}  # fmt: skip
KINDRED = {  # how other modules' names begin, nearest first
    "scribble_xdog": "Lines", "lineart": "Lines", "scribble": "Scribble", "softedge": "Soft edges", "hed": "Soft edges", "depth": "Depth", "normal": "Normal", "openpose": "Pose", "dw_openpose": "Pose",
    "blur": "Blur", "tile_resample": "Blur",
}  # fmt: skip
FOLLOWS = "ip-adapter"
_UNIT = re.compile(r"([\w /]+): (\([^)]*\)|[^,]*)(?:, |$)")
_HASH = re.compile(r"\s*\[[0-9a-fA-F]+\]\s*$")


def write_credits(params: ImageParams, model: ModelEntry, catalog: Catalog) -> dict[str, Any]:
    """Pairs for the settings line; only what was used."""
    loras, embeddings = _read_by(params, model, catalog)
    if params.hires_scale > 1:
        again = named(params.hires_model, "image", "hires_model", catalog) if params.hires_model else model
        more = _read_by(words_again(params).model_copy(update={"steps": params.hires_steps or params.steps}), again, catalog)
        loras, embeddings = loras | more[0], embeddings | more[1]
    pairs: dict[str, Any] = {}
    if params.refiner:
        pairs |= {"Refiner": _titled(named(params.refiner, "image", "refiner", catalog)), "Refiner switch at": f"{params.refiner_switch:g}"}
    told = [_unit(MODULES[unit.process], unit.entry, unit.weight, unit.start, unit.end, params) for unit in units(params, catalog)]
    if params.reference_model:
        told.append(_unit(FOLLOWS, named(params.reference_model, "ip_adapter", "reference_model", catalog), params.reference_weight, 0.0, 1.0, params))
    pairs |= {f"ControlNet {number}": text for number, text in enumerate(told)}
    for label, hashes in (("Lora hashes", loras), ("TI hashes", embeddings)):
        if hashes:
            pairs[label] = ", ".join(f"{name}: {digest}" for name, digest in hashes.items())
    return pairs


def _read_by(params: ImageParams, model: ModelEntry, catalog: Catalog) -> tuple[dict[str, str], dict[str, str]]:
    """By their names the hashes of the LoRAs and of the embeddings in the words that a model reads."""
    family = family_of(model)
    loras = {network.name: tensor_hash(find_lora(network, family, catalog).entry) for network in networks(parse(params.prompt))}
    spans = [span for text in (params.prompt, params.negative_prompt) for span in schedule(parse(text), params.steps)]
    return loras, {found.entry.title: file_hash(found.entry) for found in Vocabulary(catalog, widths_of(model)).named(spans)} if family.weights else {}


def _unit(module: str, entry: ModelEntry, weight: float, start: float, end: float, params: ImageParams) -> str:
    resize = {"Stretch": "Just Resize", "Crop": "Crop and Resize", "Fit": "Resize and Fill"}[params.resize]
    return f"Module: {module}, Model: {_titled(entry)}, Weight: {weight:g}, Resize Mode: {resize}, Guidance Start: {start:g}, Guidance End: {end:g}, Pixel Perfect: True, Control Mode: Balanced"


def _titled(entry: ModelEntry) -> str:
    digest = str(entry.details.get("sha256", ""))[:10]
    return f"{entry.title} [{digest}]" if digest else entry.title


def read_credits(pairs: dict[str, str]) -> dict[str, Any]:
    """Values of ImageParams; pictures are not in the text, so a unit comes back without its own."""
    values: dict[str, Any] = {}
    if (name := pairs.get("Refiner", "")).lower() not in ("", "none"):
        values["refiner"] = _HASH.sub("", name)
        if (share := _number(pairs.get("Refiner switch at", ""), 0.0, 1.0)) is not None:
            values["refiner_switch"] = share
    prefixes = iter(CONTROLS)
    for label, text in pairs.items():
        if not re.fullmatch(r"ControlNet(?: \d+)?", label):
            continue
        unit = {key.strip().lower(): value.strip() for key, value in _UNIT.findall(text)}
        model, weight = _HASH.sub("", unit.get("model", "")), _number(unit.get("weight", ""), 0.0, 2.0)
        module = unit.get("module") or unit.get("preprocessor", "")
        if not model or model.lower() == "none":
            continue
        if FOLLOWS in module.lower() or FOLLOWS in model.lower():
            values |= {"reference_model": model} | ({"reference_weight": weight} if weight is not None else {})
        elif prefix := next(prefixes, ""):
            values |= _read_unit(prefix, unit, model, module, weight)
    return values


def _read_unit(prefix: str, unit: dict[str, str], model: str, module: str, weight: float | None) -> dict[str, Any]:
    both = unit.get("starting/ending", "").strip("()").split(",")
    start, end = (unit.get(key) or (both[place].strip() if len(both) == 2 else "") for place, key in enumerate(("guidance start", "guidance end")))
    process = _process(module.lower())
    found = {"model": model, "process": process, "weight": weight, "start": _number(start, 0.0, 1.0), "end": _number(end, 0.0, 1.0)}
    return {f"{prefix}_{name}": value for name, value in found.items() if value is not None}


def _process(module: str) -> str:
    """Ours that does what theirs does, or the nearest to it."""
    same = next((own for own, theirs in MODULES.items() if module.startswith(theirs.partition(" ")[0])), "")
    return same or next((own for theirs, own in KINDRED.items() if module.startswith(theirs)), "None")


def _number(text: str, low: float, high: float) -> float | None:
    try:
        return min(high, max(low, float(text)))
    except ValueError:
        return None


def tensor_hash(entry: ModelEntry) -> str:
    """Of the tensors alone, so that a changed description does not change it: as kohya's trainers and the community's lists of LoRAs reckon it."""
    return _digest(entry, True)


def file_hash(entry: ModelEntry) -> str:
    return _digest(entry, False)


def _digest(entry: ModelEntry, tensors: bool) -> str:
    """What the background has found already, else read now."""
    if known := entry.details.get("autov3" if tensors else "sha256"):
        return str(known)[:SHORT]
    about = Path(entry.path).stat()
    return _hashed(entry.path, about.st_size, about.st_mtime_ns, tensors)[:SHORT]


@lru_cache(maxsize=512)
def _hashed(path: str, size: int, changed: int, tensors: bool) -> str:
    with Path(path).open("rb") as file:
        if tensors:
            file.seek(8 + int.from_bytes(file.read(8), "little"))
        return hashlib.file_digest(file, "sha256").hexdigest()
