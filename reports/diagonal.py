"""Measured against planted shares: on the diagonal a generator repeats its training data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fairaudit.reports.figures import LINE, MARK, MUTED, PLANTED, drawable, hint, style, to_svg
from fairaudit.reports.model import Figure
from fairaudit.reports.numbers import known, percent, share_text, shorten
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fairaudit.results import Share

Dot = tuple[str, str, float, Share]
"""Prompt, value, planted share, measured share."""

SAID = 24
"""Dots that the text in the figure's place names one by one."""
HINTED = 60
"""Up to so many dots say their numbers when they are pointed at; more would swell the file."""
_SIDE = 2.9


def reach(dots: Sequence[Dot]) -> float:
    """Where both axes of all panels end, so that samplers can be held side by side."""
    ends = (x for _, _, planted, share in dots for x in (planted, share.value, share.high))
    return min(1.0, 1.08 * max((x for x in ends if x is not None), default=1.0) + 1e-9)


def planted_panel(name: str, attribute: str, dots: Sequence[Dot], key: str, end: float) -> Figure | None:
    """One sampler's dots with their intervals; None where nothing was measured."""
    shown = [dot for dot in dots if known(dot[3].value)]
    if not shown:
        return None
    values = list(dict.fromkeys(value for _, value, _, _ in shown))
    of = values[0] if len(values) == 1 else ""
    with style():
        drawing = Drawing(figsize=(_SIDE + 0.25, _SIDE))
        axes = drawing.add_axes((0.19, 0.16, 0.74, 0.81))
        _diagonal(axes, end)
        _marks(axes, shown, named=not of)
        for say, word in ((axes.set_xlabel, "planted"), (axes.set_ylabel, "measured")):
            say(f"{word} share of {drawable(of)}" if of else f"{word} share")
        svg = to_svg(drawing, key)
    said = [_said(dot, named=not of) for dot in shown[:SAID]]
    said += [f"and {len(shown) - SAID:,} more, in the table"] if len(shown) > SAID else []
    what = f"the share of {of}" if of else f"shares of perceived {attribute}"
    return Figure(svg, f"Measured against planted, {what}, for {name}: {'; '.join(said)}", name)


def _said(dot: Dot, *, named: bool) -> str:
    prompt, value, goal, share = dot
    what = f"{shorten(prompt, 60)}, {value}" if named else shorten(prompt, 60)
    return f"{what}: planted {percent(goal)}, measured {share_text(share)}"


def _diagonal(axes: Axes, end: float) -> None:
    axes.plot([0, end], [0, end], color=PLANTED, lw=1.2, ls=(0, (4, 3)))
    axes.annotate(
        "as planted", (0.97 * end, 0.97 * end), (3, -3), textcoords="offset points",
        color=MUTED, fontsize=7.5, rotation=45, rotation_mode="anchor", ha="right", va="top",
    )  # fmt: skip
    axes.set_xlim(0, end)
    axes.set_ylim(0, end)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.tick_params(labelsize=7.5)
    axes.grid(color=LINE, lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _marks(axes: Axes, dots: Sequence[Dot], *, named: bool) -> None:
    """All intervals as one broken line, then the dots; hundreds of marks would swell the file."""
    bars = [(p, s.low, s.high) for _, _, p, s in dots if s.low is not None and s.high is not None]
    _broken(axes, bars, lw=1.6, alpha=0.65, solid_capstyle="butt")
    if len(dots) > HINTED:
        _dots(axes, dots)
        return
    for dot in dots:
        hint(_dots(axes, [dot]), _said(dot, named=named))


def _dots(axes: Axes, dots: Sequence[Dot]) -> Artist:
    """Lines of a hair's length are as round as their caps, and shorter to write than markers.

    Without any length they would be left out of the PDF.
    """
    hair = axes.get_ylim()[1] / 2000
    ends = [(p, s.value - hair, s.value + hair) for _, _, p, s in dots if s.value is not None]
    return _broken(axes, ends, lw=5, solid_capstyle="round")


def _broken(axes: Axes, strokes: Sequence[tuple[float, float, float]], **look: Any) -> Artist:
    """Upright strokes from (x, low, high) in one path."""
    xs = [x for planted, _, _ in strokes for x in (planted, planted, math.nan)]
    ys = [y for _, low, high in strokes for y in (low, high, math.nan)]
    (line,) = axes.plot(xs, ys, color=MARK, **look)
    return line
