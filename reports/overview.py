"""All verdicts in one drawing: every discrepancy with its interval, and what counts as fair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fairaudit.reports.figures import BAND, INK, LINE, MARK, MUTED, TARGET, drawable, style, to_svg
from fairaudit.reports.meaning import deciding
from fairaudit.reports.model import Figure
from fairaudit.reports.numbers import discrepancy, fd_text, known, listing
from fairaudit.reports.verdicts import cover, headline
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from fairaudit.plan import AuditPlan
from fairaudit.results import AttributeResult, Results, Verdict

_WIDTH, _ROW, _FOOT, _LABEL, _SAID = 6.7, 0.23, 0.42, 1.45, 2.85
_LOOKS: dict[Verdict, tuple[str, str, str]] = {
    "fair": (MARK, "o", MARK),
    "unfair": (TARGET, "D", TARGET),
    "not enough evidence": (MUTED, "o", "none"),
}
"""Colour, marker and what fills it: the verdict is told by its shape, too."""


@dataclass(frozen=True)
class _Row:
    """One line: an attribute's title, or a sampler with what was measured of it."""

    label: str
    result: AttributeResult | None = None


def overview(plan: AuditPlan, results: Results, attributes: tuple[str, ...]) -> Figure | None:
    """The discrepancy that each verdict is about, one row a sampler; None where none was measured."""
    rows = [row for attribute in attributes for row in _rows(results, attribute)]
    measured = [row for row in rows if row.result and known(deciding(row.result).value)]
    if not measured:
        return None
    height = _ROW * len(rows) + _FOOT
    with style():
        drawing = Drawing(figsize=(_WIDTH, height))
        inside = (_WIDTH - _LABEL - _SAID) / _WIDTH
        axes = drawing.add_axes((_LABEL / _WIDTH, _FOOT / height, inside, 1 - _FOOT / height))
        axes.axvspan(0, plan.measurement.tolerance, color=BAND, lw=0)
        for y, row in enumerate(rows):
            _draw(axes, y, row)
        _frame(axes, len(rows), _reach(measured))
        svg = to_svg(drawing, "overview")
    within = " within prompts" if any(row.result and row.result.fd_prompts for row in rows) else ""
    title = (
        f"Fairness discrepancy (FD){within} with {cover(plan)} intervals. Shaded: FD up to "
        f"{discrepancy(plan.measurement.tolerance)} counts as fair. "
        f"Upright lines: a fair generator stays below by chance. {_legend(measured)}"
    )
    return Figure(svg, f"{title} {'; '.join(_said(results, attributes))}.", title)


def _rows(results: Results, attribute: str) -> Iterator[_Row]:
    yield _Row(f"Perceived {attribute}")
    for name, sampler in results.samplers.items():
        if attribute in sampler.attributes:
            yield _Row(headline(name, results), sampler.attributes[attribute])


def _reach(rows: list[_Row]) -> float:
    found = [deciding(row.result) for row in rows if row.result]
    return 1.04 * max(x for fd in found for x in (fd.value, fd.high, fd.null95) if x is not None and known(x))


def _draw(axes: Axes, y: int, row: _Row) -> None:
    left = -72 * _LABEL
    place: dict[str, Any] = {"va": "center", "textcoords": "offset points"}
    if row.result is None:
        axes.annotate(drawable(row.label, 40), (0, y), (left, 0), color=INK, weight="bold", **place)
        return
    fd = deciding(row.result)
    colour, marker, fill = _LOOKS[row.result.verdict]
    axes.annotate(drawable(row.label, 20), (0, y), (left + 8, 0), color=INK, **place)
    said = f"{fd_text(fd)}  {row.result.verdict}" if known(fd.value) else row.result.verdict
    axes.annotate(
        said, (1, y), (7, 0), xycoords=("axes fraction", "data"), fontsize=7.5, color=colour, **place
    )
    if fd.value is None or not known(fd.value):
        return
    if fd.low is not None and fd.high is not None:
        axes.plot([fd.low, fd.high], [y, y], color=colour, lw=2, solid_capstyle="butt")
    if fd.null95 is not None and known(fd.null95):
        axes.plot([fd.null95] * 2, [y - 0.3, y + 0.3], color=MUTED, lw=1.1)
    axes.plot(fd.value, y, marker, color=colour, mfc=fill if fill != "none" else "#ffffff", ms=5.5, mew=1.3)


def _frame(axes: Axes, rows: int, end: float) -> None:
    axes.set_xlim(0, end)
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set_yticks([])
    axes.set_xlabel("FD (0 is on target)", fontsize=8)
    axes.tick_params(axis="x", labelsize=7.5)
    axes.grid(axis="x", color=LINE, lw=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _legend(rows: list[_Row]) -> str:
    marks = {"fair": "filled circle", "unfair": "diamond", "not enough evidence": "open circle"}
    used = dict.fromkeys(row.result.verdict for row in rows if row.result)
    return f"{listing([f'{marks[verdict]}: {verdict}' for verdict in used]).capitalize()}."


def _said(results: Results, attributes: tuple[str, ...]) -> Iterator[str]:
    for attribute in attributes:
        for name, sampler in results.samplers.items():
            if found := sampler.attributes.get(attribute):
                yield f"{headline(name, results)} in {attribute}: {fd_text(deciding(found))}, {found.verdict}"
