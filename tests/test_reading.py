"""Settings out of other programs' pictures, in the shapes that their documentation describes; and our own text read back without loss."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipelines.image.infotext import CHOICES, read, write
from pipelines.image.params import UPSCALERS, ImageParams
from pipelines.image.reading.texts import read_texts
from pipelines.image.samplers import SAMPLERS
from studio.api import BadInput, Catalog, ModelEntry
from studio.jobs import JobQueue
from studio.metadata import embed, extract, texts_of, user_comment
from studio.restore import Restored, hand_over, restore
from tests.house import finish
from tests.image_models import image_queue, make_sd1
from tests.test_metadata import picture
from tests.test_prompt import written

NOWHERE = Catalog([])


# -- our own text --------------------------------------------------------------------------------------------------


HARD = ("", "a: b, c: d, e: f", "cat\nSteps: 20, Seed: 1, Size: 2x2", "cat\nNegative prompt: dog", "Negative prompt: dog", "\n\nx\n", "a\r\nb", " blank ", "Steps: 1, Sampler: Euler, Seed: 2", 'quo"te, \\ back', "x\nTemplate: y\n", "\u2028 \x85", "Prompt letters: 3, a: b, c: d")


def random_params(pick: random.Random, prompt: str, negative: str) -> tuple[ImageParams, dict[str, Any]]:
    """Settings that the text can carry, and what of them must come back."""

    def some(value: Any, other: Any) -> Any:
        return value if pick.random() < 0.5 else other

    values: dict[str, Any] = {
        "prompt": prompt, "negative_prompt": negative, "steps": pick.randint(1, 150), "cfg_scale": round(pick.uniform(0, 30), pick.randint(0, 9)), "width": pick.randint(1, 1024) * 8, "height": pick.randint(1, 1024) * 8, "seed": pick.randrange(2**32),
        "sampler": pick.choice([sampler.name for sampler in SAMPLERS]), "schedule": pick.choice(("Automatic", "Uniform", "Karras", "SGM Uniform", "Exponential", "Beta", "DDIM")), "clip_skip": pick.randint(1, 12), "tiling": pick.random() < 0.5,
        "guidance_rescale": some(0.0, pick.random()), "variation_strength": some(0.0, pick.random()), "variation_seed": some(0, pick.randrange(2**32)), "vae": some("", 'a "VAE", x: y'), "upscale": some(1.0, round(pick.uniform(1.1, 4), 3)),
        "upscaler": pick.choice((*UPSCALERS, "ESRGAN/4x, sharp")), "conventions": pick.choice(("diffusers", "AUTOMATIC1111")), "noise_source": pick.choice(("CPU", "NV")), "eta_seed_delta": some(0, pick.randrange(2**31)),
        "discard_next_to_last_sigma": pick.random() < 0.5, "emphasis": pick.choice(("Original", "No norm", "Ignore", "None")),
    }  # fmt: skip
    if pick.random() < 0.3:
        values |= {"seed_width": pick.randint(1, 8192), "seed_height": pick.randint(1, 8192)}
    if pick.random() < 0.4:
        values |= {"hires_scale": round(pick.uniform(1.1, 4), 2), "hires_steps": pick.randint(0, 150), "hires_strength": pick.random()}
        values |= {"hires_prompt": some("", prompt), "hires_negative_prompt": some("", negative), "hires_model": some("", 'a "model", x: y'), "hires_width": some(0, 768), "hires_height": some(0, 1024)}
        values |= {"hires_sampler": pick.choice(("Automatic", "Restart", "Flow Euler", "DPM++ 2M")), "hires_schedule": pick.choice(("Automatic", "Karras", "KL Optimal"))}
    unread: set[str] = set() if values["upscale"] > 1 or values.get("hires_scale", 1) > 1 else {"upscaler"}
    if pick.random() < 0.5:
        values |= {"image": "0" * 64 + ".png", "denoising_strength": pick.random(), "resize": pick.choice(("Stretch", "Crop", "Fit")), "extend_left": pick.randint(0, 64), "extend_bottom": pick.randint(0, 64)}
        if pick.random() < 0.6:
            values |= {"mask": "1" * 64 + ".png", "mask_blur": pick.randint(0, 64), "padding": pick.randint(0, 512), "only_masked": pick.random() < 0.5, "invert_mask": pick.random() < 0.5, "fill": pick.choice(list(CHOICES["Masked content"][1].values()))}
    return ImageParams(**values), {name: value for name, value in values.items() if name not in unread | {"image", "mask"}}


def survive(tmp_path: Path, count: int, *, files: int) -> None:
    """Each settings' text gives them back; every so often through a PNG on the disk."""
    pick = random.Random(20261126)
    defaults = ImageParams()
    for number in range(count):
        prompt, negative = (pick.choice(HARD) if pick.random() < 0.2 else written(pick) for _ in range(2))
        params, expected = random_params(pick, prompt, negative)
        text = write(params, params.seed, size=(params.width, params.height), model_title="a, model: x", model_hash="ab" * 32, version="Seisei Studio")
        about = {"pipeline": "image.generate", "params": params.model_dump(mode="json"), "facts": {"parameters": text}}
        if number % (count // files) == 0:
            path = tmp_path / "x.png"
            path.write_bytes(embed(picture("PNG"), ".png", about))
            assert extract(path) == about and texts_of(path)["parameters"] == text, number
        values = {"upscale": 1.0} | read(text)
        assert values.pop("model") == "a, model: x" and values.pop("model_hash") == "ab" * 5
        assert {name: values.get(name, getattr(defaults, name)) for name in expected} == expected, (number, text)
        assert set(values) <= set(ImageParams.model_fields), "nothing of our own text is unknown to us"


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    survive(tmp_path, 800, files=200)


@pytest.mark.slow
def test_ten_thousand_settings_and_prompts_survive_a_png(tmp_path: Path) -> None:
    survive(tmp_path, 10_000, files=10_000)


@pytest.mark.parametrize("prompt", HARD)
@pytest.mark.parametrize("negative", HARD)
def test_hard_prompts_come_back(prompt: str, negative: str) -> None:
    values = read(write(ImageParams(prompt=prompt, negative_prompt=negative, steps=4), 1, size=(8, 8), model_title="m"))
    assert (values["prompt"], values["negative_prompt"]) == (prompt, negative)


# -- other programs ------------------------------------------------------------------------------------------------


FORGE = "a fox <lora:x:0.5>\nNegative prompt: ice\nSteps: 12, Sampler: DPM++ 2M SDE, Schedule type: Karras, CFG scale: 6.5, Distilled CFG Scale: 3.5, Seed: 99, Size: 64x96, Model hash: 0123456789, Model: tiny, Clip skip: 2, Lora hashes: \"x: 123, y: 45\", Version: f2.0.1"
SDNEXT = "a fox\nNegative prompt: ice\nSteps: 20, Size: 64x96, Sampler: DEIS, Seed: 7, CFG scale: 6.0, CFG rescale: 0.5, Clip skip: 1.0, App: SD.Next, Version: 1a2b3c, Pipeline: StableDiffusionPipeline, Operations: txt2img, Model: tiny, Model hash: 0123456789"
CIVITAI = 'a fox\nSteps: 30, Sampler: Euler a, CFG scale: 7, Seed: 3, Size: 64x64, Created Date: 2024-01-01T00:00:00, Civitai resources: [{"type":"checkpoint","modelVersionId":128713,"modelName":"x, y: z"}], Civitai metadata: {}'
DYNAMIC = "a red fox\nNegative prompt: ice\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 64x64\nTemplate: a {red|blue} fox\nNegative Template: ice"
A1111 = "a fox\nSteps: 12, Sampler: Rewind, Schedule type: Turbo, CFG scale: 6.5, Seed: 99, Size: 64x96, Model: tiny, Denoising strength: 0.4, Hires upscale: 2, Hires steps: 5, Hires upscaler: R-ESRGAN 4x+, Hires prompt: \"a fox, sharp\", Hires sampler: DPM++ SDE, Hires schedule type: karras, Hires checkpoint: old.safetensors [0123abcd], Refiner: big, Refiner switch at: 0.8, Masked content: latent noise, Mask mode: Inpaint not masked, Version: v1.10.1"


@pytest.mark.parametrize(
    ("text", "expected", "left"),
    [
        (FORGE, {"prompt": "a fox <lora:x:0.5>", "sampler": "DPM++ 2M SDE", "schedule": "Karras", "clip_skip": 2, "width": 64, "height": 96}, {"Distilled CFG Scale": "3.5"}),
        (SDNEXT, {"sampler": "DEIS", "guidance_rescale": 0.5, "clip_skip": 1, "cfg_scale": 6.0, "negative_prompt": "ice"}, {}),
        (CIVITAI, {"sampler": "Euler a", "steps": 30, "prompt": "a fox"}, {"Created Date": "2024-01-01T00:00:00", "Civitai metadata": "{}"}),
        (DYNAMIC, {"prompt": "a red fox", "negative_prompt": "ice", "steps": 20}, {}),
        (A1111, {"sampler": "Automatic", "schedule": "Automatic", "hires_scale": 2.0, "hires_steps": 5, "hires_strength": 0.4, "hires_prompt": "a fox, sharp", "hires_sampler": "DPM++ SDE", "hires_schedule": "Karras", "upscaler": "Real-ESRGAN", "fill": "Noise", "invert_mask": True, "refiner": "big", "refiner_switch": 0.8}, {"Sampler": "Rewind", "Schedule type": "Turbo", "Hires checkpoint": "old.safetensors"}),
    ],
)
def test_the_communitys_texts_are_read_and_the_rest_is_named(text: str, expected: dict[str, Any], left: dict[str, str]) -> None:
    values = read_texts({"parameters": text}, NOWHERE)
    assert {name: values.get(name) for name in expected} == expected
    assert {name: value for name, value in values.items() if name not in ImageParams.model_fields} == left


@pytest.mark.parametrize(
    ("more", "expected", "left"),
    [
        ("CFG scale: 6, pagi_enabled: True, pagi_scale: 2.5, pagi_attenuation: 0, pagi_start_step: 0, pagi_end_step: 1", {"pag_scale": 2.5}, {}),
        ("CFG scale: 6, pagi_enabled: True, pagi_scale: 3, pagi_attenuation: 20, pagi_end_step: 0.6, pagi_apply_to: Hires Only", {"pag_scale": 3.0}, {"pagi_attenuation": "20", "pagi_end_step": "0.6", "pagi_apply_to": "Hires Only"}),
        ("CFG scale: 6, pagi_enabled: False, pagi_scale: 3", {"pag_scale": None}, {}),
        ("CFG scale: 6, PAG Active: True, PAG SANF: True, PAG Scale: 1.5, PAG Start Step: 0, PAG End Step: 150", {"pag_scale": 1.5}, {"PAG SANF": "True"}),
        ("CFG scale: 6, PAG Active: False, PAG Scale: 1.5, PAG Start Step: 3", {"pag_scale": None}, {"PAG Start Step": "3"}),
        ("CFG scale: 6, PAG scale: 3, PAG adaptive: 0.5, App: SD.Next", {"pag_scale": 3.0}, {"PAG adaptive": "0.5"}),
        ("CFG scale: 6, freeu_enabled: True, freeu_b1: 1.3, freeu_b2: 1.4, freeu_s1: 0.9, freeu_s2: 0.2, freeu_start: 0.0, freeu_end: 1.0", {"freeu_b1": 1.3, "freeu_b2": 1.4, "freeu_s1": 0.9, "freeu_s2": 0.2}, {}),
        ("CFG scale: 6, freeu_enabled: True, freeu_b1: 1.3, freeu_start: 0.25", {"freeu_b1": 1.3, "freeu_b2": None}, {"freeu_start": "0.25"}),
        ("CFG scale: 6, freeu_enabled: False, freeu_b1: 1.3, freeu_s2: 0.2", {"freeu_b1": None, "freeu_s2": None}, {}),
        ("CFG scale: 6, FreeU: b1=1.2 b2=1.4 s1=0.9 s2=0.2, App: SD.Next", {"freeu_b1": 1.2, "freeu_b2": 1.4, "freeu_s1": 0.9, "freeu_s2": 0.2}, {}),
        ("CFG scale: 6, CFG Rescale: 0.7, CLIP skip: 2, Variation seed: 5, Variation strength: 0.25, Sampler ENSD: 31337", {"guidance_rescale": 0.7, "clip_skip": 2, "variation_seed": 5, "variation_strength": 0.25, "eta_seed_delta": 31337}, {}),
        ("CFG scale: 6, Second pass: True, Hires force: False, Hires upscale: 2, Hires resize: 0x0, Hires size: 128x128, Denoising strength: 0.3, Refiner: big, Refiner start: 0.6", {"hires_scale": 2.0, "hires_strength": 0.3, "hires_width": None, "refiner": "big", "refiner_switch": 0.6}, {}),
        ("CFG scale: 6, Refine: True, Hires scale: 1.5, Hires size: 96x144, Hires strength: 0.35, Hires steps: 9, Sampler sigma: karras, Sampler eta delta: 31337, Refiner: None, App: SD.Next", {"hires_scale": 1.5, "hires_strength": 0.35, "hires_steps": 9, "schedule": "Karras", "eta_seed_delta": 31337, "refiner": None}, {}),
        ("CFG scale: 6, Hires fixed: 96x128, Hires strength: 0.4, App: SD.Next", {"hires_width": 96, "hires_height": 128, "hires_strength": 0.4}, {}),
        ('CFG scale: 4, Scheduler: karras, VAE: Default (model), Raw prompt: fox, Lora hashes: "line_1.0: 4852686128", Lora weights: "line_1.0: 0.1, other: 0.5, b:r:oken: x", Version: Fooocus v2.5.5', {"prompt": "a fox <lora:line_1.0:0.1> <lora:other:0.5>", "schedule": "Karras", "conventions": None}, {}),
        ("CFG scale: 1, Distilled CFG Scale: 3.5, Version: f2.0.1", {"cfg_scale": 3.5}, {}), ("CFG scale: 2, Distilled CFG Scale: 3.5, Version: f2.0.1", {"cfg_scale": 2.0}, {"Distilled CFG Scale": "3.5"}),
    ],
)
def test_other_programs_names_of_the_same_fields_are_known(more: str, expected: dict[str, Any], left: dict[str, str]) -> None:
    values = read_texts({"parameters": f"a fox\nSteps: 12, Sampler: Euler, Seed: 9, Size: 64x96, {more}"}, NOWHERE)
    assert {name: values.get(name) for name in expected} == expected
    assert {name: value for name, value in values.items() if name not in ImageParams.model_fields} == left


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("Version: v1.10.1", ("AUTOMATIC1111", "NV")), ("RNG: CPU, Version: v1.10.1", ("AUTOMATIC1111", "CPU")), ("RNG: NV, ENSD: 31337, Emphasis: No norm, Discard penultimate sigma: True, Version: f2.0", ("AUTOMATIC1111", "NV", 31337, "No norm", True)), ("Model: x", ("AUTOMATIC1111", "NV")),
        ("App: SD.Next, Version: v1", ()), ("RNG: CPU, Version: Seisei Studio", ()), ("RNG: NV, Version: Seisei Studio", (None, "NV")), ("Distilled CFG Scale: 3.5, Version: f2.0", ()),
    ],
)  # fmt: skip
def test_pictures_of_automatic1111_bring_its_conventions(more: str, expected: tuple[Any, ...]) -> None:
    values = read_texts({"parameters": f"a fox\nSteps: 4, Sampler: Euler a, CFG scale: 7, Seed: 1, {more}"}, NOWHERE)
    names = ("conventions", "noise_source", "eta_seed_delta", "emphasis", "discard_next_to_last_sigma")
    assert {name: values.get(name) for name in names} == dict(zip(names, (*expected, *[None] * 5), strict=False))
    other = read_texts({"parameters": f"a fox\nSteps: 4, Sampler: DDIM, CFG scale: 7, Seed: 1, {more}"}, NOWHERE)
    assert "conventions" not in other, "samplers that do not follow them can still be run"


def comfy(**changed: dict[str, Any]) -> dict[str, Any]:
    """The example graph of ComfyUI's documentation, with a LoRA and a VAE of its own."""
    graph: dict[str, Any] = {
        "3": {"class_type": "KSampler", "inputs": {"seed": 8566257, "steps": 24, "cfg": 6.5, "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 1, "model": ["10", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "folder/tiny.safetensors"}}, "5": {"class_type": "EmptyLatentImage", "inputs": {"batch_size": 2, "height": 96, "width": 64}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["10", 1], "text": "a fox"}}, "7": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["10", 1], "text": "ice"}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["11", 0]}}, "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "ComfyUI", "images": ["8", 0]}},
        "10": {"class_type": "LoraLoader", "inputs": {"lora_name": "art\\line.safetensors", "strength_model": 0.7, "strength_clip": 1, "model": ["4", 0], "clip": ["4", 1]}}, "11": {"class_type": "VAELoader", "inputs": {"vae_name": "sharp.safetensors"}},
    }  # fmt: skip
    return graph | changed


def test_a_comfyui_graph_is_walked_back_from_what_is_saved() -> None:
    values = read_texts({"prompt": json.dumps(comfy()), "workflow": "{}"}, NOWHERE)
    assert values == {
        "prompt": "a fox <lora:line:0.7>", "negative_prompt": "ice", "steps": 24, "cfg_scale": 6.5, "seed": 8566257, "sampler": "DPM++ 2M", "schedule": "Karras", "width": 64, "height": 96, "count": 2, "model": "folder/tiny.safetensors",
        "VAE": "sharp.safetensors", "upscale": 1.0,
    }  # fmt: skip


def node(name: int, kind: str, values: Any, inputs: dict[str, tuple[str, int]], *, outputs: tuple[str, ...] = (), mode: int = 0, widgets: tuple[str, ...] = ()) -> dict[str, Any]:
    """As ComfyUI's page keeps one; `widgets` only newer pages say."""
    ins: list[dict[str, Any]] = [{"name": field, "type": sort, "link": link} for field, (sort, link) in inputs.items()]
    return {"id": name, "type": kind, "mode": mode, "inputs": ins + [{"name": field, "type": "*", "widget": {"name": field}, "link": None} for field in widgets], "outputs": [{"name": sort, "type": sort} for sort in outputs], "widgets_values": values}


def comfy_page(**changed: Any) -> dict[str, Any]:
    """With a LoRA, one that is bypassed, one that is muted, a seed of a primitive node, and a link in the newer form."""
    nodes = [
        node(1, "CheckpointLoaderSimple", ["tiny.safetensors"], {}, outputs=("MODEL", "CLIP", "VAE")), node(2, "LoraLoader", ["in/line_1.0.safetensors", 0.7, 0.7], {"model": ("MODEL", 1), "clip": ("CLIP", 2)}, outputs=("MODEL", "CLIP")),
        node(3, "LoraLoader", ["off.safetensors", 1, 1], {"model": ("MODEL", 3), "clip": ("CLIP", 4)}, outputs=("MODEL", "CLIP"), mode=4), node(4, "CLIPTextEncode", ["a fox, 狐"], {"clip": ("CLIP", 5)}, outputs=("CONDITIONING",)),
        node(5, "CLIPTextEncode", ["ice"], {"clip": ("CLIP", 6)}, outputs=("CONDITIONING",)), node(6, "EmptyLatentImage", [64, 96, 2], {}, outputs=("LATENT",)), node(7, "PrimitiveNode", [99, "fixed"], {}, outputs=("INT",)),
        node(8, "KSampler", [1, "randomize", 12, 6.5, "dpmpp_2m", "karras", 1], {"model": ("MODEL", 7), "positive": ("CONDITIONING", 8), "negative": ("CONDITIONING", 9), "latent_image": ("LATENT", 10), "seed": ("INT", 11)}, outputs=("LATENT",)),
        node(9, "VAEDecode", [], {"samples": ("LATENT", 12), "vae": ("VAE", 13)}, outputs=("IMAGE",)), node(10, "SaveImage", {"filename_prefix": "x"}, {"images": ("IMAGE", 14)}), node(11, "KSampler", [5, "fixed", 50, 1, "euler", "normal", 1], {}, mode=2),
    ]  # fmt: skip
    links: list[Any] = [[1, 1, 0, 2, 0, "MODEL"], [2, 1, 1, 2, 1, "CLIP"], [3, 2, 0, 3, 0, "MODEL"], [4, 2, 1, 3, 1, "CLIP"], [5, 3, 1, 4, 0, "CLIP"], [6, 3, 1, 5, 0, "CLIP"], [7, 3, 0, 8, 0, "MODEL"], [8, 4, 0, 8, 1, "CONDITIONING"]]
    links += [[9, 5, 0, 8, 2, "CONDITIONING"], [10, 6, 0, 8, 3, "LATENT"], [11, 7, 0, 8, 4, "INT"], [12, 8, 0, 9, 0, "LATENT"], [13, 1, 2, 9, 1, "VAE"], {"id": 14, "origin_id": 9, "origin_slot": 0, "target_id": 10, "target_slot": 0, "type": "IMAGE"}]
    return {"nodes": nodes, "links": links, "version": 0.4} | changed


def test_a_graph_as_comfyui_draws_it_is_read_where_there_is_no_other() -> None:
    values = read_texts({"workflow": json.dumps(comfy_page())}, NOWHERE)
    assert values == {
        "prompt": "a fox, 狐 <lora:line_1.0:0.7>", "negative_prompt": "ice", "steps": 12, "cfg_scale": 6.5, "seed": 99, "sampler": "DPM++ 2M", "schedule": "Karras", "width": 64, "height": 96, "count": 2, "model": "tiny.safetensors", "upscale": 1.0,
    }  # fmt: skip
    both = {"workflow": json.dumps(comfy_page()), "prompt": json.dumps(comfy())}
    assert read_texts(both, NOWHERE) == read_texts({"prompt": both["prompt"]}, NOWHERE), "what was run counts before what is drawn"
    named = [node(1, "Newer sampler KSampler", [7, "randomize", 9], {}, widgets=("seed", "steps"))]
    assert read_texts({"workflow": json.dumps({"nodes": named, "links": []})}, NOWHERE)["steps"] == 9, "newer pages name their widgets"


@pytest.mark.parametrize("changed", [{"links": [None, 5, [1], [[], {}, [], 0, 0]]}, {"nodes": [{"id": [], "type": {}, "inputs": 5, "widgets_values": "x"}]}, {"links": [[7, 3, "x", 8, 0, "MODEL"]]}, {"links": [[3, 3, 0, 3, 0, "MODEL"], [7, 3, 0, 8, 0, "MODEL"]]}])
def test_a_hostile_graph_of_the_page_breaks_nothing(changed: dict[str, Any]) -> None:
    assert read_texts({"workflow": json.dumps(comfy_page(**changed))}, NOWHERE)["upscale"] == 1.0


def test_other_nodes_of_comfyui_are_followed() -> None:
    advanced = comfy()
    advanced["3"] = {"class_type": "KSamplerAdvanced", "inputs": advanced["3"]["inputs"] | {"noise_seed": ["20", 0], "sampler_name": "euler_ancestral", "scheduler": "normal"}}
    del advanced["3"]["inputs"]["seed"]
    advanced["20"] = {"class_type": "PrimitiveInt", "inputs": {"value": 77}}
    advanced["6"]["inputs"]["text"] = ["21", 0]
    advanced["21"] = {"class_type": "PrimitiveString", "inputs": {"value": "a blue fox"}}
    values = read_texts({"prompt": json.dumps(advanced)}, NOWHERE)
    assert values["seed"] == 77 and values["sampler"] == "Euler a" and values["prompt"] == "a blue fox <lora:line:0.7>"
    image = comfy() | {"5": {"class_type": "VAEEncode", "inputs": {"pixels": ["30", 0], "vae": ["4", 2]}}, "30": {"class_type": "LoadImage", "inputs": {"image": "x.png"}}}
    image["3"]["inputs"] |= {"denoise": 0.6, "sampler_name": "heunpp2", "seed": 2**60}
    values = read_texts({"prompt": json.dumps(image)}, NOWHERE)
    assert values["denoising_strength"] == 0.6 and values["sampler"] == "Automatic" and values["Sampler"] == "heunpp2" and values["seed"] == 2**60 and "width" not in values
    assert ImageParams.restore(values, 1)[1]["seed"] == "Seed must be at most 4294967295.", "a seed of 64 bits has its reason"
    second = comfy() | {"40": {"class_type": "KSampler", "inputs": comfy()["3"]["inputs"] | {"latent_image": ["3", 0], "steps": 9, "denoise": 0.5}}}
    second["8"]["inputs"]["samples"] = ["40", 0]
    values = read_texts({"prompt": json.dumps(second)}, NOWHERE)
    assert values["steps"] == 24 and values["KSampler"] == "40", "the first pass is read, the second named"
    custom = {
        "1": {"class_type": "SamplerCustomAdvanced", "inputs": {"noise": ["2", 0], "guider": ["3", 0], "sampler": ["4", 0], "sigmas": ["5", 0], "latent_image": ["6", 0]}}, "2": {"class_type": "RandomNoise", "inputs": {"noise_seed": 5}},
        "3": {"class_type": "BasicGuider", "inputs": {"model": ["7", 0], "conditioning": ["8", 0]}}, "4": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}}, "5": {"class_type": "BasicScheduler", "inputs": {"scheduler": "simple", "steps": 8, "denoise": 1, "model": ["7", 0]}},
        "6": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 128, "height": 64, "batch_size": 1}}, "7": {"class_type": "UNETLoader", "inputs": {"unet_name": "flux1-dev.safetensors"}}, "8": {"class_type": "FluxGuidance", "inputs": {"guidance": 3.5, "conditioning": ["9", 0]}},
        "9": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["10", 0]}}, "10": {"class_type": "DualCLIPLoader", "inputs": {}}, "11": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
    }  # fmt: skip
    values = read_texts({"prompt": json.dumps(custom)}, NOWHERE)
    assert (values["seed"], values["steps"], values["sampler"], values["prompt"], values["width"], values["model"], values["cfg_scale"]) == (5, 8, "Euler", "a fox", 128, "flux1-dev.safetensors", 3.5)


def test_what_guides_beside_the_scale_is_read_from_comfyui() -> None:
    nodes = {"50": {"class_type": "PerturbedAttentionGuidance", "inputs": {"scale": 3.5, "model": ["51", 0]}}, "51": {"class_type": "RescaleCFG", "inputs": {"multiplier": ["52", 0], "model": ["10", 0]}}, "52": {"class_type": "PrimitiveFloat", "inputs": {"value": 0.6}}}
    graph = comfy(**nodes)
    graph["3"]["inputs"]["model"] = ["50", 0]
    values = read_texts({"prompt": json.dumps(graph)}, NOWHERE)
    assert (values["pag_scale"], values["guidance_rescale"], values["cfg_scale"], values["model"]) == (3.5, 0.6, 6.5, "folder/tiny.safetensors")
    scales = {"b1": 1.3, "b2": 1.4, "s1": 0.9, "s2": 0.2}
    for kind, freed, left in (("FreeU", {f"freeu_{part}": scale for part, scale in scales.items()}, {}), ("FreeU_V2", {}, {"FreeU_V2": "50"})):
        graph["50"] = {"class_type": kind, "inputs": scales | {"model": ["10", 0]}}
        values = read_texts({"prompt": json.dumps(graph)}, NOWHERE)
        assert {name: value for name, value in values.items() if "free" in name.lower()} == freed | left, "the second version is another formula"
    assert "pag_scale" not in read_texts({"prompt": json.dumps(comfy(**nodes))}, NOWHERE), "it stands beside the graph, not in it"
    flux = comfy(**{"60": {"class_type": "FluxGuidance", "inputs": {"guidance": 2.5, "conditioning": ["6", 0]}}})
    flux["3"]["inputs"] |= {"positive": ["60", 0], "cfg": 1.0}
    assert read_texts({"prompt": json.dumps(flux)}, NOWHERE)["cfg_scale"] == 2.5
    flux["3"]["inputs"]["cfg"] = 4.0
    assert read_texts({"prompt": json.dumps(flux)}, NOWHERE)["cfg_scale"] == 4.0


def test_second_models_of_invokeai_and_fooocus_are_read() -> None:
    second = read_texts({"invokeai_metadata": json.dumps(INVOKE | {"refiner_model": {"name": "big"}, "refiner_start": 0.7, "hrf_enabled": False, "hrf_strength": 0.45, "hrf_method": "ESRGAN"})}, NOWHERE)
    assert (second["refiner"], second["refiner_switch"]) == ("big", 0.7) and not {"hrf_strength", "hrf_method"} & set(second)
    larger = read_texts({"invokeai_metadata": json.dumps(INVOKE | {"hrf_enabled": True, "hrf_strength": 0.45})}, NOWHERE)
    assert (larger["hrf_enabled"], larger["hrf_strength"]) == (True, 0.45), "what is not done is told"
    own = ModelEntry("xl/big", "/models/big.safetensors", "image", "safetensors", 1, "big")
    about = {"base_model": "tiny", "guidance_scale": 4.0, "refiner_model": "big.safetensors", "refiner_switch": 0.5}
    found = read_texts({"parameters": json.dumps(about)}, Catalog([], lambda: [own]))
    assert (found["refiner"], found["refiner_switch"]) == ("xl/big", 0.5)
    assert "refiner" not in read_texts({"parameters": json.dumps(about | {"refiner_model": "None"})}, NOWHERE)


INVOKE = {
    "app_version": "4.2.0", "generation_mode": "txt2img", "positive_prompt": "a fox", "negative_prompt": "ice", "width": 64, "height": 96, "seed": 99, "rand_device": "cpu", "cfg_scale": 6.5, "cfg_rescale_multiplier": 0.2, "steps": 12,
    "scheduler": "dpmpp_2m_k", "clip_skip": 1, "model": {"key": "1-2", "hash": "blake3:ab", "name": "tiny", "base": "sd-1", "type": "main"}, "loras": [{"model": {"name": "line"}, "weight": 0.75}], "seamless_x": True, "seamless_y": True,
    "controlnets": [{"control_model": "canny"}], "vae": {"name": "sharp"},
}  # fmt: skip


def test_invokeai_files_are_read_old_and_new() -> None:
    values = read_texts({"invokeai_metadata": json.dumps(INVOKE)}, NOWHERE)
    assert values == {
        "prompt": "a fox <lora:line:0.75>", "negative_prompt": "ice", "width": 64, "height": 96, "seed": 99, "steps": 12, "cfg_scale": 6.5, "guidance_rescale": 0.2, "clip_skip": 2, "model": "tiny", "VAE": "sharp", "tiling": True,
        "sampler": "DPM++ 2M", "schedule": "Karras", "controlnets": [{"control_model": "canny"}], "upscale": 1.0,
    }  # fmt: skip
    old = {"model": "stable diffusion", "model_weights": "tiny", "app_id": "invoke-ai/InvokeAI", "image": {"prompt": [{"prompt": "a fox [ice] runs [[fog]]", "weight": 1.0}], "steps": 30, "cfg_scale": 7.5, "width": 64, "height": 64, "seed": 3, "sampler": "k_euler_a", "type": "txt2img"}}
    values = read_texts({"sd-metadata": json.dumps(old)}, NOWHERE)
    assert (values["prompt"], values["negative_prompt"], values["sampler"], values["seed"], values["model"]) == ("a fox runs", "ice, fog", "Euler a", 3, "tiny")


def test_fooocus_files_are_read() -> None:
    about = {
        "prompt": "a fox", "negative_prompt": "", "full_prompt": ["a fox", "sharp, detailed"], "full_negative_prompt": ["ice"], "styles": "['Fooocus V2']", "performance": "Speed", "steps": 30, "resolution": "(896, 1152)", "guidance_scale": 4.0, "sharpness": 2.0,
        "base_model": "tiny", "base_model_hash": "0123456789", "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras", "seed": "1234", "vae": "Default (model)", "lora_combined_1": "line.safetensors : 0.1", "lora_combined_2": "ink_1.0 : 0.5", "version": "Fooocus v2.5.0", "metadata_scheme": "fooocus",
    }  # fmt: skip
    values = read_texts({"parameters": json.dumps(about)}, NOWHERE)
    assert (values["prompt"], values["negative_prompt"], values["width"], values["height"], values["seed"], values["sampler"], values["schedule"]) == ("a fox, sharp, detailed <lora:line:0.1> <lora:ink_1.0:0.5>", "ice", 896, 1152, 1234, "DPM++ 2M SDE", "Karras")
    assert {name for name in values if name not in ImageParams.model_fields} == {"styles", "performance", "sharpness"}


@pytest.mark.parametrize(
    "raw",
    [b"UNICODE\0" + FORGE.encode("utf-16-be"), b"UNICODE\0" + FORGE.encode("utf-16-le"), b"UNICODE\0" + FORGE.encode("utf-16"), b"ASCII\0\0\0" + FORGE.encode(), b"JIS\0\0\0\0\0" + FORGE.encode("iso2022_jp"), b"\0" * 8 + FORGE.encode(), FORGE.encode()],
)
def test_each_lettering_of_a_user_comment_is_read(raw: bytes) -> None:
    assert user_comment(raw) == FORGE


def test_japanese_comments_are_read_and_our_own_are_no_text() -> None:
    told = "夕焼けの海、大きな船\nNegative prompt: 霧\nSteps: 4, Sampler: Euler, Seed: 1"
    assert all(user_comment(b"UNICODE\0" + told.encode(order)) == told for order in ("utf-16-be", "utf-16-le", "utf-16"))
    assert user_comment(b"JIS\0\0\0\0\0" + told.encode("iso2022_jp")) == told
    assert user_comment(b'ASCII\0\0\0seisei {"a": 1}') == "" == user_comment(b"")


def test_a_model_is_known_by_its_hash_before_its_name(tmp_path: Path) -> None:
    """Another model may have taken the name since, whichever comes first in the list."""
    entries = [ModelEntry(key, "", "image", "safetensors", 1, title, details={"sha256": digest}) for key, title, digest in (("new/fox", "fox", "bb" * 32), ("old/fox-1", "other", "aa" * 32))]
    for order in (entries, entries[::-1]):
        catalog = Catalog([], extra=lambda order=order: order)
        told = "a\nSteps: 4, Sampler: Euler, Seed: 1, Size: 64x64, Model: fox"
        assert read_texts({"parameters": f"{told}, Model hash: aaaaaaaaaa"}, catalog)["model"] == "old/fox-1"
        assert read_texts({"parameters": f"{told}, Model hash: cccccccccc"}, catalog)["model"] == read_texts({"parameters": told}, catalog)["model"] == "new/fox"


def test_hostile_texts_are_refused_in_a_sentence() -> None:
    pick = random.Random(1)

    def spoiled(value: Any) -> Any:
        kind = pick.randrange(8)
        if kind == 0:
            return pick.choice((None, -1, 1e400, [], {}, "x", True, ["3", 0], [["3"], 0], "9" * 400))
        if isinstance(value, dict):
            return {key: spoiled(item) for key, item in value.items()}
        return [spoiled(item) for item in value] if isinstance(value, list) else value

    for _ in range(400):
        for texts in ({"prompt": json.dumps(spoiled(comfy()))}, {"invokeai_metadata": json.dumps(spoiled(INVOKE))}, {"parameters": json.dumps(spoiled({"base_model": "x", "guidance_scale": 1, "lora_combined_1": "a : 1"}))}):
            try:
                values = read_texts(texts, NOWHERE)
            except BadInput:
                continue
            ImageParams.restore(values, 1)
    loop = comfy() | {"6": {"class_type": "ConditioningCombine", "inputs": {"a": ["6", 0], "b": ["12", 0]}}, "12": {"class_type": "ConditioningCombine", "inputs": {"a": ["6", 0]}}}
    assert read_texts({"prompt": json.dumps(loop)}, NOWHERE)["steps"] == 24
    for text in ("{" * 50_000, "[" * 50_000, "Steps: " * 20_000, 'a: "' * 20_000, "Steps: 1, " + "Civitai resources: [" * 5000):
        with pytest.raises(BadInput):
            read_texts({"parameters": text, "prompt": text}, NOWHERE)


# -- through a file ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("reading")
    make_sd1(root / "models" / "tiny")
    made = image_queue(root / "data", root / "models")
    yield made
    finish(made)


def dropped(queue: JobQueue, path: Path) -> Restored:
    studio: Any = type("House", (), {"pipelines": queue.pipelines, "catalog": queue.catalog, "jobs": queue})()
    return restore(path, studio)


def saved_png(texts: dict[str, str], path: Path, *, international: bool) -> Path:
    about = PngInfo()
    for name, text in texts.items():
        (about.add_itxt if international else about.add_text)(name, text)
    Image.new("RGB", (8, 8)).save(path, pnginfo=about)
    return path


def saved_exif(text: str, path: Path) -> Path:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    return path


def saved_comfy_webp(graph: dict[str, Any], path: Path) -> Path:
    exif = Image.Exif()
    exif[0x0110] = "prompt:" + json.dumps(graph)
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    return path


def saved_fooocus(text: str, path: Path) -> Path:
    """Where Fooocus puts it: among the file's own tags."""
    exif = Image.Exif()
    exif[0x9286], exif[0x0131], exif[0x927C] = text, "Fooocus v2.5.5", "fooocus"
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    return path


FOOOCUS = json.dumps({"prompt": "a fox", "negative_prompt": "ice", "resolution": "(64, 96)", "guidance_scale": 4.0, "base_model": "tiny", "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras", "seed": "1234", "steps": 12, "metadata_scheme": "fooocus"})
MADE: dict[str, Callable[[Path], Path]] = {
    "text.png": lambda path: saved_png({"parameters": FORGE}, path, international=False), "itext.png": lambda path: saved_png({"parameters": FORGE}, path, international=True), "a.jpg": lambda path: saved_exif(FORGE, path), "a.webp": lambda path: saved_exif(FORGE, path),
    "comfy.png": lambda path: saved_png({"prompt": json.dumps(comfy())}, path, international=False), "comfy.webp": lambda path: saved_comfy_webp(comfy(), path), "invoke.png": lambda path: saved_png({"invokeai_metadata": json.dumps(INVOKE)}, path, international=True),
    "fooocus.jpg": lambda path: saved_fooocus(FOOOCUS, path), "fooocus.webp": lambda path: saved_fooocus(FOOOCUS, path),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_a_dropped_file_gives_its_settings_back_and_they_can_be_run(queue: JobQueue, tmp_path: Path, name: str) -> None:
    found = dropped(queue, MADE[name](tmp_path / name))
    hand_over(found, type("House", (), {"store": queue.store})(), "local")  # type: ignore[arg-type]
    assert queue.store.recall("local", "restore:image.generate") == found.params | {"extras": {}}, "what the tab fills itself with"
    assert found.pipeline_id == "image.generate" and found.params["prompt"].startswith("a fox") and found.params["negative_prompt"] == "ice" and found.params["model"] == "tiny" and not found.model_missing
    assert (found.params["width"], found.params["height"]) == (64, 96) and set(found.refused) <= {"Distilled CFG Scale", "VAE", "controlnets"}
    params = ImageParams.parse(found.params | {"prompt": "a fox", "vae": ""})
    assert queue.pipelines["image.generate"].settle(params, queue.desk).sampler in ("DPM++ 2M", "DPM++ 2M SDE")  # type: ignore[attr-defined]


def test_names_that_are_not_known_do_not_break_a_restore(queue: JobQueue, tmp_path: Path) -> None:
    found = dropped(queue, saved_png({"parameters": A1111}, tmp_path / "x.png", international=False))
    assert found.params["sampler"] == "Automatic" and found.params["steps"] == 12 and set(found.refused) == {"Sampler", "Schedule type", "Hires checkpoint"}
    queue.pipelines["image.generate"].settle(ImageParams.parse(found.params | {"hires_scale": 1.0, "refiner": ""}), queue.desk)  # type: ignore[attr-defined]
