"""Enlarging a finished picture: by the network that comes with the studio, tile by tile, or by plain resizing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from studio.api import ModelSpec, RunContext

PLAIN = {"Lanczos": Image.Resampling.LANCZOS, "Nearest": Image.Resampling.NEAREST}
UPSCALER = Path(__file__).parent / "weights" / "upscaler" / "realesr-animevideov3-x4.safetensors"


def enlarged(picture: Image.Image, upscaler: str, scale: float, ctx: RunContext, told: Callable[[float], None] | None = None) -> Image.Image:
    """Raises Stopped between tiles; `told` hears the share that is done, else the job is told of a loading."""
    if scale <= 1:
        return picture
    if upscaler in PLAIN:
        return picture.resize((round(picture.width * scale), round(picture.height * scale)), PLAIN[upscaler])
    from pipelines.image.nets.upscale import enlarge

    def each(done: int, total: int) -> None:
        ctx.check()
        if told:
            told(done / total)
        else:
            ctx.loading("Enlarging", done / total)

    with ctx.models.use(upscaler_spec(ctx)) as network:
        return enlarge(network, picture, scale, each)


def upscaler_spec(ctx: RunContext) -> ModelSpec[Any]:
    def load(report: Any) -> Any:
        from pipelines.image.nets.upscale import load as load_upscaler

        return load_upscaler(UPSCALER, ctx.device)

    return ModelSpec("Real-ESRGAN", 2 * UPSCALER.stat().st_size, load)
