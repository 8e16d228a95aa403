"""Voices of transformers that lie in the models folder: VITS and MMS, SpeechT5 with its vocoder, Bark with its presets, FastSpeech2, CSM, SeamlessM4T. Known from config files; torch is loaded with the voice.

Sources: VITS (Kim 2021), MMS (Pratap 2023), SpeechT5 (Ao 2022), HiFi-GAN (Kong 2020), FastSpeech2 with Conformers (Guo 2021), SeamlessM4T (Meta 2023), the model cards of Bark and CSM.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.music.speech.engine import Report, Voice
from pipelines.music.speech.hibari import MEMORY
from pipelines.music.speech.packages import installed
from studio.api import Catalog, ModelBroken, ModelEntry, ModelMissing, StudioError

if TYPE_CHECKING:
    from pipelines.music.speech.nets.voices import TorchEngine

ENGINE = "transformers"
VITS, SPEECHT5, BARK, VOCODER = "VitsModel", "SpeechT5ForTextToSpeech", "BarkModel", "SpeechT5HifiGan"
FASTSPEECH, CSM = "FastSpeech2ConformerWithHifiGan", "CsmForConditionalGeneration"
SEAMLESS = {"SeamlessM4TModel": "", "SeamlessM4TForTextToSpeech": "", "SeamlessM4Tv2Model": "v2", "SeamlessM4Tv2ForTextToSpeech": "v2"}
WORK = 200_000_000  # bytes of work: one sentence at a time
MOST_VOICES = 200  # of one model
NUMBERED = 4  # speakers of a model that knows them by numbers only, CSM and each language of SeamlessM4T
MADE_UP = 4  # voices that SpeechT5 is given where no recorded ones lie beside it
IPA = "əɪʊɛɹʃθðŋˈ"  # signs that a vocabulary of sounds holds, and one of letters does not
LARGEST_CONFIG = 4 * 2**20
CODES = {  # ISO 639-3, which MMS names its languages by
    "eng": "en", "jpn": "ja", "deu": "de", "fra": "fr", "spa": "es", "por": "pt", "ita": "it", "nld": "nl", "rus": "ru", "kor": "ko", "cmn": "zh", "vie": "vi", "tha": "th", "ind": "id",
    "hin": "hi", "ara": "ar", "tur": "tr", "pol": "pl", "ukr": "uk", "swe": "sv", "fin": "fi", "ell": "el", "heb": "he", "hun": "hu", "ces": "cs", "ron": "ro", "cat": "ca",
}  # fmt: skip
UNPAIRED = "This voice needs its vocoder: a folder with SpeechT5HifiGan."


class Transformers:
    """Their maker. A voice's id is the catalogue's key, with "#" and the speaker where the model has several."""

    id = ENGINE
    speed = 1.5

    def voices(self, catalog: Catalog) -> list[Voice]:
        return [voice for entry in catalog.entries("speech") if not entry.problem for voice in voices_of(entry, catalog)]

    def key(self, voice: Voice) -> str:
        return f"speech/{voice.id.partition('#')[0]}"

    def bytes(self, voice: Voice, catalog: Catalog) -> int:
        """Weights are computed with in 32 bits, whatever they are saved in."""
        entry = catalog.find(voice.id.partition("#")[0])
        vocoder = vocoder_of(catalog) if entry.architecture == SPEECHT5 else None
        return sum(_widened(part) for part in (entry, vocoder) if part) + WORK + (MEMORY if entry.architecture == FASTSPEECH else 0)

    def load(self, voice: Voice, catalog: Catalog, threads: int, device: str, report: Report) -> TorchEngine:
        entry = catalog.find(voice.id.partition("#")[0])
        if voice.missing:
            raise ModelMissing(voice.missing, hint=voice.hint, field="voice")
        report(f"Loading {entry.title}", 0.1)
        vocoder = vocoder_of(catalog) if entry.architecture == SPEECHT5 else None
        try:
            from pipelines.music.speech.nets.voices import load

            return load(entry.architecture, Path(entry.path), Path(vocoder.path) if vocoder else None, threads, device)
        except (StudioError, MemoryError):
            raise
        except Exception as error:  # transformers and safetensors raise every kind for a bad folder
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")
            raise ModelBroken(f"transformers can't load “{entry.title}”: {reason}.", hint="Download it again, or choose another voice.", field="voice") from error


def voices_of(entry: ModelEntry, catalog: Catalog) -> list[Voice]:
    """From the folder's JSON files. A folder that can't be read has none; one of a class that is not spoken with has one, which says so."""
    readers = {VITS: _vits, SPEECHT5: _speecht5, BARK: _bark, FASTSPEECH: _fastspeech, CSM: _csm} | dict.fromkeys(SEAMLESS, _seamless)
    try:
        return readers.get(entry.architecture, _unspoken)(entry, catalog)[:MOST_VOICES]
    except (OSError, ValueError, TypeError, AttributeError):
        return []


def vocoder_of(catalog: Catalog) -> ModelEntry | None:
    """The first that is whole; SpeechT5 knows one kind."""
    return next((entry for entry in catalog.entries() if entry.architecture == VOCODER and not entry.problem), None)


def speaker_of(voice: Voice) -> str:
    return voice.id.partition("#")[2]


def _vits(entry: ModelEntry, catalog: Catalog) -> list[Voice]:
    folder = Path(entry.path)
    config, words = read(folder / "config.json"), read(folder / "tokenizer_config.json")
    language = _language(str(words.get("language") or ""), entry.title)
    package = "phonemizer" if words.get("phonemize") else "uroman" if words.get("is_uroman") else ""
    told = "" if not package or installed(package) else f"This voice reads its text through the package {package}, which is not installed."
    hint = f"Install it with: python -m pip install {package}." if told else ""
    about: dict[str, Any] = {"engine": ENGINE, "languages": (language,) if language else (), "licence": licence_of(folder, entry.title), "missing": told, "hint": hint}
    if words.get("phonemize") and set(IPA) <= set(read(folder / "vocab.json")):
        about["sounds"] = ("ipa",)
    count = int(config.get("num_speakers") or 1)
    if count < 2:
        return [Voice(entry.key, entry.title, **about)]
    return [Voice(f"{entry.key}#{number}", f"{entry.title} {number + 1}", **about) for number in range(count)]


def _speecht5(entry: ModelEntry, catalog: Catalog) -> list[Voice]:
    """Recorded speakers are the .npy files in its folder "speakers", each an x-vector; without them voices are made up from numbers, which sound like nobody."""
    folder = Path(entry.path)
    missing, hint = ("", "") if vocoder_of(catalog) else (UNPAIRED, "Add microsoft/speecht5_hifigan in the Models tab.")
    if not installed("sentencepiece"):
        missing, hint = "This voice reads its text through the package sentencepiece, which is not installed.", "Install it with: python -m pip install sentencepiece."
    about: dict[str, Any] = {"engine": ENGINE, "languages": ("en",), "licence": licence_of(folder, entry.title), "missing": missing, "hint": hint}
    recorded = sorted(path.stem for path in (folder / "speakers").glob("*.npy"))
    made_up = [Voice(f"{entry.key}#made-up-{number}", f"{entry.title}, made-up voice {number}", **about) for number in range(1, MADE_UP + 1)]
    return [Voice(f"{entry.key}#{name}", f"{entry.title}, {name}", **about) for name in recorded] + made_up


def _bark(entry: ModelEntry, catalog: Catalog) -> list[Voice]:
    """Its presets, as far as their files are here, and a voice that it makes up by the seed."""
    folder = Path(entry.path)
    about: dict[str, Any] = {"engine": ENGINE, "licence": licence_of(folder, entry.title)}
    presets = presets_of(folder)
    known = [Voice(f"{entry.key}#{name}", f"{entry.title}, {name}", languages=(name.rpartition("/")[2].partition("_")[0],), **about) for name in presets]
    return [*known, Voice(entry.key, f"{entry.title}, any voice", languages=("en",), **about)]


def _fastspeech(entry: ModelEntry, catalog: Catalog) -> list[Voice]:
    """Words become sounds by the English voice's own reading; transformers would want another package for it."""
    folder = Path(entry.path)
    missing = "" if installed("hibari") else "The English voice, which reads the words for this one, is not installed yet."
    about: dict[str, Any] = {"engine": ENGINE, "languages": ("en",), "licence": licence_of(folder, entry.title), "missing": missing, "hint": "It arrives with the engines.", "sounds": ("ipa",)}
    count = int(read(folder / "config.json")["model_config"].get("num_speakers") or 1)
    return [Voice(f"{entry.key}#{number}", f"{entry.title} {number + 1}", **about) for number in range(count)] if count > 1 else [Voice(entry.key, entry.title, **about)]


def _csm(entry: ModelEntry, catalog: Catalog) -> list[Voice]:
    licence = licence_of(Path(entry.path), entry.title)
    return [Voice(f"{entry.key}#{number}", f"{entry.title} {number + 1}", ENGINE, ("en",), licence) for number in range(NUMBERED)]


def _seamless(entry: ModelEntry, catalog: Catalog) -> list[Voice]:
    """It speaks by translating a language into itself: those that it has a voice for."""
    folder = Path(entry.path)
    config, told = read(folder / "config.json"), read(folder / "generation_config.json")
    known = [set(told.get(name) or {}) for name in ("vocoder_lang_code_to_id", "t2u_lang_code_to_id", "text_decoder_lang_to_code_id")]
    licence, speakers = licence_of(folder, entry.title) or "CC-BY-NC-4.0", min(NUMBERED, int(config.get("vocoder_num_spkrs") or 1))
    codes = [code for code in told.get("vocoder_lang_code_to_id") or {} if all(code in languages for languages in known)]
    return [Voice(f"{entry.key}#{code}/{number}", f"{entry.title}, {code} {number + 1}", ENGINE, (CODES.get(code, code),), licence) for code in codes for number in range(speakers)]


def _unspoken(entry: ModelEntry, catalog: Catalog) -> list[Voice]:
    return [Voice(entry.key, entry.title, ENGINE, (), missing=f"Models of the class {entry.architecture} are not spoken with here.", hint="Choose a voice of VITS, MMS, SpeechT5, Bark, FastSpeech2, CSM or SeamlessM4T.")]


def presets_of(folder: Path) -> dict[str, dict[str, Path]]:
    """Name: its three files; those that are not whole or lie outside the folder are left out."""
    path = folder / "speaker_embeddings_path.json"
    if not path.is_file():
        return {}
    found = {}
    for name, parts in read(path).items():
        files = {part: (folder / str(file)).resolve() for part, file in parts.items()} if isinstance(parts, dict) else {}
        if set(files) == {"semantic_prompt", "coarse_prompt", "fine_prompt"} and all(file.is_file() and file.is_relative_to(folder.resolve()) for file in files.values()):
            found[str(name)] = files
    return found


def licence_of(folder: Path, title: str) -> str:
    """Of the card that lies beside it; MMS is known by its name."""
    card = folder / "README.md"
    head = card.read_text(encoding="utf-8", errors="replace")[:4000] if card.is_file() else ""
    told = next((line.partition(":")[2].strip() for line in head.splitlines() if line.startswith("license:")), "")
    return told or ("CC-BY-NC-4.0" if title.lower().startswith("mms-tts") else "")


def read(path: Path) -> dict[str, Any]:
    """A JSON object; {} where there is no file. Raises ValueError."""
    if not path.is_file():
        return {}
    if path.stat().st_size > LARGEST_CONFIG:
        raise ValueError(f"{path.name} is too large")
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} is no JSON object")
    return value


def _language(told: str, title: str) -> str:
    """As the studio names languages; MMS folders end in theirs."""
    code = (told or title.lower().partition("mms-tts-")[2])[:3].lower()
    return CODES.get(code, code[:2] if "-" in told or len(told) == 2 else code)


def _widened(entry: ModelEntry) -> int:
    return entry.bytes * (2 if entry.dtype in ("float16", "bfloat16") else 1)
