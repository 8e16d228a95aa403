"""A report for a bug ticket: versions, device, models, extensions, disk. No secrets, no paths of the home folder."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys
from pathlib import Path

import studio
from studio.catalog import Catalog
from studio.errors import StudioError
from studio.memory.devices import budget_bytes, find_device, thread_count
from studio.plugins import read_manifest
from studio.settings import SECRET_FIELDS, Settings, load_settings

PACKAGES = ("gradio", "torch", "transformers", "diffusers", "accelerate", "safetensors", "xllamacpp", "pydantic", "pluggy")


def report(settings: Settings, warnings: list[str]) -> str:
    device = find_device(settings.device)
    lines = [f"Seisei Studio {studio.__version__}", f"Python {sys.version.split()[0]} on {platform.platform()}"]
    lines += [f"{name} {_version(name)}" for name in PACKAGES]
    lines.append(f"Device: {device.kind}, {device.name}, {device.total_bytes / 2**30:.1f} GB; models may take {budget_bytes(device, settings.memory_limit) / 2**30:.1f} GB; {thread_count(settings.threads)} threads")
    lines.append(f"Disk: {shutil.disk_usage(_existing(settings.data)).free / 2**30:.1f} GB free for the data folder")
    changed = {name: "(set)" if name in SECRET_FIELDS else value for name, value in settings.model_dump(exclude_defaults=True).items() if name != "data_dir"}
    lines.append(f"Changed settings: {changed or 'none'}")
    catalog = Catalog([settings.models_path, *(Path(folder) for folder in settings.models_dir)])
    lines += [f"Model: {entry.key}, {entry.kind}, {entry.format}, {entry.bytes / 2**20:.0f} MB{', ' + entry.problem if entry.problem else ''}" for entry in catalog.entries()]
    lines += [f"Extension: {line}" for line in _extensions(settings)]
    lines += [f"Warning: {line}" for line in warnings]
    return "\n".join(lines).replace(str(Path.home()), "~")


def _extensions(settings: Settings) -> list[str]:
    found = []
    for root in (Path(__file__).resolve().parent.parent / "extensions", settings.data / "extensions"):
        for manifest in sorted(root.glob("*/extension.toml")):
            try:
                about = read_manifest(manifest.parent)
                found.append(f"{about.name} {about.version}{' (off)' if about.name in settings.disabled_extensions else ''}")
            except StudioError as error:
                found.append(f"{manifest.parent.name}: {error.message}")
    return found


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def main(words: list[str]) -> int:
    from launch import parser

    flags = vars(parser().parse_args(words))
    del flags["command"], flags["torch"]
    print(report(*load_settings(flags)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
