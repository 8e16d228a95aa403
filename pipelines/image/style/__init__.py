"""Styles: a picture painted anew in the manner of another one, by several methods under the same controls."""

from __future__ import annotations

from studio.api import Pipeline


def styles() -> list[Pipeline]:
    from pipelines.image.style.any import AnyStyle
    from pipelines.image.style.blend import Blend

    return [Blend(), AnyStyle()]
