"""Experiments: sweeps, replicates, comparisons and sensitivity, against what is known exactly."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from pipelines.simulation import figures, register_pipelines, register_simulations
from pipelines.simulation.experiments import plan
from pipelines.simulation.experiments.compare import paired
from pipelines.simulation.experiments.plan import Reference, measured
from pipelines.simulation.spread import spread
from studio.api import BadInput, Diverged, Need, Result, Series, Simulation, Simulations, Stopped, seeds_of
from tabs.simulation_experiment import CERTAIN, KINDS, NOW, ExperimentPage
from tabs.simulation_form import numbers_of
from tests.experimenting import PI, PIPELINES, Context, Growth, Ishigami, done, exact_ishigami, settled

SWEEP, REPLICATE, COMPARE, SOBOL = "simulation.sweep", "simulation.replicate", "simulation.compare", "simulation.sobol"
GROWTH = {"model": "growth", "values": {"noise": 1.0}}
SMALL: dict[str, dict[str, Any]] = {
    SWEEP: GROWTH | {"x_from": 0.25, "x_to": 0.75, "x_count": 5, "replicates": 4, "measure": "Mean"},
    REPLICATE: GROWTH | {"replicates": 8, "measure": "Mean"},
    COMPARE: GROWTH | {"replicates": 6, "measure": "Mean"},
    SOBOL: {"model": "growth", "samples": 32, "names": ["rate", "start"], "measure": "Mean", "points": 20},
}


def rows(result: Result, number: int = 0) -> list[dict[str, str]]:
    tables = [artifact for artifact in result.artifacts if artifact.kind == "table"]
    return list(csv.DictReader(io.StringIO(tables[number].data.decode())))


def column(result: Result, name: str, number: int = 0) -> np.ndarray:
    return np.array([float(row[name] or "nan") for row in rows(result, number)])


def test_a_sweep_finds_the_exact_curve() -> None:
    found = done(SWEEP, model="growth", x="rate", x_from=-1, x_to=1, x_count=9)
    assert np.allclose(column(found, "rate"), np.linspace(-1, 1, 9))
    assert np.allclose(column(found, "mean"), 4 * np.exp(2 * np.linspace(-1, 1, 9)))
    assert (column(found, "runs") == 20).all()  # chance is in the model: repeated


def test_a_sweep_of_two_parameters_covers_the_grid() -> None:
    found = done(SWEEP, model="growth", x="rate", x_from=0.1, x_to=1, x_count=4, x_scale="Logarithmic", y="start", y_list=[1, 2, 8], replicates=1)
    assert np.allclose(np.unique(column(found, "rate")), np.geomspace(0.1, 1, 4)) and sorted(set(column(found, "start"))) == [1, 2, 8]
    assert np.allclose(column(found, "mean"), column(found, "start") * np.exp(2 * column(found, "rate"))) and len(column(found, "mean")) == 12


def test_whole_numbers_stay_whole() -> None:
    found = done(SWEEP, model="growth", x="start", x_from=1, x_to=3, x_count=9, replicates=1)
    assert [row["start"] for row in rows(found)] == ["1", "2", "3"]


def test_repetitions_at_each_value_have_the_same_seeds() -> None:
    found = done(SWEEP, model="growth", values={"noise": 1.0}, x="rate", x_from=-1, x_to=1, x_count=3, replicates=50)
    away = column(found, "mean") - 4 * np.exp(2 * np.linspace(-1, 1, 3))
    assert np.allclose(away, away[0]) and abs(away[0]) < 0.6 and away[0] != 0


def test_bands_hold_their_share() -> None:
    found = done(REPLICATE, model="growth", values={"noise": 2.0}, replicates=4000)
    last = rows(found)[-1]
    mean = 4 * np.exp(1.0)
    assert float(last["mean"]) == pytest.approx(mean, abs=0.12)
    for name, normal in (("q05", -1.645), ("q25", -0.6745), ("q50", 0), ("q75", 0.6745), ("q95", 1.645)):
        assert float(last[name]) == pytest.approx(mean + 2 * normal, abs=0.2)
    assert {"run 1", "run 2", "run 3"} <= set(last) and "run 4" not in last


def test_runs_are_told_one_by_one_with_their_seeds() -> None:
    found = done(REPLICATE, model="growth", values={"noise": 2.0}, replicates=5, measure="Largest")
    assert [int(row["seed"]) for row in rows(found, 1)] == seeds_of(5, 5)
    assert column(found, "value", 1).max() > column(found, "value", 1).min()


def test_without_chance_repetitions_ask_for_uncertainty() -> None:
    with pytest.raises(BadInput, match="every run would be the same") as refused:
        settled(REPLICATE, model="ishigami")
    assert refused.value.field == "uncertainty" and refused.value.fix and refused.value.fix.values == {"uncertainty": 5.0}
    found = done(REPLICATE, model="ishigami", uncertainty=10, replicates=20, varied=["x1"])
    assert np.ptp(column(found, "x1", 1)) > 0.1 and (np.abs(column(found, "x1", 1) - 1) <= 0.1).all() and "x2" not in rows(found, 1)[0]


def test_a_comparison_tells_paired_differences_with_intervals() -> None:
    found = done(COMPARE, model="growth", values={"noise": 3.0}, scenarios=[{"name": "Now"}, {"name": "Twice", "values": {"start": 8}}], replicates=30)
    now, twice = rows(found)
    assert (now["scenario"], twice["scenario"], twice["pairs"]) == ("Now", "Twice", "30")
    # the same seeds: all noise is common to both and falls out of the difference
    assert [float(twice[name]) for name in ("difference", "low95", "high95")] == pytest.approx([4 * np.e] * 3)
    assert float(now["sd"]) == pytest.approx(3, abs=1)


def test_intervals_of_pairs_are_those_of_students_t() -> None:
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(1)
    first, other = rng.normal(size=12), rng.normal(0.5, 1, 12)
    other[3] = np.nan
    mean, low, high, count = paired(other, first)
    kept = np.isfinite(other)
    exact = ttest_rel(other[kept], first[kept]).confidence_interval(0.95)
    assert (low, high, count) == (pytest.approx(exact.low), pytest.approx(exact.high), 11) and low < mean < high


def test_a_comparison_without_scenarios_takes_the_presets() -> None:
    assert [row["scenario"] for row in rows(done(COMPARE, model="growth", replicates=2))] == ["As set", "Slow", "Down"]


def test_sobol_indices_of_ishigami_are_exact_to_two_hundredths() -> None:
    ranges = {name: [-PI, PI] for name in ("x1", "x2", "x3")}
    found = done(SOBOL, model="ishigami", names=list(ranges), ranges=ranges, samples=4096, points=2)
    first, total = exact_ishigami()
    assert np.abs(column(found, "S1") - first).max() < 0.02 and np.abs(column(found, "ST") - total).max() < 0.02
    pairs = {(row["parameter"], row["with"]): float(row["S2"]) for row in rows(found, 1)}
    assert pairs["x1", "x3"] == pytest.approx(total[2], abs=0.02) and pairs["x1", "x2"] == pytest.approx(0, abs=0.02)
    assert found.summary["runs"] == 4096 * 8


def test_sobol_without_pairs_takes_fewer_runs() -> None:
    ranges = {name: [-PI, PI] for name in ("x1", "x2", "x3")}
    found = done(SOBOL, model="ishigami", names=list(ranges), ranges=ranges, samples=256, pairs=False, points=2)
    assert found.summary["runs"] == 256 * 5 and sum(artifact.kind == "table" for artifact in found.artifacts) == 1


def test_sobol_leaves_out_samples_of_which_a_run_blew_up() -> None:
    found = done(SOBOL, model="growth", values={"breaks": 0.7}, names=["rate", "start"], samples=256, replicates=1)
    assert found.summary["blown"] > 0 and any("base samples are whole" in note for note in found.summary["notes"]) and np.isfinite(column(found, "ST")).all()


def test_sobol_refuses_what_does_not_change() -> None:
    with pytest.raises(BadInput, match="does not change at all") as refused:
        done(SOBOL, model="ishigami", names=["x2", "x3"], values={"x1": 0, "a": 0, "b": 0}, ranges={"x2": [1, 2], "x3": [1, 2]}, samples=32)
    assert refused.value.field == "measure"


@pytest.mark.parametrize("name", SMALL)
def test_the_same_plan_gives_the_same_files_over_any_number_of_processes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.simulation import spread

    alone = done(name, **SMALL[name])
    monkeypatch.setattr(spread, "START_SECONDS", 0.0)
    together = done(name, Context(processes=2), **SMALL[name])
    assert [artifact.data for artifact in alone.artifacts] == [artifact.data for artifact in together.artifacts]


@pytest.mark.parametrize("name", SMALL)
def test_another_seed_gives_another_table(name: str) -> None:
    tables = [next(artifact.data for artifact in done(name, **SMALL[name], seed=seed).artifacts if artifact.kind == "table") for seed in (1, 2)]
    assert tables[0] != tables[1]


@pytest.mark.parametrize("name", SMALL)
def test_each_gives_figures_and_tables_and_tells_its_progress(name: str) -> None:
    context = Context()
    found = done(name, context, **SMALL[name])
    for artifact in found.artifacts:
        if artifact.suffix == ".png":
            with Image.open(io.BytesIO(artifact.data)) as image:
                assert image.width == 1120 and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 255)
        elif artifact.suffix == ".svg":
            assert ElementTree.fromstring(artifact.data).tag.endswith("svg")
    assert {artifact.suffix for artifact in found.artifacts} == {".png", ".svg", ".csv"}
    assert context.told[0][0] == 0 and context.told[-1][0] == context.told[-1][1] > 1


CHANGED = [
    *[(name, change) for name in SMALL for change in ({"duration": 1.0}, {"series": "born"}, {"points": 3}, {"measure": "Largest"})],
    *[(SWEEP, change) for change in ({"x": "start", "x_to": 6.0}, {"x_from": 0.1}, {"x_to": 1.9}, {"x_count": 6}, {"x_scale": "Logarithmic"}, {"x_list": [0.1, 0.2]}, {"y": "start"}, {"replicates": 5})],
    *[(SWEEP, {"y": "start"} | change) for change in ({"y_from": 1.0, "y_to": 3.0}, {"y_to": 9.0, "y_from": 1.0}, {"y_count": 3}, {"y_from": 1.0, "y_to": 9.0, "y_scale": "Logarithmic", "y_count": 3}, {"y_list": [5.0]})],
    *[(REPLICATE, change) for change in ({"replicates": 9}, {"uncertainty": 5.0}, {"uncertainty": 5.0, "varied": ["rate"]}, {"examples": 1})],
    *[(COMPARE, change) for change in ({"replicates": 7}, {"scenarios": [{"name": "A"}, {"name": "B", "values": {"rate": 1.0}}]})],
    *[(SOBOL, change) for change in ({"names": ["rate", "noise"], "ranges": {"noise": [0, 1]}}, {"ranges": {"rate": [0.1, 0.2]}}, {"samples": 64}, {"pairs": False}, {"replicates": 2, "values": {"noise": 4.0}})],
]


@pytest.mark.parametrize(("name", "change"), CHANGED)
def test_every_setting_acts(name: str, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "figure", lambda *_, **__: [])
    base = {"y": change["y"]} if len(change) > 1 and "y" in change else {}
    before, after = ([artifact.data for artifact in done(name, **SMALL[name] | more).artifacts if artifact.kind == "table"] for more in (base, change))
    assert before != after


REFUSED = [
    (SWEEP, {"x": "nobody"}, "x", "has no number “nobody”"), (SWEEP, {"y": "nobody"}, "y", "has no number"), (SWEEP, {"x": "rate", "y": "rate"}, "y", "the same"),
    (SWEEP, {"x_from": 1.0, "x_to": 0.5}, "x_to", "ends where it begins, or before"), (SWEEP, {"x_from": 0.1, "x_to": 2.5}, "x_to", "from -2 to 2; 2.5 is outside"), (SWEEP, {"x_list": [3.0, 4.0]}, "x_list", "3 is outside"),
    (SWEEP, {"x_from": -1.0, "x_to": 1.0, "x_scale": "Logarithmic"}, "x_from", "begins above 0"), (SWEEP, {"x_count": 1000, "y": "start", "y_list": list(range(1000))}, "x_count", "1,000,000 runs; 100,000 can be made|4,000,000 runs"),
    (SWEEP, {"series": "nobody"}, "series", "has no series"), (SWEEP, {"model": "nobody"}, "model", "no simulation"), (SWEEP, {"values": {"rate": 9}}, "values.rate", "at most 2"), (SWEEP, {"points": 1}, "points", "at least 2"),
    (SWEEP, {"duration": 1e9}, "duration", "it would take days"),
    (REPLICATE, {"varied": ["nobody"], "uncertainty": 1}, "varied", "no number"), (REPLICATE, {"replicates": 10_000, "points": 5000}, "points", "more than can be kept"),
    (COMPARE, {"scenarios": [{"name": "A"}]}, "scenarios", "alone"), (COMPARE, {"scenarios": [{"name": "A"}, {"name": "A"}]}, "scenarios", "same name"), (COMPARE, {"scenarios": [{"name": "A"}, {"name": "B", "values": {"rate": 99}}]}, "scenarios", "B: Rate must be at most 2"),
    (COMPARE, {"scenarios": [{"name": "A"}, {"values": {}}]}, "scenarios", "a name with values"), (COMPARE, {"scenarios": [{"name": "A"}, {"name": "B", "values": {"nobody": 1}}]}, "scenarios", "B: There is no setting"),
    (SOBOL, {"names": ["rate"]}, "names", "two parameters at least"), (SOBOL, {"names": ["rate", "rate"]}, "names", "twice"), (SOBOL, {"names": ["rate", "nobody"]}, "names", "no number"), (SOBOL, {"ranges": {"nobody": [0, 1]}}, "ranges", "no number"),
    (SOBOL, {"ranges": {"rate": [1, 0]}}, "ranges", "ends where it begins"), (SOBOL, {"ranges": {"rate": [0, 9]}}, "ranges", "9 is outside"), (SOBOL, {"ranges": {"rate": [1]}}, "ranges", "two numbers"), (SOBOL, {"samples": 100}, "samples", "must be one of"),
    (SOBOL, {"samples": 8192, "replicates": 1000}, "samples", "runs; 100,000 can be made"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "field", "sentence"), REFUSED)
def test_what_can_not_work_is_refused_at_its_field(name: str, change: dict[str, Any], field: str, sentence: str) -> None:
    from studio.api import StudioError

    with pytest.raises(StudioError, match=sentence) as refused:
        settled(name, **SMALL[name] | change)
    assert refused.value.field == field


def test_the_need_tells_how_many_runs_and_how_long() -> None:
    pipeline = PIPELINES[SWEEP]
    params = pipeline.Params.parse(SMALL[SWEEP])
    need: Need = pipeline.need(params, None)
    assert need.facts == {"runs": 20, "steps": 20 * 200} and not need.missing
    assert pipeline.seconds(params, None, {"step": 0.5}) == 2000
    assert "can be made" in pipeline.need(pipeline.Params.parse(SMALL[SWEEP] | {"replicates": 10_000, "x_count": 1000}), None).missing
    assert len({PIPELINES[name].pace_key(PIPELINES[name].Params.parse(SMALL[name]), None) for name in SMALL}) == 1  # one experiment tells the others' pace


def test_the_pace_is_measured_without_the_first_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.cumsum([0, 100, *[1.0] * 4000]))
    monkeypatch.setattr(plan.time, "monotonic", lambda: float(next(clock)))
    assert done(SWEEP, **SMALL[SWEEP]).summary["pace"]["step"] < 1


def test_runs_that_blow_up_are_counted_and_left_out() -> None:
    found = done(SWEEP, model="growth", values={"breaks": 0.5}, x="rate", x_from=0, x_to=1, x_count=5, replicates=2)
    assert found.summary["blown"] == 4 and [row["runs"] for row in rows(found)] == ["2", "2", "2", "0", "0"] and rows(found)[-1]["mean"] == ""
    assert "4 of 10 runs blew up and are left out. The run blew up at step 1 " in found.summary["notes"][0]


def test_where_all_runs_blow_up_it_fails_with_a_sentence() -> None:
    with pytest.raises(Diverged, match="All 10 runs blew up"):
        done(SWEEP, model="growth", values={"breaks": 0.0}, x="rate", x_from=0.5, x_to=1, x_count=5, replicates=2)


def test_finish_draws_what_is_done() -> None:
    found = done(SWEEP, Context(finish_after=3), **SMALL[SWEEP])
    assert 0 < found.summary["runs"] < 20 and "Stopped after" in found.summary["notes"][0] and len(found.artifacts) == 3


def test_stop_keeps_what_is_finished_and_a_broken_job_goes_on_from_it(tmp_path: Path) -> None:
    context = Context(stop_after=7)
    with pytest.raises(Stopped):
        done(SWEEP, context, **SMALL[SWEEP])
    (part,) = context.outputs
    assert part.title.endswith(", sweep, so far") and 0 < part.facts["runs"] < 20
    (tmp_path / "0001.csv").write_bytes(part.data + b"# seisei e30=\n")  # as it is kept: with a comment
    again = Context(kept=[tmp_path / "0001.csv"])
    found, whole = done(SWEEP, again, **SMALL[SWEEP]), done(SWEEP, **SMALL[SWEEP])
    assert again.told[0][1] == 20 - part.facts["runs"] and [one.data for one in found.artifacts if one.kind == "table"] == [one.data for one in whole.artifacts if one.kind == "table"]


@pytest.mark.parametrize("model", register_simulations(), ids=lambda model: model.id)
def test_work_that_hears_stop_gives_the_same_courses(model: Simulation) -> None:
    params, asked = model.Params(), []
    times = np.linspace(0, 40 * model.time_step(params), 3)
    batch = plan.Batch(Reference.to(model), (params.model_dump(),) * 2, (1, 2), tuple(times), 0, "")
    heard = plan.make(batch, lambda: asked.append(0))
    assert len(asked) >= 2 and np.array_equal(heard.values, plan.make(batch).values, equal_nan=True)


def test_stop_is_heard_within_a_run() -> None:
    model = next(model for model in register_simulations() if model.id == "gray_scott")
    batch, asked = plan.Batch(Reference.to(model), ({"size": 64},), (1,), (0.0, 5000.0), 0, ""), []

    def stopped() -> None:
        asked.append(0)
        if len(asked) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        plan.make(batch, stopped)


def test_finish_in_the_middle_of_a_task_ends_it() -> None:
    def here(task: int, heed: Callable[[], None]) -> int:
        if task == 2:
            pressed.append(0)
            heed()
        return task

    pressed: list[int] = []
    assert list(spread(Context(), int, [0, 1, 2, 3], enough=lambda: bool(pressed), here=here)) == [(0, 0), (1, 1)]


def test_slow_models_come_in_small_batches() -> None:
    slow, quick = (next(model for model in register_simulations() if model.id == name) for name in ("gray_scott", "stochastic_sir"))
    sizes = [len(plan.Runs(model, "", [{}] * 3000, [1] * 3000, np.array([0.0, model.duration]), 0).batches()[0].sets) for model in (slow, quick)]
    assert sizes == [1, 47]


def test_parts_of_other_batches_are_made_anew(tmp_path: Path) -> None:
    (tmp_path / "0001.csv").write_text('batch,values,failed,unfit\n0,"[1, 2, 3]","[]","[]"\n')
    found, whole = (done(SWEEP, context, **SMALL[SWEEP]) for context in (Context(kept=[tmp_path / "0001.csv"]), Context()))
    assert [one.data for one in found.artifacts if one.kind == "table"] == [one.data for one in whole.artifacts if one.kind == "table"]


MEASURED = {"At the end": 1.0, "Mean": 2.0, "Largest": 4.0, "Smallest": 1.0, "Time of the largest": 2.0, "Total": 7.0}


def test_a_course_is_measured_in_six_ways() -> None:
    course, times = np.array([1.0, 2.0, 4.0, 1.0]), np.arange(4.0)
    assert {name: measured(course, times, name, Series("a", "A")) for name in MEASURED} == MEASURED
    assert measured(np.array([3.0, 4.0, 9.0]), np.arange(3.0), "Total", Series("a", "A", "", "total")) == 6
    assert np.isnan(measured(np.array([3.0, np.nan]), np.arange(2.0), "Largest", Series("a", "A")))


def test_a_model_is_found_again_in_another_process() -> None:
    assert type(Reference.to(Ishigami()).model()) is Ishigami and type(Reference.to(Growth()).model()) is Growth


def test_a_model_of_an_extension_is_found_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").write_text("from tests.experimenting import Growth\nclass Elsewhere(Growth):\n    id = 'elsewhere'\n")
    assert Reference("seisei_extensions.elsewhere.model", "Elsewhere", str(tmp_path / "elsewhere.py")).model().id == "elsewhere"


# -- values that don't go together -------------------------------------------------------------------------------

TIED: dict[str, Any] = {"model": "walk", "duration": 2.0, "points": 3, "values": {"rate": 2.0}, "measure": "Mean"}  # a drift above the rate is refused


def test_a_sweep_leaves_out_values_that_do_not_go_together_and_says_how_many() -> None:
    found = done(SWEEP, **TIED, x="drift", x_from=0, x_to=4, x_count=5, replicates=2)
    assert [row["runs"] for row in rows(found)] == ["2", "2", "2", "0", "0"]
    assert found.summary["notes"] == ["4 of 10 runs are left out: their values don't go together. The drift is faster than a step."] and found.summary["blown"] == 0
    with pytest.raises(BadInput, match="faster than a step") as refused:
        settled(SWEEP, **TIED, x="drift", x_from=3, x_to=4, x_count=3)
    assert refused.value.field == "values.drift"


def test_values_that_do_not_go_together_are_kept_as_such_when_a_job_breaks(tmp_path: Path) -> None:
    plan_of: dict[str, Any] = TIED | {"x": "drift", "x_from": 0, "x_to": 4, "x_count": 5, "replicates": 2}
    context = Context(stop_after=9)
    with pytest.raises(Stopped):
        done(SWEEP, context, **plan_of)
    (tmp_path / "0001.csv").write_bytes(context.outputs[0].data)
    assert done(SWEEP, Context(kept=[tmp_path / "0001.csv"]), **plan_of).summary["notes"] == done(SWEEP, **plan_of).summary["notes"]


def test_sobol_draws_other_samples_where_values_do_not_go_together() -> None:
    plan_of: dict[str, Any] = TIED | {"names": ["rate", "drift"], "samples": 32, "replicates": 1, "values": {"rate": 2.0, "drift": 1.0}, "ranges": {"rate": [1, 3], "drift": [0, 2]}}
    found = done(SOBOL, **plan_of)
    assert found.summary["runs"] == 32 * 6 and np.isfinite(column(found, "ST")).all()
    assert any("base samples were left out and others drawn" in note for note in found.summary["notes"])
    with pytest.raises(BadInput, match="faster than a step") as refused:
        settled(SOBOL, **plan_of | {"ranges": {"rate": [1, 2], "drift": [3, 4]}})
    assert refused.value.field == "values.drift"


def test_repetitions_with_uncertain_values_leave_out_those_that_do_not_go_together() -> None:
    found = done(REPLICATE, **TIED | {"values": {"rate": 2.0, "drift": 1.9}}, replicates=40, uncertainty=20)
    assert "their values don't go together" in found.summary["notes"][0]


def test_a_plan_is_counted_before_its_values_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(Growth, "check", lambda self, params: asked.append(params))
    with pytest.raises(BadInput, match="runs; 100,000 can be made"):
        settled(SWEEP, model="growth", x="rate", x_from=0.1, x_to=0.9, x_count=1000, y="start", y_list=list(range(1000)), replicates=1)
    assert len(asked) == 1  # the values that are set


MODELS = Simulations(register_simulations())
DEFAULTS: dict[str, Any] = {pipeline.id: pipeline for pipeline in register_pipelines(MODELS)}
KNOTTED = ("idm_ring", "ising", "garch")  # whose usual ranges hold values that don't go together


def page_s_plan(model: Simulation, kind: str, **sizes: Any) -> dict[str, Any]:
    """What the Experiment page asks if nothing is changed on it."""
    page: Any = ExperimentPage.__new__(ExperimentPage)  # what it asks needs nothing of what it draws
    page.desk, page.studio = SimpleNamespace(find=lambda *_: model), SimpleNamespace(pipelines=DEFAULTS)
    values = model.Params().model_dump(mode="json")
    numbers = [field.name for field in numbers_of(model)]
    low, high = (float(f"{end:.4g}") for end in DEFAULTS[SWEEP].usual_range(model, numbers[0], values))
    scenarios = [NOW, *(preset.name for preset in model.presets)][:4]
    given = {"model": model.id, "own": "", "values": values, "named": {}, "scenarios": scenarios, "names": numbers[:4], "share": 50, "pairs": True, "uncertainty": 0 if model.stochastic else CERTAIN}
    given |= {"kind": next(name for name, pipeline in KINDS.items() if pipeline == kind), "ranges": {}, "series": "", "measure": "At the end", "duration": 0, "points": 2, "seed": 3}
    given |= {"x": numbers[0], "x_from": low, "x_to": high, "x_scale": "Linear", "y": "", "x_count": 5, "replicates": 1, "runs": 4, "samples": 32} | sizes
    return dict(page.values(given))


@pytest.mark.parametrize("kind", [SWEEP, REPLICATE, COMPARE, SOBOL])
def test_the_page_s_plan_is_taken_for_every_model(kind: str) -> None:
    for model in MODELS.all():
        DEFAULTS[kind].settle(DEFAULTS[kind].Params.parse(page_s_plan(model, kind)), None)


def run_of(model: Simulation, kind: str) -> Result:
    dt = model.time_step(model.Params())
    params = DEFAULTS[kind].settle(DEFAULTS[kind].Params.parse(page_s_plan(model, kind) | {"duration": min(model.duration, max(3 * dt, model.duration / 500))}), None)
    found: Result = DEFAULTS[kind].run(params, Context())
    return found


@pytest.mark.parametrize("name", KNOTTED)
@pytest.mark.parametrize("kind", [SWEEP, SOBOL])
def test_the_page_s_plan_runs_where_not_all_values_go_together(kind: str, name: str) -> None:
    assert run_of(MODELS.find(name), kind).summary["runs"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", [model.id for model in MODELS.all()])
def test_the_page_s_plans_run_for_every_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "figure", lambda *given, **more: [])  # what is drawn takes longest
    for kind in (SWEEP, REPLICATE, COMPARE, SOBOL):
        try:
            assert run_of(MODELS.find(name), kind).summary["runs"] > 0
        except BadInput as error:  # in so short a run a first series may stay as it is
            assert kind == SOBOL and error.field == "measure", (kind, error.message)
