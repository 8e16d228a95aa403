"""Shallow water and the energy balance of the Earth."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from pipelines.simulation.models.energy_balance import EnergyBalance
from pipelines.simulation.models.shallow_water import ShallowWater, Water
from studio.api import Numbers, chance
from tests.figures import Figure

STOKER = "Stoker, Water Waves, Interscience 1957, §10.8"
RITTER = "Ritter, Z. Ver. Deutsch. Ing. 36 (1892) 947–954"
GILL = "Gill, Atmosphere–Ocean Dynamics, Academic Press 1982"
NORTH = "North, J. Atmos. Sci. 32 (1975) 1301–1307"

# By tests/north.py, whose test holds them
ICE_LINE = 71.0502
TIPPING = 1257.85

# Shallow water -----------------------------------------------------------------------------------------


@lru_cache
def broken_dam(high: float, low: float, time: float, cells: int = 200) -> tuple[Numbers, Numbers, Numbers]:
    """Places, depths and speeds along the middle row, some time after the dam at 0 has gone; 1000 m long."""
    model = ShallowWater()
    params = model.Params(start="Dam break", depth=low, height=high - low, cells=cells) if low else model.Params(start="Flood", depth=high, cells=cells)
    state = run(params, time)
    h, m = state.flow[0, cells // 2, 2:-2], state.flow[1, cells // 2, 2:-2]
    return (np.arange(cells) + 0.5) * 1000 / cells - 500, h, np.where(h > 1e-6, m / np.maximum(h, 1e-6), 0.0)


def run(params: Any, time: float) -> Water:
    model = ShallowWater()
    return model.advance(model.init(params, chance(1)), params, chance(1), round(time / model.time_step(params)))


def stoker_middle(high: float, low: float, g: float = 9.81) -> tuple[float, float, float]:
    """Depth and speed of the water between wave and bore, and the speed of the bore, by the conditions of Stoker's exact solution."""
    from scipy.optimize import brentq

    def speed_behind(h: float) -> float:
        return 2 * (np.sqrt(g * high) - np.sqrt(g * h))

    middle = float(brentq(lambda h: speed_behind(h) - (h - low) * np.sqrt(g * (h + low) / (2 * h * low)), low * 1.0001, high * 0.9999))
    return middle, speed_behind(middle), middle * speed_behind(middle) / (middle - low)


def bore(high: float, low: float, time: float) -> float:
    """How quick the bore was: where the depth passes half way between both sides, over the time."""
    x, h, _ = broken_dam(high, low, time)
    half = (stoker_middle(high, low)[0] + low) / 2
    last = int(np.flatnonzero(h > half)[-1])
    return float((x[last] + (h[last] - half) / (h[last] - h[last + 1]) * (x[1] - x[0])) / elapsed(low, time))


def elapsed(depth: float, time: float, cells: int = 200) -> float:
    """The time that whole steps come to."""
    model = ShallowWater()
    dt = model.time_step(model.Params(depth=depth, cells=cells))
    return round(time / dt) * dt


def frequency(depth: float, size: float, coriolis: float, cells: int = 64) -> float:
    """Of a standing wave of one length of the basin, from its level at the wall: a constant and a swing are fitted."""
    from scipy.optimize import curve_fit

    model = ShallowWater()
    params = model.Params(start="Standing wave", depth=depth, height=1e-3 * depth, size=size, coriolis=coriolis, cells=cells, walls="None")
    guess = np.sqrt(coriolis**2 + 9.81 * depth * (2 * np.pi / size) ** 2)
    dt = model.time_step(params)
    steps = max(1, round(2 * np.pi / guess / 40 / dt))
    state, seen = model.init(params, chance(1)), []
    for _ in range(80):
        seen.append(float(state.flow[0, 32, 2] - depth))
        state = model.advance(state, params, chance(1), steps)
    found, _ = curve_fit(lambda t, a, b, w: a + b * np.cos(w * t), np.arange(80) * steps * dt, seen, p0=(0.0, 1e-3 * depth, guess * 1.05))
    return float(abs(found[2]))


def wave_speed(depth: float, size: float) -> float:
    return frequency(depth, size, 0.0) * size / (2 * np.pi)


@lru_cache
def closed_basin() -> tuple[float, float]:
    """Relative loss of water after a dam broke; relative loss of energy of a smooth wave after four swings."""
    model = ShallowWater()
    dam = model.Params(cells=64)
    wave = model.Params(start="Standing wave", height=0.1, cells=64)
    first = model.observe(model.init(wave, chance(1)), wave)["energy"]
    last = model.observe(run(wave, 4 * 1000 / np.sqrt(98.1)), wave)["energy"]
    return abs(model.observe(run(dam, 200.0), dam)["loss"]), 1 - last / first


# Energy balance ----------------------------------------------------------------------------------------


@lru_cache
def climate(**values: Any) -> dict[str, float]:
    """What is seen after 400 years."""
    model = EnergyBalance()
    params = model.Params(**values)
    state = model.advance(model.init(params, chance(1)), params, chance(1), 4000)
    return model.observe(state, params)


def grey(**values: Any) -> dict[str, float]:
    return climate(ice_albedo=0.3, tilt=0.0, **values)


def tipping_sun() -> float:
    """Below it a warm Earth freezes over, found by dimming the Sun in small steps."""
    model = EnergyBalance()
    params = model.Params(zones=180)
    state = model.advance(model.init(params, chance(1)), params, chance(1), 3000)
    for sun in np.arange(1290.0, 1200.0, -1.0):
        params = model.Params(zones=180, sun=float(sun))
        state = model.advance(state, params, chance(1), 4000)
        if model.observe(state, params)["ice_line"] == 0:
            return float(sun) + 0.5
    return float("nan")


FIGURES: tuple[Figure, ...] = (
    Figure("shallow_water", "speed of long waves in 10 m of water, m/s", 9.9045, 0.099, "√(gH): Lagrange 1781; " + GILL, lambda: wave_speed(10.0, 1000.0)),
    Figure("shallow_water", "speed of a tsunami in 4000 m of water, m/s", 198.09, 1.98, "√(gH): " + GILL, lambda: wave_speed(4000.0, 1e6)),
    Figure("shallow_water", "frequency of a Poincaré wave over f (H=1000 m, f=1e-4, 1000 km): √(1 + gHk²/f²)", 6.302785, 0.063, "ω² = f² + gHk²: " + GILL, lambda: frequency(1000.0, 1e6, 1e-4) / 1e-4),
    Figure("shallow_water", "frequency of a Poincaré wave over f (H=100 m, f=1e-4, 3000 km): √(1 + gHk²/f²)", 1.195721, 0.012, "ω² = f² + gHk²: " + GILL, lambda: frequency(100.0, 3e6, 1e-4) / 1e-4),
    Figure("shallow_water", "dam break 15 m on 10 m: depth behind the bore, m", stoker_middle(15.0, 10.0)[0], 0.02, STOKER, lambda: float(np.interp(50.0, *broken_dam(15.0, 10.0, 20.0)[:2]))),
    Figure("shallow_water", "dam break 15 m on 10 m: speed behind the bore, m/s", stoker_middle(15.0, 10.0)[1], 0.02, STOKER, lambda: float(np.interp(50.0, *broken_dam(15.0, 10.0, 20.0)[::2]))),
    Figure("shallow_water", "dam break 15 m on 10 m: speed of the bore, m/s", stoker_middle(15.0, 10.0)[2], 0.12, STOKER, lambda: bore(15.0, 10.0, 20.0)),
    Figure("shallow_water", "dam break on dry land: depth at the dam over depth before, 4/9", 4 / 9, 0.005, RITTER, lambda: float(np.interp(0.0, *broken_dam(10.0, 0.0, 15.0)[:2]) / 10)),
    Figure("shallow_water", "dam break on dry land: speed at the dam over √(gh), 2/3", 2 / 3, 0.01, RITTER, lambda: float(np.interp(0.0, *broken_dam(10.0, 0.0, 15.0)[::2]) / np.sqrt(98.1))),
    Figure("shallow_water", "share of water lost in a closed basin", 0.0, 1e-10, "conservation of mass", lambda: closed_basin()[0]),
    Figure("shallow_water", "share of energy lost by a smooth wave in four swings", 0.0, 0.01, "conservation of energy", lambda: closed_basin()[1]),
    Figure("energy_balance", "radiating temperature at S=1361, albedo 0.3, K", 254.6, 0.1, "Stefan–Boltzmann; NASA Earth fact sheet (254.0 at 0.306)", lambda: grey()["effective"]),
    Figure("energy_balance", "mean temperature without ice feedback, (S(1−α)/4 − A)/B, °C", 14.0875, 0.02, NORTH + ", first mode", lambda: grey()["mean"]),
    Figure("energy_balance", "warming by doubled CO₂ times B: 5.35 ln 2, W/m²", 3.708, 0.01, "Myhre et al., Geophys. Res. Lett. 25 (1998) 2715–2718", lambda: 2.0 * (grey(co2=560.0)["mean"] - grey()["mean"])),
    Figure("energy_balance", "second mode of the temperature: equator minus pole without ice, 1.5·S/4·0.7·0.482/(6D+B), K", 32.3243, 0.7, NORTH, lambda: grey(zones=360)["contrast"]),
    Figure("energy_balance", "latitude of the ice under today's Sun, °", ICE_LINE, 0.3, NORTH + ": series of Legendre polynomials, tests/north.py", lambda: climate(zones=360)["ice_line"]),
    Figure("energy_balance", "solar constant below which the Earth freezes over, W/m²", TIPPING, 3.0, NORTH + ": minimum of the curve of ice lines", tipping_sun, slow=True),
    Figure("energy_balance", "mean temperature of the frozen Earth under today's Sun, (S(1−α)/4 − A)/B, °C", -40.3525, 0.02, "Budyko, Tellus 21 (1969) 611–619: the second climate", lambda: climate(start="Frozen")["mean"]),
)
