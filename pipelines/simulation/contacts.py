"""Contacts: networks of people, random, scale-free or small worlds, and where to draw them.

Sources: P. Erdős and A. Rényi 1959; A.-L. Barabási and R. Albert 1999; D. J. Watts and S. H. Strogatz 1998.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.jit import compiled
from studio.api import Numbers


def random_edges(rng: np.random.Generator, people: int, count: int) -> NDArray[np.int64]:
    """(count, 2) different pairs, all equally likely: Erdős and Rényi."""
    pairs = people * (people - 1) // 2
    code = rng.choice(pairs, min(count, pairs), replace=False)
    high = ((1 + np.sqrt(1 + 8 * code.astype(np.float64))) // 2).astype(np.int64)
    high -= high * (high - 1) // 2 > code
    return np.stack([high, code - high * (high - 1) // 2], axis=1)


def small_world_edges(rng: np.random.Generator, people: int, near: int, rewired: float) -> NDArray[np.int64]:
    """A ring where everybody knows `near` on either side, of which some are exchanged: Watts and Strogatz."""
    first = np.repeat(np.arange(people), near)
    second = (first + np.tile(np.arange(1, near + 1), people)) % people
    far = rng.random(len(first)) < rewired
    second[far] = (first[far] + rng.integers(1, people, int(far.sum()))) % people
    return np.unique(np.sort(np.stack([first, second], axis=1), axis=1), axis=0)


@compiled
def scale_free_edges(rng, people, each, edges):  # type: ignore[no-untyped-def]
    """Newcomers take `each` different contacts, the likelier the more contacts somebody has: Barabási and Albert. Fills edges (count, 2), gives their number."""
    ends = np.empty(2 * edges.shape[0], np.int64)
    filled = 0
    made = 0
    for old in range(each):
        edges[made, 0], edges[made, 1] = each, old
        ends[filled], ends[filled + 1] = each, old
        filled += 2
        made += 1
    for new in range(each + 1, people):
        begun, known = made, filled
        while made < begun + each:
            other = ends[rng.integers(0, known)]
            fresh = True
            for before in range(begun, made):
                if edges[before, 1] == other:
                    fresh = False
            if fresh:
                edges[made, 0], edges[made, 1] = new, other
                ends[filled], ends[filled + 1] = new, other
                filled += 2
                made += 1
    return made


@compiled
def settle(places, edges, rounds):  # type: ignore[no-untyped-def]
    """places (people, 2) in place: all push each other away, contacts pull together, less and less (Fruchterman and Reingold 1991)."""
    people = places.shape[0]
    ideal = 1.0 / np.sqrt(people)
    push = np.empty((people, 2))
    for turn in range(rounds):
        push[:] = 0.0
        for i in range(people):
            for j in range(i):
                x, y = places[i, 0] - places[j, 0], places[i, 1] - places[j, 1]
                near = ideal * ideal / (x * x + y * y + 1e-9)
                push[i, 0] += x * near
                push[i, 1] += y * near
                push[j, 0] -= x * near
                push[j, 1] -= y * near
        for number in range(edges.shape[0]):
            i, j = edges[number, 0], edges[number, 1]
            x, y = places[i, 0] - places[j, 0], places[i, 1] - places[j, 1]
            pull = np.sqrt(x * x + y * y) / ideal
            push[i, 0] -= x * pull
            push[i, 1] -= y * pull
            push[j, 0] += x * pull
            push[j, 1] += y * pull
        furthest = 0.1 * (1.0 - turn / rounds)
        for i in range(people):
            push[i, 0] -= 6.0 * (places[i, 0] - 0.5)  # parts without contact to the rest stay in the picture
            push[i, 1] -= 6.0 * (places[i, 1] - 0.5)
            length = np.sqrt(push[i, 0] ** 2 + push[i, 1] ** 2) + 1e-12
            places[i, 0] += push[i, 0] / length * min(length, furthest)
            places[i, 1] += push[i, 1] / length * min(length, furthest)


@dataclass
class Contacts:
    """The network: (edges, 2) who knows whom, and the same as a list by person; places (people, 2) in 0 … 1 are found at the first picture."""

    edges: NDArray[np.int64]
    first: NDArray[np.int64]
    others: NDArray[np.int64]
    ring: bool
    places: Numbers | None = None

    @property
    def degrees(self) -> NDArray[np.int64]:
        return np.diff(self.first)

    @property
    def excess(self) -> float:
        """(⟨k²⟩ − ⟨k⟩)/⟨k⟩: contacts beyond the one through which the disease came. An epidemic needs a chance per contact above 1/excess (Newman 2002)."""
        degrees = self.degrees.astype(np.float64)
        return float((degrees**2).mean() / degrees.mean() - 1) if degrees.any() else 0.0

    def laid_out(self) -> Numbers:
        if self.places is None:
            people = len(self.first) - 1
            if self.ring:
                angle = 2 * np.pi * np.arange(people) / people
                wave = 0.44 + 0.035 * np.where(np.arange(people) % 2, 1, -1)
                self.places = np.stack([0.5 + wave * np.cos(angle), 0.5 + wave * np.sin(angle)], axis=1)
            else:
                self.places = np.random.default_rng(people).random((people, 2))
                settle(self.places, self.edges, max(15, min(80, 80_000 // people)))
                low, high = np.quantile(self.places, [0.005, 0.995], axis=0)
                self.places = 0.03 + 0.94 * ((self.places - low) / np.maximum(high - low, 1e-9)).clip(0, 1)
        return self.places


def contacts_of(network: str, people: int, each: int, rewired: float, rng: np.random.Generator) -> Contacts:
    """`network` is random, scale-free or small world; `each` is the mean number of contacts."""
    if network == "random":
        edges = random_edges(rng, people, round(people * each / 2))
    elif network == "small world":
        edges = small_world_edges(rng, people, each // 2, rewired)
    else:
        room = np.empty((each // 2 * (people - each // 2), 2), dtype=np.int64)
        edges = room[: scale_free_edges(rng, people, each // 2, room)]
    ends = np.concatenate([edges, edges[:, ::-1]])
    ends = ends[np.argsort(ends[:, 0], kind="stable")]
    first = np.concatenate([[0], np.cumsum(np.bincount(ends[:, 0], minlength=people))]).astype(np.int64)
    return Contacts(edges, first, np.ascontiguousarray(ends[:, 1]), network == "small world")
