"""Each family and mode draws what bare diffusers draws on the same model, pixel by pixel."""

from __future__ import annotations

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
