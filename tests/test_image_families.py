"""Each family and mode draws what bare diffusers draws on the same model, pixel by pixel."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.image.families import family_of
from pipelines.image.pictures import open_picture
from pipelines.image.samplers import NAMES, SAMPLERS, choose, scheduler_config
from studio.jobs import JobQueue
from tests.image_models import MAKERS, drawing, ground_keys

PROMPT, NEGATIVE, SIDE = "a red cat", "blue", 32


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    with drawing(tmp_path_factory.mktemp("image"), MAKERS) as made:
        yield made


@pytest.fixture
def ground(queue: JobQueue) -> tuple[str, str]:
    """A picture and a mask, kept as inputs."""
    return ground_keys(queue, SIDE)


def generate(queue: JobQueue, **values: Any) -> list[np.ndarray]:
    job = queue.submit("image.generate", {"prompt": PROMPT, "width": SIDE, "height": SIDE, "steps": 4, "seed": 5, "upscale": 1.0} | values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return [np.asarray(open_picture(Path(queue.store.output(output).path))) for output in job.outputs]


def bare(queue: JobQueue, family: str, mode: str, sampler: str, schedule: str, **call: Any) -> np.ndarray:
    """diffusers alone: its own loading, prompt encoding, loop and decoding."""
    import diffusers
    import torch

    path = next(Path(entry.path) for entry in queue.catalog.entries("image") if entry.key == family)
    torch.set_num_threads(1)
    kinds = {"text": diffusers.AutoPipelineForText2Image, "image": diffusers.AutoPipelineForImage2Image, "inpaint": diffusers.AutoPipelineForInpainting}
    pipe = kinds[mode].from_pretrained(path, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    found, named = choose(sampler, schedule, family_of(queue.catalog.find(family)).kind)
    pipe.scheduler = getattr(diffusers, found.scheduler).from_config(scheduler_config(dict(pipe.scheduler.config), found, named))
    return np.asarray(pipe(prompt=PROMPT, num_inference_steps=4, generator=torch.Generator().manual_seed(5), **call).images[0])


def sampler_of(family: str) -> str:
    return "DPM++ 2M" if family in ("sd1", "sdxl") else "Flow Euler"


@pytest.mark.parametrize("family", MAKERS)
def test_text_to_image_is_bare_diffusers(queue: JobQueue, family: str) -> None:
    negative = {} if family == "flux" else {"negative_prompt": NEGATIVE}
    more = {"width": SIDE, "height": SIDE, "guidance_scale": 4.0}
    mine = generate(queue, model=family, cfg_scale=4.0, sampler=sampler_of(family), **negative)[0]
    assert (mine == bare(queue, family, "text", sampler_of(family), "Automatic", **negative, **more)).all()
    assert mine.std() > 1


@pytest.mark.parametrize("family", MAKERS)
def test_image_to_image_is_bare_diffusers(queue: JobQueue, family: str, ground: tuple[str, str]) -> None:
    picture = open_picture(queue.desk.inputs.path(ground[0]))
    more = {"width": SIDE, "height": SIDE} if family in ("sd3", "flux") else {}
    mine = generate(queue, model=family, cfg_scale=4.0, sampler=sampler_of(family), image=ground[0], denoising_strength=0.5)[0]
    theirs = bare(queue, family, "image", sampler_of(family), "Automatic", image=picture, strength=0.5, guidance_scale=4.0, **more)
    assert (mine == theirs).all()


@pytest.mark.parametrize("family", MAKERS)
def test_inpainting_is_bare_diffusers_under_the_mask_and_the_picture_elsewhere(queue: JobQueue, family: str, ground: tuple[str, str]) -> None:
    picture, mask = (open_picture(queue.desk.inputs.path(key), mode) for key, mode in zip(ground, ("RGB", "L"), strict=True))
    mine = generate(queue, model=family, cfg_scale=4.0, sampler=sampler_of(family), image=ground[0], mask=ground[1], mask_blur=0, denoising_strength=0.75)[0]
    theirs = bare(queue, family, "inpaint", sampler_of(family), "Automatic", image=picture, mask_image=mask, strength=0.75, guidance_scale=4.0, width=SIDE, height=SIDE)
    inside = np.asarray(mask) > 127
    assert (mine[inside] == theirs[inside]).all()
    assert (mine[~inside] == np.asarray(picture)[~inside]).all(), "not a bit outside the mask is changed"


@pytest.mark.parametrize("name", [sampler.name for sampler in SAMPLERS if sampler.kind == "noise"])
def test_every_sampler_with_each_of_its_schedules_is_bare_diffusers(queue: JobQueue, name: str) -> None:
    sampler = next(item for item in SAMPLERS if item.name == name)
    seen = []
    for schedule in sampler.schedules:
        mine = generate(queue, model="sd1", cfg_scale=4.0, sampler=name, schedule=schedule)[0]
        assert (mine == bare(queue, "sd1", "text", name, schedule, width=SIDE, height=SIDE, guidance_scale=4.0)).all(), schedule
        seen.append(mine.tobytes())
    assert len(set(seen)) == len(seen), "each schedule gives another picture"


@pytest.mark.parametrize("family", ["flux", "sd3"])
def test_heuns_steps_take_the_levels_that_a_pipeline_hands_over(queue: JobQueue, family: str, ground: tuple[str, str]) -> None:
    """With one step there is no second look: it is Euler's. From pictures and under masks too."""
    image, mask = ground
    for more in ({}, {"image": image, "denoising_strength": 0.5}, {"image": image, "mask": mask, "denoising_strength": 1.0}):
        heun, euler = (generate(queue, model=family, sampler=sampler, **more)[0] for sampler in ("Flow Heun", "Flow Euler"))
        assert (heun != euler).any() and np.abs(heun.astype(int) - euler).mean() < 40
    one, other = (generate(queue, model=family, sampler=sampler, steps=1)[0] for sampler in ("Flow Heun", "Flow Euler"))
    assert (one == other).all()


def test_heuns_levels_are_eulers_twice_and_its_steps_are_of_second_order() -> None:
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler

    from pipelines.image.nets.heun import FlowMatchHeunScheduler

    shifted = {"use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15}
    heun, euler = FlowMatchHeunScheduler.from_config(shifted), FlowMatchEulerDiscreteScheduler.from_config(shifted)
    for made in (heun, euler):
        made.set_timesteps(sigmas=[1.0, 0.75, 0.5, 0.25], mu=0.8)
    assert heun.sigmas.tolist() == [level for place, level in enumerate(euler.sigmas.tolist()) for _ in range(1 if place in (0, 4) else 2)] and heun.num_inference_steps == 4
    plain, own = FlowMatchHeunDiscreteScheduler(shift=3.0), FlowMatchHeunScheduler(shift=3.0)
    for one in (plain, own):
        one.set_timesteps(5)
    assert torch.allclose(plain.sigmas, own.sigmas) and torch.allclose(plain.timesteps, own.timesteps), "diffusers' own where nothing is handed over"
    heun.set_timesteps(sigmas=[1.0, 0.75, 0.5, 0.25], mu=0.8)
    sample = torch.ones(1)
    for time in heun.timesteps:
        sample = heun.step(sample, time, sample).prev_sample  # the flow is the sample itself: it falls by a power of e
    *steps, last = (start - end for start, end in itertools.pairwise(euler.sigmas.tolist()))
    assert float(sample) == pytest.approx(math.prod(1 - step + step * step / 2 for step in steps) * (1 - last), abs=1e-6)


def test_picture_i_of_a_batch_is_the_single_picture_of_that_seed(queue: JobQueue) -> None:
    for family in MAKERS:
        three = generate(queue, model=family, count=3, cfg_scale=3.0)
        single = generate(queue, model=family, seed=7, cfg_scale=3.0)[0]
        assert len(three) == 3 and (three[2] == single).all() and (three[0] != single).any()


def test_names_are_unique_and_unknown_ones_are_refused_with_the_list() -> None:
    from studio.api import BadInput

    assert len(set(NAMES)) == len(NAMES)
    for given, field in ((("Eular", "Automatic"), "sampler"), (("DDIM", "Karras"), "schedule"), (("Flow Euler", "Automatic"), "sampler"), (("Euler", "Karass"), "schedule")):
        with pytest.raises(BadInput) as told:
            choose(*given, "noise")
        assert told.value.field == field and "Use one of" in told.value.hint
    assert choose("DPM++ 2M Karras", "Automatic", "noise")[1] == "Karras" and choose("k_euler_a", "automatic", "noise")[0].name == "Euler a"
