"""Beside a button that makes pictures: whether the job fits, and how long it takes by the pace of earlier ones. No gradio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.api import Studio
from tabs.job_follow import verdict_html


def verdict(studio: Studio, pipeline_id: str, values: dict[str, Any], lang: str, notes: Sequence[str] = ()) -> str:
    """HTML; `notes` are the page's own. Raises BadInput for values that the pipeline has no use for."""
    pipeline = studio.pipelines[pipeline_id]
    return verdict_html(studio, studio.jobs.verdict(pipeline, pipeline.Params.parse(values)), lang, notes)
