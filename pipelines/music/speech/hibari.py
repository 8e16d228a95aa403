"""The English voice that comes along: hibari, a small network with a pronunciation of its own, at 24 kHz. Its model lies in its package; other voices that it knows would have to be downloaded and are not offered."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.music.speech.engine import Phrase, Report, Voice
from pipelines.music.speech.english import spelled
from pipelines.music.speech.graphs import with_output
from pipelines.music.speech.packages import installed
from pipelines.music.speech.sounds import from_voice, to_voice
from pipelines.music.speech.words import Spoken, Word, aligned, moved
from studio.api import Catalog

if TYPE_CHECKING:
    import numpy as np

MOST_SOUNDS = 380  # that the network is given at once
WEIGHTS = 8_000_000
MEMORY = 110_000_000  # the network at work, the lexicons and the tagger
LETTERS = "abcdefghij"
LENGTHS = "/Round_output_0"  # what the network calls the lengths of its sounds
LENGTH_SAMPLES = 600  # of one unit of them
EARLY = 0.05  # seconds by which a sound is heard before its units begin, two of them: measured at 11 pauses, 49 ± 17 ms


class Hibari:
    """Its maker."""

    id = "hibari"
    speed = 40.0

    def voices(self, catalog: Catalog) -> list[Voice]:
        return [
            Voice(
                "heart",
                "Heart",
                self.id,
                ("en",),
                licence="Apache-2.0",
                gender="female",
                sounds=("ipa",),
                level=3.5,
                missing="" if installed("hibari", "onnxruntime") else "The English voice is not installed yet.",
                hint="It arrives with the engines.",
            )
        ]

    def key(self, voice: Voice) -> str:
        return "speech/hibari"

    def bytes(self, voice: Voice, catalog: Catalog) -> int:
        return WEIGHTS + MEMORY

    def load(self, voice: Voice, catalog: Catalog, threads: int, device: str, report: Report) -> HibariEngine:
        import hibari

        return HibariEngine(listened(hibari.Hibari(voice="heart", threads=threads), threads))


class Listening:
    """The network's session, which also keeps how long each sound was: the package asks for all outputs and knows nothing of one more."""

    def __init__(self, session: Any, count: int) -> None:
        self._session, self._count, self.lengths = session, count, [0.0]

    def run(self, names: Any, feed: dict[str, Any]) -> list[Any]:
        *outputs, lengths = self._session.run(names, feed)
        self.lengths = [float(length) for length in lengths.ravel()]
        return outputs


def listened(voice: Any, threads: int) -> Any:
    """The voice with one more output, or as it was where its file knows no such thing."""
    import onnxruntime

    model = with_output(Path(voice.model_path), LENGTHS)
    if model is None:
        return voice
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 3
    count = len(voice.sess.get_outputs())
    voice.sess = Listening(onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]), count)
    return voice


class HibariEngine:
    rate = 24000
    keeps_speed = True
    keeps_pitch = False  # the network's own pitch curve can be moved, but the loudness goes with it

    def __init__(self, voice: Any) -> None:
        self._voice = voice
        self._words: list[Word] = []
        voice.g2p.tokenize("Ready.")  # its lexicons are read now, not in the first sentence

    def say(self, phrase: Phrase, voice: Voice, *, speed: float, semitones: float, seed: int, check: Callable[[], None]) -> np.ndarray:
        import numpy as np

        said, lengths, spans = [], list[float](), list[tuple[str, int, int]]()
        for sounds in _bits(self._read(phrase, spans)):
            check()
            made, times = self._one(sounds, speed, seed)
            said.append(made)
            lengths += times
        self._words = moved(aligned(phrase.text, _times(spans, lengths)), -EARLY) if sum(lengths) else []
        return np.concatenate(said) if said else np.zeros(0, np.float32)

    def words(self) -> list[Word]:
        return self._words

    def _one(self, sounds: str, speed: float, seed: int) -> tuple[np.ndarray, list[float]]:
        """What it says, and the seconds of each letter of `sounds`. Its own speeds are off by up to 10 %: what is left to the wanted one is stretched."""
        from pipelines.music.speech.sound import paced

        said = self._voice.from_phonemes(sounds, speed, seed)
        times = self._lengths(sounds)
        if speed == 1.0 or not said.size:
            return said, times
        made = paced(said, self._voice.from_phonemes(sounds, 1.0, seed), self.rate, speed)
        return made, [time * len(made) / len(said) for time in times]

    def _lengths(self, sounds: str) -> list[float]:
        """Of each letter; the silence before the first and behind the last is theirs."""
        if not isinstance(self._voice.sess, Listening):
            return [0.0] * len(sounds)
        known = [letter in self._voice.vocab for letter in sounds]
        first, *lengths, last = self._voice.sess.lengths
        if len(lengths) != sum(known) or not lengths:
            return [0.0] * len(sounds)
        lengths[0], lengths[-1] = lengths[0] + first, lengths[-1] + last
        told = iter(lengths)
        return [next(told) * LENGTH_SAMPLES / self.rate if there else 0.0 for there in known]

    def sounds(self, phrase: Phrase) -> str:
        return self._read(phrase, [])

    def _read(self, phrase: Phrase, spans: list[tuple[str, int, int]]) -> str:
        """The phrase in the voice's alphabet; into `spans` come its words and where each one's sounds begin and end.

        Pieces with sounds of their own stand in the sentence as words nobody wrote, so that the words around them are read as usual.
        """
        from hibari.g2p.normalize import normalize

        text, own = "", dict[str, str]()
        for piece in phrase.pieces:
            if piece.alphabet != "ipa":
                text += piece.spoken.replace("[", "(").replace("]", ")")
                continue
            name = f"Qz{LETTERS[len(own) // 10 % 10]}{LETTERS[len(own) % 10]}"
            own[name] = to_voice(piece.reading)
            text += (" " if text[-1:].isalnum() else "") + name + " "
        return self._phonemes(normalize(spelled(_joined(text, own))), own, spans)

    def _phonemes(self, text: str, own: dict[str, str], spans: list[tuple[str, int, int]]) -> str:
        g2p = self._voice.g2p
        tokens = g2p.tokenize(text)
        for token in tokens:
            if token.text in own:
                token.phonemes, token.rating = own[token.text], 5
        made = ""
        for token in g2p.phonemize_tokens(tokens):
            sounds = (token.phonemes or "") if made else (token.phonemes or "").lstrip()
            if sounds and any(letter.isalnum() for letter in token.text):
                spans.append((token.text, len(made), len(made) + len(sounds)))
            made += sounds + (" " if token.whitespace and made + sounds else "")
        return made.strip()


def _times(spans: list[tuple[str, int, int]], lengths: list[float]) -> list[Spoken]:
    """Seconds of words from those of their letters; what follows the last one belongs to it."""
    at = list(accumulate(lengths, initial=0.0))
    return [(word, at[min(begin, len(lengths))], at[min(end, len(lengths))]) for word, begin, end in spans]


def english_readings(g2p: Any, text: str) -> list[tuple[str, str]]:
    """Each word of an English text with its sounds as the dictionary takes them, between slashes; marks have none."""
    from hibari.g2p.normalize import normalize

    said = g2p.phonemize_tokens(g2p.tokenize(normalize(spelled(text))))
    return [(token.text, f"/{from_voice(token.phonemes.strip())}/" if token.phonemes and any(letter.isalnum() for letter in token.text) else "") for token in said]


def _joined(text: str, own: dict[str, str]) -> str:
    """No space between a word of ours and the mark after it."""
    for name in own:
        for mark in ".,;:!?)”":
            text = text.replace(f"{name} {mark}", f"{name}{mark}")
        text = text.replace(f"{name}  ", f"{name} ")
    return text


def _bits(sounds: str) -> list[str]:
    """As it is, or cut at spaces into what the network takes."""
    bits: list[str] = []
    while len(sounds) > MOST_SOUNDS:
        cut = max(sounds.rfind(mark, 100, MOST_SOUNDS) for mark in (", ", "; ", " "))
        cut = cut + 1 if cut > 0 else MOST_SOUNDS
        bits.append(sounds[:cut])
        sounds = sounds[cut:]
    return [bit for bit in [*bits, sounds] if bit.strip()]
