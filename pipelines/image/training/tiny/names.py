"""Which concepts the small model learns and what they are called in English and Japanese: suggested.tsv, and the other animals and foods of the set."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

TABLE = Path(__file__).with_name("suggested.tsv")
TAKEN_GROUPS = {3, 4}  # animals and nature, food and drink: all of them, beside the suggested ones
PLAIN = re.compile(r"[^a-z0-9' -]")


@dataclass(frozen=True)
class Concept:
    """One picture and its names, the usual one first; `code` is the picture's code point sequence, `label` what the set calls it."""

    code: str
    file: Path
    label: str
    english: tuple[str, ...]
    japanese: tuple[str, ...]
    suggested: bool


@lru_cache(maxsize=1)
def suggested() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """By label: (English names, Japanese names). The first of each is what the page suggests and what is measured."""
    rows = (line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines())
    return {label: (tuple(english.split(", ")), tuple(japanese.split(", "))) for label, english, japanese in rows}


def code_of(text: str) -> str:
    """A code point sequence without the variation selector: the two packages differ in it."""
    return text.lower().replace("-fe0f", "")


def concepts(pictures: Path, labels: Path) -> list[Concept]:
    """Everything that is learned, from the drawn pictures and the unpacked labels. Raises KeyError where a suggested name is not among the pictures."""
    files = {code_of(path.stem): path for path in sorted(pictures.glob("*.png"))}
    english = {code_of(row["hexcode"]): row for row in json.loads((labels / "en" / "data.json").read_text(encoding="utf-8"))}
    japanese = {code_of(row["hexcode"]): row for row in json.loads((labels / "ja" / "data.json").read_text(encoding="utf-8"))}
    wanted = dict(suggested())
    taken = {name for names in wanted.values() for name in names[0]}
    found = []
    for code, row in english.items():
        label = row["label"]
        if code not in files or code not in japanese or (label not in wanted and row.get("group") not in TAKEN_GROUPS):
            continue
        own = PLAIN.sub("", label.lower())
        if label not in wanted and own in taken:
            continue  # the set's “cat” from nose to tail, where “cat” is the suggested cat face
        names = wanted.pop(label, None)
        called = (tuple(dict.fromkeys((*names[0], own))), names[1]) if names else ((own,), (japanese[code]["label"],))
        found.append(Concept(code, files[code], own, called[0], called[1], names is not None))
    if wanted:
        raise KeyError(f"no picture is called {', '.join(wanted)}")
    return found
