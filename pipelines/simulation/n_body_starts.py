"""How systems of bodies start: places and speeds (n, 3), masses (n,), and half the side of the picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from studio.api import Numbers

Start = tuple[Numbers, Numbers, Numbers, float]


def two_bodies(params: Any, rng: np.random.Generator) -> Start:
    """One unit of distance between them on average, at their closest now."""
    e, total = params.eccentricity, 1 + params.companion
    quick = (4 * np.pi**2 * total * (1 + e) / (1 - e)) ** 0.5
    return np.array([[0.0, 0, 0], [1 - e, 0, 0]]), np.array([[0.0, 0, 0], [0, quick, 0]]), np.array([1.0, params.companion]), 1.15 * (1 + e)


def figure_eight(params: Any, rng: np.random.Generator) -> Start:
    """Simó's numbers, from Chenciner & Montgomery 2000."""
    x, y, u, v = 0.97000436, -0.24308753, -0.93240737, -0.86473146
    return np.array([[x, y, 0], [-x, -y, 0], [0.0, 0, 0]]), np.array([[-u / 2, -v / 2, 0], [-u / 2, -v / 2, 0], [u, v, 0]]), np.ones(3), 1.35


def three_at_rest(params: Any, rng: np.random.Generator) -> Start:
    """Burrau 1913: each mass opposite to the side of that length."""
    return np.array([[1.0, 3, 0], [-2, -1, 0], [1, -1, 0]]), np.zeros((3, 3)), np.array([3.0, 4, 5]), 4.5


# Semi-major axis (au), eccentricity, longitudes of the perihelion and at J2000 (degrees), mass (Sun = 1): Standish
PLANETS = (
    (0.38709893, 0.20563069, 77.45645, 252.25084, 1.6601e-7),
    (0.72333199, 0.00677323, 131.53298, 181.97973, 2.4478e-6),
    (1.00000011, 0.01671022, 102.94719, 100.46435, 3.0404e-6),
    (1.52366231, 0.09341233, 336.04084, 355.45332, 3.2272e-7),
)


def inner_planets(params: Any, rng: np.random.Generator) -> Start:
    """In the plane of the ecliptic, on 1 January 2000."""
    found = [on_ellipse(*planet) for planet in PLANETS]
    place = np.vstack([np.zeros(3), *(place for place, _ in found)])
    return place, np.vstack([np.zeros(3), *(speed for _, speed in found)]), np.array([1.0, *(planet[4] for planet in PLANETS)]), 1.8


def on_ellipse(axis: float, e: float, perihelion: float, longitude: float, mass: float) -> tuple[Numbers, Numbers]:
    """Place and speed (3,) of a planet, by Kepler's equation."""
    mean = np.radians(longitude - perihelion)
    anomaly = mean
    for _ in range(50):
        anomaly -= (anomaly - e * np.sin(anomaly) - mean) / (1 - e * np.cos(anomaly))
    short, swift = (1 - e * e) ** 0.5, (4 * np.pi**2 * (1 + mass) / axis) ** 0.5 / (1 - e * np.cos(anomaly))
    turned = np.exp(1j * np.radians(perihelion))
    place = axis * complex(np.cos(anomaly) - e, short * np.sin(anomaly)) * turned
    speed = swift * complex(-np.sin(anomaly), short * np.cos(anomaly)) * turned
    return np.array([place.real, place.imag, 0.0]), np.array([speed.real, speed.imag, 0.0])


def star_cluster(params: Any, rng: np.random.Generator) -> Start:
    """Plummer's sphere in balance, of unit mass and radius, drawn as Aarseth, Hénon & Wielen 1974 do."""
    n = params.bodies
    far = np.clip(rng.random(n), 0.001, 0.98) ** (-2 / 3) - 1
    radius = far**-0.5
    quick, done = np.empty(n), np.zeros(n, dtype=bool)
    while not done.all():
        q, g = rng.random(n), rng.random(n) * 0.1
        fits = ~done & (g < q * q * (1 - q * q) ** 3.5)
        quick[fits], done = q[fits], done | fits
    return directions(n, rng) * radius[:, None], directions(n, rng) * (quick * 2**0.5 * (1 + radius**2) ** -0.25)[:, None], np.full(n, 1 / n), 3.2


def directions(n: int, rng: np.random.Generator) -> Numbers:
    """(n, 3) unit vectors, evenly over the sphere."""
    some = rng.standard_normal((n, 3))
    return some / np.linalg.norm(some, axis=1)[:, None]


SYSTEMS: dict[str, Callable[[Any, np.random.Generator], Start]] = {
    "Two bodies": two_bodies,
    "Figure eight": figure_eight,
    "Three at rest": three_at_rest,
    "Inner planets": inner_planets,
    "Star cluster": star_cluster,
}
