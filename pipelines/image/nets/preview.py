"""What the picture will be, from the latents of a step: the clean latents that the step foretells, through a linear map to colours.

The map is fitted once for each decoder on coloured patches, so that it holds for every family.
"""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image

MOST_SIDE = 128


def foretold(scheduler: Any, output: Any, timestep: Any, sample: Any, index: int | None = None) -> Any:
    """Clean latents from the network's output at a step, of the sample's shape; `index` is the scheduler's own of that step, before it went on.

    Source: the parametrisations of Karras et al. 2022, Salimans and Ho 2022.
    """
    if "FlowMatch" in type(scheduler).__name__:
        return sample - _sigma(scheduler, timestep, sample, index) * output
    kind = getattr(scheduler.config, "prediction_type", "epsilon")
    if kind == "flow_prediction":
        return sample - _sigma(scheduler, timestep, sample, index) * output
    if hasattr(scheduler, "sigmas") and "init_noise_sigma" in dir(scheduler) and float(scheduler.init_noise_sigma) > 1.5:
        sigma = _sigma(scheduler, timestep, sample, index)  # samples as k-diffusion scales them: x0 + sigma noise
        if kind == "v_prediction":
            return sample / (sigma**2 + 1) - output * sigma / (sigma**2 + 1) ** 0.5
        return output if kind == "sample" else sample - sigma * output
    kept = scheduler.alphas_cumprod[min(max(int(timestep), 0), len(scheduler.alphas_cumprod) - 1)].to(sample.device)
    if kind == "v_prediction":
        return kept**0.5 * sample - (1 - kept) ** 0.5 * output
    return output if kind == "sample" else (sample - (1 - kept) ** 0.5 * output) / kept**0.5


def _sigma(scheduler: Any, timestep: Any, sample: Any, index: int | None) -> Any:
    if index is None:
        index = int((scheduler.timesteps.to("cpu", torch.float32) - float(timestep)).abs().argmin())
    return scheduler.sigmas[min(index, len(scheduler.sigmas) - 1)].to(sample.device, sample.dtype)


@torch.no_grad()
def fit_colours(vae: Any, factor: int, device: str = "cpu") -> Any:
    """[channels + 1, 3]: the least-squares map from scaled latents to RGB in 0 … 1, from six patches of four colours and their mixtures."""
    generator = torch.Generator("cpu").manual_seed(5)
    side = 8
    blobs = torch.rand((6, 3, 2, 2), generator=generator)
    patches = torch.nn.functional.interpolate(blobs, size=(side * factor, side * factor), mode="bilinear", align_corners=True)
    own = vae.dtype
    exact = own == torch.float16 and bool(getattr(vae.config, "force_upcast", False))  # its half precision overflows; back and forth changes no weight
    if exact:
        vae.to(torch.float32)
    told = vae.encode((patches * 2 - 1).to(device, vae.dtype))
    if exact:
        vae.to(own)
    latents = told.latent_dist.mode() if hasattr(told, "latent_dist") else told.latents
    shift = getattr(vae.config, "shift_factor", None) or 0.0
    latents = ((latents.float().cpu() - shift) * (getattr(vae.config, "scaling_factor", None) or 1.0)).permute(0, 2, 3, 1)
    if latents.ndim != 4 or latents.shape[1] < 1 or not bool(torch.isfinite(latents).all()):
        return None
    wanted = torch.nn.functional.interpolate(patches, size=latents.shape[1:3], mode="area").permute(0, 2, 3, 1)
    flat = latents.reshape(-1, latents.shape[-1])
    return torch.linalg.lstsq(torch.cat([flat, torch.ones(len(flat), 1)], 1), wanted.reshape(-1, 3)).solution


def picture(latents: Any, colours: Any, factor: int) -> Image.Image:
    """[C, h, w] as a small soft picture in the finished one's proportions: the page stretches it, so that drawing and sending it cost next to nothing."""
    channels, height, width = latents.shape
    flat = latents.float().cpu().permute(1, 2, 0).reshape(-1, channels)
    told = (flat @ colours[:-1] + colours[-1]).clamp(0, 1).mul(255).round().to(torch.uint8).reshape(height, width, 3).numpy()
    side = min(factor, max(1, MOST_SIDE // max(height, width)))
    return Image.fromarray(told).resize((width * side, height * side), Image.Resampling.BICUBIC)
