"""What stands on the desk of the Simulation tab: which model, and all its values. The pages share it. No chart, no job."""

from __future__ import annotations

import hashlib
import html
import json
import time
from pathlib import Path
from typing import Any

import gradio as gr

from studio import ui
from studio.api import NotFound, Simulation, Studio, StudioError, read_model_values

OWN = "own"  # stands for a model of one's own, whose declaration is `desk.own`
RUN, LIVE, SONIFY = "simulation.run", "simulation.live", "simulation.sonify"
SCRIPTS = ("simulation_plot.js", "simulation_live.js", "simulation_music.js", "simulation_page.js")
SCRIPT = "import('/api/v1/simulation/page.js?{version}').then((page) => page.start(element, trigger, watch));"
FIRST = ("gray_scott", "lorenz63")  # what runs when nobody chose yet: the first that is there


class Desk:
    """`model` (an id), `own` (JSON text) and `values` (all of the model's, by name) are states; `picked` holds them as outputs of an event, in that order.

    `tabs` are the pages' gr.Tabs: an event with it among its outputs opens a page by `gr.Tabs(selected="run")`.
    """

    tabs: gr.Tabs

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def build(self) -> None:
        first = self.first()
        self.model = gr.State(first.id)
        self.own = gr.State("")
        values = first.Params().model_dump(mode="json")
        self.values = gr.State(values)
        self.bridge = gr.HTML(self.told(first.id, "", values), js_on_load=SCRIPT.format(version=version()), padding=False, elem_id="simulation-desk")

    def listen(self) -> None:
        """The page's script and the states follow each other."""
        self.bridge.apply(self.on_apply, [], self.picked, **ui.EACH)
        gr.on([state.change for state in self.picked], self.told, self.picked, [self.bridge], **ui.QUICK)
        for pipeline_id in (RUN, LIVE, SONIFY):
            ui.on_restore(self.studio, pipeline_id, ["simulation", "run"], self.restorer(pipeline_id), [*self.picked, self.bridge])

    def on_apply(self, event: gr.EventData) -> Any:
        """What was changed on the page."""
        given = event._data["value"]
        try:
            return list(self.pick(str(given["model"]), str(given.get("own", "")), dict(given["values"])))
        except StudioError:  # the view says it at its field
            return [gr.skip()] * len(self.picked)

    def told(self, model: str, own: str, values: dict[str, Any], **more: Any) -> str:
        """HTML that the page's script reads."""
        wish = json.dumps({"model": model, "own": own, "values": values, **more})
        return f'<div hidden data-desk="{html.escape(wish)}"></div>'

    def put(self, model: str, own: str, values: dict[str, Any], **more: Any) -> str:
        """Told because somebody chose it: the script takes it even where it asked for the same a moment ago, unlike what the states repeat of its own words."""
        return self.told(model, own, values, restored=True, stamp=time.time(), **more)

    def restorer(self, pipeline_id: str) -> Any:
        """A handler: the settings that came back go on the desk, with their seed and what was changed on the way."""

        def restore(request: gr.Request) -> list[Any]:
            owner, slot = ui.owner(request), f"restore:{pipeline_id}"
            given = self.studio.store.recall(owner, slot)
            self.studio.store.remember(owner, slot, None)
            try:
                model, own, values = self.pick(given["model"], given["own"], given["values"])
            except StudioError as error:
                raise ui.toast(self.studio, error, request) from error
            more: dict[str, Any] = {"seed": given["seed"]}
            if given.get("changes"):
                step = self.find(model, own).time_step(self.find(model, own).Params.parse(values))
                more |= {"changes": given["changes"], "steps": given.get("steps") or round(given.get("duration", 0) / step)}
            return [model, own, values, self.put(model, own, values, **more)]

        return restore

    @property
    def picked(self) -> list[Any]:
        return [self.model, self.own, self.values]

    def first(self) -> Simulation:
        """Raises NotFound where there is no model at all."""
        there = {model.id: model for model in self.studio.simulations.all()}
        if not there:
            raise NotFound("There is no simulation here.", hint="Install an extension that brings one.")
        return next((there[name] for name in FIRST if name in there), next(iter(there.values())))

    def find(self, model_id: str, own: str = "") -> Simulation:
        """Raises NotFound, BadInput."""
        if model_id != OWN:
            return self.studio.simulations.find(model_id)
        run: Any = self.studio.pipelines[RUN]
        found: Simulation = run.model(model_id, own)
        return found

    def pick(self, model_id: str, own: str = "", values: dict[str, Any] | None = None) -> tuple[str, str, dict[str, Any]]:
        """Values for `picked`: the model with `values` over its declared ones. Raises NotFound, BadInput."""
        return model_id, own, read_model_values(self.find(model_id, own), values or {}).model_dump(mode="json")

    def kept(self, model_id: str, own: str, values: dict[str, Any]) -> dict[str, Any]:
        """As much of `values` as this model takes; the rest as declared."""
        try:
            return self.find(model_id, own).Params.restore(dict(values), 1)[0].model_dump(mode="json")
        except StudioError:
            return {}


def script() -> str:
    """One module of the pages' scripts, which share a scope."""
    return "\n".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in SCRIPTS)


def version() -> str:
    return hashlib.sha256(script().encode()).hexdigest()[:12]
