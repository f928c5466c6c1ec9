"""Several attributes at once: which combinations of values a generator leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fairaudit.reports.cells import (
    Notes,
    chance_cell,
    fd_cell,
    heading,
    methods_of,
    percent_cell,
    sampler_column,
    worst_case,
)
from fairaudit.reports.model import Cell, Chapter, Column, Fold, Table, Topic
from fairaudit.reports.numbers import (
    discrepancy,
    fixed,
    interval,
    known,
    listing,
    percent,
    shorten,
    with_interval,
)
from fairaudit.reports.verdicts import headline

from fairaudit.results import Estimate, Intersection, Results, Share

IN_SIGHT, FEW = 10, 20

_MEANING = (
    "A cell is one combination of values, and its target the product of the attributes' targets. Its ratio "
    "is share over target: 1 is fair, below 1 too few, 0 never seen. Attributes that are fair one by one can "
    "still leave a cell out, so that the joint FD shows what those of the single attributes hide."
)


def together(results: Results) -> Chapter | None:
    """One topic an intersection; None where there are none."""
    keys = dict.fromkeys(key for sampler in results.samplers.values() for key in sampler.intersections)
    topics = tuple(_topic(results, key) for key in keys)
    return Chapter("together", "Attributes together", "Together", (_MEANING,), topics) if topics else None


def _topic(results: Results, key: str) -> Topic:
    found = {n: s.intersections[key] for n, s in results.samplers.items() if key in s.intersections}
    names = listing(next(iter(found.values())).attributes)
    said = [f"{headline(name, results)}: {_least(item)}" for name, item in found.items()]
    parts = [part for name, item in found.items() for part in _parts(key, names, item, _of(name, results))]
    # One sampler's least cells are in sight; tables of several would bury what comes after.
    sight = parts[:1] if len(found) == 1 else []
    return Topic(
        f"Perceived {names}",
        tuple(said),
        tables=(_joint(results, key, names, found), *(table for fold in sight for table in fold.tables)),
        folds=tuple(parts[len(sight) :]),
        methods=methods_of(_estimates(found.values())),
    )


def _of(name: str, results: Results) -> str:
    return f" of {name}" if len(results.samplers) > 1 else ""


def _parts(key: str, names: str, item: Intersection, of: str) -> list[Fold]:
    """All cells of one sampler where they are few, else the least represented and the others apart."""
    order = sorted(item.cells, key=lambda cell: _rank(item, cell))
    sight = order if len(order) <= FEW else order[:IN_SIGHT]
    rest = order[len(sight) :]
    title = f"Cells of perceived {names}{of}, least represented first"
    if not rest:
        return [Fold(title, (_cells(key, title, item, order),))]
    least = f"The {len(sight)} least represented of {len(order)} cells of perceived {names}{of}"
    others = f"The other {len(rest)} cells of perceived {names}{of}"
    return [
        Fold(least, (_cells(key, least, item, sight),)),
        Fold(
            others,
            (_cells(key, others, item, rest),),
            f"{others} are in results.json and in the HTML report.",
        ),
    ]


def _estimates(found: Iterable[Intersection]) -> Iterable[Estimate]:
    return (e for item in found for e in (*item.cells.values(), item.fd, item.smallest))


def _least(item: Intersection) -> str:
    if item.smallest_cell is None or item.smallest.value is None:
        return f"the least represented cell is n/a: {item.smallest.reason}."
    return (
        f"the least represented of {len(item.cells)} cells is “{item.smallest_cell}”, at "
        f"{with_interval(fixed(item.smallest.value, 2), interval(item.smallest.low, item.smallest.high, 2))} "
        "times its target."
    )


def _joint(results: Results, key: str, names: str, found: dict[str, Intersection]) -> Table:
    notes = Notes()
    single = list(dict.fromkeys(a for item in found.values() for a in item.marginal_fd))
    rows = []
    for name, item in found.items():
        band = Cell(discrepancy(item.fd.null95), sort=item.fd.null95)
        rows.append(
            (
                heading(name),
                fd_cell(item.fd, notes),
                band if known(item.fd.null95) else notes.missing(item.fd.reason),
                *(_marginal(item, attribute, notes) for attribute in single),
                chance_cell(
                    item.p_value if item.p_adjusted is None else item.p_adjusted, notes, item.fd.reason
                ),
                Cell(f"{item.n:,}", sort=item.n),
            )
        )
    columns = (
        sampler_column(results),
        Column("Joint FD", "distance of all cells from their targets; interval below"),
        Column("Fair generator stays below", "by chance, at this n"),
        *(Column(f"FD of {shorten(attribute, 30)} alone") for attribute in single),
        Column("p", "adjusted over the intersections (Holm)"),
        Column("n", "images with a label of every attribute"),
    )
    tests = listing(sorted({item.test for item in found.values()}))
    caption = f"Joint FD of perceived {names} beside that of each alone (test: {tests})"
    return Table(f"joint-{key}", caption, columns, tuple(rows), tuple(notes.reasons))


def _marginal(item: Intersection, attribute: str, notes: Notes) -> Cell:
    value = item.marginal_fd.get(attribute)
    return Cell(discrepancy(value), sort=value) if known(value) else notes.missing(item.fd.reason)


def _rank(item: Intersection, cell: str) -> tuple[float, float]:
    """Least ratio first, and of equal ones the cell that should be largest; cells without a share last."""
    ratio, target = _over(item.cells[cell].value, item.target.get(cell)), item.target.get(cell)
    return (float("inf") if ratio is None else ratio, -(target or 0))


def _over(share: float | None, target: float | None) -> float | None:
    return share / target if share is not None and target and known(share) else None


def _cells(key: str, caption: str, item: Intersection, order: Sequence[str]) -> Table:
    notes = Notes()
    rows = tuple(
        (
            heading(cell),
            percent_cell(item.cells[cell], notes, worst_case(item.cells[cell])),
            Cell(percent(item.target.get(cell)), sort=item.target.get(cell)),
            _ratio(item.cells[cell], item.target.get(cell), notes),
        )
        for cell in order
    )
    columns = (
        Column("Cell", numeric=False),
        Column("Share", "interval below"),
        Column("Target"),
        Column("Share over target", "1 is fair; interval below"),
    )
    return Table(f"cells-{key}", caption, columns, rows, tuple(notes.reasons))


def _ratio(share: Share, target: float | None, notes: Notes) -> Cell:
    ratio = _over(share.value, target)
    if ratio is None:
        return notes.missing(share.reason if target else "the target of this cell is 0")
    between = interval(_over(share.low, target), _over(share.high, target), 2)
    return Cell(fixed(ratio, 2), (between,) if between else (), ratio)
