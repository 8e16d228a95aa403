"""Pictures for the gallery's cards: each model at the end of its usual run, seed 1. `python -m pipelines.simulation.pictures [id …]` writes tabs/samples/simulation/<id>.webp."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from studio.api import Picture, Simulation, chance

FOLDER = Path(__file__).resolve().parents[2] / "tabs" / "samples" / "simulation"
SEED, LONGER_SIDE, LOOKS = 1, 360, 400
MOMENTS = {"heat": 0.05}  # shares of the usual run, where its end shows less


def taken(model: Simulation) -> Picture | None:
    """After its usual duration; in many stretches, as pictures of ways need them."""
    params, rng = model.Params(), chance(SEED)
    state, left = model.init(params, rng), round(model.duration / model.time_step(params) * MOMENTS.get(model.id, 1.0))
    stretch = max(1, left // LOOKS)
    while left > 0:
        state = model.advance(state, params, rng, min(stretch, left))
        left -= stretch
    return model.render(state, params)


def write(model: Simulation) -> int:
    """The file's bytes; 0 for a model without a picture."""
    picture = taken(model)
    if picture is None:
        return 0
    image = Image.fromarray(picture)
    image.thumbnail((LONGER_SIDE, LONGER_SIDE))
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{model.id}.webp"
    image.save(path, "WEBP", quality=60, method=6)
    return path.stat().st_size


def main(wanted: Sequence[str]) -> None:
    from pipelines.simulation import register_simulations

    for model in register_simulations():
        if not wanted or model.id in wanted:
            print(f"{model.id:20} {write(model):8,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
