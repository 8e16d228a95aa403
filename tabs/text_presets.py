"""Named sampler sets: a few that are shipped, and each person's own."""

from __future__ import annotations

from typing import Any

from studio.api import Studio

KIND = "preset"
SHIPPED: dict[str, dict[str, Any]] = {
    "Balanced": {"temperature": 0.6, "top_p": 0.9, "min_p": 0.1, "repetition_penalty": 1.0},
    "Precise": {"temperature": 0.2, "top_p": 0.9, "min_p": 0.1, "repetition_penalty": 1.0},
    "Creative": {"temperature": 1.1, "top_p": 1.0, "min_p": 0.05, "repetition_penalty": 1.0},
    "Neutral": {"temperature": 1.0, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0},
}


def preset_names(studio: Studio, owner: str) -> list[str]:
    own = [document.title for document in studio.store.documents(KIND, owner=owner)]
    return [*SHIPPED, *(name for name in own if name not in SHIPPED)]


def preset_values(studio: Studio, owner: str, name: str) -> dict[str, Any]:
    """The sampler values of a preset; {} for an unknown name."""
    if name in SHIPPED:
        return SHIPPED[name]
    return next((document.body for document in studio.store.documents(KIND, owner=owner) if document.title == name), {})


def save_preset(studio: Studio, owner: str, name: str, values: dict[str, Any]) -> None:
    """Replaces one's own of that name; the shipped ones keep theirs."""
    old = next((document.id for document in studio.store.documents(KIND, owner=owner) if document.title == name), "")
    studio.store.put_document(kind=KIND, owner=owner, title=name, body=values, id=old)


def delete_preset(studio: Studio, owner: str, name: str) -> None:
    for document in studio.store.documents(KIND, owner=owner):
        if document.title == name:
            studio.store.delete_document(document.id, owner=owner)
