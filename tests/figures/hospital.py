"""Queues and wards: Erlang's formulas, Pollaczek and Khinchine's, Little's law."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from pipelines.simulation.models.emergency import Emergency
from pipelines.simulation.models.mg1 import Mg1
from pipelines.simulation.models.mmc import Mmc, chance_of_loss, chance_to_wait
from pipelines.simulation.models.ward import Ward
from tests.figures import Figure

ERLANG = "Erlang 1917"
TABLES = "Erlang B tables (ITU-T E.501 / Teletraffic Engineering Handbook): traffic at 1 % loss"
KHINCHINE = "Pollaczek 1930, Khinchine 1932"
LONG = 200_000.0  # hours


@lru_cache(maxsize=8)
def queue(arrivals: float, served: float, doctors: int, hours: float = LONG) -> np.ndarray:
    """(hours, series) of a long run, once an hour."""
    model = Mmc()
    params = model.Params.parse({"arrivals_per_hour": arrivals, "served_per_hour": served, "doctors": doctors})
    return model.observed([params], np.arange(1.0, hours + 1), [3])[0]


def wait(arrivals: float, served: float, doctors: int, hours: float = LONG) -> float:
    return float(queue(arrivals, served, doctors, hours)[-1, 5] / 60)


def delayed() -> float:
    last = queue(5.0, 2.0, 3)[-1]
    return float(last[4] / last[2])


def machine_wait(arrivals: float, variation: float) -> float:
    """Hours, of examinations of an hour on average."""
    model = Mg1()
    params = model.Params.parse({"arrivals_per_hour": arrivals, "service_minutes": 60.0, "variation": variation})
    return float(model.observed([params], np.array([1_000_000.0]), [5])[0, 0, 5] / 60)


def turned_away() -> float:
    model = Ward()
    params = model.Params.parse({"arrivals_per_day": 10.0, "stay_days": 1.0, "beds": 10, "need_place": 0.0})
    seen = model.observed([params], np.array([36_500.0]), [3])[0, 0]
    return float(seen[5] / seen[3])


def department_wait() -> float:
    model = Emergency()
    values: dict[str, Any] = {"arrivals_per_hour": 2.0, "doctors": 3, "beds": 200, "nurses": 60, "daily_swing": 0.0, "triage_minutes": 0.0, "examination_minutes": 60.0, "tested": 0.0, "urgent": 0.0}
    return float(model.observed([model.Params.parse(values)], np.array([50_000.0]), [3])[0, 0, 4] / 60)


FIGURES: tuple[Figure, ...] = (
    Figure("mmc", "chance to wait, λ = 5, μ = 2, c = 3, formula", 0.702247, 1e-6, ERLANG, lambda: chance_to_wait(3, 2.5)),
    Figure("mmc", "chance to wait, λ = 18, μ = 1, c = 20, formula", 0.550769, 1e-6, ERLANG, lambda: chance_to_wait(20, 18.0)),
    Figure("mmc", "chance to wait, λ = 8, μ = 1, c = 10, formula", 0.409180, 1e-6, ERLANG, lambda: chance_to_wait(10, 8.0)),
    Figure("mmc", "share who waited, λ = 5, μ = 2, c = 3", 0.702247, 0.0211, ERLANG + "; 3 %", delayed),
    Figure("mmc", "mean wait in hours, λ = 5, μ = 2, c = 3", 0.702247, 0.0211, ERLANG + "; 3 %", lambda: wait(5.0, 2.0, 3)),
    Figure("mmc", "mean wait in hours, λ = 18, μ = 1, c = 20", 0.275385, 0.00826, ERLANG + "; 3 %", lambda: wait(18.0, 1.0, 20, 100_000.0)),
    Figure("mmc", "mean wait in hours, λ = 8, μ = 1, c = 10", 0.204590, 0.00614, ERLANG + "; 3 %", lambda: wait(8.0, 1.0, 10, 100_000.0)),
    Figure("mmc", "mean number in the system, λ = 5, μ = 2, c = 3", 6.011235, 0.18, "Little 1961: L = λW; 3 %", lambda: float(queue(5.0, 2.0, 3)[:, 1].mean())),
    Figure("mg1", "mean wait, M/M/1, ρ = 0.8", 4.0, 0.12, KHINCHINE + "; 3 %", lambda: machine_wait(0.8, 1.0)),
    Figure("mg1", "mean wait, M/D/1, ρ = 0.8", 2.0, 0.06, KHINCHINE + "; 3 %", lambda: machine_wait(0.8, 0.0)),
    Figure("mg1", "mean wait, variation 1/2, ρ = 0.8", 2.5, 0.075, KHINCHINE + "; 3 %", lambda: machine_wait(0.8, 0.5)),
    Figure("mg1", "mean wait, variation 2, ρ = 0.5", 2.5, 0.075, KHINCHINE + "; 3 %", lambda: machine_wait(0.5, 2.0)),
    Figure("ward", "share turned away, 10 beds, 10 erlang", 0.214582, 0.005, ERLANG + ": B(10, 10)", turned_away),
    Figure("ward", "loss of 10 beds at 4.461 erlang, formula", 0.01, 1e-4, TABLES, lambda: chance_of_loss(10, 4.461)),
    Figure("ward", "loss of 20 beds at 12.031 erlang, formula", 0.01, 1e-4, TABLES, lambda: chance_of_loss(20, 12.031)),
    Figure("ward", "loss of 100 beds at 84.064 erlang, formula", 0.01, 1e-4, TABLES, lambda: chance_of_loss(100, 84.064)),
    Figure("emergency", "mean wait in hours where it is M/M/3, λ = 2, μ = 1", 0.444444, 0.0222, ERLANG + "; 5 %", department_wait, slow=True),
)
