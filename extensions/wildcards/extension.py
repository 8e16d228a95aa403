"""{a|b|c} in a prompt becomes one of them. The seed decides, so that a result can be made again."""

from __future__ import annotations

import random
import re
from typing import Any, ClassVar

from pydantic import Field

from studio.api import ExtensionParams, hookimpl

CHOICE = re.compile(r"\{([^{}\n]*\|[^{}\n]*)\}")
MAX_ROUNDS = 50


class WildcardParams(ExtensionParams):
    """One field in the form of every method that has a prompt."""

    title: ClassVar[str] = "Wildcards"
    pipelines: ClassVar[tuple[str, ...]] = ("text.complete", "image.")

    expand: bool = Field(True, title="Expand {a|b}", description="Off keeps the braces as they are written.")


@hookimpl
def register_settings() -> list[type[ExtensionParams]]:
    return [WildcardParams]


@hookimpl
def on_prompt(prompt: str, seed: int, extras: dict[str, Any]) -> str:
    """Innermost first; braces without a bar are left alone, so code and JSON stay as they are."""
    if not extras.get("wildcards", {}).get("expand", True):
        return prompt
    pick = random.Random(seed)
    for _ in range(MAX_ROUNDS):
        expanded = CHOICE.sub(lambda found: pick.choice(found[1].split("|")), prompt)
        if expanded == prompt:
            break
        prompt = expanded
    return prompt
