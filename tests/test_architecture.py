"""Imports go one way; the page's process stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "transformers", "diffusers", "accelerate", "peft", "xllamacpp"}
DRAWS = {"studio/app.py", "studio/shell.py", "studio/ui.py", "studio/theme.py"}
LEAVES = {"studio/errors.py", "studio/events.py", "studio/artifacts.py", "studio/params.py"}
ALL = sorted(path for folder in ("studio", "tabs", "pipelines", "extensions") for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path, *, top_only: bool = False) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", ALL, ids=name)
def test_imports_go_one_way(path: Path) -> None:
    here = name(path)
    found = set(imports(path))
    roots = {module.partition(".")[0] for module in found}
    if not here.startswith(("tabs/", "extensions/")) and here not in DRAWS:
        assert "gradio" not in roots, "gradio is drawn with in app, shell, ui, theme, tabs and extensions only"
    if here.startswith("pipelines/"):
        assert {module for module in found if module.startswith("studio")} <= {"studio.api"}
        assert not roots & {"tabs", "extensions"}
    if here.startswith("tabs/"):
        assert not roots & {"pipelines", "extensions"}
    if here.startswith("extensions/"):
        assert {module for module in found if module.startswith("studio")} <= {"studio.api", "studio.ui"}
        assert not roots & {"tabs", "pipelines"}
    if here.startswith("studio/"):
        assert not roots & {"tabs", "pipelines", "extensions"}, "the host knows no tab and no pipeline by name"
    if here in LEAVES:
        assert {module for module in found if module.startswith("studio.")} <= {module.replace("/", ".")[:-3] for module in LEAVES}


@pytest.mark.parametrize("path", [path for path in ALL if "/nets/" not in name(path)], ids=name)
def test_heavy_libraries_are_imported_inside_functions_only(path: Path) -> None:
    assert not {module.partition(".")[0] for module in imports(path, top_only=True)} & HEAVY


def test_every_need_is_answered_without_torch() -> None:
    code = """
import sys
from studio.app import PIPELINES, TABS, TorchGuard, present
sys.meta_path.insert(0, TorchGuard())
from studio.catalog import Catalog
from studio.plugins import Hooks
from studio.simulation import Simulations
hooks = Hooks()
for module in [*present(PIPELINES), *present(TABS)]:
    hooks.load_builtin(module)
found = hooks.collect("register_pipelines", simulations=Simulations(hooks.collect("register_simulations")))
assert found
for pipeline in found:
    assert pipeline.need(pipeline.Params(), Catalog([])).missing or pipeline.id == "music.compose" or pipeline.id.startswith("simulation."), "which needs nothing"
try:
    import torch
except ImportError as error:
    assert "worker" in str(error)
else:
    raise SystemExit("the guard let torch in")
assert not {"torch", "transformers", "diffusers"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=300)


def test_a_missing_medium_takes_its_tab_away_and_nothing_else() -> None:
    from studio.app import PIPELINES, TABS, present

    assert "pipelines.text" in present(PIPELINES) and set(present(TABS)) == set(TABS)
    assert present(("pipelines.no_such_medium",)) == []
