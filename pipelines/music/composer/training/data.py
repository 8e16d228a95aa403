"""Pieces for training: reading them, splitting them by tune and by piece, cutting batches from them. numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.music.composer import recall
from pipelines.music.composer.grid import BEFORE, HOLD, LOW, NO_CLASS, PITCHES, REST, UNKNOWN, UNKNOWN_CLASS, VOICES, Frame, fold, key_of, sounding, states

TRANSPOSED = range(-6, 6)  # semitones
SHARE = 0.1  # of the pieces is held out by tune, and as much by piece


@dataclass(frozen=True)
class Song:
    """One piece: tokens (4, steps), what is known of its steps, which voices it has, and the number of its tune."""

    tokens: Any
    frame: Frame
    voices: tuple[bool, ...] = (True,) * VOICES
    name: str = ""
    tune: int = -1


@dataclass(frozen=True)
class Ready:
    """A song in the network's numbers, in its own key: pitch (4, steps) MIDI, REST or FREE; begins; features (9, steps); places: where it may repeat itself, if that was asked for."""

    song: Song
    pitch: Any
    begins: Any
    features: Any
    places: Any = None

    @classmethod
    def of(cls, song: Song, recalls: bool = False) -> Ready:
        pitch, begins = sounding(song.tokens)
        return cls(song, pitch, begins, song.frame.features(), recall.recalled(song.tokens, song.frame) if recalls else None)


def read(path: Path) -> list[Song]:
    """The chorales that corpus.py wrote; their keys are found here."""
    with np.load(path) as file:
        data = {name: file[name] for name in file}
    starts = np.cumsum([0, *data["lengths"]])
    songs = []
    for number, (start, end) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
        tokens = data["tokens"][:, start:end]
        tonic, minor = key_of(tokens)
        frame = Frame(data["place"][start:end] % data["bar"][start:end], data["bar"][start:end], data["ends"][start:end] > 0, tonic, minor)
        songs.append(Song(tokens, frame, name=str(data["names"][number]), tune=int(data["tunes"][number])))
    return songs


def split(songs: list[Song], seed: int = 5) -> dict[str, list[Song]]:
    """`tune`: all pieces of some tunes; `piece`: single pieces, whose tune may be trained on; `train`: the others."""
    drawn = np.random.default_rng(seed)
    tunes = drawn.permutation(sorted({song.tune for song in songs}))
    held: set[int] = set()
    for tune in tunes:
        if sum(song.tune in held for song in songs) < SHARE * len(songs):
            held.add(int(tune))
    rest = [song for song in songs if song.tune not in held]
    single = set(drawn.permutation(len(rest))[: round(SHARE * len(songs))].tolist())
    return {
        "train": [song for number, song in enumerate(rest) if number not in single],
        "piece": [song for number, song in enumerate(rest) if number in single],
        "tune": [song for song in songs if song.tune in held],
    }


def room(ready: Ready) -> list[int]:
    """The transpositions in which no note leaves the network's range."""
    heard = ready.pitch[(ready.pitch >= 0) & (ready.pitch < REST)]
    low, high = int(heard.min()), int(heard.max())
    fits = [shift for shift in TRANSPOSED if low + shift >= LOW and high + shift < LOW + PITCHES]
    return fits or [0]


def window(ready: Ready, start: int, steps: int, shift: int) -> dict[str, Any]:
    """One transposed cut, filled up to `steps` with what does not count: states (3, 4, steps), before (3, 4), targets, counts, features, tonic; places where the piece has them."""
    end = min(start + steps, ready.song.frame.steps)
    sounds = ready.pitch[:, start:end]
    pitch = np.where((sounds >= 0) & (sounds < REST), sounds + shift, sounds)
    tonic = (ready.song.frame.tonic + shift) % 12
    made = states(pitch, ready.begins[:, start:end], tonic)
    if start:
        previous = ready.pitch[:, start - 1]
        before = states(np.where((previous >= 0) & (previous < REST), previous + shift, previous), ready.begins[:, start - 1], tonic)
    else:
        before = opening()
    tokens = ready.song.tokens[:, start:end]
    targets = np.where(tokens == HOLD, PITCHES + 1, np.where(tokens == REST, PITCHES, fold(np.where(tokens < REST, tokens + shift, LOW))))
    counts = np.repeat(np.array(ready.song.voices)[:, None], end - start, 1)
    fill = ((0, 0), (0, steps - (end - start)))
    places = {} if ready.places is None else {"places": np.pad(recall.shifted(ready.places[:, start:end], shift), (*fill, (0, 0), (0, 0)), mode="edge")}
    return places | {
        "states": np.pad(made, ((0, 0), *fill), mode="edge"),
        "before": before,
        "targets": np.pad(targets, fill),
        "counts": np.pad(counts, fill),
        "features": np.pad(ready.features[:, start:end], fill, mode="edge"),
        "tonic": np.array(tonic),
    }


def opening() -> Any:
    """(3, voices): what sounds before the first step."""
    return np.stack([np.full(VOICES, BEFORE), np.full(VOICES, NO_CLASS), np.zeros(VOICES, np.int64)])


def known(cut: dict[str, Any], mask: Any) -> Any:
    """The states with all that `mask` (4, steps) does not name unknown."""
    blank = np.array([UNKNOWN, UNKNOWN_CLASS, 0])[:, None, None]
    return np.where(mask, cut["states"], blank)


def guess(steps: int, drawn: np.random.Generator) -> Any:
    """Which tokens (4, steps) are known beforehand: mostly none; a melody; some voices; all around a gap; quarters here and there."""
    mask = np.zeros((VOICES, steps), bool)
    kind = drawn.choice(5, p=[0.4, 0.15, 0.15, 0.18, 0.12])
    if kind == 1:
        mask[0] = True
    elif kind == 2:
        mask[drawn.permutation(VOICES)[: drawn.integers(1, VOICES)]] = True
    elif kind == 3:
        length = int(drawn.integers(8, steps * 3 // 4))
        start = int(drawn.integers(0, steps - length))
        gone = drawn.permutation(VOICES)[: drawn.choice([1, 2, VOICES, VOICES])]
        mask[:] = True
        mask[gone, start : start + length] = False
    elif kind == 4:
        quarters = drawn.random((VOICES, -(-steps // 4))) < drawn.random()
        mask = np.repeat(quarters, 4, axis=1)[:, :steps]
    return mask


def hush(cut: dict[str, Any], drawn: np.random.Generator) -> None:
    """Now and then one to three voices fall silent and are not asked for: pieces of fewer voices must sound right too."""
    if drawn.random() < 0.1:
        gone = drawn.permutation(VOICES)[: drawn.integers(1, VOICES)]
        cut["states"][0][gone], cut["states"][1][gone], cut["states"][2][gone] = PITCHES, NO_CLASS, 0
        cut["targets"][gone], cut["counts"][gone] = PITCHES, False


def batch(pieces: list[Ready], size: int, steps: int, drawn: np.random.Generator, silence: bool = True) -> dict[str, Any]:
    """Random cuts in random keys with random tokens known, stacked for the network."""
    weights = np.array([piece.song.frame.steps for piece in pieces], float)
    cuts = []
    for number in drawn.choice(len(pieces), size, p=weights / weights.sum()):
        piece = pieces[number]
        late = max(piece.song.frame.steps - steps, 0)
        start = int(drawn.choice([0, late, int(drawn.integers(0, late + 1))], p=[0.15, 0.15, 0.7]))
        cut = window(piece, start, steps, int(drawn.choice(room(piece))))
        if silence:
            hush(cut, drawn)
        mask = guess(steps, drawn)
        cut["known"] = known(cut, mask)
        cut["counts"] = cut["counts"] & ~mask
        cuts.append(cut)
    return stack(cuts)


def whole(pieces: list[Ready]) -> dict[str, Any]:
    """Whole pieces from their first to their last step, nothing known: pure composition."""
    steps = max(piece.song.frame.steps for piece in pieces)
    cuts = [window(piece, 0, steps, 0) for piece in pieces]
    for cut in cuts:
        cut["known"] = known(cut, np.zeros((VOICES, steps), bool))
    return stack(cuts)


def stack(cuts: list[dict[str, Any]]) -> dict[str, Any]:
    """In the order of nets/composer.Batch: (3, batch, …) of states, (batch, …) of the rest."""
    made = {name: np.stack([cut[name] for cut in cuts]) for name in cuts[0]}
    for name in ("states", "known", "before"):
        made[name] = np.moveaxis(made[name], 0, 1)
    return made
