"""Styles through the studio: a warm 640 × 427 picture against the bare network, 24 megapixels under a 2 GB cap with its seams, how near kept colours stay, and how steady
strokes are in moving pictures.

`python benchmarks/style.py [speed|files|large|colours|moving …] [--picture=file] [--busy]`; without a picture the first photograph that is shipped is taken.
"""

from __future__ import annotations

import io
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from quiet import memory_of, refuse_busy_machine  # noqa: E402

from pipelines.image.style.any import AnyParams, AnyStyle  # noqa: E402
from pipelines.image.style.blend import THUMBS, Blend, BlendParams  # noqa: E402
from pipelines.image.style.colours import LIGHTNESS, MATCHED, difference, to_lab  # noqa: E402
from pipelines.image.style.flow import WEIGHTS  # noqa: E402
from pipelines.image.style.names import STYLES  # noqa: E402
from pipelines.image.style.tiles import STRIP  # noqa: E402
from studio.memory.manager import LeasedModels  # noqa: E402

BUSY = "--busy" in sys.argv
PAIRS, SECONDS, RATIO, CAP, APART, SEAM = 9, 0.35, 1.1, 2 * 2**30, 5.0, 1.1
FACTOR = 4  # the network's deepest layers are at a quarter of the size
STEADIER, FILM, MOVING_STYLES = 0.67, (320, 214), (5, 13, 20)
CONTENT, STYLE = "c" * 64 + ".png", "d" * 64 + ".webp"


class Context:
    """What a method wants to load its network and read a style, without a studio around it."""

    device, threads = "cpu", 1

    def __init__(self, folder: Path) -> None:
        self.folder, self.models = folder, LeasedModels(8 * 2**30)

    def input(self, key: str) -> Path:
        return self.folder / key


def told(what: str, good: bool) -> bool:
    print(f"{'ok  ' if good else 'MISSED'} {what}", flush=True)
    return good


def photograph() -> Image.Image:
    given = next((Path(word.partition("=")[2]) for word in sys.argv if word.startswith("--picture=")), None)
    shipped = sorted((ROOT / "tabs" / "samples" / "photos").glob("*.webp"))
    with Image.open(given or (shipped[0] if shipped else THUMBS / "23.webp")) as file:
        return file.convert("RGB")


def folder_with(picture: Image.Image) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="seisei-style-"))
    picture.save(folder / CONTENT)
    shutil.copy(THUMBS / "19.webp", folder / STYLE)
    return folder


def methods() -> list[tuple[Any, Any]]:
    return [(Blend(), BlendParams(image=CONTENT)), (AnyStyle(), AnyParams(image=CONTENT, style=STYLE))]


def speed() -> bool:
    """Through the whole studio over HTTP, file to file, in turns with a bare script that uses the same network (open, paint, save) and with the network alone."""
    import torch
    from image import given, run, worker_cpu

    from pipelines.image.nets.style import load
    from tests.running import running

    torch.set_num_threads(1)
    ctx, x, good = Context(folder_with(photograph().resize((640, 427)))), torch.rand(1, 3, 428, 640), True
    with running(Path(tempfile.mkdtemp(prefix="seisei-style-")), env={"SEISEI_THREADS": "1"}) as studio:
        keys = {"image": given(studio, (ctx.folder / CONTENT).read_bytes()), "style": given(studio, (ctx.folder / STYLE).read_bytes())}
        for method, params in methods():
            network = load(WEIGHTS / f"{method.paint_weights}.safetensors", "cpu")
            with ctx.models.use(method._spec(ctx)) as model:
                style = method.style(model, params, ctx)
            values = {name: key for name, key in keys.items() if name in method.Params.model_fields}

            def bare(network: Any = network, style: Any = style) -> None:
                with Image.open(ctx.folder / CONTENT) as file:
                    pixels = torch.from_numpy(np.asarray(file.convert("RGB")).copy()).permute(2, 0, 1)[None].float() / 255
                made = network.paint(torch.nn.functional.pad(pixels, (0, 0, 0, 1), mode="reflect"), style)
                Image.fromarray((made[0, :, :427] * 255).to(torch.uint8).permute(1, 2, 0).numpy()).save(io.BytesIO(), "PNG")

            rounds = []
            for _ in range(PAIRS + 1):
                before, started = worker_cpu(studio), time.perf_counter()
                seconds = float(run(studio, method.id, **values)["seconds"])
                asked = time.perf_counter() - started
                rounds.append([asked, seconds, worker_cpu(studio) - before, *took(bare), *took(lambda network=network, style=style: network.paint(x, style))])
            whole, job, _, script, _, alone, _ = (statistics.median(column) for column in zip(*rounds[1:], strict=True))
            *_, spent, _, by_script, _, by_network = (sum(column) / PAIRS for column in zip(*rounds[1:], strict=True))  # a process is told its seconds in hundredths: over all jobs
            clock = f"{whole:.3f} s from the request, the job {job:.3f} s, the network alone {alone:.3f} s ({job / alone:.2f} ×), a bare script {script:.3f} s ({job / script:.2f} ×)"
            processor = f"processor time of the worker {spent:.3f} s, of the network alone {by_network:.3f} s ({spent / by_network:.2f} ×), of the script {by_script:.3f} s ({spent / by_script:.2f} ×)"
            ratio = spent / by_network if BUSY else job / alone
            good &= told(f"{method.id} over HTTP, 640 × 427, warm: {clock}; {processor}; at most {SECONDS} s, {RATIO} × the network", (BUSY or whole <= SECONDS) and ratio <= RATIO)
    return good


def took(act: Callable[[], Any]) -> tuple[float, float]:
    """Seconds on the clock, and of this program's processor."""
    clock, processor = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - clock, time.process_time() - processor


def files() -> bool:
    """A painted picture of 640 × 427 as a PNG, against Pillow's quickest, in turns: processor milliseconds, the least of many, and bytes."""
    from pipelines.image.style.pack import packed

    with Image.open(ROOT / "tabs" / "samples" / "styled" / "castle.webp") as file:
        painted = file.convert("RGB").resize((640, 427))

    def pillow() -> bytes:
        buffer = io.BytesIO()
        painted.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    ways: dict[str, Callable[[], bytes]] = {"ours": lambda: packed(painted, lambda: None), "Pillow": pillow}
    least = dict.fromkeys(ways, float("inf"))
    for _ in range(30):
        for name, way in ways.items():
            started = time.process_time()
            way()
            least[name] = min(least[name], time.process_time() - started)
    ours, theirs = (f"{1000 * least[name]:.1f} ms, {len(ways[name]()) / 1000:.0f} kB" for name in ways)
    return told(f"a painted 640 × 427 as PNG: {ours}; by Pillow's quickest {theirs}", least["ours"] < least["Pillow"])


def large() -> bool:
    """Through the whole studio with --memory-limit 2: what its worker takes, all of it, while 24 megapixels are painted; and the seams of what came."""
    import psutil
    from image import given, run

    from tests.running import running

    buffer, good = io.BytesIO(), True
    photograph().resize((6000, 4000), Image.Resampling.BICUBIC).save(buffer, "PNG", compress_level=1)
    with running(Path(tempfile.mkdtemp(prefix="seisei-style-")), "--memory-limit", "2") as studio:
        style = given(studio, (THUMBS / "19.webp").read_bytes())
        keys = {"image": given(studio, buffer.getvalue()), "style": style}
        for method, _ in methods():
            values = {name: key for name, key in keys.items() if name in method.Params.model_fields}
            run(studio, method.id, **values | {"image": style})
            worker = psutil.Process(studio.workers()[0])
            before = sum(worker.cpu_times()[:2])
            with memory_of(worker.pid) as memory:
                job = studio.post(f"/api/v1/pipelines/{method.id}", **values)["id"]
                state = studio.wait(job, 3600)
            seconds = sum(worker.cpu_times()[:2]) - before
            made = fetched(studio, state["outputs"][0]).astype(np.int16)
            over = {factor: over_borders(made, factor * max(4, STRIP["cpu"] // (made.shape[1] * factor))) for factor in (1, 2, FACTOR)}  # layers at full, half and a quarter of the size
            good &= told(f"{method.id}: 24 megapixels in {seconds:.0f} s of processor time, the worker {memory[1] / 2**20:.0f} MB; at most {CAP / 2**20:.0f}", memory[1] <= CAP and made.shape == (4000, 6000, 3))
            sentence = ", ".join(f"{ratio:.3f} × (strips of layers at 1/{factor})" for factor, ratio in over.items())
            good &= told(f"{method.id}: steps over borders against those inside: {sentence}; at most {SEAM}", max(over.values()) <= SEAM)
    return good


def over_borders(made: Any, rows: int) -> float:
    """Steps between the rows at each border of strips against those of rows in the same place within FACTOR, for enlarging leaves a pattern there."""
    steps = np.abs(np.diff(made, axis=0)).mean((1, 2))  # between each row and the next
    places = np.arange(len(steps))
    border, phase = places % rows == rows - 1, places % FACTOR
    inside = np.array([steps[~border & (phase == number)].mean() for number in range(FACTOR)])
    return float(steps[border].mean() / inside[phase[border]].mean())


def colours() -> bool:
    """Each of the 26 styles with kept colours through the studio: mean CIEDE2000 of blurred pictures."""
    from image import given, run

    from tests.running import running

    buffer, content, good = io.BytesIO(), photograph().resize((480, 320)), True
    content.save(buffer, "PNG")
    with running(Path(tempfile.mkdtemp(prefix="seisei-style-"))) as studio:
        key = given(studio, buffer.getvalue())
        for way in (LIGHTNESS, MATCHED):
            made = [fetched(studio, run(studio, "image.style_blend", image=key, styles=str(number), colours=way)["outputs"][0]) for number in range(len(STYLES))]
            found = [apart(np.asarray(content), picture) for picture in made]
            good &= told(f"{way}: mean ΔE of blurred colours {statistics.mean(found):.1f}, worst of 26 styles {max(found):.1f}; at most {APART}", max(found) <= APART)
    return good


def fetched(studio: Any, output: str) -> Any:
    """[height, width, 3] of bytes."""
    with urllib.request.urlopen(f"{studio.url}/api/v1/outputs/{output}/file", timeout=120) as answer, Image.open(io.BytesIO(answer.read())) as file:
        return np.asarray(file.convert("RGB"))


def apart(one: Any, other: Any) -> float:
    blurred = (Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(max(pixels.shape) / 40)) for pixels in (one, other))
    first, second = (to_lab(np.asarray(image)) for image in blurred)
    return float(difference(first, second).mean())


def moving() -> bool:
    """Painted frames against the ones before them, moved as things truly moved (the warping error of Lai et al. 2018, in bytes): by themselves, and steadied."""
    import torch

    from pipelines.image.nets.style import load, paint_bytes
    from pipelines.image.style.steady import Steady

    torch.set_num_threads(1)
    network, good = load(WEIGHTS / "multistyle26.safetensors", "cpu"), True
    for name, speed, disc in (("a camera that moves by 1.5 pixels a frame", (1.5, 0.5), 0), ("by 6 pixels", (6.0, -2.0), 0), ("a disc before a still ground", (0.0, 0.0), 14)):
        frames, spent, found = filmed(speed, disc), 0.0, []
        for number in MOVING_STYLES:
            style = torch.zeros(len(STYLES))
            style[number] = 1
            plain = [paint_bytes(network, np.asarray(frame), style, lambda share: None) for frame, _ in frames]
            steady, started = Steady(0.8), time.process_time()
            laid = [np.asarray(steady.laid(frame, Image.fromarray(painted))) for (frame, _), painted in zip(frames, plain, strict=True)]
            spent += (time.process_time() - started) / (len(frames) - 1) / len(MOVING_STYLES)
            places = [("the ground", speed, False)] + ([("the disc", (-float(disc), 0.0), True)] if disc else [])
            found.append([[warped(which, frames, shift, on_disc) for which in (plain, laid)] for _, shift, on_disc in places])
        for (place, _, _), (alone, kept_) in zip(places, np.mean(found, axis=0), strict=True):
            good &= told(f"{name}, {place}: frames by themselves {alone:.1f} of 255, steadied {kept_:.1f}; at most {STEADIER} ×", kept_ <= STEADIER * alone)
        print(f"     {spent:.2f} s of processor time a frame of 320 × 214 for it")
    return good


def filmed(speed: tuple[float, float], disc: int, count: int = 6) -> list[tuple[Image.Image, Any]]:
    """Frames of the photograph under a moving camera, with a camera's noise; each with the mask of a disc that goes to the right."""
    photo, found = photograph(), []
    for number in range(count):
        frame = photo.transform(FILM, Image.Transform.AFFINE, (1, 0, 80 + speed[0] * number, 0, 1, 60 + speed[1] * number), Image.Resampling.BICUBIC)
        large = Image.new("L", (4 * FILM[0], 4 * FILM[1]))
        if disc:
            ImageDraw.Draw(large).ellipse([4 * (40 + disc * number), 320, 4 * (90 + disc * number), 520], fill=255)
        mask = large.resize(FILM, Image.Resampling.BOX)
        frame.paste(photo.transform(FILM, Image.Transform.AFFINE, (1, 0, 200 - disc * number, 0, 1, 150), Image.Resampling.BICUBIC).point(lambda value: 255 - value), (0, 0), mask)
        noise = np.random.default_rng(number).normal(0, 2, (FILM[1], FILM[0], 3))
        found.append((Image.fromarray((np.asarray(frame) + noise).clip(0, 255).round().astype(np.uint8)), np.asarray(mask)))
    return found


def warped(painted: list[Any], frames: list[tuple[Image.Image, Any]], shift: tuple[float, float], on_disc: bool) -> float:
    inside, found = np.zeros(FILM[::-1], bool), []
    inside[10:-10, 10:-10] = True
    for number in range(1, len(painted)):
        before = Image.fromarray(painted[number - 1]).transform(FILM, Image.Transform.AFFINE, (1, 0, shift[0], 0, 1, shift[1]), Image.Resampling.BICUBIC)
        discs = Image.fromarray(frames[number][1] if on_disc else np.maximum(frames[number][1], frames[number - 1][1]))
        where = np.asarray(discs.filter(ImageFilter.MinFilter(9))) > 250 if on_disc else inside & (np.asarray(discs.filter(ImageFilter.MaxFilter(15))) == 0)
        found.append(np.abs(np.asarray(before, np.float32) - painted[number]).mean(2)[where].mean())
    return float(np.mean(found))


def main() -> None:
    asked = [word for word in sys.argv[1:] if not word.startswith("--")]
    refuse_busy_machine()
    parts = {"speed": speed, "files": files, "large": large, "colours": colours, "moving": moving}
    missed = [name for name in asked or parts if not parts[name]()]
    raise SystemExit(f"Missed: {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
