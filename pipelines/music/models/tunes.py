"""Old tunes, typed for this studio in ABC notation from common knowledge: all are folk tunes or were printed before 1900, so that nobody owns them.

What the melody models are counted from. The reader knows what these tunes use of ABC 2.1 (abcnotation.com): X, T, M, L and K, notes with accidentals,
octave marks and lengths, rests, broken rhythm (>) and bars.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from pipelines.music.chords import LETTERS
from pipelines.music.theory import SCALES, Key, parse_key

TUNES = """
T:Ah vous dirai-je, maman|M:4/4|L:1/4|K:C|CCGG|AAG2|FFEE|DDC2|GGFF|EED2|GGFF|EED2|CCGG|AAG2|FFEE|DDC2
T:Frère Jacques|M:4/4|L:1/4|K:C|CDEC|CDEC|EFG2|EFG2|G/A/G/F/EC|G/A/G/F/EC|CG,C2|CG,C2
T:Mary had a little lamb|M:4/4|L:1/4|K:C|EDCD|EEE2|DDD2|EGG2|EDCD|EEEE|DDED|C4
T:London Bridge|M:4/4|L:1/4|K:C|G>AGF|EFG2|DEF2|EFG2|G>AGF|EFG2|D2G2|EC3
T:Row, row, row your boat|M:6/8|L:1/8|K:C|C3C3|C2DE3|E2DE2F|G6|cccGGG|EEECCC|G2FE2D|C6
T:Three blind mice|M:6/8|L:1/8|K:C|E3D3|C6|E3D3|C6|G3F2F|E6|G3F2F|E6
T:Yankee Doodle|M:2/4|L:1/8|K:G|GGAB|GBAD|GGAB|G2F2|GGAB|cBAG|FDEF|G2G2|E>FED|EFG2|D>EDC|B,2D2|E>FED|EFGE|DGFA|G2G2
T:Oh! Susanna|M:2/4|L:1/8|K:C|EGGA|GECD|EEDC|D2CD|EGGA|GECD|EEDD|C4|F2F2|A2AA|GGEC|D2CD|EGGA|GECD|EEDD|C4
T:Au clair de la lune|M:4/4|L:1/4|K:C|CCCD|E2D2|CEDD|C4|CCCD|E2D2|CEDD|C4|DDDD|A,2A,2|DCB,A,|G,4|CCCD|E2D2|CEDD|C4
T:Ode to Joy|M:4/4|L:1/4|K:C|EEFG|GFED|CCDE|E>DD2|EEFG|GFED|CCDE|D>CC2|DDEC|DE/F/EC|DE/F/ED|CDG,2|EEFG|GFED|CCDE|D>CC2
T:Jingle Bells|M:4/4|L:1/4|K:C|EEE2|EEE2|EGC>D|E4|FFF>F|FEEE/E/|EDDE|D2G2|EEE2|EEE2|EGC>D|E4|FFF>F|FEEE/E/|GGFD|C4
T:Silent Night|M:6/8|L:1/8|K:C|G>AGE3|G>AGE3|d2dB3|c2cG3|A2Ac>BA|G>AGE3|A2Ac>BA|G>AGE3|d2df>dB|c3e3|c>GEG>FD|C6
T:Amazing Grace|M:3/4|L:1/4|K:G|G2B/G/|B2A|G2E|D2D|G2B/G/|B2A|d3|d2B|d2B/G/|B2A|G2E|D2D|G2B/G/|B2A|G3
T:Auld Lang Syne|M:4/4|L:1/4|K:F|F>FFA|G>FGA|F>FAc|d3d|c>AAF|G>FGA|F>DDC|F3d|c>AAF|G>FGd|c>AAc|d3d|c>AAF|G>FGA|F>DDC|F4
T:Greensleeves|M:6/8|L:1/8|K:Am|c2de>fe|d2BG>AB|c2AA>^GA|B2^GE2A|c2de>fe|d2BG>AB|c>BA^G>^F^G|A6|g3g>fe|d2BG>AB|c2AA>^GA|B2^GE3|g3g>fe|d2BG>AB|c>BA^G>^F^G|A6
T:Lullaby (Brahms)|M:3/4|L:1/4|K:C|G2E/E/|G2E/G/|cB>A|AGD/E/|F2D/E/|F2D/F/|B/A/GB|c2C/C/|c2A/F/|G2E/C/|FGA|G2C/C/|c2A/F/|G2E/C/|FED|C3
T:Clementine|M:3/4|L:1/4|K:F|FCA/A/|AFF/A/|ccB/A/|G2G/A/|BBA/G/|AFF/A/|GCE/G/|F3
T:My Bonnie|M:3/4|L:1/4|K:C|edc|dcA|GE2|E2G|edc|cBc|d3|d2G|edc|dcA|GE2|E2G|Adc|BAB|c3
T:Pop goes the weasel|M:6/8|L:1/8|K:C|C2CD2D|EGEC3|C2CD2D|E3C3|C2CD2D|EGEC3|A3D2F|E3C3
T:Skip to my Lou|M:4/4|L:1/4|K:C|EECC|EE/E/G2|DDB,B,|DD/D/F2|EECC|EE/E/G2|DE/F/ED|C2C2
T:Good King Wenceslas|M:4/4|L:1/4|K:G|GGGA|GGD2|EDEF|G2G2|GGGA|GGD2|EDEF|G2G2|dcBA|BAG2|EDEF|G2G2|DDEF|GGA2|dcBA|G2c2|G4
T:Joy to the World|M:4/4|L:1/4|K:D|d2c>B|A3G|F2E2|D3A|B3B|c3c|d3d|dcBA|A>GFd|dcBA|A>GFF|FFFF/G/|A3G/F/|EEEE/F/|G3F/E/|Dd2B|A>GFG|F2E2|D4
T:Old Hundredth|M:4/4|L:1/4|K:G|G2GF|EDGA|B4|B2BB|AGcB|A4|G2AB|AGEF|G4|d2BG|AcBA|G4
T:Sakura|M:4/4|L:1/4|K:Am|AAB2|AAB2|ABcB|AB/A/F2|ECEF|EE/C/B,2|ABcB|AB/A/F2|ECEF|EE/C/B,2|AAB2|AAB2|EFB/A/F|E4
T:The First Noel|M:3/4|L:1/4|K:D|D>EF/G/|A2B/c/|dcB|A2B/c/|dcB|ABc|dAG|F2F/E/|D>EF/G/|A2B/c/|dcB|A2B/c/|dcB|ABc|dAG|F3
T:Korobeiniki|M:4/4|L:1/4|K:Am|eB/c/dc/B/|AA/c/ed/c/|B>cde|cAA2|d>fag/f/|e>ced/c/|BB/c/de|cAA2
T:Drunken Sailor|M:4/4|L:1/8|K:D dorian|A2AAA2AA|A2D2F2A2|G2GGG2GG|G2C2E2G2|A2AAA2AA|A2B2c2d2|c2A2G2E2|D4D4
T:Camptown Races|M:4/4|L:1/4|K:D|AAFA|BAF2|FE3|FE3|AAFA|BAF2|E2FE|D4
T:Alouette|M:4/4|L:1/4|K:G|G>AB2|AGAB|G2D2|G>AB2|AGAB|G4
T:Aura Lee|M:4/4|L:1/4|K:G|DGFG|AEA2|GFEF|G4|DGFG|AEA2|GFEF|G4|BBB2|BBB2|BAGA|B4|BBcB|AEA2|GFEF|G4
T:Go tell Aunt Rhody|M:4/4|L:1/4|K:C|E2ED|C2C2|D2DF|EDC2|G2GF|E2E2|DCDE|C4
T:Hänschen klein|M:4/4|L:1/4|K:C|GEE2|FDD2|CDEF|GGG2|GEE2|FDD2|CEGG|C4|DDDD|DEF2|EEEE|EFG2|GEE2|FDD2|CEGG|C4
T:Sur le pont d'Avignon|M:4/4|L:1/4|K:C|CCC2|DDD2|EFGC|B,CDG,|CCC2|DDD2|EFGC|DB,C2
T:God save the King|M:3/4|L:1/4|K:G|GGA|F>GA|BBc|B>AG|AGF|G3|ddd|d>cB|ccc|c>BA|Bc/B/A/G/|B>cd|e/c/BA|G3
T:The Irish Washerwoman|M:6/8|L:1/8|K:G|BGGDGG|BGBdcB|cAAEAA|cAcedc|BGGDGG|BGBdcB|cBcAdc|BGGG3
T:Deck the Halls|M:4/4|L:1/4|K:F|c>BAG|FGAF|G/A/B/G/A>G|FEF2|c>BAG|FGAF|G/A/B/G/A>G|FEF2|G>ABG|A>BcG|A/B/cd/e/f|edc2|c>BAG|FGAF|d/d/d/d/c>B|AGF2
T:Long, long ago|M:4/4|L:1/8|K:C|C2CDE2EF|G2AGE4|G2FED4|F2EDC4|C2CDE2EF|G2AGE4|G2FED2ED|C8
""".strip().splitlines()  # fmt: skip
SHARPENED = "FCGDAEB"
SHARPS_OF = {"C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5, "F": -1, "Bb": -2, "Eb": -3, "Ab": -4}
_TOKEN = re.compile(r"([_^=]?)([A-Ga-gz])([,']*)(\d*)(/?)(\d*)(>?)")


@dataclass(frozen=True)
class Tune:
    """`notes` are (start, length, pitch) in sixteenths; `bar` is a bar's length in sixteenths."""

    title: str
    key: Key
    metre: tuple[int, int]
    notes: tuple[tuple[int, int, int], ...]
    bar: int


@lru_cache(maxsize=1)
def tunes() -> tuple[Tune, ...]:
    return tuple(read_abc(line) for line in TUNES)


def read_abc(text: str) -> Tune:
    """One tune whose fields and bars stand between strokes. Raises ValueError where a bar is not as long as the metre says, or a letter can't be read."""
    parts = text.split("|")
    fields = {part[0]: part[2:].strip() for part in parts if part[1:2] == ":"}
    bars = [part for part in parts if part[1:2] != ":"]
    count, unit = (int(number) for number in fields["M"].split("/"))
    key, basis = parse_key(fields["K"]), Fraction(fields["L"]) * 16
    signature, size = _signature(key), 16 * count // unit
    notes: list[tuple[int, int, int]] = []
    for number, bar in enumerate(bars):
        length = _bar(bar, Fraction(number * size), basis, signature, notes)
        if length != size:
            raise ValueError(f"{fields['T']}, bar {number + 1}: {length} of {size} sixteenths")
    return Tune(fields["T"], key, (count, unit), tuple(notes), size)


def _bar(bar: str, at: Fraction, basis: Fraction, signature: dict[str, int], notes: list[tuple[int, int, int]]) -> Fraction:
    """Appends the bar's notes; returns its length."""
    begun, local, broken, place = at, dict(signature), False, 0
    while place < len(bar):
        found = _TOKEN.match(bar, place)
        if not found:
            raise ValueError(f"{bar!r} at {place}")
        place = found.end()
        accidental, letter, octaves, whole, stroke, part, dotted = found.groups()
        length = basis * Fraction(int(whole or 1), int(part or 2) if stroke else 1)
        length = length * 3 / 2 if dotted else length / 2 if broken else length
        broken = bool(dotted)
        if letter != "z":
            if accidental:
                local[letter.upper()] = {"_": -1, "^": 1, "=": 0}[accidental]
            pitch = 60 + LETTERS[letter.upper()] + local.get(letter.upper(), 0) + 12 * (letter.islower() + octaves.count("'") - octaves.count(","))
            notes.append((int(at), int(length), pitch))
        at += length
    return at - begun


def _signature(key: Key) -> dict[str, int]:
    """Sharps and flats of each letter: those of the major key with the same notes."""
    relative = next(name for name in SHARPS_OF if {(LETTERS[name[0]] - (len(name) - 1) + step) % 12 for step in SCALES["major"]} == set(key.classes))
    count = SHARPS_OF[relative]
    return dict.fromkeys(SHARPENED[:count], 1) if count > 0 else dict.fromkeys(SHARPENED[count:], -1) if count else {}
