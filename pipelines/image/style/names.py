"""The 26 styles that come along. The network came without names: these tell what each one looks like, seen on photographs; who painted the originals was never published."""

from __future__ import annotations

import re

from studio.api import BadInput

STYLES = (
    "Pastel morning", "Ink and yellow", "Soft charcoal", "Neon strokes", "Burgundy and gold", "Fauvist strokes", "Night dots", "Midnight and flame",
    "Bright pencil", "Slate mosaic", "Copper etching", "Golden engraving", "Impressionist light", "Jungle leaves", "Pale blue wash", "Pale mosaic",
    "Violet weave", "Red lattice", "Sand woodcut", "Blue and yellow strokes", "Red glow", "Cut paper", "Expressionist grey", "Dusk", "Japanese print", "Rough oil",
)  # fmt: skip


def read_styles(text: str) -> list[tuple[int, float]]:
    """(number, weight) with weights whose sum is 1, from "Dusk" or "Dusk: 0.7, Copper etching: 0.3"; numbers from 0 also stand for names. Raises BadInput."""
    found: dict[int, float] = {}
    for part in (part.strip() for part in text.split(",")):
        if not part:
            continue
        name, _, weight = part.partition(":")
        found[_number(name.strip())] = found.get(_number(name.strip()), 0.0) + _weight(weight.strip(), name.strip())
    whole = sum(found.values())
    if not found or whole <= 0:
        raise BadInput("No style is chosen.", hint="Choose one, or give one of them a weight above 0.", field="styles")
    return [(number, weight / whole) for number, weight in found.items() if weight > 0]


def _number(name: str) -> int:
    known = {title.lower(): number for number, title in enumerate(STYLES)}
    if name.lower() in known:
        return known[name.lower()]
    if name.isdecimal() and int(name) < len(STYLES):
        return int(name)
    raise BadInput(f"There is no style “{name}”.", hint=f"It is one of: {', '.join(STYLES)}.", field="styles")


def _weight(text: str, name: str) -> float:
    if not text:
        return 1.0
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text):
        raise BadInput(f"“{text}” is no weight for “{name}”.", hint="Write a number from 0, as 0.5.", field="styles")
    return float(text)
