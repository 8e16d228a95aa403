"""Gives one of diffusers' schedulers a table of noise levels of our own: what it computes from its settings is replaced after each `set_timesteps`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from pipelines.image.nets.looped import LoopedScheduler
from pipelines.image.sigmas import Levels, step_of


def give_table(scheduler: Any, make: Callable[[int, Levels], Levels]) -> None:
    """`make(steps, trained)` gives the falling levels, the last one behind the last step. For schedulers whose steps read `sigmas` alone."""
    kept = scheduler.alphas_cumprod.double().numpy()
    trained = np.sqrt((1 - kept) / kept)
    original = scheduler.set_timesteps

    @functools.wraps(original)
    def set_timesteps(num_inference_steps: int, device: Any = None, **named: Any) -> None:
        if isinstance(scheduler, LoopedScheduler):
            scheduler.take(make(num_inference_steps, trained), trained, device)
            return
        original(num_inference_steps, device=device, **named)
        levels = make(num_inference_steps, trained)
        sigmas = torch.from_numpy(levels.astype(np.float32))
        steps = torch.from_numpy(step_of(levels[:-1], trained).astype(np.float32))
        if hasattr(scheduler, "sigmas_interpol"):  # a level between each two, as the geometric mean
            between = np.sqrt(levels[1:] * levels[:-1])
            places = torch.from_numpy(step_of(between[:-1], trained).astype(np.float32))
            steps = torch.cat([steps[:1], torch.stack([places, steps[1:]], 1).flatten()])
            middle = torch.from_numpy(np.append(levels[:1], between).astype(np.float32))
            sigmas, scheduler.sigmas_interpol = (torch.cat([row[:1], row[1:].repeat_interleave(2), row[-1:]]) for row in (sigmas, middle))
        elif scheduler.order == 2:  # each level but the ends is met twice
            sigmas, steps = torch.cat([sigmas[:1], sigmas[1:-1].repeat_interleave(2), sigmas[-1:]]), torch.cat([steps[:1], steps[1:].repeat_interleave(2)])
        scheduler.sigmas, scheduler.timesteps = sigmas, steps.to(device)
        scheduler.num_inference_steps = len(levels) - 1
        if isinstance(scheduler.init_noise_sigma, float):  # those that keep the whole variance at 1
            scheduler.init_noise_sigma = float(levels[0] / np.sqrt(levels[0] ** 2 + 1))

    scheduler.set_timesteps = set_timesteps
