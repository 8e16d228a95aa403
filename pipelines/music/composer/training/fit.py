"""The training itself: batches, one cosine of the learning rate over a budget of computing time, averaged weights, a state that can be resumed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.music.composer.shape import RESUME
from pipelines.music.composer.training.data import Ready, batch, whole

if TYPE_CHECKING:
    from pipelines.music.nets.composer import Batch, Composer

RATE, WARM, FLOOR = 3e-3, 0.02, 0.01  # the learning rate at its height; share of the time until there; what is left of it at the end
DECAY, CLIP = 0.05, 1.0


@dataclass(frozen=True)
class Plan:
    """seconds of this process's computing time, or `updates` of the weights where that is told; batches of `size` cuts of `steps` sixteenths."""

    seconds: float
    size: int = 32
    steps: int = 128
    rate: float = RATE
    average: float = 0.998
    seed: int = 1
    updates: int = 0


def tensors(arrays: dict[str, Any]) -> Batch:
    import torch

    from pipelines.music.nets.composer import Batch

    return Batch(**{name: torch.as_tensor(np.ascontiguousarray(value)).long() for name, value in arrays.items()})


def rate(plan: Plan, share: float) -> float:
    """Up in a line, down in a half cosine."""
    if share < WARM:
        return plan.rate * share / WARM
    return plan.rate * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min((share - WARM) / (1 - WARM), 1))))


class Fit:
    """A training under way: the model, its averaged copy, the optimizer, how far it is."""

    def __init__(self, model: Composer, pieces: list[Ready], plan: Plan) -> None:
        import copy

        import torch

        self.model, self.pieces, self.plan = model, pieces, plan
        self.average = copy.deepcopy(model).eval()
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=plan.rate, weight_decay=DECAY, betas=(0.9, 0.98))
        self.drawn = np.random.default_rng(plan.seed)
        self.spent, self.steps = 0.0, 0

    @property
    def share(self) -> float:
        return self.steps / self.plan.updates if self.plan.updates else self.spent / self.plan.seconds

    def step(self) -> float:
        """One batch; its loss."""
        import torch

        from pipelines.music.nets.composer import loss_of

        begun = time.process_time()
        for group in self.optimizer.param_groups:
            group["lr"] = rate(self.plan, self.share)
        self.model.train()
        loss = loss_of(self.model, tensors(batch(self.pieces, self.plan.size, self.plan.steps, self.drawn)))
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        self.steps += 1
        keep = min(self.plan.average, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - keep)
        self.spent += time.process_time() - begun
        return float(loss.detach())

    def moments(self) -> dict[str, Any]:
        """Steps and the optimizer's averages, in half precision as shares of each one's largest, so that a learnt style's file can take training up again."""
        import torch

        made: dict[str, Any] = {f"{RESUME}steps": np.array([self.steps], np.int64)}
        for name, weight in self.model.named_parameters():
            kept = self.optimizer.state[weight]
            for short, value in (("first", kept["exp_avg"]), ("second", kept["exp_avg_sq"].sqrt())) if kept else ():
                scale = value.abs().max().clamp(min=1e-20)
                made[f"{RESUME}{short}.{name}"] = (value / scale).to(torch.float16).contiguous().numpy()
                made[f"{RESUME}{short}.{name}.scale"] = np.array([float(scale)], np.float32)
        return made

    def take_up(self, state: dict[str, Any]) -> None:
        """The reverse of `moments`; the weights are the model's already."""
        import torch

        self.steps = int(state[f"{RESUME}steps"][0])
        self.drawn = np.random.default_rng((self.plan.seed, self.steps))
        for name, weight in self.model.named_parameters():
            if f"{RESUME}first.{name}" not in state:
                continue
            first, second = (torch.from_numpy(state[f"{RESUME}{short}.{name}"]).float() * float(state[f"{RESUME}{short}.{name}.scale"][0]) for short in ("first", "second"))
            self.optimizer.state[weight] = {"step": torch.tensor(float(self.steps)), "exp_avg": first, "exp_avg_sq": second**2}

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "drawn": self.drawn.bit_generator.state,
            "spent": self.spent,
            "steps": self.steps,
        }

    def resume(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.drawn.bit_generator.state = state["drawn"]
        self.spent, self.steps = state["spent"], state["steps"]


@contextmanager
def seeded(seed: int, threads: int) -> Iterator[None]:
    """torch's chance and threads as asked inside, as they were outside."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
    torch.set_num_threads(before)


def held_out(model: Composer, pieces: list[Ready], size: int = 8) -> float:
    """Nats per voice token of whole pieces, nothing known beforehand but metre, phrase ends and key."""
    import torch

    model.eval()
    lost = count = 0.0
    ordered = sorted(pieces, key=lambda piece: piece.song.frame.steps)
    with torch.no_grad():
        for start in range(0, len(ordered), size):
            made = tensors(whole(ordered[start : start + size]))
            counts = made.counts.float()
            lost += float((model(made) * counts).sum())
            count += float(counts.sum())
    return lost / max(count, 1)


def run(fit: Fit, held: dict[str, list[Ready]], state: Path, tell: Callable[[str], None] = print, every: float = 120) -> None:
    """Until the time is spent; the state is kept every two minutes of it."""
    import torch

    recent: list[float] = []
    due = fit.spent + every
    while fit.share < 1:
        recent.append(fit.step())
        if fit.spent >= due or fit.share >= 1:
            due = fit.spent + every
            figures = " ".join(f"{name} {held_out(fit.average, pieces):.4f}" for name, pieces in held.items())
            tell(f"{fit.spent:5.0f} s  step {fit.steps:5}  train {sum(recent) / len(recent):.4f}  {figures}")
            recent = []
            torch.save(fit.state(), state)
