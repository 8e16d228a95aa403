"""Which packages of voices are installed, told without importing them."""

from __future__ import annotations

import importlib.util


def installed(*names: str) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in names)
