"""Token-by-token generation with a transformers model, keeping the key/value cache of the last conversation.

After an edit, a regenerate or a branch only what follows the common beginning is read again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from pipelines.text.nets.samplers import Sampler

CHUNK = 64  # Stop waits for one piece of the prompt at most


@dataclass
class Memory:
    """The cache of the tokens read so far."""

    tokens: list[int] = field(default_factory=list)
    cache: Any = None


class Generator:
    def __init__(self, model: Any) -> None:
        self.model = model
        self.memory = Memory()

    @torch.inference_mode()
    def read(self, tokens: list[int], reuse: bool, progress: Callable[[int, int, int], bool]) -> torch.Tensor | None:
        """Read a prompt; progress(done, total, cached) says whether to stop. Returns logits (V), None if stopped."""
        cached = self._crop(tokens) if reuse else self._clear()
        scores = None
        done = cached
        while done < len(tokens):
            if progress(done, len(tokens), cached):
                return None
            scores = self._forward(tokens[done : done + CHUNK])
            done = len(self.memory.tokens)
        progress(done, len(tokens), cached)
        return scores

    @torch.inference_mode()
    def step(self, token: int) -> torch.Tensor:
        """Logits (V) after one more token."""
        return self._forward([token])

    @torch.inference_mode()
    def draw(self, sampler: Sampler, scores: torch.Tensor) -> int:
        return sampler.draw(scores, self.memory.tokens)

    def _forward(self, tokens: list[int]) -> torch.Tensor:
        ids = torch.tensor([tokens], device=self.model.device)  # (1, T)
        out = self.model(input_ids=ids, past_key_values=self.memory.cache, use_cache=True, logits_to_keep=1)
        self.memory.tokens.extend(tokens)
        scores: torch.Tensor = out.logits[0, -1]
        return scores

    def _clear(self) -> int:
        self.memory = Memory([], DynamicCache(config=self.model.config))
        return 0

    def _crop(self, tokens: list[int]) -> int:
        """Cut the cache to the common beginning; the last token is always read, for its logits."""
        known = self.memory.tokens
        same = next((i for i, (a, b) in enumerate(zip(known, tokens, strict=False)) if a != b), min(len(known), len(tokens)))
        same = min(same, len(tokens) - 1)
        if same <= 0 or not self._croppable():
            return self._clear()
        if len(known) > same:
            self.memory.cache.crop(same - len(known))  # negative: how many to remove
            del known[same:]
        return same

    def _croppable(self) -> bool:
        """Sliding windows and recurrent states forget: they can't go back."""
        layers = getattr(self.memory.cache, "layers", [])
        return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)

    @torch.inference_mode()
    def mean_state(self, tokens: list[int]) -> list[float]:
        """Unit vector: the mean of the last hidden states."""
        ids = torch.tensor([tokens], device=self.model.device)
        states = self.model(input_ids=ids, output_hidden_states=True).hidden_states[-1][0].float()  # (T, D)
        mean = states.mean(0)
        return [float(value) for value in mean / mean.norm().clamp_min(1e-12)]
