"""Painting by optimisation from coarse to fine against a plain Adam run at full size, on the same losses. `python benchmarks/gatys.py [--busy] [content style [side]]`

Both are told in processor seconds and on the clock, on one thread, one after the other. Without pictures of your own a photograph of Gradio's takes the style of a thumbnail.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import torch  # noqa: E402
from PIL import Image, ImageOps  # noqa: E402
from quiet import refuse_busy_machine  # noqa: E402

from pipelines.image.nets.gatys import Adam, Best, Goal, Weights, gram, paint, recoloured, style_of  # noqa: E402
from pipelines.image.nets.trunk import load  # noqa: E402
from pipelines.image.style.optimise import CONTENT, SMOOTH, picture_of, tensor_of  # noqa: E402
from pipelines.image.style.scales import plan_of, working_bytes  # noqa: E402
from studio.settings import load_settings  # noqa: E402
from studio.starter import starter_models  # noqa: E402

MOST_SECONDS, SHARE, FASTER = 60.0, 0.10, 2.0
PATIENCE = 3.0  # the plain run is given up after so many times the other's seconds
RATE = 0.05  # at which plain Adam got closest soonest, of 0.02, 0.03, 0.05 and 0.1
FIVE = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")


def told(what: str, good: bool) -> bool:
    print(f"{'ok  ' if good else 'MISSED'} {what}", flush=True)
    return good


def peak() -> int:
    """Most bytes that this program has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


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


def main() -> int:
    refuse_busy_machine()
    torch.set_num_threads(1)
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    side = int(words[2]) if len(words) > 2 else 512
    trunk = load(load_settings({})[0].models_path / next(model for model in starter_models() if model.kind == "vision").file, "cpu", torch.float32)
    content, style = pictures(side)
    weights, before = Weights(CONTENT, SMOOTH), peak()
    goal = Goal(trunk, content, style_of(trunk, [(style, 1.0)]), weights)
    start, paper_start = goal.gradient(content)[0].style, papers_loss(trunk, content, style)
    marks: dict[str, float] = {}
    cpu, clock = time.process_time(), time.perf_counter()

    def each(best: Best) -> bool:
        if best.picture.shape[2] == side and best.losses.style <= SHARE * start:
            marks.setdefault("tenth", time.process_time() - cpu)
        return True

    plan = plan_of(side, side, 0, 0)
    best = paint(trunk, content, [(style, 1.0)], recoloured(content, [(style, 1.0)]), [(scale.height, scale.width, scale.steps) for scale in plan], weights, "L-BFGS", each)
    spent, waited = time.process_time() - cpu, time.perf_counter() - clock
    whole = tensor_of(picture_of(best.picture), "cpu")  # as it is saved: in bytes
    picture_of(best.picture).save(Path(sys.argv[0]).with_suffix(".png").name) if "--save" in sys.argv else None
    end, paper_end = goal.gradient(whole)[0].style, papers_loss(trunk, whole, style)
    print(f"{side} × {side}, {' + '.join(f'{scale.steps} looks at {scale.width}' for scale in plan)}")
    good = told(f"memory grew by {(peak() - before) / 2**20:.0f} MB, reckoned were {working_bytes(side * side, 'cpu') / 2**20:.0f} MB", peak() - before <= working_bytes(side * side, "cpu"))
    good &= told(f"style loss {start:.3f} → {end:.4f}, {end / start:.1%} of its start (wanted {SHARE:.0%}; the paper's five-layer loss {paper_end / paper_start:.1%})", end <= SHARE * start)
    good = told(f"{spent:.1f} processor seconds, {waited:.1f} s on the clock (wanted {MOST_SECONDS:.0f} s); a tenth after {marks.get('tenth', float('nan')):.1f} s", spent <= MOST_SECONDS) and good
    reached = plain(goal, content, Adam(RATE), {"tenth": SHARE * start, "same": end}, PATIENCE * spent)
    more = reached.get("same", reached["spent"]) / spent
    same = f"{reached['same']:.1f} s to the same loss, {more:.1f} × as long" if "same" in reached else f"at {reached['style'] / start:.1%} after {reached['spent']:.1f} s, more than {more:.1f} × as long"
    good &= told(f"plain Adam at full size: a tenth after {reached.get('tenth', float('nan')):.1f} s; {same} (wanted {FASTER:.0f})", more >= FASTER)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
