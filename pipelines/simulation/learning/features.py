"""Features of a series, and summaries learnt from them: the expected parameters given the features, by ridge regression (Fearnhead & Prangle 2012)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.simulation.learning.evidence import Evidence
from studio.api import Numbers

POINTS = 30  # of each column, averaged over as many stretches
RIDGE = 1e-3
LAGS = (1, 2, 5)


def features(data: Sequence[Numbers], evidence: Evidence) -> Numbers:
    """(n, f) of one (n, times) for each link: averages of stretches, mean, deviation, quantiles, how like its neighbours each value is. Gaps are where the evidence has them."""
    found: list[Numbers] = []
    for values, measured in zip(data, evidence.data, strict=True):
        there = values[:, ~np.isnan(measured)]
        count = there.shape[1]
        starts = np.linspace(0, count, min(POINTS, count), endpoint=False).astype(int)
        parts = np.add.reduceat(there, starts, axis=1) / np.diff(starts, append=count)
        centred = there - there.mean(axis=1, keepdims=True)
        power = np.maximum((centred**2).sum(axis=1), 1e-12)
        like = [(centred[:, lag:] * centred[:, :-lag]).sum(axis=1) / power for lag in LAGS if count > lag + 2]
        own = np.column_stack([there.mean(axis=1), there.std(axis=1), *np.quantile(there, [0.1, 0.5, 0.9], axis=1), there.max(axis=1), np.log(there.std(axis=1) + 1e-9), (there <= 0).mean(axis=1), *like])
        found += [parts, _tamed(parts), own, _tamed(own)]
    return np.concatenate(found, axis=1)


def _tamed(values: Numbers) -> Numbers:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


@dataclass(frozen=True)
class Summaries:
    """A linear map from standardised features to z, scaled by what is left unexplained."""

    middle: Numbers
    scale: Numbers
    weights: Numbers
    noise: Numbers

    @staticmethod
    def learnt(seen: Numbers, z: Numbers) -> Summaries:
        """From runs: features (n, f) and their z (n, free)."""
        middle, scale = seen.mean(axis=0), seen.std(axis=0)
        scale = np.where(scale > 1e-12, scale, np.inf)
        design = np.column_stack([np.ones(len(seen)), np.clip((seen - middle) / scale, -8, 8)])
        ridge = RIDGE * len(seen) * np.eye(design.shape[1])
        ridge[0, 0] = 0
        weights = np.linalg.solve(design.T @ design + ridge, design.T @ z)
        left = np.maximum((z - design @ weights).std(axis=0), 1e-6)
        return Summaries(middle, scale, weights, left)

    def of(self, seen: Numbers) -> Numbers:
        """(n, free) from (n, f)."""
        design = np.column_stack([np.ones(len(seen)), np.clip((seen - self.middle) / self.scale, -8, 8)])
        return np.asarray(design @ self.weights / self.noise)
