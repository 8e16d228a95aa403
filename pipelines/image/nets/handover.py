"""A network's forward replaced for a while: whatever stood there before stands there again afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def replaced(network: Any, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """`make(forward)` gives the new forward around the present one. Those that are opened later stand outside."""
    before = network.__dict__.get("forward")
    network.forward = make(network.forward)
    try:
        yield
    finally:
        if before is None:
            del network.forward
        else:
            network.forward = before
