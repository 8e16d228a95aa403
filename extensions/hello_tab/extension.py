"""A tab and a pipeline of one's own. This file only registers: the pipeline is in names.py, the tab in tab.py."""

from __future__ import annotations

from studio.api import Pipeline, Studio, Tab, hookimpl

from .names import Names


@hookimpl
def register_pipelines() -> list[Pipeline]:
    return [Names()]


@hookimpl
def register_tabs(studio: Studio) -> list[Tab]:
    from .tab import NamesTab  # Gradio is slow to import, and the worker needs the pipeline only

    return [NamesTab()]
