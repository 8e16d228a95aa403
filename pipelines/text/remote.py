"""Placeholder while the transformers engine is written."""

from __future__ import annotations

from pipelines.text.llama_cpp import LlamaCppEngine


class RemoteEngine(LlamaCppEngine):
    pass
