"""Speaking with transformers' own networks: their calls as they are, with seeds that give the same sound again, and Stop between layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from pipelines.music.speech.engine import Phrase, Voice
from pipelines.music.speech.hf import BARK, SPEECHT5, VITS, presets_of, speaker_of
from studio.api import BadInput

LOCAL: dict[str, Any] = {"local_files_only": True}
BARK_LETTERS = 140  # Bark speaks 13 seconds at most
MADE_UP = "made-up-"


class TorchEngine:
    """One loaded model; what each family does differently is `_said`."""

    keeps_speed = False  # frames are whole: its own speeds are off by more than a listener would grant
    keeps_pitch = False
    rate = 16000

    def __init__(self, model: Any, threads: int, device: str) -> None:
        torch.set_num_threads(threads)
        self.model = model.to(device).eval()
        self.device = device

    def say(self, phrase: Phrase, voice: Voice, *, speed: float, semitones: float, seed: int, check: Callable[[], None]) -> np.ndarray:
        text = phrase.spoken.strip()
        if not text:
            return np.zeros(0, np.float32)
        with drawn(seed), stoppable(self.model, check), torch.inference_mode():
            return np.asarray(self._said(text, speaker_of(voice)), np.float32).reshape(-1)

    def _said(self, text: str, speaker: str) -> Any:
        raise NotImplementedError


class Vits(TorchEngine):
    def __init__(self, folder: Path, vocoder: Path | None, threads: int, device: str) -> None:
        super().__init__(transformers.VitsModel.from_pretrained(folder, dtype=torch.float32, **LOCAL), threads, device)
        self.rate = int(self.model.config.sampling_rate)
        self.tokenizer = transformers.VitsTokenizer.from_pretrained(folder, **LOCAL)

    def _said(self, text: str, speaker: str) -> Any:
        given = self.tokenizer(text, return_tensors="pt").to(self.device)
        if not self.tokenizer.prepare_for_tokenization(text)[0]:
            return np.zeros(0, np.float32)  # signs that it never learnt
        return self.model(**given, speaker_id=int(speaker) if speaker else None).waveform[0].cpu().numpy()


class SpeechT5(TorchEngine):
    def __init__(self, folder: Path, vocoder: Path | None, threads: int, device: str) -> None:
        assert vocoder is not None
        super().__init__(transformers.SpeechT5ForTextToSpeech.from_pretrained(folder, dtype=torch.float32, **LOCAL), threads, device)
        self.tokenizer = transformers.SpeechT5Tokenizer.from_pretrained(folder, **LOCAL)
        self.vocoder = transformers.SpeechT5HifiGan.from_pretrained(vocoder, dtype=torch.float32, **LOCAL).to(device).eval()
        self.rate = int(self.vocoder.config.sampling_rate)
        self.folder = folder

    def _said(self, text: str, speaker: str) -> Any:
        ids = self.tokenizer(text, return_tensors="pt").input_ids.to(self.device)
        who = torch.from_numpy(embedding(self.folder, speaker, int(self.model.config.speaker_embedding_dim)))[None].to(self.device)
        return self.model.generate_speech(ids, who, vocoder=self.vocoder).cpu().numpy()


class Bark(TorchEngine):
    def __init__(self, folder: Path, vocoder: Path | None, threads: int, device: str) -> None:
        super().__init__(transformers.BarkModel.from_pretrained(folder, dtype=torch.float32, **LOCAL), threads, device)
        self.rate = int(self.model.generation_config.sample_rate)
        self.processor = transformers.BarkProcessor(transformers.AutoTokenizer.from_pretrained(folder, **LOCAL))
        self.presets = presets_of(folder)

    def _said(self, text: str, speaker: str) -> Any:
        preset = {part: np.load(file, allow_pickle=False) for part, file in self.presets[speaker].items()} if speaker else None
        bits = [self.processor(bit, voice_preset=preset).to(self.device) for bit in short(text, BARK_LETTERS)]
        return np.concatenate([self.model.generate(**bit).cpu().numpy().reshape(-1) for bit in bits])


def load(architecture: str, folder: Path, vocoder: Path | None, threads: int, device: str) -> TorchEngine:
    transformers.utils.logging.disable_progress_bar()
    kinds: dict[str, Callable[..., TorchEngine]] = {VITS: Vits, SPEECHT5: SpeechT5, BARK: Bark}
    return kinds[architecture](folder, vocoder, threads, device)


def embedding(folder: Path, speaker: str, width: int) -> np.ndarray:
    """Who speaks, (width,) of length 1: a recorded x-vector, or one drawn from a number. Raises BadInput for a file of another size."""
    if speaker.startswith(MADE_UP):
        values = np.random.default_rng(int(speaker.removeprefix(MADE_UP))).standard_normal(width)
    else:
        values = np.load(folder / "speakers" / f"{Path(speaker).name}.npy", allow_pickle=False).reshape(-1)
        if values.shape != (width,):
            raise BadInput(f"The speaker “{speaker}” has {values.size} numbers; this model takes {width}.", hint="Give an x-vector that was made for it.", field="voice")
    return (values / max(float(np.linalg.norm(values)), 1e-9)).astype(np.float32)


def short(text: str, most: int) -> list[str]:
    """The text in stretches of at most `most` letters, cut at marks and spaces."""
    bits: list[str] = []
    while len(text) > most:
        cut = max((text.rfind(mark, most // 3, most) + 1 for mark in ("; ", ", ", "、")), default=0) or text.rfind(" ", 1, most) + 1 or most
        bits.append(text[:cut])
        text = text[cut:]
    return [bit for bit in [*bits, text] if bit.strip()]


@contextmanager
def drawn(seed: int) -> Iterator[None]:
    """Random numbers by the seed inside, and as they were afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def stoppable(model: Any, check: Callable[[], None]) -> Iterator[None]:
    """`check` is called before each part of the network down to its layers; what it raises ends the work."""
    def before(module: Any, given: Any) -> None:
        check()

    parts = [module for name, module in model.named_modules() if 0 < name.count(".") + 1 <= 3]
    hooks = [part.register_forward_pre_hook(before) for part in parts]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
