"""All published figures, by the domain that their file is named after."""

from __future__ import annotations

import importlib
from pathlib import Path

from tests.figures import Figure


def published() -> list[tuple[str, Figure]]:
    """(domain, figure), in the order of the files' names."""
    names = sorted(path.stem for path in (Path(__file__).parent / "figures").glob("*.py") if path.stem != "__init__")
    return [(name, figure) for name in names for figure in importlib.import_module(f"tests.figures.{name}").FIGURES]
