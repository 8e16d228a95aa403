"""The methods: which need a network, which settings do something with each, and what a detail from 0 to 1 means. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipelines.image.edges import HIGH, LOW

Method = Literal["Soft edges", "Scribble", "Canny", "Lines", "Depth", "Normal", "Pose", "Blur", "Invert", "Luminance"]
EDGES = ("Soft edges", "Scribble")  # by the VGG16 edge network
DEPTHS = ("Depth", "Normal")
LINES = ("Soft edges", "Scribble", "Canny", "Lines")  # light on black
PLAIN = ("None", "Invert", "Luminance")
DETAILED = (*LINES, "Normal", "Pose", "Blur")
USUAL = 0.5
INK, SCRIBBLE, SHIFT, BLUR, SURE = 0.01, 0.3, 6.0, 0.02, 0.6
LOWER = 1 / 3  # of a scribble's upper threshold


@dataclass(frozen=True)
class Preparation:
    """What is made of a picture. `low` and `high` of 0 go by the detail; models are keys of the catalogue, "" where there is none."""

    method: str
    detail: float = USUAL
    low: int = 0
    high: int = 0
    on_white: bool = False
    depth_model: str = ""
    pose_model: str = ""
    person_model: str = ""

    def turned(self, base: float) -> float:
        """`base` where there is most detail, its inverse where there is least, 1 in the middle."""
        return float(base ** (2 * self.detail - 1))

    @property
    def thresholds(self) -> tuple[float, float]:
        """Canny's: weak edges from, strong edges from."""
        high = float(self.high or HIGH * self.turned(1 / 4))
        return float(self.low) or min(high, LOW * self.turned(1 / 4)), high

    @property
    def ink(self) -> float:
        return INK * self.turned(1 / 4)

    @property
    def strokes(self) -> tuple[float, float]:
        """From which softness an edge is drawn where it goes on from another, and where not."""
        high = SCRIBBLE * self.turned(1 / 3)
        return high * LOWER, high

    @property
    def shift(self) -> float:
        """Of soft edges' logits."""
        return SHIFT * (self.detail - USUAL)

    @property
    def sure(self) -> float:
        """How sure a joint must be."""
        return SURE * (1 - self.detail)


def fields_of(method: str) -> list[str]:
    """The settings that do something with a method, for a form."""
    models = ["depth_model"] if method in DEPTHS else ["pose_model", "person_model"] if method == "Pose" else []
    return [*(["detail"] if method in DETAILED else []), *(["low", "high"] if method == "Canny" else []), *(["on_white"] if method in LINES else []), *models, "width", "height", "resize", "upscale", "upscaler"]
