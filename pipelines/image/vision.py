"""The VGG16 trunk that comes with the studio: whether it is there, and how the worker loads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.api import Catalog, ModelBroken, ModelEntry, ModelMissing, ModelSpec, RunContext, has_bfloat16

if TYPE_CHECKING:
    from pipelines.image.nets.trunk import Trunk

TRUNK = "vision/vgg16-hed"
PARAMETERS = 14_714_688  # of the thirteen convolutions


def trunk_entry(catalog: Catalog) -> ModelEntry:
    """Raises ModelMissing, ModelBroken."""
    entry = next((found for found in catalog.entries("vision") if found.key == TRUNK), None)
    if entry is None:
        raise ModelMissing("The VGG16 network is not on this computer yet.", hint="It is a starter model: fetch it in the Models tab.")
    if entry.problem:
        raise ModelBroken(f"“{entry.title}” can't be used: {entry.problem}", hint="Delete it in the Models tab and fetch it again.")
    return entry


def trunk_type(device: str, bfloat16: bool) -> str:
    """The name of the torch type it computes in: half on devices that multiply it themselves; sums over features are always full."""
    return "bfloat16" if device == "cuda" or (device == "cpu" and bfloat16) else "float32"


def trunk_bytes(device: str) -> int:
    return PARAMETERS * (2 if trunk_type(device, has_bfloat16()) == "bfloat16" else 4)


def trunk_spec(ctx: RunContext) -> ModelSpec[Trunk]:
    """How the worker loads it. Raises ModelMissing, ModelBroken."""
    entry = trunk_entry(ctx.catalog)

    def load(report: Any) -> Trunk:
        import torch

        from pipelines.image.nets.trunk import load as load_trunk

        torch.set_num_threads(ctx.threads)
        try:
            return load_trunk(Path(entry.path), ctx.device, getattr(torch, trunk_type(ctx.device, has_bfloat16())))
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise ModelBroken(f"“{entry.title}” can't be loaded: {str(error).splitlines()[0][:200]}.", hint="Delete it in the Models tab and fetch it again.") from error

    return ModelSpec(entry.key, trunk_bytes(ctx.device), load)
