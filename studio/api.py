"""The only module that pipelines and extensions import. What is named here is public; HOOK_API is its version."""

from __future__ import annotations

from studio.artifacts import Artifact, Result
from studio.catalog import Catalog
from studio.entries import ModelEntry
from studio.errors import (
    BadInput,
    ContextOverflow,
    DownloadFailed,
    ExtensionFailed,
    Fix,
    InternalError,
    ModelBroken,
    ModelMissing,
    ModelTooLarge,
    NotAllowed,
    NotFound,
    QueueFull,
    Stopped,
    StudioError,
    WorkerDied,
)
from studio.events import (
    FINAL,
    Cancelled,
    Done,
    Event,
    Failed,
    Frame,
    Loading,
    Preview,
    Progress,
    Queued,
    Saved,
    Stats,
    Text,
)
from studio.hooks import HOOK_API, hookimpl
from studio.host import Output, Route, Studio, Tab
from studio.i18n import language
from studio.inputs import Inputs
from studio.memory.devices import has_bfloat16
from studio.memory.manager import give_back
from studio.metadata import parameters_text
from studio.params import ExtensionParams, Params, ui
from studio.pipeline import Desk, Lane, Looks, ModelManager, ModelSpec, Need, Paced, Pipeline, Places, RunContext, Stopping
from studio.settings import Settings

__all__ = [
    "FINAL",
    "HOOK_API",
    "Artifact",
    "BadInput",
    "Cancelled",
    "Catalog",
    "ContextOverflow",
    "Desk",
    "Done",
    "DownloadFailed",
    "Event",
    "ExtensionFailed",
    "ExtensionParams",
    "Failed",
    "Fix",
    "Frame",
    "Inputs",
    "InternalError",
    "Lane",
    "Loading",
    "Looks",
    "ModelBroken",
    "ModelEntry",
    "ModelManager",
    "ModelMissing",
    "ModelSpec",
    "ModelTooLarge",
    "Need",
    "NotAllowed",
    "NotFound",
    "Output",
    "Paced",
    "Params",
    "Pipeline",
    "Places",
    "Preview",
    "Progress",
    "QueueFull",
    "Queued",
    "Result",
    "Route",
    "RunContext",
    "Saved",
    "Settings",
    "Stats",
    "Stopped",
    "Stopping",
    "Studio",
    "StudioError",
    "Tab",
    "Text",
    "WorkerDied",
    "give_back",
    "has_bfloat16",
    "hookimpl",
    "language",
    "parameters_text",
    "ui",
]
