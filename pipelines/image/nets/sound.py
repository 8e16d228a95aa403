"""Whether numbers stayed numbers: what overflowed would be a black picture. A decoder whose half precision overflows is asked again in full."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from pipelines.image.memory import IN_FULL
from studio.api import BadInput


def sound(values: Any) -> bool:
    return bool(torch.isfinite(values).all())


def decoded(decoder: Any, decode: Callable[..., Any], notes: list[str], latents: Any, *args: Any, **named: Any) -> Any:
    """What `decode` says of the latents. Raises BadInput where they are no numbers any more, or become none."""
    if not sound(latents):
        raise overflowed()
    told = decode(latents, *args, **named)
    if sound(_pixels(told)):
        return told
    own = decoder.dtype
    if own == torch.float32:
        raise overflowed()
    decoder.to(torch.float32)  # back and forth changes no weight
    try:
        told = decode(latents.float(), *args, **named)
    finally:
        decoder.to(own)
    if not sound(_pixels(told)):
        raise overflowed()
    notes.append(IN_FULL)
    return told


def _pixels(told: Any) -> Any:
    return told[0] if isinstance(told, tuple) else told.sample


def overflowed() -> BadInput:
    hint = "Choose smaller weights in the prompt or a lower CFG scale; with half precision, set Precision to Full."
    return BadInput("The numbers grew out of bounds while it was drawn: the picture would be black.", hint=hint, field="prompt")
