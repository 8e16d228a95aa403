"""Simulation models reproduce what was published of them, within tolerances that the sources set."""

from __future__ import annotations

import importlib
import math
from pathlib import Path

import pytest

from tests.figures import Figure
from tests.published import published

PAGE = Path(__file__).resolve().parent.parent / "docs" / "simulation-figures.md"


@pytest.mark.parametrize(
    "figure",
    [pytest.param(figure, id=f"{domain}: {figure.model}: {figure.what}", marks=[pytest.mark.slow] if figure.slow else []) for domain, figure in published()],
)
def test_a_published_figure_is_reproduced(figure: Figure) -> None:
    obtained = figure.compute()
    assert abs(obtained - figure.expected) <= figure.tolerance, f"{figure.what}: {obtained!r}, published {figure.expected} ± {figure.tolerance} ({figure.source})"


def test_every_figure_has_a_source_and_a_tolerance_that_can_fail() -> None:
    for _, figure in published():
        assert figure.source and figure.what and math.isfinite(figure.expected), figure
        assert 0 <= figure.tolerance <= max(1.0, abs(figure.expected)), figure


def test_every_model_has_a_figure() -> None:
    models = importlib.import_module("pipelines.simulation").register_simulations()
    named = {figure.model for _, figure in published()}
    assert not [model.id for model in models if not named & {model.id, model.title}]


def test_the_page_of_figures_names_them_all() -> None:
    told = PAGE.read_text(encoding="utf-8")
    assert not [figure.what for _, figure in published() if figure.what not in told], "run: python benchmarks/figures.py"
