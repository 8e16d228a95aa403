"""simulation.learn: from a table to the parameters that explain it, with what is not known of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from pipelines.simulation.experiments.plan import Reference
from pipelines.simulation.learning import figures
from pipelines.simulation.learning.chain import Chain
from pipelines.simulation.learning.climb import Climb
from pipelines.simulation.learning.evidence import Evidence, evidence
from pipelines.simulation.learning.given import Given, most_rows, named, named_all
from pipelines.simulation.learning.many import Many, Recipe
from pipelines.simulation.learning.params import LearnParams
from pipelines.simulation.learning.particles import Particles
from pipelines.simulation.learning.posterior import LEVEL, Posterior
from pipelines.simulation.learning.question import Question
from pipelines.simulation.learning.surrogate import surrogate_doubts, surrogate_facts
from pipelines.simulation.params import captioned, chosen, lettered, own_of
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, Numbers, Params, Result, RunContext, Simulations, Stopped, seeds_of

SCATTERED = 20  # draws of noise for each run of a band
DRAWN = 20  # runs of a band between two reports
SMOOTH = 200  # times that a band is drawn at, at least
WORKING = 300 * 2**20
PRIOR_DRAWS = 4000
CHECKED = 60  # draws of a surrogate's posterior that the model itself is asked about


class Learn:
    """Same data, settings and seed give the same posterior. Stop keeps the draws there are."""

    id: ClassVar[str] = "simulation.learn"
    title: ClassVar[str] = "Learn from data"
    lane: ClassVar[Lane] = "cpu"
    Params: ClassVar[type[Params]] = LearnParams

    def __init__(self, simulations: Simulations) -> None:
        self.simulations = simulations
        self.given = Given(simulations)

    def need(self, params: LearnParams, catalog: Catalog) -> Need:
        if not params.table and not params.sample:
            return Need(missing="There is no data to learn from.")
        return Need(working_bytes=WORKING)

    def settle(self, params: LearnParams, desk: Desk) -> LearnParams:
        """Reads the table and asks the question once. Raises StudioErrors with the field."""
        question = self._question(params, self.given.data(params, desk.inputs.path))
        _check_method(params, question)
        return lettered(params)

    @captioned
    def run(self, params: LearnParams, ctx: RunContext) -> Result:
        question = self._question(params, self.given.data(params, lambda key, field: ctx.input(key)))
        with Many(ctx, Recipe(Reference.to(question.model, own_of(params)), question.values, question.evidence, params.free)) as question.many:
            return self._run(params, question, ctx)

    def _run(self, params: LearnParams, question: Question, ctx: RunContext) -> Result:
        if params.method == "Prior":
            bands, _ = _bands(params, question, question.beliefs.draw(np.random.default_rng([ctx.seed, 5]), params.draws), ctx, "What the priors say")
            return named_all(question.model, Result(bands, {"notes": list(question.evidence.notes)}))
        posterior, more = _estimated(params, question, ctx)
        return named_all(question.model, _told(params, question, posterior, more, ctx))

    def _question(self, params: LearnParams, data: bytes) -> Question:
        model, own = chosen(params, self.simulations)
        table = self.given.table(data, params.together, most_rows(model))
        if not params.free:
            raise BadInput("No parameter is free yet.", hint="Choose at least one in “Priors”.", field="free")
        if len({link.column for link in params.links}) < len(params.links):
            raise BadInput("A column is tied to two observables.", hint="Take one of them out.", field="links")
        return Question(model, own.model_dump(), evidence(table, params, model, own), params.free)


def _check_method(params: LearnParams, question: Question) -> None:
    """Raises BadInput where the method can't answer."""
    if params.method in ("Maximum likelihood", "MCMC"):
        if question.own is not None:
            question.check_own()
        if question.own is None and question.model.stochastic:
            raise BadInput(f"{question.model.title} has chance in it: its likelihood is not known.", hint="Estimate by ABC, which only needs runs.", field="method")
        if question.own is None and any(link.noise == "none" for link in params.links):
            raise BadInput("Without noise a likelihood says nothing.", hint="Choose how values scatter, or estimate by ABC.", field="links")
    if params.method == "MCMC":
        Chain(question, params.walkers, params.steps)
    if params.method == "ABC":
        _particles(params, question)
        if params.surrogate != "none":
            raise BadInput("ABC asks the model itself.", hint="Switch the surrogate off, or use MCMC.", field="surrogate")


def _particles(params: LearnParams, question: Question) -> Particles:
    return Particles(question, params.particles, params.rounds, params.keep, params.simulations, params.adjust)


def _estimated(params: LearnParams, question: Question, ctx: RunContext) -> tuple[Posterior, list[Artifact]]:
    """(posterior, figures of how it was found). Raises Stopped after keeping what there is."""
    _check_method(params, question)
    if params.surrogate != "none":
        question.learn_surrogate(params.surrogate, params.surrogate_runs, ctx, own_of(params))
    if params.method == "Maximum likelihood":
        climb = Climb(question, params.starts)
        _until_stopped(lambda: climb.run(ctx), climb.so_far, question, ctx, "Best values so far")
        return climb.posterior(), []
    if params.method == "MCMC":
        chain = Chain(question, params.walkers, params.steps)
        _until_stopped(lambda: chain.walk(ctx), chain.posterior, question, ctx)
        found = chain.posterior()
        assert found is not None
        return found, figures.walk(chain.trace(), figures.called(question.model, question.beliefs.names), "Walkers")
    particles = _particles(params, question)
    _until_stopped(lambda: particles.run(ctx), lambda: particles.posterior(ctx.seed), question, ctx)
    found = particles.posterior(ctx.seed)
    assert found is not None
    return found, []


def _until_stopped(work: Any, so_far: Any, question: Question, ctx: RunContext, title: str = "Posterior so far") -> None:
    try:
        work()
    except Stopped:
        posterior = so_far()
        if posterior is not None:
            ctx.output(named(question.model, Artifact("table", posterior.csv(), ".csv", title, {"draws": len(posterior.z)})))
        raise


def _bands(params: LearnParams, question: Question, z: Numbers, ctx: RunContext, title: str) -> tuple[list[Artifact], dict[str, Any]]:
    """Figures of 90 % bands of what might be measured, and how much of the data lie within."""
    rng = np.random.default_rng([ctx.seed, 6])
    x = question.beliefs.values(z[rng.choice(len(z), min(params.draws, len(z)), replace=False)])
    seeds = seeds_of(ctx.seed, len(x))
    times, at = _drawn_times(question.evidence)
    parts = []
    for start in range(0, len(x), DRAWN):
        ctx.progress(start, len(x), "Drawing the bands")
        parts.append(question.seen(x[start : start + DRAWN], seeds[start : start + DRAWN], times))
    seen = np.concatenate(parts)
    failed = int((~np.isfinite(seen).all(axis=(1, 2))).sum())
    often = 1 if question.own is not None else SCATTERED  # a model that knows how its data scatter has no noise beside it
    predicted = question.scattered(np.repeat(seen, often, axis=0), np.repeat(x, often, axis=0), rng)
    if failed == len(x):
        raise BadInput("Within the priors every run of the model fails.", hint="Narrow the priors to where it can run.", field="free")
    ends = [np.nanquantile(one, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], axis=0) for one in predicted]
    evidence, drawn_ends = question.evidence, ends
    ends = [end[:, at] for end in drawn_ends]
    within = [float(np.mean([low <= value <= high for low, value, high in zip(end[0], data, end[2], strict=True) if value == value])) for end, data in zip(ends, evidence.data, strict=True)]
    drawn = figures.over_data(evidence, drawn_ends, times, question.model.time_unit, title)
    table = _band_table(question, ends)
    return [*drawn, Artifact("table", table, ".csv", f"{title}: bands")], {"within": {link.column: share for link, share in zip(evidence.links, within, strict=True)}, "failed": failed}


def _drawn_times(evidence: Evidence) -> tuple[Numbers, Any]:
    """(times that bands are drawn at, which of them are the data's): more than the data's where those are few and no column tells what is new between them."""
    if len(evidence.times) > SMOOTH // 2 or any(link.measure == "new" for link in evidence.links):
        return evidence.times, slice(None)
    times = np.union1d(np.linspace(evidence.times[0], evidence.times[-1], SMOOTH), evidence.times)
    return times, np.searchsorted(times, evidence.times)


def _band_table(question: Question, ends: Sequence[Numbers]) -> bytes:
    evidence = question.evidence
    head = ["time", *(f'"{link.column.replace(chr(34), "")} {what}"' for link in evidence.links for what in ("data", "5 %", "median", "95 %"))]
    columns = [evidence.times, *(column for data, end in zip(evidence.data, ends, strict=True) for column in (data, *end))]
    rows = [",".join("" if value != value else f"{value:.8g}" for value in row) for row in np.stack(columns, axis=1)]
    return ("\n".join([",".join(head), *rows]) + "\n").encode()


def _told(params: LearnParams, question: Question, posterior: Posterior, more: list[Artifact], ctx: RunContext) -> Result:
    before = question.beliefs.values(question.beliefs.draw(np.random.default_rng([ctx.seed, 7]), PRIOR_DRAWS))
    bands, seen = _bands(params, question, posterior.z, ctx, "Data and 90 % bands")
    table, best = posterior.table(), {row["name"]: row["best"] for row in posterior.table() if row["name"] in question.fields}
    warnings = [*posterior.warnings(), *_misfit(seen["within"])]
    if question.surrogate is not None:
        facts_of = surrogate_facts(question.model, question.surrogate)
        facts_of["trust"] = round(question.surrogate_trust(posterior.z[:: -(-len(posterior.z) // CHECKED)]), 3)
        posterior.facts["surrogate"], more = facts_of, [*more, *figures.held_out(question.model, question.surrogate, "Surrogate and held-out runs")]
        warnings += surrogate_doubts(facts_of)
    facts = {name: value for name, value in posterior.facts.items() if name not in ("r_hat", "effective", "error")}
    summary = {
        "method": params.method, "table": table, "warnings": warnings, "notes": list(question.evidence.notes), "facts": facts, "within": seen["within"], "failed_runs": seen["failed"],
        "best": _best_values(question, best), "draws": len(posterior.z),
    }  # fmt: skip
    settings = {"settings": params.model_dump(mode="json"), "seed": ctx.seed, **summary}
    drawings = [*bands, *figures.marginals(question.model, posterior, before, "Parameters before and after"), *figures.pairs(question.model, posterior, "Pairs of parameters"), *more]
    draws = Artifact("table", posterior.csv(), ".csv", "Posterior", {"draws": len(posterior.z)})
    return Result([*drawings, draws, Artifact("json", json.dumps(settings, indent=1, ensure_ascii=False).encode(), ".json", "Calibration")], summary)


def _best_values(question: Question, best: dict[str, float]) -> dict[str, Any]:
    """All of the model's values with the best ones among them."""
    kinds = question.model.Params.model_fields
    return question.values | {name: round(value) if kinds[name].annotation is int else value for name, value in best.items()}


def _misfit(within: dict[str, float]) -> list[str]:
    return [f"Only {100 * share:.0f} % of {column} lie within the 90 % band: the model or the noise does not fit these data." for column, share in within.items() if share < 0.7]
