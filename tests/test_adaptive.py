"""DPM adaptive: its controller, that it comes nearer with smaller tolerances, and a job whose number of steps nobody knows beforehand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image import adaptive
from pipelines.image.adaptive import SAFETY, Adaptive, StepSize, apart
from pipelines.image.params import ImageParams
from pipelines.image.pictures import open_picture, png
from pipelines.image.samplers import LOOKS, choose, find
from pipelines.image.track import looks, pieces
from studio.api import BadInput, Progress
from studio.jobs import JobQueue
from tests.house import finish
from tests.image_models import image_queue, make_sd1

SIDE = 32
HIGH, LOW = 14.6, 0.03


def gone(x: Any, clean: Any, draw: Any) -> tuple[Any, Adaptive, list[float], list[float]]:
    """The end, the loop, the levels that were looked at, and the shares told meanwhile."""
    way = Adaptive(HIGH, LOW, draw)
    shares: list[float] = []
    going, seen = way.loop(), []
    level = next(going)[1]
    while True:
        seen.append(level)
        try:
            x, level = going.send((x, clean(x, level)))
        except StopIteration as end:
            return end.value, way, seen, [*shares, way.share]
        shares.append(way.share)


def normal(count: int, spread: float) -> tuple[Any, Any, Any]:
    """A noised sample of data normal around 2 with that spread, the clean picture behind it, and draws."""
    random = np.random.default_rng(3)
    x = 2 + np.hypot(HIGH, spread) * random.standard_normal(count)
    return x, lambda x, level: 2 + (x - 2) * spread**2 / (spread**2 + level**2), lambda: random.standard_normal(x.shape)


def test_smaller_tolerances_end_nearer_to_the_distribution_of_the_data_with_more_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for factor in (1, 1 / 10, 1 / 100):
        monkeypatch.setattr(adaptive, "RELATIVE", 0.05 * factor)
        monkeypatch.setattr(adaptive, "ABSOLUTE", 0.0078 * factor)
        made, _, seen, _ = gone(*normal(40_000, 0.3))
        found.append((abs(made.std() / 0.3 - 1), len(seen)))
        assert abs(made.mean() - 2) < 0.01
    assert found[0][0] > 5 * found[1][0] > 0 and found[2][0] < 0.005, found
    assert found[0][1] < found[1][1] < found[2][1]


def test_the_loop_runs_three_times_for_a_step_twice_for_one_that_is_tried_again_and_ends_at_the_lowest_level() -> None:
    _, way, seen, shares = gone(*normal(4_000, 1.5))
    assert len(seen) == 3 * way.kept + 2 * way.refused and way.refused > 0 and way.level == LOW
    assert shares[0] == 0 and shares[-1] == 1 and shares == sorted(shares) and max(np.diff(shares)) < 0.5


def test_a_picture_that_is_known_from_the_start_is_reached_in_steps_that_grow() -> None:
    made, way, _, _ = gone(np.array([HIGH + 1.0]), lambda x, level: np.ones(1), lambda: np.zeros(1))
    assert abs(made[0] - 1) < 0.05 and way.refused == 0 and way.kept < math.log(HIGH / LOW) / 0.05 / 4


def test_the_controller_grows_after_small_errors_shrinks_after_large_ones_and_never_by_leaps() -> None:
    one, other = StepSize(), StepSize()
    assert one.keeps(0.1) and not other.keeps(10.0) and one.size > 0.05 > other.size
    assert other.size == pytest.approx(0.05 * (1 + math.atan(10 ** (-1 / 1.5) - 1)))
    for error in (1e-12, 1e12, math.inf):
        step = StepSize()
        assert step.keeps(error) is (error < 1) and (1 - math.pi / 4) * 0.05 <= step.size < (1 + math.pi / 2) * 0.05
    assert not StepSize().keeps(math.nan)
    edge = (1 + math.tan(SAFETY - 1)) ** -1.5
    assert StepSize().keeps(edge * 0.999) and not StepSize().keeps(edge * 1.001)


def test_all_three_of_the_controller_s_shares_read_the_errors_of_kept_steps() -> None:
    """Söderlind's formula by hand: size times e1^-(p+i+d)/k e2^(p+2d)/k e3^-d/k, limited."""
    p, i, d, order = 0.2, 0.5, 0.1, 3.0
    step, size, errors = StepSize(1.0, (p, i, d), order), 1.0, [0.5, 0.8, 0.4]
    before = [errors[0]] * 2
    for error in errors:
        ratio = error ** (-(p + i + d) / order) * before[0] ** ((p + 2 * d) / order) * before[1] ** (-d / order)
        size *= 1 + math.atan(ratio - 1)
        before = [error, before[0]]
        assert step.keeps(error) and step.size == pytest.approx(size, rel=1e-6)


def test_errors_are_measured_by_the_larger_state_and_never_below_the_least_tolerance() -> None:
    assert apart(np.array([10.0]), np.array([10.5]), np.array([-20.0])) == pytest.approx(0.5 / (0.05 * 20))
    assert apart(np.array([0.0, 0.0]), np.array([0.0078, 0.0]), np.array([0.0, 0.1])) == pytest.approx(math.sqrt(0.5))


# -- a job ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("adaptive")
    make_sd1(root / "models" / "tiny")
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


BASE = {"model": "tiny", "prompt": "a red cat", "width": SIDE, "height": SIDE, "steps": 20, "seed": 5, "cfg_scale": 5.0, "upscale": 1.0, "sampler": "DPM adaptive"}


def started(queue: JobQueue, **values: Any) -> Any:
    return queue.submit("image.generate", BASE | values, owner="local")


def drawn(queue: JobQueue, **values: Any) -> list[np.ndarray]:
    job = started(queue, **values).wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return [np.asarray(open_picture(Path(queue.store.output(output).path))).astype(int) for output in job.outputs]


def test_its_progress_goes_from_the_first_step_to_the_last_of_those_asked_for(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Progress] = []
    notify = queue.hooks.notify  # hears all; who follows a job hears the newest

    def hear(name: str, **args: Any) -> None:
        told.extend([args["event"]] if isinstance(args.get("event"), Progress) else [])
        notify(name, **args)

    monkeypatch.setattr(queue.hooks, "notify", hear)
    drawn(queue, seed=1)
    steps = [event.step for event in told]
    assert steps == sorted(steps) and {event.total for event in told} == {20} and steps[-1] == 20
    assert len(set(steps)) > 5, steps


def test_from_a_picture_the_steps_say_where_it_begins(queue: JobQueue) -> None:
    ramp = Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB")
    begun = {"image": queue.desk.inputs.keep(png(ramp)), "denoising_strength": 0.3}
    near, far = (drawn(queue, **begun | {"denoising_strength": share})[0] for share in (0.2, 0.9))
    assert np.abs(near - np.asarray(ramp)).mean() < np.abs(far - np.asarray(ramp)).mean()
    assert (drawn(queue, **begun)[0] == drawn(queue, **begun)[0]).all() and (drawn(queue, **begun, seed=6)[0] != drawn(queue, **begun)[0]).any()
    assert (drawn(queue, steps=7)[0] == drawn(queue)[0]).all(), "from words alone their number changes nothing"


def test_each_of_several_pictures_is_the_single_one_with_its_seed_and_together_is_refused(queue: JobQueue) -> None:
    several = drawn(queue, count=2)
    assert (several[1] == drawn(queue, seed=6)[0]).all() and (several[0] != several[1]).any()
    with pytest.raises(BadInput, match="by one picture") as told:
        started(queue, count=2, together=True)
    assert told.value.field == "together" and told.value.fix and told.value.fix.values == {"together": False}


def test_words_that_change_on_the_way_and_control_follow_the_way_that_is_gone(queue: JobQueue) -> None:
    """[a:b:1] never changes, [a:b:0] is b from the first step."""
    cat, dog, half = (drawn(queue, prompt=prompt)[0] for prompt in ("cat", "dog", "[cat:dog:0.5]"))
    assert (drawn(queue, prompt="[cat:dog:0]")[0] == dog).all()
    assert (half != cat).any() and (half != dog).any()


@pytest.mark.parametrize("mode", ["cancel", "finish"])
def test_it_can_be_stopped_and_finished_early(queue: JobQueue, mode: str) -> None:
    job, asked = started(queue, seed=77), False
    last = 0
    for event in job.events():
        if isinstance(event, Progress):
            last = event.step
            if event.step >= 2 and not asked:
                asked = queue.cancel(job.id, by="local", mode=mode)
    assert asked and (job.state == "cancelled") is (mode == "cancel") and len(job.outputs) == (mode == "finish")
    assert mode == "finish" or last < 20


def test_a_step_that_is_never_small_enough_is_told(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.image.nets.looped.MOST", 0)
    job = started(queue, seed=3).wait()
    assert job.error and "no step that is small enough" in job.error.message and job.error.field == "sampler"


def test_what_does_nothing_or_can_t_be_is_refused(queue: JobQueue) -> None:
    with pytest.raises(BadInput, match="no noise level to discard"):
        started(queue, discard_next_to_last_sigma=True)
    with pytest.raises(BadInput, match="knows no schedule"):
        choose("DPM adaptive", "Karras", "noise")
    assert all(find(name).name == "DPM adaptive" for name in ("k_dpm_ad", "dpm_adaptive", "k_dpm_adaptive"))


def test_how_long_it_takes_is_planned_by_how_often_it_usually_looks() -> None:
    assert (looks("DPM adaptive", 20, 0.5), looks("Euler", 20, 0.5), looks("Automatic", 20, 0.01)) == (LOOKS // 2, 10, 1)
    usual, adapts = (pieces(ImageParams.parse({"prompt": "a", "width": 64, "height": 64, "steps": 20, "sampler": name}), 1)[0].pixels for name in ("Euler", "DPM adaptive"))
    assert adapts == usual / 20 * LOOKS
