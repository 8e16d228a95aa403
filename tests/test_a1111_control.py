"""ControlNet units and scripts over the A1111 API: their fields as those of our pipelines, and the pictures that come of them."""

from __future__ import annotations

import base64
import importlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import webuiapi
from PIL import Image, ImageOps
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from pipelines.image.axes import AXES
from pipelines.image.params import ImageParams
from studio.api import BadInput, ModelEntry, Studio
from studio.downloads import Downloads
from studio.gate import Accounts, Gate, Sessions
from studio.i18n import Words
from studio.plugins import Hooks
from studio.rest import mount
from tests.house import finish
from tests.image_models import image_queue, make_controlnet, make_sdxl

FOLDER = Path(__file__).resolve().parent.parent / "extensions" / "a1111_api"
SMALL = {"prompt": "a red cat", "steps": 2, "seed": 7, "width": 32, "height": 32, "sampler_name": "Euler", "cfg_scale": 5}


@pytest.fixture(scope="module")
def api() -> SimpleNamespace:
    Hooks().load_folder(FOLDER)
    return SimpleNamespace(**{name: importlib.import_module(f"seisei_extensions.a1111_api.{name}") for name in ("control", "here", "mapping", "scripts")})


@pytest.fixture(scope="module")
def here(api: SimpleNamespace) -> Any:
    def entry(key: str, kind: Any, **details: Any) -> ModelEntry:
        return ModelEntry(key, f"/models/{key}.safetensors", kind, "safetensors", 1, key.rpartition("/")[2], details=details)

    controls = [entry("controlnet/control_canny", "controlnet", sha256="ab12cd34ef" + "0" * 54), entry("controlnet/control_depth", "controlnet")]
    return api.here.Here(
        ("Automatic", "Euler"), ("Lanczos",), [entry("sd/dream", "image")], [entry("vae/soft", "vae")], {}, advised=lambda key: "Euler", settings_in=lambda text: {}, fields=frozenset(ImageParams.model_fields),
        grid_fields=frozenset({"x_axis"}), processes=("None", "Canny", "Invert", "Luminance"), controls=controls, references=[entry("ip_adapter/ip-adapter_sd15", "ip_adapter")],
    )  # fmt: skip


def read(api: SimpleNamespace, here: Any, *units: Any) -> Any:
    return api.control.units_of({"alwayson_scripts": {"ControlNet": {"args": list(units)}}}, here)


def values(api: SimpleNamespace, here: Any, *units: Any) -> dict[str, Any]:
    found: dict[str, Any] = api.control.control_values(read(api, here, *units), lambda image: f"key of {image}")
    return found


USUAL = {"control_model": "controlnet/control_canny", "control_image": "", "control_process": "None", "control_weight": 1.0, "control_start": 0.0, "control_end": 1.0}


@pytest.mark.parametrize(
    ("unit", "changes"),
    [
        ({}, {}), ({"image": "A"}, {"control_image": "key of A"}), ({"input_image": "B"}, {"control_image": "key of B"}), ({"image": {"image": "C", "mask": ""}}, {"control_image": "key of C"}), ({"image": ["D"]}, {"control_image": "key of D"}),
        ({"module": "canny"}, {"control_process": "Canny"}), ({"module": "invert (from white bg & black line)"}, {"control_process": "Invert"}), ({"module": "recolor_luminance"}, {"control_process": "Luminance"}),
        ({"weight": 0.5}, {"control_weight": 0.5}), ({"guidance_start": 0.25, "guidance_end": 0.75}, {"control_start": 0.25, "control_end": 0.75}), ({"guidance": 0.5}, {"control_end": 0.5}), ({"pixel_perfect": True, "low_vram": True, "processor_res": 512}, {}),
        ({"model": "control_depth"}, {"control_model": "controlnet/control_depth"}), ({"enabled": None, "mask": None}, {}),
    ],
)  # fmt: skip
def test_a_unit_is_a_control_network(api: SimpleNamespace, here: Any, unit: dict[str, Any], changes: dict[str, Any]) -> None:
    sent = {"model": "control_canny [ab12cd34]", "module": "none"} | unit
    assert values(api, here, sent) == USUAL | changes and api.control.control_ignored(read(api, here, sent), "Crop") == []


def test_units_take_the_places_in_their_order_and_those_that_are_off_take_none(api: SimpleNamespace, here: Any) -> None:
    off, empty, canny, depth = {"enabled": False, "model": "gone"}, {"module": "none", "model": "None", "image": "A"}, {"model": "control_canny"}, {"model": "control_depth", "weight": 0.5}
    found = values(api, here, off, depth, empty, {"module": "ip-adapter_clip_sd15", "model": "ip-adapter_sd15", "image": "E", "weight": 0.7}, canny)
    assert (found["control_model"], found["control_weight"], found["control2_model"]) == ("controlnet/control_depth", 0.5, "controlnet/control_canny") and "control3_model" not in found
    assert {name: value for name, value in found.items() if name.startswith("reference")} == {"reference_model": "ip_adapter/ip-adapter_sd15", "reference_image": "key of E", "reference_weight": 0.7}
    assert values(api, replace(here, fields=frozenset()), canny) == {} and api.control.units_of({}, here) == []


@pytest.mark.parametrize(
    ("unit", "told"),
    [
        ({"control_mode": "My prompt is more important"}, ["control_mode"]), ({"control_mode": 2}, ["control_mode"]), ({"control_mode": "Balanced"}, []), ({"mask": "A"}, ["mask"]), ({"image": {"image": "A", "mask": "B"}}, ["image.mask"]),
        ({"hr_option": "High res only"}, ["hr_option"]), ({"module": "canny", "threshold_a": 20, "threshold_b": 200}, ["threshold_a"]), ({"module": "none", "threshold_a": 20}, []), ({"image": "A", "resize_mode": "Resize and Fill"}, ["resize_mode"]),
        ({"image": "A", "resize_mode": 1}, []), ({"guidance_end": 0.5, "module": "ip-adapter_sd15", "model": "ip-adapter_sd15"}, ["guidance_end"]),
    ],
)  # fmt: skip
def test_what_of_a_unit_has_no_effect_is_told(api: SimpleNamespace, here: Any, unit: dict[str, Any], told: list[str]) -> None:
    sent = {"model": "control_canny"} | unit
    assert api.control.control_ignored(read(api, here, sent), "Crop") == [f"alwayson_scripts.controlnet.{name}" for name in told]
    assert values(api, here, sent) == values(api, here, {name: value for name, value in sent.items() if name in ("model", "module", "image")})


@pytest.mark.parametrize(
    ("units", "words"),
    [
        ([{"model": "gone", "module": "canny"}], "“gone” is not on this computer"), ([{"model": "control_canny", "module": "mlsd"}], "“mlsd” is not here"), ([{"model": "control_canny", "module": "openpose"}], "“openpose” is not here"),
        ([{"module": "reference_only"}], "has no model"), ([{"model": "control_canny"}] * 4, "4 ControlNet units"), ([{"module": "ip-adapter", "model": "ip-adapter_sd15"}] * 2, "2 ControlNet units"), (["canny"], "list of units"),
        ([{"model": "control_canny", "image": 5}], "Invalid encoded image"), ([{"model": "control_canny", "weight": "much"}], "weight must be a number"), ([{"model": 7}], "model must be text"),
    ],
)  # fmt: skip
def test_units_that_cannot_be_obeyed_are_refused(api: SimpleNamespace, here: Any, units: list[Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        values(api, here, *units)


def test_modules_are_those_that_there_is_a_preparation_for(api: SimpleNamespace, here: Any) -> None:
    assert api.control.modules(here) == ["none", "canny", "invert", "recolor_luminance"] and api.control.models(here) == ["control_canny [ab12cd34]", "control_depth", "ip-adapter_sd15"]
    fuller = replace(here, processes=(*here.processes, "Soft edges", "Scribble", "Lines", "Depth", "Pose"))
    named = {name: api.control.process_of(name, fuller) for name in ("softedge_hed", "hed", "scribble_xdog", "scribble_pidinet", "lineart_anime", "depth", "depth_midas", "dw_openpose_full", "openpose_face")}
    assert list(named.values()) == ["Soft edges", "Soft edges", "Lines", "Scribble", "Lines", "Depth", "Depth", "Pose", "Pose"]
    types = api.control.control_types(here)
    assert set(types) == {"All", "Canny", "Depth", "IP-Adapter", "Recolor"} and types["Canny"] == {"module_list": ["none", "canny"], "model_list": ["None", "control_canny [ab12cd34]"], "default_option": "canny", "default_model": "control_canny [ab12cd34]"}


# -- scripts -------------------------------------------------------------------------------------------------------


def script(api: SimpleNamespace, here: Any, name: str, args: Any, kind: str = "txt2img", **more: Any) -> Any:
    return api.scripts.script_of({"script_name": name, "script_args": args}, kind, {"prompt": "", "negative_prompt": "", "seed": 5, "count": 1} | more, here)


def test_a_matrix_is_every_combination(api: SimpleNamespace, here: Any) -> None:
    found = script(api, here, "Prompt matrix", [False, False, "positive", "comma", 0], prompt="a cat|red| small")
    assert [change["prompt"] for change in found.changes] == ["a cat", "a cat, red", "a cat, small", "a cat, red, small"] and {change["seed"] for change in found.changes} == {5} and found.sheet and found.ignored == ()
    other = script(api, here, "prompt matrix", ["True", True, "negative", "space", 8], negative_prompt="fog|snow", seed=2**32 - 1)
    assert list(other.changes) == [{"negative_prompt": "fog", "seed": 2**32 - 1, "count": 1}, {"negative_prompt": "snow fog", "seed": 0, "count": 1}] and other.ignored == ("script_args.margin_size",)


def test_prompts_from_a_file_are_a_job_each(api: SimpleNamespace, here: Any) -> None:
    found = script(api, here, "prompts from file or textbox", [True, False, "end", 'a cat\n\n--prompt "a dog, big" --steps 7 --sampler_name "Euler a"\n'], prompt="red", count=2)
    assert list(found.changes) == [{"seed": 5, "prompt": "red a cat"}, {"seed": 7, "prompt": "red a dog, big", "steps": 7, "sampler": "Euler a"}] and not found.sheet
    assert [change["seed"] for change in script(api, here, "prompts from file or textbox", [False, False, "start", "a\nb"]).changes] == [5, 5]


def test_a_plot_is_a_grid(api: SimpleNamespace, here: Any) -> None:
    found = script(api, here, "X/Y/Z Plot", [4, "20,30", "", "Checkpoint name", "", ["dream"], 0, "", "", "True", "False", "False", "False", 0], count=2)
    assert found.grid == {"count": 1, "x_axis": "Steps", "x_values": "20,30", "y_axis": "Model", "y_values": "sd/dream"} and not found.with_parts and found.ignored == ("batch_size",)
    assert script(api, here, "x/y/z plot", [7, '"a, b", c', ""]).grid["x_values"] == '"a, b",c'
    assert script(api, here, "x/y/z plot", ["Denoising", "0.3, 0.5", ""], hires_scale=2.0).grid["x_axis"] == "Its denoising strength" and script(api, here, "x/y/z plot", [6, "1", ""], "img2img").grid["x_axis"] == "Image CFG scale"
    assert script(api, here, "x/y/z plot", ["RNG source", "CPU, GPU", ""] + [""] * 6 + [False, True, True, False, True]).ignored == ("script_args.draw_legend", "script_args.include_sub_grids", "script_args.vary_seeds_x")
    seeded = script(api, replace(here, grid_fields=frozenset({"x_axis", "other_seeds"})), "x/y/z plot", [8, "a,b", "", "Size", "512x768", ""] + [""] * 3 + [True, True, False, False, "True", False, True])
    assert seeded.ignored == () and seeded.grid == {"count": 1, "x_axis": "Prompt order", "x_values": "a,b", "y_axis": "Size", "y_values": "512x768", "other_seeds": "xz"}
    styled = script(api, replace(here, styles={"Ink": {"prompt": "ink, {prompt}"}, "Fog": {"prompt": "fog"}}), "x/y/z plot", ["Styles", "None, Ink", ""])
    assert styled.grid is not None and styled.grid["x_axis"] == "Styles" and styled.grid["styles"] == [{"name": "Ink", "prompt": "ink, {prompt}", "negative_prompt": ""}]
    assert (set(api.scripts.AXES.values()) | {api.scripts.DENOISING_AGAIN}) <= set(AXES), "each is an axis of image.grid"
    many = {name: {"prompt": name} for name in ("Ink", "In", "k", "Fog, thin", "Fog")}
    for values, names in (('Ink, "Fog,In"', ["Ink", "In", "Fog"]), ('"Fog, thin"', ["Fog, thin", "Fog"]), ("ink", [])):
        found = script(api, replace(here, styles=many), "x/y/z plot", ["Styles", values, ""]).grid["styles"]
        assert [style["name"] for style in found] == names, "whole names, not parts of them"


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("loopback", [], "“loopback” is not here"), ("x/y/z plot", [12, "1", ""], "other things in other versions"), ("x/y/z plot", ["Face restore", "a,b", ""], "“Face restore” is not here"), ("x/y/z plot", "x", "is not here"),
        ("x/y/z plot", ["VAE", "soft, None", ""], "names each"), ("x/y/z plot", ["Checkpoint name", "gone", ""], "gone"), ("prompts from file or textbox", [], "no prompts"), ("prompts from file or textbox", [False, False, "start", "--tiling"], "can't be read"),
        ("prompts from file or textbox", [False, False, "start", "--steps many"], "can't be read"), ("prompt matrix", [], "128 pictures are too many"),
    ],
)  # fmt: skip
def test_scripts_that_cannot_be_obeyed_are_refused(api: SimpleNamespace, here: Any, name: str, args: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        script(api, here, name, args, prompt="a|b|c|d|e|f|g|h")


# -- over the routes -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Studio, TestClient]]:
    data = tmp_path_factory.mktemp("a1111")
    make_sdxl(data / "models" / "stable-diffusion" / "large")
    make_controlnet(data / "models" / "controlnet" / "edges", xl=True)
    queue = image_queue(data, data / "models")
    queue.start()
    Hooks().load_folder(FOLDER)
    extension = importlib.import_module("seisei_extensions.a1111_api.extension")
    studio = Studio(queue.settings, queue.hooks, queue.pipelines, queue.catalog, queue, queue.store, Words(), Downloads(lambda: queue.settings, queue.catalog.refresh))
    gate = Middleware(Gate, accounts=Accounts({"ann": "secret"}), sessions=Sessions(data), exposed=True)
    client = TestClient(Starlette(routes=[mount(route, studio.words) for route in extension.register_routes(studio)], middleware=[gate]), base_url="http://127.0.0.1")
    client.auth = ("ann", "secret")
    yield studio, client
    finish(queue)


@pytest.fixture
def studio(house: tuple[Studio, TestClient]) -> Studio:
    return house[0]


@pytest.fixture
def ann(house: tuple[Studio, TestClient]) -> TestClient:
    return house[1]


def asked(client: TestClient, route: str = "/sdapi/v1/txt2img", **values: Any) -> dict[str, Any]:
    answer = client.post(route, json=values)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def picture(encoded: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")).astype(int)


def ramp() -> Image.Image:
    return Image.linear_gradient("L").resize((32, 32)).convert("RGB")


def drawn(studio: Studio, **values: Any) -> np.ndarray:
    """The same by our own pipeline."""
    base = {"prompt": "a red cat", "steps": 2, "seed": 7, "width": 32, "height": 32, "sampler": "Euler", "cfg_scale": 5.0, "upscale": 1.0}
    job = studio.submit("image.generate", base | values, owner="ann").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return np.asarray(Image.open(studio.store.output(job.outputs[0]).path).convert("RGB")).astype(int)


def unit(**values: Any) -> dict[str, Any]:
    return {"alwayson_scripts": {"controlnet": {"args": [webuiapi.ControlNetUnit(**({"image": ramp(), "model": "edges", "resize_mode": "Crop and Resize"} | values)).to_dict()]}}}


def test_a_unit_of_the_client_guides_the_picture_as_our_own_fields_do(ann: TestClient, studio: Studio) -> None:
    told = asked(ann, **SMALL, **unit(module="canny", weight=0.7, guidance_end=0.9, control_mode=2))
    own = {"control_model": "edges", "control_image": studio.jobs.desk.inputs.keep(base64.b64decode(webuiapi.raw_b64_img(ramp()))), "control_process": "Canny", "control_weight": 0.7, "control_end": 0.9}
    assert (picture(told["images"][0]) == drawn(studio, **own)).all() and (picture(told["images"][0]) != drawn(studio)).any()
    info = json.loads(told["info"])
    assert info["ignored"] == ["alwayson_scripts.controlnet.control_mode"] and "ControlNet 0: " in info["infotexts"][0]
    assert (picture(asked(ann, **SMALL, **unit(enabled=False))["images"][0]) == drawn(studio)).all()
    image = base64.b64encode(base64.b64decode(webuiapi.raw_b64_img(ramp()))).decode()
    from_picture = asked(ann, "/sdapi/v1/img2img", **SMALL, init_images=[image], denoising_strength=0.9, **unit(image=None))
    assert (picture(from_picture["images"][0]) == drawn(studio, image=own["control_image"], denoising_strength=0.9, control_model="edges", resize="Stretch", fill="Blurred", only_masked=True, padding=0)).all()


def test_bad_units_are_told_in_the_originals_form(ann: TestClient) -> None:
    for values, words in (({"module": "mlsd"}, "mlsd"), ({"model": "gone"}, "gone"), ({"image": None}, "no picture"), ({"guidance_end": 0.0}, "end before")):
        answer = ann.post("/sdapi/v1/txt2img", json=SMALL | unit(**values))
        assert answer.status_code == 422 and words in answer.json()["detail"], answer.text


def test_more_pictures_go_to_models_that_look_at_several(ann: TestClient) -> None:
    sent = SMALL | {"init_images": [webuiapi.raw_b64_img(ramp())]}
    for values, words in (({"more_images": [webuiapi.raw_b64_img(ramp())]}, "Stable Diffusion XL does not look at several pictures"), ({"more_images": "x"}, "more_images must be a list"), ({"more_images": ["x"]}, "Invalid encoded image")):
        answer = ann.post("/sdapi/v1/img2img", json=sent | values)
        assert answer.status_code == 422 and words in answer.json()["detail"], answer.text
    assert asked(ann, "/sdapi/v1/img2img", **sent, more_images=[])["parameters"]["more_images"] is None


def test_its_routes_tell_modules_models_and_types(ann: TestClient) -> None:
    assert ann.get("/controlnet/version").json() == {"version": 3} and ann.get("/controlnet/settings").json() == {"control_net_unit_count": 3}
    assert ann.get("/controlnet/model_list?update=true").json() == {"model_list": ["edges"]} and "canny" in ann.get("/controlnet/module_list").json()["module_list"]
    assert ann.get("/controlnet/control_types").json()["control_types"]["All"]["model_list"] == ["None", "edges"]
    assert ann.get("/sdapi/v1/scripts").json()["txt2img"] == ["prompt matrix", "prompts from file or textbox", "x/y/z plot", "controlnet", "perturbedattentionguidance integrated", "freeu integrated", "cfg rescale extension"]
    told = ann.get("/sdapi/v1/script-info").json()
    assert len(told) == 14 and {script["name"] for script in told if not script["is_alwayson"]} == {"prompt matrix", "prompts from file or textbox", "x/y/z plot"}


def test_a_module_prepares_pictures_alone(ann: TestClient, studio: Studio) -> None:
    sent = webuiapi.raw_b64_img(ramp())
    assert asked(ann, "/controlnet/detect", controlnet_module="none", controlnet_images=[sent]) == {"images": [sent], "info": "Success"}
    assert asked(ann, "/controlnet/detect", controlnet_module="none", controlnet_input_images=[sent]) == {"images": [sent], "info": "Success"}, "the extension's own name of it"
    answer = ann.post("/controlnet/detect", json={"controlnet_module": "invert", "controlnet_images": [sent], "controlnet_processor_res": 64, "controlnet_threshold_a": 64, "controlnet_threshold_b": 64})
    if "image.annotate" in studio.pipelines:
        wanted = ImageOps.invert(ramp().resize((64, 64), Image.Resampling.LANCZOS))
        assert answer.status_code == 200 and (picture(answer.json()["images"][0]) == np.asarray(wanted)).all()
    else:
        assert answer.status_code == 422 and "guide a drawing only" in answer.json()["detail"]
    assert ann.post("/controlnet/detect", json={"controlnet_module": "canny"}).status_code == ann.post("/controlnet/detect", json={"controlnet_images": ["x"]}).status_code == 422


def test_the_second_pass_over_the_api_is_our_own(ann: TestClient, studio: Studio) -> None:
    sent = {"enable_hr": True, "hr_resize_x": 48, "hr_resize_y": 64, "denoising_strength": 0.6, "hr_prompt": "a dog", "hr_negative_prompt": "snow", "hr_sampler_name": "DPM++ 2M", "hr_scheduler": "karras", "hr_second_pass_steps": 4, "hr_upscaler": "Lanczos"}
    told = asked(ann, **SMALL, **sent)
    own = {"hires_width": 48, "hires_height": 64, "hires_strength": 0.6, "hires_prompt": "a dog", "hires_negative_prompt": "snow", "hires_sampler": "DPM++ 2M", "hires_schedule": "Karras", "hires_steps": 4, "upscaler": "Lanczos"}
    assert (picture(told["images"][0]) == drawn(studio, **own)).all()
    text = json.loads(told["info"])["infotexts"][0]
    assert "Hires prompt: a dog" in text and "Hires sampler: DPM++ 2M" in text and "Hires resize: 48x64" in text and json.loads(told["info"])["ignored"] == []
    assert (picture(asked(ann, infotext=text)["images"][0]) == picture(told["images"][0])).all(), "the picture's own text asks for it again"
    refused = ann.post("/sdapi/v1/txt2img", json=SMALL | {"enable_hr": True, "hr_sampler_name": "Nothing"})
    assert refused.status_code == 400 and "Sampler not found" in refused.json()["detail"]


def test_scripts_draw_their_pictures(ann: TestClient, studio: Studio) -> None:
    matrix = asked(ann, **(SMALL | {"prompt": "a red cat|fog"}), script_name="prompt matrix", script_args=[])
    info = json.loads(matrix["info"])
    assert len(matrix["images"]) == 3 and info["index_of_first_image"] == 1 and info["all_prompts"] == ["a red cat", "a red cat, fog"] and info["all_seeds"] == [7, 7]
    assert (picture(matrix["images"][2]) == drawn(studio, prompt="a red cat, fog")).all() and picture(matrix["images"][0]).shape == (32, 64, 3)
    lines = asked(ann, **(SMALL | {"prompt": ""}), script_name="prompts from file or textbox", script_args=[False, False, "start", "a dog\n--prompt fog --seed 9"])
    assert len(lines["images"]) == 2 and (picture(lines["images"][1]) == drawn(studio, prompt="fog", seed=9)).all()
    before = studio.store.count(owner="ann")
    plot = asked(ann, **SMALL, script_name="X/Y/Z plot", script_args=["Seed", "7, 8", "", "Steps", "2-3", "", 0, "", "", True, True])
    assert len(plot["images"]) == 5 and json.loads(plot["info"])["index_of_first_image"] == 1 and (picture(plot["images"][2]) == drawn(studio, seed=8)).all() and (picture(plot["images"][3]) == drawn(studio, steps=3)).all()
    alone = asked(ann, **SMALL, script_name="X/Y/Z plot", script_args=["Seed", "7, 8", ""] + [0, "", ""] * 2 + ["True", "False"])
    assert len(alone["images"]) == 1 and picture(alone["images"][0]).shape[1] > 64 and studio.store.count(owner="ann") == before + 2, "only what our own pipeline drew stays"


def test_perturbed_attention_asked_for_in_forges_words_is_our_own(ann: TestClient, studio: Studio) -> None:
    name = "PerturbedAttentionGuidance Integrated"
    told = asked(ann, **SMALL, alwayson_scripts={name: {"args": [True, 2.5, 0, 0, 0.5]}})
    assert (picture(told["images"][0]) == drawn(studio, pag_scale=2.5)).all() and (picture(told["images"][0]) != drawn(studio)).any()
    info = json.loads(told["info"])
    assert info["ignored"] == [f"alwayson_scripts.{name}.end_step"] and "PAG scale: 2.5" in info["infotexts"][0]
    assert (picture(asked(ann, infotext=info["infotexts"][0])["images"][0]) == picture(told["images"][0])).all(), "the picture's own text asks for it again"
    left = asked(ann, **SMALL | {"sampler_name": "DDIM CFG++"}, pag_scale=2.5)
    assert json.loads(left["info"])["ignored"] == ["pag_scale"], "where it can't act it is passed over, as there"


def test_freeu_asked_for_in_forges_and_sdnexts_words_is_our_own(ann: TestClient, studio: Studio) -> None:
    scales = {"freeu_b1": 1.5, "freeu_b2": 1.6, "freeu_s1": 0.9, "freeu_s2": 0.2}
    ours = drawn(studio, **scales)
    told = asked(ann, **SMALL, alwayson_scripts={"FreeU Integrated (SD 1.x, SD 2.x, SDXL)": {"args": [True, *scales.values(), 0, 1]}})
    info = json.loads(told["info"])
    assert (picture(told["images"][0]) == ours).all() and (ours != drawn(studio)).any() and info["ignored"] == []
    for more in (SMALL | scales | {"freeu_enabled": True}, SMALL | {"override_settings": {"freeu_enabled": True, **scales}}, {"infotext": info["infotexts"][0]}):
        assert (picture(asked(ann, **more)["images"][0]) == ours).all(), more
