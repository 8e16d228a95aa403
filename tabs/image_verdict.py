"""Beside a button that makes pictures: whether the job fits, and how long it takes by the pace of earlier ones. No gradio."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from studio.api import Studio
from tabs.job_follow import duration


def verdict(studio: Studio, pipeline_id: str, values: dict[str, Any], lang: str, notes: Sequence[str] = ()) -> str:
    """HTML; `notes` are the page's own. Raises BadInput for values that the pipeline has no use for."""
    say, pipeline = studio.words.say, studio.pipelines[pipeline_id]
    need = studio.jobs.verdict(pipeline, pipeline.Params.parse(values))
    if need.missing:
        return html.escape(say(lang, need.missing))
    used, budget = need.weight_bytes + need.working_bytes, studio.jobs.worker_status()["budget_bytes"]
    told = [say(lang, "Fits: {used} of {all}" if used <= budget else "Too large: {used} of {all}", used=size(used), all=size(budget))]
    told += [say(lang, word) for word in need.facts.get("placement", [])]
    if need.seconds >= 0:
        key, number = duration(need.seconds)
        told.append(say(lang, key, n=number))
    return html.escape(" · ".join(told + [say(lang, note) for note in (*notes, *need.notes)]))


def size(number: int) -> str:
    return f"{number / 2**30:.1f} GB" if number >= 2**30 else f"{number / 2**20:.0f} MB"
