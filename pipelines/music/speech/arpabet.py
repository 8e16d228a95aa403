"""ARPAbet, the alphabet of FastSpeech2's voices, from the English voice's own letters.

Source: CMU Pronouncing Dictionary 0.7b: 39 sounds, the stress as a figure behind its vowel (1 first, 2 second, 0 none).
"""

from __future__ import annotations

VOWELS = {
    "A": "EY", "I": "AY", "O": "OW", "Q": "OW", "W": "AW", "Y": "OY", "i": "IY", "u": "UW", "æ": "AE", "ɑ": "AA", "ə": "AH", "ᵊ": "AH", "ʌ": "AH", "ɛ": "EH", "ɜ": "ER", "ɪ": "IH", "ᵻ": "IH", "ɔ": "AO", "ʊ": "UH",
}  # fmt: skip
CONSONANTS = {
    "b": "B", "d": "D", "f": "F", "h": "HH", "j": "Y", "k": "K", "l": "L", "m": "M", "n": "N", "p": "P", "s": "S", "t": "T", "v": "V", "w": "W", "z": "Z", "ð": "DH", "ŋ": "NG", "ɡ": "G", "ɹ": "R", "ʃ": "SH", "ʒ": "ZH",
    "ʤ": "JH", "ʧ": "CH", "θ": "TH", "T": "T", "ɾ": "T", "x": "K",
}  # fmt: skip
MARKS = {",": ",", ";": ",", ":": ",", "—": ",", ".": ".", "…": ".", "?": "?", "!": "!"}
STRESSES = {"ˈ": "1", "ˌ": "2"}


def arpabet(sounds: str) -> list[str]:
    """Sounds and marks, without what the alphabet has no sign for."""
    found, stress = list[str](), "0"
    for number, letter in enumerate(sounds):
        if letter in STRESSES:
            stress = STRESSES[letter]
        elif letter in VOWELS:
            rhotic = sounds[number + 1 : number + 2] == "ɹ" and letter in "əɜ"
            found.append(("ER" if rhotic else VOWELS[letter]) + stress)
            stress = "0"
        elif letter == "ɹ" and number and sounds[number - 1] in "əɜ":
            continue  # it is in its vowel
        elif sound := CONSONANTS.get(letter) or MARKS.get(letter):
            found.append(sound)
    return found
