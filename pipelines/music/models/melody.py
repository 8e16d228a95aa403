"""A Markov model of melodies: which step follows which, and where in a bar notes begin, counted from the old tunes in tunes.py.

Intervals are counted in steps of the scale, given the degree and the interval before, and given less where that was seldom met: the interpolation
of I. Witten and T. Bell, IEEE Transactions on Information Theory 37 (1991). Notes are drawn by forward filtering and backward sampling (S. Scott,
Journal of the American Statistical Association 97, 2002), so that what is known beforehand (chords, ranges, given notes) holds exactly.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from pipelines.music.models.tunes import tunes

WIDEST = 7  # scale steps of one leap
STEP_OF = (0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6)  # the scale step of each semitone above the tonic
ONSET_FLOOR = 0.02


def scale_step(pitch: int, tonic: int) -> int:
    octave, inside = divmod(pitch - tonic, 12)
    return 7 * octave + STEP_OF[inside]


@lru_cache(maxsize=1)
def intervals() -> Any:
    """(7 degrees, 15 intervals before, 15 intervals) -> probability; of intervals the middle one is 0."""
    third: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    second: dict[int, Counter[int]] = defaultdict(Counter)
    first: Counter[int] = Counter()
    for tune in tunes():
        steps = [scale_step(pitch, tune.key.tonic) for _, _, pitch in tune.notes]
        moves = [max(-WIDEST, min(WIDEST, then - now)) for now, then in zip(steps, steps[1:], strict=False)]
        for place, move in enumerate(moves):
            first[move] += 1
            second[steps[place] % 7][move] += 1
            if place:
                third[steps[place] % 7, moves[place - 1]][move] += 1
    width = 2 * WIDEST + 1
    table = np.empty((7, width, width))
    base = _mixed(first, np.full(width, 1 / width))
    for degree in range(7):
        by_degree = _mixed(second[degree], base)
        for before in range(width):
            table[degree, before] = _mixed(third[degree, before - WIDEST], by_degree)
    return table


def _mixed(counts: Counter[int], lower: Any) -> Any:
    """Witten and Bell: as much is left to the lower order as there were kinds of events."""
    total, kinds = sum(counts.values()), len(counts)
    found = np.array([counts[move - WIDEST] for move in range(len(lower))], float)
    return (found + max(1, kinds) * lower) / (total + max(1, kinds))


@lru_cache(maxsize=8)
def onsets(beat: int) -> Any:
    """(steps of a beat, 2) -> probability that a note begins there, by whether one began in the step before; of beats of 4 or 6 sixteenths."""
    counts = np.zeros((beat, 2, 2))
    for tune in tunes():
        if (6 if tune.metre[1] == 8 else 4) != beat:
            continue
        begun = {start for start, _, _ in tune.notes}
        for step in range(1, len(tune.notes) and tune.notes[-1][0] + 1):
            counts[step % beat, int(step - 1 in begun), int(step in begun)] += 1
    return np.clip((counts[..., 1] + 0.3) / (counts.sum(-1) + 1.0), ONSET_FLOOR, 0.99)


def rhythm(beats: Sequence[int], density: float, rng: Any, temperature: float = 1.0) -> list[int]:
    """Steps of one bar where notes begin. `density` 0 … 1 is the share of its eighths where one is to be expected."""
    places = [(step, beat) for beat in beats for step in range(beat)]
    odds = np.array([[_logit(onsets(6 if beat == 6 else 4)[step % (6 if beat == 6 else 4), before]) for before in (0, 1)] for step, beat in places]) / max(0.3, temperature)
    odds[[place for place, (step, _) in enumerate(places) if step % 2], 1] -= 2.0 * (1 - density)  # runs of sixteenths are for dense lines
    shift = _shift(odds, density * len(places) / 2)
    found, before = [], 0
    for place in range(len(places)):
        before = int(rng.random() < 1 / (1 + np.exp(-(odds[place, before] + shift))))
        if before:
            found.append(place)
    return found


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def _shift(odds: Any, wanted: float) -> float:
    """What must be added so that as many notes are expected."""
    low, high = -12.0, 12.0
    for _ in range(24):
        middle = (low + high) / 2
        chance = 1 / (1 + np.exp(-(odds + middle)))
        begun, total = 0.0, 0.0
        for row in chance:
            begun = begun * row[1] + (1 - begun) * row[0]
            total += begun
        low, high = (middle, high) if total < wanted else (low, middle)
    return (low + high) / 2


def draw(weights: Any, pitches: Sequence[int], tonic: int, rng: Any, *, before: Sequence[int] = (), after: int = -1, temperature: float = 1.0) -> list[int]:
    """One pitch for each row of `weights` (notes, pitches): 0 is forbidden; each row has something above 0. `before` are the pitches that went before, the last one last; `after` comes behind (-1: nothing).

    Raises ValueError where a row forbids everything.
    """
    weights = np.asarray(weights, float) ** (1 / temperature)
    weights[~np.isfinite(weights)] = 0
    if not len(weights):
        return []
    if not (weights > 0).any(axis=1).all():
        raise ValueError("a note has no pitch")
    moves = _moves(tuple(pitches), tonic) ** (1 / temperature)  # (before, now, then)
    alphas = [_first(weights[0], pitches, tonic, before, temperature)]
    for row in weights[1:]:
        alpha = np.einsum("ij,ijk->jk", alphas[-1], moves) * row[None, :]
        alphas.append(alpha / alpha.sum())
    if after >= 0:
        alphas[-1] = alphas[-1] * _to(after, pitches, tonic) ** (1 / temperature)
    return _backwards(alphas, moves, pitches, rng)


def _to(after: int, pitches: Sequence[int], tonic: int) -> Any:
    """(before, now) -> probability that a known pitch comes next."""
    known = [*pitches, *([after] if after not in pitches else [])]
    return _moves(tuple(known), tonic)[: len(pitches), : len(pitches), known.index(after)]


@lru_cache(maxsize=64)
def _moves(pitches: tuple[int, ...], tonic: int) -> Any:
    """(before, now, then) -> probability; two pitches of one scale step share it, and leaps beyond the counted ones are rare."""
    steps = np.array([scale_step(pitch, tonic) for pitch in pitches])
    moved = steps[None, :] - steps[:, None]
    index = np.clip(moved, -WIDEST, WIDEST) + WIDEST
    far = np.where(np.abs(moved) > WIDEST, 0.02, 1.0)
    table = intervals()[steps % 7]  # (now, before's interval, interval)
    found = table[np.arange(len(steps))[None, :, None], index[:, :, None], index[None, :, :]] * far[None, :, :]
    return found + 1e-9


def _first(row: Any, pitches: Sequence[int], tonic: int, before: Sequence[int], temperature: float) -> Any:
    """The first note's weights as a table whose rows are the pitch before: after known pitches by the model, else as if it had been struck already."""
    if before:
        known = [*pitches, *(pitch for pitch in before[-2:] if pitch not in pitches)]
        moves = _moves(tuple(known), tonic) ** (1 / temperature)
        last = known.index(before[-1])
        row = row * moves[known.index(before[-2]) if len(before) > 1 else last, last, : len(pitches)]
    return np.diag(row / row.sum())


def _backwards(alphas: list[Any], moves: Any, pitches: Sequence[int], rng: Any) -> list[int]:
    now_then = alphas[-1] / alphas[-1].sum()
    flat = int(rng.choice(now_then.size, p=now_then.ravel()))
    now, then = divmod(flat, len(pitches))
    found = [then, now]
    for alpha in reversed(alphas[:-1]):
        chances = alpha[:, now] * moves[:, now, then]
        before = int(rng.choice(len(pitches), p=chances / chances.sum()))
        now, then = before, now
        found.append(before)
    return [pitches[place] for place in reversed(found[: len(alphas)])]
