"""Prompts for the encoders of Stable Diffusion 3 and FLUX, which their own pipelines ask: weights on the states they answer with, changes at steps.

A prompt without weights and changes is left to the pipeline. Source: the behaviour of Forge with these families, as its users know it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from pipelines.image.nets.conditioning import Conditioning, Encoded, keep_mean
from pipelines.image.nets.handover import replaced
from pipelines.image.nets.model import ImageModel
from pipelines.image.prompt.grammar import parse
from pipelines.image.prompt.schedule import Span, emphasised, schedule, weighs


def spoken(model: ImageModel, prompt: str, negative: str | None, steps: int, *, before: int = 0, emphasis: str = "Original") -> Conditioning | None:
    """All that is needed over the steps; None where the pipeline needs no help with these words. `negative` is None where nothing is guided away from."""
    wanted, unwanted = (schedule(emphasised(parse(text), emphasis), steps, before) if text is not None else [] for text in (prompt, negative))
    if not (weighs(wanted) or weighs(unwanted)):
        return None
    found = {span.sides: _encoded(model, span, emphasis != "No norm") for span in (*wanted, *unwanted)}  # steps that say the same share one
    return Conditioning([(span.until, found[span.sides]) for span in unwanted], [(span.until, [(found[span.sides], 1.0)]) for span in wanted])


def _encoded(model: ImageModel, span: Span, norm: bool) -> Encoded:
    """What the pipeline's encoders say of the words, each part of the states scaled by the weights of its own tokens."""
    pipe, text = model.pipe, span.text
    if hasattr(pipe, "tokenizer_3"):
        states, _, pooled, _ = pipe.encode_prompt(prompt=[text], prompt_2=None, prompt_3=None, do_classifier_free_guidance=False)
        parts = [(pipe.tokenizer, pipe.tokenizer_max_length), (pipe.tokenizer_3, states.shape[1] - pipe.tokenizer_max_length)]  # without a T5 the last are zeros
    else:
        states, pooled, _ = pipe.encode_prompt(prompt=[text], prompt_2=None)
        parts = [(pipe.tokenizer_2, states.shape[1])]
    found = []
    for (tokenizer, length), part in zip(parts, states.split([length for _, length in parts], 1), strict=True):
        weights = token_weights(tokenizer, span, length) if tokenizer is not None else [1.0] * length
        scaled = part * torch.tensor(weights, device=part.device, dtype=part.dtype)[None, :, None]
        found.append(part if set(weights) == {1.0} else keep_mean(part, scaled) if norm else scaled)
    return Encoded(torch.cat(found, 1), pooled)


def token_weights(tokenizer: Any, span: Span, length: int) -> list[float]:
    """Of each of an encoder's tokens, by the letter at which it ends; marks and filling weigh 1."""
    letters = [weight for text, weight in span.runs for _ in text]
    told = tokenizer(span.text, truncation=True, max_length=length, padding="max_length", return_offsets_mapping=True, verbose=False)
    return [letters[end - 1] if end > begin else 1.0 for begin, end in told["offset_mapping"]]


@contextlib.contextmanager
def recited(network: Any, conditioning: Conditioning, step: Callable[[], int], guides: bool, *, perturbed: bool = False) -> Iterator[None]:
    """While open, the transformer reads the words that `step()` is due, in the order of the pipeline's rows: the negative prompt's first, the prompt's twice where attention is perturbed."""
    if conditioning.constant:
        yield
        return

    def make(forward: Callable[..., Any]) -> Callable[..., Any]:
        def reading(**named: Any) -> Any:
            now = step()
            prompt = conditioning.positive_at(now)[0][0]
            sides = [*([conditioning.negative_at(now)] if guides else []), *[prompt] * (2 if perturbed else 1)]
            rows = len(named["hidden_states"]) // len(sides)
            states, pooled = (torch.cat([part.repeat(rows, *[1] * (part.ndim - 1)) for part in parts]) for parts in zip(*((side.states, side.pooled) for side in sides), strict=True))
            return forward(**(named | {"encoder_hidden_states": states.to(named["encoder_hidden_states"].dtype), "pooled_projections": pooled.to(named["pooled_projections"].dtype)}))

        return reading

    with replaced(network, make):
        yield
