"""Enlarging: seams of tiles and the time of each network, and a large picture's memory in the worker. `python benchmarks/upscale.py [seams|time|large] [--megapixels=24] [--busy]`"""

from __future__ import annotations

import io
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from image import given, run  # noqa: E402
from quiet import memory_of, refuse_busy_machine  # noqa: E402

from pipelines.image.upscalers import PICTURE_BYTES, enlarging, networks  # noqa: E402
from studio.catalog import Catalog  # noqa: E402
from studio.settings import load_settings  # noqa: E402
from tests.running import running  # noqa: E402
from tests.upscaler_models import detailed, png  # noqa: E402

NO_SEAM = 2  # of 255
BEGUN, STOP = 10.0, 1.0  # processor seconds of all cores before Stop is pressed, and from then to the end at most
MORE_MEMORY = 1.2  # times what was foretold, and the base of a process that computes


def option(name: str, usual: float) -> float:
    return next((float(word.partition("=")[2]) for word in sys.argv if word.startswith(f"--{name}=")), usual)


def told(what: str, good: bool) -> bool:
    print(f"{'ok  ' if good else 'MISSED'} {what}", flush=True)
    return good


def installed() -> list[Any]:
    """The network that comes along, and those that are fetched; one's own are measured with them."""
    return networks(Catalog([load_settings({})[0].models_path]))


def loaded(entry: Any) -> Any:
    import torch

    from pipelines.image.nets.upscalers import load_upscaler

    torch.set_num_threads(1)
    return load_upscaler(Path(entry.path), "cpu")


def seams() -> bool:
    """Tiled through the studio against whole in one piece here, noise at three sizes: the largest difference of a channel anywhere in the picture."""
    import numpy as np
    from PIL import Image

    from pipelines.image.nets.upscale import border, enlarge, tiles

    good, picture = True, detailed(520, 64)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), "--models-dir", str(load_settings({})[0].models_path)) as studio:
        key = given(studio, png(picture))
        for entry in installed():
            network = loaded(entry)
            values = {"image": key, "upscaler": entry.key, "scale": float(network.scale)}
            tile = studio.post("/api/v1/pipelines/image.upscale/need", **values)["facts"]["tile"]
            count = len(list(tiles(*picture.size, tile, sum(border(network)), network.unit)))
            output = run(studio, "image.upscale", **values)["outputs"][0]
            with urllib.request.urlopen(f"{studio.url}/api/v1/outputs/{output}/file", timeout=120) as answer, Image.open(io.BytesIO(answer.read())) as file:
                tiled = np.asarray(file.convert("RGB")).astype(int)
            off = abs(tiled - np.asarray(enlarge(network, picture, network.scale, lambda share: None, lambda: None, tile=picture.width)).astype(int))
            sentence = f"{entry.title}, {picture.width} × {picture.height} in {count} tiles: largest difference {off.max()} of 255 (allowed {NO_SEAM}); {(off > 1).mean():.1e} of the numbers differ by more than 1"
            good = told(sentence, off.max() <= NO_SEAM and count > 1) and good
    return good


def seen_twice(entry: Any, network: Any) -> float:
    """How many pixels all tiles of a large picture see together, to those it has."""
    from pipelines.image.nets.upscale import border, tiles

    width, height = 6000, 4000
    tile = enlarging(entry, width * height, 2, "cpu", 2**34).tile
    given = [place.given for place in tiles(width, height, tile, sum(border(network)), network.unit)]
    return sum((right - left) * (bottom - top) for left, top, right, bottom in given) / (width * height)


def times() -> bool:
    """Processor seconds for a megapixel that goes in, on one thread, against the network alone on the whole picture."""
    import numpy as np
    import torch

    from pipelines.image.nets.upscale import enlarge

    picture = detailed(192, 192)
    pixels = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)[None].float() / 255
    for entry in installed():
        network = loaded(entry)
        with torch.inference_mode():
            network.call(pixels[:, :, :64, :64])
            started = time.process_time()
            network.call(pixels)
            bare = time.process_time() - started
        started = time.process_time()
        enlarge(network, picture, network.scale, lambda share: None, lambda: None, tile=enlarging(entry, picture.width * picture.height, network.scale, "cpu", 2**34).tile)
        whole = time.process_time() - started
        megapixels = picture.width * picture.height / 1e6
        told(f"{entry.title}: {whole / megapixels:.1f} processor seconds a megapixel, {whole / bare:.2f} times the bare network; of 24 megapixels, tiles see {seen_twice(entry, network):.2f} times as many", True)
    return True


def large() -> bool:
    """A picture of so many megapixels twice as wide and high by the network that comes along: it finishes, and the worker takes what was foretold."""
    import psutil

    side = int((option("megapixels", 24) * 1e6) ** 0.5)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), "--memory-limit", "4") as studio:
        values = {"image": given(studio, png(detailed(side, side), compress_level=1)), "scale": 2.0, "upscaler": "Real-ESRGAN"}
        small = {**values, "image": given(studio, png(detailed(64, 64)))}
        studio.wait(studio.post("/api/v1/pipelines/image.upscale", **small)["id"], 600)
        worker = psutil.Process(studio.workers()[0])
        need = studio.post("/api/v1/pipelines/image.upscale/need", **values)
        with memory_of(worker.pid) as memory:
            job, started = studio.post("/api/v1/pipelines/image.upscale", **values)["id"], time.monotonic()
            state = studio.wait(job, 4 * 3600)
        base, peak = memory
        stopped = _stopped(studio, worker, values) if state["state"] == "done" else False
        foretold = need["working_bytes"]
        return told(
            f"{side} × {side} to {2 * side} × {2 * side}: {state['state']} after {time.monotonic() - started:.0f} s; the worker grew {(peak - base) / 2**20:.0f} MB, foretold {foretold / 2**20:.0f} MB, "
            f"the pictures alone {side * side * 5 * PICTURE_BYTES / 2**20:.0f} MB", state["state"] == "done" and peak - base <= MORE_MEMORY * foretold,
        ) and stopped  # fmt: skip


def _stopped(studio: Any, worker: Any, values: dict[str, Any]) -> bool:
    """Stop in the middle of the same picture: what the worker computes until the job has ended, in processor seconds."""
    before, job = sum(worker.cpu_times()[:2]), studio.post("/api/v1/pipelines/image.upscale", **values)["id"]
    while (spent := sum(worker.cpu_times()[:2])) < before + BEGUN:
        time.sleep(0.2)
    studio.post(f"/api/v1/jobs/{job}/cancel")
    state = studio.wait(job, 600)["state"]
    more = sum(worker.cpu_times()[:2]) - spent
    return told(f"Stop in its middle: {state} after {more:.2f} processor seconds; at most {STOP}", state == "cancelled" and more <= STOP)


PARTS = {"seams": seams, "time": times, "large": large}


def main() -> None:
    refuse_busy_machine()
    chosen = [name for name in sys.argv[1:] if not name.startswith("-")] or list(PARTS)
    good = [PARTS[name]() for name in chosen]
    raise SystemExit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
