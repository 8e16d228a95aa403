"""The tree of errors that a user can understand.

Each carries a sentence (what happened) and a hint (what to do next).
Anything that is not a StudioError is a bug and keeps its traceback.
Errors cross the process seam as plain data, never pickled.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, TypedDict


class ErrorWire(TypedDict):
    """An error as JSON: what REST answers and what the worker sends."""

    code: str
    message: str
    hint: str
    field: str
    traceback: str
    fix: dict[str, Any]


@dataclass(frozen=True)
class Fix:
    """What one click can do about it: values by field, or by text field what is replaced in it (old, new); and what the button says."""

    values: dict[str, Any]
    label: str
    swaps: dict[str, tuple[str, str]] = field(default_factory=dict)

    @staticmethod
    def use(field: str, value: Any, shown: str = "") -> Fix:
        """Another value for a field; `shown` is how people call it."""
        return Fix({field: value}, f"Use {shown or (int(value) if isinstance(value, float) and value.is_integer() else value)}")


class StudioError(Exception):
    """Base of all errors with a sentence for the user."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400

    def __init__(self, message: str, *, hint: str = "", field: str = "", traceback: str = "", fix: Fix | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field
        self.traceback = traceback
        self.fix = fix

    def wire(self) -> ErrorWire:
        fix = asdict(self.fix) if self.fix else {}
        return ErrorWire(code=self.code, message=self.message, hint=self.hint, field=self.field, traceback=self.traceback, fix=fix)

    @staticmethod
    def from_wire(wire: ErrorWire) -> StudioError:
        kind = _by_code().get(wire["code"], StudioError)
        fix = wire.get("fix")  # jobs of older studios have none
        return kind(wire["message"], hint=wire["hint"], field=wire["field"], traceback=wire["traceback"], fix=Fix(**fix) if fix else None)


class BadInput(StudioError):
    """A value is refused at the door; `.field` names it."""

    code = "bad_input"
    status = 422


class Misread(BadInput):
    """A text that somebody wrote is refused at a character of it. `line` and `column` count from 1; `sentence` is the message without them."""

    def __init__(self, message: str, *, line: int, column: int, hint: str = "", field: str = "", fix: Fix | None = None) -> None:
        super().__init__(f"Line {line}, column {column}: {message}", hint=hint, field=field, fix=fix)
        self.sentence, self.line, self.column = message, line, column


class NotFound(StudioError):
    code = "not_found"
    status = 404


class NotAllowed(StudioError):
    code = "not_allowed"
    status = 403


class ModelMissing(StudioError):
    code = "model_missing"
    status = 409


class ModelBroken(StudioError):
    """The file is truncated, corrupt or of an architecture that no engine reads."""

    code = "model_broken"
    status = 422


class ModelTooLarge(StudioError):
    code = "model_too_large"
    status = 507


class ContextOverflow(StudioError):
    code = "context_overflow"
    status = 422


class QueueFull(StudioError):
    code = "queue_full"
    status = 429


class DiskFull(StudioError):
    code = "disk_full"
    status = 507


class StorageFull(StudioError):
    """A visitor keeps as much here as the studio's owner allows."""

    code = "storage_full"
    status = 507


class WorkerDied(StudioError):
    code = "worker_died"
    status = 500


class ExtensionFailed(StudioError):
    code = "extension_failed"
    status = 500


class DownloadFailed(StudioError):
    code = "download_failed"
    status = 502


class DataFolderInUse(StudioError):
    code = "data_folder_in_use"
    status = 409


class PortTaken(StudioError):
    code = "port_taken"
    status = 409


class InternalError(StudioError):
    """A bug, told to the user as such: the traceback is in the job's details."""

    code = "internal"
    status = 500


class Stopped(Exception):
    """Raised inside a pipeline by `ctx.progress()` once the user pressed Stop; never caught there."""


def _by_code() -> dict[str, type[StudioError]]:
    found: dict[str, type[StudioError]] = {}
    todo: list[type[StudioError]] = [StudioError]
    while todo:
        kind = todo.pop()
        if "code" in vars(kind):  # a subclass without a code of its own arrives as its parent
            found[kind.code] = kind
        todo.extend(kind.__subclasses__())
    return found
