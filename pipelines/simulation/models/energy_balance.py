"""Energy balance of the Earth: sunlight, heat radiation, transport towards the poles, and ice that reflects (Budyko and Sellers 1969)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from pipelines.simulation.drawing import GROUND, INK, canvas, halved, picture_of, ramp
from pipelines.simulation.jit import compiled
from studio.api import Numbers, Params, Picture, Preset, Series, Simulation, Source, ui

STEFAN_BOLTZMANN = 5.670374e-8  # W m⁻² K⁻⁴
BEFORE_INDUSTRY = 280.0  # ppm of carbon dioxide at which nothing is added
FORCING = 5.35  # W/m² by e-fold of carbon dioxide: Myhre et al. 1998
SIZE = 300  # points across the globe in the picture
INTERVAL = 0.1  # years


class EnergyBalanceParams(Params):
    sun: float = Field(1361.0, ge=0, le=3000, title="Solar constant", description="What the Sun sends to the Earth's distance.", json_schema_extra=ui(unit="W/m²", live=True, step=1))
    co2: float = Field(280.0, ge=10, le=1e6, title="Carbon dioxide", description="280 before industry; each doubling adds 3.7 W/m².", json_schema_extra=ui(unit="ppm", live=True, step=1))
    transport: float = Field(0.555, ge=0, le=100, title="Transport D", description="How well winds and currents carry heat towards the poles.", json_schema_extra=ui(unit="W/m²/K", live=True, step=0.01))
    start: Literal["Warm", "Frozen"] = Field("Warm", title="Start", description="A mild Earth, or one that is all ice.", json_schema_extra=ui())
    ice_albedo: float = Field(0.62, ge=0, le=1, title="Albedo of ice", description="Share of the light that ice sends back.", json_schema_extra=ui(live=True, advanced=True, step=0.01))
    albedo: float = Field(0.30, ge=0, le=1, title="Albedo without ice", description="Mean over the globe, clouds included.", json_schema_extra=ui(live=True, advanced=True, step=0.01))
    tilt: float = Field(
        0.08, ge=-0.3, le=0.3, title="Albedo towards the poles", description="Factor of the second Legendre polynomial: low sun is reflected more.", json_schema_extra=ui(live=True, advanced=True, step=0.01)
    )
    sunlight: float = Field(
        -0.482, ge=-1, le=0.5, title="Sunlight towards the poles", description="Factor of the second Legendre polynomial in the yearly mean of sunlight.", json_schema_extra=ui(advanced=True, live=True, step=0.001)
    )
    emission: float = Field(210.0, ge=0, le=500, title="Radiation at 0 °C, A", description="Heat that leaves to space where it is 0 °C.", json_schema_extra=ui(unit="W/m²", live=True, advanced=True))
    damping: float = Field(2.0, ge=0.1, le=10, title="Radiation per degree, B", description="How much more leaves for every degree.", json_schema_extra=ui(unit="W/m²/K", live=True, advanced=True, step=0.01))
    freezing: float = Field(-10.0, ge=-60, le=20, title="Ice forms below", description="Yearly mean at which snow and ice stay.", json_schema_extra=ui(unit="°C", live=True, advanced=True))
    capacity: float = Field(9.5, ge=0.1, le=200, title="Heat capacity", description="Of the upper ocean, averaged over the Earth; 75 m of water.", json_schema_extra=ui(unit="W·a/m²/K", advanced=True))
    zones: int = Field(90, ge=10, le=720, title="Zones", description="Of equal area, from pole to pole.", json_schema_extra=ui(advanced=True))


@dataclass
class Globe:
    """Temperature (zones,) in °C from south to north, in zones of equal area; the means of the past for the picture."""

    warm: Numbers
    time: float = 0.0
    past: list[float] = field(default_factory=list)


@compiled
def frozen_share(warm, i, freezing):  # type: ignore[no-untyped-def]
    """How much of zone i lies beyond the ice line, which runs where the temperature between middles of zones passes freezing."""
    n, share = warm.shape[0], 0.0
    for side in (-1, 1):
        j = min(max(i + side, 0), n - 1)
        rim = 0.5 * (warm[i] + warm[j])
        here, there = warm[i] < freezing, rim < freezing
        if here and there:
            share += 0.5
        elif here != there:
            inside = (freezing - warm[i]) / (rim - warm[i])
            share += 0.5 * (inside if here else 1.0 - inside)
    return share


@compiled
def balance(warm, sun, forcing, transport, ice, ground, tilt, sunlight, emission, damping, freezing, capacity, dt, steps):  # type: ignore[no-untyped-def]
    """Radiation and transport by implicit Euler (Thomas' algorithm), the albedo as it was before the step."""
    n = warm.shape[0]
    dx = 2.0 / n
    right, upper = np.empty(n), np.empty(n)
    for _step in range(steps):
        for i in range(n):
            x = -1.0 + (i + 0.5) * dx
            second = 0.5 * (3.0 * x * x - 1.0)
            share = frozen_share(warm, i, freezing)
            kept = 1.0 - (share * ice + (1.0 - share) * (ground + tilt * second))
            right[i] = warm[i] + dt / capacity * (0.25 * sun * (1.0 + sunlight * second) * kept - emission + forcing)
        for i in range(n):
            south, north = -1.0 + i * dx, -1.0 + (i + 1) * dx
            below = dt / capacity * transport * (1.0 - south * south) / (dx * dx)
            above = dt / capacity * transport * (1.0 - north * north) / (dx * dx)
            whole = 1.0 + dt / capacity * damping + below + above + (below * upper[i - 1] if i > 0 else 0.0)
            upper[i] = -above / whole
            right[i] = (right[i] + (below * right[i - 1] if i > 0 else 0.0)) / whole
        warm[n - 1] = right[n - 1]
        for i in range(n - 2, -1, -1):
            warm[i] = right[i] - upper[i] * warm[i + 1]


class EnergyBalance(Simulation):
    """C ∂T/∂t = S/4 s(x)(1 − α) − (A + BT) + 5.35 ln(CO₂/280) + ∂/∂x D(1 − x²) ∂T/∂x, x = sin(latitude), ice where T < T_f.

    Sources: M. I. Budyko, Tellus 21 (1969) 611–619; W. D. Sellers, J. Appl. Meteorol. 8 (1969) 392–400; G. R. North, J. Atmos. Sci. 32 (1975) 1301–1307.
    """

    id: ClassVar[str] = "energy_balance"
    title: ClassVar[str] = "Energy balance climate"
    domain: ClassVar[str] = "Weather and climate"
    about: ClassVar[str] = (
        "The Earth warms until it radiates as much as it takes in; winds and currents carry heat to the poles, and ice sends sunlight back to space. "
        "Turn the Sun down a little too far and the ice runs to the equator. The same Sun then has two climates, and the way back takes far more light than was lost."
    )
    Params: ClassVar[type[Params]] = EnergyBalanceParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("mean", "Mean temperature", "°C"),
        Series("ice_line", "Latitude of the ice", "°"),
        Series("contrast", "Equator minus pole", "K"),
        Series("imbalance", "Taken in minus radiated", "W/m²"),
        Series("effective", "Radiating temperature", "K"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Today's Earth", {}, "A small cap of ice at either pole."),
        Preset("Doubled carbon dioxide", {"co2": 560.0}, "Warmer by two or three degrees, and less ice."),
        Preset("Snowball", {"sun": 1180.0}, "A weaker Sun: ice runs to the equator."),
        Preset("Frozen under today's Sun", {"start": "Frozen"}, "The other climate of the same Sun."),
        Preset("No ice feedback", {"ice_albedo": 0.3, "tilt": 0.0}, "A grey ball of 254.6 K, seen from space."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("M. I. Budyko, The effect of solar radiation variations on the climate of the Earth, Tellus 21 (1969) 611–619", "https://doi.org/10.3402/tellusa.v21i5.10109"),
        Source("W. D. Sellers, A global climatic model based on the energy balance of the Earth–atmosphere system, J. Appl. Meteorol. 8 (1969) 392–400"),
        Source("G. R. North, Analytical solution to a simple climate model with diffusive heat transport, J. Atmos. Sci. 32 (1975) 1301–1307"),
        Source("G. Myhre et al., New estimates of radiative forcing due to well mixed greenhouse gases, Geophys. Res. Lett. 25 (1998) 2715–2718", "https://doi.org/10.1029/98GL01908"),
    )
    duration: ClassVar[float] = 100.0
    time_unit: ClassVar[str] = "a"

    def time_step(self, params: EnergyBalanceParams) -> float:
        return INTERVAL

    def init(self, params: EnergyBalanceParams, rng: np.random.Generator) -> Globe:
        x = middles(params)
        warm = 14.0 - 30.0 * second(x) if params.start == "Warm" else -45.0 - 10.0 * second(x)
        return Globe(warm, 0.0, [float(warm.mean())])

    def step(self, state: Globe, params: EnergyBalanceParams, rng: np.random.Generator) -> Globe:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Globe, params: EnergyBalanceParams, rng: np.random.Generator, steps: int) -> Globe:
        balance(
            state.warm, params.sun, forcing(params), params.transport, params.ice_albedo, params.albedo, params.tilt,
            params.sunlight, params.emission, params.damping, params.freezing, params.capacity, INTERVAL, steps,
        )  # fmt: skip
        state.time += INTERVAL * steps
        state.past.append(float(state.warm.mean()))
        del state.past[:-300]
        return state

    def observe(self, state: Globe, params: EnergyBalanceParams) -> dict[str, float]:
        warm, x = state.warm, middles(params)
        share = np.array([frozen_share(warm, i, params.freezing) for i in range(params.zones)])
        kept = 1 - (share * params.ice_albedo + (1 - share) * (params.albedo + params.tilt * second(x)))
        taken = float((params.sun / 4 * (1 + params.sunlight * second(x)) * kept).mean())
        out = params.emission + params.damping * float(warm.mean()) - forcing(params)
        middle, pole = params.zones // 2, 0.5 * (warm[0] + warm[-1])
        return {
            "mean": float(warm.mean()),
            "ice_line": float(np.degrees(np.arcsin(np.clip(1.0 - share.mean(), 0.0, 1.0)))),
            "contrast": float(0.5 * (warm[middle] + warm[-1 - middle]) - pole),
            "imbalance": taken - out,
            "effective": (max(out, 0.0) / STEFAN_BOLTZMANN) ** 0.25,
        }

    def pack(self, state: Globe) -> Numbers:
        return state.warm.copy()

    def unpack(self, state: Globe, vector: Numbers) -> Globe:
        return replace(state, warm=np.array(vector, dtype=np.float64), past=list(state.past))

    def render(self, state: Globe, params: EnergyBalanceParams) -> Picture:
        """The globe in its temperatures, white with ice; to the right temperature from pole to pole, below the mean as it went."""
        image, draw = canvas(480, 400)
        image.paste(globe(state.warm, params), (10, 14))
        left, width, top, height = 330, 130, 24, 280
        draw.line((left, top, left, top + height), fill=(70, 74, 84))
        for degrees in (-60, -30, 0, 30):
            at = left + width * (degrees + 75) / 120
            draw.line((at, top, at, top + height), fill=(50, 53, 62))
            draw.text((at, top + height + 4), f"{degrees}", fill=(150, 154, 164), anchor="ma")
        x = middles(params)
        line = [(left + width * float(np.clip(value + 75, 0, 125)) / 120, top + height * (1 - float(sine)) / 2) for value, sine in zip(state.warm, x, strict=True)]
        draw.line(line, fill=(244, 162, 97), width=3, joint="curve")
        past = np.array(state.past)
        if past.size > 1:
            across, up = np.linspace(16, 464, past.size), 388 - 48 * np.clip((past + 60) / 100, 0, 1)
            draw.line([(float(a), float(b)) for a, b in zip(across, up, strict=True)], fill=INK, width=2)
        draw.text((16, 326), f"{past[-1]:.1f} °C", fill=INK)
        return picture_of(image)


def second(x: Numbers) -> Numbers:
    """The second Legendre polynomial."""
    return 0.5 * (3 * x * x - 1)


def middles(params: EnergyBalanceParams) -> Numbers:
    """Sine of latitude in the middle of each zone (zones,)."""
    return -1 + (np.arange(params.zones) + 0.5) * 2 / params.zones


def forcing(params: EnergyBalanceParams) -> float:
    """W/m² that carbon dioxide adds."""
    return FORCING * float(np.log(params.co2 / BEFORE_INDUSTRY))


def globe(warm: Numbers, params: EnergyBalanceParams) -> Image.Image:
    """A ball seen from above the equator, lit from the upper left."""
    inside, light = ball()
    here = np.interp(np.linspace(1, -1, 2 * SIZE), middles(params), warm)
    colours = ramp("balance")[(np.clip((here + 35) / 75, 0, 1) * 255).astype(np.uint8)].astype(np.float32)
    colours = np.where((here < params.freezing)[:, None], np.array([238, 246, 252], np.float32), colours * np.float32(0.92))
    picture = np.where(inside, np.clip(colours[:, None] * light, 0, 255).astype(np.uint8), np.array(GROUND, np.uint8))
    return halved(Image.fromarray(picture))


@lru_cache(maxsize=1)
def ball() -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """(what is of the globe, how light it is), (2·SIZE, 2·SIZE, 1) each: the same at every picture."""
    across = np.linspace(-1, 1, 2 * SIZE)
    x, y = across[None, :], -across[:, None]
    around = np.clip(1 - x**2 - y**2, 0, 1)
    light = np.clip(0.35 + 0.75 * (-0.45 * x + 0.45 * y + 0.77 * np.sqrt(around)), 0.12, 1.1)
    return (around > 0)[..., None], light[..., None].astype(np.float32)
