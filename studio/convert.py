"""A pickle checkpoint to safetensors: watches over the throw-away program that reads it (studio/unpickle.py). The original is only read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from studio.download import SPARE_BYTES, problem_of
from studio.errors import BadInput, DiskFull, ModelBroken, Stopped

ROOT = Path(__file__).resolve().parent.parent
MEMORY_BYTES, MEMORY_SHARE = 2 * 2**30, 2.5  # resident: torch itself, and the file twice over in the older format
ADDRESS_BYTES = 16 * 2**30  # torch and its libraries are mapped, not used
SECONDS, BYTES_PER_SECOND = 180.0, 5 * 2**20
KEPT_ENVIRONMENT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LD_LIBRARY_PATH", "PYTHONPATH", "LANG")
Report = Callable[[int, int], None]


def convert(source: Path, folder: Path, report: Report, stop: threading.Event) -> Path:
    """The new file's path. Raises BadInput, ModelBroken for what is no checkpoint or would run code, DiskFull, Stopped."""
    target = folder / f"{source.stem}.safetensors"
    if target.exists():
        raise BadInput(f"“{target.name}” is already here.", hint="Delete it first, or use it as it is.")
    size = _room(source, folder)
    part = target.with_name(f".{target.name}.part")
    try:
        _read_apart(source, part, size, report, stop)
        if problem := problem_of(part, target.name):
            raise ModelBroken(f"“{source.name}” could not be converted. {problem}", hint="Get a safetensors version of it.")
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _room(source: Path, folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        size = source.stat().st_size
    except OSError as error:
        raise BadInput(f"“{source.name}” can't be read ({error.strerror}).", hint="Look again: it may be gone.") from error
    if shutil.disk_usage(folder).free < size + SPARE_BYTES:
        raise DiskFull(f"The file has {size / 2**30:.1f} GB; the disk has no room for it.", hint="Free some space, then try again.")
    return size


def _read_apart(source: Path, part: Path, size: int, report: Report, stop: threading.Event) -> None:
    """Until the program ends, or is ended: by Stop, by its time, by its memory."""
    environment = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ} | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}  # no keys, no device
    process = subprocess.Popen([sys.executable, "-m", "studio.unpickle"], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin and process.stdout
    told: dict[str, Any] = {}
    listening = threading.Thread(target=_listen, args=(process.stdout, told, report), daemon=True)
    try:
        process.stdin.write(json.dumps({"source": str(source), "target": str(part), "memory": ADDRESS_BYTES + 3 * size}).encode() + b"\n")
        process.stdin.close()
        listening.start()
        deadline = time.monotonic() + SECONDS + size / BYTES_PER_SECOND
        while listening.is_alive():
            listening.join(0.1)
            if stop.is_set():
                raise Stopped
            if time.monotonic() > deadline:
                told["refused"] = "time"
                break
            if _resident(process.pid) > MEMORY_BYTES + MEMORY_SHARE * size:
                told["refused"] = "memory"
                break
    except BrokenPipeError:
        told["refused"] = "ended"
    finally:
        process.kill()
        process.wait()
        if listening.ident:
            listening.join(5)
        process.stdout.close()
    if not told.get("done"):
        raise _refusal(source.name, told.get("refused", "ended"), str(told.get("why", "")))


def _listen(lines: Any, told: dict[str, Any], report: Report) -> None:
    for line in lines:
        try:
            said = json.loads(line[:10_000])
        except ValueError:
            continue
        if "have" in said:
            report(int(said["have"]), int(said["total"]))
        else:
            told |= said


def _resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _refusal(name: str, kind: str, why: str) -> ModelBroken | DiskFull:
    if kind == "code":
        return ModelBroken(f"“{name}” is more than weights: opening it would run “{why}”. It was not opened.", hint="Do not use this file; get a safetensors version of it from a place you trust.")
    if kind == "write":
        return DiskFull(f"“{name}” could not be converted ({why}).", hint="Free some space, then try again.")
    if kind == "memory":
        return ModelBroken(f"Reading “{name}” took more memory than such a file needs; it was stopped.", hint="Get a safetensors version of it.")
    if kind == "time":
        return ModelBroken(f"Reading “{name}” took too long; it was stopped.", hint="Get a safetensors version of it.")
    if kind == "damaged":
        return ModelBroken(f"“{name}” is damaged or no checkpoint ({why}).", hint="Download it again, better as safetensors.")
    return ModelBroken(f"The reader of “{name}” ended without a word.", hint="The file may be damaged: get a safetensors version of it.")
