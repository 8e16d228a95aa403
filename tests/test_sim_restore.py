"""An experiment's settings come back as they were: what the page shows of a kept result, run again, is the same experiment."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from studio import ui
from studio.api import BadInput, Studio
from tabs.simulation_desk import Desk
from tabs.simulation_experiment import KINDS, ExperimentPage
from tests.test_sim_page import studio  # noqa: F401

PLAIN: dict[str, Any] = {
    "model": "sir", "own": "", "series": "", "measure": "At the end", "duration": 0, "points": 200, "seed": 3, "y": "", "replicates": 0, "runs": 100, "uncertainty": 0, "scenarios": [], "named": {},
    "names": [], "share": 50, "ranges": {}, "samples": 64, "pairs": True,
} | {f"{which}_{part}": value for which in "xy" for part, value in (("from", 0), ("to", 0), ("count", 5), ("scale", "Linear"))}  # fmt: skip
REQUEST: Any = SimpleNamespace(headers={"x-seisei-owner": "ann"}, cookies={})


def settled(page: ExperimentPage, given: dict[str, Any]) -> dict[str, Any]:
    """The params of the page's job as they are kept."""
    pipeline = page.studio.pipelines[KINDS[given["kind"]]]
    params = pipeline.settle(pipeline.Params.parse(page.values(given)), page.studio.jobs.desk)
    return dict(params.model_dump(mode="json"))


@pytest.fixture
def page(studio: Studio) -> ExperimentPage:  # noqa: F811
    return ExperimentPage(studio, Desk(studio))


def values_of(page: ExperimentPage) -> dict[str, Any]:
    return dict(page.desk.find("sir").Params().model_dump(mode="json"))


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "Sweep", "x": "r0", "x_from": 1.2, "x_to": 4.0, "x_count": 7, "x_scale": "Logarithmic", "measure": "Largest", "points": 100, "duration": 60},
        {"kind": "Sweep", "x": "r0", "x_from": 1.2, "x_to": 4.0, "y": "infectious_days", "y_from": 3, "y_to": 9, "y_count": 4},
        {"kind": "Repetitions", "runs": 12, "uncertainty": 10},
        {"kind": "Compare", "scenarios": ["As set", "Flatter"], "named": {"Flatter": {"r0": 1.25}}},
        {"kind": "Sensitivity", "names": ["r0", "infectious_days"], "share": 20, "pairs": False},
        {"kind": "Sensitivity", "names": ["r0", "infectious_days"], "ranges": {"r0": [1.2, 2.9]}},
    ],
    ids=lambda given: f"{given['kind']} {len(given)}",
)
def test_a_kept_experiment_fills_the_page_again(page: ExperimentPage, given: dict[str, Any]) -> None:
    model, values = page.desk.find("sir"), values_of(page)
    kept = settled(page, PLAIN | {"values": values, "x": "", **given})
    shown = getattr(page, f"_{KINDS[given['kind']].partition('.')[2]}_shown")(model, kept)
    assert shown.pop("left", []) == []
    again = PLAIN | {"values": kept["values"], "x": "", "kind": given["kind"]} | {name: kept[name] for name in ("series", "measure", "duration", "points", "seed")} | shown
    assert settled(page, again) == kept


def test_one_share_for_all_ranges_is_found_again_and_own_ones_stay(page: ExperimentPage) -> None:
    model, values = page.desk.find("sir"), values_of(page)
    kept = settled(page, PLAIN | {"kind": "Sensitivity", "values": values, "x": "", "names": ["r0", "infectious_days"], "share": 35})
    assert page._sobol_shown(model, kept)["share"] == 35 and page._sobol_shown(model, kept)["ranges"] == {}
    kept["ranges"]["r0"] = [1.1, 3.95]
    assert page._sobol_shown(model, kept)["ranges"] == {"r0": [1.1, 3.95]} and page._sobol_shown(model, kept)["share"] == 35


def test_what_the_page_has_no_control_for_is_named(page: ExperimentPage) -> None:
    model, values = page.desk.find("sir"), values_of(page)
    kept = settled(page, PLAIN | {"kind": "Sweep", "values": values, "x": "r0"}) | {"x_list": [1.1, 1.4, 1.2]}
    shown = page._sweep_shown(model, kept)
    assert shown["left"] == ["First parameter: own list"] and (shown["x_from"], shown["x_to"], shown["x_count"]) == (1.1, 1.4, 3)


def test_a_range_that_was_changed_stays_and_the_others_follow_the_desk(page: ExperimentPage) -> None:
    values = values_of(page)
    given = {"model": "sir", "own": "", "values": values, "names": ["r0", "infectious_days"], "share": 50, "ranges": {}}
    lines = page.on_lines(REQUEST, **given)
    assert lines.count("<input") == 4 and 'data-name=\'r0|0\'' in lines
    before = page._ends(given)
    told = {f"{name}|{number}": str(end) for name, ends in before.items() for number, end in enumerate(ends)}
    event: Any = SimpleNamespace(_data={"value": told | {"r0|1": "2.9"}})
    ranges = page.on_ends(event, **given)
    assert ranges == {"r0": [before["r0"][0], 2.9]}
    after = page._ends(given | {"values": values | {"r0": 2 * values["r0"], "infectious_days": 2 * values["infectious_days"]}, "ranges": ranges})
    assert after["r0"] == ranges["r0"] and after["infectious_days"] == pytest.approx([2 * end for end in before["infectious_days"]])
    assert page.on_share(REQUEST, **given | {"ranges": ranges})[1] == {}
    assert page.values(PLAIN | given | {"kind": "Sensitivity", "ranges": ranges})["ranges"]["r0"] == ranges["r0"]


@pytest.mark.parametrize("told", ["", "x", "inf"])
def test_a_range_with_no_number_stays_as_it_was(page: ExperimentPage, told: str) -> None:
    given = {"model": "sir", "own": "", "values": values_of(page), "names": ["r0", "infectious_days"], "share": 50, "ranges": {}}
    event: Any = SimpleNamespace(_data={"value": {"r0|0": told, "r0|1": "2.9"}})
    assert page.on_ends(event, **given) == {}


async def built(page: ExperimentPage) -> gr.Blocks:  # Gradio asks for a loop, and leaves open the one it makes where none runs
    with gr.Blocks() as blocks, gr.Tab() as page.tab:
        gr.Button(elem_id=ui.RESTORE)
        page.desk.build()
        page.build()
        page.listen()
    return blocks


def test_what_an_experiment_leaves_out_can_be_told(page: ExperimentPage) -> None:
    """Gradio shows messages only of events that wait their turn in its queue: each restored experiment's does."""
    blocks = asyncio.run(built(page))
    button = next(number for number, item in blocks.blocks.items() if getattr(item, "elem_id", "") == ui.RESTORE)
    heard = [function for function in blocks.fns.values() if (button, "click") in function.targets]
    assert len(heard) == len(KINDS) and all(function.queue for function in heard)


def test_too_many_repetitions_are_refused_at_their_own_control(page: ExperimentPage) -> None:
    """The method calls them as it calls the runs at each value of a sweep, which have another."""
    asyncio.run(built(page))
    given = PLAIN | {"kind": "Repetitions", "values": values_of(page), "x": "", "runs": 60_000}
    with pytest.raises(BadInput) as refused:
        settled(page, given)
    told = page.told(refused.value, given, "en")
    assert "data-field='runs'" in told and "data-at='experiment-runs'" in told and "&quot;runs&quot;: 10000" in told


def test_scenarios_of_the_model_before_are_left_out_and_no_error(page: ExperimentPage) -> None:
    """While the choices of another model come, the page may ask once more with what was ticked before."""
    asyncio.run(built(page))
    page.scenarios.choices = [("As set", "As set")]
    ticked = page.scenarios.preprocess(["As set", "Fingerprints"])
    asked = page.values(PLAIN | {"kind": "Compare", "values": values_of(page), "x": "", "scenarios": ticked})
    assert [one["name"] for one in asked["scenarios"]] == ["As set"]
