"""What makes pictures quicker or tells how quick they are: cached steps, previews at a share of the time, the time left, Stop in every phase."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image import generate
from pipelines.image.params import ImageParams
from pipelines.image.pictures import open_picture, png
from pipelines.image.track import Pace, Piece, Track, pieces, seconds_of
from studio.api import BadInput, Preview
from studio.executor import worker_environment
from studio.jobs import Job, JobQueue
from studio.runcontext import Eta, Share
from studio.worker import WorkerContext
from tests.house import finish, progress_of
from tests.image_models import image_queue, make_flux, make_sd1

ROOT = Path(__file__).resolve().parent.parent
SIDE = 32


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("speed")
    make_sd1(root / "models" / "sd1")
    make_flux(root / "models" / "flux", layers=3)
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


def submit(queue: JobQueue, **values: Any) -> Job:
    base = {"model": "sd1", "prompt": "a red cat", "width": SIDE, "height": SIDE, "steps": 4, "seed": 5, "cfg_scale": 3.0, "upscale": 1.0}
    return queue.submit("image.generate", base | values, owner="local")


def drawn(queue: JobQueue, **values: Any) -> np.ndarray:
    job = submit(queue, **values).wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path))).astype(float)


def loaded(queue: JobQueue, key: str) -> Any:
    return next(lease.model for lease in queue.executors["device"].worker.models._leases.values() if lease.model.key == key)  # type: ignore[attr-defined]


def count_calls(module: Any) -> Callable[[], int]:
    calls = [0]
    handle = module.register_forward_hook(lambda *_: calls.__setitem__(0, calls[0] + 1))
    return lambda: (handle.remove(), calls[0])[1]


# -- cached steps ----------------------------------------------------------------------------------------------


def test_cached_steps_leave_out_blocks_and_stay_near_the_picture(queue: JobQueue) -> None:
    values = {"model": "flux", "steps": 12, "sampler": "Flow Euler"}
    whole = drawn(queue, **values)
    last = loaded(queue, "flux").pipe.transformer.single_transformer_blocks[-1].attn
    loss, ran = [], []
    for threshold in (1e-9, 0.05, 0.9):
        counted = count_calls(last)
        picture = drawn(queue, **values, step_cache=threshold)
        ran.append(counted())
        error = float(((picture - whole) ** 2).mean())
        loss.append(np.inf if not error else 10 * np.log10(255**2 / error))
    assert ran[0] == 12 and loss[0] == np.inf, "what may change nothing leaves out nothing"
    assert ran[2] < ran[0] and ran[2] <= ran[1] and loss[1] >= loss[2] > 15
    assert (drawn(queue, **values) == whole).all(), "switched off again, nothing is left of it"
    picture = {"image": queue.desk.inputs.keep(png(Image.fromarray(whole.astype(np.uint8)))), "denoising_strength": 0.9}
    counted = count_calls(last)
    assert (drawn(queue, **values, **picture, step_cache=1e-9) == drawn(queue, **values, **picture)).all()
    all_of_both = counted()
    counted = count_calls(last)
    drawn(queue, **values, **picture, step_cache=0.9)
    assert 0 < counted() < all_of_both / 2, "also where the picture begins from one"


def test_cached_steps_are_refused_for_families_without_such_blocks(queue: JobQueue) -> None:
    with pytest.raises(BadInput, match="not for Stickers") as told:
        submit(queue, step_cache=0.1)
    assert told.value.field == "step_cache"


# -- previews --------------------------------------------------------------------------------------------------


def test_a_by_work_takes_its_share_of_the_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    share, shown, spent = Share(0.03, 0.1), 0, 0.0
    for _ in range(1000):  # steps of 50 ms, previews of 6 ms
        clock[0] += 0.05
        if share.due():
            shown, spent = shown + 1, spent + 0.006
            clock[0] += 0.006
            share.took(0.006)
    assert 0.025 < spent / (clock[0] - 100) <= 0.03 and shown > 200
    slow = Share(0.03, 0.1)
    slow.took(0.0)
    assert not slow.due()
    clock[0] += 0.1
    assert slow.due()


def test_a_preview_is_small_and_quick(queue: JobQueue) -> None:
    import torch

    from pipelines.image.nets import preview

    for side in (16, 64, 128, 256):
        picture = preview.picture(torch.randn(4, side, side), torch.randn(5, 3), 8)
        assert picture.width == max(side, 128), "at most 128 pixels, unless the latents have more"
    assert preview.picture(torch.randn(4, 8, 8), torch.randn(5, 3), 8).size == (64, 64), "never larger than the finished one"


def test_a_decoder_that_overflows_in_half_precision_is_read_in_full(queue: JobQueue) -> None:
    import torch
    from diffusers import AutoencoderKL

    from pipelines.image.nets.preview import fit_colours
    from tests.image_models import VAE

    torch.manual_seed(2)
    vae = AutoencoderKL(**VAE, force_upcast=True).eval()
    whole = fit_colours(vae, 2)
    before = {name: value.half() for name, value in vae.state_dict().items()}
    told = fit_colours(vae.half(), 2)
    assert vae.dtype == torch.float16 and all(torch.equal(value, before[name]) for name, value in vae.state_dict().items())
    assert torch.allclose(told, whole, atol=0.05)
    next(vae.encoder.parameters()).data.fill_(float("nan"))
    assert fit_colours(vae, 2) is None, "no previews rather than an error"


# -- the time left ---------------------------------------------------------------------------------------------


def test_the_time_left_knows_that_the_second_pass_is_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job whose second pass takes four times as long a step, decoding and enlarging between: at every moment the time left is near the truth."""
    params = ImageParams(width=512, height=512, steps=10, hires_scale=2.0, hires_steps=10, hires_strength=1.0, upscale=2.0)
    work = pieces(params, 2)
    truth = Pace({"step": 4e-6, "decode": 5e-6, "enlarge": 1e-6})
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    whole = seconds_of(work, truth)
    pace = Pace()
    track, eta, wrong, plain_wrong = Track(work, pace, lambda: clock[0]), Eta(), [], []
    plain = Eta()
    for number, piece in enumerate(work):
        track.begin(piece.kind)
        for tenth in range(10):
            told, steps = eta.after(track.share(tenth / 10)), plain.after((number + tenth / 10) / len(work))
            left = whole - clock[0]
            if number >= 1:
                wrong.append(abs(told - left) / whole)
                plain_wrong.append(abs(steps - left) / whole)
            clock[0] += seconds_of([piece], truth) / 10
        track.learn()
    assert max(wrong) < 0.15 < max(plain_wrong) and max(wrong[len(wrong) // 2 :]) < 0.05
    assert pace.measured == pytest.approx(truth.measured)


def test_a_sampler_that_asks_twice_takes_twice_as_long_and_no_guidance_half(queue: JobQueue) -> None:
    pipeline: Any = queue.pipelines["image.generate"]

    def seconds(**values: Any) -> float:
        return float(pipeline.seconds(ImageParams(**({"model": "sd1", "width": 64, "height": 64, "steps": 10, "upscale": 1.0} | values)), queue.catalog, {"step": 1.0, "decode": 1e-9}))

    usual = seconds(sampler="Euler", cfg_scale=5.0)
    found = {"Heun": seconds(sampler="Heun", cfg_scale=5.0), "DPM2": seconds(sampler="DPM2"), "unguided": seconds(cfg_scale=1.0), "PAG": seconds(cfg_scale=5.0, pag_scale=3.0), "PAG alone": seconds(cfg_scale=1.0, pag_scale=3.0), "again": seconds(hires_scale=2.0, hires_strength=1.0, hires_sampler="Heun")}
    assert {name: value / usual for name, value in found.items()} == pytest.approx({"Heun": 2, "DPM2": 2, "unguided": 0.5, "PAG": 1.5, "PAG alone": 1, "again": 1 + 4 * 2}, rel=1e-2)
    taught = [seconds(model="flux", cfg_scale=scale, sampler="Flow Euler") for scale in (1.0, 3.5)]
    assert taught[0] == taught[1], "guidance that was taught costs nothing"
    assert seconds(model="flux", sampler="Flow Heun") / taught[0] == pytest.approx(2, rel=1e-3)


def test_what_is_left_out_counts_as_done() -> None:
    track = Track([Piece("step", 10), Piece("decode", 10), Piece("enlarge", 10), Piece("step", 10)], Pace({"step": 1.0, "decode": 1.0, "enlarge": 1.0}), lambda: 0.0)
    track.begin("step")
    assert track.share(0.5) == pytest.approx(0.125)
    track.begin("enlarge")
    assert track.share() == pytest.approx(0.5)


def test_steps_are_told_with_their_phase_in_order(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    told = progress_of(queue, monkeypatch)
    drawn(queue, steps=6, upscale=2.0, prompt="something new again")
    notes = list(dict.fromkeys(event.note for event in told))
    assert notes == ["Reading the prompt", "", "Decoding", "Enlarging", "Saving"]
    assert [event.step for event in told] == sorted(event.step for event in told) and told[-1].step == told[-1].total == 6
    assert all(event.eta_seconds >= 0 for event in told[3:])


# -- Stop ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("phase", "part"), [("Reading the prompt", "text_encoder"), ("", "unet"), ("Decoding", "vae.decoder"), ("Enlarging", "")])
def test_stop_acts_inside_every_phase(queue: JobQueue, monkeypatch: pytest.MonkeyPatch, phase: str, part: str) -> None:
    """Each part is made slow; Stop comes while it works, and what would follow is not done."""
    drawn(queue)
    pipe = loaded(queue, "sd1").pipe
    entered, asked, handles, after = threading.Event(), threading.Event(), [], []

    def slow(*_: Any) -> None:
        entered.set()
        after.append(asked.is_set())
        asked.wait(60)
        time.sleep(0.25)

    if part:
        whole = pipe
        for name in part.split("."):
            whole = getattr(whole, name)
        blocks = [module for module in whole.modules() if type(module).__name__ in ("ResnetBlock2D", "CLIPEncoderLayer")][:3]
        handles = [block.register_forward_hook(slow) for block in blocks]
    else:
        from pipelines.image import upscalers
        from pipelines.image.nets.upscalers import Compact

        monkeypatch.setattr(upscalers, "TILES", (16,))
        monkeypatch.setattr(Compact, "forward", lambda self, x: (slow(), x.repeat_interleave(4, 2).repeat_interleave(4, 3))[1])
    job = submit(queue, prompt=f"something new for {phase}", upscale=2.0, steps=3)

    def stop() -> None:
        entered.wait(60)
        queue.cancel(job.id, by="local")
        asked.set()

    thread = threading.Thread(target=stop)
    thread.start()
    job.wait()
    thread.join()
    for handle in handles:
        handle.remove()
    assert job.state == "cancelled" and len(job.outputs) == (phase == "Enlarging"), "a drawn picture is kept as it was drawn"
    assert sum(after) <= 1, "within a block or a tile, not after the whole part"


@pytest.mark.parametrize("phase", ["Enlarging", "Saving", "kept"])
def test_skip_leaves_out_the_picture_that_it_was_pressed_for_and_no_other(queue: JobQueue, monkeypatch: pytest.MonkeyPatch, phase: str) -> None:
    worker, pressed = queue.executors["device"].worker, list[str]()  # type: ignore[attr-defined]

    def press() -> None:
        if not pressed:
            pressed.append(phase)
            worker.context.stop("skip")

    def after(step: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given: (press(), step(*given))[1]

    if phase == "Enlarging":
        from pipelines.image import upscalers
        from pipelines.image.nets.upscalers import Compact

        monkeypatch.setattr(upscalers, "TILES", (16,))
        monkeypatch.setattr(Compact, "forward", after(lambda self, x: x.repeat_interleave(4, 2).repeat_interleave(4, 3)))
    elif phase == "Saving":
        monkeypatch.setattr(generate, "png", after(generate.png))
    else:  # too late: the picture is there
        monkeypatch.setattr(WorkerContext, "output", after(WorkerContext.output))
    job = submit(queue, count=3, upscale=2.0, upscaler="Real-ESRGAN").wait()
    assert job.error is None and pressed and job.state == "done"
    assert [queue.store.output(output).metadata["facts"]["seed"] for output in job.outputs] == ([5, 6, 7] if phase == "kept" else [6, 7])


def test_the_preview_of_a_step_comes_without_a_pause(queue: JobQueue) -> None:
    job = submit(queue, steps=30, width=64, height=64)
    assert [event for event in job.events() if isinstance(event, Preview)]


PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
TAKEN = "import re, torch; held = torch.ones(32 * 2**20); print(re.search(r'AnonHugePages: +([0-9]+)', open('/proc/self/smaps_rollup').read()).group(1))"


@pytest.mark.skipif(not PAGES.is_file() or "[madvise]" not in PAGES.read_text(), reason="here the system alone chooses the size of pages")
def test_a_workers_tensors_lie_in_large_pages() -> None:
    def kilobytes(**more: str) -> int:
        return int(subprocess.run([sys.executable, "-c", TAKEN], env=worker_environment() | more, capture_output=True, text=True, check=True).stdout)

    assert kilobytes() > 100_000 > kilobytes(THP_MEM_ALLOC_ENABLE="0")


def test_a_stable_diffusion_folder_brings_no_other_family_s_pipelines(tmp_path: Path) -> None:
    """In a program of its own, as here others have brought them long ago: the first picture waits for each."""
    code = f"""
import sys
from pathlib import Path
import torch
from pipelines.image.families import FAMILIES
from pipelines.image.nets import draw, model
loaded = model.load(Path({str(make_sd1(tmp_path / "sd1"))!r}), FAMILIES["sd1"], "sd1", device="cpu", dtype=torch.float32, report=lambda note, share: None)
print(*sorted(name for name in sys.modules if name.startswith("diffusers.pipelines.") and any(word in name for word in ("flux", "prx", "wuerstchen"))))
assert "Img2Img" in type(loaded.mode("image")).__name__
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip() == ""
