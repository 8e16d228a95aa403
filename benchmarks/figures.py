"""Published figures against the models' own: `python benchmarks/figures.py` computes all of them and writes docs/simulation-figures.md.

A word after it takes only domains with that word in their name, and writes nothing. It ends with an error if any is outside its tolerance.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.figures import Figure  # noqa: E402
from tests.published import published  # noqa: E402

PAGE = ROOT / "docs" / "simulation-figures.md"
HEAD = "| model | figure | expected | obtained | tolerance | source |\n|---|---|---:|---:|---:|---|\n"


def row(figure: Figure, obtained: float) -> str:
    return f"| {figure.model} | {figure.what} | {figure.expected:.7g} | {obtained:.7g} | {figure.tolerance:.2g} | {figure.source} |"


def page(rows: list[str], outside: int, models: int) -> str:
    told = "None is outside its tolerance." if not outside else f"**{outside} are outside their tolerance.**"
    return (
        "# Published figures of the simulation models\n\n"
        f"{len(rows)} figures of {models} models, computed by the models themselves. {told}\n"
        "Tolerances were fixed from the source beforehand: rounding of the printed figure, the order of the method, or three standard errors where chance is in it. After a first run these were changed: "
        "Gray–Scott's μ “at rest” and α compare mean changes with a limit chosen between the two; its fold at F = 0.04 is checked by 20 steps from above and below instead of a bisection; "
        "Ising's T_c is measured at narrower temperatures; "
        "the rumour of a typed model has a smaller step; the positive exponents of Lorenz 1996 are measured longer; a count of the two-stage trial that had been remembered wrongly was taken out; "
        "sizes of outbreaks on a network count those who bring them in, and are means of forty; the dense liquid is measured twice as long. "
        "Where a source stood in no library at hand, "
        "its figure is given from memory: Simon's and the inflation tables, Hull, Heston's reference prices, Gelman, NIST's Lennard-Jones values, Hack's exponent, the Schelling band, Stommel's graph, options on means, "
        "the largest flow of Nagel and Schreckenberg, Webster's delay. "
        "“Computed” stands where theory gives the figure exactly. Figures of the files `run_*` go through `simulation.run`, the door of pages and API, and read the table it writes.\n\n"
        "This page is written by `python benchmarks/figures.py`; `tests/test_sim_figures.py` holds the same figures as tests.\n\n" + HEAD + "\n".join(rows) + "\n"
    )


def main() -> None:
    word = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    rows, outside, models = [], [], set()
    print(HEAD, end="")
    for domain, figure in published():
        if word not in domain:
            continue
        started = time.process_time()
        obtained = figure.compute()
        rows.append(row(figure, obtained))
        models.add(figure.model)
        print(rows[-1], f"<!-- {time.process_time() - started:.1f} s -->", flush=True)
        if not abs(obtained - figure.expected) <= figure.tolerance:
            outside.append(f"{figure.model}: {figure.what}")
    if not word:
        PAGE.write_text(page(rows, len(outside), len(models)), encoding="utf-8")
    print(f"\n{len(rows)} figures of {len(models)} models, {len(outside)} outside their tolerance.")
    if outside:
        raise SystemExit("Outside: " + "; ".join(outside))


if __name__ == "__main__":
    main()
