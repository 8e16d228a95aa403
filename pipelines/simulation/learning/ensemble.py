"""Ensemble: many states of one model that run on together and are corrected by data, with free parameters in the same vector (joint estimation; Evensen 2009)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from pipelines.simulation.learning import assimilation
from pipelines.simulation.learning.priors import FAR, Beliefs
from studio.api import BadInput, Diverged, Numbers, Simulation, chance, look, seeds_of

Filter = Literal["ETKF", "EnKF"]


class Ensemble:
    """`z` (members, free) are the free parameters as standard normal numbers, see Beliefs."""

    def __init__(self, model: Simulation, values: dict[str, Any], beliefs: Beliefs, members: int, seed: int) -> None:
        self.model, self.values, self.beliefs = model, values, beliefs
        self.rng = np.random.default_rng([seed, 8])
        self.chances = [chance(one) for one in seeds_of(seed, members)]
        self.z = beliefs.draw(self.rng, members) if len(beliefs) else np.zeros((members, 0))
        self.params = [self._params(z) for z in self.z]
        self.states = [model.init(params, rng) for params, rng in zip(self.params, self.chances, strict=True)]
        self.step = 0

    def _params(self, z: Numbers) -> Any:
        if not len(self.beliefs):
            return self.model.Params.parse(self.values)
        kinds = self.model.Params.model_fields
        free = {name: int(value) if kinds[name].annotation is int else float(value) for name, value in zip(self.beliefs.names, self.beliefs.values(z), strict=True)}
        params = self.model.Params.parse(self.values | free)
        self.model.check(params)
        return params

    def packed(self) -> Numbers:
        """(members, n)."""
        return np.stack([self.model.pack(state) for state in self.states])

    def scatter(self, deviation: Numbers) -> None:
        """Move all members apart by normal numbers with these standard deviations (n,)."""
        vectors = self.packed()
        self._take(vectors + deviation * self.rng.standard_normal(vectors.shape))

    def _take(self, vectors: Numbers) -> None:
        self.states = [self.model.unpack(state, vector) for state, vector in zip(self.states, vectors, strict=True)]

    def run_to(self, step: int, check: Callable[[], None]) -> None:
        """`check` is asked before each member. Raises Diverged, and what `check` raises."""
        if step > self.step:
            found = []
            for state, params, rng in zip(self.states, self.params, self.chances, strict=True):
                check()
                found.append(self.model.advance(state, params, rng, step - self.step))
            self.states, self.step = found, step

    def observed(self) -> Numbers:
        """(members, series). Raises Diverged."""
        return np.array([list(look(self.model, state, params, self.step).values()) for state, params in zip(self.states, self.params, strict=True)])

    def correct(self, seen: Numbers, data: Numbers, variance: Numbers, how: Filter, inflation: float, rotate: bool) -> Numbers:
        """By data (p,) that the members show as `seen` (members, p). The analysis mean (n,), before the members are moved apart."""
        before = self.packed()
        joint = np.concatenate([before, self.z], axis=1)
        if how == "EnKF":
            joint = assimilation.perturbed(joint, seen, data, variance, self.rng)
        else:
            joint = assimilation.transformed(joint, seen, data, variance)
        middle = joint.mean(axis=0)
        if not np.isfinite(joint).all():
            raise Diverged(f"The ensemble blew up at step {self.step:,}.", hint="More members, less inflation or data that come more often help.")
        joint = assimilation.inflated(joint, inflation)
        if rotate:
            joint = assimilation.rotated(joint, self.rng)
        self._take(joint[:, : before.shape[1]])
        if len(self.beliefs):
            self._free(joint[:, before.shape[1] :])
        return np.asarray(middle[: before.shape[1]])

    def _free(self, z: Numbers) -> None:
        self.z = np.clip(z, -FAR, FAR)
        after = [self._params(one) for one in self.z]
        self.states = [self.model.changed(state, old, new, rng) for state, old, new, rng in zip(self.states, self.params, after, self.chances, strict=True)]
        self.params = after


def check_filter(model: Simulation, params: Any) -> int:
    """How many numbers the state has. Raises BadInput where a model can't be corrected."""
    try:
        state = model.init(params, chance(0))
        vector = model.pack(state)
        again = model.pack(model.unpack(state, vector))
    except (TypeError, ValueError, NotImplementedError) as error:
        raise BadInput(f"{model.title} does not tell its state as numbers, so a filter can't correct it.", hint="Estimate its parameters by ABC instead.", field="model") from error
    if vector.dtype != np.float64 or not vector.size or not np.array_equal(vector, again):
        raise BadInput(f"{model.title} does not tell its state as numbers, so a filter can't correct it.", hint="Estimate its parameters by ABC instead.", field="model")
    return int(vector.size)
