"""The Learn page of the Simulation tab: from data to parameters in four steps, Data, Map, Priors and Result. A view of simulation.learn and simulation.filter."""

from __future__ import annotations

import functools
import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import BadInput, NotFound, Studio, StudioError
from tabs import simulation_hand
from tabs.job_follow import Run, progress_html
from tabs.job_page import STREAMING, JobPage
from tabs.music_learn import LearnFollower
from tabs.simulation_desk import Desk
from tabs.simulation_form import SCRIPT, fields_of, numbers_of
from tabs.simulation_learn_form import map_html, priors_html, table_html, taken
from tabs.simulation_learn_view import measured, result_html

LEARN, FILTER, STAND = "simulation.learn", "simulation.filter", "simulation.surrogate"
KALMAN = "Kalman filter"
METHODS = ("Maximum likelihood", "MCMC", "ABC", KALMAN)
ADVANCED = ("seed", "starts", "walkers", "steps", "particles", "rounds", "keep", "adjust", "simulations", "surrogate", "surrogate_runs", "draws")
BANDED, CLIMBING = METHODS[:3], METHODS[:2]  # methods that draw bands; that may ask a surrogate
ONLY = {  # fields that not every method heeds
    "starts": METHODS[:1], "walkers": ("MCMC",), "steps": ("MCMC",), "particles": ("ABC",), "rounds": ("ABC",), "keep": ("ABC",), "adjust": ("ABC",), "simulations": ("ABC",),
    "surrogate": CLIMBING, "surrogate_runs": CLIMBING, "draws": BANDED,
}  # fmt: skip
FILTERING, FILTERING_MORE = ("twin", "members", "inflation", "method", "every", "count"), ("whole", "error", "start", "rotate", "left_out")
MANY, FEW = 1000, 500  # rows from which on, and how many of which, putting some together is offered
EMPTY: dict[str, Any] = {"table": "", "sample": "", "columns": [], "links": {}, "free": [], "priors": {}, "values": {}, "model": "", "own": "", "seen": {}, "desk": {}}  # `desk`: its values when they were last taken over
FREE_AT_FIRST = 2
UNASKED: dict[str, Any] = {"table": "", "sample": "", "links": [], "time": "", "unit": 1.0, "begin": 0.0, "together": 1}  # what a surrogate alone says nothing of


class LearnPage(JobPage):
    """`state` is what the forms hold; the model on the desk is the one that learns. `tab` is the gr.Tab it stands in, set before `listen`."""

    pipeline: ClassVar[str] = LEARN
    slot: ClassVar[str] = "simulation.learn.job"
    script: ClassVar[str] = simulation_hand.SCRIPT
    look: ClassVar[str] = "learn-view"
    tab: Any

    def __init__(self, studio: Studio, desk: Desk) -> None:
        super().__init__(studio)
        self.desk = desk
        self.learn: Any = studio.pipelines[LEARN]
        self.Params, self.FilterParams = self.learn.Params, studio.pipelines[FILTER].Params
        self.follower: LearnFollower = LearnFollower(studio, self.slot)

    # -- drawing ---------------------------------------------------------------------------------------------

    def build(self) -> None:
        words = self.studio.words
        self.state = gr.State(EMPTY)
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=2, min_width=320, elem_classes="studio-left"):
                with gr.Tabs(elem_id="learn-steps") as self.steps:
                    self._build_data()
                    with gr.Tab(words("2 Map"), id="map"):
                        self.map = self._form("learn-map")
                        self.to_priors = gr.Button(words("Next: priors"), size="sm", elem_classes="studio-quiet")
                    with gr.Tab(words("3 Priors"), id="priors"):
                        self.priors = self._form("learn-priors")
                        with gr.Row():
                            self.look_first = gr.Button(words("See what the priors say"), size="sm", elem_id="learn-look")
                            self.to_result = gr.Button(words("Next: result"), size="sm", elem_classes="studio-quiet")
                    self._build_method()
                with gr.Column(elem_classes="studio-foot"):
                    self.build_problem("sim-learn-problem")
                    with gr.Row(equal_height=True):
                        self.build_go("Estimate", "sim-learn-go")
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.build_view("sim-learn-view")
                self.use = gr.Button(words("Use the best values on the desk"), visible=False, elem_id="learn-use")

    def _form(self, name: str) -> Any:
        return gr.HTML("", js_on_load=SCRIPT, padding=False, elem_id=name, elem_classes=["learn-form", name])

    def _build_data(self) -> None:
        words = self.studio.words
        with gr.Tab(words("1 Data"), id="data"):
            self.model = gr.Dropdown(self._models(), value=self.desk.first().id, label=words("Model"), elem_id="learn-model")
            gr.HTML(f'<p class="learn-soft">{html.escape(words("Try one of these: everything is filled in."))}</p>', padding=False)
            with gr.Row(elem_classes="learn-samples"):
                titles = {name: one["title"] for name, one in self.learn.given.samples().items()}
                self.samples = {name: gr.Button(words(title), size="sm", elem_id=f"learn-sample-{name}") for name, title in titles.items()}
            self.upload = gr.File(file_types=[".csv", ".tsv", ".txt", ".dat"], type="filepath", label=words("Your table (CSV)"), height=120, elem_id="learn-table")
            self.seen = gr.HTML("", padding=False, elem_id="learn-seen")
            with gr.Row():
                self.time = gr.Dropdown([("–", "")], value="", label=words("Time column"), allow_custom_value=True, min_width=120)
                self.unit = gr.Number(1.0, label=words("Model time per unit"), info=words("How much of the model's time one unit of the table's is; dates count in days."), min_width=120)
                self.begin = gr.Number(0.0, label=words("Model time of the first row"), min_width=120)
                self.together = gr.Number(1, precision=0, label=words("Rows put together"), info=words("Of levels and totals the last stays, new values are added up."), min_width=120, elem_id="learn-together")
            self.fewer = gr.Button(words("Put rows together"), size="sm", visible=False, elem_id="learn-fewer")
            self.to_map = gr.Button(words("Next: map"), size="sm", elem_classes="studio-quiet")

    def _models(self) -> list[tuple[str, str]]:
        words = self.studio.words
        return [(words(model.title), model.id) for model in self.studio.simulations.all()] + [(words("My own model"), "own")]

    def _build_method(self) -> None:
        words = self.studio.words
        with gr.Tab(words("4 Result"), id="result"):
            self.method = gr.Radio([(words(name), name) for name in METHODS], value="MCMC", label=words("Method"), elem_id="learn-method")
            about = "Maximum likelihood is quick. MCMC gives all that is known. ABC is for models with chance. The Kalman filter follows a state while data come in."
            gr.HTML(f'<p class="learn-soft">{html.escape(words(about))}</p>', padding=False)
            with gr.Accordion(words("Advanced"), open=False, elem_id="learn-more"):
                self.controls = ui.controls(self.Params, self.studio, only=ADVANCED)
                for name, component in self.controls.items():
                    component.visible = heeded(name, self.method.value)
            with gr.Accordion(words("Kalman filter"), open=False, visible=False, elem_id="learn-filter") as self.filtering:
                filtering = ui.controls(self.FilterParams, self.studio, only=FILTERING, values={"twin": False})
                with gr.Accordion(words("Advanced"), open=False, elem_id="learn-filter-more"):
                    filtering |= ui.controls(self.FilterParams, self.studio, only=FILTERING_MORE)
            self.filter_controls = {f"filter:{name}": component for name, component in filtering.items()}

    @property
    def more(self) -> list[Any]:
        return [self.use]

    def listen(self) -> None:
        given = (
            {"state": self.state, "model": self.desk.model, "own": self.desk.own, "time": self.time, "unit": self.unit, "begin": self.begin, "together": self.together, "method": self.method}
            | self.controls
            | self.filter_controls
        )
        self.listen_job([self.go.click], given, {"table": self.upload, "links": self.map, "free": self.priors, "values": self.map})
        self.look_first.click(self.on_look, inputs_kwargs=given, outputs=self.streamed, **STREAMING)
        for button, step in ((self.to_map, "map"), (self.to_priors, "priors"), (self.to_result, "result")):
            button.click(_opener(step), [], [self.steps], **ui.QUICK)
        for name, button in self.samples.items():
            button.click(self.sampler(name), [], [*self.desk.picked, *self.filled, self.method], **ui.QUICK)
        self.fewer.click(self.on_fewer, [self.state], [self.together], **ui.QUICK)
        for pipeline in (LEARN, FILTER, STAND):
            ui.on_restore(self.studio, pipeline, ["simulation", "learn"], self.restorer(pipeline), [*self.desk.picked, *self.filled, self.method, *self.controls.values(), *self.filter_controls.values()])
        self.upload.upload(self.on_upload, [self.upload, self.state, *self.desk.picked], [*self.filled, self.problem.view], **ui.QUICK)
        ui.on_choice(self.model, self.on_model, [self.model, self.state, *self.desk.picked], [*self.desk.picked, *self.filled, self.problem.view])
        self.tab.select(self.on_open, [self.state, *self.desk.picked], self.filled, **ui.QUICK)
        for form in (self.map, self.priors):
            form.apply(self.on_form, [self.state], [self.state, self.priors] if form is self.map else [self.state], **ui.EACH)
        self.method.change(on_method, [self.method], [self.filtering, *self.controls.values()], **ui.QUICK)
        self.use.click(self.on_use, [], [*self.desk.picked, self.desk.tabs], **ui.QUICK)

    # -- what the forms hold ---------------------------------------------------------------------------------

    @property
    def filled(self) -> list[Any]:
        return [self.model, self.state, self.seen, self.map, self.priors, self.time, self.unit, self.begin, self.together, self.fewer]

    def _fill(self, state: dict[str, Any], lang: str, times: tuple[str, float, float, int] | None = None) -> list[Any]:
        """Values for `filled`; `times` are column, unit, beginning and rows put together, where they change."""
        say = functools.partial(self.studio.words.say, lang)
        seen, source = state["seen"], self.learn.given.samples().get(state["sample"], {})
        about = "".join(f"<p class='learn-soft'>{html.escape(say(line))}</p>" for line in (source.get("about", ""), source.get("units", "")) if line)
        about += f"<p class='learn-soft'>{html.escape(source['source'])} · {html.escape(source['licence'])}</p>" if source else ""
        choices = [(say("rows, one unit apart"), "")] + [(column["name"], column["name"]) for column in seen.get("columns", []) if column["kind"] != "text"]
        column, unit, begin, together = times or (gr.skip(), gr.skip(), gr.skip(), gr.skip())
        rows = seen.get("rows", 0)
        heavy = not hasattr(self.desk.find(state["model"], state["own"]), "log_likelihood")  # else each row counts, and costs little
        fewer = gr.update(visible=rows > MANY and heavy, value=say("Put {n} rows each together", n=f"{-(-rows // FEW):,}"))
        return [
            state["model"],
            state,
            table_html(say, seen) + about if seen else "",
            self._map(state, say),
            self._priors(state, say),
            gr.update(choices=choices) | ({"value": column} if times else {}),
            unit,
            begin,
            together,
            fewer,
        ]

    def _map(self, state: dict[str, Any], say: Any) -> str:
        model = self.desk.find(state["model"], state["own"])
        return map_html(say, state, model.series, numbers_of(model), hasattr(model, "log_likelihood"))

    def _priors(self, state: dict[str, Any], say: Any) -> str:
        return priors_html(say, state, fields_of(self.desk.find(state["model"], state["own"])))

    def _guessed(self, state: dict[str, Any], data: bytes) -> dict[str, Any]:
        """First links, free parameters and priors for the state's model and table."""
        model, given = self.desk.find(state["model"], state["own"]), self.learn.given
        links = given.first_links(model, data) if data else []
        spreads = [f"spread: {link['column']}" for link in links if link["noise"] not in ("none", "Poisson")]
        free = [field.name for field in numbers_of(model) if not field.advanced and not field.whole][:FREE_AT_FIRST] + spreads
        priors = {name: given.first_prior(model, state["values"], name, links) for name in free}
        seen = {"seen": given.seen(data, model)} if data else {}  # another model may take more of its rows
        return state | seen | {"links": {link["column"]: link for link in links}, "free": free, "priors": priors}

    def _data(self, state: dict[str, Any]) -> bytes:
        if not state["table"] and not state["sample"]:
            return b""
        return bytes(self.learn.given.data(self.Params.parse({"table": state["table"], "sample": state["sample"]}), self.studio.jobs.desk.inputs.path))

    # -- events ----------------------------------------------------------------------------------------------

    def sampler(self, name: str) -> Any:
        """A handler: all steps filled, and the sample's model on the desk."""

        def fill(request: gr.Request) -> list[Any]:
            settings = self.learn.given.samples()[name]["settings"]
            return [*self._settled({"together": 1} | settings | {"sample": name, "table": "", "own": ""}, ui.lang(request)), settings["method"]]

        return fill

    def restorer(self, pipeline: str) -> Any:
        """A handler: the settings of a kept result fill all steps."""

        def restore(request: gr.Request) -> list[Any]:
            owner, slot = ui.owner(request), f"restore:{pipeline}"
            given = self.studio.store.recall(owner, slot)
            self.studio.store.remember(owner, slot, None)
            if pipeline == STAND:
                given = UNASKED | given | {"surrogate": given["kind"], "surrogate_runs": given["runs"]}
            try:
                filled = self._settled(given, ui.lang(request))
            except StudioError as error:
                raise ui.toast(self.studio, error, request) from error
            filters = [name.partition(":")[2] for name in self.filter_controls]
            if pipeline == FILTER:
                return [*filled, KALMAN, *(given["seed"] if name == "seed" else gr.skip() for name in self.controls), *(given[name] for name in filters)]
            method = given["method"] if given.get("method") in METHODS else gr.skip()
            return [*filled, method, *(given.get(name, gr.skip()) for name in self.controls), *[gr.skip()] * len(filters)]

        return restore

    def _settled(self, given: dict[str, Any], lang: str) -> list[Any]:
        """Values for the desk and `filled` from whole settings; a table that is not here any more is asked for again. Raises BadInput, NotFound."""
        model, own, values = self.desk.pick(given["model"], given["own"], given["values"])
        state = EMPTY | {"table": given["table"], "sample": given["sample"], "model": model, "own": own, "values": values, "desk": values}
        try:
            data = self._data(state)
        except NotFound:
            data, state["table"] = b"", ""
        if data:
            state["seen"] = self.learn.given.seen(data, self.desk.find(model, own))
            state["columns"] = _numbers(state["seen"], given["time"])
        state |= {"links": {link["column"] or link["series"]: link for link in given["links"]}, "free": [prior["name"] for prior in given["free"]], "priors": {prior["name"]: prior for prior in given["free"]}}
        return [model, own, values, *self._fill(state, lang, (given["time"], given["unit"], given["begin"], given["together"]))]

    def on_upload(self, path: str, state: dict[str, Any], model: str, own: str, values: dict[str, Any], request: gr.Request) -> list[Any]:
        """The table is kept and read, its columns are guessed."""
        try:
            key = self.studio.inputs(ui.owner(request)).keep_table(Path(path).read_bytes(), "table")
            state = EMPTY | {"table": key, "model": model, "own": own, "values": values, "desk": values}
            state["seen"] = self.learn.given.seen(self._data(state), self.desk.find(model, own))
            state["columns"] = _numbers(state["seen"], state["seen"]["time"])
            state = self._guessed(state, self._data(state))
        except StudioError as error:
            return [*[gr.skip()] * len(self.filled), self.problem.told(error, ui.lang(request))]
        return [*self._fill(state, ui.lang(request), (state["seen"]["time"], 1.0, 0.0, 1)), ""]

    def on_model(self, chosen: str, state: dict[str, Any], model: str, own: str, values: dict[str, Any], request: gr.Request) -> list[Any]:
        """Another model on the desk: what the columns measure is guessed anew."""
        try:
            picked = self.desk.pick(chosen, own if chosen == "own" else "")
            state = state | dict(zip(("model", "own", "values"), picked, strict=True)) | {"desk": picked[2]}
            state = self._guessed(state, self._data(state))
        except StudioError as error:
            return [*[gr.skip()] * (3 + len(self.filled)), self.problem.told(error, ui.lang(request))]
        return [*picked, *self._fill(state, ui.lang(request)), ""]

    def on_open(self, state: dict[str, Any], model: str, own: str, values: dict[str, Any], request: gr.Request) -> list[Any]:
        """The page follows the desk: what was changed there counts here, and with another model the columns are guessed anew."""
        if state["model"] == model and state["own"] == own:
            changed = {name: value for name, value in values.items() if state["desk"].get(name) != value}
            return self._fill(state | {"values": state["values"] | changed, "desk": values}, ui.lang(request))
        state = state | {"model": model, "own": own, "values": values, "desk": values}
        return self._fill(self._guessed(state, self._data(state)), ui.lang(request))

    def on_form(self, state: dict[str, Any], event: gr.EventData, request: gr.Request) -> Any:
        model = self.desk.find(state["model"], state["own"])
        given = dict(event._data["value"])
        after = taken(state, given, lambda name: self.learn.given.first_prior(model, state["values"], name, list(state["links"].values())))
        if any(name.startswith("prior|") for name in given):
            return after
        return [after, self._priors(after, functools.partial(self.studio.words.say, ui.lang(request)))]

    def on_fewer(self, state: dict[str, Any]) -> int:
        """So many rows together that some hundred are left."""
        return -(-int(state["seen"].get("rows", 0)) // FEW) or 1

    def on_use(self, request: gr.Request) -> list[Any]:
        """The newest result's best values on the desk, and the page where they run."""
        job = self.follower.job(ui.owner(request))
        best = self.follower.facts(job.id).get("best") if job is not None else None
        try:
            if not best or job is None:
                raise BadInput("There are no best values yet.", hint="Estimate first.")
            asked = job.params.model_dump()
            return [*self.desk.pick(asked["model"], asked["own"], best), gr.Tabs(selected="run")]
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error

    # -- a job -----------------------------------------------------------------------------------------------

    def on_go(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        yield from self.submit(request, given, {"language": ui.lang(request)}, FILTER if given["method"] == KALMAN else LEARN)

    def on_look(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        yield from self.submit(request, given | {"method": "Prior"}, {"language": ui.lang(request)}, LEARN)

    def asked(self, owner: str, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        state = given["state"]
        shared = {name: given[name] for name in ("model", "own", "unit", "begin", "together")} | {"time": given["time"] or "", "values": state["values"], "table": state["table"], "sample": state["sample"]}
        shared = ui.read_values(self.Params, shared)
        shared |= {"links": list(state["links"].values()), "free": [state["priors"][name] for name in state["free"]]}
        if given["method"] == KALMAN:
            own = ui.read_values(self.FilterParams, {name.partition(":")[2]: value for name, value in given.items() if name.startswith("filter:")})
            return shared | own | {"seed": given["seed"]}, {}
        return shared | ui.read_values(self.Params, {name: given[name] for name in self.controls}) | {"method": given["method"]}, {}

    def shown(self, run: Run, request: gr.Request) -> list[Any]:
        return [gr.update(visible=bool(run.job) and not run.running and bool(self.follower.facts(run.job).get("best")))]

    def stage(self, run: Run, owner: str, lang: str) -> str:
        say = functools.partial(self.studio.words.say, lang)
        if run.problem:
            return f'<div class="learn-stage"><p class="studio-error" role="alert">{html.escape(run.problem)}</p></div>'
        if not run.job:
            return f'<div class="learn-stage">{self.hello(owner, lang)}</div>'
        facts = self.follower.facts(run.job)
        if run.running:
            return f'<div class="learn-stage" aria-busy="true"><div class="music-busy">{progress_html(run, say, more=measured(say, facts))}</div></div>'
        stopped = say("Stopped. The draws until then are kept." if run.outputs else "Stopped before anything was finished.") if run.stopped else ""
        outputs = [self.studio.store.output(one) for one in run.outputs]
        return f'<div class="learn-stage learn-result">{f"<p>{html.escape(stopped)}</p>" if stopped else ""}{result_html(say, run.job, facts, outputs, self._titles(run.job, say))}</div>'

    def _titles(self, job_id: str, say: Any) -> dict[str, str]:
        asked = self.follower.asked(job_id)
        try:
            model = self.desk.find(asked["model"], asked["own"])
            return {f"series: {series.name}": say(series.title) for series in model.series} | {field.name: say(field.title) for field in fields_of(model)}
        except (KeyError, StudioError):  # its model is gone
            return {}

    def hello(self, owner: str, lang: str) -> str:
        say = functools.partial(self.studio.words.say, lang)
        first = html.escape(say("A model, a table, and what its columns measure: the data say which parameters explain them, and how sure that is."))
        rest = html.escape(say("Take a sample and press Estimate, or give your own table and go through the four steps."))
        return f'<div class="studio-empty"><b lang="ja">生成</b><br>{first}<br>{rest}</div>'


def heeded(name: str, method: str) -> bool:
    """Whether that method asks for the field."""
    return method in ONLY.get(name, METHODS)


def on_method(method: str) -> list[Any]:
    """Only what the method heeds is in sight."""
    return [gr.update(visible=method == KALMAN), *(gr.update(visible=heeded(name, method)) for name in ADVANCED)]


def _opener(step: str) -> Any:
    return lambda: gr.Tabs(selected=step)


def _numbers(seen: dict[str, Any], time: str) -> list[str]:
    """Columns that can be tied to observables."""
    return [column["name"] for column in seen["columns"] if column["kind"] == "number" and column["name"] != time]
