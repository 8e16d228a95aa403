"""The A1111 API's fields: each one changes what is submitted, is answered by the API itself, or is told back as ignored. No studio runs here."""

from __future__ import annotations

import base64
import importlib
import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from pipelines.image.params import ImageParams
from studio.api import BadInput, ModelEntry
from studio.plugins import Hooks

FOLDER = Path(__file__).resolve().parent.parent / "extensions" / "a1111_api"
STYLES = {"Ink": {"prompt": "ink drawing of {prompt}, black", "negative_prompt": "colour"}, "Fog": {"prompt": "fog", "negative_prompt": ""}}
SAMPLERS = ("Automatic", "Euler", "Euler a", "DPM++ 2M", "Flow Euler")


@pytest.fixture(scope="module")
def api() -> SimpleNamespace:
    Hooks().load_folder(FOLDER)
    return SimpleNamespace(**{name: importlib.import_module(f"seisei_extensions.a1111_api.{name}") for name in ("asking", "here", "mapping", "pictures", "tasks", "lists", "extras", "control", "scripts")})


def entry(key: str, title: str, kind: Any = "image", **details: Any) -> ModelEntry:
    return ModelEntry(key, f"/models/{key}.safetensors", kind, "safetensors", 1, title, details=details)


@pytest.fixture(scope="module")
def here(api: SimpleNamespace) -> Any:
    models = [entry("sd/dream", "dream", sha256="ab12cd34ef" + "0" * 54), entry("flux", "flux"), entry("old/same", "same"), entry("new/same", "same")]
    written = {"steps": 9, "sampler": "Euler a", "schedule": "Karras", "prompt": "from a text", "hires_scale": 1.5, "hires_strength": 0.4, "model": "sd/dream", "clip_skip": 2, "variation_strength": 0.25, "variation_seed": 4}
    return api.here.Here(
        SAMPLERS, ("Real-ESRGAN", "Lanczos"), models, [entry("vae/soft", "soft", "vae")], STYLES,
        advised=lambda key: "Flow Euler" if key == "flux" else "DPM++ 2M", settings_in=lambda text: dict(written) if "Steps" in text else {},
    )  # fmt: skip


def submitted(api: SimpleNamespace, here: Any, kind: str, **sent: Any) -> dict[str, Any]:
    values: dict[str, Any] = api.mapping.values_of(kind, api.mapping.complete(kind, sent, here), here)
    ImageParams.parse(values)
    return values


# field, what is sent, what is submitted otherwise than without it
CHANGES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("prompt", {"prompt": "a cat"}, {"prompt": "a cat"}),
    ("negative_prompt", {"negative_prompt": "fog"}, {"negative_prompt": "fog"}),
    ("styles", {"styles": ["Ink", "nothing"], "prompt": "a cat"}, {"prompt": "ink drawing of a cat, black", "negative_prompt": "colour"}),
    ("seed", {"seed": "7"}, {"seed": 7}),
    ("subseed_strength", {"subseed_strength": 0.5, "subseed": 3}, {"variation_strength": 0.5, "variation_seed": 3}),
    ("subseed", {"subseed_strength": 0.5, "subseed": 4}, {"variation_strength": 0.5, "variation_seed": 4}),
    ("seed_resize_from_w", {"seed_resize_from_w": 640}, {"seed_width": 640}),
    ("seed_resize_from_h", {"seed_resize_from_h": 640}, {"seed_height": 640}),
    ("sampler_name", {"sampler_name": "Euler a"}, {"sampler": "Euler a"}),
    ("sampler_index", {"sampler_index": "DPM++ 2M Karras"}, {"sampler": "DPM++ 2M Karras"}),
    ("scheduler", {"scheduler": "karras"}, {"schedule": "karras"}),
    ("batch_size", {"batch_size": 3}, {"count": 3}),
    ("n_iter", {"n_iter": 2, "batch_size": 3}, {"count": 6}),
    ("steps", {"steps": 8.0}, {"steps": 8}),
    ("cfg_scale", {"cfg_scale": 4}, {"cfg_scale": 4.0}),
    ("width", {"width": 256}, {"width": 256}),
    ("height", {"height": 256}, {"height": 256}),
    ("tiling", {"tiling": True}, {"tiling": True}),
    ("override_settings", {"override_settings": {"sd_model_checkpoint": "dream", "sd_vae": "soft", "CLIP_stop_at_last_layers": 2}}, {"model": "sd/dream", "vae": "vae/soft", "clip_skip": 2}),
    ("disable_extra_networks", {"prompt": "a <lora:x:1>cat", "disable_extra_networks": True}, {"prompt": "a cat"}),
]
OF_TEXT = [
    ("enable_hr", {"enable_hr": True}, {"hires_scale": 2.0, "hires_steps": 0, "hires_strength": 0.75, "upscaler": "Lanczos"}),
    ("hr_scale", {"enable_hr": True, "hr_scale": 1.5}, {"hires_scale": 1.5, "hires_steps": 0, "hires_strength": 0.75, "upscaler": "Lanczos"}),
    ("hr_upscaler", {"enable_hr": True, "hr_upscaler": "R-ESRGAN 4x+"}, {"hires_scale": 2.0, "hires_steps": 0, "hires_strength": 0.75, "upscaler": "Real-ESRGAN"}),
    ("hr_second_pass_steps", {"enable_hr": True, "hr_second_pass_steps": 6}, {"hires_scale": 2.0, "hires_steps": 6, "hires_strength": 0.75, "upscaler": "Lanczos"}),
    ("denoising_strength", {"enable_hr": True, "denoising_strength": 0.3}, {"hires_scale": 2.0, "hires_steps": 0, "hires_strength": 0.3, "upscaler": "Lanczos"}),
    ("hr_resize_x", {"enable_hr": True, "hr_resize_x": 768}, {"hires_scale": 1.5, "hires_steps": 0, "hires_strength": 0.75, "upscaler": "Lanczos"}),
    ("hr_resize_y", {"enable_hr": True, "hr_resize_x": 768, "hr_resize_y": 768}, {"hires_scale": 1.5, "hires_steps": 0, "hires_strength": 0.75, "upscaler": "Lanczos"}),
    ("firstphase_width", {"enable_hr": True, "firstphase_width": 256}, {"width": 256, "height": 256, "hires_scale": 2.0, "hires_steps": 0, "hires_strength": 0.75, "upscaler": "Lanczos"}),
    ("firstphase_height", {"enable_hr": True, "width": 512, "height": 1024, "firstphase_width": 256, "firstphase_height": 512}, {"width": 256, "hires_scale": 2.0, "hires_steps": 0, "hires_strength": 0.75, "upscaler": "Lanczos"}),
]  # fmt: skip
OF_PICTURE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("denoising_strength", {"denoising_strength": 0.3}, {"denoising_strength": 0.3}),
    ("resize_mode", {"resize_mode": 2}, {"resize": "Fit"}),
    ("mask_blur", {"mask_blur": 9}, {"mask_blur": 9}),
    ("mask_blur_x", {"mask_blur_x": 2, "mask_blur_y": 6}, {"mask_blur": 6}),
    ("inpainting_fill", {"inpainting_fill": 3}, {"fill": "Empty"}),
    ("inpaint_full_res", {"inpaint_full_res": False}, {"only_masked": False}),
    ("inpaint_full_res_padding", {"inpaint_full_res_padding": 12}, {"padding": 12}),
    ("inpainting_mask_invert", {"inpainting_mask_invert": 1}, {"invert_mask": True}),
]
# Read where the request is answered, not where it is mapped: tests/test_a1111_routes.py
OF_THE_ANSWER = {"do_not_save_samples", "do_not_save_grid", "override_settings_restore_afterwards", "send_images", "save_images", "include_init_images"}


@pytest.mark.parametrize(("kind", "field", "sent", "changes"), [*(("txt2img", *row) for row in CHANGES + OF_TEXT), *(("img2img", *row) for row in CHANGES + OF_PICTURE)])
def test_each_field_changes_what_is_submitted(api: SimpleNamespace, here: Any, kind: str, field: str, sent: dict[str, Any], changes: dict[str, Any]) -> None:
    before, after = submitted(api, here, kind), submitted(api, here, kind, **sent)
    assert {name: value for name, value in after.items() if name not in before or before[name] != value} == changes


def test_no_field_of_the_original_is_forgotten(api: SimpleNamespace) -> None:
    for kind, rows in (("txt2img", CHANGES + OF_TEXT), ("img2img", CHANGES + OF_PICTURE)):
        handled = {row[0] for row in rows} | OF_THE_ANSWER | set(api.mapping.WITHOUT_EFFECT) | {"alwayson_scripts", "script_name", "script_args", "refiner_switch_at"}  # tested below
        assert set(api.mapping.DEFAULTS[kind]) - handled == set()


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"restore_faces": True}, ["restore_faces"]), ({"s_churn": 2}, ["s_churn"]), ({"hr_prompt": "x"}, []), ({"hr_prompt": "x", "enable_hr": True}, ["hr_prompt"]), ({"s_noise": 1}, []), ({"eta": 0.5, "s_tmax": 9, "firstpass_image": "A"}, ["s_tmax", "eta", "firstpass_image"]), ({"eta": 1.0, "s_tmax": 0}, []),
        ({"alwayson_scripts": {"ADetailer": {"args": [1]}, "ControlNet": {"args": []}}}, ["alwayson_scripts.ADetailer"]), ({"override_settings": {"eta": 1, "sd_vae": "None"}}, ["override_settings.eta"]),
        ({"alwayson_scripts": {"soft inpainting": {"args": [True, 1, 0.5, 4, 0, 0.5, 2]}, "Soft Inpainting": {"args": [{"Soft inpainting": True}]}, "Refiner": {"args": [False]}}}, ["alwayson_scripts.soft inpainting", "alwayson_scripts.Soft Inpainting"]),
        ({"pag_adaptive": 0.5}, ["pag_adaptive"]), ({"no_such_field": [1]}, []),
    ],
)  # fmt: skip
def test_what_has_no_effect_is_told(api: SimpleNamespace, here: Any, sent: dict[str, Any], told: list[str]) -> None:
    assert api.mapping.ignored(api.mapping.complete("txt2img", sent, here), here) == told
    without = {name: value for name, value in sent.items() if name == "enable_hr"}
    assert submitted(api, here, "txt2img", **sent) == submitted(api, here, "txt2img", **without)


@pytest.mark.parametrize(
    ("kind", "sent", "words"),
    [
        ("txt2img", {"steps": "many"}, "steps must be a number"), ("txt2img", {"width": 1.5}, "whole number"), ("txt2img", {"cfg_scale": float("nan")}, "must be a number"), ("txt2img", {"prompt": 5}, "must be text"),
        ("txt2img", {"styles": "Ink"}, "must be a list"), ("txt2img", {"override_settings": []}, ""), ("txt2img", {"override_settings": {"CLIP_stop_at_last_layers": None}}, ""), ("txt2img", {"override_settings": [1]}, "names with values"),
        ("txt2img", {"override_settings": {"CLIP_stop_at_last_layers": 13}}, "from 1 to 12"), ("txt2img", {"override_settings": {"sd_vae": "gone"}}, "gone"), ("img2img", {"resize_mode": 4}, "from 0 to 3"),
        ("img2img", {"inpainting_fill": -1}, "from 0 to 3"), ("txt2img", {"enable_hr": True, "hr_upscaler": "SwinIR 4x"}, "SwinIR"), ("txt2img", {"enable_hr": True, "hr_resize_x": 768, "hr_resize_y": 1024}, "proportions"),
        ("txt2img", {"enable_hr": True, "width": 0, "hr_resize_x": 5}, "more than 0"), ("txt2img", {"batch_size": 11, "n_iter": 10}, "Pictures"), ("txt2img", {"batch_size": -2, "n_iter": -2}, "batch_size must be at least 1"), ("txt2img", {"seed": 2**40}, "Seed"), ("txt2img", {"steps": 1e300}, "Steps"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_with_its_name(api: SimpleNamespace, here: Any, kind: str, sent: dict[str, Any], words: str) -> None:
    if not words:  # an empty list and null are how some clients send nothing
        submitted(api, here, kind, **sent)
        return
    with pytest.raises(BadInput, match=words):
        submitted(api, here, kind, **sent)


def test_the_text_of_a_picture_fills_what_was_not_sent(api: SimpleNamespace, here: Any) -> None:
    values = submitted(api, here, "txt2img", infotext="x\nSteps: 9, …", steps=5, override_settings={"sd_vae": "soft"})
    wanted = {"steps": 5, "prompt": "from a text", "sampler": "Euler a", "schedule": "Karras", "hires_scale": 1.5, "hires_strength": 0.4, "model": "sd/dream", "vae": "vae/soft", "clip_skip": 2, "variation_seed": 4, "variation_strength": 0.25}
    assert {name: values[name] for name in wanted} == wanted


@pytest.mark.parametrize("name", ["dream", "Dream.safetensors [ab12cd34ef]", "sd/dream", "dream.ckpt", "gone [ab12cd34ef]", "AB12CD34"])
def test_a_checkpoint_is_found_by_title_key_file_or_hash(api: SimpleNamespace, here: Any, name: str) -> None:
    assert here.checkpoint(name) == "sd/dream"


def test_two_models_of_one_title_are_told_apart_by_their_keys(api: SimpleNamespace, here: Any) -> None:
    assert list(api.here.titles(here.models)) == ["dream", "flux", "old/same", "new/same"] and here.checkpoint("new/same") == "new/same"


def test_models_that_foretell_a_flow_get_their_own_samplers(api: SimpleNamespace, here: Any) -> None:
    flux = submitted(api, here, "txt2img", sampler_name="Euler", scheduler="Simple", override_settings={"sd_model_checkpoint": "flux"})
    assert (flux["sampler"], flux["schedule"]) == ("Flow Euler", "Automatic")
    assert here.sampling("Euler", "Simple", "sd/dream") == ("Euler", "Simple")


def test_pictures_that_one_job_has_no_fields_for_become_jobs_of_their_own(api: SimpleNamespace, here: Any) -> None:
    jobs = api.mapping.jobs_of
    values = submitted(api, here, "txt2img", batch_size=2, seed=2**32 - 1)
    assert jobs(values, [], [], 1) == [values]
    moved = submitted(api, here, "txt2img", batch_size=2, seed=5, subseed=2**32 - 1, subseed_strength=0.1)
    assert jobs(moved, [], [], 1) == [moved] and (moved["seed"], moved["variation_seed"], moved["count"]) == (5, 2**32 - 1, 2)
    begun = jobs(submitted(api, here, "img2img", n_iter=2, seed=2**32 - 1), ["a", "b"], ["m", "n"], 2)
    assert [(job["seed"], job["image"], job["mask"]) for job in begun] == [(2**32 - 1, "a", "m"), (0, "b", "n"), (1, "a", "m"), (2, "b", "n")]
    with pytest.raises(BadInput, match="too many"):
        jobs(submitted(api, here, "img2img", n_iter=100), ["a", "b"], [], 100)
    drawn = {job["seed"] for job in jobs(submitted(api, here, "img2img"), ["a", "b"], [], 1)}
    assert len(drawn) == 2 and min(drawn) >= 0


def test_fields_that_the_pipeline_has_are_used_and_others_told(api: SimpleNamespace, here: Any) -> None:
    sent = {"refiner_checkpoint": "dream", "refiner_switch_at": 0.5, "override_settings": {"randn_source": "GPU", "eta_noise_seed_delta": 31337}}
    asked = api.mapping.complete("txt2img", sent, here)
    without = api.mapping.values_of("txt2img", asked, here)
    assert not {"refiner", "noise_source"} & set(without) and api.mapping.ignored(asked, here) == ["refiner_checkpoint", "override_settings.randn_source", "override_settings.eta_noise_seed_delta"]
    fuller = replace(here, fields=frozenset({"refiner", "refiner_switch", "noise_source", "eta_seed_delta", "image_cfg_scale"}))
    values = api.mapping.values_of("txt2img", asked, fuller)
    assert values == without | {"refiner": "sd/dream", "refiner_switch": 0.5, "noise_source": "NV", "eta_seed_delta": 31337} and api.mapping.ignored(asked, fuller) == []
    asked = api.mapping.complete("img2img", {"image_cfg_scale": 1.5, "refiner_checkpoint": "dream", "refiner_switch_at": 1}, here)
    assert api.mapping.values_of("img2img", asked, fuller) == api.mapping.values_of("img2img", asked, here) | {"image_cfg_scale": 1.5}


GUIDED = frozenset({"pag_scale", "guidance_rescale", "image_cfg_scale", "refiner", "refiner_switch", "conventions", "noise_source", "eta_seed_delta", "freeu_b1", "freeu_b2", "freeu_s1", "freeu_s2"})
FREED = {"freeu_b1": 1.3, "freeu_b2": 1.4, "freeu_s1": 0.9, "freeu_s2": 0.2}
FORGE_PAG = "PerturbedAttentionGuidance Integrated"


@pytest.mark.parametrize(
    ("sent", "changes", "told"),
    [
        ({"alwayson_scripts": {FORGE_PAG: {"args": [True, 2.5]}}}, {"pag_scale": 2.5}, []),
        ({"alwayson_scripts": {f"{FORGE_PAG} (SD1.x, SD2.x, SDXL)".lower(): {"args": [True, "3", 0, 0.0, 1.0, "Both"]}}}, {"pag_scale": 3.0}, []),
        ({"alwayson_scripts": {FORGE_PAG: {"args": [True, 3, 10, 0.15, 0.6, "Hires Only"]}}}, {"pag_scale": 3.0}, [f"alwayson_scripts.{FORGE_PAG}.{part}" for part in ("attenuation", "start_step", "end_step", "apply_to")]),
        ({"alwayson_scripts": {FORGE_PAG: {"args": [False, 3, 0, 0, 1]}}}, {}, []), ({"alwayson_scripts": {FORGE_PAG: {"args": [True, 0]}}}, {}, []), ({"alwayson_scripts": {FORGE_PAG: {}}}, {}, []),
        ({"alwayson_scripts": {"CFG Rescale Extension": {"args": [0.7]}}}, {"guidance_rescale": 0.7}, []),
        ({"alwayson_scripts": {"cfg rescale extension": {"args": [0.7, True, 1.0, False]}}}, {"guidance_rescale": 0.7}, ["alwayson_scripts.cfg rescale extension.auto_color_fix"]),
        ({"alwayson_scripts": {"FreeU Integrated": {"args": [False, 1.01]}, "Never OOM Integrated": {"args": [True, False]}}}, {}, ["alwayson_scripts.Never OOM Integrated"]),
        ({"pag_scale": 4, "diffusers_guidance_rescale": 0.5}, {"pag_scale": 4.0, "guidance_rescale": 0.5}, []), ({"guidance_rescale": 0.2, "cfg_rescale": 0.9}, {"guidance_rescale": 0.2}, []),
        ({"pag_scale": 4, "alwayson_scripts": {FORGE_PAG: {"args": [True, 2]}}}, {"pag_scale": 2.0}, []), ({"pag_scale": 0}, {}, []), ({"conventions": "AUTOMATIC1111"}, {"conventions": "AUTOMATIC1111"}, []),
        ({"alwayson_scripts": {"FreeU Integrated (SD 1.x, SD 2.x, SDXL)": {"args": [True, 1.3, "1.4", 0.9, 0.2, 0.0, 1.0]}}}, FREED, []),
        ({"alwayson_scripts": {"FreeU Integrated": {"args": [True, 1.3, 1.4, 0.9, 0.2, 0.0, 0.6]}}}, FREED, ["alwayson_scripts.FreeU Integrated.end_step"]),
        ({"freeu_enabled": True, **FREED}, FREED, []), ({"freeu_enabled": False, **FREED}, {}, []), ({"override_settings": {"freeu_enabled": True, "freeu_b1": 1.3}}, FREED, []),
        ({"override_settings": {"freeu_enabled": True, "freeu_b1": 9}, "freeu_b1": 1.3}, FREED, []), ({"freeu_enabled": False, "override_settings": {"freeu_b1": 1.3}}, {}, []),
        ({"clip_skip": 2.0}, {"clip_skip": 2}, []), ({"clip_skip": 0}, {}, []), ({"clip_skip": 2, "override_settings": {"CLIP_stop_at_last_layers": 3}}, {"clip_skip": 3}, []),
        ({"cfg_scale": 1, "distilled_cfg_scale": 2.5}, {"cfg_scale": 1.0}, ["distilled_cfg_scale"]),
    ],
)  # fmt: skip
def test_what_other_programs_with_this_api_have_is_mapped(api: SimpleNamespace, here: Any, sent: dict[str, Any], changes: dict[str, Any], told: list[str]) -> None:
    fuller = replace(here, fields=GUIDED)
    before, after = submitted(api, fuller, "txt2img"), submitted(api, fuller, "txt2img", **sent)
    assert {name: value for name, value in after.items() if name not in before or before[name] != value} == changes
    assert api.mapping.ignored(api.mapping.complete("txt2img", sent, fuller), fuller) == told


def test_where_the_pipeline_has_no_such_fields_they_are_told(api: SimpleNamespace, here: Any) -> None:
    asked = api.mapping.complete("txt2img", {"pag_scale": 3, "alwayson_scripts": {FORGE_PAG: {"args": [True, 2]}}}, here)
    assert "pag_scale" not in api.mapping.values_of("txt2img", asked, here) and api.mapping.ignored(asked, here) == ["pag_scale", f"alwayson_scripts.{FORGE_PAG}"]
    asked = api.mapping.complete("txt2img", {"freeu_enabled": True, "override_settings": {"freeu_b1": 1.3}, "alwayson_scripts": {"FreeU Integrated": {"args": [True, 1, 1, 1, 1]}}}, here)
    assert not FREED.keys() & api.mapping.values_of("txt2img", asked, here).keys() and api.mapping.ignored(asked, here) == ["freeu_enabled", "override_settings.freeu_b1", "alwayson_scripts.FreeU Integrated"]
    with pytest.raises(BadInput, match="too few arguments"):
        submitted(api, replace(here, fields=GUIDED), "txt2img", alwayson_scripts={FORGE_PAG: {"args": [True]}})
    with pytest.raises(BadInput, match="must be a number"):
        submitted(api, replace(here, fields=GUIDED), "txt2img", alwayson_scripts={FORGE_PAG: {"args": [True, "much"]}})


def test_models_that_were_taught_their_guidance_take_forges_second_scale(api: SimpleNamespace, here: Any) -> None:
    taught = replace(here, distilled=lambda key: key == "flux")
    sent = {"cfg_scale": 1, "distilled_cfg_scale": 2.5, "override_settings": {"sd_model_checkpoint": "flux"}}
    assert submitted(api, taught, "txt2img", **sent)["cfg_scale"] == 2.5 and submitted(api, taught, "txt2img", **(sent | {"override_settings": {}}))["cfg_scale"] == 1.0
    assert api.mapping.ignored(api.mapping.complete("txt2img", sent, taught), taught) == []
    assert api.mapping.ignored(api.mapping.complete("txt2img", sent | {"cfg_scale": 3}, taught), taught) == ["cfg_scale"]
    del sent["distilled_cfg_scale"]
    assert submitted(api, taught, "txt2img", **(sent | {"cfg_scale": 3}))["cfg_scale"] == 3.0


def test_all_that_a_pictures_text_tells_fills_what_was_not_sent(api: SimpleNamespace, here: Any) -> None:
    written = {
        "pag_scale": 2.0, "guidance_rescale": 0.3, "conventions": "AUTOMATIC1111", "noise_source": "NV", "eta_seed_delta": 31337, "refiner": "dream", "refiner_switch": 0.6, "resize": "Fit", "fill": "Noise", "only_masked": False, "padding": 8,
        "invert_mask": True, "mask_blur": 2, **FREED,
    }  # fmt: skip
    fuller = replace(here, fields=GUIDED, settings_in=lambda text: dict(written))
    values = submitted(api, fuller, "img2img", infotext="x", mask_blur=5)
    assert {name: values.get(name) for name in written} == written | {"refiner": "sd/dream", "mask_blur": 5}


HIRES = frozenset({"hires_prompt", "hires_negative_prompt", "hires_sampler", "hires_schedule", "hires_model", "hires_width", "hires_height"})


@pytest.mark.parametrize(
    ("sent", "changes"),
    [
        ({"hr_prompt": "a dog", "styles": ["Ink"]}, {"hires_prompt": "ink drawing of a dog, black", "prompt": "ink drawing of , black", "negative_prompt": "colour"}), ({"hr_negative_prompt": "snow"}, {"hires_negative_prompt": "snow"}),
        ({"hr_sampler_name": "DPM++ 2M"}, {"hires_sampler": "DPM++ 2M"}), ({"hr_scheduler": "karras"}, {"hires_schedule": "karras"}), ({"hr_checkpoint_name": "flux", "hr_sampler_name": "Euler"}, {"hires_model": "flux", "hires_sampler": "Flow Euler"}),
        ({"hr_checkpoint_name": "Use same checkpoint", "hr_sampler_name": "Use same sampler", "hr_scheduler": "Use same scheduler"}, {}), ({"hr_resize_x": 770, "hr_resize_y": 1024}, {"hires_scale": 1.0, "hires_width": 768, "hires_height": 1024}),
        ({"hr_resize_x": 1024, "hr_resize_y": 1024}, {}), ({"hr_prompt": "a <lora:x:1>dog", "disable_extra_networks": True}, {"hires_prompt": "a dog"}),
    ],
)  # fmt: skip
def test_the_second_pass_has_words_sampler_model_and_size_of_its_own(api: SimpleNamespace, here: Any, sent: dict[str, Any], changes: dict[str, Any]) -> None:
    fuller = replace(here, fields=HIRES)
    before, after = submitted(api, fuller, "txt2img", enable_hr=True), submitted(api, fuller, "txt2img", enable_hr=True, **sent)
    assert {name: value for name, value in after.items() if name not in before or before[name] != value} == changes
    assert api.mapping.ignored(api.mapping.complete("txt2img", {"enable_hr": True} | sent, fuller), fuller) == [] and submitted(api, fuller, "txt2img", **sent).keys() & HIRES == set()


@pytest.mark.parametrize(
    ("size", "drawn"),
    [((512, 512), (128, 128, 4.0)), ((512, 768), (128, 192, 4.0)), ((640, 480), (160, 120, 4.0)), ((1024, 1024), (256, 256, 4.0)), ((128, 128), (128, 128, 1.0)), ((64, 64), (64, 64, 1.0)), ((256, 384), (112, 168, 16 / 7)), ((512, 520), (512, 520, 1.0)), ((0, 512), (0, 512, 1.0))],
)  # fmt: skip
def test_a_small_model_draws_at_its_own_size_and_is_enlarged_to_what_was_asked(api: SimpleNamespace, here: Any, size: tuple[int, int], drawn: tuple[int, int, float]) -> None:
    small = replace(here, small=lambda key: (128, 8) if key == "" else (0, 0))
    values = submitted(api, small, "txt2img", width=size[0], height=size[1])
    found = api.mapping.at_own_size(values, small)
    assert (found["width"], found["height"], found["upscale"]) == pytest.approx(drawn) and found == values | {name: found[name] for name in ("width", "height", "upscale")}
    for other in (values | {"mask": "m"}, values | {"hires_scale": 2.0}, values | {"model": "sd/dream"}):
        assert api.mapping.at_own_size(other, small) == other


def test_what_means_nothing_for_a_model_is_left_out_and_told(api: SimpleNamespace) -> None:
    def settle(values: dict[str, Any]) -> None:
        for name in ("eta_seed_delta", "image_cfg_scale", "width"):
            if name in values:
                raise BadInput("It does not go with this model.", field=name)

    assert api.mapping.fitting({"steps": 2, "image_cfg_scale": 1.5, "eta_seed_delta": 1}, settle) == ({"steps": 2}, ["eta_seed_delta", "image_cfg_scale"])
    assert {"clip_skip", "guidance_rescale", "tiling"} <= {*api.mapping.SOFT}, "clients send them with every model"
    assert api.mapping.fitting({"steps": 2, "width": 3}, settle) == ({"steps": 2, "width": 3}, []), "the queue tells that"


def test_an_empty_style_leaves_the_prompt_as_it_is(api: SimpleNamespace) -> None:
    assert api.mapping.styled(" a cat ", "") == " a cat " and api.mapping.styled("", "fog") == "fog" and api.mapping.styled("a", "fog") == "a, fog"


def sent_as(picture: Image.Image, *, address: bool = False) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return ("data:image/png;base64," if address else "") + base64.b64encode(buffer.getvalue()).decode()


def test_pictures_are_read_with_and_without_a_data_address(api: SimpleNamespace) -> None:
    picture = Image.linear_gradient("L").resize((8, 8))
    assert api.pictures.opened(sent_as(picture)).tobytes() == api.pictures.opened(sent_as(picture, address=True)).tobytes() == picture.tobytes()
    for broken in ("", 5, "http://127.0.0.1/x.png", "data:image/png;base64,", "AAAA"):
        with pytest.raises(BadInput, match="Invalid encoded image"):
            api.pictures.opened(broken)


def test_a_mask_is_its_brightness_or_what_is_opaque(api: SimpleNamespace) -> None:
    grey = Image.linear_gradient("L")
    assert api.pictures.mask_of(grey, True).tobytes() == grey.tobytes()
    clear = Image.new("RGBA", grey.size, "white")
    clear.putalpha(grey)
    assert api.pictures.mask_of(clear, False).tobytes() == grey.tobytes()
    assert api.pictures.mask_of(clear, True).tobytes() == grey.point(lambda value: 255 if value > 128 else 0).tobytes()
    clear.putalpha(255)
    assert api.pictures.mask_of(clear, True).getextrema() == (255, 255)


def test_a_sheet_holds_all_pictures_in_order(api: SimpleNamespace) -> None:
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    whole = Image.open(io.BytesIO(api.pictures.sheet([api.pictures.png(Image.new("RGB", (4, 6), colour)) for colour in colours])))
    assert whole.size == (8, 12) and [whole.getpixel(place) for place in ((1, 1), (5, 1), (1, 7), (5, 7))] == [*colours, (0, 0, 0)]
