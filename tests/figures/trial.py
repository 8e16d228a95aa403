"""Clinical trials: Simon's designs, Pocock's and O'Brien and Fleming's boundaries, Bayesian posteriors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pipelines.simulation.models.adaptive_trial import AdaptiveTrialParams, posterior
from pipelines.simulation.models.group_sequential import GroupSequential, bounds, crossings
from pipelines.simulation.models.simon import DESIGNS, Simon
from tests.figures import Figure

SIMON = "Simon 1989, Control. Clin. Trials 10, tables 1 and 2"
BOUNDS = "Jennison and Turnbull 2000, tables 2.1 and 2.3"
REPEATED = "Armitage, McPherson and Rowe 1969, J. R. Stat. Soc. A 132"
BDA = "Gelman et al., Bayesian Data Analysis, 3rd ed. 2014, section 2.4: 437 girls of 980"
LOW, LOW_MINIMAX, HIGH, HIGH_MINIMAX = DESIGNS.values()
TABLES = "Jennison and Turnbull 2000, tables 2.2 and 2.4"
INFLATION = {
    "Pocock": {0.8: (1.110, 1.166, 1.202, 1.229), 0.9: (1.100, 1.151, 1.183, 1.207)},
    "O'Brien-Fleming": {0.8: (1.008, 1.017, 1.024, 1.028), 0.9: (1.007, 1.016, 1.022, 1.026)},
}
POCOCK, FLEMING = (2.178, 2.289, 2.361, 2.413), (1.977, 2.004, 2.024, 2.040)


def constants() -> tuple[Figure, ...]:
    found = []
    for looks, pocock, fleming in zip((2, 3, 4, 5), POCOCK, FLEMING, strict=True):
        found.append(Figure("group_sequential", f"Pocock's constant, {looks} looks", pocock, 5e-4, BOUNDS, lambda looks=looks: bounds("Pocock", looks, 0.05)[0]))
        found.append(Figure("group_sequential", f"O'Brien and Fleming's constant, {looks} looks", fleming, 5e-4, BOUNDS, lambda looks=looks: bounds("O'Brien-Fleming", looks, 0.05)[-1]))
    return tuple(found)


def inflations() -> tuple[Figure, ...]:
    found = []
    for boundary, table in INFLATION.items():
        for power, values in table.items():
            for looks, value in zip((2, 3, 4, 5), values, strict=True):
                found.append(
                    Figure("group_sequential", f"inflation, {boundary}, {looks} looks, power {power}", value, 5e-4, TABLES, lambda boundary=boundary, looks=looks, power=power: inflation(boundary, looks, power))
                )
    return tuple(found)


def repeated(looks: int) -> float:
    """Error of looking that often with 1.96."""
    return 2 * sum(crossings((1.959964,) * looks, 0.0))


def inflation(boundary: str, looks: int, power: float) -> float:
    """How many more patients at most than a trial with one look, for that power to find what is there (crossings of the wrong boundary do not count, as in the formula for one look)."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    critical = bounds(boundary, looks, 0.05)
    drift = brentq(lambda each: sum(crossings(critical, each)) - power, 0.1, 3.0)
    return float(looks * drift**2 / (norm.ppf(0.975) + norm.ppf(power)) ** 2)


def shares(model: Any, steps: float, **values: Any) -> dict[str, float]:
    """The last look of a long run of trials."""
    seen = model.observed([model.Params.parse(values)], np.array([steps]), [5])[0, 0]
    return {series.name: float(value) for series, value in zip(model.series, seen, strict=True)}


def found_by_chance() -> float:
    seen = shares(GroupSequential(), 2_000_000.0, effect=0.0, boundary="Pocock", pairs_per_look=10)
    return (seen["better"] + seen["worse"]) / seen["trials"]


def simon_share(what: str, **values: Any) -> float:
    seen = shares(Simon(), 500_000.0, **values)
    return seen[what] / seen["trials"]


def deviation() -> float:
    a, b = posterior(AdaptiveTrialParams(), 437, 543)
    return math.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)))


def mean(responses: int, failures: int) -> float:
    a, b = posterior(AdaptiveTrialParams(), responses, failures)
    return a / (a + b)


FIGURES: tuple[Figure, ...] = (
    Figure("simon", "patients on average, 10/30 % optimal", 15.01, 0.005, SIMON, lambda: LOW.expected(0.1)),
    Figure("simon", "patients on average, 10/30 % minimax", 19.51, 0.005, SIMON, lambda: LOW_MINIMAX.expected(0.1)),
    Figure("simon", "patients on average, 20/40 % optimal", 20.58, 0.005, SIMON, lambda: HIGH.expected(0.2)),
    Figure("simon", "patients on average, 20/40 % minimax", 22.25, 0.005, SIMON, lambda: HIGH_MINIMAX.expected(0.2)),
    Figure("simon", "chance to stop early, 10/30 % optimal", 0.7361, 5e-5, SIMON, lambda: LOW.early(0.1)),
    Figure("simon", "chance to stop early, 10/30 % minimax", 0.55, 0.005, SIMON, lambda: LOW_MINIMAX.early(0.1)),
    Figure("simon", "chance to stop early, 20/40 % optimal", 0.7473, 5e-5, SIMON, lambda: HIGH.early(0.2)),
    Figure("simon", "error α, 10/30 % optimal", 0.0471, 5e-5, SIMON, lambda: LOW.promising(0.1)),
    Figure("simon", "error α, 20/40 % optimal", 0.0496, 5e-5, SIMON, lambda: HIGH.promising(0.2)),
    Figure("simon", "power, 10/30 % optimal", 0.8051, 5e-5, SIMON, lambda: LOW.promising(0.3)),
    Figure("simon", "power, 20/40 % optimal", 0.8002, 5e-5, SIMON, lambda: HIGH.promising(0.4)),
    Figure("simon", "share stopped early in a long run, 10/30 % optimal", 0.7361, 0.0073, SIMON + "; 3 s.e. of 33,000", lambda: simon_share("stopped_early")),
    Figure("simon", "share found promising in a long run at 30 %", 0.8051, 0.0083, SIMON + "; 3 s.e. of 20,000", lambda: simon_share("promising", response=0.3)),
    *constants(),
    Figure("group_sequential", "error of 2 looks with 1.96", 0.083, 5e-4, REPEATED, lambda: repeated(2)),
    Figure("group_sequential", "error of 5 looks with 1.96", 0.142, 5e-4, REPEATED, lambda: repeated(5)),
    Figure("group_sequential", "error of 10 looks with 1.96", 0.193, 5e-4, REPEATED, lambda: repeated(10)),
    *inflations(),
    Figure("group_sequential", "share found by chance in a long run, Pocock, 5 looks", 0.05, 0.0033, "α as declared; 3 s.e. of 41,000", found_by_chance),
    Figure("adaptive_trial", "mean of Beta(8, 4)", 2 / 3, 1e-12, "Beta(1, 1) and 7 of 10", lambda: mean(7, 3)),
    Figure("adaptive_trial", "posterior mean of the placenta praevia births", 0.446, 5e-4, BDA, lambda: mean(437, 543)),
    Figure("adaptive_trial", "posterior deviation of the placenta praevia births", 0.016, 5e-4, BDA, deviation),
)
