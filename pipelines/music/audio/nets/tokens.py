"""MusicGen: tokens of a codec drawn one after the other, as long as is wished, a window sliding over what is there.

The library's own `generate` draws each window; its tokens are taken before it decodes them, so that the next window goes on from tokens, not from sound, and a broken-off window sounds too.
Source: Copet et al., Simple and Controllable Music Generation (2023), sections 2.2 (delayed codebooks) and 2.3 (melody).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from pipelines.music.audio.nets.chroma import loudest, part_from
from pipelines.music.audio.nets.load import AudioModel
from pipelines.music.audio.tape import Samples, Tape
from studio.api import give_back

USUAL_TEMPERATURE, USUAL_TOP_K, USUAL_OVERLAP = 1.0, 250, 10.0
FADE, GUARD = 0.05, 0.1  # seconds over which windows become one another; the end of a decoded window that hears nothing after it


@dataclass(frozen=True)
class Ask:
    prompt: str
    seconds: float
    guidance: float
    temperature: float = USUAL_TEMPERATURE
    top_k: int = USUAL_TOP_K
    overlap: float = USUAL_OVERLAP


class Enough(Exception):
    """The tokens drawn so far, taken out of the library's loop."""

    def __init__(self, ids: Any) -> None:
        super().__init__()
        self.ids = ids


class _Watch(StoppingCriteria):  # type: ignore[misc]
    def __init__(self, length: int, told: Callable[[int], bool]) -> None:
        self.length, self.told = length, told

    def __call__(self, ids: Any, scores: Any, **more: Any) -> Any:
        if self.told(ids.shape[1]) or ids.shape[1] >= self.length:
            raise Enough(ids)
        return torch.zeros(ids.shape[0], dtype=torch.bool, device=ids.device)


def write(model: AudioModel, ask: Ask, tape: Tape, told: Callable[[int, int], bool], *, codes: Any = None, melody: Samples | None = None) -> None:
    """Onto the tape. `told(frames, of)` hears of each token and says whether that is enough; `codes` [codebooks, frames] is what goes before, `melody` one channel at the extractor's rate.

    The global random numbers of torch must be seeded by the caller.
    """
    hop, per_second = model.family.facts["hop"], model.family.rate / model.family.facts["hop"]
    total, reach, keep = round(ask.seconds * per_second), round(model.family.window * per_second), round(ask.overlap * per_second)
    codes = torch.zeros((model.family.facts["codebooks"], 0), dtype=torch.long, device=model.device) if codes is None else codes[:, -keep:]
    fade, guard, done, ours, enough = round(FADE * model.family.rate), round(GUARD * model.family.rate), 0, False, False
    while done < total and not enough:
        heard, at = codes.shape[1], done
        new = min(total - at, reach - heard)
        features = _features(model, melody, at / per_second) if melody is not None else None
        codes, enough = _window(model, ask, codes, new, features, lambda made, at=at: told(at + made, total))  # type: ignore[misc]
        if (made := codes.shape[1] - heard) > 0:
            wave = decoded(model, codes)
            back = guard if ours else 0
            start = max(0, heard * hop - fade - back)
            tape.append(wave[:, start:], heard * hop - start - back if heard else 0, back if heard else 0)
            del wave
            give_back()  # what the window took: allocators would keep it, a little more each time
        done, ours, codes = at + made, True, codes[:, -keep:]


def _window(model: AudioModel, ask: Ask, codes: Any, new: int, features: Any, told: Callable[[int], bool]) -> tuple[Any, bool]:
    """(what was there and the new tokens, whether it was enough before all were drawn)."""
    net, heard = model.net, codes.shape[1]
    delay = model.family.facts["codebooks"] // model.family.channels
    length = 1 + heard + new + delay - 1  # the start, and the last codebook's delay
    more: dict[str, Any] = {"decoder_input_ids": codes} if heard else {}
    more |= {"input_features": features} if features is not None else {}
    words = model.words([ask.prompt], padding=True, return_tensors="pt").to(model.device)
    words.pop("token_type_ids", None)
    stopped = [False]

    def watch(have: int) -> bool:
        stopped[0] = told(min(new, max(0, have - delay - heard)))
        return stopped[0]

    try:
        with torch.inference_mode():
            net.generate(
                **words, **more, do_sample=True, guidance_scale=ask.guidance, temperature=ask.temperature, top_k=ask.top_k, max_new_tokens=new + delay - 1, stopping_criteria=StoppingCriteriaList([_Watch(length, watch)])
            )
    except Enough as taken:
        return undelayed(net, taken.ids, codes, length, delay), stopped[0]
    raise RuntimeError("the model ended before its time")


def undelayed(net: Any, ids: Any, codes: Any, length: int, delay: int) -> Any:
    """[codebooks, frames] of the drawn tokens, codebook k beginning k columns later; frames of which not every codebook is there are left out."""
    start = torch.full((codes.shape[0], 1), net.generation_config.decoder_start_token_id, dtype=torch.long, device=codes.device)
    _, mask = net.decoder.build_delay_pattern_mask(torch.cat([start, codes], 1), pad_token_id=net.generation_config.decoder_start_token_id, max_length=length)
    ids = net.decoder.apply_delay_pattern_mask(ids, mask)
    frames, each = max(codes.shape[1], ids.shape[1] - delay), ids.shape[0] // delay
    if frames <= codes.shape[1]:
        return codes
    return torch.stack([row[number // each + 1 : number // each + 1 + frames] for number, row in enumerate(ids)])


def decoded(model: AudioModel, codes: Any) -> Samples:
    """[channels, samples]. Stereo models have the codebooks of left and right in turn."""
    with torch.inference_mode():
        sides = [codes] if model.family.channels == 1 else [codes[::2], codes[1::2]]
        waves = [model.net.audio_encoder.decode(side[None, None], audio_scales=[None]).audio_values[0, 0] for side in sides]
    return np.asarray(torch.stack(waves).float().cpu().numpy(), dtype=np.float32)


def encoded(model: AudioModel, samples: Samples, seconds: float) -> Any:
    """The codes [codebooks, frames] of the last seconds of a sound at the model's rate, whole frames only."""
    hop = model.family.facts["hop"]
    count = min(round(seconds * model.family.rate), samples.shape[1]) // hop * hop
    tail = torch.as_tensor(np.ascontiguousarray(samples[:, samples.shape[1] - count :]), device=model.device).to(model.net.dtype)
    with torch.inference_mode():
        sides = [model.net.audio_encoder.encode(side[None, None]).audio_codes[0, 0] for side in tail]
    return sides[0] if len(sides) == 1 else torch.stack(sides, 1).reshape(-1, sides[0].shape[1])


def _features(model: AudioModel, melody: Samples, seconds: float) -> Any:
    heard = model.heard or {}
    rate, hop = int(heard.get("sampling_rate", 32000)), int(heard.get("hop_length", 4096))
    part = part_from(melody, rate, seconds, min(model.family.window, len(melody) / rate))
    return loudest(part, rate, int(heard.get("n_fft", 16384)), hop, int(heard.get("num_chroma", 12))).to(model.device, model.net.dtype)
