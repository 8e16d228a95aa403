"""Installing extensions: fetched aside, shown, and only then moved into place. Nothing of them runs before consent."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import time
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement

from studio.errors import BadInput, ExtensionFailed
from studio.plugins import Manifest, read_manifest

MAX_BYTES = 200 * 2**20
MAX_FILES = 5000
GIT_SECONDS = 120


@dataclass(frozen=True)
class Candidate:
    """An extension that was fetched aside and waits for consent."""

    folder: Path
    manifest: Manifest


def stage(source: str, data: Path, *, offline: bool = False) -> Candidate:
    """Fetch from a git address, a zip file or a folder. Raises BadInput, ExtensionFailed; leaves nothing behind then."""
    if not source:
        raise BadInput("Say where the extension is.", hint="Give a git address, a zip file or a folder.")
    holder = data / "staging" / uuid.uuid4().hex
    holder.mkdir(parents=True)
    try:
        fetched = _fetch(source, holder / "fetched", offline)
        manifest = read_manifest(fetched)
        check_requirements(manifest)
        folder = holder / manifest.name
        fetched.rename(folder)
    except BaseException:
        shutil.rmtree(holder, ignore_errors=True)
        raise
    return Candidate(folder, manifest)


def install(staged: Path, data: Path) -> Path:
    """Move a staged extension into place; an older one of its name goes to the trash folder."""
    folder = _inside(staged, data / "staging")
    manifest = read_manifest(folder)
    target = data / "extensions" / manifest.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        remove(target, data)
    folder.rename(target)
    shutil.rmtree(folder.parent, ignore_errors=True)
    return target


def discard(staged: Path, data: Path) -> None:
    shutil.rmtree(_inside(staged, data / "staging").parent, ignore_errors=True)


def remove(folder: Path, data: Path) -> Path:
    """Into the trash folder, where it can be taken back by hand."""
    target = data / "trash" / "extensions" / f"{folder.name}-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:4]}"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(_inside(folder, data / "extensions"), target)
    return target


def check_requirements(manifest: Manifest) -> None:
    """Refused where a requirement would change a package of the studio, or is not there: nothing is installed into it."""
    for text in manifest.requires:
        try:
            wanted = Requirement(text)
        except InvalidRequirement as error:
            raise ExtensionFailed(f"“{manifest.name}” asks for “{text}”, which is no valid requirement.") from error
        if wanted.marker and not wanted.marker.evaluate():
            continue
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError as error:
            raise ExtensionFailed(f"“{manifest.name}” needs the package {text}, which this studio does not have.", hint=f"Install it into .venv yourself: pip install --no-deps '{text}'.") from error
        if version not in wanted.specifier:
            raise ExtensionFailed(f"“{manifest.name}” needs {text}; the studio has {version} and would be changed by it.", hint="Ask its author for a version that fits.")


def _fetch(source: str, target: Path, offline: bool) -> Path:
    path = Path(source).expanduser()
    if path.is_dir():
        _check_tree(path)
        shutil.copytree(path, target, symlinks=True, ignore=shutil.ignore_patterns(".git", "__pycache__"))
    elif path.is_file() and path.suffix.lower() == ".zip":
        _unzip(path, target)
    elif source.startswith(("https://", "git@", "ssh://", "file://")):
        _clone(source, target, offline)
    else:
        raise BadInput(f"“{source}” is neither a git address nor a zip file nor a folder on this computer.", hint="A git address begins with https://.")
    _check_tree(target)
    inner = [child for child in target.iterdir() if child.is_dir() and (child / "extension.toml").exists()]
    return inner[0] if not (target / "extension.toml").exists() and len(inner) == 1 else target


def _clone(address: str, target: Path, offline: bool) -> None:
    if offline:
        raise BadInput("The studio is offline.", hint="Switch Offline off in Settings, or install from a folder.")
    command = ["git", "-c", "core.hooksPath=/dev/null", "clone", "--quiet", "--depth", "1", "--no-recurse-submodules", "--", address, str(target)]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False, env={"GIT_TERMINAL_PROMPT": "0", "PATH": _path()})
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExtensionFailed(f"git could not fetch it ({error}).", hint="Check the address and that git is installed.") from error
    if answer.returncode:
        raise ExtensionFailed(f"git could not fetch it: {answer.stderr.strip()[-300:]}", hint="Check the address.")
    shutil.rmtree(target / ".git", ignore_errors=True)


def _path() -> str:
    import os

    return os.environ.get("PATH", "")


def _unzip(path: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_FILES or sum(entry.file_size for entry in entries) > MAX_BYTES:
                raise BadInput("The zip file is too large for an extension.", hint=f"At most {MAX_BYTES >> 20} MB and {MAX_FILES} files.")
            for entry in entries:
                name = PurePosixPath(entry.filename.replace("\\", "/"))
                linked = (entry.external_attr >> 16) & 0o170000 == 0o120000
                if name.is_absolute() or ".." in name.parts or ":" in entry.filename or linked:
                    raise BadInput("The zip file wants to write outside its own folder and was refused.")
            archive.extractall(target)
    except zipfile.BadZipFile as error:
        raise BadInput("The zip file is damaged.", hint="Download it again.") from error


def _check_tree(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if ".git" not in path.parts]
    if len(files) > MAX_FILES or sum(path.lstat().st_size for path in files) > MAX_BYTES:
        raise BadInput("The folder is too large for an extension.", hint=f"At most {MAX_BYTES >> 20} MB and {MAX_FILES} files.")
    if any(path.is_symlink() for path in files):
        raise BadInput("The extension holds links to other places and was refused.")


def _inside(path: Path, root: Path) -> Path:
    resolved = path.resolve()
    if not resolved.is_relative_to(root.resolve()) or resolved == root.resolve():
        raise BadInput("That folder is not one of the studio's.")
    return resolved
