"""A species under change: individuals that vary, a climate that moves on, and evolution that may or may not keep up (Lynch & Lande 1993; Bürger & Lynch 1995)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from PIL import Image
from pydantic import Field

from pipelines.simulation.drawing import INK, canvas, halved, picture_of, ramp
from pipelines.simulation.jit import compiled
from studio.api import Numbers, Params, Picture, Preset, Series, Simulation, Source, ui

SHOWN = 240  # generations in the picture
BINS = 200


class MovingOptimumParams(Params):
    pace: float = Field(0.05, ge=-2, le=2, title="Pace of the climate", description="How far the best trait moves in a generation.", json_schema_extra=ui(live=True, step=0.001))
    jump: float = Field(0.0, ge=-20, le=20, title="Jump of the climate", description="How far it moves all at once when the change begins.", json_schema_extra=ui(step=0.1))
    variance: float = Field(0.5, ge=0, le=10, title="Genetic variance", description="Of the trait in a population that is adapted: the raw material of evolution.", json_schema_extra=ui(step=0.01))
    room: int = Field(1000, ge=2, le=20000, title="Room for adults", description="How many adults find a place at most.", json_schema_extra=ui(live=True))
    offspring: float = Field(2.0, ge=0.5, le=20, title="Offspring", description="Of each adult in its life, on average.", json_schema_extra=ui(live=True, advanced=True, step=0.1))
    tolerance: float = Field(
        9.0, ge=0.1, le=200, title="Tolerance ω²", description="How wide the range of traits is with which one can live; 9 and more is weak selection.", json_schema_extra=ui(live=True, advanced=True, step=0.1)
    )
    upbringing: float = Field(1.0, ge=0, le=20, title="Variance by upbringing", description="Of what is not inherited.", json_schema_extra=ui(live=True, advanced=True, step=0.1))
    weather: float = Field(0.0, ge=0, le=10, title="Variance of the weather", description="By which the best trait differs from one year to the next.", json_schema_extra=ui(live=True, advanced=True, step=0.1))
    quiet: int = Field(20, ge=0, le=1000, title="Generations before the change", description="During which the climate stands still.", json_schema_extra=ui(advanced=True))


@dataclass
class Population:
    """Breeding values (n,) of the adults of this generation; where the climate stands; the past for the picture."""

    genes: Numbers
    climate: float
    generation: int = 0
    fitness: float = 1.0
    optimum: float = 0.0
    past: list[tuple[Numbers, float, int]] = field(default_factory=list)  # densities by trait, optimum, adults


@compiled
def generation(genes, optimum, offspring, tolerance, upbringing, segregation, room, rng):  # type: ignore[no-untyped-def]
    """Mating at random, birth, selection by the trait, and room for so many; the mean share that lives is the second value.

    A child has the mean of its parents' breeding values and a normal deviation (Fisher's infinitesimal model).
    """
    n = genes.shape[0]
    born = rng.poisson(offspring * n)
    living, count, share = np.empty(born), 0, 0.0
    for _child in range(born):
        own = 0.5 * (genes[rng.integers(0, n)] + genes[rng.integers(0, n)]) + segregation**0.5 * rng.standard_normal()
        away = own + upbringing**0.5 * rng.standard_normal() - optimum
        chance_of_life = np.exp(-0.5 * away * away / tolerance)
        share += chance_of_life
        if rng.random() < chance_of_life:
            living[count] = own
            count += 1
    for place in range(min(room, count)):
        other = rng.integers(place, count)
        living[place], living[other] = living[other], living[place]
    return living[: min(room, count)].copy(), share / max(born, 1)


class MovingOptimum(Simulation):
    """Life chance exp(−(z − θ)²/2ω²), θ = kt; offspring g = mean of the parents + segregation; z = g + e. Extinct beyond k_c = s √(2V_λ ln(Bω/√V_λ)).

    Sources: M. Lynch & R. Lande 1993; R. Bürger & M. Lynch, Evolution 49 (1995) 151–163; R. Gomulkiewicz & R. D. Holt, Evolution 49 (1995) 201–207.
    """

    id: ClassVar[str] = "moving_optimum"
    title: ClassVar[str] = "Species in a changing climate"
    domain: ClassVar[str] = "Species under change"
    about: ClassVar[str] = (
        "Each animal has a trait, say the day on which it lays its eggs, and lives the better the closer it is to what the climate asks for. "
        "The climate moves on, and those who fit pass on their genes: the species follows, some way behind. "
        "If it moves faster than heredity allows, the lag grows until too few are left, however many there were."
    )
    Params: ClassVar[type[Params]] = MovingOptimumParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("adults", "Adults"),
        Series("trait", "Mean trait"),
        Series("lag", "Lag behind the climate"),
        Series("fitness", "Share that lives to adulthood"),
        Series("variance", "Genetic variance"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Keeps up", {}, "A slow change: a constant lag."),
        Preset("Falls behind", {"pace": 0.2}, "Faster than heredity: extinct in the end."),
        Preset("Rescued by evolution", {"pace": 0.0, "jump": 5.0}, "One jump: nearly gone, then back."),
        Preset("Little variety", {"variance": 0.1}, "The same pace, but less to select from."),
        Preset("Wild weather", {"weather": 4.0}, "Good and bad years on top of the change."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("M. Lynch & R. Lande, Evolution and extinction in response to environmental change, in: Biotic Interactions and Global Change, Sinauer 1993, 234–250"),
        Source("R. Bürger & M. Lynch, Evolution and extinction in a changing environment: a quantitative-genetic analysis, Evolution 49 (1995) 151–163", "https://doi.org/10.2307/2410301"),
        Source("R. Gomulkiewicz & R. D. Holt, When does evolution by natural selection prevent extinction?, Evolution 49 (1995) 201–207", "https://doi.org/10.2307/2410305"),
    )
    duration: ClassVar[float] = 240.0
    pace: ClassVar[float] = 20.0
    time_unit: ClassVar[str] = "generations"
    stochastic: ClassVar[bool] = True

    def init(self, params: MovingOptimumParams, rng: np.random.Generator) -> Population:
        spread = params.variance * (params.tolerance + params.upbringing) / (params.variance + params.tolerance + params.upbringing)
        return Population(rng.normal(0.0, spread**0.5, params.room), 0.0)

    def step(self, state: Population, params: MovingOptimumParams, rng: np.random.Generator) -> Population:
        turn = state.generation + 1 - params.quiet
        climate = state.climate + (params.pace if turn > 0 else 0.0) + (params.jump if turn == 1 else 0.0)
        optimum = climate + (params.weather**0.5 * rng.standard_normal() if params.weather > 0 else 0.0)
        genes, fitness = state.genes, 0.0
        if genes.size:
            genes, fitness = generation(genes, optimum, params.offspring, params.tolerance, params.upbringing, segregation(params), params.room, rng)
        return Population(genes, climate, state.generation + 1, fitness, optimum, [*state.past[1 - SHOWN :], (genes, optimum, genes.size)])

    def observe(self, state: Population, params: MovingOptimumParams) -> dict[str, float]:
        some = state.genes.size > 0
        mean = float(state.genes.mean()) if some else 0.0
        return {
            "adults": state.genes.size, "trait": mean, "lag": state.climate - mean if some else 0.0, "fitness": state.fitness,
            "variance": float(state.genes.var()) if some else 0.0,
        }  # fmt: skip

    def pack(self, state: Population) -> Numbers:
        """Mean breeding value and place of the climate."""
        return np.array([state.genes.mean() if state.genes.size else 0.0, state.climate])

    def unpack(self, state: Population, vector: Numbers) -> Population:
        moved = state.genes + (vector[0] - state.genes.mean()) if state.genes.size else state.genes
        return replace(state, genes=moved, climate=float(vector[1]), past=list(state.past))

    def render(self, state: Population, params: MovingOptimumParams) -> Picture:
        """Above the traits of all, generation after generation to the right, with the climate as a line; below how many they are."""
        image, draw = canvas(960, 800)
        past = state.past or [(state.genes, 0.0, state.genes.size)]
        reach = 3.5 * (params.variance + params.tolerance * 0.2) ** 0.5
        values = [optimum for _, optimum, _ in past] + [float(genes.mean()) for genes, _, _ in past if genes.size]
        low, high = min(values) - reach, max(values) + reach
        columns = np.zeros((BINS, len(past)))
        for number, (genes, _, count) in enumerate(past):
            columns[:, number] = np.histogram(genes, BINS, (low, high))[0][::-1] / max(count, 1) ** 0.5
        soft = columns / max(columns.max(), 1e-9)
        rows = ramp("growth")[(soft**0.8 * 255).astype(np.uint8)]
        span = min(SHOWN, max(60, len(past)))
        image.paste(Image.fromarray(rows).resize((round(960 * len(past) / span), 600), Image.Resampling.BILINEAR), (0, 0))
        across = (np.arange(len(past)) + 0.5) * 960 / span
        draw.line([(float(x), 600 - 600 * (optimum - low) / (high - low)) for x, (_, optimum, _) in zip(across, past, strict=True)], fill=(244, 162, 97), width=5)
        draw.line((0, 604, 960, 604), fill=(70, 74, 84), width=3)
        if len(past) > 1:
            top = [(float(x), 790 - 170 * count / params.room) for x, (_, _, count) in zip(across, past, strict=True)]
            draw.polygon([(top[0][0], 790), *top, (top[-1][0], 790)], fill=(60, 110, 150))
        draw.text((14, 616), f"{state.genes.size}", fill=INK, font_size=32)
        return picture_of(halved(image))


def width(params: MovingOptimumParams) -> float:
    """V_λ: variance of the phenotypes and width of selection together."""
    return params.variance + params.upbringing + params.tolerance


def segregation(params: MovingOptimumParams) -> float:
    """Variance among full sibs that keeps the genetic variance where it is, under selection."""
    after = params.variance * (params.tolerance + params.upbringing) / width(params)
    return params.variance - 0.5 * after


def critical_pace(params: MovingOptimumParams) -> float:
    """Beyond it no large population lasts: Bürger & Lynch 1995."""
    share = params.variance / width(params)
    return float(share * np.sqrt(max(0.0, 2 * width(params) * np.log(params.offspring * np.sqrt(params.tolerance / width(params))))))
