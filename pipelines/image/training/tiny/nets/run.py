"""A training run that can be paused, stopped and resumed to the step: one cosine over its whole budget, however many sittings it takes.

The budget is counted in samples. State (weights, running averages, optimizer, counters) is written to one file, by rename.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

SAVE_SECONDS = 600
LOG_STEPS = 50


@dataclass(frozen=True)
class Budget:
    """How long a run lasts: so many samples over all its sittings or, where it is given, until that moment (seconds since 1970)."""

    samples: int
    until: float = 0.0


class Run:
    """Trains `modules` until its budget is used up. `PAUSE` in the folder waits, `STOP` saves and ends."""

    def __init__(self, folder: Path, name: str, modules: dict[str, Any], budget: Budget, rate: float, *, scales: dict[str, float] | None = None, decay: float = 0.999, warm_up: int = 200) -> None:
        self.folder, self.name, self.modules, self.budget, self.rate, self.decay, self.warm_up = folder, name, modules, budget, rate, decay, warm_up
        groups: list[dict[str, Any]] = [{"params": list(module.parameters()), "scale": (scales or {}).get(key, 1.0)} for key, module in modules.items()]
        self.leads = True  # a worker that follows neither logs nor saves
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        self.steps = 0
        self._count = torch.zeros(1, dtype=torch.int64)  # samples seen, by all workers
        self._saved = self._logged = time.monotonic()
        self._losses: list[float] = []
        self._told = 0
        self._began, self._before = time.time(), 0.0  # this sitting's start, and how far the run was then (0 to 1)
        if self.path.exists():
            self._load()

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.state.pt"

    @property
    def seen(self) -> int:
        return int(self._count)

    def share(self) -> None:
        """Weights and count into memory that forked workers change too; each keeps an optimizer of its own."""
        for tensor in [*self.parameters, self._count]:
            tensor.detach().share_memory_()

    def progress(self) -> float:
        """0 at the run's start, 1 at its end; where the end is a moment, this sitting leads from where the last one stopped to it."""
        if not self.budget.until:
            return min(1.0, self.seen / max(1, self.budget.samples))
        share = (time.time() - self._began) / max(1e-6, self.budget.until - self._began)
        return self._before + (1 - self._before) * min(1.0, share)

    def learning_rate(self) -> float:
        return self.rate * min(1.0, (self.steps + 1) / self.warm_up) * (0.5 * (1 + math.cos(math.pi * self.progress())) * 0.98 + 0.02)

    def step(self, loss: Any, samples: int) -> None:
        """One optimizer step on a loss; keeps the running average, the log and the state."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate() * group["scale"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        self._count += samples
        if not self.leads:
            return
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self.parameters, 1 - min(self.decay, (1 + self.steps) / (10 + self.steps)))
        self._losses.append(float(loss.detach()))
        if self.steps % LOG_STEPS == 0:
            self._log()
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self.save()

    def goes_on(self) -> bool:
        """False at the budget's end or on STOP, after the state was saved; waits while there is a PAUSE."""
        while (self.folder / "PAUSE").exists():
            time.sleep(1)
        if self.progress() < 1 and not (self.folder / "STOP").exists():
            return True
        if self.leads:
            self.save()
        return False

    def averaged(self) -> dict[str, dict[str, Any]]:
        """The running averages as state dicts, by module."""
        left = iter(self.average)
        found: dict[str, dict[str, Any]] = {}
        for key, module in self.modules.items():
            found[key] = module.state_dict() | {name: next(left) for name, _ in module.named_parameters()}
        return found

    def save(self) -> None:
        counts = {"seen": self.seen, "steps": self.steps, "progress": self.progress()}
        state = counts | {"modules": {key: module.state_dict() for key, module in self.modules.items()}, "average": self.average, "optimizer": self.optimizer.state_dict()}
        part = self.path.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.path)
        self._saved = time.monotonic()

    def _load(self) -> None:
        state = torch.load(self.path, weights_only=True)
        for key, module in self.modules.items():
            module.load_state_dict(state["modules"][key])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self._count.fill_(state["seen"])
        self.steps, self._told, self._before = state["steps"], state["seen"], state["progress"]

    def _log(self) -> None:
        now = time.monotonic()
        rate = (self.seen - self._told) / (now - self._logged)
        left = self.budget.until - time.time() if self.budget.until else (self.budget.samples - self.seen) / max(rate, 1e-6)
        line = f"{time.strftime('%H:%M:%S')} {self.name} step {self.steps} seen {self.seen:,} loss {sum(self._losses) / len(self._losses):.4f} {rate:.0f}/s rate {self.learning_rate():.1e} left {left / 60:.0f} min"
        with (self.folder / f"{self.name}.log").open("a", encoding="utf-8") as file:
            print(line, file=file)
        self._logged, self._told, self._losses = now, self.seen, []


def start_from(module: Any, weights: dict[str, Any]) -> None:
    """Take another training's weights where names and shapes agree."""
    own = module.state_dict()
    module.load_state_dict({name: weights[name] if name in weights and weights[name].shape == own[name].shape else own[name] for name in own})


Losses = Callable[[], tuple[Any, int]]


def train_together(run: Run, losses: Callable[[Run, int], Losses], workers: int) -> None:
    """One-thread processes that change the same weights without waiting for each other (Hogwild); the first one logs, averages and saves.

    Source: Recht, Ré, Wright, Niu: Hogwild!, 2011. On two cores it doubles the samples per second; one process with two threads does not.
    """
    run.share()
    others = [multiprocessing.get_context("fork").Process(target=_follow, args=(run, losses, worker), daemon=True) for worker in range(1, workers)]
    for other in others:
        other.start()
    train(run, losses(run, 0))
    for other in others:
        other.join(timeout=60)


def _follow(run: Run, losses: Callable[[Run, int], Losses], worker: int) -> None:
    torch.set_num_threads(1)
    os.setsid()  # Linux shares its time among sessions before it looks at processes: two workers are two
    run.leads = False
    train(run, losses(run, worker))


def train(run: Run, losses: Losses, after: Iterable[Callable[[], None]] = ()) -> None:
    """`losses()` gives the next batch's loss and its number of samples."""
    while run.goes_on():
        loss, samples = losses()
        run.step(loss, samples)
    for act in after:
        act()
