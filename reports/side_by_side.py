"""Two runs side by side: the story of all their samplers, headed by what differs."""

from __future__ import annotations

from dataclasses import replace

from fairaudit.reports.cells import (
    Notes,
    adjusted_cell,
    estimate_cell,
    fd_cell,
    heading,
    percent_cell,
    points_cell,
)
from fairaudit.reports.model import Cell, Chapter, Column, Story, Table, Topic
from fairaudit.reports.names import metric_title
from fairaudit.reports.numbers import count, listing, shorten

from fairaudit.reporting import ReportInput
from fairaudit.results import Comparison, Results
from fairaudit.versus import Pair, Versus

_VALUE = 160
"""Characters of a plan's value in the table of differences."""


def beside(story: Story, report: ReportInput) -> Story:
    """The story of the samplers of both runs together, as one of two runs where the report is of two."""
    if report.versus is None:
        return story
    versus, results = report.versus, report.results
    first, second = versus.first, versus.second
    return replace(
        story,
        title=f"Fairness audit of {first.name} beside {second.name}",
        subtitle=_subtitle(story, versus),
        leads=tuple(versus.verdicts),
        notices=(_who(versus), *versus.notes),
        findings=(_chapter(results, versus), *story.findings),
        grid=None if story.grid is None else replace(story.grid, title=_title(versus), note=_note(versus)),
        method=(*story.method[:-1], *_method(versus)),
        plan=report.plan_text or story.plan,
        digest=f"{first.results_digest} and {second.results_digest}",
    )


def _subtitle(story: Story, versus: Versus) -> str:
    first, second = versus.first, versus.second
    images = count(first.n, "image") if first.n == second.n else f"{first.n:,} and {count(second.n, 'image')}"
    parts = ["two runs" + (" on the same noise" if versus.paired else ""), f"{images} of each sampler"]
    if story.sections:
        parts.insert(0, f"perceived {listing([section.attribute for section in story.sections])}")
    return " · ".join(parts)


def _who(versus: Versus) -> str:
    first, second = versus.first, versus.second
    if first.generator == second.generator:
        return f"Both runs are of {first.generator}. {_alike(versus)}"
    return f"{first.name} is of {first.generator}, {second.name} of {second.generator}. {_alike(versus)}"


def _alike(versus: Versus) -> str:
    if not versus.differs:
        return "Their plans, weights and versions are the same."
    return f"{count(len(versus.differs), 'entry', 'entries')} of their plans, weights and versions differ."


def _title(versus: Versus) -> str:
    return "Same prompt, same noise" if versus.paired else "Same prompt"


def _note(versus: Versus) -> str:
    start = (
        "Each row starts from the same noise. " if versus.paired else "The runs do not share their noise. "
    )
    return start + "Below each picture is the classifier's label with its confidence."


def _method(versus: Versus) -> tuple[str, ...]:
    how = (
        "Images of equal prompt and index start from the same noise in both runs, so that discrepancies and "
        "labels are compared in pairs."
        if versus.paired
        else "The runs share no noise, so that they are compared as sets of images, unpaired."
    )
    return (
        how,
        "Measures of quality are compared pair by pair where the runs share their noise and have kept the "
        "features of their images and of the same real ones. All other differences of quality and utility "
        "come from the intervals of both runs: half-widths add as squares where the runs are independent, "
        "and as they are where they share their noise. The method of each difference says which it was.",
        "Differences are the second run minus the first. p-values are adjusted by Holm's method over all "
        f"comparisons of the two runs; the level is {versus.level:g}.",
    )


def _chapter(results: Results, versus: Versus) -> Chapter:
    topics = [
        *(
            Topic(
                f"Perceived {name}",
                (),
                tables=(_discrepancies(results, versus, name), *_shares(results, versus, name)),
            )
            for name in _attributes(versus)
        ),
        _plans(versus),
    ]
    return Chapter(
        "versus", f"{versus.second.name} against {versus.first.name}", "Differences", (), tuple(topics)
    )


def _attributes(versus: Versus) -> list[str]:
    return list(dict.fromkeys(name for pair in versus.pairs for name in pair.shares))


def _discrepancies(results: Results, versus: Versus, attribute: str) -> Table:
    notes, rows = Notes(), []
    for pair in versus.pairs:
        found = _comparison(versus, pair, attribute)
        if found is None:
            continue
        within = found.metric.endswith("fd_prompts")
        cells = []
        for name in (pair.first, pair.second):
            result = results.samplers[name].attributes[attribute]
            cells.append(fd_cell((within and result.fd_prompts) or result.fd, notes))
        p = (
            notes.missing(found.difference.reason)
            if found.p_value is None
            else adjusted_cell(found.p_value, found.p_adjusted, found.p_bh)
        )
        rows.append(
            (
                heading(pair.sampler),
                *cells,
                estimate_cell(found.difference, notes, signed=True),
                p,
                Cell(found.test),
            )
        )
    metrics = {metric_title(c.metric) for c in versus.comparisons if c.metric.startswith(f"{attribute}.fd")}
    columns = (
        *_columns(versus, "Sampler"),
        Column("Difference", "second minus first; below 0 is fairer"),
        Column("p", "Holm-adjusted over all comparisons of the two runs"),
        Column("Test", numeric=False),
    )
    caption = f"{listing(sorted(metrics)) or f'FD of {attribute}'} in both runs"
    return Table(f"versus-fd-{attribute}", caption, columns, tuple(rows), tuple(notes.reasons))


def _shares(results: Results, versus: Versus, attribute: str) -> tuple[Table, ...]:
    notes, rows = Notes(), []
    for pair in versus.pairs:
        first, second = (results.samplers[name].attributes[attribute] for name in (pair.first, pair.second))
        for value, difference in pair.shares.get(attribute, {}).items():
            shares = (percent_cell(found.shares.get(value), notes) for found in (first, second))
            rows.append((heading(f"{pair.sampler}: {value}"), *shares, points_cell(difference, notes)))
    columns = (
        *_columns(versus, "Sampler and value"),
        Column("Difference", "percentage points, second minus first; interval below"),
    )
    caption = f"Shares of perceived {attribute} in both runs; differences in percentage points (pp)"
    table = Table(f"versus-shares-{attribute}", caption, columns, tuple(rows), tuple(notes.reasons))
    return (table,) if rows else ()


def _columns(versus: Versus, head: str) -> tuple[Column, ...]:
    return Column(head, numeric=False), Column(versus.first.name), Column(versus.second.name)


def _comparison(versus: Versus, pair: Pair, attribute: str) -> Comparison | None:
    metrics = (f"{attribute}.fd", f"{attribute}.fd_prompts")
    return next(
        (c for c in versus.comparisons if (c.a, c.b) == (pair.second, pair.first) and c.metric in metrics),
        None,
    )


def _plans(versus: Versus) -> Topic:
    rows = []
    for entry in versus.differs:
        key, _, values = entry.partition(": ")
        before, _, after = values.partition(" -> ")
        rows.append((heading(key), _cell(before), _cell(after)))
    columns = (
        Column("Entry", numeric=False),
        Column(versus.first.name, numeric=False),
        Column(versus.second.name, numeric=False),
    )
    tables = (Table("versus-plans", "What differs", columns, tuple(rows)),) if rows else ()
    same = (
        f"The same in both plans: {listing(versus.same)}."
        if versus.same
        else "The plans have no part in common."
    )
    return Topic("What is the same, and what differs", (same,), tables=tables)


def _cell(text: str) -> Cell:
    shown = shorten(text, _VALUE)
    return Cell(shown, hint=text if shown != text else "")
