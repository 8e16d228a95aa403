"""Which models are on disk: type, size and dtype read from headers only, never from weights or pickles."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from studio.entries import ModelEntry
from studio.errors import ModelMissing
from studio.scan import scan


class Catalog:
    """All models below some folders, read once and again on `refresh()`. `known` tells what more is known of one, its hashes say. Thread-safe."""

    def __init__(self, roots: Iterable[Path], extra: Callable[[], list[ModelEntry]] = list, known: Callable[[ModelEntry], dict[str, str]] = lambda entry: {}) -> None:
        self.roots = list(roots)
        self.version = 0  # grows with each look at the folders
        self._looks = self._newest = 0  # looks begun; the one that `_entries` come from
        self.when_read: Callable[[], object] = lambda: None
        self._extra, self._known = extra, known
        self._lock = threading.Lock()
        self._entries: dict[str, ModelEntry] | None = None

    def refresh(self) -> list[ModelEntry]:
        """Look at the folders. Of two looks at once the one that began later counts, whichever ends last."""
        with self._lock:
            self._looks += 1
            look = self._looks
        found: dict[str, ModelEntry] = {}
        for entry in [*(entry for root in self.roots for entry in scan(root)), *self._extra()]:
            if entry.key not in found or (found[entry.key].format == "pickle" and entry.format != "pickle"):  # its converted twin takes a pickle's place
                found[entry.key] = entry
        with self._lock:
            if look > self._newest:
                self._entries, self._newest = found, look
                self.version += 1
        self.when_read()
        return [self._whole(entry) for entry in found.values()]

    def entries(self, kind: str = "") -> list[ModelEntry]:
        with self._lock:
            entries = self._entries
        if entries is None:
            self.refresh()
            return self.entries(kind)
        return [self._whole(entry) for entry in list(entries.values()) if not kind or entry.kind == kind]

    def _whole(self, entry: ModelEntry) -> ModelEntry:
        more = self._known(entry)
        return replace(entry, details=entry.details | more) if more else entry

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
