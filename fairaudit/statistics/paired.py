"""Two samplers on the same noise: what the one changes against the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fairaudit.metrics.fairness import fairness_discrepancy
from fairaudit.results import Estimate
from fairaudit.statistics.correction import (
    Array,
    SingularConfusionError,
    correct_shares,
)
from fairaudit.statistics.discrepancy import bordered_draws, furthest, percentile_interval
from fairaudit.statistics.pairs import check_goal, marginals, pair_tables, share_draws, swap
from fairaudit.statistics.shares import check_calibration

PAIRED = "paired Dirichlet draws of images within prompts, and of the calibration"
PERMUTATION = "paired permutation"

STRATUM = 8
"""Prompts with fewer images are resampled together: alone, each would look less varied than it is."""


@dataclass(frozen=True)
class PairedDifference:
    """Difference of a quantity, a minus b; `p_value` is None where the difference has no value."""

    difference: Estimate
    p_value: float | None
    test: str


def paired_fd_difference(
    a: ArrayLike,
    b: ArrayLike,
    prompts: ArrayLike,
    target: ArrayLike,
    confusion: ArrayLike | None = None,
    *,
    level: float = 0.05,
    replicates: int = 2000,
    seed: int = 0,
) -> PairedDifference:
    """Fairness discrepancy of sampler a minus that of sampler b.

    A draw reweights the pairs of images within their prompt (Dirichlet), so what two samplers
    share through their noise cancels, and uses one drawn confusion matrix for both. From its
    shares the discrepancies are drawn as in `discrepancy_draws`, without the upward bias of a
    plain bootstrap. The p-value is that of exchanging the two labels of each pair at random.
    Simulated for K 2, 4, 7, n 80 to 320 in 1 to 40 prompts, accuracy .9 and 1, independent to
    half-equal pairs, true differences 0 to .67: 93 to 99 % of nominal 95 % intervals hold, and the
    type I error is 0 to 4 %.

    Parameters
    ----------
    a, b
        (n,) codes of the predicted values of image i under either sampler, -1 without a label.
        Each discrepancy is that of all labelled images of its sampler.
    prompts
        (n,) codes of the prompts.
    target
        (K,) fair shares.
    confusion
        (K, K) calibration counts, rows true values, columns predicted; or None.
    level
        The interval covers 1 - level.
    replicates, seed
        Number of draws, and where they start; equal seeds give equal results.

    Raises
    ------
    ValueError
        If the arrays differ in length or hold codes that the target does not know, or it has one value.
    """
    goal = check_goal(target)
    tables = pair_tables(a, b, prompts, len(goal), fewest=STRATUM)
    pairs = tables.sum(axis=0)
    if not marginals(pairs).any(axis=-1).all():
        return _without_value("a sampler has no labelled image")
    matrix = None if confusion is None else np.asarray(confusion, dtype=np.float64)
    try:
        observed = _discrepancies(marginals(pairs), goal, matrix)
        if matrix is not None:
            check_calibration(matrix, level, replicates, seed)
    except SingularConfusionError as error:
        return _without_value(str(error))
    rng = np.random.default_rng(seed)
    centres, draws = share_draws(tables, matrix, replicates, rng)
    of_a, of_b = (bordered_draws(centre, drawn.T, goal) for centre, drawn in zip(centres, draws, strict=True))
    value = float(observed[0] - observed[1])
    limit = furthest(goal)
    low, high = percentile_interval(value, of_a - of_b, level, (-limit, limit))
    estimate = Estimate(value=value, low=low, high=high, method=PAIRED)
    exchanged = swap(pairs, replicates, rng).astype(np.float64)  # in float32 ties differ
    swapped = _discrepancies(np.swapaxes(exchanged, 1, 2), goal, matrix)
    extreme = np.abs(swapped[0] - swapped[1]) >= abs(value) - 1e-12
    return PairedDifference(estimate, (int(extreme.sum()) + 1) / (replicates + 1), PERMUTATION)


def _without_value(reason: str) -> PairedDifference:
    return PairedDifference(Estimate(value=None, method=PAIRED, reason=reason), None, PERMUTATION)


def _discrepancies(counts: Array, goal: Array, confusion: Array | None) -> Array:
    """Estimated discrepancies (...) of label counts (..., K)."""
    totals = counts.sum(axis=-1, keepdims=True)
    # An exchange may leave a sampler of very few labels without any: that is no discrepancy.
    shares = np.where(totals > 0, counts / np.maximum(totals, 1), goal)
    if confusion is not None:
        shares = correct_shares(shares, confusion)
    return fairness_discrepancy(shares, goal)
