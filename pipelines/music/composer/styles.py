"""Learnt styles: where they are, what they are called, how one becomes a model that Compose offers. No torch, no weights: headers only."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

from pipelines.music.composer.play import FORMAT
from studio.api import Catalog, ModelBroken, ModelEntry, ModelMissing

KIND, FOLDER = "composer", "music"
MOST_HEADER = 2**20


def header(path: Path) -> dict[str, str]:
    """What a style's file tells of itself. Raises ModelBroken where it is none."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            facts: Any = json.loads(file.read(min(length, MOST_HEADER))).get("__metadata__", {})
    except (OSError, ValueError, struct.error, AttributeError) as error:
        raise _none(path) from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise _none(path)
    return facts


def _none(path: Path) -> ModelBroken:
    return ModelBroken(f"“{path.name}” is no learnt style.", hint="Choose a file that Learn my style made.", field="model")


def find(catalog: Catalog) -> list[tuple[str, str, Path]]:
    """(key, title, file) of the styles in the models folder."""
    return [(entry.key, entry.title, Path(entry.path)) for entry in catalog.entries(KIND) if not entry.problem]


def path(name: str, catalog: Catalog) -> Path:
    """By key or title. Raises ModelMissing."""
    for key, title, file in find(catalog):
        if name in (key, title):
            return file
    raise ModelMissing(f"The style “{name}” is not on this computer.", hint="Learn it again, or put its file into the models folder.", field="model")


def keep(file: Path, models: Path) -> Path:
    """A copy of a learnt style among the models, named after its title. Raises ModelBroken."""
    facts = header(file)
    stem = re.sub(r"[^\w\- ]+", "", facts.get("title", "")).strip()[:60] or "style"
    data = file.read_bytes()
    folder = models / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        target = folder / f"{stem}{f' {number}' if number > 1 else ''}.safetensors"
        if not target.exists():
            part = target.with_suffix(".part")
            part.write_bytes(data)
            part.replace(target)
            return target
        if target.read_bytes() == data:
            return target
    raise ModelBroken("There are too many styles of this name.", hint="Give it another name.")


def results(data: Path) -> list[ModelEntry]:
    """The styles among the studio's outputs, so that learning can go on from one: no models that Compose offers before they are kept."""
    found = []
    for file in sorted((data / "outputs").glob("*/*.safetensors")):
        try:
            title = header(file).get("title", file.stem)
        except ModelBroken:
            continue
        found.append(ModelEntry(result_key(file), str(file), "other", "safetensors", file.stat().st_size, title, source="outputs"))
    return found


def result_key(file: Path) -> str:
    return f"learnt/{file.stem}"
