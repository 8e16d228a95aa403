"""Drum patterns of our own as probabilities: for each kind of beat, how likely each drum is struck on each of its sixteenths.

A pattern is written for beats of four and of six sixteenths: X always, x nearly always, o half the time, . seldom, - never.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

KICK, RIM, SNARE, CLAP, LOW_TOM, CLOSED, MID_TOM, PEDAL, OPEN, HIGH_TOM, CRASH, RIDE, TAMBOURINE, COWBELL, SHAKER = 36, 37, 38, 39, 45, 42, 47, 44, 46, 50, 49, 51, 54, 56, 70
CHANCE = {"X": 1.0, "x": 0.9, "o": 0.5, ".": 0.08, "-": 0.0}
LOUD = {KICK: 100, SNARE: 96, CLAP: 92, CLOSED: 64, OPEN: 72, RIDE: 70, CRASH: 96, RIM: 78, PEDAL: 58, SHAKER: 52, TAMBOURINE: 62, COWBELL: 70}
# style -> drum -> patterns of (first beat, beats with a backbeat, the other beats), for four sixteenths and for six
PATTERNS: dict[str, dict[int, tuple[str, str, str, str, str, str]]] = {
    "rock": {KICK: ("X--.", "-.o-", "x-o.", "X-----", "---o--", "x---o-"), SNARE: ("---.", "X--.", "---.", "------", "X----.", "-----."), CLOSED: ("X-x-", "x-x-", "X-x-", "X-x-x-", "x-x-x-", "X-x-x-")},
    "groove": {KICK: ("X--o", "--o.", "o-X-", "X---o-", "--o---", "x---o-"), SNARE: ("-.-.", "X-.o", ".-.-", "----.-", "X---.o", "--.---"), CLOSED: ("XxXx", "XxXo", "XxXx", "XxXxXx", "XxXxXx", "XxXxXx"),
        OPEN: ("----", "--.-", "--o-", "------", "----.-", "----o-")},
    "march": {KICK: ("X---", "----", "X---", "X-----", "------", "X-----"), SNARE: ("x-oo", "X-oo", "x-xx", "x--o-o", "X--ooo", "x--x-x"), CRASH: (".---", "----", "----", ".-----", "------", "------")},
    "waltz": {KICK: ("X---", "----", "----", "X-----", "------", "------"), PEDAL: ("----", "X---", "X---", "------", "X-----", "X-----"), RIDE: ("o---", "o---", "o-.-", "o-----", "o---.-", "o-----")},
    "swing": {RIDE: ("X---", "X-x-", "X---", "X---x-", "X---x-", "X---x-"), PEDAL: ("----", "X---", "----", "------", "X-----", "------"), KICK: ("o-.-", "..--", "o-.-", "o-----", "----.-", "o-----"),
        SNARE: ("--.-", "-.o-", "--.-", "----.-", "----o-", "----.-")},
    "chip": {KICK: ("X---", "X---", "X-.-", "X-----", "X-----", "X-----"), SNARE: ("----", "X--.", "----", "------", "X-----", "------"), CLOSED: ("--X-", "--Xo", "--X-", "--X-X-", "--X-X-", "--X-X-")},
    "folk": {TAMBOURINE: ("X-o-", "X-x-", "x-o-", "X-o-x-", "x-o-x-", "X-o-x-"), KICK: ("X---", "----", "x---", "X-----", "------", "x-----"), RIM: ("----", "x---", "----", "------", "x-----", "------")},
    "shuffle": {KICK: ("X---", "--o-", "X---", "X-----", "----o-", "X-----"), SNARE: ("--.-", "X-.-", "--.-", "----.-", "X---.-", "----.-"), RIDE: ("X-x-", "X-x-", "X-x-", "X---x-", "X---x-", "X---x-")},
    "soft": {SHAKER: ("x-o-", "x-o-", "x-o-", "x-o-o-", "x-o-o-", "x-o-o-"), KICK: ("o---", "----", ".---", "o-----", "------", ".-----")},
    "bossa": {SHAKER: ("XxXx", "XxXx", "XxXx", "XxXxXx", "XxXxXx", "XxXxXx"), KICK: ("X--x", "X--x", "X--x", "X---x-", "X---x-", "X---x-"), RIM: ("x--x", "--x-", "--x-", "x---x-", "--x---", "x---x-")},
}  # fmt: skip
FILLS = ((SNARE, "XxXx"), (HIGH_TOM, "Xx--"), (MID_TOM, "--Xx"), (LOW_TOM, "--xX"))


def draw_bar(style: str, beats: Sequence[int], density: float, rng: Any, *, fill: bool = False, temperature: float = 1.0) -> list[tuple[int, int, int]]:
    """(step in the bar, drum, velocity) of one bar; `density` 0.5 is the pattern as written. `fill` leads over to the next phrase."""
    found: list[tuple[int, int, int]] = []
    start = 0
    for number, beat in enumerate(beats):
        role = 0 if number == 0 else 1 if _backbeat(number, len(beats)) else 2
        last = fill and number == len(beats) - 1
        for drum, patterns in PATTERNS[style].items():
            if last and drum in (SNARE, CLOSED, OPEN, RIDE):
                continue
            found += _struck(drum, patterns[role + (3 if beat == 6 else 0)], beat, start, density, temperature, rng)
        if last:
            for drum, pattern in FILLS:
                if drum == SNARE or rng.random() < density:
                    found += _struck(drum, pattern, beat, start, density, temperature, rng)
        start += beat
    return sorted(found)


def _backbeat(number: int, count: int) -> bool:
    """The second and fourth of four; in three all after the first; in five the third and fifth."""
    return number > 0 if count == 3 else number % 2 == 1 if count % 2 == 0 else number in (2, 4)


def _struck(drum: int, pattern: str, beat: int, start: int, density: float, temperature: float, rng: Any) -> list[tuple[int, int, int]]:
    found = []
    for step in range(beat):
        chance = CHANCE[pattern[step % len(pattern)]]
        if chance in (0.0, 1.0) and not (chance and density < 0.15 and step):
            struck = chance == 1.0
        else:
            odds = (chance / (1 - min(chance, 0.98))) ** (1 / max(0.3, temperature)) * (density / max(0.02, 1 - density)) ** 1.2
            struck = rng.random() < odds / (1 + odds)
        if struck:
            loud = LOUD.get(drum, 80) + (10 if step == 0 else 0) - (12 if chance < 0.6 else 0)
            found.append((start + step, drum, int(min(127, max(1, loud + rng.integers(-4, 5))))))
    return found
