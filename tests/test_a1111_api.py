"""The AUTOMATIC1111-compatible API on a whole studio, driven by the `webuiapi` client as it is."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import webuiapi
from PIL import Image

from tests.image_models import make_controlnet, make_sd1
from tests.running import Running, running

pytestmark = pytest.mark.slow
GETS = ["progress", "options", "cmd-flags", "samplers", "schedulers", "upscalers", "latent-upscale-modes", "sd-models", "sd-vae", "sd-modules", "hypernetworks", "face-restorers", "realesrgan-models", "prompt-styles", "embeddings", "memory", "scripts", "script-info", "extensions", "loras"]
POSTS = ["interrupt", "skip", "refresh-checkpoints", "refresh-embeddings", "refresh-vae", "refresh-loras", "unload-checkpoint", "reload-checkpoint"]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("a1111")
    make_sd1(data / "models" / "stable-diffusion" / "tiny")
    make_controlnet(data / "models" / "controlnet" / "edges")
    with running(data) as made:
        yield made


@pytest.fixture
def client(studio: Running) -> webuiapi.WebUIApi:
    return webuiapi.WebUIApi(baseurl=f"{studio.url}/sdapi/v1", sampler="Euler", steps=4)


def ramp() -> Image.Image:
    return Image.linear_gradient("L").resize((32, 32)).convert("RGB")


def test_text_to_image(client: webuiapi.WebUIApi) -> None:
    told = client.txt2img(prompt="a red cat", negative_prompt="fog", seed=7, width=32, height=32, cfg_scale=5, batch_size=2, styles=[])
    assert len(told.images) == 2 and told.image.size == (32, 32) and told.info["all_seeds"] == [7, 8] and told.info["steps"] == 4 and told.info["sampler_name"] == "Euler"
    assert "Negative prompt: fog\nSteps: 4, Sampler: Euler" in told.info["infotexts"][0] and told.parameters["prompt"] == "a red cat"
    again = client.txt2img(prompt="a red cat", negative_prompt="fog", seed=8, width=32, height=32, cfg_scale=5)
    assert again.image.tobytes() == told.images[1].tobytes()


def test_image_to_image_and_inpainting(client: webuiapi.WebUIApi) -> None:
    mask = Image.new("L", (16, 16), 0)
    mask.paste(255, (4, 4, 12, 12))
    told = client.img2img(images=[ramp()], prompt="a dog", denoising_strength=0.6, seed=3, width=32, height=32)
    assert told.image.size == (32, 32) and told.info["denoising_strength"] == 0.6
    masked = client.img2img(images=[ramp()], prompt="a dog", denoising_strength=0.8, seed=3, width=32, height=32, mask_image=mask, mask_blur=0, inpainting_fill=1, inpaint_full_res=False)
    assert masked.image.getpixel((1, 1)) == ramp().getpixel((1, 1)) and masked.image.getpixel((16, 16)) != ramp().getpixel((16, 16))


def test_enlarging_and_png_info(client: webuiapi.WebUIApi, studio: Running) -> None:
    assert client.extra_single_image(image=ramp(), upscaling_resize=2, upscaler_1="Lanczos").image.size == (64, 64)
    assert [image.size for image in client.extra_batch_images(images=[ramp(), ramp()], upscaling_resize=4, upscaler_1="Real-ESRGAN").images] == [(128, 128)] * 2
    answer = post(studio, "txt2img", prompt="a cat", steps=2, seed=1, width=32, height=32)
    told = post(studio, "png-info", image=answer["images"][0])
    assert told["info"].startswith("a cat\nSteps: 2") and told["parameters"]["steps"] == 2 and told["items"]["parameters"] == told["info"]


def test_the_getters_and_the_model_switch(client: webuiapi.WebUIApi) -> None:
    assert "Euler a" in client.util_get_sampler_names() and "karras" in client.util_get_scheduler_names()
    names = client.util_get_model_names()
    assert "tiny" in names
    client.util_set_model("tiny")
    assert client.util_get_current_model() == "tiny" and client.get_options()["sd_model_checkpoint"] == "tiny"
    client.util_wait_for_ready(check_interval=0.1)
    for call in (client.get_loras, client.get_sd_vae, client.get_upscalers, client.get_latent_upscale_modes, client.get_embeddings, client.get_memory, client.refresh_checkpoints, client.interrupt, client.skip, client.get_cmd_flags):
        call()


def test_every_getter_of_the_client_gets_an_answer(client: webuiapi.WebUIApi) -> None:
    names = [name for name in dir(client) if name.startswith("get_") and name != "get_endpoint"]
    assert len(names) > 15 and {name: type(getattr(client, name)()).__name__ for name in names} == {name: "dict" if name in ("get_cmd_flags", "get_embeddings", "get_memory", "get_options", "get_progress", "get_scripts") else "list" for name in names}
    assert (client.has_controlnet, client.has_adetailer, client.has_animatediff) == (False, False, False)
    assert client.png_info(client.txt2img(prompt="a dog", seed=1, width=32, height=32).image).info.startswith("a dog\nSteps: 4")
    assert client.interrogate(ramp()).info == ""


def test_its_control_net_units_work_unmodified(client: webuiapi.WebUIApi) -> None:
    assert client.controlnet_version() == 3 and client.controlnet_model_list() == ["edges"] and "canny" in client.controlnet_module_list()
    plain = client.txt2img(prompt="a cat", seed=1, width=32, height=32)
    one, two = webuiapi.ControlNetUnit(image=ramp(), module="canny", model="edges"), webuiapi.ControlNetUnit(image=ramp().rotate(90), module="none", model="edges", weight=0.5, guidance_end=0.8)
    # a dictionary of its own for each call: the client's default one keeps the units for later calls
    guided = [client.txt2img(prompt="a cat", seed=1, width=32, height=32, controlnet_units=units, alwayson_scripts={}) for units in ([one], [one, two])]
    assert len({told.image.tobytes() for told in (plain, *guided)}) == 3 and guided[1].info["ignored"] == [] and "Module: canny, Model: edges" in guided[0].info["infotexts"][0]
    plain = client.img2img(images=[ramp()], prompt="a cat", seed=1, width=32, height=32)
    begun = client.img2img(images=[ramp()], prompt="a cat", seed=1, width=32, height=32, controlnet_units=[webuiapi.ControlNetUnit(module="none", model="edges")], alwayson_scripts={})
    assert begun.image.tobytes() != plain.image.tobytes()


def test_every_route_answers_with_json(studio: Running) -> None:
    for name in GETS:
        with urllib.request.urlopen(f"{studio.url}/sdapi/v1/{name}", timeout=60) as answer:
            assert answer.status == 200
            json.load(answer)
    for name in POSTS:
        post(studio, name)


@pytest.mark.parametrize(
    ("route", "values", "status", "words"),
    [
        ("txt2img", {"sampler_name": "Nothing"}, 400, "Sampler not found"), ("img2img", {}, 404, "Init image not found"), ("img2img", {"init_images": ["nonsense"]}, 422, "Invalid encoded image"),
        ("txt2img", {"prompt": "x", "width": 500, "sampler_name": "Euler"}, 422, "multiple of 8"), ("txt2img", {"prompt": "(a"}, 422, "never closed"), ("txt2img", {"override_settings": {"sd_model_checkpoint": "gone"}}, 422, "gone"),
        ("options", {"sd_model_checkpoint": "gone"}, 422, "not on this computer"), ("interrogate", {}, 422, "Invalid encoded image"),
    ],
)  # fmt: skip
def test_bad_requests_are_told_in_the_originals_form(studio: Running, route: str, values: dict[str, Any], status: int, words: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as told:
        post(studio, route, **values)
    answer = json.loads(told.value.read())
    told.value.close()
    assert told.value.code == status and words in answer["detail"] and set(answer) == {"error", "detail", "body", "errors"}


def test_unknown_fields_are_ignored_and_old_names_taken(studio: Running) -> None:
    answer = post(studio, "txt2img", prompt="x", sampler_index="DPM++ 2M Karras", steps=2, width=32, height=32, seed=1, no_such_field=[1], alwayson_scripts={"ADetailer": {"args": []}}, scheduler=None)
    info = json.loads(answer["info"])
    assert info["sampler_name"] == "DPM++ 2M" and "Schedule type: Karras" in info["infotexts"][0] and len(base64.b64decode(answer["images"][0])) > 100


def test_progress_and_interrupt_mean_ones_own_job(studio: Running, client: webuiapi.WebUIApi) -> None:
    told: list[Any] = []
    thread = threading.Thread(target=lambda: told.append(post(studio, "txt2img", prompt="x", sampler_name="Euler", steps=150, width=256, height=256, seed=1)))
    thread.start()
    until(lambda: client.get_progress()["state"]["sampling_step"] >= 2)
    progress = client.get_progress()
    assert 0 < progress["progress"] < 1 and progress["state"]["sampling_steps"] == 150 and progress["state"]["job_count"] == 1
    client.interrupt()
    thread.join(timeout=240)
    assert len(told[0]["images"]) == 1, "the picture as far as it was"
    assert client.get_progress()["progress"] == 0.0
    Image.open(io.BytesIO(base64.b64decode(told[0]["images"][0]))).close()


def test_a_client_that_is_gone_ends_its_job(studio: Running) -> None:
    body = json.dumps({"prompt": "x", "sampler_name": "Euler", "steps": 150, "width": 256, "height": 256}).encode()
    host, port = studio.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(b"POST /sdapi/v1/txt2img HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        until(lambda: studio.get("/sdapi/v1/progress")["state"]["sampling_step"] >= 1)
        (mine,) = [row["id"] for row in studio.get("/api/v1/jobs") if row["mine"]]
    assert studio.wait(mine)["state"] == "cancelled" and studio.get("/sdapi/v1/progress")["state"]["job_count"] == 0


def test_the_page_s_picture_is_followed_and_finished_too(studio: Running, client: webuiapi.WebUIApi) -> None:
    job = studio.post("/api/v1/pipelines/image.generate", prompt="x", sampler="Euler", steps=150, width=256, height=256, upscale=1)["id"]
    until(lambda: client.get_progress()["state"]["sampling_step"] >= 2)
    until(lambda: client.get_progress()["current_image"])
    Image.open(io.BytesIO(base64.b64decode(client.get_progress()["current_image"]))).close()
    client.interrupt()
    ended = studio.wait(job)
    assert ended["state"] == "done" and len(ended["outputs"]) == 1, "what the page made stays in its gallery"


def test_two_callers_each_see_and_stop_their_own(tmp_path: Path) -> None:
    make_sd1(tmp_path / "models" / "stable-diffusion" / "tiny")
    with running(tmp_path, env={"SEISEI_AUTH": "ann:secret,bob:other"}) as studio:
        ann, bob = (webuiapi.WebUIApi(baseurl=f"{studio.url}/sdapi/v1", username=name, password=password, sampler="Euler") for name, password in (("ann", "secret"), ("bob", "other")))
        told: list[Any] = []
        thread = threading.Thread(target=lambda: told.append(ann.txt2img(prompt="x", steps=150, width=256, height=256, seed=1)))
        thread.start()
        until(lambda: ann.get_progress()["state"]["sampling_step"] >= 2)
        assert bob.get_progress() == {"progress": 0.0, "eta_relative": 0.0, "state": bob.get_progress()["state"], "current_image": None, "textinfo": None} and bob.get_progress()["state"]["job_count"] == 0
        bob.interrupt()
        bob.skip()
        before = ann.get_progress()["state"]
        until(lambda: not thread.is_alive() or ann.get_progress()["state"]["sampling_step"] > before["sampling_step"])
        assert not before["interrupted"]
        ann.interrupt()
        thread.join(timeout=240)
        assert len(told[0].images) == 1


def test_with_sign_in_it_asks_for_a_password(tmp_path: Path) -> None:
    with running(tmp_path, env={"SEISEI_AUTH": "ann:secret"}) as studio:
        with pytest.raises(urllib.error.HTTPError) as told:
            post(studio, "txt2img", prompt="x")
        told.value.close()
        assert told.value.code == 401
        client = webuiapi.WebUIApi(baseurl=f"{studio.url}/sdapi/v1", username="ann", password="secret")
        assert isinstance(client.get_sd_models(), list)


def until(wanted: Any, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def post(studio: Running, route: str, **values: Any) -> Any:
    request = urllib.request.Request(f"{studio.url}/sdapi/v1/{route}", json.dumps(values).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer)
