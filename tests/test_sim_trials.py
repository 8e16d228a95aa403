"""Clinical trials: long runs come to what was computed before, beliefs are integrals, designs that make no sense are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from pipelines.simulation.models.adaptive_trial import AdaptiveTrial, chance_better
from pipelines.simulation.models.group_sequential import GroupSequential
from pipelines.simulation.models.simon import DESIGNS, Simon, binomial
from studio.api import BadInput, Simulation


def last(model: Simulation, steps: int, **values: Any) -> dict[str, float]:
    seen = model.observed([model.Params.parse(values)], np.array([float(steps)]), [9])[0, 0]
    return {series.name: float(value) for series, value in zip(model.series, seen, strict=True)}


def within(found: float, trials: float, expected: float) -> bool:
    """Four standard errors of a share."""
    return abs(found / trials - expected) < 4 * np.sqrt(expected * (1 - expected) / trials)


@pytest.mark.parametrize("name", DESIGNS)
def test_a_long_run_of_two_stage_trials_is_as_computed(name: str) -> None:
    design, seen = DESIGNS[name], last(Simon(), 300_000, design=name, response=0.25)
    assert within(seen["stopped_early"], seen["trials"], design.early(0.25)) and within(seen["promising"], seen["trials"], design.promising(0.25))
    assert seen["mean_patients"] == pytest.approx(design.expected(0.25), rel=0.02)


def test_a_designs_error_and_power_are_within_what_it_promises() -> None:
    for name, design in DESIGNS.items():
        low, high = (0.1, 0.3) if name.startswith("10") else (0.2, 0.4)
        assert design.promising(low) <= 0.05 and design.promising(high) >= 0.8
    np.testing.assert_allclose(binomial(29, 0.3), stats.binom.pmf(np.arange(30), 29, 0.3), rtol=1e-9)


@pytest.mark.parametrize(("values", "field"), [({"first": 29}, "all"), ({"few": 11}, "few"), ({"enough": 29}, "enough"), ({"few": 6}, "enough")])
def test_designs_that_make_no_sense_are_refused(values: dict[str, Any], field: str) -> None:
    model = Simon()
    with pytest.raises(BadInput) as refused:
        model.check(model.Params.parse({"design": "own"} | values))
    assert refused.value.field == field


@pytest.mark.parametrize("boundary", ["Pocock", "O'Brien-Fleming", "once at the end"])
@pytest.mark.parametrize("effect", [0.0, 0.3])
def test_a_long_run_of_group_sequential_trials_is_as_computed(boundary: str, effect: float) -> None:
    model, values = GroupSequential(), {"boundary": boundary, "effect": effect, "looks": 4, "pairs_per_look": 25}
    params, seen = model.Params.parse(values), last(GroupSequential(), 600_000, **values)
    assert within(seen["better"] + seen["worse"], seen["trials"], model.power(params))
    assert seen["mean_pairs"] == pytest.approx(model.expected_pairs(params), rel=0.02)


def test_one_look_is_the_usual_test() -> None:
    model = GroupSequential()
    params = model.Params.parse({"boundary": "once at the end", "looks": 2, "pairs_per_look": 32, "effect": 0.5})
    shift = 0.5 * np.sqrt(32)
    assert model.power(params) == pytest.approx(stats.norm.sf(1.959964 - shift) + stats.norm.cdf(-1.959964 - shift), abs=1e-6)
    assert model.expected_pairs(params) == pytest.approx(64, abs=1e-9)


@pytest.mark.parametrize("arms", [(8, 4, 4, 8), (1, 1, 1, 1), (30, 70, 25, 75), (400, 600, 380, 640)])
def test_the_chance_to_be_better_is_its_integral(arms: tuple[int, int, int, int]) -> None:
    a, b, c, d = arms
    exact = integrate.quad(lambda x: stats.beta.pdf(x, a, b) * stats.beta.cdf(x, c, d), 0, 1, epsabs=1e-12, limit=400, points=[a / (a + b)])[0]
    assert chance_better(a, b, c, d) == pytest.approx(exact, abs=1e-8)
    assert chance_better(a, b, c, d) + chance_better(c, d, a, b) == pytest.approx(1.0, abs=1e-9)


def test_adaptive_allocation_gives_more_patients_the_better_arm() -> None:
    adaptive, equal = last(AdaptiveTrial(), 40_000), last(AdaptiveTrial(), 40_000, allocation="equal")
    assert adaptive["mean_share"] > 0.58 and equal["mean_share"] == pytest.approx(0.5, abs=0.01)
    assert adaptive["treatment_won"] / adaptive["trials"] > 0.7 and adaptive["control_won"] / adaptive["trials"] < 0.01


def test_certainty_one_never_ends_a_trial_early() -> None:
    seen = last(AdaptiveTrial(), 10_000, certainty=1.0, treatment=1.0, control=0.0)
    assert seen["trials"] == 50 and seen["mean_patients"] == 200 and seen["treatment_won"] == 0
