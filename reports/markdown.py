"""The report as Markdown: a model card with its metadata, short enough for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from fairaudit.reports.model import Cell, Chapter, Story, Table, Topic
from fairaudit.reports.model_index import front_matter
from fairaudit.reports.story import tell

from fairaudit.reporting import ReportInput

PROMPTS_SHOWN = 12
ROWS_SHOWN = (40, 12, 4, 0)
"""Rows of every table beside the verdict's own, the first that keeps within `LONGEST`."""
LONGEST = 65_000
"""Characters that a comment on a pull request holds, with some to spare."""
_NO_BREAK = "\u200b"


def render(report: ReportInput) -> bytes:
    """The report as a model card in GitHub-flavoured Markdown, with the metadata of the Hugging Face Hub.

    Parameters
    ----------
    report
        What to show. Its texts are escaped, so that none becomes markup, a mention or a link.

    Returns
    -------
    bytes
        UTF-8 Markdown; equal reports give equal bytes.
    """
    story = tell(report)
    head = front_matter(report)
    texts = ("\n\n".join([head, *_blocks(story, rows)]) + "\n" for rows in ROWS_SHOWN)
    text = next((text for text in texts if len(text) <= LONGEST), None)
    return (text or "\n\n".join([head, *_blocks(story, ROWS_SHOWN[-1])]) + "\n").encode()


def escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    line = " ".join(text.split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*_\[\]|#~$])", r"\\\1", line)
    line = re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", re.sub(r"^([-+=])", r"\\\1", line))
    # Mentions and bare addresses work without any markup; an invisible character ends them.
    line = re.sub(r"(?i)(@|://|www\.)", rf"\1{_NO_BREAK}", line)
    return re.sub(r":(?=\w+:)", f":{_NO_BREAK}", line)


def _blocks(story: Story, rows: int) -> Iterator[str]:
    yield f"# {escape(story.title)}"
    yield escape(story.subtitle)
    yield from (f"**{escape(lead)}**" for lead in story.leads)
    yield from (escape(notice) for notice in story.notices)
    yield from (escape(sentence) for sentence in story.advice)
    for card in story.cards:
        yield (
            f"- **{escape(card.sampler)}**, perceived {escape(card.attribute)}: **{card.verdict}**. "
            + " ".join(escape(sentence) for sentence in card.sentences)
        )
    for section in story.sections:
        yield from (f"**{escape(flag)}**" for flag in section.flags)
        yield from _table(section.discrepancy)
        yield from _table(section.shares)
    if story.quality is not None:
        yield from _table(story.quality)
    yield from _topic(story.stopping, rows)
    for chapter in story.findings:
        yield from _chapter(chapter, rows)
    if any(section.prompts is not None for section in story.sections) or story.across:
        yield "## Prompt by prompt"
    for section in story.sections:
        if section.prompts is not None:
            yield from _prompts(section.prompts, min(PROMPTS_SHOWN, max(rows, 3)))
    yield from _topic(story.across, rows)
    if story.comparisons is not None:
        yield "## Comparisons"
        yield from _table(story.comparisons)
    yield from _topic(story.changes, rows)
    if story.checks is not None:
        yield from _chapter(story.checks, rows)
    yield "## Limitations"
    yield "\n".join(f"- {escape(caveat)}" for caveat in story.caveats)
    if rows:
        yield "## Words"
        yield "\n".join(f"- **{escape(term.name)}**: {escape(term.meaning)}" for term in story.glossary)
    if story.skipped_summary:
        yield escape(story.skipped_summary)
    yield "## Reproduce"
    yield fence(story.command)
    yield f"Results digest `{story.digest}`, plan digest {escape(story.plan_digest)}"
    yield from (escape(line) for line in story.attributions)


def fence(text: str) -> str:
    """A code block that no run of backticks in the text can close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}\n{text}\n{ticks}"


def _chapter(chapter: Chapter, rows: int) -> Iterator[str]:
    yield f"## {escape(chapter.title)}"
    yield from (escape(sentence) for sentence in chapter.sentences)
    for topic in chapter.topics:
        yield from _topic(topic, rows)


def _topic(topic: Topic | None, rows: int) -> Iterator[str]:
    """Sentences and tables; figures say the same, and a comment has no place for them."""
    if topic is None:
        return
    if topic.title:
        yield f"### {escape(topic.title)}"
    yield from (escape(sentence) for sentence in topic.sentences)
    for table in topic.tables:
        yield from _short(table, rows)
    for fold in topic.folds:
        if fold.brief:
            yield escape(fold.brief)
        else:
            for table in fold.tables:
                yield from _short(table, rows)
    yield from (escape(method) for method in topic.methods)


def _short(table: Table, rows: int) -> Iterator[str]:
    """A table as far as a comment has room for it."""
    left = len(table.rows) - rows
    if rows:
        yield from _table(replace(table, rows=table.rows[:rows]))
    if left > 0:
        yield f"{escape(table.caption)}: {left:,} {'more ' if rows else ''}rows in the full report."


def _prompts(table: Table, shown: int) -> Iterator[str]:
    """The prompts that are furthest from fair; the other formats list all."""
    at = next(i for i, column in enumerate(table.columns) if column.label == "FD")
    rows = sorted(table.rows, key=lambda row: -_rank(row[at]))
    kept = tuple(rows[:shown])
    left = len(rows) - len(kept)
    if not left:
        yield from _table(table)
        return
    caption = f"{table.caption}: the {len(kept)} rows with the highest FD; the full report has {left:,} more"
    yield from _table(Table(table.key, caption, table.columns, kept, table.notes))


def _rank(cell: Cell) -> float:
    return -1.0 if cell.sort is None else cell.sort


def _table(table: Table) -> Iterator[str]:
    yield f"**{escape(table.caption)}**"
    lines = [
        _row([escape(column.label) for column in table.columns]),
        _row(["---:" if column.numeric else ":---" for column in table.columns]),
        *(_row([_cell(cell) for cell in row]) for row in table.rows),
    ]
    yield "\n".join(lines)
    if table.notes:
        yield "\n".join(f"<sup>{i}</sup> n/a: {escape(note)}  " for i, note in enumerate(table.notes, 1))


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    note = f" <sup>{cell.note}</sup>" if cell.note else ""
    details = f" ({'; '.join(escape(detail) for detail in cell.details)})" if cell.details else ""
    return f"{escape(cell.text)}{note}{details}"
