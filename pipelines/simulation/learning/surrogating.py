"""simulation.surrogate: learns a stand-in for a model over a box of parameters and tells its error on held-out runs and how much faster it is."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.simulation.learning import figures
from pipelines.simulation.learning.emulators import Emulation
from pipelines.simulation.learning.given import named_all
from pipelines.simulation.learning.params import Prior
from pipelines.simulation.learning.priors import Beliefs, check_field
from pipelines.simulation.learning.surrogate import Surrogate, build, surrogate_doubts, surrogate_facts
from pipelines.simulation.params import DrawnParams, captioned, check_length, chosen, lettered, own_of
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, Numbers, Params, Result, RunContext, Simulation, Simulations, ui


class SurrogateParams(DrawnParams):
    free: list[Prior] = Field([], max_length=12, title="Box", description="The parameters that vary, each between its bounds.", json_schema_extra=ui(widget="json"))
    kind: Emulation = Field("Gaussian process", title="Surrogate", description="Gaussian processes need few runs; a network takes many.")
    runs: int = Field(200, ge=20, le=5000, title="Runs", description="How many it is learnt from; a fifth is held out.")
    until: float = Field(0.0, ge=0, le=1e9, title="Until", description="In the model's time; 0: its usual duration.", json_schema_extra=ui(widget="number"))
    times: int = Field(50, ge=2, le=2000, title="Looks", description="At how many times of a run.")
    ask: dict[str, float] = Field({}, title="Ask for", description="Values within the box: what the surrogate says there, and what the model does.", json_schema_extra=ui(widget="json", advanced=True))


class Surrogating:
    """Same settings and seed give the same surrogate."""

    id: ClassVar[str] = "simulation.surrogate"
    title: ClassVar[str] = "Learn a surrogate"
    lane: ClassVar[Lane] = "cpu"
    Params: ClassVar[type[Params]] = SurrogateParams

    def __init__(self, simulations: Simulations) -> None:
        self.simulations = simulations

    def need(self, params: SurrogateParams, catalog: Catalog) -> Need:
        if not params.free:
            return Need(missing="No parameter is free yet.")
        return Need(working_bytes=200 * 2**20)

    def settle(self, params: SurrogateParams, desk: Desk) -> SurrogateParams:
        """Raises StudioErrors with the field."""
        model, own = chosen(params, self.simulations)
        self._box(params, model, own)
        return lettered(params)

    def _box(self, params: SurrogateParams, model: Simulation, own: Any) -> Beliefs:
        if not params.free:
            raise BadInput("No parameter is free yet.", hint="Choose at least one.", field="free")
        for prior in params.free:
            check_field(prior, model, own.model_dump())
        if model.stochastic:
            raise BadInput(f"{model.title} has chance in it: a surrogate would learn one run's chance.", hint="Use a model without chance, or ABC.", field="model")
        if params.ask and set(params.ask) != {prior.name for prior in params.free}:
            raise BadInput("Values for all parameters of the box are needed, and no others.", hint=f"Give {', '.join(prior.name for prior in params.free)}.", field="ask")
        check_length(model, own, params.until or model.duration, runs=params.runs, field="until")
        return Beliefs(params.free, [model.Params.model_fields[prior.name].annotation is int for prior in params.free])

    @captioned
    def run(self, params: SurrogateParams, ctx: RunContext) -> Result:
        model, own = chosen(params, self.simulations)
        box, kinds = self._box(params, model, own), model.Params.model_fields
        times = np.linspace(0, params.until or model.duration, params.times + 1)[1:]

        def params_of(x: Numbers) -> Any:
            values = {name: int(value) if kinds[name].annotation is int else float(value) for name, value in zip(box.names, x, strict=True)}
            found = model.Params.parse(own.model_dump() | values)
            model.check(found)
            return found

        surrogate = build(model, params_of, box, times, params.kind, params.runs, ctx, own_of(params))
        facts = surrogate_facts(model, surrogate)
        summary = {"kind": params.kind, "surrogate": facts, "warnings": surrogate_doubts(facts), "notes": []}
        artifacts = figures.held_out(model, surrogate, "Surrogate and held-out runs")
        if params.ask:
            asked = np.array([[params.ask[name] for name in box.names]])
            artifacts.append(Artifact("table", _answer(model, surrogate, asked, model.observed([params_of(asked[0])], times, [0])[0]), ".csv", "Surrogate and model"))
        text = json.dumps({"settings": params.model_dump(mode="json"), **summary}, indent=1, ensure_ascii=False)
        return named_all(model, Result([*artifacts, Artifact("json", text.encode(), ".json", "Surrogate")], summary))


def _answer(model: Simulation, surrogate: Surrogate, asked: Numbers, run: Numbers) -> bytes:
    told = surrogate.seen(asked)[0]
    head = ["time", *(f"{series.name} {what}" for series in model.series for what in ("surrogate", "model"))]
    rows = [",".join(f"{value:.8g}" for value in [time, *np.stack([one, two], axis=1).ravel()]) for time, one, two in zip(surrogate.times, told, run, strict=True)]
    return ("\n".join([",".join(head), *rows]) + "\n").encode()
