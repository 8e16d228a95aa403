"""Gray-Scott: two chemicals that draw spots, worms and mazes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.drawing import field as coloured
from studio.api import BadInput, Numbers, Params, Picture, Preset, Series, Simulation, Source, ui

CELL = 2.5 / 256  # Pearson's grid
HARDLY = 0.2  # diffusion of V over that of U below which cells stand alone
Grid = NDArray[np.float32]


class GrayScottParams(Params):
    feed: float = Field(0.037, ge=0, le=0.2, title="Feed F", description="How fast fresh U flows in and all flows out.", json_schema_extra=ui(live=True, step=0.0005, unit="1/time"))
    kill: float = Field(0.06, ge=0, le=0.1, title="Kill k", description="How fast V decays.", json_schema_extra=ui(live=True, step=0.0005, unit="1/time"))
    seeds: int = Field(20, ge=0, le=200, title="Seeds", description="Squares of V at the start; the first is in the middle, as Pearson's was.")
    size: int = Field(256, ge=16, le=1024, title="Size", description="Cells in each direction; what leaves at one edge comes back at the other.", json_schema_extra=ui(unit="cells"))
    diffusion_u: float = Field(2e-5, ge=0, le=2.3e-5, title="Diffusion of U", description="Pearson's is 2·10⁻⁵ on cells of 2.5/256.", json_schema_extra=ui(live=True, advanced=True, step=1e-7))
    diffusion_v: float = Field(1e-5, ge=0, le=2.3e-5, title="Diffusion of V", description="Pearson's is 10⁻⁵.", json_schema_extra=ui(live=True, advanced=True, step=1e-7))
    noise: float = Field(0.01, ge=0, le=0.5, title="Noise", description="At the start, as a share, so that nothing is symmetrical.", json_schema_extra=ui(advanced=True, step=0.005))


@dataclass
class Dish:
    """U and V with a border of one cell that repeats the opposite edge."""

    u: Grid  # (size + 2, size + 2)
    v: Grid
    room: tuple[Grid, Grid, Grid] = field(init=False)  # where a step computes

    def __post_init__(self) -> None:
        size = self.u.shape[0] - 2
        self.room = (np.empty((size, size), np.float32), np.empty((size, size), np.float32), np.empty((size, size), np.float32))


class GrayScott(Simulation):
    """u' = D_u ∇²u − uv² + F(1 − u), v' = D_v ∇²v + uv² − (F + k)v, by Euler steps of 1 on the five-point grid. Besides u = 1 there are even states only for k ≤ √F/2 − F.

    Sources: P. Gray, S. K. Scott, Chem. Eng. Sci. 39 (1984) 1087–1097; J. E. Pearson, Complex patterns in a simple system, Science 261 (1993) 189–192.
    """

    id: ClassVar[str] = "gray_scott"
    title: ClassVar[str] = "Spots, worms and mazes"
    domain: ClassVar[str] = "Ecosystem"
    about: ClassVar[str] = (
        "Imagine grazers V on a plain of grass U: two grazers and one grass make a third grazer, grass grows at the rate F, grazers die. Both spread, grass "
        "faster, and from a few seeds come spots that divide, worms, mazes or chaos. "
        "Pearson found a dozen classes of patterns, named by Greek letters; click to drop V."
    )
    Params: ClassVar[type[Params]] = GrayScottParams
    series: ClassVar[tuple[Series, ...]] = (Series("u", "Mean of U"), Series("v", "Mean of V"), Series("covered", "Share covered by V"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Fingerprints", {}, "Lines that fill the plain, as those of a finger."),
        Preset("Dividing spots (λ)", {"feed": 0.035, "kill": 0.065}, "Spots split until they fill all."),
        Preset("Worms (μ)", {"feed": 0.046, "kill": 0.065}, "Worms grow at their ends and keep apart."),
        Preset("Maze (κ)", {"feed": 0.052, "kill": 0.063}, "One long labyrinth."),
        Preset("Stripes (θ)", {"feed": 0.04, "kill": 0.06}, "Stripes that branch and settle."),
        Preset("Holes (δ)", {"feed": 0.039, "kill": 0.058}, "Spots the other way round, in a honeycomb."),
        Preset("Restless spots (ε)", {"feed": 0.018, "kill": 0.055}, "They divide, crowd and die."),
        Preset("Chaos (α)", {"feed": 0.01, "kill": 0.047}, "Wavelets that never settle."),
        Preset("Turmoil (β)", {"feed": 0.026, "kill": 0.051}, "Sheets that tear, for ever."),
        Preset("Waves that die out", {"feed": 0.014, "kill": 0.043}, "Rings annihilate each other; nothing is left."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("J. E. Pearson, Complex patterns in a simple system, Science 261 (1993) 189–192", "https://doi.org/10.1126/science.261.5118.189"),
        Source("R. Munafo, Reaction-diffusion by the Gray-Scott model: Pearson's parametrization", "https://mrob.com/pub/comp/xmorphia/"),
    )
    duration: ClassVar[float] = 10_000.0
    time_unit: ClassVar[str] = "steps"
    pace: ClassVar[float] = 40.0
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def check(self, params: GrayScottParams) -> None:
        if params.diffusion_u < params.diffusion_v:
            raise BadInput("V spreads faster than U: no pattern can form.", hint="Take less diffusion of V.", field="diffusion_v")

    def init(self, params: GrayScottParams, rng: np.random.Generator) -> Dish:
        size = params.size
        half = min(10, size // 4)
        u, v = np.ones((size, size)), np.zeros((size, size))
        middles = np.vstack([[[size // 2, size // 2]], rng.integers(0, size, (max(params.seeds - 1, 0), 2))])[: params.seeds]
        for row, column in middles:
            rows, columns = np.arange(row - half, row + half) % size, np.arange(column - half, column + half) % size
            u[np.ix_(rows, columns)], v[np.ix_(rows, columns)] = 0.5, 0.25
        noisy = [np.pad(values * (1 + params.noise * rng.uniform(-1, 1, values.shape)), 1).astype(np.float32) for values in (u, v)]
        return Dish(noisy[0], noisy[1])

    def step(self, state: Dish, params: GrayScottParams, rng: np.random.Generator) -> Dish:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Dish, params: GrayScottParams, rng: np.random.Generator, steps: int) -> Dish:
        """Everything in place: no memory is asked for, which is what makes it fast."""
        feed, gone = np.float32(params.feed), np.float32(params.feed + params.kill)
        u, v, du, dv = state.u, state.v, np.float32(params.diffusion_u / CELL**2), np.float32(params.diffusion_v / CELL**2)
        around_u, around_v, reacted = state.room
        middle_u, middle_v = u[1:-1, 1:-1], v[1:-1, 1:-1]
        keep_u, keep_v = np.float32(1) - 4 * du - feed, np.float32(1) - 4 * dv - gone
        with np.errstate(over="ignore", invalid="ignore"):  # what is no number any more is told by who looks
            for _ in range(steps):
                close(u)
                close(v)
                np.multiply(middle_v, middle_v, out=reacted)
                np.multiply(reacted, middle_u, out=reacted)
                spread(u, du, around_u)
                spread(v, dv, around_v)
                np.multiply(middle_u, keep_u, out=middle_u)
                np.add(around_u, feed, out=around_u)
                np.subtract(around_u, reacted, out=around_u)
                np.add(middle_u, around_u, out=middle_u)
                np.multiply(middle_v, keep_v, out=middle_v)
                np.add(around_v, reacted, out=around_v)
                np.add(middle_v, around_v, out=middle_v)
        return state

    def observe(self, state: Dish, params: GrayScottParams) -> dict[str, float]:
        u, v = state.u[1:-1, 1:-1], state.v[1:-1, 1:-1]
        return {"u": float(u.mean(dtype=np.float64)), "v": float(v.mean(dtype=np.float64)), "covered": float((v > 0.1).mean())}

    def poke(self, state: Dish, params: GrayScottParams, x: float, y: float, rng: np.random.Generator) -> Dish:
        """A drop of V."""
        rows, columns = np.ogrid[: params.size, : params.size]
        drop = (rows - y * params.size) ** 2 + (columns - x * params.size) ** 2 < 36
        state.u[1:-1, 1:-1][drop], state.v[1:-1, 1:-1][drop] = 0.5, 0.25
        return state

    def render(self, state: Dish, params: GrayScottParams) -> Picture:
        return coloured(state.v[1:-1, 1:-1], 0.0, 0.42, "sea")

    def pack(self, state: Dish) -> Numbers:
        return np.concatenate([state.u[1:-1, 1:-1].ravel(), state.v[1:-1, 1:-1].ravel()]).astype(np.float64)

    def unpack(self, state: Dish, vector: Numbers) -> Dish:
        size = state.u.shape[0] - 2
        u, v = (np.pad(part.reshape(size, size), 1).astype(np.float32) for part in np.split(np.asarray(vector), 2))
        return Dish(u, v)

    def likely_cause(self, params: GrayScottParams) -> str:
        if params.diffusion_v < HARDLY * params.diffusion_u:
            return "V hardly spreads beside U and heaps up in single cells: give it more diffusion."
        return "Numbers grow only where U or V were set far above 1."


def close(grid: Grid) -> None:
    """The border becomes what is at the opposite edge."""
    grid[0], grid[-1] = grid[-2], grid[1]
    grid[:, 0], grid[:, -1] = grid[:, -2], grid[:, 1]


def spread(grid: Grid, rate: np.float32, out: Grid) -> None:
    """What comes from the four neighbours."""
    np.add(grid[:-2, 1:-1], grid[2:, 1:-1], out=out)
    np.add(out, grid[1:-1, :-2], out=out)
    np.add(out, grid[1:-1, 2:], out=out)
    np.multiply(out, rate, out=out)
