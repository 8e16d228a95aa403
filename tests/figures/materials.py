"""Materials: the exact magnet and a published fluid."""

from __future__ import annotations

import numpy as np

from pipelines.simulation.models.ising import Ising, IsingParams
from pipelines.simulation.models.lennard_jones import LennardJones, LennardJonesParams
from studio.simulation import chance
from tests.figures import Figure

YANG = "Yang, Phys. Rev. 85 (1952) 808: M = [1 − sinh(2/T)⁻⁴]^(1/8)"
ONSAGER = "Onsager, Phys. Rev. 65 (1944) 117"
NIST = "NIST Standard Reference Simulation Website, Lennard-Jones fluid, NVT Monte Carlo, T* = 0.85, cut-off 3σ with long-range corrections"


def magnet(temperature: float, series: str, sweeps: int = 4000, size: int = 128) -> float:
    """Mean over the sweeps, after 1,000 from all up."""
    model, params, rng = Ising(), IsingParams(temperature=temperature, size=size, start="All up"), chance(1)
    state, seen = model.advance(model.init(params, rng), params, rng, 1000), []
    for _ in range(sweeps // 5):
        state = model.advance(state, params, rng, 5)
        seen.append(model.observe(state, params)[series])
    return float(np.mean(seen))


def critical_temperature() -> float:
    """Where Binder's 1 − ⟨m⁴⟩/3⟨m²⟩² is the same for 16² and 32² spins, by straight lines through three temperatures."""
    model, temperatures = Ising(), np.array([2.25, 2.27, 2.29])

    def cumulant(size: int, temperature: float) -> float:
        params, rng = IsingParams(temperature=temperature, size=size), chance(size)
        state = model.advance(model.init(params, rng), params, rng, 2000)
        seen = []
        for _ in range(25_000):
            state = model.advance(state, params, rng, 8 if size == 32 else 4)
            seen.append(float(state.spins.mean()))
        m = np.array(seen)
        return float(1 - (m**4).mean() / (3 * (m**2).mean() ** 2))

    apart = [cumulant(32, t) - cumulant(16, t) for t in temperatures]
    slope, start = np.polyfit(temperatures, apart, 1)
    return float(-start / slope)


def fluid(density: float, series: str, steps: int = 20_000, atoms: int = 500) -> float:
    """Mean over the steps, after 4,000 of settling."""
    model, params, rng = LennardJones(), LennardJonesParams(space="Space", temperature=0.85, density=density, atoms=atoms, cutoff=3.0), chance(1)
    state, seen = model.advance(model.init(params, rng), params, rng, 4000), []
    for _ in range(steps // 20):
        state = model.advance(state, params, rng, 20)
        seen.append(model.observe(state, params)[series])
    return float(np.mean(seen))


def drift() -> float:
    """Largest change of the total energy of an atom over 20,000 steps without a bath."""
    model, params, rng = LennardJones(), LennardJonesParams(heat_bath=0.0, temperature=0.8, density=0.6, atoms=256, dt=0.002), chance(1)
    state, seen = model.advance(model.init(params, rng), params, rng, 1000), []
    for _ in range(100):
        state = model.advance(state, params, rng, 200)
        seen.append(model.observe(state, params)["total"])
    return float(np.abs(np.array(seen) - seen[0]).max())


FIGURES: tuple[Figure, ...] = (
    Figure("ising", "Magnetisation at T 1.5", 0.986500, 0.005, YANG, lambda: magnet(1.5, "order", 500)),
    Figure("ising", "Magnetisation at T 2.0", 0.911319, 0.0046, YANG, lambda: magnet(2.0, "order", 1000)),
    Figure("ising", "Magnetisation at T 2.2", 0.784755, 0.02, YANG, lambda: magnet(2.2, "order"), slow=True),
    Figure("ising", "Energy at T 1.5", -1.951117, 0.0098, ONSAGER, lambda: magnet(1.5, "energy", 500)),
    Figure("ising", "Energy at T 2.0", -1.745565, 0.0087, ONSAGER, lambda: magnet(2.0, "energy", 1000)),
    Figure("ising", "Energy at T 2.5", -1.106079, 0.0055, ONSAGER, lambda: magnet(2.5, "energy", 2000)),
    Figure("ising", "Energy at the critical temperature", -(2**0.5), 0.012, ONSAGER, lambda: magnet(2.269185, "energy"), slow=True),
    Figure("ising", "Critical temperature, from Binder's cumulants", 2.269185, 0.02, f"{ONSAGER}: 2/ln(1 + √2)", critical_temperature, slow=True),
    Figure("lennard_jones", "Potential energy, density 0.776", -5.5121, 0.04, NIST, lambda: fluid(0.776, "potential"), slow=True),
    Figure("lennard_jones", "Pressure, density 0.82", 0.55355, 0.1, NIST, lambda: fluid(0.82, "pressure"), slow=True),
    Figure("lennard_jones", "Potential energy of the vapour, density 0.005", -0.051901, 0.005, NIST, lambda: fluid(0.005, "potential", 40_000), slow=True),
    Figure("lennard_jones", "Drift of the total energy without a bath", 0.0, 1e-3, "Verlet, Phys. Rev. 159 (1967) 98: the scheme keeps the energy", drift),
)
