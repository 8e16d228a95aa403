"""Voices of transformers: known from their files, equal to the bare library call, the same sound for the same seed, Stop within a layer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.music.speech.arpabet import arpabet
from pipelines.music.speech.engine import Phrase, Piece, Voice
from pipelines.music.speech.hf import Transformers
from pipelines.music.speech.sounds import to_voice
from pipelines.music.speech.voices import find
from studio.api import BadInput, ModelBroken, ModelMissing, Stopped
from studio.catalog import Catalog
from tests.speech_models import LETTERS, bark, csm, fastspeech, seamless, speecht5, vits, vocoder

WORDS = "hello there, my friend."
MAKER = Transformers()


def phrase(text: str = WORDS) -> Phrase:
    return Phrase((Piece(text),), "en")


def spoken(catalog: Catalog, voice: Voice, text: str = WORDS, seed: int = 3, check: Any = lambda: None) -> np.ndarray:
    engine = MAKER.load(voice, catalog, 1, "cpu", lambda note, fraction: None)
    return engine.say(phrase(text), voice, speed=1.0, semitones=0.0, seed=seed, check=check)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    root = tmp_path_factory.mktemp("models")
    vits(root / "mms-tts-eng")
    vits(root / "many", speakers=3)
    vits(root / "phonemes", phonemize=True)
    speecht5(root / "speecht5_tts")
    vocoder(root / "speecht5_hifigan")
    bark(root / "bark-small")
    fastspeech(root / "fastspeech2")
    fastspeech(root / "choir", speakers=2)
    csm(root / "csm-1b")
    seamless(root / "seamless-m4t")
    seamless(root / "seamless-m4t-v2", second=True)
    (root / "speecht5_tts" / "speakers").mkdir()
    np.save(root / "speecht5_tts" / "speakers" / "clb.npy", np.random.default_rng(2).standard_normal(24).astype(np.float32))
    return Catalog([root])


def voice(catalog: Catalog, name: str) -> Voice:
    return next(found for found in MAKER.voices(catalog) if found.id == name)


def test_voices_are_known_from_their_files(models: Catalog) -> None:
    found = {one.id: one for one in MAKER.voices(models)}
    assert {entry.title for entry in models.entries("speech")} == {"mms-tts-eng", "many", "phonemes", "speecht5_tts", "bark-small", "fastspeech2", "choir", "csm-1b", "seamless-m4t", "seamless-m4t-v2"}
    assert found["mms-tts-eng"].languages == ("en",) and found["mms-tts-eng"].licence == "CC-BY-NC-4.0"
    assert [name for name in found if name.startswith("many")] == ["many#0", "many#1", "many#2"]
    assert [name for name in found if name.startswith("speecht5")] == ["speecht5_tts#clb", *(f"speecht5_tts#made-up-{number}" for number in range(1, 5))]
    assert [name for name in found if name.startswith("bark")] == ["bark-small#v2/en_speaker_1", "bark-small"]  # the German preset's files are not here
    assert "phonemizer" in found["phonemes"].missing and not found["many#0"].missing
    assert found["fastspeech2"].sounds == ("ipa",) and [name for name in found if name.startswith("choir")] == ["choir#0", "choir#1"] and found["csm-1b#3"].languages == ("en",)
    assert {name: voice.languages for name, voice in found.items() if name.startswith("seamless-m4t#")} == {"seamless-m4t#eng/0": ("en",), "seamless-m4t#eng/1": ("en",), "seamless-m4t#deu/0": ("de",), "seamless-m4t#deu/1": ("de",)}


def test_a_model_that_is_not_spoken_with_says_so_when_it_is_chosen(tmp_path: Path) -> None:
    folder = vits(tmp_path / "dia")
    (folder / "config.json").write_text(json.dumps({"architectures": ["DiaForConditionalGeneration"], "model_type": "dia"}))
    catalog = Catalog([tmp_path])
    with pytest.raises(ModelMissing, match="class DiaForConditionalGeneration are not spoken with here"):
        find("dia", catalog, "voice")


def test_a_card_tells_the_licence(tmp_path: Path) -> None:
    (vits(tmp_path / "voice") / "README.md").write_text("---\nlicense: mit\n---\n# A voice\n")
    assert MAKER.voices(Catalog([tmp_path]))[0].licence == "mit"


def test_vits_is_what_the_library_says(models: Catalog) -> None:
    import torch
    from transformers import VitsModel, VitsTokenizer

    folder = models.find("mms-tts-eng").path
    model, given = VitsModel.from_pretrained(folder).eval(), VitsTokenizer.from_pretrained(folder)(WORDS, return_tensors="pt")
    torch.manual_seed(3)
    with torch.no_grad():
        bare = model(**given).waveform[0].numpy()
    said = spoken(models, voice(models, "mms-tts-eng"))
    assert said.dtype == np.float32 and np.array_equal(said, bare) and np.abs(said).max() > 0
    assert not np.array_equal(spoken(models, voice(models, "mms-tts-eng"), seed=4)[:1000], said[:1000])
    assert spoken(models, voice(models, "mms-tts-eng"), "猫。").size == 0  # letters it never learnt


def test_sounds_that_were_given_go_to_a_network_that_was_taught_sounds(tmp_path: Path) -> None:
    """Its package for words is not asked for them; what the vocabulary lacks stays out."""
    import torch
    from transformers import VitsModel, VitsTokenizer

    from pipelines.music.speech.nets.voices import Vits

    folder = vits(tmp_path / "ljs", phonemize=True, letters=LETTERS + "əɪʊɛɹʃθðŋˈʌ")
    found = MAKER.voices(Catalog([tmp_path]))[0]
    assert found.sounds == ("ipa",) and MAKER.voices(Catalog([vits(tmp_path / "letters" / "mms").parent]))[0].sounds == ()
    model, given = VitsModel.from_pretrained(folder).eval(), VitsTokenizer.from_pretrained(folder, phonemize=False, normalize=False)("ˈdɛɪtə", return_tensors="pt")
    torch.manual_seed(3)
    with torch.no_grad():
        bare = model(**given).waveform[0].numpy()
    said = Vits(folder, None, 1, "cpu").say(Phrase((Piece("data", "ˈdɛɪtə\u0303", "ipa"),), "en"), found, speed=1.0, semitones=0.0, seed=3, check=lambda: None)
    assert np.array_equal(said, bare)


def test_speakers_of_one_model_differ(models: Catalog) -> None:
    first, second = (spoken(models, voice(models, f"many#{number}")) for number in (0, 2))
    assert first.size and (first.shape != second.shape or not np.array_equal(first, second))
    assert MAKER.key(voice(models, "many#0")) == MAKER.key(voice(models, "many#2"))


def test_speecht5_is_what_the_library_says(models: Catalog) -> None:
    import torch
    from transformers import SpeechT5ForTextToSpeech, SpeechT5HifiGan, SpeechT5Tokenizer

    folder = Path(models.find("speecht5_tts").path)
    vector = np.load(folder / "speakers" / "clb.npy")
    who = torch.from_numpy(vector / np.linalg.norm(vector))[None]
    model, sounds = SpeechT5ForTextToSpeech.from_pretrained(folder).eval(), SpeechT5HifiGan.from_pretrained(models.find("speecht5_hifigan").path).eval()
    ids = SpeechT5Tokenizer.from_pretrained(folder)(WORDS, return_tensors="pt").input_ids
    torch.manual_seed(3)
    bare = model.generate_speech(ids, who, vocoder=sounds)
    said = spoken(models, voice(models, "speecht5_tts#clb"))
    assert np.array_equal(said, bare.detach().numpy()) and said.size
    assert not np.array_equal(said, spoken(models, voice(models, "speecht5_tts#made-up-1")))


def test_speecht5_asks_for_its_vocoder(tmp_path: Path) -> None:
    speecht5(tmp_path / "speecht5_tts")
    catalog = Catalog([tmp_path])
    lonely = MAKER.voices(catalog)[0]
    assert "SpeechT5HifiGan" in lonely.missing
    with pytest.raises(ModelMissing):
        spoken(catalog, lonely)


def test_a_speaker_of_another_size_is_refused(models: Catalog) -> None:
    speakers = Path(models.find("speecht5_tts").path) / "speakers"
    np.save(speakers / "wide.npy", np.ones(512, np.float32))
    try:
        with pytest.raises(BadInput, match="512 numbers; this model takes 24"):
            spoken(models, voice(models, "speecht5_tts#wide"))
    finally:
        (speakers / "wide.npy").unlink()


def test_bark_is_what_the_library_says(models: Catalog) -> None:
    import torch
    from transformers import AutoTokenizer, BarkModel, BarkProcessor

    folder = models.find("bark-small").path
    processor = BarkProcessor(AutoTokenizer.from_pretrained(folder))
    named = json.loads((Path(folder) / "speaker_embeddings_path.json").read_text())["v2/en_speaker_1"]
    preset = {part: np.load(Path(folder) / file) for part, file in named.items()}
    given, model = processor(WORDS, voice_preset=preset), BarkModel.from_pretrained(folder).eval()
    torch.manual_seed(3)
    bare = model.generate(**given).numpy().reshape(-1)
    said = spoken(models, voice(models, "bark-small#v2/en_speaker_1"))
    assert np.array_equal(said, bare) and said.size
    assert not np.array_equal(said, spoken(models, voice(models, "bark-small")))


def test_fastspeech_is_what_the_library_says_of_the_same_sounds(models: Catalog) -> None:
    import torch
    from transformers import FastSpeech2ConformerWithHifiGan

    said = {}
    for name, speaker in (("fastspeech2", ""), ("choir", "1"), ("choir", "0")):
        folder = Path(models.find(name).path)
        words = json.loads((folder / "vocab.json").read_text())
        ids = torch.tensor([[words[sound] for sound in ["HH", "AH0", "L", "OW1", ",", "D", "EY1", "T", "AH0", ".", "<sos/eos>"]]])
        model, more = FastSpeech2ConformerWithHifiGan.from_pretrained(folder).eval(), {"speaker_ids": torch.tensor([int(speaker)])} if speaker else {}
        with torch.no_grad():
            bare = model(ids, **more).waveform[0].numpy()
        chosen = voice(models, f"{name}#{speaker}" if speaker else name)
        engine = MAKER.load(chosen, models, 1, "cpu", lambda note, fraction: None)
        phrase = Phrase((Piece("Hello, "), Piece("data", "ˈdeɪtə", "ipa"), Piece(".")), "en")
        said[name + speaker] = engine.say(phrase, chosen, speed=1.0, semitones=0.0, seed=3, check=lambda: None)
        assert np.array_equal(said[name + speaker], bare) and np.abs(bare).max() > 0
    assert not np.array_equal(said["choir0"], said["choir1"])


def test_arpabet_has_every_sound_of_the_english_voice() -> None:
    from pipelines.music.speech.sounds import CONSONANTS, VOWELS

    assert all(arpabet(letter) for letter in (VOWELS | CONSONANTS) - {"ʔ"}) and arpabet("ʔ") == []
    assert arpabet(to_voice("ˈbɜːrd wɔːtər θɔːts")) == ["B", "ER1", "D", "W", "AO1", "T", "ER0", "TH", "AO1", "T", "S"]  # as the CMU dictionary writes bird, water and thoughts
    assert arpabet(to_voice("ˌsɪtʃuˈeɪʃən")) == ["S", "IH2", "CH", "UW0", "EY1", "SH", "AH0", "N"]


def test_csm_is_what_the_library_says(models: Catalog) -> None:
    import torch
    from transformers import AutoTokenizer, CsmForConditionalGeneration

    folder = models.find("csm-1b").path
    model, given = CsmForConditionalGeneration.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)(f"[1]{WORDS}", return_tensors="pt")
    torch.manual_seed(3)
    bare = model.generate(input_ids=given["input_ids"], attention_mask=given["attention_mask"], output_audio=True)[0].detach().numpy()
    said = spoken(models, voice(models, "csm-1b#1"))
    assert np.array_equal(said, bare) and said.size and np.abs(said).max() > 0
    assert not np.array_equal(said, spoken(models, voice(models, "csm-1b#0")))


@pytest.mark.parametrize("version", ["", "v2"])
def test_seamless_is_what_the_library_says(models: Catalog, version: str) -> None:
    import torch
    import transformers

    name = "seamless-m4t" + ("-v2" if version else "")
    folder = models.find(name).path
    model, words = getattr(transformers, f"SeamlessM4T{version}ForTextToSpeech").from_pretrained(folder).eval(), transformers.AutoTokenizer.from_pretrained(folder)
    words.src_lang = "deu"
    torch.manual_seed(3)
    bare = model.generate(**words(WORDS, return_tensors="pt"), tgt_lang="deu", **{"speaker_id" if version else "spkr_id": 1})[0].detach().numpy().reshape(-1)
    said = spoken(models, voice(models, f"{name}#deu/1"))
    assert np.array_equal(said, bare) and said.size and np.abs(said).max() > 0
    assert not np.array_equal(said, spoken(models, voice(models, f"{name}#deu/0"))) and not np.array_equal(said, spoken(models, voice(models, f"{name}#eng/1")))


def test_long_sentences_are_cut_for_bark() -> None:
    from pipelines.music.speech.nets.voices import short

    text = "one two three, four five six " * 20
    bits = short(text, 140)
    assert "".join(bits) == text and max(map(len, bits)) <= 140 and len(bits) < 8
    assert short("x" * 300, 140) == ["x" * 140, "x" * 140, "x" * 20]


@pytest.mark.parametrize("name", ["mms-tts-eng", "speecht5_tts#clb", "bark-small", "fastspeech2", "csm-1b#0", "seamless-m4t#eng/0", "seamless-m4t-v2#eng/0"])
def test_stop_ends_within_a_layer(models: Catalog, name: str) -> None:
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise Stopped

    with pytest.raises(Stopped):
        spoken(models, voice(models, name), check=check)
    assert calls == 6


def test_memory_is_told_from_the_files(models: Catalog) -> None:
    from pipelines.music.speech.hf import WORK

    both = models.find("speecht5_tts").bytes + models.find("speecht5_hifigan").bytes
    assert MAKER.bytes(voice(models, "speecht5_tts#clb"), models) == both + WORK
    assert MAKER.bytes(voice(models, "mms-tts-eng"), models) == models.find("mms-tts-eng").bytes + WORK


def test_a_damaged_voice_is_told(tmp_path: Path) -> None:
    folder = vits(tmp_path / "voice")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 24}))
    catalog = Catalog([tmp_path])
    with pytest.raises(ModelBroken, match="can't load “voice”"):
        spoken(catalog, MAKER.voices(catalog)[0])
    (folder / "tokenizer_config.json").write_text("[1")
    assert MAKER.voices(Catalog([tmp_path])) == []
