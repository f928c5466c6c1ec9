"""The trade-off between fairness and what it costs: one drawing a metric, one point a sampler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairaudit.reports.figures import BAND, INK, LINE, MARK, SOFT, drawable, style, to_svg
from fairaudit.reports.model import Figure
from fairaudit.reports.names import metric_title
from fairaudit.reports.numbers import estimate_text, fd_text, known
from fairaudit.reports.placing import Segment, place
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator

from fairaudit.choosing import shown
from fairaudit.fronts import TradeOff
from fairaudit.gaps import numbers_of
from fairaudit.results import Discrepancy, Estimate, Results
from fairaudit.series import Series, series_of
from fairaudit.tradeoff import SLACK, deciding

_SIZE = (3.5, 2.9)
_NAME = 26


@dataclass(frozen=True)
class _Point:
    name: str
    label: str
    fd: Discrepancy
    other: Estimate
    front: bool
    dominated: bool

    @property
    def at(self) -> tuple[float, float]:
        return self.fd.value or 0.0, self.other.value or 0.0

    @property
    def whiskers(self) -> list[Segment]:
        """The intervals as lines."""
        x, y = self.at
        found: list[Segment] = []
        if self.fd.low is not None and self.fd.high is not None:
            found.append(((self.fd.low, y), (self.fd.high, y)))
        if self.other.low is not None and self.other.high is not None:
            found.append(((x, self.other.low), (x, self.other.high)))
        return found


def tradeoffs(results: Results, attribute: str, key: str) -> tuple[Figure, ...]:
    """FD against the metrics that say most, up to four; nothing for one sampler."""
    return tuple(_draw(results, one, f"{key}{i}") for i, one in enumerate(shown(results, attribute)))


def tradeoff_note(results: Results, chance: str) -> str:
    """What the marks of the drawings mean, only of those that occur."""
    parts = [
        "Lines are intervals in both directions, where there are any. The shaded band is where a fair "
        f"generator would stay with {chance} chance. Ringed: on the front, no other sampler's estimates are "
        "at least as good in both directions and better in one."
    ]
    attributes = dict.fromkeys(one.attribute for one in results.tradeoffs)
    if any(one.metric == "seconds_per_image" for name in attributes for one in shown(results, name)):
        parts.append(f"Seconds within {SLACK:.0%} of each other count as equal.")
    if any(one.dominated for name in attributes for one in shown(results, name)):
        parts.append(
            "Hollow: dominated with confidence, another sampler is shown to be better in both directions "
            "(for each sampler both tests, Holm-adjusted over its rivals)."
        )
    if series_of(results):
        parts.append("Joined by a line: one sampler in order of a parameter's value.")
    return " ".join(parts)


def _draw(results: Results, one: TradeOff, key: str) -> Figure:
    series = series_of(results)
    points = _points(results, one, series)
    title = metric_title(one.metric)
    with style():
        drawing = Drawing(figsize=_SIZE)
        axes = drawing.add_axes((0.15, 0.16, 0.82, 0.74))
        _band(axes, points)
        _join(axes, points, series)
        for point in points:
            _cross(axes, point)
        axes.margins(0.16)
        axes.set_xlim(left=min(0.0, axes.get_xlim()[0]) if min(p.at[0] for p in points) < 0.02 else 0)
        if one.kind == "cost":
            axes.set_ylim(bottom=0)  # seconds that differ by chance are not drawn far apart
        axes.set_xlabel(f"FD in perceived {drawable(one.attribute)} (lower is fairer)")
        head = f"{drawable(title, 44)} ({one.direction})"
        drawing.text(0.01, 0.985, head, ha="left", va="top", color=INK, fontsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.grid(color=LINE, lw=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        place(drawing, axes, [(p.at, p.label) for p in points], [line for p in points for line in p.whiskers])
        svg = to_svg(drawing, key)
    said = [f"{p.name}: FD {fd_text(p.fd)}, {title} {estimate_text(p.other)}{_state(one, p)}" for p in points]
    lines = [f" {found.parameter} of {found.sampler} is swept: {', '.join(found.names)}." for found in series]
    what = f"FD in perceived {one.attribute} against {title} ({one.direction})"
    return Figure(svg, f"{what}. {'; '.join(said)}.{''.join(lines)}", title)


def _points(results: Results, one: TradeOff, series: Sequence[Series]) -> list[_Point]:
    short = {name: label for found in series for name, label in found.labels.items()}
    discrepancies = deciding(results, one.attribute)
    found = []
    for name, fd in discrepancies.items():
        other = numbers_of(results.samplers[name], one.kind).get(one.metric)
        if other is not None and known(other.value):
            label = drawable(short.get(name, name), _NAME)
            found.append(_Point(name, label, fd, other, name in one.front, name in one.dominated))
    return found


def _state(one: TradeOff, point: _Point) -> str:
    front = ", on the front" if point.front else ""
    if not point.dominated:
        return front
    return f"{front}, dominated with confidence by {one.dominated[point.name].by}"


def _band(axes: Axes, points: Sequence[_Point]) -> None:
    nulls = [p.fd.null95 for p in points if p.fd.null95 is not None and known(p.fd.null95)]
    if not nulls:
        return
    axes.axvspan(0, max(nulls), color=BAND, lw=0)


def _join(axes: Axes, points: Sequence[_Point], series: Sequence[Series]) -> None:
    """A line through the samplers of each sweep, in order of the value."""
    at = {point.name: point.at for point in points}
    for found in series:
        path = [at[name] for name in found.names if name in at]
        if len(path) > 1:
            axes.plot(*zip(*path, strict=True), color=SOFT, lw=3, zorder=1.8, solid_capstyle="round")


def _cross(axes: Axes, point: _Point) -> None:
    x, y = point.at
    for line in point.whiskers:
        axes.plot(*zip(*line, strict=True), color=MARK, lw=1.0, alpha=0.55, zorder=2)
    if point.front:
        axes.plot(x, y, "o", mfc="none", mec=INK, mew=1.0, ms=10, zorder=3)
    face = "none" if point.dominated else MARK
    axes.plot(x, y, "o", mfc=face, mec=MARK, mew=1.3, ms=5.5, zorder=3)
