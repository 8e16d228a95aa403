"""Single-file checkpoints through diffusers' own conversion, with configs made from the file's header: nothing is asked of a model hub."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import diffusers

from pipelines.image.checkpoint import PIPELINES, read_shapes, vae_config, write_configs
from pipelines.image.families import Family
from studio.api import ModelBroken


def load_single(path: Path, family: Family, dtype: Any, more: dict[str, Any]) -> Any:
    """Raises ModelBroken for a family whose single files are not read."""
    if family.key not in PIPELINES:
        raise ModelBroken(f"Single files of {family.title} are not read yet.", hint="Use the diffusers folder of this model.", field="model")
    with tempfile.TemporaryDirectory(prefix="seisei-config-") as folder:
        write_configs(path, family.key, Path(folder))
        kind = getattr(diffusers, PIPELINES[family.key])
        return kind.from_single_file(str(path), config=folder, dtype=dtype, local_files_only=True, **more)


def load_single_vae(path: Path, dtype: Any) -> Any:
    """A decoder in the original layout, with or without the checkpoint's prefix."""
    shapes = read_shapes(path)
    prefix = "first_stage_model." if any(name.startswith("first_stage_model.") for name in shapes) else ""
    with tempfile.TemporaryDirectory(prefix="seisei-config-") as folder:
        config = vae_config(shapes, "sd1", prefix)
        (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf-8")
        return diffusers.AutoencoderKL.from_single_file(str(path), config=folder, dtype=dtype, local_files_only=True)
