"""Posterior: draws of the free parameters and what they say; R-hat and effective size (Gelman et al. 2013, chapter 11; Goodman & Weare 2010); what the data can't tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipelines.simulation.learning.priors import Beliefs
from studio.api import Numbers

LEVEL = 0.9
WIDE, ALIKE, NEAR, PILED, MIXED = 0.75, 0.95, 0.02, 0.2, 1.05
FEW = 400  # independent draws (Vehtari et al. 2021)


@dataclass
class Posterior:
    """`z` (draws, free) see Beliefs; `facts` are what the method measured of itself; `extra` columns of the file, (draws,) each."""

    beliefs: Beliefs
    z: Numbers
    facts: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Numbers] = field(default_factory=dict)
    best: Numbers = field(default_factory=lambda: np.empty(0))  # z of the highest likelihood or density, where it is known

    @property
    def x(self) -> Numbers:
        return self.beliefs.values(self.z)

    def table(self) -> list[dict[str, Any]]:
        """For each parameter: mean, median, deviation, 90 % interval, best."""
        x, best = self.x, self.beliefs.values(self.best) if self.best.size else np.median(self.x, axis=0)
        ends = np.quantile(x, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], axis=0)
        return [
            {"name": name, "best": float(best[at]), "mean": float(x[:, at].mean()), "median": float(ends[1, at]), "sd": float(x[:, at].std(ddof=1)), "low": float(ends[0, at]), "high": float(ends[2, at])}
            | {kind: float(self.facts[kind][at]) for kind in ("r_hat", "effective", "error") if kind in self.facts}
            for at, name in enumerate(self.beliefs.names)
        ]

    def csv(self) -> bytes:
        columns = {name: self.x[:, at] for at, name in enumerate(self.beliefs.names)} | self.extra
        quoted = ['"' + name.replace('"', '""') + '"' if any(sign in name for sign in ',"\n') else name for name in columns]
        rows = np.stack([np.asarray(values, dtype=np.float64) for values in columns.values()], axis=1)
        return "\n".join([",".join(quoted), *(",".join(f"{value:.10g}" for value in row) for row in rows)]).encode() + b"\n"

    def warnings(self) -> list[str]:
        """Sentences where the data can't tell, or the method did not get there."""
        return [*self._by_parameter(), *self._pairs(), *self._unfinished()]

    def _by_parameter(self) -> list[str]:
        told = []
        shares = self.beliefs.along(self.x)
        wide = (np.quantile(shares, 0.95, axis=0) - np.quantile(shares, 0.05, axis=0)) / LEVEL
        for at, name in enumerate(self.beliefs.names):
            if wide[at] > WIDE:
                told.append(f"The data tell little about {name}: its interval is {100 * wide[at]:.0f} % as wide as the prior's.")
            for end, near in (("lower", shares[:, at] < NEAR), ("upper", shares[:, at] > 1 - NEAR)):
                if near.mean() > PILED and wide[at] <= WIDE:
                    told.append(f"{name} lies at its {end} bound: the best value may be beyond it.")
        return told

    def _pairs(self) -> list[str]:
        if len(self.beliefs) < 2 or len(self.z) < 10 or (self.z.std(axis=0) == 0).any():
            return []
        ways = [self.z, self.z.argsort(axis=0).argsort(axis=0)]  # by rank as well: along a bent line they are as little known
        if (self.x > 0).all():
            ways.append(np.log(self.x))  # and by logarithms: a product that is known
        found: Numbers = np.stack([np.corrcoef(way.T) for way in ways])
        alike = np.take_along_axis(found, np.abs(found).argmax(axis=0)[None], axis=0)[0]
        pairs = [(a, b) for a in range(len(alike)) for b in range(a + 1, len(alike)) if abs(alike[a, b]) > ALIKE]
        return [f"{self.beliefs.names[a]} and {self.beliefs.names[b]} can't be told apart: their correlation is {alike[a, b]:.2f}. Fix one of them, or measure something else as well." for a, b in pairs]

    def _unfinished(self) -> list[str]:
        mixed = np.asarray(self.facts.get("r_hat", []), dtype=np.float64)
        told = []
        if mixed.size and mixed.max() > MIXED:
            told.append(f"The walkers do not agree yet: R-hat of {self.beliefs.names[int(mixed.argmax())]} is {mixed.max():.2f}, above {MIXED}. Don't trust the result; run more steps.")
        sizes = np.asarray(self.facts.get("effective", []), dtype=np.float64)
        if sizes.size and sizes.min() < FEW:
            told.append(f"The walk is short: it is worth {sizes.min():.0f} independent draws of {self.beliefs.names[int(sizes.argmin())]}, fewer than {FEW}. Its interval is rough; run more steps.")
        if self.facts.get("flat"):
            told.append("Around the best values the likelihood is flat in some direction: standard errors there are not known.")
        return told


def split_r_hat(chains: Numbers) -> Numbers:
    """(free,) from (steps, chains, free): between and within the halves of all chains."""
    half = len(chains) // 2
    parts = np.concatenate([chains[:half], chains[half : 2 * half]], axis=1)  # (half, 2·chains, free)
    within = parts.var(axis=0, ddof=1).mean(axis=0)
    between = half * parts.mean(axis=0).var(axis=0, ddof=1)
    return np.asarray(np.sqrt(((half - 1) / half * within + between / half) / np.maximum(within, 1e-300)))


def effective_size(chains: Numbers) -> Numbers:
    """(free,) independent draws that (steps, chains, free) are worth: by the autocorrelation averaged over chains, up to five times its own time (Sokal 1997)."""
    steps, count, free = chains.shape
    found = np.empty(free)
    for at in range(free):
        centred = chains[:, :, at] - chains[:, :, at].mean()
        size = 1 << (2 * steps - 1).bit_length()
        power = np.abs(np.fft.rfft(centred, size, axis=0)) ** 2
        along = np.fft.irfft(power, size, axis=0)[:steps].mean(axis=1)
        if along[0] <= 0:
            found[at] = 1.0
            continue
        times = 2 * np.cumsum(along / along[0]) - 1
        window = np.arange(steps) >= 5 * times
        found[at] = steps * count / max(times[int(np.argmax(window))] if window.any() else times[-1], 1.0)
    return found


def equal_weight(weights: Numbers, count: int, rng: np.random.Generator) -> Numbers:
    """(count,) numbers of particles, drawn systematically (Kitagawa 1996)."""
    at = (rng.random() + np.arange(count)) / count
    return np.minimum(np.searchsorted(np.cumsum(weights / weights.sum()), at), len(weights) - 1)
