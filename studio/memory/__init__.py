"""Devices, budgets and model leases. Simple on purpose: exact weight bytes, one budget, least recently used."""
