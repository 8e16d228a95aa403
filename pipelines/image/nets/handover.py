"""A method of one object replaced for a while, a network's forward for one: whatever stood there before stands there again afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def replaced_method(owner: Any, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    """`make(method)` gives the new one around the present one. Those that are opened later stand outside."""
    before = vars(owner).get(name)
    setattr(owner, name, make(getattr(owner, name)))
    try:
        yield
    finally:
        if before is None:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


def replaced(network: Any, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> contextlib.AbstractContextManager[None]:
    """The same of a network's forward."""
    return replaced_method(network, "forward", make)
