"""`python -m pipelines.image.training.style_thumbs <picture>`: the picture in each of the 26 styles, small, for the page's strip.

Those that are shipped are of “Chelsea the cat” by Stéfan van der Walt (CC0), as scikit-image ships it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pipelines.image.style.blend import THUMBS
from pipelines.image.style.flow import WEIGHTS
from pipelines.image.style.names import STYLES

PAINTED, SMALL = (480, 320), (160, 107)


def main() -> None:
    import torch

    from pipelines.image.nets.style import load, paint_bytes

    with Image.open(Path(sys.argv[1])) as file:
        picture = np.asarray(ImageOps.fit(file.convert("RGB"), PAINTED, Image.Resampling.LANCZOS))
    painter = load(WEIGHTS / "multistyle26.safetensors", "cpu")
    THUMBS.mkdir(exist_ok=True)
    for number in range(len(STYLES)):
        style = torch.zeros(len(STYLES))
        style[number] = 1
        made = Image.fromarray(paint_bytes(painter, picture, style, lambda share: None))
        made.resize(SMALL, Image.Resampling.LANCZOS).save(THUMBS / f"{number:02}.webp", quality=82, method=6)


if __name__ == "__main__":
    main()
