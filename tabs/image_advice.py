"""What the chosen model's makers advise, and what it can do: sizes by shape and megapixels, its samplers, which controls change anything. No gradio."""

from __future__ import annotations

from typing import Any

from studio.api import Studio

PIPELINE = "image.generate"
GRID = "image.grid"
SQUARE = "Square 1:1"
SHAPES = {SQUARE: (1, 1), "Portrait 3:4": (3, 4), "Portrait 2:3": (2, 3), "Portrait 9:16": (9, 16), "Landscape 4:3": (4, 3), "Landscape 3:2": (3, 2), "Landscape 16:9": (16, 9)}
OWN_SHAPE, AS_PICTURE = "Own size", "As the picture"
ADVISED = "As it was made for"
MEGAPIXELS = {ADVISED: 0.0, "0.25 megapixels": 0.25, "0.5 megapixels": 0.5, "1 megapixel": 1.0, "1.5 megapixels": 1.5, "2 megapixels": 2.0}
FOLLOWED = ("steps", "cfg_scale", "sampler", "schedule", "width", "height")
NEAR = 0.06  # how far a size may be from a shape and still be called by its name


def usable_models(studio: Studio) -> list[tuple[str, str]]:
    """(title, key), one's own first, the one that comes with the studio last."""
    usable = [entry for entry in studio.catalog.entries("image") if not entry.problem]
    return [(entry.title, entry.key) for entry in sorted(usable, key=lambda entry: entry.source == "built-in")]


def facts(studio: Studio, model: str) -> dict[str, Any]:
    """The pipeline's own account of a model; {} where it is not there."""
    pipeline = studio.pipelines[PIPELINE]
    return pipeline.need(pipeline.Params.parse({"model": model or ""}), studio.catalog).facts


def default_model(studio: Studio) -> str:
    """The one that draws where none was chosen: what the pipeline takes; where none can draw from words alone, the first of the list."""
    return str(facts(studio, "").get("model", "")) or next((key for _, key in usable_models(studio)), "")


def advice(studio: Studio, model: str) -> dict[str, Any]:
    return dict(facts(studio, model).get("advice", {}))


def traits(studio: Studio, model: str) -> dict[str, Any]:
    return dict(facts(studio, model).get("traits", {}))


def shape_size(advised: dict[str, Any], shape: str, megapixels: str) -> tuple[int, int]:
    """In steps that the model takes, with as many pixels as were asked for: as it was made for, or a number of megapixels."""
    side, unit = int(advised.get("width", 512)), int(advised.get("unit", 8))
    pixels = MEGAPIXELS.get(megapixels, 0.0) * 1024 * 1024 or side * side
    across, down = SHAPES.get(shape, (1, 1))
    scale = (pixels / (across * down)) ** 0.5
    width, height = (max(unit, round(part * scale / unit) * unit) for part in (across, down))
    return width, height


def shape_of(width: int, height: int) -> str:
    """The shape's name for a size, or that it is one's own."""
    if not width or not height:
        return SQUARE
    near = min(SHAPES, key=lambda name: abs(SHAPES[name][0] / SHAPES[name][1] - width / height))
    across, down = SHAPES[near]
    return near if abs(width / height / (across / down) - 1) <= NEAR else OWN_SHAPE


def turned(shape: str) -> str:
    """The same shape lying down or standing up; what has no partner stays."""
    across, down = SHAPES.get(shape, (1, 1))
    return next((name for name, sides in SHAPES.items() if sides == (down, across)), OWN_SHAPE if shape in SHAPES else shape)


def advised_values(advised: dict[str, Any], shape: str, megapixels: str) -> dict[str, Any]:
    """What the controls show for a model: its steps, guidance and sampler, and the size of that shape."""
    size = {} if shape == OWN_SHAPE else dict(zip(("width", "height"), shape_size(advised, shape, megapixels), strict=True))
    return {name: value for name, value in (advised | size).items() if name in FOLLOWED}


def followed_values(before: dict[str, Any], wanted: dict[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    """The newly advised values, but for what the person changed from the earlier advice."""
    changed = {name for name, value in shown.items() if before and value != before.get(name)}
    return {name: shown[name] if name in changed or name not in wanted else wanted[name] for name in shown}
