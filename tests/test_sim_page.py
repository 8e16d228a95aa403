"""The Simulation page without a browser: its routes, its desk, what is restored, the models' page, a model of an extension."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pipelines.simulation import handbook, register_simulations
from pipelines.simulation.pictures import FOLDER, write
from studio.api import NotFound, QueueFull
from studio.captions import drawable
from studio.catalog import Catalog
from studio.docs import DOCS
from studio.downloads import Downloads
from studio.executor import InlineExecutor, PoolExecutor
from studio.host import Studio
from studio.i18n import Words
from studio.jobs import JobQueue
from studio.metadata import body, embed, extract
from studio.plugins import Hooks
from studio.rest import mount
from studio.restore import restore
from studio.settings import Settings
from studio.simulation import Simulations, observations
from studio.store import Store
from tabs import simulation_hand
from tabs.gallery import first_rows
from tabs.simulation_desk import FIRST, Desk
from tabs.simulation_experiment import ExperimentPage
from tabs.simulation_form import fields_of
from tabs.simulation_learn import ADVANCED, FILTERING, LEARN, LearnPage
from tabs.simulation_routes import AT, Views, drawn, routes
from tests.house import finish, worker_config
from tests.simulating import Walk


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    data = tmp_path_factory.mktemp("simulation")
    config = worker_config(data) | {"builtins": ["pipelines.simulation"], "safe": False}
    hooks = Hooks()
    hooks.load_builtin("pipelines.simulation")
    simulations = Simulations([*hooks.collect("register_simulations"), Walk()])
    pipelines = {item.id: item for item in hooks.collect("register_pipelines", simulations=simulations)}
    queue = JobQueue(
        pipelines=pipelines, executors={"device": InlineExecutor(config), "cpu": InlineExecutor(config), "live": PoolExecutor(config, slots=2, grace=1.0)},
        store=Store(data), hooks=hooks, catalog=Catalog([]), settings=Settings(data_dir=str(data)), spool=data / "spool", budget=lambda settings: 2**30,
    )  # fmt: skip
    queue.start()
    yield Studio(queue.settings, queue.hooks, queue.pipelines, queue.catalog, queue, queue.store, Words(), Downloads(lambda: queue.settings, queue.catalog.refresh), simulations=simulations)
    finish(queue)


def person(studio: Studio, name: str) -> TestClient:
    app = Starlette(routes=[mount(route, studio.words) for route in routes(studio)])
    return TestClient(app, headers={"x-seisei-owner": name, "x-seisei-host": "0"})


@pytest.fixture
def ann(studio: Studio) -> TestClient:
    return person(studio, "ann")


def head_of(raw: bytes) -> tuple[dict[str, Any], Any, bytes]:
    size = int.from_bytes(raw[:4], "little")
    head, at = json.loads(raw[4 : 4 + size]), 4 + size
    count = head["rows"] * 4  # time and three series of lorenz63
    return head, np.frombuffer(raw[at : at + 8 * count]).reshape(-1, 4), raw[at + 8 * count :]


def frame(client: TestClient, job: str, after: int = 0, wanted: Any = lambda head: True) -> tuple[dict[str, Any], Any, bytes]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = client.get(f"{AT}live/{job}?after={after}")
        assert answer.status_code in (200, 204), answer.text
        if answer.status_code == 200:
            found = head_of(answer.content)
            after = found[0]["frame"]
            if wanted(found[0]):
                return found
    raise AssertionError("no such frame came")


def begin(client: TestClient, **more: Any) -> Any:
    answer = client.post(f"{AT}live", json={"model": "lorenz63", "seed": 3} | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_live_view_from_its_beginning_to_what_is_kept(studio: Studio, ann: TestClient) -> None:
    told = begin(ann, values={"rho": 30.0})
    assert told["values"]["rho"] == 30.0 and told["model"]["title"] == "Lorenz 1963" and told["seed"] == 3
    head, rows, pixels = frame(ann, told["job"])
    assert len(pixels) == head["width"] * head["height"] * 3 > 0 and rows[0, 1:].tolist() == [1, 1, 1]
    assert ann.post(f"{AT}live/{told['job']}", json={"updates": [["set", ["rho", 20.0]]]}).json() == {"told": True}
    head, rows, _ = frame(ann, told["job"], head["frame"], lambda head: head["values"]["rho"] == 20.0 and head["step"] > 100)
    ann.post(f"{AT}live/{told['job']}", json={"updates": [["pause", True]]})
    head, rows, _ = frame(ann, told["job"], head["frame"], lambda head: not head["running"])
    assert ann.get(f"{AT}live").json()["job"] == told["job"]
    made = ann.post(f"{AT}live/{told['job']}/keep", json={"every": 0.01}).json()
    job = studio.jobs.get(made["job"]).wait()
    assert job.state == "done" and [studio.store.output(one).kind for one in job.outputs] == ["table", "image"]
    table = np.genfromtxt(studio.store.output(job.outputs[0]).path, delimiter=",", names=True)
    assert len(table) == head["step"] + 1
    np.testing.assert_allclose([table[name][-1] for name in ("x", "y", "z")], rows[-1, 1:], rtol=1e-11)
    studio.jobs.cancel(told["job"], by="ann")
    studio.jobs.get(told["job"]).wait()
    assert ann.get(f"{AT}live/{told['job']}").status_code == 410 and ann.get(f"{AT}live").json() == {}


def test_a_view_and_what_is_kept_of_it_are_in_the_pages_language(studio: Studio, ann: TestClient) -> None:
    told, japanese = begin(ann), {"accept-language": "ja,en;q=0.5"}
    assert studio.jobs.get(told["job"]).params.language == "en"
    head, _, _ = frame(ann, told["job"])
    frame(ann, told["job"], head["frame"], lambda head: head["step"] > 1)
    kept = ann.post(f"{AT}live/{told['job']}/keep", json={}, headers=japanese).json()
    again = ann.post(AT + "live", json={"model": "lorenz63", "replaces": told["job"]}, headers=japanese).json()
    assert [studio.jobs.get(one["job"]).params.language for one in (kept, again)] == [drawable("ja")] * 2
    studio.jobs.get(kept["job"]).wait()
    studio.jobs.cancel(again["job"], by="ann")
    studio.jobs.get(again["job"]).wait()


def test_a_view_is_its_owners_alone(studio: Studio, ann: TestClient) -> None:
    job = begin(ann)["job"]
    bob = person(studio, "bob")
    assert bob.get(f"{AT}live").json() == {}
    for answer in (bob.get(f"{AT}live/{job}"), bob.post(f"{AT}live/{job}", json={"updates": [["pause", True]]}), bob.post(f"{AT}live/{job}/keep", json={}), bob.post(f"{AT}live/{job}/resume")):
        assert answer.status_code == 404
    other = begin(ann, replaces=job)["job"]
    assert studio.jobs.get(job).wait().state == "cancelled"
    studio.jobs.cancel(other, by="ann")
    studio.jobs.get(other).wait()
    assert ann.post(f"{AT}live/{other}", json={"updates": [["pause", True]]}).json() == {"told": False}, "a view that has ended hears nothing"


@pytest.mark.parametrize(
    "updates", [None, "x", [["fly", 1]], [["set", 1]], [["set", [1, 2]]], [["pause", 1]], [["step", "a"]], [["poke", [1]]], [["speed", True]], [["reset", []]], [["reset", {"seed": "a"}]], [["reset", {"seed": -5}]], [["reset", {"seed": 2**31}]], [["record", 1]], [["set"]], [["pause", True]] * 1001, [["step", 1], ["fly", 1]]]
)
def test_updates_that_can_not_be_read_are_refused_and_the_view_goes_on(studio: Studio, ann: TestClient, updates: Any) -> None:
    current = ann.get(f"{AT}live").json() or begin(ann)
    answer = ann.post(f"{AT}live/{current['job']}", json={"updates": updates})
    assert answer.status_code == 422 and answer.json()["error"]["message"]
    assert frame(ann, current["job"])[0]["frame"] > 0


@pytest.mark.parametrize(("given", "field"), [({"values": {"rho": 9999}}, "values.rho"), ({"model": "nothing"}, "model"), ({"speed": 1000}, "speed"), ({"changes": [[0, "x0", 1]]}, "changes")])
def test_a_view_that_can_not_begin_says_why_at_its_field(ann: TestClient, given: dict[str, Any], field: str) -> None:
    answer = ann.post(f"{AT}live", json={"model": "lorenz63"} | given)
    assert answer.status_code in (404, 422) and answer.json()["error"]["field"] == field


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 5000, "²"])
def test_a_frame_has_a_number(ann: TestClient, after: str) -> None:
    job = (ann.get(f"{AT}live").json() or begin(ann))["job"]
    answer = ann.get(f"{AT}live/{job}", params={"after": after})
    assert answer.status_code == 422 and answer.json()["error"]["field"] == "after"


def test_a_frame_that_went_with_its_view_is_no_fault_of_the_studio(studio: Studio) -> None:
    views = Views(studio)
    ended = SimpleNamespace(id="gone", summary={})
    assert views.frame(ended) == b""
    with pytest.raises(NotFound):
        views.checkpoint(ended)


@pytest.mark.parametrize("shared", [{"listen": "0.0.0.0"}, {"auth": "ann:secret,bob:secret"}])
def test_in_a_shared_studio_nobody_takes_all_places(studio: Studio, shared: dict[str, Any]) -> None:
    shown = [SimpleNamespace(id=name, owner="cid", pipeline=SimpleNamespace(id="simulation.live"), state="running") for name in ("one", "two")]
    jobs = SimpleNamespace(listing=lambda owner: [{"id": one.id if one.owner == owner else "", "mine": one.owner == owner, "pipeline": "simulation.live"} for one in shown])
    views = Views(replace(studio, settings=Settings(**shared), jobs=jobs))
    views._seen = {"one": time.monotonic(), "two": time.monotonic()}
    with pytest.raises(QueueFull, match="watching 2 simulations"):
        views._check_share("cid", "")
    views._check_share("cid", "one")  # which ends
    views._check_share("bob", "")
    Views(replace(studio, jobs=jobs))._check_share("cid", "")
    views._seen["two"] -= 60  # no page looks at it any more: it gives way by itself
    views._check_share("cid", "")


def test_a_view_that_nobody_looked_at_goes_on_from_its_checkpoint(studio: Studio, ann: TestClient) -> None:
    told = begin(ann)
    frame(ann, told["job"], 0, lambda head: head["step"] > 50)
    ann.post(f"{AT}live/{told['job']}", json={"updates": [["set", ["rho", 25.0]], ["pause", True]]})
    head, rows, _ = frame(ann, told["job"], 0, lambda head: not head["running"])
    job = studio.jobs.get(told["job"])
    studio.jobs.cancel(told["job"], by="ann")
    job.wait()
    job.summary = {"checkpoint": head["checkpoint"]}  # as the pipeline gives it when the last viewer is long gone
    again = ann.post(f"{AT}live/{told['job']}/resume").json()
    found, more, _ = frame(ann, again["job"])
    at = np.flatnonzero(np.isclose(more[:, 0], rows[-1, 0]))
    assert found["step"] >= head["step"] and found["checkpoint"]["changes"] == head["checkpoint"]["changes"]
    np.testing.assert_allclose(more[at[-1], 1:], rows[-1, 1:], rtol=1e-11)
    studio.jobs.cancel(again["job"], by="ann")


def test_views_that_no_page_looks_at_give_their_place_and_go_on_when_one_does(studio: Studio, ann: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabs.simulation_routes.UNSEEN_SECONDS", 0.0)
    for line in studio.jobs.listing("ann"):  # of earlier tests
        studio.jobs.cancel(line["id"], by="ann")
        studio.jobs.get(line["id"]).wait()
    first = begin(ann)["job"]
    frame(ann, first, 0, lambda head: head["step"] > 20)
    second = begin(ann)["job"]
    frame(ann, second)
    third = begin(ann)["job"]
    ended = studio.jobs.get(first).wait()
    assert ended.state == "done" and ended.summary["checkpoint"]["steps"] > 20
    assert frame(ann, third)[0]["frame"] > 0 and studio.jobs.get(second).state == "running"
    again = ann.post(f"{AT}live/{first}/resume").json()["job"]
    assert frame(ann, again)[0]["step"] >= ended.summary["checkpoint"]["steps"]
    for job in (second, third, again):
        studio.jobs.cancel(job, by="ann")
        studio.jobs.get(job).wait()


# -- models as data --------------------------------------------------------------------------------------------------


def test_the_models_are_listed_for_programs(ann: TestClient) -> None:
    found = {model["id"]: model for model in ann.get(f"{AT}models").json()}
    assert found["lorenz63"]["values"]["properties"]["rho"]["maximum"] == 350 and found["walk"]["series"][0] == {"name": "mean", "title": "Mean", "unit": "m", "kind": "level", "quiet": False}
    assert found["walk"]["presets"] == [{"name": "Wide", "about": "Long steps.", "values": {"rate": 5.0}}] and found["walk"]["sources"][0]["text"].startswith("K. Pearson")


def test_a_models_form_has_at_most_four_in_sight() -> None:
    for model in register_simulations():
        fields = fields_of(model)
        assert sum(not field.advanced for field in fields) <= 4 and {field.name for field in fields} <= set(model.Params.model_fields)
    rate, _, count, blow = fields_of(Walk())
    assert (rate.unit, rate.live, rate.low, rate.high, rate.kind) == ("m", True, 0, 10, "number") and count.whole and not count.live and blow.advanced


def test_pictures_are_shipped_or_drawn(ann: TestClient) -> None:
    shipped = ann.get(f"{AT}pictures/lorenz63.webp")
    assert Image.open(io.BytesIO(shipped.content)).format == "WEBP"
    drawn_ = ann.get(f"{AT}pictures/walk.webp")
    assert drawn_.status_code == 200 and np.ptp(np.asarray(Image.open(io.BytesIO(drawn_.content)))) > 0
    assert ann.get(f"{AT}pictures/nothing.webp").status_code == 404 and ann.get(f"{AT}pictures/..%2Fx").status_code == 404


def test_every_shipped_picture_is_small_and_no_blank() -> None:
    for path in FOLDER.glob("*.webp"):
        with Image.open(path) as image:
            assert path.stat().st_size < 60_000 and max(image.size) <= 360
            assert np.asarray(image.convert("L")).std() > 3, path.name


def test_a_picture_can_be_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.simulation.pictures.FOLDER", tmp_path)
    assert write(Walk()) == (tmp_path / "walk.webp").stat().st_size > 0
    assert drawn(SimpleNamespace(Params=Walk.Params, duration=1.0, time_step=lambda params: 1.0, init=lambda params, rng: 0, advance=lambda *values: 0, render=lambda *values: None)) == b""  # type: ignore[arg-type]


def test_the_page_of_the_models_is_fresh() -> None:
    assert (DOCS / "simulation-models.md").read_text(encoding="utf-8") == handbook.page(register_simulations()), "run: python -m pipelines.simulation.handbook"


def test_the_script_is_one_module(ann: TestClient) -> None:
    answer = ann.get(f"{AT}page.js")
    assert answer.headers["content-type"].startswith("text/javascript") and answer.text.count("\nexport ") == 3


# -- the desk --------------------------------------------------------------------------------------------------------


def test_the_desk_begins_with_the_first_that_is_there(studio: Studio) -> None:
    there = {model.id for model in studio.simulations.all()}
    assert Desk(studio).first().id == next(name for name in FIRST if name in there)


def test_picking_fills_in_what_is_left_out_and_refuses_what_can_not_be(studio: Studio) -> None:
    assert Desk(studio).pick("walk", "", {"rate": 2})[2] == {"rate": 2.0, "drift": 0.0, "count": 4, "blow": 0}
    with pytest.raises(Exception, match="Rate must be at most 10"):
        Desk(studio).pick("walk", "", {"rate": 99})
    assert Desk(studio).kept("walk", "", {"rate": 3.0, "sigma": 1})["rate"] == 3.0


def test_what_the_script_reads_is_escaped_json(studio: Studio) -> None:
    told = Desk(studio).told("walk", '"><script>', {"rate": 1.0})
    assert "<script" not in told and json.loads(re.findall(r'data-desk="([^"]+)"', told)[0].replace("&quot;", '"').replace("&gt;", ">").replace("&lt;", "<"))["own"] == '"><script>'


# -- tables ----------------------------------------------------------------------------------------------------------


def test_a_table_carries_its_settings_and_is_restored_when_dropped(studio: Studio, tmp_path: Path) -> None:
    job = studio.submit("simulation.run", {"model": "lorenz63", "seed": 9, "duration": 2.0, "changes": [[10, "rho", 12.0]]}, owner="ann").wait()
    output = studio.store.output(job.outputs[0])
    dropped = tmp_path / "dropped.csv"
    dropped.write_bytes(Path(output.path).read_bytes())
    restored = restore(dropped, studio)
    assert restored.pipeline_id == "simulation.run" and restored.params["seed"] == 9 and restored.params["changes"] == [[10, "rho", 12.0]]
    assert not restored.refused and not restored.model_missing
    assert b"seisei" not in body(Path(output.path)) and body(Path(output.path)).count(b"\n") == 202
    assert len(np.loadtxt(dropped, delimiter=",", skiprows=1)) == 201  # readers that know comments see the table alone


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "a,b\n1,2", "a\n"])
def test_settings_go_into_a_table_and_come_out(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(embed(text.encode(), ".csv", {"pipeline": "p", "params": {"text": 'a,\n"b" # seisei x'}}))
    assert extract(path)["params"]["text"] == 'a,\n"b" # seisei x' and body(path).decode() == text.rstrip("\n") + "\n"


def test_the_gallery_shows_a_tables_first_rows_escaped(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(embed(("a,<b>\n" + "1,2\n" * 500).encode(), ".csv", {"pipeline": "p", "params": {}}))
    shown = first_rows(path)
    assert "<th>&lt;b&gt;</th>" in shown and shown.count("<tr>") == 101 and "seisei" not in shown


def test_what_is_heard_of_a_result_is_chosen(studio: Studio) -> None:
    """Series, scale and pace; what is not chosen is as usual, and what can't be is told at its field before anything runs."""
    client = TestClient(Starlette(routes=[mount(route, studio.words) for route in simulation_hand.routes(studio)]), headers={"x-seisei-owner": "ann"})
    job = studio.submit("simulation.run", {"model": "lorenz63", "seed": 9, "duration": 2.0}, owner="ann").wait()
    offered = client.get(f"{AT}jobs/{job.id}/music", headers={"accept-language": "ja"}).json()
    assert [one["name"] for one in offered["series"]] == ["x", "y", "z"] and offered["most"] == 4 and offered["numbers"]["tempo"]["default"] == 120
    assert {"name": "Whole tone", "title": "全音音階"} in offered["scales"]

    def made(**wished: Any) -> dict[str, Any]:
        answer = client.post(f"{AT}jobs/{job.id}/music", **({"json": wished} if wished else {}))
        assert answer.status_code == 200, answer.text
        return studio.jobs.get(answer.json()["job"]).wait().params.model_dump(mode="json")

    usual, chosen = made(), made(voices=["z"], scale="Blues", tempo=90, notes=32)
    assert (usual["voices"], usual["scale"], usual["tempo"]) == (["x", "y", "z"], "Major pentatonic", 120)
    assert (chosen["voices"], chosen["scale"], chosen["tempo"], chosen["notes"]) == (["z"], "Blues", 90, 32)
    assert chosen["values"] == usual["values"] == job.params.model_dump(mode="json")["values"] and chosen["seed"] == 9 and chosen["duration"] == 2.0
    for wished, field in (({"voices": ["w"]}, "voices"), ({"tempo": 5}, "tempo"), ({"scale": "Odd"}, "scale"), ({"model": "walk"}, "model")):
        answer = client.post(f"{AT}jobs/{job.id}/music", json=wished)
        assert answer.status_code in (400, 422) and answer.json()["error"]["field"] == field, answer.text
    assert client.get(f"{AT}jobs/{job.id}/music", headers={"x-seisei-owner": "bob"}).status_code == 404


def test_a_live_recordings_settings_open_the_same_model(studio: Studio) -> None:
    desk = Desk(studio)
    studio.store.remember("local", "restore:simulation.run", {"model": "walk", "own": "", "values": {"rate": 2.0}, "seed": 5, "changes": [[3, "rate", 1.0]], "duration": 2.0})
    model, own, values, told = desk.restorer("simulation.run")(None)
    assert (model, own, values["rate"]) == ("walk", "", 2.0) and "&quot;steps&quot;: 20" in told and "&quot;seed&quot;: 5" in told
    assert studio.store.recall("local", "restore:simulation.run") is None


def test_music_of_a_run_leads_back_to_its_model(studio: Studio) -> None:
    studio.store.remember("local", "restore:simulation.sonify", {"model": "walk", "own": "", "values": {"rate": 2.0}, "seed": 5, "voices": ["mean"], "duration": 2.0})
    model, own, values, told = Desk(studio).restorer("simulation.sonify")(None)
    assert (model, own, values["rate"]) == ("walk", "", 2.0) and "&quot;seed&quot;: 5" in told and "&quot;restored&quot;: true" in told


def test_a_surrogates_box_fills_the_learn_page(studio: Studio) -> None:
    page = learn_page(studio)
    free = [{"name": "drift", "kind": "uniform", "low": 0.1, "high": 0.4, "middle": 0.2, "width": 0.1}]
    kept = {"model": "walk", "own": "", "values": {"rate": 2.0}, "seed": 5, "free": free, "kind": "Network", "runs": 80, "until": 0.0, "times": 50, "ask": {}}
    studio.store.remember("local", "restore:simulation.surrogate", kept)
    told = page.restorer("simulation.surrogate")(None)
    shown = dict(zip(["which", *page.controls, *page.filter_controls], told[3 + len(page.filled) :], strict=True))
    assert (shown["surrogate"], shown["surrogate_runs"], shown["seed"]) == ("Network", 80, 5)
    assert told[2]["rate"] == 2.0 and told[4]["free"] == ["drift"] and told[4]["priors"]["drift"]["high"] == 0.4


def learn_page(studio: Studio) -> LearnPage:
    """The page with a stand-in for each component: gr.Blocks leaves event loops open."""
    page = LearnPage(studio, Desk(studio))
    page.controls, page.filter_controls = dict.fromkeys(ADVANCED), {f"filter:{name}": None for name in FILTERING}
    for name in ("model", "state", "seen", "map", "priors", "time", "unit", "begin", "together", "fewer"):
        setattr(page, name, None)
    return page


@pytest.mark.parametrize(("pipeline", "method", "own"), [("simulation.learn", "ABC", {"seed": 5, "particles": 90}), ("simulation.filter", "Kalman filter", {"seed": 5, "members": 40, "inflation": 1.1})])
def test_a_calibrations_settings_fill_the_learn_page_again(studio: Studio, pipeline: str, method: str, own: dict[str, Any]) -> None:
    page = learn_page(studio)
    settings = page.learn.given.samples()["influenza"]["settings"]
    given = settings | own | {"sample": "influenza", "values": settings["values"] | {"population": 700}, "free": settings["free"][:1]} | ({"method": method} if pipeline == LEARN else {"method": "EnKF"})
    studio.store.remember("local", f"restore:{pipeline}", studio.pipelines[pipeline].Params.restore(given, 1)[0].model_dump(mode="json"))
    told = page.restorer(pipeline)(None)
    assert told[0] == settings["model"] and told[2]["population"] == 700
    state, rest = told[4], told[3 + len(page.filled) :]
    shown = dict(zip(["which", *page.controls, *page.filter_controls], rest, strict=True))
    asked = page.asked(
        "local",
        {"state": state, "model": told[0], "own": told[1], "time": settings["time"], "unit": settings["unit"], "begin": settings["begin"], "together": 1, "method": shown["which"]}
        | {name: value for name, value in shown.items() if name != "which"}
        | {"table": None},
    )[0]
    assert shown["which"] == method and asked["links"] == settings["links"] and [prior["name"] for prior in asked["free"]] == [settings["free"][0]["name"]]
    assert {name: asked[name] for name in own} == own and asked["sample"] == "influenza" and studio.store.recall("local", f"restore:{pipeline}") is None


def test_a_calibration_whose_table_is_gone_asks_for_it_and_keeps_the_rest(studio: Studio) -> None:
    page = learn_page(studio)
    given = {"model": "walk", "table": "0" * 64 + ".csv", "links": [{"column": "far", "series": "mean"}], "free": [{"name": "drift"}], "values": {"rate": 3.0}}
    studio.store.remember("local", "restore:simulation.learn", studio.pipelines[LEARN].Params.restore(given, 1)[0].model_dump(mode="json"))
    told = page.restorer(LEARN)(None)
    assert told[2]["rate"] == 3.0 and told[4]["table"] == "" and told[4]["free"] == ["drift"] and list(told[4]["links"]) == ["far"]


# -- a model of an extension -----------------------------------------------------------------------------------------


def test_the_documents_model_is_forty_lines_and_runs_everywhere(tmp_path: Path) -> None:
    code = next(found for found in re.findall(r"```python\n(.*?)```", (DOCS / "extensions.md").read_text(encoding="utf-8"), re.DOTALL) if "register_simulations" in found)
    assert len([line for line in code.splitlines() if line.strip()]) <= 40
    folder = tmp_path / "extensions" / "pendulum"
    folder.mkdir(parents=True)
    (folder / "extension.py").write_text(code, encoding="utf-8")
    (folder / "extension.toml").write_text('name = "pendulum"\nversion = "1"\nhook_api = 1\n', encoding="utf-8")
    hooks = Hooks()
    hooks.load_builtin("pipelines.simulation")
    hooks.load_extensions([(tmp_path / "extensions", False)], [], safe=False)
    simulations = Simulations(hooks.collect("register_simulations"))
    model = simulations.find("pendulum")
    small = [seen.values["angle"] for seen in observations(model, model.Params(angle=0.05, damping=0.0), np.linspace(0, 20, 4001), 1)]
    turns = np.flatnonzero((np.array(small)[:-1] > 0) & (np.array(small)[1:] <= 0))
    assert np.diff(turns).mean() * 0.005 == pytest.approx(2 * np.pi * np.sqrt(1 / 9.81), rel=2e-3)  # the period of small swings
    config = worker_config(tmp_path) | {"builtins": ["pipelines.simulation"], "extensions": [[str(tmp_path / "extensions"), False]], "safe": False}
    pool = PoolExecutor(config, slots=1)
    told: list[dict[str, Any]] = []
    end = pool.run({"job": "one", "pipeline": "simulation.run", "params": {"model": "pendulum", "seed": 1}}, told.append)
    pool.close()
    assert end["end"] == "done", end
    assert any("artifact" in one for one in told)


def test_stop_ends_an_experiment_early_and_a_second_one_at_once(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ExperimentPage(studio, Desk(studio))
    asked: list[tuple[str, str, str]] = []
    monkeypatch.setattr(page.follower, "job", lambda owner: SimpleNamespace(id="j", owner=owner))
    monkeypatch.setattr(studio.jobs, "cancel", lambda job, *, by, mode: asked.append((job, by, mode)))
    studio.store.remember("ann", page.slot, "j")
    request = SimpleNamespace(headers={"x-seisei-owner": "ann", "x-seisei-arrived": "1.5"})
    for _ in range(2):
        page.stopper("cancel")(request)
    assert asked == [("j", "ann", "finish"), ("j", "ann", "cancel")]
