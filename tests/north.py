"""North's solution of the energy balance with an ice line, by a series of Legendre polynomials (J. Atmos. Sci. 32 (1975) 1301–1307), with the model's values: A 210, B 2, D 0.555."""

from __future__ import annotations

import numpy as np
from numpy.polynomial.legendre import Legendre, leggauss


def sun_for_ice_at(x: float) -> float:
    """The solar constant that holds the ice at sine of latitude x, by North's series of Legendre polynomials with the model's own values (A 210, B 2, D 0.555)."""
    points, weights = leggauss(200)
    total = 0.0
    for n in range(0, 240, 2):
        shape = Legendre.basis(n)
        absorbed = 0.0
        for low, high, ice in ((0.0, x, False), (x, 1.0, True)):
            at, weight = (high - low) / 2 * points + (high + low) / 2, (high - low) / 2 * weights
            second = 0.5 * (3 * at**2 - 1)
            kept = 1 - (np.full_like(at, 0.62) if ice else 0.3 + 0.08 * second)
            absorbed += float((weight * shape(at) * (1 - 0.482 * second) * kept).sum())
        total += (2 * n + 1) * absorbed * shape(x) / (n * (n + 1) * 0.555 + 2.0)
    return float(4 * (-10.0 + 210.0 / 2.0) / total)


def least_sun() -> float:
    """The minimum of North's curve: no ice line is held by less."""
    return min(sun_for_ice_at(x) for x in np.linspace(0.3, 0.95, 66))


def ice_line(sun: float) -> float:
    """Latitude in degrees of the stable ice line under that Sun."""
    from scipy.optimize import brentq

    return float(np.degrees(np.arcsin(brentq(lambda x: sun_for_ice_at(x) - sun, 0.7, 0.965))))
