"""Reading another studio's folder: models, styles, characters, presets, chats and past outputs. Nothing in it is changed.

Layouts as their documentation gives them: AUTOMATIC1111 and Forge, ComfyUI (with extra_model_paths.yaml), text-generation-webui.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from studio.errors import BadInput

Kind = Literal["AUTOMATIC1111", "ComfyUI", "text-generation-webui"]
MAX_OUTPUTS = 100_000
MAX_TEXT_BYTES = 8 * 2**20
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
SAMPLERS = {
    "temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "min_p": "min_p", "typical_p": "typical_p", "top_n_sigma": "top_n_sigma",
    "repetition_penalty": "repetition_penalty", "repetition_penalty_range": "repetition_last_n", "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty", "dry_multiplier": "dry_multiplier", "dry_base": "dry_base", "dry_allowed_length": "dry_allowed_length",
    "xtc_probability": "xtc_probability", "xtc_threshold": "xtc_threshold", "mirostat_mode": "mirostat_mode", "mirostat_tau": "mirostat_tau",
    "mirostat_eta": "mirostat_eta", "dynatemp_exponent": "dynatemp_exponent",
}  # fmt: skip


@dataclass(frozen=True)
class Style:
    """One row of styles.csv; {prompt} in a text stands for the user's own."""

    name: str
    prompt: str
    negative_prompt: str


@dataclass
class OldStudio:
    """What `look` found. `problems` are sentences about what could not be read."""

    kind: Kind
    folder: Path
    models: list[Path] = field(default_factory=list)
    styles: list[Style] = field(default_factory=list)
    characters: list[Path] = field(default_factory=list)
    presets: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def look(folder: Path) -> OldStudio:
    """Raises BadInput where there is no such folder, or it is none of the known studios."""
    folder = folder.expanduser()
    if not folder.is_dir():
        raise BadInput("There is no such folder on this computer.", hint="Give the full path of the other studio's folder.", field="folder")
    kind = kind_of(folder)
    old = OldStudio(kind, folder)
    readers = {"AUTOMATIC1111": _webui, "ComfyUI": _comfy, "text-generation-webui": _textgen}
    readers[kind](old)
    return old


def kind_of(folder: Path) -> Kind:
    """By the folders that only one of them has."""
    if (folder / "models" / "Stable-diffusion").is_dir() or (folder / "webui.py").is_file():
        return "AUTOMATIC1111"
    if (folder / "models" / "checkpoints").is_dir() or (folder / "comfy").is_dir() or (folder / "extra_model_paths.yaml").is_file():
        return "ComfyUI"
    if any((base / name).is_dir() for base in (folder, folder / "user_data") for name in ("characters", "presets")):
        return "text-generation-webui"
    raise BadInput(
        "This folder is no studio that is known here.",
        hint="Choose the folder of AUTOMATIC1111, Forge, ComfyUI or text-generation-webui; a folder with models only goes into the box below.",
        field="folder",
    )  # fmt: skip


def _webui(old: OldStudio) -> None:
    old.models = existing(old.folder / "models", old.folder / "embeddings")
    for name in ("styles.csv", "styles_integrated.csv"):
        if (old.folder / name).is_file():
            old.styles += read_styles(old.folder / name, old.problems)
    old.outputs = pictures(old.folder / "outputs", old.folder / "output", old.folder / "log" / "images")


def _comfy(old: OldStudio) -> None:
    extra = old.folder / "extra_model_paths.yaml"
    old.models = existing(old.folder / "models", *(_extra_paths(extra, old.problems) if extra.is_file() else []))
    old.outputs = pictures(old.folder / "output")


def _textgen(old: OldStudio) -> None:
    base = old.folder / "user_data" if (old.folder / "user_data").is_dir() else old.folder
    old.models = existing(base / "models", base / "loras")
    cards = base / "characters"
    old.characters = sorted(path for path in cards.iterdir() if path.suffix.lower() in (".yaml", ".yml", ".json")) if cards.is_dir() else []
    presets = base / "presets"
    for path in sorted(presets.glob("*.yaml")) if presets.is_dir() else []:
        try:
            old.presets[path.stem] = read_preset(path)
        except BadInput as error:
            old.problems.append(error.message)


def existing(*folders: Path) -> list[Path]:
    return [folder.resolve() for folder in folders if folder.is_dir()]


def pictures(*folders: Path) -> list[Path]:
    """Past outputs, oldest first; links to folders are not followed."""
    return [path for _, path in sorted(_pictures(folders))][:MAX_OUTPUTS]


def _pictures(folders: tuple[Path, ...]) -> Iterator[tuple[float, Path]]:
    for top in folders:
        for folder, _, names in os.walk(top):
            for name in names:
                path = Path(folder) / name
                if path.suffix.lower() in PICTURES and path.is_file():
                    yield path.stat().st_mtime, path


def read_styles(path: Path, problems: list[str]) -> list[Style]:
    """Rows without a name are passed over; a file in another encoding than UTF-8 is read as far as it goes."""
    try:
        text = path.read_bytes()[:MAX_TEXT_BYTES].decode("utf-8-sig", "replace")
        rows = list(csv.DictReader(io.StringIO(text)))
    except (OSError, csv.Error) as error:
        problems.append(f"{path.name} can't be read ({error}).")
        return []
    if rows and "name" not in rows[0]:
        problems.append(f"{path.name} has no column “name”.")
        return []
    found = [Style((row.get("name") or "").strip(), row.get("prompt") or row.get("text") or "", row.get("negative_prompt") or "") for row in rows]
    return [style for style in found if style.name and (style.prompt or style.negative_prompt)]


def read_preset(path: Path) -> dict[str, Any]:
    """Sampler values under our names. Raises BadInput. `dynatemp_low` and `_high` become temperature and range."""
    try:
        value = yaml.safe_load(path.read_bytes()[:MAX_TEXT_BYTES])
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise BadInput(f"The preset {path.name} can't be read ({type(error).__name__}).") from error
    if not isinstance(value, dict):
        raise BadInput(f"The preset {path.name} holds no settings.")
    numbers = {key: item for key, item in value.items() if isinstance(item, (int, float)) and not isinstance(item, bool)}
    found = {ours: numbers[theirs] for theirs, ours in SAMPLERS.items() if theirs in numbers}
    if value.get("dynamic_temperature") and "dynatemp_low" in numbers and "dynatemp_high" in numbers:
        low, high = numbers["dynatemp_low"], numbers["dynatemp_high"]
        found |= {"temperature": (low + high) / 2, "dynatemp_range": (high - low) / 2}
    return found


def _extra_paths(path: Path, problems: list[str]) -> list[Path]:
    """The folders that ComfyUI's extra_model_paths.yaml names."""
    try:
        value = yaml.safe_load(path.read_bytes()[:MAX_TEXT_BYTES])
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        problems.append(f"{path.name} can't be read ({type(error).__name__}).")
        return []
    found = []
    for section in value.values() if isinstance(value, dict) else []:
        if isinstance(section, dict) and isinstance(section.get("base_path"), str):
            base = Path(section["base_path"]).expanduser()
            base = base if base.is_absolute() else path.parent / base
            for name, below in section.items():
                if name not in ("base_path", "is_default", "custom_nodes") and isinstance(below, str):
                    found += [base / line.strip() for line in below.splitlines() if line.strip()]
    return list(dict.fromkeys(found))


def picture_metadata(path: Path) -> dict[str, str]:
    """The texts that other studios leave in a picture: "parameters" (A1111), "prompt" and "workflow" (ComfyUI)."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            texts = {key: value for key, value in image.info.items() if key in ("parameters", "prompt", "workflow") and isinstance(value, str)}
            comment = image.getexif().get_ifd(0x8769).get(0x9286)  # UserComment, where JPEG and WebP carry the parameters
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return {}
    if isinstance(comment, bytes) and comment.startswith(b"UNICODE\0") and "parameters" not in texts:
        texts["parameters"] = comment[8:].decode("utf-16-be", "replace")
    return {key: value[:MAX_TEXT_BYTES] for key, value in texts.items()}
