"""Guidance rescale in every mode: what guidance made of the network's answers gets back the spread that the prompt's own answer has.

diffusers' calls know it for some modes only; here it stands between guidance and the scheduler, where diffusers has it.
Source: Lin et al., Common diffusion noise schedules and sample steps are flawed, 2024, section 3.4.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

from pipelines.image.nets.handover import replaced, replaced_method


@contextlib.contextmanager
def rescaled(network: Any, scheduler: Any, share: float, prompt: int) -> Iterator[None]:
    """While open, each step of the scheduler gets the guided answer rescaled by `share`; of the parts that the network answers at once, the prompt's has that place."""
    heard: list[Any] = []

    def listening(forward: Callable[..., Any]) -> Callable[..., Any]:
        def hear(*args: Any, **named: Any) -> Any:
            told = forward(*args, **named)
            heard[:] = [told[0]]
            return told

        return hear

    def stepping(step: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(step)  # diffusers looks at its signature
        def rescaling(output: Any, *args: Any, **named: Any) -> Any:
            parts = heard[0].split(len(output))
            return step(rescale_noise_cfg(output, parts[prompt], share) if len(parts) > 1 else output, *args, **named)

        return rescaling

    with replaced(network, listening), replaced_method(scheduler, "step", stepping):
        yield
