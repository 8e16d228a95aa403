"""Reading a models folder: headers only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from studio.catalog import ModelEntry


def scan(root: Path) -> Iterator[ModelEntry]:
    for path in sorted(root.rglob("*.gguf")):
        yield ModelEntry(path.stem, str(path), "llm", "gguf", path.stat().st_size, path.stem, languages=["en"])
