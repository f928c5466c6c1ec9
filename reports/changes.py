"""Which labels change from one sampler to another, on the same noise."""

from __future__ import annotations

from collections.abc import Sequence

from fairaudit.reports.cells import Notes, chance_cell, heading, methods_of, percent_cell, points_cell
from fairaudit.reports.model import Cell, Column, Fold, Table, Topic
from fairaudit.reports.numbers import shorten

from fairaudit.results import Changes, Comparison, Results

IN_SIGHT = 3
_NO_LABEL = ("no label", "none")
_MEANING = (
    "Each noise makes one picture under either sampler, so that labels can be followed from one to the "
    "other. “Changed” is the fraction of them, among pictures labelled under both, whose label differs; p "
    "tests whether the changes go one way more than back, which is what moves the shares."
)
_SHADES = (
    "Tables of changes read from the row to the column: the first sampler's label in the row, the second's "
    "in the column, and the number of pictures in the cell, shaded by its part of the row."
)


def changes(results: Results) -> Topic | None:
    """How many labels changed, from what to what, and what that does to the shares."""
    found: dict[tuple[str, str, str], Comparison] = {}
    for item in results.comparisons:
        if item.changes:
            found.setdefault((item.a, item.b, item.changes.attribute), item)
    pairs = [(item, item.changes) for item in found.values() if item.changes]
    if not pairs:
        return None
    flips = tuple(_flips(comparison, item) for comparison, item in pairs)
    return Topic(
        "Labels that change",
        (_MEANING, _SHADES),
        tables=(_changed(pairs), *_shares(pairs), *(flips if len(flips) <= IN_SIGHT else ())),
        folds=tuple(Fold(table.caption, (table,)) for table in flips if len(flips) > IN_SIGHT),
        methods=methods_of(e for _, item in pairs for e in (item.changed, *item.shares.values())),
    )


def _way(comparison: Comparison) -> str:
    return f"from {shorten(comparison.b, 40)} to {shorten(comparison.a, 40)}"


def _changed(pairs: Sequence[tuple[Comparison, Changes]]) -> Table:
    notes = Notes()
    rows = tuple(
        (
            heading(_way(comparison)),
            Cell(item.attribute),
            percent_cell(item.changed, notes),
            chance_cell(item.p_value, notes, item.changed.reason),
            Cell(item.test),
        )
        for comparison, item in pairs
    )
    columns = (
        Column("Samplers", numeric=False),
        Column("Attribute", numeric=False),
        Column("Changed", "fraction of the labels; interval below"),
        Column("p"),
        Column("Test", numeric=False),
    )
    return Table("changed", "Labels that change between two samplers", columns, rows, tuple(notes.reasons))


def _shares(pairs: Sequence[tuple[Comparison, Changes]]) -> tuple[Table, ...]:
    """One table an attribute: the differences of shares that the changes make."""
    return tuple(
        _differences(attribute, [pair for pair in pairs if pair[1].attribute == attribute])
        for attribute in dict.fromkeys(item.attribute for _, item in pairs if item.shares)
    )


def _differences(attribute: str, pairs: Sequence[tuple[Comparison, Changes]]) -> Table:
    notes = Notes()
    values = dict.fromkeys(value for _, item in pairs for value in item.shares)
    rows = tuple(
        (
            heading(value),
            *(points_cell(item.shares.get(value), notes) for _, item in pairs),
        )
        for value in values
    )
    columns = (
        Column("Value", numeric=False),
        *(Column(_way(comparison), "percentage points, interval below") for comparison, _ in pairs),
    )
    caption = f"Change of the shares of perceived {attribute}, in percentage points (pp)"
    return Table(f"moved-{attribute}", caption, columns, rows, tuple(notes.reasons))


def _flips(comparison: Comparison, item: Changes) -> Table:
    kinds = dict.fromkeys([*item.flips, *(to for row in item.flips.values() for to in row)])
    # An attribute may have a value of that name; then images without a label have the other one.
    missing = next((name for name in _NO_LABEL if name in kinds), "")
    order = [kind for kind in kinds if kind != missing] + [missing] * bool(missing)
    titles = {kind: _NO_LABEL[0] if kind == missing else kind for kind in order}
    rows = tuple((heading(titles[kind]), *_row(item.flips.get(kind, {}), order)) for kind in order)
    columns = (
        Column(f"Under {shorten(comparison.b, 40)}", numeric=False),
        *(Column(f"to {shorten(titles[kind], 40)}") for kind in order),
    )
    caption = f"Pictures by their label in perceived {item.attribute}, {_way(comparison)}"
    return Table(f"flips-{item.attribute}", caption, columns, rows)


def _row(found: dict[str, int], order: Sequence[str]) -> tuple[Cell, ...]:
    total = max(1, sum(found.values()))
    counts = [found.get(kind, 0) for kind in order]
    return tuple(Cell(f"{n:,}", sort=n, heat=n / total) for n in counts)
