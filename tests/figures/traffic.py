"""Traffic: flows, steady states and signs of stability that are solved or published."""

from __future__ import annotations

import numpy as np

from pipelines.simulation.models.bml import Bml, BmlParams
from pipelines.simulation.models.idm_ring import IdmRing, IdmRingParams
from pipelines.simulation.models.nasch import Nasch, NaschParams
from pipelines.simulation.models.streets import Streets, StreetsParams, keep
from studio.simulation import chance
from tests.figures import Figure

SCHRECKENBERG = "Schreckenberg, Schadschneider, Nagel, Ito, Phys. Rev. E 51 (1995) 2939: J = ½[1 − √(1 − 4(1 − p)ρ(1 − ρ))]"
NAGEL = "Nagel, Schreckenberg, J. Phys. I France 2 (1992) 2221: without dawdling J = min(ρ v_max, 1 − ρ)"
TREIBER = "Treiber, Kesting, Traffic Flow Dynamics (2013), steady state of the intelligent driver model"
WILSON = "Wilson, Ward, Transp. Plan. Technol. 34 (2011) 3: string stability of a homogeneous flow"
BIHAM = "Biham, Middleton, Levine, Phys. Rev. A 46 (1992) R6124"
HCM = "Highway Capacity Manual (2010) ch. 18: capacity = saturation flow × green / cycle; saturation flow of this automaton without dawdling v_max/(v_max + 1)"


def flow(**values: float) -> float:
    """Cars past a point each second, over 4,000 s after 2,000."""
    model, params, rng = Nasch(), NaschParams.parse({"length": 10_000} | values), chance(1)
    state = model.advance(model.init(params, rng), params, rng, 2000)
    before = model.observe(state, params)["passed"]
    return (model.observe(model.advance(state, params, rng, 4000), params)["passed"] - before) / 4000


def even_drive(name: str) -> float:
    """22 cars on 230 m after five minutes without any disturbance."""
    model, params, rng = IdmRing(), IdmRingParams(disturbance=0.0), chance(1)
    state = model.advance(model.init(params, rng), params, rng, 6000)
    return model.observe(state, params)["speed"] if name == "speed" else float((state.y[1] - state.y[0]) - params.car_length)


def growth(acceleration: float) -> float:
    """The sign of what becomes of a small disturbance between 60 and 240 s."""
    model, params, rng = IdmRing(), IdmRingParams(acceleration=acceleration, disturbance=0.01), chance(1)
    state = model.advance(model.init(params, rng), params, rng, 1200)
    early = model.observe(state, params)["spread"]
    return float(np.sign(model.observe(model.advance(state, params, rng, 3600), params)["spread"] - early))


def town_speed(density: float) -> float:
    model, params, rng = Bml(), BmlParams(density=density, size=64), chance(1)
    return model.observe(model.advance(model.init(params, rng), params, rng, 10_000), params)["speed"]


def light_capacity(green: float) -> float:
    """Cars a second over a light that always has a queue: one ring of 2,000 cells with one crossing, half full, nobody on the other street."""
    model, params, rng = Streets(), StreetsParams(streets=1, block=200, density=0.5, cycle=120, green=green, lost=0, slowing=0.0), chance(1)
    state = model.init(params, rng)
    keep(state, np.flatnonzero(state.street == 0), params)
    state = model.advance(state, params, rng, 600)
    before = state.driven
    return (model.advance(state, params, rng, 1200).driven - before) / 200 / 1200


def wave_speed() -> float:
    """A lone platoon in a green wave that closes around the town: nobody ever stops."""
    model, params, rng = Streets(), StreetsParams(streets=6, block=50, cycle=60, density=0.01, slowing=0.0), chance(1)
    state = model.advance(model.init(params, rng), params, rng, 300)
    return model.observe(model.advance(state, params, rng, 60), params)["speed"]


FIGURES: tuple[Figure, ...] = (
    Figure("nasch", "Flow, v_max 1, p 0.5, density 0.5", 0.146447, 0.0015, SCHRECKENBERG, lambda: flow(fastest=1, slowing=0.5, density=0.5)),
    Figure("nasch", "Flow, v_max 1, p 0.5, density 0.2", 0.087689, 0.0009, SCHRECKENBERG, lambda: flow(fastest=1, slowing=0.5, density=0.2)),
    Figure("nasch", "Flow, v_max 1, p 0.25, density 0.5", 0.25, 0.0025, SCHRECKENBERG, lambda: flow(fastest=1, slowing=0.25, density=0.5)),
    Figure("nasch", "Flow without dawdling, density 0.1", 0.5, 1e-9, NAGEL, lambda: flow(slowing=0.0, density=0.1)),
    Figure("nasch", "Flow without dawdling, density 0.5", 0.5, 1e-9, NAGEL, lambda: flow(slowing=0.0, density=0.5)),
    Figure("idm_ring", "Steady gap of 22 cars on 230 m (m)", 5.4545, 1e-3, TREIBER, lambda: even_drive("gap")),
    Figure("idm_ring", "Steady speed of 22 cars on 230 m (m/s)", 3.447, 1e-3, TREIBER, lambda: even_drive("speed")),
    Figure("idm_ring", "A disturbance grows at a = 0.5 m/s² (sign)", 1.0, 0.5, WILSON, lambda: growth(0.5)),
    Figure("idm_ring", "A disturbance grows at a = 1.0 m/s² (sign)", 1.0, 0.5, WILSON, lambda: growth(1.0)),
    Figure("idm_ring", "A disturbance grows at a = 1.5 m/s² (sign)", 1.0, 0.5, WILSON, lambda: growth(1.5)),
    Figure("idm_ring", "A disturbance dies at a = 2.0 m/s² (sign)", -1.0, 0.5, WILSON, lambda: growth(2.0)),
    Figure("bml", "Speed below the transition, density 0.25", 1.0, 0.02, BIHAM, lambda: town_speed(0.25)),
    Figure("bml", "Speed above the transition, density 0.5", 0.0, 0.02, BIHAM, lambda: town_speed(0.5)),
    Figure("streets", "Capacity of a light, half green (cars/s)", 5 / 6 * 0.5, 0.025, HCM, lambda: light_capacity(0.5)),
    Figure("streets", "Capacity of a light, 0.3 green (cars/s)", 5 / 6 * 0.3, 0.025, HCM, lambda: light_capacity(0.3)),
    Figure("streets", "Speed in a green wave (cells/s)", 5.0, 0.01, "Chowdhury, Schadschneider, Phys. Rev. E 59 (1999) R1311: offset = block / v_max lets a free car pass every light", wave_speed),
)
