"""`python launch.py test`: engines, starter model, linter, types, then all tests. Arguments go to pytest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from studio.provision import Provision
from studio.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent
MOST_TRIED_AGAIN = 8
"""More failures than this are no accident of a busy machine."""


def main(words: list[str]) -> int:
    """The first failing step's code; 0 where all passed. A missing browser fails where CI is set."""
    os.chdir(ROOT)
    settings, _ = load_settings({})
    provision = Provision(settings)
    provision.run()
    failed = [step for step in provision.steps() if step["state"] != "done"]
    for step in failed:
        print(f"{step['title']}: {step['note']}", file=sys.stderr)
    if failed:
        return 1
    if os.environ.get("CI") and not browser():
        print("Chromium is missing: the browser tests can't run.", file=sys.stderr)
        return 1
    if words:
        return run("pytest", *words)
    for step_words in (("ruff", "check", "."), ("mypy",), ("pytest", *side_by_side(), "-m", "not slow and not browser")):
        if code := run(*step_words):
            return code
    return run_twice(("-m", "browser"), (*side_by_side(), "-m", "slow and not browser"))


def side_by_side() -> tuple[str, ...]:
    """pytest's words for one process a core, four at most: each may hold a studio with its models. The browser tests, which wait for a page to come
    to rest, run one by one."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # several processes with several threads each get in each other's way
    return ("-n", str(min(4, os.cpu_count() or 1)), "--dist", "worksteal")


def browser() -> str:
    """The Chromium that the browser tests drive."""
    return os.environ.get("SEISEI_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""


def run(*words: str) -> int:
    print(f"== {' '.join(words)}", flush=True)
    return subprocess.run([sys.executable, "-m", *words], check=False).returncode


def run_twice(*suites: tuple[str, ...]) -> int:
    """Tests of whole programs and of Chromium, which share the machine with whatever else it does: the few that failed run once more,
    alone in a fresh process. Both runs stand in the output, and what failed at first is named at the end.

    Several suites run beside each other, for those in Chromium wait half of their time: the first goes before the others."""
    with tempfile.TemporaryDirectory(prefix="seisei-tests-") as folder:
        caches = [Path(folder) / str(number) for number in range(len(suites))]
        codes = beside(*((*words, *cache_in(cache)) for words, cache in zip(suites, caches, strict=True)))
        return next(filter(None, [again(code, words, cache) for code, words, cache in zip(codes, suites, caches, strict=True)]), 0)


def beside(*suites: tuple[str, ...]) -> list[int]:
    """pytest's code of each. The first one's output is seen as it comes, the others' when they have ended."""
    running: list[tuple[subprocess.Popen[str], IO[str]]] = []
    speech = os.environ | {"PYTHONIOENCODING": "utf-8"}  # wherever it is: the file is read as that
    with ExitStack() as stack:
        for words in suites:
            output: IO[str] = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace"))
            print(f"== pytest {' '.join(words)}{' (beside it, told below)' if running else ''}", flush=True)
            place, start, spoken = (output, gentle, speech) if running else (None, None, None)
            process = stack.enter_context(subprocess.Popen([sys.executable, "-m", "pytest", *words], stdout=place, stderr=place, preexec_fn=start, env=spoken, text=True))
            stack.callback(process.kill)
            running.append((process, output))
        codes = []
        for process, output in running:
            codes.append(process.wait())
            output.seek(0)
            print(output.read(), end="", flush=True)
        return codes


gentle: Callable[[], object] | None = (lambda: os.nice(10)) if hasattr(os, "nice") else None


def cache_in(folder: Path) -> tuple[str, str]:
    return "-o", f"cache_dir={folder}"


def again(code: int, words: tuple[str, ...], cache: Path) -> int:
    """The code of a suite after the few tests that failed were tried once more."""
    record = cache / "v" / "cache" / "lastfailed"
    failed = sorted(json.loads(record.read_text(encoding="utf-8"))) if record.is_file() else []
    if code != 1 or not 0 < len(failed) <= MOST_TRIED_AGAIN:
        return code
    code = run("pytest", *words, *cache_in(cache), "-n", "0", "--last-failed", "--last-failed-no-failures", "none")
    print("Failed at first, a fault to be found even where it passed alone:", *failed, sep="\n  ", flush=True)
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
