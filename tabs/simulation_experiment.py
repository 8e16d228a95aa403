"""The Experiment page of the Simulation tab: sweeps, repetitions, comparisons, sensitivity of the model on the desk."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any, ClassVar, get_args

import gradio as gr

from studio import ui
from studio.api import BadInput, Fix, Simulation, Studio, StudioError
from tabs.image_box import Quiet
from tabs.job_follow import Run, duration
from tabs.job_page import JobPage
from tabs.simulation_desk import Desk
from tabs.simulation_experiment_view import stage
from tabs.simulation_form import SCRIPT as FORM
from tabs.simulation_form import fields_of, number_input, numbers_of, read_number
from tabs.simulation_hand import SCRIPT
from tabs.simulation_plan import FIELDS, fitting, sizes

SWEEP, REPLICATE, COMPARE, SOBOL = "simulation.sweep", "simulation.replicate", "simulation.compare", "simulation.sobol"
KINDS = {"Sweep": SWEEP, "Repetitions": REPLICATE, "Compare": COMPARE, "Sensitivity": SOBOL}
ABOUT = {
    "Sweep": "What comes of one or two parameters over a range.", "Repetitions": "The same again and again: how far runs lie apart.",
    "Compare": "Scenarios with the same seeds, and their differences.", "Sensitivity": "Which parameters matter most, alone and together.",
}  # fmt: skip
NOW = "As set"
AXES = ("x", "y")
LATER = "async (...given) => { await new Promise((done) => setTimeout(done, 1000)); return given; }"
CERTAIN = 5  # per cent by which values vary, where a model has no chance in it


class Ticks(gr.CheckboxGroup, metaclass=Quiet):
    """Hands on what is ticked: while another model's choices come, the page may still ask with those of the one before."""

    is_template: ClassVar[bool] = True  # drawn as what it is made from

    def preprocess(self, payload: Any) -> list[Any]:
        return list(payload)


class ExperimentPage(JobPage):
    """`tab` is the gr.Tab it stands in, set before `listen`."""

    pipeline: ClassVar[str] = SWEEP
    slot: ClassVar[str] = "simulation.experiment.job"
    script: ClassVar[str] = SCRIPT
    look: ClassVar[str] = "experiment-view"
    tab: Any

    def __init__(self, studio: Studio, desk: Desk) -> None:
        super().__init__(studio)
        self.desk = desk
        self._stopped: dict[str, str] = {}  # each person's job that was asked to end early

    # -- drawing ---------------------------------------------------------------------------------------------

    def build(self) -> None:
        words, model = self.studio.words, self.desk.first()
        fields = self.studio.pipelines[SWEEP].Params.model_fields
        with gr.Row(elem_classes="studio-two", elem_id="simulation-experiment"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                self.fit = gr.State("")  # which model the choices are of
                self.subject = gr.HTML(self._subject(model), padding=False)
                self.kind = gr.Radio([(words(name), name) for name in KINDS], value="Sweep", label=words("Experiment"), elem_id="experiment-kind")
                self.about = gr.HTML(self._about("Sweep"), padding=False)
                with gr.Group():
                    self.series = gr.Dropdown([], allow_custom_value=True, label=words("What is measured"), elem_id="experiment-series")
                    self.measure = gr.Dropdown([(words(name), name) for name in get_args(fields["measure"].annotation)], value="At the end", label=words("Measured as"), elem_id="experiment-measure")
                self._build_kinds()
                self._build_advanced()
                with gr.Column(elem_classes="studio-foot"):
                    self.build_problem("experiment-problem")
                    self.plan = gr.HTML("", padding=False, elem_id="experiment-plan")
                    with gr.Row(equal_height=True):
                        self.build_go("Run the experiment", "experiment-go")
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.build_view("experiment-view")

    def _build_kinds(self) -> None:
        """What each experiment asks, of which one is seen."""
        words = self.studio.words
        self.groups: dict[str, Any] = {}
        self.axes: dict[str, Any] = {}
        with gr.Column(visible=True) as self.groups["Sweep"]:
            self._build_axis("x", words("First parameter"))
            self._build_axis("y", words("Second parameter"))
        with gr.Column(visible=False) as self.groups["Repetitions"]:
            self.runs = gr.Number(100, precision=0, label=words("Repetitions"), info=words("Runs, each with its own seed."), elem_id="experiment-runs")
            self.uncertainty = gr.Slider(0, 50, 0, step=0.5, label=words("Uncertainty of the values"), info=words("In per cent: by how much all numbers vary evenly to either side."), elem_id="experiment-uncertainty")
        with gr.Column(visible=False) as self.groups["Compare"]:
            self.scenarios = Ticks([], label=words("Scenarios"), info=words("The others are compared with the first."), elem_id="experiment-scenarios")
            self.named = gr.State({})  # the scenarios one made, values by name
            with gr.Row(equal_height=True):
                self.name = gr.Textbox("", label=words("Name of a scenario"), max_length=60, scale=3, min_width=120, elem_id="experiment-name")
                self.add = gr.Button(words("Add the values on the desk"), size="sm", scale=2, min_width=120, elem_id="experiment-add")
        with gr.Column(visible=False) as self.groups["Sensitivity"]:
            self.names = gr.Dropdown([], allow_custom_value=True, multiselect=True, label=words("Parameters"), elem_id="experiment-names")
            self.share = gr.Slider(5, 100, 50, step=5, label=words("Range around each value"), info=words("In per cent to either side, within its limits."), elem_id="experiment-share")
            self.ranges = gr.State({})  # lowest and highest value that one gave, by name
            self.ends = gr.HTML("", js_on_load=FORM, padding=False, elem_id="experiment-ends", elem_classes="learn-form")
            samples = get_args(self.studio.pipelines[SOBOL].Params.model_fields["samples"].annotation)
            self.samples = gr.Dropdown([(f"{number:,}", number) for number in samples], value=256, label=words("Base samples"), info=words("More make the intervals narrower."), elem_id="experiment-samples")

    def _build_axis(self, which: str, label: str) -> None:
        words = self.studio.words
        self.axes[which] = gr.Dropdown([], allow_custom_value=True, label=label, elem_id=f"experiment-{which}")
        with gr.Row(visible=which == "x", elem_classes="experiment-range") as self.axes[f"{which}_row"]:
            self.axes[f"{which}_from"] = gr.Number(0, label=words("At least"), min_width=70, elem_id=f"experiment-{which}-from")
            self.axes[f"{which}_to"] = gr.Number(0, label=words("At most"), min_width=70, elem_id=f"experiment-{which}-to")
            self.axes[f"{which}_count"] = gr.Number(31 if which == "x" else 21, precision=0, label=words("Values"), min_width=60, elem_id=f"experiment-{which}-count")

    def _build_advanced(self) -> None:
        words = self.studio.words
        with gr.Accordion(words("Advanced"), open=False):
            self.length = gr.Number(0, label=words("How long"), info=words("In the model's own time; 0 takes its usual length."), elem_id="experiment-duration")
            self.replicates = gr.Number(0, precision=0, label=words("Runs at each value"), info=words("0 takes several where chance plays a part, else one."), elem_id="experiment-replicates")
            self.points = gr.Number(200, precision=0, label=words("Observations"), info=words("How often each run is observed, evenly from its start to its end."), elem_id="experiment-points")
            for which, label in (("x", words("First parameter: spacing")), ("y", words("Second parameter: spacing"))):
                self.axes[f"{which}_scale"] = gr.Dropdown([(words(name), name) for name in ("Linear", "Logarithmic")], value="Linear", label=label, elem_id=f"experiment-{which}-scale")
            self.pairs = gr.Checkbox(True, label=words("Pairs as well"), info=words("How much two parameters make together beyond what each makes alone."))
            self.seed = gr.Number(-1, precision=0, label=words("Seed"), info=words("-1 takes a new one each time."), elem_id="experiment-seed")

    def _subject(self, model: Simulation) -> str:
        say = self.studio.words
        return f'<p class="experiment-subject"><b>{html.escape(say(model.title))}</b><span>{html.escape(say("with the values on the desk"))}</span></p>'

    def _about(self, kind: str) -> str:
        return f'<p class="experiment-about">{html.escape(self.studio.words(ABOUT[kind]))}</p>'

    # -- events ----------------------------------------------------------------------------------------------

    @property
    def given(self) -> dict[str, Any]:
        own = {"model": self.desk.model, "own": self.desk.own, "values": self.desk.values, "kind": self.kind, "series": self.series, "measure": self.measure}
        axes = {name: component for name, component in self.axes.items() if not name.endswith("_row")}
        more = {"runs": self.runs, "uncertainty": self.uncertainty, "scenarios": self.scenarios, "named": self.named, "names": self.names, "share": self.share, "ranges": self.ranges, "samples": self.samples}
        return own | axes | more | {"duration": self.length, "replicates": self.replicates, "points": self.points, "pairs": self.pairs, "seed": self.seed}

    def listen(self) -> None:
        given = self.given
        sized = [given[name] for name in FIELDS]
        fitted = [*sized, self.subject, self.series, self.uncertainty, self.scenarios, self.named, self.names, self.ranges, *(self.axes[name] for name in ("x", "y", "x_from", "x_to"))]
        started = self.listen_job([self.go.click], given, {"ranges": self.ends})
        started.then(self.on_plan, inputs_kwargs=given, outputs=[self.plan], **ui.QUICK)
        # a state that an event outside the queue changed tells nobody: the page hears what the desk hears, and looks when it is opened
        self.desk.bridge.apply(self.on_desk, [self.fit, self.kind], [self.fit, *fitted], **ui.EACH)
        asked: dict[str, Any] = {"fn": self.on_model, "inputs": [*self.desk.picked, self.fit, self.kind], "outputs": [self.fit, *fitted]}
        opened = gr.on([self.tab.select, self.desk.model.change, self.desk.own.change], **asked, **ui.QUICK)
        opened.then(**asked, js=LATER, **ui.QUICK)  # what came on the desk while it was asked has not been overtaken
        self.kind.change(self.on_kind, [self.kind], [self.about, *self.groups.values()], **ui.QUICK)
        gr.on([self.kind.input, self.axes["y"].input], self.on_size, inputs_kwargs=given, outputs=sized, **ui.QUICK)
        for which in AXES:
            ends = [self.axes[f"{which}_{end}"] for end in ("row", "from", "to")]
            ui.on_choice(self.axes[which], self.on_axis, [*self.desk.picked, self.axes[which]], ends)
        lined = {name: given[name] for name in ("model", "own", "values", "names", "share", "ranges")}
        self.ends.apply(self.on_ends, inputs_kwargs=lined, outputs=[self.ranges], **ui.EACH)
        gr.on([self.names.change, self.desk.values.change, self.tab.select], self.on_lines, inputs_kwargs=lined, outputs=[self.ends], trigger_mode="always_last", **ui.QUICK)
        self.share.input(self.on_share, inputs_kwargs=lined, outputs=[self.ends, self.ranges], trigger_mode="always_last", **ui.QUICK)
        planned = [component.change for name, component in given.items() if name not in ("own", "named", "seed")]
        gr.on(planned, self.on_plan, inputs_kwargs=given, outputs=[self.plan], trigger_mode="always_last", **ui.QUICK)
        self.add.click(self.on_add, [*self.desk.picked, self.name, self.named, self.scenarios], [self.named, self.scenarios, self.name], **ui.QUICK)
        self.view.select(self.on_use, self.desk.picked, [*self.desk.picked, self.desk.bridge], **ui.QUIET)  # in the queue: elsewhere Gradio shows no messages
        for name, pipeline in KINDS.items():
            ui.on_restore(self.studio, pipeline, ["simulation", "experiment"], self._restorer(name, pipeline), [*self.desk.picked, self.desk.bridge, *self.restored.values()], tells=True)

    def on_desk(self, fit: str, kind: str, request: gr.Request, event: gr.EventData) -> list[Any]:
        """What comes on the desk."""
        given = event._data["value"]
        return self.on_model(str(given["model"]), str(given.get("own", "")), dict(given["values"]), fit, kind, request)

    def on_model(self, model_id: str, own: str, values: dict[str, Any], fit: str, kind: str, request: gr.Request) -> list[Any]:
        """The choices of another model; of the same one they stay as they were left."""
        wanted = f"{model_id} {own}"
        try:
            model = self.desk.find(model_id, own)
        except StudioError:
            model = None
        if model is None or fit == wanted:
            return [gr.skip()] * (12 + len(FIELDS))
        choices = self._choices(model, ui.lang(request))
        numbers, scenarios = choices["names"], choices["scenarios"]
        first = numbers[0][1] if numbers else ""
        low, high = self._range(model, first, values) if first else (0, 0)
        varied, compared, uncertainty = [name for _, name in numbers[:4]], [name for _, name in scenarios[:4]], 0 if model.stochastic else CERTAIN
        plain = {"model": model_id, "own": own, "values": values, "kind": kind, "series": "", "measure": "At the end", "points": 200, "seed": 0, "uncertainty": uncertainty, "scenarios": compared}
        plain |= {"named": {}, "names": varied, "x": first, "x_from": low, "x_to": high, "x_scale": "Linear", "y": "", "share": 50, "ranges": {}, "pairs": True}
        chosen = {"series": choices["series"][0][1], "scenarios": compared, "names": varied, "x": first, "y": ""}
        series, shown, names, x, y = (gr.update(choices=choices[name], value=value) for name, value in chosen.items())
        return [wanted, *self._sized(plain), self._subject(model), series, uncertainty, shown, {}, names, {}, x, y, low, high]

    def _choices(self, model: Simulation, lang: str) -> dict[str, list[tuple[str, str]]]:
        """Of the drop-downs that a model fills, by name."""
        say = self.studio.words.say
        numbers = [(say(lang, field.title), field.name) for field in numbers_of(model)]
        scenarios = [(say(lang, name), name) for name in (NOW, *(preset.name for preset in model.presets))]
        return {"series": [(say(lang, one.title), one.name) for one in model.series], "scenarios": scenarios, "names": numbers, "x": numbers, "y": [(say(lang, "None"), ""), *numbers]}

    def _range(self, model: Simulation, name: str, values: dict[str, Any]) -> tuple[float, float]:
        """As numbers that one would write."""
        sweep: Any = self.studio.pipelines[SWEEP]
        low, high = sweep.usual_range(model, name, values)
        return float(f"{low:.4g}"), float(f"{high:.4g}")

    def on_size(self, request: gr.Request, **given: Any) -> list[Any]:
        """Another experiment, or another number of parameters: as large as is soon done."""
        return self._sized(given)

    def _sized(self, given: dict[str, Any]) -> list[Any]:
        """Values for FIELDS; those that play no part stay."""
        model, kind = self.desk.find(given["model"], given["own"]), given["kind"]

        def seconds(size: dict[str, Any]) -> float:
            try:
                pipeline = self.studio.pipelines[KINDS[kind]]
                need = self.studio.jobs.verdict(pipeline, pipeline.Params.parse(self.values({"x_count": 31, "y_count": 21} | given | size)))
            except StudioError:  # the plan says why
                return -1.0
            return need.seconds if not need.missing else -1.0

        found = fitting(sizes("Sweep of two" if kind == "Sweep" and given["y"] else kind, model.stochastic), seconds, model.duration)
        return [found.get(name, gr.skip()) for name in FIELDS]

    def on_kind(self, kind: str) -> list[Any]:
        return [self._about(kind), *(gr.update(visible=name == kind) for name in self.groups)]

    def on_axis(self, model_id: str, own: str, values: dict[str, Any], name: str) -> list[Any]:
        """A row for its range, around the value it has."""
        if not name:
            return [gr.update(visible=False), gr.skip(), gr.skip()]
        return [gr.update(visible=True), *self._range(self.desk.find(model_id, own), name, values)]

    def on_add(self, model_id: str, own: str, values: dict[str, Any], name: str, named: dict[str, Any], chosen: list[str], request: gr.Request) -> list[Any]:
        """One's own scenario: what is on the desk, under a name."""
        say, lang, model = self.studio.words.say, ui.lang(request), self.desk.find(model_id, own)
        named = named | {name.strip() or f"{len(named) + 1}": values}
        choices = [(say(lang, one), one) for one in (NOW, *(preset.name for preset in model.presets))] + [(one, one) for one in named]
        return [named, gr.update(choices=choices, value=[*chosen, *(one for one in named if one not in chosen)]), ""]

    def on_use(self, model_id: str, own: str, values: dict[str, Any], request: gr.Request, event: gr.EventData) -> list[Any]:
        """The values of a row come on the desk."""
        try:
            picked = self.desk.pick(model_id, own, values | dict(event._data["value"]))
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        gr.Info(html.escape(self.studio.words.say(ui.lang(request), "These values are on the desk now.")), duration=4)
        return [*picked, self.desk.put(*picked)]

    def on_plan(self, request: gr.Request, **given: Any) -> str:
        """How many runs, and how long they take at the pace of earlier ones."""
        say, lang = self.studio.words.say, ui.lang(request)
        try:
            pipeline = self.studio.pipelines[KINDS[given["kind"]]]
            need = self.studio.jobs.verdict(pipeline, pipeline.Params.parse(self.values(given)))
        except StudioError as error:
            return self._planned(say(lang, error.message))
        if need.missing:
            return self._planned(say(lang, need.missing))
        told = [say(lang, "{n} runs", n=f"{need.facts['runs']:,}")]
        if need.seconds >= 0:
            key, number = duration(need.seconds)
            told.append(say(lang, key, n=number))
        model = self.desk.find(given["model"], given["own"])
        if 0 < given["duration"] < model.duration:
            told.append(say(lang, "each {part} of the usual {all} {unit}", part=f"{given['duration']:,g}", all=f"{model.duration:,g}", unit=say(lang, model.time_unit)))
        return self._planned(" · ".join(told))

    def _planned(self, text: str) -> str:
        return f'<p class="experiment-plan">{html.escape(text)}</p>'

    def on_lines(self, request: gr.Request, **given: Any) -> str:
        """The range of each chosen parameter, to be changed."""
        say, lang = self.studio.words.say, ui.lang(request)
        model, lines = self.desk.find(given["model"], given["own"]), []
        ends = self._ends(given)
        for field in (field for field in numbers_of(model) if field.name in ends):
            title, (low, high) = say(lang, field.title), ends[field.name]
            inputs = [number_input(f"{field.name}|{number}", end, f"{title}: {say(lang, label)}") for number, (end, label) in enumerate(((low, "At least"), (high, "At most")))]
            lines.append(f"<div class='experiment-ends'><span>{html.escape(title)}</span>{''.join(inputs)}</div>")
        heads = "".join(f"<small>{html.escape(say(lang, label))}</small>" for label in ("At least", "At most"))
        return f"<div class='experiment-ends'><span></span>{heads}</div>{''.join(lines)}" if lines else ""

    def _ends(self, given: dict[str, Any]) -> dict[str, list[float]]:
        """Lowest and highest value of each chosen parameter: those given, else around the value on the desk."""
        model, share = self.desk.find(given["model"], given["own"]), given["share"] / 100
        chosen = {field.name: field for field in numbers_of(model) if field.name in (given["names"] or [])}
        around = {name: _around(field, float(given["values"].get(name, field.default)), share) or [*self._range(model, name, given["values"])] for name, field in chosen.items()}
        return {name: given["ranges"].get(name, ends) for name, ends in around.items()}

    def on_ends(self, event: gr.EventData, **given: Any) -> dict[str, list[float]]:
        """What was changed in the lines; the others keep following the desk."""
        found, told = dict(given["ranges"]), dict(event._data["value"])
        for name, ends in self._ends(given).items():
            numbers = [read_number(told.get(f"{name}|{number}")) for number in (0, 1)]
            if numbers != ends and None not in numbers:
                found[name] = [number for number in numbers if number is not None]
        return found

    def on_share(self, request: gr.Request, **given: Any) -> list[Any]:
        """All ranges anew."""
        return [self.on_lines(request, **given | {"ranges": {}}), {}]

    @property
    def restored(self) -> dict[str, Any]:
        """What a kept result's settings fill besides the desk. The model's mark comes with them: its choices are not made anew then."""
        own = {name: component for name, component in self.given.items() if name not in ("model", "own", "values")}
        return own | {"fit": self.fit, "subject": self.subject, "ends": self.ends, "y_row": self.axes["y_row"]}

    def _restorer(self, kind: str, pipeline: str) -> Any:
        """A handler: model and values of a kept result come on the desk, and its experiment is chosen as it was."""

        def restore(request: gr.Request) -> list[Any]:
            owner, slot, lang = ui.owner(request), f"restore:{pipeline}", ui.lang(request)
            given = self.studio.store.recall(owner, slot)
            self.studio.store.remember(owner, slot, None)
            try:
                picked = self.desk.pick(given["model"], given["own"], given["values"])
                model = self.desk.find(*picked[:2])
            except StudioError as error:
                raise ui.toast(self.studio, error, request) from error
            choices = self._choices(model, lang)
            shown = {name: given[name] for name in ("series", "measure", "duration", "points", "seed")} | getattr(self, f"_{pipeline.partition('.')[2]}_shown")(model, given)
            if shown.get("names") is not None:
                lined = {"share": 50, "ranges": {}} | shown | dict(zip(("model", "own", "values"), picked, strict=True))
                shown["ends"] = self.on_lines(request, **lined)
            if left := shown.pop("left", []):
                gr.Warning(html.escape(self.studio.words.say(lang, "Not shown on this page, and not taken over: {names}.", names=", ".join(self.studio.words.say(lang, name) for name in left))))
            choices["scenarios"] += [(name, name) for name in shown.get("named", {})]
            shown |= {"kind": kind, "fit": " ".join(picked[:2]), "subject": self._subject(model)}
            values = {name: gr.update(choices=choices[name], **({"value": shown[name]} if name in shown else {})) if name in choices else shown.get(name, gr.skip()) for name in self.restored}
            return [*picked, self.desk.put(*picked), *values.values()]

        return restore

    def _sweep_shown(self, model: Simulation, given: dict[str, Any]) -> dict[str, Any]:
        """The controls' values for params of a sweep; "left": titles of what the page has no control for."""
        shown = {f"{which}_{part}": given[f"{which}_{part}"] for which in AXES for part in ("from", "to", "count", "scale")} | {"x": given["x"], "y": given["y"], "replicates": given["replicates"]}
        for which in AXES:  # a list of one's own is shown as the even range around it
            if listed := given[f"{which}_list"]:
                shown |= {f"{which}_from": min(listed), f"{which}_to": max(listed), f"{which}_count": max(2, len(set(listed)))}
        fields = self.studio.pipelines[SWEEP].Params.model_fields
        return shown | {"y_row": gr.update(visible=bool(given["y"])), "left": [str(fields[f"{which}_list"].title) for which in AXES if given[f"{which}_list"]]}

    def _replicate_shown(self, model: Simulation, given: dict[str, Any]) -> dict[str, Any]:
        fields = self.studio.pipelines[REPLICATE].Params.model_fields
        left = [str(fields[name].title) for name in ("varied", "examples") if given[name] != fields[name].default]
        return {"runs": given["replicates"], "uncertainty": min(50, given["uncertainty"]), "left": left}

    def _compare_shown(self, model: Simulation, given: dict[str, Any]) -> dict[str, Any]:
        """Scenarios are presets by their name and values, the others one's own."""
        usual = {preset.name: model.Params(**preset.values).model_dump(mode="json") for preset in model.presets}
        named = {one["name"]: one.get("values", {}) for one in given["scenarios"] if one["name"] != NOW and one.get("values", {}) != usual.get(one["name"])}
        return {"scenarios": [one["name"] for one in given["scenarios"]], "named": named, "replicates": given["replicates"]}

    def _sobol_shown(self, model: Simulation, given: dict[str, Any]) -> dict[str, Any]:
        """The share that gives most of the ranges; the others as they were."""
        plain = {"model": given["model"], "own": given["own"], "values": given["values"], "names": given["names"], "ranges": {}}
        others = {share: {name: ends for name, ends in self._ends(plain | {"share": share}).items() if ends != given["ranges"][name]} for share in range(5, 101, 5)}
        share = min(others, key=lambda share: (len(others[share]), abs(share - 50)))
        return {name: given[name] for name in ("names", "samples", "pairs", "replicates")} | {"share": share, "ranges": {name: given["ranges"][name] for name in others[share]}}

    # -- a job -----------------------------------------------------------------------------------------------

    def on_go(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        yield from self.submit(request, given, {"language": ui.lang(request)}, KINDS[given["kind"]])

    def asked(self, owner: str, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        return self.values(given), {}

    def told(self, error: StudioError, given: dict[str, Any], lang: str) -> str:
        """The number of repetitions has a control of its own."""
        if given["kind"] == "Repetitions" and error.field == "replicates":
            error.field = "runs"
            error.fix = error.fix and Fix({"runs": error.fix.values["replicates"]}, error.fix.label)
        return super().told(error, given, lang)

    def values(self, given: dict[str, Any]) -> dict[str, Any]:
        """The params of the chosen experiment. Raises BadInput."""
        common = {name: given[name] for name in ("model", "own", "values", "measure")} | {"series": given["series"] or ""}
        numbers = {name: _number(given, name) for name in ("duration", "points", "seed")}
        return common | numbers | getattr(self, f"_{KINDS[given['kind']].partition('.')[2]}_values")(given)

    def _sweep_values(self, given: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {"replicates": _number(given, "replicates")}
        for which in AXES if given["y"] else "x":
            found |= {which: given[which] or "", f"{which}_scale": given[f"{which}_scale"]} | {name: _number(given, name) for name in (f"{which}_from", f"{which}_to", f"{which}_count")}
        return found

    def _replicate_values(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"replicates": _number(given, "runs"), "uncertainty": given["uncertainty"]}

    def _compare_values(self, given: dict[str, Any]) -> dict[str, Any]:
        model = self.desk.find(given["model"], given["own"])
        there = {preset.name: model.Params(**preset.values).model_dump(mode="json") for preset in model.presets} | {NOW: {}} | given["named"]
        return {"scenarios": [{"name": name, "values": there[name]} for name in given["scenarios"] if name in there] or [{"name": NOW}], "replicates": _number(given, "replicates")}

    def _sobol_values(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"names": given["names"], "ranges": self._ends(given), "samples": given["samples"], "pairs": given["pairs"], "replicates": _number(given, "replicates")}

    def stopper(self, mode: str) -> Any:
        """Stop ends it early: what is finished is drawn. Pressed once more, it ends at once."""

        def stop(request: gr.Request) -> None:
            owner = ui.owner(request)
            job = self.follower.job(owner)
            again = job is not None and self._stopped.get(owner) == job.id
            self._stopped[owner] = job.id if job is not None else ""
            self.follower.stop(request, "cancel" if again else "finish")

        return stop

    def stage(self, run: Run, owner: str, lang: str) -> str:
        asked = self.follower.asked(run.job) if run.job else {}
        return stage(self.studio, run, asked, self._titles(asked), lang)

    def _titles(self, asked: dict[str, Any]) -> dict[str, str]:
        """Of the model's parameters, by name."""
        try:
            return {field.name: field.title for field in fields_of(self.desk.find(asked["model"], asked["own"]))}
        except (KeyError, StudioError):  # its model is gone
            return {}


def _number(given: dict[str, Any], name: str) -> Any:
    """Raises BadInput where the box is empty."""
    if given[name] is None:
        raise BadInput("This number is missing.", hint="Give it a value.", field=name)
    return given[name]


def _around(field: Any, value: float, share: float) -> list[float]:
    """[] where nothing is around it: then the usual range is taken."""
    low, high = value - abs(value) * share, value + abs(value) * share
    return [max(low, field.low if field.low is not None else low), min(high, field.high if field.high is not None else high)] if value else []
