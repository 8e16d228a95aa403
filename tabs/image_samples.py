"""The photos and style pictures that come along; samples/sources.json says where each is from and under which licence. No gradio."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from studio.api import Inputs
from studio.i18n import Words

FOLDER = Path(__file__).parent / "samples"
ADDRESS = "/api/v1/image/samples"
FIRST = "castle"  # the photo that a first visit shows, styled


@dataclass(frozen=True)
class Sample:
    """`kind` is its folder: photos to be styled, paintings to take the style from."""

    kind: str
    id: str
    title: str
    by: str
    key: str  # as it will be called among the inputs: its own hash

    @property
    def path(self) -> Path:
        return FOLDER / self.kind / f"{self.id}.webp"

    @property
    def address(self) -> str:
        return f"{ADDRESS}/{self.kind}/{self.id}.webp"


@cache
def samples(kind: str) -> tuple[Sample, ...]:
    listed: list[dict[str, Any]] = json.loads((FOLDER / "sources.json").read_text(encoding="utf-8"))[kind]
    return tuple(Sample(kind, one["id"], one["title"], one["by"], f"{hashlib.sha256((FOLDER / kind / (one['id'] + '.webp')).read_bytes()).hexdigest()}.webp") for one in listed)


def photo(id: str) -> Sample | None:
    return next((one for one in samples("photos") if one.id == id), None)


def painting(key: str) -> Sample | None:
    """A style picture by its key."""
    return next((one for one in samples("paintings") if one.key == key), None)


def keep_samples(inputs: Inputs, keys: Iterable[str]) -> None:
    """A job finds its pictures among the inputs: those of these keys that come along are put there."""
    wanted = set(keys)
    for one in (*samples("photos"), *samples("paintings")):
        if one.key in wanted:
            inputs.keep(one.path.read_bytes())


def photo_strip(words: Words, lang: str, chosen: str = "") -> str:
    """The photos to click."""

    def button(one: Sample) -> str:
        title = html.escape(words.say(lang, one.title))
        return f'<button type="button" data-sample="{one.id}" aria-pressed="{str(one.id == chosen).lower()}" title="{title}" aria-label="{title}"><img alt="" loading="lazy" src="{one.address}"></button>'

    label = html.escape(words.say(lang, "Sample photos"))
    return f'<div class="image-samples" role="group" aria-label="{label}">{"".join(map(button, samples("photos")))}</div>'
