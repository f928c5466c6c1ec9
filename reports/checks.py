"""Does the verdict hang on how it was measured? Other estimators, other measures, other thresholds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from fairaudit.reports.cells import (
    Notes,
    heading,
    methods_of,
    percent_cell,
    sampler_cells,
    sampler_columns,
)
from fairaudit.reports.estimators import LEAVES_OUT, TITLES
from fairaudit.reports.measures import MEASURES, indices_table
from fairaudit.reports.model import Cell, Chapter, Column, Fold, Table, Topic
from fairaudit.reports.numbers import fixed, known, percent, shorten

from fairaudit.results import AttributeResult, Results

ROWS_IN_SIGHT = 24

_ESTIMATORS = (
    "Estimators differ in what they leave out; where they agree, the shares do not hang on the choice."
)
_THRESHOLDS = (
    "Raw shares among the labels that are at least so sure: where they move with the threshold, they hang on "
    "what happens to the doubtful pictures."
)


def checks(results: Results, attributes: tuple[str, ...]) -> Chapter | None:
    """The chapter, or None where nothing but the verdict's own numbers was measured."""
    found = [result for sampler in results.samplers.values() for result in sampler.attributes.values()]
    used = {e for result in found for e in (*result.other_estimators, result.estimator)}
    said = tuple(LEAVES_OUT[estimator] for estimator in TITLES if estimator in used)
    others = [e for r in found for shares in r.other_estimators.values() for e in shares.values()]
    measures = [index for result in found for index in result.indices.values()]
    topics = [
        Topic(
            "The same images by other estimators",
            (_ESTIMATORS, *said),
            **_tables(_estimators, results, attributes),
            methods=methods_of(others),
        ),
        Topic(
            "Other measures",
            (MEASURES,),
            **_tables(indices_table, results, attributes),
            methods=methods_of(measures),
        ),
        Topic("Only the sure labels", (_THRESHOLDS,), **_tables(_thresholds, results, attributes)),
    ]
    kept = tuple(topic for topic in topics if topic.tables or topic.folds)
    return Chapter("checks", "Measured in other ways", "Checks", (), kept) if kept else None


class _Tables(TypedDict):
    tables: tuple[Table, ...]
    folds: tuple[Fold, ...]


def _tables(
    make: Callable[[Results, str], Table | None], results: Results, attributes: tuple[str, ...]
) -> _Tables:
    """One table an attribute, the long ones folded."""
    tables = [table for name in attributes if (table := make(results, name))]
    long = [table for table in tables if len(table.rows) > ROWS_IN_SIGHT]
    return {
        "tables": tuple(table for table in tables if table not in long),
        "folds": tuple(Fold(table.caption, (table,)) for table in long),
    }


def _found(results: Results, attribute: str) -> dict[str, AttributeResult]:
    return {n: s.attributes[attribute] for n, s in results.samplers.items() if attribute in s.attributes}


def _estimators(results: Results, attribute: str) -> Table | None:
    """One row a sampler and value, one column an estimator; the chosen one first."""
    notes = Notes()
    found = {n: r for n, r in _found(results, attribute).items() if r.other_estimators}
    others = [e for e in TITLES if any(e in result.other_estimators for result in found.values())]
    rows = tuple(
        (
            heading(value),
            *sampler_cells(results, name),
            Cell(TITLES[result.estimator].lower() if result.estimator != "em" else TITLES["em"]),
            percent_cell(share, notes),
            *(
                Cell("as chosen", sort=share.value)
                if estimator == result.estimator
                else percent_cell(result.other_estimators.get(estimator, {}).get(value), notes)
                for estimator in others
            ),
        )
        for name, result in found.items()
        for value, share in result.shares.items()
    )
    columns = (
        Column("Value", numeric=False),
        *sampler_columns(results),
        Column("Chosen", "the estimator that the verdict rests on", numeric=False),
        Column("Its share", "interval below"),
        *(Column(TITLES[estimator], "interval below") for estimator in others),
    )
    caption = f"Shares of perceived {attribute} by estimator"
    return Table(f"estimators-{attribute}", caption, columns, rows, tuple(notes.reasons)) if rows else None


def _thresholds(results: Results, attribute: str) -> Table | None:
    notes = Notes()
    found = {n: r for n, r in _found(results, attribute).items() if r.thresholds}
    values = list(dict.fromkeys(v for r in found.values() for t in r.thresholds for v in t.shares))
    rows = tuple(
        (
            heading(fixed(step.threshold, 2)),
            *sampler_cells(results, name),
            Cell(f"{step.labelled:,}", sort=step.labelled),
            *(_share(step.shares.get(value), notes) for value in values),
        )
        for name, result in found.items()
        for step in result.thresholds
    )
    columns = (
        Column("Confidence at least", numeric=False),
        *sampler_columns(results),
        Column("Labels left"),
        *(Column(shorten(value, 40)) for value in values),
    )
    caption = f"Raw shares of perceived {attribute} by confidence"
    return Table(f"thresholds-{attribute}", caption, columns, rows, tuple(notes.reasons)) if rows else None


def _share(value: float | None, notes: Notes) -> Cell:
    return Cell(percent(value), sort=value) if known(value) else notes.missing("no label is that sure")
