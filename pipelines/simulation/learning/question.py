"""Question: what values of the free parameters say of the evidence, many sets at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.simulation.learning import noise
from pipelines.simulation.learning.emulators import Emulation
from pipelines.simulation.learning.evidence import LEAST_VALUES, Evidence
from pipelines.simulation.learning.many import Many
from pipelines.simulation.learning.params import RATE, SPREAD, Prior
from pipelines.simulation.learning.priors import Beliefs, check_field
from pipelines.simulation.learning.surrogate import Surrogate, build
from studio.api import BadInput, Numbers, RunContext, Simulation, StudioError


class Asked(Mapping[str, Numbers]):
    """Gaps for each observable, and `used`: which of them somebody asked for."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> Numbers:
        if name not in self.names:
            raise KeyError(name)
        self.used.add(name)
        return np.full(LEAST_VALUES, np.nan)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


class Question:
    """`values` are all of the model's; those that `priors` name are replaced. z are standard normal numbers, see Beliefs."""

    def __init__(self, model: Simulation, values: dict[str, Any], evidence: Evidence, priors: Sequence[Prior]) -> None:
        self.model, self.values, self.evidence = model, values, evidence
        self.own = getattr(model, "log_likelihood", None)
        self.fields = [prior.name for prior in priors if prior.name in model.Params.model_fields]
        for prior in priors:
            self._check_name(prior)
        whole = [prior.name in self.fields and model.Params.model_fields[prior.name].annotation is int for prior in priors]
        self.beliefs = Beliefs(priors, whole)
        self._own_data: dict[str, Numbers] = {}
        self.surrogate: Surrogate | None = None
        self.many: Many | None = None  # where work is shared

    def _check_name(self, prior: Prior) -> None:
        links = {f"{kind}{link.column}" for kind in (SPREAD, RATE) for link in self.evidence.links}
        if prior.name in links:
            if self.own is not None:
                raise BadInput(f"{self.model.title} knows how its data scatter: “{prior.name}” has no place in that.", hint="Leave it fixed.", field="free")
            if prior.low <= 0 and prior.kind.endswith("uniform"):
                raise BadInput(f"{prior.name}: its lower bound must be more than 0.", hint="Give a small positive one.", field="free")
            return
        check_field(prior, self.model, self.values)

    def _own_places(self) -> list[int]:
        """Which of the free parameters are the model's."""
        return [at for at, name in enumerate(self.beliefs.names) if name in self.fields]

    def learn_surrogate(self, kind: Emulation, runs: int, ctx: RunContext, own: str = "") -> None:
        """From now on it is asked for likelihoods; bands still come from the model. Raises BadInput."""
        places = self._own_places()
        if self.own is not None or not places:
            raise BadInput("Here a surrogate has nothing to stand in for.", hint="Switch it off.", field="surrogate")
        box = Beliefs([self.beliefs.priors[at] for at in places], [self.beliefs.whole[at] for at in places])

        def params_of(values: Numbers) -> Any:
            x = np.array([prior.low for prior in self.beliefs.priors])
            x[places] = values
            return self.params(x)

        self.surrogate = build(self.model, params_of, box, self.evidence.times, kind, runs, ctx, own)

    def surrogate_trust(self, z: Numbers) -> float:
        """How many of these draws (n, free) of the surrogate's posterior would count as the model's own, 0 … 1: effective share under importance weights."""
        told, stand = self.log_likelihood(z), self.surrogate
        self.surrogate = None
        true = self.log_likelihood(z)
        self.surrogate = stand
        weights = np.exp(true - told - (true - told).max())
        return float(weights.sum() ** 2 / (weights**2).sum() / len(z)) if np.isfinite(weights).all() else 0.0

    @property
    def count(self) -> int:
        """How many measured values there are."""
        return sum(int((~np.isnan(data)).sum()) for data in self.evidence.data)

    def params(self, x: Numbers) -> Any:
        """The model's Params from one (free,) set. Raises BadInput where they don't go together."""
        kinds = self.model.Params.model_fields
        own = {name: int(value) if kinds[name].annotation is int else float(value) for name, value in zip(self.beliefs.names, x, strict=True) if name in self.fields}
        params = self.model.Params.parse(self.values | own)
        self.model.check(params)
        return params

    def links(self, x: Numbers, kind: str) -> Numbers:
        """(sets, links) spreads or rates: free ones from x (sets, free), the others as they are fixed."""
        found = np.empty((len(x), len(self.evidence.links)))
        for number, link in enumerate(self.evidence.links):
            name = f"{kind}{link.column}"
            found[:, number] = x[:, self.beliefs.names.index(name)] if name in self.beliefs.names else (link.spread if kind == SPREAD else link.rate)
        return found

    def seen(self, x: Numbers, seeds: Sequence[int], times: Numbers | None = None) -> Numbers:
        """(sets, times, series) runs; all NaN where values don't go together or a run blew up."""
        if self.many is None:
            return self._seen(x, seeds, times)
        return self.many.rows(len(x), lambda part: self._seen(x[part], seeds[part], times), lambda part: ("seen", x[part], seeds[part], times))

    def _seen(self, x: Numbers, seeds: Sequence[int], times: Numbers | None) -> Numbers:
        at = self.evidence.times if times is None else times
        found = np.full((len(x), len(at), len(self.model.series)), np.nan)
        sets: list[Any] = []
        for one in x:
            try:
                sets.append(self.params(one))
            except BadInput:
                sets.append(None)
        good = [number for number, params in enumerate(sets) if params is not None]
        try:
            found[good] = self.model.observed([sets[number] for number in good], at, [seeds[number] for number in good])
        except StudioError:  # one of them: which, is found out one by one
            for number in good:
                try:
                    found[number] = self.model.observed([sets[number]], at, [seeds[number]])[0]
                except StudioError:
                    continue
        return found

    def log_likelihood(self, z: Numbers) -> Numbers:
        """(sets,) from z (sets, free); minus infinity where the model can't run."""
        if self.many is None or self.surrogate is not None:
            return self._log_likelihood(z)
        return self.many.rows(len(z), lambda part: self._log_likelihood(z[part]), lambda part: ("likely", z[part]))

    def _log_likelihood(self, z: Numbers) -> Numbers:
        x = self.beliefs.values(z)
        if self.own is not None:
            self._own_data = self._own_data or self._by_series()
            return np.array([self._own(one) for one in x])
        found = np.zeros(len(x))
        spreads = self.links(x, SPREAD)
        seen = self._seen(x, [0] * len(x), None) if self.surrogate is None else self.surrogate.seen(x[:, self._own_places()])
        means = self.evidence.means(seen, self.links(x, RATE))
        for number, (link, data, mean) in enumerate(zip(self.evidence.links, self.evidence.data, means, strict=True)):
            there = ~np.isnan(data)
            density = noise.log_density(link.noise, data[there], mean[:, there], spreads[:, number, None])
            found += np.ascontiguousarray(density).sum(axis=1)  # in an order that does not depend on how many sets there are
        return np.where(np.isfinite(found), found, -np.inf)

    def _own(self, x: Numbers) -> float:
        """By the model's own density of its data."""
        try:
            found = float(self.own(self._own_data, self.evidence.times, self.params(x)))  # type: ignore[misc]
        except StudioError:
            return -np.inf
        return found if np.isfinite(found) else -np.inf

    def _by_series(self) -> dict[str, Numbers]:
        """The data by observable, gaps as NaN; new values are added up, as a total counts from the start."""
        found = {}
        for link, data in zip(self.evidence.links, self.evidence.data, strict=True):
            values = data / link.rate
            if link.measure == "new":
                if np.isnan(values[1:]).any():
                    raise BadInput(f"Column “{link.column}” has gaps: what is new can't be added up across them.", hint="Fill them in, or estimate by ABC.", field="links")
                values = np.cumsum(np.nan_to_num(values))
            found[link.series] = values
        return found

    def check_own(self) -> None:
        """Whether the model's own likelihood takes these observables: it is asked about gaps only, as the data themselves may take long. Raises BadInput in its words."""
        params, asked = self.model.Params.parse(self.values), Asked([link.series for link in self.evidence.links])
        if len(set(asked.names)) < len(asked):
            raise BadInput("Two columns are tied to the same observable.", hint="Untie one of them.", field="links")
        self._own_data = self._by_series()
        try:
            self.own(asked, np.arange(LEAST_VALUES) * self.model.time_step(params), params)  # type: ignore[misc]
            self.model.check_data(self._own_data, self.evidence.times, params)
        except BadInput as error:
            if error.field not in self.model.Params.model_fields:
                raise BadInput(error.message, hint=error.hint, field="links") from error
        if idle := next((link for link in self.evidence.links if link.series not in asked.used), None):
            problem = f"The likelihood of {self.model.title} does not use “{idle.series}”, to which column “{idle.column}” is tied."
            raise BadInput(problem, hint="Untie that column, or learn by simulation (ABC).", field="links")

    def log_posterior(self, z: Numbers) -> Numbers:
        return np.asarray(self.log_likelihood(z) + self.beliefs.log_density(z))

    def scattered(self, seen: Numbers, x: Numbers, rng: np.random.Generator) -> list[Numbers]:
        """For each link (sets, times) of what might be measured of runs (sets, times, series) with parameters x (sets, free); NaN where a run failed."""
        spreads, means = self.links(x, SPREAD), self.evidence.means(seen, self.links(x, RATE))
        found = []
        for number, (link, mean) in enumerate(zip(self.evidence.links, means, strict=True)):
            good = np.isfinite(mean)
            kind: noise.Noise = "none" if self.own is not None else link.noise
            found.append(np.where(good, noise.scattered(kind, np.where(good, mean, 1.0), spreads[:, number, None], rng), np.nan))
        return found
