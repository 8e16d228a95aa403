"""Probabilistic models of music, each with its source: what a melody does next, which chord follows, what drums and a bass play. No network, no torch."""
