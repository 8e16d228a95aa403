"""Pictures through the studio (HTTP, queue, worker) against diffusers alone, on the same object: first picture, overhead, previews, Stop, switches. `python benchmarks/image.py [part …]`"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from quiet import refuse_busy_machine  # noqa: E402

from tests.running import Running, running  # noqa: E402

PROBE = ROOT / "benchmarks" / "image_probe"
BUSY = "--busy" in sys.argv
CLOCK = "cpu_seconds" if BUSY else "seconds"


def option(name: str, usual: int) -> int:
    return next((int(word.partition("=")[2]) for word in sys.argv if word.startswith(f"--{name}=")), usual)


PAIRS, STEPS = option("pairs", 9), 20
COLD, WARM = 15.0, 4.0
PER_JOB, PER_STEP, PER_SECOND = 0.030, 0.001, 0.01
PREVIEWS, STOP_GRACE, GROWTH = 0.03, 0.150, 64 * 2**20
SAVED_SIDE = 6000
CACHED = (0.3, 0.5, 0.7)
SWITCHES, TRIES = 50, min(5, PAIRS)
STICKERS = "stickers"


def told(what: str, good: bool) -> bool:
    print(f"{'ok  ' if good else 'MISSED'} {what}", flush=True)
    return good


@contextmanager
def studio_with_probe(folder: Path, *flags: str) -> Iterator[Running]:
    shutil.copytree(PROBE, folder / "extensions" / "image_probe", dirs_exist_ok=True)
    with running(folder, "--memory-limit", "8", *flags) as studio:
        yield studio


def events(studio: Running, job: str) -> Iterator[tuple[float, dict[str, Any]]]:
    """What a job tells over HTTP, with the moment it came."""
    with urllib.request.urlopen(f"{studio.url}/api/v1/jobs/{job}/events", timeout=600) as answer:
        for line in answer:
            if line.startswith(b"data: "):
                yield time.perf_counter(), json.loads(line[6:])


def run(studio: Running, pipeline: str, **values: Any) -> dict[str, Any]:
    """The last event of a job, which must have gone well."""
    job = studio.post(f"/api/v1/pipelines/{pipeline}", **values)["id"]
    last: dict[str, Any] = {}
    for _, event in events(studio, job):
        last = event
    assert last["type"] == "done", last
    return last


def generate(studio: Running, **values: Any) -> dict[str, Any]:
    """As `run`, with what the worker's processor spent on it."""
    before = worker_cpu(studio)
    return run(studio, "image.generate", **values) | {"cpu_seconds": worker_cpu(studio) - before}


def worker_cpu(studio: Running) -> float:
    import psutil

    spent = [psutil.Process(pid).cpu_times() for pid in studio.workers()]
    return sum(times.user + times.system for times in spent)


def pixels(studio: Running, output: str) -> str:
    from PIL import Image

    with urllib.request.urlopen(f"{studio.url}/api/v1/outputs/{output}/file", timeout=20) as answer, Image.open(io.BytesIO(answer.read())) as image:
        return hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()


def big_model(folder: Path, seed: int = 1) -> Path:
    """Stable Diffusion 1's form with random weights, of a size at which a step at 128 pixels takes more than 100 ms on one thread."""
    import torch
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from tests.image_models import scheduler, tokenizer

    words = tokenizer(folder.parent / "words")
    torch.manual_seed(seed)
    text = CLIPTextConfig(
        vocab_size=len(words), hidden_size=512, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=8, bos_token_id=len(words) - 2, eos_token_id=len(words) - 1, pad_token_id=len(words) - 1
    )
    unet = UNet2DConditionModel(sample_size=64, block_out_channels=(128, 256, 512, 512), cross_attention_dim=512, attention_head_dim=8)
    levels = (64, 128, 256, 256)
    vae = AutoencoderKL(
        block_out_channels=levels, layers_per_block=2, latent_channels=4, down_block_types=("DownEncoderBlock2D",) * len(levels), up_block_types=("UpDecoderBlock2D",) * len(levels), sample_size=512
    )
    StableDiffusionPipeline(
        vae=vae, text_encoder=CLIPTextModel(text), tokenizer=words, unet=unet, scheduler=scheduler(), safety_checker=None, feature_extractor=None, requires_safety_checker=False
    ).save_pretrained(folder)
    return folder


# -- the claims ------------------------------------------------------------------------------------------------


def first(folder: Path) -> bool:
    """A data folder that is new, no network: from the prompt to the picture, cold and warm."""
    with running(folder) as studio:
        values = {"model": STICKERS, "prompt": "a red heart", "steps": STEPS, "upscale": 1.0, "seed": 1}
        started = time.perf_counter()
        run(studio, "image.generate", **values)
        cold = time.perf_counter() - started
        started = time.perf_counter()
        run(studio, "image.generate", **(values | {"prompt": "a panda on a yellow background"}))
        warm = time.perf_counter() - started
    return told(f"first prompt to picture, {STEPS} steps: cold {cold:.1f} s (wanted {COLD:.0f}), warm {warm:.2f} s (wanted {WARM:.0f}), ratio {cold / warm:.1f}", cold <= COLD and warm <= WARM)


def overhead(studio: Running, model: str, side: int, cfg_scale: float) -> bool:
    """The studio's job against diffusers' call, in turns; prompts that neither has seen, so that both encode."""
    base = {"model": model, "steps": STEPS, "cfg_scale": cfg_scale, "sampler": "Euler"}
    same, pairs = True, []
    for number in range(PAIRS + 1):
        prompt = f"a red cat, number {number}"
        job = generate(studio, prompt=prompt, seed=number, width=side, height=side, upscale=1.0, **base)
        bare = run(studio, "probe.bare", prompt=prompt, seed=number, side=side, **base)["summary"]
        same = same and pixels(studio, job["outputs"][0]) == bare["sha256"]
        if number:
            pairs.append((job[CLOCK], bare[CLOCK]))
    more = statistics.median(mine - other for mine, other in pairs)
    alone = statistics.median(other for _, other in pairs)
    allowed = PER_SECOND * alone + PER_JOB + PER_STEP * STEPS
    return told(
        f"{model} at {side} pixels, {CLOCK}: bare {alone:.3f} s ({alone / STEPS * 1000:.0f} ms a step), the studio {more * 1000:+.0f} ms (allowed {allowed * 1000:.0f}), ratio {1 + more / alone:.3f}; "
        f"pixels {'the same' if same else 'DIFFER'}", more <= allowed and same,
    )  # fmt: skip


def previews(studio: Running, model: str, side: int) -> bool:
    """The pipeline with previews against the same without, in turns."""
    pairs, shown, same = [], 0, True
    for number in range(PAIRS + 1):
        values = {"model": model, "prompt": "a red cat", "steps": STEPS, "cfg_scale": 4.0, "sampler": "Euler", "schedule": "Automatic", "seed": number, "width": side, "height": side, "upscale": 1.0}
        order = (True, False) if number % 2 else (False, True)
        done = {on: run(studio, "probe.generate", values=values, previews=on)["summary"] for on in order}
        shown, same = max(shown, done[True]["previews"]), same and done[True]["sha256"] == done[False]["sha256"]
        if number:
            pairs.append((done[True][CLOCK], done[False][CLOCK]))
    ratio = statistics.median(on / off for on, off in pairs)
    return told(f"{model} at {side} pixels: {shown} previews of {STEPS} steps, {CLOCK} ratio {ratio:.3f} (wanted {1 + PREVIEWS}); pixels {'the same' if same else 'DIFFER'}", ratio <= 1 + PREVIEWS and same)


def encoder(studio: Running, model: str, side: int) -> bool:
    """The same prompt with another seed: the text encoder does not run."""
    values = {"model": model, "steps": 1, "cfg_scale": 4.0, "sampler": "Euler", "width": side, "height": side, "upscale": 1.0}
    generate(studio, prompt="warm", seed=1, **values)
    before = run(studio, "probe.look", count=True)["summary"]["encoder_calls"]
    new, again, calls = [], [], 0
    for number in range(PAIRS):
        new.append(generate(studio, prompt=f"something new {number}", seed=1, **values)[CLOCK])
        counted = run(studio, "probe.look")["summary"]["encoder_calls"]
        again.append(generate(studio, prompt=f"something new {number}", seed=2, **values)[CLOCK])
        calls += run(studio, "probe.look")["summary"]["encoder_calls"] - counted
    all_calls = counted - before
    one, other = statistics.median(new), statistics.median(again)
    return told(f"second picture, other seed: encoder ran {calls} times (wanted 0; {all_calls} for {PAIRS} new prompts), {one - other:.3f} s saved, ratio {other / one:.3f}", calls == 0 and all_calls > 0)


PHASES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "encode": lambda event: event["type"] == "progress" and event["note"] == "Reading the prompt",
    "denoise": lambda event: event["type"] == "progress" and not event["note"] and event["step"] >= 1,
    "decode": lambda event: event["type"] == "progress" and event["note"] == "Decoding",
    "upscale": lambda event: event["type"] == "progress" and event["note"] == "Enlarging",
    "save": lambda event: event["type"] == "progress" and event["note"] == "Saving",
}


def stop(studio: Running, model: str, side: int) -> bool:
    """Stop at a moment of each phase, to the job's last event over HTTP; a step, and a stretch of enlarging between two words of it, are measured in whole runs.

    Saving is that of a picture large enough for it to take seconds, enlarged by whole pixels. A phase in which no Stop came in time counts as missed.
    """
    values = {"model": model, "prompt": "a red cat", "steps": 4, "cfg_scale": 4.0, "sampler": "Euler", "width": side, "height": side, "upscale": 4.0, "upscaler": "Real-ESRGAN"}
    generate(studio, seed=1, **values)
    step, tile = pieces(studio, values)
    limit = max(step, tile) + STOP_GRACE
    large = {"image": given(studio, noise(SAVED_SIDE // 4)), "scale": 4.0, "upscaler": "Nearest"}
    good = True
    for phase, begun in PHASES.items():
        taken, missed = [], 0
        for number in range(TRIES):
            asked = ("image.upscale", large) if phase == "save" else ("image.generate", values | {"seed": number, "prompt": f"a {phase} cat {number}"})
            took = stop_once(studio, *asked, begun, 0.01 * number)
            missed += took < 0
            taken += [took] if took >= 0 else []
        worst = max(taken, default=0.0)
        sentence = f"Stop in “{phase}”: {worst * 1000:.0f} ms at most of {len(taken)} (step {step * 1000:.0f}, a stretch of enlarging {tile * 1000:.0f}; allowed {limit * 1000:.0f}), ratio {worst / limit:.2f}"
        good = told(sentence + (f"; {missed} had ended before" if missed else ""), bool(taken) and worst <= limit) and good
    return good


def given(studio: Running, picture: bytes) -> str:
    """The key of a picture that a job may take."""
    request = urllib.request.Request(f"{studio.url}/api/v1/inputs", picture, {"content-type": "image/png"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(json.load(answer)["key"])


def noise(side: int) -> bytes:
    """A picture that no file format makes small."""
    import numpy as np
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=np.uint8)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def pieces(studio: Running, values: dict[str, Any]) -> tuple[float, float]:
    """Median seconds of a step and between two words of enlarging, from the moments at which they are told."""
    job = studio.post("/api/v1/pipelines/image.generate", seed=2, **values)["id"]
    moments: dict[str, list[float]] = {"": [], "Enlarging": []}
    for moment, event in events(studio, job):
        if event["type"] == "progress" and event["note"] in moments:
            moments[event["note"]].append(moment)
    between = [[later - earlier for earlier, later in zip(found, found[1:], strict=False)] or [0.0] for found in moments.values()]
    return statistics.median(between[0]), statistics.median(between[1])


def stop_once(studio: Running, pipeline: str, values: dict[str, Any], begun: Callable[[dict[str, Any]], bool], later: float) -> float:
    """Seconds from Stop to the end; -1 where the job had ended before, or the phase was too short to be told."""
    job = studio.post(f"/api/v1/pipelines/{pipeline}", **values)["id"]
    asked, accepted = 0.0, False
    for moment, event in events(studio, job):
        if not asked and begun(event):
            time.sleep(later)
            asked = time.perf_counter()
            accepted = bool(studio.post(f"/api/v1/jobs/{job}/cancel")["stopped"])
        if event["type"] in ("done", "cancelled", "failed"):
            assert event["type"] != "failed", event
            return moment - asked if accepted and moment > asked else -1.0
    raise AssertionError("the job never ended")


def switches(folder: Path) -> bool:
    """Fifty jobs over three models of which one fits: what the worker keeps."""
    import psutil

    names = ["one", "two", "three"]
    for number, name in enumerate(names):
        big_model(folder / "models" / name, number)
    size = sum(path.stat().st_size for path in (folder / "models" / "one").rglob("*.safetensors"))
    shutil.copytree(PROBE, folder / "extensions" / "image_probe", dirs_exist_ok=True)
    with running(folder, "--memory-limit", f"{size * 1.7 / 2**30:.3f}") as studio:
        resident, stale, loads = [], 0, 0
        for number in range(SWITCHES + len(names)):
            run(studio, "image.generate", model=names[number % 3], prompt="a red cat", steps=1, width=64, height=64, upscale=1.0, seed=number)
            seen = run(studio, "probe.look")["summary"]
            assert seen["loaded"] == [names[number % 3]], seen
            stale, loads = stale + seen["stale"], seen["seen"]
            resident.append(psutil.Process(studio.workers()[0]).memory_info().rss)
    grown = max(resident[-3:]) - max(resident[:3])
    print("     resident MB: " + " ".join(f"{value / 2**20:.0f}" for value in resident[:: max(1, len(resident) // 12)]))
    return told(
        f"{SWITCHES} switches among three models of {size / 2**20:.0f} MB: the worker grew {grown / 2**20:+.0f} MB (allowed {GROWTH / 2**20:.0f}), ratio {max(resident[-3:]) / max(resident[:3]):.3f}; "
        f"{loads} loads, {stale} parts alive after they were let go (wanted 0)", grown <= GROWTH and stale == 0,
    )  # fmt: skip


def step_caching(studio: Running) -> bool:
    """FLUX's form with random weights: in how many steps blocks are left out, what that saves, and how far the picture moves. Missed where none is: then it measured nothing."""
    from PIL import Image

    values = {"model": "flux", "prompt": "a red cat", "steps": STEPS, "cfg_scale": 3.5, "width": 64, "height": 64, "upscale": 1.0, "seed": 1}
    run(studio, "image.generate", **values)
    run(studio, "probe.look", count=True)

    def blocks() -> int:
        return int(run(studio, "probe.look")["summary"]["block_calls"])

    def drawn(threshold: float) -> tuple[float, int, Any]:
        before = blocks()
        done = generate(studio, step_cache=threshold, **values)
        with urllib.request.urlopen(f"{studio.url}/api/v1/outputs/{done['outputs'][0]}/file", timeout=20) as answer, Image.open(io.BytesIO(answer.read())) as image:
            return float(done[CLOCK]), blocks() - before, image.convert("RGB")

    good, most, (seconds, all_steps, whole) = True, 0, drawn(0.0)
    for threshold in CACHED:
        taken, ran, picture = drawn(threshold)
        loss, most = noise_ratio(whole, picture), max(most, all_steps - ran)
        what = f"step caching at {threshold}: blocks left out in {all_steps - ran} of {all_steps} steps, {CLOCK} ratio {taken / seconds:.2f}, {loss:.0f} dB from the whole"
        good = told(what, taken <= 1.1 * seconds and loss >= 15) and good
    return told(f"step caching left out blocks in {most} of {all_steps} steps at most", most > 0) and good


def noise_ratio(one: Any, other: Any) -> float:
    """Peak signal-to-noise ratio in dB; 99 for the same picture."""
    import numpy as np

    error = float(((np.asarray(one).astype(float) - np.asarray(other).astype(float)) ** 2).mean())
    return 99.0 if not error else float(10 * np.log10(255**2 / error))


def flux_model(folder: Path) -> None:
    import torch
    from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    from tests.image_models import VAE, WIDTH, clip, t5, tokenizer

    words = tokenizer(folder.parent / "words")
    torch.manual_seed(1)
    network = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=4, num_single_layers=8, attention_head_dim=64, num_attention_heads=6, joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH, axes_dims_rope=[16, 24, 24]
    )
    FluxPipeline(
        vae=AutoencoderKL(**(VAE | {"shift_factor": 0.1, "scaling_factor": 0.4})), text_encoder=clip(len(words)), tokenizer=words, text_encoder_2=t5(len(words)), tokenizer_2=words,
        transformer=network, scheduler=FlowMatchEulerDiscreteScheduler(),
    ).save_pretrained(folder)  # fmt: skip


def layouts(folder: Path) -> bool:
    """What the processor gains from another order of the numbers in memory, and from half precision: a step of the network alone, in turns."""
    import torch
    from diffusers import UNet2DConditionModel

    from studio.memory.devices import has_bfloat16

    torch.set_num_threads(1)
    path = big_model(folder / "big") / "unet"
    plain, last, half = (UNet2DConditionModel.from_pretrained(path, dtype=dtype).eval() for dtype in (torch.float32, torch.float32, torch.bfloat16))
    last.to(memory_format=torch.channels_last)
    given = torch.randn(2, 4, 32, 32), torch.tensor(5), torch.randn(2, 77, 512)

    def seconds(network: Any, dtype: Any) -> float:
        started = time.process_time()
        with torch.inference_mode():
            network(given[0].to(dtype), given[1], given[2].to(dtype))
        return time.process_time() - started

    kinds = ((plain, torch.float32), (last, torch.float32), (half, torch.bfloat16))
    rounds = [[seconds(*kind) for kind in kinds] for _ in range(PAIRS + 1)][1:]
    one, two = (statistics.median(found[number] / found[0] for found in rounds) for number in (1, 2))
    first_told = told(f"channels-last against plain on this processor: ratio {one:.2f} (left off unless it were below 0.9, for it changes pixels)", one >= 0.9)
    return told(f"bfloat16 against full precision: ratio {two:.2f}; the studio says that this processor has {'units' if has_bfloat16() else 'no units'} for it", has_bfloat16() == (two < 1)) and first_told


# -- all of it -------------------------------------------------------------------------------------------------


def in_folder(claim: Callable[[Path], bool]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        return claim(Path(folder))


def in_studio(claim: Callable[[Running], bool]) -> bool:
    def claimed(folder: Path) -> bool:
        big_model(folder / "models" / "big")
        with studio_with_probe(folder) as studio:
            return claim(studio)

    return in_folder(claimed)


def with_flux(folder: Path) -> bool:
    flux_model(folder / "models" / "flux")
    with studio_with_probe(folder) as studio:
        return step_caching(studio)


PARTS: dict[str, Callable[[], bool]] = {
    "first": lambda: in_folder(first),
    "overhead": lambda: in_studio(lambda studio: all([overhead(studio, "big", 128, 4.0), overhead(studio, STICKERS, 128, 4.0)])),
    "previews": lambda: in_studio(lambda studio: all([previews(studio, "big", 128), previews(studio, STICKERS, 128)])),
    "encoder": lambda: in_studio(lambda studio: encoder(studio, "big", 64)),
    "stop": lambda: in_studio(lambda studio: stop(studio, "big", option("side", 256))),
    "switches": lambda: in_folder(switches),
    "cache": lambda: in_folder(with_flux),
    "layouts": lambda: in_folder(layouts),
}


def main() -> None:
    refuse_busy_machine()
    chosen = [name for name in sys.argv[1:] if not name.startswith("-")] or list(PARTS)
    if BUSY:
        print(f"measured on a busy machine (load {os.getloadavg()[0]:.1f}): overheads in the worker's processor seconds")
    good = [PARTS[name]() for name in chosen]
    raise SystemExit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
