"""Artifact and Result: what a pipeline returns. metadata inside every file kind lives in studio/metadata.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["text", "image", "audio", "midi", "video", "table", "model", "json"]


@dataclass(frozen=True)
class Artifact:
    """One finished thing: encoded bytes (PNG, WAV, UTF-8 text …) and its file suffix, dot included.

    `title` names it in the gallery, `facts` are small extra facts kept in the metadata.
    """

    kind: Kind
    data: bytes
    suffix: str
    title: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, Any] = field(default_factory=dict)  # {"pipeline", "params"} where another method with other values made it


@dataclass(frozen=True)
class Result:
    """What a run gives back; `summary` is small JSON shown beside the result (tokens, seconds, finish reason)."""

    artifacts: list[Artifact] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
