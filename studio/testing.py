"""`python launch.py test`: engines, starter model, linter, types, then all tests. Arguments go to pytest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

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
    return run_twice(*side_by_side(), "-m", "slow and not browser") or run_twice("-m", "browser")


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


def run_twice(*words: str) -> int:
    """Tests of whole programs and of Chromium, which share the machine with whatever else it does: the few that failed run once more,
    alone in a fresh process. Both runs stand in the output, and what failed at first is named at the end."""
    with tempfile.TemporaryDirectory(prefix="seisei-tests-") as folder:
        kept = ("-o", f"cache_dir={folder}")
        code = run("pytest", *words, *kept)
        record = Path(folder) / "v" / "cache" / "lastfailed"
        failed = sorted(json.loads(record.read_text(encoding="utf-8"))) if record.is_file() else []
        if code != 1 or not 0 < len(failed) <= MOST_TRIED_AGAIN:
            return code
        code = run("pytest", *words, *kept, "-n", "0", "--last-failed", "--last-failed-no-failures", "none")
        print("Failed at first, a fault to be found even where it passed alone:", *failed, sep="\n  ", flush=True)
        return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
