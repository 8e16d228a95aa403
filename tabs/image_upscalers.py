"""The upscalers as a list with a line about each, and several pictures as the parameters of one job. No gradio."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

from studio.api import BadInput, Inputs, ModelEntry, Studio
from tabs.image_picture import keep_data

NAMED = {  # what the pipeline offers beside files
    "Automatic": "Automatic – quickest for this size", "Real-ESRGAN": "Real-ESRGAN – quick, clean edges",
    "Lanczos": "Lanczos – plain resizing", "Nearest": "Nearest – whole pixels, pixel art",
}  # fmt: skip
FETCHED = {"realesrgan_x4plus": "{name} – finest for photos, slow", "realesrgan_x4plus_anime_6b": "{name} – finest for drawings, slow"}
OTHER, CLEANS = "{name} – {scale} times", "{name} – cleans, same size"


def upscaler_choices(studio: Studio, lang: str) -> list[tuple[str, str]]:
    """(label, value): those that are always there, then the files that can be read."""
    say = studio.words.say
    files = [entry for entry in studio.catalog.entries("upscaler") if not entry.problem and entry.key not in NAMED]
    told = [(say(lang, line(entry), name=entry.title, scale=entry.details["scale"]) if entry.details.get("scale") else entry.title, entry.key) for entry in files]
    return [*((say(lang, label), name) for name, label in NAMED.items()), *told]


def line(entry: ModelEntry) -> str:
    """Which sentence is said of a file whose scale is known."""
    return FETCHED.get(entry.title.lower(), CLEANS if entry.details["scale"] == 1 else OTHER)


def pictures_given(inputs: Inputs, picture: str | None, others: list[str] | None, source: str = "") -> dict[str, Any]:
    """{image, more}: the keys of all the files; `source` is that of the first one where it is known. Raises BadInput, of several pictures with the file's name."""
    keys = [source or kept(inputs, Path(picture))] if picture else []
    for path in others or []:
        try:
            keys.append(kept(inputs, Path(path)))
        except BadInput as error:
            raise BadInput(f"“{Path(path).name}” is no still picture that can be read.", hint="Take it out of the list.", field="more") from error
    if not keys:
        raise BadInput("There is no picture to enlarge.", hint="Drop one, or choose “Enlarge” below a picture.", field="image")
    return {"image": keys[0], "more": list(dict.fromkeys(keys[1:]))}


def kept(inputs: Inputs, path: Path) -> str:
    """The key of a file. Raises BadInput."""
    data = path.read_bytes()
    if moves(data):
        raise BadInput("This picture moves.", hint="Give a still picture.", field="more")
    return keep_data(inputs, data)


def moves(data: bytes) -> bool:
    """Whether it has several frames; a photograph with a second view in its file is still."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.format in ("GIF", "PNG", "WEBP") and bool(getattr(image, "is_animated", False))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
