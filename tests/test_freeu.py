"""FreeU: as bare diffusers draws it in every mode, told in the picture, hidden and refused where there is no UNet, gone after each job, also after Stop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.image.axes import FIELDS
from pipelines.image.families import family_of
from pipelines.image.generate import Generate
from pipelines.image.infotext import read, write
from pipelines.image.params import FREEU, ImageParams
from pipelines.image.pictures import open_picture
from pipelines.image.samplers import choose, scheduler_config
from studio.api import BadInput
from studio.jobs import JobQueue
from tests.image_models import MAKERS, drawing, ground_keys, make_refiner

SIDE = 32
SCALES = {"b1": 1.3, "b2": 1.4, "s1": 0.9, "s2": 0.2}
FREED = {f"freeu_{name}": scale for name, scale in SCALES.items()}


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    with drawing(tmp_path_factory.mktemp("freeu"), {name: MAKERS[name] for name in ("sd1", "sdxl", "flux")} | {"refiner": make_refiner}) as going:
        going.catalog.refresh()
        yield going


def generate(queue: JobQueue, **values: Any) -> np.ndarray:
    asked = {"prompt": "a red cat", "negative_prompt": "blue", "width": SIDE, "height": SIDE, "steps": 4, "seed": 5, "upscale": 1.0, "cfg_scale": 4.0, "sampler": "DPM++ 2M"} | values
    job = queue.submit("image.generate", asked, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))


def bare(queue: JobQueue, model: str, mode: str, **call: Any) -> np.ndarray:
    """diffusers alone, by its own method of the pipeline."""
    import inspect

    import diffusers
    import torch

    torch.set_num_threads(1)
    kinds = {"text": diffusers.AutoPipelineForText2Image, "image": diffusers.AutoPipelineForImage2Image, "inpaint": diffusers.AutoPipelineForInpainting}
    pipe = kinds[mode].from_pretrained(queue.catalog.find(model).path, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    pipe.enable_freeu(**SCALES)
    found, named = choose("DPM++ 2M", "Automatic", family_of(queue.catalog.find(model)).kind)
    pipe.scheduler = getattr(diffusers, found.scheduler).from_config(scheduler_config(dict(pipe.scheduler.config), found, named))
    size = {"width": SIDE, "height": SIDE} if "width" in inspect.signature(type(pipe).__call__).parameters else {}
    told = {"prompt": "a red cat", "negative_prompt": "blue", "guidance_scale": 4.0, "num_inference_steps": 4, "generator": torch.Generator().manual_seed(5)} | size | call
    return np.asarray(pipe(**told).images[0])


@pytest.mark.parametrize("mode", ["text", "image", "inpaint"])
@pytest.mark.parametrize("model", ["sd1", "sdxl"])
def test_it_is_bare_diffusers_in_every_mode_and_gone_afterwards(queue: JobQueue, model: str, mode: str) -> None:
    keys = ground_keys(queue, SIDE)
    picture, mask = (open_picture(queue.desk.inputs.path(key), kind) for key, kind in zip(keys, ("RGB", "L"), strict=True))
    ours: dict[str, dict[str, Any]] = {"text": {}, "image": {"image": keys[0]}, "inpaint": {"image": keys[0], "mask": keys[1], "mask_blur": 0}}
    theirs: dict[str, dict[str, Any]] = {"text": {}, "image": {"image": picture, "strength": 0.75}, "inpaint": {"image": picture, "mask_image": mask, "strength": 0.75}}
    inside = np.asarray(mask) > 127 if mode == "inpaint" else np.full((SIDE, SIDE), True)
    plain = generate(queue, model=model, **ours[mode])
    mine = generate(queue, model=model, **FREED, **ours[mode])
    assert (mine[inside] == bare(queue, model, mode, **theirs[mode])[inside]).all() and (mine != plain).any()
    assert (generate(queue, model=model, **ours[mode]) == plain).all()


@pytest.mark.parametrize("name", FREEU)
def test_each_of_its_scales_changes_the_picture(queue: JobQueue, name: str) -> None:
    assert (generate(queue, model="sd1", **{name: 1.6}) != generate(queue, model="sd1")).any()


def test_nothing_of_it_is_left_after_stop(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.image.nets import draw

    plain, after = generate(queue, model="sd1"), draw.Watch.after_step

    def stopping(watch: Any, *given: Any) -> Any:
        queue.cancel(job.id, by="local")
        return after(watch, *given)

    with monkeypatch.context() as patch:
        patch.setattr(draw.Watch, "after_step", stopping)
        job = queue.submit("image.generate", {"prompt": "a red cat", "width": SIDE, "height": SIDE, "model": "sd1", **FREED}, owner="local")
        job.wait()
    assert job.state == "cancelled" and (generate(queue, model="sd1") == plain).all()


def test_a_second_model_and_the_second_pass_have_it_too(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import UNet2DConditionModel

    weighed: list[int] = []
    enable = UNet2DConditionModel.enable_freeu

    def counted(network: Any, **scales: float) -> None:
        weighed.append(id(network))
        enable(network, **scales)

    monkeypatch.setattr(UNet2DConditionModel, "enable_freeu", counted)
    refined = generate(queue, model="sdxl", refiner="refiner", refiner_switch=0.5, **FREED)
    assert len(weighed) == len(set(weighed)) == 2 and (refined != generate(queue, model="sdxl", refiner="refiner", refiner_switch=0.5)).any()
    weighed.clear()
    larger = generate(queue, model="sdxl", hires_scale=2.0, upscaler="Lanczos", **FREED)
    assert len(weighed) == 2 and len(set(weighed)) == 1 and larger.shape[0] == 2 * SIDE


def test_models_without_a_unet_refuse_it_and_do_not_show_it(queue: JobQueue) -> None:
    for values, field in (({"model": "flux", **FREED}, "freeu_b1"), ({"model": "flux", "freeu_s2": 0.2}, "freeu_s2"), ({"model": "sd1", "hires_scale": 2.0, "hires_model": "flux", "freeu_b2": 1.4}, "freeu_b2")):
        with pytest.raises(BadInput, match="FreeU is not for FLUX") as told:
            queue.submit("image.generate", {"prompt": "x"} | values, owner="local")
        assert told.value.field == field and told.value.hint and told.value.fix is not None and told.value.fix.values == dict.fromkeys(FREEU, 1.0)
    shown = {name: Generate().need(ImageParams(prompt="x", model=name), queue.catalog).facts["traits"]["freeu"] for name in ("sd1", "sdxl", "flux")}
    assert shown == {"sd1": True, "sdxl": True, "flux": False}


def test_it_is_told_in_the_picture_and_an_axis_of_grids() -> None:
    told = {"steps": 4, "cfg_scale": 4.0, "sampler": "Euler", "schedule": "Uniform"}
    text = write(ImageParams(prompt="x", freeu_b1=1.3, freeu_s2=0.2, **told), 5, size=(SIDE, SIDE), model_title="m")
    assert "freeu_enabled: True, freeu_b1: 1.3, freeu_b2: 1, freeu_s1: 1, freeu_s2: 0.2" in text
    assert {name: read(text)[name] for name in FREEU} == {"freeu_b1": 1.3, "freeu_b2": 1.0, "freeu_s1": 1.0, "freeu_s2": 0.2}
    assert "freeu" not in write(ImageParams(prompt="x", **told), 5, size=(SIDE, SIDE), model_title="m")
    assert [FIELDS[f"FreeU {name}"] for name in SCALES] == list(FREEU)
