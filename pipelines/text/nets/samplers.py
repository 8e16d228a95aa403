"""Samplers for torch, in llama.cpp's order and meaning, on one row of logits.

Sources: min-p (Nguyen 2024), top-n-sigma (Tang 2024), locally typical (Meister 2022), Mirostat (Basu 2020),
XTC and DRY (p-e-w 2024), the repetition penalty of CTRL (Keskar 2019).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.text.sampling import Sampling

ROUGHLY = 512  # candidates looked at before a full sort
DRY_LONGEST = 64


@dataclass
class Candidates:
    """Scores (K) in falling order and their token ids (K); `total` is the log of the sum of exp over the set they belong to."""

    scores: Tensor
    ids: Tensor
    total: Tensor

    @property
    def probabilities(self) -> Tensor:
        return torch.exp(self.scores - self.total)

    def keep(self, mask: Tensor) -> Candidates:
        """Never keeps nothing: the best one stays."""
        if bool(mask.all()):
            return self.again()
        mask = mask.clone()
        if not bool(mask.any()):
            mask[0] = True
        return Candidates(self.scores[mask], self.ids[mask], torch.logsumexp(self.scores[mask], 0))

    def again(self) -> Candidates:
        return Candidates(self.scores, self.ids, torch.logsumexp(self.scores, 0))


def top_k(found: Candidates, k: int) -> Candidates:
    return Candidates(found.scores[:k], found.ids[:k], torch.logsumexp(found.scores[:k], 0))


def top_n_sigma(found: Candidates, n: float) -> Candidates:
    return found.keep(found.scores >= found.scores[0] - n * found.scores.std(correction=0))


def top_p(found: Candidates, p: float) -> Candidates:
    chances = found.probabilities
    return found.keep(torch.cumsum(chances, 0) - chances < p)


def min_p(found: Candidates, p: float) -> Candidates:
    return found.keep(found.scores >= found.scores[0] + math.log(p))


def typical(found: Candidates, p: float) -> Candidates:
    chances = found.probabilities
    surprise = -torch.log(chances.clamp_min(1e-30))
    entropy = (chances * surprise).sum()
    order = torch.argsort((surprise - entropy).abs(), stable=True)
    before = torch.cumsum(chances[order], 0) - chances[order]
    mask = torch.zeros_like(chances, dtype=torch.bool)
    mask[order[before < p]] = True
    return found.keep(mask)


def xtc(found: Candidates, threshold: float) -> Candidates:
    """Leave out all words above the threshold but the least likely of them."""
    above = int((found.probabilities >= threshold).sum())
    return found if above < 2 else found.keep(torch.arange(len(found.scores)) >= above - 1)


def dynamic_temperature(found: Candidates, middle: float, spread: float, exponent: float) -> float:
    low, high = max(0.0, middle - spread), middle + spread
    count = len(found.scores)
    if count < 2:
        return high
    chances = found.again().probabilities
    entropy = float(-(chances * torch.log(chances.clamp_min(1e-30))).sum())
    return float(low + (high - low) * (entropy / math.log(count)) ** exponent)


def penalise(scores: Tensor, recent: list[int], repetition: float, frequency: float, presence: float) -> Tensor:
    if not recent:
        return scores
    counts = Counter(recent)
    ids = torch.tensor(list(counts))
    times = torch.tensor(list(counts.values()), dtype=scores.dtype)
    old = scores[ids]
    new = torch.where(old > 0, old / repetition, old * repetition)
    scores = scores.clone()
    scores[ids] = new - times * frequency - presence
    return scores


def dry(scores: Tensor, recent: list[int], sampling: Sampling, breaks: Callable[[int], bool]) -> Tensor:
    """Lower each token that would go on with a phrase said before, the more the longer the phrase."""
    longest = repeated_phrases(recent, breaks)
    scores = scores.clone()
    for token, length in longest.items():
        if length >= sampling.dry_allowed_length:
            scores[token] -= sampling.dry_multiplier * sampling.dry_base ** (length - sampling.dry_allowed_length)
    return scores


def repeated_phrases(recent: list[int], breaks: Callable[[int], bool]) -> dict[int, int]:
    """For each token that followed an earlier copy of the text's end: the length of that copy."""
    if not recent or breaks(recent[-1]):
        return {}
    last = len(recent) - 1
    longest: dict[int, int] = {}
    for place in range(last):
        if recent[place] != recent[last]:
            continue
        length = 1
        while length < min(DRY_LONGEST, place + 1) and recent[place - length] == recent[last - length]:
            if breaks(recent[last - length]):
                break
            length += 1
        following = recent[place + 1]
        longest[following] = max(longest.get(following, 0), length)
    return longest


class Sampler:
    """Draws tokens for one generation. `breaks(id)` says whether a token holds a DRY breaker."""

    def __init__(self, sampling: Sampling, seed: int, bias: dict[int, float], breaks: Callable[[int], bool]) -> None:
        self._s = sampling
        self._random = torch.Generator().manual_seed(seed)
        self._bias = bias
        self._breaks = breaks
        self._surprise = 2 * sampling.mirostat_tau

    def draw(self, scores: Tensor, history: list[int]) -> int:
        """scores: (V) logits; history: all tokens so far, prompt first."""
        scores = scores.float().cpu()
        scores = scores.clone() if self._bias else scores
        for token, value in self._bias.items():
            scores[token] += value
        if self._s.mirostat_mode and self._s.temperature > 0:
            return self._mirostat(scores / self._s.temperature)
        scores = self._penalties(scores, history)
        if self._s.temperature == 0 and not self._s.dynatemp_range:
            return int(scores.argmax())
        found = self._filtered(_candidates(scores, self._s))
        warmth = self._s.temperature
        if self._s.dynatemp_range:
            warmth = dynamic_temperature(found, warmth, self._s.dynatemp_range, self._s.dynatemp_exponent)
        return int(found.ids[0]) if warmth <= 0 else int(found.ids[self._pick(found.scores / warmth)])

    def _penalties(self, scores: Tensor, history: list[int]) -> Tensor:
        s = self._s
        if s.repetition_penalty != 1 or s.frequency_penalty or s.presence_penalty:
            recent = _last(history, s.repetition_last_n)
            scores = penalise(scores, recent, s.repetition_penalty, s.frequency_penalty, s.presence_penalty)
        if s.dry_multiplier:
            scores = dry(scores, _last(history, s.dry_penalty_last_n), s, self._breaks)
        return scores

    def _filtered(self, found: Candidates) -> Candidates:
        s = self._s
        if s.top_n_sigma:
            found = top_n_sigma(found, s.top_n_sigma)
        if s.top_k:
            found = top_k(found, s.top_k)
        if s.typical_p < 1:
            found = typical(found, s.typical_p)
        if s.top_p < 1:
            found = top_p(found, s.top_p)
        if s.min_p:
            found = min_p(found, s.min_p)
        if s.xtc_probability and self._uniform() < s.xtc_probability:
            found = xtc(found, s.xtc_threshold)
        return found

    def _mirostat(self, scores: Tensor) -> int:
        s = self._s
        found = _sorted(scores)
        bits = -torch.log2(found.probabilities.clamp_min(1e-30))
        kept = top_k(found, self._mirostat_k(found)) if s.mirostat_mode == 1 else found.keep(bits <= self._surprise)
        chosen = self._pick(kept.scores)
        seen = found if s.mirostat_mode == 1 else kept.again()
        observed = float(-torch.log2(seen.probabilities[chosen].clamp_min(1e-30)))
        self._surprise -= s.mirostat_eta * (observed - s.mirostat_tau)
        return int(kept.ids[chosen])

    def _mirostat_k(self, found: Candidates) -> int:
        """Zipf's exponent from the 100 likeliest gives the cut that holds the surprise (Mirostat 1)."""
        chances = found.probabilities[:100]
        ranks = torch.arange(1, len(chances), dtype=torch.float32)
        steps = torch.log((ranks + 1) / ranks)
        falls = torch.log(chances[:-1].clamp_min(1e-30) / chances[1:].clamp_min(1e-30))
        zipf = float((steps * falls).sum() / (steps * steps).sum())
        size, epsilon = len(found.scores), zipf - 1
        if size < 2 or zipf <= 0:
            return size
        share = epsilon / -math.expm1(-epsilon * math.log(size)) if abs(epsilon) > 1e-9 else 1 / math.log(size)
        return max(1, min(size, round((share * 2**self._surprise) ** (1 / zipf))))

    def _pick(self, scores: Tensor) -> int:
        """One draw by the inverse of the cumulative sum: one random number per token whatever the filters left."""
        chances = torch.softmax(scores.double(), 0)
        return min(int(torch.searchsorted(torch.cumsum(chances, 0), self._uniform())), len(scores) - 1)

    def _uniform(self) -> float:
        return float(torch.rand((), generator=self._random, dtype=torch.float64))


def _last(history: list[int], count: int) -> list[int]:
    return history if count < 0 else history[len(history) - min(count, len(history)) :]


def _sorted(scores: Tensor) -> Candidates:
    values, ids = torch.sort(scores, descending=True, stable=True)
    return Candidates(values, ids, torch.logsumexp(values, 0))


def _candidates(scores: Tensor, s: Sampling) -> Candidates:
    """Only the head of the distribution where the filters can't reach beyond it; else all, sorted."""
    if s.top_n_sigma or s.typical_p < 1 or (s.top_p == 1 and not s.min_p and not s.top_k):
        return _sorted(scores)
    values, ids = torch.topk(scores, min(s.top_k or ROUGHLY, len(scores)))
    found = Candidates(values, ids, torch.logsumexp(scores, 0))
    if s.top_k or len(values) == len(scores):
        return found
    chances = found.probabilities
    enough = (s.top_p < 1 and float(chances.sum()) >= s.top_p) or (s.min_p and float(chances[-1]) < s.min_p * float(chances[0]))
    return found if enough else _sorted(scores)
