"""The table of shares, and the warnings that stand beside shares."""

from __future__ import annotations

from fairaudit.reports.cells import Notes, heading, share_cell
from fairaudit.reports.model import Cell, Column, Table
from fairaudit.reports.numbers import fixed, known, listing, p_equals, percent, percent_interval, shorten
from fairaudit.reports.verdicts import subject

from fairaudit.results import AttributeResult, Results, Share


def shares_table(results: Results, attribute: str) -> Table:
    """One row a value: the target, and every sampler's share."""
    notes = Notes()
    found = {n: s.attributes[attribute] for n, s in results.samplers.items() if attribute in s.attributes}
    values = list(dict.fromkeys(value for result in found.values() for value in result.shares))
    target = next((result.target for result in found.values()), {})
    alone = len(found) == 1 and any(s.simultaneous for r in found.values() for s in r.shares.values())
    rows = tuple(
        (
            heading(value),
            Cell(percent(target.get(value)), sort=target.get(value)),
            *(_cell(result, value, notes, beside=alone) for result in found.values()),
            *((_together(next(iter(found.values())).shares.get(value)),) if alone else ()),
        )
        for value in values
    )
    columns = (
        Column("Value", numeric=False),
        Column("Target", "the share that counts as fair"),
        *(Column(shorten(name, 40) if len(found) > 1 else "Share") for name in found),
        *((Column("All values at once", "intervals that hold for all values together"),) if alone else ()),
    )
    caption = f"Shares of perceived {attribute}, with intervals"
    return Table(f"shares-{attribute}", caption, columns, rows, tuple(notes.reasons))


def _cell(result: AttributeResult, value: str, notes: Notes, *, beside: bool) -> Cell:
    """A share; with several samplers the simultaneous interval has no column and stands below."""
    share = result.shares.get(value)
    cell = share_cell(share, result, value, notes, whole=True)
    if beside or share is None or share.simultaneous is None:
        return cell
    together = percent_interval(*share.simultaneous)
    # Two values have one interval between them.
    if together == percent_interval(share.low, share.high):
        return cell
    line = f"all at once {together}"
    return Cell(cell.text, (*cell.details[:1], line, *cell.details[1:]), cell.sort, cell.note, cell.hint)


def _together(share: Share | None) -> Cell:
    ends = share.simultaneous if share else None
    return Cell(percent_interval(*ends) if ends else "", sort=ends[0] if ends else None)


def flags(results: Results, attribute: str) -> tuple[str, ...]:
    """What a reader must know before reading the shares."""
    found = {n: s.attributes[attribute] for n, s in results.samplers.items() if attribute in s.attributes}
    uncalibrated = sorted({result.classifier for result in found.values() if result.calibration is None})
    said = [f"Uncalibrated: {listing(uncalibrated)}. These shares carry its errors."] if uncalibrated else []
    unsure = [
        f"{subject(name, results)}: {distance(result)}"
        for name, result in found.items()
        if result.transfer and result.transfer.warning
    ]
    if unsure:
        said.append(
            "The classifier is less sure, or surer, on these images than on those it was calibrated on: "
            f"{'; '.join(unsure)}. Its measured errors may not hold here, and with them the corrected shares."
        )
    return tuple(said)


def transfers(results: Results) -> tuple[str, ...]:
    """For the method: what was found where there was nothing to warn of."""
    tested: dict[str, list[str]] = {}
    said = []
    for name, sampler in results.samplers.items():
        for attribute, result in sampler.attributes.items():
            found = result.transfer
            if found is None or found.warning:
                continue
            who = f"{subject(name, results)} in {attribute}"
            if known(found.distance) or known(found.p_value):
                tested.setdefault(found.test, []).append(f"{who}: {distance(result)}")
            else:
                said.append(f"Whether the calibration holds on {who} was not tested: {found.reason}.")
    return (
        *(
            "The classifier's confidence on these images was compared with that at its calibration "
            f"({test}) and gives no warning: {'; '.join(parts)}."
            for test, parts in tested.items()
        ),
        *said,
    )


def distance(result: AttributeResult) -> str:
    """How far confidence is from that at the calibration, with the test."""
    found = result.transfer
    if found is None or found.distance is None or not known(found.distance):
        return p_equals(found.p_value if found else None)
    return f"largest difference of the distributions {fixed(found.distance, 3)}, {p_equals(found.p_value)}"
