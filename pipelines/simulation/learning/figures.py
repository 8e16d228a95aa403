"""Figures of a calibration: bands over the data, marginals before and after, pairs of parameters, how the walkers went, a filtered state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pipelines.simulation.experiments.plan import title_of
from pipelines.simulation.figures import COLOURS, INK, figure, named, short
from pipelines.simulation.learning.evidence import Evidence
from pipelines.simulation.learning.params import RATE, SPREAD
from pipelines.simulation.learning.posterior import Posterior
from pipelines.simulation.learning.surrogate import Surrogate
from studio.api import Artifact, Numbers, Simulation, caption

DATA = COLOURS[1]
MOST_POINTS = 1500  # of a cloud


LONGEST = 30  # letters beside an axis


def called(model: Simulation, names: Sequence[str]) -> list[str]:
    """Free parameters as axes say them: by their titles, a spread or scale with its column."""
    words = {SPREAD: "Spread of {column}", RATE: "Scale of {column}"}
    found = []
    for name in names:
        mark = next((mark for mark in words if name.startswith(mark)), "")
        found.append(short(caption(words[mark], column=name.removeprefix(mark)) if mark else title_of(model, name), LONGEST))
    return found


def several(rows: int, columns: int, draw: Callable[[Any], None], title: str, size: tuple[float, float]) -> list[Artifact]:
    """One figure of several axes, (rows, columns)."""

    def drawn(axes: Any) -> None:
        page = axes.figure
        axes.remove()
        draw(page.subplots(rows, columns, squeeze=False))

    return figure(drawn, title, size=size)


def over_data(evidence: Evidence, ends: Sequence[Numbers], times: Numbers, unit: str, title: str) -> list[Artifact]:
    """`ends` (3, times) for each link: 5, 50 and 95 %; measured values as points."""

    def draw(axes: Any) -> None:
        for at, (link, data, band) in enumerate(zip(evidence.links, evidence.data, ends, strict=True)):
            one = axes[at, 0]
            one.fill_between(times, band[0], band[2], color=COLOURS[0], alpha=0.22, linewidth=0, label="90 %")
            one.plot(times, band[1], color=COLOURS[0], label=caption("median"))
            one.plot(evidence.times, data, "o", color=DATA, markersize=3.2 if len(data) < 200 else 1.4, label=caption("data"))
            one.set_ylabel(link.column)
            if at == 0:
                one.legend(ncols=3, loc="upper left", bbox_to_anchor=(0, 1.16), borderaxespad=0)
        axes[-1, 0].set_xlabel(named("time", unit))

    return several(len(ends), 1, draw, title, (5.6, 0.6 + 2.8 * len(ends)))


def marginals(model: Simulation, posterior: Posterior, before: Numbers, title: str) -> list[Artifact]:
    """Each parameter after the data, over its prior draws (n, free)."""
    x, names = posterior.x, called(model, posterior.beliefs.names)
    columns = min(2, len(names))
    rows = -(-len(names) // columns)

    def draw(axes: Any) -> None:
        for at, one in enumerate(axes.ravel()):
            if at >= len(names):
                one.set_visible(False)
                continue
            low, high = np.quantile(x[:, at], [0.001, 0.999])
            room = max(high - low, 1e-12)
            ends = (max(before[:, at].min(), low - 0.6 * room), min(before[:, at].max(), high + 0.6 * room))
            bins = np.linspace(*ends, 40) if ends[1] > ends[0] else 40
            one.hist(before[:, at], bins=bins, weights=np.full(len(before), 1 / len(before)), color=INK, alpha=0.3, label=caption("before"))
            one.hist(x[:, at], bins=bins, weights=np.full(len(x), 1 / len(x)), color=COLOURS[0], alpha=0.8, label=caption("after"))
            one.set_xlabel(names[at])
            one.set_yticks([])
            if at == 0:
                one.legend(loc="upper right")

    return several(rows, columns, draw, title, (2.8 * columns, 2.2 * rows))


def pairs(model: Simulation, posterior: Posterior, title: str) -> list[Artifact]:
    """Every two parameters against each other; [] where there is one only."""
    names, count = called(model, posterior.beliefs.names), len(posterior.beliefs)
    if count < 2:
        return []
    x = posterior.x[:: -(-len(posterior.x) // MOST_POINTS)]
    size = min(5.6, 2.2 * count)

    def draw(axes: Any) -> None:
        for row in range(count):
            for column in range(count):
                one = axes[row, column]
                if column > row:
                    one.set_visible(False)
                    continue
                if row == column:
                    one.hist(x[:, row], bins=30, color=COLOURS[0], alpha=0.8)
                    one.set_yticks([])
                else:
                    one.plot(x[:, column], x[:, row], ".", color=COLOURS[0], alpha=0.25, markersize=2, rasterized=True)
                one.tick_params(labelsize=7, labelbottom=row == count - 1, labelleft=column == 0 and row > 0)
                if row == count - 1:
                    one.set_xlabel(names[column], fontsize=8)
                if column == 0 and row > 0:
                    one.set_ylabel(names[row], fontsize=8)

    return several(count, count, draw, title, (max(size, 1.2 * count), max(size, 1.2 * count)))


def walk(trace: Numbers, names: Sequence[str], title: str) -> list[Artifact]:
    """(steps, walkers, free): the way of every walker; what is right of the line was kept."""

    def draw(axes: Any) -> None:
        for at, one in enumerate(axes[:, 0]):
            every = max(1, len(trace) // 600)
            one.plot(np.arange(0, len(trace), every), trace[::every, :, at], color=COLOURS[0], alpha=0.25, linewidth=0.6, rasterized=True)
            one.axvline(len(trace) // 2, color=DATA, linewidth=1)
            one.set_ylabel(names[at], fontsize=8)
        axes[-1, 0].set_xlabel(caption("step"))

    return several(len(names), 1, draw, title, (5.6, 0.6 + 1.3 * len(names)))


def held_out(model: Simulation, surrogate: Surrogate, title: str) -> list[Artifact]:
    """What the surrogate says of runs that it did not learn from, against the runs."""
    runs, predicted = surrogate.held
    count = min(len(model.series), 4)

    def draw(axes: Any) -> None:
        for at, one in enumerate(axes[0]):
            true, told = runs[:, :, at].ravel(), predicted[:, :, at].ravel()
            every = max(1, len(true) // MOST_POINTS)
            one.plot(true[::every], told[::every], ".", color=COLOURS[0], alpha=0.4, markersize=3, rasterized=True)
            ends = [true.min(), true.max()]
            one.plot(ends, ends, color=INK, linewidth=0.8)
            one.set_title(caption(model.series[at].title), fontsize=9)
            one.tick_params(labelsize=7)
            one.set_xlabel(caption("run"), fontsize=8)
        axes[0, 0].set_ylabel(caption("surrogate"), fontsize=8)

    return several(1, count, draw, title, (max(2.6, 2.2 * count), 2.6))
