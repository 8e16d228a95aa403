"""Painting by optimisation from coarse to fine, by a studio over HTTP, against a plain Adam run at full size on the same losses. `python benchmarks/gatys.py [--busy] [content style [side]]`

`python benchmarks/gatys.py --large [--megapixels=1.5]` paints in tiles: seams, memory, how often Stop is looked at.

Both are told in processor seconds and on the clock, on one thread, one after the other. Without pictures of your own a photograph of Gradio's takes the style of a thumbnail.
"""

from __future__ import annotations

import io
import resource
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from image import events, given, run, worker_cpu  # noqa: E402
from PIL import Image, ImageOps  # noqa: E402
from quiet import memory_of, refuse_busy_machine  # noqa: E402

from pipelines.image.nets.descent import Adam, Best, Plan, Style, paint, recoloured, style_of  # noqa: E402
from pipelines.image.nets.gatys import Goal, Weights, gram  # noqa: E402
from pipelines.image.nets.gatys_tiles import places  # noqa: E402
from pipelines.image.nets.trunk import load  # noqa: E402
from pipelines.image.style.optimise import CONTENT, SMOOTH, picture_of, tensor_of  # noqa: E402
from pipelines.image.style.scales import plan_of, remembered, way_of  # noqa: E402
from studio.settings import load_settings  # noqa: E402
from studio.starter import starter_models  # noqa: E402
from tests.running import running  # noqa: E402

BUSY = "--busy" in sys.argv
MOST_SECONDS, SHARE, FASTER = 60.0, 0.10, 2.0
SEAM, BASE, UNIT = 1.1, 60 * 2**20, 8  # steps over borders of tiles to those around; bytes that a program takes for itself once it computes; pixels
PATIENCE = 3.0  # the plain run is given up after so many times the other's seconds
RATE = 0.05  # at which plain Adam got closest soonest, of 0.02, 0.03, 0.05 and 0.1
FIVE = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")


def told(what: str, good: bool) -> bool:
    print(f"{'ok  ' if good else 'MISSED'} {what}", flush=True)
    return good


def peak() -> int:
    """Most bytes that this program has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def pictures(side: int) -> tuple[Any, Any]:
    import gradio

    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    paths = words[:2] or [str(Path(gradio.__file__).parent / "media_assets" / "images" / "cheetah1.jpg"), str(ROOT / "pipelines" / "image" / "style" / "thumbs" / "19.webp")]
    content, style = (Image.open(path).convert("RGB") for path in paths)
    return tensor_of(ImageOps.fit(content, (side, side)), "cpu"), tensor_of(ImageOps.contain(style, (side, side)), "cpu")


def papers_loss(trunk: Any, picture: Any, style: Any) -> float:
    """The paper's own: five layers, sums instead of means, each divided by its size."""
    with torch.no_grad():
        ours, theirs = (trunk(one, FIVE, edges=False) for one in (picture, style))
        return sum(float(((gram(ours[name]) - gram(theirs[name])) ** 2).sum()) / (4 * ours[name].shape[1] ** 2) for name in FIVE)


def plain(goal: Goal, picture: Any, optimiser: Any, losses: dict[str, float], patience: float) -> dict[str, float]:
    """Processor seconds until each of the losses was reached, at one size; and how far it came."""
    found: dict[str, float] = {}
    begun, looks = time.process_time(), 0
    while len(found) < len(losses) and time.process_time() - begun < patience:
        seen, gradient = goal.gradient(picture)
        looks += 1
        for name, loss in losses.items():
            if name not in found and seen.style <= loss:
                found[name] = time.process_time() - begun
        picture = optimiser.step(picture, gradient)
    return found | {"looks": looks, "spent": time.process_time() - begun, "style": seen.style}


class Watcher:
    """Processor seconds at each word that is said, and what there was at each look."""

    def __init__(self) -> None:
        self.words: list[float] = [time.process_time()]
        self.looks: list[tuple[int, float, float]] = []

    def looked(self, best: Best) -> bool:
        self.looks.append((best.picture.shape[2], best.losses.style, time.process_time()))
        return True

    def going(self, scale: int, step: int, share: float) -> None:
        self.words.append(time.process_time())


def seams(made: Any, side: int, borders: set[int]) -> float:
    """The most by which a step over a border is larger than those around it, at distances of whole places of the deepest layer: pooling leaves a pattern of eight pixels in every such picture."""
    steps = np.abs(np.diff(made, axis=side)).mean((1 - side, 2))
    around = [[border + UNIT * number for number in range(-8, 9) if number and 0 <= border + UNIT * number < len(steps)] for border in borders]
    return max((float(steps[border] / steps[near].mean()) for border, near in zip(borders, around, strict=True)), default=0.0)


def large(trunk: Any) -> int:
    """Three by two, from the first photograph: painted in tiles at full size."""
    megapixels = next((float(word.partition("=")[2]) for word in sys.argv if word.startswith("--megapixels=")), 1.5)
    side = round((megapixels * 1e6 / 6) ** 0.5) * 2
    content, style = pictures(512)
    content = torch.nn.functional.interpolate(content, size=(side, side * 3 // 2), mode="bicubic", antialias=True).clamp(0, 1)
    height, width = content.shape[2:]
    plan, before, watcher = plan_of(height, width, 0, 0), peak(), Watcher()
    way = way_of(plan, style.shape[2] * style.shape[3], "cpu", 2**62)
    scales = [(scale.height, scale.width, scale.steps) for scale in plan]
    best = paint(trunk, content, [Style(style, 1.0, width)], recoloured(content, [(style, 1.0)]), Plan(scales, way.limit, way.tile, remembered(height * width)), Weights(CONTENT, SMOOTH), "L-BFGS", watcher)
    assert best is not None
    grown, made = peak() - before, np.asarray(picture_of(best.picture)).astype(np.int16)
    Image.fromarray(made.astype(np.uint8)).save(Path(sys.argv[0]).with_suffix(".large.png").name) if "--save" in sys.argv else None
    boxes = places(content, way.tile)
    seam = max(seams(made, 1, {right - 1 for _, _, _, right in boxes if right < width}), seams(made, 0, {bottom - 1 for _, _, bottom, _ in boxes if bottom < height}))
    at_full = [loss for high, loss, _ in watcher.looks if high == height]
    print(f"{width} × {height} in tiles of {way.tile}: {' + '.join(f'{scale.steps} looks at {scale.width}' for scale in plan)}; {watcher.looks[-1][2] - watcher.words[0]:.0f} processor seconds")
    good = told(f"memory grew by {grown / 2**20:.0f} MB, reckoned were {way.working / 2**20:.0f} MB", grown <= way.working + BASE)
    good &= told(f"steps over borders of tiles are {seam:.3f} × those around; at most {SEAM}", seam <= SEAM)
    good &= told(f"style loss at full size {at_full[0]:.4f} → {at_full[-1]:.4f} in {len(at_full)} looks", at_full[-1] < at_full[0])
    print(f"     longest stretch without a look at Stop: {max(b - a for a, b in zip(watcher.words, watcher.words[1:], strict=False)):.1f} s of processor time")
    return 0 if good else 1


def png(tensor: Any) -> bytes:
    buffer = io.BytesIO()
    picture_of(tensor).save(buffer, "PNG")
    return buffer.getvalue()


def small(trunk: Any, models: str) -> int:
    """Painted by a studio, over HTTP; the plain run is here."""
    import psutil

    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    side = int(words[2]) if len(words) > 2 else 512
    content, style = pictures(side)
    goal = Goal(trunk, content, style_of(trunk, [(style, 1.0)]), Weights(CONTENT, SMOOTH))
    start, paper_start = goal.gradient(content)[0].style, papers_loss(trunk, content, style)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), "--models-dir", models, env={"SEISEI_THREADS": "1"}) as studio:
        values = {"image": given(studio, png(content)), "style": given(studio, png(style))}
        run(studio, "image.style_optimise", **values, steps=1, paint_size=64)  # the network is loaded
        worker, foretold = psutil.Process(studio.workers()[0]), studio.post("/api/v1/pipelines/image.style_optimise/need", **values)["working_bytes"]
        before, started, looks, at = worker_cpu(studio), time.perf_counter(), list[tuple[str, float]](), ""
        with memory_of(worker.pid) as memory:
            for moment, event in events(studio, studio.post("/api/v1/pipelines/image.style_optimise", **values)["id"]):
                at = event["note"] if event["type"] == "progress" else at
                looks += [(at, moment - started)] if event["type"] == "stats" and event["values"]["style_loss"] <= SHARE * start else []
        assert event["type"] == "done", event
        spent, waited = worker_cpu(studio) - before, time.perf_counter() - started
        with urllib.request.urlopen(f"{studio.url}/api/v1/outputs/{event['outputs'][0]}/file", timeout=60) as answer, Image.open(io.BytesIO(answer.read())) as file:
            made = tensor_of(file, "cpu")
    tenth = next((moment for size, moment in looks if size.startswith(f"{side} ")), float("nan"))
    picture_of(made).save(Path(sys.argv[0]).with_suffix(".png").name) if "--save" in sys.argv else None
    end, paper_end = goal.gradient(made)[0].style, papers_loss(trunk, made, style)
    print(f"{side} × {side} over HTTP, {' + '.join(f'{scale.steps} looks at {scale.width}' for scale in plan_of(side, side, 0, 0))}")
    good = told(f"memory grew by {(memory[1] - memory[0]) / 2**20:.0f} MB, reckoned were {foretold / 2**20:.0f} MB", memory[1] - memory[0] <= foretold)
    good &= told(f"style loss {start:.3f} → {end:.4f}, {end / start:.1%} of its start (wanted {SHARE:.0%}; the paper's five-layer loss {paper_end / paper_start:.1%})", end <= SHARE * start)
    good &= told(f"{spent:.1f} processor seconds, {waited:.1f} s on the clock from the request (wanted {MOST_SECONDS:.0f} s); a tenth after {tenth:.1f} s on the clock", (spent if BUSY else waited) <= MOST_SECONDS)
    reached = plain(goal, content, Adam(RATE), {"tenth": SHARE * start, "same": end}, PATIENCE * spent)
    more = reached.get("same", reached["spent"]) / spent
    same = f"{reached['same']:.1f} s to the same loss, {more:.1f} × as long" if "same" in reached else f"at {reached['style'] / start:.1%} after {reached['spent']:.1f} s, more than {more:.1f} × as long"
    good &= told(f"plain Adam at full size, processor seconds: a tenth after {reached.get('tenth', float('nan')):.1f} s; {same} (wanted {FASTER:.0f})", more >= FASTER)
    return 0 if good else 1


def main() -> int:
    refuse_busy_machine()
    torch.set_num_threads(1)
    models = load_settings({})[0].models_path
    trunk = load(models / next(model for model in starter_models() if model.kind == "vision").file, "cpu", torch.float32)
    return large(trunk) if "--large" in sys.argv else small(trunk, str(models))


if __name__ == "__main__":
    raise SystemExit(main())
