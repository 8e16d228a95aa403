"""Studio: the one object that tabs, routes and extensions are given. Built once in app.py; no globals."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from studio.pace import Paces
from studio.simulation import Simulations

if TYPE_CHECKING:
    from studio.catalog import Catalog
    from studio.downloads import Downloads
    from studio.hashes import Hasher
    from studio.i18n import Words
    from studio.inputs import Inputs
    from studio.jobs import Job, JobQueue
    from studio.pipeline import Pipeline
    from studio.plugins import ExtensionInfo, Hooks
    from studio.settings import Settings
    from studio.store import Store


@dataclass(frozen=True)
class Output:
    """One saved output: a row of the store and a file below user_data/outputs."""

    id: str
    job_id: str
    owner: str
    kind: str
    path: str
    title: str
    pipeline: str
    created: float
    metadata: dict[str, Any] = field(default_factory=dict)
    trashed: bool = False
    favourite: bool = False


@dataclass(frozen=True)
class Route:
    """One HTTP route: `endpoint(request) -> Response` (Starlette style, sync or async)."""

    path: str
    methods: list[str]
    endpoint: Callable[..., Any]
    title: str = ""
    owner_only: bool = False


@dataclass(frozen=True)
class Taken:
    """What a page did, besides filling its form, with settings that came back: whether anything, and of what it could not take the reason by the setting's name."""

    changed: bool = False
    left: dict[str, str] = field(default_factory=dict)


class Tab(Protocol):
    """A thin view. `icon` is one character; tabs are drawn in the order of `order`."""

    id: ClassVar[str]
    title: ClassVar[str]
    order: ClassVar[int]

    def build(self, studio: Studio) -> None: ...


def struck_notice(info: ExtensionInfo) -> str:
    return f"The extension “{info.title}” was switched off after three errors. The Extensions tab shows them."


@dataclass
class Studio:
    """Everything, by name. `pipelines["text.chat"]`, `jobs`, `store`, `catalog`, `settings`, `hooks`, `words`."""

    settings: Settings
    hooks: Hooks
    pipelines: dict[str, Pipeline]
    catalog: Catalog
    jobs: JobQueue
    store: Store
    words: Words
    downloads: Downloads
    notices: list[str] = field(default_factory=list)
    places: dict[str, list[str]] = field(default_factory=dict)  # pipeline id, followed by a space and a method where that has a page of its own: the tabs to open, outermost first
    takers: dict[str, Callable[[str, dict[str, Any], Path | None], Taken]] = field(default_factory=dict)  # pipeline id: (owner, parameters, dropped file) -> what its page takes in; may raise StudioErrors
    hasher: Hasher | None = None
    simulations: Simulations = field(default_factory=Simulations)
    paces: Paces = field(default_factory=Paces)
    shared: dict[str, str] = field(default_factory=dict)  # "link", "network": where others reach this studio

    def submit(self, pipeline_id: str, values: dict[str, Any], *, owner: str, source: str = "page", extras: dict[str, Any] | None = None) -> Job:
        """The only way to start a job: before_run, validation, seed, queue. Raises BadInput, NotFound, QueueFull, StorageFull."""
        return self.jobs.submit(pipeline_id, values, owner=owner, source=source, extras=extras or {})

    def place(self, pipeline_id: str, values: dict[str, Any]) -> list[str]:
        """The tabs to open for a job with these parameters, outermost first; none where no page shows it."""
        return self.places.get(f"{pipeline_id} {values.get('method', '')}") or self.places.get(pipeline_id, [])

    def inputs(self, owner: str) -> Inputs:
        """Where a person's files are kept for jobs; what comes on top of a visitor's storage is refused. Raises StorageFull when a file is kept."""
        return self.jobs.storage.inputs(owner)

    def extension_struck(self, info: ExtensionInfo) -> None:
        """After its third error an extension stays off, also after a restart; every page says so."""
        if struck_notice(info) not in self.notices:
            self.notices.append(struck_notice(info))
        with suppress(OSError):  # a full disk must not end the job in which it happened: the extension is off for now
            self.change_settings({"disabled_extensions": sorted({*self.settings.disabled_extensions, info.name})})

    def switch_extension(self, name: str, on: bool) -> None:
        """At once for hooks, at the next start for tabs and routes. Raises NotFound."""
        info = self.hooks.switch(name, on)
        off = {other for other in self.settings.disabled_extensions if other != name}
        self.change_settings({"disabled_extensions": sorted(off if on else {*off, name})})
        if on and struck_notice(info) in self.notices:
            self.notices.remove(struck_notice(info))

    def change_settings(self, changes: dict[str, Any]) -> None:
        """Validate, save and apply. Raises BadInput."""
        from studio.settings import save_settings

        self.settings = save_settings(self.settings, changes)
        self.jobs.apply(self.settings)
        if {"models_dir", "remote_url", "remote_key", "offline", "hash_models"} & set(changes):
            self.catalog.refresh()
