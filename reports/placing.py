"""Labels beside the points of a drawing, where they meet nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

SIZE = 7.5
_DISTANCES = (8, 16, 26, 38, 52)
_GAP = 2.0

Box = tuple[float, float, float, float]
Segment = tuple[tuple[float, float], tuple[float, float]]
"""A line between two points."""


def place(
    drawing: Drawing,
    axes: Axes,
    labelled: Sequence[tuple[tuple[float, float], str]],
    lines: Sequence[Segment] = (),
) -> None:
    """Write each label near its point: the nearest place that meets no other label, point or edge.

    A label that has to stand further off is tied to its point by a thin line.

    Parameters
    ----------
    labelled
        Points in the units of the axes, and their labels.
    lines
        Level or upright lines, in the same units, that labels had better not cross.
    """
    drawing.canvas.draw()
    frame = axes.get_window_extent()
    scale = drawing.dpi / 72
    spots = [tuple(map(float, axes.transData.transform(at))) for at, _ in labelled]
    thin = [_thin(axes, line) for line in lines]
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in spots]
    for (at, text), (x, y) in zip(labelled, spots, strict=True):
        width, height = _width(text) * scale, SIZE * scale
        places = [(dx, dy) for distance in _DISTANCES for dx, dy in _around(distance)]
        boxes = [_box(x + dx * scale, y + dy * scale, dx, width, height) for dx, dy in places]
        costs = [
            100 * sum(_meet(box, other) for other in taken)
            + 30 * sum(_meet(box, other) for other in thin)
            + 300 * _beyond(box, frame.extents)
            + abs(dx) + abs(dy)
            for box, (dx, dy) in zip(boxes, places, strict=True)
        ]  # fmt: skip
        best = costs.index(min(costs))
        taken.append(boxes[best])
        dx, dy = places[best]
        side = "left" if dx > 0 else "right" if dx < 0 else "center"
        tie = {"arrowstyle": "-", "color": "#020202", "lw": 0.5, "shrinkA": 0, "shrinkB": 4}
        axes.annotate(
            text, at, (dx, dy), textcoords="offset points", ha=side, va="center", fontsize=SIZE,
            arrowprops=tie if max(abs(dx), abs(dy)) > _DISTANCES[1] else None, zorder=4,
        )  # fmt: skip


def _thin(axes: Axes, line: Segment) -> Box:
    (x0, y0), (x1, y1) = (map(float, axes.transData.transform(end)) for end in line)
    return min(x0, x1) - 1, min(y0, y1) - 1, max(x0, x1) + 1, max(y0, y1) + 1


def _around(distance: float) -> list[tuple[float, float]]:
    """Right, left, and above and below of both, and of the point itself."""
    near = max(6.0, 0.7 * distance)
    return [
        (distance, 0), (-distance, 0), (near, near), (near, -near), (-near, near), (-near, -near),
        (0, distance + 2), (0, -distance - 2),
    ]  # fmt: skip


def _box(x: float, y: float, dx: float, width: float, height: float) -> Box:
    left = x if dx > 0 else x - width if dx < 0 else x - width / 2
    return left - _GAP, y - height / 2 - _GAP, left + width + _GAP, y + height / 2 + _GAP


def _width(text: str) -> float:
    """In points."""
    if not text.strip():
        return 0.0
    return float(
        TextPath((0, 0), text, size=SIZE, prop=FontProperties(family="DejaVu Sans")).get_extents().width
    )


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _beyond(box: Box, frame: Sequence[float]) -> bool:
    return box[0] < frame[0] or box[2] > frame[2] or box[1] < frame[1] or box[3] > frame[3]
