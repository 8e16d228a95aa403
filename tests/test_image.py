"""image.generate as a job: what is refused at the door, what the prompt does, Stop, Skip and Finish, what the file carries."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image.generate import Generate
from pipelines.image.infotext import read
from pipelines.image.params import ImageParams
from pipelines.image.pictures import ON_WHITE, ground_of, open_picture, png
from pipelines.image.prompt.grammar import networks, parse
from studio.api import BadInput, Catalog, ModelEntry, ModelMissing, Progress, Saved, StudioError
from studio.jobs import Job, JobQueue
from studio.metadata import extract
from tests.house import finish
from tests.image_models import image_queue, make_sd1

SIDE = 32


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("image")
    make_sd1(root / "models" / "tiny")
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


def run(queue: JobQueue, **values: Any) -> Job:
    return queue.submit("image.generate", {"prompt": "a red cat", "width": SIDE, "height": SIDE, "steps": 4, "seed": 5, "cfg_scale": 5.0, "sampler": "Euler", "upscale": 1.0} | values, owner="local")


def drawn(queue: JobQueue, **values: Any) -> np.ndarray:
    job = run(queue, **values).wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))


def kept(queue: JobQueue, image: Image.Image) -> str:
    return queue.desk.inputs.keep(png(image))


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool((one == other).all())


# -- the door --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"sampler": "Eular"}, "sampler", "no sampler"), ({"sampler": "DDIM", "schedule": "Karras"}, "schedule", "knows no schedule"), ({"sampler": "DDIM", "conventions": "AUTOMATIC1111"}, "conventions", "does not follow"), ({"sampler": "UniPC", "discard_next_to_last_sigma": True}, "discard_next_to_last_sigma", "no noise level"), ({"eta_seed_delta": 5}, "eta_seed_delta", "adds no noise"), ({"width": 500}, "width", "multiple of 8"),
        ({"width": 8192, "height": 8192}, "width", "megapixels"), ({"width": 9000}, "width", "at most 8192"), ({"steps": 151}, "steps", "at most 150"), ({"prompt": "a (cat"}, "prompt", "never closed"),
        ({"negative_prompt": "cat)"}, "negative_prompt", "closes nothing"), ({"prompt": "a" * 100_000}, "prompt", "100,000 letters"), ({"prompt": "<lora:gone:1>"}, "prompt", "no LoRA “gone”"),
        ({"prompt": "<hypernet:x:1>"}, "prompt", "can't be used here"), ({"model": "nothing"}, "model", "not on this computer"), ({"image": "x.png"}, "image", ""), ({"image": "0" * 64 + ".png"}, "image", "not here any more"),
        ({"mask_blur": -1}, "mask_blur", "at least 0"), ({"extend_left": 8}, "image", "no picture"), ({"seed": -2}, "seed", "at least -1"), ({"upscale": 0.5}, "upscale", "from 1 to 4"), ({"prompt": ""}, "prompt", "prompt is empty"), ({"prompt": " \n"}, "prompt", "prompt is empty"), ({"hires_scale": 2.0}, "hires_scale", "small model"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_at_its_field_before_anything_is_loaded(queue: JobQueue, values: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(StudioError) as told:
        run(queue, **values)
    assert told.value.field == field and words in told.value.message and told.value.hint


def test_pictures_that_are_none_are_refused(queue: JobQueue, tmp_path: Path) -> None:
    for data in (b"", b"hello", b"GIF89a" + b"\0" * 20, b"RIFF\0\0\0\0WAVE"):
        with pytest.raises(BadInput):
            queue.desk.inputs.keep(data)
    whole = png(Image.new("RGB", (64, 64), "red"))
    with pytest.raises(BadInput, match="no picture that can be read"):
        run(queue, image=queue.desk.inputs.keep(whole[: len(whole) // 2]))
    moving = tmp_path / "moving.png"
    Image.new("RGB", (32, 32)).save(moving, save_all=True, append_images=[Image.new("RGB", (32, 32), "red")])
    with pytest.raises(BadInput, match="moves"):
        run(queue, image=queue.desk.inputs.keep(moving.read_bytes()))
    picture = kept(queue, Image.new("RGB", (SIDE, SIDE)))
    with pytest.raises(BadInput, match="16 × 16 pixels, the picture 32 × 32") as told:
        run(queue, image=picture, mask=kept(queue, Image.new("L", (16, 16), 255)))
    assert told.value.field == "mask"


def test_a_key_can_not_leave_its_folder(queue: JobQueue, tmp_path: Path) -> None:
    from studio.errors import NotFound

    (queue.desk.inputs.folder.parent / "secret.png").write_bytes(b"x")
    with pytest.raises(NotFound):
        queue.desk.inputs.path("../secret.png")
    assert queue.desk.inputs.keep(png(Image.new("RGB", (4, 4)))) == queue.desk.inputs.keep(png(Image.new("RGB", (4, 4)))), "the same content is kept once"


def test_what_is_left_to_the_model_is_settled_in_the_job(queue: JobQueue) -> None:
    job = queue.submit("image.generate", {"prompt": "x"}, owner="local")
    params = job.params.model_dump()
    job.wait()
    assert params["model"] == "tiny" and params["width"] == params["height"] == 32 and params["steps"] == 20 and params["cfg_scale"] == 4.0 and params["sampler"] == "DPM++ 2M" and params["schedule"] == "SGM Uniform"
    assert params["seed"] >= 0, "the random seed is kept"
    need = Generate().need(ImageParams(model="tiny"), queue.catalog)
    assert need.weight_bytes > 100_000 and need.working_bytes > 0 and need.facts["advice"]["width"] == 32


def test_without_a_model_the_sentence_says_what_to_do(tmp_path: Path) -> None:
    empty = image_queue(tmp_path / "data", tmp_path / "models")
    if not empty.catalog.entries("image"):
        with pytest.raises((BadInput, ModelMissing), match="no image model"):
            run(empty)
    finish(empty)


# -- the prompt ------------------------------------------------------------------------------------------------


def test_each_notation_changes_the_picture_and_an_empty_one_does_not(queue: JobQueue) -> None:
    plain = drawn(queue)
    assert same(plain, drawn(queue)), "the same settings give the same bytes"
    assert same(plain, drawn(queue, prompt="(a red cat:1.0)")) and same(plain, drawn(queue, prompt="[a red cat:a dog:99]"))
    seen = [plain]
    for prompt in ("a (red:1.5) cat", "a [red] cat", "[a red cat:a blue dog:0.5]", "[a red cat|a blue dog]", "a red cat AND a blue dog", "a red cat AND a blue dog:0.3", "a red BREAK cat", "# nothing is said", "a red cat, " * 60):
        picture = drawn(queue, prompt=prompt)
        assert not any(same(picture, other) for other in seen), prompt
        seen.append(picture)


def test_weights_keep_the_mean_of_the_states_and_do_not_blow_them_up_where_it_is_nothing() -> None:
    import torch

    from pipelines.image.nets.conditioning import keep_mean

    states = torch.randn((1, 8, 4), generator=torch.Generator().manual_seed(1)) + 0.3
    assert torch.allclose(keep_mean(states, states * 2), states)
    centred = states - states.mean()
    assert torch.equal(keep_mean(centred, centred * 2), centred * 2)


def test_a_switch_is_the_one_prompt_before_and_the_other_after(queue: JobQueue) -> None:
    assert same(drawn(queue, prompt="[a red cat:a blue dog:0]"), drawn(queue, prompt="a blue dog"))
    assert same(drawn(queue, prompt="[a red cat:a blue dog:4]"), drawn(queue, prompt="a red cat"))
    assert same(drawn(queue, prompt="a red cat", negative_prompt="[fog:ice:0]"), drawn(queue, prompt="a red cat", negative_prompt="ice"))


def test_prompts_joined_with_and_are_the_weighted_sum_of_their_directions(queue: JobQueue) -> None:
    twice = drawn(queue, prompt="a red cat AND a red cat", cfg_scale=3.0).astype(int)
    stronger = drawn(queue, prompt="a red cat", cfg_scale=6.0).astype(int)
    assert np.abs(twice - stronger).max() <= 1, "two equal prompts at scale 3 are one at scale 6"
    assert np.abs(drawn(queue, prompt="a red cat AND a dog:0").astype(int) - drawn(queue, prompt="a red cat").astype(int)).max() <= 1


def test_chunks_go_back_to_the_last_comma() -> None:
    from pipelines.image.nets.conditioning import chunked
    from pipelines.image.prompt.schedule import Piece

    class Words:
        model_max_length = 12

        def __call__(self, text: str, **_: Any) -> Any:
            return type("Told", (), {"input_ids": [ord(letter) for letter in text]})()

    def told(*pieces: Piece) -> list[str]:
        return ["".join(chr(token) for token, _ in part) for part in chunked(Words(), pieces)]

    assert told(Piece("abcdefghijklm")) == ["abcdefghij", "klm"]
    assert told(Piece("abcdefg,ijklm")) == ["abcdefg,", "ijklm"]
    assert told(Piece("abcdefghi,klm")) == ["abcdefghi,", "klm"]
    assert told(Piece("ab"), Piece("cd", breaks=True)) == ["ab", "cd"]


def test_the_encoder_is_not_run_again_for_another_seed(queue: JobQueue) -> None:
    import torch

    job = run(queue, prompt="something new", seed=1)
    job.wait()
    worker = queue.executors["device"].worker  # type: ignore[attr-defined]
    model = next(lease.model for lease in worker.models._leases.values())
    calls: list[int] = []
    hook = model.pipe.text_encoder.register_forward_hook(lambda *_: calls.append(1))
    assert isinstance(model.pipe.text_encoder, torch.nn.Module)
    run(queue, prompt="something new", seed=2).wait()
    assert calls == []
    run(queue, prompt="something else", seed=2).wait()
    hook.remove()
    assert calls


# -- every field does something --------------------------------------------------------------------------------


def ramp() -> Image.Image:
    line = np.linspace(0, 255, SIDE, dtype=np.uint8)
    return Image.fromarray(np.stack([np.tile(line, (SIDE, 1)), np.tile(line[:, None], (1, SIDE)), np.full((SIDE, SIDE), 40, np.uint8)], -1))


def spot() -> Image.Image:
    mask = Image.new("L", (SIDE, SIDE), 0)
    mask.paste(255, (8, 8, 20, 20))
    return mask


CHANGES: dict[str, Any] = {
    "prompt": "a dog", "negative_prompt": "fog", "width": 48, "height": 48, "steps": 6, "cfg_scale": 2.0, "sampler": "DPM++ 2M", "schedule": "Karras", "seed": 6, "variation_strength": 0.4, "clip_skip": 2,
    "guidance_rescale": 0.7, "tiling": True, "upscale": 2.0, "noise_source": "NV", "discard_next_to_last_sigma": True,
}  # fmt: skip
WITH_PICTURE: dict[str, Any] = {"denoising_strength": 0.4, "resize": "Stretch", "extend_left": 16, "extend_right": 16, "extend_top": 16, "extend_bottom": 16}
WITH_MASK: dict[str, Any] = {"invert_mask": True, "mask_blur": 0, "fill": "Empty", "only_masked": True}


@pytest.mark.parametrize("field", CHANGES)
def test_changing_a_field_changes_the_picture(queue: JobQueue, field: str) -> None:
    assert not same(drawn(queue), drawn(queue, **{field: CHANGES[field]}))


def test_fields_that_only_count_with_others_change_the_picture_there(queue: JobQueue) -> None:
    wide = kept(queue, ramp().resize((64, 32)))
    base = {"image": wide, "denoising_strength": 0.6}
    for field, value in WITH_PICTURE.items():
        assert not same(drawn(queue, **base), drawn(queue, **(base | {field: value}))), field
    masked = {"image": kept(queue, ramp().resize((128, 128))), "mask": kept(queue, spot().resize((128, 128))), "denoising_strength": 0.75}
    for field, value in WITH_MASK.items():
        assert not same(drawn(queue, **masked), drawn(queue, **(masked | {field: value}))), field
    part = masked | {"only_masked": True}
    assert not same(drawn(queue, **part), drawn(queue, **part, padding=4))
    vary = {"variation_strength": 0.5}
    assert not same(drawn(queue, **vary), drawn(queue, **vary, variation_seed=9))
    assert not same(drawn(queue), drawn(queue, seed_width=16, seed_height=16))
    assert not same(drawn(queue, upscale=2.0), drawn(queue, upscale=2.0, upscaler="Lanczos"))
    assert (drawn(queue, upscale=2.0, upscaler="Nearest")[::2, ::2] == drawn(queue, upscale=1.0)).all()
    sharp = {"sampler": "DPM++ 2M", "schedule": "Karras"}
    assert not same(drawn(queue, **sharp), drawn(queue, **sharp, conventions="AUTOMATIC1111")) and not same(drawn(queue, sampler="Euler a"), drawn(queue, sampler="Euler a", eta_seed_delta=9))
    weighted = {"prompt": "a (red:1.5) cat"}
    assert not same(drawn(queue, **weighted), drawn(queue, **weighted, emphasis="Ignore"))
    assert len(run(queue, count=2).wait().outputs) == 2


def test_drawing_together_gives_the_same_seeds(queue: JobQueue) -> None:
    one, other = (run(queue, count=2, together=flag).wait() for flag in (False, True))
    first, second = (np.asarray(open_picture(Path(queue.store.output(job.outputs[1]).path))).astype(int) for job in (one, other))
    assert np.abs(first - second).max() <= 8 and [queue.store.output(output).metadata["facts"]["seed"] for output in other.outputs] == [5, 6]


def test_variations_end_at_the_other_seed(queue: JobQueue) -> None:
    assert same(drawn(queue, variation_strength=1.0, variation_seed=77), drawn(queue, seed=77))


def test_the_parts_that_are_added_are_drawn_whether_the_mask_is_turned_round_or_not(queue: JobQueue) -> None:
    """Turned round, the user's own mask is: white is kept then, and what is added is drawn as before."""
    params = ImageParams(image=f"{'0' * 64}.png", mask=f"{'0' * 64}.png", width=SIDE, height=SIDE, extend_right=16, mask_blur=0)
    plain, turned = (np.asarray(ground_of(one, ramp(), spot()).soft) for one in (params, params.model_copy(update={"invert_mask": True})))
    assert (plain[:, SIDE:] == 255).all() and (turned[:, SIDE:] == 255).all()
    old = np.asarray(spot())[:, : SIDE - 8]  # without the seam, which is drawn too
    assert (plain[:, : SIDE - 8] == old).all() and (turned[:, : SIDE - 8] == 255 - old).all()
    whole = ground_of(params.model_copy(update={"extend_right": 0, "invert_mask": True}), ramp(), spot())
    assert whole.soft and (np.asarray(whole.soft) == 255 - np.asarray(spot())).all()
    with pytest.raises(BadInput, match="drawn as a whole") as told:
        run(queue, image=kept(queue, ramp()), mask=kept(queue, spot()), only_masked=True, extend_left=16)
    assert told.value.field == "only_masked" and told.value.fix and told.value.fix.values == {"only_masked": False}


def test_layers_that_the_text_encoder_does_not_have_are_refused(queue: JobQueue) -> None:
    """Its encoder has three: skipping them all leaves none to be read."""
    assert not same(drawn(queue, clip_skip=3), drawn(queue, clip_skip=2))
    for wanted in (4, 5, 12):
        with pytest.raises(BadInput, match="CLIP skip goes to 3") as told:
            run(queue, clip_skip=wanted)
        assert told.value.field == "clip_skip" and told.value.fix and told.value.fix.values == {"clip_skip": 3}


def test_a_seamless_picture_joins_at_its_edges(queue: JobQueue) -> None:
    """Moved latents give the moved picture: no edge is special. Afterwards the network is as it was."""
    import torch

    from pipelines.image.nets.draw import seamless

    plain = drawn(queue)
    worker = queue.executors["device"].worker  # type: ignore[attr-defined]
    model = next(lease.model for lease in worker.models._leases.values())
    latents = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))

    def apart() -> float:
        one, moved = (model.pipe.vae.decode(torch.roll(latents, shift, 3)).sample for shift in (0, 4))
        return float((torch.roll(one, 4 * model.family.factor, 3) - moved).abs().max())

    with torch.inference_mode(), seamless(model, True):
        assert apart() < 1e-4
    with torch.inference_mode():
        assert apart() > 1e-2
    assert same(drawn(queue), plain)


def test_transparent_parts_of_a_picture_are_told_to_be_white(queue: JobQueue) -> None:
    clear = Image.new("RGBA", (SIDE, SIDE), (200, 30, 30, 255))
    values = {"steps": 1, "denoising_strength": 0.0}
    assert run(queue, image=kept(queue, clear), **values).wait().summary["notes"] == [], "nothing of it is seen through"
    clear.paste((0, 0, 0, 0), (0, 0, 8, 8))
    job = run(queue, image=kept(queue, clear), **values).wait()
    assert job.summary["notes"] == [ON_WHITE]
    assert open_picture(Path(queue.store.output(job.outputs[0]).path)).getpixel((2, 2)) == (255, 255, 255)


def test_strength_zero_gives_the_picture_back(queue: JobQueue) -> None:
    picture = ramp()
    assert same(drawn(queue, image=kept(queue, picture), denoising_strength=0.0), np.asarray(picture))


@pytest.mark.parametrize(
    ("added", "field", "nearest"),
    [({"extend_right": 63}, "extend_right", 64), ({"extend_left": 9, "extend_right": 3}, "extend_left", 5), ({"extend_top": 2}, "extend_top", 0), ({"extend_bottom": 2047, "extend_top": 2}, "extend_bottom", 2046)],
)
def test_what_is_added_has_to_fit_the_model_s_steps_and_the_nearest_that_does_is_offered(queue: JobQueue, added: dict[str, int], field: str, nearest: int) -> None:
    with pytest.raises(BadInput, match="multiple of 8") as told:
        run(queue, image=kept(queue, ramp()), **added)
    assert told.value.field == field and told.value.fix is not None and told.value.fix.values == {field: nearest}
    assert sum((added | told.value.fix.values).values()) % 8 == 0


def test_extending_keeps_the_old_picture_and_grows_it(queue: JobQueue) -> None:
    wider = drawn(queue, image=kept(queue, ramp()), extend_right=16, mask_blur=0, denoising_strength=0.9)
    assert wider.shape == (32, 48, 3) and (wider[:, :24] == np.asarray(ramp())[:, :24]).all() and wider[:, 36:].std() > 1


# -- live ------------------------------------------------------------------------------------------------------


def act_at(job: Job, when: Callable[[Any], bool], act: Callable[[], None]) -> list[Any]:
    seen, acted = [], False
    for event in job.events():
        seen.append(event)
        if not acted and when(event):
            acted = True
            act()
    assert acted
    return seen


@pytest.mark.parametrize("mode", ["cancel", "finish"])
def test_stop_and_finish_act_within_a_few_steps(queue: JobQueue, mode: str) -> None:
    job = run(queue, steps=150, sampler="Euler", width=128, height=128)
    seen = act_at(job, lambda event: isinstance(event, Progress) and event.step >= 3, lambda: queue.cancel(job.id, by="local", mode=mode))
    assert max(event.step for event in seen if isinstance(event, Progress) and not event.note) < 75
    if mode == "cancel":
        assert job.state == "cancelled" and not job.outputs
    else:
        assert job.state == "done" and len(job.outputs) == 1
        early = np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))
        assert early.shape == (128, 128, 3) and early.std() > 1


def test_stop_keeps_the_finished_pictures_and_skip_goes_on(queue: JobQueue) -> None:
    job = run(queue, count=4, steps=30, width=48, height=48)
    act_at(job, lambda event: isinstance(event, Saved), lambda: queue.cancel(job.id, by="local"))
    assert job.state == "cancelled" and 1 <= len(job.outputs) < 4
    other = run(queue, count=3, steps=30, width=48, height=48)
    act_at(other, lambda event: isinstance(event, Saved), lambda: queue.cancel(other.id, by="local", mode="skip"))
    assert other.state == "done" and len(other.outputs) == 2


def test_previews_come_and_look_like_the_end(queue: JobQueue) -> None:
    job = run(queue, steps=40, width=64, height=64)
    path = queue.spool / job.id / "preview.png"
    found: list[np.ndarray] = []

    def watch() -> None:
        while job.state in ("queued", "running"):
            if path.exists():
                try:
                    found.append(np.asarray(open_picture(path)))
                except OSError:
                    pass
            time.sleep(0.01)

    thread = threading.Thread(target=watch)
    thread.start()
    job.wait()
    thread.join()
    assert found and found[-1].shape == (64, 64, 3)


@pytest.mark.parametrize("name", ["Euler", "DPM++ 2M", "DDIM", "Heun", "Euler a", "LCM"])
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_the_clean_latents_are_foretold_exactly(name: str, kind: str) -> None:
    """With the true noise as the network's answer, the foretold picture is the true one, for every parametrisation."""
    import diffusers
    import torch

    from pipelines.image.nets.preview import foretold
    from pipelines.image.samplers import find

    sampler = find(name)
    scheduler = getattr(diffusers, sampler.scheduler)(prediction_type=kind, **sampler.settings)
    scheduler.set_timesteps(10)
    clean, noise = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    timestep = scheduler.timesteps[3]
    sample = scheduler.add_noise(clean, noise, timestep[None])
    kept = scheduler.alphas_cumprod[int(timestep)]
    answer = noise if kind == "epsilon" else kept**0.5 * noise - (1 - kept) ** 0.5 * clean
    assert torch.allclose(foretold(scheduler, answer, timestep, sample), clean, atol=2e-2)


# -- what the file carries -------------------------------------------------------------------------------------


def test_a_file_gives_its_settings_back_as_ours_and_as_the_communitys(queue: JobQueue) -> None:
    prompt = "a (red:1.2) cat, “quoted”, 猫\nsecond line: x, y: z"
    job = run(queue, prompt=prompt, negative_prompt="fog, ice: 3", clip_skip=2, count=2, variation_strength=0.25, variation_seed=8).wait()
    path = Path(queue.store.output(job.outputs[1]).path)
    about = extract(path)
    assert about["params"]["prompt"] == prompt and (about["facts"]["seed"], about["facts"]["variation_seed"]) == (5, 9) and about["params"]["variation_seed"] == 8
    with Image.open(path) as image:
        text = image.text["parameters"]  # type: ignore[attr-defined]
    values = read(text)
    assert values["prompt"] == prompt and values["negative_prompt"] == "fog, ice: 3"
    assert (values["seed"], values["steps"], values["cfg_scale"], values["sampler"], values["width"], values["clip_skip"], values["variation_strength"], values["variation_seed"]) == (5, 4, 5.0, "Euler", 32, 2, 0.25, 9)
    assert values["model"] == "tiny"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 3, Size: 512x768, Model hash: abc123, Model: foo", {"prompt": "cat", "negative_prompt": "dog", "sampler": "Euler a", "height": 768, "model": "foo", "model_hash": "abc123"}),
        ("cat\nSteps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 3, Size: 512x512", {"sampler": "DPM++ 2M", "schedule": "Karras", "negative_prompt": ""}),
        ("a: b, c: d, e: f\nSteps: 1, Sampler: Euler, Seed: 2", {"prompt": "a: b, c: d, e: f", "steps": 1}),
        ("Steps: 5, Sampler: DDIM, Seed: 2, Tiling: True", {"prompt": "", "tiling": True, "sampler": "DDIM"}),
        ('x\nSteps: 5, Sampler: Euler, Seed: 2, Model: "a, b: c", Denoising strength: 0.4, Hires upscale: 2, Version: v1', {"model": "a, b: c", "hires_scale": 2.0, "hires_strength": 0.4}),
    ],
)  # fmt: skip
def test_other_studios_texts_are_read(text: str, expected: dict[str, Any]) -> None:
    values = read(text)
    assert {name: values.get(name) for name in expected} == expected


def test_text_without_settings_is_refused() -> None:
    with pytest.raises(BadInput, match="no settings"):
        read("just a prompt: with, colons: in it")


# -- LoRAs -----------------------------------------------------------------------------------------------------


def write_lora(model: Any, path: Path, *, rank: int = 2, scale: float = 0.6, name: str = "kohya") -> Path:
    """A LoRA on all attention of the network, random, in the form that kohya's trainer writes."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(9)
    tensors: dict[str, Any] = {}
    for key, layer in model.pipe.unet.named_modules():
        if isinstance(layer, torch.nn.Linear) and key.endswith(("to_q", "to_k", "to_v")):
            base = "lora_unet_" + key.replace(".", "_")
            tensors |= {f"{base}.lora_down.weight": torch.randn(rank, layer.in_features) * scale, f"{base}.lora_up.weight": torch.randn(layer.out_features, rank) * scale, f"{base}.alpha": torch.tensor(float(rank))}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


def test_of_two_loras_of_one_name_the_one_that_fits_the_model_is_meant() -> None:
    from pipelines.image.families import FAMILIES
    from pipelines.image.settle import find_lora

    class Two:
        def entries(self, kind: str) -> list[ModelEntry]:
            return [ModelEntry(f"lora/{family}/detail", "/x", "lora", "safetensors", 1, "detail", family) for family in ("sd1", "sdxl")]

    network = networks(parse("<lora:detail:1>"))[0]
    for family in ("sd1", "sdxl"):
        assert find_lora(network, FAMILIES[family], Two()).entry.architecture == family  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="another family"):
        find_lora(network, FAMILIES["flux"], Two())  # type: ignore[arg-type]


def loaded(queue: JobQueue) -> Any:
    worker = queue.executors["device"].worker  # type: ignore[attr-defined]
    return next(lease.model for lease in worker.models._leases.values())


def test_damaged_files_and_loras_of_transformers_are_told_before_anything_is_loaded() -> None:
    """A file that can't be read is there, though nobody knows what it was."""
    from pipelines.image.families import FAMILIES
    from pipelines.image.settle import find_lora, image_model

    entries = [
        ModelEntry("lora/fluxy", "/x", "lora", "safetensors", 1, "fluxy", "flux"), ModelEntry("lora/plain", "/x", "lora", "safetensors", 1, "plain", "sd1"),
        ModelEntry("lora/broken", "/x", "other", "safetensors", 1, "broken", problem="The file is damaged."), ModelEntry("image/notes", "/x", "other", "safetensors", 1, "notes"),
    ]  # fmt: skip
    catalog = Catalog([])
    catalog._entries = {entry.key: entry for entry in entries}
    for name, words in (("fluxy", "another family"), ("broken", "can't be used: The file is damaged"), ("gone", "no LoRA “gone”"), ("notes", "no LoRA “notes”")):
        with pytest.raises(StudioError, match=words) as told:
            find_lora(networks(parse(f"<lora:{name}:1>"))[0], FAMILIES["tiny"], catalog)
        assert told.value.field == "prompt"
    assert find_lora(networks(parse("<lora:plain:1>"))[0], FAMILIES["tiny"], catalog).entry.key == "lora/plain", "a UNet's may fit"
    for key, words in (("lora/broken", "can't be used: The file is damaged"), ("image/notes", "no image model")):
        with pytest.raises(StudioError, match=words):
            image_model(key, catalog)


def test_a_lora_moves_the_picture_by_its_weight_and_leaves_no_trace(queue: JobQueue) -> None:
    plain = drawn(queue)
    write_lora(loaded(queue), queue.catalog.roots[0] / "lora" / "Line Art.safetensors")
    queue.catalog.refresh()
    queue.executors["device"].worker.catalog.refresh()  # type: ignore[attr-defined]
    full, half = drawn(queue, prompt="a red cat<lora:Line Art:1>"), drawn(queue, prompt="a red cat<lora:line art:0.5>")
    assert not same(full, plain) and not same(half, full) and not same(half, plain)
    assert same(drawn(queue, prompt="a red cat<lora:Line Art>"), full) and same(drawn(queue, prompt="a red cat<lora:Line Art:0.5><lora:Line Art:0.5>"), full)
    assert same(drawn(queue, prompt="a red cat<lora:Line Art:0>"), plain)
    assert same(drawn(queue), plain), "taken off, the picture is as before, to the bit"
    with pytest.raises(ModelMissing) as told:
        run(queue, prompt="<lora:lineart:1>")
    assert "Did you mean Line Art?" in told.value.hint and told.value.field == "prompt"
    with pytest.raises(BadInput, match="no number"):
        run(queue, prompt="<lora:Line Art:much>")


def test_the_lora_is_the_product_of_its_matrices(queue: JobQueue) -> None:
    """One layer, by hand: W + weight · alpha / rank · up · down."""
    import torch
    from safetensors.torch import load_file

    drawn(queue)
    model = loaded(queue)
    path = write_lora(model, queue.catalog.roots[0] / "lora" / "Line Art.safetensors")
    key, layer = next((key, layer) for key, layer in model.pipe.unet.named_modules() if key.endswith("attn1.to_q"))
    base = layer.weight.detach().clone()
    tensors = load_file(path)
    name = "lora_unet_" + key.replace(".", "_")
    queue.catalog.refresh()
    queue.executors["device"].worker.catalog.refresh()  # type: ignore[attr-defined]
    drawn(queue, prompt="x <lora:Line Art:0.7>")
    x = torch.randn(3, base.shape[1])
    wrapped = dict(model.pipe.unet.named_modules())[key]
    by_hand = x @ (base + 0.7 * tensors[f"{name}.lora_up.weight"] @ tensors[f"{name}.lora_down.weight"]).T
    with torch.no_grad():
        assert torch.allclose(wrapped(x), by_hand, atol=1e-4)


def test_a_loras_family_is_read_from_its_header() -> None:
    from studio.scan import lora_family

    key = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight"
    assert lora_family({key: [4, 768]}) == "sd1" and lora_family({key: [4, 2048]}) == "sdxl" and lora_family({key: [4, 1024]}) == "sd2"
    assert lora_family({"lora_unet_double_blocks_0_img_attn_proj.lora_down.weight": [4, 3072]}) == "flux" and lora_family({"lora_te2_x.alpha": []}) == "sdxl" and lora_family({}) == ""
    double = "transformer.transformer_blocks.0.attn.to_q.lora_A.weight"  # one name, three families
    assert lora_family({double: [4, 3072]}) == "" and lora_family({double: [4, 1536]}) == lora_family({double: [4, 2432]}) == "sd3"


def test_pictures_of_other_studios_give_their_settings_back(queue: JobQueue, tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    from studio.restore import restore

    text = "a fox\nNegative prompt: ice\nSteps: 12, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 99, Size: 64x96, Model hash: 0123456789, Model: tiny, Version: v1.10.1"
    about = PngInfo()
    about.add_text("parameters", text)
    Image.new("RGB", (64, 96)).save(tmp_path / "a.png", pnginfo=about)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")
    Image.new("RGB", (64, 96)).save(tmp_path / "b.jpg", exif=exif)
    studio: Any = type("House", (), {"pipelines": queue.pipelines, "catalog": queue.catalog, "jobs": queue})()
    for name in ("a.png", "b.jpg"):
        found = restore(tmp_path / name, studio)
        assert found.pipeline_id == "image.generate" and not found.refused and not found.model_missing
        assert {key: found.params[key] for key in ("prompt", "negative_prompt", "steps", "sampler", "schedule", "cfg_scale", "seed", "width", "height", "model")} == {
            "prompt": "a fox", "negative_prompt": "ice", "steps": 12, "sampler": "DPM++ 2M", "schedule": "Karras", "cfg_scale": 6.5, "seed": 99, "width": 64, "height": 96, "model": "tiny",
        }  # fmt: skip
    Image.new("RGB", (8, 8)).save(tmp_path / "bare.png")
    with pytest.raises(BadInput, match="no settings that can be read"):
        restore(tmp_path / "bare.png", studio)
