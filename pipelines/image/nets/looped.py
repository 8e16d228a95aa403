"""Diffusers schedulers that go our own loops: the pipelines call them like any other, once for each time that the network runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from diffusers import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteSchedulerOutput
from diffusers.utils.torch_utils import randn_tensor

from pipelines.image.adaptive import Adaptive
from pipelines.image.loops import LOOPS, Loop, looked_at, towards
from pipelines.image.nets.handover import replaced
from pipelines.image.sigmas import Levels, step_of
from studio.api import BadInput

SHARE = 1 / 12.5
MOST = 1500  # times that an adaptive loop runs the network


class LoopedScheduler(EulerDiscreteScheduler):
    """Its betas, its scaling and its noising are Euler's; levels come from `give_table`. Step k of the loop begins at place k · order of `timesteps`."""

    loop = ""
    going: Loop | None = None
    _step_index: int | None

    def take(self, levels: Levels, trained: Levels, device: Any = None) -> None:
        """The falling levels, the last one behind the last step; `trained` are the model's own."""
        self.levels, self.trained = [float(level) for level in levels], trained
        seen = self._seen()
        self.sigmas = torch.tensor([*seen, self.levels[-1]], dtype=torch.float32)
        self.timesteps = self._steps(seen).to(device)
        self.num_inference_steps, self.going = len(levels) - 1, None
        self._step_index = self._begin_index = None

    def _seen(self) -> list[float]:
        return looked_at(self.loop, self.levels)

    def _steps(self, seen: list[float]) -> Any:
        return torch.from_numpy(step_of(seen, self.trained)).to(torch.float32)  # type: ignore[arg-type]

    def set_begin_index(self, begin_index: int = 0) -> None:
        """From a picture it begins in the middle; a loop may lay out the rest in another way then, which is written over what the pipeline has cut out already."""
        super().set_begin_index(begin_index)
        self.levels = self.levels[begin_index // self.order :]
        seen = self._seen()
        self.sigmas[begin_index:-1] = torch.tensor(seen)
        self.timesteps[begin_index:] = self._steps(seen)

    def _init_step_index(self, timestep: Any) -> None:
        self._step_index = self._begin_index or 0

    def step(self, model_output: Any, timestep: Any, sample: Any, generator: Any = None, return_dict: bool = True) -> Any:  # type: ignore[override]
        if self._step_index is None:
            self._init_step_index(timestep)
        state = sample.to(torch.float32)
        clean = self._clean(model_output.to(torch.float32), state, self.sigmas[self._step_index].item())
        if self.going is None:
            self.going = LOOPS[self.loop](self.levels, lambda: randn_tensor(state.shape, generator=generator, device=state.device, dtype=state.dtype))
            next(self.going)
        try:
            following = self.going.send((state, clean))[0]
        except StopIteration as end:
            following = end.value
        self._step_index = (self._step_index or 0) + 1
        following = following.to(model_output.dtype)
        return EulerDiscreteSchedulerOutput(prev_sample=following, pred_original_sample=clean) if return_dict else (following, clean)

    def _clean(self, output: Any, state: Any, level: float) -> Any:
        """Source: the parametrisations of Karras et al. 2022, Salimans and Ho 2022."""
        kind = self.config.prediction_type
        if kind == "v_prediction":
            return state / (level**2 + 1) - output * level / (level**2 + 1) ** 0.5
        return output if kind == "sample" else state - level * output


class UnguidedNoiseScheduler(LoopedScheduler):
    """DDIM whose clean picture is guided by a small share, and whose noise is that of the negative prompt alone, which `overheard` tells as `base`.

    Source: Chung et al., CFG++, 2024 (algorithm 2). The share of the CFG scale and the last level, the model's lowest, are AUTOMATIC1111's.
    """

    base: Any = None

    def take(self, levels: Levels, trained: Levels, device: Any = None) -> None:
        super().take(np.append(levels[:-1], trained[0]), trained, device)

    def _seen(self) -> list[float]:
        return self.levels[:-1]

    @property
    def init_noise_sigma(self) -> Any:
        return (self.sigmas[0] ** 2 + 1) ** 0.5

    def step(self, model_output: Any, timestep: Any, sample: Any, generator: Any = None, return_dict: bool = True) -> Any:  # type: ignore[override]
        if self._step_index is None:
            self._init_step_index(timestep)
        state, base = sample.to(torch.float32), self.base.to(torch.float32)
        level, following = self.sigmas[self._step_index].item(), self.sigmas[self._step_index + 1].item()  # type: ignore[operator]
        clean, unguided = (self._clean(output, state, level) for output in (base + (model_output.to(torch.float32) - base) * SHARE, base))
        made = (clean + (towards(state, unguided, level, following) - unguided)).to(model_output.dtype)
        self._step_index = (self._step_index or 0) + 1
        return EulerDiscreteSchedulerOutput(prev_sample=made, pred_original_sample=clean) if return_dict else (made, clean)


@contextlib.contextmanager
def overheard(network: Any, scheduler: Any) -> Iterator[None]:
    """While open, the scheduler hears what the network says to the negative prompt: the first half of its rows."""

    def make(forward: Callable[..., Any]) -> Callable[..., Any]:
        def heard(*args: Any, **named: Any) -> Any:
            told = forward(*args, **named)
            scheduler.base = told[0].chunk(2)[0]
            return told

        return heard

    with replaced(network, make):
        yield


class AdaptiveScheduler(LoopedScheduler):
    """Steps whose number is found on the way: each next level is written behind the present one, over what the pipeline holds already; `is_done` says when to leave the loop.

    `timesteps` begins with the levels of a table, of which a picture to begin from takes its own; behind them is room.
    """

    adaptive: Adaptive | None = None
    is_done = False

    def take(self, levels: Levels, trained: Levels, device: Any = None) -> None:
        self.levels, self.trained = [float(trained[-1]), *map(float, levels[1:])], trained
        seen = [*self.levels[:-1], *[float(trained[0])] * MOST]
        self.sigmas, self.timesteps = torch.tensor([*seen, 0.0], dtype=torch.float32), self._steps(seen).to(device)
        self.num_inference_steps, self.going, self.adaptive, self.is_done = len(levels) - 1, None, None, False
        self._step_index = self._begin_index = None

    def set_begin_index(self, begin_index: int = 0) -> None:
        EulerDiscreteScheduler.set_begin_index(self, begin_index)
        self.levels = self.levels[begin_index:]

    @property
    def share(self) -> float:
        """Of the way from the first level to the lowest, 0 … 1."""
        return 1.0 if self.is_done else self.adaptive.share if self.adaptive else 0.0

    def step(self, model_output: Any, timestep: Any, sample: Any, generator: Any = None, return_dict: bool = True) -> Any:  # type: ignore[override]
        if self.is_done:
            raise BadInput("“DPM adaptive” does not go with this model.", hint="Choose another sampler.", field="sampler")  # its pipeline can't be told to leave its loop
        if self._step_index is None:
            self._init_step_index(timestep)
        place = self._step_index or 0
        state = sample.to(torch.float32)
        clean = self._clean(model_output.to(torch.float32), state, self.sigmas[place].item())
        if self.going is None:
            self.adaptive = Adaptive(self.levels[0], float(self.trained[0]), lambda: randn_tensor(state.shape, generator=generator, device=state.device, dtype=state.dtype))
            self.going = self.adaptive.loop()
            next(self.going)
        following = self._following(place, state, clean).to(model_output.dtype)
        return EulerDiscreteSchedulerOutput(prev_sample=following, pred_original_sample=clean) if return_dict else (following, clean)

    def _following(self, place: int, state: Any, clean: Any) -> Any:
        """What the network shall look at next, its level written at the next place; the last state, at level 0. Raises BadInput where no step is small enough."""
        assert self.going is not None
        try:
            following, level = self.going.send((state, clean))
        except StopIteration as end:
            following, level, self.is_done = end.value, 0.0, True
        if place + 2 >= len(self.sigmas):
            raise BadInput("“DPM adaptive” found no step that is small enough for this picture.", hint="Choose another sampler, or a lower CFG scale.", field="sampler")
        self.sigmas[place + 1] = level
        if level:
            self.timesteps[place + 1] = self._steps([level])[0]
        self._step_index = place + 1
        return following
