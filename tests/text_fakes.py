"""A RunContext that only remembers what it was told, and model entries for files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from studio.api import Artifact, Catalog, ModelEntry, ModelSpec, Result, Stopped


class FakeModels:
    """Loads once per key and keeps it."""

    def __init__(self) -> None:
        self.loaded: dict[str, tuple[ModelSpec[Any], Any]] = {}

    @contextmanager
    def use(self, spec: ModelSpec[Any], *, working: int = 0) -> Iterator[Any]:
        if spec.key not in self.loaded:
            self.loaded[spec.key] = (spec, spec.load(lambda note, fraction: None))
        yield self.loaded[spec.key][1]

    def close(self) -> None:
        for spec, model in self.loaded.values():
            if spec.unload:
                spec.unload(model)
        self.loaded.clear()


class FakeContext:
    """`stop_after` pressed Stop once that many pieces of text have come."""

    job_id = "job"
    device = "cpu"
    threads = 1

    def __init__(self, entries: list[ModelEntry], models: FakeModels | None = None, seed: int = 1, stop_after: int = 0) -> None:
        self.seed = seed
        self.models = models or FakeModels()
        self.catalog = Catalog([], extra=lambda: entries)
        self.stopping: Any = "none"
        self.stop_after = stop_after
        self.texts: list[tuple[str, str]] = []
        self.all_stats: list[dict[str, Any]] = []
        self.steps: list[tuple[int, int, str]] = []
        self.secrets: dict[str, str] = {}
        self.artifacts: list[Artifact] = []

    def check(self) -> None:
        if self.stopping == "cancel":
            raise Stopped

    def progress(self, step: int, total: int, note: str = "") -> None:
        self.check()
        self.steps.append((step, total, note))

    def loading(self, note: str, fraction: float = -1.0) -> None:
        self.steps.append((0, 0, note))

    def text(self, delta: str, channel: str = "answer") -> None:
        self.texts.append((delta, channel))
        if self.stop_after and len(self.texts) >= self.stop_after:
            self.stopping = "cancel"

    def stats(self, **values: Any) -> None:
        self.all_stats.append(values)

    def preview(self, image: Any) -> None: ...

    def output(self, artifact: Artifact) -> None:
        self.artifacts.append(artifact)

    def call(self, pipeline_id: str, params: dict[str, Any]) -> Result:
        raise NotImplementedError

    def updates(self) -> Iterator[tuple[str, Any]]:
        return iter(())

    def model(self, key: str) -> ModelEntry:
        return self.catalog.find(key)

    def secret(self, name: str) -> str:
        return self.secrets.get(name, "")

    def said(self, channel: str = "answer") -> str:
        return "".join(text for text, where in self.texts if where == channel)


def entry_of(path: Path, kind_format: Any = "gguf", **more: Any) -> ModelEntry:
    size = path.stat().st_size if path.is_file() else sum(file.stat().st_size for file in path.glob("*.safetensors"))
    return ModelEntry(key=path.name, path=str(path), kind="llm", format=kind_format, bytes=size, title=path.stem, **more)
