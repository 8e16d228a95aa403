"""Analysis steps of ensemble Kalman filters: perturbed observations (Burgers, van Leeuwen & Evensen 1998) and the symmetric square root (ETKF; Bishop et al. 2001, Hunt et al. 2007)."""

from __future__ import annotations

import numpy as np

from studio.api import Numbers


def perturbed(ensemble: Numbers, seen: Numbers, data: Numbers, variance: Numbers, rng: np.random.Generator) -> Numbers:
    """(members, n) after data (p,) with error variances (p,); `seen` (members, p) is what each member shows. The perturbations have mean 0."""
    members = len(ensemble)
    away, shown = ensemble - ensemble.mean(axis=0), seen - seen.mean(axis=0)
    noise = rng.standard_normal(seen.shape) * np.sqrt(variance)
    noise -= noise.mean(axis=0)
    covariance = shown.T @ shown / (members - 1) + np.diag(variance)
    gain = np.linalg.solve(covariance, shown.T @ away / (members - 1))  # (p, n)
    return np.asarray(ensemble + (data + noise - seen) @ gain)


def transformed(ensemble: Numbers, seen: Numbers, data: Numbers, variance: Numbers) -> Numbers:
    """The same by a symmetric square root: no chance in it, the mean is exact for the ensemble's own covariance."""
    members = len(ensemble)
    middle, shown = ensemble.mean(axis=0), seen - seen.mean(axis=0)
    weighed = shown / variance  # (members, p)
    values, vectors = np.linalg.eigh(weighed @ shown.T + (members - 1) * np.eye(members))
    mean = (vectors / values) @ vectors.T @ weighed @ (data - seen.mean(axis=0))
    root = (vectors * np.sqrt((members - 1) / values)) @ vectors.T
    return np.asarray(middle + (mean[None] + root) @ (ensemble - middle))


def rotated(ensemble: Numbers, rng: np.random.Generator) -> Numbers:
    """Members mixed by a random rotation that keeps mean and covariance (Sakov & Oke 2008)."""
    members = len(ensemble)
    middle = ensemble.mean(axis=0)
    basis, _ = np.linalg.qr(np.column_stack([np.ones(members), rng.standard_normal((members, members - 1))]))  # the first column is the mean's direction
    turn, signs = np.linalg.qr(rng.standard_normal((members - 1, members - 1)))
    turn = turn * np.sign(np.diag(signs))
    mixing = np.outer(basis[:, 0], basis[:, 0]) + basis[:, 1:] @ turn @ basis[:, 1:].T
    return np.asarray(middle + mixing @ (ensemble - middle))


def inflated(ensemble: Numbers, factor: float) -> Numbers:
    """Members farther from their mean."""
    middle = ensemble.mean(axis=0)
    return np.asarray(middle + factor * (ensemble - middle))
