"""{a|b|c} in a prompt becomes one of them. The seed decides, so that a result can be made again."""

from __future__ import annotations

import random
import re

from studio.api import hookimpl

CHOICE = re.compile(r"\{([^{}\n]*\|[^{}\n]*)\}")
MAX_ROUNDS = 50


@hookimpl
def on_prompt(pipeline_id: str, prompt: str, seed: int) -> str:
    """Innermost first; braces without a bar are left alone, so code and JSON stay as they are."""
    pick = random.Random(seed)
    for _ in range(MAX_ROUNDS):
        expanded = CHOICE.sub(lambda found: pick.choice(found[1].split("|")), prompt)
        if expanded == prompt:
            break
        prompt = expanded
    return prompt
