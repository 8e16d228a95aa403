"""Moving pictures without flicker: where a frame shows what the one before showed, its strokes stay as well, and go along with what moves.

Source: the short-term term of Ruder, Dosovitskiy, Brox, Artistic style transfer for videos, 2016, laid over the painted frames; how things move: pipelines/image/nets/motion.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageFilter

STILL, MOVED = 6, 24  # differences of a channel, of 255: up to the one a pixel is taken as still, from the other on as moved
AROUND = 3  # pixels around what moves, whose strokes change with it


@dataclass
class Steady:
    """Goes along with the frames, one after the other. `share` is how much of the frame before stays."""

    share: float
    _content: Any = None
    _styled: Any = None

    def laid(self, content: Image.Image, styled: Image.Image) -> Image.Image:
        """The styled frame with what stays of the one before; RGB of one size."""
        if self.share and self._content is not None:
            moved = np.asarray(_largest(ImageChops.difference(content, self._content)).filter(ImageFilter.MaxFilter(2 * AROUND + 1)), np.float32)
            stays = np.clip((MOVED - moved) / (MOVED - STILL), 0, 1)
            before, trust = self._followed(content, stays) if stays.min() < 1 else (self._styled, stays)
            styled = Image.composite(before, styled, _mask(self.share * trust))
        self._content, self._styled = content, styled
        return styled

    def _followed(self, content: Image.Image, stays: Any) -> tuple[Image.Image, Any]:
        """The painted frame before with its moving parts carried along, and how far each pixel of it can be believed.

        What looks the same stays where it is. While the camera moves that says little, least of even surfaces: they go along with the rest.
        """
        from pipelines.image.nets.motion import carried, motion, spread

        found = motion(content, self._content)
        if found.camera:
            stays = stays * (spread(found.still, content.size) / np.float32(255))
        followed = Image.composite(self._styled, carried(self._styled, found), _mask(stays))
        return followed, np.maximum(stays, spread(found.believed, content.size) / np.float32(255))


def _mask(share: Any) -> Image.Image:
    return Image.fromarray((share * 255).round().astype(np.uint8))


def _largest(difference: Image.Image) -> Image.Image:
    """Of the three channels."""
    red, green, blue = difference.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)
