"""The tables of quality and of paired comparisons."""

from __future__ import annotations

from fairaudit.reports.cells import (
    ADJUSTED,
    Notes,
    adjusted_cell,
    by_sampler,
    estimate_cell,
    heading,
    sampler_column,
)
from fairaudit.reports.model import Cell, Column, Table
from fairaudit.reports.names import metric_direction, metric_title
from fairaudit.reports.numbers import listing, shorten

from fairaudit.results import Results


def quality_table(results: Results) -> Table | None:
    """One row a sampler; None where quality was not looked at.

    Measures that no sampler has are named in a footnote for each reason, not each in a column of its own.
    """
    notes = Notes()
    metrics = list(dict.fromkeys(m for sampler in results.samplers.values() for m in sampler.quality))
    if not metrics:
        return None
    shown = [metric for metric in metrics if _known(results, metric)] or metrics[:1]
    rows = tuple(
        (
            heading(name),
            *(estimate_cell(sampler.quality.get(metric), notes, metric_title(metric)) for metric in shown),
        )
        for name, sampler in results.samplers.items()
    )
    columns = (
        sampler_column(results),
        *(Column(metric_title(metric), _detail(metric)) for metric in shown),
    )
    for reason, titles in _unknown(results, [metric for metric in metrics if metric not in shown]).items():
        notes.missing(reason, listing(titles))
    return Table("quality", f"Quality{by_sampler(results)}", columns, rows, tuple(notes.reasons))


def _known(results: Results, metric: str) -> bool:
    found = (sampler.quality.get(metric) for sampler in results.samplers.values())
    return any(estimate is not None and estimate.value is not None for estimate in found)


def _unknown(results: Results, metrics: list[str]) -> dict[str | None, list[str]]:
    """By reason: what could not be measured."""
    by_reason: dict[str | None, list[str]] = {}
    for metric in metrics:
        for sampler in results.samplers.values():
            if (estimate := sampler.quality.get(metric)) is not None:
                titles = by_reason.setdefault(estimate.reason, [])
                titles += [metric_title(metric)] if metric_title(metric) not in titles else []
    return by_reason


def _detail(metric: str) -> str:
    """Which way is better, and on the features of which network."""
    network = metric.partition(":")[2]
    return " · ".join(filter(None, (metric_direction(metric), network)))


def comparisons_table(results: Results) -> Table | None:
    """One row a comparison."""
    if not results.comparisons:
        return None
    notes = Notes()
    rows = []
    noise = ", on the same noise" if all(item.paired for item in results.comparisons) else ""
    for item in results.comparisons:
        p = item.p_adjusted if item.p_adjusted is not None else item.p_value
        tested = adjusted_cell(item.p_value, item.p_adjusted, item.p_bh)
        p_shown = notes.missing(item.difference.reason) if p is None else tested
        pair = Cell(f"{shorten(item.a, 40)} − {shorten(item.b, 40)}")
        difference = estimate_cell(item.difference, notes, signed=True)
        rows.append((heading(metric_title(item.metric)), pair, difference, p_shown, Cell(item.test)))
    columns = (
        Column("Metric", numeric=False),
        Column("Samplers", f"first minus second{noise}", numeric=False),
        Column("Difference", "interval below"),
        Column("p", ADJUSTED),
        Column("Test", numeric=False),
    )
    title = f"{'Paired differences' if noise else 'Differences'}{noise.replace(',', '')}"
    return Table("comparisons", title, columns, tuple(rows), tuple(notes.reasons))
