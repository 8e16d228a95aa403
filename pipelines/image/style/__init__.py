"""Styles: a picture painted anew in the manner of another one, by several methods under the same controls."""

from __future__ import annotations

from studio.api import Pipeline


def styles() -> list[Pipeline]:
    """The methods, the one that takes many pictures, and the one that tries many settings."""
    from pipelines.image.style.any import AnyStyle
    from pipelines.image.style.batch import Batch
    from pipelines.image.style.blend import Blend
    from pipelines.image.style.diffuse import Diffuse
    from pipelines.image.style.grid import StyleGrid
    from pipelines.image.style.optimise import Optimise

    return [Blend(), AnyStyle(), Optimise(), Diffuse(), Batch(), StyleGrid()]
