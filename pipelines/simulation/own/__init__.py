"""Models of one's own: typed text, read by a parser of ours into a Simulation like those of the gallery. Nothing typed is ever run as Python."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from pipelines.simulation.own.declaration import Declaration, read_declaration
from studio.api import Simulation


@lru_cache(maxsize=64)
def read_model(text: str) -> Simulation:
    """The model that a JSON declaration says; the same object for the same text. Raises BadInput, Misread where a character is to blame."""
    return _read(read_declaration(text))


def _read(declaration: Declaration) -> Simulation:
    from pipelines.simulation.own import agents, fields, reading, states

    kinds: dict[str, Callable[[Declaration], Simulation]] = {
        "ode": reading.read_ode, "map": reading.read_map, "automaton": states.read_automaton, "sde": reading.read_sde,
        "stock": reading.read_stock, "agents": agents.read_agents, "pde": fields.read_fields,
    }  # fmt: skip
    return kinds[declaration.kind](declaration)
