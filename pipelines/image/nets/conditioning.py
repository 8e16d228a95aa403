"""Prompts for CLIP's encoders: chunks of 75 tokens with comma back-tracking, weights on the states, several prompts side by side, changes at steps.

Source: the behaviour that AUTOMATIC1111's documentation describes; weights scale the states and the mean is kept ("Emphasis: Original").
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from pipelines.image.embeddings import Embedding, Vocabulary
from pipelines.image.nets.handover import replaced
from pipelines.image.nets.model import ImageModel
from pipelines.image.nets.vectors import Vector, in_place, vectors_of
from pipelines.image.prompt import chunks as cut
from pipelines.image.prompt.grammar import parse
from pipelines.image.prompt.schedule import Piece, Side, Span, emphasised, schedule

Chunk = list[tuple[int | Vector, float]]


@dataclass
class Encoded:
    """`states` [1, tokens, width]; `pooled` [1, width] for the families that want one."""

    states: Any
    pooled: Any = None


@dataclass
class Conditioning:
    """What the network gets at each step: the negative prompt and one or more prompts with weights."""

    negative: list[tuple[int, Encoded]]
    positive: list[tuple[int, list[tuple[Encoded, float]]]]

    def negative_at(self, step: int) -> Encoded:
        return next((found for until, found in self.negative if step < until), self.negative[-1][1])

    def positive_at(self, step: int) -> list[tuple[Encoded, float]]:
        return next((found for until, found in self.positive if step < until), self.positive[-1][1])

    @property
    def constant(self) -> bool:
        """One prompt, without weight of its own, through all steps: diffusers' loop needs no help."""
        return len(self.negative) <= 1 and len(self.positive) == 1 and len(self.positive[0][1]) == 1 and self.positive[0][1][0][1] == 1.0


def condition(model: ImageModel, prompt: str, negative: str, steps: int, clip_skip: int, vocabulary: Vocabulary | None = None, *, before: int = 0, emphasis: str = "Original") -> Conditioning:
    """All that is needed over the steps; every chunk is padded to the longest, so that the two halves of guidance fit."""
    wanted, unwanted = (schedule(emphasised(parse(text), emphasis), steps, before) for text in (prompt, negative))
    sides = [side for span in wanted for side in span.sides] + [side for span in unwanted for side in span.sides]
    tokenizer = model.pipe.tokenizer or model.pipe.tokenizer_2  # a refiner has the second alone
    chunks = max(len(chunked(tokenizer, side.pieces, vocabulary)) for side in sides)
    stamps = tuple(found.stamp for found in vocabulary.named([*wanted, *unwanted])) if vocabulary else ()

    def encoded(side: Side, *, empty_is_zero: bool = False) -> Encoded:
        key = (side.pieces, chunks, clip_skip, empty_is_zero, emphasis == "No norm", tuple(sorted(model.adapters.items())), stamps)
        return model.recall(key, lambda: encode(model, side, chunks, clip_skip, empty_is_zero, vocabulary, norm=emphasis != "No norm"))

    def negative_of(span: Span) -> Encoded:
        zero = bool(getattr(model.pipe.config, "force_zeros_for_empty_prompt", False))
        return encoded(span.sides[0], empty_is_zero=zero and not span.sides[0].pieces)

    return Conditioning([(span.until, negative_of(span)) for span in unwanted], [(span.until, [(encoded(side), side.weight) for side in span.sides]) for span in wanted])


def chunked(tokenizer: Any, pieces: tuple[Piece, ...], vocabulary: Vocabulary | None = None) -> list[Chunk]:
    """Chunks of (token, weight) of an encoder, without begin and end."""
    comma = tokenizer(",", add_special_tokens=False).input_ids[-1:]

    def split(text: str) -> list[str | list[Vector]]:
        return [vectors_of(part) if isinstance(part, Embedding) else part for part in vocabulary.split(text)] if vocabulary else [text]

    return cut.chunked(pieces, lambda text: tokenizer(text, add_special_tokens=False, verbose=False).input_ids, lambda token: [token] == comma, tokenizer.model_max_length - 2, split)


def encode(model: ImageModel, side: Side, chunks: int, clip_skip: int, zero: bool, vocabulary: Vocabulary | None = None, *, norm: bool = True) -> Encoded:
    """All chunks through all of the family's CLIP encoders, joined along the tokens."""
    pipe = model.pipe
    pairs = [(pipe.tokenizer, pipe.text_encoder), (getattr(pipe, "tokenizer_2", None), getattr(pipe, "text_encoder_2", None))]
    states, pooled = [], None
    for place, (tokenizer, encoder) in enumerate(pairs):
        if encoder is None:
            continue
        parts = chunked(tokenizer, side.pieces, vocabulary)
        parts += [[] for _ in range(chunks - len(parts))]
        joined = []
        for number, part in enumerate(parts):
            state, first = _chunk(pipe, tokenizer, encoder, part, clip_skip, place, norm)
            joined.append(state)
            if number == 0 and first is not None:
                pooled = first
        states.append(torch.cat(joined, 1))  # [1, chunks · tokens, width]
    whole = torch.cat(states, -1)
    if zero:
        whole, pooled = torch.zeros_like(whole), None if pooled is None else torch.zeros_like(pooled)
    return Encoded(whole, pooled)


def _chunk(pipe: Any, tokenizer: Any, encoder: Any, part: Chunk, clip_skip: int, place: int, norm: bool) -> tuple[Any, Any]:
    size = tokenizer.model_max_length
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    padding = tokenizer.pad_token_id
    tokens = [begin, *(token for token, _ in part), end]
    two = getattr(pipe, "text_encoder_2", None) is not None  # Stable Diffusion XL reads the layer before the last
    with torch.no_grad(), in_place(encoder, tokens + [padding] * (size - len(tokens)), place) as numbers:
        ids = torch.tensor([numbers], device=pipe._execution_device)  # the encoder's weights may lie elsewhere until it is called
        if two:
            told = encoder(ids, output_hidden_states=True)
            state = told.hidden_states[-(clip_skip + 1)]
        elif clip_skip > 1:
            told = encoder(ids, output_hidden_states=True)
            state = final_norm(encoder)(told.hidden_states[-clip_skip])
        else:
            told = encoder(ids)
            state = told[0]
    weights = [weight for _, weight in part]
    if any(weight != 1.0 for weight in weights):
        scale = torch.tensor([1.0, *weights, *[1.0] * (size - 1 - len(weights))], device=state.device, dtype=state.dtype)
        state = keep_mean(state, state * scale[None, :, None]) if norm else state * scale[None, :, None]
    pooled = told[0] if two and told[0].ndim == 2 else None
    return state, pooled


def keep_mean(before: Any, after: Any) -> Any:
    """`after` with the mean of `before`; unchanged where an encoder's mean is nothing but rounding, by which nothing can be divided."""
    mean, spread = before.float().mean(), before.float().std()
    if mean.abs() < 1e-4 * spread or after.float().mean().abs() < 1e-4 * spread:
        return after
    return after * (mean / after.float().mean()).to(after.dtype)


def final_norm(encoder: Any) -> Any:
    """The text model's last normalisation, whose place differs between versions of transformers."""
    inner = getattr(encoder, "text_model", encoder)
    return inner.final_layer_norm


@contextlib.contextmanager
def guided(network: Any, conditioning: Conditioning, step: Callable[[], int], guides: bool, *, perturbed: bool = False) -> Iterator[None]:
    """While open, the network gets what `step()` is due: diffusers' loop asks for one pair, several prompts are joined into it by their weights.

    With negative n and prompts p of weights w it answers (n, n + Σ w (p − n)), so that guidance gives n + scale · Σ w (p − n).
    Source: Liu et al., Compositional visual generation with composable diffusion models, 2022.
    """
    if conditioning.constant:
        yield
        return

    def make(forward: Callable[..., Any]) -> Callable[..., Any]:
        def joined(sample: Any, timestep: Any, encoder_hidden_states: Any, *args: Any, **named: Any) -> Any:
            rows = sample.shape[0]
            if perturbed:
                return (_perturbed(forward, conditioning, step(), guides, sample, timestep, args, named),)
            half = rows // 2 if guides else rows
            positive = conditioning.positive_at(step())

            def answer(encoded: Encoded, part: slice = slice(-half, None)) -> Any:
                more = _with_pooled(named, encoded, part, rows) | {"return_dict": False}
                return forward(sample[part], timestep, encoded.states.to(sample.dtype).repeat(half, 1, 1), *args, **more)[0]

            if not guides:
                total = sum(weight for _, weight in positive) or 1.0
                return (sum(answer(encoded) * (weight / total) for encoded, weight in positive),)
            base = answer(conditioning.negative_at(step()), slice(0, half))
            return (torch.cat([base, base + sum(weight * (answer(encoded) - base) for encoded, weight in positive)]),)

        return joined

    with replaced(network, make):
        yield


def _perturbed(forward: Callable[..., Any], conditioning: Conditioning, step: int, guides: bool, sample: Any, timestep: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """The same where a last part of the rows is answered with perturbed attention, which layers do by the rows' order: all of them are asked at once for each prompt."""
    parts = 3 if guides else 2
    each = len(sample) // parts
    positive = conditioning.positive_at(step)
    negative = conditioning.negative_at(step)

    def answer(encoded: Encoded) -> list[Any]:
        sides = [negative, encoded, encoded][-parts:]
        states = torch.cat([side.states.repeat(each, 1, 1) for side in sides]).to(sample.dtype)
        more = dict(named)
        if encoded.pooled is not None and "text_embeds" in (named.get("added_cond_kwargs") or {}):
            more["added_cond_kwargs"] = named["added_cond_kwargs"] | {"text_embeds": torch.cat([side.pooled.repeat(each, 1) for side in sides]).to(sample.dtype)}
        return list(forward(sample, timestep, states, *args, **(more | {"return_dict": False}))[0].chunk(parts))

    told = [(answer(encoded), weight) for encoded, weight in positive]
    if not guides:
        total = sum(weight for _, weight in positive) or 1.0
        return torch.cat([sum(found[place] * (weight / total) for found, weight in told) for place in range(2)])
    base = told[0][0][0]
    return torch.cat([base, *(base + sum(weight * (found[place] - base) for found, weight in told) for place in (1, 2))])


def _with_pooled(named: dict[str, Any], encoded: Encoded, part: slice, rows: int) -> dict[str, Any]:
    """Further conditions (Stable Diffusion XL's sizes, a reference picture's tokens) for one half of the rows, which has the encoded prompt's own pooled state."""
    given = named.get("added_cond_kwargs")
    if not given:
        return dict(named)

    def of(value: Any) -> Any:
        if isinstance(value, list):
            return [of(item) for item in value]
        return value[part] if isinstance(value, torch.Tensor) and value.shape[0] == rows else value

    half = len(range(rows)[part])
    rows_of = {name: of(value) for name, value in given.items()}
    if encoded.pooled is not None and "text_embeds" in rows_of:
        rows_of["text_embeds"] = encoded.pooled.to(rows_of["text_embeds"].dtype).repeat(half, 1)
    return named | {"added_cond_kwargs": rows_of}
