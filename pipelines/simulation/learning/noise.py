"""Noise: how single measured values scatter around what a model says; log density and draws of each kind."""

from __future__ import annotations

import numpy as np

from pipelines.simulation.learning.params import Noise
from studio.api import BadInput, Numbers

MOST_SPREAD = 3.0  # of a logarithm: beyond, a value says nothing
LEAST = 1e-9  # of a mean that must be positive


def log_density(noise: Noise, data: Numbers, mean: Numbers, spread: Numbers) -> Numbers:
    """(sets, times) from data (times,), mean (sets, times), spread (sets, 1). Negative binomial: variance = mean + spread · mean²."""
    from scipy.special import gammaln, xlogy

    if noise == "normal":
        return np.asarray(-0.5 * ((data - mean) / spread) ** 2 - np.log(spread) - 0.5 * np.log(2 * np.pi))
    mean = np.maximum(mean, LEAST)
    if noise == "log-normal":
        return np.asarray(-0.5 * ((np.log(data) - np.log(mean)) / spread) ** 2 - np.log(spread * data) - 0.5 * np.log(2 * np.pi))
    if noise == "Poisson":
        return np.asarray(xlogy(data, mean) - mean - gammaln(data + 1))
    if noise == "negative binomial":
        size = 1 / spread
        return np.asarray(gammaln(data + size) - gammaln(size) - gammaln(data + 1) + size * np.log(size / (size + mean)) + xlogy(data, mean / (size + mean)))
    raise BadInput("Without noise a likelihood says nothing.", hint="Choose how values scatter, or estimate by ABC.", field="links")


def variance(noise: Noise, data: Numbers, spread: float) -> Numbers:
    """(times,) around measured values (times,): what a method that takes all noise as normal goes by. "none" counts as normal."""
    if noise in ("normal", "none"):
        return np.full(data.shape, spread**2)
    if noise == "log-normal":
        return np.maximum(np.abs(data), LEAST) ** 2 * np.expm1(min(spread, MOST_SPREAD) ** 2)
    return np.asarray(np.maximum(data, 1.0) + (spread * data**2 if noise == "negative binomial" else 0.0))


def scattered(noise: Noise, mean: Numbers, spread: Numbers, rng: np.random.Generator) -> Numbers:
    """What might be measured around (sets, times) means."""
    if noise == "none":
        return mean
    if noise == "normal":
        return np.asarray(mean + spread * rng.standard_normal(mean.shape))
    mean = np.minimum(np.maximum(mean, LEAST), 1e15)
    if noise == "log-normal":
        return np.asarray(mean * np.exp(spread * rng.standard_normal(mean.shape)))
    if noise == "Poisson":
        return rng.poisson(mean).astype(np.float64)
    rates = rng.gamma(np.broadcast_to(1 / spread, mean.shape), mean * spread)
    return rng.poisson(np.minimum(rates, 1e15)).astype(np.float64)


def check_data(noise: Noise, data: Numbers, column: str) -> None:
    """Raises BadInput with the row where the noise can't be of this kind."""
    if noise == "log-normal" and (low := data <= 0).any():
        raise BadInput(f"Column “{column}”, row {int(np.argmax(low)) + 1}: {data[low][0]:g} is not above 0, as log-normal noise needs.", hint="Choose normal noise, or mend that cell.", field="links")
    if noise in ("Poisson", "negative binomial"):
        wrong = ~np.isnan(data) & ((data < 0) | (data != np.rint(data)))
        if wrong.any():
            raise BadInput(f"Column “{column}”, row {int(np.argmax(wrong)) + 1}: {data[wrong][0]:g} is no count, as {noise} noise needs.", hint="Choose normal or log-normal noise.", field="links")
