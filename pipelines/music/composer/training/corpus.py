"""The four-part Bach chorales of music21's corpus on a grid of sixteenths, as one .npz. Needs music21 alone, nothing of the studio.

    python pipelines/music/composer/training/corpus.py chorales.npz

The file holds, end to end for all chorales: `tokens` (4, steps) in the studio's form (0 … 127 a pitch begins, 128 rest, 129 the pitch goes on; soprano, alto, tenor,
bass), `place` sixteenths since the bar line (pickups counted from the bar they belong to), `bar` its length, `ends` 1 while a chord under a fermata sounds; and by
chorale: `lengths`, `names`, `titles`, `tunes` (numbers: chorales of one title or one melody share it). It is for training only and is not shipped.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

import numpy as np

REST, HOLD = 128, 129
SAME_TUNE = 0.75  # of the first 24 beats' pitches from the tonic: above, two melodies are one tune


def chorales() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(name, title, grid) of every usable chorale."""
    from music21 import corpus

    titles = _titles()
    for path in sorted(corpus.getComposer("bach"), key=str):
        name = path.stem
        score = corpus.parse(path)
        parts = [part for part in score.parts if part.recurse().notes]
        if len(parts) != 4:
            continue
        grid = _grid(parts)
        if grid is not None:
            yield name, titles.get(name.removeprefix("bwv"), ""), grid


def _titles() -> dict[str, str]:
    """The hymn's title by BWV number, from Riemenschneider's list."""
    from music21.corpus.chorales import ChoraleList

    return {str(entry["bwv"]): str(entry["title"]).lower() for entry in ChoraleList().byBWV.values()}


def _grid(parts: list[Any]) -> dict[str, Any] | None:
    """None where it is no chorale: notes off the grid of more than 2 %, or shorter than four bars."""
    total = round(max(float(part.highestTime) for part in parts) * 4)
    if total < 64 or total > 1600:
        return None
    voices = [_voice(part, total) for part in parts]
    if any(off > 0.02 for _, off in voices):
        return None
    order = sorted(range(4), key=lambda voice: -_mean(voices[voice][0]))
    place, bar = _metre(parts[0], total)
    return {"tokens": np.stack([voices[voice][0] for voice in order]), "place": place, "bar": bar, "ends": _ends(parts, total)}


def _mean(tokens: Any) -> float:
    return float(tokens[tokens < REST].mean())


def _voice(part: Any, total: int) -> tuple[Any, float]:
    """The tokens, and which share of the notes lies off the grid. Of a chord the outermost note counts."""
    tokens = np.full(total, REST, np.int16)
    off = count = 0
    for note in part.flatten().notes:
        start, end = float(note.offset) * 4, float(note.offset + note.quarterLength) * 4
        if note.quarterLength == 0:
            continue
        count += 1
        off += abs(start - round(start)) > 0.01
        start, end = round(start), max(round(end), round(start) + 1)
        tied = note.tie is not None and note.tie.type in ("stop", "continue") and start > 0 and tokens[start - 1] != REST
        tokens[start:end] = HOLD
        if not tied:
            tokens[start] = max(pitch.midi for pitch in note.pitches)
    return tokens, off / max(count, 1)


def _metre(part: Any, total: int) -> tuple[Any, Any]:
    place, bar = np.zeros(total, np.int16), np.full(total, 16, np.int16)
    for measure in part.getElementsByClass("Measure"):
        start = round(float(measure.offset) * 4)
        length = round(float(measure.barDuration.quarterLength) * 4)
        inside = min(round(float(measure.duration.quarterLength) * 4), total - start)
        first = length - inside if start == 0 and inside < length else round(float(measure.paddingLeft) * 4)
        place[start : start + inside] = first + np.arange(inside)
        bar[start : start + inside] = length
    return place, bar


def _ends(parts: list[Any], total: int) -> Any:
    """Fermatas of the soprano; of any voice where it has none; the last note ends a phrase in any case."""
    ends = np.zeros(total, np.uint8)
    for part in parts:
        for note in part.flatten().notes:
            if any("Fermata" in mark.classes for mark in note.expressions):
                start = round(float(note.offset) * 4)
                ends[start : start + round(float(note.quarterLength) * 4)] = 1
        if ends.any():
            break
    notes = list(parts[0].flatten().notes)
    ends[round(float(notes[-1].offset) * 4) :] = 1
    return ends


def tunes(titles: list[str], melodies: list[Any]) -> Any:
    """Numbers of tunes: same title or same melody, or both by way of a third."""
    owner = list(range(len(titles)))

    def root(one: int) -> int:
        while owner[one] != one:
            one = owner[one]
        return one

    for one in range(len(titles)):
        for two in range(one):
            if (titles[one] and titles[one] == titles[two]) or alike(melodies[one], melodies[two]):
                owner[root(one)] = root(two)
    return np.array([root(one) for one in range(len(titles))], np.int16)


def alike(one: Any, two: Any) -> bool:
    """Whether two melodies begin as one tune in some transposition: compared are steps between notes, repeated notes left out."""
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    return bool(matcher.real_quick_ratio() > SAME_TUNE and matcher.quick_ratio() > SAME_TUNE and matcher.ratio() > SAME_TUNE)


def melody(tokens: Any) -> list[int]:
    """The steps between the soprano's first 24 notes."""
    pitches = tokens[0][tokens[0] < REST].astype(int)
    pitches = pitches[np.r_[True, np.diff(pitches) != 0]][:25]
    return [int(step) for step in np.diff(pitches)]


def main() -> None:
    found = list(chorales())
    grids = [grid for _, _, grid in found]
    titles = [title for _, title, _ in found]
    groups = tunes(titles, [melody(grid["tokens"]) for grid in grids])
    arrays: dict[str, Any] = {name: np.concatenate([grid[name] for grid in grids]) for name in ("place", "bar", "ends")}
    arrays |= {"tokens": np.concatenate([grid["tokens"] for grid in grids], axis=1), "lengths": np.array([grid["tokens"].shape[1] for grid in grids])}
    arrays |= {"names": np.array([name for name, _, _ in found]), "titles": np.array(titles), "tunes": groups}
    np.savez_compressed(sys.argv[1], **arrays)
    steps = sum(grid["tokens"].shape[1] for grid in grids)
    print(f"{len(found)} chorales of {len(set(groups.tolist()))} tunes, {steps} sixteenths: {sys.argv[1]}")


if __name__ == "__main__":
    main()
