"""The VGG16 trunk for tests: the real one where the studio fetched it, and a small one with random weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from studio.jobs import JobQueue
from studio.settings import load_settings
from studio.starter import starter_models
from tests.image_models import image_queue

NARROW = (4, 6, 8, 8, 8)


def trunk_file() -> Path:
    """Skipped where it is not there, unless on CI."""
    model = next(model for model in starter_models() if model.kind == "vision")
    path = load_settings({})[0].models_path / model.file
    if not path.exists() and not os.environ.get("CI"):
        pytest.skip("the VGG16 starter model is not on this computer: python launch.py test fetches it")
    return path


def trunk_queue(root: Path) -> JobQueue:
    """Started, with the real trunk among its models."""
    file = root / "models" / "vision" / "vgg16-hed.h5"
    file.parent.mkdir(parents=True)
    file.symlink_to(trunk_file().resolve())
    made = image_queue(root / "data", root / "models")
    made.start()
    return made


def small_trunk(seed: int = 1) -> Any:
    """In double precision, for checks of gradients."""
    import torch

    from pipelines.image.nets.trunk import Trunk

    torch.manual_seed(seed)
    trunk = Trunk(NARROW)
    for name, parameter in trunk.named_parameters():
        torch.nn.init.normal_(parameter, std=0.3 if name.endswith("weight") else 0.1)
    with torch.no_grad():
        trunk.conv1_1.weight.mul_(1 / 64)
    return trunk.double().requires_grad_(False)
