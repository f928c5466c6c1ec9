"""The cells that tables are made of, and the footnotes that say why a number is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fairaudit.reports.model import TONES, Cell, Column
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
    points,
    shorten,
)

from fairaudit.results import AttributeResult, Discrepancy, Estimate, Results, Share

NO_REASON = "no reason was recorded"
UNCALIBRATED = "uncalibrated"
ADJUSTED = "Holm-adjusted over all tests of this family; BH is adjusted for the false discovery rate instead"


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


def sampler_columns(results: Results) -> tuple[Column, ...]:
    """A column that names the sampler, where there is more than one."""
    return (Column("Sampler", numeric=False),) if len(results.samplers) > 1 else ()


def sampler_cells(results: Results, name: str) -> tuple[Cell, ...]:
    """The cell for `sampler_columns`."""
    return (
        (Cell(shorten(name, 40), hint=name if len(name) > 40 else ""),) if len(results.samplers) > 1 else ()
    )


def heading(text: str) -> Cell:
    """The head of a row."""
    return Cell(shorten(text), hint=text if shorten(text) != text else "")


def worst_case(share: Share) -> str:
    """What the images without a label could make of a share; nothing where they are none."""
    bounds = share.bounds
    return f"raw worst case {percent_interval(*bounds)}" if bounds and bounds[0] != bounds[1] else ""


def share_cell(
    share: Share | None,
    result: AttributeResult,
    value: str,
    notes: Notes,
    *,
    whole: bool,
    own_target: bool = False,
) -> Cell:
    """A share, its interval, and what belongs to it: raw, worst case, training data, calibration.

    `own_target` says that other rows have another target.
    """
    if share is None or share.value is None or not known(share.value):
        return notes.missing(share.reason if share else None)
    details = [percent_interval(share.low, share.high)]
    if whole and result.estimator != "raw":
        details.append(f"raw {percent(share.raw)}")
    if whole:
        details.append(worst_case(share))
    if own_target:
        details.append(f"target {percent(result.target.get(value))}")
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
    """The Holm-adjusted p-value, with the other adjustment and the unadjusted one below."""
    if result.p_value is None:
        return notes.missing(result.fd.reason or "the test was not run")
    label = "smallest unadjusted" if result.fd_prompts else "unadjusted"
    return adjusted_cell(result.p_value, result.p_adjusted, result.p_bh, label)


def adjusted_cell(p: float | None, holm: float | None, bh: float | None, label: str = "unadjusted") -> Cell:
    """The Holm-adjusted p-value where there is one, and below it what else there is."""
    details = () if bh is None else (f"BH {p_text(bh)}",)
    if holm is None:
        return Cell(p_text(p), ("not adjusted", *details), p)
    return Cell(p_text(holm), (*details, f"{label} {p_text(p)}"), holm)


def methods_of(estimates: Iterable[Estimate]) -> tuple[str, ...]:
    """A sentence that names the methods; none where nothing was estimated."""
    methods = sorted({e.method for e in estimates if known(e.value)})
    return (f"Method: {' · '.join(methods)}.",) if methods else ()


def chance_cell(p: float | None, notes: Notes, reason: str | None) -> Cell:
    """A p-value that belongs to no family."""
    return Cell(p_text(p), sort=p) if known(p) else notes.missing(reason or "the test was not run")


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


def percent_cell(estimate: Estimate | None, notes: Notes, *details: str) -> Cell:
    """A share with its interval, and what else belongs below it."""
    if estimate is None or not known(estimate.value):
        return notes.missing(estimate.reason if estimate else "not estimated")
    return _measured(
        estimate, percent(estimate.value), percent_interval(estimate.low, estimate.high), notes, *details
    )


def points_cell(estimate: Estimate | None, notes: Notes, *, signed: bool = True) -> Cell:
    """A difference of shares with its interval, in percentage points."""
    if estimate is None or not known(estimate.value):
        return notes.missing(estimate.reason if estimate else "not estimated")
    return _measured(estimate, *points(estimate, signed=signed), notes)


def _measured(estimate: Estimate, text: str, between: str, notes: Notes, *details: str) -> Cell:
    """A value whose interval may be missing for a reason of its own."""
    if between or not estimate.reason:
        return Cell(text, tuple(filter(None, (between, *details))), estimate.value)
    return replace(
        notes.missing(estimate.reason), text=text, details=("interval n/a", *details), sort=estimate.value
    )


def by_sampler(results: Results) -> str:
    """What captions add where there are several samplers."""
    return " by sampler" if len(results.samplers) > 1 else ""
