"""The tables beside fairness: quality, utility, cost, and paired comparisons."""

from __future__ import annotations

from fairaudit.reports.advice import seconds
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
from fairaudit.reports.numbers import known, listing, shorten

from fairaudit.results import Estimate, Results, SamplerResult


def quality_table(results: Results) -> Table | None:
    """One row a sampler: quality, utility and cost; None where there is neither number nor reason."""
    notes = Notes()
    kinds = [
        (kind, metric)
        for kind in ("quality", "utility")
        for metric in dict.fromkeys(m for s in results.samplers.values() for m in getattr(s, kind))
    ]
    costs = (
        ("nfe_per_image", "Network evaluations per image"),
        ("seconds_per_image", "Seconds per image"),
    )
    shown = [c for c in costs if any(known(getattr(s.cost, c[0])) for s in results.samplers.values())]
    if not kinds and not shown:
        return None
    rows = []
    for name, sampler in results.samplers.items():
        cells = [_measured(sampler, kind, metric, notes) for kind, metric in kinds]
        for key, label in shown:
            cost: float | None = getattr(sampler.cost, key)
            text = (
                Cell(seconds(cost) if key == "seconds_per_image" else f"{cost:.10g}", sort=cost)
                if cost
                else None
            )
            cells.append(text or notes.missing(sampler.cost.reason, label))
        rows.append((heading(name), *cells))
    columns = (
        sampler_column(results),
        *(Column(metric_title(metric), metric_direction(metric)) for _, metric in kinds),
        *(Column(label, "lower is better") for _, label in shown),
    )
    parts = [kind for kind in ("quality", "utility") if any(kind == k for k, _ in kinds)]
    title = listing([*parts, "cost"] if shown else parts).capitalize() + by_sampler(results)
    return Table("quality", title, columns, tuple(rows), tuple(notes.reasons))


def _measured(sampler: SamplerResult, kind: str, metric: str, notes: Notes) -> Cell:
    found: dict[str, Estimate] = getattr(sampler, kind)
    if kind == "utility" and not found:
        return notes.missing("the other samplers' pictures are compared with this sampler's")
    return estimate_cell(found.get(metric), notes, metric_title(metric))


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
