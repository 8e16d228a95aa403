"""The language of one's own models on one screen, as HTML for the fold on the Own page. Its examples are in the tests."""

from __future__ import annotations

import html

# (heading, lines of (what is typed, what it means))
CARDS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("Everywhere", (
        ("k = 0.5 [0, 2] per day  # why", "a parameter: value, range, unit, what it is"),
        ("x(0) = 10 [0, 50]", "the value at the start"),
        ("rate = k*x/(1 + x)", "an expression with a name; its curve is shown"),
        ("view x, y", "what the picture shows"),
        ("+ - * / ^ %   < <= == !=   and or not", "operators; ^ is a power"),
        ("if(t > 5, a, b)   a if t > 5 else b", "a choice"),
        ("sin cos tan exp log sqrt abs min max floor ceil round sign tanh", "functions"),
        ("step(t - 5)   pulse(t, 5, 2)   t   pi   e", "from time 5 on; from 5 for 2; time and constants"),
    )),
    ("Differential equations", (("dS/dt = -beta*S*I", "or S' = …"),)),
    ("Map", (("x' = r*x*(1 - x)", "or x[n+1] = r*x[n]*(1 - x[n]); noise() and random() bring chance"),)),
    ("Cellular automaton", (
        ("rule B3/S23", "born with 3, stays with 2 or 3 of 8 neighbours"),
        ("rule 110", "one row of cells, rules 0 to 255"),
        ("states: dead, alive", "the first is that of all cells not told otherwise"),
        ("alive -> dead if count(alive) < 2", "the first line that holds counts; * is any state"),
        ("start alive = 0.3   around 4", "share at the start; 4 or 8 neighbours"),
    )),
    ("Stochastic equations", (("dX = mu*X*dt + sigma*X*dW", "dW is each equation's own noise; dW1, dW2 are shared"),)),
    ("Stocks and flows", (("stock Water = 100 litres", "a stock and its start"), ("flow leak: Water -> outside = k*Water", "a flow from one stock to another or outside"))),
    ("Agents with states", (
        ("states: well, ill   start ill = 0.01", "each on a line of its own"),
        ("agents 1000", "all meet all; without it they live on a grid"),
        ("well -> ill at beta*fraction(ill)", "a rate: at; a chance each step: with"),
        ("count(ill)   fraction(ill)   neighbours(ill)", "how many, which share of all, which share of those around"),
    )),
    ("Fields on a grid", (("du/dt = D*laplace(u) - dx(u)", "laplace, dx, dy"), ("u(0) = if(x < width/2, 1, 0) + 0.1*noise()", "by place: x, y, width"))),
)  # fmt: skip


def _card(title: str, lines: tuple[tuple[str, str], ...]) -> str:
    rows = "".join(f"<dt><code>{html.escape(typed)}</code></dt><dd>{html.escape(meaning)}</dd>" for typed, meaning in lines)
    return f"<section><h4>{html.escape(title)}</h4><dl>{rows}</dl></section>"


HELP = f"<div class='own-help'>{''.join(_card(title, lines) for title, lines in CARDS)}</div>"
