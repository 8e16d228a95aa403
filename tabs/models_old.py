"""Bring my old studio: what was found is put where this studio keeps it. Models stay in place. No gradio here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.api import StudioError
from studio.host import Studio
from studio.oldstudio import OldStudio, picture_metadata
from tabs.characters import read_character

Report = Callable[[int, int], None]


def bring(old: OldStudio, studio: Studio, owner: str, report: Report, stop: threading.Event) -> dict[str, int]:
    """Counts of what came, by kind; a second time brings nothing twice. Problems are added to `old.problems`."""
    known = studio.settings.models_dir
    before = len(studio.catalog.entries())
    fresh = [str(path) for path in old.models if str(path) not in known]
    if fresh:
        studio.change_settings({"models_dir": [*known, *fresh]})
    came = {"models": len(studio.catalog.refresh()) - before}
    styles = {style.name: {"prompt": style.prompt, "negative_prompt": style.negative_prompt} for style in old.styles}
    came["styles"] = _documents(studio, owner, "style", styles)
    came["presets"] = _documents(studio, owner, "preset", old.presets)
    came["characters"] = _documents(studio, owner, "character", _characters(old))
    came["pictures"] = _pictures(old, studio, owner, report, stop)
    return came


def _documents(studio: Studio, owner: str, kind: str, bodies: dict[str, dict[str, Any]]) -> int:
    have = {document.title for document in studio.store.documents(kind, owner=owner, limit=100_000)}
    new = {title: body for title, body in bodies.items() if title not in have}
    for title, body in new.items():
        studio.store.put_document(kind=kind, owner=owner, title=title, body=body)
    return len(new)


def _characters(old: OldStudio) -> dict[str, dict[str, Any]]:
    found = {}
    for path in old.characters:
        try:
            character = read_character(path)
        except StudioError as error:
            old.problems.append(error.message)
            continue
        found[character.name] = dict(character.to_json())
    return found


def _pictures(old: OldStudio, studio: Studio, owner: str, report: Report, stop: threading.Event) -> int:
    """Past outputs into the gallery, with the settings that the other studio wrote into them."""
    count = 0
    for number, path in enumerate(old.outputs, start=1):
        if stop.is_set():
            break
        report(number, len(old.outputs))
        texts = picture_metadata(path)
        about = {"studio": old.kind, "pipeline": "", "params": {}, "facts": texts, "source": str(path)}
        try:
            count += studio.store.adopt(Path(path), owner=owner, about=about, text=texts.get("parameters", ""))
        except FileNotFoundError:
            old.problems.append(f"“{path.name}” went away meanwhile.")
    return count
