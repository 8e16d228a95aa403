"""Model leases in the worker: what is in use is pinned, the least recently used goes first."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from studio.errors import ModelTooLarge
from studio.pipeline import ModelSpec

T = TypeVar("T")


@dataclass
class Lease:
    spec: ModelSpec[Any]
    model: Any
    pins: int = 0
    used: int = 0


class LeasedModels:
    """Lends models within `budget` bytes. `report(note, fraction)` tells of loading, `loaded(key, bytes)` of success."""

    def __init__(
        self, budget: int, report: Callable[[str, float], None] = lambda note, fraction: None, loaded: Callable[[str, int], None] = lambda key, size: None
    ) -> None:
        self.budget = budget
        self._report = report
        self._loaded = loaded
        self._leases: dict[str, Lease] = {}
        self._lock = threading.RLock()
        self._clock = 0

    @property
    def room(self) -> int:
        """Bytes for a job's model and its work, once all that is not in use is let go."""
        with self._lock:
            return self.budget - sum(lease.spec.bytes for lease in self._leases.values() if lease.pins)

    @contextmanager
    def use(self, spec: ModelSpec[T], *, working: int = 0) -> Iterator[T]:
        with self._lock:
            lease = self._leases.get(spec.key)
            if lease is None:
                lease = self._load(spec, working)
            else:
                if working:
                    self._make_room(spec, working)
                lease.spec = spec  # the same model may need more of its weights at once for this job
            lease.pins += 1
            self._clock += 1
            lease.used = self._clock
        try:
            yield lease.model
        finally:
            with self._lock:
                lease.pins -= 1

    def status(self) -> list[dict[str, Any]]:
        return [{"key": key, "bytes": lease.spec.bytes, "in_use": lease.pins > 0} for key, lease in list(self._leases.items())]

    def unload(self, key: str = "") -> list[str]:
        """Unload one model, or all that are not in use; returns the keys that went. Never waits for a load."""
        if not self._lock.acquire(timeout=0.2):
            return []
        try:
            gone = [name for name, lease in self._leases.items() if (not key or key in (name, name.split(" @")[0])) and not lease.pins]
            for name in gone:
                self._drop(name)
        finally:
            self._lock.release()
        return gone

    def _load(self, spec: ModelSpec[T], working: int) -> Lease:
        for other in [lease.spec for lease in self._leases.values() if spec.group and lease.spec.group == spec.group and not lease.pins]:
            self._drop(other.key)
        self._make_room(spec, working)
        self._report(f"Loading {spec.key}", 0.0)
        model = spec.load(self._report)
        lease = self._leases[spec.key] = Lease(spec, model)
        self._loaded(spec.key, spec.bytes)
        return lease

    def _make_room(self, spec: ModelSpec[Any], working: int) -> None:
        need = spec.bytes + working
        if need > self.budget:
            raise ModelTooLarge(
                f"“{spec.key}” needs {need / 2**30:.1f} GB; models may take {self.budget / 2**30:.1f} GB here.",
                hint="Choose a smaller or more quantised model, a shorter context, or raise the memory limit in Settings.",
                field="model",
            )
        others = [lease for lease in self._leases.values() if lease.spec.key != spec.key]
        idle = sorted((lease for lease in others if not lease.pins), key=lambda lease: lease.used)
        taken = need + sum(lease.spec.bytes for lease in others)
        while idle and taken > self.budget:
            taken -= idle[0].spec.bytes
            self._drop(idle.pop(0).spec.key)

    def _drop(self, key: str) -> None:
        lease = self._leases.pop(key)
        if lease.spec.unload:
            lease.spec.unload(lease.model)
        lease.model = None
        give_back()


def give_back() -> None:
    """Free what nobody holds, and hand it to the system: allocators keep freed memory, which adds up over many models."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
        if trim:
            trim(0)
