"""Whether a picture is painted in one piece or in strips, and what memory that takes. No torch.

In strips the result is the same: each layer's mean and spread are gathered over the whole picture first (pipelines/image/nets/style_strips.py).
"""

from __future__ import annotations

from dataclasses import dataclass

WHOLE = {"cpu": 2**19}  # pixels that are painted in one piece: on a processor a layer of more would let Stop wait
WHOLE_ELSEWHERE = 2**22
STRIP = {"cpu": 2**17}
STRIP_ELSEWHERE = 2**21
WHOLE_BYTES = 330  # a pixel, measured: the first layer's output and its copy with mirrored edges
KEPT_BYTES = 60  # a pixel, measured: what the strips leave, and the picture in and out


@dataclass(frozen=True)
class Way:
    """`strip` is how many pixels are done at a time; 0 is all at once."""

    strip: int
    working: int  # bytes


def way_of(pixels: int, device: str, room: int) -> Way:
    """The quickest that fits into `room` bytes; strips where nothing does, for they are the smallest there is."""
    kind = device.partition(":")[0]
    whole = WHOLE_BYTES * pixels
    if pixels <= WHOLE.get(kind, WHOLE_ELSEWHERE) and whole <= room:
        return Way(0, whole)
    strip = STRIP.get(kind, STRIP_ELSEWHERE)
    return Way(strip, KEPT_BYTES * pixels + WHOLE_BYTES * strip)
