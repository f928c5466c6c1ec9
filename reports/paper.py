"""A story as it fits on paper: tables with a row for every prompt and sampler become one row a prompt.

On a screen a long table is folded, sorted and searched; on paper it is a dozen pages. Nothing is lost: the
whole tables are in the HTML report, and their numbers in report.csv and results.json, which paper says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import median

from fairaudit.reports.model import Cell, Chapter, Column, Fold, Section, Story, Table, Topic
from fairaudit.reports.numbers import count, discrepancy, shorten

LONG = 60
"""Rows of prompts and samplers that are shown one by one: about two pages."""
MATRICES = 12
"""Tables of changes that are all shown."""
ELSEWHERE = "report.html, report.csv and results.json"

Rows = Sequence[tuple[Cell, ...]]


def on_paper(story: Story) -> Story:
    """The story with its long tables in brief; one without any is left as it is."""
    sections = tuple(map(_section, story.sections))
    shortened = sections != story.sections
    return replace(
        story,
        sections=sections,
        findings=tuple(map(_chapter, story.findings)),
        changes=story.changes and _fewer_matrices(story.changes, story.samplers[0].name),
        prompts_note=(
            "One row a prompt. The intervals, p-values and shares of every prompt and sampler are in "
            f"{ELSEWHERE}, in the folder of this file."
        )
        if shortened
        else "",
    )


def _section(section: Section) -> Section:
    table = section.prompts
    if table is None or not _long(table):
        return section
    shares = [i for i, column in enumerate(table.columns) if i > _P]
    verdicts = {"not enough evidence": "open"}

    def cell(row: tuple[Cell, ...]) -> Cell:
        fd, verdict = row[_FD], row[_VERDICT].text
        share = (f"share {row[shares[0]].text}",) if len(shares) == 1 else ()
        heat = None if fd.sort is None else min(1.0, fd.sort)
        return Cell(fd.text, (verdicts.get(verdict, verdict), *share), fd.sort, heat=heat)

    of = f", and the {table.columns[shares[0]].label.lower()}" if len(shares) == 1 else ""
    caption = f"{table.caption}: FD and verdict (open: not enough evidence){of}"
    whole = Table(table.key, caption, *_by_prompt(table.rows, cell))
    return replace(section, prompts=whole, prompts_summary=_summary(table))


_VERDICT, _FD, _P = 2, 3, 4
"""Columns of a table of prompts, behind the prompt and the sampler."""


def _summary(table: Table) -> Table:
    """One row a sampler: how many prompts have which verdict, and how far their FD lies apart."""
    order = ("unfair", "not enough evidence", "fair")
    rows = []
    for name in dict.fromkeys(row[1].text for row in table.rows):
        own = [row for row in table.rows if row[1].text == name]
        verdicts = [row[_VERDICT].text for row in own]
        known = sorted(
            (row for row in own if row[_FD].sort is not None), key=lambda row: row[_FD].sort or 0.0
        )
        ends = [Cell(shorten(row[0].text, 60), (row[_FD].text,)) for row in (known[:1] + known[-1:])]
        middle = Cell(discrepancy(median(row[_FD].sort or 0.0 for row in known))) if known else Cell("n/a")
        counts = (Cell(f"{verdicts.count(verdict):,}") for verdict in order)
        rows.append((Cell(name), *counts, middle, *(ends or [Cell("n/a"), Cell("n/a")])))
    columns = (
        Column("Sampler", numeric=False),
        *(Column(verdict.capitalize()) for verdict in order),
        Column("Median FD"),
        Column("Least FD", numeric=False),
        Column("Largest FD", numeric=False),
    )
    return Table(
        f"{table.key}-summary",
        f"{table.caption}, in brief: number of prompts by verdict",
        columns,
        tuple(rows),
    )


def _chapter(chapter: Chapter) -> Chapter:
    return replace(chapter, topics=tuple(map(_topic, chapter.topics)))


def _topic(topic: Topic) -> Topic:
    """Tables of all prompts and samplers in brief, wherever they stand in it."""
    tables = tuple(_brief(table) for table in topic.tables)
    folds = tuple(_brief_fold(fold) for fold in topic.folds)
    return replace(topic, tables=tables, folds=folds)


def _brief_fold(fold: Fold) -> Fold:
    if fold.brief or not any(map(_long, fold.tables)):
        return fold
    if all(_brief(table) == table for table in fold.tables):
        rows = sum(len(table.rows) for table in fold.tables)
        return replace(fold, brief=f"{fold.title}: {count(rows, 'row')}, in {ELSEWHERE}.")
    return replace(fold, tables=tuple(map(_brief, fold.tables)))


def _brief(table: Table) -> Table:
    """Differences from planted shares, by prompt; any other table as it is."""
    if not _long(table) or not table.key.startswith("training-"):
        return table
    labels = [column.label for column in table.columns]
    if labels[2:] == ["Planted", "Measured", "Difference"]:
        return Table(table.key, table.caption, *_by_prompt(table.rows, lambda row: row[4]), table.notes)
    values = labels[2:]

    def furthest(row: tuple[Cell, ...]) -> Cell:
        known = [(cell, value) for cell, value in zip(row[2:], values, strict=True) if cell.sort is not None]
        if not known:
            return Cell("n/a")
        cell, value = max(known, key=lambda one: abs(one[0].sort or 0.0))
        return Cell(cell.text, (value,), cell.sort)

    caption = f"{table.caption}: of each prompt and sampler the value that is furthest from planted"
    return Table(table.key, caption, *_by_prompt(table.rows, furthest))


def _long(table: Table) -> bool:
    """Whether it has more rows of prompts and samplers than paper shows."""
    heads = [column.label for column in table.columns[:2]]
    return len(table.rows) > LONG and heads == ["Prompt", "Sampler"]


def _by_prompt(
    rows: Rows, cell: Callable[[tuple[Cell, ...]], Cell]
) -> tuple[tuple[Column, ...], tuple[tuple[Cell, ...], ...]]:
    """One row a prompt, one column a sampler."""
    samplers = list(dict.fromkeys(row[1].text for row in rows))
    columns = (Column("Prompt", numeric=False), *(Column(name) for name in samplers))
    return columns, tuple(_lines(rows, samplers, cell))


def _lines(
    rows: Rows, samplers: list[str], cell: Callable[[tuple[Cell, ...]], Cell]
) -> Iterator[tuple[Cell, ...]]:
    # Prompts that begin alike are shortened alike: the hint has them whole.
    by_prompt: dict[str, tuple[Cell, dict[str, Cell]]] = {}
    for row in rows:
        by_prompt.setdefault(row[0].hint or row[0].text, (row[0], {}))[1][row[1].text] = cell(row)
    for head, found in by_prompt.values():
        yield head, *(found.get(name, Cell("")) for name in samplers)


def _fewer_matrices(topic: Topic, reference: str) -> Topic:
    """Of many tables of changes those from the first sampler."""
    if len(topic.folds) <= MATRICES:
        return topic
    start = f" from {shorten(reference, 40)} to "
    kept = tuple(fold for fold in topic.folds if start in fold.title)
    left = len(topic.folds) - len(kept)
    rest = (
        f"Shown are the changes from {reference}; {count(left, 'more table')} between other samplers: "
        "report.html and results.json."
    )
    return replace(topic, folds=kept, sentences=(*topic.sentences, rest))
