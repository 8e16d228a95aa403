"""How many steps of learning are best, told by the pieces that are learnt from alone: each half of them is learnt by itself while the other half is what is listened to.

What is held out takes no part in it, so its loss afterwards is that of pieces nobody has chosen anything by.
"""

from __future__ import annotations

from collections.abc import Callable

from pipelines.music.composer.pieces import cut
from pipelines.music.composer.training.data import Ready, Song
from pipelines.music.composer.training.fit import Fit, held_out

LOOKS = (1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 3 / 4, 1)  # of the steps that are allowed: where both halves are listened to
PATIENCE = 2  # looks without a better one after which the rest is not tried


def halves(songs: list[Song]) -> tuple[list[Song], list[Song]]:
    """Two of about equal size; one piece is cut at a bar line near its middle."""
    if len(songs) > 1:
        return songs[::2], songs[1::2]
    song = songs[0]
    bar = int(song.frame.bar[0])
    middle = max(song.frame.steps // 2 // bar, 1) * bar
    middle = middle if middle < song.frame.steps else song.frame.steps // 2
    return [cut(song, 0, middle)], [cut(song, middle, song.frame.steps)]


def best_steps(songs: list[Song], begin: Callable[[list[Ready]], Fit], most: int, tell: Callable[[int], None]) -> int:
    """0 … most: after how many steps the halves told each other best. `begin` starts a training; tell(steps done of each half) may raise."""
    parts = [[Ready.of(song, recalls=True) for song in half] for half in halves(songs)]
    fits = [begin(part) for part in parts]
    looks = sorted({max(round(share * most), 1) for share in LOOKS})
    losses = [_loss(fits, parts)]
    for look in looks:
        while fits[0].steps < look:
            for fit in fits:
                fit.step()
            tell(fits[0].steps)
        losses.append(_loss(fits, parts))
        if len(losses) - 1 - losses.index(min(losses)) >= PATIENCE:
            break
    return [0, *looks][losses.index(min(losses))]


def _loss(fits: list[Fit], parts: list[list[Ready]]) -> float:
    """What each half has yet to learn of the other, in nats a token."""
    return sum(held_out(fit.average, other) for fit, other in zip(fits, parts[::-1], strict=True)) / len(fits)
