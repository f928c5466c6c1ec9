"""Are the images of one value worse than those of another? Each beside real images of the same value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fairaudit.reports.cells import (
    Notes,
    estimate_cell,
    heading,
    methods_of,
    sampler_cells,
    sampler_columns,
)
from fairaudit.reports.model import Cell, Chapter, Column, Table, Topic
from fairaudit.reports.names import metric_title
from fairaudit.reports.numbers import count

from fairaudit.results import Results, ValueQuality

_TEXT = (
    "Images that the classifier reads as one value are compared with real images that it reads as the same "
    "value: a pooled reference would call the value that it has less of worse. Distances that are biased at "
    "few images are taken of as many images of every value.",
    "A gap says that images of one value are further from real ones. Whether that is the generator or the "
    "network whose features these are, it does not say.",
)


def by_value(results: Results, attributes: Iterable[str]) -> Chapter | None:
    """Quality by value; None where no value could be compared with real images."""
    topics = tuple(topic for name in attributes for topic in _topics(results, name))
    if not topics:
        return None
    return Chapter("by-value", "Are the images of one value worse?", "Quality by value", _TEXT, topics)


def _topics(results: Results, attribute: str) -> Iterator[Topic]:
    found = [
        (name, metric, one)
        for name, sampler in results.samplers.items()
        for metric, one in sampler.quality_by_value.get(attribute, {}).items()
        if any(estimate.value is not None for estimate in one.values.values())
    ]
    if not found:
        return
    notes = Notes()
    rows = tuple(
        (
            heading(metric_title(metric)),
            *sampler_cells(results, name),
            *(_value(one, value, notes) for value in one.values),
            _gap(one, notes),
        )
        for name, metric, one in found
    )
    columns = (
        Column("Measure", "lower is better", numeric=False),
        *sampler_columns(results),
        *(Column(value, "images below") for value in found[0][2].values),
        Column("Gap", "interval below"),
    )
    table = Table(f"by-value-{attribute}", f"Quality by {attribute}", columns, rows, tuple(notes.reasons))
    estimates = [e for _, _, one in found for e in (*one.values.values(), one.gap)]
    sentences = tuple(_told(results, *one) for one in found if one[2].gap.value is not None)
    yield Topic(f"Perceived {attribute}", sentences, tables=(table,), methods=methods_of(estimates))


def _value(one: ValueQuality, value: str, notes: Notes) -> Cell:
    cell = estimate_cell(one.values[value], notes, value)
    return replace(cell, details=(*cell.details, count(one.images[value], "image")))


def _gap(one: ValueQuality, notes: Notes) -> Cell:
    cell = estimate_cell(one.gap, notes, "gap", signed=True)
    return cell if one.between is None else replace(cell, details=(*cell.details, " − ".join(one.between)))


def _told(results: Results, name: str, metric: str, one: ValueQuality) -> str:
    """What a gap says in words."""
    who = "" if len(results.samplers) == 1 else f"{name}: "
    first, second = one.between or ("", "")
    low, high = one.gap.low, one.gap.high
    if low is None or high is None or low <= 0 <= high:
        return f"{who}by {metric_title(metric)} the data do not tell {first} and {second} apart."
    worse, better = (first, second) if low > 0 else (second, first)
    return f"{who}by {metric_title(metric)} images read as {worse} are further from real ones than {better}."
