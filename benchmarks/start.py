"""Warm start to the first 200 on /, against the bare import of gradio, in one run. `python benchmarks/start.py`"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from quiet import refuse_busy_machine  # noqa: E402

from tests.running import running  # noqa: E402

ROUNDS = 5


def seconds_of(action: object) -> float:
    started = time.perf_counter()
    action()  # type: ignore[operator]
    return time.perf_counter() - started


def start_once(data: Path) -> float:
    started = time.perf_counter()
    with running(data) as studio:
        took = time.perf_counter() - started
        assert studio.get("/api/v1/status")["torch_imported"] is False
    return took


def main() -> None:
    refuse_busy_machine()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        start_once(data)
        pairs = [(seconds_of(lambda: subprocess.run([sys.executable, "-c", "import gradio"], check=True)), start_once(data)) for _ in range(ROUNDS)]
    bare, whole = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"import gradio {bare:.2f} s; studio to the first 200 on / {whole:.2f} s; limit 2 x {bare:.2f} + 1 = {2 * bare + 1:.2f} s; torch not imported in the page's process")
    raise SystemExit(0 if whole <= 2 * bare + 1 else 1)


if __name__ == "__main__":
    main()
