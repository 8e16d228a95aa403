"""Perturbed-attention guidance: as bare diffusers draws it, with all that a prompt can say, hidden and refused where it can't act, undone after Stop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.image.families import family_of
from pipelines.image.generate import Generate, asked_of
from pipelines.image.infotext import read
from pipelines.image.params import ImageParams
from pipelines.image.pictures import open_picture
from pipelines.image.samplers import choose, scheduler_config
from studio.api import BadInput
from studio.jobs import JobQueue
from tests.image_models import MAKERS, drawing, ground_keys, make_controlnet, make_sd3

SIDE = 32
PERTURBED = [("sd1", "text"), ("sd1", "image"), ("sd1", "inpaint"), ("sdxl", "text"), ("sdxl", "image"), ("sdxl", "inpaint"), ("sd3", "text"), ("sd3", "image")]


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    made = {name: make for name, make in MAKERS.items() if name != "sd3"} | {"sd3": lambda folder: make_sd3(folder, layers=2)}
    with drawing(tmp_path_factory.mktemp("pag"), made) as going:
        make_controlnet(going.catalog.roots[0] / "edges")
        going.catalog.refresh()
        yield going


def generate(queue: JobQueue, **values: Any) -> np.ndarray:
    values = {"sampler": "Flow Euler" if values["model"] in ("sd3", "flux") else "DPM++ 2M"} | values
    job = queue.submit("image.generate", {"prompt": "a red cat", "negative_prompt": "blue", "width": SIDE, "height": SIDE, "steps": 4, "seed": 5, "upscale": 1.0, "cfg_scale": 4.0} | values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))


def bare(queue: JobQueue, family: str, mode: str, scale: float, **call: Any) -> np.ndarray:
    import inspect

    import diffusers
    import torch

    torch.set_num_threads(1)
    kinds = {"text": diffusers.AutoPipelineForText2Image, "image": diffusers.AutoPipelineForImage2Image, "inpaint": diffusers.AutoPipelineForInpainting}
    pipe = kinds[mode].from_pretrained(queue.catalog.find(family).path, dtype=torch.float32, enable_pag=True)
    pipe.set_progress_bar_config(disable=True)
    found, named = choose("DPM++ 2M" if family != "sd3" else "Flow Euler", "Automatic", family_of(queue.catalog.find(family)).kind)
    pipe.scheduler = getattr(diffusers, found.scheduler).from_config(scheduler_config(dict(pipe.scheduler.config), found, named))
    size = {"width": SIDE, "height": SIDE} if "width" in inspect.signature(type(pipe).__call__).parameters else {}
    more = {"prompt": "a red cat", "negative_prompt": "blue", "guidance_scale": 4.0} | size | call
    return np.asarray(pipe(num_inference_steps=4, generator=torch.Generator().manual_seed(5), pag_scale=scale, **more).images[0])


@pytest.mark.slow
@pytest.mark.parametrize(("family", "mode"), PERTURBED)
def test_it_is_bare_diffusers_in_every_mode_that_has_it(queue: JobQueue, family: str, mode: str) -> None:
    keys = ground_keys(queue, SIDE)
    picture, mask = (open_picture(queue.desk.inputs.path(key), kind) for key, kind in zip(keys, ("RGB", "L"), strict=True))
    ours: dict[str, dict[str, Any]] = {"text": {}, "image": {"image": keys[0]}, "inpaint": {"image": keys[0], "mask": keys[1], "mask_blur": 0}}
    calls: dict[str, dict[str, Any]] = {"text": {}, "image": {"image": picture, "strength": 0.75}, "inpaint": {"image": picture, "mask_image": mask, "strength": 0.75}}
    given, theirs = ours[mode], calls[mode]
    mine = generate(queue, model=family, pag_scale=3.0, **given)
    wanted = bare(queue, family, mode, 3.0, **theirs)
    inside = np.asarray(mask) > 127 if mode == "inpaint" else np.full((SIDE, SIDE), True)
    assert (mine[inside] == wanted[inside]).all()
    assert (generate(queue, model=family, **given) != mine).any() and (generate(queue, model=family, pag_scale=6.0, **given) != mine).any()


@pytest.mark.slow
def test_it_acts_without_guidance_too_and_leaves_nothing_behind(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop ends a call in the middle, where diffusers' own undoing is not reached."""
    from pipelines.image.nets import draw

    plain = generate(queue, model="sd1")
    alone = generate(queue, model="sd1", cfg_scale=1.0, pag_scale=3.0)
    assert (alone == bare(queue, "sd1", "text", 3.0, guidance_scale=1.0)).all() and (alone != generate(queue, model="sd1", cfg_scale=1.0)).any()
    after = draw.Watch.after_step

    def stopping(watch: Any, *given: Any) -> Any:
        queue.cancel(job.id, by="local")
        return after(watch, *given)

    with monkeypatch.context() as patch:
        patch.setattr(draw.Watch, "after_step", stopping)
        job = queue.submit("image.generate", {"prompt": "a red cat", "width": SIDE, "height": SIDE, "model": "sd1", "pag_scale": 3.0}, owner="local")
        job.wait()
    assert job.state == "cancelled"
    assert (generate(queue, model="sd1") == plain).all()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["sd1", "sdxl"])
def test_a_prompt_of_several_sides_and_changes_is_guided_by_each(queue: JobQueue, model: str) -> None:
    """Two sides of the same words, each of half the weight, are one; those that change are drawn by the words of their steps."""
    one = generate(queue, model=model, pag_scale=3.0)
    halves = generate(queue, model=model, pag_scale=3.0, prompt="a red cat :0.5 AND a red cat :0.5")
    assert np.abs(one.astype(int) - halves).max() <= 2
    assert (generate(queue, model=model, pag_scale=3.0, prompt="a red cat AND fog") != one).any()
    assert (generate(queue, model=model, pag_scale=3.0, prompt="a red [cat:dog:0.5]") != one).any()
    unguided = {"model": model, "pag_scale": 3.0, "cfg_scale": 1.0}
    assert np.abs(generate(queue, **unguided).astype(int) - generate(queue, **unguided, prompt="a red cat :0.5 AND a red cat :0.5")).max() <= 2


@pytest.mark.slow
def test_it_goes_with_a_control_network(queue: JobQueue) -> None:
    import diffusers
    import torch

    key, _ = ground_keys(queue, SIDE)
    picture = open_picture(queue.desk.inputs.path(key))
    mine = generate(queue, model="sd1", pag_scale=3.0, control_model="edges", control_image=key)
    pipe = diffusers.AutoPipelineForText2Image.from_pretrained(queue.catalog.find("sd1").path, controlnet=diffusers.ControlNetModel.from_pretrained(queue.catalog.find("edges").path), enable_pag=True)
    pipe.set_progress_bar_config(disable=True)
    found, named = choose("DPM++ 2M", "Automatic", "noise")
    pipe.scheduler = getattr(diffusers, found.scheduler).from_config(scheduler_config(dict(pipe.scheduler.config), found, named))
    call = {"prompt": "a red cat", "negative_prompt": "blue", "guidance_scale": 4.0, "num_inference_steps": 4, "generator": torch.Generator().manual_seed(5), "pag_scale": 3.0}
    assert (mine == np.asarray(pipe(image=picture, **call).images[0])).all()
    assert (generate(queue, model="sd1", pag_scale=3.0) != mine).any()


def test_where_it_can_not_act_it_is_refused_and_hidden(queue: JobQueue) -> None:
    key, mask = ground_keys(queue, SIDE)
    for values in (
        {"model": "flux"}, {"model": "sd3", "image": key, "mask": mask}, {"model": "sd1", "sampler": "DDIM CFG++"}, {"model": "sd1", "refiner": "sd1"}, {"model": "sd1", "hires_scale": 2.0, "hires_model": "flux"},
    ):  # fmt: skip
        with pytest.raises(BadInput, match="PAG") as told:
            queue.submit("image.generate", {"prompt": "x", "pag_scale": 3.0} | values, owner="local")
        assert told.value.field == "pag_scale" and told.value.hint and told.value.fix is not None
    shown = {name: Generate().place(ImageParams(prompt="x", model=name), queue.catalog, "cpu", 2**40).facts["traits"]["pag"] for name in ("sd1", "sdxl", "sd3", "flux")}
    assert shown == {"sd1": True, "sdxl": True, "sd3": True, "flux": False}


@pytest.mark.slow
def test_it_is_told_in_the_picture_and_an_axis_of_grids(queue: JobQueue) -> None:
    from pipelines.image.axes import FIELDS
    from pipelines.image.infotext import write

    text = write(ImageParams(prompt="x", pag_scale=2.5, steps=4, cfg_scale=4.0, sampler="Euler", schedule="Uniform"), 5, size=(SIDE, SIDE), model_title="m")
    assert "PAG scale: 2.5" in text and read(text)["pag_scale"] == 2.5
    assert FIELDS["PAG scale"] == "pag_scale"


@pytest.mark.slow
def test_a_folder_that_names_the_perturbed_pipeline_is_the_same_model(queue: JobQueue) -> None:
    import json
    import shutil

    root = queue.catalog.roots[0]
    shutil.copytree(root / "sd1", root / "sd1-pag")
    index = root / "sd1-pag" / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"_class_name": "StableDiffusionPAGPipeline", "pag_applied_layers": "mid"}))
    queue.catalog.refresh()
    assert (generate(queue, model="sd1-pag") == generate(queue, model="sd1")).all()
    assert (generate(queue, model="sd1-pag", pag_scale=3.0) == generate(queue, model="sd1", pag_scale=3.0)).all()


def test_its_third_answer_counts_in_memory_and_time(queue: JobQueue) -> None:
    from pipelines.image.track import pieces

    plain, perturbed = (ImageParams(prompt="x", model="sdxl", width=512, height=512, steps=7, pag_scale=scale) for scale in (0.0, 3.0))
    assert [piece.pixels for piece in pieces(perturbed, 1)] == [1.5 * 7 * 512**2, 512**2] and pieces(plain, 1)[0].pixels == 7 * 512**2
    needs = [Generate().place(params, queue.catalog, "cpu", 2**40) for params in (plain, perturbed)]
    assert needs[0].weight_bytes == needs[1].weight_bytes and needs[0].working_bytes <= needs[1].working_bytes
    family, seen = family_of(queue.catalog.find("sdxl")), replace(family_of(queue.catalog.find("flux")), form="refer")
    assert asked_of(plain, family) == 1.0 and asked_of(perturbed, family) == 1.5
    assert asked_of(plain, seen) == 1.0 and asked_of(plain.model_copy(update={"image": f"{'0' * 64}.png"}), seen) == 2.0
