"""Figures by matplotlib (Agg), as PNG and SVG: no ground and ink of middle lightness, so that one look fits light and dark pages; readable at 390 pixels."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from studio.api import Artifact, Numbers, caption, wide_font

Axes = Any  # matplotlib.axes.Axes, which declarations are read without
INK = "#767b84"
COLOURS = ("#3f8fd2", "#dd7b34", "#46a063", "#d75a6a", "#9a70d0", "#2b9f9f")
SIZE = (5.6, 3.6)  # inches, at 200 dots each
DOTS = 200


def figure(draw: Callable[[Axes], None], title: str, *, facts: dict[str, Any] | None = None, size: tuple[float, float] = SIZE) -> list[Artifact]:
    """The same drawing twice, as PNG and as SVG. The same data give the same bytes."""
    found = []
    with _look():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        page = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(page)
        draw(page.add_subplot())
        for form, metadata in (("png", {"Software": ""}), ("svg", {"Date": None})):
            out = io.BytesIO()
            page.savefig(out, format=form, dpi=DOTS, metadata=metadata, transparent=True)
            found.append(Artifact("image" if form == "png" else "text", out.getvalue(), f".{form}", title, facts or {}))
    return found


@contextlib.contextmanager
def _look() -> Iterator[None]:
    import matplotlib
    from cycler import cycler

    calm: Any = {
        "font.family": ["DejaVu Sans", *_japanese()], "font.size": 10.5, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": INK, "grid.alpha": 0.18, "axes.axisbelow": True, "axes.linewidth": 0.8,
        "axes.prop_cycle": cycler(color=COLOURS), "lines.linewidth": 1.8, "legend.frameon": False, "legend.fontsize": 9.5, "svg.hashsalt": "seisei", "text.parse_math": False,
        "axes.formatter.useoffset": False, "axes.formatter.limits": (-4, 5),
    }  # fmt: skip
    with matplotlib.rc_context(calm), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a model of one's own may be named in any script
        yield


@lru_cache(maxsize=1)
def _japanese() -> tuple[str, ...]:
    """The font of this computer that has kana and kanji, where there is one."""
    from matplotlib import font_manager

    if not (path := wide_font()):
        return ()
    font_manager.fontManager.addfont(path)
    return (font_manager.FontProperties(fname=path).get_name(),)


def lines(axes: Axes, times: Numbers, courses: dict[str, Numbers]) -> None:
    """Series over time, each with its name."""
    for name, values in courses.items():
        axes.plot(times, values, label=name)
    legend(axes, len(courses))


def bands(axes: Axes, x: Numbers, quantiles: Numbers, colour: str = COLOURS[0], mean: Numbers | None = None, label: str = "") -> None:
    """`quantiles` (5, x): 5, 25, 50, 75 and 95 %. The middle half is darker; the line is the mean where it is given, else the median."""
    axes.fill_between(x, quantiles[0], quantiles[4], color=colour, alpha=0.16, linewidth=0)
    axes.fill_between(x, quantiles[1], quantiles[3], color=colour, alpha=0.26, linewidth=0)
    axes.plot(x, quantiles[2] if mean is None else mean, color=colour, label=label or None)


def heat(axes: Axes, x: Numbers, y: Numbers, values: Numbers, label: str) -> None:
    """`values` (y, x) in colours; what is not a number stays empty."""
    import numpy as np

    mesh = axes.pcolormesh(x, y, np.ma.masked_invalid(values), cmap="viridis", shading="nearest")
    axes.grid(visible=False)
    axes.figure.colorbar(mesh, ax=axes, label=label)


def bars(axes: Axes, names: Sequence[str], groups: dict[str, tuple[Numbers, Numbers]]) -> None:
    """Lying bars with error: for each group (values, half widths (names,) or (2, names) downwards and upwards)."""
    import numpy as np

    place, high = np.arange(len(names)), (0.45 if len(groups) == 1 else 0.7 / len(groups))
    for number, (label, (values, errors)) in enumerate(groups.items()):
        shown = errors if np.any(errors > 0) else None
        axes.barh(place + (number - (len(groups) - 1) / 2) * high, values, high * 0.9, xerr=shown, color=COLOURS[number], label=label, error_kw={"ecolor": INK, "elinewidth": 1.2, "capsize": 3})
    axes.set_yticks(place, [short(name) for name in names])
    axes.invert_yaxis()
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.grid(visible=False, axis="y")
    legend(axes, len(groups))


def short(text: str, most: int = 24) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def legend(axes: Axes, count: int) -> None:
    """Above the drawing, and only where there is something to tell apart."""
    if count > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2 if count < 5 else 3, borderaxespad=0.2, handlelength=1.4)


def logarithmic(axes: Axes, which: str) -> None:
    """Axis "x" or "y" by powers of ten, with plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    getattr(axes, f"set_{which}scale")("log")
    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def named(title: str, unit: str) -> str:
    """As an axis says it."""
    return f"{caption(title)} ({caption(unit)})" if unit else caption(title)
