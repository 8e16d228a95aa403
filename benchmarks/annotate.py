"""Annotating a picture of 640 × 427 through the studio (HTTP, queue, worker), each method; the edge network against itself alone, in turns. `python benchmarks/annotate.py [--busy]`"""

from __future__ import annotations

import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402
import psutil  # noqa: E402
from PIL import Image  # noqa: E402
from quiet import refuse_busy_machine  # noqa: E402

from studio.inputs import Inputs  # noqa: E402
from studio.settings import load_settings  # noqa: E402
from studio.starter import starter_models  # noqa: E402
from tests.running import Running, running  # noqa: E402

SIZE, TIMES = (640, 427), 5
METHODS = ("Soft edges", "Scribble", "Canny", "Lines", "Blur", "Invert", "Luminance")  # depth and poses: models of one's own
MOST_RATIO, MOST_MORE = 1.1, 0.1  # of processor time: the studio's job against the bare network, and seconds of PNG, queue and seam


def picture() -> Image.Image:
    """Hills with sharp borders: what a photo asks of each method."""
    rng = np.random.default_rng(1)
    hills = np.stack([np.asarray(Image.fromarray(rng.integers(0, 256, (9, 13)).astype(np.uint8)).resize(SIZE, Image.Resampling.BICUBIC), float) for _ in range(3)], -1)
    return Image.fromarray((hills // 48 * 48 + rng.normal(0, 4, hills.shape)).clip(0, 255).astype(np.uint8))


def edge_file() -> Path:
    model = next(model for model in starter_models() if model.kind == "vision")
    path = load_settings({})[0].models_path / model.file
    if not path.is_file():
        raise SystemExit("The edge network is not here: start the studio once with a connection.")
    return path


def spent(studio: Running) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in studio.workers()]
    return sum(each.user + each.system for each in times)


def job(studio: Running, **values: Any) -> tuple[float, float]:
    """(seconds, processor seconds of the worker) of one job."""
    before, started = spent(studio), time.perf_counter()
    made = studio.post("/api/v1/pipelines/image.annotate", **values)["id"]
    while (state := studio.get(f"/api/v1/jobs/{made}")["state"]) in ("queued", "running"):
        time.sleep(0.005)
    if state != "done":
        raise SystemExit(f"{values['method']}: {state}")
    return time.perf_counter() - started, spent(studio) - before


def bare_network(image: Image.Image) -> Callable[[], float]:
    """Processor seconds of one answer of the edge network, in this program."""
    import torch

    from pipelines.image.nets.hed import load

    torch.set_num_threads(1)
    network = load(edge_file(), "cpu")
    height, width = (-(-side // 16) * 16 for side in (image.height, image.width))
    pixels = torch.from_numpy(np.asarray(image.resize((width, height))).copy()).permute(2, 0, 1)[None].float() / 255

    def once() -> float:
        before = time.process_time()
        with torch.inference_mode():
            torch.sigmoid(network(pixels))
        return time.process_time() - before

    once()
    return once


def measure(studio: Running, key: str, image: Image.Image) -> bool:
    bare = bare_network(image)
    good = True
    for method in METHODS:
        job(studio, image=key, method=method)  # what is loaded once is not counted
        found, alone = [], []
        for _ in range(TIMES):
            found.append(job(studio, image=key, method=method))
            if method == "Soft edges":
                alone.append(bare())
        seconds, processor = (statistics.median(column) for column in zip(*found, strict=True))
        line = f"{method}: {seconds:.2f} s, {processor:.2f} s of the processor"
        if alone:
            ratio = (processor - MOST_MORE) / statistics.median(alone)
            good = ratio <= MOST_RATIO
            line = f"{'ok  ' if good else 'MISSED'} {line}; the network alone {statistics.median(alone):.2f} s: ratio {processor / statistics.median(alone):.2f}"
        print(line, flush=True)
    return good


def main() -> None:
    refuse_busy_machine()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        (data / "models" / "vision").mkdir(parents=True)
        (data / "models" / "vision" / edge_file().name).symlink_to(edge_file().resolve())
        buffer = io.BytesIO()
        image = picture()
        image.save(buffer, "PNG")
        key = Inputs(data / "inputs").keep(buffer.getvalue())
        with running(data) as studio:
            if not measure(studio, key, image):
                raise SystemExit(1)


if __name__ == "__main__":
    main()
