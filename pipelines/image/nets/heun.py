"""Heun's steps for models that foretell a flow, over the noise levels that their pipelines hand over: diffusers' own scheduler takes none."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler


class FlowMatchHeunScheduler(FlowMatchHeunDiscreteScheduler):
    """Its levels are those that Euler's steps would have, shifted by the picture's size where the model is."""

    def set_timesteps(
        self, num_inference_steps: int | None = None, device: Any = None, sigmas: list[float] | None = None, mu: float | None = None, timesteps: list[float] | None = None
    ) -> None:
        """All but the first and the last level are looked at twice."""
        euler = FlowMatchEulerDiscreteScheduler.from_config(self.config)
        euler.set_timesteps(num_inference_steps, device=device, sigmas=sigmas, mu=mu, timesteps=timesteps)
        times, levels = euler.timesteps, euler.sigmas
        self.num_inference_steps = euler.num_inference_steps
        self.timesteps = torch.cat([times[:1], times[1:].repeat_interleave(2)])
        self.sigmas = torch.cat([levels[:1], levels[1:-1].repeat_interleave(2), levels[-1:]])
        self.prev_derivative = self.dt = None
        self._step_index = self._begin_index = None
