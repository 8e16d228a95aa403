"""Writes the two synthetic tables among pipelines/simulation/learning/samples: returns by our GARCH model, a queue by our M/M/c. The other tables are printed numbers.

    python -m benchmarks.learning_samples
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "pipelines" / "simulation" / "learning" / "samples"


def returns() -> str:
    from pipelines.simulation.models.garch import Garch

    model = Garch()
    days = np.arange(1.0, 1501.0)
    seen = model.observed([model.Params.parse({"omega": 0.04, "alpha": 0.12, "beta": 0.84})], days, [1986])[0, :, 0]
    return "day,return_percent\n" + "".join(f"{day:.0f},{value:.4f}\n" for day, value in zip(days, seen, strict=True))


def queue() -> str:
    from pipelines.simulation.models.mmc import Mmc

    model = Mmc()
    hours = np.arange(0.5, 48.1, 0.5)
    names = [series.name for series in model.series]
    seen = model.observed([model.Params.parse({"arrivals_per_hour": 5.0, "served_per_hour": 2.0, "doctors": 3})], hours, [1917])[0]
    return "hour,arrived,served\n" + "".join(f"{hour:g},{row[names.index('arrived')]:.0f},{row[names.index('served')]:.0f}\n" for hour, row in zip(hours, seen, strict=True))


if __name__ == "__main__":
    for name, make in (("returns", returns), ("queue", queue)):
        (FOLDER / f"{name}.csv").write_text(make(), encoding="utf-8")
