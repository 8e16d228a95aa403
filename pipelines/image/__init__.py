"""Image: Stable Diffusion and every family that diffusers knows, with a small model that is always there."""

from __future__ import annotations

from pathlib import Path

from studio.api import ModelEntry, Pipeline, hookimpl
from studio.api import Settings as StudioSettings

SHIPPED = Path(__file__).parent / "weights" / "stickers"


@hookimpl
def register_pipelines() -> list[Pipeline]:
    from pipelines.image.annotate.pipeline import Annotate
    from pipelines.image.dream import Dream
    from pipelines.image.generate import Generate
    from pipelines.image.grid import Grid
    from pipelines.image.style import styles
    from pipelines.image.style_strip import StyleStrip
    from pipelines.image.upscale import Upscale

    return [Generate(), Upscale(), Grid(), *styles(), StyleStrip(), Dream(), Annotate()]


@hookimpl
def register_models(settings: StudioSettings) -> list[ModelEntry]:
    """The small Stable Diffusion and the upscaler that are part of the studio."""
    from pipelines.image.upscalers import shipped

    if not (SHIPPED / "model_index.json").is_file():
        return [shipped()]
    size = sum(path.stat().st_size for path in SHIPPED.rglob("*.safetensors"))
    return [shipped(), ModelEntry("stickers", str(SHIPPED), "image", "diffusers", size, "Stickers (works offline)", "StableDiffusionPipeline", "float16", languages=["en", "ja"], source="built-in")]
