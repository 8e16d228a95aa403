"""The Pipeline protocol and RunContext, a pipeline's only door.

A pipeline is a function of (params, ctx). It returns data: it writes no files, prints nothing, reads no settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar, runtime_checkable

from studio.artifacts import Artifact, Result
from studio.params import Params

if TYPE_CHECKING:
    from studio.catalog import Catalog
    from studio.entries import ModelEntry
    from studio.inputs import Inputs

T = TypeVar("T")
Lane = Literal["device", "cpu", "live"]
Stopping = Literal["none", "skip", "finish", "cancel"]


@dataclass(frozen=True)
class Need:
    """What a job will take, from headers only: bytes of weights and of working memory, seconds if known.

    `missing` is a sentence when the job can't run as it is (no model chosen, say); `notes` are warnings.
    `facts` are plain values for the page: {"tokens": …, "context_length": …, "downloads": […]} for texts.
    """

    weight_bytes: int = 0
    working_bytes: int = 0
    seconds: float = -1.0
    missing: str = ""
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelSpec(Generic[T]):
    """How to load one model: `load(report)` gets a callback report(note, fraction). Of a `group`, the same weights in several forms, one is in memory at a time."""

    key: str
    bytes: int
    load: Callable[[Callable[[str, float], None]], T]
    unload: Callable[[T], None] | None = None
    group: str = ""


class ModelManager(Protocol):
    @property
    def room(self) -> int:
        """Bytes that a model and its work may take now: the budget without what other parts of this job hold."""
        ...

    def use(self, spec: ModelSpec[T], *, working: int = 0) -> AbstractContextManager[T]:
        """Lend the model, pinned while in use. Raises ModelTooLarge, ModelMissing, ModelBroken."""
        ...


class RunContext(Protocol):
    """What a pipeline may do besides computing. All calls are cheap and thread-safe."""

    job_id: str
    seed: int
    device: str
    threads: int
    processes: int  # that its work may be spread over, each with one thread

    @property
    def models(self) -> ModelManager: ...

    @property
    def catalog(self) -> Catalog: ...

    @property
    def stopping(self) -> Stopping: ...

    @property
    def kept(self) -> list[Path]:
        """Files of what an earlier, broken run of this job finished, in order; empty in a first run."""
        ...

    def skipped(self) -> None:
        """The pipeline heeded a Skip: it goes on with the next piece of work."""

    def progress(self, step: int, total: int, note: str = "", share: float = -1.0) -> None:
        """Report, and raise Stopped once the user pressed Stop. `share` of all the work is done, 0 … 1, where steps are not equally long: the time left is told from it."""

    def check(self) -> None:
        """Raise Stopped once the user pressed Stop, reporting nothing."""

    def loading(self, note: str, fraction: float = -1.0) -> None: ...

    def text(self, delta: str, channel: str = "answer") -> None: ...

    def stats(self, **values: Any) -> None: ...

    def preview(self, image: Any) -> None:
        """Show a picture of the work so far (PIL image, PNG bytes, or a function that makes one when it is wanted): as often as 3 % of the time allow."""

    def frame(self, pixels: Any, rows: Any, **told: Any) -> None:
        """Show the newest frame of a live view: (height, width, 3) bytes or None, numbers (rows, columns), and small JSON. What nobody fetched in time is lost."""

    def output(self, artifact: Artifact) -> None:
        """Keep a finished artifact at once: Stop or a dying worker does not lose it."""

    def call(self, pipeline_id: str, params: dict[str, Any]) -> Result:
        """Run another pipeline inside this job."""

    def updates(self) -> Iterator[tuple[str, Any]]:
        """Live parameter changes since the last call, as (field, value)."""

    def model(self, key: str) -> ModelEntry:
        """The catalog's entry. Raises ModelMissing with what to do."""

    def input(self, key: str) -> Path:
        """The file that a parameter names by its key. Raises NotFound."""

    def secret(self, name: str) -> str:
        """A secret of the settings (an API key), never written to metadata; "" if unset."""


@dataclass(frozen=True)
class Desk:
    """What a pipeline may look at before its job is queued."""

    catalog: Catalog
    inputs: Inputs


class Pipeline(Protocol):
    id: ClassVar[str]
    title: ClassVar[str]
    lane: ClassVar[Lane]
    Params: ClassVar[type[Params]]

    def need(self, params: Any, catalog: Catalog) -> Need:
        """For the verdict before Generate. Imports no torch; never blocks."""

    def run(self, params: Any, ctx: RunContext) -> Result: ...


class ChangeText(Protocol):
    """Passes a text through the hook. What `accept` raises a StudioError for is refused with the name of the extension that made it."""

    def __call__(self, text: str, accept: Callable[[str], object] = ...) -> str: ...


@runtime_checkable
class ReadsText(Protocol):
    """A pipeline whose params hold text that a person wrote for a model; the hook on_text_input changes it."""

    def map_text(self, params: Any, change: ChangeText) -> Any:
        """The params with each such text changed: the same text always in the same way."""


@runtime_checkable
class ExpandsPrompts(Protocol):
    """A pipeline that keeps the prompt as it was written beside what the hook on_prompt makes of it: each of its results may have its own."""

    def expand_prompts(self, params: Any, expand: Callable[[str, int], str]) -> Any:
        """The params with the expanded prompts; `expand(prompt, seed)` raises StudioErrors."""


@runtime_checkable
class Settles(Protocol):
    """A pipeline that fills in what the user left to it and refuses what can't work, before the job is queued; imports no torch."""

    def settle(self, params: Any, desk: Desk) -> Any:
        """The params as they will be run and kept in the metadata. Raises StudioErrors with the field."""


@runtime_checkable
class Looks(Protocol):
    """A pipeline whose work depends on the pictures it is given: it looks at them before it is asked what a job takes."""

    def look(self, params: Any, desk: Desk) -> Any:
        """The params with what it saw, kept where neither metadata nor forms show it. Raises nothing."""


@runtime_checkable
class Places(Protocol):
    """A pipeline that knows slower ways for less memory: it tells which one a job would go."""

    def place(self, params: Any, catalog: Catalog, device: str, room: int) -> Need:
        """As `need`, on this kind of device with `room` bytes; facts["placement"] says in words what is slower than it could be."""


@runtime_checkable
class Paced(Protocol):
    """A pipeline that tells beforehand how long a job takes, from the pace of earlier ones: their summary["pace"] is kept."""

    def pace_key(self, params: Any, catalog: Catalog) -> str:
        """Jobs of one key go at one pace."""

    def seconds(self, params: Any, catalog: Catalog, pace: dict[str, float]) -> float:
        """With the model loaded."""


@runtime_checkable
class ReadsTexts(Protocol):
    """A pipeline that reads settings which other programs write into pictures."""

    def read_texts(self, texts: dict[str, str], catalog: Catalog) -> dict[str, Any]:
        """Values for Params from a picture's texts by their names; what has no field under its own name. Raises BadInput where they hold none."""
