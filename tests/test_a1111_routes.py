"""The A1111 API's routes behind the gate, over a tiny Stable Diffusion in this process: what is answered, kept, remembered and shown to whom."""

from __future__ import annotations

import asyncio
import base64
import importlib
import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from studio.api import Loading, Preview, Progress, Studio
from studio.downloads import Downloads
from studio.gate import Accounts, Gate, Sessions
from studio.i18n import Words, read_catalogue
from studio.plugins import Hooks, read_manifest
from studio.rest import mount
from tests.house import finish
from tests.image_models import image_queue, make_sd1
from tests.sentences import sentences
from tests.upscaler_models import save

FOLDER = Path(__file__).resolve().parent.parent / "extensions" / "a1111_api"
SMALL = {"prompt": "a red cat", "steps": 2, "seed": 7, "width": 32, "height": 32}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Studio, Starlette]]:
    data = tmp_path_factory.mktemp("a1111")
    make_sd1(data / "models" / "stable-diffusion" / "tiny")
    save(data / "models" / "ESRGAN", "2x_compact")
    queue = image_queue(data, data / "models")
    queue.start()
    Hooks().load_folder(FOLDER)
    extension = importlib.import_module("seisei_extensions.a1111_api.extension")
    studio = Studio(queue.settings, queue.hooks, queue.pipelines, queue.catalog, queue, queue.store, Words(), Downloads(lambda: queue.settings, queue.catalog.refresh))
    gate = Middleware(Gate, accounts=Accounts({"ann": "secret", "bob": "other"}), sessions=Sessions(data), exposed=True)
    yield studio, Starlette(routes=[mount(route, studio.words) for route in extension.register_routes(studio)], middleware=[gate])
    finish(queue)


@pytest.fixture
def studio(house: tuple[Studio, Starlette]) -> Studio:
    return house[0]


@pytest.fixture
def ann(house: tuple[Studio, Starlette]) -> TestClient:
    client = TestClient(house[1], base_url="http://127.0.0.1")
    client.auth = ("ann", "secret")
    return client


@pytest.fixture
def bob(house: tuple[Studio, Starlette]) -> TestClient:
    client = TestClient(house[1], base_url="http://127.0.0.1")
    client.auth = ("bob", "other")
    return client


def asked(client: TestClient, route: str, **values: Any) -> dict[str, Any]:
    answer = client.post(f"/sdapi/v1/{route}", json=values)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def picture(encoded: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(encoded)))


def sent(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def ramp(side: int = 32) -> Image.Image:
    return Image.linear_gradient("L").resize((side, side)).convert("RGB")


def test_nothing_is_answered_without_sign_in(house: tuple[Studio, Starlette]) -> None:
    stranger = TestClient(house[1], base_url="http://127.0.0.1")
    assert {stranger.request(method, route.path).status_code for route in house[1].routes for method in route.methods} == {401}  # type: ignore[attr-defined]


def test_pictures_stay_in_the_gallery_only_where_that_was_asked_for(ann: TestClient, studio: Studio) -> None:
    before = studio.store.count(owner="local")
    told = asked(ann, "txt2img", **SMALL, batch_size=2)
    assert len(told["images"]) == 2 and studio.store.count(owner="local") == before and studio.store.count(owner="local", trashed=True) == 0
    kept = asked(ann, "txt2img", **SMALL, save_images=True)
    assert picture(kept["images"][0]).tobytes() == picture(told["images"][0]).tobytes()
    assert studio.store.count(owner="local") == before + 1


def test_the_picture_carries_its_settings_as_the_info_tells_them(ann: TestClient) -> None:
    told = asked(ann, "txt2img", **SMALL, n_iter=2, negative_prompt="fog", sampler_name="Euler", restore_faces=True)
    info = json.loads(told["info"])
    assert [picture(one).info["parameters"] for one in told["images"]] == info["infotexts"] and info["all_seeds"] == info["all_subseeds"] == [7, 8]
    assert info["all_prompts"] == ["a red cat"] * 2 and info["all_negative_prompts"] == ["fog"] * 2 and info["ignored"] == ["restore_faces"] and info["sd_model_name"] == "tiny"
    assert told["parameters"]["sampler_name"] == "Euler" and told["parameters"]["hr_scale"] == 2.0 and info["denoising_strength"] is None
    read = asked(ann, "png-info", image=told["images"][1])
    assert read["info"] == info["infotexts"][1] and read["parameters"]["Seed"] == "8" and read["parameters"]["seed"] == 8
    assert asked(ann, "png-info", image=sent(ramp())) == {"info": "", "items": {}, "parameters": {}}


def test_pictures_are_not_sent_where_nobody_wants_them(ann: TestClient) -> None:
    told = asked(ann, "txt2img", **SMALL, send_images=False)
    assert told["images"] == [] and json.loads(told["info"])["seed"] == 7


def test_styles_are_ones_own(ann: TestClient, bob: TestClient, studio: Studio) -> None:
    studio.store.put_document(kind="style", owner="local", title="Ink", body={"prompt": "ink of {prompt}", "negative_prompt": "colour"})
    assert ann.get("/sdapi/v1/prompt-styles").json() == [{"name": "Ink", "prompt": "ink of {prompt}", "negative_prompt": "colour"}] and bob.get("/sdapi/v1/prompt-styles").json() == []
    info = json.loads(asked(ann, "txt2img", **SMALL, styles=["Ink", "gone"])["info"])
    assert info["prompt"] == "ink of a red cat" and info["negative_prompt"] == "colour" and info["styles"] == ["Ink"]
    assert json.loads(asked(bob, "txt2img", **SMALL, styles=["Ink"])["info"])["prompt"] == "a red cat"


def test_options_are_ones_own_and_change_what_is_drawn(ann: TestClient, bob: TestClient) -> None:
    assert ann.post("/sdapi/v1/options", json={"CLIP_stop_at_last_layers": 2, "sd_model_checkpoint": "tiny.safetensors", "no_such_option": 1}).json() is None
    mine, others = (client.get("/sdapi/v1/options").json() for client in (ann, bob))
    assert mine["CLIP_stop_at_last_layers"] == 2 and mine["sd_model_checkpoint"] == "tiny" and "no_such_option" not in mine and others["CLIP_stop_at_last_layers"] == 1
    told = [asked(client, "txt2img", **SMALL) for client in (ann, bob)]
    assert [json.loads(one["info"])["clip_skip"] for one in told] == [2, 1] and picture(told[0]["images"][0]).tobytes() != picture(told[1]["images"][0]).tobytes()
    refused = ann.post("/sdapi/v1/options", json={"CLIP_stop_at_last_layers": 99})
    assert refused.status_code == 422 and ann.get("/sdapi/v1/options").json() == mine
    asked(ann, "txt2img", **SMALL, override_settings={"CLIP_stop_at_last_layers": 1})
    assert ann.get("/sdapi/v1/options").json() == mine, "restored afterwards"
    asked(ann, "txt2img", **SMALL, override_settings={"CLIP_stop_at_last_layers": 1}, override_settings_restore_afterwards=False)
    assert ann.get("/sdapi/v1/options").json()["CLIP_stop_at_last_layers"] == 1


def test_freeu_is_switched_on_as_an_option_too(ann: TestClient, bob: TestClient) -> None:
    scales = {"freeu_b1": 1.5, "freeu_b2": 1.6, "freeu_s1": 0.9, "freeu_s2": 0.5}
    plain = picture(asked(ann, "txt2img", **SMALL)["images"][0]).tobytes()
    ann.post("/sdapi/v1/options", json={"freeu_enabled": True, **scales})
    assert scales.items() <= ann.get("/sdapi/v1/options").json().items() and bob.get("/sdapi/v1/options").json()["freeu_enabled"] is False
    on = picture(asked(ann, "txt2img", **SMALL)["images"][0]).tobytes()
    assert on != plain and on == picture(asked(bob, "txt2img", **SMALL, freeu_enabled=True, **scales)["images"][0]).tobytes()
    for wrong in (9, "much"):
        assert ann.post("/sdapi/v1/options", json={"freeu_b1": wrong}).status_code == 422
    ann.post("/sdapi/v1/options", json={"freeu_enabled": False})
    assert picture(asked(ann, "txt2img", **SMALL)["images"][0]).tobytes() == plain


def test_a_small_model_draws_at_its_own_size_and_says_so(ann: TestClient) -> None:
    told = asked(ann, "txt2img", **(SMALL | {"width": 64, "height": 96}))
    info = json.loads(told["info"])
    assert picture(told["images"][0]).size == (info["width"], info["height"]) == (64, 96)
    assert info["extra_generation_params"]["Postprocess upscale by"] > 1 and "Size: 32x48" in info["infotexts"][0]


def test_a_grid_comes_first_where_it_is_wanted(ann: TestClient) -> None:
    ann.post("/sdapi/v1/options", json={"return_grid": True})
    told = asked(ann, "txt2img", **SMALL, batch_size=2)
    info = json.loads(told["info"])
    assert info["index_of_first_image"] == 1 and len(told["images"]) == len(info["infotexts"]) == 3 and picture(told["images"][0]).size == (64, 32)
    assert len(asked(ann, "txt2img", **SMALL, batch_size=2, do_not_save_grid=True)["images"]) == 2
    ann.post("/sdapi/v1/options", json={"return_grid": False})


def test_variations_keep_the_seed_and_move_towards_the_next_one(ann: TestClient) -> None:
    told = asked(ann, "txt2img", **SMALL, batch_size=2, subseed=3, subseed_strength=0.5)
    info = json.loads(told["info"])
    assert info["all_seeds"] == [7, 7] and info["all_subseeds"] == [3, 4] and info["subseed_strength"] == 0.5
    alone = asked(ann, "txt2img", **SMALL, subseed=4, subseed_strength=0.5)
    assert picture(alone["images"][0]).tobytes() == picture(told["images"][1]).tobytes() != picture(told["images"][0]).tobytes()


def test_variations_of_a_picture_that_is_begun_from_are_passed_over_and_told(ann: TestClient) -> None:
    begun = {"init_images": [sent(ramp())], "denoising_strength": 0.5}
    told = asked(ann, "img2img", **SMALL, **begun, subseed=4, subseed_strength=0.5, seed_resize_from_w=64)
    assert json.loads(told["info"])["ignored"] == ["subseed_strength", "seed_resize_from_w"]
    assert picture(told["images"][0]).tobytes() == picture(asked(ann, "img2img", **SMALL, **begun)["images"][0]).tobytes()


def test_several_pictures_to_begin_from_give_one_each(ann: TestClient) -> None:
    told = asked(ann, "img2img", **SMALL, init_images=[sent(ramp()), sent(ramp().rotate(90))], denoising_strength=0.5, include_init_images=False)
    info = json.loads(told["info"])
    assert info["all_seeds"] == [7, 8] and told["parameters"]["init_images"] is None and info["denoising_strength"] == 0.5
    one = asked(ann, "img2img", **(SMALL | {"seed": 8}), init_images=[sent(ramp().rotate(90))], denoising_strength=0.5, include_init_images=True)
    assert picture(one["images"][0]).tobytes() == picture(told["images"][1]).tobytes() and len(one["parameters"]["init_images"]) == 1


def test_a_mask_of_another_size_is_brought_to_its_picture(ann: TestClient) -> None:
    mask = Image.new("L", (16, 16), 0)
    mask.paste(255, (4, 4, 12, 12))
    told = asked(ann, "img2img", **SMALL, init_images=[sent(ramp(64))], mask=sent(mask), mask_blur=0, denoising_strength=0.9, inpainting_fill=1)
    drawn = picture(told["images"][0])
    assert drawn.size == (64, 64) and drawn.getpixel((2, 2)) == ramp(64).getpixel((2, 2)) and drawn.getpixel((32, 32)) != ramp(64).getpixel((32, 32))
    turned = asked(ann, "img2img", **SMALL, init_images=[sent(ramp(64))], mask=sent(mask), mask_blur=0, denoising_strength=0.9, inpainting_fill=1, inpainting_mask_invert=1)
    assert picture(turned["images"][0]).getpixel((32, 32)) == ramp(64).getpixel((32, 32))


def test_one_s_own_upscalers_are_listed_and_used(ann: TestClient) -> None:
    listed = {item["name"]: item for item in ann.get("/sdapi/v1/upscalers").json()}
    assert list(listed) == ["None", "Automatic", "Real-ESRGAN", "Lanczos", "Nearest", "2x_compact"] and listed["2x_compact"]["scale"] == 2 and listed["2x_compact"]["model_path"].endswith("2x_compact.safetensors")
    assert [item["name"] for item in ann.get("/sdapi/v1/realesrgan-models").json()] == ["2x_compact"]
    made = {name: picture(asked(ann, "extra-single-image", image=sent(ramp()), upscaling_resize=2, upscaler_1=name)["image"]) for name in ("2x_compact", "2x_compact.pth", "Real-ESRGAN", "Automatic")}
    assert made["2x_compact"].size == (64, 64) and made["2x_compact"].tobytes() == made["2x_compact.pth"].tobytes() == made["Automatic"].tobytes() != made["Real-ESRGAN"].tobytes()
    batch = asked(ann, "extra-batch-images", imageList=[{"data": sent(ramp()), "name": "a"}] * 2, upscaling_resize=2, upscaler_1="2x_compact")
    assert [picture(image).tobytes() for image in batch["images"]] == [made["2x_compact"].tobytes()] * 2


def test_enlarging_to_a_size_and_blending_two_upscalers(ann: TestClient, studio: Studio) -> None:
    before = studio.store.count(owner="local")
    wide = {"image": sent(ramp()), "resize_mode": 1, "upscaling_resize_w": 80, "upscaling_resize_h": 40, "upscaler_1": "Lanczos"}
    assert picture(asked(ann, "extra-single-image", **wide)["image"]).size == (80, 40)
    assert picture(asked(ann, "extra-single-image", **wide, upscaling_crop=False)["image"]).size == (80, 80)
    plain, drawn, both = (
        picture(asked(ann, "extra-single-image", image=sent(ramp()), upscaling_resize=2, **how)["image"])
        for how in ({"upscaler_1": "Lanczos"}, {"upscaler_1": "R-ESRGAN 4x+"}, {"upscaler_1": "Lanczos", "upscaler_2": "Real-ESRGAN", "extras_upscaler_2_visibility": 0.5})
    )
    assert both.tobytes() == Image.blend(plain, drawn, 0.5).tobytes() and plain.tobytes() != drawn.tobytes()
    clear = ramp().convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    large = picture(asked(ann, "extra-single-image", image=sent(clear), upscaling_resize=2, upscaler_1="Nearest")["image"]).convert("RGBA")
    assert large.tobytes() == clear.resize((64, 64), Image.Resampling.NEAREST).tobytes(), "what can be seen through stays so"
    deep = Image.fromarray(np.linspace(0, 65535, 32 * 32).reshape(32, 32).astype(np.uint16))
    grey = picture(asked(ann, "extra-single-image", image=sent(deep), upscaling_resize=2, upscaler_1="Nearest")["image"]).convert("L")
    assert abs(int(grey.getpixel((63, 31))) - 127) <= 2 and grey.getextrema() == (0, 255), "16 bits become 8, none is cut off"
    untouched = asked(ann, "extra-batch-images", imageList=[{"data": sent(ramp()), "name": "a"}], gfpgan_visibility=1)
    assert picture(untouched["images"][0]).tobytes() == ramp().tobytes() and "not restored" in untouched["html_info"]
    assert studio.store.count(owner="local") == before


@pytest.mark.parametrize(
    ("route", "values", "words"),
    [
        ("extra-single-image", {"image": sent(ramp()), "upscaling_resize": 9}, "from 1 to 4"), ("extra-single-image", {"image": sent(ramp()), "upscaler_1": "SwinIR 4x"}, "SwinIR"), ("extra-single-image", {"image": "x"}, "Invalid encoded image"),
        ("extra-single-image", {"image": sent(ramp()), "resize_mode": 2}, "resize_mode"), ("extra-single-image", {"image": sent(ramp()), "resize_mode": 1, "upscaling_resize_w": 0}, "from 1 to 16384"), ("extra-single-image", {"image": sent(ramp()), "extras_upscaler_2_visibility": 1.5}, "from 0 to 1"), ("extra-batch-images", {"imageList": "x"}, "must be a list"),
        ("png-info", {}, "Invalid encoded image"), ("img2img", {"init_images": [sent(ramp())], "mask": "AAAA"}, "Invalid encoded image"), ("txt2img", {"prompt": "<lora:gone:1>"}, "gone"), ("txt2img", {"scheduler": "nothing"}, "nothing"),
    ],
)  # fmt: skip
def test_bad_values_get_a_sentence(ann: TestClient, route: str, values: dict[str, Any], words: str) -> None:
    answer = ann.post(f"/sdapi/v1/{route}", json=values)
    assert answer.status_code in (409, 422) and words in answer.json()["detail"] and set(answer.json()) == {"error", "detail", "body", "errors"}


def test_errors_are_told_in_the_asker_s_language(ann: TestClient) -> None:
    told = ann.post("/sdapi/v1/txt2img", json={"sampler_name": "Nothing"}, headers={"accept-language": "ja"})
    assert told.status_code == 400 and "サンプラー" in told.json()["detail"]
    for broken in (b"{", b"[]", b'{"x": NaN}', b'{"x": "\\ud800"}', b'{"x": "\xff"}'):
        assert ann.post("/sdapi/v1/txt2img", content=broken).status_code == 422


def test_every_sentence_of_it_has_its_japanese() -> None:
    own = read_manifest(FOLDER)
    known = set(read_catalogue("ja")) | set(own.words["ja"])
    told = {text for text, place in sentences().items() if place.startswith("extensions/a1111_api")} | {own.title, own.description}
    assert not sorted(told - known) and len(told) > 10


def test_two_callers_see_and_stop_only_their_own_work(ann: TestClient, bob: TestClient) -> None:
    told: dict[str, Any] = {}
    long = {"prompt": "x", "steps": 150, "width": 64, "height": 64, "force_task_id": "mine"}
    threads = [threading.Thread(target=lambda name=name, client=client: told.update({name: asked(client, "txt2img", **long)})) for name, client in (("ann", ann), ("bob", bob))]
    threads[0].start()
    until(lambda: state(ann)["sampling_step"] >= 2)
    assert bob.get("/sdapi/v1/progress").json()["progress"] == 0.0 and state(bob)["job_count"] == 0
    threads[1].start()
    until(lambda: state(bob)["job_count"] == 1)
    assert bob.get("/sdapi/v1/progress").json()["progress"] == 0.0, "it waits"
    assert bob.get("/internal/pending-tasks").json() == {"size": 1, "tasks": ["mine"]} and ann.get("/internal/pending-tasks").json()["size"] == 0
    assert bob.post("/internal/progress", json={"id_task": "mine"}).json()["queued"] and ann.post("/internal/progress", json={"id_task": "mine"}).json()["active"]
    bob.post("/sdapi/v1/interrupt")
    threads[1].join(timeout=30)
    assert told["bob"]["images"] == [] and threads[0].is_alive() and not state(ann)["interrupted"]
    ann.post("/sdapi/v1/skip")
    threads[0].join(timeout=30)
    assert len(told["ann"]["images"]) == 1, "the last picture is finished as far as it is"
    assert ann.get("/sdapi/v1/progress").json()["progress"] == 0.0 and bob.post("/internal/progress", json={"id_task": "mine"}).json()["completed"]


def state(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/sdapi/v1/progress?skip_current_image=true").json()["state"]
    return found


def until(wanted: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_progress_counts_pictures_and_steps_over_all_jobs(tmp_path: Path) -> None:
    Hooks().load_folder(FOLDER)
    tasks = importlib.import_module("seisei_extensions.a1111_api.tasks")
    Image.new("RGB", (2, 2)).save(tmp_path / "preview.png")
    told: dict[Any, Any] = {Progress: Progress(25, 60, "Picture 2 of 3", 4.0), Preview: Preview(str(tmp_path / "preview.png")), Loading: None}
    job = SimpleNamespace(state="running", latest=told.get, params=SimpleNamespace(steps=20), wanted_stop="", pipeline=SimpleNamespace(id="image.generate"))
    alone, second = tasks.Task("a", "ann", 1, 3, [job]), tasks.Task("b", "ann", 2, 6, [SimpleNamespace(state="done"), job])
    assert tasks.place_of(alone) == {"job_no": 1, "sampling_step": 5, "sampling_steps": 20} and tasks.fraction_of(alone) == 25 / 60
    assert tasks.fraction_of(second) == (1 + 25 / 60) / 2 and tasks.state_of(second)["job_no"] == 4 and tasks.state_of(second)["job_count"] == 6
    assert tasks.eta_of(alone) == 4.0 and tasks.note_of(alone) == "Picture 2 of 3" and base64.b64decode(tasks.preview_of(alone)).startswith(b"\x89PNG")
    told[Progress] = Progress(60, 60)
    assert tasks.place_of(alone) == {"job_no": 2, "sampling_step": 20, "sampling_steps": 20} and tasks.fraction_of(alone) == 0.99
    told[Preview] = Preview(str(tmp_path / "gone.png"))
    assert tasks.preview_of(alone) is None
    told[Progress], told[Loading], job.pipeline.id = None, Loading("Enlarging", 0.5), "image.upscale"
    assert tasks.fraction_of(alone) == 0.5 and tasks.note_of(alone) == "Enlarging"
    told[Progress], job.pipeline.id = Progress(25, 80, "", 1.0), "image.grid"
    grid = tasks.Task("c", "ann", 1, 4, [job])
    assert tasks.place_of(grid) == {"job_no": 1, "sampling_step": 5, "sampling_steps": 20} and tasks.fraction_of(grid) == (1 + 5 / 20) / 4, "a grid counts the steps of all its cells"
    told[Progress], told[Loading] = None, Loading("Loading", 0.5)
    assert tasks.fraction_of(grid) == 0.01, "a model that is loaded is no cell"


class Errand:
    """A request and a queue in one: a job that ends when it is told to, or when its client goes."""

    def __init__(self, *, stop_at_submit: bool = False, gone: bool = False) -> None:
        self.headers, self.stop_at_submit, self.gone, self.told = {"x-seisei-owner": "ann"}, stop_at_submit, gone, list[Any]()
        self.jobs = self.store = self
        self.job = SimpleNamespace(id="j", state="running", error=None, wait=lambda: None, pipeline=SimpleNamespace(id="image.generate"))

    def submit(self, pipeline: str, values: dict[str, Any], **about: Any) -> Any:
        if self.stop_at_submit:
            self.tasks.stop("ann")
        return self.job

    def cancel(self, id: str, *, by: str, mode: str = "cancel") -> None:
        if self.job.state == "running":
            self.told.append((id, by, mode))
            self.job.state = "done"

    async def is_disconnected(self) -> bool:
        return self.gone

    def outputs_of(self, id: str) -> list[Any]:
        return [SimpleNamespace(id="o")]

    def trash(self, ids: list[str], *, owner: str) -> None:
        self.told.append((*ids, owner, "trash"))

    purge = trash

    def run(self) -> Any:
        tasks = importlib.import_module("seisei_extensions.a1111_api.tasks")
        self.tasks = tasks.Tasks(self)
        task = asyncio.run(self.tasks.run(self, "image.generate", [{}, {}], pictures=2))
        self.tasks.forget(task)
        return task


def test_an_interrupt_before_the_job_is_there_is_not_lost() -> None:
    Hooks().load_folder(FOLDER)
    errand = Errand(stop_at_submit=True)
    task = errand.run()
    assert errand.told == [("j", "ann", "finish"), ("o", "ann", "trash"), ("o", "ann", "trash")] and len(task.jobs) == 1


def test_what_a_client_that_is_gone_did_not_get_stays() -> None:
    Hooks().load_folder(FOLDER)
    errand = Errand(gone=True)
    assert errand.run().gone and errand.told == [("j", "ann", "cancel")]


@pytest.mark.parametrize(("states", "parts", "stopped", "over"), [(["queued"], 1, True, False), (["running"], 1, True, False), (["cancelled"], 1, True, True), (["cancelled"], 2, False, True), (["failed"], 2, False, True), (["done"], 1, False, True), (["done"], 2, False, False), (["done"], 2, True, True), (["done", "running"], 2, False, False), ([], 1, True, False)])  # fmt: skip
def test_progress_forgets_a_task_when_its_last_job_has_ended(states: list[str], parts: int, stopped: bool, over: bool) -> None:
    """Its request looks only now and then whether the job has ended; until it does, progress must not tell of work that nobody does any more."""
    Hooks().load_folder(FOLDER)
    tasks = importlib.import_module("seisei_extensions.a1111_api.tasks")
    jobs = [SimpleNamespace(state=state, latest=lambda kind: None, params=None, wanted_stop="", pipeline=SimpleNamespace(id="image.generate")) for state in states]
    known = tasks.Tasks(SimpleNamespace(jobs=SimpleNamespace(listing=lambda who: [])))
    known._tasks.append(tasks.Task("a", "ann", parts, 3, jobs, stopped))
    assert known.progress("ann", picture=False)["state"]["job_count"] == (0 if over else 3)
    assert (known.named("ann", "a") is None) is over and known.ended("ann", "a") is over and (over or known.waiting("ann") == ([] if states[-1:] == ["running"] else ["a"]))


def test_too_large_a_request_is_refused_before_it_is_read_whole(ann: TestClient, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio, "settings", studio.settings.model_copy(update={"max_upload_mb": 1}))
    answer = ann.post("/sdapi/v1/png-info", json={"image": "A" * 2**20})
    assert answer.status_code == 422 and "larger than 1 MB" in answer.json()["detail"]


def test_only_the_owner_unloads_models_and_sees_paths(ann: TestClient, bob: TestClient) -> None:
    assert ann.post("/sdapi/v1/unload-checkpoint").json() == {} and bob.post("/sdapi/v1/unload-checkpoint").status_code == 403
    assert "/" in ann.get("/sdapi/v1/sd-models").json()[0]["filename"] and bob.get("/sdapi/v1/sd-models").json()[0]["filename"] == "tiny"
    assert bob.get("/sdapi/v1/cmd-flags").json()["data_dir"] == "" and "secret" not in ann.get("/sdapi/v1/cmd-flags").text


def test_what_is_not_done_here_answers_validly(ann: TestClient) -> None:
    for route in ("create/embedding", "create/hypernetwork", "train/embedding", "train/hypernetwork"):
        assert "not made here" in asked(ann, route)["info"]
    assert asked(ann, "interrogate", image=sent(ramp()), model="clip") == {"caption": ""} and ann.post("/sdapi/v1/interrogate", json={"model": "clip"}).status_code == 422
    assert asked(ann, "reload-checkpoint") == {} and ann.get("/internal/ping").json() == ann.get("/internal/profile-startup").json() == {} and ann.get("/internal/quicksettings-hint").json() == []
