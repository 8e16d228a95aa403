"""Speaking with transformers' own networks: their calls as they are, with seeds that give the same sound again, and Stop between layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import transformers

from pipelines.music.speech.arpabet import arpabet
from pipelines.music.speech.engine import Phrase, Voice
from pipelines.music.speech.hf import BARK, CSM, FASTSPEECH, SEAMLESS, SPEECHT5, VITS, presets_of, read, speaker_of
from studio.api import BadInput

LOCAL: dict[str, Any] = {"local_files_only": True}
BARK_LETTERS = 140  # Bark speaks 13 seconds at most
CSM_LETTERS = 120  # and CSM, as it is published, 10
FASTSPEECH_RATE = 22050  # of ESPnet's voices; their config does not say
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
        text = self._read(phrase)
        if not text:
            return np.zeros(0, np.float32)
        with drawn(seed), stoppable(self.model, check), torch.inference_mode():
            return np.asarray(self._said(text, speaker_of(voice)), np.float32).reshape(-1)

    def _read(self, phrase: Phrase) -> str:
        """What the network's tokenizer is given."""
        return phrase.spoken.strip()

    def _said(self, text: str, speaker: str) -> Any:
        raise NotImplementedError


class Vits(TorchEngine):
    def __init__(self, folder: Path, vocoder: Path | None, threads: int, device: str) -> None:
        super().__init__(transformers.VitsModel.from_pretrained(folder, dtype=torch.float32, **LOCAL), threads, device)
        self.rate = int(self.model.config.sampling_rate)
        self.tokenizer = transformers.VitsTokenizer.from_pretrained(folder, **LOCAL)
        self.tokens = transformers.VitsTokenizer.from_pretrained(folder, normalize=False, phonemize=False, is_uroman=False, **LOCAL)  # of what is read already

    def _read(self, phrase: Phrase) -> str:
        """Letters or sounds of its vocabulary. Where it was taught sounds, those that somebody gave stay as they are, between what is read as usual."""
        if not self.tokenizer.phonemize or not any(piece.alphabet == "ipa" for piece in phrase.pieces):
            return str(self.tokenizer.prepare_for_tokenization(phrase.spoken.strip())[0])
        read = ["".join(letter for letter in piece.reading if letter in self.tokenizer.encoder) if piece.alphabet == "ipa" else self._usual(piece.spoken) for piece in phrase.pieces]
        return " ".join(part for part in read if part)

    def _usual(self, text: str) -> str:
        return str(self.tokenizer.prepare_for_tokenization(text.strip())[0]) if text.strip() else ""

    def _said(self, text: str, speaker: str) -> Any:
        given = self.tokens(text, return_tensors="pt").to(self.device)
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


class FastSpeech(TorchEngine):
    """Given sounds, which the English voice's reading finds: those that somebody gave stay as they are."""

    def __init__(self, folder: Path, vocoder: Path | None, threads: int, device: str) -> None:
        from hibari.g2p import G2P

        from pipelines.music.speech.hibari import HibariEngine

        super().__init__(transformers.FastSpeech2ConformerWithHifiGan.from_pretrained(folder, dtype=torch.float32, **LOCAL), threads, device)
        self.rate = int(getattr(self.model.config, "sampling_rate", FASTSPEECH_RATE))
        self.reader = HibariEngine(SimpleNamespace(g2p=G2P()))
        self.vocabulary = read(folder / "vocab.json")

    def _read(self, phrase: Phrase) -> str:
        return " ".join(arpabet(self.reader.sounds(phrase)))

    def _said(self, text: str, speaker: str) -> Any:
        unknown = self.vocabulary["<unk>"]
        ids = torch.tensor([[*(self.vocabulary.get(sound, unknown) for sound in text.split()), self.vocabulary["<sos/eos>"]]], device=self.device)
        return self.model(ids, speaker_ids=torch.tensor([int(speaker)], device=self.device) if speaker else None).waveform[0].cpu().numpy()


class Csm(TorchEngine):
    def __init__(self, folder: Path, vocoder: Path | None, threads: int, device: str) -> None:
        super().__init__(transformers.CsmForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, **LOCAL), threads, device)
        self.rate = int(self.model.config.codec_config.sampling_rate)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **LOCAL)

    def _said(self, text: str, speaker: str) -> Any:
        bits = [self.tokenizer(f"[{speaker}]{bit.strip()}", return_tensors="pt").to(self.device) for bit in short(text, CSM_LETTERS)]
        made = [self.model.generate(input_ids=bit["input_ids"], attention_mask=bit["attention_mask"], output_audio=True)[0] for bit in bits]
        return np.concatenate([sound.cpu().numpy() for sound in made])


class Seamless(TorchEngine):
    """A voice is "language/speaker"."""

    def __init__(self, version: str, folder: Path, vocoder: Path | None, threads: int, device: str) -> None:
        super().__init__(getattr(transformers, f"SeamlessM4T{version}ForTextToSpeech").from_pretrained(folder, dtype=torch.float32, **LOCAL), threads, device)
        self.rate = int(self.model.config.sampling_rate)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **LOCAL)
        self.asked = "speaker_id" if version else "spkr_id"

    def _said(self, text: str, speaker: str) -> Any:
        language, _, number = speaker.partition("/")
        self.tokenizer.src_lang = language
        return self.model.generate(**self.tokenizer(text, return_tensors="pt").to(self.device), tgt_lang=language, **{self.asked: int(number)})[0].cpu().numpy()


def load(architecture: str, folder: Path, vocoder: Path | None, threads: int, device: str) -> TorchEngine:
    transformers.utils.logging.disable_progress_bar()
    kinds: dict[str, Callable[..., TorchEngine]] = {VITS: Vits, SPEECHT5: SpeechT5, BARK: Bark, FASTSPEECH: FastSpeech, CSM: Csm}
    kinds |= {name: partial(Seamless, version) for name, version in SEAMLESS.items()}
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
