"""Compiled loops: machine code that is kept is never older than any function in it, and they run without numba and without a home."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from pipelines.simulation.jit import compiled

ROOT = Path(__file__).parents[1]
OUTER = """
from pipelines.simulation.jit import compiled
from inner import middle

@compiled
def outer(x):
    return middle(x) + 1.0
"""
INNER = """
from pipelines.simulation.jit import compiled

@compiled
def innermost(x):
    return x * FACTOR

@compiled
def middle(x):
    return innermost(x)
"""
RUNS = """
import sys
import numpy as np
from pipelines.simulation import register_simulations
from studio.api import observations
for model in register_simulations():
    if model.id in sys.argv[1:]:
        params = model.Params()
        print(model.id, [list(seen.values.values()) for seen in observations(model, params, np.array([0, 2]) * model.time_step(params), 3)])
"""


def python(code: str, *words: str, at: Path = ROOT, **environment: str) -> str:
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(at)])}
    kept = {name: value for name, value in os.environ.items() if name not in ("HOME", "NUMBA_CACHE_DIR")}
    ended = subprocess.run([sys.executable, "-W", "error", "-c", code, *words], env=kept | paths | environment, cwd=at, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_an_edit_in_another_file_is_compiled_anew(tmp_path: Path) -> None:
    (tmp_path / "outer.py").write_text(OUTER)
    found = []
    for factor in ("2.0", "5.0"):
        (tmp_path / "inner.py").write_text(INNER.replace("FACTOR", factor))
        found.append(float(python("from outer import outer; print(outer(10.0))", at=tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"), PYTHONDONTWRITEBYTECODE="1")))
    assert found == [21.0, 51.0] and list(tmp_path.glob("cache/*/*.nbi"))


MODELS = ("lorenz63", "nasch", "stochastic_sir", "mmc")


def test_models_run_the_same_without_numba() -> None:
    with_it, without = python(RUNS, *MODELS), python("import sys; sys.modules['numba'] = None\n" + RUNS, *MODELS)
    assert with_it == without and with_it.count("\n") == len(MODELS)


@pytest.mark.parametrize("home", ["/proc/nobody", "/dev/null"])
def test_a_home_that_can_not_be_written_does_not_matter(home: str) -> None:
    assert python(RUNS, "lorenz63", HOME=home).startswith("lorenz63")


def test_an_unknown_home_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    assert compiled(lambda x: x + 1)(2) == 3


def test_without_any_folder_for_machine_code_it_is_compiled_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def njit(cache: bool = False, **options: object) -> object:
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function 'twice': no locator available")
        return lambda function: function

    monkeypatch.setitem(sys.modules, "numba", types.SimpleNamespace(njit=njit))  # type: ignore[arg-type]
    assert compiled(lambda x: 2 * x)(4) == 8 and asked == [True, False]
