"""Which device models run on and how much memory it has, found without importing torch."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Device:
    """kind is a torch device type; total_bytes is its memory (unified memory on mps)."""

    kind: str
    name: str
    total_bytes: int


def find_device(wanted: str = "auto") -> Device:
    """The device for `wanted` ("auto", "cpu", "cuda", "mps"); auto prefers cuda, then mps, then the CPU."""
    ram = psutil.virtual_memory().total
    if wanted in ("auto", "cuda") and (gpu := _nvidia()):
        return gpu
    if wanted == "mps" or (wanted == "auto" and platform.system() == "Darwin" and platform.machine() == "arm64"):
        return Device("mps", "Apple GPU", ram)
    return Device("cpu", platform.processor() or platform.machine() or "CPU", ram)


def budget_bytes(device: Device, limit_gb: float) -> int:
    """What models may take: the user's limit, else 70 % of the device. Never more than the device has."""
    wanted = int(limit_gb * 2**30) if limit_gb else int(device.total_bytes * 0.7)
    return min(wanted, device.total_bytes)


def thread_count(wanted: int) -> int:
    """CPU threads for a model: as set, else all physical cores but one (two spinning threads starve the page)."""
    if wanted:
        return wanted
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return max(1, cores - 1)


def process_count(wanted: int) -> int:
    """Processes that one job may spread over: as set, else all physical cores (they stand back behind the page, as spinning threads do not)."""
    return wanted or psutil.cpu_count(logical=False) or os.cpu_count() or 1


def has_bfloat16(processor: str = "/proc/cpuinfo") -> bool:
    """Whether the processor multiplies bfloat16 itself; where that can't be told, no."""
    try:
        flags = Path(processor).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    found = next((line for line in flags.splitlines() if line.lower().startswith(("flags", "features"))), "").split()
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(found))


def _nvidia() -> Device | None:
    tool = shutil.which("nvidia-smi")
    if not tool:
        return None
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    return parse_nvidia(answer.stdout) if answer.returncode == 0 else None


def parse_nvidia(text: str) -> Device | None:
    """First line of nvidia-smi's "name, MiB" table."""
    name, _, mebibytes = text.strip().splitlines()[0].rpartition(",") if text.strip() else ("", "", "")
    if not mebibytes.strip().isdigit():
        return None
    return Device("cuda", name.strip(), int(mebibytes) * 2**20)
