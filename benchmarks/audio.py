"""Sound continued to minutes at flat memory: 180 s of a tiny MusicGen, window after window, through a studio. `python benchmarks/audio.py [--busy] [seconds]`

Asked over HTTP, made by the worker: memory is what the system counts as resident in it, looked at whenever the job tells how far it is, once the first window of 30 s is on the tape; the limit is 5 % between least
and most. The worker that has written the finished file, which a job holds whole, is told beside it.
The model is random and small in width, its window, tokens a second and codec are those of the real ones: what grows with length would grow here too.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import psutil  # noqa: E402
from quiet import refuse_busy_machine  # noqa: E402

from tests.audio_models import musicgen  # noqa: E402
from tests.running import Running, running  # noqa: E402

SECONDS, FROM, MOST = 180.0, 31, 1.05


def main() -> None:
    refuse_busy_machine()
    seconds = float(next((word for word in sys.argv[1:] if not word.startswith("-")), SECONDS))
    with tempfile.TemporaryDirectory() as folder:
        musicgen(Path(folder) / "models" / "musicgen")
        with running(Path(folder)) as studio:
            begun = time.monotonic()
            used, last = watch(studio, seconds)
            spent = time.monotonic() - begun
    flat = {second: size for second, size in used.items() if second >= FROM}
    ratio = max(flat.values()) / min(flat.values())
    shown = ", ".join(f"{second} s: {used[second] / 2**20:.0f} MB" for second in sorted(used) if second % 30 == 0)
    print(f"{seconds:.0f} s of sound in {spent:.0f} s, looked at {len(flat)} times. {shown}; with the written file {last / 2**20:.0f} MB")
    print(f"{'ok  ' if ratio <= MOST else 'MISSED'} the worker's memory from {FROM} s on: most / least {ratio:.3f} (limit {MOST})")
    sys.exit(ratio > MOST)


def watch(studio: Running, seconds: float) -> tuple[dict[int, int], int]:
    """The worker's resident bytes by second of sound, and after the file is written."""
    job = studio.post("/api/v1/pipelines/music.audio", prompt="a calm piano", model="musicgen", seconds=seconds, seed=1)["id"]
    used: dict[psutil.Process, dict[int, int]] = defaultdict(dict)
    with urllib.request.urlopen(f"{studio.url}/api/v1/jobs/{job}/events", timeout=600) as answer:
        for event in (json.loads(line[6:]) for line in answer if line.startswith(b"data: ")):
            if event["type"] == "progress":  # its steps are tenths of a second of sound
                for worker in map(psutil.Process, studio.workers()):  # they begin with the job
                    used[worker][event["step"] // 10] = worker.memory_info().rss
    assert event["type"] == "done" and event["summary"]["pace"], event
    made = studio.get(f"/api/v1/outputs/{event['outputs'][0]}")["metadata"]["facts"]
    assert made["seconds"] == seconds, made
    busiest = max(used, key=lambda worker: worker.cpu_times().user)
    return used[busiest], busiest.memory_info().rss


if __name__ == "__main__":
    main()
