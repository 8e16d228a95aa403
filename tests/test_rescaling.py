"""Guidance rescale: bare diffusers' pictures where its calls know it, the same formula where they do not, in both passes and beside perturbed attention."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.image.families import family_of
from pipelines.image.pictures import open_picture
from pipelines.image.samplers import choose, scheduler_config
from studio.jobs import JobQueue
from tests.image_models import drawing, ground_keys, make_sd1, make_sdxl

SIDE = 32
# family, mode, perturbed: those whose pipelines have the argument
KNOWN = [("sd1", "text", False), ("sdxl", "text", False), ("sdxl", "image", False), ("sdxl", "inpaint", False), ("sd1", "text", True), ("sdxl", "image", True)]


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    with drawing(tmp_path_factory.mktemp("rescaling"), {"sd1": lambda folder: make_sd1(folder, sample_size=256), "sdxl": make_sdxl}) as going:
        yield going


@pytest.fixture
def ground(queue: JobQueue) -> tuple[str, str]:
    return ground_keys(queue, SIDE)


def generate(queue: JobQueue, **values: Any) -> np.ndarray:
    given = {"prompt": "a red cat", "negative_prompt": "blue", "width": SIDE, "height": SIDE, "steps": 4, "seed": 5, "upscale": 1.0, "cfg_scale": 6.0, "sampler": "Euler"} | values
    job = queue.submit("image.generate", given, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))


def mode_of(ground: tuple[str, str], mode: str) -> dict[str, Any]:
    return {"text": {}, "image": {"image": ground[0]}, "inpaint": {"image": ground[0], "mask": ground[1], "mask_blur": 0}}[mode]


def bare(queue: JobQueue, family: str, mode: str, perturbed: bool, **call: Any) -> np.ndarray:
    import inspect

    import diffusers
    import torch

    torch.set_num_threads(1)
    kinds = {"text": diffusers.AutoPipelineForText2Image, "image": diffusers.AutoPipelineForImage2Image, "inpaint": diffusers.AutoPipelineForInpainting}
    pipe = kinds[mode].from_pretrained(queue.catalog.find(family).path, dtype=torch.float32, **({"enable_pag": True} if perturbed else {}))
    pipe.set_progress_bar_config(disable=True)
    found, named = choose("Euler", "Automatic", family_of(queue.catalog.find(family)).kind)
    pipe.scheduler = getattr(diffusers, found.scheduler).from_config(scheduler_config(dict(pipe.scheduler.config), found, named))
    size = {"width": SIDE, "height": SIDE} if "width" in inspect.signature(type(pipe).__call__).parameters else {}
    more = {"prompt": "a red cat", "negative_prompt": "blue", "guidance_scale": 6.0} | size | ({"pag_scale": 3.0} if perturbed else {}) | call
    return np.asarray(pipe(num_inference_steps=4, generator=torch.Generator().manual_seed(5), guidance_rescale=0.7, **more).images[0])


@pytest.mark.parametrize(("family", "mode", "perturbed"), KNOWN)
def test_it_is_bare_diffusers_where_that_has_it(queue: JobQueue, ground: tuple[str, str], family: str, mode: str, perturbed: bool) -> None:
    picture, mask = (open_picture(queue.desk.inputs.path(key), kind) for key, kind in zip(ground, ("RGB", "L"), strict=True))
    theirs: dict[str, dict[str, Any]] = {"text": {}, "image": {"image": picture, "strength": 0.75}, "inpaint": {"image": picture, "mask_image": mask, "strength": 0.75}}
    given = {"model": family, "pag_scale": 3.0 if perturbed else 0.0} | mode_of(ground, mode)
    mine = generate(queue, **given, guidance_rescale=0.7)
    inside = np.asarray(mask) > 127 if mode == "inpaint" else np.full((SIDE, SIDE), True)
    assert (mine[inside] == bare(queue, family, mode, perturbed, **theirs[mode])[inside]).all()
    assert (generate(queue, **given) != mine).any()


@pytest.mark.parametrize(("mode", "perturbed"), [("image", False), ("inpaint", False), ("image", True), ("inpaint", True)])
def test_it_acts_where_diffusers_call_does_not_know_it(queue: JobQueue, ground: tuple[str, str], mode: str, perturbed: bool) -> None:
    """From a picture with Stable Diffusion 1 it was swallowed, and with perturbed attention an error."""
    given = {"model": "sd1", "pag_scale": 3.0 if perturbed else 0.0} | mode_of(ground, mode)
    assert (generate(queue, **given, guidance_rescale=0.7) != generate(queue, **given)).any()


def test_the_second_pass_is_image_to_image_with_it(queue: JobQueue) -> None:
    """With perturbed attention the finished first pass was lost by an error."""
    from PIL import Image

    from pipelines.image.pictures import png

    for perturbed in (0.0, 3.0):
        given = {"model": "sd1", "guidance_rescale": 0.7, "pag_scale": perturbed}
        first = Image.fromarray(generate(queue, **given)).resize((48, 48), Image.Resampling.LANCZOS)
        wanted = generate(queue, **given, image=queue.desk.inputs.keep(png(first)), width=48, height=48, denoising_strength=0.5)
        assert (generate(queue, **given, hires_scale=1.5, hires_strength=0.5, upscaler="Lanczos") == wanted).all()


def test_a_full_rescale_gives_the_guided_answer_the_spread_of_the_prompts_own() -> None:
    import torch
    from diffusers import EulerDiscreteScheduler

    from pipelines.image.nets.rescaling import rescaled

    class Network(torch.nn.Module):
        def forward(self, rows: Any) -> tuple[Any]:
            return (rows,)

    network, scheduler, seen = Network(), EulerDiscreteScheduler(), []
    scheduler.step = lambda output, *args: seen.append(output)  # type: ignore[method-assign,assignment]
    before = scheduler.step
    negative, prompt, perturbed = torch.randn(3, 2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    for place, rows in ((1, [negative, prompt]), (1, [negative, prompt, perturbed]), (0, [prompt, negative, perturbed])):
        guided = negative + 7 * (prompt - negative)
        with rescaled(network, scheduler, 1.0, place):
            network(torch.cat(rows))
            scheduler.step(guided)  # type: ignore[call-arg,arg-type]
        assert torch.allclose(seen[-1].std((1, 2, 3)), prompt.std((1, 2, 3)), rtol=1e-4) and torch.allclose(seen[-1] / guided, (seen[-1] / guided)[:, :1, :1, :1].expand_as(guided), rtol=1e-3)
    with rescaled(network, scheduler, 1.0, 1):
        network(prompt)
        scheduler.step(prompt)  # type: ignore[call-arg,arg-type]
    assert seen[-1] is prompt, "one answer is not guided"
    assert scheduler.step is before and "forward" not in vars(network)
