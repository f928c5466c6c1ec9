"""The numbers prompt by prompt, and what they say of prompts that were not asked."""

from __future__ import annotations

from collections.abc import Iterable

from fairaudit.reports.cells import (
    ADJUSTED,
    Notes,
    fd_cell,
    heading,
    methods_of,
    p_cell,
    percent_cell,
    points_cell,
    sampler_cells,
    sampler_columns,
    share_cell,
    verdict_cell,
)
from fairaudit.reports.model import Column, Table, Topic

from fairaudit.results import Results

_ACROSS = (
    "Here the prompts are taken as a sample of the prompts that could be asked. The mean is what to expect "
    "of another such prompt, and its interval allows for the choice of prompts; the spread is the standard "
    "deviation of the prompts' true shares in percentage points (pp), without what sampling adds."
)


def prompts_table(results: Results, attribute: str) -> Table | None:
    """One row a prompt and sampler; None where there are no prompts."""
    notes = Notes()
    found = [
        (prompt, name, answer.attributes[attribute])
        for name, sampler in results.samplers.items()
        for prompt, answer in sampler.prompts.items()
        if attribute in answer.attributes
    ]
    if not found:
        return None
    order = list(dict.fromkeys(prompt for prompt, _, _ in found))
    found.sort(key=lambda row: order.index(row[0]))
    values = list(dict.fromkeys(value for _, _, result in found for value in result.shares))
    shown = values[:1] if len(values) == 2 else values
    varied = any(result.target != found[0][2].target for _, _, result in found)
    rows = tuple(
        (
            heading(prompt),
            *sampler_cells(results, name),
            verdict_cell(result),
            fd_cell(result.fd, notes, whole=False),
            p_cell(result, notes),
            *(
                share_cell(result.shares.get(value), result, value, notes, whole=False, own_target=varied)
                for value in shown
            ),
        )
        for prompt, name, result in found
    )
    columns = (
        Column("Prompt", numeric=False),
        *sampler_columns(results),
        Column("Verdict", numeric=False),
        Column("FD", "fairness discrepancy, interval below"),
        Column("Adjusted p", ADJUSTED),
        *(Column(f"Share of {value}" if len(shown) == 1 else value) for value in shown),
    )
    caption = f"Perceived {attribute} by prompt"
    return Table(f"prompts-{attribute}", caption, columns, rows, tuple(notes.reasons))


def across(results: Results, attributes: Iterable[str]) -> Topic | None:
    """Means and spreads over prompts; None where there are none."""
    found = tuple(table for name in attributes if (table := _across_table(results, name)))
    spreads = [
        spread
        for sampler in results.samplers.values()
        for result in sampler.attributes.values()
        for spread in (result.across_prompts or {}).values()
    ]
    methods = methods_of(e for spread in spreads for e in (spread.mean, spread.spread))
    return Topic("Beyond these prompts", (_ACROSS,), tables=found, methods=methods) if found else None


def _across_table(results: Results, attribute: str) -> Table | None:
    notes = Notes()
    found = {
        name: measured.across_prompts
        for name, sampler in results.samplers.items()
        if (measured := sampler.attributes.get(attribute)) and measured.across_prompts
    }
    values = dict.fromkeys(value for spreads in found.values() for value in spreads)
    rows = tuple(
        (
            heading(value),
            *sampler_cells(results, name),
            percent_cell(spreads[value].mean, notes),
            points_cell(spreads[value].spread, notes, signed=False),
        )
        for value in values
        for name, spreads in found.items()
        if value in spreads
    )
    columns = (
        Column("Value", numeric=False),
        *sampler_columns(results),
        Column("Mean over prompts", "interval below"),
        Column("Spread between prompts", "standard deviation, interval below"),
    )
    caption = f"Shares of perceived {attribute} over prompts"
    return Table(f"across-{attribute}", caption, columns, rows, tuple(notes.reasons)) if rows else None
