"""What a death costs: a worker killed mid-answer, and the page's process killed mid-queue. `python benchmarks/recovery.py`"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from quiet import refuse_busy_machine  # noqa: E402

from tests.running import Running, running  # noqa: E402

JOBS = 6


def writing(studio: Running, job: str) -> None:
    while not studio.get(f"/api/v1/jobs/{job}")["text"]:
        time.sleep(0.02)


def worker_killed(studio: Running) -> float:
    """Seconds from the kill to the first word of the next answer."""
    job = studio.ask("Write a very long story about the sea.", max_tokens=1500)
    writing(studio, job)
    following = studio.ask("What is the capital of Japan?", max_tokens=8, temperature=0)
    kept = len(studio.get(f"/api/v1/jobs/{job}")["text"])
    started = time.perf_counter()
    os.kill(max(studio.workers()), signal.SIGKILL)
    failed = studio.wait(job)
    assert failed["state"] == "failed" and len(failed["text"]) >= kept and failed["error"]["message"] and failed["error"]["hint"], failed
    writing(studio, following)
    return time.perf_counter() - started


def main() -> None:
    refuse_busy_machine()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        with running(data) as studio:
            studio.wait(studio.ask("What is the capital of Japan?", max_tokens=8))
            next_seconds = worker_killed(studio)
            finished = [studio.wait(studio.ask(f"Say {number}.", max_tokens=8))["outputs"][0] for number in range(3)]
            waiting = [studio.ask(f"Count to {number}.", max_tokens=60) for number in range(JOBS)]
            writing(studio, waiting[0])
            studio.process.kill()
            studio.process.wait()
        started = time.perf_counter()
        with running(data) as studio:
            while studio.get("/api/v1/status")["jobs"]:
                time.sleep(0.1)
            seconds = time.perf_counter() - started
            outputs = studio.get("/api/v1/outputs?limit=200")
            lost = sum(one not in {output["id"] for output in outputs} for one in finished)
            done = sum(bool(output["job_id"] in waiting) for output in outputs)
    print(f"worker killed mid-answer: its text kept, the next answer's first word {next_seconds:.2f} s later (wanted 5)")
    print(f"page's process killed mid-queue: {lost} of {len(finished)} finished outputs lost, {done} of {JOBS} queued jobs done after the restart, {seconds:.1f} s in all")
    raise SystemExit(0 if next_seconds <= 5 and not lost and done == JOBS else 1)


if __name__ == "__main__":
    main()
