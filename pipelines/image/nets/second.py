"""A second model that draws the last steps: in one run of the sampler the network is handed over, with its own reading of the prompt.

With the SDXL refiner this is diffusers' ensemble of expert denoisers; two checkpoints over the same latents work alike.
Source: Podell et al., SDXL, 2023, section 2.5; Balaji et al., eDiff-I, 2022.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from pipelines.image.nets.conditioning import Conditioning
from pipelines.image.nets.handover import replaced

GOOD, BAD = 6.0, 2.5  # the beauty scores that a refiner is told for the prompt and for the negative prompt, as diffusers' defaults
FIRST_IDS = 4  # of the sizes that SDXL is told, those that a refiner is told too: the original size and the crop


@contextlib.contextmanager
def handed_over(network: Any, second: Any, conditioning: Conditioning, due: Callable[[], bool], guides: bool) -> Iterator[None]:
    """While open, `network` answers itself until `due()`, then `second` does. Both are UNets; the second reads no more channels than there are."""
    positive, negative = conditioning.positive_at(0)[0][0], conditioning.negative_at(0)

    def make(forward: Callable[..., Any]) -> Callable[..., Any]:
        def either(sample: Any, timestep: Any, *args: Any, **named: Any) -> Any:
            if not due():
                return forward(sample, timestep, *args, **named)
            rows = len(sample) // 2 if guides else len(sample)
            sides = [negative, positive] if guides else [positive]
            states = torch.cat([side.states.repeat(rows, 1, 1) for side in sides]).to(sample.dtype)
            more: dict[str, Any] = {}
            sizes = named.get("added_cond_kwargs") or {}
            if "time_ids" in sizes:
                pooled = torch.cat([side.pooled.repeat(rows, 1) for side in sides]).to(sample.dtype)
                more["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": _sizes(second, sizes["time_ids"], pooled.shape[-1], rows, guides)}
            return second(sample[:, : second.config.in_channels], timestep, encoder_hidden_states=states, return_dict=False, **more)

        return either

    with replaced(network, make):
        yield


def _sizes(second: Any, ids: Any, pooled: int, rows: int, guides: bool) -> Any:
    """As many numbers as the second network is told: a refiner takes a beauty score in the place of the target size."""
    count = (second.config.projection_class_embeddings_input_dim - pooled) // second.config.addition_time_embed_dim
    if count == ids.shape[1]:
        return ids
    score = torch.tensor([BAD] * rows + [GOOD] * rows if guides else [GOOD] * rows, device=ids.device, dtype=ids.dtype)
    return torch.cat([ids[:, :FIRST_IDS], score[:, None]], 1)
