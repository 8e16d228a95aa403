"""What accompanying parts do with a chord: bass lines, broken chords, struck chords, held ones, four voices. Every pitch comes from those that are allowed.

The four voices are led by dynamic programming over all ways to lay a chord: the costs are those of the textbooks (near moves, no parallel fifths or octaves, no
crossing, the third doubled last).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pipelines.music.chords import Chord
from pipelines.music.metre import Bar, Line

Play = tuple[int, int, int, int]  # start and length in steps, pitch, velocity
STRIKES: dict[str, dict[int, tuple[str, str]]] = {  # of chords: by length of the beat, what happens on the first and on the other beats
    "block": {4: ("X---", "X---"), 6: ("X-----", "X-----")},
    "half": {4: ("X---", "----"), 6: ("X-----", "------")},
    "offbeat": {4: ("--X-", "--X-"), 6: ("--X-X-", "--X-X-")},
    "oompah": {4: ("----", "X---"), 6: ("--X-X-", "--X-X-")},
    "comp": {4: ("X--o", "--o."), 6: ("X---o-", "--o-o-")},
    "shuffle": {4: ("X-x-", "X-x-"), 6: ("X---x-", "X---x-")},
    "strum": {4: ("X-xo", "X-ox"), 6: ("X-oXox", "X-oXox")},
}
BASSES: dict[str, dict[int, tuple[str, str]]] = {  # r root, f fifth (or the next tone), o octave, - nothing
    "root": {4: ("r---", "----"), 6: ("r-----", "------")},
    "rootfifth": {4: ("r---", "f---"), 6: ("r-----", "f-----")},
    "oompah": {4: ("r---", "----"), 6: ("r-----", "f-----")},
    "eighths": {4: ("r-r-", "r-o-"), 6: ("r-r-r-", "r-o-r-")},
    "groove": {4: ("r--r", "--o-"), 6: ("r---r-", "--f-o-")},
    "boogie": {4: ("r-r-", "t-f-"), 6: ("r---f-", "t---f-")},
    "bossa": {4: ("r--f", "f---"), 6: ("r---f-", "f-----")},
}
FIGURES = {"up": (0, 1, 2, 3), "down": (3, 2, 1, 0), "updown": (0, 1, 2, 3, 2, 1), "alberti": (0, 2, 1, 2), "wide": (0, 2, 3, 2)}
CHANCE = {"X": 1.0, "x": 0.85, "o": 0.45, ".": 0.1, "-": 0.0}


def pitches_in(low: int, high: int, classes: frozenset[int]) -> list[int]:
    return [pitch for pitch in range(low, high + 1) if pitch % 12 in classes]


def tones_at(line: Line, chord: Chord | None, start: int, end: int) -> frozenset[int]:
    """The chord's own tones that may sound from start to end; all that may where it has none."""
    allowed = line.allowed(start, end)
    own = allowed & chord.classes if chord else allowed & frozenset(line.key.classes)
    return own or allowed


def pieces(line: Line, start: int, end: int) -> list[tuple[int, int]]:
    """A note's stretch, cut where the chord changes."""
    return [(first, then) for first, then, _ in line.spans_within(start, end)]


def marks(bar: Bar, table: dict[int, tuple[str, str]], first: int, last: int) -> list[tuple[int, str]]:
    """(step, mark) of a pattern over a bar, between two steps."""
    found = []
    for number, (start, beat) in enumerate(zip(bar.beat_starts, bar.beats, strict=True)):
        size = 6 if beat == 6 else 4
        pattern = table[size][min(1, number)]
        found += [(start + step, pattern[step % size]) for step in range(beat)]
    return [(step, mark) for step, mark in found if first <= step < last]


def chords_part(style: str, line: Line, low: int, high: int, density: float, rng: Any, before: Sequence[int] = ()) -> list[Play]:
    """Struck chords; each voicing lies as near as can be to the one before. `style` "pad" holds them."""
    found: list[Play] = []
    size, last = 2 + round(2 * min(1.0, density * 1.2)), list(before)
    for bar in line.bars:
        struck = _struck(style, bar, line, density, rng)
        for step, then in zip(struck, [*struck[1:], bar.end], strict=True):
            chord = line.chord_at(step)
            if chord is None:
                continue
            for start, end in pieces(line, step, then)[:1]:
                length = end - start if style in ("pad", "block", "half") else min(end - start, 2)
                tones = pitches_in(low, high, tones_at(line, chord, start, start + length))
                if not tones:
                    continue
                last = _near(tones, last, size, (low + high) / 2)
                accent = 8 if step == bar.start else 0
                found += [(start, length, pitch, int(62 + accent + rng.integers(-4, 5))) for pitch in last]
    return found


def _struck(style: str, bar: Bar, line: Line, density: float, rng: Any) -> list[int]:
    changes = [start for start, _, _ in line.spans() if bar.start <= start < bar.end]
    if style == "pad":
        return sorted({bar.start, *changes})
    found = {step for step, mark in marks(bar, STRIKES[style], bar.start, bar.end) if rng.random() < min(1.0, CHANCE[mark] * (0.5 + density) if mark != "X" else 1.0)}
    return sorted(found | ({*changes} if style in ("block", "half", "strum", "shuffle") else set()))


def _near(tones: list[int], last: Sequence[int], size: int, middle: float) -> list[int]:
    """`size` neighbouring tones whose middle is nearest to that of the ones before, at the beginning to the range's."""
    if len(tones) <= size:
        return tones
    goal = sum(last) / len(last) if last else middle
    goal = 0.85 * goal + 0.15 * middle
    best = min(range(len(tones) - size + 1), key=lambda place: abs(sum(tones[place : place + size]) / size - goal))
    return tones[best : best + size]


def arpeggio_part(figure: str, line: Line, low: int, high: int, density: float, rng: Any) -> list[Play]:
    """Broken chords: sixteenths, eighths or quarters by the density."""
    found: list[Play] = []
    unit = 1 if density > 0.75 else 2 if density > 0.3 else 4
    order = FIGURES[figure]
    for start, end, chord in line.spans():
        if chord is None:
            continue
        for place, step in enumerate(range(start, end, unit)):
            length = min(unit, end - step)
            tones = pitches_in(low, high, tones_at(line, chord, step, step + length))
            if not tones:
                continue
            home = next((number for number, pitch in enumerate(tones) if pitch % 12 == chord.root), 0)
            home = min(home, max(0, len(tones) - 4))
            pitch = tones[min(len(tones) - 1, home + order[place % len(order)])]
            found.append((step, length, pitch, int(66 + (10 if place % len(order) == 0 else 0) + rng.integers(-5, 6))))
    return found


def bass_part(style: str, line: Line, low: int, high: int, density: float, rng: Any, before: int = -1, after: int = -1, loops: bool = False) -> list[Play]:
    """Patterns of root and fifth, a drone, or a walking bass, whose steps are drawn so that they arrive at the next chord, and at its end at `after`; where it `loops`, at its own beginning."""
    if style == "walking":
        return _walking(line, low, high, rng, before, after, loops)
    found: list[Play] = []
    for start, end, chord in line.spans():
        if chord is None:
            continue
        if style == "drone":
            steps = [(start, "r")]
        else:
            steps = [(step, mark) for bar in line.bars for step, mark in marks(bar, BASSES[style], start, end) if mark != "-" and (mark == "r" or rng.random() < 0.4 + density)]
            steps = [(start, "r"), *(item for item in steps if item[0] > start)]  # a chord begins with its bass
        for (step, mark), then in zip(steps, [*(place for place, _ in steps[1:]), end], strict=True):
            length = then - step
            tones = pitches_in(low, high, tones_at(line, chord, step, step + length))
            if tones:
                found.append((step, length, _bass_tone(tones, chord, mark), int(80 + (8 if step == start else 0) + rng.integers(-4, 5))))
    return found


def _bass_tone(tones: list[int], chord: Chord, mark: str) -> int:
    """The written bass where it is allowed, low; the fifth or third above it; the octave."""
    roots = [pitch for pitch in tones if pitch % 12 == chord.bass] or tones
    root = roots[0]
    if mark == "o":
        return roots[1] if len(roots) > 1 else root
    wanted = {"f": 7, "t": 4}.get(mark, 0)
    if not wanted:
        return root
    return min((pitch for pitch in tones if pitch != root), key=lambda pitch: abs(pitch - root - wanted), default=root)


def _walking(line: Line, low: int, high: int, rng: Any, before: int, after: int, loops: bool) -> list[Play]:
    """One note a beat: the bass on each new chord, chord tones and steps between, and from below or above into the next one."""
    found: list[Play] = []
    last = before if before >= 0 else (low + high) // 2
    beats = [(start, bar.beats[number]) for bar in line.bars for number, start in enumerate(bar.beat_starts)]
    cut = [(first, then - first) for start, size in beats for first, then in pieces(line, start, start + size)]
    changes = {start for start, _, _ in line.spans()}
    for number, (step, size) in enumerate(cut, 1):
        chord = line.chord_at(step)
        if chord is None:
            continue
        tones = pitches_in(low, high, tones_at(line, chord, step, step + size))
        if not tones:
            continue
        if step in changes:
            options = [pitch for pitch in tones if pitch % 12 == chord.bass] or tones
        else:
            options = [pitch for pitch in tones if pitch != last] or tones
        goal = (after if after >= 0 else found[0][2] if loops and found else -1) if number == len(cut) else -1
        chances = np.array([np.exp(-(abs(pitch - last) + (abs(pitch - goal) if goal >= 0 else 0)) / 3.0) for pitch in options])
        last = options[int(rng.choice(len(options), p=chances / chances.sum()))]
        found.append((step, size, last, int(78 + rng.integers(-5, 6))))
    return found


# -- four voices -----------------------------------------------------------------------------------------------


Behind = tuple[tuple[int, ...], int | None]  # what follows: the pitches of the lower voices, highest first, and the one above them


def lay(
    line: Line, soprano: Callable[[int], int | None], ranges: Sequence[tuple[int, int]], slots: Sequence[tuple[int, int]], rng: Any, temperature: float = 1.0, behind: Behind | None = None, loops: bool = False
) -> list[tuple[int, ...]]:
    """For each slot (start, end) the pitches of the lower voices, highest first: the cheapest way through, disturbed by the temperature. `soprano(step)` is the pitch above them.

    The end leads to what is `behind`; where it `loops` and nothing is, to its own first slot.
    """
    tops = [soprano(start) for start, _ in slots]
    ways = [_ways(line, start, end, ranges, top) for (start, end), top in zip(slots, tops, strict=True)]
    costs = [np.array([_own(way, line.chord_at(start), top) for way in options]) + rng.gumbel(0, 0.9 * temperature, len(options)) for (start, _), options, top in zip(slots, ways, tops, strict=True)]
    if loops and not behind:
        first = _cheapest(ways, costs, tops)[0]
        costs[0] = np.where(np.arange(len(ways[0])) == first, costs[0], np.inf)
        behind = ways[0][first], tops[0]
    if behind:
        costs[-1] = costs[-1] + _moves(np.array(ways[-1]), np.array([behind[0]]), tops[-1], behind[1])[:, 0]
    return [ways[place][number] for place, number in enumerate(_cheapest(ways, costs, tops))]


def _cheapest(ways: Sequence[Sequence[tuple[int, ...]]], costs: Sequence[Any], tops: Sequence[int | None]) -> list[int]:
    """Of each slot the number of the way that is taken."""
    best, back = costs[0], []
    for place in range(1, len(ways)):
        whole = best[:, None] + _moves(np.array(ways[place - 1]), np.array(ways[place]), tops[place - 1], tops[place])
        back.append(whole.argmin(axis=0))
        best = whole.min(axis=0) + costs[place]
    at = [int(best.argmin())]
    for came in reversed(back):
        at.append(int(came[at[-1]]))
    return at[::-1]


def _ways(line: Line, start: int, end: int, ranges: Sequence[tuple[int, int]], top: int | None) -> list[tuple[int, ...]]:
    tones = tones_at(line, line.chord_at(start), start, end)
    each = [pitches_in(low, high, tones) for low, high in ranges]
    found = [way for way in itertools.product(*each) if all(above >= below for above, below in itertools.pairwise(way)) and (top is None or not way or way[0] <= top)]
    found = found or [tuple(sorted(way, reverse=True)) if _fits(sorted(way, reverse=True), ranges) else way for way in itertools.islice(itertools.product(*each), 400)]
    return found[:: max(1, len(found) // 400)]


def _fits(way: Sequence[int], ranges: Sequence[tuple[int, int]]) -> bool:
    return all(low <= pitch <= high for pitch, (low, high) in zip(way, ranges, strict=True))


def _own(way: tuple[int, ...], chord: Chord | None, top: int | None) -> float:
    """What is wrong with one chord by itself."""
    if chord is None or not way:
        return 0.0
    heard = [*([top] if top is not None else []), *way]
    held = {pitch % 12 for pitch in heard}
    cost = 3.0 * sum(tone not in held for tone in chord.tones[:2]) + 1.0 * sum(tone not in held for tone in chord.tones[2:])
    cost += 4.0 * (way[-1] % 12 != chord.bass)
    cost += sum(0.6 * max(0, above - below - 12) for above, below in itertools.pairwise(heard[:-1]))
    third = chord.tones[1] if len(chord.tones) > 1 else chord.root
    return cost + 1.5 * max(0, sum(pitch % 12 == third for pitch in heard) - 1) + 1.0 * sum(above == below for above, below in itertools.pairwise(heard))


def _moves(now: Any, then: Any, top_now: int | None, top_then: int | None) -> Any:
    """(ways now, ways then) -> cost of moving: far moves, and fifths or octaves in parallel."""
    moved = then[None, :, :] - now[:, None, :]
    cost = 0.25 * np.abs(moved).sum(-1) + 0.4 * (np.abs(moved) > 7).sum(-1)
    voices_now = [now[:, number] for number in range(now.shape[1])]
    voices_then = [then[:, number] for number in range(then.shape[1])]
    if top_now is not None and top_then is not None:
        voices_now.insert(0, np.full(len(now), top_now))
        voices_then.insert(0, np.full(len(then), top_then))
    for high, low in itertools.combinations(range(len(voices_now)), 2):
        before = (voices_now[high] - voices_now[low])[:, None]
        after = (voices_then[high] - voices_then[low])[None, :]
        moving = voices_then[low][None, :] != voices_now[low][:, None]
        for interval in (0, 7):
            cost = cost + 5.0 * ((before % 12 == interval) & (after == before) & moving & (before > 0))
    return cost
