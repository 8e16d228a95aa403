"""Experiments: many runs of a model, planned, spread over processes, told as tables and figures."""
