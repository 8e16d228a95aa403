"""Thumbnails of one's own picture in every style: made by one cheap job in the background, kept by the picture's hash. No gradio."""

from __future__ import annotations

import base64
import binascii
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio.api import Stats, Studio, StudioError
from tabs.image_samples import FIRST, FOLDER, keep_samples, photo
from tabs.image_style_mix import KEY, Mix, is_named, named_text, tile

STRIP = "image.style_strip"
SLOT = "image.style.strip"
TILE = re.compile(r"[0-9a-f]{16}")
MOST_PICTURES = 60  # whose thumbnails are kept
SHIPPED = FOLDER / "strip"


class Strip:
    """`address` is where a thumbnail is shown from, `make` makes those that are missing."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.folder = studio.settings.data / "cache" / "styles"
        first = photo(FIRST)
        self.shipped = first.key if first else ""

    def path(self, source: str, name: str) -> Path | None:
        """A thumbnail's file; None for what is no name of one. A key is a name, never a path."""
        if not KEY.fullmatch(source) or not TILE.fullmatch(name):
            return None
        own = self.folder / source / f"{name}.webp"
        return SHIPPED / f"{name}.webp" if source == self.shipped and not own.is_file() else own

    def address(self, source: str, name: str) -> str:
        return f"/api/v1/image/styles/{source}/{name}"

    def has_shipped(self, name: str) -> bool:
        return (SHIPPED / f"{name}.webp").is_file()

    def ready(self, source: str) -> set[str]:
        """Names of the thumbnails that are there."""
        folders = [self.folder / source] if KEY.fullmatch(source) else []
        folders += [SHIPPED] if source == self.shipped else []
        return {path.stem for folder in folders if folder.is_dir() for path in folder.glob("*.webp")}

    def stop(self, owner: str) -> None:
        """What somebody waits for goes first."""
        self.studio.jobs.cancel(self.studio.store.recall(owner, SLOT, ""), by=owner)

    def make(self, owner: str, source: str, mixes: list[Mix]) -> Iterator[set[str]]:
        """Make those that are missing; what is ready after each few. Nothing where the studio is too busy: thumbnails are no reason to complain."""
        ready = self.ready(source)
        missing = {named_text(mix) if is_named(mix[0]) else picture_text(mix): tile(mix) for mix in mixes if tile(mix) not in ready and self._there(mix)}
        if STRIP not in self.studio.pipelines or not KEY.fullmatch(source) or not missing:
            return
        try:
            job = self.studio.submit(STRIP, {"image": source, "styles": list(missing)}, owner=owner)
        except StudioError:
            return
        self.studio.store.remember(owner, SLOT, job.id)
        self._forget_old()
        for event in job.events():
            if isinstance(event, Stats) and event.values.get("style") in missing and self._keep(source, missing[event.values["style"]], event.values):
                ready.add(missing[event.values["style"]])
                yield ready

    def _there(self, mix: Mix) -> bool:
        """Whether its pictures are still among the inputs."""
        inputs = self.studio.jobs.desk.inputs
        keep_samples(inputs, [part["style"] for part in mix])
        return bool(mix) and all(is_named(part) or (inputs.folder / part["style"]).is_file() for part in mix)

    def _keep(self, source: str, name: str, values: dict[str, Any]) -> bool:
        path = self.folder / source / f"{name}.webp"
        try:
            data = base64.b64decode(str(values.get("picture", "")), validate=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_bytes(data)
            part.replace(path)
        except (OSError, binascii.Error):
            return False
        return True

    def _forget_old(self) -> None:
        kept = sorted((path for path in self.folder.glob("*") if path.is_dir()), key=lambda path: path.stat().st_mtime)
        for path in kept[:-MOST_PICTURES]:
            shutil.rmtree(path, ignore_errors=True)


def picture_text(mix: Mix) -> str:
    """As the strip's pipeline reads a blend of pictures: "key" or "key: 0.7, key: 0.3"."""
    return str(mix[0]["style"]) if len(mix) == 1 else ", ".join(f"{part['style']}: {part['weight']:g}" for part in mix)


def told(source: str, ready: set[str]) -> str:
    """For the page's script: which thumbnails are there now."""
    return json.dumps({"source": source, "ready": sorted(ready)})
