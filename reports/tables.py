"""The rows of every table."""

from __future__ import annotations

from fairaudit.reports.model import TONES, Cell, Column, Table
from fairaudit.reports.names import IMAGES
from fairaudit.reports.numbers import (
    MISSING,
    decimals_for,
    discrepancy,
    fixed,
    interval,
    known,
    p_text,
    percent,
    percent_interval,
    shorten,
)
from fairaudit.reports.verdicts import deciding

from fairaudit.results import AttributeResult, Discrepancy, Estimate, Results, Share

NO_REASON = "no reason was recorded"
UNCALIBRATED = "uncalibrated"


class Notes:
    """Footnotes of a table; equal reasons share a number."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def missing(self, reason: str | None, subject: str = "") -> Cell:
        """An `n/a` that says why."""
        text = f"{subject}: {reason or NO_REASON}" if subject else reason or NO_REASON
        if text not in self.reasons:
            self.reasons.append(text)
        return Cell(MISSING, note=self.reasons.index(text) + 1, hint=text)


def sampler_column(results: Results) -> Column:
    """The head of the column of samplers; a folder of images has no sampler to name."""
    return Column("Source" if IMAGES in results.samplers else "Sampler", numeric=False)


def heading(text: str) -> Cell:
    """The head of a row."""
    return Cell(shorten(text), hint=text if shorten(text) != text else "")


def share_cell(
    share: Share | None, result: AttributeResult, value: str, notes: Notes, *, whole: bool
) -> Cell:
    """A share, its interval, and what belongs to it: raw, worst case, training data, calibration."""
    if share is None or share.value is None or not known(share.value):
        return notes.missing(share.reason if share else None)
    details = [percent_interval(share.low, share.high)]
    if whole and result.estimator == "corrected":
        details.append(f"raw {percent(share.raw)}")
    if whole and share.bounds is not None and share.bounds[0] != share.bounds[1]:
        details.append(f"worst case {percent_interval(*share.bounds)}")
    if result.planted and value in result.planted:
        details.append(f"training data {percent(result.planted[value])}")
    if result.calibration is None:
        details.append(UNCALIBRATED)
    return Cell(percent(share.value), tuple(filter(None, details)), share.value)


def fd_cell(fd: Discrepancy, notes: Notes, *, whole: bool = True) -> Cell:
    """A discrepancy with its interval, and the raw one where there is room."""
    if fd.value is None or not known(fd.value):
        return notes.missing(fd.reason)
    details = [interval(fd.low, fd.high)]
    if whole and known(fd.raw) and discrepancy(fd.raw) != discrepancy(fd.value):
        details.append(f"raw {discrepancy(fd.raw)}")
    return Cell(discrepancy(fd.value), tuple(filter(None, details)), fd.value)


def p_cell(result: AttributeResult, notes: Notes) -> Cell:
    """The Holm-adjusted p-value, with the unadjusted one below."""
    if result.p_value is None:
        return notes.missing(result.fd.reason or "the test was not run")
    if result.p_adjusted is None:
        return Cell(p_text(result.p_value), ("not adjusted",), result.p_value)
    label = "smallest unadjusted" if result.fd_prompts else "unadjusted"
    return Cell(p_text(result.p_adjusted), (f"{label} {p_text(result.p_value)}",), result.p_adjusted)


def verdict_cell(result: AttributeResult) -> Cell:
    """The verdict as a coloured word."""
    order = ("unfair", "not enough evidence", "fair")
    return Cell(result.verdict, sort=order.index(result.verdict), tone=TONES[result.verdict])


def estimate_cell(estimate: Estimate | None, notes: Notes, subject: str = "", signed: bool = False) -> Cell:
    """Any other estimate with its interval."""
    if estimate is None or estimate.value is None or not known(estimate.value):
        return notes.missing(estimate.reason if estimate else "not measured for this sampler", subject)
    decimals = decimals_for(estimate)
    between = interval(estimate.low, estimate.high, decimals, signed)
    return Cell(
        fixed(estimate.value, decimals, signed),
        (between,) if between else (),
        estimate.value,
        hint=estimate.method,
    )


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
        Column("Adjusted p", "Holm-adjusted over all tests of this family"),
        Column("n", "images with their outcomes"),
    )
    caption = f"Fairness in perceived {attribute}{by_sampler(results)}"
    return Table(f"fairness-{attribute}", caption, columns, tuple(rows), tuple(notes.reasons))


def by_sampler(results: Results) -> str:
    """What captions add where there are several samplers."""
    return " by sampler" if len(results.samplers) > 1 else ""


def shares_table(results: Results, attribute: str) -> Table:
    """One row a value: the target, and every sampler's share."""
    notes = Notes()
    found = {n: s.attributes[attribute] for n, s in results.samplers.items() if attribute in s.attributes}
    values = list(dict.fromkeys(value for result in found.values() for value in result.shares))
    target = next((result.target for result in found.values()), {})
    rows = tuple(
        (
            heading(value),
            Cell(percent(target.get(value)), sort=target.get(value)),
            *(
                share_cell(result.shares.get(value), result, value, notes, whole=True)
                for result in found.values()
            ),
        )
        for value in values
    )
    columns = (
        Column("Value", numeric=False),
        Column("Target", "the share that counts as fair"),
        *(Column(shorten(name, 40) if len(found) > 1 else "Share") for name in found),
    )
    caption = f"Shares of perceived {attribute}, with intervals"
    return Table(f"shares-{attribute}", caption, columns, rows, tuple(notes.reasons))


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
    several = len(results.samplers) > 1
    rows = tuple(
        (
            heading(prompt),
            *((Cell(shorten(name, 40)),) if several else ()),
            verdict_cell(result),
            fd_cell(result.fd, notes, whole=False),
            p_cell(result, notes),
            *(share_cell(result.shares.get(value), result, value, notes, whole=False) for value in shown),
        )
        for prompt, name, result in found
    )
    columns = (
        Column("Prompt", numeric=False),
        *((Column("Sampler", numeric=False),) if several else ()),
        Column("Verdict", numeric=False),
        Column("FD", "fairness discrepancy, interval below"),
        Column("Adjusted p", "Holm-adjusted over all tests of this family"),
        *(Column(f"Share of {value}" if len(shown) == 1 else value) for value in shown),
    )
    caption = f"Perceived {attribute} by prompt"
    return Table(f"prompts-{attribute}", caption, columns, rows, tuple(notes.reasons))
