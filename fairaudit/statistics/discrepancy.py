"""Fairness discrepancy with an interval, and what chance alone makes of a fair generator."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fairaudit.metrics.fairness import fairness_discrepancy
from fairaudit.results import Discrepancy
from fairaudit.statistics.correction import Array, SingularConfusionError, check_confusion, correct_shares
from fairaudit.statistics.shares import ShareEstimate, check_target, draw_shares

METHOD = "fiducial interval of the L2 distance"


def estimate_discrepancy(
    shares: ShareEstimate, target: ArrayLike, *, level: float = 0.05, null95: float | None = None
) -> Discrepancy:
    """Fairness discrepancy of estimated shares, with an interval that reaches 0 when 0 is possible.

    The estimate is biased upward, the more so the nearer to 0, and a bootstrap of it twice; see
    `discrepancy_draws` for the interval that is not. Simulated over K 2, 4, 7, n 30 to 400,
    accuracy .75 to .99, calibration on 100 to 2500 a value, true FD 0 to .9: nominal 95 % intervals
    cover 92 to 99 %, and the low end of an exactly fair generator is 0 in 94 to 98 % of audits. The same
    holds of raw labels of up to 126 combined values; where these are many against n, up to 100 %.

    Parameters
    ----------
    shares
        From `estimate_shares`; one without a value gives a discrepancy without one, for its reason.
    target
        (K,) fair shares.
    level
        The interval covers 1 - level.
    null95
        From `null_band`, to be kept beside the estimate.
    """
    goal = check_target(target, np.size(target))
    raw = None if shares.raw is None else float(fairness_discrepancy(shares.raw, goal))
    if shares.value is None or shares.centre is None or shares.draws is None:
        return Discrepancy(value=None, method=METHOD, reason=shares.reason, raw=raw, null95=None)
    value = float(fairness_discrepancy(shares.value, goal))
    drawn = bordered_draws(shares.centre, shares.draws, goal)
    low, high = percentile_interval(value, drawn, level, (0, furthest(goal)))
    return Discrepancy(value=value, low=low, high=high, method=METHOD, raw=raw, null95=null95)


def percentile_interval(
    value: float, draws: Array, level: float, limits: tuple[float, float]
) -> tuple[float, float]:
    """Percentile interval of draws, clipped to what is possible, and stretched to the value.

    Parameters
    ----------
    draws
        (m,) of where the truth may be.
    level
        The interval covers 1 - level.
    limits
        The least and the greatest that the truth can be.
    """
    low, high = np.clip(np.quantile(draws, [level / 2, 1 - level / 2]), *limits)
    return min(float(low), value), max(float(high), value)


def furthest(target: Array) -> float:
    """The largest discrepancy there is: that of one value only."""
    return float(fairness_discrepancy(np.eye(len(target)), target).max())


def bordered_draws(centre: Array, draws: Array, target: Array) -> Array:
    """`discrepancy_draws`, moved back whole if classifier errors drove the estimate beyond `furthest`.

    Left there, they would all end at the border and feign certainty. They are not clipped: clipped
    draws of two discrepancies have a difference whose intervals cover 85 instead of 95 %.
    """
    excess = max(0.0, float(fairness_discrepancy(centre, target)) - furthest(target))
    return discrepancy_draws(centre, draws, target) - excess


def discrepancy_draws(centre: Array, draws: Array, target: Array) -> Array:
    """Draws (m,) of where the true discrepancy may be; negative ones mean "0, and more than that".

    Let the truth be ``target + x * u`` with u the direction of the estimate, and the estimate be
    off by a draw's deviation e. Then the estimated discrepancy D fulfils
    ``D**2 = (x - e_u)**2 + |e_perp|**2``: error across u only ever adds to D, and is taken off
    again by solving for x. For two values nothing lies across, and the draws are those of
    sqrt(2) * (share - target), with the sign of the estimate's.
    """
    offset = centre - target
    distance = float(np.linalg.norm(offset))
    if distance < 1e-12:
        offset = np.eye(len(target))[0] - 1 / len(target)
    along = (draws - centre) @ (offset / np.linalg.norm(offset))
    across = np.maximum(((draws - centre) ** 2).sum(axis=1) - along**2, 0)
    solved: Array = along + np.sqrt(np.maximum(distance**2 - across, 0))
    return solved


def null_band(
    n: int,
    target: ArrayLike,
    confusion: ArrayLike | None = None,
    *,
    level: float = 0.05,
    replicates: int = 2000,
    seed: int = 0,
) -> float | None:
    """Estimated discrepancy that a fair generator stays under with probability 1 - level.

    Fair shares are pushed through classifiers that the calibration allows (one Dirichlet draw of
    the confusion matrix each), n labels are drawn, and corrected with the calibration as it is.

    Parameters
    ----------
    n
        Number of labelled images.
    target
        (K,) fair shares.
    confusion
        (K, K) calibration counts, or None for uncorrected shares.
    level
        Chance of a fair generator to be beyond the band.
    replicates, seed
        Number of draws, and where they start; equal seeds give equal results.

    Returns
    -------
    The (1 - level) quantile, or None if n is 0 or the classifier cannot tell the values apart.
    """
    if n <= 0:
        return None
    goal = check_target(target, np.size(target))
    rng = np.random.default_rng(seed)
    if confusion is None:
        estimates = rng.multinomial(n, goal, size=replicates) / n
    else:
        try:
            matrix = check_confusion(confusion, len(goal))
            labels = rng.multinomial(n, goal @ draw_shares(matrix, replicates, rng))
            estimates = correct_shares(labels / n, matrix)
        except SingularConfusionError:
            return None
    return float(np.quantile(fairness_discrepancy(estimates, goal), 1 - level))
