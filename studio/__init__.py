"""Seisei Studio: the host. It knows no tab and no pipeline by name."""

__version__ = "0.1.0"
