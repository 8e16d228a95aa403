"""Emulators: what a model's runs look like over a box of parameters, learnt from a few: Gaussian processes (Rasmussen & Williams 2006) or a small network, on principal components of the runs (Higdon et al. 2008)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from studio.api import Numbers

Emulation = Literal["Gaussian process", "Network"]
EXPLAINED = 0.99999  # of the runs' variance that the components keep
MOST_COMPONENTS = 12
HIDDEN, EPOCHS, RATE, DECAY = 48, 1500, 0.01, 1e-5


class Curve(Protocol):
    """(n, components) from (n, free) shares, 0 … 1."""

    def __call__(self, shares: Numbers) -> Numbers: ...


@dataclass
class Basis:
    """Runs (n, outputs) as components (n, k): centred, scaled, rotated."""

    middle: Numbers
    scale: Numbers
    rows: Numbers  # (k, outputs)

    @staticmethod
    def of(runs: Numbers) -> Basis:
        middle, scale = runs.mean(axis=0), runs.std(axis=0)
        scale = np.where(scale > 1e-12 * (1 + np.abs(middle)), scale, 1.0)
        _, sizes, rows = np.linalg.svd((runs - middle) / scale, full_matrices=False)
        explained = np.cumsum(sizes**2) / max((sizes**2).sum(), 1e-300)
        count = min(int(np.searchsorted(explained, EXPLAINED)) + 1, MOST_COMPONENTS, len(rows))
        return Basis(middle, scale, rows[:count])

    def components(self, runs: Numbers) -> Numbers:
        return np.asarray((runs - self.middle) / self.scale @ self.rows.T)

    def runs(self, components: Numbers) -> Numbers:
        return np.asarray(components @ self.rows * self.scale + self.middle)


@dataclass
class Process:
    """One Gaussian process for each component: squared exponential with a length for every parameter, over a quadratic trend."""

    shares: Numbers
    lengths: list[Numbers] = field(default_factory=list)
    weights: list[Numbers] = field(default_factory=list)
    trend: Numbers = field(default_factory=lambda: np.zeros((0, 0)))

    @staticmethod
    def learnt(shares: Numbers, values: Numbers) -> Process:
        found = Process(shares)
        found.trend = np.asarray(np.linalg.lstsq(_quadratic(shares), values, rcond=None)[0], dtype=np.float64)
        left = values - _quadratic(shares) @ found.trend
        apart = (shares[:, None] - shares[None]) ** 2  # (n, n, free)
        for column in left.T:
            logs = _likeliest(apart, column / max(column.std(), 1e-300))
            covariance = _kernel(apart, logs[:-1]) + (np.exp(logs[-1]) + 1e-9) * np.eye(len(shares))
            found.lengths.append(logs[:-1])
            found.weights.append(np.linalg.solve(covariance, column))
        return found

    def __call__(self, shares: Numbers) -> Numbers:
        apart = (shares[:, None] - self.shares[None]) ** 2
        return np.asarray(_quadratic(shares) @ self.trend + np.column_stack([_kernel(apart, logs) @ weights for logs, weights in zip(self.lengths, self.weights, strict=True)]))


def _quadratic(shares: Numbers) -> Numbers:
    free = shares.shape[1]
    return np.column_stack([np.ones(len(shares)), shares, *(shares[:, a] * shares[:, b] for a in range(free) for b in range(a, free))])


def _kernel(apart: Numbers, logs: Numbers) -> Numbers:
    return np.asarray(np.exp(-0.5 * apart @ np.exp(-2 * logs)))


def _likeliest(apart: Numbers, values: Numbers) -> Numbers:
    """(free + 1,) logarithms of lengths and nugget that make the values (n,) likeliest; their scale is solved for."""
    from scipy.linalg import cho_factor, cho_solve
    from scipy.optimize import minimize

    count, free = len(values), apart.shape[2]

    def cost(logs: Numbers) -> tuple[float, Numbers]:
        kernel = _kernel(apart, logs[:-1])
        covariance = kernel + (np.exp(logs[-1]) + 1e-9) * np.eye(count)
        try:
            factor = cho_factor(covariance, lower=True)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros(free + 1)
        weights = cho_solve(factor, values)
        power = max(float(values @ weights) / count, 1e-300)
        inverse = cho_solve(factor, np.eye(count))
        inner = inverse - np.outer(weights, weights) / power
        slopes = [0.5 * float((inner * (kernel * apart[:, :, at] * np.exp(-2 * logs[at]))).sum()) for at in range(free)]
        height = 0.5 * count * np.log(power) + float(np.log(np.diag(factor[0])).sum())
        return height, np.array([*slopes, 0.5 * float(np.trace(inner)) * np.exp(logs[-1])])

    start = np.append(np.full(free, np.log(0.5)), np.log(1e-4))
    bounds = [(np.log(0.03), np.log(20.0))] * free + [(np.log(1e-8), np.log(1.0))]
    return np.asarray(minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60}).x)


@dataclass
class Net:
    """Two hidden layers, by Adam on all runs at once (Kingma & Ba 2015)."""

    layers: list[tuple[Numbers, Numbers]]
    scale: Numbers

    @staticmethod
    def learnt(shares: Numbers, values: Numbers, seed: int) -> Net:
        rng = np.random.default_rng([seed, 10])
        scale = np.maximum(values.std(axis=0), 1e-300)
        sizes = [shares.shape[1], HIDDEN, HIDDEN, values.shape[1]]
        net = Net([(rng.standard_normal((a, b)) / np.sqrt(a), np.zeros(b)) for a, b in zip(sizes, sizes[1:], strict=False)], scale)
        weighed = (scale / scale.max()) ** 2  # components count as much as they explain
        parts = [part for layer in net.layers for part in layer]
        first, second = [np.zeros_like(part) for part in parts], [np.zeros_like(part) for part in parts]
        for step in range(1, EPOCHS + 1):
            slopes = net._slopes(2 * shares - 1, values / scale, weighed)
            rate = RATE * 0.5 * (1 + np.cos(np.pi * step / EPOCHS))
            for at, (part, slope) in enumerate(zip(parts, slopes, strict=True)):
                slope = slope + DECAY * part
                first[at] += 0.1 * (slope - first[at])
                second[at] += 0.001 * (slope**2 - second[at])
                part -= rate * (first[at] / (1 - 0.9**step)) / (np.sqrt(second[at] / (1 - 0.999**step)) + 1e-8)
        return net

    def _forward(self, inputs: Numbers) -> list[Numbers]:
        found = [inputs]
        for number, (weights, bias) in enumerate(self.layers):
            out = found[-1] @ weights + bias
            found.append(np.tanh(out) if number < len(self.layers) - 1 else out)
        return found

    def _slopes(self, inputs: Numbers, targets: Numbers, weighed: Numbers) -> list[Numbers]:
        """Of the mean squared error, layer by layer."""
        passed = self._forward(inputs)
        back = 2 * weighed * (passed[-1] - targets) / len(inputs)
        found: list[Numbers] = []
        for number in range(len(self.layers) - 1, -1, -1):
            found = [passed[number].T @ back, back.sum(axis=0), *found]
            if number:
                back = back @ self.layers[number][0].T * (1 - passed[number] ** 2)
        return found

    def __call__(self, shares: Numbers) -> Numbers:
        return np.asarray(self._forward(2 * shares - 1)[-1] * self.scale)


def learnt(kind: Emulation, shares: Numbers, values: Numbers, seed: int) -> Curve:
    return Process.learnt(shares, values) if kind == "Gaussian process" else Net.learnt(shares, values, seed)
