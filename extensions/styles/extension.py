"""Styles: saved prompts that are joined with the one that was written. They travel with the job, so a picture's metadata keeps both."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from studio.api import ExtensionParams, hookimpl, joined, ui

MOST_STYLES = 20
PROMPTED = ("image.generate", "image.grid")


class StyleParams(ExtensionParams):
    """The page has its own way to choose them; others give their texts."""

    title: ClassVar[str] = "Styles"
    pipelines: ClassVar[tuple[str, ...]] = PROMPTED

    styles: list[dict[str, str]] = Field([], max_length=MOST_STYLES, title="Styles", description="Joined with the prompt in this order, each with name, prompt and negative_prompt.", json_schema_extra=ui(widget="hidden"))


@hookimpl
def register_settings() -> list[type[ExtensionParams]]:
    return [StyleParams]


@hookimpl
def before_run(pipeline_id: str, values: dict[str, Any], extras: dict[str, Any]) -> dict[str, Any]:
    """Both prompts with the styles joined."""
    if pipeline_id not in PROMPTED:
        return values
    for style in extras.get("styles", {}).get("styles", []):
        values = values | {name: joined(str(values.get(name, "")), style.get(name, "")) for name in ("prompt", "negative_prompt")}
    return values
