"""`python launch.py test`: engines, starter model, linter, types, then all tests. Arguments go to pytest."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from studio.provision import Provision
from studio.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent


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
    for step_words in (("ruff", "check", "."), ("mypy",), ("pytest", "-m", "not slow and not browser"), ("pytest", "-m", "slow or browser")):
        if code := run(*step_words):
            return code
    return 0


def browser() -> str:
    """The Chromium that the browser tests drive."""
    return os.environ.get("SEISEI_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""


def run(*words: str) -> int:
    print(f"== {' '.join(words)}", flush=True)
    return subprocess.run([sys.executable, "-m", *words], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
