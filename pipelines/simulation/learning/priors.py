"""Beliefs: priors as monotone maps from a standard normal number z, so that every parameter is free on the whole line and log p(z) is that of the normal distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor
from typing import Any

import numpy as np

from pipelines.simulation.learning.params import Prior
from studio.api import BadInput, Numbers, Simulation

FAR = 6.0  # beyond it a z is at its bound for all that can be told


def check_prior(prior: Prior) -> None:
    """Raises BadInput."""
    if prior.low >= prior.high:
        raise BadInput(f"{prior.name}: the lower bound {prior.low:g} must be less than the upper bound {prior.high:g}.", hint="Exchange or widen them.", field="free")
    if prior.kind == "log-uniform" and prior.low <= 0:
        raise BadInput(f"{prior.name}: a log-uniform prior needs a lower bound above 0.", hint="Give a small positive one, or choose uniform.", field="free")
    if prior.kind == "log-normal" and (prior.middle <= 0 or prior.high <= 0):
        raise BadInput(f"{prior.name}: a log-normal prior needs a median above 0.", hint="Give a positive one, or choose normal.", field="free")
    if prior.kind in ("normal", "log-normal") and not prior.low <= prior.middle <= prior.high:
        raise BadInput(f"{prior.name}: the middle {prior.middle:g} is not between its bounds {prior.low:g} and {prior.high:g}.", hint="Move the middle or the bounds.", field="free")


def check_field(prior: Prior, model: Simulation, values: Mapping[str, Any]) -> None:
    """Raises BadInput where the model, with these values, has no such number or does not take all that the prior allows."""
    kinds = model.Params.model_fields
    if prior.name not in kinds:
        raise BadInput(f"There is no parameter “{prior.name}” to be free.", hint=f"The model has {', '.join(kinds)}.", field="free")
    if kinds[prior.name].annotation not in (int, float):
        raise BadInput(f"“{prior.name}” is no number and can't be free.", hint="Leave it fixed.", field="free")
    for end in (prior.low, prior.high):  # the model's own bounds, in its own words
        try:
            model.Params.parse(dict(values) | {prior.name: round(end) if kinds[prior.name].annotation is int else end})
        except BadInput as error:
            raise BadInput(error.message, hint="The prior may not go beyond what the model takes.", field="free") from error


class Beliefs:
    """The priors of all free parameters, in their order. Raises BadInput."""

    def __init__(self, priors: Sequence[Prior], whole: Sequence[bool] = ()) -> None:
        self.priors = tuple(priors)
        self.names = tuple(prior.name for prior in priors)
        for prior in priors:
            check_prior(prior)
        if len(set(self.names)) < len(self.names):
            raise BadInput("A parameter is free twice.", hint="Take one of them out.", field="free")
        self.whole = tuple(whole) or (False,) * len(self.priors)
        self._cells = [_celled(prior) if whole else prior for prior, whole in zip(self.priors, self.whole, strict=True)]
        self._spans = [_span(prior) for prior in self._cells]

    def __len__(self) -> int:
        return len(self.priors)

    def values(self, z: Numbers) -> Numbers:
        """(…, free) parameters from (…, free) standard normal numbers."""
        from scipy.special import ndtr

        return self.at(ndtr(np.asarray(z, dtype=np.float64)))

    def at(self, share: Numbers) -> Numbers:
        """The parameters below which so much of the prior lies, 0 … 1."""
        found = np.empty_like(share)
        for at, (prior, cells, span) in enumerate(zip(self.priors, self._cells, self._spans, strict=True)):
            found[..., at] = np.clip(_value(cells, span, share[..., at]), cells.low, cells.high)
            if self.whole[at]:
                found[..., at] = np.clip(np.rint(found[..., at]), ceil(prior.low), floor(prior.high))
        return found

    def shares(self, values: Numbers) -> Numbers:
        """(…, free) how much of the prior lies below each value, 0 … 1; of whole numbers the middle of their own share."""
        values = np.asarray(values, dtype=np.float64)
        return np.stack([_share(prior, span, values[..., at]) for at, (prior, span) in enumerate(zip(self._cells, self._spans, strict=True))], axis=-1)

    def along(self, values: Numbers) -> Numbers:
        """(…, free) the way by the prior from the lower bound, 0, to the upper one, 1, of whole numbers too."""
        return np.stack([_share(prior, _span(prior), values[..., at]) for at, prior in enumerate(self.priors)], axis=-1)

    def z(self, values: Numbers) -> Numbers:
        """The reverse of `values`, within ±FAR."""
        from scipy.special import ndtri

        return np.clip(ndtri(self.shares(values)), -FAR, FAR)

    def draw(self, rng: np.random.Generator, count: int) -> Numbers:
        """(count, free) z."""
        return rng.standard_normal((count, len(self)))

    def log_density(self, z: Numbers) -> Numbers:
        """(…,) without its constant."""
        return np.asarray(-0.5 * (z**2).sum(axis=-1))

    def log_density_of(self, values: Numbers) -> Numbers:
        """(…,) of parameters (…, free), without its constant: in their own terms, as that of z falls towards both bounds of a uniform prior."""
        return np.asarray(sum(_log_density(prior, values[..., at]) for at, prior in enumerate(self.priors)))


def _celled(prior: Prior) -> Prior:
    """Of whole numbers: half a one more at both ends, so that rounding gives the first and the last as much as the others. Raises BadInput where there is none."""
    if ceil(prior.low) > floor(prior.high):
        raise BadInput(f"{prior.name}: there is no whole number from {prior.low:g} to {prior.high:g}.", hint="Widen the bounds.", field="free")
    return prior.model_copy(update={"low": ceil(prior.low) - 0.5, "high": floor(prior.high) + 0.5})


def _log_density(prior: Prior, values: Numbers) -> Any:
    if prior.kind == "uniform":
        return np.zeros(np.shape(values))
    if prior.kind == "log-uniform":
        return -np.log(values)
    if prior.kind == "normal":
        return -0.5 * ((values - prior.middle) / prior.width) ** 2
    logs = np.log(np.maximum(values, 1e-300))
    return -0.5 * ((logs - np.log(prior.middle)) / prior.width) ** 2 - logs


def _span(prior: Prior) -> tuple[float, float]:
    """Uniform kinds: the bounds, as they are or as logarithms. Normal kinds: the shares of the whole bell below each bound."""
    from scipy.special import ndtr

    if prior.kind == "uniform":
        return prior.low, prior.high
    if prior.kind == "log-uniform":
        return float(np.log(prior.low)), float(np.log(prior.high))
    low, high, middle = (prior.low, prior.high, prior.middle) if prior.kind == "normal" else (_log(prior.low), _log(prior.high), _log(prior.middle))
    return float(ndtr((low - middle) / prior.width)), float(ndtr((high - middle) / prior.width))


def _log(value: float) -> float:
    return float(np.log(value)) if value > 0 else -np.inf


def _value(prior: Prior, span: tuple[float, float], share: Numbers) -> Any:
    from scipy.special import ndtri

    along = span[0] + share * (span[1] - span[0])
    if prior.kind == "uniform":
        return along
    if prior.kind == "log-uniform":
        return np.exp(along)
    bell = ndtri(np.clip(along, 1e-15, 1 - 1e-15)) * prior.width
    return prior.middle + bell if prior.kind == "normal" else prior.middle * np.exp(bell)


def _share(prior: Prior, span: tuple[float, float], values: Numbers) -> Any:
    from scipy.special import ndtr

    if prior.kind.startswith("log"):
        with np.errstate(divide="ignore"):
            values = np.log(np.maximum(values, 0))
    if prior.kind in ("normal", "log-normal"):
        values = ndtr((values - (prior.middle if prior.kind == "normal" else np.log(prior.middle))) / prior.width)
    return np.clip((values - span[0]) / (span[1] - span[0]), 0, 1)
