"""{a|b|c} and __file__ in a prompt become one of their choices. The seed decides, so that a result can be made again."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from studio.api import ExtensionParams, hookimpl

from .expansion import Expansion
from .library import Library

FOLDER = "wildcards"


class WildcardParams(ExtensionParams):
    """One field in the form of every method that has a prompt."""

    title: ClassVar[str] = "Wildcards"
    pipelines: ClassVar[tuple[str, ...]] = ("text.complete", "image.")

    expand: bool = Field(True, title="Expand {a|b} and __file__", description="Off keeps them as they are written. Files of words, one choice a line, lie in the folder wildcards of your data.")


@hookimpl
def register_settings() -> list[type[ExtensionParams]]:
    return [WildcardParams]


@hookimpl
def on_prompt(pipeline_id: str, prompt: str, seed: int, extras: dict[str, Any], user_data: str) -> str:
    if not extras.get("wildcards", {}).get("expand", True) or not any(sign in prompt for sign in ("{", "__")):
        return prompt
    return Expansion(random.Random(seed), Library(Path(user_data) / FOLDER), pictures=pipeline_id.startswith("image.")).expand(prompt)
