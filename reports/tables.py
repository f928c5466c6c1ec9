"""The table that the verdicts rest on."""

from __future__ import annotations

from fairaudit.reports.cells import (
    ADJUSTED,
    Notes,
    by_sampler,
    fd_cell,
    heading,
    p_cell,
    sampler_column,
    verdict_cell,
)
from fairaudit.reports.meaning import deciding
from fairaudit.reports.model import Cell, Column, Table
from fairaudit.reports.numbers import discrepancy, known

from fairaudit.results import Results


def discrepancy_table(results: Results, attribute: str) -> Table:
    """One row a sampler: verdict, FD, null band, test."""
    notes = Notes()
    measured = [s.attributes[attribute] for s in results.samplers.values() if attribute in s.attributes]
    within = any(result.fd_prompts for result in measured)
    rows = []
    for name, sampler in results.samplers.items():
        found = sampler.attributes.get(attribute)
        if found is None:
            continue
        fd = deciding(found)
        band = Cell(discrepancy(fd.null95), sort=fd.null95) if known(fd.null95) else notes.missing(fd.reason)
        pooled = (fd_cell(found.fd, notes),) if within else ()
        row = (heading(name), verdict_cell(found), fd_cell(fd, notes), band, *pooled)
        rows.append((*row, p_cell(found, notes), Cell(f"{found.n:,}", sort=found.n)))
    hint = "fairness discrepancy: distance of the shares from the target; interval below"
    columns = (
        sampler_column(results),
        Column("Verdict", numeric=False),
        Column("FD within prompts" if within else "FD", hint),
        Column("Fair generator stays below", "by chance, at this n"),
        *((Column("FD pooled", "opposite biases of two prompts cancel here"),) if within else ()),
        Column("Adjusted p", ADJUSTED),
        Column("n", "images with their outcomes"),
    )
    caption = f"Fairness in perceived {attribute}{by_sampler(results)}"
    return Table(f"fairness-{attribute}", caption, columns, tuple(rows), tuple(notes.reasons))
