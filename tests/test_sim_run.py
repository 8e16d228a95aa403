"""simulation.run: a table, pictures, the same numbers again; and simulation.live, whose runs it repeats."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.simulation import live as live_module
from pipelines.simulation.live import LiveParams, SimulationLive, View
from pipelines.simulation.models.gray_scott import GrayScott, GrayScottParams
from pipelines.simulation.models.lorenz63 import Lorenz63
from pipelines.simulation.params import check_length
from pipelines.simulation.run import RunParams, SimulationRun
from studio.api import POKE, BadInput, Desk, Diverged, Inputs, Simulations, Stopped
from studio.catalog import Catalog
from tests.simulating import SIMULATIONS, Context, Walk

BOTH = Simulations([Walk(), Lorenz63()])


def ran(**values: Any) -> tuple[Context, Any]:
    pipeline = SimulationRun(BOTH)
    params = pipeline.settle(RunParams.parse({"model": "walk", "seed": 3} | values), Desk(Catalog([]), Inputs(Path("/nowhere"))))
    ctx = Context()
    return ctx, pipeline.run(params, ctx)  # type: ignore[arg-type]


def table(ctx: Context) -> Any:
    made = next(artifact for artifact in ctx.kept if artifact.kind == "table")
    return np.genfromtxt(io.BytesIO(made.data), delimiter=",", names=True)


def test_a_run_is_a_table_of_its_series_and_its_last_picture() -> None:
    ctx, result = ran()
    rows = table(ctx)
    assert rows.dtype.names == ("time", "mean", "count")
    assert rows["time"][0] == 0 and rows["time"][-1] == 20 and np.all(np.diff(rows["time"]) > 0)
    assert [artifact.suffix for artifact in ctx.kept] == [".csv", ".png"]
    assert np.asarray(Image.open(io.BytesIO(ctx.kept[1].data)))[0, 0, 0] == 200
    assert result.summary["steps"] == 200 and result.summary["last"]["count"] == 4


@pytest.mark.parametrize(
    ("values", "differs"),
    [
        ({"duration": 10.0}, "table"), ({"every": 2.0}, "table"), ({"seed": 4}, "table"), ({"values": {"rate": 2.0}}, "table"), ({"changes": [[5, "drift", 1.0]]}, "table"),
        ({"model": "lorenz63"}, "table"), ({"picture": False}, "picture"), ({"frames": 30}, "moving"), ({"frame_rate": 5}, "moving"), ({"side": 64}, "moving"), ({"moving": "GIF"}, "moving"),
    ],
)  # fmt: skip
def test_every_setting_acts(values: dict[str, Any], differs: str) -> None:
    plain = {"moving": "WebP", "frames": 5, "side": 128}
    first, second = ran(**plain)[0].kept, ran(**plain | values)[0].kept
    places = {"table": 0, "picture": 1, "moving": -1}
    assert first[places[differs]].data != second[places[differs]].data or len(first) != len(second)


def test_side_bounds_the_moving_picture_only_downwards() -> None:
    ctx, _ = ran(model="lorenz63", moving="GIF", frames=4, side=100)
    image = Image.open(io.BytesIO(ctx.kept[-1].data))
    assert max(image.size) == 100 and image.n_frames == 4  # type: ignore[attr-defined]


def test_steps_of_which_each_takes_long_are_refused_by_the_hour() -> None:
    """The quickest models make as many in a minute."""
    with pytest.raises(BadInput, match=r"about 48\.6 hours; 24 is the most") as refused:
        check_length(GrayScott(), GrayScottParams(), 1e9)
    assert refused.value.field == "duration"
    check_length(GrayScott(), GrayScottParams(), 4e8)  # over night


def test_what_is_too_much_is_refused_at_its_field() -> None:
    for values, field in [
        ({"every": 1e-5}, "every"),
        ({"model": "lorenz63", "duration": 1e9}, "duration"),
        ({"values": {"rate": True}}, "values.rate"),
        ({"changes": [[3, "rate", True]]}, "changes"),
        ({"moving": "GIF", "frames": 600, "side": 1024}, "frames"),
        ({"values": {"rate": 99}}, "values.rate"),
        ({"values": {"rate": 1, "drift": 2}}, "values.drift"),
        ({"model": "none"}, "model"),
    ]:
        with pytest.raises(Exception) as refused:
            ran(**values)
        assert getattr(refused.value, "field", "") == field


@pytest.mark.parametrize(
    "change",
    [
        [3, "count", 5],
        [3, "nothing", 1],
        [3, "rate", 99],
        [3, "drift", 4.0],
        [3, POKE, [1]],
        [3, POKE, "ab"],
        [3, POKE, [-0.1, 0.5]],
        [3, POKE, [0.5, 1.1]],
        [3, POKE, [float("nan"), 0]],
        [3, POKE, [10**400, 0]],
        [-1, "rate", 2],
    ],
)
def test_a_change_that_can_not_be_is_refused_beforehand(change: list[Any]) -> None:
    with pytest.raises(BadInput) as refused:
        ran(changes=[change])
    assert refused.value.field == "changes"


def test_mp4_is_only_offered_where_it_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.simulation.moving.mp4_here", lambda: False)
    assert SimulationRun(SIMULATIONS).movings() == ["GIF", "WebP"]
    with pytest.raises(BadInput) as refused:
        ran(moving="MP4")
    assert refused.value.field == "moving"


def test_a_run_that_blows_up_keeps_what_was_before_and_says_where() -> None:
    pipeline, ctx = SimulationRun(SIMULATIONS), Context()
    with pytest.raises(Diverged, match="step 50"):
        pipeline.run(RunParams(model="walk", seed=1, values={"blow": 50}, every=0.1), ctx)  # type: ignore[arg-type]
    assert len(table(ctx)) == 50 and np.isfinite(table(ctx)["mean"]).all()


class Steps(Context):
    """Notes which steps were reported."""

    def __init__(self, stop_after: int = 10**9) -> None:
        super().__init__(stop_after=stop_after)
        self.steps: list[tuple[int, int]] = []

    def progress(self, step: int, total: int, note: str = "", share: float = -1.0) -> None:
        self.steps.append((step, total))
        super().progress(step, total, note, share)


def long_run(ctx: Context, **values: Any) -> None:
    pipeline = SimulationRun(BOTH)
    params = pipeline.settle(RunParams.parse({"seed": 3} | values), Desk(Catalog([]), Inputs(Path("/nowhere"))))
    pipeline.run(params, ctx)  # type: ignore[arg-type]


def test_a_long_row_tells_how_far_it_is_and_heeds_stop() -> None:
    model = {"model": "walk", "duration": 400.0, "every": 400.0}
    whole = Steps()
    long_run(whole, **model)
    told = [step for step, _ in whole.steps]
    assert told == sorted(told) and {total for _, total in whole.steps} == {4000}
    assert max(np.diff(told)) <= 200 / 20 and told[-1] == 4000
    stopped = Steps(stop_after=30)
    with pytest.raises(Stopped):
        long_run(stopped, **model)
    assert stopped.steps[-1][0] < 400 and [artifact.kind for artifact in stopped.kept] == ["table"]


def test_a_run_of_ten_billion_steps_is_heeded_within_half_a_million(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(Lorenz63, "advance", lambda self, state, params, rng, steps: taken.append(steps) or state)
    with pytest.raises(Stopped):
        long_run(Steps(stop_after=5), model="lorenz63", duration=1e8, every=1e8)
    assert len(taken) == 6 and max(taken) <= 500_000


def test_stretches_change_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, cut = Context(), Context()
    long_run(whole, model="lorenz63", duration=300.0, every=100.0)
    monkeypatch.setattr("pipelines.simulation.run.stretch_of", lambda model, params: 777)
    long_run(cut, model="lorenz63", duration=300.0, every=100.0)
    assert [artifact.data for artifact in whole.kept] == [artifact.data for artifact in cut.kept]


def test_a_stopped_run_keeps_its_table() -> None:
    ctx = Context(stop_after=10)
    with pytest.raises(Stopped):
        SimulationRun(SIMULATIONS).run(RunParams(model="walk", seed=1, every=0.1), ctx)  # type: ignore[arg-type]
    assert len(table(ctx)) == 11


# -- live ------------------------------------------------------------------------------------------------------------


class Clock:
    """Time goes on only while somebody sleeps: how busy the machine is does not matter."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "time", Clock())


def watched(script: Any, **values: Any) -> Context:
    """A live run until its script raises Stopped."""
    ctx = Context(script)
    pipeline = SimulationLive(BOTH)
    params = pipeline.settle(LiveParams.parse({"model": "walk", "seed": 3} | values), Desk(Catalog([]), Inputs(Path("/nowhere"))))
    with pytest.raises(Stopped):
        pipeline.run(params, ctx)  # type: ignore[arg-type]
    return ctx


def play(turn: int) -> list[tuple[str, Any]]:
    """Somebody who slides, clicks, pauses and steps."""
    if turn > 60:
        raise Stopped
    return {
        10: [("set", ["rate", 3.0])],
        20: [("poke", [0.9, 0.5])],
        25: [("pause", True), ("set", ["drift", 0.5]), ("step", 7)],
        30: [("pause", False), ("speed", 4)],
        40: [("set", ["rate", 1.0]), ("set", ["rate", 0.5])],
    }.get(turn, [("seen", False)])


@pytest.mark.parametrize("model", ["walk", "lorenz63"])
def test_keeping_a_live_run_gives_the_same_numbers(model: str) -> None:
    script = play if model == "walk" else lambda turn: [("set", ["rho", 20.0 + turn])] if turn % 9 == 0 else play(turn) if turn > 60 else []
    ctx = watched(script, model=model)
    last = ctx.frames[-1]
    kept = last["checkpoint"]
    assert kept["changes"] and last["step"] > 30
    dt = last["time"] / last["step"]
    again, result = ran(model=model, values=kept["values"], seed=kept["seed"], changes=kept["changes"], duration=last["time"], every=dt)
    assert result.summary["steps"] == last["step"]
    rows = table(again)
    columns = np.stack([rows[name] for name in rows.dtype.names], axis=1)
    at = np.rint(last["rows"][:, 0] / dt).astype(int)
    changed = {step for step, _, _ in kept["changes"]}  # a frame may look twice at such a step, before and after
    same = [number for number, step in enumerate(at) if step not in changed]
    np.testing.assert_allclose(columns[at[same], 1:], last["rows"][same, 1:], rtol=1e-11)
    assert again.kept[1].kind == "image"


def test_a_checkpoint_leads_to_the_same_state() -> None:
    kept = watched(play).frames[-1]
    values = kept["checkpoint"]
    view = View(Walk(), LiveParams(model="walk", values=values["values"], seed=values["seed"]), Context())  # type: ignore[arg-type]
    view.replay(LiveParams(model="walk", values=values["values"], seed=values["seed"], steps=values["steps"], changes=values["changes"]))
    assert view.step == kept["step"] and list(view.rows)[-1] == pytest.approx(kept["rows"][-1].tolist(), rel=1e-12)
    assert view.checkpoint()["changes"] == [list(change) for change in values["changes"]]


def test_a_view_that_gives_its_place_on_the_way_back_loses_nothing() -> None:
    """It is asked to end while it still makes the steps from before."""
    ctx = Context()
    ctx.progress = lambda *told: setattr(ctx, "stopping", "finish") if told[0] >= 400 else None  # type: ignore[method-assign]
    asked = LiveParams(model="walk", seed=3, steps=5_000, speed=2.0, changes=[(100, "rate", 2.0), (4_000, "rate", 3.0)])
    kept = SimulationLive(BOTH).run(asked, ctx).summary["checkpoint"]  # type: ignore[arg-type]
    assert kept == {"values": asked.values, "seed": 3, "changes": [[100, "rate", 2.0], [4_000, "rate", 3.0]], "steps": 5_000, "speed": 2.0}
    assert json.loads(json.dumps(kept)) == kept


def test_the_way_back_is_no_time_without_a_viewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of hours takes minutes to come back to; nobody can be seen meanwhile."""
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now, sleep=lambda seconds: None)
    monkeypatch.setattr(live_module, "time", clock)
    ctx = Context()
    ctx.progress = lambda *told: setattr(clock, "now", clock.now + 60.0)  # type: ignore[method-assign]
    view = View(Walk(), asked := LiveParams(model="walk", seed=3, steps=2_000), ctx)  # type: ignore[arg-type]
    view.replay(asked)
    assert clock.now > live_module.GONE_SECONDS and view.step == 2_000 and not view.gone and view.away == 0.0


def test_a_checkpoint_is_plain_json() -> None:
    kept = watched(play).frames[-1]["checkpoint"]
    assert json.loads(json.dumps(kept)) == kept


def test_pause_holds_and_step_goes_that_far() -> None:
    ctx = watched(lambda turn: {1: [("pause", True)], 5: [("step", 3)], 9: [("step", 2)]}.get(turn, []) if turn < 15 else play(99))
    assert [frame["step"] for frame in ctx.frames][-1] == [frame["step"] for frame in ctx.frames][0] + 5
    assert not ctx.frames[-1]["running"]


def test_speed_is_steps_in_time() -> None:
    slow, fast = (watched(lambda turn: play(99) if turn > 40 else [], speed=speed).frames[-1]["step"] for speed in (0.5, 32))
    assert fast > 8 * max(1, slow)


def test_what_does_not_act_live_waits_for_reset() -> None:
    ctx = watched(lambda turn: {3: [("set", ["count", 9])], 8: [("reset", {})]}.get(turn, []) if turn < 15 else play(99))
    waiting = [frame for frame in ctx.frames if frame["wished"]]
    assert waiting and waiting[0]["wished"] == {"count": 9} and waiting[0]["rows"][-1, 2] == 4
    assert ctx.frames[-1]["rows"][0, 2] == 9 and ctx.frames[-1]["checkpoint"]["values"]["count"] == 9 and not ctx.frames[-1]["wished"]


def test_reset_with_the_same_seed_is_the_same_run_again() -> None:
    ctx = watched(lambda turn: {1: [("pause", True), ("step", 20)], 3: [("reset", {"run": False}), ("step", 20)], 5: [("reset", {"seed": 4, "run": False}), ("step", 20)]}.get(turn, []) if turn < 8 else play(99))
    at_twenty = [frame["rows"][-1].tolist() for frame in ctx.frames if frame["step"] == 20]
    assert at_twenty[0] == at_twenty[1] != at_twenty[-1]


@pytest.mark.parametrize(("asked", "field"), [(("set", ["rate", 99]), "rate"), (("set", ["drift", 4.0]), "drift"), (("set", ["other", 1]), "other"), (("record", "AVI"), "")])
def test_what_is_refused_is_told_at_its_field_and_it_runs_on(asked: Any, field: str) -> None:
    ctx = watched(lambda turn: {5: [asked]}.get(turn, []) if turn < 20 else play(99))
    told = [frame["problem"] for frame in ctx.frames if frame["problem"]]
    assert told and told[0]["field"] == field and told[0]["message"]
    assert ctx.frames[-1]["running"] and ctx.frames[-1]["checkpoint"]["changes"] == []


def test_a_live_run_that_blows_up_stops_there_and_starts_again_at_reset() -> None:
    ctx = watched(lambda turn: {30: [("reset", {"values": {"blow": 0}})]}.get(turn, []) if turn < 45 else play(99), values={"blow": 20}, speed=16)
    ended = [frame for frame in ctx.frames if frame["ended"]]
    assert ended and not ended[-1]["running"] and ended[-1]["problem"]["code"] == "diverged" and np.isfinite(ended[-1]["rows"]).all()
    assert ctx.frames[-1]["running"] and not ctx.frames[-1]["problem"]


def test_it_pauses_when_nobody_looks_goes_on_when_somebody_does_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "LEFT_SECONDS", 2.0)
    monkeypatch.setattr(live_module, "UNSEEN_SECONDS", 1.0)
    monkeypatch.setattr(live_module, "GONE_SECONDS", 20.0)
    pipeline, steps = SimulationLive(BOTH), dict[int, int]()
    ctx = Context(lambda turn: [("seen", True)] if turn in (1, 250) else [])
    view = View(Walk(), LiveParams(model="walk", seed=3), ctx)  # type: ignore[arg-type]
    while not view.gone:
        view.turn()
        steps[ctx.turns] = view.step
    assert 0 < steps[200] == steps[249] < steps[ctx.turns]
    monkeypatch.setattr(live_module, "GONE_SECONDS", 0.4)
    result = pipeline.run(LiveParams(model="walk", seed=3), Context())  # type: ignore[arg-type]
    assert result.summary["checkpoint"]["seed"] == 3


def test_a_recording_is_a_moving_picture_with_the_settings_of_its_run() -> None:
    ctx = watched(lambda turn: {30: [("record", "GIF"), ("record", "WebP"), ("record", "MP4")]}.get(turn, play(turn) if turn < 30 else []) if turn < 40 else play(99))
    assert [artifact.suffix for artifact in ctx.kept] == [".gif", ".webp", ".mp4"] and ctx.kept[2].kind == "video"
    for artifact in ctx.kept:
        assert artifact.facts["frames"] > 3 and (artifact.suffix != ".mp4" or artifact.data[4:8] == b"ftyp")
        assert artifact.suffix == ".mp4" or Image.open(io.BytesIO(artifact.data)).n_frames > 3  # type: ignore[attr-defined]  # moving kinds have it; Pillow reads no MP4
        assert artifact.origin["pipeline"] == "simulation.run" and artifact.origin["params"]["changes"]
