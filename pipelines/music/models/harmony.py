"""Which chord follows which: a Markov chain over progressions of ours, and the same chain as the hidden states under a melody.

The progressions below are formulas that belong to nobody (cadences, turn-rounds, the circle of fifths, the twelve-bar blues), written by us. Hidden chords are found
by Viterbi's method or drawn by forward filtering and backward sampling (L. Rabiner, Proceedings of the IEEE 77, 1989); what a chord emits are weights of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from pipelines.music.chords import QUALITIES, Chord, parse_chord
from pipelines.music.theory import Key, parse_key, parse_progression

# By kind of key: name and progression; as many times as it counts
PROGRESSIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "major": (
        ("Pop", "I | V | vi | IV"), ("Fifties", "I | vi | IV | V"), ("Three chords", "I | IV | V | I"), ("Cadence", "I | IV | I | V"), ("Canon", "I | V | vi | iii | IV | I | IV | V"),
        ("Hymn", "I | IV | I | V | I | vi | ii V | I"), ("Circle", "iii | vi | ii | V | I"), ("Waltz", "I | I | V | V | V | V | I | I"), ("Plagal", "I | vi | IV | I"), ("March", "I | I | IV | I | V | V | I | I"),
        ("Royal road", "IV | V | iii | vi"), ("Turn-round", "I | vi | ii | V"), ("Lullaby", "I | I | V | V | V | V | I | I"), ("Sailor", "I | ii | V | I"), ("Half close", "I | IV | ii | V"),
        ("Deceptive", "I | IV | V | vi | ii | V | I | I"),
    ),
    "minor": (
        ("Minor cadence", "i | iv | v | i"), ("Andalusian", "i | VII | VI | v"), ("Epic", "i | VI | III | VII"), ("Minor circle", "i | iv | VII | III | VI | iv | v | i"),
        ("Lament", "i | v | VI | III | iv | i | iv | v"),
        ("Minor pop", "VI | VII | i | i"), ("Descent", "i | VII | VI | VII"), ("Ballad", "i | VI | iv | v"), ("Folk", "i | VII | i | v"), ("Passamezzo", "i | VII | i | v | i | VII | i v | i"),
    ),
    "dorian": (("Dorian vamp", "i | IV | i | IV"), ("Sea", "i | VII | i | VII | i | VII | IV | i"), ("Dorian", "i | IV | VII | i"), ("Fair", "i | VII | i | i | III | i | IV | i")),
    "mixolydian": (("Mixolydian", "I | VII | IV | I"), ("Reel", "I | VII | I | VII"), ("Mixolydian fall", "I | v | IV | I")),
    "phrygian": (("Phrygian", "i | II | i | II"), ("Spanish", "i | II | III | II"), ("Phrygian fall", "iv | III | II | i"), ("Cherry", "i | iv | i | VI | II | i")),
    "locrian": (("Locrian", "idim | II | idim | vii"), ("Locrian fall", "VI | iv | II | idim")),
    "lydian": (("Lydian", "I | II | I | II"), ("Afloat", "I | II | vi | I"), ("Lydian fall", "I | V | II | I")),
    "blues": (("Twelve bars", "I7 | I7 | I7 | I7 | IV7 | IV7 | I7 | I7 | V7 | IV7 | I7 | V7"), ("Quick change", "I7 | IV7 | I7 | I7 | IV7 | IV7 | I7 | I7 | V7 | IV7 | I7 | V7"),
        ("Eight bars", "I7 | V7 | IV7 | IV7 | I7 | V7 | I7 | V7")),
    "jazz": (("Two-five-one", "iim7 | V7 | Imaj7 | Imaj7"), ("Rhythm", "Imaj7 vim7 | iim7 V7"), ("Turn", "iiim7 | vim7 | iim7 | V7"), ("Standard", "vim7 | iim7 | V7 | Imaj7 | IVmaj7 | iim7 | V7 | Imaj7"),
        ("Slow", "Imaj7 | IVmaj7 | iim7 | V7 | Imaj7 | vim7 | iim7 V7 | Imaj7")),
    "minor jazz": (("Minor two-five", "iim7b5 | vm7 | im7 | im7"), ("Autumn", "ivm7 | VII7 | IIImaj7 | VImaj7 | iim7b5 | vm7 | im7 | im7")),
}  # fmt: skip
LEADING = (("i | iv | V7 | i"), ("i | VI | iv | V"), ("i | V | i | V7"), ("VI | iv | V | i"))  # minor with its leading note, where the scale is not locked
HALF = 0.35  # probability that is left to chords that no progression has there
CHORD_TONE, SCALE_TONE, STRANGE = 1.0, 0.16, 0.02  # how a melody note's weight counts under a chord
ROOT_MORE = 1.25


def kind_of(key: Key, jazz: bool = False) -> str:
    if key.scale in ("blues", "minor pentatonic") and not jazz:
        return "blues" if key.scale == "blues" else "minor"
    if jazz:
        return "minor jazz" if key.minor else "jazz"
    if key.scale == "in":
        return "phrygian"
    return key.scale if key.scale in PROGRESSIONS else "minor" if key.minor else "major"


@lru_cache(maxsize=64)
def chain(key: Key, locked: bool, jazz: bool = False) -> tuple[tuple[str, ...], Any]:
    """Names of the chords, the tonic's first, and the (chords, chords) table of what follows; under a lock only chords of the scale."""
    kind = kind_of(key, jazz)
    texts = [text for _, text in PROGRESSIONS[kind]] + (list(LEADING) * 2 if kind == "minor" and (not locked or (key.tonic + 11) % 12 in key.classes) else [])
    read = [[name for bar in parse_progression(text, key, 4) for name in bar] for text in texts]
    fits = set(key.classes) if locked and len(key.classes) == 7 else set(key.harmony) | set(range(12))
    names = list(dict.fromkeys(name for chords in read for name in chords if parse_chord(name).classes <= fits))
    home = next((name for name in names if parse_chord(name).root == key.tonic), "")
    if not home:  # a scale without its own triad: its chords stay, a lock leaves their notes out
        names = list(dict.fromkeys(name for chords in read for name in chords))
        home = next(name for name in names if parse_chord(name).root == key.tonic)
    names = [home, *(name for name in names if name != home)]
    place = {name: number for number, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)))
    for chords in read:
        inside = [place[name] for name in chords if name in place]
        for now, then in zip(inside, [*inside[1:], inside[0]], strict=True):
            counts[now, then] += 1
    counts[np.arange(len(names)), np.arange(len(names))] *= 0.5  # a chord that lasts two bars is two of them
    usual = counts.sum(axis=0) + 0.5
    table = counts + HALF * usual / usual.sum()
    return tuple(names), table / table.sum(axis=1, keepdims=True)


def draw_chords(
    slots: Sequence[Any], key: Key, locked: bool, rng: Any, *, temperature: float = 1.0, jazz: bool = False, last: str = "home", onto: str = "", before: str = "", fixed: dict[int, str] | None = None
) -> list[str]:
    """A chord name for each slot. `slots` are twelve weights of the melody that sounds there (zeros: nothing).

    `last`: "home" ends on the tonic, "open" on what leads to the chord `onto` (the tonic's, where it is none of the key's) and is neither, "free" anywhere. `before` is the chord that went before; `fixed` are
    chords that are known.
    """
    names, table = chain(key, locked, jazz)
    heard = np.array([[emission(parse_chord(name), weights, key) for name in names] for weights in slots])
    for place, name in (fixed or {}).items():
        heard[place] = 0
        heard[place, names.index(name)] = 1
    if before in names:
        heard[0] *= table[names.index(before)]
    elif not before and 0 not in (fixed or {}):
        heard[0] *= np.array([4.0] + [1.0] * (len(names) - 1)) if np.any(slots[0]) else np.array([1.0] + [0.02] * (len(names) - 1))
    if last == "home":
        heard[-1] *= np.array([1.0] + [1e-4] * (len(names) - 1))
    elif last == "open":
        goal = names.index(onto) if onto in names else 0
        heard[-1] *= table[:, goal] * np.where(np.isin(np.arange(len(names)), (0, goal)), 1e-4, 1.0)
    return [names[place] for place in _sampled(heard, table, rng, temperature)]


def best_chords(slots: Sequence[Any], key: Key, locked: bool) -> list[str]:
    """The likeliest chords under a melody: Viterbi."""
    names, table = chain(key, locked)
    score = np.log(np.array([[emission(parse_chord(name), weights, key) for name in names] for weights in slots]) + 1e-12)
    moves, best, back = np.log(table), score[0].copy(), []
    for row in score[1:]:
        whole = best[:, None] + moves
        back.append(whole.argmax(axis=0))
        best = whole.max(axis=0) + row
    places = [int(best.argmax())]
    for came in reversed(back):
        places.append(int(came[places[-1]]))
    return [names[place] for place in reversed(places)]


def emission(chord: Chord, weights: Any, key: Key) -> float:
    """How well a chord carries notes whose lengths by pitch class are `weights`; 1 for silence."""
    total = float(np.sum(weights))
    if total <= 0:
        return 1.0
    each = np.full(12, STRANGE)
    each[list(key.classes)] = SCALE_TONE
    each[list(chord.tones)] = CHORD_TONE
    each[chord.root] *= ROOT_MORE
    spread = (3 / len(QUALITIES[chord.quality])) ** 2.0  # chords of many tones carry anything: that must not speak for them
    return float(np.exp(np.dot(weights, np.log(each)) / total * 3.0) * spread)


def _sampled(heard: Any, table: Any, rng: Any, temperature: float) -> list[int]:
    heard, table = heard ** (1 / temperature), table ** (1 / temperature)
    alphas = [heard[0] / heard[0].sum()]
    for row in heard[1:]:
        alpha = alphas[-1] @ table * row
        alphas.append(alpha / alpha.sum())
    places = [int(rng.choice(len(alphas[-1]), p=alphas[-1]))]
    for alpha in reversed(alphas[:-1]):
        chance = alpha * table[:, places[-1]]
        places.append(int(rng.choice(len(chance), p=chance / chance.sum())))
    return places[::-1]


def progressions() -> list[dict[str, str]]:
    """For picking: name, kind of key, and the text."""
    return [{"name": name, "kind": kind, "chords": text} for kind, found in PROGRESSIONS.items() for name, text in found]


def names_in(text: str, key: str) -> list[list[str]]:
    """A progression's chords in a key, for showing them."""
    return parse_progression(text, parse_key(key), 4)
