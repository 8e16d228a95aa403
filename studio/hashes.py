"""Hashes of model files, computed in the background: one file at a time, at low priority, remembered over restarts. They say which model drew a picture.

sha256 is of the whole file (its first ten letters are what the community calls AutoV2); "autov3", of LoRAs, is of what stands behind the
safetensors header, so that a changed description leaves it as it is. Not a check of downloads: studio/download.py does that.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from studio.entries import ModelEntry

KINDS = ("image", "lora", "vae", "embedding")
FORMATS = ("safetensors", "gguf")
CHUNK = 4 * 2**20
REST = 1.0  # seconds of rest for each second of work: never more than half a core or half a disk
NICE = 15
FIRST_SECONDS = 5.0  # the page and its first jobs come first


class HashBook:
    """What is known, in one JSON file; read again when another process wrote it. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, str]] = {}
        self._read_at = -1

    def of(self, entry: ModelEntry) -> dict[str, str]:
        """{"sha256", "autov3"} of this very file; {} where it is not hashed yet or has changed since."""
        self._read()
        with self._lock:
            return dict(self._known.get(_mark(entry), {})) if "changed" in entry.details else {}

    def write(self, entry: ModelEntry, found: dict[str, str], present: Iterable[ModelEntry]) -> None:
        """Add one; those of files that are gone are kept while their folder may only be away (a drive that is not plugged in)."""
        self._read()
        with self._lock:
            now = {item.path: _mark(item) for item in present}
            kept = {mark: hashes for mark, hashes in self._known.items() if now.get(path := _path(mark), mark) == mark and (path in now or not Path(path).parent.is_dir())}
            self._known = kept | {_mark(entry): found}
            part = self.path.with_suffix(".part")
            part.write_text(json.dumps(self._known, ensure_ascii=False, indent=0), encoding="utf-8")
            os.replace(part, self.path)
            self._read_at = self.path.stat().st_mtime_ns

    def _read(self) -> None:
        try:
            changed = self.path.stat().st_mtime_ns
            if changed == self._read_at:
                return
            told = json.loads(self.path.read_text(encoding="utf-8"))
            known = {str(mark): {str(name): str(value) for name, value in hashes.items()} for mark, hashes in told.items()}
        except (OSError, ValueError, AttributeError):
            return  # not there yet, or spoilt: everything is hashed anew
        with self._lock:
            self._known, self._read_at = known, changed


class Hasher:
    """The thread that fills the book. `entries()` gives what there is; `done()` is called after each file."""

    def __init__(self, book: HashBook, entries: Callable[[], list[ModelEntry]], done: Callable[[], object] = lambda: None, *, wanted: Callable[[], bool] = lambda: True) -> None:
        self.book, self._entries, self._done, self._wanted = book, entries, done, wanted
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self.now = ""  # the key of the model that is being read

    def start(self, first_seconds: float = FIRST_SECONDS) -> None:
        self._wake.set()
        self._thread = threading.Thread(target=self._work, args=(first_seconds,), daemon=True, name="hashing")
        self._thread.start()

    def wake(self) -> None:
        """There may be new files."""
        self._wake.set()

    def close(self) -> None:
        """Ends within one chunk; the file that was being read is begun anew at the next start."""
        self._stop.set()
        self._wake.set()
        if self._thread:
            self._thread.join(timeout=5)

    def _work(self, first_seconds: float) -> None:
        step_back()
        self._stop.wait(first_seconds)
        while not self._stop.is_set():
            self._wake.wait()
            self._wake.clear()
            tried: set[str] = set()
            while entry := self._next(tried):
                tried.add(_mark(entry))
                self._one(entry)

    def _next(self, tried: set[str]) -> ModelEntry | None:
        """The smallest that is left: many are known soon."""
        if self._stop.is_set() or not self._wanted():
            return None
        left = [entry for entry in self._entries() if is_hashed(entry) and _mark(entry) not in tried and not self.book.of(entry)]
        return min(left, key=lambda entry: entry.bytes, default=None)

    def _one(self, entry: ModelEntry) -> None:
        self.now = entry.key
        try:
            found = hashes_of(Path(entry.path), lora=entry.kind == "lora" and entry.format == "safetensors", stop=lambda: self._stop.is_set() or not self._wanted())
            about = Path(entry.path).stat()
            if found and (about.st_size, about.st_mtime_ns) == (entry.bytes, entry.details["changed"]):
                self.book.write(entry, found, self._entries())
                self._done()
        except OSError:
            pass  # gone or unreadable meanwhile: the next look at the folder says so
        finally:
            self.now = ""


def is_hashed(entry: ModelEntry) -> bool:
    return entry.kind in KINDS and entry.format in FORMATS and not entry.problem and "changed" in entry.details


def hashes_of(path: Path, *, lora: bool, stop: Callable[[], bool] = lambda: False, rest: float = REST) -> dict[str, str]:
    """Both hashes in one reading; {} where it was stopped. Raises OSError."""
    whole, behind = hashlib.sha256(), hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        skip = 8 + int.from_bytes(file.read(8), "little") if lora else 0
        file.seek(0)
        while True:
            begun = time.monotonic()
            if stop():
                return {}
            if not (chunk := file.read(CHUNK)):
                break
            whole.update(chunk)
            if lora:
                behind.update(chunk[skip:])
                skip = max(0, skip - len(chunk))
            time.sleep(rest * (time.monotonic() - begun))
    return {"sha256": whole.hexdigest()} | ({"autov3": behind.hexdigest()} if lora else {})


def step_back() -> None:
    """This thread alone runs at low priority, where the system has priorities by thread."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


def _mark(entry: ModelEntry) -> str:
    return f"{entry.bytes} {entry.details.get('changed', 0)} {entry.path}"


def _path(mark: str) -> str:
    return mark.split(" ", 2)[-1]
