"""Our own samplers' loops: on data whose way is known in closed form they end at its distribution; the levels that they look at; pictures and masks to begin from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image.loops import LOOPS, ancestral, looked_at, restarts, towards
from pipelines.image.pictures import open_picture, png
from pipelines.image.samplers import SAMPLERS, choose, find
from pipelines.image.sigmas import karras, table
from studio.api import BadInput
from studio.jobs import JobQueue
from tests.house import finish
from tests.image_models import image_queue, make_sd1

SIDE = 32
LEVELS = [*karras(24, np.array([0.03, 14.6])).tolist(), 0.0]
OWN = {sampler.name: sampler.loop for sampler in SAMPLERS if sampler.loop}


def gone(loop: str, levels: list[float], x: Any, clean: Any, draw: Any) -> Any:
    going = LOOPS[loop](levels, draw)
    level = next(going)[1]
    while True:
        try:
            x, level = going.send((x, clean(x, level)))
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("spread", [0.3, 1.5])
def test_a_loop_ends_at_the_distribution_of_the_data(loop: str, spread: float) -> None:
    """Of data normal around 2 with that spread, the clean picture behind a noised one is known."""
    random = np.random.default_rng(3)
    x = 2 + np.hypot(LEVELS[0], spread) * random.standard_normal(40_000)
    made = gone(loop, [*karras(60, np.array([0.03, 14.6])).tolist(), 0.0], x, lambda x, level: 2 + (x - 2) * spread**2 / (spread**2 + level**2), lambda: random.standard_normal(x.shape))
    assert abs(made.mean() - 2) < 0.02 and abs(made.std() / spread - 1) < 0.03, (made.mean(), made.std() / spread)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_picture_that_is_known_from_the_start_is_reached(loop: str) -> None:
    """The clean picture is the same at all levels: there all end, but for the lowest level's noise where a loop ends there."""
    made = gone(loop, LEVELS, np.float64(14.6), lambda x, level: 1.0, lambda: 0.0)
    assert abs(made - 1) < (0.05 if loop == "fast" else 1e-9)


def test_an_ancestral_step_keeps_the_variance() -> None:
    down, up = ancestral(2.0, 1.0)
    assert down**2 + up**2 == pytest.approx(1.0) and down == pytest.approx(0.5) and ancestral(2.0, 0.0) == (0.0, 0.0) and towards(4.0, 1.0, 2.0, 0.0) == 1.0


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 19, 20, 21, 35, 36, 50, 150])
def test_each_loop_runs_the_network_as_often_as_it_says(steps: int) -> None:
    levels = [*karras(steps, np.array([0.03, 14.6])).tolist(), 0.0]
    assert [len(looked_at(loop, levels)) for loop in ("two_stage", "stochastic", "restarted", "fast")] == [2 * steps - 1, 2 * steps - 1, 2 * steps - 1, steps]


def test_restarts_lie_where_the_paper_s_users_have_them() -> None:
    assert restarts(LEVELS[-10:]) == list(zip(LEVELS[-10:-1], LEVELS[-9:], strict=True)), "few steps have none"
    for steps, times in ((20, 1), (35, 1), (36, 2), (150, 2)):
        found = restarts([*karras(steps, np.array([0.03, 14.6])).tolist(), 0.0])
        jumps = [(one[1], other[0]) for one, other in zip(found, found[1:], strict=False) if other[0] > one[1]]
        assert len(found) == steps and len(jumps) == times and len(set(jumps)) == 1 and found[-1][1] == 0
        main = karras(steps - (9 if times == 1 else steps // 4 * 2), np.array([0.03, 14.6]))
        assert jumps[0] == pytest.approx((min(main, key=lambda level: abs(level - 0.1)), min(main, key=lambda level: abs(level - 2))))


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("loops")
    make_sd1(root / "models" / "tiny")
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


def drawn(queue: JobQueue, **values: Any) -> np.ndarray:
    base = {"model": "tiny", "prompt": "a red cat", "width": SIDE, "height": SIDE, "steps": 4, "seed": 5, "cfg_scale": 5.0, "upscale": 1.0}
    job = queue.submit("image.generate", base | values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path))).astype(int)


@pytest.mark.parametrize("name", OWN)
def test_they_draw_from_pictures_and_in_masks(queue: JobQueue, name: str) -> None:
    ramp = Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB")
    mask = Image.new("L", (SIDE, SIDE), 0)
    mask.paste(255, (8, 8, 24, 24))
    begun = {"image": queue.desk.inputs.keep(png(ramp)), "sampler": name, "denoising_strength": 0.6}
    plain, masked = drawn(queue, **begun), drawn(queue, **begun, mask=queue.desk.inputs.keep(png(mask)), mask_blur=0)
    assert (plain != np.asarray(ramp)).any() and (masked[:8] == np.asarray(ramp)[:8]).all() and (masked[8:24, 8:24] != np.asarray(ramp)[8:24, 8:24]).any()
    assert (drawn(queue, **begun) == plain).all() and (drawn(queue, **begun, seed=6) != plain).any()
    steps = 20 if name == "Restart" else 4
    if name == "DDIM CFG++":  # it adds no noise
        return
    assert (drawn(queue, sampler=name, steps=steps, eta_seed_delta=31337) != drawn(queue, sampler=name, steps=steps)).any()


def test_plus_plus_needs_an_answer_to_the_negative_prompt(queue: JobQueue) -> None:
    with pytest.raises(BadInput, match="needs guidance") as told:
        drawn(queue, sampler="DDIM CFG++", cfg_scale=1.0)
    assert told.value.field == "cfg_scale"
    near, far = (drawn(queue, sampler="DDIM CFG++", negative_prompt=words) for words in ("fog", "a dog"))
    assert (near != far).any() and (drawn(queue, sampler="DDIM CFG++", prompt="a cat AND a dog:0.5") != drawn(queue, sampler="DDIM CFG++", prompt="a cat")).any()


def test_noise_of_restarts_that_there_are_none_of_is_refused(queue: JobQueue) -> None:
    with pytest.raises(BadInput, match="from 20 steps on"):
        drawn(queue, sampler="Restart", steps=19, eta_seed_delta=1)


def test_a_restart_from_a_picture_is_laid_out_over_what_is_left_of_the_steps(queue: JobQueue) -> None:
    """30 steps, of which 80 % are gone: the restarts are those of 24 steps from the level where it begins."""
    import torch

    from pipelines.image.nets.looped import LoopedScheduler

    scheduler = LoopedScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    scheduler.loop, scheduler.order = "restarted", 2
    kept = scheduler.alphas_cumprod.double().numpy()
    trained = np.sqrt((1 - kept) / kept)
    levels = table("Karras", 30, trained)
    scheduler.take(levels, trained)
    cut = scheduler.timesteps[12:]  # as the pipelines cut it
    scheduler.set_begin_index(12)
    seen = looked_at("restarted", levels[6:].tolist())
    assert len(cut) == len(seen) == 47 and torch.allclose(scheduler.sigmas[12:-1], torch.tensor(seen)) and scheduler.sigmas[12] == torch.tensor(levels[6], dtype=torch.float32)
    assert torch.allclose(cut, torch.from_numpy(np.interp(np.log(seen), np.log(trained), np.arange(1000))).float(), atol=1e-3)


def test_their_names_and_schedules() -> None:
    for name, own in (("k_dpmpp_2s_a", "DPM++ 2S a"), ("DPM++ 2S a Karras", "DPM++ 2S a"), ("dpmpp_sde", "DPM++ SDE"), ("restart", "Restart"), ("DPM fast", "DPM fast")):
        assert find(name).name == own
    assert choose("DPM++ SDE", "Automatic", "noise")[1] == "Karras" and choose("DPM fast", "Automatic", "noise")[1] == "Uniform"
    for name, schedule in (("DPM fast", "Karras"), ("DPM++ 2S a", "KL Optimal")):
        with pytest.raises(BadInput, match="knows no schedule"):
            choose(name, schedule, "noise")
    with pytest.raises(BadInput, match="does not go with"):
        choose("Restart", "Automatic", "flow")
    assert math.isclose(restarts(LEVELS)[0][0], LEVELS[0])
