"""Several attributes at once: what marginals that look fair may hide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial, reduce
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fairaudit.metrics.fairness import fairness_discrepancy, smallest_representation
from fairaudit.results import Estimate, Intersection, Share
from fairaudit.statistics.correction import Array
from fairaudit.statistics.discrepancy import estimate_discrepancy, null_band
from fairaudit.statistics.indices import Kind, index_of
from fairaudit.statistics.inversion import shoot, simulate
from fairaudit.statistics.shares import ShareEstimate, check_target, estimate_shares
from fairaudit.statistics.tests import goodness_of_fit

Codes = NDArray[np.int64]

SEPARATOR = " | "
FEWEST_FACES = 20
"""Calibration faces of a combination, below which nothing is claimed of how it is labelled."""
MOST_CELLS = 20
"""Combinations up to which labels are corrected: the errors of C cells are C * (C - 1) numbers."""

SMALLEST = "least share over target, of the estimated shares; interval by inversion of simulated tests"

_PART = 4

NO_JOINT = "the joint errors of the labels are not known"


def estimate_intersection(
    names: Sequence[str],
    values: Sequence[Sequence[str]],
    codes: Sequence[ArrayLike],
    targets: Sequence[ArrayLike],
    confusion: ArrayLike | None = None,
    *,
    together: ArrayLike | None = None,
    level: float = 0.05,
    replicates: int = 2000,
    seed: int = 0,
) -> Intersection:
    """Share of every combination of values, seen or not, and their discrepancy from the product of targets.

    A combination that never occurs has the share 0 with an interval. Shares are corrected with the
    joint errors of the classifier. They are left as labelled, and their `method` says why, if the
    calibration has fewer than 20 faces of a combination, cannot be inverted, or there are more
    than 20 combinations.

    Parameters
    ----------
    names
        (A,) attributes, at least one.
    values
        (A,) values of each, in the order of their codes.
    codes
        (A,) arrays (n,) of the predicted values' codes, image by image, -1 without a label. Only images
        with a label of every attribute are counted; the cells' `bounds` tell what the others may be.
    targets
        (A,) fair shares of each attribute; those of a combination are their product.
    confusion
        (C, C) calibration counts of combinations in C order (the last attribute fastest), or None.
    together
        (C,) fair shares of the combinations, where they are not the product: targets of several
        attributes that vary from prompt to prompt go together.
    level
        The intervals cover 1 - level.
    replicates, seed
        Number of draws, and where they start; equal seeds give equal results.

    Raises
    ------
    ValueError
        If the arguments do not belong together.
    """
    sizes = tuple(len(each) for each in values)
    if not 1 <= len(names) == len(sizes) == len(codes) == len(targets) or 0 in sizes:
        raise ValueError("every attribute has a name, values, codes and a target")
    table = _codes(codes, sizes)
    goals = [check_target(target, size) for target, size in zip(targets, sizes, strict=True)]
    goal = reduce(np.multiply.outer, goals).ravel() if together is None else _together(together, sizes)
    complete = (table >= 0).all(axis=0)
    counts = np.bincount(np.ravel_multi_index(tuple(table[:, complete]), sizes), minlength=len(goal))
    n = int(counts.sum())
    shares, matrix = _shares(counts, confusion, level, replicates, seed)
    band = null_band(n, goal, matrix, level=level, replicates=replicates, seed=seed)
    p_value, test = goodness_of_fit(counts, goal, matrix, replicates=replicates, seed=seed)
    cells = [SEPARATOR.join(cell) for cell in product(*values)]
    bounds = _bounds(counts, table[:, ~complete], sizes)
    return Intersection(
        attributes=list(names),
        n=n,
        cells={cell: _cell(shares, i, bounds) for i, cell in enumerate(cells)},
        target=dict(zip(cells, goal.tolist(), strict=True)),
        fd=estimate_discrepancy(shares, goal, level=level, null95=band),
        marginal_fd=dict(zip(names, _marginals(shares, goals), strict=True)),
        p_value=p_value,
        test=test,
        smallest=_smallest(shares, n, goal, matrix, level=level, replicates=replicates, seed=seed),
        smallest_cell=None if shares.value is None else cells[_least(shares.value, goal)],
    )


def _together(target: ArrayLike, sizes: tuple[int, ...]) -> Array:
    return check_target(target, int(np.prod(sizes)))


def _codes(codes: Sequence[ArrayLike], sizes: Sequence[int]) -> Codes:
    given = [np.asarray(row) for row in codes]
    if not all(np.isfinite(row).all() for row in given):
        raise ValueError("labels are codes, and none is -1, not nan")
    rows = [row.astype(np.int64) for row in given]
    if any(row.shape != rows[0].shape or row.ndim != 1 for row in rows):
        raise ValueError("labels of all attributes are rows of one length")
    for row, size in zip(rows, sizes, strict=True):
        if row.min(initial=0) < -1 or row.max(initial=0) >= size:
            raise ValueError(f"labels are codes from 0 to {size - 1}, or -1 for none")
    return np.stack(rows)


def _shares(
    counts: Codes, confusion: ArrayLike | None, level: float, replicates: int, seed: int
) -> tuple[ShareEstimate, Array | None]:
    """Estimated shares, and the calibration that they were corrected with."""
    estimate = partial(estimate_shares, counts, level=level, replicates=replicates, seed=seed)
    if confusion is None:
        raw = estimate()
        return replace(raw, method=f"{raw.method}; not corrected: {NO_JOINT}"), None
    matrix = np.asarray(confusion, dtype=np.float64)
    if matrix.shape != (len(counts), len(counts)):
        raise ValueError(f"calibration counts of {len(counts)} combinations, not of shape {matrix.shape}")
    if not np.isfinite(matrix).all() or (matrix < 0).any():
        raise ValueError("calibration counts are finite and at least 0")
    reason = _thinness(matrix)
    if reason is None:
        shares = estimate(matrix)
        if shares.value is not None or not counts.any():
            return shares, matrix
        reason = shares.reason
    raw = estimate()
    return replace(raw, method=f"{raw.method}; not corrected: {reason}"), None


def _thinness(confusion: Array) -> str | None:
    if len(confusion) > MOST_CELLS:
        return f"more than {MOST_CELLS} combinations"
    fewest = int(confusion.sum(axis=1).min())
    if fewest < FEWEST_FACES:
        return f"{fewest} calibration faces of a combination, fewer than {FEWEST_FACES}"
    return None


def _bounds(counts: Codes, incomplete: Codes, sizes: Sequence[int]) -> Array | None:
    """Fraction of all images (C, 2) that a cell has if none, or all, of those that may belong to it do."""
    total = counts.sum() + incomplete.shape[1]
    if total == 0:
        return None
    cells = np.indices(sizes).reshape(len(sizes), -1)
    possible = ((incomplete[:, :, None] < 0) | (incomplete[:, :, None] == cells[:, None])).all(axis=0)
    return np.asarray(np.stack([counts, counts + possible.sum(axis=0)], axis=1) / total)


def _cell(shares: ShareEstimate, i: int, bounds: Array | None) -> Share:
    if shares.value is None or shares.low is None or shares.high is None or shares.raw is None:
        return Share(
            value=None, method=shares.method, reason=shares.reason, raw=None, bounds=_pair(bounds, i)
        )
    return Share(
        value=float(shares.value[i]),
        low=float(shares.low[i]),
        high=float(shares.high[i]),
        method=shares.method,
        raw=float(shares.raw[i]),
        bounds=_pair(bounds, i),
        simultaneous=None if shares.simultaneous is None else _pair(np.stack(shares.simultaneous, axis=1), i),
    )


def _pair(ends: Array | None, i: int) -> tuple[float, float] | None:
    return None if ends is None else (float(ends[i, 0]), float(ends[i, 1]))


def _marginals(shares: ShareEstimate, goals: Sequence[Array]) -> list[float | None]:
    if shares.value is None:
        return [None] * len(goals)
    joint = shares.value.reshape([len(goal) for goal in goals])
    axes = range(len(goals))
    alone = (joint.sum(axis=tuple(other for other in axes if other != axis)) for axis in axes)
    return [float(fairness_discrepancy(share, goal)) for share, goal in zip(alone, goals, strict=True)]


def _least(shares: Array, goal: Array) -> int:
    """The least represented combination, of those that the target has."""
    return int(np.where(goal > 0, shares / np.where(goal > 0, goal, 1), np.inf).argmin())


def _smallest(
    shares: ShareEstimate,
    n: int,
    goal: Array,
    confusion: Array | None,
    *,
    level: float,
    replicates: int,
    seed: int,
) -> Estimate:
    kind = Kind(partial(smallest_representation, target=goal), evenness=True)
    if shares.value is None or shares.centre is None or shares.draws is None:
        return Estimate(value=None, method=SMALLEST, reason=shares.reason)
    errors, each = shares.draws - shares.centre, max(replicates // _PART, 1)
    ray = shoot(shares.value, goal, errors, n, confusion, replicates=each, seed=seed)
    found = index_of(kind, shares, ray, simulate(goal, n, confusion, replicates, seed), level=level)
    return Estimate(value=found.value, low=found.low, high=found.high, method=SMALLEST)
