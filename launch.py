#!/usr/bin/env python3
"""Starts Seisei Studio on a fresh machine: .venv, pinned packages, starter models, page. Standard library only.

python launch.py            install what is missing and open the studio
python launch.py test       install what the tests need and run them
python launch.py doctor     print a report for a bug ticket
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LOCKS = ROOT / "studio" / "requirements"
OLDEST_PYTHON = (3, 11)


class SetupFailed(Exception):
    """A sentence for the terminal."""


def environment_python(folder: Path, os_name: str = os.name) -> Path:
    """The interpreter inside a virtual environment, on each system."""
    return folder / "Scripts" / "python.exe" if os_name == "nt" else folder / "bin" / "python"


def stamp_of(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def is_installed(folder: Path, part: str) -> bool:
    """Whether this very lock was installed to its end: a second start does no package work."""
    stamp = folder / f"seisei-{part}.stamp"
    return stamp.is_file() and stamp.read_text(encoding="ascii") == stamp_of(LOCKS / f"{part}.lock")


def make_environment(folder: Path) -> Path:
    """The environment's interpreter; a half-made or moved environment is made anew."""
    python = environment_python(folder)
    works = python.is_file() and subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
    if not works:
        print("Setting up .venv …", flush=True)
        try:
            venv.EnvBuilder(with_pip=True, clear=folder.exists()).create(folder)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SetupFailed(f"The environment could not be made in {folder}: {error}\nOn Debian and Ubuntu, install python3-venv first.") from error
    return python


def install(folder: Path, python: Path, part: str, offline: bool) -> None:
    """Install one lock; interrupted, it goes on from pip's cache at the next start."""
    if is_installed(folder, part):
        return
    if offline:
        raise SetupFailed(f"The packages of “{part}” are not installed yet and --offline is on. Start once with a connection.")
    print(f"Installing packages: {part} …", flush=True)
    lock = LOCKS / f"{part}.lock"
    command = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "-r", str(lock)]
    if subprocess.run(command, check=False).returncode:
        raise SetupFailed("The packages could not be installed (pip's reason stands above). Check the connection and the disk, then start again: it goes on where it stopped.")
    (folder / f"seisei-{part}.stamp").write_text(stamp_of(lock), encoding="ascii")


def parser() -> argparse.ArgumentParser:
    """Each flag is also a setting and an environment variable SEISEI_<NAME>."""
    flags = argparse.ArgumentParser(prog="launch.py", description="Seisei Studio: text, image, music and simulation in your browser.")
    flags.add_argument("command", nargs="?", choices=["start", "test", "doctor"], default="start")
    flags.add_argument("--port", type=int, help="port of the page (7860)")
    flags.add_argument("--listen", nargs="?", const="0.0.0.0", help="serve the network, not only this computer; asks for sign-in")
    flags.add_argument("--share", action="store_const", const=True, help="open a public Gradio link; asks for sign-in")
    flags.add_argument("--auth", help="user:password pairs, separated by commas")
    flags.add_argument("--data-dir", help="outputs, database, settings, models (user_data)")
    flags.add_argument("--models-dir", action="append", help="a models folder of another program, used in place; repeatable")
    flags.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], help="where models run")
    flags.add_argument("--memory-limit", type=float, help="GB that models may take")
    flags.add_argument("--offline", action="store_const", const=True, help="never use the network")
    flags.add_argument("--safe", action="store_const", const=True, help="start without community extensions")
    flags.add_argument("--no-browser", dest="browser", action="store_const", const=False, help="do not open the browser")
    flags.add_argument("--lang", choices=["auto", "en", "ja"], help="language of the page")
    flags.add_argument("--torch", choices=["auto", "cpu", "cuda"], help="which build of torch to install (auto: by hardware)")
    return flags


def main(words: list[str]) -> int:
    if sys.version_info < OLDEST_PYTHON:
        print(f"Seisei Studio needs Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 1
    flags, rest = parser().parse_known_args(words)
    if rest and flags.command != "test":
        parser().error(f"unknown: {' '.join(rest)}")
    if flags.torch:
        os.environ["SEISEI_TORCH"] = flags.torch
    folder = ROOT / ".venv"
    offline = bool(flags.offline) or os.environ.get("SEISEI_OFFLINE", "").lower() in ("1", "true", "yes")
    try:
        python = make_environment(folder)
        install(folder, python, "web", offline)
        if flags.command == "test":
            install(folder, python, "test", offline)
    except SetupFailed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Start again: it goes on where it stopped.", file=sys.stderr)
        return 130
    return run(python, flags, rest, words)


def run(python: Path, flags: argparse.Namespace, rest: list[str], words: list[str]) -> int:
    """Hand over to the environment's interpreter."""
    module = {"start": "studio", "test": "studio.testing", "doctor": "studio.doctor"}[flags.command]
    arguments = rest if flags.command == "test" else [word for word in words if word != flags.command]
    command = [str(python), "-m", module, *arguments]
    if os.name != "nt":
        os.chdir(ROOT)
        os.execv(str(python), command)
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
