"""Stable Audio, AudioLDM 2 and ACE-Step: one pass of diffusers' own pipeline a sound, decoded in windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import numpy as np
import torch

from pipelines.music.audio.nets.load import AudioModel
from pipelines.music.audio.tape import Samples

AROUND = 32  # latents that a decoder of convolutions hears around each window: more than its reach
WINDOW_SECONDS = 20.0
LOUD = 10 ** (-1 / 20)  # peak of what ACE-Step makes
SEAM = 0.05  # seconds over which kept and new sound become one another
KINDS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "stable_audio": {"DPM++ 2M": ("EDMDPMSolverMultistepScheduler", {}), "DPM++ 2M SDE": ("CosineDPMSolverMultistepScheduler", {})},
    "audioldm2": {"DPM++ 2M": ("DPMSolverMultistepScheduler", {}), "DDIM": ("DDIMScheduler", {}), "Euler": ("EulerDiscreteScheduler", {})},
}  # fmt: skip
Told = Callable[[int], None]


def make(model: AudioModel, given: dict[str, Any], seed: int, told: Told, check: Callable[[], None], sound: Samples | None = None) -> Samples:
    """[channels, samples]. `given` holds prompt, negative_prompt, seconds, steps, guidance, scheduler, strength, mode and what singing models are told; `sound` is at the model's rate and channels."""
    torch.manual_seed(seed)  # encoders of ACE-Step draw without a generator
    pipe, family = model.net, model.family
    call: dict[str, Any] = {
        "prompt": given["prompt"], "num_inference_steps": given["steps"], "guidance_scale": given["guidance"], "generator": torch.Generator("cpu").manual_seed(seed),
        "callback": lambda step, *_: told(step + 1), "callback_steps": 1,
    }  # fmt: skip
    with model.watched(check), torch.inference_mode():
        set_scheduler(model, given["scheduler"], given["strength"] if given["mode"] == "From a sound" else 1.0)
        try:
            return {"stable_audio": _stable, "audioldm2": _ldm, "ace_step": _ace}[family.key](model, call, given, sound, check)
        finally:
            pipe.maybe_free_model_hooks()


def set_scheduler(model: AudioModel, name: str, strength: float) -> None:
    """A fresh one. How far a given sound is changed is where the noise begins: between the smallest and the largest of the schedule, even in its logarithm."""
    kind, more = KINDS.get(model.family.key, {}).get(name, ("", {}))
    base = model.scheduler
    config = dict(base.config) | more
    if strength < 1:
        config["sigma_max"] = float(base.config.sigma_max**strength * base.config.sigma_min ** (1 - strength))
    model.net.scheduler = (getattr(diffusers, kind) if kind else type(base)).from_config(config)


def _stable(model: AudioModel, call: dict[str, Any], given: dict[str, Any], sound: Samples | None, check: Callable[[], None]) -> Samples:
    pipe, family = model.net, model.family
    more: dict[str, Any] = {}
    if sound is not None:
        length = family.facts["frames"] * family.facts["hop"]
        whole = np.zeros((family.channels, length), np.float32)
        whole[:, : min(length, sound.shape[1])] = sound[:, :length]
        more = {"initial_audio_waveforms": torch.as_tensor(whole)[None].to(pipe.vae.device if model.device == "cpu" else model.device, pipe.vae.dtype), "initial_audio_sampling_rate": family.rate}
    latents = pipe(**call, **more, negative_prompt=given["negative_prompt"] or None, audio_end_in_s=given["seconds"], output_type="latent").audios
    samples = int(given["seconds"] * family.rate)
    return in_windows(pipe.vae, latents[..., : -(-samples // family.facts["hop"]) + AROUND], family.facts["hop"], family.rate, check)[:, :samples]


def _ldm(model: AudioModel, call: dict[str, Any], given: dict[str, Any], sound: Samples | None, check: Callable[[], None]) -> Samples:
    wave = model.net(**call, negative_prompt=given["negative_prompt"] or None, audio_length_in_s=given["seconds"]).audios[0]
    return np.atleast_2d(np.asarray(wave, dtype=np.float32))


def _ace(model: AudioModel, call: dict[str, Any], given: dict[str, Any], sound: Samples | None, check: Callable[[], None]) -> Samples:
    pipe, family, rate = model.net, model.family, model.family.rate
    more: dict[str, Any] = {name: given[own] or None for own, name in (("tempo", "bpm"), ("key", "keyscale"), ("metre", "timesignature"))}
    begin = end = 0.0
    if sound is not None:
        pipe.vae.enable_tiling()
        heard = torch.as_tensor(sound)
        begin, end = (given["repaint_from"], given["repaint_to"] or heard.shape[1] / rate) if given["mode"] == "Repaint" else (heard.shape[1] / rate, heard.shape[1] / rate + given["seconds"])
        whole = torch.nn.functional.pad(heard, (0, max(0, round(end * rate) - heard.shape[1])))
        more |= {"reference_audio": heard} if given["mode"] == "Timbre" else {"task_type": "repaint", "src_audio": whole, "repainting_start": begin, "repainting_end": end}
    seconds = given["seconds"] if "src_audio" not in more else more["src_audio"].shape[1] / rate
    latents = pipe(**call, **more, lyrics=given["lyrics"], vocal_language=given["language"] or "en", audio_duration=seconds, output_type="latent").audios
    made = in_windows(pipe.vae, latents.transpose(1, 2), family.facts["hop"], rate, check)[:, : round(seconds * rate)]
    return levelled(made) if "src_audio" not in more else laid_into(sound, made, begin, end, rate)


def levelled(made: Samples) -> Samples:
    """At one peak, as ACE-Step's makers and diffusers do."""
    return made * (LOUD / max(float(np.abs(made).max()), 1e-6))


def laid_into(sound: Samples | None, made: Samples, begin: float, end: float, rate: int) -> Samples:
    """The new part between what was there, which stays as it was but for a short seam at each end; as loud as the kept parts were made again."""
    assert sound is not None
    first, last, seam = round(begin * rate), min(round(end * rate), made.shape[1]), max(1, round(SEAM * rate))
    kept = np.ones(made.shape[1], bool)
    kept[first:last] = False
    kept[sound.shape[1] :] = False
    was, again = float(np.sqrt(np.mean(sound[:, : kept.size][:, kept[: sound.shape[1]]] ** 2))) if kept.any() else 0.0, float(np.sqrt(np.mean(made[:, kept] ** 2))) if kept.any() else 0.0
    made = made * (was / again) if was > 1e-6 and again > 1e-6 else levelled(made)
    share = np.zeros(made.shape[1], np.float32)
    share[first:last] = 1
    rise = np.linspace(0, 1, seam, dtype=np.float32)
    if first > 0:
        share[first : first + seam] = rise[: max(0, min(seam, made.shape[1] - first))]
    if last < sound.shape[1]:
        share[max(first, last - seam) : last] = np.minimum(share[max(first, last - seam) : last], rise[::-1][-min(seam, last - first) :])
    old = np.pad(sound, ((0, 0), (0, max(0, made.shape[1] - sound.shape[1]))))[:, : made.shape[1]]
    if last > sound.shape[1] and first >= sound.shape[1] - 1:  # it goes on: there is nothing below the new part to fade from
        share[first:last] = 1
    return np.asarray(np.clip(old * (1 - share) + made * share, -1, 1), dtype=np.float32)


def in_windows(vae: Any, latents: Any, hop: int, rate: int, check: Callable[[], None], seconds: float = WINDOW_SECONDS) -> Samples:
    """[channels, samples] of latents [1, numbers, frames]: each window hears enough around it to be the same as in one go."""
    size, frames = max(1, round(seconds * rate / hop)), latents.shape[2]
    if vae.use_tiling:
        vae.disable_tiling()
    parts = []
    for first in range(0, frames, size):
        check()
        low, high = max(0, first - AROUND), min(frames, first + size + AROUND)
        wave = vae.decode(latents[:, :, low:high]).sample[0].float().cpu().numpy()
        parts.append(wave[:, (first - low) * hop : (min(frames, first + size) - low) * hop])
    return np.concatenate(parts, axis=1)
