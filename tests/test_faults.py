"""What is refused, and what one click does about it: every fix mends its fault, crosses the API, and the page finds the control with its folds and tabs."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from PIL import Image
from pydantic import Field

from studio import ui
from studio.api import BadInput, Fix, ModelEntry, Params, Studio, StudioError
from studio.jobs import JobQueue
from tests.house import finish, make_studio
from tests.image_models import headers, image_queue

BASE: dict[str, Any] = {"prompt": "a cat", "model": "classic", "width": 512, "height": 512}
INK = ModelEntry("lora/ink", "/else/ink.safetensors", "lora", "safetensors", 10, "Ink wash", "sd1")


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    """Models of which only the headers are there; no worker is asked for anything."""
    made = image_queue(tmp_path / "data", tmp_path / "none")
    entries = [headers(tmp_path, "classic", "StableDiffusionPipeline", 64), headers(tmp_path, "second", "StableDiffusionPipeline", 64), headers(tmp_path, "flow", "FluxPipeline", 128), headers(tmp_path, "small", "StableDiffusionPipeline", 16), headers(tmp_path, "lumina", "LuminaPipeline", 128)]
    control = ModelEntry("controlnet/edges", "/else/edges", "controlnet", "diffusers", 10, "Edges", details={"class": "ControlNetModel"})
    (tmp_path / "sharp").mkdir()
    (tmp_path / "sharp" / "config.json").write_text("{}")
    made.catalog._extra = lambda: [*entries, INK, control, ModelEntry("vae/sharp", str(tmp_path / "sharp"), "vae", "diffusers", 10, "Sharp")]
    yield made
    finish(made)


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"width": 513}, "width"), ({"height": 518}, "height"), ({"width": 9000}, "width"), ({"width": 8192, "height": 8192}, "width"), ({"steps": 151}, "steps"), ({"cfg_scale": -2.0}, "cfg_scale"),
    ({"sampler": "Eular"}, "sampler"), ({"sampler": "zzz"}, "sampler"), ({"model": "flow", "sampler": "Euler a"}, "sampler"), ({"schedule": "Karas"}, "schedule"), ({"sampler": "LCM", "schedule": "Beta"}, "schedule"),
    ({"upscaler": "Lanczoz", "upscale": 2.0}, "upscaler"), ({"prompt": "a <lora:inc:0.8> cat"}, "prompt"), ({"vae": "vae/sharb"}, "vae"), ({"vae": "qq"}, "vae"), ({"refiner": "secund"}, "refiner"), ({"refiner": "qqq"}, "refiner"),
    ({"refiner": "classic"}, "refiner"), ({"refiner": "flow"}, "refiner"), ({"control_model": "edgs"}, "control_model"), ({"control_model": "edges"}, "control_image"), ({"reference_model": "qq"}, "reference_model"),
    ({"model": "small", "hires_scale": 2.0}, "hires_scale"), ({"model": "flow", "variation_strength": 0.5}, "variation_strength"), ({"step_cache": 0.1}, "step_cache"), ({"image_cfg_scale": 2.0}, "image_cfg_scale"),
    ({"sampler": "DDIM", "conventions": "AUTOMATIC1111"}, "conventions"), ({"eta_seed_delta": 5, "sampler": "Euler"}, "eta_seed_delta"), ({"sampler": "DDIM", "discard_next_to_last_sigma": True}, "discard_next_to_last_sigma"),
    ({"model": "lumina", "emphasis": "Ignore"}, "emphasis"), ({"model": "flow", "clip_skip": 2}, "clip_skip"), ({"model": "flow", "guidance_rescale": 0.5}, "guidance_rescale"), ({"model": "flow", "tiling": True}, "tiling"),
]  # fmt: skip


def refused(queue: JobQueue, values: dict[str, Any], pipeline: str = "image.generate") -> StudioError | None:
    try:
        queue.submit(pipeline, values, owner="local")
    except StudioError as error:
        return error
    return None


def mended(values: dict[str, Any], fix: Fix) -> dict[str, Any]:
    return values | fix.values | {name: values[name].replace(*pair) for name, pair in fix.swaps.items()}


def test_a_round_number_is_offered_without_its_point() -> None:
    assert [Fix.use("x", value).label for value in (400.0, 0.5, 8, "Off")] == ["Use 400", "Use 0.5", "Use 8", "Use Off"] and Fix.use("x", 400.0).values == {"x": 400.0}


@pytest.mark.parametrize(("values", "field"), FAULTS, ids=lambda value: str(value)[:40])
def test_a_fault_stands_at_its_field_and_its_fix_mends_it(queue: JobQueue, values: dict[str, Any], field: str) -> None:
    error = refused(queue, BASE | values)
    assert error is not None and error.field == field and error.fix is not None
    again = refused(queue, mended(BASE | values, error.fix))
    assert again is None or again.field != field, (error.message, error.fix, again)


@pytest.mark.parametrize(
    ("values", "fix"),
    [
        ({"width": 515}, Fix({"width": 512}, "Use 512")), ({"width": 517}, Fix({"width": 520}, "Use 520")), ({"sampler": "eular"}, Fix({"sampler": "Euler"}, "Use Euler")),
        ({"prompt": "a <lora:Inc:0.8> cat"}, Fix({}, "Use ink", {"prompt": ("<lora:Inc:0.8>", "<lora:ink:0.8>")})), ({"vae": "qq"}, Fix({"vae": ""}, "Leave it out")),
        ({"width": 8192, "height": 8192}, Fix({"width": 4096, "height": 4096}, "Use 4096 × 4096")),
    ],
)  # fmt: skip
def test_the_nearest_that_can_be_is_offered(queue: JobQueue, values: dict[str, Any], fix: Fix) -> None:
    error = refused(queue, BASE | values)
    assert error is not None and error.fix == fix


def test_a_fault_without_a_near_name_offers_nothing(queue: JobQueue) -> None:
    for values in ({"prompt": "a <lora:qqqqqq:1> cat"}, {"prompt": "a (cat"}):
        error = refused(queue, BASE | values)
        assert error is not None and error.field == "prompt" and error.fix is None


def test_a_mask_of_another_size_and_a_moving_picture_are_refused_at_their_fields(queue: JobQueue, tmp_path: Path) -> None:
    keys = {}
    for name, side in (("image", 64), ("mask", 32)):
        Image.new("RGB", (side, side), "teal").save(tmp_path / "one.png")
        keys[name] = queue.desk.inputs.keep((tmp_path / "one.png").read_bytes())
    error = refused(queue, BASE | keys)
    assert error is not None and error.field == "mask" and "32 × 32" in error.message and "64 × 64" in error.message
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.webp", save_all=True, append_images=frames[1:])
    error = refused(queue, {"image": queue.desk.inputs.keep((tmp_path / "moving.webp").read_bytes())}, "image.upscale")
    assert error is not None and error.field == "image" and "moves" in error.message


def test_a_fix_crosses_the_seam_and_older_errors_have_none() -> None:
    error = BadInput("x", field="width", fix=Fix({"width": 8}, "Use 8", {"prompt": ("a", "b")}))
    wire = json.loads(json.dumps(error.wire()))
    back = StudioError.from_wire(wire)
    assert back.fix is not None and (back.fix.values, back.fix.label, list(back.fix.swaps["prompt"])) == ({"width": 8}, "Use 8", ["a", "b"])
    wire.pop("fix")
    assert StudioError.from_wire(wire).fix is None


# -- on the page ---------------------------------------------------------------------------------------------


class NamedParams(Params):
    width: int = Field(8, ge=8, le=64, title="Width", description="How wide.")


def drawn(studio: Studio, where: str) -> tuple[ui.Problem, Any]:
    """A page with one field in two folds of a tab, and the problem in a tab; without gr.Blocks, which leaves event loops open."""
    control = gr.Number(render=False)
    control.parent = gr.Accordion("Inner", render=False)
    control.parent.parent = gr.Accordion("Outer", render=False, elem_id="outer")
    control.parent.parent.parent = gr.Tab("One", id="one", render=False)
    problem = ui.Problem(studio)
    problem.view = SimpleNamespace(parent=gr.Tab(where, id=where, render=False), apply=lambda *_, **__: None)
    problem.listen({"width": control})
    return problem, control


def parts(told: str) -> dict[str, Any]:
    return {name: html.unescape(value) for name, value in re.findall(r"data-(\w+)='([^']*)'", told)}


def test_the_page_is_told_where_the_control_is_and_what_mends_it(tmp_path: Path) -> None:
    with make_studio(tmp_path) as studio:
        problem, control = drawn(studio, "one")
        with pytest.raises(BadInput) as refusal:
            NamedParams.parse({"width": 100})
        told = problem.told(refusal.value, "ja")
        found = parts(told)
        assert found["at"] == control.elem_id and json.loads(found["tabs"]) == ["one"] and json.loads(found["fix"]) == [{"width": 64}, {}]
        assert len(json.loads(found["folds"])) == 2 and json.loads(found["folds"])[0] == "outer" and "64 にする" in told and "data-go" not in told
        assert "data-go" in drawn(studio, "two")[0].told(refusal.value, "en"), "from another tab a button leads there"
        update = problem.on_fix(gr.EventData(None, {"value": {"width": 64}}))
        assert update == 64


def test_what_has_no_control_stays_where_the_button_is_and_is_escaped(tmp_path: Path) -> None:
    with make_studio(tmp_path) as studio:
        told = drawn(studio, "one")[0].told(BadInput("<b>no</b>", field="elsewhere", fix=Fix.use("elsewhere", 3)), "en")
        assert "data-at" not in told and "data-fix" not in told and "&lt;b&gt;no&lt;/b&gt;" in told
