"""Frames a second that a real browser draws of a live simulation, and steps a second beside it. `python benchmarks/live.py [--anyway] [model …]`

Gray-Scott on 256 × 256 cells if nothing else is named; at the usual pace and at the fastest. `--anyway` measures on a busy machine too, and says so.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from quiet import refuse_busy_machine  # noqa: E402

from studio.testing import browser  # noqa: E402
from tests.running import Running, running  # noqa: E402

SECONDS = 10.0
CANVAS, CLOCK, SPEED = "#simulation-run canvas.sim-canvas", "#simulation-run .sim-clock", "#simulation-run .sim-speed input"


def opened(page: Any, studio: Running, model: str) -> None:
    wish = base64.urlsafe_b64encode(json.dumps({"model": model, "values": {}, "seed": 1}).encode()).decode().rstrip("=")
    page.goto(f"{studio.url}/?simulation={wish}")
    page.wait_for_selector(f"{CANVAS}[data-frames]", state="attached", timeout=120_000)
    page.wait_for_timeout(3000)


def measured(page: Any) -> tuple[float, float]:
    """(frames a second, steps a second) over SECONDS."""

    def now() -> tuple[float, int, int]:
        frames, step = page.evaluate(f"() => [+document.querySelector('{CANVAS}').dataset.frames, +/step ([\\d,]+)/.exec(document.querySelector('{CLOCK}').textContent)[1].replaceAll(',', '')]")
        return time.perf_counter(), frames, step

    before = now()
    page.wait_for_timeout(SECONDS * 1000)
    after = now()
    seconds = after[0] - before[0]
    return (after[1] - before[1]) / seconds, (after[2] - before[2]) / seconds


def main(models: list[str]) -> None:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as studio, sync_playwright() as play:
        chrome = play.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        for model in models:
            page = chrome.new_page(viewport={"width": 1440, "height": 900})
            opened(page, studio, model)
            width, height = page.evaluate(f"() => [document.querySelector('{CANVAS}').width, document.querySelector('{CANVAS}').height]")
            for pace, value in (("usual pace", 0), ("fastest", 6)):
                page.evaluate(f"(value) => {{ const slider = document.querySelector('{SPEED}'); slider.value = value; slider.dispatchEvent(new Event('input')); }}", value)
                page.wait_for_timeout(2000)
                frames, steps = measured(page)
                print(f"{model:16} {width} × {height}  {pace:10}  {frames:5.1f} frames/s  {steps:10,.0f} steps/s")
            page.close()
        chrome.close()
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    if "--anyway" not in sys.argv:
        refuse_busy_machine()
    main([name for name in sys.argv[1:] if not name.startswith("--")] or ["gray_scott"])
