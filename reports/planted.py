"""Planted beside measured shares of every prompt, as a table and as figures."""

from __future__ import annotations

from dataclasses import dataclass

from fairaudit.reports.cells import (
    Notes,
    heading,
    percent_cell,
    points_cell,
    sampler_cells,
    sampler_columns,
)
from fairaudit.reports.diagonal import planted_panel, reach
from fairaudit.reports.model import Cell, Column, Figure, Table
from fairaudit.reports.numbers import percent, shorten
from fairaudit.reports.verdicts import headline

from fairaudit.results import AttributeResult, Results

ROWS_AT_ALL = 120
ALL_IMAGES = "all images"


@dataclass(frozen=True)
class Planted:
    """One prompt's result beside what was planted; without a prompt, that of all images."""

    sampler: str
    prompt: str | None
    result: AttributeResult

    @property
    def distance(self) -> float:
        """The largest difference of a measured from a planted share."""
        planted, shares = self.result.planted or {}, self.result.shares
        measured = {value: share.value for value, share in shares.items() if value in planted}
        gaps = (abs(share - planted[value]) for value, share in measured.items() if share is not None)
        return max(gaps, default=0.0)


def planted_rows(results: Results, attribute: str) -> list[Planted]:
    """Every prompt with a planted share, prompts in order and samplers within each."""
    found = [
        Planted(name, prompt, answer.attributes[attribute])
        for name, sampler in results.samplers.items()
        for prompt, answer in sampler.prompts.items()
        if attribute in answer.attributes and answer.attributes[attribute].planted
    ]
    order = {prompt: i for i, prompt in enumerate(dict.fromkeys(row.prompt for row in found))}
    found.sort(key=lambda row: order[row.prompt])
    # A single prompt's images are all images.
    return found + [
        Planted(name, None, sampler.attributes[attribute])
        for name, sampler in results.samplers.items()
        if len(sampler.prompts) != 1
        and attribute in sampler.attributes
        and sampler.attributes[attribute].planted
    ]


def furthest(rows: list[Planted]) -> list[Planted]:
    """All rows, or those of the prompts furthest from planted where all would swell the file."""
    distances: dict[str | None, float] = {}
    for row in rows:
        distances[row.prompt] = max(row.distance, distances.get(row.prompt, 0.0))
    each = max(1, len(rows) // max(1, len(distances)))
    ranked = sorted(distances, key=lambda prompt: -distances[prompt])
    kept = set(ranked[: max(1, ROWS_AT_ALL // each)])
    return [row for row in rows if row.prompt in kept]


def _values(rows: list[Planted]) -> list[str]:
    """The values to show: of two, the first says it all."""
    values = list(dict.fromkeys(value for row in rows for value in row.result.planted or {}))
    return values[:1] if len(values) == 2 else values


def planted_table(results: Results, attribute: str, rows: list[Planted]) -> Table | None:
    """One row a prompt and sampler; of several values only the differences, which have room.

    None where no difference was estimated.
    """
    if not any(row.result.amplification for row in rows):
        return None
    notes = Notes()
    values = _values(rows)
    body = tuple(
        (
            heading(row.prompt or ALL_IMAGES),
            *sampler_cells(results, row.sampler),
            *(_single(row.result, values[0], notes) if len(values) == 1 else ()),
            *(points_cell((row.result.amplification or {}).get(value), notes) for value in values),
        )
        for row in rows
    )
    single = (Column("Planted"), Column("Measured", "interval below")) if len(values) == 1 else ()
    difference = "measured minus planted, in percentage points; interval below"
    columns = (
        Column("Prompt", numeric=False),
        *sampler_columns(results),
        *single,
        *(Column("Difference" if single else shorten(value, 40), difference) for value in values),
    )
    of = f"of {values[0]}" if len(values) == 1 else f"of perceived {attribute}"
    caption = f"Measured minus planted shares {of}"
    return Table(f"training-{attribute}", caption, columns, body, tuple(notes.reasons))


def _single(result: AttributeResult, value: str, notes: Notes) -> tuple[Cell, Cell]:
    goal = (result.planted or {}).get(value)
    return Cell(percent(goal), sort=goal), percent_cell(result.shares.get(value), notes)


def figures(results: Results, attribute: str, rows: list[Planted], key: str) -> tuple[Figure, ...]:
    """One panel a sampler."""
    values = _values(rows)
    dots = {
        name: [
            (row.prompt or ALL_IMAGES, value, goal, row.result.shares[value])
            for row in rows
            if row.sampler == name and (row.prompt is not None or len(rows) == 1)
            for value, goal in (row.result.planted or {}).items()
            if value in values and value in row.result.shares
        ]
        for name in dict.fromkeys(row.sampler for row in rows)
    }
    end = reach([dot for found in dots.values() for dot in found])
    panels = (
        planted_panel(headline(name, results), attribute, found, f"{key}p{i}", end)
        for i, (name, found) in enumerate(dots.items())
    )
    return tuple(panel for panel in panels if panel)
