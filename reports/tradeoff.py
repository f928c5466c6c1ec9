"""The trade-off between fairness and quality, one labelled point a sampler."""

from __future__ import annotations

from dataclasses import dataclass

from fairaudit.reports.figures import BAND, LINE, MARK, MUTED, drawable, style, to_svg
from fairaudit.reports.meaning import deciding
from fairaudit.reports.model import Figure
from fairaudit.reports.names import metric_direction, metric_title
from fairaudit.reports.numbers import estimate_text, fd_text, known
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from fairaudit.results import Discrepancy, Estimate, Results

_SIZE = (5.4, 3.3)
# Where a label may stand beside its point, in points, best first.
_PLACES = (
    (8, 8, "left"), (8, -14, "left"), (-8, 8, "right"), (-8, -14, "right"),
    (8, 20, "left"), (8, -26, "left"), (-8, 20, "right"), (-8, -26, "right"),
)  # fmt: skip


@dataclass(frozen=True)
class _Point:
    name: str
    fd: Discrepancy
    quality: Estimate


def tradeoff(results: Results, attribute: str, key: str) -> Figure | None:
    """FD against the first quality metric that has values; None with no such metric or one sampler."""
    for metric in dict.fromkeys(m for s in results.samplers.values() for m in s.quality):
        points = [
            _Point(name, deciding(sampler.attributes[attribute]), sampler.quality[metric])
            for name, sampler in results.samplers.items()
            if attribute in sampler.attributes
            and known(deciding(sampler.attributes[attribute]).value)
            and metric in sampler.quality
            and known(sampler.quality[metric].value)
        ]
        if len(points) > 1:
            return _draw(points, attribute, metric, key)
    return None


def _draw(points: list[_Point], attribute: str, metric: str, key: str) -> Figure:
    title = metric_title(metric)
    direction = metric_direction(metric)
    with style():
        drawing = Drawing(figsize=_SIZE)
        axes = drawing.add_axes((0.14, 0.15, 0.84, 0.82))
        _band(axes, points)
        for point in points:
            _cross(axes, point)
        axes.set_xlim(left=0)
        axes.margins(0.12)
        axes.set_xlabel(f"FD in perceived {attribute} (lower is fairer)")
        axes.set_ylabel(f"{title}\n({direction})" if direction else title)
        axes.grid(color=LINE, lw=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        _labels(drawing, axes, points)
        svg = to_svg(drawing, key)
    said = [f"{p.name}: FD {fd_text(p.fd)}, {title} {estimate_text(p.quality)}" for p in points]
    return Figure(svg, f"FD in perceived {attribute} against {title}. {'; '.join(said)}", title)


def _band(axes: Axes, points: list[_Point]) -> None:
    nulls = [p.fd.null95 for p in points if p.fd.null95 is not None and known(p.fd.null95)]
    if not nulls:
        return
    axes.axvspan(0, max(nulls), color=BAND, lw=0)
    spread = max(p.fd.high if p.fd.high is not None else p.fd.value or 0 for p in points)
    if max(nulls) > 0.06 * spread:
        axes.text(
            max(nulls) / 2, 0.03, "fair generators stay here", rotation=90, ha="center", va="bottom",
            fontsize=7.5, color=MUTED, transform=axes.get_xaxis_transform(),
        )  # fmt: skip


def _cross(axes: Axes, point: _Point) -> None:
    x, y = point.fd.value or 0.0, point.quality.value or 0.0
    if point.fd.low is not None and point.fd.high is not None:
        axes.plot([point.fd.low, point.fd.high], [y, y], color=MARK, lw=1.4, alpha=0.7)
    if point.quality.low is not None and point.quality.high is not None:
        axes.plot([x, x], [point.quality.low, point.quality.high], color=MARK, lw=1.4, alpha=0.7)
    axes.plot(x, y, "o", color=MARK, ms=6)


def _labels(drawing: Drawing, axes: Axes, points: list[_Point]) -> None:
    """Each label at the first place where it meets no other label, point or edge."""
    drawing.canvas.draw()
    frame = axes.get_window_extent()
    spots = [axes.transData.transform((p.fd.value or 0.0, p.quality.value or 0.0)) for p in points]
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in spots]
    scale = drawing.dpi / 72
    for point, (x, y) in zip(points, spots, strict=True):
        text = drawable(point.name, 30)
        boxes = []
        for dx, dy, side in _PLACES:
            width = 5.6 * scale * len(text)
            left = x + dx * scale - (width if side == "right" else 0)
            boxes.append((left, y + dy * scale, left + width, y + (dy + 9) * scale))
        costs = [
            sum(_meet(box, other) for other in taken)
            + 2 * (box[0] < frame.x0 or box[2] > frame.x1 or box[1] < frame.y0 or box[3] > frame.y1)
            for box in boxes
        ]
        best = costs.index(min(costs))
        taken.append(boxes[best])
        dx, dy, side = _PLACES[best]
        where = (point.fd.value or 0.0, point.quality.value or 0.0)
        axes.annotate(text, where, (dx, dy), textcoords="offset points", ha=side, weight="bold")


def _meet(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
