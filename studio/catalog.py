"""Which models are on disk: type, size and dtype read from headers only, never from weights or pickles."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from studio.entries import ModelEntry
from studio.errors import ModelMissing
from studio.scan import scan


class Catalog:
    """All models below some folders, read once and again on `refresh()`. Thread-safe."""

    def __init__(self, roots: Iterable[Path], extra: Callable[[], list[ModelEntry]] = list) -> None:
        self.roots = list(roots)
        self._extra = extra
        self._lock = threading.Lock()
        self._entries: dict[str, ModelEntry] | None = None

    def refresh(self) -> list[ModelEntry]:
        found: dict[str, ModelEntry] = {}
        for entry in [*(entry for root in self.roots for entry in scan(root)), *self._extra()]:
            found.setdefault(entry.key, entry)
        with self._lock:
            self._entries = found
        return list(found.values())

    def entries(self, kind: str = "") -> list[ModelEntry]:
        with self._lock:
            entries = self._entries
        known = list(entries.values()) if entries is not None else self.refresh()
        return [entry for entry in known if not kind or entry.kind == kind]

    def find(self, key: str) -> ModelEntry:
        """Raises ModelMissing with what to do."""
        for entry in self.entries():
            if entry.key == key:
                return entry
        for entry in self.refresh():
            if entry.key == key:
                return entry
        raise ModelMissing(
            f"The model “{key}” is not on this computer." if key else "No model is chosen.",
            hint="Choose another model, or add one in the Models tab.",
            field="model",
        )
