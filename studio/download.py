"""Fetching a model file by its address: resumable, bounded, checked, moved into place only when whole."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import struct
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx

from studio.errors import BadInput, DiskFull, DownloadFailed, Stopped
from studio.scan import scan

SUFFIXES = (".safetensors", ".gguf")
SPARE_BYTES = 512 * 2**20
Report = Callable[[int, int], None]


def file_name(url: str) -> str:
    """The safe name of the file behind an address. Raises BadInput for anything but safetensors and GGUF over http(s)."""
    parts = urlsplit(url)
    name = Path(unquote(parts.path)).name
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput("That is no web address.", hint="It begins with https://.", field="url")
    if not name.lower().endswith(SUFFIXES) or not re.fullmatch(r"[\w][\w .()+\-]{0,150}", name):
        raise BadInput("The address does not end in a safetensors or GGUF file.", hint="Copy the address of the file itself.", field="url")
    return name


def download(url: str, folder: Path, report: Report, stop: threading.Event) -> Path:
    """The finished file. An interrupted one goes on where it stopped. Raises BadInput, DownloadFailed, DiskFull, Stopped."""
    name = file_name(url)
    target = folder / name
    if target.exists():
        raise BadInput(f"“{name}” is already here.", hint="Delete it first, or use it as it is.", field="url")
    return receive(url, target, report, stop)


def receive(url: str, target: Path, report: Report, stop: threading.Event, *, headers: dict[str, str] | None = None, sha256: str = "") -> Path:
    """Any one file to `target`, in place only when whole; weights are read as the catalogue will, hashes are compared."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        _receive(url, part, report, stop, headers or {})
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        hint = "Accept its terms on the hub and give your access token in Settings." if code in (401, 403) else "Check the address."
        raise DownloadFailed(f"“{target.name}” could not be fetched: the server answered {code}.", hint=hint) from error
    except httpx.HTTPError as error:
        raise DownloadFailed(f"“{target.name}” could not be fetched ({type(error).__name__}: {error}).", hint="Try again: it goes on where it stopped.") from error
    except OSError as error:
        raise DiskFull(f"“{target.name}” could not be written ({error.strerror}).", hint="Free some space, then try again.") from error
    if sha256 and _sha256(part) != sha256:
        part.unlink()
        raise DownloadFailed(f"“{target.name}” arrived damaged: its hash is not the hub's.", hint="Try again.")
    if target.suffix.lower() in SUFFIXES and "-of-" not in target.name and (problem := problem_of(part, target.name)):
        part.unlink()
        raise DownloadFailed(f"“{target.name}” is not usable. {problem}", hint="Check the address.")
    os.replace(part, target)
    return target


def check_whole(folder: Path) -> None:
    """A folder of a whole model as the catalogue reads it. Raises DownloadFailed; the folder is kept."""
    with tempfile.TemporaryDirectory(prefix=".check-", dir=folder.parent) as place:
        (Path(place) / "model").symlink_to(folder, target_is_directory=True)
        problem = next((entry.problem for entry in scan(Path(place))), "It is no model.")
    if problem:
        raise DownloadFailed(f"The model is not usable. {problem}", hint="Choose another.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _receive(url: str, part: Path, report: Report, stop: threading.Event, headers: dict[str, str]) -> None:
    have = part.stat().st_size if part.exists() else 0
    asked = {"accept-encoding": "identity"} | headers | ({"range": f"bytes={have}-"} if have else {})
    with httpx.Client(follow_redirects=True, timeout=30) as client, client.stream("GET", url, headers=asked) as answer:
        if answer.status_code == 416:
            return
        answer.raise_for_status()
        have = have if answer.status_code == 206 else 0
        total = have + int(answer.headers.get("content-length", 0))
        if shutil.disk_usage(part.parent).free < total - have + SPARE_BYTES:
            raise DiskFull(f"The file has {total / 2**30:.1f} GB; the disk has no room for it.", hint="Free some space, then try again.")
        with part.open("ab" if have else "wb") as file:
            for chunk in answer.iter_raw():
                if stop.is_set():
                    raise Stopped
                file.write(chunk)
                have += len(chunk)
                report(have, total)
    if total and have != total:
        raise DownloadFailed("The connection ended early.", hint="Try again: it goes on where it stopped.")


def _lend(path: Path, place: Path) -> None:
    """The same file at another place, on disks without links of the one kind by the other."""
    try:
        os.link(path, place)
    except OSError:
        place.symlink_to(path)


def problem_of(part: Path, name: str) -> str:
    """What is wrong with a new file, read as the catalogue will read it under its name; "" for nothing."""
    with tempfile.TemporaryDirectory(prefix=".check-", dir=part.parent) as place:
        try:
            _lend(part, Path(place) / name)
            problem = next((entry.problem for entry in scan(Path(place))), "It is no model file.")
        except (OSError, struct.error) as error:
            problem = f"It can't be read ({error})."
    return problem
