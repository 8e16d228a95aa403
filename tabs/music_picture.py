"""A piece as a small picture: its notes over time, one colour a voice. SVG, no gradio."""

from __future__ import annotations

import html
from typing import Any

COLOURS = ("#23685a", "#b5532a", "#3a5fa8", "#8a4a8f", "#8a6d1f", "#2a7f9e", "#a8324f", "#5a6b2c")  # as --voice-1 … in music.css, on paper
MARGIN = 10
MOST_NOTES = 6000  # drawn of a long piece


def drawn(piece: dict[str, Any], wide: int = 640, high: int = 240) -> str:
    """`piece` as Piece.to_json gives it. Every value in it becomes a number, so nothing from a file reaches the picture as text."""
    notes = [(number, note) for number, voice in enumerate(piece["voices"]) for note in voice["notes"]]
    notes = notes[:: -(-len(notes) // MOST_NOTES) or 1]
    pitches = [int(note["pitch"]) for _, note in notes] or [60]
    low, up = min(pitches) - 2, max(pitches) + 3
    across, down = (wide - 2 * MARGIN) / max(1, int(piece["length"])), (high - 2 * MARGIN) / max(12, up - low)
    tall = max(1.5, down - 0.6)
    strokes: dict[int, str] = {}
    for number, note in notes:
        x, y, width = MARGIN + int(note["start"]) * across, MARGIN + (up - int(note["pitch"]) - 1) * down, max(1.0, int(note["length"]) * across - 0.6)
        colour = number % len(COLOURS)
        strokes[colour] = strokes.get(colour, "") + f"M{x:.1f} {y:.1f}h{width:.1f}v{tall:.1f}h-{width:.1f}z"
    cells = "".join(f'<path fill="{COLOURS[colour]}" d="{path}"/>' for colour, path in strokes.items())
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}"><rect width="100%" height="100%" fill="#fffefb"/>{cells}</svg>'


def loss_curve(curve: list[list[float]], held: list[list[float]], label: str) -> str:
    """Steps to the right, loss upwards: what is learnt from as a line, what is held out as dots and a line. Colours are the page's."""
    steps, losses = [point[0] for point in (*curve, *held)], [point[1] for point in (*curve, *held)]
    left, right, top, bottom, wide, high = 48, 10, 10, 26, 640, 260
    most, low, up = max(steps) or 1, min(losses), max(losses)
    low, up = low - 0.05 * (up - low or 1), up + 0.05 * (up - low or 1)

    def at(point: list[float]) -> tuple[float, float]:
        return left + point[0] / most * (wide - left - right), top + (up - point[1]) / (up - low) * (high - top - bottom)

    def line(points: list[list[float]], name: str) -> str:
        return f'<polyline class="{name}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in map(at, points))}"/>' if points else ""

    marks = [low + (up - low) * share for share in (0.1, 0.5, 0.9)]
    scale = "".join(
        f'<line class="mark" x1="{left}" x2="{wide - right}" y1="{at([0, mark])[1]:.1f}" y2="{at([0, mark])[1]:.1f}"/><text x="{left - 6}" y="{at([0, mark])[1] + 4:.1f}" text-anchor="end">{mark:.2f}</text>'
        for mark in marks
    )
    foot = "".join(f'<text x="{left + share * (wide - left - right):.0f}" y="{high - 6}" text-anchor="{anchor}">{most * share:.0f}</text>' for share, anchor in ((0, "start"), (0.5, "middle"), (1, "end")))
    dots = "".join(f'<circle class="held" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in map(at, held))
    return f'<svg viewBox="0 0 {wide} {high}" role="img" aria-label="{html.escape(label)}">{scale}{foot}{line(curve, "own")}{line(held, "held")}{dots}</svg>'
