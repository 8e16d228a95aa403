"""Figures of nature and matter, by runs as the pages and the API start them: exact theory, and values printed in the literature."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from studio.api import Numbers
from tests.figures import Figure
from tests.north import sun_for_ice_at
from tests.tabled import tabled

EXACT = "computed: "
HOPF = 10 * (10 + 8 / 3 + 3) / (10 - 8 / 3 - 1)  # ρ at which Lorenz's steady rolls lose stability
ONSET = 1 / (math.cos(2 * math.pi * 8 / 40) - math.cos(4 * math.pi * 8 / 40))  # F at which the ring of 40 leaves its rest, by its eighth wave


def period(times: Numbers, values: Numbers) -> float:
    """Between upward passages of the mean."""
    above = values - values.mean()
    at = np.flatnonzero((above[:-1] < 0) & (above[1:] >= 0))
    passed = times[at] - above[at] / (above[at + 1] - above[at]) * (times[at + 1] - times[at])
    return float((passed[-1] - passed[0]) / (len(passed) - 1))


def between(low: float, high: float, above: Callable[[float], bool], times: int = 12) -> float:
    """Where `above` becomes true, by halving."""
    for _ in range(times):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if above(middle) else (middle, high)
    return 0.5 * (low + high)


def lorenz_balance(which: str) -> float:
    """From d⟨x²⟩/dt = 0 and d⟨z⟩/dt = 0: ⟨xy⟩ = ⟨x²⟩ and ⟨xy⟩ = β⟨z⟩ on the attractor."""
    seen = {name: column[1000:] for name, column in tabled("lorenz63", duration=2000.0, every=0.05).items()}
    flux = float((seen["x"] * seen["y"]).mean())
    return flux / float((seen["x"] ** 2).mean() if which == "x" else 8 / 3 * seen["z"].mean())


def lorenz_swing() -> float:
    """Period of small swings around the steady roll where it loses stability."""
    x = math.sqrt(8 / 3 * (HOPF - 1))
    seen = tabled("lorenz63", rho=HOPF, x0=x + 0.01, y0=x, z0=HOPF - 1, duration=40.0, every=0.01)
    return period(seen["time"][1000:], seen["x"][1000:])


def ring_swing() -> float:
    """Period of the first wave of Lorenz 1996, just beyond its onset."""
    seen = tabled("lorenz96", forcing=0.9, push=0.5, duration=3000.0, every=0.05)
    return period(seen["time"][-20_000:], seen["first"][-20_000:])


def stoker(upper: float, lower: float, g: float = 9.81) -> float:
    """Depth behind the bore of a broken dam: what the rarefaction brings is what the bore carries on."""
    high, low = upper, lower
    for _ in range(100):
        h = 0.5 * (low + high)
        excess = 2 * (math.sqrt(g * upper) - math.sqrt(g * h)) - (h - lower) * math.sqrt(0.5 * g * (h + lower) / (h * lower))
        low, high = (h, high) if excess > 0 else (low, h)
    return low


def behind_the_bore(depth: float, height: float) -> float:
    """At the gauge, a quarter of the side behind the dam: the mean while the plateau is there."""
    seen = tabled("shallow_water", depth=depth, height=height, cells=256, duration=45.0, every=0.5)
    plateau = (seen["time"] > 32) & (seen["time"] < 42)
    return depth + float(seen["gauge"][plateau].mean())


def last_ice() -> float:
    """The solar constant above which no ice is left of today's cap."""
    return between(1361.0, 1400.0, lambda sun: tabled("energy_balance", sun=sun, zones=360, duration=400.0, every=400.0)["ice_line"][-1] > 89.0, 9)


def stommel_fold() -> float:
    """Fresh water at which the cold-driven circulation is lost."""
    return between(0.0, 0.5, lambda fresh: tabled("stommel", fresh=fresh, duration=400.0, every=400.0)["flow"][-1] < 0)


def stommel_fold_exactly() -> float:
    """The largest 1 + F = (1/(1 + q) − λq)(δ + q)/(Rδ) over flows q, at rest of both contrasts."""
    q = np.linspace(0.0, 2.0, 2_000_001)
    return float(((1 / (1 + q) - 0.2 * q) * (1 / 6 + q) / (2 / 6)).max() - 1)


def onsager(temperature: float) -> float:
    """Energy of a spin of the endless square lattice."""
    from scipy.special import ellipk

    b = 1 / temperature
    k = 2 * math.sinh(2 * b) / math.cosh(2 * b) ** 2
    return float(-1 / math.tanh(2 * b) * (1 + 2 / math.pi * (2 * math.tanh(2 * b) ** 2 - 1) * ellipk(k * k)))


def magnet(temperature: float, name: str) -> float:
    seen = tabled("ising", temperature=temperature, size=256, start="All up", duration=1000.0, every=2.0)
    return float(seen[name][200:].mean())


def eight_energy() -> float:
    """Mean kinetic energy of the figure eight: minus its energy, by the virial theorem."""
    return float(tabled("n_body", duration=6.32591, every=0.002)["kinetic"][:-1].mean())


def through(sparks: float, density: float, runs: int = 300) -> float:
    """Share of woods that burn through."""
    return sum(tabled("percolation", density=density, sparks=sparks, size=48, seed=seed, every=1000.0)["reached"][-1] >= 100 for seed in range(runs)) / runs


def rise() -> float:
    """Mean height gained in 50,000 years where rivers hardly cut."""
    seen = tabled("terrain", erodibility=1e-7, creep=0.0, duration=50_000.0, every=50_000.0)
    return float(seen["mean"][-1] - seen["mean"][0])


def liquid(density: float, name: str) -> float:
    seen = tabled("lennard_jones", "Liquid argon", density=density, temperature=0.85, cutoff=3.0, atoms=500, duration=120.0, every=0.1)
    return float(seen[name][150:].mean())


NIST = "NIST Standard Reference Simulation Website, Lennard-Jones fluid, NVT Monte Carlo, T* = 0.85, cut-off 3σ with long-range corrections"
FIGURES: tuple[Figure, ...] = (
    Figure("lorenz63", "⟨xy⟩ over ⟨x²⟩ on the attractor", 1.0, 0.01, EXACT + "mean of d(x²)/dt", lambda: lorenz_balance("x")),
    Figure("lorenz63", "⟨xy⟩ over β⟨z⟩ on the attractor", 1.0, 0.01, EXACT + "mean of dz/dt", lambda: lorenz_balance("z")),
    Figure("lorenz63", "period of small swings at ρ = 24.74, 2π/√(β(σ + ρ))", 2 * math.pi / math.sqrt(8 / 3 * (10 + HOPF)), 0.002, EXACT + "imaginary eigenvalues at the Hopf point", lorenz_swing),
    Figure("lorenz96", "period of the first wave, N = 40, F just above 0.894", 2 * math.pi / (ONSET * (math.sin(0.4 * math.pi) + math.sin(0.8 * math.pi))), 0.05, EXACT + "imaginary eigenvalues at the onset", ring_swing),
    Figure("shallow_water", "dam break 10 m on 1 m: depth behind the bore, m", stoker(10, 1), 0.04, "Stoker, Water Waves, Interscience 1957, §10.8", lambda: behind_the_bore(1.0, 9.0), slow=True),
    Figure("shallow_water", "dam break 10 m on 5 m: depth behind the bore, m", stoker(10, 5), 0.04, "Stoker, Water Waves, Interscience 1957, §10.8", lambda: behind_the_bore(5.0, 5.0), slow=True),
    Figure(
        "energy_balance",
        "solar constant above which the last ice cap is lost, W/m²",
        max(sun_for_ice_at(x) for x in np.linspace(0.9, 0.999, 100)),
        4.0,
        "North, J. Atmos. Sci. 32 (1975) 1301–1307: small caps are not stable",
        last_ice,
        slow=True,
    ),
    Figure("stommel", "fresh water at which the circulation driven by cold is lost", stommel_fold_exactly(), 0.002, EXACT + "the fold of both contrasts at rest", stommel_fold),
    Figure(
        "n_body",
        "mean kinetic energy of the figure eight, minus its energy",
        2.5 / math.hypot(0.97000436, 0.24308753) - 0.75 * (0.93240737**2 + 0.86473146**2),
        1e-3,
        EXACT + "virial theorem, from the start of Chenciner & Montgomery 2000",
        eight_energy,
    ),
    Figure("ising", "Energy at T 5", onsager(5.0), 0.002, "Onsager, Phys. Rev. 65 (1944) 117", lambda: magnet(5.0, "energy")),
    Figure("ising", "Energy at T 1", onsager(1.0), 0.0005, "Onsager, Phys. Rev. 65 (1944) 117", lambda: magnet(1.0, "energy")),
    Figure("ising", "Magnetisation at T 1", (1 - math.sinh(2.0) ** -4) ** 0.125, 0.0003, "Yang, Phys. Rev. 85 (1952) 808: M = [1 − sinh(2/T)⁻⁴]^(1/8)", lambda: magnet(1.0, "magnetisation")),
    Figure("lennard_jones", "Potential energy, density 0.86", -6.0305, 0.04, NIST, lambda: liquid(0.86, "potential"), slow=True),
    Figure("lennard_jones", "Pressure, density 0.86", 1.2660, 0.12, NIST, lambda: liquid(0.86, "pressure"), slow=True),
    Figure(
        "percolation",
        "Share that burns through with all eight neighbours, at 1 − p_c",
        0.5,
        0.087,
        EXACT + "a wood lets fire through by eight neighbours where its gaps don't cross it by four; 3 s.e. of 300",
        lambda: through(1.0, 1 - 0.592746),
        slow=True,
    ),
    Figure("terrain", "Rise of the mean in 50,000 years at 1 mm a year, edges at rest (m)", 50 * (158 / 160) ** 2, 0.1, EXACT + "conservation of mass", rise),
)
