"""Loops compiled by numba when they are first called: declarations are read without it, and without it they run as plain Python.

A compiled function takes numbers, arrays and a numpy Generator, and may call others of its kind.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CACHE = "NUMBA_CACHE_DIR"


class Compiled:
    """A function that is compiled at its first call; machine code is kept on disk for the next start.

    `given` are functions that it finds under these names instead of those of its module: one loop serves many equations.
    """

    def __init__(self, function: Callable[..., Any], *, fastmath: bool, given: dict[str, Compiled] | None = None) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.fastmath = fastmath
        self.given = given or {}
        self._fast: Any = None

    def __call__(self, *args: Any) -> Any:
        return self.fast(*args)

    @property
    def fast(self) -> Any:
        """What runs: numba's dispatcher, or the plain function where numba is not installed."""
        if self._fast is None:
            self._fast = self._compile()
        return self._fast

    def having(self, **given: Compiled) -> Compiled:
        """The same loop around other functions."""
        return Compiled(self.function, fastmath=self.fastmath, given=given)

    def _compile(self) -> Any:
        """Without machine code on disk where no folder for it can be written."""
        ready = self._named(lambda other: other.fast)
        with contextlib.suppress(RuntimeError):  # nobody's home is known
            os.environ.setdefault(CACHE, str(Path.home() / ".cache" / "seisei" / "numba"))
        try:
            import numba
        except ImportError:
            return ready
        try:
            return numba.njit(cache=True, nogil=True, fastmath=self.fastmath)(ready)
        except RuntimeError:
            return numba.njit(nogil=True, fastmath=self.fastmath)(ready)

    def _named(self, ready: Callable[[Compiled], Any]) -> Any:
        """The function with the others that it calls as they run. numba keeps machine code by file, time of the file and name: the name tells what else is in it."""
        plain, around = self.function, self._around()
        if not around:
            return plain
        made = types.FunctionType(plain.__code__, {**plain.__globals__, **{name: ready(value) for name, value in around.items()}}, plain.__name__, plain.__defaults__, plain.__closure__)
        made.__module__, made.__qualname__ = plain.__module__, plain.__qualname__ + self._mark()
        return made

    def _around(self) -> dict[str, Compiled]:
        """Those that it calls, by the name under which it finds them."""
        plain = self.function
        own = {name: value for name, value in plain.__globals__.items() if isinstance(value, Compiled) and value is not self and name in plain.__code__.co_names}
        given = {name: self.given[name] for name in self.given if name in plain.__code__.co_names}
        return {name: value.having(**self.given) if self.given else value for name, value in own.items() if name not in given} | given

    def _reached(self) -> Iterator[Compiled]:
        """All whose machine code is within its own."""
        for other in self._around().values():
            yield other
            yield from other._reached()

    def _mark(self) -> str:
        """What was given, and which functions of other files it reaches, with the time of each file."""
        given = [f"{name}={_told(value.function)}" for name, value in sorted(self.given.items())]
        others = {_told(other.function) for other in self._reached() if other.function.__code__.co_filename != self.function.__code__.co_filename}
        told = [*given, *sorted(others)]
        return f"-{hashlib.sha256(' '.join(told).encode()).hexdigest()[:12]}" if told else ""


def _told(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}@{_changed(function)}"


def _changed(function: Callable[..., Any]) -> int:
    """When the file of a function was changed."""
    path = Path(function.__code__.co_filename)
    return path.stat().st_mtime_ns if path.is_file() else 0


def compiled(function: Callable[..., Any] | None = None, *, fastmath: bool = False) -> Any:
    """Decorator. `fastmath` lets sums be reordered: not where results must be the same on every machine."""
    if function is None:
        return functools.partial(compiled, fastmath=fastmath)
    return Compiled(function, fastmath=fastmath)
