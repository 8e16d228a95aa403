"""Epidemics: final sizes, growth, chance of a large outbreak, networks."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from pipelines.simulation.contacts import contacts_of
from pipelines.simulation.models.network_sir import NetworkSir
from pipelines.simulation.models.seir import Seir
from pipelines.simulation.models.sir import Sir
from pipelines.simulation.models.stochastic_sir import StochasticSir
from studio.api import Simulation, chance, seeds_of
from tests.figures import Figure

KERMACK = "Kermack and McKendrick 1927: z = 1 − exp(−R₀z)"
WHITTLE = "Whittle 1955: R₀^−I₀"
NEWMAN = "Newman 2002, Phys. Rev. E 66, 016128"
MANY = {"population": 100_000_000, "infected": 10}


def series_of(model: Simulation, name: str, times: Any, **values: Any) -> np.ndarray:
    params = model.Params.parse(values)
    at = [series.name for series in model.series].index(name)
    return model.observed([params], np.asarray(times, float), [1])[0, :, at]


def final_size(model: Simulation, r0: float) -> float:
    return float(series_of(model, "cases", [3000.0], r0=r0, **MANY)[0] / MANY["population"])


def peak(r0: float) -> float:
    return float(series_of(Sir(), "infectious", np.arange(0, 400, 0.05), r0=r0, **MANY).max() / MANY["population"])


def growth() -> float:
    seen = series_of(Seir(), "infectious", [30.0, 50.0], r0=2.5, latent_days=3.5, infectious_days=4.0, **MANY)
    return float(np.log(seen[1] / seen[0]) / 20)


@lru_cache(maxsize=8)
def sizes(infected: int, runs: int, method: str = "every event", latent: float = 0.0) -> np.ndarray:
    """Final sizes of that many outbreaks of R₀ = 2 among 10,000."""
    model = StochasticSir()
    params = model.Params.parse({"r0": 2.0, "infected": infected, "population": 10_000, "method": method, "latent_days": latent})
    return model.observed([params] * runs, np.array([600.0]), seeds_of(7, runs))[:, 0, 4] / 10_000


def minor(infected: int) -> float:
    return float((sizes(infected, 2000) < 0.2).mean())


def major(method: str = "every event", latent: float = 0.0, runs: int = 2000) -> float:
    found = sizes(1, runs, method, latent)
    return float(found[found > 0.2].mean())


def network_size() -> float:
    model = NetworkSir()
    params = model.Params.parse({"network": "random", "contacts": 4, "transmission": 0.2, "infectious_days": 5.0, "people": 5000, "infected": 5})
    found = model.observed([params] * 30, np.array([400.0]), seeds_of(11, 30))[:, 0, 3] / 5000
    return float(found[found > 0.2].mean())


def excess() -> float:
    return contacts_of("random", 5000, 4, 0.0, chance(5)).excess


def clustering() -> float:
    import networkx

    return float(networkx.average_clustering(networkx.Graph(contacts_of("small world", 400, 10, 0.0, chance(5)).edges.tolist())))


def least_share() -> float:
    return float((contacts_of("scale-free", 5000, 4, 0.0, chance(5)).degrees == 2).mean())


FIGURES: tuple[Figure, ...] = (
    Figure("sir", "final size, R₀ = 1.2", 0.313698, 1e-4, KERMACK, lambda: final_size(Sir(), 1.2)),
    Figure("sir", "final size, R₀ = 1.5", 0.582812, 1e-4, KERMACK, lambda: final_size(Sir(), 1.5)),
    Figure("sir", "final size, R₀ = 2", 0.796812, 1e-4, KERMACK, lambda: final_size(Sir(), 2.0)),
    Figure("sir", "final size, R₀ = 2.5", 0.892645, 1e-4, KERMACK, lambda: final_size(Sir(), 2.5)),
    Figure("sir", "final size, R₀ = 3", 0.940480, 1e-4, KERMACK, lambda: final_size(Sir(), 3.0)),
    Figure("sir", "final size, R₀ = 4", 0.980173, 1e-4, KERMACK, lambda: final_size(Sir(), 4.0)),
    Figure("sir", "largest share infectious at once, R₀ = 2", 0.153426, 1e-4, "Hethcote 2000, SIAM Rev. 42: 1 − (1 + ln R₀)/R₀", lambda: peak(2.0)),
    Figure("seir", "early growth per day, R₀ = 2.5, 3.5 and 4 days", 0.155098, 0.00155, "Wallinga and Lipsitch 2007: (r + σ)(r + γ) = βσ", growth),
    Figure("seir", "final size, R₀ = 2.5", 0.892645, 1e-4, KERMACK, lambda: final_size(Seir(), 2.5)),
    Figure("stochastic_sir", "chance of a minor outbreak, R₀ = 2, I₀ = 1", 0.5, 0.0335, WHITTLE + "; 3 s.e. of 2,000", lambda: minor(1)),
    Figure("stochastic_sir", "chance of a minor outbreak, R₀ = 2, I₀ = 3", 0.125, 0.0222, WHITTLE + "; 3 s.e. of 2,000", lambda: minor(3)),
    Figure("stochastic_sir", "mean size of a major outbreak, R₀ = 2", 0.796812, 0.003, KERMACK, lambda: major()),
    Figure("stochastic_sir", "the same with a latent period of 3 days", 0.796812, 0.003, KERMACK, lambda: major(latent=3.0, runs=1000)),
    Figure("stochastic_sir", "the same in steps of 0.1 days", 0.796812, 0.008, KERMACK + "; 1 %", lambda: major("steps", runs=500)),
    Figure("network_sir", "final size, Poisson network of mean degree 4, T = 1/2", 0.796812, 0.01, NEWMAN + ": S = 1 − exp(−zTS)", network_size),
    Figure("network_sir", "⟨k²⟩/⟨k⟩ − 1 of that network: 1 over the threshold", 4.0, 0.18, NEWMAN + "; 3 s.e. of 5,000", excess),
    Figure("network_sir", "clustering of the ring with 10 neighbours", 2 / 3, 1e-9, "Watts and Strogatz 1998: 3(k − 2)/(4(k − 1))", clustering),
    Figure("network_sir", "share with the fewest contacts, scale-free with m = 2", 0.5, 0.0212, "Barabási and Albert 1999; Bollobás et al. 2001: 2/(m + 2); 3 s.e. of 5,000", least_share),
)
