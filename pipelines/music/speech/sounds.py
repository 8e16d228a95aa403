"""The International Phonetic Alphabet of English as the English voices were taught it.

Their alphabet writes each diphthong as one capital (eɪ as A) and puts the stress mark before the vowel of its syllable, not before the syllable. Source: Handbook of the IPA (1999); the readings in the
lexicon that comes with the voice show its own letters.
"""

from __future__ import annotations

import re
import unicodedata

TWO = {  # before single letters; longer first
    "əʊ": "O", "oʊ": "O", "eɪ": "A", "aɪ": "I", "aʊ": "W", "ɔɪ": "Y", "t͡ʃ": "ʧ", "d͡ʒ": "ʤ", "tʃ": "ʧ", "dʒ": "ʤ", "ɜːr": "ɜɹ", "ɜːɹ": "ɜɹ", "ɝː": "ɜɹ", "ɚː": "əɹ", "ɝ": "ɜɹ", "ɚ": "əɹ",
    "iː": "i", "uː": "u", "ɑː": "ɑ", "ɔː": "ɔ", "ɜː": "ɜɹ", "eə": "ɛɹ", "ɪə": "ɪɹ", "ʊə": "ʊɹ", "eː": "A", "oː": "O",
}  # fmt: skip
ONE = {"r": "ɹ", "g": "ɡ", "e": "ɛ", "a": "æ", "o": "O", "ɒ": "ɑ", "y": "j", "ɫ": "l", "ʁ": "ɹ", "ɐ": "ə", "ɨ": "ɪ", "ʉ": "u", "'": "ˈ", ",": "ˌ", "ɵ": "θ", "ʍ": "w"}
WRITTEN = {"A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ", "ʧ": "tʃ", "ʤ": "dʒ", "T": "ɾ", "ᵊ": "ə", "ᵻ": "ɪ"}
VOWELS = set("AIOWYiuæɑəɛɜɪɔʊʌᵊᵻQ")
CONSONANTS = set("bdfhjklmnpstvwzðŋɡɹʃʒʤʧθTɾʔx")
MARKS = set("ˈˌ")
DROPPED = re.compile(r"[.ː͡|‿ \u0303\u0329\u032f\u0361]|ʰ|ʲ")


def to_voice(ipa: str) -> str:
    """IPA as people write it into the voice's alphabet; letters that are neither stay out (see `check_ipa`)."""
    text = unicodedata.normalize("NFC", ipa.strip().strip("/[]"))
    words = [_word(word) for word in text.split()]
    return " ".join(word for word in words if word)


def from_voice(sounds: str) -> str:
    """The voice's own letters as people write them; `to_voice` takes them back."""
    return "".join(WRITTEN.get(letter, letter) for letter in sounds)


def check_ipa(ipa: str) -> str:
    """The first letter that is no sound of English, or "the whole" where nothing is one; "" where all is well."""
    text = unicodedata.normalize("NFC", ipa.strip().strip("/[]"))
    if len(text) > 200:
        return text[:20]
    for letter in DROPPED.sub("", _mapped(text)):
        if letter not in VOWELS | CONSONANTS | MARKS:
            return letter
    return "" if any(letter in VOWELS | CONSONANTS for letter in _mapped(text)) else ipa[:20]


def _mapped(text: str) -> str:
    for written, own in sorted(TWO.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(written, own)
    return "".join(ONE.get(letter, letter) for letter in text)


def _word(word: str) -> str:
    sounds = DROPPED.sub("", _mapped(word))
    return _stressed("".join(letter for letter in sounds if letter in VOWELS | CONSONANTS | MARKS))


def _stressed(sounds: str) -> str:
    """Each stress mark moved to before the next vowel; a word of one vowel and no mark gets one."""
    moved, waiting = "", ""
    for letter in sounds:
        if letter in MARKS:
            waiting = letter
        else:
            moved += waiting + letter if letter in VOWELS else letter
            waiting = "" if letter in VOWELS else waiting
    if not set(moved) & MARKS:
        first = next((number for number, letter in enumerate(moved) if letter in VOWELS), -1)
        return moved if first < 0 else f"{moved[:first]}ˈ{moved[first:]}"
    return moved
