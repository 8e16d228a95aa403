"""The hook specifications, HOOK_API = 1. Their docstrings are the extension documentation.

Three verbs: collect (every implementation gives a list), chain (a value passes through all of them),
notify (all are told). A transform that fails fails that job; an observer that fails is only reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

from studio.events import Event
from studio.params import ExtensionParams
from studio.pipeline import Pipeline

if TYPE_CHECKING:
    from studio.entries import ModelEntry
    from studio.host import Output, Route, Studio, Tab
    from studio.settings import Settings
    from studio.simulation import Simulation, Simulations

HOOK_API = 1
PROJECT = "seisei"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

COLLECT = ("register_pipelines", "register_tabs", "register_settings", "register_routes", "register_models", "register_simulations")
CHAIN = ("before_run", "after_run", "on_text_input", "on_text_output", "on_prompt")
NOTIFY = ("on_event", "on_saved", "on_model_loaded", "startup", "shutdown")
PLAIN = frozenset({*CHAIN, "on_event", "on_saved", "on_model_loaded"})  # take and give plain data: they can run in another process


class HookSpecs:
    """What an extension can implement. Arguments are passed by name: take only those you need."""

    @hookspec
    def register_pipelines(self, simulations: Simulations) -> list[Pipeline]:
        """Collect: pipeline objects to add. Each gets controls, a REST route, metadata and history from its Params. `simulations` finds the models of register_simulations."""
        raise NotImplementedError

    @hookspec
    def register_simulations(self) -> list[Simulation]:
        """Collect: models to add to the simulation gallery. Each gets sliders, live view, plots, experiments, learning from data and API from its declaration."""
        raise NotImplementedError

    @hookspec
    def register_tabs(self, studio: Studio) -> list[Tab]:
        """Collect: tabs to draw. `build(studio)` is called inside the page's Blocks."""
        raise NotImplementedError

    @hookspec
    def register_settings(self) -> list[type[ExtensionParams]]:
        """Collect: ExtensionParams classes, this extension's own fields in other methods' forms; they come as extras[extension name]."""
        raise NotImplementedError

    @hookspec
    def register_routes(self, studio: Studio) -> list[Route]:
        """Collect: HTTP routes to serve, behind the same sign-in as the page."""
        raise NotImplementedError

    @hookspec
    def register_models(self, settings: Settings) -> list[ModelEntry]:
        """Collect: models that are not files on disk (a remote server's, say)."""
        raise NotImplementedError

    @hookspec
    def before_run(self, pipeline_id: str, values: dict[str, Any], extras: dict[str, Any]) -> dict[str, Any]:
        """Chain `values`: change a job's parameters before they are validated and queued."""
        raise NotImplementedError

    @hookspec
    def after_run(self, pipeline_id: str, values: dict[str, Any], artifacts: list[Any], extras: dict[str, Any]) -> list[Any]:
        """Chain `artifacts`: change finished artifacts before they are saved (a watermark, say)."""
        raise NotImplementedError

    @hookspec
    def on_text_input(self, pipeline_id: str, text: str, extras: dict[str, Any]) -> str:
        """Chain `text`: change what the user wrote before the model sees it."""
        raise NotImplementedError

    @hookspec
    def on_text_output(self, pipeline_id: str, text: str, extras: dict[str, Any]) -> str:
        """Chain `text`: change the finished answer. API streams are held back while anybody implements this."""
        raise NotImplementedError

    @hookspec
    def on_prompt(self, pipeline_id: str, prompt: str, seed: int, extras: dict[str, Any], user_data: str) -> str:
        """Chain `prompt`: expand a prompt (wildcards, styles). The same seed must give the same prompt. `user_data` is the data folder's path."""
        raise NotImplementedError

    @hookspec
    def on_event(self, job_id: str, event: Event) -> None:
        """Notify: every event of every job."""

    @hookspec
    def on_saved(self, output: Output) -> None:
        """Notify: an output was saved."""

    @hookspec
    def on_model_loaded(self, key: str, bytes: int) -> None:
        """Notify: a model was loaded in a worker."""

    @hookspec
    def startup(self, studio: Studio) -> None:
        """Notify: the page is up."""

    @hookspec
    def shutdown(self, studio: Studio) -> None:
        """Notify: the studio is closing."""
