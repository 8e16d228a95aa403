"""Ports: the wanted one, or the next free one with a sentence."""

from __future__ import annotations

import socket

from studio.errors import PortTaken

TRIES = 50


def free_port(listen: str, wanted: int) -> tuple[int, str]:
    """(port, sentence): the sentence is empty where the wanted port was free. Raises PortTaken."""
    for port in range(wanted, min(wanted + TRIES, 65536)):
        if is_free(listen, port):
            return port, "" if port == wanted else f"Port {wanted} is taken by another program; the studio uses {port}."
    raise PortTaken(f"The ports {wanted} to {wanted + TRIES - 1} are all taken.", hint="Start with --port and another number.")


def is_free(listen: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen, port))
        except OSError:
            return False
    return True
