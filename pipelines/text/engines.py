"""Which engine runs a model entry. New engines are added here."""

from __future__ import annotations

from pipelines.text import llama_cpp
from pipelines.text.engine import Engine
from pipelines.text.hf import TransformersEngine
from pipelines.text.remote import RemoteEngine
from studio.api import ModelBroken, ModelEntry


def engine_for(entry: ModelEntry) -> Engine:
    """Raises ModelBroken if no engine reads this format."""
    if entry.format == "remote":
        return RemoteEngine()
    if entry.format == "gguf" and llama_cpp.available():
        return llama_cpp.LlamaCppEngine()
    if entry.format in ("gguf", "transformers", "safetensors"):
        return TransformersEngine()
    raise ModelBroken(
        f"“{entry.title}” is in a format that no text engine reads ({entry.format}).",
        hint="Choose a GGUF file or a transformers folder.",
        field="model",
    )
