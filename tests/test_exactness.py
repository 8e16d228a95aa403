"""AUTOMATIC1111's conventions against loops written here from the papers; its noise against published numbers; batches against single pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.exactness import SAMPLERS, apart, decoded, independent
from pipelines.image.generate import batches
from pipelines.image.infotext import read
from pipelines.image.params import ImageParams
from pipelines.image.philox import Philox, philox
from pipelines.image.pictures import open_picture, png
from pipelines.image.sigmas import TABLES, level_at, passes, step_of, table
from studio.jobs import JobQueue
from tests.house import finish
from tests.image_models import image_queue, make_sd1, make_sdxl

SIDE = 32
BETAS = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
KEPT = np.cumprod(1 - BETAS)
TRAINED = np.sqrt((1 - KEPT) / KEPT)  # Stable Diffusion's noise levels


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("exact")
    make_sd1(root / "models" / "tiny")
    make_sdxl(root / "models" / "large")
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


BASE = {"model": "tiny", "prompt": "a red cat", "negative_prompt": "fog", "width": SIDE, "height": SIDE, "steps": 4, "seed": 5, "cfg_scale": 5.0, "sampler": "Euler", "upscale": 1.0}


def drawn(queue: JobQueue, **values: Any) -> list[np.ndarray]:
    job = queue.submit("image.generate", BASE | values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return [np.asarray(open_picture(Path(queue.store.output(output).path))).astype(int) for output in job.outputs]


def loaded(queue: JobQueue, key: str = "tiny") -> Any:
    worker = queue.executors["device"].worker  # type: ignore[attr-defined]
    return next(lease.model for lease in worker.models._leases.values() if lease.model.key == key)


# -- noise ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0), (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ],
)
def test_philox_gives_the_known_answers_of_its_authors(counter: tuple[int, ...], key: tuple[int, int], expected: tuple[int, ...]) -> None:
    assert tuple(int(word) for word in philox(np.array([[word] for word in counter], np.uint32), key)[:, 0]) == expected


def test_gpu_noise_is_what_cuda_prints() -> None:
    """torch.manual_seed(0); torch.randn((3, 4), device="cuda"), as it is printed in many places."""
    printed = [[-0.9247, -0.4253, -2.6438, 0.1452], [-0.1209, -0.5797, -0.6229, -0.3284], [-1.0745, -0.3631, -1.6711, 2.2655]]
    assert np.abs(Philox(0).normal((3, 4)) - printed).max() < 6e-5
    source = Philox(2**33 + 7)
    first, second = source.normal((4, 64, 64)), source.normal((4, 64, 64))
    assert abs(first.mean()) < 0.02 and abs(first.std() - 1) < 0.02 and abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.03 and first.dtype == np.float32
    assert (Philox(7).normal((4,)) != Philox(2**33 + 7).normal((4,))).all()


def test_the_steps_noise_goes_on_where_the_first_ended_and_ensd_begins_anew() -> None:
    import torch

    from pipelines.image.nets.noise import Noise
    from pipelines.image.params import ImageParams

    shape = (4, 3, 3)
    one = torch.Generator().manual_seed(5)
    expected = [torch.randn((1, *shape), generator=one) for _ in range(3)]
    noise = Noise(ImageParams(), (5,))
    assert all(torch.equal(noise.next(shape), wanted) for wanted in expected)
    other = torch.Generator().manual_seed(5 + 31337)
    shifted = Noise(ImageParams(eta_seed_delta=31337), (5, 9))
    assert torch.equal(shifted.next(shape)[:1], expected[0]) and torch.equal(shifted.next(shape)[:1], torch.randn((1, *shape), generator=other))
    gpu = Noise(ImageParams(noise_source="NV"), (0,))
    assert np.array_equal(gpu.next(shape)[0].numpy(), Philox(0).normal(shape))
    varied = Noise(ImageParams(variation_strength=0.3, variation_seed=8), (5,))
    assert not torch.equal(varied.next(shape), expected[0]) and torch.equal(varied.next(shape), expected[1]), "a variation changes the beginning, not the steps"


def test_ensd_and_gpu_noise_change_pictures_where_they_should(queue: JobQueue) -> None:
    plain, shifted = drawn(queue, sampler="Euler a")[0], drawn(queue, sampler="Euler a", eta_seed_delta=31337)[0]
    assert (plain != shifted).any()
    assert (drawn(queue)[0] != drawn(queue, noise_source="NV")[0]).any()
    assert (drawn(queue, noise_source="NV", seed=2**32 - 1)[0] != drawn(queue, noise_source="NV")[0]).any()
    assert (drawn(queue, sampler="Euler a")[0] == plain).all(), "afterwards diffusers draws its own noise again"


# -- noise levels --------------------------------------------------------------------------------------------------


def test_the_levels_are_those_of_their_formulas() -> None:
    def falls(schedule: str, steps: int) -> np.ndarray:
        found = table(schedule, steps, TRAINED)
        assert (np.diff(found) < 0).all() and found[0] <= TRAINED[-1] * 1.0001, schedule
        return found

    low, high = TRAINED[0], TRAINED[-1]
    assert abs(low - 0.0292) < 1e-4 and abs(high - 14.6146) < 1e-4
    for steps in (1, 2, 7, 20, 50):
        for schedule in (*TABLES, "Align Your Steps", "KL Optimal"):
            if schedule != "DDIM":
                assert len(falls(schedule, steps)) == steps + 1, schedule
    ramp = [(high ** (1 / 7) + number / 9 * (low ** (1 / 7) - high ** (1 / 7))) ** 7 for number in range(10)]
    assert np.allclose(table("Karras", 10, TRAINED), [*ramp, 0]) and np.allclose(table("Exponential", 3, TRAINED), [high, (high * low) ** 0.5, low, 0])
    assert np.allclose(table("Uniform", 4, TRAINED)[[0, 1, 3]], [high, TRAINED[666], low]) and np.allclose(table("Simple", 4, TRAINED), [*TRAINED[[-1, -251, -501, -751]], 0])
    assert np.allclose(table("SGM Uniform", 3, TRAINED)[:2], [high, TRAINED[666]]) and np.allclose(table("DDIM", 20, TRAINED)[:20], TRAINED[1::50][::-1])
    assert np.allclose(table("Align Your Steps", 11, TRAINED)[:11:10], [14.615, 0.029]) and table("Align Your Steps", 11, TRAINED, family="sdxl")[1] == pytest.approx(6.315)
    middle = np.arctan(low) / 2 + np.arctan(high) / 2
    assert np.allclose(table("KL Optimal", 2, TRAINED), [high, np.tan(middle), low])
    assert np.allclose(table("Beta", 5, TRAINED)[[0, 2, 4]], [high, (high + low) / 2, low]), "the beta distribution is even"
    assert np.allclose(table("Karras", 4, TRAINED, discard=True), np.delete(table("Karras", 5, TRAINED), -2))
    assert np.allclose(step_of(level_at(np.array([0.0, 3.25, 998.5]), TRAINED), TRAINED), [0, 3.25, 998.5])


def test_counts_of_steps_from_a_picture_are_automatic1111s() -> None:
    """What diffusers runs, int(steps · strength), of what is handed to it."""
    for steps in range(1, 151):
        for strength in (0.01, 0.05, 0.3, 0.5, 0.6, 0.75, 0.999, 1.0):
            whole, share = passes(steps, strength, second=False)
            assert whole == steps and share <= 1 and int(whole * share) == int(min(strength, 0.999) * steps) + 1
            whole, share = passes(steps, strength, second=True)
            assert whole == int(steps / min(strength, 0.999)) and min(int(whole * share), whole) == steps


def follows(queue: JobQueue, name: str, schedule: str, source: str, steps: int) -> None:
    """As far as float32 goes it is the independent loop's picture."""
    drawn(queue, steps=1)
    model = loaded(queue)
    pixels, latents = independent(model, name, schedule, steps=steps, seed=5, cfg_scale=5.0, prompt="a red cat", negative="fog", side=SIDE, source=source)
    with decoded(model) as kept:
        mine = drawn(queue, sampler=name, schedule=schedule, conventions="AUTOMATIC1111", noise_source=source, steps=steps)[0]
    limits = {"KL Optimal": 5e-3, "DPM adaptive": 1e-3}  # one ends above 0, where the two scale what is left in another way; one's steps follow measured errors, which processors round differently
    limit = limits.get(schedule, limits.get(name, 1e-4))
    assert apart(kept[-1], latents) < limit and np.abs(mine - pixels).max() <= 1, (schedule, source, apart(kept[-1], latents))


@pytest.mark.parametrize("name", [name for name, _ in SAMPLERS])
def test_samplers_are_the_papers_loops(queue: JobQueue, name: str) -> None:
    follows(queue, name, "Karras" if "Karras" in dict(SAMPLERS)[name] else dict(SAMPLERS)[name][0], "NV", 4)


@pytest.mark.parametrize(("name", "schedule", "steps"), [("Restart", "Karras", 20), ("DPM fast", "Uniform", 6), ("DPM fast", "Uniform", 5)])
def test_samplers_whose_steps_depend_on_their_number_are_the_papers_loops(queue: JobQueue, name: str, schedule: str, steps: int) -> None:
    follows(queue, name, schedule, "NV", steps)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, _ in SAMPLERS])
def test_samplers_are_the_papers_loops_with_every_schedule(queue: JobQueue, name: str) -> None:
    for schedule in dict(SAMPLERS)[name]:
        follows(queue, name, schedule, "CPU", 8)


def test_schedules_without_diffusers_own_draw_by_the_table_in_both_conventions(queue: JobQueue) -> None:
    seen = []
    for schedule in ("Simple", "Align Your Steps", "KL Optimal", "Karras"):
        picture = drawn(queue, sampler="Euler a", schedule=schedule)[0]
        assert not any((picture == other).all() for other in seen), schedule
        seen.append(picture)
    assert (drawn(queue, sampler="Euler", schedule="KL Optimal")[0] == drawn(queue, sampler="Euler", schedule="KL Optimal", conventions="AUTOMATIC1111")[0]).all()


# -- emphasis ------------------------------------------------------------------------------------------------------


def test_each_emphasis_reads_weights_in_its_way(queue: JobQueue) -> None:
    words = "a (red:1.6) [cat], \\(x\\)"
    original, bare, ignored, letters = (drawn(queue, prompt=words, emphasis=mode)[0] for mode in ("Original", "No norm", "Ignore", "None"))
    assert len({picture.tobytes() for picture in (original, bare, ignored, letters)}) == 4
    assert (ignored == drawn(queue, prompt="a red cat, \\(x\\)")[0]).all()
    assert (letters == drawn(queue, prompt="a \\(red:1.6\\) \\[cat\\], \\\\\\(x\\\\\\)")[0]).all()
    assert (drawn(queue, emphasis="No norm")[0] == drawn(queue)[0]).all(), "without weights they are one"
    assert (drawn(queue, prompt="[a red cat:(a dog:1.3):0]", emphasis="Ignore")[0] == drawn(queue, prompt="a dog")[0]).all()


def test_without_the_norm_the_states_are_scaled_and_nothing_else(queue: JobQueue) -> None:
    import torch

    from pipelines.image.nets.conditioning import condition

    drawn(queue)
    model = loaded(queue)
    plain, scaled, normed = (condition(model, text, "", 4, 1, emphasis=mode).positive_at(0)[0][0].states for text, mode in (("a cat", "Original"), ("(a cat:1.5)", "No norm"), ("(a cat:1.5)", "Original")))
    assert torch.allclose(scaled[:, 1:3], plain[:, 1:3] * 1.5) and torch.equal(scaled[:, 3:], plain[:, 3:])
    assert torch.allclose(normed.mean(), plain.mean(), rtol=1e-3) and not torch.allclose(scaled.mean(), plain.mean(), rtol=1e-3)


def test_words_change_at_their_step_with_samplers_that_run_twice_a_step(queue: JobQueue) -> None:
    """Heun runs the network twice in a step: half of the steps is half of the picture there too."""
    for prompt, same in (("[a red cat:a dog:4]", "a red cat"), ("[a red cat:a dog:0]", "a dog")):
        assert (drawn(queue, sampler="Heun", steps=4, prompt=prompt)[0] == drawn(queue, sampler="Heun", steps=4, prompt=same)[0]).all()
    late, early = drawn(queue, sampler="Heun", steps=4, prompt="[a red cat:a dog:3]")[0], drawn(queue, sampler="Heun", steps=4, prompt="[a red cat:a dog:1]")[0]
    cat, dog = drawn(queue, sampler="Heun", steps=4, prompt="a red cat")[0], drawn(queue, sampler="Heun", steps=4, prompt="a dog")[0]
    assert np.abs(late - cat).mean() < np.abs(early - cat).mean() and np.abs(early - dog).mean() < np.abs(late - dog).mean()


# -- batches -------------------------------------------------------------------------------------------------------


def spot(queue: JobQueue) -> dict[str, str]:
    ramp = np.linspace(0, 255, SIDE, dtype=np.uint8)
    picture = Image.fromarray(np.stack([np.tile(ramp, (SIDE, 1)), np.tile(ramp[:, None], (1, SIDE)), np.full((SIDE, SIDE), 90, np.uint8)], -1))
    mask = Image.new("L", (SIDE, SIDE), 0)
    mask.paste(255, (8, 8, 24, 24))
    return {"image": queue.desk.inputs.keep(png(picture)), "mask": queue.desk.inputs.keep(png(mask))}


@pytest.mark.parametrize(
    "values",
    [
        {"sampler": "Euler a", "noise_source": "NV", "eta_seed_delta": 31337}, {"seed_width": 16, "seed_height": 48},
        {"hires_scale": 1.5, "model": "large", "steps": 2, "upscaler": "Lanczos"}, {"image": "", "denoising_strength": 0.6}, {"image": "", "mask": "", "denoising_strength": 0.8}, {"image": "", "mask": "", "fill": "Noise", "only_masked": True}, {"conventions": "AUTOMATIC1111", "sampler": "DPM++ 2M"},
        {"conventions": "AUTOMATIC1111", "image": "", "denoising_strength": 0.6},
    ],
    ids=str,
)  # fmt: skip
def test_picture_i_of_a_batch_is_the_single_picture_of_its_seed(queue: JobQueue, values: dict[str, Any]) -> None:
    given = values | {name: key for name, key in spot(queue).items() if name in values}
    three, single = drawn(queue, **given, count=3), drawn(queue, **given, seed=7)
    assert len(three) == 3 and (three[2] == single[0]).all() and (three[0] != three[2]).any()


@pytest.mark.parametrize("values", [{}, {"sampler": "Euler a"}, {"hires_scale": 1.5, "model": "large", "steps": 2, "upscaler": "Lanczos"}, {"variation_seed": 2**32 - 2}], ids=str)
def test_pictures_that_vary_a_seed_keep_it_and_step_the_variation_seed(queue: JobQueue, values: dict[str, Any]) -> None:
    """As AUTOMATIC1111 counts. Drawn together they are the same but for rounding."""
    vary = {"variation_strength": 0.4, "variation_seed": 9} | values
    job = queue.submit("image.generate", BASE | vary | {"count": 3}, owner="local").wait()
    found = [queue.store.output(output) for output in job.outputs]
    three = [np.asarray(open_picture(Path(one.path))).astype(int) for one in found]
    moved = [(vary["variation_seed"] + number) % 2**32 for number in range(3)]
    assert [(one.metadata["facts"]["seed"], one.metadata["facts"]["variation_seed"]) for one in found] == [(5, seed) for seed in moved]
    assert [read(one.metadata["facts"]["parameters"]).get("variation_seed", 0) for one in found] == moved
    assert (three[2] == drawn(queue, **vary | {"variation_seed": moved[2]})[0]).all() and (three[0] != three[2]).any()
    together = drawn(queue, **vary, count=3, together=True)
    assert max(np.abs(one - other).max() for one, other in zip(three, together, strict=True)) <= 8


def test_a_job_that_was_broken_off_goes_on_with_the_next_variation(queue: JobQueue) -> None:
    params = ImageParams(count=3, seed=5, variation_strength=0.4, variation_seed=9, prompts=["a", "b", "c"])
    assert batches(params) == [(5,)] * 3 and [(one.variation_seed, one.prompt) for one in map(params.of_picture, range(3))] == [(9, "a"), (10, "b"), (11, "c")]
    assert [seed for (seed,) in batches(params.model_copy(update={"variation_strength": 0.0}))] == [5, 6, 7]


# -- dropped files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [{"conventions": "AUTOMATIC1111", "sampler": "Euler a", "schedule": "Karras", "noise_source": "NV", "eta_seed_delta": 31337, "prompt": "a (red:1.4) cat\nx: y, z: 1, a: b", "emphasis": "No norm"}, {"variation_strength": 0.3, "variation_seed": 4, "clip_skip": 2, "negative_prompt": ""}], ids=["a1111", "own"])
def test_a_dropped_file_draws_the_same_picture_from_its_settings_and_from_its_text_alone(queue: JobQueue, tmp_path: Path, values: dict[str, Any]) -> None:
    from PIL.PngImagePlugin import PngInfo

    from studio.restore import restore

    job = queue.submit("image.generate", BASE | values, owner="local").wait()
    path = Path(queue.store.output(job.outputs[0]).path)
    studio: Any = type("House", (), {"pipelines": queue.pipelines, "catalog": queue.catalog, "jobs": queue})()
    whole = restore(path, studio)
    with Image.open(path) as image:
        about = PngInfo()
        about.add_text("parameters", image.text["parameters"])  # type: ignore[attr-defined]
        image.save(tmp_path / "bare.png", pnginfo=about)
        picture = np.asarray(image.convert("RGB")).astype(int)
    text = restore(tmp_path / "bare.png", studio)
    assert whole.params == job.params.model_dump(mode="json") and not whole.refused and not text.refused
    for restored in (whole, text):
        assert (drawn(queue, **restored.params)[0] == picture).all()
