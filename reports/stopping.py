"""A sequential audit: where it stopped, why, and the intervals that hold all the same."""

from __future__ import annotations

from fairaudit.reports.cells import Notes, heading, methods_of, percent_cell
from fairaudit.reports.model import Column, Table, Topic
from fairaudit.reports.numbers import count, fixed

from fairaudit.results import Results, Stopping

_MEANING = (
    "An audit that looks at its data to decide when to stop needs intervals that hold at every look. These "
    "do (anytime-valid), and the verdicts rest on sequences of them, one for each prompt; p-values and the "
    "other intervals of this report are for a number of images fixed in advance."
)


def notice(results: Results) -> str:
    """Where the audit stopped and why; empty for one that was not sequential."""
    found = results.stopping
    if found is None:
        return ""
    each = " of each sampler" if len(results.samplers) > 1 else ""
    looks = count(found.looks, "look")
    if not found.decided:
        made = f"The audit made {found.images:,} of {found.planned:,} images{each}"
        return f"{made} and did not meet its rule for stopping (--until {found.rule}) in {looks}."
    return (
        f"The audit stopped after {found.images:,} of {found.planned:,} images{each}, because its rule for "
        f"stopping (--until {found.rule}) was met at the last of {looks}.{_saved(found)}"
    )


def _saved(found: Stopping) -> str:
    saved = 1 - found.images / found.planned if found.planned else 0
    return f" That saved {fixed(100 * saved, 1)}\u00a0% of the images." if saved > 0 else ""


def stopping(results: Results) -> Topic | None:
    """The anytime-valid intervals."""
    found = results.stopping
    if found is None or not found.intervals:
        return None
    notes = Notes()
    rows = tuple((heading(key), percent_cell(estimate, notes)) for key, estimate in found.intervals.items())
    columns = (Column("Share", numeric=False), Column("At the stop", "anytime-valid interval below"))
    table = Table("stopping", "Anytime-valid intervals", columns, rows, tuple(notes.reasons))
    return Topic(
        "Where the audit stopped", (_MEANING,), tables=(table,), methods=methods_of(found.intervals.values())
    )
