"""What a job tells its listeners, in order. Every stream ends with Done, Failed or Cancelled.

An event is plain data: `wire()` gives JSON, `event_from_wire` reads it back.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from studio.errors import ErrorWire


@dataclass(frozen=True)
class Event:
    def wire(self) -> dict[str, Any]:
        return {"type": type(self).__name__.lower(), **asdict(self)}


@dataclass(frozen=True)
class Queued(Event):
    position: int = 0
    eta_seconds: float = 0.0


@dataclass(frozen=True)
class Loading(Event):
    """A model is being loaded or a file fetched; fraction is -1 where unknown."""

    note: str = ""
    fraction: float = -1.0


@dataclass(frozen=True)
class Progress(Event):
    step: int = 0
    total: int = 0
    note: str = ""
    eta_seconds: float = -1.0


@dataclass(frozen=True)
class Preview(Event):
    """A picture of the work so far, as a file below the job's spool folder."""

    path: str = ""


@dataclass(frozen=True)
class Text(Event):
    """A piece of text to append. channel is "answer" or "reasoning"."""

    delta: str = ""
    channel: str = "answer"


@dataclass(frozen=True)
class Frame(Event):
    """A live view frame: a file below the job's spool folder (studio/worker.py says how it is written), and the picture's height and width."""

    path: str = ""
    shape: list[int] = field(default_factory=list)
    frame: int = 0  # its number


@dataclass(frozen=True)
class Stats(Event):
    """Measured facts of the run: tokens, tokens_per_second, context_used, context_length."""

    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Saved(Event):
    """One finished output is in the gallery, though the job may go on."""

    output_id: str = ""


@dataclass(frozen=True)
class Done(Event):
    outputs: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Failed(Event):
    error: ErrorWire = field(
        default_factory=lambda: ErrorWire(code="internal", message="", hint="", field="", traceback="", fix={})
    )


@dataclass(frozen=True)
class Cancelled(Event):
    """Stopped by its owner; what was finished before is kept."""

    outputs: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)


FINAL = (Done, Failed, Cancelled)
FRAME_FILE = "frame.bin"
LOSSY = (Preview, Frame, Progress, Loading)
_KINDS: dict[str, type[Event]] = {
    kind.__name__.lower(): kind
    for kind in (Queued, Loading, Progress, Preview, Text, Frame, Stats, Saved, Done, Failed, Cancelled)
}


def event_from_wire(wire: dict[str, Any]) -> Event:
    """Raises KeyError for an unknown type: both sides of the seam are one version."""
    values = dict(wire)
    return _KINDS[values.pop("type")](**values)
