"""What the picture will be, from the latents of a step: the clean latents that the step foretells, through a linear map to colours.

The map is fitted once for each decoder on coloured patches, so that it holds for every family.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from PIL import Image

MOST_SIDE = 128
PIXELS = torch.cat([torch.eye(3) / 2, torch.full((1, 3), 0.5)])  # of a network that draws in pixels: from -1 … 1


def foretold(scheduler: Any, output: Any, timestep: Any, sample: Any, index: int | None = None) -> Any:
    """Clean latents from the network's output at a step, of the sample's shape; `index` is the scheduler's own of that step, before it went on.

    Source: the parametrisations of Karras et al. 2022, Salimans and Ho 2022.
    """
    output = output[:, : sample.shape[1]] if output.ndim == sample.ndim == 4 else output  # behind it some networks tell a variance
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
def fit_colours(vae: Any, factor: int, device: str = "cpu", *, by_channel: bool = False) -> Any:
    """[channels + 1, 3]: the least-squares map from scaled latents to RGB in 0 … 1, from six patches of four colours and their mixtures. `by_channel`: they are scaled by each channel's mean and spread."""
    generator = torch.Generator("cpu").manual_seed(5)
    side = 8
    blobs = torch.rand((6, 3, 2, 2), generator=generator)
    patches = torch.nn.functional.interpolate(blobs, size=(side * factor, side * factor), mode="bilinear", align_corners=True)
    own = vae.dtype
    exact = own == torch.float16 and bool(getattr(vae.config, "force_upcast", False))  # its half precision overflows; back and forth changes no weight
    if exact:
        vae.to(torch.float32)
    given = (patches * 2 - 1).to(device, vae.dtype)
    if (getattr(vae.config, "in_channels", None) or getattr(vae.config, "input_channels", 3)) == 4:  # the last one says how much covers what is behind
        given = torch.cat([given, torch.ones_like(given[:, :1])], 1)
    film = hasattr(vae.config, "latents_mean") and hasattr(vae.config, "temperal_downsample")  # frames, and latents scaled channel by channel
    told = vae.encode(given[:, :, None] if film else given)
    if exact:
        vae.to(own)
    latents = told.latent_dist.mode() if hasattr(told, "latent_dist") else told.latents if hasattr(told, "latents") else told.latent
    latents = _scaled(vae, latents[:, :, 0].float().cpu() if film else latents.float().cpu(), film or by_channel).permute(0, 2, 3, 1)
    if latents.ndim != 4 or latents.shape[1] < 1 or not bool(torch.isfinite(latents).all()):
        return None
    wanted = torch.nn.functional.interpolate(patches, size=latents.shape[1:3], mode="area").permute(0, 2, 3, 1)
    flat = latents.reshape(-1, latents.shape[-1])
    return torch.linalg.lstsq(torch.cat([flat, torch.ones(len(flat), 1)], 1), wanted.reshape(-1, 3)).solution


def _scaled(vae: Any, latents: Any, by_channel: bool) -> Any:
    """[B, C, h, w] as the loop has them; Kandinsky's decoder takes its latents as they are."""
    if by_channel:
        mean, spread = (torch.tensor(numbers).reshape(1, -1, 1, 1) for numbers in (vae.config.latents_mean, vae.config.latents_std))
        return (latents - mean) / spread
    scale = 1.0 if type(vae).__name__ == "VQModel" else getattr(vae.config, "scaling_factor", None) or 1.0
    return (latents - (getattr(vae.config, "shift_factor", None) or 0.0)) * scale


def of_tokens(vae: Any, tokens: Any, rows: int, columns: int, order: Any = None) -> Any:
    """[1, C, h, w] as FLUX.2's decoder takes them, of tokens (1, rows × columns, 4 C), each two by two latents normalised channel by channel; `order` are the statistics' places for channels that lie otherwise."""
    tokens = tokens.permute(0, 2, 1).reshape(1, -1, rows, columns)
    found = vae.bn.running_mean, vae.bn.running_var
    mean, variance = ((told if order is None else told[order]).view(1, -1, 1, 1).to(tokens.device, tokens.dtype) for told in found)
    latents = tokens * (variance + vae.config.batch_norm_eps) ** 0.5 + mean
    return torch.nn.functional.pixel_shuffle(latents, 2)


def unpacked(pipe: Any, latents: Any, height: int, width: int) -> Any:
    """[1, C, h, w] of a loop's latents, which many transformers have in rows of tokens (1, tokens, C'), for a picture of that size."""
    if hasattr(pipe, "_unpack_latents_with_ids"):  # FLUX.2: normalised tokens
        side = 2 * pipe.vae_scale_factor
        return of_tokens(pipe.vae, latents, height // side, width // side)
    if latents.ndim != 3:
        return latents
    if not hasattr(pipe, "_unpack_latents"):  # Ideogram 4: normalised as well, with the channels behind their places
        side = pipe.patch_size * pipe.vae_scale_factor
        places = latents.unflatten(2, (pipe.patch_size**2, -1)).transpose(2, 3).flatten(2)
        order = torch.arange(latents.shape[2], device=latents.device).unflatten(0, (pipe.patch_size**2, -1)).T.flatten()
        return of_tokens(pipe.vae, places, height // side, width // side, order)
    known = {"height": height, "width": width, "vae_scale_factor": pipe.vae_scale_factor, "patch_size": getattr(pipe.transformer.config, "patch_size", 2)}
    wanted = inspect.signature(pipe._unpack_latents).parameters
    if "layers" in wanted:  # the whole, then each layer: these are shown side by side
        side = 2 * pipe.vae_scale_factor
        known["layers"] = latents.shape[1] // ((height // side) * (width // side)) - 1
    told = pipe._unpack_latents(latents, **{name: value for name, value in known.items() if name in wanted})
    if "layers" in wanted:
        return torch.cat(list(told[:, :, 1:].unbind(2)), -1)
    return told[:, :, 0] if told.ndim == 5 else told  # decoders made for films have one frame here


def picture(latents: Any, colours: Any, factor: int) -> Image.Image:
    """[C, h, w] as a small soft picture in the finished one's proportions: the page stretches it, so that drawing and sending it cost next to nothing."""
    channels, height, width = latents.shape
    flat = latents.float().cpu().permute(1, 2, 0).reshape(-1, channels)
    told = (flat @ colours[:-1] + colours[-1]).clamp(0, 1).mul(255).round().to(torch.uint8).reshape(height, width, 3).numpy()
    side = min(factor, max(1, MOST_SIDE // max(height, width)))
    return Image.fromarray(told).resize((width * side, height * side), Image.Resampling.BICUBIC)
